//! Names in shell scripts.

/// A word of the shell that is exactly `text`.
pub fn shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    // A leading `~` is not plain; `=` in front would be looked up by zsh, which does not run these scripts.
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The value of an option in an `#SBATCH` line, whose quotes and backslashes sbatch reads by itself. Nothing where a line
/// cannot hold it.
pub fn directive(text: &str) -> Option<String> {
    if text.chars().any(char::is_control) {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+()[]*&|".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Some(text.to_owned());
    }
    Some(format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")))
}

/// A path in which Slurm replaces `%j` and the like: its own percent signs are doubled. Nothing where it cannot be said: a
/// backslash would turn every replacement off.
pub fn pattern(path: &str) -> Option<String> {
    (!path.contains('\\')).then(|| path.replace('%', "%%"))
}

/// Text that stays in the line of a comment.
pub fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A name as part of a file's name.
pub fn file_part(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let text: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if text.starts_with('.') || text.is_empty() { format!("_{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use proptest::prelude::*;

    fn echoed(text: &str) -> String {
        let script = format!("set -eu; printf %s {}", shell(text));
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn bash_reads_every_name_back() {
        let names = [
            "",
            "plain/path-1.icp",
            "with space",
            "it's",
            "\"double\"",
            "$HOME ${x} $(touch oops) `touch oops`",
            "new\nline",
            "tab\tand\\backslash\\",
            "~root",
            "-n",
            "*?[a]{b,c}",
            "!history & ; | > <",
            "größe 日本",
        ];
        for name in names {
            assert_eq!(echoed(name), name);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn bash_reads_any_name_back(name in "[^\0]{0,20}") {
            prop_assert_eq!(echoed(&name), name);
        }
    }

    #[test]
    fn lines_hold_no_lines() {
        assert_eq!(directive("gpu:a30:1").as_deref(), Some("gpu:a30:1"));
        assert_eq!(directive("a b#c\"d").as_deref(), Some("\"a b#c\\\"d\""));
        assert_eq!(directive("a\nb"), None);
        assert_eq!(pattern("50%/x").as_deref(), Some("50%%/x"));
        assert_eq!(pattern("a\\b"), None);
        assert_eq!(comment("a\n#SBATCH b"), "a\u{fffd}#SBATCH b");
        assert_eq!(file_part("../a b"), "_.._a_b");
    }
}
