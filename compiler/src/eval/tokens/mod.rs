//! Text as token ids: by a tokenizer file, byte by byte, or ids that are there already.

mod ids;
mod vocabulary;

use std::path::Path;

use super::error::EvalError;
use crate::checkpoint::{TokenizerKind, parse_tokenizer};
pub use crate::hir::items::BYTES;
use crate::plan::hash::hex_digest;
use crate::report::TextHash;
use crate::system::{MAX_TOKENIZER, read_bounded};
use vocabulary::Vocabulary;

/// Largest data file that is read: token ids of it lie in memory at once.
const MAX_DATA: u64 = 1 << 30;

/// Token ids, and where they come from.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Texts that do not go on in one another: one, unless the data are lists of ids.
    pub texts: Vec<Vec<u32>>,
    /// How many are the token for what the tokenizer does not know; `None` where there is no such token.
    pub unknown: Option<u64>,
    /// The data file and its SHA-256.
    pub data: TextHash,
    /// The tokenizer and its SHA-256; `bytes`, or `ids` where the data are token ids, have none.
    pub tokenizer: TextHash,
}

impl Tokens {
    /// Reads `data` with `tokenizer`: a path, or [`BYTES`]. Without one the data are token ids: a list, or a list of lists, in
    /// `.json`; an array of integers in `.npy`; else numbers between white space.
    ///
    /// # Errors
    /// Files that cannot be read, are too large or not UTF-8; a word that has no id and no `<UNK>` to stand for it.
    pub fn read(data: &str, tokenizer: Option<&str>) -> Result<Tokens, EvalError> {
        let bytes = bytes_of(data, MAX_DATA)?;
        let source = TextHash { name: data.to_owned(), sha256: hex_digest(&bytes) };
        let plain = |name: &str| TextHash { name: name.to_owned(), sha256: String::new() };
        let (texts, unknown, tokenizer) = match tokenizer {
            None => (ids::read(data, &bytes)?, None, plain("ids")),
            Some(BYTES) => (vec![bytes.iter().map(|b| u32::from(*b)).collect()], None, plain(BYTES)),
            Some(path) => {
                let encoder = Encoder::open(path)?;
                let ids = encoder.encode(data, utf8(data, &bytes)?)?;
                let unknown = encoder.unknown.map(|u| ids.iter().filter(|id| **id == u).count() as u64);
                (vec![ids], unknown, TextHash { name: path.to_owned(), sha256: encoder.sha256 })
            }
        };
        Ok(Tokens { texts, unknown, data: source, tokenizer })
    }

    /// Number of ids.
    pub fn len(&self) -> u64 {
        self.texts.iter().map(|text| text.len() as u64).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses ids that have no row in a table of `vocabulary` rows.
    ///
    /// # Errors
    /// The first such id, with its text and position, both from 0.
    pub fn fit(&self, vocabulary: u64) -> Result<(), EvalError> {
        for (text, ids) in self.texts.iter().enumerate() {
            let Some(position) = ids.iter().position(|id| u64::from(*id) >= vocabulary) else { continue };
            let id = ids.get(position).copied().unwrap_or(0);
            let place = if self.texts.len() > 1 { format!(" of text {text}") } else { String::new() };
            let message =
                format!("token {id} at position {position}{place} is beyond the vocabulary of {vocabulary}");
            return Err(EvalError::new(&self.data.name, "tokenizing", message)
                .remedy("take the tokenizer that the model was trained with"));
        }
        Ok(())
    }
}

fn bytes_of(path: &str, limit: u64) -> Result<Vec<u8>, EvalError> {
    read_bounded(path, limit).map_err(|reason| EvalError::new(path, "reading", reason))
}

fn utf8<'a>(path: &str, bytes: &'a [u8]) -> Result<&'a str, EvalError> {
    std::str::from_utf8(bytes).map_err(|e| {
        EvalError::new(path, "reading", format!("not UTF-8 at byte {}", e.valid_up_to()))
            .remedy("save it as UTF-8")
    })
}

/// A tokenizer that is open.
struct Encoder {
    path: String,
    sha256: String,
    unknown: Option<u32>,
    how: How,
}

enum How {
    HuggingFace(Box<tokenizers::Tokenizer>),
    Table(Vocabulary),
}

impl Encoder {
    fn open(path: &str) -> Result<Encoder, EvalError> {
        // A model's folder holds it under this name.
        let inside = Path::new(path).join("tokenizer.json");
        let path =
            if Path::new(path).is_dir() { inside.to_string_lossy().into_owned() } else { path.to_owned() };
        let bytes = bytes_of(&path, MAX_TOKENIZER)?;
        let failed = |message: String| EvalError::new(&path, "reading the tokenizer", message);
        let text = utf8(&path, &bytes)?;
        // Bounds depth and size, and says what is wrong with its line.
        let found = parse_tokenizer(text).map_err(|e| failed(e.to_string()))?;
        let json: serde_json::Value = serde_json::from_str(text).map_err(|e| failed(e.to_string()))?;
        let (how, unknown) = match found.kind {
            TokenizerKind::HuggingFace => {
                let mut tokenizer =
                    tokenizers::Tokenizer::from_bytes(&bytes).map_err(|e| failed(e.to_string()))?;
                // Windows are cut here, whatever lengths the file asks for.
                let _ = tokenizer.with_truncation(None);
                let _ = tokenizer.with_padding(None);
                let unknown = unknown_of(&json, &tokenizer);
                (How::HuggingFace(Box::new(tokenizer)), unknown)
            }
            TokenizerKind::TokenToId | TokenizerKind::Token2Id => {
                let vocabulary = Vocabulary::of(&json).map_err(failed)?;
                let unknown = vocabulary.unknown();
                (How::Table(vocabulary), unknown)
            }
        };
        Ok(Encoder { sha256: hex_digest(&bytes), unknown, how, path })
    }

    /// Ids of a text, without special tokens around it.
    fn encode(&self, data: &str, text: &str) -> Result<Vec<u32>, EvalError> {
        match &self.how {
            How::HuggingFace(tokenizer) => {
                let encoded = tokenizer.encode_fast(text, false);
                let encoded = encoded.map_err(|e| EvalError::new(data, "tokenizing", e.to_string()))?;
                Ok(encoded.get_ids().to_vec())
            }
            How::Table(vocabulary) => vocabulary.encode(text).map_err(|message| {
                EvalError::new(data, "tokenizing", message)
                    .remedy(format!("add a token `<UNK>` to `{}`, or take another tokenizer", self.path))
            }),
        }
    }
}

/// The id of a Hugging Face tokenizer for what it does not know.
fn unknown_of(json: &serde_json::Value, tokenizer: &tokenizers::Tokenizer) -> Option<u32> {
    let model = json.get("model")?;
    if let Some(id) = model.get("unk_id").and_then(serde_json::Value::as_u64) {
        return u32::try_from(id).ok();
    }
    tokenizer.token_to_id(model.get("unk_token")?.as_str()?)
}
