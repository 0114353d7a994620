//! The pages: heads, lists of what there is, items.

use super::highlight::code;
use super::markdown::render;
use super::{Book, MARK, escape, in_url};
use crate::base::{Span, count};
use crate::hir::names::join;
use crate::syntax::tree;

/// In every page, so that a page is whole by itself.
const STYLE: &str = "\
    :root { color-scheme: light dark; --line: #8884; --dim: #777; --accent: #2563a8 }\n\
    body { font: 16px/1.5 system-ui, sans-serif; margin: 0; display: grid; grid-template-columns: 14rem minmax(0, 54rem); gap: 2rem }\n\
    nav { padding: 1rem; border-right: 1px solid var(--line); min-height: 100vh; box-sizing: border-box }\n\
    nav ul { list-style: none; padding: 0 } main { padding: 1rem 1rem 4rem }\n\
    h1, h2 { line-height: 1.2 } h2 { border-top: 1px solid var(--line); padding-top: 1rem; margin-top: 2rem }\n\
    h2 small, .dim { color: var(--dim); font-weight: normal } a { color: var(--accent); text-decoration: none }\n\
    a:hover { text-decoration: underline } code, pre { font: 14px/1.5 ui-monospace, monospace }\n\
    pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); border-radius: 4px }\n\
    h1 code { font-size: 1em } pre.head { white-space: pre-wrap } td p { margin: 0 } table { border-collapse: collapse } td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top }\n\
    .kw { color: #8250df } .fo { color: #0a7b6c } .nu, .st { color: #b35900 } .ro { color: #bf3989 } .co { color: var(--dim) }\n\
    .de { font-weight: bold }\n\
    @media (prefers-color-scheme: dark) { :root { --accent: #6cb0f5 } .kw { color: #b392f0 } .fo { color: #56d4bf } .nu, .st { color: #f0a35e } .ro { color: #f778ba } }\n\
    @media (max-width: 50rem) { body { display: block } nav { min-height: 0; border: 0 } }\n";

/// The page of the library.
pub(super) fn index(book: &Book<'_>, readme: Option<&str>) -> String {
    let from = "index.html";
    let manifest = &book.world.manifest;
    let mut body = String::new();
    match readme {
        Some(text) => body.push_str(&render(text, 1, &|link| file_link(book, from, "README.md", link))),
        None => body.push_str(&format!("<h1>{}</h1>\n", escape(&manifest.name))),
    }
    let head = format!("version {}, language {}", escape(&manifest.version), manifest.language);
    body.push_str(&format!("<p class=\"dim\">{head}</p>\n"));
    if !manifest.dependencies.is_empty() {
        let names: Vec<String> =
            manifest.dependencies.keys().map(|name| format!("<code>{}</code>", escape(name))).collect();
        body.push_str(&format!("<p>Needs {}.</p>\n", names.join(", ")));
    }
    body.push_str("<h2>Files</h2>\n<table>\n");
    for file in book.world.recipes.keys() {
        let docs = book.session.module(file).map_or(String::new(), |m| m.docs.clone());
        let first = docs.split("\n\n").next().unwrap_or("");
        let first = render(first, 3, &|link| file_link(book, from, file, link));
        let link = book.link(from, file, None).unwrap_or_default();
        let name = escape(&book.module_name(file));
        body.push_str(&format!(
            "<tr><td><a href=\"{link}\"><code>{name}</code></a></td><td>{first}</td></tr>\n"
        ));
    }
    body.push_str("</table>\n");
    whole(book, from, &manifest.name, &body)
}

