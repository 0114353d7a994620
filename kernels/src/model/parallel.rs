//! Work over the caller's threads, in pieces that depend on shapes only.

use crate::Cpu;
use crate::cpu::lanes::{Kernel, Lanes};
use rayon::prelude::*;
use std::marker::PhantomData;

/// Multiplications, about, below which the threads would cost more than they bring.
const LITTLE: usize = 1 << 18;

/// `f` for each of `count` pieces, which together take about `work` multiplications.
pub(super) fn pieces(count: usize, work: usize, f: impl Fn(usize) + Sync + Send) {
    if count < 2 || work < LITTLE || rayon::current_num_threads() < 2 {
        (0..count).for_each(f);
    } else {
        (0..count).into_par_iter().for_each(f);
    }
}

/// As [`pieces`], of pieces that can fail: the error of the first one that did.
pub(super) fn try_pieces<E: Send>(
    count: usize,
    work: usize,
    f: impl Fn(usize) -> Result<(), E> + Sync + Send,
) -> Result<(), E> {
    if count < 2 || work < LITTLE || rayon::current_num_threads() < 2 {
        return (0..count).try_for_each(f);
    }
    let results: Vec<Result<(), E>> = (0..count).into_par_iter().map(f).collect();
    results.into_iter().collect()
}

/// `f` with the number of each run of `unit` values (the last may be shorter), of which a value costs about `cost`
/// multiplications. Several neighbouring runs are one piece of work.
pub(super) fn runs(
    values: &mut [f32],
    unit: usize,
    cost: usize,
    f: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    let unit = unit.max(1);
    let together = ((LITTLE / 4) / unit.saturating_mul(cost).max(1)).max(1);
    let each = |(piece, values): (usize, &mut [f32])| {
        values.chunks_mut(unit).enumerate().for_each(|(run, values)| f(piece * together + run, values));
    };
    if values.len().saturating_mul(cost) < LITTLE || rayon::current_num_threads() < 2 {
        values.chunks_mut(unit * together).enumerate().for_each(each);
    } else {
        values.par_chunks_mut(unit * together).enumerate().for_each(each);
    }
}

/// An algorithm without vector operations, which the compiler turns into them: every operation on a float is one that
/// IEEE rounds, nothing is fused, so that every variant gives the same bits.
pub(super) trait Plain {
    /// Do it. `#[inline(always)]`, so that it is compiled for the instructions of the variant.
    fn run(self);
}

struct Compiled<P>(P);

impl<P: Plain> Kernel for Compiled<P> {
    type Output = ();

    #[inline(always)]
    fn with<V: Lanes>(self, _: V) {
        self.0.run();
    }
}

/// Run it as compiled for a variant.
pub(super) fn run<P: Plain>(cpu: &Cpu, plain: P) {
    if let Err(Compiled(plain)) = cpu.native(Compiled(plain)) {
        plain.run();
    }
}

/// An output of which each thread writes elements of its own that do not lie side by side.
pub(super) struct Shared<'a> {
    first: *mut f32,
    length: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: the elements are written through `set` and `part` only, whose callers keep threads apart.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(super) fn new(values: &'a mut [f32]) -> Shared<'a> {
        Shared { first: values.as_mut_ptr(), length: values.len(), borrow: PhantomData }
    }

    /// Write an element.
    ///
    /// # Safety
    /// No other thread reads or writes it as long as `self` lives.
    #[inline(always)]
    pub(super) unsafe fn set(&self, index: usize, value: f32) {
        assert!(index < self.length);
        // SAFETY: within the slice that was borrowed; the caller says that nobody else has the element.
        unsafe { self.first.add(index).write(value) }
    }

    /// Some neighbouring elements.
    ///
    /// # Safety
    /// No other borrow of them is alive, in this thread or another, as long as this one is.
    #[expect(clippy::mut_from_ref, reason = "callers take parts that do not overlap")]
    pub(super) unsafe fn part(&self, start: usize, length: usize) -> &mut [f32] {
        assert!(start <= self.length && length <= self.length - start);
        // SAFETY: within the slice that was borrowed; the caller says that nobody else has the elements.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(start), length) }
    }

    /// The first element and the number of all, for a kernel that writes a matrix within.
    pub(super) fn raw(&self) -> (*mut f32, usize) {
        (self.first, self.length)
    }
}
