//! What one pass over a sound yields, block by block, whether it is read from a file or being recorded: length, thumbnail,
//! loudness, peak and brightness come from all of it, and an excerpt is kept for the model.

use crate::excerpt::{Again, Excerpt, Heard};
use crate::features::{Centroid, Measures, Meter, largest};
use crate::pyramid::{Pyramid, Thumbnail};
use crate::{Frames, Hz, Pcm, SILENCE, Seconds, downmix};

/// Most frames for which memory is reserved because a header states them.
const MOST_EXPECTED: usize = 1 << 19;

/// What a format says of a sound, and its length as decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// Frames that could be decoded.
    pub frames: Frames,
    /// Sample rate.
    pub rate: Hz,
    /// Number of channels.
    pub channels: u32,
    /// Short name of the codec, such as `flac` or `pcm_s16le`.
    pub codec: String,
}

impl StreamInfo {
    /// Its length.
    pub fn seconds(&self) -> Seconds {
        self.frames.at(self.rate)
    }
}

/// Everything one pass over a file yields.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Format and length.
    pub info: StreamInfo,
    /// Thumbnail.
    pub thumbnail: Box<Thumbnail>,
    /// Measures.
    pub features: Measures,
    /// Audio for the model.
    pub pcm: Pcm,
    /// Set where the excerpt for the model is shorter than it could be.
    pub again: Option<Rehearing>,
    /// Packets that were corrupt and left out.
    pub skipped: usize,
}

/// Gathers what one pass over a sound yields, block by block, from a file or while it is being recorded.
pub struct StreamAnalysis {
    rate: Hz,
    channels: usize,
    meter: Meter,
    mono: Vec<f32>,
    mean: Channel,
    /// The first channel, for as long as the mean is silent: channels of opposite phase cancel each other out.
    first: Option<Channel>,
    silent: bool,
    /// Frames that are kept for the model.
    room: usize,
    frames: u64,
}

/// What is gathered of one channel, or of the mean of all.
struct Channel {
    wave: Pyramid,
    centroid: Centroid,
    excerpt: Excerpt,
}

impl Channel {
    fn new(room: usize) -> Self {
        Self { wave: Pyramid::thumbnail_only(), centroid: Centroid::default(), excerpt: Excerpt::new(room) }
    }

    fn add(&mut self, samples: &[f32]) {
        self.centroid.add(samples);
        self.wave.add(samples);
        self.excerpt.add(samples);
    }
}

impl StreamAnalysis {
    /// Begins a sound whose first `keep` are kept for the model.
    pub fn new(rate: Hz, channels: usize, keep: Seconds) -> Self {
        let room = usize::try_from(keep.frames(rate).0).unwrap_or(usize::MAX);
        Self {
            rate,
            channels,
            meter: Meter::new(rate, channels),
            mono: Vec::new(),
            mean: Channel::new(room),
            first: None,
            silent: true,
            room,
            frames: 0,
        }
    }

    /// Reserves memory for what is kept of this many frames.
    #[must_use]
    pub fn expecting(mut self, frames: Frames) -> Self {
        let kept = usize::try_from(frames.0).unwrap_or(usize::MAX).min(self.room).min(MOST_EXPECTED);
        self.mean.excerpt.reserve(kept);
        self
    }

    /// Adds interleaved frames.
    pub fn add(&mut self, interleaved: &[f32]) {
        downmix(interleaved, self.channels, &mut self.mono);
        self.meter.add(interleaved);
        self.mean.add(&self.mono);
        self.silent = self.silent && largest(&self.mono) < SILENCE;
        if !self.silent {
            self.first = None;
        } else if self.channels > 1 {
            let first: Vec<f32> = interleaved.iter().step_by(self.channels).copied().collect();
            self.first.get_or_insert_with(|| Channel::new(self.room)).add(&first);
        }
        self.frames += self.mono.len() as u64;
    }

    /// The block that was added last, as the mean over its channels.
    pub fn mono(&self) -> &[f32] {
        &self.mono
    }

    /// Frames added so far.
    pub fn frames(&self) -> Frames {
        Frames(self.frames)
    }

