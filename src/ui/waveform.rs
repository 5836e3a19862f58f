//! The waveform of the selected sample, the transport above it, and what tells its scale.
//!
//! ```text
//!  overview of the whole, while only a part is shown │ how far it is zoomed
//!  the part that is shown                            │ levels in dB
//!  its times                                         │ by how much it is amplified
//! ```

use bevy::prelude::Entity;
use bevy_egui::egui::{
    self, Align2, Color32, CursorIcon, Mesh, PointerButton, Pos2, Rect, Sense, Stroke, Ui, WidgetInfo, WidgetType,
    pos2, vec2,
};
use dsp::pyramid::{COLUMNS, Pyramid};
use dsp::{Hz, Span};

use super::action::{Action, Edit, Go, Listen, Outside, Prefer, Take};
use super::controls::{self, Strip, Tone};
use super::focus::{self, Section};
use super::menu::{self, Item};
use super::record;
use super::ruler;
use super::theme::{self, HEADING, Theme, icon};
use crate::analyse::waveform::Waveform;
use crate::audio::{AuditionSettings, VOLUMES};
use crate::library::table::Row;
use crate::library::{AudioInfo, Thumbnail};

/// Distance up to which the pointer grabs a region's edge, in points.
const HANDLE: f32 = 5.0;
/// Least part of a sound that can be shown, in frames.
const LEAST_FRAMES: f64 = 16.0;
/// A drag shorter than this is a click, in points.
const CLICK: f32 = 3.0;
/// Below this height in points there is neither ruler nor scale.
const LOW: f32 = 90.0;
/// Height of the band that is shown while recording, in points.
const BAND: f32 = 28.0;
/// Below this width in points the buttons do not show their keys.
const NARROW: f32 = 700.0;
/// Width of the scale, in points.
const SCALE: f32 = 54.0;
/// Height of the overview, in points.
const OVERVIEW: f32 = 16.0;
/// Most that a quiet sound is amplified to be seen: 16 bits have nothing below.
const MOST_GAIN: f32 = 4096.0;
/// The same for the first sketch, whose steps are 42 dB under full scale.
const MOST_SKETCHED: f32 = 16.0;
/// A dragged edge goes to a zero crossing that is no farther away than this in seconds.
const SNAP: f64 = 0.01;
/// Nor than this in points, so that it stays where the pointer is.
const REACH: f64 = 24.0;

/// The selected sample.
pub struct Subject<'a> {
    /// The sample.
    pub entity: Entity,
    /// Its row; none for a take that is only a question.
    pub row: Option<&'a Row>,
    /// Format and length, once decoded.
    pub info: Option<&'a AudioInfo>,
    /// The first sketch of its waveform.
    pub thumbnail: Option<&'a Thumbnail>,
    /// Its waveform, once read; for a sound that is not analysed yet all that is known.
    pub wave: Option<&'a Waveform>,
}

impl Subject<'_> {
    /// Length in seconds, 0 until anything of it has been read.
    fn seconds(&self) -> f64 {
        let read = || self.wave.map_or(0.0, |wave| wave.seconds().0);
        self.info.map_or_else(read, |info| info.seconds().0)
    }

    fn channels(&self) -> usize {
        let read = || self.wave.map_or(0, |wave| wave.pyramid.channels());
        self.info.map_or_else(read, |info| info.channels as usize)
    }
}

/// Where the selected sample could be cut, in seconds.
#[derive(Default)]
pub struct Cuts<'a> {
    /// Its slices, while they are shown.
    pub slices: Option<&'a [Span]>,
    /// Whether they are, or are being looked for.
    pub splits: bool,
    /// What would be left of a take without the silence at its ends.
    pub trim: Option<Span>,
}

/// What the waveform is drawn from.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct View<'a> {
    /// The selected sample.
    pub subject: Option<Subject<'a>>,
    /// The part shown, in seconds; `None` for all.
    pub span: Option<Span>,
    /// The chosen part, in seconds.
    pub region: Option<Span>,
    /// Where the selected sample plays, in seconds.
    pub playhead: Option<f64>,
    /// Whether any sample plays.
    pub playing: bool,
    /// The sample whose neighbours are listed.
    pub asked: Option<Entity>,
    /// How sounds are played.
    pub audition: AuditionSettings,
    /// Whether selecting plays.
    pub autoplay: bool,
    /// Whether all channels are drawn as one.
    pub mono: bool,
    /// Whether quiet sounds are amplified to fill the height.
    pub auto_gain: bool,
    /// Whether edges that are dragged go to zero crossings.
    pub snap: bool,
    /// What the recorder shows.
    pub record: record::View<'a>,
    /// Where the selected sample could be cut.
    pub cuts: Cuts<'a>,
    /// Colours.
    pub theme: &'a Theme,
    /// The keys of an action as text.
    pub keys: &'a dyn Fn(&Action) -> String,
}

