//! A drawing as text: the few elements of SVG that figures need.

use std::fmt::Write as _;

/// One drawing.
pub(super) struct Svg {
    width: f64,
    height: f64,
    title: String,
    /// Stands before identifiers, so that drawings in one page do not take each other's.
    prefix: String,
    body: String,
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How precise numbers are stored. Each kind has a pattern, a tint and a shape of its own: any one of them tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Precision {
    Full,
    Sixteen,
    Eight,
    Four,
}

impl Precision {
    pub(super) const ALL: [Precision; 4] =
        [Precision::Full, Precision::Sixteen, Precision::Eight, Precision::Four];

    /// Of bits that an element takes.
    pub(super) fn of_bits(bits: f64) -> Precision {
        match bits {
            b if b > 17.0 => Precision::Full,
            b if b > 11.0 => Precision::Sixteen,
            b if b > 6.0 => Precision::Eight,
            _ => Precision::Four,
        }
    }

    fn tint(self) -> &'static str {
        match self {
            Precision::Full => "#ffffff",
            Precision::Sixteen => "#d9e8f6",
            Precision::Eight => "#fbe3c0",
            Precision::Four => "#e4d6ec",
        }
    }

    fn strokes(self) -> &'static str {
        match self {
            Precision::Full => "",
            Precision::Sixteen => "<circle cx=\"4\" cy=\"4\" r=\"0.9\" fill=\"#5b7c99\"/>",
            Precision::Eight => "<path d=\"M-2 10 10-2\" stroke=\"#a87a35\" stroke-width=\"0.8\"/>",
            Precision::Four => {
                "<path d=\"M-2 10 10-2M-2-2 10 10\" stroke=\"#7c5a91\" stroke-width=\"0.8\" fill=\"none\"/>"
            }
        }
    }

    /// In words, for legends.
    pub(super) fn words(self) -> &'static str {
        match self {
            Precision::Full => "more than 16 bits: plain",
            Precision::Sixteen => "about 16 bits: dots, circle",
            Precision::Eight => "about 8 bits: stripes, square",
            Precision::Four => "about 4 bits: lattice, triangle",
        }
    }
}

impl Svg {
    /// An empty one; `title` is what a reader that shows no pictures says.
    pub(super) fn new(prefix: &str, title: &str, width: f64, height: f64) -> Svg {
        Svg { width, height, title: title.to_owned(), prefix: prefix.to_owned(), body: String::new() }
    }

