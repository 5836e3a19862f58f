//! The whole waveform of a sound at every zoom: minimum and maximum of ever wider spans, for each channel.

/// Samples of all channels kept one by one; a longer sound starts with wider spans (64 MiB of 16-bit numbers).
const MOST: usize = 1 << 25;
/// The same for a sound that is still growing, which is kept a little coarser: adding to it must never take long.
const MOST_GROWING: usize = 1 << 21;
/// Spans of a level above which there is a wider one, for each channel.
const WIDER: usize = 256;
/// Spans of one level that become one of the next.
const STEP: usize = 4;

/// Minimum and maximum, scaled to 16 bits.
pub type Span = [i16; 2];

/// A waveform that can be drawn at any zoom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pyramid {
    channels: usize,
    frames: usize,
    /// Frames in a span of the lowest level.
    base: usize,
    /// Spans of each level, channels next to each other: `[spans][channels]`; each level has a quarter of the last.
    levels: Vec<Vec<Span>>,
}

/// Collects a waveform from blocks.
#[derive(Debug)]
pub struct Builder {
    channels: usize,
    frames: usize,
    base: usize,
    filled: usize,
    spans: Vec<Span>,
}

impl Builder {
    /// Begins a sound of `channels` and about `frames` frames.
    pub fn new(channels: usize, frames: u64) -> Self {
        let samples = usize::try_from(frames).unwrap_or(usize::MAX).saturating_mul(channels);
        let mut base = 1;
        while samples / base > MOST {
            base *= 2;
        }
        Self { channels, frames: 0, base, filled: 0, spans: Vec::with_capacity(samples.min(MOST) / base) }
    }

    /// Adds interleaved frames.
    pub fn add(&mut self, interleaved: &[f32]) {
        for frame in interleaved.chunks_exact(self.channels.max(1)) {
            if self.filled == 0 {
                if self.spans.len() >= 2 * MOST {
                    self.merge();
                }
                self.spans.extend(frame.iter().map(|s| [quantised(*s); 2]));
            } else {
                let from = self.spans.len() - self.channels;
                for (span, sample) in self.spans[from..].iter_mut().zip(frame) {
                    let sample = quantised(*sample);
                    *span = [span[0].min(sample), span[1].max(sample)];
                }
            }
            self.filled = (self.filled + 1) % self.base;
            self.frames += 1;
        }
    }

    /// The sound is longer than its header said: two spans become one.
    fn merge(&mut self) {
        self.spans = merged(&self.spans, self.channels, 2);
        self.base *= 2;
    }

    /// Ends the sound and builds the wider levels.
    pub fn finish(self) -> Pyramid {
        let mut levels = vec![self.spans];
        while let Some(last) = levels.last().filter(|level| level.len() > self.channels * WIDER) {
            levels.push(merged(last, self.channels, STEP));
        }
        Pyramid { channels: self.channels, frames: self.frames, base: self.base, levels }
    }
}

fn merged(spans: &[Span], channels: usize, step: usize) -> Vec<Span> {
    let groups = spans.chunks(channels.max(1) * step);
    let join = |group: &[Span], channel: usize| {
        let own = group.iter().skip(channel).step_by(channels.max(1));
        own.fold([i16::MAX, i16::MIN], |[low, high], span| [low.min(span[0]), high.max(span[1])])
    };
    groups.flat_map(|group| (0..channels).map(move |channel| join(group, channel))).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16 first")]
fn quantised(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * 32767.0).round() as i16
}

impl Pyramid {
    /// Begins a sound that grows, of `channels`.
    pub fn growing(channels: usize) -> Self {
        Self { channels, frames: 0, base: 1, levels: vec![Vec::new()] }
    }

