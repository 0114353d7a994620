//! What to say about text that is nothing of the language.

use pest::Parser as _;

use super::Builder;
use super::sequence::Element;
use crate::base::Span;
use crate::syntax::error::quote;
use crate::syntax::grammar::{Grammar, Pair, Rule};
use crate::syntax::keywords::{FOREIGN, Place, keywords};
use crate::syntax::suggest::nearest;
use crate::syntax::tree::SyntaxError;

impl<'t> Builder<'t> {
    /// Junk where an element of a list was expected.
    pub(super) fn junk_in_list(&mut self, pair: &Pair<'t>, expected: &str) -> Element {
        let token = self.token_at(self.span(pair).range().start);
        let headline = format!("expected {expected}, found {}", quote(self.slice(token)));
        self.report(SyntaxError::new(token, headline));
        Element::Broken
    }

    /// Junk between a keyword and its block.
    pub(super) fn head_junk(&mut self, pair: &Pair<'t>, expected: &str) {
        let token = self.token_at(self.span(pair).range().start);
        let headline = format!("expected {expected}, found {}", quote(self.slice(token)));
        self.report(SyntaxError::new(token, headline));
    }

    /// An item that starts with no keyword of this place. If the first word is nearly one, the item is read as that,
    /// so that one wrong letter costs one error and not the whole block.
    pub(super) fn unknown_item(
        &mut self,
        span: Span,
        place: Place,
        build: impl FnOnce(&mut Self, Span, Pair<'t>, Span),
    ) -> Element {
        let token = self.token_at(span.range().start);
        let word = self.slice(token);
        let (known, read_as) = meant(word, place);
        let Some(keyword) = known else {
            self.report(stray(token, word, place));
            return Element::Broken;
        };
        let error = SyntaxError::new(token, format!("{} is no {}", quote(word), item_of(place)));
        self.report(match read_as {
            Some(_) => error.help(format!("did you mean `{keyword}`?")).fix(token, keyword),
            None => error.help(format!("`{keyword}` does that here")),
        });
        if let Some(rule) = read_as {
            self.read_again(rule, token, span, build);
        }
        if self.slice(span).trim_end().ends_with('}') { Element::Block } else { Element::Broken }
    }

    fn read_again(
        &mut self,
        rule: Rule,
        keyword: Span,
        span: Span,
        build: impl FnOnce(&mut Self, Span, Pair<'t>, Span),
    ) {
        let (start, end) = (keyword.range().end, span.range().end);
        let Some(rest) = self.text.get(start..end) else { return };
        let Ok(mut pairs) = Grammar::parse(rule, rest) else { return };
        let Some(pair) = pairs.next() else { return };
        let outer = std::mem::replace(&mut self.base, start);
        build(self, keyword, pair, span);
        self.base = outer;
    }
}

/// The keyword that was meant, and the rule of what follows it.
fn meant(word: &str, place: Place) -> (Option<&'static str>, Option<Rule>) {
    let Some(keyword) = nearest(word, keywords(place).map(|k| k.word)) else {
        // The words of another language rarely have this one's form behind them.
        let foreign = FOREIGN.iter().find(|(foreign, at, _)| *at == place && *foreign == word);
        return (foreign.map(|(_, _, ours)| *ours), None);
    };
    let rule = match keyword {
        "use" => Some(Rule::use_rest),
        "const" => Some(Rule::const_rest),
        "recipe" => Some(Rule::recipe_rest),
        "arch" => Some(Rule::arch_rest),
        "derive" => Some(Rule::derive_rest),
        "checkpoint" => Some(Rule::checkpoint_rest),
        "target" => Some(Rule::target_rest),
        "casts" => Some(Rule::casts_rest),
        "set" => Some(Rule::set_rest),
        "prune" => Some(Rule::prune_rest),
        "assign" => Some(Rule::assign_rest),
        "calibrate" | "evaluate" | "tune" => Some(Rule::settings_rest),
        "require" => Some(Rule::require_rest),
        "emit" => Some(Rule::emit_rest),
        "dim" => Some(Rule::word_list),
        _ => None,
    };
    (Some(keyword), rule)
}

fn item_of(place: Place) -> &'static str {
    match place {
        Place::File => "item of a file",
        Place::Arch => "item of an architecture",
        _ => "item of a recipe",
    }
}

/// A word, or a sign, that starts nothing here.
fn stray(token: Span, word: &str, place: Place) -> SyntaxError {
    let headline = format!("expected an {}, found {}", item_of(place), quote(word));
    let error = SyntaxError::new(token, headline);
    let elsewhere = |other: Place| keywords(other).any(|k| k.word == word);
    match place {
        Place::File if elsewhere(Place::Recipe) => {
            error.help(format!("`{word}` stands inside `recipe name {{ ... }}`"))
        }
        Place::File if elsewhere(Place::Arch) => {
            error.help(format!("`{word}` stands inside `arch name {{ ... }}`"))
        }
        Place::Recipe if elsewhere(Place::File) => error.help(format!("`{word}` stands outside of recipes")),
        Place::Recipe if word == "default" => {
            error.help("an architecture's default is overridden by `set name = value;`")
        }
        Place::Arch => error.help("a tensor is declared as `name : [dim, dim] @role;`"),
        _ => {
            let words: Vec<String> = keywords(place).map(|k| format!("`{}`", k.word)).collect();
            error.help(format!("one of {}", words.join(", ")))
        }
    }
}
