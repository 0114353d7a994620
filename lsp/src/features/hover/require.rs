//! Requirements with the figure that the plan has now.

use icpc::base::{human_bytes, with_thousands};
use icpc::diag::Place;
use icpc::hir::{Metric, vocabulary};
use icpc::plan::memory::{Peak, whole_run};
use icpc::plan::requirement;
use icpc::syntax::part::{Part, Within};

use super::pattern::unknown;
use crate::features::target::{Seen, Target};
use crate::markup::{Text, name};

/// What is measured, the figure, and whether it is met.
pub(super) fn show(target: &Target<'_>, part: &Part<'_>, metric: &str) -> Option<Text> {
    let text = Text::new(format!("{}: {}", name(metric), vocabulary::describe("require", metric)?));
    Some(match actual(target, part) {
        Some(now) => text.say(now),
        None => text,
    })
}

/// `Now 2.95 MB (2,949,120 B): met.`
pub(super) fn actual(target: &Target<'_>, part: &Part<'_>) -> Option<String> {
    let Within::Require(tree) = part.within else { return None };
    let seen = target.seen(part.item)?;
    let start = icpc::hir::module::item_start(target.tree.items.get(part.item)?);
    let span = tree.span.relative_to(start);
    let number = u32::try_from(part.item).ok();
    let requirement = seen
        .recipe
        .requirements
        .iter()
        .find(|r| r.loc.file.as_ref() == target.path && r.loc.item == number && r.loc.span == span)?;
    if matches!(requirement.metric, Metric::Sqnr | Metric::Clipped | Metric::Perplexity) {
        return None;
    }
    if seen.checked.is_none() {
        return Some(format!("No figure yet: {}", unknown(target, &seen)));
    }
    let Some((figure, source, peak, layout)) = figures(target, &seen, requirement.metric) else {
        return Some("No figure yet: the recipe has errors, so it has no plan.".to_owned());
    };
    let problems = requirement::check(&seen.recipe, &layout, source, peak);
    let here = Place::Source(requirement.bound.loc.clone());
    let met = if problems.iter().any(|d| d.primary.place == here) { "not met" } else { "met" };
    Some(format!("Now {figure}: {met}."))
}

type Figures = (String, u64, Peak, std::sync::Arc<icpc::plan::OutputLayout>);

fn figures(target: &Target<'_>, seen: &Seen, metric: Metric) -> Option<Figures> {
    // A requirement that is not met lets a recipe have its plan all the same.
    let analysis = target.world.session.analysis(&seen.path, &seen.name)?;
    let plan = analysis.plan.as_deref()?;
    let layout = target.world.session.layout(&seen.path, &seen.name)?;
    let peak = whole_run(plan, &layout, 1);
    let size = |bytes: u64| format!("{} ({} B)", human_bytes(bytes), with_thousands(bytes));
    let figure = match metric {
        Metric::Size => size(layout.file_bytes),
        Metric::Compression => format!(
            "{:.3}x ({} B of tensors → {} B)",
            layout.ratio(plan)?,
            with_thousands(plan.source.tensor_bytes),
            with_thousands(layout.stored_bytes)
        ),
        Metric::Memory => format!("{} with one thread", size(peak.bytes)),
        Metric::Sqnr | Metric::Clipped | Metric::Perplexity => return None,
    };
    Some((figure, plan.source.tensor_bytes, peak, layout))
}
