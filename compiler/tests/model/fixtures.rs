//! Small models of each family, whose weights are made from their names, and logits that other programs gave.

use std::path::Path;

use icpc::eval::Model;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/model");
pub(crate) const FAMILIES: [&str; 9] = [
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

pub(crate) fn write(folder: &Path, fixture: &serde_json::Value) {
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

pub(crate) fn fixture(family: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(format!("{FOLDER}/{family}.json")).unwrap()).unwrap()
}

pub(crate) fn ids(fixture: &serde_json::Value) -> Vec<u32> {
    fixture["ids"].as_array().unwrap().iter().map(|n| u32::try_from(n.as_u64().unwrap()).unwrap()).collect()
}

/// A family's model, and ids for it.
pub(crate) fn family(name: &str) -> (Model, Vec<u32>) {
    let fixture = fixture(name);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &fixture);
    (Model::open(folder.path().to_str().unwrap()).unwrap(), ids(&fixture))
}

/// The largest difference, as a share of the largest magnitude.
pub(crate) fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}
