//! What the user can ask for, and the keys that ask for it.
//!
//! Panels and keys only append [`Action`]s; what they do happens in the next frame, in one place. The keys are one
//! table: the settings file changes it, the sheet of shortcuts shows it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bevy::prelude::*;
use bevy_egui::egui::{self, Key, KeyboardShortcut, Modifiers};
use dsp::descriptors;
use dsp::{Seconds, Span};
use serde::{Deserialize, Serialize};
use similarity::weights::By;

use super::columns::Columns;
use super::focus;
use crate::library::table::{Column, Group, GroupKind, StatusFilter};
use crate::map::{Arrangement, ColourBy, GroupKey};
use crate::neighbours::vectors::Sound;

/// How a click changes the selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choose {
    /// This one only.
    Only,
    /// Adds this one to the selection, or takes it out.
    Toggle,
    /// Everything from the selected one to this.
    Extend,
    /// This one only, unless it is among those chosen: for a menu over it.
    Keep,
}

/// A part by which sounds are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The learned head, against the network alone.
    Head,
    /// The neighbourhoods, against the sounds by themselves.
    Neighbourhood,
    /// A group of descriptors.
    Group(descriptors::Group),
}

/// What the user can drag.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sizes {
    /// Width of the sources in points.
    pub sources: f32,
    /// Height of the waveform in points.
    pub waveform: f32,
    /// Width of the list, as a share of what it and the map have.
    pub list: f32,
    /// Width of the results beside a large map in points.
    pub results: f32,
    /// Height of the waveform under a large map in points.
    pub low_waveform: f32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { sources: 215.0, waveform: 190.0, list: 0.457, results: 290.0, low_waveform: 130.0 }
    }
}

/// Something that the list is narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// The neighbours of a query.
    Query,
    /// A folder.
    Folder,
    /// A state.
    Status,
    /// A group of samples.
    Group(GroupKind),
}

/// Something that the user has asked for, by who acts on it.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Action {
    /// Where in the library the user goes, and what is chosen there; for `session`.
    Go(Go),
    /// What is heard; for `listen`.
    Listen(Listen),
    /// What is changed in the library, and can be undone; for `edits`.
    Edit(Edit),
    /// What is recorded and cut; for `record`.
    Take(Take),
    /// What the desktop and the workers are asked for; for `desktop`.
    Outside(Outside),
    /// How the map is looked at; for `map`.
    OnMap(OnMap),
    /// How the window looks and behaves; for `preferences`.
    Prefer(Prefer),
    /// How sounds are compared; for `weigh`.
    Weigh(Weigh),
    /// What is done on the settings page; for `settings`.
    Setup(Setup),
    /// Which path is typed; for `path_field`.
    Type(Type),
}

/// Where in the library the user goes, and what is chosen there; for `session`.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Go {
    /// Selects a sample and, if so set, plays it.
    Select(Entity, Choose),
    /// Selects the row so many rows further down.
    Step(i32),
    /// Selects the row so many rows further down as well.
    Reach(i32),
    /// Selects the first or last row.
    End(bool),
    /// Selects everything that is listed.
    All,
    /// Marks these samples.
    Mark(Vec<Entity>),
    /// Points at a sample, on the map.
    Point(Option<Entity>),
    /// Chooses a part of the selected sample.
    Region(Option<Span>),
    /// Shows this part of the waveform.
    Span(Span),
    /// Asks for the neighbours of the selected sample.
    Neighbours,
    /// Asks for the neighbours of files that need not be in the library.
    LikeFiles(Vec<Sound>),
    /// Moves the query away from the selected sample, or no longer.
    LessLike,
    /// Takes away one thing that the list is narrowed to; without its query it goes back to where that was asked.
    Without(Chip),
    /// Narrows the list to a group of samples.
    Within(Group),
    /// Lists everything again.
    ClearAll,
    /// To the place before.
    Back,
    /// To the place after.
    Forward,
    /// Filters by name and path.
    Search(String),
    /// Puts the cursor into the search field.
    FocusSearch,
    /// Leaves the search field, or the sources, for the first row of the list.
    LeaveSearch,
    /// Shows one folder, or all.
    Folder(Option<PathBuf>),
    /// Shows the sounds of one state, wherever they lie.
    Status(StatusFilter),
    /// Opens or closes a branch of the folders.
    Branch(PathBuf),
    /// Sorts by a column; once more turns the order.
    Sort(Column),
    /// Where the list has been scrolled to, in points.
    Scrolled(f32),
    /// Steps back: stop, close, clear.
    Unwind,
    /// Brings the selected sample to the middle of the map.
    FindOnMap,
    /// Gives the keys to the section so many further on.
    Section(i32),
    /// Opens the menu of what is selected.
    Menu,
    /// Shows or hides the sheet of shortcuts.
    ToggleHelp,
    /// Notes that a notice was read.
    DismissNotice,
}

