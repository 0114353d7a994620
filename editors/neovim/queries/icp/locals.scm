; Written from editors/tree-sitter-icp/queries/locals.scm; change that file.

[
  (source_file)
  (recipe)
  (arch)
  (forward)
  (body)
  (for)
] @local.scope

(const name: (identifier) @local.definition)
(recipe name: (identifier) @local.definition)
(arch name: (identifier) @local.definition)
(derive name: (identifier) @local.definition)
(use_names (identifier) @local.definition)
(parameter name: (identifier) @local.definition)
(dims (identifier) @local.definition)
(forward_parameter name: (identifier) @local.definition)
(let name: (identifier) @local.definition)
(tuple_binding (identifier) @local.definition)
(for name: (identifier) @local.definition)

(path (identifier) @local.reference)
(call name: (identifier) @local.reference)
(name_path (identifier) @local.reference)
(shape (identifier) @local.reference)
(dim_sum (identifier) @local.reference)
(dim_product (identifier) @local.reference)
(dim_group (identifier) @local.reference)
(prune dim: (identifier) @local.reference)
