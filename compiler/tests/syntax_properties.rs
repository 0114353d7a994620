//! What holds for every text: nothing panics, spans lie in the text, messages keep the rules of the house, and
//! formatting keeps tree and comments.

use icpc::syntax::{format, parse, print};
use proptest::prelude::*;

/// A whole file with every construct, from which mutations start.
const SEED: &str = r#"//! Docs.
use std::arch::itera_lite;
use "../common.icp"::{tables, norms};
const clip: percent = 99.99%;

/// Docs of the recipe.
recipe a(x: int = 3) extends base(y: 2) for itera_lite {
    checkpoint "a.pt";
    target cuda:1; // trailing
    set top_k = 2;
    prune dim expert in layers.*.moe { keep: 75%, by: magnitude }
    assign {
        // own line
        layers.{0..=3}.{w1,w2}.weight | @norm => nf4(block: 64, double: true),
        ** where rank >= 2 and not (dtype == f32 or dim(0) != 3) except *_proj.w? => int8(per: block 64),
        "odd:name".x? => fp16,
        _ => keep,
    }
    calibrate { data: ["a", "b"], n: 2 of 4 }
    require { size <= 3 MB; perplexity <= 105% of baseline; }
    emit "out" as gguf(shards: 5 GB);
}

arch m {
    dim hidden, vocab;
    embedding.weight : [vocab, 2 * hidden] @embedding;
    transformer? { layers[i].norm.{weight,bias}? : [hidden] @norm; }
    either { a : [hidden]; } or { b : [hidden + 1]; }
    lm_head.weight = embedding.weight;
    recurrent hidden;
    sequence <= vocab;
    default top_k: int = 2 <= vocab from num_experts_per_tok;
    forward(tokens: [batch, seq]) -> [batch, seq, vocab] {
        let x = embed(tokens, embedding.weight)[.., 0..hidden];
        for layer in layers { x = x + -layer.w * 2; }
        match layer { moe.ffn => { x }, _ => f(x, eps: 1e-5) }
    }
}
"#;

/// Words and signs from which texts near the language are made.
const TOKENS: &[&str] = &[
    "recipe",
    "arch",
    "use",
    "const",
    "assign",
    "calibrate",
    "require",
    "emit",
    "prune",
    "set",
    "target",
    "checkpoint",
    "dim",
    "either",
    "or",
    "forward",
    "default",
    "for",
    "extends",
    "where",
    "except",
    "not",
    "and",
    "of",
    "as",
    "in",
    "let",
    "match",
    "if",
    "else",
    "recurrent",
    "a",
    "layers",
    "w1",
    "_",
    "@norm",
    "**",
    "*",
    "?",
    "{w1,w2}",
    "{0..=3}",
    "\"x\"",
    "\"",
    "'",
    "3",
    "1e-5",
    "99%",
    "3 MB",
    "2x",
    "true",
    "True",
    "nf4(block: 64)",
    "=>",
    "->",
    "=",
    ":",
    ";",
    ",",
    ".",
    "..",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    "<=",
    "==",
    "!",
    "&&",
    "#",
    "//",
    "///",
    "/*",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\u{a0}",
    "é",
    "\0",
    "\\",
    "re:.*x",
    "cuda:1",
];

/// Checks what holds for every text; also formatted, where it has no errors.
fn check(source: &str) {
    let file = parse(source);
    let rules = [
        "_junk",
        "arg_",
        "_rest",
        "f_expr",
        "_tail",
        "sp ",
        "EOI",
        "_value",
        "kw_",
        "choice_",
        "word_list",
        "recipe_item",
    ];
    for error in &file.errors {
        let (start, end) = (error.span.start as usize, error.span.end as usize);
        assert!(start <= end && end <= source.len(), "{error:?}");
        assert!(source.is_char_boundary(start) && source.is_char_boundary(end), "{error:?}");
        assert!(error.headline.chars().count() <= 72, "{} is too long", error.headline);
        assert!(!error.headline.ends_with('.') && !error.headline.contains('\n'), "{error:?}");
        let quoted = error.headline.contains('`');
        assert!(quoted || rules.iter().all(|r| !error.headline.contains(r)), "{error:?}");
        if let Some((span, _)) = &error.fix {
            assert!(source.get(span.range()).is_some(), "{error:?}");
        }
    }
    match format(source) {
        Err(errors) => assert!(!errors.is_empty()),
        Ok(text) => {
            assert_eq!(print(&parse(&text)), print(&file), "formatting changes the tree of:\n{source}");
            assert_eq!(format(&text).as_deref(), Ok(text.as_str()), "formatting again changes:\n{source}");
            assert_eq!(comments(&text), comments(source), "formatting loses comments of:\n{source}");
        }
    }
}

