//! Embeddings → [`Space`]: built on its own thread from all vectors there are, where there is [`Demand`] for it. Where a
//! map is wanted, the same thread then lays it out, so that similarity never waits for the [`Layout`].
//!
//! While sounds are being analysed, that is done for the first ones, at a hundred, and again as often as they double, so
//! that all of it together costs little more than the last; what comes in between is among the [`Newcomers`]. At rest
//! the space follows every change.
//!
//! A library whose vectors were made with former files of the model is answered from those, by the raw part alone, until
//! every sound that has one has been analysed anew; then all of it is built from the new vectors, and the map sets out from
//! where sounds stood. The two kinds never share a space.
//!
//! Another weight of the head needs no new vectors: main components, tree, neighbourhoods and layout follow from those in
//! the space. A layout for a weight that is no longer wanted is abandoned.

pub mod newcomers;
pub mod query;
pub mod vectors;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bevy::ecs::entity::EntityHashMap;
use bevy::prelude::*;
use model::head::Statistics;
use similarity::layout::{Layout, LayoutKey, SavedPositions};
use similarity::space::{Heard, QueryVector, SCAN_AT_ONCE, Space};
use similarity::weights::Weights;

use self::newcomers::Newcomers;
use self::vectors::{Compared, compared, heard};
use crate::actor::{Actor, Outbox, Wake, contained, start};
use crate::analyse::{ActiveModel, Analysis};
use crate::library::changes::{Change, Changes, Fact, Reader};
use crate::library::{
    ContentHash, Descriptors, Embedding, Failed, Folders, Former, Missing, Recording, Restored, Sample, Transient,
};
use crate::notice::Notice;
use crate::schedule::{CollectSystems, DeriveSystems, DispatchSystems, SoundkinSystems};

/// While sounds keep coming, the first map is of so many.
const FIRST: usize = 100;
/// Neighbours among which a newcomer is placed.
const NEAREST: usize = 5;
/// Share of the time since the last frame in which newcomers are heard: of a frame that follows closely, little is taken.
const HEARING: u32 = 20;
/// The shortest and longest time for it in a frame.
const HEARD: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(30)];

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
    pub rows: Arc<EntityHashMap<usize>>,
    /// The map of these rows; it follows some time after the space, if there is [`Demand`] for it.
    pub layout: Option<Arc<Layout>>,
    /// Whether it is made of the vectors of a former analysis.
    pub former: bool,
}

impl SpaceIndex {
    /// A sound, in the space or not, as it is compared by itself.
    fn heard(&self, embedding: &Embedding, descriptors: Option<&Descriptors>) -> QueryVector {
        self.space.query_vector(heard(embedding, descriptors))
    }

    /// A sound that is no row of the space, with its neighbourhood.
    fn guest(&self, embedding: &Embedding, descriptors: Option<&Descriptors>) -> QueryVector {
        self.space.surround(self.heard(embedding, descriptors), None)
    }

    /// Where a [guest](Self::guest) stands in cloud and grid: among its nearest.
    fn place(&self, sound: &QueryVector) -> Option<[[f32; 2]; 2]> {
        let around = sound.around();
        self.layout.as_ref()?.newcomer(&around[..around.len().min(NEAREST)])
    }
}

/// Is on the map before it is part of the layout: a take, from its start until the next layout.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Newcomer {
    /// Where it stands in cloud and grid, in map units; none while nothing is known of it.
    pub place: Option<[[f32; 2]; 2]>,
}

/// Where the sounds stood in the last layout, of this run of the program or of one before.
#[derive(Resource, Clone, Debug, Default)]
pub struct LastPositions(pub Arc<SavedPositions>);

/// What the vectors are needed for; each purpose includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Projection {
    /// What is wanted.
    pub demand: Demand,
    /// Up to this many sounds a question is answered by comparing with all of them at once; above it, a tree proposes.
    pub scan_at_once: usize,
    /// Whether the vectors of a former analysis are to be compared.
    former: bool,
    stale: bool,
    /// The weights that are wanted; of those that [share a space](Weights::share_space) any.
    weights: Weights,
    /// Their number, and that of the weights in the last job.
    wanted: u64,
    handed: u64,
    building: bool,
    /// Sounds in the last job; `None` before the first.
    sounds: Option<usize>,
    /// The last job was no map although one is needed.
    unmapped: bool,
}

