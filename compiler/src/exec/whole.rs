//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file under the name `beside`, puts it on the disk and gives it the name `path`: it is there with all of its bytes or as
/// it was. Writers that do not exclude one another need names of their own.
pub(crate) fn write(path: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(beside)?;
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(beside, path));
    if written.is_err() {
        // on a full disk it takes the room of what else is to be written
        let _ = fs::remove_file(beside);
    }
    written
}
