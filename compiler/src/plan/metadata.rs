//! Formats as JSON: in `plan.json`, in reports and in the metadata of weight files, from where they are read back.

use icpc_kernels::DType;
use icpc_kernels::format::{
    Activations, Cast, Clip, Code4, Code4Kind, Format, Int, IntBits, Pack, Per, Percentile, ScaleDType,
};
use serde::{Deserialize, Serialize};

/// A format with all its arguments, those that it does not have left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormatRecord {
    /// `keep`, `fp16`, `int8`, `nf4`, ...
    pub name: String,
    /// Casts: whether what overflows becomes the largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturate: Option<bool>,
    /// Integers: `tensor`, `channel` or `block`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// Integers per channel: the axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<u32>,
    /// Elements of a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u32>,
    /// Integers: whether there is no zero point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symmetric: Option<bool>,
    /// Integers: `minmax`, `percentile` or `mse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<String>,
    /// The percentile in parts per billion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentile_billionths: Option<u32>,
    /// Integers: `fp32` or `fp16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<String>,
    /// int4: the nibble of the first code, `low` or `high`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
    /// Codebooks: whether the absmax are codes themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub double: Option<bool>,
    /// int8: `dynamic` or `static` where inputs of products are int8, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activations: Option<String>,
    /// `static`: the percentile of calibration in parts per billion; all of them are the largest magnitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation_billionths: Option<u32>,
}

impl FormatRecord {
    fn named(name: &str) -> FormatRecord {
        FormatRecord {
            name: name.to_owned(),
            saturate: None,
            per: None,
            axis: None,
            block: None,
            symmetric: None,
            clip: None,
            percentile_billionths: None,
            scale: None,
            pack: None,
            double: None,
            activations: None,
            activation_billionths: None,
        }
    }

    /// The record of `format`.
    pub fn of(format: &Format) -> FormatRecord {
        let mut record = FormatRecord::named(format.name());
        match format {
            Format::Keep | Format::Drop => {}
            Format::Cast(cast) => record.saturate = Some(cast.saturate()),
            Format::Int(int) => {
                let (per, axis, block) = match int.per {
                    Per::Tensor => ("tensor", None, None),
                    Per::Channel { axis } => ("channel", Some(axis), None),
                    Per::Block(block) => ("block", None, Some(block)),
                };
                let (clip, percentile) = match int.clip {
                    Clip::MinMax => ("minmax", None),
                    Clip::Percentile(percentile) => ("percentile", Some(percentile.billionths())),
                    Clip::Mse => ("mse", None),
                };
                let scale = if int.scale == ScaleDType::F32 { "fp32" } else { "fp16" };
                record.per = Some(per.to_owned());
                record.axis = axis;
                record.block = block;
                record.symmetric = Some(int.symmetric);
                record.clip = Some(clip.to_owned());
                record.percentile_billionths = percentile;
                record.scale = Some(scale.to_owned());
                (record.activations, record.activation_billionths) = match int.activations {
                    Activations::Float => (None, None),
                    Activations::Dynamic => (Some("dynamic".to_owned()), None),
                    Activations::Static(percentile) => {
                        (Some("static".to_owned()), Some(percentile.billionths()))
                    }
                };
                if int.bits == IntBits::Four {
                    record.pack = Some(if int.pack == Pack::Low { "low" } else { "high" }.to_owned());
                }
            }
            Format::Code4(code4) => {
                record.block = Some(code4.block);
                record.double = Some(code4.double);
            }
        }
        record
    }

    /// The format that this record says; nothing when a word is unknown or an argument is missing.
    pub fn format(&self) -> Option<Format> {
        let cast = |to| Cast::new(to, self.saturate?).map(Format::Cast);
        match self.name.as_str() {
            "keep" => Some(Format::Keep),
            "drop" => Some(Format::Drop),
            "fp32" => cast(DType::F32),
            "fp16" => cast(DType::F16),
            "bf16" => cast(DType::Bf16),
            "fp8_e4m3" => cast(DType::F8E4M3),
            "fp8_e5m2" => cast(DType::F8E5M2),
            "int8" => self.int(IntBits::Eight),
            "int4" => self.int(IntBits::Four),
            "nf4" => self.code4(Code4Kind::Nf4),
            "fp4" => self.code4(Code4Kind::Fp4),
            _ => None,
        }
    }

