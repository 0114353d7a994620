//! What a tokenizer file says about its vocabulary: enough to check that no token id lies beyond a model's table.

use super::error::{CheckpointError, Result, Shown};
use super::json::{self, Scalar, Step};
use crate::base::{LineIndex, count, list};

/// Schema of a tokenizer file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenizerKind {
    /// Hugging Face's `tokenizer.json`: `model.vocab` and `added_tokens`.
    HuggingFace,
    /// `token_to_id`, `id_to_token`, `vocab_size`.
    TokenToId,
    /// `token2id`, `id2token`, `vocab_size`, `level`.
    Token2Id,
}

/// The largest id, and the token that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargestId {
    /// The id.
    pub id: u64,
    /// Its token.
    pub token: String,
    /// Line of the token, from 1, where the file tells.
    pub line: Option<u32>,
}

/// Vocabulary of a tokenizer file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenizer {
    /// Schema of the file.
    pub kind: TokenizerKind,
    /// Number of tokens that the file holds, added ones included.
    pub entries: u64,
    /// Number of tokens that it says it has (`vocab_size`), and the line that says it.
    pub declared: Option<(u64, Option<u32>)>,
    /// The largest id; `None` of an empty vocabulary.
    pub largest: Option<LargestId>,
    /// `word` or `char`, where the file tells.
    pub level: Option<String>,
    /// Whether it rewrites a text before it cuts it: only without can no text have more tokens than bytes.
    pub rewrites: bool,
    /// Sentences about contradictions within the file.
    pub notes: Vec<String>,
}

impl Tokenizer {
    /// Rows that a table needs so that every id of this file has one.
    pub fn rows_needed(&self) -> u64 {
        self.largest.as_ref().map_or(0, |l| l.id.saturating_add(1))
    }
}

/// Reads the JSON `text` of a tokenizer file.
pub fn parse_tokenizer(text: &str) -> Result<Tokenizer> {
    let mut found = Found::new(text);
    json::walk(text, &mut |path, value| found.see(path, &value))?;
    found.finish()
}

/// One table of tokens.
#[derive(Debug, Default)]
struct Table {
    ids: Vec<u64>,
    largest: Option<LargestId>,
    /// First token whose id is no number from 0 up.
    wrong: Option<String>,
}

impl Table {
    fn add(&mut self, token: &str, id: Option<u64>, line: Option<u32>) {
        let Some(id) = id else {
            self.wrong.get_or_insert_with(|| token.to_owned());
            return;
        };
        self.ids.push(id);
        if self.largest.as_ref().is_none_or(|l| id > l.id) {
            self.largest = Some(LargestId { id, token: token.to_owned(), line });
        }
    }

    fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.wrong.is_none()
    }

    /// Ids in order, each once.
    fn distinct(&self) -> Vec<u64> {
        let mut ids = self.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Everything of interest that a walk over the file met.
#[derive(Debug)]
struct Found {
    index: LineIndex,
    vocab: Table,
    added: Table,
    token_to_id: Table,
    token2id: Table,
    inverse: Table,
    declared: Option<(u64, Option<u32>)>,
    level: Option<String>,
    rewrites: bool,
    keys: Vec<String>,
}

impl Found {
    fn new(text: &str) -> Found {
        Found {
            index: LineIndex::new(text),
            vocab: Table::default(),
            added: Table::default(),
            token_to_id: Table::default(),
            token2id: Table::default(),
            inverse: Table::default(),
            declared: None,
            level: None,
            rewrites: false,
            keys: Vec::new(),
        }
    }

    fn see(&mut self, path: &[Step<'_>], value: &Scalar<'_>) {
        let Some(Step::Key(top, _)) = path.first() else { return };
        if self.keys.last().is_none_or(|k| k != top) {
            self.keys.push(top.to_string());
            self.keys.truncate(32);
        }
        let line = json::line_of(&self.index, path);
        let number = match value {
            Scalar::Int(n) => u64::try_from(*n).ok(),
            _ => None,
        };
        match (top.as_ref(), path) {
            ("model", [_, vocab, Step::Key(token, _)]) if vocab.key() == "vocab" => {
                self.vocab.add(token, number, line);
            }
            // Unigram: a list of [token, score], whose position is the id.
            ("model", [_, vocab, Step::Item(id), Step::Item(0)]) if vocab.key() == "vocab" => {
                if let Scalar::Text(token) = value {
                    self.vocab.add(token, Some(*id), None);
                }
            }
            ("added_tokens", [_, Step::Item(_), field]) if field.key() == "id" => {
                self.added.add("an added token", number, line);
            }
            // The token of the id that stands just before it.
            ("added_tokens", [_, Step::Item(_), field]) if field.key() == "content" => {
                if let (Scalar::Text(text), Some(largest)) = (value, &mut self.added.largest)
                    && self.added.ids.last() == Some(&largest.id)
                {
                    largest.token = text.to_string();
                }
            }
            ("token_to_id", [_, Step::Key(token, _)]) => self.token_to_id.add(token, number, line),
            ("token2id", [_, Step::Key(token, _)]) => self.token2id.add(token, number, line),
            ("id_to_token" | "id2token", [_, Step::Key(id, _)]) => {
                self.inverse.add(id, id.parse().ok(), line)
            }
            ("vocab_size", [_]) => self.declared = number.map(|n| (n, line)),
            ("normalizer" | "pre_tokenizer", [_, .., Step::Key(field, _)])
                if matches!(field.as_ref(), "type" | "add_prefix_space") =>
            {
                let grows = match value {
                    Scalar::Text(kind) => top == "normalizer" || kind == "Metaspace",
                    Scalar::Bool(adds) => *adds,
                    _ => false,
                };
                self.rewrites |= grows;
            }
            ("level", [_]) => {
                if let Scalar::Text(text) = value {
                    self.level = Some(text.to_string());
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Result<Tokenizer> {
        let (kind, mut table) = if !self.vocab.is_empty() {
            (TokenizerKind::HuggingFace, std::mem::take(&mut self.vocab))
        } else if !self.token_to_id.is_empty() {
            (TokenizerKind::TokenToId, std::mem::take(&mut self.token_to_id))
        } else if !self.token2id.is_empty() {
            (TokenizerKind::Token2Id, std::mem::take(&mut self.token2id))
        } else {
            let keys = list(&self.keys);
            let found =
                if keys.is_empty() { "it has no keys".to_owned() } else { format!("its keys are {keys}") };
            let error = CheckpointError::unsupported(format!("no vocabulary that is read: {found}"));
            return Err(error.remedy("name a file with `model.vocab`, `token_to_id` or `token2id`"));
        };
        let mut notes = Vec::new();
        if let Some(token) = table.wrong.as_ref().or(self.added.wrong.as_ref()) {
            return Err(CheckpointError::malformed(format!(
                "the id of token `{}` is no number",
                Shown(token)
            )));
        }
        let own = table.distinct();
        if own.len() < table.ids.len() {
            let shared = (table.ids.len() - own.len()) as u64;
            notes.push(format!("{} stand for more than one token", count(shared, "id")));
        }
        if !self.inverse.is_empty() && self.inverse.distinct() != own {
            let (tokens, ids) = (own.len() as u64, self.inverse.distinct().len() as u64);
            notes.push(format!(
                "{} and the {} of the inverse table differ",
                count(tokens, "token"),
                count(ids, "id")
            ));
        }
        let mut entries = own.len() as u64;
        if kind == TokenizerKind::HuggingFace {
            let added = self.added.distinct();
            entries += added.iter().filter(|id| own.binary_search(id).is_err()).count() as u64;
            if let Some(largest) =
                self.added.largest.filter(|a| table.largest.as_ref().is_none_or(|l| a.id > l.id))
            {
                table.largest = Some(largest);
            }
        }
        if let (Some((declared, _)), Some(largest)) = (self.declared, &table.largest)
            && largest.id >= declared
        {
            let (id, token) = (largest.id, Shown(&largest.token));
            notes.push(format!("id {id} of token `{token}` is beyond the {declared} that `vocab_size` says"));
        }
        let Table { largest, .. } = table;
        Ok(Tokenizer {
            kind,
            entries,
            declared: self.declared,
            largest,
            level: self.level,
            rewrites: self.rewrites,
            notes,
        })
    }
}