impl Projection {
    /// Tells whether what is wanted is up to date.
    pub fn is_idle(&self) -> bool {
        let current = !self.stale && !self.building && !self.is_reweighted() && !self.unmapped;
        current || self.demand == Demand::Keeping
    }

    /// Tells whether a space of so many sounds is due: at rest after any change, while sounds are `coming` for the first
    /// ones, at a hundred, and when they have doubled.
    fn is_due(&self, sounds: usize, coming: bool) -> bool {
        let enough = self.sounds.is_none_or(|last| sounds >= FIRST.max(2 * last));
        if coming { self.stale && enough } else { self.stale || self.unmapped }
    }

    fn is_reweighted(&self) -> bool {
        self.wanted != self.handed
    }
}

struct Job {
    /// What there is; `None` for the sounds of the last job under other weights.
    samples: Option<Vec<Embedded>>,
    statistics: Arc<Statistics>,
    /// Whether the vectors are those of a former analysis.
    former: bool,
    weights: Weights,
    scan_at_once: usize,
    lay_out: bool,
    /// From which the layout starts.
    spots: Arc<SavedPositions>,
    /// Groups are named by the paths below these.
    folders: Folders,
    serial: u64,
    /// Its number among the newcomers' jobs.
    number: u64,
}

struct Embedded {
    path: Arc<Path>,
    entity: Entity,
    hash: Option<ContentHash>,
    embedding: Embedding,
    descriptors: Option<Descriptors>,
}

/// What a layout has to know of a row besides its vector.
#[derive(Clone)]
struct Row {
    path: Arc<Path>,
    hash: Option<ContentHash>,
    described: bool,
}

enum Reply {
    Built {
        index: SpaceIndex,
        /// The number of the job.
        number: u64,
        /// Whether a layout of the same rows is to follow.
        more: bool,
    },
    LaidOut {
        index: SpaceIndex,
        /// What its layout leaves to the next.
        spots: Option<Arc<SavedPositions>>,
    },
    /// Nothing more comes of the job, for this reason.
    Failed(String),
}

#[derive(Resource)]
struct Projector {
    actor: Actor<Job, Reply>,
    /// The newest weights' number; the thread abandons a layout for an older one.
    newest: Arc<AtomicU64>,
}

/// What the thread keeps from one job to the next.
struct Drafts {
    newest: Arc<AtomicU64>,
    /// The last space and its rows.
    built: Option<Built>,
    /// How one is built.
    build: fn(Vec<Embedded>, &Job) -> Built,
}

type Built = (SpaceIndex, Arc<[Row]>);

/// Keeps [`SpaceIndex`] up to date, as far as [`Projection::demand`] says.
pub struct SpacePlugin;

impl Plugin for SpacePlugin {
    fn build(&self, app: &mut App) {
        let newest = Arc::new(AtomicU64::new(0));
        let mut drafts = Drafts { newest: newest.clone(), built: None, build };
        let body = move |inbox: crossbeam_channel::Receiver<Job>, outbox: Outbox<Reply>| {
            // A closed outbox ends the inbox too.
            inbox.into_iter().for_each(|job| drafts.project(job, &outbox));
        };
        let weights = Weights::usual(app.world().resource::<ActiveModel>().0.statistics.usual_weight());
        app.insert_resource(ActiveWeights(weights));
        let spawn = |wake: &Wake| Actor::spawn("space", 1, wake, body);
        let Some(actor) = start(app, "compare sounds and lay out the map", spawn) else { return };
        let reader = app.world_mut().get_resource_or_init::<Changes>().reader();
        app.insert_resource(Projector { actor, newest })
            .insert_resource(Followed(reader))
            .insert_resource(Projection { weights, scan_at_once: SCAN_AT_ONCE, ..default() })
            .init_resource::<LastPositions>()
            .init_resource::<Newcomers>()
            .add_systems(Update, collect_space.in_set(SoundkinSystems::Collect).before(CollectSystems::Answers))
            .add_observer(welcome)
            .add_systems(Update, (hear_newcomers, place_takes).chain().in_set(DeriveSystems::Ask))
            .add_systems(
                Update,
                (leave_former, follow_samples, dispatch_projection).chain().in_set(DispatchSystems::Space),
            );
    }
}

