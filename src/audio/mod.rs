//! Sound devices: plays a sample at once through the default output, opens inputs for whoever records, lists devices.
//!
//! The plugin turns messages into jobs of the `audio` actor (`engine`), and what the actor replies into [`Playback`].
//! A file uses only files further left:
//!
//! ```text
//!  device          ◄─ capture ◄─ input  ◄─┬─ engine    ◄─┬─ mod
//!  reader, render  ◄─ player  ◄─ output ◄─┴─ simulated ◄─┘
//! ```
//!
//! To play, the engine reads a file (`reader`) and queues it (`player`); the thread of the device (`output`) mixes what
//! is queued (`render`). To record, the thread of the device (`input`) copies what it is given into a ring (`capture`),
//! which leads to whoever sent [`OpenInput`]. Without a device, a simulated one can take its place (`simulated`).

mod capture;
mod device;
mod engine;
mod input;
mod output;
mod player;
mod reader;
mod render;
mod simulated;

use std::sync::Arc;

use bevy::prelude::*;
use dsp::{Hz, Seconds, Span};

pub use self::capture::{InputStream, Overruns};
pub use self::device::{Devices, InputError, devices};
use self::engine::{Job, Reply, Wanted};
pub use self::input::{InputRequest, OpenInput};
use self::input::{Inputs, SystemInputs};
use self::output::{Outputs, SystemOutputs};
pub use self::player::{AuditionSettings, VOLUMES};
use self::player::{Cue, PlaybackPosition};
use self::render::Monitor;
use self::simulated::Simulated;
use crate::actor::{Actor, start};
use crate::library::{Features, FileStamp, Sample};
use crate::notice::Notice;
use crate::schedule::SoundkinSystems;

/// Loudness to which the equal-loudness switch brings samples, in LUFS.
const LOUDNESS: f32 = -18.0;
/// Highest peak that the switch may cause, in dBFS.
const HIGHEST_PEAK: f32 = -1.0;
/// Most that the switch amplifies, in dB.
const MOST_BOOST: f32 = 24.0;
/// Jobs that may wait at the actor.
const MAILBOX: usize = 64;

/// Asks for sound.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Audition {
    /// Gets the first moments of a sample ready, because it may be played soon.
    Prepare(Entity),
    /// Plays a sample; what played before is cut.
    Play {
        /// The sample.
        sample: Entity,
        /// Where to start.
        from: Seconds,
        /// What to stay within, if not the whole sample.
        region: Option<Span>,
    },
    /// Changes the region of what plays; a playhead outside of it jumps to its start.
    Region(Option<Span>),
    /// Stops what plays, with a fade.
    Stop,
}

/// What is heard now.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Playback {
    /// The sample that plays.
    pub sample: Option<Entity>,
    /// Playhead within the sample, as it is heard; after the end, where it ended.
    pub seconds: Seconds,
    /// Name of the output in use.
    pub device: Option<String>,
    /// Its rate; 0 without one.
    pub rate: Hz,
    /// Gaps since the start of the app: sound that was not ready when the device wanted it.
    pub underruns: u64,
}

/// Computes the gain that brings a sample to the common loudness, in dB: 0 if its loudness is unknown.
pub fn equal_loudness_db(features: Option<&Features>) -> f32 {
    let Some((lufs, peak_db)) = features.and_then(|f| f.lufs.map(|lufs| (lufs, f.peak_db))) else { return 0.0 };
    (LOUDNESS - lufs).min(HIGHEST_PEAK - peak_db).min(MOST_BOOST)
}

/// The actor, and what is shared with it.
#[derive(Resource)]
struct Auditioner {
    actor: Actor<Job, Reply>,
    monitor: Arc<Monitor>,
    /// The playhead of what plays.
    position: Option<Arc<PlaybackPosition>>,
}

impl Auditioner {
    fn send(&mut self, job: Job) {
        if matches!(job, Job::Prepare(_)) {
            // Where there is no room for it, what is wanted now comes first.
            let _ = self.actor.try_send(job);
        } else {
            // Of each kind of job only the last counts.
            let kind = std::mem::discriminant(&job);
            self.actor.retain_waiting(|old| std::mem::discriminant(old) != kind);
            self.actor.queue(job);
        }
    }
}

/// Plays samples.
pub struct AudioPlugin;

impl Plugin for AudioPlugin {
    fn build(&self, app: &mut App) {
        build(app, SystemOutputs, Box::new(SystemInputs));
    }
}

/// Plays samples like [`AudioPlugin`], but without a device.
///
/// The function is called with every buffer of 512 stereo frames at 48 kHz, at the pace of a device.
pub struct SimulatedAudioPlugin<F>(pub F);

