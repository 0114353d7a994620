//! `textDocument/completion`: what may stand at the cursor, by the compiler's tables and the names of the checkpoint.
//!
//! | file | knows |
//! | --- | --- |
//! | `tensors` | segments of tensor names, roles, dims, settings: the checkpoint, or the architecture without one |
//! | `words` | keywords, formats, arguments and their values, conditions, requirements |
//! | `names` | consts, parameters, recipes, architectures, the library |
//! | `files` | paths in strings |

use icpc::base::Span;
use icpc::syntax::keywords::{self, keywords};
use icpc::syntax::place::{Cursor, Place, cursor};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    CompletionItem, CompletionItemKind, CompletionList, CompletionOptions, CompletionParams,
    CompletionResponse, CompletionTextEdit, Documentation, InsertTextFormat, ServerCapabilities, TextEdit,
    Uri,
};

use super::Feature;
use crate::client::ClientInfo;
use crate::convert::{self, Source};
use crate::markup::Text;
use crate::state::{State, World};

mod files;
mod names;
mod tensors;
mod words;

pub(super) use names::parameters_of;

/// Most choices of one answer.
const MOST: usize = 300;

/// One thing that may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As the list shows it.
    pub label: String,
    /// What it is.
    pub kind: CompletionItemKind,
    /// A few words beside it.
    pub detail: String,
    /// What there is to say of it.
    pub text: Text,
    /// What is written.
    pub insert: String,
    /// The same with places to fill in, for clients that know them.
    pub snippet: Option<String>,
    /// What is compared with what was typed.
    pub filter: String,
    /// Written elsewhere, too.
    pub also: Option<(Span, String)>,
}

impl Choice {
    fn new(label: impl Into<String>, kind: CompletionItemKind) -> Choice {
        let label = label.into();
        Choice {
            kind,
            detail: String::new(),
            text: Text::default(),
            insert: label.clone(),
            snippet: None,
            filter: label.clone(),
            also: None,
            label,
        }
    }

    fn detail(mut self, detail: impl Into<String>) -> Choice {
        self.detail = detail.into();
        self
    }

    fn say(mut self, text: impl Into<String>) -> Choice {
        self.text = self.text.say(text);
        self
    }

    fn insert(mut self, insert: impl Into<String>) -> Choice {
        self.insert = insert.into();
        self
    }

    fn snippet(mut self, snippet: impl Into<String>) -> Choice {
        self.snippet = Some(snippet.into());
        self
    }

    /// Whether the letters of what was typed are in it, in their order.
    fn fits(&self, typed: &str) -> bool {
        let mut letters = self.filter.chars().flat_map(char::to_lowercase);
        typed.chars().flat_map(char::to_lowercase).all(|wanted| letters.any(|c| c == wanted))
    }
}

/// All that may stand at the cursor, the likely first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// They.
    pub items: Vec<Choice>,
    /// What is typed next may bring others.
    pub incomplete: bool,
    /// Bytes that a choice replaces.
    pub replace: Span,
}

/// The cursor, and what is known around it.
struct At<'w> {
    world: &'w World,
    path: &'w str,
    text: &'w str,
    cursor: Cursor<'w>,
}

impl At<'_> {
    /// Name of the recipe around the cursor.
    fn recipe(&self) -> Option<&str> {
        self.cursor.item.filter(|(keyword, _)| *keyword == "recipe").map(|(_, name)| name)
    }
}

/// What may stand at byte `offset` of a file.
pub fn complete(world: &World, path: &str, text: &str, offset: u32) -> Choices {
    let at = At { world, path, text, cursor: cursor(text, offset) };
    let mut choices = choices(&at);
    if choices.items.len() > MOST {
        let typed = at.cursor.typed;
        choices.items.retain(|c| c.fits(typed));
        choices.items.truncate(MOST);
        choices.incomplete = true;
    }
    choices
}

