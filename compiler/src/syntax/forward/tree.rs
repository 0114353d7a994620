//! Nodes of a `forward` body; spans are where the caller's text stands.

use crate::base::Span;
use crate::syntax::tree::Ident;

/// `forward(tokens: [batch, seq]) -> [batch, seq, vocab] { ... }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// In the parentheses.
    pub params: Vec<Param>,
    /// Behind `->`: the extents of the result.
    pub result: Option<Expr>,
    /// In the braces.
    pub body: Block,
    /// The word `forward`.
    pub keyword: Span,
}

/// `tokens: [batch, seq]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// A list of extents.
    pub shape: Option<Expr>,
}

/// Statements, then a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// In source order.
    pub statements: Vec<Statement>,
    /// The expression at the end, without a `;`.
    pub result: Option<Box<Expr>>,
    /// With its braces.
    pub span: Span,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `let x = ...;`, `let (a, b) = ...;`
    Let {
        /// One, or several in parentheses.
        names: Vec<Ident>,
        /// Right side.
        value: Expr,
    },
    /// `for layer in layers { ... }`
    For {
        /// `layer`.
        variable: Ident,
        /// `layers`.
        over: Expr,
        /// Its statements.
        body: Block,
    },
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// All of it.
    pub span: Span,
}

/// Kinds of [`Expr`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// `2`, `1e-5`, as written without `_`.
    Number(String),
    /// `layer.ssm.norm`, `x`: at least one segment.
    Path(Vec<Ident>),
    /// `linear(x, w)`.
    Call {
        /// What is called.
        name: Ident,
        /// In the parentheses.
        args: Vec<Arg>,
    },
    /// `a + b`.
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `-a`.
    Negate(Box<Expr>),
    /// `match layer.moe { ffn => ..., layer => ... }`
    Match {
        /// Below what the arms are looked up.
        head: Box<Expr>,
        /// In source order.
        arms: Vec<Arm>,
    },
    /// `{ let h = ...; h }`
    Block(Block),
    /// `[batch, seq, heads]`
    List(Vec<Expr>),
    /// `(a, b)`
    Tuple(Vec<Expr>),
}

/// `eps: 1e-5`, `x`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// In front of the `:`.
    pub name: Option<Ident>,
    /// Its value.
    pub value: Expr,
}

/// `ffn => ...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// Segments below the head; none for `_`.
    pub path: Vec<Ident>,
    /// In front of the `=>`.
    pub pattern: Span,
    /// Behind it.
    pub value: Expr,
}

/// `+ - * /`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operator {
    Add,
    Sub,
    Mul,
    Div,
}

/// Something that parses and has no meaning in a `forward`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Smallest place.
    pub span: Span,
    /// One clause.
    pub headline: String,
    /// What is written instead, may be empty.
    pub help: &'static str,
}
