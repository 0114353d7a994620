//! The innermost family below which all of a dim stands.

use super::accept::Accepted;
use super::instances::Instances;
use super::members::Members;
use crate::arch::decl::ArchDecl;
use crate::checkpoint::Schema;

/// For each dim, the pattern of the members in which it stands: `layers.*.moe.layer.experts.*`; empty for dims of the
/// whole model and for those that this checkpoint does not have.
pub(super) fn scopes(
    decl: &ArchDecl,
    schema: &Schema,
    accepted: &Accepted,
    families: &[Members],
) -> Vec<String> {
    let mut used = vec![false; decl.tensors.len()];
    for found in accepted.tensors.iter().flatten() {
        if let Some(used) = used.get_mut(found.decl) {
            *used = true;
        }
    }
    let mut common: Vec<Option<Vec<usize>>> = vec![None; decl.dims.len()];
    let mut stands = |dim: usize, within: Option<usize>| {
        let Some(common) = common.get_mut(dim) else { return };
        let chain = decl.chain(within);
        match common {
            Some(known) => {
                let same = known.iter().zip(&chain).take_while(|(a, b)| a == b).count();
                known.truncate(same);
            }
            None => *common = Some(chain),
        }
    };
    for (tensor, _) in decl.tensors.iter().zip(&used).filter(|(_, used)| **used) {
        for dim in tensor.shape.iter().flat_map(|e| e.dims()) {
            stands(dim, tensor.within);
        }
    }
    let mut counted = vec![false; decl.families.len()];
    for f in families {
        // Once a family: there is one for each layer and expert.
        if let (Some(family), Some(counted)) = (decl.families.get(f.family), counted.get_mut(f.family))
            && !std::mem::replace(counted, true)
        {
            stands(family.dim, family.within);
        }
    }
    let mut member: Vec<Option<u32>> = vec![None; decl.families.len()];
    for (number, instance) in accepted.instances.live() {
        if let Some(first) = member.get_mut(instance.family as usize) {
            first.get_or_insert(number);
        }
    }
    let pattern = |chain: Option<Vec<usize>>| {
        let innermost = chain.and_then(|c| c.last().copied());
        let member = innermost.and_then(|f| member.get(f).copied().flatten());
        member.map_or_else(String::new, |m| starred(m, &accepted.instances, schema))
    };
    common.into_iter().map(pattern).collect()
}

/// `layers.3.moe.layer.experts.1` as `layers.*.moe.layer.experts.*`.
fn starred(member: u32, instances: &Instances, schema: &Schema) -> String {
    let Some(sample) = instances.get(member).and_then(|i| schema.tensors.get(i.sample)) else {
        return String::new();
    };
    let mut around: Vec<(u32, u32)> = instances.chain(member).map(|(_, i)| i.ends).collect();
    around.reverse();
    let mut pattern = String::new();
    let mut start = 0usize;
    for (family, index) in around {
        pattern.push_str(sample.name.get(start..family as usize).unwrap_or(""));
        pattern.push_str(".*");
        start = index as usize;
    }
    pattern
}
