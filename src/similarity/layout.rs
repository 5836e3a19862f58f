//! Where each sound is on the map, and which group it belongs to.
//!
//! The cloud starts from the first two main components, or from the last layout, and is then arranged by
//! [`umap`], so that the map neither turns nor jumps when sounds are added. In a large library some sounds
//! are arranged this way, and the others are placed among their nearest of those. The grid follows from the cloud.
//!
//! A layout leaves [`SavedPositions`] behind, in the library too: if every sound has one, the map is exactly as it was left.
//!
//! `benches/layout.rs` measures how many true neighbours are neighbours on the map.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use kiddo::{ImmutableKdTree, SquaredEuclidean};

use crate::cluster::{CODES, Clusters, MOST};
use crate::density::{self, Line};
use crate::grid;
use crate::names::Sounds;
use crate::random::Random;
use crate::space::Space;
use crate::umap::{self, Nearest};

/// Sounds that are arranged among each other; more take longer than anybody waits.
const ARRANGED: usize = 20_000;
/// Neighbours between which any other sound is placed.
const AMONG: usize = 5;
/// Rounds of the descent for a small and a large library, as UMAP's authors use, and the size that divides them.
const ROUNDS: [usize; 2] = [500, 200];
const LARGE: usize = 10_000;
/// Step of a sound that is compared differently than before, such as under another weight; a new sound has 1.
const OTHERWISE: f32 = 0.2;
/// Most absent sounds whose places are kept, such as those of a large unplugged drive, at 46 bytes each.
const ABSENT: usize = 500_000;
/// Extent of the start, in the descent's own unit: 1 is where nearness has fallen to a half.
const START: f32 = 10.0;
/// Root mean square distance of the sounds from the middle of the map, so that the map is about two units wide.
const SPREAD: f32 = 0.5;

/// Positions in map units, y upwards, and groups; rows are those of the space.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Positions by similarity, `[n]`, centred, about two units wide.
    pub cloud: Vec<[f32; 2]>,
    /// Positions in a grid, `[n]`, two units wide.
    pub grid: Vec<[f32; 2]>,
    /// Groups of similar sounds.
    pub clusters: Clusters,
    /// The groups by number; one without sounds has no name.
    pub groups: Vec<Group>,
    /// The parts of the groups by their codes, likewise.
    pub parts: Vec<Group>,
    /// Lines of equal density in the cloud, in map units; none where the dots are few.
    pub contours: Vec<Line>,
    /// How the cloud was found: `umap`, or `pca` where there are too few sounds for a graph.
    pub method: &'static str,
    /// The cloud before it was centred and scaled.
    raw: Vec<[f32; 2]>,
    /// Trees over the cloud and the grid.
    trees: [Option<Arc<Tree>>; 2],
}

/// A group of similar sounds, or a part of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// A few words.
    pub name: String,
    /// How many sounds.
    pub size: usize,
    /// Where most of them are, in cloud and grid, in map units.
    pub at: [[f32; 2]; 2],
}

/// Finds positions near a point.
type Tree = ImmutableKdTree<f32, 2>;

/// BLAKE3 hash of a file's bytes.
pub type Hash = [u8; 32];

/// What a sound's place depends on, besides the other sounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayoutKey {
    /// Hash of its content.
    pub hash: Hash,
    /// Whether its descriptors were known.
    pub described: bool,
    /// What [they were compared by](crate::weights::Weights::key).
    pub weight: f32,
}

/// Where a sound stood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SavedPosition {
    /// What its position followed from.
    pub key: LayoutKey,
    /// Position before the cloud was centred and scaled.
    pub at: [f32; 2],
    /// Its group and the part of it, see [`code`](crate::cluster::code).
    pub group: u8,
}

/// Where the sounds stood, those of the last layout first; copies of a sound each have one of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedPositions(pub Vec<SavedPosition>);

/// A row of the new space in the last layout.
#[derive(Clone, Copy, Debug)]
enum PreviousPosition {
    /// It was not there.
    Unknown,
    /// It was there, but was compared differently.
    Outdated([f32; 2]),
    /// It was there and is compared as before.
    Current([f32; 2]),
}

impl PreviousPosition {
    fn at(self) -> Option<[f32; 2]> {
        match self {
            Self::Unknown => None,
            Self::Outdated(at) | Self::Current(at) => Some(at),
        }
    }

    fn here(self) -> Option<[f32; 2]> {
        if let Self::Current(at) = self { Some(at) } else { None }
    }
}

/// What the last layout leaves to the next.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// Each row of the new space, `[n]`; empty for nothing.
    rows: Vec<PreviousPosition>,
    /// Its group and the part of it, likewise.
    groups: Vec<Option<u8>>,
}

