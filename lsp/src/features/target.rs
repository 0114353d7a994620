//! What a position of a document is about: the token there, what it names, and the recipe through which its file is
//! seen. Shared by hover, definition, references and rename.

use std::collections::BTreeMap;
use std::sync::Arc;

use icpc::arch::model::ArchModel;
use icpc::base::Span;
use icpc::checkpoint::Schema;
use icpc::db::Checked;
use icpc::hir::module::item_start;
use icpc::hir::names;
use icpc::hir::{Item, Recipe};
use icpc::stdlib;
use icpc::syntax::part::{Named, Part, Token, Within, part_at, parts};
use icpc::syntax::tree;
use tower_lsp::ls_types::TextDocumentPositionParams;

use crate::convert::{self, Source};
use crate::state::World;

/// A position of a file.
pub struct Target<'w> {
    /// Everything that is known.
    pub world: &'w World,
    /// The file.
    pub path: String,
    /// Its text.
    pub source: Source,
    /// Its tree.
    pub tree: Arc<tree::File>,
    /// The byte in question.
    pub offset: u32,
}

impl<'w> Target<'w> {
    /// Of a request; `None` if the file is not known.
    pub fn new(world: &'w World, at: &TextDocumentPositionParams) -> Option<Target<'w>> {
        let path = convert::path_of(&at.text_document.uri);
        let source = world.source(&path)?;
        let tree = world.session.tree(&path)?;
        let offset = source.offset(at.position);
        Some(Target { world, path, source, tree, offset })
    }

    /// The token there; none in a comment.
    pub fn part(&self) -> Option<Part<'_>> {
        if self.in_comment() { None } else { part_at(&self.tree, self.offset) }
    }

    /// Whether the position is behind a `//` of its line.
    pub fn in_comment(&self) -> bool {
        let line = self.source.lines.span(&self.source.text, self.source.lines.line(self.offset));
        let before = Span { start: line.start, end: self.offset.clamp(line.start, line.end) };
        let mut rest = self.source.text.get(before.range()).unwrap_or("").chars().peekable();
        let mut quoted = false;
        while let Some(c) = rest.next() {
            match c {
                '\\' if quoted => drop(rest.next()),
                '"' => quoted = !quoted,
                '/' if !quoted && rest.peek() == Some(&'/') => return true,
                _ => {}
            }
        }
        false
    }

    /// Some of the text.
    pub fn slice(&self, span: Span) -> &str {
        self.source.text.get(span.range()).unwrap_or("")
    }

    /// What a token names.
    pub fn symbol(&self, part: &Part<'_>) -> Option<Symbol> {
        Resolver::new(self.world).symbol(&self.path, &self.tree, part)
    }

    /// The recipe through which an item is seen: itself, or one that builds on it and has a checkpoint.
    pub fn seen(&self, item: usize) -> Option<Seen> {
        Seen::new(self.world, &self.path, &self.tree, item)
    }
}

/// Something with a name that is declared in one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    /// File of the declaration.
    pub file: String,
    /// Item of the declaration.
    pub item: usize,
    /// What it is.
    pub kind: Named,
    /// Its name.
    pub name: String,
}

impl Symbol {
    /// Whether it is of the library, which nobody can edit.
    pub fn is_of_library(&self) -> bool {
        stdlib::text(&self.file).is_some()
    }

    /// Its name in the declaration, absolute.
    pub fn declaration(&self, world: &World) -> Option<Span> {
        let tree = world.session.tree(&self.file)?;
        let parts = parts(&tree);
        let here = || parts.iter().filter(|p| p.item == self.item && p.token.name() == Some(&self.name));
        let declared = here().find(|p| matches!(p.token, Token::Declared(kind, _) if kind == self.kind));
        // A dim that is not declared is counted where it first stands: `layers[i]`.
        let first = || here().find(|p| self.kind == Named::Dim && matches!(p.token, Token::Dim(_)));
        declared.or_else(first).map(|p| p.span)
    }
}

/// Resolves names; what a file sees is looked up once.
pub struct Resolver<'w> {
    world: &'w World,
    names: BTreeMap<String, BTreeMap<String, Arc<Item>>>,
}

