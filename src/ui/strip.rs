//! The strip over list and map: search, query, what the list is narrowed to, and the weights of a comparison. It is there
//! whatever else is shown.

use bevy_egui::egui::{Align2, CursorIcon, Id, Key, Rect, Sense, Ui, WidgetInfo, WidgetType, pos2, vec2};
use dsp::descriptors::Group;
use similarity::weights::{By, Weights};

use super::action::{Action, Chip, Go, Part, Weigh};
use super::controls::{self, Strip, Tone};
use super::focus::{self, Section};
use super::rows::Rows;
use super::session::{Session, called};
use super::theme::{self, HEADING, PADDING, Theme, icon};
use crate::library::table::{Filter, SampleTable};
use crate::neighbours::query::Coverage;

/// Height of the sliders in points.
pub const WEIGHTS: f32 = 40.0;
/// Space between two things in points.
const GAP: f32 = 12.0;
/// Width of the switch between kind and timbre in points.
const SWITCH: f32 = 104.0;
/// Width of a digit of the smallest text in points.
const DIGIT: f32 = 7.0;
/// What users see instead of `head`, which is a developers' term.
pub const LEARNED: &str = "learned";

/// The weights in use, those of the model, and whether it has a learned head.
pub type Weighed<'a> = (&'a Weights, &'a Weights, bool);

/// What the strip is drawn from.
pub struct View<'a> {
    /// Every sample.
    pub table: &'a SampleTable,
    /// What is listed of it.
    pub rows: &'a Rows,
    /// Where the user is.
    pub session: &'a Session,
    /// How far the answer can be relied on; nothing while it is awaited.
    pub exact: Option<bool>,
    /// Among how many neighbours were looked for.
    pub coverage: Coverage,
    /// How sounds are compared.
    pub weights: Weighed<'a>,
    /// Colours.
    pub theme: &'a Theme,
    /// The keys of an action as text.
    pub keys: &'a dyn Fn(&Action) -> String,
}

/// Height of the strip in points: beside a large map it holds the weights of a query, which stand above the list otherwise.
pub fn height(session: &Session, large_map: bool) -> f32 {
    HEADING + if large_map && session.query().is_some() { WEIGHTS } else { 0.0 }
}

/// Draws the strip into `ui`'s rectangle.
pub fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let area = ui.max_rect();
    let (line, sliders) = area.split_top_bottom_at_y(area.top() + HEADING);
    let theme = view.theme;
    let mut strip = Strip::new(line);
    let [past, future] = view.session.navigation.ways();
    for (glyph, label, action, there) in
        [(icon::BACK, "Back", Go::Back.into(), past), (icon::FORWARD, "Forward", Go::Forward.into(), future)]
    {
        let tip = controls::hint(label, &(view.keys)(&action));
        let tone = if there { Tone::Plain } else { Tone::Idle };
        if controls::icon(ui, strip.left(24.0), glyph, label, &tip, tone, theme).clicked() {
            actions.push(action);
        }
    }
    strip.left(6.0);
    search(ui, strip.left((strip.rest().width() * 0.4).clamp(100.0, 240.0)), view, actions);
    strip.left(GAP);
    if view.weights.0 != view.weights.1 {
        let by_timbre = By::Timbre.weigh(*view.weights.1, view.weights.1.head) == *view.weights.0;
        let text = if by_timbre { "by timbre · reset" } else { "weights changed · reset" };
        let wanted = controls::word_width(ui, text);
        if strip.rest().width() > 2.0 * wanted {
            let tip = "Compare sounds as the model does on its own";
            if controls::word(ui, strip.right(wanted), text, "Reset weights", tip, Tone::On, theme).clicked() {
                actions.extend(usual_weights());
            }
        }
    }
    chips(ui, &mut strip, view, actions);
    let rest = strip.rest();
    controls::line(ui, rest, Align2::LEFT_CENTER, &scope(view), theme::regular(12.0), theme.muted);
    if sliders.height() >= WEIGHTS {
        weights(ui, sliders.with_max_y(sliders.top() + WEIGHTS), view.weights, theme, actions);
    }
}