impl SavedPositions {
    /// The same places, for sounds that are all compared differently from now on.
    #[must_use]
    pub fn outdated(&self) -> Self {
        // No weight is equal to this one.
        let outdated =
            |spot: &SavedPosition| SavedPosition { key: LayoutKey { weight: f32::NAN, ..spot.key }, ..*spot };
        Self(self.0.iter().map(outdated).collect())
    }

    /// Prepares the next layout, whose rows have these keys; a row without one cannot be recognised.
    pub fn before(&self, keys: &[Option<LayoutKey>]) -> Before {
        let known: HashMap<_, &SavedPosition> =
            numbered(self.0.iter().map(|spot| Some(spot.key))).zip(&self.0).collect();
        let found: Vec<Option<&SavedPosition>> =
            numbered(keys.iter().copied()).map(|key| known.get(&key).copied()).collect();
        let stood = |(spot, key): (Option<&SavedPosition>, &Option<LayoutKey>)| match spot {
            Some(spot) if Some(spot.key) == *key => PreviousPosition::Current(spot.at),
            Some(spot) => PreviousPosition::Outdated(spot.at),
            None => PreviousPosition::Unknown,
        };
        Before {
            rows: found.iter().copied().zip(keys).map(stood).collect(),
            groups: found.iter().map(|spot| Some((*spot)?.group)).collect(),
        }
    }
}

/// Tells copies apart: the `n`-th sound with the same content, for each.
fn numbered(keys: impl Iterator<Item = Option<LayoutKey>>) -> impl Iterator<Item = Option<(Hash, usize)>> {
    let mut met: HashMap<Hash, usize> = HashMap::new();
    keys.map(move |key| {
        let LayoutKey { hash, .. } = key?;
        let count = met.entry(hash).or_default();
        *count += 1;
        Some((hash, *count))
    })
}

impl Layout {
    /// Lays out all sounds of `space`, which lie at `paths`, relative to the folders of the library; `None` when `stop` said so.
    pub fn build(space: &Space, paths: &[&Path], before: &Before, stop: &dyn Fn() -> bool) -> Option<Self> {
        let settled: Option<Vec<[f32; 2]>> = before.rows.iter().copied().map(PreviousPosition::here).collect();
        let settled = settled.filter(|positions| positions.len() == space.len());
        let raw = settled.unwrap_or_else(|| cloud(space, &before.rows, stop));
        if stop() {
            return None;
        }
        let clusters = Clusters::find(space.points(), &raw, &before.groups);
        let cloud = centred(&raw);
        let [columns, rows] = grid::lattice(cloud.len()).map(|count| count as f32);
        let place = |cell: usize, count: f32| (2.0 * cell as f32 + 1.0 - count) / columns.max(1.0);
        let cell = |[x, y]: [usize; 2]| [place(x, columns), place(y, rows)];
        let grid: Vec<[f32; 2]> = grid::cells(&cloud).into_iter().map(cell).collect();
        let sounds = Sounds::read(paths, space.descriptors());
        let codes: Vec<usize> = clusters.parts.iter().map(|code| usize::from(*code)).collect();
        let named = |of: &[usize], k: usize| groups(of, sounds.names(of, k), [&cloud, &grid]);
        let (groups, parts) = (named(&clusters.of, MOST), named(&codes, CODES));
        let method = if space.len() > 3 { "umap" } else { "pca" };
        let trees = [&cloud, &grid].map(|positions| Tree::new_from_slice(positions).ok().map(Arc::new));
        let contours = density::lines(&cloud);
        Some(Self { cloud, grid, clusters, groups, parts, contours, method, raw, trees })
    }

    /// Lists rows and squared distances of all positions within `radius` of a point, in the cloud or the grid; `None`
    /// where no tree could be made.
    pub fn near(&self, in_grid: bool, at: [f32; 2], radius: f32) -> Option<impl Iterator<Item = (usize, f32)> + use<>> {
        let tree = self.trees[usize::from(in_grid)].as_ref()?;
        let found = tree.query(&at).within::<SquaredEuclidean<f32>>(radius * radius).execute();
        Some(found.into_iter().map(|near| (near.item as usize, near.distance)))
    }

