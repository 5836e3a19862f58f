//! What lies over the map: its heading, the pointer, names of groups and of sounds, and what is drawn around selected and
//! pointed-at dots; and under it, in a section of its own, what the colours mean.
//!
//! Bevy draws the dots themselves, below the panels, so the map's panel paints no background.

use std::collections::HashSet;
use std::sync::Arc;

use bevy::prelude::Entity;
use bevy_egui::egui::{
    self, Align2, Color32, CursorIcon, FontId, Galley, Id, Key, Modifiers, Painter, PointerButton, Pos2, Rect, Sense,
    Shape, Stroke, Ui, Vec2, WidgetInfo, WidgetType, pos2, vec2,
};

use super::action::{Action, Choose, Go, Listen, OnMap, Prefer};
use super::controls::{self, Strip, Tone};
use super::focus::{self, Section};
use super::input;
use super::menu::{self, Item};
use super::theme::{self, HEADING, PADDING, Theme, colour_of, icon};
use crate::library::table::{Group, GroupKind};
use crate::map::{Arrangement, ColourBy, Legend, LegendEntry, Map, MapLook, Name};

/// Keys that go from dot to dot.
const ARROWS: [Key; 4] = [Key::ArrowLeft, Key::ArrowRight, Key::ArrowUp, Key::ArrowDown];
/// Distance up to which the pointer picks a dot, in points.
const REACH: f32 = 10.0;
/// Radius in points of the selected dot and of a neighbour's.
const SELECTED: f32 = 5.5;
const NEIGHBOUR: f32 = 3.5;
/// Least width of a map with a legend in points.
const ROOMY: f32 = 320.0;
/// Height of a line of the legend, space above and below its lines, and the width of its widest entry, in points.
const LINE: f32 = 20.0;
const MARGIN: f32 = 6.0;
const WIDEST: f32 = 220.0;
/// Square points of the map to one group's name, so that the dots stay what one looks at.
const ROOM: f32 = 28_000.0;
/// Whole groups have names until the map is so much larger than when all of it is shown; then only their parts have.
const WHOLE: f32 = 2.5;
/// A part of a group has its name where it has at least one in so many of the dots in view.
const SMALLEST: f32 = 250.0;
/// So many dots in view, or fewer, have the sounds' own names beside them, of this width in points or less.
const NAMED: usize = 60;
const NAME: f32 = 150.0;

/// What colours can mean.
const COLOURS: [(ColourBy, &str); 5] = [
    (ColourBy::Cluster, "cluster"),
    (ColourBy::Folder, "folder"),
    (ColourBy::Brightness, "brightness"),
    (ColourBy::Loudness, "loudness"),
    (ColourBy::Duration, "length"),
];

/// What the panel is drawn from.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct View<'a> {
    /// Where the dots are.
    pub map: &'a Map,
    /// How they are coloured and arranged.
    pub look: &'a MapLook,
    /// What the colours mean.
    pub legend: &'a Legend,
    /// Whether the legend is wanted.
    pub legend_shown: bool,
    /// The selected sample.
    pub selected: Option<Entity>,
    /// Other samples that are marked.
    pub marked: &'a mut dyn Iterator<Item = Entity>,
    /// The sample the pointer is on.
    pub pointed: Option<Entity>,
    /// The sample whose neighbours are drawn, and those, nearest first.
    pub neighbours: Option<(Entity, Vec<Entity>)>,
    /// The samples that a query asks to be like.
    pub subjects: Vec<Entity>,
    /// The nearest samples that it found.
    pub found: Vec<Entity>,
    /// The sample that plays.
    pub playing: Option<Entity>,
    /// Name of a sample.
    pub name: &'a dyn Fn(Entity) -> String,
    /// Whether what the pointer passes is played.
    pub hover_play: bool,
    /// Whether the library is still being loaded.
    pub loading: bool,
    /// Whether the map has taken the list's place.
    pub large: bool,
    /// Whether results stand beside a large one.
    pub results: bool,
    /// Whether a sample is kept.
    pub kept: &'a dyn Fn(Entity) -> bool,
    /// Whether neighbours are listed.
    pub in_query: bool,
    /// Colours.
    pub theme: &'a Theme,
    /// The keys of an action as text.
    pub keys: &'a dyn Fn(&Action) -> String,
}

