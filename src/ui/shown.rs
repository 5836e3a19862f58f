//! What the list shows: one row for each sample, filtered and in order.
//!
//! Rows are kept in step with the components one by one, so that a library of any size costs a frame only what has
//! changed in it; everything is filtered and sorted anew only when the user asks for another order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bevy::prelude::*;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use serde::{Deserialize, Serialize};
use similarity::weights::PartSimilarities;

use crate::library::changes::{Changes, Fact, Reader};
use crate::library::{
    AudioInfo, Embedding, Failed, FailureKind, Features, Folders, Guest, Missing, Recording, Sample, Tags,
};
use crate::neighbours::query::Neighbour;

/// If more samples than this are removed, their rows are removed in one pass.
const MANY: usize = 16;
/// The tag of the samples that the user keeps.
pub const KEPT: &str = "kept";

/// A column of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// File name.
    #[default]
    Name,
    /// Folder it lies in.
    Folder,
    /// Seconds.
    Length,
    /// LUFS.
    Loudness,
    /// Hz.
    Brightness,
    /// Codec or container.
    Format,
    /// Similarity to the query, or how well it matches the search.
    Match,
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
pub enum Only {
    /// Those the user keeps.
    Kept,
    /// Those that could not be read or decoded.
    Unreadable,
    /// Those that are gone.
    Missing,
}

impl Only {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Kept, Self::Unreadable, Self::Missing];

    /// What they are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "Kept",
            Self::Unreadable => "Unreadable",
            Self::Missing => "Missing",
        }
    }

    fn holds(self, row: &Row) -> bool {
        match self {
            Self::Kept => row.kept,
            Self::Unreadable => row.failed.is_some() && !row.known && !row.missing,
            Self::Missing => row.missing,
        }
    }
}

/// Which samples are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Letters to find in name and path.
    pub text: String,
    /// This folder and those below it.
    pub folder: Option<PathBuf>,
    /// Those of one state.
    pub only: Option<Only>,
}

impl Filter {
    /// Tells whether everything is shown.
    pub fn is_open(&self) -> bool {
        self.text.trim().is_empty() && self.folder.is_none() && self.only.is_none()
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
    /// Path below the library's folder, for searching; in lower case where that is a single letter.
    haystack: Box<str>,
    /// Which letters are in it.
    letters: u64,
    /// Name as a key for sorting as people do: numbers by value, ignoring case.
    order: Box<str>,
    /// Length in seconds.
    pub seconds: f32,
    /// Loudness in LUFS; `NaN` where nothing is loud enough to be measured.
    pub lufs: f32,
    /// Brightness in Hz; `NaN` before it is known.
    pub brightness: f32,
    /// Short name of the format.
    pub format: Box<str>,
    /// Whether it has been decoded.
    pub known: bool,
    /// Whether it has a vector.
    pub analysed: bool,
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
            Some(_) if !self.known => "unreadable",
            Some(failed) if failed.kind == FailureKind::Silent => "silent",
            Some(_) => "no vector",
        }
    }
}

impl Row {
    /// Name of the folder it lies in.
    pub fn folder(&self) -> std::borrow::Cow<'_, str> {
        self.path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy()).unwrap_or_default()
    }
}

/// All rows, and those that are shown.
#[derive(Resource, Default)]
pub struct Shown {
    rows: Vec<Row>,
    at: HashMap<Entity, usize>,
    /// Rows that are shown, in order.
    order: Vec<u32>,
    /// How well a row matches text or query; only while one is set.
    scores: HashMap<u32, f32>,
    /// Similarity of a row to the query, part by part.
    part_similarities: HashMap<Entity, PartSimilarities>,
    /// Samples of each folder, not counting those below: all, and those that are gone.
    folders: BTreeMap<PathBuf, [usize; 2]>,
    /// Counts up whenever `folders` changes.
    pub folders_changed: u64,
    /// Counts up whenever what is shown changes.
    pub changed: u64,
    filter: Filter,
    sort: Sort,
    likeness: Option<Vec<Neighbour>>,
    counts: Counts,
    matcher: Option<Matcher>,
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
    /// Those of them that could not even be decoded.
    pub unreadable: usize,
    /// Those that are gone.
    pub missing: usize,
    /// Those the user keeps.
    pub kept: usize,
}