    /// Where a sound that is not part of it would stand in cloud and grid: among its nearest `rows`, given with their
    /// distances, the nearest first. `None` without any.
    pub fn newcomer(&self, nearest: &[(usize, f32)]) -> Option<[[f32; 2]; 2]> {
        let rows = nearest.iter().filter(|(row, _)| *row < self.cloud.len()).take(AMONG);
        let cloud = among(rows.clone().map(|(row, distance)| (self.cloud[*row], *distance)))?;
        let (first, _) = rows.clone().next()?;
        // Half a cell beside its nearest, which has a cell of its own.
        let [columns, _] = grid::lattice(self.grid.len());
        let [x, y] = self.grid[*first];
        Some([cloud, [x + 1.0 / columns.max(1) as f32, y]])
    }

    /// Keeps what the next layout starts from; `keys` are those of the rows. A sound that was in `last` but is not
    /// here, such as one on an unplugged drive, keeps its place there.
    pub fn spots(&self, keys: &[Option<LayoutKey>], last: &SavedPositions) -> SavedPositions {
        let spot = |((key, at), group): ((&Option<LayoutKey>, &[f32; 2]), &u8)| {
            Some(SavedPosition { key: (*key)?, at: *at, group: *group })
        };
        let mut spots: Vec<SavedPosition> =
            keys.iter().zip(&self.raw).zip(&self.clusters.parts).filter_map(spot).collect();
        let here: HashSet<Hash> = spots.iter().map(|spot| spot.key.hash).collect();
        let absent = last.0.iter().filter(|spot| !here.contains(&spot.key.hash)).take(ABSENT);
        spots.extend(absent);
        SavedPositions(spots)
    }
}

/// Counts the members of each group and finds where most of them are.
fn groups(of: &[usize], names: Vec<String>, positions: [&[[f32; 2]]; 2]) -> Vec<Group> {
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    of.iter().enumerate().for_each(|(row, group)| members[*group].push(row));
    let group = |(name, rows): (String, &Vec<usize>)| {
        let at = positions.map(|positions| thickest(rows.iter().map(|row| positions[*row]).collect()));
        Group { name, size: rows.len(), at }
    };
    names.into_iter().zip(&members).map(group).collect()
}

/// The mean of that half of some points that lies closest together, more or less: of a group that is scattered over
/// several islands, a place on the largest of them.
fn thickest(mut points: Vec<[f32; 2]>) -> [f32; 2] {
    let mean = |points: &[[f32; 2]]| {
        [0, 1].map(|axis| points.iter().map(|p| p[axis]).sum::<f32>() / points.len().max(1) as f32)
    };
    let mut middle = mean(&points);
    for _ in 0..8 {
        let from = |p: &[f32; 2]| (p[0] - middle[0]).powi(2) + (p[1] - middle[1]).powi(2);
        if points.len() > 2 {
            let half = points.len() / 2;
            points.select_nth_unstable_by(half, |a, b| from(a).total_cmp(&from(b)));
            middle = mean(&points[..half]);
        }
    }
    middle
}

fn cloud(space: &Space, before: &[PreviousPosition], stop: &dyn Fn() -> bool) -> Vec<[f32; 2]> {
    let n = space.len();
    let mut positions = start(space.positions());
    let all: Vec<usize> = (0..n).collect();
    let arranged: Vec<usize> = all.iter().copied().step_by(n.div_ceil(ARRANGED).max(1)).collect();
    let nearest = space.nearest(&arranged, &arranged, umap::NEIGHBOURS, stop);
    let stood = |row: usize| before.get(row).copied().unwrap_or(PreviousPosition::Unknown);
    let known = arranged.iter().filter(|row| stood(**row).at().is_some()).count();
    for (i, row) in arranged.iter().enumerate().filter(|_| known > 0) {
        let neighbours = nearest.of(i).map(|(j, distance)| (stood(arranged[j]).at(), distance));
        let place = stood(*row).at().or_else(|| among(neighbours.filter_map(|(old, d)| Some((old?, d)))));
        positions[*row] = place.unwrap_or(positions[*row]);
    }
    let mut moved: Vec<[f32; 2]> = arranged.iter().map(|row| positions[*row]).collect();
    // New sounds have to find their places; known ones make room for them, but stay where people look for them.
    let fresh = 1.0 - known as f32 / arranged.len().max(1) as f32;
    let step = |row: &usize| match stood(*row) {
        PreviousPosition::Unknown => 1.0,
        PreviousPosition::Outdated(_) => fresh.max(OTHERWISE),
        PreviousPosition::Current(_) => fresh,
    };
    let steps: Vec<f32> = arranged.iter().map(step).collect();
    let rounds = ROUNDS[usize::from(arranged.len() > LARGE)];
    let rounds = if fresh > 0.5 { rounds } else { rounds / 2 };
    umap::descend(&nearest, &mut moved, &steps, rounds, stop);
    arranged.iter().zip(&moved).for_each(|(row, position)| positions[*row] = *position);
    if arranged.len() < n {
        let others: Vec<usize> = all.into_iter().filter(|row| row % n.div_ceil(ARRANGED) != 0).collect();
        let nearest = space.nearest(&others, &arranged, AMONG, stop);
        let mut random = Random(1);
        for (i, row) in others.iter().enumerate().filter(|_| !nearest.rows.is_empty()) {
            let place = among(nearest.of(i).map(|(j, distance)| (moved[j], distance)));
            // Sounds between the same neighbours would hide each other.
            let beside = [0, 1].map(|_| (random.share() - 0.5) * 0.1);
            let place = place.map(|[x, y]| [x + beside[0], y + beside[1]]);
            positions[*row] = stood(*row).here().or(place).unwrap_or(positions[*row]);
        }
    }
    positions
}

