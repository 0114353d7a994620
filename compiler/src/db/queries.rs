//! The queries. Each is a few lines around plain functions.
// Long because the queries are one graph, which is read as a whole.

use std::sync::Arc;

use super::inputs::{CheckpointFile, Db, SourceText, Workspace};
use super::{forward, problems};
use crate::arch::{self, ArchDecl, ArchModel};
use crate::check::{self, Context};
use crate::checkpoint::Schema;
use crate::diag::{Diagnostic, Level, Loc};
use crate::graph::Types;
use crate::hir::module::{self as hir_module, Item, Module};
use crate::hir::{Metric, Pattern, Recipe, Tune, names, resolve};
use crate::matching::{self, Index, Matched, Ownership};
use crate::plan::cost::Sums;
use crate::plan::foresee::Foreseen;
use crate::plan::ir::Plan;
use crate::plan::memory::Peak;
use crate::plan::{self, OutputLayout};
use crate::prune::{self, Pruned};
use crate::syntax::{self, tree};

/// Tree of a file; never compared, since any edit moves its spans.
#[salsa::tracked(no_eq, lru = 128)]
pub fn parse(db: &dyn Db, file: SourceText) -> Arc<tree::File> {
    Arc::new(syntax::parse(file.text(db)))
}

/// Items with relative spans: unchanged by what is typed above them.
#[salsa::tracked]
pub fn module(db: &dyn Db, file: SourceText) -> Arc<Module> {
    Arc::new(hir_module::lower(file.path(db), parse(db, file), file.libraries(db)))
}

/// Start of each item, for [`diagnostics`] only.
#[salsa::tracked]
pub fn item_starts(db: &dyn Db, file: SourceText) -> Vec<u32> {
    hir_module::item_starts(parse(db, file))
}

/// Names of the recipes of a file, in source order.
#[salsa::tracked]
pub fn recipe_names(db: &dyn Db, file: SourceText) -> Vec<String> {
    let items = module(db, file).items.iter();
    let recipe = |i: &Arc<Item>| match &i.tree {
        tree::Item::Recipe(r) => Some(r.name.text.clone()),
        _ => None,
    };
    items.filter_map(recipe).collect()
}

fn load(db: &dyn Db, workspace: Workspace, path: &str) -> Result<Arc<Module>, Option<String>> {
    match workspace.files(db).get(path) {
        Some(file) => Ok(Arc::clone(module(db, *file))),
        None => Err(workspace.unreadable(db).get(path).cloned()),
    }
}

/// What a file can see. Never compared: those who ask for it look at the file's items, too.
#[salsa::tracked(no_eq)]
pub fn seen_names(db: &dyn Db, workspace: Workspace, file: SourceText) -> Arc<names::Seen> {
    Arc::new(names::seen(module(db, file), &|path| load(db, workspace, path)))
}

/// A resolved recipe and what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// `None` when there is no such recipe or it extends itself.
    pub recipe: Option<Arc<Recipe>>,
    /// Problems of names and values.
    pub problems: Vec<Diagnostic>,
}

/// The recipe `name` of `file`.
#[salsa::tracked]
pub fn resolved(db: &dyn Db, workspace: Workspace, file: SourceText, name: String) -> Resolved {
    let overrides = workspace.overrides(db);
    let see = |path: &str| Some(Arc::clone(seen_names(db, workspace, *workspace.files(db).get(path)?)));
    let (recipe, problems) = resolve::recipe(module(db, file), &name, overrides, &see);
    Resolved { recipe: recipe.map(Arc::new), problems }
}

/// Problems of a file's imports and consts.
#[salsa::tracked]
pub fn module_problems(db: &dyn Db, workspace: Workspace, file: SourceText) -> Vec<Diagnostic> {
    resolve::module_problems(module(db, file), seen_names(db, workspace, file))
}

/// Trie of a checkpoint's names; empty if it could not be read.
#[salsa::tracked]
pub fn index(db: &dyn Db, checkpoint: CheckpointFile) -> Option<Arc<Index>> {
    schema(db, checkpoint).map(|schema| Arc::new(Index::new(schema)))
}

