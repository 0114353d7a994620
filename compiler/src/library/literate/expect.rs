//! Expectations: one line that must be true of what a compiler says.

use std::sync::Arc;

use super::compiler::{Checked, Found, Planned};
use crate::base::with_thousands;
use crate::diag::suggest::closest;
use crate::diag::{self, Level};
use crate::hir::{Metric, Recipe};
use crate::plan::memory::{Peak, whole_run};
use crate::plan::requirement;
use crate::session::Session;

/// One line, understood.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// As written.
    pub text: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// `no error`.
    None(Level),
    /// `error unmatched-pattern at layers.*`.
    Found(Level, &'static str, Option<At>),
    /// `params == 8_030_261_248`: what the checkpoint holds, tied tensors counted once.
    Params(u64),
    /// `size <= 3 MB`: what `require` can say and a plan decides.
    Require(Arc<Recipe>),
}

/// Where a diagnostic must point.
#[derive(Clone, Debug)]
enum At {
    /// To this line, and column if there is one.
    Line(u32, Option<u32>),
    /// To a line that holds this.
    Text(String),
}

const FORMS: &str = "`size <= 3 MB`, `compression >= 3x`, `memory <= 2 GiB`, `params == 124_439_808`, `error NAME`, \
                     `error NAME at 7:12`, `error NAME at TEXT`, `warning NAME`, `no error` or `no warning`";

impl Expectation {
    /// Reads one line.
    ///
    /// # Errors
    /// Why it means nothing, with the forms that mean something.
    pub fn read(line: &str) -> Result<Expectation, String> {
        let text = line.trim();
        let text = text.strip_prefix("expect ").unwrap_or(text).trim();
        let words: Vec<&str> = text.split_whitespace().collect();
        let what = match words.as_slice() {
            ["no", level] => What::None(self::level(level).ok_or_else(|| meaningless(text))?),
            [level @ ("error" | "warning"), name, at @ ..] => {
                let level = self::level(level).ok_or_else(|| meaningless(text))?;
                What::Found(level, diagnostic(name)?, place(text, at)?)
            }
            ["params", "==", number] => {
                let number = number.replace('_', "").parse();
                What::Params(number.map_err(|_| meaningless(text))?)
            }
            _ => What::Require(required(text)?),
        };
        Ok(Expectation { text: text.to_owned(), what })
    }

    /// Why it is not true of `checked`.
    pub fn unmet(&self, checked: &Checked) -> Option<String> {
        let fact = match &self.what {
            What::None(level) => {
                let found = checked.found.iter().find(|f| f.level == level.word())?;
                format!("there is `{}`{}", found.name, found.at())
            }
            What::Found(level, name, at) => {
                let named = |f: &&Found| f.level == level.word() && f.name == *name;
                let fits = |f: &&Found| at.as_ref().is_none_or(|at| at.is(f));
                if checked.found.iter().filter(named).any(|f| fits(&f)) {
                    return None;
                }
                found(checked)
            }
            What::Params(wanted) => match checked.params.iter().find(|n| *n != wanted) {
                Some(is) => format!("the checkpoint holds {}", with_thousands(*is)),
                None if checked.params.is_empty() => "there is no checkpoint to count".to_owned(),
                None => return None,
            },
            What::Require(recipe) => {
                if checked.plans.is_empty() {
                    format!("there is no plan, {}", found(checked))
                } else {
                    checked.plans.iter().find_map(|plan| unmet(recipe, plan))?
                }
            }
        };
        Some(format!("expected `{}`, but {fact}", self.text))
    }
}

impl At {
    fn is(&self, found: &Found) -> bool {
        match self {
            At::Line(line, column) => {
                found.place.line == *line && column.is_none_or(|c| c == found.place.column)
            }
            At::Text(text) => found.place.text.contains(text.as_str()),
        }
    }
}

