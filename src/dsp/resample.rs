//! Changes sample rates with rubato: of short mono sounds, with the filter that a model was trained with, and of
//! stereo streams, for playing.
//!
//! rubato has no Kaiser window, which models often name. Of its windows, the squared Blackman-Harris at 2.8 times the
//! Kaiser filter's half width is the closest to libsamplerate's `SINC_MEDIUM` (Kaiser, beta 12.25): the two kernels
//! differ by -61 dB of their energy. With one stored filter for each phase of a rational ratio the nearest phase is
//! the exact one, so an output sample costs one product of filter and signal.

use std::borrow::Cow;
use std::collections::HashMap;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};
use serde::{Deserialize, Serialize};

use crate::Hz;

/// Ratios with more phases than this are interpolated between fewer filters.
const MOST_PHASES: u32 = 1024;
/// Input frames rubato takes at a time.
const CHUNK: usize = 4096;
/// Filter length by Kaiser half width, both in samples of the lower rate; see the module's text.
const LENGTH_BY_HALF_WIDTH: f64 = 2.8;
/// Filter length for listening, in samples of the lower rate: the passband ends 7 % below the Nyquist frequency.
const FLOW_LENGTH: f64 = 128.0;
/// Longest filter for listening, however far a sound's rate is from the device's.
const FLOW_LONGEST: f64 = 1024.0;
/// Stored phases of its filter, at least.
const FLOW_PHASES: u32 = 256;
/// Input frames that a [`Flow`] takes at a time.
const FLOW_CHUNK: usize = 1024;

/// The low-pass filter of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Filter {
    /// Kaiser-windowed sinc.
    KaiserSinc {
        /// Half length in samples of the lower rate.
        half_width: f64,
        /// -6 dB point as a share of the lower Nyquist frequency.
        cutoff: f64,
        /// Kaiser window parameter; the window used here matches values near 12.
        beta: f64,
    },
    /// Anything transparent.
    AnyHighQuality,
}

/// Converts to one rate; keeps the filters of the rates it has met.
pub struct Resampler {
    to: Hz,
    filter: Filter,
    by_rate: HashMap<Hz, Option<Conversion>>,
}

/// rubato's resampler for one pair of rates.
struct Conversion {
    resampler: Async<f32>,
    /// Half the filter's length in input samples.
    half: usize,
    /// Input and output samples after which the phases repeat.
    step: [usize; 2],
}

impl Resampler {
    /// Prepares for conversions to one rate.
    pub fn new(to: Hz, filter: Filter) -> Self {
        Self { to, filter, by_rate: HashMap::new() }
    }

    /// Converts `mono` from the rate `from`, without delay: output sample `n` is the sound at time `n / to`.
    ///
    /// Returns `ceil(len * to / from) - 1` samples (at least one), as libsamplerate does; `None` for a ratio that
    /// rubato refuses.
    pub fn convert<'a>(&mut self, mono: &'a [f32], from: Hz) -> Option<Cow<'a, [f32]>> {
        if from == self.to || mono.is_empty() {
            return Some(Cow::Borrowed(mono));
        }
        // A library with hundreds of odd rates must not keep a filter for each.
        if self.by_rate.len() > 8 && !self.by_rate.contains_key(&from) {
            self.by_rate.clear();
        }
        let (to, filter) = (self.to, self.filter);
        self.by_rate
            .entry(from)
            .or_insert_with(|| Conversion::new(from, to, filter))
            .as_mut()?
            .run(mono)
            .map(Cow::Owned)
    }
}

impl Conversion {
    fn new(from: Hz, to: Hz, filter: Filter) -> Option<Self> {
        let stretch = stretch(from, to);
        let parameters = match filter {
            #[expect(clippy::cast_possible_truncation, reason = "a share of the Nyquist frequency")]
            Filter::KaiserSinc { half_width, cutoff, .. } => {
                parameters(half_width * LENGTH_BY_HALF_WIDTH * stretch).f_cutoff(cutoff as f32)
            }
            Filter::AnyHighQuality => parameters(256.0 * stretch),
        };
        Self::with(from, to, parameters, 1, CHUNK, 1)
    }

