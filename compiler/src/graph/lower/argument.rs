//! One argument, read as its parameter takes it.

use super::expression::{Tensor, Value};
use super::place::Place;
use super::problem::ProblemKind;
use super::{Lowering, Step};
use crate::arch::decl::PathStep;
use crate::arch::model::SettingValue;
use crate::base::Span;
use crate::graph::extent::Extent;
use crate::graph::ir::{Attribute, Element, Operand};
use crate::graph::op::{Bound, Default, OpDecl, Param, ParamKind};
use crate::syntax::forward::{Expr, ExprKind};
use crate::syntax::tree::Ident;

/// An argument that is bound.
pub(super) struct Argument {
    pub bound: Bound,
    pub operand: Operand,
    /// Of each member of a family, its matrices by name.
    pub experts: Vec<Vec<(String, Operand)>>,
    /// The bias beside a weight, where a module stands in the weight's place.
    pub module_bias: Option<Value>,
    /// What it is, for an operation that passes it on.
    pub value: Option<Value>,
    /// Where it is written; nothing if it is left out.
    pub span: Option<Span>,
}

impl Argument {
    fn new(bound: Bound, operand: Operand, span: Option<Span>) -> Argument {
        Argument { bound, operand, experts: Vec::new(), module_bias: None, value: None, span }
    }

    pub(super) fn left_out(param: &Param) -> Argument {
        let attribute = match param.default {
            Default::Required | Default::Nothing => None,
            Default::Size(n) => Some(Attribute::Size(Extent::number(n))),
            Default::Float(x) => Some(Attribute::Float(x)),
            Default::Word(word) => Some(Attribute::Word(word.to_owned())),
            Default::Flag(flag) => Some(Attribute::Flag(flag)),
        };
        Argument::new(attribute.map_or(Bound::Absent, Bound::Attribute), Operand::Absent, None)
    }

    pub(super) fn of_tensor(tensor: Tensor, span: Option<Span>) -> Argument {
        let operand = tensor.operand;
        Argument::new(Bound::Value(tensor.shape, tensor.element, tensor.text), operand, span)
    }
}

