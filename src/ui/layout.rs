//! How the sections tile the window, and the lines between them.
//!
//! This is the only place that knows where a border is: sections own none, so no two lines can meet side by side. All
//! edges lie on whole physical pixels.

use bevy_egui::egui::{self, CursorIcon, Rect, Sense, Ui, pos2};

use super::action::{Action, Prefer, Sizes};
use super::theme::{STATUS, Theme};

/// Half the width of the strip in which the pointer can grab a divider, in points.
const GRIP: f32 = 4.0;
/// Least sizes in points: sources, waveform, list, map (across and down).
const LEAST_SOURCES: f32 = 140.0;
const LEAST_WAVEFORM: f32 = 110.0;
const LEAST_LIST: f32 = 300.0;
const LEAST_MAP: f32 = 160.0;

/// Where each section lies, and the lines between them, in points.
#[derive(Clone, Debug, PartialEq)]
pub struct Sections {
    /// Sources and folders.
    pub sources: Rect,
    /// Waveform and transport.
    pub waveform: Rect,
    /// Search, query, and what the list is narrowed to.
    pub strip: Rect,
    /// The list; `None` while the map has its place.
    pub list: Option<Rect>,
    /// The map.
    pub map: Rect,
    /// What the map's colours mean, under it; `None` where it is not wanted or there is no room.
    pub legend: Option<Rect>,
    /// Progress and notices.
    pub status: Rect,
    /// One physical pixel each: over the status line, right of the sources, under the waveform, right of the list
    /// where there is one, under the strip, over the legend where there is one.
    pub borders: Vec<Rect>,
}

/// Tiles `window` with `pixel` points to a physical pixel: the strip is so many points high, and `legend` is the height that
/// a map of some width wants under it.
pub fn arrange(
    window: Rect,
    sizes: Sizes,
    list_shown: bool,
    strip: f32,
    legend: &dyn Fn(f32) -> f32,
    pixel: f32,
) -> Sections {
    let snap = |v: f32| (v / pixel).round() * pixel;
    let limit = |v: f32, least: f32, most: f32| snap(v.min(most).max(least));
    let (right, bottom) = (snap(window.right()), snap(window.bottom()));
    let list_least = if list_shown { LEAST_LIST } else { 0.0 };
    let over_status = snap(bottom - STATUS);
    let sources = limit(sizes.sources, LEAST_SOURCES, window.width() - list_least - LEAST_MAP);
    let waveform = limit(sizes.waveform, LEAST_WAVEFORM, window.height() - STATUS - strip - LEAST_MAP);
    let main = sources + pixel;
    let under = waveform + pixel;
    let strip = snap(under + strip);
    let body = strip + pixel;
    let list = limit(sizes.list * (right - main), LEAST_LIST, right - main - LEAST_MAP);
    let rect = |x0: f32, y0: f32, x1: f32, y1: f32| {
        let (x0, y0) = (x0.min(right), y0.min(bottom));
        Rect::from_min_max(pos2(x0, y0), pos2(x1.clamp(x0, right), y1.clamp(y0, bottom)))
    };
    let mut borders = vec![
        rect(0.0, over_status, right, over_status + pixel),
        rect(sources, 0.0, main, over_status),
        rect(main, waveform, right, under),
    ];
    let mut map_from = main;
    let list = list_shown.then(|| {
        map_from = main + list + pixel;
        borders.push(rect(main + list, body, map_from, over_status));
        rect(main, body, main + list, over_status)
    });
    borders.push(rect(main, strip, right, body));
    let height = snap(legend(right - map_from));
    let mut map_to = over_status;
    let legend = (height > 0.0 && over_status - body - height - pixel >= LEAST_MAP).then(|| {
        map_to = over_status - height - pixel;
        borders.push(rect(map_from, map_to, right, map_to + pixel));
        rect(map_from, map_to + pixel, right, over_status)
    });
    Sections {
        sources: rect(0.0, 0.0, sources, over_status),
        waveform: rect(main, 0.0, right, waveform),
        strip: rect(main, under, right, strip),
        list,
        map: rect(map_from, body, right, map_to),
        legend,
        status: rect(0.0, over_status + pixel, right, bottom),
        borders,
    }
}

