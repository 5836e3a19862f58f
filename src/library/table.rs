//! The samples as a table: one row each, in step with the components, and what is found among them.
//!
//! A row keeps its number for as long as its sample is there, and a change costs what has changed. Orders and questions
//! that are shown somewhere are views of this table, each with its owner.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bevy::ecs::entity::{EntityHashMap, EntityHashSet};
use bevy::ecs::query::QueryItem;
use bevy::prelude::*;
use dsp::Hz;
use serde::{Deserialize, Serialize};

use super::changes::{Changes, Fact, Reader};
use super::search::{self, Found, Search, SearchKey};
use super::{
    AudioInfo, Descriptors, Embedding, Failed, FailureKind, Features, FileStamp, Folders, Former, Missing, Recording,
    Sample, Stage, Tags, Transient,
};
use crate::schedule::DeriveSystems;

/// Place of the median frequency among the descriptors.
const MEDIAN_FREQUENCY: usize = 3;
/// The tag of the samples that the user keeps.
pub const KEPT: &str = "kept";

/// A column of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// The outline of its waveform, which has no order.
    Outline,
    /// File name.
    #[default]
    Name,
    /// Folder it lies in.
    Folder,
    /// Codec or container.
    Format,
    /// Number of channels.
    Channels,
    /// Sample rate in Hz.
    Rate,
    /// Median frequency in Hz.
    Pitch,
    /// Hz.
    Brightness,
    /// Seconds.
    Length,
    /// Sample peak in dBFS.
    Peak,
    /// LUFS.
    Loudness,
    /// When the file was last changed.
    Modified,
    /// Why it is similar to the query, part by part, which has no order.
    Why,
    /// Similarity to the query, or how well it matches the search.
    Match,
}

impl Column {
    /// Tells whether the list can be in its order.
    pub fn sorts(self) -> bool {
        !matches!(self, Self::Outline | Self::Why)
    }
}

/// An order of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sort {
    /// By what.
    pub column: Column,
    /// Largest or last first.
    pub descending: bool,
}

/// Samples of one state, wherever they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    /// Those the user keeps.
    Kept,
    /// Those that could not be read, decoded or analysed.
    Unreadable,
    /// Those in which there is nothing to hear.
    Silent,
    /// Those that are gone.
    Missing,
}

impl StatusFilter {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Kept, Self::Silent, Self::Unreadable, Self::Missing];

    /// What they are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "Kept",
            Self::Unreadable => "Unreadable",
            Self::Silent => "Silent",
            Self::Missing => "Missing",
        }
    }

    fn holds(self, row: &Row) -> bool {
        match self {
            Self::Kept => row.kept,
            Self::Unreadable => row.failed.is_some() && !row.is_silent() && !row.missing,
            Self::Silent => row.is_silent() && !row.missing,
            Self::Missing => row.missing,
        }
    }
}

/// Which samples are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Words to find in name, path and tags; see [`search`].
    pub text: String,
    /// This folder and those below it.
    pub folder: Option<PathBuf>,
    /// Those of one state.
    pub status: Option<StatusFilter>,
    /// Those in all of these groups, one of each kind.
    pub groups: Vec<Group>,
}

/// Where a group of samples was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// With a lasso on the map.
    Lasso,
    /// In the map's legend.
    Legend,
    /// What the map showed.
    InView,
}

/// Samples that were chosen one by one.
#[derive(Clone, Debug)]
pub struct Group {
    /// Where.
    pub kind: GroupKind,
    /// What they are called, after their number.
    pub name: Arc<str>,
    /// Which they are.
    pub samples: Arc<EntityHashSet>,
}

impl PartialEq for Group {
    /// Samples are compared by identity: each choice is a new one.
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name == other.name && Arc::ptr_eq(&self.samples, &other.samples)
    }
}

impl Filter {
    /// Tells whether everything is wanted.
    pub fn is_open(&self) -> bool {
        !self.has_words() && self.folder.is_none() && self.status.is_none() && self.groups.is_empty()
    }

