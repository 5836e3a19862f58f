//! Integrated loudness (ITU-R BS.1770-4): K-weighting, mean power of each 100 ms, and the two gates.
//!
//! The filters' corner frequencies, gain and qualities are those whose bilinear transform gives the coefficients that
//! the recommendation tabulates for 48 kHz; at other rates they give the same response. Formulas, constants and weights
//! of channels are those of the crate `ebur128` 0.1.11 (`src/filter.rs`, after libebur128 by Jan Kokemüller), against
//! which the tests compare.
//!
//! That crate is not used itself because of what it costs. Both measured in one run, at 44.1 kHz, at full optimisation:
//!
//! | sound | here | `ebur128` |
//! |---|---|---|
//! | mono, 0.4 s | 0.04 ms | 0.07 ms |
//! | stereo, 0.4 s | 0.04 ms | 0.13 ms |
//! | stereo, 2 s | 0.22 ms | 0.86 ms |
//! | stereo, 10 s | 1.1 ms | 4.5 ms |
//!
//! All else that is done with a short file takes about 5 ms: the crate would be 3 % of it for a drum and a tenth or more
//! for a loop. It computes one channel after the other, waits for a chain of four subtractions a sample, and sums every
//! block of 400 ms four times. It also refuses more than 64 channels.

use std::f64::consts::PI;

use crate::Hz;

/// The shelf for the head: corner in Hz, gain in dB, quality.
const SHELF: (f64, f64, f64) = (1_681.974_450_955_533, 3.999_843_853_973_347, 0.707_175_236_955_419_6);
/// The gain at the shelf's corner, as a power of its whole gain.
const SHELF_CORNER: f64 = 0.499_666_774_154_541_6;
/// The high-pass: corner in Hz, quality.
const HIGH_PASS: (f64, f64) = (38.135_470_876_024_44, 0.500_327_037_323_877_3);
/// Loudness of a power of one, in LUFS.
const OFFSET: f64 = -0.691;
/// Blocks below it never count, in LUFS.
const ABSOLUTE_GATE: f64 = -70.0;
/// Blocks that are this much weaker than the mean of the others do not count, as a ratio of powers: 10 LU.
const RELATIVE_GATE: f64 = 0.1;
/// Weight of channels at the sides and behind.
const SURROUND: f64 = 1.41;
/// A block is this many tenths of a second long and starts with each of them.
const BLOCK: usize = 4;
/// Filter states below this are set to zero; otherwise they would fade into subnormal numbers, which are slow.
const FADED: f64 = 1e-100;
/// No real sound has more samples a second over all its channels; a damaged header may state any number.
const MOST_SAMPLES: u64 = 64 * 2_822_400;

/// Gathers the loudness of a stream.
pub struct Loudness {
    filter: Filter,
    memories: Vec<Memory>,
    /// Weight of each channel.
    weights: Vec<f64>,
    /// Frames of a tenth of a second.
    tenth: usize,
    /// Frames of the tenth that is being gathered, and their weighted sum of squares.
    frames: usize,
    sum: f64,
    /// Weighted mean power of each whole tenth.
    powers: Vec<f64>,
    /// One channel of many.
    channel: Vec<[f32; 1]>,
}

impl Loudness {
    /// Prepares for `channels` interleaved channels; none where the shelf's corner is above half the rate, or
    /// there are more than 180 million samples a second.
    pub fn new(rate: Hz, channels: usize) -> Option<Self> {
        let samples = u64::from(rate.0).saturating_mul(channels as u64);
        let filter = Filter::new(f64::from(rate)).filter(|_| (1..=MOST_SAMPLES).contains(&samples))?;
        Some(Self {
            filter,
            memories: vec![Memory::default(); channels],
            weights: weights(channels),
            tenth: ((rate.0 + 5) / 10) as usize,
            frames: 0,
            sum: 0.0,
            powers: Vec::new(),
            channel: Vec::new(),
        })
    }

    /// Adds interleaved frames.
    pub fn add(&mut self, mut interleaved: &[f32]) {
        let channels = self.memories.len();
        while interleaved.len() >= channels {
            let room = (self.tenth - self.frames) * channels;
            let (now, rest) = interleaved.split_at(room.min(interleaved.len()));
            self.sum += self.weighted_squares(now);
            self.frames += now.len() / channels;
            if self.frames == self.tenth {
                self.powers.push(self.sum / self.tenth as f64);
                (self.frames, self.sum) = (0, 0.0);
                self.memories.iter_mut().for_each(Memory::fade);
            }
            interleaved = rest;
        }
    }

