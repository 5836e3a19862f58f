//! The list: one line for each sample shown, drawn for those lines only that can be seen.

use bevy::prelude::Entity;
use bevy_egui::egui::{
    self, Align2, Color32, CursorIcon, Id, Key, Mesh, Rect, ScrollArea, Sense, TextEdit, Ui, UiBuilder, WidgetInfo,
    WidgetType, pos2, vec2,
};
use dsp::descriptors::Group;
use dsp::pyramid::COLUMNS;
use similarity::weights::{PartSimilarities, Weights};

use super::action::{Action, Choose, Part};
use super::controls::{self, Strip, Tone};
use super::session::{Jump, Session, called};
use super::shown::{Column, Row, Shown};
use super::theme::{self, HEADING, PADDING, ROW, Theme, icon};
use crate::library::Thumbnail;
use crate::neighbours::query::Coverage;

/// What the list is drawn from.
pub struct View<'a> {
    /// Rows and their order.
    pub shown: &'a Shown,
    /// Selection, place and filter.
    pub session: &'a Session,
    /// Whether the neighbours listed are the true nearest; `None` while they are looked for.
    pub exact: Option<bool>,
    /// Among how many they were looked for.
    pub coverage: Coverage,
    /// The outline of a sample, once it has been decoded.
    pub thumbnail: &'a dyn Fn(Entity) -> Option<&'a Thumbnail>,
    /// How much each part counts in a query, and whether the model has a head.
    pub weights: (&'a Weights, bool),
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

/// Height of the weight sliders in points, and least height of a list that shows them.
const WEIGHTS: f32 = 38.0;
const ROOMY: f32 = 220.0;
/// Least width of a list whose rows show a similarity bar for each part, and width of a bar, in points.
const WHY: f32 = 440.0;
const BAR: f32 = 5.0;
/// Width of a digit of a weight in points.
const DIGIT: f32 = 7.0;
/// What users see instead of `head`, which is a developers' term.
const LEARNED: &str = "learned";

/// The columns after the thumbnail: which, heading, least width of the list at which it is shown, width in points.
const COLUMNS_SHOWN: [(Column, &str, f32, f32); 6] = [
    (Column::Folder, "Folder", 470.0, 84.0),
    (Column::Format, "Format", 620.0, 44.0),
    (Column::Brightness, "Bright", 540.0, 58.0),
    (Column::Length, "Length", 0.0, 54.0),
    (Column::Loudness, "LUFS", 400.0, 42.0),
    (Column::Match, "Similarity", 0.0, 50.0),
];

/// Draws the list into `ui`'s rectangle.
pub fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let area = ui.max_rect();
    let (heading, rest) = area.split_top_bottom_at_y(area.top() + HEADING);
    self::heading(ui, heading, view, actions);
    let asking = view.session.place.query.is_some();
    let weights = if asking && rest.height() > ROOMY { WEIGHTS } else { 0.0 };
    let (weights, rest) = rest.split_top_bottom_at_y(rest.top() + weights);
    if weights.height() > 0.0 {
        self::weights(ui, weights, view, actions);
    }
    let (columns, rows) = rest.split_top_bottom_at_y(rest.top() + 22.0);
    let places = places(columns, view);
    column_heads(ui, &places, view, actions);
    if view.shown.is_empty() {
        nothing(ui, rows, view);
        return;
    }
    self::rows(ui, rows, &places, view, actions);
}