/// Draws the waveform into `ui`'s rectangle.
pub fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let area = ui.max_rect();
    let (heading, body) = area.split_top_bottom_at_y(area.top() + HEADING);
    transport(ui, heading, view, actions);
    let (body, band) = body.split_top_bottom_at_y(body.bottom() - if view.record.is_recording() { BAND } else { 0.0 });
    if view.record.is_recording() {
        record::band(ui, band, &view.record, actions);
    }
    let Some(subject) = &view.subject else {
        let text = "Select a sound to see and hear it.";
        controls::line(ui, body, Align2::CENTER_CENTER, text, theme::regular(12.0), view.theme.muted);
        return;
    };
    let length = subject.seconds();
    if length <= 0.0 {
        let failed = subject.row.and_then(|row| row.failed.as_ref());
        let text = failed.map_or_else(|| "Not read yet.".to_owned(), ToString::to_string);
        let body = body.shrink2(vec2(theme::PADDING, 0.0));
        controls::line(ui, body, Align2::CENTER_CENTER, &text, theme::regular(12.0), view.theme.muted);
        return;
    }
    let visible = view.span.unwrap_or(Span::new(0.0, length));
    let times = if body.height() > LOW { ruler::HEIGHT } else { 0.0 };
    let levels = if times > 0.0 { SCALE } else { 0.0 };
    let whole = if visible.seconds() < length { OVERVIEW } else { 0.0 };
    let (over, body) = body.split_top_bottom_at_y(body.top() + whole);
    let (body, under) = body.split_top_bottom_at_y(body.bottom() - times);
    let [over, body, under] = [over, body, under].map(|row| row.split_left_right_at_x(row.right() - levels));
    if whole > 0.0 {
        overview(ui, over.0, subject, visible, length, view.theme, actions);
    }
    let gain = gain(subject, view);
    if levels > 0.0 {
        ruler::show(ui, under.0, visible, view.theme);
        self::levels(ui, body.1, lanes(subject, view.mono), gain.shown, view.theme);
        scales(ui, [over.1, under.1], length / visible.seconds(), gain, view, actions);
    }
    let rate = subject.info.map(|info| info.rate).or_else(|| subject.wave.map(|wave| wave.rate));
    let frame = 1.0 / f64::from(rate.unwrap_or(Hz(44_100)));
    let scale = Scale { rect: body.0, span: visible };
    pointer(ui, &scale, length, frame, view, actions);
    paint(ui, &scale, subject, length, gain.shown, view);
    if let Some(slices) = view.cuts.slices {
        self::slices(ui, &scale, slices, length, view, actions);
    }
}

/// Where a time lies.
struct Scale {
    rect: Rect,
    span: Span,
}

#[expect(clippy::cast_possible_truncation, reason = "points of a window")]
impl Scale {
    fn x(&self, seconds: f64) -> f32 {
        let Span { start: from, end: to } = self.span;
        self.rect.left() + ((seconds - from) / (to - from) * f64::from(self.rect.width())) as f32
    }

    fn seconds(&self, x: f32) -> f64 {
        let Span { start: from, end: to } = self.span;
        from + f64::from((x - self.rect.left()) / self.rect.width()) * (to - from)
    }
}

/// What amplitudes are multiplied with.
#[derive(Clone, Copy)]
struct Gain {
    /// In the picture.
    shown: f32,
    /// To make the loudest sample as high as the picture.
    full: f32,
}

fn gain(subject: &Subject, view: &View) -> Gain {
    // What is being recorded would grow and shrink.
    let grows = view.record.recorder.take == Some(subject.entity);
    let full = match (subject.wave, subject.thumbnail) {
        _ if grows => 1.0,
        (Some(wave), _) => (1.0 / wave.peak()).min(MOST_GAIN),
        (None, Some(thumbnail)) => {
            let peak = thumbnail.0.iter().flatten().map(|value| value.unsigned_abs()).max().unwrap_or(0);
            (127.0 / f32::from(peak)).min(MOST_SKETCHED)
        }
        (None, None) => 1.0,
    };
    // Of silence there is nothing to see at any scale.
    let full = if full < MOST_GAIN { full.max(1.0) } else { 1.0 };
    Gain { shown: if view.auto_gain { full } else { 1.0 }, full }
}

fn db(gain: f32) -> f32 {
    20.0 * gain.log10()
}

/// How many lanes a sound is drawn in.
fn lanes(subject: &Subject, mono: bool) -> usize {
    let channels = subject.wave.map_or(1, |wave| wave.pyramid.channels());
    if mono { 1 } else { channels.clamp(1, 8) }
}

/// The part of `body` that a lane is drawn in.
fn lane(body: Rect, lanes: usize, n: usize) -> Rect {
    let body = body.shrink2(vec2(0.0, 6.0));
    let height = body.height() / lanes as f32;
    Rect::from_min_size(pos2(body.left(), body.top() + n as f32 * height), vec2(body.width(), height))
        .shrink2(vec2(0.0, 1.0))
}

