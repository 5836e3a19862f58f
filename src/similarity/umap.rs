//! A layout that keeps neighbours together: UMAP (`McInnes`, Healy and Melville, 2018).
//!
//! The graph of each sound's nearest is weighted as UMAP weights it, and its cross entropy is lowered by stochastic
//! gradient descent with negative sampling. Three choices are our own. It starts from given positions, the main
//! components or the last layout, never at random, and all its random numbers are fixed: the same sounds give the same
//! map. The curve of nearness is 1 / (1 + d²), the case a = b = 1, which needs no powers. The neighbours are exact.

use crate::random::Random;

/// Neighbours of each sound in the graph.
pub const NEIGHBOURS: usize = 15;
/// Points that push away for each one that pulls.
const NEGATIVES: usize = 5;
/// Longest step along one axis.
const CLIP: f32 = 4.0;

/// A sound's nearest others in the space, nearest first: `[n * k]` each.
#[derive(Clone, Debug, Default)]
pub struct Nearest {
    /// Number of neighbours of each.
    pub k: usize,
    /// Their rows.
    pub rows: Vec<u32>,
    /// Their distances, not negative.
    pub distances: Vec<f32>,
}

/// One pull between two sounds.
struct Edge {
    ends: [u32; 2],
    /// Rounds between two pulls; one for the strongest.
    every: f32,
}

/// Moves `positions` for `rounds`, with steps that shrink from those of each sound, 1 for any that is new, to nothing; ends
/// early once `stop` says so.
pub fn descend(nearest: &Nearest, positions: &mut [[f32; 2]], steps: &[f32], rounds: usize, stop: &dyn Fn() -> bool) {
    let n = u32::try_from(positions.len()).unwrap_or(u32::MAX);
    if n < 3 || nearest.k == 0 {
        return;
    }
    let edges = edges(nearest, rounds);
    let mut due: Vec<f32> = edges.iter().map(|edge| edge.every).collect();
    let mut random = Random(0);
    for round in 0..rounds {
        if stop() {
            return;
        }
        let now = (round + 1) as f32;
        let rate = 1.0 - round as f32 / rounds as f32;
        for (edge, due) in edges.iter().zip(&mut due) {
            if *due > now {
                continue;
            }
            *due += edge.every;
            let [head, tail] = edge.ends.map(|end| end as usize);
            let (dx, dy, squared) = between(positions[head], positions[tail]);
            // -dL/dd² of log(1 / (1 + d²)), which pulls.
            let pull = -2.0 / (1.0 + squared);
            let [x, y] = [dx, dy].map(|d| (pull * d).clamp(-CLIP, CLIP));
            let [near, far] = [steps[head] * rate, steps[tail] * rate];
            positions[head] = [positions[head][0] + x * near, positions[head][1] + y * near];
            positions[tail] = [positions[tail][0] - x * far, positions[tail][1] - y * far];
            for _ in 0..NEGATIVES {
                let other = random.below(n) as usize;
                if other == head {
                    continue;
                }
                let (dx, dy, squared) = between(positions[head], positions[other]);
                // The same of log(1 - 1 / (1 + d²)), which pushes; 0.001 keeps it finite, as in the reference.
                let push = 2.0 / ((0.001 + squared) * (1.0 + squared));
                let [x, y] = if squared > 0.0 {
                    [dx, dy].map(|d| (push * d).clamp(-CLIP, CLIP))
                } else {
                    // Two sounds at the same place are pushed apart in a random direction.
                    [random.share() - 0.5, random.share() - 0.5]
                };
                positions[head] = [positions[head][0] + x * near, positions[head][1] + y * near];
            }
        }
    }
}

fn between(a: [f32; 2], b: [f32; 2]) -> (f32, f32, f32) {
    let (dx, dy) = (a[0] - b[0], a[1] - b[1]);
    (dx, dy, dx * dx + dy * dy)
}

