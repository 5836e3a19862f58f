//! A question is a value, and so is its answer: which samples sound most like others, like regions, files or a take, and
//! less like some. Nothing is spawned to ask.
//!
//! One function answers for the window, the command line and the tests. The window gets two answers to a question in a
//! large library: the tree's at once, and the exact one a moment later from a thread that compares with every sound.
//!
//! An answer is one among what is analysed so far, and says how much of all that is ([`Coverage`]). While more comes, what is
//! asked is answered anew once a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::ecs::entity::EntityHashSet;
use bevy::ecs::system::SystemParam;
// A `Query` is a question here.
use bevy::prelude::{Query as Components, *};
use dsp::Span;
use similarity::space::{self, QueryVector, Space};
use similarity::weights::{PartSimilarities, Weights};

use super::newcomers::{Newcomers, NewerSounds};
use super::vectors::{self, Compared, QueryVectors, Sound, SoundError, compared};
use super::{ActiveWeights, SpaceIndex};
use crate::actor::{Actor, Wake, start};
use crate::analyse::Analysis;
use crate::library::{Descriptors, Embedding, Failed, FileStamp, Missing, Recording, Sample, Transient, Windows};
use crate::schedule::{CollectSystems, DeriveSystems};

/// Neighbours that are shown around a take.
const AROUND: usize = 8;
/// While sounds keep coming, what is asked is answered anew this often.
const RENEWED: Duration = Duration::from_secs(1);

/// Something to be like, or less like.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// A sample.
    Sample(Entity),
    /// A part of a sample, which then is no answer either.
    Region(Entity, Span),
    /// A file outside of the library, or a part of one.
    File(Sound),
    /// What is being recorded, or was recorded only to ask with it.
    Take(Entity),
}

impl Subject {
    /// The entity it is about, if it is about one.
    pub fn entity(&self) -> Option<Entity> {
        match self {
            Self::Sample(entity) | Self::Region(entity, _) | Self::Take(entity) => Some(*entity),
            Self::File(_) => None,
        }
    }
}

/// A question: which sounds are near?
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// What neighbours should be like; several blend into what lies between them.
    pub like: Vec<Subject>,
    /// What they should be less like.
    pub unlike: Vec<Subject>,
    /// The samples that may be answered; `None` for all.
    pub within: Option<Arc<EntityHashSet>>,
    /// How much each part counts.
    pub weights: Weights,
    /// Number of neighbours.
    pub k: usize,
}

impl Query {
    /// Everything that it is about.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.like.iter().chain(&self.unlike)
    }

    /// Tells whether an entity is one that it is about, or the source of a region that is.
    pub fn is_about(&self, entity: Entity) -> bool {
        self.subjects().any(|subject| subject.entity() == Some(entity))
    }

    /// The one entity that it asks to be like, if it asks for nothing else.
    pub fn single(&self) -> Option<Entity> {
        match (&self.like[..], &self.unlike[..]) {
            ([Subject::Sample(entity) | Subject::Take(entity)], []) => Some(*entity),
            _ => None,
        }
    }

    /// Tells whether it asks to be like, and less like, the same.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        self.like == other.like && self.unlike == other.unlike
    }

    fn allows(&self, entity: Entity) -> bool {
        !self.is_about(entity) && self.within.as_ref().is_none_or(|within| within.contains(&entity))
    }
}

/// A neighbour of what was asked about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// The sample.
    pub entity: Entity,
    /// What it is ranked by, in -1..=1: see [`weights`](similarity::weights).
    pub similarity: f32,
    /// Why it is near, part by part.
    pub part_similarities: PartSimilarities,
    /// Start and end in seconds of the window that is most similar to the query, in a sound longer than one window.
    pub at: Option<[f32; 2]>,
}

/// Whether an answer holds the true nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// Every sample was compared.
    Exact,
    /// The best of what the tree proposed.
    Approximate,
}

/// How much of what was to be compared could be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Samples with a vector, of those that may be answered.
    pub among: usize,
    /// Those that have one or may still get one.
    pub of: usize,
}

impl Coverage {
    /// Tells whether nothing is left to analyse.
    pub fn is_complete(self) -> bool {
        self.among >= self.of
    }
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The question.
    pub query: Arc<Query>,
    /// The neighbours, nearest first, at most as many as asked for, without what was asked about.
    pub neighbours: Vec<Neighbour>,
    /// Among how many.
    pub coverage: Coverage,
    /// Whether these are the true nearest.
    pub exactness: Exactness,
}

