//! `keep`: the stored bytes as they are, of any element type, NaN and infinity included.

use super::layout::{Layout, LayoutError, Part, Role, count};
use crate::DType;

pub(super) fn layout(shape: &[u64], source: DType) -> Result<Layout, LayoutError> {
    Layout::new(count(shape)?, vec![Part::new(Role::Values, source, shape.to_vec())?])
}