impl Counts {
    /// How many are in a state.
    pub fn of(&self, only: Only) -> usize {
        match only {
            Only::Kept => self.kept,
            Only::Unreadable => self.unreadable,
            Only::Missing => self.missing,
        }
    }
}

impl Shown {
    /// Number of rows shown.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Tells whether nothing is shown.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The row at a place of the list.
    pub fn row(&self, place: usize) -> Option<&Row> {
        self.rows.get(*self.order.get(place)? as usize)
    }

    /// The row of a sample, shown or not.
    pub fn of(&self, entity: Entity) -> Option<&Row> {
        self.rows.get(*self.at.get(&entity)?)
    }

    /// The place of a sample in the list.
    pub fn place(&self, entity: Entity) -> Option<usize> {
        let row = u32::try_from(*self.at.get(&entity)?).ok()?;
        self.order.iter().position(|shown| *shown == row)
    }

    /// Similarity of the sample at a place to the query.
    pub fn likeness(&self, place: usize) -> Option<f32> {
        self.likeness.as_ref()?;
        self.scores.get(self.order.get(place)?).copied()
    }

    /// Similarity of the sample at a place to the query, part by part.
    pub fn part_similarities(&self, place: usize) -> Option<&PartSimilarities> {
        self.part_similarities.get(&self.row(place)?.entity)
    }

    /// Samples of each folder that has any, not counting those below: all, and those that are gone.
    pub fn folders(&self) -> &BTreeMap<PathBuf, [usize; 2]> {
        &self.folders
    }

    /// All samples, by what became of them.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Every sample that a filter lets through, whatever is shown.
    pub fn within(&mut self, filter: &Filter) -> HashSet<Entity> {
        let matches = self.matches(filter, None);
        matches.iter().map(|(row, _)| self.rows[*row as usize].entity).collect()
    }

    /// Shows what passes `filter` in the order of `sort`, or the answer of a query within the filter.
    pub fn show(&mut self, filter: &Filter, sort: Sort, likeness: Option<&[Neighbour]>) {
        let same_likeness = self.likeness.as_deref() == likeness;
        if self.filter == *filter && self.sort == sort && same_likeness {
            return;
        }
        // A longer text can only match fewer samples, unless it says what must not be there.
        let narrower = (same_likeness
            && likeness.is_none()
            && self.filter.only == filter.only
            && self.filter.folder == filter.folder
            && !self.filter.text.trim().is_empty()
            && !filter.text.contains(SIGNS)
            && filter.text.starts_with(&self.filter.text))
        .then(|| self.order.clone());
        self.filter = filter.clone();
        self.sort = sort;
        self.likeness = likeness.map(<[Neighbour]>::to_vec);
        self.scores.clear();
        self.part_similarities.clear();
        self.changed += 1;
        if let Some(found) = likeness {
            self.order.clear();
            for neighbour in found {
                let Some(row) = self.at.get(&neighbour.entity).and_then(|row| u32::try_from(*row).ok()) else {
                    continue;
                };
                self.order.push(row);
                self.scores.insert(row, neighbour.similarity);
                self.part_similarities.insert(neighbour.entity, neighbour.part_similarities);
            }
        } else {
            let matches = self.matches(filter, narrower.as_deref());
            self.order = matches.iter().map(|(row, _)| *row).collect();
            if !filter.text.trim().is_empty() {
                self.scores = matches.into_iter().collect();
            }
        }
        self.arrange();
    }

