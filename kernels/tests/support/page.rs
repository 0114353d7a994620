//! `docs/conformance.md`: a column for each backend, held and written by the test that runs the suite on it.

use icpc_kernels::Support;
use icpc_kernels::conformance::Row;
use std::path::Path;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/conformance.md");

/// Compare a column of the page with what the suite gave; with `ICPC_UPDATE=1` write it.
pub(super) fn check(column: &str, rows: &[Row]) {
    if let Some(mismatch) = rows.iter().find_map(|row| row.mismatch.as_ref()) {
        panic!("{mismatch}");
    }
    let text = std::fs::read_to_string(PAGE).unwrap();
    let updated = with_column(&text, column, rows);
    if std::env::var_os("ICPC_UPDATE").is_some() {
        std::fs::write(Path::new(PAGE), &updated).unwrap();
    } else {
        assert!(
            updated == text,
            "docs/conformance.md has other figures for {column}: write them with ICPC_UPDATE=1\n{updated}"
        );
    }
}

fn with_column(text: &str, column: &str, rows: &[Row]) -> String {
    let mut place = None;
    let mut out = String::new();
    for line in text.lines() {
        let mut cells: Vec<String> =
            line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        if line.starts_with("| operation") {
            place = cells.iter().position(|cell| cell == column);
            assert!(place.is_some(), "docs/conformance.md has no column `{column}`");
        }
        match (place, rows.iter().find(|row| cells.first().is_some_and(|name| *name == row.operation))) {
            (Some(place), Some(row)) if line.starts_with('|') => {
                cells[place] = cell(row);
                out += &format!("| {} |\n", cells.join(" | "));
            }
            _ => out += &format!("{line}\n"),
        }
    }
    for row in rows {
        assert!(
            text.contains(&format!("| {} |", row.operation)),
            "docs/conformance.md lacks `{}`",
            row.operation
        );
    }
    out
}

fn cell(row: &Row) -> String {
    let by = if row.support == Support::Native { "" } else { " (r)" };
    format!("{} equal{by}", row.agreed)
}
