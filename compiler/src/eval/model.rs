//! A model that can be run.

use std::sync::Arc;

use icpc_kernels::{Cpu, Format};
use rayon::prelude::*;

use super::error::EvalError;
use super::integer::Rounding;
use super::interpret::Batch;
use super::logical::{Opened, open_logical};
use super::native::Native;
use super::runner::Runner;
use super::state::State;
use super::weights::{Loaded, contents, load};
use crate::arch::model::{Origin, SettingValue};
use crate::backend::place::Place;
#[cfg(feature = "torch")]
use crate::checkpoint::{ConfigFact, Schema};
use crate::db::{CheckpointState, TensorNames};
use crate::diag::Diagnostic;
use crate::graph::{Attribute, Graph, Node, Operand};
use crate::plan::hash::hex_digest;
use crate::session::Session;
use crate::system;

/// Sees the input of every product with a matrix: the weight's name, the length of a row, the rows.
pub type Tap<'a> = &'a mut dyn FnMut(&str, usize, &[f32]);

/// A model: its graph, and its weights in memory as they are stored.
pub struct Model {
    path: String,
    pub(super) graph: Graph,
    pub(super) native: Native,
    pub(super) place: Place,
    pub(super) runner: Runner,
    pub(super) last_use: Vec<usize>,
    assumed: Vec<String>,
    vocabulary: Option<u64>,
    /// Roles of each weight of the graph.
    pub(super) roles: Vec<Arc<[String]>>,
    header_hash: String,
    source_bytes: u64,
}

/// Scores of the next token, a row for each position.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    /// Length of a row.
    pub vocabulary: usize,
    /// `[positions, vocabulary]`, row-major.
    pub values: Vec<f32>,
}

impl Logits {
    /// The scores at a position.
    pub fn row(&self, position: usize) -> Option<&[f32]> {
        let start = position.checked_mul(self.vocabulary)?;
        self.values.get(start..start.checked_add(self.vocabulary)?)
    }

    /// Number of positions.
    pub fn positions(&self) -> usize {
        self.values.len().checked_div(self.vocabulary).unwrap_or(0)
    }
}

impl Model {
    /// Opens a checkpoint or the folder of an output, of an architecture of the library.
    ///
    /// # Errors
    /// A file that cannot be read, an architecture that is not known or has no forward, a weight with NaN.
    pub fn open(path: &str) -> Result<Model, EvalError> {
        let opened = open_logical(path)?;
        let (session, file, recipe) = Session::of_checkpoint(CheckpointState::Loaded(opened.schema.clone()));
        Model::of(path, &session, &file, &recipe, &opened)
    }

    /// Opens a checkpoint as the recipe `recipe` of `file` sees it, with the architecture that it names and what it sets.
    /// Without `checkpoint`, its own.
    ///
    /// # Errors
    /// As [`Model::open`], and a recipe that cannot be read.
    pub fn open_for(file: &str, recipe: &str, checkpoint: Option<&str>) -> Result<Model, EvalError> {
        let mut session = Session::new();
        system::load(&mut session, file, checkpoint)
            .map_err(|reason| EvalError::new(file, "reading", reason))?;
        Model::open_in(&mut session, file, recipe, None)
    }

