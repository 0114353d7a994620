//! Running cases and comparing what was said with what was expected.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices, group_diff_ops};

use super::case::{Case, Output, cases};
use super::compiler::{Checked, Compiler};
use super::markdown::Document;

/// What a document must hold beside being right.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Sections without an output block only have to parse. Otherwise an output block is missing there.
    pub outputs_optional: bool,
    /// How outputs are filled in.
    pub fill: &'static str,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { outputs_optional: false, fill: "set ICPC_UPDATE=1" }
    }
}

/// Runs a document. Gives its text with the outputs of now, and all differences.
pub fn run(document: &Document, compiler: &dyn Compiler, rules: Rules) -> (String, Vec<String>) {
    let cases = match cases(document) {
        Ok(cases) => cases,
        Err(error) => return (document.text.clone(), vec![error]),
    };
    let mut problems = Vec::new();
    let mut bodies = Vec::new();
    for case in &cases {
        let mut said = Vec::new();
        one(document, case, compiler, rules, &mut bodies, &mut said);
        let head = format!("{}:{} `{}`", document.path, case.line, case.title);
        problems.extend(said.into_iter().map(|s| format!("{head}: {s}")));
    }
    (document.with_bodies(&bodies), problems)
}

fn one(
    document: &Document,
    case: &Case,
    compiler: &dyn Compiler,
    rules: Rules,
    bodies: &mut Vec<(usize, String)>,
    problems: &mut Vec<String>,
) {
    if case.outputs.is_empty() && case.expectations.is_empty() {
        if !rules.outputs_optional {
            problems.push(format!("no output block; write an empty `diagnostics` block and {}", rules.fill));
        }
        for (line, text) in &case.texts {
            let errors = compiler.parse(text);
            if !errors.is_empty() {
                problems.push(format!("the block at line {line} does not parse:\n{}", errors.join("\n")));
            }
        }
        return;
    }
    let checked = match compiler.check(&case.inputs) {
        Ok(checked) => checked,
        Err(error) => return problems.push(error),
    };
    for found in &checked.found {
        problems.extend(found.wording.iter().map(|w| format!("{}: {w}", found.name)));
    }
    for (line, expectation) in &case.expectations {
        problems.extend(expectation.unmet(&checked).map(|why| format!("line {line}: {why}")));
    }
    for (output, index) in &case.outputs {
        let Some(block) = document.blocks.get(*index) else { continue };
        let (expected, now) = (document.body(block), output.of_checked(&checked));
        if !same(expected, now) {
            let kind = format!("{output:?}").to_lowercase();
            problems.push(format!("{kind} differ:\n{}", difference(expected, now)));
        }
        bodies.push((*index, now.to_owned()));
    }
}

impl Output {
    fn of_checked(self, checked: &Checked) -> &str {
        match self {
            Output::Diagnostics => &checked.full,
            Output::Short => &checked.short,
            Output::Plan => &checked.plan,
            Output::Fixed => &checked.fixed,
        }
    }
}

/// Whether two texts are the same but for white space at the ends of lines, which editors remove.
pub fn same(expected: &str, now: &str) -> bool {
    plain(expected) == plain(now)
}

fn plain(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines
}

/// Lines of `expected` that are gone (`-`) and those that are new (`+`), with three lines around them.
pub fn difference(expected: &str, now: &str) -> String {
    let (a, b) = (plain(expected), plain(now));
    let part = |lines: &[&str], range: Range<usize>, sign: char| -> String {
        lines.get(range).unwrap_or_default().iter().map(|l| format!("{sign} {l}\n")).collect()
    };
    let places = group_diff_ops(capture_diff_slices(Algorithm::Myers, &a, &b), 3);
    let places = places.iter().map(|place| {
        let lines = place.iter().map(|op| match op.tag() {
            DiffTag::Equal => part(&a, op.old_range(), ' '),
            _ => part(&a, op.old_range(), '-') + &part(&b, op.new_range(), '+'),
        });
        lines.collect::<String>()
    });
    places.collect::<Vec<_>>().join("  ...\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::literate::{Found, Inputs, Spotted};

    /// Finds the word `wrong`, and fixes it.
    struct Toy;

    impl Compiler for Toy {
        fn check(&self, inputs: &Inputs) -> Result<Checked, String> {
            let text = inputs.files.get(&inputs.main).cloned().unwrap_or_default();
            let n = text.matches("wrong").count();
            let found = Found {
                code: "E0101".to_owned(),
                name: "wrong".to_owned(),
                level: "error".to_owned(),
                wording: Vec::new(),
                place: Spotted::default(),
            };
            Ok(Checked {
                found: vec![found; n],
                short: "wrong\n".repeat(n),
                fixed: text.replace("wrong", "right"),
                ..Checked::default()
            })
        }
        fn parse(&self, text: &str) -> Vec<String> {
            text.contains('?').then(|| "`?` does not parse".to_owned()).into_iter().collect()
        }
    }

    fn problems(text: &str) -> (String, String) {
        let document = Document::parse("a.md", text).unwrap();
        let (new, problems) = run(&document, &Toy, Rules::default());
        (new, problems.join("\n"))
    }

    #[test]
    fn what_is_right_passes() {
        let text = "## x\n```icp\nwrong\n```\n```short\nwrong \n```\n```fixed\nright\n```\n";
        assert_eq!(problems(text).1, "");
    }

    #[test]
    fn what_differs_is_shown_and_rewritten() {
        let text = "## x\n```icp\na wrong wrong\n```\n```short\nright\n```\n## y\n```icp\nfine\n```\n```short\nold\n```\n";
        let (new, said) = problems(text);
        insta::assert_snapshot!(said, @r#"
        a.md:1 `x`: short differ:
        - right
        + wrong
        + wrong

        a.md:8 `y`: short differ:
        - old
        "#);
        assert_eq!(problems(&new).1, "", "the rewritten text passes:\n{new}");
        assert!(new.contains("```short\n```\n"), "an output that became empty has an empty block");
    }

    #[test]
    fn a_missing_output_fails() {
        insta::assert_snapshot!(problems("## x\n```icp\n?\n```\n").1, @r#"
        a.md:1 `x`: no output block; write an empty `diagnostics` block and set ICPC_UPDATE=1
        a.md:1 `x`: the block at line 2 does not parse:
        `?` does not parse
        "#);
    }
}
