//! Soundkin: find sounds by how they sound.
//!
//! ```text
//!  folders ─watch─► Sample+FileStamp ─analyse─► AudioInfo, Thumbnail, Features, Descriptors, Embedding ─neighbours─► Space
//!     ▲                 ▲                                                            (k-d tree, map positions)
//!     │                 └──── store: mirrors every stage to SQLite, restores at start ────┐        │
//!     │                                                                                   ▼        ▼
//!  record ◄──── audio (cpal out/in) ◄──────────────── messages ◄──────────────── ui: list · map · waveform
//! ```
//!
//! A sample is an entity. Each capability is a plugin in one folder, which owns the components it inserts and, where
//! it needs one, one [`Actor`](actor::Actor). Work is found by query ("has A, lacks B"), handed to a small mailbox, and
//! comes back as components: the ECS is the queue. What needs no ECS lies in four packages of its own, which know nothing
//! of the app: [`dsp`], [`mod@file`], [`model`] and [`similarity`]. In pipeline order:
//!
//! | plugin | owns | thread |
//! |---|---|---|
//! | [`LibraryPlugin`](library::LibraryPlugin) | the facts about samples, as components; index, identity, journal of changes | |
//! | [`WatchPlugin`](watch::WatchPlugin) | listing and following folders | `watch` |
//! | [`AnalysePlugin`](analyse::AnalysePlugin) | what a sound is: `AudioInfo` … `Embedding`; reads `Priorities` | `analyse-n` |
//! | [`WaveformPlugin`](analyse::waveform::WaveformPlugin) | the `Waveform` that is looked at | `waveform` |
//! | [`SpacePlugin`](neighbours::SpacePlugin) | `ActiveWeights`; `SpaceIndex`: space and layout; `Newcomers` | `space` |
//! | [`AudioPlugin`](audio::AudioPlugin) | `AuditionSettings`, `Playback`; plays samples, opens inputs | `audio` |
//! | [`RecordPlugin`](record::RecordPlugin) | `Recorder`, `Level`, `Recording`, `Slices`, `Trim`; makes takes | `recorder`, `slices` |
//! | [`QueryPlugin`](neighbours::query::QueryPlugin) | `Answers`; the vectors of sounds that are no samples | `compare`, `question` |
//! | [`TablePlugin`](library::table::TablePlugin) | `SampleTable`: a row of each sample, searched and counted | |
//! | [`MapPlugin`](map::MapPlugin) | `Map`, `Legend`; what `MapLook` and `Palette` say is drawn | |
//! | [`StorePlugin`](store::StorePlugin) | nothing; mirrors the others | `store` |
//!
//! [`export`] writes copies and parts of sounds, [`duplicates`] finds what is there more than once; neither needs a plugin.
//!
//! All plugins are added here and nowhere else; the order of a frame stands in [`schedule`].

pub mod actor;
pub mod analyse;
pub mod atomic_file;
pub mod audio;
pub mod cli;
pub mod duplicates;
pub mod export;
pub mod library;
pub mod map;
pub mod neighbours;
pub mod notice;
pub mod palette;
pub mod paths;
pub mod record;
pub mod schedule;
pub mod settings;
pub mod store;
#[cfg(feature = "desktop")]
pub mod ui;
pub mod watch;

use std::path::Path;
#[cfg(feature = "desktop")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::ecs::schedule::{LogLevel, ScheduleBuildSettings, SingleThreadedExecutor};
use bevy::prelude::*;
use model::Model;

use crate::actor::Wake;
use crate::library::Restored;
use crate::store::Library;

/// What an app is assembled for.
pub struct Assembly {
    /// The library to mirror; without one nothing is restored or kept.
    pub library: Option<Library>,
    /// The model to analyse with.
    pub model: Arc<Model>,
    /// Number of analysing workers.
    pub workers: usize,
}

impl Assembly {
    /// Uses every core.
    pub fn new(library: Option<Library>, model: Arc<Model>) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { library, model, workers }
    }
}

/// Assembles the app without a window: what the command line and the tests run.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use model::Model;
/// use soundkin::library::{AudioInfo, Sample};
/// use soundkin::watch::AddFolder;
/// use soundkin::{Assembly, headless, is_idle, run_until};
///
/// // No library: nothing is restored and nothing kept.
/// let mut app = headless(Assembly::new(None, Arc::new(Model::built_in()?)));
/// app.world_mut().write_message(AddFolder { path: "/samples".into(), follow: false });
/// app.update();
/// assert!(run_until(&mut app, None, is_idle));
/// // Each sound is an entity, and what is known of it are its components.
/// for (sample, info) in app.world_mut().query::<(&Sample, &AudioInfo)>().iter(app.world()) {
///     println!("{:.1} of {}", info.seconds(), sample.path.display());
/// }
/// # Ok::<(), model::ModelError>(())
/// ```
pub fn headless(assembly: Assembly) -> App {
    without_window(|app| assemble(app, assembly))
}

