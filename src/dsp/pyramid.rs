//! The waveform of a sound at every zoom, in one pass over a stream of unknown length: minimum and maximum of ever wider
//! spans, for each channel.
//!
//! When the narrowest spans are used up, neighbours merge and their width doubles, so that any length fits in the same
//! memory and every sample counts.

/// Columns in an [`Thumbnail`].
pub const COLUMNS: usize = 128;

/// Narrowest spans of a sound that is looked at, over all channels: 64 MiB, and a third more for the wider ones.
const MOST: usize = 1 << 24;
/// The same for a sound that is still growing, which is kept a little coarser: adding to it must never take long.
const MOST_GROWING: usize = 1 << 21;
/// The same for an [`Thumbnail`]: at least four for each column of a long sound.
const MOST_OUTLINED: usize = COLUMNS * 8;
/// Spans of a level above which there is a wider one, for each channel.
const WIDER: usize = MOST_OUTLINED;
/// Spans of one level that become one of the next.
const STEP: usize = 4;

/// Lowest and highest sample of each column of a list row's picture, scaled to -127..=127.
pub type Thumbnail = [[i8; 2]; COLUMNS];

/// Minimum and maximum, scaled to 16 bits.
type Span = [i16; 2];

/// A waveform that can be drawn at any zoom, and added to.
#[derive(Clone, Debug)]
pub struct Pyramid {
    channels: usize,
    frames: usize,
    /// Frames in a span of the lowest level.
    base: usize,
    /// Spans of the lowest level, at most.
    most: usize,
    /// Spans of each level, channels next to each other: `[spans][channels]`; each level has a quarter of the last.
    levels: Vec<Vec<Span>>,
}

impl Pyramid {
    /// Begins a sound of `channels`.
    pub fn new(channels: usize) -> Self {
        Self::bounded(channels, MOST)
    }

    /// Begins a sound that is drawn while it grows.
    pub fn growing(channels: usize) -> Self {
        Self::bounded(channels, MOST_GROWING)
    }

    /// Begins a mono sound of which only its [`thumbnail`](Self::thumbnail) is wanted.
    pub fn thumbnail_only() -> Self {
        Self::bounded(1, MOST_OUTLINED)
    }

    fn bounded(channels: usize, most: usize) -> Self {
        let channels = channels.max(1);
        // Two spans a channel can always merge.
        Self { channels, frames: 0, base: 1, most: most.max(2 * channels), levels: vec![Vec::new()] }
    }

