//! The space in which sounds are near or far: centred unit vectors, a k-d tree over their main components, and the
//! exact scan that confirms what the tree says.
//!
//! A tree on all 512 numbers would visit most of itself; on [`DIMS`] of them it is quick and loses little. So the tree
//! proposes [`CANDIDATES`], the full vectors rank them, and a scan over everything settles the matter a moment later.
//! `benches/neighbours.rs` has the measurements behind the two numbers.

use std::num::NonZero;

use half::f16;
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use ndarray::{Array2, ArrayView1, ArrayView2};

use super::pca;
use super::umap::Nearest;
use crate::embed::manifest::Statistics;
use crate::embed::session::normalise;

/// Main components kept for the tree.
pub const DIMS: usize = 32;
/// Neighbours the tree proposes for re-ranking.
pub const CANDIDATES: usize = 200;
/// Up to this many sounds a scan is as quick as the tree.
const SCAN_AT_ONCE: usize = 4000;

/// Queries that are compared at once when all neighbours are found: their scores should stay in the processor's cache.
const BLOCK: usize = 32;

/// One neighbour: which row, and its cosine to the query, in -1..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Row in the space.
    pub row: usize,
    /// Cosine of the centred vectors.
    pub similarity: f32,
}

/// The nearest sounds, nearest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// At most as many as asked for.
    pub neighbours: Vec<Neighbour>,
    /// Whether these are the true nearest, or the best of what the tree proposed.
    pub exact: bool,
}

/// Sounds as points; row numbers are those of the vectors it was built from.
pub struct Space {
    centre: Vec<f32>,
    /// Centred unit vectors, `[n, dim]`.
    vectors: Array2<f32>,
    /// Main directions, best first, `[DIMS or fewer, dim]`.
    basis: Array2<f32>,
    tree: Option<ImmutableKdTree<f32, DIMS>>,
    /// The vectors along the main directions, `[n]`.
    points: Vec<[f32; DIMS]>,
    /// Position on the map, `[n]`.
    positions: Vec<[f32; 2]>,
}

impl Space {
    /// Builds the space of pooled vectors, each as long as the model's output.
    ///
    /// Centre and basis are the model's own where it ships them, so that a map does not turn when sounds are added;
    /// otherwise nothing is subtracted and the basis is fitted to the sounds.
    pub fn build(pooled: &[&[f16]], statistics: &Statistics) -> Self {
        let dim = pooled.first().map_or(0, |v| v.len());
        let mut vectors = Array2::zeros((pooled.len(), dim));
        for (mut row, vector) in vectors.outer_iter_mut().zip(pooled) {
            let row = row.as_slice_mut().unwrap_or_default();
            row.iter_mut().zip(vector.iter()).for_each(|(out, v)| *out = v.to_f32());
            centre_and_normalise(row, &statistics.centre);
        }
        let shipped = statistics.basis.len() >= DIMS && statistics.basis.iter().all(|row| row.len() == dim);
        let basis = if shipped {
            Array2::from_shape_fn((DIMS, dim), |(i, j)| statistics.basis[i][j])
        } else {
            pca::fit(vectors.view(), DIMS)
        };
        let points: Vec<[f32; DIMS]> = vectors.outer_iter().map(|row| reduce(row, &basis)).collect();
        let positions = points.iter().map(|p| [p[0], p[1]]).collect();
        let tree = (points.len() > SCAN_AT_ONCE).then(|| ImmutableKdTree::new_from_slice(&points).ok()).flatten();
        Self { centre: statistics.centre.clone(), vectors, basis, tree, points, positions }
    }

    /// Number of sounds.
    pub fn len(&self) -> usize {
        self.vectors.nrows()
    }

    /// Tells whether it holds no sound.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is subtracted from a pooled vector before it is compared, `[dim]`; empty for nothing.
    pub fn centre(&self) -> &[f32] {
        &self.centre
    }

    /// Each row along the main directions; missing directions are zero.
    pub fn points(&self) -> &[[f32; DIMS]] {
        &self.points
    }

    /// The first two main components of each row.
    pub fn positions(&self) -> &[[f32; 2]] {
        &self.positions
    }

    /// Moves a pooled vector into the space: centred and of unit length.
    pub fn place(&self, pooled: &[f16]) -> Vec<f32> {
        let mut vector: Vec<f32> = pooled.iter().map(|v| v.to_f32()).collect();
        centre_and_normalise(&mut vector, &self.centre);
        vector
    }

