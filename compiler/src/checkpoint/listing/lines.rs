//! Single lines of a canonical listing, for the labels that point into it.

use std::cell::OnceCell;

use super::super::schema::Schema;
use super::write::{columns, first_word, line_parts, tensor_line};
use crate::base::Span;
use crate::diag::{Listing, ListingLine};

/// The canonical listing of a schema, of which only the lines asked for are written.
#[derive(Debug)]
pub struct Lines<'a> {
    schema: &'a Schema,
    /// Widths of names and dtypes, once a line is asked for.
    columns: OnceCell<(usize, usize)>,
}

impl<'a> Lines<'a> {
    /// Of this schema; nothing is computed yet.
    pub fn new(schema: &'a Schema) -> Lines<'a> {
        Lines { schema, columns: OnceCell::new() }
    }
}

/// What line `tensor` of the canonical listing starts with: its name, quoted where it must be. Costs no more than the
/// name, unlike a whole line, whose columns depend on all others.
pub fn written_name(schema: &Schema, tensor: u32) -> Option<String> {
    schema.tensors.get(tensor as usize).map(|info| first_word(&info.name).into_owned())
}

impl Listing for Lines<'_> {
    fn name(&self) -> &str {
        &self.schema.source
    }

    fn line(&self, tensor: u32) -> Option<ListingLine> {
        let info = self.schema.tensors.get(tensor as usize)?;
        let columns = *self.columns.get_or_init(|| columns(self.schema));
        let mut text = String::new();
        tensor_line(&mut text, self.schema, info, columns).ok()?;
        let text = text.trim_end().to_owned();
        let parts = line_parts(&text)?;
        // From the dtype to the closing bracket; an alias has none.
        let bracket = text.get(parts.dtype.end..).and_then(|rest| rest.find(']'));
        let end =
            bracket.filter(|_| info.tied_to.is_none()).map_or(parts.dtype.end, |b| parts.dtype.end + b + 1);
        let axes = parts.dims.iter().map(|d| Span::new(d.start, d.end)).collect();
        Some(ListingLine { number: tensor, stored: Span::new(parts.dtype.start, end), axes, text })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse_listing, write_listing};
    use super::*;

    #[test]
    fn lines_are_those_of_the_whole_listing() {
        let text = "\
            embedding.weight f32 [8000, 128]\n\
            \"odd name\" bf16 []\n\
            lm_head.weight = embedding.weight\n\
            q.weight u8 [4, 128] as q4_k in 144 bytes\n";
        let schema = parse_listing("tiny", text).unwrap();
        let whole = write_listing(&schema);
        let lines = Lines::new(&schema);
        let shown: Vec<String> = (0..4)
            .map(|i| {
                let line = lines.line(i).unwrap();
                assert_eq!(whole.lines().nth(i as usize), Some(line.text.as_str()));
                let part = |span: Span| line.text[span.range()].to_owned();
                format!("{} | {}", part(line.span(None)), part(line.span(Some(1))))
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        f32  [8000, 128] | 128
        bf16 [] | bf16 []
        embedding.weight | embedding.weight
        u8   [4, 128] | 128
        "#);
        assert_eq!(lines.line(4), None);
        assert_eq!(written_name(&schema, 1).as_deref(), Some("\"odd name\""));
        assert_eq!(written_name(&schema, 4), None);
    }
}
