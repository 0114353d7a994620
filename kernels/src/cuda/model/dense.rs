//! Products with more tokens and a weight that is stored as floats, by cuBLASLt where it is there: with f32 sums, and within the
//! bounds of our own kernel.
//!
//! | weight | how |
//! | --- | --- |
//! | f32 | one product, without tf32 |
//! | bf16 | activations are three bf16, whose sum they are exactly: three products on tensor cores, the smallest first, that add up |
//! | f16 | some rows after the other become f32, since activations are no sum of a few f16 |

use super::super::cublaslt::{Factors, Product};
use super::super::sources::PRODUCT;
use super::memory::{Bytes, Floats};
use super::{Device, DeviceWeight};
use crate::error::expect_length;
use crate::{DType, KernelError};

/// Memory for parts of sums, kept from the first product on: what is recommended for compute capability 9.0.
const WORKSPACE: u64 = 32 << 20;
/// Elements of a weight that are f32 at a time, at first: 64 MiB.
pub(super) const WIDENED: usize = 1 << 24;

impl Device {
    /// Whether products are left to cuBLASLt where it is there, as they are at first. Without it they are as on a machine that has none.
    pub fn use_cublaslt(&self, yes: bool) {
        self.state().without_library = !yes;
    }

    /// Products that cuBLASLt did, one for each call of [`Device::linear`].
    pub fn cublaslt_products(&self) -> u64 {
        self.state().products
    }

    /// Elements of an f16 weight that are f32 at a time, while cuBLASLt multiplies: 4 bytes each, at least a row.
    pub fn widen_at_once(&self, elements: usize) {
        self.state().widened = elements;
    }

    fn has_library(&self) -> Result<bool, KernelError> {
        let mut state = self.state();
        Ok(!state.without_library && state.lane.has_library()?)
    }

    /// [`Device::linear`] by cuBLASLt; nothing where it is not there, or does not do this one. Lengths were compared.
    pub(super) fn linear_by_library(
        &self,
        tokens: usize,
        x: &Floats,
        w: &DeviceWeight,
        bias: Option<&Floats>,
    ) -> Result<Option<Floats>, KernelError> {
        let Some(dtype) = w.float_type() else { return Ok(None) };
        if w.columns() == 0 || w.rows() == 0 || !self.has_library()? {
            return Ok(None);
        }
        let y = self.matrix(tokens, w.rows())?;
        let whole = Product {
            factors: Factors::F32,
            rows: w.rows() as u64,
            columns: w.columns() as u64,
            tokens: tokens as u64,
            stride: w.rows() as u64,
            adds: false,
            w: w.address(),
            x: x.address(),
            bias: bias.map_or(0, Floats::address),
            y: y.address(),
            workspace: 0,
            workspace_bytes: WORKSPACE,
        };
        let done = match dtype {
            DType::F32 => self.multiply_all(&[whole], |_| Ok(()))?,
            DType::Bf16 => self.multiply_thirds(&whole, x)?,
            _ => self.multiply_widened(&whole, w)?,
        };
        self.state().products += u64::from(done);
        Ok(done.then_some(y))
    }

    /// Compute these one after the other, each after what `before` asks for; or none of them, where the library does not do one.
    fn multiply_all(
        &self,
        products: &[Product],
        mut before: impl FnMut(usize) -> Result<(), KernelError>,
    ) -> Result<bool, KernelError> {
        for product in products {
            if !self.state().lane.multiplies(product)? {
                return Ok(false);
            }
        }
        let Some(workspace) = self.workspace()? else { return Ok(false) };
        for (number, product) in products.iter().enumerate() {
            before(number)?;
            let product = Product { workspace, ..*product };
            // SAFETY: addresses are of tensors of this device that live until the products were asked for, with the sizes that
            // were compared; what is let go is given only to what is asked for later. The workspace stays.
            unsafe { self.state().lane.multiply(&product) }?;
        }
        Ok(true)
    }

    /// Memory that stays, since what is recorded holds its address. Nothing while something is recorded that has not come here
    /// before.
    fn workspace(&self) -> Result<Option<u64>, KernelError> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.workspace == 0 && state.memory.owner == 0 {
            state.workspace = state.memory.take(state.lane.as_mut(), WORKSPACE)?;
        }
        Ok((state.workspace != 0).then_some(state.workspace))
    }

    fn multiply_thirds(&self, whole: &Product, x: &Floats) -> Result<bool, KernelError> {
        let room = || self.byte_room(2 * x.len());
        let thirds: [Bytes; 3] = [room()?, room()?, room()?];
        let [high, middle, low] = [&thirds[0], &thirds[1], &thirds[2]].map(Bytes::address);
        let third =
            |x: u64, adds: bool, bias: u64| Product { factors: Factors::Bf16, x, adds, bias, ..*whole };
        let products = [third(low, false, 0), third(middle, true, 0), third(high, true, whole.bias)];
        self.multiply_all(&products, |number| match number {
            0 => {
                let words = [x.address(), high, middle, low, x.len() as u64];
                self.launch_each(PRODUCT, "thirds", x.len(), &words)
            }
            _ => Ok(()),
        })
    }

    fn multiply_widened(&self, whole: &Product, w: &DeviceWeight) -> Result<bool, KernelError> {
        let step = (self.state().widened / w.columns()).max(1);
        let widened = self.matrix(step.min(w.rows()), w.columns())?;
        let parts: Vec<std::ops::Range<usize>> =
            (0..w.rows()).step_by(step).map(|first| first..w.rows().min(first + step)).collect();
        let product = |rows: &std::ops::Range<usize>| {
            let offset = 4 * rows.start as u64;
            let bias = if whole.bias == 0 { 0 } else { whole.bias + offset };
            Product { rows: rows.len() as u64, w: widened.address(), bias, y: whole.y + offset, ..*whole }
        };
        let products: Vec<Product> = parts.iter().map(product).collect();
        self.multiply_all(&products, |number| {
            let rows = parts.get(number).cloned().unwrap_or_default();
            self.decode_into(&w.slice(rows)?, &widened)
        })
    }

    fn decode_into(&self, part: &DeviceWeight, room: &Floats) -> Result<(), KernelError> {
        let elements = part.rows() * part.columns();
        if elements > room.len() {
            return expect_length("a weight in f32", room.len(), elements);
        }
        self.decode_to(part, &room.slice(0, elements)?, false)
    }
}
