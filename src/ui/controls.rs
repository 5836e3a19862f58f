//! The few controls that panels are made of: plain words and icons that answer to the pointer, without frames.

use std::borrow::Cow;

use bevy_egui::egui::{
    self, Align2, Color32, CursorIcon, FontId, Id, Key, Rect, Response, Sense, Stroke, StrokeKind, TextEdit, Ui,
    WidgetInfo, WidgetType, pos2, vec2,
};

use super::focus;
use super::fonts;
use super::theme::{self, PADDING, Theme};

/// Keys that move a slider, and by how much of its length.
const SLIDES: [Key; 2] = [Key::ArrowLeft, Key::ArrowRight];
const STEP: f32 = 0.05;

/// A text as it can be drawn in one line: control characters, such as a line break in a file's name, become their pictures.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let picture = |letter: char| match u32::from(letter) {
        code @ 0..0x20 => char::from_u32(0x2400 + code),
        0x7F => Some('\u{2421}'),
        _ => None,
    };
    let shown = |letter: char| if letter.is_control() { picture(letter).unwrap_or('\u{FFFD}') } else { letter };
    text.chars().map(shown).collect::<String>().into()
}

/// Draws text in one line, cut short with an ellipsis where it does not fit, and returns its width in points.
pub fn line(ui: &Ui, rect: Rect, align: Align2, text: &str, font: FontId, colour: Color32) -> f32 {
    if rect.width() < 4.0 || text.is_empty() {
        return 0.0;
    }
    fonts::note(ui.ctx(), text, &font);
    let mut job = egui::text::LayoutJob::simple_singleline(printable(text).into_owned(), font, colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width(rect.width());
    let galley = ui.painter().layout_job(job);
    let at = align.align_size_within_rect(galley.size(), rect).min;
    let at = pos2(at.x, rect.center().y - galley.size().y / 2.0);
    let width = galley.size().x;
    ui.painter().galley(at, galley, colour);
    width
}

/// Draws a file name in one line; where it does not fit it is cut in the middle, because takes and series differ at
/// their ends.
pub fn name(ui: &Ui, rect: Rect, name: &str, font: &FontId, colour: Color32) {
    let name = &*printable(name);
    fonts::note(ui.ctx(), name, font);
    let lay_out = |text: String| ui.painter().layout_no_wrap(text, font.clone(), colour);
    let mut galley = lay_out(name.to_owned());
    let (room, whole) = (rect.width(), galley.size().x);
    if whole > room {
        let letters: Vec<char> = name.chars().collect();
        // Starts with about as many letters as fit beside the ellipsis and removes more until the name fits.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of letters")]
        let mut kept = (letters.len() as f32 * (room / whole).clamp(0.0, 1.0)) as usize;
        while galley.size().x > room && kept > 0 {
            kept -= 1;
            let tail = kept / 2;
            galley =
                lay_out(letters[..kept - tail].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect());
        }
    }
    let at = pos2(rect.left(), rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, colour);
}

/// Places controls along a heading, from the left or from the right.
pub struct Strip {
    rect: Rect,
}

impl Strip {
    /// Begins within a heading.
    pub fn new(rect: Rect) -> Self {
        Self { rect: rect.shrink2(vec2(PADDING, 0.0)) }
    }

    /// What is still free.
    pub fn rest(&self) -> Rect {
        self.rect
    }

    /// Takes `width` points from the left.
    pub fn left(&mut self, width: f32) -> Rect {
        let width = width.min(self.rect.width().max(0.0));
        let (taken, rest) = self.rect.split_left_right_at_x(self.rect.left() + width);
        self.rect = rest;
        taken
    }

    /// Takes `width` points from the right.
    pub fn right(&mut self, width: f32) -> Rect {
        let width = width.min(self.rect.width().max(0.0));
        let (rest, taken) = self.rect.split_left_right_at_x(self.rect.right() - width);
        self.rect = rest;
        taken
    }
}

/// How a control looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It can be used.
    Plain,
    /// It is on.
    On,
    /// It is off, or one of several that is not chosen.
    Off,
    /// It cannot be used now.
    Idle,
}

