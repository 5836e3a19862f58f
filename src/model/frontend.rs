//! Waveform → what the network sees, driven by the manifest alone: frames, window, Fourier transform, mel bands,
//! logarithm, and the cutting into windows.
//!
//! Reference: the contract's numpy implementation in `export/frontend.py`, which agrees with Essentia, librosa and
//! transformers' CLAP extractor on the golden vectors under `tests/golden`.

use dsp::spectrum::{Beyond, Hann, Precision, Spectrum};
use dsp::{Span, descriptors};
use ndarray::{Array2, ArrayView2, s};

use crate::manifest::{
    Audio, Base, Framing, InputKind, Log, Manifest, Mel, MelNorm, MelScale, Norm, Short, SpectrumKind, Stft, Tail,
    Triangles, Window, WindowShape,
};

/// One input of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The part of the analysed sound that it is; it never ends beyond that.
    pub span: Span,
    /// `[frames, bands]`, of fewer frames if the network repeats them, or `[1, samples]` for a waveform model.
    pub input: Array2<f32>,
}

/// Prepares sounds for one network; keeps its tables and buffers.
pub struct FrontEnd {
    audio: Audio,
    kind: InputKind,
    window: Window,
    hop: usize,
    log_mel: Option<Mels>,
    shared: bool,
}

/// A logarithm without an offset shows the rounding noise of a single-precision transform; one with an offset
/// swallows it, and single precision is twice as fast.
enum Mels {
    Single(LogMel<f32>),
    Double(LogMel<f64>),
}

impl Mels {
    fn width(&self) -> usize {
        match self {
            Self::Single(log_mel) => log_mel.bands.len(),
            Self::Double(log_mel) => log_mel.bands.len(),
        }
    }

    fn fits_descriptors(&self) -> bool {
        let Self::Single(log_mel) = self else { return false };
        log_mel.bands.iter().all(|(first, weights)| first + weights.len() <= descriptors::BINS)
    }
}

impl FrontEnd {
    /// Builds the tables for a checked manifest.
    pub fn new(manifest: &Manifest) -> Self {
        let log_mel = match (&manifest.stft, &manifest.mel, &manifest.log, manifest.norm) {
            (Some(stft), Some(mel), Some(log), Some(norm)) => {
                let rate = f64::from(manifest.audio.sample_rate);
                Some(if log.offset > 0.0 {
                    Mels::Single(LogMel::new(stft, mel, log, norm, rate))
                } else {
                    Mels::Double(LogMel::new(stft, mel, log, norm, rate))
                })
            }
            _ => None,
        };
        Self {
            audio: manifest.audio.clone(),
            kind: manifest.input.kind,
            window: manifest.window.clone(),
            hop: manifest.stft.as_ref().map_or(1, |stft| stft.hop),
            shared: shares_spectra(manifest) && log_mel.as_ref().is_some_and(Mels::fits_descriptors),
            log_mel,
        }
    }

    /// Cuts a sound at the model's rate into the network's inputs; at least one for a sound of at least one sample.
    ///
    /// `sound` is clipped and normalised in place as the manifest says.
    pub fn prepare(&mut self, sound: &mut Vec<f32>) -> Vec<Seen> {
        if sound.is_empty() {
            return Vec::new();
        }
        condition(sound, &self.audio);
        let rate = f64::from(self.audio.sample_rate);
        let seconds = sound.len() as f64 / rate;
        let pieces = match self.window.samples {
            Some(samples) => cut_samples(sound, samples, &self.window),
            None => vec![(0, std::mem::take(sound))],
        };
        let mut seen = Vec::new();
        for (start, piece) in pieces {
            let start = start as f64 / rate;
            if self.kind == InputKind::Waveform {
                let to = start + piece.len() as f64 / rate;
                let input = Array2::from_shape_vec((1, piece.len()), piece).unwrap_or_default();
                seen.push(Seen { span: Span::new(start, to.min(seconds)), input });
                continue;
            }
            let bands = self.log_mel(&piece);
            seen.extend(self.cut(bands.view(), start, seconds));
        }
        seen
    }

    /// Tells whether it needs the same spectra as the [`descriptors`], so that a single transform serves
    /// both.
    pub fn shares_spectra(&self) -> bool {
        self.shared
    }

