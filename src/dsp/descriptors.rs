//! What can be said of a sound without a network: 47 descriptors of its spectrum and its envelope.
//!
//! They are measured on what the network hears, at [`RATE`] and divided by its peak, so that level does not count. The
//! terms are those of Peeters, "A large set of audio features for sound description" (IRCAM, 2004); the flux is that of
//! Bello et al., "A tutorial on onset detection in music signals" (IEEE TSAP, 2005), on log spectra. Spectra are those of
//! 2048-sample symmetric Hann windows every 1024 samples, the first around the first sample, zeros outside. `w` is a
//! frame's share of the energy, `P` its power spectrum.
//!
//! | place | value | unit |
//! |---|---|---|
//! | 0 | centroid: mean frequency, weighted by `P` | log10 Hz |
//! | 1 | bandwidth: standard deviation around the centroid | log10 Hz |
//! | 2 | roll-off: below it is 85 % of the energy | log10 Hz |
//! | 3 | median frequency: below it is half of the energy | log10 Hz |
//! | 4 | flatness: geometric over arithmetic mean of `P` | log10 of thousandths |
//! | 5 | crest: largest over mean of `P` | log10 |
//! | 6 | zero crossings over samples, plus 0.001 | log10 |
//! | 7–13 | standard deviation of 0–6 over frames, weighted by `w` (0–6 are means with the same weights) | as 0–6 |
//! | 14–20 | 0–6 in the second frame, the onset | as 0–6 |
//! | 21–27 | 0–6 in the fifth frame, 70 ms later | as 0–6 |
//! | 28 | flux: rise of log `P` since the last frame, falls left out, mean over bins and, by `w`, over frames | log10 of power |
//! | 29 | the largest flux of a frame | log10 of power |
//! | 30 | attack: from 20 % of the envelope's peak to its peak, plus 5 ms | log10 s |
//! | 31 | temporal centroid of the envelope, plus 5 ms | log10 s |
//! | 32–34 | time the envelope is above 50 %, 10 %, 1 % of its peak, plus 5 ms | log10 s |
//! | 35 | length of what is heard | log10 s |
//! | 36–45 | share of the energy between 0, 60, 120, 250, 500 Hz, 1, 2, 4, 8, 16 kHz and the end, plus 0.0001 | log10 |
//! | 46 | root mean square over the peak, plus 0.0001 | log10 |
//!
//! The envelope is the largest absolute sample of every 220 (5 ms). Values 0–6 are at least 0.000001 before the logarithm.
//! The transform is in double precision, because the flatness of a clean tone is that of the rounding noise between its
//! partials. `tests/it/golden.rs` states how near each value is to the reference.

use std::sync::LazyLock;

use realfft::num_complex::Complex;

use crate::features::largest;
use crate::resample::{Filter, Resampler};
use crate::spectrum::{Beyond, Hann, Spectrum};
use crate::{Hz, Pcm};

/// The rate at which sounds are described.
pub const RATE: Hz = Hz(44_100);
/// Number of descriptors.
pub const COUNT: usize = 47;

/// Samples of a frame, under a symmetric Hann window.
pub const WINDOW: usize = 2048;
/// Samples from one frame to the next; the first has as many zeros before the sound.
pub const HOP: usize = 1024;
/// Bins of a spectrum.
pub const BINS: usize = WINDOW / 2 + 1;
/// Values of a frame.
const FRAME: usize = 7;
/// Added to every bin's power, for the logarithms.
const POWER_FLOOR: f64 = 1e-12;
/// Added to a bin's power in the flux, so that inaudible rises do not count.
const FLUX_FLOOR: f32 = 1e-6;
/// Samples of one value of the envelope.
const ENVELOPE: usize = 220;
/// Where the bands begin, in Hz.
const BANDS: [f64; 10] = [0.0, 60.0, 120.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16_000.0];

/// The descriptors of a sound, in the order of [`ABOUT`].
pub type Values = [f32; COUNT];

/// What descriptors are about, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Where the energy lies up to 2 kHz, and how much single partials stand out.
    Pitch,
    /// How the sound begins and dies.
    Envelope,
    /// Where the energy ends, and how noisy it is.
    Brightness,
    /// How full it is: mean level below the peak.
    Loudness,
    /// How long it is.
    Length,
}

impl Group {
    /// All groups, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Pitch, Self::Envelope, Self::Brightness, Self::Loudness, Self::Length];

