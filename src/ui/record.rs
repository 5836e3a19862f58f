//! Recording in the window: the button, the level meter, the options menu, and how their actions are carried out.

use bevy::prelude::*;
use bevy_egui::egui::{self, CursorIcon, Rect, Sense, Ui, WidgetInfo, WidgetType, pos2, vec2};
use file::wav_writer::Format;

use super::action::{Action, Edit, Go, Outside, Take};
use super::controls::{self, Strip, Tone};
use super::menu::{self, Item};
use super::preferences::Preferences;
use super::session::Session;
use super::theme::{self, Theme, icon};
use crate::library::{FileStamp, Recording, Sample};
use crate::notice::Notice;
use crate::record::{
    AcceptTrim, Keep, Level, ProposeSlices, Record, Recorder, RecordingSettings, SaveSlices, Slices, TakeOptions, Trim,
};

/// Level that starts a take which waits for sound, in dBFS.
const THRESHOLD: f32 = -40.0;
/// The lowest level that the meter shows, in dBFS.
const FLOOR: f32 = -60.0;
/// From here on up the meter warns, in dBFS.
const HOT: f32 = -3.0;

/// What the controls are drawn from.
pub struct View<'a> {
    /// What the recorder does.
    pub recorder: &'a Recorder,
    /// The level of what comes in.
    pub level: &'a Level,
    /// How takes are made.
    pub settings: &'a RecordingSettings,
    /// Names of the inputs, once they were asked for.
    pub inputs: &'a [String],
    /// Length in seconds and size in bytes of the take that is under way, once something was written.
    pub written: Option<(f64, u64)>,
    /// Whether a take waits for a level.
    pub waits: bool,
    /// Colours.
    pub theme: &'a Theme,
    /// The keys of an action as text.
    pub keys: &'a dyn Fn(&Action) -> String,
}

impl View<'_> {
    /// Tells whether a take is under way, or waits to be.
    pub fn is_recording(&self) -> bool {
        self.recorder.take.is_some() || self.recorder.waiting
    }
}

/// Draws button, choices and level at the left of `strip`.
pub fn show(ui: &mut Ui, strip: &mut Strip, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let label = if view.is_recording() { "Stop recording" } else { "Record" };
    let rect = strip.left(20.0);
    let response = ui.interact(rect, ui.id().with("Record"), Sense::click());
    response.widget_info(|| WidgetInfo::selected(WidgetType::Button, true, view.is_recording(), label));
    let response = response.on_hover_cursor(CursorIcon::PointingHand);
    let colour = if view.is_recording() {
        theme.warning
    } else if response.hovered() {
        theme.text
    } else {
        theme.muted
    };
    if view.recorder.waiting {
        ui.painter().circle_stroke(rect.center(), 5.0, egui::Stroke::new(2.0, colour));
    } else {
        ui.painter().circle_filled(rect.center(), 5.5, colour);
    }
    if response.on_hover_text(controls::hint(label, &(view.keys)(&Take::Toggle.into()))).clicked() {
        actions.push(Take::Toggle.into());
    }
    let button = controls::icon(
        ui,
        strip.left(16.0),
        icon::DOWN,
        "Recording options",
        "Choose what to record and how",
        Tone::Off,
        theme,
    );
    if button.clicked() {
        actions.push(Outside::ListInputs.into());
    }
    let look = menu::Look { theme, keys: view.keys };
    menu::show(egui::Popup::menu(&button), look, || choices(view), actions);
    if view.recorder.input.is_some() {
        strip.left(6.0);
        meter(ui, strip.left(96.0), view, actions);
    }
    strip.left(10.0);
}

