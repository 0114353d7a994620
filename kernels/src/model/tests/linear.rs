use super::{close, normal, on_threads, variants};
use crate::decode::Decoder;
use crate::format::{Cast, Code4, Code4Kind, Format, Int, IntBits, Pack, Per, ScaleDType};
use crate::model::{FEW, Weight, bounds, embed, linear, reference};
use crate::{DType, Encoder, Layout, Reference, Role};
use proptest::prelude::*;

/// A weight's parts as our own encoder makes them.
struct Encoded {
    format: Format,
    shape: Vec<u64>,
    source: DType,
    layout: Layout,
    parts: Vec<(Role, Vec<u8>)>,
}

fn encode(format: Format, shape: &[u64], values: &[f32]) -> Encoded {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let layout = format.layout(shape, DType::F32).unwrap();
    let mut parts: Vec<(Role, Vec<u8>)> =
        layout.parts.iter().map(|part| (part.role, vec![0; part.bytes as usize])).collect();
    let mut encoder = Encoder::new(&format, shape, DType::F32, 1 << 20).unwrap();
    let chunks: Vec<(u64, u64)> = encoder.chunks().collect();
    let piece = |start: u64, elements: u64| &bytes[start as usize * 4..(start + elements) as usize * 4];
    while encoder.needs_scan() {
        let mut scan = encoder.new_scan();
        for &(start, elements) in &chunks {
            encoder.scan(&Reference, start, piece(start, elements), &mut scan).unwrap();
        }
        encoder.absorb(scan).unwrap();
    }
    let (mut pieces, mut deferred) = (Vec::new(), Vec::new());
    for &(start, elements) in &chunks {
        let range = encoder.main_range(start, elements);
        let main = &mut parts[0].1[range.start as usize..range.end as usize];
        let encoded = encoder.encode(&Reference, start, piece(start, elements), main, false).unwrap();
        pieces.extend(encoded.pieces);
        deferred.extend(encoded.deferred);
    }
    pieces.extend(encoder.finish(&Reference, &deferred).unwrap());
    for piece in pieces {
        let (_, bytes) = parts.iter_mut().find(|(role, _)| *role == piece.role).unwrap();
        bytes[piece.offset as usize..][..piece.bytes.len()].copy_from_slice(&piece.bytes);
    }
    Encoded { format, shape: shape.to_vec(), source: DType::F32, layout, parts }
}

impl Encoded {
    fn part(&self, role: Role) -> Option<&[u8]> {
        self.parts.iter().find(|(found, _)| *found == role).map(|(_, bytes)| bytes.as_slice())
    }

    fn weight(&self) -> Weight<'_> {
        Weight::new(&self.format, &self.shape, self.source, |role| self.part(role)).unwrap()
    }

    /// What the oracle of storage formats reads.
    fn decoded(&self) -> Vec<f32> {
        let decoder = Decoder::new(&self.format, &self.shape, self.source, |role| self.part(role)).unwrap();
        let elements = self.layout.elements as usize;
        if elements == 0 {
            return Vec::new();
        }
        let mut bytes = vec![0; elements * 4];
        let main = &self.parts[0].1;
        decoder.decode(&Reference, 0, elements, main, DType::F32, &mut bytes).unwrap();
        bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
    }
}