/// The levels in dBFS at the top of each lane and half way up.
fn levels(ui: &Ui, rect: Rect, lanes: usize, gain: f32, theme: &Theme) {
    for n in 0..lanes {
        let lane = lane(rect, lanes, n);
        let marks: &[f32] = match lane.height() {
            height if height < 24.0 => &[],
            height if height < 52.0 => &[1.0],
            _ => &[1.0, 0.5],
        };
        for share in marks {
            let y = ui.painter().round_to_pixel_center(lane.center().y - lane.height() / 2.0 * share);
            ui.painter().hline(lane.left()..=lane.left() + 4.0, y, Stroke::new(1.0, theme.faint));
            let text = controls::signed(db(*share) - db(gain), 0);
            let label = Rect::from_min_size(pos2(lane.left() + 8.0, (y - 6.0).max(lane.top() - 2.0)), vec2(40.0, 12.0));
            controls::line(ui, label, Align2::LEFT_CENTER, &text, theme::regular(10.0), theme.muted);
        }
    }
}

/// How far the waveform is zoomed, and by how much it is amplified; both can be clicked.
fn scales(ui: &Ui, [over, under]: [Rect; 2], zoom: f64, gain: Gain, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    if over.height() > 0.0 {
        let times = if zoom < 9.95 { format!("\u{d7}{zoom:.1}") } else { format!("\u{d7}{zoom:.0}") };
        let what = "Show the whole sound";
        let hint = controls::hint(what, "double-click");
        if controls::word(ui, over.with_min_x(over.left() + 8.0), &times, what, &hint, Tone::On, theme).clicked()
            && let Some(subject) = &view.subject
        {
            actions.push(Go::Span(Span::new(0.0, subject.seconds())).into());
        }
    }
    let amplified = format!("+{:.0} dB", db(gain.full));
    let (text, hint) = match view.auto_gain {
        _ if db(gain.full) < 0.5 => ("0 dB".to_owned(), "The loudest sample is as high as the picture".to_owned()),
        true => (amplified.clone(), format!("Drawn {amplified} higher to be seen; click for the true scale")),
        false => ("0 dB".to_owned(), format!("Drawn at its true scale; click to draw it {amplified} higher")),
    };
    let tone = Tone::of(view.auto_gain && db(gain.full) >= 0.5);
    let rect = under.with_min_x(under.left() + 8.0);
    if controls::word(ui, rect, &text, "Fill the height", &hint, tone, theme).clicked() {
        actions.push(Prefer::ToggleAutoGain.into());
    }
}

/// The whole sound while only a part of it is shown, which can be dragged.
fn overview(
    ui: &Ui,
    rect: Rect,
    subject: &Subject,
    visible: Span,
    length: f64,
    theme: &Theme,
    actions: &mut Vec<Action>,
) {
    let id = ui.id().with("overview");
    let response = ui.interact(rect, id, Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::slider(true, visible.start, "Overview"));
    let whole = Scale { rect, span: Span::new(0.0, length) };
    let painter = ui.painter().with_clip_rect(rect);
    let [left, right] = [visible.start, visible.end].map(|seconds| whole.x(seconds));
    let shown = Rect::from_x_y_ranges(left..=right.max(left + 3.0), rect.y_range());
    painter.rect_filled(shown, 0.0, theme.raised);
    let body = rect.shrink2(vec2(0.0, 2.0));
    if let Some(wave) = subject.wave {
        let gain = (1.0 / wave.peak()).clamp(1.0, MOST_GAIN);
        let rate = wave.pyramid.frames() as f64 / length;
        let colours = [theme.muted, theme.faint];
        trace(&painter, body, &wave.pyramid, None, &whole, (rate, gain), colours, shown.right());
    } else if let Some(thumbnail) = subject.thumbnail {
        sketch(&painter, body, thumbnail, &whole, (length, 1.0), [theme.muted, theme.faint], shown.right());
    }
    for x in [shown.left(), shown.right()] {
        painter.vline(painter.round_to_pixel_center(x), rect.y_range(), Stroke::new(1.0, theme.time));
    }
    let response = response.on_hover_cursor(CursorIcon::Grab).on_hover_text("Drag to move along the sound");
    if response.double_clicked() {
        actions.push(Go::Span(Span::new(0.0, length)).into());
        return;
    }
    let begun = response.drag_started() || response.clicked();
    let press = ui.input(|input| input.pointer.press_origin()).or(response.interact_pointer_pos());
    let at = |pos: Pos2| whole.seconds(pos.x);
    // Where the part is held: under the pointer, or in its middle if the pointer went down elsewhere.
    let held = if begun {
        let press = press.map(at).filter(|press| visible.holds(*press));
        press.map_or(visible.seconds() / 2.0, |press| press - visible.start)
    } else {
        ui.data(|data| data.get_temp(id)).unwrap_or(visible.seconds() / 2.0)
    };
    ui.data_mut(|data| data.insert_temp(id, held));
    if let Some(pos) = response.interact_pointer_pos()
        && (response.dragged() || response.clicked())
    {
        let start = (at(pos) - held).clamp(0.0, (length - visible.seconds()).max(0.0));
        actions.push(Go::Span(Span::new(start, start + visible.seconds())).into());
    }
}

