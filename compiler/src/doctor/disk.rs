//! Free space where an output would be.

use std::path::{Path, PathBuf};

use icpc_kernels::Unavailable;
use serde::Serialize;

/// A file system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disk {
    /// The folder that was asked about, or the nearest one above it that exists.
    pub folder: String,
    /// Bytes that this user may still write there.
    pub free: u64,
}

/// Bytes that this user may still write where `folder` is or would be.
///
/// # Errors
/// What the system says.
#[cfg(unix)]
fn free(folder: &Path) -> std::io::Result<u64> {
    let facts = rustix::fs::statvfs(folder)?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}

/// Bytes that this user may still write where `folder` is or would be.
///
/// # Errors
/// Always: this system is not asked.
#[cfg(not(unix))]
fn free(_folder: &Path) -> std::io::Result<u64> {
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "free space is asked for on Unix only"))
}

/// The file system where `folder` is or would be.
///
/// # Errors
/// [`Unavailable`] where the system does not tell.
pub fn free_space(folder: &Path) -> Result<Disk, Unavailable> {
    let existing = existing(folder);
    match free(&existing) {
        Ok(free) => Ok(Disk { folder: existing.display().to_string(), free }),
        Err(error) => Err(Unavailable::new(
            format!(
                "the free space of `{}` is unknown: {}",
                existing.display(),
                crate::system::plain(&error)
            ),
            "look with `df -h`",
        )),
    }
}

/// The folder, or the nearest one above it that exists.
fn existing(folder: &Path) -> PathBuf {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let here = Path::new(".");
    folder
        .ancestors()
        .map(|above| if above.as_os_str().is_empty() { here } else { above })
        .find(|above| above.is_dir())
        .unwrap_or(here)
        .to_path_buf()
}
