//! A similarity query as a value, and its answer: which samples sound most like a given one, and where in them.
//!
//! The window gets two answers to a question in a large library: the tree's at once, and the exact one a moment later
//! from a thread that compares with every sound.

use std::collections::HashSet;
use std::sync::Arc;

use bevy::prelude::*;
use similarity::space::{Answer, Heard, Probe, Space};
use similarity::weights::{Closeness, Weights};

use crate::actor::{Actor, Wake};
use crate::library::{Descriptors, Embedding, Recording, Sample, SampleIndex, Windows};
use crate::neighbours::{ActiveWeights, SpaceIndex};
use crate::notice::Notice;
use crate::schedule::{DeriveSystems, SoundkinSystems};

/// Neighbours that are shown around a take.
const AROUND: usize = 8;

/// Asks for the neighbours of samples, in the library or guests.
#[derive(Clone, Debug, Default)]
pub struct SimilarTo {
    /// What neighbours should be like; several samples blend.
    pub like: Vec<Entity>,
    /// What they should be less like.
    pub unlike: Vec<Entity>,
    /// Number of neighbours.
    pub k: usize,
    /// Whether to wait for the exact answer, or take the tree's at once.
    pub exact: bool,
}

/// A query for what lies between several samples. It can be the subject of an [`Ask`].
#[derive(Component, Clone, Debug, PartialEq, Eq)]
pub struct Blend(pub Vec<Entity>);

/// A neighbour of the subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimilarSample {
    /// The sample.
    pub entity: Entity,
    /// What it is ranked by, in -1..=1: see [`closeness`](similarity::weights).
    pub similarity: f32,
    /// Why it is near, part by part.
    pub closeness: Closeness,
    /// Start and end in seconds of the window that is most like the subject, in a sound longer than one window.
    pub at: Option<[f32; 2]>,
}

/// The neighbours, nearest first, without the subject itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimilarSamples {
    /// At most as many as asked for.
    pub neighbours: Vec<SimilarSample>,
    /// Whether these are the true nearest.
    pub exact: bool,
}

/// What a query is for; a newer query replaces an older one with the same purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be listed.
    List,
    /// To be shown around a sound that is pointed at.
    Glance,
    /// To be shown around what is being recorded; asked by itself.
    Take,
}

/// Asks for neighbours, to be found in [`Answers`].
#[derive(Message, Clone, Debug)]
pub struct Ask {
    /// What for.
    pub purpose: Purpose,
    /// The sample, its [`Passage`](crate::library::Passage) as a guest or a [`Blend`]; `None` withdraws the query.
    pub subject: Option<Entity>,
    /// Number of neighbours.
    pub k: usize,
    /// The samples that may be answered; `None` for all.
    pub within: Option<Arc<HashSet<Entity>>>,
}

/// A question with the best answer there is so far.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The sample asked about.
    pub subject: Entity,
    /// Its neighbours.
    pub found: SimilarSamples,
    ask: Ask,
    serial: u64,
}

/// The newest answers.
#[derive(Resource, Default, Debug)]
pub struct Answers {
    /// For the list.
    pub list: Option<Answered>,
    /// For the sound that is pointed at.
    pub glance: Option<Answered>,
    /// For the newest take, brought up to date while it is recorded.
    pub take: Option<Answered>,
    serial: u64,
}

impl Answers {
    fn of(&mut self, purpose: Purpose) -> &mut Option<Answered> {
        match purpose {
            Purpose::List => &mut self.list,
            Purpose::Glance => &mut self.glance,
            Purpose::Take => &mut self.take,
        }
    }
}

/// What samples are compared by.
pub type Compared<'a> = (&'a Embedding, Option<&'a Descriptors>);

struct Job {
    purpose: Purpose,
    serial: u64,
    index: SpaceIndex,
    probe: Probe,
    weights: Weights,
    without: Vec<Entity>,
    k: usize,
    within: Option<Arc<HashSet<Entity>>>,
}

struct Reply {
    purpose: Purpose,
    serial: u64,
    index: SpaceIndex,
    probe: Probe,
    answer: Answer,
}

