//! Weights through the reader: dense, strided, and from a file that changes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;

use icpc::checkpoint::{ErrorKind, Schema, TensorReader, open};

/// A safetensors file with one `u16 [3, 4]` tensor of the values 0..12.
fn file() -> Vec<u8> {
    let json = r#"{"w":{"dtype":"U16","shape":[3,4],"data_offsets":[0,24]}}"#;
    let values: Vec<u8> = (0..12u16).flat_map(u16::to_le_bytes).collect();
    [&(json.len() as u64).to_le_bytes(), json.as_bytes(), &values].concat()
}

fn read(reader: &TensorReader, schema: &Schema, start: u64, count: usize) -> Vec<u16> {
    let mut buffer = vec![0; count * 2];
    reader.read_at(&schema.tensors[0], start, &mut buffer).unwrap();
    buffer.as_chunks().0.iter().map(|b| u16::from_le_bytes(*b)).collect()
}

#[test]
fn elements_come_in_row_major_order_from_any_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    fs::write(&path, file()).unwrap();
    let mut schema = open(&path).unwrap();
    let reader = TensorReader::open(&path, &schema).unwrap();
    assert_eq!(read(&reader, &schema, 5, 3), [5, 6, 7]);
    // The same bytes as a transposed view.
    schema.tensors[0].shape = schema.tensors[0].shape.0.iter().rev().copied().collect::<Vec<_>>().into();
    schema.tensors[0].place.as_mut().unwrap().strides = Some([1, 4].into());
    assert_eq!(read(&reader, &schema, 0, 12), [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
    assert_eq!(read(&reader, &schema, 4, 3), [5, 9, 2]);
    // Through the folder, and from two threads.
    let reader = TensorReader::open(folder.path(), &schema).unwrap();
    std::thread::scope(|scope| {
        let one = scope.spawn(|| read(&reader, &schema, 0, 6));
        let two = scope.spawn(|| read(&reader, &schema, 6, 6));
        assert_eq!(
            (one.join().unwrap(), two.join().unwrap()),
            (vec![0, 4, 8, 1, 5, 9], vec![2, 6, 10, 3, 7, 11])
        );
    });
    let beyond = reader.read_at(&schema.tensors[0], 11, &mut [0; 4]).unwrap_err();
    assert!(
        beyond.to_string().ends_with("tensor `w`: 4 bytes from element 11 reach beyond its end"),
        "{beyond}"
    );
}

#[test]
fn a_file_that_changes_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    fs::write(&path, file()).unwrap();
    let schema = open(&path).unwrap();
    let reader = TensorReader::open(&path, &schema).unwrap();
    reader.check_unchanged().unwrap();
    fs::write(&path, &file()[..80]).unwrap();
    let shorter = reader.read_at(&schema.tensors[0], 0, &mut [0; 24]).unwrap_err();
    assert_eq!(shorter.kind, ErrorKind::Changed);
    let tail = |error: icpc::checkpoint::CheckpointError| {
        error.to_string().split("m.safetensors: ").last().unwrap().to_owned()
    };
    insta::assert_snapshot!(tail(shorter), @"tensor `w`: the checkpoint changed under the run: it is shorter than its header said; start again once nothing writes to it");
    insta::assert_snapshot!(tail(reader.check_unchanged().unwrap_err()), @"the checkpoint changed under the run: 89 bytes became 80; start again once nothing writes to it");
    insta::assert_snapshot!(tail(TensorReader::open(&path, &schema).unwrap_err()), @"the checkpoint changed under the run: 89 bytes became 80; start again once nothing writes to it");
    // The same size at another time.
    fs::write(&path, file()).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
    fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    insta::assert_snapshot!(tail(TensorReader::open(&path, &schema).unwrap_err()), @"the checkpoint changed under the run: it was written to since its header was read; start again once nothing writes to it");
    fs::remove_file(&path).unwrap();
    insta::assert_snapshot!(tail(TensorReader::open(&path, &schema).unwrap_err()), @"no such file or folder");
}

#[test]
fn a_listing_has_no_weights() {
    let schema = icpc::checkpoint::parse_listing("l", "w f32 [2]").unwrap();
    let reader = TensorReader::open("l".as_ref(), &schema).unwrap();
    insta::assert_snapshot!(reader.read_at(&schema.tensors[0], 0, &mut [0; 8]).unwrap_err(), @"tensor `w`: it is from a listing, which has no weights");
}
