//! What the user is doing: where in the library they are, what is selected and marked, and the way back.
//!
//! A [`Place`] is everything that decides what the list shows. Asking for neighbours, or clearing them, moves from one
//! place to another; the places before and after are kept, so that coming back is exact: order, selection and the
//! point scrolled to.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bevy::prelude::*;
use dsp::Span;

use super::action::{Action, Choose};
use super::preferences::Preferences;
use super::shown::{Column, Filter, KEPT, Only, Shown, Sort};
use super::theme;
use crate::analyse::waveform::ShowWaveform;
use crate::audio::{Audition, AuditionSettings, Playback};
use crate::library::{AudioInfo, FileStamp, Sample, Tags};
use crate::neighbours::ActiveWeights;
use crate::neighbours::query::{self, Answers, Ask, Purpose, Subject, Unanswered};
use crate::notice::Notice;
use crate::record::QuestionTake;

/// Neighbours that a query lists.
const NEIGHBOURS: usize = 200;
/// Neighbours shown around a sound that is pointed at.
const GLANCE: usize = 8;
/// Places to go back to.
const PLACES: usize = 200;
/// Notices kept until they are read.
const NOTICES: usize = 50;
/// Changes that can be undone.
const UNDOABLE: usize = 100;

/// What the list shows, and where in it the user is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// What the neighbours that are listed are like, and less like.
    pub query: Option<Arc<query::Query>>,
    /// Which samples.
    pub filter: Filter,
    /// The order asked for.
    pub sort: Sort,
    /// The selected sample.
    pub selected: Option<Entity>,
    /// Points scrolled from the top.
    pub scroll: f32,
}

/// Where the list must scroll to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jump {
    /// So that this row can be seen.
    Row(usize),
    /// So many points from the top.
    Offset(f32),
}

/// A change that can be taken back.
#[derive(Clone, Debug)]
enum Undo {
    /// These were kept, or were not.
    Kept(Vec<Entity>, bool),
    /// This folder was removed.
    Removed(PathBuf),
    /// The place was left for another.
    Moved,
}

/// The state of the window that is not in the components.
#[derive(Resource, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Session {
    /// Where the user is.
    pub place: Place,
    past: Vec<Place>,
    future: Vec<Place>,
    /// Samples marked besides the selected one.
    pub marked: HashSet<Entity>,
    /// The sample the pointer is on, on the map.
    pub pointed: Option<Entity>,
    /// The chosen part of the selected sample in seconds.
    pub region: Option<[f64; 2]>,
    /// The part of the waveform that is shown in seconds; `None` for all.
    pub span: Option<[f64; 2]>,
    /// Open branches of the folders.
    pub open: HashSet<PathBuf>,
    /// Scrolls the list once; the number tells one jump from the next.
    pub jump: Option<(u64, Jump)>,
    /// Counts up when the search field wants the keys, and when it gives them back.
    pub focus: (u64, bool),
    /// Whether the sheet of shortcuts is shown.
    pub help: bool,
    /// The next take is only a question.
    pub asks_by_recording: bool,
    /// Whether it is shown where the selected sample could be split.
    pub splits: bool,
    /// What has not been read yet, the newest last.
    pub notices: VecDeque<String>,
    undo: Vec<Undo>,
    jumps: u64,
    /// Search results are sorted by how well they match until the user chooses a column.
    sorted_while_searching: bool,
    /// The sample on the way to be found on the map.
    pub find_on_map: Option<Entity>,
    /// A take that has begun and whose row has not been scrolled to.
    met: Option<Entity>,
}

impl Session {
    /// The order in effect: by similarity in a query and by match in a search, unless the user chose a column.
    pub fn sort(&self) -> Sort {
        let scored = self.place.query.is_some() || !self.place.filter.text.trim().is_empty();
        if scored && !self.sorted_while_searching {
            return Sort { column: Column::Match, descending: false };
        }
        self.place.sort
    }

