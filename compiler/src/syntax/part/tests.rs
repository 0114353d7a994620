use super::*;

fn shown(text: &str) -> String {
    let offset = u32::try_from(text.find("<|>").unwrap()).unwrap();
    let text = text.replace("<|>", "");
    let file = super::super::parse(&text);
    part_at(&file, offset).map_or("nothing".to_owned(), |part| {
        let token = format!("{:?}", part.token);
        let kind = token.split(['(', ' ']).next().unwrap().to_owned();
        format!("{kind} `{}` {:?} {:?}", &text[part.span.range()], part.callee, part.field)
    })
}

#[test]
fn tokens_know_where_they_stand() {
    let arm = |format: &str| shown(&format!("recipe r {{ assign {{ a.*.b => {format} }} }}"));
    assert_eq!(arm("n<|>f4(block: 64)"), "Callee `nf4` None None");
    assert_eq!(arm("nf4(<|>block: 64)"), "Field `block` Some(\"nf4\") None");
    assert_eq!(arm("nf4(block: 6<|>4)"), "Number `64` Some(\"nf4\") Some(\"block\")");
    assert_eq!(arm("int8(per: block 64<|>)"), "Number `64` Some(\"int8\") Some(\"block\")");
    assert_eq!(arm("int8(clip: percentile(<|>c))"), "Word `c` Some(\"percentile\") None");
    assert_eq!(arm("<|>fp16"), "Word `fp16` None None");
    assert_eq!(shown("recipe r { assign { a.<|>*.b => keep } }"), "Segment `*` None None");
    assert_eq!(shown("recipe r { assign { a<|>.b => keep } }"), "Alternative `a.b` None None");
    assert_eq!(shown("recipe r { assign { ** where ra<|>nk == 1 => keep } }"), "Subject `rank` None None");
    assert_eq!(shown("use std::ar<|>ch::llama;"), "Import `arch` None None");
    assert_eq!(shown("use std::arch::ll<|>ama;"), "Imported `llama` None None");
    assert_eq!(shown("recipe a ext<|>ends b {}"), "Keyword `extends` None None");
    assert_eq!(shown("arch a { dim x; w : [2 * <|>x] @norm; }"), "Dim `x` None None");
    assert_eq!(shown("arch a { dim x; <|>w : [2 * x] @norm; }"), "TensorName `w` None None");
    assert_eq!(shown("<|>"), "nothing");
    assert_eq!(shown("recipe r { assign { a.b => <|> } }"), "nothing");
}
