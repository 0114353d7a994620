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

    /// Data and tokenizer as [`Tokens::read`] would find them, when nothing is tokenized.
    ///
    /// # Errors
    /// Files that cannot be read, or are too large.
    pub fn sources(data: &str, tokenizer: Option<&str>) -> Result<(TextHash, TextHash), EvalError> {
        let hash = |path: &str, limit: u64| -> Result<TextHash, EvalError> {
            Ok(TextHash { name: path.to_owned(), sha256: hex_digest(&bytes_of(path, limit)?) })
        };
        let tokenizer = match tokenizer {
            None => plain("ids"),
            Some(BYTES) => plain(BYTES),
            Some(path) => hash(&file_of(path), MAX_TOKENIZER)?,
        };
        Ok((hash(data, MAX_DATA)?, tokenizer))
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

/// What is no file.
fn plain(name: &str) -> TextHash {
    TextHash { name: name.to_owned(), sha256: String::new() }
}

/// The file of a tokenizer: a model's folder holds it under its usual name.
fn file_of(path: &str) -> String {
    let inside = Path::new(path).join("tokenizer.json");
    if Path::new(path).is_dir() { inside.to_string_lossy().into_owned() } else { path.to_owned() }
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
        let path = file_of(path);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)], tokenizer: Option<&str>) -> Result<Tokens, EvalError> {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        for (name, text) in files {
            std::fs::write(at(name), text).unwrap();
        }
        let tokenizer = tokenizer.map(|t| if t == BYTES { t.to_owned() } else { at(t) });
        let found = Tokens::read(&at("text.txt"), tokenizer.as_deref())?;
        let sources = Tokens::sources(&at("text.txt"), tokenizer.as_deref())?;
        assert_eq!(sources, (found.data.clone(), found.tokenizer.clone()));
        Ok(found)
    }

    /// Words and marks, as a regular expression with a lookahead cuts them; lengths that are to be ignored.
    const WORDS: &str = r#"{
        "version": "1.0", "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": null, "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\w+(?!\\w)|[.]"}, "behavior": "Removed", "invert": true},
        "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "the": 1, "cat": 2, ".": 3}, "unk_token": "[UNK]"}
    }"#;

    #[test]
    fn a_file_of_hugging_face_cuts_text_as_it_says() {
        let found =
            read(&[("text.txt", "The cat sat. The cat."), ("tokenizer.json", WORDS)], Some("tokenizer.json"));
        let found = found.unwrap();
        assert_eq!(found.texts, [[1, 2, 0, 3, 1, 2, 3]]);
        assert_eq!((found.unknown, found.len()), (Some(1), 7));
        assert_eq!(found.tokenizer.sha256, hex_digest(WORDS.as_bytes()));
    }

    #[test]
    fn pairs_of_bytes_are_merged() {
        let pairs = r#"{
            "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null, "decoder": null,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4}, "merges": [["a", "b"], ["Ġ", "ab"]]}
        }"#;
        let found = read(&[("text.txt", "ab ab ba"), ("t.json", pairs)], Some("t.json")).unwrap();
        assert_eq!((found.texts, found.unknown), (vec![vec![3, 4, 2, 1, 0]], None));
    }

    #[test]
    fn bytes_are_tokens_of_any_file() {
        let found = read(&[("text.txt", "a\n")], Some(BYTES)).unwrap();
        assert_eq!((found.texts, found.tokenizer.name.as_str()), (vec![vec![97, 10]], BYTES));
    }

    #[test]
    fn an_id_without_a_row_is_named_with_its_place() {
        let found = read(&[("text.txt", "3 4 9 4")], None).unwrap();
        assert!(found.fit(10).is_ok());
        let error = found.fit(9).unwrap_err();
        assert_eq!(error.message, "token 9 at position 2 is beyond the vocabulary of 9");
    }

    #[test]
    fn what_is_no_model_is_refused() {
        let wrong = WORDS.replace("WordLevel", "WordLevels");
        let error =
            read(&[("text.txt", "a"), ("tokenizer.json", &wrong)], Some("tokenizer.json")).unwrap_err();
        assert_eq!(error.operation, "reading the tokenizer");
    }
}
