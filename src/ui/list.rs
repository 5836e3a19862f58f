//! The list: one line for each sample shown, drawn for those lines only that can be seen.

use bevy::prelude::Entity;
use bevy_egui::egui::{
    self, Align2, Color32, CursorIcon, Mesh, PointerButton, PopupCloseBehavior, Rect, Response, ScrollArea, Sense, Ui,
    UiBuilder, WidgetInfo, WidgetType, pos2, vec2,
};
use dsp::pyramid::COLUMNS;
use similarity::weights::PartSimilarities;

use super::action::{Action, Choose, Go, Listen, Prefer};
use super::columns::{BAR, BARS, Columns, GAP, Places, USUAL, Usual};
use super::controls;
use super::focus::{self, Section};
use super::input;
use super::menu::{self, Item};
use super::rows::Rows;
use super::session::{Jump, Session};
use super::start;
use super::strip::{self, LEARNED, WEIGHTS};
use super::theme::{self, PADDING, ROW, Theme, icon};
use crate::library::Thumbnail;
use crate::library::table::{Column, Row, SampleTable};

/// What the list is drawn from.
pub struct View<'a> {
    /// Every sample.
    pub table: &'a SampleTable,
    /// What is listed of it.
    pub rows: &'a Rows,
    /// Selection, place and filter.
    pub session: &'a Session,
    /// Which columns there are.
    pub columns: &'a Columns,
    /// Whether a key has asked for a menu.
    pub menu: bool,
    /// The outline of a sample, once it has been decoded.
    pub thumbnail: &'a dyn Fn(Entity) -> Option<&'a Thumbnail>,
    /// How sounds are compared.
    pub weights: strip::Weighed<'a>,
    /// Whether the weights of a query stand above it, and not elsewhere.
    pub weighed_here: bool,
    /// The sample that plays and how far it is, as a share of its length.
    pub playing: Option<(Entity, f32)>,
    /// Colours.
    pub theme: &'a Theme,
    /// Whether the library has any folder, which decides what an empty list says.
    pub has_folders: bool,
    /// The keys of an action as text.
    pub keys: &'a dyn Fn(&Action) -> String,
}

/// Least height in points of a list that shows the weights of a query.
const ROOMY: f32 = 250.0;
/// What a warning sign takes, in points.
const SIGN: f32 = 18.0;
/// Parts that compare whole sounds: head, network and neighbourhood; groups of descriptors follow.
const WHOLE: usize = 3;
/// Half the width of the strip in which the pointer can grab the border of a column, in points.
const GRIP: f32 = 4.0;

/// Draws the list into `ui`'s rectangle.
pub fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let area = ui.max_rect();
    let asking = view.weighed_here && view.session.query().is_some() && area.height() > ROOMY;
    let (sliders, rest) = area.split_top_bottom_at_y(area.top() + if asking { WEIGHTS } else { 0.0 });
    if asking {
        strip::weights(ui, sliders, view.weights, view.theme, actions);
    }
    let (heads, rows) = rest.split_top_bottom_at_y(rest.top() + 24.0);
    let places = Places::new(heads, view.columns, view.session.query().is_some());
    let took_menu = column_heads(ui, heads, &places, view, actions);
    let home = ui.interact(rows, ui.id().with("home"), Sense::focusable_noninteractive());
    home.widget_info(|| WidgetInfo::labeled(WidgetType::Other, true, "Sounds"));
    focus::home(ui.ctx(), Section::List, home.id, &[], true);
    if view.rows.is_empty() {
        nothing(ui, rows, view, actions);
        return;
    }
    self::rows(ui, rows, &places, (home.has_focus(), view.menu && !took_menu), view, actions);
}

