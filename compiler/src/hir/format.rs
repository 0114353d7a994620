//! From `nf4(block: 64, double: true)` to a storage format.

use icpc_kernels::DType;
use icpc_kernels::format::{
    Activations, Cast, Clip, Code4, Code4Kind, Format, Int, IntBits, Pack, Per, Percentile, ScaleDType,
};

use super::eval::Scope;
use super::fields::Fields;
use super::problems;
use super::value::{Value, ValueKind};
use crate::diag::Diagnostic;

/// Format names with their arguments: the table that completion, hover and messages use.
pub const FORMATS: &[(&str, &[&str])] = &[
    ("keep", &[]),
    ("drop", &[]),
    ("fp32", &["saturate"]),
    ("fp16", &["saturate"]),
    ("bf16", &["saturate"]),
    ("fp8_e4m3", &["saturate"]),
    ("fp8_e5m2", &["saturate"]),
    ("int8", &["per", "axis", "symmetric", "clip", "scale", "activations"]),
    ("int4", &["per", "axis", "symmetric", "clip", "scale", "pack"]),
    ("nf4", &["block", "double"]),
    ("fp4", &["block", "double"]),
];

/// What `per` takes; `block` with a length behind it.
pub const PER: &[&str] = &["tensor", "channel", "block"];
/// What `clip` takes; `percentile` with a percentage in parentheses.
pub const CLIPS: &[&str] = &["minmax", "percentile", "mse"];
/// What `scale` takes.
pub const SCALES: &[(&str, ScaleDType)] = &[("fp32", ScaleDType::F32), ("fp16", ScaleDType::F16)];
/// What `activations` takes; `static` with a statistic of calibration in parentheses.
pub const ACTIVATIONS: &[&str] = &["fp32", "dynamic", "static"];
/// What `static` takes; `percentile` with a percentage in parentheses.
pub const STATISTICS: &[&str] = &["absmax", "percentile"];
/// What `pack` takes: which half of a byte holds the first of two values.
pub const PACKS: &[(&str, Pack)] = &[("low", Pack::Low), ("high", Pack::High)];

/// Lowers the value of an arm. Every argument that cannot be meant is a diagnostic; then there is no format.
pub fn format(value: &Value, scope: &Scope, problems: &mut Vec<Diagnostic>) -> Option<Format> {
    let (name, args) = match &value.kind {
        ValueKind::Word(name) => (name.as_str(), [].as_slice()),
        ValueKind::Call(name, args) => (name.as_str(), args.as_slice()),
        ValueKind::Broken => return None,
        _ => {
            problems.push(problems::wrong_kind(value, "=>", "a format", "fp16"));
            return None;
        }
    };
    let Some((known_name, known)) = FORMATS.iter().find(|(n, _)| *n == name) else {
        let names: Vec<&str> = FORMATS.iter().map(|(n, _)| *n).chain(scope.names()).collect();
        let at = crate::diag::Loc {
            span: crate::base::Span { end: value.loc.span.start + name.len() as u32, ..value.loc.span },
            ..value.loc.clone()
        };
        problems.push(foreign(name).map_or_else(
            || problems::unknown_name(at.clone(), "format", name, &names),
            |ours| {
                problems::unknown_name(at.clone(), "format", name, &[])
                    .help(format!("here it is called `{ours}`"))
                    .fix(crate::diag::Certainty::Unsafe, format!("replace with `{ours}`"), at.clone(), ours)
            },
        ));
        return None;
    };
    let before = problems.len();
    let mut fields = Fields::new(known_name, value.loc.clone(), args, known, None, scope, problems);
    let format = match *known_name {
        "keep" => Some(Format::Keep),
        "drop" => Some(Format::Drop),
        "fp32" => cast(DType::F32, &mut fields),
        "fp16" => cast(DType::F16, &mut fields),
        "bf16" => cast(DType::Bf16, &mut fields),
        "fp8_e4m3" => cast(DType::F8E4M3, &mut fields),
        "fp8_e5m2" => cast(DType::F8E5M2, &mut fields),
        "int8" => Some(int(IntBits::Eight, &mut fields)),
        "int4" => Some(int(IntBits::Four, &mut fields)),
        "nf4" => Some(code4(Code4Kind::Nf4, &mut fields)),
        _ => Some(code4(Code4Kind::Fp4, &mut fields)),
    };
    // A format with a wrong argument is no format: nothing may run on a default that was not meant.
    if problems.len() > before || value.kind.has_broken() { None } else { format }
}

