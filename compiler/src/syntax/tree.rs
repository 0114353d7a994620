//! The syntax tree of an `.icp` file. Every node knows its bytes; broken places are nodes too.

// Long because every construct of the language has its node here, and the nodes are read side by side.

use crate::base::Span;

/// One parsed file: whatever could be understood, and what could not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct File {
    /// Text of the `//!` lines at the top.
    pub docs: String,
    /// Items in source order; a place that is not an item is left out and listed in `errors`.
    pub items: Vec<Item>,
    /// What is wrong, in source order. One wrong line costs one error.
    pub errors: Vec<SyntaxError>,
}

/// A place that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SyntaxError {
    /// Smallest token that must change.
    pub span: Span,
    /// One clause, lower case, at most 72 characters: ``expected `;` after the checkpoint path``.
    pub headline: String,
    /// Text at the span, may be empty.
    pub label: String,
    /// One action.
    pub help: Option<String>,
    /// Replacement that makes it parse, where there is exactly one.
    pub fix: Option<(Span, String)>,
}

/// A name as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ident {
    /// The name.
    pub text: String,
    /// Its bytes.
    pub span: Span,
}

/// `std::arch::itera_lite`, `common::tables`, `clip`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// At least one.
    pub segments: Vec<Ident>,
    /// All of it.
    pub span: Span,
}

/// What stands at the top level.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Item {
    Use(Use),
    Const(Const),
    Recipe(Recipe),
    Arch(Arch),
    Derive(Derive),
}

/// `use std::arch::itera_lite;`, `use "../common.icp"::{tables, norms};`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    /// From where.
    pub from: UseFrom,
    /// Names in braces; empty without braces (then a `std` path imports its last segment, a file all its names).
    pub names: Vec<Ident>,
    /// From `use` to `;`.
    pub span: Span,
}

/// Source of a [`Use`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UseFrom {
    /// `std::...`.
    Path(Path),
    /// A file, relative to the importing one.
    File {
        /// Unescaped path.
        path: String,
        /// The string with its quotes.
        span: Span,
    },
}

/// `const clip: percent = 99.99%;`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Const {
    /// Text of the `///` lines above.
    pub docs: String,
    /// Its name.
    pub name: Ident,
    /// Declared kind.
    pub kind: Option<Ident>,
    /// Its value.
    pub value: Value,
    /// From `const` to `;`.
    pub span: Span,
}

/// `recipe name(params) extends base for arch { items }`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipe {
    /// Text of the `///` lines above.
    pub docs: String,
    /// Its name.
    pub name: Ident,
    /// `(clip: percent = 99.99%)`.
    pub params: Vec<Param>,
    /// `extends base(clip: 99.9%)`.
    pub extends: Option<Extends>,
    /// `for itera_lite`.
    pub arch: Option<Path>,
    /// Body, in source order.
    pub items: Vec<RecipeItem>,
    /// From `recipe` (docs excluded) to `}`.
    pub span: Span,
}

/// `derive student from itera_lite { hidden: 64, layers: 3 }`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Derive {
    /// Text of the `///` lines above.
    pub docs: String,
    /// Its name.
    pub name: Ident,
    /// The architecture.
    pub base: Option<Path>,
    /// Dims and their extents.
    pub fields: Vec<Arg>,
    /// From `derive` (docs excluded) to `}`.
    pub span: Span,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Param {
    pub name: Ident,
    pub kind: Option<Ident>,
    pub default: Option<Value>,
    pub span: Span,
}

/// The recipe that this one builds on, with arguments for its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Extends {
    pub base: Path,
    pub args: Vec<Arg>,
    pub span: Span,
}

