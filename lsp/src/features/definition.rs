//! `textDocument/definition`: from a name to its declaration, from a pattern to the first tensor in the checkpoint's
//! listing, from a path to its file.

use std::sync::Arc;

use icpc::base::Span;
use icpc::check::Asset;
use icpc::checkpoint::{Schema, listing};
use icpc::db::CheckpointState;
use icpc::hir::names::join;
use icpc::stdlib;
use icpc::syntax::part::{Part, Token, Within, parts};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    GotoDefinitionParams, GotoDefinitionResponse, Location, LocationLink, OneOf, Range, ServerCapabilities,
    Uri,
};

use super::Feature;
use super::target::{Resolver, Seen, Symbol, Target};
use crate::client::ClientInfo;
use crate::convert::{self, Lines, Source};
use crate::state::World;

/// Most places of one definition.
const MOST: usize = 100;

/// Where something is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Bytes of a source file, the library's included.
    Source(String, Span),
    /// A file as a whole.
    File(String),
    /// A tensor in the listing of the checkpoint at this path.
    Tensor(String, u32),
}

/// Where what stands at a position is defined; the token, and the places.
pub fn find(target: &Target<'_>) -> Option<(Span, Vec<Place>)> {
    let part = target.part()?;
    let places = match part.token {
        Token::Import(u) => vec![Place::File(target.world.session.import_path(&target.path, &u.from))],
        Token::Text(path) if part.within == Within::Checkpoint => {
            vec![checkpoint(target.world, join(&target.path, path))]
        }
        Token::Text(path) if matches!(part.within, Within::Settings(_)) => {
            vec![Place::File(join(&target.path, path))]
        }
        Token::Segment(..) | Token::Alternative(_) => vec![first_tensor(target, &part)?],
        Token::Role(role) => roles(target, &part, role),
        Token::TensorName(decl) => {
            let seen = super::hover::seen_with_arch(target, &part)?;
            let start = icpc::hir::module::item_start(target.tree.items.get(part.item)?);
            let span = decl.span.relative_to(start);
            let facts = (0u32..).zip(&seen.model()?.tensors);
            let mut of_it = facts.filter(|(_, f)| f.as_ref().is_some_and(|f| f.span == span));
            vec![Place::Tensor(seen.checkpoint.clone()?, of_it.next()?.0)]
        }
        _ => {
            let symbol: Symbol = target.symbol(&part)?;
            vec![Place::Source(symbol.file.clone(), symbol.declaration(target.world)?)]
        }
    };
    (!places.is_empty()).then_some((part.span, places))
}

/// A checkpoint: its listing, for weights are no text.
pub fn checkpoint(world: &World, path: String) -> Place {
    match world.client.virtual_documents && world.session.schema(&path).is_some_and(|s| !s.tensors.is_empty())
    {
        true => Place::Tensor(path, 0),
        false => Place::File(path),
    }
}

/// The first tensor that a pattern owns, or else matches.
fn first_tensor(target: &Target<'_>, part: &Part<'_>) -> Option<Place> {
    let seen = target.seen(part.item)?;
    let found = match part.within {
        Within::Arm(arm) => {
            let checked = seen.checked.as_deref()?;
            let number = seen.arm(&target.path, &target.tree, part.item, arm.span)?;
            let claimed = checked.ownership.claimed.get(number).and_then(|c| c.first());
            *claimed.or_else(|| checked.arms.get(number)?.tensors.first())?
        }
        Within::Prune(prune) => {
            let number = seen.prune(&target.path, &target.tree, part.item, prune.span)?;
            let pattern = &seen.recipe.prunes.get(number)?.pattern;
            *super::hover::matched(target, &seen, pattern)?.0.first()?
        }
        _ => return None,
    };
    Some(Place::Tensor(seen.checkpoint?, found))
}

