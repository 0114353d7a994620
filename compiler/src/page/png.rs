//! Figures as pixels.

use std::sync::Arc;

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// Pixels for a point of a figure: enough for print.
const SCALE: f32 = 2.0;

/// A figure on white.
pub(super) fn png(svg: &str) -> Result<Vec<u8>, String> {
    let mut fonts = fontdb::Database::new();
    fonts.load_system_fonts();
    // A figure without its labels would say something else.
    let Some(family) = fonts.faces().find_map(|face| face.families.first().map(|(name, _)| name.clone()))
    else {
        return Err(
            "no font is installed for the labels: install one (`fonts-dejavu-core`), or take `--svg`"
                .to_owned(),
        );
    };
    let known = |name: &str| fonts.faces().any(|face| face.families.iter().any(|(n, _)| n == name));
    let family = ["DejaVu Sans", "Noto Sans", "Liberation Sans", "Arial"]
        .into_iter()
        .find(|n| known(n))
        .map_or(family, str::to_owned);
    fonts.set_sans_serif_family(family.clone());
    let options = Options { font_family: family, fontdb: Arc::new(fonts), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|e| format!("a figure cannot be read: {e}"))?;
    let side = |length: f32| (length * SCALE).ceil() as u32;
    let size = tree.size();
    let pixels = Pixmap::new(side(size.width()), side(size.height()));
    let mut pixels = pixels.ok_or_else(|| "a figure has no size".to_owned())?;
    pixels.fill(Color::WHITE);
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| format!("a figure cannot be written: {e}"))
}
