//! PCM → embedding: finds samples that have not been analysed, hands them to the workers, and turns the answers into
//! components.
//!
//! A worker takes one file through all its steps (hash, decode, measure, front end, network), so that the decoded
//! audio never waits in memory. Content that is known already is recognised by its hash and copied from the sample
//! that has it; nothing is decoded twice. A sample whose vector was made before there were descriptors keeps it, and is
//! only decoded for its descriptors. What people look at comes first ([`priorities`]).

pub mod decode;
pub mod priorities;
pub mod waveform;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use dsp::analysis::{Decoded, StreamAnalysis};
use dsp::descriptors::Describer;
use dsp::{Pcm, Seconds};
use file::DecodeError;
use file::source::Source;
use file::stream::Decoders;
use model::Model;
use model::session::{self, EmbedError, Embedder, Runtime};

use self::priorities::{First, Priorities};
use crate::actor::{Actor, Stop, Wake, contained, start};
use crate::library::identity::{self, ByContent, Duplicate, Sighting, Sightings};
use crate::library::{
    AudioInfo, ContentHash, Contents, Descriptors, Embedding, Failed, FailureKind, Features, FileStamp, Former,
    Missing, MoveCandidate, Recording, Restored, Sample, SampleIndex, Stage, Thumbnail, Transient, UnsavedSides,
    Vectors,
};
use crate::notice::Notice;
use crate::paths;
use crate::schedule::{CollectSystems, DispatchSystems};

/// The newest moments of a take, to be embedded while it goes on.
#[derive(Component, Clone, Debug)]
pub struct LivePcm(pub Pcm);

/// A finished take that was analysed while it was recorded, so that its file does not have to be decoded.
#[derive(Component, Debug)]
pub struct FinishedTake {
    /// What was gathered while it was recorded.
    pub decoded: Box<Decoded>,
    /// Hash of the file's bytes; none where no file was kept.
    pub hash: Option<ContentHash>,
}

/// How much of a sound the model wants to hear.
#[derive(Resource, Clone, Copy, Debug)]
pub struct AnalysisLength(pub Seconds);

/// Loads ONNX Runtime once for the whole process, from where this machine has it.
///
/// # Errors
/// It is not there or does not load.
pub fn runtime() -> Result<&'static Runtime, EmbedError> {
    session::runtime(paths::onnxruntime_library)
}

/// The model in use.
#[derive(Resource, Clone, Debug)]
pub struct ActiveModel(pub Arc<Model>);

/// What the workers have done since the start.
#[derive(Resource, Default, Clone, Debug)]
pub struct Analysis {
    /// Files at the workers now.
    pub in_flight: usize,
    /// Takes and moments of them among these, which the user waits for.
    pub takes: usize,
    /// Files decoded.
    pub decoded: usize,
    /// Takes that were analysed as they were recorded.
    pub recorded: usize,
    /// Files whose content was known already.
    pub recognised: usize,
    /// Files whose vector was there already, decoded for their descriptors.
    pub described: usize,
    /// Files that could not be read or decoded.
    pub undecodable: usize,
    /// Windows the network has seen.
    pub windows: usize,
    /// Time inside ONNX Runtime, summed over workers.
    pub session_time: Duration,
    /// Audio decoded.
    pub audio: Seconds,
    /// Whether the library's own samples are left as they are.
    pub transient_only: bool,
    /// Whether the user has paused it; transient samples are analysed all the same.
    pub paused: bool,
    /// Why sounds get no vectors at all, if so.
    pub blocked: Option<String>,
}

impl Analysis {
    /// Sounds that are done with, whatever came of them; what was restored is not among them.
    pub fn done(&self) -> usize {
        self.decoded + self.recorded + self.recognised + self.described + self.undecodable
    }
}

/// A worker has the file.
#[derive(Component)]
struct InFlight;

/// It has its vector, but its file cannot be described for now: a drive that is unplugged must not mark its samples as
/// failed. The next run tries again.
#[derive(Component, Clone, Copy, Debug)]
pub struct PassedOver;

/// A worker has the newest moment of the take.
#[derive(Component)]
struct Listening;

struct Job {
    entity: Entity,
    stamp: FileStamp,
    work: Work,
}

enum Work {
    /// A file.
    File {
        path: Arc<Path>,
        /// Where to look for another sample with the same content; `None` if no such sample could help.
        contents: Option<Contents>,
        /// Hash of its content before its stamp changed.
        before: Option<ContentHash>,
        /// It has its vector already and lacks nothing but descriptors.
        embedded: bool,
    },
    /// A take that has ended.
    Taken(Box<Decoded>, Option<ContentHash>),
    /// What a take sounds like now.
    Newest(Pcm),
}

struct Reply {
    entity: Entity,
    stamp: FileStamp,
    hash: Option<ContentHash>,
    /// Whether it was a take or a moment of one, which does not have to be decoded.
    recorded: bool,
    outcome: Outcome,
    session_time: Duration,
}

