//! The narrow door to bytes: everything above it sees files that can be read at any offset.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Bytes that can be read at any offset, from several threads at once.
pub trait ReadAt: Send + Sync {
    /// Size in bytes.
    fn size(&self) -> u64;

    /// Time of the last change in nanoseconds since 1970, where there is one.
    fn modified(&self) -> Option<u64> {
        None
    }

    /// Fills `buffer` from byte `offset` on; `UnexpectedEof` when the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(self.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

/// A place where checkpoints are: the disk, or memory in tests and editors.
pub trait Store {
    /// What lies at `path`; `NotFound` when nothing does.
    fn kind(&self, path: &Path) -> io::Result<PathKind>;

    /// Names of the files directly in folder `path`, sorted.
    fn names(&self, path: &Path) -> io::Result<Vec<String>>;

    /// The file at `path`.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadAt>>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Store for Disk {
    fn kind(&self, path: &Path) -> io::Result<PathKind> {
        let meta = fs::metadata(path)?;
        match (meta.is_dir(), meta.is_file()) {
            (true, _) => Ok(PathKind::Folder),
            (_, true) => Ok(PathKind::File),
            // A pipe or a device would block or never end.
            _ => Err(io::Error::other("neither a file nor a folder")),
        }
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            // A name that is not UTF-8 is none that a checkpoint's index could mention.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(DiskFile::open(path)?))
    }
}

/// An open file with the size and time it had when it was opened.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    size: u64,
    modified: Option<u64>,
    /// Serialises seek and read where the system cannot read at an offset.
    #[cfg(not(any(unix, windows)))]
    position: std::sync::Mutex<()>,
}

impl DiskFile {
    /// Opens a regular file for reading.
    pub fn open(path: &Path) -> io::Result<DiskFile> {
        let file = File::open(path)?;
        let (size, modified) = stamp(&file)?;
        Ok(DiskFile {
            file,
            size,
            modified,
            #[cfg(not(any(unix, windows)))]
            position: std::sync::Mutex::new(()),
        })
    }

    /// Size and time of change as they are now.
    pub fn stamp_now(&self) -> io::Result<(u64, Option<u64>)> {
        stamp(&self.file)
    }
}

fn stamp(file: &File) -> io::Result<(u64, Option<u64>)> {
    let meta = file.metadata()?;
    let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    Ok((meta.len(), modified.and_then(|d| u64::try_from(d.as_nanos()).ok())))
}

impl ReadAt for DiskFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn modified(&self) -> Option<u64> {
        self.modified
    }

    #[cfg(unix)]
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buffer, offset)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.file, buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    buffer = buffer.get_mut(n..).unwrap_or_default();
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    #[cfg(not(any(unix, windows)))]
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let _guard = self.position.lock().map_err(|_| io::Error::other("a reader failed"))?;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }
}

/// Files in memory, by path: for tests, and for texts that an editor has not saved.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub BTreeMap<PathBuf, Vec<u8>>);

impl Store for Memory {
    fn kind(&self, path: &Path) -> io::Result<PathKind> {
        if self.0.contains_key(path) {
            return Ok(PathKind::File);
        }
        let below = self.0.keys().any(|k| k != path && k.starts_with(path));
        if below { Ok(PathKind::Folder) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let here = self.0.keys().filter(|k| k.parent() == Some(path));
        Ok(here.filter_map(|k| Some(k.file_name()?.to_str()?.to_owned())).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.clone()))
    }
}
