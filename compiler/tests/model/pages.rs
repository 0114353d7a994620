//! `icpc bench` and `icpc report`, as they are called. Nothing here depends on how long anything takes.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart/itera_quickstart.pt");

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn make(folder: &Path, name: &str, arms: &str) -> String {
    let recipe = folder.join(format!("{name}.icp"));
    std::fs::write(
        &recipe,
        format!("recipe {name} {{ checkpoint {SOURCE:?}; assign {{ {arms} }} emit \"x\"; }}"),
    )
    .unwrap();
    let out = folder.join(name).to_str().unwrap().to_owned();
    let (code, _, stderr) = run(&["run", recipe.to_str().unwrap(), "--quiet", "--out", &out]);
    assert_eq!(code, Some(0), "{stderr}");
    out
}

#[test]
fn models_are_measured_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let out = make(folder.path(), "small", "** where rank == 2 => int8, _ => fp16");
    let few = ["--seconds", "0", "--prompt", "8", "--generate", "3", "--threads", "2"];
    let (code, stdout, stderr) = run(&[&["bench", SOURCE, &out, "--format", "json"][..], &few].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let found: Value = serde_json::from_str(&stdout).unwrap();
    let models = found["models"].as_array().unwrap();
    assert_eq!(models.len(), 2);
    for model in models {
        let rounds = found["rounds"].as_u64().unwrap();
        assert_eq!(model["prompt"]["seconds"]["count"].as_u64(), Some(rounds));
        assert_eq!(model["token"]["seconds"]["count"].as_u64(), Some(rounds * 3));
        for part in ["prompt", "token"] {
            let s = |name: &str| model[part]["seconds"][name].as_f64().unwrap();
            assert!(
                0.0 < s("least")
                    && s("least") <= s("median")
                    && s("median") <= s("p90")
                    && s("p90") <= s("most")
            );
        }
        assert!(model["share"].as_f64().unwrap() > 0.0);
    }
    // The tied head lies in memory once; a token reads all of it, of the embedding one row, of the experts some.
    assert_eq!(models[0]["weight_bytes"].as_u64(), Some(2_902_176 - 2 * 4 * 4));
    assert!(models[1]["weight_bytes"].as_u64() < models[0]["weight_bytes"].as_u64());
    let read = models[0]["read_bytes"].as_u64().unwrap();
    assert!(read < models[0]["weight_bytes"].as_u64().unwrap(), "{read}");
    let (code, stdout, stderr) = run(&[&["bench", SOURCE, &out][..], &few].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("3 single tokens behind 8 tokens") && stdout.contains("of the bandwidth"),
        "{stdout}"
    );
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let (code, _, stderr) = run(&["bench", SOURCE, "--prompt", "129"]);
    assert!(code == Some(2) && stderr.contains("give `--prompt 128`"), "{stderr}");
    let (code, _, stderr) = run(&["bench", SOURCE, "--generate", "128"]);
    assert!(code == Some(2) && stderr.contains("give `--generate 64`"), "{stderr}");
    assert_eq!(run(&["bench", "/nowhere.pt"]).0, Some(3));
}

#[test]
fn a_page_has_every_number_and_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let within = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let first = make(folder.path(), "a", "** where rank == 2 => nf4(block: 64), _ => fp16");
    let second = make(folder.path(), "b", "embedding.weight => int8, _ => keep");
    // Names come from files of others.
    let report = format!("{first}/report.json");
    let text = std::fs::read_to_string(&report).unwrap();
    let hostile = text.replace(
        "\"name\": \"norm.bias\"",
        "\"name\": \"<script>alert('x')</script>\\u202e\\u0007\\\" onload=\\\"x\"",
    );
    assert_ne!(text, hostile);
    std::fs::write(&report, &hostile).unwrap();
    let (page, figures) = (within("page.html"), within("figures"));
    let arguments = ["report", &first, &second, "--out", &page, "--svg", &figures];
    let (code, _, stderr) = run(&arguments);
    assert_eq!(code, Some(0), "{stderr}");
    let html = std::fs::read_to_string(&page).unwrap();
    for word in ["<script", "\u{202e}", "\u{7}", "\" onload", "http://", "https://", "src=", "@import"] {
        let allowed =
            if word == "http://" { html.matches("xmlns=\"http://www.w3.org/2000/svg\"").count() } else { 0 };
        assert_eq!(html.matches(word).count(), allowed, "{word}");
    }
    let data: Value = serde_json::from_str(&hostile).unwrap();
    for tensor in data["tensors"].as_array().unwrap() {
        let bytes = icpc::base::with_thousands(tensor["bytes"].as_u64().unwrap());
        assert!(html.contains(&format!("<td class=\"n\">{bytes}</td>")), "{tensor}");
    }
    let names: Vec<String> =
        std::fs::read_dir(&figures).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    for name in names {
        let svg = std::fs::read_to_string(format!("{figures}/{name}")).unwrap();
        assert!(
            svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n") && !svg.contains("<script"),
            "{name}"
        );
        // Patterns tell precisions apart, not colours alone.
        assert!(svg.contains("<pattern id=") && svg.contains("stripes, square"), "{name}");
    }
    let (code, _, stderr) = run(&arguments);
    assert!(code == Some(3) && stderr.contains("exists: remove it first, or add `--force`"), "{stderr}");
    let (again, force) = (within("again.html"), within("more"));
    assert_eq!(run(&["report", &first, &second, "--out", &again, "--svg", &force]).0, Some(0));
    assert_eq!(std::fs::read_to_string(&again).unwrap(), html, "the same reports, the same page");
}

#[test]
fn figures_are_pixels_where_that_was_built() {
    let folder = tempfile::tempdir().unwrap();
    let output = make(folder.path(), "a", "_ => fp16");
    let within = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (code, _, stderr) =
        run(&["report", &output, "--out", &within("page.html"), "--png", &within("figures")]);
    if cfg!(feature = "png") {
        assert_eq!(code, Some(0), "{stderr}");
        let bytes = std::fs::read(within("figures/precision-1.png")).unwrap();
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 10_000, "{}", bytes.len());
    } else {
        assert!(code == Some(3) && stderr.contains("build it with `--features png`"), "{stderr}");
        assert!(!Path::new(&within("page.html")).exists(), "a command that fails leaves nothing");
    }
}

#[test]
fn what_is_no_report_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().to_str().unwrap();
    let (code, _, stderr) = run(&["report", name]);
    assert!(code == Some(3) && stderr.contains("give the folder that `icpc run` wrote"), "{stderr}");
    std::fs::write(folder.path().join("report.json"), "{\"schema\": 1}").unwrap();
    let (code, _, stderr) = run(&["report", name]);
    assert!(code == Some(3) && stderr.contains("run the recipe again"), "{stderr}");
}