#[derive(Resource)]
struct Comparer {
    actor: Actor<Job, Reply>,
    /// Questions that found the thread busy.
    waiting: Vec<Job>,
}

/// Answers [`Ask`].
pub struct QueryPlugin;

impl Plugin for QueryPlugin {
    fn build(&self, app: &mut App) {
        let wake = app.world().resource::<Wake>().clone();
        match Actor::pool("compare", 1, 2, &wake, |_| compare) {
            Ok(actor) => app.insert_resource(Comparer { actor, waiting: Vec::new() }),
            Err(error) => {
                app.world_mut().write_message(Notice::new(format!(
                    "cannot search for neighbours: starting a thread failed ({error}); restart Soundkin"
                )));
                return;
            }
        };
        app.init_resource::<Answers>()
            .add_message::<Ask>()
            .add_systems(Update, collect_exact.in_set(SoundkinSystems::Collect))
            .add_systems(Update, (ask_again, answer_asked).chain().in_set(DeriveSystems::Answer));
    }
}

fn compare(job: Job) -> Reply {
    let Job { purpose, serial, index, probe, weights, without, k, within } = job;
    let accept = |row: usize| acceptable(index.entities[row], &without, within.as_deref());
    let answer = index.space.exact(&probe, &weights, k, &accept);
    Reply { purpose, serial, index, probe, answer }
}

fn acceptable(entity: Entity, without: &[Entity], within: Option<&HashSet<Entity>>) -> bool {
    !without.contains(&entity) && within.is_none_or(|within| within.contains(&entity))
}

fn collect_exact(mut comparer: ResMut<Comparer>, mut answers: ResMut<Answers>, compared: Query<Compared>) {
    let replies: Vec<Reply> = comparer.actor.replies().collect();
    for reply in replies {
        // A question that was replaced meanwhile needs no answer.
        if let Some(answered) = answers.of(reply.purpose)
            && answered.serial == reply.serial
        {
            answered.found = located(reply.answer, &reply.index, &reply.probe, &compared);
        }
    }
    while let Some(job) = comparer.waiting.pop() {
        if let Err(job) = comparer.actor.try_send(job) {
            comparer.waiting.push(job);
            return;
        }
    }
}

/// Repeats a query when the space or the weights have changed, and when the sound that it is about has changed,
/// as a take does while it is recorded.
fn ask_again(
    index: Option<Res<SpaceIndex>>,
    weights: Res<ActiveWeights>,
    answers: Res<Answers>,
    changed: Query<(), Changed<Embedding>>,
    takes: Query<Entity, (With<Recording>, Changed<Embedding>)>,
    mut asks: MessageWriter<Ask>,
) {
    let moved = weights.is_changed() || index.is_some_and(|index| index.is_changed());
    let known = [&answers.list, &answers.glance, &answers.take].into_iter().flatten();
    let stale = known.filter(|answered| moved || changed.contains(answered.subject));
    asks.write_batch(stale.map(|answered| answered.ask.clone()));
    let fresh = takes.iter().filter(|take| answers.take.as_ref().is_none_or(|known| known.subject != *take));
    asks.write_batch(fresh.map(|take| Ask { purpose: Purpose::Take, subject: Some(take), k: AROUND, within: None }));
}

fn answer_asked(
    mut asks: MessageReader<Ask>,
    index: Option<Res<SpaceIndex>>,
    mut answers: ResMut<Answers>,
    mut comparer: ResMut<Comparer>,
    weights: Res<ActiveWeights>,
    compared: Query<Compared>,
    blends: Query<&Blend>,
    samples: (Query<&Sample>, Res<SampleIndex>),
) {
    for ask in asks.read() {
        answers.serial += 1;
        let serial = answers.serial;
        let Some(subject) = ask.subject else {
            *answers.of(ask.purpose) = None;
            continue;
        };
        let like = blends.get(subject).map_or_else(|_| vec![subject], |blend| blend.0.clone());
        let query = SimilarTo { like, k: ask.k, ..default() };
        let without = asked_about(&query, &samples.0, &samples.1);
        let accept = |entity| acceptable(entity, &without, ask.within.as_deref());
        let found =
            index.as_ref().and_then(|index| answer(&query, index, &weights, &compared, accept)).unwrap_or_default();
        let probe = index.as_ref().and_then(|index| probe(&query, index, &compared));
        if let (false, Some(index), Some(probe)) = (found.exact, &index, probe) {
            let job = Job {
                purpose: ask.purpose,
                serial,
                index: (**index).clone(),
                probe,
                weights: weights.0,
                without,
                k: ask.k,
                within: ask.within.clone(),
            };
            comparer.waiting.retain(|waiting| waiting.purpose != ask.purpose);
            if let Err(job) = comparer.actor.try_send(job) {
                comparer.waiting.push(job);
            }
        }
        *answers.of(ask.purpose) = Some(Answered { subject, found, ask: ask.clone(), serial });
    }
}