/// Draws the similarity in each part as a bar; a tooltip shows names and values.
fn bars(ui: &Ui, rect: Rect, part_similarities: &PartSimilarities, response: &Response, theme: &Theme) {
    let mut left = rect.left();
    // A model without a head has no bar for it, and neither have neighbourhoods that do not count; descriptors may still come.
    let whole =
        1 + usize::from(part_similarities.head.is_some()) + usize::from(part_similarities.neighbourhood.is_some());
    let shown = |(i, (_, share)): &(usize, (&str, Option<f32>))| share.is_some() || *i >= WHOLE;
    let parts = || part_similarities.parts().enumerate().filter(shown).map(|(_, part)| part);
    let scale = rect.width() / BARS;
    for (i, (_, share)) in parts().enumerate() {
        // A gap separates the vectors from the groups of descriptors.
        left += if i == whole { 4.0 * scale } else { 0.0 };
        let ground = Rect::from_min_size(pos2(left, rect.top()), vec2(BAR * scale, rect.height()));
        ui.painter().rect_filled(ground, 0.0, theme.raised);
        let height = rect.height() * share.unwrap_or(0.0).clamp(0.0, 1.0);
        ui.painter().rect_filled(ground.with_min_y(ground.bottom() - height), 0.0, theme.similarity);
        left += (BAR + 2.0) * scale;
    }
    let pointed = response.hover_pos().is_some_and(|at| rect.expand2(vec2(4.0, 8.0)).contains(at));
    if pointed {
        let lines = parts().map(|(name, share)| {
            let share = share.map_or("not known yet".to_owned(), |share| format!("{:.0} %", share * 100.0));
            format!("{}  {share}", if name == "head" { LEARNED } else { name })
        });
        response.clone().on_hover_text_at_pointer(lines.collect::<Vec<_>>().join("\n"));
    }
}

fn aligned(column: Column) -> Align2 {
    match column {
        Column::Outline | Column::Name | Column::Folder | Column::Format | Column::Channels => Align2::LEFT_CENTER,
        _ => Align2::RIGHT_CENTER,
    }
}

/// Draws the heads: a click sorts, a drag moves a column, its border makes it wider, and a menu says which there are. Tells
/// whether the menu that a key has asked for was theirs.
fn column_heads(ui: &Ui, area: Rect, places: &Places, view: &View, actions: &mut Vec<Action>) -> bool {
    // One menu for all of them: a head that is hidden by it would close its own.
    let mut all = ui.interact(area, ui.id().with("heads"), Sense::CLICK);
    let mut by_key = false;
    for usual in &USUAL {
        let Some(rect) = places.of(usual.column) else { continue };
        let response = head(ui, rect, usual, places, view, actions);
        by_key |= view.menu && response.has_focus();
        all = all.union(response);
    }
    for (column, _) in &places.0 {
        border(ui, area, *column, places, view, actions);
    }
    choose_columns(&all, by_key, view, actions);
    by_key
}

fn head(ui: &Ui, rect: Rect, usual: &Usual, places: &Places, view: &View, actions: &mut Vec<Action>) -> Response {
    let (theme, column) = (view.theme, usual.column);
    let sorts = column.sorts();
    let label = format!("{} {}", if sorts { "Sort by" } else { "Column" }, usual.called().to_lowercase());
    let sense = if sorts { Sense::click_and_drag() } else { Sense::CLICK | Sense::DRAG };
    let response = ui.interact(rect, ui.id().with(usual.name), sense);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &label));
    if response.clicked() && sorts {
        actions.push(Go::Sort(column).into());
    }
    let dragged = response.dragged_by(PointerButton::Primary);
    if let Some(at) = response.interact_pointer_pos().filter(|_| dragged || response.drag_stopped()) {
        let before = places.before(at.x);
        if response.drag_stopped() {
            let moved = view.columns.with_moved(column, before);
            actions.extend((moved != *view.columns).then(|| Prefer::Columns(moved).into()));
        } else {
            let right_end = places.0.last().map_or(rect.right(), |(_, last)| last.right() + GAP / 2.0);
            let x = before.and_then(|before| places.of(before)).map_or(right_end, |rect| rect.left() - GAP / 2.0);
            let line = Rect::from_center_size(pos2(x, rect.center().y), vec2(2.0, rect.height()));
            ui.painter().rect_filled(line, 0.0, theme.text);
            ui.set_cursor_icon(CursorIcon::Grabbing);
        }
    }
    let sort = view.session.navigation.sort();
    let sorted = sort.column == column;
    let colour = if sorted || response.hovered() || dragged { theme.text } else { theme.muted };
    let font = theme::regular(11.0);
    // By default the most similar sound comes first, so the arrow of this column is reversed.
    let caret = if sort.descending == (column != Column::Match) { icon::DOWN } else { icon::UP };
    if sorted && aligned(column) == Align2::RIGHT_CENTER {
        let width = ui.painter().layout_no_wrap(usual.head.to_owned(), font.clone(), colour).size().x;
        let at = pos2(rect.right() - width - 3.0, rect.center().y);
        ui.painter().text(at, Align2::RIGHT_CENTER, caret, theme::icons(9.0), colour);
    }
    let width = controls::line(ui, rect, aligned(column), usual.head, font, colour);
    if sorted && aligned(column) == Align2::LEFT_CENTER {
        let at = pos2(rect.left() + width + 3.0, rect.center().y);
        ui.painter().text(at, Align2::LEFT_CENTER, caret, theme::icons(9.0), colour);
    }
    if sorts { response.on_hover_cursor(CursorIcon::PointingHand) } else { response }
}