fn level(word: &str) -> Option<Level> {
    match word {
        "error" => Some(Level::Error),
        "warning" => Some(Level::Warning),
        _ => None,
    }
}

/// A diagnostic by its name or code.
fn diagnostic(name: &str) -> Result<&'static str, String> {
    if let Some(kind) = diag::by_code_or_name(name) {
        return Ok(kind.name);
    }
    let help = match closest(name, diag::ALL.iter().map(|d| d.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`icpc explain` lists them".to_owned(),
    };
    Err(format!("no diagnostic is called `{name}`: {help}"))
}

/// What stands behind the name: nothing, or `at` and a place.
fn place(text: &str, words: &[&str]) -> Result<Option<At>, String> {
    let [first, rest @ ..] = words else { return Ok(None) };
    if *first != "at" || rest.is_empty() {
        return Err(meaningless(text));
    }
    let whole = rest.join(" ");
    let (line, column) = whole.split_once(':').map_or((whole.as_str(), None), |(l, c)| (l, Some(c)));
    let numbers = (line.parse(), column.map(str::parse).transpose());
    Ok(Some(match numbers {
        (Ok(line), Ok(column)) => At::Line(line, column),
        _ => At::Text(whole.trim_matches('`').to_owned()),
    }))
}

/// A line that `require` understands, as the only requirement of a recipe.
fn required(text: &str) -> Result<Arc<Recipe>, String> {
    const FILE: &str = "expectation";
    if text.contains(['{', '}', ';', '/']) {
        return Err(meaningless(text));
    }
    let mut session = Session::new();
    let source = format!("recipe expectation {{ assign {{ _ => keep }} require {{ {text}; }} }}");
    session.set_file(FILE, &source);
    let errors = session.diagnostics(FILE, None);
    let first = errors.iter().find(|d| d.level() == Level::Error);
    let recipe = session.recipe(FILE, "expectation");
    let recipe = match (recipe, first) {
        (Some(recipe), None) => recipe,
        (_, first) => {
            let why = first.map_or(String::new(), |d| format!("{}; ", d.headline));
            return Err(format!("`{text}` is no expectation: {why}write {FORMS}"));
        }
    };
    match recipe.requirements.as_slice() {
        [only] if matches!(only.metric, Metric::Size | Metric::Compression | Metric::Memory) => Ok(recipe),
        [_] => Err(format!("`{text}` is decided by a run, not by a plan: write it under `require`")),
        _ => Err(meaningless(text)),
    }
}

fn unmet(recipe: &Recipe, planned: &Planned) -> Option<String> {
    let source = planned.plan.source.tensor_bytes;
    let of_memory = recipe.requirements.iter().any(|r| r.metric == Metric::Memory);
    let peak = if of_memory { whole_run(&planned.plan, &planned.layout, 1) } else { Peak::default() };
    let problem = requirement::check(recipe, &planned.layout, source, peak).into_iter().next()?;
    Some(format!("of `{}`: {}", planned.recipe, problem.headline))
}

/// What was said instead.
fn found(checked: &Checked) -> String {
    let said: Vec<String> =
        checked.found.iter().map(|f| format!("{} `{}`{}", f.level, f.name, f.at())).collect();
    match said.as_slice() {
        [] => "nothing is found".to_owned(),
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("found: {first}, {second}, {third} and {} more", rest.len())
        }
        said => format!("found: {}", said.join(", ")),
    }
}

fn meaningless(text: &str) -> String {
    format!("`{text}` is no expectation: write {FORMS}")
}

#[cfg(test)]
mod tests {
    use super::super::compiler::{Compiler, Inputs};
    use super::super::session::Session;
    use super::*;

