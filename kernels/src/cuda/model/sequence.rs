//! Along the tokens: convolution and scans.

use super::super::sources::SCAN;
use super::linear::FEW;
use super::memory::Floats;
use super::{Call, Device, DeviceWeight, Pairing};
use crate::KernelError;
use crate::error::expect_length;
use crate::model::product_of;

/// Products of a shared scan up to which one block does all of it.
const SMALL: usize = 1 << 20;

/// What a selective scan reads: as [`crate::model::Selective`].
#[derive(Clone, Copy, Debug)]
pub struct SelectiveScan<'a> {
    /// `[tokens, channels]`.
    pub x: &'a Floats,
    /// `[tokens, channels]`.
    pub dt: &'a Floats,
    /// `[channels, states]`.
    pub a: &'a Floats,
    /// `[tokens, states]`.
    pub b: &'a Floats,
    /// `[tokens, states]`.
    pub c: &'a Floats,
    /// `[channels]`.
    pub d: Option<&'a Floats>,
    /// Channels.
    pub channels: usize,
    /// States of a channel, at most 128.
    pub states: usize,
}

/// What the scan of Itera-Lite reads: as [`crate::model::shared_scan`].
#[derive(Clone, Copy, Debug)]
pub struct SharedScan<'a> {
    /// `[tokens, channels]`.
    pub s: &'a Floats,
    /// `[tokens]`.
    pub dt: &'a Floats,
    /// `[states]`.
    pub a: &'a Floats,
    /// `[states, channels]`.
    pub b: &'a DeviceWeight,
    /// `[channels, states]`.
    pub c: &'a DeviceWeight,
    /// `[channels]`.
    pub d: &'a Floats,
}

fn expect(what: &'static str, rows: usize, columns: usize, x: &Floats) -> Result<(), KernelError> {
    expect_length(what, product_of(what, rows, columns)?, x.len())
}

impl Device {
    /// As [`crate::model::causal_conv1d`]; `past` is written to.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn causal_conv1d(
        &self,
        channels: usize,
        x: &Floats,
        w: &Floats,
        bias: Option<&Floats>,
        past: &Floats,
    ) -> Result<Floats, KernelError> {
        let tokens = x.len().checked_div(channels).unwrap_or(0);
        let taps = w.len().checked_div(channels).unwrap_or(0);
        expect("input of a convolution", tokens, channels, x)?;
        expect("weight of a convolution", taps.max(1), channels, w)?;
        expect("past of a convolution", taps.saturating_sub(1), channels, past)?;
        if let Some(bias) = bias {
            expect_length("bias", channels, bias.len())?;
        }
        let y = self.room(x.len())?;
        let bias = bias.map_or(0, Floats::address);
        let mut words = vec![x.address(), w.address(), bias, past.address(), y.address()];
        words.extend([tokens as u64, channels as u64, taps as u64]);
        self.launch_each(SCAN, "causal_conv1d", x.len(), &words)?;
        self.launch_each(SCAN, "conv_past", if taps > 1 { channels } else { 0 }, &words)?;
        Ok(y)
    }

    /// As [`crate::model::selective_scan`], with the same bits; `state` is written to.
    ///
    /// # Errors
    /// [`KernelError::Length`], also for more than 128 states; [`KernelError::Device`].
    pub fn selective_scan(&self, scan: &SelectiveScan<'_>, state: &Floats) -> Result<Floats, KernelError> {
        let &SelectiveScan { x, dt, a, b, c, d, channels, states } = scan;
        let tokens = x.len().checked_div(channels).unwrap_or(0);
        expect("input of a scan", tokens, channels, x)?;
        expect_length("steps of a scan", x.len(), dt.len())?;
        expect("decay of a scan", channels, states, a)?;
        expect("B of a scan", tokens, states, b)?;
        expect("C of a scan", tokens, states, c)?;
        expect_length("state of a scan", a.len(), state.len())?;
        if let Some(d) = d {
            expect_length("D of a scan", channels, d.len())?;
        }
        let kernel = match states.div_ceil(16) {
            0 | 1 => "selective_scan_1",
            2 => "selective_scan_2",
            3 | 4 => "selective_scan_4",
            5..=8 => "selective_scan_8",
            _ => return expect_length("states of a scan on a device", 128, states).and(self.room(0)),
        };
        let y = self.room(x.len())?;
        let mut words: Vec<u64> = [x, dt, a, b, c].iter().map(|floats| floats.address()).collect();
        words.extend([d.map_or(0, Floats::address), state.address(), y.address()]);
        words.extend([tokens as u64, channels as u64, states as u64]);
        let blocks = if tokens == 0 { 0 } else { (channels as u64).div_ceil(8) };
        self.launch(&Call { family: SCAN, kernel, blocks, threads: 128, words: &words })?;
        Ok(y)
    }

    /// As [`crate::model::shared_scan`]; `state` is written to. Short ones are one launch, long ones two products with the states
    /// between them.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Device`].
    pub fn shared_scan(&self, scan: &SharedScan<'_>, state: &Floats) -> Result<Floats, KernelError> {
        let &SharedScan { s, dt, a, b, c, d } = scan;
        let (tokens, states, channels) = (dt.len(), a.len(), d.len());
        expect_length("rows of B", states, b.rows())?;
        expect_length("columns of B", channels, b.columns())?;
        expect_length("rows of C", channels, c.rows())?;
        expect_length("columns of C", states, c.columns())?;
        expect_length("state of a scan", states, state.len())?;
        expect("input of a scan", tokens, channels, s)?;
        if s.is_empty() {
            return self.room(0);
        }
        let is_small = tokens <= FEW || tokens.saturating_mul(states).saturating_mul(channels) <= SMALL;
        let h = if is_small { self.matrix(tokens, states)? } else { self.linear(tokens, s, b, None)? };
        let y = self.room(if is_small { s.len() } else { 0 })?;
        let mut words = [b.words().as_slice(), c.words()].concat();
        words.extend([s, dt, a, d, state, &h, &y].map(Floats::address));
        words.push(tokens as u64);
        if is_small {
            let call = Call { family: SCAN, kernel: "shared_scan", blocks: 1, threads: 512, words: &words };
            self.launch(&call)?;
            return Ok(y);
        }
        self.launch_each(SCAN, "shared_states", states, &words)?;
        let y = self.linear(tokens, &h, c, None)?;
        self.zip(Pairing::Add, &y, &self.zip(Pairing::Mul, s, d)?)
    }
}