    /// Rows that pass a filter, with how well they match the text.
    fn matches(&mut self, filter: &Filter, among: Option<&[u32]>) -> Vec<(u32, f32)> {
        let all: Vec<u32>;
        let among = if let Some(among) = among {
            among
        } else {
            all = (0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX)).collect();
            &all
        };
        // A sign alone says nothing yet.
        let text = if filter.text.trim().trim_matches(SIGNS).is_empty() { "" } else { filter.text.trim() };
        let pattern = Pattern::parse(text, CaseMatching::Smart, Normalization::Smart);
        let needed = if text.contains(SIGNS) { 0 } else { letters(text) };
        let mut matcher = self.matcher.take().unwrap_or_else(|| Matcher::new(Config::DEFAULT.match_paths()));
        let mut buffer = Vec::new();
        let mut found = Vec::new();
        for row in among {
            let line = &self.rows[*row as usize];
            if let Some(score) = passes(line, filter, needed, &pattern, &mut matcher, &mut buffer) {
                found.push((*row, score));
            }
        }
        self.matcher = Some(matcher);
        found
    }

    fn arrange(&mut self) {
        let mut order = std::mem::take(&mut self.order);
        order.sort_by(|a, b| self.compare(*a, *b));
        self.order = order;
    }

    /// Compares two rows: by score in a query or a search unless the user chose a column, otherwise by that column.
    fn compare(&self, a: u32, b: u32) -> std::cmp::Ordering {
        let (x, y) = (&self.rows[a as usize], &self.rows[b as usize]);
        let by_name = || x.order.cmp(&y.order).then_with(|| x.path.cmp(&y.path));
        // Unknown values come last in either direction.
        let by_number = |x: f32, y: f32| match (x.is_nan(), y.is_nan()) {
            (false, false) if self.sort.descending => y.total_cmp(&x),
            (false, false) => x.total_cmp(&y),
            (unknown, other) => unknown.cmp(&other),
        };
        let turn = |order: std::cmp::Ordering| if self.sort.descending { order.reverse() } else { order };
        match self.sort.column {
            Column::Match => {
                let score = |row| self.scores.get(&row).copied().unwrap_or(0.0);
                turn(score(b).total_cmp(&score(a))).then_with(by_name)
            }
            Column::Name => turn(by_name()),
            Column::Folder => turn(x.path.parent().cmp(&y.path.parent())).then_with(by_name),
            Column::Length => by_number(x.seconds, y.seconds).then_with(by_name),
            Column::Loudness => by_number(x.lufs, y.lufs).then_with(by_name),
            Column::Brightness => by_number(x.brightness, y.brightness).then_with(by_name),
            Column::Format => turn(x.format.cmp(&y.format)).then_with(by_name),
        }
    }

    /// Updates the rows of changed samples: each is inserted at its place without sorting the others.
    fn update(&mut self, changed: Vec<(Entity, Option<Row>)>) {
        if changed.is_empty() {
            return;
        }
        self.changed += 1;
        if changed.iter().filter(|(_, row)| row.is_none()).count() > MANY {
            self.forget(&changed);
        }
        let mut touched = HashSet::new();
        for (entity, row) in changed {
            let place = self.at.get(&entity).copied();
            let missing = place.map(|place| self.rows[place].missing);
            if missing != row.as_ref().map(|row| row.missing) {
                self.folders_changed += 1;
            }
            if let Some(place) = place {
                self.count(place, false);
            }
            match (place, row) {
                (Some(place), Some(row)) => {
                    self.rows[place] = row;
                    self.count(place, true);
                    touched.insert(place);
                }
                (None, Some(row)) => {
                    let place = self.rows.len();
                    self.at.insert(entity, place);
                    self.rows.push(row);
                    self.count(place, true);
                    touched.insert(place);
                }
                (Some(place), None) => {
                    self.at.remove(&entity);
                    let last = self.rows.len() - 1;
                    self.rows.swap_remove(place);
                    let (gone, moved) = (u32::try_from(place).unwrap_or(0), u32::try_from(last).unwrap_or(0));
                    self.order.retain(|row| *row != gone);
                    self.scores.remove(&gone);
                    touched.remove(&place);
                    if place != last {
                        self.at.insert(self.rows[place].entity, place);
                        self.order.iter_mut().filter(|row| **row == moved).for_each(|row| *row = gone);
                        if let Some(score) = self.scores.remove(&moved) {
                            self.scores.insert(gone, score);
                        }
                        if touched.remove(&last) {
                            touched.insert(place);
                        }
                    }
                }
                (None, None) => {}
            }
        }
        if self.likeness.is_some() || touched.is_empty() {
            return;
        }
        let touched: Vec<u32> = touched.iter().filter_map(|row| u32::try_from(*row).ok()).collect();
        self.insert(&touched);
    }

    /// Takes many samples out at once.
    fn forget(&mut self, changed: &[(Entity, Option<Row>)]) {
        let gone: HashSet<Entity> =
            changed.iter().filter(|(_, row)| row.is_none()).map(|(entity, _)| *entity).collect();
        for place in 0..self.rows.len() {
            if gone.contains(&self.rows[place].entity) {
                self.count(place, false);
            }
        }
        let mut moved = vec![u32::MAX; self.rows.len()];
        let mut next = 0;
        for (row, to) in self.rows.iter().zip(&mut moved) {
            if !gone.contains(&row.entity) {
                *to = next;
                next += 1;
            }
        }
        self.rows.retain(|row| !gone.contains(&row.entity));
        self.at = self.rows.iter().enumerate().map(|(place, row)| (row.entity, place)).collect();
        let to = |row: &u32| moved[*row as usize];
        self.order = self.order.iter().map(to).filter(|row| *row != u32::MAX).collect();
        self.scores = self.scores.iter().map(|(row, s)| (to(row), *s)).filter(|(row, _)| *row != u32::MAX).collect();
        self.folders.retain(|_, [all, _]| *all > 0);
        self.folders_changed += 1;
    }

    fn insert(&mut self, touched: &[u32]) {
        let set: HashSet<u32> = touched.iter().copied().collect();
        self.order.retain(|row| !set.contains(row));
        let filter = self.filter.clone();
        let mut fresh = self.matches(&filter, Some(touched));
        if !self.filter.text.trim().is_empty() {
            self.scores.extend(fresh.iter().copied());
        }
        fresh.sort_by(|a, b| self.compare(a.0, b.0));
        let mut merged = Vec::with_capacity(self.order.len() + fresh.len());
        let mut from = 0;
        for (row, _) in fresh {
            let to = from + self.order[from..].partition_point(|other| self.compare(*other, row).is_lt());
            merged.extend_from_slice(&self.order[from..to]);
            merged.push(row);
            from = to;
        }
        merged.extend_from_slice(&self.order[from..]);
        self.order = merged;
    }

    fn count(&mut self, place: usize, add: bool) {
        let row = &self.rows[place];
        let step = |count: &mut usize, counts: bool| {
            if counts {
                *count = if add { *count + 1 } else { count.saturating_sub(1) };
            }
        };
        step(&mut self.counts.samples, !row.missing);
        step(&mut self.counts.analysed, row.analysed && !row.missing);
        step(&mut self.counts.failed, row.failed.is_some() && !row.missing);
        step(&mut self.counts.unreadable, Only::Unreadable.holds(row));
        step(&mut self.counts.missing, row.missing);
        step(&mut self.counts.kept, row.kept);
        let Some(folder) = row.path.parent() else { return };
        if !self.folders.contains_key(folder) {
            self.folders.insert(folder.to_owned(), [0, 0]);
        }
        let Some(count) = self.folders.get_mut(folder) else { return };
        step(&mut count[0], true);
        step(&mut count[1], row.missing);
    }
}

