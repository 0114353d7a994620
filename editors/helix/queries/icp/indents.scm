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
] @indent

["}" ")" "]"] @outdent
