//! Mirrors components to `SQLite` and restores them at the start. Nothing depends on it.
//!
//! One thread owns the only connection. It gathers what arrives within a quarter of a second into one transaction, so that
//! at most that much finished work is at risk, and says what has been committed: only then is a file *done*.

mod heads;
mod rows;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::ecs::entity::{EntityHashMap, EntityHashSet};
use bevy::prelude::*;
use crossbeam_channel::{Receiver, TryRecvError};
use model::Model;
use model::side::SideOutputs;
use rusqlite::Connection;
use similarity::layout::SavedPositions;

use self::heads::{Renewal, Renewed};
use self::rows::{ContentRow, Keys, Record, SampleRow};
use crate::actor::{Actor, Outbox, Wake, start};
use crate::analyse::{ActiveModel, Analysis};
use crate::library::changes::{Changes, Fact, Reader};
use crate::library::{
    AudioInfo, ContentHash, Descriptors, Embedding, Failed, Features, FileStamp, Folders, Former, Missing,
    MoveCandidate, Restored, Sample, SampleIndex, Tags, Thumbnail, Transient, UnsavedSides,
};
use crate::neighbours::{LastPositions, SpaceIndex};
use crate::notice::Notice;
use crate::schedule::{CollectSystems, DispatchSystems};
use crate::watch::Listing;

pub use self::schema::{Library, StoreError};

/// Finished work waits at most this long for its commit.
const BATCH_TIME: Duration = Duration::from_millis(250);
/// Samples restored together.
const BATCH: usize = 1000;
/// While sounds keep coming, the map is kept this often.
const KEEP_MAP: Duration = Duration::from_mins(1);
/// After a failed commit, the next is tried no sooner.
const RETRY: Duration = Duration::from_secs(2);

/// What a row of the library file says.
const SAVED: [Fact; 9] = [
    Fact::Sample,
    Fact::FileStamp,
    Fact::ContentHash,
    Fact::AudioInfo,
    Fact::Embedding,
    Fact::Descriptors,
    Fact::Failed,
    Fact::Missing,
    Fact::Tags,
];

/// A sample has been committed to the disk.
#[derive(Message, Clone, Copy, Debug)]
pub struct Stored {
    /// The sample.
    pub entity: Entity,
    /// Whether its analysis, or the reason why there is none, is part of it.
    pub done: bool,
}

/// State of the mirror.
#[derive(Resource, Default, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct StoreState {
    /// Samples whose newest state has not been handed to the thread.
    dirty: EntityHashSet,
    /// Handed over and not yet committed.
    under_way: usize,
    forgotten: Vec<Arc<Path>>,
    /// The folders as they are on the disk, or on their way there; `None` while that is not known.
    saved_folders: Option<Vec<PathBuf>>,
    folders_dirty: bool,
    /// The map as it is on the disk, or on its way there, and since when.
    saved_spots: Arc<SavedPositions>,
    spots_saved: Option<Instant>,
    flushed: bool,
    /// Heads are being computed anew.
    renewing: bool,
    /// There is something of former files of the model, to be dropped once it is not needed.
    former: bool,
    retry_at: Option<Instant>,
    /// Why the last commit failed; `None` after one that worked.
    pub failure: Option<String>,
}

impl StoreState {
    /// Tells whether everything is on the disk, and everything that follows from what is there has been made.
    pub fn is_idle(&self) -> bool {
        !self.renewing
            && self.dirty.is_empty()
            && self.under_way == 0
            && self.forgotten.is_empty()
            && !self.folders_dirty
    }
}

enum Job {
    /// Nothing more is coming for now: commit at once.
    Flush,
    Save(Entity, Box<Record>),
    Forget(Arc<Path>),
    Folders(Vec<PathBuf>),
    SavedPositions(Arc<SavedPositions>),
    /// Nothing is answered from former vectors any more.
    ForgetFormer,
}