    /// The name in results and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pitch => "pitch",
            Self::Envelope => "envelope",
            Self::Brightness => "brightness",
            Self::Loudness => "loudness",
            Self::Length => "length",
        }
    }
}

/// One descriptor.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Name for people.
    pub name: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// What it is about.
    pub group: Group,
    /// Standard deviation over freely licensed sounds of Debian packages, in its unit.
    pub spread: f32,
}

const fn about(name: &'static str, unit: &'static str, group: Group, spread: f32) -> About {
    About { name, unit, group, spread }
}

/// Every descriptor, in order; the module's text defines them.
pub const ABOUT: [About; COUNT] = [
    about("centroid", "log10 Hz", Group::Brightness, 0.521),
    about("bandwidth", "log10 Hz", Group::Brightness, 0.485),
    about("85 % roll-off", "log10 Hz", Group::Brightness, 0.559),
    about("median frequency", "log10 Hz", Group::Pitch, 1.027),
    about("flatness", "log10 of 0.001", Group::Brightness, 2.348),
    about("crest", "log10", Group::Pitch, 0.344),
    about("zero crossings", "log10 per sample", Group::Pitch, 0.450),
    about("centroid spread", "log10 Hz", Group::Brightness, 0.149),
    about("bandwidth spread", "log10 Hz", Group::Brightness, 0.124),
    about("85 % roll-off spread", "log10 Hz", Group::Brightness, 0.179),
    about("median frequency spread", "log10 Hz", Group::Pitch, 0.708),
    about("flatness spread", "log10 of 0.001", Group::Brightness, 0.472),
    about("crest spread", "log10", Group::Pitch, 0.081),
    about("zero crossings spread", "log10 per sample", Group::Pitch, 0.118),
    about("centroid at the onset", "log10 Hz", Group::Brightness, 0.653),
    about("bandwidth at the onset", "log10 Hz", Group::Brightness, 0.524),
    about("85 % roll-off at the onset", "log10 Hz", Group::Brightness, 0.723),
    about("median frequency at the onset", "log10 Hz", Group::Pitch, 2.167),
    about("flatness at the onset", "log10 of 0.001", Group::Brightness, 2.397),
    about("crest at the onset", "log10", Group::Pitch, 0.470),
    about("zero crossings at the onset", "log10 per sample", Group::Pitch, 0.576),
    about("centroid after the onset", "log10 Hz", Group::Brightness, 0.636),
    about("bandwidth after the onset", "log10 Hz", Group::Brightness, 0.549),
    about("85 % roll-off after the onset", "log10 Hz", Group::Brightness, 0.700),
    about("median frequency after the onset", "log10 Hz", Group::Pitch, 2.050),
    about("flatness after the onset", "log10 of 0.001", Group::Brightness, 2.463),
    about("crest after the onset", "log10", Group::Pitch, 0.429),
    about("zero crossings after the onset", "log10 per sample", Group::Pitch, 0.576),
    about("flux", "log10 of power", Group::Envelope, 0.269),
    about("largest flux", "log10 of power", Group::Envelope, 1.007),
    about("attack", "log10 s", Group::Envelope, 0.938),
    about("temporal centroid", "log10 s", Group::Envelope, 0.606),
    about("time above -6 dB", "log10 s", Group::Envelope, 0.658),
    about("time above -20 dB", "log10 s", Group::Envelope, 0.623),
    about("time above -40 dB", "log10 s", Group::Envelope, 0.524),
    about("length", "log10 s", Group::Length, 0.498),
    about("share of 0-60 Hz", "log10 of energy", Group::Pitch, 1.216),
    about("share of 60-120 Hz", "log10 of energy", Group::Pitch, 1.292),
    about("share of 120-250 Hz", "log10 of energy", Group::Pitch, 1.217),
    about("share of 250-500 Hz", "log10 of energy", Group::Pitch, 1.001),
    about("share of 500-1000 Hz", "log10 of energy", Group::Pitch, 0.893),
    about("share of 1000-2000 Hz", "log10 of energy", Group::Pitch, 0.882),
    about("share of 2000-4000 Hz", "log10 of energy", Group::Brightness, 0.954),
    about("share of 4000-8000 Hz", "log10 of energy", Group::Brightness, 1.115),
    about("share of 8000-16000 Hz", "log10 of energy", Group::Brightness, 1.125),
    about("share of 16000-22050 Hz", "log10 of energy", Group::Brightness, 0.730),
    about("RMS below the peak", "log10", Group::Loudness, 0.259),
];

