//! Marked places in files of the editors.

use super::lists::List;

/// Columns that generated lines keep to.
const WIDTH: usize = 100;

/// How a kind of file writes comments and lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Tree-sitter queries.
    Query,
    /// Vim script.
    Vim,
    /// Emacs Lisp.
    Lisp,
    /// TextMate grammars.
    Json,
}

impl Syntax {
    /// By the file's extension; `None` for files that cannot have marks.
    pub fn of(path: &str) -> Option<Syntax> {
        match path.rsplit_once('.')?.1 {
            "scm" => Some(Syntax::Query),
            "vim" => Some(Syntax::Vim),
            "el" => Some(Syntax::Lisp),
            "json" => Some(Syntax::Json),
            _ => None,
        }
    }

    /// The list that a line asks for.
    fn mark(self, line: &str) -> Option<&str> {
        let inner = match self {
            Syntax::Json => line.trim().strip_prefix("\"comment\": \"")?.strip_suffix("\",")?,
            Syntax::Vim => line.trim().strip_prefix('"')?.trim_start(),
            Syntax::Query | Syntax::Lisp => {
                line.trim().strip_prefix(';')?.trim_start_matches(';').trim_start()
            }
        };
        inner.strip_prefix("words: ").map(str::trim)
    }
}

/// The text with the words of now in its marked places; without any mark, the text as it is.
///
/// # Errors
/// A mark that names no list or has no end, with its line.
pub fn rewrite(text: &str, syntax: Syntax, lists: &[List]) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().enumerate();
    while let Some((i, line)) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(mark) = syntax.mark(line) else { continue };
        let words = union(mark, lists).map_err(|e| format!("line {}: {e}", i + 1))?;
        let indent = &line[..line.len() - line.trim_start().len()];
        let name = mark.split(" + ").next().unwrap_or(mark);
        let body = match syntax {
            Syntax::Query => wrapped(words.iter().map(|w| format!("\"{w}\"")), indent, indent, ""),
            Syntax::Vim => {
                let first = format!("{indent}let s:{} = [", name.replace('-', "_"));
                wrapped(words.iter().map(|w| format!("'{w}',")), &first, "      \\ ", "]")
            }
            Syntax::Lisp => {
                let first = format!("(defconst icp-{name}\n  '(");
                let body = wrapped(words.iter().map(|w| format!("\"{w}\"")), &first, "    ", ")");
                format!("{body}\n  \"{}.\")", sentence(mark))
            }
            Syntax::Json => {
                let Some((i, old)) = lines.next() else { return Err(format!("line {}: no regex", i + 1)) };
                alternatives(old, &words).ok_or_else(|| format!("line {}: no group `(?:...)`", i + 1))?
            }
        };
        out.push_str(&body);
        out.push('\n');
        if syntax != Syntax::Json {
            let end = lines.find(|(_, line)| syntax.mark(line) == Some("end"));
            let (_, end) = end.ok_or_else(|| format!("line {}: `words: {mark}` has no end", i + 1))?;
            out.push_str(end);
            out.push('\n');
        }
    }
    Ok(out)
}

/// A line with a regex whose first group `(?:...)` holds these words.
fn alternatives(line: &str, words: &[&str]) -> Option<String> {
    let (before, rest) = line.split_once("(?:")?;
    let (_, after) = rest.split_once(')')?;
    Some(format!("{before}(?:{}){after}", words.join("|")))
}

/// Words of `a + b`.
fn union(mark: &str, lists: &[List]) -> Result<Vec<&'static str>, String> {
    let mut out: Vec<&'static str> = Vec::new();
    for name in mark.split(" + ") {
        let list =
            lists.iter().find(|l| l.name == name).ok_or_else(|| format!("no list is called `{name}`"))?;
        for word in &list.words {
            if !out.contains(word) {
                out.push(word);
            }
        }
    }
    Ok(out)
}

/// Words in lines of at most [`WIDTH`] columns: `first` before them, `next` before each further line, `last` behind.
fn wrapped(words: impl Iterator<Item = String>, first: &str, next: &str, last: &str) -> String {
    let mut out = first.to_owned();
    let mut column = first.rsplit('\n').next().unwrap_or("").len();
    for (i, word) in words.enumerate() {
        if i > 0 && column + 1 + word.len() + last.len() > WIDTH {
            out.push('\n');
            out.push_str(next);
            column = next.len();
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word);
        column += word.len();
    }
    out + last
}

/// `The formats` for `formats`, for a docstring.
fn sentence(mark: &str) -> String {
    let names: Vec<String> = mark.split(" + ").map(|n| n.replace('-', " ")).collect();
    format!("The {} of icp, from the compiler's table", names.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Vec<List> {
        let many = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen";
        let many: Vec<&'static str> = many.split(' ').collect();
        vec![List { name: "few", words: vec!["one", "two"] }, List { name: "many-words", words: many }]
    }

    #[test]
    fn every_kind_of_file_gets_its_list() {
        let scm = "(a (#any-of? @a\n  ; words: few\n  old\n  ; words: end\n))\n";
        let vim = "\" words: many-words\n\" words: end\nrest\n";
        let el = ";; words: few\n;; words: end\n";
        let json = "{\n  \"comment\": \"words: few + many-words\",\n  \"match\": \"\\\\b(?:)\\\\b\",\n  \"x\": 1\n}\n";
        let all = [(scm, Syntax::Query), (vim, Syntax::Vim), (el, Syntax::Lisp), (json, Syntax::Json)];
        let shown: Vec<String> = all.iter().map(|(t, s)| rewrite(t, *s, &lists()).unwrap()).collect();
        insta::assert_snapshot!(shown.join("---\n"), @r#"
        (a (#any-of? @a
          ; words: few
          "one" "two"
          ; words: end
        ))
        ---
        " words: many-words
        let s:many_words = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten',
              \ 'eleven', 'twelve', 'thirteen', 'fourteen', 'fifteen',]
        " words: end
        rest
        ---
        ;; words: few
        (defconst icp-few
          '("one" "two")
          "The few of icp, from the compiler's table.")
        ;; words: end
        ---
        {
          "comment": "words: few + many-words",
          "match": "\\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen)\\b",
          "x": 1
        }
        "#);
        for (text, syntax) in all {
            let once = rewrite(text, syntax, &lists()).unwrap();
            assert_eq!(rewrite(&once, syntax, &lists()).unwrap(), once, "written twice, changed once");
        }
    }

    #[test]
    fn wrong_marks_say_where() {
        let wrong = |text: &str| rewrite(text, Syntax::Query, &lists()).unwrap_err();
        assert_eq!(wrong("\n; words: fwe\n; words: end\n"), "line 2: no list is called `fwe`");
        assert_eq!(wrong("; words: few\n"), "line 1: `words: few` has no end");
    }
}
