//! The settings page: everything that the settings file says and a user may want to change, and every key.
//!
//! It takes the place of all sections but the status line. What is changed acts at once and is stored where the part that
//! owns it stores it; the keys are stored here, under `[keys]`.

use std::collections::BTreeMap;
use std::path::Path;

use bevy::prelude::*;
use bevy_egui::egui::{
    self, Align2, CursorIcon, Id, KeyboardShortcut, Rect, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, WidgetType,
    pos2, vec2,
};
use dsp::Seconds;
use file::wav_writer::Format;

use super::action::{
    Action, Binding, Bindings, FolderFor, Go, Listen, Outside, Part, Prefer, Setup, Take, Weigh, name, pressed_key,
    shown, usual,
};
use super::controls::{self, Strip, Tone};
use super::preferences::Preferences;
use super::strip::{self, WEIGHTS};
use super::theme::{self, Appearance, HEADING, PADDING, Theme, icon};
use crate::audio::{AuditionSettings, VOLUMES};
use crate::record::{LONGEST, RecordingSettings};
use crate::settings::Settings;

/// Height of a setting in points.
const LINE: f32 = 28.0;
/// Space above the heading of a group in points.
const GAP: f32 = 14.0;
/// Width in points of a column of settings, at most.
const WIDTH: f32 = 540.0;
/// Space between the two columns in points.
const BETWEEN: f32 = 48.0;
/// From this width in points on the keys stand beside the other settings.
const WIDE: f32 = 860.0;
/// The part of a line that its name takes.
const NAME: f32 = 0.42;

/// What is done on the page.
#[derive(Resource, Default, Debug)]
pub(super) struct SettingsPage {
    open: bool,
    /// Words of the settings that are shown.
    text: String,
    /// The shortcut whose next key is waited for.
    waiting: Option<&'static str>,
    /// The keys that it is to have, and another shortcut that has one of them.
    taken: Option<Taken>,
}

/// Keys that are wanted, and that another shortcut has.
#[derive(Clone, Debug, PartialEq)]
struct Taken {
    wanted: Vec<KeyboardShortcut>,
    key: KeyboardShortcut,
    by: &'static str,
}

impl SettingsPage {
    /// Whether the page is shown.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// What the keys that were pressed ask for while the page is shown: nothing that belongs to what it covers.
    pub fn asked(&self, context: &egui::Context, bindings: &Bindings) -> Vec<Action> {
        if self.waiting.is_some() && self.taken.is_none() {
            return context.input(pressed_key).map(|key| Setup::Press(key).into()).into_iter().collect();
        }
        let pressed = bindings.pressed(context).into_iter();
        let fitting = pressed.filter_map(|action| match action {
            Action::Go(Go::Unwind) => Some(Setup::Unwind.into()),
            Action::Setup(_) | Action::Prefer(_) | Action::Listen(_) | Action::Go(Go::ToggleHelp) => Some(action),
            _ => None,
        });
        fitting.collect()
    }

    /// Gives the shortcut that is waited for these keys, unless another has one of them.
    fn want(&mut self, wanted: Vec<KeyboardShortcut>, bindings: &mut Bindings, settings: &mut Settings) {
        let Some(to) = self.waiting else { return };
        let other = wanted.iter().find_map(|key| Some((*key, bindings.other_with(*key, to)?.name)));
        if let Some((key, by)) = other {
            self.taken = Some(Taken { wanted, key, by });
        } else {
            self.give(&wanted, bindings, settings);
        }
    }

    fn give(&mut self, keys: &[KeyboardShortcut], bindings: &mut Bindings, settings: &mut Settings) {
        self.taken = None;
        if let Some(to) = self.waiting.take() {
            let changed = bindings.give(to, keys);
            store(&changed, bindings, settings);
        }
    }
}