impl Answer {
    /// Tells whether these are the true nearest.
    pub fn is_exact(&self) -> bool {
        self.exactness == Exactness::Exact
    }
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum Unanswered {
    /// There is nothing to be like.
    Nothing,
    /// The same sound is asked to be like and less like.
    Cancelled(Subject),
    /// The vector of a region or file is being made.
    Waiting,
    /// A sample has no vector yet, or is no sample any more.
    NotAnalysed(Entity),
    /// A sample could not be analysed.
    Failed(Entity, Failed),
    /// A region or a file outside of the library has no vector.
    Sound(Sound, Arc<SoundError>),
    /// This machine makes no vectors, for this reason.
    Blocked(String),
    /// It has no vector of the former analysis, from which answers come until all is analysed anew.
    Anew,
    /// No sample has a vector under the model in use.
    EmptySpace,
}

/// All sounds that a question is answered from: those in the space as they were when it was built, and what is newer.
#[derive(Clone)]
struct Sounds {
    index: SpaceIndex,
    newer: Arc<NewerSounds>,
}

/// The nearest sounds, nearest first.
struct Found {
    neighbours: Vec<Neighbour>,
    /// Whether every sound was compared.
    exact: bool,
}

impl Sounds {
    fn nearest(&self, query: &Query, vector: &QueryVector, exactly: bool) -> Found {
        let Self { index: SpaceIndex { space, entities, .. }, newer } = self;
        let accept = |row: usize| query.allows(entities[row]) && !newer.contains_key(&entities[row]);
        let found = if exactly {
            space.exact(vector, &query.weights, query.k, &accept)
        } else {
            space.quick(vector, &query.weights, query.k, &accept)
        };
        let row = |near: &space::Neighbour| (entities[near.row], space.part_similarities(vector, near.row));
        let mut neighbours: Vec<Neighbour> = found.neighbours.iter().map(|near| neighbour(near, row(near))).collect();
        let allowed = newer.iter().filter(|(entity, _)| query.allows(**entity));
        let newer: Vec<_> = allowed.filter_map(|(entity, newer)| Some((*entity, newer.vector.as_deref()?))).collect();
        if !newer.is_empty() {
            let late = |near: &space::Neighbour| (newer[near.row].0, vector.part_similarities(newer[near.row].1));
            let ranked = vector.rank(&query.weights, newer.iter().map(|(_, vector)| *vector), query.k);
            neighbours.extend(ranked.iter().map(|near| neighbour(near, late(near))));
            neighbours.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
            neighbours.truncate(query.k);
        }
        Found { neighbours, exact: found.exact }
    }

    /// The row of a sample that is as it was when the space was built.
    fn row(&self, sample: Entity) -> Option<usize> {
        self.index.rows.get(&sample).copied().filter(|_| !self.newer.contains_key(&sample))
    }

    /// Tells whether a sample is compared.
    fn has(&self, sample: Entity) -> bool {
        let in_space = || self.index.rows.contains_key(&sample);
        self.newer.get(&sample).map_or_else(in_space, |newer| newer.vector.is_some())
    }

    /// Number of samples that are compared.
    fn len(&self) -> usize {
        let count = |of: fn(&Self, &Entity) -> bool| self.newer.keys().filter(|sample| of(self, sample)).count();
        let outdated = count(|this, sample| this.index.rows.contains_key(sample));
        self.index.rows.len() - outdated + count(|this, sample| this.has(*sample))
    }
}

fn neighbour(near: &space::Neighbour, (entity, part_similarities): (Entity, PartSimilarities)) -> Neighbour {
    Neighbour { entity, similarity: near.similarity, part_similarities, at: None }
}

/// May be an answer once it is analysed.
type Comparable =
    (With<Sample>, Without<Failed>, Without<Missing>, Without<Transient>, Without<Recording>, With<FileStamp>);

/// Answers questions.
#[derive(SystemParam)]
pub struct Neighbours<'w, 's> {
    index: Option<Res<'w, SpaceIndex>>,
    newcomers: Option<Res<'w, Newcomers>>,
    vectors: Option<ResMut<'w, QueryVectors>>,
    compared: Components<'w, 's, Compared<'static>>,
    comparable: Components<'w, 's, (), Comparable>,
    files: Components<'w, 's, (&'static Sample, &'static FileStamp)>,
    failed: Components<'w, 's, &'static Failed>,
    analysis: Res<'w, Analysis>,
}

impl Neighbours<'_, '_> {
    /// Answers a question exactly, by comparing with every sample that has a vector.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub fn exactly(&mut self, query: &Arc<Query>) -> Result<Answer, Unanswered> {
        let (sounds, vector) = self.prepare(query)?;
        let found = sounds.nearest(query, &vector, true);
        Ok(self.located(query, found, &sounds, &vector))
    }

