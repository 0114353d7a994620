//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file under the name `beside`, puts it on the disk and gives it the name `path`: it is there with all of its bytes or as
/// it was. Writers that do not exclude one another need names of their own.
pub(crate) fn write(path: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)
}
