//! The space in which sounds are near or far: the parts of every sound, a k-d tree over the main components of their
//! joined vectors, and the exact scan that confirms what the tree says.
//!
//! The parts are kept without their weights, which belong to the question: a scan answers under any weights at once, and
//! only tree and main components are made for one weight of the head.
//!
//! A tree over all dimensions would be slow; over [`DIMS`] of them it is quick and loses little. So the tree
//! proposes [`CANDIDATES`], the full vectors rank them, and a scan over everything settles the matter a moment later.
//! `benches/neighbours.rs` has the measurements behind the two numbers.

use std::num::NonZero;
use std::sync::Arc;

use dsp::descriptors::{COUNT, Values};
use dsp::vector::{dot, normalise};
use half::f16;
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use model::head::{Statistics, centre_and_normalise};
use ndarray::{Array2, ArrayView2, s};

use crate::joined::{Factors, Pieces};
use crate::pca;
use crate::ranking::best;
use crate::smoothing::{self, NEAREST, Neighbourhood};
use crate::umap::Nearest;
use crate::weights::{PartSimilarities, Weights, in_groups, standardised};

pub use crate::ranking::Neighbour;

/// Main components kept for the tree.
pub const DIMS: usize = 32;
/// Neighbours the tree proposes for re-ranking.
pub const CANDIDATES: usize = 200;
/// Weight of the unwanted sounds, which are subtracted from the wanted ones: the largest that leaves as many sounds of
/// the wanted class among the ten nearest, while those of the unwanted one are halved (`make quality` prints the table).
const LESS: f32 = 0.4;
/// Up to this distance, 1 - cosine, from a row a sound is a copy of it.
const COPY: f32 = 1e-4;
/// Up to this many sounds a scan is as quick as the tree.
pub const SCAN_AT_ONCE: usize = 4000;

/// Queries that are compared at once when all neighbours are found: their scores should stay in the processor's cache.
const BLOCK: usize = 32;

/// What is known of a sound that is to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// Its pooled vector, `[dim]`.
    pub pooled: &'a [f16],
    /// Its descriptors, once it has been described.
    pub descriptors: Option<&'a Values>,
    /// What the model's head makes of it, `[head]`; empty where there is none.
    pub head: &'a [f16],
}

/// A sound to compare others with.
#[derive(Clone, Debug)]
pub struct QueryVector {
    /// Head and raw part, `[parts]`.
    parts: Vec<f32>,
    pieces: Pieces,
    descriptors: [f32; COUNT],
    /// Its neighbourhood's vector, each piece times the root of its share: `[parts]`; empty where it has none.
    smoothed: Vec<f32>,
    /// The nearest rows of a sound that is none itself, and their distances.
    around: Vec<(usize, f32)>,
}

impl QueryVector {
    /// Blends the wanted sounds and moves away from the unwanted ones; `None` if no sound is wanted.
    ///
    /// Each part is the mean of theirs, minus 0.4 times the mean of the others', and of unit length again: Rocchio's
    /// feedback ("Relevance feedback in information retrieval", 1971). Descriptors are the mean of those it should be
    /// like.
    pub fn blend(like: &[Self], unlike: &[Self]) -> Option<Self> {
        let mut blend = like.first()?.clone();
        if like.len() == 1 && unlike.is_empty() {
            return Some(blend);
        }
        blend.around.clear();
        let mix = |vector: &mut [f32], of: fn(&Self) -> &[f32]| {
            let mean = |queries: &[Self], i: usize| {
                let values = queries.iter().map(|query| of(query).get(i).copied().unwrap_or_default());
                values.sum::<f32>() / queries.len().max(1) as f32
            };
            vector.iter_mut().enumerate().for_each(|(i, v)| *v = mean(like, i) - LESS * mean(unlike, i));
        };
        mix(&mut blend.parts, |query| &query.parts);
        if unlike.is_empty() {
            mix(&mut blend.smoothed, |query| &query.smoothed);
            normalise(&mut blend.smoothed);
        } else {
            // Less of a sound is said among those that are near each other, and those have nearly the same neighbourhood.
            blend.smoothed.clear();
        }
        let (head, raw) = blend.parts.split_at_mut(blend.pieces.head);
        normalise(head);
        normalise(raw);
        for (i, value) in blend.descriptors.iter_mut().enumerate() {
            *value = like.iter().map(|query| query.descriptors[i]).sum::<f32>() / like.len() as f32;
        }
        Some(blend)
    }

