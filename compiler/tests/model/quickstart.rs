//! The quickstart checkpoint, against the logits that its own program wrote in f64.

use icpc::eval::{Model, State};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");

fn model() -> Model {
    Model::open(&format!("{FOLDER}/itera_quickstart.pt")).unwrap()
}

fn reference() -> serde_json::Value {
    let text = std::fs::read_to_string(format!("{FOLDER}/reference.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["first_logits"].clone()
}

fn ids(reference: &serde_json::Value) -> Vec<u32> {
    reference["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| u32::try_from(t.as_u64().unwrap()).unwrap())
        .collect()
}

fn argmax(row: &[f32]) -> u64 {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    best.0 as u64
}

#[test]
fn logits_are_those_of_the_reference() {
    let (model, reference) = (model(), reference());
    let logits = model.logits(&ids(&reference)).unwrap();
    let rows: Vec<u64> = (0..logits.positions()).map(|p| argmax(logits.row(p).unwrap())).collect();
    let expected: Vec<u64> =
        reference["argmax"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(rows, expected);
    let sum: f64 = logits.values.iter().map(|x| f64::from(x.abs())).sum();
    let wanted = reference["absolute_sum"].as_f64().unwrap();
    assert!((sum - wanted).abs() < 1e-5 * wanted, "{sum} {wanted}");
    let last = logits.row(logits.positions() - 1).unwrap();
    for (found, expected) in last.iter().zip(reference["last"].as_array().unwrap()) {
        let expected = expected.as_f64().unwrap();
        assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} {expected}");
    }
}

#[test]
fn tokens_one_at_a_time_give_the_same_logits() {
    let (model, ids) = (model(), ids(&reference()));
    let whole = model.logits(&ids).unwrap();
    let mut state = State::new();
    let first = model.next(&ids[..5], &mut state).unwrap();
    let mut values = first.values;
    for id in &ids[5..] {
        values.extend(model.next(&[*id], &mut state).unwrap().values);
    }
    let largest = whole.values.iter().zip(&values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 1e-4, "{largest:e}");
}

#[test]
fn taps_see_the_input_of_every_product() {
    let (model, ids) = (model(), ids(&reference()));
    let mut seen: Vec<(String, usize)> = Vec::new();
    let mut tap = |name: &str, width: usize, rows: &[f32]| seen.push((name.to_owned(), rows.len() / width));
    model.logits_tapped(&ids, &mut tap).unwrap();
    assert!(seen.contains(&("layers.0.ssm.in_proj.weight".to_owned(), ids.len())));
    let experts: usize = seen
        .iter()
        .filter(|(name, _)| name.contains(".experts.") && name.ends_with(".w1.weight"))
        .map(|(_, n)| n)
        .sum();
    let routers = seen.iter().filter(|(name, _)| name.ends_with("router.gate.weight")).count();
    assert_eq!(experts, routers * ids.len() * 2, "each token has two experts in each layer");
}

#[test]
fn what_cannot_be_run_is_refused_before() {
    let model = model();
    let vocabulary = u32::try_from(model.vocabulary().unwrap()).unwrap();
    let refused = |ids: &[u32]| tail(&model.logits(ids).unwrap_err().to_string());
    assert_eq!(
        refused(&[1, vocabulary]),
        "running: token 640 at position 1 is beyond the vocabulary of 640; \
         take the tokenizer that the model was trained with"
    );
    let long = vec![0; usize::try_from(model.longest().unwrap()).unwrap() + 1];
    assert_eq!(
        refused(&long),
        "running: 129 tokens are more than the 128 positions of the model; give windows of at most 128"
    );
    assert_eq!(refused(&[]), "running: there are no token ids");
}

/// Without the path of this machine.
fn tail(text: &str) -> String {
    text.split_once(": ").unwrap().1.to_owned()
}
