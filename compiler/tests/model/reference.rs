//! The engine in f64, beside the native one and beside other programs.

use std::path::Path;
use std::process::Command;

use icpc::backend::place::Place;
use icpc::eval::{Baseline, Model, Protocol, Rounding, State, calibrate, evaluate};
use icpc::exec::{Silent, Stop};

use super::fixtures::{FAMILIES, apart, family, fixture};
use super::quick::{QUICKSTART, ids_of, quickstart, text};

const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");

#[test]
fn logits_of_every_family_are_near_the_native_ones() {
    for name in FAMILIES {
        let (native, ids) = family(name);
        let exact = native.on(Place::Reference).unwrap();
        assert_eq!(exact.place(), Place::Reference);
        let whole = exact.logits(&ids).unwrap().values;
        let share = apart(&whole, &native.logits(&ids).unwrap().values);
        println!("{name}: {share:.1e}");
        assert!(share < 1e-5, "{name}: {share:e}");
        if !exact.is_stepwise() {
            continue;
        }
        let mut state = State::new();
        let mut values = exact.next(&ids[..3], &mut state).unwrap().values;
        for id in &ids[3..] {
            values.extend(exact.next(&[*id], &mut state).unwrap().values);
        }
        assert!(apart(&whole, &values) < 1e-6, "{name}: token by token");
    }
}

#[test]
fn logits_are_those_of_the_other_program() {
    for name in FAMILIES {
        let (native, ids) = family(name);
        let found = native.on(Place::Reference).unwrap().logits(&ids).unwrap().values;
        let rows = fixture(name)["logits"].as_array().unwrap().clone();
        let rows = rows.iter().flat_map(|row| row.as_array().unwrap());
        let expected: Vec<f32> = rows.map(|x| x.as_f64().unwrap() as f32).collect();
        let share = apart(&expected, &found);
        println!("{name}: {share:.1e}");
        assert!(share < 1e-5, "{name}: {share:e}");
    }
}

#[test]
fn the_quickstart_is_near_the_native_one_in_every_format() {
    let native = quickstart();
    let exact = native.on(Place::Reference).unwrap();
    let ids = ids_of(128);
    let names: Vec<String> = native
        .tensors()
        .into_iter()
        .filter(|t| t.shape.len() == 2 && t.dtype.is_float())
        .map(|t| t.name)
        .collect();
    let share =
        |a: &Model, b: &Model| apart(&a.logits(&ids).unwrap().values, &b.logits(&ids).unwrap().values);
    let plain = share(&exact, &native);
    println!("itera_lite: {plain:.1e}");
    assert!(plain < 1e-5, "{plain:e}");
    let formats = "fp16,int8(per: channel),int4(per: channel),nf4(block: 64, double: true)";
    for format in icpc::sensitivity::parse_formats(formats).unwrap() {
        let changes: Vec<(&str, _)> = names.iter().map(|name| (name.as_str(), format)).collect();
        let (a, b) = (exact.with_formats(&changes).unwrap(), native.with_formats(&changes).unwrap());
        assert_eq!(a.place(), Place::Reference);
        let share = share(&a, &b);
        println!("itera_lite in {format}: {share:.1e}");
        assert!(share < 1e-5, "{format}: {share:e}");
    }
}

#[test]
fn inputs_of_products_are_rounded_as_the_format_says() {
    let native = quickstart();
    let exact = native.on(Place::Reference).unwrap();
    let ids = ids_of(128);
    let format = icpc::sensitivity::parse_formats("int8(per: channel, activations: dynamic)").unwrap()[0];
    let tensors = native.tensors();
    let names = tensors.iter().map(|t| t.name.as_str());
    let names =
        names.filter(|n| ["_proj.weight", "w1.weight", "w2.weight"].iter().any(|end| n.ends_with(end)));
    let changes: Vec<(&str, _)> = names.map(|name| (name, format)).collect();
    assert!(changes.len() > 20);
    let logits = |model: &Model| model.logits(&ids).unwrap().values;
    let rounded = |model: &Model| model.with_formats(&changes).unwrap();
    let (a, b) = (logits(&rounded(&exact)), logits(&rounded(&native)));
    let (share, plain) = (apart(&a, &b), apart(&a, &logits(&exact)));
    println!("rounded inputs: {share:.1e}, which changes {plain:.1e}");
    assert!(share < plain / 10.0, "{share:e} beside {plain:e} of the rounding itself");
    let floats = |model: &Model| logits(&rounded(model).with_rounding(Rounding::Float).unwrap());
    let share = apart(&floats(&exact), &floats(&native));
    assert!(share < 1e-5, "{share:e}");
}