pub(super) fn schema(db: &dyn Db, checkpoint: CheckpointFile) -> Option<&Arc<Schema>> {
    checkpoint.state(db).schema()
}

/// What a recipe asks of its architecture: defaults that it sets, as text, and dims of a smaller shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Asked {
    /// `set top_k = 1;`
    pub sets: Vec<(String, String)>,
    /// Of `derive`; empty where the recipe is for the checkpoint's own shape.
    pub derived: Vec<(String, u64)>,
}

type Named = Option<(String, u32)>;

/// The smaller shape of a checkpoint that a recipe is for.
#[salsa::tracked]
pub(super) fn shape(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Named,
    asked: Asked,
) -> Option<Result<Arc<arch::derive::Shape>, arch::derive::Refused>> {
    let Asked { sets, derived } = asked;
    let own = Asked { sets, derived: Vec::new() };
    let model = model(db, workspace, checkpoint, named, own).model.as_ref().filter(|m| m.fits())?;
    Some(arch::derive::derive(schema(db, checkpoint)?, model, &derived).map(Arc::new))
}

/// The header that a recipe is for: that of its checkpoint, or of the smaller shape; the former where there is no such shape.
pub(super) fn seen(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: &Named,
    asked: &Asked,
) -> Option<Arc<Schema>> {
    if !asked.derived.is_empty()
        && let Some(Ok(shape)) = shape(db, workspace, checkpoint, named.clone(), asked.clone())
    {
        return Some(Arc::clone(&shape.schema));
    }
    schema(db, checkpoint).cloned()
}

/// Trie of the names of that header.
fn seen_index(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Named,
    asked: Asked,
) -> Option<Arc<Index>> {
    match asked.derived.is_empty() {
        true => index(db, checkpoint).clone(),
        false => derived_index(db, workspace, checkpoint, named, asked).clone(),
    }
}

#[salsa::tracked]
fn derived_index(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Named,
    asked: Asked,
) -> Option<Arc<Index>> {
    seen(db, workspace, checkpoint, &named, &asked).map(|schema| Arc::new(Index::new(&schema)))
}

/// Why there is no smaller shape as a recipe wants it.
fn derived_problem(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    recipe: &Recipe,
) -> Option<Diagnostic> {
    let derive = recipe.derive.as_ref()?;
    let (named, asked) = (named_arch(db, workspace, recipe), asked_of(recipe));
    let own = Asked { derived: Vec::new(), ..asked.clone() };
    let refused = shape(db, workspace, checkpoint, named.clone(), asked).as_ref()?.as_ref().err()?;
    let model = model(db, workspace, checkpoint, named, own).model.as_ref()?;
    Some(check::derive::refused(derive, model, refused))
}

/// The smaller shape as the plan holds it.
fn derive_plan(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    recipe: &Recipe,
) -> Option<plan::ir::DerivePlan> {
    let derive = recipe.derive.as_ref()?;
    let (named, asked) = (named_arch(db, workspace, recipe), asked_of(recipe));
    let own = Asked { derived: Vec::new(), ..asked };
    let model = model(db, workspace, checkpoint, named, own).model.as_ref()?;
    let dim = |(name, to, _): &(String, u64, Loc)| Some((name.clone(), model.dim(name)?.value?, *to));
    Some(plan::ir::DerivePlan {
        name: derive.name.clone(),
        header_hash: schema(db, checkpoint)?.header_hash.clone(),
        dims: derive.dims.iter().filter_map(dim).collect(),
    })
}

/// The shape that a recipe derives from its checkpoint; `None` where it derives none.
pub fn shape_of(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Option<Arc<arch::derive::Shape>> {
    recipe.derive.as_ref()?;
    let checkpoint = checkpoint_of(db, workspace, recipe)?;
    let named = named_arch(db, workspace, recipe);
    shape(db, workspace, checkpoint, named, asked_of(recipe)).as_ref()?.as_ref().ok().cloned()
}

/// A declared architecture and what is wrong with the declaration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Declared {
    /// The declaration.
    pub decl: Arc<ArchDecl>,
    /// Its problems.
    pub problems: Vec<Diagnostic>,
}

