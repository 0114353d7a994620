//! Language server for `.icp` recipes. It comes with its own issue; the queries it will ask are in `icpc`.

#![forbid(unsafe_code)]