/// What is heard; for `listen`.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Listen {
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
    /// Over and over, or once.
    ToggleLoop,
    /// All sounds equally loud, or as they are.
    ToggleEqualLoudness,
    /// Volume in dB.
    Volume(f32),
}

/// What is changed in the library, and can be undone; for `edits`.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Edit {
    /// Marks the selected samples as kept, or takes the mark away.
    Keep,
    /// Removes a folder of the library, never its files.
    Remove(PathBuf),
    /// Moves files to the trash.
    Discard(Vec<PathBuf>),
    /// Takes back the last change.
    Undo,
}

/// What is recorded and cut; for `record`.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Take {
    /// Begins a take, or ends it.
    Toggle,
    /// Begins a take with what was played just before.
    Before,
    /// Begins a take that is only a question, or ends it.
    Ask,
    /// Ends a take and moves its file to the trash.
    Discard,
    /// Keeps the input open between takes, or closes it.
    ToggleArm,
    /// Forgets that the input has clipped.
    Unclip,
    /// Takes begin when it gets loud, or at once.
    ToggleThreshold,
    /// Takes are written with 24 bits, or as floats.
    ToggleFormat,
    /// Records these channels, counted from 1; none for all.
    Channels(Vec<u16>),
    /// Records from the input of this name; empty for the default.
    From(String),
    /// So many seconds before a take can be taken into it.
    PreRoll(Seconds),
    /// Takes go into this folder; none for the usual one.
    Into(Option<PathBuf>),
    /// Shows or hides where the selected sample could be split.
    Split,
    /// Splits the selected sample into these.
    Slice(Vec<Span>),
    /// Writes the slices.
    SaveSlices,
    /// Leaves out the silence at the ends of the selected take.
    Trim,
}

/// What the desktop and the workers are asked for; for `desktop`.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Outside {
    /// Opens a dialog to choose a folder.
    AskForFolder(FolderFor),
    /// Uses the folder at a path that was typed, if there is one.
    UseFolder(FolderFor, PathBuf),
    /// Writes the demo sounds and adds their folder.
    AddDemo,
    /// Shows a file or folder in the file manager.
    Reveal(PathBuf),
    /// Shows the selected sample in the file manager.
    RevealSelected,
    /// Puts the selected files on the clipboard.
    CopyFiles,
    /// Asks which inputs there are.
    ListInputs,
    /// Moves files to the trash.
    Discard(Vec<PathBuf>),
    /// Brings files back from the trash.
    Restore(Vec<PathBuf>),
    /// Pauses indexing, or goes on.
    TogglePause,
}

/// What a folder is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderFor {
    /// Its sounds are added to the library.
    Sounds,
    /// Takes are written into it.
    Takes,
}

/// How the map is looked at; for `map`.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum OnMap {
    /// Shows the whole map.
    Fit,
    /// Moves the map by points.
    Pan([f32; 2]),
    /// Zooms the map by a factor around a point of the window.
    Zoom([f32; 2], f32),
    /// Selects the nearest dot in a direction, x to the right and y upwards.
    Walk([f32; 2]),
    /// What colours mean on the map.
    ColourBy(ColourBy),
    /// How the map is arranged.
    Arrange(Arrangement),
    /// Narrows the list to what the map shows.
    ListInView,
    /// Shows or hides a group of the legend.
    ToggleGroup(GroupKey),
    /// Shows all groups of the legend.
    ShowGroups,
}

