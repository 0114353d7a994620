//! Expected bytes that were computed apart from this crate (exact rational and f64 arithmetic, each step rounded to f32 once),
//! so that the formats are pinned on machines without the bench data.

#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(missing_docs, unreachable_pub, dead_code)]
mod support;

use icpc_kernels::format::{Clip, Code4, Code4Kind, Format, Int, IntBits};
use icpc_kernels::{Backend, Cpu, DType, Percentile, Role};
use support::encode;

const ABSMAX: &str = "cdcc4c3d3333333f295c8f3e";
const NF4: &str = "04c16729f3b05d17e29f3c05d18e2af4c16e18e3b05d17e29f3b05d18e2af4c17957a6846057958a6846957a58a68479 \
     57a6846957958a6846957a58a6847957f2b7";
const FP4: &str = "bf5a90a63c4be5a02d63c4be2a12d73f5a92a63d4bf5a92d63c4be5a12d73c5b96e17e1f9bf96e17e6f96e17e17e6f96 \
     e17e1f96f96e17e6f96f07e17e6f96e13a40";
const INT8: &str = "f7fe04f9ff00fb0108fc03f7fe05f90007fb0209fd04f8ff05fa0107fc0209fd04f9ff06fa0108fc03f7fe05f90007fb \
     0208fd03f8ff05fa0007fb0209fd04f8fc17e9041ef00bdcf781e4ff19eb0621f20ddff914e6011ced0823f40fe1fc16 \
     e8031eef0adcf711e3fe19ea0520f10cdef914e5001bec0722f40fe0fb16e70233e211";
const INT4: &str = "0000000000000000000000000000000000000000000000000000000000000000100ff2e1900ef1201f0ef1200ff2e110 \
     0ff2e11f0ef1201f0ef1100ff2e1100fe301";
const INT8_ASYMMETRIC: &str = "a9b3bcacb5b6aeb8c1b1baaab3bdacb6c0afb9c2b2bbabb4beadb7c0b0b9c3b2bcabb5bfaeb8c1b1baaab3bdacb6bfaf \
     b8c2b1bbaab4beadb7c0afb9c3b2bcabb1d795bbe29fc683aa008db4da98bee5a2c986add391b7de9bc1e8a5cc89b0d6 \
     94bae19ec582a8cf8cb3d997bde4a1c885acd28fb6dd9ac0e7a4cb88afd593b9ff8ace";

/// 131 values: two blocks of 64 and one of 3.
fn input() -> Vec<u8> {
    let value = |index: i32| match index {
        5 => 0.0,
        73 => -0.7f32,
        _ => (f64::from((index * 37) % 101 - 50) / 1000.0 * f64::from(1 + index / 64 * 3)) as f32,
    };
    (0..131).flat_map(|index| value(index).to_le_bytes()).collect()
}

fn check(format: Format, expected: &[(Role, &str)]) {
    for cpu in Cpu::variants() {
        let (parts, stats) = encode(&cpu, &format, &[131], DType::F32, &input(), 1 << 20, false).unwrap();
        for (role, hex) in expected {
            let found: String = parts[role].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, hex.replace(char::is_whitespace, ""), "{format} on {}: {role}", cpu.name());
        }
        assert_eq!(stats.elements, 131);
    }
}

#[test]
fn codebooks() {
    for (kind, codes) in [(Code4Kind::Nf4, NF4), (Code4Kind::Fp4, FP4)] {
        check(Format::Code4(Code4::new(kind)), &[(Role::Codes, codes), (Role::Absmax, ABSMAX)]);
    }
    check(
        Format::Code4(Code4 { double: true, ..Code4::new(Code4Kind::Nf4) }),
        &[
            (Role::Codes, NF4),
            (Role::Absmax, "0cff3a"),
            (Role::NestedAbsmax, "039db63e"),
            (Role::NestedOffset, "63c9af3e"),
        ],
    );
}

#[test]
fn integers() {
    let int8 = Int::new(IntBits::Eight);
    check(Format::Int(int8), &[(Role::Codes, INT8), (Role::Scales, "6c9cb43b")]);
    check(Format::Int(Int::new(IntBits::Four)), &[(Role::Codes, INT4), (Role::Scales, "cdcccc3d")]);
    check(
        Format::Int(Int { symmetric: false, ..int8 }),
        &[(Role::Codes, INT8_ASYMMETRIC), (Role::Scales, "25dd7b3b"), (Role::ZeroPoints, "b6")],
    );
    let clip = Clip::Percentile(Percentile::from_percent("90").unwrap());
    check(Format::Int(Int { clip, ..int8 }), &[(Role::Scales, "f762ad3a")]);
    let (_, stats) = encode(
        &Cpu::variants()[0],
        &Format::Int(Int { clip, ..int8 }),
        &[131],
        DType::F32,
        &input(),
        1 << 20,
        false,
    )
    .unwrap();
    assert_eq!(stats.clipped, 12);
}
