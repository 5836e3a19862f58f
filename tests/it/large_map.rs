//! The large map, and the menus over map, waveform, rows and folders.

use bevy_egui::egui::accesskit::{Role, Toggled};
use bevy_egui::egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use soundkin::library::Sample;
use soundkin::map::{GroupKey, Map, MapLook};
use soundkin::watch::RemoveFolder;

use crate::panels::Panels;
use crate::snapshots::text_of;
use crate::support::{folder_of_sounds, write_sound};

impl Panels {
    fn rect(&self, label: &str) -> Rect {
        self.harness.get_by_label(label).rect()
    }

    fn is_there(&self, label: &str) -> bool {
        self.harness.query_by_label(label).is_some()
    }

    fn large(n: u32) -> Self {
        let mut panels = Self::open(n);
        panels.press(Key::M);
        panels
    }

    fn open_menu(&mut self, at: Pos2) -> Vec<String> {
        self.harness.hover_at(at);
        for pressed in [true, false] {
            let button = PointerButton::Secondary;
            self.harness.event(Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE });
            self.harness.step();
        }
        self.settle();
        self.entries()
    }

    /// What the open menu says: texts of the layers over the panels, from the top.
    fn entries(&self) -> Vec<String> {
        let shapes = &self.harness.output().shapes;
        let status = shapes.iter().rposition(|shape| shape.clip_rect.top() > 770.0 && shape.clip_rect.height() < 30.0);
        let over = shapes[status.map_or(0, |last| last + 1)..].iter();
        over.filter_map(|shape| text_of(&shape.shape).map(str::to_owned)).collect()
    }

    fn empty_ground(&self) -> Pos2 {
        let ground = self.rect("Similarity map");
        let map = self.harness.state().world().resource::<Map>();
        let mut places =
            (0..400).map(|i| ground.min + vec2((i % 20) as f32 + 0.5, (i / 20) as f32 + 0.5) * ground.size() / 20.0);
        places.find(|at| map.pick((*at).into(), 20.0).is_none()).unwrap()
    }

    fn dot(&mut self, name: &str) -> Pos2 {
        let sample = self.sample(name);
        self.harness.state().world().resource::<Map>().on_screen(sample).unwrap().into()
    }
}

#[test]
fn a_large_map_is_the_whole_window_with_results_beside_and_the_waveform_below() {
    let mut panels = Panels::large(30);
    assert!(!panels.is_there("All sounds"), "the sources are gone");
    let [map, wave, search] =
        [panels.rect("Similarity map"), panels.rect("Volume"), panels.harness.get_by_role(Role::TextInput).rect()];
    assert!(search.bottom() < map.top() && map.bottom() < wave.top() && map.right() >= 1199.0, "{map:?} {wave:?}");
    assert!(map.width() > 850.0, "{map:?}");
    assert!(panels.rows().len() > 10);
    let row = panels.harness.get_by_label("sound 001.wav").rect();
    assert!(row.right() < map.left() && row.left() < 1.0, "{row:?}");
    // Its edge can be dragged, and it can be put away, which gives the map all of the width.
    panels.click("Results");
    assert_eq!(panels.rows(), [""; 0]);
    assert!(panels.rect("Similarity map").left() < 1.0);
    let settings = panels.root.path().join("settings.toml");
    panels.until("both are in the settings", |_| {
        let text = std::fs::read_to_string(&settings).unwrap_or_default();
        text.contains("large_map = true") && text.contains("results = false")
    });
    panels.press(Key::M);
    assert!(panels.is_there("All sounds") && panels.rows().len() > 10);
}