/// Draws a band that nobody can miss: that it is recorded, for how long, and how to end it.
pub fn band(ui: &mut Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    ui.painter().rect_filled(rect, 0.0, theme.warning);
    let mut strip = Strip::new(rect);
    let button = |strip: &mut Strip, text: &str, label: &str, hint: &str| {
        let rect = strip.right(controls::word_width(ui, text) + 10.0).shrink2(vec2(2.0, 4.0));
        ui.painter().rect_filled(rect, 0.0, theme.ground);
        controls::word(ui, rect.with_min_x(rect.left() + 10.0), text, label, hint, Tone::Plain, theme).clicked()
    };
    if button(&mut strip, "Discard", "Discard recording", "End the recording and move its file to the trash") {
        actions.push(Take::Discard.into());
    }
    strip.right(6.0);
    let stop = controls::hint("End the recording and keep it", &(view.keys)(&Go::Unwind.into()));
    if button(&mut strip, "Stop", "End recording", &stop) {
        actions.push(Take::Toggle.into());
    }
    let text = match view.written {
        _ if view.recorder.waiting => "Waiting for sound\u{2026}".to_owned(),
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
        Some((seconds, bytes)) => {
            let (minutes, seconds) = ((seconds / 60.0).floor(), seconds % 60.0);
            format!("Recording   {minutes:.0}:{seconds:04.1}   {:.1} MB", bytes as f64 / 1e6)
        }
        None => "Recording".to_owned(),
    };
    let dot = strip.left(18.0);
    ui.painter().circle_filled(dot.left_center() + vec2(5.0, 0.0), 5.0, theme.ground);
    controls::line(ui, strip.rest(), egui::Align2::LEFT_CENTER, &text, theme::strong(13.0), theme.ground);
}

/// What to record, and how.
fn choices(view: &View) -> Vec<Item> {
    let settings = view.settings;
    let before = format!("Record, including the last {:.0} s", settings.pre_roll.0);
    let mut items = vec![
        Item::new(before, Take::Before),
        Item::new("Record only to find similar sounds", Take::Ask),
        Item::Line,
        Item::switch(view.recorder.armed, "Keep the input open between takes", Take::ToggleArm),
        Item::switch(view.waits, "Start when the input gets loud", Take::ToggleThreshold),
        Item::switch(
            settings.format == Format::Int24,
            "Write 24-bit integers instead of 32-bit floats",
            Take::ToggleFormat,
        ),
        Item::Line,
    ];
    let channels = [("All channels", vec![]), ("Left channel only", vec![1]), ("Right channel only", vec![2])];
    items.extend(
        channels.map(|(text, channels)| Item::switch(settings.channels == channels, text, Take::Channels(channels))),
    );
    items.extend([Item::Line, Item::switch(settings.device.is_empty(), "Default input", Take::From(String::new()))]);
    let inputs = view.inputs.iter();
    items.extend(inputs.map(|name| Item::switch(settings.device == *name, name, Take::From(name.clone()))));
    items
}

/// A bar for each channel with its highest peak, and a light that stays on once it has clipped.
fn meter(ui: &Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let (theme, level) = (view.theme, view.level);
    let response = ui.interact(rect, ui.id().with("Input level"), Sense::click());
    let loudest = level.peak_db.iter().copied().fold(f32::NEG_INFINITY, f32::max).max(-120.0);
    response.widget_info(|| WidgetInfo::slider(true, f64::from(loudest), "Input level"));
    let (bars, light) = rect.split_left_right_at_x(rect.right() - 12.0);
    let share = |db: f32| ((db - FLOOR) / -FLOOR).clamp(0.0, 1.0);
    let lanes = level.peak_db.len().clamp(1, 8);
    let (thick, gap) = if lanes <= 2 { (3.0, 3.0) } else { (1.0, 1.0) };
    let height = lanes as f32 * (thick + gap) - gap;
    for lane in 0..lanes {
        let top = rect.center().y - height / 2.0 + lane as f32 * (thick + gap);
        let bar = Rect::from_min_size(pos2(bars.left(), top), vec2(bars.width() - 4.0, thick));
        ui.painter().rect_filled(bar, 0.0, theme.border);
        let (Some(peak), Some(hold)) = (level.peak_db.get(lane), level.hold_db.get(lane)) else { continue };
        let of = |db: f32| bar.left() + bar.width() * share(db);
        let colour = |db: f32| if db > HOT { theme.warning } else { theme.time };
        ui.painter().rect_filled(bar.with_max_x(of(*peak)), 0.0, colour(*peak));
        if *hold > FLOOR {
            let tick = Rect::from_center_size(pos2(of(*hold), bar.center().y), vec2(2.0, thick + 4.0));
            ui.painter().rect_filled(tick, 0.0, colour(*hold));
        }
    }
    let lamp = Rect::from_center_size(light.center(), vec2(6.0, 6.0));
    ui.painter().rect_filled(lamp, 0.0, if level.clipped { theme.warning } else { theme.border });
    if response.clicked() {
        actions.push(Take::Unclip.into());
    }
    let name = view.recorder.input.as_ref().map(|input| format!("{}, {}", input.name, input.rate)).unwrap_or_default();
    let clipped = if level.clipped { "\nThe input has clipped; click to reset." } else { "" };
    response.on_hover_text(format!("{name}{clipped}"));
}

