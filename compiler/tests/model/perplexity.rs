//! Perplexities that other programs have computed: of the quickstart, and of the Itera-Lite history where it is.

use std::path::Path;

use icpc::backend::place::Place;
use icpc::eval::{Baseline, Measured, Model, Protocol, Rounding, Tokens, WindowLoss, evaluate};
use icpc::exec::{Silent, Stop};
use serde_json::Value;

use crate::bench_data;

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");

fn measure(model: &Model, tokens: &Tokens, protocol: &Protocol) -> Measured {
    evaluate(model, None, tokens, protocol, &Silent, &Stop::default()).unwrap()
}

fn near(found: f64, expected: f64, what: &str) {
    within(1e-4, found, expected, what);
}

fn within(share: f64, found: f64, expected: f64, what: &str) {
    println!("{what}: {found} and {expected}, {:.1e}", found / expected - 1.0);
    assert!((found / expected - 1.0).abs() < share, "{what}: {found} {expected}");
}

#[test]
fn the_quickstart_has_the_perplexity_of_its_own_program() {
    let at = |name: &str| format!("{QUICKSTART}/{name}");
    let reference: Value =
        serde_json::from_str(&std::fs::read_to_string(at("reference.json")).unwrap()).unwrap();
    let tokens = Tokens::read(&at("corpus_heldout.txt"), Some(&at("tokenizer.json"))).unwrap();
    assert_eq!(tokens.len(), reference["tokens"].as_u64().unwrap());
    let model = Model::open(&at("itera_quickstart.pt")).unwrap();
    // Without a window, as many tokens as the model has positions, side by side.
    let metric = measure(&model, &tokens, &Protocol::default()).metric;
    assert_eq!((metric.window, metric.stride, metric.shift), (128, 128, 1));
    assert_eq!(metric.scored, reference["scored"].as_u64().unwrap());
    assert_eq!(metric.unknown, Some(0));
    near(metric.perplexity, reference["float64"]["perplexity"].as_f64().unwrap(), "quickstart");
    near(metric.loss, reference["float64"]["loss"].as_f64().unwrap(), "quickstart's loss");
    assert!(metric.warnings.is_empty());
}

#[test]
fn numbers_do_not_depend_on_threads_or_batches() {
    let at = |name: &str| format!("{QUICKSTART}/{name}");
    let tokens = Tokens::read(&at("corpus_heldout.txt"), Some(&at("tokenizer.json"))).unwrap();
    let model = Model::open(&at("itera_quickstart.pt")).unwrap();
    let found = [(1, 1), (3, 5)].map(|(threads, batch)| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let protocol = Protocol { samples: Some(7), batch: Some(batch), ..Protocol::default() };
        pool.install(|| measure(&model, &tokens, &protocol).metric)
    });
    assert_eq!(found[0], found[1]);
}

#[test]
fn a_model_beside_itself_is_no_distance_away() {
    let at = |name: &str| format!("{QUICKSTART}/{name}");
    let tokens = Tokens::read(&at("corpus_heldout.txt"), Some(&at("tokenizer.json"))).unwrap();
    let model = Model::open(&at("itera_quickstart.pt")).unwrap();
    let protocol = Protocol { samples: Some(3), ..Protocol::default() };
    let found = evaluate(&model, Some(&Baseline::new(&model)), &tokens, &protocol, &Silent, &Stop::default())
        .unwrap();
    let against = found.metric.against.unwrap();
    assert_eq!((against.ratio, against.agreement), (1.0, Some(1.0)));
    assert!(against.divergence.unwrap().abs() < 1e-12);
    assert_eq!(against.largest_difference.unwrap().value, 0.0);
}

#[test]
fn a_request_to_end_is_heard() {
    let at = |name: &str| format!("{QUICKSTART}/{name}");
    let tokens = Tokens::read(&at("corpus_heldout.txt"), Some(&at("tokenizer.json"))).unwrap();
    let model = Model::open(&at("itera_quickstart.pt")).unwrap();
    let stop = Stop::default();
    stop.ask();
    let error = evaluate(&model, None, &tokens, &Protocol::default(), &Silent, &stop).unwrap_err();
    assert_eq!(error.message, "it was asked to end");
}

#[test]
fn a_request_to_end_is_heard_within_a_window_and_while_weights_are_read() {
    let path = format!("{QUICKSTART}/itera_quickstart.pt");
    let stop = Stop::default();
    let model = Model::open_until(&path, &stop).unwrap();
    let mut products = 0;
    let found = model.logits_tapped(&[1, 2, 3], &mut |_, _, _| {
        products += 1;
        stop.ask();
    });
    assert_eq!((found.unwrap_err().message.as_str(), products), ("it was asked to end", 1));
    assert_eq!(Model::open_until(&path, &stop).err().unwrap().message, "it was asked to end");
}

