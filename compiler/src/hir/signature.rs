//! What calls and blocks take: arguments with their values and defaults, read from the tables and from the defaults of
//! the formats themselves. For completion and signature help.

use icpc_kernels::DType;
use icpc_kernels::format::{Cast, Clip, Code4, Code4Kind, Format, Int, IntBits, Per};

use super::format::{ACTIVATIONS, CLIPS, FORMATS, PACKS, PER, SCALES};
use super::items::{CALIBRATE, CONTAINERS, EMIT, EVALUATE, NORMS, PRUNE};
use super::tune::FIELDS as TUNE;
use super::vocabulary::describe;

/// What a call or block takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// As written: `nf4`, `prune`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Whether it is a block with braces.
    pub block: bool,
    /// In the order of the table.
    pub parameters: Vec<Parameter>,
}

/// One argument or field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// As written before the `:`; empty for a value without a name.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What holds when it is left out, if anything does.
    pub default: Option<&'static str>,
    /// One sentence.
    pub doc: &'static str,
}

/// What an argument takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takes {
    /// `true` or `false`.
    Bool,
    /// A whole number, such as these.
    Int(&'static [&'static str]),
    /// A number, such as these.
    Number(&'static [&'static str]),
    /// A percentage, such as this.
    Percent(&'static str),
    /// A size, such as this.
    Size(&'static str),
    /// A path in quotes.
    Path,
    /// One of these words.
    Words(Vec<&'static str>),
    /// One of these forms.
    Forms(&'static [&'static str]),
}

impl Takes {
    /// What it takes, in few words.
    pub fn text(&self) -> String {
        match self {
            Takes::Bool => "bool".to_owned(),
            Takes::Int(_) => "int".to_owned(),
            Takes::Number(_) => "float".to_owned(),
            Takes::Percent(_) => "percent".to_owned(),
            Takes::Size(_) => "size".to_owned(),
            Takes::Path => "string".to_owned(),
            Takes::Words(words) => words.join(" | "),
            Takes::Forms(forms) => forms.join(" | "),
        }
    }

    /// Values to choose from, or to begin with.
    pub fn values(&self) -> Vec<&'static str> {
        match self {
            Takes::Bool => vec!["true", "false"],
            Takes::Int(examples) | Takes::Number(examples) => examples.to_vec(),
            Takes::Percent(example) | Takes::Size(example) => vec![example],
            Takes::Path => Vec::new(),
            Takes::Words(words) => words.clone(),
            Takes::Forms(forms) => forms.to_vec(),
        }
    }
}

/// `per`, in the order of its words.
const PER_FORMS: &[&str] = &["tensor", "channel", "block 64"];
/// `clip`, in the order of its words.
const CLIP_FORMS: &[&str] = &["minmax", "percentile(99.9%)", "mse"];
/// `activations`, in the order of its words.
const ACTIVATION_FORMS: &[&str] = &["fp32", "dynamic", "static(percentile(99.9%))"];
/// `static`, in the order of its words.
const STATISTIC_FORMS: &[&str] = &["absmax", "percentile(99.9%)"];
const KEEP_FORMS: &[&str] = &["3", "75%", "2 of 4"];

/// What a call takes: a format, a container, `percentile`.
pub fn call(name: &str) -> Option<Signature> {
    if let Some((name, arguments)) = FORMATS.iter().find(|(n, _)| *n == name) {
        let parameters = arguments.iter().map(|argument| argument_of(name, argument)).collect();
        return Some(Signature {
            name,
            doc: describe("format", name).unwrap_or(""),
            block: false,
            parameters,
        });
    }
    if let Some((name, _)) = CONTAINERS.iter().find(|(n, _)| *n == name) {
        let parameters = EMIT.iter().map(|field| parameter(name, field, Takes::Size("5 GB"), None)).collect();
        return Some(Signature {
            name,
            doc: describe("container", name).unwrap_or(""),
            block: false,
            parameters,
        });
    }
    if name == "static" {
        let doc = "What calibration saw of the inputs of the product.";
        let takes = Takes::Forms(STATISTIC_FORMS);
        return Some(Signature {
            name: "static",
            doc: describe("activations", "static").unwrap_or(""),
            block: false,
            parameters: vec![Parameter { name: "", takes, default: None, doc }],
        });
    }
    (name == "percentile").then(|| Signature {
        name: "percentile",
        doc: describe("clip", "percentile").unwrap_or(""),
        block: false,
        parameters: vec![Parameter {
            name: "",
            takes: Takes::Percent("99.9%"),
            default: None,
            doc: "Above 0% and at most 100%.",
        }],
    })
}