fn heading(ui: &mut Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let mut strip = Strip::new(rect);
    let [past, future] = view.session.ways();
    let usable = |way| if way { Tone::Plain } else { Tone::Idle };
    let keys = |action: &Action, what: &str| hint(what, &(view.keys)(action));
    if controls::icon(ui, strip.left(20.0), icon::BACK, "Back", &keys(&Action::Back, "Back"), usable(past), theme)
        .clicked()
    {
        actions.push(Action::Back);
    }
    if controls::icon(
        ui,
        strip.left(24.0),
        icon::FORWARD,
        "Forward",
        &keys(&Action::Forward, "Forward"),
        usable(future),
        theme,
    )
    .clicked()
    {
        actions.push(Action::Forward);
    }
    strip.left(8.0);
    search(ui, strip.right(strip.rest().width().clamp(60.0, 190.0).min(strip.rest().width() * 0.5)), view, actions);
    strip.right(GAP);
    let place = &view.session.place;
    if let Some(query) = &place.query {
        let name = called(query, &|sample| view.shown.of(sample).map(|row| row.name.to_string()));
        let wanted = controls::word_width(ui, &format!("like {name}")) + 24.0;
        let chip = strip.left(wanted.min(strip.rest().width() * 0.8)).shrink2(vec2(0.0, 5.0));
        let response = ui.interact(chip, ui.id().with("Clear query"), Sense::click());
        let label = format!("Neighbours of {name}, clear");
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &label));
        let response = response.on_hover_cursor(CursorIcon::PointingHand);
        if response.on_hover_text(hint("Back to where you were", &(view.keys)(&Action::Unwind))).clicked() {
            actions.push(Action::ClearQuery);
        }
        ui.painter().rect_filled(chip, 0.0, theme.chip);
        let (text, cross) = chip.split_left_right_at_x(chip.right() - 20.0);
        let text = text.with_min_x(text.left() + 8.0);
        controls::line(ui, text, Align2::LEFT_CENTER, &format!("like {name}"), theme::regular(12.0), theme.likeness);
        ui.painter().text(cross.center(), Align2::CENTER_CENTER, icon::CROSS, theme::icons(11.0), theme.likeness);
        strip.left(8.0);
    }
    let rest = strip.rest();
    controls::line(ui, rest, Align2::LEFT_CENTER, &scope(view), theme::regular(12.0), theme.muted);
}

/// A hint with the key that does the same.
pub(super) fn hint(what: &str, keys: &str) -> String {
    if keys.is_empty() { what.to_owned() } else { format!("{what}  ({keys})") }
}

/// Says what is listed: how many, within what, and whether an answer is certain, or among how many it was found so far.
fn scope(view: &View) -> String {
    let filter = &view.session.place.filter;
    let folder = filter.folder.as_ref().and_then(|f| f.file_name()).map(|n| n.to_string_lossy().into_owned());
    let only = filter.only.map(|only| only.name().to_lowercase());
    let n = view.shown.len();
    if view.session.place.query.is_some() {
        let text = filter.text.trim();
        let searched = if text.is_empty() { "everywhere".to_owned() } else { format!("matching “{text}”") };
        let only = only.map(|only| format!("in {only} sounds"));
        let within = only.or(folder.map(|folder| format!("in {folder}"))).unwrap_or(searched);
        let Coverage { among, of } = view.coverage;
        let state = match view.exact {
            None => "searching".to_owned(),
            Some(_) if !view.coverage.is_complete() => {
                format!("among {} of {} so far", controls::count(among), controls::count(of))
            }
            Some(true) => "exact".to_owned(),
            Some(false) => "approximate".to_owned(),
        };
        return format!("{within} · {state}");
    }
    let only = only.map(|only| format!("{only} ")).unwrap_or_default();
    let within = folder.map(|folder| format!(" in {folder}")).unwrap_or_default();
    let marked = view.session.marked.len();
    let marked = if marked > 1 { format!(" · {} selected", controls::count(marked)) } else { String::new() };
    let sounds = if n == 1 { "sound" } else { "sounds" };
    format!("{} {only}{sounds}{within}{marked}", controls::count(n))
}

