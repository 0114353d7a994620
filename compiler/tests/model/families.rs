//! Small models of each family, against the logits that other programs gave: `tests/python/model_logits.py` writes the
//! fixtures. Weights are made from their names.

use std::path::Path;

use icpc::eval::{Model, State};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/model");
const FAMILIES: [&str; 9] = [
    "bert",
    "gpt2",
    "llama",
    "mamba",
    "mistral",
    "mistral_window",
    "mixtral",
    "qwen2",
    "transformer_baseline",
];

/// Numbers from -0.4 to 0.4 that depend on name and place only; those of norms lie around 1.
fn values(name: &str, shape: &[u64]) -> Vec<f32> {
    let fnv = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(1_099_511_628_211);
    let seed = name.bytes().fold(14_695_981_039_346_656_037, fnv);
    let middle = if shape.len() == 1 && name.ends_with("weight") { 1.0 } else { 0.0 };
    let number = |i: u64| {
        let z = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let unit = ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24);
        (middle + (unit - 0.5) * 0.8) as f32
    };
    (1..=shape.iter().product()).map(number).collect()
}

fn write(folder: &Path, fixture: &serde_json::Value) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for tensor in fixture["tensors"].as_array().unwrap() {
        let name = tensor[0].as_str().unwrap();
        let shape: Vec<u64> = tensor[1].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        let start = data.len();
        data.extend(values(name, &shape).into_iter().flat_map(f32::to_le_bytes));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name.to_owned(), entry);
    }
    let text = serde_json::to_vec(&header).unwrap();
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend(text);
    file.extend(data);
    std::fs::write(folder.join("model.safetensors"), file).unwrap();
    std::fs::write(folder.join("config.json"), fixture["config"].to_string()).unwrap();
}

fn fixture(family: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(format!("{FOLDER}/{family}.json")).unwrap()).unwrap()
}

fn ids(fixture: &serde_json::Value) -> Vec<u32> {
    fixture["ids"].as_array().unwrap().iter().map(|n| u32::try_from(n.as_u64().unwrap()).unwrap()).collect()
}

#[test]
fn logits_are_those_of_the_other_program() {
    for family in FAMILIES {
        let fixture = fixture(family);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &fixture);
        let model = Model::open(folder.path().to_str().unwrap()).unwrap();
        let logits = model.logits(&ids(&fixture)).unwrap();
        let expected = fixture["logits"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
        let expected: Vec<f64> = expected.map(|x| x.as_f64().unwrap()).collect();
        assert_eq!(logits.values.len(), expected.len(), "{family}");
        let differences = logits.values.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs());
        let largest = differences.fold(0.0, f64::max);
        println!("{family}: largest difference {largest:.2e}");
        assert!(largest < 1e-4, "{family}: {largest:e}");
    }
}

#[test]
fn decoders_give_the_same_logits_token_by_token() {
    for family in FAMILIES.into_iter().filter(|f| *f != "bert") {
        let fixture = fixture(family);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &fixture);
        let model = Model::open(folder.path().to_str().unwrap()).unwrap();
        let ids = ids(&fixture);
        let whole = model.logits(&ids).unwrap();
        let mut state = State::new();
        let mut values = model.next(&ids[..3], &mut state).unwrap().values;
        for id in &ids[3..] {
            values.extend(model.next(&[*id], &mut state).unwrap().values);
        }
        let largest = whole.values.iter().zip(&values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-4, "{family}: {largest:e}");
        assert_eq!(state.tokens(), ids.len());
    }
}

#[test]
fn a_model_that_computes_something_else_is_refused() {
    let mut fixture = fixture("llama");
    fixture["config"]["model_type"] = "gemma".into();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &fixture);
    let error = Model::open(folder.path().to_str().unwrap()).err().unwrap().to_string();
    assert!(error.contains("this forward is not for `gemma`"), "{error}");
}
