//! Which sounds are one and the same recording, at another level, polarity, rate or codec, or with more silence around it.
//!
//! What sounds alike may well be another recording, and a codec moves a vector further than another take of the same drum
//! does, so the waveforms themselves are compared: their correlation at the best shift, below [`TOP`] Hz, and within each of
//! a few bands, since a loop with its bass drum alone correlates with the whole one. It follows from spectra over a common
//! period, whose bins lie at the same frequencies for every sample rate. Of several channels their mean is compared.
//!
//! No shift can raise a correlation above the product of the magnitudes, nor above that of the magnitudes gathered in bands
//! (Cauchy and Schwarz). A [`Fingerprint`] holds these bands, and rules out all but a few pairs by one product of 157 numbers;
//! noises of one colour, which it cannot tell apart, fall to the magnitudes themselves.

use std::f32::consts::FRAC_PI_2;

use dsp::vector::dot;
use dsp::{Pcm, SILENCE};
use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// Seconds of a sound that are compared, from its start.
pub const HEARD: f64 = 20.0;
/// Frequencies that are compared, in Hz: below them lie offsets, above them codecs and low rates leave little.
pub const BOTTOM: usize = 20;
/// See [`BOTTOM`].
pub const TOP: usize = 10_000;
/// Longest shift in seconds: silence before the sound, or a codec's delay.
const SHIFT: f64 = 0.25;
/// Bands of a [`Fingerprint`] for an octave, none narrower than [`NARROWEST`].
const PER_OCTAVE: f64 = 24.0;
/// In Hz.
const NARROWEST: f64 = 8.0;
/// Tolerance, because the bands of two periods are not quite the same.
const SLACK: f32 = 0.02;
/// Upper ends of the bands in which copies have to match as well, in Hz.
const PARTS: [usize; 6] = [250, 700, 1500, 3000, 6000, TOP];
/// A band counts if it holds this share of the energy of either.
const NOTABLE: f32 = 1e-3;
/// Least correlation within a band that counts: copies reach it after any codec, other sounds do not.
const WITHIN: f32 = 0.7;
/// Share of a sound's energy between [`BOTTOM`] and [`TOP`], at least: a mere residue is not compared.
const COMPARED: f64 = 0.1;
/// Bands between [`BOTTOM`] and [`TOP`].
const BANDS: usize = 157;
/// A multiple of what [`dot`] multiplies side by side.
const LANES: usize = 32;

/// The share of each band in a sound, as the square root of its energy: a unit vector, and zeros up to whole lanes.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint([f32; BANDS.next_multiple_of(LANES)]);

impl Fingerprint {
    /// Tells whether two sounds may reach a correlation.
    pub fn may_reach(&self, other: &Self, correlation: f32) -> bool {
        dot(&self.0, &other.0) >= correlation - SLACK
    }
}

/// A sound's bins up to [`TOP`] Hz over a period of whole seconds, as a unit vector.
#[derive(Clone, Debug)]
pub struct Spectrum {
    period: usize,
    bins: Vec<Complex<f32>>,
    /// Up to here its sample rate lets it be compared, in Hz.
    top: usize,
}

/// Returns the period in seconds within which a sound can be shifted against another that is no longer.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds, positive")]
pub fn period(pcm: &Pcm) -> usize {
    let seconds = pcm.mono.len() as f64 / f64::from(pcm.rate);
    ((seconds + SHIFT).ceil() as usize).next_power_of_two()
}

/// Compares waveforms; keeps the tables of its transforms.
pub struct Comparer {
    planner: RealFftPlanner<f32>,
    edges: Vec<f64>,
}

impl Default for Comparer {
    fn default() -> Self {
        let ratio = (1.0 / PER_OCTAVE).exp2();
        let next = |edge: &f64| Some((edge * ratio).max(edge + NARROWEST));
        let edges = std::iter::successors(Some(BOTTOM as f64), next).take_while(|edge| *edge < TOP as f64).collect();
        Self { planner: RealFftPlanner::new(), edges }
    }
}

