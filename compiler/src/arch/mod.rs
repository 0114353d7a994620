//! Architectures: declarations in `.icp`, unified with the names and shapes of a checkpoint.

pub mod model;
