//! Hand-made diagnostics that the renderers' tests share.

use super::{Certainty, Declaration, Diagnostic, Level, Listing, ListingLine, Loc, Place};
use crate::base::Span;

pub(super) static UNMATCHED: Declaration = Declaration {
    name: "unmatched-pattern",
    code: "E0301",
    level: Level::Error,
    page: "# unmatched-pattern (E0301)\n\nA pattern matches no tensor of the checkpoint.\n",
};

pub(super) static LENGTH: Declaration = Declaration {
    name: "length-beyond-positions",
    code: "E0401",
    level: Level::Error,
    page: "# length-beyond-positions (E0401)\n\nA length is larger than the position table.\n",
};

pub(super) static CLIP: Declaration = Declaration {
    name: "clip-without-effect",
    code: "E0501",
    level: Level::Warning,
    page: "# clip-without-effect (E0501)\n\nA percentile cuts nothing.\n",
};

pub(super) const RECIPE: &str = "\
recipe mixed for itera_lite {
    checkpoint \"itera_lite_tiny_best.pt\";
    assign {
        layers.*.moe.moe.experts.** => nf4(block: 64),
        position_embedding.weight   => int8(per: channel, clip: percentile(99.99%)),
        _                           => fp16,
    }
    calibrate {
        max_length: 512,
    }
}
";

pub(super) struct Tiny;

impl Listing for Tiny {
    fn name(&self) -> &str {
        "itera_lite_tiny_best.pt"
    }
    fn line(&self, tensor: u32) -> Option<ListingLine> {
        let name = ["embedding.weight", "position_embedding.weight"].get(tensor as usize)?;
        let shape = [[8000, 128], [128, 128]].get(tensor as usize).copied()?;
        Some(listing_line(tensor, name, 34, "f32", &shape))
    }
}

/// Line `name  dtype [shape]`, the name padded to `width` characters.
pub(super) fn listing_line(number: u32, name: &str, width: usize, dtype: &str, shape: &[u64]) -> ListingLine {
    let mut text = format!("{name:width$} ");
    let start = text.len();
    text.push_str(dtype);
    text.push_str(" [");
    let mut axes = Vec::with_capacity(shape.len());
    for (i, extent) in shape.iter().enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        let begin = text.len();
        text.push_str(&extent.to_string());
        axes.push(Span::new(begin, text.len()));
    }
    text.push(']');
    ListingLine { number, stored: Span::new(start, text.len()), axes, text }
}

/// The place of `needle` in [`RECIPE`].
pub(super) fn loc(needle: &str) -> Loc {
    let start = RECIPE.find(needle).unwrap();
    Loc { file: "mixed.icp".into(), item: None, span: Span::new(start, start + needle.len()) }
}

pub(super) fn length() -> Diagnostic {
    Diagnostic::new(&LENGTH, loc("512"), "`max_length` 512 is larger than the 128-row position table")
        .label("positions from 128 up have no row")
        .tensor(1, Some(0), "128 rows, so positions 0..=127")
        .help("lower `max_length` to 128")
        .fix(Certainty::Unsafe, "lower `max_length` to 128", loc("512"), "128")
}

pub(super) fn unmatched() -> Diagnostic {
    Diagnostic::new(&UNMATCHED, loc("moe.experts"), "`layers.*.moe.moe.experts.**` matches no tensor")
        .label("no tensor goes on from here")
        .help("did you mean `layers.*.moe.layer.experts.**`? it matches 24 tensors")
        .fix(
            Certainty::Unsafe,
            "replace with `layers.*.moe.layer.experts.**`",
            loc("moe.experts"),
            "layer.experts",
        )
}

pub(super) fn clip() -> Diagnostic {
    Diagnostic::new(&CLIP, loc("99.99%"), "percentile 99.99 cuts nothing in rows of 128 values")
        .also(Place::Source(loc("per: channel")), "one scale a row of 128")
        .because("10,000 values = 1 / (1 - 0.9999) are needed to cut one")
}

pub(super) fn tokenizer() -> Diagnostic {
    let mut d = Diagnostic::new(&LENGTH, loc("512"), "`tokenizer.json` is not JSON: `NaN` is no value");
    d.primary.place = Place::File { path: "data/tokenizer.json".into(), line: Some(7) };
    d.label("at column 12").help("write `null`")
}