enum Reply {
    /// The folders, before the samples in them.
    Folders(Vec<PathBuf>),
    Loaded(Vec<Record>),
    Restored {
        spots: SavedPositions,
        /// Whether heads are computed anew; they follow.
        renewing: bool,
        /// Whether there is something of former files of the model.
        former: bool,
    },
    Renewed(Renewal),
    Committed {
        jobs: usize,
        saved: Vec<Stored>,
        refused: Vec<String>,
        sides: Vec<(Entity, SideOutputs)>,
        heads: Vec<Renewed>,
    },
    Failed {
        jobs: usize,
        saved: Vec<Stored>,
        forgotten: Vec<Arc<Path>>,
        reason: String,
    },
}

#[derive(Resource)]
struct StoreActor(Actor<Job, Reply>);

/// How far the mirror has followed the samples.
#[derive(Resource)]
struct Followed(Reader);

/// Mirrors the library file given to it.
pub struct StorePlugin {
    library: std::sync::Mutex<Option<Library>>,
    writable: bool,
}

impl StorePlugin {
    /// Takes an open library; one opened for reading is restored and never written.
    pub fn new(library: Library) -> Self {
        let writable = library.is_writable();
        Self { library: std::sync::Mutex::new(Some(library)), writable }
    }
}

impl Plugin for StorePlugin {
    fn build(&self, app: &mut App) {
        let library = self.library.lock().ok().and_then(|mut library| library.take());
        let Some(library) = library else { return };
        // Without a model no vectors are read.
        let model = app.world().get_resource::<ActiveModel>().map(|model| model.0.clone());
        let writable = self.writable;
        let body = move |inbox, outbox| {
            LibraryWriter { library, model, number: None, formers: Vec::new() }.run(&inbox, &outbox, writable);
        };
        let spawn = |wake: &Wake| Actor::spawn("store", 256, wake, body);
        let Some(actor) = start(app, "open the library", spawn) else { return };
        app.insert_resource(StoreActor(actor))
            .init_resource::<StoreState>()
            .add_message::<Stored>()
            .add_systems(Update, collect_stored.in_set(CollectSystems::Store));
        if writable {
            let reader = app.world_mut().get_resource_or_init::<Changes>().reader();
            app.insert_resource(Followed(reader))
                .add_observer(forget)
                .add_systems(Update, hand_over.in_set(DispatchSystems::Store));
        }
    }
}

fn collect_stored(
    mut store: ResMut<StoreActor>,
    mut state: ResMut<StoreState>,
    mut folders: ResMut<Folders>,
    mut stored: MessageWriter<Stored>,
    mut notices: MessageWriter<Notice>,
    mut commands: Commands,
) {
    for reply in store.0.replies() {
        match reply {
            Reply::Loaded(records) => {
                commands.queue(|world: &mut World| world.resource_mut::<Changes>().set_restoring(true));
                for record in records {
                    spawn(record, &mut commands);
                }
                commands.queue(|world: &mut World| world.resource_mut::<Changes>().set_restoring(false));
            }
            Reply::Folders(known) => {
                let added = std::mem::replace(&mut folders.0, known.clone());
                state.saved_folders = Some(known);
                for folder in added {
                    if !folders.0.contains(&folder) {
                        folders.0.push(folder);
                    }
                }
            }
            Reply::Restored { spots, renewing, former } => {
                (state.renewing, state.former) = (renewing, former);
                state.saved_spots = Arc::new(spots);
                commands.insert_resource(LastPositions(state.saved_spots.clone()));
                // After the commands that spawn what was restored.
                commands.queue(|world: &mut World| world.resource_mut::<Restored>().0 = true);
            }
            Reply::Renewed(Renewal { heads, lost, .. }) => {
                state.renewing = false;
                commands.queue(move |world: &mut World| {
                    take_heads(world, heads);
                    lose(world, &lost);
                });
            }
            Reply::Committed { jobs, saved, refused, sides, heads } => {
                commands.queue(move |world: &mut World| {
                    take_heads(world, heads);
                    forget_sides(world, &sides);
                });
                state.under_way = state.under_way.saturating_sub(jobs);
                state.failure = None;
                notices.write_batch(refused.into_iter().map(Notice::new));
                stored.write_batch(saved);
            }
            Reply::Failed { jobs, saved, forgotten, reason } => {
                state.under_way = state.under_way.saturating_sub(jobs);
                state.dirty.extend(saved.iter().map(|stored| stored.entity));
                state.forgotten.extend(forgotten);
                state.saved_folders = None;
                state.saved_spots = Arc::default();
                state.retry_at = Some(Instant::now() + RETRY);
                if state.failure.as_ref() != Some(&reason) {
                    notices.write(Notice::new(&reason));
                    state.failure = Some(reason);
                }
            }
        }
    }
}

