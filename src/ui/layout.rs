//! How the sections tile the window, and the lines between them.
//!
//! This is the only place that knows where a border is: sections own none, so no two lines can meet side by side. All
//! edges lie on whole physical pixels.

use bevy_egui::egui::{self, CursorIcon, Rect, Sense, Ui, pos2};

use super::action::{Action, Prefer, Sizes};
use super::theme::{STATUS, Theme};

/// Half the width of the strip in which the pointer can grab a divider, in points.
const GRIP: f32 = 4.0;
/// Least sizes in points: sources, waveform, list, results beside a large map, map (across and down).
const LEAST_SOURCES: f32 = 140.0;
const LEAST_WAVEFORM: f32 = 110.0;
const LEAST_LIST: f32 = 300.0;
const LEAST_RESULTS: f32 = 250.0;
const LEAST_MAP: f32 = 160.0;

/// What the window is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sources, waveform, list and map side by side.
    Sides,
    /// The map, with the waveform under it, and what is found at its side or not.
    LargeMap {
        /// Whether it is.
        results: bool,
    },
}

/// Where each section lies, and the lines between them, in points.
#[derive(Clone, Debug, PartialEq)]
pub struct Sections {
    /// Sources and folders; `None` beside a large map.
    pub sources: Option<Rect>,
    /// Waveform and transport.
    pub waveform: Rect,
    /// Search, query, and what the list is narrowed to.
    pub strip: Rect,
    /// The list; `None` where a large map has its place.
    pub list: Option<Rect>,
    /// The map.
    pub map: Rect,
    /// What the map's colours mean, under it; `None` where it is not wanted or there is no room.
    pub legend: Option<Rect>,
    /// Progress and notices.
    pub status: Rect,
    /// One physical pixel each, the one over the status line first.
    pub borders: Vec<Rect>,
    /// Those of them that can be dragged.
    pub dividers: Vec<(Divider, Rect)>,
}

/// A border that can be dragged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divider {
    /// Right of the sources.
    Sources,
    /// Under the waveform.
    Waveform,
    /// Between list and map.
    List,
    /// Between the results and a large map.
    Results,
    /// Over the waveform under a large map.
    LowWaveform,
}

/// Tiles `window` with `pixel` points to a physical pixel: the strip is so many points high, and `legend` is the height that
/// a map of some width wants under it.
pub fn arrange(
    window: Rect,
    sizes: Sizes,
    mode: Mode,
    strip: f32,
    legend: &dyn Fn(f32) -> f32,
    pixel: f32,
) -> Sections {
    let snap = |v: f32| (v / pixel).round() * pixel;
    let limit = |v: f32, least: f32, most: f32| snap(v.min(most).max(least));
    let (right, bottom) = (snap(window.right()), snap(window.bottom()));
    let rect = |x0: f32, y0: f32, x1: f32, y1: f32| {
        let (x0, y0) = (x0.min(right), y0.min(bottom));
        Rect::from_min_max(pos2(x0, y0), pos2(x1.clamp(x0, right), y1.clamp(y0, bottom)))
    };
    let over_status = snap(bottom - STATUS);
    let mut borders = vec![rect(0.0, over_status, right, over_status + pixel)];
    let mut dividers = Vec::new();
    let high = window.height() - STATUS - strip - LEAST_MAP;
    // From where on, and down to where, strip, list and map lie.
    let (sources, waveform, [main, top, foot]);
    match mode {
        Mode::Sides => {
            let width = limit(sizes.sources, LEAST_SOURCES, window.width() - LEAST_LIST - LEAST_MAP);
            let height = limit(sizes.waveform, LEAST_WAVEFORM, high);
            [main, top, foot] = [width + pixel, height + pixel, over_status];
            sources = Some(rect(0.0, 0.0, width, over_status));
            waveform = rect(main, 0.0, right, height);
            dividers.push((Divider::Sources, rect(width, 0.0, main, over_status)));
            dividers.push((Divider::Waveform, rect(main, height, right, top)));
        }
        Mode::LargeMap { .. } => {
            let height = limit(sizes.low_waveform, LEAST_WAVEFORM, high);
            [main, top, foot] = [0.0, 0.0, over_status - height - pixel];
            sources = None;
            waveform = rect(0.0, foot + pixel, right, over_status);
            dividers.push((Divider::LowWaveform, rect(0.0, foot, right, foot + pixel)));
        }
    }
    let strip = snap(top + strip);
    let body = strip + pixel;
    let beside = match mode {
        Mode::Sides => {
            let width = limit(sizes.list * (right - main), LEAST_LIST, right - main - LEAST_MAP);
            Some((Divider::List, main + width))
        }
        Mode::LargeMap { results: true } => {
            Some((Divider::Results, limit(sizes.results, LEAST_RESULTS, right - LEAST_MAP)))
        }
        Mode::LargeMap { results: false } => None,
    };
    let map_from = beside.map_or(main, |(_, edge)| edge + pixel);
    dividers.extend(beside.map(|(divider, edge)| (divider, rect(edge, body, map_from, foot))));
    borders.extend(dividers.iter().map(|(_, line)| *line));
    borders.push(rect(main, strip, right, body));
    let height = snap(legend(right - map_from));
    let mut map_to = foot;
    let legend = (height > 0.0 && foot - body - height - pixel >= LEAST_MAP).then(|| {
        map_to = foot - height - pixel;
        borders.push(rect(map_from, map_to, right, map_to + pixel));
        rect(map_from, map_to + pixel, right, foot)
    });
    Sections {
        sources,
        waveform,
        strip: rect(main, top, right, strip),
        list: beside.map(|(_, edge)| rect(main, body, edge, foot)),
        map: rect(map_from, body, right, map_to),
        legend,
        status: rect(0.0, over_status + pixel, right, bottom),
        borders,
        dividers,
    }
}