/// One product, where nothing comes before that could differ: all codes are the native ones, and nothing is beyond f32.
#[test]
fn equal_inputs_have_equal_codes() {
    let folder = tempfile::tempdir().unwrap();
    let (vocab, hidden) = (70, 33);
    let number = |i: usize| ((i * 7919 + i * i * 31) % 2003) as f32 / 1000.0 - 1.0;
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, seed) in [("table.weight", 0), ("head.weight", 5)] {
        let start = data.len();
        data.extend((0..vocab * hidden).flat_map(|i| number(i + seed).to_le_bytes()));
        let entry = serde_json::json!(
            {"dtype": "F32", "shape": [vocab, hidden], "data_offsets": [start, data.len()]}
        );
        header.insert(name.to_owned(), entry);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat();
    std::fs::write(folder.path().join("one.safetensors"), file).unwrap();
    let recipe = "
        arch one {
            dim vocab, hidden;
            table.weight : [vocab, hidden] @embedding;
            head.weight  : [vocab, hidden] @linear;
            forward(tokens: [batch, seq]) -> [batch, seq, vocab] {
                linear(embed(tokens, table.weight), head.weight)
            }
        }
        recipe r for one {
            checkpoint \"one.safetensors\";
            assign { _ => keep }
        }";
    let path = folder.path().join("one.icp").to_str().unwrap().to_owned();
    std::fs::write(&path, recipe).unwrap();
    let native = Model::open_for(&path, "r", None).unwrap();
    for format in ["int8(per: channel, activations: dynamic)", "int8(activations: dynamic)"] {
        let format = icpc::sensitivity::parse_formats(format).unwrap()[0];
        let native = native.with_formats(&[("head.weight", format)]).unwrap();
        let exact = native.on(Place::Reference).unwrap();
        let ids: Vec<u32> = (0..70).collect();
        let (a, b) = (exact.logits(&ids).unwrap().values, native.logits(&ids).unwrap().values);
        for (a, b) in a.iter().zip(&b) {
            // a code is worth a hundred times more
            assert!((a - b).abs() <= 3e-7 * a.abs(), "{format}: {a} {b}");
        }
    }
}

#[test]
fn what_is_measured_is_near_the_native_figures() {
    let (native, tokens) = (quickstart(), text());
    let exact = native.on(Place::Reference).unwrap();
    let protocol = Protocol { samples: Some(6), batch: Some(4), ..Protocol::default() };
    let measure = |model: &Model| {
        let baseline = Baseline::new(&native);
        evaluate(model, Some(&baseline), &tokens, &protocol, &Silent, &Stop::default()).unwrap().metric
    };
    let (a, b) = (measure(&exact), measure(&native));
    assert_eq!((a.backend.as_str(), b.backend.as_str()), ("reference", "native"));
    println!("perplexity {} and {}", a.perplexity, b.perplexity);
    assert!((a.perplexity / b.perplexity - 1.0).abs() < 1e-6);
    let against = a.against.unwrap();
    assert!(against.divergence.unwrap() < 1e-9 && against.largest_difference.unwrap().value < 1e-4);
    let protocol = Protocol { samples: Some(2), ..Protocol::default() };
    let statistics = |model: &Model| -> Vec<f32> {
        let found = calibrate(model, &tokens, &protocol, &Silent, &Stop::default()).unwrap();
        assert_eq!(found.calibration.backend, model.place().to_string());
        let bytes = found.to_bytes();
        let header = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        bytes[8 + header..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    let (a, b) = (statistics(&exact), statistics(&native));
    assert!(!a.is_empty() && a.len() == b.len());
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() <= 1e-4 * a.abs() + 1e-5, "{a} {b}");
    }
}

#[test]
fn numbers_do_not_depend_on_threads() {
    let (exact, tokens) = (quickstart().on(Place::Reference).unwrap(), text());
    let found = [(1, 1), (3, 5)].map(|(threads, batch)| {
        let pool = rayon(threads);
        let protocol = Protocol { samples: Some(5), batch: Some(batch), ..Protocol::default() };
        pool.install(|| evaluate(&exact, None, &tokens, &protocol, &Silent, &Stop::default()).unwrap().metric)
    });
    assert_eq!(found[0], found[1]);
}

fn rayon(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn icpc(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM).args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn the_command_line_takes_it_for_models_and_refuses_it_for_plans() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["itera_quickstart.pt", "tokenizer.json", "corpus_heldout.txt"] {
        std::fs::copy(format!("{QUICKSTART}/{name}"), folder.path().join(name)).unwrap();
    }
    let text = ["--data", "corpus_heldout.txt", "--tokenizer", "tokenizer.json", "--samples", "2"];
    let ask = |command: &[&str]| icpc(folder.path(), &[command, &["--backend", "reference"]].concat());
    let (code, said) = ask(&[&["eval", "itera_quickstart.pt", "--format", "json"], &text[..]].concat());
    assert!(code == Some(0) && said.contains("\"backend\": \"reference\""), "{said}");
    let recipe = "recipe r {
            checkpoint \"itera_quickstart.pt\";
            assign { @linear where rank == 2 => int8(per: channel), _ => keep }
            calibrate { data: \"corpus_heldout.txt\", tokenizer: \"tokenizer.json\", samples: 1 }
            emit \"out\";
        }";
    std::fs::write(folder.path().join("r.icp"), recipe).unwrap();
    let (code, said) = ask(&["calibrate", "r.icp", "--out", "s.safetensors", "--quiet"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = ask(&["run", "r.icp", "--quiet"]);
    assert!(code == Some(3) && !folder.path().join("out").exists(), "{code:?} {said}");
    insta::assert_snapshot!(said, @r"
    error: the backend `reference` computes models and no plans
    help: give another one here: the output is the same; `icpc eval --backend reference` measures it
    ");
    for command in [&["selftest"][..], &["dequantize", "out", "new"]] {
        let (code, said) = ask(command);
        assert!(code == Some(3) && said.contains("computes models and no plans"), "{code:?} {said}");
    }
}