fn passes(
    row: &Row,
    filter: &Filter,
    needed: u64,
    pattern: &Pattern,
    matcher: &mut Matcher,
    buffer: &mut Vec<char>,
) -> Option<f32> {
    if filter.only.is_some_and(|only| !only.holds(row))
        || filter.folder.as_ref().is_some_and(|folder| !row.path.starts_with(folder))
    {
        return None;
    }
    if needed == 0 && pattern.atoms.is_empty() {
        return Some(0.0);
    }
    if needed & !row.letters != 0 {
        return None;
    }
    let score = pattern.score(Utf32Str::new(&row.haystack, buffer), matcher)?;
    // Letters that match within the name count more than letters scattered over the path.
    let in_name = pattern.score(Utf32Str::new(&row.name, buffer), matcher).unwrap_or(0);
    // Of names that match equally well, the shorter one comes first.
    Some((score + 2 * in_name) as f32 - row.name.len() as f32 * 0.01)
}

/// A bit for each letter and digit in a text, accents and case aside as in matching; a text can only match another that has
/// all its bits.
fn letters(text: &str) -> u64 {
    let plain = text.chars().map(nucleo_matcher::chars::normalize).map(|letter| letter.to_ascii_lowercase());
    plain.fold(0, |bits, letter| match letter {
        'a'..='z' => bits | 1 << (u32::from(letter) - u32::from('a')),
        '0'..='9' => bits | 1 << (26 + u32::from(letter) - u32::from('0')),
        _ => bits,
    })
}