/// The border of a column: it is dragged, and a double click fits the column to what can be seen of it.
fn border(ui: &Ui, area: Rect, column: Column, places: &Places, view: &View, actions: &mut Vec<Action>) {
    let Some((x, _)) = places.border(column) else { return };
    let grip = Rect::from_center_size(pos2(x, area.center().y), vec2(2.0 * GRIP, area.height()));
    let response = ui.interact(grip, ui.id().with(("border", column)), Sense::CLICK | Sense::DRAG);
    let label = format!("Width of {}", name_of(column).to_lowercase());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Other, true, &label));
    let response = response.on_hover_and_drag_cursor(CursorIcon::ResizeColumn);
    if response.hovered() || response.dragged() {
        let line = Rect::from_center_size(grip.center(), vec2(1.0, grip.height() - 8.0));
        ui.painter().rect_filled(line, 0.0, view.theme.faint);
    }
    let held = response.dragged() || response.drag_stopped();
    let asked = if response.double_clicked() {
        Some(fitting(ui, column, area, view))
    } else {
        response.interact_pointer_pos().filter(|_| held).and_then(|at| places.width_at(column, at.x))
    };
    if let Some(width) = asked {
        actions.push(Prefer::Columns(view.columns.with_width(column, width)).into());
    }
}

/// The width that the head and the rows that can be seen want.
fn fitting(ui: &Ui, column: Column, heads: Rect, view: &View) -> f32 {
    let width = |text: String, size: f32| {
        ui.painter().layout_no_wrap(text, theme::regular(size), Color32::PLACEHOLDER).size().x
    };
    let Some(usual) = USUAL.iter().find(|usual| usual.column == column) else { return 0.0 };
    if !column.sorts() {
        return usual.width;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rows of the list, not negative")]
    let [first, count] = [view.session.navigation.location.scroll, ui.max_rect().bottom() - heads.bottom()]
        .map(|points| (points.max(0.0) / ROW) as usize);
    let texts =
        (first..=first + count).filter_map(|place| Some(text(column, place, view.rows.row(view.table, place)?, view)));
    // Beside the head there is room for the caret of the order.
    let head = width(usual.head.to_owned(), 11.0) + 12.0;
    texts.map(|text| width(text, 12.0)).fold(head, f32::max).ceil() + 1.0
}

/// The menu of the heads.
fn choose_columns(response: &Response, by_key: bool, view: &View, actions: &mut Vec<Action>) {
    let columns = view.columns;
    let items = || {
        let others = columns.all().into_iter().filter(|chosen| chosen.column != Column::Name);
        let check = |column, shown| Item::switch(shown, name_of(column), Prefer::Columns(columns.with_toggled(column)));
        let mut items: Vec<Item> = others.map(|chosen| check(chosen.column, chosen.shown)).collect();
        if !columns.are_usual() {
            items.extend([Item::Line, Item::new("Reset columns", Prefer::Columns(Columns::default()))]);
        }
        items
    };
    let popup = focus::menu(response, by_key).close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    menu::show(popup, menu::Look { theme: view.theme, keys: view.keys }, items, actions);
}

fn name_of(column: Column) -> &'static str {
    USUAL.iter().find(|usual| usual.column == column).map_or("", |usual| usual.name)
}

