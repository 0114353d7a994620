//! Runs that end early and go on, and runs that several tasks share: the output is that of one undisturbed process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use icpc_kernels::DType;
use icpc_kernels::format::{Activations, Format, Int, IntBits, Percentile};

use crate::exec::fixture::{Fixture, names};
use crate::exec::{
    Calibrator, Magnitudes, Outcome, Progress, RunError, RunErrorKind, RunOptions, Silent, Stop, Task, run,
    share_sentence, status,
};
use crate::plan::ir::Plan;
use crate::plan::sample::{cast, moe};
use crate::report::{CalibrationReport, TextHash};

/// Asks a run to end after so many bytes, and remembers its notes.
#[derive(Default)]
struct After {
    stop: Stop,
    bytes: u64,
    seen: AtomicU64,
    notes: Mutex<Vec<String>>,
}

impl Progress for After {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn end(&self) {}

    fn advance(&self, bytes: u64) {
        if self.seen.fetch_add(bytes, Ordering::Relaxed) + bytes > self.bytes {
            self.stop.ask();
        }
    }

    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
    }
}

/// Says what inputs of products were, and counts how often it was asked.
struct Said {
    record: CalibrationReport,
    magnitude: Option<f32>,
    asked: AtomicU64,
}

impl Said {
    fn of(data: &str, magnitude: Option<f32>) -> Arc<Said> {
        let text = |name: &str| TextHash { name: name.to_owned(), sha256: String::new() };
        let record = CalibrationReport {
            data: text(data),
            tokenizer: text("bytes"),
            samples: 4,
            max_length: 16,
            seed: None,
            statistics: None,
        };
        Arc::new(Said { record, magnitude, asked: AtomicU64::new(0) })
    }
}

impl Calibrator for Said {
    fn record(&self) -> &CalibrationReport {
        &self.record
    }

    fn magnitudes(
        &self,
        wanted: &BTreeMap<String, Percentile>,
        _progress: &dyn Progress,
        _stop: &Stop,
    ) -> Result<Magnitudes, RunError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(wanted.keys().map(|name| (name.clone(), self.magnitude)).collect())
    }
}

/// The same with a static scale in every linear of an expert, of which one in four is dropped.
fn with_scales() -> Plan {
    let mut plan = sharded();
    for tensor in plan.tensors.iter_mut().filter(|t| t.name.contains(".experts.")) {
        let activations = Activations::Static(Percentile::from_percent("99.9").unwrap());
        tensor.format = Format::Int(Int { activations, ..Int::new(IntBits::Eight) });
    }
    plan
}

#[test]
fn a_static_scale_is_measured_once_for_all_tasks_and_all_runs() {
    let plan = with_scales();
    let fixture = Fixture::of(&plan);
    let options = |said: &Arc<Said>| {
        let calibration: Arc<dyn Calibrator> = said.clone();
        RunOptions { calibration: Some(calibration), ..fixture.options("out") }
    };
    let said = Said::of("a.txt", Some(12.7));
    fixture.run_with(&plan, &RunOptions { output: fixture.output("plain"), ..options(&said) }).unwrap();
    let plain = contents(&fixture.output("plain"));
    let part = |said: &Arc<Said>, rank| RunOptions { task: Task::new(rank, 3).unwrap(), ..options(said) };
    let first = Said::of("a.txt", Some(12.7));
    assert!(matches!(run(&plan, &fixture.schema, &part(&first, 0), &Silent).unwrap(), Outcome::Share { .. }));
    assert_eq!(first.asked.load(Ordering::Relaxed), 1);
    // Another machine might measure other last bits: it does not measure again.
    let other = Said::of("a.txt", Some(12.700001));
    for rank in [1, 2] {
        run(&plan, &fixture.schema, &part(&other, rank), &Silent).unwrap();
    }
    assert_eq!(other.asked.load(Ordering::Relaxed), 0);
    assert!(contents(&fixture.output("out")) == plain);
    assert_eq!(names(fixture.folder.path()), ["out", "plain", "source"]);
    let report = std::fs::read_to_string(fixture.output("out").join("report.json")).unwrap();
    assert!(report.contains("\"calibration\""), "{report}");
}

