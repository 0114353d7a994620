//! SARIF 2.1.0, the exchange format of static analysis (OASIS standard, sections 3.13 to 3.58).

use serde_json::{Map, Value, json};

use super::data::{Certainty, Declaration, Diagnostic, Edit, Label, Level};
use super::registry::ALL;
use super::sources::{Position, Sources, Spot};

/// One log with one run; rules are all declarations, in order of code. Ends in a newline.
pub fn sarif(diagnostics: &[Diagnostic], sources: &Sources<'_>) -> String {
    with_rules(diagnostics, sources, ALL)
}

fn with_rules(diagnostics: &[Diagnostic], sources: &Sources<'_>, rules: &[&Declaration]) -> String {
    let results: Vec<Value> = diagnostics.iter().map(|d| result(d, sources, rules)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "icpc",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|r| rule(r)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    // Strings and numbers only: serialising them cannot fail.
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

fn rule(kind: &Declaration) -> Value {
    // A page is a title, then a paragraph that says what is wrong and why.
    let paragraph: Vec<&str> = kind
        .page
        .lines()
        .skip(1)
        .skip_while(|l| l.trim().is_empty())
        .take_while(|l| !l.trim().is_empty())
        .collect();
    let what = paragraph.join(" ");
    json!({
        "id": kind.code,
        "name": kind.name,
        "shortDescription": { "text": if what.is_empty() { kind.name } else { &what } },
        "help": { "text": kind.page, "markdown": kind.page },
        "defaultConfiguration": { "level": kind.level.word() },
    })
}

fn result(diagnostic: &Diagnostic, sources: &Sources<'_>, rules: &[&Declaration]) -> Value {
    let mut message = diagnostic.headline.clone();
    for line in diagnostic.provenance.iter().map(String::as_str).chain(diagnostic.shown_help()) {
        message.push('\n');
        message.push_str(line);
    }
    let mut out = Map::new();
    out.insert("ruleId".to_owned(), diagnostic.kind.code.into());
    if let Some(index) = rules.iter().position(|r| *r == diagnostic.kind) {
        out.insert("ruleIndex".to_owned(), index.into());
    }
    out.insert("level".to_owned(), level(diagnostic.level()).into());
    out.insert("message".to_owned(), json!({ "text": message }));
    out.insert("locations".to_owned(), json!([location(&diagnostic.primary, sources)]));
    if !diagnostic.secondary.is_empty() {
        let related: Vec<Value> = diagnostic.secondary.iter().map(|l| location(l, sources)).collect();
        out.insert("relatedLocations".to_owned(), related.into());
    }
    let fixes: Vec<Value> = diagnostic
        .fixes
        .iter()
        .filter(|f| f.certainty != Certainty::ShownOnly)
        .map(|f| {
            let changes: Vec<Value> = f.edits.iter().map(|e| change(e, sources)).collect();
            json!({ "description": { "text": f.title }, "artifactChanges": changes })
        })
        .collect();
    if !fixes.is_empty() {
        out.insert("fixes".to_owned(), fixes.into());
    }
    Value::Object(out)
}

fn level(level: Level) -> &'static str {
    // SARIF has the same three words.
    level.word()
}

fn location(label: &Label, sources: &Sources<'_>) -> Value {
    let (path, region) = match sources.find(&label.place) {
        Spot::Text { path, start, end, .. } => (path, Some(region(start, end))),
        Spot::Listing { name, line, .. } => {
            // The listing is no file of the user's, so its text goes along.
            let line_number = line.number.saturating_add(1);
            (name, Some(json!({ "startLine": line_number, "snippet": { "text": line.text } })))
        }
        Spot::Whole { path, line } => (path, line.map(|l| json!({ "startLine": l }))),
    };
    let mut physical = Map::new();
    physical.insert("artifactLocation".to_owned(), json!({ "uri": uri(path) }));
    if let Some(region) = region {
        physical.insert("region".to_owned(), region);
    }
    let mut out = Map::new();
    out.insert("physicalLocation".to_owned(), physical.into());
    if !label.text.is_empty() {
        out.insert("message".to_owned(), json!({ "text": label.text }));
    }
    Value::Object(out)
}

fn region(start: Position, end: Position) -> Value {
    json!({
        "startLine": start.line, "startColumn": start.column,
        "endLine": end.line, "endColumn": end.column,
    })
}

fn change(edit: &Edit, sources: &Sources<'_>) -> Value {
    let start = sources.position(&edit.at.file, edit.at.span.start);
    let end = sources.position(&edit.at.file, edit.at.span.end);
    let deleted = match (start, end) {
        (Some(start), Some(end)) => region(start, end),
        _ => json!({ "byteOffset": edit.at.span.start, "byteLength": edit.at.span.len() }),
    };
    json!({
        "artifactLocation": { "uri": uri(&edit.at.file) },
        "replacements": [{ "deletedRegion": deleted, "insertedContent": { "text": edit.text } }],
    })
}

/// A path as a URI reference (RFC 3986): everything but unreserved characters and `/` in percent notation.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'\\' => out.push('/'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    if out.starts_with('/') { format!("file://{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::samples::{self, CLIP, LENGTH, RECIPE, Tiny};

    #[test]
    fn a_log_with_rules_regions_and_fixes() {
        let sources = Sources::new().file("mixed.icp", RECIPE).listing(&Tiny);
        let all = [samples::length(), samples::tokenizer()];
        let text =
            with_rules(&all, &sources, &[&LENGTH, &CLIP]).replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(text, @r##"
        {
          "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
          "version": "2.1.0",
          "runs": [
            {
              "tool": {
                "driver": {
                  "name": "icpc",
                  "semanticVersion": "VERSION",
                  "rules": [
                    {
                      "id": "E0401",
                      "name": "length-beyond-positions",
                      "shortDescription": {
                        "text": "A length is larger than the position table."
                      },
                      "help": {
                        "text": "# length-beyond-positions (E0401)\n\nA length is larger than the position table.\n",
                        "markdown": "# length-beyond-positions (E0401)\n\nA length is larger than the position table.\n"
                      },
                      "defaultConfiguration": {
                        "level": "error"
                      }
                    },
                    {
                      "id": "E0501",
                      "name": "clip-without-effect",
                      "shortDescription": {
                        "text": "A percentile cuts nothing."
                      },
                      "help": {
                        "text": "# clip-without-effect (E0501)\n\nA percentile cuts nothing.\n",
                        "markdown": "# clip-without-effect (E0501)\n\nA percentile cuts nothing.\n"
                      },
                      "defaultConfiguration": {
                        "level": "warning"
                      }
                    }
                  ]
                }
              },
              "columnKind": "unicodeCodePoints",
              "results": [
                {
                  "ruleId": "E0401",
                  "ruleIndex": 0,
                  "level": "error",
                  "message": {
                    "text": "`max_length` 512 is larger than the 128-row position table\nlower `max_length` to 128"
                  },
                  "locations": [
                    {
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "mixed.icp"
                        },
                        "region": {
                          "startLine": 9,
                          "startColumn": 21,
                          "endLine": 9,
                          "endColumn": 24
                        }
                      },
                      "message": {
                        "text": "positions from 128 up have no row"
                      }
                    }
                  ],
                  "relatedLocations": [
                    {
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "itera_lite_tiny_best.pt"
                        },
                        "region": {
                          "startLine": 2,
                          "snippet": {
                            "text": "position_embedding.weight          f32 [128, 128]"
                          }
                        }
                      },
                      "message": {
                        "text": "128 rows, so positions 0..=127"
                      }
                    }
                  ],
                  "fixes": [
                    {
                      "description": {
                        "text": "lower `max_length` to 128"
                      },
                      "artifactChanges": [
                        {
                          "artifactLocation": {
                            "uri": "mixed.icp"
                          },
                          "replacements": [
                            {
                              "deletedRegion": {
                                "startLine": 9,
                                "startColumn": 21,
                                "endLine": 9,
                                "endColumn": 24
                              },
                              "insertedContent": {
                                "text": "128"
                              }
                            }
                          ]
                        }
                      ]
                    }
                  ]
                },
                {
                  "ruleId": "E0401",
                  "ruleIndex": 0,
                  "level": "error",
                  "message": {
                    "text": "`tokenizer.json` is not JSON: `NaN` is no value\nwrite `null`"
                  },
                  "locations": [
                    {
                      "physicalLocation": {
                        "artifactLocation": {
                          "uri": "data/tokenizer.json"
                        },
                        "region": {
                          "startLine": 7
                        }
                      },
                      "message": {
                        "text": "at column 12"
                      }
                    }
                  ]
                }
              ]
            }
          ]
        }
        "##);
    }

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("my recipes/ä.icp"), "my%20recipes/%C3%A4.icp");
        assert_eq!(uri("/home/a.icp"), "file:///home/a.icp");
    }
}