/// The main components, enlarged to the extent at which the descent starts.
fn start(components: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let largest = components.iter().flatten().fold(f32::MIN_POSITIVE, |max, v| max.max(v.abs()));
    components.iter().map(|p| p.map(|v| v / largest * START)).collect()
}

/// Mean position of neighbours, the near ones counting more; `None` without neighbours.
fn among(neighbours: impl Iterator<Item = ([f32; 2], f32)>) -> Option<[f32; 2]> {
    let (mut sum, mut weights) = ([0.0, 0.0], 0.0);
    for ([x, y], distance) in neighbours {
        let weight = 1.0 / (distance + 1e-3);
        sum = [sum[0] + x * weight, sum[1] + y * weight];
        weights += weight;
    }
    (weights > 0.0).then(|| sum.map(|v| v / weights))
}

fn centred(raw: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let n = raw.len().max(1) as f32;
    let middle = [0, 1].map(|axis| raw.iter().map(|p| p[axis]).sum::<f32>() / n);
    let moved = raw.iter().map(|p| [p[0] - middle[0], p[1] - middle[1]]);
    let square = moved.clone().flatten().map(|v| v * v).sum::<f32>() / n;
    let scale = if square > 0.0 { SPREAD / square.sqrt() } else { 1.0 };
    moved.map(|p| p.map(|v| v * scale)).collect()
}

