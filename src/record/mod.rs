//! Recording: a take is a sample from its first moment.
//!
//! The plugin turns [`Record`] messages into jobs of the `recorder` thread (`take_writer`), which reads the input's ring,
//! writes the file and measures as it goes. What it replies becomes the take's entity: [`Sample`] with [`Recording`], a
//! growing [`Waveform`] and [`AudioInfo`], and every moment its [`LivePcm`] sound, which others embed and place. When it
//! ends it has its [`FileStamp`] and waits, as [`FinishedTake`](crate::analyse::FinishedTake), for its vector; nothing of it is decoded again.
//! Finished sounds are cut into slices and freed of silence (`slices`).

mod level;
mod settings;
mod slices;
mod take_writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bevy::prelude::*;
use crossbeam_channel::{Sender, bounded};
use dsp::pyramid::Pyramid;
use dsp::{Hz, Seconds, onset};

use crate::schedule::{CollectSystems, RespondSystems, SoundkinSystems};

pub use self::level::Level;
pub use self::settings::RecordingSettings;
pub use self::slices::{AcceptTrim, ProposeSlices, SaveSlices, Slices, SlicesSaved, Trim};
use self::take_writer::{Job, Place, Reply, Start};
use crate::actor::{Actor, start};
use crate::analyse::waveform::Waveform;
use crate::analyse::{AnalysisLength, LivePcm};
use crate::audio::{InputError, InputRequest, InputStream, OpenInput, Overruns};
use crate::library::{AudioInfo, FileStamp, Folders, Recording, Sample, SampleIndex, Transient, identity};
use crate::notice::Notice;
use crate::settings::Settings;
use crate::watch::AddFolder;
pub use file::wav_writer::Format;

/// Longest pre-roll.
pub const LONGEST: Seconds = Seconds(60.0);
/// Jobs that may wait at the actor.
const MAILBOX: usize = 16;

/// Asks the recorder for something.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Record {
    /// Keeps the input open between takes, for a level and a pre-roll, or closes it.
    Arm(bool),
    /// Begins a take; one that is under way ends.
    Start(TakeOptions),
    /// Ends the take, or no longer waits for one.
    Stop,
    /// Forgets that the input has clipped.
    Unclip,
}

/// How a take is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TakeOptions {
    /// What becomes of it.
    pub keep: Keep,
    /// How much before the start belongs to it, as far as the input was open then.
    pub pre_roll: Seconds,
    /// Level that starts it, in dBFS; at once without one.
    pub threshold_db: Option<f32>,
    /// How long after its start it ends by itself.
    pub seconds: Option<Seconds>,
}

/// What becomes of a take.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Keep {
    /// A file in the recordings folder, which is part of the library.
    #[default]
    Recordings,
    /// A file of this name, never over another one; a sample of the library if it lies in one of its folders.
    File(PathBuf),
    /// No file: only a question.
    Nothing,
}

/// A take that was recorded only to search with it: it has a sound and a vector like others, and no file, so that it is no
/// sample, and never listed, stored or part of the space.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct QuestionTake;

/// A take is over; its vector may still be on its way.
#[derive(Message, Clone, Debug)]
pub struct RecordingFinished {
    /// The take.
    pub entity: Entity,
    /// What was lost in it.
    pub overruns: Overruns,
    /// Why it ended, if nobody asked for it; also told as a [`Notice`].
    pub reason: Option<String>,
}

/// A take could not begin, or there was nothing in it; also told as a [`Notice`].
#[derive(Message, Clone, Debug)]
pub struct RecordingFailed(pub String);

/// What the recorder does.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Recorder {
    /// Whether it listens between takes.
    pub armed: bool,
    /// A take is wanted and has not begun: the input is being opened, or is not loud enough yet.
    pub waiting: bool,
    /// The take that is under way.
    pub take: Option<Entity>,
    /// It has been asked to end, which takes until the last of it is written.
    pub ending: bool,
    /// The input that is open.
    pub input: Option<Input>,
    /// What it has lost since it was opened.
    pub overruns: Overruns,
}

