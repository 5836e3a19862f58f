//! Where sounds begin: `SuperFlux`, for proposing slices of a take.
//!
//! S. Böck and G. Widmer, "Maximum filter vibrato suppression for onset detection", `DAFx` 2013, with the parameters of
//! its text: 200 frames a second, a Hann window of 2048 samples (46 ms at 44.1 kHz), quarter-tone bands from 30 Hz to
//! 17 kHz, log10(1 + x), the difference to two frames before after a maximum over three bands, half-wave rectified and
//! summed; a peak is an onset where it exceeds the mean of the last 150 ms by 1.1. Everything is done as the
//! sound comes: of an hour only one number a frame is kept.

use std::collections::VecDeque;

use crate::spectrum::{Hann, Spectrum};
use crate::{Hz, Seconds, Span};

/// Frames a second.
const FRAMES: f64 = 200.0;
/// Samples of a window below 64 kHz; twice as many from there, and so on.
const WINDOW: usize = 2048;
/// Bands an octave, and the lowest and highest, in Hz.
const BANDS: i32 = 24;
const LOWEST: f64 = 30.0;
const HIGHEST: f64 = 17_000.0;
/// Frames between those that are compared: windows of both overlap by less than half.
const LAG: usize = 2;
/// What a peak has to exceed the mean by, in the sum of logarithms.
const THRESHOLD: f32 = 1.1;
/// Frames before and after a peak in which nothing is higher, those before it that are averaged, and those between two
/// onsets.
const BEFORE: usize = 2;
const AFTER: usize = 10;
const AVERAGED: usize = 30;
const APART: usize = 6;

/// Collects the onsets of a mono stream.
pub struct Onsets {
    rate: f64,
    spectrum: Spectrum<f32>,
    /// Lowest, middle and highest bin of each band.
    bands: Vec<[usize; 3]>,
    waiting: Vec<f32>,
    /// Where the next frame begins, in samples, and how many of them came before the first one of `waiting`.
    next: f64,
    dropped: f64,
    /// The last frames' bands.
    last: VecDeque<Vec<f32>>,
    /// Strength of each frame.
    strength: Vec<f32>,
}

impl Onsets {
    /// Begins a sound.
    pub fn new(rate: Hz) -> Self {
        let length = WINDOW * (rate.0 as usize / 64_000 + 1).next_power_of_two();
        Self {
            rate: f64::from(rate),
            spectrum: Spectrum::new(length, Hann::Periodic.values(length)),
            bands: bands(f64::from(rate), length),
            // The first frame is centred on the first sample.
            waiting: vec![0.0; length / 2],
            next: 0.0,
            dropped: 0.0,
            last: VecDeque::new(),
            strength: Vec::new(),
        }
    }

    /// Adds samples.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positions in a short buffer")]
    pub fn add(&mut self, mono: &[f32]) {
        self.waiting.extend_from_slice(mono);
        let hop = self.rate / FRAMES;
        let begins = |next: f64, dropped: f64| (next - dropped).round() as usize;
        while begins(self.next, self.dropped) + self.spectrum.width() <= self.waiting.len() {
            self.measure(begins(self.next, self.dropped));
            self.next += hop;
        }
        let done = begins(self.next, self.dropped).min(self.waiting.len());
        self.waiting.drain(..done);
        self.dropped += done as f64;
    }

    /// Measures the frame that begins at a place in `waiting`.
    fn measure(&mut self, from: usize) {
        let spectrum = self.spectrum.of(&self.waiting[from..], 1.0);
        let sum = |[low, middle, high]: &[usize; 3]| -> f32 {
            let rising = (*low..*middle).map(|bin| (bin, (bin - low) as f32 / (middle - low) as f32));
            let falling = (*middle..*high).map(|bin| (bin, (high - bin) as f32 / (high - middle) as f32));
            rising.chain(falling).map(|(bin, weight)| spectrum[bin].norm() * weight).sum()
        };
        let now: Vec<f32> = self.bands.iter().map(|band| (1.0 + sum(band)).log10()).collect();
        let strength = self.last.front().filter(|_| self.last.len() == LAG).map_or(0.0, |before| {
            let around = |band: usize| before[band.saturating_sub(1)..(band + 2).min(before.len())].iter();
            let rise = |(band, value): (usize, &f32)| (value - around(band).fold(0.0, |a: f32, b| a.max(*b))).max(0.0);
            now.iter().enumerate().map(rise).sum()
        });
        self.strength.push(strength);
        if self.last.len() == LAG {
            self.last.pop_front();
        }
        self.last.push_back(now);
    }