/// Assembles what is known of a library's samples but their vectors, to be read only: it needs no model.
///
/// # Errors
/// The library cannot be read.
pub fn facts(library: &Path) -> Result<App, store::StoreError> {
    let library = Library::read(library)?;
    Ok(without_window(|app| {
        ground(app);
        app.add_plugins((library::LibraryPlugin, store::StorePlugin::new(library)));
    }))
}

fn without_window(add: impl FnOnce(&mut App)) -> App {
    let mut app = App::new();
    app.edit_schedule(Update, |schedule| {
        if cfg!(debug_assertions) {
            // An unordered conflict between two systems is an error at start-up instead of a rare surprise.
            schedule.set_build_settings(ScheduleBuildSettings {
                ambiguity_detection: LogLevel::Error,
                ..ScheduleBuildSettings::default()
            });
        }
    });
    add(&mut app);
    // Systems take a few microseconds each; running them on several threads would only slow the workers down.
    for (_, schedule) in app.world_mut().resource_mut::<Schedules>().iter_mut() {
        schedule.set_executor(SingleThreadedExecutor::new());
    }
    app
}

/// Assembles the app with its window, from the same plugins.
#[cfg(feature = "desktop")]
pub fn desktop(assembly: Assembly) -> App {
    let mut app = App::new();
    app.add_plugins(ui::WindowPlugin { settings: paths::settings_file() });
    assemble(&mut app, assembly);
    app.add_plugins(watch::FollowPlugin);
    add_panels(&mut app, paths::settings_file(), audio::AudioPlugin);
    app.add_plugins(ui::UiPlugin);
    app
}

/// Assembles what plays a file and nothing else; it needs neither library nor model. `audio` is the sound device's plugin, or
/// a simulated one.
pub fn player(audio: impl Plugin) -> App {
    let mut app = App::new();
    ground(&mut app);
    app.add_plugins((library::LibraryPlugin, audio));
    app
}

/// Adds what the panels of the window show, without the window: `audio` is the sound device's plugin, or a simulated one.
#[cfg(feature = "desktop")]
pub fn add_panels(app: &mut App, settings: PathBuf, audio: impl Plugin) {
    app.add_plugins((settings::SettingsPlugin { path: settings }, audio))
        .add_plugins((library::table::TablePlugin, map::MapPlugin, ui::PanelsPlugin))
        .add_plugins(record::RecordPlugin);
}

/// Adds what records to an assembled app.
pub fn add_recording(app: &mut App) {
    app.add_plugins((audio::AudioPlugin, record::RecordPlugin));
}

/// Adds what lists and follows the library's folders as soon as they are restored.
pub fn add_following(app: &mut App) {
    app.add_plugins(watch::FollowPlugin);
}

/// What every assembly stands on.
fn ground(app: &mut App) {
    schedule::configure(app);
    app.set_error_handler(bevy::ecs::error::error);
    app.init_resource::<Wake>().add_plugins(notice::NoticePlugin);
}

fn assemble(app: &mut App, assembly: Assembly) {
    // A library opened for reading is shown as it is: results that cannot be stored are not worth hours of analysis.
    let transient_only = assembly.library.as_ref().is_some_and(|library| !library.is_writable());
    ground(app);
    app.add_plugins((
        library::LibraryPlugin,
        watch::WatchPlugin,
        analyse::waveform::WaveformPlugin,
        analyse::AnalysePlugin { model: assembly.model, workers: assembly.workers, transient_only },
        neighbours::SpacePlugin,
        neighbours::query::QueryPlugin,
    ));
    match assembly.library {
        Some(library) => app.add_plugins(store::StorePlugin::new(library)),
        None => app.insert_resource(Restored(true)),
    };
}

/// Runs a headless app frame by frame until `done`, sleeping while the actors work; `false` when time ran out.
pub fn run_until(app: &mut App, limit: Option<Duration>, mut done: impl FnMut(&mut World) -> bool) -> bool {
    let started = Instant::now();
    let wake = app.world().resource::<Wake>().clone();
    loop {
        app.update();
        if done(app.world_mut()) {
            return true;
        }
        if limit.is_some_and(|limit| started.elapsed() > limit) {
            return false;
        }
        wake.wait(Duration::from_millis(20));
    }
}

/// Tells whether every actor has done what there is to do: folders listed, sounds analysed and stored, and
/// as much of the space made as is needed.
pub fn is_idle(world: &mut World) -> bool {
    world.resource::<Restored>().0
        && world.get_resource::<watch::Listing>().is_none_or(watch::Listing::is_idle)
        && world.resource::<library::changes::Changes>().is_read()
        && (!world.contains_resource::<analyse::Analysis>() || analyse::is_idle(world))
        && world
            .get_resource::<neighbours::vectors::QueryVectors>()
            .is_none_or(neighbours::vectors::QueryVectors::is_idle)
        && world.get_resource::<store::StoreState>().is_none_or(store::StoreState::is_idle)
        && world.get_resource::<neighbours::Projection>().is_none_or(neighbours::Projection::is_idle)
}
