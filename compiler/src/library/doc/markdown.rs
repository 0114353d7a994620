//! Doc comments: Markdown to HTML that runs nothing and loads nothing.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// HTML of a text whose headings begin at `top`. Raw HTML in it becomes text, images become links; `link` says where a link to a
/// file leads, and whether it does.
pub(super) fn render(text: &str, top: usize, link: &dyn Fn(&str) -> Option<String>) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    // Links that lead nowhere lose their tag at both ends.
    let mut open = Vec::new();
    let events = Parser::new_ext(text, options).filter_map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Some(Event::Text(html)),
        Event::Start(Tag::Link { link_type, dest_url, title, id })
        | Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let to = destination(&dest_url, link);
            open.push(to.is_some());
            let dest_url = CowStr::from(to?);
            Some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link | TagEnd::Image) => {
            open.pop().unwrap_or(false).then_some(Event::End(TagEnd::Link))
        }
        Event::Start(Tag::Heading { level, .. }) => {
            let level = below(level, top);
            Some(Event::Start(Tag::Heading { level, id: None, classes: Vec::new(), attrs: Vec::new() }))
        }
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(below(level, top)))),
        event => Some(event),
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

/// A heading in a text whose first ones are of level `top`.
fn below(level: HeadingLevel, top: usize) -> HeadingLevel {
    HeadingLevel::try_from((level as usize).saturating_add(top).saturating_sub(1)).unwrap_or(HeadingLevel::H6)
}

/// Where a link leads. Other schemes than these could run something.
fn destination(url: &str, link: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let lower = url.trim().to_ascii_lowercase();
    if ["https://", "http://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme)) {
        return Some(url.trim().to_owned());
    }
    link(url.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        render(text, 3, &|file| (file == "a.icp").then(|| "mine/a.html".to_owned()))
    }

    #[test]
    fn nothing_runs_and_nothing_is_loaded() {
        insta::assert_snapshot!(shown("# Title\n\nSome *text* with `code < 1`.\n"), @"
        <h3>Title</h3>
        <p>Some <em>text</em> with <code>code &lt; 1</code>.</p>
        ");
        insta::assert_snapshot!(shown("a <script>alert(1)</script> b\n\n<img src=x onerror=alert(1)>\n"), @"
        <p>a &lt;script&gt;alert(1)&lt;/script&gt; b</p>
        &lt;img src=x onerror=alert(1)&gt;
        ");
        insta::assert_snapshot!(shown("[a](a.icp) [b](b.icp) [c](https://c.example/?q=\"x\") [d](javascript:alert(1)) [e]( JavaScript:x)"), @r#"<p><a href="mine/a.html">a</a> b <a href="https://c.example/?q=%22x%22">c</a> d e</p>"#);
        insta::assert_snapshot!(shown("![picture](https://c.example/p.png) ![own](p.png)"), @r#"<p><a href="https://c.example/p.png">picture</a> own</p>"#);
        insta::assert_snapshot!(shown("| a | b |\n| --- | --- |\n| 1 | <b> |\n"), @"
        <table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>
        <tr><td>1</td><td>&lt;b&gt;</td></tr>
        </tbody></table>
        ");
    }
}