/// Carries out what is asked for on the page.
pub(super) fn respond(
    mut asked: MessageReader<Setup>,
    mut page: ResMut<SettingsPage>,
    mut bindings: ResMut<Bindings>,
    mut settings: ResMut<Settings>,
    mut outside: MessageWriter<Outside>,
) {
    for action in asked.read() {
        match action {
            Setup::Toggle => {
                *page = SettingsPage { open: !page.open, ..default() };
                outside.write_batch(page.open.then_some(Outside::ListInputs));
            }
            Setup::Unwind if page.waiting.is_some() => (page.waiting, page.taken) = (None, None),
            Setup::Unwind => page.open = false,
            Setup::Find(text) => page.text.clone_from(text),
            Setup::Await(name) => (page.waiting, page.taken) = (*name, None),
            Setup::Press(key) if *key == KeyboardShortcut::new(egui::Modifiers::NONE, egui::Key::Escape) => {
                page.waiting = None;
            }
            Setup::Press(key) => page.want(vec![*key], &mut bindings, &mut settings),
            Setup::TakeOver => {
                let wanted = page.taken.take().map(|taken| taken.wanted).unwrap_or_default();
                page.give(&wanted, &mut bindings, &mut settings);
            }
            Setup::Clear(name) => {
                page.waiting = Some(name);
                page.give(&[], &mut bindings, &mut settings);
            }
            Setup::Reset(name) => {
                (page.waiting, page.taken) = (Some(*name), None);
                page.want(usual(name), &mut bindings, &mut settings);
            }
            Setup::ResetAll => {
                (page.waiting, page.taken) = (None, None);
                *bindings = Bindings::default();
                let all: Vec<&str> = bindings.0.iter().map(|binding| binding.name).collect();
                store(&all, &bindings, &mut settings);
            }
        }
    }
}

/// Writes the keys of these shortcuts into the settings, where they are not the usual ones.
fn store(names: &[&str], bindings: &Bindings, settings: &mut Settings) {
    let mut keys: BTreeMap<String, String> = settings.get("keys");
    for binding in names.iter().filter_map(|name| bindings.of(name)) {
        if binding.keys == usual(binding.name) {
            keys.remove(binding.name);
        } else {
            let texts: Vec<String> = binding.keys.iter().map(|key| name(*key)).collect();
            keys.insert(binding.name.to_owned(), texts.join(" "));
        }
    }
    settings.set("keys", &keys);
}

/// What the page is drawn from.
pub(super) struct View<'a> {
    /// What is done on it.
    pub page: &'a SettingsPage,
    /// The file.
    pub settings: &'a Settings,
    /// How the window looks and behaves.
    pub preferences: &'a Preferences,
    /// How sounds are played.
    pub audition: AuditionSettings,
    /// How takes are made.
    pub recording: &'a RecordingSettings,
    /// Names of the inputs.
    pub inputs: &'a [String],
    /// How sounds are compared.
    pub weights: strip::Weighed<'a>,
    /// The keys.
    pub bindings: &'a Bindings,
    /// Colours.
    pub theme: &'a Theme,
}

