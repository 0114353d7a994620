//! `textDocument/prepareRename` and `textDocument/rename` of parameters, consts, recipes and architectures. What would
//! change the meaning of something else is refused with the reason.

use std::collections::{BTreeMap, BTreeSet};

use icpc::base::{DType, Span};
use icpc::hir::items::targets;
use icpc::hir::vocabulary::TERMS;
use icpc::syntax::keywords::KEYWORDS;
use icpc::syntax::part::{Named, Token, Within, parts};
use icpc::syntax::tree;
use tower_lsp::jsonrpc::{Error, ErrorCode, Result};
use tower_lsp::ls_types::{
    DocumentChanges, OneOf, OptionalVersionedTextDocumentIdentifier, PrepareRenameResponse, RenameOptions,
    RenameParams, ServerCapabilities, TextDocumentEdit, TextDocumentPositionParams, TextEdit, Uri,
    WorkDoneProgressOptions, WorkspaceEdit,
};

use super::Feature;
use super::references::{self, Reference};
use super::target::{Resolver, Symbol, Target};
use crate::client::ClientInfo;
use crate::state::World;

/// Places of values whose words a const or a parameter of the same name would replace.
const WORDS_OF: [&str; 10] =
    ["format", "per", "clip", "scale", "pack", "by", "container", "target", "casts", "of"];

/// The name at a position and what it names, if it can be renamed; `None` where no name stands.
///
/// # Errors
/// Why it cannot be renamed.
pub fn nameable(target: &Target<'_>) -> std::result::Result<Option<(Span, Symbol)>, String> {
    let Some(part) = target.part() else { return Ok(None) };
    if let Token::Keyword(keyword) = part.token {
        return Err(format!("`{}` is a keyword", keyword.word));
    }
    let Some(symbol) = target.symbol(&part) else { return Ok(None) };
    let name = &symbol.name;
    if symbol.is_of_library() {
        return Err(format!("`{name}` belongs to the library: copy its file to have one of your own"));
    }
    match symbol.kind {
        Named::Const | Named::Param | Named::Recipe | Named::Arch => Ok(Some((part.span, symbol))),
        Named::Dim | Named::Default => Err(format!(
            "`{name}` may stand in a `forward` body, where names are not resolved: rename it by hand"
        )),
    }
}

/// Places that become `new` when what stands at a position is renamed.
///
/// # Errors
/// Why it cannot get this name, and what to do.
pub fn rename(target: &Target<'_>, new: &str) -> std::result::Result<Vec<Reference>, String> {
    let Some((_, symbol)) = nameable(target)? else {
        return Err("no name stands here: put the cursor on one".to_owned());
    };
    if new == symbol.name {
        return Ok(Vec::new());
    }
    valid(new)?;
    if matches!(symbol.kind, Named::Const | Named::Param) {
        free_word(new)?;
    }
    let mut resolver = Resolver::new(target.world);
    for path in seen_in(target.world, &mut resolver, &symbol) {
        clash(target.world, &mut resolver, &symbol, &path, new)?;
    }
    Ok(references::find(target.world, &symbol, None))
}

fn valid(new: &str) -> std::result::Result<(), String> {
    let mut letters = new.chars();
    let starts = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_') || new == "_" {
        return Err(format!(
            "`{new}` is no name: take letters, digits and `_`, the first one no digit, such as `my_recipe`"
        ));
    }
    match KEYWORDS.iter().any(|k| k.word == new) {
        true => Err(format!("`{new}` is a keyword: take another name, such as `{new}_1`")),
        false => Ok(()),
    }
}

/// A const or a parameter replaces a word of the language wherever that stands as a value.
fn free_word(new: &str) -> std::result::Result<(), String> {
    let term = TERMS.iter().any(|t| WORDS_OF.contains(&t.of) && t.word == new);
    match term || targets().any(|target| target == new) || DType::from_name(new).is_some() {
        true => Err(format!(
            "`{new}` is a word of the language, which a value of that name would hide: take another"
        )),
        false => Ok(()),
    }
}

/// Files in which the name means this symbol.
fn seen_in(world: &World, resolver: &mut Resolver<'_>, symbol: &Symbol) -> BTreeSet<String> {
    let mut found = BTreeSet::from([symbol.file.clone()]);
    if symbol.kind != Named::Param {
        for (path, _) in world.session.texts() {
            let item = resolver.item(path, &symbol.name);
            if item.is_some_and(|i| *i.file == *symbol.file && i.number as usize == symbol.item) {
                found.insert(path.to_owned());
            }
        }
    }
    found
}

