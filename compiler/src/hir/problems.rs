//! Diagnostics of names, imports and values (band 02).

use super::value::{Kind, Value};
use crate::base::list;
use crate::diag::{Certainty, Diagnostic, Loc, declare, suggest::closest};

declare!(
    /// A name that nothing defines.
    UNKNOWN_NAME, "unknown-name", E0201, Error
);
declare!(
    /// A file that cannot be imported, or a name that it does not define.
    UNKNOWN_IMPORT, "unknown-import", E0202, Error
);
declare!(
    /// Files or recipes that need each other.
    CIRCULAR_DEFINITION, "circular-definition", E0203, Error
);
declare!(
    /// One name, two definitions.
    DUPLICATE_NAME, "duplicate-name", E0204, Error
);
declare!(
    /// A value of the wrong kind.
    WRONG_KIND, "wrong-kind", E0205, Error
);
declare!(
    /// A field or argument that does not exist here.
    UNKNOWN_FIELD, "unknown-field", E0206, Error
);
declare!(
    /// A field or argument that must be given.
    MISSING_FIELD, "missing-field", E0207, Error
);
declare!(
    /// A number outside of what it can mean.
    VALUE_OUT_OF_RANGE, "value-out-of-range", E0208, Error
);
declare!(
    /// A single-valued item given twice in one recipe.
    REPEATED_ITEM, "repeated-item", E0209, Error
);
declare!(
    /// A parameter without a value.
    UNBOUND_PARAMETER, "unbound-parameter", E0210, Error
);
declare!(
    /// A const or an import that its file does not use.
    UNUSED_NAME, "unused-name", E0215, Note
);
declare!(
    /// A tensor whose products are asked for in integers, and cannot be.
    NO_INTEGER_PRODUCT, "no-integer-product", E0616, Error
);

/// `what` (`format`, `target`, `parameter`) called `name` does not exist; `known` are the ones that do.
pub fn unknown_name(at: Loc, what: &str, name: &str, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::new(&UNKNOWN_NAME, at.clone(), format!("no {what} is called `{name}`"));
    match closest(name, known.iter().copied()) {
        Some(near) => d.help(format!("did you mean `{near}`?")).fix(
            Certainty::Unsafe,
            format!("replace with `{near}`"),
            at,
            near,
        ),
        None if known.is_empty() => d,
        None if known.len() <= 12 => d.help(format!("known: {}", known.join(", "))),
        None => d.help(format!("known: {}", list(known))),
    }
}

/// Definitions that need each other, in a line that can be read: the first and the last ones of many.
pub fn way(names: &[&str]) -> String {
    const ENDS: usize = 8;
    match names.len().checked_sub(2 * ENDS).filter(|between| *between > 0) {
        Some(between) => {
            let (first, last) = (names.get(..ENDS), names.get(ENDS + between..));
            let ends = [first, last].map(|names| names.unwrap_or_default().join(" → "));
            ends.join(&format!(" → {between} more → "))
        }
        None => names.join(" → "),
    }
}

/// `value` is not of the kind that `what` takes.
pub fn wrong_kind(value: &Value, what: &str, wanted: &str, example: &str) -> Diagnostic {
    Diagnostic::new(&WRONG_KIND, value.loc.clone(), format!("`{what}` takes {wanted}"))
        .label(format!("this is {}", value.kind.describe()))
        .help(format!("write it like `{example}`"))
}

/// A declared kind that is none.
pub fn unknown_kind(at: Loc, name: &str) -> Diagnostic {
    unknown_name(at, "kind", name, &Kind::ALL.map(Kind::name))
}

/// Field `name` is not one of `known` of `what`.
pub fn unknown_field(at: Loc, what: &str, name: &str, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::new(&UNKNOWN_FIELD, at.clone(), format!("`{what}` has no field `{name}`"));
    match closest(name, known.iter().copied()) {
        Some(near) => d.help(format!("did you mean `{near}`?")).fix(
            Certainty::Unsafe,
            format!("replace with `{near}`"),
            at,
            near,
        ),
        None if known.is_empty() => d.help(format!("`{what}` takes no fields")),
        None => d.help(format!("it has: {}", known.join(", "))),
    }
}

/// A value without a name where each has one.
pub fn unnamed_value(value: &Value, what: &str, known: &[&str]) -> Diagnostic {
    let d = Diagnostic::new(&UNKNOWN_FIELD, value.loc.clone(), format!("a value of `{what}` has no name"));
    match known {
        [] => d.help(format!("`{what}` takes no values")),
        [only] => d.help(format!("name it `{only}`")),
        known => d.help(format!("write its name before it, one of: {}", known.join(", "))),
    }
}

/// A number beyond what it can mean.
pub fn out_of_range(at: Loc, headline: String, range: &str) -> Diagnostic {
    Diagnostic::new(&VALUE_OUT_OF_RANGE, at, headline).label(format!("must be {range}"))
}
