//! Products in integers: outputs with int8 activations, where their scales come from, and what PyTorch's packed layers give.

use std::path::Path;
use std::process::{Command, Output};

use icpc::eval::{Model, Rounding, State};

use crate::bench::array;
use crate::bench_data;

const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");
const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");
const STATIC: &str = "static(percentile(99.9%))";
const CALIBRATE: &str = "data: \"corpus_heldout.txt\", tokenizer: \"tokenizer.json\", samples: 16, seed: 3";

fn icpc(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new(PROGRAM).args(arguments).current_dir(folder).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

/// A folder with the quickstart's checkpoint and data.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["itera_quickstart.pt", "tokenizer.json", "corpus_heldout.txt"] {
        std::fs::copy(format!("{QUICKSTART}/{name}"), folder.path().join(name)).unwrap();
    }
    folder
}

fn recipe(folder: &Path, name: &str, activations: &str, calibrate: &str) -> String {
    let text = format!(
        "recipe r {{
            checkpoint \"itera_quickstart.pt\"; target cpu;
            assign {{
                embedding.weight => int8(per: channel, activations: dynamic),
                @linear where rank == 2 => int8(per: channel, activations: {activations}),
                _ => keep,
            }}
            calibrate {{ {calibrate} }}
            evaluate {{ data: \"corpus_heldout.txt\", tokenizer: \"tokenizer.json\", samples: 8 }}
            emit \"{name}\";
        }}"
    );
    let file = format!("{name}.icp");
    std::fs::write(folder.join(&file), text).unwrap();
    file
}

fn run(folder: &Path, name: &str, activations: &str, calibrate: &str, more: &[&str]) -> Vec<u8> {
    let file = recipe(folder, name, activations, calibrate);
    let (code, said) = icpc(folder, &[&["run", &file, "--quiet"], more].concat());
    assert_eq!(code, Some(0), "{said}");
    std::fs::read(folder.join(name).join("model.safetensors")).unwrap()
}

