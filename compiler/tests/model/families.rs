//! Small models of each family, against the logits that other programs gave: `tests/python/model_logits.py` writes the
//! fixtures. Weights are made from their names.

use icpc::eval::{Model, State};

use super::fixtures::{FAMILIES, fixture, ids, write};

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

#[test]
fn a_model_that_lacks_a_tensor_says_which_and_of_which_architecture() {
    let mut fixture = fixture("llama");
    let tensors = fixture["tensors"].as_array_mut().unwrap();
    tensors.retain(|t| t[0] != "model.layers.1.mlp.up_proj.weight");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &fixture);
    let error = Model::open(folder.path().to_str().unwrap()).err().unwrap();
    assert_eq!(
        error.message,
        "no architecture with a forward fits it: `llama` is nearest, but the checkpoint has no \
         `model.layers.1.mlp.up_proj.weight`"
    );
}

#[test]
fn codes_of_other_programs_are_no_model() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &fixture("llama"));
    let path = folder.path().join("model.safetensors");
    let file = std::fs::read(&path).unwrap();
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&file[8..8 + length]).unwrap();
    // Numbers of four bytes under the names that GPTQ gives them.
    let renamed = header.into_iter().map(|(name, mut entry)| match name.strip_suffix("_proj.weight") {
        Some(owner) => {
            entry["dtype"] = "I32".into();
            (format!("{owner}_proj.qweight"), entry)
        }
        None => (name, entry),
    });
    let header = serde_json::to_vec(&renamed.collect::<serde_json::Map<_, _>>()).unwrap();
    let made = [&(header.len() as u64).to_le_bytes()[..], &header, &file[8 + length..]].concat();
    std::fs::write(&path, made).unwrap();
    let error = Model::open(folder.path().to_str().unwrap()).err().unwrap().to_string();
    assert!(
        error.contains("it is compressed already (GPTQ or AWQ); take the checkpoint that it was made of"),
        "{error}"
    );
    assert!(error.contains("tensor `model.layers.0.mlp.down_proj.qweight`"), "{error}");
}
