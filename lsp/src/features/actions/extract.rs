//! Arms of a recipe as a recipe of their own, which the first one then extends. The arms of an extended recipe are tried
//! last, so these must be the last ones; then the plan stays what it was.

use std::collections::BTreeSet;

use icpc::base::Span;
use icpc::hir::names::names;
use icpc::session::Session;
use icpc::syntax;
use icpc::syntax::part::{Token, Within, parts};
use icpc::syntax::tree::{Arm, File, Item, Param, Recipe};

use super::arms::{blocks, line_start, newline, rest_of_line, skip, tail};
use crate::edits::Edits;

/// The recipe that is made of the arms in `range`, and the edits; or why that cannot be. `None` if no arm of one recipe
/// is there.
pub fn extract(session: &Session, path: &str, range: Span) -> Option<Result<(String, Edits), String>> {
    let tree = session.tree(path)?;
    let text = session.text(path)?;
    let chosen = |arm: &Arm| arm.span.start < range.end && range.start < arm.span.end;
    let with_arms = tree.items.iter().enumerate().filter_map(|(number, item)| match item {
        Item::Recipe(recipe) if blocks(recipe).flat_map(|(_, arms)| arms).any(chosen) => {
            Some((number, recipe))
        }
        _ => None,
    });
    let with_arms: Vec<(usize, &Recipe)> = with_arms.collect();
    let [(number, recipe)] = with_arms.as_slice() else { return None };
    let inside = |span: Span| recipe.span.start <= span.start && span.start <= recipe.span.end;
    if tree.errors.iter().any(|e| inside(e.span)) {
        return None;
    }
    let last: Vec<&Arm> = blocks(recipe).flat_map(|(_, arms)| arms).skip_while(|arm| !chosen(arm)).collect();
    if !last.iter().all(|arm| chosen(arm)) {
        return Some(Err("the arms of an extended recipe are tried last: select up to the last arm".into()));
    }
    if let Some(base) = base_with_checkpoint(session, path, recipe) {
        return Some(Err(format!(
            "`{base}` names a checkpoint, against which the new recipe would be checked"
        )));
    }
    let first = last.first()?.span.start;
    let moved = Moved { tree: &tree, text, number: *number, recipe, first };
    let name = moved.name(session, path)?;
    Some(moved.edits(&name).map(|edits| (name, edits)).ok_or_else(|| "these arms cannot be moved".to_owned()))
}

/// The recipe that `recipe` extends, if it names a checkpoint, itself or by what it extends.
fn base_with_checkpoint(session: &Session, path: &str, recipe: &Recipe) -> Option<String> {
    let base = &recipe.extends.as_ref()?.base.segments.last()?.text;
    let module = session.module(path)?;
    let (names, _) = names(&module, &|path| session.module(path).ok_or(None));
    let file = names.items.get(base)?.file.to_string();
    session.recipe(&file, base)?.checkpoint.is_some().then(|| base.clone())
}

struct Moved<'a> {
    tree: &'a File,
    text: &'a str,
    /// Number of the item.
    number: usize,
    recipe: &'a Recipe,
    /// Where the first arm that moves starts.
    first: u32,
}

