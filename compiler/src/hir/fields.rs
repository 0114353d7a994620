//! Reads named fields and arguments: each known one at most once, each of its kind, nothing unknown.

use super::decimal::Decimal;
use super::eval::Scope;
use super::problems::{self, MISSING_FIELD};
use super::value::{Value, ValueKind};
use crate::diag::{Certainty, Diagnostic, Loc};

/// Fields of a call or block, to be taken one by one.
pub struct Fields<'a> {
    what: &'a str,
    at: Loc,
    given: Vec<(String, Loc, Value)>,
    scope: &'a Scope,
    problems: &'a mut Vec<Diagnostic>,
}

impl<'a> Fields<'a> {
    /// Fields of `what` at `at`. `known` lists all names; a first bare value is taken for `positional`.
    /// `scope` has the visible consts and parameters, for suggestions.
    pub fn new(
        what: &'a str,
        at: Loc,
        args: &[(Option<(String, Loc)>, Value)],
        known: &[&str],
        positional: Option<&str>,
        scope: &'a Scope,
        problems: &'a mut Vec<Diagnostic>,
    ) -> Fields<'a> {
        let mut given: Vec<(String, Loc, Value)> = Vec::new();
        for (i, (name, value)) in args.iter().enumerate() {
            let (name, loc) = match (name, positional) {
                (Some((name, loc)), _) => (name.clone(), loc.clone()),
                (None, Some(positional)) if i == 0 => (positional.to_owned(), value.loc.clone()),
                (None, _) => {
                    if !value.kind.has_broken() {
                        problems.push(problems::unnamed_value(value, what, known));
                    }
                    continue;
                }
            };
            if !known.contains(&name.as_str()) {
                problems.push(problems::unknown_field(loc, what, &name, known));
            } else if let Some((_, first, _)) = given.iter().find(|(n, ..)| *n == name) {
                problems.push(
                    Diagnostic::new(&problems::DUPLICATE_NAME, loc, format!("`{name}` is given twice"))
                        .also(crate::diag::Place::Source(first.clone()), "first here"),
                );
            } else {
                given.push((name, loc, value.clone()));
            }
        }
        Fields { what, at, given, scope, problems }
    }

    /// Takes a field as it is.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let i = self.given.iter().position(|(n, ..)| n == name)?;
        let (_, _, value) = self.given.remove(i);
        (!value.kind.has_broken()).then_some(value)
    }

    /// Takes a field that must be there.
    pub fn need(&mut self, name: &str, example: &str) -> Option<Value> {
        let given = self.given.iter().any(|(n, ..)| n == name);
        if !given {
            self.problems.push(
                Diagnostic::new(
                    &MISSING_FIELD,
                    self.at.clone(),
                    format!("`{}` needs the field `{name}`", self.what),
                )
                .help(format!("add `{name}: {example}`")),
            );
        }
        self.take(name)
    }

    /// Takes an int in `range`.
    pub fn int(&mut self, name: &str, range: std::ops::RangeInclusive<i64>) -> Option<(i64, Value)> {
        let value = self.take(name)?;
        match value.kind {
            ValueKind::Int(n) if range.contains(&n) => Some((n, value)),
            ValueKind::Int(n) => {
                let text = if *range.end() == i64::MAX {
                    format!("{} or more", range.start())
                } else {
                    format!("{}..={}", range.start(), range.end())
                };
                self.problems.push(problems::out_of_range(
                    value.loc,
                    format!("`{name}` of `{}` cannot be {n}", self.what),
                    &text,
                ));
                None
            }
            _ => self.wrong(&value, name, "an int", "128"),
        }
    }

    /// Takes an int or a float for which `fits` holds; `range` says so in words.
    pub fn number(
        &mut self,
        name: &str,
        example: &str,
        range: &str,
        fits: impl Fn(Decimal) -> bool,
    ) -> Option<Value> {
        let value = self.take(name)?;
        let number = match value.kind {
            ValueKind::Int(n) => Decimal::integer(n),
            ValueKind::Float(d) => d,
            _ => return self.wrong(&value, name, "a number", example),
        };
        if fits(number) {
            return Some(value);
        }
        let headline = format!("`{name}` of `{}` cannot be {number}", self.what);
        self.problems.push(problems::out_of_range(value.loc, headline, range));
        None
    }

    /// Takes a percentage above 0% and at most (or below) 100%.
    pub fn percent(&mut self, name: &str, below_100: bool) -> Option<(Decimal, Value)> {
        let value = self.take(name)?;
        let ValueKind::Percent(p) = value.kind else {
            let example = if name == "sparsity" { "50%" } else { "99.99%" };
            return self.wrong(&value, name, "a percentage", example);
        };
        let top = Decimal::integer(100);
        if p <= Decimal::integer(0) || p > top || (below_100 && p == top) {
            self.problems.push(problems::out_of_range(
                value.loc,
                format!("`{name}` of `{}` cannot be {p}%", self.what),
                if below_100 { "above 0% and below 100%" } else { "above 0% and at most 100%" },
            ));
            return None;
        }
        Some((p, value))
    }

    /// Takes a bool.
    pub fn bool(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name)?;
        match value.kind {
            ValueKind::Bool(b) => Some(b),
            _ => self.wrong(&value, name, "a bool", "true"),
        }
    }

    /// Takes a string.
    pub fn text(&mut self, name: &str) -> Option<(String, Value)> {
        let value = self.take(name)?;
        match &value.kind {
            ValueKind::Text(t) => Some((t.clone(), value)),
            _ => self.wrong(&value, name, "a string", "\"data.txt\""),
        }
    }

    /// Takes a size in bytes.
    pub fn size(&mut self, name: &str) -> Option<(u64, Value)> {
        let value = self.take(name)?;
        match value.kind {
            ValueKind::Size(n) => Some((n, value)),
            _ => self.wrong(&value, name, "a size", "5 GB"),
        }
    }

    /// Takes one of `choices`.
    pub fn word<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.take(name)?;
        let names: Vec<&str> = choices.iter().map(|(n, _)| *n).collect();
        match &value.kind {
            ValueKind::Word(w) => match choices.iter().find(|(n, _)| n == w) {
                Some((_, choice)) => Some(*choice),
                None => {
                    self.problems.push(problems::unknown_name(value.loc, &format!("`{name}`"), w, &names));
                    None
                }
            },
            _ => self.wrong(
                &value,
                name,
                &format!("one of {}", names.join(", ")),
                names.first().unwrap_or(&""),
            ),
        }
    }

    /// Reports a field of the wrong kind; an unknown word is more likely a misspelt const.
    pub fn wrong<T>(&mut self, value: &Value, name: &str, wanted: &str, example: &str) -> Option<T> {
        self.problems.push(match &value.kind {
            ValueKind::Broken => return None, // reported where it broke
            ValueKind::Word(word) => {
                let known: Vec<&str> = self.scope.names().into_iter().collect();
                problems::unknown_name(value.loc.clone(), "const or parameter", word, &known)
                    .because(format!("`{name}` takes {wanted}, such as `{example}`"))
            }
            _ => problems::wrong_kind(value, name, wanted, example),
        });
        None
    }

    /// Reports something about this call or block.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic);
    }

    /// Reports a word that was meant for a field but is unknown, with a replacement.
    pub fn replace(&mut self, at: Loc, headline: String, with: &str) {
        self.problems.push(
            Diagnostic::new(&problems::UNKNOWN_NAME, at.clone(), headline)
                .help(format!("did you mean `{with}`?"))
                .fix(Certainty::Unsafe, format!("replace with `{with}`"), at, with),
        );
    }
}