    /// Tells whether there is a place to go back to, and one to go forward to.
    pub fn ways(&self) -> [bool; 2] {
        [!self.past.is_empty(), !self.future.is_empty()]
    }

    /// The selected sample and those marked.
    pub fn chosen(&self) -> Vec<Entity> {
        let mut chosen: Vec<Entity> = self.marked.iter().copied().collect();
        chosen.extend(self.place.selected.filter(|selected| !self.marked.contains(selected)));
        chosen
    }

    fn go(&mut self, place: Place) {
        let before = std::mem::replace(&mut self.place, place);
        self.settle(before.selected);
        self.past.push(before);
        if self.past.len() > PLACES {
            self.past.remove(0);
        }
        self.future.clear();
        self.remember(Undo::Moved);
        self.sorted_while_searching = false;
        self.jump(Jump::Offset(self.place.scroll));
    }

    /// Goes back; what was undone so need not be undone again.
    fn back(&mut self) {
        if let Some(place) = self.past.pop() {
            let before = std::mem::replace(&mut self.place, place);
            self.arrive(before.selected);
            self.future.push(before);
            if let Some(moved) = self.undo.iter().rposition(|undo| matches!(undo, Undo::Moved)) {
                self.undo.remove(moved);
            }
        }
    }

    fn forward(&mut self) {
        if let Some(place) = self.future.pop() {
            let before = std::mem::replace(&mut self.place, place);
            self.arrive(before.selected);
            self.past.push(before);
            self.remember(Undo::Moved);
        }
    }

    fn arrive(&mut self, before: Option<Entity>) {
        self.settle(before);
        self.sorted_while_searching = false;
        self.jump(Jump::Offset(self.place.scroll));
    }

    /// Forgets region and zoom of a sample that is no longer the selected one.
    fn settle(&mut self, before: Option<Entity>) {
        if self.place.selected != before {
            (self.region, self.span, self.splits) = (None, None, false);
        }
    }

    /// Goes back to the last place that was not a query.
    fn clear_query(&mut self) {
        if self.place.query.is_none() {
            return;
        }
        let origin = self.past.iter().rev().find(|place| place.query.is_none()).cloned();
        self.go(origin.unwrap_or_else(|| Place { query: None, ..self.place.clone() }));
    }

    fn jump(&mut self, to: Jump) {
        self.jumps += 1;
        self.jump = Some((self.jumps, to));
    }

    fn remember(&mut self, undo: Undo) {
        self.undo.push(undo);
        if self.undo.len() > UNDOABLE {
            self.undo.remove(0);
        }
    }

    /// Selects a take that has begun, or starts a query with it.
    pub(super) fn meet(&mut self, take: Entity, asks: bool) {
        (self.region, self.span, self.splits) = (None, None, false);
        self.marked.clear();
        if asks {
            self.ask(vec![Subject::Take(take)], Vec::new());
        }
        self.place.selected = Some(take);
        self.met = Some(take);
    }

    /// Goes to the neighbours of sounds, away from others, unless these are listed already.
    fn ask(&mut self, like: Vec<Subject>, unlike: Vec<Subject>) {
        let query = query::Query { like, unlike, k: NEIGHBOURS, ..query::Query::default() };
        if self.place.query.as_ref().is_none_or(|known| !known.asks_the_same(&query)) {
            self.go(Place { query: Some(Arc::new(query)), scroll: 0.0, ..self.place.clone() });
        }
    }

    /// Notes that a folder was removed, so that it can be brought back.
    pub(super) fn removed(&mut self, folder: PathBuf) {
        self.remember(Undo::Removed(folder));
    }
}

