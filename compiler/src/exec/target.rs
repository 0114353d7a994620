//! The places of one tensor's arrays in the output, and the hashes of what was written there.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use icpc_kernels::encode::Piece;
use icpc_kernels::format::{Format, Role};

use super::content::Content;
use super::destination::Destination;
use super::error::{RunError, RunErrorKind};
use crate::plan::bitsandbytes::quant_state_text;
use crate::plan::ir::TensorPlan;
use crate::plan::layout::PlacedPart;
use crate::plan::parts::StoredRole;

pub(super) struct TensorTarget<'a> {
    tensor: &'a TensorPlan,
    destination: &'a Destination,
    places: Vec<Place<'a>>,
    /// Position of the array with the elements.
    main: usize,
    /// bitsandbytes has the offset of nested absmax in a text.
    nested_offset: Mutex<f32>,
}

struct Place<'a> {
    file: usize,
    part: &'a PlacedPart,
    content: Content,
}

impl<'a> TensorTarget<'a> {
    /// `parts` are the arrays of `tensor` with the numbers of their files.
    pub(super) fn new(
        tensor: &'a TensorPlan,
        destination: &'a Destination,
        parts: &[(usize, &'a PlacedPart)],
    ) -> TensorTarget<'a> {
        let places: Vec<Place<'a>> = parts
            .iter()
            .map(|(file, part)| Place { file: *file, part, content: Content::new(part.bytes) })
            .collect();
        let is_main =
            |place: &Place<'_>| matches!(place.part.role, StoredRole::Format(Role::Values | Role::Codes));
        let main = places.iter().position(is_main).unwrap_or(usize::MAX);
        TensorTarget { tensor, destination, places, main, nested_offset: Mutex::new(0.0) }
    }

    fn internal(&self, message: &str) -> RunError {
        RunError::internal(Path::new(&self.tensor.name), message).tensor(&self.tensor.name)
    }

    fn put(&self, place: &Place<'_>, offset: u64, bytes: &[u8]) -> Result<(), RunError> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= place.part.bytes);
        let at = place.part.offset.checked_add(offset).filter(|_| end.is_some());
        let at = at.ok_or_else(|| self.internal("bytes reach beyond their array"))?;
        place.content.add(offset, bytes);
        self.destination.write(place.file, at, bytes).map_err(|error| error.tensor(&self.tensor.name))
    }

    /// Writes bytes of the array with the elements.
    pub(super) fn write_main(&self, offset: u64, bytes: &[u8]) -> Result<(), RunError> {
        let place = self.places.get(self.main).ok_or_else(|| self.internal("it has no elements to write"))?;
        self.put(place, offset, bytes)
    }

    /// Writes bytes of another array; those that this container does not store are left out.
    pub(super) fn write(&self, piece: &Piece) -> Result<(), RunError> {
        if let (Role::NestedOffset, Ok(bytes)) = (piece.role, piece.bytes.as_slice().try_into()) {
            *self.nested_offset.lock().unwrap_or_else(PoisonError::into_inner) = f32::from_le_bytes(bytes);
        }
        for place in &self.places {
            if place.part.role == StoredRole::Format(piece.role) {
                return self.put(place, piece.offset, &piece.bytes);
            }
            if (place.part.role, piece.role) == (StoredRole::RowMaxima, Role::Scales) {
                return self.put(place, piece.offset, &self.row_maxima(&piece.bytes)?);
            }
        }
        Ok(())
    }

    fn row_maxima(&self, scales: &[u8]) -> Result<Vec<u8>, RunError> {
        let mut maxima = Vec::with_capacity(scales.len());
        for scale in scales.as_chunks::<4>().0 {
            let largest = f32::from_le_bytes(*scale) * 127.0;
            if !largest.is_finite() {
                let message = "a row's largest magnitude is beyond the range of f32";
                let path = Path::new(&self.tensor.name);
                return Err(
                    RunError::new(RunErrorKind::Value, path, "encoding", message).tensor(&self.tensor.name)
                );
            }
            maxima.extend_from_slice(&largest.to_le_bytes());
        }
        Ok(maxima)
    }

    /// Writes what no chunk gave and takes the content hash of every array.
    pub(super) fn finish(&self) -> Result<Vec<String>, RunError> {
        let mut hashes = Vec::with_capacity(self.places.len());
        for place in &self.places {
            match (place.part.role, &self.tensor.format) {
                (StoredRole::QuantState, Format::Code4(code4)) => {
                    let offset = *self.nested_offset.lock().unwrap_or_else(PoisonError::into_inner);
                    let text = quant_state_text(code4, self.tensor.dtype, &self.tensor.shape, offset);
                    self.put(place, 0, &text)?;
                }
                (StoredRole::WeightFormat, _) => self.put(place, 0, &[0])?,
                _ => {}
            }
            let hash = place.content.finish();
            hashes.push(hash.ok_or_else(|| self.internal("an array was not written whole"))?);
        }
        Ok(hashes)
    }
}