impl Comparer {
    /// Analyses a sound over a period of at least its own; none if there is hardly anything between [`BOTTOM`] and [`TOP`].
    pub fn spectrum(&mut self, pcm: &Pcm, period: usize) -> Option<Spectrum> {
        let length = usize::try_from(pcm.rate.0).ok()? * period;
        let transform = self.planner.plan_fft_forward(length);
        let mut sound = pcm.mono.clone();
        sound.resize(length, 0.0);
        let mut bins = transform.make_output_vec();
        transform.process(&mut sound, &mut bins).ok()?;
        let energy = |bins: &[Complex<f32>]| bins.iter().map(|bin| f64::from(bin.norm_sqr())).sum::<f64>();
        let all = energy(&bins);
        bins.truncate(TOP * period);
        bins.shrink_to_fit();
        let below = bins.len().min(BOTTOM * period);
        bins[..below].fill(Complex::default());
        let energy = energy(&bins);
        // The energy of a bin grows with the square of the sounding samples at least.
        if !energy.is_finite() || energy < f64::from(SILENCE).powi(2) || energy < COMPARED * all {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "not zero, not infinite")]
        let scale = (1.0 / energy.sqrt()) as f32;
        bins.iter_mut().for_each(|bin| *bin *= scale);
        // Resamplers fade out the last tenth below the Nyquist frequency.
        let top = usize::try_from(pcm.rate.0).ok()? * 9 / 20;
        Some(Spectrum { period, bins, top })
    }

    /// Gathers a sound's energy in bands; none if it has no spectrum.
    pub fn fingerprint(&mut self, pcm: &Pcm) -> Option<Fingerprint> {
        // Over its period alone, bands would end where the bins of a longer one do not.
        let spectrum = self.spectrum(pcm, 2 * period(pcm))?;
        let mut bands = [0.0; BANDS.next_multiple_of(LANES)];
        let mut band = 0;
        for (k, bin) in spectrum.bins.iter().enumerate() {
            let frequency = k as f64 / spectrum.period as f64;
            while self.edges.get(band + 1).is_some_and(|edge| *edge <= frequency) {
                band += 1;
            }
            bands[band] += bin.norm_sqr();
        }
        Some(Fingerprint(bands.map(f32::sqrt)))
    }

    /// Returns the correlation of two sounds, of either polarity, at the best shift, if it is at least `least` and no band
    /// speaks against it. Their periods must be the same.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "fewer samples than the period has")]
    pub fn correlation(&mut self, a: &Spectrum, b: &Spectrum, least: f32) -> Option<f32> {
        let pairs = || a.bins.iter().zip(&b.bins);
        if pairs().map(|(a, b)| (a.norm_sqr() * b.norm_sqr()).sqrt()).sum::<f32>() < least {
            return None;
        }
        // At least three samples for the shortest wave, so that a parabola finds its peak.
        let length = (2 * TOP * a.period + 1).next_power_of_two() * 2;
        let transform = self.planner.plan_fft_inverse(length);
        let mut product = transform.make_input_vec();
        for (out, (a, b)) in product.iter_mut().zip(pairs()) {
            *out = a * b.conj();
        }
        let mut shifted = transform.make_output_vec();
        transform.process(&mut product, &mut shifted).ok()?;
        let furthest = (SHIFT * length as f64 / a.period as f64) as usize;
        let at = |place: usize| shifted[place % length].abs();
        let places = (0..=furthest).chain(length - furthest..length);
        let best = places.max_by(|x, y| at(*x).total_cmp(&at(*y)))?;
        let (beside, peak) = summit([best + length - 1, best, best + 1].map(at));
        // The inverse transform counts each bin twice, the unit vectors each once.
        let correlation = (peak / 2.0).clamp(0.0, 1.0);
        let shift = (best as f64 + f64::from(beside)) / length as f64 * a.period as f64;
        let sign = shifted[best].signum();
        (correlation >= least && alike_in_bands(a, b, shift, sign)).then_some(correlation)
    }
}

/// Where the parabola through three neighbours has its top, from the middle one on, and how high it is; the middle one
/// itself where another is higher, as at the end of a range beyond which the curve still rises.
fn summit([before, top, after]: [f32; 3]) -> (f32, f32) {
    let bend = before - 2.0 * top + after;
    if bend < 0.0 && top >= before.max(after) {
        ((before - after) / (2.0 * bend), top - (before - after).powi(2) / (8.0 * bend))
    } else {
        (0.0, top)
    }
}

/// Tells whether two sounds, one of them shifted by so many seconds and multiplied by `sign`, are alike in every band that
/// counts.
fn alike_in_bands(a: &Spectrum, b: &Spectrum, shift: f64, sign: f32) -> bool {
    let mut from = 0;
    PARTS.into_iter().all(|end| {
        let to = end * a.period;
        let range = std::mem::replace(&mut from, to)..to;
        // A band above the reach of either sample rate cannot be judged.
        if end > a.top.min(b.top) {
            return true;
        }
        let (mut product, mut energies) = (Complex::<f32>::default(), [0.0_f32; 2]);
        let turn = Complex::from_polar(1.0, std::f64::consts::TAU * shift / a.period as f64);
        let mut turned = Complex::from_polar(1.0, std::f64::consts::TAU * shift / a.period as f64 * range.start as f64);
        for k in range {
            let (Some(a), Some(b)) = (a.bins.get(k), b.bins.get(k)) else { break };
            #[expect(clippy::cast_possible_truncation, reason = "of unit length")]
            let rotation = Complex::new(turned.re as f32, turned.im as f32);
            product += a * b.conj() * rotation;
            energies[0] += a.norm_sqr();
            energies[1] += b.norm_sqr();
            turned *= turn;
        }
        energies[0].max(energies[1]) < NOTABLE
            || product.re * sign >= WITHIN * (energies[0] * energies[1]).sqrt().max(f32::MIN_POSITIVE)
    })
}