fn transport(ui: &mut Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let mut strip = Strip::new(rect);
    let play = if view.playing { (icon::STOP, "Stop") } else { (icon::PLAY, "Play") };
    let usable = view.subject.is_some() || view.playing;
    let tone = if view.playing {
        Tone::On
    } else if usable {
        Tone::Plain
    } else {
        Tone::Idle
    };
    let tip = controls::hint(play.1, &(view.keys)(&Listen::PlayOrStop.into()));
    if controls::icon(ui, strip.left(18.0), play.0, play.1, &tip, tone, theme).clicked() {
        actions.push(Listen::PlayOrStop.into());
    }
    strip.left(4.0);
    record::show(ui, &mut strip, &view.record, actions);
    volume(ui, strip.right(112.0), view, actions);
    strip.right(6.0);
    let chosen = view.subject.as_ref().map(|subject| subject.entity);
    let asked = chosen.is_some() && chosen == view.asked;
    let several = view.subject.as_ref().is_some_and(|subject| subject.channels() > 1);
    let compared = |row: &Row| row.analysed || row.former;
    let known = view.subject.as_ref().is_some_and(|subject| subject.row.is_some_and(compared));
    let narrow = rect.width() < NARROW;
    let neighbours = if known { Tone::Plain } else { Tone::Idle };
    let buttons = [
        (
            "Neighbours",
            "Neighbours",
            "Find sounds like this one",
            Go::Neighbours.into(),
            if asked { Tone::On } else { neighbours },
        ),
        ("Loop", "Loop", "Play in a loop", Listen::ToggleLoop.into(), Tone::of(view.audition.looping)),
        (
            "Level",
            "Equal loudness",
            "Play all sounds equally loud",
            Listen::ToggleEqualLoudness.into(),
            Tone::of(view.audition.equal_loudness),
        ),
        (
            "Auto",
            "Play sounds when selected",
            "Play sounds when selected",
            Prefer::ToggleAutoplay.into(),
            Tone::of(view.autoplay),
        ),
    ];
    for (text, label, what, action, tone) in buttons {
        let keys = (view.keys)(&action);
        let text = if keys.is_empty() || narrow { text.to_owned() } else { format!("{text} {keys}") };
        let rect = strip.right(controls::word_width(ui, &text));
        let hint = controls::hint(what, &keys);
        let response = match tone {
            Tone::On | Tone::Off if label != "Neighbours" => {
                controls::toggle(ui, rect, &text, label, &hint, tone == Tone::On, theme)
            }
            _ => controls::word(ui, rect, &text, label, &hint, tone, theme),
        };
        if response.clicked() {
            actions.push(action);
        }
        if label == "Neighbours" {
            strip.right(8.0);
        }
    }
    if several {
        let text = if view.mono { "Mono" } else { "Channels" };
        let rect = strip.right(controls::word_width(ui, text));
        let what = if view.mono { "Draw each channel by itself" } else { "Draw all channels as one" };
        if controls::toggle(ui, rect, text, "Channels as one", what, view.mono, theme).clicked() {
            actions.push(Prefer::ToggleMono.into());
        }
    }
    cuts(ui, &mut strip, narrow, view, actions);
    strip.right(8.0);
    if let Some(subject) = &view.subject {
        name(ui, strip.rest(), subject, view);
    }
}

/// Where the sound could be cut, and what would come of it.
fn cuts(ui: &Ui, strip: &mut Strip, narrow: bool, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let mut word = |strip: &mut Strip, text: &str, what: &str, action: Action| {
        let rect = strip.right(controls::word_width(ui, text));
        if controls::word(ui, rect, text, text, what, Tone::Plain, theme).clicked() {
            actions.push(action);
        }
    };
    let count = view.cuts.slices.map_or(0, <[_]>::len);
    if count > 0 {
        let text = if count == 1 { "Save 1 slice".to_owned() } else { format!("Save {count} slices") };
        word(strip, &text, "Write each slice to a file of its own", Take::SaveSlices.into());
    }
    if let Some(Span { start, end }) = view.cuts.trim.filter(|_| !view.cuts.splits) {
        let what = format!("Write a copy without the silence before {start:.2} s and after {end:.2} s");
        word(strip, "Trim", &what, Take::Trim.into());
    }
    if view.subject.is_some() {
        let keys = (view.keys)(&Prefer::ToggleSnap.into());
        let text = if keys.is_empty() || narrow { "Snap".to_owned() } else { format!("Snap {keys}") };
        let rect = strip.right(controls::word_width(ui, &text));
        let what = "Regions and slices begin and end where the sound crosses zero, unless Alt is held";
        if controls::toggle(ui, rect, &text, "Snap to zero crossings", what, view.snap, theme).clicked() {
            actions.push(Prefer::ToggleSnap.into());
        }
    }
    if view.cuts.splits || view.subject.as_ref().is_some_and(|subject| subject.row.is_some_and(|row| row.analysed)) {
        let keys = (view.keys)(&Take::Split.into());
        let text = if keys.is_empty() || narrow { "Split".to_owned() } else { format!("Split {keys}") };
        let rect = strip.right(controls::word_width(ui, &text));
        let what = "Show where sounds begin, to split there";
        if controls::toggle(ui, rect, &text, &text, what, view.cuts.splits, theme).clicked() {
            actions.push(Take::Split.into());
        }
    }
}