/// Draws the page over the whole of `ui`'s rectangle.
pub(super) fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let area = ui.max_rect();
    let theme = view.theme;
    ui.painter().rect_filled(area, 0.0, theme.ground);
    let response = ui.interact(area, ui.id().with("page"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Window, true, "Settings"));
    let (heading, rest) = area.split_top_bottom_at_y(area.top() + HEADING);
    let mut strip = Strip::new(heading);
    controls::line(ui, strip.left(76.0), Align2::LEFT_CENTER, "Settings", theme::strong(13.0), theme.text);
    if controls::icon(ui, strip.right(20.0), icon::CROSS, "Close settings", "Close  (Esc)", Tone::Plain, theme)
        .clicked()
    {
        actions.push(Setup::Toggle.into());
    }
    let mut text = view.page.text.clone();
    let rect = strip.left(240.0).shrink2(vec2(0.0, 4.0));
    let found = controls::field(ui, rect, Id::new("find a setting"), &mut text, "Find a setting or a key", theme);
    if found.changed() {
        actions.push(Setup::Find(text).into());
    }
    strip.left(14.0);
    if let Some(problem) = &view.settings.problem {
        controls::line(ui, strip.rest(), Align2::LEFT_CENTER, problem, theme::regular(11.0), theme.warning);
    }
    let mut child = ui.new_child(UiBuilder::new().max_rect(rest).id_salt("settings"));
    child.set_clip_rect(rest.intersect(ui.clip_rect()));
    ScrollArea::vertical().auto_shrink(false).id_salt("settings").show(&mut child, |ui| {
        let top = ui.max_rect().left_top();
        let inner = rest.width() - 2.0 * PADDING;
        let two = rest.width() >= WIDE;
        let width = if two { ((inner - BETWEEN) / 2.0).min(WIDTH) } else { inner.min(WIDTH) };
        let words = view.page.text.to_lowercase();
        let mut lines =
            Lines { at: top + vec2(PADDING, 0.0), width, words: &words, group: "", is_headed: true, any: false, theme };
        window(ui, &mut lines, view, actions);
        listening(ui, &mut lines, view, actions);
        recording(ui, &mut lines, view, actions);
        similarity(ui, &mut lines, view, actions);
        file(ui, &mut lines, view, actions);
        let mut bottom = lines.at.y;
        if two {
            lines.at = top + vec2(PADDING + width + BETWEEN, 0.0);
        }
        keys(ui, &mut lines, view, actions);
        bottom = bottom.max(lines.at.y);
        if !lines.any {
            lines.say(ui, "Nothing is called that.", theme.muted);
        }
        ui.allocate_rect(Rect::from_min_max(top, pos2(top.x + inner, bottom + GAP)), Sense::hover());
    });
}

/// The lines of a column, from the top.
struct Lines<'a> {
    at: egui::Pos2,
    width: f32,
    /// Only lines with these words are shown, in small letters.
    words: &'a str,
    group: &'static str,
    /// Whether its heading has been drawn, which has to wait for a line that is shown.
    is_headed: bool,
    /// Whether any line is shown.
    any: bool,
    theme: &'a Theme,
}

impl Lines<'_> {
    /// Begins a group of settings.
    fn group(&mut self, name: &'static str) {
        (self.group, self.is_headed) = (name, false);
    }

    fn next(&mut self, ui: &Ui, height: f32) -> Rect {
        if !std::mem::replace(&mut self.is_headed, true) {
            self.at.y += GAP;
            let rect = Rect::from_min_size(self.at, vec2(self.width, LINE));
            controls::line(ui, rect, Align2::LEFT_CENTER, self.group, theme::strong(13.0), self.theme.text);
            self.at.y += LINE;
        }
        let rect = Rect::from_min_size(self.at, vec2(self.width, height));
        self.at.y += height;
        self.any = true;
        rect
    }

    fn is_wanted(&self, what: &str) -> bool {
        let text = format!("{} {what}", self.group).to_lowercase();
        self.words.split_whitespace().all(|word| text.contains(word))
    }

    /// Draws the name of a setting, unless other words are wanted, and returns the place for its controls.
    fn setting(&mut self, ui: &Ui, name: &str) -> Option<Strip> {
        if !self.is_wanted(name) {
            return None;
        }
        let rect = self.next(ui, LINE);
        let (left, right) = rect.split_left_right_at_x(rect.left() + rect.width() * NAME);
        controls::line(ui, left, Align2::LEFT_CENTER, name, theme::regular(12.0), self.theme.muted);
        Some(Strip::new(right.expand2(vec2(PADDING, 0.0))))
    }

    fn say(&mut self, ui: &Ui, text: &str, colour: egui::Color32) {
        let rect = self.next(ui, LINE);
        controls::line(ui, rect, Align2::LEFT_CENTER, text, theme::regular(12.0), colour);
    }
}

