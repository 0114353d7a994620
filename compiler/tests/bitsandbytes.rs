//! bitsandbytes itself loads and dequantises what is written for it, to the numbers of `icpc dequantize`.
//!
//! Opt-in, since it needs Python with torch and bitsandbytes, several gigabytes:
//!
//! ```text
//! cargo test -p icpc --test bitsandbytes -- --ignored
//! ```
//!
//! installs them once into a virtual environment below the target folder; `ICPC_PYTHON` names an interpreter that has
//! them already.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod python;

use std::process::Command;

use python::{TOP, python, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");

/// Recipes for the quickstart checkpoint: every kind that bitsandbytes loads, blocks within rows and across them.
const RECIPES: [(&str, &str); 5] = [
    ("double", "layers.*.moe.**.{w1,w2}.weight => nf4(block: 64, double: true), _ => fp16"),
    ("plain", "@linear where rank == 2 => nf4(block: 128), _ => keep"),
    (
        "both",
        "layers.*.moe.** where rank == 2 => nf4(block: 256, double: true), layers.*.ssm.in_proj.weight => nf4, _ => keep",
    ),
    ("other", "@linear where rank == 2 => fp4(double: true), _ => bf16"),
    ("eight", "@linear where rank == 2 => int8(per: channel), _ => keep"),
];

#[test]
#[ignore = "needs Python with torch and bitsandbytes, and installs them unless ICPC_PYTHON names one"]
fn outputs_load_and_dequantise_there() {
    let python = python("python-oracles", "requirements.txt");
    let folder = tempfile::tempdir().unwrap();
    let source = format!("{TOP}/examples/quickstart/itera_quickstart.pt");
    for (name, arms) in RECIPES {
        let recipe = folder.path().join("recipe.icp");
        let items =
            format!("checkpoint {source:?}; target cpu; assign {{ {arms} }} emit \"x\" as bitsandbytes;");
        let text = format!("use std::arch::itera_lite;\nrecipe r for itera_lite {{ {items} }}");
        std::fs::write(&recipe, text).unwrap();
        let (out, again) = (folder.path().join(name), folder.path().join(format!("{name}-again")));
        run(Command::new(PROGRAM).arg("run").arg(&recipe).arg("--quiet").arg("--out").arg(&out));
        run(Command::new(PROGRAM).args(["dequantize", "--to", "fp32"]).arg(&out).arg(&again));
        let script = format!("{TOP}/tests/python/load_bitsandbytes.py");
        let said = run(Command::new(&python).arg(script).arg(&out).arg(&source).arg(&again));
        println!("{name}\n{said}");
        assert!(said.contains("\nok"), "{said}");
    }
}