impl View<'_> {
    fn menus(&self) -> menu::Look<'_> {
        menu::Look { theme: self.theme, keys: self.keys }
    }
}

/// Draws the panel into `ui`'s rectangle.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let area = ui.max_rect();
    let (heading, body) = area.split_top_bottom_at_y(area.top() + HEADING);
    pointer(ui, body, view, actions);
    overlay(ui, body, view);
    self::heading(ui, heading, view, actions);
    if view.map.is_empty() {
        let text = if view.loading { "Loading the map…" } else { "Sounds appear here once they have been analysed." };
        controls::line(ui, body, Align2::CENTER_CENTER, text, theme::regular(12.0), view.theme.muted);
    }
}

fn heading(ui: &mut Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let mut strip = Strip::new(rect);
    let width = ui.painter().layout_no_wrap("Map".to_owned(), theme::strong(12.0), theme.text).size().x;
    controls::line(ui, strip.left(width + 1.0), Align2::LEFT_CENTER, "Map", theme::strong(12.0), theme.text);
    strip.left(12.0);
    for (arrangement, text, what) in [
        (Arrangement::Cloud, "Cloud", "Similar sounds lie close together"),
        (Arrangement::Grid, "Grid", "The same neighbourhoods, one cell per sound"),
    ] {
        let tone = if view.look.arrangement == arrangement { Tone::Plain } else { Tone::Off };
        if controls::word(ui, strip.left(controls::word_width(ui, text)), text, text, what, tone, theme).clicked() {
            actions.push(OnMap::Arrange(arrangement).into());
        }
    }
    if view.large {
        strip.left(8.0);
        let keys = (view.keys)(&Prefer::ToggleResults.into());
        let tip = controls::hint("Show or hide the results beside the map", &keys);
        let rect = strip.left(controls::word_width(ui, "Results") + 8.0);
        if controls::toggle(ui, rect, "Results", "Results", &tip, view.results, theme).clicked() {
            actions.push(Prefer::ToggleResults.into());
        }
    }
    let large = if view.large { "List and map" } else { "Large map" };
    let icons = [
        (icon::GRAPH, large, Prefer::ToggleLargeMap.into(), Tone::of(view.large)),
        (icon::FIT, "Show the whole map", OnMap::Fit.into(), Tone::Off),
        (icon::POINT, "Play sounds under the pointer", Prefer::ToggleHoverPlay.into(), Tone::of(view.hover_play)),
    ];
    for (glyph, label, action, tone) in icons {
        if strip.rest().width() < 24.0 {
            return;
        }
        let tip = controls::hint(label, &(view.keys)(&action));
        if controls::icon(ui, strip.right(24.0), glyph, label, &tip, tone, theme).clicked() {
            actions.push(action);
        }
    }
    strip.right(4.0);
    let now = COLOURS.iter().find(|(by, _)| *by == view.look.colour_by).map_or("", |(_, name)| name);
    let text = format!("Colour: {now}");
    let wanted = controls::word_width(ui, &text);
    if strip.rest().width() < wanted {
        return;
    }
    let rect = strip.right(wanted);
    let button = controls::word(ui, rect, &text, "Colour by", "Choose what the colours mean", Tone::Off, theme);
    let items = || {
        let mut items = colours(view);
        items.extend([Item::Line, Item::switch(view.legend_shown, "Legend", Prefer::ToggleLegend)]);
        items
    };
    menu::show(egui::Popup::menu(&button), view.menus(), items, actions);
}

/// What the colours can mean.
fn colours(view: &View) -> Vec<Item> {
    let colour = |(by, name)| Item::switch(view.look.colour_by == by, format!("Colour by {name}"), OnMap::ColourBy(by));
    COLOURS.map(colour).to_vec()
}

