//! Why a backend cannot be had on this machine, and what would help.

use std::fmt;

/// A backend that this machine, or this build, does not have. Its absence is a value: choosing another is the caller's
/// affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// One sentence on what is missing: `the CUDA driver (libcuda.so.1) is not installed`.
    pub what: String,
    /// What to do about it: a command where there is one.
    pub remedy: String,
}

impl Unavailable {
    /// From both sentences, lower case and without a period.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Unavailable {
        Unavailable { what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

impl std::error::Error for Unavailable {}
