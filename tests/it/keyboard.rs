//! The window without a mouse: from section to section, from control to control, and into menus.

use bevy_egui::egui::accesskit::Role;
use bevy_egui::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use soundkin::audio::Playback;

use crate::panels::Panels;

/// What has the keys, by label; the search field has none.
fn focused(panels: &Panels) -> Option<String> {
    let mut all = panels.harness.query_all_by(|node| node.is_focused() && node.role() != Role::Window);
    let node = all.next()?;
    let node = node.accesskit_node();
    Some(if node.role() == Role::TextInput { "search".to_owned() } else { node.label().unwrap_or_default() })
}

fn tab_to(panels: &mut Panels, label: &str) {
    for _ in 0..60 {
        panels.press(Key::Tab);
        if focused(panels).as_deref() == Some(label) {
            return;
        }
    }
    panic!("Tab does not come to {label}");
}

/// Waits until a sound has begun, however late, and ended.
fn heard(panels: &mut Panels, name: &str) {
    let sample = panels.sample(name);
    panels.until("it plays", |panels| panels.playing() == Some(sample));
    panels.until("the sound has ended", |panels| panels.playing().is_none());
}

fn neighbours(panels: &mut Panels) {
    panels.until("neighbours", |panels| panels.rows().first().is_some_and(|row| row.contains(", 0.")));
}

#[test]
fn f6_goes_from_section_to_section_and_back_and_letters_stay_shortcuts() {
    let mut panels = Panels::open(8);
    panels.click_row("sound 003.wav");
    assert_eq!(focused(&panels), None, "a click leaves no ring");
    // Nothing that has the keys is as good as the list, which the map comes after.
    for section in ["Similarity map", "Waveform", "Folders", "search", "Sounds", "Similarity map"] {
        panels.press(Key::F6);
        assert_eq!(focused(&panels).as_deref(), Some(section));
    }
    for section in ["Sounds", "search", "Folders", "Waveform"] {
        panels.press_with(Modifiers::SHIFT, Key::F6);
        assert_eq!(focused(&panels).as_deref(), Some(section));
    }
    // Escape gives the keys back to the list and does nothing else; arrows and letters are the list's meanwhile.
    panels.press(Key::ArrowDown);
    assert_eq!(panels.selected().as_deref(), Some("sound 004.wav"));
    heard(&mut panels, "sound 004.wav");
    assert_eq!(focused(&panels).as_deref(), Some("Waveform"), "arrows do not move the focus");
    panels.press(Key::N);
    neighbours(&mut panels);
    panels.press(Key::Escape);
    assert_eq!(focused(&panels), None);
    panels.harness.get_by_label("Neighbours of sound 004.wav, clear");
    panels.press(Key::Escape);
    assert!(panels.harness.query_by_label_contains("Neighbours of").is_none());
    // The list itself is left by no key.
    panels.press_with(Modifiers::SHIFT, Key::F6);
    assert_eq!(focused(&panels).as_deref(), Some("search"));
    panels.press(Key::F6);
    for (key, selected) in [
        (Key::Home, "extra 0.wav"),
        (Key::End, "sound 007.wav"),
        (Key::PageUp, "extra 0.wav"),
        (Key::PageDown, "sound 007.wav"),
    ] {
        panels.press(key);
        assert_eq!(panels.selected().as_deref(), Some(selected), "{key:?}");
    }
    assert_eq!(focused(&panels).as_deref(), Some("Sounds"));
}