/// How the window looks and behaves; for `preferences`.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Prefer {
    /// Whether selecting plays.
    ToggleAutoplay,
    /// Whether the map plays what the pointer passes.
    ToggleHoverPlay,
    /// One channel or all in the waveform.
    ToggleMono,
    /// Whether quiet sounds fill the height of the waveform.
    ToggleAutoGain,
    /// Whether what is dragged over the waveform goes to zero crossings.
    ToggleSnap,
    /// Drags a divider.
    Resize(Sizes),
    /// Shows, hides, moves or widens columns of the list.
    Columns(Columns),
    /// The map takes the list's place, or gives it back.
    ToggleLargeMap,
    /// Dark or light.
    ToggleTheme,
    /// Makes everything larger or smaller by a step; 0 for the usual size.
    Scale(i8),
    /// Shows or hides the legend.
    ToggleLegend,
    /// Shows or hides the results beside a large map.
    ToggleResults,
}

/// Changes what sounds are compared by.
#[derive(Message, Clone, Copy, Debug, PartialEq)]
pub enum Weigh {
    /// Weighs a part, 0..=1; `None` for its usual weight.
    Part(Part, Option<f32>),
    /// Compares by kind or by timbre.
    By(By),
    /// Compares by what it does not compare by now.
    Switch,
}