/// The menu of the map's ground.
fn ground(view: &View) -> Vec<Item> {
    let arranged = |by, text| Item::switch(view.look.arrangement == by, text, OnMap::Arrange(by));
    let mut items = vec![
        Item::new("Show the whole map", OnMap::Fit),
        Item::new("List only what the map shows", OnMap::ListInView),
        Item::Gesture("List only what you draw around", "Shift+drag"),
    ];
    if !view.look.hidden_groups.is_empty() {
        items.push(Item::new("Show all groups", OnMap::ShowGroups));
    }
    items.extend([Item::Line, arranged(Arrangement::Cloud, "Cloud"), arranged(Arrangement::Grid, "Grid"), Item::Line]);
    items.extend(colours(view));
    items.extend([
        Item::Line,
        Item::switch(view.legend_shown, "Legend", Prefer::ToggleLegend),
        Item::switch(view.hover_play, "Play sounds under the pointer", Prefer::ToggleHoverPlay),
        Item::switch(view.large, "Large map", Prefer::ToggleLargeMap),
    ]);
    if view.large {
        items.push(Item::switch(view.results, "Results beside the map", Prefer::ToggleResults));
    }
    items
}

/// The map, for the focus.
fn id() -> Id {
    Id::new("similarity map")
}

/// Gives the arrows back to the list.
pub fn let_go(context: &egui::Context) {
    context.memory_mut(|memory| memory.surrender_focus(id()));
}

fn pointer(ui: &mut Ui, body: Rect, view: &View, actions: &mut Vec<Action>) {
    let id = id();
    let response = ui.interact(body, id, Sense::click_and_drag());
    // What has the keys is walked with the arrows.
    let focused = focus::home(ui.ctx(), Section::Map, id, &ARROWS, false);
    let way = focused.then(|| focus::pressed(ui, &ARROWS)).flatten().map(|key| match key {
        Key::ArrowLeft => [-1.0, 0.0],
        Key::ArrowRight => [1.0, 0.0],
        Key::ArrowUp => [0.0, 1.0],
        _ => [0.0, -1.0],
    });
    actions.extend(way.map(|way| OnMap::Walk(way).into()));
    if view.large && response.clicked() {
        response.request_focus();
    } else if focused && response.clicked_elsewhere() {
        response.surrender_focus();
    }
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Other, true, "Similarity map"));
    let Modifiers { shift, alt, command, .. } = ui.input(input::modifiers);
    let lasso: Option<Vec<Pos2>> = ui.data(|data| data.get_temp(id));
    let under = response.hover_pos().filter(|_| !response.dragged()).and_then(|at| view.map.pick(at.into(), REACH));
    if response.hovered() || view.pointed.is_some() && !response.dragged() {
        if under != view.pointed {
            actions.push(Go::Point(under).into());
            if let Some(under) = under.filter(|_| alt || view.hover_play) {
                actions.push(Listen::Play(under).into());
            }
        }
        if under.is_some() {
            ui.set_cursor_icon(CursorIcon::PointingHand);
        }
    }
    if response.drag_started_by(PointerButton::Primary) && shift {
        let origin = ui.input(|input| input.pointer.press_origin());
        ui.data_mut(|data| data.insert_temp::<Vec<Pos2>>(id, origin.into_iter().collect()));
    } else if let Some(mut outline) = lasso {
        if let Some(at) = response.interact_pointer_pos()
            && outline.last().is_none_or(|last| last.distance(at) > 2.0)
        {
            outline.push(at);
        }
        if response.drag_stopped() {
            let outline: Vec<[f32; 2]> = outline.iter().map(|at| [at.x, at.y]).collect();
            let inside = view.map.inside(&outline);
            if !inside.is_empty() {
                let samples = Arc::new(inside.iter().copied().collect());
                actions.push(Go::Within(Group { kind: GroupKind::Lasso, name: "on the map".into(), samples }).into());
            }
            actions.push(Go::Mark(inside).into());
            ui.data_mut(|data| data.remove::<Vec<Pos2>>(id));
        } else {
            ui.painter()
                .with_clip_rect(body)
                .add(Shape::closed_line(outline.clone(), Stroke::new(1.0, view.theme.time)));
            ui.data_mut(|data| data.insert_temp(id, outline));
        }
    } else if response.dragged() && response.drag_delta() != egui::Vec2::ZERO {
        ui.set_cursor_icon(CursorIcon::Grabbing);
        actions.push(OnMap::Pan(response.drag_delta().into()).into());
    }
    if response.double_clicked() {
        if under.is_none() {
            actions.push(OnMap::Fit.into());
        }
    } else if response.clicked() {
        match under {
            Some(under) if command => {
                actions.push(Go::Select(under, Choose::Toggle).into());
            }
            Some(under) => actions.push(Go::Select(under, Choose::Only).into()),
            None => {}
        }
    }
    if response.secondary_clicked() {
        ui.data_mut(|data| data.insert_temp(id.with("menu"), under));
        actions.extend(under.map(|under| Go::Select(under, Choose::Keep).into()));
    }
    let meant: Option<Entity> = ui.data(|data| data.get_temp(id.with("menu"))).flatten();
    let items = || match meant {
        Some(sample) => menu::of_sound((view.kept)(sample), view.in_query),
        None => ground(view),
    };
    menu::show(egui::Popup::context_menu(&response), view.menus(), items, actions);
    if let Some(at) = response.hover_pos() {
        let (turned, zoomed) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
        let factor = (turned / 240.0).exp() * zoomed;
        if (factor - 1.0).abs() > 1e-4 {
            actions.push(OnMap::Zoom(at.into(), factor).into());
        }
    }
}

