use super::*;

/// The place at `<|>`, what is typed and what would be replaced.
fn show(marked: &str) -> String {
    let at = marked.find("<|>").unwrap();
    let text = marked.replacen("<|>", "", 1);
    let found = cursor(&text, u32::try_from(at).unwrap());
    let replaced = &text[found.replace.range()];
    format!("{:?} {:?} of {replaced:?}", found.place, found.typed)
        .replace("Segment(Segment { prefix: ", "Segment(")
        .replace(", braces: None, alone: ", ", ")
        .replace(" }) ", ") ")
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (marked, expected) in cases {
        assert_eq!(show(marked), *expected, "at `{marked}`");
    }
}

#[test]
fn items_of_a_file() {
    check(&[
        ("<|>", r#"Item "" of """#),
        ("re<|>", r#"Item "re" of "re""#),
        ("us<|>e std", r#"Item "us" of "use""#),
        ("use <|>", r#"Import([]) "" of """#),
        ("use std::<|>", r#"Import(["std"]) "" of """#),
        ("use std::arch::ll<|>", r#"Import(["std", "arch"]) "ll" of "ll""#),
        ("use std::arch::{<|>", r#"ImportName("std::arch") "" of """#),
        ("use \"a.icp\"::{tables, <|>};", r#"ImportName("\"a.icp\"") "" of """#),
        ("use \"../<|>", r#"File(Recipe) "../" of "../""#),
        ("use \"x<|>y\"", r#"File(Recipe) "x" of "xy""#),
        ("const <|>", r#"Nothing "" of """#),
        ("const a: <|>", r#"Kind "" of """#),
        ("const a: per<|> = 3;", r#"Kind "per" of "per""#),
        ("const a: percent = <|>", r#"Value(Declared(Some("percent"))) "" of """#),
        ("const a = 3 <|>", r#"Unit { slot: Declared(None), percent: false } "" of """#),
        ("recipe <|>", r#"Nothing "" of """#),
        ("recipe a <|>", r#"Head { extends: true, arch: true } "" of """#),
        ("recipe a(p: int = 3) ex<|>", r#"Head { extends: true, arch: true } "ex" of "ex""#),
        ("recipe a extends <|>", r#"Base "" of """#),
        ("recipe a extends b(<|>", r#"Argument "" of """#),
        ("recipe a extends b(x: <|>", r#"Value(Argument("x")) "" of """#),
        ("recipe a extends b for <|>", r#"Arch "" of """#),
        ("recipe a(p: <|>", r#"Kind "" of """#),
        ("recipe a(p: int = <|>", r#"Value(Declared(Some("int"))) "" of """#),
        ("// a\n<|>", r#"Item "" of """#),
        ("use std::arch::llama\nrec<|>", r#"Item "rec" of "rec""#),
    ]);
}

#[test]
fn items_of_a_recipe() {
    check(&[
        ("recipe a { <|>", r#"RecipeItem "" of """#),
        ("recipe a { ass<|>", r#"RecipeItem "ass" of "ass""#),
        ("recipe a { checkpoint \"x/<|>\"; }", r#"File(Checkpoint) "x/" of "x/""#),
        ("recipe a { checkpoint <|>", r#"Value(Path) "" of """#),
        ("recipe a { target <|>", r#"Target "" of """#),
        ("recipe a { set <|>", r#"Setting "" of """#),
        ("recipe a { set top_k = <|>", r#"Value(Setting("top_k")) "" of """#),
        ("recipe a { emit \"x\" <|>", r#"As "" of """#),
        ("recipe a { emit \"x\" as <|>", r#"Container "" of """#),
        ("recipe a { emit \"x\" as safetensors(<|>", r#"Argument "" of """#),
        ("recipe a { prune <|>", r#"Segment("", true, of: Prune(true)) "" of """#),
        ("recipe a { prune di<|>", r#"Segment("", true, of: Prune(true)) "di" of "di""#),
        ("recipe a { prune dim <|>", r#"PruneDim "" of """#),
        ("recipe a { prune dim ex<|>", r#"PruneDim "ex" of "ex""#),
        ("recipe a { prune dim expert <|>", r#"PruneIn "" of """#),
        ("recipe a { prune dim expert in <|>", r#"Segment("", true, of: Prune(false)) "" of """#),
        (
            "recipe a { prune dim expert in layers.<|>",
            r#"Segment("layers", false, of: Prune(false)) "" of """#,
        ),
        ("recipe a { prune layers.*.<|>", r#"Segment("layers.*", false, of: Prune(false)) "" of """#),
        ("recipe a { prune layers.* { <|>", r#"Argument "" of """#),
        ("recipe a { prune layers.* { keep: 3, by: <|>", r#"Value(Argument("by")) "" of """#),
        (
            "recipe a { prune layers.* { keep: 2 <|>",
            r#"Unit { slot: Argument("keep"), percent: false } "" of """#,
        ),
        ("recipe a { calibrate { da<|>", r#"Argument "da" of "da""#),
        ("recipe a { calibrate { data: \"<|>", r#"File(Data) "" of """#),
        (
            "recipe a { evaluate { data: \"x\",\n tokenizer: \"tok<|>\" } }",
            r#"File(Tokenizer) "tok" of "tok""#,
        ),
        ("recipe a { calibrate { data: \"x\"\n sam<|>", r#"Argument "sam" of "sam""#),
        ("recipe a { require { <|>", r#"Metric "" of """#),
        ("recipe a { require { size <|>", r#"MetricCompared "" of """#),
        ("recipe a { require { size <= <|>", r#"Value(Bound("size")) "" of """#),
        ("recipe a { require { size <= 3 <|>", r#"Unit { slot: Bound("size"), percent: false } "" of """#),
        ("recipe a { require { size <= 3 M<|>", r#"Unit { slot: Bound("size"), percent: false } "M" of "M""#),
        ("recipe a { require { size <= 50% <|>", r#"Unit { slot: Bound("size"), percent: true } "" of """#),
        ("recipe a { require { size <= 50% of <|>", r#"Value(Share("size")) "" of """#),
        ("recipe a { require { size <= 3 MB; <|>", r#"Metric "" of """#),
    ]);
}

#[test]
fn patterns() {
    check(&[
        ("recipe a { assign { <|>", r#"Segment("", true, of: Arm) "" of """#),
        ("recipe a { assign { layers.*.mo<|>", r#"Segment("layers.*", false, of: Arm) "mo" of "mo""#),
        ("recipe a { assign { layers.<|>", r#"Segment("layers", false, of: Arm) "" of """#),
        ("recipe a { assign { layers.*<|>", r#"Segment("layers", false, of: Arm) "*" of "*""#),
        ("recipe a { assign { layers.*_p<|>j-x* ", r#"Segment("layers", false, of: Arm) "*_p" of "*_pj-x*""#),
        (
            "recipe a { assign { a.w{1,<|>",
            r#"Segment("a", braces: Some(("w", ["1"])), alone: false, of: Arm) "" of """#,
        ),
        ("recipe a { assign { a.{w1,w2}<|>", r#"Nothing "" of """#),
        ("recipe a { assign { a.{w1,w2}.<|>", r#"Segment("a.{w1,w2}", false, of: Arm) "" of """#),
        (
            "recipe a { assign { {a,<|>",
            r#"Segment("", braces: Some(("", ["a"])), alone: false, of: Arm) "" of """#,
        ),
        ("recipe a { assign { a | b.<|>", r#"Segment("b", false, of: Arm) "" of """#),
        ("recipe a { assign { a | <|>", r#"Segment("", false, of: Arm) "" of """#),
        ("recipe a { assign { @<|>", r#"Role "" of """#),
        ("recipe a { assign { @no<|>", r#"Role "no" of "no""#),
        ("recipe a { assign { @norm <|>", r#"AfterPattern { filter: true } "" of """#),
        ("recipe a { assign { ** <|>", r#"AfterPattern { filter: true } "" of """#),
        ("recipe a { assign { ** wh<|>", r#"AfterPattern { filter: true } "wh" of "wh""#),
        ("recipe a { assign { ** where <|>", r#"Subject "" of """#),
        ("recipe a { assign { ** where rank <|>", r#"SubjectCompared("rank") "" of """#),
        ("recipe a { assign { ** where dtype == <|>", r#"SubjectValue("dtype") "" of """#),
        ("recipe a { assign { ** where rank == 2 <|>", r#"AfterCondition "" of """#),
        ("recipe a { assign { ** where rank == 2 and no<|>", r#"Subject "no" of "no""#),
        ("recipe a { assign { ** where dim(0) <|>", r#"SubjectCompared("dim") "" of """#),
        ("recipe a { assign { ** where (rank == 1 or <|>", r#"Subject "" of """#),
        ("recipe a { assign { ** where bytes > 3 M<|>", r#"Unit { slot: Bare, percent: false } "M" of "M""#),
        ("recipe a { assign { ** where rank == 2 except <|>", r#"Segment("", false, of: Arm) "" of """#),
        ("recipe a { assign { ** except a.<|>", r#"Segment("a", false, of: Arm) "" of """#),
        ("recipe a { assign { where.use.<|>", r#"Segment("where.use", false, of: Arm) "" of """#),
        ("recipe a { assign { a =><|>", r#"Format "" of """#),
        ("recipe a { assign { // lay<|>", r#"Nothing "" of """#),
        ("recipe a { assign { /<|>/ x", r#"Nothing "" of """#),
        ("recipe a { assign { \"lay<|>", r#"Nothing "" of """#),
        ("recipe a { assign { a.\"x y\".<|>", r#"Segment("a.\"x y\"", false, of: Arm) "" of """#),
        ("recipe a { assign { é.<|>", r#"Segment("é", false, of: Arm) "" of """#),
    ]);
}

#[test]
fn arms_and_formats() {
    check(&[
        (
            "recipe a { assign { layers.*.mo<|>\n  _ => fp16,\n } }",
            r#"Segment("layers.*", false, of: Arm) "mo" of "mo""#,
        ),
        ("recipe a { assign { lay<|>ers.0 => fp16 } }", r#"Segment("", true, of: Arm) "lay" of "layers""#),
        (
            "recipe a { assign { layers.{0,<|>} => fp16 } }",
            r#"Segment("layers", braces: Some(("", ["0"])), alone: false, of: Arm) "" of """#,
        ),
        (
            "recipe a { assign { a.{w1,w<|>2}.weight => fp16",
            r#"Segment("a", braces: Some(("", ["w1"])), alone: false, of: Arm) "w" of "w2""#,
        ),
        ("recipe a { assign { a => <|>", r#"Format "" of """#),
        ("recipe a { assign { a => nf<|>", r#"Format "nf" of "nf""#),
        ("recipe a { assign { a => fp16 <|>", r#"Nothing "" of """#),
        ("recipe a { assign { a => fp16\n <|>", r#"Segment("", true, of: Arm) "" of """#),
        ("recipe a { assign { a => fp16, <|> } }", r#"Segment("", true, of: Arm) "" of """#),
        ("recipe a { assign { a => nf4(<|>", r#"Argument "" of """#),
        ("recipe a { assign { a => nf4(bl<|>", r#"Argument "bl" of "bl""#),
        ("recipe a { assign { a => nf4(block: <|>", r#"Value(Argument("block")) "" of """#),
        ("recipe a { assign { a => nf4(block: 64, <|>)", r#"Argument "" of """#),
        (
            "recipe a { assign { a => nf4(block: 64,\n b.<|>c => fp16,",
            r#"Segment("b", false, of: Arm) "" of "c""#,
        ),
        ("recipe a { assign { a => int8(clip: percentile(<|>", r#"Argument "" of """#),
        ("recipe a { assign { a => int8(clip: percentile(99.9%), <|>", r#"Argument "" of """#),
        ("recipe a { assign { a => int8(per: block <|>", r#"Nothing "" of """#),
        ("recipe a { assign { a => int8(per: block 6<|>", r#"Nothing "6" of "6""#),
        ("recipe a { assign { a => fp16\n calibrate { <|>", r#"Argument "" of """#),
        ("recipe a { assign { _ => fp16 }\n\n<|>", r#"RecipeItem "" of """#),
        ("recipe a { assign { x => nf4(block: 64\nrecipe b { <|>", r#"RecipeItem "" of """#),
        ("recipe a { assign { _ => fp16 } } }\n<|>", r#"Item "" of """#),
    ]);
}

#[test]
fn architectures() {
    check(&[
        ("arch a { <|>", r#"ArchItem "" of """#),
        ("arch a { x.weight : [<|>", r#"ArchDim "" of """#),
        ("arch a { x : [2 * <|>", r#"ArchDim "" of """#),
        ("arch a { x : [a] @<|>", r#"Role "" of """#),
        ("arch a { layers[i] { <|>", r#"ArchItem "" of """#),
        ("arch a { recurrent <|>", r#"ArchDim "" of """#),
        ("arch a { default k: <|>", r#"Kind "" of """#),
        ("arch a { k <= <|>", r#"ArchDim "" of """#),
        ("arch a { forward(x: [a]) { <|>", r#"Forward "" of """#),
        ("arch a { dim b, c; either { <|>", r#"ArchItem "" of """#),
    ]);
}

#[test]
fn calls() {
    let call = |marked: &str| {
        let at = u32::try_from(marked.find("<|>").unwrap()).unwrap();
        let text = marked.replacen("<|>", "", 1);
        cursor(&text, at).call.map(|c| format!("{:?} {:?} {} {:?}", c.callee, c.given, c.position, c.active))
    };
    let arm = |value: &str| call(&format!("recipe a {{ assign {{ x => {value}"));
    assert_eq!(arm("nf4(<|>").unwrap(), r#"Word("nf4") [] 0 None"#);
    assert_eq!(arm("nf4(block: 6<|>4").unwrap(), r#"Word("nf4") [] 0 Some("block")"#);
    assert_eq!(arm("nf4(block: 64, dou<|>").unwrap(), r#"Word("nf4") ["block"] 1 None"#);
    assert_eq!(arm("int8(clip: percentile(9<|>").unwrap(), r#"Word("percentile") [] 0 None"#);
    assert_eq!(arm("int8(clip: percentile(9%), <|>").unwrap(), r#"Word("int8") ["clip"] 1 None"#);
    assert_eq!(arm("nf4(block: 64)<|>"), None);
    assert_eq!(call("recipe a { prune x { keep: 3, <|>").unwrap(), r#"Block("prune") ["keep"] 1 None"#);
    assert_eq!(call("recipe b extends a(clip: <|>").unwrap(), r#"Base("a") [] 0 Some("clip")"#);
    assert_eq!(call("recipe a { require { size <= <|>"), None);
}

/// Every place of every file of the library, and of what is left of it when it is cut there.
#[test]
fn every_byte_has_a_place() {
    for (path, text) in crate::stdlib::files() {
        for at in 0..=text.len() + 2 {
            let offset = u32::try_from(at).unwrap();
            let cut = text.get(..at.min(text.len())).unwrap_or("");
            for text in [text, cut] {
                let found = cursor(text, offset);
                let (start, end) = (found.replace.start as usize, found.replace.end as usize);
                assert!(start <= at && end <= text.len() && text.get(start..end).is_some(), "{path}:{at}");
                assert!(at > text.len() || !text.is_char_boundary(at) || at <= end, "{path}:{at}");
            }
        }
    }
}

/// What is not finished on the line above does not swallow the next.
#[test]
fn unfinished_lines() {
    check(&[
        ("recipe a { assign {\n a.b\n c.<|>", r#"Segment("c", false, of: Arm) "" of """#),
        ("recipe a { assign {\n a.\n <|>", r#"Segment("", true, of: Arm) "" of """#),
        ("recipe a { assign {\n a |\n c.<|>", r#"Segment("c", false, of: Arm) "" of """#),
        ("recipe a { assign {\n a where rank ==\n <|>", r#"SubjectValue("rank") "" of """#),
        ("recipe a { assign {\n a =>\n <|>", r#"Format "" of """#),
        ("recipe a { assign {\n a =>\n b.<|> => fp16", r#"Segment("b", false, of: Arm) "" of """#),
        ("recipe a { require {\n size\n me<|>", r#"Metric "me" of "me""#),
        ("recipe a { require {\n size <=\n me<|>", r#"Metric "me" of "me""#),
        ("recipe a { calibrate {\n data:\n batch: <|>", r#"Value(Argument("batch")) "" of """#),
        ("recipe a {\n target\n ass<|>", r#"RecipeItem "ass" of "ass""#),
        ("recipe a {\n emit \"x\"\n as <|>", r#"Container "" of """#),
        ("recipe a {\n prune a.b\n ass<|>", r#"AfterPattern { filter: true } "ass" of "ass""#),
        ("recipe a {\n prune a.b\n assign { <|>", r#"Segment("", true, of: Arm) "" of """#),
        ("arch a {\n x : [b] @norm\n <|>", r#"ArchItem "" of """#),
        ("arch a {\n recurrent b\n default k: <|>", r#"Kind "" of """#),
        ("const a = 3\nrec<|>", r#"Item "rec" of "rec""#),
        ("use \"a.icp\"\n<|>", r#"Item "" of """#),
    ]);
}