    /// Adds the bands of the power spectrum of one shared frame to those of the frames before it.
    pub fn add_bands(&self, power: &[f32], bands: &mut Vec<f32>) {
        if let Some(Mels::Single(log_mel)) = &self.log_mel {
            bands.extend(log_mel.bands_of(power));
        }
    }

    /// Cuts the bands of a sound of `samples` samples into the network's inputs.
    pub fn prepare_bands(&self, mut bands: Vec<f32>, samples: usize) -> Vec<Seen> {
        let width = self.log_mel.as_ref().map_or(0, Mels::width);
        // If the last hop ends exactly with the sound, the descriptors have one frame more.
        let frames = (samples.div_ceil(self.hop) + 1).min(bands.len() / width.max(1));
        bands.truncate(frames * width);
        let bands = Array2::from_shape_vec((frames, width), bands).unwrap_or_default();
        self.cut(bands.view(), 0.0, samples as f64 / f64::from(self.audio.sample_rate)).collect()
    }

    /// Cuts bands that begin `start` seconds into a sound of `seconds`.
    fn cut(&self, bands: ArrayView2<f32>, start: f64, seconds: f64) -> impl Iterator<Item = Seen> {
        let step = self.hop as f64 / f64::from(self.audio.sample_rate);
        let length = self.window.frames as f64 * step;
        cut_frames(bands, &self.window).into_iter().map(move |(frame, input)| {
            let from = start + frame as f64 * step;
            Seen { span: Span::new(from.min(seconds), (from + length).min(seconds)), input }
        })
    }

    /// Computes the normalised log-mel spectrogram `[frames, bands]` of a sound at the model's rate.
    pub fn log_mel(&mut self, sound: &[f32]) -> Array2<f32> {
        match &mut self.log_mel {
            Some(Mels::Single(log_mel)) => log_mel.compute(sound),
            Some(Mels::Double(log_mel)) => log_mel.compute(sound),
            None => Array2::default((0, 0)),
        }
    }
}

/// See [`FrontEnd::shares_spectra`].
fn shares_spectra(manifest: &Manifest) -> bool {
    let audio = &manifest.audio;
    manifest.input.kind == InputKind::LogMel
        && manifest.window.samples.is_none()
        && (audio.sample_rate, audio.clip, audio.peak_normalize) == (descriptors::RATE, Some(1.0), true)
        && manifest.stft.as_ref().is_some_and(|stft| {
            (stft.n_fft, stft.win_length, stft.hop) == (descriptors::WINDOW, descriptors::WINDOW, descriptors::HOP)
                && stft.window == WindowShape::HannSymmetric
                && stft.framing == Framing::CenteredZeroUntilEnd
                && stft.spectrum == SpectrumKind::Power
        })
}

/// Clips, then divides by the peak where the manifest asks for it.
fn condition(sound: &mut [f32], audio: &Audio) {
    if let Some(limit) = audio.clip {
        sound.iter_mut().for_each(|s| *s = s.clamp(-limit, limit));
    }
    if audio.peak_normalize {
        let peak = sound.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        if peak > 0.0 {
            sound.iter_mut().for_each(|s| *s /= peak);
        }
    }
}

/// Cuts a waveform into pieces of `length` samples with the sample each starts at.
fn cut_samples(sound: &[f32], length: usize, window: &Window) -> Vec<(usize, Vec<f32>)> {
    if sound.len() < length {
        let mut piece = sound.to_vec();
        match window.short {
            Short::RepeatAudioFloor => {
                piece = sound.repeat(length / sound.len());
                piece.resize(length, 0.0);
            }
            Short::RepeatFrames => piece = sound.iter().copied().cycle().take(length).collect(),
            Short::Native => piece.resize(sound.len().max(window.min_samples), 0.0),
            Short::PadValue => piece.resize(length, window.pad_value),
        }
        return vec![(0, piece)];
    }
    let hop = window.hop_samples.unwrap_or(length);
    starts(sound.len(), length, hop, window.tail).map(|start| (start, sound[start..start + length].to_vec())).collect()
}