    fn checked() -> Checked {
        let recipe =
            "recipe small {\n    checkpoint \"a\";\n    assign { w => int8, v => keep, _ => fp16 }\n}\n";
        let inputs = Inputs {
            files: [("a.icp".to_owned(), recipe.to_owned())].into(),
            listings: [("a".to_owned(), "w f32 [64, 64]\nx f32 [8]\n".to_owned())].into(),
            main: "a.icp".to_owned(),
            ..Inputs::default()
        };
        let wrong = Session.check(&inputs).unwrap();
        let files = [("a.icp".to_owned(), recipe.replace("v => keep, ", ""))].into();
        let right = Session.check(&Inputs { files, ..inputs }).unwrap();
        Checked { found: wrong.found, ..right }
    }

    fn said(line: &str) -> String {
        match Expectation::read(line) {
            Ok(expectation) => expectation.unmet(&checked()).unwrap_or_else(|| "holds".to_owned()),
            Err(why) => why,
        }
    }

    #[test]
    fn what_holds() {
        let lines = [
            "size <= 5 kB",
            "expect size >= 4 KiB",
            "size <= 50% of baseline",
            "compression >= 3.9x",
            "memory <= 1 GiB",
            "params == 4_104",
            "error unmatched-pattern",
            "error E0301 at 3:25",
            "error unmatched-pattern at 3",
            "error unmatched-pattern at `v => keep`",
            "no warning",
        ];
        for line in lines {
            assert_eq!(said(line), "holds", "{line}");
        }
    }

    #[test]
    fn what_does_not_hold() {
        insta::assert_snapshot!(said("size <= 4 kB"), @"expected `size <= 4 kB`, but of `small`: the output has 4.64 kB, not <= 4.00 kB");
        insta::assert_snapshot!(said("compression >= 4x"), @"expected `compression >= 4x`, but of `small`: the compression is 3.988x, not >= 4x");
        insta::assert_snapshot!(said("params == 4096"), @"expected `params == 4096`, but the checkpoint holds 4,104");
        insta::assert_snapshot!(said("error tie-conflict"), @"expected `error tie-conflict`, but found: error `unmatched-pattern` at 3:25");
        insta::assert_snapshot!(said("error unmatched-pattern at 4"), @"expected `error unmatched-pattern at 4`, but found: error `unmatched-pattern` at 3:25");
        insta::assert_snapshot!(said("no error"), @"expected `no error`, but there is `unmatched-pattern` at 3:25");
    }

    #[test]
    fn what_means_nothing() {
        insta::assert_snapshot!(said("small"), @"`small` is no expectation: expected a requirement `size <= 3 MB`, found `small`; write `size <= 3 MB`, `compression >= 3x`, `memory <= 2 GiB`, `params == 124_439_808`, `error NAME`, `error NAME at 7:12`, `error NAME at TEXT`, `warning NAME`, `no error` or `no warning`");
        insta::assert_snapshot!(said("size <= 3x"), @"`size <= 3x` is no expectation: `size` takes a size, or a share of the baseline; write `size <= 3 MB`, `compression >= 3x`, `memory <= 2 GiB`, `params == 124_439_808`, `error NAME`, `error NAME at 7:12`, `error NAME at TEXT`, `warning NAME`, `no error` or `no warning`");
        insta::assert_snapshot!(said("error unmatched-patern"), @"no diagnostic is called `unmatched-patern`: did you mean `unmatched-pattern`?");
        insta::assert_snapshot!(said("error unmatched-pattern 7"), @"`error unmatched-pattern 7` is no expectation: write `size <= 3 MB`, `compression >= 3x`, `memory <= 2 GiB`, `params == 124_439_808`, `error NAME`, `error NAME at 7:12`, `error NAME at TEXT`, `warning NAME`, `no error` or `no warning`");
        insta::assert_snapshot!(said("sqnr >= 20"), @"`sqnr >= 20` is decided by a run, not by a plan: write it under `require`");
        for line in ["", "params == many", "no luck", "size <= 1 MB; size <= 2 MB", "size"] {
            assert!(Expectation::read(line).is_err(), "{line}");
        }
    }
}
