//! What the program does with perplexities: requirements that a run decides, metrics that are compared, and calibration.

use std::path::Path;
use std::process::{Command, Output};

use icpc::report::Metric;

const PROGRAM: &str = env!("CARGO_BIN_EXE_icpc");
const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");

fn icpc(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new(PROGRAM).args(arguments).current_dir(folder).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

/// A recipe for the quickstart checkpoint, with `items` in it, and what it names.
fn folder(items: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["itera_quickstart.pt", "tokenizer.json", "corpus_heldout.txt"] {
        std::fs::copy(format!("{QUICKSTART}/{name}"), folder.path().join(name)).unwrap();
    }
    let recipe = format!(
        "recipe r {{ checkpoint \"itera_quickstart.pt\"; target cpu; assign {{ @linear where rank == 2 => int4, _ => fp16 }}
         evaluate {{ data: \"corpus_heldout.txt\", tokenizer: \"tokenizer.json\", samples: 4 }}
         emit \"out\" as safetensors; {items} }}"
    );
    std::fs::write(folder.path().join("r.icp"), recipe).unwrap();
    folder
}

#[test]
fn a_run_decides_a_perplexity_and_reports_it() {
    let folder = folder("require { perplexity <= 150% of baseline; perplexity <= 20; }");
    let (code, said) = icpc(folder.path(), &["run", "r.icp", "--quiet"]);
    assert_eq!(code, Some(0), "{said}");
    let report = std::fs::read_to_string(folder.path().join("out/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let metric: Metric = serde_json::from_value(report["evaluation"].clone()).unwrap();
    assert!(metric.perplexity > metric.against.unwrap().perplexity);
    assert_eq!(metric.windows, 4);
    let page = std::fs::read_to_string(folder.path().join("out/report.md")).unwrap();
    assert!(page.contains("## Perplexity\n\nOn `corpus_heldout.txt`: windows of 128 tokens"), "{page}");
    let (code, said) = icpc(folder.path(), &["verify", "out"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_perplexity_that_is_too_high_ends_a_run_with_4() {
    let folder = folder("require { perplexity <= 99.9% of baseline; }");
    for _ in 0..2 {
        // The second time the output is there, and the requirement is not met either.
        let (code, said) = icpc(folder.path(), &["run", "r.icp", "--quiet"]);
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains("requirement not met: perplexity <= 99.9% of baseline, but it is "), "{said}");
    }
}

#[test]
fn a_text_that_cannot_be_measured_on_is_refused_before_anything_is_written() {
    let folder = folder("require { perplexity <= 105% of baseline; }");
    let words = "the baker asks\n".repeat(20);
    let said_of = |text: &[u8]| {
        std::fs::write(folder.path().join("corpus_heldout.txt"), text).unwrap();
        let (code, said) = icpc(folder.path(), &["run", "r.icp", "--quiet"]);
        assert!(!folder.path().join("out").exists() && !folder.path().join(".out.icpc").exists(), "{said}");
        (code, said)
    };
    // Its bytes tell it to the checker.
    let (code, said) = said_of(b"the baker asks\n");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("a text of 15 bytes has no window of 128 tokens"), "{said}");
    let (code, said) = said_of(words.as_bytes());
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("80 tokens are fewer than the 128 of a window; take a shorter window"), "{said}");
    let (code, said) = said_of(&[words.as_bytes(), b"the \xff\n"].concat());
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("not UTF-8 at byte 304"), "{said}");
}

#[test]
fn numbers_that_measure_nothing_and_files_that_cannot_be_written_are_refused_before() {
    let folder = folder("");
    let eval = |more: &[&str]| {
        let text =
            ["eval", "itera_quickstart.pt", "--data", "corpus_heldout.txt", "--tokenizer", "tokenizer.json"];
        icpc(folder.path(), &[&text, more].concat())
    };
    for field in ["--window", "--stride", "--shift", "--samples", "--batch"] {
        let (code, said) = eval(&[field, "0"]);
        assert_eq!(code, Some(2), "{said}");
    }
    let (code, said) = eval(&["--window", "130"]);
    assert_eq!(code, Some(3), "{said}");
    let message =
        "windows of 130 run 129 tokens, and the model has 128 positions; take windows of at most 129";
    assert!(said.contains(message), "{said}");
    for (out, reason) in [("nowhere/m.json", "there is no folder `nowhere`"), (".", "it is a folder")] {
        let (code, said) = eval(&["--out", out]);
        assert_eq!((code, said), (Some(3), format!("error: {out}: writing: {reason}\n")));
    }
}

#[test]
fn only_metrics_of_the_same_measurement_are_compared() {
    let folder = folder("");
    let measured = |more: &[&str]| {
        let same =
            ["eval", "itera_quickstart.pt", "--quiet", "--samples", "2", "--data", "corpus_heldout.txt"];
        icpc(folder.path(), &[&same[..], more].concat())
    };
    let tokenizer = ["--tokenizer", "tokenizer.json"];
    let (code, said) = measured(&[&tokenizer[..], &["--out", "m.json"]].concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = measured(&[&tokenizer[..], &["--against", "m.json", "--format", "json"]].concat());
    assert_eq!(code, Some(0), "{said}");
    let metric: Metric = serde_json::from_str(&said).unwrap();
    assert_eq!(metric.against.unwrap().ratio, 1.0);
    let (code, said) = measured(&[&tokenizer[..], &["--against", "m.json", "--window", "64"]].concat());
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("the window is 64 here and 128 there"), "{said}");
    let (code, said) = measured(&["--tokenizer", "bytes", "--against", "m.json"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("is bytes here and "), "{said}");
    assert!(!folder.path().join("m.json.partial").exists());
}

#[test]
fn calibration_runs_the_samples_that_were_asked_for() {
    let calibrate =
        "calibrate { data: \"corpus_heldout.txt\", tokenizer: \"tokenizer.json\", max_length: 32,";
    let made = |fields: &str, threads: &str| {
        let folder = folder(&format!("{calibrate} {fields} }}"));
        let (code, said) = icpc(
            folder.path(),
            &["calibrate", "r.icp", "--quiet", "--threads", threads, "--out", "c.safetensors"],
        );
        (code, said, std::fs::read(folder.path().join("c.safetensors")).ok())
    };
    let (code, said, one) = made("samples: 5, batch: 1", "1");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("wrote `c.safetensors`: 5 samples of 160 tokens"), "{said}");
    assert_eq!(one, made("samples: 5, batch: 3", "2").2, "threads and batches change no byte");
    assert_ne!(one, made("samples: 5, seed: 7", "2").2);
    let (code, said, file) = made("samples: 2000", "1");
    assert_eq!((code, file), (Some(3), None), "{said}");
    assert!(said.contains("18692 tokens make 585 samples of 32, not 2000"), "{said}");
    // Any reader of safetensors reads it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.safetensors");
    std::fs::write(&path, one.unwrap()).unwrap();
    let schema = icpc::checkpoint::open(&path).unwrap();
    let shape = |name: &str| {
        let tensor = schema.tensors.iter().find(|t| *t.name == *name).unwrap();
        tensor.shape.0.to_vec()
    };
    assert_eq!(shape("layers.0.ssm.in_proj.weight.second_moment"), [128]);
    assert_eq!(shape("layers.0.ssm.in_proj.weight.percentiles"), [8]);
}

/// The most memory that a program has had; the system tells it while it runs.
#[cfg(target_os = "linux")]
fn peak_of(folder: &Path, arguments: &[&str]) -> u64 {
    use std::process::Stdio;
    let mut program = Command::new(PROGRAM);
    program.args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = program.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    peak
}

#[test]
#[cfg(target_os = "linux")]
fn the_measurement_takes_what_the_plan_says_at_most() {
    use icpc::plan::memory::{LIBTORCH, evaluation_memory};
    let folder = folder("require { perplexity <= 150% of baseline; }");
    let (code, said) = icpc(folder.path(), &["run", "r.icp", "--quiet"]);
    assert_eq!(code, Some(0), "{said}");
    let file = folder.path().join("r.icp").to_string_lossy().into_owned();
    let mut session = icpc::session::Session::new();
    icpc::system::load(&mut session, &file, None).unwrap();
    let plan = session.analysis(&file, "r").unwrap().plan.clone().unwrap();
    let layout = session.layout(&file, "r").unwrap();
    let backends: &[&str] = if cfg!(feature = "torch") { &["native", "torch"] } else { &["native"] };
    for (threads, backend) in [1, 4].into_iter().flat_map(|t| backends.iter().map(move |b| (t, b))) {
        let count = threads.to_string();
        let arguments = ["eval", "out", "--against", "itera_quickstart.pt", "--data", "corpus_heldout.txt"];
        let rest = ["--tokenizer", "tokenizer.json", "--threads", &count, "--backend", backend, "--quiet"];
        let measured = peak_of(folder.path(), &[&arguments[..], &rest[..]].concat());
        let planned = evaluation_memory(&plan, &layout, threads).unwrap() + LIBTORCH;
        println!("{threads} threads, {backend}: {measured} B measured, {planned} B planned");
        assert!(measured <= planned && planned <= 3 * measured, "{measured} measured, {planned} planned");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_calibration_takes_what_the_plan_says_at_most() {
    use icpc::plan::memory::calibration_memory;
    let folder = folder("");
    let file = folder.path().join("s.icp").to_string_lossy().into_owned();
    let recipe = "recipe s { checkpoint \"itera_quickstart.pt\"; target cpu;
        assign { @linear where rank == 2 => int8(per: channel, activations: static(absmax)), _ => keep }
        calibrate { data: \"corpus_heldout.txt\", tokenizer: \"tokenizer.json\", samples: 40, max_length: 128 }
        emit \"out\" as safetensors; }";
    std::fs::write(&file, recipe).unwrap();
    let mut session = icpc::session::Session::new();
    icpc::system::load(&mut session, &file, None).unwrap();
    let plan = session.analysis(&file, "s").unwrap().plan.clone().unwrap();
    for threads in [1, 4] {
        let count = threads.to_string();
        let arguments = ["calibrate", "s.icp", "--quiet", "--out", "c.safetensors", "--threads", &count];
        let measured = peak_of(folder.path(), &arguments);
        let planned = calibration_memory(&plan, threads).unwrap();
        println!("{threads} threads: {measured} B measured, {planned} B planned");
        assert!(measured <= planned && planned <= 3 * measured, "{measured} measured, {planned} planned");
    }
}
