//! Which kernels a run uses: what was asked for, what the recipe names, what this machine has.
//!
//! | `--backend` | recipe names no target | `target cpu` | `target a30`, `cuda:1`, `sm_80`, ... |
//! | --- | --- | --- | --- |
//! | `auto` | CUDA where there is a GPU, else the processor, and says why | the processor | CUDA, or an error |
//! | `native` | the processor | the processor | the processor, and says so |
//! | `torch` | libtorch on the processor | libtorch on the processor | libtorch on that GPU |
//! | `cuda` | CUDA, or an error | CUDA, and says so | CUDA, or an error |
//! | `reference` | an error | an error | an error |
//!
//! The bytes of the output are the same in every case.

pub mod devices;
pub mod place;

use std::sync::Arc;

use icpc_kernels::backend::BackendKind;
use icpc_kernels::{Backend, Cpu, Unavailable};

use crate::hir::recipe::Target;

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What the recipe names, else the best there is.
    Auto,
    /// The arithmetic of models in f64, on the processor; plans have none of their own.
    Reference,
    /// This kind.
    Kind(BackendKind),
}

/// Kernels, and what should be said of the choice.
#[derive(Clone)]
pub struct Selected {
    /// The kernels.
    pub backend: Arc<dyn Backend>,
    /// Which kind they are.
    pub kind: BackendKind,
    /// One sentence, where the choice is not what the recipe says or might be expected.
    pub note: Option<String>,
}

/// Choose for a run of a recipe with this target.
///
/// # Errors
/// [`Unavailable`] when what was asked for, or what the recipe names, is not there.
pub fn select(wanted: Wanted, target: Option<&Target>) -> Result<Selected, Unavailable> {
    let gpu = target.filter(|target| target.cuda);
    let elsewhere = |kind: &str| {
        target
            .map(|target| format!("the recipe names `{}`, and `--backend {kind}` was asked for", target.name))
    };
    match (wanted, gpu) {
        (Wanted::Reference, _) => Err(Unavailable::new(
            "the backend `reference` computes models and no plans",
            "give another one here: the output is the same; `icpc eval --backend reference` measures it",
        )),
        (Wanted::Kind(BackendKind::Native), None) => native(None),
        (Wanted::Kind(BackendKind::Native), Some(_)) => native(elsewhere("native")),
        (Wanted::Kind(BackendKind::Torch), _) => {
            let backend = devices::torch(gpu.map(|target| target.ordinal().unwrap_or(0)))?;
            Ok(Selected { backend, kind: BackendKind::Torch, note: None })
        }
        (Wanted::Kind(BackendKind::Cuda), _) => {
            let note = if gpu.is_none() { elsewhere("cuda") } else { None };
            Ok(Selected { note, ..cuda(gpu)? })
        }
        (Wanted::Auto, Some(_)) => cuda(gpu).map_err(|error| {
            let remedy = format!("{}, or give `--backend native`: the output is the same", error.remedy);
            Unavailable::new(error.what, remedy)
        }),
        (Wanted::Auto, None) if target.is_some() => native(None),
        (Wanted::Auto, None) => match cuda(None) {
            Ok(selected) => Ok(selected),
            Err(missing) => native(Some(format!("the plan runs on the processor: {}", missing.what))),
        },
    }
}

fn native(note: Option<String>) -> Result<Selected, Unavailable> {
    let cpu = Cpu::detect().map_err(|error| {
        Unavailable::new(error.to_string(), format!("unset {}", icpc_kernels::cpu::OVERRIDE))
    })?;
    Ok(Selected { backend: Arc::new(*cpu), kind: BackendKind::Native, note })
}

/// All GPUs, or the one that the target numbers. A GPU older than the one named is not it.
fn cuda(target: Option<&Target>) -> Result<Selected, Unavailable> {
    let ordinal = target.and_then(Target::ordinal);
    let found = devices::gpus()?;
    let wanted = target.and_then(Target::capability);
    let chosen: Vec<&devices::Gpu> = match ordinal {
        Some(number) => found.iter().filter(|gpu| gpu.ordinal == number).collect(),
        None => found.iter().collect(),
    };
    let names = |gpus: &[devices::Gpu]| {
        let all: Vec<String> = gpus.iter().map(|gpu| format!("cuda:{} {}", gpu.ordinal, gpu.name)).collect();
        crate::base::list(&all)
    };
    if let (Some(target), true) = (target, chosen.is_empty()) {
        let what = format!("there is no `{}` here, only {}", target.name, names(&found));
        return Err(Unavailable::new(what, "name one of them, or run where there is one"));
    }
    if let (Some(target), Some(wanted)) = (target, wanted)
        && let Some(older) = chosen.iter().find(|gpu| gpu.capability < wanted)
    {
        let what = format!(
            "the recipe names `{}` (sm_{wanted}), and cuda:{} is {} (sm_{})",
            target.name, older.ordinal, older.name, older.capability
        );
        return Err(Unavailable::new(what, "name the GPU that is there, or run where there is such a one"));
    }
    let ordinals: Vec<usize> = chosen.iter().map(|gpu| gpu.ordinal).collect();
    Ok(Selected { backend: devices::cuda(&ordinals)?, kind: BackendKind::Cuda, note: None })
}

#[cfg(test)]
mod tests {
    use super::{Wanted, select};
    use crate::hir::recipe::Target;
    use icpc_kernels::Unavailable;
    use icpc_kernels::backend::BackendKind;

    fn target(name: &str) -> Target {
        Target { name: name.to_owned(), cuda: name != "cpu" }
    }

    /// Where there is a GPU these say other things, which `selftest` looks at.
    fn without_gpu() -> bool {
        super::devices::gpus().is_err()
    }

    #[test]
    fn a_named_device_is_never_replaced() {
        if !without_gpu() {
            return;
        }
        let missing =
            |wanted, name: &str| -> Option<Unavailable> { select(wanted, Some(&target(name))).err() };
        for name in ["a30", "cuda:1", "sm_80"] {
            let error = missing(Wanted::Auto, name).unwrap();
            assert!(error.remedy.contains("--backend native"), "{error}");
            assert!(missing(Wanted::Kind(BackendKind::Cuda), name).is_some());
            let native = select(Wanted::Kind(BackendKind::Native), Some(&target(name))).unwrap();
            assert!(native.note.unwrap().contains(name));
        }
    }

    #[test]
    fn the_reference_runs_no_plan() {
        for target in [None, Some(&target("cpu")), Some(&target("a30"))] {
            let error = select(Wanted::Reference, target).err().unwrap();
            assert_eq!(error.what, "the backend `reference` computes models and no plans");
        }
    }

    #[test]
    fn nothing_is_said_where_nothing_is_surprising() {
        assert_eq!(select(Wanted::Auto, Some(&target("cpu"))).unwrap().note, None);
        assert_eq!(select(Wanted::Kind(BackendKind::Native), None).unwrap().note, None);
        if without_gpu() {
            let fallback = select(Wanted::Auto, None).unwrap();
            assert_eq!(fallback.kind, BackendKind::Native);
            assert!(fallback.note.unwrap().starts_with("the plan runs on the processor: "));
        }
    }
}
