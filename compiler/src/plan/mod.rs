//! The plan: what will happen to every tensor and where every output byte will be. Free of spans, paths and
//! clocks, so equal plans compare equal, print equal and hash equal.

pub mod ir;