/// A text that sorts as people sort names: without case, each number by its value.
fn natural(name: &str) -> String {
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

/// Characters with a special meaning in a search: not, only at the start, exactly, only at the end, escape.
const SIGNS: [char; 5] = ['!', '^', '\'', '$', '\\'];

/// What a row shows.
const SHOWN: [Fact; 8] = [
    Fact::Sample,
    Fact::FileStamp,
    Fact::AudioInfo,
    Fact::Embedding,
    Fact::Failed,
    Fact::Missing,
    Fact::Tags,
    Fact::Recording,
];

/// How far the rows have followed the samples.
#[derive(Resource)]
pub(super) struct Followed(Reader);

/// Keeps [`Shown`] in step with the components.
pub(super) fn plugin(app: &mut App) {
    let reader = app.world_mut().get_resource_or_init::<Changes>().reader();
    app.init_resource::<Shown>().insert_resource(Followed(reader));
}

type Said<'a> = (
    &'a Sample,
    Option<&'a AudioInfo>,
    Option<&'a Features>,
    Option<&'a Failed>,
    Option<&'a Tags>,
    Has<Missing>,
    Has<Embedding>,
    Has<Recording>,
);

pub(super) fn update(
    followed: Res<Followed>,
    mut changes: ResMut<Changes>,
    mut shown: ResMut<Shown>,
    folders: Res<Folders>,
    samples: Query<Said, Without<Guest>>,
) {
    let changed = changes.read(followed.0).into_iter().filter(|change| change.facts.has(&SHOWN));
    let mut touched: HashSet<Entity> = changed.map(|change| change.sample).collect();
    // Rows are searched by their path below the library's folder.
    if folders.is_changed() {
        touched.extend(shown.at.keys());
    }
    let rows =
        touched.into_iter().map(|sample| (sample, samples.get(sample).ok().map(|said| row(sample, said, &folders.0))));
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        shown.update(rows);
    }
}

