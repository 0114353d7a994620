//! What the words of values mean, one sentence each: formats, arguments, fields, metrics, kinds. Keywords have their own
//! table, [`crate::syntax::keywords`].

/// A word of some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Where it stands: the name of a call, block or field, or `format`, `container`, `target`, `casts`, `kind`, `where`, `unit`.
    pub of: &'static str,
    /// As written.
    pub word: &'static str,
    /// One sentence or two.
    pub doc: &'static str,
}

const fn term(of: &'static str, word: &'static str, doc: &'static str) -> Term {
    Term { of, word, doc }
}

/// All of them, by place.
pub const TERMS: &[Term] = &[
    term("format", "keep", "The stored bytes, unchanged, of any element type."),
    term("format", "drop", "Not written."),
    term("format", "fp32", "32-bit floats; rounded once, to nearest, ties to even."),
    term("format", "fp16", "16-bit floats up to 65504; rounded once, to nearest, ties to even."),
    term("format", "bf16", "16-bit floats with the range of fp32; rounded once, to nearest, ties to even."),
    term("format", "fp8_e4m3", "8-bit floats up to 448, without infinities; rounded once, ties to even."),
    term("format", "fp8_e5m2", "8-bit floats up to 57344; rounded once, to nearest, ties to even."),
    term("format", "int8", "8-bit integers with a scale for each group; rounded half to even."),
    term(
        "format",
        "int4",
        "4-bit integers, two in a byte, with a scale for each group; rounded half to even.",
    ),
    term(
        "format",
        "nf4",
        "4-bit codes of bitsandbytes: 16 quantiles of a normal distribution, times the largest magnitude of each block.",
    ),
    term(
        "format",
        "fp4",
        "4-bit floats of bitsandbytes: sign and 8 magnitudes, times the largest magnitude of each block.",
    ),
    term("fp32", "saturate", SATURATE),
    term("fp16", "saturate", SATURATE),
    term("bf16", "saturate", SATURATE),
    term("fp8_e4m3", "saturate", SATURATE),
    term("fp8_e5m2", "saturate", SATURATE),
    term("int8", "per", PER),
    term("int8", "axis", AXIS),
    term(
        "int8",
        "symmetric",
        "`true`: codes -127..=127. `false`: codes 0..=255 and a zero point for each group.",
    ),
    term("int8", "clip", CLIP),
    term("int8", "scale", SCALE),
    term("int8", "activations", ACTIVATIONS),
    term("int4", "per", PER),
    term("int4", "axis", AXIS),
    term("int4", "symmetric", "`true`: codes -7..=7. `false`: codes 0..=15 and a zero point for each group."),
    term("int4", "clip", CLIP),
    term("int4", "scale", SCALE),
    term("int4", "pack", "Which half of a byte holds the first of two values."),
    term("nf4", "block", BLOCK),
    term("nf4", "double", DOUBLE),
    term("fp4", "block", BLOCK),
    term("fp4", "double", DOUBLE),
    term("per", "tensor", "All values of a tensor share one scale."),
    term("per", "channel", "The values of each index of `axis` share a scale."),
    term("per", "block", "Runs of this many values along the last axis share a scale."),
    term("clip", "minmax", "The range of a group ends at its largest magnitude: nothing is cut off."),
    term(
        "clip",
        "percentile",
        "The range of a group ends at this percentile of its magnitudes, interpolated as numpy does; what lies beyond is cut off.",
    ),
    term("clip", "mse", "The range of a group ends where the squared error is least, of 52 candidates."),
    term("scale", "fp32", "Scales of 4 bytes."),
    term("scale", "fp16", "Scales of 2 bytes; values are divided by the rounded scale."),
    term("activations", "fp32", "Inputs of products stay as they are; the weight is decoded for them."),
    term(
        "activations",
        "dynamic",
        "Products in integers: each row of the input is rounded to 8 bits by its own largest magnitude.",
    ),
    term(
        "activations",
        "static",
        "Products in integers: inputs are rounded to 8 bits by one scale, from what `calibrate` saw; stored with the weight.",
    ),
    term("static", "absmax", "The largest magnitude that calibration saw."),
    term(
        "static",
        "percentile",
        "This percentile of the magnitudes that calibration saw; what lies beyond is cut off.",
    ),
    term("pack", "low", "The first of two values is in the low half of the byte."),
    term("pack", "high", "The first of two values is in the high half of the byte."),
    term(
        "prune",
        "keep",
        "How many indices stay, as a number or a share; `2 of 4` keeps 2 values of every 4.",
    ),
    term("prune", "sparsity", "Share of the values that become zero, those of smallest magnitude."),
    term("prune", "by", "How indices are ranked."),
    term("by", "magnitude", "By the square root of the sum of squares, as `l2`."),
    term("by", "l1", "By the sum of absolute values."),
    term("by", "l2", "By the square root of the sum of squares."),
    term("calibrate", "data", "Text file, relative to the recipe's folder."),
    term("calibrate", "tokenizer", "Tokenizer, relative to the recipe's folder."),
    term("calibrate", "samples", "Number of samples."),
    term("calibrate", "batch", "Samples that are run at once."),
    term("calibrate", "max_length", "Longest sample in tokens."),
    term("calibrate", "seed", "Which samples are drawn."),
    term(
        "calibrate",
        "statistics",
        "File that `icpc calibrate` wrote, relative to the recipe's folder: read instead of running samples.",
    ),
    term("evaluate", "data", "Text file, relative to the recipe's folder."),
    term("evaluate", "tokenizer", "Tokenizer, relative to the recipe's folder."),
    term(
        "evaluate",
        "window",
        "Tokens of a window, targets included; as many as the model has positions when it is left out.",
    ),
    term(
        "evaluate",
        "stride",
        "Tokens from the start of a window to that of the next; the window when it is left out.",
    ),
    term("evaluate", "shift", "Tokens by which the targets are ahead; 1 when it is left out."),
    term("evaluate", "samples", "Windows at most, from the first."),
    term("evaluate", "batch", "Windows that are run at once; changes no number."),
    term("tune", "data", "Text file to train on, relative to the recipe's folder."),
    term("tune", "tokenizer", "Tokenizer, relative to the recipe's folder."),
    term("tune", "steps", "Updates of the weights."),
    term("tune", "lr", "Largest learning rate; it falls to zero along half a cosine."),
    term("tune", "batch", "Windows of a forward pass; 16 when it is left out."),
    term("tune", "accumulate", "Forward passes whose gradients are added up for one step."),
    term(
        "tune",
        "window",
        "Tokens of a window, targets included; as many as the model has positions when it is left out.",
    ),
    term(
        "tune",
        "shift",
        "Tokens by which the targets are ahead, as in the model's training; 1 when it is left out.",
    ),
    term("tune", "warmup", "Steps in which the learning rate rises; a twentieth of all when it is left out."),
    term("tune", "weight_decay", "Decay of matrices, decoupled from the gradient; vectors have none."),
    term("tune", "clip_norm", "Norm of all gradients together, to which larger ones are scaled down."),
    term("tune", "distill", "`true`: the uncompressed model teaches. `false`: only the text does."),
    term("tune", "labels", "Share of the loss that the text has; the teacher has the rest."),
    term(
        "tune",
        "temperature",
        "What the logits of teacher and student are divided by before they are compared.",
    ),
    term("tune", "freeze", "Roles of tensors that are not trained."),
    term("tune", "seed", "The order of the windows."),
    term("tune", "evaluate_every", "Steps between two perplexities on the text of `evaluate`."),
    term(
        "tune",
        "checkpoint_every",
        "Steps between two states on the disk, from which an interrupted run goes on.",
    ),
    term("require", "size", "Bytes of the files with weights, headers included; decided by the plan."),
    term(
        "require",
        "compression",
        "Tensor bytes of the source over those of the output; decided by the plan.",
    ),
    term("require", "memory", "Peak memory of the run; decided by the plan for one thread, then by the run."),
    term("require", "sqnr", "Lowest signal-to-noise ratio of any tensor, in dB; decided by the run."),
    term("require", "clipped", "Share of the values that a clip cut off; decided by the run."),
    term("require", "perplexity", "Perplexity of the output on the text of `evaluate`, measured by the run."),
    term("container", "safetensors", "Files of safetensors, with our names for scales and codes."),
    term(
        "container",
        "bitsandbytes",
        "Files of safetensors with the keys that bitsandbytes and transformers load.",
    ),
    term("safetensors", "shards", "Largest size of one file; one file for all if it is left out."),
    term("bitsandbytes", "shards", "Largest size of one file; one file for all if it is left out."),
    term("where", "rank", "Number of axes."),
    term("where", "params", "Number of elements."),
    term("where", "bytes", "Stored bytes."),
    term("where", "dtype", "Element type in the checkpoint; compared with `==` or `!=`."),
    term("where", "dim", "Extent of an axis, counted from 0; a tensor without that axis is left out."),
    term("where", "layer", "First segment that is an integer; a tensor without one is left out."),
    term("where", "role", "Role that the architecture gives; compared with `==` or `!=`."),
    term("target", "cpu", "The processor."),
    term("target", "cuda", "The first GPU."),
    term("casts", "auto", "The narrower type becomes the wider one; of f16 and bf16 both become f32."),
    term("of", "baseline", "What the uncompressed checkpoint has."),
    term("kind", "int", "A whole number of 64 bits: `128`."),
    term("kind", "float", "An exact decimal: `0.5`."),
    term("kind", "percent", "An exact decimal with a sign: `99.99%`."),
    term("kind", "ratio", "A factor: `2.2x`."),
    term("kind", "size", "Whole bytes: `3 MB`, `512 KiB`."),
    term("kind", "string", "Text in quotes: `\"data.txt\"`."),
    term("kind", "bool", "`true` or `false`."),
    term("kind", "format", "What stands behind `=>`: `fp16`, `int8(per: channel)`."),
];

