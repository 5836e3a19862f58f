//! What the user is doing, and what follows from it.
//!
//! [`Navigation`] says where in the library they are, [`Selection`] what is chosen there, and [`Requests`] what the panels
//! are to do once. The systems here act on [`Go`], ask what the location asks, and show the answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bevy::prelude::*;
use dsp::{Seconds, Span};

use super::action::{Chip, Choose, Go};
use super::navigation::{Location, Navigation};
use super::notices::Notices;
use super::preferences::Preferences;
use super::question::Question;
use super::rows::Rows;
use super::selection::{Selection, Within};
use crate::analyse::waveform::ShowWaveform;
use crate::audio::{Audition, Playback};
use crate::library::table::{Column, Filter, Group, SampleTable, Sort, StatusFilter};
use crate::library::{AudioInfo, FileStamp, Folders, Restored, Sample, SampleIndex};
use crate::neighbours::ActiveWeights;
use crate::neighbours::query::{self, Answers, Ask, Purpose, Subject, Unanswered};
use crate::notice::Notice;
use crate::record::{QuestionTake, Record, Recorder};

/// Neighbours that a query lists.
const NEIGHBOURS: usize = 200;
/// Neighbours shown around a sound that is pointed at.
const GLANCE: usize = 8;

/// Where the list must scroll to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jump {
    /// So that this row can be seen.
    Row(usize),
    /// So many points from the top.
    Offset(f32),
}

/// What is to happen once.
#[derive(Default)]
pub struct Requests {
    /// Scrolls the list; the number tells one jump from the next.
    pub jump: Option<(u64, Jump)>,
    /// Counts up when the search field wants the keys, and when it gives them back.
    pub focus: (u64, bool),
    /// Counts up when another section gets the keys, which lies so many further on.
    pub section: (u64, i32),
    /// Counts up when a key asks for a menu.
    pub menu: u64,
    /// The sample on the way to be found on the map.
    pub find_on_map: Option<Entity>,
    /// The next take is only a question.
    pub asks_by_recording: bool,
    /// The sample at this path is selected once it is known, unless the user is quicker.
    pub select: Option<PathBuf>,
    /// What was asked when the window was closed, until the library has been restored.
    pub question: Option<Question>,
    /// A take that is not wanted, until it is finished.
    pub discard: Option<Entity>,
    /// A take that has begun and whose row has not been scrolled to.
    met: Option<Entity>,
}

impl Requests {
    fn jump(&mut self, to: Jump) {
        let last = self.jump.map_or(0, |(number, _)| number);
        self.jump = Some((last + 1, to));
    }

    fn focus(&mut self, on: bool) {
        self.focus = (self.focus.0 + 1, on);
    }
}

/// The state of the window that is not in the components.
#[derive(Resource, Default)]
pub struct Session {
    /// Where in the library the user is.
    pub navigation: Navigation,
    /// What is chosen there.
    pub selection: Selection,
    /// What the panels are to do once.
    pub requests: Requests,
    /// Whether the sheet of shortcuts is shown.
    pub help: bool,
}

impl Session {
    /// The selected sample.
    pub fn selected(&self) -> Option<Entity> {
        self.navigation.location.selected
    }

    /// The query whose neighbours are listed.
    pub fn query(&self) -> Option<&Arc<query::Query>> {
        self.navigation.location.query.as_ref()
    }

    /// Which samples are wanted.
    pub fn filter(&self) -> &Filter {
        &self.navigation.location.filter
    }

    /// The selected sample and those marked.
    pub fn chosen(&self) -> Vec<Entity> {
        let mut chosen: Vec<Entity> = self.selection.marked.iter().copied().collect();
        chosen.extend(self.selected().filter(|selected| !self.selection.marked.contains(selected)));
        chosen
    }

    /// Plays a sample, and of the selected one its region.
    pub fn audition(&self, sample: Entity) -> Audition {
        let region = self.selection.within.region.filter(|_| self.selected() == Some(sample));
        Audition::Play { sample, from: Seconds(region.map_or(0.0, |region| region.start)), region }
    }

    fn go(&mut self, to: Location) {
        let before = self.selected();
        self.navigation.go(to);
        self.arrive(before);
    }