fn window(ui: &Ui, lines: &mut Lines, view: &View, actions: &mut Vec<Action>) {
    let View { preferences, theme, .. } = view;
    lines.group("Window");
    let is_dark = preferences.theme == Appearance::Dark;
    let themes = [("Dark", is_dark, Prefer::ToggleTheme.into()), ("Light", !is_dark, Prefer::ToggleTheme.into())];
    choice(ui, lines, "Theme", themes, actions);
    if let Some(mut strip) = lines.setting(ui, "Size of text and controls") {
        for (text, label, steps) in [("\u{2212}", "Smaller", -1), ("+", "Larger", 1)] {
            let action: Action = Prefer::Scale(steps).into();
            let tip = controls::hint(label, &view.bindings.text(&action));
            if controls::toggle(ui, strip.left(30.0), text, label, &tip, false, theme).clicked() {
                actions.push(action);
            }
            if steps < 0 {
                let percent = format!("{} %", preferences.scale());
                controls::line(ui, strip.left(54.0), Align2::CENTER_CENTER, &percent, theme::regular(12.0), theme.text);
            }
        }
        if preferences.scale() != 100 {
            strip.left(10.0);
            reset(ui, &mut strip, "Usual size", Prefer::Scale(0).into(), theme, actions);
        }
    }
    switch(ui, lines, "Large map in place of the list", preferences.large_map, Prefer::ToggleLargeMap, actions);
    switch(ui, lines, "Legend under the map", preferences.legend, Prefer::ToggleLegend, actions);
    switch(ui, lines, "Waveform of all channels as one", preferences.mono, Prefer::ToggleMono, actions);
}

fn listening(ui: &Ui, lines: &mut Lines, view: &View, actions: &mut Vec<Action>) {
    let View { preferences, audition, theme, .. } = view;
    lines.group("Listening");
    if let Some(mut strip) = lines.setting(ui, "Volume") {
        let (low, high) = (*VOLUMES.start(), *VOLUMES.end());
        let db = audition.volume_db;
        let share = ((db - low) / (high - low)).clamp(0.0, 1.0);
        let bar = strip.left(160.0);
        let (_, asked) = controls::slider(ui, bar, ("Volume", f64::from(db)), share, theme.time, theme);
        actions.extend(asked.map(|share| Listen::Volume((low + (high - low) * share).round()).into()));
        let said = if db <= low { "off".to_owned() } else { format!("{} dB", controls::signed(db, 0)) };
        strip.left(10.0);
        controls::line(ui, strip.left(60.0), Align2::LEFT_CENTER, &said, theme::regular(12.0), theme.text);
    }
    switch(ui, lines, "All sounds equally loud", audition.equal_loudness, Listen::ToggleEqualLoudness, actions);
    switch(ui, lines, "Loop", audition.looping, Listen::ToggleLoop, actions);
    switch(ui, lines, "Play sounds when selected", preferences.autoplay, Prefer::ToggleAutoplay, actions);
    switch(ui, lines, "Play sounds under the pointer", preferences.hover_play, Prefer::ToggleHoverPlay, actions);
}

