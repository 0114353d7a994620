//! `textDocument/signatureHelp`: what the call or block around the cursor takes.

use icpc::hir::signature::{self, Takes};
use icpc::hir::value::Kind;
use icpc::syntax::place::{Call, Callee, cursor};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    Documentation, ParameterInformation, ParameterLabel, ServerCapabilities, SignatureHelp,
    SignatureHelpOptions, SignatureHelpParams, SignatureInformation, Uri,
};

use super::Feature;
use super::completion::parameters_of;
use crate::client::ClientInfo;
use crate::convert;
use crate::markup::{Text, name};
use crate::state::World;

/// A call as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `nf4(block: int = 64, double: bool = false)`
    pub label: String,
    /// What it is.
    pub text: Text,
    /// The bytes of the label of each parameter, its name, and what there is to say of it.
    pub parameters: Vec<(std::ops::Range<usize>, String, Text)>,
    /// In which of them the cursor is.
    pub active: Option<usize>,
}

/// A parameter before it is laid out.
struct Part {
    name: String,
    takes: String,
    default: String,
    text: Text,
}

/// The call or block around byte `offset`.
pub fn signature(world: &World, path: &str, text: &str, offset: u32) -> Option<Shown> {
    let call = cursor(text, offset).call?;
    let (title, doc, brackets, parts) = match call.callee {
        Callee::Base(base) => {
            let part = |(name, kind, default): (String, Option<Kind>, String)| Part {
                name,
                takes: kind.map_or("", Kind::name).to_owned(),
                default,
                text: Text::default(),
            };
            let parts: Vec<Part> = parameters_of(world, path, base).into_iter().map(part).collect();
            (base.to_owned(), Text::default(), ("(", ")"), parts)
        }
        Callee::Word(_) | Callee::Block(_) => {
            let found = match call.callee {
                Callee::Word(word) => signature::call(word),
                Callee::Block(word) | Callee::Base(word) => signature::block(word),
            }?;
            let part = |p: signature::Parameter| Part {
                name: p.name.to_owned(),
                takes: p.takes.text(),
                default: p.default.unwrap_or("").to_owned(),
                text: Text::new(p.doc).say(examples(&p.takes)),
            };
            let parts = found.parameters.into_iter().map(part).collect();
            let brackets = if found.block { (" { ", " }") } else { ("(", ")") };
            (found.name.to_owned(), Text::new(found.doc), brackets, parts)
        }
    };
    if parts.is_empty() {
        return None;
    }
    Some(lay_out(&call, title, doc, brackets, parts))
}

/// Values that only are examples.
fn examples(takes: &Takes) -> String {
    let values: Vec<String> = match takes {
        Takes::Int(values) | Takes::Number(values) => values.iter().map(|v| name(v)).collect(),
        Takes::Percent(value) | Takes::Size(value) => vec![name(value)],
        _ => Vec::new(),
    };
    if values.is_empty() { String::new() } else { format!("Such as {}.", values.join(", ")) }
}

fn lay_out(call: &Call<'_>, title: String, text: Text, brackets: (&str, &str), parts: Vec<Part>) -> Shown {
    let mut label = format!("{title}{}", brackets.0);
    let mut parameters: Vec<(std::ops::Range<usize>, String, Text)> = Vec::new();
    for part in parts {
        if !parameters.is_empty() {
            label.push_str(", ");
        }
        let start = label.len();
        label.push_str(&part.name);
        if !part.takes.is_empty() {
            label.push_str(if part.name.is_empty() { "" } else { ": " });
            label.push_str(&part.takes);
        }
        if !part.default.is_empty() {
            // As written, perhaps over several lines.
            let default = part.default.split_whitespace().collect::<Vec<_>>().join(" ");
            label.push_str(&format!(" = {default}"));
        }
        parameters.push((start..label.len(), part.name, part.text));
    }
    label.push_str(brackets.1);
    let named = |wanted: &str| parameters.iter().position(|(_, name, _)| name == wanted);
    // Arguments have names, so their order says nothing: the next is the first that is not given.
    let free = || parameters.iter().position(|(_, name, _)| !call.given.contains(&name.as_str()));
    let active = match call.active {
        Some(name) => named(name),
        None => free(),
    };
    Shown { label, text, parameters, active }
}

/// `textDocument/signatureHelp`.
pub struct Signatures;

impl Feature for Signatures {
    type Params = SignatureHelpParams;
    type Answer = Option<SignatureHelp>;
    const NEEDS_FILES: bool = true;

    fn document(params: &SignatureHelpParams) -> Option<&Uri> {
        Some(&params.text_document_position_params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.signature_help_provider = Some(SignatureHelpOptions {
            trigger_characters: Some(["(", ",", "{", ":"].map(str::to_owned).to_vec()),
            ..SignatureHelpOptions::default()
        });
    }

    fn answer(world: &World, params: &SignatureHelpParams) -> Result<Self::Answer> {
        let at = &params.text_document_position_params;
        let path = convert::path_of(&at.text_document.uri);
        let Some(source) = world.source(&path) else { return Ok(None) };
        let Some(shown) = signature(world, &path, &source.text, source.offset(at.position)) else {
            return Ok(None);
        };
        Ok(Some(help(shown, &world.client)))
    }
}

fn help(shown: Shown, client: &ClientInfo) -> SignatureHelp {
    let markdown = client.signatures.markdown;
    let document =
        |text: &Text| (!text.is_empty()).then(|| Documentation::MarkupContent(text.content(markdown)));
    let label = shown.label;
    let parameter = |(at, _, text): &(std::ops::Range<usize>, String, Text)| ParameterInformation {
        label: match client.signatures.offsets {
            true => ParameterLabel::LabelOffsets([
                convert::label_units(&label, at.start),
                convert::label_units(&label, at.end),
            ]),
            false => ParameterLabel::Simple(label.get(at.clone()).unwrap_or("").to_owned()),
        },
        documentation: document(text),
    };
    let parameters = shown.parameters.iter().map(parameter).collect();
    let active = shown.active.and_then(|a| u32::try_from(a).ok());
    let signature = SignatureInformation {
        documentation: document(&shown.text),
        parameters: Some(parameters),
        active_parameter: active,
        label,
    };
    SignatureHelp { signatures: vec![signature], active_signature: Some(0), active_parameter: active }
}
