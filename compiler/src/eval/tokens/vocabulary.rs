//! Tables of words or characters, in both schemas of Itera-Lite: `token_to_id`, and `token2id` with `level`.

use std::collections::BTreeMap;

use serde_json::Value;

/// What stands for a token that the table lacks.
const UNKNOWN: [&str; 4] = ["<UNK>", "[UNK]", "<unk>", "UNK"];

/// A table, and how a text is cut.
pub(super) struct Vocabulary {
    ids: BTreeMap<String, u32>,
    unknown: Option<u32>,
    cut: Cut,
}

enum Cut {
    Characters,
    Words {
        /// Words are looked up in lower case, as the programs that write these files do.
        lowercase: bool,
        /// The token behind each line that has words.
        line_end: Option<u32>,
    },
}

impl Vocabulary {
    /// From the file's JSON. `level` is `word` where it is not said, `lowercase` is true, `line_end` names a token that
    /// follows each line.
    pub(super) fn of(json: &Value) -> Result<Vocabulary, String> {
        let table = ["token_to_id", "token2id"].iter().find_map(|key| json.get(key)?.as_object());
        let table = table.ok_or("neither `token_to_id` nor `token2id` is an object")?;
        let mut ids = BTreeMap::new();
        for (token, id) in table {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            ids.insert(token.clone(), id.ok_or_else(|| format!("the id of token `{token}` is no number"))?);
        }
        let cut = match json.get("level") {
            Some(Value::String(level)) if level == "char" => Cut::Characters,
            None => Cut::words(json, &ids)?,
            Some(Value::String(level)) if level == "word" => Cut::words(json, &ids)?,
            Some(other) => return Err(format!("`level` is {other}, not `word` or `char`")),
        };
        let unknown = UNKNOWN.iter().find_map(|token| ids.get(*token).copied());
        Ok(Vocabulary { ids, unknown, cut })
    }

    pub(super) fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// Ids of a text; the first token that has none is an error.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let mut out = Vec::new();
        match &self.cut {
            Cut::Characters => {
                let mut written = [0; 4];
                for (at, character) in text.char_indices() {
                    out.push(self.id(character.encode_utf8(&mut written), at)?);
                }
            }
            Cut::Words { lowercase, line_end } => {
                for line in text.lines() {
                    let before = out.len();
                    for word in line.split_whitespace() {
                        let at = (word.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
                        match lowercase {
                            true => out.push(self.id(&word.to_lowercase(), at)?),
                            false => out.push(self.id(word, at)?),
                        }
                    }
                    if let Some(end) = line_end
                        && out.len() > before
                    {
                        out.push(*end);
                    }
                }
            }
        }
        Ok(out)
    }

    fn id(&self, token: &str, at: usize) -> Result<u32, String> {
        let found = self.ids.get(token).copied().or(self.unknown);
        found.ok_or_else(|| {
            let short: String = token.chars().take(40).flat_map(char::escape_debug).collect();
            format!("`{short}` at byte {at} has no id")
        })
    }
}

impl Cut {
    fn words(json: &Value, ids: &BTreeMap<String, u32>) -> Result<Cut, String> {
        let lowercase = match json.get("lowercase") {
            None => true,
            Some(Value::Bool(lowercase)) => *lowercase,
            Some(other) => return Err(format!("`lowercase` is {other}, not true or false")),
        };
        let line_end = match json.get("line_end") {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) => {
                Some(*ids.get(token).ok_or_else(|| format!("`line_end` `{token}` is no token"))?)
            }
            Some(other) => return Err(format!("`line_end` is {other}, not a token")),
        };
        Ok(Cut::Words { lowercase, line_end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encode(json: &Value, text: &str) -> Result<Vec<u32>, String> {
        Vocabulary::of(json)?.encode(text)
    }

    #[test]
    fn words_are_looked_up_in_lower_case() {
        let table = json!({"token_to_id": {"<PAD>": 0, "<UNK>": 1, "the": 4, "cat": 7}});
        assert_eq!(encode(&table, "The  cat\n\nsat"), Ok(vec![4, 7, 1]));
    }

    #[test]
    fn lines_end_with_a_token_where_the_file_names_one() {
        let table = json!({"token_to_id": {"<UNK>": 0, "<EOS>": 1, "Bo": 2, "bo": 3}, "lowercase": false, "line_end": "<EOS>"});
        assert_eq!(encode(&table, "Bo bo\n\nBO\n"), Ok(vec![2, 3, 1, 0, 1]));
    }

    #[test]
    fn characters_are_tokens_of_their_own() {
        let table = json!({"token2id": {"a": 5, " ": 6, "ä": 7}, "level": "char"});
        assert_eq!(encode(&table, "a ä"), Ok(vec![5, 6, 7]));
        assert_eq!(encode(&table, "a\nb"), Err("`\\n` at byte 1 has no id".to_owned()));
    }

    #[test]
    fn wrong_kinds_are_refused() {
        for (table, says) in [
            (json!({"token_to_id": [1]}), "neither `token_to_id` nor `token2id` is an object"),
            (json!({"token_to_id": {"a": -1}}), "the id of token `a` is no number"),
            (json!({"token_to_id": {"a": 1}, "level": 3}), "`level` is 3, not `word` or `char`"),
            (json!({"token_to_id": {"a": 1}, "line_end": "b"}), "`line_end` `b` is no token"),
        ] {
            assert_eq!(encode(&table, "a"), Err(says.to_owned()));
        }
    }
}