    fn weighted_squares(&mut self, interleaved: &[f32]) -> f64 {
        self.side_by_side::<1>(interleaved).or_else(|| self.side_by_side::<2>(interleaved)).unwrap_or_else(|| {
            let Self { filter, memories, weights, channel, .. } = self;
            let mut sum = 0.0;
            for (n, (memory, weight)) in memories.iter_mut().zip(weights.iter()).enumerate() {
                channel.clear();
                channel.extend(interleaved.chunks_exact(weights.len()).map(|frame| [frame[n]]));
                sum += weight * filter.squares(std::array::from_mut(memory), channel)[0];
            }
            sum
        })
    }

    /// All channels at once, if there are `N`.
    fn side_by_side<const N: usize>(&mut self, interleaved: &[f32]) -> Option<f64> {
        let memories = <&mut [Memory; N]>::try_from(&mut self.memories[..]).ok()?;
        let sums = self.filter.squares(memories, interleaved.as_chunks().0);
        Some(sums.iter().zip(&self.weights).map(|(sum, weight)| weight * sum).sum())
    }

    /// Ends the stream; a sound shorter than one block counts as if silence followed. None if nothing passes the gates.
    pub fn integrated(mut self) -> Option<f64> {
        let channels = self.memories.len();
        while self.powers.len() < BLOCK {
            let missing = (self.tenth - self.frames) * channels;
            self.add(&vec![0.0; missing.min(65_536_usize.next_multiple_of(channels))]);
        }
        let blocks: Vec<f64> = self.powers.windows(BLOCK).map(|four| four.iter().sum::<f64>() / BLOCK as f64).collect();
        let floor = 10_f64.powf((ABSOLUTE_GATE - OFFSET) / 10.0);
        let gate = RELATIVE_GATE * mean_of_those_above(floor, &blocks)?;
        Some(OFFSET + 10.0 * mean_of_those_above(gate.max(floor), &blocks)?.log10())
    }
}

fn mean_of_those_above(gate: f64, powers: &[f64]) -> Option<f64> {
    let above = powers.iter().filter(|power| **power >= gate);
    let (count, sum) = above.fold((0_usize, 0.0), |(count, sum), power| (count + 1, sum + power));
    (count > 0).then(|| sum / count as f64)
}

/// Weights of the positions that so many channels commonly have: subwoofers do not count, sides count more.
fn weights(channels: usize) -> Vec<f64> {
    const S: f64 = SURROUND;
    match channels {
        4 => vec![1.0, 1.0, S, S],
        5 => vec![1.0, 1.0, 1.0, S, S],
        6 => vec![1.0, 1.0, 1.0, 0.0, S, S],
        // 6.1 and 7.1, whose first four are those of 5.1; the ones behind are beyond 120° and count as in front.
        7 => vec![1.0, 1.0, 1.0, 0.0, 1.0, S, S],
        8 => vec![1.0, 1.0, 1.0, 0.0, 1.0, 1.0, S, S],
        // The positions of more channels are unknown: all weigh the same.
        _ => vec![1.0; channels],
    }
}

/// K-weighting: a shelf, then a high-pass whose numerator is 1, -2, 1.
struct Filter {
    shelf_b: [f64; 3],
    shelf_a: [f64; 2],
    pass_a: [f64; 2],
}

/// The last two inputs of a channel's shelf, and the last two outputs of both sections.
#[derive(Clone, Copy, Default)]
struct Memory {
    x: [f64; 2],
    y: [f64; 2],
    z: [f64; 2],
}

impl Memory {
    fn fade(&mut self) {
        for value in [&mut self.x, &mut self.y, &mut self.z].into_iter().flatten() {
            if value.abs() < FADED {
                *value = 0.0;
            }
        }
    }
}

impl Filter {
    fn new(rate: f64) -> Option<Self> {
        let (corner, gain, quality) = SHELF;
        if rate <= 2.0 * corner.ceil() {
            return None;
        }
        let (high, k) = (10_f64.powf(gain / 20.0), (PI * corner / rate).tan());
        let (at_corner, damping, k2) = (high.powf(SHELF_CORNER) * k / quality, k / quality, k * k);
        let unit = 1.0 + damping + k2;
        let shelf_b = [high + at_corner + k2, 2.0 * (k2 - high), high - at_corner + k2].map(|b| b / unit);
        let shelf_a = [2.0 * (k2 - 1.0), 1.0 - damping + k2].map(|a| a / unit);
        let (corner, quality) = HIGH_PASS;
        let k = (PI * corner / rate).tan();
        let (damping, k2) = (k / quality, k * k);
        let pass_a = [2.0 * (k2 - 1.0), 1.0 - damping + k2].map(|a| a / (1.0 + damping + k2));
        Some(Self { shelf_b, shelf_a, pass_a })
    }