#[test]
fn outputs_are_computed_in_integers_and_stay_near() {
    let folder = folder();
    let ids: Vec<u32> = (0..60).map(|i| i * 29 % 600).collect();
    let open = |name: &str| Model::open(folder.path().join(name).to_str().unwrap()).unwrap();
    run(folder.path(), "plain", "fp32", CALIBRATE, &[]);
    let plain = open("plain").with_rounding(Rounding::Float).unwrap().logits(&ids).unwrap();
    for (name, activations) in [("dynamic", "dynamic"), ("static", STATIC)] {
        run(folder.path(), name, activations, CALIBRATE, &[]);
        let model = open(name);
        let logits = model.logits(&ids).unwrap();
        let apart = |a: &[f32], b: &[f32]| {
            let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            (squares / a.len() as f64).sqrt()
        };
        let distance = apart(&logits.values, &plain.values);
        println!("{name}: {distance:.3e} from products in f32");
        assert!(distance > 1e-3 && distance < 1.0, "{name}: {distance}");
        // Another thread count gives the same bits.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| model.logits(&ids).unwrap()).values, logits.values);
        // A token's rows are rounded by themselves: one after the other gives the same but for sums in f32 elsewhere.
        let mut state = State::new();
        let mut steps = Vec::new();
        for id in &ids {
            steps.extend(model.next(&[*id], &mut state).unwrap().values);
        }
        let steps = apart(&steps, &logits.values);
        println!("{name}: {steps:.3e} token by token");
        assert!(steps < 1e-3, "{name}: {steps}");
        let float = open(name).with_rounding(Rounding::Float).unwrap().logits(&ids).unwrap();
        assert_eq!(float.values, plain.values, "the weights are the same");
    }
    let (code, said) = icpc(folder.path(), &["eval", "static.icp", "--quiet", "--activations", "fp32"]);
    assert!(code == Some(0) && said.contains("activations  fp32"), "{said}");
    let (code, said) = icpc(folder.path(), &["eval", "static.icp", "--quiet", "--activations", "torch"]);
    assert!(
        code == Some(3) && said.contains("it holds no linear layers that PyTorch packed"),
        "{code:?} {said}"
    );
    let (code, said) = icpc(folder.path(), &["verify", "static"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = icpc(folder.path(), &["dequantize", "--to", "fp32", "static", "decoded"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_static_scale_is_the_same_on_all_threads_and_from_a_file() {
    let folder = folder();
    let one = run(folder.path(), "one", STATIC, CALIBRATE, &["--threads", "1"]);
    let batch = format!("{CALIBRATE}, batch: 5");
    assert!(run(folder.path(), "three", STATIC, &batch, &["--threads", "3"]) == one);
    let file = recipe(folder.path(), "read", STATIC, &format!("{CALIBRATE}, statistics: \"s.safetensors\""));
    let (code, said) = icpc(folder.path(), &["run", &file, "--quiet"]);
    assert!(code != Some(0) && said.contains("the statistics file cannot be read"), "{said}");
    let (code, said) = icpc(folder.path(), &["calibrate", &file, "--quiet", "--out", "s.safetensors"]);
    assert_eq!(code, Some(0), "{said}");
    let statistics = "statistics: \"s.safetensors\"";
    for (name, calibrate) in [("read", &*format!("{CALIBRATE}, {statistics}")), ("alone", statistics)] {
        assert!(run(folder.path(), name, STATIC, calibrate, &[]) == one, "{name}");
    }
    let report = std::fs::read_to_string(folder.path().join("alone/report.md")).unwrap();
    let said = "- activations of 16 samples of at most 128 tokens of `corpus_heldout.txt`, seed 3, read in `s.safetensors`";
    assert!(report.contains(said), "{report}");
}

#[test]
fn statistics_of_something_else_are_refused() {
    let folder = folder();
    let refused = |name: &str, activations: &str, calibrate: &str| {
        let file = recipe(folder.path(), name, activations, calibrate);
        let (code, said) = icpc(folder.path(), &["run", &file, "--quiet"]);
        assert!(code != Some(0) && !folder.path().join(name).exists(), "{said}");
        assert!(!folder.path().join(format!(".{name}.journal")).exists(), "{said}");
        let lines = said.lines().filter(|l| l.starts_with("error"));
        lines.map(|line| line.split_once(": ").unwrap().1.to_owned()).collect::<String>()
    };
    let file = recipe(folder.path(), "made", STATIC, CALIBRATE);
    let (code, said) = icpc(folder.path(), &["calibrate", &file, "--quiet", "--out", "s.safetensors"]);
    assert_eq!(code, Some(0), "{said}");
    std::fs::write(folder.path().join("other.txt"), "one two three four five six seven eight nine ten")
        .unwrap();
    let statistics = "statistics: \"s.safetensors\"";
    let mut said = vec![
        refused("a", "static(percentile(97%))", statistics),
        refused("b", STATIC, &format!("{statistics}, samples: 17")),
        refused("c", STATIC, &format!("{statistics}, seed: 4")),
        refused("d", STATIC, &format!("{statistics}, max_length: 12")),
        refused("e", STATIC, &format!("{statistics}, data: \"other.txt\", tokenizer: \"bytes\"")),
    ];
    // Other weights under the same header.
    let path = folder.path().join("itera_quickstart.pt");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    said.push(refused("f", STATIC, statistics));
    for text in ["", "{}", "not safetensors at all"] {
        std::fs::write(folder.path().join("s.safetensors"), text).unwrap();
        refused("g", STATIC, statistics);
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    s.safetensors: calibrating tensor `layers.0.moe.ffn.w1.weight`: it does not hold the percentile 97%; write it again with `icpc calibrate`, or remove `statistics`
    s.safetensors: reading: its `samples` was 16, not 17; write it again with `icpc calibrate`, or remove `statistics`
    s.safetensors: reading: its `seed` was 3, not 4; write it again with `icpc calibrate`, or remove `statistics`
    s.safetensors: reading: its `max_length` was 128, not 12; write it again with `icpc calibrate`, or remove `statistics`
    s.safetensors: reading: its data was `corpus_heldout.txt`, not `other.txt`; write it again with `icpc calibrate`, or remove `statistics`
    s.safetensors: calibrating: it was made of other weights, those of `itera_quickstart.pt`; write it again with `icpc calibrate`, or remove `statistics`
    ");
}

#[test]
fn an_expert_that_no_token_reaches_is_named() {
    let folder = folder();
    let calibrate = "data: \"corpus_heldout.txt\", tokenizer: \"tokenizer.json\", samples: 1, max_length: 1";
    let file = recipe(folder.path(), "out", "static(absmax)", calibrate);
    let (code, said) = icpc(folder.path(), &["run", &file, "--quiet"]);
    assert_eq!(code, Some(1), "{said}");
    let error = said.lines().find(|line| line.starts_with("error")).unwrap();
    assert!(error.contains(".experts.") && error.contains("no token came to it in calibration"), "{error}");
    assert!(error.ends_with("take more `samples`, or `activations: dynamic` for it"), "{error}");
    let mut left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["corpus_heldout.txt", "itera_quickstart.pt", "out.icp", "tokenizer.json"]);
}

/// The file with another header.
fn with_header(bytes: &[u8], change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let mut header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    change(&mut header);
    let mut text = serde_json::to_vec(&header).unwrap();
    text.resize(text.len().next_multiple_of(8), b' ');
    [&(text.len() as u64).to_le_bytes()[..], &text, &bytes[8 + length..]].concat()
}

#[test]
fn a_stored_scale_that_is_none_is_an_error() {
    let folder = folder();
    let good = run(folder.path(), "out", STATIC, CALIBRATE, &[]);
    let key = "layers.0.ssm.in_proj.weight.activation_scale";
    let length = usize::try_from(u64::from_le_bytes(good[..8].try_into().unwrap())).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&good[8..8 + length]).unwrap();
    assert_eq!(header[key]["dtype"], "F32");
    assert_eq!(header[key]["shape"], serde_json::json!([]));
    let at = 8 + length + usize::try_from(header[key]["data_offsets"][0].as_u64().unwrap()).unwrap();
    let path = folder.path().join("out/model.safetensors");
    let opened = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = Model::open(folder.path().join("out").to_str().unwrap()).map(drop).unwrap_err();
        let said = error.to_string().replace(folder.path().to_str().unwrap(), "DIR");
        said.split_once(": ").unwrap().1.to_owned()
    };
    let mut said = Vec::new();
    for value in [f32::NAN, 0.0, -0.5, f32::INFINITY] {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        said.push(opened(&bytes));
    }
    said.push(opened(&with_header(&good, |header| {
        let entry = header.as_object_mut().unwrap().remove(key).unwrap();
        header["lost"] = entry;
    })));
    said.push(opened(&with_header(&good, |header| {
        header[key]["shape"] = serde_json::json!([1]);
    })));
    said.push(opened(&with_header(&good, |header| {
        header[key]["dtype"] = "I32".into();
    })));
    said.push(opened(&with_header(&good, |header| {
        let tensors = header["__metadata__"]["icpc.tensors"].as_str().unwrap();
        let text = tensors.replace("\"activations\":\"static\"", "\"activations\":\"sometimes\"");
        header["__metadata__"]["icpc.tensors"] = text.into();
    })));
    insta::assert_snapshot!(said.join("\n"), @r"
    reading, tensor `layers.0.ssm.in_proj.weight`: its scale of activations is NaN, which is no positive number
    reading, tensor `layers.0.ssm.in_proj.weight`: its scale of activations is 0, which is no positive number
    reading, tensor `layers.0.ssm.in_proj.weight`: its scale of activations is -0.5, which is no positive number
    reading, tensor `layers.0.ssm.in_proj.weight`: its scale of activations is inf, which is no positive number
    opening: reading tensor `layers.0.ssm.in_proj.weight`: its scale of activations is missing
    opening: reading tensor `layers.0.ssm.in_proj.weight`: its scale of activations is f32 [1], not one f32
    opening: reading tensor `layers.0.ssm.in_proj.weight`: its scale of activations is i32 [], not one f32
    opening: reading tensor `layers.0.moe.ffn.w1.weight`: its format is not known
    ");
}

#[test]
fn a_transposed_matrix_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (vocab, hidden) = (70, 33);
    let number = |i: usize| ((i * 7919 + i * i * 31) % 2003) as f32 / 1000.0 - 1.0;
    let table: Vec<f32> = (0..vocab * hidden).map(number).collect();
    let head: Vec<f32> = (0..vocab * hidden).map(|i| number(i + 5)).collect();
    let turned = (0..hidden).flat_map(|column| head.iter().skip(column).step_by(hidden)).copied().collect();
    let logits = |name: &str, shape: [usize; 2], head: Vec<f32>, axis: u32, transposed: &str| {
        let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
        for (name, shape, values) in
            [("table.weight", [vocab, hidden], table.clone()), ("head.weight", shape, head)]
        {
            let begin = data.len();
            data.extend(values.iter().flat_map(|x| x.to_le_bytes()));
            let entry =
                serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]});
            header.insert(name.to_owned(), entry);
        }
        let text = serde_json::to_vec(&header).unwrap();
        let file = [&(text.len() as u64).to_le_bytes()[..], &text, &data].concat();
        std::fs::write(folder.path().join(format!("{name}.safetensors")), file).unwrap();
        let sides = if axis == 0 { "vocab, hidden" } else { "hidden, vocab" };
        let recipe = format!(
            "arch one {{
                dim vocab, hidden;
                table.weight : [vocab, hidden] @embedding;
                head.weight  : [{sides}] @linear;
                forward(tokens: [batch, seq]) -> [batch, seq, vocab] {{
                    linear(embed(tokens, table.weight), head.weight{transposed})
                }}
            }}
            recipe r for one {{
                checkpoint \"{name}.safetensors\"; target cpu;
                assign {{
                    head.weight => int8(per: channel, axis: {axis}, activations: static(percentile(99%))),
                    _ => keep,
                }}
                calibrate {{ data: \"text.bin\", tokenizer: \"bytes\", max_length: 64 }}
                emit \"{name}\";
            }}"
        );
        let file = format!("{name}.icp");
        std::fs::write(folder.path().join(&file), recipe).unwrap();
        let (code, said) = icpc(folder.path(), &["run", &file, "--quiet"]);
        assert_eq!(code, Some(0), "{said}");
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let model = Model::open_for(&at(&file), "r", Some(&at(name))).unwrap();
        model.logits(&(0..70).collect::<Vec<u32>>()).unwrap().values
    };
    std::fs::write(folder.path().join("text.bin"), (0..70).cycle().take(3000).collect::<Vec<u8>>()).unwrap();
    let rows = logits("rows", [vocab, hidden], head.clone(), 0, "");
    let columns = logits("columns", [hidden, vocab], turned, 1, ", transposed: true");
    assert_eq!(rows, columns);
}

