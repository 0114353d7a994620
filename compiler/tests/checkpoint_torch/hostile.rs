//! PyTorch files that lie, attack or are merely broken.

use proptest::prelude::*;
use zip::CompressionMethod;

use crate::made::*;

/// A file with one tensor `w` made by this code, over one storage of eight bytes.
fn with_tensor(code: Code) -> Vec<u8> {
    torch("a", &dict(&[("w", code)]), &[8])
}

fn floats(count: i64) -> Code {
    storage("FloatStorage", "0", "cpu", count)
}

#[test]
fn a_pickle_that_would_run_code_is_shown_and_not_run() {
    let attack = call("os.system", &[text("touch /owned")]);
    let hidden = call("builtins.eval", &[text("1")]);
    let value = dict(&[("state_dict", dict(&[("w", f32s("0", &[2]))])), ("hook", attack), ("x", hidden)]);
    let schema = open(torch("a", &value, &[8])).unwrap();
    insta::assert_snapshot!(schema.listing_text(), @r#"
    w  f32 [2]
    entry hook = "os.system (opaque)"
    entry x = "builtins.eval (opaque)"
    "#);
}

#[test]
fn views_beyond_their_storage_are_refused() {
    insta::assert_snapshot!(error(with_tensor(view(floats(2), 1, &[2], &[1]))),
        @"run/best.pt: tensor `w`: it reaches to byte 12 of a storage of 8 bytes");
    insta::assert_snapshot!(error(with_tensor(view(floats(2), 0, &[2, 2], &[i64::MAX, 1]))),
        @"run/best.pt: tensor `w`: it reaches to byte 2^64 of a storage of 8 bytes");
    insta::assert_snapshot!(error(with_tensor(view(floats(2), 0, &[4_000_000_000, 4_000_000_000, 4_000_000_000], &[0, 0, 0]))),
        @"run/best.pt: tensor `w`: [4000000000, 4000000000, 4000000000] has more elements than 64 bits count");
    insta::assert_snapshot!(error(with_tensor(view(floats(2), 0, &[-1], &[1]))),
        @"run/best.pt: tensor `w`: its extents are no list of at most 64 integers from 0 up");
    insta::assert_snapshot!(error(with_tensor(view(floats(3), 0, &[2], &[1]))),
        @"run/best.pt: member `a/data/0`: it holds 8 bytes, the pickle says 12 (tensor `w`)");
    insta::assert_snapshot!(error(with_tensor(f32s("7", &[2]))),
        @"run/best.pt: member `a/data/7`: the archive lacks this storage (tensor `w`)");
    insta::assert_snapshot!(error(with_tensor(f32s("../../etc/passwd", &[2]))),
        @"run/best.pt: member `a/data/../../etc/passwd`: the archive lacks this storage (tensor `w`)");
}

#[test]
fn tensors_of_other_kinds_are_named() {
    insta::assert_snapshot!(error(with_tensor(call("torch._utils._rebuild_sparse_tensor", &[none()]))),
        @"run/best.pt: tensor `w`: it is rebuilt by `torch._utils._rebuild_sparse_tensor`, which is not read; save it as an ordinary strided tensor, or leave it out");
    insta::assert_snapshot!(error(with_tensor(call("torch._utils._rebuild_meta_tensor_no_storage", &[none()]))),
        @"run/best.pt: tensor `w`: it was saved from the meta device, without data");
    insta::assert_snapshot!(error(with_tensor(view(storage("QUInt4x2Storage", "0", "cpu", 2), 0, &[2], &[1]))),
        @"run/best.pt: tensor `w`: storages of class `torch.QUInt4x2Storage` are not read");
}

#[test]
fn containers_that_lie_are_refused() {
    let value = || pickle(&dict(&[("w", f32s("0", &[2]))]));
    let with = |extra: &[Member<'_>]| {
        let mut members = vec![stored("a/data.pkl", value()), stored("a/data/0", vec![0; 8])];
        members.extend_from_slice(extra);
        archive(&members)
    };
    insta::assert_snapshot!(error(with(&[stored("a/byteorder", b"big".to_vec())])),
        @"run/best.pt: its tensors have byte order `big`; save it again on a little-endian machine");
    insta::assert_snapshot!(error(with(&[stored("b/data.pkl", value())])),
        @"run/best.pt: both `a/data.pkl` and `b/data.pkl` could be its pickle");
    insta::assert_snapshot!(error(archive(&[stored("weights.npy", vec![1])])),
        @"run/best.pt: a zip archive without `data.pkl` is no PyTorch checkpoint");
    let deflated = ("a/data/0", vec![0; 8], CompressionMethod::Deflated);
    insta::assert_snapshot!(error(archive(&[stored("a/data.pkl", value()), deflated])),
        @"run/best.pt: member `a/data/0`: tensor data is compressed or encrypted (tensor `w`); load it and save it again with torch.save");
    let twice = String::from_utf8_lossy(&with(&[stored("a/data/1", vec![])])).contains("data/1");
    assert!(twice);
    // Rename `data/1` to `data/0` wherever it stands: two members of one name.
    let mut bytes = with(&[stored("a/data/1", vec![0; 8])]);
    for at in 0..bytes.len() - 8 {
        if &bytes[at..at + 8] == b"a/data/1" {
            bytes[at + 7] = b'0';
        }
    }
    insta::assert_snapshot!(error(bytes), @"run/best.pt: member `a/data/0`: two members of the archive have the same name");
    let good = with(&[]);
    insta::assert_snapshot!(error(good[..good.len() - 30].to_vec()),
        @"run/best.pt: the zip container is damaged: invalid Zip archive: Could not find EOCD; the file may have been cut off while it was copied");
    let mut moved = good.clone();
    // The local header of the storage loses its signature.
    let at = moved.windows(8).position(|w| w == b"a/data/0").unwrap() - 30;
    moved[at] = b'X';
    insta::assert_snapshot!(error(moved),
        @"run/best.pt: member `a/data/0`: it has no local header where the directory says (tensor `w`)");
}

#[test]
fn a_zip_bomb_is_stopped_at_the_limit() {
    let bomb = vec![b'N'; 200 << 20];
    let file = archive(&[("a/data.pkl", bomb, CompressionMethod::Deflated)]);
    assert!(file.len() < 1 << 20);
    insta::assert_snapshot!(error(file.clone()),
        @"run/best.pt: member `a/data.pkl`: it unpacks to 209715200 bytes or more, the limit is 134217728");
    // The same with a directory that says 1000 bytes.
    let mut lying = file;
    let directory = lying.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    lying[directory + 24..directory + 28].copy_from_slice(&1000u32.to_le_bytes());
    let message = error(lying);
    assert!(
        message.contains("member `a/data.pkl`: it unpacks to") || message.contains("does not unpack"),
        "{message}"
    );
}

#[test]
fn small_pickles_cannot_ask_for_much() {
    let file = |code: Vec<u8>| archive(&[stored("a/data.pkl", pickle(&code)), stored("a/data/0", vec![])]);
    // A list within a list, 200 times doubled: 2^200 paths to nothing.
    let mut laughs = b"]q\x00".to_vec();
    for _ in 0..200 {
        laughs.extend_from_slice(b"0(h\x00h\x00lq\x00");
    }
    insta::assert_snapshot!(open(file(dict(&[("w", f32s("0", &[0])), ("x", laughs.clone())]))).unwrap().listing_text(), @r#"
    w  f32 [0]
    entry x = "[[[[…], […]], [[…], […]]], [[[…], […]], [[…], […]]]]"
    "#);
    // The same with a tensor at the bottom.
    let mut tensors = cat(&[&f32s("0", &[1]), b"q\x00"]);
    for _ in 0..90 {
        tensors.extend_from_slice(b"0(h\x00h\x00lq\x00");
    }
    insta::assert_snapshot!(error(file(dict(&[("x", tensors)]))),
        @"run/best.pt: its dicts and lists unfold to more values than a reader visits");
    // A dict that holds itself.
    insta::assert_snapshot!(open(file(b"}q\x00X\x01\0\0\0ah\x00s".to_vec())).unwrap_err(),
        @"run/best.pt: dicts and lists nested deeper than 100");
    // A million lists, one in the other.
    let mut deep = vec![b']'; 1_000_000];
    deep.extend(std::iter::repeat_n(b'a', 999_999));
    assert!(open(file(dict(&[("w", f32s("0", &[0])), ("x", deep)]))).is_ok());
    insta::assert_snapshot!(error(file(b"r\xff\xff\xff\xff".to_vec())), @"run/best.pt: byte 2: an operation on an empty stack (member `a/data.pkl`)");
    insta::assert_snapshot!(error(file(b"Nr\xff\xff\xff\xff".to_vec())), @"run/best.pt: byte 3: a memo slot beyond the number of values (member `a/data.pkl`)");
    insta::assert_snapshot!(error(file(b"X\xff\xff\xff\x7f".to_vec())), @"run/best.pt: byte 7: the pickle ends at byte 8, 2147483647 bytes were to follow (member `a/data.pkl`)");
    insta::assert_snapshot!(error(file(b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff".to_vec())), @"run/best.pt: byte 11: the pickle ends at byte 12, 18446744073709551615 bytes were to follow (member `a/data.pkl`)");
    insta::assert_snapshot!(error(file(b"h\x07".to_vec())), @"run/best.pt: byte 2: memo slot 7 is empty (member `a/data.pkl`)");
    insta::assert_snapshot!(error(file(b"\xfe".to_vec())), @"run/best.pt: byte 2: 0xfe is no pickle opcode (member `a/data.pkl`)");
}

#[test]
fn two_names_and_overlapping_members_are_refused() {
    let value = cat(&[b"}", &set(&[("w", f32s("0", &[2])), ("w", f32s("0", &[2]))])]);
    insta::assert_snapshot!(error(torch("a", &value, &[8])), @"run/best.pt: tensor `w`: two of its entries have this name");
    let nested = dict(&[("a.b", f32s("0", &[2])), ("a", dict(&[("b", f32s("0", &[2]))]))]);
    insta::assert_snapshot!(error(torch("a", &nested, &[8])), @"run/best.pt: tensor `a.b`: two of its entries have this name");
    // The directory entry of `data/1` points at `data/0`.
    let both = dict(&[("w", f32s("0", &[2])), ("v", f32s("1", &[2]))]);
    let mut bytes = torch("a", &both, &[8, 8]);
    let directory = |bytes: &[u8], name: &[u8]| bytes.windows(8).rposition(|w| w == name).unwrap() - 46;
    let (first, second) = (directory(&bytes, b"a/data/0"), directory(&bytes, b"a/data/1"));
    let offset: [u8; 4] = bytes[first + 42..first + 46].try_into().unwrap();
    bytes[second + 42..second + 46].copy_from_slice(&offset);
    insta::assert_snapshot!(error(bytes), @"run/best.pt: member `data/1`: its bytes overlap those of storage `0`");
}

#[test]
fn older_containers_that_lie_are_refused() {
    let value = ordered(&[("w", f32s("9", &[2]))]);
    let file = |count: u64| legacy(&value, &[("9", count, 8)]);
    insta::assert_snapshot!(error(file(u64::MAX)), @"run/best.pt: key `9`: the storage says 18446744073709551615 elements at byte 315 of a file of 323 bytes");
    insta::assert_snapshot!(error(file(1)), @"run/best.pt: tensor `w`: storage `9` holds 4 bytes, the pickle says 8");
    let good = file(2);
    insta::assert_snapshot!(error(good[..good.len() - 1].to_vec()), @"run/best.pt: key `9`: the storage says 2 elements at byte 315 of a file of 322 bytes");
    insta::assert_snapshot!(error(good[..60].to_vec()), @"run/best.pt: byte 55: the pickle ends at byte 60, 8 bytes were to follow");
    let mut longer = good.clone();
    longer.extend_from_slice(b"tail");
    insta::assert_snapshot!(open(longer).unwrap().notes.join("\n"), @"4 bytes behind the last storage are not read");
    let mut tar = vec![0u8; 600];
    tar[257..262].copy_from_slice(b"ustar");
    insta::assert_snapshot!(error(tar), @"run/best.pt: a tar archive, the container of PyTorch before 0.1.10; load it and save it again with a current torch.save");
    insta::assert_snapshot!(error(pickle(&dict(&[]))), @"run/best.pt: a bare pickle without PyTorch's header; save the tensors with torch.save or as safetensors");
    insta::assert_snapshot!(error(vec![]), @"run/best.pt: the file is empty");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_pickles_are_read_or_refused(code in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = open(archive(&[stored("a/data.pkl", pickle(&code))]));
        let _ = open(legacy(&code, &[("0", 1, 4)]));
    }

    /// Bytes that are opcodes more often than chance has it.
    #[test]
    fn random_opcodes_are_read_or_refused(code in proptest::collection::vec(
        prop_oneof![
            proptest::sample::select(b"().0N]}Rtbsuaelodq2\x81\x85\x86\x87\x88\x93\x94\x8f\x90\x91hQ".to_vec()).prop_map(|b| vec![b]),
            Just(global("collections.OrderedDict")), Just(global("torch._utils._rebuild_tensor_v2")),
            Just(text("model_state_dict")), Just(f32s("0", &[2])), Just(vec![b'q', 0]), Just(vec![b'h', 0]), Just(int(1)),
        ], 0..60)) {
        let _ = open(torch("a", &code.concat(), &[8]));
    }

    #[test]
    fn mutated_files_are_read_or_refused(at in any::<usize>(), byte in any::<u8>(), cut in any::<Option<u16>>(), old in any::<bool>()) {
        let value = dict(&[("model_state_dict", ordered(&[("w", f32s("0", &[2])), ("v", f32s("1", &[3]))])), ("config", dict(&[("n", int(3))]))]);
        let mut bytes = if old { legacy(&value, &[("0", 2, 8), ("1", 3, 12)]) } else { torch("a", &value, &[8, 12]) };
        let len = bytes.len();
        bytes[at % len] = byte;
        if let Some(cut) = cut {
            bytes.truncate(usize::from(cut) % len + 1);
        }
        if let Ok(schema) = open(bytes.clone()) {
            for t in schema.tensors.iter().filter(|t| t.bytes > 0) {
                if let Some(place) = t.place.as_ref().filter(|p| p.strides.is_none()) {
                    prop_assert!(place.offset + t.bytes <= bytes.len() as u64);
                }
            }
        }
    }
}
