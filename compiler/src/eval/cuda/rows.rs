//! Products with matrices, and operations over the last axis.

use super::value::Value;
use super::{Form, Run};
use crate::eval::error::Failure;
use crate::eval::forms;
use crate::graph::{Node, Operand};

pub(super) fn linear(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (device, stored) = (run.device(), run.weight(node, 1)?);
    let bias = run.optional(node, 2, Form::Plain)?;
    run.tap_operand(run.name(node, 1), run.operand(node, 0))?;
    let x = run.value(run.operand(node, 0))?;
    let transposed = match run.operand(node, 1) {
        Operand::Weight(number) if node.flag("transposed") == Some(true) => {
            Some(match run.engine().turned.get(&number) {
                Some(codes) => codes.clone(),
                None => {
                    let values = run.engine().floats(number, Form::Transposed)?;
                    device.dense(&values, stored.columns(), stored.rows())?
                }
            })
        }
        _ => None,
    };
    let weight = transposed.as_ref().unwrap_or(stored);
    let y = device.linear(x.rows(), x.floats()?, weight, bias.as_ref())?;
    Ok(Value::new(x.shape_with(weight.rows()), y))
}

pub(super) fn layer_norm(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (weight, bias) = (run.vector(node, 1, Form::Plain)?, run.optional(node, 2, Form::Plain)?);
    let x = run.take(node, 0)?;
    let y = run.device().layer_norm(x.floats()?, &weight, bias.as_ref(), forms::eps(node)?)?;
    Ok(Value::new(x.shape, y))
}

pub(super) fn rms_norm(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let weight = run.vector(node, 1, Form::Plain)?;
    let x = run.take(node, 0)?;
    let y = run.device().rms_norm(x.floats()?, &weight, forms::eps(node)?)?;
    Ok(Value::new(x.shape, y))
}

pub(super) fn softmax(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let x = run.take(node, 0)?;
    let y = run.device().softmax(x.width(), x.floats()?)?;
    Ok(Value::new(x.shape, y))
}

pub(super) fn mean(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let x = run.value(run.operand(node, 0))?;
    let mut shape = x.shape.clone();
    let width = shape.pop().unwrap_or(1);
    Ok(Value::new(shape, run.device().mean(width, x.floats()?)?))
}

pub(super) fn cross_entropy(run: &mut Run<'_, '_>, node: &Node) -> Result<Value, Failure> {
    let (logits, ids) = (run.value(run.operand(node, 0))?, run.value(run.operand(node, 1))?);
    let losses = run.device().cross_entropy(logits.width(), logits.floats()?, ids.ids()?)?;
    Ok(Value::new(ids.shape.clone(), losses.rounded))
}
