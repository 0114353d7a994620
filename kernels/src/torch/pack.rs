//! Two 4-bit codes in a byte. Two codes of a byte each are handled as one 16-bit integer, the first in its low byte.

use crate::KernelError;
use tch::{Kind, Tensor};

/// Flat `u8` codes below 16, two in a byte; an odd number is filled up with `last`.
pub(super) fn pack(codes: &Tensor, first_is_high: bool, last: u8) -> Result<Tensor, KernelError> {
    let pairs = if codes.numel() % 2 == 1 {
        let last = codes.f_narrow(0, 0, 1)?.f_full_like(i64::from(last))?;
        Tensor::f_cat(&[codes, &last], 0)?.f_view_dtype(Kind::Int16)?
    } else {
        codes.f_view_dtype(Kind::Int16)?
    };
    let (first, second) = if first_is_high {
        (pairs.f_bitwise_left_shift_tensor_scalar(4)?, pairs.f_bitwise_right_shift_tensor_scalar(8)?)
    } else {
        let second = pairs.f_bitwise_right_shift_tensor_scalar(4)?;
        (pairs, second)
    };
    Ok(first.f_bitwise_or_tensor(&second)?.f_bitwise_and(0xff)?.f_to_kind(Kind::Uint8)?)
}

/// The inverse: flat `u8` codes.
pub(super) fn unpack(bytes: &Tensor, first_is_high: bool, elements: usize) -> Result<Tensor, KernelError> {
    let bytes = bytes.f_to_kind(Kind::Int16)?;
    let (low, high) = (bytes.f_bitwise_and(15)?, bytes.f_bitwise_right_shift_tensor_scalar(4)?);
    let (first, second) = if first_is_high { (high, low) } else { (low, high) };
    let pairs = first.f_bitwise_or_tensor(&second.f_bitwise_left_shift_tensor_scalar(8)?)?;
    Ok(pairs.f_view_dtype(Kind::Uint8)?.f_narrow(0, 0, elements as i64)?)
}
