//! The window: sources, waveform, list, map and status line, edge to edge with one line between any two.
//!
//! Panels are functions from a view of the components to shapes and `Action`s; drawing twice changes nothing. What
//! the user asked for is acted on in the next frame by the part that owns it: `session` for place and selection, `listen` for
//! sound, `edits` for what can be undone, `record`, `desktop`, `preferences`, and the functions here for the map.
//!
//! ```text
//!  SampleTable ─► Rows, Branches, Progress ─► panels ─► Action ─► a message each for Session, Edits, Preferences, MapLook …
//! ```

mod action;
mod attention;
mod clipboard;
mod columns;
mod controls;
mod demo;
mod desktop;
mod dropping;
mod edits;
mod emblem;
mod focus;
mod fonts;
mod frame;
mod help;
mod input;
mod layout;
mod list;
mod listen;
mod map;
mod menu;
mod navigation;
mod notices;
mod path_field;
mod place;
mod preferences;
mod question;
mod record;
mod rows;
mod ruler;
mod selection;
mod services;
mod session;
mod settings;
mod sources;
mod start;
mod status;
mod strip;
mod theme;
mod waveform;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::camera::visibility::RenderLayers;
use bevy::ecs::system::SystemParam;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::renderer::RenderAdapterInfo;
use bevy::time::{TimeSystems, TimeUpdateStrategy};
use bevy::window::{PresentMode, PrimaryWindow, RequestRedraw, WindowResized};
use bevy::winit::{EventLoopProxyWrapper, UpdateMode, WinitSettings, WinitUserEvent};
use bevy_egui::egui::{self, LayerId, Rect, Ui, UiBuilder};
use bevy_egui::{EguiContexts, EguiGlobalSettings, EguiPlugin, EguiPrimaryContextPass, PrimaryEguiContext};
use file::wav_writer::Format;
use similarity::weights::{By, SMOOTH, Weights};

use self::action::{Action, Bindings, Choose, Go, OnMap, Part, Type, Weigh};
use self::desktop::Inputs;
use self::dropping::Hovering;
use self::edits::Edits;
use self::focus::Section;
use self::fonts::Fonts;
use self::notices::Notices;
use self::path_field::TypedPath;
use self::place::Place;
use self::preferences::{Comparing, Playing, Preferences};
use self::rows::Rows;
use self::session::Session;
use self::settings::SettingsPage;
use self::sources::Branches;
use self::status::Progress;
use self::theme::{Appearance, Theme};
use crate::actor::Wake;
use crate::analyse::waveform::Waveform;
use crate::analyse::{ActiveModel, Analysis, FrameInterval};
use crate::audio::{AuditionSettings, Playback};
use crate::library::table::{Group, GroupKind, SampleTable};
use crate::library::{AudioInfo, Folders, Thumbnail};
use crate::map::{Area, Legend, Map, MapLook};
use crate::neighbours::ActiveWeights;
use crate::neighbours::query::{Answer, Answers, Asked, Subject};
use crate::notice::Notice;
use crate::palette::Palette;
use crate::record::{Level, Recorder, RecordingSettings, Slices, Trim};
use crate::schedule::{DeriveSystems, RespondSystems};
use crate::settings::Settings;

/// Between two frames while sounds are analysed and nobody touches anything: drawing more often would show little more, and
/// take more of the processor than the analysis.
const WORKING: Duration = Duration::from_millis(200);
/// The same where the processor itself draws, and one frame takes as much of it as a dozen files.
const WORKING_DRAWN: Duration = Duration::from_millis(2500);
/// While a take is analysed, which the user waits for.
const WAITING: Duration = Duration::from_millis(30);

/// Neighbours to which edges are drawn.
const EDGES: usize = 8;
/// Neighbours of a query that the map points out.
const FOUND: usize = 24;

/// Opens the window; goes before the plugins of the engine.
pub struct WindowPlugin {
    /// The settings file, which says where the window stood last.
    pub settings: PathBuf,
}

