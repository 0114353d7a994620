//! Which windows a step sees.

use crate::eval::Tokens;

/// Windows of a text in an order that a seed decides, without an end.
///
/// A round goes through the text once, in whole windows side by side. Where the first one of each text begins, and in which
/// order they come, is drawn anew for each round, so that windows of different rounds cut the text in different places.
pub(super) struct Order<'t> {
    tokens: &'t Tokens,
    window: usize,
    seed: u64,
    round: u64,
    /// Text and place of the windows of this round that are left, last ones first.
    left: Vec<(usize, usize)>,
}

impl<'t> Order<'t> {
    /// `None` where no text is as long as a window.
    pub(super) fn new(tokens: &'t Tokens, window: usize, seed: u64) -> Option<Order<'t>> {
        let fits = window > 0 && tokens.texts.iter().any(|text| text.len() >= window);
        fits.then(|| Order { tokens, window, seed, round: 0, left: Vec::new() })
    }

    /// Windows of a round at most.
    pub(super) fn windows(&self) -> u64 {
        self.tokens.texts.iter().map(|text| (text.len() / self.window) as u64).sum()
    }

    fn begin(&mut self) {
        let mut draw = Draw(self.seed ^ self.round.wrapping_mul(0xA076_1D64_78BD_642F));
        self.round += 1;
        for (number, text) in self.tokens.texts.iter().enumerate() {
            let Some(spare) = text.len().checked_sub(self.window) else { continue };
            let first = draw.below(self.window.min(spare + 1));
            let places = (first..=spare).step_by(self.window);
            self.left.extend(places.map(|place| (number, place)));
        }
        for at in (1..self.left.len()).rev() {
            let other = draw.below(at + 1);
            self.left.swap(at, other);
        }
    }
}

impl<'t> Iterator for Order<'t> {
    type Item = &'t [u32];

    fn next(&mut self) -> Option<&'t [u32]> {
        if self.left.is_empty() {
            self.begin();
        }
        let (text, place) = self.left.pop()?;
        self.tokens.texts.get(text)?.get(place..place.checked_add(self.window)?)
    }
}

/// Splitmix64.
struct Draw(u64);

impl Draw {
    /// A number below `most`, which is at least 1.
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % (most.max(1) as u64)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Order;
    use crate::eval::Tokens;
    use crate::report::TextHash;

    fn tokens(lengths: &[usize]) -> Tokens {
        let hash = TextHash { name: "text".to_owned(), sha256: String::new() };
        let texts = lengths.iter().map(|n| (0..*n as u32).collect()).collect();
        Tokens { texts, unknown: None, data: hash.clone(), tokenizer: hash }
    }

    #[test]
    fn a_round_sees_nearly_all_of_the_text_once() {
        let tokens = tokens(&[100, 5, 37]);
        let order = Order::new(&tokens, 10, 7).unwrap();
        assert_eq!(order.windows(), 13);
        let seen: Vec<&[u32]> = order.take(11).collect();
        assert!(seen.iter().all(|w| w.len() == 10 && w.windows(2).all(|p| p[1] == p[0] + 1)));
        let mut firsts: Vec<(u32, usize)> = seen.iter().map(|w| (w[0], 1)).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert!(firsts.len() > 9, "{firsts:?}");
    }

    #[test]
    fn seeds_decide_the_order_and_rounds_differ() {
        let tokens = tokens(&[1000]);
        let of = |seed| Order::new(&tokens, 10, seed).unwrap().take(300).map(|w| w[0]).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert_ne!(of(1)[..99], of(1)[100..199]);
    }

    #[test]
    fn a_text_that_is_just_one_window_is_seen_again_and_again() {
        let tokens = tokens(&[10]);
        assert_eq!(Order::new(&tokens, 10, 3).unwrap().take(3).map(<[u32]>::len).sum::<usize>(), 30);
        assert!(Order::new(&tokens, 11, 3).is_none());
    }
}