enum Outcome {
    /// The file is no longer the one that was listed.
    Changed(FileStamp),
    /// Its stamp has changed, but its content has not.
    Same,
    /// Other samples have the same content; the files at `gone` of some of them no longer exist.
    Known { hash: ContentHash, gone: Vec<Arc<Path>> },
    /// It is not there any more.
    Gone(Failed),
    /// It could not be read or decoded.
    Undecodable(Failed),
    /// It was decoded, or measured while it was recorded, and embedded if this machine can do so.
    Decoded(Box<Decoded>, Result<Vectors, EmbedError>),
    /// It was decoded for its descriptors only.
    Described(Descriptors),
    /// A moment of a take was embedded; a silent one was not.
    Newest(Option<Vectors>),
    /// The analysis was stopped before its end; nothing is known about the file.
    Stopped,
}

impl From<DecodeError> for Outcome {
    fn from(error: DecodeError) -> Self {
        let Some(failed) = Failed::of_decoding(&error) else { return Outcome::Stopped };
        match error {
            DecodeError::Read(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Outcome::Gone(failed)
            }
            _ => Outcome::Undecodable(failed),
        }
    }
}

/// The most files that wait at the workers.
const MAILBOX: usize = 1024;
/// Frames for which they have work, so that none of them has to wait for one.
const SUPPLY: f64 = 2.5;
/// The shortest time over which their pace is taken.
const PACE: Duration = Duration::from_millis(100);

/// The time between two frames while sounds are analysed and nothing else happens; whoever drives the app sets it.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameInterval(pub Duration);

impl Default for FrameInterval {
    fn default() -> Self {
        Self(Duration::from_millis(200))
    }
}

#[derive(Resource)]
struct AnalysisWorkers {
    actor: Actor<Job, Reply>,
    supply: Supply,
}

/// How many files the workers are given ahead: few, since what people look at next waits behind them, but enough for the
/// time between two frames.
#[derive(Clone, Copy, Debug)]
struct Supply {
    workers: usize,
    since: Instant,
    done: usize,
    files: usize,
}

impl Supply {
    fn new(workers: usize) -> Self {
        Self { workers, since: Instant::now(), done: 0, files: workers + 2 }
    }

    /// Learns that so many more were done by now, and how far apart frames are.
    fn learn(&mut self, done: usize, now: Instant, FrameInterval(interval): FrameInterval) {
        self.done += done;
        let passed = now.saturating_duration_since(self.since);
        if passed >= PACE {
            let pace = self.done as f64 / passed.as_secs_f64();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bounded count")]
            let files = (pace * SUPPLY * interval.as_secs_f64()).min(MAILBOX as f64) as usize;
            // A long file says little of the next.
            self.files = (self.workers + 2 + files).max(self.files / 2).min(MAILBOX);
            (self.since, self.done) = (now, 0);
        }
    }
}

/// Analyses samples with the model in use.
pub struct AnalysePlugin {
    /// The model.
    pub model: Arc<Model>,
    /// Number of workers.
    pub workers: usize,
    /// Leave the library's own samples as they are and analyse transient samples only.
    pub transient_only: bool,
}

impl Plugin for AnalysePlugin {
    fn build(&self, app: &mut App) {
        let model = self.model.clone();
        let decoders = Decoders::default();
        let make = move |stop| {
            let (model, decoders) = (model.clone(), decoders.clone());
            let mut worker = AnalysisWorker { model, stop, embedder: None, describer: None, decoders };
            move |job| worker.serve(job)
        };
        app.insert_resource(ActiveModel(self.model.clone()))
            .insert_resource(AnalysisLength(self.model.manifest.audio.max_seconds))
            .insert_resource(Analysis { transient_only: self.transient_only, ..default() })
            .init_resource::<Priorities>()
            .add_observer(forget_outdated)
            .add_observer(show_take);
        // The window draws what has been analysed at a pace of its own.
        let spawn = |wake: &Wake| Actor::pool("analyse", self.workers, MAILBOX, &wake.unhurried(), make);
        let Some(actor) = start(app, "analyse sounds", spawn) else { return };
        app.insert_resource(AnalysisWorkers { actor, supply: Supply::new(self.workers) })
            .init_resource::<FrameInterval>()
            .add_systems(Update, collect_analyses.in_set(CollectSystems::Analyses))
            .add_systems(Update, (dispatch_takes, dispatch_analyses).chain().in_set(DispatchSystems::Analyses));
    }
}

/// Shows of a take what was measured while it was recorded, before it has its vector.
fn show_take(finished: On<Insert, FinishedTake>, takes: Query<&FinishedTake>, mut commands: Commands) {
    if let Ok(take) = takes.get(finished.entity)
        && let Ok(mut sample) = commands.get_entity(finished.entity)
    {
        sample.try_insert(decode::measured(&take.decoded));
    }
}

/// What was known of a sample before its stamp changed: it is used again if the content is still the same, as after a
/// backup or a `touch`.
#[derive(Component)]
struct PreviousAnalysis {
    hash: ContentHash,
    known: Box<(AudioInfo, Thumbnail, Features, Embedding, Descriptors)>,
}

