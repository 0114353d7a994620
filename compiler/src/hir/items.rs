//! From the items of one recipe's body to typed ones.

// Long because every item of a recipe is typed here, one method each.

use std::sync::Arc;

use super::decimal::Decimal;
use super::eval::{Scope, eval};
use super::fields::Fields;
use super::filter::filter;
use super::format::format;
use super::module::Item;
use super::names::Names;
use super::problems::{self, REPEATED_ITEM};
use super::recipe::*;
use super::value::{Value, ValueKind};
use crate::diag::{Certainty, Diagnostic, Loc, Place};
use crate::syntax::tree::{self, RecipeItem};

/// Output containers by name: the ones that exist, and those that are planned and refused with a word.
pub const CONTAINERS: &[(&str, OutputContainer)] =
    &[("safetensors", OutputContainer::Safetensors), ("bitsandbytes", OutputContainer::Bitsandbytes)];

/// What `casts` takes.
pub const AUTO: &str = "auto";
/// A `tokenizer` that is no file: each byte of the text is a token.
pub const BYTES: &str = "bytes";
/// Fields of `calibrate`.
pub const CALIBRATE: &[&str] = &["data", "tokenizer", "samples", "batch", "max_length", "seed", "statistics"];
/// Fields of `evaluate`.
pub const EVALUATE: &[&str] = &["data", "tokenizer", "window", "stride", "shift", "samples", "batch"];
/// Fields of `prune`.
pub const PRUNE: &[&str] = &["keep", "sparsity", "by"];
/// What `by` of `prune` takes.
pub const NORMS: &[(&str, Norm)] = &[("magnitude", Norm::L2), ("l1", Norm::L1), ("l2", Norm::L2)];
/// Arguments of a container.
pub const EMIT: &[&str] = &["shards"];
/// What a share in a requirement is a share of.
pub const BASELINE: &str = "baseline";
/// What a requirement can measure.
pub const METRICS: &[(&str, Metric)] = &[
    ("size", Metric::Size),
    ("compression", Metric::Compression),
    ("memory", Metric::Memory),
    ("sqnr", Metric::Sqnr),
    ("clipped", Metric::Clipped),
    ("perplexity", Metric::Perplexity),
];

/// Targets that are no GPU's name; `cuda` takes a number, as in `cuda:1`, and `sm_80` is any `sm_` with one.
pub const DEVICES: &[&str] = &["cpu", "cuda", "cuda:0", "sm_80"];
/// GPU names that stand for a CUDA target, with their compute capability times ten (NVIDIA's table of CUDA GPUs).
pub const GPUS: &[(&str, u32)] = &[
    ("a30", 80),
    ("a40", 86),
    ("a100", 80),
    ("h100", 90),
    ("h200", 90),
    ("l4", 89),
    ("l40s", 89),
    ("v100", 70),
    ("t4", 75),
    ("b200", 100),
];

/// All targets by name.
pub fn targets() -> impl Iterator<Item = &'static str> {
    DEVICES.iter().copied().chain(GPUS.iter().map(|(name, _)| *name))
}

struct Body<'a> {
    item: &'a Item,
    scope: &'a Scope,
    problems: &'a mut Vec<Diagnostic>,
}

/// Lowers the body of `tree`, which stands in `item`.
pub fn lower(
    tree: &tree::Recipe,
    item: &Arc<Item>,
    scope: &Scope,
    names: &Names,
    problems: &mut Vec<Diagnostic>,
) -> Recipe {
    let end = tree.span.end.saturating_sub(1);
    let mut recipe = Recipe {
        name: tree.name.text.clone(),
        docs: tree.docs.clone(),
        loc: item.loc(tree.name.span),
        end: item.loc(crate::base::Span { start: end, end }),
        arch: None,
        derive: None,
        checkpoint: None,
        target: None,
        casts: None,
        sets: Vec::new(),
        prunes: Vec::new(),
        arms: Vec::new(),
        calibrate: None,
        evaluate: None,
        tune: None,
        requirements: Vec::new(),
        emit: None,
    };
    if let Some(path) = &tree.arch {
        recipe.arch = arch_name(path, item, names, problems);
    }
    let mut body = Body { item, scope, problems };
    for entry in &tree.items {
        body.entry(entry, &mut recipe);
    }
    recipe
}

