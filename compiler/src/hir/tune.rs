//! Fields of `tune`: how what is left of a model is trained before it is stored.

use super::decimal::Decimal;
use super::fields::Fields;
use super::problems;
use super::recipe::Settings;
use super::value::{Value, ValueKind};

/// Fields of `tune`.
pub const FIELDS: &[&str] = &[
    "data",
    "tokenizer",
    "steps",
    "lr",
    "batch",
    "accumulate",
    "window",
    "shift",
    "warmup",
    "weight_decay",
    "clip_norm",
    "distill",
    "labels",
    "temperature",
    "freeze",
    "seed",
    "evaluate_every",
    "checkpoint_every",
];

/// Most of anything that is counted: more are a slip of the hand.
const MOST: i64 = 100_000_000;

/// The numbers of a `tune`, with those that were left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tune {
    /// Updates of the weights.
    pub steps: u64,
    /// Largest learning rate, that of the first step behind the warm-up.
    pub lr: Decimal,
    /// Windows of a forward pass.
    pub batch: u64,
    /// Forward passes of a step.
    pub accumulate: u64,
    /// Tokens of a window, targets included; as many as the model has positions if `None`.
    pub window: Option<u64>,
    /// Tokens by which a target is ahead.
    pub shift: u64,
    /// Steps in which the learning rate rises.
    pub warmup: u64,
    /// Share of a matrix that each step takes away, for a learning rate of 1.
    pub weight_decay: Decimal,
    /// Largest norm of all gradients together.
    pub clip_norm: Decimal,
    /// Whether the uncompressed model teaches.
    pub distill: bool,
    /// Share of the loss that the labels have, in percent; the teacher has the rest.
    pub labels: Decimal,
    /// What logits are divided by before teacher and student are compared.
    pub temperature: Decimal,
    /// Roles of the tensors that are not trained, in source order.
    pub freeze: Vec<String>,
    /// The order of the windows; 0 where nobody asks for one.
    pub seed: Option<u64>,
    /// Steps from one measurement of the held-out text to the next; only before and after if `None`.
    pub evaluate_every: Option<u64>,
    /// Steps from one state on the disk to the next.
    pub checkpoint_every: u64,
}

impl Tune {
    /// Tokens of a window where neither the recipe nor the architecture says how long a sequence is.
    pub const WINDOW: u64 = 1024;

    /// What `settings` say; `None` where a field that must be there is not.
    pub fn of(settings: &Settings) -> Option<Tune> {
        let count = |name: &str| match settings.get(name)?.kind {
            ValueKind::Int(n) => u64::try_from(n).ok(),
            _ => None,
        };
        let number = |name: &str| decimal(settings.get(name)?);
        let steps = count("steps")?;
        settings.get("data")?;
        let distill = !matches!(settings.get("distill"), Some(Value { kind: ValueKind::Bool(false), .. }));
        let freeze = match settings.get("freeze").map(|v| &v.kind) {
            Some(ValueKind::List(roles)) => roles.iter().filter_map(word).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Some(Tune {
            steps,
            lr: number("lr").unwrap_or_else(|| written("1e-3")),
            batch: count("batch").unwrap_or(16),
            accumulate: count("accumulate").unwrap_or(1),
            window: count("window"),
            shift: count("shift").unwrap_or(1),
            warmup: count("warmup").unwrap_or(steps / 20),
            weight_decay: number("weight_decay").unwrap_or_else(|| written("0.01")),
            clip_norm: number("clip_norm").unwrap_or_else(|| Decimal::integer(1)),
            distill,
            labels: if distill {
                number("labels").unwrap_or_else(|| Decimal::integer(50))
            } else {
                Decimal::integer(100)
            },
            temperature: number("temperature").unwrap_or_else(|| Decimal::integer(1)),
            freeze,
            seed: count("seed"),
            evaluate_every: count("evaluate_every"),
            checkpoint_every: count("checkpoint_every").unwrap_or(100),
        })
    }
}

fn written(text: &str) -> Decimal {
    Decimal::parse(text).unwrap_or_else(|| Decimal::integer(0))
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value.kind {
        ValueKind::Int(n) => Some(Decimal::integer(n)),
        ValueKind::Float(d) | ValueKind::Percent(d) => Some(d),
        _ => None,
    }
}

/// The role that an element of `freeze` names.
pub fn word(value: &Value) -> Option<&str> {
    match &value.kind {
        ValueKind::Word(word) => Some(word),
        _ => None,
    }
}

/// Takes the field `name`, if it is there and can be meant.
pub(super) fn take(fields: &mut Fields<'_>, name: &str) -> Option<Value> {
    let int = |value: Option<(i64, Value)>| value.map(|(_, v)| v);
    match name {
        "data" => fields.need(name, "\"train.txt\"").and_then(|v| text(fields, name, v)),
        "tokenizer" => fields.text(name).map(|(_, v)| v),
        "steps" => fields.need(name, "400").and_then(|v| count(fields, name, v)),
        "seed" => int(fields.int(name, 0..=i64::MAX)),
        "warmup" => int(fields.int(name, 0..=MOST)),
        "lr" => fields.number(name, "1e-3", "above 0 and at most 1", |n| n > zero() && n <= one()),
        "weight_decay" => fields.number(name, "0.01", "0 to 1", |n| n >= zero() && n <= one()),
        "clip_norm" => fields.number(name, "1.0", "above 0", |n| n > zero()),
        "temperature" => fields
            .number(name, "2.0", "above 0 and at most 100", |n| n > zero() && n <= Decimal::integer(100)),
        "labels" => fields.percent(name, false).map(|(_, v)| v),
        "distill" => {
            let value = fields.take(name)?;
            match value.kind {
                ValueKind::Bool(_) => Some(value),
                _ => fields.wrong(&value, name, "a bool", "true"),
            }
        }
        "freeze" => {
            let value = fields.take(name)?;
            match &value.kind {
                ValueKind::List(roles) if roles.iter().all(|r| word(r).is_some()) => Some(value),
                _ => fields.wrong(&value, name, "a list of roles", "[norm, embedding]"),
            }
        }
        _ => int(fields.int(name, 1..=MOST)),
    }
}

fn zero() -> Decimal {
    Decimal::integer(0)
}

fn one() -> Decimal {
    Decimal::integer(1)
}

fn text(fields: &mut Fields<'_>, name: &str, value: Value) -> Option<Value> {
    match &value.kind {
        ValueKind::Text(_) => Some(value),
        _ => fields.wrong(&value, name, "a string", "\"train.txt\""),
    }
}

fn count(fields: &mut Fields<'_>, name: &str, value: Value) -> Option<Value> {
    match value.kind {
        ValueKind::Int(n) if (1..=MOST).contains(&n) => Some(value),
        ValueKind::Int(n) => {
            let headline = format!("`{name}` of `tune` cannot be {n}");
            fields.report(problems::out_of_range(value.loc, headline, &format!("1..={MOST}")));
            None
        }
        _ => fields.wrong(&value, name, "an int", "400"),
    }
}