/// What a block takes: `prune`, `calibrate`, `evaluate`, `tune`.
pub fn block(name: &str) -> Option<Signature> {
    let (name, fields) = [("prune", PRUNE), ("calibrate", CALIBRATE), ("evaluate", EVALUATE), ("tune", TUNE)]
        .into_iter()
        .find(|(n, _)| *n == name)?;
    let keyword = crate::syntax::keywords::KEYWORDS.iter().find(|k| k.word == name);
    let parameters = fields.iter().map(|field| field_of(name, field)).collect();
    Some(Signature { name, doc: keyword.map_or("", |k| k.doc), block: true, parameters })
}

fn parameter(of: &str, name: &'static str, takes: Takes, default: Option<&'static str>) -> Parameter {
    Parameter { name, takes, default, doc: describe(of, name).unwrap_or("") }
}

fn words<T>(table: &'static [(&'static str, T)]) -> Takes {
    Takes::Words(table.iter().map(|(word, _)| *word).collect())
}

fn argument_of(format: &'static str, name: &'static str) -> Parameter {
    let takes = match name {
        "per" => Takes::Forms(PER_FORMS),
        "clip" => Takes::Forms(CLIP_FORMS),
        "activations" => Takes::Forms(ACTIVATION_FORMS),
        "scale" => words(SCALES),
        "pack" => words(PACKS),
        "axis" => Takes::Int(&["0", "1"]),
        "block" => Takes::Int(&["64", "128", "256", "512", "1024", "2048", "4096"]),
        _ => Takes::Bool,
    };
    parameter(format, name, takes, default_of(format, name))
}

fn field_of(block: &'static str, name: &'static str) -> Parameter {
    let (takes, default) = match name {
        "data" | "tokenizer" | "statistics" => (Takes::Path, None),
        "keep" => (Takes::Forms(KEEP_FORMS), None),
        "sparsity" => (Takes::Percent("50%"), None),
        "by" => (words(NORMS), Some("magnitude")),
        "max_length" | "window" | "stride" => (Takes::Int(&["128"]), None),
        "samples" => (Takes::Int(&["1000"]), None),
        "batch" => (Takes::Int(&["32"]), None),
        "shift" => (Takes::Int(&["1"]), None),
        "steps" => (Takes::Int(&["400"]), None),
        "lr" => (Takes::Number(&["1e-3"]), Some("1e-3")),
        "weight_decay" => (Takes::Number(&["0.01"]), Some("0.01")),
        "clip_norm" => (Takes::Number(&["1.0"]), Some("1.0")),
        "temperature" => (Takes::Number(&["1.0"]), Some("1.0")),
        "labels" => (Takes::Percent("50%"), Some("50%")),
        "distill" => (Takes::Bool, Some("true")),
        "freeze" => (Takes::Forms(&["[embedding, norm]"]), None),
        "accumulate" => (Takes::Int(&["1"]), Some("1")),
        "warmup" => (Takes::Int(&["20"]), None),
        "evaluate_every" => (Takes::Int(&["100"]), None),
        "checkpoint_every" => (Takes::Int(&["100"]), Some("100")),
        _ => (Takes::Int(&["0"]), None),
    };
    parameter(block, name, takes, default)
}

/// The format `name` without arguments.
fn plain(name: &str) -> Option<Format> {
    let cast = |to| Cast::new(to, false).map(Format::Cast);
    match name {
        "fp32" => cast(DType::F32),
        "fp16" => cast(DType::F16),
        "bf16" => cast(DType::Bf16),
        "fp8_e4m3" => cast(DType::F8E4M3),
        "fp8_e5m2" => cast(DType::F8E5M2),
        "int8" => Some(Format::Int(Int::new(IntBits::Eight))),
        "int4" => Some(Format::Int(Int::new(IntBits::Four))),
        "nf4" => Some(Format::Code4(Code4::new(Code4Kind::Nf4))),
        "fp4" => Some(Format::Code4(Code4::new(Code4Kind::Fp4))),
        _ => None,
    }
}

