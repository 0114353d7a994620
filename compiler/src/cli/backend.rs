//! `--backend`, which several commands take.

use clap::ValueEnum;
use icpc_kernels::Unavailable;
use icpc_kernels::backend::BackendKind;

use super::{Exit, complain};
use crate::backend::place::{Place, Placed, place};
use crate::backend::{Selected, Wanted, select};
use crate::hir::recipe::Target;

/// Which kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendArg {
    /// What the recipe's target says, else a GPU where there is one
    #[default]
    Auto,
    /// The processor
    Native,
    /// The processor with every operation in f64: slow, for models only, and what the others are held against
    Reference,
    /// libtorch
    Torch,
    /// A GPU, by kernels of icpc's own
    Cuda,
}

impl BackendArg {
    fn wanted(self) -> Wanted {
        match self {
            BackendArg::Auto => Wanted::Auto,
            BackendArg::Native => Wanted::Kind(BackendKind::Native),
            BackendArg::Reference => Wanted::Reference,
            BackendArg::Torch => Wanted::Kind(BackendKind::Torch),
            BackendArg::Cuda => Wanted::Kind(BackendKind::Cuda),
        }
    }

    /// Where the model of a recipe with this target is computed; says what is surprising about it, or why it is not.
    pub(crate) fn place(self, target: Option<&Target>) -> Result<Place, Exit> {
        match place(self.wanted(), target) {
            Ok(Placed { place, note }) => {
                if let Some(note) = note {
                    complain(&format!("note: {note}"));
                }
                Ok(place)
            }
            Err(missing) => {
                complain(&format!("error: {}\nhelp: {}", missing.what, missing.remedy));
                Err(Exit::Files)
            }
        }
    }

    /// The same for the model of a plan that runs on these kernels.
    pub(crate) fn place_beside_plan(self, target: Option<&Target>) -> Result<Place, Exit> {
        match self {
            // who opened the kernels has said what there is to say
            BackendArg::Native => Ok(Place::Native),
            asked => asked.place(target),
        }
    }

    /// Where the model of a recipe with this target is trained: only libtorch does.
    ///
    /// # Errors
    /// What is missing, or what was asked for and does not train.
    pub(crate) fn training_place(self, target: Option<&Target>) -> Result<Place, Unavailable> {
        match self {
            BackendArg::Auto | BackendArg::Torch => {
                place(Wanted::Kind(BackendKind::Torch), target).map(|placed| placed.place)
            }
            BackendArg::Native => Err(untrained("native")),
            BackendArg::Reference => Err(untrained("reference")),
            BackendArg::Cuda => Err(untrained("cuda")),
        }
    }

    /// The kernels for a recipe with this target; says what is surprising about them, or why there are none.
    pub(crate) fn open(self, target: Option<&Target>) -> Result<Selected, Exit> {
        match select(self.wanted(), target) {
            Ok(selected) => {
                if let Some(note) = &selected.note {
                    complain(&format!("note: {note}"));
                }
                Ok(selected)
            }
            Err(missing) => {
                complain(&format!("error: {}\nhelp: {}", missing.what, missing.remedy));
                Err(Exit::Files)
            }
        }
    }
}

fn untrained(name: &str) -> Unavailable {
    let what = format!("the backend `{name}` does not train models");
    Unavailable::new(what, "give `--backend torch`, in a build with `--features torch`")
}
