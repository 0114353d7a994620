//! Typed values with the place they were written at.

use std::fmt;

use super::decimal::Decimal;
use crate::diag::Loc;

/// A value and where it was written (for a const or a parameter: there, not where it is used).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// Where it stands.
    pub loc: Loc,
}

/// Kinds of values after names were resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ValueKind {
    Int(i64),
    Float(Decimal),
    /// In percent: 99.99.
    Percent(Decimal),
    /// `2.2x`.
    Ratio(Decimal),
    /// Bytes.
    Size(u64),
    Text(String),
    Bool(bool),
    /// A word that is not a const or parameter: `tensor`, `magnitude`, `a30`, `keep`.
    Word(String),
    /// `percentile(99.9%)`.
    Call(String, Vec<(Option<(String, Loc)>, Value)>),
    /// `2 of 4`.
    Of(Box<Value>, Box<Value>),
    /// `block 64`.
    Worded(String, Box<Value>),
    List(Vec<Value>),
    /// Already reported.
    Broken,
}

impl Value {
    /// Whether it holds so many values or fewer, itself and those within counted.
    pub fn holds_at_most(&self, most: usize) -> bool {
        let mut seen = 0;
        let mut open = vec![self];
        while let Some(value) = open.pop() {
            seen += 1;
            if seen > most {
                return false;
            }
            match &value.kind {
                ValueKind::Call(_, arguments) => open.extend(arguments.iter().map(|(_, value)| value)),
                ValueKind::Of(first, second) => open.extend([&**first, &**second]),
                ValueKind::Worded(_, value) => open.push(value),
                ValueKind::List(values) => open.extend(values),
                _ => {}
            }
        }
        true
    }
}

/// Kind names that parameters and consts may declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Int,
    Float,
    Percent,
    Ratio,
    Size,
    Text,
    Bool,
    Format,
}

impl Kind {
    /// All kinds in the order in which messages list them.
    pub const ALL: [Kind; 8] = [
        Kind::Int,
        Kind::Float,
        Kind::Percent,
        Kind::Ratio,
        Kind::Size,
        Kind::Text,
        Kind::Bool,
        Kind::Format,
    ];

    /// As written in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Percent => "percent",
            Kind::Ratio => "ratio",
            Kind::Size => "size",
            Kind::Text => "string",
            Kind::Bool => "bool",
            Kind::Format => "format",
        }
    }

    /// Inverse of [`Kind::name`].
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.name() == name)
    }

    /// A value of this kind, for help texts.
    pub fn example(self) -> &'static str {
        match self {
            Kind::Int => "128",
            Kind::Float => "0.5",
            Kind::Percent => "99.99%",
            Kind::Ratio => "2.2x",
            Kind::Size => "3 MB",
            Kind::Text => "\"text\"",
            Kind::Bool => "true",
            Kind::Format => "fp16",
        }
    }

    /// Whether `value` is of this kind; an int is a float too.
    pub fn admits(self, value: &ValueKind) -> bool {
        matches!(
            (self, value),
            (_, ValueKind::Broken)
                | (Kind::Int | Kind::Float, ValueKind::Int(_))
                | (Kind::Float, ValueKind::Float(_))
                | (Kind::Percent, ValueKind::Percent(_))
                | (Kind::Ratio, ValueKind::Ratio(_))
                | (Kind::Size, ValueKind::Size(_))
                | (Kind::Text, ValueKind::Text(_))
                | (Kind::Bool, ValueKind::Bool(_))
                | (Kind::Format, ValueKind::Word(_) | ValueKind::Call(..))
        )
    }
}

impl ValueKind {
    /// Whether it, or a value inside of it, is broken: reported already, so nothing may follow from it.
    pub fn has_broken(&self) -> bool {
        match self {
            ValueKind::Broken => true,
            ValueKind::Call(_, args) => args.iter().any(|(_, v)| v.kind.has_broken()),
            ValueKind::Of(a, b) => a.kind.has_broken() || b.kind.has_broken(),
            ValueKind::Worded(_, v) => v.kind.has_broken(),
            ValueKind::List(items) => items.iter().any(|v| v.kind.has_broken()),
            _ => false,
        }
    }

    /// What it is, for messages: `a size`, `an int`, `the word`.
    pub fn describe(&self) -> &'static str {
        match self {
            ValueKind::Int(_) => "an int",
            ValueKind::Float(_) => "a float",
            ValueKind::Percent(_) => "a percentage",
            ValueKind::Ratio(_) => "a ratio",
            ValueKind::Size(_) => "a size",
            ValueKind::Text(_) => "a string",
            ValueKind::Bool(_) => "a bool",
            ValueKind::Word(_) => "a word",
            ValueKind::Call(..) => "a call",
            ValueKind::Of(..) => "an `of` value",
            ValueKind::Worded(..) => "a word with a number",
            ValueKind::List(_) => "a list",
            ValueKind::Broken => "broken",
        }
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueKind::Int(n) => write!(f, "{n}"),
            ValueKind::Float(d) => write!(f, "{d}"),
            ValueKind::Percent(d) => write!(f, "{d}%"),
            ValueKind::Ratio(d) => write!(f, "{d}x"),
            ValueKind::Size(n) => write!(f, "{n} B"),
            ValueKind::Text(t) => write!(f, "{t:?}"),
            ValueKind::Bool(b) => write!(f, "{b}"),
            ValueKind::Word(w) => f.write_str(w),
            ValueKind::Call(name, args) => {
                write!(f, "{name}(")?;
                for (i, (arg, value)) in args.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    if let Some((arg, _)) = arg {
                        write!(f, "{arg}: ")?;
                    }
                    write!(f, "{}", value.kind)?;
                }
                f.write_str(")")
            }
            ValueKind::Of(a, b) => write!(f, "{} of {}", a.kind, b.kind),
            ValueKind::Worded(w, v) => write!(f, "{w} {}", v.kind),
            ValueKind::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{}", item.kind)?;
                }
                f.write_str("]")
            }
            ValueKind::Broken => f.write_str("?"),
        }
    }
}
