//! PyTorch's zip container: members found through the central directory, storages at exact offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use zip::read::{ArchiveOffset, Config};
use zip::{CompressionMethod, ZipArchive};

use super::super::error::{CheckpointError, ErrorKind, Place, Result, Shown};
use super::super::source::ReadAt;
use super::pickle::MAX_PICKLE;
use super::tensor::Storage;

/// Most members; a checkpoint has one a storage and a handful more.
const MAX_MEMBERS: usize = 2_000_000;

/// One member, as the central directory has it.
#[derive(Clone, Copy, Debug)]
struct Member {
    index: usize,
    header: u64,
    stored: bool,
    encrypted: bool,
    packed: u64,
    bytes: u64,
}

/// An open archive.
pub(super) struct Archive<'f> {
    file: &'f dyn ReadAt,
    zip: ZipArchive<BufReader<Cursor<'f>>>,
    members: BTreeMap<String, Member>,
    /// Folder of `data.pkl`, with its slash: the stem of the file that was saved.
    root: String,
    directory: u64,
}

impl<'f> Archive<'f> {
    /// Reads the central directory and finds the root folder.
    pub(super) fn open(file: &'f dyn ReadAt) -> Result<Archive<'f>> {
        let reader = BufReader::with_capacity(1 << 16, Cursor { file, position: 0 });
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let zip = ZipArchive::with_config(config, reader).map_err(|e| {
            let error = CheckpointError::malformed(format!("the zip container is damaged: {e}"));
            error.remedy("the file may have been cut off while it was copied")
        })?;
        let metadata = zip.metadata();
        if metadata.len() > MAX_MEMBERS {
            return Err(CheckpointError::limit(format!("an archive of more than {MAX_MEMBERS} members")));
        }
        if metadata.has_duplicate_names() {
            let error = CheckpointError::malformed("two members of the archive have the same name");
            let twice = repeated_name(file, zip.central_directory_start(), metadata.len());
            return Err(match twice {
                Some(name) => error.at(Place::Member(name)),
                None => error,
            });
        }
        let mut members = BTreeMap::new();
        for index in 0..metadata.len() {
            let entry = metadata.entry(index).map_err(damaged)?;
            let name = entry.name().map_err(damaged)?.into_owned();
            let member = Member {
                index,
                header: entry.header_start(),
                stored: entry.compression() == CompressionMethod::Stored,
                encrypted: entry.encrypted(),
                packed: entry.compressed_size(),
                bytes: entry.size(),
            };
            if members.insert(name.clone(), member).is_some() {
                let error = CheckpointError::malformed("two members of the archive have this name");
                return Err(error.at(Place::Member(name)));
            }
        }
        let root = root(&members)?;
        let directory = zip.central_directory_start();
        Ok(Archive { file, zip, members, root, directory })
    }

    /// Whether the archive holds TorchScript code beside its tensors.
    pub(super) fn is_script(&self) -> bool {
        let code = format!("{}code/", self.root);
        self.members.range(code.clone()..).next().is_some_and(|(name, _)| name.starts_with(&code))
    }

    /// Number of members in folder `name` of the root.
    pub(super) fn members_in(&self, name: &str) -> u64 {
        let folder = format!("{}{name}/", self.root);
        self.members.range(folder.clone()..).take_while(|(name, _)| name.starts_with(&folder)).count() as u64
    }

    /// Refuses files of big-endian machines.
    pub(super) fn check_byte_order(&mut self) -> Result<()> {
        let name = format!("{}byteorder", self.root);
        if !self.members.contains_key(&name) {
            return Ok(());
        }
        match self.read("byteorder", 16)?.as_slice() {
            b"little" => Ok(()),
            other => {
                let other = String::from_utf8_lossy(other).into_owned();
                let message = format!("its tensors have byte order `{}`", Shown(&other));
                Err(CheckpointError::unsupported(message).remedy("save it again on a little-endian machine"))
            }
        }
    }

    /// Full name of `data.pkl`.
    pub(super) fn pickle_name(&self) -> String {
        format!("{}data.pkl", self.root)
    }

    /// The bytes of `data.pkl`.
    pub(super) fn pickle(&mut self) -> Result<Vec<u8>> {
        self.read("data.pkl", MAX_PICKLE)
    }

    /// Unpacks member `name` of the root, which may hold at most `limit` bytes.
    fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let name = format!("{}{name}", self.root);
        let place = || Place::Member(name.clone());
        let member = self.members.get(&name).copied();
        let member =
            member.ok_or_else(|| CheckpointError::malformed("the archive has no such member").at(place()))?;
        let too_big = |bytes: u64| {
            CheckpointError::limit(format!("it unpacks to {bytes} bytes or more, the limit is {limit}"))
                .at(place())
        };
        if member.bytes > limit {
            return Err(too_big(member.bytes));
        }
        if member.encrypted {
            return Err(CheckpointError::unsupported("it is encrypted").at(place()));
        }
        let packed = self.zip.by_index(member.index).map_err(|e| damaged(e).at(place()))?;
        // The declared size may lie: memory grows only with what comes out.
        let mut bytes = Vec::with_capacity(usize::try_from(member.bytes.min(1 << 20)).unwrap_or(0));
        let read = packed.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|e| CheckpointError::malformed(format!("it does not unpack: {e}")).at(place()))?;
        match bytes.len() as u64 {
            n if n > limit => Err(too_big(n)),
            n if n != member.bytes => {
                let message = format!("it unpacks to {n} bytes, the directory says {}", member.bytes);
                Err(CheckpointError::malformed(message).at(place()))
            }
            _ => Ok(bytes),
        }
    }

    /// Where storage `key` lies; it must hold exactly `bytes`.
    pub(super) fn storage(&self, key: &str, bytes: u64) -> Result<Storage> {
        let name = format!("{}data/{key}", self.root);
        let place = || Place::Member(name.clone());
        let missing = || CheckpointError::malformed("the archive lacks this storage").at(place());
        let member = self.members.get(&name).ok_or_else(missing)?;
        if !member.stored || member.encrypted || member.packed != member.bytes {
            let error = CheckpointError::unsupported("tensor data is compressed or encrypted").at(place());
            return Err(error.remedy("load it and save it again with torch.save"));
        }
        if member.bytes != bytes {
            let message = format!("it holds {} bytes, the pickle says {bytes}", member.bytes);
            return Err(CheckpointError::malformed(message).at(place()));
        }
        let offset = self.data_start(member, name.len()).map_err(|e| e.at(place()))?;
        if offset.checked_add(bytes).is_none_or(|end| end > self.directory) {
            let message = format!("its {bytes} bytes at {offset} reach beyond byte {}", self.directory);
            return Err(CheckpointError::new(ErrorKind::Truncated, message).at(place()));
        }
        Ok(Storage { offset, bytes, number: member.index as u64 })
    }

    /// The byte behind a member's local header, whose extra field differs from the directory's.
    fn data_start(&self, member: &Member, name: usize) -> Result<u64> {
        let mut header = [0u8; 30];
        let read = self.file.read_exact_at(&mut header, member.header);
        read.map_err(|e| CheckpointError::io("reading its local header", &e))?;
        let [b'P', b'K', 3, 4, _, _, _, _, method, _, .., n0, n1, e0, e1] = header else {
            return Err(CheckpointError::malformed("it has no local header where the directory says"));
        };
        let local_name = u16::from_le_bytes([n0, n1]);
        if method != 0 || usize::from(local_name) != name {
            return Err(CheckpointError::malformed("its local header contradicts the directory"));
        }
        let skip = 30 + u64::from(local_name) + u64::from(u16::from_le_bytes([e0, e1]));
        member.header.checked_add(skip).ok_or_else(|| CheckpointError::malformed("its offset overflows"))
    }
}

