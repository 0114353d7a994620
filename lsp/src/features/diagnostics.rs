//! Diagnostics, pushed (`textDocument/publishDiagnostics`) and pulled (`textDocument/diagnostic`).

use std::collections::BTreeMap;
use std::sync::Arc;

use icpc::base::{Span, with_thousands};
use icpc::check::shadowed_arm::SHADOWED_ARM;
use icpc::checkpoint::{Schema, listing};
use icpc::db::problems::{MISSING_CHECKPOINT, NO_CHECKPOINT, OUTDATED_HEADER};
use icpc::diag::{self, Certainty, Declaration, Fix, Label, Level, Listing, Place};
use icpc::hir::problems::UNUSED_NAME;
use icpc::syntax::tree;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::*;

use super::Feature;
use crate::client::ClientInfo;
use crate::convert::{self, Source};
use crate::markup;
use crate::state::World;

/// Who speaks.
const SOURCE: &str = "icpc";

/// More than these in one document are not read; the worst ones are kept.
const MOST: usize = 1000;

/// A diagnostic as the client shows it, and as the compiler made it.
pub struct Found {
    /// For the client.
    pub shown: Diagnostic,
    /// With its fixes; places are absolute.
    pub of: diag::Diagnostic,
    /// Recipe that it is about; `None` if it is about the file.
    pub recipe: Option<String>,
}

/// All diagnostics of a document, in a stable order.
pub fn found(world: &World, path: &str) -> Vec<Found> {
    let mut edge = Edge { world, path, sources: BTreeMap::new() };
    let mut out = Vec::new();
    for group in world.session.diagnostic_groups(path) {
        let recipe = group.recipe;
        let checkpoint = recipe.as_ref().and_then(|recipe| world.session.checkpoint_path(path, recipe));
        let schema = checkpoint.as_ref().and_then(|path| world.session.schema(path));
        let listing = checkpoint.zip(schema).map(|(path, schema)| Listed { path, schema });
        // They measure all names of the checkpoint, which most recipes need not.
        let points = group.diagnostics.iter().any(diag::Diagnostic::points_into_listing);
        let lines = listing.as_ref().filter(|_| points).map(|l| (l, listing::Lines::new(&l.schema)));
        for of in group.diagnostics {
            let shown = edge.diagnostic(&of, lines.as_ref().map(|(listed, lines)| (*listed, lines)));
            out.extend(shown.map(|shown| Found { shown, of, recipe: recipe.clone() }));
        }
    }
    out.sort_by_cached_key(|f| key(&f.shown));
    // Recipes that build on the same one report what is wrong with it once each.
    out.dedup_by(|a, b| a.shown == b.shown);
    out
}

/// Diagnostics of a document as the client shows them, in a stable order.
pub fn published(world: &World, path: &str) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = found(world, path).into_iter().map(|f| f.shown).collect();
    if let Some(more) = out.len().checked_sub(MOST).filter(|more| *more > 0) {
        out.sort_by_key(|d| d.severity.map_or(i32::MAX, severity_rank));
        out.truncate(MOST);
        out.sort_by_cached_key(key);
        let end = out.last().map(|d| d.range.end).unwrap_or_default();
        out.push(Diagnostic {
            range: Range { start: end, end },
            severity: Some(DiagnosticSeverity::INFORMATION),
            source: Some(SOURCE.to_owned()),
            message: format!("{} more are not shown", with_thousands(more as u64)),
            ..Diagnostic::default()
        });
    }
    out
}

fn key(d: &Diagnostic) -> (Position, Position, String) {
    (d.range.start, d.range.end, d.message.clone())
}

/// From the worst on.
fn severity_rank(severity: DiagnosticSeverity) -> i32 {
    let worst_first =
        [DiagnosticSeverity::ERROR, DiagnosticSeverity::WARNING, DiagnosticSeverity::INFORMATION];
    worst_first
        .iter()
        .position(|s| *s == severity)
        .map_or(i32::MAX, |rank| i32::try_from(rank).unwrap_or(i32::MAX))
}

/// The checkpoint that labels of a recipe point into.
struct Listed {
    path: String,
    schema: Arc<Schema>,
}

type Lines<'a> = (&'a Listed, &'a listing::Lines<'a>);

/// From the compiler's diagnostics to the protocol's.
struct Edge<'a> {
    world: &'a World,
    path: &'a str,
    sources: BTreeMap<String, Option<Source>>,
}

