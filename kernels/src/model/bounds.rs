//! How far a fast function may be from its reference.