/// Acts on what the user asked for.
#[expect(clippy::too_many_lines, reason = "one arm for each thing that can be asked for")]
pub(super) fn respond(
    mut asked: MessageReader<Action>,
    mut session: ResMut<Session>,
    shown: Res<Shown>,
    mut preferences: ResMut<Preferences>,
    mut settings: ResMut<AuditionSettings>,
    playback: Res<Playback>,
    samples: Query<(&Sample, Option<&Tags>, Option<&AudioInfo>, Option<&FileStamp>)>,
    mut auditions: MessageWriter<Audition>,
    mut redo: MessageWriter<crate::watch::AddFolder>,
    mut notices: MessageWriter<Notice>,
    mut commands: Commands,
) {
    let session = &mut *session;
    for action in asked.read() {
        match action {
            Action::Select(sample, how) => {
                let selected = choose(session, &shown, *sample, *how);
                if selected && preferences.autoplay {
                    play(session, *sample, 0.0, &mut auditions);
                }
            }
            Action::Step(_) | Action::End(_) => {
                let last = shown.len().saturating_sub(1);
                let place = session.place.selected.and_then(|selected| shown.place(selected));
                let place = match (action, place) {
                    (Action::Step(step), Some(place)) => place.saturating_add_signed(*step as isize).min(last),
                    (Action::End(true), _) => last,
                    _ => 0,
                };
                if let Some(row) = shown.row(place) {
                    choose(session, &shown, row.entity, Choose::Only);
                    if preferences.autoplay {
                        play(session, row.entity, 0.0, &mut auditions);
                    }
                }
            }
            Action::Mark(samples) => {
                session.marked = samples.iter().copied().collect();
                if let Some(first) =
                    samples.first().filter(|_| session.place.selected.is_none_or(|s| !session.marked.contains(&s)))
                {
                    select(session, &shown, *first);
                }
            }
            Action::Point(sample) => {
                let before = std::mem::replace(&mut session.pointed, *sample);
                auditions.write_batch(sample.filter(|sample| before != Some(*sample)).map(Audition::Prepare));
            }
            Action::Prepare(sample) => {
                auditions.write(Audition::Prepare(*sample));
            }
            Action::PlayOrStop => {
                if playback.sample.is_some() {
                    auditions.write(Audition::Stop);
                } else if let Some(selected) = session.place.selected {
                    play(session, selected, 0.0, &mut auditions);
                }
            }
            Action::Replay => {
                if let Some(selected) = session.place.selected {
                    play(session, selected, 0.0, &mut auditions);
                }
            }
            Action::Play(sample) => {
                auditions.write(Audition::Play { sample: *sample, from: 0.0, region: None });
            }
            Action::PlayFrom(seconds) => {
                if let Some(sample) = session.place.selected {
                    let region = session.region.filter(|[from, to]| (*from..*to).contains(seconds));
                    auditions.write(Audition::Play { sample, from: *seconds, region });
                }
            }
            Action::Stop => {
                auditions.write(Audition::Stop);
            }
            Action::Region(region) => {
                session.region = *region;
                if playback.sample.is_some() && playback.sample == session.place.selected {
                    auditions.write(Audition::Region(*region));
                }
            }
            Action::Span([from, to]) => {
                let length = session.place.selected.and_then(|s| samples.get(s).ok()?.2.map(AudioInfo::seconds));
                let whole = length.is_some_and(|length| *from <= 0.0 && *to >= length);
                session.span = (!whole).then_some([*from, *to]);
            }
            Action::ToggleLoop => settings.looping = !settings.looping,
            Action::ToggleEqualLoudness => settings.equal_loudness = !settings.equal_loudness,
            Action::Volume(db) => settings.volume_db = *db,
            Action::ToggleAutoplay => preferences.autoplay = !preferences.autoplay,
            Action::ToggleHoverPlay => preferences.hover_play = !preferences.hover_play,
            Action::ToggleMono => preferences.mono = !preferences.mono,
            Action::Neighbours => {
                let like = subjects(session);
                if !like.is_empty() {
                    session.ask(like, Vec::new());
                }
            }
            Action::LessLike => less_like(session, &mut notices),
            Action::ClearQuery => session.clear_query(),
            Action::Back => session.back(),
            Action::Forward => session.forward(),
            Action::Search(text) => {
                if session.place.filter.text.trim().is_empty() {
                    session.sorted_while_searching = false;
                }
                session.place.filter.text.clone_from(text);
                session.jump(Jump::Offset(0.0));
            }
            Action::FocusSearch => session.focus = (session.focus.0 + 1, true),
            Action::LeaveSearch => {
                session.focus = (session.focus.0 + 1, false);
                let there = session.place.selected.and_then(|selected| shown.place(selected));
                if let (None, Some(first)) = (there, shown.row(0)) {
                    choose(session, &shown, first.entity, Choose::Only);
                    if preferences.autoplay {
                        play(session, first.entity, 0.0, &mut auditions);
                    }
                }
            }
            Action::Folder(folder) => {
                session.place.filter.folder.clone_from(folder);
                session.place.filter.only = None;
                session.jump(Jump::Offset(0.0));
            }
            Action::Only(Only::Kept) => {
                session.place.filter.only = Some(Only::Kept);
                session.place.filter.folder = None;
                session.jump(Jump::Offset(0.0));
            }
            // Failed and missing samples match no query, and all are wanted, so query and filter are cleared.
            Action::Only(only) => {
                let filter = Filter { only: Some(*only), ..default() };
                let place = Place { query: None, filter, scroll: 0.0, ..session.place.clone() };
                session.go(place);
            }
            Action::Branch(path) => {
                let was_open = session.open.remove(path);
                session.open.extend((!was_open).then(|| path.clone()));
            }
            Action::Sort(column) => {
                let now = session.sort();
                let descending = now.column == *column && !now.descending;
                session.sorted_while_searching = *column != Column::Match;
                if *column != Column::Match {
                    session.place.sort = Sort { column: *column, descending };
                }
                session.jump(Jump::Offset(0.0));
            }
            Action::Scrolled(offset) => session.place.scroll = *offset,
            Action::Keep => {
                let chosen = session.chosen();
                let kept = |sample: &Entity| {
                    samples.get(*sample).is_ok_and(|(_, tags, ..)| tags.is_some_and(|t| t.0.iter().any(|t| t == KEPT)))
                };
                let keep = !chosen.iter().all(kept);
                let changed: Vec<Entity> = chosen.into_iter().filter(|sample| kept(sample) != keep).collect();
                for sample in &changed {
                    set_kept(*sample, keep, &samples, &mut commands);
                }
                if !changed.is_empty() {
                    session.remember(Undo::Kept(changed, !keep));
                }
            }
            Action::Unwind => {
                if session.help {
                    session.help = false;
                } else if session.splits {
                    session.splits = false;
                } else if playback.sample.is_some() {
                    auditions.write(Audition::Stop);
                } else if session.region.is_some() {
                    session.region = None;
                } else if !session.marked.is_empty() {
                    session.marked.clear();
                } else if session.place.query.is_some() {
                    session.clear_query();
                } else if !session.place.filter.text.is_empty() {
                    session.place.filter.text.clear();
                    session.focus = (session.focus.0 + 1, false);
                } else if !session.place.filter.is_open() {
                    session.place.filter = Filter::default();
                } else if preferences.large_map {
                    preferences.large_map = false;
                } else {
                    session.notices.pop_back();
                }
            }
            Action::Undo => match session.undo.pop() {
                Some(Undo::Kept(changed, kept)) => {
                    for sample in changed {
                        set_kept(sample, kept, &samples, &mut commands);
                    }
                }
                Some(Undo::Removed(path)) => {
                    redo.write(crate::watch::AddFolder { path, follow: true });
                }
                Some(Undo::Moved) => {
                    // It has left the stack already.
                    session.undo.push(Undo::Moved);
                    session.back();
                }
                None => {
                    notices.write(Notice::new("nothing to undo"));
                }
            },
            Action::ToggleHelp => session.help = !session.help,
            Action::Resize(sizes) => preferences.sizes = *sizes,
            Action::ToggleLargeMap => preferences.large_map = !preferences.large_map,
            Action::ToggleLegend => preferences.legend = !preferences.legend,
            Action::ToggleTheme => {
                preferences.theme = match preferences.theme {
                    theme::Appearance::Dark => theme::Appearance::Light,
                    theme::Appearance::Light => theme::Appearance::Dark,
                }
            }
            Action::FindOnMap => session.find_on_map = session.place.selected,
            Action::DismissNotice => {
                session.notices.pop_back();
            }
            _ => {}
        }
    }
}