    /// Narrows it to a group, in place of another of its kind.
    pub fn narrow(&mut self, group: Group) {
        self.groups.retain(|other| other.kind != group.kind);
        self.groups.push(group);
    }

    /// Tells whether words are wanted.
    pub fn has_words(&self) -> bool {
        !Search::new(&self.text).is_empty()
    }
}

/// What a row says of a sample.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the file")]
pub struct Row {
    /// The sample.
    pub entity: Entity,
    /// Its path.
    pub path: Arc<Path>,
    /// File name, lossy.
    pub name: Box<str>,
    /// What it is found by.
    key: SearchKey,
    /// Name as a key for sorting as people do: numbers by value, ignoring case.
    order: Box<str>,
    /// Length in seconds.
    pub seconds: f32,
    /// Loudness in LUFS; `NaN` where nothing is loud enough to be measured.
    pub lufs: f32,
    /// Sample peak in dBFS; `NaN` before it is known.
    pub peak: f32,
    /// Brightness in Hz; `NaN` before it is known.
    pub brightness: f32,
    /// Median frequency in Hz; `NaN` before it is known.
    pub pitch: f32,
    /// Channels; 0 before they are known.
    pub channels: u32,
    /// Sample rate; 0 before it is known.
    pub rate: Hz,
    /// When the file was last changed, in nanoseconds since 1970; 0 before it is known.
    pub modified: i64,
    /// Short name of the format.
    pub format: Box<str>,
    /// Whether it has been decoded.
    pub known: bool,
    /// Whether it has a vector.
    pub analysed: bool,
    /// Whether it has one of a former analysis.
    pub former: bool,
    /// It is not there any more.
    pub missing: bool,
    /// Why it could not be analysed.
    pub failed: Option<Box<Failed>>,
    /// The user keeps it.
    pub kept: bool,
}

impl Row {
    /// What is wrong with it, in a word; empty if nothing is wrong.
    pub fn trouble(&self) -> &'static str {
        match &self.failed {
            _ if self.missing => "missing",
            None => "",
            Some(_) if self.is_silent() => "silent",
            Some(failed) if failed.stage == Stage::Embed => "not analysed",
            Some(_) => "unreadable",
        }
    }

    fn is_silent(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| failed.kind == FailureKind::Silent)
    }

    fn is_within(&self, filter: &Filter) -> bool {
        filter.status.is_none_or(|status| status.holds(self))
            && filter.groups.iter().all(|group| group.samples.contains(&self.entity))
            && filter.folder.as_ref().is_none_or(|folder| self.path.starts_with(folder))
    }

    /// Name of the folder it lies in.
    pub fn folder(&self) -> std::borrow::Cow<'_, str> {
        self.path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy()).unwrap_or_default()
    }
}

/// Numbers for status line and sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All samples that are there.
    pub samples: usize,
    /// Those that have been analysed.
    pub analysed: usize,
    /// Those that could not be analysed.
    pub failed: usize,
    /// Those of them in which there is something to hear, or nobody knows.
    pub unreadable: usize,
    /// Those of them in which there is nothing to hear.
    pub silent: usize,
    /// Those that are gone.
    pub missing: usize,
    /// Those the user keeps.
    pub kept: usize,
}

impl Counts {
    /// All of the library, there or gone: what sources, list and status line count.
    pub fn all(&self) -> usize {
        self.samples + self.missing
    }

    /// How many are in a state.
    pub fn of(&self, only: StatusFilter) -> usize {
        match only {
            StatusFilter::Kept => self.kept,
            StatusFilter::Unreadable => self.unreadable,
            StatusFilter::Silent => self.silent,
            StatusFilter::Missing => self.missing,
        }
    }
}

/// A row of every sample.
#[derive(Resource, Default)]
pub struct SampleTable {
    /// By number; none where a sample has gone.
    rows: Vec<Option<Row>>,
    free: Vec<u32>,
    at: EntityHashMap<u32>,
    /// Samples of each folder, not counting those below: all, and those that are gone.
    folders: BTreeMap<PathBuf, [usize; 2]>,
    counts: Counts,
    changed: Vec<u32>,
    /// Counts up whenever [`folders`](Self::folders) changes.
    pub folders_changed: u64,
}