/// Gives sounds the heads that were made of what is kept; they are on the disk already.
fn take_heads(world: &mut World, heads: Vec<Renewed>) {
    world.resource_mut::<Changes>().set_restoring(true);
    for (hash, head) in heads {
        for (sample, _) in world.resource::<SampleIndex>().contents().samples(hash) {
            if let Ok(mut sample) = world.get_entity_mut(sample)
                && let Some(embedding) = sample.get::<Embedding>().filter(|embedding| embedding.head.is_empty())
            {
                let embedding = Embedding { head: head.clone(), ..embedding.clone() };
                sample.insert(embedding);
            }
        }
    }
    world.resource_mut::<Changes>().set_restoring(false);
}

/// Has sounds heard again of which too little was kept.
fn lose(world: &mut World, lost: &[ContentHash]) {
    for hash in lost {
        for (sample, _) in world.resource::<SampleIndex>().contents().samples(*hash) {
            if let Ok(mut sample) = world.get_entity_mut(sample) {
                sample.remove::<Embedding>();
            }
        }
    }
}

/// Frees the memory of side outputs that are on the disk now.
fn forget_sides(world: &mut World, saved: &[(Entity, SideOutputs)]) {
    for (sample, sides) in saved {
        if let Ok(mut sample) = world.get_entity_mut(*sample)
            && sample.get::<UnsavedSides>().is_some_and(|unsaved| unsaved.0 == *sides)
        {
            sample.remove::<UnsavedSides>();
        }
    }
}

fn spawn(record: Record, commands: &mut Commands) {
    let SampleRow { path, stamp, hash, missing, failed, tags } = record.sample;
    let mut entity = commands.spawn((Sample { path }, stamp));
    hash.map(|hash| entity.insert(hash));
    missing.then(|| entity.insert(Missing));
    failed.map(|failed| entity.insert(failed));
    if !tags.0.is_empty() {
        entity.insert(tags);
    }
    if let Some(content) = record.content {
        entity.insert((content.info, content.thumbnail, content.features));
        content.descriptors.map(|descriptors| entity.insert(descriptors));
    }
    record.embedding.map(|embedding| entity.insert(embedding));
    record.former.map(|former| entity.insert(former));
}

fn forget(discarded: On<Discard, Sample>, samples: Query<&Sample, Without<Transient>>, mut state: ResMut<StoreState>) {
    if let Ok(sample) = samples.get(discarded.entity) {
        state.dirty.remove(&discarded.entity);
        state.forgotten.push(sample.path.clone());
    }
}

type Everything<'a> = (
    &'a Sample,
    &'a FileStamp,
    Option<&'a ContentHash>,
    Has<Missing>,
    Option<&'a Failed>,
    Option<&'a Tags>,
    Option<(&'a AudioInfo, &'a Thumbnail, &'a Features, Option<&'a Descriptors>)>,
    Option<(&'a Embedding, Option<&'a UnsavedSides>)>,
);