/// Carries out recording actions and cuts of the selected sample.
pub(super) fn respond(
    mut asked: MessageReader<Take>,
    mut session: ResMut<Session>,
    mut settings: ResMut<RecordingSettings>,
    mut preferences: ResMut<Preferences>,
    recorder: Res<Recorder>,
    cuts: Query<(Option<&Slices>, Option<&Trim>)>,
    mut records: MessageWriter<Record>,
    mut proposals: MessageWriter<ProposeSlices>,
    mut saves: MessageWriter<SaveSlices>,
    mut trims: MessageWriter<AcceptTrim>,
    mut notices: MessageWriter<Notice>,
    mut commands: Commands,
) {
    for action in asked.read() {
        let busy = recorder.take.is_some() || recorder.waiting;
        let threshold_db = preferences.record_when_loud.then_some(THRESHOLD);
        let selected = session.selected().filter(|selected| recorder.take != Some(*selected));
        match action {
            Take::Toggle | Take::Ask | Take::Before if busy => {
                records.write(Record::Stop);
            }
            Take::Toggle => {
                session.requests.asks_by_recording = false;
                records.write(Record::Start(TakeOptions { threshold_db, ..default() }));
            }
            Take::Ask => {
                session.requests.asks_by_recording = true;
                records.write(Record::Start(TakeOptions { keep: Keep::Nothing, threshold_db, ..default() }));
            }
            Take::Before if recorder.armed => {
                session.requests.asks_by_recording = false;
                records.write(Record::Start(TakeOptions { pre_roll: settings.pre_roll, ..default() }));
            }
            Take::Before => {
                records.write(Record::Arm(true));
                let text = "nothing was kept because the input was closed; it is open now, so play the sound again";
                notices.write(Notice::new(text));
            }
            Take::Discard => {
                session.requests.discard = recorder.take;
                records.write(Record::Stop);
            }
            Take::ToggleArm => {
                records.write(Record::Arm(!recorder.armed));
            }
            Take::Unclip => {
                records.write(Record::Unclip);
            }
            Take::ToggleThreshold => preferences.record_when_loud = !preferences.record_when_loud,
            Take::ToggleFormat => {
                settings.format = if settings.format == Format::Int24 { Format::Float32 } else { Format::Int24 };
            }
            Take::Channels(channels) => settings.channels.clone_from(channels),
            Take::From(device) => settings.device.clone_from(device),
            Take::PreRoll(seconds) => settings.pre_roll = *seconds,
            Take::Into(folder) => settings.folder = folder.clone().unwrap_or_default(),
            Take::Split => {
                session.selection.within.splits = !session.selection.within.splits;
                let known = selected.and_then(|selected| cuts.get(selected).ok()?.0);
                if session.selection.within.splits && known.is_none() {
                    proposals.write_batch(selected.map(ProposeSlices));
                }
            }
            Take::Slice(slices) => {
                if let Some(selected) = selected {
                    commands.entity(selected).try_insert(Slices(slices.clone()));
                }
            }
            Take::SaveSlices => {
                if let Some((sample, slices)) = selected.and_then(|s| Some((s, cuts.get(s).ok()?.0?))) {
                    saves.write(SaveSlices { sample, slices: slices.0.clone() });
                    session.selection.within.splits = false;
                }
            }
            Take::Trim => {
                trims.write_batch(selected.map(AcceptTrim));
            }
        }
    }
}

/// Selects a take when it begins, or starts a query with it if only its neighbours are wanted.
pub(super) fn follow(
    recorder: Res<Recorder>,
    mut session: ResMut<Session>,
    finished: Query<&Sample, (With<FileStamp>, Without<Recording>)>,
    mut edits: MessageWriter<Edit>,
    mut last: Local<Option<Entity>>,
) {
    // A take that is not wanted has its file first: a take is whole at any moment.
    if let Some(sample) = session.requests.discard.and_then(|take| finished.get(take).ok()) {
        session.requests.discard = None;
        edits.write(Edit::Discard(vec![sample.path.to_path_buf()]));
    }
    let before = std::mem::replace(&mut *last, recorder.take);
    if let Some(take) = recorder.take.filter(|take| before != Some(*take)) {
        session.meet(take);
    }
}