pub(super) fn arch_name(
    path: &tree::Path,
    item: &Item,
    names: &Names,
    problems: &mut Vec<Diagnostic>,
) -> Option<(String, Loc)> {
    let name = path.segments.last().map_or("", |s| s.text.as_str());
    let at = item.loc(path.span);
    if names.items.get(name).is_some_and(|i| matches!(i.tree, tree::Item::Arch(_) | tree::Item::Derive(_))) {
        return Some((name.to_owned(), at));
    }
    let known: Vec<&str> = names
        .items
        .iter()
        .filter(|(_, i)| matches!(i.tree, tree::Item::Arch(_) | tree::Item::Derive(_)))
        .map(|(n, _)| n.as_str())
        .collect();
    let library = format!("std/arch/{name}.icp");
    let mut d = problems::unknown_name(at, "architecture", name, &known);
    let library_names: Vec<&str> = crate::stdlib::files()
        .filter_map(|(path, _)| path.strip_prefix("std/arch/")?.strip_suffix(".icp"))
        .collect();
    if d.fixes.is_empty()
        && let Some(near) = crate::diag::suggest::closest(name, library_names.iter().copied())
    {
        d = d.help(format!("did you mean `{near}`? import it with `use std::arch::{near};`"));
    }
    problems.push(if crate::stdlib::files().any(|(path, _)| *path == library) {
        let top = Loc { file: Arc::clone(&item.file), item: None, span: crate::base::Span::default() };
        Diagnostic { fixes: Vec::new(), ..d }.help(format!("import it with `use std::arch::{name};`")).fix(
            Certainty::Safe,
            format!("import `std::arch::{name}`"),
            top,
            format!("use std::arch::{name};\n"),
        )
    } else {
        d
    });
    None
}