    fn arrive(&mut self, before: Option<Entity>) {
        self.settle(before);
        self.requests.jump(Jump::Offset(self.navigation.location.scroll));
    }

    /// Forgets what was chosen within a sample that is no longer the selected one.
    fn settle(&mut self, before: Option<Entity>) {
        if self.selected() != before {
            self.selection.within = Within::default();
        }
    }

    fn select(&mut self, sample: Entity, place: Option<usize>) {
        let before = self.navigation.location.selected.replace(sample);
        self.settle(before);
        if let Some(place) = place {
            self.requests.jump(Jump::Row(place));
        }
    }

    /// Narrows or widens what is listed, and shows it from its beginning.
    fn filter_by(&mut self, change: impl FnOnce(&mut Filter)) {
        change(&mut self.navigation.location.filter);
        self.requests.jump(Jump::Offset(0.0));
    }

    fn clear_query(&mut self) {
        if self.query().is_some() {
            self.go(self.navigation.origin());
        }
    }

    /// Selects a take that has begun, or starts a query with it.
    pub(super) fn meet(&mut self, take: Entity) {
        self.selection.within = Within::default();
        self.selection.marked.clear();
        if std::mem::take(&mut self.requests.asks_by_recording) {
            self.ask(vec![Subject::Take(take)], Vec::new());
        }
        self.navigation.location.selected = Some(take);
        self.requests.met = Some(take);
    }

    /// Goes to the neighbours of sounds, away from others, unless these are listed already.
    fn ask(&mut self, like: Vec<Subject>, unlike: Vec<Subject>) {
        let query = query::Query { like, unlike, k: NEIGHBOURS, ..query::Query::default() };
        if self.query().is_none_or(|known| !known.asks_the_same(&query)) {
            self.go(Location { query: Some(Arc::new(query)), scroll: 0.0, ..self.navigation.location.clone() });
        }
    }
}