const SATURATE: &str = "`true`: what is too large becomes the largest finite value. `false`: it ends the run with its tensor and index.";
const PER: &str = "Which values share a scale: `tensor`, `channel` or `block 64`.";
const AXIS: &str = "Axis of `per: channel`, counted from 0.";
const CLIP: &str = "Where the range of a group ends: `minmax`, `percentile(99.9%)` or `mse`.";
const SCALE: &str = "Element type of the scales: `fp32` or `fp16`.";
const ACTIVATIONS: &str = "How inputs of products with this matrix are stored for them: `fp32`, `dynamic` or `static(percentile(99.9%))`.";
const BLOCK: &str = "Values of the flattened tensor that share a largest magnitude.";
const DOUBLE: &str = "`true`: the largest magnitudes are stored in 8 bits, nested. `false`: in fp32.";

/// What `word` means in the place `of`.
pub fn describe(of: &str, word: &str) -> Option<&'static str> {
    TERMS.iter().find(|t| t.of == of && t.word == word).map(|t| t.doc)
}

#[cfg(test)]
mod tests {
    use super::super::{filter, format, items, value::Kind};
    use super::*;

    #[test]
    fn every_word_that_is_accepted_is_described() {
        let mut words: Vec<(&str, &str)> = Vec::new();
        for (name, arguments) in format::FORMATS {
            words.push(("format", name));
            words.extend(arguments.iter().map(|a| (*name, *a)));
        }
        words.extend(items::CALIBRATE.iter().map(|w| ("calibrate", *w)));
        words.extend(items::EVALUATE.iter().map(|w| ("evaluate", *w)));
        words.extend(super::super::tune::FIELDS.iter().map(|w| ("tune", *w)));
        words.extend(items::PRUNE.iter().map(|w| ("prune", *w)));
        words.extend(items::METRICS.iter().map(|(w, _)| ("require", *w)));
        words.extend(items::CONTAINERS.iter().map(|(w, _)| ("container", *w)));
        words.extend(filter::SUBJECTS.iter().map(|w| ("where", *w)));
        words.extend(Kind::ALL.iter().map(|k| ("kind", k.name())));
        let missing: Vec<_> = words.into_iter().filter(|(of, word)| describe(of, word).is_none()).collect();
        assert!(missing.is_empty(), "without a description: {missing:?}");
    }

    #[test]
    fn no_word_is_described_twice() {
        let mut all: Vec<_> = TERMS.iter().map(|t| (t.of, t.word)).collect();
        all.sort_unstable();
        let before = all.len();
        all.dedup();
        assert_eq!(all.len(), before);
    }
}