fn nothing(ui: &mut Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    if !view.has_folders {
        start::show(ui, rect, view.keys, view.theme, actions);
        return;
    }
    let (text, then) = if view.session.query().is_some() {
        ("No neighbours found.", "Sounds appear here as they are analysed.")
    } else if !view.session.filter().is_open() {
        ("Nothing matches.", "Press Esc to clear the search and the folder.")
    } else {
        ("No sounds in these folders yet.", "Sounds appear here as they are found.")
    };
    let middle = rect.center();
    let row = |y: f32| Rect::from_center_size(pos2(middle.x, middle.y + y), vec2(rect.width() - 2.0 * PADDING, ROW));
    controls::line(ui, row(-11.0), Align2::CENTER_CENTER, text, theme::regular(13.0), view.theme.text);
    controls::line(ui, row(11.0), Align2::CENTER_CENTER, then, theme::regular(12.0), view.theme.muted);
}

/// Draws the rows; `focused` is whether the list has the keys, and `menu` whether the menu of the selected row was asked for.
fn rows(
    ui: &mut Ui,
    rect: Rect,
    places: &Places,
    (focused, menu): (bool, bool),
    view: &View,
    actions: &mut Vec<Action>,
) {
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).id_salt("rows"));
    child.set_clip_rect(rect.intersect(ui.clip_rect()));
    let mut area = ScrollArea::vertical().auto_shrink(false).id_salt("list");
    let seen = ui.id().with("jump seen");
    if let Some((serial, jump)) = view.session.requests.jump
        && ui.data(|data| data.get_temp::<u64>(seen)) != Some(serial)
    {
        ui.data_mut(|data| data.insert_temp(seen, serial));
        let now = ui.data(|data| data.get_temp::<f32>(seen.with("offset"))).unwrap_or(0.0);
        area = area.vertical_scroll_offset(match jump {
            Jump::Offset(offset) => offset,
            Jump::Row(row) => {
                let top = row as f32 * ROW;
                if top < now || top + ROW > now + rect.height() {
                    // A row nearby is scrolled just into view, a distant one to the middle.
                    let near = (top - now).abs() < 1.5 * rect.height();
                    let middle = top - (rect.height() - ROW) / 2.0;
                    let target = if !near {
                        middle
                    } else if top < now {
                        top
                    } else {
                        top + ROW - rect.height()
                    };
                    target.max(0.0)
                } else {
                    now
                }
            }
        });
    }
    let output = area.show_rows(&mut child, ROW, view.rows.len(), |ui, range| {
        for place in range {
            // The list is one stop for Tab, whatever is in it.
            let (line, response) = ui.allocate_exact_size(vec2(rect.width(), ROW), Sense::CLICK);
            if let Some(row) = view.rows.row(view.table, place) {
                self::row(ui, line, place, row, places, view, &response);
                let selected = view.session.selected() == Some(row.entity);
                respond(ui, row, menu && selected, view, &response, actions);
                if focused && selected {
                    focus::ring(ui, line, view.theme);
                }
            }
        }
    });
    let offset = output.state.offset.y;
    ui.data_mut(|data| data.insert_temp(seen.with("offset"), offset));
    if (offset - view.session.navigation.location.scroll).abs() > 0.5 {
        actions.push(Go::Scrolled(offset).into());
    }
}

