//! The elements of an output tensor before its format: read, cut, masked.

use std::path::Path;

use icpc_kernels::{Backend, DType, KernelError};

use super::error::{RunError, RunErrorKind};
use super::mask::ReadyMask;
use super::rows::Rows;
use super::source::SourceTensor;

/// Bytes read ahead where runs are short; a longer run is read to where it belongs.
pub(super) const WINDOW: usize = 1 << 20;

/// Runs from here on are read directly.
const LONG_RUN: usize = 1 << 16;

/// Where elements come from.
#[derive(Debug)]
pub(super) struct Elements<'a> {
    source: SourceTensor<'a>,
    /// Name of the source tensor.
    name: &'a str,
    source_shape: &'a [u64],
    rows: Rows,
    dtype: DType,
}

impl<'a> Elements<'a> {
    pub(super) fn new(
        source: SourceTensor<'a>,
        name: &'a str,
        source_shape: &'a [u64],
        rows: Rows,
        dtype: DType,
    ) -> Elements<'a> {
        Elements { source, name, source_shape, rows, dtype }
    }

    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }

    /// Elements after the cuts.
    pub(super) fn len(&self) -> u64 {
        self.rows.elements()
    }

    pub(super) fn path(&self) -> &Path {
        self.source.path()
    }

    /// Fills `out` with kept elements from flat index `start` on, masked.
    pub(super) fn read(
        &self,
        backend: &dyn Backend,
        start: u64,
        out: &mut [u8],
        window: &mut Vec<u8>,
        mask: Option<&ReadyMask>,
    ) -> Result<(), RunError> {
        let width = self.source.width().max(1);
        let elements = out.len() as u64 / width;
        let unit = mask.map_or(1, ReadyMask::unit).max(1);
        let (first, end) = (start / unit * unit, (start + elements).next_multiple_of(unit).min(self.len()));
        let failed = |error: KernelError| self.kernel_error(&error);
        if (first, end) == (start, start + elements) {
            self.gather(start, out, window)?;
            return mask.map_or(Ok(()), |mask| mask.apply(backend, self.dtype, out, start).map_err(failed));
        }
        // A run of the mask reaches beyond the range: look at whole runs and take the part.
        let bytes = usize::try_from((end - first) * width).map_err(|_| self.internal())?;
        let mut whole = vec![0; bytes];
        self.gather(first, &mut whole, window)?;
        if let Some(mask) = mask {
            mask.apply(backend, self.dtype, &mut whole, first).map_err(failed)?;
        }
        let skip = usize::try_from((start - first) * width).map_err(|_| self.internal())?;
        let part = whole.get(skip..skip.saturating_add(out.len())).ok_or_else(|| self.internal())?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn gather(&self, start: u64, out: &mut [u8], window: &mut Vec<u8>) -> Result<(), RunError> {
        if self.rows.is_whole() {
            return self.source.read(start, out).map_err(|error| error.tensor(self.name));
        }
        let width = self.source.width() as usize;
        let end = start + (out.len() / width.max(1)) as u64;
        let last = self.rows.locate(end.saturating_sub(1)).0 + 1;
        let (mut flat, mut rest) = (start, out);
        let mut ahead = 0..0u64;
        while !rest.is_empty() {
            let (source, run) = self.rows.locate(flat);
            let run = run.min(end - flat);
            let bytes = usize::try_from(run).ok().and_then(|run| run.checked_mul(width));
            let bytes = bytes.filter(|bytes| *bytes > 0).ok_or_else(|| self.internal())?;
            let (target, later) = rest.split_at_mut_checked(bytes).ok_or_else(|| self.internal())?;
            if bytes >= LONG_RUN {
                self.source.read(source, target).map_err(|error| error.tensor(self.name))?;
            } else {
                if source < ahead.start || source + run > ahead.end {
                    let most = (WINDOW / width.max(1)) as u64;
                    ahead = source..last.min(source + most).max(source + run);
                    window.resize(((ahead.end - ahead.start) as usize).saturating_mul(width), 0);
                    self.source.read(source, window).map_err(|error| error.tensor(self.name))?;
                }
                let from = ((source - ahead.start) as usize).saturating_mul(width);
                let piece = window.get(from..from.saturating_add(bytes)).ok_or_else(|| self.internal())?;
                target.copy_from_slice(piece);
            }
            rest = later;
            flat += run;
        }
        Ok(())
    }

    fn internal(&self) -> RunError {
        RunError::internal(self.path(), "a range of elements is out of bounds").tensor(self.name)
    }

    /// The run's error for a kernel's: places are those of the source, before the cuts.
    pub(super) fn kernel_error(&self, error: &KernelError) -> RunError {
        let message = match error.index() {
            Some(flat) => {
                let (source, _) = self.rows.locate(flat);
                let place = self.multi_index(source);
                match error {
                    KernelError::NonFinite { value, .. } => format!("element {place} is {value}"),
                    KernelError::Overflow { value, target, .. } => {
                        format!("element {place} is {value:e}, beyond the range of {target}")
                    }
                    _ => error.to_string(),
                }
            }
            None => error.to_string(),
        };
        let remedy = match error {
            KernelError::NonFinite { .. } => Some("`keep` stores it as it is"),
            KernelError::Overflow { .. } => {
                Some("`saturate: true` stores the largest value, `bf16` or `keep` the value")
            }
            _ => None,
        };
        let kind = match error {
            KernelError::Device { .. } => RunErrorKind::Environment,
            _ => RunErrorKind::Value,
        };
        let mut failure = RunError::new(kind, self.path(), "encoding", message).tensor(self.name);
        failure.remedy = remedy.map(str::to_owned);
        failure
    }

    fn multi_index(&self, flat: u64) -> String {
        let mut rest = flat;
        let mut index: Vec<String> = self
            .source_shape
            .iter()
            .rev()
            .map(|extent| {
                let at = rest % (*extent).max(1);
                rest /= (*extent).max(1);
                at.to_string()
            })
            .collect();
        index.reverse();
        format!("[{}]", index.join(", "))
    }
}