fn recording(ui: &Ui, lines: &mut Lines, view: &View, actions: &mut Vec<Action>) {
    let View { preferences, recording, theme, .. } = view;
    lines.group("Recording");
    if let Some(mut strip) = lines.setting(ui, "Input") {
        let default = "Default input";
        let name = if recording.device.is_empty() { default } else { &recording.device };
        let tip = "Choose the input to record from";
        let rect = strip.left(controls::word_width(ui, name).min(strip.rest().width() - 20.0));
        let button = controls::word(ui, rect, name, "Input", tip, Tone::Plain, theme);
        ui.painter().text(
            strip.left(14.0).center(),
            Align2::CENTER_CENTER,
            icon::DOWN,
            theme::icons(10.0),
            theme.muted,
        );
        egui::Popup::menu(&button).show(|ui| {
            ui.set_min_width(240.0);
            let all = std::iter::once((default, "")).chain(view.inputs.iter().map(|name| (&**name, &**name)));
            for (text, device) in all {
                if ui.selectable_label(recording.device == device, text).clicked() {
                    actions.push(Take::From(device.to_owned()).into());
                    ui.close();
                }
            }
        });
    }
    let channels = [("All", vec![]), ("Left", vec![1]), ("Right", vec![2])].map(|(text, channels)| {
        let chosen = recording.channels == channels;
        (text, chosen, Take::Channels(channels).into())
    });
    choice(ui, lines, "Channels", channels, actions);
    let is_int = recording.format == Format::Int24;
    let formats =
        [("32-bit float", !is_int, Take::ToggleFormat.into()), ("24-bit integer", is_int, Take::ToggleFormat.into())];
    choice(ui, lines, "Format", formats, actions);
    let waits = preferences.record_when_loud;
    switch(ui, lines, "Start when the input gets loud", waits, Take::ToggleThreshold, actions);
    if let Some(mut strip) = lines.setting(ui, "Seconds kept from before") {
        let seconds = recording.pre_roll.0.clamp(0.0, LONGEST.0);
        #[expect(clippy::cast_possible_truncation, reason = "a share of a minute")]
        let share = (seconds / LONGEST.0) as f32;
        let label = "Seconds kept from before";
        let (response, asked) = controls::slider(ui, strip.left(160.0), (label, seconds), share, theme.time, theme);
        actions.extend(asked.map(|share| Take::PreRoll(Seconds((f64::from(share) * LONGEST.0).round())).into()));
        let key = view.bindings.text(&Take::Before.into());
        response.on_hover_text(controls::hint("What a take begins with when it includes the moments before", &key));
        strip.left(10.0);
        let said = format!("{seconds:.0} s");
        controls::line(ui, strip.left(60.0), Align2::LEFT_CENTER, &said, theme::regular(12.0), theme.text);
    }
    if let Some(mut strip) = lines.setting(ui, "Folder for takes") {
        if !recording.folder.as_os_str().is_empty() {
            let action = Take::Into(None).into();
            let tip = "Back to Soundkin Recordings in your music folder";
            word(ui, &mut strip, "Reset", "Reset the folder for takes", tip, action, theme, actions);
        }
        let action = Outside::AskForFolder(FolderFor::Takes).into();
        word(ui, &mut strip, "Choose\u{2026}", "Choose the folder for takes", "", action, theme, actions);
        let usual = Path::new("Music/Soundkin Recordings");
        let folder = if recording.folder.as_os_str().is_empty() { usual } else { &recording.folder };
        let folder = folder.display().to_string();
        controls::name(ui, strip.rest(), &folder, &theme::regular(12.0), theme.text);
    }
}

fn similarity(ui: &mut Ui, lines: &mut Lines, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    lines.group("Similarity");
    let smooth = view.weights.0.smooth > 0.0;
    let to = Weigh::Part(Part::Neighbourhood, smooth.then_some(0.0));
    // The weights hold it too; here it has a name that says what it does.
    switch(ui, lines, "Compare what is around them too", smooth, to, actions);
    if lines.is_wanted("Weights of what sounds are compared by") {
        lines.say(ui, "What counts when sounds are compared, from now on and at the next start", theme.muted);
        let rect = lines.next(ui, WEIGHTS).expand2(vec2(PADDING, 0.0));
        strip::weights(ui, rect, view.weights, theme, actions);
        if view.weights.0 != view.weights.1 {
            let mut strip = Strip::new(lines.next(ui, LINE).expand2(vec2(PADDING, 0.0)));
            if controls::word(ui, strip.left(110.0), "Reset weights", "Reset weights", "", Tone::Plain, theme).clicked()
            {
                actions.extend(strip::usual_weights());
            }
        }
    }
}

fn file(ui: &Ui, lines: &mut Lines, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    lines.group("File");
    if lines.is_wanted("Settings file") {
        let path = view.settings.path();
        let rect = lines.next(ui, LINE);
        controls::name(ui, rect, &path.display().to_string(), &theme::regular(12.0), theme.text);
        let mut strip = Strip::new(lines.next(ui, LINE).expand2(vec2(PADDING, 0.0)));
        if controls::word(ui, strip.left(90.0), "Copy path", "Copy path", "", Tone::Plain, theme).clicked() {
            ui.ctx().copy_text(path.display().to_string());
        }
        let text = "Show in file manager";
        if controls::word(ui, strip.left(160.0), text, text, "", Tone::Plain, theme).clicked() {
            // Before anything was changed there is no file.
            let there = if path.exists() { path } else { path.parent().unwrap_or(path) };
            actions.push(Outside::Reveal(there.to_owned()).into());
        }
    }
}

