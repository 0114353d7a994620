//! The parts of an output that only bitsandbytes and transformers read: `quant_state` texts and `config.json`.

use icpc_kernels::DType;
use icpc_kernels::format::{Code4, Code4Kind, Format};
use serde_json::{Map, Value, json};

use super::ir::{OutputContainer, Plan, TensorPlan};
use super::parts::{StoredPart, StoredRole};

/// Characters that any finite f64 needs in its shortest form: 17 digits, sign, point, four zeros or an exponent.
const OFFSET_WIDTH: usize = 24;

/// Entries of absmax that share a nested absmax, as the text says it.
const NESTED_BLOCK: u32 = 256;

/// Name of an element type in Python's torch.
const fn torch_name(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 => "float16",
        DType::Bf16 => "bfloat16",
        _ => "float32",
    }
}

const fn kind_name(kind: Code4Kind) -> &'static str {
    match kind {
        Code4Kind::Nf4 => "nf4",
        Code4Kind::Fp4 => "fp4",
    }
}

/// The `quant_state` text of a 4-bit tensor, as Python's `json.dumps` separates it. With double quantisation it holds the
/// offset, whose length depends on its value, so that the text is padded with spaces to a length that suffices
/// for any: the size of the file does not wait for the weights, and `json.loads` skips the spaces.
pub fn quant_state_text(code4: &Code4, dtype: DType, shape: &[u64], nested_offset: f32) -> Vec<u8> {
    let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
    let mut text = format!(
        r#"{{"quant_type": "{}", "blocksize": {}, "dtype": "{}", "shape": [{}]"#,
        kind_name(code4.kind),
        code4.block,
        torch_name(dtype),
        extents.join(", ")
    );
    if code4.double {
        let nested =
            format!(r#", "nested_blocksize": {NESTED_BLOCK}, "nested_dtype": "float32", "nested_offset": "#);
        text.push_str(&nested);
        let offset = format!("{:?}", f64::from(nested_offset));
        let padding = OFFSET_WIDTH.saturating_sub(offset.len());
        text.push_str(&offset);
        text.push('}');
        text.extend(std::iter::repeat_n(' ', padding));
    } else {
        text.push('}');
    }
    text.into_bytes()
}

/// Arrays beyond those of the format.
pub(super) fn extra_parts(tensor: &TensorPlan) -> Option<StoredPart> {
    match &tensor.format {
        Format::Code4(code4) => {
            let bytes = quant_state_text(code4, tensor.dtype, &tensor.shape, 0.0).len() as u64;
            let key = format!("{}.quant_state.bitsandbytes__{}", tensor.name, kind_name(code4.kind));
            Some(StoredPart {
                key,
                role: StoredRole::QuantState,
                dtype: DType::U8,
                shape: vec![bytes],
                bytes,
            })
        }
        Format::Int(_) => {
            let module = tensor.name.strip_suffix(".weight").unwrap_or(&tensor.name);
            let key = format!("{module}.weight_format");
            Some(StoredPart {
                key,
                role: StoredRole::WeightFormat,
                dtype: DType::U8,
                shape: Vec::new(),
                bytes: 1,
            })
        }
        _ => None,
    }
}

/// `config.json` of the output: the one of the source, if there is one, with `quantization_config` set.
/// Nothing when the container needs none, or no tensor is quantised and the source has none.
///
/// # Errors
/// The reason, one clause, when the source's text is not a JSON object.
pub fn config_json(plan: &Plan, source: Option<&str>) -> Result<Option<Vec<u8>>, String> {
    if plan.container != OutputContainer::Bitsandbytes {
        return Ok(None);
    }
    let mut config = match source {
        None => Map::new(),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(map)) => map,
            Ok(_) => return Err("the configuration is not a JSON object".to_owned()),
            Err(error) => return Err(format!("the configuration is not JSON: {error}")),
        },
    };
    config.insert("quantization_config".to_owned(), quantization_config(plan));
    let mut text = serde_json::to_vec_pretty(&Value::Object(config)).map_err(|error| error.to_string())?;
    text.push(b'\n');
    Ok(Some(text))
}

fn quantization_config(plan: &Plan) -> Value {
    let first = plan.tensors.iter().find_map(|tensor| match &tensor.format {
        Format::Code4(code4) => Some((*code4, tensor.dtype)),
        _ => None,
    });
    let eight = plan.tensors.iter().any(|tensor| matches!(tensor.format, Format::Int(_)));
    // Modules with a matrix that stays as it is, so that the loader does not expect codes there.
    let skipped: Vec<&str> = plan
        .tensors
        .iter()
        .filter(|t| !matches!(t.format, Format::Code4(_) | Format::Int(_)) && t.shape.len() == 2)
        .flat_map(|t| std::iter::once(&t.name).chain(&t.aliases))
        .filter_map(|name| name.strip_suffix(".weight"))
        .collect();
    let (code4, dtype) = first.unwrap_or((Code4::new(Code4Kind::Nf4), DType::F32));
    json!({
        "quant_method": "bitsandbytes",
        "_load_in_4bit": first.is_some(),
        "_load_in_8bit": eight,
        "load_in_4bit": first.is_some(),
        "load_in_8bit": eight,
        "bnb_4bit_quant_type": kind_name(code4.kind),
        "bnb_4bit_use_double_quant": code4.double,
        "bnb_4bit_compute_dtype": torch_name(dtype),
        "bnb_4bit_quant_storage": "uint8",
        "llm_int8_skip_modules": skipped,
        "llm_int8_threshold": 6.0,
        "llm_int8_enable_fp32_cpu_offload": false,
        "llm_int8_has_fp16_weight": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_one_length() {
        let code4 = Code4 { double: true, ..Code4::new(Code4Kind::Nf4) };
        let offsets =
            [0.0, 1e-45, f32::MIN_POSITIVE, f32::MAX, 0.1, 1.2e-5, 123_456.79, 1e-4, -f32::MAX, 16_777_216.0];
        for offset in offsets {
            let text = quant_state_text(&code4, DType::Bf16, &[7, 9], offset);
            assert_eq!(text.len(), quant_state_text(&code4, DType::Bf16, &[7, 9], 0.0).len(), "{offset}");
            let read: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(read["nested_offset"].as_f64().map(|value| value as f32), Some(offset));
        }
        insta::assert_snapshot!(
            String::from_utf8(quant_state_text(&Code4::new(Code4Kind::Fp4), DType::F16, &[128, 64], 0.0)).unwrap(),
            @r#"{"quant_type": "fp4", "blocksize": 64, "dtype": "float16", "shape": [128, 64]}"#
        );
        insta::assert_snapshot!(
            String::from_utf8(quant_state_text(&code4, DType::F32, &[128, 64], 0.0625)).unwrap(), @r#"{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [128, 64], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.0625}"#
        );
    }
}