    /// Ranks sounds that are in no space yet by how similar they are, as [`Space::exact`] does; `row` is the place among
    /// `others`.
    pub fn rank<'a>(&self, weights: &Weights, others: impl Iterator<Item = &'a Self>, k: usize) -> Vec<Neighbour> {
        let question = Question::new(self, weights, [0.0; 3]);
        let measure = |(row, other): (usize, &Self)| {
            let plain = dot(&other.parts, &question.parts);
            let smoothed = self.neighbourhood_similarity(other).unwrap_or(plain);
            Neighbour { row, similarity: question.similarity(plain, smoothed, &other.descriptors) }
        };
        best(others.enumerate().map(measure), k)
    }

    /// Tells how similar another sound is, part by part.
    pub fn part_similarities(&self, other: &Self) -> PartSimilarities {
        self.part_by_part(&other.parts, &other.descriptors, self.neighbourhood_similarity(other))
    }

    /// The nearest rows of a sound that is none itself, and their distances, 1 - cosine, nearest first; none until a
    /// [space has surrounded it](Space::surround).
    pub fn around(&self) -> &[(usize, f32)] {
        &self.around
    }

    fn neighbourhood_similarity(&self, other: &Self) -> Option<f32> {
        let both = !self.smoothed.is_empty() && !other.smoothed.is_empty();
        both.then(|| dot(&self.smoothed, &other.smoothed))
    }

    fn part_by_part(&self, parts: &[f32], descriptors: &[f32; COUNT], neighbourhood: Option<f32>) -> PartSimilarities {
        let own = self.pieces.head;
        let (head, raw) = parts.split_at(own.min(parts.len()));
        let bounded = |cosine: f32| cosine.clamp(0.0, 1.0);
        PartSimilarities {
            head: (own > 0).then(|| bounded(dot(head, &self.parts[..own]))),
            network: bounded(dot(raw, &self.parts[own..])),
            neighbourhood: neighbourhood.map(bounded),
            groups: in_groups(descriptors, &self.descriptors),
        }
    }
}

/// A query with weights.
struct Question<'a> {
    /// Multiplied by a row's parts it gives the joined similarity, `[parts]`.
    parts: Vec<f32>,
    /// The same for the products of its neighbourhood with a row; empty where that counts nothing.
    smoothed: Vec<f32>,
    query: &'a QueryVector,
    weights: &'a Weights,
    /// Weights of all groups together.
    groups: f32,
}

/// The nearest sounds, nearest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// At most as many as asked for.
    pub neighbours: Vec<Neighbour>,
    /// Whether these are the true nearest, or the best of what the tree proposed.
    pub exact: bool,
}

/// The parts of every sound, free of weights; row numbers are those of the sounds they were made from.
struct Sounds {
    statistics: Arc<Statistics>,
    pieces: Pieces,
    /// Head and raw part, each of unit length, `[n, parts]`.
    parts: Array2<f32>,
    /// Descriptors in units of their spreads, `[n]`.
    descriptors: Vec<[f32; COUNT]>,
}

/// Sounds as points.
pub struct Space {
    sounds: Arc<Sounds>,
    /// What everything below is made for.
    weights: Weights,
    /// How much each piece counts in the product of two sounds under these.
    shares: Factors,
    /// Up to this many sounds there is no tree.
    scan_at_once: usize,
    /// Main directions of joined vectors, best first, each number times the root of its piece's share:
    /// `[DIMS or fewer, parts]`.
    basis: Array2<f32>,
    tree: Option<ImmutableKdTree<f32, DIMS>>,
    /// The joined vectors along the main directions, `[n]`.
    points: Vec<[f32; DIMS]>,
    /// Position on the map, `[n]`.
    positions: Vec<[f32; 2]>,
    /// Who is near each sound under the weights, `[n]`; empty where no smoothing is wanted.
    neighbourhoods: Vec<Neighbourhood>,
}

impl Space {
    /// Builds the space of sounds under one model, for [weights that share a space](Weights::share_space).
    ///
    /// Centre and basis are the model's own where it ships them, so that a map does not turn when sounds are added;
    /// otherwise nothing is subtracted and the basis is fitted to the sounds. A basis is shipped for the usual weight only.
    pub fn build(heard: &[Heard], statistics: &Arc<Statistics>, weights: &Weights) -> Self {
        Self::build_above(SCAN_AT_ONCE, heard, statistics, weights)
    }

    /// The same, with a tree for more than `scan_at_once` sounds.
    pub fn build_above(scan_at_once: usize, heard: &[Heard], statistics: &Arc<Statistics>, weights: &Weights) -> Self {
        Self::of(Arc::new(Sounds::new(heard, statistics)), weights, scan_at_once)
    }

    /// The same sounds for weights that share no space with its own.
    #[must_use]
    pub fn reweighted(&self, weights: &Weights) -> Self {
        Self::of(self.sounds.clone(), weights, self.scan_at_once)
    }

    fn of(sounds: Arc<Sounds>, weights: &Weights, scan_at_once: usize) -> Self {
        let shares = sounds.pieces.shares(weights);
        let basis = sounds.basis(weights);
        let mut points = Vec::with_capacity(sounds.len());
        for block in sounds.parts.axis_chunks_iter(ndarray::Axis(0), 4096) {
            let reduced = block.dot(&basis.t());
            points.extend(reduced.outer_iter().map(|row| std::array::from_fn(|i| row.get(i).copied().unwrap_or(0.0))));
        }
        let positions = points.iter().map(|p: &[f32; DIMS]| [p[0], p[1]]).collect();
        let tree = (points.len() > scan_at_once).then(|| ImmutableKdTree::new_from_slice(&points).ok()).flatten();
        let neighbourhoods = if weights.smooth > 0.0 { sounds.neighbourhoods(shares, &points) } else { Vec::new() };
        let weights = *weights;
        Self { sounds, weights, shares, scan_at_once, basis, tree, points, positions, neighbourhoods }
    }

    /// Number of sounds.
    pub fn len(&self) -> usize {
        self.sounds.len()
    }

    /// Tells whether it holds no sound.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The weights that tree, points and neighbourhoods are made for.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Each row along the main directions; missing directions are zero.
    pub fn points(&self) -> &[[f32; DIMS]] {
        &self.points
    }