fn name(ui: &Ui, rect: Rect, subject: &Subject, view: &View) {
    let theme = view.theme;
    let facts = facts(subject);
    let facts_width = ui.painter().layout_no_wrap(facts.clone(), theme::regular(12.0), theme.muted).size().x;
    // The name comes first; the facts are shown only if enough of the name fits beside them.
    let room = rect.with_max_x(rect.right() - facts_width - 14.0);
    let facts_fit = room.width() > 120.0;
    let room = if facts_fit { room } else { rect };
    let width = controls::line(
        ui,
        room,
        Align2::LEFT_CENTER,
        subject.row.map_or("Recording to search with", |row| &row.name),
        theme::strong(13.0),
        theme.text,
    );
    if facts_fit {
        let rest = rect.with_min_x(rect.left() + width + 14.0);
        controls::line(ui, rest, Align2::LEFT_CENTER, &facts, theme::regular(12.0), theme.muted);
    }
}

/// Length, rate, depth, channels and loudness of the sound.
fn facts(subject: &Subject) -> String {
    let Some(info) = subject.info else { return String::new() };
    let depth = match info.codec.as_str() {
        codec if codec.contains("24") => "24 bit",
        codec if codec.contains("16") => "16 bit",
        codec if codec.contains("s32") => "32 bit",
        codec if codec.contains("f32") => "32 bit float",
        codec if codec.contains('8') && codec.starts_with("pcm") => "8 bit",
        codec => codec,
    };
    let channels = match info.channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        n => format!("{n} channels"),
    };
    #[expect(clippy::cast_possible_truncation, reason = "shown with two digits")]
    let length = controls::length(info.seconds().0 as f32);
    let rate = f64::from(info.rate) / 1000.0;
    let loudness = match subject.row {
        Some(row) if row.lufs.is_finite() => format!("{} LUFS", controls::signed(row.lufs, 1)),
        Some(row) if row.brightness.is_finite() => "silent".to_owned(),
        _ => String::new(),
    };
    format!("{length}   {rate} kHz · {depth} · {channels}   {loudness}")
}

fn volume(ui: &mut Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let (sign, rest) = rect.split_left_right_at_x(rect.left() + 20.0);
    ui.painter().text(sign.center(), Align2::CENTER_CENTER, icon::SPEAKER, theme::icons(14.0), theme.muted);
    let (bar, text) = rest.split_left_right_at_x(rest.right() - 46.0);
    let db = view.audition.volume_db;
    let silent = db <= *VOLUMES.start();
    let (low, high) = (*VOLUMES.start(), *VOLUMES.end());
    // The 24 dB that are used most take about two thirds of the slider.
    let share = ((db - low) / (high - low)).clamp(0.0, 1.0).powi(2);
    let (response, asked) = controls::slider(ui, bar, ("Volume", f64::from(db)), share, theme.muted, theme);
    if let Some(share) = asked {
        actions.push(Listen::Volume((low + (high - low) * share.sqrt()).round()).into());
    }
    if response.double_clicked() {
        actions.push(Listen::Volume(AuditionSettings::default().volume_db).into());
    }
    if response.hovered() {
        let turned = ui.input(|input| input.smooth_scroll_delta().y);
        if turned != 0.0 {
            actions.push(Listen::Volume((db + turned.signum()).clamp(low, high)).into());
        }
    }
    let said = if silent { "off".to_owned() } else { format!("{} dB", controls::signed(db, 0)) };
    controls::line(ui, text, Align2::RIGHT_CENTER, &said, theme::regular(12.0), theme.text);
    response.on_hover_text("Volume; double-click for \u{2212}6 dB");
}

/// What a drag changes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Drag {
    /// Nothing yet: it began here, in seconds and points.
    Begun(f64, Pos2),
    /// A region with this fixed end.
    From(f64),
}

