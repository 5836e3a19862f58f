//! What the window must not surprise people with: keys that fall through, selections that vanish, edits that navigate.

use std::path::PathBuf;

use bevy::window::FileDragAndDrop;
use bevy_egui::egui::accesskit::{Role, Toggled};
use bevy_egui::egui::epaint::{ClippedShape, Shape};
use bevy_egui::egui::{Key, Modifiers, PointerButton};
use dsp::Span;
use egui_kittest::kittest::{NodeT, Queryable};
use soundkin::library::{Folders, Tags};
use soundkin::record::{Recorder, Trim};
use soundkin::watch::RemoveFolder;

use crate::panels::Panels;
use crate::support::{folder_of_sounds, write_sound};

/// How many rows are selected.
fn selected(panels: &Panels) -> usize {
    let rows = panels.harness.query_all_by_label_contains(".wav");
    rows.filter(|row| row.accesskit_node().toggled() == Some(Toggled::True)).count()
}

fn with(panels: &mut Panels, modifiers: Modifiers, key: Key) {
    panels.harness.key_press_modifiers(modifiers, key);
    panels.settle();
}

#[test]
fn the_large_map_has_a_search_field_and_letters_in_it_are_no_shortcuts() {
    let mut panels = Panels::open(6);
    panels.press(Key::M);
    assert_eq!(panels.rows(), [""; 0], "the map has the list's place");
    with(&mut panels, Modifiers::COMMAND, Key::F);
    assert!(panels.harness.get_by_role(Role::TextInput).accesskit_node().is_focused());
    for key in [Key::R, Key::Q, Key::S, Key::N, Key::M] {
        panels.press(key);
    }
    let world = panels.harness.state().world();
    assert!(world.resource::<Recorder>().take.is_none() && !world.resource::<Recorder>().waiting);
    assert!(panels.harness.query_by_label_contains("Neighbours of").is_none());
    panels.press(Key::Escape);
    panels.press(Key::M);
    assert_eq!(panels.rows().len(), 9, "M was a letter before, and is a shortcut again");
}

#[test]
fn a_right_click_keeps_what_is_selected_and_elsewhere_selects_one() {
    let mut panels = Panels::open(8);
    panels.click_row("sound 001.wav");
    panels.harness.get_by_label("sound 003.wav").click_modifiers(Modifiers::SHIFT);
    panels.settle();
    assert_eq!(selected(&panels), 3);
    panels.harness.get_by_label("sound 002.wav").click_button(PointerButton::Secondary);
    panels.settle();
    assert_eq!(selected(&panels), 3);
    panels.press(Key::Escape);
    panels.harness.get_by_label("sound 006.wav").click_button(PointerButton::Secondary);
    panels.settle();
    assert_eq!(selected(&panels), 1);
}

#[test]
fn more_is_selected_with_shift_and_arrows_and_everything_with_one_key() {
    let mut panels = Panels::open(8);
    panels.click_row("sound 002.wav");
    for (key, count) in [(Key::ArrowDown, 2), (Key::ArrowDown, 3), (Key::ArrowUp, 2), (Key::ArrowUp, 1)] {
        with(&mut panels, Modifiers::SHIFT, key);
        assert_eq!(selected(&panels), count, "{key:?}");
    }
    with(&mut panels, Modifiers::COMMAND, Key::A);
    assert_eq!(selected(&panels), 11);
}

#[test]
fn enter_in_the_search_field_goes_to_the_first_row_whatever_was_selected() {
    let mut panels = Panels::open(12);
    panels.click_row("sound 011.wav");
    // What was selected before is found as well, but is not the first.
    panels.write("sound 01");
    panels.press(Key::Enter);
    assert_eq!(panels.selected().as_deref(), Some("sound 010.wav"));
}

#[test]
fn undo_takes_back_edits_and_leaves_the_place_alone() {
    let mut panels = Panels::open(12);
    panels.click_row("sound 004.wav");
    let kept = |panels: &mut Panels| {
        let sample = panels.sample("sound 004.wav");
        panels.harness.state().world().get::<Tags>(sample).is_some_and(|tags| !tags.0.is_empty())
    };
    panels.press(Key::Enter);
    assert!(kept(&mut panels));
    panels.press(Key::N);
    panels.until("neighbours", |panels| panels.rows().first().is_some_and(|row| row.contains(", 0.")));
    with(&mut panels, Modifiers::COMMAND, Key::Z);
    assert!(!kept(&mut panels));
    // There is nothing left to undo, and the query is no edit.
    with(&mut panels, Modifiers::COMMAND, Key::Z);
    panels.harness.get_by_label("Neighbours of sound 004.wav, clear");
}

#[test]
fn whatever_narrows_the_list_is_a_chip_that_can_be_taken_away() {
    let mut panels = Panels::open(40);
    let all = panels.rows();
    panels.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("more, "))).click();
    panels.settle();
    assert_eq!(panels.rows().len(), 3);
    let group =
        panels.harness.query_all_by(|node| node.label().is_some_and(|label| label.starts_with("Group "))).next();
    group.unwrap().click();
    panels.settle();
    assert!(panels.rows().len() < 4, "{:?}", panels.rows());
    // The keys walk within, and each chip can be taken away alone.
    panels.click("Only in more, clear");
    let narrowed = panels.rows().len();
    assert!(narrowed > 0 && narrowed < 43);
    panels.press(Key::End);
    assert_eq!(panels.selected().as_deref(), panels.rows().last().map(String::as_str));
    panels.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("more, "))).click();
    panels.settle();
    panels.click("Clear all");
    assert_eq!(panels.rows(), all);
}

