//! Sections and fenced blocks of a Markdown text; just as much Markdown as the tests are written in.

use std::collections::BTreeMap;
use std::ops::Range;

/// A Markdown text and its parts.
#[derive(Clone, Debug)]
pub struct Document {
    /// Path to show.
    pub path: String,
    /// All of it.
    pub text: String,
    /// The part above the first `##` first, with the title of the `#` line.
    pub sections: Vec<Section>,
    /// Fenced blocks, top to bottom.
    pub blocks: Vec<Block>,
}

/// A heading and what is below it.
#[derive(Clone, Debug)]
pub struct Section {
    /// Without the `#`s.
    pub title: String,
    /// From 1; 1 for what is above the first heading.
    pub line: usize,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// First word of the info string; may be empty.
    pub kind: String,
    /// `name=value` words behind it.
    pub attributes: BTreeMap<String, String>,
    /// Bytes between the fences, the last newline included.
    pub body: Range<usize>,
    /// Index into [`Document::sections`].
    pub section: usize,
    /// Line of the opening fence, from 1.
    pub line: usize,
}

impl Document {
    /// Finds sections and blocks. Fences are three or more backticks at the start of a line.
    ///
    /// # Errors
    /// A block that is not closed.
    pub fn parse(path: &str, text: &str) -> Result<Document, String> {
        let mut out = Document {
            path: path.to_owned(),
            text: text.to_owned(),
            sections: vec![Section { title: String::new(), line: 1 }],
            blocks: Vec::new(),
        };
        let mut open: Option<(String, Block)> = None;
        let mut offset = 0;
        for (i, line) in text.split_inclusive('\n').enumerate() {
            let start = offset;
            offset += line.len();
            let trimmed = line.trim_end();
            let ticks = trimmed.len() - trimmed.trim_start_matches('`').len();
            match open.take() {
                Some((fence, mut block)) if trimmed == fence => {
                    block.body.end = start;
                    out.blocks.push(block);
                }
                Some(inside) => open = Some(inside),
                None if ticks >= 3 => {
                    let (fence, info) = trimmed.split_at(ticks);
                    let mut words = info.split_whitespace();
                    let kind = words.next().unwrap_or("").to_owned();
                    let attributes = words.filter_map(|w| w.split_once('='));
                    let block = Block {
                        kind,
                        attributes: attributes.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
                        body: offset..offset,
                        section: out.sections.len() - 1,
                        line: i + 1,
                    };
                    open = Some((fence.to_owned(), block));
                }
                None => out.heading(trimmed, i + 1),
            }
        }
        match open {
            Some((_, block)) => Err(format!("{path}:{}: this block is not closed", block.line)),
            None => Ok(out),
        }
    }

    fn heading(&mut self, line: &str, number: usize) {
        if let Some(title) = line.strip_prefix("# ")
            && let Some(first) = self.sections.first_mut()
            && first.title.is_empty()
        {
            first.title = title.trim().to_owned();
        } else if let Some(title) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            self.sections.push(Section { title: title.trim().to_owned(), line: number });
        }
    }

    /// Text between the fences.
    pub fn body(&self, block: &Block) -> &str {
        self.text.get(block.body.clone()).unwrap_or("")
    }

    /// The text with other bodies in some blocks (by index, ascending).
    pub fn with_bodies(&self, bodies: &[(usize, String)]) -> String {
        let mut text = self.text.clone();
        for (index, body) in bodies.iter().rev() {
            if let Some(block) = self.blocks.get(*index) {
                let newline = if body.is_empty() || body.ends_with('\n') { "" } else { "\n" };
                text.replace_range(block.body.clone(), &format!("{body}{newline}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# top\n```listing file=a.pt\nx\n```\n## one\nprose\n````icp\n```\n````\n## two\n```plan\n```\n";

    #[test]
    fn blocks_know_their_sections() {
        let d = Document::parse("a.md", TEXT).unwrap();
        let shown: Vec<String> = d
            .blocks
            .iter()
            .map(|b| {
                format!("{}: {} {:?} {:?}", d.sections[b.section].title, b.kind, b.attributes, d.body(b))
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        top: listing {"file": "a.pt"} "x\n"
        one: icp {} "```\n"
        two: plan {} ""
        "#);
        assert!(Document::parse("a.md", "```\n").unwrap_err().contains("a.md:1"));
    }

    #[test]
    fn bodies_are_replaced_in_place() {
        let d = Document::parse("a.md", TEXT).unwrap();
        let new = d.with_bodies(&[(0, "y\nz".to_owned()), (2, "p\n".to_owned())]);
        assert_eq!(new, TEXT.replace("\nx\n", "\ny\nz\n").replace("```plan\n", "```plan\np\n"));
    }
}
