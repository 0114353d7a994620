//! Pairs of the grammar to the tree of a `forward`.

use pest::Parser as _;

use super::tree::{Arg, Arm, Block, Expr, ExprKind, Forward, Operator, Param, Statement, Unsupported};
use crate::base::Span;
use crate::syntax::clean::clean;
use crate::syntax::grammar::{Grammar, Pair, Rule};
use crate::syntax::tree::Ident;

/// Values between operators of one expression; bounds the depth of the tree.
const MAX_OPERANDS: usize = 64;

type Built<T> = Result<T, Unsupported>;

/// The tree of `text`, from the word `forward` to the closing brace; `base` is added to every span.
///
/// # Errors
/// The first place that has no meaning. A text with syntax errors gives one of them or a tree of what is left: who knows
/// of errors asks no further.
pub fn forward(text: &str, base: u32) -> Result<Forward, Unsupported> {
    let cleaned = clean(text);
    let build = Build { text: &cleaned.text, base };
    let whole = build.shifted(Span::new(0, text.len()));
    let mut pairs = Grammar::parse(Rule::forward, &cleaned.text)
        .map_err(|_| unsupported(whole, "this is no `forward`", ""))?;
    let pair = pairs.next().ok_or_else(|| unsupported(whole, "this is no `forward`", ""))?;
    let (mut params, mut result, mut body) = (Vec::new(), None, None);
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::f_params => params = build.params(part)?,
            Rule::f_expr => result = Some(build.expr(part)?),
            Rule::f_block => body = Some(build.block(part)?),
            _ => {}
        }
    }
    let keyword = build.shifted(Span::new(0, "forward".len()));
    let body = body.ok_or_else(|| unsupported(keyword, "the `forward` has no body", ""))?;
    Ok(Forward { params, result, body, keyword })
}

struct Build<'t> {
    text: &'t str,
    base: u32,
}