impl Body<'_> {
    fn value(&mut self, value: &tree::Value) -> Value {
        eval(value, self.item, self.scope, self.problems)
    }

    /// Sets a single-valued item; a second one is a mistake, since only one could count.
    fn once<T>(&mut self, slot: &mut Option<T>, new: T, what: &str, at: Loc, first: Option<Loc>) {
        if slot.is_some() {
            let mut d = Diagnostic::new(&REPEATED_ITEM, at, format!("`{what}` stands twice in one recipe"))
                .help("keep one of them");
            if let Some(first) = first {
                d = d.also(Place::Source(first), "first here");
            }
            self.problems.push(d);
        } else {
            *slot = Some(new);
        }
    }

    fn entry(&mut self, entry: &RecipeItem, recipe: &mut Recipe) {
        match entry {
            RecipeItem::Checkpoint { value, span, .. } => {
                let value = self.value(value);
                if let Some(text) = self.text(&value, "checkpoint", "\"model.safetensors\"") {
                    let first = recipe.checkpoint.as_ref().map(|(_, l)| l.clone());
                    let loc = value.loc;
                    self.once(&mut recipe.checkpoint, (text, loc), "checkpoint", self.item.loc(*span), first);
                }
            }
            RecipeItem::Target { value, span, .. } => {
                let value = self.value(value);
                if let Some(target) = self.target(&value) {
                    let first = recipe.target.as_ref().map(|(_, l)| l.clone());
                    self.once(&mut recipe.target, (target, value.loc), "target", self.item.loc(*span), first);
                }
            }
            RecipeItem::Casts { value, span, .. } => {
                let value = self.value(value);
                if self.is_auto(&value) {
                    let first = recipe.casts.clone();
                    self.once(&mut recipe.casts, value.loc, "casts", self.item.loc(*span), first);
                }
            }
            RecipeItem::Set { name, value, .. } => {
                let value = self.value(value);
                if let Some((_, first)) = recipe.sets.iter().find(|(n, _)| *n == name.text) {
                    self.problems.push(
                        Diagnostic::new(
                            &REPEATED_ITEM,
                            self.item.loc(name.span),
                            format!("`{}` is set twice in one recipe", name.text),
                        )
                        .also(Place::Source(first.loc.clone()), "first here")
                        .help("keep one of them"),
                    );
                    return;
                }
                recipe.sets.push((name.text.clone(), Value { loc: value.loc, kind: value.kind }));
            }
            RecipeItem::Prune(prune) => {
                let prune = self.prune(prune);
                recipe.prunes.push(prune);
            }
            RecipeItem::Assign { arms, .. } => {
                for arm in arms {
                    let value = self.value(&arm.format);
                    // What does not parse claims nothing and stores nothing, and that is not reported again.
                    let unparsed = self.item.has_error_in(arm.span);
                    let before = self.problems.len();
                    let format = format(&value, self.scope, self.problems);
                    let mut pattern = self.pattern(&arm.pattern);
                    if unparsed {
                        self.problems.truncate(before);
                        pattern.broken = true;
                    }
                    recipe.arms.push(Arm { pattern, format, value, loc: self.item.loc(arm.span), depth: 0 });
                }
            }
            RecipeItem::Settings { keyword, fields, span } => {
                let (known, slot) = match keyword.text.as_str() {
                    "calibrate" => (CALIBRATE, &mut recipe.calibrate),
                    "tune" => (super::tune::FIELDS, &mut recipe.tune),
                    _ => (EVALUATE, &mut recipe.evaluate),
                };
                let settings = self.settings(&keyword.text, self.item.loc(keyword.span), fields, known);
                let at = self.item.loc(*span);
                let first = slot.as_ref().map(|s| s.loc.clone());
                self.once(slot, settings, &keyword.text, at, first);
            }
            RecipeItem::Require { requirements, .. } => {
                for requirement in requirements {
                    if let Some(r) = self.requirement(requirement) {
                        recipe.requirements.push(r);
                    }
                }
            }
            RecipeItem::Emit { path, container, span, .. } => {
                let path = self.value(path);
                if let Some(text) = self.text(&path, "emit", "\"out/model\"") {
                    let emit = self.emit(text, path.loc, container.as_ref());
                    let first = recipe.emit.as_ref().map(|e| e.path_loc.clone());
                    self.once(&mut recipe.emit, emit, "emit", self.item.loc(*span), first);
                }
            }
        }
    }

    fn text(&mut self, value: &Value, what: &str, example: &str) -> Option<String> {
        match &value.kind {
            ValueKind::Text(text) if text.is_empty() => {
                self.problems.push(problems::out_of_range(
                    value.loc.clone(),
                    format!("`{what}` cannot be the empty path"),
                    "a path such as `model.safetensors`",
                ));
                None
            }
            ValueKind::Text(text) => Some(text.clone()),
            ValueKind::Broken => None,
            _ => {
                self.problems.push(problems::wrong_kind(value, what, "a string", example));
                None
            }
        }
    }

    fn pattern(&mut self, tree: &tree::Pattern) -> Pattern {
        let before = self.problems.len();
        let condition = tree.filter.as_ref().and_then(|f| filter(f, self.item, self.scope, self.problems));
        let except = tree.except.as_ref().map(|e| Box::new(self.pattern(e)));
        Pattern {
            tree: Arc::new(tree.clone()),
            loc: self.item.loc(tree.span),
            text: crate::syntax::pattern_text(tree).into(),
            condition,
            except,
            broken: self.problems.len() > before || tree.alternatives.is_empty(),
        }
    }

    fn target(&mut self, value: &Value) -> Option<Target> {
        let name = match &value.kind {
            ValueKind::Word(w) => w.clone(),
            ValueKind::Text(t) => t.clone(),
            ValueKind::Broken => return None,
            _ => {
                self.problems.push(problems::wrong_kind(value, "target", "a device", "cpu"));
                return None;
            }
        };
        let sm =
            name.strip_prefix("sm_").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let numbered = name
            .strip_prefix("cuda:")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let cuda = sm || numbered || name == "cuda" || GPUS.iter().any(|(gpu, _)| *gpu == name);
        if cuda || name == "cpu" {
            return Some(Target { name, cuda });
        }
        let known: Vec<&str> = targets().collect();
        self.problems.push(problems::unknown_name(value.loc.clone(), "target", &name, &known));
        None
    }

    fn is_auto(&mut self, value: &Value) -> bool {
        match &value.kind {
            ValueKind::Word(word) if word == AUTO => return true,
            ValueKind::Broken => {}
            ValueKind::Word(word) => self.problems.push(problems::unknown_name(
                value.loc.clone(),
                "word of `casts`",
                word,
                &[AUTO],
            )),
            _ => self.problems.push(problems::wrong_kind(value, "casts", "the word `auto`", AUTO)),
        }
        false
    }

    fn args(&mut self, list: &[tree::Arg]) -> Vec<(Option<(String, Loc)>, Value)> {
        list.iter()
            .map(|arg| {
                let name = arg.name.as_ref().map(|n| (n.text.clone(), self.item.loc(n.span)));
                (name, self.value(&arg.value))
            })
            .collect()
    }

    fn settings(&mut self, what: &str, at: Loc, list: &[tree::Arg], known: &[&str]) -> Settings {
        let args = self.args(list);
        let mut fields = Fields::new(what, at.clone(), &args, known, None, self.scope, self.problems);
        let mut settings = Settings { loc: at, fields: Vec::new() };
        let mut keep = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                let loc = args
                    .iter()
                    .find_map(|(n, _)| n.as_ref().filter(|(n, _)| n == name).map(|(_, l)| l.clone()))
                    .unwrap_or_else(|| value.loc.clone());
                settings.fields.push((name.to_owned(), loc, value));
            }
        };
        for name in known {
            let value = match *name {
                _ if what == "tune" => super::tune::take(&mut fields, name),
                "data" | "tokenizer" | "statistics" => fields.text(name).map(|(_, v)| v),
                "seed" => fields.int(name, 0..=i64::MAX).map(|(_, v)| v),
                _ => fields.int(name, 1..=i64::MAX).map(|(_, v)| v),
            };
            keep(name, value);
        }
        settings
    }

    fn prune(&mut self, tree: &tree::Prune) -> Prune {
        let args = self.args(&tree.fields);
        let amount = args
            .iter()
            .find(|(n, _)| n.as_ref().is_some_and(|(n, _)| n == "keep" || n == "sparsity"))
            .map(|(_, v)| v.clone());
        let how = self.prune_how(tree, &args);
        let pattern = self.pattern(&tree.pattern);
        Prune {
            dim: tree.dim.as_ref().map(|d| (d.text.clone(), self.item.loc(d.span))),
            pattern,
            how,
            amount,
            loc: self.item.loc(tree.span),
        }
    }

    fn prune_how(&mut self, tree: &tree::Prune, args: &[(Option<(String, Loc)>, Value)]) -> Option<PruneHow> {
        let before = self.problems.len();
        let given = |name: &str| args.iter().any(|(n, _)| n.as_ref().is_some_and(|(n, _)| n == name));
        let amount_given = given("keep") || given("sparsity");
        let mut fields =
            Fields::new("prune", self.item.loc(tree.keyword), args, PRUNE, None, self.scope, self.problems);
        let by = fields.word("by", NORMS);
        let sparsity = fields.percent("sparsity", true);
        let keep = match (fields.take("keep"), &sparsity) {
            (Some(keep), Some(_)) => {
                fields.report(
                    Diagnostic::new(
                        &problems::UNKNOWN_FIELD,
                        keep.loc,
                        "`keep` and `sparsity` exclude each other",
                    )
                    .help("`keep` removes indices, `sparsity` sets values to zero: take one"),
                );
                return None;
            }
            // A wrong one was reported already.
            (None, None) if amount_given => return None,
            (None, None) => {
                fields.report(
                    Diagnostic::new(
                        &problems::MISSING_FIELD,
                        self.item.loc(tree.keyword),
                        "`prune` needs the field `keep` or `sparsity`",
                    )
                    .help("add `keep: 75%` to remove indices, or `sparsity: 50%` to zero values"),
                );
                return None;
            }
            (keep, _) => keep,
        };
        let how = match (sparsity, keep) {
            (Some((p, value)), _) => match p.shifted(2).and_then(|share| share.times(1_000_000)) {
                Some(n) => {
                    Some(PruneHow::Mask(Mask::Magnitude { millionths: u32::try_from(n).unwrap_or(0) }))
                }
                None => {
                    fields.report(problems::out_of_range(
                        value.loc,
                        format!("a sparsity of {p}% is too finely divided"),
                        "a percentage with at most 4 decimals",
                    ));
                    None
                }
            },
            (None, Some(keep)) => keep_of(&keep, by.unwrap_or(Norm::L2), &mut fields),
            (None, None) => None,
        };
        if self.problems.len() > before { None } else { how }
    }

    fn requirement(&mut self, tree: &tree::Requirement) -> Option<Requirement> {
        let names: Vec<&str> = METRICS.iter().map(|(n, _)| *n).collect();
        let Some((name, metric)) = METRICS.iter().find(|(n, _)| *n == tree.metric.text) else {
            let at = self.item.loc(tree.metric.span);
            self.problems.push(problems::unknown_name(at, "metric", &tree.metric.text, &names));
            return None;
        };
        let bound = self.value(&tree.bound);
        let fits = match (metric, &bound.kind) {
            (_, bound) if bound.has_broken() => return None,
            (Metric::Size | Metric::Memory, ValueKind::Size(_))
            | (Metric::Compression, ValueKind::Ratio(_))
            | (Metric::Sqnr, ValueKind::Int(_) | ValueKind::Float(_))
            | (Metric::Clipped, ValueKind::Percent(_))
            | (Metric::Perplexity, ValueKind::Int(_) | ValueKind::Float(_)) => true,
            (Metric::Size | Metric::Perplexity, ValueKind::Of(share, of)) => {
                matches!(share.kind, ValueKind::Percent(_))
                    && matches!(&of.kind, ValueKind::Word(w) if w == BASELINE)
            }
            _ => false,
        };
        if !fits {
            let (wanted, example) = match metric {
                Metric::Size if matches!(bound.kind, ValueKind::Percent(_)) => {
                    ("a size, or a share of the baseline", "50% of baseline")
                }
                Metric::Size => ("a size, or a share of the baseline", "3 MB"),
                Metric::Memory => ("a size", "512 MiB"),
                Metric::Compression => ("a ratio", "2.2x"),
                Metric::Sqnr => ("a number of decibels", "20"),
                Metric::Clipped => ("a percentage of the values", "0.1%"),
                Metric::Perplexity => ("a number, or a share of the baseline", "105% of baseline"),
            };
            self.problems.push(problems::wrong_kind(&bound, name, wanted, example));
            return None;
        }
        Some(Requirement { metric: *metric, op: tree.op, bound, loc: self.item.loc(tree.span) })
    }

    fn emit(&mut self, path: String, path_loc: Loc, container: Option<&tree::Value>) -> Emit {
        let mut emit = Emit {
            path,
            container_loc: path_loc.clone(),
            path_loc,
            container: Some(OutputContainer::Safetensors),
            shard_bytes: None,
        };
        let Some(tree) = container else { return emit };
        let value = self.value(tree);
        emit.container_loc = value.loc.clone();
        let (name, args) = match &value.kind {
            ValueKind::Word(name) => (name.clone(), Vec::new()),
            ValueKind::Call(name, args) => (name.clone(), args.clone()),
            ValueKind::Broken => return Emit { container: None, ..emit },
            _ => {
                self.problems.push(problems::wrong_kind(&value, "as", "a container", "safetensors"));
                return Emit { container: None, ..emit };
            }
        };
        emit.container = CONTAINERS.iter().find(|(n, _)| *n == name).map(|(_, c)| *c);
        if emit.container.is_none() {
            let known: Vec<&str> = CONTAINERS.iter().map(|(n, _)| *n).collect();
            let mut d = problems::unknown_name(value.loc.clone(), "container", &name, &known);
            if ["compressed_tensors", "gguf", "onnx"].contains(&name.as_str()) {
                d.headline = format!("this version cannot write `{name}`");
                d.fixes.clear();
                d = d.help(format!("it writes: {}", known.join(", ")));
            }
            self.problems.push(d);
            return emit;
        }
        let mut fields = Fields::new(&name, value.loc, &args, EMIT, None, self.scope, self.problems);
        if let Some((bytes, value)) = fields.size("shards") {
            if bytes < 1_000_000 {
                fields.report(problems::out_of_range(
                    value.loc,
                    "shards below 1 MB make more files than tensors".into(),
                    "1 MB or more",
                ));
            } else {
                emit.shard_bytes = Some(bytes);
            }
        }
        emit
    }
}