/// The samples that a query must not list: those it is about, and the sound that a queried region is part of.
pub fn asked_about(query: &SimilarTo, samples: &Query<&Sample>, index: &SampleIndex) -> Vec<Entity> {
    let asked = query.like.iter().chain(&query.unlike);
    let of = |entity: &Entity| [Some(*entity), samples.get(*entity).ok().and_then(|sample| index.at(&sample.path))];
    asked.flat_map(of).flatten().collect()
}

fn probe(query: &SimilarTo, index: &SpaceIndex, compared: &Query<Compared>) -> Option<Probe> {
    let probes = |samples: &[Entity]| -> Option<Vec<Probe>> {
        samples.iter().map(|sample| Some(index.space.probe(heard_of(compared.get(*sample).ok()?)))).collect()
    };
    Probe::blend(&probes(&query.like)?, &probes(&query.unlike)?)
}

/// Answers a query among the samples that `accept` allows; `None` if a sample has no vector or none is wanted.
pub fn answer(
    query: &SimilarTo,
    index: &SpaceIndex,
    weights: &Weights,
    compared: &Query<Compared>,
    accept: impl Fn(Entity) -> bool,
) -> Option<SimilarSamples> {
    let probe = probe(query, index, compared)?;
    let asked = |entity: &Entity| query.like.contains(entity) || query.unlike.contains(entity);
    let wanted = |row: usize| Some(index.entities[row]).filter(|entity| !asked(entity)).is_some_and(&accept);
    let found = if query.exact {
        index.space.exact(&probe, weights, query.k, &wanted)
    } else {
        index.space.quick(&probe, weights, query.k, &wanted)
    };
    Some(located(found, index, &probe, compared))
}

/// Tells how close two samples are, part by part; `None` unless the first has a vector and the second is in the space.
pub fn closeness(a: Entity, b: Entity, index: &SpaceIndex, compared: &Query<Compared>) -> Option<Closeness> {
    let probe = index.space.probe(heard_of(compared.get(a).ok()?));
    Some(index.space.closeness(&probe, *index.rows.get(&b)?))
}

fn heard_of((embedding, descriptors): Compared<'_>) -> Heard<'_> {
    Heard { pooled: &embedding.vector, descriptors: descriptors.map(|d| &*d.0) }
}

/// Turns rows of the space into samples, each with its similarity part by part and its most similar window.
fn located(found: Answer, index: &SpaceIndex, probe: &Probe, compared: &Query<Compared>) -> SimilarSamples {
    let neighbours = found.neighbours.into_iter().map(|neighbour| {
        let entity = index.entities[neighbour.row];
        let windows = compared.get(entity).ok().and_then(|(embedding, _)| embedding.windows.clone());
        let at = windows.and_then(|windows| nearest_window(&windows, &index.space, probe));
        let closeness = index.space.closeness(probe, neighbour.row);
        SimilarSample { entity, similarity: neighbour.similarity, closeness, at }
    });
    SimilarSamples { neighbours: neighbours.collect(), exact: found.exact }
}

fn nearest_window(windows: &Windows, space: &Space, probe: &Probe) -> Option<[f32; 2]> {
    let width = windows.vectors.len() / windows.spans.len().max(1);
    let scores = windows.vectors.chunks_exact(width.max(1)).map(|window| space.likeness(probe, window));
    let best = scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    windows.spans.get(best.0).copied()
}