impl Build<'_> {
    fn shifted(&self, span: Span) -> Span {
        span.absolute_from(self.base)
    }

    fn span(&self, pair: &Pair<'_>) -> Span {
        let span = pair.as_span();
        // A rule may take the white space behind it.
        let end = span.start() + pair.as_str().trim_end().len();
        self.shifted(Span::new(span.start(), end))
    }

    fn ident(&self, pair: &Pair<'_>) -> Ident {
        Ident { text: pair.as_str().to_owned(), span: self.span(pair) }
    }

    fn params(&self, pair: Pair<'_>) -> Built<Vec<Param>> {
        let mut params = Vec::new();
        for part in pair.into_inner().filter(|p| p.as_rule() == Rule::f_param) {
            let mut inner = part.into_inner();
            let Some(name) = inner.next().map(|p| self.ident(&p)) else { continue };
            let shape = inner.next().map(|p| self.expr(p)).transpose()?;
            params.push(Param { name, shape });
        }
        Ok(params)
    }

    fn block(&self, pair: Pair<'_>) -> Built<Block> {
        let span = self.span(&pair);
        let (mut statements, mut result): (Vec<Statement>, Option<Box<Expr>>) = (Vec::new(), None);
        for part in pair.into_inner() {
            if !matches!(part.as_rule(), Rule::f_let | Rule::f_expr | Rule::semi) {
                continue;
            }
            if let Some(unused) = result.take() {
                let help = "name it with `let`, or leave it out";
                return Err(unsupported(unused.span, "the value of a statement goes nowhere", help));
            }
            match part.as_rule() {
                Rule::f_let => statements.push(self.binding(part)?),
                Rule::f_expr => match self.loop_of(&part) {
                    Some(inner) => statements.push(self.repeat(inner)?),
                    None => result = Some(Box::new(self.expr(part)?)),
                },
                _ => {}
            }
        }
        Ok(Block { statements, result, span })
    }

    fn binding(&self, pair: Pair<'_>) -> Built<Statement> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let names = inner.next().map(|p| self.names(p)).unwrap_or_default();
        let value = inner.next().map(|p| self.expr(p)).transpose()?;
        let value = value.ok_or_else(|| unsupported(span, "the `let` has no value", ""))?;
        Ok(Statement::Let { names, value })
    }

    fn names(&self, pair: Pair<'_>) -> Vec<Ident> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::word).map(|p| self.ident(&p)).collect()
    }

    /// The loop that a statement is.
    fn loop_of<'p>(&self, pair: &Pair<'p>) -> Option<Pair<'p>> {
        let mut inner = pair.clone().into_inner();
        inner.next().filter(|first| first.as_rule() == Rule::f_for && inner.next().is_none())
    }

    fn repeat(&self, pair: Pair<'_>) -> Built<Statement> {
        let span = self.span(&pair);
        let (mut names, mut over, mut body) = (Vec::new(), None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::f_binding => names = self.names(part),
                Rule::f_head => over = Some(self.expr(part)?),
                Rule::f_block => body = Some(self.block(part)?),
                _ => {}
            }
        }
        let (Some(over), Some(body), [variable]) = (over, body, names.as_slice()) else {
            return Err(unsupported(span, "a loop is `for member in family { ... }`", ""));
        };
        if let Some(result) = &body.result {
            return Err(unsupported(result.span, "the block of a loop has no value", "name it with `let`"));
        }
        Ok(Statement::For { variable: variable.clone(), over, body })
    }

    /// `f_expr` and `f_head`: operands with operators between them.
    fn expr(&self, pair: Pair<'_>) -> Built<Expr> {
        let mut start = pair.as_span().start();
        let mut operands: Vec<Expr> = Vec::new();
        let mut operators: Vec<Operator> = Vec::new();
        let mut parts = pair.into_inner().peekable();
        while let Some(first) = parts.next() {
            let mut operand = vec![first];
            while let Some(next) = parts.next_if(|p| p.as_rule() != Rule::f_op) {
                operand.push(next);
            }
            operands.push(self.operand(start, operand)?);
            if operands.len() > MAX_OPERANDS {
                let headline = format!("more than {MAX_OPERANDS} values in one expression");
                return Err(unsupported(
                    self.shifted(Span::new(start, start)),
                    headline,
                    "name parts of it with `let`",
                ));
            }
            if let Some(op) = parts.next() {
                operators.push(self.operator(&op)?);
                start = op.as_span().end();
            }
        }
        combine(operands, operators)
    }

    fn operator(&self, pair: &Pair<'_>) -> Built<Operator> {
        match pair.as_str().trim() {
            "+" => Ok(Operator::Add),
            "-" => Ok(Operator::Sub),
            "*" => Ok(Operator::Mul),
            "/" => Ok(Operator::Div),
            other => {
                let headline = format!("`{other}` is no operation of a `forward`");
                Err(unsupported(self.span(pair), headline, "`+`, `-`, `*` and `/` are"))
            }
        }
    }

    /// A primary with what stands behind it; `start` is where signs in front of it may stand.
    fn operand(&self, start: usize, parts: Vec<Pair<'_>>) -> Built<Expr> {
        let mut parts = parts.into_iter();
        let nothing = || unsupported(self.shifted(Span::new(start, start)), "an expression is missing", "");
        let first = parts.next().ok_or_else(nothing)?;
        let begin = first.as_span().start();
        let sign = self.text.get(start..begin).unwrap_or("").trim();
        let mut expr = self.primary(first)?;
        for part in parts {
            let span = expr.span.cover(self.span(&part));
            let kind = match (part.as_rule(), expr.kind) {
                (Rule::word | Rule::digits, ExprKind::Path(mut segments)) => {
                    segments.push(self.ident(&part));
                    ExprKind::Path(segments)
                }
                (Rule::f_args, ExprKind::Path(segments)) if segments.len() == 1 => {
                    match segments.into_iter().next() {
                        Some(name) => ExprKind::Call { name, args: self.args(part)? },
                        None => return Err(nothing()),
                    }
                }
                (Rule::f_args, _) => {
                    return Err(unsupported(
                        expr.span,
                        "only an operation is called",
                        "write it as `operation(x, ...)`",
                    ));
                }
                (Rule::f_index, _) => {
                    return Err(unsupported(
                        self.span(&part),
                        "a value has no index",
                        "use `chunk` or `split`",
                    ));
                }
                _ => return Err(unsupported(span, "a value has no parts", "use `chunk` or `split`")),
            };
            expr = Expr { kind, span };
        }
        match sign {
            "" => Ok(expr),
            "-" => {
                let span = self.shifted(Span::new(start, start)).cover(expr.span);
                Ok(Expr { kind: ExprKind::Negate(Box::new(expr)), span })
            }
            other => Err(unsupported(expr.span, format!("`{other}` stands in front of no value"), "")),
        }
    }

    fn primary(&self, pair: Pair<'_>) -> Built<Expr> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::f_number => ExprKind::Number(pair.as_str().replace('_', "")),
            Rule::path => {
                let segments: Vec<Ident> = pair.into_inner().map(|p| self.ident(&p)).collect();
                if segments.len() != 1 {
                    return Err(unsupported(
                        span,
                        "`::` has no meaning here",
                        "tensors are written with `.`",
                    ));
                }
                ExprKind::Path(segments)
            }
            Rule::f_block => ExprKind::Block(self.block(pair)?),
            Rule::f_match => self.choice(pair)?,
            Rule::f_square => ExprKind::List(self.list(pair)?),
            Rule::f_round => {
                let mut items = self.list(pair)?;
                match items.pop() {
                    Some(one) if items.is_empty() => return Ok(Expr { span, ..one }),
                    last => ExprKind::Tuple(items.into_iter().chain(last).collect()),
                }
            }
            Rule::f_if => self.condition(pair)?,
            Rule::f_for => return Err(unsupported(span, "a loop is no value", "")),
            Rule::f_expr_right => {
                return Err(unsupported(span, "nothing is assigned here", "write `let name = ...`"));
            }
            _ => return Err(unsupported(span, "this is no value of a `forward`", "")),
        };
        Ok(Expr { kind, span })
    }

    fn list(&self, pair: Pair<'_>) -> Built<Vec<Expr>> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::f_expr).map(|p| self.expr(p)).collect()
    }

    fn args(&self, pair: Pair<'_>) -> Built<Vec<Arg>> {
        let args = pair.into_inner().filter(|p| p.as_rule() == Rule::f_arg);
        args.map(|arg| {
            let span = self.span(&arg);
            let (mut name, mut value) = (None, None);
            for part in arg.into_inner() {
                match part.as_rule() {
                    Rule::word => name = Some(self.ident(&part)),
                    _ => value = Some(self.expr(part)?),
                }
            }
            let value = value.ok_or_else(|| unsupported(span, "the argument has no value", ""))?;
            Ok(Arg { name, value })
        })
        .collect()
    }

    /// `if layer.bias { a } else { b }` is `match layer { bias => a, _ => b }`.
    fn condition(&self, pair: Pair<'_>) -> Built<ExprKind> {
        let span = self.span(&pair);
        let (mut heads, mut blocks) = (Vec::new(), Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::f_head => heads.push(self.expr(part)?),
                Rule::f_block => blocks.push(self.block(part)?),
                _ => {}
            }
        }
        let value = |block: Block| Expr { span: block.span, kind: ExprKind::Block(block) };
        let mut otherwise = match blocks.pop() {
            Some(last) if blocks.len() == heads.len() => value(last),
            _ => {
                return Err(unsupported(
                    span,
                    "an `if` is a value, so it has an `else`",
                    "add `else { ... }`",
                ));
            }
        };
        for (head, block) in heads.into_iter().zip(blocks).rev() {
            let at = head.span;
            let (last, path) = match head.kind {
                ExprKind::Path(mut path) if path.len() > 1 => (path.pop(), path),
                _ => {
                    let help = "write it as `if layer.bias { ... }`";
                    return Err(unsupported(at, "a condition is a tensor below a block", help));
                }
            };
            let yes = Arm { path: last.into_iter().collect(), pattern: at, value: value(block) };
            let no = Arm { path: Vec::new(), pattern: otherwise.span, value: otherwise };
            let head = Box::new(Expr { kind: ExprKind::Path(path), span: at });
            otherwise = Expr { kind: ExprKind::Match { head, arms: vec![yes, no] }, span };
        }
        Ok(otherwise.kind)
    }

    fn choice(&self, pair: Pair<'_>) -> Built<ExprKind> {
        let span = self.span(&pair);
        let (mut head, mut arms) = (None, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::f_head => head = Some(Box::new(self.expr(part)?)),
                Rule::f_arms => {
                    for arm in part.into_inner().filter(|p| p.as_rule() == Rule::f_arm) {
                        arms.push(self.arm(arm)?);
                    }
                }
                _ => {}
            }
        }
        let head = head.ok_or_else(|| unsupported(span, "the `match` has no head", ""))?;
        Ok(ExprKind::Match { head, arms })
    }

    fn arm(&self, pair: Pair<'_>) -> Built<Arm> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let missing = || unsupported(span, "an arm is `name => value`", "");
        let pattern = inner.next().ok_or_else(missing)?;
        let value = self.expr(inner.next().ok_or_else(missing)?)?;
        let (at, text) = (self.span(&pattern), pattern.as_str().trim());
        let mut path = Vec::new();
        let mut offset = at.start;
        for segment in text.split('.').filter(|_| text != "_") {
            let plain =
                !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !plain {
                return Err(unsupported(
                    at,
                    "an arm names one part, without patterns",
                    "write one arm for each",
                ));
            }
            let end = offset + Span::new(0, segment.len()).end;
            path.push(Ident { text: segment.to_owned(), span: Span { start: offset, end } });
            offset = end + 1;
        }
        Ok(Arm { path, pattern: at, value })
    }
}