/// Cuts a spectrogram into the network's inputs with the frame each starts at.
fn cut_frames(bands: ArrayView2<f32>, window: &Window) -> Vec<(usize, Array2<f32>)> {
    let (total, width) = bands.dim();
    if total < window.frames {
        let length = match window.short {
            Short::RepeatFrames if window.network_repeats => total,
            Short::Native => total.max(window.min_frames),
            _ => window.frames,
        };
        let mut input = Array2::from_elem((length, width), window.pad_value);
        let copies = if window.short == Short::RepeatFrames { length.div_ceil(total) } else { 1 };
        for copy in 0..copies {
            let from = copy * total;
            let rows = total.min(length - from);
            input.slice_mut(s![from..from + rows, ..]).assign(&bands.slice(s![..rows, ..]));
        }
        return vec![(0, input)];
    }
    let cut = |start| (start, bands.slice(s![start..start + window.frames, ..]).to_owned());
    starts(total, window.frames, window.hop_frames, window.tail).map(cut).collect()
}

fn starts(total: usize, length: usize, hop: usize, tail: Tail) -> impl Iterator<Item = usize> {
    let last = total - length;
    let rest = (tail == Tail::AlignEnd && !last.is_multiple_of(hop)).then_some(last);
    (0..=last).step_by(hop).chain(rest)
}

/// A log-mel front end in one precision.
struct LogMel<T: Precision> {
    stft: Stft,
    compression: Compression<T>,
    transform: Spectrum<T>,
    /// First bin and weights of each band; all others are zero.
    bands: Vec<(usize, Vec<T>)>,
    /// Powers or magnitudes, and zeros up to whole lanes.
    spectrum: Vec<T>,
}

impl<T: Precision + num_traits::Float> LogMel<T> {
    fn new(stft: &Stft, mel: &Mel, log: &Log, norm: Norm, rate: f64) -> Self {
        let shape = match stft.window {
            WindowShape::HannSymmetric => Hann::Symmetric,
            WindowShape::HannPeriodic => Hann::Periodic,
        };
        let bands = mel_bands(mel, stft.n_fft, rate)
            .into_iter()
            .map(|weights| {
                let first = weights.iter().position(|w| *w != 0.0).unwrap_or(0);
                let end = weights.iter().rposition(|w| *w != 0.0).map_or(first, |last| last + 1);
                // Zeros before the band, or behind it, fill it up to whole lanes.
                let lanes = (end - first).next_multiple_of(LANES);
                let first = end.saturating_sub(lanes);
                let weights = weights[first..].iter().copied().chain(std::iter::repeat(0.0));
                (first, weights.take(lanes).map(T::rounded).collect())
            })
            .collect();
        Self {
            stft: stft.clone(),
            compression: Compression::new(log, norm),
            transform: Spectrum::new(stft.n_fft, shape.values(stft.win_length)),
            bands,
            spectrum: vec![T::zero(); (stft.n_fft / 2 + 1).next_multiple_of(LANES)],
        }
    }

    fn compute(&mut self, sound: &[f32]) -> Array2<f32> {
        let (count, before) = frame_layout(sound.len(), &self.stft);
        let power = self.stft.spectrum == SpectrumKind::Power;
        let reflect = self.stft.framing == Framing::CenteredReflect;
        let beyond = if reflect { Beyond::Mirrored } else { Beyond::Silence };
        let mut result = Array2::zeros((count, self.bands.len()));
        for (i, mut row) in result.outer_iter_mut().enumerate() {
            let start = (i * self.stft.hop).cast_signed() - before.cast_signed();
            let transformed = self.transform.at(sound, start, beyond, T::one());
            for (out, value) in self.spectrum.iter_mut().zip(transformed) {
                let squared = value.re * value.re + value.im * value.im;
                *out = if power { squared } else { num_traits::Float::sqrt(squared) };
            }
            row.iter_mut().zip(self.bands_of(&self.spectrum)).for_each(|(cell, band)| *cell = band);
        }
        result
    }

    /// The compressed bands of a spectrum.
    fn bands_of(&self, spectrum: &[T]) -> impl Iterator<Item = f32> {
        self.bands
            .iter()
            .map(|(first, weights)| self.compression.apply(dot(&spectrum[*first..*first + weights.len()], weights)))
    }
}

/// Numbers multiplied side by side.
const LANES: usize = 8;

/// The sum of products of whole lanes: bands are shorter than what [`dsp::vector::dot`] takes at once, and may be in
/// double precision.
fn dot<T: Precision>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::zero(); LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            lanes[lane] = lanes[lane] + a[lane] * b[lane];
        }
    }
    lanes.into_iter().fold(T::zero(), |sum, lane| sum + lane)
}