#[test]
fn no_windows_give_no_perplexity() {
    let at = |name: &str| format!("{QUICKSTART}/{name}");
    let tokens = Tokens::read(&at("corpus_heldout.txt"), Some(&at("tokenizer.json"))).unwrap();
    let model = Model::open(&at("itera_quickstart.pt")).unwrap();
    let none = Protocol { samples: Some(0), ..Protocol::default() };
    let error = evaluate(&model, None, &tokens, &none, &Silent, &Stop::default()).unwrap_err();
    assert_eq!(error.message, "no window is asked for");
}

#[test]
fn a_wrong_tokenizer_is_named() {
    let at = |name: &str| format!("{QUICKSTART}/{name}");
    let model = Model::open(&at("itera_quickstart.pt")).unwrap();
    let tokens = Tokens::read(&at("corpus_heldout.txt"), Some("bytes")).unwrap();
    let metric = measure(&model, &tokens, &Protocol { samples: Some(4), ..Protocol::default() }).metric;
    assert!(metric.perplexity > 640.0);
    assert!(metric.warnings[0].contains("the tokenizer is another one than in training"), "{metric:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ids.txt").to_string_lossy().into_owned();
    std::fs::write(&path, format!("{} 640 3\n", "5 ".repeat(200))).unwrap();
    let beyond = Tokens::read(&path, None).unwrap();
    let error = evaluate(&model, None, &beyond, &Protocol::default(), &Silent, &Stop::default()).unwrap_err();
    assert_eq!(error.message, "token 640 at position 200 is beyond the vocabulary of 640");
}

/// Ids of characters, as a program of the history numbers them: by the sorted characters of the text itself.
fn characters(text: &str, lines: bool) -> Vec<Vec<u32>> {
    let texts: Vec<&str> = match lines {
        true => text.lines().map(str::trim).filter(|l| !l.is_empty()).collect(),
        false => vec![text],
    };
    let joined = texts.join(" ");
    let mut table: Vec<char> = joined.chars().collect();
    table.sort_unstable();
    table.dedup();
    let id = |c: char| u32::try_from(table.binary_search(&c).unwrap()).unwrap();
    texts.into_iter().map(|t| t.chars().map(id).collect()).collect()
}

/// Mean over batches of 4 windows of the mean loss in each: the last batch may be smaller and counts as much.
fn mean_of_batches(windows: &[WindowLoss]) -> f64 {
    let means = windows.chunks(4).map(|batch| {
        let losses: Vec<f64> = batch.iter().flat_map(|w| w.losses.iter().copied()).collect();
        losses.iter().sum::<f64>() / losses.len() as f64
    });
    means.clone().sum::<f64>() / means.count() as f64
}

/// A checkpoint, its name in the reference, and how inputs are rounded.
type History = (&'static str, &'static str, Rounding);

/// Compares with the reference on the short texts, or on the long ones. Where inputs are rounded, windows are in calls of 4, as the
/// reference has them.
fn history((checkpoint, name, rounding): History, long: bool, place: Place) {
    let Some(folder) = bench_data::folder() else { return };
    let share = match (place, rounding) {
        (Place::Reference, _) => 1e-7,
        // Where a value lies near a half, sums in f32 round it the other way than sums in f64; and of two experts of one token
        // integers are sometimes equal, where the reference's weights, rounded to f32, prefer one.
        (_, Rounding::Torch) => 5e-4,
        _ => 1e-4,
    };
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let reference: Value = serde_json::from_str(&read("reference/ref_results.json")).unwrap();
    let reference = &reference[name];
    let model = Model::open(folder.join("checkpoints").join(checkpoint).to_str().unwrap()).unwrap();
    let model = model.with_rounding(rounding).unwrap().on(place).unwrap();
    let (stories, wiki) = ("data/datasets/tinystories_train.txt", "data/datasets/wikitext2_test.txt");
    let scratch = tempfile::tempdir().unwrap();
    let tokenizer = folder.join("data/tokenizer_2000.json").to_string_lossy().into_owned();
    let write = |file: &str, text: &str| {
        let path = scratch.path().join(file).to_string_lossy().into_owned();
        std::fs::write(&path, text).unwrap();
        path
    };
    let ids = |file: &str, ids: &[Vec<u32>]| {
        Tokens::read(&write(file, &serde_json::to_string(ids).unwrap()), None).unwrap()
    };
    let words = |file: &str, text: &str| Tokens::read(&write(file, text), Some(&tokenizer)).unwrap();
    let all = read(stories);
    // The program drops windows that end with their line.
    let mut lines = characters(&all, true);
    lines.iter_mut().for_each(|line| line.truncate(line.len() - 1));
    let held_out: String = all.chars().skip(all.chars().count() * 9 / 10).collect();

    let cases = [
        ("phase6_char_protocol", "wikitext2", ids("a.json", &characters(&read(wiki), false)), 128, Some(80)),
        ("phase6_char_protocol", "tinystories", ids("b.json", &lines), 64, Some(80)),
        ("phase6_char_protocol_full", "wikitext2", ids("a.json", &characters(&read(wiki), false)), 128, None),
        ("phase6_char_protocol_full", "tinystories", ids("b.json", &lines), 64, None),
        ("word_tokenizer_2000", "tinystories_val10", words("c.txt", &held_out), 64, None),
        ("word_tokenizer_2000", "tinystories_train_full", words("d.txt", &all), 64, None),
        ("word_tokenizer_2000", "wikitext2_test", words("e.txt", &read(wiki)), 64, None),
    ];
    for (protocol, data, tokens, stride, samples) in cases {
        if long != (protocol.ends_with("full") || data.ends_with("full")) {
            continue;
        }
        let expected = &reference[protocol][data];
        let what = format!("{name} {protocol} {data}");
        for (shift, field) in [(1, "perplexity"), (2, "ppl_2ahead")] {
            let protocol = Protocol {
                window: Some(129),
                stride: Some(stride),
                shift: Some(shift),
                samples,
                batch: Some(4),
                ..Protocol::default()
            };
            let found = measure(&model, &tokens, &protocol);
            assert_eq!(found.metric.windows, expected["windows"].as_u64().unwrap(), "{what}");
            let perplexity = match shift {
                1 => found.metric.perplexity,
                _ => mean_of_batches(&found.windows).exp(),
            };
            within(share, perplexity, expected[field].as_f64().unwrap(), &format!("{what} {field}"));
            if shift == 1 {
                let (top1, wanted) = (found.metric.top1, expected["top1_acc"].as_f64().unwrap());
                assert!((top1 - wanted).abs() < share, "{what}: {top1} {wanted}");
                if data == "wikitext2_test" {
                    assert_eq!(tokens.unknown, Some(2620));
                    assert!(found.metric.warnings.iter().any(|w| w.starts_with("83% of the tokens")));
                }
            }
        }
    }
}