fn search(ui: &mut Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let rect = rect.shrink2(vec2(0.0, 4.0));
    ui.painter().rect_filled(rect, 0.0, theme.raised);
    let glass = rect.left_center() + vec2(13.0, 0.0);
    ui.painter().text(glass, Align2::CENTER_CENTER, icon::SEARCH, theme::icons(13.0), theme.muted);
    let id = Id::new("search");
    let mut text = view.session.place.filter.text.clone();
    let field = Rect::from_min_max(pos2(rect.left() + 24.0, rect.top()), pos2(rect.right() - 4.0, rect.bottom()));
    let edit = TextEdit::singleline(&mut text)
        .id(id)
        .frame(egui::Frame::NONE)
        .font(theme::regular(12.0))
        .text_color(theme.text)
        .hint_text(egui::RichText::new("Search names and paths").color(theme.muted))
        .vertical_align(egui::Align::Center)
        .margin(egui::Margin::ZERO)
        .desired_width(field.width());
    let response = ui.place(field, edit);
    if response.changed() {
        actions.push(Action::Search(text));
    }
    // The focus moves once for each request; the counter tells a new request from an old one.
    let seen = ui.id().with("focus seen");
    if ui.data(|data| data.get_temp::<u64>(seen)) != Some(view.session.focus.0) {
        ui.data_mut(|data| data.insert_temp(seen, view.session.focus.0));
        match view.session.focus {
            (0, _) => {}
            (_, true) => response.request_focus(),
            (_, false) => response.surrender_focus(),
        }
    }
    if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
        actions.push(Action::LeaveSearch);
    }
}

/// The parts of a comparison, by name.
fn parts() -> impl Iterator<Item = (Part, &'static str)> {
    let groups = Group::ALL.into_iter().map(|group| (Part::Group(group), group.name()));
    std::iter::once((Part::Head, LEARNED)).chain(groups)
}

/// Draws a slider for the weight of each part.
fn weights(ui: &mut Ui, rect: Rect, view: &View, actions: &mut Vec<Action>) {
    let (theme, (weights, has_head)) = (view.theme, view.weights);
    let inner = rect.shrink2(vec2(PADDING, 0.0));
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
            Part::Group(group) => (weights.groups[group as usize], format!("Extra weight of similarity in {name}")),
        };
        let slider = bar.with_max_y(bar.top() + 12.0);
        let (response, asked) = controls::slider(
            ui,
            slider,
            (&format!("Weight of {name}"), f64::from(value)),
            value,
            theme.likeness,
            theme,
        );
        if response.double_clicked() {
            actions.push(Action::Weigh(part, None));
        } else if let Some(asked) = asked {
            actions.push(Action::Weigh(part, Some((asked * 100.0).round() / 100.0)));
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
        ui.painter().rect_filled(ground.with_min_y(ground.bottom() - height), 0.0, theme.likeness);
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
    let inner = rect.shrink2(vec2(PADDING, 0.0));
    let thumbnail = if rect.width() < 400.0 { THUMBNAIL / 2.0 } else { THUMBNAIL };
    let (thumbnail, mut rest) = inner.split_left_right_at_x(inner.left() + thumbnail);
    rest.min.x += 12.0;
    let scored = view.session.place.query.is_some();
    // The name is worth more than a column, so one more column asks for a wider list.
    let width_left = rect.width() - if scored { 3.0 * GAP + 90.0 } else { 0.0 };
    let mut others = Vec::new();
    let mut why = None;
    for (column, name, least, width) in COLUMNS_SHOWN.into_iter().rev() {
        // In a query the folder tells sounds of the same name apart, and is worth more than measures.
        let least = match column {
            Column::Folder if scored => 300.0,
            Column::Loudness | Column::Length if scored => least + 130.0,
            _ => least,
        };
        if width_left < least || (column == Column::Match && !scored) {
            continue;
        }
        let (left, own) = rest.split_left_right_at_x(rest.right() - width);
        others.push((column, name, own));
        rest = left.with_max_x(left.right() - GAP);
        if column == Column::Match && rect.width() >= WHY {
            let (left, own) = rest.split_left_right_at_x(rest.right() - 7.0 * (BAR + 2.0) - 2.0);
            why = Some(own);
            rest = left.with_max_x(left.right() - GAP);
        }
    }
    others.reverse();
    Places { thumbnail, name: rest, why, others }
}

fn aligned(column: Column) -> Align2 {
    match column {
        Column::Name | Column::Folder | Column::Format => Align2::LEFT_CENTER,
        _ => Align2::RIGHT_CENTER,
    }
}

