//! What numbers about sound are counted in, where parts of the program meet: so that a rate is not taken for a number of
//! frames, nor either for a time.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Range, Sub};

use serde::{Deserialize, Serialize};

/// A sample rate: frames in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hz(pub u32);

/// A number of frames, of which each holds a sample of every channel; or a place in a sound, counted in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Frames(pub u64);

/// A length of time, or a place in a sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub f64);

impl From<Hz> for f64 {
    fn from(rate: Hz) -> Self {
        Self::from(rate.0)
    }
}

impl fmt::Display for Hz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        f.write_str(" s")
    }
}

impl Frames {
    /// How long so many frames last at a rate; a rate of 0 counts as 1.
    pub fn at(self, rate: Hz) -> Seconds {
        Seconds(self.0 as f64 / f64::from(rate.0.max(1)))
    }
}

impl Seconds {
    /// The nearest frame at a rate; the first one for what lies before the start or is no number.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` maps what is no place to zero")]
    pub fn frames(self, rate: Hz) -> Frames {
        Frames((self.0 * f64::from(rate)).round() as u64)
    }

    /// The earlier, or shorter, of two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// The later, or longer, of two.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
}

impl Add for Seconds {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self(self.0 + more.0)
    }
}

impl AddAssign for Seconds {
    fn add_assign(&mut self, more: Self) {
        self.0 += more.0;
    }
}

impl Sub for Seconds {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self(self.0 - less.0)
    }
}

impl Sum for Seconds {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self(0.0), Add::add)
    }
}

/// A part of a sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Where it begins, in seconds.
    pub start: f64,
    /// Where it ends, in seconds.
    pub end: f64,
}

impl Span {
    /// From one place to another, in seconds.
    pub const fn new(start: f64, end: f64) -> Self {
        Self { start, end }
    }

    /// Its length in seconds.
    pub fn seconds(self) -> f64 {
        self.end - self.start
    }

    /// Tells whether a place lies in it; its end does not.
    pub fn holds(self, seconds: f64) -> bool {
        (self.start..self.end).contains(&seconds)
    }

    /// The frames in it at a rate, whichever of its ends comes first; however short it is, it is one frame.
    pub fn frames(self, rate: Hz) -> Range<Frames> {
        let [first, end] = [self.start.min(self.end), self.start.max(self.end)].map(|end| Seconds(end).frames(rate));
        first..end.max(Frames(first.0.saturating_add(1)))
    }
}

impl From<[f64; 2]> for Span {
    fn from([start, end]: [f64; 2]) -> Self {
        Self { start, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_frames_follow_from_each_other() {
        for rate in [Hz(8000), Hz(44_100), Hz(192_000)] {
            for frame in [0, 1, 7, 44_100, 123_456_789] {
                assert_eq!(Frames(frame).at(rate).frames(rate), Frames(frame), "{rate}");
            }
        }
        assert_eq!((Frames(3).at(Hz(0)), Frames(22_050).at(Hz(44_100))), (Seconds(3.0), Seconds(0.5)));
        assert_eq!([-1.0, f64::NAN].map(|no_place| Seconds(no_place).frames(Hz(8000))), [Frames(0); 2]);
        assert_eq!(Seconds(f64::INFINITY).frames(Hz(8000)), Frames(u64::MAX));
    }

    #[test]
    fn a_part_has_at_least_one_frame_and_its_ends_in_order() {
        assert_eq!(Span::new(0.5, 1.0).frames(Hz(1000)), Frames(500)..Frames(1000));
        assert_eq!(Span::new(1.0, 0.5).frames(Hz(1000)), Frames(500)..Frames(1000));
        assert_eq!(Span::new(0.5, 0.5).frames(Hz(1000)), Frames(500)..Frames(501));
        assert_eq!(Span::new(-1.0, f64::INFINITY).frames(Hz(1000)), Frames(0)..Frames(u64::MAX));
    }
}
