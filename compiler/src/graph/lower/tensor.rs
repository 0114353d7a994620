//! Tensors of the checkpoint as operands.

use super::expression::{Tensor, Value};
use super::place::{Place, name};
use super::problem::ProblemKind;
use super::{Lowering, Step};
use crate::base::Span;
use crate::graph::extent::Extent;
use crate::graph::ir::{Element, Operand, Weight};

impl Lowering<'_> {
    /// The tensor `number` in the members of `place`.
    pub(super) fn weight(&mut self, number: usize, place: &Place, span: Span) -> Step<Value> {
        let Some(declared) = self.decl.tensors.get(number) else { return Ok(Value::Unknown) };
        if let Some(used) = self.used.get_mut(number) {
            *used = true;
        }
        let key = (number, place.members.clone());
        let tensor = self.find(number, &place.members);
        let shown = match (&self.checkpoint, tensor) {
            (None, _) => self.decl.pattern(&declared.path),
            (Some(c), Some(tensor)) => {
                c.schema.tensors.get(tensor).map(|t| t.name.to_string()).unwrap_or_default()
            }
            (Some(_), None) if declared.optional => {
                return Ok(Value::Absent(name(&declared.path, &place.members, 0)));
            }
            (Some(c), None) => {
                let name = name(&declared.path, &place.members, 0);
                let headline = format!("the checkpoint has no `{name}`");
                let label = format!("`{}` is another model, perhaps", c.schema.source);
                return Err(self.problem(ProblemKind::UndeclaredTensor, span, headline, label));
            }
        };
        let shape: Option<Vec<Extent>> = declared.shape.iter().map(|e| self.declared_extent(e)).collect();
        // A broken declaration is reported where it stands.
        let Some(shape) = shape else { return Ok(Value::Unknown) };
        let index = match self.known.get(&key) {
            Some(index) => *index,
            None => {
                let info = self.checkpoint.as_ref().and_then(|c| c.schema.tensors.get(tensor?));
                let dtype = info.map(|i| i.dtype);
                self.weights.push(Weight {
                    name: shown.clone(),
                    tensor,
                    decl: number,
                    shape: shape.clone(),
                    dtype,
                });
                self.known.insert(key, self.weights.len() - 1);
                self.weights.len() - 1
            }
        };
        // Without a checkpoint it may be there or not, unless an arm has asked.
        let maybe = declared.optional
            && declared.alias_of.is_none()
            && self.checkpoint.is_none()
            && !self.assured.iter().any(|p| place.steps.starts_with(p));
        let operand = Operand::Weight(index);
        Ok(Value::Tensor(Tensor { operand, shape, element: Element::Float, text: shown, maybe }))
    }
}