/// The name that occurs twice in the directory, which the zip reader merged.
fn repeated_name(file: &dyn ReadAt, mut at: u64, members: usize) -> Option<String> {
    let mut seen = BTreeSet::new();
    for _ in 0..=members {
        let mut entry = [0u8; 46];
        file.read_exact_at(&mut entry, at).ok()?;
        let lengths = entry.get(28..34)?.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
        let lengths: Vec<u64> = lengths.map(u64::from).collect();
        let mut name = vec![0u8; usize::try_from(*lengths.first()?).ok()?];
        file.read_exact_at(&mut name, at + 46).ok()?;
        if !seen.insert(name.clone()) {
            return Some(String::from_utf8_lossy(&name).into_owned());
        }
        at += 46 + lengths.iter().sum::<u64>();
    }
    None
}

fn damaged(error: zip::result::ZipError) -> CheckpointError {
    CheckpointError::malformed(format!("the zip container is damaged: {error}"))
}

/// The folder that holds `data.pkl`.
fn root(members: &BTreeMap<String, Member>) -> Result<String> {
    let folders: Vec<&str> = members
        .keys()
        .filter_map(|name| name.strip_suffix("data.pkl"))
        .filter(|folder| folder.is_empty() || folder.ends_with('/'))
        .collect();
    let outermost = folders.iter().map(|f| f.matches('/').count()).min();
    let mut roots = folders.iter().filter(|f| Some(f.matches('/').count()) == outermost);
    match (roots.next(), roots.next()) {
        (Some(root), None) => Ok((*root).to_owned()),
        (Some(a), Some(b)) => {
            let message =
                format!("both `{}data.pkl` and `{}data.pkl` could be its pickle", Shown(a), Shown(b));
            Err(CheckpointError::malformed(message))
        }
        (None, _) => {
            Err(CheckpointError::unsupported("a zip archive without `data.pkl` is no PyTorch checkpoint"))
        }
    }
}

/// A [`ReadAt`] with a position, for the zip reader.
struct Cursor<'f> {
    file: &'f dyn ReadAt,
    position: u64,
}

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.file.size().saturating_sub(self.position);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..count).filter(|b| !b.is_empty()) else { return Ok(0) };
        self.file.read_exact_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.file.size().checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
