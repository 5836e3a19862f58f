//! Embeddings → [`Space`]: built on its own thread from all vectors there are, again whenever they change, where
//! somebody has [`Need`] of it. Where a map is wanted, the same thread then lays it out, so that similarity never
//! waits for the [`Layout`].
//!
//! Another weight of the head needs no new vectors: main components, tree and layout follow from those in the space. A
//! layout for a weight that is no longer wanted is abandoned.

pub mod query;
pub mod vectors;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use half::f16;
use model::head::Statistics;
use similarity::layout::{Layout, LayoutKey, SavedPositions};
use similarity::space::{Heard, SCAN_AT_ONCE, Space};
use similarity::weights::Weights;

use crate::actor::{Actor, Outbox, Wake, contained};
use crate::analyse::{ActiveModel, Analysis};
use crate::library::changes::{Change, Changes, Fact, Reader};
use crate::library::{
    ContentHash, Descriptors, Embedding, Failed, Folders, Guest, Missing, Recording, Restored, Sample,
};
use crate::notice::Notice;
use crate::schedule::{DispatchSystems, SoundkinSystems};

/// While sounds keep coming, the space is rebuilt no more often than this.
const REBUILD: Duration = Duration::from_secs(5);
/// Neighbours among which a newcomer is placed.
const NEAREST: usize = 5;
/// While sounds keep coming, the time between rebuilds is at least this many times what the last one took, so that it
/// takes little from the analysis.
const REST: u32 = 4;

/// How much each part counts; any change ranks anew.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Deref, DerefMut)]
pub struct ActiveWeights(pub Weights);

/// The space in use and which sample each of its rows is.
#[derive(Resource, Clone)]
pub struct SpaceIndex {
    /// Vectors, tree and main components.
    pub space: Arc<Space>,
    /// The sample of each row.
    pub entities: Arc<Vec<Entity>>,
    /// The row of each sample.
    pub rows: Arc<HashMap<Entity, usize>>,
    /// The map of these rows; it follows some time after the space, if the [`Need`] is to see it.
    pub layout: Option<Arc<Layout>>,
}

/// Is on the map before it is part of the layout: a take, from its start until the next layout.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Newcomer {
    /// Where it stands in cloud and grid, in map units; none while nothing is known of it.
    pub place: Option<[[f32; 2]; 2]>,
}

/// Where the sounds stood in the last layout, of this run of the program or of one before.
#[derive(Resource, Clone, Debug, Default)]
pub struct LastSpots(pub Arc<SavedPositions>);

/// What the vectors are needed for; each purpose includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Need {
    /// Only to be stored: nothing is built from them.
    Keeping,
    /// To be compared: the space is built.
    #[default]
    Comparing,
    /// To be shown on the map: the space is laid out too.
    Mapping,
}

/// How far the space has followed the samples.
#[derive(Resource)]
struct Followed(Reader);

/// Whether the space is up to date.
#[derive(Resource, Default, Debug)]
pub struct Projection {
    /// What is wanted.
    pub need: Need,
    /// Up to this many sounds a question is answered by comparing with all of them at once; above it, a tree proposes.
    pub scan_at_once: usize,
    stale: bool,
    /// The head's weight that is wanted.
    weight: f32,
    /// Its number, and that of the weight in the last job.
    wanted: u64,
    handed: u64,
    building: bool,
    started: Option<Instant>,
    built: Option<Instant>,
    took: Duration,
}

impl Projection {
    /// Tells whether what is wanted is up to date.
    pub fn is_idle(&self) -> bool {
        let current = !self.stale && !self.building && !self.is_reweighted();
        current || self.need == Need::Keeping
    }

    fn is_reweighted(&self) -> bool {
        self.wanted != self.handed
    }
}

struct Job {
    /// What there is; `None` for the sounds of the last job under another weight.
    samples: Option<Vec<Embedded>>,
    statistics: Arc<Statistics>,
    weight: f32,
    scan_at_once: usize,
    lay_out: bool,
    /// From which the layout starts.
    spots: Arc<SavedPositions>,
    /// Groups are named by the paths below these.
    folders: Folders,
    serial: u64,
}

struct Embedded {
    path: Arc<Path>,
    entity: Entity,
    hash: Option<ContentHash>,
    vector: Arc<[f16]>,
    descriptors: Option<Descriptors>,
}

/// What a layout has to know of a row besides its vector.
#[derive(Clone)]
struct Row {
    path: Arc<Path>,
    hash: Option<ContentHash>,
    described: bool,
}

struct Reply {
    index: SpaceIndex,
    /// What its layout leaves to the next.
    spots: Option<Arc<SavedPositions>>,
    /// Whether a layout of the same rows is to follow.
    more: bool,
}

#[derive(Resource)]
struct Projector {
    actor: Actor<Job, Reply>,
    /// The newest weight's number; the thread abandons a layout for an older one.
    newest: Arc<AtomicU64>,
}