    fn with(
        from: Hz,
        to: Hz,
        parameters: SincInterpolationParameters,
        finer: u32,
        chunk: usize,
        channels: usize,
    ) -> Option<Self> {
        let divisor = gcd(from.0, to.0);
        let ratio = f64::from(to) / f64::from(from);
        let phases = to.0 / divisor;
        let parameters = if phases <= MOST_PHASES {
            parameters.oversampling_factor((phases * finer) as usize).interpolation(SincInterpolationType::Nearest)
        } else {
            parameters.oversampling_factor(256).interpolation(SincInterpolationType::Linear)
        };
        let resampler = Async::new_sinc(ratio, 1.0, &parameters, chunk, channels, FixedAsync::Input).ok()?;
        let step = [(from.0 / divisor) as usize, phases as usize];
        Some(Self { resampler, half: parameters.sinc_len / 2, step })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lengths of sounds in memory")]
    fn run(&mut self, mono: &[f32]) -> Option<Vec<f32>> {
        let resampler = &mut self.resampler;
        resampler.reset();
        let wanted = ((mono.len() as f64 * resampler.resample_ratio()).ceil() as usize).saturating_sub(1).max(1);
        let (lead, skip) = alignment(self.half, self.step);
        let mut input = vec![0.0; lead];
        input.extend_from_slice(mono);
        let most = resampler.output_frames_max();
        let mut output: Vec<f32> = Vec::with_capacity(skip + wanted + most);
        let mut at = 0;
        while output.len() < skip + wanted {
            input.resize(input.len().max(at + resampler.input_frames_next()), 0.0);
            let start = output.len();
            output.resize(start + most, 0.0);
            let source = InterleavedSlice::new(&input[at..], 1, input.len() - at).ok()?;
            let mut sink = InterleavedSlice::new_mut(&mut output[start..], 1, most).ok()?;
            let (read, written) = resampler.process_into_buffer(&source, &mut sink, None::<&Indexing>).ok()?;
            output.truncate(start + written);
            at += read;
        }
        output.drain(..skip);
        output.truncate(wanted);
        Some(output)
    }
}

/// Converts stereo sound piece by piece, without delay: output frame `n` is the sound at time `n / to`.
pub struct Flow {
    conversion: Conversion,
    /// Interleaved frames that do not yet make a chunk.
    input: Vec<f32>,
    output: Vec<f32>,
    /// Output frames to leave out, so that the filter's delay is undone.
    skip: usize,
    /// Frames taken and given since the start.
    taken: u64,
    given: u64,
}

impl Flow {
    /// Prepares for a conversion; `None` for a ratio that rubato refuses.
    pub fn new(from: Hz, to: Hz) -> Option<Self> {
        let length = (FLOW_LENGTH * stretch(from, to)).min(FLOW_LONGEST);
        // Whole multiples of the phases leave them exact, and the delay of one stored phase becomes small.
        let finer = FLOW_PHASES.div_ceil(to.0 / gcd(from.0, to.0));
        let conversion = Conversion::with(from, to, parameters(length), finer, FLOW_CHUNK, 2)?;
        let output = Vec::with_capacity(2 * conversion.resampler.output_frames_max());
        let mut flow = Self { conversion, input: Vec::new(), output, skip: 0, taken: 0, given: 0 };
        flow.restart();
        Some(flow)
    }

    /// Forgets earlier input; the filter is kept.
    pub fn restart(&mut self) {
        self.conversion.resampler.reset();
        let (lead, skip) = alignment(self.conversion.half, self.conversion.step);
        self.input.clear();
        self.input.resize(2 * lead, 0.0);
        (self.skip, self.taken, self.given) = (skip, 0, 0);
    }

    /// Takes interleaved frames and hands the converted ones to `sink`, as many as have become certain;
    /// `None` if rubato refuses.
    pub fn push(&mut self, frames: &[f32], mut sink: impl FnMut(&[f32])) -> Option<()> {
        self.taken += frames.len() as u64 / 2;
        self.input.extend_from_slice(frames);
        while self.input.len() >= 2 * FLOW_CHUNK {
            self.convert(u64::MAX, &mut sink)?;
        }
        Some(())
    }

    /// Ends the sound: hands out the rest, so that as much time comes out as went in;
    /// `None` if rubato refuses.
    pub fn finish(&mut self, mut sink: impl FnMut(&[f32])) -> Option<()> {
        let [step_in, step_out] = self.conversion.step.map(|step| step as u64);
        let due = (self.taken * step_out).div_ceil(step_in);
        while self.given < due {
            self.input.resize(self.input.len().max(2 * FLOW_CHUNK), 0.0);
            self.convert(due, &mut sink)?;
        }
        Some(())
    }

