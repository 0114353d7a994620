//! Expressions.

use super::place::Place;
use super::problem::{OpenQuestion, Problem, ProblemKind};
use super::{Lowering, MAX_DEPTH, Step};
use crate::base::Span;
use crate::diag::suggest;
use crate::graph::extent::Extent;
use crate::graph::ir::{Element, Operand};
use crate::graph::op::Claim;
use crate::syntax::forward::{Expr, ExprKind, Operator};
use crate::syntax::tree::Ident;

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Tensor(Tensor),
    /// An optional tensor that the checkpoint lacks; its name.
    Absent(String),
    /// Names below a prefix.
    Place(Place),
    Tuple(Vec<Value>),
    /// Something that was reported.
    Unknown,
}

/// Something with a shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub operand: Operand,
    pub shape: Vec<Extent>,
    pub element: Element,
    /// Its name in messages, may be empty.
    pub text: String,
    /// Only a checkpoint tells whether it is there.
    pub maybe: bool,
}

impl Value {
    pub(super) fn tensor(operand: Operand, shape: Vec<Extent>, element: Element, text: &str) -> Value {
        Value::Tensor(Tensor { operand, shape, element, text: text.to_owned(), maybe: false })
    }
}

impl Lowering<'_> {
    pub(super) fn value(&mut self, expr: &Expr) -> Step<Value> {
        self.deeper(expr, Self::value_here)
    }

    /// Runs `f` on an inner expression, unless that is too deep.
    fn deeper<T>(&mut self, expr: &Expr, f: fn(&mut Self, &Expr) -> Step<T>) -> Step<T> {
        if self.depth >= MAX_DEPTH {
            let headline = format!("more than {MAX_DEPTH} expressions in expressions");
            return Err(self.problem(
                ProblemKind::NotInForward,
                expr.span,
                headline,
                "name parts of it with `let`",
            ));
        }
        self.depth += 1;
        let result = f(self, expr);
        self.depth -= 1;
        result
    }

    fn value_here(&mut self, expr: &Expr) -> Step<Value> {
        match &expr.kind {
            ExprKind::Path(path) => self.path_value(path, expr.span),
            ExprKind::Call { name, args } => self.call(name, args, expr.span),
            ExprKind::Binary(operator, left, right) => {
                let name = match operator {
                    Operator::Add => "add",
                    Operator::Sub => "sub",
                    Operator::Mul => "mul",
                    Operator::Div => "div",
                };
                self.operation(name, &[left, right], expr.span)
            }
            ExprKind::Negate(inner) => self.operation("negate", &[inner], expr.span),
            ExprKind::Match { head, arms } => self.choice(head, arms, expr.span),
            ExprKind::Block(block) => {
                self.frames.push(super::Frame::default());
                let value = self.block_value(block);
                self.frames.pop();
                value
            }
            ExprKind::Tuple(items) => {
                Ok(Value::Tuple(items.iter().map(|i| self.value(i)).collect::<Step<Vec<_>>>()?))
            }
            ExprKind::Number(_) | ExprKind::List(_) => {
                let what = if matches!(expr.kind, ExprKind::List(_)) { "a list" } else { "a number" };
                let headline = format!("{what} is no tensor");
                Err(self.problem(ProblemKind::WrongArgument, expr.span, headline, "a tensor is needed here"))
            }
        }
    }

    /// A value by its name.
    pub(super) fn path_value(&mut self, path: &[Ident], span: Span) -> Step<Value> {
        let Some((first, rest)) = path.split_first() else { return Ok(Value::Unknown) };
        let local = self.frames.iter().rev().find_map(|f| f.names.get(&first.text));
        match local.cloned() {
            Some(Value::Place(place)) => {
                let place = self.extend(&place, rest)?;
                self.place_value(place, span)
            }
            Some(Value::Unknown) => Err(super::Reported),
            Some(value) if rest.is_empty() => Ok(value),
            Some(_) => {
                let headline = format!("`{}` has no parts with names", first.text);
                Err(self.problem(ProblemKind::WrongArgument, span, headline, "a tensor"))
            }
            None if self.begins(&first.text) => {
                let place = self.extend(&Place::ROOT, path)?;
                self.place_value(place, span)
            }
            None => Err(self.unbound(first)),
        }
    }

    fn place_value(&mut self, place: Place, span: Span) -> Step<Value> {
        match self.tensor_at(&place) {
            Some(number) => self.weight(number, &place, span),
            None => Ok(Value::Place(place)),
        }
    }

    pub(super) fn unbound(&mut self, name: &Ident) -> super::Reported {
        let mut names: Vec<&str> =
            self.frames.iter().flat_map(|f| f.names.keys().map(String::as_str)).collect();
        names.extend(self.free.iter().map(String::as_str));
        names.extend(self.decl.dims.iter().map(|d| d.name.as_str()));
        names.extend(self.decl.defaults.iter().map(|d| d.name.as_str()));
        let nearest =
            suggest::closest(&name.text, names.iter().copied()).map(|n| format!("did you mean `{n}`?"));
        let headline = format!("`{}` stands for nothing here", name.text);
        let mut problem =
            Problem::new(ProblemKind::UnboundName, name.span, headline, "no value, dim, default or tensor");
        problem.help = nearest;
        self.report(problem)
    }

    /// A list of extents.
    pub(super) fn extents(&mut self, expr: &Expr) -> Step<Vec<Extent>> {
        match &expr.kind {
            ExprKind::List(items) => items.iter().map(|item| self.extent(item)).collect(),
            _ => Err(self.problem(
                ProblemKind::WrongArgument,
                expr.span,
                "a shape is a list of extents",
                "write it as `[batch, seq]`",
            )),
        }
    }

    /// A length: numbers, dims, whole defaults and free names.
    pub(super) fn extent(&mut self, expr: &Expr) -> Step<Extent> {
        self.deeper(expr, Self::extent_here)
    }

    fn extent_here(&mut self, expr: &Expr) -> Step<Extent> {
        let too_long = "the length is too long";
        match &expr.kind {
            ExprKind::Number(text) => match text.parse() {
                Ok(n) => Ok(Extent::number(n)),
                Err(_) => Err(self.problem(
                    ProblemKind::WrongArgument,
                    expr.span,
                    format!("`{text}` is no length"),
                    "",
                )),
            },
            ExprKind::Path(path) => match path.as_slice() {
                [name] if self.is_number(&name.text) => Ok(Extent::name(&name.text)),
                [name] => Err(self.unbound(name)),
                _ => Err(self.problem(ProblemKind::WrongArgument, expr.span, "a tensor is no length", "")),
            },
            ExprKind::Binary(operator, left, right) => {
                let (a, b) = (self.extent(left)?, self.extent(right)?);
                let result = match operator {
                    Operator::Add => a.plus(&b),
                    Operator::Mul => a.times(&b),
                    Operator::Div => a.divided(&b).or_else(|| {
                        let headline = format!("{b} does not divide {a}");
                        let claim = Claim::Divides(b.clone(), a.clone());
                        self.ask(OpenQuestion { claim, span: expr.span, headline });
                        a.quotient(&b)
                    }),
                    Operator::Sub => {
                        let headline = "lengths are not subtracted";
                        return Err(self.problem(
                            ProblemKind::WrongArgument,
                            expr.span,
                            headline,
                            "`+`, `*` and `/` are there",
                        ));
                    }
                };
                result.ok_or_else(|| self.problem(ProblemKind::WrongArgument, expr.span, too_long, ""))
            }
            _ => Err(self.problem(ProblemKind::WrongArgument, expr.span, "this is no length", "")),
        }
    }

    /// Whether a name stands for a whole number.
    pub(super) fn is_number(&self, name: &str) -> bool {
        self.free.iter().any(|f| f == name)
            || self.decl.dim(name).is_some()
            || self.decl.defaults.iter().any(|d| d.name == name)
    }

    /// A question: answered at once where numbers are known.
    pub(super) fn ask(&mut self, question: OpenQuestion) {
        // A bound that the declaration states is checked with the settings.
        if let Claim::AtMost(a, _) = &question.claim
            && self.decl.defaults.iter().any(|d| d.limit.is_some() && Extent::name(&d.name) == *a)
        {
            return;
        }
        if self.checkpoint.is_none() {
            // The same claim about another argument is the same contradiction.
            if !self.open.iter().any(|o| o.claim == question.claim) {
                self.open.push(question);
            }
        } else if let Some(problem) = question.answer(&self.numbers) {
            self.report(problem);
        }
    }
}
