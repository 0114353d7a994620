//! Mixtures of experts that are routed on the device.

use super::super::sources::{EXPERTS, INTEGER, PRODUCT};
use super::integer::{OfExperts, check};
use super::linear::{FEW, THREADS, TILE, TILE_THREADS, WARPS};
use super::memory::{Bytes, Floats, Ids};
use super::weight::WORDS;
use super::{Activation, Call, Device, DeviceWeight};
use crate::KernelError;
use crate::error::expect_length;
use crate::model::{ActivationScale, Routes, Winners, check_scale, product_of};

/// The most experts that a kernel routes among.
const MOST_EXPERTS: usize = 1024;
/// Which matrix of an expert, as in `experts.cu`.
const UP: u64 = 0;
const DOWN: u64 = 1;
const GATE: u64 = 2;

/// The matrices of all experts of a layer, with a table of them on the device.
#[derive(Clone)]
pub struct Experts {
    count: usize,
    each: usize,
    width: usize,
    inner: usize,
    table: Bytes,
    /// What the table points to: those of an expert one after the other.
    matrices: Vec<DeviceWeight>,
}

/// Which experts a token has, and what is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mixture {
    /// Experts of a token.
    pub k: usize,
    /// How their weights follow from the router's logits.
    pub winners: Winners,
    /// What an expert does to its inner values, or to its gate.
    pub activation: Activation,
}

impl std::fmt::Debug for Experts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Experts")
            .field("count", &self.count)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// Routes on the device.
struct Routed {
    experts: Ids,
    weights: Floats,
}

/// Pairs by experts, on the device.
struct Ordered {
    list: Ids,
    tiles: Bytes,
    count: Bytes,
    most_tiles: u64,
}