impl<'w> Resolver<'w> {
    /// Knows nothing yet.
    pub fn new(world: &'w World) -> Resolver<'w> {
        Resolver { world, names: BTreeMap::new() }
    }

    /// Items that a file sees, by name.
    pub fn names(&mut self, path: &str) -> &BTreeMap<String, Arc<Item>> {
        let session = &self.world.session;
        self.names.entry(path.to_owned()).or_insert_with(|| {
            let module = session.module(path);
            let load = |path: &str| session.module(path).ok_or(None);
            module.map(|module| names::names(&module, &load).0.items).unwrap_or_default()
        })
    }

    /// An item that a file sees.
    pub fn item(&mut self, path: &str, name: &str) -> Option<Arc<Item>> {
        self.names(path).get(name).cloned()
    }

    /// What `part` of a file names.
    pub fn symbol(&mut self, path: &str, file: &tree::File, part: &Part<'_>) -> Option<Symbol> {
        let name = part.token.name()?;
        let own = |kind| Symbol { file: path.to_owned(), item: part.item, kind, name: name.to_owned() };
        match part.token {
            Token::Declared(kind, _) => Some(own(kind)),
            Token::Imported(u, _) => {
                let session = &self.world.session;
                let module = session.module(&session.import_path(path, &u.from))?;
                module.items.iter().find(|i| i.name().is_some_and(|n| n.text == name)).and_then(item_symbol)
            }
            Token::Base(_) => self.item(path, name).as_ref().and_then(|i| of_kind(i, Named::Recipe)),
            Token::ArchName(_) => self.item(path, name).as_ref().and_then(|i| of_kind(i, Named::Arch)),
            Token::Argument(_) => {
                let Within::Extends(extends) = part.within else { return None };
                let base = extends.base.segments.last()?;
                let base = self.item(path, &base.text)?;
                let tree::Item::Recipe(recipe) = &base.tree else { return None };
                recipe.params.iter().find(|p| p.name.text == name)?;
                let item = base.number as usize;
                Some(Symbol { file: base.file.to_string(), item, kind: Named::Param, name: name.to_owned() })
            }
            Token::Word(_) => {
                if let Some(tree::Item::Recipe(recipe)) = file.items.get(part.item)
                    && recipe.params.iter().any(|p| p.name.text == name)
                {
                    return Some(own(Named::Param));
                }
                match part.within {
                    Within::Arch(_) => None,
                    _ => self.item(path, name).as_ref().and_then(|i| of_kind(i, Named::Const)),
                }
            }
            Token::Dim(_) if matches!(part.within, Within::Arch(_)) => {
                let Within::Arch(arch) = part.within else { return None };
                let default = |i: &tree::ArchItem| matches!(i, tree::ArchItem::Default { name: n, .. } if n.text == name);
                let kind = if has(&arch.items, &default) { Named::Default } else { Named::Dim };
                Some(own(kind))
            }
            Token::Dim(_) | Token::Setting(_) => {
                let kind = if matches!(part.token, Token::Dim(_)) { Named::Dim } else { Named::Default };
                let seen = Seen::new(self.world, path, file, part.item)?;
                let arch = self.arch(&seen)?;
                Some(Symbol {
                    file: arch.file.to_string(),
                    item: arch.number as usize,
                    kind,
                    name: name.to_owned(),
                })
            }
            _ => None,
        }
    }

    /// Declaration of the architecture that a recipe is seen with.
    pub fn arch(&mut self, seen: &Seen) -> Option<Arc<Item>> {
        if let Some((name, at)) = &seen.recipe.arch {
            return self.item(at.file.as_ref(), name);
        }
        let name = &seen.model()?.name;
        let library = stdlib::files().filter_map(|(path, _)| self.world.session.module(path));
        let is_it = |item: &Arc<Item>| matches!(&item.tree, tree::Item::Arch(a) if a.name.text == *name);
        library.into_iter().find_map(|module| module.items.iter().find(|i| is_it(i)).cloned())
    }
}

fn has(items: &[tree::ArchItem], wanted: &dyn Fn(&tree::ArchItem) -> bool) -> bool {
    items.iter().any(|item| match item {
        tree::ArchItem::Block { items, .. } => has(items, wanted),
        tree::ArchItem::Either { branches, .. } => branches.iter().any(|b| has(b, wanted)),
        item => wanted(item),
    })
}

fn item_symbol(item: &Arc<Item>) -> Option<Symbol> {
    let kind = match &item.tree {
        tree::Item::Use(_) => return None,
        tree::Item::Const(_) => Named::Const,
        tree::Item::Recipe(_) => Named::Recipe,
        tree::Item::Arch(_) => Named::Arch,
        tree::Item::Derive(_) => Named::Arch,
    };
    let name = item.name()?.text.clone();
    Some(Symbol { file: item.file.to_string(), item: item.number as usize, kind, name })
}

fn of_kind(item: &Arc<Item>, kind: Named) -> Option<Symbol> {
    item_symbol(item).filter(|s| s.kind == kind)
}

/// A recipe with all that is known of it.
pub struct Seen {
    /// Its file.
    pub path: String,
    /// Its name.
    pub name: String,
    /// It, resolved.
    pub recipe: Arc<Recipe>,
    /// What the checks say, if its checkpoint could be read.
    pub checked: Option<Arc<Checked>>,
    /// Path of its checkpoint.
    pub checkpoint: Option<String>,
    /// The checkpoint's header.
    pub schema: Option<Arc<Schema>>,
}

impl Seen {
    /// The recipe `name` of `path`.
    pub fn recipe(world: &World, path: &str, name: &str) -> Option<Seen> {
        let session = &world.session;
        let recipe = session.recipe(path, name)?;
        let checkpoint = session.checkpoint_path(path, name);
        let schema = checkpoint.as_ref().and_then(|c| session.schema(c));
        let checked = session.checked(path, name);
        Some(Seen { path: path.to_owned(), name: name.to_owned(), recipe, checked, checkpoint, schema })
    }