/// An open input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Name of the device.
    pub name: String,
    /// Its rate.
    pub rate: Hz,
    /// Channels that are recorded.
    pub channels: usize,
}

/// The actor, and what is shared with it.
#[derive(Resource)]
struct RecorderThread {
    actor: Actor<Job, Reply>,
    inputs: Sender<Result<InputStream, InputError>>,
    /// The newest take's number, its entity, and what becomes of it.
    serial: u64,
    entity: Option<(u64, Entity)>,
    keep: Keep,
    /// The newest take that was only a question.
    question: Option<Entity>,
    /// The input was lost; the next take opens it again.
    lost: bool,
}

impl RecorderThread {
    fn of(&self, serial: u64) -> Option<Entity> {
        self.entity.filter(|(of, _)| *of == serial).map(|(_, entity)| entity)
    }
}

/// Records; goes after [`AudioPlugin`](crate::audio::AudioPlugin), which opens the inputs.
pub struct RecordPlugin;

impl Plugin for RecordPlugin {
    fn build(&self, app: &mut App) {
        let (inputs, opened) = bounded(4);
        let body = move |inbox, outbox| take_writer::serve(&inbox, outbox, &opened);
        let Some(actor) = start(app, "record", |wake| Actor::spawn("recorder", MAILBOX, wake, body)) else { return };
        app.insert_resource(RecorderThread {
            actor,
            inputs,
            serial: 0,
            entity: None,
            keep: Keep::Nothing,
            question: None,
            lost: false,
        });
        let known = app.world_mut().get_resource_mut::<Settings>().map(|mut settings| settings.get("recording"));
        if let Some(known) = known {
            app.insert_resource::<RecordingSettings>(known);
        }
        app.init_resource::<RecordingSettings>()
            .init_resource::<Recorder>()
            .init_resource::<Level>()
            .add_message::<Record>()
            .add_message::<OpenInput>()
            .add_message::<RecordingFinished>()
            .add_message::<RecordingFailed>()
            .add_systems(Update, collect_takes.in_set(CollectSystems::Takes))
            .add_systems(Update, (respond, listen).chain().in_set(RespondSystems::Record))
            .add_systems(Update, remember.in_set(SoundkinSystems::Derive));
        slices::build(app);
    }
}

