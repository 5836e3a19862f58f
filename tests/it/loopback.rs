//! A sound server of one's own, whose output is its input, and takes of what the app itself plays through it. Shared by
//! the tests and `benches/record.rs`.

#![expect(clippy::expect_used, reason = "a test or bench that cannot go on should stop")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use dsp::Seconds;
use model::Model;
use soundkin::analyse::waveform::Waveform;
use soundkin::analyse::{Analysis, FinishedTake};
use soundkin::audio::{Audition, AuditionSettings, Overruns, Playback};
use soundkin::library::{Embedding, FileStamp, Recording, Sample, SampleIndex};
use soundkin::neighbours::query::{Answers, Query, Subject, ask};
use soundkin::neighbours::{ActiveWeights, Demand, Newcomer, Projection};
use soundkin::record::{Keep, Level, Record, Recorder, RecordingSettings, TakeOptions};
use soundkin::store::Library;
use soundkin::watch::AddFolder;
use soundkin::{Assembly, add_recording, headless, is_idle, run_until};

/// Names the folder of a test that runs again inside a server's environment.
pub const INSIDE: &str = "SOUNDKIN_TEST_INSIDE";
const LIMIT: Option<Duration> = Some(Duration::from_mins(1));

/// `PulseAudio` with one sink that nobody hears and its monitor; it ends with this value.
pub struct Server {
    process: Child,
    root: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts one below a folder.
    pub fn start(root: &Path) -> Self {
        let run = root.join("run");
        std::fs::create_dir_all(&run).expect("a folder");
        std::fs::create_dir_all(root.join("config")).expect("a folder");
        #[cfg(unix)]
        std::fs::set_permissions(&run, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("permissions");
        let alsa = "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n";
        std::fs::write(root.join("alsa.conf"), alsa).expect("a file");
        let process = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--load=module-native-protocol-unix"])
            .arg("--load=module-null-sink sink_name=loop rate=48000")
            .env("XDG_RUNTIME_DIR", &run)
            .env("XDG_CONFIG_HOME", root.join("config"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`make test` installs pulseaudio");
        let server = Self { process, root: root.to_owned() };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !server.run(Command::new("pactl").arg("info")).output().is_ok_and(|output| output.status.success()) {
            assert!(Instant::now() < deadline, "the sound server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// Makes a program use it, with settings and recordings of its own.
    pub fn run<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let run = self.root.join("run");
        command
            .env("PULSE_SERVER", format!("unix:{}", run.join("pulse/native").display()))
            .env("XDG_RUNTIME_DIR", &run)
            .env("XDG_CONFIG_HOME", self.root.join("config"))
            .env("PULSE_SOURCE", "loop.monitor")
            .env("ALSA_CONFIG_PATH", self.root.join("alsa.conf"))
            .env(INSIDE, &self.root)
    }
}

/// What came of recording a sound.
pub struct Outcome {
    /// The take's nearest neighbour.
    pub nearest: Option<PathBuf>,
    /// From the sound to the take's first place on the map, and from the end to its final one.
    pub live: Option<Duration>,
    pub placed: Duration,
    /// Whether neighbours were shown and the waveform grew while it was recorded.
    pub neighbours: bool,
    pub frames: usize,
    pub overruns: Overruns,
}

/// The engine over a folder that has been indexed, with an armed recorder.
pub fn studio(root: &Path, folder: &Path) -> App {
    let model = Arc::new(Model::built_in().expect("the model"));
    let library = Library::open(&root.join("studio.db")).expect("a library");
    let mut app = headless(Assembly::new(Some(library), model));
    let settings = RecordingSettings { folder: root.join("takes"), ..RecordingSettings::default() };
    app.insert_resource(settings).insert_resource(AuditionSettings { volume_db: 0.0, ..AuditionSettings::default() });
    add_recording(&mut app);
    app.world_mut().resource_mut::<Projection>().demand = Demand::Mapping;
    app.world_mut().write_message(AddFolder { path: folder.to_owned(), follow: false });
    app.update();
    assert!(run_until(&mut app, Some(Duration::from_mins(2)), is_idle), "indexing did not end");
    app.world_mut().write_message(Record::Arm(true));
    until(&mut app, "the input", |world| world.resource::<Recorder>().input.is_some());
    // A sink that has never played sleeps for up to two seconds and swallows the beginning of what wakes it.
    let sample = app.world_mut().query_filtered::<Entity, With<Sample>>().iter(app.world()).next().expect("a sample");
    app.world_mut().write_message(Audition::Play { sample, from: Seconds(0.0), region: None });
    let loud = |world: &World| world.resource::<Level>().hold_db.iter().any(|db| *db > -50.0);
    until(&mut app, "the loop", |world| loud(world));
    until(&mut app, "silence", |world| world.resource::<Playback>().sample.is_none() && !loud(world));
    app
}

pub fn until(app: &mut App, what: &str, done: impl FnMut(&mut World) -> bool) {
    let reached = run_until(app, LIMIT, done);
    assert!(reached, "waited too long: {what}; {:?}", app.world().resource::<Recorder>());
}

/// Plays a sound of the library while it is recorded.
pub fn record_while_playing(app: &mut App, folder: &Path, sound: &Path) -> Outcome {
    let sample = app.world().resource::<SampleIndex>().at(sound).expect("a sample");
    let options = TakeOptions {
        keep: Keep::Recordings,
        threshold_db: Some(-50.0),
        pre_roll: Seconds(0.1),
        ..TakeOptions::default()
    };
    let analysed = app.world().resource::<Analysis>().recorded;
    app.world_mut().write_message(Record::Start(options));
    app.update();
    app.world_mut().write_message(Audition::Play { sample, from: Seconds(0.0), region: None });
    until(app, "a take", |world| world.resource::<Recorder>().take.is_some());
    let (began, take) = (Instant::now(), app.world().resource::<Recorder>().take.expect("a take"));
    let (mut live, mut neighbours) = (None, false);
    until(app, "the sound's end", |world| {
        let place = world.get::<Newcomer>(take).and_then(|newcomer| newcomer.place);
        live = live.or_else(|| place.map(|_| began.elapsed()));
        let answered = world.resource::<Answers>().take.as_ref().filter(|asked| asked.query.single() == Some(take));
        neighbours |= answered.is_some_and(|asked| !asked.neighbours().is_empty());
        world.resource::<Playback>().sample.is_none() && neighbours && live.is_some()
    });
    let overruns = app.world().resource::<Recorder>().overruns;
    app.world_mut().write_message(Record::Stop);
    let stopped = Instant::now();
    let frames = app.world().get::<Waveform>(take).map_or(0, |wave| wave.pyramid.frames());
    until(app, "the final place", |world| {
        let done = world.resource::<Analysis>().recorded > analysed && world.get::<Embedding>(take).is_some();
        done && world.get::<Newcomer>(take).is_none_or(|newcomer| newcomer.place.is_some())
    });
    let placed = stopped.elapsed();
    let world = app.world_mut();
    assert!(world.get::<FileStamp>(take).is_some() && world.get::<Recording>(take).is_none());
    assert!(world.get::<FinishedTake>(take).is_none());
    let mut samples = world.query::<(Entity, &Sample)>();
    let inside = samples.iter(world).filter(|(_, sample)| sample.path.starts_with(folder)).map(|(entity, _)| entity);
    let query = Query {
        like: vec![Subject::Take(take)],
        within: Some(Arc::new(inside.collect())),
        weights: world.resource::<ActiveWeights>().0,
        k: 1,
        ..Query::default()
    };
    let found = ask(world, &Arc::new(query)).ok().and_then(|answer| answer.neighbours.first().map(|n| n.entity));
    let nearest = found.and_then(|found| Some(world.get::<Sample>(found)?.path.to_path_buf()));
    Outcome { nearest, live, placed, neighbours, frames, overruns }
}
