//! Two 4-bit codes in a byte.

use crate::KernelError;
use tch::Tensor;

/// Flat `u8` codes below 16, two in a byte; an odd number is filled up with `last`.
pub(super) fn pack(codes: &Tensor, first_is_high: bool, last: u8) -> Result<Tensor, KernelError> {
    let odd = (codes.numel() % 2) as i64;
    let filled = if odd == 1 {
        let last = codes.f_narrow(0, 0, 1)?.f_full_like(i64::from(last))?;
        Tensor::f_cat(&[codes, &last], 0)?
    } else {
        codes.f_reshape([-1])?
    };
    let pairs = filled.f_reshape([-1, 2])?;
    let (first, second) = (pairs.f_select(1, 0)?, pairs.f_select(1, 1)?);
    let (high, low) = if first_is_high { (first, second) } else { (second, first) };
    Ok(high.f_mul_scalar(16)?.f_add(&low)?)
}

/// The inverse: flat `u8` codes.
pub(super) fn unpack(bytes: &Tensor, first_is_high: bool, elements: usize) -> Result<Tensor, KernelError> {
    let (high, low) = (bytes.f_bitwise_right_shift_tensor_scalar(4)?, bytes.f_bitwise_and(15)?);
    let (first, second) = if first_is_high { (high, low) } else { (low, high) };
    Ok(Tensor::f_stack(&[first, second], 1)?.f_flatten(0, -1)?.f_narrow(0, 0, elements as i64)?)
}
