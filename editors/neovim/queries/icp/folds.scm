; Written from editors/tree-sitter-icp/queries/folds.scm; change that file.

[
  (recipe)
  (arch)
  (derive)
  (assign)
  (prune)
  (calibrate)
  (evaluate)
  (tune)
  (require)
  (block)
  (either)
  (forward)
  (body)
  (match_arms)
  (use_names)
  (arguments)
] @fold
