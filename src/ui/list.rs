//! The list: one line for each sample shown, drawn for those lines only that can be seen.

use std::collections::HashSet;

use bevy::prelude::Entity;
use bevy_egui::egui::{
    self, Align2, Color32, CursorIcon, Mesh, Rect, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, WidgetType, pos2, vec2,
};
use dsp::pyramid::COLUMNS;
use similarity::weights::PartSimilarities;

use super::action::{Action, Choose, Edit, Go, Listen, Outside};
use super::controls;
use super::input;
use super::rows::Rows;
use super::session::{Jump, Session};
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
    /// The outline of a sample, once it has been decoded.
    pub thumbnail: &'a dyn Fn(Entity) -> Option<&'a Thumbnail>,
    /// How sounds are compared.
    pub weights: strip::Weighed<'a>,
    /// The sample that plays and how far it is, as a share of its length.
    pub playing: Option<(Entity, f32)>,
    /// Colours.
    pub theme: &'a Theme,
    /// Whether the library has any folder, which decides what an empty list says.
    pub has_folders: bool,
    /// The keys of an action as text.
    pub keys: &'a dyn Fn(&Action) -> String,
}

/// Width of the thumbnail in points, half of it where the list is narrow.
const THUMBNAIL: f32 = 84.0;
/// Space between columns in points.
const GAP: f32 = 14.0;

/// Least height in points of a list that shows the weights of a query.
const ROOMY: f32 = 250.0;
/// Width of a similarity bar in points.
const BAR: f32 = 5.0;

/// The columns after the name: which, heading, width in points.
const COLUMNS_SHOWN: [(Column, &str, f32); 6] = [
    (Column::Folder, "Folder", 110.0),
    (Column::Format, "Format", 44.0),
    (Column::Brightness, "Bright", 58.0),
    (Column::Length, "Length", 54.0),
    (Column::Loudness, "LUFS", 42.0),
    (Column::Match, "Similarity", 58.0),
];
/// What a name has at least, in points, before any other column has anything.
const NAME: f32 = 165.0;

/// Draws the list into `ui`'s rectangle.
pub fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let area = ui.max_rect();
    let asking = view.session.query().is_some() && area.height() > ROOMY;
    let (sliders, rest) = area.split_top_bottom_at_y(area.top() + if asking { WEIGHTS } else { 0.0 });
    if asking {
        strip::weights(ui, sliders, view.weights, view.theme, actions);
    }
    let (columns, rows) = rest.split_top_bottom_at_y(rest.top() + 24.0);
    let places = places(columns, view);
    column_heads(ui, &places, view, actions);
    if view.rows.is_empty() {
        nothing(ui, rows, view, actions);
        return;
    }
    self::rows(ui, rows, &places, view, actions);
}

