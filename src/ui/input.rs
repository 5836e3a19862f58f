//! What window and keyboard say, as egui reads it, where `bevy_egui` 0.42 gets it wrong.
//!
//! It gives every event of a frame the modifier keys that are held at the frame's end: a chord that is pressed and let go
//! within one frame, as macro pads and slow frames do, would lose its Ctrl. Here each key and each click keeps the modifiers
//! that were held when it was pressed.

use bevy::input::ButtonState;
use bevy::input::keyboard::{Key, KeyboardFocusLost, KeyboardInput};
use bevy::input::mouse::MouseButton;
use bevy::prelude::*;
use bevy::window::WindowEvent;
use bevy_egui::egui::{self, Modifiers, PointerButton};
use bevy_egui::helpers::{bevy_to_egui_key, bevy_to_egui_physical_key};
use bevy_egui::input::EguiInputEvent;
use bevy_egui::{
    EguiClipboard, EguiContextSettings, EguiInput, EguiInputSet, EguiInputSystemSettings, EguiPreUpdateSet,
    PrimaryEguiContext,
};

/// Takes over what `bevy_egui` would do with keys.
pub(super) fn plugin(app: &mut App) {
    app.add_systems(PreUpdate, keys.in_set(EguiInputSet::ReadBevyMessages)).add_systems(
        PreUpdate,
        (clicks, drop_repeated_modifiers)
            .chain()
            .after(EguiPreUpdateSet::ProcessInput)
            .before(EguiPreUpdateSet::BeginPass),
    );
}

/// Settings of a context whose keys come from here.
pub(super) fn settings() -> EguiContextSettings {
    let input = EguiInputSystemSettings { run_write_keyboard_input_messages_system: false, ..default() };
    EguiContextSettings { input_system_settings: input, ..default() }
}

/// Modifier keys that are held down.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
struct Held {
    shift: bool,
    control: bool,
    alt: bool,
    command: bool,
}

impl Held {
    fn follow(&mut self, input: &KeyboardInput) {
        let held = match input.logical_key {
            Key::Shift => &mut self.shift,
            Key::Control => &mut self.control,
            Key::Alt => &mut self.alt,
            Key::Super | Key::Meta => &mut self.command,
            _ => return,
        };
        *held = input.state.is_pressed();
    }

    fn modifiers(self) -> Modifiers {
        let mac = cfg!(target_os = "macos");
        Modifiers {
            alt: self.alt,
            ctrl: self.control,
            shift: self.shift,
            mac_cmd: mac && self.command,
            command: if mac { self.command } else { self.control },
        }
    }

    /// Ctrl and Alt together are `AltGr`, which writes letters.
    fn writes(self) -> bool {
        !self.command && (!self.control || self.alt)
    }
}

/// What a key means to egui under the modifiers that are held.
fn events(held: Held, input: &KeyboardInput, clipboard: &mut dyn FnMut() -> Option<String>) -> Vec<egui::Event> {
    let pressed = input.state == ButtonState::Pressed;
    let mut events = Vec::new();
    if pressed && held.writes() {
        match &input.logical_key {
            Key::Character(text) if !text.contains(char::is_control) => {
                events.push(egui::Event::Text(text.to_string()));
            }
            Key::Space => events.push(egui::Event::Text(" ".to_owned())),
            _ => {}
        }
    }
    // egui knows no menu key, which asks for the same as Shift+F10.
    if input.logical_key == Key::ContextMenu {
        let modifiers = Modifiers::SHIFT;
        events.push(egui::Event::Key {
            key: egui::Key::F10,
            physical_key: None,
            pressed,
            repeat: input.repeat,
            modifiers,
        });
        return events;
    }
    // Layouts without Latin letters have shortcuts by the place of a key.
    let physical_key = bevy_to_egui_physical_key(&input.key_code);
    let Some(key) = bevy_to_egui_key(&input.logical_key).or(physical_key) else { return events };
    let modifiers = held.modifiers();
    events.push(egui::Event::Key { key, physical_key, pressed, repeat: input.repeat, modifiers });
    if pressed && modifiers.command {
        match key {
            egui::Key::C => events.push(egui::Event::Copy),
            egui::Key::X => events.push(egui::Event::Cut),
            egui::Key::V => events.extend(clipboard().map(egui::Event::Paste)),
            _ => {}
        }
    }
    events
}

/// Hands keys to egui in the order in which they were pressed.
fn keys(
    mut inputs: MessageReader<KeyboardInput>,
    mut lost: MessageReader<KeyboardFocusLost>,
    context: Option<Single<Entity, With<PrimaryEguiContext>>>,
    mut clipboard: ResMut<EguiClipboard>,
    mut writer: MessageWriter<EguiInputEvent>,
    mut held: Local<Held>,
) {
    if lost.read().count() > 0 {
        *held = Held::default();
    }
    let Some(context) = context else { return };
    for input in inputs.read() {
        held.follow(input);
        let events = events(*held, input, &mut || clipboard.get_text());
        writer.write_batch(events.into_iter().map(|event| EguiInputEvent { context: *context, event }));
    }
}

/// Gives clicks the modifiers that were held when they were made.
fn clicks(mut events: MessageReader<WindowEvent>, mut inputs: Query<&mut EguiInput>, mut held: Local<Held>) {
    let mut made = Vec::new();
    for event in events.read() {
        match event {
            WindowEvent::KeyboardInput(input) => held.follow(input),
            WindowEvent::KeyboardFocusLost(_) => *held = Held::default(),
            WindowEvent::MouseButtonInput(input) => {
                made.extend(button(input.button).map(|button| (button, input.state.is_pressed(), held.modifiers())));
            }
            _ => {}
        }
    }
    for mut input in &mut inputs {
        mend(&mut input.events, made.clone());
    }
}