#[test]
fn packed_layers_are_run_as_pytorch_runs_them() {
    let Some(data) = bench_data::folder() else { return };
    let path = data.join("checkpoints/quantized/itera_lite_tiny_int8.pt");
    let model = Model::open(path.to_str().unwrap()).unwrap();
    assert!(model.packed() > 0);
    let model = model.with_rounding(Rounding::Torch).unwrap();
    let ids: Vec<u32> = (0..128).map(|i| i * 7 % 2000).collect();
    let logits = model.logits(&ids).unwrap();
    let apart = |name: &str| {
        let expected = array(&data, name);
        let differences: Vec<f32> = logits.values.iter().zip(&expected).map(|(a, b)| (a - b).abs()).collect();
        let mean = differences.iter().sum::<f32>() / differences.len() as f32;
        (mean, differences.iter().copied().fold(0.0, f32::max))
    };
    let (near, far) = (apart("tiny_vocab2000_int8_dynact"), apart("tiny_vocab2000_int8_weightonly"));
    println!("mean and largest difference: {near:?}; of weights alone {far:?}");
    // A value near a half is rounded the other way by other sums: the reference in f32 is 0.17 from itself in f64.
    assert!(near.0 < far.0 / 5.0 && near.1 < 0.34, "{near:?} {far:?}");
}
