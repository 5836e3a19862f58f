//! The window: for now its ground and a status line; list, map and waveform are to come.
//!
//! Panels read a view of the components and draw it; drawing twice changes nothing.

mod theme;

use bevy::camera::visibility::RenderLayers;
use bevy::prelude::*;
use bevy::window::{PresentMode, PrimaryWindow};
use bevy::winit::{EventLoopProxyWrapper, WinitSettings, WinitUserEvent};
use bevy_egui::egui::{self, LayerId, Ui, UiBuilder};
use bevy_egui::{
    EguiContexts, EguiGlobalSettings, EguiInput, EguiPlugin, EguiPreUpdateSet, EguiPrimaryContextPass,
    PrimaryEguiContext,
};

use crate::actor::Wake;
use crate::embed::Embedding;
use crate::map::MapPlugin;
use crate::sample::{Failed, Guest, Missing, Notice, Sample};

/// Height of the status line in points.
const STATUS_HEIGHT: f32 = 26.0;
/// Space between the window's edge and text in points.
const PADDING: f32 = 12.0;

/// Opens the window; goes before the plugins of the engine.
pub struct WindowPlugin;

impl Plugin for WindowPlugin {
    fn build(&self, app: &mut App) {
        let window = Window {
            title: "Soundkin".to_owned(),
            name: Some("soundkin".to_owned()),
            resolution: (1440, 900).into(),
            present_mode: PresentMode::AutoVsync,
            ..default()
        };
        let plugin = bevy::window::WindowPlugin { primary_window: Some(window), ..default() };
        app.add_plugins(DefaultPlugins.set(plugin)).insert_resource(WinitSettings::desktop_app());
    }
}

/// Draws the window.
pub struct UiPlugin;

impl Plugin for UiPlugin {
    fn build(&self, app: &mut App) {
        app.add_plugins((EguiPlugin::default(), MapPlugin))
            .init_resource::<Status>()
            .insert_resource(ClearColor(bevy_colour(theme::GROUND)))
            .add_systems(Startup, open)
            .add_systems(
                PreUpdate,
                drop_repeated_modifiers.after(EguiPreUpdateSet::ProcessInput).before(EguiPreUpdateSet::BeginPass),
            )
            .add_systems(Update, count.in_set(crate::SoundkinSystems::Derive))
            .add_systems(EguiPrimaryContextPass, draw);
    }
}

/// What the status line says.
#[derive(Resource, Default, Clone, Debug, PartialEq)]
struct Status {
    sounds: usize,
    analysed: usize,
    failed: usize,
    notice: String,
}

/// Tells whether there is a display to open a window on.
pub fn has_display() -> bool {
    if cfg!(not(target_os = "linux")) {
        return true;
    }
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
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

/// Takes out the event with which `bevy_egui` 0.42 repeats the modifier keys in every frame, unless they changed: egui
/// 0.36 asks for another frame after any event, so the window would never rest.
fn drop_repeated_modifiers(mut inputs: Query<&mut EguiInput>, mut last: Local<egui::Modifiers>) {
    for mut input in &mut inputs {
        input.events.retain(|event| match event {
            egui::Event::ModifiersChanged(now) => std::mem::replace(&mut *last, *now) != *now,
            _ => true,
        });
    }
}

fn count(
    mut status: ResMut<Status>,
    samples: Query<(Has<Embedding>, Has<Failed>), (With<Sample>, Without<Guest>, Without<Missing>)>,
    mut notices: MessageReader<Notice>,
) {
    let mut next = Status { notice: status.notice.clone(), ..Status::default() };
    for (embedded, failed) in &samples {
        next.sounds += 1;
        next.analysed += usize::from(embedded);
        next.failed += usize::from(failed);
    }
    if let Some(notice) = notices.read().last() {
        next.notice.clone_from(&notice.text);
    }
    status.set_if_neq(next);
}

fn draw(mut contexts: EguiContexts, status: Res<Status>) -> Result {
    let context = contexts.ctx_mut()?;
    let area = context.viewport_rect();
    let root = UiBuilder::new().layer_id(LayerId::background()).max_rect(area);
    show(&mut Ui::new(context.clone(), "root".into(), root), &status);
    Ok(())
}

fn show(ui: &mut Ui, status: &Status) {
    let area = ui.max_rect();
    let line = area.bottom() - STATUS_HEIGHT;
    let pixel = 1.0 / ui.ctx().pixels_per_point();
    ui.painter().hline(area.x_range(), line, egui::Stroke::new(pixel, theme::BORDER));
    let font = egui::FontId::proportional(12.0);
    let middle = line + STATUS_HEIGHT / 2.0;
    let text = match status.sounds {
        0 => "No sounds yet: start with `soundkin FOLDER`".to_owned(),
        n => format!("{n} sounds · {} analysed · {} failed", status.analysed, status.failed),
    };
    let left = egui::pos2(area.left() + PADDING, middle);
    ui.painter().text(left, egui::Align2::LEFT_CENTER, text, font.clone(), theme::TEXT);
    let right = egui::pos2(area.right() - PADDING, middle);
    ui.painter().text(right, egui::Align2::RIGHT_CENTER, &status.notice, font, theme::MUTED);
}

fn bevy_colour(colour: egui::Color32) -> Color {
    let [r, g, b, a] = colour.to_array();
    Color::srgba_u8(r, g, b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_twice_changes_nothing() {
        let context = egui::Context::default();
        let status = Status { sounds: 3, analysed: 2, failed: 1, notice: "drive is full".to_owned() };
        let pass = || {
            let mut output = context.run_ui(egui::RawInput::default(), |ui| show(ui, &status));
            output.textures_delta.clear();
            output.shapes.len()
        };
        pass();
        assert_eq!(pass(), pass());
    }
}
