//! The part of a sound that the model hears: its first seconds, without the silence at its ends.
//!
//! Silence is what stays further below the sound's own peak than [`INAUDIBLE`], sample by sample, from either end on; within
//! the sound nothing is left out. The peak is that of the whole sound, so that a copy with silence around it, at another level
//! or with a longer tail that nobody hears, is the same to the model. A fade is heard down to that level; noise that lies
//! above it is part of the sound.
//!
//! While a sound is read, its peak so far says what is surely silence, since it can only grow. Where it has grown after
//! frames had to be left out, the excerpt is shorter than it could be, and [`Excerpt::finish`] says from where it has to be
//! heard again, now that the peak is known.

use crate::Frames;
use crate::features::largest;

/// A sample this much smaller than the peak is not heard: 60 dB.
pub const INAUDIBLE: f32 = 1e-3;
/// An excerpt that is shorter than it could be by this share is as good.
const SHORTER: usize = 500;

/// Gathers the excerpt of one channel.
#[derive(Clone, Debug)]
pub struct Excerpt {
    /// Frames that are kept at most.
    room: usize,
    samples: Vec<f32>,
    /// Frame of the sound at which they start.
    start: u64,
    /// Largest sample so far.
    peak: f32,
    /// Frames behind them have been left out, so that nothing can follow them any more.
    full: bool,
}

/// From where and how a sound has to be heard again for its whole excerpt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Again {
    /// The frame at which the excerpt starts, or one before it.
    pub from: Frames,
    /// Peak of the whole sound.
    pub peak: f32,
}

/// What was gathered.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Frame of the sound at which the excerpt starts.
    pub start: Frames,
    /// Its samples.
    pub samples: Vec<f32>,
    /// Set where more of it could be had.
    pub again: Option<Again>,
}

impl Excerpt {
    /// Begins a sound of which `room` frames are kept.
    pub fn new(room: usize) -> Self {
        Self { room, samples: Vec::new(), start: 0, peak: 0.0, full: false }
    }

    /// Begins to hear a sound again.
    pub fn again(room: usize, Again { from, peak }: Again) -> Self {
        Self { start: from.0, peak, ..Self::new(room) }
    }

    /// Reserves memory for this many frames.
    pub fn reserve(&mut self, frames: usize) {
        self.samples.reserve_exact(frames);
    }

    /// Tells whether there was anything louder than `level`.
    pub fn is_louder_than(&self, level: f32) -> bool {
        self.peak >= level
    }

    /// Tells whether more of the sound would change nothing but its peak.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Adds what follows.
    pub fn add(&mut self, mut samples: &[f32]) {
        self.peak = self.peak.max(largest(samples));
        while !samples.is_empty() && !self.full {
            if self.samples.len() >= self.room {
                let quiet = self.quiet();
                self.samples.drain(..quiet);
                self.start += quiet as u64;
            }
            let (taken, rest) = samples.split_at(samples.len().min(self.room - self.samples.len()));
            self.full = taken.is_empty();
            self.samples.extend_from_slice(taken);
            samples = rest;
        }
    }

    /// Ends the sound.
    pub fn finish(mut self) -> Heard {
        let (quiet, peak) = (self.quiet(), self.peak);
        let end = self.samples.iter().rposition(|sample| self.is_heard(*sample)).map_or(quiet, |last| last + 1);
        self.samples.truncate(end);
        self.samples.drain(..quiet);
        let start = Frames(self.start + quiet as u64);
        let again = (self.full && quiet > self.room / SHORTER).then_some(Again { from: start, peak });
        Heard { start, samples: self.samples, again }
    }

    fn is_heard(&self, sample: f32) -> bool {
        sample.abs() > self.peak * INAUDIBLE
    }

    /// Frames at the start that are not heard.
    fn quiet(&self) -> usize {
        self.samples.iter().position(|sample| self.is_heard(*sample)).unwrap_or(self.samples.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(room: usize, sound: &[f32], block: usize) -> Heard {
        let mut excerpt = Excerpt::new(room);
        sound.chunks(block).for_each(|block| excerpt.add(block));
        excerpt.finish()
    }

    /// Hears a sound again until nothing more of it can be had.
    fn whole(room: usize, sound: &[f32], block: usize) -> Heard {
        let first = heard(room, sound, block);
        let Some(again) = first.again else { return first };
        let mut excerpt = Excerpt::again(room, again);
        sound[usize::try_from(again.from.0).unwrap()..].chunks(block).for_each(|block| excerpt.add(block));
        let second = excerpt.finish();
        assert_eq!(second.again, None, "twice is enough");
        second
    }

    #[test]
    fn silence_at_the_ends_does_not_count_whatever_the_level() {
        let sound = [0.5, 0.0, -0.25, 0.001, 0.1];
        for (before, after) in [(0, 0), (3, 0), (0, 3), (4000, 5000)] {
            for level in [1.0, 0.01] {
                let padded: Vec<f32> = [vec![0.0; before], sound.to_vec(), vec![0.0; after]].concat();
                let padded: Vec<f32> = padded.iter().map(|sample| sample * level).collect();
                let Heard { start, samples, again } = heard(100, &padded, 64);
                assert_eq!((start, again), (Frames(before as u64), None));
                assert_eq!(samples, sound.map(|sample| sample * level));
            }
        }
    }

    #[test]
    fn what_lies_sixty_decibels_below_the_peak_is_not_heard_at_the_ends() {
        let sound = [0.000_4, -0.000_6, 0.0, 0.5, 0.000_6, 0.000_4];
        assert_eq!(heard(100, &sound, 2).samples, sound[1..5]);
        assert!(heard(100, &[0.0; 50], 7).samples.is_empty());
    }

    #[test]
    fn a_start_that_turns_out_to_be_quiet_is_heard_again_from_where_the_sound_begins() {
        // Ten frames of noise fill all the room before the sound begins.
        let noise = [0.000_4, -0.000_3].repeat(10);
        let sound: Vec<f32> = [noise, vec![0.5; 30]].concat();
        let first = heard(10, &sound, 3);
        assert_eq!((first.samples.len(), first.again), (0, Some(Again { from: Frames(10), peak: 0.5 })));
        assert_eq!(whole(10, &sound, 3), Heard { start: Frames(20), samples: vec![0.5; 10], again: None });
    }

    proptest! {
        #[test]
        fn in_any_blocks_it_is_the_first_of_what_is_heard(
            sound in prop::collection::vec(prop_oneof![Just(0.0_f32), Just(0.000_4), Just(0.9), Just(0.02), Just(-0.000_02)], 0..80),
            room in 1..40_usize,
            block in 1..20_usize,
        ) {
            let peak = largest(&sound);
            let is_heard = |sample: &f32| sample.abs() > peak * INAUDIBLE;
            let first = sound.iter().position(is_heard).unwrap_or(sound.len());
            let kept = &sound[first..sound.len().min(first + room)];
            let end = kept.iter().rposition(is_heard).map_or(0, |last| last + 1);
            let found = whole(room, &sound, block);
            prop_assert_eq!(found.samples, &kept[..end]);
            prop_assert!(end == 0 || found.start == Frames(first as u64));
        }
    }
}