    /// The descriptors of each row in units of their spreads; not a number where they are not known.
    pub fn descriptors(&self) -> &[[f32; COUNT]] {
        &self.sounds.descriptors
    }

    /// The first two main components of each row.
    pub fn positions(&self) -> &[[f32; 2]] {
        &self.positions
    }

    /// Prepares a sound, in the space or not, to be compared with.
    pub fn query_vector(&self, heard: Heard) -> QueryVector {
        let pooled: Vec<f32> = heard.pooled.iter().map(|v| v.to_f32()).collect();
        let statistics = &self.sounds.statistics;
        let pieces = Pieces::of(statistics, pooled.len());
        let mut parts = vec![0.0; pieces.all];
        let (head, raw) = parts.split_at_mut(pieces.head);
        write_head(heard.head, head);
        raw.copy_from_slice(&statistics.raw(&pooled, heard.descriptors));
        let descriptors = standardised(heard.descriptors);
        QueryVector { parts, pieces, descriptors, smoothed: Vec::new(), around: Vec::new() }
    }

    /// Gives a sound its neighbourhood: that of its row, or that of its nearest rows, if it is none itself. A copy of a row
    /// has that row's: a sound and its copy are the same.
    #[must_use]
    pub fn surround(&self, mut query: QueryVector, row: Option<usize>) -> QueryVector {
        let parts = |row: usize| self.sounds.row(row);
        if row.is_none() {
            query.around = self.around(&query, NEAREST);
        }
        let copied = query.around.first().filter(|(_, distance)| *distance < COPY).map(|(row, _)| *row);
        let known = row.or(copied).and_then(|row| self.neighbourhoods.get(row)).copied();
        let neighbourhood = known.or_else(|| {
            let near = query.around.iter().map(|(row, distance)| (*row, 1.0 - distance));
            let length = |sum: &[f32]| query.pieces.length(sum, self.shares);
            let mut sum = vec![0.0; query.parts.len()];
            (!self.neighbourhoods.is_empty()).then(|| Neighbourhood::of(&query.parts, near, parts, length, &mut sum))
        });
        query.smoothed = neighbourhood.map(|found| found.vector(&query.parts, parts)).unwrap_or_default();
        query.pieces.weigh(&mut query.smoothed, self.shares.map(f32::sqrt));
        query
    }

    /// Similarity, to the network alone, between a sound and one window of another as the network gave it.
    pub fn window_similarity(&self, query: &QueryVector, window: &[f16]) -> f32 {
        let mut vector: Vec<f32> = window.iter().map(|v| v.to_f32()).collect();
        centre_and_normalise(&mut vector, &[]);
        centre_and_normalise(&mut vector, self.sounds.statistics.centre());
        // Descriptors, which a window has none of, follow the network's part.
        let raw = &query.parts[query.pieces.head..];
        dot(&vector, &raw[..vector.len().min(raw.len())])
    }

    /// Answers at once from the tree, or by scanning a small library; `accept` says which rows may be answered.
    ///
    /// Under other weights than the tree's, what it proposes is ranked by the weights asked for.
    pub fn quick(&self, query: &QueryVector, weights: &Weights, k: usize, accept: &dyn Fn(usize) -> bool) -> Answer {
        let k = k.min(self.len());
        let (Some(tree), Some(wanted)) = (&self.tree, NonZero::new(k.max(CANDIDATES))) else {
            return self.exact(query, weights, k, accept);
        };
        let point = self.reduce(&query.parts);
        let proposed = tree.query(&point).nearest_n::<SquaredEuclidean<f32>>(wanted).execute();
        let rows = proposed.iter().filter_map(|p| usize::try_from(p.item).ok()).filter(|row| accept(*row));
        let question = Question::new(query, weights, self.shares);
        let of = |row: usize| self.sounds.joined(row, &question.smoothed);
        let measured = rows.map(|row| {
            let plain = self.sounds.joined(row, &question.parts);
            let own = if question.smoothed.is_empty() { plain } else { of(row) };
            self.measured(row, &question, plain, own, &of)
        });
        let neighbours = best(measured, k);
        if neighbours.len() < k {
            // The filter rejected too much of what the tree proposed.
            return self.exact(query, weights, k, accept);
        }
        Answer { neighbours, exact: false }
    }

    /// Answers by comparing with every accepted sound.
    pub fn exact(&self, query: &QueryVector, weights: &Weights, k: usize, accept: &dyn Fn(usize) -> bool) -> Answer {
        let question = Question::new(query, weights, self.shares);
        let k = k.min(self.len());
        // Each row is read once: the neighbourhoods of those accepted hold others too.
        let smooth = !question.smoothed.is_empty();
        let mut products = Vec::with_capacity(if smooth { self.len() } else { 0 });
        let mut accepted = Vec::new();
        for row in 0..self.len() {
            if smooth {
                products.push(self.sounds.joined(row, &question.smoothed));
            }
            if accept(row) {
                accepted.push((row, self.sounds.joined(row, &question.parts)));
            }
        }
        let of = |row: usize| products[row];
        let measured = accepted.into_iter().map(|(row, plain)| {
            let own = if smooth { of(row) } else { plain };
            self.measured(row, &question, plain, own, &of)
        });
        Answer { neighbours: best(measured, k), exact: true }
    }