impl Nearest {
    /// The neighbours of the `i`-th query and their distances, the nearest first.
    fn of(&self, i: usize) -> impl Iterator<Item = (usize, f32)> {
        let range = i * self.k..(i + 1) * self.k;
        self.rows[range.clone()].iter().map(|row| *row as usize).zip(self.distances[range].iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use half::f16;

    use super::*;
    use crate::space::Heard;
    use crate::weights::Weights;

    /// A space of `n` sounds around five directions.
    fn space(n: usize) -> Space {
        let mut random = Random(5);
        let vector = |i: usize| -> Vec<f16> {
            let part = |axis: usize| f32::from(u8::from(axis == i % 5)) + 0.5 * (random.share() - 0.5);
            (0..48).map(part).map(f16::from_f32).collect()
        };
        let vectors: Vec<Vec<f16>> = (0..n).map(vector).collect();
        let heard: Vec<Heard> = vectors.iter().map(|v| Heard { pooled: v, descriptors: None, head: &[] }).collect();
        Space::build(&heard, &Arc::default(), &Weights::default())
    }

    fn keys(sounds: std::ops::Range<u8>) -> Vec<Option<LayoutKey>> {
        sounds.map(|n| Some(LayoutKey { hash: [n; 32], described: true, weight: 0.5 })).collect()
    }

    fn lay_out(space: &Space, before: &Before) -> Layout {
        let paths: Vec<PathBuf> = (0..space.len()).map(|i| format!("/s/sound {i}.wav").into()).collect();
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        Layout::build(space, &paths, before, &|| false).unwrap()
    }

    #[test]
    fn every_library_has_a_layout_however_small() {
        for n in [0, 1, 2, 3, 4, 5, 20] {
            let layout = lay_out(&space(n), &Before::default());
            assert_eq!((layout.cloud.len(), layout.grid.len(), layout.clusters.of.len()), (n, n, n));
            assert!(layout.cloud.iter().chain(&layout.grid).flatten().all(|v| v.is_finite()), "{n}");
            assert!(layout.grid.iter().flatten().all(|v| v.abs() <= 1.0), "{n}");
        }
    }

    #[test]
    fn the_cloud_is_centred_and_about_two_units_wide() {
        let layout = lay_out(&space(300), &Before::default());
        let extent = layout.cloud.iter().flatten().fold(0.0_f32, |max, v| max.max(v.abs()));
        assert!((0.4..2.0).contains(&extent), "{extent}");
        assert!(layout.cloud.iter().map(|p| p[0]).sum::<f32>().abs() < 0.01);
    }

    #[test]
    fn what_is_near_a_point_is_found_in_cloud_and_grid() {
        let layout = lay_out(&space(300), &Before::default());
        for (in_grid, positions) in [(false, &layout.cloud), (true, &layout.grid)] {
            let [x, y] = positions[7];
            let at = [x + 0.01, y];
            let distance = |p: &[f32; 2]| (p[0] - at[0]).hypot(p[1] - at[1]);
            let mut found: Vec<usize> = layout.near(in_grid, at, 0.2).unwrap().map(|(row, _)| row).collect();
            found.sort_unstable();
            let all: Vec<usize> = (0..300).filter(|row| distance(&positions[*row]) < 0.2).collect();
            assert_eq!(found, all);
            assert!(found.contains(&7) && found.len() < 300);
        }
    }

    #[test]
    fn sounds_that_were_there_stay_about_where_they_were_when_others_come() {
        let (small, large) = (space(200), space(240));
        let first = lay_out(&small, &Before::default());
        let before = first.spots(&keys(0..200), &SavedPositions::default()).before(&keys(0..240));
        let second = lay_out(&large, &before);
        let moved = (0..200).map(|i| {
            let [from, to] = [first.cloud[i], second.cloud[i]];
            (from[0] - to[0]).hypot(from[1] - to[1])
        });
        let mean = moved.sum::<f32>() / 200.0;
        assert!(mean < 0.15, "moved by {mean}");
        // One alone moves nothing that anybody would see.
        let before = first.spots(&keys(0..200), &SavedPositions::default()).before(&keys(0..201));
        let third = lay_out(&space(201), &before);
        let moved = first.cloud.iter().zip(&third.cloud).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]));
        let most = moved.fold(0.0, f32::max);
        assert!(most < 0.03, "moved by {most}");
        // A new one is near those of its kind.
        let to = |i: usize| (0..200).map(move |j| (i, j));
        let distance = |(i, j): (usize, usize)| {
            let [a, b] = [second.cloud[i], second.cloud[j]];
            (a[0] - b[0]).hypot(a[1] - b[1])
        };
        let own = (200..240).filter(|i| {
            let nearest = to(*i).min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap();
            nearest.1 % 5 == i % 5
        });
        assert!(own.count() > 36);
    }

    #[test]
    fn a_map_of_the_same_sounds_is_exactly_as_it_was_left() {
        let space = space(120);
        let mut keys = keys(0..120);
        // Two copies of one sound have two places.
        keys[7] = keys[3];
        let first = lay_out(&space, &Before::default());
        let spots = first.spots(&keys, &SavedPositions::default());
        let second = lay_out(&space, &spots.before(&keys));
        assert_eq!((&second.cloud, &second.clusters.of), (&first.cloud, &first.clusters.of));
        assert_eq!(second.spots(&keys, &spots), spots);
        // What sounds otherwise finds another place.
        for change in [|key: &mut LayoutKey| key.described = false, |key: &mut LayoutKey| key.weight = 0.2] {
            let mut changed = keys.clone();
            changed.iter_mut().flatten().for_each(change);
            assert_ne!(lay_out(&space, &spots.before(&changed)).cloud, first.cloud);
        }
    }

    #[test]
    fn what_is_heard_by_other_means_finds_another_place_not_far_from_where_it_stood() {
        let space = space(250);
        let keys = keys(0..250);
        let first = lay_out(&space, &Before::default());
        let spots = first.spots(&keys, &SavedPositions::default());
        let second = lay_out(&space, &spots.outdated().before(&keys));
        assert_ne!(second.cloud, first.cloud);
        let moved = first.cloud.iter().zip(&second.cloud).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]));
        let mut moved: Vec<f32> = moved.collect();
        moved.sort_by(f32::total_cmp);
        // The map is about two units wide.
        assert!(moved[125] < 0.1, "half of them moved by {} or more", moved[125]);
    }

    #[test]
    fn what_is_away_for_a_while_comes_back_to_its_place() {
        let (all, some) = (space(120), space(90));
        let first = lay_out(&all, &Before::default());
        let spots = first.spots(&keys(0..120), &SavedPositions::default());
        let without = lay_out(&some, &spots.before(&keys(0..90)));
        let kept = without.spots(&keys(0..90), &spots);
        assert_eq!(lay_out(&all, &kept.before(&keys(0..120))).cloud, first.cloud);
    }

    #[test]
    fn a_layout_that_is_stopped_is_none() {
        assert!(Layout::build(&space(50), &[Path::new("/a.wav"); 50], &Before::default(), &|| true).is_none());
    }
}