/// Draws the similarity in each part as a bar; a tooltip shows names and values.
fn bars(ui: &Ui, rect: Rect, part_similarities: &PartSimilarities, response: &egui::Response, theme: &Theme) {
    let mut left = rect.left();
    let headless = usize::from(part_similarities.head.is_none());
    let parts = || part_similarities.parts().skip(headless);
    for (i, (_, share)) in parts().enumerate() {
        // A gap separates the two vectors from the groups of descriptors.
        left += if i == 2 - headless { 4.0 } else { 0.0 };
        let ground = Rect::from_min_size(pos2(left, rect.top()), vec2(BAR, rect.height()));
        ui.painter().rect_filled(ground, 0.0, theme.raised);
        let height = rect.height() * share.unwrap_or(0.0).clamp(0.0, 1.0);
        ui.painter().rect_filled(ground.with_min_y(ground.bottom() - height), 0.0, theme.similarity);
        left += BAR + 2.0;
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

/// Where each column lies, the thumbnail and the name first.
struct Places {
    thumbnail: Rect,
    name: Rect,
    /// Bars for the similarity of a row in each part.
    why: Option<Rect>,
    others: Vec<(Column, &'static str, Rect)>,
}

fn places(rect: Rect, view: &View) -> Places {
    let mut rest = rect.shrink2(vec2(PADDING, 0.0));
    let scored = view.session.query().is_some();
    // The name comes first: whatever does not leave it room enough gives way.
    let wide = |rest: f32, width: f32| rest - width - GAP >= NAME;
    let mut left = rest.width();
    let mut fits = |width: f32| {
        let fits = wide(left, width);
        left -= if fits { width + GAP } else { 0.0 };
        fits
    };
    let bars = 7.0 * (BAR + 2.0) - 2.0;
    let mut shown: HashSet<Column> = HashSet::new();
    let width_of =
        |column: Column| COLUMNS_SHOWN.iter().find(|(of, ..)| *of == column).map_or(0.0, |(.., width)| *width);
    let first: &[Column] = if scored { &[Column::Match, Column::Length] } else { &[Column::Length] };
    shown.extend(first.iter().filter(|column| fits(width_of(**column))));
    let thumbnail = [THUMBNAIL, THUMBNAIL / 2.0].into_iter().find(|width| fits(*width)).unwrap_or(0.0);
    let why = scored && fits(bars);
    let others = [Column::Folder, Column::Loudness, Column::Brightness, Column::Format];
    shown.extend(others.iter().filter(|column| fits(width_of(**column))));
    let (thumbnail, after) = rest.split_left_right_at_x(rest.left() + thumbnail);
    rest = if thumbnail.width() > 0.0 { after.with_min_x(after.left() + GAP) } else { after };
    let mut others = Vec::new();
    let mut why_place = None;
    for (column, name, width) in COLUMNS_SHOWN.into_iter().rev() {
        if !shown.contains(&column) {
            continue;
        }
        let (left, own) = rest.split_left_right_at_x(rest.right() - width);
        others.push((column, name, own));
        rest = left.with_max_x(left.right() - GAP);
        if column == Column::Match && why {
            let (left, own) = rest.split_left_right_at_x(rest.right() - bars);
            why_place = Some(own);
            rest = left.with_max_x(left.right() - GAP);
        }
    }
    others.reverse();
    Places { thumbnail, name: rest, why: why_place, others }
}

fn aligned(column: Column) -> Align2 {
    match column {
        Column::Name | Column::Folder | Column::Format => Align2::LEFT_CENTER,
        _ => Align2::RIGHT_CENTER,
    }
}

fn column_heads(ui: &Ui, places: &Places, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let sort = view.session.navigation.sort();
    let name = [(Column::Name, "Name", places.name)];
    for (column, text, rect) in name.into_iter().chain(places.others.iter().copied()) {
        let label = format!("Sort by {}", text.to_lowercase());
        let response = ui.interact(rect, ui.id().with(text), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &label));
        let sorted = sort.column == column;
        let colour = if sorted || response.hovered() { theme.text } else { theme.muted };
        if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
            actions.push(Go::Sort(column).into());
        }
        let font = theme::regular(11.0);
        // By default the most similar sound comes first, so the arrow of this column is reversed.
        let caret = if sort.descending == (column != Column::Match) { icon::DOWN } else { icon::UP };
        if sorted && aligned(column) == Align2::RIGHT_CENTER {
            let width = ui.painter().layout_no_wrap(text.to_owned(), font.clone(), colour).size().x;
            let at = pos2(rect.right() - width - 3.0, rect.center().y);
            ui.painter().text(at, Align2::RIGHT_CENTER, caret, theme::icons(9.0), colour);
        }
        let width = controls::line(ui, rect, aligned(column), text, font, colour);
        if sorted && aligned(column) == Align2::LEFT_CENTER {
            let at = pos2(rect.left() + width + 3.0, rect.center().y);
            ui.painter().text(at, Align2::LEFT_CENTER, caret, theme::icons(9.0), colour);
        }
    }
}

/// What to do first, in the middle of an empty library.
fn start(ui: &Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let middle = rect.center();
    let row = |y: f32| Rect::from_center_size(pos2(middle.x, middle.y + y), vec2(rect.width() - 2.0 * PADDING, ROW));
    let text = |y: f32, text: &str, size: f32, colour| {
        controls::line(ui, row(y), Align2::CENTER_CENTER, text, theme::regular(size), colour);
    };
    text(-76.0, "No sounds yet.", 15.0, theme.text);
    text(-52.0, "Soundkin listens to every sound in a folder and finds those that sound alike.", 12.0, theme.muted);
    text(-34.0, "Your files stay where they are, as they are. Nothing leaves this computer.", 12.0, theme.muted);
    let wide = 190.0;
    let button = Rect::from_center_size(pos2(middle.x, middle.y + 4.0), vec2(wide, 32.0));
    let tip = controls::hint("Choose a folder of sounds", &(view.keys)(&Outside::AskForFolder.into()));
    let response = ui.interact(button, ui.id().with("start"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, "Add a folder\u{2026}"));
    let ground = if response.hovered() { theme.raised } else { theme.selected };
    ui.painter().rect_filled(button, 0.0, ground);
    controls::line(ui, button, Align2::CENTER_CENTER, "Add a folder\u{2026}", theme::strong(13.0), theme.time);
    if response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(tip).clicked() {
        actions.push(Outside::AskForFolder.into());
    }
    text(40.0, "Or drop folders here. Sounds can be played at once; neighbours and the map", 12.0, theme.muted);
    text(58.0, "come with the first hundred that have been listened to.", 12.0, theme.muted);
}

fn nothing(ui: &mut Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    if !view.has_folders {
        start(ui, rect, view, actions);
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

fn rows(ui: &mut Ui, rect: Rect, places: &Places, view: &View, actions: &mut Vec<Action>) {
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
            let (line, response) = ui.allocate_exact_size(vec2(rect.width(), ROW), Sense::click());
            if let Some(row) = view.rows.row(view.table, place) {
                self::row(ui, line, place, row, places, view, &response);
                respond(ui, row, view, &response, actions);
            }
        }
    });
    let offset = output.state.offset.y;
    ui.data_mut(|data| data.insert_temp(seen.with("offset"), offset));
    if (offset - view.session.navigation.location.scroll).abs() > 0.5 {
        actions.push(Go::Scrolled(offset).into());
    }
}

