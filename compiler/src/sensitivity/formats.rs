//! Formats on the command line, spelled as in a recipe.

use icpc_kernels::DType;
use icpc_kernels::format::{Format, LayoutError};

use crate::diag::Level;
use crate::hir::Arm;
use crate::session::Session;

/// Formats in a list such as `nf4, int8(per: channel), int4`.
///
/// # Errors
/// A sentence on the first that is none.
pub fn parse(list: &str) -> Result<Vec<Format>, String> {
    split(list).iter().map(|text| one(text)).collect()
}

/// Splits at commas that stand in no parentheses.
fn split(list: &str) -> Vec<String> {
    let (mut out, mut depth) = (vec![String::new()], 0usize);
    for c in list.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                out.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = out.last_mut() {
            last.push(c);
        }
    }
    out.into_iter().map(|text| text.trim().to_owned()).collect()
}

/// One format, read as the arm of a recipe.
fn one(text: &str) -> Result<Format, String> {
    const FILE: &str = "format";
    let mut session = Session::new();
    // Line breaks and braces would make another recipe of it.
    if text.is_empty() || text.contains(|c: char| c.is_control() || "{};/\"".contains(c)) {
        return Err(format!("`{text}` is no format: write one as in a recipe, such as `int8(per: channel)`"));
    }
    session.set_file(FILE, &format!("recipe r {{ assign {{ _ => {text} }} }}"));
    let recipe = session.recipe(FILE, "r");
    let found = session.diagnostics(FILE, None);
    // What does not parse is not what was meant, even where the parser can go on.
    if let Some(first) = found.iter().find(|d| d.kind.code.starts_with("E01")) {
        return Err(format!("`{text}` is no format to try: {}", first.headline));
    }
    match recipe.as_ref().map(|r| r.arms.as_slice()) {
        Some([Arm { format: Some(format), .. }]) if !matches!(format, Format::Keep | Format::Drop) => {
            // Whether a block divides an axis is a question of the tensor; whether there is such a block is none.
            match format.layout(&[4096, 4096], DType::F32) {
                Err(error @ LayoutError::BlockUnsupported { .. }) => {
                    Err(format!("`{text}` is no format to try: {error}"))
                }
                _ => Ok(*format),
            }
        }
        _ => {
            let first = found.iter().find(|d| d.level() == Level::Error);
            let why = first.map_or("it stores nothing differently".to_owned(), |d| d.headline.clone());
            Err(format!("`{text}` is no format to try: {why}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_recipes() {
        let shown: Vec<String> = parse("nf4(block: 64, double: true), int8(per: channel),int4(per: tensor)")
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            ["nf4(block: 64, double: true)", "int8(per: channel, axis: 0)", "int4(per: tensor)"]
        );
    }

    #[test]
    fn what_is_none_is_said() {
        for text in ["int9", "nf4(block: 7)", "keep", "drop", "", "nf4,,int8", "nf4 }", "a => b"] {
            assert!(parse(text).unwrap_err().contains("is no format"), "{text}");
        }
        assert!(parse("int4(per: channel").unwrap_err().contains("is no format"));
    }
}