/// `*` and `/` bind before `+` and `-`; equals go from left to right.
fn combine(operands: Vec<Expr>, operators: Vec<Operator>) -> Built<Expr> {
    let mut operands = operands.into_iter();
    let missing = || unsupported(Span::default(), "an expression is missing", "");
    let mut sums: Vec<(Option<Operator>, Expr)> = vec![(None, operands.next().ok_or_else(missing)?)];
    for (operator, right) in operators.into_iter().zip(operands) {
        match (operator, sums.pop()) {
            (Operator::Mul | Operator::Div, Some((before, left))) => {
                sums.push((before, binary(operator, left, right)))
            }
            (_, last) => {
                sums.extend(last);
                sums.push((Some(operator), right));
            }
        }
    }
    let mut sums = sums.into_iter();
    let (_, first) = sums.next().ok_or_else(missing)?;
    Ok(sums.fold(first, |left, (operator, right)| binary(operator.unwrap_or(Operator::Add), left, right)))
}

fn binary(operator: Operator, left: Expr, right: Expr) -> Expr {
    let span = left.span.cover(right.span);
    Expr { kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)), span }
}

fn unsupported(span: Span, headline: impl Into<String>, help: &'static str) -> Unsupported {
    Unsupported { span, headline: headline.into(), help }
}