/// What egui calls a button; those that it does not know do not reach it.
fn button(button: MouseButton) -> Option<PointerButton> {
    match button {
        MouseButton::Left => Some(PointerButton::Primary),
        MouseButton::Right => Some(PointerButton::Secondary),
        MouseButton::Middle => Some(PointerButton::Middle),
        MouseButton::Back => Some(PointerButton::Extra1),
        MouseButton::Forward => Some(PointerButton::Extra2),
        MouseButton::Other(_) => None,
    }
}

/// Gives each button event the modifiers of the first of those `made` that is the same button and move.
fn mend(events: &mut [egui::Event], mut made: Vec<(PointerButton, bool, Modifiers)>) {
    for event in events {
        if let egui::Event::PointerButton { button, pressed, modifiers, .. } = event
            && let Some(place) = made.iter().position(|(of, down, _)| (of, down) == (button, pressed))
        {
            *modifiers = made.remove(place).2;
        }
    }
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

/// The modifiers of the last click of a frame, or those that are held.
pub(super) fn modifiers(input: &egui::InputState) -> Modifiers {
    let clicked = input.events.iter().rev().find_map(|event| match event {
        egui::Event::PointerButton { modifiers, .. } => Some(*modifiers),
        _ => None,
    });
    clicked.unwrap_or(input.modifiers)
}

#[cfg(test)]
mod tests {
    use bevy::input::keyboard::KeyCode;

    use super::*;

    fn input(logical_key: Key, key_code: KeyCode, pressed: bool) -> KeyboardInput {
        let state = if pressed { ButtonState::Pressed } else { ButtonState::Released };
        KeyboardInput { key_code, logical_key, state, text: None, repeat: false, window: Entity::PLACEHOLDER }
    }

    #[test]
    fn a_chord_that_is_let_go_within_the_frame_keeps_its_modifiers() {
        let control = |pressed| input(Key::Control, KeyCode::ControlLeft, pressed);
        let letter = |pressed| input(Key::Character("f".into()), KeyCode::KeyF, pressed);
        let mut held = Held::default();
        let mut all = Vec::new();
        for input in [control(true), letter(true), control(false), letter(false), letter(true)] {
            held.follow(&input);
            all.extend(events(held, &input, &mut || None));
        }
        let pressed = |event: &egui::Event| match event {
            egui::Event::Key { key: egui::Key::F, pressed: true, modifiers, .. } => Some(modifiers.command),
            _ => None,
        };
        assert_eq!(all.iter().filter_map(pressed).collect::<Vec<_>>(), [true, false]);
        let written = all.iter().filter(|event| matches!(event, egui::Event::Text(_))).count();
        assert_eq!(written, 1, "a chord writes nothing: {all:?}");
    }

    #[test]
    fn the_menu_key_is_shift_and_f10() {
        let all = events(Held::default(), &input(Key::ContextMenu, KeyCode::ContextMenu, true), &mut || None);
        let menu = |event: &egui::Event| match event {
            egui::Event::Key { key, pressed: true, modifiers, .. } => *key == egui::Key::F10 && modifiers.shift_only(),
            _ => false,
        };
        assert!(all.len() == 1 && menu(&all[0]), "{all:?}");
    }

    #[test]
    fn every_click_gets_its_own_modifiers_whatever_buttons_a_mouse_has() {
        let click = |button, pressed| egui::Event::PointerButton {
            pos: egui::Pos2::ZERO,
            button,
            pressed,
            modifiers: Modifiers::NONE,
        };
        // A touch is a click as well, and a ninth button is none for egui.
        let mut events = vec![
            click(PointerButton::Extra2, true),
            egui::Event::PointerGone,
            click(PointerButton::Primary, true),
            click(PointerButton::Primary, false),
            click(PointerButton::Primary, true),
        ];
        let pressed = [
            (MouseButton::Other(9), true, Modifiers::ALT),
            (MouseButton::Left, true, Modifiers::SHIFT),
            (MouseButton::Forward, true, Modifiers::CTRL),
            (MouseButton::Left, false, Modifiers::NONE),
            (MouseButton::Left, true, Modifiers::COMMAND),
        ];
        let made = pressed.into_iter().filter_map(|(which, down, held)| Some((button(which)?, down, held)));
        mend(&mut events, made.collect());
        let held = events.iter().filter_map(|event| match event {
            egui::Event::PointerButton { modifiers, .. } => Some(*modifiers),
            _ => None,
        });
        let expected = [Modifiers::CTRL, Modifiers::SHIFT, Modifiers::NONE, Modifiers::COMMAND];
        assert_eq!(held.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn ctrl_and_a_letter_copy_cut_and_paste_and_alt_gr_writes() {
        let held = Held { control: true, ..default() };
        let of = |held, letter: &str, code| {
            events(held, &input(Key::Character(letter.into()), code, true), &mut || Some("x".to_owned()))
        };
        assert!(of(held, "c", KeyCode::KeyC).contains(&egui::Event::Copy));
        assert!(of(held, "x", KeyCode::KeyX).contains(&egui::Event::Cut));
        assert!(of(held, "v", KeyCode::KeyV).contains(&egui::Event::Paste("x".to_owned())));
        let alt_gr = Held { control: true, alt: true, ..default() };
        assert!(of(alt_gr, "@", KeyCode::KeyQ).contains(&egui::Event::Text("@".to_owned())));
    }
}
