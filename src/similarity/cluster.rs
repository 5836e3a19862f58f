//! Groups of similar sounds, and parts of these groups that lie together on the map.
//!
//! k-means (Lloyd, 1982), seeded with k-means++ (Arthur and Vassilvitskii, 2007) from a fixed number: the groups in the main
//! components of unit vectors, their parts in the positions of the cloud. A sound keeps its group, and with it its colour,
//! when others are added, which join the nearest group. Only if a fresh fit does much better, or the library has grown out
//! of their number, are there new groups; each of these gets the number of the group of before with which it shares the most sounds.

use dsp::vector::dot;

use crate::random::Random;
use crate::space::DIMS;

/// With more groups than this, their colours could not be told apart.
pub const MOST: usize = 7;
/// Most parts of a group. A group's number and a part's share a byte, see [`code`].
pub const PARTS: usize = 32;
/// How many codes there can be.
pub const CODES: usize = 8 * PARTS;
/// A fit looks at no more sounds than this, evenly spread; every sound is then given its nearest group.
const FIT_ROWS: usize = 20_000;
/// Rounds of a fit, which nearly always settles sooner.
const ROUNDS: usize = 40;
/// Fresh starts tried.
const STARTS: u64 = 4;
/// A fresh start replaces the groups of before only if its sounds are this much nearer to their centres, by squared distance.
const BETTER: f32 = 0.9;

/// The group and the part of one sound as one number.
pub fn code(group: usize, part: usize) -> u8 {
    u8::try_from(group.min(MOST) + 8 * part.min(PARTS - 1)).unwrap_or(u8::MAX)
}

/// The group and the part that a code stands for; `None` for those that no sound has.
pub fn decode(code: u8) -> Option<(usize, usize)> {
    let code = usize::from(code);
    (code % 8 < MOST).then_some((code % 8, code / 8))
}

/// Groups of sounds.
#[derive(Clone, Debug, Default)]
pub struct Clusters {
    /// The group of each row, `[n]`, below [`MOST`].
    pub of: Vec<usize>,
    /// Its group and the part of it, as a [`code`], `[n]`.
    pub parts: Vec<u8>,
}

impl Clusters {
    /// Groups sounds by their `points`, and those of a group by their `positions`; `before` are the codes of the last layout
    /// for those that were there.
    pub fn find(points: &[[f32; DIMS]], positions: &[[f32; 2]], before: &[Option<u8>]) -> Self {
        let before = |row: usize| before.get(row).copied().flatten().and_then(decode);
        let units: Vec<[f32; DIMS]> = points.iter().map(unit).collect();
        let groups: Vec<Option<usize>> = (0..units.len()).map(|row| Some(before(row)?.0)).collect();
        let of = partition(&units, &groups, MOST);
        let mut parts = vec![0; of.len()];
        for group in 0..MOST {
            let rows: Vec<usize> = (0..of.len()).filter(|row| of[*row] == group).collect();
            let places: Vec<[f32; 2]> = rows.iter().filter_map(|row| positions.get(*row).copied()).collect();
            let known = |row: &usize| before(*row).filter(|before| before.0 == group).map(|before| before.1);
            let known: Vec<Option<usize>> = rows.iter().map(known).collect();
            for (row, part) in rows.iter().zip(partition(&places, &known, PARTS)) {
                parts[*row] = code(group, part);
            }
        }
        Self { of, parts }
    }
}

/// Divides points into at most `most` groups, the largest first unless they had numbers before.
fn partition<const D: usize>(points: &[[f32; D]], before: &[Option<usize>], most: usize) -> Vec<usize> {
    let k = count(points.len(), most);
    if k == 0 {
        return Vec::new();
    }
    let old = centres(points.iter().zip(before).filter_map(|(point, group)| Some((point, (*group)?))));
    let there: Vec<usize> = (0..old.len()).filter(|group| old[*group].is_some()).collect();
    let enough = 3 * k <= 4 * there.len() && 3 * there.len() <= 4 * k;
    // More groups would always be nearer to their centres.
    let k = if enough { there.len() } else { k };
    let step = points.len().div_ceil(FIT_ROWS);
    let fitted: Vec<[f32; D]> = points.iter().step_by(step).copied().collect();
    let fits = (0..STARTS).map(|seed| fit(&fitted, seeds(&fitted, k, seed)));
    let best = fits.min_by(|a, b| a.1.total_cmp(&b.1)).map(|fit| fit.0).unwrap_or_default();
    let fresh: Vec<usize> = points.iter().map(|point| nearest(point, &best).0).collect();
    if enough {
        let middles: Vec<[f32; D]> = there.iter().filter_map(|group| old[*group]).collect();
        let joined = |(point, group): (&[f32; D], &Option<usize>)| group.unwrap_or(there[nearest(point, &middles).0]);
        let kept: Vec<usize> = points.iter().zip(before).map(joined).collect();
        if scatter(points, &fresh) >= scatter(points, &kept) * BETTER {
            return kept;
        }
    }
    renumbered(&fresh, before, most)
}