type WasKnown<'a> = (&'a ContentHash, &'a AudioInfo, &'a Thumbnail, &'a Features, &'a Embedding, &'a Descriptors);

fn forget_outdated(
    replaced: On<Discard, FileStamp>,
    known: Query<WasKnown, (Without<Transient>, Without<Recording>)>,
    mut commands: Commands,
) {
    let Ok(mut sample) = commands.get_entity(replaced.entity) else { return };
    if let Ok((hash, info, thumbnail, features, embedding, descriptors)) = known.get(replaced.entity) {
        let known = (info.clone(), thumbnail.clone(), *features, embedding.clone(), descriptors.clone());
        sample.try_insert(PreviousAnalysis { hash: *hash, known: Box::new(known) });
    }
    sample.try_remove::<(Embedding, Former, UnsavedSides, PassedOver)>();
}

/// Restores what was known before the stamp changed.
fn take_up(world: &mut World, entity: Entity) {
    let Ok(mut sample) = world.get_entity_mut(entity) else { return };
    if let Some(PreviousAnalysis { hash, known }) = sample.take::<PreviousAnalysis>() {
        sample.insert((hash, *known));
        world.resource_mut::<Analysis>().recognised += 1;
    }
}

type Known<'a> = (
    Option<(&'a AudioInfo, &'a Thumbnail, &'a Features)>,
    Option<&'a Embedding>,
    Option<&'a Descriptors>,
    Option<&'a Failed>,
);

/// What a sample could give to another one with the same content.
fn duplicate(
    (_, embedding, descriptors, failed): <Known<'_> as bevy::ecs::query::QueryData>::Item<'_, '_>,
) -> Duplicate {
    let analysed = embedding.is_some() || failed.is_some_and(Failed::is_of_content);
    Duplicate { analysed, described: descriptors.is_some() }
}

fn collect_analyses(
    mut workers: ResMut<AnalysisWorkers>,
    mut analysis: ResMut<Analysis>,
    interval: Res<FrameInterval>,
    mut sightings: ResMut<Sightings>,
    index: Res<SampleIndex>,
    stamps: Query<&FileStamp>,
    known: Query<Known>,
    embedded: Query<(), With<Embedding>>,
    former: Query<(), With<Former>>,
    recordings: Query<(), With<Recording>>,
    transients: Query<(), With<Transient>>,
    mut notices: MessageWriter<Notice>,
    mut commands: Commands,
) {
    let AnalysisWorkers { actor, supply } = &mut *workers;
    let mut collected = 0;
    for reply in actor.replies() {
        collected += 1;
        analysis.in_flight = analysis.in_flight.saturating_sub(1);
        analysis.takes = analysis.takes.saturating_sub(usize::from(reply.recorded));
        analysis.session_time += reply.session_time;
        let Ok(mut entity) = commands.get_entity(reply.entity) else { continue };
        if let Outcome::Newest(vectors) = reply.outcome {
            entity.try_remove::<Listening>();
            if let Some(vectors) = vectors.filter(|_| recordings.contains(reply.entity)) {
                entity.try_insert((vectors.descriptors, vectors.embedding));
            }
            continue;
        }
        entity.try_remove::<InFlight>();
        // The result is outdated if the file has changed in the meantime; it is analysed again.
        if stamps.get(reply.entity) != Ok(&reply.stamp) {
            continue;
        }
        if matches!(reply.outcome, Outcome::Known { .. } | Outcome::Decoded(..) | Outcome::Undecodable(..)) {
            entity.try_remove::<PreviousAnalysis>();
        }
        match reply.outcome {
            Outcome::Changed(stamp) => {
                sightings.report(Sighting::Looked { sample: reply.entity, known: reply.stamp, now: Some(stamp) });
            }
            Outcome::Same => {
                let sample = reply.entity;
                commands.queue(move |world: &mut World| take_up(world, sample));
            }
            Outcome::Known { hash, gone } => {
                // If no sample with this content can help after all, only the hash was computed in vain.
                entity.try_insert(hash);
                let duplicates = index.contents().samples(hash);
                let others = duplicates.iter().map(|(other, _)| *other).filter(|other| *other != reply.entity);
                let duplicates = others.filter_map(|other| Some((other, duplicate(known.get(other).ok()?))));
                let needs_all = embedded.contains(reply.entity) || transients.contains(reply.entity);
                let best = identity::best_duplicate(duplicates, needs_all).map(|duplicate| known.get(duplicate));
                let Some(Ok((measured, embedding, descriptors, failed))) = best else { continue };
                analysis.recognised += 1;
                // A copy of a file that cannot be decoded gets only the same failure.
                measured.map(|(info, thumbnail, f)| entity.try_insert((info.clone(), thumbnail.clone(), *f)));
                // A sample that was known before has not been moved here from elsewhere.
                if !embedded.contains(reply.entity) && !former.contains(reply.entity) {
                    entity.try_insert(MoveCandidate);
                }
                embedding.map(|e| entity.try_insert(e.clone()));
                descriptors.map(|d| entity.try_insert(d.clone()));
                failed.filter(|f| f.is_of_content()).map(|f| entity.try_insert(f.clone()));
                gone.iter().for_each(|path| sightings.report(Sighting::Gone(path.to_path_buf())));
            }
            Outcome::Gone(failed) | Outcome::Undecodable(failed) if embedded.contains(reply.entity) => {
                tracing::warn!("sound is compared without its descriptors: {failed}");
                entity.try_insert(PassedOver);
            }
            // A missing sample is found again when its folder is listed; a transient sample never is, so it fails instead.
            Outcome::Gone(_) if !transients.contains(reply.entity) => {
                sightings.report(Sighting::Looked { sample: reply.entity, known: reply.stamp, now: None });
            }
            Outcome::Gone(failed) => {
                entity.try_insert(failed);
            }
            Outcome::Undecodable(failed) => {
                analysis.undecodable += 1;
                reply.hash.filter(|_| failed.is_of_content()).map(|hash| entity.try_insert(hash));
                entity.try_insert(failed);
            }
            Outcome::Described(descriptors) => {
                analysis.described += 1;
                entity.try_insert(descriptors);
            }
            Outcome::Newest(_) | Outcome::Stopped => {}
            Outcome::Decoded(decoded, vectors) => {
                if reply.recorded {
                    analysis.recorded += 1;
                    // Vectors made during the recording are not the vector of the finished take.
                    entity.try_remove::<(Embedding, Descriptors)>();
                } else {
                    analysis.decoded += 1;
                    analysis.audio += decoded.info.seconds();
                }
                let measured = decode::measured(&decoded);
                // All at once; a take of which no file was kept has no hash.
                match (vectors, reply.hash) {
                    (Ok(vectors), hash) => {
                        analysis.windows += vectors.embedding.windows.as_ref().map_or(1, |w| w.spans.len());
                        match hash {
                            Some(hash) => entity.try_insert((hash, measured, vectors)),
                            None => entity.try_insert((measured, vectors)),
                        };
                    }
                    (Err(error), hash) => {
                        entity.try_insert(measured);
                        hash.map(|hash| entity.try_insert(hash));
                        match Failed::of_embedding(&error) {
                            Some(failed) => drop(entity.try_insert(failed)),
                            None => block(&mut analysis, &error, &mut notices),
                        }
                    }
                }
            }
        }
    }
    supply.learn(collected, Instant::now(), *interval);
}