/// What stands in a recipe's body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum RecipeItem {
    /// `checkpoint "x.pt";`
    Checkpoint {
        keyword: Span,
        value: Value,
        span: Span,
    },
    /// `target a30;`, `target cuda:1;` (a target with a colon is a `Name` value with that text)
    Target {
        keyword: Span,
        value: Value,
        span: Span,
    },
    /// `casts auto;`: types are converted where they meet
    Casts {
        keyword: Span,
        value: Value,
        span: Span,
    },
    /// `set top_k = 2;`: a default of the architecture, overridden
    Set {
        name: Ident,
        value: Value,
        span: Span,
    },
    Prune(Prune),
    /// `assign { arms }`
    Assign {
        keyword: Span,
        arms: Vec<Arm>,
        span: Span,
    },
    /// `calibrate { fields }`, `evaluate { fields }`, `tune { fields }`; the keyword says which
    Settings {
        keyword: Ident,
        fields: Vec<Arg>,
        span: Span,
    },
    /// `require { requirements }`
    Require {
        keyword: Span,
        requirements: Vec<Requirement>,
        span: Span,
    },
    /// `emit "out" as safetensors(shards: 5 GB);`
    Emit {
        keyword: Span,
        path: Value,
        container: Option<Value>,
        span: Span,
    },
}

/// `prune pattern { keep: 3, by: magnitude }`, `prune dim expert in layers.*.moe { keep: 75% }`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Prune {
    pub keyword: Span,
    pub dim: Option<Ident>,
    pub pattern: Pattern,
    pub fields: Vec<Arg>,
    pub span: Span,
}

/// `pattern => format`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Arm {
    pub pattern: Pattern,
    pub format: Value,
    pub span: Span,
}

/// `alternatives ? where filter except pattern`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Joined by `|`; at least one unless broken.
    pub alternatives: Vec<Alternative>,
    /// The `?` that allows the pattern to match nothing.
    pub optional: Option<Span>,
    /// `where ...`
    pub filter: Option<Filter>,
    /// `except ...`
    pub except: Option<Box<Pattern>>,
    /// All of it.
    pub span: Span,
}

/// One alternative of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Alternative {
    /// `layers.*.{w1,w2}.weight`
    Path { segments: Vec<Segment>, span: Span },
    /// `@norm`; the span includes the `@`
    Role { role: Ident, span: Span },
    /// `_`
    Rest { span: Span },
}

/// One dot-separated segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Segment {
    pub kind: SegmentKind,
    pub span: Span,
}

/// What a segment accepts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SegmentKind {
    /// `**`: any number of segments.
    AnyDepth,
    /// Parts matched one after the other; `*` alone is `[Star]`, a plain name one `Literal`.
    Glob(Vec<GlobPart>),
    /// `"odd name"`: exactly this text.
    Quoted(String),
}

/// Part of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GlobPart {
    /// Exactly this text.
    Literal(String),
    /// Any text within the segment, also none.
    Star,
    /// Exactly one character.
    One,
    /// `{w1,w2}`, `w{1,2}`: one of these.
    Choice(Vec<Choice>),
    /// `{0..=3}`, `{..4}`, `{2..}`: a decimal integer from `from` (inclusive) to `to` (inclusive).
    Range {
        /// First, 0 if left out.
        from: u64,
        /// Last that matches; `None` if open. An empty range such as `{3..3}` is a syntax error.
        to: Option<u64>,
        /// With its braces.
        span: Span,
    },
}

/// One branch of a [`GlobPart::Choice`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Choice {
    pub parts: Vec<GlobPart>,
    pub span: Span,
}

/// Condition on what the header tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>, Span),
    /// `rank >= 2`, `dim(0) == 128`
    Compare {
        subject: Ident,
        arg: Option<Value>,
        op: CompareOp,
        value: Value,
        span: Span,
    },
}

/// `== != < <= > >=`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl CompareOp {
    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            CompareOp::Eq => "==",
            CompareOp::Ne => "!=",
            CompareOp::Lt => "<",
            CompareOp::Le => "<=",
            CompareOp::Gt => ">",
            CompareOp::Ge => ">=",
        }
    }
}

/// `name: value` or a bare value; `name` is the field of a block too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Arg {
    pub name: Option<Ident>,
    pub value: Value,
    pub span: Span,
}

/// A value as written; names are resolved later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Value {
    pub kind: ValueKind,
    pub span: Span,
}