fn collect_takes(
    mut thread: ResMut<RecorderThread>,
    mut recorder: ResMut<Recorder>,
    mut level: ResMut<Level>,
    folders: Res<Folders>,
    index: Res<SampleIndex>,
    mut waveforms: Query<&mut Waveform>,
    mut finished: MessageWriter<RecordingFinished>,
    mut failed: MessageWriter<RecordingFailed>,
    mut added: MessageWriter<AddFolder>,
    mut notices: MessageWriter<Notice>,
    mut commands: Commands,
) {
    let mut now = recorder.clone();
    // Waveforms begun in this frame are not components before the commands have been applied.
    let mut begun: Option<Waveform> = None;
    for reply in thread.actor.replies() {
        match reply {
            Reply::InputOpened(name, rate, channels) => {
                now.input = Some(Input { name, rate, channels });
            }
            Reply::InputClosed { lost, error } => {
                now.input = None;
                now.armed &= !lost;
                thread.lost |= lost;
                notices.write_batch(error.map(|error| Notice::new(error.to_string())));
            }
            Reply::Level(next, overruns) => {
                now.overruns = overruns;
                level.set_if_neq(next);
            }
            Reply::Started { serial, path, info } => {
                let folder = path.as_ref().and_then(|path| path.parent().map(Path::to_owned));
                let is_member = match (&thread.keep, &path) {
                    (Keep::Recordings, Some(path)) => {
                        if let Some(path) = folder.filter(|_| !folders.contain(path)) {
                            added.write(AddFolder { path, follow: true });
                        }
                        true
                    }
                    (Keep::File(_), Some(path)) => folders.contain(path),
                    _ => false,
                };
                begun = Some(Waveform::new(Pyramid::growing(info.channels as usize), info.rate));
                let entity = sample_of(path, is_member, &index, &mut commands);
                commands.entity(entity).try_insert((Recording, info));
                // Of the takes that were only queries, the last one is kept.
                let question = (thread.keep == Keep::Nothing).then_some(entity);
                if let Some(before) = std::mem::replace(&mut thread.question, question) {
                    commands.entity(before).try_despawn();
                }
                thread.entity = Some((serial, entity));
                (now.take, now.waiting) = (Some(entity), false);
            }
            Reply::Grew { serial, frames, info } => {
                let Some(entity) = thread.of(serial) else { continue };
                if let Ok(mut entity) = commands.get_entity(entity) {
                    entity.try_insert(info);
                }
                match (frames, &mut begun) {
                    (Some(frames), Some(wave)) => wave.add(&frames),
                    (Some(frames), None) => {
                        if let Ok(mut wave) = waveforms.get_mut(entity) {
                            wave.add(&frames);
                        }
                    }
                    (None, _) => {
                        begun = None;
                        commands.entity(entity).try_remove::<Waveform>();
                    }
                }
            }
            Reply::Live(serial, pcm) => {
                if let Some(Ok(mut entity)) = thread.of(serial).map(|entity| commands.get_entity(entity)) {
                    entity.try_insert(LivePcm(pcm));
                }
            }
            Reply::Finished(serial, end) => {
                let Some(entity) = thread.of(serial) else { continue };
                (now.take, now.ending) = (None, false);
                if let Some(wave) = begun.take() {
                    commands.entity(entity).try_insert(wave);
                }
                if let Some(reason) = &end.reason {
                    notices.write(Notice::new(reason));
                }
                // Of one that is only a question, its answer says so.
                if end.stamp.is_some() && end.take.is_some() && end.loud.is_none() {
                    notices.write(Notice::new("the take is silent; check the input, its channels and its level"));
                }
                settle(entity, *end, &mut finished, &mut commands);
            }
            Reply::Failed(serial, reason) => {
                (now.waiting, now.ending) = (false, false);
                if let Some(entity) = thread.of(serial) {
                    begun = None;
                    now.take = None;
                    commands.entity(entity).try_despawn();
                }
                if !reason.is_empty() {
                    notices.write(Notice::new(&reason));
                }
                failed.write(RecordingFailed(reason));
            }
            Reply::Notice(text) => {
                notices.write(Notice::new(text));
            }
        }
    }
    if let (Some(wave), Some((_, entity))) = (begun, thread.entity) {
        commands.entity(entity).try_insert(wave);
    }
    recorder.set_if_neq(now);
}

/// Makes the entity of a take that begins, which is a sample unless the take is only a question, or finds the sample that
/// has its path already.
fn sample_of(path: Option<Arc<Path>>, is_member: bool, index: &SampleIndex, commands: &mut Commands) -> Entity {
    let known = path.as_deref().and_then(|path| index.at(path));
    let mut sample = match (known, path) {
        // The watcher has listed it already, or there was another file of that name before.
        (Some(known), _) => commands.entity(known),
        (None, None) => commands.spawn(QuestionTake),
        (None, Some(path)) if is_member => commands.spawn(Sample { path }),
        // Inserted together: a sample that is not yet marked as a transient sample would be stored.
        (None, Some(path)) => commands.spawn((Sample { path }, Transient)),
    };
    if is_member {
        sample.try_remove::<Transient>();
    }
    identity::begin_anew(&mut sample);
    sample.id()
}

/// Turns a finished take into a sample like any other.
fn settle(
    entity: Entity,
    end: take_writer::Finished,
    finished: &mut MessageWriter<RecordingFinished>,
    commands: &mut Commands,
) {
    let mut take = commands.entity(entity);
    take.try_remove::<(Recording, LivePcm)>();
    if let Some(analysed) = end.take {
        let seconds = analysed.decoded.info.seconds();
        let cuts = Slices(onset::slices(&end.onsets, seconds));
        take.try_insert((analysed, end.stamp.unwrap_or(FileStamp { size: 0, modified: 0 })));
        // What has no file cannot be cut.
        if end.stamp.is_some() {
            take.try_insert(cuts);
            let loud = end.loud.filter(|loud| loud.start > 0.0 || loud.end < seconds.0);
            loud.map(|loud| take.try_insert(Trim(loud)));
        }
    } else {
        // The file could not be finished as it should, so it is analysed like any other file.
        take.try_remove::<(AudioInfo, crate::library::Embedding)>();
        end.stamp.map(|stamp| take.try_insert(stamp));
    }
    finished.write(RecordingFinished { entity, overruns: end.overruns, reason: end.reason });
}