    /// Tells how similar a row is to a sound, part by part.
    pub fn part_similarities(&self, query: &QueryVector, row: usize) -> PartSimilarities {
        let mut smoothed = query.smoothed.clone();
        query.pieces.weigh(&mut smoothed, self.shares.map(f32::sqrt));
        let of = |row: usize| self.sounds.joined(row, &smoothed);
        let found = self.neighbourhoods.get(row).filter(|_| !smoothed.is_empty());
        let neighbourhood = found.map(|found| found.product(of(row), of));
        query.part_by_part(self.sounds.row(row), &self.sounds.descriptors[row], neighbourhood)
    }

    /// Finds about the `k` nearest rows of a sound and their distances, 1 - cosine, nearest first, under the head's own
    /// weight: between them it stands on the map.
    ///
    /// The main components propose, the full vectors decide, so that a large library can take many sounds in a second.
    pub fn around(&self, query: &QueryVector, k: usize) -> Vec<(usize, f32)> {
        let point = self.reduce(&query.parts);
        let proposed: Vec<usize> = if let (Some(tree), Some(wanted)) = (&self.tree, NonZero::new(4 * k)) {
            let found = tree.query(&point).nearest_n::<SquaredEuclidean<f32>>(wanted).execute();
            found.iter().filter_map(|near| usize::try_from(near.item).ok()).collect()
        } else {
            let near = |(row, other): (usize, &[f32; DIMS])| {
                let distance: f32 = point.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum();
                Neighbour { row, similarity: -distance }
            };
            best(self.points.iter().enumerate().map(near), 4 * k).into_iter().map(|near| near.row).collect()
        };
        let mut vector = query.parts.clone();
        query.pieces.weigh(&mut vector, self.shares);
        let measured = proposed.into_iter().map(|row| Neighbour { row, similarity: self.sounds.joined(row, &vector) });
        best(measured, k).into_iter().map(|near| (near.row, (1.0 - near.similarity).max(0.0))).collect()
    }

    /// Finds the `k` nearest of `others` for each of `queries`, itself left out; distances are 1 - cosine.
    ///
    /// The main components propose those at the smallest distance, the full vectors decide, as in [`quick`](Self::quick). Rows of the answer are places
    /// in `others`. It has fewer than `k` where there are fewer others, and none when `stop` said so.
    pub fn nearest(&self, queries: &[usize], others: &[usize], k: usize, stop: &dyn Fn() -> bool) -> Nearest {
        let points = |rows: &[usize]| Array2::from_shape_fn((rows.len(), DIMS), |(i, j)| self.points[rows[i]][j]);
        let pool = points(others);
        // Of two points at the same angle, the one of similar length is nearer: along the main directions, a unit vector
        // has any length up to one.
        let halves = pool.outer_iter().map(|point| 0.5 * point.dot(&point)).collect::<Vec<f32>>();
        let mut found = Nearest { k: k.min(others.len().saturating_sub(1)), ..Nearest::default() };
        for block in queries.chunks(BLOCK) {
            if stop() || found.k == 0 {
                return Nearest::default();
            }
            let scores: Array2<f32> = points(block).dot(&ArrayView2::from(&pool).t());
            for (query, scores) in block.iter().zip(scores.outer_iter()) {
                let near = |(row, (score, half)): (usize, (&f32, &f32))| Neighbour { row, similarity: score - half };
                let scored = scores.iter().zip(&halves).enumerate().map(near);
                let proposed = best(scored.filter(|neighbour| others[neighbour.row] != *query), 3 * found.k);
                let mut vector = self.sounds.parts.row(*query).to_vec();
                self.sounds.pieces.weigh(&mut vector, self.shares);
                let measured = proposed.iter().map(|neighbour| {
                    let similarity = self.sounds.joined(others[neighbour.row], &vector);
                    Neighbour { row: neighbour.row, similarity }
                });
                for neighbour in best(measured, found.k) {
                    found.rows.push(u32::try_from(neighbour.row).unwrap_or(u32::MAX));
                    found.distances.push((1.0 - neighbour.similarity).max(0.0));
                }
            }
        }
        found
    }

    /// A row as it is ranked, from the products with the question and, with its neighbourhood, of the row and any other.
    fn measured(&self, row: usize, question: &Question, plain: f32, own: f32, of: &impl Fn(usize) -> f32) -> Neighbour {
        let smooth = !question.smoothed.is_empty();
        let smoothed = self.neighbourhoods.get(row).filter(|_| smooth).map_or(plain, |found| found.product(own, of));
        Neighbour { row, similarity: question.similarity(plain, smoothed, &self.sounds.descriptors[row]) }
    }

    fn reduce(&self, parts: &[f32]) -> [f32; DIMS] {
        let mut point = [0.0; DIMS];
        for (out, direction) in point.iter_mut().zip(self.basis.outer_iter()) {
            *out = dot(direction.as_slice().unwrap_or_default(), parts);
        }
        point
    }
}

impl<'a> Question<'a> {
    /// Neighbourhoods are compared with the shares under which they were found.
    fn new(query: &'a QueryVector, weights: &'a Weights, found_with: Factors) -> Self {
        let mut parts = query.parts.clone();
        let mut smoothed = if weights.smooth > 0.0 { query.smoothed.clone() } else { Vec::new() };
        query.pieces.weigh(&mut smoothed, found_with.map(f32::sqrt));
        query.pieces.weigh(&mut parts, query.pieces.shares(weights));
        Self { parts, smoothed, query, weights, groups: weights.groups.iter().sum() }
    }