#[test]
fn tab_goes_through_the_controls_and_the_keys_of_the_list_go_on() {
    let mut panels = Panels::open(8);
    panels.click_row("sound 003.wav");
    heard(&mut panels, "sound 003.wav");
    let mut all = Vec::new();
    for _ in 0..80 {
        panels.press(Key::Tab);
        let Some(now) = focused(&panels) else { continue };
        if all.first() == Some(&now) {
            break;
        }
        all.push(now);
    }
    let place =
        |label: &str| all.iter().position(|known| known == label).unwrap_or_else(|| panic!("{label} in {all:?}"));
    let order =
        ["Add folder", "Folders", "Waveform", "search", "Sort by name", "Sort by length", "Sounds", "Similarity map"];
    assert!(order.is_sorted_by_key(|label| place(label)), "{all:?}");
    assert!(!all.iter().any(|label| label.contains(".wav") && !label.starts_with("Neighbours")), "{all:?}");
    // Back again.
    panels.press_with(Modifiers::SHIFT, Key::Tab);
    panels.press_with(Modifiers::SHIFT, Key::Tab);
    assert_eq!(focused(&panels).as_ref(), all.get(all.len() - 2));

    // A control is pressed with Space or Enter, which play and keep elsewhere.
    tab_to(&mut panels, "Sort by length");
    let before = panels.rows();
    panels.press(Key::Space);
    assert_ne!(panels.rows(), before);
    assert!(panels.harness.state().world().resource::<Playback>().sample.is_none(), "Space pressed the head");
    panels.press(Key::Enter);
    assert!(!panels.rows().iter().any(|row| row.contains("kept")), "Enter pressed the head");
    // All other keys go on.
    panels.press(Key::Home);
    panels.press(Key::ArrowDown);
    let second = panels.rows()[1].clone();
    assert_eq!(panels.selected(), Some(second.clone()));
    panels.press(Key::N);
    neighbours(&mut panels);
    panels.harness.get_by_label(&format!("Neighbours of {second}, clear"));
    // A slider is moved with the arrows.
    tab_to(&mut panels, "Weight of length");
    panels.press(Key::ArrowRight);
    panels.press(Key::ArrowRight);
    let weights = panels.harness.state().world().resource::<soundkin::neighbours::ActiveWeights>().0;
    assert!((weights.groups.iter().sum::<f32>() - 0.1).abs() < 1e-3, "{weights:?}");
}

#[test]
fn arrows_walk_through_the_sources_while_they_have_the_keys() {
    let mut panels = Panels::open(6);
    for _ in 0..3 {
        panels.press(Key::F6);
    }
    // The waveform is not there while nothing is selected.
    if focused(&panels).as_deref() != Some("Folders") {
        panels.press_with(Modifiers::SHIFT, Key::F6);
    }
    assert_eq!(focused(&panels).as_deref(), Some("Folders"));
    let mut walk = |key: Key, rows: usize| {
        panels.press(key);
        assert_eq!(panels.rows().len(), rows, "{key:?}: {:?}", panels.rows());
    };
    walk(Key::ArrowDown, 0);
    walk(Key::ArrowDown, 9);
    walk(Key::ArrowRight, 3);
    // From a folder to the one that it lies in, which is closed and opened.
    walk(Key::ArrowLeft, 9);
    walk(Key::ArrowLeft, 9);
    walk(Key::ArrowDown, 9);
    walk(Key::ArrowRight, 9);
    walk(Key::ArrowDown, 3);
    panels.press(Key::Enter);
    assert_eq!((focused(&panels), panels.selected().as_deref()), (None, Some("extra 0.wav")));
}

#[test]
fn the_menu_of_what_is_selected_is_opened_and_walked_through_with_keys() {
    let mut panels = Panels::open(40);
    panels.press(Key::End);
    panels.settle();
    panels.press_with(Modifiers::SHIFT, Key::F10);
    assert_eq!(panels.selected().as_deref(), Some("sound 039.wav"));
    let item = panels.harness.get_by_label_contains("Find sounds like this").rect();
    let row = panels.harness.get_by_label("sound 039.wav").rect();
    assert!((item.left() - row.left()).abs() < 20.0, "{item:?} at {row:?}");
    assert!(focused(&panels).is_some_and(|label| label.contains("Find sounds like this")), "{:?}", focused(&panels));
    panels.press(Key::ArrowDown);
    assert!(focused(&panels).is_some_and(|label| label.contains("Find on map")), "{:?}", focused(&panels));
    panels.press(Key::Escape);
    assert!(panels.harness.query_by_label_contains("Find on map").is_none());
    assert_eq!((focused(&panels), panels.selected().as_deref()), (None, Some("sound 039.wav")));
    panels.press_with(Modifiers::SHIFT, Key::F10);
    panels.press(Key::Enter);
    neighbours(&mut panels);
    panels.harness.get_by_label("Neighbours of sound 039.wav, clear");
    // The heads have one too.
    tab_to(&mut panels, "Sort by name");
    panels.press_with(Modifiers::SHIFT, Key::F10);
    panels.harness.get_by_role_and_label(Role::RadioButton, "Folder");
    assert!(panels.harness.query_by_label_contains("Find on map").is_none());
}