    /// Answers a question at once; also gives what an exact answer needs, where this one is none.
    fn at_once(&mut self, query: &Arc<Query>) -> Result<(Answer, Sounds, QueryVector), Unanswered> {
        let (sounds, vector) = self.prepare(query)?;
        let found = sounds.nearest(query, &vector, false);
        let answer = self.located(query, found, &sounds, &vector);
        Ok((answer, sounds, vector))
    }

    fn prepare(&mut self, query: &Query) -> Result<(Sounds, QueryVector), Unanswered> {
        if let Some(both) = query.unlike.iter().find(|unlike| query.like.contains(unlike)) {
            return Err(Unanswered::Cancelled(both.clone()));
        }
        let newer = self.newcomers.as_ref().map(|newcomers| newcomers.sounds().clone()).unwrap_or_default();
        let sounds = self.index.as_deref().map(|index| Sounds { index: index.clone(), newer });
        let sounds = sounds.filter(|sounds| sounds.len() > 0);
        // Asked for all of them first, so that they are made one after the other without a word in between.
        let probes = |asked: &[Subject], this: &mut Self| -> Vec<Result<QueryVector, Unanswered>> {
            asked.iter().map(|subject| this.vector(subject, sounds.as_ref())).collect()
        };
        let (like, unlike) = (probes(&query.like, self), probes(&query.unlike, self));
        let like = like.into_iter().collect::<Result<Vec<_>, _>>()?;
        let unlike = unlike.into_iter().collect::<Result<Vec<_>, _>>()?;
        let sounds = sounds.ok_or(Unanswered::EmptySpace)?;
        Ok((sounds, QueryVector::blend(&like, &unlike).ok_or(Unanswered::Nothing)?))
    }

    /// A subject with its neighbourhood.
    fn vector(&mut self, subject: &Subject, sounds: Option<&Sounds>) -> Result<QueryVector, Unanswered> {
        let former = sounds.is_some_and(|sounds| sounds.index.former);
        let sound = match subject {
            Subject::Sample(entity) | Subject::Take(entity) => {
                let vectors = self.compared.get(*entity).ok();
                let Some((embedding, descriptors)) = vectors.and_then(|vectors| compared(former, vectors)) else {
                    return Err(self.why_not(*entity, former));
                };
                let sounds = sounds.ok_or(Unanswered::EmptySpace)?;
                let heard = sounds.index.heard(embedding, descriptors);
                return Ok(sounds.index.space.surround(heard, sounds.row(*entity)));
            }
            Subject::Region(entity, region) => {
                let Ok((sample, stamp)) = self.files.get(*entity) else { return Err(self.why_not(*entity, former)) };
                Sound { path: sample.path.clone(), stamp: *stamp, region: Some(*region) }
            }
            Subject::File(sound) => sound.clone(),
        };
        if former {
            return Err(Unanswered::Anew);
        }
        let known = self.vectors.as_mut().and_then(|vectors| vectors.get(&sound)).ok_or(Unanswered::Waiting)?;
        let (embedding, descriptors) = known.map_err(|error| Unanswered::Sound(sound, error))?;
        Ok(sounds.ok_or(Unanswered::EmptySpace)?.index.guest(&embedding, Some(&descriptors)))
    }

    fn why_not(&self, entity: Entity, former: bool) -> Unanswered {
        match (self.failed.get(entity), &self.analysis.blocked) {
            (Ok(failed), _) => Unanswered::Failed(entity, failed.clone()),
            _ if former => Unanswered::Anew,
            (_, Some(reason)) => Unanswered::Blocked(reason.clone()),
            _ => Unanswered::NotAnalysed(entity),
        }
    }

    /// What was found, with the place in each long sound that is most similar to the query, and among how many it was found.
    fn located(&self, query: &Arc<Query>, found: Found, sounds: &Sounds, vector: &QueryVector) -> Answer {
        let mut neighbours = found.neighbours;
        for neighbour in &mut neighbours {
            let vectors = self.compared.get(neighbour.entity).ok();
            let known = vectors.and_then(|vectors| compared(sounds.index.former, vectors));
            let windows = known.and_then(|(embedding, _)| embedding.windows.clone());
            neighbour.at = windows.and_then(|windows| nearest_window(&windows, &sounds.index.space, vector));
        }
        let coverage = match &query.within {
            None => Coverage { among: sounds.len(), of: self.comparable.iter().len() },
            Some(within) => Coverage {
                among: within.iter().filter(|sample| sounds.has(**sample)).count(),
                of: within.iter().filter(|sample| self.comparable.contains(**sample)).count(),
            },
        };
        let exactness = if found.exact { Exactness::Exact } else { Exactness::Approximate };
        Answer { query: query.clone(), neighbours, coverage, exactness }
    }
}

