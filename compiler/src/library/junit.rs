//! Results as JUnit XML, which CI systems show.

use super::suite::{Outcome, State};

/// The document for the tests of `library`; with `strict` a new snapshot is a failure.
pub fn junit(library: &str, outcomes: &[Outcome], strict: bool) -> String {
    let fails = |o: &&Outcome| o.state == State::Failed || (strict && o.state == State::New);
    let failures = outcomes.iter().filter(fails).count();
    let name = escape(library);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\">\n",
        outcomes.len()
    );
    for outcome in outcomes {
        let head = format!("    <testcase classname=\"{name}\" name=\"{}\"", escape(&outcome.name));
        if fails(&outcome) {
            let text = match outcome.problems.is_empty() {
                true => "new snapshot".to_owned(),
                false => outcome.problems.join("\n"),
            };
            let message = escape(text.lines().next().unwrap_or(""));
            out.push_str(&format!(
                "{head}>\n      <failure message=\"{message}\">{}</failure>\n    </testcase>\n",
                escape(&text)
            ));
        } else {
            out.push_str(&format!("{head}/>\n"));
        }
    }
    out + "  </testsuite>\n</testsuites>\n"
}

/// Text for XML 1.0, which has no place for most control characters.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_escaped() {
        let test = |state, problems| Outcome { name: "a <b>".into(), state, problems, proposed: None };
        let all = [
            test(State::Passed, vec![]),
            test(State::New, vec![]),
            test(State::Failed, vec!["1 < 2 & \u{7}".into()]),
        ];
        insta::assert_snapshot!(junit("mine", &all, false), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="mine" tests="3" failures="1">
            <testcase classname="mine" name="a &lt;b&gt;"/>
            <testcase classname="mine" name="a &lt;b&gt;"/>
            <testcase classname="mine" name="a &lt;b&gt;">
              <failure message="1 &lt; 2 &amp; �">1 &lt; 2 &amp; �</failure>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
