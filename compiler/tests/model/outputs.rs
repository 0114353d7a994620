//! Outputs of runs are models, too: with their weights as they are stored, they give what their decoded copies give.

use std::path::Path;
use std::process::Command;

use icpc::eval::Model;

const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart/itera_quickstart.pt");

fn run(arguments: &[&str]) {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes an output of the quickstart checkpoint and its decoded copy.
fn make(folder: &Path, name: &str, arms: &str, container: &str) -> (String, String) {
    let recipe = folder.join(format!("{name}.icp"));
    let items = format!("checkpoint {SOURCE:?}; target cpu; assign {{ {arms} }} emit \"x\" as {container};");
    std::fs::write(&recipe, format!("recipe r {{ {items} }}")).unwrap();
    let text = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let (out, copy) = (text(folder.join(name)), text(folder.join(format!("{name}-decoded"))));
    run(&["run", recipe.to_str().unwrap(), "--quiet", "--out", &out]);
    run(&["dequantize", "--to", "fp32", &out, &copy]);
    (out, copy)
}

#[test]
fn stored_weights_give_the_logits_of_decoded_ones() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<u32> = (0..20).map(|i| i * 29 % 600).collect();
    let cases = [
        (
            "int8",
            "@linear where rank == 2 => int8(per: channel), embedding.weight => int8, _ => fp16",
            "safetensors",
        ),
        ("nf4", "@linear where rank == 2 => nf4(block: 64, double: true), _ => bf16", "safetensors"),
        ("int4", "@linear where rank == 2 => int4(per: block 32), _ => keep", "safetensors"),
        (
            "loadable",
            "@linear where rank == 2 => nf4(block: 64), embedding.weight => keep, _ => fp16",
            "bitsandbytes",
        ),
    ];
    for (name, arms, container) in cases {
        let (out, copy) = make(folder.path(), name, arms, container);
        let (stored, decoded) = (Model::open(&out).unwrap(), Model::open(&copy).unwrap());
        assert!(stored.weight_bytes() < decoded.weight_bytes(), "{name}: weights stay compressed");
        let (a, b) = (stored.logits(&ids).unwrap(), decoded.logits(&ids).unwrap());
        let largest = a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name}: largest difference {largest:.1e}");
        assert!(largest < 1e-4, "{name}: {largest:e}");
    }
}

#[test]
fn what_no_file_told_is_said() {
    let model = Model::open(SOURCE).unwrap();
    // The quickstart's checkpoint holds its configuration; an output of it has none.
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = make(folder.path(), "plain", "_ => fp16", "safetensors");
    println!("{:?} {:?}", model.assumed(), Model::open(&out).unwrap().assumed());
    assert!(Model::open(&out).unwrap().assumed().contains(&"top_k = 2".to_owned()));
}
