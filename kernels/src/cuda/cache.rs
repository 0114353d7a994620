//! Compiled kernels on disk: compiling all of them takes seconds.

use super::launch::Family;
use super::nvrtc::Nvrtc;
use super::sources;
use crate::DType;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What a file begins with, before the hash of the rest.
const MAGIC: &[u8; 8] = b"icpccub1";
/// Bytes of a hash.
const HASH: usize = 32;

/// A folder of compiled kernels; without one they are compiled each time.
#[derive(Clone, Debug)]
pub struct Cache(Option<PathBuf>);

impl Cache {
    /// `$XDG_CACHE_HOME/icpc/cuda`, or `.cache/icpc/cuda` in the user's home.
    pub fn of_user() -> Cache {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = variable("XDG_CACHE_HOME")
            .or_else(|| variable("LOCALAPPDATA"))
            .or_else(|| variable("HOME").map(|home| home.join(".cache")));
        Cache(root.map(|root| root.join("icpc").join("cuda")))
    }

    /// This folder.
    pub fn at(folder: &Path) -> Cache {
        Cache(Some(folder.to_path_buf()))
    }

    /// A compiled family. What is not there, or is damaged, is compiled and written; that it cannot be written is no error,
    /// since the next time compiles again.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn get(
        &self,
        nvrtc: &Nvrtc,
        family: Family,
        source: DType,
        architecture: &str,
    ) -> Result<Vec<u8>, String> {
        let key = key(nvrtc.version(), family, source, architecture)?;
        let path = self.0.as_ref().map(|folder| folder.join(key));
        if let Some(image) = path.as_deref().and_then(read) {
            return Ok(image);
        }
        let image = nvrtc.compile(family, source, architecture)?;
        if let Some(path) = path {
            write(&path, &image);
        }
        Ok(image)
    }
}

/// Everything that the result depends on.
fn key(version: (i32, i32), family: Family, source: DType, architecture: &str) -> Result<String, String> {
    let (text, options) = sources::unit(family, source, architecture)?;
    let mut hash = Sha256::new();
    let mut field = |field: &str| {
        hash.update((field.len() as u64).to_le_bytes());
        hash.update(field.as_bytes());
    };
    field(&format!("{}.{}", version.0, version.1));
    field(text);
    options.iter().for_each(|option| field(option));
    for (name, text) in sources::headers() {
        field(name);
        field(&text);
    }
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{hex}.cubin", family.name()))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let file = std::fs::read(path).ok()?;
    let rest = file.strip_prefix(MAGIC)?;
    let (hash, image) = rest.split_at_checked(HASH)?;
    (Sha256::digest(image).as_slice() == hash).then(|| image.to_vec())
}

/// Under a temporary name first, so that no other process reads half a file.
fn write(path: &Path, image: &[u8]) {
    let own = path.with_extension(format!("{}.new", std::process::id()));
    let file = [MAGIC.as_slice(), Sha256::digest(image).as_slice(), image].concat();
    let written = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&own, file))
        .and_then(|()| std::fs::rename(&own, path));
    if written.is_err() {
        let _ = std::fs::remove_file(own);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{HASH, MAGIC, key, read, write};
    use crate::DType;
    use crate::cuda::sources::{CAST, INT};

    #[test]
    fn a_damaged_file_is_no_kernel() {
        let folder = std::env::temp_dir().join(format!("icpc-cache-{}", std::process::id()));
        let path = folder.join("kernel.cubin");
        write(&path, b"image");
        assert_eq!(read(&path), Some(b"image".to_vec()));
        let file = std::fs::read(&path).unwrap();
        for length in [0, 3, MAGIC.len(), MAGIC.len() + HASH, file.len() - 1] {
            std::fs::write(&path, &file[..length]).unwrap();
            assert_eq!(read(&path), None, "{length} bytes");
        }
        let mut file = file;
        *file.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &file).unwrap();
        assert_eq!(read(&path), None);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn keys_tell_what_a_kernel_depends_on() {
        let keys = [
            key((12, 9), CAST, DType::F32, "sm_80"),
            key((12, 8), CAST, DType::F32, "sm_80"),
            key((12, 9), INT, DType::F32, "sm_80"),
            key((12, 9), CAST, DType::F16, "sm_80"),
            key((12, 9), CAST, DType::F32, "sm_90"),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(one.is_ok());
            assert!(keys.iter().skip(index + 1).all(|other| other != one));
        }
    }
}
