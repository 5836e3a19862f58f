//! The waveform as a tool: its scale, its overview, and edges that make no clicks.

use bevy_egui::egui::{self, Key, Modifiers, Rect, Shape, vec2};
use egui_kittest::kittest::{NodeT, Queryable};

use crate::panels::Panels;
use crate::support::write_wav;

/// A library of one sound, which is selected.
fn open(mono: &[f32]) -> Panels {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("sounds");
    std::fs::create_dir(&folder).unwrap();
    write_wav(&folder.join("a.wav"), 48_000, 1, mono);
    let mut panels = Panels::over(root, &folder.canonicalize().unwrap());
    panels.click_row("a.wav");
    panels.until("its waveform", |panels| panels.harness.query_by_label_contains("Not read").is_none());
    panels
}

/// So many frames that change sides every five milliseconds.
fn square(frames: u16, level: f32) -> Vec<f32> {
    (0..frames).map(|n| if n / 240 % 2 == 0 { level } else { -level }).collect()
}

fn wave(panels: &Panels) -> Rect {
    panels.harness.get_by_label("Waveform").rect()
}

/// All that is written within a rectangle.
fn written(panels: &Panels, within: Rect) -> Vec<String> {
    let shapes = panels.harness.output().shapes.iter();
    let texts = shapes.filter_map(|shape| match &shape.shape {
        Shape::Text(text) if within.contains(text.pos) => Some(text.galley.text().to_owned()),
        _ => None,
    });
    texts.collect()
}

/// The times of the region that is shown, in milliseconds: start, end and length.
fn region(panels: &Panels) -> Vec<f64> {
    let texts = written(panels, wave(panels));
    let text = texts.iter().find(|text| text.contains(" – ")).unwrap();
    text.split_whitespace().filter_map(|word| word.parse::<f64>().ok()).map(|seconds| seconds * 1000.0).collect()
}

/// Lowest and highest point of what is drawn of the sound, as shares of the height.
fn drawn(panels: &Panels) -> f32 {
    let rect = wave(panels);
    let shapes = panels.harness.output().shapes.iter();
    let meshes = shapes.filter(|shape| shape.clip_rect == rect).filter_map(|shape| match &shape.shape {
        Shape::Mesh(mesh) => Some(mesh.vertices.clone()),
        _ => None,
    });
    let heights = meshes.flatten().map(|vertex| vertex.pos.y);
    let (low, high) = heights.fold((f32::MAX, f32::MIN), |(low, high), y| (low.min(y), high.max(y)));
    (high - low) / rect.height()
}

#[test]
fn a_region_goes_to_zero_crossings_unless_alt_is_held_or_that_is_switched_off() {
    let mut panels = open(&square(48_000, 0.5));
    let off = |milliseconds: &f64| (milliseconds / 5.0 - (milliseconds / 5.0).round()).abs() * 5.0;
    panels.draw_region(0.2137, 0.7291);
    panels.settle();
    let snapped = region(&panels);
    assert!(snapped.iter().all(|edge| off(edge) < 0.01), "{snapped:?}");
    assert!((snapped[0] - 213.7).abs() < 6.0 && (snapped[1] - 729.1).abs() < 6.0, "{snapped:?}");
    assert!((snapped[1] - snapped[0] - snapped[2]).abs() < 0.01);
    let free = |panels: &mut Panels| {
        panels.press(Key::Escape);
        panels.until("the sound has ended", |panels| panels.playing().is_none());
        panels.press(Key::Escape);
        panels.draw_region(0.2137, 0.7291);
        panels.settle();
        let free = region(panels);
        assert!((free[0] - 213.7).abs() < 2.0 && free.iter().any(|edge| off(edge) > 0.3), "{free:?}");
    };
    panels.harness.event(egui::Event::ModifiersChanged(Modifiers::ALT));
    free(&mut panels);
    panels.harness.event(egui::Event::ModifiersChanged(Modifiers::NONE));
    panels.click("Snap to zero crossings");
    free(&mut panels);
    let settings = panels.root.path().join("settings.toml");
    panels.until("it is in the settings", |_| {
        std::fs::read_to_string(&settings).is_ok_and(|text| text.contains("snap = false"))
    });
}

#[test]
fn a_quiet_sound_fills_the_height_and_its_true_scale_is_one_click_away() {
    let mut panels = open(&square(24_000, 0.01));
    assert!(drawn(&panels) > 0.8, "{}", drawn(&panels));
    let button = panels.harness.get_by_label("Fill the height").rect();
    assert_eq!(written(&panels, button), ["+40 dB"]);
    // The levels beside it are those of the sound.
    let beside = Rect::from_min_max(wave(&panels).right_top(), button.right_top());
    assert_eq!(written(&panels, beside), ["\u{2212}40", "\u{2212}46"]);
    panels.click("Fill the height");
    assert!(drawn(&panels) < 0.05, "{}", drawn(&panels));
    assert_eq!(written(&panels, button), ["0 dB"]);
    assert_eq!(written(&panels, beside), ["0", "\u{2212}6"]);
    let settings = panels.root.path().join("settings.toml");
    panels.until("it is in the settings", |_| {
        std::fs::read_to_string(&settings).is_ok_and(|text| text.contains("auto_gain = false"))
    });
}

#[test]
fn a_part_of_the_sound_is_moved_along_the_whole_of_it() {
    let mut panels = open(&square(48_000, 0.5));
    assert!(panels.harness.query_by_label("Overview").is_none(), "all of it is shown");
    panels.harness.hover_at(wave(&panels).center());
    panels.settle();
    for _ in 0..4 {
        let (unit, phase) = (egui::MouseWheelUnit::Point, egui::TouchPhase::Move);
        panels.harness.event(egui::Event::MouseWheel {
            unit,
            delta: vec2(0.0, 120.0),
            phase,
            modifiers: Modifiers::NONE,
        });
        panels.harness.run_steps(30);
    }
    let overview = panels.harness.get_by_label("Overview").rect();
    let start = |panels: &Panels| panels.harness.get_by_label("Overview").accesskit_node().numeric_value().unwrap();
    let before = start(&panels);
    assert!(before > 0.3 && before < 0.5, "{before}");
    let over = Rect::from_min_max(overview.right_top(), overview.right_bottom() + vec2(60.0, 0.0));
    assert!(written(&panels, over)[0].starts_with('\u{d7}'), "{:?}", written(&panels, over));
    // By a fifth of the whole, held by its middle.
    panels.pointer(overview.center(), true);
    panels.harness.hover_at(overview.center() + vec2(overview.width() * 0.1, 0.0));
    panels.harness.step();
    panels.pointer(overview.center() + vec2(overview.width() * 0.2, 0.0), false);
    panels.settle();
    assert!((start(&panels) - before - 0.2).abs() < 0.01, "{before} {}", start(&panels));
    // A click elsewhere goes there, at most to the end.
    panels.pointer(overview.right_center() - vec2(2.0, 0.0), true);
    panels.pointer(overview.right_center() - vec2(2.0, 0.0), false);
    panels.settle();
    assert!(start(&panels) > 0.75, "{}", start(&panels));
    panels.click("Show the whole sound");
    assert!(panels.harness.query_by_label("Overview").is_none());
}