/// Draws the keys.
fn keys(ui: &mut Ui, lines: &mut Lines, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    lines.group("Keys");
    if lines.is_wanted("") {
        lines.say(ui, "Click a key, then press the one you want.", theme.muted);
    }
    let mut changed = false;
    for binding in &view.bindings.0 {
        if lines.group != binding.group {
            lines.group(binding.group);
        }
        changed |= binding.keys != usual(binding.name);
        let keys: Vec<String> = binding.keys.iter().map(|key| shown(*key)).collect();
        let keys = keys.join("   ");
        // A key can be looked for by its name too, and one that is being changed stays in view.
        if lines.is_wanted(&format!("key {} {keys}", binding.what)) || view.page.waiting == Some(binding.name) {
            key(ui, lines, binding, &keys, view, actions);
        }
    }
    if changed && lines.is_wanted("Reset all keys") {
        lines.group("");
        let mut strip = Strip::new(lines.next(ui, LINE).expand2(vec2(PADDING, 0.0)));
        let text = "Reset all keys";
        if controls::word(ui, strip.left(120.0), text, text, "", Tone::Plain, theme).clicked() {
            actions.push(Setup::ResetAll.into());
        }
    }
}

/// Draws the keys of one shortcut.
fn key(ui: &mut Ui, lines: &mut Lines, binding: &Binding, keys: &str, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let waits = view.page.waiting == Some(binding.name);
    let rect = lines.next(ui, LINE);
    let (left, right) = rect.split_left_right_at_x(rect.left() + rect.width() * 0.6);
    let colour = if waits { theme.text } else { theme.muted };
    controls::line(
        ui,
        left.with_max_x(left.right() - 8.0),
        Align2::LEFT_CENTER,
        binding.what,
        theme::regular(12.0),
        colour,
    );
    let mut strip = Strip::new(right.expand2(vec2(PADDING, 0.0)));
    if binding.keys != usual(binding.name) {
        let label = format!("Reset the key for: {}", binding.what);
        word(ui, &mut strip, "Reset", &label, "", Setup::Reset(binding.name).into(), theme, actions);
    }
    let rect = strip.rest().shrink2(vec2(0.0, 3.0));
    let response = ui.interact(rect, ui.id().with(("key", binding.name)), Sense::click());
    let label = format!("Key for: {}", binding.what);
    response.widget_info(|| WidgetInfo::selected(WidgetType::Button, true, waits, &label));
    let ground = if waits { theme.selected } else { theme.raised };
    if waits || response.hovered() {
        ui.painter().rect_filled(rect.expand2(vec2(6.0, 0.0)), 0.0, ground);
    }
    let other = binding.keys.iter().find_map(|key| view.bindings.other_with(*key, binding.name));
    let (said, colour) = match (waits, keys.is_empty(), other) {
        (true, ..) => ("Press a key\u{2026}", theme.time),
        (_, true, _) => ("none", theme.muted),
        (.., Some(_)) => (keys, theme.warning),
        _ => (keys, theme.time),
    };
    controls::line(ui, rect, Align2::LEFT_CENTER, said, theme::regular(12.0), colour);
    let tip = other.map_or("Click, then press another key".to_owned(), |other| {
        format!("Also the key for: {}. Click, then press another key", other.what)
    });
    if response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(tip).clicked() {
        actions.push(Setup::Await((!waits).then_some(binding.name)).into());
    }
    if !waits {
        return;
    }
    // One line says what can be done.
    let mut strip = Strip::new(lines.next(ui, LINE).expand2(vec2(PADDING, 0.0)));
    let mut offers: Vec<(String, Setup)> = Vec::new();
    if let Some(taken) = &view.page.taken {
        let by = view.bindings.of(taken.by).map_or(taken.by, |other| other.what);
        offers.push((format!("Take it from \u{201c}{by}\u{201d}"), Setup::TakeOver));
        offers.push(("Cancel".to_owned(), Setup::Await(None)));
        let said = format!("{} is taken.", shown(taken.key));
        let width = controls::word_width(ui, &said);
        controls::line(ui, strip.left(width), Align2::LEFT_CENTER, &said, theme::regular(12.0), theme.warning);
    } else {
        offers.push(("No key".to_owned(), Setup::Clear(binding.name)));
        offers.push(("Cancel".to_owned(), Setup::Await(None)));
        let said = "Esc to cancel.";
        let width = controls::word_width(ui, said);
        controls::line(ui, strip.left(width), Align2::LEFT_CENTER, said, theme::regular(12.0), theme.muted);
    }
    // The last of them always has its room.
    let last = offers.last().map_or(0.0, |(text, _)| controls::word_width(ui, text));
    for (i, (text, action)) in offers.iter().enumerate() {
        let room = strip.rest().width() - if i + 1 < offers.len() { last } else { 0.0 };
        let rect = strip.left(controls::word_width(ui, text).min(room));
        if controls::word(ui, rect, text, text, "", Tone::Plain, theme).clicked() {
            actions.push(action.clone().into());
        }
    }
}

