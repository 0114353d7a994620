//! PyTorch files made byte by byte: values as pickle opcodes, members as zip or legacy containers.

use std::io::{Cursor, Write};
use std::path::Path;

use icpc::checkpoint::source::Memory;
use icpc::checkpoint::{CheckpointError, Schema, open_in};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Opcodes that leave one value on the stack.
pub(crate) type Code = Vec<u8>;

pub(crate) fn cat(parts: &[&[u8]]) -> Code {
    parts.concat()
}

pub(crate) fn text(value: &str) -> Code {
    cat(&[b"X", &(value.len() as u32).to_le_bytes(), value.as_bytes()])
}

pub(crate) fn int(value: i64) -> Code {
    match u8::try_from(value) {
        Ok(small) => vec![b'K', small],
        Err(_) => cat(&[&[0x8a, 8], &value.to_le_bytes()]),
    }
}

pub(crate) fn float(value: f64) -> Code {
    cat(&[b"G", &value.to_be_bytes()])
}

pub(crate) fn none() -> Code {
    b"N".to_vec()
}

pub(crate) fn tuple(items: &[Code]) -> Code {
    cat(&[b"(", &items.concat(), b"t"])
}

pub(crate) fn list(items: &[Code]) -> Code {
    cat(&[b"](", &items.concat(), b"e"])
}

pub(crate) fn dict(items: &[(&str, Code)]) -> Code {
    cat(&[b"}", &set(items)])
}

/// `SETITEMS` for the value below.
pub(crate) fn set(items: &[(&str, Code)]) -> Code {
    let items: Code = items.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    cat(&[b"(", &items, b"u"])
}

pub(crate) fn global(name: &str) -> Code {
    let (module, name) = name.rsplit_once('.').unwrap();
    format!("c{module}\n{name}\n").into_bytes()
}

pub(crate) fn call(name: &str, args: &[Code]) -> Code {
    cat(&[&global(name), &tuple(args), b"R"])
}

/// An ordered dict, as `state_dict` gives it, with the `_metadata` that BUILD adds.
pub(crate) fn ordered(items: &[(&str, Code)]) -> Code {
    let metadata = dict(&[("_metadata", call("collections.OrderedDict", &[]))]);
    cat(&[&call("collections.OrderedDict", &[]), &set(items), &metadata, b"b"])
}

/// An instance of a class that nobody here has.
pub(crate) fn instance(class: &str, state: Code) -> Code {
    cat(&[&global(class), b")\x81", &state, b"b"])
}

pub(crate) fn numbers(values: &[i64]) -> Code {
    tuple(&values.iter().map(|v| int(*v)).collect::<Vec<_>>())
}

pub(crate) fn storage(class: &str, key: &str, location: &str, count: i64) -> Code {
    let id =
        tuple(&[text("storage"), global(&format!("torch.{class}")), text(key), text(location), int(count)]);
    cat(&[&id, b"Q"])
}

/// `_rebuild_tensor_v2` over `storage`.
pub(crate) fn view(storage: Code, offset: i64, size: &[i64], stride: &[i64]) -> Code {
    let hooks = call("collections.OrderedDict", &[]);
    let flag = vec![0x89];
    call(
        "torch._utils._rebuild_tensor_v2",
        &[storage, int(offset), numbers(size), numbers(stride), flag, hooks],
    )
}

/// A dense float32 tensor on the CPU.
pub(crate) fn f32s(key: &str, size: &[i64]) -> Code {
    let mut stride = vec![1; size.len()];
    for i in (1..size.len()).rev() {
        stride[i - 1] = stride[i] * size[i];
    }
    view(storage("FloatStorage", key, "cpu", size.iter().product()), 0, size, &stride)
}

/// A finished pickle of protocol 2.
pub(crate) fn pickle(code: &[u8]) -> Vec<u8> {
    cat(&[b"\x80\x02", code, b"."])
}

/// A member of an archive: name, bytes, deflated or stored.
pub(crate) type Member<'a> = (&'a str, Vec<u8>, CompressionMethod);

pub(crate) fn stored(name: &str, bytes: Vec<u8>) -> Member<'_> {
    (name, bytes, CompressionMethod::Stored)
}

/// Storages of zeros, `data/0` onward, of so many bytes each.
pub(crate) fn zeros(root: &str, sizes: &[usize]) -> Vec<(String, Vec<u8>)> {
    sizes.iter().enumerate().map(|(i, n)| (format!("{root}/data/{i}"), vec![0; *n])).collect()
}

/// A zip archive, local headers complete.
pub(crate) fn archive(members: &[Member<'_>]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, method) in members {
        let options =
            SimpleFileOptions::default().compression_method(*method).large_file(bytes.len() % 2 == 1);
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The usual file: `root/data.pkl` of this value, byte order, and storages of zeros.
pub(crate) fn torch(root: &str, value: &[u8], storages: &[usize]) -> Vec<u8> {
    let storages = zeros(root, storages);
    let (pkl, order) = (format!("{root}/data.pkl"), format!("{root}/byteorder"));
    let mut members = vec![stored(&pkl, pickle(value)), stored(&order, b"little".to_vec())];
    members.extend(storages.iter().map(|(name, bytes)| stored(name, bytes.clone())));
    archive(&members)
}

/// The older container: five pickles, then storages as (key, elements, bytes).
pub(crate) fn legacy(value: &[u8], storages: &[(&str, u64, usize)]) -> Vec<u8> {
    let magic = cat(&[&[0x8a, 0x0a], &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]]);
    let system = dict(&[("protocol_version", int(1001)), ("little_endian", vec![0x88])]);
    let keys = list(&storages.iter().map(|(key, ..)| text(key)).collect::<Vec<_>>());
    let mut file: Vec<u8> =
        [magic, int(1001), system, value.to_vec(), keys].iter().flat_map(|c| pickle(c)).collect();
    for (_, count, bytes) in storages {
        file.extend_from_slice(&count.to_le_bytes());
        file.resize(file.len() + bytes, 0);
    }
    file
}

pub(crate) fn open(bytes: Vec<u8>) -> Result<Schema, CheckpointError> {
    let path = Path::new("run/best.pt");
    open_in(&Memory([(path.to_owned(), bytes)].into()), path)
}

pub(crate) fn error(bytes: Vec<u8>) -> String {
    open(bytes).unwrap_err().to_string()
}
