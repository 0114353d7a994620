//! Checkpoints that another program compressed: what they hold under the names of weights are codes, and what the codes mean
//! stands beside them.

use std::collections::BTreeSet;

use super::schema::{Attribute, Schema};
use crate::base::DType;

/// Who compressed a checkpoint, as its names tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// The program or the method.
    pub by: String,
    /// Number of the first tensor that tells it.
    pub tensor: usize,
    /// Numbers of all codes, and of what stands beside them.
    pub members: BTreeSet<usize>,
}

/// How a method names what it stores of one tensor or module `x`.
struct Names {
    by: &'static str,
    /// Behind `x`: what only this method has.
    sign: &'static str,
    /// Behind `x`: the codes, whose element type tells methods with one sign apart.
    codes: &'static str,
    /// Behind `x`: all that belongs together.
    members: &'static [&'static str],
}

/// Methods in the order in which their signs are looked for.
const METHODS: &[Names] = &[
    Names {
        by: "bitsandbytes",
        sign: ".absmax",
        codes: "",
        members: &[
            ".quant_map",
            ".nested_absmax",
            ".nested_quant_map",
            ".nested_offset",
            ".quant_state.bitsandbytes__nf4",
            ".quant_state.bitsandbytes__fp4",
        ],
    },
    Names { by: "bitsandbytes", sign: ".SCB", codes: ".weight", members: &[".weight_format"] },
    Names {
        by: "GPTQ or AWQ",
        sign: ".qweight",
        codes: ".qweight",
        members: &[".qzeros", ".scales", ".g_idx"],
    },
    Names {
        by: "compressed-tensors",
        sign: ".weight_packed",
        codes: ".weight_packed",
        members: &[
            ".weight_scale",
            ".weight_shape",
            ".weight_zero_point",
            ".weight_g_idx",
            ".weight_global_scale",
        ],
    },
    Names { by: "fp8 with scales", sign: ".weight_scale_inv", codes: ".weight", members: &[] },
    Names {
        by: "codes with scales",
        sign: ".weight_scale",
        codes: ".weight",
        members: &[".weight_zero_point", ".input_scale"],
    },
    Names {
        by: "codes with scales",
        sign: ".scale",
        codes: "",
        members: &[".zero_point", ".activation_scale"],
    },
    Names { by: "MXFP4", sign: "_blocks", codes: "_blocks", members: &["_scales"] },
    Names { by: "HQQ", sign: ".W_q", codes: ".W_q", members: &[".scale", ".zero", ".meta"] },
];

/// Entry of the metadata of our own outputs.
const OWN: &str = "__metadata__.icpc.tensors";

/// Who compressed the checkpoint; `None` for one that holds weights, as far as names and element types tell.
pub fn compressed(schema: &Schema) -> Option<Compressed> {
    let sign =
        |name: &str| METHODS.iter().find_map(|method| Some((method, name.strip_suffix(method.sign)?.len())));
    let signs = schema.tensors.iter().enumerate();
    let mut signs = signs.filter_map(|(n, t)| Some((n, t.name.as_str(), sign(&t.name)?))).peekable();
    signs.peek()?;
    let numbers = schema.by_name();
    let mut found: Option<(&Names, usize)> = None;
    let mut members = BTreeSet::new();
    for (number, name, (method, length)) in signs {
        let owner = name.get(..length).unwrap_or_default();
        let at = |suffix: &str| numbers.get(format!("{owner}{suffix}").as_str()).copied();
        // A scale beside numbers that are whole by themselves is part of the model.
        let codes = at(method.codes).filter(|n| schema.tensors.get(*n).is_some_and(|t| is_code(t.dtype)));
        let Some(codes) = codes else { continue };
        found.get_or_insert((method, number));
        members.extend([number, codes]);
        members.extend(method.members.iter().filter_map(|suffix| at(suffix)));
    }
    let (method, tensor) = found?;
    let is_own = schema.entries.iter().any(|entry| entry.path == OWN);
    let said = schema.fact(&["quantization_config.quant_method", "compression_config.quant_method"]);
    let by = match said.map(|fact| &fact.value) {
        _ if is_own => "icpc".to_owned(),
        Some(Attribute::Text(method)) => method.clone(),
        _ => method.by.to_owned(),
    };
    Some(Compressed { by, tensor, members })
}

impl Compressed {
    /// The action that helps.
    pub fn remedy(&self) -> &'static str {
        match self.by.as_str() {
            "icpc" => "take the checkpoint that it was made of, or what `icpc dequantize` makes of it",
            _ => "take the checkpoint that it was made of",
        }
    }
}

/// Whether numbers of that type can be codes that need something beside them.
pub fn is_code(dtype: DType) -> bool {
    !dtype.is_float() || matches!(dtype, DType::F8E4M3 | DType::F8E5M2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::parse_listing;

    fn found(listing: &str) -> Option<(String, usize, usize)> {
        let found = compressed(&parse_listing("x.safetensors", listing).unwrap())?;
        Some((found.by, found.tensor, found.members.len()))
    }

    #[test]
    fn methods_are_told_by_their_names() {
        let said = |by: &str, tensor, members| Some((by.to_owned(), tensor, members));
        let four = "a.weight u8 [512, 1]\na.weight.absmax f32 [16]\na.weight.quant_map f32 [16]\n\
                    a.weight.quant_state.bitsandbytes__nf4 u8 [80]\nnorm.weight f32 [8]";
        assert_eq!(found(four), said("bitsandbytes", 1, 4));
        assert_eq!(found("a.SCB f32 [8]\na.weight i8 [8, 8]"), said("bitsandbytes", 0, 2));
        let gptq = "a.g_idx i32 [8]\na.qweight i32 [1, 8]\na.qzeros i32 [1, 1]\na.scales f16 [1, 8]";
        assert_eq!(found(gptq), said("GPTQ or AWQ", 1, 4));
        let packed = "a.weight_packed i32 [8, 1]\na.weight_scale bf16 [8, 1]\na.weight_shape i64 [2]";
        assert_eq!(found(packed), said("compressed-tensors", 0, 3));
        let eight = "a.weight f8_e4m3 [128, 128]\na.weight_scale_inv f32 [1, 1]";
        assert_eq!(found(eight), said("fp8 with scales", 1, 2));
        assert_eq!(found("a.weight i8 [4, 4]\na.weight.scale f32 [4]"), said("codes with scales", 1, 2));
        assert_eq!(
            found("m.down_proj_blocks u8 [4, 4, 16]\nm.down_proj_scales u8 [4, 4]"),
            said("MXFP4", 0, 2)
        );
    }

    #[test]
    fn weights_are_not_taken_for_codes() {
        // A learned scale, a trained table in fp8, a counter.
        assert_eq!(found("norm f32 [8]\nnorm.scale f32 [8]"), None);
        assert_eq!(found("a.weight f8_e4m3 [8, 8]\nsteps i64 []"), None);
        assert_eq!(found("a.weight f32 [8, 8]\na.weight_scale f32 [8]"), None);
    }
}
