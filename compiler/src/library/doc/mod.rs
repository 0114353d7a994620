//! A library as static HTML: a page for each file, and one for the whole. Nothing outside of the pages is needed to read them.
//!
//! ```text
//!  World ─ Session ─┬─ highlight  code with colours, names with links
//!                   ├─ markdown   doc comments; raw HTML is text
//!                   └─ page       head, items, links between pages
//! ```

mod highlight;
mod markdown;
mod page;

use std::collections::BTreeMap;

use super::world::World;
use crate::session::Session;

/// First line of every page: what may be replaced by the next.
pub const MARK: &str = "<!DOCTYPE html><!-- written by icpc doc -->\n";

/// Pages of a library by path from the folder that they are written to: `index.html`, and `NAME/file.html` for each file.
pub fn pages(world: &World, readme: Option<&str>) -> BTreeMap<String, String> {
    let session = world.session();
    let book = Book { world, session: &session };
    let mut out: BTreeMap<String, String> =
        world.recipes.keys().map(|file| (book.page(file), page::module(&book, file))).collect();
    out.insert("index.html".to_owned(), page::index(&book, readme));
    out
}

/// What pages are made from.
struct Book<'w> {
    world: &'w World,
    session: &'w Session,
}

impl Book<'_> {
    /// Path of a file's page.
    fn page(&self, file: &str) -> String {
        format!("{}/{}.html", self.world.manifest.name, file.strip_suffix(".icp").unwrap_or(file))
    }

    /// As a `use` names a file of the library.
    fn module_name(&self, file: &str) -> String {
        let path = file.strip_suffix(".icp").unwrap_or(file).replace('/', "::");
        format!("{}::{path}", self.world.manifest.name)
    }

    /// Link from the page at `from` to a file of the library, or an item of it; none to what has no page.
    fn link(&self, from: &str, file: &str, item: Option<&str>) -> Option<String> {
        self.world.recipes.get(file)?;
        let up = "../".repeat(from.matches('/').count());
        let anchor = item.map_or(String::new(), |item| format!("#{item}"));
        Some(format!("{up}{}{anchor}", in_url(&self.page(file))))
    }
}

/// A path as part of a URL.
fn in_url(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Text in HTML, in an attribute, too.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
