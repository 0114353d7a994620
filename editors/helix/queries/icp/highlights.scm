; Written from editors/tree-sitter-icp/queries/highlights.scm; change that file.

; ---------------------------------------------------------------- comments and texts

(comment) @comment
(doc_comment) @comment.block.documentation

(string) @string
(escape) @constant.character.escape

; ---------------------------------------------------------------- words

[
  ; words: declarations
  "use" "const" "recipe" "arch" "derive" "extends" "for"
  ; words: end
  ; words: operations
  "checkpoint" "target" "casts" "set" "prune" "assign" "calibrate" "evaluate" "tune" "require"
  "emit"
  ; words: end
  ; words: arch-words
  "dim" "recurrent" "residual" "default" "either" "forward"
  ; words: end
  ; words: forward-words
  "let" "for" "match" "if" "else"
  ; words: end
  ; words: value-words
  "of" "as" "in" "from"
  ; words: end
] @keyword

; `and`, `or`, `not`, `where`, `except`
[
  ; words: pattern-words
  "where" "except" "and" "or" "not"
  ; words: end
] @keyword.operator

((boolean) @constant.builtin.boolean
  (#any-of? @constant.builtin.boolean
    ; words: constants
    "true" "false"
    ; words: end
  ))

; ---------------------------------------------------------------- names

(use "use" (identifier) @namespace)
(use_names (identifier) @variable)
(const name: (identifier) @constant)
(recipe name: (identifier) @function)
(arch name: (identifier) @type)
(derive name: (identifier) @type)
(derive base: (path (identifier) @type))
(extends base: (path (identifier) @function))
(for_arch arch: (path (identifier) @type))
(parameter name: (identifier) @variable.parameter)
(kind (identifier) @type.builtin
  (#any-of? @type.builtin
    ; words: kinds
    "int" "float" "percent" "ratio" "size" "string" "bool" "format"
    ; words: end
  ))

(set name: (identifier) @variable.other.member)
(prune dim: (identifier) @variable.other.member)
(numbered_device) @constant.builtin
(target device: (path (identifier) @constant.builtin
  (#any-of? @constant.builtin
    ; words: targets
    "cpu" "cuda" "sm_80" "a30" "a40" "a100" "h100" "h200" "l4" "l40s" "v100" "t4" "b200"
    ; words: end
  )))