/// Comments without their slashes, sorted: one that moves may pass another.
fn comments(source: &str) -> Vec<String> {
    let mut found = vec![];
    for line in source.split(['\n', '\r']) {
        let mut in_string = false;
        let mut chars = line.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' if in_string => drop(chars.next()),
                '"' => in_string = !in_string,
                '/' if !in_string && line[i..].starts_with("//") => {
                    found.push(line[i..].trim_start_matches(['/', '!']).trim().to_owned());
                    break;
                }
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Space between two tokens, now and then with a comment.
fn space() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => Just(" ".to_owned()),
        3 => Just("\n".to_owned()),
        1 => Just("\n\n\n  ".to_owned()),
        1 => Just("\t\r\n".to_owned()),
        1 => "[a-z ,;{}\"]{0,8}".prop_map(|c| format!(" // {c}\n")),
        1 => "[a-z]{0,4}".prop_map(|c| format!("\n/// {c}\n")),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("fp16".to_owned()),
        Just("keep".to_owned()),
        Just("1_000".to_owned()),
        Just("-0.5".to_owned()),
        Just("99.99 %".to_owned()),
        Just("2.2x".to_owned()),
        Just("3MB".to_owned()),
        Just("\"a b\"".to_owned()),
        Just("true".to_owned()),
        Just("a::b".to_owned()),
        Just("block 64".to_owned()),
        Just("105% of baseline".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("f({})", v.join(","))),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|v| format!("g(n :{} ,)", v.join(", m: "))),
            prop::collection::vec(inner, 0..4).prop_map(|v| format!("[ {} ]", v.join(" , "))),
        ]
    })
}

fn pattern() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "a",
        "layers",
        "*",
        "**",
        "w?",
        "{w1, w2,}",
        "x{1,2}y",
        "{0..=3}",
        "{2 ..}",
        "*_proj",
        "\"odd:name\"",
        "use",
        "0",
    ]);
    let path = prop::collection::vec(segment, 1..4).prop_map(|s| s.join("."));
    let alternative = prop_oneof![4 => path, 1 => Just("@norm".to_owned())];
    let compare = prop::sample::select(vec!["rank==1", "dtype != f32", "dim( 0 )>=4", "params < 1_000"]);
    let filter = compare.prop_map(str::to_owned).prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            inner.prop_map(|a| format!("not ( {a} )")),
        ]
    });
    let tail = prop_oneof![
        4 => Just(String::new()), 1 => Just(" ?".to_owned()), 2 => filter.prop_map(|f| format!(" where {f}")),
        1 => Just(" except a.* | @norm".to_owned()),
    ];
    (prop::collection::vec(alternative, 1..4), tail).prop_map(|(a, t)| a.join("|") + &t)
}

fn recipe_item() -> impl Strategy<Value = Vec<String>> {
    let owned = |v: &[&str]| v.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let arms = prop::collection::vec((pattern(), value()), 0..5).prop_map(move |arms| {
        let mut tokens = owned(&["assign", "{"]);
        for (pattern, value) in arms {
            tokens.extend([pattern, "=>".to_owned(), value, ",".to_owned()]);
        }
        tokens.push("}".to_owned());
        tokens
    });
    let fields = prop::collection::vec(value(), 0..4).prop_map(move |values| {
        let mut tokens = owned(&["calibrate", "{"]);
        for value in values {
            tokens.extend(["data:".to_owned(), value, ",".to_owned()]);
        }
        tokens.push("}".to_owned());
        tokens
    });
    prop_oneof![
        arms,
        fields,
        (pattern(), value()).prop_map(|(p, v)| vec![
            format!("prune {p}"),
            "{".into(),
            format!("keep:{v}"),
            "}".into()
        ]),
        value().prop_map(|v| vec![format!("set x = {v}"), ";".to_owned()]),
        value().prop_map(|v| vec!["require {".into(), format!("size <= {v}"), ";".into(), "}".into()]),
        value().prop_map(|v| vec![format!("emit \"o\" as {v}"), ";".into()]),
        Just(owned(&["target cuda:1", ";"])),
    ]
}