/// What is done on the settings page; for `settings`.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Setup {
    /// Opens or closes the page.
    Toggle,
    /// Steps back: no longer waits for a key, or closes the page.
    Unwind,
    /// Shows only the settings with these words.
    Find(String),
    /// Waits for the next key, which is to be that of this shortcut; none for no longer.
    Await(Option<&'static str>),
    /// This key was pressed while one was waited for.
    Press(KeyboardShortcut),
    /// Takes the wanted keys from the shortcut that has them.
    TakeOver,
    /// Leaves a shortcut without a key.
    Clear(&'static str),
    /// Gives a shortcut its usual keys.
    Reset(&'static str),
    /// Gives every shortcut its usual keys.
    ResetAll,
}

/// Which path is typed; for `path_field`.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Type {
    /// Opens the field.
    Open(FolderFor),
    /// What stands in it.
    Text(String),
    /// Uses what stands in it.
    Enter,
    /// There is no folder at the path that was entered.
    NoFolder(PathBuf),
    /// Closes the field.
    Close,
}

/// Actions of each receiver, which are messages of their own.
macro_rules! receivers {
    ($($receiver:ident $writer:ident),*) => {
        $(impl From<$receiver> for Action {
            fn from(action: $receiver) -> Self {
                Self::$receiver(action)
            }
        })*

        /// Makes the messages known.
        pub(super) fn plugin(app: &mut App) {
            app.add_message::<Action>();
            $(app.add_message::<$receiver>();)*
        }

        /// Hands each action to its receiver.
        pub(super) fn route(mut asked: ResMut<Messages<Action>>, $(mut $writer: MessageWriter<$receiver>),*) {
            for action in asked.drain() {
                match action {
                    $(Action::$receiver(action) => { $writer.write(action); })*
                }
            }
        }
    };
}

receivers!(Go go, Listen listen, Edit edit, Take take, Outside outside, OnMap on_map, Prefer prefer, Weigh weigh, Setup setup, Type typed);

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
    ("play", "Listen", "Space", "Play or stop", Action::Listen(Listen::PlayOrStop)),
    ("replay", "Listen", "Right", "Play again from the start", Action::Listen(Listen::Replay)),
    ("stop", "Listen", "Left", "Stop", Action::Listen(Listen::Stop)),
    ("loop", "Listen", "L", "Loop", Action::Listen(Listen::ToggleLoop)),
    ("equal_loudness", "Listen", "E", "Equal loudness", Action::Listen(Listen::ToggleEqualLoudness)),
    ("autoplay", "Listen", "A", "Play sounds when selected", Action::Prefer(Prefer::ToggleAutoplay)),
    (
        "hover_play",
        "Listen",
        "H",
        "Play sounds under the pointer (or hold Alt)",
        Action::Prefer(Prefer::ToggleHoverPlay),
    ),
    ("record", "Record", "R", "Start or stop recording", Action::Take(Take::Toggle)),
    ("record_before", "Record", "B", "Record, including the seconds just before", Action::Take(Take::Before)),
    ("listen", "Record", "I", "Keep the input open between takes", Action::Take(Take::ToggleArm)),
    ("ask_by_recording", "Record", "Q", "Record only to find similar sounds", Action::Take(Take::Ask)),
    ("snap", "Record", "Z", "Snap edges to zero crossings (not while Alt is held)", Action::Prefer(Prefer::ToggleSnap)),
    ("split", "Record", "S", "Show where to split the sound", Action::Take(Take::Split)),
    ("next", "Choose", "Down", "Next sound", Action::Go(Go::Step(1))),
    ("previous", "Choose", "Up", "Previous sound", Action::Go(Go::Step(-1))),
    ("page_down", "Choose", "PageDown", "Ten sounds down", Action::Go(Go::Step(10))),
    ("page_up", "Choose", "PageUp", "Ten sounds up", Action::Go(Go::Step(-10))),
    ("reach_down", "Choose", "Shift+Down", "Select the next sound too", Action::Go(Go::Reach(1))),
    ("reach_up", "Choose", "Shift+Up", "Select the previous sound too", Action::Go(Go::Reach(-1))),
    ("all", "Choose", "Ctrl+A", "Select everything in the list", Action::Go(Go::All)),
    ("first", "Choose", "Home", "First sound", Action::Go(Go::End(false))),
    ("last", "Choose", "End", "Last sound", Action::Go(Go::End(true))),
    ("keep", "Choose", "Enter", "Keep this sound, or stop keeping it", Action::Edit(Edit::Keep)),
    ("copy", "Choose", "Ctrl+C", "Copy the selected files", Action::Outside(Outside::CopyFiles)),
    ("reveal", "Choose", "Ctrl+R", "Show in the file manager", Action::Outside(Outside::RevealSelected)),
    ("neighbours", "Find", "N", "Find sounds like the selection or its region", Action::Go(Go::Neighbours)),
    ("less_like", "Find", "X", "Less like this one, within a query", Action::Go(Go::LessLike)),
    ("compare_by", "Find", "C", "Compare by kind, or by timbre", Action::Weigh(Weigh::Switch)),
    ("search", "Find", "Ctrl+F", "Search names and paths", Action::Go(Go::FocusSearch)),
    ("back", "Find", "Alt+Left", "Back to the previous query", Action::Go(Go::Back)),
    ("forward", "Find", "Alt+Right", "Forward to the next query", Action::Go(Go::Forward)),
    ("find_on_map", "Map", "G", "Find the selected sound on the map", Action::Go(Go::FindOnMap)),
    ("walk_left", "Map", "Ctrl+Left", "To the nearest dot on the left", Action::OnMap(OnMap::Walk([-1.0, 0.0]))),
    ("walk_right", "Map", "Ctrl+Right", "To the nearest dot on the right", Action::OnMap(OnMap::Walk([1.0, 0.0]))),
    ("walk_up", "Map", "Ctrl+Up", "To the nearest dot above", Action::OnMap(OnMap::Walk([0.0, 1.0]))),
    ("walk_down", "Map", "Ctrl+Down", "To the nearest dot below", Action::OnMap(OnMap::Walk([0.0, -1.0]))),
    ("fit", "Map", "F", "Show the whole map", Action::OnMap(OnMap::Fit)),
    ("large_map", "Map", "M", "Large map, and back to the list", Action::Prefer(Prefer::ToggleLargeMap)),
    ("results", "Map", "T", "Show or hide the results beside a large map", Action::Prefer(Prefer::ToggleResults)),
    ("unwind", "Window", "Escape", "Stop playing, close, then clear the query", Action::Go(Go::Unwind)),
    ("next_section", "Window", "F6", "To the next section of the window", Action::Go(Go::Section(1))),
    ("previous_section", "Window", "Shift+F6", "To the previous section", Action::Go(Go::Section(-1))),
    ("menu", "Window", "Shift+F10", "Menu of what is selected (or the Menu key)", Action::Go(Go::Menu)),
    ("undo", "Window", "Ctrl+Z", "Undo", Action::Edit(Edit::Undo)),
    ("add_folder", "Window", "Ctrl+O", "Add a folder", Action::Outside(Outside::AskForFolder(FolderFor::Sounds))),
    (
        "type_folder",
        "Window",
        "Ctrl+Shift+O",
        "Type the path of a folder to add",
        Action::Type(Type::Open(FolderFor::Sounds)),
    ),
    ("pause", "Window", "Ctrl+P", "Pause or resume indexing", Action::Outside(Outside::TogglePause)),
    ("theme", "Window", "Ctrl+T", "Switch between dark and light theme", Action::Prefer(Prefer::ToggleTheme)),
    ("larger", "Window", "Ctrl+Plus Ctrl+Equals", "Larger text and controls", Action::Prefer(Prefer::Scale(1))),
    ("smaller", "Window", "Ctrl+Minus", "Smaller text and controls", Action::Prefer(Prefer::Scale(-1))),
    ("usual_size", "Window", "Ctrl+0", "Text and controls in their usual size", Action::Prefer(Prefer::Scale(0))),
    ("settings", "Window", "Ctrl+Comma", "Settings", Action::Setup(Setup::Toggle)),
    ("shortcuts", "Window", "? F1", "Show or hide this list", Action::Go(Go::ToggleHelp)),
];