fn overlay(ui: &Ui, body: Rect, view: &mut View) {
    let theme = view.theme;
    let painter = ui.painter().with_clip_rect(body);
    let at = |sample: Entity| view.map.on_screen(sample).map(|[x, y]| pos2(x, y));
    let tags = tags(&painter, body, view);
    names(&painter, body, view, tags.iter().map(|(rect, ..)| *rect).collect());
    for at in view.found.iter().filter_map(|found| at(*found)) {
        painter.circle_stroke(at, NEIGHBOUR + 1.5, Stroke::new(1.5, theme.similarity));
    }
    for at in view.subjects.iter().filter_map(|subject| at(*subject)) {
        painter.circle_stroke(at, SELECTED + 3.5, Stroke::new(1.5, theme.similarity));
    }
    for marked in &mut *view.marked {
        if let Some(at) = at(marked) {
            painter.circle_stroke(at, NEIGHBOUR + 1.0, Stroke::new(1.0, theme.time));
        }
    }
    if let Some((centre, neighbours)) = &view.neighbours
        && let Some(from) = at(*centre)
    {
        for to in neighbours.iter().filter_map(|neighbour| at(*neighbour)) {
            painter.line_segment([from, to], Stroke::new(1.0, theme.similarity.gamma_multiply(0.7)));
            painter.circle_filled(to, NEIGHBOUR, theme.similarity);
        }
    }
    let ring = |at: Pos2, radius: f32, colour: Color32| {
        painter.circle_stroke(at, radius + 1.0, Stroke::new(2.0, theme.ground));
        painter.circle_filled(at, radius, colour);
    };
    if let Some(selected) = view.selected.and_then(at) {
        ring(selected, SELECTED, theme.selected_text);
    }
    if let Some(playing) = view.playing.and_then(at) {
        painter.circle_stroke(playing, SELECTED + 3.5, Stroke::new(1.5, theme.time));
    }
    if let Some(pointed) = view.pointed
        && let Some(at) = at(pointed)
    {
        painter.circle_stroke(at, SELECTED + 1.0, Stroke::new(1.5, theme.text));
    }
    for (rect, galley, colour) in tags {
        painter.rect_filled(rect, 0.0, theme.raised);
        painter.galley(rect.min + vec2(6.0, 4.0), galley, colour);
    }
}

/// The names of the selected and the pointed-at sound, each beside its dot on the side with room.
fn tags(painter: &Painter, body: Rect, view: &View) -> Vec<(Rect, Arc<Galley>, Color32)> {
    let pointed = view.pointed.map(|pointed| (pointed, view.theme.text));
    // One is enough, and what is pointed at is looked at.
    let tagged = pointed.or(view.selected.map(|selected| (selected, view.theme.selected_text)));
    let tag = |(sample, colour): (Entity, Color32)| {
        let [x, y] = view.map.on_screen(sample).filter(|at| body.contains((*at).into()))?;
        // A recording that is only a query has no name.
        let name = Some((view.name)(sample)).filter(|name| !name.is_empty())?;
        let galley = painter.layout_no_wrap(name, theme::regular(12.0), colour);
        let size = galley.size() + vec2(12.0, 8.0);
        let x = if x + 12.0 + size.x > body.right() { x - 12.0 - size.x } else { x + 12.0 };
        let corner = pos2(x.max(body.left()), (y - 12.0 - size.y).max(body.top()));
        Some((Rect::from_min_size(corner, size), galley, colour))
    };
    tagged.and_then(tag).into_iter().collect()
}

