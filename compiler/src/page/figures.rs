//! The figures. What they show stands in a table as well, so they leave out what has no room.

use super::cells::{Cell, cells, layers};
use super::load::Output;
use super::svg::{Anchor, Precision, Svg};
use super::treemap;
use crate::base::{count, human_bytes};
use crate::report::RunReport;
use crate::sensitivity::Sensitivity;

const WIDTH: f64 = 900.0;
/// Rectangles of a treemap, about: more cannot be told apart.
const RECTANGLES: usize = 300;
/// Layers of the figure of errors; the table has all.
const LAYERS: usize = 120;
/// Bars of the figure of sensitivities.
const BARS: usize = 60;

/// Precision of each tensor, its area the bytes that are stored.
pub(super) fn precision(report: &RunReport, prefix: &str) -> String {
    let title = format!("precision of the tensors of {} by bytes", report.recipe);
    let mut svg = Svg::new(prefix, &title, WIDTH, 500.0);
    let mut cells: Vec<Cell> = cells(report, RECTANGLES).into_iter().filter(|c| c.after > 0).collect();
    cells.sort_by(|a, b| b.after.cmp(&a.after).then_with(|| a.name.cmp(&b.name)));
    let mut groups: Vec<(Precision, Vec<Cell>)> = Vec::new();
    for precision in Precision::ALL {
        let own: Vec<Cell> = cells.iter().filter(|c| c.precision() == precision).cloned().collect();
        if !own.is_empty() {
            groups.push((precision, own));
        }
    }
    let bytes = |cells: &[Cell]| cells.iter().map(|c| c.after as f64).sum::<f64>();
    groups.sort_by(|a, b| bytes(&b.1).total_cmp(&bytes(&a.1)));
    let areas: Vec<f64> = groups.iter().map(|(_, cells)| bytes(cells)).collect();
    let outer = treemap::layout(&areas, [1.0, 1.0, WIDTH - 2.0, 470.0]);
    for ((precision, cells), area) in groups.iter().zip(outer) {
        let areas: Vec<f64> = cells.iter().map(|c| c.after as f64).collect();
        for (cell, place) in cells.iter().zip(treemap::layout(&areas, area)) {
            let [x, y, w, h] = place;
            let hint = format!("{}: {}, {}", cell.name, cell.format, human_bytes(cell.after));
            svg.block(place, *precision, &hint);
            let size = (h / 2.6).min(11.0);
            // Less than a few letters of a name tell nothing; the hint has all of it.
            if size >= 6.0 && w >= 70.0 {
                let middle = x + w / 2.0;
                svg.text(middle, y + h / 2.0, size, Anchor::Middle, &cell.name, w - 4.0);
                let below = format!("{} {}", short(&cell.format), human_bytes(cell.after));
                svg.text(middle, y + h / 2.0 + size * 1.15, size, Anchor::Middle, &below, w - 4.0);
            }
        }
        svg.frame(area);
    }
    svg.legend(482.0);
    svg.finish()
}

/// The name of a format without its arguments.
fn short(format: &str) -> &str {
    format.split('(').next().unwrap_or(format)
}

/// Signal to noise of each layer, and of its tensors.
pub(super) fn errors(report: &RunReport, prefix: &str) -> Option<String> {
    let layers: Vec<Cell> = layers(report).into_iter().filter(|l| l.sqnr().is_some()).take(LAYERS).collect();
    let tensors: Vec<Cell> = cells(report, usize::MAX).into_iter().filter(|c| c.sqnr().is_some()).collect();
    let most = tensors.iter().filter_map(Cell::sqnr).fold(10.0, f64::max);
    let least = tensors.iter().filter_map(Cell::sqnr).fold(0.0, f64::min);
    let (first, last) = ((least / 10.0).floor() * 10.0, (most / 10.0).ceil() * 10.0);
    if layers.is_empty() {
        return None;
    }
    let (left, right, step) = (150.0, WIDTH - 70.0, 20.0);
    let bottom = 20.0 + step * layers.len() as f64;
    let title = format!("signal to noise of the layers of {}", report.recipe);
    let mut svg = Svg::new(prefix, &title, WIDTH, bottom + 50.0);
    let at = |db: f64| left + (right - left) * (db - first) / (last - first).max(1.0);
    let ticks = ((last - first) / 10.0).round().max(1.0) as u32;
    for tick in 0..=ticks.min(100) {
        let db = first + 10.0 * f64::from(tick);
        svg.line([at(db), 14.0, at(db), bottom], true);
        svg.text(at(db), bottom + 14.0, 10.0, Anchor::Middle, &format!("{db:.0} dB"), 60.0);
    }
    for (number, layer) in layers.iter().enumerate() {
        let y = 20.0 + step * (number as f64 + 0.5);
        svg.text(left - 6.0, y + 4.0, 11.0, Anchor::End, &layer.name, left - 8.0);
        let own = tensors.iter().filter(|t| {
            crate::sensitivity::layer_of(&t.name).as_deref().unwrap_or("beside the layers") == layer.name
        });
        let db = layer.sqnr().unwrap_or(first);
        svg.block([at(first), y - 6.0, (at(db) - at(first)).max(0.5), 12.0], layer.precision(), &layer.name);
        for tensor in own {
            let db = tensor.sqnr().unwrap_or(first);
            svg.mark(
                at(db),
                y,
                tensor.precision(),
                &format!("{}: {}, {db:.1} dB", tensor.name, tensor.format),
            );
        }
        svg.text(right + 8.0, y + 4.0, 10.0, Anchor::Start, &format!("{db:.1} dB"), 60.0);
    }
    svg.legend(bottom + 28.0);
    Some(svg.finish())
}