/// Kinds of written values. Numbers keep their text (`_` removed), so nothing is rounded here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// `128`, `-1`.
    Int(String),
    /// `0.5`, `1e-5`.
    Float(String),
    /// `99.99%`, without the sign.
    Percent(String),
    /// `2.2x`, without the `x`.
    Ratio(String),
    /// `3 MB`, `2 MiB`.
    Size {
        /// Digits before the unit.
        number: String,
        /// `B kB MB GB TB KiB MiB GiB TiB`.
        unit: Ident,
    },
    /// Unescaped text.
    Text(String),
    /// `true`, `false`.
    Bool(bool),
    /// `tensor`, `clip`, `common::tables`, and `cuda:1` in `target`.
    Name(Path),
    /// `nf4(block: 64)`, `percentile(99.9%)`.
    Call {
        /// What is called.
        name: Ident,
        /// In the parentheses.
        args: Vec<Arg>,
    },
    /// `2 of 4`, `105% of baseline`.
    Of(Box<Value>, Box<Value>),
    /// `block 64`: a word and its number.
    Worded(Ident, Box<Value>),
    /// `[1, 2]`.
    List(Vec<Value>),
    /// Something that does not parse; already reported.
    Broken,
}

/// `size <= 3 MB;`, `perplexity <= 105% of baseline;`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Requirement {
    pub metric: Ident,
    pub op: CompareOp,
    pub bound: Value,
    pub span: Span,
}

/// `arch name { items }`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Arch {
    pub docs: String,
    pub name: Ident,
    pub items: Vec<ArchItem>,
    pub span: Span,
}

/// What stands in an architecture.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ArchItem {
    /// `dim vocab, hidden;`
    Dims {
        names: Vec<Ident>,
        span: Span,
    },
    Tensor(TensorDecl),
    /// `layers[i] { ... }`, `transformer? { ... }`: items below a prefix
    Block {
        path: Vec<ArchSegment>,
        items: Vec<ArchItem>,
        span: Span,
    },
    /// `either { ... } or { ... }`: exactly one of the branches
    Either {
        branches: Vec<Vec<ArchItem>>,
        span: Span,
    },
    /// `lm_head.weight = embedding.weight;`
    Tie {
        alias: Vec<ArchSegment>,
        target: Vec<ArchSegment>,
        span: Span,
    },
    /// `recurrent state;`, `residual hidden;`
    Property {
        keyword: Ident,
        names: Vec<Ident>,
        span: Span,
    },
    /// `sequence <= positions;`
    Bound {
        name: Ident,
        op: CompareOp,
        bound: DimExpr,
        span: Span,
    },
    /// `default top_k: int = 2 <= experts from num_experts_per_tok;`: not inferable, so declared, with an optional
    /// bound and the keys of config.json that tell it, the first one there wins
    Default {
        name: Ident,
        kind: Option<Ident>,
        value: Value,
        bound: Option<(CompareOp, DimExpr)>,
        config_keys: Vec<Ident>,
        span: Span,
    },
    /// `forward(...) -> [...] { ... }`: parsed, kept as text, given meaning elsewhere
    Forward {
        text: String,
        span: Span,
    },
}

/// `ssm.norm.{weight,bias} : [hidden] @norm;`, `bias? : [hidden] @bias;`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct TensorDecl {
    pub docs: String,
    pub path: Vec<ArchSegment>,
    /// `?` behind the last segment: the tensor may be absent.
    pub optional: bool,
    pub shape: Vec<DimExpr>,
    /// Without the `@`.
    pub roles: Vec<Ident>,
    pub span: Span,
}

/// One segment of a declared name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct ArchSegment {
    pub kind: ArchSegmentKind,
    /// `?` behind it: the segment may be missing in all names of the block at once.
    pub optional: bool,
    pub span: Span,
}

/// What a declared segment stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArchSegmentKind {
    /// `embedding`.
    Name(String),
    /// `{weight,bias}`: each of these.
    Each(Vec<Ident>),
    /// `experts[e]`, `h[i in layers]`: `name.0`, `name.1`, ...; as many as the dim (the name itself if not given).
    Indexed {
        /// `experts`.
        name: Ident,
        /// `e`.
        index: Ident,
        /// `in experts`.
        dim: Option<Ident>,
    },
}

/// `2 * inner`, `heads * head_dim`, `inner + 2 * state`, `128`. Products are row-major: the left factor is the outer one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct DimExpr {
    pub kind: DimExprKind,
    pub span: Span,
}

/// Kinds of [`DimExpr`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum DimExprKind {
    Int(u64),
    Name(String),
    Mul(Box<DimExpr>, Box<DimExpr>),
    Add(Box<DimExpr>, Box<DimExpr>),
}
