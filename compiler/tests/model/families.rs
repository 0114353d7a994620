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
