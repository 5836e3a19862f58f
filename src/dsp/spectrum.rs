//! Short-time spectra: a window, a real Fourier transform, and the memory both need, in single or double precision.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{FftNum, RealFftPlanner, RealToComplex};

/// Where a Hann window comes back to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hann {
    /// With its last sample, as `scipy.signal.windows.hann(n)` does.
    Symmetric,
    /// One sample after its last, as `scipy.signal.windows.hann(n, sym=False)` does.
    Periodic,
}

impl Hann {
    /// The window over `length` samples.
    pub fn values<T: Precision>(self, length: usize) -> Vec<T> {
        let period = match self {
            Self::Symmetric => length.saturating_sub(1).max(1),
            Self::Periodic => length,
        };
        let value = |n: usize| 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / period as f64).cos();
        (0..length).map(|n| T::rounded(value(n))).collect()
    }
}

/// What a frame that reaches beyond a sound meets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Zeros.
    Silence,
    /// The sound mirrored at its ends without repeating them (numpy's `reflect`).
    Mirrored,
}

/// The precision of a transform: `f32`, or `f64` where rounding noise would count.
pub trait Precision: FftNum {
    /// The nearest number.
    fn rounded(value: f64) -> Self;

    /// Writes samples times `scale` times their weights.
    fn weigh(samples: &[f32], scale: Self, weights: &[Self], out: &mut [Self]);
}

impl Precision for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "the nearest number is what is asked for")]
    fn rounded(value: f64) -> Self {
        value as f32
    }

    fn weigh(samples: &[f32], scale: Self, weights: &[Self], out: &mut [Self]) {
        weigh_single(samples, scale, weights, out);
    }
}

impl Precision for f64 {
    fn rounded(value: f64) -> Self {
        value
    }

