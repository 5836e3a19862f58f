//! Embeddings → [`Space`]: built on its own thread from all vectors there are, again whenever they change. Where a map
//! is wanted, the same thread then lays it out, so that similarity never waits for the [`Layout`].

pub mod cluster;
pub mod grid;
pub mod layout;
pub mod pca;
mod random;
pub mod space;
pub mod umap;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use half::f16;

use self::layout::Layout;
use self::space::Space;
use crate::SoundkinSystems;
use crate::actor::{Actor, Outbox, Wake, contained};
use crate::embed::manifest::Statistics;
use crate::embed::{ActiveModel, Analysis, DispatchAnalyses, Embedding};
use crate::sample::{Guest, Missing, Notice, Restored, Sample};

/// While sounds keep coming, the space is rebuilt no more often than this.
const REBUILD: Duration = Duration::from_secs(5);
/// While sounds keep coming, the time between rebuilds is at least this many times what the last one took, so that it
/// takes little from the analysis.
const REST: u32 = 4;

/// The space in use and which sample each of its rows is.
#[derive(Resource, Clone)]
pub struct SpaceIndex {
    /// Vectors, tree and main components.
    pub space: Arc<Space>,
    /// The sample of each row.
    pub entities: Arc<Vec<Entity>>,
    /// The row of each sample.
    pub rows: Arc<HashMap<Entity, usize>>,
    /// The map of these rows; it follows some time after the space, if [`Projection::lays_out`].
    pub layout: Option<Arc<Layout>>,
}

/// Whether the space shows what there is.
#[derive(Resource, Default, Debug)]
pub struct Projection {
    /// Whether somebody wants a map; similarity alone needs none.
    pub lays_out: bool,
    stale: bool,
    building: bool,
    started: Option<Instant>,
    built: Option<Instant>,
    took: Duration,
}

impl Projection {
    /// Tells whether the space, and the map if one is wanted, is up to date.
    pub fn is_idle(&self) -> bool {
        !self.stale && !self.building
    }
}

struct Job {
    samples: Vec<(Arc<Path>, Entity, Arc<[f16]>)>,
    statistics: Arc<Statistics>,
    lay_out: bool,
}

struct Reply {
    index: SpaceIndex,
    /// Whether a layout of the same rows is to follow.
    more: bool,
}

#[derive(Resource)]
struct Projector(Actor<Job, Reply>);

/// Keeps [`SpaceIndex`] up to date.
pub struct ProjectPlugin;

impl Plugin for ProjectPlugin {
    fn build(&self, app: &mut App) {
        let wake = app.world().resource::<Wake>().clone();
        let body = |inbox: crossbeam_channel::Receiver<Job>, outbox: Outbox<Reply>| {
            let mut last = None;
            // A closed outbox ends the inbox too.
            inbox.into_iter().for_each(|job| project(job, &mut last, &outbox));
        };
        match Actor::spawn("project", 1, &wake, body) {
            Ok(actor) => app.insert_resource(Projector(actor)),
            Err(error) => {
                app.world_mut().write_message(Notice::new(format!("no map can be made: no thread ({error})")));
                return;
            }
        };
        app.init_resource::<Projection>()
            .add_observer(touch::<Insert, Embedding>)
            .add_observer(touch::<Remove, Embedding>)
            .add_observer(touch::<Insert, Sample>)
            .add_observer(touch::<Discard, Sample>)
            .add_observer(touch::<Insert, Missing>)
            .add_observer(touch::<Remove, Missing>)
            .add_systems(Update, collect_space.in_set(SoundkinSystems::Collect))
            .add_systems(Update, dispatch_projection.after(DispatchAnalyses).in_set(SoundkinSystems::Dispatch));
    }
}

/// Builds the space and then, where it is wanted, the layout; `last` is the last layout, from which the next starts.
fn project(mut job: Job, last: &mut Option<SpaceIndex>, outbox: &Outbox<Reply>) {
    // The ECS lists samples in no lasting order; by path the same sounds always give the same map.
    job.samples.sort_by(|a, b| a.0.cmp(&b.0));
    let vectors: Vec<&[f16]> = job.samples.iter().map(|sample| sample.2.as_ref()).collect();
    let space = Space::build(&vectors, &job.statistics);
    let entities: Vec<Entity> = job.samples.iter().map(|sample| sample.1).collect();
    let rows = entities.iter().enumerate().map(|(row, entity)| (*entity, row)).collect();
    let mut index =
        SpaceIndex { space: Arc::new(space), entities: Arc::new(entities), rows: Arc::new(rows), layout: None };
    let sent = outbox.send(Reply { index: index.clone(), more: job.lay_out });
    if sent.is_err() || !job.lay_out {
        return;
    }
    let paths: Vec<&Path> = job.samples.iter().map(|sample| sample.0.as_ref()).collect();
    let lay_out = || {
        let before = last.as_ref().and_then(|last| Some((last, last.layout.as_ref()?)));
        let before =
            before.map(|(last, layout)| layout.before(paths.len(), |row| last.rows.get(&index.entities[row]).copied()));
        Layout::build(&index.space, &paths, &before.unwrap_or_default(), || outbox.is_closed())
    };
    match contained(lay_out) {
        Ok(layout) => index.layout = layout.map(Arc::new),
        Err(panic) => tracing::error!("the map could not be laid out: {panic}"),
    }
    *last = Some(index.clone());
    // The app has gone away: nobody is left to tell.
    let _ = outbox.send(Reply { index, more: false });
}

fn collect_space(projector: Res<Projector>, mut projection: ResMut<Projection>, mut commands: Commands) {
    for reply in projector.0.replies() {
        if !reply.more {
            projection.building = false;
            projection.built = Some(Instant::now());
            projection.took = projection.started.map_or(Duration::ZERO, |started| started.elapsed());
        }
        commands.insert_resource(reply.index);
    }
}

/// Notes that the space no longer shows what there is.
fn touch<E: bevy::ecs::event::EntityEvent, C: Component>(
    event: On<E, C>,
    members: Query<(), (With<Embedding>, Without<Guest>)>,
    mut projection: ResMut<Projection>,
) {
    projection.stale |= members.contains(event.event_target());
}

fn dispatch_projection(
    projector: Res<Projector>,
    mut projection: ResMut<Projection>,
    model: Res<ActiveModel>,
    analysis: Res<Analysis>,
    restored: Res<Restored>,
    embedded: Query<(Entity, &Sample, &Embedding), (Without<Guest>, Without<Missing>)>,
    mut statistics: Local<Option<Arc<Statistics>>>,
) {
    let recent = projection.built.is_some_and(|built| built.elapsed() < REBUILD.max(projection.took * REST));
    let busy = analysis.in_flight > 0;
    if !projection.stale || projection.building || !restored.0 || (busy && (recent || projection.built.is_none())) {
        return;
    }
    let statistics = statistics.get_or_insert_with(|| Arc::new(model.0.statistics.clone()));
    let samples = embedded.iter().map(|(entity, sample, e)| (sample.path.clone(), entity, e.vector.clone())).collect();
    let job = Job { samples, statistics: statistics.clone(), lay_out: projection.lays_out };
    if projector.0.try_send(job).is_ok() {
        projection.stale = false;
        projection.building = true;
        projection.started = Some(Instant::now());
    }
}
