//! What goes wrong around a training: disks, signals, texts that change. Nothing is lost that was there.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::training::{done, report, weights};
use super::{PROGRAM, command, folder, ids, said};

const STEPS: [&str; 2] = ["--set", "steps=20"];

#[test]
fn a_state_that_cannot_be_written_ends_nothing_before_the_end() {
    let folder = folder(0.3);
    done(command(folder.path(), "tuned", &[&STEPS[..], &["--out", "whole"]].concat()));
    // in the way of the file that becomes the state
    let blocked = folder.path().join(".out.tune/state.safetensors.new");
    std::fs::create_dir_all(&blocked).unwrap();
    let output = command(folder.path(), "tuned", &STEPS).output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_eq!(text.matches("step 5 is not kept, and the training goes on: ").count(), 1, "{text}");
    assert_eq!(text.matches("is not kept, and").count(), 1, "{text}");
    assert!(text.contains("nothing of the training is kept yet: the same command goes on"), "{text}");
    assert!(!folder.path().join("out").exists());
    // The same with a state behind it: what is kept is named, also where the run is asked to end.
    std::fs::remove_dir(&blocked).unwrap();
    let mut child = command(folder.path(), "tuned", &["--set", "steps=100000"]);
    let child = child.stderr(Stdio::piped()).spawn().unwrap();
    while !folder.path().join(".out.tune/state.safetensors").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    while std::fs::create_dir(&blocked).is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(300));
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("the weights of step "), "{}", said(&output));
    std::fs::remove_dir(&blocked).unwrap();
    done(command(folder.path(), "tuned", &STEPS));
    assert_eq!(weights(folder.path(), "whole"), weights(folder.path(), "out"));
}

#[test]
fn a_disk_without_room_is_said_and_the_next_run_goes_on() {
    let folder = folder(0.3);
    done(command(folder.path(), "tuned", &[&STEPS[..], &["--out", "whole"]].concat()));
    // Room for the pruned weights, and not for a state, which has three numbers for each of them.
    let limited = format!(
        "ulimit -f 60; exec {PROGRAM} run tune.icp --recipe tuned --quiet --threads 1 --set steps=20"
    );
    let output = Command::new("bash").args(["-c", &limited]).current_dir(folder.path()).output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("the file would be larger than this process or file system allows"), "{text}");
    let beside = folder.path().join(".out.tune");
    assert!(beside.join("pruned").exists() && !beside.join("state.safetensors.new").exists(), "{text}");
    done(command(folder.path(), "tuned", &STEPS));
    assert_eq!(weights(folder.path(), "whole"), weights(folder.path(), "out"));
}

#[test]
fn asked_twice_it_ends_once() {
    let folder = folder(0.3);
    let mut command = command(folder.path(), "tuned", &["--set", "steps=100000"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    while !folder.path().join(".out.tune/state.safetensors").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    for _ in 0..2 {
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(said(&output).contains("is kept: the same command goes on from there"), "{}", said(&output));
}

#[test]
fn an_output_of_another_text_is_not_taken_for_this_one() {
    let folder = folder(0.3);
    let steps = ["--set", "steps=3"];
    done(command(folder.path(), "tuned", &steps));
    let before = weights(folder.path(), "out");
    let again = command(folder.path(), "tuned", &steps).output().unwrap();
    assert!(said(&again).contains("is there already"), "{}", said(&again));
    std::fs::write(folder.path().join("ids.txt"), ids(4000, 3)).unwrap();
    let other = command(folder.path(), "tuned", &steps).output().unwrap();
    assert_eq!(other.status.code(), Some(3), "{}", said(&other));
    let expected = "it was trained on another text: `ids.txt` changed; `--force` replaces it";
    assert!(said(&other).contains(expected), "{}", said(&other));
    assert_eq!(weights(folder.path(), "out"), before);
    done(command(folder.path(), "tuned", &[&steps[..], &["--force"]].concat()));
    assert_ne!(weights(folder.path(), "out"), before);
    assert_eq!(report(folder.path(), "out")["tune"]["steps"], 3);
    // Ids and bytes are other tokens of one text.
    let text = std::fs::read_to_string(folder.path().join("tune.icp")).unwrap();
    let bytes = text.replace("tune { data: data,", "tune { data: data, tokenizer: \"bytes\",");
    std::fs::write(folder.path().join("tune.icp"), bytes).unwrap();
    let other = command(folder.path(), "tuned", &steps).output().unwrap();
    assert_eq!(other.status.code(), Some(3), "{}", said(&other));
    assert!(
        said(&other).contains("it was trained with another tokenizer: `bytes` changed"),
        "{}",
        said(&other)
    );
}
