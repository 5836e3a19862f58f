//! What has the keys: a control that was gone to with Tab, or a section that was gone to with F6. Nothing that has them is
//! as good as the list.
//!
//! Each section has a home, the widget that gets the keys when the section is gone to. Whatever has the keys is ringed, and
//! its section has a line along its upper edge. A control keeps for itself only the keys that it needs, so that all others
//! are shortcuts wherever the focus is.

use bevy_egui::egui::{
    self, Context, CornerRadius, EventFilter, Id, Key, Popup, Rect, Response, SetOpenCommand, Stroke, StrokeKind, Ui,
    vec2,
};

use super::theme::{HEADING, Theme};

/// Thickness of the line along the section that has the focus, in points.
const MARK: f32 = 2.0;
/// Thickness of the ring in points.
const RING: f32 = 1.5;
/// What a control does when it is pressed.
pub const PRESSES: [Key; 2] = [Key::Space, Key::Enter];

/// A section that can be gone to, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// Sources and folders.
    Sources,
    /// Search, query, and what the list is narrowed to.
    Strip,
    /// The list.
    List,
    /// The map.
    Map,
    /// Waveform and transport.
    Waveform,
}

/// A section's home, while it is drawn.
#[derive(Clone, Copy)]
struct Home {
    id: Id,
    /// Whether it shows by itself where in it the focus is.
    own_ring: bool,
}

/// Keys that a widget keeps for itself while it has the focus.
#[derive(Clone, Copy)]
struct Keeps {
    id: Id,
    keys: &'static [Key],
}

/// Makes a widget the home of its section. Of the keys it keeps these; `own_ring` is whether it shows by itself where in it
/// the focus is. Tells whether it has it.
pub fn home(context: &Context, section: Section, id: Id, keys: &'static [Key], own_ring: bool) -> bool {
    context.data_mut(|data| data.insert_temp(at(section), Home { id, own_ring }));
    keep(context, id, keys)
}

/// Keeps keys from being shortcuts while a widget has the focus, and tells whether it has it.
pub fn keep(context: &Context, id: Id, keys: &'static [Key]) -> bool {
    let focused = context.memory(|memory| memory.has_focus(id));
    if focused {
        context.data_mut(|data| data.insert_temp(Id::new("keeps"), Keeps { id, keys }));
    }
    focused
}

/// The keys that what has the focus keeps for itself; a control is pressed with two.
pub fn kept(context: &Context) -> &'static [Key] {
    let Some(focused) = context.memory(egui::Memory::focused) else { return &[] };
    let keeps: Option<Keeps> = context.data(|data| data.get_temp(Id::new("keeps")));
    keeps.filter(|keeps| keeps.id == focused).map_or(&PRESSES, |keeps| keeps.keys)
}

/// Tells whether the focus was elsewhere than in the list and has just been given back, which Escape does.
pub fn came_back(context: &Context) -> bool {
    let list = home_of(context, Section::List).map(|home| home.id);
    let now = context.memory(egui::Memory::focused).is_some_and(|id| Some(id) != list);
    let before = context
        .data_mut(|data| std::mem::replace(data.get_temp_mut_or_default::<bool>(Id::new("focus is elsewhere")), now));
    before && !now
}

/// The key that was pressed of those that a widget with the focus keeps.
pub fn pressed(ui: &Ui, keys: &[Key]) -> Option<Key> {
    ui.input(|input| keys.iter().copied().find(|key| input.key_pressed(*key) && input.modifiers.is_none()))
}

/// The section whose menu a key has asked for; `number` tells one request from the next. Where the focus is in a section
/// without a menu, it is the list.
pub fn menu_asked(context: &Context, number: u64) -> Option<Section> {
    let section = context.data(|data| data.get_temp::<Option<Section>>(Id::new("section"))).flatten();
    is_new(context, "menu", number)
        .then(|| section.filter(|section| *section == Section::Sources).unwrap_or(Section::List))
}

/// A menu over a widget: where the pointer clicked, or under the widget where a key asked for it.
pub fn menu(response: &Response, by_key: bool) -> Popup<'_> {
    let menu = Popup::context_menu(response);
    let below = menu.get_id().with("by key");
    if by_key || response.secondary_clicked() {
        response.ctx.data_mut(|data| data.insert_temp(below, by_key));
    }
    if !response.ctx.data(|data| data.get_temp(below)).unwrap_or(false) {
        return menu;
    }
    let menu = menu.at_position(response.interact_rect.left_bottom());
    if !by_key {
        return menu;
    }
    response.ctx.data_mut(|data| data.insert_temp(Id::new("menu waits for the focus"), true));
    menu.open_memory(SetOpenCommand::Bool(true))
}

