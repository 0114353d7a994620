//! A Rust file reduced to its code, for tests that look for words.

use icpc_tests::repository;

/// Folders with Rust of ours.
pub(crate) const FOLDERS: [&str; 5] = ["kernels", "compiler", "lsp", "editors", "tests"];

/// One line of code: number from 1, and text without comments and without the insides of strings.
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: String,
}

/// Every Rust file of ours.
pub(crate) fn rust_files() -> Vec<String> {
    FOLDERS.iter().flat_map(|f| repository::files(f, "rs")).collect()
}

/// Lines of a file of the repository, with its tests.
pub(crate) fn lines(path: &str) -> Vec<Line> {
    strip(&repository::read(path).unwrap())
}

/// Lines of a file up to its `mod tests {`.
pub(crate) fn lines_without_tests(path: &str) -> Vec<Line> {
    let mut lines = lines(path);
    let tests = lines.iter().position(|l| l.text.starts_with("mod tests {"));
    lines.truncate(tests.unwrap_or(lines.len()));
    lines
}

/// Whether `text` has `word` as a whole word; `_` and digits belong to words.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word)
        .any(|(i, _)| !part(text[..i].chars().next_back()) && !part(text[i + word.len()..].chars().next()))
}

/// `file:line` of each line of code in which `found` holds.
pub(crate) fn places(files: &[String], found: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut out = Vec::new();
    for file in files {
        let lines = lines(file);
        out.extend(lines.iter().filter(|l| found(file, &l.text)).map(|l| format!("{file}:{}", l.number)));
    }
    out
}

/// Takes comments out, and what stands between quotes. Good enough for formatted code: it knows line and block comments,
/// strings that go over lines, raw strings and character literals.
fn strip(text: &str) -> Vec<Line> {
    let mut out = vec![Line { number: 1, text: String::new() }];
    let mut rest = text;
    let push = |out: &mut Vec<Line>, text: &str| {
        for c in text.chars() {
            match c {
                '\n' => out.push(Line { number: out.len() + 1, text: String::new() }),
                c => out.last_mut().unwrap().text.push(c),
            }
        }
    };
    let newlines = |text: &str| "\n".repeat(text.matches('\n').count());
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |i| i + 2)
        } else if let Some(end) = raw_string(rest) {
            end
        } else if c == '"' {
            string(rest)
        } else if c == '\'' {
            character(rest)
        } else {
            push(&mut out, &rest[..c.len_utf8()]);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        push(&mut out, &newlines(&rest[..skipped]));
        rest = &rest[skipped..];
    }
    out
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return i + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let behind = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    let body = behind[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&close).map_or(body.len(), |i| i + close.len());
    Some(rest.len() - body.len() + end)
}

/// Length of a character literal; 1 for the apostrophe of a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[2..].find('\'').map_or(1, |i| {
            // `'\''` ends at the second apostrophe.
            if i == 0 { 4 } else { i + 3 }
        }),
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(1, |(i, _)| i + 1),
        None => 1,
    }
}

#[test]
fn only_code_is_left() {
    let text = "let a = \"un\\\"safe\"; // unsafe\n/* unsafe\n */ let b = r#\"un\"safe\n\"#;\nlet c = '\\'';\nfn f<'a>(x: &'a u8) -> char { '\"' } // x\nunsafe {}\n";
    let lines = strip(text);
    let shown: Vec<String> = lines.iter().map(|l| format!("{} {}", l.number, l.text.trim_end())).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    1 let a = ;
    2 
    3  let b =
    4 ;
    5 let c = ;
    6 fn f<a>(x: &a u8) -> char {  }
    7 unsafe {}
    8
    "#);
    assert!(has_word("x.unsafe {", "unsafe") && !has_word("unsafe_code", "unsafe"));
}
