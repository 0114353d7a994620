//! Whether other machines see a path.

/// File systems that live in one machine.
const LOCAL: [&str; 10] =
    ["tmpfs", "ramfs", "overlay", "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "devtmpfs"];

/// Folders that every machine has of its own, whatever they lie on.
const OWN: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run"];

/// Why other machines do not see `path`, as far as the mounts of this one tell (`/proc/self/mountinfo`).
pub(super) fn only_here(path: &str, mounts: &str) -> Option<String> {
    if let Some(own) = OWN.iter().find(|own| inside(path, own)) {
        return Some(format!("every machine has a `{own}` of its own"));
    }
    let longest = mounts
        .lines()
        .filter_map(mount)
        .filter(|(point, _)| inside(path, point))
        .max_by_key(|(point, _)| point.len());
    let (_, kind) = longest?;
    LOCAL.contains(&kind).then(|| format!("it lies on {kind} of this machine"))
}

/// Mount point and file system of a line.
fn mount(line: &str) -> Option<(String, &str)> {
    let (before, behind) = line.split_once(" - ")?;
    let point = before.split(' ').nth(4)?;
    Some((unescape(point), behind.split(' ').next()?))
}

/// The kernel writes spaces as `\040`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// Whether `path` is `folder` or below it; both are absolute.
pub(super) fn inside(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_tell() {
        let mounts = "21 1 254:0 / / rw - ext4 /dev/vda rw\n\
            30 21 0:40 / /home rw,relatime shared:1 - nfs4 server:/home rw\n\
            31 21 0:41 / /scratch\\040one rw - lustre x rw\n";
        let seen = |path: &str| only_here(path, mounts).is_none();
        assert!(seen("/home/a/b") && seen("/scratch one/x") && seen("/home"));
        assert_eq!(only_here("/homely/a", mounts).as_deref(), Some("it lies on ext4 of this machine"));
        assert_eq!(only_here("/tmp/a", mounts).as_deref(), Some("every machine has a `/tmp` of its own"));
        assert!(only_here("/srv", "").is_none());
        assert!(inside("/a/b", "/a/") && !inside("/ab", "/a") && inside("/a", "/"));
    }
}