/// Paints the borders and lets them be dragged; goes after the sections, so that nothing covers a line.
pub fn borders(ui: &mut Ui, sections: &Sections, sizes: Sizes, theme: &Theme, actions: &mut Vec<Action>) {
    let dividers: [(usize, &str, CursorIcon); 3] = [
        (1, "Divider right of the sources", CursorIcon::ResizeHorizontal),
        (2, "Divider under the waveform", CursorIcon::ResizeVertical),
        (3, "Divider between list and map", CursorIcon::ResizeHorizontal),
    ];
    for (border, label, cursor) in dividers {
        let there = border < 3 || sections.list.is_some();
        let Some(line) = sections.borders.get(border).filter(|_| there) else { continue };
        let grip = line.expand(GRIP).intersect(ui.max_rect());
        let response = ui.interact(grip, ui.id().with(label), Sense::DRAG).on_hover_and_drag_cursor(cursor);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::Other, true, label));
        // The last move of a quick drag arrives in the frame that ends it.
        let held = response.dragged() || response.drag_stopped();
        let Some(at) = response.interact_pointer_pos().filter(|_| held) else { continue };
        let mut dragged = sizes;
        match border {
            1 => dragged.sources = at.x.max(LEAST_SOURCES),
            2 => dragged.waveform = at.y.max(LEAST_WAVEFORM),
            _ => {
                let (from, to) = (sections.waveform.left(), sections.waveform.right());
                dragged.list = (at.x - from).max(LEAST_LIST) / (to - from).max(1.0);
            }
        }
        actions.push(Prefer::Resize(dragged).into());
    }
    for line in &sections.borders {
        ui.painter().rect_filled(*line, 0.0, theme.border);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_borders_tile_the_window_without_gap_or_overlap() {
        for (width, height, scale) in
            [(1440.0, 900.0, 1.0), (700.0, 420.0, 1.0), (1281.0, 777.0, 1.5), (640.0, 400.0, 2.0)]
        {
            for (list_shown, legend) in [(true, 0.0), (true, 41.3), (false, 0.0), (false, 60.0), (true, 5000.0)] {
                for sizes in [Sizes::default(), Sizes { sources: 900.0, waveform: 5.0, list: 5.0 }] {
                    let window = Rect::from_min_size(pos2(0.0, 0.0), egui::vec2(width, height));
                    let pixel = 1.0 / scale;
                    let s = arrange(window, sizes, list_shown, 30.0, &|_| legend, pixel);
                    assert_eq!(s.legend.is_some(), s.borders.len() == 5 + usize::from(list_shown));
                    let parts =
                        [s.sources, s.waveform, s.strip, s.map, s.status].into_iter().chain(s.list).chain(s.legend);
                    let parts = parts.chain(s.borders.clone());
                    let area: f32 = parts.clone().map(|r| r.width().max(0.0) * r.height().max(0.0)).sum();
                    let all = (width / pixel).round() * pixel * (height / pixel).round() * pixel;
                    assert!((area - all).abs() < 2.0, "{area} of {all} at {scale} with {sizes:?}");
                    let parts: Vec<Rect> = parts.collect();
                    for (i, a) in parts.iter().enumerate() {
                        assert!(a.width() >= 0.0 && a.height() >= 0.0);
                        for b in &parts[..i] {
                            let both = a.intersect(*b);
                            let overlap = both.width().max(0.0) * both.height().max(0.0);
                            assert!(overlap < 0.01, "{a:?} and {b:?}");
                        }
                    }
                    for line in &s.borders {
                        assert!((line.width().min(line.height()) - pixel).abs() < 1e-3);
                    }
                }
            }
        }
    }
}