impl<F: Fn(&[f32]) + Clone + Send + Sync + 'static> Plugin for SimulatedAudioPlugin<F> {
    fn build(&self, app: &mut App) {
        build(app, Simulated(self.0.clone()), Box::new(SystemInputs));
    }
}

fn build(app: &mut App, outputs: impl Outputs, inputs: Box<dyn Inputs>) {
    app.add_message::<Audition>()
        .add_message::<OpenInput>()
        .init_resource::<AuditionSettings>()
        .init_resource::<Playback>();
    let monitor = Arc::new(Monitor::default());
    let shared = monitor.clone();
    let body = move |inbox, outbox| engine::serve(&inbox, outbox, shared, outputs, inputs);
    let Some(actor) = start(app, "play sounds", |wake| Actor::spawn("audio", MAILBOX, wake, body)) else { return };
    app.insert_resource(Auditioner { actor, monitor, position: None })
        .add_systems(Update, collect_playback.in_set(SoundkinSystems::Collect))
        .add_systems(Update, send_auditions.in_set(SoundkinSystems::Dispatch));
}

fn collect_playback(
    mut auditioner: ResMut<Auditioner>,
    mut playback: ResMut<Playback>,
    mut notices: MessageWriter<Notice>,
) {
    let mut now = playback.clone();
    for reply in auditioner.actor.replies() {
        match reply {
            Reply::Device(device) => {
                (now.device, now.rate) = device.map_or((None, Hz(0)), |(name, rate)| (Some(name), rate));
            }
            Reply::Playing(sample, position) => {
                // Until the first of it is heard, the playhead stands where it will start.
                (now.sample, now.seconds) = (Some(sample), position.start_seconds());
                auditioner.position = Some(position);
            }
            Reply::Stopped(seconds) => {
                (now.sample, now.seconds) = (None, seconds);
                auditioner.position = None;
            }
            Reply::Notice(text) => {
                notices.write(Notice::new(text));
            }
        }
    }
    if let Some(seconds) = auditioner.position.as_ref().and_then(|position| position.seconds(&auditioner.monitor)) {
        now.seconds = seconds;
    }
    now.underruns = auditioner.monitor.underruns();
    playback.set_if_neq(now);
}