/// Measures [`Values`]; keeps its tables and buffers.
pub struct Describer {
    resampler: Resampler,
    spectrum: Spectrum<f64>,
    power: Vec<f32>,
    last: Vec<f32>,
}

impl Describer {
    /// Prepares; `filter` is for sounds at another rate.
    pub fn new(filter: Filter) -> Self {
        Self {
            resampler: Resampler::new(RATE, filter),
            spectrum: Spectrum::new(WINDOW, Hann::Symmetric.values(WINDOW)),
            power: vec![0.0; BINS],
            last: vec![0.0; BINS],
        }
    }

    /// Describes a sound at any rate; `None` for a rate that cannot be converted.
    pub fn describe(&mut self, pcm: &Pcm) -> Option<Values> {
        if pcm.rate == RATE {
            return Some(self.measure(&pcm.mono));
        }
        let sound = self.resampler.convert(&pcm.mono, pcm.rate)?;
        Some(self.measure(&sound))
    }

    /// Describes a sound at [`RATE`].
    pub fn measure(&mut self, sound: &[f32]) -> Values {
        self.measure_each(sound, |_| ())
    }

    /// Describes a sound at [`RATE`]; `each` is shown the power spectrum of every frame, of [`BINS`] bins, on the way.
    #[expect(clippy::cast_possible_truncation, reason = "measured in double precision, kept in single")]
    pub fn measure_each(&mut self, sound: &[f32], each: impl FnMut(&[f32])) -> Values {
        let peak = largest(sound).max(1e-9);
        if peak > 1.0 {
            // Clipped, as it is for the network and when played.
            let clipped: Vec<f32> = sound.iter().map(|sample| sample.clamp(-1.0, 1.0)).collect();
            return self.measure_each(&clipped, each);
        }
        let (frames, bands) = self.spectral(sound, peak, each);
        let (envelope, level) = temporal(sound, f64::from(peak));
        let mut values = [0.0; COUNT];
        let all = frames.into_iter().chain(envelope).chain(bands).chain([level]);
        for (out, value) in values.iter_mut().zip(all) {
            *out = if value.is_finite() { value as f32 } else { 0.0 };
        }
        values
    }

    /// Values 0 to 29, and 36 to 45.
    fn spectral(
        &mut self,
        sound: &[f32],
        peak: f32,
        mut each: impl FnMut(&[f32]),
    ) -> ([f64; 4 * FRAME + 2], [f64; BANDS.len()]) {
        let count = sound.len() / HOP + 2;
        let changes: Vec<f64> = (0..count).map(|hop| changes(sound, hop)).collect();
        let mut frames: Vec<[f64; FRAME]> = Vec::with_capacity(count);
        let (mut energies, mut fluxes) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut bands = [0.0; BANDS.len()];
        for frame in 0..count {
            self.transform(sound, frame, 1.0 / f64::from(peak));
            each(&self.power);
            let shape = shape(&self.power);
            let hz = f64::from(RATE) / WINDOW as f64;
            let centroid = shape.first / shape.energy;
            let variance = (shape.second / shape.energy - centroid * centroid).max(0.0);
            let [half, most] = roll_offs(&self.power, shape.energy);
            let mean = shape.energy / BINS as f64;
            let values = [
                centroid * hz,
                variance.sqrt() * hz,
                most * hz,
                half * hz,
                (shape.logarithms / BINS as f64).exp() / mean * 1e3,
                f64::from(shape.largest) / mean,
                crossings(sound, &changes, frame) / (WINDOW - 1) as f64 + 1e-3,
            ];
            frames.push(values.map(|value| value.max(1e-6).log10()));
            fluxes.push(if frame == 0 { 0.0 } else { rise(&self.power, &self.last) });
            energies.push(shape.energy);
            for (share, bins) in bands.iter_mut().zip(BAND_BINS.iter()) {
                *share += sum(&self.power[bins.clone()], |power| power);
            }
            std::mem::swap(&mut self.power, &mut self.last);
        }
        let total: f64 = energies.iter().sum();
        let weighted = |value: &dyn Fn(usize) -> f64| {
            energies.iter().enumerate().map(|(frame, energy)| value(frame) * energy / total).sum::<f64>()
        };
        let mut values = [0.0; 4 * FRAME + 2];
        for i in 0..FRAME {
            let mean = weighted(&|frame| frames[frame][i]);
            values[i] = mean;
            values[FRAME + i] = weighted(&|frame| (frames[frame][i] - mean).powi(2)).sqrt();
            values[2 * FRAME + i] = frames[1][i];
            values[3 * FRAME + i] = frames[4.min(count - 1)][i];
        }
        values[4 * FRAME] = weighted(&|frame| fluxes[frame]);
        values[4 * FRAME + 1] = fluxes.iter().copied().fold(0.0, f64::max);
        (values, bands.map(|sum| (1e-4 + sum / total).log10()))
    }

