//! Arms for the tensors that none claims. They keep them as they are, which is right for any element type and shape: the
//! recipe passes, and each line is there to be decided upon.

use icpc::plan::patterns::patterns_of;
use icpc::session::Session;
use icpc::syntax::tree::{Item, Recipe};

use super::arms;
use crate::edits::Edits;

/// Tensors of a recipe that no arm claims.
pub fn uncovered(session: &Session, path: &str, recipe: &str) -> u64 {
    let (Some(analysis), Some(schema)) = (
        session.analysis(path, recipe),
        session.checkpoint_path(path, recipe).and_then(|c| session.schema(&c)),
    ) else {
        return 0;
    };
    let owners = analysis.ownership.owner.iter().zip(&schema.tensors);
    owners.filter(|(owner, tensor)| owner.is_none() && tensor.tied_to.is_none()).count() as u64
}

/// Edits that give them arms. `None` if all are claimed.
pub fn cover(session: &Session, path: &str, recipe: &str) -> Option<Edits> {
    let analysis = session.analysis(path, recipe)?;
    let schema = session.schema(&session.checkpoint_path(path, recipe)?)?;
    let owners = analysis.ownership.owner.iter().zip(&schema.tensors);
    let names = owners.filter(|(owner, tensor)| owner.is_none() && tensor.tied_to.is_none());
    let patterns = patterns_of(names.map(|(_, tensor)| tensor.name.as_str()));
    if patterns.is_empty() {
        return None;
    }
    let new: Vec<String> = patterns.iter().map(|pattern| format!("{pattern} => keep")).collect();
    arms::append(session.text(path)?, &tree_of(session, path, recipe)?, &new, "")
}

/// The recipe `name` of a file, absolute.
fn tree_of(session: &Session, path: &str, name: &str) -> Option<Recipe> {
    session.tree(path)?.items.iter().find_map(|item| match item {
        Item::Recipe(recipe) if recipe.name.text == name => Some(recipe.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use icpc::diag::Level;

    use super::super::applied;
    use super::*;

    const LISTING: &str = "embedding.weight f32 [512, 64]\nlayers.{0..=3}.ssm.w.weight f32 [64, 100]\n\
        layers.{0..=3}.norm.{weight,bias} f32 [64]\nlayers.{1,3}.moe.experts.{0..=7}.w1 f32 [64]\n\"odd name.a--b\" \
        i64 [3]\n\"_\" f32 [2]\nnorm.weight f32 [64]\nhead.weight = embedding.weight\n";

    fn session(text: &str) -> Session {
        let mut session = Session::new();
        session.set_checkpoint_listing("tiny.listing", LISTING);
        session.set_file("a.icp", text);
        session
    }

    fn errors(session: &Session) -> Vec<String> {
        let found = session.diagnostics("a.icp", None).into_iter().filter(|d| d.level() == Level::Error);
        found.map(|d| d.headline).collect()
    }

    #[test]
    fn what_was_uncovered_is_covered_and_nothing_else_changes() {
        for body in [
            "",
            "assign {}",
            "\n    assign {\n    }\n",
            "assign { layers.** => fp16 }",
            "assign { layers.** => fp16, }",
            "\n    assign {\n        layers.** => fp16, // all\n    }\n",
            "\n    assign {\n        layers.** => fp16 // all\n    }\n",
            "\n    assign {\n        layers.**\n            => fp16\n        ,\n    }\n",
            "\r\n    assign {\r\n        layers.0.norm.* => fp16,\r\n        norm.weight => fp16\r\n    }\r\n",
            "assign { layers.1.** => fp16 } target cpu; assign { layers.{0,3}.** => fp16 } // end\n",
            "assign { head.weight => fp16 }",
        ] {
            let text = format!("recipe r {{ checkpoint \"tiny.listing\"; {body} }}\n");
            let before = session(&text);
            let owners = before.analysis("a.icp", "r").unwrap().ownership.owner.clone();
            let edits = cover(&before, "a.icp", "r").unwrap_or_else(|| panic!("{text}"));
            let new = applied(&text, &edits);
            let after = session(&new);
            assert_eq!(errors(&after), Vec::<String>::new(), "{new}");
            assert_eq!(uncovered(&after, "a.icp", "r"), 0);
            let now = after.analysis("a.icp", "r").unwrap().ownership.owner.clone();
            let kept = owners.iter().zip(&now).all(|(before, now)| before.is_none() || before == now);
            assert!(kept, "{new}");
            assert!(cover(&after, "a.icp", "r").is_none());
        }
    }
}
