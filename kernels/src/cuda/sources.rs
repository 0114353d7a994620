//! The texts of the kernels, as `kernels/cuda` has them, and the tables that they share with the rest of the crate.

use super::launch::Family;
use crate::DType;
use crate::cpu::{FP4_BINS, NF4_EVEN, NF4_SHIFT, NF4_SLOPE};
use crate::format::Code4Kind;
use crate::format::dynamic_map::{DYNAMIC_MAP, DYNAMIC_MIDPOINTS};
use crate::reference::LEAST_ABSMAX;

pub(super) const CAST: Family = Family("cast");
pub(super) const CODE4: Family = Family("code4");
pub(super) const COMPARE: Family = Family("compare");
pub(super) const EXTENTS: Family = Family("extents");
pub(super) const GRID: Family = Family("grid");
pub(super) const INT: Family = Family("int");
pub(super) const NESTED: Family = Family("nested");
pub(super) const PERCENTILE: Family = Family("percentile");
pub(super) const PRUNE: Family = Family("prune");
pub(super) const SELECT: Family = Family("select");

pub(super) const ATTENTION: Family = Family("attention");
pub(super) const ELEMENTWISE: Family = Family("elementwise");
pub(super) const EXPERTS: Family = Family("experts");
pub(super) const INTEGER: Family = Family("integer");
pub(super) const LINEAR: Family = Family("linear");
pub(super) const PRODUCT: Family = Family("product");
pub(super) const ROWS: Family = Family("rows");
pub(super) const SCAN: Family = Family("scan");

/// Families of the plan, with the texts of their files.
pub const FAMILIES: [(Family, &str); 10] = [
    (CAST, include_str!("../../cuda/cast.cu")),
    (CODE4, include_str!("../../cuda/code4.cu")),
    (COMPARE, include_str!("../../cuda/compare.cu")),
    (EXTENTS, include_str!("../../cuda/extents.cu")),
    (GRID, include_str!("../../cuda/grid.cu")),
    (INT, include_str!("../../cuda/int.cu")),
    (NESTED, include_str!("../../cuda/nested.cu")),
    (PERCENTILE, include_str!("../../cuda/percentile.cu")),
    (PRUNE, include_str!("../../cuda/prune.cu")),
    (SELECT, include_str!("../../cuda/select.cu")),
];

/// Families that run models, compiled for f32: formats of weights are parameters or kernels of their own.
pub const MODEL_FAMILIES: [(Family, &str); 8] = [
    (ATTENTION, include_str!("../../cuda/attention.cu")),
    (ELEMENTWISE, include_str!("../../cuda/elementwise.cu")),
    (EXPERTS, include_str!("../../cuda/experts.cu")),
    (INTEGER, include_str!("../../cuda/integer.cu")),
    (LINEAR, include_str!("../../cuda/linear.cu")),
    (PRODUCT, include_str!("../../cuda/product.cu")),
    (ROWS, include_str!("../../cuda/rows.cu")),
    (SCAN, include_str!("../../cuda/scan.cu")),
];

/// The element types of sources, by the names that `numbers.cuh` has for them, in its order.
pub const TYPES: [(DType, &str); 6] = [
    (DType::F32, "F32"),
    (DType::F16, "F16"),
    (DType::Bf16, "BF16"),
    (DType::F8E4M3, "F8E4M3"),
    (DType::F8E5M2, "F8E5M2"),
    (DType::F64, "F64"),
];

/// What NVRTC is told: IEEE arithmetic, without fused operations but those that are written.
const OPTIONS: [&str; 5] =
    ["--std=c++17", "--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true"];

/// The place of an element type in [`TYPES`].
pub(super) fn type_index(dtype: DType) -> Option<usize> {
    TYPES.iter().position(|(of, _)| *of == dtype)
}

/// The text of a family, and all that NVRTC is told when it compiles it for sources of a type.
pub(super) fn unit(
    family: Family,
    source: DType,
    architecture: &str,
) -> Result<(&'static str, Vec<String>), String> {
    let (_, text) = FAMILIES
        .iter()
        .chain(&MODEL_FAMILIES)
        .find(|(of, _)| *of == family)
        .ok_or_else(|| format!("no kernels are named {}", family.name()))?;
    let (_, name) =
        TYPES.iter().find(|(of, _)| *of == source).ok_or_else(|| format!("no kernel reads {source}"))?;
    let own = [format!("--gpu-architecture={architecture}"), format!("--define-macro=SOURCE={name}")];
    Ok((text, OPTIONS.iter().map(|option| (*option).to_owned()).chain(own).collect()))
}

/// The headers by their names.
pub fn headers() -> Vec<(&'static str, String)> {
    vec![
        ("numbers.cuh", include_str!("../../cuda/numbers.cuh").to_owned()),
        ("tiles.cuh", include_str!("../../cuda/tiles.cuh").to_owned()),
        ("groups.cuh", include_str!("../../cuda/groups.cuh").to_owned()),
        ("functions.cuh", include_str!("../../cuda/functions.cuh").to_owned()),
        ("stored.cuh", include_str!("../../cuda/stored.cuh").to_owned()),
        ("tensor.cuh", include_str!("../../cuda/tensor.cuh").to_owned()),
        ("codebooks.cuh", codebooks()),
    ]
}

/// The tables of 4-bit formats and of their absmax: written here, so that their bits stand in one place.
fn codebooks() -> String {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
    let mut text = "#pragma once\n#include \"numbers.cuh\"\n".to_owned();
    let mut table = |name: &str, values: &[u32]| {
        let values: Vec<String> = values.iter().map(|value| format!("{value:#010x}")).collect();
        let length = values.len();
        text += &format!("__device__ const u32 {name}[{length}] = {{{}}};\n", values.join(", "));
    };
    table("NF4_THRESHOLDS", &bits(&NF4_EVEN.0));
    table("NF4_BELOW", &bits(&NF4_EVEN.1));
    table("NF4_VALUES", &bits(&Code4Kind::Nf4.codebook()));
    table("FP4_THRESHOLDS", &bits(&FP4_BINS.0));
    table("FP4_BELOW", &bits(&FP4_BINS.1));
    table("FP4_ABOVE", &bits(&FP4_BINS.2));
    table("FP4_VALUES", &bits(&Code4Kind::Fp4.codebook()));
    table("DYNAMIC_MAP", &bits(&DYNAMIC_MAP));
    table("DYNAMIC_MIDPOINTS", &bits(&DYNAMIC_MIDPOINTS));
    for (name, value) in [("NF4_SLOPE", NF4_SLOPE), ("NF4_SHIFT", NF4_SHIFT), ("LEAST_ABSMAX", LEAST_ABSMAX)]
    {
        // f32 values print so that they read back
        text += &format!("const float {name} = {value:e}f;\n");
    }
    text
}