fn pointer(ui: &mut Ui, scale: &Scale, length: f64, frame: f64, view: &View, actions: &mut Vec<Action>) {
    let id = ui.id().with("waveform");
    let response = ui.interact(scale.rect, id, Sense::click_and_drag());
    focus::home(ui.ctx(), Section::Waveform, id, &[], false);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Other, true, "Waveform"));
    let clamp = |seconds: f64| seconds.clamp(0.0, length);
    let edge = |seconds: f64| clamp(snapped(ui, scale, clamp(seconds), view));
    let near = |at: Pos2| {
        view.region.and_then(|Span { start: from, end: to }| {
            let far = |seconds: f64| (scale.x(seconds) - at.x).abs();
            if far(from) <= HANDLE { Some([to, from]) } else { (far(to) <= HANDLE).then_some([from, to]) }
        })
    };
    if let Some(at) = response.hover_pos() {
        ui.set_cursor_icon(if near(at).is_some() { CursorIcon::ResizeHorizontal } else { CursorIcon::Text });
    }
    let mut drag: Option<Drag> = ui.data(|data| data.get_temp(id));
    if response.drag_started_by(PointerButton::Primary)
        && let Some(at) = ui.input(|input| input.pointer.press_origin())
    {
        drag = Some(near(at).map_or(Drag::Begun(clamp(scale.seconds(at.x)), at), |[fixed, _]| Drag::From(fixed)));
    }
    if let (Some(begun), Some(at)) = (drag, response.interact_pointer_pos()) {
        let fixed = match begun {
            Drag::Begun(_, origin) if (at.x - origin.x).abs() < CLICK => None,
            Drag::Begun(fixed, _) | Drag::From(fixed) => Some(fixed),
        };
        if let Some(fixed) = fixed {
            let fixed = if matches!(begun, Drag::Begun(..)) { edge(fixed) } else { fixed };
            drag = Some(Drag::From(fixed));
            let there = scale.seconds(at.x);
            // A part shorter than half a wave has no two crossings.
            let other = Some(edge(there)).filter(|other| (other - fixed).abs() > 0.0).unwrap_or(clamp(there));
            actions.push(Go::Region(Some(Span::new(fixed.min(other), fixed.max(other)))).into());
        }
        if response.drag_stopped() {
            if let Some(Drag::Begun(seconds, _)) = drag {
                actions.push(Listen::PlayFrom(seconds).into());
            }
            drag = None;
        }
    }
    ui.data_mut(|data| {
        data.remove::<Drag>(id);
        drag.map(|drag| data.insert_temp(id, drag));
    });
    if response.double_clicked() {
        actions.push(Go::Span(Span::new(0.0, length)).into());
        actions.push(Go::Region(None).into());
    } else if response.clicked()
        && let Some(at) = response.interact_pointer_pos()
    {
        let seconds = clamp(scale.seconds(at.x));
        if view.region.is_some_and(|region| !region.holds(seconds)) {
            actions.push(Go::Region(None).into());
        }
        actions.push(Listen::PlayFrom(seconds).into());
    }
    let look = menu::Look { theme: view.theme, keys: view.keys };
    menu::show(egui::Popup::context_menu(&response), look, || choices(view, length), actions);
    if let Some(at) = response.hover_pos() {
        let (turned, zoomed) = ui.input(|input| (input.smooth_scroll_delta(), input.zoom_delta()));
        let Span { start: from, end: to } = scale.span;
        if turned.x != 0.0 {
            let by = -f64::from(turned.x / scale.rect.width()) * (to - from);
            let by = by.clamp(-from, (length - to).max(-from));
            actions.push(Go::Span(Span::new(from + by, to + by)).into());
        } else if turned.y != 0.0 || (zoomed - 1.0).abs() > 1e-4 {
            let factor = f64::from((turned.y / 200.0).exp() * zoomed);
            let width = ((to - from) / factor).clamp((LEAST_FRAMES * frame).min(length), length);
            let fixed = scale.seconds(at.x);
            let share = f64::from((at.x - scale.rect.left()) / scale.rect.width());
            let start = (fixed - width * share).clamp(0.0, (length - width).max(0.0));
            actions.push(Go::Span(Span::new(start, start + width)).into());
        }
    }
}

/// Where an edge goes that is dragged to a place: to a zero crossing nearby, unless the user does without.
fn snapped(ui: &Ui, scale: &Scale, seconds: f64, view: &View) -> f64 {
    let wave = view.subject.as_ref().and_then(|subject| subject.wave);
    let wanted = view.snap && !ui.input(|input| input.modifiers.alt);
    let within = SNAP.min(scale.span.seconds() / f64::from(scale.rect.width()) * REACH);
    wave.filter(|_| wanted).and_then(|wave| wave.crossing(seconds, within)).unwrap_or(seconds)
}

