//! Where a sound crosses zero, in one pass over a stream of unknown length: a bit for each frame, so that a cut can be moved
//! to where it makes no click, however long the sound is.

/// Most frames that are looked at: 128 MiB, six hours at 48 kHz.
const MOST: usize = 1 << 30;

/// The frames at which the mean of all channels crosses zero.
#[derive(Clone, Debug, Default)]
pub struct Crossings {
    /// A bit for each frame: it is zero, or of another sign than the one before.
    bits: Vec<u64>,
    frames: usize,
    last: f32,
}

impl Crossings {
    /// Adds interleaved frames at the end.
    pub fn add(&mut self, interleaved: &[f32], channels: usize) {
        for frame in interleaved.chunks_exact(channels.max(1)) {
            if self.frames == MOST {
                return;
            }
            if self.frames.is_multiple_of(64) {
                self.bits.push(0);
            }
            let sum: f32 = frame.iter().sum();
            if sum == 0.0 || self.last == 0.0 || (sum > 0.0) != (self.last > 0.0) {
                self.bits[self.frames / 64] |= 1 << (self.frames % 64);
            }
            self.last = sum;
            self.frames += 1;
        }
    }

    /// The crossing nearest to a place, at most so many frames away; both ends of the sound count as crossings.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the frames there are")]
    pub fn nearest(&self, frame: f64, within: f64) -> Option<usize> {
        let near = frame.round().clamp(0.0, self.frames as f64) as usize;
        let crosses =
            |n: usize| n == self.frames || self.bits.get(n / 64).is_some_and(|bits| bits >> (n % 64) & 1 == 1);
        let away = |n: usize| (n as f64 - frame).abs();
        (0..=within.clamp(0.0, self.frames as f64) as usize + 1)
            .find_map(|far| {
                let before = near.checked_sub(far).filter(|n| crosses(*n));
                let after = Some(near + far).filter(|n| *n <= self.frames && crosses(*n));
                before.into_iter().chain(after).min_by(|a, b| away(*a).total_cmp(&away(*b)))
            })
            .filter(|n| away(*n) <= within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(interleaved: &[f32], channels: usize) -> Crossings {
        let mut crossings = Crossings::default();
        interleaved.chunks(channels).for_each(|frame| crossings.add(frame, channels));
        crossings
    }

    #[test]
    fn the_nearest_crossing_is_where_the_sign_changes_or_there_is_silence() {
        let mut sound = vec![0.3; 100];
        sound[40..60].fill(-0.2);
        sound[80..90].fill(0.0);
        let crossings = of(&sound, 1);
        let nearest = |frame: f64| crossings.nearest(frame, 15.0);
        assert_eq!([nearest(30.0), nearest(44.4), nearest(55.0)], [Some(40), Some(40), Some(60)]);
        assert_eq!([nearest(85.2), nearest(89.0), nearest(91.0)], [Some(85), Some(89), Some(90)]);
        assert_eq!(crossings.nearest(20.0, 15.0), None, "none is near");
        // Both ends are crossings, also of a sound that begins or ends abruptly.
        assert_eq!([nearest(3.0), nearest(98.0), nearest(500.0)], [Some(0), Some(100), None]);
        assert_eq!(Crossings::default().nearest(0.0, 1.0), Some(0));
    }

    #[test]
    fn of_several_channels_their_mean_counts() {
        let frames: Vec<f32> = (0..200).flat_map(|n| [if n < 50 { 0.5 } else { -0.5 }, 0.4]).collect();
        assert_eq!(of(&frames, 2).nearest(52.0, 10.0), Some(50));
        let louder: Vec<f32> = (0..200).flat_map(|n| [if n < 50 { 0.5 } else { -0.3 }, 0.4]).collect();
        assert_eq!(of(&louder, 2).nearest(52.0, 10.0), None);
    }

    #[test]
    fn a_block_ends_anywhere() {
        let sound: Vec<f32> = (0..5000).map(|n| ((n * n) as f32 * 0.01).sin()).collect();
        let mut blocks = Crossings::default();
        let mut rest = &sound[..];
        for size in [1, 63, 64, 65, 1000].into_iter().cycle() {
            let (now, after) = rest.split_at(size.min(rest.len()));
            blocks.add(now, 1);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let direct: Vec<usize> = (1..5000).filter(|n| (sound[*n] > 0.0) != (sound[n - 1] > 0.0)).collect();
        for n in direct {
            assert_eq!(blocks.nearest(n as f64, 0.0), Some(n));
        }
    }
}