/// Says once that this machine makes no vectors at all.
fn block(analysis: &mut Analysis, error: &EmbedError, notices: &mut MessageWriter<Notice>) {
    if analysis.blocked.is_none() {
        analysis.blocked = Some(error.to_string());
        notices.write(Notice::new(error.to_string()));
    }
}

/// Not with a worker, not failed, and not missing.
type Ready = (Without<InFlight>, Without<FinishedTake>, Without<Failed>, Without<Missing>);

/// Has its vector and may still get its descriptors.
pub type Undescribed = (With<Embedding>, Without<Descriptors>, Without<PassedOver>);

type Waiting<'a> = (
    Entity,
    &'a Sample,
    &'a FileStamp,
    Option<&'a ContentHash>,
    Option<&'a PreviousAnalysis>,
    Has<AudioInfo>,
    Has<Embedding>,
);

/// Hands over takes, finished and growing, before any file, because the user is waiting for them.
fn dispatch_takes(
    taken: Query<Entity, (With<FinishedTake>, With<FileStamp>)>,
    newest: Query<Entity, (With<LivePcm>, With<Recording>, Without<Listening>)>,
    mut commands: Commands,
) {
    for entity in taken.iter().chain(&newest) {
        commands.queue(move |world: &mut World| hand_over(world, entity));
    }
}

/// Moves a take's sound out of its component to a worker, if one has room for it.
fn hand_over(world: &mut World, entity: Entity) {
    if !world.resource::<AnalysisWorkers>().actor.has_room() {
        return;
    }
    let Ok(mut take) = world.get_entity_mut(entity) else { return };
    let is_file = |taken: &FinishedTake| taken.decoded.again.is_some() && taken.hash.is_some();
    if take.get::<FinishedTake>().is_some_and(is_file) {
        // Not all that the model hears could be kept before its peak was known, so its file is analysed like any other.
        take.remove::<(FinishedTake, Embedding, Descriptors)>();
        return;
    }
    let (stamp, work) =
        if let (Some(stamp), Some(taken)) = (take.get::<FileStamp>().copied(), take.take::<FinishedTake>()) {
            take.insert(InFlight);
            (stamp, Work::Taken(taken.decoded, taken.hash))
        } else if let Some(newest) = take.take::<LivePcm>() {
            take.insert(Listening);
            (FileStamp { size: 0, modified: 0 }, Work::Newest(newest.0))
        } else {
            return;
        };
    let sent = world.resource::<AnalysisWorkers>().actor.try_send(Job { entity, stamp, work });
    let Err(Job { work, .. }) = sent else {
        let mut analysis = world.resource_mut::<Analysis>();
        analysis.in_flight += 1;
        analysis.takes += 1;
        return;
    };
    // The workers are gone; the take must not be lost with them.
    if let (Ok(mut take), Work::Taken(decoded, hash)) = (world.get_entity_mut(entity), work) {
        take.remove::<InFlight>().insert(FinishedTake { decoded, hash });
    }
}