/// The query and each part of the filter but the words, with a cross that takes it away.
fn chips(ui: &Ui, strip: &mut Strip, view: &View, actions: &mut Vec<Action>) {
    let mut all: Vec<(Chip, String)> = Vec::new();
    if let Some(query) = view.session.query() {
        let name = called(query, &|sample| view.table.of(sample).map(|row| row.name.to_string()));
        all.push((Chip::Query, format!("like {name}")));
    }
    let Filter { folder, status, groups, .. } = view.session.filter();
    if let Some(folder) = folder {
        let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
        all.push((Chip::Folder, format!("in {name}")));
    }
    all.extend(status.map(|status| (Chip::Status, status.name().to_lowercase())));
    for group in groups {
        all.push((Chip::Group(group.kind), format!("{} {}", controls::count(group.samples.len()), group.name)));
    }
    let one = all.len() == 1;
    // A little room stays for what the list says of itself.
    let mut room = strip.rest().width() * 0.75;
    for (i, (chip, text)) in all.iter().enumerate() {
        let left = (all.len() - i) as f32;
        let width = (controls::word_width(ui, text) + 24.0).min((room / left).max(60.0)).min(strip.rest().width());
        room -= width + 8.0;
        let rect = strip.left(width).shrink2(vec2(0.0, 5.0));
        strip.left(8.0);
        if rect.width() > 30.0 && self::chip(ui, rect, text, *chip == Chip::Query, view) {
            actions.push(Go::Without(*chip).into());
        }
    }
    if !one && !all.is_empty() {
        let text = "clear all";
        let wanted = controls::word_width(ui, text);
        let tip = "List everything again";
        if controls::word(ui, strip.left(wanted), text, "Clear all", tip, Tone::Off, view.theme).clicked() {
            actions.push(Go::ClearAll.into());
        }
    }
}

fn chip(ui: &Ui, rect: Rect, text: &str, is_query: bool, view: &View) -> bool {
    let theme = view.theme;
    let response = ui.interact(rect, ui.id().with(("chip", text)), Sense::click());
    let (label, tip) = match text.strip_prefix("like ").filter(|_| is_query) {
        Some(name) => (format!("Neighbours of {name}, clear"), "Back to where you were"),
        None => (format!("Only {text}, clear"), "List the others too"),
    };
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &label));
    let colour = if is_query { theme.similarity } else { theme.text };
    ui.painter().rect_filled(rect, 0.0, theme.chip);
    let (words, cross) = rect.split_left_right_at_x(rect.right() - 20.0);
    // The end says which part of a sound, or how many of a group.
    controls::name(ui, words.with_min_x(words.left() + 8.0), text, &theme::regular(12.0), colour);
    let cross_colour = if response.hovered() { theme.text } else { colour };
    ui.painter().text(cross.center(), Align2::CENTER_CENTER, icon::CROSS, theme::icons(11.0), cross_colour);
    let whole = format!("{text}\n{}", controls::hint(tip, &(view.keys)(&Go::Unwind.into())));
    response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(whole).clicked()
}

/// Says what is listed: how many, how they were found, and whether an answer is certain.
fn scope(view: &View) -> String {
    let count = |n: usize| format!("{} {}", controls::count(n), if n == 1 { "sound" } else { "sounds" });
    let marked = view.session.selection.marked.len();
    let marked = if marked > 1 { format!(" · {} selected", controls::count(marked)) } else { String::new() };
    if view.session.query().is_some() {
        let within = view
            .rows
            .passing()
            .map_or_else(|| "among all".to_owned(), |passing| format!("among {}", count(passing.len())));
        let Coverage { among, of } = view.coverage;
        let state = match view.exact {
            None => "searching".to_owned(),
            Some(_) if !view.coverage.is_complete() => {
                return format!("among {} of {} so far{marked}", controls::count(among), controls::count(of));
            }
            Some(true) => "exact".to_owned(),
            Some(false) => "approximate".to_owned(),
        };
        return format!("{within} · {state}{marked}");
    }
    if view.rows.is_only_similar() {
        let text = view.session.filter().text.trim();
        return format!("nothing matches “{text}”; {} with similar names{marked}", count(view.rows.len()));
    }
    format!("{}{marked}", count(view.rows.len()))
}

fn search(ui: &mut Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let rect = rect.shrink2(vec2(0.0, 4.0));
    let (glass, field) = rect.split_left_right_at_x(rect.left() + 16.0);
    ui.painter().rect_filled(glass, 0.0, theme.raised);
    let id = Id::new("search");
    let mut text = view.session.filter().text.clone();
    let response = controls::field(ui, field, id, &mut text, "Search names and paths", theme);
    focus::home(ui.ctx(), Section::Strip, id, &[], false);
    let at = glass.left_center() + vec2(13.0, 0.0);
    ui.painter().text(at, Align2::CENTER_CENTER, icon::SEARCH, theme::icons(13.0), theme.muted);
    if response.changed() {
        actions.push(Go::Search(text).into());
    }
    // The focus moves once for each request; the counter tells a new request from an old one.
    let seen = ui.id().with("focus seen");
    if ui.data(|data| data.get_temp::<u64>(seen)) != Some(view.session.requests.focus.0) {
        ui.data_mut(|data| data.insert_temp(seen, view.session.requests.focus.0));
        match view.session.requests.focus {
            (0, _) => {}
            (_, true) => response.request_focus(),
            (_, false) => response.surrender_focus(),
        }
    }
    if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
        actions.push(Go::LeaveSearch.into());
    }
}