fn formats() -> Vec<Format> {
    let mut all = vec![Format::Keep];
    for to in [DType::F16, DType::Bf16, DType::F8E4M3] {
        all.push(Format::Cast(Cast::new(to, false).unwrap()));
    }
    for bits in [IntBits::Eight, IntBits::Four] {
        for symmetric in [true, false] {
            for per in [
                Per::Tensor,
                Per::Channel { axis: 0 },
                Per::Channel { axis: 1 },
                Per::Block(64),
                Per::Block(32),
            ] {
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
    all
}

/// Those that can hold such a tensor.
fn formats_of(shape: &[u64]) -> Vec<Format> {
    formats().into_iter().filter(|format| format.layout(shape, DType::F32).is_ok()).collect()
}

fn check(format: Format, rows: usize, columns: usize, tokens: usize, seed: u64) {
    if format.layout(&[rows as u64, columns as u64], DType::F32).is_err() {
        return;
    }
    let encoded = encode(format, &[rows as u64, columns as u64], &normal(seed, rows * columns));
    let (weight, decoded) = (encoded.weight(), encoded.decoded());
    let (x, bias) = (normal(seed + 1, tokens * columns), normal(seed + 2, rows));
    let what = format!("{format} [{rows}, {columns}] × {tokens}");
    for bias in [None, Some(bias.as_slice())] {
        let exact = if columns == 0 {
            (0..tokens * rows).map(|at| bias.map_or((0.0, 0.0), |b| (f64::from(b[at % rows]), 1.0))).collect()
        } else {
            reference::sized(|of| reference::linear(columns, &of(&x), &of(&decoded), bias.map(of).as_deref()))
                .unwrap()
        };
        for cpu in variants() {
            let y = on_threads(|| {
                let mut y = vec![f32::NAN; tokens * rows];
                linear(&cpu, tokens, &x, &weight, bias, &mut y).unwrap();
                y
            });
            close(&format!("{what} {cpu:?}"), &y, &exact, bounds::linear(tokens, columns));
        }
    }
    for cpu in variants() {
        let mut values = vec![f32::NAN; rows * columns];
        weight.decode(&cpu, 0..rows, &mut values).unwrap();
        assert_eq!(values, decoded, "{what} {cpu:?}");
    }
}

#[test]
fn every_format_agrees_with_the_reference() {
    for format in formats() {
        for (rows, columns) in
            [(3, 64), (5, 128), (2, 192), (70, 320), (7, 65), (3, 1), (1, 31), (2, 48), (4, 0), (0, 64)]
        {
            for tokens in [1, 3, 9] {
                check(format, rows, columns, tokens, 11);
            }
        }
    }
}

#[test]
fn long_rows_and_many_rows_on_many_threads() {
    for format in formats() {
        check(format, 130, 4096 + 64, 1, 5);
    }
    check(Format::Keep, 300, 1000, 16, 6);
}

/// Vectors of a short row reach into the rows behind, and beyond the last one.
#[test]
fn short_rows_in_many_pieces() {
    for format in formats() {
        for (rows, columns) in [(9000, 8), (700, 64), (700, 100)] {
            check(format, rows, columns, 1, 7);
        }
    }
}

#[test]
fn a_row_of_infinities_is_no_other_rows_business() {
    for columns in [1, 5, 8, 20, 70] {
        for to in [None, Some(DType::F16), Some(DType::Bf16)] {
            let format = to.map_or(Format::Keep, |to| Format::Cast(Cast::new(to, true).unwrap()));
            let clean = encode(format, &[3, columns], &normal(3, 3 * columns as usize));
            let mut bad = encode(format, &[3, columns], &normal(3, 3 * columns as usize));
            let bytes = &mut bad.parts[0].1;
            let row = bytes.len() / 3;
            let infinity: &[u8] = match to {
                None => &[0, 0, 0x80, 0x7f],
                Some(DType::F16) => &[0, 0x7c],
                _ => &[0x80, 0x7f],
            };
            bytes[row..2 * row].chunks_exact_mut(infinity.len()).for_each(|at| at.copy_from_slice(infinity));
            let x = vec![1.0; columns as usize];
            for cpu in variants() {
                let product = |weight: &Encoded| {
                    let mut y = vec![0.0; 3];
                    linear(&cpu, 1, &x, &weight.weight(), None, &mut y).unwrap();
                    y
                };
                let (y, expected) = (product(&bad), product(&clean));
                assert_eq!([y[0], y[1], y[2]], [expected[0], f32::INFINITY, expected[2]], "{columns} {to:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_shape_agrees_with_the_reference(
        which in 0usize..64,
        rows in 0usize..40,
        columns in 0usize..300,
        whole in any::<bool>(),
        tokens in 0usize..12,
        seed in 0u64..1000,
    ) {
        let formats = formats();
        let columns = if whole { columns / 64 * 64 } else { columns };
        check(formats[which % formats.len()], rows, columns, tokens, seed);
    }
}

#[test]
fn a_token_does_not_depend_on_the_others() {
    for format in formats_of(&[9, 192]) {
        let encoded = encode(format, &[9, 192], &normal(3, 9 * 192));
        let x = normal(4, FEW * 192);
        for cpu in variants() {
            let mut all = vec![0.0; FEW * 9];
            linear(&cpu, FEW, &x, &encoded.weight(), None, &mut all).unwrap();
            for (x, y) in x.chunks_exact(192).zip(all.chunks_exact(9)) {
                let mut alone = vec![0.0; 9];
                linear(&cpu, 1, x, &encoded.weight(), None, &mut alone).unwrap();
                assert_eq!(alone, y, "{format}");
            }
        }
    }
}

#[test]
fn stacked_experts_are_slices() {
    for format in [
        Format::Int(Int { per: Per::Channel { axis: 0 }, ..Int::new(IntBits::Four) }),
        formats()[28],
        Format::Keep,
    ] {
        let encoded = encode(format, &[4, 6, 64], &normal(3, 4 * 6 * 64));
        let decoded = encoded.decoded();
        for cpu in variants() {
            let expert = encoded.weight().slice(12..18).unwrap();
            let mut values = vec![0.0; 6 * 64];
            expert.decode(&cpu, 0..6, &mut values).unwrap();
            assert_eq!(values, decoded[12 * 64..18 * 64]);
            let x = normal(9, 64);
            let mut y = vec![0.0; 6];
            linear(&cpu, 1, &x, &expert, None, &mut y).unwrap();
            let exact = reference::sized(|of| reference::linear(64, &of(&x), &of(&values), None)).unwrap();
            close("expert", &y, &exact, bounds::linear(1, 64));
        }
        assert!(encoded.weight().slice(20..25).is_err());
    }
}

#[test]
fn nan_and_infinity_reach_their_own_token_only() {
    for format in formats() {
        let encoded = encode(format, &[5, 128], &normal(3, 5 * 128));
        for bad in [f32::NAN, f32::INFINITY] {
            for tokens in [2, 12] {
                let mut x = normal(4, tokens * 128);
                x[128 + 70] = bad;
                for cpu in variants() {
                    let mut y = vec![0.0; tokens * 5];
                    linear(&cpu, tokens, &x, &encoded.weight(), None, &mut y).unwrap();
                    for (token, y) in y.chunks_exact(5).enumerate() {
                        assert!(y.iter().all(|y| y.is_finite() == (token != 1)), "{format} {y:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn wrong_lengths_are_errors() {
    let cpu = &variants()[0];
    let values = normal(1, 12);
    let w = Weight::dense(&values, 3, 4).unwrap();
    assert!(Weight::dense(&values, 3, 5).is_err());
    assert!(Weight::dense(&values, usize::MAX, usize::MAX).is_err());
    assert!(linear(cpu, 2, &values[..7], &w, None, &mut [0.0; 6]).is_err());
    assert!(linear(cpu, 2, &values[..8], &w, None, &mut [0.0; 5]).is_err());
    assert!(linear(cpu, 2, &values[..8], &w, Some(&[0.0]), &mut [0.0; 6]).is_err());
    assert!(linear(cpu, usize::MAX, &values[..8], &w, None, &mut [0.0; 6]).is_err());
    let encoded = encode(formats()[20], &[3, 64], &normal(3, 192));
    for missing in encoded.parts.iter().map(|(role, _)| *role) {
        let part = |role| encoded.part(role).filter(|_| role != missing);
        let weight = Weight::new(&encoded.format, &encoded.shape, encoded.source, part);
        // a codebook is the format's own
        assert_eq!(weight.is_err(), !matches!(missing, Role::QuantMap | Role::NestedQuantMap), "{missing}");
        let short = |role| encoded.part(role).map(|part| if role == missing { &part[1..] } else { part });
        let weight = Weight::new(&encoded.format, &encoded.shape, encoded.source, short);
        assert_eq!(weight.is_err(), !matches!(missing, Role::QuantMap | Role::NestedQuantMap), "{missing}");
    }
    let whole = Weight::new(&Format::Keep, &[1], DType::I8, |_| Some(&[1]));
    assert_eq!(whole.unwrap_err().to_string(), "a weight is of floats, and this one is i8");
    assert!(Weight::new(&Format::Drop, &[1], DType::F32, |_| None).is_err());
}

#[test]
fn embeddings_are_decoded_rows() {
    for format in formats_of(&[50, 96]) {
        let encoded = encode(format, &[50, 96], &normal(3, 50 * 96));
        let decoded = encoded.decoded();
        let ids: Vec<u32> = (0..4000).map(|token| token * 7 % 50).collect();
        for cpu in variants() {
            let y = on_threads(|| {
                let mut y = vec![f32::NAN; ids.len() * 96];
                embed(&cpu, &ids, &encoded.weight(), &mut y).unwrap();
                y
            });
            for (id, y) in ids.iter().zip(y.chunks_exact(96)) {
                assert_eq!(y, &decoded[*id as usize * 96..][..96], "{format}");
            }
            let error = embed(&cpu, &[1, 50], &encoded.weight(), &mut [0.0; 192]).unwrap_err();
            assert_eq!(error.to_string(), "token id 50 at position 1 is not below 50");
        }
    }
}