fn arch_item() -> impl Strategy<Value = Vec<String>> {
    let item = prop::sample::select(vec![
        "dim a , b;",
        "w:[a,2*( b+1 )]@linear;",
        "n.{x,y}?:[ ];",
        "c.bias : [a] @norm @bias ;",
        "t = w ;",
        "recurrent a;",
        "sequence<=a;",
        "default k : int = 2 <= a from k1 , k2;",
        "forward( x ) -> [a] { let y = f(x,\n 1); // c\n y }",
    ]);
    item.prop_map(|s| vec![s.to_owned()]).prop_recursive(3, 12, 3, |inner| {
        let wrap = |open: &'static str, close: &'static str| {
            move |items: Vec<Vec<String>>| {
                let mut tokens = vec![open.to_owned()];
                tokens.extend(items.into_iter().flatten());
                tokens.push(close.to_owned());
                tokens
            }
        };
        let items = || prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            items().prop_map(wrap("layers[i] {", "}")),
            items().prop_map(wrap("transformer?.h[ i in a ] {", "}")),
            (items(), items()).prop_map(move |(a, b)| {
                let mut tokens = wrap("either {", "}")(a);
                tokens.extend(wrap("or {", "}")(b));
                tokens
            }),
        ]
    })
}

/// A text without errors: items of the grammar with any space between their parts.
fn file() -> impl Strategy<Value = String> {
    let recipe =
        prop::collection::vec(recipe_item(), 0..5).prop_map(|items| ("recipe r(x:int=3) for m {", items));
    let arch = prop::collection::vec(arch_item(), 0..5).prop_map(|items| ("arch m {", items));
    let items = prop::collection::vec(prop_oneof![recipe, arch], 0..3);
    (items, prop::collection::vec(space(), 64)).prop_map(|(items, spaces)| {
        let mut tokens = vec!["use std::arch::m".to_owned(), ";".to_owned()];
        for (head, inner) in items {
            tokens.push(head.to_owned());
            tokens.extend(inner.into_iter().flatten());
            tokens.push("}".to_owned());
        }
        let mut spaces = spaces.iter().cycle();
        tokens.into_iter().fold(String::new(), |text, t| text + &t + spaces.next().map_or("", |s| s))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_tokens(tokens in prop::collection::vec((prop::sample::select(TOKENS), any::<bool>()), 0..60)) {
        let text: String = tokens.iter().flat_map(|(t, space)| [*t, if *space { " " } else { "" }]).collect();
        check(&text);
        check(&format!("recipe a {{ assign {{ {text}"));
        check(&format!("arch a {{ {text}"));
    }

    #[test]
    fn mutations(edits in prop::collection::vec((0..SEED.len(), 0..24usize, prop::sample::select(TOKENS)), 1..4)) {
        let mut text = SEED.to_owned();
        for (at, length, token) in edits {
            let at = at.min(text.len());
            let end = (at + length / 2).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, token);
            }
        }
        check(&text);
    }

    #[test]
    fn cut_off(at in 0..SEED.len()) {
        check(&SEED[..at]);
    }

    #[test]
    fn generated_files(text in file()) {
        prop_assert_eq!(&parse(&text).errors, &vec![], "{}", text);
        check(&text);
    }
}

#[test]
fn the_seed_has_no_errors() {
    assert_eq!(parse(SEED).errors, vec![]);
    check(SEED);
}

#[test]
fn hostile_texts_neither_overflow_nor_hang() {
    // What is not linear here takes minutes, which every runner reports.
    const TIMES: usize = 400;
    let bodies = [
        "(",
        "[",
        "{",
        "}",
        ")",
        "f(",
        "f([",
        "{a",
        "{a,",
        "a.",
        "a|",
        "not ",
        "not (",
        "rank==1 and ",
        "a except ",
        "=> ",
        "\"",
        "'",
        "x => f(",
        "where ",
        "- ",
        "1 + ",
        "a * ",
        "(a",
        "else if x {} ",
        "if x {} else ",
        "match ",
        "for x in ",
        "let x = ",
        "either {} or ",
        "layers[i].",
        "///\n",
        "#",
        "/*",
        ",",
        ";",
        "\n,",
        "f(a,\n",
        "f(\nx => ",
        "a\n",
        "block ",
        "2 of ",
        "\u{a0}",
        "\0",
        "\r",
        "\\",
        "\"\\",
        "a::",
        "@",
        "?",
        "*",
        "..",
        "recipe ",
        "recipe a {",
        "arch a {",
        "use \"",
        "asign {",
        "asign { x => ",
        "dims a, ",
        "}}{",
        "{{}",
        "(a)",
        "f(),",
        "{w1,w2}",
        "w?",
    ];
    let heads = [
        "",
        "recipe a { assign { ",
        "recipe a { assign { ** where ",
        "recipe a { x ",
        "arch a { ",
        "arch a { w : [",
        "arch a { forward(x) { ",
        "recipe a { assign { x => ",
        "recipe a { calibrate { x: ",
    ];
    for head in heads {
        for body in bodies {
            let text = head.to_owned() + &body.repeat(TIMES);
            let file = parse(&text);
            drop(print(&file));
            drop(file);
        }
    }
}
