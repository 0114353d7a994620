//! Exact parts of every format, and the words of every refusal.

#![allow(clippy::unwrap_used, reason = "tests")]

use icpc_kernels::format::{Cast, Clip, Code4, Code4Kind, Format, Int, IntBits, Per, ScaleDType};
use icpc_kernels::{DType, Percentile};

fn show(format: Format, shape: &[u64], source: DType) -> String {
    match format.layout(shape, source) {
        Ok(layout) => {
            let parts = layout.parts.iter().map(|part| {
                let shape: Vec<String> = part.shape.iter().map(u64::to_string).collect();
                format!("{} {} [{}] {}", part.role, part.dtype, shape.join(", "), part.bytes)
            });
            format!("{format}: {} bytes = {}", layout.bytes, parts.collect::<Vec<_>>().join(" + "))
        }
        Err(error) => format!("{format}: error: {error}"),
    }
}

#[test]
fn layouts_are_exact() {
    let int8 = Int::new(IntBits::Eight);
    let int4 = Int::new(IntBits::Four);
    let nf4 = Code4::new(Code4Kind::Nf4);
    let percentile = Clip::Percentile(Percentile::from_percent("99.99%").unwrap());
    let shape = &[128, 192][..];
    let lines = [
        show(Format::Keep, &[2, 3], DType::I64),
        show(Format::Drop, &[2, 3], DType::F32),
        show(Format::Cast(Cast::new(DType::F16, true).unwrap()), shape, DType::F32),
        show(Format::Int(int8), shape, DType::F32),
        show(
            Format::Int(Int { per: Per::Channel { axis: 1 }, clip: percentile, ..int8 }),
            shape,
            DType::Bf16,
        ),
        show(
            Format::Int(Int { per: Per::Block(64), scale: ScaleDType::F16, symmetric: false, ..int4 }),
            shape,
            DType::F32,
        ),
        show(Format::Int(int4), &[3, 33], DType::F32),
        show(Format::Int(int4), &[], DType::F32),
        show(Format::Code4(nf4), &[3, 33], DType::F32),
        show(Format::Code4(Code4 { double: true, ..nf4 }), &[512, 1024], DType::Bf16),
        show(Format::Code4(Code4 { double: true, ..nf4 }), &[0, 4], DType::Bf16),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    keep: 48 bytes = values i64 [2, 3] 48
    drop: 0 bytes = 
    fp16(saturate: true): 49152 bytes = values f16 [128, 192] 49152
    int8(per: tensor): 24580 bytes = codes i8 [128, 192] 24576 + scales f32 [] 4
    int8(per: channel, axis: 1, clip: percentile(99.99%)): 25344 bytes = codes i8 [128, 192] 24576 + scales f32 [192] 768
    int4(per: block 64, symmetric: false, scale: fp16): 13440 bytes = codes u8 [128, 96] 12288 + scales f16 [128, 3] 768 + zero_points u8 [128, 3] 384
    int4(per: tensor): 54 bytes = codes u8 [50] 50 + scales f32 [] 4
    int4(per: tensor): 5 bytes = codes u8 [1] 1 + scales f32 [] 4
    nf4(block: 64): 122 bytes = codes u8 [50, 1] 50 + absmax f32 [2] 8 + quant_map f32 [16] 64
    nf4(block: 64, double: true): 271556 bytes = codes u8 [262144, 1] 262144 + absmax u8 [8192] 8192 + quant_map f32 [16] 64 + nested_absmax f32 [32] 128 + nested_quant_map f32 [256] 1024 + nested_offset f32 [] 4
    nf4(block: 64, double: true): 1092 bytes = codes u8 [0, 1] 0 + absmax u8 [0] 0 + quant_map f32 [16] 64 + nested_absmax f32 [0] 0 + nested_quant_map f32 [256] 1024 + nested_offset f32 [] 4
    ");
}

#[test]
fn refusals_carry_their_numbers() {
    let int8 = Int::new(IntBits::Eight);
    let huge = &[u64::MAX / 2, 3][..];
    let lines = [
        show(Format::Int(int8), &[4], DType::I64),
        show(Format::Int(Int { per: Per::Block(48), ..int8 }), &[4, 100], DType::F32),
        show(Format::Int(Int { per: Per::Block(0), ..int8 }), &[4, 100], DType::F32),
        show(Format::Int(Int { per: Per::Block(48), ..int8 }), &[], DType::F32),
        show(Format::Int(Int { per: Per::Channel { axis: 2 }, ..int8 }), &[4, 100], DType::F32),
        show(Format::Int(Int { per: Per::Channel { axis: 0 }, ..int8 }), &[], DType::F32),
        show(Format::Code4(Code4 { block: 48, ..Code4::new(Code4Kind::Fp4) }), &[4], DType::F32),
        show(Format::Keep, huge, DType::F32),
        show(Format::Code4(Code4::new(Code4Kind::Nf4)), huge, DType::F32),
        show(Format::Keep, &[u64::MAX], DType::F32),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    int8(per: tensor): error: int8 holds floats, and the tensor stores i64
    int8(per: block 48): error: block 48 does not divide the last axis of 100: 4 left over
    int8(per: block 0): error: int8 has no block of 0: blocks have 1 or more elements
    int8(per: block 48): error: int8 needs 1 or more axes, and the tensor has 0
    int8(per: channel, axis: 2): error: axis 2 is out of range for a tensor of 2 axes
    int8(per: channel, axis: 0): error: int8 needs 1 or more axes, and the tensor has 0
    fp4(block: 48): error: fp4 has no block of 48: blocks are powers of two from 64 to 4096
    keep: error: the size of shape [9223372036854775807, 3] does not fit in 64 bits
    nf4(block: 64): error: the size of shape [9223372036854775807, 3] does not fit in 64 bits
    keep: error: the size of shape [18446744073709551615] does not fit in 64 bits
    ");
}

#[test]
fn percentiles_are_exact_decimals() {
    let shown = |text: &str| Percentile::from_percent(text).map(|percentile| percentile.to_string());
    assert_eq!(shown("99.99%"), Some("99.99%".to_owned()));
    assert_eq!(shown(" 100 % "), Some("100%".to_owned()));
    assert_eq!(shown("0.0000001"), Some("0.0000001%".to_owned()));
    for bad in ["", "0", "100.1", "1e2", "-1", "99.99999999", "9 9", "٣", ".5", "nan"] {
        assert_eq!(shown(bad), None, "{bad}");
    }
    let p = |text: &str| Percentile::from_percent(text).unwrap();
    assert!(p("99.99").cuts_nothing(9_999) && !p("99.99").cuts_nothing(10_000));
    assert!(p("100").cuts_nothing(u64::MAX));
    assert_eq!(p("50").position(4), (1, 0.5));
    assert_eq!(p("100").position(4), (3, 0.0));
    assert_eq!(Percentile::between(2.0, 3.0, 0.5), 2.5);
}