/// Acts on where the user wants to go.
#[expect(clippy::too_many_lines, reason = "one arm for each thing that can be asked for")]
pub(super) fn respond(
    mut asked: MessageReader<Go>,
    mut session: ResMut<Session>,
    (table, rows): (Res<SampleTable>, Res<Rows>),
    mut preferences: ResMut<Preferences>,
    playback: Res<Playback>,
    recorder: Res<Recorder>,
    mut said: ResMut<Notices>,
    infos: Query<&AudioInfo>,
    mut auditions: MessageWriter<Audition>,
    mut records: MessageWriter<Record>,
    mut notices: MessageWriter<Notice>,
) {
    let session = &mut *session;
    // Of two keys in one frame the second does what comes next.
    let mut is_recording = (recorder.take.is_some() || recorder.waiting) && !recorder.ending;
    let mut is_playing = playback.sample.is_some();
    for action in asked.read() {
        let mut play = None;
        match action {
            Go::Select(sample, how) => {
                play = choose(session, &table, &rows, *sample, *how).then_some(*sample);
            }
            Go::Step(_) | Go::End(_) => {
                let last = rows.len().saturating_sub(1);
                let place = session.selected().and_then(|selected| rows.place(&table, selected));
                let place = match (action, place) {
                    (Go::Step(step), Some(place)) => place.saturating_add_signed(*step as isize).min(last),
                    (Go::End(true), _) => last,
                    _ => 0,
                };
                play = go_to_row(session, &table, &rows, place);
            }
            Go::Reach(step) => {
                let place = session.selected().and_then(|selected| rows.place(&table, selected)).unwrap_or(0);
                let to = rows.row(&table, place.saturating_add_signed(*step as isize)).map(|row| row.entity);
                if let (Some(from), Some(to)) = (session.selected(), to.filter(|to| Some(*to) != session.selected())) {
                    let marked = &mut session.selection.marked;
                    // Back over what was reached before, that is given up again.
                    if marked.contains(&to) {
                        marked.remove(&from);
                    } else {
                        marked.extend([from, to]);
                    }
                    session.select(to, rows.place(&table, to));
                    play = Some(to);
                }
            }
            Go::All => {
                let all = (0..rows.len()).filter_map(|place| rows.row(&table, place));
                session.selection.marked = all.map(|row| row.entity).collect();
            }
            Go::Mark(samples) => {
                session.selection.marked = samples.iter().copied().collect();
                let is_outside = |selected: Entity| !session.selection.marked.contains(&selected);
                if let Some(first) = samples.first().filter(|_| session.selected().is_none_or(is_outside)) {
                    session.select(*first, rows.place(&table, *first));
                }
            }
            Go::Point(sample) => {
                let before = std::mem::replace(&mut session.selection.pointed, *sample);
                auditions.write_batch(sample.filter(|sample| before != Some(*sample)).map(Audition::Prepare));
            }
            Go::Region(region) => {
                session.selection.within.region = *region;
                if playback.sample.is_some() && playback.sample == session.selected() {
                    auditions.write(Audition::Region(*region));
                }
            }
            Go::Span(span) => {
                let length = session.selected().and_then(|selected| Some(infos.get(selected).ok()?.seconds().0));
                let whole = length.is_some_and(|length| span.start <= 0.0 && span.end >= length);
                session.selection.within.visible = (!whole).then_some(*span);
            }
            Go::Neighbours => {
                let like = subjects(session);
                if !like.is_empty() {
                    session.ask(like, Vec::new());
                    // Without them a large map would show them as dots without names.
                    if preferences.large_map && !preferences.results {
                        preferences.results = true;
                    }
                }
            }
            Go::LikeFiles(sounds) => {
                session.ask(sounds.iter().cloned().map(Subject::File).collect(), Vec::new());
            }
            Go::LessLike => less_like(session, &mut notices),
            Go::Without(chip) => match chip {
                Chip::Query => session.clear_query(),
                Chip::Folder => session.filter_by(|filter| filter.folder = None),
                Chip::Status => session.filter_by(|filter| filter.status = None),
                Chip::Group(kind) => {
                    session.selection.marked.clear();
                    session.filter_by(|filter| filter.groups.retain(|group| group.kind != *kind));
                }
            },
            Go::Within(group) => session.filter_by(|filter| filter.narrow(group.clone())),
            Go::ClearAll => {
                session.selection.marked.clear();
                let location =
                    Location { query: None, filter: Filter::default(), ..session.navigation.location.clone() };
                session.go(Location { scroll: 0.0, ..location });
            }
            Go::Back => {
                let before = session.selected();
                if session.navigation.back() {
                    session.arrive(before);
                }
            }
            Go::Forward => {
                let before = session.selected();
                if session.navigation.forward() {
                    session.arrive(before);
                }
            }
            Go::Search(text) => {
                if !session.filter().has_words() {
                    session.navigation.column_chosen = false;
                }
                session.filter_by(|filter| filter.text.clone_from(text));
            }
            Go::FocusSearch => session.requests.focus(true),
            Go::LeaveSearch => {
                session.requests.focus(false);
                // What was selected before may lie anywhere: the keys go on from the first of what was found.
                play = go_to_row(session, &table, &rows, 0);
            }
            Go::Folder(folder) => session.filter_by(|filter| {
                filter.folder.clone_from(folder);
                filter.status = None;
            }),
            Go::Status(StatusFilter::Kept) => session.filter_by(|filter| {
                filter.status = Some(StatusFilter::Kept);
                filter.folder = None;
            }),
            // Failed and missing samples match no query, and all are wanted, so query and filter are cleared.
            Go::Status(status) => {
                let filter = Filter { status: Some(*status), ..Filter::default() };
                session.go(Location { query: None, filter, scroll: 0.0, ..session.navigation.location.clone() });
            }
            Go::Branch(path) => {
                let was_open = session.navigation.open.remove(path);
                session.navigation.open.extend((!was_open).then(|| path.clone()));
            }
            Go::Sort(column) => {
                let now = session.navigation.sort();
                let descending = now.column == *column && !now.descending;
                session.navigation.column_chosen = *column != Column::Match;
                if *column != Column::Match {
                    session.navigation.location.sort = Sort { column: *column, descending };
                }
                session.requests.jump(Jump::Offset(0.0));
            }
            Go::Scrolled(offset) => session.navigation.location.scroll = *offset,
            Go::Unwind => {
                let filter = &mut session.navigation.location.filter;
                if session.help {
                    session.help = false;
                } else if std::mem::take(&mut is_recording) {
                    records.write(Record::Stop);
                } else if session.selection.within.splits {
                    session.selection.within.splits = false;
                } else if std::mem::take(&mut is_playing) {
                    auditions.write(Audition::Stop);
                } else if session.selection.within.region.is_some() {
                    session.selection.within.region = None;
                } else if !session.selection.marked.is_empty() {
                    session.selection.marked.clear();
                } else if session.navigation.location.query.is_some() {
                    session.clear_query();
                } else if !filter.text.is_empty() {
                    filter.text.clear();
                    session.requests.focus(false);
                } else if !filter.is_open() {
                    *filter = Filter::default();
                } else if preferences.large_map {
                    preferences.large_map = false;
                } else {
                    said.dismiss();
                }
            }
            Go::Section(step) => session.requests.section = (session.requests.section.0 + 1, *step),
            Go::Menu => {
                session.requests.menu += 1;
                // It opens over the selected row, which has to be there.
                if let Some(place) = session.selected().and_then(|selected| rows.place(&table, selected)) {
                    session.requests.jump(Jump::Row(place));
                }
            }
            Go::ToggleHelp => session.help = !session.help,
            Go::FindOnMap => session.requests.find_on_map = session.selected(),
            Go::DismissNotice => {
                said.dismiss();
            }
        }
        if let Some(sample) = play.filter(|_| preferences.autoplay) {
            auditions.write(session.audition(sample));
        }
    }
}