impl Tone {
    /// On or off.
    pub fn of(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }

    fn colour(self, theme: &Theme, hovered: bool) -> Color32 {
        match self {
            Self::Idle => theme.faint,
            Self::On => theme.time,
            _ if hovered => theme.text,
            Self::Plain => theme.text,
            Self::Off => theme.muted,
        }
    }
}

/// Width in points that a word button of this text takes, with the space after it.
pub fn word_width(ui: &Ui, text: &str) -> f32 {
    ui.painter().layout_no_wrap(text.to_owned(), theme::regular(12.0), Color32::PLACEHOLDER).size().x + 14.0
}

/// A button that is a word; `label` is its name for screen readers, `hint` its tooltip.
pub fn word(ui: &Ui, rect: Rect, text: &str, label: &str, hint: &str, tone: Tone, theme: &Theme) -> Response {
    let response = control(ui, rect, label, hint, tone);
    let colour = tone.colour(theme, response.hovered());
    line(ui, rect, Align2::LEFT_CENTER, text, theme::regular(12.0), colour);
    response
}

/// A word that switches something on or off, and looks it; as wide as a word.
pub fn toggle(ui: &Ui, rect: Rect, text: &str, label: &str, hint: &str, on: bool, theme: &Theme) -> Response {
    let response = control(ui, rect, label, hint, Tone::of(on));
    let chip = rect.shrink2(vec2(2.0, 5.0));
    if on {
        ui.painter().rect_filled(chip, 0.0, theme.selected);
    } else {
        ui.painter().rect_stroke(chip, 0.0, Stroke::new(1.0, theme.border), StrokeKind::Inside);
    }
    let colour = Tone::of(on).colour(theme, response.hovered());
    line(ui, chip, Align2::CENTER_CENTER, text, theme::regular(12.0), colour);
    response
}

/// A button that is a few words in a line of small text.
pub fn link(ui: &Ui, rect: Rect, text: &str, hint: &str, theme: &Theme) -> Response {
    let response = control(ui, rect, text, hint, Tone::Plain);
    line(ui, rect, Align2::LEFT_CENTER, text, theme::regular(11.0), Tone::Off.colour(theme, response.hovered()));
    response
}

/// A button that is an icon in the middle of `rect`.
pub fn icon(ui: &Ui, rect: Rect, glyph: &str, label: &str, hint: &str, tone: Tone, theme: &Theme) -> Response {
    let response = control(ui, rect, label, hint, tone);
    let colour = tone.colour(theme, response.hovered());
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, glyph, theme::icons(15.0), colour);
    response
}

fn control(ui: &Ui, rect: Rect, label: &str, hint: &str, tone: Tone) -> Response {
    let sense = if tone == Tone::Idle { Sense::hover() } else { Sense::click() };
    let response = ui.interact(rect, ui.id().with(label), sense);
    let (kind, enabled) = (WidgetType::Button, tone != Tone::Idle);
    response.widget_info(|| match tone {
        Tone::On | Tone::Off => WidgetInfo::selected(WidgetType::Button, true, tone == Tone::On, label),
        _ => WidgetInfo::labeled(kind, enabled, label),
    });
    let response = if hint.is_empty() { response } else { response.on_hover_text(hint) };
    if enabled { response.on_hover_cursor(CursorIcon::PointingHand) } else { response }
}

/// A field to write one line in; `hint` stands in it while it is empty.
pub fn field(ui: &mut Ui, rect: Rect, id: Id, text: &mut String, hint: &str, theme: &Theme) -> Response {
    ui.painter().rect_filled(rect, 0.0, theme.raised);
    let inner = rect.shrink2(vec2(8.0, 0.0));
    let edit = TextEdit::singleline(text)
        .id(id)
        .frame(egui::Frame::NONE)
        .font(theme::regular(12.0))
        .text_color(theme.text)
        .hint_text(egui::RichText::new(hint).color(theme.muted))
        .vertical_align(egui::Align::Center)
        .margin(egui::Margin::ZERO)
        .desired_width(inner.width());
    ui.place(inner, edit)
}