/// Hands over transient samples, then what people look at, then the rest.
fn dispatch_analyses(
    workers: Res<AnalysisWorkers>,
    mut analysis: ResMut<Analysis>,
    restored: Res<Restored>,
    priorities: Res<Priorities>,
    index: Res<SampleIndex>,
    transients: Query<Waiting, (With<Transient>, Without<Embedding>, Ready)>,
    members: Query<Waiting, (Without<Transient>, Without<Embedding>, Ready)>,
    undescribed: Query<Waiting, (Without<Transient>, Undescribed, Ready)>,
    known: Query<Known>,
    recordings: Query<(), With<Recording>>,
    mut first: Local<First>,
    mut commands: Commands,
) {
    let AnalysisWorkers { actor, supply } = &*workers;
    // A take that ends soon must not wait behind many files.
    let most = if recordings.is_empty() { supply.files } else { supply.workers + 2 };
    if analysis.in_flight >= most {
        return;
    }
    let blocked = analysis.blocked.is_some();
    // Results that arrive before everything is restored would be taken for restored data and not be stored.
    let rest = analysis.transient_only || analysis.paused || !restored.0;
    let first = if rest { Vec::new() } else { first.of(&priorities, &|sample| members.contains(sample)) };
    // A sample that can already be compared waits for those that cannot.
    let others = members.iter().chain(undescribed.iter()).filter(|(sample, ..)| !first.contains(sample));
    let members = first.iter().filter_map(|sample| members.get(*sample).ok()).chain(others);
    let members = members.take(if rest { 0 } else { usize::MAX });
    let waiting = transients.iter().map(|transient| (transient, true)).chain(members.map(|member| (member, false)));
    for ((entity, sample, stamp, hash, before, has_info, embedded), transient) in waiting {
        if blocked && has_info && !embedded {
            continue;
        }
        if analysis.in_flight >= most {
            return;
        }
        // Any duplicate with a vector shows where a new file came from; only a described one helps a sample that has a
        // vector already, or a transient sample, which is not described later.
        let is_duplicate = |duplicate| {
            duplicate != entity
                && known.get(duplicate).is_ok_and(|known| self::duplicate(known).helps(embedded || transient))
        };
        // If the hash is known, it is also known whether a duplicate helps.
        let may_be_known = hash.is_none_or(|hash| index.contents().find(*hash, is_duplicate).is_some());
        let contents = may_be_known.then(|| index.contents().clone());
        let before = before.map(|before| before.hash);
        let path = sample.path.clone();
        let work = Work::File { path, contents, before, embedded };
        if actor.try_send(Job { entity, stamp: *stamp, work }).is_err() {
            return;
        }
        analysis.in_flight += 1;
        commands.entity(entity).try_insert(InFlight);
    }
}

/// Tells whether no sample waits for analysis and none is being analysed.
pub fn is_idle(world: &mut World) -> bool {
    type Undone = (With<Sample>, Or<(Without<Embedding>, Undescribed)>, Ready);
    let analysis = world.resource::<Analysis>();
    let (transient_only, blocked) = (analysis.transient_only, analysis.blocked.is_some());
    if analysis.in_flight > 0 {
        return false;
    }
    if world.query_filtered::<(), Or<(With<Recording>, With<FinishedTake>)>>().iter(world).next().is_some() {
        return false;
    }
    let mut undone = world.query_filtered::<(Has<Transient>, Has<AudioInfo>, Has<Embedding>), Undone>();
    // Without a network, nothing follows after decoding; descriptors need no network.
    let waits = |transient, decoded, embedded| (transient || !transient_only) && (embedded || !(blocked && decoded));
    !undone.iter(world).any(|(transient, decoded, embedded)| waits(transient, decoded, embedded))
}

/// One worker's state.
struct AnalysisWorker {
    model: Arc<Model>,
    stop: Stop,
    /// Made with the first job, so that an app with nothing to analyse loads no model.
    embedder: Option<Embedder>,
    /// For sounds that have their vector already.
    describer: Option<Describer>,
    decoders: Decoders,
}