fn default_of(format: &str, argument: &str) -> Option<&'static str> {
    let flag = |on: bool| Some(if on { "true" } else { "false" });
    match (plain(format)?, argument) {
        (Format::Cast(cast), "saturate") => flag(cast.saturate()),
        (Format::Int(int), "per") => match int.per {
            Per::Tensor => PER.first().copied(),
            Per::Channel { .. } => PER.get(1).copied(),
            Per::Block(_) => PER.get(2).copied(),
        },
        (Format::Int(_), "axis") => Some("0"),
        (Format::Int(int), "symmetric") => flag(int.symmetric),
        (Format::Int(int), "clip") => match int.clip {
            Clip::MinMax => CLIPS.first().copied(),
            Clip::Percentile(_) => CLIPS.get(1).copied(),
            Clip::Mse => CLIPS.get(2).copied(),
        },
        (Format::Int(_), "activations") => ACTIVATIONS.first().copied(),
        (Format::Int(int), "scale") => word_of(SCALES, int.scale),
        (Format::Int(int), "pack") => word_of(PACKS, int.pack),
        (Format::Code4(code), "block") => {
            ["64", "128", "256"].into_iter().find(|n| *n == code.block.to_string())
        }
        (Format::Code4(code), "double") => flag(code.double),
        _ => None,
    }
}

fn word_of<T: PartialEq>(table: &[(&'static str, T)], value: T) -> Option<&'static str> {
    table.iter().find(|(_, v)| *v == value).map(|(word, _)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;

    /// The format behind `=>`, or what is wrong with it.
    fn lowered(value: &str) -> Result<Format, String> {
        let mut session = Session::new();
        session.set_file("a.icp", &format!("recipe r {{\n    assign {{ _ => {value} }}\n}}\n"));
        let recipe = session.recipe("a.icp", "r").unwrap();
        let wrong = |d: &crate::diag::Diagnostic| d.headline.clone();
        recipe.arms[0].format.ok_or_else(|| session.diagnostics("a.icp", None).iter().map(wrong).collect())
    }

    #[test]
    fn every_value_is_taken_and_every_default_is_one() {
        for (name, _) in FORMATS {
            let signature = call(name).unwrap();
            let plain = lowered(name).unwrap();
            for parameter in &signature.parameters {
                let with = |value: &str| {
                    let per = if parameter.name == "axis" { "per: channel, " } else { "" };
                    lowered(&format!("{name}({per}{}: {value})", parameter.name))
                };
                for value in parameter.takes.values() {
                    with(value).unwrap_or_else(|e| panic!("{name}({}: {value}): {e}", parameter.name));
                }
                let default = parameter.default.unwrap_or_else(|| panic!("{name}: {}", parameter.name));
                if parameter.name != "axis" {
                    assert_eq!(with(default).unwrap(), plain, "{name}: {}", parameter.name);
                }
                assert!(parameter.takes.values().iter().any(|v| v == &default), "{name}: {}", parameter.name);
            }
        }
    }

    #[test]
    fn every_word_of_a_table_has_a_form() {
        let first = |form: &'static str| form.split([' ', '(']).next().unwrap();
        assert_eq!(PER_FORMS.iter().map(|f| first(f)).collect::<Vec<_>>(), PER);
        assert_eq!(CLIP_FORMS.iter().map(|f| first(f)).collect::<Vec<_>>(), CLIPS);
        assert_eq!(ACTIVATION_FORMS.iter().map(|f| first(f)).collect::<Vec<_>>(), ACTIVATIONS);
        assert_eq!(
            STATISTIC_FORMS.iter().map(|f| first(f)).collect::<Vec<_>>(),
            super::super::format::STATISTICS
        );
    }

    #[test]
    fn fields_of_blocks_are_taken() {
        for (name, head) in [
            ("prune", "prune layers"),
            ("calibrate", "calibrate"),
            ("evaluate", "evaluate"),
            ("tune", "tune"),
        ] {
            for parameter in block(name).unwrap().parameters {
                for value in parameter.takes.values() {
                    let more = match (name, parameter.name) {
                        (_, "by") => "keep: 3, ",
                        ("tune", "steps") => "data: \"a.txt\", ",
                        ("tune", _) => "data: \"a.txt\", steps: 100, ",
                        _ => "",
                    };
                    let mut session = Session::new();
                    let text =
                        format!("recipe r {{\n    {head} {{ {more}{}: {value} }}\n}}\n", parameter.name);
                    session.set_file("a.icp", &text);
                    let found = session.diagnostics("a.icp", None);
                    assert!(
                        found.iter().all(|d| d.level() != crate::diag::Level::Error),
                        "{text}: {found:?}"
                    );
                }
            }
        }
    }
}
