//! `textDocument/hover`: what stands under the cursor, with the figures of this checkpoint.
//!
//! | file | is about |
//! | --- | --- |
//! | `pattern` | patterns of arms and prunings: the tensors, who owns them, bytes before and after |
//! | `value` | formats, arguments, words, numbers with their legal range |
//! | `model` | dims, roles, settings, declared tensors: what the architecture says of this checkpoint |
//! | `names` | consts, parameters, recipes, architectures, files |
//! | `require` | requirements, with the actual figure |

use icpc::base::Span;
use icpc::graph::{OpDecl, ops};
use icpc::syntax::keywords::{Keyword, Place, keywords};
use icpc::syntax::part::{Token, Within};
use icpc::syntax::tree;
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    self, HoverContents, HoverParams, HoverProviderCapability, ServerCapabilities, Uri,
};

use super::Feature;
use super::target::Target;
use crate::client::ClientInfo;
use crate::markup::{Text, name};
use crate::state::World;

mod model;
mod names;
mod pattern;
mod require;
mod value;

pub(super) use model::seen as seen_with_arch;
pub(super) use pattern::matched;

/// What is shown, and for which bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The token.
    pub span: Span,
    /// What there is to say.
    pub text: Text,
}

/// What there is to say of a position.
pub fn show(target: &Target<'_>) -> Option<Shown> {
    let Some(part) = target.part() else { return bare_keyword(target) };
    let text = match part.token {
        Token::Segment(..) | Token::Alternative(_) => pattern::show(target, &part),
        Token::Role(role) => match part.within {
            Within::Arch(_) => model::role(target, &part, role),
            _ => pattern::show(target, &part),
        },
        Token::Keyword(keyword) => Some(of_keyword(keyword)),
        Token::Dim(dim) => model::dim(target, &part, dim),
        Token::TensorName(declared) => model::tensor(target, &part, declared),
        Token::Setting(setting) => model::setting(target, &part, setting),
        Token::Declared(..)
        | Token::Imported(..)
        | Token::Base(_)
        | Token::ArchName(_)
        | Token::Argument(_) => names::show(target, &part),
        Token::Import(u) => names::import(target, u),
        Token::Kind(kind) => value::kind(kind),
        Token::Metric(metric) => require::show(target, &part, metric),
        Token::Subject(_) | Token::Field(_) | Token::Callee(_) | Token::Word(_) | Token::Number(_) => {
            value::show(target, &part)
        }
        Token::Text(text) => names::file(target, &part, text),
    }?;
    (!text.is_empty()).then_some(Shown { span: part.span, text })
}

fn of_keyword(keyword: &Keyword) -> Text {
    Text::new(format!("{}: {}", name(keyword.word), keyword.doc)).code(keyword.form)
}

fn of_operation(op: &OpDecl) -> Text {
    Text::new(format!("{}: {}", name(op.name), op.docs))
        .code(op.form())
        .say(format!("Shapes: {}.", op.shapes))
}

/// A keyword whose place the tree does not keep: `where`, `for`, `as`.
fn bare_keyword(target: &Target<'_>) -> Option<Shown> {
    if target.in_comment() {
        return None;
    }
    let text: &str = &target.source.text;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (before, behind) = (text.get(..target.offset as usize)?, text.get(target.offset as usize..)?);
    let start = before.trim_end_matches(is_word).len();
    let span = Span::new(start, before.len() + (behind.len() - behind.trim_start_matches(is_word).len()));
    let word = target.slice(span);
    let item = target.tree.items.iter().find(|item| match item {
        tree::Item::Recipe(r) => r.span.touches(span.start),
        tree::Item::Arch(a) => a.span.touches(span.start),
        _ => false,
    });
    let places: &[Place] = match item {
        Some(tree::Item::Recipe(_)) => &[Place::Head, Place::Pattern, Place::Value, Place::Recipe],
        Some(_) => &[Place::Arch, Place::Forward],
        None => &[Place::File],
    };
    let keyword = places.iter().find_map(|place| keywords(*place).find(|k| k.word == word));
    let text = match (keyword, item) {
        (Some(keyword), _) => of_keyword(keyword),
        (None, Some(tree::Item::Arch(_))) => of_operation(ops::find(word)?),
        (None, _) => return None,
    };
    Some(Shown { span, text })
}

/// `textDocument/hover`.
pub struct Hover;

impl Feature for Hover {
    type Params = HoverParams;
    type Answer = Option<ls_types::Hover>;
    const NEEDS_FILES: bool = true;

    fn document(params: &HoverParams) -> Option<&Uri> {
        Some(&params.text_document_position_params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.hover_provider = Some(HoverProviderCapability::Simple(true));
    }

    fn answer(world: &World, params: &HoverParams) -> Result<Self::Answer> {
        let Some(target) = Target::new(world, &params.text_document_position_params) else { return Ok(None) };
        Ok(show(&target).map(|shown| ls_types::Hover {
            contents: HoverContents::Markup(shown.text.content(world.client.markdown)),
            range: Some(target.source.range(shown.span)),
        }))
    }
}