impl Moved<'_> {
    fn slice(&self, span: Span) -> Option<&str> {
        self.text.get(span.range())
    }

    /// A name that the file does not see yet.
    fn name(&self, session: &Session, path: &str) -> Option<String> {
        let module = session.module(path)?;
        let (names, _) = names(&module, &|path| session.module(path).ok_or(None));
        let base = format!("{}_arms", self.recipe.name.text);
        let mut candidates = std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}{n}")));
        candidates.find(|name| !names.items.contains_key(name))
    }

    /// Parameters that the arms use, and the recipe that is extended, in order.
    fn params(&self) -> Vec<&Param> {
        let parts = parts(self.tree);
        let here = || parts.iter().filter(|p| p.item == self.number);
        let mut used: BTreeSet<&str> = BTreeSet::new();
        for part in here() {
            let moves = match part.within {
                Within::Arm(arm) => arm.span.start >= self.first,
                Within::Extends(_) => true,
                _ => false,
            };
            if let (true, Token::Word(word)) = (moves, part.token) {
                used.insert(word);
            }
        }
        let mut wanted: Vec<&Param> = Vec::new();
        // From the last to the first: a default may use parameters before it.
        for param in self.recipe.params.iter().rev() {
            if !used.contains(param.name.text.as_str()) {
                continue;
            }
            for part in here().filter(|p| param.span.start <= p.span.start && p.span.end <= param.span.end) {
                if let Token::Word(word) = part.token {
                    used.insert(word);
                }
            }
            wanted.push(param);
        }
        wanted.reverse();
        wanted
    }

    fn edits(&self, name: &str) -> Option<Edits> {
        let params = self.params();
        let mut arms = String::new();
        let mut edits = vec![self.head(name, &params)?];
        for (block, own) in blocks(self.recipe) {
            let kept = own.iter().take_while(|arm| arm.span.start < self.first).count();
            let Some(last) = own.get(kept..).and_then(<[Arm]>::last) else { continue };
            let end = last.span.end as usize;
            let tail = tail(self.text, end);
            let (from, to) = match kept.checked_sub(1).and_then(|before| own.get(before)) {
                Some(before) => {
                    let span = Span::new(self::tail(self.text, before.span.end as usize).end, tail.end);
                    edits.push((span, String::new()));
                    (span.start as usize, tail.end)
                }
                None => {
                    edits.push((self.whole(block), String::new()));
                    let open = block.start as usize + self.slice(block)?.find('{')? + 1;
                    (open, block.end as usize - 1)
                }
            };
            arms.push_str(self.text.get(from..end)?);
            arms.push(',');
            arms.push_str(self.text.get(tail.comma.unwrap_or(end)..to)?);
            arms.push('\n');
        }
        let list: Option<Vec<&str>> = params.iter().map(|p| self.slice(p.span)).collect();
        let params = if params.is_empty() { String::new() } else { format!("({})", list?.join(", ")) };
        let extends = match &self.recipe.extends {
            Some(extends) => format!(" {}", self.slice(extends.span)?),
            None => String::new(),
        };
        let new = format!("recipe {name}{params}{extends} {{\nassign {{\n{arms}}}\n}}\n");
        let newline = newline(self.text);
        let new = syntax::format(&new.replace('\r', "")).ok()?.trim_end().replace('\n', newline);
        let end = self.recipe.span.end as usize;
        edits.push(match rest_of_line(self.text, end) {
            Some(end) => (Span::new(end, end), format!("{newline}{newline}{new}")),
            None => (Span::new(end, end), format!("{newline}{newline}{new}{newline}{newline}")),
        });
        Some(edits)
    }

    /// A whole block with its lines, and one empty line before it.
    fn whole(&self, block: Span) -> Span {
        let (start, end) = (block.start as usize, block.end as usize);
        let newline = newline(self.text);
        match (line_start(self.text, start), self.text.get(end..)) {
            (Some(line), Some(rest)) if rest.starts_with(newline) => {
                let before = self.text.get(..line).unwrap_or("");
                let empty = format!("{newline}{newline}");
                let line = if before.ends_with(&empty) { line - newline.len() } else { line };
                Span::new(line, end + newline.len())
            }
            _ => block,
        }
    }

    /// The edit that makes the recipe extend `name`.
    fn head(&self, name: &str, params: &[&Param]) -> Option<(Span, String)> {
        let given: Vec<String> = params.iter().map(|p| format!("{0}: {0}", p.name.text)).collect();
        let given = if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) };
        let extends = format!("extends {name}{given}");
        if let Some(before) = &self.recipe.extends {
            return Some((before.span, extends));
        }
        let named = self.recipe.name.span.end as usize;
        let last = self.recipe.params.last().map(|p| p.span.end as usize);
        let open = skip(self.text, named);
        let at = match (last, self.text.get(open..)?.starts_with('(')) {
            (None, false) => named,
            (last, _) => {
                let mut at = skip(self.text, last.unwrap_or(open + 1));
                while self.text.get(at..)?.starts_with(',') {
                    at = skip(self.text, at + 1);
                }
                self.text.get(at..)?.starts_with(')').then_some(at + 1)?
            }
        };
        Some((Span::new(at, at), format!(" {extends}")))
    }
}

#[cfg(test)]
mod tests {
    use icpc::diag::Level;

    use super::super::applied;
    use super::*;