fn hand_over(
    mut store: ResMut<StoreActor>,
    followed: Res<Followed>,
    mut state: ResMut<StoreState>,
    mut changes: ResMut<Changes>,
    folders: Res<Folders>,
    restored: Res<Restored>,
    analysis: Res<Analysis>,
    listing: Res<Listing>,
    spots: Option<Res<LastPositions>>,
    index: Option<Res<SpaceIndex>>,
    former: Query<(), With<Former>>,
    samples: Query<Everything, (Without<MoveCandidate>, Without<Transient>)>,
    alive: Query<(), (With<Sample>, Without<Transient>)>,
) {
    let changes = changes.read(followed.0);
    let unsaved = changes.iter().filter(|change| change.unsaved.has(&SAVED));
    state.dirty.extend(unsaved.map(|change| change.sample));
    state.folders_dirty = restored.0 && Some(&folders.0) != state.saved_folders.as_ref();
    if state.retry_at.is_some_and(|at| Instant::now() < at) {
        return;
    }
    state.retry_at = None;
    if state.folders_dirty && store.0.try_send(Job::Folders(folders.0.clone())).is_ok() {
        state.saved_folders = Some(folders.0.clone());
        state.folders_dirty = false;
        state.under_way += 1;
    }
    for path in std::mem::take(&mut state.forgotten) {
        store.0.queue(Job::Forget(path));
        state.under_way += 1;
    }
    let waiting: Vec<Entity> = state.dirty.iter().copied().collect();
    for entity in waiting {
        if !store.0.has_room() {
            return;
        }
        if !alive.contains(entity) {
            state.dirty.remove(&entity);
        }
        // A sample that may be a moved file waits until that is decided.
        if let Ok(everything) = samples.get(entity) {
            if store.0.try_send(Job::Save(entity, Box::new(record(everything)))).is_err() {
                return;
            }
            state.under_way += 1;
            state.dirty.remove(&entity);
            state.flushed = false;
        }
    }
    let at_rest = analysis.in_flight == 0 && listing.is_idle() && state.dirty.is_empty();
    // While the map is growing, it is stored only now and then.
    let due = at_rest || state.spots_saved.is_none_or(|at| at.elapsed() > KEEP_MAP);
    // A layout of former vectors is not one of these; there it stays as it was left.
    let due = due && former.is_empty() && index.is_none_or(|index| !index.former);
    if let Some(LastPositions(spots)) = spots.as_deref().filter(|_| due)
        && !Arc::ptr_eq(spots, &state.saved_spots)
    {
        if *spots == state.saved_spots {
            state.saved_spots = spots.clone();
        } else if store.0.try_send(Job::SavedPositions(spots.clone())).is_ok() {
            state.saved_spots = spots.clone();
            state.spots_saved = Some(Instant::now());
            state.under_way += 1;
            state.flushed = false;
        }
    }
    if at_rest && state.under_way == 0 && state.former && restored.0 && former.is_empty() {
        // What takes their place has been committed by now.
        if store.0.try_send(Job::ForgetFormer).is_ok() {
            state.under_way += 1;
            (state.former, state.flushed) = (false, false);
        }
    }
    // With the workers at rest nothing joins the batch, so waiting for more would only cost time.
    if at_rest && state.under_way > 0 && !state.flushed && store.0.try_send(Job::Flush).is_ok() {
        state.under_way += 1;
        state.flushed = true;
    }
}

fn record(
    (sample, stamp, hash, missing, failed, tags, content, embedding): <Everything<'_> as bevy::ecs::query::QueryData>::Item<'_, '_>,
) -> Record {
    Record {
        sample: SampleRow {
            path: sample.path.clone(),
            stamp: *stamp,
            hash: hash.copied(),
            missing,
            failed: failed.cloned(),
            tags: tags.cloned().unwrap_or_default(),
        },
        content: content.map(|(info, thumbnail, features, descriptors)| ContentRow {
            info: info.clone(),
            thumbnail: thumbnail.clone(),
            features: *features,
            descriptors: descriptors.cloned(),
        }),
        embedding: embedding.map(|(embedding, _)| embedding.clone()),
        former: None,
        sides: embedding.and_then(|(_, sides)| Some(sides?.0.clone())),
    }
}

