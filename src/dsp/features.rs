//! Measures a stream as it is decoded: loudness, peak and brightness.

use std::sync::LazyLock;

use realfft::num_complex::Complex;

use crate::Hz;
use crate::loudness::Loudness;
use crate::spectrum::{Hann, Spectrum};

/// Frames of one spectrum; at 44.1 kHz a bin is 21.5 Hz wide.
const WINDOW: usize = 2048;
/// After this many windows only every second one is measured: a mean over minutes needs no more.
const EVERY_WINDOW: usize = 16;
/// Lower limit of the peak, so that digital silence has a number, in dBFS.
const PEAK_FLOOR: f32 = -120.0;

/// Measures that can be shown, sorted and coloured by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Integrated loudness in LUFS (ITU-R BS.1770-4, gated); a sound shorter than one 400 ms block is measured as if
    /// silence followed. `None` where nothing passes the gate.
    pub lufs: Option<f32>,
    /// Sample peak over all channels in dBFS, at least -120.
    pub peak_db: f32,
    /// Spectral centroid in Hz: mean frequency of 2048-sample Hann windows, weighted by magnitude.
    pub brightness_hz: f32,
}

/// Collects [`Measures`] over a stream, but for its brightness.
pub struct Meter {
    /// None where it cannot be measured.
    loudness: Option<Loudness>,
    peak: f32,
}

impl Meter {
    /// Prepares for a stream of `channels` interleaved channels.
    pub fn new(rate: Hz, channels: usize) -> Self {
        Self { loudness: Loudness::new(rate, channels), peak: 0.0 }
    }

    /// Adds interleaved frames.
    pub fn add(&mut self, interleaved: &[f32]) {
        self.peak = self.peak.max(largest(interleaved));
        if let Some(loudness) = &mut self.loudness {
            loudness.add(interleaved);
        }
    }

    /// Ends the stream.
    #[expect(clippy::cast_possible_truncation, reason = "loudness in f32 keeps more digits than its standard asks")]
    pub fn finish(self, brightness_hz: f32) -> Measures {
        Measures {
            lufs: self.loudness.and_then(Loudness::integrated).map(|lufs| lufs as f32),
            peak_db: (20.0 * self.peak.log10()).max(PEAK_FLOOR),
            brightness_hz,
        }
    }
}

/// Sums the spectral centroid over consecutive windows, each weighted by its magnitude.
pub struct Centroid {
    spectrum: Spectrum<f32>,
    waiting: Vec<f32>,
    windows: usize,
    weighted: f64,
    total: f64,
}

/// The transform and its window, for all streams.
static SPECTRUM: LazyLock<Spectrum<f32>> = LazyLock::new(|| Spectrum::new(WINDOW, Hann::Periodic.values(WINDOW)));

impl Default for Centroid {
    fn default() -> Self {
        Self { spectrum: SPECTRUM.clone(), waiting: Vec::with_capacity(WINDOW), windows: 0, weighted: 0.0, total: 0.0 }
    }
}