/// Draws a setting that is on or off.
fn switch(ui: &Ui, lines: &mut Lines, name: &str, on: bool, action: impl Into<Action>, actions: &mut Vec<Action>) {
    let Some(mut strip) = lines.setting(ui, name) else { return };
    let text = if on { "On" } else { "Off" };
    if controls::toggle(ui, strip.left(46.0), text, name, "", on, lines.theme).clicked() {
        actions.push(action.into());
    }
}

/// Draws a setting that is one of a few.
fn choice<const N: usize>(
    ui: &Ui,
    lines: &mut Lines,
    name: &str,
    all: [(&str, bool, Action); N],
    actions: &mut Vec<Action>,
) {
    let Some(mut strip) = lines.setting(ui, name) else { return };
    for (text, on, action) in all {
        let rect = strip.left(controls::word_width(ui, text) + 8.0);
        let label = format!("{name}: {text}");
        if controls::toggle(ui, rect, text, &label, "", on, lines.theme).clicked() && !on {
            actions.push(action);
        }
    }
}

/// Draws a word at the right of a line that asks for something.
#[expect(clippy::too_many_arguments, reason = "a word, what it means and what it does")]
fn word(
    ui: &Ui,
    strip: &mut Strip,
    text: &str,
    label: &str,
    tip: &str,
    action: Action,
    theme: &Theme,
    actions: &mut Vec<Action>,
) {
    let rect = strip.right(controls::word_width(ui, text));
    if controls::word(ui, rect, text, label, tip, Tone::Off, theme).clicked() {
        actions.push(action);
    }
}

fn reset(ui: &Ui, strip: &mut Strip, text: &str, action: Action, theme: &Theme, actions: &mut Vec<Action>) {
    let rect = strip.left(controls::word_width(ui, text));
    if controls::word(ui, rect, text, text, "", Tone::Off, theme).clicked() {
        actions.push(action);
    }
}

#[cfg(test)]
mod tests {
    use bevy_egui::egui::{Key, Modifiers};

    use super::*;

