//! Blocks, `let` and loops.

use std::sync::Arc;

use super::expression::Value;
use super::place::{Place, name};
use super::problem::ProblemKind;
use super::{Frame, Lowering, MAX_NODES, Reported, Step};
use crate::arch::decl::PathStep;
use crate::base::Span;
use crate::graph::extent::shape_text;
use crate::syntax::forward::{Block, Expr, ExprKind, Statement};
use crate::syntax::tree::Ident;

impl Lowering<'_> {
    /// The value of a block, whose names the caller's frame takes.
    pub(super) fn block_value(&mut self, block: &Block) -> Step<Value> {
        self.statements(&block.statements);
        match &block.result {
            Some(result) => self.value(result),
            None => Err(self.problem(
                ProblemKind::WrongResult,
                block.span,
                "the block has no value",
                "an expression without `;` at its end",
            )),
        }
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::Let { names, value } => {
                    let found = self.value(value).unwrap_or(Value::Unknown);
                    self.bind_all(names, found, value.span);
                }
                Statement::For { variable, over, body } => drop(self.repeat(variable, over, body)),
            }
        }
    }

    fn bind_all(&mut self, names: &[Ident], value: Value, span: Span) {
        match (names, value) {
            ([name], value) => self.bind(name, value),
            (names, Value::Tuple(parts)) if parts.len() == names.len() => {
                names.iter().zip(parts).for_each(|(name, part)| self.bind(name, part));
            }
            (names, value) => {
                let parts = match &value {
                    Value::Unknown => None,
                    Value::Tuple(parts) => Some(parts.len()),
                    _ => Some(1),
                };
                if let Some(parts) = parts {
                    let headline = format!("{} names for {parts} values", names.len());
                    self.problem(ProblemKind::WrongArgument, span, headline, "");
                }
                names.iter().for_each(|name| self.bind(name, Value::Unknown));
            }
        }
    }

    fn bind(&mut self, name: &Ident, mut value: Value) {
        if let Value::Tensor(tensor) = &mut value
            && !tensor.maybe
        {
            tensor.text.clone_from(&name.text);
        }
        let repeats = self.frames.last().is_some_and(|f| f.repeats);
        let outer = self.frames.len().saturating_sub(1);
        if repeats {
            let before = self.frames.iter_mut().take(outer).rev();
            let before = before.filter_map(|f| f.names.get_mut(&name.text)).next();
            if let Some(before) = before {
                let change = match (&*before, &value) {
                    (Value::Tensor(a), Value::Tensor(b)) if a.shape != b.shape => {
                        Some((shape_text(&a.shape), shape_text(&b.shape)))
                    }
                    _ => None,
                };
                *before = value;
                if let Some((a, b)) = change {
                    let headline = format!("`{}` goes into the loop as {a}", name.text);
                    let label = format!("and on to the next round as {b}");
                    self.problem(ProblemKind::ShapesDiffer, name.span, headline, label);
                }
                return;
            }
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.names.insert(name.text.clone(), value);
        }
    }

    fn repeat(&mut self, variable: &Ident, over: &Expr, body: &Block) -> Step<()> {
        let place = match &over.kind {
            ExprKind::Path(path) => match self.path_value(path, over.span)? {
                Value::Place(place) => Some(place),
                _ => None,
            },
            _ => None,
        };
        let family = place.and_then(|place| Some((self.family_at(&place)?, place)));
        let Some((family, place)) = family else {
            let headline = "a loop runs over a family of blocks";
            return Err(self.problem(
                ProblemKind::WrongArgument,
                over.span,
                headline,
                "no `name[i]` is declared so",
            ));
        };
        let mut member = place.clone();
        member.steps.push(PathStep::Index { family });
        let rounds: Vec<Option<u64>> = match self.checkpoint {
            None => vec![None],
            Some(_) => (0..self.members(&place, family)).map(Some).collect(),
        };
        let outer = Arc::clone(&self.scope);
        for number in rounds {
            member.members.truncate(place.members.len());
            member.members.push(number);
            self.scope = Arc::from(self.shown(&member));
            let names = [(variable.text.clone(), Value::Place(member.clone()))].into();
            self.frames.push(Frame { names, repeats: true });
            let before = self.problems.len();
            self.statements(&body.statements);
            self.frames.pop();
            if self.nodes.len() > MAX_NODES {
                let headline = format!("the graph has more than {MAX_NODES} nodes");
                return Err(self.problem(ProblemKind::WrongArgument, over.span, headline, ""));
            }
            // Every round would say the same.
            if self.problems.len() > before {
                self.scope = outer;
                return Err(Reported);
            }
        }
        self.scope = outer;
        Ok(())
    }

    fn shown(&self, place: &Place) -> String {
        match self.checkpoint {
            None => self.decl.pattern(&place.steps),
            Some(_) => name(&place.steps, &place.members, 0),
        }
    }
}