    /// Adds interleaved frames at the end of a growing sound.
    pub fn grow(&mut self, interleaved: &[f32]) {
        let width = self.channels.max(1);
        let mut touched = self.frames / self.base;
        let Some(lowest) = self.levels.first_mut() else { return };
        for frame in interleaved.chunks_exact(width) {
            if self.frames.is_multiple_of(self.base) {
                lowest.extend(frame.iter().map(|s| [quantised(*s); 2]));
            } else {
                let from = lowest.len() - width;
                for (span, sample) in lowest[from..].iter_mut().zip(frame) {
                    let sample = quantised(*sample);
                    *span = [span[0].min(sample), span[1].max(sample)];
                }
            }
            self.frames += 1;
        }
        while self.levels[0].len() > MOST_GROWING {
            self.levels = vec![merged(&self.levels[0], width, 2)];
            self.base *= 2;
            touched = 0;
        }
        // Only the spans above what was added are made anew.
        for level in 1..self.levels.len() {
            let from = touched - touched % STEP;
            let wider = merged(&self.levels[level - 1][from * width..], width, STEP);
            touched /= STEP;
            self.levels[level].truncate(touched * width);
            self.levels[level].extend(wider);
        }
        while let Some(last) = self.levels.last().filter(|level| level.len() > width * WIDER) {
            self.levels.push(merged(last, width, STEP));
        }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Length in frames.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Lowest and highest sample of frames `from..to` of a channel, or of all channels, in -1..=1; `None` beyond the
    /// sound's ends.
    ///
    /// Reads the widest spans that are no wider than a quarter of what is asked for, so that an answer costs a few
    /// spans at any zoom and is at most a quarter too wide.
    pub fn extremes(&self, channel: Option<usize>, from: f64, to: f64) -> Option<[f32; 2]> {
        if to <= 0.0 || from >= self.frames as f64 {
            return None;
        }
        let mut width = self.base;
        let mut level = 0;
        while level + 1 < self.levels.len() && ((width * STEP) as f64) < (to - from) / 4.0 {
            width *= STEP;
            level += 1;
        }
        let spans = &self.levels[level];
        let last = (spans.len() / self.channels.max(1)).checked_sub(1)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the level's length")]
        let index = |frame: f64| ((frame / width as f64).max(0.0) as usize).min(last);
        let (first, end) = (index(from), index((to - 1e-9).max(from)));
        let channels = channel.map_or(0..self.channels, |channel| channel..channel + 1);
        let inside = (first..=end).flat_map(|span| channels.clone().map(move |c| span * self.channels + c));
        let [low, high] = inside
            .filter_map(|i| spans.get(i))
            .fold([i16::MAX, i16::MIN], |[low, high], span| [low.min(span[0]), high.max(span[1])]);
        (low <= high).then(|| [low, high].map(|v| f32::from(v) / 32767.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pyramid(channels: usize, said: u64, samples: &[f32]) -> Pyramid {
        let mut builder = Builder::new(channels, said);
        samples.chunks(channels * 100).for_each(|block| builder.add(block));
        builder.finish()
    }

    #[test]
    fn extremes_of_any_part_hold_every_sample_and_little_more() {
        let samples: Vec<f32> = (0_u32..200_000).map(|i| ((i * 7919 % 10_007) as f32 / 10_007.0 - 0.5) * 1.9).collect();
        let wave = pyramid(2, 100_000, &samples);
        assert_eq!((wave.channels(), wave.frames()), (2, 100_000));
        for (from, to) in [(0, 100_000), (5, 6), (77, 900), (31_234, 67_890), (99_990, 100_000)] {
            for channel in 0..2 {
                let part = |from: usize, to: usize| {
                    let own = samples[from * 2..to.min(100_000) * 2].iter().skip(channel).step_by(2);
                    own.fold([f32::MAX, f32::MIN], |[l, h], s| [l.min(*s), h.max(*s)])
                };
                let [low, high] = wave.extremes(Some(channel), from as f64, to as f64).unwrap();
                let (exact, wider) = (part(from, to), part(from - from.min((to - from) / 4), to + (to - from) / 4));
                assert!(low <= exact[0] + 1e-4 && high >= exact[1] - 1e-4, "{from}..{to}");
                assert!(low >= wider[0] - 1e-4 && high <= wider[1] + 1e-4, "{from}..{to}");
            }
        }
        assert_eq!(wave.extremes(None, 100_000.0, 100_001.0), None);
    }

    #[test]
    fn a_growing_sound_is_the_same_at_every_moment_as_one_read_at_once() {
        let samples: Vec<f32> = (0_u32..120_000).map(|i| (i * 7919 % 10_007) as f32 / 10_007.0 - 0.5).collect();
        let mut growing = Pyramid::growing(2);
        let mut from = 0;
        for block in [2, 998, 7000, 2, 40_000, 71_998] {
            growing.grow(&samples[from..from + block]);
            from += block;
            assert_eq!(growing, pyramid(2, 0, &samples[..from]), "{from}");
        }
    }

    #[test]
    fn a_sound_that_grows_for_long_stays_small_and_whole() {
        let mut growing = Pyramid::growing(1);
        let mut block = vec![0.0; 48_000];
        for second in 0..120 {
            block[0] = if second == 71 { -1.0 } else { 0.0 };
            growing.grow(&block);
        }
        assert_eq!(growing.frames(), 120 * 48_000);
        assert!(growing.levels[0].len() <= MOST_GROWING);
        assert_eq!(growing.extremes(None, 71.0 * 48_000.0, 71.1 * 48_000.0).map(|[low, _]| low), Some(-1.0));
        assert_eq!(growing.extremes(None, 100.0 * 48_000.0, 119.0 * 48_000.0), Some([0.0, 0.0]));
    }

    #[test]
    fn a_sound_longer_than_stated_is_whole() {
        let mut samples = vec![0.0; 300_000];
        samples[299_999] = 1.0;
        let wave = pyramid(1, 10, &samples);
        assert_eq!(wave.frames(), 300_000);
        assert_eq!(wave.extremes(None, 299_999.0, 300_000.0), Some([1.0, 1.0]));
    }
}
