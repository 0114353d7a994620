//! Recipes that are larger than anyone writes. Each test ends soon where the work grows with the text, and not at all where it
//! grows with its square; where work can be counted, it is.

use icpc::diag::{Certainty, Diagnostic, Style, apply_fixes, render, short};
use icpc::session::Session;

/// A recipe with these arms, whatever stands before it.
fn recipe(before: &str, arms: impl IntoIterator<Item = String>) -> String {
    let arms: Vec<String> = arms.into_iter().map(|arm| format!("        {arm},\n")).collect();
    format!(
        "{before}recipe r {{\n    checkpoint \"big.pt\";\n    assign {{\n{}        _ => keep,\n    }}\n}}\n",
        arms.concat()
    )
}

fn session(text: &str, tensors: usize) -> Session {
    let mut session = Session::new();
    session.set_file("r.icp", text);
    let lines: Vec<String> = (0..tensors).map(|n| format!("layers.{n}.a.weight f32 [64, 64]\n")).collect();
    session.set_checkpoint_listing("big.pt", &lines.concat());
    session
}

/// Headlines of what is no remark on the checkpoint.
fn headlines(session: &Session) -> Vec<String> {
    let found = session.diagnostics("r.icp", None).into_iter();
    found.filter(|d| d.kind.name != "no-architecture").map(|d| d.headline).collect()
}

#[test]
fn an_arm_for_each_of_many_tensors() {
    let arms = (0..20_000).map(|n| format!("layers.{n}.a.weight => fp16"));
    assert_eq!(headlines(&session(&recipe("", arms), 20_000)), [""; 0]);
}

#[test]
fn many_arms_that_match_nothing() {
    let arms = (0..20_000).map(|n| format!("layers.{n}.b.weight => fp16"));
    let session = session(&recipe("", arms), 20_000);
    let found: Vec<Diagnostic> = session
        .diagnostics("r.icp", None)
        .into_iter()
        .filter(|d| d.kind.name == "unmatched-pattern")
        .collect();
    assert_eq!(found.len(), 20_000);
    // A correction is looked for a few times; the rest says what it is about.
    let explained = found.iter().filter(|d| !d.primary.text.is_empty()).count();
    assert!((4..=64).contains(&explained), "{explained}");
    assert_eq!(found.last().expect("one").headline, "the pattern `layers.19999.b.weight` matches no tensor");
}

#[test]
fn an_except_of_many_and_a_choice_of_many() {
    let many: Vec<String> = (1..20_000).map(|n| format!("layers.{n}.a.weight")).collect();
    let numbers: Vec<String> = (1..20_000).map(|n| n.to_string()).collect();
    let arms = [
        format!("** except {} => fp16", many.join(" | ")),
        format!("layers.{{{}}}.a.weight => fp16", numbers.join(",")),
    ];
    assert_eq!(headlines(&session(&recipe("", arms), 20_000)), [""; 0]);
}

#[test]
fn any_depth_many_times_is_any_depth() {
    let arms =
        [format!("{}weight => fp16", "**.".repeat(20_000)), format!("{}no => fp16", "**.*.".repeat(200))];
    let found = headlines(&session(&recipe("", arms), 2_000));
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_row_of_recipes_that_extend_each_other() {
    let mut text = recipe("", []);
    let mut before = "r".to_owned();
    for n in 1..3_000 {
        text += &format!("recipe r{n} extends {before} {{ assign {{ layers.{n}.a.weight => fp16 }} }}\n");
        before = format!("r{n}");
    }
    let session = session(&text, 3_000);
    session.database().record_executions();
    let found = headlines(&session);
    // What a file sees is found once for all of its recipes.
    let seen = session.database().executed().into_iter().filter(|query| query == "seen_names").count();
    assert_eq!(seen, 1);
    assert_eq!(found.len(), 3_000 - 64);
    assert_eq!(found.first().expect("one"), "`r64` stands on more than 64 recipes");
    assert!(session.recipe("r.icp", "r63").is_some_and(|r| r.arms.len() == 64));
    assert!(session.recipe("r.icp", "r64").is_none());
}

#[test]
fn a_circle_of_many() {
    let consts = (0..5_000).map(|n| format!("const c{n} = c{};\n", (n + 1) % 5_000));
    let recipes = (0..20).map(|n| format!("recipe r{n} extends r{} {{}}\n", (n + 1) % 20));
    let text: Vec<String> = consts.chain(recipes).collect();
    let found = session(&text.concat(), 1).diagnostics("r.icp", None);
    let circles: Vec<&Diagnostic> = found.iter().filter(|d| d.kind.name == "circular-definition").collect();
    assert_eq!(circles.len(), 21);
    assert!(circles.iter().all(|d| d.provenance.concat().len() < 200), "{:?}", circles.first());
}

#[test]
fn a_file_that_is_imported_again_and_again() {
    let consts: Vec<String> = (0..5_000).map(|n| format!("const c{n} = {n};\n")).collect();
    let names: Vec<String> = (0..5_000).map(|n| format!("use \"lib.icp\"::{{c{n}}};\n")).collect();
    for (uses, expected) in [("use \"lib.icp\";\n".repeat(1_000), 999), (names.concat(), 0)] {
        let mut session = session(&recipe(&uses, []), 1);
        session.set_file("lib.icp", consts.concat().as_str());
        let found = session.diagnostics("r.icp", None);
        assert_eq!(found.iter().filter(|d| d.kind.name == "duplicate-name").count(), expected);
    }
}

#[test]
fn names_of_a_million_letters() {
    let long = "a".repeat(1_000_000);
    let text =
        recipe(&format!("const {long}c = fp16;\n"), [format!("** => {long}b"), format!("{long} => fp16")]);
    let found = headlines(&session(&text, 10));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|headline| headline.chars().count() <= 72), "{found:?}");
}

#[test]
fn many_problems_in_one_line() {
    let text = recipe("", (0..2_000).map(|n| format!("none.{n} => fp16"))).replace('\n', " ");
    let session = session(&text, 10);
    let found = session.diagnostics("r.icp", None);
    let sources = session.sources();
    // Drawn, each of them would show the whole line.
    let drawn = render(&found, &sources, Style::default());
    assert!(drawn.len() < 20 * text.len(), "{} bytes", drawn.len());
    assert!(drawn.contains("r.icp:1:"), "the place is said");
    assert_eq!(short(&found, &sources).lines().count(), found.len());
}

#[test]
fn many_fixes_apply_together() {
    let names: Vec<String> = (0..5_000).map(|n| format!("c{n}")).collect();
    let consts: Vec<String> = names.iter().map(|name| format!("const {name} = 1;\n")).collect();
    let mut session = session(&recipe(&format!("use \"lib.icp\"::{{{}}};\n", names.join(", ")), []), 1);
    session.set_file("lib.icp", consts.concat().as_str());
    let found = session.diagnostics("r.icp", None);
    let fixed = apply_fixes(&found, Certainty::Safe, |_| session.text("r.icp").map(AsRef::as_ref));
    assert_eq!(fixed.len(), 1);
    assert_eq!(fixed.values().next().expect("one"), &recipe("", []));
}
