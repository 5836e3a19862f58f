//! What the user can ask for, and the keys that ask for it.
//!
//! Panels and keys only append [`Action`]s; what they do happens in the next frame, in one place. The keys are one
//! table: the settings file changes it, the sheet of shortcuts shows it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bevy::prelude::*;
use bevy_egui::egui::{self, Key, KeyboardShortcut, Modifiers};
use dsp::descriptors::Group;

use super::preferences::Sizes;
use super::shown::{Column, Only};
use crate::map::{Arrangement, ColourBy};

/// How a click changes the selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choose {
    /// This one only.
    Only,
    /// Adds this one to the selection, or takes it out.
    Toggle,
    /// Everything from the selected one to this.
    Extend,
}

/// A part by which sounds are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The learned head, against the network alone.
    Head,
    /// A group of descriptors.
    Group(Group),
}

/// Something that the user has asked for.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Action {
    /// Selects a sample and, if so set, plays it.
    Select(Entity, Choose),
    /// Selects the row so many rows further down.
    Step(i32),
    /// Selects the first or last row.
    End(bool),
    /// Marks these samples.
    Mark(Vec<Entity>),
    /// Points at a sample, on the map.
    Point(Option<Entity>),
    /// Gets a sample ready that may be played soon.
    Prepare(Entity),
    /// Plays, or stops what plays.
    PlayOrStop,
    /// Plays from the start.
    Replay,
    /// Stops.
    Stop,
    /// Plays from here, in seconds.
    PlayFrom(f64),
    /// Plays this sample, whatever is selected.
    Play(Entity),
    /// Chooses a part of the selected sample, in seconds.
    Region(Option<[f64; 2]>),
    /// Shows this part of the waveform, in seconds.
    Span([f64; 2]),
    /// One channel or all in the waveform.
    ToggleMono,
    /// Over and over, or once.
    ToggleLoop,
    /// All sounds equally loud, or as they are.
    ToggleEqualLoudness,
    /// Volume in dB.
    Volume(f32),
    /// Whether selecting plays.
    ToggleAutoplay,
    /// Whether the map plays what the pointer passes.
    ToggleHoverPlay,
    /// Asks for the neighbours of the selected sample.
    Neighbours,
    /// Moves the query away from the selected sample, or no longer.
    LessLike,
    /// Begins a take, or ends it.
    ToggleRecord,
    /// Begins a take with what was played just before.
    RecordBefore,
    /// Begins a take that is only a question, or ends it.
    AskByRecording,
    /// Keeps the input open between takes, or closes it.
    ToggleArm,
    /// Forgets that the input has clipped.
    Unclip,
    /// Takes begin when it gets loud, or at once.
    ToggleThreshold,
    /// Takes are written with 24 bits, or as floats.
    ToggleFormat,
    /// Records these channels, counted from 1; none for all.
    RecordChannels(Vec<u16>),
    /// Records from the input of this name; empty for the default.
    RecordFrom(String),
    /// Asks which inputs there are.
    ListInputs,
    /// Shows or hides where the selected sample could be split.
    Split,
    /// Splits the selected sample here: start and end of each slice in seconds.
    Slice(Vec<[f64; 2]>),
    /// Writes the slices.
    SaveSlices,
    /// Leaves out the silence at the ends of the selected take.
    Trim,
    /// Weighs a part of the comparison, 0..=1; `None` for its usual weight.
    Weigh(Part, Option<f32>),
    /// Ends the query and goes back to where it was asked.
    ClearQuery,
    /// To the place before.
    Back,
    /// To the place after.
    Forward,
    /// Filters by name and path.
    Search(String),
    /// Puts the cursor into the search field.
    FocusSearch,
    /// Leaves the search field for the list.
    LeaveSearch,
    /// Shows one folder, or all.
    Folder(Option<PathBuf>),
    /// Shows the sounds of one state, wherever they lie.
    Only(Only),
    /// Opens or closes a branch of the folders.
    Branch(PathBuf),
    /// Sorts by a column; once more turns the order.
    Sort(Column),
    /// Where the list has been scrolled to, in points.
    Scrolled(f32),
    /// Marks the selected samples as kept, or takes the mark away.
    Keep,
    /// Steps back: stop, close, clear.
    Unwind,
    /// Takes back the last change.
    Undo,
    /// Shows or hides the sheet of shortcuts.
    ToggleHelp,
    /// Asks which folder to add.
    AskForFolder,
    /// Removes a folder of the library, never its files.
    Remove(PathBuf),
    /// Shows a file or folder in the file manager.
    Reveal(PathBuf),
    /// Shows the selected sample in the file manager.
    RevealSelected,
    /// Puts the selected files on the clipboard.
    CopyFiles,
    /// Pauses indexing, or goes on.
    TogglePause,
    /// Drags a divider.
    Resize(Sizes),
    /// The map takes the list's place, or gives it back.
    ToggleLargeMap,
    /// Dark or light.
    ToggleTheme,
    /// What colours mean on the map.
    ColourBy(ColourBy),
    /// How the map is arranged.
    Arrange(Arrangement),
    /// Shows or hides a group of the legend.
    ToggleGroup(String),
    /// Shows or hides the legend.
    ToggleLegend,
    /// Shows the whole map.
    FitMap,
    /// Moves the map by points.
    PanMap([f32; 2]),
    /// Zooms the map by a factor around a point of the window.
    ZoomMap([f32; 2], f32),
    /// Brings the selected sample to the middle of the map.
    FindOnMap,
    /// Notes that a notice was read.
    DismissNotice,
}