    /// Adds interleaved frames at the end.
    pub fn add(&mut self, interleaved: &[f32]) {
        let width = self.channels;
        let mut touched = self.frames / self.base;
        let Some(lowest) = self.levels.first_mut() else { return };
        let mut rest = &interleaved[..interleaved.len() - interleaved.len() % width];
        while !rest.is_empty() {
            let filled = self.frames % self.base;
            if filled == 0 && lowest.len() + width > self.most {
                halve(lowest, width);
                self.base *= 2;
                touched = 0;
                continue;
            }
            let now;
            if self.base == 1 {
                (now, rest) = rest.split_at(rest.len().min((self.most - lowest.len()) / width * width));
                lowest.extend(now.iter().map(|sample| [quantised(*sample); 2]));
            } else {
                (now, rest) = rest.split_at(rest.len().min((self.base - filled) * width));
                if filled == 0 {
                    lowest.extend(std::iter::repeat_n([i16::MAX, i16::MIN], width));
                }
                let from = lowest.len() - width;
                for (channel, span) in lowest[from..].iter_mut().enumerate() {
                    let [low, high] = extremes(now, channel, width).map(quantised);
                    *span = [span[0].min(low), span[1].max(high)];
                }
            }
            self.frames += now.len() / width;
        }
        // Only the spans above what was added are made anew.
        for level in 1..self.levels.len() {
            let from = touched - touched % STEP;
            let wider = merged(&self.levels[level - 1][from * width..], width);
            touched /= STEP;
            self.levels[level].truncate(touched * width);
            self.levels[level].extend(wider);
        }
        while let Some(last) = self.levels.last().filter(|level| level.len() > width * WIDER) {
            self.levels.push(merged(last, width));
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

    /// The thumbnail over the whole length and all channels; all zeros when nothing was added.
    pub fn thumbnail(&self) -> Thumbnail {
        let spans = self.levels.first().map_or(&[][..], Vec::as_slice);
        let count = spans.len() / self.channels;
        if count == 0 {
            return [[0; 2]; COLUMNS];
        }
        std::array::from_fn(|column| {
            let from = column * count / COLUMNS;
            let to = ((column + 1) * count / COLUMNS).max(from + 1);
            joined(&spans[from * self.channels..to * self.channels]).map(|value| {
                #[expect(clippy::cast_possible_truncation, reason = "16 bits scaled to 8")]
                let value = (f32::from(value) * (127.0 / 32_767.0)).round() as i8;
                value
            })
        })
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
        let last = (spans.len() / self.channels).checked_sub(1)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the level's length")]
        let index = |frame: f64| ((frame / width as f64).max(0.0) as usize).min(last);
        let (first, end) = (index(from), index((to - 1e-9).max(from)));
        let channels = channel.map_or(0..self.channels, |channel| channel..channel + 1);
        let inside = (first..=end).flat_map(|span| channels.clone().map(move |c| span * self.channels + c));
        let [low, high] = joined(inside.filter_map(|i| spans.get(i)));
        (low <= high).then(|| [low, high].map(|v| f32::from(v) / 32767.0))
    }
}

/// The span over some spans.
fn joined<'a>(spans: impl IntoIterator<Item = &'a Span>) -> Span {
    spans.into_iter().fold([i16::MAX, i16::MIN], |[low, high], span| [low.min(span[0]), high.max(span[1])])
}

/// Makes one span of two, in place.
fn halve(spans: &mut Vec<Span>, channels: usize) {
    let groups = spans.len().div_ceil(2 * channels);
    for group in 0..groups {
        for channel in 0..channels {
            let first = 2 * group * channels + channel;
            let [low, high] = spans[first];
            let second = spans.get(first + channels).copied().unwrap_or([low, high]);
            spans[group * channels + channel] = [low.min(second[0]), high.max(second[1])];
        }
    }
    spans.truncate(groups * channels);
}

/// The next wider level.
fn merged(spans: &[Span], channels: usize) -> Vec<Span> {
    let groups = spans.chunks(channels * STEP);
    let own = |group: &'_ [Span], channel: usize| joined(group.iter().skip(channel).step_by(channels));
    groups.flat_map(|group| (0..channels).map(move |channel| own(group, channel))).collect()
}

/// Smallest and largest sample of a channel.
fn extremes(interleaved: &[f32], channel: usize, channels: usize) -> [f32; 2] {
    if channels == 1 {
        return extremes_of_one(interleaved);
    }
    let own = interleaved.iter().skip(channel).step_by(channels);
    own.fold([f32::MAX, f32::MIN], |[low, high], sample| [low.min(*sample), high.max(*sample)])
}

/// Smallest and largest of the samples, several at a time.
fn extremes_of_one(samples: &[f32]) -> [f32; 2] {
    let (mut low, mut high) = ([f32::MAX; 8], [f32::MIN; 8]);
    let (blocks, rest) = samples.as_chunks::<8>();
    for block in blocks {
        for i in 0..8 {
            low[i] = if block[i] < low[i] { block[i] } else { low[i] };
            high[i] = if block[i] > high[i] { block[i] } else { high[i] };
        }
    }
    let mut extremes = [f32::MAX, f32::MIN];
    if !blocks.is_empty() {
        for half in [4, 2, 1] {
            for i in 0..half {
                low[i] = if low[i + half] < low[i] { low[i + half] } else { low[i] };
                high[i] = if high[i + half] > high[i] { high[i + half] } else { high[i] };
            }
        }
        extremes = [low[0], high[0]];
    }
    rest.iter().fold(extremes, |[low, high], sample| [low.min(*sample), high.max(*sample)])
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16 first")]
fn quantised(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * 32767.0).round() as i16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pyramid(channels: usize, samples: &[f32]) -> Pyramid {
        let mut pyramid = Pyramid::new(channels);
        samples.chunks(channels * 100).for_each(|block| pyramid.add(block));
        pyramid
    }

    #[test]
    fn extremes_of_any_part_hold_every_sample_and_little_more() {
        let samples: Vec<f32> = (0_u32..200_000).map(|i| ((i * 7919 % 10_007) as f32 / 10_007.0 - 0.5) * 1.9).collect();
        let wave = pyramid(2, &samples);
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
            growing.add(&samples[from..from + block]);
            from += block;
            assert_eq!(growing.levels, pyramid(2, &samples[..from]).levels, "{from}");
        }
    }

    #[test]
    fn a_sound_that_grows_for_long_stays_small_and_whole() {
        let mut growing = Pyramid::growing(1);
        let mut block = vec![0.0; 48_000];
        for second in 0..120 {
            block[0] = if second == 71 { -1.0 } else { 0.0 };
            growing.add(&block);
        }
        assert_eq!(growing.frames(), 120 * 48_000);
        assert!(growing.levels[0].len() <= MOST_GROWING);
        assert_eq!(growing.extremes(None, 71.0 * 48_000.0, 71.1 * 48_000.0).map(|[low, _]| low), Some(-1.0));
        assert_eq!(growing.extremes(None, 100.0 * 48_000.0, 119.0 * 48_000.0), Some([0.0, 0.0]));
    }