/// Number of frames, and samples that lie before the first sample of the sound.
fn frame_layout(samples: usize, stft: &Stft) -> (usize, usize) {
    let half = stft.n_fft / 2;
    match stft.framing {
        Framing::CenteredZeroUntilEnd => (samples.div_ceil(stft.hop) + 1, stft.win_length / 2),
        Framing::CenteredReflect | Framing::CenteredZero => {
            (1 + (samples + 2 * half).saturating_sub(stft.n_fft) / stft.hop, half)
        }
        Framing::None => (1 + samples.saturating_sub(stft.win_length) / stft.hop, 0),
    }
}

/// Compresses a band and scales it for the network, in the precision of the transform.
struct Compression<T> {
    scale: T,
    offset: T,
    floor: Option<T>,
    factor: T,
    shift: T,
}

impl<T: Precision + num_traits::Float> Compression<T> {
    fn new(log: &Log, norm: Norm) -> Self {
        let base = match log.base {
            Base::Ten => std::f64::consts::LN_10,
            Base::E => 1.0,
        };
        Self {
            scale: T::rounded(log.scale),
            offset: T::rounded(log.offset),
            floor: log.floor.map(T::rounded),
            factor: T::rounded(log.mult / base / norm.std),
            shift: T::rounded(norm.mean / norm.std),
        }
    }

    fn apply(&self, x: T) -> f32 {
        let inner = x * self.scale + self.offset;
        let inner = self.floor.map_or(inner, |floor| num_traits::Float::max(inner, floor));
        (num_traits::Float::ln(inner) * self.factor - self.shift).to_f32().unwrap_or(0.0)
    }
}

fn hz_to_mel(hz: f64, scale: MelScale) -> f64 {
    match scale {
        MelScale::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
        MelScale::Slaney if hz >= 1000.0 => 15.0 + 27.0 * (hz / 1000.0).ln() / 6.4_f64.ln(),
        MelScale::Slaney => 3.0 * hz / 200.0,
    }
}

fn mel_to_hz(mel: f64, scale: MelScale) -> f64 {
    match scale {
        MelScale::Htk => 700.0 * (10.0_f64.powf(mel / 2595.0) - 1.0),
        MelScale::Slaney if mel >= 15.0 => 1000.0 * (6.4_f64.ln() / 27.0 * (mel - 15.0)).exp(),
        MelScale::Slaney => 200.0 * mel / 3.0,
    }
}