/// The architecture that is item `number` of `file`.
#[salsa::tracked]
pub(super) fn declared(db: &dyn Db, file: SourceText, number: u32) -> Option<Declared> {
    let item = module(db, file).items.get(number as usize)?;
    let tree::Item::Arch(tree) = &item.tree else { return None };
    let (decl, problems) = arch::lower(tree);
    let problems = problems.iter().map(|p| problems::declaration(item, p)).collect();
    Some(Declared { decl: Arc::new(decl), problems })
}

/// An architecture unified with a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Unified {
    /// The model, if an architecture was named or one fits.
    pub model: Option<Arc<ArchModel>>,
    /// File and number of the architecture.
    pub item: Option<(String, u32)>,
    /// The one that most of the checkpoint is of, where none was named and none fits.
    pub nearest: Option<Arc<ArchModel>>,
}

/// Unifies the named architecture, or finds one that fits.
#[salsa::tracked]
pub fn model(
    db: &dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Option<(String, u32)>,
    asked: Asked,
) -> Unified {
    let seen = seen(db, workspace, checkpoint, &named, &asked);
    let Some(schema) = seen.as_deref() else { return Unified { model: None, item: None, nearest: None } };
    let settings: Vec<_> =
        asked.sets.into_iter().map(|(name, text)| (name, problems::setting_value(&text))).collect();
    let decl = |path: &str, number: u32| {
        let file = workspace.files(db).get(path)?;
        declared(db, *file, number).as_ref().map(|d| Arc::clone(&d.decl))
    };
    if let Some((path, number)) = named {
        let model = decl(&path, number).map(|decl| Arc::new(arch::unify(&decl, schema, &settings)));
        return Unified { model, item: Some((path, number)), nearest: None };
    }
    let library = workspace.files(db).iter().filter(|(path, _)| path.starts_with("std/arch/"));
    let mut items: Vec<(&str, u32)> = Vec::new();
    let mut decls: Vec<Arc<ArchDecl>> = Vec::new();
    for (path, file) in library {
        for number in (0u32..).zip(&module(db, *file).items).map(|(number, _)| number) {
            if let Some(decl) = decl(path, number) {
                items.push((path, number));
                decls.push(decl);
            }
        }
    }
    let refs: Vec<&ArchDecl> = decls.iter().map(Arc::as_ref).collect();
    match arch::choose(&refs, schema, &settings) {
        Some((chosen, model)) => {
            let item = items.get(chosen).map(|(path, number)| ((*path).to_owned(), *number));
            Unified { model: Some(Arc::new(model)), item, nearest: None }
        }
        None => Unified { model: None, item: None, nearest: arch::nearest(&refs, schema).map(Arc::new) },
    }
}

/// A pattern with spans relative to its own start, so that moving it changes nothing.
#[salsa::interned]
pub struct PatternKey<'db> {
    /// The pattern.
    pub pattern: Pattern,
}

/// What a pattern matches; spans are relative to the pattern.
#[salsa::tracked]
pub fn matched<'db>(
    db: &'db dyn Db,
    workspace: Workspace,
    checkpoint: CheckpointFile,
    named: Option<(String, u32)>,
    asked: Asked,
    key: PatternKey<'db>,
) -> Arc<Matched> {
    let pattern = key.pattern(db);
    let roles = pattern.uses_roles();
    // Only patterns with roles depend on the architecture.
    let unified = roles.then(|| model(db, workspace, checkpoint, named.clone(), asked.clone()));
    let model = unified.and_then(|u| u.model.as_deref());
    let seen = seen(db, workspace, checkpoint, &named, &asked);
    match (seen, seen_index(db, workspace, checkpoint, named, asked)) {
        (Some(schema), Some(index)) => Arc::new(matching::resolve(pattern, &index, &schema, model)),
        _ => Arc::new(Matched::default()),
    }
}