impl Lowering<'_> {
    pub(super) fn argument(&mut self, op: &'static OpDecl, param: &Param, expr: &Expr) -> Step<Argument> {
        let attribute = match param.kind {
            ParamKind::Value | ParamKind::Ids | ParamKind::Any | ParamKind::Weight => {
                return self.operand(op, param, expr);
            }
            ParamKind::Experts => return self.experts(op, expr),
            ParamKind::Size => Attribute::Size(self.extent(expr)?),
            ParamKind::Sizes => Attribute::Sizes(self.extents(expr)?),
            ParamKind::Float => self.float(expr)?,
            ParamKind::Word(words) => self.word(op, param, words, expr)?,
            ParamKind::Name => match single(expr) {
                Some(name) => Attribute::Word(name.text.clone()),
                None => return Err(self.unfit(op, param, expr, "the name of a matrix")),
            },
            ParamKind::Setting => self.any_setting(op, param, expr)?,
            ParamKind::Words => self.words(op, param, expr)?,
            ParamKind::Flag => self.flag(op, param, expr)?,
        };
        Ok(Argument::new(Bound::Attribute(attribute), Operand::Absent, Some(expr.span)))
    }

    fn operand(&mut self, op: &'static OpDecl, param: &Param, expr: &Expr) -> Step<Argument> {
        let (mut bias, mut value) = (None, self.value(expr)?);
        if let (Value::Place(place), ParamKind::Weight) = (&value, param.kind)
            && let (Some(inner), Some(_)) = (self.part(place, "weight"), Some(()))
        {
            bias = self.part(place, "bias").map(|b| self.at(&b, expr.span)).transpose()?;
            value = self.at(&inner, expr.span)?;
        }
        match value {
            Value::Tensor(tensor) => {
                let wrong = match param.kind {
                    ParamKind::Ids if tensor.element != Element::Index => Some("ids"),
                    ParamKind::Value if tensor.element != Element::Float => Some("activations"),
                    ParamKind::Weight if !matches!(tensor.operand, Operand::Weight(_)) => {
                        Some("a tensor of the checkpoint")
                    }
                    _ => None,
                };
                if let Some(wanted) = wrong {
                    return Err(self.unfit(op, param, expr, wanted));
                }
                if tensor.maybe && param.default == Default::Required {
                    let headline = format!("`{}` may be absent, and `{}` needs it", tensor.text, op.name);
                    return Err(self.problem(
                        ProblemKind::WrongArgument,
                        expr.span,
                        headline,
                        "declared with `?`",
                    ));
                }
                let mut argument = Argument::of_tensor(tensor.clone(), Some(expr.span));
                argument.value = Some(Value::Tensor(tensor));
                argument.module_bias = bias;
                Ok(argument)
            }
            Value::Absent(_) if param.default == Default::Nothing => {
                Ok(Argument::new(Bound::Absent, Operand::Absent, Some(expr.span)))
            }
            Value::Absent(name) => {
                let headline = format!("the checkpoint has no `{name}`, which `{}` needs", op.name);
                Err(self.problem(ProblemKind::WrongArgument, expr.span, headline, ""))
            }
            Value::Unknown => Err(super::Reported),
            Value::Place(_) => Err(self.unfit(op, param, expr, "a tensor, and this is a block")),
            Value::Tuple(parts) => {
                let headline = format!("{} values stand in the place of one", parts.len());
                Err(self.problem(
                    ProblemKind::WrongArgument,
                    expr.span,
                    headline,
                    "name them: `let (a, b) = ...`",
                ))
            }
        }
    }

    fn part(&self, place: &Place, name: &str) -> Option<Place> {
        let mut inner = place.clone();
        inner.steps.push(PathStep::Name(name.to_owned()));
        self.tensor_at(&inner).map(|_| inner)
    }

    fn at(&mut self, place: &Place, span: Span) -> Step<Value> {
        match self.tensor_at(place) {
            Some(number) => self.weight(number, place, span),
            None => Ok(Value::Unknown),
        }
    }

    fn experts(&mut self, op: &'static OpDecl, expr: &Expr) -> Step<Argument> {
        let place = match &expr.kind {
            ExprKind::Path(path) => self.path_value(path, expr.span)?,
            _ => Value::Unknown,
        };
        let family = match &place {
            Value::Place(place) => self.family_at(place),
            _ => None,
        };
        let (Value::Place(place), Some(family)) = (place, family) else {
            let headline = format!("`{}` needs a family of experts", op.name);
            return Err(self.problem(
                ProblemKind::WrongArgument,
                expr.span,
                headline,
                "no `name[e]` is declared so",
            ));
        };
        let members: Vec<Option<u64>> = match self.checkpoint {
            None => vec![None],
            Some(_) => (0..self.members(&place, family)).map(Some).collect(),
        };
        let mut member = place.clone();
        member.steps.push(PathStep::Index { family });
        let depth = member.steps.len();
        let (mut bound, mut all) = (Vec::new(), Vec::new());
        for number in members {
            member.members.truncate(place.members.len());
            member.members.push(number);
            let mut parts = Vec::new();
            for tensor in self.below(&member) {
                let rest =
                    self.decl.tensors.get(tensor).and_then(|t| t.path.get(depth..)).map(<[PathStep]>::to_vec);
                let Some(rest) = rest else { continue };
                let (Some(PathStep::Name(name)), 1 | 2) = (rest.first(), rest.len()) else { continue };
                let mut inner = member.clone();
                inner.steps.extend(rest.iter().cloned());
                if let Value::Tensor(t) = self.at(&inner, expr.span)? {
                    bound.push((name.clone(), t.shape, t.text));
                    parts.push((name.clone(), t.operand));
                }
            }
            all.push(parts);
        }
        let mut argument = Argument::new(Bound::Experts(bound), Operand::Absent, Some(expr.span));
        argument.experts = all;
        Ok(argument)
    }

    fn float(&mut self, expr: &Expr) -> Step<Attribute> {
        if let ExprKind::Number(text) = &expr.kind
            && let Ok(x) = text.parse()
        {
            return Ok(Attribute::Float(x));
        }
        let Some(name) = single(expr) else {
            return Err(self.problem(ProblemKind::WrongArgument, expr.span, "a number is needed here", ""));
        };
        match self.setting(name)? {
            None => Ok(Attribute::Setting(name.text.clone())),
            Some(SettingValue::Int(n)) => Ok(Attribute::Float(n as f64)),
            Some(SettingValue::Text(text)) => match text.parse::<f64>() {
                Ok(x) if x.is_finite() => Ok(Attribute::Float(x)),
                _ => {
                    let headline = format!("`{}` is {text:?}, which is no number", name.text);
                    Err(self.problem(ProblemKind::WrongArgument, name.span, headline, ""))
                }
            },
        }
    }

    fn word(
        &mut self,
        op: &'static OpDecl,
        param: &Param,
        words: &'static [&'static str],
        expr: &Expr,
    ) -> Step<Attribute> {
        let Some(name) = single(expr) else { return Err(self.unfit(op, param, expr, "a word")) };
        let is_default = self.decl.defaults.iter().any(|d| d.name == name.text);
        let word = if is_default {
            match self.setting(name)? {
                None => return Ok(Attribute::Setting(name.text.clone())),
                Some(SettingValue::Int(n)) => n.to_string(),
                Some(SettingValue::Text(text)) => text,
            }
        } else {
            name.text.clone()
        };
        if words.contains(&word.as_str()) {
            return Ok(Attribute::Word(word));
        }
        let headline = format!("`{}` of `{}` is no `{word}`", param.name, op.name);
        Err(self.problem(
            ProblemKind::WrongArgument,
            expr.span,
            headline,
            format!("one of {}", words.join(", ")),
        ))
    }

    fn flag(&mut self, op: &'static OpDecl, param: &Param, expr: &Expr) -> Step<Attribute> {
        let Some(name) = single(expr) else { return Err(self.unfit(op, param, expr, "`true` or `false`")) };
        let text = match name.text.as_str() {
            word @ ("true" | "false") => word.to_owned(),
            _ => match self.setting(name)? {
                None => return Ok(Attribute::Setting(name.text.clone())),
                Some(SettingValue::Text(text)) => text,
                Some(SettingValue::Int(n)) => n.to_string(),
            },
        };
        match text.as_str() {
            "true" => Ok(Attribute::Flag(true)),
            "false" => Ok(Attribute::Flag(false)),
            _ => Err(self.unfit(op, param, expr, "`true` or `false`")),
        }
    }

    fn any_setting(&mut self, op: &'static OpDecl, param: &Param, expr: &Expr) -> Step<Attribute> {
        let Some(name) = single(expr) else { return Err(self.unfit(op, param, expr, "a default")) };
        Ok(match self.setting(name)? {
            None => Attribute::Setting(name.text.clone()),
            Some(SettingValue::Int(n)) => Attribute::Word(n.to_string()),
            Some(SettingValue::Text(text)) => Attribute::Word(text),
        })
    }

    fn words(&mut self, op: &'static OpDecl, param: &Param, expr: &Expr) -> Step<Attribute> {
        let words: Option<Vec<String>> = match &expr.kind {
            ExprKind::List(items) => items.iter().map(|i| single(i).map(|n| n.text.clone())).collect(),
            _ => None,
        };
        words.map(Attribute::Words).ok_or_else(|| self.unfit(op, param, expr, "a list of words"))
    }

    /// The value of a default; `None` while only a checkpoint tells.
    fn setting(&mut self, name: &Ident) -> Step<Option<SettingValue>> {
        if !self.decl.defaults.iter().any(|d| d.name == name.text) {
            return Err(self.unbound(name));
        }
        let model = self.checkpoint.as_ref().map(|c| c.model);
        Ok(model.and_then(|m| m.settings.iter().find(|s| s.name == name.text)).map(|s| s.value.clone()))
    }

    fn unfit(&mut self, op: &OpDecl, param: &Param, expr: &Expr, wanted: &str) -> super::Reported {
        let headline = format!("`{}` of `{}` takes {wanted}", param.name, op.name);
        self.problem(ProblemKind::WrongArgument, expr.span, headline, "")
    }
}

fn single(expr: &Expr) -> Option<&Ident> {
    match &expr.kind {
        ExprKind::Path(path) => match path.as_slice() {
            [one] => Some(one),
            _ => None,
        },
        _ => None,
    }
}
