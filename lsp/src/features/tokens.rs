//! `textDocument/semanticTokens/full` and `/range`: what only the compiler knows of a token. Keywords, strings and
//! comments are left to the editors' grammars.
//!
//! | token | type | modifiers |
//! | --- | --- | --- |
//! | segment of a pattern that is a name; declared tensor | `property` | `unmatched`: no tensor goes on here; `declaration` |
//! | segment with `*`, `?`, `{`; `_` | `regexp` | `unmatched` |
//! | role | `decorator` | `unmatched` |
//! | all of a pattern that gets nothing because of those above | as above | `shadowed` |
//! | format, container, what is called in a value | `function` | `defaultLibrary` |
//! | word of a value, such as `channel`; target | `enumMember` | `defaultLibrary` |
//! | argument, field, `set` | `parameter` | `defaultLibrary`: the compiler's own |
//! | metric, subject of a condition | `variable` | `readonly`, `defaultLibrary` |
//! | const; parameter | `variable`; `parameter` | `readonly`, `declaration` |
//! | kind | `type` | `defaultLibrary` |
//! | recipe; architecture | `class`; `struct` | `declaration`, `defaultLibrary`: of the library |
//! | dim; default of an architecture | `typeParameter`; `parameter` | `declaration` |
//! | path of the library | `namespace` | `defaultLibrary` |
//! | number with its unit | `number` | |
//!
//! A name that nothing defines has no token, and looks unlike those that something does.

use std::collections::BTreeMap;

use icpc::base::Span;
use icpc::hir::vocabulary;
use icpc::matching::resolve::Miss;
use icpc::syntax::part::{Named, Part, Token, Within, parts};
use icpc::syntax::tree::{Alternative, ArchSegmentKind, Arm, File, GlobPart, Pattern, SegmentKind, UseFrom};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::*;

use super::Feature;
use super::target::Resolver;
use crate::client::ClientInfo;
use crate::convert::{self, Positions, Source};
use crate::state::World;
use crate::views::Views;

/// Types, in the order of the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Namespace,
    Type,
    Class,
    Struct,
    TypeParameter,
    Parameter,
    Variable,
    Property,
    EnumMember,
    Function,
    Number,
    Regexp,
    Decorator,
}

const TYPES: [SemanticTokenType; 13] = [
    SemanticTokenType::NAMESPACE,
    SemanticTokenType::TYPE,
    SemanticTokenType::CLASS,
    SemanticTokenType::STRUCT,
    SemanticTokenType::TYPE_PARAMETER,
    SemanticTokenType::PARAMETER,
    SemanticTokenType::VARIABLE,
    SemanticTokenType::PROPERTY,
    SemanticTokenType::ENUM_MEMBER,
    SemanticTokenType::FUNCTION,
    SemanticTokenType::NUMBER,
    SemanticTokenType::REGEXP,
    SemanticTokenType::DECORATOR,
];

const MODIFIERS: [SemanticTokenModifier; 5] = [
    SemanticTokenModifier::DECLARATION,
    SemanticTokenModifier::READONLY,
    SemanticTokenModifier::DEFAULT_LIBRARY,
    SemanticTokenModifier::new("unmatched"),
    SemanticTokenModifier::new("shadowed"),
];
const DECLARATION: u32 = 1;
const READONLY: u32 = 1 << 1;
const LIBRARY: u32 = 1 << 2;
const UNMATCHED: u32 = 1 << 3;
const SHADOWED: u32 = 1 << 4;

/// A token with its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marked {
    /// Its bytes.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// Bits, in the order of the legend.
    pub modifiers: u32,
}

/// The tokens that touch `range`, ascending; none overlap.
pub fn tokens(world: &World, path: &str, range: Span) -> Vec<Marked> {
    let Some(tree) = world.session.tree(path) else { return Vec::new() };
    let mut marker = Marker {
        path,
        tree: &tree,
        resolver: Resolver::new(world),
        views: Views::new(world, path),
        known: BTreeMap::new(),
        arm: None,
        out: Vec::new(),
    };
    let source = world.session.text(path);
    let text = |span: Span| source.and_then(|t| t.get(span.range())).unwrap_or("");
    for part in parts(&tree) {
        if part.span.start <= range.end && range.start <= part.span.end {
            marker.part(&part, text(part.span));
        }
    }
    let mut found = marker.out;
    found.sort_unstable();
    let mut end = 0;
    found.retain(|token| {
        let apart = token.span.start >= end && !token.span.is_empty();
        end = if apart { token.span.end } else { end };
        apart
    });
    found
}

/// What is known of the pattern of an arm.
struct Seen {
    /// The arm's place.
    span: Span,
    /// Bytes that no tensor has, as they stand in the file.
    unmatched: Vec<Span>,
    /// All that it matches went to others.
    shadowed: bool,
}

struct Marker<'a> {
    path: &'a str,
    tree: &'a File,
    resolver: Resolver<'a>,
    views: Views,
    /// Whether a word means something in a place.
    known: BTreeMap<(String, String), bool>,
    /// The arm of the last token.
    arm: Option<Seen>,
    out: Vec<Marked>,
}

