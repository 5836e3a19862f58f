//! The pieces that a sound's vector is joined from, and how much each counts.

use std::ops::Range;

use dsp::descriptors::COUNT;
use dsp::vector::dot;
use model::head::Statistics;

use crate::weights::Weights;

/// Where the pieces of a vector are: the head, then the raw part, which is the network's vector and, at its end,
/// descriptors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pieces {
    /// Length of the head, zero for a model without one.
    pub head: usize,
    /// Length of head and network's vector.
    network: usize,
    /// Length of all.
    pub all: usize,
    /// Usual share of the descriptors in the raw part.
    share: f32,
}

/// What each piece is multiplied by.
pub(crate) type Factors = [f32; 3];

impl Pieces {
    /// The pieces under a model whose pooled vectors have a length of `pooled`.
    pub fn of(statistics: &Statistics, pooled: usize) -> Self {
        let [head, raw] = statistics.lengths(pooled);
        let share = statistics.descriptor_share();
        let described = if share > 0.0 { COUNT.min(raw) } else { 0 };
        Self { head, network: head + raw - described, all: head + raw, share }
    }

    /// How much each piece counts in the product of two vectors. The products of the raw part's pieces have their usual
    /// shares in them.
    pub fn shares(&self, weights: &Weights) -> Factors {
        let head = if self.head > 0 { weights.head.clamp(0.0, 1.0) } else { 0.0 };
        let most = if self.share > 0.0 { 1.0 / self.share } else { 1.0 };
        let described = weights.described.clamp(0.0, most);
        let network = if self.share < 1.0 { (1.0 - described * self.share) / (1.0 - self.share) } else { 0.0 };
        [head, (1.0 - head) * network, (1.0 - head) * described]
    }

    /// Multiplies each piece by a factor; leaves an empty vector as it is.
    pub fn weigh(&self, vector: &mut [f32], factors: Factors) {
        for (range, factor) in self.ranges().into_iter().zip(factors) {
            vector.get_mut(range).unwrap_or_default().iter_mut().for_each(|v| *v *= factor);
        }
    }

    /// Length of a vector whose pieces count so much.
    pub fn length(&self, vector: &[f32], shares: Factors) -> f32 {
        let squares = self.ranges().map(|range| {
            let piece = vector.get(range).unwrap_or_default();
            dot(piece, piece)
        });
        squares.iter().zip(shares).map(|(square, share)| square * share).sum::<f32>().sqrt()
    }

    fn ranges(&self) -> [Range<usize>; 3] {
        [0..self.head, self.head..self.network, self.network..self.all]
    }
}