    /// Writes the power spectrum of a frame, scaled.
    fn transform(&mut self, sound: &[f32], frame: usize, scale: f64) {
        let start = (frame * HOP).cast_signed() - HOP.cast_signed();
        powers(self.spectrum.at(sound, start, Beyond::Silence, scale), &mut self.power);
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
#[expect(clippy::cast_possible_truncation, reason = "seven digits of a power")]
fn powers(spectrum: &[Complex<f64>], power: &mut [f32]) {
    for (power, value) in power.iter_mut().zip(spectrum) {
        *power = (value.norm_sqr() + POWER_FLOOR) as f32;
    }
}

/// The bins of each band.
static BAND_BINS: LazyLock<Vec<std::ops::Range<usize>>> = LazyLock::new(|| {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bin of the spectrum")]
    let bin = |hz: f64| (hz * WINDOW as f64 / f64::from(RATE)).ceil() as usize;
    let ends = BANDS.iter().skip(1).map(|hz| bin(*hz)).chain([BINS]);
    BANDS.iter().zip(ends).map(|(from, to)| bin(*from)..to).collect()
});

/// Neighbours of different sign among the samples of a frame, with zeros outside the sound, from those of every hop.
fn crossings(sound: &[f32], changes: &[f64], frame: usize) -> f64 {
    let at = |n: usize| sound.get(n).copied().unwrap_or(0.0);
    // The pair of the frame's last sample and the one behind it counts in the hop, but not in the frame.
    let end = sign_changes(&[at((frame + 1) * HOP - 1), at((frame + 1) * HOP)]);
    let before = if frame == 0 { sign_changes(&[0.0, at(0)]) } else { changes[frame - 1] };
    before + changes[frame] - end
}

/// Counts the samples of a hop that are followed by one of another sign.
fn changes(sound: &[f32], hop: usize) -> f64 {
    let inside = sound.get(hop * HOP..).unwrap_or_default();
    let pairs = sign_changes(&inside[..inside.len().min(HOP + 1)]);
    // After the last sample there is silence.
    let last = inside.last().filter(|_| inside.len() <= HOP);
    pairs + last.map_or(0.0, |last| sign_changes(&[*last, 0.0]))
}

/// Counts the neighbours of different sign, where that of zero is neither.
#[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
fn sign_changes(samples: &[f32]) -> f64 {
    const WIDE: usize = 16;
    // Counted in floating point, because overflow checks on integers would prevent vectorisation.
    let sign = |sample: f32| if sample > 0.0 { 1.0_f32 } else { 0.0 } - if sample < 0.0 { 1.0_f32 } else { 0.0 };
    let differ = |a: f32, b: f32| (sign(a) - sign(b)).abs().min(1.0);
    let (rows, rest) = samples.get(1..).unwrap_or_default().as_chunks::<WIDE>();
    let mut lanes = [0.0_f32; WIDE];
    for (before, after) in samples.as_chunks::<WIDE>().0.iter().zip(rows) {
        for lane in 0..WIDE {
            lanes[lane] += differ(before[lane], after[lane]);
        }
    }
    let tail = samples[samples.len().saturating_sub(rest.len() + 1)..].windows(2).map(|pair| differ(pair[0], pair[1]));
    f64::from(lanes.into_iter().sum::<f32>() + tail.sum::<f32>())
}

/// Sums over the bins of a power spectrum.
struct Shape {
    energy: f64,
    /// Power times bin.
    first: f64,
    /// Power times bin squared.
    second: f64,
    /// Natural logarithms of the power.
    logarithms: f64,
    largest: f32,
}

/// Bins taken side by side.
const LANES: usize = 8;
/// Factors whose product a double can hold, of powers between 1e-12 and 1e12.
const FACTORS: usize = 16;

#[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
fn shape(power: &[f32]) -> Shape {
    let mut sums = [[0.0_f64; LANES]; 3];
    let mut largest = [0.0_f32; LANES];
    let mut logarithm = Logarithm::default();
    // The logarithm of a product costs less than a sum of logarithms.
    for (i, block) in power.chunks(LANES * FACTORS).enumerate() {
        let mut product = [1.0_f64; LANES];
        let (rows, rest) = block.as_chunks::<LANES>();
        for (j, row) in rows.iter().enumerate() {
            let bin = (i * LANES * FACTORS + j * LANES) as f64;
            for lane in 0..LANES {
                let (value, bin) = (f64::from(row[lane]), bin + lane as f64);
                sums[0][lane] += value;
                sums[1][lane] += value * bin;
                sums[2][lane] += value * bin * bin;
                product[lane] *= value;
                largest[lane] = if row[lane] > largest[lane] { row[lane] } else { largest[lane] };
            }
        }
        for (j, value) in rest.iter().enumerate() {
            let (wide, bin) = (f64::from(*value), (i * LANES * FACTORS + rows.len() * LANES + j) as f64);
            sums[0][j] += wide;
            sums[1][j] += wide * bin;
            sums[2][j] += wide * bin * bin;
            product[j] *= wide;
            largest[j] = largest[j].max(*value);
        }
        logarithm.add(product);
    }
    let [energy, first, second] = sums.map(|lanes| lanes.iter().sum());
    let largest = largest.into_iter().fold(0.0, f32::max);
    Shape { energy, first, second, logarithms: logarithm.natural(), largest }
}

/// A sum over values, several at a time.
fn sum(values: &[f32], of: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let (rows, rest) = values.as_chunks::<LANES>();
    for row in rows {
        for (lane, value) in lanes.iter_mut().zip(row) {
            *lane += of(f64::from(*value));
        }
    }
    lanes.into_iter().sum::<f64>() + rest.iter().map(|value| of(f64::from(*value))).sum::<f64>()
}

/// The first bins below and at which lies more than half, and more than 85 %, of the energy.
fn roll_offs(power: &[f32], energy: f64) -> [f64; 2] {
    const BLOCK: usize = 4 * LANES;
    let mut below = 0.0;
    let mut found = [0.0; 2];
    let mut bin = 0;
    for (share, found) in [0.5, 0.85].into_iter().zip(&mut found) {
        while let Some(block) = power.get(bin..bin + BLOCK).map(|block| sum(block, |power| power))
            && below + block <= share * energy
        {
            below += block;
            bin += BLOCK;
        }
        while bin < power.len() && below + f64::from(power[bin]) <= share * energy {
            below += f64::from(power[bin]);
            bin += 1;
        }
        *found = bin as f64;
    }
    found
}

/// Mean over bins of the rise of the logarithm to base 10.
#[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
fn rise(power: &[f32], last: &[f32]) -> f64 {
    // Where the power has fallen, both factors are the same, so the rise is zero.
    let factors = |now: f32, then: f32| [if now > then { now } else { then }, then].map(|p| f64::from(p + FLUX_FLOOR));
    let mut logarithm = Logarithm::default();
    for (now, then) in power.chunks(LANES * FACTORS).zip(last.chunks(LANES * FACTORS)) {
        let (mut higher, mut before) = ([1.0_f64; LANES], [1.0_f64; LANES]);
        let ((rows, rest), (rows_before, rest_before)) = (now.as_chunks::<LANES>(), then.as_chunks::<LANES>());
        for (now, then) in rows.iter().zip(rows_before) {
            for lane in 0..LANES {
                let [up, from] = factors(now[lane], then[lane]);
                higher[lane] *= up;
                before[lane] *= from;
            }
        }
        for (lane, (now, then)) in rest.iter().zip(rest_before).enumerate() {
            let [up, from] = factors(*now, *then);
            higher[lane] *= up;
            before[lane] *= from;
        }
        logarithm.add(std::array::from_fn(|lane| higher[lane] / before[lane]));
    }
    logarithm.natural() / std::f64::consts::LN_10 / power.len() as f64
}

/// The logarithm of a product of many normal numbers, kept as mantissas from 1 to 2 and the sum of their exponents, so
/// that one logarithm serves for all.
struct Logarithm {
    mantissas: [f64; LANES],
    exponents: i64,
}

impl Default for Logarithm {
    fn default() -> Self {
        Self { mantissas: [1.0; LANES], exponents: 0 }
    }
}

impl Logarithm {
    /// Multiplies; of up to a hundred numbers in a lane the product of all mantissas is finite.
    fn add(&mut self, factors: [f64; LANES]) {
        const FRACTION: u32 = f64::MANTISSA_DIGITS - 1;
        const BIAS: i64 = 1023;
        for (mantissa, factor) in self.mantissas.iter_mut().zip(factors) {
            let bits = factor.to_bits();
            self.exponents += (bits >> FRACTION).cast_signed() - BIAS;
            *mantissa *= f64::from_bits(bits & ((1 << FRACTION) - 1) | BIAS.cast_unsigned() << FRACTION);
        }
    }

    /// The natural logarithm of the product.
    fn natural(&self) -> f64 {
        self.mantissas.iter().product::<f64>().ln() + self.exponents as f64 * std::f64::consts::LN_2
    }
}

/// Values 30 to 35, and 46.
fn temporal(sound: &[f32], peak: f64) -> ([f64; 6], f64) {
    let envelope: Vec<f64> = sound.chunks(ENVELOPE).map(|part| f64::from(largest(part)) / peak).collect();
    let step = ENVELOPE as f64 / f64::from(RATE);
    let top = envelope.iter().copied().fold(0.0, f64::max);
    let peak_at = envelope.iter().position(|value| *value >= top).unwrap_or(0);
    let begins = envelope.iter().position(|value| *value > 0.2 * top).unwrap_or(0);
    let whole: f64 = envelope.iter().sum();
    let moment: f64 = envelope.iter().enumerate().map(|(i, value)| i as f64 * value).sum();
    let above = |bar: f64| envelope.iter().filter(|value| **value > bar).count() as f64;
    let steps = [peak_at.saturating_sub(begins) as f64, moment / whole, above(0.5), above(0.1), above(0.01)];
    let [attack, middle, half, tenth, hundredth] = steps.map(|steps| (0.005 + steps * step).log10());
    let length = (sound.len() as f64 / f64::from(RATE)).log10();
    let square = sum(sound, |sample| sample * sample) / sound.len() as f64;
    ([attack, middle, half, tenth, hundredth, length], (1e-4 + square.sqrt() / peak).log10())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(sound: &[f32]) -> [f32; COUNT] {
        Describer::new(Filter::AnyHighQuality).measure(sound)
    }

    fn tone(hz: f32, seconds: f32) -> Vec<f32> {
        let count = (seconds * 44_100.0).round();
        (0..).map_while(|n: u16| (f32::from(n) < count).then(|| (f32::from(n) * hz * 1.424_758_6e-4).sin())).collect()
    }

    #[test]
    fn a_tone_lies_at_its_frequency_and_lasts_its_time() {
        let values = describe(&tone(1000.0, 1.0));
        for place in [0, 2, 3, 14, 21] {
            assert!((values[place] - 3.0).abs() < 0.02, "{}: {}", ABOUT[place].name, values[place]);
        }
        assert!(values[35].abs() < 1e-3 && (values[34] - 1.005_f32.log10()).abs() < 0.01, "{values:?}");
        // All of the energy is between 500 Hz and 2 kHz; a sine's root mean square is 0.707 of its peak.
        assert!(values[41].max(values[40]) > -0.35 && values[36] < -3.0 && values[45] < -3.0, "{values:?}");
        assert!((values[46] - 0.707_f32.log10()).abs() < 1e-3);
    }

    #[test]
    fn level_does_not_count() {
        let sound = tone(300.0, 0.3);
        let softer: Vec<f32> = sound.iter().map(|s| s * 0.031).collect();
        let (a, b) = (describe(&sound), describe(&softer));
        // What floating point leaves between harmonics differs; nothing that is heard does.
        a.iter().zip(&b).zip(&ABOUT).for_each(|((a, b), about)| {
            assert!((a - b).abs() < 0.2 * about.spread, "{}: {a} and {b}", about.name);
        });
    }

    #[test]
    fn whatever_is_heard_every_value_is_a_number() {
        for sound in
            [vec![], vec![1.0], vec![0.0; 3000], vec![0.5; 3000], vec![1e-20; 10], vec![-1.0, 1.0, f32::MIN_POSITIVE]]
        {
            assert!(describe(&sound).iter().all(|value| value.is_finite()), "{} samples", sound.len());
        }
    }
}
