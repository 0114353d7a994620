//! The comments of a text, in order, each taken once.

/// One comment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment<'t> {
    pub(super) start: usize,
    /// From `//` to the end of the line, without spaces there.
    pub(super) text: &'t str,
}

/// What is left of a text's comments.
pub(super) struct Comments<'t> {
    all: Vec<Comment<'t>>,
    next: usize,
}

impl<'t> Comments<'t> {
    /// Comments of a text without syntax errors: `//` outside of strings.
    pub(super) fn new(text: &'t str) -> Comments<'t> {
        let mut all = vec![];
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => at = end_of_string(bytes, at),
                b'/' if bytes.get(at + 1) == Some(&b'/') => {
                    let rest = text.get(at..).unwrap_or("");
                    let line = rest.split('\n').next().unwrap_or("");
                    all.push(Comment { start: at, text: line.trim_end() });
                    at += line.len();
                }
                _ => at += 1,
            }
        }
        Comments { all, next: 0 }
    }

    /// Takes the next comment if it starts before `upto`.
    pub(super) fn before(&mut self, upto: usize) -> Option<Comment<'t>> {
        let comment = *self.all.get(self.next)?;
        (comment.start < upto).then(|| {
            self.next += 1;
            comment
        })
    }

    /// Takes the next comment if it stands on the line of `end` with only a separator between, and before `next`.
    pub(super) fn on_line(&mut self, text: &str, end: usize, next: usize) -> Option<Comment<'t>> {
        let comment = *self.all.get(self.next)?;
        let gap = text.get(end..comment.start)?;
        if gap.chars().all(|c| matches!(c, ' ' | '\t' | ',' | ';')) { self.before(next) } else { None }
    }

    /// Whether a comment is left that starts before `upto`.
    pub(super) fn any_before(&self, upto: usize) -> bool {
        self.all.get(self.next).is_some_and(|c| c.start < upto)
    }

    /// Leaves out the comments before `upto`: they are part of a text that is kept.
    pub(super) fn skip(&mut self, upto: usize) {
        while self.before(upto).is_some() {}
    }
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            None | Some(b'\n') => return at,
            Some(_) => at += 1,
        }
    }
}
