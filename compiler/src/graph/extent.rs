//! Lengths of axes as polynomials of dims: two are equal if they are for all numbers.

use std::fmt;
use std::sync::Arc;

/// Terms of one length; declared ones have three. Bounds what products of sums can grow to.
const MAX_TERMS: usize = 64;
/// Names in one length, those inside of quotients too.
const MAX_WEIGHT: usize = 256;

/// A sum of products of symbols with whole coefficients; no term is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// Factors of each term, sorted, and its coefficient; sorted by the factors.
    terms: Vec<(Vec<Symbol>, u64)>,
}

/// What a term is a product of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Symbol {
    /// A dim, a default, or a name that a parameter's shape brings in (`batch`, `seq`).
    Name(Arc<str>),
    /// A division that no polynomial says; the graph asks elsewhere that nothing is left over.
    Quotient(Box<Extent>, Box<Extent>),
}

impl Extent {
    /// A number.
    pub fn number(n: u64) -> Extent {
        Extent { terms: if n == 0 { Vec::new() } else { vec![(Vec::new(), n)] } }
    }

    /// A name.
    pub fn name(name: &str) -> Extent {
        Extent { terms: vec![(vec![Symbol::Name(Arc::from(name))], 1)] }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<u64> {
        match self.terms.as_slice() {
            [] => Some(0),
            [(factors, n)] if factors.is_empty() => Some(*n),
            _ => None,
        }
    }

    /// Whether it is 1.
    pub fn is_one(&self) -> bool {
        self.as_number() == Some(1)
    }

    /// Names that stand in it, those of quotients too.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for symbol in self.terms.iter().flat_map(|(factors, _)| factors) {
            match symbol {
                Symbol::Name(name) => names.push(name.as_ref()),
                Symbol::Quotient(a, b) => names.extend(a.names().into_iter().chain(b.names())),
            }
        }
        names
    }

    /// Whether a quotient stands in it: then it may equal another one that is written otherwise.
    pub fn has_quotient(&self) -> bool {
        self.terms.iter().flat_map(|(factors, _)| factors).any(|s| matches!(s, Symbol::Quotient(..)))
    }

    /// Their sum; `None` where it grows out of all bounds.
    pub fn plus(&self, other: &Extent) -> Option<Extent> {
        Extent::collect(self.terms.iter().chain(&other.terms).cloned())
    }

    /// Their product.
    pub fn times(&self, other: &Extent) -> Option<Extent> {
        if let Some(whole) = cancelled(self, other).or_else(|| cancelled(other, self)) {
            return Some(whole);
        }
        if self.terms.len().saturating_mul(other.terms.len()) > MAX_TERMS {
            return None;
        }
        let mut terms = Vec::new();
        for (left, a) in &self.terms {
            for (right, b) in &other.terms {
                let mut factors: Vec<Symbol> = left.iter().chain(right).cloned().collect();
                if factors.len() > MAX_TERMS {
                    return None;
                }
                factors.sort();
                terms.push((factors, a.checked_mul(*b)?));
            }
        }
        Extent::collect(terms)
    }

    /// The quotient, where every term is a multiple of `divisor`.
    pub fn divided(&self, divisor: &Extent) -> Option<Extent> {
        if self == divisor {
            return Some(Extent::number(1));
        }
        let [(factors, coefficient)] = divisor.terms.as_slice() else { return None };
        let terms = self.terms.iter().map(|(of, n)| {
            let mut left = of.clone();
            for factor in factors {
                left.remove(left.iter().position(|f| f == factor)?);
            }
            n.is_multiple_of(*coefficient).then(|| (left, n / coefficient))
        });
        Extent::collect(terms.collect::<Option<Vec<_>>>()?)
    }

    /// The quotient as a symbol of its own; `None` where it grows out of all bounds.
    pub fn quotient(&self, divisor: &Extent) -> Option<Extent> {
        let symbol = Symbol::Quotient(Box::new(self.clone()), Box::new(divisor.clone()));
        Extent::collect([(vec![symbol], 1)])
    }

    /// Names in it, each as often as it stands there.
    fn weight(&self) -> usize {
        let factors = self.terms.iter().flat_map(|(factors, _)| factors);
        let one = |symbol: &Symbol| match symbol {
            Symbol::Name(_) => 1,
            Symbol::Quotient(a, b) => 1 + a.weight() + b.weight(),
        };
        factors.map(one).sum()
    }

    /// Its value when every name's is known; `None` otherwise, on overflow, and where a quotient leaves something over.
    pub fn value(&self, number: &dyn Fn(&str) -> Option<u64>) -> Option<u64> {
        self.terms.iter().try_fold(0u64, |sum, (factors, coefficient)| {
            let product = factors.iter().try_fold(*coefficient, |product, symbol| {
                let factor = match symbol {
                    Symbol::Name(name) => number(name)?,
                    Symbol::Quotient(a, b) => {
                        let (a, b) = (a.value(number)?, b.value(number)?);
                        a.checked_div(b).filter(|_| a.is_multiple_of(b))?
                    }
                };
                product.checked_mul(factor)
            });
            sum.checked_add(product?)
        })
    }

    fn collect(terms: impl IntoIterator<Item = (Vec<Symbol>, u64)>) -> Option<Extent> {
        let mut all: Vec<(Vec<Symbol>, u64)> = terms.into_iter().filter(|(_, n)| *n > 0).collect();
        all.sort();
        let mut terms: Vec<(Vec<Symbol>, u64)> = Vec::with_capacity(all.len());
        for (factors, n) in all {
            match terms.last_mut() {
                Some((last, sum)) if *last == factors => *sum = sum.checked_add(n)?,
                _ => terms.push((factors, n)),
            }
        }
        let sum = Extent { terms };
        (sum.terms.len() <= MAX_TERMS && sum.weight() <= MAX_WEIGHT).then_some(sum)
    }
}

