//! PyTorch checkpoints: everything that the Itera-Lite history contains, and what else PyTorch writes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod hostile;
mod made;

use made::*;
use zip::CompressionMethod;

#[test]
fn a_bare_state_dict_keeps_its_names_and_ties() {
    let value = ordered(&[
        ("embedding.weight", f32s("0", &[6, 4])),
        ("layers.0.norm.weight", f32s("1", &[4])),
        ("lm_head.weight", f32s("0", &[6, 4])),
    ]);
    let schema = open(torch("itera_lite_tiny", &value, &[96, 16])).unwrap();
    insta::assert_snapshot!(schema.listing_text(), @"
    embedding.weight      f32 [6, 4]
    layers.0.norm.weight  f32 [4]
    lm_head.weight        = embedding.weight
    ");
    assert_eq!(schema.tensor_bytes(), 96 + 16);
}

#[test]
fn the_weights_of_a_trainer_are_found_and_the_rest_is_told() {
    let moments = dict(&[("exp_avg", f32s("1", &[4])), ("exp_avg_sq", f32s("1", &[4]))]);
    let optimizer = dict(&[("state", cat(&[b"}", &int(0), &moments, b"s"])), ("param_groups", list(&[]))]);
    let value = dict(&[
        ("epoch", int(3)),
        ("model_state_dict", ordered(&[("norm.weight", f32s("0", &[4]))])),
        ("optimizer_state_dict", optimizer),
        ("losses", list(&[float(2.5), float(f64::NAN)])),
    ]);
    let schema = open(torch("best", &value, &[16, 16])).unwrap();
    insta::assert_snapshot!(schema.listing_text(), @r#"
    norm.weight  f32 [4]
    entry optimizer_state_dict = "2 tensors, left out"
    entry epoch = "3"
    entry losses = "[2.5, NaN]"
    note "2 tensors under `optimizer_state_dict` left out: not part of the weights"
    "#);
}

#[test]
fn dicts_within_dicts_and_integer_keys_become_segments() {
    let experts = cat(&[b"}", &int(0), &f32s("0", &[2]), b"s", &int(1), &f32s("1", &[2]), b"s"]);
    let value =
        dict(&[("model", dict(&[("encoder", dict(&[("experts", experts), ("scale", float(0.5))]))]))]);
    let schema = open(torch("nested", &value, &[8, 8])).unwrap();
    insta::assert_snapshot!(schema.listing_text(), @r#"
    encoder.experts.0  f32 [2]
    encoder.experts.1  f32 [2]
    entry encoder.scale = "0.5"
    "#);
}

#[test]
fn configurations_are_facts_whether_dict_or_unknown_class() {
    let fields = [("num_experts", int(4)), ("eps", float(1e-5)), ("moe_layers", list(&[int(1), int(3)]))];
    let weights = || ordered(&[("w", f32s("0", &[1]))]);
    let opaque = instance("models.config.IteraLiteConfig", dict(&fields));
    let schema =
        open(torch("a", &dict(&[("model_state_dict", weights()), ("config", opaque)]), &[4])).unwrap();
    insta::assert_snapshot!(schema.listing_text(), @r#"
    w  f32 [1]
    config num_experts = 4 from "entry config of best.pt"
    config eps = 1e-5 from "entry config of best.pt"
    config moe_layers.0 = 1 from "entry config of best.pt"
    config moe_layers.1 = 3 from "entry config of best.pt"
    entry config = "models.config.IteraLiteConfig (opaque)"
    entry config.num_experts = "4"
    entry config.eps = "1e-5"
    entry config.moe_layers = "[1, 3]"
    "#);
    let plain = dict(&[("model_state_dict", weights()), ("config", dict(&fields))]);
    assert_eq!(open(torch("a", &plain, &[4])).unwrap().config, schema.config);
}

#[test]
fn packed_quantised_parameters_are_two_tensors_and_a_dtype() {
    let scheme = tuple(&[global("torch.per_tensor_affine"), float(0.00084), int(0)]);
    let codes = storage("QInt8Storage", "0", "cpu", 8);
    let hooks = call("collections.OrderedDict", &[]);
    let weight = call(
        "torch._utils._rebuild_qtensor",
        &[codes, int(0), numbers(&[2, 4]), numbers(&[4, 1]), scheme, vec![0x89], hooks.clone()],
    );
    let bias = call("torch._utils._rebuild_parameter", &[f32s("1", &[2]), vec![0x88], hooks]);
    let value = ordered(&[
        ("fc.scale", f32s("2", &[])),
        ("fc._packed_params.dtype", global("torch.qint8")),
        ("fc._packed_params._packed_params", tuple(&[weight.clone(), bias])),
        ("gate._packed_params._packed_params", tuple(&[weight, none()])),
    ]);
    let schema = open(torch("int8", &value, &[8, 8, 4])).unwrap();
    insta::assert_snapshot!(schema.listing_text(), @r#"
    fc.scale                              f32 []
    fc._packed_params._packed_params.0    i8  [2, 4] quantized per_tensor_affine scales [0.00084] zeros [0]
    fc._packed_params._packed_params.1    f32 [2]
    gate._packed_params._packed_params.0  = fc._packed_params._packed_params.0
    entry fc._packed_params.dtype = "torch.qint8"
    entry gate._packed_params._packed_params.1 = "none"
    "#);
}

#[test]
fn scales_of_channels_are_read_from_their_storages() {
    let scales = view(storage("DoubleStorage", "1", "cpu", 2), 0, &[2], &[1]);
    let zeros = view(storage("LongStorage", "2", "cpu", 2), 0, &[2], &[1]);
    let scheme = tuple(&[global("torch.per_channel_affine"), scales, zeros, int(0)]);
    let codes = storage("QInt8Storage", "0", "cpu", 8);
    let weight = call(
        "torch._utils._rebuild_qtensor",
        &[codes, int(0), numbers(&[2, 4]), numbers(&[4, 1]), scheme, vec![0x89], none()],
    );
    let bytes = |values: [[u8; 8]; 2]| values.concat();
    let file = archive(&[
        stored("q/data.pkl", pickle(&dict(&[("w", weight)]))),
        stored("q/data/0", vec![0; 8]),
        stored("q/data/1", bytes([0.5f64.to_le_bytes(), 0.25f64.to_le_bytes()])),
        stored("q/data/2", bytes([3i64.to_le_bytes(), (-1i64).to_le_bytes()])),
    ]);
    insta::assert_snapshot!(open(file).unwrap().listing_text(), @"w  i8 [2, 4] quantized per_channel_affine axis 0 scales [0.5, 0.25] zeros [3, -1]");
}

#[test]
fn views_keep_offset_and_strides() {
    let whole = || storage("FloatStorage", "0", "cuda:0", 12);
    let value = ordered(&[
        ("whole", view(whole(), 0, &[3, 4], &[4, 1])),
        ("transposed", view(whole(), 0, &[4, 3], &[1, 4])),
        ("row", view(whole(), 8, &[4], &[1])),
        ("expanded", view(whole(), 2, &[5, 2], &[0, 1])),
        ("one", view(whole(), 11, &[1, 1], &[99, 7])),
        ("again", view(whole(), 0, &[3, 4], &[4, 1])),
    ]);
    let schema = open(torch("views", &value, &[48])).unwrap();
    let base = schema.tensors[0].place.as_ref().unwrap().offset;
    let shown: Vec<String> = schema
        .tensors
        .iter()
        .map(|t| {
            let place = t.place.as_ref().unwrap();
            let kept = t.tied_to.map(|kept| schema.tensors[kept as usize].name.as_str());
            format!("{} {} +{} {:?} {kept:?}", t.name, t.shape, place.offset - base, place.strides)
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    whole [3, 4] +0 None None
    transposed [4, 3] +0 Some([1, 4]) None
    row [4] +32 None None
    expanded [5, 2] +8 Some([0, 1]) None
    one [1, 1] +44 None None
    again [3, 4] +0 None Some("whole")
    "#);
    insta::assert_snapshot!(schema.notes.join("\n"), @"`transposed` and `whole` are views of overlapping bytes, and 3 more such pairs: each is kept whole");
}

#[test]
fn empty_tensors_have_empty_members_and_no_ties() {
    let empty = |key: &str| view(storage("HalfStorage", key, "cuda:0", 0), 0, &[0, 128], &[128, 1]);
    let value = ordered(&[("gate.weight", empty("0")), ("counts", empty("1")), ("again", empty("1"))]);
    let schema = open(torch("mixed", &value, &[0, 0])).unwrap();
    insta::assert_snapshot!(schema.listing_text(), @"
    gate.weight  f16 [0, 128]
    counts       f16 [0, 128]
    again        f16 [0, 128]
    ");
}

#[test]
fn newer_dtypes_come_with_untyped_storages() {
    let v3 = |key: &str, dtype: &str, bytes: i64| {
        let storage = storage("storage.UntypedStorage", key, "cpu", bytes);
        let dtype = global(&format!("torch.{dtype}"));
        let hooks = call("collections.OrderedDict", &[]);
        call(
            "torch._utils._rebuild_tensor_v3",
            &[storage, int(0), numbers(&[2]), numbers(&[1]), vec![0x89], hooks, dtype],
        )
    };
    let value = dict(&[
        ("a", v3("0", "float8_e4m3fn", 2)),
        ("b", v3("1", "uint16", 4)),
        ("c", v3("2", "complex128", 32)),
        ("d", v3("3", "float8_e8m0fnu", 2)),
        ("e", view(storage("BFloat16Storage", "4", "cpu", 2), 0, &[2], &[1])),
    ]);
    insta::assert_snapshot!(open(torch("f8", &value, &[2, 4, 32, 2, 4])).unwrap().listing_text(), @"
    a  f8_e4m3 [2]
    b  u16     [2]
    c  u8      [2] as complex128 in 32 bytes
    d  u8      [2] as float8_e8m0fnu in 2 bytes
    e  bf16    [2]
    ");
}

#[test]
fn a_subclass_of_tensor_is_the_tensor_inside() {
    let inner = tuple(&[storage("FloatStorage", "0", "cpu", 2), int(0), numbers(&[2]), numbers(&[1])]);
    let class = global("my.Tensor");
    let function = global("torch._utils._rebuild_tensor_v2");
    let value =
        dict(&[("w", call("torch._tensor._rebuild_from_type_v2", &[function, class, inner, none()]))]);
    insta::assert_snapshot!(open(torch("sub", &value, &[8])).unwrap().listing_text(), @"w  f32 [2]");
}

#[test]
fn a_pickled_module_gives_the_names_of_its_state_dict() {
    let module = |parameters: &[(&str, Code)], modules: &[(&str, Code)]| {
        instance(
            "models.Block",
            dict(&[
                ("training", vec![0x88]),
                ("_parameters", dict(parameters)),
                ("_buffers", dict(&[])),
                ("_non_persistent_buffers_set", vec![0x8f]),
                ("_modules", dict(modules)),
            ]),
        )
    };
    let norm = module(&[("weight", f32s("0", &[4])), ("bias", none())], &[]);
    let value = module(&[("scale", f32s("1", &[1]))], &[("norm", norm)]);
    insta::assert_snapshot!(open(torch("whole", &value, &[16, 4])).unwrap().listing_text(), @r#"
    scale        f32 [1]
    norm.weight  f32 [4]
    entry norm.bias = "none"
    "#);
}

#[test]
fn a_torchscript_archive_gives_its_tensors_and_says_what_it_is() {
    let norm = instance("__torch__.torch.nn.LayerNorm", dict(&[("weight", f32s("0", &[4]))]));
    let head = instance("__torch__.Linear", dict(&[("weight", f32s("1", &[2]))]));
    let value = instance("__torch__.ExportWrapper", dict(&[("norm", norm), ("lm_head", head)]));
    let file = archive(&[
        stored("micro/data.pkl", pickle(&value)),
        ("micro/code/__torch__.py", b"class ExportWrapper: pass".repeat(20), CompressionMethod::Deflated),
        stored("micro/constants.pkl", pickle(&tuple(&[]))),
        stored("micro/constants/0", vec![0; 4]),
        stored("micro/data/0", vec![0; 16]),
        stored("micro/data/1", vec![0; 8]),
    ]);
    insta::assert_snapshot!(open(file).unwrap().listing_text(), @r#"
    norm.weight     f32 [4]
    lm_head.weight  f32 [2]
    note "a TorchScript archive: its tensors are read, its code and 1 constant are not"
    "#);
}

#[test]
fn data_descriptors_and_a_deflated_pickle_are_read() {
    use std::io::Write;
    let value = pickle(&ordered(&[("w", f32s("0", &[3]))]));
    let mut zip = zip::ZipWriter::new_stream(Vec::new());
    let stored = zip::write::SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    zip.start_file("stem/data.pkl", stored.compression_method(CompressionMethod::Deflated)).unwrap();
    zip.write_all(&value).unwrap();
    zip.start_file("stem/data/0", stored).unwrap();
    zip.write_all(b"abcdefghijkl").unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    // Bit 3 of the flags of the first local header: its sizes stand behind the data.
    assert_eq!(bytes[6] & 8, 8);
    let schema = open(bytes.clone()).unwrap();
    let place = schema.tensors[0].place.as_ref().unwrap();
    assert_eq!(&bytes[place.offset as usize..][..12], b"abcdefghijkl");
}

#[test]
fn the_older_container_is_read() {
    let value = ordered(&[
        ("w", f32s("94021", &[2, 3])),
        ("b", view(storage("LongStorage", "94022", "cpu", 2), 0, &[2], &[1])),
        ("tied", f32s("94021", &[2, 3])),
    ]);
    let file = legacy(&value, &[("94022", 2, 16), ("94021", 6, 24)]);
    let end = file.len() as u64;
    let schema = open(file).unwrap();
    insta::assert_snapshot!(schema.listing_text(), @"
    w     f32 [2, 3]
    b     i64 [2]
    tied  = w
    ");
    assert_eq!(schema.tensors[0].place.as_ref().unwrap().offset, end - 24);
    assert_eq!(schema.tensors[1].place.as_ref().unwrap().offset, end - 24 - 8 - 16);
}

#[test]
fn pickles_of_protocols_0_and_4_say_the_same() {
    let size = "(I2\nt(I1\nt";
    let old = format!(
        "(dp0\nS'w'\np1\nctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nV0\nS'cpu'\nL2L\ntQI0\n{size}I00\nNtRs."
    );
    let short = |t: &str| cat(&[&[0x8c, t.len() as u8], t.as_bytes()]);
    let named = |m: &str, n: &str| cat(&[&short(m), &short(n), b"\x93\x94"]);
    let id = cat(&[
        b"(",
        &short("storage"),
        &named("torch", "FloatStorage"),
        &short("0"),
        &short("cpu"),
        b"K\x02tQ",
    ]);
    let args = cat(&[b"(", &id, b"K\x00K\x02\x85K\x01\x85\x89Nt"]);
    let call = cat(&[&named("torch._utils", "_rebuild_tensor_v2"), &args, b"R"]);
    let new =
        cat(&[b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94", &short("w"), b"\x94", &call, b"s."]);
    for pickle in [old.into_bytes(), new] {
        let file = archive(&[stored("a/data.pkl", pickle), stored("a/data/0", vec![0; 8])]);
        assert_eq!(open(file).unwrap().listing_text(), "w  f32 [2]\n");
    }
}