/// Something a key does.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Its name in the settings file.
    pub name: &'static str,
    /// What it does, for the sheet.
    pub what: &'static str,
    /// The section of the sheet.
    pub group: &'static str,
    /// The keys, any of which will do.
    pub keys: Vec<KeyboardShortcut>,
    action: Action,
}

/// All keys.
#[derive(Resource, Clone, Debug)]
pub struct Bindings(pub Vec<Binding>);

/// Name, section, keys, meaning and action of every shortcut.
const TABLE: &[(&str, &str, &str, &str, Action)] = &[
    ("play", "Listen", "Space", "Play or stop", Action::PlayOrStop),
    ("replay", "Listen", "Right", "Play again from the start", Action::Replay),
    ("stop", "Listen", "Left", "Stop", Action::Stop),
    ("loop", "Listen", "L", "Loop", Action::ToggleLoop),
    ("equal_loudness", "Listen", "E", "Equal loudness", Action::ToggleEqualLoudness),
    ("autoplay", "Listen", "A", "Play sounds when selected", Action::ToggleAutoplay),
    ("hover_play", "Listen", "H", "Play sounds under the pointer (or hold Alt)", Action::ToggleHoverPlay),
    ("record", "Record", "R", "Start or stop recording", Action::ToggleRecord),
    ("record_before", "Record", "B", "Record, including the seconds just before", Action::RecordBefore),
    ("listen", "Record", "I", "Keep the input open between takes", Action::ToggleArm),
    ("ask_by_recording", "Record", "Q", "Record only to find similar sounds", Action::AskByRecording),
    ("split", "Record", "S", "Show where to split the sound", Action::Split),
    ("next", "Choose", "Down", "Next sound", Action::Step(1)),
    ("previous", "Choose", "Up", "Previous sound", Action::Step(-1)),
    ("page_down", "Choose", "PageDown", "Ten sounds down", Action::Step(10)),
    ("page_up", "Choose", "PageUp", "Ten sounds up", Action::Step(-10)),
    ("first", "Choose", "Home", "First sound", Action::End(false)),
    ("last", "Choose", "End", "Last sound", Action::End(true)),
    ("keep", "Choose", "Enter", "Keep this sound, or stop keeping it", Action::Keep),
    ("copy", "Choose", "Ctrl+C", "Copy the selected files", Action::CopyFiles),
    ("reveal", "Choose", "Ctrl+R", "Show in the file manager", Action::RevealSelected),
    ("neighbours", "Find", "N", "Find sounds like this one, its region, or all marked", Action::Neighbours),
    ("less_like", "Find", "X", "Less like this one, within a query", Action::LessLike),
    ("search", "Find", "Ctrl+F", "Search names and paths", Action::FocusSearch),
    ("back", "Find", "Alt+Left", "Back to the previous query", Action::Back),
    ("forward", "Find", "Alt+Right", "Forward to the next query", Action::Forward),
    ("find_on_map", "Map", "G", "Find the selected sound on the map", Action::FindOnMap),
    ("fit", "Map", "F", "Show the whole map", Action::FitMap),
    ("large_map", "Map", "M", "Switch between large map and list", Action::ToggleLargeMap),
    ("unwind", "Window", "Escape", "Stop playing, close, then clear the query", Action::Unwind),
    ("undo", "Window", "Ctrl+Z", "Undo", Action::Undo),
    ("add_folder", "Window", "Ctrl+O", "Add a folder", Action::AskForFolder),
    ("pause", "Window", "Ctrl+P", "Pause or resume indexing", Action::TogglePause),
    ("theme", "Window", "Ctrl+T", "Switch between dark and light theme", Action::ToggleTheme),
    ("shortcuts", "Window", "? F1", "Show or hide this list", Action::ToggleHelp),
];

