//! Expectations: one line that must be true of what a compiler says.

use super::compiler::Checked;
use crate::base::human_bytes;

/// Decides one line: `size <= 3 MB`, `compression >= 3x`, `error NAME`, `warning NAME`, `no error`, `no warning`.
///
/// # Errors
/// Why it is not true, or that the line means nothing.
pub fn unmet(line: &str, checked: &Checked) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let failed = |fact: String| Err(format!("expected `{line}`, but {fact}"));
    match words.as_slice() {
        ["no", level @ ("error" | "warning")] => match checked.found.iter().find(|f| f.level == *level) {
            Some(found) => failed(format!("there is the {level} `{}`", found.name)),
            None => Ok(()),
        },
        [level @ ("error" | "warning"), name] => {
            if checked.found.iter().any(|f| f.level == *level && f.name == *name) {
                return Ok(());
            }
            let mut names: Vec<&str> = checked.found.iter().map(|f| f.name.as_str()).collect();
            names.dedup();
            failed(if names.is_empty() {
                "nothing is said".into()
            } else {
                format!("found: {}", names.join(", "))
            })
        }
        ["size", op @ ("<=" | ">="), bound @ ..] => {
            let Some(bound) = bytes(&bound.concat()) else { return Err(meaningless(line)) };
            plans(checked, line, |_, stored| {
                let holds = if *op == "<=" { stored as f64 <= bound } else { stored as f64 >= bound };
                (holds, format!("{} are stored", human_bytes(stored)))
            })
        }
        ["compression", op @ ("<=" | ">="), bound] => {
            let Some(bound) = bound.strip_suffix('x').and_then(|b| b.parse::<f64>().ok()) else {
                return Err(meaningless(line));
            };
            plans(checked, line, |source, stored| {
                let ratio = source as f64 / (stored as f64).max(1.0);
                (if *op == "<=" { ratio <= bound } else { ratio >= bound }, format!("it is {ratio:.3}x"))
            })
        }
        _ => Err(meaningless(line)),
    }
}

fn plans(checked: &Checked, line: &str, holds: impl Fn(u64, u64) -> (bool, String)) -> Result<(), String> {
    if checked.sizes.is_empty() {
        return Err(format!("expected `{line}`, but there is no plan"));
    }
    match checked.sizes.iter().map(|(source, stored)| holds(*source, *stored)).find(|(holds, _)| !holds) {
        Some((_, fact)) => Err(format!("expected `{line}`, but {fact}")),
        None => Ok(()),
    }
}

/// `3MB` in bytes, with the units of the language.
fn bytes(text: &str) -> Option<f64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

fn meaningless(line: &str) -> String {
    format!(
        "`{line}` is no expectation: write `size <= 3 MB`, `compression >= 3x`, `error NAME`, `warning NAME`, \
         `no error` or `no warning`"
    )
}

#[cfg(test)]
mod tests {
    use super::super::compiler::Found;
    use super::*;

    #[test]
    fn expectations() {
        let found = Found {
            name: "unmatched-pattern".into(),
            level: "error".into(),
            code: String::new(),
            wording: Vec::new(),
        };
        let checked =
            Checked { found: vec![found], sizes: vec![(9_000_000, 3_000_000)], ..Checked::default() };
        for line in
            ["size <= 3 MB", "size >= 1MiB", "compression >= 3x", "error unmatched-pattern", "no warning"]
        {
            assert_eq!(unmet(line, &checked), Ok(()));
        }
        let said = |line| unmet(line, &checked).unwrap_err();
        insta::assert_snapshot!(said("size <= 2.9 MB"), @"expected `size <= 2.9 MB`, but 3.00 MB are stored");
        insta::assert_snapshot!(said("compression >= 4x"), @"expected `compression >= 4x`, but it is 3.000x");
        insta::assert_snapshot!(said("error tie-conflict"), @"expected `error tie-conflict`, but found: unmatched-pattern");
        insta::assert_snapshot!(said("no error"), @"expected `no error`, but there is the error `unmatched-pattern`");
        insta::assert_snapshot!(said("small"), @"`small` is no expectation: write `size <= 3 MB`, `compression >= 3x`, `error NAME`, `warning NAME`, `no error` or `no warning`");
    }
}