fn row(
    entity: Entity,
    (sample, info, features, failed, tags, missing, analysed, growing): <Said<'_> as bevy::ecs::query::QueryData>::Item<
        '_,
        '_,
    >,
    folders: &[PathBuf],
) -> Row {
    let path = sample.path.clone();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let root = folders.iter().filter(|folder| path.starts_with(folder)).find_map(|folder| folder.parent());
    let haystack = root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(&path).to_string_lossy().into_owned();
    #[expect(clippy::cast_possible_truncation, reason = "shown with two digits")]
    let seconds = info.filter(|_| !growing).map_or(f32::NAN, |info| info.seconds() as f32);
    Row {
        entity,
        letters: letters(&haystack),
        haystack: haystack.into(),
        order: natural(&name).into(),
        format: format_name(&path, info).into(),
        name: name.into(),
        path,
        seconds,
        lufs: features.and_then(|f| f.lufs).unwrap_or(f32::NAN),
        brightness: features.map_or(f32::NAN, |f| f.brightness_hz),
        known: info.is_some(),
        analysed,
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
    use dsp::analysis::StreamInfo;

    use crate::library::{FileStamp, LibraryPlugin};

    fn app(names: &[&str]) -> (App, Vec<Entity>) {
        let mut app = App::new();
        app.add_plugins((LibraryPlugin, plugin)).add_systems(Update, update);
        app.world_mut().resource_mut::<Folders>().0.push("/lib".into());
        let entities = names.iter().map(|name| add(&mut app, name)).collect();
        app.update();
        (app, entities)
    }

    fn add(app: &mut App, name: &str) -> Entity {
        let path: PathBuf = ["/lib", name].iter().collect();
        app.world_mut().spawn((Sample { path: path.into() }, FileStamp { size: 1, modified: 1 })).id()
    }

    fn names(app: &App) -> Vec<String> {
        let shown = app.world().resource::<Shown>();
        (0..shown.len()).map(|place| shown.row(place).unwrap().name.to_string()).collect()
    }

    fn show(app: &mut App, text: &str, sort: Sort) {
        let filter = Filter { text: text.to_owned(), ..default() };
        app.world_mut().resource_mut::<Shown>().show(&filter, sort, None);
    }

    #[test]
    fn names_sort_as_people_sort_them() {
        let (app, _) = app(&["Kick 10.wav", "kick 9.wav", "Kick 2.wav", "Ärger.wav", "clap.wav"]);
        assert_eq!(names(&app), ["clap.wav", "Kick 2.wav", "kick 9.wav", "Kick 10.wav", "Ärger.wav"]);
    }

    #[test]
    fn rows_that_were_there_before_their_folder_are_searched_by_the_path_below_it() {
        let mut app = App::new();
        app.add_plugins((LibraryPlugin, plugin)).add_systems(Update, update);
        add(&mut app, "kick.wav");
        app.update();
        show(&mut app, "lib", Sort::default());
        assert_eq!(names(&app), ["kick.wav"]);
        app.world_mut().resource_mut::<Folders>().0.push("/lib".into());
        app.world_mut().resource_mut::<Folders>().0.push("/lib/inner".into());
        add(&mut app, "inner/snare.wav");
        app.update();
        show(&mut app, "lib snare", Sort::default());
        assert_eq!(names(&app), ["snare.wav"]);
        // The nearest folder's name is part of what is searched, not what lies above it.
        app.world_mut().resource_mut::<Folders>().0.retain(|folder| folder.ends_with("inner"));
        app.update();
        show(&mut app, "lib snare", Sort::default());
        assert_eq!(names(&app), [""; 0]);
    }

    #[test]
    fn a_new_sample_finds_its_place_and_a_removed_one_leaves_it() {
        let (mut app, entities) = app(&["a.wav", "c.wav", "e.wav"]);
        add(&mut app, "d.wav");
        add(&mut app, "b.wav");
        app.world_mut().despawn(entities[0]);
        app.update();
        assert_eq!(names(&app), ["b.wav", "c.wav", "d.wav", "e.wav"]);
        assert_eq!(app.world().resource::<Shown>().counts().samples, 4);
        app.world_mut().entity_mut(entities[1]).insert(Missing);
        app.update();
        assert_eq!(app.world().resource::<Shown>().counts(), Counts { samples: 3, missing: 1, ..default() });
    }

    #[test]
    fn a_folder_that_leaves_takes_its_rows_along_at_once() {
        let (mut app, _) = app(&["a.wav", "z.wav"]);
        let many: Vec<Entity> = (0..500).map(|i| add(&mut app, &format!("many/{i}.wav"))).collect();
        app.update();
        assert_eq!(app.world().resource::<Shown>().folders().len(), 2);
        many.iter().for_each(|entity| {
            app.world_mut().despawn(*entity);
        });
        app.update();
        assert_eq!(names(&app), ["a.wav", "z.wav"]);
        let shown = app.world().resource::<Shown>();
        assert_eq!((shown.counts().samples, shown.folders().len()), (2, 1));
        assert!((0..2).all(|place| shown.place(shown.row(place).unwrap().entity) == Some(place)));
    }

    #[test]
    fn many_changes_leave_the_same_order_as_sorting_everything() {
        let (mut app, mut entities) = app(&[]);
        let mut state = 1_u32;
        for step in 0..300 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state.is_multiple_of(4) && !entities.is_empty() {
                let gone = entities.swap_remove(state as usize / 4 % entities.len());
                app.world_mut().despawn(gone);
            } else {
                entities.push(add(&mut app, &format!("s{} {step}.wav", state >> 20)));
            }
            if step % 7 == 0 {
                app.update();
            }
        }
        app.update();
        let kept = names(&app);
        show(&mut app, "", Sort { column: Column::Name, descending: true });
        let mut sorted = names(&app);
        sorted.reverse();
        assert_eq!(kept.len(), entities.len());
        assert_eq!(kept, sorted);
    }

    #[test]
    fn search_finds_scattered_letters_and_puts_the_best_match_first() {
        let (mut app, _) = app(&["drums/kick hard.wav", "drums/snare.wav", "keys/in chord k.wav", "drums/Kick.wav"]);
        let best = Sort { column: Column::Match, descending: false };
        show(&mut app, "kick", best);
        let found = names(&app);
        assert_eq!(found[0], "Kick.wav");
        assert!(found.contains(&"kick hard.wav".to_owned()) && !found.contains(&"snare.wav".to_owned()));
        show(&mut app, "drums sn", best);
        assert_eq!(names(&app), ["snare.wav"]);
        show(&mut app, "drums snx", best);
        assert!(names(&app).is_empty());
        show(&mut app, "", best);
        assert_eq!(names(&app).len(), 4);
        // Accents do not count, whichever side has them.
        add(&mut app, "Über.wav");
        app.update();
        for text in ["uber", "über"] {
            show(&mut app, text, best);
            assert_eq!(names(&app), ["Über.wav"], "{text}");
        }
        // A word that must not be there, typed letter by letter.
        for (text, left) in [("!", 5), ("!s", 1), ("!sn", 4), ("drums !kick", 1), ("'kick .wav$", 2), ("^lib", 5)] {
            show(&mut app, text, best);
            assert_eq!(names(&app).len(), left, "{text}: {:?}", names(&app));
        }
    }

    #[test]
    fn what_is_unknown_comes_last_in_either_order() {
        let (mut app, entities) = app(&["a.wav", "b.wav", "c.wav"]);
        for (entity, frames) in [(entities[0], 100), (entities[2], 300)] {
            let info = AudioInfo(StreamInfo { frames, rate: 100, channels: 1, codec: "flac".to_owned() });
            app.world_mut().entity_mut(entity).insert(info);
        }
        app.update();
        show(&mut app, "", Sort { column: Column::Length, descending: true });
        assert_eq!(names(&app), ["c.wav", "a.wav", "b.wav"]);
        show(&mut app, "", Sort { column: Column::Length, descending: false });
        assert_eq!(names(&app), ["a.wav", "c.wav", "b.wav"]);
    }

    #[test]
    fn a_query_shows_its_answer_within_the_order_of_likeness() {
        let (mut app, entities) = app(&["a.wav", "b.wav", "c.wav"]);
        let found = [(entities[2], 0.9), (entities[0], 0.5)];
        let found =
            found.map(|(entity, similarity)| Neighbour { entity, similarity, part_similarities: default(), at: None });
        let best = Sort { column: Column::Match, descending: false };
        app.world_mut().resource_mut::<Shown>().show(&Filter::default(), best, Some(&found));
        assert_eq!(names(&app), ["c.wav", "a.wav"]);
        assert_eq!(app.world().resource::<Shown>().likeness(0), Some(0.9));
        // Removing one row leaves the others as they are.
        let other = add(&mut app, "0.wav");
        let part_similarities = PartSimilarities { head: Some(0.25), network: 0.5, groups: None };
        let found = [Neighbour { entity: other, similarity: 0.9, part_similarities, at: None }];
        app.update();
        app.world_mut().resource_mut::<Shown>().show(&Filter::default(), best, Some(&found));
        app.world_mut().despawn(entities[1]);
        app.update();
        let shown = app.world().resource::<Shown>();
        assert_eq!((shown.likeness(0), shown.part_similarities(0)), (Some(0.9), Some(&part_similarities)));
        app.world_mut().resource_mut::<Shown>().show(&Filter::default(), Sort::default(), None);
        assert_eq!(names(&app), ["0.wav", "a.wav", "c.wav"]);
    }
}