#[test]
fn a_folder_that_is_removed_while_it_is_shown_leaves_the_others() {
    let mut panels = Panels::open(4);
    let other = panels.root.path().join("other");
    std::fs::create_dir(&other).unwrap();
    write_sound(&other.join("else.wav"), 9);
    let world = panels.harness.state_mut().world_mut();
    world.write_message(soundkin::watch::AddFolder { path: other.canonicalize().unwrap(), follow: false });
    panels.until("the other folder", |panels| panels.rows().len() == 8);
    panels.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("other, "))).click();
    panels.settle();
    assert_eq!(panels.rows(), ["else.wav"]);
    let world = panels.harness.state_mut().world_mut();
    let shown = world.resource::<Folders>().0.last().cloned().unwrap();
    world.write_message(RemoveFolder(shown));
    panels.until("all that is left", |panels| panels.rows().len() == 7);
}

#[test]
fn a_dropped_sound_asks_for_what_sounds_like_it() {
    let mut panels = Panels::open(12);
    let dropped: PathBuf = panels.root.path().join("dropped.wav");
    write_sound(&dropped, 5);
    let app = panels.harness.state_mut();
    app.add_message::<FileDragAndDrop>();
    let window = bevy::prelude::Entity::PLACEHOLDER;
    app.world_mut().write_message(FileDragAndDrop::DroppedFile { window, path_buf: dropped });
    panels.until("neighbours of it", |panels| {
        panels.rows().first().is_some_and(|row| row.contains(", 0.") || row.contains(", 1."))
    });
    panels.harness.get_by_label("Neighbours of dropped.wav, clear");
    assert_eq!(panels.harness.state().world().resource::<Folders>().0.len(), 1, "a sound is no folder");
}

#[test]
fn trimming_leaves_the_only_copy_alone() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 2).canonicalize().unwrap();
    let mut panels = Panels::over(root, &folder);
    panels.click_row("sound 001.wav");
    let sample = panels.sample("sound 001.wav");
    let before = std::fs::read(folder.join("sound 001.wav")).unwrap();
    panels.harness.state_mut().world_mut().entity_mut(sample).insert(Trim(Span::new(0.05, 0.2)));
    panels.settle();
    panels.click("Trim");
    panels.until("a new file", |panels| panels.rows().len() == 3);
    assert_eq!(std::fs::read(folder.join("sound 001.wav")).unwrap(), before);
}

#[test]
fn the_window_opens_where_it_was_left() {
    let mut panels = Panels::open(8);
    panels.click("Sort by length");
    panels.click_row("sound 003.wav");
    panels.write("sound");
    let settings = panels.root.path().join("settings.toml");
    panels.until("the place is in the settings", |_| {
        let text = std::fs::read_to_string(&settings).unwrap_or_default();
        text.contains("sound 003.wav") && text.contains("text = \"sound\"") && text.contains("length")
    });
    let before = panels.rows();
    assert_eq!(before.len(), 8);
    let panels = panels.reopen();
    assert_eq!((panels.rows(), panels.selected().as_deref()), (before, Some("sound 003.wav")));
}

/// Waits until the settings hold a text, and returns their file.
fn settings_hold(panels: &mut Panels, text: &str) -> PathBuf {
    let settings = panels.root.path().join("settings.toml");
    panels.until("the settings hold it", |_| std::fs::read_to_string(&settings).is_ok_and(|all| all.contains(text)));
    settings
}

#[test]
fn what_was_asked_is_asked_again_at_the_next_start_without_what_is_gone() {
    let neighbours = |panels: &mut Panels| {
        panels.until("neighbours", |panels| panels.rows().first().is_some_and(|row| row.contains(", 0.")));
    };
    let mut panels = Panels::open(30);
    let all = panels.rows();
    panels.click_row("sound 003.wav");
    panels.harness.get_by_label("sound 005.wav").click_modifiers(Modifiers::COMMAND);
    panels.settle();
    panels.press(Key::N);
    neighbours(&mut panels);
    let unlike = panels.rows()[0].split(',').next().unwrap().to_owned();
    panels.click_row(&unlike);
    panels.press(Key::X);
    let label = format!("Neighbours of 2 sounds − {unlike}, clear");
    panels.until("other neighbours", |panels| panels.harness.query_by_label(&label).is_some());
    neighbours(&mut panels);
    panels.until("they are not like it", |panels| !panels.rows().iter().any(|row| row.starts_with(&unlike)));
    let before = panels.rows();
    settings_hold(&mut panels, "unlike");
    let mut panels = panels.reopen();
    panels.until("the same neighbours", |panels| panels.rows() == before);
    panels.harness.get_by_label(&label);
    // A sound that is gone drops out, and the others are asked about.
    let settings = settings_hold(&mut panels, "unlike");
    let Panels { harness, root } = panels;
    let folder = harness.state().world().resource::<Folders>().0[0].clone();
    drop(harness);
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("sound 005.wav", "gone.wav").replace(&unlike, "gone too.wav")).unwrap();
    let mut panels = Panels::over(root, &folder);
    neighbours(&mut panels);
    panels.harness.get_by_label("Neighbours of sound 003.wav, clear");
    let said =
        |shape: &ClippedShape| matches!(&shape.shape, Shape::Text(text) if text.galley.text().contains("goes on"));
    assert!(panels.harness.output().shapes.iter().any(said), "that some are gone is said");
    // Without the query everything is there.
    panels.click("Neighbours of sound 003.wav, clear");
    panels.until("everything", |panels| panels.rows() == all);
    // A region of a sound is asked about again too.
    panels.click_row("sound 004.wav");
    panels.draw_region(0.4, 0.7);
    panels.press(Key::N);
    neighbours(&mut panels);
    settings_hold(&mut panels, "span");
    let mut panels = panels.reopen();
    neighbours(&mut panels);
    panels.harness.get_by_label_contains("Neighbours of sound 004 0.");
}
