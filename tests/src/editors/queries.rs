//! Queries of the editors that are copies of the grammar's own, with the editor's names for what they capture.

/// Who names captures in their own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Editor {
    /// The names that the grammar's own queries have.
    Neovim,
    /// <https://docs.helix-editor.com/themes.html>
    Helix,
    /// <https://zed.dev/docs/extensions/languages>
    Zed,
}

/// Folder of the queries that are copied.
const SOURCE: &str = "editors/tree-sitter-icp/queries";

/// Name here, in Helix, in Zed; a name that is missing is the same everywhere.
const CAPTURES: &[(&str, &str, &str)] = &[
    ("boolean", "constant.builtin.boolean", "boolean"),
    ("character.special", "operator", "operator"),
    ("comment.documentation", "comment.block.documentation", "comment.doc"),
    ("module", "namespace", "namespace"),
    ("number", "constant.numeric", "number"),
    ("property", "variable.other.member", "property"),
    ("string.escape", "constant.character.escape", "string.escape"),
    ("type.unit", "constant.numeric", "number"),
    ("variable.builtin", "variable.builtin", "variable.special"),
    ("variable.member", "variable.other.member", "variable"),
];

/// A query file that is written from another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// File that is read, from the top of the repository.
    pub from: String,
    /// File that is written.
    pub to: String,
    /// Whose names it has.
    pub editor: Editor,
}

/// All copies.
pub fn copies() -> Vec<Copy> {
    let mut out = Vec::new();
    let mut copy = |folder: &str, editor: Editor, names: &[&str]| {
        for name in names {
            let (from, to) = (format!("{SOURCE}/{name}.scm"), format!("{folder}/{name}.scm"));
            out.push(Copy { from, to, editor });
        }
    };
    let all = ["highlights", "folds", "indents", "injections", "locals"];
    copy("editors/neovim/queries/icp", Editor::Neovim, &all);
    copy("editors/helix/queries/icp", Editor::Helix, &["highlights", "injections", "locals"]);
    copy("editors/zed/languages/icp", Editor::Zed, &["highlights", "injections"]);
    out
}

/// The text for an editor.
pub fn translate(copy: &Copy, text: &str) -> String {
    let renamed: Vec<String> = text.lines().map(|line| captures(line, copy.editor)).collect();
    let body = renamed.join("\n");
    // Notes above the first query are about the source.
    let start =
        body.split("\n\n").next().filter(|head| head.lines().all(|l| l.starts_with(';'))).map_or(0, str::len);
    let rest = body.get(start..).unwrap_or("").trim_start();
    format!("; Written from {}; change that file.\n\n{rest}\n", copy.from)
}

/// One line with the captures renamed. Strings are passed over: they hold no `@`.
fn captures(line: &str, editor: Editor) -> String {
    let mut out = String::with_capacity(line.len());
    for (i, part) in line.split('@').enumerate() {
        if i == 0 || line.trim_start().starts_with(';') {
            out.push_str(if i == 0 { "" } else { "@" });
            out.push_str(part);
            continue;
        }
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        let theirs =
            CAPTURES.iter().find(|(ours, ..)| *ours == name).map(|(ours, helix, zed)| match editor {
                Editor::Neovim => ours,
                Editor::Helix => helix,
                Editor::Zed => zed,
            });
        out.push('@');
        out.push_str(theirs.unwrap_or(&name));
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_get_the_names_of_the_editor() {
        let line = "(role \"@\" @attribute (a) @number (#any-of? @number \"x\")) ; @number";
        let query = "; about the source\n; more\n\n; about @number\n(b) @variable.member\n";
        let shown: Vec<String> = [Editor::Neovim, Editor::Helix, Editor::Zed]
            .map(|editor| {
                let copy = Copy { from: "a.scm".to_owned(), to: "b.scm".to_owned(), editor };
                format!("{}\n{}", captures(line, editor), translate(&copy, query))
            })
            .to_vec();
        insta::assert_snapshot!(shown.join("---\n"), @r#"
        (role "@" @attribute (a) @number (#any-of? @number "x")) ; @number
        ; Written from a.scm; change that file.

        ; about @number
        (b) @variable.member
        ---
        (role "@" @attribute (a) @constant.numeric (#any-of? @constant.numeric "x")) ; @constant.numeric
        ; Written from a.scm; change that file.

        ; about @number
        (b) @variable.other.member
        ---
        (role "@" @attribute (a) @number (#any-of? @number "x")) ; @number
        ; Written from a.scm; change that file.

        ; about @number
        (b) @variable
        "#);
    }
}
