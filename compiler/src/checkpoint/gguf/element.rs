//! ggml's element types: the plain ones, and those that store blocks.

use crate::base::DType;

/// How a ggml type lays out a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GgmlType {
    /// Name, lower case, as ggml prints it.
    pub(super) name: &'static str,
    /// The plain dtype, unless the type stores blocks.
    pub(super) dtype: Option<DType>,
    /// Elements of a block.
    pub(super) block: u64,
    /// Bytes of a block.
    pub(super) bytes: u64,
}

/// The type with this number in a file. Source: the `ggml_type` enumeration and block sizes of ggml, 2026.
pub(super) fn of_number(number: u32) -> Option<GgmlType> {
    let plain =
        |dtype: DType| GgmlType { name: dtype.name(), dtype: Some(dtype), block: 1, bytes: dtype.width() };
    let blocks = |name, block, bytes| GgmlType { name, dtype: None, block, bytes };
    Some(match number {
        0 => plain(DType::F32),
        1 => plain(DType::F16),
        2 => blocks("q4_0", 32, 18),
        3 => blocks("q4_1", 32, 20),
        6 => blocks("q5_0", 32, 22),
        7 => blocks("q5_1", 32, 24),
        8 => blocks("q8_0", 32, 34),
        9 => blocks("q8_1", 32, 36),
        10 => blocks("q2_k", 256, 84),
        11 => blocks("q3_k", 256, 110),
        12 => blocks("q4_k", 256, 144),
        13 => blocks("q5_k", 256, 176),
        14 => blocks("q6_k", 256, 210),
        15 => blocks("q8_k", 256, 292),
        16 => blocks("iq2_xxs", 256, 66),
        17 => blocks("iq2_xs", 256, 74),
        18 => blocks("iq3_xxs", 256, 98),
        19 => blocks("iq1_s", 256, 50),
        20 => blocks("iq4_nl", 32, 18),
        21 => blocks("iq3_s", 256, 110),
        22 => blocks("iq2_s", 256, 82),
        23 => blocks("iq4_xs", 256, 136),
        24 => plain(DType::I8),
        25 => plain(DType::I16),
        26 => plain(DType::I32),
        27 => plain(DType::I64),
        28 => plain(DType::F64),
        29 => blocks("iq1_m", 256, 56),
        30 => plain(DType::Bf16),
        34 => blocks("tq1_0", 256, 54),
        35 => blocks("tq2_0", 256, 66),
        39 => blocks("mxfp4", 32, 17),
        40 => blocks("nvfp4", 64, 36),
        41 => blocks("q1_0", 128, 18),
        42 => blocks("q2_0", 64, 18),
        _ => return None,
    })
}
