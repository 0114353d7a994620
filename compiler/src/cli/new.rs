//! `icpc new`: a first recipe that passes `icpc check`.

use std::path::Path;

use super::{Exit, complain, print};
use crate::arch::ArchModel;
use crate::base::DType;
use crate::checkpoint::Schema;
use crate::db::CheckpointState;
use crate::session::Session;
use crate::{syntax, system};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Checkpoint: a file, or a folder as Hugging Face has it
    #[arg(value_name = "CHECKPOINT", required_unless_present = "library")]
    checkpoint: Option<String>,
    /// Lays out a library of recipes in a folder of this name instead
    #[arg(long, value_name = "NAME", conflicts_with_all = ["checkpoint", "output"])]
    library: Option<String>,
    /// Recipe file to write; printed when it is left out
    #[arg(long, short, value_name = "RECIPE.icp")]
    output: Option<String>,
}

/// The file that the recipe is checked as before it is written.
const DRAFT: &str = "draft.icp";

pub(crate) fn main(args: &Args) -> Exit {
    if let Some(name) = &args.library {
        return super::new_library::main(name);
    }
    let checkpoint = args.checkpoint.as_deref().unwrap_or_default();
    let found = system::read_checkpoint(checkpoint);
    let schema = match found.current() {
        Ok(schema) => schema,
        Err(reason) => {
            complain(&format!("error: {reason}"));
            return Exit::Files;
        }
    };
    if let Some(output) = &args.output
        && Path::new(output).exists()
    {
        complain(&format!("error: `{output}` exists: remove it first, or name another file"));
        return Exit::Files;
    }
    let named = name_from(args.output.as_deref(), checkpoint);
    let text = match draft(schema, &named) {
        Ok(text) => text,
        Err(reason) => {
            complain(&format!("error: {reason}"));
            return Exit::Diagnostics;
        }
    };
    match &args.output {
        None => print(&text),
        Some(output) => {
            if let Err(e) = std::fs::write(output, text) {
                complain(&format!("error: cannot write `{output}`: {}", system::plain(&e)));
                return Exit::Files;
            }
            complain(&format!("wrote `{output}`: `icpc plan {output}` shows what it does"));
        }
    }
    Exit::Success
}

/// Path of the checkpoint as the recipe will name it: relative to the recipe's folder where that is possible.
pub(super) fn name_from(output: Option<&str>, checkpoint: &str) -> String {
    let folder = output.and_then(|o| Path::new(o).parent()).filter(|p| !p.as_os_str().is_empty());
    match folder {
        None => checkpoint.to_owned(),
        Some(folder) => match Path::new(checkpoint).strip_prefix(folder) {
            Ok(inside) => inside.to_string_lossy().into_owned(),
            Err(_) => std::path::absolute(checkpoint)
                .map_or_else(|_| checkpoint.to_owned(), |p| p.to_string_lossy().into_owned()),
        },
    }
}

/// A recipe for `schema`, checked.
fn draft(schema: &std::sync::Arc<Schema>, named: &str) -> Result<String, String> {
    let mut session = Session::new();
    session.set_checkpoint(named, CheckpointState::Loaded(std::sync::Arc::clone(schema)));
    // First without an architecture: the checker finds the one that fits.
    session.set_file(DRAFT, &recipe(named, Model::default(), &[("_", "keep")], None));
    let model = session.analysis(DRAFT, "first").and_then(|a| a.model.clone());
    let roles: Vec<&str> = model
        .iter()
        .flat_map(|m| m.tensors.iter().flatten())
        .flat_map(|f| f.roles.iter().map(String::as_str))
        .collect();
    let known = model.as_deref().map(Model::of).unwrap_or_default();
    let mut arms = candidates(schema, &roles);
    session.set_file(DRAFT, &recipe(named, known, &arms, None));
    if let Some(analysis) = session.analysis(DRAFT, "first") {
        // Arms that would get nothing here are left out; `_` may.
        let mut claimed = analysis.ownership.claimed.iter();
        arms.retain(|(pattern, _)| claimed.next().is_some_and(|c| !c.is_empty()) || *pattern == "_");
    }
    session.set_file(DRAFT, &recipe(named, known, &arms, None));
    let ratio = session.analysis(DRAFT, "first").and_then(|a| {
        let stored = a.stored_bytes.filter(|n| *n > 0)?;
        Some(a.plan.as_ref()?.source.tensor_bytes as f64 / stored as f64)
    });
    let text = recipe(named, known, &arms, ratio);
    session.set_file(DRAFT, &text);
    let errors: Vec<String> = session
        .diagnostics(DRAFT, None)
        .iter()
        .filter(|d| d.level() == crate::diag::Level::Error)
        .map(|d| d.headline.clone())
        .collect();
    match errors.first() {
        None => syntax::format(&text).map_err(|_| "the new recipe does not parse".to_owned()),
        Some(first) => Err(format!("no recipe was found for this checkpoint: {first}")),
    }
}

