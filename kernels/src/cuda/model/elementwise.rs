//! Element by element, and moving elements.

use super::super::sources::ELEMENTWISE;
use super::Device;
use super::memory::{Floats, Ids};
use crate::KernelError;
use crate::error::expect_length;

/// A function of one element; numbered as in `functions.cuh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// [`crate::model::Gelu::Erf`].
    GeluErf,
    /// [`crate::model::Gelu::Tanh`].
    GeluTanh,
    /// `x / (1 + e⁻ˣ)`.
    Silu,
    /// `x`, or 0 below it.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// eˣ.
    Exp,
    /// `ln(1 + eˣ)`, and x above 20.
    Softplus,
}

/// What two elements make; numbered as in `elementwise.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a × b`.
    Mul,
    /// `a / b`.
    Div,
}

/// Axes that a kernel goes along.
const AXES: usize = 6;

/// Elements of a shape, by their places in two tensors: strides are in elements, 0 where an axis is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strides<'a> {
    /// The shape.
    pub extents: &'a [usize],
    /// In the one tensor, or the source.
    pub left: &'a [usize],
    /// In the other one, or the target.
    pub right: &'a [usize],
}

impl Strides<'_> {
    /// The words of `Strides` of `elementwise.cu`, and how many elements there are.
    fn words(&self, lengths: [usize; 2]) -> Result<(Vec<u64>, usize), KernelError> {
        let rank = self.extents.len();
        expect_length("strides", rank, self.left.len())?;
        expect_length("strides", rank, self.right.len())?;
        if rank > AXES {
            return expect_length("axes of a tensor on a device", AXES, rank).map(|()| (Vec::new(), 0));
        }
        let elements = self.extents.iter().try_fold(1usize, |n, extent| n.checked_mul(*extent));
        let elements = elements.ok_or(KernelError::Malformed { what: "the shape of a tensor" })?;
        for (steps, length) in [(self.left, lengths[0]), (self.right, lengths[1])] {
            let last: usize = steps
                .iter()
                .zip(self.extents)
                .map(|(step, n)| step.saturating_mul(n.saturating_sub(1)))
                .sum();
            if elements > 0 && last >= length {
                return expect_length("elements that strides reach", length, last.saturating_add(1))
                    .map(|()| (Vec::new(), 0));
            }
        }
        let padded = |values: &[usize], fill: u64| {
            let front = std::iter::repeat_n(fill, AXES - rank);
            front.chain(values.iter().map(|value| *value as u64)).collect::<Vec<u64>>()
        };
        let words = [padded(self.extents, 1), padded(self.left, 0), padded(self.right, 0)].concat();
        Ok((words, elements))
    }
}

impl Device {
    fn map(&self, kernel: &str, x: &Floats, kind: u64, factor: f32) -> Result<Floats, KernelError> {
        let y = self.room(x.len())?;
        let words = [x.address(), y.address(), x.len() as u64, kind, u64::from(factor.to_bits())];
        self.launch_each(ELEMENTWISE, kernel, x.len().div_ceil(4), &words)?;
        Ok(y)
    }

    /// A function of each value.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn activate(&self, kind: Activation, x: &Floats) -> Result<Floats, KernelError> {
        self.map("activate", x, kind as u64, 0.0)
    }

    /// Each value times `factor`.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn scale(&self, factor: f32, x: &Floats) -> Result<Floats, KernelError> {
        self.map("scale", x, 0, factor)
    }

    /// `x × f(gate)` element by element.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn gate(&self, kind: Activation, gates: &Floats, x: &Floats) -> Result<Floats, KernelError> {
        expect_length("gates", x.len(), gates.len())?;
        let y = self.room(x.len())?;
        let words = [gates.address(), x.address(), y.address(), x.len() as u64, kind as u64];
        self.launch_each(ELEMENTWISE, "gate", x.len(), &words)?;
        Ok(y)
    }

    /// Pairs of values; where `b` is shorter it is repeated, as a vector is for each row.
    ///
    /// # Errors
    /// [`KernelError::Length`] when its length does not divide that of `a`; [`KernelError::Device`].
    pub fn zip(&self, pairing: Pairing, a: &Floats, b: &Floats) -> Result<Floats, KernelError> {
        let y = self.room(a.len())?;
        if a.is_empty() {
            return Ok(y);
        }
        if b.is_empty() || !a.len().is_multiple_of(b.len()) {
            return expect_length("second operand", a.len(), b.len()).map(|()| y);
        }
        let elements = a.len() as u64;
        let words = [a.address(), b.address(), y.address(), elements, b.len() as u64, pairing as u64];
        self.launch_each(ELEMENTWISE, "zip", a.len(), &words)?;
        Ok(y)
    }

    /// Pairs of values of any two tensors that are repeated along axes.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn spread(
        &self,
        pairing: Pairing,
        a: &Floats,
        b: &Floats,
        strides: &Strides<'_>,
    ) -> Result<Floats, KernelError> {
        let (own, elements) = strides.words([a.len(), b.len()])?;
        let y = self.room(elements)?;
        let mut words = vec![a.address(), b.address(), y.address(), elements as u64, pairing as u64];
        words.extend(own);
        self.launch_each(ELEMENTWISE, "spread", elements, &words)?;
        Ok(y)
    }

    /// Copy elements of `x`, from its element `first` on, to places of `y` from its element `to` on: the one tensor that a
    /// function writes to.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn move_to(
        &self,
        x: &Floats,
        first: usize,
        y: &Floats,
        to: usize,
        strides: &Strides<'_>,
    ) -> Result<(), KernelError> {
        let (left, right) = (x.len().saturating_sub(first), y.len().saturating_sub(to));
        let (own, elements) = strides.words([left, right])?;
        let mut words = vec![x.address() + 4 * first as u64, y.address() + 4 * to as u64, elements as u64];
        words.extend(own);
        self.launch_each(ELEMENTWISE, "move", elements, &words)
    }

    /// Room for as many values, which [`Device::move_to`] fills.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn empty(&self, len: usize) -> Result<Floats, KernelError> {
        self.room(len)
    }

    /// `count` numbers from the one in `first` on, or from 0.
    ///
    /// # Errors
    /// [`KernelError::Device`].
    pub fn count_up(&self, first: Option<&Ids>, count: usize) -> Result<Ids, KernelError> {
        let y = self.id_room(count)?;
        let words = [first.map_or(0, Ids::address), y.address(), count as u64];
        self.launch_each(ELEMENTWISE, "count_up", count, &words)?;
        Ok(y)
    }
}
