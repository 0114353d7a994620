//! Element by element.

use super::TorchValue;
use crate::KernelError;
use tch::Tensor;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `x Φ(x)`.
    Gelu,
    /// The same with the approximation by tanh.
    GeluTanh,
    /// `x / (1 + e^-x)`.
    Silu,
    /// The larger of `x` and 0.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// `e^x`.
    Exp,
    /// `ln(1 + e^x)`, `x` itself above 20.
    Softplus,
    /// `-x`.
    Negate,
}

impl Unary {
    /// The activation of that name, as configurations spell it.
    pub fn named(name: &str) -> Option<Unary> {
        match name {
            "gelu" => Some(Unary::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Unary::GeluTanh),
            "silu" | "swish" => Some(Unary::Silu),
            "relu" => Some(Unary::Relu),
            "tanh" => Some(Unary::Tanh),
            _ => None,
        }
    }
}

pub(super) fn unary(kind: Unary, x: &Tensor) -> Result<Tensor, KernelError> {
    Ok(match kind {
        Unary::Gelu => x.f_gelu("none")?,
        Unary::GeluTanh => x.f_gelu("tanh")?,
        Unary::Silu => x.f_silu()?,
        Unary::Relu => x.f_relu()?,
        Unary::Tanh => x.f_tanh()?,
        Unary::Exp => x.f_exp()?,
        Unary::Softplus => x.f_softplus()?,
        Unary::Negate => x.f_neg()?,
    })
}

/// `kind` of each element.
///
/// # Errors
/// [`KernelError::Device`].
pub fn apply(kind: Unary, x: &TorchValue) -> Result<TorchValue, KernelError> {
    Ok(TorchValue(unary(kind, &x.0)?))
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairwise {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a b`.
    Mul,
    /// `a / b`.
    Div,
}

/// Of elements in pairs; axes are paired from the last, and one that is 1 or missing is repeated.
///
/// # Errors
/// [`KernelError::Device`]: axes that do not fit, too.
pub fn pairwise(kind: Pairwise, a: &TorchValue, b: &TorchValue) -> Result<TorchValue, KernelError> {
    Ok(TorchValue(match kind {
        Pairwise::Add => a.0.f_add(&b.0)?,
        Pairwise::Sub => a.0.f_sub(&b.0)?,
        Pairwise::Mul => a.0.f_mul(&b.0)?,
        Pairwise::Div => a.0.f_div(&b.0)?,
    }))
}