    #[test]
    fn what_has_merged_is_what_wider_spans_would_have_been_from_the_start() {
        let samples: Vec<f32> = (0_u32..30_000).map(|i| (i * 7919 % 10_007) as f32 / 10_007.0 - 0.5).collect();
        for channels in [1, 2, 3] {
            for block in [1, 7, 1000, 10_000] {
                let mut pyramid = Pyramid::bounded(channels, MOST_OUTLINED);
                samples.chunks(channels * block).for_each(|block| pyramid.add(block));
                let group = channels * pyramid.base;
                assert!(pyramid.levels[0].len() <= MOST_OUTLINED && pyramid.levels[0].len() * 2 > MOST_OUTLINED);
                for (n, span) in pyramid.levels[0].iter().enumerate() {
                    let own = samples.chunks(group).nth(n / channels).unwrap();
                    let [low, high] = extremes(own, n % channels, channels).map(quantised);
                    assert_eq!(*span, [low, high], "{channels} channels in blocks of {block}, {n}");
                }
            }
        }
    }

    #[test]
    fn a_click_survives_any_length_and_block_size() {
        for (length, at, block) in [(1, 0, 1), (100, 99, 7), (100_000, 5, 1000), (1_000_003, 777_777, 4096)] {
            let mut samples = vec![0.0; length];
            samples[at] = -1.0;
            let mut pyramid = Pyramid::thumbnail_only();
            samples.chunks(block).for_each(|chunk| pyramid.add(chunk));
            let thumbnail = pyramid.thumbnail();
            let hit: Vec<usize> = (0..COLUMNS).filter(|&c| thumbnail[c][0] == -127).collect();
            assert!(!hit.is_empty(), "{length} samples lost their click");
            let expected = at * COLUMNS / length;
            assert!(hit.iter().any(|c| c.abs_diff(expected) <= 1), "{length}: at {hit:?}, not {expected}");
        }
    }

    #[test]
    fn nothing_added_is_a_flat_line() {
        assert_eq!(Pyramid::thumbnail_only().thumbnail(), [[0; 2]; COLUMNS]);
        assert_eq!(Pyramid::new(2).extremes(None, 0.0, 1.0), None);
    }

    #[test]
    fn any_number_of_channels_and_a_block_that_ends_within_a_frame_are_taken() {
        let mut many = Pyramid::bounded(5000, MOST_OUTLINED);
        many.add(&vec![0.5; 5000 * 7 + 3]);
        assert_eq!((many.frames(), many.extremes(Some(4999), 0.0, 7.0)), (7, Some([0.500_015_26; 2])));
        let mut none = Pyramid::new(0);
        none.add(&[0.0, 1.0]);
        assert_eq!((none.channels(), none.frames()), (1, 2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn extremes_of_any_range_are_those_of_a_direct_scan(
            samples in prop::collection::vec(-1.0_f32..=1.0, 1..9000),
            channels in 1_usize..4,
            most in prop::sample::select(vec![8, 64, 1 << 14]),
            blocks in prop::collection::vec(1_usize..3000, 1..5),
            range in (0.0_f64..1.1, 0.0_f64..1.1),
        ) {
            let mut pyramid = Pyramid::bounded(channels, most);
            let mut rest = &samples[..samples.len() - samples.len() % channels];
            let whole = rest;
            for block in blocks.into_iter().cycle() {
                let (now, after) = rest.split_at(rest.len().min(block * channels));
                pyramid.add(now);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let frames = whole.len() / channels;
            prop_assert_eq!(pyramid.frames(), frames);
            prop_assert!(pyramid.levels[0].len() <= most.max(2 * channels));
            let (from, to) = (range.0.min(range.1) * frames as f64, range.0.max(range.1) * frames as f64);
            let (first, end) = (from.floor(), to.ceil());
            let direct = |first: f64, end: f64| {
                let number = |frame: f64| (0..frames).take_while(|n| (*n as f64) < frame).count();
                let range = number(first) * channels..number(end) * channels;
                whole[range].iter().fold([1.0_f32, -1.0], |[l, h], s| [l.min(*s), h.max(*s)])
            };
            // Spans are no wider than a quarter of the range, unless there are no narrower ones.
            let wider = (pyramid.base as f64).max((to - from) / 4.0) + 1.0;
            match pyramid.extremes(None, from, to) {
                Some([low, high]) => {
                    let (exact, around) = (direct(first, end), direct(first - wider, end + wider));
                    prop_assert!(low <= exact[0] + 1e-4 && high >= exact[1] - 1e-4, "{low} {high}, {exact:?}");
                    prop_assert!(low >= around[0] - 1e-4 && high <= around[1] + 1e-4, "{low} {high}, {around:?}");
                }
                None => prop_assert!(to <= 0.0 || from >= frames as f64),
            }
        }
    }
}