fn clash(
    world: &World,
    resolver: &mut Resolver<'_>,
    symbol: &Symbol,
    path: &str,
    new: &str,
) -> std::result::Result<(), String> {
    let Some(tree) = world.session.tree(path) else { return Ok(()) };
    let file = path.rsplit('/').next().unwrap_or(path);
    let another = "take another name";
    let item = resolver.item(path, new);
    let is_value = matches!(symbol.kind, Named::Const | Named::Param);
    match (&item, symbol.kind) {
        (Some(item), Named::Param) if !matches!(item.tree, tree::Item::Const(_)) => {}
        (Some(_), _) => return Err(format!("`{file}` has a `{new}` already: {another}")),
        (None, _) => {}
    }
    for (number, item) in tree.items.iter().enumerate() {
        let tree::Item::Recipe(recipe) = item else { continue };
        let concerned = symbol.kind == Named::Const || (symbol.kind == Named::Param && number == symbol.item);
        if concerned && recipe.params.iter().any(|p| p.name.text == new) {
            return Err(format!(
                "the recipe `{}` has a parameter `{new}` already: {another}",
                recipe.name.text
            ));
        }
    }
    // A word that meant itself would become the value.
    let concerned = |item: usize| symbol.kind != Named::Param || item == symbol.item;
    let word = parts(&tree).into_iter().find(|part| match part.token {
        Token::Word(word) => word == new && concerned(part.item),
        Token::Role(role) => role == new && concerned(part.item) && !matches!(part.within, Within::Arch(_)),
        _ => false,
    });
    match word.filter(|_| is_value) {
        Some(part) => {
            let line = world.source(path).map_or(0, |source| source.position(part.span.start).line + 1);
            Err(format!("`{new}` stands in `{file}`, line {line}, for something else: {another}"))
        }
        None => Ok(()),
    }
}

/// The client shows the message to the person.
fn refused(reason: String) -> Error {
    // What the protocol calls `RequestFailed`.
    Error { code: ErrorCode::ServerError(-32803), message: reason.into(), data: None }
}

/// `textDocument/prepareRename`.
pub struct Prepare;

impl Feature for Prepare {
    type Params = TextDocumentPositionParams;
    type Answer = Option<PrepareRenameResponse>;
    const NEEDS_FILES: bool = true;

    fn document(params: &TextDocumentPositionParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, _: &mut ServerCapabilities) {}

    fn answer(world: &World, params: &TextDocumentPositionParams) -> Result<Self::Answer> {
        let Some(target) = Target::new(world, params) else { return Ok(None) };
        let found = nameable(&target).map_err(refused)?;
        Ok(found.map(|(span, symbol)| PrepareRenameResponse::RangeWithPlaceholder {
            range: target.source.range(span),
            placeholder: symbol.name,
        }))
    }
}

/// `textDocument/rename`.
pub struct Rename;

impl Feature for Rename {
    type Params = RenameParams;
    type Answer = Option<WorkspaceEdit>;
    const NEEDS_FILES: bool = true;
    const NEEDS_WORKSPACE: bool = true;

    fn document(params: &RenameParams) -> Option<&Uri> {
        Some(&params.text_document_position.text_document.uri)
    }

    fn offer(client: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.rename_provider = Some(match client.prepares_rename {
            true => OneOf::Right(RenameOptions {
                prepare_provider: Some(true),
                work_done_progress_options: WorkDoneProgressOptions::default(),
            }),
            false => OneOf::Left(true),
        });
    }

    fn answer(world: &World, params: &RenameParams) -> Result<Self::Answer> {
        let Some(target) = Target::new(world, &params.text_document_position) else { return Ok(None) };
        let found = rename(&target, params.new_name.trim()).map_err(refused)?;
        let mut files: BTreeMap<String, Vec<TextEdit>> = BTreeMap::new();
        for reference in found {
            let Some(source) = world.source(&reference.path) else { continue };
            let edit =
                TextEdit { range: source.range(reference.span), new_text: params.new_name.trim().to_owned() };
            files.entry(reference.path).or_default().push(edit);
        }
        Ok(Some(edit(world, files)))
    }
}

fn edit(world: &World, files: BTreeMap<String, Vec<TextEdit>>) -> WorkspaceEdit {
    let named = files.into_iter().filter_map(|(path, edits)| Some((world.uri(&path)?, path, edits)));
    if !world.client.document_changes {
        let changes = named.map(|(uri, _, edits)| (uri, edits)).collect();
        return WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() };
    }
    let edits = named.map(|(uri, path, edits)| TextDocumentEdit {
        text_document: OptionalVersionedTextDocumentIdentifier { uri, version: world.version(&path) },
        edits: edits.into_iter().map(OneOf::Left).collect(),
    });
    WorkspaceEdit {
        document_changes: Some(DocumentChanges::Edits(edits.collect())),
        ..WorkspaceEdit::default()
    }
}