/// Names of groups where most of their dots are, as many as leave the dots in front, and of the sounds themselves where few
/// are in view; none lies over another or over what is `taken`.
fn names(painter: &Painter, body: Rect, view: &View, mut taken: Vec<Rect>) {
    let (map, theme) = (view.map, view.theme);
    let Some(area) = map.area else { return };
    let mut place = |at: &[Rect]| {
        let free = |rect: &&Rect| body.contains_rect(**rect) && !taken.iter().any(|taken| taken.intersects(**rect));
        let found = at.iter().find(free).copied();
        taken.extend(found.map(|rect| rect.expand2(vec2(6.0, 2.0))));
        found
    };
    let mut told = HashSet::new();
    let whole = map.zoom() < WHOLE;
    let least = map.len() as f32 / map.zoom().max(1.0).powi(2) / SMALLEST;
    let wanted = |name: &&Name| if name.whole { whole } else { name.shown as f32 >= least };
    for name in map.names().iter().filter(wanted) {
        if told.len() as f32 * ROOM >= body.area() {
            break;
        }
        let font = if name.whole { theme::strong(13.0) } else { theme::regular(12.0) };
        let at = map.view.to_screen(name.at, &area);
        if !body.contains(at.into()) || told.contains(&name.text) {
            continue;
        }
        let galley = painter.layout_no_wrap(name.text.clone(), font, theme.text);
        if let Some(rect) = place(&[Rect::from_center_size(at.into(), galley.size())]) {
            over_dots(painter, rect.min, galley, theme.text, theme);
            told.insert(&name.text);
        }
    }
    for sample in map.in_view(NAMED).into_iter().flatten() {
        let tagged = view.pointed.or(view.selected) == Some(sample);
        let Some(at) = map.on_screen(sample).filter(|_| !tagged).map(Pos2::from) else { continue };
        let galley = shortened(painter, (view.name)(sample), theme::regular(11.0), theme.muted);
        let (size, aside) = (galley.size(), NEIGHBOUR + 4.0);
        let beside = [vec2(1.0, 0.0), vec2(-1.0, 0.0), vec2(0.0, -1.0), vec2(0.0, 1.0)];
        let beside = beside.map(|side| Rect::from_center_size(at + side * (size / 2.0 + Vec2::splat(aside)), size));
        if let Some(rect) = place(&beside) {
            over_dots(painter, rect.min, galley, theme.muted, theme);
        }
    }
}

/// Text that can be read over dots: in the dark theme, whose dots are light like it, with a rim of the ground's colour. The
/// light theme needs none, and what is light and smooth would be drawn grey there, because panels are mixed as light.
fn over_dots(painter: &Painter, at: Pos2, galley: Arc<Galley>, colour: Color32, theme: &Theme) {
    const AROUND: [Vec2; 8] = {
        let [l, r] = [-1.0, 1.0];
        [vec2(l, l), vec2(0.0, l), vec2(r, l), vec2(l, 0.0), vec2(r, 0.0), vec2(l, r), vec2(0.0, r), vec2(r, r)]
    };
    for offset in AROUND.iter().filter(|_| theme.is_dark()) {
        painter.galley_with_override_text_color(at + *offset, galley.clone(), theme.ground);
    }
    painter.galley(at, galley, colour);
}

fn shortened(painter: &Painter, name: String, font: FontId, colour: Color32) -> Arc<Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(name, font, colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width(NAME);
    painter.layout_job(job)
}

/// Height that the legend wants under a map of some width.
pub fn legend_height(ui: &Ui, legend: &Legend, width: f32) -> f32 {
    // On a small map the dots need all there is.
    if width <= ROOMY {
        return 0.0;
    }
    let lines = match legend {
        Legend::Empty => return 0.0,
        Legend::Groups(entries) => entries.len().div_ceil(columns(ui, entries, width).0),
        Legend::Ramp { .. } => 1,
    };
    lines as f32 * LINE + 2.0 * MARGIN
}