impl AnalysisWorker {
    fn serve(&mut self, job: Job) -> Reply {
        let mut hash = None;
        let recorded = matches!(job.work, Work::Taken(..) | Work::Newest(_));
        let outcome = match job.work {
            Work::File { path, contents, before, embedded } => {
                let duplicates = |hash| contents.map_or_else(Vec::new, |contents| contents.samples(hash));
                let duplicates =
                    |hash| duplicates(hash).into_iter().filter(|(duplicate, _)| *duplicate != job.entity).collect();
                self.analyse(&path, job.stamp, before, duplicates, embedded, &mut hash)
            }
            Work::Taken(decoded, of) => {
                hash = of;
                let vectors = self.embed_contained(&decoded);
                Outcome::Decoded(decoded, vectors)
            }
            Work::Newest(pcm) => {
                let mut analysis = StreamAnalysis::new(pcm.rate, 1, Seconds(f64::MAX));
                analysis.add(&pcm.mono);
                Outcome::Newest(self.embed_contained(&analysis.finish("")).ok())
            }
        };
        let session_time = self.embedder.as_mut().map(Embedder::take_session_time).unwrap_or_default();
        Reply { entity: job.entity, stamp: job.stamp, hash, recorded, outcome, session_time }
    }

    fn analyse(
        &mut self,
        path: &Path,
        stamp: FileStamp,
        before: Option<ContentHash>,
        duplicates: impl FnOnce(ContentHash) -> Vec<(Entity, Arc<Path>)>,
        embedded: bool,
        hash: &mut Option<ContentHash>,
    ) -> Outcome {
        let source = match Source::open(path, &|| self.stop.is_set()) {
            Ok(source) => source,
            Err(error) => return error.into(),
        };
        let found = FileStamp::of(&source.metadata);
        if found != stamp {
            return Outcome::Changed(found);
        }
        let content = ContentHash(source.hash);
        *hash = Some(content);
        let duplicates = duplicates(content);
        match identity::by_content(content, before, !duplicates.is_empty()) {
            ByContent::Same => return Outcome::Same,
            ByContent::Known => {
                // A renamed folder is never listed again under its old name, so nobody else would notice.
                let gone = duplicates.into_iter().map(|(_, path)| path).filter(|path| !path.exists()).collect();
                return Outcome::Known { hash: content, gone };
            }
            ByContent::New => {}
        }
        let keep = self.model.manifest.audio.max_seconds;
        let decoded = decode::decode(source, path, keep, &self.stop, &self.decoders);
        // A file that is still being written has another stamp by now; its analysis is discarded.
        if let Ok(metadata) = std::fs::metadata(path)
            && FileStamp::of(&metadata) != stamp
        {
            return Outcome::Changed(FileStamp::of(&metadata));
        }
        match decoded {
            Ok(decoded) if embedded => {
                let filter = self.model.manifest.audio.resampler;
                let undescribed = |kind, detail| Outcome::Undecodable(Failed { stage: Stage::Embed, kind, detail });
                let describer = self.describer.get_or_insert_with(|| Describer::new(filter));
                match contained(|| describer.describe(&decoded.pcm)) {
                    Ok(Some(values)) => Outcome::Described(Descriptors(Arc::new(values))),
                    Ok(None) => undescribed(FailureKind::SampleRate, decoded.pcm.rate.0.to_string()),
                    Err(panic) => undescribed(FailureKind::AnalysisPanic, panic),
                }
            }
            Ok(decoded) => {
                let mut decoded = Box::new(decoded);
                let vectors = self.embed_contained(&decoded);
                // The decoded audio never waits in memory.
                decoded.pcm.mono = Vec::new();
                Outcome::Decoded(decoded, vectors)
            }
            Err(error) => error.into(),
        }
    }

    fn embed_contained(&mut self, decoded: &Decoded) -> Result<Vectors, EmbedError> {
        contained(|| self.embed(decoded)).unwrap_or_else(|panic| {
            self.embedder = None;
            Err(EmbedError::Panicked(panic))
        })
    }

    fn embed(&mut self, decoded: &Decoded) -> Result<Vectors, EmbedError> {
        let embedder = match &mut self.embedder {
            Some(embedder) => embedder,
            None => self.embedder.insert(Embedder::new(&self.model, runtime()?)?),
        };
        Ok(Vectors::new(embedder.embed(&decoded.pcm)?, &self.model))
    }
}

#[cfg(test)]
mod tests {
    use bevy::ecs::schedule::SingleThreadedExecutor;

    use super::*;
    use crate::library::LibraryPlugin;
    use crate::notice::NoticePlugin;
    use crate::schedule::CollectSystems;

    /// Where nothing else is said, the order of systems follows from the order in which they were added.
    fn app() -> App {
        let mut app = App::new();
        app.edit_schedule(Update, |schedule| {
            schedule.set_executor(SingleThreadedExecutor::new());
        });
        crate::schedule::configure(&mut app);
        app.init_resource::<Wake>().add_plugins((NoticePlugin, LibraryPlugin));
        app.world_mut().resource_mut::<Restored>().0 = true;
        app
    }

    fn unknown_format() -> Failed {
        Failed { stage: Stage::Decode, kind: FailureKind::UnknownFormat, detail: String::new() }
    }