fn keep_of(keep: &Value, norm: Norm, fields: &mut Fields<'_>) -> Option<PruneHow> {
    match &keep.kind {
        ValueKind::Int(n) if *n >= 1 => {
            Some(PruneHow::Keep(Keep::Count(u64::try_from(*n).unwrap_or(1)), norm))
        }
        ValueKind::Percent(p) if *p > Decimal::integer(0) && *p < Decimal::integer(100) => {
            p.shifted(2).map(|share| PruneHow::Keep(Keep::Share(share), norm))
        }
        ValueKind::Of(n, m) => match (&n.kind, &m.kind) {
            (ValueKind::Int(n), ValueKind::Int(m)) if 1 <= *n && n < m && *m <= 64 => {
                let (keep, of) = (u32::try_from(*n).unwrap_or(1), u32::try_from(*m).unwrap_or(2));
                Some(PruneHow::Mask(Mask::NOfM { keep, of }))
            }
            _ => {
                fields.report(problems::out_of_range(
                    keep.loc.clone(),
                    format!("`keep` of `prune` cannot be {}", keep.kind),
                    "n of m with 1 <= n < m <= 64, such as `2 of 4`",
                ));
                None
            }
        },
        ValueKind::Int(_) | ValueKind::Percent(_) => {
            fields.report(problems::out_of_range(
                keep.loc.clone(),
                format!("`keep` of `prune` cannot be {}", keep.kind),
                "1 or more, or above 0% and below 100%",
            ));
            None
        }
        _ => fields.wrong(keep, "keep", "a number, a percentage or `2 of 4`", "75%"),
    }
}