/// Declarations that have a role, in the architecture that the recipe is seen with.
fn roles(target: &Target<'_>, part: &Part<'_>, role: &str) -> Vec<Place> {
    let (file, item) = match part.within {
        Within::Arch(_) => (target.path.clone(), part.item),
        _ => {
            let seen: Option<Seen> = target.seen(part.item);
            let arch = seen.and_then(|seen| Resolver::new(target.world).arch(&seen));
            let Some(arch) = arch else { return Vec::new() };
            (arch.file.to_string(), arch.number as usize)
        }
    };
    let Some(tree) = target.world.session.tree(&file) else { return Vec::new() };
    let all = parts(&tree);
    let in_arch = |p: &&Part<'_>| p.item == item && matches!(p.token, Token::Role(name) if name == role);
    all.iter().filter(in_arch).take(MOST).map(|p| Place::Source(file.clone(), p.span)).collect()
}

/// A place as the client can open it; `None` where it cannot.
pub fn location(world: &World, place: &Place) -> Option<Location> {
    let client = &world.client;
    match place {
        Place::Source(path, span) => {
            let uri = openable(world, path)?;
            Some(Location { uri, range: world.source(path)?.range(*span) })
        }
        Place::File(path) => Some(Location { uri: openable(world, path)?, range: Range::default() }),
        Place::Tensor(path, tensor) => {
            let schema = world.session.schema(path)?;
            let range = name_in_listing(world, &schema, *tensor)?;
            client.virtual_documents.then_some(())?;
            Some(Location { uri: convert::listing_uri(path)?, range })
        }
    }
}

/// URI of a file; a library file is a document that only some clients can show.
fn openable(world: &World, path: &str) -> Option<Uri> {
    match stdlib::text(path) {
        Some(_) => world.client.virtual_documents.then(|| convert::library_uri(path)).flatten(),
        None => is_there(world, path).then(|| world.uri(path)).flatten(),
    }
}

/// Whether a file that a recipe names was found.
fn is_there(world: &World, path: &str) -> bool {
    let session = &world.session;
    let asset = || match session.workspace().assets(session.database()).get(path) {
        Some(Asset::Present { .. } | Asset::Tokenizer(_) | Asset::Unreadable { .. }) => true,
        Some(Asset::Missing { .. }) | None => false,
    };
    let checkpoint = || match session.checkpoint(path) {
        Some(CheckpointState::Missing(_)) | None => false,
        Some(_) => true,
    };
    session.has_file(path) || checkpoint() || asset()
}

/// The name of a tensor in the listing of its checkpoint.
fn name_in_listing(world: &World, schema: &Schema, tensor: u32) -> Option<Range> {
    let text: Arc<str> = listing::written_name(schema, tensor)?.into();
    let whole = Span::new(0, text.len());
    let source = Source { lines: Arc::new(Lines::new(&text)), text, encoding: world.client.encoding };
    let mut range = source.range(whole);
    // Tensor `i` is on line `i`.
    (range.start.line, range.end.line) = (tensor, tensor);
    Some(range)
}

/// `textDocument/definition`.
pub struct Definition;

impl Feature for Definition {
    type Params = GotoDefinitionParams;
    type Answer = Option<GotoDefinitionResponse>;
    const NEEDS_FILES: bool = true;

    fn document(params: &GotoDefinitionParams) -> Option<&Uri> {
        Some(&params.text_document_position_params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.definition_provider = Some(OneOf::Left(true));
    }

    fn answer(world: &World, params: &GotoDefinitionParams) -> Result<Self::Answer> {
        let Some(target) = Target::new(world, &params.text_document_position_params) else { return Ok(None) };
        let Some((span, places)) = find(&target) else { return Ok(None) };
        let found: Vec<Location> = places.iter().filter_map(|place| location(world, place)).collect();
        if found.is_empty() {
            return Ok(None);
        }
        if !world.client.links {
            return Ok(Some(GotoDefinitionResponse::Array(found)));
        }
        // With the whole token: what a client would take for a word ends at a dot.
        let origin = target.source.range(span);
        let link = |l: Location| LocationLink {
            origin_selection_range: Some(origin),
            target_uri: l.uri,
            target_range: l.range,
            target_selection_range: l.range,
        };
        Ok(Some(GotoDefinitionResponse::Link(found.into_iter().map(link).collect())))
    }
}
