//! icpc
