use super::super::{TorchValue, TorchWeight, embed};
use super::{near, normal, runtime};
use crate::format::{Cast, Code4, Code4Kind, Format, Int, IntBits, Pack, Per, ScaleDType};
use crate::model::Weight;
use crate::{Cpu, DType, Encoder, Reference, Role};

/// The parts that `format` makes of f32 values.
fn encode(format: &Format, shape: &[u64], values: &[f32]) -> Vec<(Role, Vec<u8>)> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let layout = format.layout(shape, DType::F32).unwrap();
    let mut parts: Vec<(Role, Vec<u8>)> =
        layout.parts.iter().map(|part| (part.role, vec![0; part.bytes as usize])).collect();
    let mut encoder = Encoder::new(format, shape, DType::F32, 1 << 20).unwrap();
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
    parts
}

fn formats(shape: &[u64]) -> Vec<Format> {
    let mut all: Vec<Format> = vec![Format::Keep];
    for to in [DType::F16, DType::Bf16, DType::F8E4M3, DType::F8E5M2] {
        all.push(Format::Cast(Cast::new(to, true).unwrap()));
    }
    for bits in [IntBits::Eight, IntBits::Four] {
        let mut pers = vec![Per::Tensor];
        pers.extend((0..shape.len() as u32).map(|axis| Per::Channel { axis }));
        if shape.last().is_some_and(|n| n % 4 == 0) {
            pers.push(Per::Block(4));
        }
        for per in pers {
            for symmetric in [true, false] {
                let scale = if symmetric { ScaleDType::F32 } else { ScaleDType::F16 };
                let pack = if symmetric { Pack::Low } else { Pack::High };
                all.push(Format::Int(Int { per, symmetric, scale, pack, ..Int::new(bits) }));
            }
        }
    }
    for kind in [Code4Kind::Nf4, Code4Kind::Fp4] {
        for (block, double) in [(64, false), (64, true)] {
            all.push(Format::Code4(Code4 { kind, block, double }));
        }
    }
    all
}

#[test]
fn weights_are_decoded_to_the_bits_of_the_native_ones() {
    let (runtime, cpu) = (runtime(), Cpu::detect().unwrap());
    for shape in [&[12u64][..], &[5, 7], &[9, 8], &[3, 64], &[2, 3, 4], &[3, 5, 3], &[40, 96]] {
        let values = normal(7, shape.iter().product::<u64>() as usize);
        for format in formats(shape) {
            let what = format!("{format} of {shape:?}");
            let parts = encode(&format, shape, &values);
            let part = |role: Role| parts.iter().find(|(r, _)| *r == role).map(|(_, b)| b.as_slice());
            let native = Weight::new(&format, shape, DType::F32, part).unwrap();
            let mut expected = vec![0.0; values.len()];
            native.decode(cpu, 0..native.rows(), &mut expected).unwrap();
            let weight = TorchWeight::stored(&runtime, &format, shape, DType::F32, part).unwrap();
            assert_eq!(weight.dense(&runtime).unwrap().to_floats().unwrap(), expected, "{what}");
            assert_eq!(weight.shape().len(), shape.len());
            let (rows, columns) = (native.rows(), native.columns());
            for range in [0..1, rows / 2..rows, rows - 1..rows, 0..0] {
                let slice = weight.slice(&runtime, range.clone()).unwrap().dense(&runtime).unwrap();
                let own = &expected[range.start * columns..range.end * columns];
                assert_eq!(slice.to_floats().unwrap(), own, "{what}, rows {range:?}");
            }
            let numbers: Vec<u32> = [rows - 1, 0, rows / 2, rows - 1].map(|n| n as u32).to_vec();
            let ids = TorchValue::ids(&runtime, &[2, 2], &numbers).unwrap();
            let found = embed(&runtime, &ids, &weight).unwrap();
            assert_eq!(found.shape(), [2, 2, columns], "{what}");
            let own = numbers
                .iter()
                .flat_map(|n| expected[*n as usize * columns..(*n as usize + 1) * columns].iter().copied());
            assert_eq!(found.to_floats().unwrap(), own.collect::<Vec<f32>>(), "{what}");
        }
    }
}

#[test]
fn weights_stay_as_they_are_stored() {
    let runtime = runtime();
    let shape = [64, 256];
    let format = Format::Code4(Code4 { kind: Code4Kind::Nf4, block: 64, double: true });
    let parts = encode(&format, &shape, &normal(1, 64 * 256));
    let part = |role: Role| parts.iter().find(|(r, _)| *r == role).map(|(_, b)| b.as_slice());
    let weight = TorchWeight::stored(&runtime, &format, &shape, DType::F32, part).unwrap();
    // codes, absmax and what they are in, and the map of 1 KiB
    assert_eq!(weight.bytes(), 64 * 256 / 2 + 256 + 4 + 1024);
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let runtime = runtime();
    let format = Format::Int(Int::new(IntBits::Eight));
    let none = TorchWeight::stored(&runtime, &format, &[2, 2], DType::F32, |_| None);
    assert!(none.is_err());
    let short = TorchWeight::stored(&runtime, &format, &[2, 2], DType::F32, |_| Some(&[0; 3]));
    assert!(short.unwrap_err().to_string().contains("part of the weight"));
    let ids = TorchWeight::stored(&runtime, &Format::Keep, &[2], DType::I64, |_| Some(&[0; 16]));
    assert!(ids.is_err());
}

#[test]
fn rows_of_a_leaf_have_gradients() {
    let runtime = runtime();
    let table = super::leaf(3, &[4, 2]);
    let ids = TorchValue::ids(&runtime, &[1, 3], &[1, 3, 1]).unwrap();
    let rows = embed(&runtime, &ids, &TorchWeight::values(table.clone())).unwrap();
    rows.average().unwrap().backward().unwrap();
    let sixth = 1.0 / 6.0;
    let expected = [0.0, 0.0, 2.0 * sixth, 2.0 * sixth, 0.0, 0.0, sixth, sixth];
    near("rows", &table.gradient().unwrap().unwrap().to_floats().unwrap(), &expected, 1e-6);
}
