//! A waveform's outline of fixed size, built in one pass over a stream of unknown length.

/// Columns in a [`Thumbnail`](super::Thumbnail).
pub const COLUMNS: usize = 128;

/// Spans kept while the length is unknown: at least four for each column after the first merge.
const MOST_SPANS: usize = COLUMNS * 8;

/// Frames of a span before the first merge; only a sound shorter than 512 frames shows fewer spans than columns.
const FIRST_SPAN: usize = 4;

/// Lowest and highest sample of each column, scaled to -127..=127.
pub type Outline = [[i8; 2]; COLUMNS];

/// Collects minimum and maximum over ever wider spans: when all spans are used up, neighbours merge and the span
/// doubles, so that any length fits in the same memory and every sample counts.
#[derive(Debug)]
pub struct Peaks {
    spans: Vec<[f32; 2]>,
    frames_per_span: usize,
    filled: usize,
}

impl Default for Peaks {
    fn default() -> Self {
        Self { spans: Vec::with_capacity(MOST_SPANS), frames_per_span: FIRST_SPAN, filled: 0 }
    }
}

impl Peaks {
    /// Adds mono samples.
    pub fn add(&mut self, mut samples: &[f32]) {
        while !samples.is_empty() {
            if self.filled == 0 {
                if self.spans.len() == MOST_SPANS {
                    self.merge();
                }
                self.spans.push([f32::MAX, f32::MIN]);
            }
            let (now, rest) = samples.split_at(samples.len().min(self.frames_per_span - self.filled));
            if let Some(span) = self.spans.last_mut() {
                let [low, high] = extremes(now);
                *span = [span[0].min(low), span[1].max(high)];
            }
            self.filled = (self.filled + now.len()) % self.frames_per_span;
            samples = rest;
        }
    }

    fn merge(&mut self) {
        for i in 0..self.spans.len() / 2 {
            let (a, b) = (self.spans[2 * i], self.spans[2 * i + 1]);
            self.spans[i] = [a[0].min(b[0]), a[1].max(b[1])];
        }
        self.spans.truncate(self.spans.len() / 2);
        self.frames_per_span *= 2;
    }

    /// Returns the outline over the whole length; all zeros when nothing was added.
    pub fn outline(&self) -> Outline {
        let mut outline = [[0; 2]; COLUMNS];
        let n = self.spans.len();
        if n == 0 {
            return outline;
        }
        for (column, out) in outline.iter_mut().enumerate() {
            let from = column * n / COLUMNS;
            let to = ((column + 1) * n / COLUMNS).max(from + 1);
            let spans = &self.spans[from..to];
            let low = spans.iter().map(|s| s[0]).fold(f32::MAX, f32::min);
            let high = spans.iter().map(|s| s[1]).fold(f32::MIN, f32::max);
            *out = [quantised(low), quantised(high)];
        }
        outline
    }
}

/// Smallest and largest of the samples, several at a time.
fn extremes(samples: &[f32]) -> [f32; 2] {
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

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i8 first")]
fn quantised(sample: f32) -> i8 {
    (sample.clamp(-1.0, 1.0) * 127.0).round() as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_survives_any_length_and_block_size() {
        for (length, at, block) in [(1, 0, 1), (100, 99, 7), (100_000, 5, 1000), (1_000_003, 777_777, 4096)] {
            let mut samples = vec![0.0; length];
            samples[at] = -1.0;
            let mut peaks = Peaks::default();
            samples.chunks(block).for_each(|chunk| peaks.add(chunk));
            let outline = peaks.outline();
            let hit: Vec<usize> = (0..COLUMNS).filter(|&c| outline[c][0] == -127).collect();
            assert!(!hit.is_empty(), "{length} samples lost their click");
            let expected = at * COLUMNS / length;
            assert!(hit.iter().any(|c| c.abs_diff(expected) <= 1), "{length}: at {hit:?}, not {expected}");
        }
    }

    #[test]
    fn nothing_added_is_a_flat_line() {
        assert_eq!(Peaks::default().outline(), [[0; 2]; COLUMNS]);
    }
}