fn respond(
    mut asked: MessageReader<Record>,
    mut thread: ResMut<RecorderThread>,
    mut recorder: ResMut<Recorder>,
    settings: Res<RecordingSettings>,
    kept: Option<Res<AnalysisLength>>,
) {
    if settings.is_changed() {
        let pre_roll = settings.pre_roll.max(Seconds(0.0)).min(LONGEST);
        thread.actor.queue(Job::Setup { channels: settings.channels.clone(), pre_roll });
    }
    for record in asked.read() {
        match record {
            Record::Arm(armed) => recorder.armed = *armed,
            Record::Start(options) => {
                thread.serial += 1;
                thread.keep = options.keep.clone();
                let place = match &options.keep {
                    Keep::Recordings => Some(Place::Recordings(settings.folder.clone())),
                    Keep::File(path) => Some(Place::File(path.clone())),
                    Keep::Nothing => None,
                };
                let start = Start {
                    serial: thread.serial,
                    place,
                    pre_roll: options.pre_roll.max(Seconds(0.0)).min(LONGEST),
                    threshold_db: options.threshold_db,
                    seconds: options.seconds,
                    keep: kept.as_ref().map_or(LONGEST, |kept| kept.0),
                    format: settings.format,
                };
                (recorder.waiting, recorder.ending) = (true, false);
                thread.actor.queue(Job::Start(Box::new(start)));
            }
            Record::Stop => {
                recorder.ending = recorder.take.is_some() || recorder.waiting;
                thread.actor.queue(Job::Stop);
            }
            Record::Unclip => thread.actor.queue(Job::Unclip),
        }
    }
}

/// Has the input opened when it is needed, and closed when it no longer is.
fn listen(
    mut thread: ResMut<RecorderThread>,
    recorder: Res<Recorder>,
    settings: Res<RecordingSettings>,
    mut opened: Local<Option<(String, usize)>>,
    mut requests: MessageWriter<OpenInput>,
) {
    let channels = settings.channels.iter().max().map_or(0, |channel| usize::from(*channel));
    let wanted =
        (recorder.armed || recorder.waiting || recorder.take.is_some()).then(|| (settings.device.clone(), channels));
    // A take under way keeps its input even if the settings change in the meantime; a lost input is opened again.
    let stays = opened.is_some() && wanted.is_some() && recorder.take.is_some();
    if (*opened != wanted && !stays) || (thread.lost && recorder.waiting) {
        let request =
            wanted.clone().map(|(device, channels)| InputRequest { device, channels, to: thread.inputs.clone() });
        // At once, so that no take begins on an input that is being closed.
        thread.actor.queue(Job::Leave);
        requests.write(OpenInput(request));
        thread.lost = false;
        *opened = wanted;
    }
}

