//! What the panels look like, as text: every shape with its place in whole points, its colour and its words.
//!
//! Pictures would need a graphics adapter and differ with its driver; shapes are what egui hands to any of them, and a
//! difference can be read. `UPDATE_SNAPSHOTS=1 cargo test snapshots` writes `tests/snapshots` anew.

use std::fmt::Write;
use std::path::Path;

use bevy_egui::egui::epaint::{ClippedShape, ColorMode, Shape};
use bevy_egui::egui::{Color32, Key, PointerButton, Pos2, Rect};
use egui_kittest::kittest::Queryable;
use soundkin::analyse::waveform::Waveform;

use crate::panels::Panels;
use crate::support::folder_of_sounds;

/// More shapes than this of one kind and colour in a row are one line: the columns of a waveform, the cells of a bar.
const RUN: usize = 4;

#[test]
fn the_dark_window_looks_as_it_did() {
    look_at_everything("dark");
}

#[test]
fn the_light_window_looks_as_it_did() {
    look_at_everything("light");
}

fn look_at_everything(theme: &str) {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 5);
    std::fs::create_dir(folder.join("more")).unwrap();
    std::fs::rename(folder.join("sound 003.wav"), folder.join("more/sound 003.wav")).unwrap();
    let settings = format!("[window]\ntheme = \"{theme}\"\nautoplay = false\ncolour_by = \"folder\"\n");
    std::fs::write(root.path().join("settings.toml"), settings).unwrap();
    let mut panels = Panels::over(root, &folder);
    let mut seen = Seen { theme, wrong: Vec::new() };

    let right_of = |panels: &Panels, label: &str| panels.harness.get_by_label(label).rect().center().x;
    let edge = right_of(&panels, "Divider right of the sources");
    let middle = right_of(&panels, "Divider between list and map");
    let below = panels.harness.get_by_label("Divider under the waveform").rect().center().y;
    let part = |x: [f32; 2], y: [f32; 2]| Rect::from_x_y_ranges(x[0]..=x[1], y[0]..=y[1]);
    let floor = 800.0 - 27.0;
    let (waveform, list) = (part([edge, 1200.0], [0.0, below]), part([edge, middle], [below, floor]));

    let shapes = panels.shapes();
    seen.compare("sources", &within(&shapes, part([0.0, edge], [0.0, floor])));
    seen.compare("status", &within(&shapes, part([0.0, 1200.0], [floor, 800.0])));
    // Dots and the words among them lie where the network puts them, which differs between processors in the last digit.
    let groups = panels.harness.query_all_by_label_contains("Group ");
    let legend = groups.map(|entry| entry.rect()).reduce(Rect::union).unwrap().expand(5.0);
    seen.compare("legend", &within(&shapes, legend));

    panels.click_row("sound 002.wav");
    let sample = panels.sample("sound 002.wav");
    panels.until("its waveform is there", |panels| {
        panels.harness.state().world().get::<Waveform>(sample).is_some() && panels.is_still()
    });
    let shapes = panels.shapes();
    seen.compare("waveform", &within(&shapes, waveform));
    seen.compare("list", &within(&shapes, list));

    panels.click("Recording options");
    let mut record = over(&panels.shapes());
    // Which inputs there are is the machine's affair, and so is the size of their frame.
    record.retain(|shape| matches!(shape.shape, Shape::Text(_)));
    let inputs = record.iter().position(|shape| text_of(&shape.shape) == Some("Default input")).unwrap();
    record.truncate(inputs + 1);
    seen.compare("record", &record);
    panels.press(Key::Escape);

    let row = panels.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("sound 001.wav")));
    let at = row.rect().center();
    panels.right_click(at);
    seen.compare("context menu", &over(&panels.shapes()));
    panels.press(Key::Escape);

    panels.harness.hover_at(Pos2::new(600.0, 790.0));
    panels.press(Key::Questionmark);
    seen.compare("help", &over(&panels.shapes()));
    assert!(seen.wrong.is_empty(), "{}", seen.wrong.join("\n"));
}

impl Panels {
    /// What the last frame drew, from the bottom up.
    fn shapes(&mut self) -> Vec<ClippedShape> {
        self.settle();
        self.harness.output().shapes.clone()
    }

    /// Whether another frame draws the same.
    fn is_still(&mut self) -> bool {
        let before = self.harness.output().shapes.clone();
        self.settle();
        before == self.harness.output().shapes
    }

    fn right_click(&mut self, at: Pos2) {
        self.harness.hover_at(at);
        for pressed in [true, false] {
            let modifiers = bevy_egui::egui::Modifiers::NONE;
            let button = PointerButton::Secondary;
            self.harness.event(bevy_egui::egui::Event::PointerButton { pos: at, button, pressed, modifiers });
            self.harness.step();
        }
        self.settle();
    }
}

/// Compares what is seen with what was, or writes it down.
struct Seen<'a> {
    theme: &'a str,
    wrong: Vec<String>,
}