/// Keys that are held while another is pressed.
const MODIFIERS: [Key; 8] = [
    Key::ShiftLeft,
    Key::ShiftRight,
    Key::ControlLeft,
    Key::ControlRight,
    Key::AltLeft,
    Key::AltRight,
    Key::SuperLeft,
    Key::SuperRight,
];

impl Default for Bindings {
    fn default() -> Self {
        let binding = |(name, group, _, what, action): &(&'static str, &'static str, &str, &'static str, Action)| {
            Binding { name, what, group, keys: usual(name), action: action.clone() }
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
        for (i, one) in self.0.iter().enumerate() {
            for key in &one.keys {
                if let Some(other) = self.0[..i].iter().find(|other| other.keys.contains(key)) {
                    let (key, other, one) = (name(*key), other.name, one.name);
                    problems.push(format!(
                        "{key} is the key of both {other} and {one} in the settings; give one of them another"
                    ));
                }
            }
        }
        problems
    }

    /// The shortcut of this name.
    pub fn of(&self, name: &str) -> Option<&Binding> {
        self.0.iter().find(|binding| binding.name == name)
    }

    /// Another shortcut than this one that has the key.
    pub fn other_with(&self, key: KeyboardShortcut, than: &str) -> Option<&Binding> {
        self.0.iter().find(|binding| binding.name != than && binding.keys.contains(&key))
    }

    /// Gives a shortcut these keys and takes them from every other; returns the names of those that have changed.
    pub fn give(&mut self, to: &str, keys: &[KeyboardShortcut]) -> Vec<&'static str> {
        let mut changed = Vec::new();
        for binding in &mut self.0 {
            let before = binding.keys.clone();
            if binding.name == to {
                binding.keys = keys.to_vec();
            } else {
                binding.keys.retain(|key| !keys.contains(key));
            }
            changed.extend((binding.keys != before).then_some(binding.name));
        }
        changed
    }

