//! The input's level: the peak of the moment, the highest of the last seconds, and whether it ever clipped.

use bevy::prelude::*;
use dsp::Hz;

/// How long the highest peak is held, in seconds.
const HOLD: f64 = 2.0;
/// A sample at least this large is taken for clipped: the largest one of 16 bits.
const CLIPPED: f32 = 32_767.0 / 32_768.0;
/// The lowest level that is told, in dBFS.
const FLOOR: f32 = -120.0;

/// The level of what comes in, for each channel that is recorded; no channels while nobody listens.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Level {
    /// Highest peak since the last change, in dBFS.
    pub peak_db: Vec<f32>,
    /// Highest peak of the last two seconds, in dBFS.
    pub hold_db: Vec<f32>,
    /// Whether full scale was reached since the last reset.
    pub clipped: bool,
}

/// Measures it.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    now: Vec<f32>,
    /// The highest, and for how many more frames.
    held: Vec<(f32, f64)>,
    clipped: bool,
}

impl Peaks {
    /// Begins anew with so many channels.
    pub fn restart(&mut self, channels: usize) {
        *self = Self { now: vec![0.0; channels], held: vec![(0.0, 0.0); channels], clipped: self.clipped };
    }

    /// Adds interleaved frames.
    pub fn add(&mut self, interleaved: &[f32], rate: Hz) {
        let frames = interleaved.len() / self.now.len().max(1);
        for (channel, (now, held)) in self.now.iter_mut().zip(&mut self.held).enumerate() {
            let own = interleaved.iter().skip(channel).step_by(interleaved.len() / frames.max(1));
            let peak = own.fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            *now = now.max(peak);
            held.1 -= frames as f64;
            if peak >= held.0 || held.1 < 0.0 {
                *held = (peak, HOLD * f64::from(rate));
            }
            self.clipped |= peak >= CLIPPED;
        }
    }

    /// Forgets that it clipped.
    pub fn unclip(&mut self) {
        self.clipped = false;
    }

    /// Takes the current level; the next peak is measured from here on.
    pub fn take(&mut self) -> Level {
        let db = |peak: f32| (20.0 * peak.log10()).max(FLOOR);
        let peak_db = self.now.iter_mut().map(|now| db(std::mem::take(now))).collect();
        Level { peak_db, hold_db: self.held.iter().map(|held| db(held.0)).collect(), clipped: self.clipped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_peak_is_held_for_a_while_and_clipping_until_it_is_forgotten() {
        let mut peaks = Peaks::default();
        peaks.restart(2);
        peaks.add(&[0.5, 0.1, -1.0, 0.0], Hz(100));
        let level = peaks.take();
        assert!(level.peak_db[0].abs() < 1e-4 && (level.peak_db[1] + 20.0).abs() < 1e-4 && level.clipped);
        peaks.add(&[0.1; 200], Hz(100));
        let level = peaks.take();
        assert!((level.peak_db[0] + 20.0).abs() < 1e-4 && level.hold_db[0].abs() < 1e-4, "{level:?}");
        peaks.unclip();
        peaks.add(&[0.1; 400], Hz(100));
        let level = peaks.take();
        assert!((level.hold_db[0] + 20.0).abs() < 1e-4 && !level.clipped, "{level:?}");
    }
}