impl Seen<'_> {
    fn compare(&mut self, panel: &str, shapes: &[ClippedShape]) {
        let text = describe(shapes);
        let name = format!("{}-{}.txt", panel.replace(' ', "-"), self.theme);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(&name);
        assert!(text.lines().count() > 2, "{name} shows nothing");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(path, text).unwrap();
            return;
        }
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        if text != before {
            let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), text.lines().collect());
            let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
            let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
            self.wrong.push(format!("{name}:\n{}", gone.chain(come).take(40).collect::<Vec<_>>().join("\n")));
        }
    }
}

/// The shapes of a section: they are clipped to it, or to a part of it.
fn within(shapes: &[ClippedShape], rect: Rect) -> Vec<ClippedShape> {
    let inside = |shape: &&ClippedShape| {
        let seen = shape.shape.visual_bounding_rect().intersect(shape.clip_rect);
        rect.contains(seen.center()) && rect.expand(1.0).contains_rect(seen) && seen.is_positive()
    };
    shapes.iter().filter(inside).cloned().collect()
}

/// The shapes over the sections: what is drawn after the last of them, the status line.
fn over(shapes: &[ClippedShape]) -> Vec<ClippedShape> {
    let status = shapes.iter().rposition(|shape| shape.clip_rect.top() > 770.0 && shape.clip_rect.height() < 30.0);
    shapes[status.map_or(0, |last| last + 1)..].to_vec()
}

pub fn text_of(shape: &Shape) -> Option<&str> {
    if let Shape::Text(text) = shape { Some(text.galley.text()) } else { None }
}

fn describe(shapes: &[ClippedShape]) -> String {
    let mut lines: Vec<(String, Rect)> = Vec::new();
    for shape in shapes {
        add(&shape.shape, &mut lines);
    }
    // Of a long run only the whole is told.
    let mut text = String::new();
    let mut rest = lines.as_slice();
    while let Some((style, bounds)) = rest.first() {
        let run = rest.iter().take_while(|(other, _)| other == style).count();
        let taken = if run > RUN { run } else { 1 };
        let around = rest[..taken].iter().fold(*bounds, |all, (_, bounds)| all.union(*bounds));
        let times = if taken > 1 { format!(" ×{taken}") } else { String::new() };
        let [x, y, w, h] = [around.left(), around.top(), around.width(), around.height()].map(|v| v.round() as i32);
        writeln!(text, "{x:>5} {y:>4} {w:>5} {h:>4}  {style}{times}").unwrap();
        rest = &rest[taken..];
    }
    text
}

/// Adds the look and the bounds of a shape, unless nobody can see it.
fn add(shape: &Shape, lines: &mut Vec<(String, Rect)>) {
    let bounds = shape.visual_bounding_rect();
    let hex = |colour: Color32| colour.to_array().iter().fold("#".to_owned(), |text, v| format!("{text}{v:02x}"));
    let edge = |width: f32, colour: Color32| {
        let seen = width > 0.0 && colour != Color32::TRANSPARENT;
        if seen { format!(" edge {width} {}", hex(colour)) } else { String::new() }
    };
    let inside = |colour: Color32| match colour {
        Color32::TRANSPARENT => String::new(),
        colour => format!(" {}", hex(colour)),
    };
    let style = match shape {
        Shape::Noop | Shape::Callback(_) => return,
        Shape::Vec(shapes) => return shapes.iter().for_each(|shape| add(shape, lines)),
        Shape::Circle(c) => format!("circle{}{}", inside(c.fill), edge(c.stroke.width, c.stroke.color)),
        Shape::Ellipse(e) => format!("ellipse{}{}", inside(e.fill), edge(e.stroke.width, e.stroke.color)),
        Shape::LineSegment { stroke, .. } => format!("line{}", edge(stroke.width, stroke.color)),
        Shape::Rect(r) => format!("rect{}{}", inside(r.fill), edge(r.stroke.width, r.stroke.color)),
        Shape::Path(p) => {
            let colour = if let ColorMode::Solid(colour) = p.stroke.color { colour } else { Color32::TRANSPARENT };
            format!("path of {}{}{}", p.points.len(), inside(p.fill), edge(p.stroke.width, colour))
        }
        Shape::Mesh(mesh) => {
            let colours: std::collections::BTreeSet<String> = mesh.vertices.iter().map(|v| hex(v.color)).collect();
            let colours: Vec<String> = colours.into_iter().take(4).collect();
            format!("mesh of {} {}", mesh.vertices.len(), colours.join(" "))
        }
        Shape::Text(text) => {
            let format = text.galley.job.sections.first().map(|section| section.format.clone()).unwrap_or_default();
            let own = if format.color == Color32::PLACEHOLDER { text.fallback_color } else { format.color };
            let colour = text.override_text_color.unwrap_or(own);
            format!("{:?} {} {}", text.galley.text(), format.font_id.size, hex(colour))
        }
        Shape::QuadraticBezier(_) | Shape::CubicBezier(_) => "curve".to_owned(),
    };
    let seen = style.contains('#') || style == "curve";
    if seen && bounds.is_finite() {
        lines.push((style, bounds));
    }
}
