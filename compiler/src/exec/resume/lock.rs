//! A file whose lock says that a run is at work. The system lets go of the lock when the process ends, however it ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// A file that is open, and locked where the file system can.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(in crate::exec) file: File,
    /// Whether the lock is held: some network file systems have none.
    pub(in crate::exec) held: bool,
}

/// Opens the file at `path`, which is made if there is none, and locks it; nothing when somebody else holds the lock.
pub(crate) fn take(path: &Path) -> io::Result<Option<Lock>> {
    loop {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let held = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => false,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        // Who held it before may have removed the file after it was opened here: that lock would say nothing.
        if !held || is_at(&file, path)? {
            return Ok(Some(Lock { file, held }));
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

/// Whether somebody holds the lock of the file at `path`; nothing where the file system has no locks, or no such file is
/// there any more.
pub(super) fn is_taken(path: &Path) -> io::Result<Option<bool>> {
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(false)),
        Err(TryLockError::WouldBlock) => Ok(Some(true)),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
