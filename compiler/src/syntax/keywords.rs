//! The words of the language, in one table: for suggestions, completion and the editors' grammars.
//!
//! All of them are contextual: a tensor's segment may be called `use`, `in`, `layer` or `dim`.

/// Where a word is a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Starts an item of a file.
    File,
    /// Part of an item's head, such as `extends`.
    Head,
    /// Starts an item of a recipe.
    Recipe,
    /// Part of a pattern.
    Pattern,
    /// Part of a value.
    Value,
    /// Starts an item of an architecture.
    Arch,
    /// Part of a `forward` body.
    Forward,
}

/// One keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// As written.
    pub word: &'static str,
    /// Where it is one.
    pub place: Place,
    /// The whole construct in one line; `...` stands for what is left out.
    pub form: &'static str,
    /// One sentence, shown on hover.
    pub doc: &'static str,
}

const fn keyword(place: Place, word: &'static str, form: &'static str, doc: &'static str) -> Keyword {
    Keyword { word, place, form, doc }
}

/// All keywords.
pub const KEYWORDS: &[Keyword] = &[
    keyword(
        Place::File,
        "use",
        "use std::arch::itera_lite;",
        "Brings names of the library or of another file in.",
    ),
    keyword(Place::File, "const", "const clip: percent = 99.99%;", "Names a value."),
    keyword(Place::File, "recipe", "recipe name { ... }", "What happens to the tensors of a checkpoint."),
    keyword(Place::File, "arch", "arch name { ... }", "Names, shapes and roles of a family of checkpoints."),
    keyword(
        Place::File,
        "derive",
        "derive student from itera_lite { hidden: 64, layers: 3 }",
        "A smaller shape of an architecture, made of the checkpoint of a larger one.",
    ),
    keyword(
        Place::Head,
        "extends",
        "recipe b extends a { ... }",
        "This recipe's arms come first, then the other's.",
    ),
    keyword(
        Place::Head,
        "for",
        "recipe a for itera_lite { ... }",
        "The architecture that the recipe is written for.",
    ),
    keyword(Place::Recipe, "checkpoint", "checkpoint \"model.safetensors\";", "The weights that go in."),
    keyword(Place::Recipe, "target", "target a30;", "The machine that the result is meant for."),
    keyword(
        Place::Recipe,
        "casts",
        "casts auto;",
        "Who loads the output converts element types where two of them meet; the plan lists where.",
    ),
    keyword(Place::Recipe, "set", "set top_k = 2;", "Overrides a default of the architecture."),
    keyword(
        Place::Recipe,
        "prune",
        "prune dim expert in layers.*.moe { keep: 75% }",
        "Removes weights, experts or a whole dim.",
    ),
    keyword(
        Place::Recipe,
        "assign",
        "assign { pattern => format, }",
        "Gives every tensor a format; the first arm that matches owns it.",
    ),
    keyword(
        Place::Recipe,
        "calibrate",
        "calibrate { data: \"train.txt\", samples: 1000 }",
        "Text that is run through the model before quantising.",
    ),
    keyword(
        Place::Recipe,
        "evaluate",
        "evaluate { data: \"test.txt\", window: 128 }",
        "Text on which the result is measured.",
    ),
    keyword(
        Place::Recipe,
        "tune",
        "tune { data: \"train.txt\", steps: 400, distill: true }",
        "Training of what is left after pruning, with the formats in place, before it is stored.",
    ),
    keyword(Place::Recipe, "require", "require { size <= 3 MB; }", "Conditions that the result must meet."),
    keyword(
        Place::Recipe,
        "emit",
        "emit \"out\" as safetensors;",
        "Where and in which container the result is written.",
    ),
    keyword(
        Place::Pattern,
        "where",
        "** where rank == 1",
        "Keeps the tensors for which the condition holds.",
    ),
    keyword(Place::Pattern, "except", "** except @norm", "Takes tensors out of a pattern."),
    keyword(Place::Pattern, "and", "rank >= 2 and params > 4096", "Both conditions."),
    keyword(Place::Pattern, "or", "rank == 1 or params < 64", "Either condition."),
    keyword(Place::Pattern, "not", "not dtype == f32", "The opposite of the condition."),
    keyword(Place::Value, "of", "105% of baseline", "A share of something."),
    keyword(Place::Value, "as", "emit \"out\" as gguf;", "The container of the output."),
    keyword(Place::Value, "in", "prune dim expert in layers.*", "The tensors in which the dim is pruned."),
    keyword(
        Place::Value,
        "from",
        "default heads: int = 12 from num_attention_heads;",
        "The keys of config.json that are looked for.",
    ),
    keyword(Place::Value, "true", "double: true", "Yes."),
    keyword(Place::Value, "false", "double: false", "No."),
    keyword(Place::Arch, "dim", "dim vocab, hidden;", "Names sizes that shapes share."),
    keyword(
        Place::Arch,
        "recurrent",
        "recurrent state;",
        "Dims that carry state from step to step: they may not be pruned.",
    ),
    keyword(
        Place::Arch,
        "residual",
        "residual hidden;",
        "Dims that every layer reads and writes: they may not be pruned.",
    ),
    keyword(
        Place::Arch,
        "default",
        "default top_k: int = 2 <= experts from num_experts_per_tok;",
        "A number that shapes do not tell; read from config.json under the keys behind `from` where they are there.",
    ),
    keyword(
        Place::Arch,
        "either",
        "either { ... } or { ... }",
        "Exactly one of the branches is in the checkpoint.",
    ),
    keyword(
        Place::Arch,
        "forward",
        "forward(tokens: [batch, seq]) -> [batch, seq, vocab] { ... }",
        "How the model computes.",
    ),
    keyword(Place::Forward, "let", "let x = linear(x, w);", "Names a result."),
    keyword(Place::Forward, "for", "for layer in layers { ... }", "Once for every index."),
    keyword(
        Place::Forward,
        "match",
        "match layer { moe.ffn => ..., moe.layer => ... }",
        "Chooses by which branch of an `either` is there.",
    ),
    keyword(
        Place::Forward,
        "if",
        "if bias { ... } else { ... }",
        "Chooses by a default or by whether a tensor is there.",
    ),
    keyword(Place::Forward, "else", "if bias { ... } else { ... }", "What happens otherwise."),
];

