//! Groups of similar sounds, and words for them.
//!
//! Spherical k-means (Dhillon and Modha, 2001) on the main components, seeded with k-means++ (Arthur and Vassilvitskii,
//! 2007) from a fixed number. A group keeps its number, and with it its colour, when sounds are added: the next fit
//! starts from the last one, and if a fresh start does better its groups are matched to those of before.

use std::collections::HashMap;
use std::path::Path;

use dsp::vector::dot;

use crate::random::Random;
use crate::space::DIMS;

/// With more groups than this, their colours could not be told apart.
pub const MOST: usize = 7;
/// A fit looks at no more sounds than this, evenly spread; every sound is then given its nearest group.
const FIT_ROWS: usize = 20_000;
/// Rounds of a fit, which nearly always settles sooner.
const ROUNDS: usize = 40;
/// Fresh starts tried.
const STARTS: u64 = 4;
/// A fresh start replaces the groups of before only if its sounds are this much nearer to their centres.
const BETTER: f32 = 0.95;
/// A word that is in more than this share of all names says nothing about a group.
const COMMON: f32 = 0.6;
/// A word is in at least this share of a group's names to stand for it.
const TYPICAL: f32 = 0.08;
/// Shortest word in letters.
const SHORTEST: usize = 3;

type Point = [f32; DIMS];

/// Groups of sounds.
#[derive(Clone, Debug, Default)]
pub struct Clusters {
    /// Directions of the groups' middles, of unit length, `[k]`.
    pub centres: Vec<[f32; DIMS]>,
    /// The group of each row, `[n]`.
    pub of: Vec<usize>,
}

impl Clusters {
    /// Groups `points`; `before` are the centres of the last fit, if there was one.
    pub fn find(points: &[[f32; DIMS]], before: &[[f32; DIMS]]) -> Self {
        let k = count(points.len());
        if k == 0 {
            return Self::default();
        }
        let step = points.len().div_ceil(FIT_ROWS);
        let fitted: Vec<Point> = points.iter().step_by(step).map(unit).collect();
        let fresh = (0..STARTS).map(|seed| fit(&fitted, seeds(&fitted, Vec::new(), k, seed)));
        let best = fresh.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
        let centres = if before.is_empty() {
            by_size(&fitted, best.0)
        } else {
            let kept = before.iter().take(k).copied().collect();
            let continued = fit(&fitted, seeds(&fitted, kept, k, 0));
            if best.1 < continued.1 * BETTER { matched(best.0, before) } else { continued.0 }
        };
        let of = points.iter().map(|point| nearest(point, &centres).0).collect();
        Self { centres, of }
    }

    /// Centres of `k` groups, of unit length, from points and the group of each; zero for a group without points.
    pub fn centres_of(members: &[(usize, &[f32; DIMS])], k: usize) -> Vec<[f32; DIMS]> {
        let mut sums = vec![[0.0; DIMS]; k];
        for (group, point) in members {
            sums[*group].iter_mut().zip(unit(point)).for_each(|(sum, v)| *sum += v);
        }
        sums.iter().map(unit).collect()
    }

    /// Names each group by up to two words of its members' file and folder names that are frequent in it and rare
    /// elsewhere (class-based tf-idf: Grootendorst, 2022); `group 3` where there is no such word.
    pub fn labels(&self, paths: &[&Path]) -> Vec<String> {
        let k = self.centres.len();
        let mut counts: HashMap<String, Vec<usize>> = HashMap::new();
        let mut sizes = vec![0; k];
        for (path, group) in paths.iter().zip(&self.of) {
            sizes[*group] += 1;
            for word in words(path) {
                counts.entry(word).or_insert_with(|| vec![0; k])[*group] += 1;
            }
        }
        let total = paths.len() as f32;
        let average = total / k.max(1) as f32;
        let label = |group: usize| {
            let size = sizes[group] as f32;
            let mut scored: Vec<(f32, &str)> = counts
                .iter()
                .filter_map(|(word, counts)| {
                    let (here, all) = (counts[group] as f32, counts.iter().sum::<usize>() as f32);
                    let typical = here >= 2.0 && here >= size * TYPICAL && here / size > all / total;
                    let telling = all <= total * COMMON || (k == 1 && all < total);
                    (typical && telling).then(|| (here / size * (1.0 + average / all).ln(), word.as_str()))
                })
                .collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            let mut chosen: Vec<&str> = Vec::new();
            for (_, word) in scored {
                // `kick` and `kicks` are one word.
                if chosen.len() < 2 && !chosen.iter().any(|c| c.starts_with(word) || word.starts_with(*c)) {
                    chosen.push(word);
                }
            }
            if chosen.is_empty() { format!("group {}", group + 1) } else { chosen.join(", ") }
        };
        (0..k).map(label).collect()
    }
}

