//! PyTorch's names of element types.

use crate::base::DType;

/// Element type of a tensor or storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// The nearest thing that [`DType`] says.
    pub(super) dtype: DType,
    /// Bytes of one element.
    pub(super) width: u64,
    /// PyTorch's name, when `dtype` does not say it all.
    pub(super) stored_as: Option<&'static str>,
}

fn plain(dtype: DType) -> Element {
    Element { dtype, width: dtype.width(), stored_as: None }
}

fn odd(width: u64, name: &'static str) -> Element {
    Element { dtype: DType::U8, width, stored_as: Some(name) }
}

/// Element type of a `torch.NAME` dtype; `None` for unknown ones and for those that pack elements into parts of a byte.
pub(super) fn of_dtype(name: &str) -> Option<Element> {
    Some(match name {
        "bool" => plain(DType::Bool),
        "uint8" | "quint8" => plain(DType::U8),
        "int8" | "qint8" => plain(DType::I8),
        "uint16" => plain(DType::U16),
        "int16" | "short" => plain(DType::I16),
        "uint32" => plain(DType::U32),
        "int32" | "int" | "qint32" => plain(DType::I32),
        "uint64" => plain(DType::U64),
        "int64" | "long" => plain(DType::I64),
        "float16" | "half" => plain(DType::F16),
        "bfloat16" => plain(DType::Bf16),
        "float32" | "float" => plain(DType::F32),
        "float64" | "double" => plain(DType::F64),
        "float8_e4m3fn" => plain(DType::F8E4M3),
        "float8_e5m2" => plain(DType::F8E5M2),
        "complex64" | "cfloat" => plain(DType::C64),
        "complex32" | "chalf" => odd(4, "complex32"),
        "complex128" | "cdouble" => odd(16, "complex128"),
        "float8_e4m3fnuz" => odd(1, "float8_e4m3fnuz"),
        "float8_e5m2fnuz" => odd(1, "float8_e5m2fnuz"),
        "float8_e8m0fnu" => odd(1, "float8_e8m0fnu"),
        "float4_e2m1fn_x2" => odd(1, "float4_e2m1fn_x2"),
        "bits8" => odd(1, "bits8"),
        "bits16" => odd(2, "bits16"),
        _ => return None,
    })
}

/// Element type of a storage class (`FloatStorage`), or `Some(None)` for a storage of bare bytes.
pub(super) fn of_storage(class: &str) -> Option<Option<Element>> {
    let name = class.strip_prefix("torch.")?;
    let name = name.rsplit('.').next().unwrap_or(name).strip_suffix("Storage")?;
    let dtype = match name {
        "Untyped" => return Some(None),
        "Float" => "float32",
        "Double" => "float64",
        "Half" => "float16",
        "BFloat16" => "bfloat16",
        "Long" => "int64",
        "Int" => "int32",
        "Short" => "int16",
        "Char" => "int8",
        "Byte" => "uint8",
        "Bool" => "bool",
        "ComplexFloat" => "complex64",
        "ComplexDouble" => "complex128",
        "QInt8" => "qint8",
        "QUInt8" => "quint8",
        "QInt32" => "qint32",
        _ => return None,
    };
    of_dtype(dtype).map(Some)
}
