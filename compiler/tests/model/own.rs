//! The architecture of one's own of `docs/forward.md`, run as a user runs it, against its formula written out in f64.

use std::path::Path;

use icpc::eval::Model;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/forward.md");
const TENSORS: [(&str, &[usize]); 11] = [
    ("words.weight", &[40, 12]),
    ("places.weight", &[16, 12]),
    ("blocks.0.norm.weight", &[12]),
    ("blocks.1.norm.weight", &[12]),
    ("blocks.0.mix.weight", &[12, 1, 3]),
    ("blocks.1.mix.weight", &[12, 1, 3]),
    ("blocks.0.gate_up.weight", &[40, 12]),
    ("blocks.1.gate_up.weight", &[40, 12]),
    ("blocks.0.down.weight", &[12, 20]),
    ("blocks.1.down.weight", &[12, 20]),
    ("last.weight", &[12]),
];

fn values(number: usize, len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 37 + number * 11) % 101) as f32 / 101.0 - 0.45).collect()
}

fn weight(name: &str) -> Vec<f64> {
    let number = TENSORS.iter().position(|(n, _)| *n == name).unwrap();
    values(number, TENSORS[number].1.iter().product()).into_iter().map(f64::from).collect()
}

fn write(folder: &Path, change: impl Fn(&str, &mut [f32])) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (number, (name, shape)) in TENSORS.iter().enumerate() {
        let mut values = values(number, shape.iter().product());
        change(name, &mut values);
        let start = data.len();
        data.extend(values.into_iter().flat_map(f32::to_le_bytes));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        header.insert((*name).to_owned(), entry);
    }
    let text = serde_json::to_vec(&header).unwrap();
    let file = [&(text.len() as u64).to_le_bytes()[..], &text, &data].concat();
    std::fs::write(folder.join("gated.safetensors"), file).unwrap();
    // The first recipe of the page, as it stands there.
    let page = std::fs::read_to_string(PAGE).unwrap();
    let recipe = page.split("```icp\n").nth(1).unwrap().split("```").next().unwrap();
    std::fs::write(folder.join("gated.icp"), recipe).unwrap();
}

fn open(folder: &Path) -> Result<Model, icpc::eval::EvalError> {
    Model::open_for(folder.join("gated.icp").to_str().unwrap(), "small", None)
}

/// `x w^T` of rows.
fn product(x: &[Vec<f64>], w: &[f64]) -> Vec<Vec<f64>> {
    let row = |x: &Vec<f64>| w.chunks(x.len()).map(|w| w.iter().zip(x).map(|(a, b)| a * b).sum()).collect();
    x.iter().map(row).collect()
}

fn rms(x: &[Vec<f64>], w: &[f64]) -> Vec<Vec<f64>> {
    let row = |x: &Vec<f64>| {
        let mean = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
        x.iter().zip(w).map(|(v, w)| v / (mean + 1e-6).sqrt() * w).collect()
    };
    x.iter().map(row).collect()
}

/// The page's forward.
fn expected(ids: &[u32]) -> Vec<f64> {
    let (words, places) = (weight("words.weight"), weight("places.weight"));
    let table = |t: &[f64], row: usize| t[row * 12..(row + 1) * 12].to_vec();
    let mut x: Vec<Vec<f64>> = Vec::new();
    for (position, id) in ids.iter().enumerate() {
        x.push(
            table(&words, *id as usize).iter().zip(table(&places, position)).map(|(a, b)| a + b).collect(),
        );
    }
    for block in 0..2 {
        let part = |name: &str| weight(&format!("blocks.{block}.{name}.weight"));
        let (h, taps) = (rms(&x, &part("norm")), part("mix"));
        let mixed: Vec<Vec<f64>> = (0..h.len())
            .map(|t| {
                let channel =
                    |c: usize| (0..3).filter(|j| t + j >= 2).map(|j| taps[c * 3 + j] * h[t + j - 2][c]).sum();
                (0..12).map(channel).collect()
            })
            .collect();
        let both = product(&mixed, &part("gate_up"));
        let silu = |v: f64| v / (1.0 + (-v).exp());
        let inner: Vec<Vec<f64>> =
            both.iter().map(|r| (0..20).map(|i| silu(r[i]) * r[20 + i]).collect()).collect();
        for (x, y) in x.iter_mut().zip(product(&inner, &part("down"))) {
            x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
        }
    }
    product(&rms(&x, &weight("last.weight")), &words).concat()
}

#[test]
fn it_gives_the_numbers_of_its_formula() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), |_, _| {});
    let ids = [3, 39, 0, 17, 17, 8, 25];
    let logits = open(folder.path()).unwrap().logits(&ids).unwrap();
    let expected = expected(&ids);
    assert_eq!(logits.values.len(), expected.len());
    let largest =
        logits.values.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    assert!(largest < 1e-5, "{largest:e}");
}

#[test]
fn nan_in_a_weight_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), |name, values| {
        if name == "blocks.1.down.weight" {
            values[7] = f32::NAN;
        }
    });
    let error = open(folder.path()).err().unwrap();
    assert_eq!(error.tensor.as_deref(), Some("blocks.1.down.weight"));
    assert_eq!(error.message, "element 7 is NaN or infinite");
}

#[test]
fn infinity_in_a_result_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), |name, values| {
        if name == "blocks.1.gate_up.weight" {
            values.iter_mut().for_each(|v| *v *= 1e30);
        }
    });
    let error = open(folder.path()).unwrap().logits(&[1, 2]).unwrap_err();
    assert_eq!((error.layer.as_deref(), error.operation.as_str()), (Some("blocks.1"), "mul"));
    assert!(error.message.starts_with("element "), "{error}");
}

#[test]
fn the_commands_of_the_page_take_its_recipe() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), |_, _| {});
    let ids: Vec<String> = (0..64).map(|i| (i * 7 % 40).to_string()).collect();
    std::fs::write(folder.path().join("ids.txt"), ids.join(" ")).unwrap();
    let page = std::fs::read_to_string(PAGE).unwrap();
    let commands = page.split("### Whether it is right").nth(1).unwrap().split("```").nth(1).unwrap();
    let commands: Vec<&str> = commands.lines().filter_map(|line| line.strip_prefix("$ icpc ")).collect();
    assert_eq!(commands.len(), 5);
    for command in commands {
        let words = command.split('#').next().unwrap().split_whitespace();
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_icpc"));
        program.args(words).current_dir(folder.path());
        if command.starts_with("bench") {
            program.args(["--seconds", "0"]);
        }
        let found = program.output().unwrap();
        assert_eq!(found.status.code(), Some(0), "{command}: {}", String::from_utf8_lossy(&found.stderr));
        if command.starts_with("bench") {
            let said = String::from_utf8_lossy(&found.stdout).into_owned();
            assert!(said.contains("1.00x  gated.safetensors\n") && said.contains("x  out\n"), "{said}");
        }
    }
}