    /// Adds the plugin with a worker that answers every job with `outcome`.
    fn add_plugin(app: &mut App, outcome: fn(&Job) -> Outcome) {
        let model = Arc::new(Model::built_in().unwrap());
        app.add_plugins(AnalysePlugin { model, workers: 1, transient_only: false });
        let wake = app.world().resource::<Wake>().clone();
        let serve = move |job: Job| Reply {
            entity: job.entity,
            stamp: job.stamp,
            hash: None,
            recorded: false,
            outcome: outcome(&job),
            session_time: Duration::ZERO,
        };
        let actor = Actor::pool("test", 1, 8, &wake, move |_| serve).unwrap();
        app.insert_resource(AnalysisWorkers { actor, supply: Supply::new(1) }).init_resource::<FrameInterval>();
    }

    #[test]
    fn workers_are_given_what_they_do_between_frames_and_little_more() {
        let mut supply = Supply::new(2);
        let mut now = supply.since;
        assert_eq!(supply.files, 4);
        // Frames are 200 ms apart, and all that was given is done by then, up to 300 files a second.
        for _ in 0..8 {
            now += Duration::from_millis(200);
            supply.learn(supply.files.min(60), now, FrameInterval::default());
        }
        assert_eq!(supply.files, 4 + 150);
        // Frames that follow each other closely change nothing.
        for _ in 0..9 {
            now += Duration::from_millis(10);
            supply.learn(3, now, FrameInterval::default());
        }
        assert_eq!(supply.files, 4 + 150);
        // Long files: a click must not wait for many of them.
        for _ in 0..8 {
            now += Duration::from_secs(1);
            supply.learn(2, now, FrameInterval::default());
        }
        assert_eq!(supply.files, 5);
        // Where frames are far apart, they have work until the next.
        for _ in 0..8 {
            now += Duration::from_secs(2);
            supply.learn(supply.files.min(400), now, FrameInterval(Duration::from_secs(2)));
        }
        assert_eq!(supply.files, 4 + 1000);
    }

    #[test]
    fn a_reply_of_the_frame_in_which_the_file_changed_is_dropped() {
        let list_anew = |analysed: Query<Entity, With<Analysed>>, mut commands: Commands| {
            for entity in &analysed {
                commands.entity(entity).insert(FileStamp { size: 2, modified: 2 }).remove::<Analysed>();
            }
        };
        for listed_first in [true, false] {
            let mut app = app();
            let list_anew = list_anew.in_set(CollectSystems::Files);
            if listed_first {
                app.add_systems(Update, list_anew);
                add_plugin(&mut app, |_| Outcome::Undecodable(unknown_format()));
            } else {
                add_plugin(&mut app, |_| Outcome::Undecodable(unknown_format()));
                app.add_systems(Update, list_anew);
            }
            let sample = Sample { path: Path::new("/a.wav").into() };
            let entity = app.world_mut().spawn((sample, FileStamp { size: 1, modified: 1 })).id();
            app.update();
            let wake = app.world().resource::<Wake>().clone();
            let asked = std::time::Instant::now();
            wake.wait(Duration::from_secs(10));
            assert!(asked.elapsed() < Duration::from_secs(10), "no reply came");
            app.world_mut().entity_mut(entity).insert(Analysed);
            app.update();
            assert_eq!(app.world().get::<FileStamp>(entity), Some(&FileStamp { size: 2, modified: 2 }));
            assert_eq!(app.world().get::<Failed>(entity), None, "nothing is known of the new content");
        }
    }

    #[derive(Component)]
    struct Analysed;

