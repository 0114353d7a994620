//! One page of text.

use std::fmt::Write;

use super::{Product, Tested};
use crate::base::with_thousands;

/// Dense products, with those that differ by name.
pub(super) fn products(products: &[Product]) -> String {
    if products.iter().all(|product| !product.by_cublaslt) {
        return "dense products of models: cuBLASLt does none of them here, icpc's own kernels do (`icpc doctor`)\n"
            .to_owned();
    }
    let mut out =
        "dense products of models, by cuBLASLt beside icpc's own kernels: in units of 2^-24 of Σ|x w|\n"
            .to_owned();
    for product in products {
        let Product { name, apart, allowed, .. } = product;
        let apart = apart.map_or_else(|| "NaN".to_owned(), |apart| format!("{apart:.1}"));
        let differs = if product.agrees() { "" } else { "DIFFERS: " };
        let _ = match product.by_cublaslt {
            true => writeln!(out, "  {name:<32}{differs}{apart} apart, {allowed:.0} allowed"),
            false => writeln!(out, "  {name:<32}cuBLASLt does not do it"),
        };
    }
    out
}

/// The page of one backend.
pub fn print(tested: &Tested) -> String {
    let mut out = format!("{}: comparisons with the reference, bit by bit\n", tested.backend);
    for operation in &tested.operations {
        let by = if operation.own_kernel { "" } else { ", some or all by the reference" };
        let agreed = with_thousands(operation.agreed);
        let _ = match &operation.mismatch {
            None => writeln!(out, "  {:<24}{agreed:>7} agree{by}", operation.name),
            Some(mismatch) => writeln!(out, "  {:<24}DIFFERS: {mismatch}", operation.name),
        };
    }
    if !tested.products.is_empty() {
        out.push_str(&products(&tested.products));
    }
    let rates = &tested.rates;
    let _ = writeln!(
        out,
        "GB/s of input from memory to memory, {} threads; memory is copied at {:.1} GB/s",
        rates.threads, rates.copy
    );
    for rate in &rates.formats {
        let share = rate.rate / rates.copy.max(1e-9);
        let _ = writeln!(
            out,
            "  {:<56}from {:<6}{:>7.2}  {share:.2} of a copy",
            rate.format, rate.source, rate.rate
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_that_differ_are_named() {
        let product = |name: &str, by_cublaslt, apart| Product {
            name: name.to_owned(),
            by_cublaslt,
            apart,
            allowed: 2096.0,
        };
        let all = [
            product("f32 [256, 512], 64 tokens", true, Some(1.25)),
            product("bf16 [256, 512], 64 tokens", true, Some(9000.0)),
            product("f16 [256, 512], 64 tokens", true, None),
            product("f32 [65, 333], 9 tokens", false, Some(0.0)),
        ];
        insta::assert_snapshot!(products(&all), @"
        dense products of models, by cuBLASLt beside icpc's own kernels: in units of 2^-24 of Σ|x w|
          f32 [256, 512], 64 tokens       1.2 apart, 2096 allowed
          bf16 [256, 512], 64 tokens      DIFFERS: 9000.0 apart, 2096 allowed
          f16 [256, 512], 64 tokens       DIFFERS: NaN apart, 2096 allowed
          f32 [65, 333], 9 tokens         cuBLASLt does not do it
        ");
        assert_eq!(all.map(|product| product.agrees()), [true, false, false, true]);
        let none = [product("f32 [65, 333], 9 tokens", false, Some(0.0))];
        insta::assert_snapshot!(products(&none), @"dense products of models: cuBLASLt does none of them here, icpc's own kernels do (`icpc doctor`)");
    }
}
