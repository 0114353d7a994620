//! The CUDA kernels that run models, run on the processor or with `ICPC_REQUIRE_CUDA=1` on a GPU: each function beside the native one or the exact one, within the bounds
//! that are stated. `-- --nocapture` shows how far off they were.

#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod cublaslt;
mod elements;
mod integers;
#[allow(missing_docs, unreachable_pub, dead_code)]
#[path = "../cuda_shim/library.rs"]
mod library;
mod mixtures;
#[allow(missing_docs, unreachable_pub, dead_code)]
#[path = "../cuda_shim/processor.rs"]
mod processor;
mod products;
mod recordings;
mod sequences;
#[allow(missing_docs, unreachable_pub, dead_code)]
#[path = "../support/mod.rs"]
mod support;

use icpc_kernels::cuda::Engine;
use icpc_kernels::cuda::model::Device;
use icpc_kernels::format::{Cast, Code4, Code4Kind, Format, Int, IntBits, Pack, Per, ScaleDType};
use icpc_kernels::model::{Weight, bounds};
use icpc_kernels::{Cpu, DType, Reference};
use library::Libraries;
use processor::Processor;
use support::Parts;

/// A device on the processor, or with `ICPC_REQUIRE_CUDA=1` a GPU. Nothing where there is no C++ compiler.
fn device() -> Option<Device> {
    if std::env::var_os("ICPC_REQUIRE_CUDA").is_some() {
        return Some(Device::open(0).unwrap());
    }
    device_with(u64::MAX)
}

/// One on the processor, with so many bytes of memory.
fn device_with(memory: u64) -> Option<Device> {
    Some(Device::of(&Engine::new(Processor::new(Libraries::of_models()?, memory))).unwrap())
}

fn cpu() -> &'static Cpu {
    Cpu::detect().unwrap()
}

/// Values that are about normal; the same for the same seed.
fn normal(seed: u64, length: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    (0..length).map(|_| (next() + next() + next() + next() - 2.0) * 1.7).collect()
}

/// `found` is within `units` of u of `size` from `exact`; gives how many units it was off at most.
#[track_caller]
fn close(what: &str, found: &[f32], exact: &[(f64, f64)], units: f64) -> f64 {
    assert_eq!(found.len(), exact.len(), "{what}");
    let mut most = 0.0f64;
    for (index, (&found, &(exact, size))) in found.iter().zip(exact).enumerate() {
        let off = (f64::from(found) - exact).abs();
        let bound = units * 1.001 * bounds::U * size + bounds::TINY;
        assert!(
            off <= bound || (found.is_nan() && exact.is_nan()),
            "{what}: element {index} is {found:e}, not {exact:e}: off by {off:e}, and {bound:e} is allowed"
        );
        most = most.max(if size > 0.0 { off / (bounds::U * size) } else { 0.0 });
    }
    most
}

#[track_caller]
fn same(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let is_same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
        assert!(is_same, "{what}: element {index} is {found:e}, not {expected:e}");
    }
}

/// A weight's parts as our own encoder makes them.
struct Encoded {
    format: Format,
    shape: Vec<u64>,
    parts: Parts,
}

impl Encoded {
    fn new(format: Format, shape: &[usize], values: &[f32]) -> Encoded {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let shape: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
        let (parts, _) =
            support::encode(&Reference, &format, &shape, DType::F32, &bytes, 1 << 20, false).unwrap();
        Encoded { format, shape, parts }
    }

    fn weight(&self) -> Weight<'_> {
        let part = |role| self.parts.get(&role).map(Vec::as_slice);
        Weight::new(&self.format, &self.shape, DType::F32, part).unwrap()
    }

    fn decoded(&self) -> Vec<f32> {
        let weight = self.weight();
        let mut values = vec![0.0; weight.rows() * weight.columns()];
        weight.decode(cpu(), 0..weight.rows(), &mut values).unwrap();
        values
    }
}

/// Formats that can hold a tensor of this shape.
fn formats_of(shape: &[usize]) -> Vec<Format> {
    let mut all = vec![Format::Keep];
    for to in [DType::F16, DType::Bf16, DType::F8E4M3, DType::F8E5M2] {
        all.push(Format::Cast(Cast::new(to, false).unwrap()));
    }
    for bits in [IntBits::Eight, IntBits::Four] {
        for symmetric in [true, false] {
            let channels = [Per::Channel { axis: 0 }, Per::Channel { axis: 1 }];
            for per in
                [Per::Tensor, Per::Block(64), Per::Block(32), Per::Block(20)].into_iter().chain(channels)
            {
                all.push(Format::Int(Int { per, symmetric, ..Int::new(bits) }));
            }
        }
    }
    let half =
        Int { scale: ScaleDType::F16, pack: Pack::High, per: Per::Block(128), ..Int::new(IntBits::Four) };
    all.push(Format::Int(half));
    for kind in [Code4Kind::Nf4, Code4Kind::Fp4] {
        for (block, double) in [(64, false), (64, true), (128, true), (256, false)] {
            all.push(Format::Code4(Code4 { kind, block, double }));
        }
    }
    let shape: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
    all.into_iter().filter(|format| format.layout(&shape, DType::F32).is_ok()).collect()
}
