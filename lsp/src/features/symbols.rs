//! `textDocument/documentSymbol`: the outline of a file.

use icpc::base::Span;
use icpc::syntax::tree::{ArchItem, File, Item, RecipeItem};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse, Location, OneOf, ServerCapabilities,
    SymbolInformation, SymbolKind, Uri,
};

use super::Feature;
use crate::client::ClientInfo;
use crate::convert::{self, Source};
use crate::state::World;

/// One entry of the outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// As it is called; of what has no name, its keyword.
    pub name: String,
    /// A word about it.
    pub detail: Option<String>,
    /// What it is.
    pub kind: SymbolKind,
    /// All of it.
    pub span: Span,
    /// Its name.
    pub name_span: Span,
    /// What is in it.
    pub children: Vec<Symbol>,
}

impl Symbol {
    fn new(name: impl Into<String>, kind: SymbolKind, span: Span, name_span: Span) -> Symbol {
        Symbol { name: name.into(), detail: None, kind, span, name_span, children: Vec::new() }
    }

    fn detail(mut self, detail: &str) -> Symbol {
        self.detail = (!detail.is_empty()).then(|| detail.to_owned());
        self
    }

    fn with(mut self, children: Vec<Symbol>) -> Symbol {
        self.children = children;
        self
    }
}

/// The outline of a file: recipes with their items, consts, architectures with their parts.
pub fn outline(text: &str, file: &File) -> Vec<Symbol> {
    let slice = |span: Span| text.get(span.range()).unwrap_or("");
    let item = |item: &Item| match item {
        Item::Use(_) => None,
        Item::Const(c) => {
            let symbol = Symbol::new(&c.name.text, SymbolKind::CONSTANT, c.span, c.name.span);
            Some(symbol.detail(slice(c.value.span)))
        }
        Item::Recipe(r) => {
            let of = r.arch.as_ref().map(|arch| format!("for {}", slice(arch.span))).unwrap_or_default();
            let params = r.params.iter().map(|p| {
                let kind = p.kind.as_ref().map_or("", |k| k.text.as_str());
                Symbol::new(&p.name.text, SymbolKind::VARIABLE, p.span, p.name.span).detail(kind)
            });
            let items = r.items.iter().map(|i| recipe_item(i, &slice));
            let symbol = Symbol::new(&r.name.text, SymbolKind::CLASS, r.span, r.name.span).detail(&of);
            Some(symbol.with(params.chain(items).collect()))
        }
        Item::Derive(d) => {
            let of = d.base.as_ref().map(|base| format!("from {}", slice(base.span))).unwrap_or_default();
            Some(Symbol::new(&d.name.text, SymbolKind::STRUCT, d.span, d.name.span).detail(&of))
        }
        Item::Arch(a) => {
            let symbol = Symbol::new(&a.name.text, SymbolKind::STRUCT, a.span, a.name.span);
            Some(symbol.with(a.items.iter().flat_map(|i| arch_item(i, &slice)).collect()))
        }
    };
    file.items.iter().filter_map(item).collect()
}

fn recipe_item<'t>(item: &RecipeItem, slice: &dyn Fn(Span) -> &'t str) -> Symbol {
    let named = |kind, span, keyword: Span| Symbol::new(slice(keyword), kind, span, keyword);
    match item {
        RecipeItem::Checkpoint { keyword, value, span } => {
            named(SymbolKind::FILE, *span, *keyword).detail(slice(value.span))
        }
        RecipeItem::Target { keyword, value, span } | RecipeItem::Casts { keyword, value, span } => {
            named(SymbolKind::PROPERTY, *span, *keyword).detail(slice(value.span))
        }
        RecipeItem::Set { name, value, span } => {
            Symbol::new(&name.text, SymbolKind::PROPERTY, *span, name.span).detail(slice(value.span))
        }
        RecipeItem::Prune(p) => named(SymbolKind::EVENT, p.span, p.keyword).detail(slice(p.pattern.span)),
        RecipeItem::Assign { keyword, arms, span } => {
            let arm = |arm: &icpc::syntax::tree::Arm| {
                let name = one_line(slice(arm.pattern.span));
                let symbol = Symbol::new(name, SymbolKind::FIELD, arm.span, arm.pattern.span);
                symbol.detail(slice(arm.format.span))
            };
            named(SymbolKind::NAMESPACE, *span, *keyword).with(arms.iter().map(arm).collect())
        }
        RecipeItem::Settings { keyword, span, .. } => {
            Symbol::new(&keyword.text, SymbolKind::NAMESPACE, *span, keyword.span)
        }
        RecipeItem::Require { keyword, requirements, span } => {
            let requirement = |r: &icpc::syntax::tree::Requirement| {
                let symbol = Symbol::new(&r.metric.text, SymbolKind::BOOLEAN, r.span, r.metric.span);
                symbol.detail(slice(r.span).trim_start_matches(&r.metric.text).trim_matches([' ', ';']))
            };
            named(SymbolKind::NAMESPACE, *span, *keyword).with(requirements.iter().map(requirement).collect())
        }
        RecipeItem::Emit { keyword, path, span, .. } => {
            named(SymbolKind::FILE, *span, *keyword).detail(slice(path.span))
        }
    }
}