    const LISTING: &str = "embedding.weight f32 [512, 64]\nlayers.{0..=3}.ssm.w.weight f32 [64, 128]\n\
        layers.{0..=3}.norm.{weight,bias} f32 [64]\nnorm.weight f32 [64]\n";

    fn session(text: &str) -> Session {
        let mut session = Session::new();
        session.set_checkpoint_listing("tiny.listing", LISTING);
        session.set_file("a.icp", text);
        session
    }

    fn errors(session: &Session) -> Vec<String> {
        let found = session.diagnostics("a.icp", None).into_iter();
        // A recipe that names no checkpoint is there to be built on.
        let found = found.filter(|d| d.level() == Level::Error && d.kind.name != "no-checkpoint");
        found.map(|d| d.headline).collect()
    }

    /// Extracts what stands between two `|`.
    fn extracted(marked: &str) -> (String, String, Result<String, String>) {
        let range = Span::new(marked.find('|').unwrap(), marked.rfind('|').unwrap() - 1);
        let text = marked.replace('|', "");
        let new = extract(&session(&text), "a.icp", range).expect("arms");
        let new = new.map(|(_, edits)| applied(&text, &edits));
        let shown = new.clone().unwrap_or_default();
        (text, shown, new)
    }

    #[test]
    fn the_plan_stays_what_it_was() {
        let first = "checkpoint \"tiny.listing\";";
        for marked in [
            format!("recipe r {{ {first} assign {{ norm.weight => keep, |_ => fp16| }} }}\n"),
            format!("recipe r {{ {first} assign {{ |norm.weight => keep, _ => fp16,| }} }}"),
            format!(
                "recipe r() {{\n    {first}\n\n    assign {{\n        norm.weight => keep, // a\n        // b\n        |layers.** => nf4(block: 64), // c\n        _ => fp16 // d|\n        // e\n    }}\n}} // f\n\nconst r_arms = 3;\n"
            ),
            format!(
                "const c = 64;\nrecipe r(unused: int = 3, clip: percent = 99.9%, b: int = 64, f: format = int8(clip: percentile(clip)),) {{\n    {first}\n    assign {{ norm.weight => keep }}\n    target cpu;\n    assign {{\n        |layers.** where params >= c => nf4(block: b),\n    }}\n    assign {{ embedding.* => f, _ => fp16| }}\n}}\n"
            ),
            format!(
                "recipe base(f: format = fp16) {{ assign {{ _ => f }} }}\nrecipe r(g: format = bf16) extends base(f: g) {{ {first} assign {{ norm.weight => keep, |layers.** => fp16| }} }}\n"
            ),
            format!(
                "recipe r {{\r\n    {first}\r\n    assign {{\r\n        norm.weight => keep,\r\n        |_ => fp16,\r|\n    }}\r\n}}\r\n"
            ),
        ] {
            let (before, after, new) = extracted(&marked);
            assert!(new.is_ok(), "{marked}: {new:?}");
            let (old, new) = (session(&before), session(&after));
            let plan = |session: &Session| session.analysis("a.icp", "r").unwrap().plan.clone();
            assert!(plan(&old).is_some(), "{before}: {:?}", errors(&old));
            assert_eq!(plan(&old), plan(&new), "{before}\n{after}");
            assert_eq!(errors(&new), Vec::<String>::new(), "{after}");
            let ends = |text: &str| (text.contains("\r\n"), text.replace("\r\n", "").contains('\r'));
            assert_eq!(ends(&before), ends(&after), "{after:?}");
            assert!(!before.contains('\r') || !after.replace("\r\n", "").contains('\n'), "{after:?}");
            let comments = |text: &str| text.matches("//").count();
            assert_eq!(comments(&before), comments(&after), "{after}");
            assert_ne!(before, after);
        }
    }

    #[test]
    fn what_would_change_the_order_is_refused() {
        let (_, _, new) = extracted("recipe r { assign { |norm.weight => keep,| _ => fp16 } }");
        assert!(new.unwrap_err().contains("select up to the last arm"));
        let base = "recipe base { checkpoint \"tiny.listing\"; assign { _ => fp16 } }";
        let (_, _, new) =
            extracted(&format!("{base} recipe r extends base {{ assign {{ |norm.weight => keep| }} }}"));
        assert!(new.unwrap_err().starts_with("`base` names a checkpoint"));
    }
}