    /// Format and length so far.
    pub fn info(&self, codec: &str) -> StreamInfo {
        let channels = u32::try_from(self.channels).unwrap_or(u32::MAX);
        StreamInfo { frames: self.frames(), rate: self.rate, channels, codec: codec.to_owned() }
    }

    /// Ends the sound.
    pub fn finish(self, codec: &str) -> Decoded {
        let info = self.info(codec);
        let first = self.first.filter(|first| first.excerpt.is_louder_than(SILENCE));
        let is_first = first.is_some();
        let Channel { wave, mut centroid, excerpt } = first.unwrap_or(self.mean);
        let Heard { start, samples, again } = excerpt.finish();
        let (rate, channels, room) = (self.rate, self.channels, self.room);
        Decoded {
            info,
            thumbnail: Box::new(wave.thumbnail()),
            features: self.meter.finish(centroid.centroid(rate)),
            pcm: Pcm { rate, start: start.at(rate), mono: samples },
            again: again.map(|again| Rehearing::new(rate, channels, is_first, room, again)),
            skipped: 0,
        }
    }
}

/// Hears a sound again, of which not all could be kept before its peak was known.
#[derive(Clone, Debug)]
pub struct Rehearing {
    rate: Hz,
    channels: usize,
    /// Whether the first channel is heard instead of the mean of all.
    is_first: bool,
    from: Frames,
    mono: Vec<f32>,
    excerpt: Excerpt,
}

impl Rehearing {
    fn new(rate: Hz, channels: usize, is_first: bool, room: usize, again: Again) -> Self {
        Self { rate, channels, is_first, from: again.from, mono: Vec::new(), excerpt: Excerpt::again(room, again) }
    }

    /// The frame to begin at.
    pub fn from(&self) -> Frames {
        self.from
    }

    /// Tells whether it has heard enough.
    pub fn is_full(&self) -> bool {
        self.excerpt.is_full()
    }

    /// Adds interleaved frames.
    pub fn add(&mut self, interleaved: &[f32]) {
        if self.is_first {
            self.mono.clear();
            self.mono.extend(interleaved.iter().step_by(self.channels));
        } else {
            downmix(interleaved, self.channels, &mut self.mono);
        }
        self.excerpt.add(&self.mono);
    }

    /// Audio for the model.
    pub fn finish(self) -> Pcm {
        let Heard { start, samples, .. } = self.excerpt.finish();
        Pcm { rate: self.rate, start: start.at(self.rate), mono: samples }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn analysed(channels: usize, interleaved: &[f32]) -> Decoded {
        let mut analysis = StreamAnalysis::new(Hz(8000), channels, Seconds(0.5));
        interleaved.chunks(channels * 1000).for_each(|block| analysis.add(block));
        analysis.finish("")
    }

    #[test]
    fn channels_that_cancel_each_other_out_are_heard_by_the_first() {
        let silence = std::iter::repeat_n(0.0, 5000);
        let tone: Vec<f32> = silence.chain((0..9000).map(|n| (n as f32 * 0.3).sin() * 0.5)).collect();
        let alone = analysed(1, &tone);
        let stereo: Vec<f32> = tone.iter().flat_map(|s| [*s, -s]).collect();
        let opposite = analysed(2, &stereo);
        assert_eq!(opposite.pcm.mono, alone.pcm.mono);
        // The tone begins with a zero.
        assert_eq!((opposite.pcm.start, opposite.info.frames), (Frames(5001).at(Hz(8000)), Frames(14_000)));
        assert_eq!(opposite.thumbnail, alone.thumbnail);
        assert!((opposite.features.brightness_hz - alone.features.brightness_hz).abs() < f32::EPSILON);
        // What is heard in the mean is the mean from the start, even if it begins with channels of opposite phase.
        let then = [&stereo[..], &[0.4; 2000]].concat();
        let mean: Vec<f32> = then.as_chunks::<2>().0.iter().map(|[l, r]| (l + r) * 0.5).collect();
        assert_eq!(analysed(2, &then).pcm.mono, analysed(1, &mean).pcm.mono);
        assert_eq!(analysed(2, &then).thumbnail, analysed(1, &mean).thumbnail);
        assert!(analysed(2, &vec![0.0; 9000]).pcm.mono.iter().all(|s| *s == 0.0));
    }
}
