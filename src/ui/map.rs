//! What lies over the map: its heading and legend, the pointer, and what is drawn around selected and pointed-at dots.
//!
//! Bevy draws the dots themselves, below the panels, so this panel paints no background.

use std::sync::Arc;

use bevy::prelude::Entity;
use bevy_egui::egui::{
    self, Align2, Color32, CursorIcon, Modifiers, PointerButton, Pos2, Rect, Sense, Shape, Stroke, Ui, WidgetInfo,
    WidgetType, pos2, vec2,
};

use super::action::{Action, Choose, Go, Listen, OnMap, Prefer};
use super::controls::{self, Strip, Tone};
use super::input;
use super::theme::{self, HEADING, PADDING, Theme, colour_of, icon};
use crate::library::table::{Group, GroupKind};
use crate::map::{Arrangement, ColourBy, Legend, Map, MapLook};

/// Distance up to which the pointer picks a dot, in points.
const REACH: f32 = 10.0;
/// Radius in points of the selected dot and of a neighbour's.
const SELECTED: f32 = 5.5;
const NEIGHBOUR: f32 = 3.5;
/// Least width of a map with a legend in points.
const ROOMY: f32 = 320.0;
/// Height of a line of the legend in points.
const LINE: f32 = 18.0;

/// What colours can mean.
const COLOURS: [(ColourBy, &str); 5] = [
    (ColourBy::Cluster, "cluster"),
    (ColourBy::Folder, "folder"),
    (ColourBy::Brightness, "brightness"),
    (ColourBy::Loudness, "loudness"),
    (ColourBy::Duration, "length"),
];

/// What the panel is drawn from.
pub struct View<'a> {
    /// Where the dots are.
    pub map: &'a Map,
    /// How they are coloured and arranged.
    pub look: &'a MapLook,
    /// What the colours mean.
    pub legend: &'a Legend,
    /// Whether the legend is shown.
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
    /// Whether the map has taken the list's place.
    pub large: bool,
    /// Colours.
    pub theme: &'a Theme,
    /// The keys of an action as text.
    pub keys: &'a dyn Fn(&Action) -> String,
}