    /// Answers at once from the tree, or by scanning a small library; `accept` says which rows may be answered.
    pub fn quick(&self, query: &[f32], k: usize, accept: impl Fn(usize) -> bool) -> Answer {
        let (Some(tree), Some(wanted)) = (&self.tree, NonZero::new(k.max(CANDIDATES))) else {
            return self.exact(query, k, accept);
        };
        let point = reduce(ArrayView1::from(query), &self.basis);
        let proposed = tree.query(&point).nearest_n::<SquaredEuclidean<f32>>(wanted).execute();
        let rows = proposed.iter().filter_map(|p| usize::try_from(p.item).ok()).filter(|row| accept(*row));
        let neighbours = best(rows.map(|row| self.measure(row, query)), k);
        if neighbours.len() < k.min(self.len()) {
            // The filter took too much of what the tree proposed.
            return self.exact(query, k, accept);
        }
        Answer { neighbours, exact: false }
    }

    /// Answers by comparing with every accepted sound.
    pub fn exact(&self, query: &[f32], k: usize, accept: impl Fn(usize) -> bool) -> Answer {
        let rows = (0..self.len()).filter(|row| accept(*row));
        Answer { neighbours: best(rows.map(|row| self.measure(row, query)), k), exact: true }
    }

    /// Finds the `k` nearest of `others` for each of `queries`, itself left out; distances are 1 - cosine.
    ///
    /// The main components propose, the full vectors decide, as in [`quick`](Self::quick). Rows of the answer are places
    /// in `others`. It has fewer than `k` where there are fewer others, and none when `stop` said so.
    pub fn nearest(&self, queries: &[usize], others: &[usize], k: usize, stop: impl Fn() -> bool) -> Nearest {
        let points = |rows: &[usize]| Array2::from_shape_fn((rows.len(), DIMS), |(i, j)| self.points[rows[i]][j]);
        let pool = points(others);
        let mut found = Nearest { k: k.min(others.len().saturating_sub(1)), ..Nearest::default() };
        for block in queries.chunks(BLOCK) {
            if stop() || found.k == 0 {
                return Nearest::default();
            }
            let scores: Array2<f32> = points(block).dot(&ArrayView2::from(&pool).t());
            for (query, scores) in block.iter().zip(scores.outer_iter()) {
                let scored = scores.iter().enumerate().map(|(row, score)| Neighbour { row, similarity: *score });
                let proposed = best(scored.filter(|neighbour| others[neighbour.row] != *query), 3 * found.k);
                let vector = self.vectors.row(*query);
                let measured = proposed.iter().map(|neighbour| {
                    let measured = self.measure(others[neighbour.row], vector.as_slice().unwrap_or_default());
                    Neighbour { row: neighbour.row, ..measured }
                });
                for neighbour in best(measured, found.k) {
                    found.rows.push(u32::try_from(neighbour.row).unwrap_or(u32::MAX));
                    found.distances.push((1.0 - neighbour.similarity).max(0.0));
                }
            }
        }
        found
    }

    fn measure(&self, row: usize, query: &[f32]) -> Neighbour {
        let vector = self.vectors.row(row);
        Neighbour { row, similarity: dot(vector.as_slice().unwrap_or_default(), query) }
    }
}

/// Subtracts the centre, if there is one, and scales to unit length.
pub fn centre_and_normalise(vector: &mut [f32], centre: &[f32]) {
    vector.iter_mut().zip(centre).for_each(|(v, c)| *v -= c);
    normalise(vector);
}

fn reduce(vector: ArrayView1<f32>, basis: &Array2<f32>) -> [f32; DIMS] {
    let mut point = [0.0; DIMS];
    let vector = vector.as_slice().unwrap_or_default();
    for (out, direction) in point.iter_mut().zip(basis.outer_iter()) {
        *out = dot(direction.as_slice().unwrap_or_default(), vector);
    }
    point
}

/// Keeps the `k` most similar, the nearest first; equals come in the order of their rows.
fn best(found: impl Iterator<Item = Neighbour>, k: usize) -> Vec<Neighbour> {
    let closer = |a: &Neighbour, b: &Neighbour| b.similarity.total_cmp(&a.similarity).then(a.row.cmp(&b.row));
    let mut kept: Vec<Neighbour> = Vec::with_capacity(2 * k + 1);
    let mut bar = f32::NEG_INFINITY;
    for neighbour in found {
        if neighbour.similarity < bar {
            continue;
        }
        kept.push(neighbour);
        if kept.len() > 2 * k {
            kept.select_nth_unstable_by(k, closer);
            kept.truncate(k);
            bar = kept.iter().map(|n| n.similarity).fold(f32::INFINITY, f32::min);
        }
    }
    kept.sort_by(closer);
    kept.truncate(k);
    kept
}