impl Drafts {
    /// Builds the space and then, where it is wanted, the layout. A panic in either is told, and the thread goes on.
    fn project(&mut self, mut job: Job, outbox: &Outbox<Reply>) {
        let failed = |what: &str, panic| Reply::Failed(format!("{what} ({panic}); restart Soundkin"));
        let samples = job.samples.take();
        let (index, rows) = match contained(|| self.space(samples, &job)) {
            Ok(built) => self.built.insert(built).clone(),
            Err(panic) => {
                // The app may have gone away, here and below: then nobody is left to tell.
                let _ = outbox.send(failed("cannot compare the newest sounds", panic));
                return;
            }
        };
        let sent = outbox.send(Reply::Built { index: index.clone(), number: job.number, more: job.lay_out });
        if sent.is_err() || !job.lay_out {
            return;
        }
        let lay_out = || {
            let paths: Vec<&Path> = rows.iter().map(|row| job.folders.relative(&row.path)).collect();
            let key =
                |row: &Row| Some(LayoutKey { hash: row.hash?.0, described: row.described, weight: job.weights.key() });
            let keys: Vec<Option<LayoutKey>> = rows.iter().map(key).collect();
            let stop = || outbox.is_closed() || self.newest.load(Ordering::Relaxed) != job.serial;
            let layout = Layout::build(&index.space, &paths, &job.spots.before(&keys), &stop)?;
            let spots = layout.spots(&keys, &job.spots);
            Some((Arc::new(layout), Arc::new(spots)))
        };
        let _ = outbox.send(match contained(lay_out) {
            Ok(laid_out) => {
                let (layout, spots) = laid_out.unzip();
                Reply::LaidOut { index: SpaceIndex { layout, ..index }, spots }
            }
            Err(panic) => failed("cannot lay out the map", panic),
        });
    }

    /// The space of these samples, or of the last ones under other weights.
    fn space(&self, samples: Option<Vec<Embedded>>, job: &Job) -> Built {
        match (samples, &self.built) {
            (None, Some((index, rows))) => {
                let space = Arc::new(index.space.reweighted(&job.weights));
                (SpaceIndex { space, layout: None, ..index.clone() }, rows.clone())
            }
            (samples, _) => (self.build)(samples.unwrap_or_default(), job),
        }
    }
}

fn build(mut samples: Vec<Embedded>, job: &Job) -> Built {
    // The ECS lists samples in no lasting order; by path the same sounds always give the same map.
    samples.sort_by(|a, b| a.path.cmp(&b.path));
    let heard: Vec<Heard> = samples.iter().map(|s| heard(&s.embedding, s.descriptors.as_ref())).collect();
    let space = Space::build_above(job.scan_at_once, &heard, &job.statistics, &job.weights);
    let entities: Vec<Entity> = samples.iter().map(|sample| sample.entity).collect();
    let rows = entities.iter().enumerate().map(|(row, entity)| (*entity, row)).collect();
    let index = SpaceIndex {
        space: Arc::new(space),
        entities: Arc::new(entities),
        rows: Arc::new(rows),
        layout: None,
        former: job.former,
    };
    let row = |sample: Embedded| Row { path: sample.path, hash: sample.hash, described: sample.descriptors.is_some() };
    (index, samples.into_iter().map(row).collect())
}

fn collect_space(
    mut projector: ResMut<Projector>,
    mut projection: ResMut<Projection>,
    mut newcomers: ResMut<Newcomers>,
    mut notices: MessageWriter<Notice>,
    mut commands: Commands,
) {
    for reply in projector.actor.replies() {
        match reply {
            Reply::Built { index, number, more } => {
                projection.building = more;
                newcomers.forget(number);
                commands.insert_resource(index);
            }
            Reply::LaidOut { index, spots } => {
                projection.building = false;
                newcomers.place_anew();
                commands.insert_resource(index);
                if let Some(spots) = spots {
                    commands.insert_resource(LastPositions(spots));
                }
            }
            Reply::Failed(reason) => {
                projection.building = false;
                tracing::error!("{reason}");
                notices.write(Notice::new(reason));
            }
        }
    }
}

/// Compares the vectors of a former analysis as long as one of them has no successor, from the start on; afterwards forgets
/// them, once nothing is answered from them any more.
fn leave_former(
    restored: Res<Restored>,
    index: Option<Res<SpaceIndex>>,
    former: Query<Entity, With<Former>>,
    waiting: Query<(), (With<Former>, Without<Embedding>, Without<Failed>, Without<Missing>)>,
    mut projection: ResMut<Projection>,
    mut spots: ResMut<LastPositions>,
    mut commands: Commands,
) {
    if !restored.0 {
        return;
    }
    let begins = projection.sounds.is_none();
    let wanted = !waiting.is_empty() && (projection.former || begins);
    if projection.former && !wanted {
        // Nothing is put off until there are twice as many.
        (projection.stale, projection.sounds) = (true, None);
        spots.0 = Arc::new(spots.0.outdated());
    }
    if projection.former != wanted {
        projection.former = wanted;
    }
    if !wanted && (projection.demand == Demand::Keeping || index.is_some_and(|index| !index.former)) {
        for sample in &former {
            commands.entity(sample).try_remove::<Former>();
        }
    }
}