/// Tells once that a menu was opened by a key, so that keys walk through it from its first entry on. A menu that is only
/// measured yet takes no focus.
pub fn menu_waits(ui: &Ui) -> bool {
    !ui.is_sizing_pass() && ui.data_mut(|data| data.remove_temp::<bool>(Id::new("menu waits for the focus"))).is_some()
}

/// Goes to another section if that was asked for, and draws ring and line; goes after the sections. `asked` numbers the
/// request and says how many sections on.
pub fn show(ui: &Ui, sections: &[(Section, Rect)], asked: (u64, i32), theme: &Theme) {
    let context = ui.ctx();
    let focused = context.memory(egui::Memory::focused).and_then(|id| context.read_response(id));
    let section = focused
        .as_ref()
        .and_then(|focused| sections.iter().position(|(_, rect)| rect.contains(focused.interact_rect.center())));
    if is_new(context, "section", asked.0) {
        go(context, sections, section, asked.1);
    }
    let named = section.and_then(|place| sections.get(place)).map(|(section, _)| *section);
    context.data_mut(|data| data.insert_temp(Id::new("section"), named));
    let Some(focused) = focused else { return };
    let menu = Popup::is_any_open(context);
    // Arrows walk from entry to entry of a menu and are shortcuts elsewhere; a field has said for itself what they do.
    if !context.text_edit_focused() {
        let filter = EventFilter { horizontal_arrows: !menu, vertical_arrows: !menu, ..EventFilter::default() };
        context.memory_mut(|memory| memory.set_focus_lock_filter(focused.id, filter));
    }
    let section = section.and_then(|place| sections.get(place)).filter(|_| !menu);
    if let Some((_, rect)) = section {
        let line = rect.with_max_y(rect.top() + MARK);
        ui.painter().rect_filled(line, CornerRadius::ZERO, theme.text);
    }
    let own_ring = section.and_then(|(section, _)| home_of(context, *section)).filter(|home| home.id == focused.id);
    if own_ring.is_none_or(|home| !home.own_ring) {
        let painter = context.layer_painter(focused.layer_id);
        // Words reach to the sides of their controls, which are as high as a heading.
        let rect = focused.interact_rect;
        let around = if rect.height() > HEADING {
            vec2(0.0, 0.0)
        } else {
            vec2(4.0, if rect.height() > 24.0 { -3.0 } else { 0.0 })
        };
        painter.rect_stroke(rect.expand2(around), 0.0, stroke(theme), StrokeKind::Inside);
    }
}

/// Rings a part of a home.
pub fn ring(ui: &Ui, rect: Rect, theme: &Theme) {
    ui.painter().rect_stroke(rect, 0.0, stroke(theme), StrokeKind::Inside);
}

fn stroke(theme: &Theme) -> Stroke {
    Stroke::new(RING, theme.text)
}

/// Gives the keys to the home of a section so many further on, past those that are not drawn.
fn go(context: &Context, sections: &[(Section, Rect)], from: Option<usize>, step: i32) {
    let list = sections.iter().position(|(section, _)| *section == Section::List);
    let from = from.or(list).unwrap_or(0);
    let count = sections.len();
    let on = |steps: usize| if step < 0 { from + count * steps - steps } else { from + steps };
    let homes = (1..=count).filter_map(|steps| home_of(context, sections.get(on(steps) % count)?.0));
    if let Some(home) = homes.into_iter().find(|home| context.read_response(home.id).is_some()) {
        context.memory_mut(|memory| memory.request_focus(home.id));
    }
}

fn is_new(context: &Context, what: &str, number: u64) -> bool {
    let id = Id::new(("asked", what));
    context.data_mut(|data| std::mem::replace(data.get_temp_mut_or_default::<u64>(id), number)) != number
}

fn home_of(context: &Context, section: Section) -> Option<Home> {
    context.data(|data| data.get_temp(at(section)))
}

fn at(section: Section) -> Id {
    Id::new(("home", section))
}
