//! Which queries run after which edit: the promise behind a language server that answers while one types.

use icpc::session::Session;

const RECIPE: &str = "\
recipe r {
    checkpoint \"tiny.pt\";
    casts auto;
    assign {
        layers.*.w.weight => nf4(block: 64),
        embedding.weight => int8(per: channel),
        _ => fp16,
    }
}
";

const LISTING: &str = "\
embedding.weight f32 [512, 64]
layers.{0..=3}.w.weight f32 [64, 64]
norm.weight f32 [64]
";

fn session() -> Session {
    let mut session = Session::new();
    session.set_file("r.icp", RECIPE);
    session.set_checkpoint_listing("tiny.pt", LISTING);
    assert!(ask(&session).is_some(), "the recipe has a plan");
    session.database().record_executions();
    session
}

/// What an editor asks for: diagnostics, and the plan.
fn ask(session: &Session) -> Option<String> {
    assert_eq!(session.diagnostics("r.icp", None).iter().filter(|d| d.kind.code < "E0600").count(), 0);
    session.plan_text("r.icp", "r")
}

/// Queries that an edit makes run, each once however often it ran, in order of first run.
fn after(session: &mut Session, edit: impl FnOnce(&mut Session)) -> Vec<String> {
    session.database().executed();
    edit(session);
    ask(session);
    let mut seen = Vec::new();
    for query in session.database().executed() {
        if !seen.contains(&query) {
            seen.push(query);
        }
    }
    seen.sort();
    seen
}

#[test]
fn nothing_changed() {
    let mut session = session();
    insta::assert_debug_snapshot!(after(&mut session, |_| {}), @"[]");
    let same = |s: &mut Session| s.set_file("r.icp", RECIPE);
    insta::assert_debug_snapshot!(after(&mut session, same), @"[]");
}

#[test]
fn blank_lines_above_check_nothing_again() {
    let mut session = session();
    let text = format!("\n\n// a remark\n{RECIPE}");
    insta::assert_debug_snapshot!(after(&mut session, |s| s.set_file("r.icp", &text)), @r#"
    [
        "diagnostics",
        "item_starts",
        "module",
        "parse",
        "sound",
    ]
    "#);
}

#[test]
fn one_pattern_of_three_is_resolved_again() {
    let mut session = session();
    let text = RECIPE.replace("embedding.weight =>", "{embedding,norm}.weight where rank == 2 =>");
    session.database().executed();
    session.set_file("r.icp", &text);
    ask(&session);
    let ran = session.database().executed();
    assert_eq!(ran.iter().filter(|q| *q == "matched").count(), 1, "{ran:?}");
    insta::assert_debug_snapshot!(after(&mut session, |_| {}), @"[]");
}

#[test]
fn another_checkpoint_parses_nothing() {
    let mut session = session();
    let listing = format!("{LISTING}norm.bias f32 [64]\n");
    insta::assert_debug_snapshot!(after(&mut session, |s| s.set_checkpoint_listing("tiny.pt", &listing)), @r#"
    [
        "analysis",
        "checked",
        "diagnostics",
        "forward_answers",
        "index",
        "layout",
        "matched",
        "model",
        "plain_names",
        "unrolled",
    ]
    "#);
}

const OWN: &str = "\
arch own {
    dim vocab, hidden;
    embedding.weight : [vocab, hidden] @embedding;
    layers[i].w.weight : [hidden, hidden] @linear;
    norm.weight : [hidden] @norm;
    forward(tokens: [batch, seq]) -> [batch, seq, vocab] {
        let x = embed(tokens, embedding);
        for layer in layers {
            let x = x + silu(linear(x, layer.w));
        }
        linear(rms_norm(x, norm), embedding.weight)
    }
}
";

#[test]
fn a_forward_is_checked_without_the_arms_of_recipes() {
    let mut session = session();
    session.set_file("r.icp", &format!("{OWN}\n{}", RECIPE.replace("recipe r", "recipe r for own")));
    assert!(ask(&session).is_some(), "the recipe has a plan");
    let text = session.text("r.icp").unwrap().replace("silu", "relu");
    insta::assert_debug_snapshot!(after(&mut session, |s| s.set_file("r.icp", &text)), @r#"
    [
        "analysis",
        "checked",
        "checked_forward",
        "declared",
        "diagnostics",
        "imports",
        "item_named",
        "item_starts",
        "malformed",
        "module",
        "module_problems",
        "parse",
        "recipe_names",
        "resolved",
        "seen_names",
        "sound",
        "unrolled",
    ]
    "#);
}