fn nearest_window(windows: &Windows, space: &Space, vector: &QueryVector) -> Option<[f32; 2]> {
    let width = windows.vectors.len() / windows.spans.len().max(1);
    let scores = windows.vectors.chunks_exact(width.max(1)).map(|window| space.window_similarity(vector, window));
    let best = scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    windows.spans.get(best.0).copied()
}

/// Answers a question exactly, now: what the command line and the tests ask with.
///
/// Where a region or a file has no vector yet the answer is [`Unanswered::Waiting`]; run the app until it
/// [is idle](crate::is_idle) and ask again.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use bevy::prelude::*;
/// use soundkin::neighbours::ActiveWeights;
/// use soundkin::neighbours::query::{Answer, Query, Subject, Unanswered, ask};
///
/// /// The five sounds most like one sample and less like another, of all that the app knows.
/// fn five_nearest(app: &mut App, like: Entity, unlike: Entity) -> Result<Answer, Unanswered> {
///     let query = Query {
///         like: vec![Subject::Sample(like)],
///         unlike: vec![Subject::Sample(unlike)],
///         weights: app.world().resource::<ActiveWeights>().0,
///         k: 5,
///         within: None,
///     };
///     ask(app.world_mut(), &Arc::new(query))
/// }
/// ```
///
/// # Errors
/// See [`Unanswered`].
pub fn ask(world: &mut World, query: &Arc<Query>) -> Result<Answer, Unanswered> {
    let exactly = |In(query): In<Arc<Query>>, mut neighbours: Neighbours| neighbours.exactly(&query);
    world.run_system_cached_with(exactly, query.clone()).unwrap_or(Err(Unanswered::EmptySpace))
}

/// What a question is for; a newer one takes the place of an older one with the same purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be listed.
    List,
    /// To be shown around a sound that is pointed at.
    Glance,
    /// To be shown around what is being recorded; asked by itself.
    Take,
}

/// Asks for neighbours, to be found in [`Answers`] in the same frame if asked before [`DeriveSystems::Answer`].
#[derive(Message, Clone, Debug)]
pub struct Ask {
    /// What for.
    pub purpose: Purpose,
    /// The question; `None` takes it back.
    pub query: Option<Arc<Query>>,
}

/// A question with the best answer there is so far.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The question.
    pub query: Arc<Query>,
    /// Its answer, or why there is none.
    pub answer: Result<Answer, Unanswered>,
    serial: u64,
    at: Instant,
    /// Of the newcomers at that time.
    revision: u64,
}

impl Asked {
    /// The neighbours that are known.
    pub fn neighbours(&self) -> &[Neighbour] {
        self.answer.as_ref().map_or(&[], |answer| &answer.neighbours)
    }
}

/// The newest answers.
#[derive(Resource, Default, Debug)]
pub struct Answers {
    /// For the list.
    pub list: Option<Asked>,
    /// For the sound that is pointed at.
    pub glance: Option<Asked>,
    /// For the newest take, brought up to date while it is recorded.
    pub take: Option<Asked>,
    serial: u64,
    /// Questions to be answered anew in this frame; what is asked in it comes after them.
    again: Vec<(Purpose, Arc<Query>)>,
}

impl Answers {
    fn of(&mut self, purpose: Purpose) -> &mut Option<Asked> {
        match purpose {
            Purpose::List => &mut self.list,
            Purpose::Glance => &mut self.glance,
            Purpose::Take => &mut self.take,
        }
    }

    fn all(&self) -> impl Iterator<Item = (Purpose, &Asked)> {
        let all = [(Purpose::List, &self.list), (Purpose::Glance, &self.glance), (Purpose::Take, &self.take)];
        all.into_iter().filter_map(|(purpose, asked)| Some((purpose, asked.as_ref()?)))
    }
}

struct Job {
    purpose: Purpose,
    serial: u64,
    query: Arc<Query>,
    sounds: Sounds,
    vector: QueryVector,
}

struct Reply {
    purpose: Purpose,
    serial: u64,
    sounds: Sounds,
    vector: QueryVector,
    found: Found,
}

#[derive(Resource)]
struct Comparer(Actor<Job, Reply>);

/// Answers [`Ask`].
pub struct QueryPlugin;