    /// Converts one chunk; gives no more than `due` frames altogether.
    fn convert(&mut self, due: u64, sink: &mut impl FnMut(&[f32])) -> Option<()> {
        let resampler = &mut self.conversion.resampler;
        let most = resampler.output_frames_max();
        self.output.resize(2 * most, 0.0);
        let source = InterleavedSlice::new(&self.input, 2, FLOW_CHUNK).ok()?;
        let mut room = InterleavedSlice::new_mut(&mut self.output, 2, most).ok()?;
        let (read, written) = resampler.process_into_buffer(&source, &mut room, None::<&Indexing>).ok()?;
        self.input.drain(..2 * read);
        let skipped = self.skip.min(written);
        self.skip -= skipped;
        let left = usize::try_from(due - self.given).unwrap_or(usize::MAX);
        let frames = (written - skipped).min(left);
        self.given += frames as u64;
        sink(&self.output[2 * skipped..2 * (skipped + frames)]);
        Some(())
    }
}

/// How much longer a filter is in samples at the rate `from` than in samples of the lower rate.
fn stretch(from: Hz, to: Hz) -> f64 {
    (f64::from(from) / f64::from(to)).max(1.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive filter length")]
fn parameters(length: f64) -> SincInterpolationParameters {
    SincInterpolationParameters::new((length / 8.0).round().max(1.0) as usize * 8, WindowFunction::BlackmanHarris2)
}

/// Silent frames to put before the input, and output frames to leave out, so that the delay of the filter is undone.
///
/// rubato's output `j` lies `(j + 1) * in / out - half` input samples after the first one, plus one phase, which is
/// too little to matter. That is zero for a whole `j` only after a suitable lead.
fn alignment(half: usize, [step_in, step_out]: [usize; 2]) -> (usize, usize) {
    // An odd ratio would need a lead of seconds; without one the error is at most half an output sample.
    let lead = if step_in > CHUNK { 0 } else { half.next_multiple_of(step_in) - half };
    let skip = ((half + lead) * step_out + step_in / 2) / step_in;
    (lead, skip.saturating_sub(1))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive numbers in tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REFERENCE: Filter = Filter::KaiserSinc { half_width: 45.7029, cutoff: 0.919_063, beta: 12.252_94 };

    /// The Kaiser-windowed sinc by its formula, in f64.
    fn direct(mono: &[f32], from: u32, to: u32) -> Vec<f64> {
        let Filter::KaiserSinc { half_width, cutoff, beta } = REFERENCE else { unreachable!() };
        let ratio = f64::from(to) / f64::from(from);
        let scale = ratio.min(1.0);
        let bessel = |x: f64| {
            let (mut sum, mut term) = (1.0, 1.0);
            for k in 1..60 {
                term *= (x / 2.0 / f64::from(k)).powi(2);
                sum += term;
            }
            sum
        };
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
        let n = (mono.len() as f64 * ratio).ceil() as usize - 1;
        // rubato's filters lie one stored phase late.
        let phases = to / gcd(from, to);
        let phase = 1.0 / f64::from(if phases <= MOST_PHASES { phases } else { 256 });
        (0..n)
            .map(|n| {
                let t = n as f64 / ratio + phase;
                let reach = half_width / scale;
                let from = (t - reach).ceil().max(0.0) as usize;
                let to = ((t + reach).floor() as usize).min(mono.len() - 1);
                (from..=to)
                    .map(|k| {
                        let u = scale * (k as f64 - t);
                        let window = bessel(beta * (1.0 - (u / half_width).powi(2)).max(0.0).sqrt()) / bessel(beta);
                        f64::from(mono[k]) * scale * cutoff * sinc(cutoff * u) * window
                    })
                    .sum()
            })
            .collect()
    }

    fn noise(n: usize) -> Vec<f32> {
        let mut state = 12345_u32;
        let step = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f64::from(state) / f64::from(1_u32 << 31) - 1.0) as f32
        };
        (0..n).map(step).collect()
    }

    #[test]
    fn every_common_rate_agrees_with_the_kaiser_sinc_formula() {
        for from in [8000, 11_025, 16_000, 22_050, 22_505, 31_136, 32_000, 48_000, 88_200, 96_000, 192_000, 384_000] {
            let mono = noise(from as usize / 20);
            let ours = Resampler::new(Hz(44_100), REFERENCE).convert(&mono, Hz(from)).unwrap();
            let theirs = direct(&mono, from, 44_100);
            assert_eq!(ours.len(), theirs.len(), "{from} Hz");
            let error: f64 = ours.iter().zip(&theirs).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
            let power: f64 = theirs.iter().map(|b| b * b).sum();
            let db = 10.0 * (error / power).log10();
            assert!(db < -50.0, "{from} Hz: difference {db:.1} dB");
        }
    }

    #[test]
    fn an_odd_ratio_is_aligned_to_half_a_sample() {
        let mono: Vec<f32> = (0..44_101).map(|n| (n as f32 * 0.01).sin()).collect();
        let ours = Resampler::new(Hz(44_100), REFERENCE).convert(&mono, Hz(44_101)).unwrap();
        let far: f32 = (1000..40_000).map(|n| (ours[n] - (n as f32 * 0.01).sin()).abs()).fold(0.0, f32::max);
        assert!(far < 0.012, "{far}");
    }

    #[test]
    fn sound_that_flows_by_keeps_its_time_and_length() {
        for (from, to) in [(44_100, 48_000), (48_000, 44_100), (96_000, 44_100), (8000, 48_000), (384_000, 44_100)] {
            let frames = from as usize / 3;
            let wave = |n: usize, rate: u32| (n as f32 * 2000.0 / rate as f32).sin();
            let stereo: Vec<f32> = (0..frames).flat_map(|n| [wave(n, from), -wave(n, from)]).collect();
            let mut flow = Flow::new(Hz(from), Hz(to)).unwrap();
            for again in 0..2 {
                flow.restart();
                let mut out = Vec::new();
                for piece in stereo.chunks(2 * 777) {
                    flow.push(piece, |frames| out.extend_from_slice(frames)).unwrap();
                }
                flow.finish(|frames| out.extend_from_slice(frames)).unwrap();
                assert_eq!(out.len() / 2, (frames * to as usize).div_ceil(from as usize), "{from} to {to}, {again}");
                let middle = 2000..out.len() / 2 - 2000;
                let far = middle.map(|n| (out[2 * n] - wave(n, to)).abs().max((out[2 * n + 1] + wave(n, to)).abs()));
                let far = far.fold(0.0, f32::max);
                // One stored phase late: 2000 radians per second for at most 1/256 of an input frame.
                assert!(far < 2000.0 / (256.0 * from as f32) + 0.001, "{from} to {to}: {far}");
            }
        }
    }

    #[test]
    fn a_single_sample_gives_a_sound() {
        for from in [100, 22_050, 44_100, 384_000] {
            let out = Resampler::new(Hz(44_100), REFERENCE).convert(&[1.0], Hz(from)).unwrap();
            assert!(!out.is_empty() && out.iter().all(|s| s.is_finite()), "{from} Hz");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_sound_at_any_rate_gets_the_length_that_is_said(
            samples in 1_usize..5000,
            from in 2000_u32..200_000,
            to in prop::sample::select(vec![16_000_u32, 44_100, 48_000]),
        ) {
            let mono = noise(samples);
            let length = Resampler::new(Hz(to), REFERENCE).convert(&mono, Hz(from)).unwrap().len();
            let exact = (samples as u64 * u64::from(to)).div_ceil(u64::from(from)) as usize;
            let expected = if from == to { samples } else { exact.saturating_sub(1).max(1) };
            // A product of doubles may be a rounding error beyond a whole number.
            prop_assert!(length.abs_diff(expected) <= 1, "{} and {}", length, expected);
        }

        #[test]
        fn any_stream_in_any_pieces_gets_the_length_that_is_said(
            pieces in prop::collection::vec(1_usize..4000, 1..6),
            from in 8000_u32..100_000,
            to in prop::sample::select(vec![44_100_u32, 48_000]),
        ) {
            let mut flow = Flow::new(Hz(from), Hz(to)).unwrap();
            let mut given = 0;
            for piece in &pieces {
                flow.push(&vec![0.25; 2 * piece], |frames| given += frames.len() / 2).unwrap();
            }
            flow.finish(|frames| given += frames.len() / 2).unwrap();
            let frames = pieces.iter().sum::<usize>() as u64;
            prop_assert_eq!(given as u64, (frames * u64::from(to)).div_ceil(u64::from(from)));
        }
    }
}
