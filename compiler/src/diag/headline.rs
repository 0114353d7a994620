//! Names of any length in headlines of at most 72 characters: the longest name loses its start.

use super::lint::HEADLINE;

/// Shortest rest of a name that still tells something, in characters.
const LEAST: usize = 8;

/// `text`; if it has more than 72 characters, with all names in backticks cut from the left to one length,
/// `…experts.3.w1.weight`. The label at the place shows the whole name.
pub(super) fn fit(text: String) -> String {
    if text.chars().count() <= HEADLINE {
        return text;
    }
    // A name that is longer than a headline leaves room for nothing else.
    let text = names_up_to(&text, HEADLINE);
    let longest = text.split('`').skip(1).step_by(2).map(|name| name.chars().count()).max().unwrap_or(0);
    let lengths = (LEAST..longest).rev();
    let cut = lengths.map(|length| names_up_to(&text, length));
    cut.into_iter().find(|text| text.chars().count() <= HEADLINE).unwrap_or_else(|| names_up_to(&text, LEAST))
}

fn names_up_to(text: &str, length: usize) -> String {
    let parts = text.split('`').enumerate().map(|(i, part)| {
        let n = part.chars().count();
        // Every second part stands inside of backticks.
        if i % 2 == 1 && n > length {
            std::iter::once('…').chain(part.chars().skip(n - (length - 1))).collect()
        } else {
            part.to_owned()
        }
    });
    parts.collect::<Vec<String>>().join("`")
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
        insta::assert_snapshot!(both, @"`…rts.3.down_proj.weight` and `…rts.3.down_proj.weight` get two formats");
        assert!(both.chars().count() <= HEADLINE);
        insta::assert_snapshot!(fit(format!("`{name}` is pruned twice")), @"`…anguage_model.layers.0.mlp.experts.3.down_proj.weight` is pruned twice");
        // Without a name there is nothing to cut.
        let prose = "x".repeat(90);
        assert_eq!(fit(prose.clone()), prose);
    }
}