    /// Filters frames of `N` channels; returns each channel's sum of squares.
    ///
    /// What depends on the last output comes last, so that the next sample waits for one product and one difference;
    /// channels wait side by side.
    fn squares<const N: usize>(&self, memories: &mut [Memory; N], frames: &[[f32; N]]) -> [f64; N] {
        let ([b0, b1, b2], [a1, a2], [c1, c2]) = (self.shelf_b, self.shelf_a, self.pass_a);
        let mut sums = [0.0; N];
        let mut memory = *memories;
        for frame in frames {
            for n in 0..N {
                let Memory { x: [x1, x2], y: [y1, y2], z: [z1, z2] } = memory[n];
                let x = f64::from(frame[n]);
                let y = (b0 * x + b1 * x1 + b2 * x2 - a2 * y2) - a1 * y1;
                let z = ((y - 2.0 * y1 + y2) - c2 * z2) - c1 * z1;
                memory[n] = Memory { x: [x, x1], y: [y, y1], z: [z, z1] };
                sums[n] += z * z;
            }
        }
        *memories = memory;
        sums
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small positive numbers in tests")]
mod tests {
    use ebur128::{EbuR128, Mode};

    use super::*;

    fn noise(n: usize) -> Vec<f32> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as f32 / 2_147_483_648.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    fn ours(rate: u32, channels: usize, interleaved: &[f32]) -> Option<f64> {
        let mut loudness = Loudness::new(Hz(rate), channels)?;
        // In uneven pieces, as decoders give them.
        interleaved.chunks(1013 * channels).for_each(|piece| loudness.add(piece));
        loudness.integrated()
    }

    fn reference(rate: u32, channels: usize, interleaved: &[f32]) -> f64 {
        let mut meter = EbuR128::new(channels as u32, rate, Mode::I).unwrap();
        meter.add_frames_f32(interleaved).unwrap();
        meter.loudness_global().unwrap()
    }

    #[test]
    fn it_is_that_of_ebur128_at_every_rate_and_on_every_common_layout() {
        for rate in [3_400, 8_000, 11_025, 22_505, 31_136, 44_100, 44_101, 48_000, 96_000, 384_000] {
            for channels in 1..=6 {
                // Loud; below the relative gate, but above what it would be if the absolute one let the near silence that
                // follows through; loud again on one channel.
                let second = rate as usize * channels;
                let mut sound = noise(second * 5);
                sound[second..second * 2].iter_mut().for_each(|s| *s *= 0.211);
                sound[second * 2..second * 4].iter_mut().for_each(|s| *s *= 1e-5);
                sound[second * 4..].iter_mut().enumerate().for_each(|(n, s)| *s *= f32::from(n % channels == 0));
                let (found, expected) = (ours(rate, channels, &sound).unwrap(), reference(rate, channels, &sound));
                assert!((found - expected).abs() < 1e-6, "{rate} Hz, {channels}: {found} and {expected}");
            }
        }
        let faint: Vec<f32> = noise(44_100).iter().map(|sample| sample * 1e-4).collect();
        assert_eq!(ours(44_100, 1, &faint), None);
    }

    #[test]
    fn the_coefficients_at_48_khz_are_those_of_the_recommendation() {
        let filter = Filter::new(48_000.0).unwrap();
        let expected = [1.535_124_859_586_97, -2.691_696_189_406_38, 1.198_392_810_852_85];
        assert!(filter.shelf_b.iter().zip(expected).all(|(b, e)| (b - e).abs() < 1e-12), "{:?}", filter.shelf_b);
        let expected = [-1.690_659_293_182_41, 0.732_480_774_215_85, -1.990_047_454_833_98, 0.990_072_250_366_21];
        let found = [filter.shelf_a, filter.pass_a].concat();
        assert!(found.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn a_header_that_says_anything_costs_nothing() {
        assert!(Loudness::new(Hz(6_144_000), 65_535).is_none());
        // The most that is measured: two frames of it are followed by 400 ms of silence.
        let mut loudness = Loudness::new(Hz(44_100), 4_096).unwrap();
        loudness.add(&noise(2 * 4_096));
        assert!(loudness.integrated().is_some());
    }

    #[test]
    fn silence_after_a_sound_does_not_become_slow_to_compute_with() {
        let mut loudness = Loudness::new(Hz(48_000), 1).unwrap();
        loudness.add(&noise(4_800));
        for _ in 0..20 {
            loudness.add(&vec![0.0; 48_000]);
        }
        let Memory { x, y, z } = loudness.memories[0];
        assert!([x, y, z].concat().iter().all(|value| *value == 0.0));
        assert!(loudness.integrated().is_some());
    }
}
