//! Lines of `scontrol --oneliner`: `Key=value` after `Key=value`, where a value may hold spaces.

/// The fields of a line, in order. A word without a key belongs to the value before it.
pub(super) fn fields(line: &str) -> Vec<(&str, &str)> {
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let mut begin = 0;
    for word in line.split(' ') {
        if let Some((key, _)) = word.split_once('=')
            && is_key(key)
        {
            starts.push((begin, begin + key.len()));
        }
        begin += word.len() + 1;
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([line.len()]);
    let field = |((start, equals), end): (&(usize, usize), usize)| {
        Some((line.get(*start..*equals)?, line.get(equals + 1..end)?.trim()))
    };
    starts.iter().zip(ends).filter_map(field).collect()
}

/// The value of a key; nothing where Slurm says that there is none.
pub(super) fn value<'t>(fields: &[(&'t str, &'t str)], key: &str) -> Option<&'t str> {
    let found = fields.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)?;
    (!matches!(found, "" | "(null)" | "N/A" | "NONE")).then_some(found)
}

fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_:/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::{fields, value};

    #[test]
    fn values_may_hold_spaces() {
        let line = "NodeName=n1 OS=Linux 6.1 #1 SMP x=y RealMemory=4000 Reason=Not responding [root@2026] Gres=(null)";
        let found = fields(line);
        assert_eq!(value(&found, "OS"), Some("Linux 6.1 #1 SMP x=y"));
        assert_eq!(value(&found, "Reason"), Some("Not responding [root@2026]"));
        assert_eq!(value(&found, "RealMemory"), Some("4000"));
        assert_eq!((value(&found, "Gres"), value(&found, "Absent")), (None, None));
        assert!(fields("").is_empty() && fields("slurm_load error: x").is_empty());
    }
}
