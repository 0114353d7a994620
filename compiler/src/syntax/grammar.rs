//! The pest parser; its rule names never leave this folder.
#![allow(missing_docs, reason = "pest derives one variant a rule")]

#[derive(pest_derive::Parser)]
#[grammar = "syntax/icp.pest"]
pub(super) struct Grammar;

pub(super) type Pair<'t> = pest::iterators::Pair<'t, Rule>;
