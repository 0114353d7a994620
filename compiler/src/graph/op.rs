//! What an operation is: its parameters, what it computes in words, and the rule of its shapes.

use std::fmt;

use super::extent::{Extent, shape_text};
use super::ir::{Attribute, Element};

/// An operation of the language; one file in `ops/` for each family.
pub struct OpDecl {
    /// As it is called.
    pub name: &'static str,
    /// In order; positional arguments fill them from the left.
    pub params: &'static [Param],
    /// What it computes, in one or two sentences.
    pub docs: &'static str,
    /// Shapes in and out, as docs show them.
    pub shapes: &'static str,
    /// What it asks of element types.
    pub types: TypeRule,
    /// Shapes of its results; none for one that only looks and passes its first argument on.
    pub(crate) infer: fn(&mut Call<'_>) -> Result<Results, Refusal>,
}

/// What an operation asks of the element types of its operands, and which one its results have. That is a matter of programs
/// that compute in the types that are stored: here everything is f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeRule {
    /// All floats that it reads have one type, which its results have, too. Codes (integers with scales, codebooks) are decoded
    /// to that type. fp8 has no arithmetic and is always converted.
    One,
    /// The type of the table's rows; that of the checkpoint, where they are codes.
    Table,
    /// It reads no floats, and yields none.
    Counts,
}

impl TypeRule {
    /// In a word, for docs.
    pub fn name(self) -> &'static str {
        match self {
            TypeRule::One => "one",
            TypeRule::Table => "the table's",
            TypeRule::Counts => "none",
        }
    }
}

/// Shape and elements of each result.
pub(crate) type Results = Vec<(Vec<Extent>, Element)>;

impl OpDecl {
    /// As it is written, with all its arguments: `linear(x, weight, bias, transposed: false)`.
    pub fn form(&self) -> String {
        let argument = |param: &Param| match param.default {
            Default::Required | Default::Nothing => param.name.to_owned(),
            Default::Size(n) => format!("{}: {n}", param.name),
            Default::Float(x) => format!("{}: {x:?}", param.name),
            Default::Word(word) => format!("{}: {word}", param.name),
            Default::Flag(flag) => format!("{}: {flag}", param.name),
        };
        let arguments: Vec<String> = self.params.iter().map(argument).collect();
        format!("{}({})", self.name, arguments.join(", "))
    }
}

// A name is declared once; the registry's test holds that.
impl PartialEq for OpDecl {
    fn eq(&self, other: &OpDecl) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for OpDecl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A parameter of an operation.
pub struct Param {
    /// As written in front of the `:`.
    pub name: &'static str,
    /// What it takes.
    pub kind: ParamKind,
    /// Whether it may be left out, and what holds then.
    pub default: Default,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// Activations, or a tensor of the checkpoint as they.
    Value,
    /// Numbers of tokens or positions.
    Ids,
    /// Activations or ids.
    Any,
    /// A tensor of the checkpoint.
    Weight,
    /// A family of the checkpoint's blocks.
    Experts,
    /// A whole number or a dim.
    Size,
    /// A number.
    Float,
    /// One of these words, or a default that holds one.
    Word(&'static [&'static str]),
    /// The name of a matrix in a block.
    Name,
    /// A default, whatever word it holds.
    Setting,
    /// A list of words.
    Words,
    /// `true` or `false`.
    Flag,
    /// A list of extents.
    Sizes,
}

/// What holds when an argument is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// It may not be.
    Required,
    /// Nothing: the operation does without.
    Nothing,
    /// This number.
    Size(u64),
    /// This number.
    Float(f64),
    /// This word.
    Word(&'static str),
    /// This flag.
    Flag(bool),
}

/// An argument, bound to its parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bound {
    /// A value with a shape, and its text in messages.
    Value(Vec<Extent>, Element, String),
    /// Members of a family: name of each matrix (last segment), shape, text in messages.
    Experts(Vec<(String, Vec<Extent>, String)>),
    /// Anything else.
    Attribute(Attribute),
    /// Left out, or an optional tensor that the checkpoint lacks.
    Absent,
}