    /// The same in a session that holds the recipe. Of the session, `checkpoint` replaces what the recipe names.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open_in(
        session: &mut Session,
        file: &str,
        recipe: &str,
        checkpoint: Option<&str>,
    ) -> Result<Model, EvalError> {
        if checkpoint.is_some() {
            session.override_checkpoint(checkpoint);
        }
        let path = session.checkpoint_path(file, recipe);
        let path =
            path.ok_or_else(|| EvalError::new(file, "reading", format!("`{recipe}` names no checkpoint")))?;
        let opened = open_logical(&path)?;
        session.set_checkpoint(&path, CheckpointState::Loaded(opened.schema.clone()));
        Model::of(&path, session, file, recipe, &opened)
    }

    /// The same of weights that a checkpoint was made into on the way to an output: what its configuration says holds for them.
    ///
    /// # Errors
    /// As [`Model::open`].
    #[cfg(feature = "torch")]
    pub(crate) fn open_between(
        session: &mut Session,
        file: &str,
        recipe: &str,
        path: &str,
        config: &[ConfigFact],
    ) -> Result<Model, EvalError> {
        session.override_checkpoint(Some(path));
        let mut opened = open_logical(path)?;
        opened.schema = Arc::new(Schema { config: config.to_vec(), ..Schema::clone(&opened.schema) });
        session.set_checkpoint(path, CheckpointState::Loaded(opened.schema.clone()));
        Model::of(path, session, file, recipe, &opened)
    }

    /// What [`Model::weights_hash`] and [`Model::assumed`] of the model that [`Model::open_in`] opens would be, with one tensor in
    /// memory at a time.
    ///
    /// # Errors
    /// As [`Model::open_in`].
    pub(super) fn identify_in(
        session: &mut Session,
        file: &str,
        recipe: &str,
        checkpoint: &str,
    ) -> Result<(String, Vec<String>), EvalError> {
        session.override_checkpoint(Some(checkpoint));
        let opened = open_logical(checkpoint)?;
        session.set_checkpoint(checkpoint, CheckpointState::Loaded(opened.schema.clone()));
        let graph = graph_of(checkpoint, session, file, recipe)?;
        let lines = contents(checkpoint, &graph, &opened.source)?;
        let hash = hex_digest(lines.concat().as_bytes());
        Ok((hash, assumed(session.own_names(file, recipe).as_ref())))
    }

    fn of(
        path: &str,
        session: &Session,
        file: &str,
        recipe: &str,
        opened: &Opened,
    ) -> Result<Model, EvalError> {
        let error = |message: String| EvalError::new(path, "opening", message);
        let graph = graph_of(path, session, file, recipe)?;
        let cpu = Cpu::detect().map_err(|e| error(e.to_string()))?;
        let weights = load(path, &graph, &opened.source, cpu)?;
        let names = session.own_names(file, recipe);
        let assumed = assumed(names.as_ref());
        let facts = names.as_ref().and_then(|n| n.model.as_ref());
        let roles = |tensor: Option<usize>| {
            facts?.tensors.get(tensor?)?.as_ref().map(|facts| Arc::clone(&facts.roles))
        };
        let roles = graph.weights.iter().map(|w| roles(w.tensor).unwrap_or_else(|| Arc::new([]))).collect();
        let tables = graph
            .nodes
            .iter()
            .filter(|n| n.op.name == "embed" && n.inputs.first() == Some(&Operand::Param(0)));
        let rows = tables.filter_map(|n| match n.inputs.get(1) {
            Some(Operand::Weight(w)) => weights.get(*w).and_then(|w| w.shape.first()).map(|n| *n as u64),
            _ => None,
        });
        Ok(Model {
            path: path.to_owned(),
            vocabulary: rows.min(),
            last_use: last_use(&graph),
            assumed,
            roles,
            graph,
            native: Native { weights, cpu, rounding: Rounding::Format },
            place: Place::Native,
            runner: Runner::Native,
            header_hash: opened.schema.header_hash.clone(),
            source_bytes: opened.schema.tensor_bytes(),
        })
    }

    /// The same model on the processor, with weights that both read.
    pub(super) fn share(&self) -> Model {
        Model {
            path: self.path.clone(),
            graph: self.graph.clone(),
            native: self.native.clone(),
            place: Place::Native,
            runner: Runner::Native,
            last_use: self.last_use.clone(),
            assumed: self.assumed.clone(),
            roles: self.roles.clone(),
            header_hash: self.header_hash.clone(),
            vocabulary: self.vocabulary,
            source_bytes: self.source_bytes,
        }
    }

    /// Scores for a sequence of token ids.
    ///
    /// # Errors
    /// Ids beyond the vocabulary and sequences that are too long, before anything is computed; NaN or infinity, with layer and
    /// operation, and the first index unless results lie on a GPU.
    pub fn logits(&self, ids: &[u32]) -> Result<Logits, EvalError> {
        self.check(ids, 0)?;
        self.run(Batch { ids, sequences: 1 }, None, None)
    }

    /// The same for `sequences` of one length, one behind the other in `ids`, in one call: what rounds all its inputs together,
    /// as [`Rounding::Torch`] does, sees all of them. Scores are one behind the other, too.
    ///
    /// # Errors
    /// As [`Model::logits`]; lengths that differ; a forward that takes one sequence, or has operations that do.
    pub fn logits_together(&self, ids: &[u32], sequences: usize) -> Result<Logits, EvalError> {
        let error = |message: &str| EvalError::new(&self.path, "running", message);
        if sequences == 0 || !ids.len().is_multiple_of(sequences) {
            return Err(error("sequences that are run together have one length"));
        }
        let alone = ["attention", "selective_scan", "transpose", "reshape", "cross_entropy"];
        if sequences > 1
            && let Some(node) = self.graph.nodes.iter().find(|n| alone.contains(&n.op.name))
        {
            let message = format!("`{}` is not computed for several sequences together", node.op.name);
            return Err(error(&message).remedy("give one at a time"));
        }
        if sequences > 1 && matches!(self.place, Place::Cuda(_)) {
            return Err(error("the CUDA engine computes one sequence at a time")
                .remedy("give one at a time, or choose `--backend native`"));
        }
        for ids in ids.chunks((ids.len() / sequences).max(1)) {
            self.check(ids, 0)?;
        }
        self.run(Batch { ids, sequences }, None, None)
    }

    /// The same model with inputs of products rounded in another way.
    ///
    /// # Errors
    /// [`Rounding::Torch`] for a model in which PyTorch packed nothing, or not in int8 with one scale.
    pub fn with_rounding(mut self, rounding: Rounding) -> Result<Model, EvalError> {
        if rounding == Rounding::Torch {
            let error = |message: &str| EvalError::new(&self.path, "opening", message);
            if self.packed() == 0 {
                return Err(error("it holds no linear layers that PyTorch packed")
                    .remedy("leave `--activations` out: its formats say how activations are stored"));
            }
            let other = self.storages().find(|w| w.is_packed() && !matches!(w.format(), Format::Int(_)));
            if let Some(weight) = other {
                let message = "it is not packed in int8 with one scale";
                return Err(error(message).tensor(&weight.name));
            }
        }
        self.native.rounding = rounding;
        // what lies on a device stays there
        self.runner = self.runner_at(self.place, Some(&self))?;
        Ok(self)
    }

    /// How inputs of products are rounded.
    pub fn rounding(&self) -> Rounding {
        self.native.rounding
    }

    /// Matrices of linear layers that PyTorch packed.
    pub fn packed(&self) -> usize {
        self.storages().filter(|w| w.is_packed()).count()
    }

    /// The same, and `tap` sees the input of every product with a matrix.
    ///
    /// # Errors
    /// As [`Model::logits`].
    pub fn logits_tapped(&self, ids: &[u32], tap: Tap<'_>) -> Result<Logits, EvalError> {
        self.check(ids, 0)?;
        self.run(Batch { ids, sequences: 1 }, None, Some(tap))
    }

    /// Scores for tokens that follow those that `state` has seen. After an error the state is of no use.
    ///
    /// # Errors
    /// As [`Model::logits`], and a forward whose tokens see later ones.
    pub fn next(&self, ids: &[u32], state: &mut State) -> Result<Logits, EvalError> {
        if let Some(node) = self.whole_only() {
            let message = format!("a forward with `{}` is not computed token by token", node.op.name);
            return Err(EvalError::new(&self.path, "running", message).remedy("give whole sequences"));
        }
        self.check(ids, state.tokens)?;
        let logits = self.run(Batch { ids, sequences: 1 }, Some(state), None)?;
        state.tokens += ids.len();
        Ok(logits)
    }

    /// Whether tokens can be computed one at a time, by [`Model::next`].
    pub fn is_stepwise(&self) -> bool {
        self.whole_only().is_none() && self.graph.nodes.iter().all(is_causal)
    }

    /// A node that needs the whole sequence.
    fn whole_only(&self) -> Option<&Node> {
        self.graph.nodes.iter().find(|n| matches!(n.op.name, "transpose" | "reshape"))
    }

    pub(super) fn check(&self, ids: &[u32], before: usize) -> Result<(), EvalError> {
        let error = |message: String| EvalError::new(&self.path, "running", message);
        if ids.is_empty() {
            return Err(error("there are no token ids".to_owned()));
        }
        if let Some(vocabulary) = self.vocabulary
            && let Some((position, id)) = ids.iter().enumerate().find(|(_, id)| u64::from(**id) >= vocabulary)
        {
            let message =
                format!("token {id} at position {position} is beyond the vocabulary of {vocabulary}");
            return Err(error(message).remedy("take the tokenizer that the model was trained with"));
        }
        let length = before.saturating_add(ids.len()) as u64;
        match self.longest() {
            Some(most) if length > most => {
                let message = format!("{length} tokens are more than the {most} positions of the model");
                Err(error(message).remedy(format!("give windows of at most {most}")))
            }
            _ => Ok(()),
        }
    }

    /// The longest sequence, where the architecture bounds it.
    pub fn longest(&self) -> Option<u64> {
        longest(&self.graph)
    }

    /// Number of token ids, where the forward looks them up in a table.
    pub fn vocabulary(&self) -> Option<u64> {
        self.vocabulary
    }

    /// What no file told and the architecture's defaults say: `heads = 12`.
    pub fn assumed(&self) -> &[String] {
        &self.assumed
    }

    /// Bytes of the weights in memory.
    pub fn weight_bytes(&self) -> u64 {
        self.storages().map(Loaded::bytes).sum()
    }

    /// The weights, tied ones once.
    pub(super) fn storages(&self) -> impl Iterator<Item = &Loaded> {
        let is_first =
            |(n, w): &(usize, &Arc<Loaded>)| !self.native.weights.iter().take(*n).any(|v| Arc::ptr_eq(v, w));
        self.native.weights.iter().enumerate().filter(is_first).map(|(_, w)| w.as_ref())
    }

    /// The checkpoint or the folder of the output.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Bytes of all tensors of the file, tied ones once, whether they are computed with or not.
    pub fn source_bytes(&self) -> u64 {
        self.source_bytes
    }

    /// SHA-256 of the header.
    pub fn header_hash(&self) -> &str {
        &self.header_hash
    }

    /// SHA-256 of the names and content hashes of all weights, as they are stored.
    pub fn weights_hash(&self) -> String {
        let lines: Vec<String> = self.native.weights.par_iter().map(|w| w.content()).collect();
        hex_digest(lines.concat().as_bytes())
    }

    /// The name of a weight of the graph.
    pub(super) fn weight_name(&self, number: usize) -> Option<&str> {
        self.native.weights.get(number).map(|w| w.name.as_str())
    }

    /// Kernels that this model runs on.
    pub(super) fn cpu(&self) -> &'static Cpu {
        self.native.cpu
    }

    /// What is computed.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

