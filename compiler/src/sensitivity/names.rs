//! Names of tensors by their place in a model.

/// A segment that counts: `0`, `17`.
fn is_number(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit())
}

/// The name with a `*` for each number: `layers.*.ssm.ssm.B`.
pub fn starred(name: &str) -> String {
    let segments: Vec<&str> = name.split('.').map(|s| if is_number(s) { "*" } else { s }).collect();
    segments.join(".")
}

/// The layer that a name is in, up to its first number: `layers.3`; nothing beside the layers.
pub fn layer_of(name: &str) -> Option<String> {
    let segments: Vec<&str> = name.split('.').collect();
    let at = segments.iter().position(|s| is_number(s))?;
    // A name that ends there is no member of anything.
    (at + 1 < segments.len()).then(|| segments.get(..=at).map(|s| s.join(".")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_layers() {
        assert_eq!(starred("layers.3.moe.experts.11.w1"), "layers.*.moe.experts.*.w1");
        assert_eq!(layer_of("layers.3.moe.experts.11.w1").as_deref(), Some("layers.3"));
        assert_eq!((layer_of("norm.weight"), layer_of("list.0")), (None, None));
    }
}