/// Number and width of the columns in which the legend's entries stand.
fn columns(ui: &Ui, entries: &[LegendEntry], width: f32) -> (usize, f32) {
    let widths = entries.iter().map(|entry| controls::word_width(ui, &text_of(entry)));
    let widest = (widths.fold(0.0, f32::max) + 18.0).min(WIDEST);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "columns of a window")]
    let columns = ((width - 2.0 * PADDING) / widest) as usize;
    (columns.clamp(1, entries.len().max(1)), widest)
}

fn text_of(entry: &LegendEntry) -> String {
    format!("{}  {}", entry.label, controls::count(entry.count))
}

/// Draws what the colours mean into `ui`'s rectangle.
pub fn legend(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let (theme, rect) = (view.theme, ui.max_rect().shrink2(vec2(PADDING, MARGIN)));
    match view.legend {
        Legend::Empty => {}
        Legend::Groups(entries) => {
            let (columns, width) = columns(ui, entries, ui.max_rect().width());
            for (i, entry) in entries.iter().enumerate() {
                let corner = rect.min + vec2((i % columns) as f32 * width, (i / columns) as f32 * LINE);
                group(ui, Rect::from_min_size(corner, vec2(width, LINE)), i, entry, view, actions);
            }
        }
        Legend::Ramp { colours, ends } => {
            let line = |align, text, rect| controls::line(ui, rect, align, text, theme::regular(11.0), theme.muted);
            let low = line(Align2::LEFT_CENTER, ends[0], rect);
            let bar = Rect::from_min_size(pos2(rect.left() + low + 8.0, rect.center().y - 2.0), vec2(150.0, 4.0));
            let mut mesh = egui::Mesh::default();
            for (i, colour) in colours.iter().enumerate() {
                let x = bar.left() + bar.width() * i as f32 / (colours.len().max(2) - 1) as f32;
                let n = u32::try_from(mesh.vertices.len()).unwrap_or(0);
                mesh.colored_vertex(pos2(x, bar.top()), colour_of(*colour));
                mesh.colored_vertex(pos2(x, bar.bottom()), colour_of(*colour));
                if i > 0 {
                    mesh.add_triangle(n - 2, n - 1, n);
                    mesh.add_triangle(n - 1, n, n + 1);
                }
            }
            ui.painter().add(mesh);
            line(Align2::LEFT_CENTER, ends[1], rect.with_min_x(bar.right() + 8.0));
        }
    }
}

/// An entry of the legend, which shows and fades its group.
fn group(ui: &Ui, rect: Rect, i: usize, entry: &LegendEntry, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let hidden = view.look.hidden_groups.contains(&entry.key);
    let response = ui.interact(rect, ui.id().with(i), Sense::click());
    let label = format!("Group {}", entry.label);
    response.widget_info(|| WidgetInfo::selected(WidgetType::Checkbox, true, !hidden, &label));
    let colour = colour_of(entry.colour);
    let dot = rect.left_center() + vec2(4.0, 0.0);
    if hidden {
        ui.painter().circle_stroke(dot, 3.5, Stroke::new(1.0, colour));
    } else {
        ui.painter().circle_filled(dot, 4.0, colour);
    }
    let colour = match hidden {
        _ if response.hovered() => theme.text,
        true => theme.faint,
        false => theme.muted,
    };
    let text = rect.with_min_x(rect.left() + 15.0).with_max_x(rect.right() - 3.0);
    controls::line(ui, text, Align2::LEFT_CENTER, &text_of(entry), theme::regular(11.0), colour);
    let response = response.on_hover_cursor(CursorIcon::PointingHand);
    let tip = if hidden { "Click: show this group" } else { "Click: list only this group; Alt+click: fade it" };
    if response.on_hover_text(tip).clicked() {
        if hidden || ui.input(input::modifiers).alt {
            actions.push(OnMap::ToggleGroup(entry.key.clone()).into());
        } else {
            let samples = Arc::new(view.map.of_group(entry.group).into_iter().collect());
            let name = format!("in {}", entry.label).into();
            actions.push(Go::Within(Group { kind: GroupKind::Legend, name, samples }).into());
        }
    }
}
