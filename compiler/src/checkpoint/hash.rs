//! SHA-256 of header bytes.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// SHA-256 of `bytes` in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    hex_of_parts([bytes])
}

/// SHA-256 of the parts one behind the other, in lower-case hex.
pub(super) fn hex_of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let mut out = String::with_capacity(64);
    for byte in hasher.finalize() {
        let _ = write!(out, "{byte:02x}");
    }
    out
}