    /// The recipe through which item `item` of `path` is seen: itself; if it has no checkpoint, the first one that builds
    /// on it and has one.
    pub fn new(world: &World, path: &str, file: &tree::File, item: usize) -> Option<Seen> {
        let Some(tree::Item::Recipe(recipe)) = file.items.get(item) else { return None };
        let own = Seen::recipe(world, path, &recipe.name.text)?;
        if own.checkpoint.is_some() {
            return Some(own);
        }
        let number = u32::try_from(item).ok();
        let built_on_it = |r: &Recipe| {
            let arms = r.arms.iter().map(|a| &a.loc).chain(r.prunes.iter().map(|p| &p.loc));
            let all = arms.chain(r.requirements.iter().map(|r| &r.loc));
            let mut all = all.chain([&r.loc]);
            all.any(|loc| loc.file.as_ref() == path && loc.item == number)
        };
        let session = &world.session;
        for (other, _) in session.texts() {
            for name in session.recipe_names(other) {
                if let Some(found) = session.recipe(other, &name)
                    && found.checkpoint.is_some()
                    && built_on_it(&found)
                {
                    return Seen::recipe(world, other, &name);
                }
            }
        }
        Some(own)
    }

    /// The architecture.
    pub fn model(&self) -> Option<&ArchModel> {
        self.checked.as_ref()?.model.as_deref()
    }

    /// Place in this recipe of an arm that is written as item `item` of `path` at `span`.
    pub fn arm(&self, path: &str, file: &tree::File, item: usize, span: Span) -> Option<usize> {
        let at = relative(file, item, span)?;
        self.recipe.arms.iter().position(|arm| is_at(&arm.loc, path, item, at))
    }

