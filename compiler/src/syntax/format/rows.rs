//! Rows of a formatted text, and how columns of neighbouring rows are aligned.

use super::WIDTH;

/// A cell wider than this aligns with nothing, so that one long pattern does not push all others to the right.
const WIDEST: usize = 56;

/// One line, or several that belong together.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// Levels of four spaces.
    pub(super) indent: usize,
    /// Whether an empty line stands above.
    pub(super) blank: bool,
    cells: Vec<String>,
    /// Two spaces behind all cells but the first, not one.
    wide: bool,
    /// Further lines, with their own indentation inside the row.
    more: Vec<String>,
    /// The comment behind it.
    pub(super) trailing: Option<String>,
}

impl Row {
    pub(super) fn cells<const N: usize>(cells: [String; N]) -> Row {
        Row { cells: cells.into(), ..Row::default() }
    }

    pub(super) fn wide(cells: Vec<String>) -> Row {
        Row { cells, wide: true, ..Row::default() }
    }

    pub(super) fn comment(text: &str) -> Row {
        Row { cells: vec![text.to_owned()], ..Row::default() }
    }

    /// Lines that align with nothing.
    pub(super) fn lines(mut lines: Vec<String>) -> Row {
        let first = if lines.is_empty() { String::new() } else { lines.remove(0) };
        Row { cells: vec![first], more: lines, ..Row::default() }
    }

    pub(super) fn below_blank(self, blank: bool) -> Row {
        Row { blank, ..self }
    }

    pub(super) fn is_doc(&self) -> bool {
        self.is_comment() && self.cells.first().is_some_and(|c| c.starts_with("///"))
    }

    pub(super) fn is_comment(&self) -> bool {
        self.cells.len() == 1 && self.cells.first().is_some_and(|c| c.starts_with("//"))
    }

    pub(super) fn append(&mut self, text: &str) {
        if let Some(last) = self.cells.last_mut() {
            last.push_str(text);
        }
    }

    /// Columns that the row takes if nothing is aligned.
    pub(super) fn width(&self, indent: usize) -> usize {
        let gaps: usize = (1..self.cells.len()).map(|i| self.gap(i - 1)).sum();
        indent * 4 + gaps + self.cells.iter().map(|c| columns(c)).sum::<usize>()
    }

    /// Spaces behind a cell.
    fn gap(&self, cell: usize) -> usize {
        if self.wide && cell > 0 { 2 } else { 1 }
    }

    fn aligns_with(&self, other: &Row) -> bool {
        self.indent == other.indent
            && self.wide == other.wide
            && self.more.is_empty()
            && other.more.is_empty()
    }

    /// Width of a cell that later cells are aligned behind; the last cell of a row never is.
    fn column(&self, i: usize) -> Option<usize> {
        let width = columns(self.cells.get(i)?);
        (i + 1 < self.cells.len() && width <= WIDEST).then_some(width)
    }
}

/// Rows to text, with a line end behind each.
pub(super) fn layout(rows: &[Row]) -> String {
    let mut lines: Vec<(Vec<String>, &Row)> = vec![];
    let mut rest = rows;
    while let Some((first, _)) = rest.split_first() {
        let (group, others) = rest.split_at(group_length(first, rest));
        rest = others;
        let most = group.iter().map(|r| r.cells.len()).max().unwrap_or(0);
        let mut widths = vec![0; most];
        for (i, width) in widths.iter_mut().enumerate() {
            *width = group.iter().filter(|r| !r.is_comment()).filter_map(|r| r.column(i)).max().unwrap_or(0);
        }
        lines.extend(group.iter().map(|row| (write_row(row, &widths), row)));
    }
    align_trailing(&mut lines);
    let mut out = String::new();
    for (written, row) in lines {
        if row.blank {
            out.push('\n');
        }
        for line in written {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

/// How many rows from the first on are aligned with each other: no empty line, no row of another kind; comments
/// between them do not part them.
fn group_length(first: &Row, rows: &[Row]) -> usize {
    if first.is_comment() {
        return 1;
    }
    let is_table = first.cells.len() > 1;
    let same = |row: &Row| !row.blank && row.aligns_with(first) && (row.cells.len() > 1) == is_table;
    let comment = |row: &Row| !row.blank && row.is_comment() && row.indent == first.indent && is_table;
    let more = rows.iter().skip(1).take_while(|row| same(row) || comment(row)).count();
    1 + more
}

fn write_row(row: &Row, widths: &[usize]) -> Vec<String> {
    let margin = " ".repeat(row.indent * 4);
    let mut line = margin.clone();
    for (i, cell) in row.cells.iter().enumerate() {
        line.push_str(cell);
        if i + 1 < row.cells.len() {
            let width = widths.get(i).copied().unwrap_or(0);
            let pad = row.column(i).map_or(0, |own| width.saturating_sub(own));
            line.push_str(&" ".repeat(pad + row.gap(i)));
        }
    }
    let more = row.more.iter().map(|l| if l.is_empty() { String::new() } else { format!("{margin}{l}") });
    std::iter::once(line).chain(more).collect()
}

/// Comments behind neighbouring rows stand in one column.
fn align_trailing(lines: &mut [(Vec<String>, &Row)]) {
    let mut rest = lines;
    while !rest.is_empty() {
        let indent = rest.first().map(|(_, row)| row.indent);
        let run = rest
            .iter()
            .enumerate()
            .take_while(|(i, (_, row))| {
                row.trailing.is_some() && Some(row.indent) == indent && (*i == 0 || !row.blank)
            })
            .count();
        let (group, others) = rest.split_at_mut(run.max(1));
        rest = others;
        let ends = |(written, _): &(Vec<String>, &Row)| written.last().map_or(0, |l| columns(l));
        let column = group.iter().map(ends).filter(|w| *w <= WIDTH).max().unwrap_or(0);
        for entry in group {
            let pad = column.saturating_sub(ends(entry)) + 2;
            let (written, row) = entry;
            if let (Some(line), Some(comment)) = (written.last_mut(), &row.trailing) {
                line.push_str(&" ".repeat(pad));
                line.push_str(comment);
            }
        }
    }
}

/// Columns of a text: its characters.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}