/// Paints the borders and lets them be dragged; goes after the sections, so that nothing covers a line.
pub fn borders(ui: &mut Ui, sections: &Sections, sizes: Sizes, theme: &Theme, actions: &mut Vec<Action>) {
    let [across, down] = [CursorIcon::ResizeHorizontal, CursorIcon::ResizeVertical];
    for (divider, line) in &sections.dividers {
        let (label, cursor) = match divider {
            Divider::Sources => ("Divider right of the sources", across),
            Divider::Waveform => ("Divider under the waveform", down),
            Divider::List => ("Divider between list and map", across),
            Divider::Results => ("Divider between results and map", across),
            Divider::LowWaveform => ("Divider over the waveform", down),
        };
        let grip = line.expand(GRIP).intersect(ui.max_rect());
        let response = ui.interact(grip, ui.id().with(label), Sense::DRAG).on_hover_and_drag_cursor(cursor);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::Other, true, label));
        // The last move of a quick drag arrives in the frame that ends it.
        let held = response.dragged() || response.drag_stopped();
        let Some(at) = response.interact_pointer_pos().filter(|_| held) else { continue };
        let mut dragged = sizes;
        match divider {
            Divider::Sources => dragged.sources = at.x.max(LEAST_SOURCES),
            Divider::Waveform => dragged.waveform = at.y.max(LEAST_WAVEFORM),
            Divider::List => {
                let (from, to) = (sections.waveform.left(), sections.waveform.right());
                dragged.list = (at.x - from).max(LEAST_LIST) / (to - from).max(1.0);
            }
            Divider::Results => dragged.results = at.x.max(LEAST_RESULTS),
            Divider::LowWaveform => dragged.low_waveform = (sections.waveform.bottom() - at.y).max(LEAST_WAVEFORM),
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
            let large = |results| Mode::LargeMap { results };
            let modes = [
                (Mode::Sides, 0.0),
                (Mode::Sides, 41.3),
                (large(false), 0.0),
                (large(true), 60.0),
                (large(false), 41.3),
                (Mode::Sides, 5000.0),
            ];
            for (mode, legend) in modes {
                let odd = Sizes { sources: 900.0, waveform: 5.0, list: 5.0, results: 2000.0, low_waveform: 900.0 };
                for sizes in [Sizes::default(), odd] {
                    let window = Rect::from_min_size(pos2(0.0, 0.0), egui::vec2(width, height));
                    let pixel = 1.0 / scale;
                    let s = arrange(window, sizes, mode, 30.0, &|_| legend, pixel);
                    assert_eq!(s.borders.len(), 2 + s.dividers.len() + usize::from(s.legend.is_some()));
                    let some = s.sources.into_iter().chain(s.list).chain(s.legend);
                    let parts = [s.waveform, s.strip, s.map, s.status].into_iter().chain(some);
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
