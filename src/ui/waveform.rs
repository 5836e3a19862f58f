//! The waveform of the selected sample, and the transport above it.

use bevy::prelude::Entity;
use bevy_egui::egui::{
    self, Align2, Color32, CursorIcon, Mesh, PointerButton, Pos2, Rect, Sense, Stroke, Ui, WidgetInfo, WidgetType,
    pos2, vec2,
};
use dsp::pyramid::{COLUMNS, Pyramid};
use dsp::{Hz, Span};

use super::action::{Action, Go, Listen, Prefer, Take};
use super::controls::{self, Strip, Tone};
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
    let (body, ruler) =
        body.split_top_bottom_at_y(body.bottom() - if body.height() > LOW { ruler::HEIGHT } else { 0.0 });
    if ruler.height() > 0.0 {
        let visible = view.span.unwrap_or(Span::new(0.0, length));
        ruler::show(ui, ruler, visible, length, view.theme);
    }
    let rate = subject.info.map(|info| info.rate).or_else(|| subject.wave.map(|wave| wave.rate));
    let frame = 1.0 / f64::from(rate.unwrap_or(Hz(44_100)));
    let scale = Scale { rect: body, span: view.span.unwrap_or(Span::new(0.0, length)) };
    pointer(ui, &scale, length, frame, view, actions);
    paint(ui, &scale, subject, length, view);
    if let Some(slices) = view.cuts.slices {
        self::slices(ui, &scale, slices, length, view.theme, actions);
    }
}

/// Below this height in points there is no ruler.
const LOW: f32 = 90.0;
/// Height of the band that is shown while recording, in points.
const BAND: f32 = 28.0;
/// Below this width in points the buttons do not show their keys.
const NARROW: f32 = 700.0;

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
    let known = view.subject.as_ref().is_some_and(|subject| subject.row.is_some_and(|row| row.analysed));
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
        word(strip, &text, "Write each slice to a file beside this one", Take::SaveSlices.into());
    }
    if let Some(Span { start, end }) = view.cuts.trim.filter(|_| !view.cuts.splits) {
        let what = format!("Write a copy without the silence before {start:.2} s and after {end:.2} s");
        word(strip, "Trim", &what, Take::Trim.into());
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
    let facts = facts(subject, view.region);
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

/// Length, rate, depth, channels and loudness of the sound, and the length of the selected region.
fn facts(subject: &Subject, region: Option<Span>) -> String {
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
    let part = region.map(|region| {
        let [start, end, length] = [region.start, region.end, region.seconds()].map(|at| ruler::written(at, 3));
        format!("   region {start} – {end}, {length}")
    });
    let part = part.unwrap_or_default();
    format!("{length}   {rate} kHz · {depth} · {channels}   {loudness}{part}")
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
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Other, true, "Waveform"));
    let clamp = |seconds: f64| seconds.clamp(0.0, length);
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
            drag = Some(Drag::From(fixed));
            let other = clamp(scale.seconds(at.x));
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

/// The slices, each with a handle at either end to be dragged; a double click takes one away.
fn slices(ui: &Ui, scale: &Scale, slices: &[Span], length: f64, theme: &Theme, actions: &mut Vec<Action>) {
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
                let moved = scale.seconds(pointer.x).clamp(least, most.max(least));
                *(if side == 0 { &mut next[i].start } else { &mut next[i].end }) = moved;
                actions.push(Take::Slice(next).into());
            }
        }
    }
}

fn paint(ui: &Ui, scale: &Scale, subject: &Subject, length: f64, view: &View) {
    let theme = view.theme;
    let painter = ui.painter().with_clip_rect(scale.rect);
    if let Some(Span { start: from, end: to }) = view.region {
        let rect = Rect::from_x_y_ranges(scale.x(from)..=scale.x(to), scale.rect.y_range());
        painter.rect_filled(rect, 0.0, theme.region);
    }
    let played_to = view.playhead.map_or(scale.rect.left(), |seconds| scale.x(seconds));
    let body = scale.rect.shrink2(vec2(0.0, 6.0));
    if let Some(wave) = subject.wave.map(|wave| &*wave.pyramid) {
        let lanes = if view.mono { 1 } else { wave.channels().clamp(1, 8) };
        let height = body.height() / lanes as f32;
        for lane in 0..lanes {
            let top = body.top() + lane as f32 * height;
            let rect = Rect::from_min_size(pos2(body.left(), top), vec2(body.width(), height)).shrink2(vec2(0.0, 1.0));
            let channel = (lanes > 1).then_some(lane);
            let rate = wave.frames() as f64 / length;
            trace(&painter, rect, wave, channel, scale, rate, [theme.time, theme.wave], played_to);
        }
    } else if let Some(thumbnail) = subject.thumbnail {
        sketch(&painter, body, thumbnail, scale, length, [theme.time, theme.wave], played_to);
    }
    if let Some(Span { start: from, end: to }) = view.region {
        for x in [scale.x(from), scale.x(to)] {
            painter.vline(x, scale.rect.y_range(), Stroke::new(1.0, theme.time));
            let grip = Rect::from_center_size(pos2(x, scale.rect.top() + 6.0), vec2(5.0, 12.0));
            painter.rect_filled(grip, 0.0, theme.time);
        }
    }
    if view.playhead.is_some() {
        let x = painter.round_to_pixel_center(played_to);
        painter.vline(x, scale.rect.y_range(), Stroke::new(1.0, theme.text));
    }
}

/// Draws one channel: a bar from lowest to highest sample for each pixel, or the curve itself where samples lie apart.
fn trace(
    painter: &egui::Painter,
    rect: Rect,
    wave: &Pyramid,
    channel: Option<usize>,
    scale: &Scale,
    rate: f64,
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
            points.push(pos2(scale.x(frame / rate), middle - f32::midpoint(low, high) * half));
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
            let top = (middle - high * half).min(middle - pixel / 2.0);
            let bottom = (middle - low * half).max(middle + pixel / 2.0);
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
    length: f64,
    [played, rest]: [Color32; 2],
    played_to: f32,
) {
    let mut mesh = Mesh::default();
    let (middle, half) = (rect.center().y, rect.height() / 2.0 / 127.0);
    for (column, [low, high]) in thumbnail.0.iter().enumerate() {
        let at = |column: usize| scale.x(column as f64 / COLUMNS as f64 * length);
        let (left, right) = (at(column), at(column + 1));
        let (top, bottom) = (middle - f32::from(*high) * half - 0.5, middle - f32::from(*low) * half + 0.5);
        let colour = if right <= played_to { played } else { rest };
        mesh.add_colored_rect(Rect::from_min_max(pos2(left, top), pos2(right, bottom)), colour);
    }
    painter.add(mesh);
}