/// The page of a file.
pub(super) fn module(book: &Book<'_>, file: &str) -> String {
    let from = book.page(file);
    let name = book.module_name(file);
    let mut body = format!("<h1><code>{}</code></h1>\n", escape(&name));
    let (Some(tree), Some(module)) = (book.session.tree(file), book.session.module(file)) else {
        return whole(book, &from, &name, &body);
    };
    let markdown = |text: &str| render(text, 3, &|link| file_link(book, &from, file, link));
    body.push_str(&markdown(&module.docs));
    if !tree.errors.is_empty() {
        let errors = count(tree.errors.len() as u64, "error");
        body.push_str(&format!(
            "<p class=\"dim\">{errors} of syntax: <code>icpc check</code> shows them.</p>\n"
        ));
    }
    let uses = tree.items.iter().filter_map(|item| match item {
        tree::Item::Use(u) => Some(code(book, &from, file, with_end(book, file, u.span))),
        _ => None,
    });
    let uses: Vec<String> = uses.collect();
    if !uses.is_empty() {
        body.push_str(&format!("<pre>{}</pre>\n", uses.join("\n")));
    }
    for item in &tree.items {
        let (what, name, docs, params, span) = match item {
            tree::Item::Use(_) => continue,
            tree::Item::Const(c) => ("const", &c.name.text, &c.docs, &[][..], c.span),
            tree::Item::Recipe(r) => ("recipe", &r.name.text, &r.docs, r.params.as_slice(), r.span),
            tree::Item::Arch(a) => ("arch", &a.name.text, &a.docs, &[][..], a.span),
            tree::Item::Derive(d) => ("derive", &d.name.text, &d.docs, &[][..], d.span),
        };
        let id = escape(name);
        body.push_str(&format!("<h2 id=\"{id}\"><small>{what}</small> <a href=\"#{id}\">{id}</a></h2>\n"));
        let head = head(book, file, span, what);
        body.push_str(&format!("<pre class=\"head\">{}</pre>\n", code(book, &from, file, head)));
        body.push_str(&markdown(docs));
        body.push_str(&parameters(book, &from, file, params));
        // What stands behind the signature: arms, items, declarations.
        let rest = Span { start: head.end, ..span };
        if what != "const" && !rest.is_empty() {
            body.push_str(&format!("<pre>{}</pre>\n", code(book, &from, file, rest).trim_start()));
        }
    }
    whole(book, &from, &name, &body)
}

/// An item with its `;`, which its span leaves out.
fn with_end(book: &Book<'_>, file: &str, span: Span) -> Span {
    let behind = book.session.text(file).and_then(|t| t.get(span.end as usize..));
    match behind.is_some_and(|b| b.starts_with(';')) {
        true => Span { end: span.end.saturating_add(1), ..span },
        false => span,
    }
}

/// The signature: an item up to its body; all of a const.
fn head(book: &Book<'_>, file: &str, span: Span, what: &str) -> Span {
    if what == "const" {
        return with_end(book, file, span);
    }
    let text = book.session.text(file).and_then(|t| t.get(span.range()));
    let end = text.and_then(|t| t.find('{')).and_then(|n| u32::try_from(n).ok());
    let head = text.zip(end).and_then(|(t, n)| t.get(..n as usize)).map_or(0, |t| t.trim_end().len());
    match u32::try_from(head) {
        Ok(0) | Err(_) => span,
        Ok(n) => Span { end: span.start.saturating_add(n), ..span },
    }
}

fn parameters(book: &Book<'_>, from: &str, file: &str, params: &[tree::Param]) -> String {
    if params.is_empty() {
        return String::new();
    }
    let row = |p: &tree::Param| {
        let kind = p.kind.as_ref().map_or("any", |k| k.text.as_str());
        let default = match &p.default {
            Some(value) => format!("<code>{}</code>", code(book, from, file, value.span)),
            None => "must be given".to_owned(),
        };
        let name = escape(&p.name.text);
        format!("<tr><td><code>{name}</code></td><td>{}</td><td>{default}</td></tr>\n", escape(kind))
    };
    let rows: String = params.iter().map(row).collect();
    format!("<table>\n<tr><th>parameter</th><th>kind</th><th>default</th></tr>\n{rows}</table>\n")
}

/// Where a link in a text of `file` leads: to the page of a file of the library, or to a place on this page.
fn file_link(book: &Book<'_>, from: &str, file: &str, link: &str) -> Option<String> {
    if let Some(item) = link.strip_prefix('#') {
        let known = book.session.tree(file)?.items.iter().any(|i| match i {
            tree::Item::Use(_) => false,
            tree::Item::Const(c) => c.name.text == item,
            tree::Item::Recipe(r) => r.name.text == item,
            tree::Item::Arch(a) => a.name.text == item,
            tree::Item::Derive(d) => d.name.text == item,
        });
        return known.then(|| link.to_owned());
    }
    book.link(from, &join(file, link), None)
}

fn whole(book: &Book<'_>, from: &str, title: &str, body: &str) -> String {
    let up = "../".repeat(from.matches('/').count());
    let files = book.world.recipes.keys().map(|file| {
        let name = escape(file.strip_suffix(".icp").unwrap_or(file));
        format!("<li><a href=\"{up}{}\">{name}</a></li>\n", in_url(&book.page(file)))
    });
    let files: String = files.collect();
    let (title, library) = (escape(title), escape(&book.world.manifest.name));
    format!(
        "{MARK}<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<nav><a href=\"{up}index.html\"><strong>{library}</strong></a>\n<ul>\n{files}</ul></nav>\n\
         <main>\n{body}</main>\n</body>\n</html>\n"
    )
}