impl Centroid {
    /// Adds samples.
    pub fn add(&mut self, mut mono: &[f32]) {
        while !mono.is_empty() {
            let (now, rest) = mono.split_at(mono.len().min(WINDOW - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            if self.waiting.len() == WINDOW {
                self.windows += 1;
                if self.windows < EVERY_WINDOW || self.windows.is_multiple_of(2) {
                    self.measure();
                }
                self.waiting.clear();
            }
            mono = rest;
        }
    }

    fn measure(&mut self) {
        let [weighted, total] = moments(self.spectrum.of(&self.waiting, 1.0));
        self.weighted += f64::from(weighted);
        self.total += f64::from(total);
    }

    /// Ends the stream; returns its centroid in Hz.
    #[expect(clippy::cast_possible_truncation, reason = "a frequency in Hz needs no more than f32")]
    pub fn centroid(&mut self, rate: Hz) -> f32 {
        if !self.waiting.is_empty() {
            self.measure();
            self.waiting.clear();
        }
        if self.total <= 0.0 {
            return 0.0;
        }
        (self.weighted / self.total * f64::from(rate) / WINDOW as f64) as f32
    }
}

/// Sums of the magnitudes, weighted by their bin and as they are, several at a time.
#[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
fn moments(spectrum: &[Complex<f32>]) -> [f32; 2] {
    const LANES: usize = 16;
    let (mut weighted, mut total) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for (block, values) in spectrum.chunks(LANES).enumerate() {
        for (lane, value) in values.iter().enumerate() {
            let magnitude = value.norm_sqr().sqrt();
            weighted[lane] += magnitude * (block * LANES + lane) as f32;
            total[lane] += magnitude;
        }
    }
    [weighted, total].map(|lanes| lanes.into_iter().sum())
}

/// Largest absolute sample, several at a time.
pub fn largest(samples: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (blocks, rest) = samples.as_chunks::<16>();
    for block in blocks {
        for (lane, sample) in lanes.iter_mut().zip(block) {
            let size = sample.abs();
            *lane = if size > *lane { size } else { *lane };
        }
    }
    lanes.into_iter().chain(rest.iter().map(|s| s.abs())).fold(0.0, f32::max)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive numbers in tests")]
mod tests {
    use super::*;

    fn measured(rate: Hz, channels: usize, mono: &[f32]) -> Measures {
        let mut meter = Meter::new(rate, channels);
        let interleaved: Vec<f32> = mono.iter().flat_map(|s| std::iter::repeat_n(*s, channels)).collect();
        meter.add(&interleaved);
        let mut spectrum = Centroid::default();
        spectrum.add(mono);
        meter.finish(spectrum.centroid(rate))
    }

    fn sine(rate: Hz, hz: f32, seconds: f32, level: f32) -> Vec<f32> {
        let frames = (rate.0 as f32 * seconds) as usize;
        let phase = |n: usize| std::f64::consts::TAU * f64::from(hz) * n as f64 / f64::from(rate);
        (0..frames).map(|n| level * phase(n).sin() as f32).collect()
    }

    #[test]
    fn the_reference_tone_of_ebu_tech_3341_has_its_loudness() {
        // Test case 1: stereo 1 kHz sine at -23 dBFS reads -23 LUFS.
        let features = measured(Hz(48_000), 2, &sine(Hz(48_000), 1000.0, 20.0, 10_f32.powf(-23.0 / 20.0)));
        assert!((features.lufs.unwrap() + 23.0).abs() < 0.1, "{features:?}");
        assert!((features.peak_db + 23.0).abs() < 0.01, "{features:?}");
        assert!((features.brightness_hz - 1000.0).abs() < 25.0, "{features:?}");
    }

    #[test]
    fn a_one_shot_shorter_than_a_gating_block_has_a_loudness() {
        let features = measured(Hz(44_100), 1, &sine(Hz(44_100), 200.0, 0.05, 0.9));
        assert!(features.lufs.is_some_and(|l| (-30.0..-5.0).contains(&l)), "{features:?}");
    }

    #[test]
    fn a_short_sound_has_a_loudness_at_every_rate_at_which_there_is_one() {
        let long = measured(Hz(48_000), 1, &sine(Hz(48_000), 300.0, 0.4, 0.9)).lufs.unwrap();
        for rate in [3400, 4000, 8000, 11_025, 22_050, 22_505, 31_136, 44_101, 96_000].map(Hz) {
            for seconds in [0.05, 0.3, 0.4] {
                let features = measured(rate, 1, &sine(rate, 300.0, seconds, 0.9));
                let expected = long + 10.0 * (seconds / 0.4).log10();
                assert!(features.lufs.is_some_and(|l| (l - expected).abs() < 1.5), "{rate}, {seconds} s: {features:?}");
            }
        }
        for rate in [100, 1000, 2000, 3000, 3364].map(Hz) {
            assert_eq!(measured(rate, 1, &sine(rate, 40.0, 2.0, 0.9)).lufs, None, "{rate}");
        }
    }

    #[test]
    fn loudness_is_the_weighted_sum_of_all_channels() {
        let tone = sine(Hz(48_000), 1000.0, 1.0, 0.1);
        let one = measured(Hz(48_000), 1, &tone).lufs.unwrap();
        // Subwoofers do not count, channels at the sides count 1.41 times.
        for (channels, sum) in
            [(2, 2.0), (3, 3.0), (6, 3.0 + 2.82), (7, 4.0 + 2.82), (8, 5.0 + 2.82), (9, 9.0), (720, 720.0)]
        {
            let all = measured(Hz(48_000), channels, &tone).lufs.unwrap();
            assert!((all - one - 10.0 * f32::log10(sum)).abs() < 0.01, "{channels}: {one} and {all}");
        }
    }

    #[test]
    fn silence_has_no_loudness_and_a_finite_peak() {
        let features = measured(Hz(44_100), 1, &vec![0.0; 44_100]);
        assert_eq!(features.lufs, None);
        assert!((features.peak_db - PEAK_FLOOR).abs() < f32::EPSILON);
        assert!(features.brightness_hz.abs() < f32::EPSILON);
    }
}
