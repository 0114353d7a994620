/**
 * @file The language of icpc recipes.
 *
 * All keywords are contextual, as in the compiler: a tensor may have a segment called `use`, `in` or `dim`. Two things keep
 * that apart from keywords here: a segment of a tensor's name is a token of its own (`name`, which may hold `-` and begin
 * with a digit), and whatever continues a name stands directly behind it (`token.immediate`).
 */

/// <reference types="tree-sitter-cli/dsl" />
// @ts-check

const NAME = /[A-Za-z0-9_-]+/;

/** A list with an optional separator at the end. */
const list = (separator, rule) =>
  optional(seq(rule, repeat(seq(separator, rule)), optional(separator)));

/** The same with at least one element and none at the end. */
const list1 = (separator, rule) => seq(rule, repeat(seq(separator, rule)));

/** The first token of a segment; `keywords` are those that the place has, too. */
const name = ($, ...keywords) => alias(choice($.identifier, $._odd_name, ...keywords), $.name);

/** Precedence of operators in `forward`. */
const PREC = { assign: 1, range: 2, or: 3, and: 4, compare: 5, add: 6, multiply: 7, unary: 8, postfix: 9 };

module.exports = grammar({
  name: "icp",

  extras: ($) => [/[ \t\r\n\uFEFF]/, $.comment, $.doc_comment],

  word: ($) => $.identifier,

  supertypes: ($) => [$._item, $._recipe_item, $._arch_item, $._value, $._expression],

  inline: ($) => [$._kind],

  conflicts: ($) => [
    // `a*?`: one more character where a name goes on, else the mark of a pattern that may match nothing.
    [$._part],
    [$._immediate_part],
    // `prune a{keep: 3}`: braces that begin fields look like a choice up to the `:`.
    [$._glob],
    [$._immediate_glob],
  ],

  rules: {
    source_file: ($) => repeat($._item),

    _item: ($) => choice($.use, $.const, $.recipe, $.arch, $.derive),

    comment: (_) => token(seq("//", /[^\r\n]*/)),
    doc_comment: (_) => token(prec(1, seq(choice("///", "//!"), /[^\r\n]*/))),

    identifier: (_) => /[A-Za-z_][A-Za-z0-9_]*/,
    // What is no identifier: `0`, `q-proj`. Stands behind `identifier`, so that of equal matches that one is taken.
    _odd_name: (_) => NAME,

    // ------------------------------------------------------------ files

    use: ($) =>
      seq(
        "use",
        choice(field("file", $.string), seq($.identifier, repeat(seq("::", $.identifier)))),
        optional(seq("::", field("names", $.use_names))),
        ";",
      ),
    use_names: ($) => seq("{", list(",", $.identifier), "}"),

    const: ($) =>
      seq("const", field("name", $.identifier), optional($._kind), "=", field("value", $._value), ";"),
    _kind: ($) => seq(":", field("kind", $.kind)),
    kind: ($) => $.identifier,

    derive: ($) =>
      seq("derive", field("name", $.identifier), "from", field("base", $.path), field("fields", $.fields)),

    recipe: ($) =>
      seq(
        "recipe",
        field("name", $.identifier),
        optional(field("parameters", $.parameters)),
        repeat(choice($.extends, $.for_arch)),
        field("body", $.recipe_body),
      ),
    parameters: ($) => seq("(", list(",", $.parameter), ")"),
    parameter: ($) =>
      seq(field("name", $.identifier), optional($._kind), optional(seq("=", field("default", $._value)))),
    extends: ($) => seq("extends", field("base", $.path), optional(field("arguments", $.arguments))),
    for_arch: ($) => seq("for", field("arch", $.path)),
    path: ($) => list1("::", $.identifier),

    // ------------------------------------------------------------ recipes

    recipe_body: ($) => seq("{", repeat($._recipe_item), "}"),

    _recipe_item: ($) =>
      choice(
        $.checkpoint,
        $.target,
        $.casts,
        $.set,
        $.prune,
        $.assign,
        $.calibrate,
        $.evaluate,
        $.tune,
        $.require,
        $.emit,
      ),

    checkpoint: ($) => seq("checkpoint", field("path", $._value), ";"),
    target: ($) => seq("target", field("device", choice($._value, $.numbered_device)), ";"),
    numbered_device: (_) => token(/[A-Za-z_][A-Za-z0-9_]*:[0-9]+/),
    casts: ($) => seq("casts", field("by", $._value), ";"),
    set: ($) => seq("set", field("name", $.identifier), "=", field("value", $._value), ";"),

    prune: ($) =>
      seq(
        "prune",
        optional(seq("dim", field("dim", $.identifier), "in")),
        field("pattern", $.pattern),
        field("fields", choice($.fields, alias($._immediate_fields, $.fields))),
      ),
    calibrate: ($) => seq("calibrate", field("fields", $.fields)),
    evaluate: ($) => seq("evaluate", field("fields", $.fields)),
    tune: ($) => seq("tune", field("fields", $.fields)),
    fields: ($) => seq("{", list(",", $.field), "}"),
    _immediate_fields: ($) => seq($._open, list(",", $.field), "}"),
    field: ($) => seq(field("name", $.identifier), ":", field("value", $._value)),

    assign: ($) => seq("assign", field("arms", $.arms)),
    arms: ($) => seq("{", list(",", $.arm), "}"),
    arm: ($) => seq(field("pattern", $.pattern), "=>", field("format", $._value)),

    require: ($) => seq("require", field("requirements", $.requirements)),
    requirements: ($) => seq("{", repeat($.requirement), "}"),
    requirement: ($) =>
      seq(field("metric", $.identifier), field("operator", $._compare), field("bound", $._value), ";"),

    emit: ($) =>
      seq("emit", field("path", $._value), optional(seq("as", field("container", $._value))), ";"),

    _compare: (_) => choice("==", "!=", "<=", ">=", "<", ">"),

    // ------------------------------------------------------------ patterns

    pattern: ($) => seq($._alternatives, optional($.condition), repeat($.except)),
    except: ($) => seq("except", $._alternatives, optional($.condition)),

    _alternatives: ($) =>
      seq(optional("|"), list1("|", choice($.role, $.rest, $.tensor_path)), optional($.optional)),
    optional: ($) => choice("?", alias($._question, "?")),
    role: ($) => seq("@", alias(token.immediate(/[A-Za-z_][A-Za-z0-9_]*/), $.identifier)),
    rest: (_) => prec(1, "_"),

    tensor_path: ($) => seq($._segment, repeat(seq(token.immediate("."), $._immediate_segment))),
    _segment: ($) => choice($.any_depth, alias($._glob, $.segment), $.string),
    _immediate_segment: ($) =>
      choice(
        alias($._immediate_any_depth, $.any_depth),
        alias($._immediate_glob, $.segment),
        alias($._immediate_string, $.string),
      ),
    any_depth: (_) => "**",
    _immediate_any_depth: (_) => token.immediate("**"),

    // Behind a name, `?` is one more character; behind `*` and `}` only where the segment goes on.
    _glob: ($) =>
      choice(
        seq($._part, repeat($._immediate_part)),
        prec.right(seq(alias("?", $.wildcard), repeat($._one), repeat($._immediate_part))),
      ),
    _immediate_glob: ($) =>
      choice(repeat1($._immediate_part), prec.right(seq(repeat1($._one), repeat($._immediate_part)))),
    _part: ($) =>
      choice(
        // Alone, `_` is the rest, and `dim` a keyword of `prune`.
        prec.right(seq(name($, "_", "dim"), repeat($._one))),
        seq($._wild, optional(seq($._one, $._immediate_part))),
      ),
    _immediate_part: ($) =>
      choice(
        prec.right(seq(alias($._immediate_name, $.name), repeat($._one))),
        seq($._immediate_wild, optional(seq($._one, $._immediate_part))),
      ),
    _wild: ($) => choice(alias("*", $.wildcard), $.choice, $.range),
    _immediate_wild: ($) =>
      choice(
        alias(token.immediate("*"), $.wildcard),
        alias($._immediate_choice, $.choice),
        alias($._immediate_range, $.range),
      ),
    _one: ($) => alias($._question, $.wildcard),
    _question: (_) => token.immediate(prec(1, "?")),
    _immediate_name: (_) => token.immediate(NAME),

    choice: ($) => seq("{", $._choices),
    _immediate_choice: ($) => seq($._open, $._choices),
    _choices: ($) => seq(list(",", alias($._glob, $.segment)), "}"),
    _open: (_) => token.immediate(prec(1, "{")),
    range: ($) => seq("{", $._range),
    _immediate_range: ($) => seq($._open, $._range),
    _range: ($) =>
      seq(
        field("from", optional(alias($._odd_name, $.integer))),
        choice("..", "..="),
        field("to", optional(alias($._odd_name, $.integer))),
        "}",
      ),

    condition: ($) => seq("where", $._filter),
    _filter: ($) => choice($.or, $.and, $.not, $.comparison, $.group),
    or: ($) => prec.left(PREC.or, seq($._filter, "or", $._filter)),
    and: ($) => prec.left(PREC.and, seq($._filter, "and", $._filter)),
    not: ($) => prec(PREC.unary, seq("not", $._filter)),
    group: ($) => seq("(", $._filter, ")"),
    comparison: ($) =>
      seq(
        field("property", $.identifier),
        optional(seq("(", field("axis", $._value), ")")),
        field("operator", $._compare),
        field("value", $._value),
      ),

    // ------------------------------------------------------------ values

    _value: ($) => choice($._primary, $.share),
    share: ($) => seq($._primary, "of", $._primary),
    _primary: ($) =>
      choice($.string, $.number, $.boolean, $.percentage, $.ratio, $.size, $.path, $.call, $.counted, $.list),
    number: (_) => token(/[-+]?[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][-+]?[0-9]+)?/),
    percentage: ($) => seq($.number, "%"),
    ratio: ($) => seq($.number, "x"),
    size: ($) => seq($.number, $.unit),
    unit: (_) => choice("B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"),
    boolean: (_) => choice("true", "false"),
    call: ($) => seq(field("name", $.identifier), field("arguments", $.arguments)),
    counted: ($) => seq(field("name", $.identifier), choice($.number, $.percentage, $.ratio, $.size)),
    arguments: ($) => seq("(", list(",", choice($.argument, $._value)), ")"),
    argument: ($) => seq(field("name", $.identifier), ":", field("value", $._value)),
    list: ($) => seq("[", list(",", $._value), "]"),

    string: ($) => seq('"', $._string_rest),
    _immediate_string: ($) => seq(token.immediate('"'), $._string_rest),
    _string_rest: ($) =>
      seq(
        repeat(choice(token.immediate(prec(1, /[^"\\\r\n]+/)), $.escape)),
        token.immediate('"'),
      ),
    escape: (_) => token.immediate(/\\[^\r\n]/),

    // ------------------------------------------------------------ architectures

    arch: ($) => seq("arch", field("name", $.identifier), field("body", $.arch_body)),
    arch_body: ($) => seq("{", repeat($._arch_item), "}"),
    _arch_item: ($) =>
      choice($.dims, $.property, $.default, $.either, $.forward, $.tensor, $.block, $.tie, $.bound),

    dims: ($) => seq("dim", list1(",", $.identifier), ";"),
    property: ($) => seq(choice("recurrent", "residual"), list1(",", $.identifier), ";"),
    default: ($) =>
      seq(
        "default",
        field("name", $.identifier),
        optional($._kind),
        "=",
        field("value", $._value),
        optional(seq(field("operator", $._compare), field("bound", $._dim_expression))),
        optional(seq("from", list1(",", alias($.identifier, $.config_key)))),
        ";",
      ),
    either: ($) => prec(1, seq("either", $.arch_body, repeat(seq("or", $.arch_body)))),
    tensor: ($) => seq(field("name", $.arch_path), ":", field("shape", $.shape), repeat($.role), ";"),
    block: ($) => seq(field("name", $.arch_path), field("body", $.arch_body)),
    tie: ($) => seq(field("name", $.arch_path), "=", field("target", $.arch_path), ";"),
    bound: ($) =>
      seq(field("name", $.arch_path), field("operator", $._compare), field("bound", $._dim_expression), ";"),

    arch_path: ($) =>
      seq($._arch_segment, repeat(seq(token.immediate("."), $._immediate_arch_segment))),
    _arch_segment: ($) =>
      seq(
        choice(
          // Keywords of this place, where something else follows.
          name($, "dim", "recurrent", "residual", "default", "either", "forward"),
          $.each,
        ),
        optional($.index),
        optional(alias($._question, $.optional)),
      ),
    _immediate_arch_segment: ($) =>
      seq(
        choice(alias($._immediate_name, $.name), alias($._immediate_each, $.each)),
        optional($.index),
        optional(alias($._question, $.optional)),
      ),
    each: ($) => seq("{", $._each_rest),
    _immediate_each: ($) => seq($._open, $._each_rest),
    _each_rest: ($) => seq(list(",", name($)), "}"),
    index: ($) =>
      seq(
        token.immediate("["),
        field("index", $.identifier),
        optional(seq("in", field("dim", $.identifier))),
        "]",
      ),

    shape: ($) => seq("[", list(",", $._dim_expression), "]"),
    _dim_expression: ($) => choice($.identifier, $.number, $.dim_sum, $.dim_product, $.dim_group),
    dim_sum: ($) =>
      prec.left(PREC.add, seq($._dim_expression, field("operator", choice("+", "-")), $._dim_expression)),
    dim_product: ($) =>
      prec.left(PREC.multiply, seq($._dim_expression, field("operator", choice("*", "/")), $._dim_expression)),
    dim_group: ($) => seq("(", $._dim_expression, ")"),

    // ------------------------------------------------------------ forward bodies

    forward: ($) =>
      seq(
        "forward",
        field("parameters", $.forward_parameters),
        optional(seq("->", field("result", $._expression))),
        field("body", $.body),
      ),
    forward_parameters: ($) => seq("(", list(",", $.forward_parameter), ")"),
    forward_parameter: ($) =>
      seq(field("name", $.identifier), optional(seq(":", field("shape", $._expression)))),

    // The compiler wants a `;` where a statement does not end with a block.
    body: ($) => seq("{", repeat($._statement), "}"),
    _statement: ($) => choice(seq($.let, optional(";")), seq($._expression, optional(";"))),
    let: ($) => seq("let", field("name", $._binding), "=", field("value", $._expression)),
    _binding: ($) => choice($.identifier, $.tuple_binding),
    tuple_binding: ($) => seq("(", list(",", $.identifier), ")"),

    _expression: ($) =>
      choice(
        $.integer,
        $.float,
        $.string,
        $.name_path,
        $.tuple,
        $.shape_value,
        $.unary,
        $.binary,
        $.assignment,
        $.access,
        $.apply,
        $.subscript,
        $.match,
        $.for,
        $.if,
        $.body,
      ),
    integer: (_) => /[0-9][0-9_]*/,
    float: (_) => token(/[0-9][0-9_]*(\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)/),
    name_path: ($) => list1("::", $.identifier),
    tuple: ($) => seq("(", list(",", $._expression), ")"),
    shape_value: ($) => seq("[", list(",", $._expression), "]"),
    unary: ($) => prec(PREC.unary, seq(choice("-", "!", "not", ".."), $._expression)),
    binary: ($) =>
      choice(
        ...[
          [PREC.range, choice("..", "..=")],
          [PREC.or, "or"],
          [PREC.and, "and"],
          [PREC.compare, choice("==", "!=", "<=", ">=", "<", ">", "in")],
          [PREC.add, choice("+", "-")],
          [PREC.multiply, choice("*", "/", "%", "@")],
        ].map(([level, operator]) =>
          prec.left(level, seq(field("left", $._expression), field("operator", operator), field("right", $._expression))),
        ),
      ),
    assignment: ($) => prec.right(PREC.assign, seq(field("left", $._expression), "=", field("right", $._expression))),
    access: ($) =>
      prec(PREC.postfix, seq(field("value", $._expression), token.immediate("."), field("name", choice($._member, $.integer)))),
    _member: ($) => alias(token.immediate(/[A-Za-z_][A-Za-z0-9_]*/), $.identifier),
    apply: ($) => prec(PREC.postfix, seq(field("function", $._expression), field("arguments", $.forward_arguments))),
    forward_arguments: ($) => seq("(", list(",", choice($.forward_argument, $._expression)), ")"),
    forward_argument: ($) => seq(field("name", $.identifier), ":", field("value", $._expression)),
    subscript: ($) => prec(PREC.postfix, seq(field("value", $._expression), "[", list(",", choice($._expression, $.slice)), "]")),
    slice: ($) =>
      choice(
        "...",
        seq(choice(":", ".."), optional($._expression)),
        seq($._expression, choice(":", "..")),
        seq($._expression, ":", $._expression),
      ),

    for: ($) => seq("for", field("name", $._binding), "in", field("over", $._expression), field("body", $.body)),
    if: ($) =>
      seq(
        "if",
        field("condition", $._expression),
        field("then", $.body),
        optional(seq("else", field("else", choice($.body, $.if)))),
      ),
    match: ($) => seq("match", field("value", $._expression), field("arms", $.match_arms)),
    match_arms: ($) => seq("{", list(",", $.match_arm), "}"),
    match_arm: ($) => seq(field("pattern", $.pattern), "=>", field("value", $._expression)),
  },
});