impl SampleTable {
    /// The row of this number, unless it is empty.
    pub fn row(&self, number: u32) -> Option<&Row> {
        self.rows.get(number as usize)?.as_ref()
    }

    /// The number of a sample's row.
    pub fn number(&self, entity: Entity) -> Option<u32> {
        self.at.get(&entity).copied()
    }

    /// The row of a sample.
    pub fn of(&self, entity: Entity) -> Option<&Row> {
        self.row(self.number(entity)?)
    }

    /// All numbers lie below this.
    pub fn numbers(&self) -> usize {
        self.rows.len()
    }

    /// Numbers of the rows that were filled, changed or emptied by the last update.
    pub fn changed(&self) -> &[u32] {
        &self.changed
    }

    /// Samples of each folder that has any, not counting those below: all, and those that are gone.
    pub fn folders(&self) -> &BTreeMap<PathBuf, [usize; 2]> {
        &self.folders
    }

    /// All samples, by what became of them.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Finds the rows that pass a filter.
    pub fn find(&self, filter: &Filter) -> Found<u32> {
        let rows = self.rows.iter().zip(0..).filter_map(|(row, number)| Some((row.as_ref()?, number)));
        let within = rows.filter(|(row, _)| row.is_within(filter)).map(|(row, number)| (number, &row.key));
        search::find(&Search::new(&filter.text), within)
    }

    /// How well a row fits a filter with these words, or how similar to them it is; nothing if it does not pass.
    pub fn fit(&self, number: u32, filter: &Filter, words: &Search, similar: bool) -> Option<f32> {
        let row = self.row(number).filter(|row| row.is_within(filter))?;
        if similar { words.similar(&row.key) } else { words.fit(&row.key) }
    }

    /// The samples of some rows.
    pub fn samples(&self, rows: impl IntoIterator<Item = u32>) -> EntityHashSet {
        rows.into_iter().filter_map(|number| Some(self.row(number)?.entity)).collect()
    }

    /// Takes changed samples in; a sample without a row has gone.
    fn update(&mut self, changed: impl Iterator<Item = (Entity, Option<Row>)>) {
        for (entity, row) in changed {
            let known = self.at.get(&entity).copied();
            let before = known.and_then(|number| self.rows.get_mut(number as usize)?.take());
            if before.as_ref().map(|row| row.missing) != row.as_ref().map(|row| row.missing) {
                self.folders_changed += 1;
            }
            if let Some(before) = &before {
                self.count(before, false);
            }
            if let Some(row) = &row {
                self.count(row, true);
            }
            let number = match (known, &row) {
                (Some(number), None) => {
                    self.at.remove(&entity);
                    self.free.push(number);
                    number
                }
                (Some(number), Some(_)) => number,
                (None, None) => continue,
                (None, Some(_)) => {
                    let number = self.free.pop().unwrap_or_else(|| {
                        self.rows.push(None);
                        u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
                    });
                    self.at.insert(entity, number);
                    number
                }
            };
            if let Some(place) = self.rows.get_mut(number as usize) {
                *place = row;
            }
            self.changed.push(number);
        }
    }

    fn count(&mut self, row: &Row, add: bool) {
        let step = |count: &mut usize, counts: bool| {
            if counts {
                *count = if add { *count + 1 } else { count.saturating_sub(1) };
            }
        };
        step(&mut self.counts.samples, !row.missing);
        step(&mut self.counts.analysed, row.analysed && !row.missing);
        step(&mut self.counts.failed, row.failed.is_some() && !row.missing);
        step(&mut self.counts.unreadable, StatusFilter::Unreadable.holds(row));
        step(&mut self.counts.silent, StatusFilter::Silent.holds(row));
        step(&mut self.counts.missing, row.missing);
        step(&mut self.counts.kept, row.kept);
        let Some(folder) = row.path.parent() else { return };
        if !self.folders.contains_key(folder) {
            self.folders.insert(folder.to_owned(), [0, 0]);
        }
        let Some(count) = self.folders.get_mut(folder) else { return };
        step(&mut count[0], true);
        step(&mut count[1], row.missing);
        if count[0] == 0 {
            self.folders.remove(folder);
        }
    }
}