impl Plugin for QueryPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Answers>().add_message::<Ask>();
        vectors::build(app);
        let spawn = |wake: &Wake| Actor::pool("compare", 1, 2, wake, |_| compare);
        let Some(actor) = start(app, "find neighbours", spawn) else { return };
        let collect = (vectors::collect.run_if(resource_exists::<QueryVectors>), collect_exact).chain();
        app.insert_resource(Comparer(actor))
            .add_systems(Update, collect.in_set(CollectSystems::Answers))
            .add_systems(Update, (ask_again, answer_asked).chain().in_set(DeriveSystems::Answer));
    }
}

fn compare(Job { purpose, serial, query, sounds, vector }: Job) -> Reply {
    let found = sounds.nearest(&query, &vector, true);
    Reply { purpose, serial, sounds, vector, found }
}

fn collect_exact(mut comparer: ResMut<Comparer>, mut answers: ResMut<Answers>, neighbours: Neighbours) {
    for Reply { purpose, serial, sounds, vector, found } in comparer.0.replies() {
        // A question that was replaced meanwhile needs no answer.
        if let Some(asked) = answers.of(purpose).as_mut().filter(|asked| asked.serial == serial) {
            asked.answer = Ok(neighbours.located(&asked.query, found, &sounds, &vector));
        }
    }
}

/// Repeats a question when the space or the weights have changed, when more sounds came, and when what it is about has
/// changed: a take while it is recorded, a sample that has been analysed, a region whose vector is there now.
fn ask_again(
    index: Option<Res<SpaceIndex>>,
    newcomers: Option<Res<Newcomers>>,
    weights: Res<ActiveWeights>,
    mut answers: ResMut<Answers>,
    changed: Components<(), Or<(Changed<Embedding>, Changed<Descriptors>, Added<Failed>)>>,
    takes: Components<Entity, (With<Recording>, Changed<Embedding>)>,
) {
    let mut again = Vec::new();
    let moved = index.is_some_and(|index| index.is_changed());
    let revision = newcomers.map_or(0, |newcomers| newcomers.revision());
    for (purpose, asked) in answers.all() {
        let reweighted = asked.query.weights != weights.0;
        let waits = matches!(asked.answer, Err(Unanswered::Waiting));
        let touched = || asked.query.subjects().filter_map(Subject::entity).any(|entity| changed.contains(entity));
        let more = asked.revision != revision && asked.at.elapsed() >= RENEWED;
        if moved || more || reweighted || waits || touched() {
            let query = if reweighted {
                Arc::new(Query { weights: weights.0, ..(*asked.query).clone() })
            } else {
                asked.query.clone()
            };
            again.push((purpose, query));
        }
    }
    let known = answers.take.as_ref().and_then(|asked| asked.query.single());
    for take in takes.iter().filter(|take| known != Some(*take)) {
        let query = Query { like: vec![Subject::Take(take)], k: AROUND, weights: weights.0, ..Query::default() };
        again.push((Purpose::Take, Arc::new(query)));
    }
    // Nothing changes for those who look, as long as nothing is asked again.
    if !again.is_empty() {
        answers.again = again;
    }
}

fn answer_asked(
    mut asks: MessageReader<Ask>,
    mut answers: ResMut<Answers>,
    mut comparer: ResMut<Comparer>,
    mut neighbours: Neighbours,
) {
    let again = if answers.again.is_empty() { Vec::new() } else { std::mem::take(&mut answers.again) };
    let again = again.into_iter().map(|(purpose, query)| Ask { purpose, query: Some(query) });
    for Ask { purpose, query } in again.chain(asks.read().cloned()) {
        answers.serial += 1;
        let serial = answers.serial;
        comparer.0.retain_waiting(|waiting| waiting.purpose != purpose);
        let Some(query) = query else {
            *answers.of(purpose) = None;
            continue;
        };
        let before = answers.of(purpose).take().filter(|asked| asked.query == query);
        let answer = neighbours.at_once(&query).map(|(answer, sounds, vector)| {
            if answer.is_exact() {
                return answer;
            }
            comparer.0.queue(Job { purpose, serial, query: query.clone(), sounds, vector });
            // The list would only jump there and back, if it were worse for a moment.
            before.and_then(|asked| asked.answer.ok()).filter(Answer::is_exact).unwrap_or(answer)
        });
        let revision = neighbours.newcomers.as_ref().map_or(0, |newcomers| newcomers.revision());
        *answers.of(purpose) = Some(Asked { query, answer, serial, at: Instant::now(), revision });
    }
}