/// What is asked about: the marked sounds together, the region of the selected one, or all of it.
fn subjects(session: &Session) -> Vec<Subject> {
    let chosen = session.chosen();
    match (&chosen[..], session.region) {
        ([selected], Some(region)) if session.place.selected == Some(*selected) => {
            vec![Subject::Region(*selected, region.into())]
        }
        _ => chosen.into_iter().map(Subject::Sample).collect(),
    }
}

/// Moves the query away from what is chosen, or no longer where it was moved away from that already.
fn less_like(session: &mut Session, notices: &mut MessageWriter<Notice>) {
    let Some(query) = session.place.query.clone() else {
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
        Unanswered::Sound(sound, error) => {
            let part =
                if sound.region.is_some() { "cannot search with this region" } else { "cannot search with this file" };
            Some(format!("{part} ({error}): {}", sound.path.display()))
        }
    }
}

fn set_kept(
    sample: Entity,
    keep: bool,
    samples: &Query<(&Sample, Option<&Tags>, Option<&AudioInfo>, Option<&FileStamp>)>,
    commands: &mut Commands,
) {
    let Ok((_, tags, ..)) = samples.get(sample) else { return };
    let mut tags = tags.cloned().unwrap_or_default();
    tags.0.retain(|tag| tag != KEPT);
    if keep {
        tags.0.push(KEPT.to_owned());
    }
    commands.entity(sample).try_insert(tags);
}