    /// What a sound is ranked by, from the similarities of its joined vector and its neighbourhood, and its descriptors.
    fn similarity(&self, plain: f32, smoothed: f32, descriptors: &[f32; COUNT]) -> f32 {
        let smooth = self.weights.smooth.clamp(0.0, 1.0);
        let mut similarity = (1.0 - smooth) * plain + smooth * smoothed;
        if self.groups > 0.0 {
            let close = in_groups(descriptors, &self.query.descriptors).unwrap_or_default();
            let sum: f32 = close.iter().zip(&self.weights.groups).map(|(c, w)| c * w).sum();
            similarity = (similarity + sum) / (1.0 + self.groups);
        }
        // Sums of products of unit vectors may be a rounding error beyond it.
        similarity.clamp(-1.0, 1.0)
    }
}

impl Sounds {
    fn new(heard: &[Heard], statistics: &Arc<Statistics>) -> Self {
        let pooled = heard.first().map_or(0, |heard| heard.pooled.len());
        let pieces = if heard.is_empty() { Pieces::default() } else { Pieces::of(statistics, pooled) };
        let head = pieces.head;
        let mut parts = Array2::zeros((heard.len(), pieces.all));
        let mut vector = vec![0.0; pooled];
        for (mut row, heard) in parts.outer_iter_mut().zip(heard) {
            vector.iter_mut().zip(heard.pooled).for_each(|(out, v)| *out = v.to_f32());
            let row = row.as_slice_mut().unwrap_or_default();
            write_head(heard.head, &mut row[..head]);
            statistics.write_raw(&mut vector, heard.descriptors, &mut row[head..]);
        }
        let descriptors = heard.iter().map(|heard| standardised(heard.descriptors)).collect();
        Self { statistics: statistics.clone(), pieces, parts, descriptors }
    }

    fn len(&self) -> usize {
        self.parts.nrows()
    }

    /// Main directions of the joined vectors under these weights, times the roots of the shares.
    fn basis(&self, weights: &Weights) -> Array2<f32> {
        let roots = self.pieces.shares(weights).map(f32::sqrt);
        let width = self.parts.ncols();
        let shipped = match &self.statistics.head {
            Some(head) if weights.share_space(&Weights { smooth: weights.smooth, ..Weights::usual(head.weight) }) => {
                Some(&head.basis)
            }
            Some(_) => None,
            None => Some(&self.statistics.basis),
        };
        let shipped = shipped.filter(|rows| rows.len() >= DIMS && rows.iter().all(|row| row.len() == width));
        let mut basis = if let Some(rows) = shipped {
            Array2::from_shape_fn((DIMS, width), |(i, j)| rows[i][j])
        } else {
            let step = self.len().div_ceil(pca::FIT_ROWS).max(1);
            let mut fitted = self.parts.slice(s![..;step, ..]).to_owned();
            fitted
                .outer_iter_mut()
                .for_each(|mut row| self.pieces.weigh(row.as_slice_mut().unwrap_or_default(), roots));
            pca::fit(fitted.view(), DIMS)
        };
        basis.outer_iter_mut().for_each(|mut row| self.pieces.weigh(row.as_slice_mut().unwrap_or_default(), roots));
        basis
    }

    /// Who is near each row when its pieces count so much; `points` are the rows along the main directions.
    fn neighbourhoods(&self, shares: Factors, points: &[[f32; DIMS]]) -> Vec<Neighbourhood> {
        let (proposed, count) = smoothing::propose(points);
        let (mut weighted, mut sum) = (vec![0.0; self.parts.ncols()], vec![0.0; self.parts.ncols()]);
        let mut of = |row: usize| {
            let own = self.row(row);
            weighted.copy_from_slice(own);
            self.pieces.weigh(&mut weighted, shares);
            let others = proposed[row * count..][..count].iter().map(|other| *other as usize);
            let measured = others.map(|other| Neighbour { row: other, similarity: self.joined(other, &weighted) });
            let near = best(measured, NEAREST).into_iter().map(|near| (near.row, near.similarity));
            let length = |sum: &[f32]| self.pieces.length(sum, shares);
            Neighbourhood::of(own, near, |other| self.row(other), length, &mut sum)
        };
        (0..self.len()).map(&mut of).collect()
    }

    /// Head and raw part of a row.
    fn row(&self, row: usize) -> &[f32] {
        let width = self.parts.ncols();
        self.parts.as_slice().and_then(|parts| parts.get(row * width..(row + 1) * width)).unwrap_or_default()
    }

    /// Similarity of a row to parts that are weighted already.
    fn joined(&self, row: usize, weighted: &[f32]) -> f32 {
        dot(self.row(row), weighted)
    }
}