/// `a / b * b` is `a`.
fn cancelled(quotient: &Extent, times: &Extent) -> Option<Extent> {
    match quotient.terms.as_slice() {
        [(factors, 1)] => match factors.as_slice() {
            [Symbol::Quotient(a, b)] if **b == *times => Some((**a).clone()),
            _ => None,
        },
        _ => None,
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        for (i, (factors, n)) in self.terms.iter().enumerate() {
            if i > 0 {
                f.write_str(" + ")?;
            }
            if *n != 1 || factors.is_empty() {
                write!(f, "{n}{}", if factors.is_empty() { "" } else { " * " })?;
            }
            for (j, factor) in factors.iter().enumerate() {
                f.write_str(if j > 0 { " * " } else { "" })?;
                match factor {
                    Symbol::Name(name) => f.write_str(name)?,
                    Symbol::Quotient(a, b) => write!(f, "({a}) / ({b})")?,
                }
            }
        }
        Ok(())
    }
}

/// `[batch, seq, 2 * inner]`
pub fn shape_text(shape: &[Extent]) -> String {
    let extents: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("[{}]", extents.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_equal_whatever_the_order() {
        let (a, b) = (Extent::name("a"), Extent::name("b"));
        let left = a.plus(&b).unwrap().times(&Extent::number(2)).unwrap();
        let right = b.plus(&b).unwrap().plus(&a).unwrap().plus(&a).unwrap();
        assert_eq!(left, right);
        assert_eq!(left.to_string(), "2 * a + 2 * b");
        assert_eq!(left.divided(&Extent::number(2)).unwrap().to_string(), "a + b");
        assert_eq!(a.divided(&Extent::number(2)), None);
    }

    #[test]
    fn a_quotient_times_its_divisor_is_whole() {
        let (hidden, heads) = (Extent::name("hidden"), Extent::name("heads"));
        let each = hidden.quotient(&heads).unwrap();
        assert_eq!(each.times(&heads), Some(hidden.clone()));
        let number = |name: &str| Some(if name == "hidden" { 12 } else { 5 });
        assert_eq!(each.value(&number), None);
    }
}