    #[test]
    fn closing_the_app_does_not_wait_for_a_long_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hours.wav");
        // 16-bit stereo at 44.1 kHz, 2 GB of silence that need no disk; to hash and decode them takes many seconds.
        let size = 2_000_000_000_u32;
        let mut header = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0".to_vec();
        header[4..8].copy_from_slice(&(size + 36).to_le_bytes());
        header.extend([44_100, 176_400].into_iter().flat_map(u32::to_le_bytes));
        header.extend(b"\x04\0\x10\0data");
        header.extend(size.to_le_bytes());
        std::fs::write(&path, header).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(u64::from(size) + 44).unwrap();
        let mut app = app();
        let model = Arc::new(Model::built_in().unwrap());
        app.add_plugins(AnalysePlugin { model, workers: 1, transient_only: false });
        let stamp = FileStamp::of(&path.metadata().unwrap());
        app.world_mut().spawn((Sample { path: path.as_path().into() }, stamp));
        app.update();
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(app.world().resource::<Analysis>().in_flight, 1);
        let closed = std::time::Instant::now();
        drop(app);
        assert!(closed.elapsed() < Duration::from_secs(3), "{:?}", closed.elapsed());
    }

    /// Time in which 200 files are handed over and come back while 20,000 are known, those of the sizes that `size` gives.
    fn time_to_hand_over(size: fn(u64) -> u64) -> Duration {
        let mut app = app();
        add_plugin(&mut app, |_| Outcome::Undecodable(unknown_format()));
        let embedding = Embedding { vector: Arc::default(), windows: None, head: Arc::default() };
        for n in 0..20_200 {
            let sample = Sample { path: Path::new(&format!("/{n}.wav")).into() };
            let mut entity = app.world_mut().spawn((sample, FileStamp { size: size(n), modified: 1 }));
            if n < 20_000 {
                let mut hash = [0; 32];
                hash[..8].copy_from_slice(&n.to_le_bytes());
                let descriptors = Descriptors(Arc::new([0.0; dsp::descriptors::COUNT]));
                entity.insert((ContentHash(hash), embedding.clone(), descriptors));
            }
        }
        let wake = app.world().resource::<Wake>().clone();
        let started = std::time::Instant::now();
        while !is_idle(app.world_mut()) {
            assert!(started.elapsed() < Duration::from_mins(1), "they are not handed over");
            app.update();
            wake.wait(Duration::from_millis(5));
        }
        started.elapsed()
    }

    #[test]
    fn a_file_is_handed_over_as_fast_however_many_have_its_size() {
        // On a busy machine one of them may lose its processor; the best of several tries says what it takes.
        let (mut same, mut different) = (Duration::MAX, Duration::ZERO);
        for _ in 0..10 {
            same = same.min(time_to_hand_over(|_| 88_244));
            let once = time_to_hand_over(|n| n);
            different = if different.is_zero() { once } else { different.min(once) };
            if same < different * 8 {
                break;
            }
        }
        assert!(same < different * 8, "{same:?} with one size, {different:?} with different ones");
    }

    #[test]
    fn a_twin_that_cannot_help_costs_one_hash_and_no_vector() {
        let mut app = app();
        let serve = |job: &Job| match &job.work {
            Work::File { contents: Some(contents), .. } if !contents.samples(ContentHash([1; 32])).is_empty() => {
                Outcome::Known { hash: ContentHash([1; 32]), gone: Vec::new() }
            }
            _ => Outcome::Undecodable(unknown_format()),
        };
        add_plugin(&mut app, serve);
        let mut spawn = |path: &str| {
            let sample = Sample { path: Path::new(path).into() };
            app.world_mut().spawn((sample, FileStamp { size: 1, modified: 1 })).id()
        };
        let (duplicate, file) = (spawn("/duplicate.wav"), spawn("/file.wav"));
        // It is known, was never analysed and is not there now.
        app.world_mut().entity_mut(duplicate).insert((ContentHash([1; 32]), Missing));
        let wake = app.world().resource::<Wake>().clone();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !is_idle(app.world_mut()) {
            assert!(std::time::Instant::now() < deadline, "it is asked for again and again");
            app.update();
            wake.wait(Duration::from_millis(5));
        }
        assert_eq!(app.world().get::<Failed>(file), Some(&unknown_format()));
        assert_eq!(app.world().get::<ContentHash>(file), Some(&ContentHash([1; 32])));
    }

    #[test]
    fn a_take_of_which_not_all_could_be_kept_is_heard_again_from_its_file_if_it_has_one() {
        // The hum fills all the room before the sound begins, beside which it is silence.
        let mut analysis = StreamAnalysis::new(dsp::Hz(8000), 1, Seconds(0.01));
        let sound = [vec![0.000_3; 800], vec![0.5; 800]].concat();
        sound.chunks(100).for_each(|block| analysis.add(block));
        let decoded = Box::new(analysis.finish("pcm_f32le"));
        assert!(decoded.again.is_some() && decoded.pcm.mono.is_empty());
        for (hash, heard_again) in [(Some(ContentHash([1; 32])), true), (None, false)] {
            let mut app = app();
            add_plugin(&mut app, |job| match job.work {
                Work::File { .. } => Outcome::Undecodable(unknown_format()),
                _ => Outcome::Stopped,
            });
            let sample = Sample { path: Path::new("/take.wav").into() };
            let taken = FinishedTake { decoded: decoded.clone(), hash };
            let live = Embedding { vector: Arc::default(), windows: None, head: Arc::default() };
            let take = app.world_mut().spawn((sample, FileStamp { size: 1, modified: 1 }, live, taken)).id();
            let wake = app.world().resource::<Wake>().clone();
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            while app.world().get::<FinishedTake>(take).is_some() || app.world().resource::<Analysis>().in_flight > 0 {
                assert!(std::time::Instant::now() < deadline, "it waits for ever");
                app.update();
                wake.wait(Duration::from_millis(5));
            }
            assert_eq!(app.world().get::<Failed>(take).is_some(), heard_again, "{hash:?}");
        }
    }

    #[test]
    fn only_what_lies_in_the_bytes_is_a_failure_to_decode() {
        let outcome = |kind: ErrorKind| Outcome::from(DecodeError::Read(kind.into()));
        assert!(matches!(outcome(ErrorKind::NotFound), Outcome::Gone(_)));
        assert!(matches!(outcome(ErrorKind::NotADirectory), Outcome::Gone(_)));
        assert!(matches!(
            outcome(ErrorKind::PermissionDenied),
            Outcome::Undecodable(Failed { stage: Stage::Read, .. })
        ));
        assert!(matches!(Outcome::from(DecodeError::Empty), Outcome::Undecodable(Failed { stage: Stage::Decode, .. })));
    }
}
