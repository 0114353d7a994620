//! For every declaration of the library: a checkpoint made from it has the dims that it was made with, and one axis that is
//! changed is one disagreement.

use std::collections::BTreeMap;

use icpc::arch::decl::{ArchDecl, PathStep, TensorDecl};
use icpc::arch::model::Conflict;
use icpc::arch::{ArchModel, unify};
use icpc::checkpoint::Schema;
use icpc::stdlib;
use proptest::prelude::*;

use crate::{declared, listing};

/// One made tensor: name, shape, declaration.
struct Made {
    name: String,
    shape: Vec<u64>,
    decl: usize,
}

/// A checkpoint made from a declaration: `seed` chooses dims, branches, and what is left out.
struct Maker<'d> {
    decl: &'d ArchDecl,
    dims: Vec<Option<u64>>,
    /// By either and prefix.
    branches: BTreeMap<(usize, String), usize>,
    seed: u64,
    made: Vec<Made>,
}

impl Maker<'_> {
    fn new(decl: &ArchDecl, seed: u64) -> Maker<'_> {
        let mut maker = Maker { decl, dims: Vec::new(), branches: BTreeMap::new(), seed, made: Vec::new() };
        let families: Vec<usize> = decl.families.iter().map(|f| f.dim).collect();
        for dim in 0..decl.dims.len() {
            // Counters stay small, and three members outvote one.
            let value = if families.contains(&dim) { 3 + maker.random(3) } else { 2 + maker.random(40) };
            maker.dims.push(Some(value));
        }
        for (number, tensor) in decl.tensors.iter().enumerate() {
            // An alias is another name of a tensor that is there already.
            if tensor.alias_of.is_none() {
                let there = !tensor.optional || maker.random(2) == 0;
                maker.tensor(number, tensor, there);
            }
        }
        maker
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    fn tensor(&mut self, number: usize, tensor: &TensorDecl, there: bool) {
        let mut prefixes = vec![String::new()];
        for step in &tensor.path {
            prefixes = match step {
                PathStep::Name(name) => prefixes.iter().map(|p| join(p, name)).collect(),
                // Present or missing in all names at once.
                PathStep::Optional { switch, name }
                    if (*switch as u64 + self.dims.len() as u64).is_multiple_of(2) =>
                {
                    prefixes.iter().map(|p| join(p, name)).collect()
                }
                PathStep::Optional { .. } => prefixes,
                PathStep::Index { family } => {
                    let members = self.dims[self.decl.families[*family].dim].unwrap();
                    prefixes.iter().flat_map(|p| (0..members).map(move |i| join(p, &i.to_string()))).collect()
                }
            };
        }
        let shape: Vec<u64> = tensor.shape.iter().map(|e| e.value(&self.dims).unwrap()).collect();
        for name in prefixes {
            if there && self.in_chosen_branches(tensor, &name) {
                self.made.push(Made { name, shape: shape.clone(), decl: number });
            }
        }
    }

    fn in_chosen_branches(&mut self, tensor: &TensorDecl, name: &str) -> bool {
        tensor.inside.iter().all(|b| {
            // Choices of one member go by the numbers in its name.
            let depth = self.decl.chain(self.decl.eithers[b.either].within).len();
            let numbers: Vec<&str> =
                name.split('.').filter(|s| s.parse::<u64>().is_ok()).take(depth).collect();
            let key = (b.either, numbers.join("."));
            let branches = self.decl.eithers[b.either].branches as u64;
            let chosen = self.random(branches) as usize;
            *self.branches.entry(key).or_insert(chosen) == b.branch
        })
    }

    fn schema(&self) -> Schema {
        let mut text = String::new();
        for made in &self.made {
            text += &format!("{} f32 {:?}\n", made.name, made.shape);
        }
        for default in &self.decl.defaults {
            if let Some(dim) = default.dim {
                text += &format!("config {} = {}\n", default.config_keys[0], self.dims[dim].unwrap());
            }
        }
        listing(&text)
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn dims_of(maker: &Maker<'_>, model: &ArchModel) -> Result<(), TestCaseError> {
    let used = |dim| {
        maker.made.iter().any(|m| maker.decl.tensors[m.decl].shape.iter().any(|e| e.dims().contains(&dim)))
    };
    for (number, dim) in model.dims.iter().enumerate().filter(|(number, _)| used(*number)) {
        prop_assert_eq!(dim.value, maker.dims[number], "{}", &dim.name);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn dims_come_back_and_one_change_is_one_conflict(library in 0..stdlib::ARCHITECTURES.len(), seed: u64, pick: prop::sample::Index) {
        let decl = declared(stdlib::ARCHITECTURES[library].1);
        let mut maker = Maker::new(&decl, seed);
        let schema = maker.schema();
        let model = unify(&decl, &schema, &[]);
        prop_assert_eq!(&model.conflicts, &[]);
        dims_of(&maker, &model)?;
        prop_assert!(model.tensors.iter().all(Option::is_some));

        // An axis that is outvoted by two others of its kind.
        let mut axes = Vec::new();
        for (number, made) in maker.made.iter().enumerate() {
            let alike = maker.made.iter().filter(|m| m.decl == made.decl).count();
            if alike >= 3 {
                let exprs = &decl.tensors[made.decl].shape;
                axes.extend((0..exprs.len()).filter(|a| !exprs[*a].dims().is_empty()).map(|axis| (number, axis)));
            }
        }
        let (tensor, axis) = axes[pick.index(axes.len())];
        maker.made[tensor].shape[axis] += 1;
        let changed = maker.schema();
        let model = unify(&decl, &changed, &[]);
        prop_assert!(matches!(model.conflicts.as_slice(), [Conflict::Dim { .. }]), "{:?} of {}: {:?}", axis,
            maker.made[tensor].name, model.conflicts);
        dims_of(&maker, &model)?;
        let facts = model.tensors[tensor].as_ref().unwrap();
        prop_assert!(facts.axes[axis].terms.is_empty());
        prop_assert_eq!(unify(&decl, &changed, &[]), model);
    }

    /// Whatever the names and extents: no panic, one fact or one `Unknown` for each tensor.
    #[test]
    fn any_listing_is_answered(
        library in 0..stdlib::ARCHITECTURES.len(),
        seed: u64,
        names in prop::collection::vec("[a-z]{0,3}(layers|h|experts|model|moe)?[.][0-9]{1,20}([.](weight|norm))?", 0..6),
        extents in prop::collection::vec(prop_oneof![0..4u64, Just(u64::MAX), any::<u64>()], 1..4),
    ) {
        let decl = declared(stdlib::ARCHITECTURES[library].1);
        let maker = Maker::new(&decl, seed);
        let mut schema = maker.schema();
        let rows = schema.tensors.len();
        for (i, name) in names.iter().enumerate() {
            let mut tensor = schema.tensors[(seed as usize).wrapping_add(i) % rows].clone();
            tensor.name = name.clone().into();
            schema.tensors.push(tensor);
        }
        for (i, extent) in extents.iter().enumerate() {
            schema.tensors[(seed as usize).wrapping_mul(i + 3) % rows].shape.0 = vec![*extent; 1 + i % 3].into();
        }
        let model = unify(&decl, &schema, &[]);
        let unknown = model.conflicts.iter().filter(|c| matches!(c, Conflict::Unknown { .. })).count();
        prop_assert_eq!(unknown, model.tensors.iter().filter(|t| t.is_none()).count());
        icpc::arch::print(&model, &schema);
    }
}
