//! The sheet of shortcuts, made from the bindings themselves.

use bevy_egui::egui::{Align2, Rect, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, WidgetType, pos2, vec2};

use super::action::{Action, Bindings, Go, shown};
use super::controls;
use super::theme::{self, HEADING, PADDING, Theme};

/// Height of a line in points, and of one where there is little room.
const LINE: f32 = 24.0;
const TIGHT: f32 = 14.0;
/// Width of a column of shortcuts in points, at least and at most.
const WIDTHS: [f32; 2] = [360.0, 420.0];
/// What the mouse does, which no binding names.
const MOUSE: [(&str, &str); 11] = [
    ("Click a dot", "Select and play it"),
    ("Shift+drag on the map", "Lasso: select everything inside"),
    ("Alt+move on the map", "Play sounds under the pointer"),
    ("Wheel, drag, double-click", "Zoom, pan, show the whole map"),
    ("Click the waveform", "Play from there"),
    ("Drag on the waveform", "Select a region; drag its edges to adjust"),
    ("Wheel, Shift+wheel", "Zoom or scroll the waveform"),
    ("Ctrl+click, Shift+click", "Select several in the list"),
    ("Drop a folder or a sound", "Add it, or find sounds like it"),
    ("Drag a column head", "Move the column; drag its edge to resize"),
    ("Right-click a head", "Choose columns"),
];

/// Draws the sheet over the whole of `ui`'s rectangle.
pub fn show(ui: &mut Ui, bindings: &Bindings, theme: &Theme, actions: &mut Vec<Action>) {
    let area = ui.max_rect();
    let response = ui.interact(area, ui.id().with("sheet"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Window, true, "Shortcuts"));
    ui.painter().rect_filled(area, 0.0, theme.ground);
    if response.clicked() {
        actions.push(Go::ToggleHelp.into());
    }
    let mut child = ui.new_child(UiBuilder::new().max_rect(area).id_salt("shortcuts"));
    child.set_clip_rect(area.intersect(ui.clip_rect()));
    ScrollArea::vertical()
        .auto_shrink(false)
        .id_salt("shortcuts")
        .show(&mut child, |ui| lines(ui, area, bindings, theme));
}

/// Lays the lines out in columns, which go on below `area` where they are too long for it.
fn lines(ui: &mut Ui, area: Rect, bindings: &Bindings, theme: &Theme) {
    let columns = ((area.width() - 2.0 * PADDING) / WIDTHS[0]).floor().clamp(1.0, 3.0);
    let width = ((area.width() - 2.0 * PADDING) / columns).min(WIDTHS[1]);
    let begin = ui.max_rect().top();
    let top = begin + 20.0;
    let left = area.left() + (area.width() - width * columns) / 2.0;
    let mut at = pos2(left, top);
    let mut lines: Vec<Option<(String, &str)>> = Vec::new();
    let mut groups: Vec<&str> = Vec::new();
    for binding in &bindings.0 {
        if groups.last() != Some(&binding.group) {
            groups.push(binding.group);
            lines.push(None);
        }
        let keys: Vec<String> = binding.keys.iter().map(|key| shown(*key)).collect();
        lines.push(Some((keys.join("  "), binding.what)));
    }
    lines.push(None);
    groups.push("Mouse");
    lines.extend(MOUSE.iter().map(|(keys, what)| Some(((*keys).to_owned(), *what))));
    let headings = groups.len() as f32 * (HEADING + 8.0);
    let keys = (lines.len() - groups.len()) as f32;
    // A little is lost at the foot of each column.
    let line_height = (0.9 * (columns * (area.height() - 40.0) - headings) / keys).clamp(TIGHT, LINE);
    let height = headings + keys * line_height;
    // A column ends a little early rather than with a heading.
    let bottom = (begin + area.height() - 8.0).max(top + height / columns + HEADING + line_height);
    let mut lowest = top;
    let mut groups = groups.into_iter();
    for (i, line) in lines.iter().enumerate() {
        // A heading never stands alone at the foot of a column.
        let needed = if line.is_none() { HEADING + line_height } else { line_height };
        let balanced = line.is_none() && at.y - top > 0.8 * height / columns;
        if (balanced || at.y + needed > bottom) && at.x + 2.0 * width <= area.right() + 1.0 {
            at = pos2(at.x + width, top);
        }
        let Some((keys, what)) = line else {
            let gap = if at.y > top && i > 0 { 8.0 } else { 0.0 };
            let rect = Rect::from_min_size(pos2(at.x, at.y + gap), vec2(width, HEADING));
            let group = groups.next().unwrap_or_default();
            controls::line(ui, rect, Align2::LEFT_CENTER, group, theme::strong(13.0), theme.text);
            at.y = rect.bottom();
            lowest = lowest.max(at.y);
            continue;
        };
        let rect = Rect::from_min_size(at, vec2(width - 16.0, line_height));
        let (key, text) =
            rect.split_left_right_at_x(rect.left() + if lines.len() - i <= MOUSE.len() { 168.0 } else { 96.0 });
        controls::line(ui, key, Align2::LEFT_CENTER, keys, theme::regular(12.0), theme.time);
        controls::line(ui, text, Align2::LEFT_CENTER, what, theme::regular(12.0), theme.muted);
        at.y += line_height;
        lowest = lowest.max(at.y);
    }
    ui.allocate_rect(Rect::from_min_max(pos2(left, begin), pos2(left + width, lowest + 8.0)), Sense::hover());
}