/// Writes a head with unit length, as far as it was kept exactly; one that is not known is near to nothing.
fn write_head(kept: &[f16], head: &mut [f32]) {
    head.iter_mut().zip(kept).for_each(|(out, v)| *out = v.to_f32());
    normalise(head);
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::weights::By;
    use model::Model;

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

    /// Two sounds by themselves, with this weight of the head.
    fn plain(head: f32) -> Weights {
        Weights { head, ..Weights::default() }
    }

    fn space(vectors: &[Vec<f16>]) -> Space {
        let heard: Vec<Heard> = vectors.iter().map(|vector| heard(vector)).collect();
        Space::build(&heard, &Arc::default(), &Weights::default())
    }

    fn heard(pooled: &[f16]) -> Heard<'_> {
        Heard { pooled, descriptors: None, head: &[] }
    }

    #[test]
    fn a_blend_lies_between_its_sounds_and_away_from_what_is_not_wanted() {
        let vectors = vectors(60, 70);
        let space = space(&vectors);
        let query = |row: usize| space.query_vector(heard(&vectors[row]));
        let close = |a: &QueryVector, b: &QueryVector| dot(&a.parts, &b.parts);
        let (a, b, c) = (query(0), query(1), query(12));
        let both = QueryVector::blend(&[a.clone(), b.clone()], &[]).unwrap();
        assert!((close(&both, &a) - close(&both, &b)).abs() < 1e-5 && close(&both, &a) > close(&a, &b));
        let less = QueryVector::blend(from_ref(&a), from_ref(&c)).unwrap();
        assert!(close(&less, &c) < close(&a, &c) - 0.1 && close(&less, &a) > close(&less, &c));
        for blend in [&both, &less] {
            assert!((close(blend, blend) - 1.0).abs() < 1e-5, "of unit length");
        }
        assert_eq!(QueryVector::blend(from_ref(&a), &[]).unwrap().parts, a.parts);
        assert!(QueryVector::blend(&[], from_ref(&c)).is_none());
    }

    #[test]
    fn an_exact_answer_is_the_brute_force_answer() {
        let vectors = vectors(500, 70);
        let space = space(&vectors);
        let query = space.query_vector(heard(&vectors[3]));
        let answer = space.exact(&query, &Weights::default(), 10, &|row| row != 3);
        let mut all: Vec<(f64, usize)> = (0..500)
            .filter(|row| *row != 3)
            .map(|row| {
                let other = space.query_vector(heard(&vectors[row]));
                (query.parts.iter().zip(&other.parts).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum(), row)
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
            let point = space.query_vector(heard(&vectors[query]));
            let quick = space.quick(&point, &Weights::default(), 10, &|_| true);
            let exact = space.exact(&point, &Weights::default(), 10, &|_| true);
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
        let nearest = space.nearest(&all, &all, 10, &|| false);
        let mut found = 0;
        for (query, vector) in vectors.iter().enumerate() {
            let exact = space.exact(&space.query_vector(heard(vector)), &Weights::default(), 10, &|row| row != query);
            let rows = &nearest.rows[query * 10..query * 10 + 10];
            assert!(nearest.distances[query * 10..query * 10 + 10].is_sorted());
            found += exact.neighbours.iter().filter(|n| rows.contains(&u32::try_from(n.row).unwrap())).count();
        }
        assert!(found > 2900, "{found} of 3000");
        assert_eq!(space.nearest(&[0], &[0], 10, &|| false).k, 0);
        assert_eq!(space.nearest(&[0, 1], &[1, 2], 10, &|| false).rows.len(), 2);
    }

    #[test]
    fn a_filter_that_leaves_too_few_candidates_is_scanned() {
        let vectors = vectors(SCAN_AT_ONCE + 1, 40);
        let space = space(&vectors);
        let query = space.query_vector(heard(&vectors[0]));
        let answer = space.quick(&query, &Weights::default(), 5, &|row| row % 700 == 1);
        assert!(answer.exact);
        assert_eq!(answer.neighbours.len(), 5);
    }

    #[test]
    fn however_many_are_asked_for_all_there_are_is_the_answer() {
        for n in [5, SCAN_AT_ONCE + 1] {
            let vectors = vectors(n, 40);
            let space = space(&vectors);
            let query = space.query_vector(heard(&vectors[0]));
            for answer in [
                space.exact(&query, &Weights::default(), usize::MAX, &|_| true),
                space.quick(&query, &Weights::default(), usize::MAX, &|_| true),
            ] {
                assert_eq!(answer.neighbours.len(), n);
            }
        }
    }

    #[test]
    fn an_empty_space_answers_nothing() {
        let with_head = Space::build(&[], &Arc::new(Model::built_in().unwrap().statistics), &plain(0.7));
        assert!(with_head.reweighted(&plain(0.2)).is_empty());
        let space = space(&[]);
        assert!(space.is_empty() && space.positions().is_empty());
        let nothing = space.query_vector(heard(&[]));
        assert!(space.quick(&nothing, &Weights::default(), 5, &|_| true).neighbours.is_empty());
    }

    /// Sounds with descriptors under the built-in model.
    fn described(n: usize) -> (Vec<Vec<f16>>, Vec<Values>) {
        let value = |i: usize, j: usize| ((i * 31 + j * 17) % 13) as f32 / 6.0 - 1.0;
        let descriptors = (0..n).map(|i| std::array::from_fn(|j| value(i, j)));
        (vectors(n, 512), descriptors.collect())
    }

    /// Something like the heads of these sounds.
    fn heads(vectors: &[Vec<f16>]) -> Vec<Vec<f16>> {
        let head = |vector: &Vec<f16>| vector.chunks(8).map(|eight| eight[0] - eight[5]).collect();
        vectors.iter().map(head).collect()
    }

    fn joined(n: usize, weights: &Weights) -> (Space, Vec<QueryVector>) {
        let (vectors, descriptors) = described(n);
        let heads = heads(&vectors);
        let all = vectors.iter().zip(&descriptors).zip(&heads);
        let all: Vec<Heard> = all.map(|((pooled, d), head)| Heard { pooled, descriptors: Some(d), head }).collect();
        let space = Space::build(&all, &Arc::new(Model::built_in().unwrap().statistics), weights);
        let queries = all.iter().map(|heard| space.query_vector(*heard)).collect();
        (space, queries)
    }

    #[test]
    fn similarity_is_the_weighted_sum_of_the_parts_under_any_weight() {
        let (space, queries) = joined(60, &plain(0.7));
        for head in [0.0, 0.3, 0.7, 1.0] {
            let weights = plain(head);
            for found in space.exact(&queries[7], &weights, 60, &|_| true).neighbours {
                let (a, b) = (&queries[7].parts, &queries[found.row].parts);
                let expected = head * dot(&a[..64], &b[..64]) + (1.0 - head) * dot(&a[64..], &b[64..]);
                assert!((found.similarity - expected).abs() < 1e-5, "{head}: {} {expected}", found.similarity);
            }
        }
    }

    /// The similarity that the definition gives, from all sounds at once.
    fn defined(queries: &[QueryVector], weights: &Weights) -> Array2<f32> {
        let n = queries.len();
        let rows = Array2::from_shape_fn((n, queries[0].parts.len()), |(i, j)| queries[i].parts[j]);
        let mut weighed = rows.clone();
        let shares = queries[0].pieces.shares(weights);
        weighed.outer_iter_mut().for_each(|mut row| queries[0].pieces.weigh(row.as_slice_mut().unwrap(), shares));
        let products = rows.dot(&weighed.t());
        let mut shared = Array2::<f32>::zeros(rows.raw_dim());
        for i in 0..n {
            let mut order: Vec<usize> = (0..n).filter(|j| *j != i).collect();
            order.sort_by(|a, b| products[[i, *b]].total_cmp(&products[[i, *a]]));
            let mut sum = rows.row(i).to_owned();
            for j in &order[..NEAREST] {
                sum += &(&rows.row(*j) * products[[i, *j]].max(0.0).powi(5));
            }
            let length = queries[0].pieces.length(sum.as_slice().unwrap(), shares);
            shared.row_mut(i).assign(&(sum / length));
        }
        let mut weighed = shared.clone();
        weighed.outer_iter_mut().for_each(|mut row| queries[0].pieces.weigh(row.as_slice_mut().unwrap(), shares));
        (1.0 - weights.smooth) * products + weights.smooth * shared.dot(&weighed.t())
    }

    #[test]
    fn half_of_the_similarity_is_that_of_the_neighbourhoods_as_defined() {
        for weights in
            [Weights::usual(0.7), By::Timbre.weigh(Weights::usual(0.7), 0.7), Weights { smooth: 1.0, ..plain(0.3) }]
        {
            let (space, queries) = joined(90, &weights);
            let expected = defined(&queries, &weights);
            for row in [0, 7, 41] {
                let query = space.surround(queries[row].clone(), Some(row));
                for found in space.exact(&query, &weights, 90, &|_| true).neighbours {
                    let defined = expected[[row, found.row]];
                    assert!((found.similarity - defined).abs() < 1e-4, "{weights:?}: {} {defined}", found.similarity);
                    let parts = space.part_similarities(&query, found.row);
                    assert!(parts.neighbourhood.is_some());
                }
                // Without smoothing the same space answers as one without neighbourhoods.
                let bare = Weights { smooth: 0.0, ..weights };
                let (plain, _) = joined(90, &bare);
                let answer = |space: &Space| space.exact(&query, &bare, 90, &|_| true);
                assert_eq!(answer(&space), answer(&plain));
                assert_eq!(plain.part_similarities(&plain.surround(query.clone(), Some(row)), 3).neighbourhood, None);
            }
        }
    }

    #[test]
    fn a_guest_is_smoothed_by_its_own_nearest_and_a_filter_changes_no_similarity() {
        let weights = Weights::usual(0.7);
        let (space, queries) = joined(200, &weights);
        let (few, _) = joined(199, &weights);
        let guest = few.surround(queries[199].clone(), None);
        assert_eq!(guest.around().len(), NEAREST);
        let (own, nearest) = (few.exact(&guest, &weights, 5, &|_| true), guest.around()[0].0);
        let close = few.part_similarities(&guest, nearest).neighbourhood.unwrap();
        assert!(own.neighbours[0].similarity > 0.5 && close > 0.5, "{own:?} {close}");
        // A newcomer is compared with the guest as a row is.
        let known = space.surround(queries[199].clone(), Some(199));
        let late = space.surround(queries[3].clone(), None);
        let [ranked] = known.rank(&weights, [&late].into_iter(), 1)[..] else { panic!("one") };
        let row = space.exact(&known, &weights, 200, &|row| row == 3).neighbours[0];
        assert!((ranked.similarity - row.similarity).abs() < 0.03, "{ranked:?} {row:?}");
        let all = space.exact(&known, &weights, 200, &|_| true).neighbours;
        assert!(all.contains(&row), "{row:?}");
    }

    #[test]
    fn descriptors_may_have_twice_their_share() {
        let (space, queries) = joined(60, &Weights::default());
        let (network, described) =
            (|q: &QueryVector| q.parts[64..576].to_vec(), |q: &QueryVector| q.parts[576..].to_vec());
        let doubled = Weights { smooth: 0.0, ..By::Timbre.weigh(Weights::usual(0.7), 0.7) };
        for found in space.exact(&queries[7], &doubled, 60, &|_| true).neighbours {
            let (a, b) = (&queries[7], &queries[found.row]);
            let [network, described] = [dot(&network(a), &network(b)) / 0.85, dot(&described(a), &described(b)) / 0.15];
            assert!((found.similarity - (0.7 * network + 0.3 * described)).abs() < 1e-5, "{found:?}");
        }
    }

    #[test]
    fn a_reweighted_space_is_one_built_with_that_weight() {
        let (space, _) = joined(80, &plain(0.7));
        let (built, _) = joined(80, &plain(0.2));
        let again = space.reweighted(&plain(0.2));
        assert!(*again.weights() == plain(0.2));
        assert_eq!(again.points(), built.points());
        // Distances along the main directions are those of the joined vectors, as far as they reach.
        let length = |p: &[f32; DIMS]| p.iter().map(|v| v * v).sum::<f32>();
        assert!(again.points().iter().all(|p| (0.3..1.001).contains(&length(p))));
    }

    #[test]
    fn the_tree_finds_nearly_all_true_neighbours_in_the_joined_space() {
        let (space, queries) = joined(SCAN_AT_ONCE + 500, &plain(0.7));
        let weights = plain(0.7);
        let (mut found, mut asked) = (0, 0);
        for query in queries.iter().step_by(211) {
            let (quick, exact) =
                (space.quick(query, &weights, 10, &|_| true), space.exact(query, &weights, 10, &|_| true));
            assert!(!quick.exact);
            asked += 10;
            found += exact.neighbours.iter().filter(|n| quick.neighbours.contains(n)).count();
        }
        assert!(found * 100 > asked * 90, "{found} of {asked}");
    }

    #[test]
    fn a_group_with_weight_moves_what_is_close_in_it_up() {
        let (space, queries) = joined(100, &plain(0.7));
        let usual = plain(0.7);
        let mut heavy = usual;
        heavy.groups[1] = 50.0;
        let part_similarities = |weights: &Weights| {
            let found = space.exact(&queries[3], weights, 10, &|row| row != 3).neighbours;
            found.iter().map(|n| space.part_similarities(&queries[3], n.row).groups.unwrap()[1]).sum::<f32>()
        };
        assert!(part_similarities(&heavy) > part_similarities(&usual));
        let own = space.part_similarities(&queries[3], 3);
        assert!(own.head.is_some_and(|c| c > 0.999) && own.network > 0.999 && own.groups == Some([1.0; 5]), "{own:?}");
    }

    #[test]
    fn a_sound_without_descriptors_is_compared_by_what_is_known_of_it() {
        let (vectors, descriptors) = described(50);
        let heads = heads(&vectors);
        let half: Vec<Heard> = (0..50)
            .map(|i| {
                let described = i % 2 == 0;
                let head = if described { &heads[i][..] } else { &[] };
                Heard { pooled: &vectors[i], descriptors: described.then(|| &descriptors[i]), head }
            })
            .collect();
        let space = Space::build(&half, &Arc::new(Model::built_in().unwrap().statistics), &plain(0.7));
        let weights = Weights { groups: [1.0; 5], ..plain(0.7) };
        let answer = space.exact(&space.query_vector(half[1]), &weights, 50, &|_| true);
        assert_eq!(answer.neighbours.len(), 50);
        assert!(answer.neighbours.iter().all(|n| n.similarity.is_finite()));
        assert_eq!(space.part_similarities(&space.query_vector(half[1]), 2).groups, None);
    }

    #[test]
    fn a_sound_that_is_no_row_yet_is_ranked_and_placed_as_if_it_were_one() {
        let vectors = vectors(300, 24);
        let heard: Vec<Heard> = vectors.iter().map(|v| Heard { pooled: v, descriptors: None, head: &[] }).collect();
        let (few, all) = (space(&vectors[..200]), space(&vectors));
        let (query, weights) = (all.query_vector(heard[7]), Weights::default());
        let later: Vec<QueryVector> = heard[200..].iter().map(|heard| few.query_vector(*heard)).collect();
        let ranked = query.rank(&weights, later.iter(), 5);
        let exact = all.exact(&query, &weights, 5, &|row| row >= 200).neighbours;
        for (late, row) in ranked.iter().zip(&exact) {
            assert_eq!(late.row + 200, row.row);
            assert!((late.similarity - row.similarity).abs() < 1e-5);
            let parts = query.part_similarities(&later[late.row]);
            assert!((parts.network - all.part_similarities(&query, row.row).network).abs() < 1e-5);
        }
        // Each of the twelve kinds is placed among its own, with a tree and without one.
        let treed = Space::build_above(50, &heard[..200], &Arc::default(), &Weights::default());
        for space in [&few, &treed] {
            for (i, later) in later.iter().enumerate() {
                let around = space.around(later, 5);
                assert!(around.len() == 5 && around.is_sorted_by(|a, b| a.1 <= b.1), "{around:?}");
                assert!(around.iter().all(|(row, _)| row % 12 == (i + 200) % 12), "{i}: {around:?}");
            }
        }
        assert!(Space::build(&[], &Arc::default(), &Weights::default()).around(&later[0], 5).is_empty());
    }
}