    /// Takes the keys that were pressed out of egui's input and returns what they ask for.
    ///
    /// Keys that write are ignored while the user types text, and those that what has the focus keeps for itself always.
    pub fn pressed(&self, context: &egui::Context) -> Vec<Action> {
        // Escape has left the field before it gets here, and must do nothing else.
        let now = context.text_edit_focused();
        let before = context.data_mut(|data| {
            let before = data.get_temp_mut_or_default::<bool>(egui::Id::new("writing"));
            std::mem::replace(before, now)
        });
        let writing = now || before;
        let came_back = focus::came_back(context);
        if egui::Popup::is_any_open(context) {
            // An open menu has the keys, Escape above all.
            return Vec::new();
        }
        let mut actions = Vec::new();
        // Shortcuts with more modifiers first, so that Alt+Left is not taken for Left.
        let mut all: Vec<(&Binding, &KeyboardShortcut)> =
            self.0.iter().flat_map(|b| b.keys.iter().map(move |key| (b, key))).collect();
        let modifiers = |key: &KeyboardShortcut| [key.modifiers.alt, key.modifiers.command, key.modifiers.shift];
        all.sort_by_key(|(_, key)| std::cmp::Reverse(modifiers(key).into_iter().filter(|held| *held).count()));
        for (binding, key) in all {
            let chord = key.modifiers.command || key.modifiers.alt;
            let single = !chord && !(Key::F1..=Key::F35).contains(&key.logical_key);
            let keeps = !chord && !key.modifiers.shift && focus::kept(context).contains(&key.logical_key);
            if keeps || came_back && binding.action == Action::Go(Go::Unwind) {
                continue;
            }
            if writing
                && (single
                    || matches!(
                        binding.action,
                        Action::Outside(Outside::CopyFiles) | Action::Edit(Edit::Undo) | Action::Go(Go::All)
                    ))
            {
                continue;
            }
            let mut times = 0;
            while let Some(repeat) = context.input_mut(|input| consume(input, *key)) {
                // A key that is held down goes on through the list, and does everything else once.
                times += usize::from(!repeat || matches!(binding.action, Action::Go(Go::Step(_) | Go::Reach(_))));
            }
            if binding.action == Action::Outside(Outside::CopyFiles) {
                // Window systems turn Ctrl+C into an event of its own, alone or beside the key.
                context.input_mut(|input| {
                    let before = input.events.len();
                    input.events.retain(|event| *event != egui::Event::Copy);
                    times = times.max(before - input.events.len());
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

/// The keys that a shortcut has where the user has given it no others.
pub fn usual(name: &str) -> Vec<KeyboardShortcut> {
    let entry = TABLE.iter().find(|(of, ..)| *of == name);
    entry.map_or_else(Vec::new, |(_, _, keys, ..)| keys.split(' ').filter_map(parse).collect())
}

/// The key that was pressed, if any, as it can be bound; keys that only modify others do not count.
pub fn pressed_key(input: &egui::InputState) -> Option<KeyboardShortcut> {
    input.events.iter().find_map(|event| match event {
        egui::Event::Key { key, pressed: true, repeat: false, modifiers, .. } if !MODIFIERS.contains(key) => {
            let mut shortcut = KeyboardShortcut::new(Modifiers::NONE, *key);
            shortcut.modifiers.command = modifiers.command;
            shortcut.modifiers.alt = modifiers.alt;
            // Whether a sign takes Shift is the keyboard's affair.
            shortcut.modifiers.shift = modifiers.shift && !is_sign(*key);
            Some(shortcut)
        }
        _ => None,
    })
}

fn is_sign(key: Key) -> bool {
    let is_arrow = matches!(key, Key::ArrowDown | Key::ArrowLeft | Key::ArrowRight | Key::ArrowUp);
    key.symbol_or_name() != key.name() && !is_arrow
}

/// Consumes one key press, and tells whether the key was being held; Shift is ignored unless it is asked for, because some keyboards need it for characters such as `?`.
fn consume(input: &mut egui::InputState, shortcut: KeyboardShortcut) -> Option<bool> {
    let found = input.events.iter().position(|event| {
        matches!(event, egui::Event::Key { key, pressed: true, modifiers, .. }
            if *key == shortcut.logical_key
                && modifiers.command == shortcut.modifiers.command
                && modifiers.alt == shortcut.modifiers.alt
                && (modifiers.shift || !shortcut.modifiers.shift))
    });
    match input.events.remove(found?) {
        egui::Event::Key { repeat, .. } => Some(repeat),
        _ => None,
    }
}

fn parse(text: &str) -> Option<KeyboardShortcut> {
    let (modifiers, key) = text.rsplit_once('+').filter(|(_, key)| !key.is_empty()).unwrap_or(("", text));
    let mut shortcut = KeyboardShortcut::new(Modifiers::NONE, Key::from_name(key)?);
    for modifier in modifiers.split('+').filter(|m| !m.is_empty()) {
        match modifier.to_ascii_lowercase().as_str() {
            "ctrl" | "cmd" => shortcut.modifiers |= Modifiers::COMMAND,
            "alt" => shortcut.modifiers |= Modifiers::ALT,
            "shift" => shortcut.modifiers |= Modifiers::SHIFT,
            _ => return None,
        }
    }
    Some(shortcut)
}

/// A key as it is written in the settings.
pub fn name(shortcut: KeyboardShortcut) -> String {
    let control = if shortcut.modifiers.command { "Ctrl+" } else { "" };
    let alt = if shortcut.modifiers.alt { "Alt+" } else { "" };
    let shift = if shortcut.modifiers.shift { "Shift+" } else { "" };
    format!("{control}{alt}{shift}{}", shortcut.logical_key.name())
}

/// A key as people read it.
pub fn shown(key: KeyboardShortcut) -> String {
    let signs = [("Questionmark", "?"), ("Comma", ","), ("Equals", "="), ("Plus", "+"), ("Minus", "\u{2212}")];
    let name = name(key).replace("Page", "Page ").replace("Escape", "Esc");
    signs.iter().fold(name, |name, (word, sign)| name.replace(word, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(key: Key, modifiers: Modifiers) -> egui::RawInput {
        let event = egui::Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
        egui::RawInput { events: vec![egui::Event::ModifiersChanged(modifiers), event], ..Default::default() }
    }

    #[test]
    fn a_key_that_is_given_twice_is_told() {
        let keys = BTreeMap::from([("fit".to_owned(), "Q".to_owned())]);
        let problems = Bindings::default().change(&keys);
        assert!(
            problems.len() == 1 && problems[0].contains("fit") && problems[0].contains("ask_by_recording"),
            "{problems:?}"
        );
        let free = BTreeMap::from([("fit".to_owned(), "Shift+Y".to_owned())]);
        assert_eq!(Bindings::default().change(&free), [""; 0]);
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
        assert_eq!(asked(&bindings, press(Key::N, Modifiers::NONE), false), [Action::Go(Go::Neighbours)]);
        assert_eq!(asked(&bindings, press(Key::N, Modifiers::NONE), true), []);
        assert_eq!(asked(&bindings, press(Key::F, Modifiers::COMMAND), true), [Action::Go(Go::FocusSearch)]);
    }

    #[test]
    fn modifiers_tell_shortcuts_apart() {
        let bindings = Bindings::default();
        assert_eq!(asked(&bindings, press(Key::ArrowLeft, Modifiers::ALT), false), [Action::Go(Go::Back)]);
        assert_eq!(asked(&bindings, press(Key::ArrowLeft, Modifiers::NONE), false), [Action::Listen(Listen::Stop)]);
        assert_eq!(asked(&bindings, press(Key::Questionmark, Modifiers::SHIFT), false), [Action::Go(Go::ToggleHelp)]);
    }

    #[test]
    fn copying_by_key_copies_once_however_it_is_told() {
        let bindings = Bindings::default();
        let told = |events: Vec<egui::Event>| asked(&bindings, egui::RawInput { events, ..Default::default() }, false);
        let key = press(Key::C, Modifiers::COMMAND).events;
        let both = [key.clone(), vec![egui::Event::Copy]].concat();
        for events in [key, vec![egui::Event::Copy], both] {
            assert_eq!(told(events), [Action::Outside(Outside::CopyFiles)]);
        }
    }

    #[test]
    fn keys_from_the_settings_replace_the_usual_ones() {
        let mut bindings = Bindings::default();
        let keys = [("neighbours", "K Ctrl+K"), ("loop", ""), ("stop", "Banana"), ("fly", "F")];
        let problems = bindings.change(&keys.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!(asked(&bindings, press(Key::K, Modifiers::NONE), false), [Action::Go(Go::Neighbours)]);
        assert_eq!(asked(&bindings, press(Key::N, Modifiers::NONE), false), []);
        assert_eq!(bindings.text(&Action::Listen(Listen::ToggleLoop)), "");
        assert_eq!(asked(&bindings, press(Key::ArrowLeft, Modifiers::NONE), false), [Action::Listen(Listen::Stop)]);
    }
}