/// Compares two rows by a column; what is unknown comes last in either direction, and rows that are alike are in the order
/// of their names.
pub fn compare(x: &Row, y: &Row, sort: Sort) -> Ordering {
    let by_name = || x.order.cmp(&y.order).then_with(|| x.path.cmp(&y.path));
    let by_number = |x: f32, y: f32| known_first(x, y, sort.descending).then_with(by_name);
    let turn = |order: Ordering| if sort.descending { order.reverse() } else { order };
    // What is not known yet counts nothing.
    let counted = |x: i64, y: i64| (x == 0).cmp(&(y == 0)).then_with(|| turn(x.cmp(&y))).then_with(by_name);
    match sort.column {
        Column::Outline | Column::Name | Column::Why | Column::Match => turn(by_name()),
        Column::Folder => turn(x.path.parent().cmp(&y.path.parent())).then_with(by_name),
        Column::Length => by_number(x.seconds, y.seconds),
        Column::Loudness => by_number(x.lufs, y.lufs),
        Column::Peak => by_number(x.peak, y.peak),
        Column::Brightness => by_number(x.brightness, y.brightness),
        Column::Pitch => by_number(x.pitch, y.pitch),
        Column::Channels => counted(x.channels.into(), y.channels.into()),
        Column::Rate => counted(x.rate.0.into(), y.rate.0.into()),
        Column::Modified => counted(x.modified, y.modified),
        Column::Format => turn(x.format.cmp(&y.format)).then_with(by_name),
    }
}

/// Compares two numbers so that what is not a number comes last in either direction.
pub fn known_first(x: impl Into<f64>, y: impl Into<f64>, descending: bool) -> Ordering {
    let (x, y): (f64, f64) = (x.into(), y.into());
    match (x.is_nan(), y.is_nan()) {
        (false, false) if descending => y.total_cmp(&x),
        (false, false) => x.total_cmp(&y),
        (unknown, other) => unknown.cmp(&other),
    }
}

/// A text that sorts as people sort names: without case, each number by its value.
pub fn natural(name: &str) -> String {
    let mut order = String::with_capacity(name.len() + 8);
    let mut digits = String::new();
    let flush = |digits: &mut String, order: &mut String| {
        if !digits.is_empty() {
            let value = digits.trim_start_matches('0');
            // The number of digits first, so that 9 comes before 10.
            order.push(char::from_u32(0x30 + u32::try_from(value.len().min(200)).unwrap_or(200)).unwrap_or('0'));
            order.push_str(value);
            digits.clear();
        }
    };
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_digit() {
            digits.push(letter);
        } else {
            flush(&mut digits, &mut order);
            order.push(letter);
        }
    }
    flush(&mut digits, &mut order);
    order
}

/// What the samples with these words in name, path or tags are, for the command line.
pub fn samples_with(world: &mut World, text: &str) -> Found<Entity> {
    let keys: Vec<(Entity, SearchKey)> = {
        let mut samples = world.query_filtered::<(Entity, &Sample, Option<&Tags>), Without<Transient>>();
        let folders = world.resource::<Folders>();
        samples.iter(world).map(|(entity, sample, tags)| (entity, key(&sample.path, tags, folders))).collect()
    };
    search::find(&Search::new(text), keys.iter().map(|(entity, key)| (*entity, key)))
}

fn key(path: &Path, tags: Option<&Tags>, folders: &Folders) -> SearchKey {
    SearchKey::new(folders.relative(path), tags.iter().flat_map(|tags| tags.0.iter().map(String::as_str)))
}

/// What a row shows.
const SHOWN: [Fact; 9] = [
    Fact::Sample,
    Fact::FileStamp,
    Fact::AudioInfo,
    Fact::Descriptors,
    Fact::Embedding,
    Fact::Failed,
    Fact::Missing,
    Fact::Tags,
    Fact::Recording,
];

/// How far the rows have followed the samples.
#[derive(Resource)]
struct Followed(Reader);

