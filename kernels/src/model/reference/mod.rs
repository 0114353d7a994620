//! The oracle of each function.
