//! Products that are computed in integers: what goes into them is rounded in training as when the output runs.

use std::path::Path;
use std::process::Command;

use super::training::{done, perplexities, report, weights};
use super::{PROGRAM, command, folder, ids};

fn eval(folder: &Path, more: &[&str]) -> f64 {
    let mut eval = Command::new(PROGRAM);
    eval.args(["eval", "tune.icp", "--recipe", "integers", "--format", "json"]).args(more);
    let measured = eval.current_dir(folder).output().unwrap();
    let metric: serde_json::Value = serde_json::from_slice(&measured.stdout).unwrap();
    metric["perplexity"].as_f64().unwrap()
}

/// The values of a tensor of f32.
fn floats(file: &[u8], name: &str) -> Vec<f32> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    assert_eq!(header[name]["dtype"], "F32", "{name}: {header}");
    let place = &header[name]["data_offsets"];
    let at = |end: usize| 8 + length + place[end].as_u64().unwrap() as usize;
    file[at(0)..at(1)].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn inputs_of_integer_products_are_rounded_in_training_too() {
    let folder = folder(0.3);
    done(command(folder.path(), "integers", &[]));
    let found = perplexities(&report(folder.path(), "out"));
    assert!(found[1] < 0.7 * found[0], "{found:?}");
    let stored = eval(folder.path(), &[]);
    println!("{stored} {found:?}, {} with inputs in f32", eval(folder.path(), &["--activations", "fp32"]));
    assert!((stored / found[1] - 1.0).abs() < 1e-4, "{stored} {found:?}");

    let page = std::fs::read_to_string(folder.path().join("out/report.md")).unwrap();
    let said = "- activations of 8 samples of at most 16 tokens of `held.txt`, seed 3, run through the trained model";
    assert!(page.contains(said), "{page}");

    // The scales are those of what was stored, not of what was trained.
    let mut dense = Command::new(PROGRAM);
    dense.args(["dequantize", "--to", "fp32", "out", "dense"]).current_dir(folder.path());
    done(dense);
    for (name, checkpoint) in [("after", "dense"), ("before", "model.safetensors")] {
        let mut calibrate = Command::new(PROGRAM);
        calibrate.args(["calibrate", "tune.icp", "--recipe", "integers", "--checkpoint", checkpoint]);
        calibrate.args(["--quiet", "--out", name]).current_dir(folder.path());
        done(calibrate);
    }
    let scale = |block: usize| {
        floats(&weights(folder.path(), "out"), &format!("blocks.{block}.down.weight.activation_scale"))[0]
    };
    let measured = |file: &str, block: usize| {
        let file = std::fs::read(folder.path().join(file)).unwrap();
        // the third of the percentiles that `calibrate` keeps
        floats(&file, &format!("blocks.{block}.down.weight.percentiles"))[2] / 127.0
    };
    for block in 0..3 {
        let (found, after, before) = (scale(block), measured("after", block), measured("before", block));
        println!("block {block}: {found}, after training {after}, before {before}");
        assert!((found / after - 1.0).abs() < 2e-3, "{block}: {found} {after}");
        assert!((found / before - 1.0).abs() > 1e-2, "{block}: {found} {before}");
    }
}

#[test]
fn the_loss_of_a_step_is_that_of_what_would_be_stored() {
    let folder = folder(0.3);
    std::fs::write(folder.path().join("one.txt"), ids(16, 5)).unwrap();
    // a step that moves nothing, without a teacher
    let text = std::fs::read_to_string(folder.path().join("tune.icp")).unwrap();
    std::fs::write(folder.path().join("tune.icp"), text.replace("labels: 90%", "distill: false")).unwrap();
    let one = ["--set", "data=\"one.txt\"", "--set", "held=\"one.txt\""];
    done(command(
        folder.path(),
        "integers",
        &[&one[..], &["--set", "steps=1", "--set", "lr=1e-12"]].concat(),
    ));
    let loss = report(folder.path(), "out")["tune"]["losses"][0]["loss"].as_f64().unwrap();
    let stored = eval(folder.path(), &one).ln();
    let float = eval(folder.path(), &[&one[..], &["--activations", "fp32"]].concat()).ln();
    println!("{loss} in training, {stored} stored, {float} with inputs in f32");
    assert!((stored - loss).abs() < 1e-4 * loss, "{stored} {loss}");
    assert!((stored - loss).abs() * 10.0 < (stored - float).abs(), "{stored} {loss} {float}");
}