/// What can be done with the region or, without one, with the whole sound.
fn choices(view: &View, length: f64) -> Vec<Item> {
    let part = if view.region.is_some() { "region" } else { "sound" };
    let mut items = vec![
        Item::new(
            if view.region.is_some() { "Find sounds like the region" } else { "Find sounds like this" },
            Go::Neighbours,
        ),
        Item::new(if view.playing { "Stop".to_owned() } else { format!("Play the {part}") }, Listen::PlayOrStop),
        Item::switch(view.audition.looping, "Loop", Listen::ToggleLoop),
        Item::Line,
    ];
    if let Some(region) = view.region {
        items.push(Item::new("Zoom in on the region", Go::Span(region)));
        items.push(Item::new("Clear the region", Go::Region(None)));
    }
    if view.span.is_some() {
        items.push(Item::new("Show the whole sound", Go::Span(Span::new(0.0, length))));
    }
    if view.region.is_some() || view.span.is_some() {
        items.push(Item::Line);
    }
    items.push(Item::switch(view.cuts.splits, "Show where to split", Take::Split));
    if let Some(slices) = view.cuts.slices.filter(|slices| !slices.is_empty()) {
        items.push(Item::new(format!("Save {} slices", slices.len()), Take::SaveSlices));
    }
    if view.cuts.trim.is_some() {
        items.push(Item::new("Trim silence into a copy", Take::Trim));
    }
    let Some(row) = view.subject.as_ref().and_then(|subject| subject.row) else { return items };
    items.extend([
        Item::Line,
        Item::new("Find on map", Go::FindOnMap),
        Item::new(if row.kept { "Stop keeping" } else { "Keep" }, Edit::Keep),
        Item::new(if view.region.is_some() { "Copy the region" } else { "Copy file" }, Outside::CopyFiles),
        Item::new("Show in file manager", Outside::RevealSelected),
    ]);
    items
}

/// The slices, each with a handle at either end to be dragged; a double click takes one away.
fn slices(ui: &Ui, scale: &Scale, slices: &[Span], length: f64, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let painter = ui.painter().with_clip_rect(scale.rect);
    let mut last = f32::NEG_INFINITY;
    for (i, slice) in slices.iter().enumerate() {
        if scale.x(slice.end) < scale.rect.left() || scale.x(slice.start) > scale.rect.right() {
            continue;
        }
        for (side, at) in [slice.start, slice.end].into_iter().enumerate() {
            let x = scale.x(at);
            painter.vline(painter.round_to_pixel_center(x), scale.rect.y_range(), Stroke::new(1.0, theme.similarity));
            let inward = if side == 0 { 4.0 } else { -4.0 };
            let flag = Rect::from_center_size(pos2(x + inward, scale.rect.top() + 6.0), vec2(8.0, 12.0));
            // Of overlapping handles only the first can be grabbed.
            if flag.center().x - last < HANDLE {
                continue;
            }
            last = flag.center().x;
            painter.rect_filled(flag, 0.0, theme.similarity);
            let label = format!("{} of slice {}", if side == 0 { "Start" } else { "End" }, i + 1);
            let response = ui.interact(flag.expand(3.0), ui.id().with(&label), Sense::click_and_drag());
            response.widget_info(|| WidgetInfo::slider(true, at, &label));
            let response = response.on_hover_cursor(CursorIcon::ResizeHorizontal);
            if response.double_clicked() {
                let mut next = slices.to_vec();
                next.remove(i);
                actions.push(Take::Slice(next).into());
            } else if let Some(pointer) = response.interact_pointer_pos().filter(|_| response.dragged()) {
                // No handle passes another.
                let least =
                    if side == 0 { i.checked_sub(1).map_or(0.0, |before| slices[before].end) } else { slice.start };
                let most = if side == 0 { slice.end } else { slices.get(i + 1).map_or(length, |after| after.start) };
                let mut next = slices.to_vec();
                let moved = snapped(ui, scale, scale.seconds(pointer.x), view).clamp(least, most.max(least));
                *(if side == 0 { &mut next[i].start } else { &mut next[i].end }) = moved;
                actions.push(Take::Slice(next).into());
            }
        }
    }
}

fn paint(ui: &Ui, scale: &Scale, subject: &Subject, length: f64, gain: f32, view: &View) {
    let theme = view.theme;
    let painter = ui.painter().with_clip_rect(scale.rect);
    if let Some(Span { start: from, end: to }) = view.region {
        let rect = Rect::from_x_y_ranges(scale.x(from)..=scale.x(to), scale.rect.y_range());
        painter.rect_filled(rect, 0.0, theme.region);
    }
    let played_to = view.playhead.map_or(scale.rect.left(), |seconds| scale.x(seconds));
    if let Some(wave) = subject.wave.map(|wave| &*wave.pyramid) {
        let lanes = lanes(subject, view.mono);
        for n in 0..lanes {
            let rect = lane(scale.rect, lanes, n);
            let channel = (lanes > 1).then_some(n);
            let rate = wave.frames() as f64 / length;
            trace(&painter, rect, wave, channel, scale, (rate, gain), [theme.time, theme.wave], played_to);
        }
    } else if let Some(thumbnail) = subject.thumbnail {
        let body = lane(scale.rect, 1, 0);
        sketch(&painter, body, thumbnail, scale, (length, gain), [theme.time, theme.wave], played_to);
    }
    if let Some(Span { start: from, end: to }) = view.region {
        for x in [scale.x(from), scale.x(to)] {
            painter.vline(x, scale.rect.y_range(), Stroke::new(1.0, theme.time));
            let grip = Rect::from_center_size(pos2(x, scale.rect.top() + 6.0), vec2(5.0, 12.0));
            painter.rect_filled(grip, 0.0, theme.time);
        }
        times(&painter, scale, Span::new(from, to), theme);
    }
    if view.playhead.is_some() {
        let x = painter.round_to_pixel_center(played_to);
        painter.vline(x, scale.rect.y_range(), Stroke::new(1.0, theme.text));
    }
}

