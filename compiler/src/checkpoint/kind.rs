//! Which kind of file this is, by its content; the extension only decides between wrong files.

use super::error::{CheckpointError, Result};
use super::source::ReadAt;
use super::{gguf, safetensors, torch};

/// Reader that a file asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Safetensors,
    TorchZip,
    TorchLegacy,
    Gguf,
    Json,
    Listing,
}

/// Looks at the first bytes of `file`.
pub(super) fn of(file: &dyn ReadAt, name: &str) -> Result<Kind> {
    let mut bytes = vec![0u8; usize::try_from(file.size().min(512)).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0).map_err(|e| CheckpointError::io("reading", &e))?;
    let bytes = bytes.as_slice();
    if bytes.is_empty() {
        return Err(CheckpointError::malformed("the file is empty"));
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Ok(Kind::TorchZip);
    }
    if bytes.starts_with(&torch::LEGACY_MAGIC) {
        return Ok(Kind::TorchLegacy);
    }
    if bytes.starts_with(&gguf::MAGIC) {
        return Ok(Kind::Gguf);
    }
    if bytes.starts_with(b"version https://git-lfs.github.com/") {
        let error = CheckpointError::unsupported("a Git LFS pointer, not the file that it stands for");
        return Err(error.remedy("fetch the file with `git lfs pull`"));
    }
    if bytes.get(257..262) == Some(b"ustar") {
        let error = CheckpointError::unsupported("a tar archive, the container of PyTorch before 0.1.10");
        return Err(error.remedy("load it and save it again with a current torch.save"));
    }
    if bytes.starts_with(b"\x89HDF") {
        return Err(CheckpointError::unsupported("an HDF5 file, as Keras writes it").remedy(REMEDY));
    }
    if let Some((length, rest)) = bytes.split_first_chunk::<8>() {
        let plausible = u64::from_le_bytes(*length) <= safetensors::MAX_HEADER && rest.first() == Some(&b'{');
        if plausible || name.ends_with(".safetensors") {
            return Ok(Kind::Safetensors);
        }
    }
    if bytes.starts_with(b"\x80") {
        let error = CheckpointError::unsupported("a bare pickle without PyTorch's header");
        return Err(error.remedy("save the tensors with torch.save or as safetensors"));
    }
    if name.ends_with(".safetensors") {
        return Err(CheckpointError::truncated(format!("{} bytes are no safetensors file", bytes.len())));
    }
    // The block may end inside a character.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) if e.error_len().is_none() => {
            bytes.get(..e.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok())
        }
        Err(_) => None,
    };
    match text.filter(|t| !t.contains('\0')) {
        Some(text) if text.trim_start().starts_with(['{', '[']) => Ok(Kind::Json),
        Some(_) if BINARY.iter().any(|ending| name.ends_with(ending)) => {
            let error = CheckpointError::unsupported("a text, not the checkpoint that its name says");
            Err(error.remedy("the download may have failed"))
        }
        Some(_) => Ok(Kind::Listing),
        None => Err(CheckpointError::unsupported("no kind of checkpoint that is read").remedy(REMEDY)),
    }
}

/// Endings of files that are no text.
const BINARY: [&str; 5] = [".pt", ".pth", ".bin", ".ckpt", ".gguf"];

const REMEDY: &str = "safetensors, PyTorch, GGUF and listings are read";