/// Similarity of two recordings from their correlation: the correlation of either with the mean of both, 0..=1.
pub fn similarity(correlation: f32) -> f32 {
    (correlation.clamp(0.0, 1.0).acos().min(FRAC_PI_2) / 2.0).cos()
}

/// The correlation behind a [`similarity`].
pub fn correlation(similarity: f64) -> f64 {
    2.0 * similarity * similarity - 1.0
}

/// Sounds that are one recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Duplicates {
    /// Their places among the sounds asked about, in order.
    pub places: Vec<usize>,
    /// Similarity of the least similar link that joined the group, in 0..=1.
    pub similarity: f32,
}

/// Groups `count` sounds by links (single linkage), each two places and their similarity; the most similar come first.
pub fn duplicates(count: usize, links: &[(usize, usize, f32)]) -> Vec<Duplicates> {
    let mut leaders: Vec<usize> = (0..count).collect();
    let mut least = vec![f32::INFINITY; count];
    for (a, b, similarity) in links {
        let (a, b) = (leader(&mut leaders, *a), leader(&mut leaders, *b));
        least[a] = least[a].min(least[b]).min(*similarity);
        leaders[b] = a;
    }
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); count];
    for place in 0..count {
        groups[leader(&mut leaders, place)].push(place);
    }
    let groups = groups.into_iter().zip(least).filter(|(places, _)| places.len() > 1);
    let mut duplicates: Vec<Duplicates> =
        groups.map(|(places, similarity)| Duplicates { places, similarity }).collect();
    duplicates.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then_with(|| a.places.cmp(&b.places)));
    duplicates
}

