; No node is captured twice, so the order of the patterns does not matter: editors differ in whether the first or the last
; one wins. The queries of Neovim, Helix and Zed are written from this file, with their names for the captures.

; ---------------------------------------------------------------- comments and texts

(comment) @comment
(doc_comment) @comment.documentation

(string) @string
(escape) @string.escape

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

((boolean) @boolean
  (#any-of? @boolean
    ; words: constants
    "true" "false"
    ; words: end
  ))

; ---------------------------------------------------------------- names

(use "use" (identifier) @module)
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

(set name: (identifier) @property)
(prune dim: (identifier) @variable.member)
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
(wildcard) @character.special
(any_depth) @character.special
(range ["{" "}" ".." "..="] @character.special)
(choice ["{" "}" ","] @character.special)
(segment (name) @variable.member)

(comparison property: (identifier) @property
  (#any-of? @property
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

(argument name: (identifier) @property
  (#any-of? @property
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
(field name: (identifier) @property
  (#any-of? @property
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

(requirement metric: (identifier) @property
  (#any-of? @property
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

(number) @number
(percentage "%" @number)
(ratio "x" @number)
((unit) @type.unit
  (#any-of? @type.unit
    ; words: units
    "B" "kB" "MB" "GB" "TB" "KiB" "MiB" "GiB" "TiB"
    ; words: end
  ))

; ---------------------------------------------------------------- architectures

(dims (identifier) @variable.member)
(property (identifier) @variable.member)
(default name: (identifier) @property)
(default value: (path (identifier) @constant))
(config_key) @string.special
(arch_path (name) @property)
(each (name) @property)
(each ["{" "}" ","] @character.special)
(index index: (identifier) @variable.parameter)
(index dim: (identifier) @variable.member)
(tensor (role "@" @attribute (identifier) @attribute))
(shape (identifier) @variable.member)
(dim_sum (identifier) @variable.member)
(dim_product (identifier) @variable.member)
(dim_group (identifier) @variable.member)
(bound bound: (identifier) @variable.member)
(default bound: (identifier) @variable.member)

; ---------------------------------------------------------------- forward bodies

(forward_parameter name: (identifier) @variable.parameter)
(let name: (identifier) @variable)
(tuple_binding (identifier) @variable)
(for name: (identifier) @variable)
(apply function: (name_path (identifier) @function))
(forward_argument name: (identifier) @variable.parameter)
(access name: (identifier) @property)
; Those of ranges in patterns, too.
[(integer) (float)] @number

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