    /// A rectangle with the pattern of a precision.
    pub(super) fn block(&mut self, [x, y, w, h]: [f64; 4], precision: Precision, hint: &str) {
        let fill = self.fill(precision);
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"{fill}\" stroke=\"#333\" \
             stroke-width=\"0.7\"><title>{}</title></rect>",
            escape(hint)
        );
    }

    /// A rectangle without filling.
    pub(super) fn frame(&mut self, [x, y, w, h]: [f64; 4]) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"none\" stroke=\"#000\" \
             stroke-width=\"1.8\"/>"
        );
    }

    /// A line.
    pub(super) fn line(&mut self, [x1, y1, x2, y2]: [f64; 4], dashed: bool) {
        let dash = if dashed { " stroke-dasharray=\"2 3\"" } else { "" };
        let _ = writeln!(
            self.body,
            "<path d=\"M{x1:.1} {y1:.1} {x2:.1} {y2:.1}\" stroke=\"#555\" stroke-width=\"0.8\" fill=\"none\"{dash}/>"
        );
    }

    /// A mark with the shape of a precision.
    pub(super) fn mark(&mut self, x: f64, y: f64, precision: Precision, hint: &str) {
        let hint = escape(hint);
        let tint = precision.tint();
        let style = format!("fill=\"{tint}\" stroke=\"#222\" stroke-width=\"1\"");
        let _ = match precision {
            Precision::Full => writeln!(
                self.body,
                "<path d=\"M{x:.1} {y:.1}m-4 0 4-4 4 4-4 4z\" {style}><title>{hint}</title></path>"
            ),
            Precision::Sixteen => writeln!(
                self.body,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.4\" {style}><title>{hint}</title></circle>"
            ),
            Precision::Eight => writeln!(
                self.body,
                "<path d=\"M{x:.1} {y:.1}m-3-3h6v6h-6z\" {style}><title>{hint}</title></path>"
            ),
            Precision::Four => writeln!(
                self.body,
                "<path d=\"M{x:.1} {y:.1}m-4 3h8l-4-7z\" {style}><title>{hint}</title></path>"
            ),
        };
    }

    /// A text of `size`, cut so that it takes no more than `room`; nothing if not even a few letters fit.
    pub(super) fn text(&mut self, x: f64, y: f64, size: f64, anchor: Anchor, text: &str, room: f64) {
        let fits = (room / (size * 0.58)).floor().max(0.0) as usize;
        let long = text.chars().count() > fits;
        if fits < 3 && long {
            return;
        }
        // Of a name the end tells more.
        let shown: String = match long {
            true if text.contains('.') => {
                let cut = text.chars().count() + 1 - fits;
                std::iter::once('…').chain(text.chars().skip(cut)).collect()
            }
            true => text.chars().take(fits.saturating_sub(1)).chain(std::iter::once('…')).collect(),
            false => text.to_owned(),
        };
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        // The white rim keeps letters readable on any pattern.
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size:.1}\" text-anchor=\"{anchor}\" stroke=\"#fff\" \
             stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
            escape(&shown)
        );
    }

    /// What the patterns mean, in a row of four from `y` on.
    pub(super) fn legend(&mut self, y: f64) {
        let step = self.width / 4.0;
        for (number, precision) in Precision::ALL.into_iter().enumerate() {
            let x = step * number as f64;
            self.block([x + 1.0, y, 14.0, 10.0], precision, precision.words());
            self.text(x + 19.0, y + 9.0, 10.0, Anchor::Start, precision.words(), step - 20.0);
        }
    }

    fn fill(&self, precision: Precision) -> String {
        match precision {
            Precision::Full => precision.tint().to_owned(),
            _ => format!("url(#{}{precision:?})", self.prefix),
        }
    }

    /// The drawing, a document by itself that can stand in a page as well.
    pub(super) fn finish(self) -> String {
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {:.0} {:.0}\" font-family=\"system-ui, \
             sans-serif\">\n<title>{}</title>\n<defs>\n",
            self.width,
            self.height,
            escape(&self.title)
        );
        for precision in Precision::ALL.into_iter().filter(|p| *p != Precision::Full) {
            let _ = writeln!(
                out,
                "<pattern id=\"{}{precision:?}\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\"><rect width=\"8\" \
                 height=\"8\" fill=\"{}\"/>{}</pattern>",
                self.prefix,
                precision.tint(),
                precision.strokes()
            );
        }
        out.push_str("</defs>\n");
        out.push_str(&self.body);
        out.push_str("</svg>\n");
        out
    }
}

/// Text from a file as text of HTML or SVG: no character in it ends an element or an attribute, or turns the direction of
/// what follows.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push('\u{fffd}'),
            '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_nothing() {
        assert_eq!(escape("a<b>&\"'\u{1b}\u{202e}"), "a&lt;b&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_drawing_is_a_document() {
        let mut svg = Svg::new("f1", "bytes & tensors", 100.0, 20.0);
        svg.block([0.0, 0.0, 50.0, 20.0], Precision::Four, "w<1>");
        svg.text(2.0, 10.0, 10.0, Anchor::Start, "a long name of a tensor", 50.0);
        svg.text(2.0, 10.0, 10.0, Anchor::Start, "a long name", 10.0);
        let text = svg.finish();
        assert!(text.contains("<title>bytes &amp; tensors</title>"), "{text}");
        assert!(
            text.contains("fill=\"url(#f1Four)\"") && text.contains("<title>w&lt;1&gt;</title>"),
            "{text}"
        );
        assert_eq!(text.matches("<text").count(), 1, "{text}");
        assert!(text.contains("a long …"), "{text}");
    }
}