impl Edge<'_> {
    fn source(&mut self, path: &str) -> Option<&Source> {
        let world = self.world;
        self.sources.entry(path.to_owned()).or_insert_with(|| world.source(path)).as_ref()
    }

    fn diagnostic(&mut self, d: &diag::Diagnostic, lines: Option<Lines<'_>>) -> Option<Diagnostic> {
        let client = Arc::clone(&self.world.client);
        let mut related = Vec::new();
        let mut message = d.headline.clone();
        let here = match &d.primary.place {
            Place::Source(loc) if loc.file.as_ref() == self.path => Some(loc.span),
            _ => None,
        };
        let span = match here {
            Some(span) => span,
            // The cause is in a file that this one imports: it is shown where it comes in.
            None => {
                if let Some((location, shown)) = self.place(&d.primary.place, lines) {
                    message = format!("in `{}`: {message}", shown.rsplit('/').next().unwrap_or(&shown));
                    let text = or(&d.primary.text, &d.headline);
                    related.push(DiagnosticRelatedInformation { location, message: markup::clean(&text) });
                }
                self.entrance(&d.primary.place)
            }
        };
        if here.is_some() && !d.primary.text.is_empty() {
            message = format!("{message}\n{}", d.primary.text);
        }
        for label in &d.secondary {
            // A place that is no more takes its label with it, not the diagnostic.
            let Some((location, shown)) = self.place(&label.place, lines) else { continue };
            let text = self.label_text(label, lines);
            if client.related && self.shows(&label.place) {
                related.push(DiagnosticRelatedInformation { location, message: markup::clean(&text) });
            } else {
                let line = location.range.start.line + 1;
                let file = match shown == self.path {
                    true => String::new(),
                    false => format!("`{}` ", shown.rsplit('/').next().unwrap_or(&shown)),
                };
                message = format!("{message}\n{file}line {line}: {text}");
            }
        }
        for reason in &d.provenance {
            message = format!("{message}\n{reason}");
        }
        if let Some(help) = d.shown_help() {
            message = format!("{message}\nhelp: {help}");
        }
        if !client.related {
            related.clear();
        }
        let unnecessary = [&SHADOWED_ARM, &UNUSED_NAME].contains(&d.kind);
        let tags = (client.tags && unnecessary).then(|| vec![DiagnosticTag::UNNECESSARY]);
        let range = self.source(self.path.to_owned().as_str())?.range(span);
        Some(Diagnostic {
            range,
            severity: Some(severity(d.kind)),
            code: Some(NumberOrString::String(d.kind.code.to_owned())),
            code_description: client.code_description.then(|| page(d.kind)).flatten(),
            source: Some(SOURCE.to_owned()),
            message: markup::clean(&message),
            related_information: (!related.is_empty()).then_some(related),
            tags,
            data: (client.data && !d.fixes.is_empty()).then(|| self.data(&d.fixes)),
        })
    }

    /// Whether the client can show a place when it is clicked at.
    fn shows(&self, place: &Place) -> bool {
        match place {
            Place::Source(loc) => icpc::stdlib::text(&loc.file).is_none(),
            Place::Tensor { .. } => self.world.client.virtual_documents,
            Place::File { path, .. } => convert::is_on_disk(path),
        }
    }

    /// Where a place is, and the name of its file.
    fn place(&mut self, place: &Place, lines: Option<Lines<'_>>) -> Option<(Location, String)> {
        match place {
            Place::Source(loc) => {
                let range = self.source(&loc.file).map(|s| s.range(loc.span)).unwrap_or_default();
                let uri = self.world.uri(&loc.file).or_else(|| self.world.uri(self.path))?;
                Some((Location { uri, range }, loc.file.to_string()))
            }
            Place::Tensor { tensor, axis } => {
                let (listed, lines) = lines?;
                let line = lines.line(*tensor)?;
                let text: Arc<str> = line.text.as_str().into();
                let source = Source {
                    lines: Arc::new(convert::Lines::new(&text)),
                    text,
                    encoding: self.world.client.encoding,
                };
                let mut range = source.range(line.span(*axis));
                (range.start.line, range.end.line) = (line.number, line.number);
                let uri = convert::listing_uri(&listed.path).or_else(|| self.world.uri(self.path))?;
                Some((Location { uri, range }, listed.path.clone()))
            }
            Place::File { path, line } => {
                let at = Position { line: line.unwrap_or(1).saturating_sub(1), character: 0 };
                let uri = self.world.uri(path).or_else(|| self.world.uri(self.path))?;
                Some((Location { uri, range: Range { start: at, end: at } }, path.to_string()))
            }
        }
    }

    /// Text of a label; one in a listing names its tensor, since the line may not be in sight.
    fn label_text(&self, label: &Label, lines: Option<Lines<'_>>) -> String {
        let Place::Tensor { tensor, .. } = &label.place else { return label.text.clone() };
        let line = lines.and_then(|(_, lines)| lines.line(*tensor));
        let words = line.map(|l| l.text.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default();
        match label.text.as_str() {
            "" => words,
            text => format!("{words}: {text}"),
        }
    }

    /// Where the file that a diagnostic of another file is about comes in: the `use` of it, or of what imports it.
    fn entrance(&mut self, place: &Place) -> Span {
        let file = match place {
            Place::Source(loc) => loc.file.to_string(),
            Place::File { path, .. } => path.to_string(),
            Place::Tensor { .. } => String::new(),
        };
        let Some(tree) = self.world.session.tree(self.path) else { return Span::default() };
        let uses = tree.items.iter().filter_map(|item| match item {
            tree::Item::Use(u) => Some((self.world.session.import_path(self.path, &u.from), u.span)),
            _ => None,
        });
        let uses: Vec<(String, Span)> = uses.collect();
        let direct = uses.iter().find(|(path, _)| *path == file);
        let indirect = || uses.iter().find(|(path, _)| self.reaches(path, &file));
        direct.or_else(indirect).map_or(Span::default(), |(_, span)| *span)
    }

    /// Whether `from` imports `file`, directly or not.
    fn reaches(&self, from: &str, file: &str) -> bool {
        let (mut seen, mut pending) = (Vec::new(), vec![from.to_owned()]);
        while let Some(path) = pending.pop() {
            if path == file {
                return true;
            }
            if !seen.contains(&path) {
                pending.extend(self.world.session.imports(&path));
                seen.push(path);
            }
        }
        false
    }

    /// What a code action needs: the fixes, with ranges of the text that was checked.
    fn data(&mut self, fixes: &[Fix]) -> Value {
        let fixes: Vec<Value> = fixes.iter().filter_map(|fix| self.fix(fix)).collect();
        json!({ "fixes": fixes })
    }

    fn fix(&mut self, fix: &Fix) -> Option<Value> {
        let mut edits = Vec::new();
        for edit in &fix.edits {
            let range = self.source(&edit.at.file)?.range(edit.at.span);
            let uri = self.world.uri(&edit.at.file)?;
            edits.push(json!({ "uri": uri, "range": range, "newText": edit.text }));
        }
        let certainty = match fix.certainty {
            Certainty::Safe => "safe",
            Certainty::Unsafe => "unsafe",
            Certainty::ShownOnly => "shown_only",
        };
        Some(json!({ "title": fix.title, "certainty": certainty, "edits": edits }))
    }
}

