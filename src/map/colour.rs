//! What the colours of the map mean: groups, or a measure along a ramp.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bevy::prelude::*;

use crate::palette::{self, Palette};

/// Groups with a colour of their own; the rest are "other".
const GROUPS: usize = palette::GROUPS;
/// Label of the rest.
const OTHER: &str = "other";

/// What the colour of a dot says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColourBy {
    /// Group of similar sounds.
    #[default]
    Cluster,
    /// Folder in which it lies.
    Folder,
    /// Spectral centroid.
    Brightness,
    /// Integrated loudness.
    Loudness,
    /// Length.
    Duration,
}

/// How a measure runs along the ramp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Values at the ends.
    pub ends: [f32; 2],
    /// Whether equal ratios are equal steps, instead of equal differences.
    pub logarithmic: bool,
    /// The ends as text, with the unit.
    pub labels: [&'static str; 2],
}

/// Spectral centroid in Hz.
pub const BRIGHTNESS: Scale = Scale { ends: [200.0, 8000.0], logarithmic: true, labels: ["200 Hz", "8 kHz"] };
/// Integrated loudness in LUFS.
pub const LOUDNESS: Scale = Scale { ends: [-40.0, -6.0], logarithmic: false, labels: ["−40 LUFS", "−6 LUFS"] };
/// Length in seconds.
pub const DURATION: Scale = Scale { ends: [0.1, 10.0], logarithmic: true, labels: ["0.1 s", "10 s"] };

impl Scale {
    /// Where a value lies between the ends, in 0..=1.
    pub fn share(&self, value: f32) -> f32 {
        let [low, high] = self.ends;
        let share = if self.logarithmic {
            (value.max(f32::MIN_POSITIVE) / low).ln() / (high / low).ln()
        } else {
            (value - low) / (high - low)
        };
        share.clamp(0.0, 1.0)
    }
}

/// What a group of the legend is, whatever it is called and wherever it stands there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupKey {
    /// Similar sounds, by the number that they keep while the library grows.
    Cluster(usize),
    /// What lies in a folder.
    Folder(Arc<Path>),
    /// Everything that is in no group of its own.
    Other,
}

/// What the colours on the map mean now.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub enum Legend {
    /// There is no map yet.
    #[default]
    Empty,
    /// One colour for each group.
    Groups(Vec<LegendEntry>),
    /// Colours along a ramp.
    Ramp {
        /// From low to high, in equal steps.
        colours: Vec<[u8; 3]>,
        /// Lowest and highest value, with the unit.
        ends: [&'static str; 2],
    },
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendEntry {
    /// What it is, for [`MapLook::hidden_groups`](super::MapLook).
    pub key: GroupKey,
    /// A few words.
    pub label: String,
    /// 8-bit sRGB.
    pub colour: [u8; 3],
    /// How many sounds.
    pub count: usize,
    /// Its number, for [`Map::of_group`](super::Map::of_group).
    pub group: usize,
}

/// The colour of each dot, and whether its group is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Painted {
    /// The group of each dot; empty where colours are of a measure.
    pub(super) groups: Vec<usize>,
    pub(super) colours: Vec<[u8; 3]>,
    pub(super) shown: Vec<bool>,
    pub(super) legend: Legend,
}

/// Gives each dot the colour of its group, `of`; groups beyond those that have a label are "other".
pub(super) fn by_group(
    of: &[usize],
    labels: &[(GroupKey, String)],
    hidden: &BTreeSet<GroupKey>,
    palette: &Palette,
) -> Painted {
    let colour = |group: usize| {
        if group < labels.len() { palette.groups[group % palette.groups.len()] } else { palette.other }
    };
    let mut counts = vec![0; labels.len() + 1];
    of.iter().for_each(|group| counts[(*group).min(labels.len())] += 1);
    let shown: Vec<bool> =
        labels.iter().map(|(key, _)| key).chain([&GroupKey::Other]).map(|key| !hidden.contains(key)).collect();
    let others = (counts[labels.len()] > 0).then(|| (GroupKey::Other, OTHER.to_owned()));
    let entries = labels.iter().cloned().chain(others).enumerate();
    let entries = entries.map(|(group, (key, label))| LegendEntry {
        key,
        label,
        colour: colour(group),
        count: counts[group],
        group,
    });
    Painted {
        // A number that no group has any more is kept free, so that the others keep their colours.
        legend: Legend::Groups(entries.filter(|entry| entry.count > 0).collect()),
        colours: of.iter().map(|group| colour(*group)).collect(),
        shown: of.iter().map(|group| shown[(*group).min(labels.len())]).collect(),
        groups: of.iter().map(|group| (*group).min(labels.len())).collect(),
    }
}

/// Gives each dot the colour of its measure.
pub(super) fn by_measure(values: impl Iterator<Item = Option<f32>>, scale: &Scale, palette: &Palette) -> Painted {
    let colour = |value: Option<f32>| value.map_or(palette.other, |value| palette.ramp(scale.share(value)));
    let colours: Vec<[u8; 3]> = values.map(colour).collect();
    let legend = Legend::Ramp { colours: palette.ramp.to_vec(), ends: scale.labels };
    Painted { groups: Vec::new(), shown: vec![true; colours.len()], colours, legend }
}

