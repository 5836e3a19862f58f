//! What the user is doing: where in the library they are, what is selected and marked, and the way back.
//!
//! A [`Place`] is everything that decides what the list shows. Asking for neighbours, or clearing them, moves from one
//! place to another; the places before and after are kept, so that coming back is exact: order, selection and the
//! point scrolled to.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use bevy::prelude::*;
use bevy::window::RequestRedraw;

use super::action::{Action, Choose};
use super::shown::{Column, Filter, KEPT, Only, Shown, Sort};
use super::{Preferences, theme};
use crate::analyse::waveform::ShowWaveform;
use crate::audio::{Audition, AuditionSettings, Playback};
use crate::library::{AudioInfo, Failed, FileStamp, Guest, Passage, Sample, Tags};
use crate::neighbours::query::{Answers, Ask, Blend, Purpose};
use crate::notice::Notice;

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
    /// The sample whose neighbours are listed, a passage of one, or a [`Blend`].
    pub like: Option<Entity>,
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
    /// Names of queries whose subject is not a sample in the list.
    pub questions: HashMap<Entity, String>,
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
        let scored = self.place.like.is_some() || !self.place.filter.text.trim().is_empty();
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
        self.past.push(before);
        if self.past.len() > PLACES {
            self.past.remove(0);
        }
        self.future.clear();
        self.remember(Undo::Moved);
        self.sorted_while_searching = false;
        self.jump(Jump::Offset(self.place.scroll));
    }

    fn back(&mut self) {
        if let Some(place) = self.past.pop() {
            self.future.push(std::mem::replace(&mut self.place, place));
            self.arrive();
        }
    }

    fn forward(&mut self) {
        if let Some(place) = self.future.pop() {
            self.past.push(std::mem::replace(&mut self.place, place));
            self.arrive();
        }
    }

    fn arrive(&mut self) {
        self.sorted_while_searching = false;
        self.jump(Jump::Offset(self.place.scroll));
    }

    /// Goes back to the last place that was not a query.
    fn clear_query(&mut self) {
        if self.place.like.is_none() {
            return;
        }
        let origin = self.past.iter().rev().find(|place| place.like.is_none()).cloned();
        self.go(origin.unwrap_or_else(|| Place { like: None, ..self.place.clone() }));
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
            self.go(Place { like: Some(take), scroll: 0.0, ..self.place.clone() });
        }
        self.place.selected = Some(take);
        self.met = Some(take);
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
                choose(session, &shown, *sample, *how);
                if preferences.autoplay {
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
                if let Some(subject) = question(session, &samples, &mut commands)
                    && session.place.like != Some(subject)
                {
                    let place = Place { like: Some(subject), scroll: 0.0, ..session.place.clone() };
                    session.go(place);
                }
            }
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
                let place = Place { like: None, filter, scroll: 0.0, ..session.place.clone() };
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
                } else if session.place.like.is_some() {
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
                Some(Undo::Moved) => session.back(),
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

/// Decides what a query is about: the marked sounds together, the selected region, or the whole selected sound.
fn question(
    session: &mut Session,
    samples: &Query<(&Sample, Option<&Tags>, Option<&AudioInfo>, Option<&FileStamp>)>,
    commands: &mut Commands,
) -> Option<Entity> {
    let chosen = session.chosen();
    if chosen.len() > 1 {
        let name = format!("{} sounds", chosen.len());
        let blend = commands.spawn(Blend(chosen)).id();
        session.questions.insert(blend, name);
        return Some(blend);
    }
    let selected = session.place.selected?;
    let Some([from, to]) = session.region else { return Some(selected) };
    let (sample, _, _, stamp) = samples.get(selected).ok()?;
    let name = sample.path.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{name} {from:.2}–{to:.2} s");
    let passage = commands.spawn((Guest, Passage([from, to]), sample.clone(), *stamp?)).id();
    session.questions.insert(passage, name);
    Some(passage)
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

fn choose(session: &mut Session, shown: &Shown, sample: Entity, how: Choose) {
    match how {
        Choose::Only => session.marked.clear(),
        Choose::Toggle => {
            session.marked.extend(session.place.selected);
            if !session.marked.remove(&sample) {
                session.marked.insert(sample);
            }
        }
        Choose::Extend => {
            let from = session.place.selected.and_then(|selected| shown.place(selected));
            if let (Some(from), Some(to)) = (from, shown.place(sample)) {
                let rows = (from.min(to)..=from.max(to)).filter_map(|place| shown.row(place));
                session.marked.extend(rows.map(|row| row.entity));
            }
            // The selected one stays, so that the next Shift-click reaches from it.
            return;
        }
    }
    select(session, shown, sample);
}

fn select(session: &mut Session, shown: &Shown, sample: Entity) {
    if session.place.selected != Some(sample) {
        session.place.selected = Some(sample);
        session.splits = false;
        session.region = None;
        session.span = None;
    }
    if let Some(place) = shown.place(sample) {
        session.jump(Jump::Row(place));
    }
}

/// Keeps the list, the question and the waveform in step with the place.
pub(super) fn follow(
    mut session: ResMut<Session>,
    mut shown: ResMut<Shown>,
    answers: Res<Answers>,
    alive: Query<Option<&FileStamp>, Or<(With<Sample>, With<Blend>)>>,
    mut asks: MessageWriter<Ask>,
    mut waveforms: MessageWriter<ShowWaveform>,
    mut heard: MessageReader<Notice>,
    failed: Query<&Failed, (Added<Failed>, With<Passage>)>,
    mut asked: Local<Option<(Entity, Filter)>>,
    mut traced: Local<Option<(Entity, Option<FileStamp>)>>,
    mut glanced: Local<Option<Entity>>,
    mut redraws: MessageWriter<RequestRedraw>,
) {
    let gone = |sample: &Entity| !alive.contains(*sample);
    if session.place.selected.as_ref().is_some_and(gone) || session.place.like.as_ref().is_some_and(gone) {
        session.place.selected = session.place.selected.filter(|s| !gone(s));
        session.place.like = session.place.like.filter(|s| !gone(s));
    }
    if session.marked.iter().any(gone) {
        session.marked.retain(|sample| alive.contains(*sample));
    }
    let question = session.place.like.map(|subject| (subject, session.place.filter.clone()));
    let unasked = question != *asked;
    if unasked {
        let subject = question.as_ref().map(|(subject, _)| *subject);
        let within = question.as_ref().filter(|(_, filter)| !filter.is_open()).map(|(_, filter)| {
            shown.show(filter, Sort::default(), None);
            Arc::new(shown.within())
        });
        asks.write(Ask { purpose: Purpose::List, subject, k: NEIGHBOURS, within });
        redraws.write(RequestRedraw);
        *asked = question;
    } else {
        let answer = answers.list.as_ref().filter(|answer| Some(answer.subject) == session.place.like);
        match (session.place.like, answer) {
            (Some(_), Some(answer)) => {
                shown.show(&session.place.filter, session.sort(), Some(&answer.found.neighbours));
            }
            (Some(_), None) => {}
            (None, _) => shown.show(&session.place.filter, session.sort(), None),
        }
    }
    if session.met != session.place.selected {
        session.met = None;
    }
    if let Some(place) = session.met.and_then(|take| shown.place(take)) {
        session.met = None;
        session.jump(Jump::Row(place));
    }
    let about = session.pointed.or(session.place.selected);
    if about != *glanced {
        *glanced = about;
        asks.write(Ask { purpose: Purpose::Glance, subject: about, k: GLANCE, within: None });
        redraws.write(RequestRedraw);
    }
    let seen = session.place.selected.map(|selected| (selected, alive.get(selected).ok().flatten().copied()));
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
    // A region has no row in the list, so its failure is reported as a notice.
    let unheard =
        session.place.like.and_then(|like| Some(format!("cannot search with this region: {}", failed.get(like).ok()?)));
    for text in heard.read().map(|notice| &notice.text).chain(&unheard) {
        if session.notices.back() != Some(text) {
            session.notices.push_back(text.clone());
        }
        if session.notices.len() > NOTICES {
            session.notices.pop_front();
        }
    }
}