/// Arms from the most particular to the rest; the ones that match nothing are sorted out afterwards.
fn candidates(schema: &Schema, roles: &[&str]) -> Vec<(&'static str, &'static str)> {
    let with_roles = [
        ("buffer", "@buffer", "keep"),
        ("router", "@router", "keep"),
        ("embedding", "@embedding where rank == 2", "int8(per: channel)"),
        ("position", "@position where rank == 2", "int8(per: channel)"),
        ("expert", "@expert where rank >= 2", "nf4(block: 64, double: true)"),
        ("linear", "@linear where rank == 2", "nf4(block: 64, double: true)"),
    ];
    let has_integers = schema.tensors.iter().any(|t| !t.dtype.is_float());
    let mut arms = Vec::new();
    if has_integers {
        let dtypes: [(DType, &str); 10] = [
            (DType::Bool, "** where dtype == bool"),
            (DType::U8, "** where dtype == u8"),
            (DType::I8, "** where dtype == i8"),
            (DType::U16, "** where dtype == u16"),
            (DType::I16, "** where dtype == i16"),
            (DType::U32, "** where dtype == u32"),
            (DType::I32, "** where dtype == i32"),
            (DType::U64, "** where dtype == u64"),
            (DType::I64, "** where dtype == i64"),
            (DType::C64, "** where dtype == c64"),
        ];
        let present = |d: &DType| schema.tensors.iter().any(|t| t.dtype == *d);
        arms.extend(dtypes.iter().filter(|(d, _)| present(d)).map(|(_, pattern)| (*pattern, "keep")));
    }
    arms.extend(with_roles.iter().filter(|(role, ..)| roles.contains(role)).map(|(_, p, f)| (*p, *f)));
    if roles.is_empty() {
        arms.push(("** where rank == 2 and params >= 4096", "int8(per: channel)"));
    }
    arms.push(("** where rank <= 1", "keep"));
    // fp16 halves f32; bf16 has values that fp16 cannot hold, so narrow types stay as they are.
    let narrow = schema.tensors.iter().any(|t| t.dtype.is_float() && t.dtype.width() <= 2);
    arms.push(("_", if narrow { "keep" } else { "fp16" }));
    arms
}

/// What a recipe says of the architecture.
#[derive(Clone, Copy, Default)]
struct Model<'a> {
    name: Option<&'a str>,
    all: Option<&'a ArchModel>,
}

