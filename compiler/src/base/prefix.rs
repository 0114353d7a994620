//! Names of a checkpoint begin alike: what two neighbours have in common need not be looked at twice.

/// Length of the common prefix in bytes; eight at a time.
pub fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let same = 8 * words.take_while(|(a, b)| a == b).count();
    let rest = a.iter().zip(b).skip(same);
    same + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_common() {
        let name = b"layers.0.mlp.up_proj";
        for n in 0..name.len() {
            let mut other = name.to_vec();
            other[n] = b'#';
            assert_eq!(common_prefix(name, &other), n);
            assert_eq!(common_prefix(name, &name[..n]), n);
        }
        assert_eq!(common_prefix(name, name), name.len());
    }
}