/// How many groups `n` sounds fall into.
fn count(n: usize) -> usize {
    (n / 4).isqrt().clamp(1, MOST).min(n)
}

fn unit(point: &Point) -> Point {
    let length = dot(point, point).sqrt();
    if length > 0.0 { point.map(|v| v / length) } else { *point }
}

/// Nearest centre and the cosine to it, for a point of unit length.
fn nearest(point: &Point, centres: &[Point]) -> (usize, f32) {
    let cosines = centres.iter().map(|centre| dot(point, centre)).enumerate();
    cosines.fold((0, f32::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best })
}

/// Fills up `centres` to `k`, each a point that is far from those before it.
fn seeds(points: &[Point], mut centres: Vec<Point>, k: usize, seed: u64) -> Vec<Point> {
    let mut random = Random(seed);
    while centres.len() < k {
        let distances = points.iter().map(|p| (1.0 - nearest(p, &centres).1).clamp(0.0, 2.0));
        let distances: Vec<f32> = distances.collect();
        let mut rest = random.share() * distances.iter().sum::<f32>();
        let chosen = distances.iter().position(|distance| {
            rest -= distance;
            rest < 0.0
        });
        centres.push(points[chosen.unwrap_or(0)]);
    }
    centres
}

/// Moves the centres until no point changes its group; also returns the sum of the points' distances (1 - cosine).
fn fit(points: &[Point], mut centres: Vec<Point>) -> (Vec<Point>, f32) {
    let mut of = vec![usize::MAX; points.len()];
    let mut distance = 0.0;
    for _ in 0..ROUNDS {
        let mut sums = vec![[0.0; DIMS]; centres.len()];
        let mut changed = false;
        distance = 0.0;
        for (point, of) in points.iter().zip(&mut of) {
            let (group, cosine) = nearest(point, &centres);
            changed |= std::mem::replace(of, group) != group;
            distance += 1.0 - cosine;
            sums[group].iter_mut().zip(point).for_each(|(sum, v)| *sum += v);
        }
        if !changed {
            break;
        }
        // A group that lost all its points stays where it is.
        let moved = sums.iter().zip(&mut centres).filter(|(sum, _)| dot(*sum, *sum) > 0.0);
        moved.for_each(|(sum, centre)| *centre = unit(sum));
    }
    (centres, distance)
}

/// The largest group first.
fn by_size(points: &[Point], centres: Vec<Point>) -> Vec<Point> {
    let mut sizes = vec![0_usize; centres.len()];
    points.iter().for_each(|point| sizes[nearest(point, &centres).0] += 1);
    let mut order: Vec<usize> = (0..centres.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(sizes[*i]));
    order.into_iter().map(|i| centres[i]).collect()
}