/// Sizes of outputs and what they were made of, with perplexities where they are known.
pub(super) fn sizes(outputs: &[Output], prefix: &str) -> String {
    let mut rows: Vec<(String, u64, Option<f64>, Precision)> = Vec::new();
    for output in outputs {
        let totals = &output.report.totals;
        let quality = output.quality.as_ref();
        let source = (
            "the checkpoint".to_owned(),
            totals.source_bytes,
            quality.and_then(|q| q.baseline),
            Precision::Full,
        );
        if !rows.iter().any(|(_, bytes, perplexity, _)| (*bytes, *perplexity) == (source.1, source.2)) {
            rows.push(source);
        }
        let elements: u64 = cells(&output.report, usize::MAX).iter().map(|c| c.elements).sum();
        let bits = totals.stored_bytes as f64 * 8.0 / elements.max(1) as f64;
        rows.push((
            output.name.clone(),
            totals.stored_bytes,
            quality.map(|q| q.perplexity),
            Precision::of_bits(bits),
        ));
    }
    let (left, right, step) = (200.0, WIDTH - 220.0, 26.0);
    let bottom = 10.0 + step * rows.len() as f64;
    let mut svg = Svg::new(prefix, "sizes of the weights", WIDTH, bottom + 26.0);
    let most = rows.iter().map(|r| r.1).max().unwrap_or(1).max(1) as f64;
    for (number, (name, bytes, perplexity, precision)) in rows.iter().enumerate() {
        let y = 10.0 + step * number as f64;
        let width = ((right - left) * *bytes as f64 / most).max(1.0);
        svg.text(left - 6.0, y + 14.0, 11.0, Anchor::End, name, left - 8.0);
        svg.block([left, y + 2.0, width, step - 8.0], *precision, name);
        let quality = perplexity.map_or(String::new(), |p| format!(", perplexity {p:.4}"));
        svg.text(
            left + width + 6.0,
            y + 14.0,
            11.0,
            Anchor::Start,
            &format!("{}{quality}", human_bytes(*bytes)),
            220.0,
        );
    }
    svg.legend(bottom + 8.0);
    svg.finish()
}

/// Divergence of each trial on a logarithmic scale.
pub(crate) fn sensitivity(found: &Sensitivity, prefix: &str) -> String {
    let floor = 1e-9f64;
    let mut trials: Vec<_> = found.trials.iter().collect();
    trials.sort_by(|a, b| {
        b.divergence
            .unwrap_or(f64::INFINITY)
            .total_cmp(&a.divergence.unwrap_or(f64::INFINITY))
            .then_with(|| a.group.cmp(&b.group))
    });
    let shown = trials.get(..BARS.min(trials.len())).unwrap_or_default();
    let values = || shown.iter().filter_map(|t| t.divergence).map(|d| d.max(floor).log10());
    let (first, last) = (values().fold(0.0, f64::min).floor(), values().fold(-8.0, f64::max).ceil());
    let (left, right, step) = (330.0, WIDTH - 110.0, 17.0);
    let bottom = 20.0 + step * shown.len() as f64;
    let title = format!("divergence from the baseline, one {} at a time", found.by.noun());
    let mut svg = Svg::new(prefix, &title, WIDTH, bottom + 50.0);
    let at = |log: f64| left + (right - left) * (log - first) / (last - first).max(1.0);
    let ticks = (last - first).round().max(1.0) as u32;
    for tick in 0..=ticks.min(40) {
        let log = first + f64::from(tick);
        svg.line([at(log), 14.0, at(log), bottom], true);
        svg.text(at(log), bottom + 14.0, 10.0, Anchor::Middle, &format!("1e{log:.0}"), 60.0);
    }
    for (number, trial) in shown.iter().enumerate() {
        let y = 20.0 + step * number as f64;
        let label = format!("{} {}", trial.group, trial.format);
        svg.text(left - 6.0, y + 12.0, 10.0, Anchor::End, &label, left - 8.0);
        let Some(divergence) = trial.divergence else {
            svg.text(left + 4.0, y + 12.0, 10.0, Anchor::Start, "no numbers", 100.0);
            continue;
        };
        let width = (at(divergence.max(floor).log10()) - left).max(0.5);
        let bits = trial.bytes as f64 * 8.0 / trial.elements.max(1) as f64;
        svg.block([left, y + 2.0, width, step - 4.0], Precision::of_bits(bits), &label);
        svg.text(left + width + 5.0, y + 12.0, 10.0, Anchor::Start, &format!("{divergence:.2e}"), 80.0);
    }
    if trials.len() > shown.len() {
        let more = count((trials.len() - shown.len()) as u64, "trial");
        svg.text(left, bottom + 26.0, 10.0, Anchor::Start, &format!("and {more} below"), 300.0);
    }
    svg.legend(bottom + 32.0);
    svg.finish()
}