/// Keeps [`SampleTable`] in step with the components.
pub struct TablePlugin;

impl Plugin for TablePlugin {
    fn build(&self, app: &mut App) {
        let reader = app.world_mut().get_resource_or_init::<Changes>().reader();
        app.init_resource::<SampleTable>()
            .insert_resource(Followed(reader))
            .add_systems(Update, update.in_set(DeriveSystems::Table));
    }
}

type RowQuery<'a> = (
    (&'a Sample, Option<&'a FileStamp>),
    Option<&'a AudioInfo>,
    (Option<&'a Features>, Option<&'a Descriptors>),
    Option<&'a Failed>,
    Option<&'a Tags>,
    Has<Missing>,
    (Has<Embedding>, Has<Former>),
    Has<Recording>,
);

fn update(
    followed: Res<Followed>,
    mut changes: ResMut<Changes>,
    mut table: ResMut<SampleTable>,
    folders: Res<Folders>,
    samples: Query<RowQuery, Without<Transient>>,
) {
    let changed = changes.read(followed.0).into_iter().filter(|change| change.facts.has(&SHOWN));
    let mut changed: EntityHashSet = changed.map(|change| change.sample).collect();
    // Rows are found by their path below the library's folder.
    if folders.is_changed() {
        changed.extend(table.at.keys());
    }
    if changed.is_empty() && table.changed.is_empty() {
        return;
    }
    table.changed.clear();
    table.update(changed.into_iter().map(|sample| {
        let row = samples.get(sample).ok().map(|facts| row(sample, facts, &folders));
        (sample, row)
    }));
}

fn row(
    entity: Entity,
    ((sample, stamp), info, (features, descriptors), failed, tags, missing, (analysed, former), growing): QueryItem<
        RowQuery<'_>,
    >,
    folders: &Folders,
) -> Row {
    let path = sample.path.clone();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    #[expect(clippy::cast_possible_truncation, reason = "shown with two digits")]
    let seconds = info.filter(|_| !growing).map_or(f32::NAN, |info| info.seconds().0 as f32);
    Row {
        entity,
        key: key(&path, tags, folders),
        order: natural(&name).into(),
        format: format_name(&path, info).into(),
        name: name.into(),
        path,
        seconds,
        lufs: features.and_then(|f| f.lufs).unwrap_or(f32::NAN),
        peak: features.map_or(f32::NAN, |f| f.peak_db),
        brightness: features.map_or(f32::NAN, |f| f.brightness_hz),
        pitch: descriptors.map_or(f32::NAN, |descriptors| 10.0_f32.powf(descriptors.0[MEDIAN_FREQUENCY])),
        channels: info.map_or(0, |info| info.channels),
        rate: info.map_or(Hz(0), |info| info.rate),
        modified: stamp.map_or(0, |stamp| stamp.modified),
        known: info.is_some(),
        analysed,
        former,
        missing,
        failed: failed.cloned().map(Box::new),
        kept: tags.is_some_and(|tags| tags.0.iter().any(|tag| tag == KEPT)),
    }
}