fn respond(ui: &Ui, row: &Row, menu: bool, view: &View, response: &Response, actions: &mut Vec<Action>) {
    if response.secondary_clicked() {
        actions.push(Go::Select(row.entity, Choose::Keep).into());
    }
    if response.clicked() {
        let how = ui.input(|input| match input::modifiers(input) {
            m if m.command => Choose::Toggle,
            m if m.shift => Choose::Extend,
            _ => Choose::Only,
        });
        actions.push(Go::Select(row.entity, how).into());
    }
    let hovered = response.hovered() && ui.input(|input| input.pointer.delta() != egui::Vec2::ZERO);
    if hovered && row.known {
        actions.push(Listen::Prepare(row.entity).into());
    }
    let look = menu::Look { theme: view.theme, keys: view.keys };
    let items = || menu::of_sound(row.kept, view.session.query().is_some());
    menu::show(focus::menu(response, menu), look, items, actions);
}

fn row(ui: &Ui, line: Rect, place: usize, row: &Row, places: &Places, view: &View, response: &Response) {
    let theme = view.theme;
    let selected = view.session.selected() == Some(row.entity);
    let marked = view.session.selection.marked.contains(&row.entity);
    let label = accessible(row, view.rows.similarity(place));
    response.widget_info(|| WidgetInfo::selected(WidgetType::SelectableLabel, true, selected || marked, &label));
    if selected || marked {
        ui.painter().rect_filled(line, 0.0, theme.selected);
    } else if response.hovered() || view.session.selection.pointed == Some(row.entity) {
        ui.painter().rect_filled(line, 0.0, theme.raised);
    }
    let at = |rect: Rect| Rect::from_min_max(pos2(rect.left(), line.top()), pos2(rect.right(), line.bottom()));
    let absent = row.missing || row.failed.is_some();
    let name_colour = if selected {
        theme.selected_text
    } else if absent {
        theme.muted
    } else {
        theme.text
    };
    let outlined = places.of(Column::Outline).map(at);
    // Missing and failed samples show a warning sign in place of their outline.
    if let Some(thumbnail) = (view.thumbnail)(row.entity).filter(|_| !absent)
        && let Some(picture) = outlined
    {
        let played = view.playing.filter(|(entity, _)| *entity == row.entity).map_or(0.0, |(_, share)| share);
        let colour = if selected { theme.time } else { theme.faint };
        outline(ui, picture.shrink2(vec2(0.0, 4.0)), thumbnail, [theme.time, colour], played);
    }
    let mut name = at(places.name());
    if row.kept {
        let dot = pos2(name.right() - 5.0, name.center().y);
        ui.painter().circle_filled(dot, 3.0, theme.time);
        name.max.x -= 16.0;
    }
    let font = theme::regular(13.0);
    let why = if row.missing { Some("missing".to_owned()) } else { row.failed.as_ref().map(ToString::to_string) };
    if let Some(why) = why {
        let reason = outlined.unwrap_or_else(|| name.with_max_x(name.left() + SIGN));
        let sign = reason.left_center() + vec2(7.0, 0.0);
        ui.painter().text(sign, Align2::CENTER_CENTER, icon::WARNING, theme::icons(13.0), theme.warning);
        let text = reason.with_min_x(reason.left() + SIGN);
        controls::line(ui, text, Align2::LEFT_CENTER, row.trouble(), theme::regular(11.0), theme.warning);
        if outlined.is_none() {
            name.min.x += SIGN;
        }
        response.clone().on_hover_text(&why);
        // A file that was never decoded has no measures, so the reason is shown in place of all that follows the name.
        if !row.known
            && let Some((_, last)) = places.0.last()
        {
            let (shown, _) = name.split_left_right_at_x(name.left() + (last.right() - name.left()) * 0.38);
            controls::name(ui, shown, &row.name, &font, name_colour);
            let rest = Rect::from_min_max(pos2(shown.right() + GAP, line.top()), pos2(last.right(), line.bottom()));
            controls::line(ui, rest, Align2::LEFT_CENTER, &why, theme::regular(12.0), theme.muted);
            return;
        }
    }
    controls::name(ui, name, &row.name, &font, name_colour);
    for (column, rect) in &places.0 {
        match column {
            Column::Outline | Column::Name => {}
            Column::Why => {
                if let Some(part_similarities) = view.rows.part_similarities(row.entity) {
                    bars(ui, at(*rect).shrink2(vec2(0.0, 7.0)), part_similarities, response, theme);
                }
            }
            _ => {
                let colour = if *column == Column::Match { theme.similarity } else { theme.muted };
                let text = text(*column, place, row, view);
                controls::line(ui, at(*rect), aligned(*column), &text, theme::regular(12.0), colour);
            }
        }
    }
}