/// What the checks say of a recipe and its checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// What each arm matches.
    pub arms: Vec<Arc<Matched>>,
    /// What each pruning matches.
    pub prunes: Vec<Arc<Matched>>,
    /// Who owns what.
    pub ownership: Arc<Ownership>,
    /// What the prunings remove.
    pub pruned: Arc<Pruned>,
    /// The architecture.
    pub model: Option<Arc<ArchModel>>,
    /// Problems found; spans relative.
    pub problems: Vec<Diagnostic>,
    /// Whether there is no error that is in the way of a plan.
    pub plannable: bool,
    /// What planning will say, where that can be told without a plan.
    pub foreseen: Option<Foreseen>,
}

/// Everything that is known of a recipe and its checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// What each arm matches.
    pub arms: Vec<Arc<Matched>>,
    /// Who owns what.
    pub ownership: Arc<Ownership>,
    /// What the prunings remove.
    pub pruned: Arc<Pruned>,
    /// The architecture.
    pub model: Option<Arc<ArchModel>>,
    /// The plan, when no check found an error.
    pub plan: Option<Arc<Plan>>,
    /// Bytes of the arrays it stores.
    pub stored_bytes: Option<u64>,
    /// Its exact output, where a check needed it; [`layout`] gives it always.
    layout: Option<Arc<OutputLayout>>,
    /// Problems found against the checkpoint; spans relative.
    pub problems: Vec<Diagnostic>,
}