#[test]
fn neighbours_show_the_results_and_the_keys_go_on_working_on_them() {
    let mut panels = Panels::large(30);
    panels.click_row("sound 004.wav");
    panels.click("Results");
    panels.press(Key::N);
    panels.until("neighbours with their likeness", |panels| panels.rows().first().is_some_and(|r| r.contains(", 0.")));
    assert!(panels.is_there("Weight of learned"), "they can be weighed");
    let first = panels.rows()[0].split(',').next().unwrap().to_owned();
    panels.press(Key::ArrowDown);
    assert_eq!(panels.selected(), Some(first));
    panels.press(Key::Enter);
    assert!(panels.rows()[0].contains(", kept"), "{:?}", panels.rows());
    // Escape ends the query first, and then leaves.
    for _ in 0..6 {
        panels.press(Key::Escape);
        panels.until("it is quiet", |panels| {
            panels.harness.state().world().resource::<soundkin::audio::Playback>().sample.is_none()
        });
    }
    assert!(panels.is_there("All sounds"));
}

#[test]
fn arrows_walk_a_large_map_that_was_clicked_and_the_list_otherwise() {
    let mut panels = Panels::large(30);
    panels.click_row("sound 004.wav");
    panels.press(Key::ArrowDown);
    assert_eq!(panels.selected().as_deref(), Some("sound 005.wav"));
    let at = panels.dot("sound 010.wav");
    panels.harness.hover_at(at);
    for pressed in [true, false] {
        let button = PointerButton::Primary;
        panels.harness.event(Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE });
        panels.harness.step();
    }
    panels.settle();
    let clicked = panels.sample("sound 010.wav");
    let ways = [(Key::ArrowLeft, [-1.0, 0.0]), (Key::ArrowUp, [0.0, 1.0]), (Key::ArrowRight, [1.0, 0.0])];
    let map = panels.harness.state().world().resource::<Map>();
    let (key, next) = ways.into_iter().find_map(|(key, way)| Some((key, map.towards(clicked, way)?))).unwrap();
    panels.press(key);
    let world = panels.harness.state().world();
    let name = world.get::<Sample>(next).unwrap().path.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(panels.selected(), Some(name));
    // What is found has the keys.
    panels.press(Key::N);
    panels.until("neighbours", |panels| panels.rows().first().is_some_and(|row| row.contains(", 0.")));
    panels.press(Key::ArrowDown);
    assert_eq!(panels.selected().as_deref(), panels.rows()[0].split(',').next());
}

#[test]
fn a_dot_has_the_menu_of_its_row_and_the_ground_one_of_its_own() {
    let mut panels = Panels::open(12);
    let row = panels.harness.get_by_label("sound 003.wav").rect().center();
    let of_row = panels.open_menu(row);
    assert!(
        of_row.contains(&"Find sounds like this".to_owned()) && of_row.contains(&"Ctrl+C".to_owned()),
        "{of_row:?}"
    );
    panels.press(Key::Escape);
    let at = panels.dot("sound 005.wav");
    assert_eq!(panels.open_menu(at), of_row);
    assert_eq!(panels.selected().as_deref(), Some("sound 005.wav"));
    panels.click("Keep");
    assert!(panels.rows().contains(&"sound 005.wav, kept".to_owned()), "{:?}", panels.rows());
    let at = panels.empty_ground();
    let of_ground = panels.open_menu(at);
    for text in ["Show the whole map", "F", "Cloud", "Grid", "Colour by length", "Shift+drag"] {
        assert!(of_ground.contains(&text.to_owned()), "{text} in {of_ground:?}");
    }
    panels.click("List only what the map shows");
    panels.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("Only 15 in view")));
}

#[test]
fn a_menu_on_one_of_several_that_are_selected_keeps_them_also_on_the_map() {
    let mut panels = Panels::open(8);
    panels.click_row("sound 001.wav");
    panels.harness.get_by_label("sound 004.wav").click_modifiers(Modifiers::SHIFT);
    panels.settle();
    let at = panels.dot("sound 002.wav");
    panels.open_menu(at);
    let rows = panels.harness.query_all_by_label_contains(".wav");
    assert_eq!(rows.filter(|row| row.accesskit_node().toggled() == Some(Toggled::True)).count(), 4);
}

