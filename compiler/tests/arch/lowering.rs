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
"), @"");
}

#[test]
fn products_are_kept_short() {
    let long = vec!["hidden"; 70].join(" * ");
    insta::assert_snapshot!(problems(&format!("arch a {{ dim hidden; x : [{long}]; }}"))[70 * 9..], @"");
    insta::assert_snapshot!(problems("arch a { dim h; a.{b,c}.{d,e}? : [h]; x?.x?.x?.x?.x?.x?.x?.y : [h]; }"), @"");
}