/// The fuzzy union of all neighbourhoods, in both directions, without what is too weak to pull even once.
fn edges(nearest: &Nearest, rounds: usize) -> Vec<Edge> {
    let mut halves: Vec<([u32; 2], f32)> = Vec::with_capacity(nearest.rows.len());
    let neighbourhoods = nearest.rows.chunks_exact(nearest.k).zip(nearest.distances.chunks_exact(nearest.k));
    for (head, (rows, distances)) in (0_u32..).zip(neighbourhoods) {
        let weights = weights(distances);
        halves.extend(rows.iter().zip(weights).map(|(tail, weight)| ([head.min(*tail), head.max(*tail)], weight)));
    }
    halves.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let union = halves.chunk_by(|a, b| a.0 == b.0).map(|same| {
        let weight = same.iter().fold(0.0, |sum, (_, weight)| sum + weight - sum * weight);
        (same[0].0, weight)
    });
    let union: Vec<([u32; 2], f32)> = union.collect();
    let strongest = union.iter().map(|(_, weight)| *weight).fold(f32::MIN_POSITIVE, f32::max);
    let used = union.into_iter().filter(|(_, weight)| weight * rounds as f32 >= strongest);
    used.flat_map(|([a, b], weight)| [[a, b], [b, a]].map(|ends| Edge { ends, every: strongest / weight })).collect()
}

/// Nearness of neighbours: 1 for the nearest, falling so that the sum is log2 of their number.
fn weights(distances: &[f32]) -> Vec<f32> {
    let first = distances.iter().copied().find(|d| *d > 0.0).unwrap_or(0.0);
    let wanted = (distances.len() as f32 + 1.0).log2();
    let weigh = |distance: f32, width: f32| if distance <= first { 1.0 } else { (-(distance - first) / width).exp() };
    let mean = distances.iter().sum::<f32>() / distances.len().max(1) as f32;
    let (mut low, mut high) = (0.0, f32::INFINITY);
    let mut width = mean.max(f32::MIN_POSITIVE);
    for _ in 0..32 {
        let sum: f32 = distances.iter().map(|d| weigh(*d, width)).sum();
        if sum > wanted {
            high = width;
        } else {
            low = width;
        }
        width = if high.is_finite() { f32::midpoint(low, high) } else { width * 2.0 };
    }
    let width = width.max(mean * 1e-3).max(f32::MIN_POSITIVE);
    distances.iter().map(|d| weigh(*d, width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neighbours along a ring of `n`, of which each knows the two nearest on both sides.
    fn ring(n: u32) -> Nearest {
        let rows = (0..n).flat_map(|i| [i + 1, i + n - 1, i + 2, i + n - 2].map(|j| j % n)).collect();
        let distances = (0..n).flat_map(|_| [1.0, 1.0, 2.0, 2.0]).collect();
        Nearest { k: 4, rows, distances }
    }

    fn length(a: [f32; 2], b: [f32; 2]) -> f32 {
        between(a, b).2.sqrt()
    }

    #[test]
    fn neighbours_end_up_nearer_than_others_even_from_one_place() {
        let mut positions = vec![[0.0, 0.0]; 60];
        descend(&ring(60), &mut positions, &[1.0; 60], 500, &|| false);
        let mean =
            |offset: usize| (0..60).map(|i| length(positions[i], positions[(i + offset) % 60])).sum::<f32>() / 60.0;
        assert!(mean(1) * 3.0 < mean(20), "{} {}", mean(1), mean(20));
    }

    #[test]
    fn the_same_start_gives_the_same_layout() {
        let start: Vec<[f32; 2]> = (0..40).map(|i| [i as f32 * 0.1, (i * i % 7) as f32]).collect();
        let layout = || {
            let mut positions = start.clone();
            descend(&ring(40), &mut positions, &[1.0; 40], 100, &|| false);
            positions
        };
        assert_eq!(layout(), layout());
        assert!(layout().iter().flatten().all(|v| v.is_finite()));
    }

    #[test]
    fn it_stops_when_told() {
        let mut positions = vec![[0.0, 0.0]; 10];
        descend(&ring(10), &mut positions, &[1.0; 10], 100, &|| true);
        assert_eq!(positions, vec![[0.0, 0.0]; 10]);
    }

    #[test]
    fn equal_distances_weigh_the_same_and_none_is_lost() {
        assert_eq!(weights(&[0.0; 5]), [1.0; 5]);
        let weights = weights(&[0.1, 0.2, 0.3, 0.5, 0.8]);
        assert!(weights.windows(2).all(|pair| pair[0] > pair[1]));
        assert!((weights.iter().sum::<f32>() - 6.0_f32.log2()).abs() < 1e-3, "{weights:?}");
    }
}