    /// The same for a pruning.
    pub fn prune(&self, path: &str, file: &tree::File, item: usize, span: Span) -> Option<usize> {
        let at = relative(file, item, span)?;
        self.recipe.prunes.iter().position(|prune| is_at(&prune.loc, path, item, at))
    }
}

fn relative(file: &tree::File, item: usize, span: Span) -> Option<Span> {
    Some(span.relative_to(item_start(file.items.get(item)?)))
}

fn is_at(loc: &icpc::diag::Loc, path: &str, item: usize, span: Span) -> bool {
    loc.file.as_ref() == path && loc.item == u32::try_from(item).ok() && loc.span == span
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use icpc::session::Session;
    use tower_lsp::ls_types::{Position, TextDocumentIdentifier, TextDocumentPositionParams};

    use super::super::{definition, hover, links, references, rename};
    use super::*;
    use crate::client::ClientInfo;

    const LISTING: &str = "embedding.weight f32 [512, 64]\nlayers.{0..=3}.w f32 [64, 128]\nnorm f32 [64]\n";
    const RECIPE: &str = r#"use std::arch::llama;
use "b.icp"::{clip};
arch own { dim wide, layers; embedding.weight : [512, wide] @embedding;
    layers[i] { w : [wide, 2 * wide] @linear; } norm : [wide]; residual wide; default k: int = 1 <= wide; }
const text = "a // b"; // not a name: text
recipe r(block: int = 64) extends base(x: 1 kB) for own {
    checkpoint "c"; target cuda:0; set k = 2;
    prune dim wide in layers.* { keep: 50% }
    assign { @norm | layers.{0..2}.w where rank >= 2 and not dim(0) == 3 except **.b? => int8(per: block 4, clip: percentile(clip)),
        embedding.* => nf4(block: block), _ => keep }
    calibrate { data: "t.txt", max_length: 3 }
    require { size <= 3 MB; }
    emit "é" as safetensors(shards: 5 GB);
}
"#;

    fn world(text: &str) -> World {
        let mut session = Session::new();
        session.set_file("a.icp", text);
        session.set_file("b.icp", "const clip = 99%;\nrecipe base(x: size) { assign { norm => keep } }\n");
        session.set_checkpoint_listing("c", LISTING);
        let client = ClientInfo { virtual_documents: true, ..ClientInfo::default() };
        let session = session.snapshot();
        World { documents: Arc::default(), client: Arc::new(client), generation: 0, session, folder: None }
    }

    /// Asks everything everywhere. Whatever it is, there is an answer.
    fn everywhere(text: &str) -> usize {
        let world = world(text);
        let document = TextDocumentIdentifier { uri: "untitled:x".parse().unwrap() };
        let at = TextDocumentPositionParams { text_document: document, position: Position::default() };
        assert!(Target::new(&world, &at).is_none(), "a file that is not known");
        let (source, tree) = (world.source("a.icp").unwrap(), world.session.tree("a.icp").unwrap());
        let mut answers = links::links(&world, "a.icp").len();
        let end = u32::try_from(text.len()).unwrap();
        for offset in (0..end + 3).filter(|o| *o > end || text.is_char_boundary(*o as usize)) {
            let target = Target {
                world: &world,
                path: "a.icp".to_owned(),
                source: source.clone(),
                tree: Arc::clone(&tree),
                offset,
            };
            answers += usize::from(hover::show(&target).is_some());
            answers += usize::from(definition::find(&target).is_some_and(|(_, places)| {
                places.iter().filter_map(|place| definition::location(&world, place)).count() > 0
            }));
            if let Ok(Some((_, symbol))) = rename::nameable(&target) {
                answers += references::find(&world, &symbol, None).len();
                let _ = rename::rename(&target, "fresh");
            }
        }
        answers
    }

    #[test]
    fn every_position_of_every_beginning_has_an_answer() {
        assert!(everywhere(RECIPE) > 500);
        assert_eq!(everywhere(""), 0);
        let cuts = (0..RECIPE.len()).filter(|n| RECIPE.is_char_boundary(*n));
        for cut in cuts.step_by(37) {
            everywhere(&RECIPE[..cut]);
            // A hole of a few letters in the middle.
            let end = RECIPE.len().min(cut + 5);
            if RECIPE.is_char_boundary(end) {
                everywhere(&format!("{}{}", &RECIPE[..cut], &RECIPE[end..]));
            }
        }
    }

    /// Renaming keeps the meaning: what was a reference before is one after.
    #[test]
    fn references_survive_a_rename() {
        let text = RECIPE.replace("extends base(x: 1 kB) ", "");
        let world = world(&text);
        let (source, tree) = (world.source("a.icp").unwrap(), world.session.tree("a.icp").unwrap());
        for part in parts(&tree) {
            let target = Target {
                world: &world,
                path: "a.icp".to_owned(),
                source: source.clone(),
                tree: Arc::clone(&tree),
                offset: part.span.start,
            };
            let Ok(edits) = rename::rename(&target, "fresh") else { continue };
            let symbol = target.symbol(&part).unwrap();
            let mut files =
                [("a.icp", text.clone()), ("b.icp", world.session.text("b.icp").unwrap().to_string())];
            for edit in edits.iter().rev() {
                let (_, text) = files.iter_mut().find(|(path, _)| *path == edit.path).unwrap();
                text.replace_range(edit.span.range(), "fresh");
            }
            let mut after = Session::new();
            files.iter().for_each(|(path, text)| after.set_file(path, text));
            let after = World {
                session: after.snapshot(),
                documents: Arc::default(),
                client: Arc::default(),
                generation: 0,
                folder: None,
            };
            let renamed = Symbol { name: "fresh".to_owned(), ..symbol };
            assert_eq!(references::find(&after, &renamed, None).len(), edits.len(), "{renamed:?}");
        }
    }
}