    /// Ends the sound; returns the onsets in order.
    ///
    /// A window sees an attack coming, so an onset is a little early rather than late. The last half window has
    /// no onsets: a sound that is cut off there would look like one.
    pub fn finish(self) -> Vec<Seconds> {
        let strength = &self.strength;
        let mut last = None;
        let mut onsets = Vec::new();
        for (n, value) in strength.iter().enumerate() {
            let highest = strength[n.saturating_sub(BEFORE)..(n + AFTER + 1).min(strength.len())].iter();
            let mean = &strength[n.saturating_sub(AVERAGED)..=n];
            let mean = mean.iter().sum::<f32>() / mean.len() as f32;
            let is_peak = highest.fold(0.0_f32, |a, b| a.max(*b)) <= *value && *value >= mean + THRESHOLD;
            if is_peak && last.is_none_or(|last| n - last > APART) {
                last = Some(n);
                onsets.push(Seconds(n as f64 / FRAMES));
            }
        }
        onsets
    }
}

/// Triangles between neighbouring quarter tones, those that fall into the same bin left out.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive bin below the window's length")]
fn bands(rate: f64, length: usize) -> Vec<[usize; 3]> {
    let tone = |step: i32| 440.0 * 2_f64.powf(f64::from(step) / f64::from(BANDS));
    let highest = HIGHEST.min(rate / 2.0);
    let tones = (-8 * BANDS..8 * BANDS).map(tone).filter(|hz| (LOWEST..=highest).contains(hz));
    let mut bins: Vec<usize> = tones.map(|hz| (hz * length as f64 / rate).round() as usize).collect();
    bins.dedup();
    bins.windows(3).map(|bins| [bins[0], bins[1], bins[2]]).collect()
}

/// Finds the onsets of a mono sound.
pub fn onsets(mono: &[f32], rate: Hz) -> Vec<Seconds> {
    let mut onsets = Onsets::new(rate);
    onsets.add(mono);
    onsets.finish()
}

/// Cuts a sound of this length at its onsets: each slice ends where the next begins, and what lies before the first onset
/// belongs to none.
pub fn slices(onsets: &[Seconds], length: Seconds) -> Vec<Span> {
    let ends = onsets.iter().skip(1).copied().chain([length]);
    onsets.iter().zip(ends).filter(|(from, to)| **from < *to).map(|(from, to)| Span::new(from.0, to.0)).collect()
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive numbers in tests")]
mod tests {
    use super::*;

    /// Decaying tones that begin at `starts`, in seconds.
    fn hits(rate: u32, starts: &[f64], seconds: f64, level: f32) -> Vec<f32> {
        let frames = 0..(seconds * f64::from(rate)) as u32;
        let at = |frame: u32| {
            let time = f64::from(frame) / f64::from(rate);
            let hit = |(i, start): (usize, &f64)| {
                let since = time - start;
                let pitch = 180.0 * (i + 1) as f64;
                if since < 0.0 { 0.0 } else { (-since * 18.0).exp() * (std::f64::consts::TAU * pitch * since).sin() }
            };
            level * starts.iter().enumerate().map(hit).sum::<f64>() as f32
        };
        frames.map(at).collect()
    }

    #[test]
    fn every_hit_is_found_where_it_begins_at_any_rate_and_level() {
        let starts = [0.3, 0.55, 1.0, 1.2, 1.9];
        for (rate, level) in [(44_100, 0.5), (48_000, 0.05), (96_000, 0.5)] {
            let found = onsets(&hits(rate, &starts, 2.5, level), Hz(rate));
            assert_eq!(found.len(), starts.len(), "{rate}: {found:?}");
            for (Seconds(found), start) in found.iter().zip(starts) {
                assert!((found - start).abs() < 0.02 && *found < start + 0.003, "{found} for {start}");
            }
        }
    }

    #[test]
    fn silence_and_a_steady_tone_with_vibrato_have_no_onsets_within() {
        assert!(onsets(&vec![0.0; 44_100], Hz(44_100)).is_empty());
        let tone = |n: u32| {
            let time = n as f32 / 44_100.0;
            let phase = 440.0 * time - 0.6 * (std::f32::consts::TAU * 5.0 * time).cos();
            0.5 * (std::f32::consts::TAU * phase).sin()
        };
        let found = onsets(&(0..88_200).map(tone).collect::<Vec<f32>>(), Hz(44_100));
        assert!(found.iter().all(|onset| onset.0 < 0.05), "{found:?}");
    }

    #[test]
    fn blocks_of_any_size_give_the_same_onsets() {
        let sound = hits(44_100, &[0.2, 0.7], 1.0, 0.4);
        let mut pieces = Onsets::new(Hz(44_100));
        sound.chunks(333).for_each(|block| pieces.add(block));
        assert_eq!(pieces.finish(), onsets(&sound, Hz(44_100)));
    }

    #[test]
    fn slices_lie_end_to_end() {
        assert_eq!(slices(&[Seconds(0.1), Seconds(0.5)], Seconds(1.0)), [Span::new(0.1, 0.5), Span::new(0.5, 1.0)]);
        assert!(slices(&[], Seconds(1.0)).is_empty());
    }
}
