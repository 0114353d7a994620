//! Architectures.

use super::inline::words;
use super::recipe::kind;
use super::rows::{Row, columns};
use super::{Formatter, WIDTH};
use crate::base::Span;
use crate::syntax::print::{arch_path_text, dim_text};
use crate::syntax::tree::{Arch, ArchItem, Ident, TensorDecl};

impl Formatter<'_> {
    pub(super) fn arch(&mut self, arch: &Arch, next: usize) {
        let open = self.find(arch.name.span.range().end, arch.span.range().end, ['{']);
        let close = arch.span.range().end - 1;
        let head = format!("arch {}", arch.name.text);
        self.block(head, arch.span.range().start, open, close, next, |f, close| {
            f.arch_items(&arch.items, close)
        });
    }

    fn arch_items(&mut self, items: &[ArchItem], close: usize) {
        for (i, item) in items.iter().enumerate() {
            let next = items.get(i + 1).map_or(close, |n| item_span(n).range().start);
            self.leading(item_span(item).range().start);
            self.arch_item(item, next);
        }
    }

    fn arch_item(&mut self, item: &ArchItem, next: usize) {
        match item {
            ArchItem::Dims { names, span } => self.name_list("dim", names, *span, next),
            ArchItem::Property { keyword, names, span } => self.name_list(&keyword.text, names, *span, next),
            ArchItem::Tensor(tensor) => self.tensor(tensor, next),
            ArchItem::Block { path, items, span } => {
                let end = path.last().map_or(span.range().start, |s| s.span.range().end);
                let (open, close) = (self.find(end, span.range().end, ['{']), span.range().end - 1);
                let body = |f: &mut Self, close| f.arch_items(items, close);
                self.block(arch_path_text(path), span.range().start, open, close, next, body);
            }
            ArchItem::Either { branches, span } => self.either(branches, *span, next),
            ArchItem::Tie { alias, target, span } => {
                let line = format!("{} = {};", arch_path_text(alias), arch_path_text(target));
                self.row(*span, next, Row::cells([line]));
            }
            ArchItem::Bound { name, op, bound, span } => {
                let line = format!("{} {} {};", name.text, op.symbol(), dim_text(bound));
                self.row(*span, next, Row::cells([line]));
            }
            ArchItem::Default { name, kind: k, value, bound, config_keys, span } => {
                let mut line = format!("default {}{} = {}", name.text, kind(k.as_ref()), self.value(value));
                if let Some((op, bound)) = bound {
                    line.push_str(&format!(" {} {}", op.symbol(), dim_text(bound)));
                }
                if !config_keys.is_empty() {
                    line.push_str(&format!(" from {}", words(config_keys)));
                }
                line.push(';');
                self.row(*span, next, Row::cells([line]));
            }
            ArchItem::Forward { text, span } => {
                // Its comments are part of its text.
                self.leading(span.range().start);
                self.comments.skip(span.range().end);
                self.row(*span, next, Row::lines(indent_code(text)));
            }
        }
    }

    /// `dim a, b, c;` in as many lines as it needs.
    fn name_list(&mut self, keyword: &str, names: &[Ident], span: Span, next: usize) {
        let room = WIDTH.saturating_sub(self.indent * 4);
        let mut lines = vec![keyword.to_owned()];
        for (i, name) in names.iter().enumerate() {
            let end = if i + 1 < names.len() { "," } else { ";" };
            match lines.last_mut() {
                Some(line) if columns(line) + columns(&name.text) + 2 <= room || i == 0 => {
                    line.push_str(&format!(" {}{end}", name.text));
                }
                _ => lines.push(format!("    {}{end}", name.text)),
            }
        }
        self.row(span, next, Row::lines(lines));
    }

    fn tensor(&mut self, tensor: &TensorDecl, next: usize) {
        let path = arch_path_text(&tensor.path) + if tensor.optional { "?" } else { "" };
        let shape: Vec<String> = tensor.shape.iter().map(dim_text).collect();
        let mut cells = vec![path, format!(": [{}]", shape.join(", "))];
        if !tensor.roles.is_empty() {
            cells.push(tensor.roles.iter().map(|r| format!("@{}", r.text)).collect::<Vec<_>>().join(" "));
        }
        if let Some(last) = cells.last_mut() {
            last.push(';');
        }
        self.row(tensor.span, next, Row::wide(cells));
    }

    fn either(&mut self, branches: &[Vec<ArchItem>], span: Span, next: usize) {
        let mut open = self.find(span.range().start, span.range().end, ['{']);
        let blank = self.blank_above(span.range().start);
        self.push(Row::cells(["either {".to_owned()]).below_blank(blank));
        for (i, branch) in branches.iter().enumerate() {
            let from = branch.last().map_or(open + 1, |item| item_span(item).range().end);
            let close = self.find(from, span.range().end, ['}']);
            self.fill(open, close, |f, close| f.arch_items(branch, close));
            if i + 1 < branches.len() {
                open = self.find(close, span.range().end, ['{']);
                if let Some(row) = self.rows.last_mut() {
                    row.append(" or {");
                }
            } else {
                self.trailing(close + 1, next);
            }
        }
    }
}

/// Code with its lines moved to where its brackets put them; nothing within a line changes.
fn indent_code(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    let (mut depth, mut continues) = (0usize, false);
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            if lines.last().is_some_and(|l| !l.is_empty()) {
                lines.push(String::new());
            }
            continue;
        }
        let code = without_texts(line);
        let closers = code.chars().take_while(|c| matches!(c, '}' | ')' | ']')).count();
        let level = depth.saturating_sub(closers) + usize::from(continues && closers == 0);
        lines.push(format!("{}{line}", " ".repeat(level * 4)));
        for c in code.chars() {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if let Some(last) = code.trim_end().chars().next_back() {
            continues = !matches!(last, ';' | '{' | '}' | ',' | '(' | '[');
        }
    }
    lines
}

/// A line without its comment and with its strings emptied.
fn without_texts(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => drop(chars.next()),
            '"' => in_string = !in_string,
            _ if in_string => {}
            '/' if chars.peek() == Some(&'/') => break,
            c => out.push(c),
        }
    }
    out
}

fn item_span(item: &ArchItem) -> Span {
    match item {
        ArchItem::Tensor(tensor) => tensor.span,
        ArchItem::Dims { span, .. }
        | ArchItem::Block { span, .. }
        | ArchItem::Either { span, .. }
        | ArchItem::Tie { span, .. }
        | ArchItem::Property { span, .. }
        | ArchItem::Bound { span, .. }
        | ArchItem::Default { span, .. }
        | ArchItem::Forward { span, .. } => *span,
    }
}