(casts by: (path (identifier) @constant.builtin
  (#eq? @constant.builtin "auto")))

; ---------------------------------------------------------------- patterns

(pattern (role "@" @attribute (identifier) @attribute))
(except (role "@" @attribute (identifier) @attribute))
(rest) @variable.builtin
(optional) @operator
(wildcard) @operator
(any_depth) @operator
(range ["{" "}" ".." "..="] @operator)
(choice ["{" "}" ","] @operator)
(segment (name) @variable.other.member)

(comparison property: (identifier) @variable.other.member
  (#any-of? @variable.other.member
    ; words: properties
    "rank" "params" "bytes" "dtype" "dim" "layer" "role"
    ; words: end
  ))
(comparison value: (path (identifier) @type.builtin)
  (#any-of? @type.builtin
    ; words: dtypes
    "bool" "u8" "i8" "f8_e4m3" "f8_e5m2" "u16" "i16" "f16" "bf16" "u32" "i32" "f32" "u64" "i64"
    "f64" "c64"
    ; words: end
  ))

; ---------------------------------------------------------------- values

; The format of an arm, of a const or of a default; one with arguments is a call.
([
  (arm format: (path (identifier) @function.builtin))
  (const value: (path (identifier) @function.builtin))
  (parameter default: (path (identifier) @function.builtin))
  (argument value: (path (identifier) @function.builtin))
] (#any-of? @function.builtin
    ; words: formats
    "keep" "drop" "fp32" "fp16" "bf16" "fp8_e4m3" "fp8_e5m2" "int8" "int4" "nf4" "fp4"
    ; words: end
  ))
(call name: (identifier) @function.builtin)
(counted name: (identifier) @constant.builtin)

(argument name: (identifier) @variable.other.member
  (#any-of? @variable.other.member
    ; words: arguments + fields
    "saturate" "per" "axis" "symmetric" "clip" "scale" "activations" "pack" "block" "double" "data"
    "tokenizer" "samples" "batch" "max_length" "seed" "statistics" "window" "stride" "shift" "steps"
    "lr" "accumulate" "warmup" "weight_decay" "clip_norm" "distill" "labels" "temperature" "freeze"
    "evaluate_every" "checkpoint_every" "keep" "sparsity" "by" "shards"
    ; words: end
  ))
(argument name: (identifier) @variable.parameter
  (#not-any-of? @variable.parameter
    ; words: arguments + fields
    "saturate" "per" "axis" "symmetric" "clip" "scale" "activations" "pack" "block" "double" "data"
    "tokenizer" "samples" "batch" "max_length" "seed" "statistics" "window" "stride" "shift" "steps"
    "lr" "accumulate" "warmup" "weight_decay" "clip_norm" "distill" "labels" "temperature" "freeze"
    "evaluate_every" "checkpoint_every" "keep" "sparsity" "by" "shards"
    ; words: end
  ))
(field name: (identifier) @variable.other.member
  (#any-of? @variable.other.member
    ; words: fields
    "data" "tokenizer" "samples" "batch" "max_length" "seed" "statistics" "window" "stride" "shift"
    "steps" "lr" "accumulate" "warmup" "weight_decay" "clip_norm" "distill" "labels" "temperature"
    "freeze" "evaluate_every" "checkpoint_every" "keep" "sparsity" "by" "shards"
    ; words: end
  ))
([
  (argument value: (path (identifier) @constant.builtin))
  (field value: (path (identifier) @constant.builtin))
  (share (path (identifier) @constant.builtin))
] (#any-of? @constant.builtin
    ; words: choices
    "tensor" "channel" "block" "minmax" "percentile" "mse" "dynamic" "static" "absmax" "low" "high"
    "magnitude" "l1" "l2" "baseline"
    ; words: end
  ))

(requirement metric: (identifier) @variable.other.member
  (#any-of? @variable.other.member
    ; words: metrics
    "size" "compression" "memory" "sqnr" "clipped" "perplexity"
    ; words: end
  ))
(emit container: (path (identifier) @type.builtin
  (#any-of? @type.builtin
    ; words: containers
    "safetensors" "bitsandbytes"
    ; words: end
  )))

(number) @constant.numeric
(percentage "%" @constant.numeric)
(ratio "x" @constant.numeric)
((unit) @constant.numeric
  (#any-of? @constant.numeric
    ; words: units
    "B" "kB" "MB" "GB" "TB" "KiB" "MiB" "GiB" "TiB"
    ; words: end
  ))

; ---------------------------------------------------------------- architectures

(dims (identifier) @variable.other.member)
(property (identifier) @variable.other.member)
(default name: (identifier) @variable.other.member)
(default value: (path (identifier) @constant))
(config_key) @string.special
(arch_path (name) @variable.other.member)
(each (name) @variable.other.member)
(each ["{" "}" ","] @operator)
(index index: (identifier) @variable.parameter)
(index dim: (identifier) @variable.other.member)
(tensor (role "@" @attribute (identifier) @attribute))
(shape (identifier) @variable.other.member)
(dim_sum (identifier) @variable.other.member)
(dim_product (identifier) @variable.other.member)
(dim_group (identifier) @variable.other.member)
(bound bound: (identifier) @variable.other.member)
(default bound: (identifier) @variable.other.member)

; ---------------------------------------------------------------- forward bodies

(forward_parameter name: (identifier) @variable.parameter)
(let name: (identifier) @variable)
(tuple_binding (identifier) @variable)
(for name: (identifier) @variable)
(apply function: (name_path (identifier) @function))
(forward_argument name: (identifier) @variable.parameter)
(access name: (identifier) @variable.other.member)
; Those of ranges in patterns, too.
[(integer) (float)] @constant.numeric

; ---------------------------------------------------------------- signs

["=>" "->" "=" "|" "==" "!=" "<=" ">=" "<" ">" "+" "-" "*" "/" "!"] @operator
(binary operator: ["%" "@" ".." "..="] @operator)
["(" ")" "[" "]"] @punctuation.bracket
(use_names ["{" "}"] @punctuation.bracket)
(recipe_body ["{" "}"] @punctuation.bracket)
(arms ["{" "}"] @punctuation.bracket)
(fields ["{" "}"] @punctuation.bracket)
(requirements ["{" "}"] @punctuation.bracket)
(arch_body ["{" "}"] @punctuation.bracket)
(body ["{" "}"] @punctuation.bracket)
(match_arms ["{" "}"] @punctuation.bracket)
["::" ":" ";" "."] @punctuation.delimiter