/// The longest sequence of a forward, where its architecture bounds it.
pub(super) fn longest(graph: &Graph) -> Option<u64> {
    graph.bounds.iter().filter(|(name, _)| name == "sequence").map(|(_, most)| *most).min()
}

fn graph_of(path: &str, session: &Session, file: &str, recipe: &str) -> Result<Graph, EvalError> {
    let error = |message: String| EvalError::new(path, "opening", message);
    let found = session.own_graph(file, recipe).ok_or_else(|| {
        error("no architecture with a forward fits it".to_owned())
            .remedy("`icpc check --verbose` says why; docs/forward.md how to declare one")
    })?;
    match found {
        (Some(graph), _) => Ok(graph),
        (None, problems) => {
            let first = session.placed(problems).into_iter().next();
            Err(error(first.map_or_else(String::new, said)))
        }
    }
}

/// What no file told and the architecture's defaults say.
fn assumed(names: Option<&TensorNames>) -> Vec<String> {
    let settings = names.and_then(|n| n.model.as_ref()).map(|m| m.settings.as_slice());
    let defaults = settings.unwrap_or_default().iter().filter(|s| s.origin == Origin::Default);
    let said = defaults.map(|s| match &s.value {
        SettingValue::Int(n) => format!("{} = {n}", s.name),
        SettingValue::Text(text) => format!("{} = {text}", s.name),
    });
    said.collect()
}

/// Whether a token sees only those before it.
fn is_causal(node: &Node) -> bool {
    node.op.name != "attention" || node.attribute("causal") != Some(&Attribute::Flag(false))
}

fn said(d: Diagnostic) -> String {
    match d.provenance.as_slice() {
        [] => d.headline,
        because => format!("{} ({})", d.headline, because.join(", ")),
    }
}

/// By node, the last node that reads it; the result is read after all.
pub(super) fn last_use(graph: &Graph) -> Vec<usize> {
    let mut last: Vec<usize> = vec![0; graph.nodes.len()];
    let mut reads = |operand: Operand, by: usize| {
        if let Operand::Node(n) = operand
            && let Some(slot) = last.get_mut(n)
        {
            *slot = by.max(*slot);
        }
    };
    for (number, node) in graph.nodes.iter().enumerate() {
        node.inputs.iter().for_each(|input| reads(*input, number));
    }
    reads(graph.result, graph.nodes.len());
    last
}