/// The member that stands for a group (union-find with halved paths).
fn leader(leaders: &mut [usize], mut place: usize) -> usize {
    while leaders[place] != place {
        leaders[place] = leaders[leaders[place]];
        place = leaders[place];
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use dsp::resample::{Filter, Resampler};
    use dsp::{Hz, Seconds};

    const RATE: u32 = 44_100;

    /// A struck sound: partials that fade, and a burst of noise.
    fn struck(pitch: f32, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..RATE / 2)
            .map(|n| {
                let t = n as f32 / RATE as f32;
                let tone = |partial: f32| {
                    (-4.0 * partial * t).exp() * (std::f32::consts::TAU * pitch * partial * t).sin() / partial
                };
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = state as f32 / u32::MAX as f32 - 0.5;
                0.3 * (tone(1.0) + tone(2.3) + tone(4.1)) + 0.3 * (-30.0 * t).exp() * noise
            })
            .collect()
    }

    fn pcm(mono: Vec<f32>, rate: u32) -> Pcm {
        Pcm { rate: Hz(rate), start: Seconds(0.0), mono }
    }

    /// Compares two sounds, and checks that the prints promise no less.
    fn compare(a: &Pcm, b: &Pcm) -> f32 {
        let mut comparer = Comparer::default();
        let common = period(a).max(period(b));
        let [x, y] = [a, b].map(|sound| comparer.spectrum(sound, common).unwrap());
        let correlation = comparer.correlation(&x, &y, 0.0).unwrap_or(0.0);
        let [x, y] = [a, b].map(|sound| comparer.fingerprint(sound).unwrap());
        assert!(x.may_reach(&y, correlation));
        correlation
    }

    #[test]
    fn one_recording_is_known_at_any_level_polarity_rate_and_place() {
        let sound = pcm(struck(220.0, 1), RATE);
        let turned = pcm(sound.mono.iter().map(|s| s * -0.01).collect(), RATE);
        let later = pcm([vec![0.0; 9_001], sound.mono.clone()].concat(), RATE);
        let longer = pcm([sound.mono.clone(), vec![0.0; 3 * RATE as usize]].concat(), RATE);
        assert!([&sound, &turned, &later, &longer].map(|other| compare(&sound, other)).into_iter().all(|c| c > 0.999));
        for rate in [22_050, 32_000, 48_000, 96_000] {
            let other =
                Resampler::new(Hz(rate), Filter::AnyHighQuality).convert(&sound.mono, Hz(RATE)).unwrap().into_owned();
            // Half a sample late, as a codec may be, and with its band ending where this one's rate says.
            let other = other.windows(2).map(|pair| pair[0].midpoint(pair[1])).collect();
            assert!(compare(&sound, &pcm(other, rate)) > 0.98, "{rate}");
        }
    }

    #[test]
    fn another_pitch_tempo_or_take_is_another_recording() {
        let sound = pcm(struck(220.0, 1), RATE);
        // A third of a semitone.
        assert!(compare(&sound, &pcm(struck(224.0, 1), RATE)) < 0.9);
        let noise = |seed| pcm(struck(0.0, seed), RATE);
        assert!(compare(&noise(1), &noise(2)) < 0.3);
        let hits = |every: usize| {
            let mut loop_of_hits = vec![0.0; 2 * RATE as usize];
            for (n, hit) in
                (0..5).flat_map(|hit| struck(220.0, hit).into_iter().enumerate().map(move |(n, s)| (n, (hit, s))))
            {
                if let Some(place) = loop_of_hits.get_mut(n + hit.0 as usize * every) {
                    *place += hit.1;
                }
            }
            pcm(loop_of_hits, RATE)
        };
        // 120 and 121 beats a minute.
        assert!(compare(&hits(11_025), &hits(10_934)) < 0.9);
    }

    #[test]
    fn what_holds_another_sound_besides_is_another_recording() {
        let thump = |n: usize| {
            let t = n as f32 / RATE as f32;
            (-8.0 * t).exp() * (std::f32::consts::TAU * 60.0 * t).sin()
        };
        let bare = pcm((0..RATE as usize).map(thump).collect(), RATE);
        let noise = struck(0.0, 5);
        let hissed = bare.mono.iter().enumerate().map(|(n, s)| s + noise.get(n % 11_025).unwrap_or(&0.0)).collect();
        let hissed = pcm(hissed, RATE);
        let common = period(&bare).max(period(&hissed));
        let mut comparer = Comparer::default();
        let [a, b] = [&bare, &hissed].map(|sound| comparer.spectrum(sound, common).unwrap());
        let whole: f32 = a.bins.iter().zip(&b.bins).map(|(a, b)| (a * b.conj()).re).sum();
        assert!(whole > 0.99, "as a whole they are alike: {whole}");
        assert_eq!(comparer.correlation(&a, &b, 0.9), None);
        assert!(comparer.correlation(&a, &a, 0.9).is_some() && comparer.correlation(&b, &b, 0.9).is_some());
    }

    #[test]
    fn a_top_is_found_between_samples_and_a_curve_that_still_rises_is_not_continued() {
        let parabola = |x: f32| 0.9 - 0.2 * (x - 0.3).powi(2);
        let (beside, peak) = summit([-1.0, 0.0, 1.0].map(parabola));
        assert!((beside - 0.3).abs() < 1e-5 && (peak - 0.9).abs() < 1e-5, "{beside} {peak}");
        assert_eq!(summit([0.190, 0.196, 0.2019]), (0.0, 0.196));
        assert_eq!(summit([0.2019, 0.196, 0.190]), (0.0, 0.196));
        assert_eq!(summit([0.5, 0.5, 0.5]), (0.0, 0.5));
    }

    #[test]
    fn silence_and_what_cannot_be_heard_have_no_spectrum() {
        let mut comparer = Comparer::default();
        let mut none = |mono: Vec<f32>| comparer.spectrum(&pcm(mono, RATE), 1).is_none();
        assert!(none(vec![]) && none(vec![0.0; 1000]) && none(vec![1e-9; 1000]) && none(vec![f32::NAN; 1000]));
        // Their ends click.
        let tone = |hz: f32| (0..RATE).map(|n| (std::f32::consts::TAU * hz * n as f32 / RATE as f32).sin()).collect();
        assert!(none(tone(14_000.3)) && none(tone(8.3)) && none(vec![0.25; 44_100]));
        assert_eq!(comparer.edges.len(), BANDS);
    }

    #[test]
    fn similarity_is_the_correlation_with_the_mean_and_back() {
        assert!((similarity(1.0) - 1.0).abs() < 1e-6 && (similarity(0.0) - 0.5_f32.sqrt()).abs() < 1e-6);
        for correlated in [0.5, 0.9, 0.96, 0.99] {
            assert!((correlation(similarity(correlated).into()) - f64::from(correlated)).abs() < 1e-5);
        }
    }

    #[test]
    fn what_is_linked_is_one_group_and_chains_join() {
        let groups = duplicates(7, &[(0, 2, 0.996), (1, 4, 0.999), (2, 3, 0.992)]);
        let places: Vec<&[usize]> = groups.iter().map(|duplicates| duplicates.places.as_slice()).collect();
        assert_eq!(places, [&[1, 4][..], &[0, 2, 3]]);
        assert!((groups[0].similarity - 0.999).abs() < 1e-6 && (groups[1].similarity - 0.992).abs() < 1e-6);
        assert!(duplicates(3, &[]).is_empty() && duplicates(0, &[]).is_empty());
    }
}
