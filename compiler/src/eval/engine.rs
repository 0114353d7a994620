//! What an engine is: something that computes the operations of a graph, on values of its own.
//!
//! The walk over the nodes, what they forget and how they fail is in `interpret` and is the same for all. An engine is a type
//! that implements [`Engine`] and a table of functions, one for each operation; the test below holds that none is missing.

use super::error::Failure;
use super::interpret::Run;
use crate::graph::Node;

/// One backend of forwards.
pub(super) trait Engine: Sized + 'static {
    /// What nodes yield: ids or activations, with a shape.
    type Value: Clone;

    /// By name, the function of every operation.
    fn operations() -> &'static [(&'static str, Compute<Self>)];

    /// The name of a weight of the graph.
    fn weight_name(&self, number: usize) -> Option<&str>;

    /// All elements of a weight of the graph as activations.
    fn weight_value(&self, number: usize) -> Result<Self::Value, Failure>;

    /// Ids of this shape, in row-major order.
    fn ids(&self, shape: Vec<usize>, ids: &[u32]) -> Result<Self::Value, Failure>;

    /// Looks for NaN and infinity in a result.
    fn look(&self, value: &Self::Value) -> Result<Look<Self::Value>, Failure>;

    /// Of what [`Engine::look`] left for later, the first that stands for NaN or infinity.
    fn settle(&self, later: &[Self::Value]) -> Result<Option<usize>, Failure>;

    /// Shows the activations of a value: the length of its last axis, and the elements.
    fn show(value: &Self::Value, see: &mut dyn FnMut(usize, &[f32])) -> Result<(), Failure>;
}

/// Computes one operation: the result of the node at hand.
pub(super) type Compute<E> = fn(&mut Run<'_, '_, E>, &Node) -> Result<<E as Engine>::Value, Failure>;

/// What was found in a result.
pub(super) enum Look<V> {
    /// Every element is finite, or it holds ids.
    Finite,
    /// The index of the first element that is not.
    Not(usize),
    #[cfg_attr(
        not(any(feature = "torch", feature = "cuda")),
        expect(dead_code, reason = "of engines on devices")
    )]
    /// A number that is finite exactly if the elements are, on a device that should not be waited for.
    Later(V),
}

/// The result of `node`; what only it reads is forgotten.
pub(super) fn compute<E: Engine>(run: &mut Run<'_, '_, E>, node: &Node) -> Result<E::Value, Failure> {
    let found = E::operations().iter().find(|(name, _)| *name == node.op.name);
    let (_, compute) = found.ok_or_else(|| Failure::internal("the operation is not known"))?;
    let result = compute(run, node)?;
    run.release(node);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::Engine;
    use crate::eval::native::Native;
    use crate::eval::reference::Reference;

    fn computes_every_operation<E: Engine>() {
        // What only looks is no node.
        let declared = crate::graph::ops::ALL.iter().map(|op| op.name).filter(|name| *name != "assume");
        let mut declared: Vec<&str> = declared.collect();
        let mut computed: Vec<&str> = E::operations().iter().map(|(name, _)| *name).collect();
        declared.sort_unstable();
        computed.sort_unstable();
        assert_eq!(computed, declared, "{}", std::any::type_name::<E>());
    }

    #[test]
    fn every_engine_computes_every_operation() {
        computes_every_operation::<Native>();
        computes_every_operation::<Reference>();
        #[cfg(feature = "cuda")]
        computes_every_operation::<crate::eval::cuda::Cuda>();
        #[cfg(feature = "torch")]
        computes_every_operation::<crate::eval::torch::Torch>();
    }
}