/// What the thread keeps from one job to the next.
struct Drafts {
    newest: Arc<AtomicU64>,
    /// The last space and its rows.
    built: Option<(SpaceIndex, Arc<[Row]>)>,
}

/// Keeps [`SpaceIndex`] up to date, as far as [`Projection::need`] says.
pub struct SpacePlugin;

impl Plugin for SpacePlugin {
    fn build(&self, app: &mut App) {
        let wake = app.world().resource::<Wake>().clone();
        let newest = Arc::new(AtomicU64::new(0));
        let mut drafts = Drafts { newest: newest.clone(), built: None };
        let body = move |inbox: crossbeam_channel::Receiver<Job>, outbox: Outbox<Reply>| {
            // A closed outbox ends the inbox too.
            inbox.into_iter().for_each(|job| drafts.project(job, &outbox));
        };
        let head = app.world().resource::<ActiveModel>().0.statistics.usual_weight();
        app.insert_resource(ActiveWeights(Weights { head, ..default() }));
        match Actor::spawn("project", 1, &wake, body) {
            Ok(actor) => app.insert_resource(Projector { actor, newest }),
            Err(error) => {
                app.world_mut().write_message(Notice::new(format!(
                    "cannot lay out the map: starting a thread failed ({error}); restart Soundkin"
                )));
                return;
            }
        };
        let reader = app.world_mut().get_resource_or_init::<Changes>().reader();
        app.insert_resource(Followed(reader))
            .insert_resource(Projection { weight: head, scan_at_once: SCAN_AT_ONCE, ..default() })
            .init_resource::<LastSpots>()
            .add_systems(Update, collect_space.in_set(SoundkinSystems::Collect))
            .add_observer(welcome)
            .add_systems(Update, place_newcomers.in_set(SoundkinSystems::Derive))
            .add_systems(Update, (follow_samples, dispatch_projection).chain().in_set(DispatchSystems::Space));
    }
}

impl Drafts {
    /// Builds the space and then, where it is wanted, the layout.
    fn project(&mut self, mut job: Job, outbox: &Outbox<Reply>) {
        let samples = job.samples.take();
        let (mut index, rows) = match (samples, self.built.take()) {
            (Some(samples), _) => build(samples, &job),
            (None, Some((index, rows))) => {
                let space = Arc::new(index.space.reweighted(job.weight));
                (SpaceIndex { space, layout: None, ..index }, rows)
            }
            (None, None) => build(Vec::new(), &job),
        };
        self.built = Some((index.clone(), rows.clone()));
        let sent = outbox.send(Reply { index: index.clone(), spots: None, more: job.lay_out });
        if sent.is_err() || !job.lay_out {
            return;
        }
        let lay_out = || {
            let paths: Vec<&Path> = rows.iter().map(|row| job.folders.relative(&row.path)).collect();
            let key = |row: &Row| Some(LayoutKey { hash: row.hash?.0, described: row.described, weight: job.weight });
            let keys: Vec<Option<LayoutKey>> = rows.iter().map(key).collect();
            let stop = || outbox.is_closed() || self.newest.load(Ordering::Relaxed) != job.serial;
            let layout = Layout::build(&index.space, &paths, &job.spots.before(&keys), &stop)?;
            let spots = layout.spots(&keys, &job.spots);
            Some((Arc::new(layout), Arc::new(spots)))
        };
        let laid_out = contained(lay_out).unwrap_or_else(|panic| {
            tracing::error!("the map could not be laid out: {panic}");
            None
        });
        let (layout, spots) = laid_out.unzip();
        index.layout = layout;
        // The app has gone away: nobody is left to tell.
        let _ = outbox.send(Reply { index, spots, more: false });
    }
}

fn build(mut samples: Vec<Embedded>, job: &Job) -> (SpaceIndex, Arc<[Row]>) {
    // The ECS lists samples in no lasting order; by path the same sounds always give the same map.
    samples.sort_by(|a, b| a.path.cmp(&b.path));
    let heard = samples.iter().map(|s| Heard { pooled: &s.vector, descriptors: s.descriptors.as_ref().map(|d| &*d.0) });
    let space = Space::build_above(job.scan_at_once, &heard.collect::<Vec<_>>(), &job.statistics, job.weight);
    let entities: Vec<Entity> = samples.iter().map(|sample| sample.entity).collect();
    let rows = entities.iter().enumerate().map(|(row, entity)| (*entity, row)).collect();
    let index = SpaceIndex { space: Arc::new(space), entities: Arc::new(entities), rows: Arc::new(rows), layout: None };
    let row = |sample: Embedded| Row { path: sample.path, hash: sample.hash, described: sample.descriptors.is_some() };
    (index, samples.into_iter().map(row).collect())
}