fn play(session: &Session, sample: Entity, from: f64, auditions: &mut MessageWriter<Audition>) {
    let region = session.region.filter(|_| session.place.selected == Some(sample));
    let from = region.map_or(from, |[start, _]| start.max(from));
    auditions.write(Audition::Play { sample, from, region });
}

/// Changes the selection, and tells whether a sample was selected that may be played.
fn choose(session: &mut Session, shown: &Shown, sample: Entity, how: Choose) -> bool {
    match how {
        Choose::Only => session.marked.clear(),
        Choose::Toggle => {
            session.marked.extend(session.place.selected);
            if session.marked.remove(&sample) {
                if session.place.selected == Some(sample) {
                    // Another marked one takes its place, the first in the list.
                    let places = session.marked.iter().filter_map(|marked| Some((shown.place(*marked)?, *marked)));
                    session.place.selected = places.min().map(|(_, marked)| marked);
                    session.settle(Some(sample));
                }
                return false;
            }
            session.marked.insert(sample);
        }
        Choose::Extend => {
            let from = session.place.selected.and_then(|selected| shown.place(selected));
            if let (Some(from), Some(to)) = (from, shown.place(sample)) {
                let rows = (from.min(to)..=from.max(to)).filter_map(|place| shown.row(place));
                session.marked.extend(rows.map(|row| row.entity));
            }
            // The selected one stays, so that the next Shift-click reaches from it.
            return true;
        }
    }
    select(session, shown, sample);
    true
}

fn select(session: &mut Session, shown: &Shown, sample: Entity) {
    let before = session.place.selected.replace(sample);
    session.settle(before);
    if let Some(place) = shown.place(sample) {
        session.jump(Jump::Row(place));
    }
}