/// What the store thread owns.
struct LibraryWriter {
    library: Library,
    model: Option<Arc<Model>>,
    /// The model's number in the library; none until something was made with it.
    number: Option<i64>,
    /// The numbers of former files of the same model.
    formers: Vec<i64>,
}

impl LibraryWriter {
    fn run(mut self, inbox: &Receiver<Job>, outbox: &Outbox<Reply>, writable: bool) {
        let mut renewal = match self.restore(outbox) {
            Ok(renewing) => renewing.then(Renewal::default),
            Err(error) => {
                if outbox.send(self.failed(error)).is_err() {
                    return;
                }
                None
            }
        };
        loop {
            // Heads are computed in what time is left.
            let first = match (&renewal, inbox.try_recv()) {
                (_, Ok(first)) => first,
                (_, Err(TryRecvError::Disconnected)) => return,
                (Some(_), Err(TryRecvError::Empty)) => {
                    renewal = renewal.and_then(|renewal| self.renew(renewal, outbox, writable));
                    continue;
                }
                (None, Err(TryRecvError::Empty)) => match inbox.recv() {
                    Ok(first) => first,
                    Err(_) => return,
                },
            };
            // Whatever the app handed over is stored, even if the app is gone by now.
            if writable {
                let _ = match self.commit(first, inbox) {
                    // Four times a second while sounds come: that alone is nothing to draw the window for.
                    (reply @ Reply::Committed { .. }, true) => outbox.send_unhurried(reply),
                    (reply, _) => outbox.send(reply),
                };
            }
        }
    }

    fn failed(&self, error: rusqlite::Error) -> Reply {
        let reason = schema::sqlite(error, &self.library.path).to_string();
        Reply::Failed { jobs: 0, saved: Vec::new(), forgotten: Vec::new(), reason }
    }

    /// Hands over what is known; tells whether heads have to be computed anew.
    fn restore(&mut self, outbox: &Outbox<Reply>) -> rusqlite::Result<bool> {
        let connection = &self.library.connection;
        let head = self.model.as_ref().and_then(|model| model.head_id.as_deref());
        let mut former = None;
        if let Some(model) = &self.model {
            self.number = rows::known_model_number(connection, &model.key)?;
            self.formers = rows::former_models(connection, &model.key)?;
            let dim = model.manifest.output.dim;
            former = rows::former_to_answer_from(connection, &self.formers, self.number, dim)?;
        }
        let keys = Keys { model: self.number, head, former };
        // If the app has closed, the next receive shows it.
        let _ = outbox.send(Reply::Folders(rows::load_folders(connection)?));
        let (mut batch, mut renewing) = (Vec::with_capacity(BATCH), false);
        rows::load(connection, keys, |record| {
            renewing |= head.is_some() && record.lacks_head();
            batch.push(record);
            batch.len() < BATCH || outbox.send(Reply::Loaded(std::mem::take(&mut batch))).is_ok()
        })?;
        let mut spots = rows::load_spots(connection, former.or(self.number))?;
        for former in &self.formers {
            if spots.0.is_empty() {
                spots = rows::load_spots(connection, Some(*former))?.outdated();
            }
        }
        let _ = outbox.send(Reply::Loaded(batch));
        let _ = outbox.send(Reply::Restored { spots, renewing, former: !self.formers.is_empty() });
        Ok(renewing)
    }

