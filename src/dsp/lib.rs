//! Signal processing on samples in memory: spectra, loudness, descriptors, waveforms, rates, onsets.
//!
//! Knows neither files nor the app, so that it is compiled once, at full optimisation, whatever else changes.

pub mod analysis;
pub mod crossings;
pub mod descriptors;
pub mod excerpt;
pub mod features;
pub mod loudness;
pub mod onset;
pub mod pyramid;
pub mod resample;
pub mod spectrum;
mod units;
pub mod vector;

pub use self::units::{Frames, Hz, Seconds, Span};

/// Largest absolute sample of a sound that is as good as silent: -80 dBFS.
pub const SILENCE: f32 = 1e-4;

/// The mono audio that is analysed: mean of all channels at the file's own rate, or the first channel alone where the
/// mean is silent.
#[derive(Clone, Debug)]
pub struct Pcm {
    /// Sample rate.
    pub rate: Hz,
    /// Where it starts in the file: behind the silence that this begins with.
    pub start: Seconds,
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
