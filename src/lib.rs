//! Soundkin: find sounds by how they sound.
//!
//! ```text
//!  folders ─watch─► Sample+FileStamp ─decode─► AudioInfo, Thumbnail, Features ─embed─► Embedding ─project─► Space
//!     ▲                 ▲                                                            (k-d tree, map positions)
//!     │                 └──── store: mirrors every stage to SQLite, restores at start ────┐        │
//!     │                                                                                   ▼        ▼
//!  record ◄──── audio (cpal out/in) ◄──────────────── messages ◄──────────────── ui: list · map · waveform
//! ```
//!
//! A sample is an entity. Each capability is a plugin in one folder, which owns the components it inserts and, where
//! it needs one, one [`Actor`](actor::Actor). Work is found by query ("has A, lacks B"), handed to a small mailbox, and
//! comes back as components: the ECS is the queue. In pipeline order:
//!
//! | plugin | owns | thread |
//! |---|---|---|
//! | [`SamplePlugin`](sample::SamplePlugin) | `Sample`, `FileStamp`, `ContentHash`, `Missing`, `Failed`, `Tags`; the index | |
//! | [`WatchPlugin`](watch::WatchPlugin) | listing and following folders | `watch` |
//! | [`DecodePlugin`](decode::DecodePlugin) | `AudioInfo`, `Thumbnail`, `Features`, `Descriptors`; the `Waveform` that is looked at | `waveform` |
//! | [`EmbedPlugin`](embed::EmbedPlugin) | `Embedding` | `analyse-n`, which also decode |
//! | [`ProjectPlugin`](project::ProjectPlugin) | `Weights`; `SpaceIndex`: space and layout | `project` |
//! | [`AudioPlugin`](audio::AudioPlugin) | `AuditionSettings`, `Playback`; plays samples, opens inputs | `audio` |
//! | [`RecordPlugin`](record::RecordPlugin) | `Recorder`, `Level`, `Recording`, `Slices`, `Trim`; makes takes | `wav`, `cut` |
//! | [`QueryPlugin`](query::QueryPlugin) | `Answers` | `compare` |
//! | [`MapPlugin`](map::MapPlugin) | `Map`, `Legend`; what `MapLook` and `Palette` say is drawn | |
//! | [`StorePlugin`](store::StorePlugin) | nothing; mirrors the others | `store` |
//!
//! Systems run in four sets, once a frame: [`SoundkinSystems`].

pub mod actor;
pub mod audio;
pub mod cli;
pub mod decode;
pub mod embed;
pub mod map;
pub mod project;
pub mod query;
pub mod record;
pub mod sample;
pub mod settings;
pub mod store;
#[cfg(feature = "desktop")]
pub mod ui;
pub mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::ecs::schedule::{LogLevel, ScheduleBuildSettings, SingleThreadedExecutor};
use bevy::prelude::*;
use model::Model;

use crate::actor::Wake;
use crate::sample::Restored;
use crate::store::Library;

/// The order of work in a frame.
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoundkinSystems {
    /// Replies of the actors become components.
    Collect,
    /// Messages are acted on.
    Respond,
    /// What follows from the components is brought up to date.
    Derive,
    /// Work is found and handed to the actors.
    Dispatch,
}

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
pub fn headless(assembly: Assembly) -> App {
    let mut app = App::new();
    app.edit_schedule(Update, |schedule| {
        if cfg!(debug_assertions) {
            // An unordered conflict between two systems is an error, not a surprise one day.
            schedule.set_build_settings(ScheduleBuildSettings {
                ambiguity_detection: LogLevel::Error,
                ..ScheduleBuildSettings::default()
            });
        }
    });
    assemble(&mut app, assembly);
    // Systems are glue of a few microseconds; threads for them would only take time from the workers.
    for (_, schedule) in app.world_mut().resource_mut::<Schedules>().iter_mut() {
        schedule.set_executor(SingleThreadedExecutor::new());
    }
    app
}

/// Assembles the app with its window, from the same plugins.
#[cfg(feature = "desktop")]
pub fn desktop(assembly: Assembly) -> App {
    let mut app = App::new();
    app.add_plugins(ui::WindowPlugin);
    assemble(&mut app, assembly);
    app.add_plugins((watch::FollowPlugin, ui::UiPlugin));
    app
}

fn assemble(app: &mut App, assembly: Assembly) {
    // What cannot be kept is not worth hours of work: a library opened for reading is shown as it is.
    let guests_only = assembly.library.as_ref().is_some_and(|library| !library.is_writable());
    configure_sets(app);
    app.set_error_handler(bevy::ecs::error::error);
    app.init_resource::<Wake>().add_plugins((
        sample::SamplePlugin,
        watch::WatchPlugin,
        decode::DecodePlugin,
        embed::EmbedPlugin { model: assembly.model, workers: assembly.workers, guests_only },
        project::ProjectPlugin,
    ));
    match assembly.library {
        Some(library) => app.add_plugins(store::StorePlugin::new(library)),
        None => app.insert_resource(Restored(true)),
    };
}

/// Chains the sets.
pub(crate) fn configure_sets(app: &mut App) {
    use SoundkinSystems::{Collect, Derive, Dispatch, Respond};
    app.configure_sets(Update, (Collect, Respond, Derive, Dispatch).chain());
    // What was heard under an old stamp must not arrive after a new one.
    app.configure_sets(Update, embed::CollectAnalyses.after(watch::CollectFacts));
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
        && world.resource::<watch::Listing>().is_idle()
        && embed::is_idle(world)
        && world.get_resource::<store::StoreState>().is_none_or(store::StoreState::is_idle)
        && world.get_resource::<project::Projection>().is_none_or(project::Projection::is_idle)
}
