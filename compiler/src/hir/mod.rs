//! Recipes with meaning: names resolved, values typed, `extends` merged. Everything keeps its [`Loc`](crate::diag::Loc).

pub mod decimal;
pub mod derive;
pub mod eval;
pub mod fields;
pub mod filter;
pub mod format;
pub mod items;
pub mod module;
pub mod names;
pub mod problems;
pub mod recipe;
pub mod resolve;
pub mod signature;
pub mod tune;
pub mod unused;
pub mod value;
pub mod vocabulary;

pub use decimal::Decimal;
pub use module::{Item, Module};
pub use recipe::{
    Arm, Derived, Emit, Keep, Mask, Metric, Norm, OutputContainer, Pattern, Prune, PruneHow, Recipe,
    Requirement, Settings, Target,
};
pub use tune::Tune;
pub use value::{Kind, Value, ValueKind};
