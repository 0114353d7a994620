use proptest::prelude::*;

use super::*;
use crate::diag::samples::{self, CLIP, RECIPE, Tiny};
use crate::diag::{Listing, ListingLine, Loc};

fn show(diagnostic: Diagnostic) -> String {
    render(&[diagnostic], &Sources::new().file("mixed.icp", RECIPE).listing(&Tiny), Style::default())
}

#[test]
fn a_source_and_a_line_of_the_listing() {
    insta::assert_snapshot!(show(samples::length()), @r#"
    [length-beyond-positions] error: `max_length` 512 is larger than the 128-row position table
       ╭─[ mixed.icp:9:21 ]
       │
     9 │         max_length: 512,
       │                     ─┬─
       │                      ╰─── positions from 128 up have no row
       │
       ├─[ itera_lite_tiny_best.pt ]
       │
     2 │ position_embedding.weight          f32 [128, 128]
       │                                         ─┬─
       │                                          ╰─── 128 rows, so positions 0..=127
       │
       │ Help: lower `max_length` to 128
    ───╯
    "#);
}

#[test]
fn a_label_a_help() {
    insta::assert_snapshot!(show(samples::unmatched()), @r#"
    [unmatched-pattern] error: `layers.*.moe.moe.experts.**` matches no tensor
       ╭─[ mixed.icp:4:22 ]
       │
     4 │         layers.*.moe.moe.experts.** => nf4(block: 64),
       │                      ─────┬─────
       │                           ╰─────── no tensor goes on from here
       │
       │ Help: did you mean `layers.*.moe.layer.experts.**`? it matches 24 tensors
    ───╯
    "#);
}

#[test]
fn two_labels_on_one_line_and_a_provenance() {
    insta::assert_snapshot!(show(samples::clip()), @r#"
    [clip-without-effect] warning: percentile 99.99 cuts nothing in rows of 128 values
       ╭─[ mixed.icp:5:76 ]
       │
     5 │         position_embedding.weight   => int8(per: channel, clip: percentile(99.99%)),
       │                                             ──────┬─────                   ───┬──
       │                                                   ╰──────────────────────────────── one scale a row of 128
       │                                                                               │
       │                                                                               ╰──── here
       │
       │ Note: 10,000 values = 1 / (1 - 0.9999) are needed to cut one
    ───╯
    "#);
}

#[test]
fn a_file_without_a_text() {
    insta::assert_snapshot!(show(samples::tokenizer()), @r#"
    [length-beyond-positions] error: `tokenizer.json` is not JSON: `NaN` is no value
       ╭─[ data/tokenizer.json:7 ]
       │
       │ at column 12
       │
       │ Help: write `null`
    ───╯
    "#);
}

#[test]
fn a_file_beside_a_source() {
    let place = crate::diag::Place::File { path: "config.json".into(), line: Some(3) };
    insta::assert_snapshot!(show(samples::unmatched().also(place, "`num_experts` is 0")), @r#"
    [unmatched-pattern] error: `layers.*.moe.moe.experts.**` matches no tensor
       ╭─[ mixed.icp:4:22 ]
       │
     4 │         layers.*.moe.moe.experts.** => nf4(block: 64),
       │                      ─────┬─────
       │                           ╰─────── no tensor goes on from here
       │
       │ Help: did you mean `layers.*.moe.layer.experts.**`? it matches 24 tensors
       │
       │ Note: config.json:3: `num_experts` is 0
    ───╯
    "#);
}

#[test]
fn a_place_that_spans_lines_and_one_at_the_end() {
    let at = |start, end| Loc { file: "mixed.icp".into(), item: None, span: Span::new(start, end) };
    let calibrate = RECIPE.find("calibrate").unwrap();
    let d = Diagnostic::new(&CLIP, at(calibrate, RECIPE.rfind('}').unwrap() - 1), "`calibrate` has no data");
    let end =
        Diagnostic::new(&CLIP, at(RECIPE.len(), RECIPE.len()), "expected `}`").label("the file ends here");
    let sources = Sources::new().file("mixed.icp", RECIPE);
    insta::assert_snapshot!(render(&[d, end], &sources, Style::default()), @r#"
    [clip-without-effect] warning: `calibrate` has no data
        ╭─[ mixed.icp:8:5 ]
        │
      8 │ ╭─▶     calibrate {
        ┆ ┆
     10 │ ├─▶     }
        │ │
        │ ╰─────────── here
    ────╯

    [clip-without-effect] warning: expected `}`
        ╭─[ mixed.icp:11:2 ]
        │
     11 │ }
        │  │
        │  ╰─ the file ends here
    ────╯
    "#);
}

#[test]
fn ascii_frames() {
    let sources = Sources::new().file("mixed.icp", RECIPE).listing(&Tiny);
    let style = Style { ascii: true, ..Style::default() };
    insta::assert_snapshot!(render(&[samples::length()], &sources, style), @r#"
    [length-beyond-positions] error: `max_length` 512 is larger than the 128-row position table
       ,-[ mixed.icp:9:21 ]
       |
     9 |         max_length: 512,
       |                     ^|^
       |                      `--- positions from 128 up have no row
       |
       |-[ itera_lite_tiny_best.pt ]
       |
     2 | position_embedding.weight          f32 [128, 128]
       |                                         ^|^
       |                                          `--- 128 rows, so positions 0..=127
       |
       | Help: lower `max_length` to 128
    ---'
    "#);
}

#[test]
fn colour_only_when_asked_for() {
    let sources = Sources::new().file("mixed.icp", RECIPE).listing(&Tiny);
    let all = [samples::length(), samples::clip(), samples::tokenizer()];
    assert!(!render(&all, &sources, Style::default()).contains('\u{1b}'));
    let coloured = render(&all, &sources, Style { colour: true, ..Style::default() });
    assert!(coloured.starts_with("\u{1b}[31m[length-beyond-positions] error:\u{1b}[0m"), "{coloured}");
    let plain: String = strip(&coloured);
    let trimmed = |text: &str| text.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        trimmed(&plain),
        trimmed(&render(&all, &sources, Style::default())),
        "colour changes no character"
    );
}

fn strip(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |out, part| out + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// A listing as long as that of a large checkpoint.
struct Long;

impl Listing for Long {
    fn name(&self) -> &str {
        "large.safetensors"
    }
    fn line(&self, tensor: u32) -> Option<ListingLine> {
        let name = format!("layers.{tensor}.weight");
        Some(samples::listing_line(tensor, &name, 24, "bf16", &[4096, u64::from(tensor)]))
    }
}

#[test]
fn line_numbers_of_a_long_listing_are_true() {
    let d = samples::length();
    let d =
        Diagnostic { secondary: Vec::new(), ..d }.tensor(99_999, Some(1), "last").tensor(7, None, "eighth");
    let sources = Sources::new().file("mixed.icp", RECIPE).listing(&Long);
    insta::assert_snapshot!(render(&[d], &sources, Style::default()), @r#"
    [length-beyond-positions] error: `max_length` 512 is larger than the 128-row position table
            ╭─[ mixed.icp:9:21 ]
            │
          9 │         max_length: 512,
            │                     ─┬─
            │                      ╰─── positions from 128 up have no row
            │
            ├─[ large.safetensors ]
            │
          8 │ layers.7.weight          bf16 [4096, 7]
            │                          ───────┬──────
            │                                 ╰──────── eighth
            │
     100000 │ layers.99999.weight      bf16 [4096, 99999]
            │                                      ──┬──
            │                                        ╰──── last
            │
            │ Help: lower `max_length` to 128
    ────────╯
    "#);
}

#[test]
fn what_files_say_cannot_reach_the_terminal() {
    let text = "ab\u{1b}[31m\u{0b}c\u{202e}d\r\nx \u{1} y\n";
    let at = |start, end| Loc { file: "a\u{7}.icp".into(), item: None, span: Span::new(start, end) };
    let d = Diagnostic::new(&CLIP, at(2, 5), "`\u{1b}]0;title\u{7}` is odd").label("x\u{8}y");
    let sources = Sources::new().file("a\u{7}.icp", text);
    insta::assert_snapshot!(render(&[d], &sources, Style::default()), @r#"
    [clip-without-effect] warning: `�]0;title�` is odd
       ╭─[ a�.icp:1:3 ]
       │
     1 │ ab�[31m�c�d
       │   ─┬─
       │    ╰─── x�y
    ───╯
    "#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_span_of_any_text_can_be_drawn(
        text in "[a-c äß→\t\r\n\u{b}\u{2028}😀]{0,40}",
        spans in prop::collection::vec((0usize..60, 0usize..60), 1..4),
        colour: bool,
    ) {
        let at = |(start, end)| Loc { file: "a.icp".into(), item: None, span: Span::new(start, end) };
        let mut d = Diagnostic::new(&CLIP, at(spans[0]), "x").label("one");
        for span in &spans[1..] {
            d = d.also(crate::diag::Place::Source(at(*span)), "more");
        }
        let sources = Sources::new().file("a.icp", &text);
        let drawn = render(&[d], &sources, Style { colour, ascii: false });
        prop_assert!(drawn.contains("one"), "{}", drawn);
        prop_assert!(drawn.ends_with("╯\n") || colour);
    }
}