impl Marker<'_> {
    fn add(&mut self, span: Span, kind: Kind, modifiers: u32) {
        self.out.push(Marked { span, kind, modifiers });
    }

    fn part(&mut self, part: &Part<'_>, text: &str) {
        let span = part.span;
        match part.token {
            Token::Declared(named, _) => {
                let (kind, readonly) = of_named(named);
                self.add(span, kind, DECLARATION | readonly);
            }
            Token::Import(u) if matches!(u.from, UseFrom::Path(_)) => {
                self.add(span, Kind::Namespace, LIBRARY);
            }
            Token::Imported(..)
            | Token::Base(_)
            | Token::ArchName(_)
            | Token::Argument(_)
            | Token::Setting(_)
            | Token::Dim(_) => drop(self.named(part)),
            Token::Kind(word) => self.word("kind", word, span, Kind::Type, LIBRARY),
            Token::Callee(word) => self.word(place(part), word, span, Kind::Function, LIBRARY),
            Token::Field(word) => {
                let of = match part.within {
                    Within::Prune(_) => "prune",
                    Within::Settings(keyword) => &keyword.text,
                    _ => part.callee.unwrap_or(""),
                };
                self.word(of, word, span, Kind::Parameter, LIBRARY);
            }
            Token::Word(_) if self.named(part) => {}
            Token::Word(word) => match place(part) {
                of @ ("format" | "container") => self.word(of, word, span, Kind::Function, LIBRARY),
                "target" => self.add(span, Kind::EnumMember, LIBRARY),
                of => self.word(of, word, span, Kind::EnumMember, LIBRARY),
            },
            Token::Number(_) => self.add(span, Kind::Number, 0),
            Token::Metric(word) => self.word("require", word, span, Kind::Variable, READONLY | LIBRARY),
            Token::Subject(word) => self.word("where", word, span, Kind::Variable, READONLY | LIBRARY),
            Token::Role(_) => {
                let modifiers = self.of_pattern(part);
                self.add(span, Kind::Decorator, modifiers);
            }
            Token::Segment(_, segment) => {
                let name = match &segment.kind {
                    SegmentKind::AnyDepth => false,
                    SegmentKind::Quoted(_) => true,
                    SegmentKind::Glob(parts) => matches!(parts.as_slice(), [GlobPart::Literal(_)]),
                };
                let modifiers = self.of_pattern(part);
                self.add(span, if name { Kind::Property } else { Kind::Regexp }, modifiers);
            }
            Token::Alternative(_) if text == "_" => {
                let modifiers = self.of_pattern(part);
                self.add(span, Kind::Regexp, modifiers);
            }
            Token::TensorName(tensor) => {
                for segment in &tensor.path {
                    match &segment.kind {
                        ArchSegmentKind::Name(_) => self.add(segment.span, Kind::Property, DECLARATION),
                        ArchSegmentKind::Each(names) => {
                            names.iter().for_each(|n| self.add(n.span, Kind::Property, DECLARATION));
                        }
                        // It counts a dim, which has a token of its own.
                        ArchSegmentKind::Indexed { .. } => {}
                    }
                }
            }
            Token::Import(_) | Token::Text(_) | Token::Alternative(_) | Token::Keyword(_) => {}
        }
    }

    /// A word that means something by itself.
    fn word(&mut self, of: &str, word: &str, span: Span, kind: Kind, modifiers: u32) {
        let key = (of.to_owned(), word.to_owned());
        let known = self.known.entry(key).or_insert_with(|| vocabulary::describe(of, word).is_some());
        if *known {
            self.add(span, kind, modifiers);
        }
    }

    /// A name that is defined somewhere; `false` if it is not.
    fn named(&mut self, part: &Part<'_>) -> bool {
        let Some(symbol) = self.resolver.symbol(self.path, self.tree, part) else { return false };
        let (kind, readonly) = of_named(symbol.kind);
        let library = if symbol.is_of_library() { LIBRARY } else { 0 };
        self.add(part.span, kind, readonly | library);
        true
    }

    /// Modifiers of a token of a pattern.
    fn of_pattern(&mut self, part: &Part<'_>) -> u32 {
        let Within::Arm(arm) = part.within else { return 0 };
        if self.arm.as_ref().is_none_or(|seen| seen.span != arm.span) {
            self.arm = Some(self.seen(part.item, arm));
        }
        let Some(seen) = &self.arm else { return 0 };
        let touched = |span: &Span| span.start <= part.span.start && part.span.end <= span.end;
        let unmatched = if seen.unmatched.iter().any(touched) { UNMATCHED } else { 0 };
        unmatched | if seen.shadowed { SHADOWED } else { 0 }
    }

    fn seen(&self, item: usize, arm: &Arm) -> Seen {
        let mut seen = Seen { span: arm.span, unmatched: Vec::new(), shadowed: false };
        let start = self.tree.items.get(item).map_or(0, icpc::hir::module::item_start);
        let views =
            self.views.arm(u32::try_from(item).unwrap_or(u32::MAX), arm.span.relative_to(start).start);
        let Some(view) = views.first() else { return seen };
        let checked = &view.view.checked;
        if let Some(matched) = checked.arms.get(view.number) {
            seen.unmatched.extend(matched.misses.iter().filter_map(|miss| unmatched(&arm.pattern, miss)));
            let claimed = checked.ownership.claimed.get(view.number);
            seen.shadowed =
                claimed.is_some_and(Vec::is_empty) && !matched.tensors.is_empty() && !matched.rest;
        }
        seen
    }
}