/// Our name for what other tools call it.
fn foreign(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "float16" | "half" | "f16" => "fp16",
        "bfloat16" => "bf16",
        "float32" | "float" | "f32" => "fp32",
        "float8_e4m3fn" | "fp8" | "f8_e4m3" | "e4m3" => "fp8_e4m3",
        "float8_e5m2" | "f8_e5m2" | "e5m2" => "fp8_e5m2",
        "i8" | "qint8" | "w8a16" | "q8_0" => "int8",
        "i4" | "w4a16" | "q4_0" => "int4",
        "none" | "skip" | "same" | "ignore" => "keep",
        "delete" | "remove" => "drop",
        _ => return None,
    })
}

fn cast(to: DType, fields: &mut Fields<'_>) -> Option<Format> {
    let saturate = fields.bool("saturate").unwrap_or(false);
    Cast::new(to, saturate).map(Format::Cast)
}

fn int(bits: IntBits, fields: &mut Fields<'_>) -> Format {
    let mut int = Int::new(bits);
    let axis = fields.int("axis", 0..=63);
    if let Some(per) = fields.take("per") {
        match &per.kind {
            ValueKind::Word(w) if w == "tensor" => int.per = Per::Tensor,
            ValueKind::Word(w) if w == "channel" => int.per = Per::Channel { axis: 0 },
            ValueKind::Worded(w, n) if w == "block" => match n.kind {
                ValueKind::Int(n) if (1..=1 << 20).contains(&n) => {
                    int.per = Per::Block(u32::try_from(n).unwrap_or(u32::MAX));
                }
                ValueKind::Int(n) => fields.report(problems::out_of_range(
                    per.loc.clone(),
                    format!("a block cannot have {n} elements"),
                    "1..=1048576",
                )),
                _ => {
                    let _: Option<()> = fields.wrong(n, "block", "an int", "64");
                }
            },
            ValueKind::Word(w) if w == "block" => fields.report(
                Diagnostic::new(&problems::MISSING_FIELD, per.loc.clone(), "`block` needs a length")
                    .help("write `per: block 64`"),
            ),
            ValueKind::Word(w) => fields.report(
                problems::unknown_name(per.loc.clone(), "grouping", w, PER)
                    .because("`per` takes `tensor`, `channel` or `block 64`"),
            ),
            _ => {
                let _: Option<()> = fields.wrong(&per, "per", "`tensor`, `channel` or `block 64`", "channel");
            }
        }
    }
    if let Some((_, value)) = axis.as_ref().filter(|_| !matches!(int.per, Per::Channel { .. })) {
        fields.report(
            Diagnostic::new(&problems::UNKNOWN_FIELD, value.loc.clone(), "`axis` belongs to `per: channel`")
                .label(match int.per {
                    Per::Block(n) => format!("here `per` is `block {n}`"),
                    Per::Tensor | Per::Channel { .. } => "here `per` is `tensor`".to_owned(),
                })
                .help("add `per: channel`, or remove the `axis`"),
        );
    }
    if let (Some((axis, _)), Per::Channel { axis: of }) = (axis, &mut int.per) {
        *of = u32::try_from(axis).unwrap_or(u32::MAX);
    }
    if let Some(symmetric) = fields.bool("symmetric") {
        int.symmetric = symmetric;
    }
    if let Some(clip) = fields.take("clip") {
        match clip_of(&clip, fields) {
            Some(clip) => int.clip = clip,
            None => return Format::Int(int),
        }
    }
    if let Some(scale) = fields.word("scale", SCALES) {
        int.scale = scale;
    }
    if let Some(pack) = fields.word("pack", PACKS) {
        int.pack = pack;
    }
    if let Some(value) = fields.take("activations") {
        match activations_of(&value, fields) {
            Some(activations) => int.activations = activations,
            None => return Format::Int(int),
        }
        if !int.multiplies() {
            let (what, help) = match int.per {
                Per::Block(n) => (format!("`per: block {n}`"), "take `per: channel` or `per: tensor`"),
                _ => ("`symmetric: false`".to_owned(), "remove `symmetric`"),
            };
            let headline = format!("`activations: {}` does not go with {what}", int.activations);
            fields.report(
                Diagnostic::new(&problems::NO_INTEGER_PRODUCT, value.loc, headline)
                    .label("products in integers have one scale for each output, and no zero points")
                    .help(help),
            );
        }
    }
    Format::Int(int)
}