fn choices(at: &At<'_>) -> Choices {
    use keywords::Place as Of;
    let words = |place| keywords(place).map(words::keyword).collect();
    let mut replace = at.cursor.replace;
    let mut incomplete = false;
    let items = match &at.cursor.place {
        Place::Nothing => Vec::new(),
        Place::Item => words(Of::File),
        Place::Head { extends, arch } => {
            let may =
                |k: &&keywords::Keyword| (k.word != "extends" || *extends) && (k.word != "for" || *arch);
            keywords(Of::Head).filter(may).map(words::keyword).collect()
        }
        Place::RecipeItem => words(Of::Recipe),
        Place::ArchItem => words(Of::Arch),
        Place::Forward => keywords(Of::Forward).map(words::keyword).chain(words::operations()).collect(),
        Place::Import(before) => names::library(at, before),
        Place::ImportName(from) => names::imported(at, from),
        Place::Base => names::recipes(at),
        Place::Arch => names::architectures(at),
        Place::Kind => words::kinds(),
        Place::Target => words::targets(),
        Place::Casts => words::casts(),
        Place::Setting => tensors::settings(at),
        Place::As => words::one_keyword("as"),
        Place::Container => words::containers(),
        Place::PruneDim => tensors::prunable_dims(at),
        Place::PruneIn => words::one_keyword("in"),
        Place::Segment(segment) => {
            let (items, more) = tensors::segments(at, segment);
            incomplete = more;
            items
        }
        Place::Role => tensors::roles(at),
        Place::AfterPattern { filter } => words::after_pattern(*filter),
        Place::Subject => words::subjects(),
        Place::SubjectCompared(subject) => words::comparisons(Some(subject)),
        Place::SubjectValue(subject) => tensors::subject_values(at, subject),
        Place::AfterCondition => words::after_condition(),
        Place::Format => words::formats(at),
        Place::Argument => words::arguments(at),
        Place::Value(slot) => words::values(at, *slot),
        Place::Metric => words::metrics(),
        Place::MetricCompared => words::comparisons(None),
        Place::Unit { slot, percent } => words::units(at, *slot, *percent),
        Place::File(kind) => {
            let (items, start) = files::paths(at, *kind);
            replace.start = start;
            items
        }
        Place::ArchDim => tensors::declared_dims(at),
    };
    Choices { items, incomplete, replace }
}

/// Where a space alone asks for choices: elsewhere a list would open at every space.
fn opens_at_space(place: &Place<'_>) -> bool {
    matches!(
        place,
        Place::Import(_)
            | Place::Base
            | Place::Arch
            | Place::Kind
            | Place::Target
            | Place::Casts
            | Place::Setting
            | Place::Container
            | Place::PruneDim
            | Place::SubjectValue(_)
            | Place::Format
            | Place::Value(_)
    )
}

/// `textDocument/completion`.
pub struct Completion;

impl Feature for Completion {
    type Params = CompletionParams;
    type Answer = Option<CompletionResponse>;
    const NEEDS_FILES: bool = true;

    fn document(params: &CompletionParams) -> Option<&Uri> {
        Some(&params.text_document_position.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        let signs = [".", "@", ":", "(", "{", ",", "\"", "/", " "];
        capabilities.completion_provider = Some(CompletionOptions {
            trigger_characters: Some(signs.map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        });
    }

    fn folder(state: &State, params: &CompletionParams) -> Option<String> {
        let at = &params.text_document_position;
        let path = convert::path_of(&at.text_document.uri);
        let document = state.documents().get(&path)?;
        let offset = document.lines().offset(document.text(), at.position, state.client().encoding);
        let cursor = cursor(document.text(), offset);
        names::folder(&state.libraries(&path), &path, &cursor).or_else(|| files::folder(&path, &cursor))
    }

    fn answer(world: &World, params: &CompletionParams) -> Result<Self::Answer> {
        let at = &params.text_document_position;
        let path = convert::path_of(&at.text_document.uri);
        let Some(source) = world.source(&path) else { return Ok(None) };
        let offset = source.offset(at.position);
        let space = params.context.as_ref().and_then(|c| c.trigger_character.as_deref()) == Some(" ");
        if space && !opens_at_space(&cursor(&source.text, offset).place) {
            return Ok(None);
        }
        let choices = complete(world, &path, &source.text, offset);
        let items = choices
            .items
            .into_iter()
            .zip(0..)
            .map(|(choice, number)| item(choice, number, choices.replace, &source, &world.client));
        let list = CompletionList { is_incomplete: choices.incomplete, items: items.collect() };
        Ok(Some(CompletionResponse::List(list)))
    }
}

fn item(
    choice: Choice,
    number: usize,
    replace: Span,
    source: &Source,
    client: &ClientInfo,
) -> CompletionItem {
    let snippet = choice.snippet.filter(|_| client.snippets);
    let format = snippet.as_ref().map(|_| InsertTextFormat::SNIPPET);
    let edit = TextEdit { range: source.range(replace), new_text: snippet.unwrap_or(choice.insert) };
    let also = choice.also.map(|(at, new_text)| vec![TextEdit { range: source.range(at), new_text }]);
    CompletionItem {
        kind: Some(choice.kind),
        detail: (!choice.detail.is_empty()).then_some(choice.detail),
        documentation: (!choice.text.is_empty())
            .then(|| Documentation::MarkupContent(choice.text.content(client.markdown_choices))),
        sort_text: Some(format!("{number:04}")),
        filter_text: (choice.filter != choice.label).then_some(choice.filter),
        insert_text_format: format,
        text_edit: Some(CompletionTextEdit::Edit(edit)),
        additional_text_edits: also,
        label: choice.label,
        ..CompletionItem::default()
    }
}