fn respond(ui: &Ui, row: &Row, view: &View, response: &egui::Response, actions: &mut Vec<Action>) {
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
    response.context_menu(|ui| {
        ui.set_min_width(180.0);
        let mut item = |text: &str, action: Action| {
            let button = egui::Button::new(text).shortcut_text((view.keys)(&action));
            if ui.add(button).clicked() {
                actions.push(action);
                ui.close();
            }
        };
        item("Find sounds like this", Go::Neighbours.into());
        if view.session.query().is_some() {
            item("Less like this", Go::LessLike.into());
        }
        item("Find on map", Go::FindOnMap.into());
        item(if row.kept { "Stop keeping" } else { "Keep" }, Edit::Keep.into());
        item("Copy files", Outside::CopyFiles.into());
        item("Show in file manager", Outside::RevealSelected.into());
    });
}

fn row(ui: &Ui, line: Rect, place: usize, row: &Row, places: &Places, view: &View, response: &egui::Response) {
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
    let picture = at(places.thumbnail).shrink2(vec2(0.0, 4.0));
    // Missing and failed samples show a warning sign in place of their outline.
    if let Some(thumbnail) = (view.thumbnail)(row.entity).filter(|_| !absent) {
        let played = view.playing.filter(|(entity, _)| *entity == row.entity).map_or(0.0, |(_, share)| share);
        let colour = if selected { theme.time } else { theme.faint };
        outline(ui, picture, thumbnail, [theme.time, colour], played);
    }
    let mut name = at(places.name);
    if row.kept {
        let dot = pos2(name.right() - 5.0, name.center().y);
        ui.painter().circle_filled(dot, 3.0, theme.time);
        name.max.x -= 16.0;
    }
    let font = theme::regular(13.0);
    let why = if row.missing { Some("missing".to_owned()) } else { row.failed.as_ref().map(ToString::to_string) };
    if let Some(why) = why {
        let reason = Rect::from_min_max(
            pos2(places.thumbnail.left(), line.top()),
            pos2(places.thumbnail.right(), line.bottom()),
        );
        let said = row.trouble();
        let sign = reason.left_center() + vec2(7.0, 0.0);
        ui.painter().text(sign, Align2::CENTER_CENTER, icon::WARNING, theme::icons(13.0), theme.warning);
        let text = reason.with_min_x(reason.left() + 18.0);
        controls::line(ui, text, Align2::LEFT_CENTER, said, theme::regular(11.0), theme.warning);
        // A file that was never decoded has no measures, so the reason is shown in their place.
        if !row.known
            && let Some((.., last)) = places.others.last()
        {
            let (shown, _) = name.split_left_right_at_x(name.left() + (last.right() - name.left()) * 0.38);
            controls::name(ui, shown, &row.name, &font, name_colour);
            let rest = Rect::from_min_max(pos2(shown.right() + GAP, line.top()), pos2(last.right(), line.bottom()));
            controls::line(ui, rest, Align2::LEFT_CENTER, &why, theme::regular(12.0), theme.muted);
            response.clone().on_hover_text(why);
            return;
        }
        response.clone().on_hover_text(why);
    }
    controls::name(ui, name, &row.name, &font, name_colour);
    if let (Some(rect), Some(part_similarities)) = (places.why, view.rows.part_similarities(row.entity)) {
        bars(ui, at(rect).shrink2(vec2(0.0, 7.0)), part_similarities, response, theme);
    }
    let muted = theme.muted;
    for (column, _, rect) in &places.others {
        let known = |value: f32, text: String| if value.is_finite() { text } else { String::new() };
        let text = match column {
            Column::Folder => row.folder().into_owned(),
            Column::Format => row.format.to_string(),
            Column::Length => controls::length(row.seconds),
            Column::Loudness => known(row.lufs, controls::signed(row.lufs, 1)),
            Column::Brightness => known(row.brightness, controls::frequency(row.brightness)),
            Column::Match => view.rows.similarity(place).map(|like| controls::signed(like, 3)).unwrap_or_default(),
            Column::Name => continue,
        };
        let colour = if *column == Column::Match { theme.similarity } else { muted };
        controls::line(ui, at(*rect), aligned(*column), &text, theme::regular(12.0), colour);
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