/// What a row says in a column; nothing where it is not known, and where it is no text.
fn text(column: Column, place: usize, row: &Row, view: &View) -> String {
    let known = |value: f32, text: String| if value.is_finite() { text } else { String::new() };
    match column {
        Column::Outline | Column::Why => String::new(),
        Column::Name => row.name.to_string(),
        Column::Folder => row.folder().into_owned(),
        Column::Format => row.format.to_string(),
        Column::Channels => match row.channels {
            0 => String::new(),
            1 => "mono".to_owned(),
            2 => "stereo".to_owned(),
            more => more.to_string(),
        },
        Column::Rate if row.rate.0 == 0 => String::new(),
        Column::Rate => format!("{} kHz", f64::from(row.rate) / 1000.0),
        Column::Pitch => known(row.pitch, controls::frequency(row.pitch)),
        Column::Brightness => known(row.brightness, controls::frequency(row.brightness)),
        Column::Length => controls::length(row.seconds),
        Column::Peak => known(row.peak, controls::signed(row.peak, 1)),
        Column::Loudness => known(row.lufs, controls::signed(row.lufs, 1)),
        Column::Modified => controls::date(row.modified),
        Column::Match => view.rows.similarity(place).map(|like| controls::signed(like, 3)).unwrap_or_default(),
    }
}

fn accessible(row: &Row, similarity: Option<f32>) -> String {
    let state = match row.trouble() {
        "" => String::new(),
        trouble => format!(", {trouble}"),
    };
    let kept = if row.kept { ", kept" } else { "" };
    let like = similarity.map(|like| format!(", {like:.3}")).unwrap_or_default();
    format!("{}{state}{kept}{like}", row.name)
}

/// Draws an outline as one mesh: a column of pixels for each part of the sound, the played part in its own colour.
pub(super) fn outline(ui: &Ui, rect: Rect, thumbnail: &Thumbnail, [played_colour, colour]: [Color32; 2], played: f32) {
    let pixel = 1.0 / ui.ctx().pixels_per_point();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels of a row")]
    let columns = COLUMNS.min((rect.width() / pixel) as usize).max(1);
    let width = rect.width() / columns as f32;
    // Quiet sounds are drawn larger, so that their shape can be seen; loud ones keep their size.
    let loudest = thumbnail.0.iter().flatten().map(|v| v.unsigned_abs()).max().unwrap_or(1).clamp(24, 127);
    let scale = rect.height() / 2.0 / f32::from(loudest);
    let mut mesh = Mesh::default();
    for column in 0..columns {
        let parts = &thumbnail.0
            [column * COLUMNS / columns..((column + 1) * COLUMNS / columns).max(column * COLUMNS / columns + 1)];
        let low = parts.iter().map(|p| p[0]).min().unwrap_or(0);
        let high = parts.iter().map(|p| p[1]).max().unwrap_or(0);
        let x = rect.left() + column as f32 * width;
        let (top, bottom) = (rect.center().y - f32::from(high) * scale, rect.center().y - f32::from(low) * scale);
        let bar = Rect::from_min_max(
            pos2(x, top.min(rect.center().y - pixel / 2.0)),
            pos2(x + width, bottom.max(rect.center().y + pixel / 2.0)),
        );
        let done = (column as f32 + 0.5) / columns as f32 <= played && played > 0.0;
        mesh.add_colored_rect(bar, if done { played_colour } else { colour });
    }
    ui.painter().add(mesh);
}