fn or(text: &str, other: &str) -> String {
    if text.is_empty() { other.to_owned() } else { text.to_owned() }
}

/// A checkpoint that is elsewhere is no mistake of the recipe; what `icpc check` shows with `--verbose` only is a hint.
pub fn severity(kind: &'static Declaration) -> DiagnosticSeverity {
    if [&MISSING_CHECKPOINT, &NO_CHECKPOINT, &OUTDATED_HEADER].contains(&kind) {
        return DiagnosticSeverity::INFORMATION;
    }
    match kind.level {
        Level::Error => DiagnosticSeverity::ERROR,
        Level::Warning => DiagnosticSeverity::WARNING,
        Level::Note => DiagnosticSeverity::HINT,
    }
}

/// The page of a kind.
fn page(kind: &Declaration) -> Option<CodeDescription> {
    let href = format!("{}/blob/main/docs/diagnostics/{}.md", env!("CARGO_PKG_REPOSITORY"), kind.name);
    Some(CodeDescription { href: href.parse().ok()? })
}

/// `textDocument/diagnostic`.
pub struct Pull;

impl Feature for Pull {
    type Params = DocumentDiagnosticParams;
    type Answer = DocumentDiagnosticReportResult;
    const NEEDS_FILES: bool = true;

    fn document(params: &DocumentDiagnosticParams) -> Option<&Uri> {
        Some(&params.text_document.uri)
    }

    fn offer(client: &ClientInfo, capabilities: &mut ServerCapabilities) {
        // To one that is pushed to, it would say everything twice.
        capabilities.diagnostic_provider = client.pulls.then(|| {
            DiagnosticServerCapabilities::Options(DiagnosticOptions {
                identifier: Some(SOURCE.to_owned()),
                inter_file_dependencies: true,
                workspace_diagnostics: false,
                ..DiagnosticOptions::default()
            })
        });
    }

    fn answer(world: &World, params: &DocumentDiagnosticParams) -> Result<Self::Answer> {
        let items = published(world, &convert::path_of(&params.text_document.uri));
        let report = FullDocumentDiagnosticReport { result_id: None, items };
        let report = RelatedFullDocumentDiagnosticReport {
            full_document_diagnostic_report: report,
            ..Default::default()
        };
        Ok(DocumentDiagnosticReportResult::Report(DocumentDiagnosticReport::Full(report)))
    }
}
