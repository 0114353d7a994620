//! Calls: arguments are bound to parameters, shapes follow, nodes are made.

use super::argument::Argument;
use super::expression::{Tensor, Value};
use super::problem::{OpenQuestion, Problem, ProblemKind};
use super::{Lowering, Step};
use crate::base::{Span, count};
use crate::diag::suggest;
use crate::graph::extent::Extent;
use crate::graph::ir::{Attribute, Node, Operand};
use crate::graph::op::{Bound, Call, Default, OpDecl, ParamKind, Refusal};
use crate::graph::ops;
use crate::syntax::forward::{Arg, Expr};
use crate::syntax::tree::Ident;

impl Lowering<'_> {
    pub(super) fn call(&mut self, name: &Ident, args: &[Arg], span: Span) -> Step<Value> {
        let Some(op) = ops::find(&name.text) else {
            let known = ops::ALL.iter().map(|op| op.name);
            let nearest = suggest::closest(&name.text, known);
            let headline = format!("`{}` is no operation", name.text);
            let mut problem = Problem::new(ProblemKind::UnknownOperation, name.span, headline, "");
            problem.help = Some(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "docs/forward.md lists all operations".to_owned(),
            });
            return Err(self.report(problem));
        };
        let bound = self.match_params(op, name, args)?;
        self.apply(op, &bound, span)
    }

    /// An operation that is written as a sign.
    pub(super) fn operation(&mut self, name: &str, operands: &[&Expr], span: Span) -> Step<Value> {
        let Some(op) = ops::find(name) else { return Ok(Value::Unknown) };
        let args: Vec<Option<&Expr>> = operands.iter().map(|o| Some(*o)).collect();
        self.apply(op, &args, span)
    }

    /// For each parameter its argument.
    fn match_params<'e>(
        &mut self,
        op: &'static OpDecl,
        name: &Ident,
        args: &'e [Arg],
    ) -> Step<Vec<Option<&'e Expr>>> {
        let mut bound: Vec<Option<&Expr>> = vec![None; op.params.len()];
        let mut next = 0;
        for arg in args {
            let index = match &arg.name {
                None => {
                    next += 1;
                    next - 1
                }
                Some(given) => match op.params.iter().position(|p| p.name == given.text) {
                    Some(index) => index,
                    None => {
                        let names: Vec<&str> = op.params.iter().map(|p| p.name).collect();
                        let headline = format!("`{}` takes no `{}`", op.name, given.text);
                        let label = format!("it takes {}", names.join(", "));
                        return Err(self.problem(ProblemKind::WrongArgument, given.span, headline, label));
                    }
                },
            };
            match bound.get_mut(index) {
                Some(slot @ None) => *slot = Some(&arg.value),
                Some(Some(_)) => {
                    let param = op.params.get(index).map_or("", |p| p.name);
                    let headline = format!("`{param}` of `{}` is given twice", op.name);
                    return Err(self.problem(ProblemKind::WrongArgument, arg.value.span, headline, ""));
                }
                None => {
                    let most = count(op.params.len() as u64, "argument");
                    let headline = format!("`{}` takes {most} at most", op.name);
                    return Err(self.problem(
                        ProblemKind::WrongArgument,
                        arg.value.span,
                        headline,
                        "one too many",
                    ));
                }
            }
        }
        self.modules(op, name, bound)
    }

    /// Reports required parameters without an argument.
    fn modules<'e>(
        &mut self,
        op: &'static OpDecl,
        name: &Ident,
        bound: Vec<Option<&'e Expr>>,
    ) -> Step<Vec<Option<&'e Expr>>> {
        let lacking =
            op.params.iter().zip(&bound).find(|(p, arg)| p.default == Default::Required && arg.is_none());
        if let Some((param, _)) = lacking {
            let headline = format!("`{}` needs `{}`", op.name, param.name);
            let mut problem = Problem::new(ProblemKind::WrongArgument, name.span, headline, "");
            problem.help =
                Some(format!("it takes {}", op.params.iter().map(|p| p.name).collect::<Vec<_>>().join(", ")));
            return Err(self.report(problem));
        }
        Ok(bound)
    }

    fn apply(&mut self, op: &'static OpDecl, args: &[Option<&Expr>], span: Span) -> Step<Value> {
        let mut arguments: Vec<Argument> = Vec::with_capacity(args.len());
        for (param, arg) in op.params.iter().zip(args) {
            arguments.push(match arg {
                Some(expr) => self.argument(op, param, expr)?,
                None => Argument::left_out(param),
            });
        }
        self.spread_modules(op, &mut arguments);
        let spans: Vec<Span> = arguments.iter().map(|a| a.span.unwrap_or(span)).collect();
        let bound: Vec<Bound> = arguments.iter().map(|a| a.bound.clone()).collect();
        let numbers = std::mem::take(&mut self.numbers);
        let number = |name: &str| numbers.get(name).copied();
        let mut call = Call { decl: op, bound: &bound, numbers: &number, open: Vec::new() };
        let inferred = (op.infer)(&mut call);
        let open = std::mem::take(&mut call.open);
        self.numbers = numbers;
        for o in open {
            let at = spans.get(o.param).copied().unwrap_or(span);
            self.ask(OpenQuestion { claim: o.claim, span: at, headline: o.headline });
        }
        match inferred {
            Ok(results) if results.is_empty() => {
                Ok(arguments.into_iter().next().and_then(|first| first.value).unwrap_or(Value::Unknown))
            }
            Ok(results) => self.nodes(op, arguments, results, span),
            Err(refusal) => Err(self.refused(&refusal, &spans, span)),
        }
    }

    /// `layer.norm` in the place of a weight gives the bias, too.
    fn spread_modules(&mut self, op: &'static OpDecl, arguments: &mut [Argument]) {
        let weight = op.params.iter().position(|p| p.name == "weight");
        let bias = op.params.iter().position(|p| p.name == "bias");
        let Some(given) = weight.and_then(|w| arguments.get_mut(w)) else { return };
        let (module, at) = (given.module_bias.take(), given.span);
        if let (Some(value), Some(slot)) = (module, bias.and_then(|b| arguments.get_mut(b)))
            && slot.span.is_none()
            && let Value::Tensor(tensor) = value
        {
            *slot = Argument::of_tensor(tensor, at);
        }
    }

    fn refused(&mut self, refusal: &Refusal, spans: &[Span], span: Span) -> super::Reported {
        let at = |param: usize| spans.get(param).copied().unwrap_or(span);
        let kind =
            if refusal.other.is_some() { ProblemKind::ShapesDiffer } else { ProblemKind::WrongArgument };
        let mut problem =
            Problem::new(kind, at(refusal.param), refusal.headline.clone(), refusal.label.clone());
        if let Some(other) = refusal.other
            && at(other) != at(refusal.param)
        {
            problem.also = Some((at(other), refusal.other_label.clone()));
        } else if refusal.other.is_some() {
            problem.because.push(refusal.other_label.clone());
        }
        let mut names: Vec<&str> =
            refusal.headline.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        names.sort_unstable();
        names.dedup();
        let number = |n: &&str| Some(format!("{n} = {}", self.numbers.get(*n)?));
        problem.because.extend(names.iter().filter_map(number));
        self.report(problem)
    }

    fn nodes(
        &mut self,
        op: &'static OpDecl,
        arguments: Vec<Argument>,
        results: Vec<(Vec<Extent>, crate::graph::ir::Element)>,
        span: Span,
    ) -> Step<Value> {
        let (mut inputs, mut attributes, mut experts) = (Vec::new(), Vec::new(), Vec::new());
        for (param, argument) in op.params.iter().zip(arguments) {
            match (param.kind, argument.bound) {
                (ParamKind::Value | ParamKind::Ids | ParamKind::Any | ParamKind::Weight, _) => {
                    inputs.push(argument.operand)
                }
                (ParamKind::Experts, _) => experts = argument.experts,
                (_, Bound::Attribute(attribute)) => attributes.push((param.name, attribute)),
                _ => {}
            }
        }
        // Of each expert the matrices that the operation names, in one order.
        for member in &experts {
            for part in ["up", "down", "gate"] {
                let name = attributes.iter().find_map(|(n, a)| match a {
                    Attribute::Word(word) if *n == part => Some(word),
                    _ => None,
                });
                let found = name.and_then(|name| member.iter().find(|(n, _)| n == name));
                if let Some((_, operand)) = found {
                    inputs.push(*operand);
                }
            }
        }
        let count = results.len();
        let mut made = Vec::with_capacity(count);
        for (part, (shape, element)) in results.into_iter().enumerate() {
            let mut attributes = attributes.clone();
            if op.name == "chunk" || op.name == "split" {
                attributes.push(("part", Attribute::Size(Extent::number(part as u64))));
            }
            let scope = std::sync::Arc::clone(&self.scope);
            let node =
                Node { op, inputs: inputs.clone(), attributes, shape: shape.clone(), element, scope, span };
            self.nodes.push(node);
            let operand = Operand::Node(self.nodes.len() - 1);
            made.push(Value::Tensor(Tensor { operand, shape, element, text: String::new(), maybe: false }));
        }
        match made.pop() {
            Some(one) if made.is_empty() => Ok(one),
            last => Ok(Value::Tuple(made.into_iter().chain(last).collect())),
        }
    }
}
