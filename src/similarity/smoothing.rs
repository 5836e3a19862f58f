//! Neighbourhoods: what a sound is compared by besides itself.
//!
//! A sound's *neighbourhood vector* is the unit sum of its own joined vector and those of its [`NEAREST`] nearest others,
//! each times its similarity to the fifth power. Two sounds with the same neighbours are near each other even where each of
//! them has something of its own: query expansion, for every sound at once (Chum et al., "Total recall", 2007; with
//! weights that are powers of the similarity: Radenović, Tolias and Chum, "Fine-tuning CNN image retrieval with no human
//! annotation", 2019).
//!
//! The vectors are not kept, only who the neighbours are and how much each counts: the product of a row's neighbourhood
//! vector with any other vector is the weighted sum of the products of the rows in it.
//!
//! Who is near is found along the main components: among all in a small library; in a large one among those in the cells
//! around a sound.

use ndarray::{Array2, ArrayView2, Axis, s};

use crate::ranking::{Neighbour, best};

/// Others in a neighbourhood.
pub const NEAREST: usize = 8;
/// Those that the main components propose for it, of which the full vectors choose.
pub const PROPOSED: usize = 6 * NEAREST;
/// Of so few sounds all are proposed.
const FEW: usize = 500;
/// Power of the similarity that others count with.
const POWER: i32 = 5;
/// Up to this many sounds all are compared with all.
const ALL: usize = 4000;
/// Sounds that the middles of the cells are found from.
const SAMPLE: usize = 20_000;
/// Rounds in which they are found.
const ROUNDS: usize = 4;
/// Cells in which the neighbours of a cell's sounds are looked for.
const AROUND: usize = 16;
/// Sounds that are compared at once: their scores should stay in the processor's cache.
const BLOCK: usize = 32;

/// A neighbourhood: the others, how much each counts, and what makes the sum one of unit length.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Neighbourhood {
    /// Rows; those that count nothing fill up.
    rows: [u32; NEAREST],
    /// How much each counts, at least 0.
    weights: [f32; NEAREST],
    /// One over the length of the sum.
    scale: f32,
}

impl Neighbourhood {
    /// The neighbourhood of a vector among others and their similarities, nearest first; `row` gives the vector of one,
    /// `length` that of a sum, and `sum` is overwritten.
    pub(crate) fn of<'a>(
        own: &[f32],
        near: impl Iterator<Item = (usize, f32)>,
        row: impl Fn(usize) -> &'a [f32],
        length: impl Fn(&[f32]) -> f32,
        sum: &mut [f32],
    ) -> Self {
        let mut found = Self { rows: [0; NEAREST], weights: [0.0; NEAREST], scale: 0.0 };
        sum.copy_from_slice(own);
        for ((slot, weight), (other, similarity)) in found.rows.iter_mut().zip(&mut found.weights).zip(near) {
            *slot = u32::try_from(other).unwrap_or_default();
            *weight = similarity.max(0.0).powi(POWER);
            sum.iter_mut().zip(row(other)).for_each(|(sum, v)| *sum += *weight * v);
        }
        let length = length(sum);
        found.scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        found
    }

    /// Rows that count, and how much.
    pub(crate) fn members(&self) -> impl Iterator<Item = (usize, f32)> {
        self.rows.iter().map(|row| *row as usize).zip(self.weights).filter(|(_, weight)| *weight > 0.0)
    }

    /// The product of its vector with another, from the product of its own sound and those of the rows.
    pub(crate) fn product(&self, own: f32, of: impl Fn(usize) -> f32) -> f32 {
        self.scale * self.members().fold(own, |sum, (row, weight)| sum + weight * of(row))
    }

    /// Its vector, from its own sound's and those of the rows.
    pub(crate) fn vector<'a>(&self, own: &[f32], row: impl Fn(usize) -> &'a [f32]) -> Vec<f32> {
        let mut vector = own.to_vec();
        for (other, weight) in self.members() {
            vector.iter_mut().zip(row(other)).for_each(|(sum, v)| *sum += weight * v);
        }
        vector.iter_mut().for_each(|v| *v *= self.scale);
        vector
    }
}

/// Proposes about the [`PROPOSED`] nearest others of each point, or all of a [`FEW`]: the rows, one point after the other,
/// nearest first, and how many of each.
pub(crate) fn propose<const D: usize>(points: &[[f32; D]]) -> (Vec<u32>, usize) {
    propose_above(ALL, points)
}

fn propose_above<const D: usize>(all: usize, points: &[[f32; D]]) -> (Vec<u32>, usize) {
    let view = ArrayView2::from(points);
    // Of two points at the same angle, the one of similar length is nearer: along the main directions, a unit vector
    // has any length up to one.
    let halves = halves(view);
    let cells = Cells::of(view, if points.len() > all { points.len().isqrt() } else { 1 });
    let k = if points.len() > FEW { PROPOSED } else { points.len().saturating_sub(1) };
    let mut found = vec![0; points.len() * k];
    for cell in 0..cells.members.len() {
        let others = cells.around(cell);
        let pool = view.select(Axis(0), &others);
        for block in cells.members[cell].chunks(BLOCK) {
            let scores = view.select(Axis(0), block).dot(&pool.t());
            for (row, scores) in block.iter().zip(scores.outer_iter()) {
                let near =
                    |(other, score): (&usize, &f32)| Neighbour { row: *other, similarity: score - halves[*other] };
                let scored = others.iter().zip(scores).filter(|(other, _)| *other != row).map(near);
                for (slot, near) in found[row * k..][..k].iter_mut().zip(best(scored, k)) {
                    *slot = u32::try_from(near.row).unwrap_or_default();
                }
            }
        }
    }
    (found, k)
}