/// The filter bank, `[bands][n_fft / 2 + 1]`.
fn mel_bands(mel: &Mel, n_fft: usize, rate: f64) -> Vec<Vec<f64>> {
    let (low, high) = (hz_to_mel(mel.fmin, mel.scale), hz_to_mel(mel.fmax, mel.scale));
    let edges_mel: Vec<f64> =
        (0..mel.bands + 2).map(|i| low + (high - low) * i as f64 / (mel.bands + 1) as f64).collect();
    let edges_hz: Vec<f64> = edges_mel.iter().map(|m| mel_to_hz(*m, mel.scale)).collect();
    let bins = (0..=n_fft / 2).map(|k| k as f64 * rate / n_fft as f64);
    let (edges, bins): (&[f64], Vec<f64>) = match mel.triangles {
        Triangles::Mel => (&edges_mel, bins.map(|hz| hz_to_mel(hz, mel.scale)).collect()),
        Triangles::Hz => (&edges_hz, bins.collect()),
    };
    (0..mel.bands)
        .map(|i| {
            let [from, top, to] = [edges[i], edges[i + 1], edges[i + 2]];
            let mut weights: Vec<f64> =
                bins.iter().map(|x| ((x - from) / (top - from)).min((to - x) / (to - top)).max(0.0)).collect();
            let scale = match mel.norm {
                MelNorm::UnitSum => 1.0 / weights.iter().sum::<f64>().max(f64::MIN_POSITIVE),
                MelNorm::Slaney => 2.0 / (edges_hz[i + 2] - edges_hz[i]),
                MelNorm::None => 1.0,
            };
            weights.iter_mut().for_each(|w| *w *= scale);
            if mel.zero_dc {
                weights[0] = 0.0;
            }
            weights
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;
    use dsp::descriptors::Describer;
    use dsp::resample::Filter;

    fn front_end() -> FrontEnd {
        let mut manifest = Model::built_in().unwrap().manifest;
        manifest.window.network_repeats = false;
        FrontEnd::new(&manifest)
    }

    fn windows(samples: usize) -> Vec<Seen> {
        let mut sound: Vec<f32> = (0..samples).map(|n| (n as f32 * 0.05).sin() * 0.5).collect();
        front_end().prepare(&mut sound)
    }

    #[test]
    fn a_sound_of_any_length_fills_whole_windows() {
        for samples in [1, 100, 1024, 101_376, 101_377, 102_400, 441_000] {
            let seen = windows(samples);
            assert!(!seen.is_empty(), "{samples}");
            assert!(seen.iter().all(|s| s.input.dim() == (100, 96)), "{samples}");
        }
        assert!(windows(0).is_empty());
    }

    #[test]
    fn a_short_sound_is_repeated_frame_by_frame() {
        let seen = windows(10_000);
        let frames = 10_000_usize.div_ceil(1024) + 1;
        let input = &seen[0].input;
        assert_eq!(input.row(0), input.row(frames));
        assert_eq!(input.row(3), input.row(3 + 2 * frames));
    }

    #[test]
    fn a_network_that_repeats_is_given_each_frame_once() {
        let mut repeating = FrontEnd::new(&Model::built_in().unwrap().manifest);
        for samples in [1_usize, 1024, 10_000, 101_376, 101_377, 264_600] {
            let sound: Vec<f32> = (0..samples).map(|n| (n as f32 * 0.05).sin() * 0.5).collect();
            let (given, all) = (repeating.prepare(&mut sound.clone()), front_end().prepare(&mut sound.clone()));
            let rows = (samples.div_ceil(1024) + 1).min(100);
            assert_eq!(given.len(), all.len());
            for (given, all) in given.iter().zip(&all) {
                assert_eq!(given.span, all.span);
                assert_eq!(given.input, all.input.slice(s![..rows, ..]), "{samples}");
            }
        }
    }

    #[test]
    fn a_long_sound_ends_with_a_window_that_ends_with_it() {
        let seen = windows(264_600);
        let starts: Vec<f64> = seen.iter().map(|s| (s.span.start * 44_100.0 / 1024.0).round()).collect();
        assert_eq!(starts, [0.0, 100.0, 160.0]);
        assert!(seen.iter().all(|s| s.span.end <= 6.0));
    }

    #[test]
    fn level_does_not_matter_when_the_manifest_normalises() {
        let loud: Vec<f32> = (0..20_000).map(|n| (n as f32 * 0.05).sin() * 0.9).collect();
        let soft: Vec<f32> = loud.iter().map(|s| s / 256.0).collect();
        let (a, b) = (front_end().prepare(&mut loud.clone()), front_end().prepare(&mut soft.clone()));
        let far = a[0].input.iter().zip(&b[0].input).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-5, "{far}");
    }

    #[test]
    fn spectra_shared_with_the_descriptors_give_the_same_inputs() {
        let mut front_end = front_end();
        assert!(front_end.shares_spectra());
        for (samples, level) in [(1, 0.5), (1023, 0.1), (1024, 1.0), (1025, 1.5), (102_400, 0.01), (264_600, 0.7)] {
            let sound: Vec<f32> = (0..samples).map(|n| (n as f32 * 0.05).sin() * level + 0.01 * level).collect();
            let mut bands = Vec::new();
            Describer::new(Filter::AnyHighQuality).measure_each(&sound, |power| front_end.add_bands(power, &mut bands));
            let shared = front_end.prepare_bands(bands, samples);
            let alone = front_end.prepare(&mut sound.clone());
            assert_eq!(shared.len(), alone.len(), "{samples}");
            for (a, b) in shared.iter().zip(&alone) {
                assert!(
                    (a.span.start - b.span.start).abs() < 1e-9 && (a.span.end - b.span.end).abs() < 1e-9,
                    "{samples}"
                );
                assert_eq!(a.input.dim(), b.input.dim());
                let far = a.input.iter().zip(&b.input).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                // The tolerance of the golden spectrograms, as the network sees it.
                assert!(far < 2e-4 / 9.458, "{samples} samples: {far}");
            }
        }
    }
}