#[test]
fn another_calibration_begins_anew() {
    let plan = with_scales();
    let fixture = Fixture::of(&plan);
    let options = |data: &str, magnitude: Option<f32>, rank| {
        let calibration: Arc<dyn Calibrator> = Said::of(data, magnitude);
        let task = Task::new(rank, 2).unwrap();
        RunOptions { calibration: Some(calibration), task, ..fixture.options("out") }
    };
    run(&plan, &fixture.schema, &options("a.txt", Some(1.0), 0), &Silent).unwrap();
    let after = After { bytes: u64::MAX, ..After::default() };
    run(&plan, &fixture.schema, &options("b.txt", Some(2.0), 0), &after).unwrap();
    let notes = after.notes.into_inner().unwrap().join("\n");
    assert!(notes.contains("is of another calibration"), "{notes}");
    run(&plan, &fixture.schema, &options("b.txt", Some(2.0), 1), &Silent).unwrap();
    assert_eq!(names(fixture.folder.path()), ["out", "source"]);
    // An output of another calibration is another output.
    let refused = run(&plan, &fixture.schema, &options("c.txt", Some(2.0), 0), &Silent).unwrap_err();
    assert_eq!(refused.kind, RunErrorKind::OutputRefused);
}

#[test]
fn scales_that_nobody_tells_end_a_run_before_its_first_weight() {
    let plan = with_scales();
    let fixture = Fixture::of(&plan);
    let mut said = Vec::new();
    for magnitude in [None, Some(0.0), Some(f32::NAN), Some(f32::INFINITY)] {
        let calibration: Arc<dyn Calibrator> = Said::of("a.txt", magnitude);
        let options = RunOptions { calibration: Some(calibration), ..fixture.options("out") };
        let error = run(&plan, &fixture.schema, &options, &Silent).unwrap_err();
        assert_eq!(error.kind, RunErrorKind::Value);
        said.push(fixture.shown(&error));
        assert_eq!(names(fixture.folder.path()), ["source"]);
    }
    said.push(fixture.shown(&fixture.run(&plan, "out").unwrap_err()));
    insta::assert_snapshot!(said.join("\n"), @r"
    DIR/source/model.safetensors: calibrating tensor `layers.1.moe.layer.experts.0.w1.weight`: no token came to it in calibration; take more `samples`, or `activations: dynamic` for it
    DIR/source/model.safetensors: calibrating tensor `layers.1.moe.layer.experts.0.w1.weight`: all that came to it in calibration was zero; take `activations: dynamic` for it, or other samples
    DIR/source/model.safetensors: calibrating tensor `layers.1.moe.layer.experts.0.w1.weight`: what came to it in calibration is NaN; take `activations: dynamic` for it, or other samples
    DIR/source/model.safetensors: calibrating tensor `layers.1.moe.layer.experts.0.w1.weight`: what came to it in calibration is inf; take `activations: dynamic` for it, or other samples
    DIR/out: calibrating: it has static scales of activations, and nothing to calibrate with was given
    ");
}

/// An output of several files.
fn sharded() -> Plan {
    let mut plan = Plan { shard_bytes: Some(60_000), ..moe() };
    let table = &mut plan.tensors[0];
    (table.shape, table.source_shape) = (vec![500, 64], vec![500, 64]);
    plan
}

/// The bytes of an output, its report without machine and time.
fn contents(output: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in names(output) {
        let mut bytes = std::fs::read(output.join(&name)).unwrap();
        if name == "report.json" {
            let mut report: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            report.as_object_mut().unwrap().remove("time");
            report["provenance"].as_object_mut().unwrap().remove("workers");
            bytes = serde_json::to_vec(&report).unwrap();
        }
        if name != "report.md" {
            files.insert(name, bytes);
        }
    }
    files
}

fn part(fixture: &Fixture, rank: usize, size: usize) -> RunOptions {
    RunOptions { task: Task::new(rank, size).unwrap(), ..fixture.options("out") }
}

#[test]
fn a_run_goes_on_wherever_it_was_stopped() {
    for plan in [moe(), sharded()] {
        let fixture = Fixture::of(&plan);
        fixture.run(&plan, "plain").unwrap();
        let plain = contents(&fixture.output("plain"));
        let (mut went_on, mut bytes) = (0, 0);
        let mut said = Vec::new();
        loop {
            let after = After { bytes, ..After::default() };
            let options = RunOptions { stop: after.stop.clone(), ..fixture.options("out") };
            let ended = run(&plan, &fixture.schema, &options, &after);
            let notes = after.notes.into_inner().unwrap().join("\n");
            went_on += usize::from(notes.contains("the run goes on from there"));
            bytes += 60_000;
            match ended {
                Ok(outcome) => {
                    assert!(matches!(outcome, Outcome::Wrote(_)), "{outcome:?}");
                    break;
                }
                Err(error) => {
                    assert_eq!(error.kind, RunErrorKind::Interrupted);
                    assert!(!fixture.output("out").exists());
                    said.push(fixture.shown(&error));
                }
            }
        }
        assert!(went_on > 3, "{went_on}");
        assert!(contents(&fixture.output("out")) == plain);
        assert_eq!(names(fixture.folder.path()), ["out", "plain", "source"]);
        assert!(
            said[0].ends_with("stopped: no tensor was finished: the same command begins anew")
                || said[0].contains("finished"),
            "{said:?}"
        );
    }
}

#[test]
fn tasks_share_a_run() {
    let plan = sharded();
    let fixture = Fixture::of(&plan);
    fixture.run(&plan, "plain").unwrap();
    let plain = contents(&fixture.output("plain"));
    for size in [1, 2, 3, 5, 20] {
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let run = |rank| {
                let (plan, fixture) = (&plan, &fixture);
                let options = part(fixture, rank, size);
                move || run(plan, &fixture.schema, &options, &Silent).unwrap()
            };
            let tasks: Vec<_> = (0..size).map(|rank| scope.spawn(run(rank))).collect();
            tasks.into_iter().map(|task| task.join().unwrap()).collect()
        });
        let wrote = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Wrote(_))).count();
        assert_eq!(wrote, 1, "{size} tasks: {outcomes:?}");
        assert!(contents(&fixture.output("out")) == plain, "{size} tasks");
        assert_eq!(names(fixture.folder.path()), ["out", "plain", "source"], "{size} tasks");
        std::fs::remove_dir_all(fixture.output("out")).unwrap();
    }
}