impl Default for Bindings {
    fn default() -> Self {
        let binding = |(name, group, keys, what, action): &(&'static str, &'static str, &str, &'static str, Action)| {
            Binding { name, what, group, keys: keys.split(' ').filter_map(parse).collect(), action: action.clone() }
        };
        Self(TABLE.iter().map(binding).collect())
    }
}

impl Bindings {
    /// Replaces default keys with the user's and returns what could not be understood.
    ///
    /// Several keys for one action are separated by spaces; an empty text means none.
    pub fn change(&mut self, keys: &BTreeMap<String, String>) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, text) in keys {
            let Some(binding) = self.0.iter_mut().find(|b| b.name == name) else {
                problems.push(format!("unknown shortcut in the settings: {name}"));
                continue;
            };
            let parsed: Vec<_> = text.split_whitespace().map(|one| (one, parse(one))).collect();
            if let Some((wrong, _)) = parsed.iter().find(|(_, key)| key.is_none()) {
                problems.push(format!("unknown key for shortcut {name} in the settings: {wrong}"));
                continue;
            }
            binding.keys = parsed.into_iter().filter_map(|(_, key)| key).collect();
        }
        problems
    }

    /// Takes the keys that were pressed out of egui's input and returns what they ask for.
    ///
    /// Keys without Ctrl or Alt are ignored while the user types text.
    pub fn pressed(&self, context: &egui::Context) -> Vec<Action> {
        let writing = context.text_edit_focused();
        if egui::Popup::is_any_open(context) {
            // An open menu has the keys, Escape above all.
            return Vec::new();
        }
        let mut actions = Vec::new();
        // Shortcuts with more modifiers first, so that Alt+Left is not taken for Left.
        let mut all: Vec<(&Binding, &KeyboardShortcut)> =
            self.0.iter().flat_map(|b| b.keys.iter().map(move |key| (b, key))).collect();
        all.sort_by_key(|(_, key)| std::cmp::Reverse(u8::from(key.modifiers.alt) + u8::from(key.modifiers.command)));
        for (binding, key) in all {
            let single = !key.modifiers.command && !key.modifiers.alt;
            if writing && (single || binding.action == Action::CopyFiles || binding.action == Action::Undo) {
                continue;
            }
            let mut times = 0;
            while context.input_mut(|input| consume(input, *key)) {
                times += 1;
            }
            if binding.action == Action::CopyFiles {
                // Window systems turn Ctrl+C into an event of its own.
                context.input_mut(|input| {
                    let before = input.events.len();
                    input.events.retain(|event| *event != egui::Event::Copy);
                    times += before - input.events.len();
                });
            }
            actions.extend(std::iter::repeat_n(binding.action.clone(), times));
        }
        actions
    }

    /// The keys of an action as text, such as `Ctrl+F`; empty when it has none.
    pub fn text(&self, action: &Action) -> String {
        let binding = self.0.iter().find(|b| b.action == *action);
        binding.and_then(|b| b.keys.first()).map(|key| name(*key)).unwrap_or_default()
    }
}

/// Consumes one key press; Shift is ignored because some keyboards need it for characters such as `?`.
fn consume(input: &mut egui::InputState, shortcut: KeyboardShortcut) -> bool {
    let found = input.events.iter().position(|event| {
        matches!(event, egui::Event::Key { key, pressed: true, modifiers, .. }
            if *key == shortcut.logical_key
                && modifiers.command == shortcut.modifiers.command
                && modifiers.alt == shortcut.modifiers.alt)
    });
    found.map(|at| input.events.remove(at)).is_some()
}