fn collect_space(projector: Res<Projector>, mut projection: ResMut<Projection>, mut commands: Commands) {
    for reply in projector.actor.replies() {
        if !reply.more {
            projection.building = false;
            projection.built = Some(Instant::now());
            projection.took = projection.started.map_or(Duration::ZERO, |started| started.elapsed());
        }
        if let Some(spots) = reply.spots {
            commands.insert_resource(LastSpots(spots));
        }
        commands.insert_resource(reply.index);
    }
}

/// Notes that the space is out of date.
fn follow_samples(
    followed: Res<Followed>,
    mut changes: ResMut<Changes>,
    members: Query<(), (With<Embedding>, Without<Recording>)>,
    growing: Query<(), With<Recording>>,
    mut projection: ResMut<Projection>,
) {
    let concerns = |change: &Change| {
        // One that has no vector any more had one until now.
        let vector = change.facts.has(&[Fact::Embedding]) && !growing.contains(change.sample);
        let member = change.facts.has(&[Fact::Sample, Fact::Descriptors, Fact::Missing]);
        vector || (member && members.contains(change.sample))
    };
    if changes.read(followed.0).iter().any(concerns) && !projection.stale {
        projection.stale = true;
    }
}

fn welcome(begun: On<Add, Recording>, mut commands: Commands) {
    if let Ok(mut take) = commands.get_entity(begun.entity) {
        take.try_insert(Newcomer::default());
    }
}

/// Places newcomers among their nearest whenever they sound different, without moving anything else.
fn place_newcomers(
    index: Option<Res<SpaceIndex>>,
    weights: Res<ActiveWeights>,
    mut newcomers: Query<(Entity, Ref<Embedding>, Option<&Descriptors>, &mut Newcomer, Has<Recording>)>,
    silent: Query<Entity, (With<Newcomer>, With<Failed>)>,
    mut commands: Commands,
) {
    let Some((index, layout)) = index.as_ref().and_then(|index| Some((index, index.layout.as_ref()?))) else { return };
    // A take that turned out to be silent has no place.
    for take in &silent {
        commands.entity(take).try_remove::<Newcomer>();
    }
    for (entity, embedding, descriptors, mut newcomer, recording) in &mut newcomers {
        if !recording && index.rows.contains_key(&entity) {
            // The layout has it now.
            commands.entity(entity).try_remove::<Newcomer>();
        } else if embedding.is_changed() || index.is_changed() {
            let probe =
                index.space.query_vector(Heard { pooled: &embedding.vector, descriptors: descriptors.map(|d| &*d.0) });
            let nearest = index.space.quick(&probe, &weights, NEAREST, &|_| true).neighbours;
            let nearest: Vec<(usize, f32)> = nearest.iter().map(|n| (n.row, (1.0 - n.similarity).max(0.0))).collect();
            newcomer.set_if_neq(Newcomer { place: layout.newcomer(&nearest) });
        }
    }
}

fn dispatch_projection(
    projector: Res<Projector>,
    mut projection: ResMut<Projection>,
    weights: Res<ActiveWeights>,
    model: Res<ActiveModel>,
    analysis: Res<Analysis>,
    restored: Res<Restored>,
    embedded: Query<
        (Entity, &Sample, Option<&ContentHash>, &Embedding, Option<&Descriptors>),
        (Without<Guest>, Without<Recording>, Without<Missing>),
    >,
    spots: Res<LastSpots>,
    folders: Res<Folders>,
    mut statistics: Local<Option<Arc<Statistics>>>,
) {
    if projection.need == Need::Keeping {
        return;
    }
    let statistics = statistics.get_or_insert_with(|| Arc::new(model.0.statistics.clone()));
    if statistics.head.is_some() && (weights.head - projection.weight).abs() > f32::EPSILON {
        projection.weight = weights.head;
        projection.wanted += 1;
        projector.newest.store(projection.wanted, Ordering::Relaxed);
    }
    let recent = projection.built.is_some_and(|built| built.elapsed() < REBUILD.max(projection.took * REST));
    let busy = analysis.in_flight > 0;
    let due = projection.stale && !(busy && (recent || projection.built.is_none()));
    if projection.started.is_none() && !due {
        // The first job will have the right weight.
        projection.handed = projection.wanted;
    }
    if projection.building || !restored.0 || !(due || projection.is_reweighted()) {
        return;
    }
    let samples = embedded.iter().map(|(entity, sample, hash, embedding, descriptors)| Embedded {
        path: sample.path.clone(),
        entity,
        hash: hash.copied(),
        vector: embedding.vector.clone(),
        descriptors: descriptors.cloned(),
    });
    let job = Job {
        samples: due.then(|| samples.collect()),
        statistics: statistics.clone(),
        weight: projection.weight,
        scan_at_once: projection.scan_at_once,
        lay_out: projection.need == Need::Mapping,
        spots: spots.0.clone(),
        folders: folders.clone(),
        serial: projection.wanted,
    };
    if projector.actor.try_send(job).is_ok() {
        projection.stale &= !due;
        projection.handed = projection.wanted;
        projection.building = true;
        projection.started = Some(Instant::now());
    }
}