/// What is asked about: the marked sounds together, the region of the selected one, or all of it.
fn subjects(session: &Session) -> Vec<Subject> {
    let chosen = session.chosen();
    match (&chosen[..], session.selection.within.region) {
        ([selected], Some(region)) if session.selected() == Some(*selected) => {
            vec![Subject::Region(*selected, region)]
        }
        _ => chosen.into_iter().map(Subject::Sample).collect(),
    }
}

/// Moves the query away from what is chosen, or no longer where it was moved away from that already.
fn less_like(session: &mut Session, notices: &mut MessageWriter<Notice>) {
    let Some(query) = session.query().cloned() else {
        notices
            .write(Notice::new("there is no query to move away from this sound; find sounds like another one first"));
        return;
    };
    let chosen = subjects(session);
    if chosen.iter().any(|subject| query.like.contains(subject)) {
        notices.write(Notice::new("the query asks for sounds like this one; choose another to move away from"));
        return;
    }
    let mut unlike = query.unlike.clone();
    unlike.retain(|subject| !chosen.contains(subject));
    if unlike.len() == query.unlike.len() {
        unlike.extend(chosen);
    }
    session.ask(query.like.clone(), unlike);
}

/// What a query is called: the names of the sounds, and after a minus of those that it moves away from.
pub(super) fn called(query: &query::Query, name: &dyn Fn(Entity) -> Option<String>) -> String {
    let one = |subject: &Subject| match subject {
        Subject::Sample(entity) | Subject::Take(entity) => name(*entity).unwrap_or_else(|| "the recording".to_owned()),
        Subject::Region(entity, Span { start, end }) => {
            let name = name(*entity).unwrap_or_default();
            format!("{} {start:.2}–{end:.2} s", Path::new(&name).file_stem().unwrap_or_default().to_string_lossy())
        }
        Subject::File(sound) => sound.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let all = |subjects: &[Subject]| match subjects {
        [subject] => one(subject),
        subjects => format!("{} sounds", subjects.len()),
    };
    match &query.unlike[..] {
        [] => all(&query.like),
        unlike => format!("{} − {}", all(&query.like), all(unlike)),
    }
}

/// Why a query has no neighbours, for people; nothing while there may be some soon.
fn explained(unanswered: &Unanswered, name: &dyn Fn(Entity) -> Option<String>) -> Option<String> {
    let of = |entity: &Entity| name(*entity).unwrap_or_else(|| "the recording".to_owned());
    match unanswered {
        // That nothing can be analysed is said where it happens.
        Unanswered::Waiting
        | Unanswered::NotAnalysed(_)
        | Unanswered::EmptySpace
        | Unanswered::Nothing
        | Unanswered::Blocked(_) => None,
        Unanswered::Cancelled(_) => Some("the query cancels itself; choose another sound to move away from".to_owned()),
        Unanswered::Failed(entity, failed) => Some(format!("{failed}: {}", of(entity))),
        Unanswered::Anew => Some(
            "the library is being analysed anew; what is not in its former analysis can be compared afterwards"
                .to_owned(),
        ),
        Unanswered::Sound(sound, error) => {
            let part =
                if sound.region.is_some() { "cannot search with this region" } else { "cannot search with this file" };
            Some(format!("{part} ({error}): {}", sound.path.display()))
        }
    }
}

/// Selects the sample of a row alone, if there is such a row, and returns it.
fn go_to_row(session: &mut Session, table: &SampleTable, rows: &Rows, place: usize) -> Option<Entity> {
    let sample = rows.row(table, place)?.entity;
    session.selection.marked.clear();
    session.select(sample, Some(place));
    Some(sample)
}

/// Changes the selection, and tells whether a sample was selected that may be played.
fn choose(session: &mut Session, table: &SampleTable, rows: &Rows, sample: Entity, how: Choose) -> bool {
    let marked = &mut session.selection.marked;
    match how {
        Choose::Only => marked.clear(),
        Choose::Keep if marked.contains(&sample) => return false,
        Choose::Keep => {
            marked.clear();
            session.select(sample, None);
            return false;
        }
        Choose::Toggle => {
            marked.extend(session.navigation.location.selected);
            if marked.remove(&sample) {
                if session.navigation.location.selected == Some(sample) {
                    // Another marked one takes its place, the first in the list.
                    let places = marked.iter().filter_map(|marked| Some((rows.place(table, *marked)?, *marked)));
                    session.navigation.location.selected = places.min().map(|(_, marked)| marked);
                    session.settle(Some(sample));
                }
                return false;
            }
            marked.insert(sample);
        }
        Choose::Extend => {
            let from = session.selected().and_then(|selected| rows.place(table, selected));
            if let (Some(from), Some(to)) = (from, rows.place(table, sample)) {
                let between = (from.min(to)..=from.max(to)).filter_map(|place| rows.row(table, place));
                session.selection.marked.extend(between.map(|row| row.entity));
            }
            // The selected one stays, so that the next Shift-click reaches from it.
            return true;
        }
    }
    session.select(sample, rows.place(table, sample));
    true
}

/// Leaves what has gone: samples of the location, and a folder that is no longer in the library.
fn let_go(session: &mut Session, gone: &dyn Fn(Entity) -> bool, folders: &Folders) {
    let location = &mut session.navigation.location;
    let lost = |query: &Arc<query::Query>| query.subjects().filter_map(Subject::entity).any(gone);
    if location.query.as_ref().is_some_and(lost) {
        location.query = None;
    }
    let outside = |folder: &std::path::PathBuf| !folders.contain(folder);
    if location.filter.folder.as_ref().is_some_and(outside) {
        location.filter.folder = None;
    }
    if let Some(selected) = location.selected.filter(|selected| gone(*selected)) {
        location.selected = None;
        session.settle(Some(selected));
    }
    session.selection.marked.retain(|sample| !gone(*sample));
    // A group of which nothing is left would list nothing.
    let left = |group: &Group| group.samples.iter().any(|sample| !gone(*sample));
    if !session.filter().groups.iter().all(left) {
        session.filter_by(|filter| filter.groups.retain(left));
    }
}

/// Asks what the location says, and around the sound that is pointed at; before it is answered.
pub(super) fn ask(
    mut session: ResMut<Session>,
    mut rows: ResMut<Rows>,
    table: Res<SampleTable>,
    (folders, index, restored): (Res<Folders>, Res<SampleIndex>, Res<Restored>),
    answers: Res<Answers>,
    weights: Res<ActiveWeights>,
    alive: Query<(), Or<(With<Sample>, With<QuestionTake>)>>,
    mut asks: MessageWriter<Ask>,
    mut notices: MessageWriter<Notice>,
    mut asked: Local<Option<(Arc<query::Query>, Filter)>>,
) {
    let gone = |sample: Entity| !alive.contains(sample);
    // Before they are restored, no folder is in the library.
    if restored.0 {
        let_go(&mut session, &gone, &folders);
    }
    rows.follow(&table, session.filter());
    let found = session.requests.select.as_ref().and_then(|path| index.at(path));
    if session.selected().is_some() || found.is_some() {
        session.requests.select = None;
    }
    if let Some(sample) = found.filter(|_| session.selected().is_none()) {
        session.navigation.location.selected = Some(sample);
        // Its row is scrolled to as that of a take that has begun: once it is there.
        session.requests.met = Some(sample);
    }
    if restored.0
        && let Some(question) = session.requests.question.take().filter(|_| session.query().is_none())
    {
        let ([like, unlike], lost) = question.subjects(&index);
        notices.write_batch(lost.map(Notice::new));
        if !like.is_empty() {
            let chosen = session.navigation.column_chosen;
            session.ask(like, unlike);
            session.navigation.column_chosen = chosen;
        }
    }
    let question = session.query().cloned().map(|query| (query, session.filter().clone()));
    if question != *asked {
        let query = question.as_ref().map(|(query, _)| {
            let within = rows.passing().cloned();
            Arc::new(query::Query { within, weights: weights.0, ..(**query).clone() })
        });
        asks.write(Ask { purpose: Purpose::List, query });
        *asked = question;
    }
    let about = session.selection.pointed.or(session.selected()).filter(|about| !gone(*about));
    if about != answers.glance.as_ref().and_then(|glance| glance.query.single()) {
        let around = |about| query::Query {
            like: vec![Subject::Sample(about)],
            k: GLANCE,
            weights: weights.0,
            ..query::Query::default()
        };
        asks.write(Ask { purpose: Purpose::Glance, query: about.map(|about| Arc::new(around(about))) });
    }
}

/// Shows the answer, and what else follows from the location.
pub(super) fn follow(
    mut session: ResMut<Session>,
    mut rows: ResMut<Rows>,
    table: Res<SampleTable>,
    answers: Res<Answers>,
    stamps: Query<&FileStamp>,
    mut waveforms: MessageWriter<ShowWaveform>,
    mut notices: MessageWriter<Notice>,
    mut traced: Local<Option<(Entity, Option<FileStamp>)>>,
    mut explained_query: Local<Option<Arc<query::Query>>>,
) {
    let session = &mut *session;
    let mut unanswered = None;
    if let Some(query) = session.query() {
        if let Some(asked) = answers.list.as_ref().filter(|asked| asked.query.asks_the_same(query)) {
            // While a vector is being made, the list stays as it was.
            if !matches!(asked.answer, Err(Unanswered::Waiting)) {
                rows.show(&table, session.navigation.sort(), Some(asked.neighbours()));
            }
            let name = |sample| table.of(sample).map(|row| row.name.to_string());
            unanswered = asked.answer.as_ref().err().and_then(|why| explained(why, &name));
        }
    } else {
        rows.show(&table, session.navigation.sort(), None);
    }
    // Said once for each query.
    match unanswered {
        None => *explained_query = None,
        Some(_) if explained_query.is_some() && explained_query.as_ref() == session.query() => {}
        Some(why) => {
            *explained_query = session.query().cloned();
            notices.write(Notice::new(why));
        }
    }
    if session.requests.met != session.selected() {
        session.requests.met = None;
    }
    if let Some(place) = session.requests.met.and_then(|take| rows.place(&table, take)) {
        session.requests.met = None;
        session.requests.jump(Jump::Row(place));
    }
    let seen = session.selected().map(|selected| (selected, stamps.get(selected).ok().copied()));
    if seen != *traced {
        let (before, now) = (traced.map(|(sample, _)| sample), session.selected());
        let had_stamp = traced.is_some_and(|(_, stamp)| stamp.is_some());
        *traced = seen;
        // A take gets its first stamp when it ends, and has its waveform then.
        if before != now || had_stamp {
            waveforms.write(ShowWaveform(now));
        }
        if before == now && had_stamp {
            let within = &mut session.selection.within;
            (within.region, within.visible) = (None, None);
        }
    }
}