fn remember(chosen: Res<RecordingSettings>, settings: Option<ResMut<Settings>>) {
    if let Some(mut settings) = settings.filter(|_| chosen.is_changed() && !chosen.is_added()) {
        settings.set("recording", &*chosen);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::library::ContentHash;
    use crate::store::Library;
    use crate::{Assembly, headless, is_idle, run_until};
    use model::Model;

    /// The engine with an armed recorder, and what its input, of one channel, is given.
    fn studio(library: Option<Library>) -> (App, impl FnMut(&[f32])) {
        let mut app = headless(Assembly { library, model: Arc::new(Model::built_in().unwrap()), workers: 1 });
        app.add_plugins(RecordPlugin).world_mut().write_message(Record::Arm(true));
        app.update();
        let requests = app.world().resource::<Messages<OpenInput>>();
        let request = requests.get_cursor().read(requests).find_map(|open| open.0.clone()).unwrap();
        let (feed, input) = InputStream::simulated(Hz(48_000), 1);
        request.to.send(Ok(input)).unwrap();
        until(&mut app, "the input", |world| world.resource::<Recorder>().input.is_some());
        (app, feed)
    }

    fn until(app: &mut App, what: &str, done: impl FnMut(&mut World) -> bool) {
        let limit = Some(Duration::from_secs(30));
        assert!(run_until(app, limit, done), "waited too long: {what}; {:?}", app.world().resource::<Recorder>());
    }

    fn start(app: &mut App, keep: Keep) {
        app.world_mut().write_message(Record::Start(TakeOptions { keep, ..TakeOptions::default() }));
        app.update();
    }

    fn begun(app: &mut App) -> Entity {
        until(app, "a take", |world| world.resource::<Recorder>().take.is_some());
        app.world().resource::<Recorder>().take.unwrap()
    }

    fn stop(app: &mut App) {
        app.world_mut().write_message(Record::Stop);
        app.update();
        let recorder = app.world().resource::<Recorder>();
        assert_eq!(recorder.ending, recorder.take.is_some(), "who asks twice can tell that it is under way");
        until(app, "its end", |world| world.resource::<Recorder>().take.is_none());
        assert!(!app.world().resource::<Recorder>().ending);
        until(app, "rest", is_idle);
    }

    #[test]
    fn questions_and_what_lies_outside_of_the_folders_are_not_stored() {
        let root = tempfile::tempdir().unwrap();
        let library = root.path().join("library.db");
        let (mut app, mut feed) = studio(Some(Library::open(&library).unwrap()));
        app.world_mut().resource_mut::<RecordingSettings>().slices = ".".into();
        let tone: Vec<f32> = (0..24_000).map(|n| (n as f32 * 0.05).sin()).collect();
        for keep in [Keep::Nothing, Keep::File(root.path().join("take.wav"))] {
            start(&mut app, keep);
            let sample = begun(&mut app);
            feed(&tone);
            stop(&mut app);
            app.world_mut().write_message(SaveSlices { sample, slices: vec![dsp::Span::new(0.1, 0.2)] });
        }
        let slice = root.path().canonicalize().unwrap().join("take 01.wav");
        until(&mut app, "the slice", |world| world.resource::<SampleIndex>().at(&slice).is_some());
        until(&mut app, "rest", is_idle);
        drop(app);
        assert_eq!(Library::read(&library).unwrap().count().unwrap(), 0);
    }

    #[test]
    fn a_take_that_was_listed_before_it_is_known_is_that_sample() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().canonicalize().unwrap();
        let path = folder.join("take.wav");
        let (mut app, mut feed) = studio(None);
        app.world_mut().resource_mut::<Folders>().0.push(folder);
        start(&mut app, Keep::File(path.clone()));
        let deadline = Instant::now() + Duration::from_secs(30);
        while !path.exists() {
            assert!(Instant::now() < deadline, "no file");
            std::thread::sleep(Duration::from_millis(5));
        }
        // As a folder's listing finds it.
        let old = FileStamp { size: 1, modified: 1 };
        let sample = Sample { path: path.as_path().into() };
        let listed = app.world_mut().spawn((sample, old, ContentHash([1; 32]))).id();
        assert_eq!(begun(&mut app), listed);
        let take = app.world().entity(listed);
        assert!(take.contains::<Recording>() && take.contains::<AudioInfo>() && !take.contains::<Transient>());
        assert!(!take.contains::<FileStamp>() && !take.contains::<ContentHash>());
        feed(&vec![0.5; 4800]);
        stop(&mut app);
        let world = app.world_mut();
        assert_eq!(world.query::<&Sample>().iter(world).count(), 1);
        assert_eq!(world.get::<FileStamp>(listed), Some(&FileStamp::of(&path.metadata().unwrap())));
        assert_eq!(world.get::<AudioInfo>(listed).unwrap().frames, dsp::Frames(4800));
    }
}
