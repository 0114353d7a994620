//! Cuts token ids into windows.

use super::error::EvalError;
use super::model::{longest, rows};
use super::settings::Protocol;
use super::tokens::Tokens;
use crate::graph::Graph;

/// A stretch of a text that is run from an empty state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window<'a> {
    /// Its ids, targets included.
    pub ids: &'a [u32],
    /// Number of its text, from 0.
    pub text: usize,
    /// Place of its first id in the text, from 0.
    pub start: usize,
}

impl<'a> Window<'a> {
    /// Ids that are run: all that have a target in the window.
    pub fn inputs(&self, shift: usize) -> &'a [u32] {
        self.ids.get(..self.ids.len().saturating_sub(shift)).unwrap_or_default()
    }

    /// For each input the id that is `shift` tokens ahead.
    pub fn targets(&self, shift: usize) -> &'a [u32] {
        self.ids.get(shift..).unwrap_or_default()
    }
}

/// A window with its number, and by how many tokens its targets are ahead.
pub(super) struct Numbered<'a> {
    pub window: &'a Window<'a>,
    pub number: usize,
    pub shift: usize,
    /// Tokens at its end that are not run: those without a target, but where they count for others all but the last.
    pub unseen: usize,
}

impl Numbered<'_> {
    pub(super) fn inputs(&self) -> &[u32] {
        self.window.inputs(self.unseen)
    }

    pub(super) fn targets(&self) -> &[u32] {
        self.window.targets(self.shift)
    }

    /// As messages name it.
    pub(super) fn place(&self) -> String {
        let text =
            if self.window.text > 0 { format!(" of text {}", self.window.text) } else { String::new() };
        format!("window {}, from token {}{text}", self.number, self.window.start)
    }
}

/// The windows that are measured of a text, and by how many tokens their targets are ahead.
pub(super) struct Cut<'t> {
    pub windows: Vec<Window<'t>>,
    /// Tokens of a window at most.
    pub window: usize,
    pub stride: usize,
    pub shift: usize,
}

impl<'t> Cut<'t> {
    /// As `protocol` says, for a model whose table has so many rows and whose sequences have `longest` tokens at most.
    ///
    /// # Errors
    /// Ids without a row; as [`windows`]; windows that are longer than the model's sequences, or none.
    pub(super) fn of(
        tokens: &'t Tokens,
        protocol: &Protocol,
        rows: Option<u64>,
        longest: Option<u64>,
    ) -> Result<Cut<'t>, EvalError> {
        let error = |message: String| EvalError::new(&tokens.data.name, "cutting windows", message);
        if let Some(rows) = rows {
            tokens.fit(rows)?;
        }
        let (window, stride, shift) = protocol.lengths(longest);
        let mut windows = windows(tokens, window, stride, shift)?;
        let run = (window - shift) as u64;
        if let Some(longest) = longest.filter(|longest| run > *longest) {
            let message =
                format!("windows of {window} run {run} tokens, and the model has {longest} positions");
            return Err(error(message).remedy(format!("take windows of at most {}", longest + shift as u64)));
        }
        windows.truncate(protocol.samples.unwrap_or(usize::MAX));
        match windows.is_empty() {
            true => Err(error("no window is asked for".to_owned()).remedy("take 1 or more `samples`")),
            false => Ok(Cut { windows, window, stride, shift }),
        }
    }
}

/// Reads a text as `protocol` says and cuts it, so that what [`super::evaluate`] would refuse is refused before a model is made for it.
///
/// # Errors
/// As [`Tokens::read`] and [`super::evaluate`], of the text.
pub fn foresee(protocol: &Protocol, graph: &Graph) -> Result<(), EvalError> {
    let data = protocol.data.as_deref().unwrap_or_default();
    let tokens = Tokens::read(data, protocol.tokenizer.as_deref())?;
    Cut::of(&tokens, protocol, rows(graph), longest(graph)).map(|_| ())
}