fn parse(text: &str) -> Option<KeyboardShortcut> {
    let (modifiers, key) = text.rsplit_once('+').filter(|(_, key)| !key.is_empty()).unwrap_or(("", text));
    let mut shortcut = KeyboardShortcut::new(Modifiers::NONE, Key::from_name(key)?);
    for modifier in modifiers.split('+').filter(|m| !m.is_empty()) {
        match modifier.to_ascii_lowercase().as_str() {
            "ctrl" | "cmd" => shortcut.modifiers |= Modifiers::COMMAND,
            "alt" => shortcut.modifiers |= Modifiers::ALT,
            _ => return None,
        }
    }
    Some(shortcut)
}

/// A key as it is written in the settings and on the sheet.
pub fn name(shortcut: KeyboardShortcut) -> String {
    let control = if shortcut.modifiers.command { "Ctrl+" } else { "" };
    let alt = if shortcut.modifiers.alt { "Alt+" } else { "" };
    format!("{control}{alt}{}", shortcut.logical_key.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(key: Key, modifiers: Modifiers) -> egui::RawInput {
        let event = egui::Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
        egui::RawInput { events: vec![egui::Event::ModifiersChanged(modifiers), event], ..Default::default() }
    }

    fn asked(bindings: &Bindings, input: egui::RawInput, writing: bool) -> Vec<Action> {
        let context = egui::Context::default();
        let mut text = String::new();
        let id = egui::Id::new("field");
        let mut actions = Vec::new();
        for input in [egui::RawInput::default(), input] {
            let mut output = context.run_ui(input, |ui| {
                actions = bindings.pressed(ui.ctx());
                ui.add(egui::TextEdit::singleline(&mut text).id(id));
                if writing {
                    ui.ctx().memory_mut(|memory| memory.request_focus(id));
                }
            });
            output.textures_delta.clear();
        }
        actions
    }

    #[test]
    fn every_shortcut_is_understood_and_no_key_does_two_things() {
        let bindings = Bindings::default();
        let mut seen = std::collections::HashMap::new();
        for (binding, (.., keys, _, _)) in bindings.0.iter().zip(TABLE) {
            assert_eq!(binding.keys.len(), keys.split(' ').count(), "{}", binding.name);
            for key in &binding.keys {
                assert_eq!(parse(&name(*key)), Some(*key));
                assert_eq!(seen.insert(name(*key), binding.name), None, "{}", name(*key));
            }
        }
    }

    #[test]
    fn single_keys_rest_while_text_is_written() {
        let bindings = Bindings::default();
        assert_eq!(asked(&bindings, press(Key::N, Modifiers::NONE), false), [Action::Neighbours]);
        assert_eq!(asked(&bindings, press(Key::N, Modifiers::NONE), true), []);
        assert_eq!(asked(&bindings, press(Key::F, Modifiers::COMMAND), true), [Action::FocusSearch]);
    }

    #[test]
    fn modifiers_tell_shortcuts_apart() {
        let bindings = Bindings::default();
        assert_eq!(asked(&bindings, press(Key::ArrowLeft, Modifiers::ALT), false), [Action::Back]);
        assert_eq!(asked(&bindings, press(Key::ArrowLeft, Modifiers::NONE), false), [Action::Stop]);
        assert_eq!(asked(&bindings, press(Key::Questionmark, Modifiers::SHIFT), false), [Action::ToggleHelp]);
    }

    #[test]
    fn keys_from_the_settings_replace_the_usual_ones() {
        let mut bindings = Bindings::default();
        let keys = [("neighbours", "K Ctrl+K"), ("loop", ""), ("stop", "Banana"), ("fly", "F")];
        let problems = bindings.change(&keys.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!(asked(&bindings, press(Key::K, Modifiers::NONE), false), [Action::Neighbours]);
        assert_eq!(asked(&bindings, press(Key::N, Modifiers::NONE), false), []);
        assert_eq!(bindings.text(&Action::ToggleLoop), "");
        assert_eq!(asked(&bindings, press(Key::ArrowLeft, Modifiers::NONE), false), [Action::Stop]);
    }
}