/// Draws the panel into `ui`'s rectangle.
pub fn show(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    let area = ui.max_rect();
    let (heading, body) = area.split_top_bottom_at_y(area.top() + HEADING);
    pointer(ui, body, view, actions);
    overlay(ui, body, view);
    self::heading(ui, heading, view, actions);
    // On a small map the dots need all there is.
    if view.legend_shown && body.width() > ROOMY {
        legend(ui, body, view, actions);
    }
    if view.map.is_empty() {
        let text = "Sounds appear here once they have been analysed.";
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
    egui::Popup::menu(&button).show(|ui| {
        ui.set_min_width(120.0);
        for (by, name) in COLOURS {
            if ui.selectable_label(view.look.colour_by == by, name).clicked() {
                actions.push(OnMap::ColourBy(by).into());
            }
        }
        let text = if view.legend_shown { "Hide the legend" } else { "Show the legend" };
        if ui.button(text).clicked() {
            actions.push(Prefer::ToggleLegend.into());
        }
    });
}

fn pointer(ui: &mut Ui, body: Rect, view: &View, actions: &mut Vec<Action>) {
    let id = ui.id().with("map");
    let response = ui.interact(body, id, Sense::click_and_drag());
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
    for at in view.found.iter().filter_map(|found| at(*found)) {
        painter.circle_stroke(at, NEIGHBOUR + 1.5, Stroke::new(1.5, theme.likeness));
    }
    for at in view.subjects.iter().filter_map(|subject| at(*subject)) {
        painter.circle_stroke(at, SELECTED + 3.5, Stroke::new(1.5, theme.likeness));
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
            painter.line_segment([from, to], Stroke::new(1.0, theme.likeness.gamma_multiply(0.7)));
            painter.circle_filled(to, NEIGHBOUR, theme.likeness);
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
    for (sample, colour) in [(view.selected, theme.selected_text), (view.pointed, theme.text)] {
        let Some(sample) = sample else { continue };
        let hidden = Some(sample) == view.selected && view.pointed.is_some() && view.pointed != view.selected;
        let Some(at) = at(sample).filter(|at| !hidden && body.contains(*at)) else { continue };
        let name = (view.name)(sample);
        // A recording that is only a query has no name.
        if name.is_empty() {
            continue;
        }
        let galley = painter.layout_no_wrap(name, theme::regular(12.0), colour);
        let size = galley.size() + vec2(12.0, 8.0);
        // Beside the dot, on the side with room.
        let x = if at.x + 12.0 + size.x > body.right() { at.x - 12.0 - size.x } else { at.x + 12.0 };
        let y = (at.y - 12.0 - size.y).max(body.top());
        let label = Rect::from_min_size(pos2(x.max(body.left()), y), size);
        painter.rect_filled(label, 0.0, theme.raised);
        painter.galley(label.min + vec2(6.0, 4.0), galley, colour);
        if view.selected == view.pointed {
            break;
        }
    }
}

fn legend(ui: &Ui, body: Rect, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    match view.legend {
        Legend::Empty => {}
        Legend::Groups(entries) => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lines of a window")]
            let fitting = ((body.height() - 2.0 * PADDING) / LINE).max(0.0) as usize;
            let shown = entries.len().min(fitting);
            let top = body.bottom() - PADDING - shown as f32 * LINE;
            for (i, entry) in entries.iter().take(shown).enumerate() {
                let text = format!("{}  {}", entry.label, controls::count(entry.count));
                // No wider than necessary, so that dots beside it can be clicked.
                let most = (body.width() - 2.0 * PADDING).clamp(0.0, 230.0);
                let width = (controls::word_width(ui, &text) + 15.0).min(most);
                let rect = Rect::from_min_size(pos2(body.left() + PADDING, top + i as f32 * LINE), vec2(width, LINE));
                let hidden = view.look.hidden_groups.contains(&entry.label);
                // Translucent, so that the words can be read and the dots behind them be seen.
                ui.painter().rect_filled(rect.expand2(vec2(4.0, 0.0)), 0.0, theme.ground.gamma_multiply(0.8));
                let response = ui.interact(rect, ui.id().with(("legend", i)), Sense::click());
                let label = format!("Group {}", entry.label);
                response.widget_info(|| WidgetInfo::selected(WidgetType::Checkbox, true, !hidden, &label));
                let colour = colour_of(entry.colour);
                let dot = rect.left_center() + vec2(4.0, 0.0);
                if hidden {
                    ui.painter().circle_stroke(dot, 3.5, Stroke::new(1.0, colour));
                } else {
                    ui.painter().circle_filled(dot, 4.0, colour);
                }
                let colour = if response.hovered() {
                    theme.text
                } else if hidden {
                    theme.faint
                } else {
                    theme.muted
                };
                let text_rect = rect.with_min_x(rect.left() + 15.0);
                controls::line(ui, text_rect, Align2::LEFT_CENTER, &text, theme::regular(11.0), colour);
                let response = response.on_hover_cursor(CursorIcon::PointingHand);
                if response.on_hover_text(if hidden { "Show this group" } else { "Fade this group" }).clicked() {
                    actions.push(OnMap::ToggleGroup(entry.label.clone()).into());
                }
            }
        }
        Legend::Ramp { colours, ends } => {
            let bar =
                Rect::from_min_size(pos2(body.left() + PADDING, body.bottom() - PADDING - 20.0), vec2(150.0, 4.0));
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
            let text = Rect::from_min_size(pos2(bar.left(), bar.bottom() + 2.0), vec2(bar.width(), 14.0));
            controls::line(ui, text, Align2::LEFT_CENTER, ends[0], theme::regular(11.0), theme.muted);
            controls::line(ui, text, Align2::RIGHT_CENTER, ends[1], theme::regular(11.0), theme.muted);
        }
    }
}