    /// Computes some heads anew; gives back what is not at its end.
    fn renew(&mut self, mut renewal: Renewal, outbox: &Outbox<Reply>, writable: bool) -> Option<Renewal> {
        let (Some(model), Some(number)) = (&self.model, self.number) else {
            let _ = outbox.send(Reply::Renewed(renewal));
            return None;
        };
        let connection = &mut self.library.connection;
        let ended = match renewal.step(connection, model, number) {
            Ok(true) => return Some(renewal),
            Ok(false) if writable => renewal.save(connection, model, number),
            ended => ended.map(drop),
        };
        if let Err(error) = ended {
            let _ = outbox.send(self.failed(error));
        }
        let _ = outbox.send(Reply::Renewed(renewal));
        None
    }

    /// Gathers jobs for a moment and commits them together; also tells whether more are to come.
    fn commit(&mut self, first: Job, inbox: &Receiver<Job>) -> (Reply, bool) {
        let deadline = Instant::now() + BATCH_TIME;
        let mut jobs = vec![first];
        let is_last = |jobs: &[Job]| matches!(jobs, [.., Job::Flush]);
        while !is_last(&jobs)
            && let Ok(job) = inbox.recv_deadline(deadline)
        {
            jobs.push(job);
        }
        let more = !is_last(&jobs);
        let written = self.write(&jobs);
        let count = jobs.len();
        let (mut saved, mut forgotten, mut sides) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Save(entity, record) => {
                    let done = record.embedding.is_some() || record.sample.failed.is_some();
                    saved.push(Stored { entity, done });
                    sides.extend(record.sides.map(|sides| (entity, sides)));
                }
                Job::Forget(path) => forgotten.push(path),
                Job::Folders(_) | Job::SavedPositions(_) | Job::ForgetFormer | Job::Flush => {}
            }
        }
        let reply = match written {
            Ok((refused, heads)) => {
                saved.retain(|stored| !refused.contains_key(&stored.entity));
                let refused = refused.into_iter().map(|(_, line)| line).collect();
                Reply::Committed { jobs: count, saved, refused, sides, heads }
            }
            Err(error) => {
                let reason = schema::sqlite(error, &self.library.path).to_string();
                Reply::Failed { jobs: count, saved, forgotten, reason }
            }
        };
        (reply, more)
    }

    /// Commits all jobs or none, except for samples that the tables refuse: those must not block the others.
    ///
    /// Returns the refused samples, each with a line for the user, and heads that could be made only now.
    fn write(&mut self, jobs: &[Job]) -> rusqlite::Result<(EntityHashMap<String>, Vec<Renewed>)> {
        let mut transaction = self.library.connection.transaction()?;
        let (mut refused, mut heads) = (EntityHashMap::default(), Vec::new());
        let key = self.model.as_ref().map_or("", |model| &model.key);
        let head = self.model.as_ref().and_then(|model| model.head_id.as_deref());
        let number = match self.number {
            Some(number) => number,
            None => rows::model_number(&transaction, key)?,
        };
        for job in jobs {
            match job {
                Job::Save(entity, record) => {
                    let step = transaction.savepoint()?;
                    match rows::save(&step, record, number, head) {
                        Ok(()) => {
                            heads.extend(late_head(&step, record, self.model.as_deref(), number)?);
                            step.commit()?;
                        }
                        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
                            let path = record.sample.path.display();
                            let line = format!("cannot store sample ({error}); convert the file: {path}");
                            refused.insert(*entity, line);
                        }
                        Err(error) => return Err(error),
                    }
                }
                Job::Forget(path) => rows::forget(&transaction, path)?,
                Job::Folders(folders) => rows::save_folders(&transaction, folders)?,
                Job::SavedPositions(spots) => rows::save_spots(&transaction, number, spots)?,
                Job::ForgetFormer => {
                    for former in &self.formers {
                        rows::forget_former(&transaction, *former, number)?;
                    }
                }
                Job::Flush => {}
            }
        }
        transaction.commit()?;
        self.number = Some(number);
        Ok((refused, heads))
    }
}

