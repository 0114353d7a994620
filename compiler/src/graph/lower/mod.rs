//! From a `forward` to nodes.

mod argument;
mod call;
mod choice;
mod expression;
mod place;
mod problem;
mod statement;
mod tensor;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::expression::Value;
pub use self::problem::{OpenQuestion, Problem, ProblemKind};
use super::extent::Extent;
use super::ir::{Element, Graph, Input, Node, Operand, Weight};
use crate::arch::decl::{ArchDecl, ExprFactor, PathStep};
use crate::arch::model::{ArchModel, SettingValue};
use crate::base::Span;
use crate::checkpoint::Schema;
use crate::syntax::forward::{Expr, ExprKind, Forward};

/// Nodes of one graph: loops over hundreds of layers stay far below.
const MAX_NODES: usize = 1 << 20;
/// Expressions in expressions; bounds the stack.
const MAX_DEPTH: usize = 128;
/// Problems of one forward; what comes after so many is noise.
const MAX_PROBLEMS: usize = 64;

/// What a `forward` is.
#[derive(Clone, Debug, PartialEq)]
pub struct Lowered {
    /// The graph; of a forward without a checkpoint, each branch once.
    pub graph: Option<Graph>,
    /// What is wrong for all numbers, or for those of the checkpoint.
    pub problems: Vec<Problem>,
    /// What only numbers tell; empty with a checkpoint.
    pub open: Vec<OpenQuestion>,
}

/// Lowers the `forward` of `decl`: for all checkpoints, or unrolled for one that fits it.
pub fn lower(decl: &ArchDecl, forward: &Forward, checkpoint: Option<(&ArchModel, &Schema)>) -> Lowered {
    let lowering = Lowering {
        decl,
        checkpoint: checkpoint.map(|(model, schema)| Checkpoint { model, schema, by_name: schema.by_name() }),
        numbers: checkpoint.map(|(model, _)| numbers_of(model)).unwrap_or_default(),
        free: Vec::new(),
        frames: Vec::new(),
        scope: Arc::from(""),
        assured: Vec::new(),
        nodes: Vec::new(),
        weights: Vec::new(),
        known: BTreeMap::new(),
        used: vec![false; decl.tensors.len()],
        problems: Vec::new(),
        open: Vec::new(),
        depth: 0,
    };
    lowering.whole(forward)
}

/// Numbers that a model gives to names: dims, and defaults that are whole numbers.
pub fn numbers_of(model: &ArchModel) -> BTreeMap<Arc<str>, u64> {
    let mut numbers = BTreeMap::new();
    for dim in &model.dims {
        if let Some(value) = dim.value {
            numbers.insert(Arc::from(dim.name.as_str()), value);
        }
    }
    for setting in &model.settings {
        if let SettingValue::Int(n) = setting.value
            && let Ok(n) = u64::try_from(n)
        {
            numbers.insert(Arc::from(setting.name.as_str()), n);
        }
    }
    numbers
}

/// Something was reported: what follows from it is not.
struct Reported;

type Step<T> = Result<T, Reported>;

struct Checkpoint<'a> {
    model: &'a ArchModel,
    schema: &'a Schema,
    by_name: BTreeMap<&'a str, usize>,
}

/// Names of one block.
#[derive(Default)]
struct Frame {
    names: BTreeMap<String, Value>,
    /// The block of a loop: a `let` of an outer name goes on in the next round.
    repeats: bool,
}

struct Lowering<'a> {
    decl: &'a ArchDecl,
    checkpoint: Option<Checkpoint<'a>>,
    numbers: BTreeMap<Arc<str>, u64>,
    /// Names that the shapes of parameters bring in.
    free: Vec<String>,
    frames: Vec<Frame>,
    scope: Arc<str>,
    /// Paths that an arm around has found in the checkpoint.
    assured: Vec<Vec<PathStep>>,
    nodes: Vec<Node>,
    weights: Vec<Weight>,
    /// Weights by declaration and numbers of the members around it.
    known: BTreeMap<(usize, Vec<Option<u64>>), usize>,
    /// By declaration, whether the forward reads it.
    used: Vec<bool>,
    problems: Vec<Problem>,
    open: Vec<OpenQuestion>,
    depth: usize,
}