/// How many groups `n` sounds fall into.
fn count(n: usize, most: usize) -> usize {
    (n / 4).isqrt().clamp(1, most).min(n)
}

fn unit(point: &[f32; DIMS]) -> [f32; DIMS] {
    let length = dot(point, point).sqrt();
    if length > 0.0 { point.map(|v| v / length) } else { *point }
}

fn squared<const D: usize>(a: &[f32; D], b: &[f32; D]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Nearest centre and the squared distance to it.
fn nearest<const D: usize>(point: &[f32; D], centres: &[[f32; D]]) -> (usize, f32) {
    let distances = centres.iter().map(|centre| squared(point, centre)).enumerate();
    distances.fold((0, f32::INFINITY), |best, next| if next.1 < best.1 { next } else { best })
}

/// Means of the points of each group; `None` for a number that no point has.
fn centres<'a, const D: usize>(members: impl Iterator<Item = (&'a [f32; D], usize)>) -> Vec<Option<[f32; D]>> {
    let mut sums: Vec<([f32; D], f32)> = Vec::new();
    for (point, group) in members {
        sums.resize(sums.len().max(group + 1), ([0.0; D], 0.0));
        let (sum, n) = &mut sums[group];
        sum.iter_mut().zip(point).for_each(|(sum, v)| *sum += v);
        *n += 1.0;
    }
    sums.into_iter().map(|(sum, n)| (n > 0.0).then(|| sum.map(|v| v / n))).collect()
}

/// Sum of the squared distances of points from the means of their groups.
fn scatter<const D: usize>(points: &[[f32; D]], of: &[usize]) -> f32 {
    let centres = centres(points.iter().zip(of.iter().copied()));
    points.iter().zip(of).filter_map(|(point, group)| Some(squared(point, &centres[*group]?))).sum()
}

/// Chooses `k` points, each far from those before it.
fn seeds<const D: usize>(points: &[[f32; D]], k: usize, seed: u64) -> Vec<[f32; D]> {
    let mut random = Random(seed);
    let mut centres: Vec<[f32; D]> = Vec::with_capacity(k);
    let mut distances = vec![1.0_f32; points.len()];
    while centres.len() < k {
        let mut rest = random.share() * distances.iter().sum::<f32>();
        let chosen = distances.iter().position(|distance| {
            rest -= distance;
            rest < 0.0
        });
        let centre = points[chosen.unwrap_or(0)];
        let first = centres.is_empty();
        for (distance, point) in distances.iter_mut().zip(points) {
            let new = squared(point, &centre);
            *distance = if first { new } else { distance.min(new) };
        }
        centres.push(centre);
    }
    centres
}

/// Moves the centres until no point changes its group; also returns the sum of the points' squared distances.
fn fit<const D: usize>(points: &[[f32; D]], mut middles: Vec<[f32; D]>) -> (Vec<[f32; D]>, f32) {
    let mut of = vec![usize::MAX; points.len()];
    let mut distance = 0.0;
    for _ in 0..ROUNDS {
        let mut changed = false;
        distance = 0.0;
        for (point, of) in points.iter().zip(&mut of) {
            let (group, squared) = nearest(point, &middles);
            changed |= std::mem::replace(of, group) != group;
            distance += squared;
        }
        if !changed {
            break;
        }
        // A group that lost all its points stays where it is.
        let moved = centres(points.iter().zip(of.iter().copied()));
        middles.iter_mut().zip(moved).for_each(|(middle, moved)| *middle = moved.unwrap_or(*middle));
    }
    (middles, distance)
}