/// Windows of `window` ids every `stride` ids. Where they stand side by side (`stride` is `window`), the last one of a text may
/// be shorter, so that no token is lost; where they overlap, all of them are whole. Windows without a target are none.
///
/// # Errors
/// Numbers that make no window, and texts that are all shorter than one.
pub fn windows(
    tokens: &Tokens,
    window: usize,
    stride: usize,
    shift: usize,
) -> Result<Vec<Window<'_>>, EvalError> {
    let error = |message: String| EvalError::new(&tokens.data.name, "cutting windows", message);
    if shift == 0 || shift >= window {
        let message = format!("a shift of {shift} leaves no target in a window of {window}");
        return Err(error(message).remedy("the shift is from 1 to one less than the window"));
    }
    if stride == 0 || stride > window {
        return Err(error(format!("a stride of {stride} with windows of {window} leaves tokens out"))
            .remedy(format!("take a stride from 1 to {window}")));
    }
    let longest = tokens.texts.iter().map(Vec::len).max().unwrap_or(0);
    if longest < window {
        return Err(error(format!("{longest} tokens are fewer than the {window} of a window"))
            .remedy("take a shorter window, or more text"));
    }
    let mut found = Vec::new();
    for (text, ids) in tokens.texts.iter().enumerate() {
        for start in (0..ids.len()).step_by(stride) {
            let rest = ids.get(start..).unwrap_or_default();
            let is_whole = rest.len() >= window;
            if !is_whole && (stride < window || rest.len() <= shift) {
                break;
            }
            let ids = rest.get(..window).unwrap_or(rest);
            found.push(Window { ids, text, start });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::TextHash;

    fn tokens(lengths: &[usize]) -> Tokens {
        let hash = TextHash { name: "text".to_owned(), sha256: String::new() };
        let texts = lengths.iter().map(|n| (0..*n as u32).collect()).collect();
        Tokens { texts, unknown: None, data: hash.clone(), tokenizer: hash }
    }

    fn cut(lengths: &[usize], window: usize, stride: usize, shift: usize) -> Vec<(usize, usize, usize)> {
        let tokens = tokens(lengths);
        let found = windows(&tokens, window, stride, shift).unwrap();
        found.iter().map(|w| (w.text, w.start, w.ids.len())).collect()
    }

    #[test]
    fn windows_side_by_side_lose_no_token() {
        assert_eq!(cut(&[10], 4, 4, 1), [(0, 0, 4), (0, 4, 4), (0, 8, 2)]);
        // One id alone has no target.
        assert_eq!(cut(&[9], 4, 4, 1), [(0, 0, 4), (0, 4, 4)]);
        assert_eq!(cut(&[10], 4, 4, 2), [(0, 0, 4), (0, 4, 4)]);
    }

    #[test]
    fn windows_that_overlap_are_whole() {
        assert_eq!(cut(&[10], 5, 4, 1), [(0, 0, 5), (0, 4, 5)]);
        assert_eq!(cut(&[8], 4, 2, 1), [(0, 0, 4), (0, 2, 4), (0, 4, 4)]);
    }

    #[test]
    fn texts_do_not_go_on_in_one_another() {
        assert_eq!(cut(&[4, 2, 5], 4, 4, 1), [(0, 0, 4), (1, 0, 2), (2, 0, 4)]);
        assert_eq!(cut(&[4, 2, 5], 4, 1, 1), [(0, 0, 4), (2, 0, 4), (2, 1, 4)]);
    }

    #[test]
    fn inputs_and_targets_are_shifted() {
        let tokens = tokens(&[4]);
        let window = windows(&tokens, 4, 4, 1).unwrap()[0];
        assert_eq!((window.inputs(1), window.targets(1)), (&[0, 1, 2][..], &[1, 2, 3][..]));
        assert_eq!((window.inputs(2), window.targets(2)), (&[0, 1][..], &[2, 3][..]));
    }

    #[test]
    fn numbers_that_make_no_window_are_refused() {
        let tokens = tokens(&[3]);
        let said = |window, stride, shift| windows(&tokens, window, stride, shift).unwrap_err().message;
        assert_eq!(said(4, 4, 1), "3 tokens are fewer than the 4 of a window");
        assert_eq!(said(2, 2, 2), "a shift of 2 leaves no target in a window of 2");
        assert_eq!(said(2, 3, 1), "a stride of 3 with windows of 2 leaves tokens out");
    }
}