/// A call whose arguments are bound.
pub(crate) struct Call<'a> {
    pub(super) decl: &'static OpDecl,
    pub(super) bound: &'a [Bound],
    pub(super) numbers: &'a dyn Fn(&str) -> Option<u64>,
    /// Questions that only numbers answer.
    pub(super) open: Vec<Obligation>,
}

/// Something that must hold, and that symbols alone do not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obligation {
    /// What must be so.
    pub claim: Claim,
    /// Index of the argument that it is about.
    pub param: usize,
    /// A clause for a headline, `{}` being left out: "the heads do not divide `x`".
    pub headline: String,
}

/// A length that only numbers can settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Both are the same.
    Equal(Extent, Extent),
    /// The first divides the second.
    Divides(Extent, Extent),
    /// The first is not above the second.
    AtMost(Extent, Extent),
}

/// Why a call is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Index of the argument at fault.
    pub param: usize,
    /// Index of the argument it contradicts.
    pub other: Option<usize>,
    /// One clause.
    pub headline: String,
    /// At the argument.
    pub label: String,
    /// At the other one.
    pub other_label: String,
}

impl Call<'_> {
    fn position(&self, name: &str) -> usize {
        self.decl.params.iter().position(|p| p.name == name).unwrap_or(usize::MAX)
    }

    fn bound(&self, name: &str) -> Option<&Bound> {
        self.bound.get(self.position(name))
    }

    /// Shape of an operand; nothing where it is absent.
    pub(crate) fn shape(&self, name: &str) -> Option<Vec<Extent>> {
        match self.bound(name)? {
            Bound::Value(shape, ..) => Some(shape.clone()),
            _ => None,
        }
    }

    /// Shape of an operand that is not optional.
    pub(crate) fn required(&self, name: &'static str) -> Result<Vec<Extent>, Refusal> {
        self.shape(name).ok_or_else(|| self.refuse(name, format!("`{}` needs `{name}`", self.decl.name), ""))
    }

    /// Shape of an operand with `rank` axes.
    pub(crate) fn ranked(&self, name: &'static str, rank: usize) -> Result<Vec<Extent>, Refusal> {
        let shape = self.required(name)?;
        if shape.len() == rank {
            return Ok(shape);
        }
        let headline = format!("`{name}` of `{}` has {rank} axes, not {}", self.decl.name, shape.len());
        Err(self.refuse(name, headline, shape_text(&shape)))
    }

    /// Shape of an operand with an axis at least, and its last one.
    pub(crate) fn last(&self, name: &'static str) -> Result<(Vec<Extent>, Extent), Refusal> {
        let mut shape = self.required(name)?;
        match shape.pop() {
            Some(last) => Ok((shape, last)),
            None => Err(self.refuse(
                name,
                format!("`{name}` of `{}` has no axis", self.decl.name),
                "a single number",
            )),
        }
    }

    /// Matrices of a family's members.
    pub(crate) fn experts(&self, name: &str) -> &[(String, Vec<Extent>, String)] {
        match self.bound(name) {
            Some(Bound::Experts(members)) => members,
            _ => &[],
        }
    }

    /// A whole number, perhaps a dim.
    pub(crate) fn size(&self, name: &str) -> Option<Extent> {
        match self.bound(name)? {
            Bound::Attribute(Attribute::Size(extent)) => Some(extent.clone()),
            Bound::Attribute(Attribute::Setting(setting)) => Some(Extent::name(setting)),
            _ => None,
        }
    }

    /// A word or the name of a matrix.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        match self.bound(name)? {
            Bound::Attribute(Attribute::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// A flag; no if only a checkpoint tells.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.bound(name), Some(Bound::Attribute(Attribute::Flag(true))))
    }

    /// Words of a list.
    pub(crate) fn words(&self, name: &str) -> &[String] {
        match self.bound(name) {
            Some(Bound::Attribute(Attribute::Words(words))) => words,
            _ => &[],
        }
    }

    /// Extents of a list.
    pub(crate) fn sizes(&self, name: &str) -> &[Extent] {
        match self.bound(name) {
            Some(Bound::Attribute(Attribute::Sizes(sizes))) => sizes,
            _ => &[],
        }
    }

    /// How an argument is called in a message.
    fn text(&self, name: &str) -> String {
        match self.bound(name) {
            Some(Bound::Value(shape, _, text)) if text.is_empty() => {
                format!("{name} is {}", shape_text(shape))
            }
            Some(Bound::Value(shape, _, text)) => format!("`{text}` is {}", shape_text(shape)),
            _ => name.to_owned(),
        }
    }

    /// A refusal at the argument `name`.
    pub(crate) fn refuse(
        &self,
        name: &str,
        headline: impl Into<String>,
        label: impl Into<String>,
    ) -> Refusal {
        Refusal {
            param: self.position(name),
            other: None,
            headline: headline.into(),
            label: label.into(),
            other_label: String::new(),
        }
    }

    /// That an extent of `name` is the one of `other`.
    pub(crate) fn same(&mut self, name: &str, a: &Extent, other: &str, b: &Extent) -> Result<(), Refusal> {
        if a == b {
            return Ok(());
        }
        let values = (a.value(&self.numbers), b.value(&self.numbers));
        let headline = format!("`{}` meets {a} with {b}", self.decl.name);
        match values {
            (Some(a), Some(b)) if a == b => return Ok(()),
            (Some(_), Some(_)) => {}
            _ if a.has_quotient() || b.has_quotient() => {
                let claim = Claim::Equal(a.clone(), b.clone());
                self.open.push(Obligation { claim, param: self.position(name), headline });
                return Ok(());
            }
            _ => {}
        }
        Err(Refusal {
            param: self.position(name),
            other: Some(self.position(other)),
            headline,
            label: self.text(name),
            other_label: self.text(other),
        })
    }

    /// `of / divisor`, which must leave nothing over.
    pub(crate) fn quotient(&mut self, name: &str, of: &Extent, divisor: &Extent) -> Result<Extent, Refusal> {
        if let Some(whole) = of.divided(divisor) {
            return Ok(whole);
        }
        let headline = format!("{divisor} does not divide {of}");
        let claim = Claim::Divides(divisor.clone(), of.clone());
        self.open.push(Obligation { claim, param: self.position(name), headline });
        of.quotient(divisor).ok_or_else(|| self.refuse(name, "the length is too long", ""))
    }

    /// That `a` is not above `b`.
    pub(crate) fn at_most(&mut self, name: &str, a: &Extent, b: &Extent) {
        if a != b {
            let headline = format!("{a} is larger than {b}");
            let claim = Claim::AtMost(a.clone(), b.clone());
            self.open.push(Obligation { claim, param: self.position(name), headline });
        }
    }

    /// The product of extents.
    pub(crate) fn product(&self, name: &str, extents: &[Extent]) -> Result<Extent, Refusal> {
        let product = extents.iter().try_fold(Extent::number(1), |product, e| product.times(e));
        product.ok_or_else(|| self.refuse(name, "the product of the extents is too long", ""))
    }
}

/// One result of floats.
pub(crate) fn floats(shape: Vec<Extent>) -> Result<Results, Refusal> {
    Ok(vec![(shape, Element::Float)])
}

/// Shorthands for tables of parameters.
pub(crate) const fn param(name: &'static str, kind: ParamKind) -> Param {
    Param { name, kind, default: Default::Required }
}

/// A parameter that may be left out.
pub(crate) const fn optional(name: &'static str, kind: ParamKind, default: Default) -> Param {
    Param { name, kind, default }
}
