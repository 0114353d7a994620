//! What a header says: the input of every check.

use std::collections::BTreeMap;

use super::name::Name;
use crate::base::{DType, Shape};

/// Kind of file a checkpoint is stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Container {
    /// One `.safetensors` file.
    Safetensors,
    /// Several `.safetensors` files and their `index.json`.
    SafetensorsSharded,
    /// PyTorch's zip container.
    TorchZip,
    /// PyTorch's older plain-pickle container.
    TorchLegacy,
    /// GGUF; tensors of ggml block types are listed, their dtype kept as an attribute.
    Gguf,
    /// A text listing: header facts without weights, for tests and for sharing.
    Listing,
}

/// One file that holds tensor data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceFile {
    /// Path relative to the folder of the checkpoint (`model-00001-of-00002.safetensors`).
    pub name: String,
    /// Size in bytes when the header was read; a run refuses a file whose size differs.
    pub bytes: u64,
    /// Time of its last change in nanoseconds since 1970, where the system tells; a run refuses another.
    pub modified: Option<u64>,
}

/// Where the elements of a tensor are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Placement {
    /// Index into [`Schema::files`].
    pub file: u32,
    /// Byte offset in that file of element 0.
    pub offset: u64,
    /// Distance between neighbours of each axis, in elements; row-major when `None`.
    pub strides: Option<Box<[u64]>>,
    /// Identity of the storage: tensors with equal storage share bytes.
    pub storage: u64,
}

/// Affine quantisation that the source itself declares (PyTorch's qint8 tensors).
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// Name of the scheme, `per_tensor_affine` or `per_channel_affine`.
    pub scheme: String,
    /// One scale, or one a channel.
    pub scales: Vec<f64>,
    /// One zero point, or one a channel.
    pub zero_points: Vec<i64>,
    /// Channel axis of `per_channel_affine`.
    pub axis: Option<u32>,
}

/// One tensor of a checkpoint, as its header declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    /// Full name, segments separated by `.`.
    pub name: Name,
    /// Element type. For ggml block types and packed types it is `u8` and `stored_as` says more.
    pub dtype: DType,
    /// Extents, outermost first.
    pub shape: Shape,
    /// Bytes that the elements occupy (dense, without gaps of a strided view).
    pub bytes: u64,
    /// Where they are; `None` in a listing.
    pub place: Option<Placement>,
    /// Number of the first tensor with the same storage, offset, shape and strides: this one is its alias.
    pub tied_to: Option<u32>,
    /// Quantisation that the source declares.
    pub quantized: Option<Box<Quantized>>,
    /// A storage type that [`DType`] cannot say (`q4_k`), as the container names it.
    pub stored_as: Option<Box<str>>,
    /// Line (from 0) of this tensor in [`Schema::listing_text`].
    pub line: u32,
}

/// Names that share one storage; the first is the one that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TieGroup {
    /// At least two tensor names, in file order.
    pub names: Vec<String>,
}

/// Something in a checkpoint that is not a tensor; shown by `inspect`, never executed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Path from the top of the file (`config.num_experts`).
    pub path: String,
    /// Value or class, shortened (`4`, `models.config.IteraLiteConfig (opaque)`).
    pub value: String,
}

/// A number or flag that a configuration supplies, and where it was said.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigFact {
    /// Key as written there (`max_position_embeddings`).
    pub key: String,
    /// Its value.
    pub value: Attribute,
    /// File, and line from 1 when there is one (`config.json:12`, `entry config` of a .pt).
    pub origin: String,
}

/// Value of a [`ConfigFact`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Attribute {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

/// Everything a header says. Tensors keep the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Name to show, such as `itera_lite_tiny_best.pt`.
    pub source: String,
    /// Kind of file.
    pub container: Container,
    /// Files with tensor data; empty for a listing.
    pub files: Vec<SourceFile>,
    /// Tensors, aliases included, in file order, names unique.
    pub tensors: Vec<TensorInfo>,
    /// Entries that are not tensors.
    pub entries: Vec<Entry>,
    /// Facts of a `config.json` beside the checkpoint, or of a config inside it.
    pub config: Vec<ConfigFact>,
    /// Why the `config.json` beside the checkpoint gives no facts, where there is one that does not; a note says it, too.
    pub config_problem: Option<String>,
    /// Things that a reader could not understand and went past, each one sentence: shown as notes.
    pub notes: Vec<String>,
    /// SHA-256 of the header bytes (hex), part of a run's provenance.
    pub header_hash: String,
}

impl Container {
    /// Name as messages print it.
    pub const fn name(self) -> &'static str {
        match self {
            Container::Safetensors => "safetensors",
            Container::SafetensorsSharded => "sharded safetensors",
            Container::TorchZip => "PyTorch zip",
            Container::TorchLegacy => "PyTorch pickle",
            Container::Gguf => "GGUF",
            Container::Listing => "listing",
        }
    }
}

impl Schema {
    /// Position of each tensor by name.
    pub fn by_name(&self) -> BTreeMap<&str, usize> {
        self.tensors.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect()
    }

    /// Groups of tied names, in file order.
    pub fn ties(&self) -> Vec<TieGroup> {
        let mut groups: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for t in &self.tensors {
            if let Some((number, first)) = t.tied_to.and_then(|n| Some((n, self.tensors.get(n as usize)?))) {
                let names = groups.entry(number).or_insert_with(|| vec![first.name.to_string()]);
                names.push(t.name.to_string());
            }
        }
        groups.into_values().map(|names| TieGroup { names }).collect()
    }

    /// The tensor under whose name the storage of tensor `number` is kept: itself, if it is no alias.
    pub fn kept(&self, number: usize) -> usize {
        self.tensors.get(number).and_then(|t| t.tied_to).map_or(number, |kept| kept as usize)
    }

    /// The canonical listing of this schema: what diagnostics show of it, tensor `i` on line `i`.
    ///
    /// Built at each call, in time that grows with the number of tensors.
    pub fn listing_text(&self) -> String {
        super::listing::write_listing(self)
    }

    /// The hash of a header that is made of the one with the hash `of`: of that and of its own listing.
    pub fn listing_hash(&self, of: &str) -> String {
        super::hash::hex_of_parts([of.as_bytes(), self.listing_text().as_bytes()])
    }

    /// Bytes of all tensors, tied ones counted once.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.iter().filter(|t| t.tied_to.is_none()).map(|t| t.bytes).sum()
    }

    /// Fact of the configuration under one of `keys`, the first that exists.
    pub fn fact(&self, keys: &[&str]) -> Option<&ConfigFact> {
        keys.iter().find_map(|k| self.config.iter().find(|f| f.key == *k))
    }
}
