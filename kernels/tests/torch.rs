//! The plan on libtorch answers as the reference does, on the CPU and on CUDA where there is a device.

#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "support/page.rs"]
mod page;

use icpc_kernels::backend::{CastOp, KeepNOfMOp, Op};
use icpc_kernels::narrow::Narrow;
use icpc_kernels::torch::{Torch, TorchDevice};
use icpc_kernels::{Backend, DType, Reference, Source, conformance};
use rayon::prelude::*;

/// Every backend on libtorch that this machine has; says which one it has not.
fn backends() -> Vec<Torch> {
    let cuda =
        Torch::new(TorchDevice::Cuda(0)).map_err(|absent| eprintln!("cuda:0 is passed over: {absent}"));
    [Torch::cpu().unwrap()].into_iter().chain(cuda).collect()
}

#[test]
fn libtorch_agrees_with_the_reference() {
    for torch in backends() {
        match torch.device() {
            TorchDevice::Cpu => page::check(torch.name(), &conformance::table(&torch)),
            TorchDevice::Cuda(_) => match conformance::run(&[&torch]) {
                Ok(agreed) => println!("{}: {agreed} comparisons agree", torch.device()),
                Err(mismatch) => panic!("{mismatch}"),
            },
        }
    }
}

fn cast(backend: &dyn Backend, source: Source<'_>, to: DType, saturate: bool) -> Vec<u8> {
    let mut destination = vec![0; source.len() * to.width() as usize];
    let op = CastOp { source, start: 0, to, saturate, destination: &mut destination, stats: None };
    backend.run(Op::Cast(op)).unwrap();
    destination
}

#[test]
fn every_narrow_value_is_widened() {
    for torch in backends() {
        for dtype in [DType::F16, DType::Bf16, DType::F8E4M3, DType::F8E5M2] {
            let narrow = Narrow::of(dtype).unwrap();
            let patterns = (0..1u32 << (8 * dtype.width())).filter(|pattern| narrow.is_finite(*pattern));
            let bytes: Vec<u8> = patterns
                .flat_map(|pattern| pattern.to_le_bytes().into_iter().take(dtype.width() as usize))
                .collect();
            let source = Source::new(dtype, &bytes).unwrap();
            let (ours, theirs) =
                (cast(&Reference, source, DType::F32, false), cast(&torch, source, DType::F32, false));
            assert!(ours == theirs, "{dtype} on {}", torch.device());
        }
    }
}

/// Every value of the target, halfway to the next one, and the neighbours of both, with either sign.
#[test]
fn every_tie_of_a_narrow_type_is_rounded() {
    for torch in backends() {
        for to in [DType::F16, DType::Bf16, DType::F8E4M3, DType::F8E5M2] {
            let narrow = Narrow::of(to).unwrap();
            let mut singles = Vec::new();
            let mut doubles = Vec::new();
            for pattern in 0..narrow.largest() {
                let (value, next) = (f64::from(narrow.widen(pattern)), f64::from(narrow.widen(pattern + 1)));
                for at in [value, (value + next) / 2.0] {
                    for sign in [1.0, -1.0] {
                        let single = (at * sign) as f32;
                        singles.extend([single.next_down(), single, single.next_up()]);
                        doubles.extend([(at * sign).next_down(), at * sign, (at * sign).next_up()]);
                    }
                }
            }
            let singles: Vec<u8> = singles.into_iter().flat_map(f32::to_le_bytes).collect();
            let doubles: Vec<u8> = doubles.into_iter().flat_map(f64::to_le_bytes).collect();
            for (dtype, bytes) in [(DType::F32, singles), (DType::F64, doubles)] {
                let source = Source::new(dtype, &bytes).unwrap();
                let (ours, theirs) = (cast(&Reference, source, to, false), cast(&torch, source, to, false));
                assert!(ours == theirs, "{dtype} to {to} on {}", torch.device());
            }
        }
    }
}

#[test]
fn a_spread_of_all_f32_is_rounded() {
    let bits = (0..=u32::MAX).step_by(4093).filter(|bits| f32::from_bits(*bits).is_finite());
    let bytes: Vec<u8> = bits.flat_map(u32::to_le_bytes).collect();
    let source = Source::new(DType::F32, &bytes).unwrap();
    for torch in backends() {
        for to in [DType::F16, DType::Bf16, DType::F8E4M3, DType::F8E5M2] {
            let (ours, theirs) = (cast(&Reference, source, to, true), cast(&torch, source, to, true));
            assert!(ours == theirs, "{to} on {}", torch.device());
        }
    }
}

/// Rows that are too long to be ranked by pairs, with many equal magnitudes.
#[test]
fn long_groups_keep_their_largest() {
    let keep = |backend: &dyn Backend, dtype: DType, n: usize, m: usize| {
        let mut bytes = conformance::elements(dtype, "ties", 4 * m);
        let mut zeroed = 0;
        let op = KeepNOfMOp { dtype, bytes: &mut bytes, start: 0, n, m, zeroed: &mut zeroed };
        backend.run(Op::KeepNOfM(op)).unwrap();
        (bytes, zeroed)
    };
    for torch in backends() {
        for dtype in [DType::F32, DType::F64, DType::Bf16, DType::F8E4M3] {
            for (n, m) in [(0, 40), (17, 40), (8, 33), (100, 1000), (16, 32)] {
                let (ours, theirs) = (keep(&Reference, dtype, n, m), keep(&torch, dtype, n, m));
                assert!(ours == theirs, "{n} of {m} of {dtype} on {}", torch.device());
            }
        }
    }
}

/// Borrowed bytes may begin anywhere.
#[test]
fn bytes_at_any_alignment_are_read() {
    let bytes = conformance::elements(DType::F64, "normal", 100);
    for torch in backends() {
        for shift in 0..8 {
            let mut moved = vec![0; shift];
            moved.extend(&bytes);
            let source = Source::new(DType::F64, &moved[shift..]).unwrap();
            assert!(cast(&torch, source, DType::F16, false) == cast(&Reference, source, DType::F16, false));
        }
    }
}

/// Callers are parallel, with threads of their own.
#[test]
fn threads_share_a_backend() {
    let bytes = conformance::elements(DType::F32, "normal", 70_000);
    for torch in backends() {
        let source = Source::new(DType::F32, &bytes).unwrap();
        let wanted = cast(&Reference, source, DType::Bf16, false);
        let all: Vec<Vec<u8>> =
            (0..16).into_par_iter().map(|_| cast(&torch, source, DType::Bf16, false)).collect();
        assert!(all.iter().all(|found| *found == wanted));
    }
}

#[test]
fn a_device_that_is_not_there_is_said_to_be_absent() {
    let absent = Torch::new(TorchDevice::Cuda(99)).unwrap_err();
    assert!(!absent.what.is_empty() && !absent.remedy.is_empty(), "{absent}");
    println!("{absent}");
}