/// Path of the checkpoint of a recipe, as the workspace's table has it.
pub fn checkpoint_path(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Option<String> {
    let replaced = workspace.checkpoint_override(db).clone();
    replaced.or_else(|| recipe.checkpoint.as_ref().map(|(path, loc)| names::join(&loc.file, path)))
}

/// The checkpoint of a recipe.
pub(super) fn checkpoint_of(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Option<CheckpointFile> {
    workspace.checkpoints(db).get(&checkpoint_path(db, workspace, recipe)?).copied()
}

/// Whether a plan can leave the names of a checkpoint as they are; asked once for a checkpoint.
#[salsa::tracked]
fn plain_names(db: &dyn Db, checkpoint: CheckpointFile) -> bool {
    schema(db, checkpoint).is_some_and(|schema| plan::foresee::plain_names(schema))
}

/// Checks the recipe `name` of `file` against its checkpoint. `None` without recipe or checkpoint.
///
/// Without a plan: that is made when somebody asks for it, or for what only it can tell.
#[salsa::tracked]
pub fn checked(db: &dyn Db, workspace: Workspace, file: SourceText, name: String) -> Option<Arc<Checked>> {
    let resolved = resolved(db, workspace, file, name);
    let recipe = resolved.recipe.as_ref()?;
    let checkpoint = checkpoint_of(db, workspace, recipe)?;
    let (named, asked) = (named_arch(db, workspace, recipe), asked_of(recipe));
    let schema = &seen(db, workspace, checkpoint, &named, &asked)?;
    let index = &seen_index(db, workspace, checkpoint, named.clone(), asked.clone())?;
    let unified = model(db, workspace, checkpoint, named.clone(), asked.clone());
    let model = unified.model.as_ref();
    let facts = forward::facts(db, workspace, unified);

    let look_up = |pattern: &Pattern| {
        db.unwind_if_revision_cancelled();
        let key = PatternKey::new(db, pattern.rebased());
        Arc::clone(matched(db, workspace, checkpoint, named.clone(), asked.clone(), key))
    };
    let arms: Vec<Arc<Matched>> = recipe.arms.iter().map(|a| look_up(&a.pattern)).collect();
    let prunes: Vec<Arc<Matched>> = recipe.prunes.iter().map(|p| look_up(&p.pattern)).collect();
    let arms_ref: Vec<&Matched> = arms.iter().map(Arc::as_ref).collect();
    let prunes_ref: Vec<&Matched> = prunes.iter().map(Arc::as_ref).collect();
    let ownership = matching::own(&arms_ref, schema);
    let trainable = trainable(db, workspace, recipe);
    db.unwind_if_revision_cancelled();
    let (pruned, mut problems) = prune::lower(&prune::lower::Inputs {
        recipe,
        schema,
        index,
        model: model.map(Arc::as_ref),
        matched: &prunes_ref,
    });
    let context = Context {
        recipe,
        schema,
        index,
        model: model.map(Arc::as_ref),
        nearest: unified.nearest.as_deref(),
        arms: &arms_ref,
        prunes: &prunes_ref,
        ownership: &ownership,
        pruned: &pruned,
        assets: workspace.assets(db),
        trainable: &trainable,
        vocabulary: facts.vocabulary,
    };
    problems.extend(check::check(&context));
    if check::integer_product::is_asked(recipe) {
        let products = forward::products(db, workspace, checkpoint, named.clone(), asked.clone());
        problems.extend(check::integer_product::check(&context, products.as_ref()));
    }
    problems.extend(problems::header_notes(recipe, schema));
    problems.extend(
        forward::forward_answers(db, workspace, checkpoint, named.clone(), asked.clone()).iter().cloned(),
    );
    problems.extend(derived_problem(db, workspace, checkpoint, recipe));
    // What is wrong with the declaration is said there; that the checkpoint differs from it follows.
    let broken = named.as_ref().is_some_and(|(path, number)| {
        let Some(file) = workspace.files(db).get(path) else { return false };
        *malformed(db, *file, *number)
    });
    if broken {
        problems.retain(|d| d.kind != &check::architecture::ARCHITECTURE_MISMATCH);
    }
    let mut problems: Vec<Diagnostic> =
        problems.into_iter().map(|d| problems::of_shape(d, recipe, schema)).collect();
    let error = |d: &Diagnostic| d.level() == Level::Error;
    // An arm without a format has its reason in another file, perhaps: planning goes on with none.
    let whole = recipe.arms.iter().all(|a| a.format.is_some() && !a.pattern.broken)
        && recipe.prunes.iter().all(|p| p.how.is_some() && !p.pattern.broken);
    let plannable =
        whole && *sound(db, workspace, file) && !problems.iter().chain(&resolved.problems).any(error);
    // These are told of a recipe that is right otherwise.
    if plannable {
        problems.extend(plan::undecided::check(recipe, &facts.predicts));
    }
    if plannable
        && recipe.casts.is_none()
        && check::dtype_edge::is_mixed(&context)
        && let Some(graph) = forward::unrolled(db, workspace, checkpoint, named, asked)
    {
        problems.extend(check::dtype_edge::check(&context, graph));
    }
    let foreseen =
        plannable.then(|| plan::foresee::foresee(&context, *plain_names(db, checkpoint))).flatten();
    Some(Arc::new(Checked {
        prunes,
        ownership: Arc::new(ownership),
        pruned: Arc::new(pruned),
        model: model.cloned(),
        problems,
        plannable,
        foreseen,
        arms,
    }))
}

/// Element types of all values of the recipe's graph, as it stores the weights; `None` without a graph, or with errors.
pub fn types(db: &dyn Db, workspace: Workspace, file: SourceText, name: String) -> Option<Types> {
    let checked = checked(db, workspace, file, name.clone()).as_ref().filter(|c| c.plannable)?;
    let recipe = resolved(db, workspace, file, name).recipe.as_ref()?;
    let checkpoint = checkpoint_of(db, workspace, recipe)?;
    let (named, asked) = (named_arch(db, workspace, recipe), asked_of(recipe));
    let schema = seen(db, workspace, checkpoint, &named, &asked)?;
    let graph = forward::unrolled(db, workspace, checkpoint, named, asked).as_ref()?;
    Some(check::dtype_edge::types(recipe, &schema, &checked.ownership, graph))
}

/// Checks the recipe `name` of `file` against its checkpoint and plans it. `None` without recipe or checkpoint.
#[salsa::tracked]
pub fn analysis(db: &dyn Db, workspace: Workspace, file: SourceText, name: String) -> Option<Arc<Analysis>> {
    let checked = checked(db, workspace, file, name.clone()).as_ref()?;
    let recipe = resolved(db, workspace, file, name).recipe.as_ref()?;
    let checkpoint = checkpoint_of(db, workspace, recipe)?;
    let mut analysis = Analysis {
        arms: checked.arms.clone(),
        ownership: Arc::clone(&checked.ownership),
        pruned: Arc::clone(&checked.pruned),
        model: checked.model.clone(),
        plan: None,
        stored_bytes: None,
        layout: None,
        problems: checked.problems.clone(),
    };
    if checked.plannable {
        let arms: Vec<&Matched> = checked.arms.iter().map(Arc::as_ref).collect();
        let prunes: Vec<&Matched> = checked.prunes.iter().map(Arc::as_ref).collect();
        let trainable = trainable(db, workspace, recipe);
        let (named, asked) = (named_arch(db, workspace, recipe), asked_of(recipe));
        let schema = &seen(db, workspace, checkpoint, &named, &asked)?;
        let index = seen_index(db, workspace, checkpoint, named.clone(), asked.clone())?;
        let unified = model(db, workspace, checkpoint, named, asked);
        let facts = forward::facts(db, workspace, unified);
        let context = Context {
            recipe,
            schema,
            index: &index,
            model: checked.model.as_deref(),
            nearest: unified.nearest.as_deref(),
            arms: &arms,
            prunes: &prunes,
            ownership: &checked.ownership,
            pruned: &checked.pruned,
            assets: workspace.assets(db),
            trainable: &trainable,
            vocabulary: facts.vocabulary,
        };
        let graph = || {
            let (named, asked) = (named_arch(db, workspace, recipe), asked_of(recipe));
            forward::unrolled(db, workspace, checkpoint, named, asked).as_deref()
        };
        let casts = match recipe.casts.is_some() && check::dtype_edge::is_mixed(&context) {
            true => graph().map(|g| {
                plan::casts::casts(g, &check::dtype_edge::types(recipe, context.schema, context.ownership, g))
            }),
            false => None,
        };
        let measures = recipe.requirements.iter().any(|r| r.metric == Metric::Perplexity);
        let measured = measures.then(graph).flatten();
        let evaluation = measured.and_then(|graph| plan::evaluation::evaluation(&context, graph));
        let calibrates = recipe.calibrate.as_ref();
        let derive = derive_plan(db, workspace, checkpoint, recipe);
        let teacher = self::schema(db, checkpoint)?;
        let foretold = |plan: Plan| {
            let mut plan = Plan { casts: casts.unwrap_or_default(), evaluation, derive, ..plan };
            if let Some(settings) = calibrates.filter(|_| plan.has_static_scales()) {
                let graph = graph();
                plan.calibrating = graph.and_then(|g| plan::calibrating::calibrating(&context, settings, g));
            }
            if let (Some(_), Some(tune)) = (&plan.derive, &mut plan.tune) {
                tune.teacher(teacher);
            }
            plan
        };
        let of_shape = |d| problems::of_shape(d, recipe, schema);
        match plan::build(&context).map(foretold).and_then(|made| plan(&context, made)) {
            Ok((plan, layout, more)) => {
                analysis.problems.extend(more.into_iter().map(of_shape));
                analysis.stored_bytes = layout
                    .as_ref()
                    .map_or_else(|| plan::measure::stored_bytes(&plan), |l| Some(l.stored_bytes));
                analysis.plan = Some(Arc::new(plan));
                analysis.layout = layout.map(Arc::new);
            }
            Err(more) => analysis.problems.extend(more.into_iter().map(of_shape)),
        }
    }
    Some(Arc::new(analysis))
}

type Planned = (Plan, Option<OutputLayout>, Vec<Diagnostic>);

fn plan(context: &Context<'_>, plan: Plan) -> Result<Planned, Vec<Diagnostic>> {
    if !plan::measure::needs_layout(&plan, context.recipe) {
        // Requirements that ask for no bytes need no layout, either.
        let more = plan::requirement::check(context.recipe, &OutputLayout::default(), 0, Peak::default());
        return Ok((plan, None, more));
    }
    let layout = OutputLayout::of(&plan).map_err(|r| plan::refused::report(context, &plan, &r))?;
    let least = plan::memory::whole_run(&plan, &layout, 1);
    let more = plan::requirement::check(context.recipe, &layout, plan.source.tensor_bytes, least);
    Ok((plan, Some(layout), more))
}

/// What the forward says of training, where the recipe trains.
fn trainable(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Arc<check::tune::Trainable> {
    let (Some(settings), Some(checkpoint)) = (&recipe.tune, checkpoint_of(db, workspace, recipe)) else {
        return Arc::default();
    };
    // Of numbers that are none, all is said already.
    let Some(tune) = Tune::of(settings) else { return Arc::new(check::tune::Trainable::Broken) };
    let batch = (tune.batch, tune.window, tune.shift);
    let named = named_arch(db, workspace, recipe);
    Arc::clone(forward::trainable(db, workspace, checkpoint, named, asked_of(recipe), batch))
}

/// The exact output of the plan of the recipe `name` of `file`.
#[salsa::tracked]
pub fn layout(
    db: &dyn Db,
    workspace: Workspace,
    file: SourceText,
    name: String,
) -> Option<Arc<OutputLayout>> {
    let analysis = analysis(db, workspace, file, name).as_ref()?;
    match &analysis.layout {
        Some(layout) => Some(Arc::clone(layout)),
        None => OutputLayout::of(analysis.plan.as_ref()?).ok().map(Arc::new),
    }
}

/// File and number of the architecture that a recipe names.
pub(super) fn named_arch(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Option<(String, u32)> {
    recipe.arch.as_ref().and_then(|(arch, at)| arch_item(db, workspace, at, arch))
}

/// What a recipe asks of its architecture.
pub(super) fn asked_of(recipe: &Recipe) -> Asked {
    let derived = recipe.derive.iter().flat_map(|d| &d.dims).map(|(name, n, _)| (name.clone(), *n));
    Asked {
        sets: recipe.sets.iter().map(|(n, v)| (n.clone(), v.kind.to_string())).collect(),
        derived: derived.collect(),
    }
}

/// The names of a recipe's checkpoint and the architecture unified with it, without any check.
pub fn names_of(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Option<TensorNames> {
    let path = checkpoint_path(db, workspace, recipe)?;
    let checkpoint = *workspace.checkpoints(db).get(&path)?;
    let (named, asked) = (named_arch(db, workspace, recipe), asked_of(recipe));
    let schema = seen(db, workspace, checkpoint, &named, &asked)?;
    let index = seen_index(db, workspace, checkpoint, named.clone(), asked.clone())?;
    let model = model(db, workspace, checkpoint, named, asked).model.clone();
    Some(TensorNames { schema, index, model })
}

/// What is known of the tensors of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorNames {
    /// Its header.
    pub schema: Arc<Schema>,
    /// Trie of its names.
    pub index: Arc<Index>,
    /// The architecture.
    pub model: Option<Arc<ArchModel>>,
}

/// The architecture that a recipe names, as it is declared.
pub fn declaration_of(db: &dyn Db, workspace: Workspace, recipe: &Recipe) -> Option<Arc<ArchDecl>> {
    let (path, number) = named_arch(db, workspace, recipe)?;
    let file = workspace.files(db).get(&path)?;
    declared(db, *file, number).as_ref().map(|d| Arc::clone(&d.decl))
}

/// What a file can see: its own items and what it imports.
pub fn visible(db: &dyn Db, workspace: Workspace, file: SourceText) -> names::Names {
    seen_names(db, workspace, file).names.clone()
}

/// What the recipe `name` of `file` makes of its checkpoint, in bytes; `None` as [`analysis`]. Without a plan, where what
/// it says can be foreseen; with errors, of those arms that have none.
#[salsa::tracked]
pub fn sums(db: &dyn Db, workspace: Workspace, file: SourceText, name: String) -> Option<Arc<Sums>> {
    let recipe = resolved(db, workspace, file, name.clone()).recipe.as_ref()?;
    let checkpoint = checkpoint_of(db, workspace, recipe)?;
    let schema = &seen(db, workspace, checkpoint, &named_arch(db, workspace, recipe), &asked_of(recipe))?;
    let checked = checked(db, workspace, file, name.clone()).as_ref()?;
    let ownership = &checked.ownership;
    let stored = match &checked.foreseen {
        Some(foreseen) if !foreseen.problems.iter().any(|d| d.level() == Level::Error) => {
            Some(foreseen.stored.clone())
        }
        None if checked.plannable => {
            let plan = analysis(db, workspace, file, name).as_ref()?.plan.as_ref();
            plan.and_then(|plan| plan::cost::arm_bytes(plan, recipe.arms.len()))
        }
        _ => None,
    };
    let planned = stored.is_some();
    let stored = match stored {
        Some(stored) => stored.into_iter().map(Some).collect(),
        None => plan::cost::arm_bytes_without_plan(recipe, ownership, schema, &checked.pruned),
    };
    let sums = plan::cost::sums(ownership, schema, &stored, planned);
    Some(Arc::new(sums))
}

/// File and number of the architecture `name`, as seen from the file in `at`.
fn arch_item(db: &dyn Db, workspace: Workspace, at: &Loc, name: &str) -> Option<(String, u32)> {
    let file = workspace.files(db).get(at.file.as_ref())?;
    item_named(db, workspace, *file, name.to_owned()).clone()
}

/// File and number of the item `name`, as seen from `file`: a query, so that what is typed in an item asks for nothing that
/// only its place tells.
#[salsa::tracked]
fn item_named(db: &dyn Db, workspace: Workspace, file: SourceText, name: String) -> Option<(String, u32)> {
    let item = seen_names(db, workspace, file).names.items.get(&name)?;
    Some((item.file.to_string(), item.number))
}

/// Whether a declaration is broken.
#[salsa::tracked]
fn malformed(db: &dyn Db, file: SourceText, number: u32) -> bool {
    let item = module(db, file).items.get(number as usize);
    item.is_some_and(|i| !i.errors.is_empty())
        || declared(db, file, number).as_ref().is_some_and(|d| !d.problems.is_empty())
}

/// The files of the workspace that `file` imports, directly or not; without itself and the library.
#[salsa::tracked]
pub(super) fn imports(db: &dyn Db, workspace: Workspace, file: SourceText) -> Vec<SourceText> {
    let mut found = Vec::new();
    let mut pending = vec![file];
    while let Some(importer) = pending.pop() {
        let module = module(db, importer);
        for item in &module.items {
            let tree::Item::Use(u) = &item.tree else { continue };
            let path = names::import_path(&module.path, &u.from);
            let Some(next) = workspace.files(db).get(&path) else { continue };
            if *next != file && !found.contains(next) && crate::stdlib::text(&path).is_none() {
                found.push(*next);
                pending.push(*next);
            }
        }
    }
    found
}

/// What is wrong with a file whatever recipe is asked for: its syntax, imports, consts and architectures.
pub(super) fn file_problems(db: &dyn Db, workspace: Workspace, file: SourceText) -> Vec<Diagnostic> {
    let tree = parse(db, file);
    let mut found: Vec<Diagnostic> = tree.errors.iter().map(|e| problems::syntax(file.path(db), e)).collect();
    found.extend(module_problems(db, workspace, file).iter().cloned());
    for (number, item) in (0u32..).zip(&module(db, file).items) {
        if matches!(item.tree, tree::Item::Arch(_))
            && let Some(declared) = declared(db, file, number)
        {
            found.extend(declared.problems.iter().cloned());
            found.extend(forward::checked_forward(db, file, number).problems.iter().cloned());
        }
    }
    found
}

/// Whether a file and all that it imports have no error by themselves. A bool of its own, so that only a change of the
/// answer asks for a new plan.
#[salsa::tracked]
pub fn sound(db: &dyn Db, workspace: Workspace, file: SourceText) -> bool {
    let all = imports(db, workspace, file).iter().copied().chain([file]);
    all.into_iter().all(|f| file_problems(db, workspace, f).iter().all(|d| d.level() != Level::Error))
}