/// Scalar product, with the widest vector instructions this processor has.
#[multiversion::multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma", "aarch64+neon"))]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 32];
    let (a_blocks, a_rest) = a.as_chunks::<32>();
    let (b_blocks, b_rest) = b.as_chunks::<32>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for i in 0..32 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit vectors around a few centres, repeatable.
    fn vectors(n: usize, dim: usize) -> Vec<Vec<f16>> {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as f32 / u32::MAX as f32 - 0.5
        };
        let centres: Vec<Vec<f32>> = (0..12).map(|_| (0..dim).map(|_| next()).collect()).collect();
        (0..n)
            .map(|i| {
                let mut vector: Vec<f32> = centres[i % 12].iter().map(|c| c + 0.4 * next()).collect();
                normalise(&mut vector);
                vector.into_iter().map(f16::from_f32).collect()
            })
            .collect()
    }

    fn space(vectors: &[Vec<f16>]) -> Space {
        let rows: Vec<&[f16]> = vectors.iter().map(Vec::as_slice).collect();
        Space::build(&rows, &Statistics::default())
    }

    #[test]
    fn an_exact_answer_is_the_brute_force_answer() {
        let vectors = vectors(500, 70);
        let space = space(&vectors);
        let query = space.place(&vectors[3]);
        let answer = space.exact(&query, 10, |row| row != 3);
        let mut all: Vec<(f64, usize)> = (0..500)
            .filter(|row| *row != 3)
            .map(|row| {
                let other = space.place(&vectors[row]);
                (query.iter().zip(&other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum(), row)
            })
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert!(answer.exact);
        for (found, (similarity, row)) in answer.neighbours.iter().zip(&all) {
            assert_eq!(found.row, *row);
            assert!((f64::from(found.similarity) - similarity).abs() < 1e-5);
        }
    }

    #[test]
    fn the_tree_finds_nearly_all_true_neighbours_and_says_that_it_is_not_sure() {
        let vectors = vectors(SCAN_AT_ONCE + 1000, 64);
        let space = space(&vectors);
        let (mut found, mut asked) = (0, 0);
        for query in (0..vectors.len()).step_by(97) {
            let point = space.place(&vectors[query]);
            let quick = space.quick(&point, 10, |_| true);
            let exact = space.exact(&point, 10, |_| true);
            assert!(!quick.exact && exact.exact);
            assert_eq!(quick.neighbours[0].row, query);
            asked += 10;
            found += exact.neighbours.iter().filter(|n| quick.neighbours.contains(n)).count();
        }
        assert!(found * 100 > asked * 95, "{found} of {asked}");
    }

    #[test]
    fn neighbours_of_all_are_those_of_each() {
        let vectors = vectors(300, 64);
        let space = space(&vectors);
        let all: Vec<usize> = (0..300).collect();
        let nearest = space.nearest(&all, &all, 10, || false);
        let mut found = 0;
        for (query, vector) in vectors.iter().enumerate() {
            let exact = space.exact(&space.place(vector), 10, |row| row != query);
            let rows = &nearest.rows[query * 10..query * 10 + 10];
            assert!(nearest.distances[query * 10..query * 10 + 10].is_sorted());
            found += exact.neighbours.iter().filter(|n| rows.contains(&u32::try_from(n.row).unwrap())).count();
        }
        assert!(found > 2900, "{found} of 3000");
        assert_eq!(space.nearest(&[0], &[0], 10, || false).k, 0);
        assert_eq!(space.nearest(&[0, 1], &[1, 2], 10, || false).rows.len(), 2);
    }

    #[test]
    fn a_filter_that_leaves_too_few_candidates_is_scanned() {
        let vectors = vectors(SCAN_AT_ONCE + 1, 40);
        let space = space(&vectors);
        let query = space.place(&vectors[0]);
        let answer = space.quick(&query, 5, |row| row % 700 == 1);
        assert!(answer.exact);
        assert_eq!(answer.neighbours.len(), 5);
    }

    #[test]
    fn an_empty_space_answers_nothing() {
        let space = space(&[]);
        assert!(space.is_empty() && space.positions().is_empty());
        assert!(space.quick(&[], 5, |_| true).neighbours.is_empty());
    }
}