impl<'a> Model<'a> {
    fn of(model: &'a ArchModel) -> Model<'a> {
        Model { name: Some(&model.name), all: Some(model) }
    }

    /// Settings that choose among things of which the checkpoint has none, with what they choose.
    fn without_choice(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.all.into_iter().flat_map(|m| {
            let none = |dim: &str| m.dim(dim).is_some_and(|d| d.value == Some(0));
            m.settings.iter().filter_map(move |s| {
                let (dim, at_most) = s.at_most.as_ref()?;
                (*at_most == 0 && none(dim)).then_some((s.name.as_str(), dim.as_str()))
            })
        })
    }
}

fn recipe(checkpoint: &str, model: Model<'_>, arms: &[(&str, &str)], ratio: Option<f64>) -> String {
    let arch = model.name;
    let mut text = String::from("//! A first recipe: look at `icpc plan`, then change what matters.\n");
    if let Some(arch) = arch {
        text.push_str(&format!("use std::arch::{arch};\n"));
    }
    text.push_str("\nrecipe first");
    if let Some(arch) = arch {
        text.push_str(&format!(" for {arch}"));
    }
    text.push_str(&format!(" {{\n    checkpoint {};\n    target cpu;\n", quoted(checkpoint)));
    // Vectors stay in f32 beside matrices in f16.
    if arms.iter().any(|(_, format)| *format == "fp16") {
        text.push_str("    casts auto;\n");
    }
    for (setting, dim) in model.without_choice() {
        text.push_str(&format!("    // The checkpoint has 0 `{dim}`: it cannot run until it has some.\n"));
        text.push_str(&format!("    set {setting} = 0;\n"));
    }
    text.push_str("\n    assign {\n");
    for (pattern, format) in arms {
        text.push_str(&format!("        {pattern} => {format},\n"));
    }
    text.push_str("    }\n");
    if let Some(ratio) = ratio {
        // Rounded down: what holds now is what a later change may not lose.
        let hundredths = (ratio * 100.0).floor() as u64;
        text.push_str(&format!(
            "\n    require {{ compression >= {}.{:02}x; }}\n",
            hundredths / 100,
            hundredths % 100
        ));
    }
    text.push_str("\n    emit \"out/first\" as safetensors;\n}\n");
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::parse_listing;

    /// Its router chooses among none, which a first recipe has to say, since a check refuses the default.
    #[test]
    fn a_model_that_lost_its_experts_gets_a_recipe() {
        let listing = "\
            embedding.weight f32 [80, 32]\n\
            position_embedding.weight f32 [16, 32]\n\
            layers.0.ssm.norm.{weight,bias} f32 [32]\n\
            layers.0.ssm.in_proj.weight f32 [128, 32]\n\
            layers.0.ssm.conv1d.weight f32 [64, 1, 4]\n\
            layers.0.ssm.conv1d.bias f32 [64]\n\
            layers.0.ssm.ssm.A_log f32 [8]\n\
            layers.0.ssm.ssm.B f32 [8, 64]\n\
            layers.0.ssm.ssm.C f32 [64, 8]\n\
            layers.0.ssm.ssm.D f32 [64]\n\
            layers.0.ssm.ssm.delta_proj.weight f32 [64, 64]\n\
            layers.0.ssm.ssm.delta_proj.bias f32 [64]\n\
            layers.0.ssm.out_proj.weight f32 [32, 64]\n\
            layers.0.moe.layer.norm.{weight,bias} f32 [32]\n\
            layers.0.moe.layer.router.gate.weight f32 [0, 32]\n\
            layers.0.moe.layer.router.expert_counts f32 [0]\n\
            norm.{weight,bias} f32 [32]\n\
            lm_head.weight = embedding.weight\n";
        let schema = std::sync::Arc::new(parse_listing("lost.pt", listing).unwrap());
        insta::assert_snapshot!(draft(&schema, "lost.pt").unwrap(), @r#"
        //! A first recipe: look at `icpc plan`, then change what matters.
        use std::arch::itera_lite;

        recipe first for itera_lite {
            checkpoint "lost.pt";
            target cpu;
            casts auto;
            // The checkpoint has 0 `experts`: it cannot run until it has some.
            set top_k = 0;

            assign {
                @buffer                    => keep,
                @router                    => keep,
                @embedding where rank == 2 => int8(per: channel),
                @position where rank == 2  => int8(per: channel),
                @linear where rank == 2    => nf4(block: 64, double: true),
                ** where rank <= 1         => keep,
                _                          => fp16,
            }

            require {
                compression >= 4.65x;
            }

            emit "out/first" as safetensors;
        }
        "#);
    }
}
