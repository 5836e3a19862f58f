//! Every menu of the window: lines of one height with the key at the right, a line between groups of them.
//!
//! A panel says what its menu holds, as [`Item`]s; what they look like, and how mouse and keys choose one, stands here alone.

use bevy_egui::egui::{
    self, Align2, Color32, CursorIcon, Frame, Key, Margin, Popup, Rect, ScrollArea, Sense, Stroke, Ui, WidgetInfo,
    WidgetType, pos2, vec2,
};

use super::action::{Action, Edit, Go, Outside};
use super::controls;
use super::focus;
use super::theme::{self, PADDING, Theme};

/// Height of a line, and of the line between two groups with its space, in points.
const LINE: f32 = 26.0;
const BETWEEN: f32 = 9.0;
/// Least and greatest width of a menu in points.
const WIDTHS: [f32; 2] = [180.0, 380.0];
/// Space for the dot before what is on, and between a text and its key, in points.
const DOT: f32 = 16.0;
const GAP: f32 = 28.0;

/// One line of a menu.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Does something.
    Do(String, Action),
    /// Does something that is on, or off.
    Switch(bool, String, Action),
    /// Says what a gesture does, which cannot be chosen here.
    Gesture(&'static str, &'static str),
    /// Divides two groups.
    Line,
}

impl Item {
    /// Does something.
    pub fn new(text: impl Into<String>, action: impl Into<Action>) -> Self {
        Self::Do(text.into(), action.into())
    }

    /// Does something that is on, or off.
    pub fn switch(on: bool, text: impl Into<String>, action: impl Into<Action>) -> Self {
        Self::Switch(on, text.into(), action.into())
    }
}

/// What every menu is drawn with.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// Colours.
    pub theme: &'a Theme,
    /// The keys of an action as text.
    pub keys: &'a dyn Fn(&Action) -> String,
}

/// What can be done with a sound, wherever it is shown; `in_query` tells whether neighbours are listed.
pub fn of_sound(kept: bool, in_query: bool) -> Vec<Item> {
    let mut items = vec![Item::new("Find sounds like this", Go::Neighbours)];
    if in_query {
        items.push(Item::new("Less like this", Go::LessLike));
    }
    items.extend([
        Item::new("Find on map", Go::FindOnMap),
        Item::Line,
        Item::new(if kept { "Stop keeping" } else { "Keep" }, Edit::Keep),
        Item::new("Copy files", Outside::CopyFiles),
        Item::new("Show in file manager", Outside::RevealSelected),
    ]);
    items
}

/// Draws a menu while it is open; only then is it asked what is in it.
pub fn show(popup: Popup, look: Look, items: impl FnOnce() -> Vec<Item>, actions: &mut Vec<Action>) {
    let theme = look.theme;
    let frame =
        Frame::new().fill(theme.ground).stroke(Stroke::new(1.0, theme.border)).inner_margin(Margin::symmetric(0, 4));
    popup.frame(frame).show(|ui| {
        let items = items();
        let width = width(ui, &items, look);
        ui.set_width(width);
        ui.spacing_mut().item_spacing = egui::Vec2::ZERO;
        let most = ui.ctx().content_rect().height() - 2.0 * LINE;
        ScrollArea::vertical().max_height(most).show(ui, |ui| lines(ui, &items, width, look, actions));
    });
}

fn lines(ui: &mut Ui, items: &[Item], width: f32, look: Look, actions: &mut Vec<Action>) {
    let theme = look.theme;
    let indent = indent(items);
    let mut places = Vec::new();
    for item in items {
        let (text, key, action) = match item {
            Item::Do(text, action) | Item::Switch(_, text, action) => (&**text, (look.keys)(action), Some(action)),
            Item::Gesture(text, gesture) => (*text, (*gesture).to_owned(), None),
            Item::Line => {
                let (rect, _) = ui.allocate_exact_size(vec2(width, BETWEEN), Sense::hover());
                let y = ui.painter().round_to_pixel_center(rect.center().y);
                ui.painter().hline(rect.x_range(), y, Stroke::new(1.0, theme.border));
                continue;
            }
        };
        let sense = if action.is_some() { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(vec2(width, LINE), sense);
        response.widget_info(|| match item {
            Item::Switch(on, ..) => WidgetInfo::selected(WidgetType::RadioButton, true, *on, text),
            _ => WidgetInfo::labeled(WidgetType::Button, action.is_some(), text),
        });
        let Some(action) = action else {
            line(ui, rect, indent, text, &key, [theme.muted; 2]);
            continue;
        };
        if response.hovered() || response.has_focus() {
            ui.painter().rect_filled(rect, 0.0, theme.raised);
        }
        if matches!(item, Item::Switch(true, ..)) {
            let dot = pos2(rect.left() + PADDING + 3.0, rect.center().y);
            ui.painter().circle_filled(dot, 3.0, theme.time);
        }
        line(ui, rect, indent, text, &key, [theme.text, theme.muted]);
        let response = response.on_hover_cursor(CursorIcon::PointingHand);
        if response.clicked() {
            actions.push(action.clone());
            ui.close();
        }
        places.push(response.id);
    }
    // The arrows begin at an end, and then egui moves them on.
    let chosen = ui.memory(egui::Memory::focused).is_some_and(|focused| places.contains(&focused));
    let [down, up] = [Key::ArrowDown, Key::ArrowUp].map(|key| ui.input(|input| input.key_pressed(key)));
    let down = down || focus::menu_waits(ui);
    let end = if down { places.first() } else { places.last() };
    if let Some(end) = end.filter(|_| !chosen && (down || up)) {
        ui.memory_mut(|memory| {
            memory.request_focus(*end);
            memory.move_focus(egui::FocusDirection::None);
        });
    }
}

fn line(ui: &Ui, rect: Rect, indent: f32, text: &str, key: &str, [text_colour, key_colour]: [Color32; 2]) {
    let inner = rect.with_min_x(rect.left() + indent).with_max_x(rect.right() - PADDING);
    let taken = controls::line(ui, inner, Align2::RIGHT_CENTER, key, theme::regular(12.0), key_colour);
    let room = inner.with_max_x(inner.right() - taken - if taken > 0.0 { GAP / 2.0 } else { 0.0 });
    controls::line(ui, room, Align2::LEFT_CENTER, text, theme::regular(13.0), text_colour);
}

/// Where texts begin: behind the dots, where there may be any.
fn indent(items: &[Item]) -> f32 {
    PADDING + if items.iter().any(|item| matches!(item, Item::Switch(..))) { DOT } else { 0.0 }
}

/// As wide as the widest line.
fn width(ui: &Ui, items: &[Item], look: Look) -> f32 {
    let of = |text: &str, size: f32| {
        ui.painter().layout_no_wrap(text.to_owned(), theme::regular(size), Color32::PLACEHOLDER).size().x
    };
    let wanted = items.iter().map(|item| match item {
        Item::Do(text, action) | Item::Switch(_, text, action) => of(text, 13.0) + GAP + of(&(look.keys)(action), 12.0),
        Item::Gesture(text, gesture) => of(text, 13.0) + GAP + of(gesture, 12.0),
        Item::Line => 0.0,
    });
    (wanted.fold(0.0, f32::max) + indent(items) + PADDING).ceil().clamp(WIDTHS[0], WIDTHS[1])
}
