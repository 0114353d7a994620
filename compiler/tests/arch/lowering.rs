//! What is wrong with a declaration.

use crate::lower;

/// Each problem under the text that it is about.
fn problems(text: &str) -> String {
    let (_, problems) = lower(text);
    let shown = problems.iter().map(|p| {
        let label = if p.label.is_empty() { String::new() } else { format!(" ({})", p.label) };
        format!("{}: {}{label}", text[p.span.range()].trim(), p.headline)
    });
    shown.collect::<Vec<_>>().join("\n")
}

#[test]
fn mistakes_are_listed_in_source_order() {
    insta::assert_snapshot!(problems("
arch a {
    dim vocab, hidden, vocab;
    embedding.weight : [vocab, hiden] @embedding;
    embedding.{weight,bias} : [vocab, hidden];
    layers[i] {
        experts[i].w : [hidden * (vocab + 1), 3 * (vocab + 1)];
        either { x.a : [hidden]; } or { x.a : [hidden, 1]; }
    }
    layers[j in hidden] { y : []; }
    recurrent state;
    residual hidden;
    lm_head.weight = embeddings.weight;
    sequence >= vocab;
    default top_k: int = high <= hidden;
    default top_k: int = 2 <= hidden;
}
"), @"
    vocab: dim `vocab` is declared twice (declared above)
    hiden: `hiden` is no dim of `a` (declared nowhere)
    embedding.{weight,bias} : [vocab, hidden]: `embedding.weight` is declared twice (declared above)
    i: index `i` stands for two families (the outer one has this name)
    hidden * (vocab + 1): a dim times a sum is no length of an axis (write the sum's terms one by one)
    hidden: `layers` is counted by `layers` and `hidden` (one family has one dim)
    state: `state` is no dim of `a` (declared nowhere)
    embeddings.weight: the other end of the tie is declared nowhere (no tensor of this name)
    sequence >= vocab: `>=` is no upper bound (write `<=` or `<`)
    high: `high` is no int
    top_k: default `top_k` is declared twice (declared above)
    ");
}

/// The parser stops at 64 terms in a row; multiplied out, there may be more.
#[test]
fn what_multiplies_out_is_kept_short() {
    insta::assert_snapshot!(problems("arch a { dim h; x : [9 * (9 * (h + 1) + h)]; }"), @"");
    insta::assert_snapshot!(problems("arch a { dim h; a.{b,c}.{d,e}? : [h]; x?.x?.x?.x?.x?.x?.x?.y : [h]; }"), @"");
}