fn send_auditions(
    mut auditions: MessageReader<Audition>,
    mut inputs: MessageReader<OpenInput>,
    mut auditioner: ResMut<Auditioner>,
    settings: Res<AuditionSettings>,
    mut playback: ResMut<Playback>,
    samples: Query<(&Sample, Option<&FileStamp>, Option<&Features>)>,
) {
    if let Some(OpenInput(request)) = inputs.read().last() {
        auditioner.send(Job::OpenInput(request.clone()));
    }
    if settings.is_changed() {
        auditioner.send(Job::Settings(*settings));
    }
    let cue = |sample: Entity| {
        let (sample, stamp, features) = samples.get(sample).ok()?;
        Some(Cue { path: sample.path.clone(), stamp: stamp.copied(), loudness_db: equal_loudness_db(features) })
    };
    for audition in auditions.read() {
        let job = match audition {
            Audition::Prepare(sample) => cue(*sample).map(Job::Prepare),
            Audition::Play { sample, from, region } => {
                cue(*sample).map(|cue| Job::Play(Wanted { sample: *sample, cue, from: *from, region: *region }))
            }
            Audition::Region(region) => Some(Job::Region(*region)),
            Audition::Stop => {
                // It counts as stopped before the device says so, or who asks twice would stop it twice.
                if playback.sample.is_some() {
                    playback.sample = None;
                }
                auditioner.position = None;
                Some(Job::Stop)
            }
        };
        if let Some(job) = job {
            auditioner.send(job);
        }
    }
    if playback.sample.is_some_and(|sample| !samples.contains(sample)) {
        auditioner.send(Job::Stop);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use bevy::ecs::schedule::{LogLevel, ScheduleBuildSettings};
    use crossbeam_channel::Sender;

    use super::device::{DeviceName, OutputError};
    use super::output::{Output, StreamEvent};
    use super::player::SamplePlayer;
    use dsp::features::Measures;

    use super::*;
    use crate::actor::Wake;
    use crate::library::LibraryPlugin;
    use crate::notice::NoticePlugin;
    use crate::run_until;
    use crate::schedule;

    struct NoDevice;

    impl Outputs for NoDevice {
        fn open(
            &mut self,
            _: &mut SamplePlayer,
            _: &Arc<Monitor>,
            _: Sender<StreamEvent>,
        ) -> Result<Output, OutputError> {
            Err(OutputError::Absent)
        }

        fn default_device(&mut self) -> Option<DeviceName> {
            None
        }
    }

    /// A device that can be taken away.
    #[derive(Clone, Default)]
    struct Loose {
        gone: Arc<AtomicBool>,
        /// What each attempt to open it would report to.
        reports: Arc<Mutex<Vec<Sender<StreamEvent>>>>,
        /// The default output of the system.
        default: Arc<Mutex<Option<DeviceName>>>,
    }

    impl Outputs for Loose {
        fn open(
            &mut self,
            player: &mut SamplePlayer,
            monitor: &Arc<Monitor>,
            events: Sender<StreamEvent>,
        ) -> Result<Output, OutputError> {
            self.reports.lock().unwrap().push(events.clone());
            if self.gone.load(Ordering::Relaxed) {
                return Err(OutputError::Absent);
            }
            Simulated(|_: &[f32]| {}).open(player, monitor, events)
        }

        fn default_device(&mut self) -> Option<DeviceName> {
            self.default.lock().unwrap().clone()
        }
    }

    impl Loose {
        fn take_away(&self) {
            self.gone.store(true, Ordering::Relaxed);
            assert!(Self::lose(self.reports.lock().unwrap().last().unwrap()));
        }

        /// Reports the loss of an output; false if nobody listens to it any more.
        fn lose(report: &Sender<StreamEvent>) -> bool {
            report.send(StreamEvent::Lost(cpal::ErrorKind::DeviceNotAvailable.into())).is_ok()
        }
    }

    fn app(device: bool) -> App {
        let mut app = empty_app();
        if device {
            app.add_plugins(SimulatedAudioPlugin(|_: &[f32]| {}));
        } else {
            build(&mut app, NoDevice, Box::new(SystemInputs));
        }
        app
    }

    fn empty_app() -> App {
        let mut app = App::new();
        app.edit_schedule(Update, |schedule| {
            schedule.set_build_settings(ScheduleBuildSettings {
                ambiguity_detection: LogLevel::Error,
                ..ScheduleBuildSettings::default()
            });
        });
        schedule::configure(&mut app);
        app.init_resource::<Wake>().add_plugins((NoticePlugin, LibraryPlugin));
        app
    }

    fn spawn(app: &mut App, path: &Path) -> Entity {
        app.world_mut().spawn(Sample { path: path.into() }).id()
    }

    fn play(app: &mut App, sample: Entity) {
        app.world_mut().write_message(Audition::Play { sample, from: Seconds(0.0), region: None });
        app.update();
    }

    fn demo() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/pads/pad_01.flac")
    }

    /// The notices of so many milliseconds.
    fn notices(app: &mut App, milliseconds: u64) -> Vec<String> {
        let mut cursor = bevy::ecs::message::MessageCursor::<Notice>::default();
        let mut texts = Vec::new();
        run_until(app, Some(Duration::from_millis(milliseconds)), |world| {
            texts.extend(cursor.read(world.resource::<Messages<Notice>>()).map(|notice| notice.text.clone()));
            false
        });
        texts
    }

    fn until(app: &mut App, done: impl Fn(&Playback) -> bool) -> bool {
        run_until(app, Some(Duration::from_secs(10)), |world| done(world.resource::<Playback>()))
    }

    #[test]
    fn without_a_device_many_plays_give_one_notice() {
        let mut app = app(false);
        let sample = spawn(&mut app, &demo());
        app.world_mut().write_message(Audition::Prepare(sample));
        let mut texts = Vec::new();
        for _ in 0..10 {
            play(&mut app, sample);
            texts.extend(notices(&mut app, 150));
        }
        assert_eq!(texts, ["no sound output found; connect one and play again"]);
        assert_eq!(app.world().resource::<Playback>(), &Playback::default());
    }

    #[test]
    fn a_played_sample_is_shown_until_it_has_been_heard() {
        let mut app = app(true);
        let sample = spawn(&mut app, &demo());
        play(&mut app, sample);
        assert!(until(&mut app, |playback| playback.sample == Some(sample) && playback.seconds > Seconds(0.1)));
        let playback = app.world().resource::<Playback>();
        assert_eq!((playback.device.as_deref(), playback.rate), (Some("simulated"), Hz(48_000)));
        assert!(until(&mut app, |playback| playback.sample.is_none()));
        assert!(app.world().resource::<Playback>().seconds > Seconds(1.0));
        assert!(notices(&mut app, 100).is_empty());
    }

    #[test]
    fn a_sample_that_is_despawned_or_stopped_falls_silent() {
        let mut app = app(true);
        app.world_mut().resource_mut::<AuditionSettings>().looping = true;
        for despawn in [true, false] {
            let sample = spawn(&mut app, &demo());
            play(&mut app, sample);
            assert!(until(&mut app, |playback| playback.sample == Some(sample)));
            if despawn {
                app.world_mut().despawn(sample);
            } else {
                app.world_mut().write_message(Audition::Stop);
            }
            assert!(until(&mut app, |playback| playback.sample.is_none()));
        }
    }

    /// A sample that plays over and over.
    fn looping_on_a_loose_device() -> (App, Loose, Entity) {
        let device = Loose::default();
        let mut app = empty_app();
        build(&mut app, device.clone(), Box::new(SystemInputs));
        app.world_mut().resource_mut::<AuditionSettings>().looping = true;
        let sample = spawn(&mut app, &demo());
        play(&mut app, sample);
        assert!(until(&mut app, |playback| playback.sample == Some(sample) && playback.seconds > Seconds(0.1)));
        (app, device, sample)
    }

    #[test]
    fn a_device_that_goes_and_comes_is_told_once_each_and_the_sound_goes_on() {
        let (mut app, device, sample) = looping_on_a_loose_device();
        device.take_away();
        let gone = "sound output was disconnected; connect it or another to go on playing: simulated";
        assert_eq!(notices(&mut app, 1300), [gone]);
        assert_eq!(app.world().resource::<Playback>().device, None);
        device.gone.store(false, Ordering::Relaxed);
        assert_eq!(notices(&mut app, 1300), ["sound output is back: simulated"]);
        let before = app.world().resource::<Playback>().seconds;
        assert!(
            until(&mut app, |playback| playback.sample == Some(sample) && (playback.seconds - before).0.abs() > 1e-3)
        );
        device.take_away();
        assert!(until(&mut app, |playback| playback.device.is_none()));
        app.world_mut().write_message(Audition::Stop);
        assert!(until(&mut app, |playback| playback.sample.is_none()));
    }

    #[test]
    fn an_output_that_the_system_moves_is_shown_by_its_new_name_and_stays_open() {
        let (mut app, device, sample) = looping_on_a_loose_device();
        *device.default.lock().unwrap() = Some(DeviceName { name: "headphones".to_owned(), id: None });
        let report = device.reports.lock().unwrap()[0].clone();
        report.send(StreamEvent::Moved).unwrap();
        assert_eq!(notices(&mut app, 300), ["now playing on headphones"]);
        let playback = app.world().resource::<Playback>();
        assert_eq!((playback.device.as_deref(), playback.sample), (Some("headphones"), Some(sample)));
        assert_eq!(device.reports.lock().unwrap().len(), 1, "opened once");
    }

    #[test]
    fn a_late_report_of_an_output_that_is_closed_leaves_the_new_one_alone() {
        let (mut app, device, _) = looping_on_a_loose_device();
        let opened = || device.reports.lock().unwrap().clone();
        let first = opened().remove(0);
        assert!(Loose::lose(&first));
        assert!(run_until(&mut app, Some(Duration::from_secs(10)), |_| opened().len() == 2));
        assert!(!Loose::lose(&first));
        notices(&mut app, 300);
        assert_eq!(opened().len(), 2);
    }

    #[test]
    fn a_missing_file_gives_a_notice_that_ends_with_its_path() {
        let mut app = app(true);
        let sample = spawn(&mut app, Path::new("/nowhere/gone.wav"));
        play(&mut app, sample);
        let texts = notices(&mut app, 300);
        assert!(texts.len() == 1 && texts[0].ends_with(": /nowhere/gone.wav"), "{texts:?}");
        assert_eq!(app.world().resource::<Playback>().sample, None);
    }

    #[test]
    fn equal_loudness_boosts_within_the_peak_and_a_limit() {
        let db = |lufs, peak_db| equal_loudness_db(Some(&Features(Measures { lufs, peak_db, brightness_hz: 0.0 })));
        let found = [(-12.0, -1.0), (-24.0, -12.0), (-24.0, -3.0), (-18.0, 0.0), (-70.0, -60.0)];
        let gains = found.map(|(lufs, peak)| db(Some(lufs), peak));
        assert!(gains.iter().zip([-6.0, 6.0, 2.0, -1.0, 24.0]).all(|(a, b)| (a - b).abs() < 1e-5), "{gains:?}");
        assert!(db(None, -60.0).abs() + equal_loudness_db(None).abs() < 1e-5);
    }
}
