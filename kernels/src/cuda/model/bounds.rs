//! How far results on a device may be from exact ones: [`crate::model::bounds`] but for these, in units of u = 2⁻²⁴. Shown on the
//! processor, where the kernels' text is compiled by a C++ compiler.
//!
//! | result | bound | why |
//! | --- | --- | --- |
//! | functions of one element, convolution, selective scan | 0 beside the native ones | the same operations in the same order |
//! | `linear`, up to [`super::FEW`] tokens, k inputs | `few(k) u Σ\|x w\|` | a lane has 32 of each 1024 columns, one after the other (one of 32, where rows do not begin on vectors); 5 levels of adding up; decoding 3, product, bias 1 each: 12 with room |
//! | `linear`, more | `many(k) u Σ\|x w\|` | a product of two tf32 pairs misses 8 u; decoding 3; tensor cores may cut sums off rather than round them: 2 for each of 3 k / 8 steps and the sums of 8 within; bias 1 |
//! | `linear`, more, dense and by cuBLASLt | `many(k) u Σ\|x w\|` | f32: k roundings; bf16: three exact parts of x, the second and third 2⁻⁸ and 2⁻¹⁶ of it, each with sums as above; f16: as f32 |
//! | `linear`, inputs rounded to 8 bits | 0 beside the native one | integers, and the same three operations on their sum |
//! | `attention`, head h, s keys | `attention(h, s, score) u max\|v\|` | as [`crate::model::bounds`], with a dot product of ⌈h/4⌉ + 4 roundings |
//! | `mixture` | the bounds of its products, one after the other | the weights of experts are computed in f64 |

/// In units of u, of `Σ|x w|`: roundings that a product with `k` inputs goes through.
pub const fn linear(tokens: usize, k: usize) -> f64 {
    if tokens > super::FEW { 2.0 * k as f64 + 24.0 } else { 32.0 * k.div_ceil(1024) as f64 + 12.0 }
}

/// In units of u, of the largest value: `score` is the largest Σ|q k| scale.
pub const fn attention(head: usize, keys: usize, score: f64) -> f64 {
    2.0 * ((head.div_ceil(4) as f64 + 8.0) * score + 2.0 * keys as f64 + 32.0)
}