impl Lowering<'_> {
    fn whole(mut self, forward: &Forward) -> Lowered {
        let result = self.body(forward);
        if let Ok((params, result)) = result
            && self.problems.is_empty()
        {
            self.unused(forward.keyword);
            let bounds = self.checkpoint.as_ref().map(|c| &c.model.bounds);
            let bounds = bounds.into_iter().flatten().map(|b| (b.name.clone(), b.at_most)).collect();
            let numbers = self.numbers.into_iter().collect();
            let graph = Graph {
                name: self.decl.name.clone(),
                params,
                weights: self.weights,
                nodes: self.nodes,
                result,
                numbers,
                bounds,
            };
            return Lowered { graph: Some(graph), problems: self.problems, open: self.open };
        }
        self.problems.dedup();
        Lowered { graph: None, problems: self.problems, open: Vec::new() }
    }

    fn body(&mut self, forward: &Forward) -> Step<(Vec<Input>, Operand)> {
        self.free_names(forward);
        let mut frame = Frame::default();
        let mut params = Vec::new();
        for (number, param) in forward.params.iter().enumerate() {
            let shape = match &param.shape {
                Some(shape) => self.extents(shape)?,
                None => {
                    return Err(self.problem(
                        ProblemKind::WrongArgument,
                        param.name.span,
                        format!("`{}` has no shape", param.name.text),
                        "write it as `tokens: [batch, seq]`",
                    ));
                }
            };
            params.push(Input { name: param.name.text.clone(), shape: shape.clone() });
            let value = Value::tensor(Operand::Param(number), shape, Element::Index, &param.name.text);
            frame.names.insert(param.name.text.clone(), value);
        }
        self.frames.push(frame);
        let result = self.block_value(&forward.body)?;
        let Value::Tensor(result) = result else {
            let span = forward.body.result.as_ref().map_or(forward.body.span, |r| r.span);
            return Err(self.problem(
                ProblemKind::WrongResult,
                span,
                "the result of the forward is no tensor",
                "",
            ));
        };
        if let Some(declared) = &forward.result {
            let extents = self.extents(declared)?;
            self.declared_result(&extents, &result.shape, declared.span, forward)?;
        }
        Ok((params, result.operand))
    }

    /// Names in the shapes of parameters that are no dims stand for any number.
    fn free_names(&mut self, forward: &Forward) {
        for param in &forward.params {
            let Some(Expr { kind: ExprKind::List(extents), .. }) = &param.shape else { continue };
            for extent in extents {
                if let ExprKind::Path(path) = &extent.kind
                    && let [name] = path.as_slice()
                    && self.decl.dim(&name.text).is_none()
                    && !self.free.contains(&name.text)
                {
                    self.free.push(name.text.clone());
                }
            }
        }
    }

    fn declared_result(
        &mut self,
        declared: &[Extent],
        found: &[Extent],
        at: Span,
        forward: &Forward,
    ) -> Step<()> {
        let number = |name: &str| self.numbers.get(name).copied();
        let same = declared.len() == found.len()
            && declared.iter().zip(found).all(|(a, b)| {
                a == b
                    || a.value(&number).is_some_and(|n| b.value(&number) == Some(n))
                    || a.has_quotient()
                    || b.has_quotient()
            });
        if same {
            return Ok(());
        }
        let headline = format!("the forward yields {}", super::extent::shape_text(found));
        let mut problem = Problem::new(ProblemKind::WrongResult, at, headline, "declared here");
        if let Some(result) = &forward.body.result {
            problem.also = Some((result.span, "this is the result".to_owned()));
        }
        Err(self.report(problem))
    }

    /// Declared tensors that nothing reads.
    fn unused(&mut self, at: Span) {
        let mut spans: Vec<(Span, String)> = Vec::new();
        if self.checkpoint.is_some() {
            return;
        }
        for (tensor, used) in self.decl.tensors.iter().zip(&self.used) {
            let by_alias = || {
                let number = self.decl.tensors.iter().position(|t| std::ptr::eq(t, tensor));
                let mut others = self.decl.tensors.iter().zip(&self.used);
                others.any(|(t, used)| *used && t.alias_of.is_some() && t.alias_of == number)
            };
            if *used || tensor.alias_of.is_some() || tensor.roles.iter().any(|r| r == "buffer") || by_alias()
            {
                continue;
            }
            if !spans.iter().any(|(span, _)| *span == tensor.span) {
                spans.push((tensor.span, self.decl.pattern(&tensor.path)));
            }
        }
        for (span, name) in spans {
            let mut problem = Problem::new(
                ProblemKind::UnusedTensor,
                span,
                format!("the forward never reads `{name}`"),
                "declared here",
            );
            problem.also = Some((at, "this forward".to_owned()));
            self.problems.push(problem);
        }
    }

    /// A declared length as a polynomial; `None` for one whose declaration is broken.
    fn declared_extent(&self, expr: &crate::arch::decl::Expr) -> Option<Extent> {
        if expr.terms.is_empty() {
            return None;
        }
        expr.terms.iter().try_fold(Extent::number(0), |sum, term| {
            let product = term.factors.iter().try_fold(Extent::number(1), |product, factor| {
                product.times(&match factor {
                    ExprFactor::Const(n) => Extent::number(*n),
                    ExprFactor::Dim(d) => Extent::name(&self.decl.dims.get(*d)?.name),
                })
            });
            sum.plus(&product?)
        })
    }

    fn problem(
        &mut self,
        kind: ProblemKind,
        span: Span,
        headline: impl Into<String>,
        label: impl Into<String>,
    ) -> Reported {
        self.report(Problem::new(kind, span, headline, label))
    }

    fn report(&mut self, problem: Problem) -> Reported {
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        Reported
    }
}