/// Groups files by the topmost folder below the library's `folders`, or by the folder they lie in where that makes one
/// group only; the largest seven get labels, in the order of their paths, and the others the number after the last.
pub(super) fn folders(paths: &[&Path], folders: &[PathBuf]) -> (Vec<usize>, Vec<(GroupKey, String)>) {
    let topmost = paths.iter().map(|path| top_folder(path, folders)).collect();
    let (of, labels) = largest(topmost);
    if labels.len() > 1 {
        return (of, labels);
    }
    largest(paths.iter().map(|path| path.parent().unwrap_or(path)).collect())
}

fn top_folder<'a>(path: &'a Path, folders: &[PathBuf]) -> &'a Path {
    let parent = path.parent().unwrap_or(path);
    let Some(root) = folders.iter().find(|folder| path.starts_with(folder)) else { return parent };
    let below = parent.components().count().saturating_sub(root.components().count());
    parent.ancestors().nth(below.saturating_sub(1)).unwrap_or(parent)
}

fn largest(of: Vec<&Path>) -> (Vec<usize>, Vec<(GroupKey, String)>) {
    let mut counts: HashMap<&Path, usize> = HashMap::new();
    of.iter().for_each(|folder| *counts.entry(folder).or_default() += 1);
    let mut order: Vec<(&Path, usize)> = counts.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    order.truncate(GROUPS);
    order.sort();
    let name = |folder: &Path| folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
    let label = |folder: &Path| {
        let own = name(folder);
        // Folders of one name are told apart by where they lie.
        let same = order.iter().filter(|(other, _)| name(other) == own).count();
        let parent = folder.parent().filter(|_| same > 1);
        parent.map_or(own.clone(), |parent| format!("{}/{own}", name(parent)))
    };
    let labels: Vec<_> = order.iter().map(|(folder, _)| (GroupKey::Folder((*folder).into()), label(folder))).collect();
    let numbers: HashMap<&Path, usize> = order.iter().enumerate().map(|(i, (folder, _))| (*folder, i)).collect();
    (of.iter().map(|folder| numbers.get(folder).copied().unwrap_or(labels.len())).collect(), labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: (Vec<usize>, Vec<(GroupKey, String)>)) -> Vec<String> {
        of.1.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn measures_lie_on_their_scales() {
        assert!((BRIGHTNESS.share(1264.9) - 0.5).abs() < 1e-3 && BRIGHTNESS.share(0.0) <= 0.0);
        assert!((LOUDNESS.share(-23.0) - 0.5).abs() < 1e-6 && LOUDNESS.share(3.0) >= 1.0);
        assert!((DURATION.share(1.0) - 0.5).abs() < 1e-6);
        let painted = by_measure([Some(-6.0), None].into_iter(), &LOUDNESS, &Palette::DARK);
        assert_eq!(painted.colours, [Palette::DARK.ramp[2], Palette::DARK.other]);
    }

    #[test]
    fn the_legend_counts_each_group_and_hides_what_was_switched_off() {
        // Two groups may be called the same.
        let labels = [0, 1].map(|number| (GroupKey::Cluster(number), "kick".to_owned()));
        let painted = by_group(&[0, 1, 1, 2], &labels, &BTreeSet::from([GroupKey::Cluster(1)]), &Palette::DARK);
        let Legend::Groups(entries) = &painted.legend else { panic!("no groups") };
        let counted: Vec<(&str, usize)> = entries.iter().map(|e| (e.label.as_str(), e.count)).collect();
        assert_eq!(counted, [("kick", 1), ("kick", 2), ("other", 1)]);
        assert_eq!(painted.shown, [true, false, false, true]);
        assert_eq!(painted.colours[3], Palette::DARK.other);
    }

    #[test]
    fn folders_below_the_library_are_the_groups() {
        let roots = [PathBuf::from("/lib")];
        let paths = ["/lib/Drums/Kicks/a.wav", "/lib/Drums/b.wav", "/lib/Vocals/c.wav", "/lib/d.wav"].map(Path::new);
        let found = folders(&paths, &roots);
        assert_eq!(found.0, [1, 1, 2, 0]);
        assert_eq!(labels(found), ["lib", "Drums", "Vocals"]);
    }

    #[test]
    fn one_topmost_folder_is_divided_further() {
        let paths = ["/lib/Pack/Kicks/a.wav", "/lib/Pack/Hats/b.wav"].map(Path::new);
        assert_eq!(labels(folders(&paths, &["/lib".into()])), ["Hats", "Kicks"]);
        assert_eq!(folders(&[], &[]), (vec![], vec![]));
    }

    #[test]
    fn folders_of_one_name_have_labels_of_their_own() {
        let paths = ["/a/Kicks/1.wav", "/b/Kicks/2.wav", "/b/Hats/3.wav"].map(Path::new);
        assert_eq!(labels(folders(&paths, &["/a".into(), "/b".into()])), ["a/Kicks", "Hats", "b/Kicks"]);
    }

    #[test]
    fn only_the_largest_folders_get_a_colour() {
        let names: Vec<String> =
            (0..12).flat_map(|i| (0..=i).map(move |j| format!("/lib/folder {i:02}/{j}.wav"))).collect();
        let paths: Vec<&Path> = names.iter().map(Path::new).collect();
        let (of, labels) = folders(&paths, &["/lib".into()]);
        assert_eq!((labels.len(), labels[0].1.as_str()), (7, "folder 05"));
        assert_eq!(of.iter().filter(|group| **group == 7).count(), 1 + 2 + 3 + 4 + 5);
    }
}