#[test]
fn a_lost_task_is_redone_by_any_number_of_tasks() {
    let plan = sharded();
    let fixture = Fixture::of(&plan);
    fixture.run(&plan, "plain").unwrap();
    let mut said = Vec::new();
    for rank in [0, 2] {
        let options = part(&fixture, rank, 3);
        match run(&plan, &fixture.schema, &options, &Silent).unwrap() {
            Outcome::Share { files, missing } => said.push(share_sentence(options.task, files, &missing)),
            other => panic!("{other:?}"),
        }
    }
    let found = status(&fixture.output("out")).unwrap().unwrap();
    for file in &found.begun {
        let (done, of, running) = (file.done, file.tensors, file.running);
        said.push(format!(
            "{}: {done} of {of} tensors, {} of {} bytes, running {running:?}",
            file.name, file.done_bytes, file.bytes
        ));
    }
    let after = After { bytes: u64::MAX, ..After::default() };
    run(&plan, &fixture.schema, &fixture.options("out"), &after).unwrap().report().unwrap();
    said.extend(after.notes.into_inner().unwrap());
    let said = said.join("\n").replace(&fixture.folder.path().display().to_string(), "DIR");
    insta::assert_snapshot!(said, @r"
    task 1 of 3 is done with 1 file; 4 files are not whole yet, such as `model-00001-of-00005.safetensors`, and the task that ends last writes the index
    task 3 of 3 is done with 2 files; 2 files are not whole yet, such as `model-00001-of-00005.safetensors`, and the task that ends last writes the index
    model-00002-of-00005.safetensors: 2 of 2 tensors, 32784 of 33280 bytes, running Some(false)
    model-00003-of-00005.safetensors: 9 of 9 tensors, 39936 of 43872 bytes, running Some(false)
    model-00005-of-00005.safetensors: 10 of 10 tensors, 48128 of 52240 bytes, running Some(false)
    `DIR/.out.partial` has 21 of 24 tensors: the run goes on from there
    ");
    assert!(contents(&fixture.output("out")) == contents(&fixture.output("plain")));
    assert_eq!(status(&fixture.output("out")).unwrap(), None);
}

#[test]
fn an_output_that_is_there_is_enough() {
    let plan = moe();
    let fixture = Fixture::of(&plan);
    let first = fixture.run(&plan, "out").unwrap();
    let again = run(&plan, &fixture.schema, &fixture.options("out"), &Silent).unwrap();
    match again {
        Outcome::There(report) => assert_eq!(report.provenance, first.provenance),
        other => panic!("{other:?}"),
    }
    // a surplus task that comes late, and one that a requeue starts again
    let late = run(&plan, &fixture.schema, &part(&fixture, 7, 8), &Silent).unwrap();
    assert!(matches!(late, Outcome::There(_)));
    let mut changed = plan.clone();
    changed.tensors.last_mut().unwrap().format = cast(DType::F16);
    let refused = run(&changed, &fixture.schema, &fixture.options("out"), &Silent).unwrap_err();
    insta::assert_snapshot!(fixture.shown(&refused), @"DIR/out: creating the output: it exists already; `--force` replaces it");
    std::fs::write(fixture.output("out/model.safetensors"), "short").unwrap();
    let refused = run(&plan, &fixture.schema, &fixture.options("out"), &Silent).unwrap_err();
    assert_eq!(refused.kind, RunErrorKind::OutputRefused);
}

/// A run that was stopped in its middle.
fn begun(fixture: &Fixture, plan: &Plan) {
    let after = After { bytes: 450_000, ..After::default() };
    let options = RunOptions { stop: after.stop.clone(), ..fixture.options("out") };
    run(plan, &fixture.schema, &options, &after).unwrap_err();
    assert!(fixture.output(".out.partial").exists(), "nothing was finished");
}

fn notes(fixture: &Fixture, plan: &Plan) -> String {
    let after = After { bytes: u64::MAX, ..After::default() };
    run(plan, &fixture.schema, &fixture.options("out"), &after).unwrap().report().unwrap();
    let said = after.notes.into_inner().unwrap().join("\n");
    said.replace(&fixture.folder.path().display().to_string(), "DIR")
}

#[test]
fn what_is_of_no_use_is_said() {
    let mut said = Vec::new();
    let plan = sharded();
    let mut changed = plan.clone();
    changed.tensors.last_mut().unwrap().format = cast(DType::F16);
    let journal = ".out.journal/model-00001-of-00005.safetensors.lines";
    let weights = ".out.partial/model-00001-of-00005.safetensors";
    let damages: [&dyn Fn(&Fixture); 7] = [
        &|_| {},
        // another version, or no journal at all
        &|fixture| std::fs::write(fixture.output(journal), "something\n").unwrap(),
        // torn off in its first line
        &|fixture| std::fs::write(fixture.output(journal), "01234").unwrap(),
        &|fixture| {
            let mut text = std::fs::read(fixture.output(journal)).unwrap();
            let last = text.len() - 9;
            text[last] ^= 1;
            std::fs::write(fixture.output(journal), text).unwrap();
        },
        &|fixture| std::fs::write(fixture.output(weights), "short").unwrap(),
        &|fixture| std::fs::remove_file(fixture.output(weights)).unwrap(),
        &|fixture| std::fs::remove_dir_all(fixture.output(".out.partial")).unwrap(),
    ];
    for damage in damages {
        let fixture = Fixture::of(&plan);
        begun(&fixture, &plan);
        damage(&fixture);
        said.push(notes(&fixture, &plan));
        fixture.run(&plan, "plain").unwrap();
        assert!(contents(&fixture.output("out")) == contents(&fixture.output("plain")), "{said:?}");
    }
    for other in
        [changed, Plan { shard_bytes: None, ..sharded() }, Plan { shard_bytes: Some(100_000), ..sharded() }]
    {
        let fixture = Fixture::of(&plan);
        begun(&fixture, &plan);
        said.push(notes(&fixture, &other));
        fixture.run(&other, "plain").unwrap();
        assert!(contents(&fixture.output("out")) == contents(&fixture.output("plain")), "{said:?}");
        assert_eq!(names(fixture.folder.path()), ["out", "plain", "source"]);
    }
    insta::assert_snapshot!(said.join("\n--\n"), @r"
    `DIR/.out.partial` has 13 of 24 tensors: the run goes on from there
    --
    `DIR/.out.partial` has a journal that this version of icpc cannot read: 1 file begins anew
    `DIR/.out.partial` has 12 of 24 tensors: the run goes on from there
    --
    `DIR/.out.partial` has 12 of 24 tensors: the run goes on from there
    --
    `DIR/.out.partial` has 12 of 24 tensors: the run goes on from there
    --
    `DIR/.out.partial` holds a file of another length: 1 file begins anew
    `DIR/.out.partial` has 12 of 24 tensors: the run goes on from there
    --
    `DIR/.out.partial` has 12 of 24 tensors: the run goes on from there
    --

    --
    `DIR/.out.partial` is of another plan: 5 files begin anew
    --
    `DIR/.out.partial` is of another plan: 5 files of it removed
    --
    `DIR/.out.partial` is of another plan: 5 files of it removed
    ");
}

#[test]
fn a_checkpoint_that_was_written_again_begins_anew() {
    let plan = moe();
    let mut fixture = Fixture::of(&plan);
    begun(&fixture, &plan);
    let bytes = std::fs::read(&fixture.checkpoint).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    std::fs::write(&fixture.checkpoint, bytes).unwrap();
    fixture.schema = crate::checkpoint::open(&fixture.checkpoint).unwrap();
    insta::assert_snapshot!(notes(&fixture, &plan), @"`DIR/.out.partial` is of another checkpoint: 1 file begins anew");
}

#[test]
fn two_runs_do_not_write_one_output() {
    let plan = moe();
    let fixture = Fixture::of(&plan);
    begun(&fixture, &plan);
    let lines = fixture.output(".out.journal/model.safetensors.lines");
    let held = std::fs::File::options().write(true).open(lines).unwrap();
    held.lock().unwrap();
    assert_eq!(status(&fixture.output("out")).unwrap().unwrap().begun[0].running, Some(true));
    let refused = run(&plan, &fixture.schema, &fixture.options("out"), &Silent).unwrap_err();
    insta::assert_snapshot!(fixture.shown(&refused), @"DIR/out: creating the output: another run is writing it; wait until it ends");
    let other = run(&sharded(), &fixture.schema, &fixture.options("out"), &Silent).unwrap_err();
    insta::assert_snapshot!(fixture.shown(&other), @"DIR/out: creating the output: a run of another plan is writing it; wait until it ends");
    drop(held);
    fixture.run(&plan, "out").unwrap();
}

/// A run is killed between the two renames by which it replaces an output, and after them.
#[test]
fn killed_at_the_very_end() {
    let plan = moe();
    let fixture = Fixture::of(&plan);
    fixture.run(&plan, "out").unwrap();
    std::fs::rename(fixture.output("out"), fixture.output(".out.partial.old")).unwrap();
    let again = run(&plan, &fixture.schema, &fixture.options("out"), &Silent).unwrap();
    assert!(matches!(again, Outcome::There(_)), "the former output has its name again");
    std::fs::create_dir(fixture.output(".out.journal")).unwrap();
    std::fs::write(fixture.output(".out.journal/model.safetensors.lines"), "").unwrap();
    run(&plan, &fixture.schema, &fixture.options("out"), &Silent).unwrap();
    assert_eq!(names(fixture.folder.path()), ["out", "source"]);
}