/// Notes that the space is out of date, and who is newer than it.
fn follow_samples(
    followed: Res<Followed>,
    mut changes: ResMut<Changes>,
    restored: Res<Restored>,
    members: Query<(Has<Embedding>, Has<Former>), (Or<(With<Embedding>, With<Former>)>, Without<Recording>)>,
    growing: Query<(), With<Recording>>,
    samples: Query<(), With<Sample>>,
    mut projection: ResMut<Projection>,
    mut newcomers: ResMut<Newcomers>,
) {
    let former = projection.former;
    let is_member = |sample| members.get(sample).is_ok_and(|(new, old)| if former { old } else { new });
    let concerns = |change: &&Change| {
        if former {
            let counts = change.facts.has(&[Fact::Sample, Fact::Missing]);
            return counts && (is_member(change.sample) || !samples.contains(change.sample));
        }
        // One that has no vector any more had one until now.
        let vector = change.facts.has(&[Fact::Embedding]) && !growing.contains(change.sample);
        let member = change.facts.has(&[Fact::Sample, Fact::Descriptors, Fact::Missing]);
        vector || (member && is_member(change.sample))
    };
    for change in changes.read(followed.0).iter().filter(concerns) {
        projection.stale = true;
        // The first space has everything that was restored.
        if restored.0 && projection.demand != Demand::Keeping {
            newcomers.note(change.sample);
        }
    }
}

fn welcome(begun: On<Add, Recording>, mut commands: Commands) {
    if let Ok(mut take) = commands.get_entity(begun.entity) {
        take.try_insert(Newcomer::default());
    }
}

/// Hears some of those that came since the space was built, and places them among their nearest.
fn hear_newcomers(
    index: Option<Res<SpaceIndex>>,
    mut newcomers: ResMut<Newcomers>,
    members: Query<Compared, (Without<Transient>, Without<Recording>, Without<Missing>)>,
    mut last: Local<Option<Instant>>,
) {
    let began = Instant::now();
    let since = last.replace(began).map_or(Duration::ZERO, |last| began - last);
    let Some(index) = index else { return };
    while began.elapsed() < (since / HEARING).clamp(HEARD[0], HEARD[1]) {
        let Some((sample, mut newer)) = newcomers.bypass_change_detection().next() else { return };
        let hear = |(embedding, descriptors)| Arc::new(index.guest(embedding, descriptors));
        let member = members.get(sample).ok().and_then(|member| compared(index.former, member));
        let vector = member.map(|member| newer.vector.take().unwrap_or_else(|| hear(member)));
        let place = vector.as_ref().and_then(|vector| index.place(vector));
        newer.vector = vector;
        newcomers.set(sample, newer, place);
    }
}

/// Places takes among their nearest whenever they sound different, without moving anything else.
fn place_takes(
    index: Option<Res<SpaceIndex>>,
    newcomers: Res<Newcomers>,
    mut takes: Query<(Entity, Ref<Embedding>, Option<&Descriptors>, &mut Newcomer, Has<Recording>)>,
    silent: Query<Entity, (With<Newcomer>, With<Failed>)>,
    mut commands: Commands,
) {
    // A take has no former vector.
    let Some(index) = index.filter(|index| index.layout.is_some() && !index.former) else { return };
    // A take that turned out to be silent has no place.
    for take in &silent {
        commands.entity(take).try_remove::<Newcomer>();
    }
    for (entity, embedding, descriptors, mut take, recording) in &mut takes {
        if !recording && (index.rows.contains_key(&entity) || newcomers.places().contains_key(&entity)) {
            // It is on the map as any other sample now.
            commands.entity(entity).try_remove::<Newcomer>();
        } else if embedding.is_changed() || index.is_changed() {
            let place = index.place(&index.guest(&embedding, descriptors));
            take.set_if_neq(Newcomer { place });
        }
    }
}

/// May be a row of the space.
type Members = (Without<Transient>, Without<Recording>, Without<Missing>);