impl Plugin for WindowPlugin {
    fn build(&self, app: &mut App) {
        let window = Window {
            title: "Soundkin".to_owned(),
            // Under X11 the name would leave out half of what desktops know a window by; without one it is the program's.
            name: is_wayland().then(|| "soundkin".to_owned()),
            present_mode: PresentMode::AutoVsync,
            ..default()
        };
        let preferences: Preferences = Settings::read(self.settings.clone()).get("window");
        let window = frame::restored(preferences.frame, window);
        let plugin = bevy::window::WindowPlugin { primary_window: Some(window), ..default() };
        // The map's picture is drawn once: in that frame everything it takes must be ready.
        let render = RenderPlugin { synchronous_pipeline_compilation: true, ..default() };
        app.add_plugins(DefaultPlugins.set(plugin).set(render)).insert_resource(WinitSettings::desktop_app());
    }
}

/// What the panels show and what they ask for, without a window to draw in: [`UiPlugin`] and the tests build on it. A
/// plugin for the sound goes beside it.
pub struct PanelsPlugin;

impl Plugin for PanelsPlugin {
    fn build(&self, app: &mut App) {
        let Some(mut settings) = app.world_mut().remove_resource::<Settings>() else { return };
        let preferences: Preferences = settings.get("window");
        let playing: Playing = settings.get("audition");
        let comparing: Comparing = settings.get("similarity");
        let usual = app.world().resource::<ActiveModel>().0.statistics.usual_weight();
        let place: Place = settings.get("place");
        let mut session = Session::default();
        place.restore(&mut session);
        let keys: BTreeMap<String, String> = settings.get("keys");
        let mut bindings = Bindings::default();
        let problems: Vec<String> = bindings.change(&keys);
        for problem in problems {
            app.world_mut().write_message(Notice::new(problem));
        }
        let Playing { volume_db, equal_loudness, looping } = playing;
        app.insert_resource(AuditionSettings { volume_db, equal_loudness, looping })
            .insert_resource(ActiveWeights(comparing.weights(usual)))
            .insert_resource(settings)
            .insert_resource(bindings)
            .insert_resource(Theme::of(preferences.theme))
            .insert_resource(preferences)
            .init_resource::<ClearColor>()
            .insert_resource(session)
            .init_resource::<Rows>()
            .init_resource::<Edits>()
            .init_resource::<SettingsPage>()
            .init_resource::<TypedPath>()
            .init_resource::<Notices>()
            .init_resource::<Branches>()
            .init_resource::<Progress>()
            .init_resource::<Inputs>()
            .add_message::<RequestRedraw>()
            .add_plugins((action::plugin, desktop::plugin, fonts::plugin))
            .add_systems(
                Update,
                (
                    action::route,
                    session::respond,
                    listen::respond,
                    edits::respond,
                    record::respond,
                    settings::respond,
                    path_field::respond,
                    desktop::respond,
                    respond_on_map,
                    preferences::respond,
                    weigh,
                )
                    .chain()
                    .in_set(RespondSystems::Window),
            )
            .add_systems(Update, (record::follow, session::ask).chain().in_set(DeriveSystems::Ask))
            .add_systems(
                Update,
                (
                    session::follow,
                    edits::follow,
                    notices::listen,
                    grow_branches,
                    status::measure,
                    look,
                    attention::tell,
                    (remember, place::remember).chain(),
                )
                    .chain()
                    .in_set(DeriveSystems::Show),
            );
    }
}

/// Draws the panels over all of an egui frame and collects what they ask for: what [`UiPlugin`] does for its window.
///
/// # Errors
/// [`PanelsPlugin`] is missing.
pub fn draw_panels(world: &mut World, context: &egui::Context) -> Result {
    let draw = |InRef(context): InRef<egui::Context>, mut panels: Panels| panels.draw(context);
    world.run_system_cached_with(draw, context).map_err(|error| error.to_string().into())
}

/// Draws the window.
pub struct UiPlugin;

impl Plugin for UiPlugin {
    fn build(&self, app: &mut App) {
        app.add_plugins(EguiPlugin::default())
            .add_systems(Startup, open)
            .add_systems(PostUpdate, (frame::follow, emblem::give))
            .add_systems(First, tell_the_time.before(TimeSystems))
            .add_plugins(input::plugin)
            .add_systems(EguiPrimaryContextPass, draw)
            .add_systems(Last, (redraw_resized, pace));
    }
}

/// Tells whether there is a display to open a window on.
pub fn has_display() -> bool {
    if cfg!(not(target_os = "linux")) {
        return true;
    }
    ["WAYLAND_DISPLAY", "DISPLAY"].into_iter().any(is_set)
}