/// The parts of a comparison, by name.
fn parts() -> impl Iterator<Item = (Part, &'static str)> {
    let groups = Group::ALL.into_iter().map(|group| (Part::Group(group), group.name()));
    [(Part::Head, LEARNED), (Part::Neighbourhood, "around")].into_iter().chain(groups)
}

/// What brings every weight back to its usual value.
pub fn usual_weights() -> impl Iterator<Item = Action> {
    std::iter::once(Weigh::By(By::Kind).into()).chain(parts().map(|(part, _)| Weigh::Part(part, None).into()))
}

/// Draws the switch between kind and timbre, and a slider for the weight of each part.
pub fn weights(ui: &mut Ui, rect: Rect, (weights, usual, has_head): Weighed, theme: &Theme, actions: &mut Vec<Action>) {
    let mut inner = rect.shrink2(vec2(PADDING, 0.0));
    if has_head {
        let (switch, rest) = inner.split_left_right_at_x(inner.left() + SWITCH);
        by(ui, switch, (weights, usual), theme, actions);
        inner = rest.with_min_x(rest.left() + GAP);
    }
    let shown: Vec<_> = parts().filter(|(part, _)| has_head || *part != Part::Head).collect();
    let width = (inner.width() + GAP) / shown.len() as f32;
    for (i, (part, name)) in shown.into_iter().enumerate() {
        let left = inner.left() + width * i as f32;
        let cell = Rect::from_min_max(pos2(left, inner.top()), pos2(left + width - GAP, inner.bottom()));
        let (text, bar) = cell.split_top_bottom_at_y(cell.top() + 20.0);
        let (value, tip) = match part {
            Part::Head => {
                (weights.head, "Left: the network alone; right: what was learned from labelled sounds".to_owned())
            }
            Part::Neighbourhood => (
                weights.smooth,
                "Left: two sounds by themselves; right: by the sounds that each of them is like".to_owned(),
            ),
            Part::Group(group) => (weights.groups[group as usize], format!("Extra weight of similarity in {name}")),
        };
        let slider = bar.with_max_y(bar.top() + 12.0);
        let (response, asked) = controls::slider(
            ui,
            slider,
            (&format!("Weight of {name}"), f64::from(value)),
            value,
            theme.similarity,
            theme,
        );
        if response.double_clicked() {
            actions.push(Weigh::Part(part, None).into());
        } else if let Some(asked) = asked {
            actions.push(Weigh::Part(part, Some((asked * 100.0).round() / 100.0)).into());
        }
        let colour = if value > 0.0 || response.hovered() { theme.text } else { theme.muted };
        let taken = controls::line(ui, text, Align2::LEFT_CENTER, name, theme::regular(11.0), colour);
        let number = format!("{:.0}", value * 100.0);
        // If there is no room for both, the name matters more; the slider's position shows the value.
        if taken + DIGIT * number.len() as f32 + 4.0 < text.width() {
            controls::line(ui, text, Align2::RIGHT_CENTER, &number, theme::regular(11.0), theme.muted);
        }
        response.on_hover_text(format!("{tip}; double-click to reset"));
    }
}

/// Draws the switch between kind and timbre.
fn by(ui: &Ui, rect: Rect, (weights, usual): (&Weights, &Weights), theme: &Theme, actions: &mut Vec<Action>) {
    let now = By::of(weights, usual.head);
    let (kind, timbre) = rect.split_left_right_at_fraction(0.45);
    for (rect, by, text, label, tip) in [
        (kind, By::Kind, "Kind", "Compare by kind", "Sounds of the same kind: a snare is like other snares"),
        (timbre, By::Timbre, "Timbre", "Compare by timbre", "Sounds of the same colour, whatever made them"),
    ] {
        if controls::toggle(ui, rect.shrink2(vec2(0.0, 5.0)), text, label, tip, now == Some(by), theme).clicked() {
            actions.push(Weigh::By(by).into());
        }
    }
}