const DISTILLED: History =
    ("distilled/itera_lite_micro_distilled.pt", "micro_distilled_fp32", Rounding::Format);
const INT4: History = ("int4/itera_lite_int4.pt", "micro_int4_fakequant", Rounding::Format);
const INT8: History =
    ("quantized/itera_lite_tiny_int8.pt", "tiny_vocab2000_int8_weightonly", Rounding::Format);
const ROUNDED: History = ("quantized/itera_lite_tiny_int8.pt", "tiny_vocab2000_int8_dynact", Rounding::Torch);

#[test]
fn the_distilled_checkpoint_has_the_perplexities_of_the_reference() {
    history(DISTILLED, false, Place::Native);
}

#[test]
fn the_int4_checkpoint_has_the_perplexities_of_the_reference() {
    history(INT4, false, Place::Native);
}

#[test]
fn the_packed_int8_checkpoint_has_the_perplexities_of_the_reference() {
    history(INT8, false, Place::Native);
}

#[test]
fn the_packed_int8_checkpoint_has_them_with_inputs_rounded_as_pytorch_does() {
    history(ROUNDED, false, Place::Native);
}

#[test]
fn the_distilled_checkpoint_has_them_in_f64() {
    history(DISTILLED, false, Place::Reference);
}

#[test]
fn the_int4_checkpoint_has_them_in_f64() {
    history(INT4, false, Place::Reference);
}

#[test]
fn the_packed_int8_checkpoint_has_them_in_f64_with_inputs_rounded_as_pytorch_does() {
    history(ROUNDED, false, Place::Reference);
}

#[test]
#[ignore = "minutes without optimisation"]
fn long_texts_have_the_perplexities_of_the_reference() {
    for of in [DISTILLED, INT4, INT8, ROUNDED] {
        history(of, true, Place::Native);
    }
}

#[test]
#[ignore = "minutes without optimisation"]
fn long_texts_have_them_in_f64() {
    history(INT8, false, Place::Reference);
    for of in [DISTILLED, INT4, INT8] {
        history(of, true, Place::Reference);
    }
}

#[test]
#[ignore = "minutes without optimisation"]
fn long_texts_have_them_in_f64_with_inputs_rounded_as_pytorch_does() {
    history(ROUNDED, true, Place::Reference);
}

#[test]
fn hostile_tokenizers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("text.txt").to_string_lossy().into_owned();
    std::fs::write(&data, "a b c").unwrap();
    let said = |bytes: &[u8]| {
        let path: &Path = &folder.path().join("tokenizer.json");
        std::fs::write(path, bytes).unwrap();
        Tokens::read(&data, Some(path.to_str().unwrap())).unwrap_err().message
    };
    let nested = "[".repeat(100_000);
    for (bytes, says) in [
        (nested.as_bytes(), "recursion limit"),
        (b"{\"model\": {\"vocab\": {\"a\": 1}, \"type\": \"BPE\"}}".as_slice(), ""),
        (b"{\"model\": {\"vocab\": {\"a\": \"1\"}}}", "no number"),
        (b"{\"token_to_id\": {\"a\": 99999999999}}", "no number"),
        (b"{\"token_to_id\": {\"z\": 0}}", "has no id"),
        (b"{\"token_to_id\": 3}", "no vocabulary"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"{", ""),
    ] {
        let message = said(bytes);
        println!("{message}");
        assert!(message.contains(says), "{message}");
    }
}
