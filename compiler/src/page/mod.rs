//! Reports as one HTML page and as SVG, for a person who decides. Nothing outside of the page is needed to read it, no script
//! runs, every number stands in a table, and patterns, shapes and labels say what colours say.
//!
//! ```text
//!  report.json, sensitivity.json ─ load ─ cells ─┬─ figures ─ treemap, svg ─┐
//!                                                └─ html (tables) ──────────┴─ page, files
//! ```

mod cells;
mod figures;
mod html;
mod load;
#[cfg(feature = "png")]
mod png;
mod svg;
mod treemap;

use crate::sensitivity::Sensitivity;

pub use load::{Output, Quality, output, sensitivity};

/// What a page shows.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Outputs, in the order in which they are shown.
    pub outputs: Vec<Output>,
    /// A measurement of sensitivities.
    pub sensitivity: Option<Sensitivity>,
}

/// The page. The same contents give the same bytes.
pub fn html(contents: &Contents) -> String {
    html::document(contents)
}

/// The figures by file name, each a document by itself.
pub fn svgs(contents: &Contents) -> Vec<(String, String)> {
    let mut out = vec![("sizes.svg".to_owned(), figures::sizes(&contents.outputs, "size"))];
    for (number, output) in (1..).zip(&contents.outputs) {
        out.push((format!("precision-{number}.svg"), figures::precision(&output.report, "p")));
        if let Some(svg) = figures::errors(&output.report, "e") {
            out.push((format!("errors-{number}.svg"), svg));
        }
    }
    if let Some(found) = &contents.sensitivity {
        out.push(("sensitivity.svg".to_owned(), sensitivity_svg(found)));
    }
    out
}

/// A figure as PNG, two pixels for each of its points.
///
/// # Errors
/// No font is installed, or this program was built without.
pub fn png(svg: &str) -> Result<Vec<u8>, String> {
    #[cfg(feature = "png")]
    return png::png(svg);
    #[cfg(not(feature = "png"))]
    {
        let _ = svg;
        Err("this program was built without PNG: build it with `--features png`, or take `--svg`".to_owned())
    }
}

/// The figure of a measurement of sensitivities.
pub fn sensitivity_svg(found: &Sensitivity) -> String {
    figures::sensitivity(found, "s")
}