#[test]
fn menus_show_the_keys_of_the_settings_and_arrows_choose() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 5);
    std::fs::write(root.path().join("settings.toml"), "[keys]\nneighbours = \"Ctrl+Y\"\n").unwrap();
    let mut panels = Panels::over(root, &folder);
    let row = panels.harness.get_by_label("sound 003.wav").rect().center();
    let entries = panels.open_menu(row);
    assert!(entries.contains(&"Ctrl+Y".to_owned()) && !entries.contains(&"N".to_owned()), "{entries:?}");
    panels.press(Key::ArrowDown);
    panels.press(Key::Enter);
    panels.harness.get_by_label("Neighbours of sound 003.wav, clear");
}

#[test]
fn the_waveform_has_a_menu_for_its_region_and_for_the_whole_sound() {
    let mut panels = Panels::open(5);
    panels.click_row("sound 004.wav");
    let wave = panels.rect("Waveform");
    let whole = panels.open_menu(wave.center());
    assert!(whole.contains(&"Find sounds like this".to_owned()), "{whole:?}");
    panels.press(Key::Escape);
    for (share, pressed) in [(0.4, Some(true)), (0.5, None), (0.7, Some(false))] {
        let at = wave.left_center() + vec2(wave.width() * share, 20.0);
        panels.harness.hover_at(at);
        let button = PointerButton::Primary;
        if let Some(pressed) = pressed {
            panels.harness.event(Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE });
        }
        panels.harness.step();
    }
    let of_region = panels.open_menu(wave.center());
    assert!(of_region.contains(&"Find sounds like the region".to_owned()), "{of_region:?}");
    panels.click("Zoom in on the region");
    let menu = panels.open_menu(wave.center());
    assert!(menu.contains(&"Show the whole sound".to_owned()), "{menu:?}");
    panels.click("Clear the region");
    assert!(panels.open_menu(wave.center()).contains(&"Find sounds like this".to_owned()));
}

#[test]
fn a_group_that_is_faded_can_be_shown_again_from_the_menu() {
    let mut panels = Panels::open(30);
    panels.harness.query_all_by_label_contains("Group ").next().unwrap().click_modifiers(Modifiers::ALT);
    panels.settle();
    let hidden = |panels: &Panels| panels.harness.state().world().resource::<MapLook>().hidden_groups.clone();
    assert!(matches!(hidden(&panels).first(), Some(GroupKey::Cluster(_))));
    let at = panels.empty_ground();
    panels.open_menu(at);
    panels.click("Show all groups");
    assert!(hidden(&panels).is_empty());
}

#[test]
fn a_chip_goes_with_the_last_of_its_sounds() {
    let mut panels = Panels::open(4);
    let other = panels.root.path().join("other");
    std::fs::create_dir(&other).unwrap();
    for i in 0..3 {
        write_sound(&other.join(format!("else {i}.wav")), 20 + i);
    }
    let other = other.canonicalize().unwrap();
    let world = panels.harness.state_mut().world_mut();
    world.write_message(soundkin::watch::AddFolder { path: other.clone(), follow: false });
    panels.until("the other folder is on the map", |panels| {
        let map = panels.harness.state().world().resource::<Map>();
        map.len() == 10 && !map.is_moving()
    });
    panels.click("other, 3 sounds");
    let at = panels.empty_ground();
    panels.open_menu(at);
    panels.click("List only what the map shows");
    assert_eq!(panels.rows().len(), 3);
    panels.click("Only in other, clear");
    assert_eq!(panels.rows().len(), 3, "the chip holds them alone");
    panels.harness.state_mut().world_mut().write_message(RemoveFolder(other));
    panels.until("all that is left", |panels| panels.rows().len() == 7);
    assert!(panels.harness.query_by_label_contains("in view of the map").is_none());
}