/// Gives each group the number of the one of before with which it shares the most sounds, the largest shares first, and
/// those that share none the numbers that are left, the largest group first.
fn renumbered(of: &[usize], before: &[Option<usize>], most: usize) -> Vec<usize> {
    let mut sizes = vec![0_usize; most];
    let mut shared = vec![0_usize; most * most];
    for (row, new) in of.iter().enumerate() {
        sizes[*new] += 1;
        if let Some(old) = before.get(row).copied().flatten().filter(|old| *old < most) {
            shared[new * most + old] += 1;
        }
    }
    let mut pairs: Vec<usize> = (0..most * most).collect();
    // Without anything shared, the largest group takes the first number.
    pairs.sort_by_key(|pair| (std::cmp::Reverse((shared[*pair], sizes[pair / most])), pair % most, pair / most));
    let (mut numbers, mut taken) = (vec![None; most], vec![false; most]);
    for (new, old) in pairs.into_iter().map(|pair| (pair / most, pair % most)) {
        if numbers[new].is_none() && !taken[old] {
            numbers[new] = Some(old);
            taken[old] = true;
        }
    }
    of.iter().map(|group| numbers[*group].unwrap_or(*group)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Instant;

    use super::*;

    type Point = [f32; DIMS];

    /// Points around seven directions, the first the most.
    fn points(n: usize, spread: f32) -> Vec<Point> {
        let mut random = Random(3);
        let point = |i: usize| {
            let group = truth(i);
            std::array::from_fn(|axis| f32::from(u8::from(axis == group)) + spread * (random.share() - 0.5))
        };
        (0..n).map(point).collect()
    }

    fn truth(i: usize) -> usize {
        (i % 9).saturating_sub(2)
    }

    fn find(points: &[Point], before: &[Option<u8>]) -> Clusters {
        let positions: Vec<[f32; 2]> = points.iter().map(|point| [point[0] + 3.0 * point[1], point[2]]).collect();
        Clusters::find(points, &positions, before)
    }

    fn known(clusters: &Clusters) -> Vec<Option<u8>> {
        clusters.parts.iter().copied().map(Some).collect()
    }

    #[test]
    fn groups_that_are_apart_are_found_the_largest_first() {
        let clusters = find(&points(900, 0.4), &[]);
        assert_eq!(clusters.of.iter().collect::<BTreeSet<_>>().len(), 7);
        assert_eq!(clusters.of[0], 0);
        for i in 0..900 {
            assert_eq!(clusters.of[i] == clusters.of[7], truth(i) == truth(7), "{i}");
        }
    }

    #[test]
    fn no_sound_changes_its_group_or_its_part_when_others_are_added() {
        let all = points(1500, 0.6);
        let mut before = find(&all[..1000], &[]);
        for n in (1001..1500).step_by(7) {
            let mut codes = known(&before);
            codes.resize(n, None);
            let next = find(&all[..n], &codes);
            assert_eq!(next.parts[..before.parts.len()], before.parts, "{n}");
            before = next;
        }
    }

    #[test]
    fn groups_of_a_library_that_has_grown_keep_the_numbers_of_those_they_share_sounds_with() {
        let all = points(3000, 0.4);
        // Too few for seven groups.
        let first = find(&all[..60], &[]);
        let mut codes = known(&first);
        codes.resize(3000, None);
        let second = find(&all, &codes);
        assert_eq!(second.of.iter().collect::<BTreeSet<_>>().len(), 7);
        let stayed = (0..60).filter(|row| first.of[*row] == second.of[*row]).count();
        assert!(stayed >= 25, "{stayed}");
        assert_eq!(
            renumbered(&[0, 0, 1, 2, 2, 2], &[Some(2), Some(2), None, Some(0), None, None], 4),
            [2, 2, 1, 0, 0, 0]
        );
    }

    #[test]
    fn sounds_that_have_nothing_to_do_with_their_groups_any_more_are_grouped_anew() {
        let all = points(900, 0.4);
        let mixed: Vec<Option<u8>> = (0..900).map(|i| Some(code(i % 7, 0))).collect();
        let clusters = find(&all, &mixed);
        assert!((0..900).all(|i| (clusters.of[i] == clusters.of[7]) == (truth(i) == truth(7))));
    }

    #[test]
    fn small_and_uniform_libraries_have_groups_too() {
        for (n, k) in [(0, 0), (1, 1), (3, 1), (15, 1), (16, 2), (75, 4), (200, 7)] {
            let clusters = find(&points(n, 0.5), &[]);
            assert_eq!((clusters.of.iter().collect::<BTreeSet<_>>().len(), clusters.of.len()), (k, n), "{n}");
        }
        let clusters = find(&vec![[0.0; DIMS]; 300], &[]);
        assert!(clusters.of.iter().all(|group| *group < 7));
    }

    #[test]
    fn a_code_says_group_and_part() {
        for (group, part) in [(0, 0), (6, 31), (3, 7)] {
            assert_eq!(decode(code(group, part)), Some((group, part)));
        }
        assert_eq!(decode(u8::MAX), None);
        let clusters = find(&points(900, 0.4), &[]);
        for (of, part) in clusters.of.iter().zip(&clusters.parts) {
            assert_eq!(decode(*part).unwrap().0, *of);
        }
    }

    #[test]
    fn four_times_as_many_sounds_take_little_more_than_four_times_as_long() {
        let best = |n: usize| {
            let points = points(n, 3.0);
            let took = (0..3).map(|_| {
                let started = Instant::now();
                assert_eq!(find(&points, &[]).of.len(), n);
                started.elapsed().as_secs_f64()
            });
            took.fold(f64::INFINITY, f64::min)
        };
        let (small, large) = (best(25_000), best(100_000));
        assert!(large < small * 10.0, "25000 sounds grouped in {small:.3} s, 100000 in {large:.3} s");
    }
}