/// A hint with the key that does the same.
pub fn hint(what: &str, keys: &str) -> String {
    if keys.is_empty() { what.to_owned() } else { format!("{what}  ({keys})") }
}

/// A bar to drag, filled up to `share` of it in `colour`; also returns the share asked for. `label` and `value` are
/// for screen readers.
pub fn slider(
    ui: &Ui,
    rect: Rect,
    (label, value): (&str, f64),
    share: f32,
    colour: Color32,
    theme: &Theme,
) -> (Response, Option<f32>) {
    let response = ui.interact(rect, ui.id().with(label), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::slider(true, value, label));
    let line = Rect::from_center_size(rect.center(), vec2(rect.width(), 3.0));
    ui.painter().rect_filled(line, 0.0, theme.border);
    ui.painter().rect_filled(line.with_max_x(line.left() + line.width() * share), 0.0, colour);
    let held = response.dragged() || response.drag_stopped() || response.clicked();
    let at = response.interact_pointer_pos().filter(|_| held);
    let pointed = at.map(|at| ((at.x - line.left()) / line.width().max(1.0)).clamp(0.0, 1.0));
    let keyed = focus::keep(ui.ctx(), response.id, &SLIDES).then(|| focus::pressed(ui, &SLIDES)).flatten();
    let keyed = keyed.map(|key| (share + if key == Key::ArrowRight { STEP } else { -STEP }).clamp(0.0, 1.0));
    let asked = pointed.or(keyed);
    (response.on_hover_cursor(CursorIcon::ResizeHorizontal), asked)
}

/// A thin bar filled from the left.
pub fn progress(ui: &Ui, rect: Rect, share: f32, theme: &Theme) {
    let share = share.clamp(0.0, 1.0);
    ui.painter().rect_filled(rect, 0.0, theme.border);
    let filled = Rect::from_min_size(rect.min, vec2(rect.width() * share, rect.height()));
    ui.painter().rect_filled(filled, 0.0, theme.time);
}

/// A number with its thousands set apart.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length as musicians read it: `0.48 s`, `3:07`.
pub fn length(seconds: f32) -> String {
    if !seconds.is_finite() {
        return String::new();
    }
    if seconds < 0.0095 {
        return format!("{:.0} ms", (seconds * 1000.0).max(1.0));
    }
    if seconds < 59.995 {
        return format!("{seconds:.2} s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive seconds of a sound file")]
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A signed number with a true minus sign.
pub fn signed(value: f32, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    if value < 0.0 && !zero { format!("\u{2212}{text}") } else { text }
}

/// A day, `2026-03-01`, of a time in nanoseconds since 1970; nothing for no time.
pub fn date(nanoseconds: i64) -> String {
    let time = jiff::Timestamp::from_nanosecond(nanoseconds.into()).ok().filter(|_| nanoseconds != 0);
    time.map(|time| time.to_zoned(jiff::tz::TimeZone::system()).date().to_string()).unwrap_or_default()
}

/// A frequency: `440 Hz`, `3.2 kHz`.
pub fn frequency(hz: f32) -> String {
    if hz < 999.5 { format!("{hz:.0} Hz") } else { format!("{:.1} kHz", hz / 1000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([count(7), count(1234), count(41_208_000)], ["7", "1,234", "41,208,000"]);
        assert_eq!(
            [length(0.478), length(59.99), length(187.2), length(3723.0)],
            ["0.48 s", "59.99 s", "3:07", "1:02:03"]
        );
        assert_eq!([signed(-9.23, 1), signed(-0.01, 1), signed(3.0, 0)], ["\u{2212}9.2", "0.0", "3"]);
        assert_eq!([date(0), date(1_772_366_400_000_000_000)], ["", "2026-03-01"]);
        assert_eq!([frequency(440.4), frequency(999.7), frequency(3210.0)], ["440 Hz", "1.0 kHz", "3.2 kHz"]);
    }
}