/// Half the square of each point's length.
fn halves(points: ArrayView2<f32>) -> Vec<f32> {
    points.outer_iter().map(|point| 0.5 * point.dot(&point)).collect()
}

/// Points in cells, each around a middle (Lloyd's k-means): the nearest of a point are in its cell and those around it.
struct Cells {
    /// `[cells, D]`
    middles: Array2<f32>,
    /// The points of each.
    members: Vec<Vec<usize>>,
}

impl Cells {
    fn of(points: ArrayView2<f32>, count: usize) -> Self {
        let step = points.nrows() / count.max(1);
        let rows: Vec<usize> = (0..count).map(|cell| cell * step).filter(|row| *row < points.nrows()).collect();
        let mut cells = Self { middles: points.select(Axis(0), &rows), members: Vec::new() };
        if rows.len() > 1 {
            let sample = points.slice(s![..; points.nrows().div_ceil(SAMPLE), ..]);
            for _ in 0..ROUNDS {
                cells.fill(sample);
                for (mut middle, members) in cells.middles.outer_iter_mut().zip(&cells.members) {
                    // One without points stays where it is.
                    if let Some(mean) = sample.select(Axis(0), members).mean_axis(Axis(0)) {
                        middle.assign(&mean);
                    }
                }
            }
        }
        cells.fill(points);
        cells
    }

    /// Sorts points into the cells.
    fn fill(&mut self, points: ArrayView2<f32>) {
        let halves = halves(self.middles.view());
        self.members = vec![Vec::new(); self.middles.nrows()];
        for (block, points) in points.axis_chunks_iter(Axis(0), BLOCK).enumerate() {
            let scores = points.dot(&self.middles.t());
            for (i, scores) in scores.outer_iter().enumerate() {
                let score = |(cell, half): (usize, &f32)| Neighbour { row: cell, similarity: scores[cell] - half };
                if let [nearest] = best(halves.iter().enumerate().map(score), 1)[..] {
                    self.members[nearest.row].push(block * BLOCK + i);
                }
            }
        }
    }

    /// The points of a cell and those around it, in the order of their rows; at least one more than are proposed, if there are so many.
    fn around(&self, cell: usize) -> Vec<usize> {
        let middle = self.middles.row(cell);
        let halves = halves(self.middles.view());
        let score = |(other, half): (usize, &f32)| Neighbour {
            row: other,
            similarity: middle.dot(&self.middles.row(other)) - half,
        };
        let order = best(halves.iter().enumerate().map(score), self.middles.nrows());
        let mut rows = Vec::new();
        for (i, near) in order.iter().enumerate() {
            if i >= AROUND && rows.len() > PROPOSED {
                break;
            }
            rows.extend_from_slice(&self.members[near.row]);
        }
        rows.sort_unstable();
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dsp::vector::dot;

    /// Points around a few centres, repeatable.
    fn points(n: usize) -> Vec<[f32; 8]> {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as f32 / u32::MAX as f32 - 0.5
        };
        let centres: Vec<[f32; 8]> = (0..23).map(|_| std::array::from_fn(|_| next())).collect();
        (0..n).map(|i| std::array::from_fn(|d| centres[i % 23][d] + 0.5 * next())).collect()
    }

    #[test]
    fn cells_propose_nearly_what_a_comparison_with_all_does() {
        let points = points(3000);
        let ((all, k), (cells, same)) = (propose_above(3000, &points), propose_above(100, &points));
        assert_eq!((k, same), (PROPOSED, PROPOSED));
        let nearest = |found: &[u32], row: usize| found[row * k..][..NEAREST].to_vec();
        let hits = |row: usize| nearest(&cells, row).iter().filter(|near| nearest(&all, row).contains(near)).count();
        let found: usize = (0..points.len()).map(hits).sum();
        assert!(found * 100 > 97 * NEAREST * points.len(), "{found} of {}", NEAREST * points.len());
        assert!((0..points.len()).all(|row| !all[row * k..][..k].contains(&u32::try_from(row).unwrap())));
        assert_eq!(propose_above(100, &points).0, cells, "the same each time");
    }

    #[test]
    fn few_points_have_few_others() {
        assert_eq!(propose(&points(0)), (vec![], 0));
        assert_eq!(propose(&points(1)), (vec![], 0));
        assert_eq!(propose(&points(2)), (vec![1, 0], 1));
    }

    #[test]
    fn a_neighbourhood_is_the_unit_sum_weighted_by_similarities_to_the_fifth() {
        let rows = [[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]];
        let row = |i: usize| &rows[i][..];
        let near = [(1, 0.6), (2, -1.0)];
        let length = |sum: &[f32]| dot(sum, sum).sqrt();
        let found = Neighbourhood::of(row(0), near.into_iter(), row, length, &mut [0.0; 2]);
        let weight = 0.6_f32.powi(5);
        let sum = [1.0 + weight * 0.6, weight * 0.8];
        let length = sum[0].hypot(sum[1]);
        let vector = found.vector(row(0), row);
        assert!(vector.iter().zip(sum).all(|(v, sum)| (v - sum / length).abs() < 1e-6), "{vector:?}");
        let other = [0.3, 0.9];
        let product = found.product(dot(row(0), &other), |i| dot(row(i), &other));
        assert!((product - dot(&vector, &other)).abs() < 1e-6);
        assert_eq!(found.members().map(|(row, _)| row).collect::<Vec<_>>(), [1], "the opposite counts nothing");
    }
}