fn arch_item<'t>(item: &ArchItem, slice: &dyn Fn(Span) -> &'t str) -> Vec<Symbol> {
    let path = |path: &[icpc::syntax::tree::ArchSegment], whole: Span| match (path.first(), path.last()) {
        (Some(first), Some(last)) => first.span.cover(last.span),
        _ => whole,
    };
    match item {
        ArchItem::Dims { names, .. } => {
            let dim =
                |n: &icpc::syntax::tree::Ident| Symbol::new(&n.text, SymbolKind::VARIABLE, n.span, n.span);
            names.iter().map(dim).collect()
        }
        ArchItem::Tensor(t) => {
            let name = path(&t.path, t.span);
            let detail = slice(Span { start: name.end, end: t.span.end });
            let detail = one_line(detail.trim_start_matches([' ', '?', ':']).trim_end_matches(';'));
            vec![Symbol::new(one_line(slice(name)), SymbolKind::FIELD, t.span, name).detail(&detail)]
        }
        ArchItem::Block { path: prefix, items, span } => {
            let name = path(prefix, *span);
            let children = items.iter().flat_map(|i| arch_item(i, slice)).collect();
            vec![Symbol::new(one_line(slice(name)), SymbolKind::NAMESPACE, *span, name).with(children)]
        }
        ArchItem::Either { branches, .. } => {
            branches.iter().flatten().flat_map(|i| arch_item(i, slice)).collect()
        }
        ArchItem::Default { name, value, span, .. } => {
            vec![Symbol::new(&name.text, SymbolKind::PROPERTY, *span, name.span).detail(slice(value.span))]
        }
        ArchItem::Tie { .. }
        | ArchItem::Property { .. }
        | ArchItem::Bound { .. }
        | ArchItem::Forward { .. } => Vec::new(),
    }
}

/// Text that may be broken over lines, as one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `textDocument/documentSymbol`.
pub struct DocumentSymbols;

impl Feature for DocumentSymbols {
    type Params = DocumentSymbolParams;
    type Answer = Option<DocumentSymbolResponse>;
    const NEEDS_FILES: bool = false;

    fn document(params: &DocumentSymbolParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(_: &ClientInfo, capabilities: &mut ServerCapabilities) {
        capabilities.document_symbol_provider = Some(OneOf::Left(true));
    }

    fn answer(world: &World, params: &DocumentSymbolParams) -> Result<Self::Answer> {
        let uri = &params.text_document.uri;
        let path = convert::path_of(uri);
        let (Some(source), Some(tree)) = (world.source(&path), world.session.tree(&path)) else {
            return Ok(None);
        };
        let symbols = outline(&source.text, &tree);
        Ok(Some(match world.client.nested_symbols {
            true => DocumentSymbolResponse::Nested(symbols.into_iter().map(|s| nested(s, &source)).collect()),
            false => {
                let mut flat = Vec::new();
                symbols.into_iter().for_each(|s| flatten(s, None, &source, uri, &mut flat));
                DocumentSymbolResponse::Flat(flat)
            }
        }))
    }
}

fn nested(symbol: Symbol, source: &Source) -> DocumentSymbol {
    #[expect(deprecated, reason = "the type has the field")]
    DocumentSymbol {
        name: symbol.name,
        detail: symbol.detail,
        kind: symbol.kind,
        tags: None,
        deprecated: None,
        range: source.range(symbol.span),
        selection_range: source.range(symbol.name_span),
        children: Some(symbol.children.into_iter().map(|s| nested(s, source)).collect()),
    }
}

fn flatten(
    symbol: Symbol,
    within: Option<&str>,
    source: &Source,
    uri: &Uri,
    flat: &mut Vec<SymbolInformation>,
) {
    #[expect(deprecated, reason = "the type has the field")]
    flat.push(SymbolInformation {
        name: symbol.name.clone(),
        kind: symbol.kind,
        tags: None,
        deprecated: None,
        location: Location { uri: uri.clone(), range: source.range(symbol.span) },
        container_name: within.map(str::to_owned),
    });
    for child in symbol.children {
        flatten(child, Some(&symbol.name), source, uri, flat);
    }
}