fn dispatch_projection(
    projector: Res<Projector>,
    mut projection: ResMut<Projection>,
    weights: Res<ActiveWeights>,
    model: Res<ActiveModel>,
    analysis: Res<Analysis>,
    restored: Res<Restored>,
    samples: Query<(Entity, &Sample, Option<&ContentHash>, Compared), Members>,
    embedded: Query<(), (With<Embedding>, Members)>,
    former: Query<(), (With<Former>, Members)>,
    spots: Res<LastPositions>,
    folders: Res<Folders>,
    mut newcomers: ResMut<Newcomers>,
    mut statistics: Local<Option<Arc<Statistics>>>,
) {
    if projection.demand == Demand::Keeping {
        return;
    }
    let statistics = statistics.get_or_insert_with(|| Arc::new(model.0.statistics.clone()));
    if !projection.weights.share_space(&weights) {
        projection.weights = **weights;
        projection.wanted += 1;
        projector.newest.store(projection.wanted, Ordering::Relaxed);
    }
    let coming = analysis.in_flight > 0;
    let sounds = if projection.former { former.iter().len() } else { embedded.iter().len() };
    let due = projection.is_due(sounds, coming);
    if projection.sounds.is_none() && !due {
        // The first job will have the right weights.
        projection.handed = projection.wanted;
    }
    if projection.building || !restored.0 || !(due || projection.is_reweighted()) {
        return;
    }
    let samples = samples.iter().filter_map(|(entity, sample, hash, vectors)| {
        let (embedding, descriptors) = compared(projection.former, vectors)?;
        let (path, hash) = (sample.path.clone(), hash.copied());
        Some(Embedded { path, entity, hash, embedding: embedding.clone(), descriptors: descriptors.cloned() })
    });
    let number = if due { newcomers.next_job() } else { newcomers.job() };
    let mapped = if due { sounds } else { projection.sounds.unwrap_or(0) };
    // A map of fewer would say little, and the next is near.
    let lay_out = projection.demand == Demand::Mapping && (!coming || mapped >= FIRST);
    let job = Job {
        samples: due.then(|| samples.collect()),
        statistics: if projection.former { Arc::new(statistics.without_head()) } else { statistics.clone() },
        former: projection.former,
        weights: projection.weights,
        scan_at_once: projection.scan_at_once,
        lay_out,
        spots: spots.0.clone(),
        folders: folders.clone(),
        serial: projection.wanted,
        number,
    };
    if projector.actor.try_send(job).is_ok() {
        projection.stale &= !due;
        projection.handed = projection.wanted;
        projection.building = true;
        projection.sounds = Some(mapped);
        projection.unmapped = projection.demand == Demand::Mapping && !lay_out;
    }
}

#[cfg(test)]
mod tests {
    use similarity::layout::SavedPosition;

    use super::*;
    use crate::library::{FailureKind, Stage};

    fn job(sounds: u32) -> Job {
        let sound = |n: u32| Embedded {
            path: Path::new(&format!("/{n}.wav")).into(),
            entity: Entity::from_raw_u32(n).unwrap(),
            hash: None,
            embedding: Embedding {
                vector: (0..32_u32).map(|i| half::f16::from_f32((i * (n + 3) % 7) as f32 - 2.5)).collect(),
                windows: None,
                head: Arc::default(),
            },
            descriptors: None,
        };
        Job {
            samples: Some((1..=sounds).map(sound).collect()),
            statistics: Arc::default(),
            former: false,
            weights: Weights::usual(0.0),
            scan_at_once: SCAN_AT_ONCE,
            lay_out: true,
            folders: Folders::default(),
            spots: Arc::default(),
            serial: 0,
            number: 1,
        }
    }

    #[test]
    fn a_panic_while_a_space_is_built_is_told_and_the_next_one_is_built() {
        let broken = |samples: Vec<Embedded>, job: &Job| {
            assert!(samples.len() != 3, "three are too many");
            build(samples, job)
        };
        let mut drafts = Drafts { newest: Arc::default(), built: None, build: broken };
        let wake = Wake::default();
        let body = move |inbox: crossbeam_channel::Receiver<Job>, outbox: Outbox<Reply>| {
            inbox.into_iter().for_each(|job| drafts.project(job, &outbox));
        };
        let mut actor = Actor::spawn("test", 4, &wake, body).unwrap();
        assert!([3, 5].into_iter().all(|sounds| actor.try_send(job(sounds)).is_ok()));
        let mut told = Vec::new();
        while told.len() < 3 {
            wake.wait(std::time::Duration::from_secs(30));
            let before = told.len();
            told.extend(actor.replies().into_iter().map(|reply| match reply {
                Reply::Built { index, more, .. } => format!("built {} {more}", index.rows.len()),
                Reply::LaidOut { index, .. } => format!("laid out {}", index.layout.is_some()),
                Reply::Failed(reason) => reason,
            }));
            assert!(told.len() > before, "{told:?}");
        }
        let failed = "cannot compare the newest sounds (three are too many); restart Soundkin";
        assert_eq!(told, [failed, "built 5 true", "laid out true"]);
    }

