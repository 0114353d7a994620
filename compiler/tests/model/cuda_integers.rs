//! Models whose inputs of products are rounded, on the CUDA engine beside the native one. A value near a half of a step is rounded
//! to the other side where sums before it differ in their last bits, so whole models are near each other, and no more; that codes
//! and products have the same bits is shown in `kernels/tests/cuda_model`.

use std::process::Command;

use icpc::eval::{Model, Rounding, State};

use super::bench_data;
use super::{PROGRAM, QUICKSTART, apart, counted, family, quickstart_ids};

/// Rounded on both, and how far that is from not rounded at all.
#[track_caller]
fn near(what: &str, native: &[f32], cuda: &[f32], plain: &[f32]) {
    let (share, rounding) = (apart(native, cuda), apart(native, plain));
    println!("{what}: {share:.1e} of the largest logit; rounding itself {rounding:.1e}");
    assert!(share < rounding / 10.0, "{what}: {share:e} beside {rounding:e} of the rounding itself");
}

/// Whole sequences and tokens one at a time, and how many were done again from what was written down.
fn agree(name: &str, open: &dyn Fn() -> Model, ids: &[u32]) {
    let Some((device, replays)) = counted() else { return };
    let (native, cuda) = (open(), open().on_cuda(&device).unwrap());
    let plain = open().with_rounding(Rounding::Float).unwrap().logits(ids).unwrap().values;
    let expected = native.logits(ids).unwrap();
    near(name, &expected.values, &cuda.logits(ids).unwrap().values, &plain);
    if !native.is_stepwise() {
        return;
    }
    let (mut state, mut values) = (State::new(), Vec::new());
    for id in ids {
        values.extend(cuda.next(&[*id], &mut state).unwrap().values);
    }
    near(&format!("{name}, token by token"), &expected.values, &values, &plain);
    replays.were(ids.len() - 1);
    let floats = cuda.with_rounding(Rounding::Float).unwrap().logits(ids).unwrap().values;
    let share = apart(&floats, &plain);
    assert!(share < 1e-5, "{name}, not rounded: {share:e}");
}

/// A model with its matrices in int8, and their inputs too.
fn in_integers(model: &Model, format: &str, is_matrix: impl Fn(&str) -> bool) -> Model {
    let format = icpc::sensitivity::parse_formats(format).unwrap()[0];
    let tensors = model.tensors();
    let names: Vec<&str> = tensors.iter().map(|t| t.name.as_str()).filter(|name| is_matrix(name)).collect();
    assert!(names.len() > 3, "{names:?}");
    let changes: Vec<(&str, _)> = names.into_iter().map(|name| (name, format)).collect();
    model.with_formats(&changes).unwrap()
}

#[test]
fn inputs_are_rounded_row_by_row() {
    let dynamic = "int8(per: channel, activations: dynamic)";
    let open = || {
        let ends = ["_proj.weight", "w1.weight", "w2.weight", "gate.weight"];
        let is_matrix = |name: &str| ends.iter().any(|end| name.ends_with(end));
        in_integers(&Model::open(QUICKSTART).unwrap(), dynamic, is_matrix)
    };
    agree("itera_lite, dynamic", &open, &quickstart_ids());
    let open = || in_integers(&family("llama").0, dynamic, |name| name.ends_with("_proj.weight"));
    agree("llama, dynamic", &open, &family("llama").1);
}

#[test]
fn matrices_that_products_take_the_other_way_round_too() {
    let format = "int8(per: channel, axis: 1, activations: dynamic)";
    let is_matrix = |name: &str| {
        name.contains(".h.")
            && (name.ends_with("c_attn.weight")
                || name.ends_with("c_proj.weight")
                || name.ends_with("c_fc.weight"))
    };
    let open = || in_integers(&family("gpt2").0, format, is_matrix);
    agree("gpt2, dynamic", &open, &family("gpt2").1);
}

#[test]
fn inputs_are_rounded_with_scales_of_calibration() {
    let folder = tempfile::tempdir().unwrap();
    let data = std::path::Path::new(QUICKSTART).parent().unwrap();
    let at = |name: &str| data.join(name).to_str().unwrap().to_owned();
    let recipe = folder.path().join("r.icp");
    let text = format!(
        "recipe r {{
            checkpoint {QUICKSTART:?}; target cpu;
            assign {{ layers.*.ssm.{{in,out}}_proj.weight => int8(per: channel, activations: static(percentile(99%))), _ => keep }}
            calibrate {{ data: {:?}, tokenizer: {:?}, max_length: 64, samples: 8 }}
            emit \"x\" as safetensors;
        }}",
        at("corpus_train_sample.txt"),
        at("tokenizer.json")
    );
    std::fs::write(&recipe, text).unwrap();
    let out = folder.path().join("out").to_str().unwrap().to_owned();
    let output = Command::new(PROGRAM)
        .args(["run", recipe.to_str().unwrap(), "--quiet", "--out", &out])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    agree("itera_lite, static", &|| Model::open(&out).unwrap(), &quickstart_ids());
}

#[test]
fn packed_layers_are_rounded_as_pytorch_does() {
    let Some(data) = bench_data::folder() else { return };
    let path = data.join("checkpoints/quantized/itera_lite_tiny_int8.pt");
    let open = || Model::open(path.to_str().unwrap()).unwrap().with_rounding(Rounding::Torch).unwrap();
    assert!(open().packed() > 0);
    let ids: Vec<u32> = (0..64).map(|i| i * 7 % 2000).collect();
    let Some((device, replays)) = counted() else { return };
    let (native, cuda) = (open(), open().on_cuda(&device).unwrap());
    let plain = open().with_rounding(Rounding::Float).unwrap().logits(&ids).unwrap().values;
    near("packed", &native.logits(&ids).unwrap().values, &cuda.logits(&ids).unwrap().values, &plain);
    // a call is one token now, on both
    let along = |model: &Model| {
        let mut state = State::new();
        let rows = ids.iter().map(|id| model.next(&[*id], &mut state).unwrap().values);
        rows.collect::<Vec<_>>().concat()
    };
    near("packed, token by token", &along(&native), &along(&cuda), &plain);
    replays.were(ids.len() - 1);
    let error = cuda.logits_together(&ids, 2).unwrap_err().to_string();
    assert!(error.contains("one sequence at a time") && error.contains("--backend native"), "{error}");
}