impl Device {
    /// Experts of the same shapes, each `(up, down, gate)`: up and gate are `[inner, width]`, down is `[width, inner]`; all have a
    /// gate or none.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn experts(
        &self,
        experts: &[(DeviceWeight, DeviceWeight, Option<DeviceWeight>)],
    ) -> Result<Experts, KernelError> {
        let Some((up, _, gate)) = experts.first() else {
            return Err(KernelError::Malformed { what: "a mixture without experts" });
        };
        let (inner, width, each) = (up.rows(), up.columns(), if gate.is_some() { 3 } else { 2 });
        let mut matrices = Vec::with_capacity(experts.len() * each);
        for (up, down, gate) in experts {
            let own: Vec<&DeviceWeight> = [up, down].into_iter().chain(gate).collect();
            expect_length("matrices of an expert", each, own.len())?;
            for (matrix, (rows, columns)) in
                own.into_iter().zip([(inner, width), (width, inner), (inner, width)])
            {
                expect_length("rows of an expert", rows, matrix.rows())?;
                expect_length("columns of an expert", columns, matrix.columns())?;
                if let Some(scale) = matrix.inputs() {
                    check(matrix)?;
                    check_scale(scale)?;
                }
                matrices.push(matrix.clone());
            }
        }
        let words =
            matrices.iter().flat_map(|matrix| matrix.words().iter().flat_map(|word| word.to_le_bytes()));
        let table: Vec<u8> = words.collect();
        expect_length("table of experts", 8 * WORDS * matrices.len(), table.len())?;
        let table = self.bytes(&table)?;
        Ok(Experts { count: experts.len(), each, width, inner, table, matrices })
    }

    fn routed(
        &self,
        tokens: usize,
        x: &Floats,
        router: &DeviceWeight,
        k: usize,
        winners: Winners,
    ) -> Result<Routed, KernelError> {
        let count = router.rows();
        if k == 0 || k > count {
            let limit = count as u64 + 1;
            let (index, position) = (k as u64, 0);
            return Err(KernelError::OutOfRange { what: "number of experts", position, index, limit });
        }
        if count > MOST_EXPERTS {
            let what = format!(
                "{count} experts are more than the {MOST_EXPERTS} that a CUDA device routes among: run this model on \
                 the native backend"
            );
            return Err(KernelError::Device { what });
        }
        let inputs = product_of("input of a router", tokens, router.columns())?;
        expect_length("input of a router", inputs, x.len())?;
        let logits = match router.inputs() {
            Some(_) => self.linear(tokens, x, router, None)?,
            None => self.matrix(tokens, count)?,
        };
        let experts = self.id_room(product_of("routes", tokens, k)?)?;
        let weights = self.matrix(tokens, k)?;
        let mut words = router.words().to_vec();
        words.extend([x.address(), logits.address(), experts.address(), weights.address(), k as u64]);
        let (of_all, renormalise) = match winners {
            Winners::Softmax => (0, 0),
            Winners::OfAll => (1, 0),
            Winners::OfAllRenormalised => (1, 1),
        };
        words.extend([of_all, renormalise, u64::from(router.inputs().is_some())]);
        let blocks = tokens as u64;
        self.launch(&Call { family: EXPERTS, kernel: "route", blocks, threads: THREADS, words: &words })?;
        Ok(Routed { experts, weights })
    }

    /// Wait for the experts of each token, as [`crate::model::route`] has them.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::OutOfRange`], [`KernelError::Device`].
    pub fn route(
        &self,
        tokens: usize,
        x: &Floats,
        router: &DeviceWeight,
        k: usize,
        winners: Winners,
    ) -> Result<Routes, KernelError> {
        let routed = self.routed(tokens, x, router, k, winners)?;
        let (experts, weights) = (self.download_ids(&routed.experts)?, self.download(&routed.weights)?);
        Ok(Routes { k, experts, weights })
    }

    /// Router, experts and their sum: `x` and the result are `[tokens, width]`. Nothing waits for the device.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::OutOfRange`], [`KernelError::Device`].
    pub fn mixture(
        &self,
        tokens: usize,
        x: &Floats,
        router: &DeviceWeight,
        experts: &Experts,
        mixture: Mixture,
    ) -> Result<Floats, KernelError> {
        expect_length("experts of a router", router.rows(), experts.count)?;
        expect_length("input of the experts", product_of("input", tokens, experts.width)?, x.len())?;
        if x.is_empty() {
            return self.room(0);
        }
        let routed = self.routed(tokens, x, router, mixture.k, mixture.winners)?;
        if experts.matrices.iter().any(|matrix| matrix.inputs().is_some()) {
            return self.rounded_experts(tokens, x, &routed, experts, mixture);
        }
        if tokens <= FEW {
            return self.few_tokens(tokens, x, &routed, experts, mixture);
        }
        self.many_tokens(tokens, x, &routed, experts, mixture)
    }

    fn few_tokens(
        &self,
        tokens: usize,
        x: &Floats,
        routed: &Routed,
        experts: &Experts,
        mixture: Mixture,
    ) -> Result<Floats, KernelError> {
        let pairs = tokens * mixture.k;
        let (h, y) = (self.matrix(pairs, experts.inner)?, self.matrix(tokens, experts.width)?);
        let mut words = vec![experts.table.address(), experts.each as u64, routed.experts.address()];
        words.extend([&routed.weights, x, &h, &y].map(Floats::address));
        words.extend([tokens as u64, mixture.k as u64, mixture.activation as u64]);
        words.extend([experts.width as u64, experts.inner as u64]);
        let blocks = |rows: usize, of: usize| rows as u64 * (of as u64).div_ceil(WARPS);
        let (up, down) = (blocks(pairs, experts.inner), blocks(tokens, experts.width));
        for (kernel, blocks) in [("expert_up", up), ("expert_down", down)] {
            self.launch(&Call { family: EXPERTS, kernel, blocks, threads: THREADS, words: &words })?;
        }
        Ok(y)
    }

    fn many_tokens(
        &self,
        tokens: usize,
        x: &Floats,
        routed: &Routed,
        experts: &Experts,
        mixture: Mixture,
    ) -> Result<Floats, KernelError> {
        let (pairs, k) = (tokens * mixture.k, mixture.k as u64);
        let Ordered { list, tiles, count, most_tiles } = self.order(pairs, routed, experts)?;
        let product = |member: u64, x: &Floats, rows: usize, reads: bool| -> Result<Floats, KernelError> {
            let y = self.matrix(pairs, rows)?;
            let row_tiles = (rows as u64).div_ceil(TILE);
            let mut words = vec![experts.table.address(), experts.each as u64, member];
            words.extend([tiles.address(), count.address(), list.address(), k]);
            words.extend([u64::from(reads), u64::from(!reads), row_tiles, x.address(), y.address()]);
            let blocks = most_tiles * row_tiles;
            let kernel = "expert_product";
            self.launch(&Call { family: PRODUCT, kernel, blocks, threads: TILE_THREADS, words: &words })?;
            Ok(y)
        };
        let up = product(UP, x, experts.inner, true)?;
        let inner = if experts.each > 2 {
            self.gate(mixture.activation, &product(GATE, x, experts.inner, true)?, &up)?
        } else {
            self.activate(mixture.activation, &up)?
        };
        let z = product(DOWN, &inner, experts.width, false)?;
        self.combine(tokens, &z, routed, experts, mixture)
    }

    /// Pairs of a token and a slot in the order of experts, in tiles.
    fn order(&self, pairs: usize, routed: &Routed, experts: &Experts) -> Result<Ordered, KernelError> {
        // an expert's last tile may be short
        let most_tiles = (pairs as u64).div_ceil(TILE) + experts.count as u64;
        let list = self.id_room(pairs)?;
        let (tiles, count) = (self.byte_room(16 * most_tiles as usize)?, self.byte_room(4)?);
        let order = [routed.experts.address(), list.address(), tiles.address(), count.address()];
        let words = [order.as_slice(), &[pairs as u64, experts.count as u64]].concat();
        let call =
            Call { family: EXPERTS, kernel: "order_pairs", blocks: 1, threads: THREADS, words: &words };
        self.launch(&call)?;
        Ok(Ordered { list, tiles, count, most_tiles })
    }

    /// The sum of what the experts of a token gave: `z` is `[tokens, k, width]`.
    fn combine(
        &self,
        tokens: usize,
        z: &Floats,
        routed: &Routed,
        experts: &Experts,
        mixture: Mixture,
    ) -> Result<Floats, KernelError> {
        let k = mixture.k as u64;
        let y = self.matrix(tokens, experts.width)?;
        let words = [routed.experts.address(), routed.weights.address(), z.address(), y.address()];
        let words = [words.as_slice(), &[tokens as u64, k, experts.width as u64]].concat();
        self.launch_each(EXPERTS, "combine", y.len(), &words)?;
        Ok(y)
    }

    /// With matrices that round what they multiply, some or all of them. Everything but the sum lies in the order of pairs.
    fn rounded_experts(
        &self,
        tokens: usize,
        x: &Floats,
        routed: &Routed,
        experts: &Experts,
        mixture: Mixture,
    ) -> Result<Floats, KernelError> {
        let ordered =
            if tokens <= FEW { None } else { Some(self.order(tokens * mixture.k, routed, experts)?) };
        let product = |member: u64, x: &Floats, rows: usize, columns: usize, share: usize| {
            let own = experts.matrices.iter().skip(member as usize).step_by(experts.each);
            let scales: Vec<Option<ActivationScale>> = own.map(DeviceWeight::inputs).collect();
            let of = OfExperts {
                table: &experts.table,
                each: experts.each,
                member,
                count: experts.count,
                experts: &routed.experts,
                share,
                together: scales.contains(&Some(ActivationScale::Whole)),
            };
            let inputs = self.round_for_experts(columns, x, &of)?;
            let codes = inputs.words();
            let y = self.matrix(routed.experts.len(), rows)?;
            let table = [experts.table.address(), experts.each as u64, member];
            let Some(Ordered { list, tiles, count, most_tiles }) = &ordered else {
                let from = [routed.experts.address(), share as u64, x.address()];
                let words = [&table[..], &from, &codes, &[y.address(), rows as u64]].concat();
                let blocks = routed.experts.len() as u64 * (rows as u64).div_ceil(WARPS);
                let kernel = "expert_integer_few";
                self.launch(&Call { family: INTEGER, kernel, blocks, threads: THREADS, words: &words })?;
                return Ok(y);
            };
            let row_tiles = (rows as u64).div_ceil(TILE);
            let (blocks, threads) = (most_tiles * row_tiles, TILE_THREADS);
            let places = [&table[..], &[tiles.address(), count.address(), list.address()]].concat();
            if scales.iter().any(Option::is_some) {
                let words = [&places[..], &[row_tiles], &codes, &[y.address()]].concat();
                let kernel = "expert_integer";
                self.launch(&Call { family: INTEGER, kernel, blocks, threads, words: &words })?;
            }
            if scales.iter().any(Option::is_none) {
                let how = [share as u64, 1, 1, row_tiles, x.address(), y.address()];
                let words = [&places[..], &how].concat();
                let kernel = "expert_product";
                self.launch(&Call { family: PRODUCT, kernel, blocks, threads, words: &words })?;
            }
            Ok::<Floats, KernelError>(y)
        };
        let (width, inner) = (experts.width, experts.inner);
        let up = product(UP, x, inner, width, mixture.k)?;
        let h = if experts.each > 2 {
            self.gate(mixture.activation, &product(GATE, x, inner, width, mixture.k)?, &up)?
        } else {
            self.activate(mixture.activation, &up)?
        };
        self.combine(tokens, &product(DOWN, &h, width, inner, 1)?, routed, experts, mixture)
    }
}