/// Tells whether the window opens under Wayland.
fn is_wayland() -> bool {
    ["WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(is_set)
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Names the graphics adapter a window would draw with.
pub fn gpu() -> Option<String> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = bevy::tasks::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    adapters.first().map(|adapter| {
        let info = adapter.get_info();
        format!("{} ({:?})", info.name, info.backend)
    })
}

fn open(
    mut commands: Commands,
    mut context: ResMut<EguiGlobalSettings>,
    wake: Res<Wake>,
    event_loop: Res<EventLoopProxyWrapper>,
    mut window: Single<&mut Window, With<PrimaryWindow>>,
) {
    // The map's camera draws first and clears; this one draws the panels over it, into the same texture, which they
    // share only if neither is multisampled.
    context.auto_create_primary_context = false;
    commands.spawn((
        PrimaryEguiContext,
        input::settings(),
        Camera2d,
        Camera { clear_color: ClearColorConfig::None, ..default() },
        Msaa::Off,
        RenderLayers::none(),
    ));
    // A sleeping event loop does not look at the actors' replies unless it is woken.
    let event_loop = (**event_loop).clone();
    wake.also(move || {
        // A closed loop needs no waking.
        let _ = event_loop.send_event(WinitUserEvent::WakeUp);
    });
    window.resize_constraints.min_width = 640.0;
    window.resize_constraints.min_height = 400.0;
}

/// Sets a frame's time to the moment at which it begins. By default it is when the last one was drawn: in a window
/// that is idle between frames, a click after an idle second would look as if it had been held for that second.
fn tell_the_time(mut strategy: ResMut<TimeUpdateStrategy>) {
    *strategy = TimeUpdateStrategy::ManualInstant(Instant::now());
}

/// Draws a second frame after a resize: camera and egui learn of the new size one frame apart, and an idle window
/// draws only one frame.
fn redraw_resized(
    mut resized: MessageReader<WindowResized>,
    mut redraws: MessageWriter<RequestRedraw>,
    mut left: Local<u8>,
) {
    *left = if resized.read().count() > 0 { 3 } else { left.saturating_sub(1) };
    redraws.write_batch((*left > 0).then_some(RequestRedraw));
}

/// Draws now and then while sounds are analysed; all else wakes the window by itself.
fn pace(
    analysis: Res<Analysis>,
    adapter: Option<Res<RenderAdapterInfo>>,
    mut interval: ResMut<FrameInterval>,
    mut winit: ResMut<WinitSettings>,
) {
    let drawn = adapter.is_some_and(|adapter| adapter.device_type == wgpu::DeviceType::Cpu);
    let working = if drawn { WORKING_DRAWN } else { WORKING };
    interval.set_if_neq(FrameInterval(working));
    let wait = match (analysis.takes, analysis.in_flight) {
        (0, 0) => None,
        (0, _) => Some(working),
        _ => Some(WAITING),
    };
    let rest = WinitSettings::desktop_app();
    let next = [rest.focused_mode, rest.unfocused_mode].map(|mode| match (mode, wait) {
        (
            UpdateMode::Reactive { react_to_device_events, react_to_user_events, react_to_window_events, .. },
            Some(wait),
        ) => UpdateMode::Reactive { wait, react_to_device_events, react_to_user_events, react_to_window_events },
        (mode, _) => mode,
    });
    if [winit.focused_mode, winit.unfocused_mode] != next {
        [winit.focused_mode, winit.unfocused_mode] = next;
    }
}

/// Moves and arranges the map.
fn respond_on_map(
    mut asked: MessageReader<OnMap>,
    mut map: ResMut<Map>,
    mut preferences: ResMut<Preferences>,
    mut look: ResMut<MapLook>,
    mut session: ResMut<Session>,
    mut go: MessageWriter<Go>,
) {
    for action in asked.read() {
        match action {
            OnMap::Fit => map.fit(),
            OnMap::Pan(delta) => map.pan(*delta),
            OnMap::Zoom(cursor, factor) => map.zoom_at(*cursor, *factor),
            OnMap::Walk(direction) => {
                let to = session.selected().and_then(|selected| map.towards(selected, *direction));
                go.write_batch(to.map(|to| Go::Select(to, Choose::Only)));
            }
            OnMap::ListInView => {
                let samples = Arc::new(map.in_view(usize::MAX).into_iter().flatten().collect());
                go.write(Go::Within(Group { kind: GroupKind::InView, name: "in view of the map".into(), samples }));
            }
            OnMap::ColourBy(by) => preferences.colour_by = *by,
            OnMap::Arrange(arrangement) => preferences.arrangement = *arrangement,
            OnMap::ToggleGroup(group) => {
                let was_hidden = look.hidden_groups.remove(group);
                look.hidden_groups.extend((!was_hidden).then(|| group.clone()));
            }
            OnMap::ShowGroups => look.hidden_groups.clear(),
        }
    }
    if session.requests.find_on_map.is_some_and(|sample| map.find(sample)) {
        session.requests.find_on_map = None;
    }
}

/// Weighs the parts of a comparison.
fn weigh(mut asked: MessageReader<Weigh>, mut weights: ResMut<ActiveWeights>, model: Res<ActiveModel>) {
    let mut next = *weights;
    let usual = model.0.statistics.usual_weight();
    for &action in asked.read() {
        match action {
            // Without a head there is nothing to choose between.
            Weigh::Switch if model.0.statistics.head.is_none() => {}
            Weigh::Part(Part::Head, weight) => next.head = weight.unwrap_or(usual),
            Weigh::Part(Part::Neighbourhood, weight) => next.smooth = weight.unwrap_or(SMOOTH),
            Weigh::Part(Part::Group(group), weight) => next.groups[group as usize] = weight.unwrap_or(0.0),
            Weigh::By(by) => next.0 = by.weigh(next.0, usual),
            Weigh::Switch => {
                let by = By::of(&next, usual).map_or(By::Kind, By::other);
                next.0 = by.weigh(next.0, usual);
            }
        }
    }
    weights.set_if_neq(next);
}

/// Lays the tree of folders out anew when it has changed.
fn grow_branches(
    mut branches: ResMut<Branches>,
    table: Res<SampleTable>,
    session: Res<Session>,
    folders: Res<Folders>,
    mut seen: Local<Option<u64>>,
    mut open: Local<std::collections::HashSet<std::path::PathBuf>>,
) {
    if *seen != Some(table.folders_changed) || *open != session.navigation.open || folders.is_changed() {
        *seen = Some(table.folders_changed);
        open.clone_from(&session.navigation.open);
        branches.0 = sources::branches(&folders.0, table.folders(), &session.navigation.open);
    }
}

/// Passes filter, colours and arrangement on to the map, and the theme to everything.
fn look(
    preferences: Res<Preferences>,
    rows: Res<Rows>,
    mut look: ResMut<MapLook>,
    mut theme: ResMut<Theme>,
    mut palette: ResMut<Palette>,
    mut clear: ResMut<ClearColor>,
) {
    theme.set_if_neq(Theme::of(preferences.theme));
    palette.set_if_neq(theme.palette());
    if clear.0 != theme.clear() {
        clear.0 = theme.clear();
    }
    let next = MapLook {
        colour_by: preferences.colour_by,
        arrangement: preferences.arrangement,
        hidden_groups: look.hidden_groups.clone(),
        accepted: rows.passing().cloned(),
    };
    look.set_if_neq(next);
}

/// Writes what has changed into the settings.
fn remember(
    preferences: Res<Preferences>,
    audition: Res<AuditionSettings>,
    weights: Res<ActiveWeights>,
    model: Res<ActiveModel>,
    mut settings: ResMut<Settings>,
) {
    if weights.is_changed() && !weights.is_added() {
        settings.set("similarity", &Comparing::of(&weights, model.0.statistics.usual_weight()));
    }
    if preferences.is_changed() && !preferences.is_added() {
        settings.set("window", &*preferences);
    }
    if audition.is_changed() && !audition.is_added() {
        let AuditionSettings { volume_db, equal_loudness, looping } = *audition;
        settings.set("audition", &Playing { volume_db, equal_loudness, looping });
    }
}

/// Everything the panels are drawn from.
#[derive(SystemParam)]
struct Views<'w, 's> {
    table: Res<'w, SampleTable>,
    rows: Res<'w, Rows>,
    notices: Res<'w, Notices>,
    page: Res<'w, SettingsPage>,
    typed: Res<'w, TypedPath>,
    hovering: Res<'w, Hovering>,
    settings: Res<'w, Settings>,
    session: Res<'w, Session>,
    preferences: Res<'w, Preferences>,
    bindings: Res<'w, Bindings>,
    theme: Res<'w, Theme>,
    branches: Res<'w, Branches>,
    progress: Res<'w, Progress>,
    playback: Res<'w, Playback>,
    audition: Res<'w, AuditionSettings>,
    answers: Res<'w, Answers>,
    legend: Res<'w, Legend>,
    look: Res<'w, MapLook>,
    model: Res<'w, ActiveModel>,
    weights: Res<'w, ActiveWeights>,
    folders: Res<'w, Folders>,
    recorder: Res<'w, Recorder>,
    level: Res<'w, Level>,
    recording: Res<'w, RecordingSettings>,
    inputs: Res<'w, Inputs>,
    samples: Query<'w, 's, (Option<&'static AudioInfo>, Option<&'static Thumbnail>, Option<&'static Waveform>)>,
    cuts: Query<'w, 's, (Option<&'static Slices>, Option<&'static Trim>)>,
}

/// What drawing reads and writes.
#[derive(SystemParam)]
struct Panels<'w, 's> {
    views: Views<'w, 's>,
    map: ResMut<'w, Map>,
    fonts: ResMut<'w, Fonts>,
    actions: MessageWriter<'w, Action>,
    redraws: MessageWriter<'w, RequestRedraw>,
    themed: Local<'s, Option<Theme>>,
}

impl Panels<'_, '_> {
    fn draw(&mut self, context: &egui::Context) {
        let Self { views, map, fonts, actions, redraws, themed } = self;
        let fresh = themed.is_none();
        if **themed != Some(*views.theme) {
            views.theme.apply(context);
            **themed = Some(*views.theme);
        }
        if fonts.install(context) {
            redraws.write(RequestRedraw);
            context.request_repaint();
        }
        if fresh {
            // Its keys are bindings like any others here.
            context.options_mut(|options| options.zoom_with_keyboard = false);
            return;
        }
        let root = UiBuilder::new().layer_id(LayerId::background()).max_rect(context.viewport_rect());
        let mut ui = Ui::new(context.clone(), "root".into(), root);
        let mut asked = Vec::new();
        let scale = f32::from(views.preferences.scale()) / 100.0;
        if (context.zoom_factor() - scale).abs() > f32::EPSILON {
            context.set_zoom_factor(scale);
        }
        let area = show(&mut ui, views, map, &mut asked);
        path_field::show(&mut ui, &views.typed, &views.theme, &mut asked);
        dropping::show(&ui, &views.hovering, &views.theme);
        if map.area != Some(area) {
            map.area = Some(area);
        }
        if !asked.is_empty() || views.playback.sample.is_some() || views.recorder.input.is_some() {
            redraws.write(RequestRedraw);
        }
        fonts.look(context);
        actions.write_batch(asked);
    }
}

fn draw(mut contexts: EguiContexts, mut panels: Panels) -> Result {
    let context = contexts.ctx_mut()?.clone();
    panels.draw(&context);
    Ok(())
}

/// Draws everything and returns where the map lies.
fn show(ui: &mut Ui, views: &Views, map: &Map, actions: &mut Vec<Action>) -> Area {
    let Views { table, rows, session, preferences, theme, bindings, playback, .. } = views;
    let pixels_per_point = ui.ctx().pixels_per_point();
    actions.extend(pressed(ui.ctx(), views));
    let legend = |width| if preferences.legend { map::legend_height(ui, &views.legend, width) } else { 0.0 };
    let sections = layout::arrange(
        ui.max_rect(),
        preferences.sizes,
        preferences.mode(),
        strip::height(session, preferences.large_map),
        &legend,
        1.0 / pixels_per_point,
    );
    let keys = |action: &Action| bindings.text(action);
    let thumbnail = |sample: Entity| views.samples.get(sample).ok().and_then(|(_, thumbnail, _)| thumbnail);
    let seconds = |sample: Entity| views.samples.get(sample).ok()?.0.map(AudioInfo::seconds);

    let over = ui.max_rect().with_max_y(sections.status.top() - 1.0 / pixels_per_point);
    let map_area = sections.map.with_min_y((sections.map.top() + theme::HEADING).min(sections.map.bottom()));
    let map_area = Area { min: map_area.min.into(), max: map_area.max.into(), pixels_per_point };
    let statistics = &views.model.0.statistics;
    let usual = Weights::usual(statistics.usual_weight());
    let weights = (&**views.weights, &usual, statistics.head.is_some());
    let line = line(views, &keys);
    let menu = focus::menu_asked(ui.ctx(), session.requests.menu);
    if views.page.is_open() {
        section(ui, "settings", over, |ui| page(ui, views, weights, actions));
        section(ui, "status", sections.status, |ui| status::show(ui, &line, actions));
        ui.painter().rect_filled(sections.borders[0], 0.0, theme.border);
        focus::show(ui, &[], session.requests.section, theme);
        help(ui, views, over, actions);
        return map_area;
    }

    let (filter, counts, of_key) = (session.filter(), table.counts(), menu == Some(Section::Sources));
    let tree = sources::View { branches: &views.branches.0, filter, counts, menu: of_key, theme, keys: &keys };
    if let Some(rect) = sections.sources {
        section(ui, "sources", rect, |ui| sources::show(ui, &tree, actions));
    }

    let selected = session.selected();
    section(ui, "waveform", sections.waveform, |ui| wave(ui, views, &keys, actions));

    let query = session.query();
    let asked = views.answers.list.as_ref().filter(|asked| query.is_some_and(|query| asked.query.asks_the_same(query)));
    let answer = asked.and_then(|asked| asked.answer.as_ref().ok());
    let exact = answer.map(Answer::is_exact);
    let coverage = answer.map(|answer| answer.coverage).unwrap_or_default();
    let view = strip::View { table, rows, session, exact, coverage, weights, theme, keys: &keys };
    section(ui, "strip", sections.strip, |ui| strip::show(ui, &view, actions));

    if let Some(rect) = sections.list {
        #[expect(clippy::cast_possible_truncation, reason = "a share of a length")]
        let share = |sample| Some((playback.seconds.0 / seconds(sample)?.0) as f32);
        let view = list::View {
            table,
            rows,
            session,
            columns: &preferences.columns,
            menu: menu == Some(Section::List),
            weights,
            weighed_here: !preferences.large_map,
            thumbnail: &thumbnail,
            playing: playback.sample.and_then(|sample| Some((sample, share(sample)?))),
            theme,
            has_folders: !views.folders.0.is_empty(),
            keys: &keys,
        };
        section(ui, "list", rect, |ui| list::show(ui, &view, actions));
    }

    // While recording, the take's neighbours are shown wherever the pointer is.
    let take = views.answers.take.as_ref().filter(|take| take.query.single() == views.recorder.take);
    let take = take.filter(|_| views.recorder.take.is_some());
    let around = take.or(views.answers.glance.as_ref());
    let mut view = map::View {
        map,
        look: &views.look,
        legend: &views.legend,
        legend_shown: preferences.legend,
        selected,
        marked: &mut session.selection.marked.iter().copied(),
        pointed: session.selection.pointed,
        neighbours: around.and_then(|around| Some((around.query.single()?, nearest(around, EDGES)))),
        subjects: query.iter().flat_map(|query| &query.like).filter_map(Subject::entity).collect(),
        found: asked.map(|asked| nearest(asked, FOUND)).unwrap_or_default(),
        playing: playback.sample,
        name: &|sample| table.of(sample).map(|row| controls::printable(&row.name).into_owned()).unwrap_or_default(),
        hover_play: preferences.hover_play,
        loading: views.progress.loading,
        large: preferences.large_map,
        results: preferences.results,
        kept: &|sample| table.of(sample).is_some_and(|row| row.kept),
        in_query: query.is_some(),
        theme,
        keys: &keys,
    };
    section(ui, "map", sections.map, |ui| map::show(ui, &mut view, actions));
    if let Some(rect) = sections.legend {
        section(ui, "legend", rect, |ui| map::legend(ui, &view, actions));
    }

    section(ui, "status", sections.status, |ui| status::show(ui, &line, actions));

    layout::borders(ui, &sections, preferences.sizes, theme, actions);
    focus::show(ui, &homes(&sections), session.requests.section, theme);
    help(ui, views, over, actions);
    map_area
}

fn nearest(asked: &Asked, n: usize) -> Vec<Entity> {
    asked.neighbours().iter().take(n).map(|neighbour| neighbour.entity).collect()
}

/// What the status line says.
fn line<'a>(views: &'a Views, keys: &'a dyn Fn(&Action) -> String) -> status::View<'a> {
    let output = views.playback.device.as_deref().map(|device| (device, views.playback.rate));
    status::View {
        progress: &views.progress,
        notices: &views.notices,
        output,
        model: &views.model.0.manifest.id,
        theme: &views.theme,
        dark: views.preferences.theme == Appearance::Dark,
        keys,
    }
}

/// The settings page.
fn page(ui: &mut Ui, views: &Views, weights: strip::Weighed, actions: &mut Vec<Action>) {
    let view = settings::View {
        page: &views.page,
        settings: &views.settings,
        preferences: &views.preferences,
        audition: *views.audition,
        recording: &views.recording,
        inputs: &views.inputs.0,
        weights,
        bindings: &views.bindings,
        theme: &views.theme,
    };
    settings::show(ui, &view, actions);
}

/// The sheet of shortcuts, where it is wanted.
fn help(ui: &mut Ui, views: &Views, rect: Rect, actions: &mut Vec<Action>) {
    if views.session.help {
        section(ui, "help", rect, |ui| help::show(ui, &views.bindings, &views.theme, actions));
    }
}

/// What the keys that were pressed ask for: of what lies on top.
fn pressed(context: &egui::Context, views: &Views) -> Vec<Action> {
    if views.page.is_open() && !views.session.help {
        return views.page.asked(context, &views.bindings);
    }
    let mut pressed = views.bindings.pressed(context);
    if pressed.contains(&Go::Neighbours.into()) {
        // The keys go on among what is found.
        map::let_go(context);
    }
    if views.typed.is_open() {
        for action in pressed.iter_mut().filter(|action| **action == Go::Unwind.into()) {
            *action = Type::Close.into();
        }
    }
    pressed
}

/// The sections that F6 goes to, in its order.
fn homes(sections: &layout::Sections) -> Vec<(Section, Rect)> {
    let layout::Sections { sources, strip, list, map, waveform, .. } = sections;
    let sources = sources.map(|rect| (Section::Sources, rect));
    let list = list.map(|rect| (Section::List, rect));
    sources
        .into_iter()
        .chain([(Section::Strip, *strip)])
        .chain(list)
        .chain([(Section::Map, *map), (Section::Waveform, *waveform)])
        .collect()
}

fn wave(ui: &mut Ui, views: &Views, keys: &dyn Fn(&Action) -> String, actions: &mut Vec<Action>) {
    let Views { table, session, preferences, theme, playback, .. } = views;
    let selected = session.selected();
    let subject = selected.and_then(|selected| {
        let (info, thumbnail, wave) = views.samples.get(selected).ok()?;
        let row = table.of(selected);
        (row.is_some() || wave.is_some()).then_some(waveform::Subject { entity: selected, row, info, thumbnail, wave })
    });
    let (slices, trim) = selected.and_then(|selected| views.cuts.get(selected).ok()).unwrap_or_default();
    let view = waveform::View {
        subject,
        span: session.selection.within.visible,
        region: session.selection.within.region,
        playhead: (playback.sample.is_some() && playback.sample == selected).then_some(playback.seconds.0),
        playing: playback.sample.is_some(),
        asked: session.query().and_then(|query| query.single()),
        audition: *views.audition,
        autoplay: preferences.autoplay,
        mono: preferences.mono,
        auto_gain: preferences.auto_gain,
        snap: preferences.snap,
        record: record::View {
            recorder: &views.recorder,
            level: &views.level,
            settings: &views.recording,
            inputs: &views.inputs.0,
            written: views.recorder.take.and_then(|take| {
                let info = views.samples.get(take).ok()?.0?;
                let width = if views.recording.format == Format::Int24 { 3 } else { 4 };
                Some((info.seconds().0, info.frames.0 * u64::from(info.channels) * width))
            }),
            waits: preferences.record_when_loud,
            theme,
            keys,
        },
        cuts: waveform::Cuts {
            slices: slices.filter(|_| session.selection.within.splits).map(|slices| slices.0.as_slice()),
            splits: session.selection.within.splits,
            trim: trim.map(|trim| trim.0),
        },
        theme,
        keys,
    };
    waveform::show(ui, &view, actions);
}

/// Draws a section. Its ground is what the window has been cleared with: to paint it again would be most of a frame's pixels.
fn section(ui: &mut Ui, name: &str, rect: Rect, add: impl FnOnce(&mut Ui)) {
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).id_salt(name));
    child.set_clip_rect(rect);
    add(&mut child);
}
