//! What an evaluation measured, with everything that makes it comparable.

use serde::{Deserialize, Serialize};

use super::data::TextHash;

/// Version of [`Metric`]'s shape, and of how its numbers are computed.
pub const METRIC_SCHEMA: u32 = 1;

/// Perplexity of a model on a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// [`METRIC_SCHEMA`].
    pub schema: u32,
    /// Version of icpc.
    pub version: String,
    /// The model.
    pub model: ModelIdentity,
    /// The data file.
    pub data: TextHash,
    /// The tokenizer file; `bytes` and `ids` have no hash.
    pub tokenizer: TextHash,
    /// Tokens of a window, targets included.
    pub window: u64,
    /// Tokens from the start of a window to that of the next.
    pub stride: u64,
    /// Tokens by which a target is ahead.
    pub shift: u64,
    /// Windows at most, from the first; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Tokens of the data.
    pub tokens: u64,
    /// Of these, how many the tokenizer did not know; absent where it has no token for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<u64>,
    /// Scores of a token.
    pub vocabulary: u64,
    /// Windows that were run.
    pub windows: u64,
    /// Targets that were scored: one of overlapping windows counts in each.
    pub scored: u64,
    /// Mean loss of a target in nats.
    pub loss: f64,
    /// `exp(loss)`.
    pub perplexity: f64,
    /// Where both models were computed: `native`, `torch-cpu`, `torch-cuda:0`. Figures of different ones agree within the bounds
    /// of `docs/conformance.md`.
    #[serde(default = "native")]
    pub backend: String,
    /// Share of the targets that had the largest score.
    pub top1: f64,
    /// Mean loss at each position of a window.
    pub positions: Vec<f64>,
    /// The same text with another model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Comparison>,
    /// How inputs of products were rounded, where that is not what the formats of the weights say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activations: Option<String>,
    /// What makes the numbers doubtful, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The backend of what was written before there were others.
pub(crate) fn native() -> String {
    "native".to_owned()
}

/// Which model was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// As it was named.
    pub path: String,
    /// SHA-256 of the checkpoint's header.
    pub header_hash: String,
    /// SHA-256 of the names and content hashes of the weights that are used, as they are stored.
    pub weights_hash: String,
    /// Bytes of these weights in memory.
    pub weight_bytes: u64,
    /// Header of the checkpoint that an output was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_header_hash: Option<String>,
    /// What no file told and the architecture's defaults say: `top_k = 2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
}

/// A baseline's figures beside those of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The baseline.
    pub model: ModelIdentity,
    /// Its mean loss in nats.
    pub loss: f64,
    /// Its perplexity.
    pub perplexity: f64,
    /// Its share of targets with the largest score.
    pub top1: f64,
    /// The model's perplexity over the baseline's.
    pub ratio: f64,
    /// Share of the targets for which both models have the same largest score; absent when only a file was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<f64>,
    /// Mean Kullback-Leibler divergence of the model from the baseline in nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<f64>,
    /// The largest difference of two scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_difference: Option<LargestDifference>,
}

/// Where two models differ most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LargestDifference {
    /// Magnitude.
    pub value: f64,
    /// Number of the window, from 0.
    pub window: u64,
    /// Position in it, from 0.
    pub position: u64,
    /// The token whose score it is.
    pub token: u64,
}

impl Metric {
    /// How the measurement of two metrics differs, one clause each: numbers of different texts or windows are no comparison.
    pub fn differs(&self, other: &Metric) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
            let (a, b) = (a.to_string(), b.to_string());
            if a != b {
                found.push(format!("{what} is {a} here and {b} there"));
            }
        };
        let hash = |text: &TextHash| match text.sha256.get(..12) {
            Some(short) => format!("{short}..."),
            None => text.name.clone(),
        };
        let samples = |n: Option<u64>| n.map_or("all".to_owned(), |n| n.to_string());
        compare("the shape of the file", &self.schema, &other.schema);
        compare("the data", &hash(&self.data), &hash(&other.data));
        compare("the tokenizer", &hash(&self.tokenizer), &hash(&other.tokenizer));
        compare("the window", &self.window, &other.window);
        compare("the stride", &self.stride, &other.stride);
        compare("the shift", &self.shift, &other.shift);
        compare("the number of windows", &samples(self.samples), &samples(other.samples));
        compare("the vocabulary", &self.vocabulary, &other.vocabulary);
        compare("the version of icpc", &self.version, &other.version);
        // An output says what it was made of.
        if let Some(source) = &self.model.source_header_hash {
            let made_of = other.model.source_header_hash.as_ref().unwrap_or(&other.model.header_hash);
            if source != made_of {
                found.push("the checkpoint that the output was made of is another one".to_owned());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn metric() -> Metric {
        let hash = |name: &str| TextHash { name: name.to_owned(), sha256: "0123456789abcdef".repeat(4) };
        let model = ModelIdentity {
            path: "a.pt".to_owned(),
            header_hash: "aa".to_owned(),
            weights_hash: "bb".to_owned(),
            weight_bytes: 4,
            source_header_hash: None,
            assumed: Vec::new(),
        };
        Metric {
            schema: METRIC_SCHEMA,
            version: "0.1.0".to_owned(),
            model,
            data: hash("text.txt"),
            tokenizer: hash("tokenizer.json"),
            window: 128,
            stride: 128,
            shift: 1,
            samples: None,
            tokens: 500,
            unknown: Some(0),
            vocabulary: 640,
            windows: 4,
            scored: 490,
            loss: 1.0,
            perplexity: 1f64.exp(),
            backend: native(),
            top1: 0.5,
            positions: vec![1.0],
            against: None,
            activations: None,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn metrics_of_the_same_measurement_are_compared() {
        let other = Metric {
            perplexity: 3.0,
            data: TextHash { name: "moved.txt".to_owned(), ..metric().data },
            ..metric()
        };
        assert!(metric().differs(&other).is_empty());
    }

    #[test]
    fn each_difference_is_named() {
        let mut other = Metric { window: 64, shift: 2, samples: Some(8), ..metric() };
        other.tokenizer = TextHash { name: "bytes".to_owned(), sha256: String::new() };
        assert_eq!(
            metric().differs(&other),
            [
                "the tokenizer is 0123456789ab... here and bytes there",
                "the window is 128 here and 64 there",
                "the shift is 1 here and 2 there",
                "the number of windows is all here and 8 there",
            ]
        );
    }

    #[test]
    fn an_output_is_compared_with_what_it_was_made_of() {
        let mut output = metric();
        output.model.source_header_hash = Some("aa".to_owned());
        assert!(output.differs(&metric()).is_empty());
        output.model.source_header_hash = Some("cc".to_owned());
        assert_eq!(output.differs(&metric()), ["the checkpoint that the output was made of is another one"]);
    }
}
