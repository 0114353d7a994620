//! Where a model is computed: for those commands that run forwards and not plans.
//!
//! | `--backend` | recipe names no target, or `target cpu` | `target a30`, `cuda:1`, `sm_80`, ... |
//! | --- | --- | --- |
//! | `auto` | the processor | libtorch on that GPU, else the processor, and says why |
//! | `native` | the processor | the processor, and says so |
//! | `reference` | the processor, in f64 | the processor, in f64, and says so |
//! | `torch` | libtorch on the processor | libtorch on that GPU |
//! | `cuda` | the first GPU, with icpc's own kernels, or an error | that GPU, or an error |
//!
//! Figures of different places agree within the bounds of `docs/conformance.md`.

use std::fmt;

use icpc_kernels::Unavailable;
use icpc_kernels::backend::BackendKind;

use super::{Wanted, devices};
use crate::hir::recipe::Target;

/// Where a model is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The processor, with icpc's own kernels.
    #[default]
    Native,
    /// The processor, with every operation in f64.
    Reference,
    /// libtorch on the processor, or on the GPU of that number.
    Torch(Option<usize>),
    /// icpc's own kernels on the GPU of that number.
    Cuda(usize),
}

impl Place {
    /// Whether weights and activations lie on a GPU.
    pub const fn is_gpu(self) -> bool {
        matches!(self, Place::Torch(Some(_)) | Place::Cuda(_))
    }
}

impl fmt::Display for Place {
    /// As metrics record it: `native`, `reference`, `torch-cpu`, `torch-cuda:0`, `cuda:0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Native => f.write_str("native"),
            Place::Reference => f.write_str("reference"),
            Place::Torch(None) => f.write_str("torch-cpu"),
            Place::Torch(Some(gpu)) => write!(f, "torch-cuda:{gpu}"),
            Place::Cuda(gpu) => write!(f, "cuda:{gpu}"),
        }
    }
}

/// A place, and what should be said of the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where.
    pub place: Place,
    /// One sentence, where the choice is not what the recipe says.
    pub note: Option<String>,
}

/// Choose for the model of a recipe with this target.
///
/// # Errors
/// [`Unavailable`] when what was asked for is not there.
pub fn place(wanted: Wanted, target: Option<&Target>) -> Result<Placed, Unavailable> {
    let gpu = target.filter(|target| target.cuda);
    let on = |gpu: &Target| gpu.ordinal().unwrap_or(0);
    let elsewhere = |place: Place, gpu: &Target| {
        let note = format!("the recipe names `{}`, and `--backend {place}` was asked for", gpu.name);
        Ok(Placed { place, note: Some(note) })
    };
    match (wanted, gpu) {
        (Wanted::Kind(BackendKind::Native), Some(gpu)) => elsewhere(Place::Native, gpu),
        (Wanted::Reference, Some(gpu)) => elsewhere(Place::Reference, gpu),
        (Wanted::Reference, None) => Ok(Placed { place: Place::Reference, note: None }),
        (Wanted::Kind(BackendKind::Native) | Wanted::Auto, None) => {
            Ok(Placed { place: Place::Native, note: None })
        }
        (Wanted::Kind(BackendKind::Torch), gpu) => {
            let gpu = gpu.map(on);
            devices::torch_is_there(gpu)?;
            Ok(Placed { place: Place::Torch(gpu), note: None })
        }
        (Wanted::Kind(BackendKind::Cuda), gpu) => {
            let ordinal = gpu.map_or(0, on);
            devices::cuda_is_there(ordinal)?;
            Ok(Placed { place: Place::Cuda(ordinal), note: None })
        }
        (Wanted::Auto, Some(gpu)) => Ok(match devices::torch_is_there(Some(on(gpu))) {
            Ok(()) => Placed { place: Place::Torch(Some(on(gpu))), note: None },
            Err(missing) => Placed {
                place: Place::Native,
                note: Some(format!("the model runs on the processor: {}", missing.what)),
            },
        }),
    }
}

/// Where the model of a recipe with this target is trained: only libtorch does. `seeded` says that the same bytes are asked for
/// again.
///
/// # Errors
/// [`Unavailable`]: no libtorch, no such device; a GPU, where a seed is asked for.
pub fn training_place(target: Option<&Target>, seeded: bool) -> Result<Place, Unavailable> {
    let placed = place(Wanted::Kind(BackendKind::Torch), target)?;
    honours_seed(placed.place, seeded)
}

/// The place, unless a seed is asked for that it cannot honour.
///
/// # Errors
/// [`Unavailable`].
pub fn honours_seed(place: Place, seeded: bool) -> Result<Place, Unavailable> {
    match place {
        Place::Torch(Some(_)) if seeded => Err(Unavailable::new(
            "`seed` cannot be honoured on a GPU: libtorch adds gradients of embeddings there in no fixed order",
            "leave `seed` out of `tune`, or train with `target cpu`",
        )),
        place => Ok(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_honoured_on_the_processor_only() {
        assert!(honours_seed(Place::Torch(Some(0)), false).is_ok());
        assert!(honours_seed(Place::Torch(None), true).is_ok());
        let refused = honours_seed(Place::Torch(Some(0)), true).unwrap_err();
        assert!(refused.remedy.contains("target cpu"), "{refused}");
        if !cfg!(feature = "torch") {
            let error = training_place(None, true).unwrap_err();
            assert!(error.what.contains("without libtorch"), "{error}");
        }
    }

    fn target(name: &str) -> Target {
        Target { name: name.to_owned(), cuda: name != "cpu" }
    }

    #[test]
    fn models_run_on_the_processor_unless_something_else_is_named() {
        for target in [None, Some(&target("cpu"))] {
            let placed = place(Wanted::Auto, target).unwrap();
            assert_eq!(placed, Placed { place: Place::Native, note: None });
        }
        let native = place(Wanted::Kind(BackendKind::Native), Some(&target("a30"))).unwrap();
        assert!(native.note.unwrap().contains("a30"));
        let reference = place(Wanted::Reference, Some(&target("a30"))).unwrap();
        assert_eq!(reference.place, Place::Reference);
        assert!(reference.note.unwrap().contains("`--backend reference`"));
        assert_eq!(place(Wanted::Reference, None).unwrap().note, None);
    }

    #[test]
    fn a_backend_that_is_not_there_is_an_error_with_a_remedy() {
        if super::devices::gpus().is_err() {
            let error = place(Wanted::Kind(BackendKind::Cuda), None).unwrap_err();
            assert!(!error.what.is_empty() && !error.remedy.is_empty(), "{error}");
        }
        if !cfg!(feature = "torch") {
            let error = place(Wanted::Kind(BackendKind::Torch), None).unwrap_err();
            assert!(error.what.contains("without libtorch"), "{error}");
        }
    }

    #[test]
    fn a_recipe_for_a_gpu_is_measured_where_there_is_none_and_says_so() {
        if super::devices::gpus().is_err() {
            let placed = place(Wanted::Auto, Some(&target("a30"))).unwrap();
            assert_eq!(placed.place, Place::Native);
            assert!(placed.note.unwrap().starts_with("the model runs on the processor: "));
        }
    }
}
