//! Names of any length in headlines of at most 72 characters: the longest name loses its start.

use super::lint::HEADLINE;

/// Shortest rest of a name that still tells something.
const LEAST: usize = 8;

/// `text` with its longest names in backticks cut from the left, `…experts.3.w1.weight`, until it has 72 characters.
/// The label at the place shows the whole name.
pub(super) fn fit(text: String) -> String {
    let mut text = text;
    // Each round cuts the longest name; a headline has few.
    for _ in 0..4 {
        let Some(excess) = text.chars().count().checked_sub(HEADLINE).filter(|n| *n > 0) else { break };
        let mut parts: Vec<String> = text.split('`').map(str::to_owned).collect();
        let names = parts.iter_mut().skip(1).step_by(2);
        let Some(longest) = names.max_by_key(|name| name.chars().count()) else { break };
        let length = longest.chars().count();
        let kept = length.saturating_sub(excess + 1).max(LEAST);
        if kept + 1 >= length {
            break;
        }
        *longest = std::iter::once('…').chain(longest.chars().skip(length - kept)).collect();
        text = parts.join("`");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_from_the_left() {
        let short = "`a` matches no tensor";
        assert_eq!(fit(short.to_owned()), short);
        let name = "model.language_model.layers.0.mlp.experts.3.down_proj.weight";
        let both = fit(format!("`{name}` and `{name}` get two formats"));
        insta::assert_snapshot!(both, @"");
        assert!(both.chars().count() <= HEADLINE);
        insta::assert_snapshot!(fit(format!("`{name}` is pruned twice")), @"");
        // Without a name there is nothing to cut.
        let prose = "x".repeat(90);
        assert_eq!(fit(prose.clone()), prose);
    }
}