    /// The page over a file that says this.
    fn page(text: &str) -> (App, tempfile::TempDir) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("settings.toml");
        std::fs::write(&path, text).unwrap();
        let mut settings = Settings::read(path);
        let mut bindings = Bindings::default();
        bindings.change(&settings.get("keys"));
        let mut app = App::new();
        app.insert_resource(settings)
            .insert_resource(bindings)
            .init_resource::<SettingsPage>()
            .add_message::<Setup>()
            .add_message::<Outside>()
            .add_systems(Update, respond);
        (app, root)
    }

    fn ask(app: &mut App, asked: impl IntoIterator<Item = Setup>) {
        for action in asked {
            app.world_mut().write_message(action);
            app.update();
        }
    }

    fn key(text: &str) -> Setup {
        let mut modifiers = Modifiers::NONE;
        let (before, key) = text.rsplit_once('+').unwrap_or(("", text));
        if before == "Ctrl" {
            modifiers = Modifiers::COMMAND;
        }
        Setup::Press(KeyboardShortcut::new(modifiers, Key::from_name(key).unwrap()))
    }

    fn keys(app: &App, name: &str) -> String {
        let keys = &app.world().resource::<Bindings>().of(name).unwrap().keys;
        keys.iter().map(|key| super::name(*key)).collect::<Vec<_>>().join(" ")
    }

    fn file(app: &App) -> String {
        app.world().resource::<Settings>().text()
    }

    #[test]
    fn a_key_that_is_free_is_given_at_once_and_stands_in_the_file() {
        let (mut app, _root) = page("# mine\n[keys]\nfly = \"F9\"\nloop = \"K\" # for loop\n");
        ask(&mut app, [Setup::Await(Some("neighbours")), key("Ctrl+J")]);
        assert_eq!(keys(&app, "neighbours"), "Ctrl+J");
        let text = "# mine\n[keys]\nfly = \"F9\"\nloop = \"K\" # for loop\nneighbours = \"Ctrl+J\"\n";
        assert_eq!(file(&app), text);
        assert_eq!(app.world().resource::<SettingsPage>().waiting, None);
        ask(&mut app, [Setup::Reset("neighbours")]);
        assert_eq!((keys(&app, "neighbours").as_str(), file(&app).contains("neighbours")), ("N", false));
        ask(&mut app, [Setup::Clear("neighbours")]);
        assert!(keys(&app, "neighbours").is_empty() && file(&app).contains("neighbours = \"\""));
    }

    #[test]
    fn a_key_that_is_taken_is_told_and_goes_over_only_if_that_is_wanted() {
        let (mut app, _root) = page("");
        ask(&mut app, [Setup::Await(Some("fit")), key("Q")]);
        let taken = app.world().resource::<SettingsPage>().taken.clone().unwrap();
        assert_eq!(taken.by, "ask_by_recording");
        ask(&mut app, [Setup::Await(None)]);
        assert_eq!((keys(&app, "fit").as_str(), file(&app).as_str()), ("F", ""));
        ask(&mut app, [Setup::Await(Some("fit")), key("Q"), Setup::TakeOver]);
        assert_eq!((keys(&app, "fit").as_str(), keys(&app, "ask_by_recording").as_str()), ("Q", ""));
        assert!(file(&app).contains("ask_by_recording = \"\"") && file(&app).contains("fit = \"Q\""));
        // Its usual key back is the same question.
        ask(&mut app, [Setup::Reset("ask_by_recording")]);
        assert_eq!(app.world().resource::<SettingsPage>().taken.as_ref().map(|taken| taken.by), Some("fit"));
        ask(&mut app, [Setup::ResetAll]);
        assert_eq!((keys(&app, "fit").as_str(), keys(&app, "ask_by_recording").as_str()), ("F", "Q"));
        assert!(!file(&app).contains('Q'), "{}", file(&app));
    }

    #[test]
    fn escape_gives_up_the_key_first_and_closes_the_page_then() {
        let (mut app, _root) = page("");
        ask(&mut app, [Setup::Toggle, Setup::Await(Some("fit")), key("Escape")]);
        let page = app.world().resource::<SettingsPage>();
        assert!(page.waiting.is_none() && page.is_open());
        assert_eq!((keys(&app, "fit").as_str(), keys(&app, "unwind").as_str()), ("F", "Escape"));
        ask(&mut app, [Setup::Await(Some("fit")), key("Q"), Setup::Unwind]);
        assert!(app.world().resource::<SettingsPage>().is_open());
        ask(&mut app, [Setup::Unwind]);
        assert!(!app.world().resource::<SettingsPage>().is_open());
    }
}
