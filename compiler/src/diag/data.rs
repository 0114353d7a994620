//! The data type of a diagnostic.

use std::sync::Arc;

use crate::base::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// No correct plan exists, or the plan is certainly not meant.
    Error,
    /// Probably not meant.
    Warning,
    /// Worth knowing; shown with `--verbose`.
    Note,
}

impl Level {
    /// Lower-case word.
    pub fn word(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// A kind of diagnostic.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// Kebab-case, the problem and not the remedy. Never reused.
    pub name: &'static str,
    /// `E0301`. Never reused.
    pub code: &'static str,
    /// Level of every diagnostic of this kind.
    pub level: Level,
    /// Its page, Markdown; `icpc explain` prints it and a test runs it.
    pub page: &'static str,
}

// Declarations are statics, one a name: the name is the identity.
impl PartialEq for Declaration {
    fn eq(&self, other: &Declaration) -> bool {
        self.name == other.name
    }
}
impl Eq for Declaration {}

/// A place in an item (recipe, const, arch) of a file, relative to where the item starts, so that what is typed
/// above it changes nothing here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Loc {
    /// Path of the file as the user gave it.
    pub file: Arc<str>,
    /// Number of the item in its file; `None` when the span is absolute already.
    pub item: Option<u32>,
    /// Bytes, relative to the item.
    pub span: Span,
}

/// What a label points into.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A recipe or library file.
    Source(Loc),
    /// A tensor's line of the checkpoint's listing; columns are found by the renderer.
    Tensor {
        /// Index into the schema's tensors.
        tensor: u32,
        /// Axis whose extent is pointed at; the whole line's dtype and shape if `None`.
        axis: Option<u32>,
    },
    /// A whole file that has no place to point at (a tokenizer, a config).
    File {
        /// Path as the user gave it.
        path: Arc<str>,
        /// Line from 1, where known.
        line: Option<u32>,
    },
}

/// A place with a word about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What is to be seen there; may be empty.
    pub text: String,
}

/// How sure a fix is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Keeps the meaning or is the only correct reading: may be applied unasked.
    Safe,
    /// Likely right: applied when asked for.
    Unsafe,
    /// Shown, never applied by itself.
    ShownOnly,
}

/// Replacement of some bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edit {
    /// What is replaced; empty for an insertion.
    pub at: Loc,
    /// New text.
    pub text: String,
}

/// Edits that remove the cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fix {
    /// ``replace with `layers.*.moe.layer.experts` ``
    pub title: String,
    /// All of them together.
    pub edits: Vec<Edit>,
    /// How sure.
    pub certainty: Certainty,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a diagnostic that is not returned is lost"]
pub struct Diagnostic {
    /// Its kind.
    pub kind: &'static Declaration,
    /// One clause, at most 72 characters, lower case, no period: the fact with its names and numbers.
    pub headline: String,
    /// On the smallest token that must change.
    pub primary: Label,
    /// The other end of the contradiction; two at most.
    pub secondary: Vec<Label>,
    /// Where a computed number comes from: `80 = 48 (dt) + 16 (B) + 16 (C)`.
    pub provenance: Vec<String>,
    /// One action.
    pub help: Option<String>,
    /// Edits that do it.
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// A diagnostic at a place of a source file.
    pub fn new(kind: &'static Declaration, at: Loc, headline: impl Into<String>) -> Diagnostic {
        Diagnostic {
            kind,
            headline: super::headline::fit(headline.into()),
            primary: Label { place: Place::Source(at), text: String::new() },
            secondary: Vec::new(),
            provenance: Vec::new(),
            help: None,
            fixes: Vec::new(),
        }
    }

    /// Text at the primary place.
    pub fn label(mut self, text: impl Into<String>) -> Diagnostic {
        self.primary.text = text.into();
        self
    }

    /// Another end of the contradiction.
    pub fn also(mut self, place: Place, text: impl Into<String>) -> Diagnostic {
        self.secondary.push(Label { place, text: text.into() });
        self
    }

    /// The line of a tensor in the checkpoint's listing.
    pub fn tensor(self, tensor: usize, axis: Option<usize>, text: impl Into<String>) -> Diagnostic {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.also(Place::Tensor { tensor: small(tensor), axis: axis.map(small) }, text)
    }

    /// Source of a number.
    pub fn because(mut self, text: impl Into<String>) -> Diagnostic {
        self.provenance.push(text.into());
        self
    }

    /// One action.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    /// Replacement of `at` by `text`; its title is shown as the help if there is none.
    pub fn fix(
        mut self,
        certainty: Certainty,
        title: impl Into<String>,
        at: Loc,
        text: impl Into<String>,
    ) -> Diagnostic {
        self.fixes.push(Fix { title: title.into(), edits: vec![Edit { at, text: text.into() }], certainty });
        self
    }

    /// The help, or the title of the first fix.
    pub fn shown_help(&self) -> Option<&str> {
        self.help.as_deref().or_else(|| self.fixes.first().map(|f| f.title.as_str()))
    }

    /// Whether one of its labels points into the listing of a checkpoint.
    pub fn points_into_listing(&self) -> bool {
        let listed = |label: &Label| matches!(label.place, Place::Tensor { .. });
        listed(&self.primary) || self.secondary.iter().any(listed)
    }

    /// All that is shown of it, to tell it from others.
    pub fn content(&self) -> impl Ord + use<> {
        let all = (self.primary.clone(), self.kind.code, self.headline.clone());
        (all, self.secondary.clone(), self.provenance.clone(), self.help.clone())
    }

    /// Level of its kind.
    pub fn level(&self) -> Level {
        self.kind.level
    }
}