fn column_heads(ui: &Ui, places: &Places, view: &View, actions: &mut Vec<Action>) {
    let theme = view.theme;
    let sort = view.session.sort();
    let name = [(Column::Name, "Name", places.name)];
    for (column, text, rect) in name.into_iter().chain(places.others.iter().copied()) {
        let label = format!("Sort by {}", text.to_lowercase());
        let response = ui.interact(rect, ui.id().with(text), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &label));
        let sorted = sort.column == column;
        let colour = if sorted || response.hovered() { theme.text } else { theme.muted };
        if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
            actions.push(Action::Sort(column));
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

fn nothing(ui: &mut Ui, rect: Rect, view: &View) {
    let (text, then) = if !view.has_folders {
        ("No sounds yet.", "Drop a folder here, or press + above the sources.")
    } else if view.session.place.query.is_some() {
        ("No neighbours found.", "Sounds appear here as they are analysed.")
    } else if !view.session.place.filter.is_open() {
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
    if let Some((serial, jump)) = view.session.jump
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
    let output = area.show_rows(&mut child, ROW, view.shown.len(), |ui, range| {
        for place in range {
            let (line, response) = ui.allocate_exact_size(vec2(rect.width(), ROW), Sense::click());
            if let Some(row) = view.shown.row(place) {
                self::row(ui, line, place, row, places, view, &response);
                respond(ui, row, view, &response, actions);
            }
        }
    });
    let offset = output.state.offset.y;
    ui.data_mut(|data| data.insert_temp(seen.with("offset"), offset));
    if (offset - view.session.place.scroll).abs() > 0.5 {
        actions.push(Action::Scrolled(offset));
    }
}

fn respond(ui: &Ui, row: &Row, view: &View, response: &egui::Response, actions: &mut Vec<Action>) {
    if response.clicked() || response.secondary_clicked() {
        let how = ui.input(|input| match input.modifiers {
            m if m.command => Choose::Toggle,
            m if m.shift => Choose::Extend,
            _ => Choose::Only,
        });
        actions.push(Action::Select(row.entity, how));
    }
    let hovered = response.hovered() && ui.input(|input| input.pointer.delta() != egui::Vec2::ZERO);
    if hovered && row.known {
        actions.push(Action::Prepare(row.entity));
    }
    response.context_menu(|ui| {
        ui.set_min_width(180.0);
        let mut item = |text: &str, action: Action| {
            if ui.button(text).clicked() {
                actions.push(action);
                ui.close();
            }
        };
        item("Find sounds like this", Action::Neighbours);
        if view.session.place.query.is_some() {
            item("Less like this", Action::LessLike);
        }
        item("Find on map", Action::FindOnMap);
        item(if row.kept { "Stop keeping" } else { "Keep" }, Action::Keep);
        item("Copy files", Action::CopyFiles);
        item("Show in file manager", Action::RevealSelected);
    });
}

fn row(ui: &Ui, line: Rect, place: usize, row: &Row, places: &Places, view: &View, response: &egui::Response) {
    let theme = view.theme;
    let selected = view.session.place.selected == Some(row.entity);
    let marked = view.session.marked.contains(&row.entity);
    let label = accessible(row, view.shown.likeness(place));
    response.widget_info(|| WidgetInfo::selected(WidgetType::SelectableLabel, true, selected || marked, &label));
    if selected || marked {
        ui.painter().rect_filled(line, 0.0, theme.selected);
    } else if response.hovered() || view.session.pointed == Some(row.entity) {
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
    if let (Some(rect), Some(part_similarities)) = (places.why, view.shown.part_similarities(place)) {
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
            Column::Match => view.shown.likeness(place).map(|like| controls::signed(like, 3)).unwrap_or_default(),
            Column::Name => continue,
        };
        let colour = if *column == Column::Match { theme.likeness } else { muted };
        controls::line(ui, at(*rect), aligned(*column), &text, theme::regular(12.0), colour);
    }
}

fn accessible(row: &Row, likeness: Option<f32>) -> String {
    let state = match row.trouble() {
        "" => String::new(),
        trouble => format!(", {trouble}"),
    };
    let kept = if row.kept { ", kept" } else { "" };
    let like = likeness.map(|like| format!(", {like:.3}")).unwrap_or_default();
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
