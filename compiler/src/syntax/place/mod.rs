//! Where in the language a cursor stands, also in a text that is not finished: what completion and signature help ask.
//!
//! Only what is before the cursor decides, since what is behind it may belong to anything. No error: a place where
//! nothing is known is [`Place::Nothing`].

mod classify;
mod pattern;
mod scan;
#[cfg(test)]
mod tests;
mod token;

use crate::base::Span;
use scan::{Kind, Scan};
use token::Inside;

/// What may be written at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place<'t> {
    /// A comment, a name that is being declared, a number, or something that nobody understands.
    Nothing,
    /// The first word of an item of the file.
    Item,
    /// A segment of `use a::b`; the segments before it.
    Import(Vec<&'t str>),
    /// A name in the braces of a `use`; what stands between `use` and the braces.
    ImportName(&'t str),
    /// What goes on in the head of a recipe; whether `extends` and `for` may stand here.
    Head {
        /// No `extends` before.
        extends: bool,
        /// No `for` before.
        arch: bool,
    },
    /// The recipe behind `extends`.
    Base,
    /// The architecture behind `for`.
    Arch,
    /// A kind, such as `percent`.
    Kind,
    /// The first word of an item of a recipe.
    RecipeItem,
    /// A device.
    Target,
    /// Who converts types, behind `casts`.
    Casts,
    /// A default of the architecture, behind `set`.
    Setting,
    /// `as`, behind the path of `emit`.
    As,
    /// A container, behind `as`.
    Container,
    /// A dim, behind `prune dim`.
    PruneDim,
    /// `in`, behind that.
    PruneIn,
    /// A segment of a tensor's name.
    Segment(Segment<'t>),
    /// A role, behind `@`.
    Role,
    /// Behind a pattern: `where`, `except`.
    AfterPattern {
        /// The pattern has no `where` yet.
        filter: bool,
    },
    /// What a condition asks for.
    Subject,
    /// Behind that: a comparison.
    SubjectCompared(&'t str),
    /// What it is compared with.
    SubjectValue(&'t str),
    /// Behind a condition: `and`, `or`, `except`.
    AfterCondition,
    /// A format, behind `=>`.
    Format,
    /// The name of an argument of the innermost call or block.
    Argument,
    /// A value.
    Value(Slot<'t>),
    /// What a requirement measures.
    Metric,
    /// Behind that: a comparison.
    MetricCompared,
    /// Behind a number: a unit, or `of`.
    Unit {
        /// What the number is for.
        slot: Slot<'t>,
        /// A `%` stands behind it, so that only `of` may follow.
        percent: bool,
    },
    /// A path in a string.
    File(FileKind),
    /// The first word of an item of an architecture.
    ArchItem,
    /// A dim of an architecture.
    ArchDim,
    /// A statement of a `forward`.
    Forward,
}

/// Whose value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot<'t> {
    /// A const's or a parameter's, with its kind if it has one.
    Declared(Option<&'t str>),
    /// A setting's.
    Setting(&'t str),
    /// The checkpoint's, or the output's.
    Path,
    /// An argument's of the innermost call or block.
    Argument(&'t str),
    /// A value without a name in the innermost call.
    Bare,
    /// A metric's bound.
    Bound(&'t str),
    /// Behind `of`, in a metric's bound.
    Share(&'t str),
}

/// What a path in a string is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FileKind {
    Recipe,
    Checkpoint,
    Data,
    Tokenizer,
}

/// A segment of a tensor's name that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'t> {
    /// The segments before it as written, joined by `.`; empty for the first.
    pub prefix: &'t str,
    /// In braces: the text of the segment before them, and the alternatives that stand in them already.
    pub braces: Option<(&'t str, Vec<&'t str>)>,
    /// Nothing stands before it in its pattern, so that `_` may.
    pub alone: bool,
    /// Whose pattern it is.
    pub of: PatternOf,
}

/// Whose pattern it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternOf {
    /// An arm's.
    Arm,
    /// A `prune`'s; the flag says that `dim` may stand here.
    Prune(bool),
}

/// A call, or a block with fields, that is open at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<'t> {
    /// What is called.
    pub callee: Callee<'t>,
    /// Names of the arguments before the cursor's.
    pub given: Vec<&'t str>,
    /// How many arguments stand before the cursor's.
    pub position: usize,
    /// Name of the argument in which the cursor stands.
    pub active: Option<&'t str>,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee<'t> {
    /// A format, a container, `percentile`.
    Word(&'t str),
    /// A recipe that is extended.
    Base(&'t str),
    /// The fields of an item of a recipe: `prune`, `calibrate`, `evaluate`, `tune`.
    Block(&'t str),
}

/// Where a cursor stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor<'t> {
    /// What may be written there.
    pub place: Place<'t>,
    /// What a choice replaces: the word, segment or path under the cursor.
    pub replace: Span,
    /// What of that stands before the cursor.
    pub typed: &'t str,
    /// The innermost call or block with fields.
    pub call: Option<Call<'t>>,
    /// The item of the file around it: its keyword and its name.
    pub item: Option<(&'t str, &'t str)>,
}

/// Where byte `offset` of `text` is; one beyond the end, or inside a character, is moved to the next one before.
pub fn cursor(text: &str, offset: u32) -> Cursor<'_> {
    let mut at = (offset as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = text.get(..at).unwrap_or("");
    let behind = text.get(at..).unwrap_or("");
    let word = before.trim_end_matches(token::is_word).len();
    let end = at + behind.find(|c| !token::is_word(c)).unwrap_or(behind.len());
    let scan = scan::scan(text, word, text.get(word..end).unwrap_or(""));
    let item = scan.frames.first().map(|f| (f.word(0), f.word(1))).filter(|(keyword, _)| !keyword.is_empty());
    let call = call(&scan);
    let (place, replace) = match scan.inside {
        Some(Inside::Comment) => (Place::Nothing, Span::new(at, at)),
        Some(Inside::Text(start, end)) => match classify::file_kind(&scan) {
            Some(kind) => (Place::File(kind), Span::new(start, end)),
            None => (Place::Nothing, Span::new(at, at)),
        },
        None => {
            let (place, start) = classify::place(&scan, text, word, at);
            let end = match &place {
                // What a segment may hold besides letters.
                Place::Segment(s) if s.braces.is_none() => segment_end(text, end),
                _ => end,
            };
            (place, Span::new(start, end))
        }
    };
    let typed = text.get(replace.start as usize..at).unwrap_or("");
    Cursor { place, replace, typed, call, item }
}

/// Where the segment that goes on at `at` ends.
fn segment_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or("");
    let mut end = 0;
    for (i, c) in rest.char_indices() {
        let arrow = c == '-' && rest.get(i + 1..).is_some_and(|r| r.starts_with('>'));
        if arrow || !(token::is_word(c) || matches!(c, '-' | '*')) {
            break;
        }
        end = i + c.len_utf8();
    }
    at + end
}

fn call<'t>(scan: &Scan<'t>) -> Option<Call<'t>> {
    for frame in scan.frames.iter().rev() {
        let callee = match frame.kind {
            Kind::Args(name) => Callee::Word(name),
            Kind::Extends(name) => Callee::Base(name),
            Kind::Fields(name) => Callee::Block(name),
            Kind::List | Kind::Unknown => continue,
            _ => return None,
        };
        let named = matches!(frame.word(1), ":" | "=");
        return Some(Call {
            callee,
            given: frame.done.clone(),
            position: frame.elements,
            active: named.then(|| frame.word(0)),
        });
    }
    None
}