    fn int(&self, bits: IntBits) -> Option<Format> {
        let per = match self.per.as_deref()? {
            "tensor" => Per::Tensor,
            "channel" => Per::Channel { axis: self.axis? },
            "block" => Per::Block(self.block?),
            _ => return None,
        };
        let clip = match self.clip.as_deref()? {
            "minmax" => Clip::MinMax,
            "percentile" => Clip::Percentile(Percentile::from_billionths(self.percentile_billionths?)?),
            "mse" => Clip::Mse,
            _ => return None,
        };
        let scale = match self.scale.as_deref()? {
            "fp32" => ScaleDType::F32,
            "fp16" => ScaleDType::F16,
            _ => return None,
        };
        let pack = match self.pack.as_deref() {
            None | Some("low") => Pack::Low,
            Some("high") => Pack::High,
            _ => return None,
        };
        let activations = match (self.activations.as_deref(), self.activation_billionths) {
            (None, None) => Activations::Float,
            (Some("dynamic"), None) => Activations::Dynamic,
            (Some("static"), Some(share)) => Activations::Static(Percentile::from_billionths(share)?),
            _ => return None,
        };
        let int = Int { bits, per, symmetric: self.symmetric?, clip, scale, pack, activations };
        int.multiplies().then_some(Format::Int(int))
    }

    fn code4(&self, kind: Code4Kind) -> Option<Format> {
        Some(Format::Code4(Code4 { kind, block: self.block?, double: self.double? }))
    }
}

/// What the metadata of a weight file says of a tensor that is not stored as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorRecord {
    /// How it is stored.
    pub format: FormatRecord,
    /// Element type before ([`DType::name`]).
    pub dtype: String,
    /// Shape of the tensor (not of its codes).
    pub shape: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_back() {
        let mut formats = vec![Format::Keep, Format::Drop];
        for to in [DType::F32, DType::F16, DType::Bf16, DType::F8E4M3, DType::F8E5M2] {
            formats.extend([false, true].map(|saturate| Format::Cast(Cast::new(to, saturate).unwrap())));
        }
        for bits in [IntBits::Eight, IntBits::Four] {
            for per in [Per::Tensor, Per::Channel { axis: 1 }, Per::Block(32)] {
                for clip in
                    [Clip::MinMax, Clip::Mse, Clip::Percentile(Percentile::from_percent("99.99").unwrap())]
                {
                    let pack = if bits == IntBits::Four { Pack::High } else { Pack::Low };
                    formats.push(Format::Int(Int {
                        symmetric: false,
                        scale: ScaleDType::F16,
                        pack,
                        per,
                        clip,
                        ..Int::new(bits)
                    }));
                    formats.push(Format::Int(Int { per, clip, ..Int::new(bits) }));
                }
            }
        }
        let half = Percentile::from_percent("50").unwrap();
        for activations in [Activations::Dynamic, Activations::Static(half)] {
            formats.push(Format::Int(Int { activations, ..Int::new(IntBits::Eight) }));
        }
        for kind in [Code4Kind::Nf4, Code4Kind::Fp4] {
            formats.extend([false, true].map(|double| Format::Code4(Code4 { kind, block: 128, double })));
        }
        for format in formats {
            let text = serde_json::to_string(&FormatRecord::of(&format)).unwrap();
            let read: FormatRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(read.format(), Some(format), "{text}");
        }
        insta::assert_snapshot!(
            serde_json::to_string(&FormatRecord::of(&Format::Code4(Code4::new(Code4Kind::Nf4)))).unwrap(),
            @r#"{"name":"nf4","block":64,"double":false}"#
        );
    }
}
