//! Areas as rectangles that are as square as they can be (Bruls, Huizing, van Wijk: Squarified treemaps, 2000).

/// A rectangle for each area, in their order; `areas` descend for a good result, and fill `[x, y, width, height]`. What is not
/// above zero has no extent.
pub(super) fn layout(areas: &[f64], [x, y, width, height]: [f64; 4]) -> Vec<[f64; 4]> {
    let total: f64 = areas.iter().filter(|a| **a > 0.0).sum();
    let scale = if total > 0.0 { width * height / total } else { 0.0 };
    let sized: Vec<f64> = areas.iter().map(|a| a.max(0.0) * scale).collect();
    let (mut out, mut free, mut rest) =
        (Vec::with_capacity(areas.len()), [x, y, width, height], sized.as_slice());
    while !rest.is_empty() {
        let side = free[2].min(free[3]);
        let mut take = 1;
        // One more in this row, as long as its worst rectangle gets better.
        while take < rest.len() && worst(rest, take + 1, side) <= worst(rest, take, side) {
            take += 1;
        }
        let (row, later) = rest.split_at(take);
        free = place(row, free, &mut out);
        rest = later;
    }
    out
}

/// The largest ratio of sides among the first `count` areas, laid along `side`.
fn worst(areas: &[f64], count: usize, side: f64) -> f64 {
    let row = areas.get(..count).unwrap_or(areas);
    let sum: f64 = row.iter().sum();
    if sum <= 0.0 || side <= 0.0 {
        return 0.0;
    }
    let thickness = sum / side;
    let ratio = |area: &f64| {
        let length = area / thickness;
        if *area <= 0.0 { f64::INFINITY } else { (length / thickness).max(thickness / length) }
    };
    row.iter().map(ratio).fold(0.0, f64::max)
}

/// Lays a row along the shorter side, and gives what stays free.
fn place(row: &[f64], [x, y, width, height]: [f64; 4], out: &mut Vec<[f64; 4]>) -> [f64; 4] {
    let sum: f64 = row.iter().sum();
    let side = width.min(height);
    let thickness = if side > 0.0 { sum / side } else { 0.0 };
    let mut at = 0.0;
    for area in row {
        let length = if thickness > 0.0 { area / thickness } else { 0.0 };
        out.push(match width >= height {
            true => [x, y + at, thickness, length],
            false => [x + at, y, length, thickness],
        });
        at += length;
    }
    match width >= height {
        true => [x + thickness, y, (width - thickness).max(0.0), height],
        false => [x, y + thickness, width, (height - thickness).max(0.0)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_kept_and_nothing_overlaps() {
        let areas = [6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0];
        let found = layout(&areas, [0.0, 0.0, 6.0, 4.0]);
        assert_eq!(found.len(), areas.len());
        for (area, [.., w, h]) in areas.iter().zip(&found) {
            assert!((w * h - area).abs() < 1e-9);
        }
        for (number, a) in found.iter().enumerate() {
            assert!(a[0] >= -1e-9 && a[1] >= -1e-9 && a[0] + a[2] <= 6.0 + 1e-9 && a[1] + a[3] <= 4.0 + 1e-9);
            for b in &found[number + 1..] {
                let apart = a[0] + a[2] <= b[0] + 1e-9
                    || b[0] + b[2] <= a[0] + 1e-9
                    || a[1] + a[3] <= b[1] + 1e-9
                    || b[1] + b[3] <= a[1] + 1e-9;
                assert!(apart, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn nothing_is_no_trouble() {
        assert!(layout(&[], [0.0, 0.0, 1.0, 1.0]).is_empty());
        assert_eq!(layout(&[0.0, 0.0], [0.0, 0.0, 1.0, 1.0]).len(), 2);
        assert!(layout(&[1.0, 0.0], [0.0, 0.0, 1.0, 1.0]).iter().flatten().all(|n| n.is_finite()));
    }
}
