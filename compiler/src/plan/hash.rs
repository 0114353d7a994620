//! The identity of a plan.

use sha2::{Digest, Sha256};

use super::ir::Plan;
use super::json::PlanRecord;

/// SHA-256 (hex) of the plan's canonical form: its record in `plan.json`, compact, fields in the order declared there.
pub fn plan_hash(plan: &Plan) -> String {
    // Numbers, strings and lists only: there is nothing that could fail.
    hex_digest(&serde_json::to_vec(&PlanRecord::of(plan)).unwrap_or_default())
}

/// SHA-256 of `bytes` in hex.
pub fn hex_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // writing to a string cannot fail
        let _ = write!(text, "{byte:02x}");
    }
    text
}
