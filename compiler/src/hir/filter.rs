//! `where` conditions: what a tensor's header line must say.

use std::fmt;

use icpc_kernels::DType;

use super::eval::{Scope, eval};
use super::module::Item;
use super::problems;
use super::value::ValueKind;
use crate::diag::Diagnostic;
use crate::syntax::tree::{self, CompareOp};

/// What conditions can ask for.
pub const SUBJECTS: &[&str] = &["rank", "params", "bytes", "dtype", "dim", "layer", "role"];

/// A checked condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    /// A number of the tensor compared with a number.
    Number(Subject, CompareOp, u64),
    /// `dtype == f32`; the flag is false for `!=`.
    DType(DType, bool),
    /// `role == norm`; the flag is false for `!=`.
    Role(String, bool),
}

impl Condition {
    /// Whether it asks for roles.
    pub fn uses_roles(&self) -> bool {
        !self.roles().is_empty()
    }

    /// The roles that it asks for, in source order.
    pub fn roles(&self) -> Vec<&str> {
        match self {
            Condition::And(a, b) | Condition::Or(a, b) => a.roles().into_iter().chain(b.roles()).collect(),
            Condition::Not(inner) => inner.roles(),
            Condition::Role(role, _) => vec![role.as_str()],
            Condition::Number(..) | Condition::DType(..) => Vec::new(),
        }
    }
}

/// A number that a header line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Subject {
    Rank,
    /// Elements.
    Params,
    Bytes,
    /// Extent of an axis; a tensor without the axis fails every comparison.
    Dim(u32),
    /// First segment that is an integer; a tensor without one fails every comparison.
    Layer,
}

/// Lowers a condition. `None` when something in it is wrong, which is reported.
pub fn filter(
    filter: &tree::Filter,
    item: &Item,
    scope: &Scope,
    problems: &mut Vec<Diagnostic>,
) -> Option<Condition> {
    match filter {
        tree::Filter::And(a, b) => {
            let (a, b) = (self::filter(a, item, scope, problems), self::filter(b, item, scope, problems));
            Some(Condition::And(Box::new(a?), Box::new(b?)))
        }
        tree::Filter::Or(a, b) => {
            let (a, b) = (self::filter(a, item, scope, problems), self::filter(b, item, scope, problems));
            Some(Condition::Or(Box::new(a?), Box::new(b?)))
        }
        tree::Filter::Not(inner, _) => {
            Some(Condition::Not(Box::new(self::filter(inner, item, scope, problems)?)))
        }
        tree::Filter::Compare { subject, arg, op, value, .. } => {
            let arg = arg.as_ref().map(|a| eval(a, item, scope, problems));
            let value = eval(value, item, scope, problems);
            let subject_at = item.loc(subject.span);
            let number = match (subject.text.as_str(), &arg) {
                ("dtype", None) => return dtype(&value, *op, problems),
                ("role", None) => return role(&value, *op, problems),
                ("rank", None) => Subject::Rank,
                ("params", None) => Subject::Params,
                ("bytes", None) => Subject::Bytes,
                ("layer", None) => Subject::Layer,
                ("dim", Some(axis)) => match axis.kind {
                    ValueKind::Int(n) if (0..64).contains(&n) => Subject::Dim(u32::try_from(n).unwrap_or(0)),
                    _ => {
                        problems.push(problems::wrong_kind(axis, "dim", "an axis", "dim(0)"));
                        return None;
                    }
                },
                ("dim", None) => {
                    problems.push(
                        Diagnostic::new(&problems::MISSING_FIELD, subject_at, "`dim` needs an axis")
                            .help("write `dim(0)` for the first axis"),
                    );
                    return None;
                }
                (name, _) => {
                    problems.push(problems::unknown_name(subject_at, "property", name, SUBJECTS));
                    return None;
                }
            };
            match (&value.kind, number) {
                (ValueKind::Int(n), _) if *n >= 0 => {
                    Some(Condition::Number(number, *op, u64::try_from(*n).unwrap_or(0)))
                }
                (ValueKind::Size(n), Subject::Bytes) => Some(Condition::Number(number, *op, *n)),
                (ValueKind::Broken, _) => None,
                _ => {
                    let (wanted, example) = match number {
                        Subject::Bytes => ("a size", "3 MB"),
                        _ => ("a number", "2"),
                    };
                    problems.push(problems::wrong_kind(&value, &subject.text, wanted, example));
                    None
                }
            }
        }
    }
}

fn equality(
    op: CompareOp,
    value: &super::value::Value,
    what: &str,
    problems: &mut Vec<Diagnostic>,
) -> Option<bool> {
    match op {
        CompareOp::Eq => Some(true),
        CompareOp::Ne => Some(false),
        _ => {
            problems.push(problems::out_of_range(
                value.loc.clone(),
                format!("`{what}` has no order"),
                "compared with == or !=",
            ));
            None
        }
    }
}

fn dtype(value: &super::value::Value, op: CompareOp, problems: &mut Vec<Diagnostic>) -> Option<Condition> {
    let equal = equality(op, value, "dtype", problems)?;
    let ValueKind::Word(word) = &value.kind else {
        if value.kind != ValueKind::Broken {
            problems.push(problems::wrong_kind(value, "dtype", "an element type", "f32"));
        }
        return None;
    };
    let found = DType::from_name(word).or_else(|| {
        // The formats' names for the same types are what people have just written in an arm.
        Some(match word.as_str() {
            "fp32" | "float32" => DType::F32,
            "fp16" | "float16" => DType::F16,
            "bfloat16" => DType::Bf16,
            "fp8_e4m3" => DType::F8E4M3,
            "fp8_e5m2" => DType::F8E5M2,
            "int8" => DType::I8,
            _ => return None,
        })
    });
    if found.is_none() {
        let known = DType::ALL.map(DType::name);
        problems.push(problems::unknown_name(value.loc.clone(), "element type", word, &known));
    }
    found.map(|d| Condition::DType(d, equal))
}

fn role(value: &super::value::Value, op: CompareOp, problems: &mut Vec<Diagnostic>) -> Option<Condition> {
    let equal = equality(op, value, "role", problems)?;
    match &value.kind {
        ValueKind::Word(word) => Some(Condition::Role(word.clone(), equal)),
        ValueKind::Broken => None,
        _ => {
            problems.push(problems::wrong_kind(value, "role", "a role", "norm"));
            None
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |equal: &bool| if *equal { "==" } else { "!=" };
        match self {
            Condition::And(a, b) => write!(f, "({a} and {b})"),
            Condition::Or(a, b) => write!(f, "({a} or {b})"),
            Condition::Not(inner) => write!(f, "not {inner}"),
            Condition::Number(subject, op, n) => {
                match subject {
                    Subject::Rank => f.write_str("rank"),
                    Subject::Params => f.write_str("params"),
                    Subject::Bytes => f.write_str("bytes"),
                    Subject::Dim(axis) => write!(f, "dim({axis})"),
                    Subject::Layer => f.write_str("layer"),
                }?;
                write!(f, " {} {n}", op.symbol())
            }
            Condition::DType(dtype, equal) => write!(f, "dtype {} {dtype}", sign(equal)),
            Condition::Role(role, equal) => write!(f, "role {} {role}", sign(equal)),
        }
    }
}
