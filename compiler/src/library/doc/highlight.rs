//! Code with colours, and with links from names to what they name.

use super::{Book, escape};
use crate::base::Span;
use crate::syntax::part::{Part, Token, parts};
use crate::syntax::tree;

/// Words whose place the tree does not keep.
const WORDS: [&str; 10] = ["where", "for", "as", "except", "and", "or", "not", "of", "in", "extends"];

/// Bytes `span` of a file as HTML, seen from the page at `from`.
pub(super) fn code(book: &Book<'_>, from: &str, file: &str, span: Span) -> String {
    let (Some(text), Some(tree)) = (book.session.text(file), book.session.tree(file)) else {
        return String::new();
    };
    let mut tokens: Vec<Part<'_>> = parts(&tree);
    tokens.retain(|part| !part.span.is_empty() && span.start <= part.span.start && part.span.end <= span.end);
    // Of those that nest, the inner ones.
    tokens.sort_by_key(|part| (part.span.start, part.span.end));
    let piece = |start: u32, end: u32| text.get(start as usize..end as usize).unwrap_or("");
    let (mut out, mut at) = (String::new(), span.start);
    for part in &tokens {
        if part.span.start < at {
            continue;
        }
        plain(&mut out, piece(at, part.span.start));
        let shown = escape(piece(part.span.start, part.span.end));
        let shown = format!("<span class=\"{}\">{shown}</span>", class(&part.token));
        out.push_str(&match target(book, from, file, part) {
            Some(to) => format!("<a href=\"{}\">{shown}</a>", escape(&to)),
            None => shown,
        });
        at = part.span.end;
    }
    plain(&mut out, piece(at, span.end));
    out
}

fn class(token: &Token<'_>) -> &'static str {
    match token {
        Token::Keyword(_) => "kw",
        Token::Declared(..) => "de",
        Token::Import(_) | Token::Imported(..) | Token::Base(_) | Token::ArchName(_) => "na",
        Token::Callee(_) | Token::Kind(_) => "fo",
        Token::Number(_) => "nu",
        Token::Text(_) => "st",
        Token::Role(_) => "ro",
        Token::Segment(..) | Token::Alternative(_) | Token::TensorName(_) => "pa",
        _ => "wo",
    }
}

/// What stands between tokens: comments, and keywords of which the tree keeps no place.
fn plain(out: &mut String, text: &str) {
    for line in text.split_inclusive('\n') {
        let (code, comment) = line.split_at(line.find("//").unwrap_or(line.len()));
        let mut word = String::new();
        for c in code.chars().chain([' ']) {
            if c.is_alphanumeric() || c == '_' {
                word.push(c);
                continue;
            }
            match WORDS.contains(&word.as_str()) {
                true => out.push_str(&format!("<span class=\"kw\">{word}</span>")),
                false => out.push_str(&escape(&word)),
            }
            word.clear();
            out.push_str(&escape(c.encode_utf8(&mut [0; 4])));
        }
        // The space that ended the last word.
        out.pop();
        if !comment.is_empty() {
            let (comment, end) = comment.split_at(comment.trim_end_matches('\n').len());
            out.push_str(&format!("<span class=\"co\">{}</span>{end}", escape(comment)));
        }
    }
}

/// Where a name leads: to the page of a file, or to an item on one.
fn target(book: &Book<'_>, from: &str, file: &str, part: &Part<'_>) -> Option<String> {
    if let Token::Import(u) = part.token {
        return book.link(from, &book.session.import_path(file, &u.from), None);
    }
    if matches!(part.token, Token::Declared(..) | Token::Argument(_) | Token::Dim(_) | Token::Setting(_)) {
        return None;
    }
    let name = part.token.name()?;
    if let Token::Word(_) = part.token {
        // A parameter hides a const of its name.
        let tree = book.session.tree(file)?;
        if let Some(tree::Item::Recipe(recipe)) = tree.items.get(part.item)
            && recipe.params.iter().any(|p| p.name.text == name)
        {
            return None;
        }
    }
    let item = book.session.visible(file)?.items.get(name).cloned()?;
    if matches!(part.token, Token::Word(_)) && !matches!(item.tree, tree::Item::Const(_)) {
        return None;
    }
    book.link(from, &item.file, Some(name))
}