/// Units of a size, with their bytes. (The ones of other numbers are `%` and `x`.)
pub const UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Keywords of one place.
pub fn keywords(place: Place) -> impl Iterator<Item = &'static Keyword> {
    KEYWORDS.iter().filter(move |k| k.place == place)
}

/// What other languages call the items of this one: `(foreign, place, ours)`.
pub(super) const FOREIGN: &[(&str, Place, &str)] = &[
    ("import", Place::File, "use"),
    ("include", Place::File, "use"),
    ("let", Place::File, "const"),
    ("var", Place::File, "const"),
    ("fn", Place::File, "recipe"),
    ("def", Place::File, "recipe"),
    ("architecture", Place::File, "arch"),
    ("model", Place::File, "arch"),
    ("match", Place::Recipe, "assign"),
    ("quantize", Place::Recipe, "assign"),
    ("quantise", Place::Recipe, "assign"),
    ("calibration", Place::Recipe, "calibrate"),
    ("eval", Place::Recipe, "evaluate"),
    ("evaluation", Place::Recipe, "evaluate"),
    ("train", Place::Recipe, "tune"),
    ("finetune", Place::Recipe, "tune"),
    ("fine_tune", Place::Recipe, "tune"),
    ("requires", Place::Recipe, "require"),
    ("constraints", Place::Recipe, "require"),
    ("assert", Place::Recipe, "require"),
    ("output", Place::Recipe, "emit"),
    ("save", Place::Recipe, "emit"),
    ("export", Place::Recipe, "emit"),
    ("load", Place::Recipe, "checkpoint"),
    ("model", Place::Recipe, "checkpoint"),
    ("device", Place::Recipe, "target"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_knows_every_unit() {
        for (unit, _) in UNITS {
            let file = crate::syntax::parse(&format!("const x = 1 {unit};\n"));
            assert!(file.errors.is_empty(), "{unit}: {:?}", file.errors);
        }
    }
}