/// Gives each centre the number of the previous centre most similar to it, the most similar pairs first.
fn matched(centres: Vec<Point>, before: &[Point]) -> Vec<Point> {
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (new, centre) in centres.iter().enumerate() {
        pairs.extend(before.iter().enumerate().map(|(old, other)| (dot(centre, other), new, old)));
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut places: Vec<Option<usize>> = vec![None; centres.len()];
    for (_, new, old) in pairs {
        if old < places.len() && places[old].is_none() && !places.contains(&Some(new)) {
            places[old] = Some(new);
        }
    }
    let mut rest = (0..centres.len()).filter(|new| !places.contains(&Some(*new))).collect::<Vec<_>>().into_iter();
    places.iter().filter_map(|place| place.or_else(|| rest.next())).map(|new| centres[new]).collect()
}

/// The different words in the names of a file and its folder, in lower case.
fn words(path: &Path) -> Vec<String> {
    let names = [path.parent().and_then(Path::file_name), path.file_stem()];
    let mut words: Vec<String> = Vec::new();
    for name in names.into_iter().flatten() {
        let name = name.to_string_lossy();
        let mut word = String::new();
        let mut letters = name.chars().peekable();
        let mut last = ' ';
        while let Some(letter) = letters.next() {
            // `LowTom`, and `HHOpen` before the O.
            let hump = letter.is_uppercase()
                && (last.is_lowercase()
                    || last.is_uppercase() && letters.peek().is_some_and(|next| next.is_lowercase()));
            if hump || !letter.is_alphabetic() {
                words.push(std::mem::take(&mut word));
            }
            if letter.is_alphabetic() {
                word.extend(letter.to_lowercase());
            }
            last = letter;
        }
        words.push(word);
    }
    words.retain(|word| word.chars().count() >= SHORTEST);
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Points around seven directions, the first the most.
    fn points(n: usize, spread: f32) -> Vec<Point> {
        let mut random = Random(3);
        let point = |i: usize| {
            let group = (i % 9).saturating_sub(2);
            std::array::from_fn(|axis| f32::from(u8::from(axis == group)) + spread * (random.share() - 0.5))
        };
        (0..n).map(point).collect()
    }

    fn truth(i: usize) -> usize {
        (i % 9).saturating_sub(2)
    }

    #[test]
    fn groups_that_are_apart_are_found_the_largest_first() {
        let clusters = Clusters::find(&points(900, 0.4), &[]);
        assert_eq!(clusters.centres.len(), 7);
        assert_eq!(clusters.of[0], 0);
        for i in 0..900 {
            assert_eq!(clusters.of[i] == clusters.of[7], truth(i) == truth(7), "{i}");
        }
    }

    #[test]
    fn groups_keep_their_numbers_when_sounds_are_added_or_turned_around() {
        let all = points(3000, 0.6);
        let first = Clusters::find(&all[..400], &[]);
        let second = Clusters::find(&all, &first.centres);
        let same = (0..400).filter(|i| first.of[*i] == second.of[*i]).count();
        assert!(same > 390, "{same}");
        let mut turned = first.centres.clone();
        turned.reverse();
        assert_eq!(matched(first.centres.clone(), &turned), turned);
    }

    #[test]
    fn small_and_uniform_libraries_have_groups_too() {
        for (n, k) in [(0, 0), (1, 1), (3, 1), (15, 1), (16, 2), (75, 4), (200, 7)] {
            let clusters = Clusters::find(&points(n, 0.5), &[]);
            assert_eq!((clusters.centres.len(), clusters.of.len()), (k, n), "{n}");
        }
        let clusters = Clusters::find(&vec![[0.0; DIMS]; 300], &[]);
        assert!(clusters.of.iter().all(|group| *group < 7));
    }

    #[test]
    fn four_times_as_many_sounds_take_little_more_than_four_times_as_long() {
        let best = |n: usize| {
            let points = points(n, 3.0);
            let took = (0..3).map(|_| {
                let started = Instant::now();
                assert_eq!(Clusters::find(&points, &[]).of.len(), n);
                started.elapsed().as_secs_f64()
            });
            took.fold(f64::INFINITY, f64::min)
        };
        let (small, large) = (best(25_000), best(100_000));
        assert!(large < small * 10.0, "25000 sounds grouped in {small:.3} s, 100000 in {large:.3} s");
    }

    #[test]
    fn names_are_split_at_case_and_signs() {
        assert_eq!(words(Path::new("/x/Drum Hits/HHOpen_LowTom-03ab.wav")), ["drum", "hits", "low", "open", "tom"]);
        assert_eq!(words(Path::new("/x/1/ä.wav")), Vec::<String>::new());
        assert_eq!(words(Path::new("/x/Größe/Übung.wav")), ["größe", "übung"]);
    }

    #[test]
    fn a_group_is_named_by_what_is_frequent_in_it_and_rare_elsewhere() {
        let paths: Vec<String> = (0..60)
            .map(|i| match i % 3 {
                0 => format!("/s/pack/acme kick {i}.wav"),
                1 => format!("/s/pack/acme soft_vocalChop {i}.wav"),
                _ => format!("/s/pack/acme {i}.wav"),
            })
            .collect();
        let paths: Vec<&Path> = paths.iter().map(Path::new).collect();
        let clusters = Clusters { centres: vec![[0.0; DIMS]; 3], of: (0..60).map(|i| i % 3).collect() };
        assert_eq!(clusters.labels(&paths), ["kick", "chop, soft", "group 3"]);
    }
}