    #[test]
    fn while_sounds_come_a_space_follows_the_first_at_a_hundred_and_at_each_doubling() {
        let mut projection = Projection { stale: true, ..default() };
        let due: Vec<usize> = (1..1000)
            .filter(|sounds| {
                let due = projection.is_due(*sounds, true);
                projection.sounds = if due { Some(*sounds) } else { projection.sounds };
                due
            })
            .collect();
        assert_eq!(due, [1, 100, 200, 400, 800]);
        assert!(projection.is_due(999, false), "at rest");
        projection.stale = false;
        assert!(!projection.is_due(5000, true) && !projection.is_due(999, false));
        projection.unmapped = true;
        assert!(projection.is_due(999, false), "the map was put off until all are there");
        // A library that was restored is not built anew for every sound that comes.
        projection = Projection { stale: true, sounds: Some(16_000), ..default() };
        assert!(!projection.is_due(16_500, true) && projection.is_due(32_000, true));
    }

    #[test]
    fn former_vectors_are_compared_while_one_of_those_there_waits_and_never_again() {
        let mut world = World::new();
        let spot =
            SavedPosition { key: LayoutKey { hash: [1; 32], described: true, weight: 0.7 }, at: [0.5, 0.25], group: 3 };
        world.insert_resource(Restored(true));
        world.insert_resource(LastPositions(Arc::new(SavedPositions(vec![spot]))));
        world.init_resource::<Projection>();
        let embedding = Embedding { vector: Arc::default(), windows: None, head: Arc::default() };
        let former = Former { embedding: embedding.clone(), descriptors: None };
        let [analysed, failed, away] = [(); 3].map(|()| world.spawn(former.clone()).id());
        world.entity_mut(away).insert(Missing);
        let index = |former| SpaceIndex {
            space: Arc::new(Space::build(&[], &Arc::default(), &Weights::default())),
            entities: Arc::default(),
            rows: Arc::default(),
            layout: None,
            former,
        };
        let look = |world: &mut World| {
            world.run_system_cached(leave_former).unwrap();
            world.flush();
            let left = world.query_filtered::<(), With<Former>>().iter(world).count();
            (world.resource::<Projection>().former, left)
        };
        assert_eq!(look(&mut world), (true, 3));
        world.resource_mut::<Projection>().sounds = Some(2);
        world.insert_resource(index(true));
        world.entity_mut(analysed).insert(embedding.clone());
        assert_eq!(look(&mut world), (true, 3), "one waits");
        assert_eq!(world.resource::<LastPositions>().0.0, [spot]);
        let kind = FailureKind::Undefined;
        world.entity_mut(failed).insert(Failed { stage: Stage::Embed, kind, detail: String::new() });
        assert_eq!(look(&mut world), (false, 3), "the one that is away does not count");
        assert!(world.resource::<Projection>().stale);
        let outdated = world.resource::<LastPositions>().0.0[0];
        assert!(outdated.key.weight.is_nan(), "from there the next layout sets out");
        assert_eq!(SavedPosition { key: spot.key, ..outdated }, spot);
        // The one that is away comes back, and answers still come from the old space.
        world.resource_mut::<Projection>().sounds = Some(1);
        world.entity_mut(away).remove::<Missing>();
        assert_eq!(look(&mut world), (false, 3));
        world.insert_resource(index(false));
        assert_eq!(look(&mut world), (false, 0));
    }

    #[test]
    fn a_library_that_loses_all_its_former_vectors_is_not_held_up() {
        let mut world = World::new();
        world.insert_resource(Restored(true));
        world.init_resource::<LastPositions>();
        world.insert_resource(Projection { former: true, sounds: Some(5), ..default() });
        world.run_system_cached(leave_former).unwrap();
        assert!(!world.resource::<Projection>().former && world.resource::<Projection>().stale);
    }
}