/// The head of a sound that was embedded before it was described.
fn late_head(
    connection: &Connection,
    record: &Record,
    model: Option<&Model>,
    number: i64,
) -> rusqlite::Result<Option<Renewed>> {
    match (model.filter(|model| model.head_id.is_some()), record.sample.hash) {
        (Some(model), Some(hash)) if record.lacks_head() => heads::of_content(connection, model, number, hash),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tables_refuse_takes_nothing_else_along() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::open(&folder.path().join("library.db")).unwrap();
        let mut writer = LibraryWriter { library, model: None, number: None, formers: Vec::new() };
        let mut world = World::new();
        let jobs: Vec<Job> = (1..4)
            .map(|n| {
                let mut record = rows::tests::full_record(&format!("/a/{n}.wav"), n);
                if n == 2
                    && let Some(content) = &mut record.content
                {
                    // SQLite takes it for NULL.
                    content.features.0.brightness_hz = f32::NAN;
                }
                Job::Save(world.spawn_empty().id(), Box::new(record))
            })
            .collect();
        let Job::Save(second, _) = jobs[1] else { unreachable!() };
        let (refused, _) = writer.write(&jobs).unwrap();
        assert_eq!(refused.keys().collect::<Vec<_>>(), [&second]);
        assert!(refused[&second].ends_with("/a/2.wav"), "{refused:?}");
        assert_eq!(writer.library.count().unwrap(), 2);
    }

    fn library_of(folder: &Path, paths: &[&str]) -> PathBuf {
        let path = folder.join("library.db");
        let library = Library::open(&path).unwrap();
        rows::save_folders(&library.connection, &[PathBuf::from("/a")]).unwrap();
        let model = rows::model_number(&library.connection, "m").unwrap();
        for sample in paths {
            // It is missing, so that nobody analyses it.
            rows::save(&library.connection, &rows::tests::full_record(sample, 2), model, None).unwrap();
        }
        path
    }

    #[test]
    fn folders_are_restored_before_the_samples_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::open(&library_of(folder.path(), &["/a/1.wav"])).unwrap();
        let body = move |_: Receiver<Job>, outbox| {
            let mut writer = LibraryWriter { library, model: None, number: None, formers: Vec::new() };
            writer.restore(&outbox).unwrap();
        };
        let mut actor = Actor::spawn("test", 1, &Wake::default(), body).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut order = Vec::new();
        while order.len() < 3 && Instant::now() < deadline {
            order.extend(actor.replies().into_iter().map(|reply| match reply {
                Reply::Folders(folders) => format!("folders {}", folders.len()),
                Reply::Loaded(records) => format!("samples {}", records.len()),
                Reply::Restored { .. } => "restored".to_owned(),
                Reply::Renewed(_) | Reply::Committed { .. } | Reply::Failed { .. } => "more".to_owned(),
            }));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(order, ["folders 1", "samples 1", "restored"]);
    }

    #[test]
    fn what_was_restored_is_not_stored_again_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::open(&library_of(folder.path(), &["/a/1.wav", "/a/2.wav"])).unwrap();
        let model = Arc::new(model::Model::built_in().unwrap());
        let mut app = crate::headless(crate::Assembly { library: Some(library), model, workers: 1 });
        let limit = Some(Duration::from_secs(30));
        let mut cursor = bevy::ecs::message::MessageCursor::<Stored>::default();
        let mut stored = Vec::new();
        let mut idle = |app: &mut App| {
            assert!(crate::run_until(app, limit, |world| {
                stored.extend(cursor.read(world.resource::<Messages<Stored>>()).map(|stored| stored.entity));
                crate::is_idle(world)
            }));
            std::mem::take(&mut stored)
        };
        assert!(idle(&mut app).is_empty());
        let world = app.world_mut();
        let samples: Vec<Entity> = world.query_filtered::<Entity, With<Sample>>().iter(world).collect();
        assert_eq!(samples.len(), 2);
        world.entity_mut(samples[0]).insert(Tags(vec!["wet".into()]));
        assert_eq!(idle(&mut app), [samples[0]]);
    }
}