/// Asks what the place says, and around the sound that is pointed at; before it is answered.
pub(super) fn ask(
    mut session: ResMut<Session>,
    mut shown: ResMut<Shown>,
    answers: Res<Answers>,
    weights: Res<ActiveWeights>,
    alive: Query<(), Or<(With<Sample>, With<QuestionTake>)>>,
    mut asks: MessageWriter<Ask>,
    mut asked: Local<Option<(Arc<query::Query>, Filter)>>,
) {
    let gone = |sample: Entity| !alive.contains(sample);
    let lost = |query: &Arc<query::Query>| query.subjects().filter_map(Subject::entity).any(gone);
    if session.place.query.as_ref().is_some_and(lost) {
        session.place.query = None;
    }
    if let Some(selected) = session.place.selected.filter(|selected| gone(*selected)) {
        session.place.selected = None;
        session.settle(Some(selected));
    }
    if session.marked.iter().any(|marked| gone(*marked)) {
        session.marked.retain(|sample| alive.contains(*sample));
    }
    let question = session.place.query.clone().map(|query| (query, session.place.filter.clone()));
    if question != *asked {
        let query = question.as_ref().map(|(query, filter)| {
            let within = (!filter.is_open()).then(|| Arc::new(shown.within(filter)));
            Arc::new(query::Query { within, weights: weights.0, ..(**query).clone() })
        });
        asks.write(Ask { purpose: Purpose::List, query });
        *asked = question;
    }
    let about = session.pointed.or(session.place.selected).filter(|about| !gone(*about));
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

/// Shows the answer, and what else follows from the place.
pub(super) fn follow(
    mut session: ResMut<Session>,
    mut shown: ResMut<Shown>,
    answers: Res<Answers>,
    stamps: Query<&FileStamp>,
    mut waveforms: MessageWriter<ShowWaveform>,
    mut heard: MessageReader<Notice>,
    mut traced: Local<Option<(Entity, Option<FileStamp>)>>,
    mut explained_query: Local<Option<Arc<query::Query>>>,
) {
    let session = &mut *session;
    let mut unanswered = None;
    if let Some(query) = &session.place.query {
        if let Some(asked) = answers.list.as_ref().filter(|asked| asked.query.asks_the_same(query)) {
            // While a vector is being made, the list stays as it was.
            if !matches!(asked.answer, Err(Unanswered::Waiting)) {
                shown.show(&session.place.filter, session.sort(), Some(asked.neighbours()));
            }
            let name = |sample| shown.of(sample).map(|row| row.name.to_string());
            unanswered = asked.answer.as_ref().err().and_then(|why| explained(why, &name));
        }
    } else {
        shown.show(&session.place.filter, session.sort(), None);
    }
    // Said once for each query.
    if unanswered.is_none() {
        *explained_query = None;
    } else if explained_query.is_some() && *explained_query == session.place.query {
        unanswered = None;
    } else {
        explained_query.clone_from(&session.place.query);
    }
    if session.met != session.place.selected {
        session.met = None;
    }
    if let Some(place) = session.met.and_then(|take| shown.place(take)) {
        session.met = None;
        session.jump(Jump::Row(place));
    }
    let seen = session.place.selected.map(|selected| (selected, stamps.get(selected).ok().copied()));
    if seen != *traced {
        let (before, now) = (traced.map(|(sample, _)| sample), session.place.selected);
        let had_stamp = traced.is_some_and(|(_, stamp)| stamp.is_some());
        *traced = seen;
        // A take gets its first stamp when it ends, and has its waveform then.
        if before != now || had_stamp {
            waveforms.write(ShowWaveform(now));
        }
        if before == now && had_stamp {
            (session.region, session.span) = (None, None);
        }
    }
    for text in heard.read().map(|notice| &notice.text).chain(&unanswered) {
        if session.notices.back() != Some(text) {
            session.notices.push_back(text.clone());
        }
        if session.notices.len() > NOTICES {
            session.notices.pop_front();
        }
    }
}
