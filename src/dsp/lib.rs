//! Signal processing on samples in memory: spectra, loudness, descriptors, waveforms, rates, onsets.
//!
//! Knows neither files nor the app, so that it is compiled once, at full optimisation, whatever else changes.

pub mod analysis;
pub mod crossings;
pub mod descriptors;
pub mod features;
pub mod loudness;
pub mod onset;
pub mod pyramid;
pub mod resample;
pub mod spectrum;
pub mod vector;

/// Largest absolute sample of a sound that is as good as silent: -80 dBFS.
pub const SILENCE: f32 = 1e-4;

/// A part of a sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Where it begins, in seconds.
    pub start: f64,
    /// Where it ends, in seconds.
    pub end: f64,
}

impl Span {
    /// From one place to another, in seconds.
    pub const fn new(start: f64, end: f64) -> Self {
        Self { start, end }
    }

    /// Its length in seconds.
    pub fn seconds(self) -> f64 {
        self.end - self.start
    }

    /// Tells whether a place lies in it; its end does not.
    pub fn holds(self, seconds: f64) -> bool {
        (self.start..self.end).contains(&seconds)
    }
}

impl From<[f64; 2]> for Span {
    fn from([start, end]: [f64; 2]) -> Self {
        Self { start, end }
    }
}

/// The mono audio that is analysed: mean of all channels at the file's own rate, or the first channel alone where the
/// mean is silent.
#[derive(Clone, Debug)]
pub struct Pcm {
    /// Sample rate in Hz.
    pub rate: u32,
    /// Where it starts in the file, in seconds; not zero only if the file begins with silence.
    pub start: f64,
    /// The samples, nominally in -1..=1.
    pub mono: Vec<f32>,
}

/// Writes the mean over channels of interleaved frames.
pub fn downmix(interleaved: &[f32], channels: usize, mono: &mut Vec<f32>) {
    mono.clear();
    match channels {
        1 => mono.extend_from_slice(interleaved),
        2 => mono.extend(interleaved.as_chunks::<2>().0.iter().map(|[l, r]| (l + r) * 0.5)),
        n => mono.extend(interleaved.chunks_exact(n).map(|frame| frame.iter().sum::<f32>() / n as f32)),
    }
}