/// Writes start, end and length of a region under it, within what is shown.
fn times(painter: &egui::Painter, scale: &Scale, region: Span, theme: &Theme) {
    let (shown, bounds) = (scale.span, scale.rect.shrink2(vec2(4.0, 1.0)));
    if region.end < shown.start || region.start > shown.end {
        return;
    }
    let [start, end, length] = [region.start, region.end, region.seconds()].map(|at| ruler::written(at, 3));
    let text = painter.layout_no_wrap(format!("{start} – {end}   {length}"), theme::regular(11.0), theme.selected_text);
    let centre = scale.x(region.start.max(shown.start).midpoint(region.end.min(shown.end)));
    let left = (centre - text.size().x / 2.0).min(bounds.right() - text.size().x).max(bounds.left());
    let rect = Rect::from_min_size(pos2(left, bounds.bottom() - text.size().y), text.size());
    painter.rect_filled(rect.expand2(vec2(4.0, 1.0)), 0.0, theme.selected);
    painter.galley(rect.min, text, theme.selected_text);
}

/// Draws one channel: a bar from lowest to highest sample for each pixel, or the curve itself where samples lie apart.
fn trace(
    painter: &egui::Painter,
    rect: Rect,
    wave: &Pyramid,
    channel: Option<usize>,
    scale: &Scale,
    (rate, gain): (f64, f32),
    [played, rest]: [Color32; 2],
    played_to: f32,
) {
    let pixel = 1.0 / painter.pixels_per_point();
    let middle = rect.center().y;
    let half = rect.height() / 2.0;
    let frames_per_pixel = (scale.span.seconds()) * rate / f64::from(rect.width() / pixel);
    if frames_per_pixel < 0.5 {
        let first = (scale.span.start * rate).floor().max(0.0);
        let mut points = Vec::new();
        let mut frame = first;
        while frame / rate <= scale.span.end + 2.0 / rate {
            let Some([low, high]) = wave.extremes(channel, frame, frame + 1.0) else { break };
            points.push(pos2(scale.x(frame / rate), middle - f32::midpoint(low, high) * gain * half));
            frame += 1.0;
        }
        if frames_per_pixel < 0.15 {
            for point in &points {
                painter.circle_filled(*point, 2.0, if point.x <= played_to { played } else { rest });
            }
        }
        painter.add(egui::Shape::line(points, Stroke::new(1.0, rest)));
        return;
    }
    let mut mesh = Mesh::default();
    let mut x = rect.left();
    while x < rect.right() {
        let span = [scale.seconds(x) * rate, scale.seconds(x + pixel) * rate];
        if let Some([low, high]) = wave.extremes(channel, span[0], span[1]) {
            let top = (middle - high * gain * half).min(middle - pixel / 2.0);
            let bottom = (middle - low * gain * half).max(middle + pixel / 2.0);
            let colour = if x < played_to { played } else { rest };
            mesh.add_colored_rect(Rect::from_min_max(pos2(x, top), pos2(x + pixel, bottom)), colour);
        }
        x += pixel;
    }
    painter.add(mesh);
}

/// Draws the outline of the list row while the waveform itself is being read.
fn sketch(
    painter: &egui::Painter,
    rect: Rect,
    thumbnail: &Thumbnail,
    scale: &Scale,
    (length, gain): (f64, f32),
    [played, rest]: [Color32; 2],
    played_to: f32,
) {
    let mut mesh = Mesh::default();
    let (middle, half) = (rect.center().y, rect.height() / 2.0 / 127.0 * gain);
    for (column, [low, high]) in thumbnail.0.iter().enumerate() {
        let at = |column: usize| scale.x(column as f64 / COLUMNS as f64 * length);
        let (left, right) = (at(column), at(column + 1));
        let (top, bottom) = (middle - f32::from(*high) * half - 0.5, middle - f32::from(*low) * half + 0.5);
        let colour = if right <= played_to { played } else { rest };
        mesh.add_colored_rect(Rect::from_min_max(pos2(left, top), pos2(right, bottom)), colour);
    }
    painter.add(mesh);
}