/// What musicians call the format: the file extension, which for a sound says more than the codec's name.
fn format_name(path: &Path, info: Option<&AudioInfo>) -> String {
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    ending.or_else(|| info.map(|info| info.codec.clone())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::{FileStamp, LibraryPlugin};

    fn app(names: &[&str]) -> (App, Vec<Entity>) {
        let mut app = App::new();
        app.add_plugins((LibraryPlugin, TablePlugin));
        app.world_mut().resource_mut::<Folders>().0.push("/lib".into());
        let entities = names.iter().map(|name| add(&mut app, name)).collect();
        app.update();
        (app, entities)
    }

    fn add(app: &mut App, name: &str) -> Entity {
        let path: PathBuf = ["/lib", name].iter().collect();
        app.world_mut().spawn((Sample { path: path.into() }, FileStamp { size: 1, modified: 1 })).id()
    }

    fn found(app: &App, text: &str) -> Vec<String> {
        let table = app.world().resource::<SampleTable>();
        let filter = Filter { text: text.to_owned(), ..default() };
        let found = table.find(&filter).fits.into_iter();
        let mut names: Vec<String> =
            found.filter_map(|(row, _)| Some(table.row(row)?.path.display().to_string())).collect();
        names.sort();
        names
    }

    #[test]
    fn a_row_keeps_its_number_and_an_empty_one_is_filled_again() {
        let (mut app, entities) = app(&["a.wav", "b.wav", "c.wav"]);
        let number = |app: &App, at: usize| app.world().resource::<SampleTable>().number(entities[at]);
        let before = [0, 1, 2].map(|at| number(&app, at));
        app.world_mut().despawn(entities[1]);
        app.update();
        assert_eq!([0, 1, 2].map(|at| number(&app, at)), [before[0], None, before[2]]);
        let other = add(&mut app, "d.wav");
        app.update();
        let table = app.world().resource::<SampleTable>();
        assert_eq!((table.number(other), table.numbers()), (before[1], 3));
        assert_eq!(table.changed(), [before[1].unwrap()]);
        app.update();
        assert!(app.world().resource::<SampleTable>().changed().is_empty());
    }

    #[test]
    fn a_folder_that_leaves_takes_its_rows_along_at_once() {
        let (mut app, entities) = app(&["a.wav", "z.wav"]);
        let many: Vec<Entity> = (0..500).map(|i| add(&mut app, &format!("many/{i}.wav"))).collect();
        app.update();
        assert_eq!(app.world().resource::<SampleTable>().folders().len(), 2);
        many.iter().for_each(|entity| {
            app.world_mut().despawn(*entity);
        });
        app.world_mut().entity_mut(entities[1]).insert(Missing);
        app.update();
        let table = app.world().resource::<SampleTable>();
        assert_eq!(table.counts(), Counts { samples: 1, missing: 1, ..default() });
        assert_eq!(table.folders().values().collect::<Vec<_>>(), [&[2, 1]]);
        assert_eq!(found(&app, ""), ["/lib/a.wav", "/lib/z.wav"]);
    }

    #[test]
    fn what_is_found_is_in_the_path_below_the_folder_of_the_library() {
        let (mut app, _) = app(&["lib.wav", "inner/snare.wav"]);
        // The name of the folder itself, and what lies above it, say nothing about the sounds in it.
        assert_eq!(found(&app, "lib"), ["/lib/lib.wav"]);
        assert_eq!(found(&app, "inner"), ["/lib/inner/snare.wav"]);
        // A folder within one of the library changes nothing; alone it is the folder.
        app.world_mut().resource_mut::<Folders>().0.push("/lib/inner".into());
        app.update();
        assert_eq!(found(&app, "inner snare"), ["/lib/inner/snare.wav"]);
        app.world_mut().resource_mut::<Folders>().0.retain(|folder| folder.ends_with("inner"));
        app.update();
        assert_eq!(found(&app, "inner snare"), [""; 0]);
        assert_eq!(found(&app, "snare"), ["/lib/inner/snare.wav"]);
    }

    #[test]
    fn the_command_line_finds_what_the_list_finds() {
        let (mut app, entities) = app(&["Über/kick.wav", "snare.wav"]);
        app.world_mut().entity_mut(entities[1]).insert(Tags(vec![KEPT.to_owned()]));
        app.update();
        for text in ["UBER", "kept", "-kept", "kick -uber", "snar", "snaer", ""] {
            let found = samples_with(app.world_mut(), text);
            let table = app.world().resource::<SampleTable>();
            let rows = table.find(&Filter { text: text.to_owned(), ..default() });
            assert_eq!(found.samples(), table.samples(rows.fits.iter().map(|(row, _)| *row)), "{text}");
            assert_eq!(found.only_similar, rows.only_similar, "{text}");
        }
    }

    #[test]
    fn numbers_in_names_sort_by_value() {
        let mut names = ["Kick 10.wav", "kick 9.wav", "Kick 2.wav", "Ärger.wav", "clap.wav"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["clap.wav", "Kick 2.wav", "kick 9.wav", "Kick 10.wav", "Ärger.wav"]);
    }
}