    fn weigh(samples: &[f32], scale: Self, weights: &[Self], out: &mut [Self]) {
        weigh_double(samples, scale, weights, out);
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
fn weigh_single(samples: &[f32], scale: f32, weights: &[f32], out: &mut [f32]) {
    for ((out, sample), weight) in out.iter_mut().zip(samples).zip(weights) {
        *out = sample * scale * weight;
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
fn weigh_double(samples: &[f32], scale: f64, weights: &[f64], out: &mut [f64]) {
    for ((out, sample), weight) in out.iter_mut().zip(samples).zip(weights) {
        *out = f64::from(*sample) * scale * weight;
    }
}

/// Transforms frames of a sound; a clone shares its tables and has memory of its own.
#[derive(Clone)]
pub struct Spectrum<T: Precision> {
    fft: Arc<dyn RealToComplex<T>>,
    window: Arc<[T]>,
    /// A frame that reaches beyond its sound.
    frame: Vec<f32>,
    input: Vec<T>,
    output: Vec<Complex<T>>,
    scratch: Vec<Complex<T>>,
}

impl<T: Precision> Spectrum<T> {
    /// Prepares transforms of `length` samples; a shorter window stands at their start (`tf.signal`'s convention).
    pub fn new(length: usize, mut window: Vec<T>) -> Self {
        window.truncate(length);
        let fft = RealFftPlanner::new().plan_fft_forward(length);
        Self {
            frame: vec![0.0; window.len()],
            window: window.into(),
            input: fft.make_input_vec(),
            output: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    /// Samples under the window.
    pub fn width(&self) -> usize {
        self.window.len()
    }

    /// The spectrum of a frame times `scale`, `[length / 2 + 1]`; zeros follow a frame that is shorter than the window.
    pub fn of(&mut self, frame: &[f32], scale: T) -> &[Complex<T>] {
        let filled = frame.len().min(self.window.len());
        T::weigh(&frame[..filled], scale, &self.window, &mut self.input);
        // The transform leaves its own numbers in its input.
        self.input[filled..].fill(T::zero());
        // Lengths come from the plan, so the transform cannot fail.
        let _ = self.fft.process_with_scratch(&mut self.input, &mut self.output, &mut self.scratch);
        &self.output
    }

    /// The spectrum of the frame that begins with sample `start` of a sound, which may lie before it, times `scale`.
    pub fn at(&mut self, sound: &[f32], start: isize, beyond: Beyond, scale: T) -> &[Complex<T>] {
        let inside = usize::try_from(start).ok().and_then(|from| sound.get(from..from.checked_add(self.width())?));
        if let Some(inside) = inside {
            return self.of(inside, scale);
        }
        let mut frame = std::mem::take(&mut self.frame);
        for (at, out) in (start..).zip(&mut frame) {
            *out = match usize::try_from(at) {
                Ok(at) if at < sound.len() => sound[at],
                _ if beyond == Beyond::Mirrored && !sound.is_empty() => sound[mirrored(at, sound.len())],
                _ => 0.0,
            };
        }
        self.of(&frame, scale);
        self.frame = frame;
        &self.output
    }
}

/// Index of a sample mirrored at both ends without repeating them.
fn mirrored(at: isize, length: usize) -> usize {
    if length == 1 {
        return 0;
    }
    let period = 2 * (length.cast_signed() - 1);
    let at = at.rem_euclid(period);
    at.min(period - at).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_comes_back_to_zero_with_its_last_sample_or_one_later() {
        assert_eq!(Hann::Periodic.values::<f32>(4), [0.0, 0.5, 1.0, 0.5]);
        let symmetric = Hann::Symmetric.values::<f64>(5);
        assert!(symmetric.iter().zip([0.0, 0.5, 1.0, 0.5, 0.0]).all(|(a, b)| (a - b).abs() < 1e-15));
        assert_eq!(Hann::Symmetric.values::<f32>(1), [0.0]);
        assert!(Hann::Periodic.values::<f32>(0).is_empty());
    }

    #[test]
    fn mirrored_samples_follow_numpys_reflect() {
        let padded: Vec<usize> = (-3..7).map(|at| mirrored(at, 4)).collect();
        assert_eq!(padded, [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]);
    }

    #[test]
    fn a_frame_has_the_spectrum_that_the_formula_gives_wherever_it_lies() {
        let sound: Vec<f32> = (0..100).map(|n| (n as f32 * 0.7).sin() + 0.1).collect();
        let window = Hann::Periodic.values::<f64>(24);
        // A window shorter than the transform.
        let mut double = Spectrum::new(32, window.clone());
        let mut single = Spectrum::new(32, Hann::Periodic.values::<f32>(24));
        for (start, beyond) in [(0, Beyond::Silence), (30, Beyond::Silence), (-9, Beyond::Silence)].into_iter().chain([
            (90, Beyond::Silence),
            (-9, Beyond::Mirrored),
            (90, Beyond::Mirrored),
            (200, Beyond::Silence),
        ]) {
            let sample = |n: usize| {
                let at = start + n.cast_signed();
                match usize::try_from(at).ok().and_then(|at| sound.get(at)) {
                    Some(sample) => *sample,
                    None if beyond == Beyond::Mirrored => sound[mirrored(at, 100)],
                    None => 0.0,
                }
            };
            for bin in 0..=16 {
                let turn = |n: usize| -std::f64::consts::TAU * (bin * n) as f64 / 32.0;
                let term = |n: usize| Complex::from_polar(2.0 * f64::from(sample(n)) * window[n], turn(n));
                let expected: Complex<f64> = (0..24).map(term).sum();
                let found = double.at(&sound, start, beyond, 2.0)[bin];
                assert!((found - expected).norm() < 1e-12, "{start} {beyond:?}, {bin}: {found} and {expected}");
                let found = single.at(&sound, start, beyond, 2.0)[bin];
                assert!((f64::from(found.re) - expected.re).abs() < 1e-4, "{start} {beyond:?}, {bin}");
            }
        }
        let short = double.of(&sound[..10], 1.0).to_vec();
        let zeros = [&sound[..10], &[0.0; 14]].concat();
        assert_eq!(short, double.of(&zeros, 1.0));
    }
}
