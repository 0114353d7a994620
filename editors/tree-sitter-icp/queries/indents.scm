[
  (recipe_body)
  (arms)
  (fields)
  (requirements)
  (arch_body)
  (body)
  (match_arms)
  (use_names)
  (parameters)
  (arguments)
  (forward_arguments)
  (list)
  (shape)
] @indent.begin

["}" ")" "]"] @indent.end @indent.branch

[(comment) (doc_comment)] @indent.auto

(ERROR) @indent.auto