/// The bytes of a pattern that a miss is about: from where no name goes on to the end of its alternative.
fn unmatched(pattern: &Pattern, miss: &Miss) -> Option<Span> {
    let absolute = |span: Span| span.absolute_from(pattern.span.start);
    match miss {
        Miss::Path { at, alternative, depth, .. } => {
            let mut of = pattern;
            for _ in 0..*depth {
                of = of.except.as_deref()?;
            }
            let Alternative::Path { span, .. } = of.alternatives.get(*alternative)? else { return None };
            Some(Span { end: span.end, ..absolute(*at) })
        }
        Miss::Role { at, .. } => Some(absolute(*at)),
        Miss::Choice { .. } | Miss::Condition { .. } | Miss::ExceptAll { .. } | Miss::ExceptNone { .. } => {
            None
        }
    }
}

fn of_named(named: Named) -> (Kind, u32) {
    match named {
        Named::Const => (Kind::Variable, READONLY),
        Named::Param => (Kind::Parameter, READONLY),
        Named::Recipe => (Kind::Class, 0),
        Named::Arch => (Kind::Struct, 0),
        Named::Dim => (Kind::TypeParameter, 0),
        Named::Default => (Kind::Parameter, 0),
    }
}

/// The place of a word, as the vocabulary calls it.
fn place<'t>(part: &Part<'t>) -> &'t str {
    match (part.field, part.within) {
        (Some(field), _) => field,
        (None, Within::Emit) => "container",
        (None, Within::Target) => "target",
        (None, Within::Casts) => "casts",
        (None, Within::Require(_)) => "of",
        // A const or a parameter is a format, unless it is something that has no words.
        (None, _) => "format",
    }
}

/// As the protocol has it: each relative to the one before. A token that goes over lines is left out: not every client
/// takes it.
fn encoded(source: &Source, tokens: &[Marked]) -> Vec<SemanticToken> {
    let mut positions = Positions::new(source);
    let mut before = Position::default();
    let encode = |token: &Marked| {
        let range = positions.range(token.span);
        if range.start.line != range.end.line {
            return None;
        }
        let delta_line = range.start.line - before.line;
        let delta_start = range.start.character - if delta_line == 0 { before.character } else { 0 };
        before = range.start;
        Some(SemanticToken {
            delta_line,
            delta_start,
            length: range.end.character - range.start.character,
            token_type: token.kind as u32,
            token_modifiers_bitset: token.modifiers,
        })
    };
    tokens.iter().filter_map(encode).collect()
}

fn answer(world: &World, uri: &Uri, range: Option<Range>) -> Option<SemanticTokens> {
    let path = convert::path_of(uri);
    let source = world.source(&path)?;
    let range = range.map_or(Span::new(0, source.text.len()), |range| source.bytes(range));
    Some(SemanticTokens { result_id: None, data: encoded(&source, &tokens(world, &path, range)) })
}

/// `textDocument/semanticTokens/full`.
pub struct Full;

impl Feature for Full {
    type Params = SemanticTokensParams;
    type Answer = Option<SemanticTokensResult>;
    const NEEDS_FILES: bool = true;

    fn document(params: &SemanticTokensParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.semantic_tokens_provider = Some(
            SemanticTokensOptions {
                legend: SemanticTokensLegend {
                    token_types: TYPES.to_vec(),
                    token_modifiers: MODIFIERS.to_vec(),
                },
                range: Some(true),
                full: Some(SemanticTokensFullOptions::Bool(true)),
                ..SemanticTokensOptions::default()
            }
            .into(),
        );
    }

    fn answer(world: &World, params: &SemanticTokensParams) -> Result<Self::Answer> {
        Ok(answer(world, &params.text_document.uri, None).map(SemanticTokensResult::Tokens))
    }
}

/// `textDocument/semanticTokens/range`.
pub struct InRange;

impl Feature for InRange {
    type Params = SemanticTokensRangeParams;
    type Answer = Option<SemanticTokensRangeResult>;
    const NEEDS_FILES: bool = true;

    fn document(params: &SemanticTokensRangeParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, _: &mut ServerCapabilities) {}

    fn answer(world: &World, params: &SemanticTokensRangeParams) -> Result<Self::Answer> {
        let answer = answer(world, &params.text_document.uri, Some(params.range));
        Ok(answer.map(SemanticTokensRangeResult::Tokens))
    }
}
