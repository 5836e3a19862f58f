//! Embeddings → [`Space`]: built on its own thread from all vectors there are, again whenever they change.

pub mod pca;
pub mod space;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use half::f16;

use self::space::Space;
use crate::SoundkinSystems;
use crate::actor::{Actor, Wake};
use crate::embed::manifest::Statistics;
use crate::embed::{ActiveModel, Analysis, DispatchAnalyses, Embedding};
use crate::sample::{Guest, Missing, Notice, Restored, Sample};

/// While sounds keep coming, the space is rebuilt no more often than this.
const REBUILD: Duration = Duration::from_secs(5);

/// The space in use and which sample each of its rows is.
#[derive(Resource, Clone)]
pub struct SpaceIndex {
    /// Vectors, tree and positions.
    pub space: Arc<Space>,
    /// The sample of each row.
    pub entities: Arc<Vec<Entity>>,
    /// The row of each sample.
    pub rows: Arc<HashMap<Entity, usize>>,
}

/// Whether the space shows what there is.
#[derive(Resource, Default, Debug)]
pub struct Projection {
    stale: bool,
    building: bool,
    built: Option<Instant>,
}

impl Projection {
    /// Tells whether the space is up to date.
    pub fn is_idle(&self) -> bool {
        !self.stale && !self.building
    }
}

type Job = (Vec<Entity>, Vec<Arc<[f16]>>, Arc<Statistics>);

#[derive(Resource)]
struct Projector(Actor<Job, SpaceIndex>);

/// Keeps [`SpaceIndex`] up to date.
pub struct ProjectPlugin;

impl Plugin for ProjectPlugin {
    fn build(&self, app: &mut App) {
        let wake = app.world().resource::<Wake>().clone();
        match Actor::pool("project", 1, 1, &wake, || project) {
            Ok(actor) => app.insert_resource(Projector(actor)),
            Err(error) => {
                app.world_mut().write_message(Notice::new(format!("no map can be made: no thread ({error})")));
                return;
            }
        };
        app.init_resource::<Projection>()
            .add_observer(touch::<Insert, Embedding>)
            .add_observer(touch::<Remove, Embedding>)
            .add_observer(touch::<Insert, Missing>)
            .add_observer(touch::<Remove, Missing>)
            .add_systems(Update, collect_space.in_set(SoundkinSystems::Collect))
            .add_systems(Update, dispatch_projection.after(DispatchAnalyses).in_set(SoundkinSystems::Dispatch));
    }
}

fn project((entities, vectors, statistics): Job) -> SpaceIndex {
    let rows: Vec<&[f16]> = vectors.iter().map(AsRef::as_ref).collect();
    let space = Space::build(&rows, &statistics);
    let rows = entities.iter().enumerate().map(|(row, entity)| (*entity, row)).collect();
    SpaceIndex { space: Arc::new(space), entities: Arc::new(entities), rows: Arc::new(rows) }
}

fn collect_space(projector: Res<Projector>, mut projection: ResMut<Projection>, mut commands: Commands) {
    if let Some(space) = projector.0.replies().last() {
        projection.building = false;
        projection.built = Some(Instant::now());
        commands.insert_resource(space);
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
    embedded: Query<(Entity, &Embedding), (With<Sample>, Without<Guest>, Without<Missing>)>,
    mut statistics: Local<Option<Arc<Statistics>>>,
) {
    let recent = projection.built.is_some_and(|built| built.elapsed() < REBUILD);
    let busy = analysis.in_flight > 0;
    if !projection.stale || projection.building || !restored.0 || (busy && (recent || projection.built.is_none())) {
        return;
    }
    let statistics = statistics.get_or_insert_with(|| Arc::new(model.0.statistics.clone()));
    let (entities, vectors) = embedded.iter().map(|(entity, e)| (entity, e.vector.clone())).unzip();
    if projector.0.try_send((entities, vectors, statistics.clone())).is_ok() {
        projection.stale = false;
        projection.building = true;
    }
}