fn activations_of(value: &Value, fields: &mut Fields<'_>) -> Option<Activations> {
    match &value.kind {
        ValueKind::Word(w) if w == "fp32" => Some(Activations::Float),
        ValueKind::Word(w) if w == "dynamic" => Some(Activations::Dynamic),
        ValueKind::Call(name, args) if name == "static" => match args.as_slice() {
            [(None, statistic)] => statistic_of(statistic, fields).map(Activations::Static),
            _ => {
                let wanted = "one statistic";
                fields.report(problems::wrong_kind(value, "static", wanted, "static(percentile(99.9%))"));
                None
            }
        },
        ValueKind::Word(w) if w == "static" => {
            fields.report(
                Diagnostic::new(&problems::MISSING_FIELD, value.loc.clone(), "`static` needs a statistic")
                    .help("write it like `static(percentile(99.9%))` or `static(absmax)`"),
            );
            None
        }
        ValueKind::Word(w) if STATISTICS.contains(&w.as_str()) => {
            let with = if w == "absmax" { "static(absmax)" } else { "static(percentile(99.9%))" };
            fields.replace(value.loc.clone(), format!("`{w}` is a statistic of calibration"), with);
            None
        }
        ValueKind::Word(w) => {
            fields.report(problems::unknown_name(value.loc.clone(), "`activations`", w, ACTIVATIONS));
            None
        }
        ValueKind::Call(name, _) if name == "percentile" => {
            let with = format!("static({})", value.kind);
            fields.replace(value.loc.clone(), "`percentile` is a statistic of calibration".to_owned(), &with);
            None
        }
        _ => fields.wrong(value, "activations", "`fp32`, `dynamic` or `static(...)`", "dynamic"),
    }
}

/// The percentile that a static scale is made of; all for `absmax`.
fn statistic_of(value: &Value, fields: &mut Fields<'_>) -> Option<Percentile> {
    match &value.kind {
        ValueKind::Word(w) if w == "absmax" => Percentile::from_billionths(1_000_000_000),
        ValueKind::Word(w) if w != "percentile" => {
            fields.report(problems::unknown_name(value.loc.clone(), "statistic", w, STATISTICS));
            None
        }
        _ => percentile_of(value, fields, "static", "`absmax` or `percentile(p)`"),
    }
}

fn clip_of(value: &Value, fields: &mut Fields<'_>) -> Option<Clip> {
    match &value.kind {
        ValueKind::Word(w) if w == "minmax" => Some(Clip::MinMax),
        ValueKind::Word(w) if w == "mse" => Some(Clip::Mse),
        ValueKind::Word(w) if w != "percentile" => {
            fields.report(problems::unknown_name(value.loc.clone(), "clip", w, CLIPS));
            None
        }
        _ => percentile_of(value, fields, "clip", "`minmax`, `percentile(p)` or `mse`").map(Clip::Percentile),
    }
}

/// `percentile(p)`; anything else is no value of `field`, which takes what is `wanted`.
fn percentile_of(value: &Value, fields: &mut Fields<'_>, field: &str, wanted: &str) -> Option<Percentile> {
    match &value.kind {
        ValueKind::Call(name, args) if name == "percentile" => {
            let [(None, p)] = args.as_slice() else {
                fields.report(problems::wrong_kind(
                    value,
                    "percentile",
                    "one percentage",
                    "percentile(99.99%)",
                ));
                return None;
            };
            let ValueKind::Percent(percent) = &p.kind else {
                return fields.wrong(p, "percentile", "a percentage", "99.99%");
            };
            let found = Percentile::from_percent(&percent.to_string());
            if found.is_none() {
                fields.report(problems::out_of_range(
                    p.loc.clone(),
                    format!("`percentile` cannot be {percent}%"),
                    "above 0% and at most 100%, with at most 7 decimals",
                ));
            }
            found
        }
        ValueKind::Word(w) if w == "percentile" => {
            fields.report(
                Diagnostic::new(
                    &problems::MISSING_FIELD,
                    value.loc.clone(),
                    "`percentile` needs a percentage",
                )
                .help("write it like `percentile(99.99%)`"),
            );
            None
        }
        _ => fields.wrong(value, field, wanted, "percentile(99.99%)"),
    }
}

fn code4(kind: Code4Kind, fields: &mut Fields<'_>) -> Format {
    let mut code4 = Code4::new(kind);
    if let Some((block, _)) = fields.int("block", 1..=1 << 20) {
        code4.block = u32::try_from(block).unwrap_or(u32::MAX);
    }
    if let Some(double) = fields.bool("double") {
        code4.double = double;
    }
    Format::Code4(code4)
}
