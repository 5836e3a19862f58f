//! What the window must not surprise people with: keys that fall through, selections that vanish, edits that navigate.

use std::path::PathBuf;
use std::process::Command;

use bevy::window::FileDragAndDrop;
use bevy_egui::egui::accesskit::{Role, Toggled};
use bevy_egui::egui::epaint::{ClippedShape, Shape};
use bevy_egui::egui::{Key, Modifiers, PointerButton};
use dsp::Span;
use egui_kittest::kittest::{NodeT, Queryable};
use soundkin::library::{Folders, Recording, Tags};
use soundkin::paths::onnxruntime_library;
use soundkin::record::{Recorder, RecordingSettings, Trim};
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
    assert!(panels.harness.query_by_label("All sounds").is_none(), "the map has the window");
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
    assert!(panels.harness.query_by_label("All sounds").is_some(), "M was a letter before, and is a shortcut again");
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
fn two_escapes_do_two_things_however_long_the_device_takes() {
    let mut panels = Panels::open(6);
    panels.click_row("sound 003.wav");
    panels.click("Loop");
    panels.draw_region(0.2, 0.7);
    panels.settle();
    panels.until("it plays", |panels| panels.playing().is_some());
    let shown = |panels: &Panels| {
        let shapes = panels.harness.output().shapes.iter();
        let mut texts = shapes.filter_map(|shape| match &shape.shape {
            Shape::Text(text) => Some(text.galley.text().to_owned()),
            _ => None,
        });
        texts.any(|text| text.contains(" s – "))
    };
    assert!(shown(&panels));
    panels.harness.key_press(Key::Escape);
    panels.harness.key_press(Key::Escape);
    panels.settle();
    assert!(panels.playing().is_none() && !shown(&panels), "it stopped, and then the region was given up");
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
    let before = std::fs::read(folder.join("sound 001.wav")).unwrap();
    trim(&mut panels, 2);
    assert_eq!(std::fs::read(folder.join("sound 001.wav")).unwrap(), before);
}

/// Cuts the silence, as it would be found, out of a sound in a library of so many.
fn trim(panels: &mut Panels, of: usize) {
    panels.click_row("sound 001.wav");
    let sample = panels.sample("sound 001.wav");
    let world = panels.harness.state_mut().world_mut();
    world.resource_mut::<RecordingSettings>().slices = ".".into();
    world.entity_mut(sample).insert(Trim(Span::new(0.05, 0.2)));
    panels.settle();
    panels.click("Trim");
    panels.until("a new file", |panels| panels.rows().len() == of + 1);
}

/// Runs a test again in a process that has a home, and with it a trash, of its own: `None` in the first, once the second has
/// passed.
fn at_home(test: &str) -> Option<tempfile::TempDir> {
    if std::env::var_os("SOUNDKIN_TEST_AT_HOME").is_some() {
        return Some(tempfile::tempdir_in(std::env::var_os("HOME").unwrap()).unwrap());
    }
    let home = tempfile::tempdir().unwrap();
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "--nocapture", test]).env("SOUNDKIN_TEST_AT_HOME", "1");
    again.env("HOME", home.path()).env("XDG_DATA_HOME", home.path().join("data"));
    again.envs(onnxruntime_library().map(|library| ("ORT_DYLIB_PATH", library)));
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    None
}

/// The names of the files in the trash.
fn trash() -> Vec<String> {
    let home = std::env::var_os("XDG_DATA_HOME").unwrap();
    let files = std::fs::read_dir(PathBuf::from(home).join("Trash/files")).into_iter().flatten();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

fn said(panels: &Panels, what: &str) {
    let shapes = panels.harness.output().shapes.iter();
    let texts: Vec<String> = shapes
        .filter_map(|shape| match &shape.shape {
            Shape::Text(text) => Some(text.galley.text().to_owned()),
            _ => None,
        })
        .collect();
    // A machine without a sound input has said that before.
    assert!(texts.iter().any(|text| text.starts_with(what)), "{what} is not among {texts:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_cut_goes_to_the_trash_when_that_is_undone() {
    let Some(root) = at_home("surprises::what_was_cut_goes_to_the_trash_when_that_is_undone") else { return };
    let folder = folder_of_sounds(root.path(), 2).canonicalize().unwrap();
    let mut panels = Panels::over(root, &folder);
    trim(&mut panels, 2);
    with(&mut panels, Modifiers::COMMAND, Key::Z);
    said(&panels, "undone: cutting sound 001 01.wav, now in the trash");
    panels.until("it has gone", |panels| panels.rows().len() == 2);
    assert_eq!(trash(), ["sound 001 01.wav"]);
    assert!(folder.join("sound 001.wav").exists() && !folder.join("sound 001 01.wav").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_take_that_is_discarded_goes_to_the_trash_and_comes_back_when_that_is_undone() {
    let name = "surprises::a_take_that_is_discarded_goes_to_the_trash_and_comes_back_when_that_is_undone";
    let Some(root) = at_home(name) else { return };
    let folder = folder_of_sounds(root.path(), 3).canonicalize().unwrap();
    let take = folder.join("sound 001.wav");
    let before = std::fs::read(&take).unwrap();
    let mut panels = Panels::over(root, &folder);
    // As if it were being recorded, and as the recorder ends it.
    let sample = panels.sample("sound 001.wav");
    let world = panels.harness.state_mut().world_mut();
    world.entity_mut(sample).insert(Recording);
    world.resource_mut::<Recorder>().take = Some(sample);
    panels.settle();
    panels.click("Discard recording");
    assert!(take.exists(), "its file is whole first");
    let world = panels.harness.state_mut().world_mut();
    world.entity_mut(sample).remove::<Recording>();
    world.resource_mut::<Recorder>().take = None;
    panels.until("it has gone", |panels| panels.rows().len() == 2);
    assert_eq!((trash(), take.exists()), (vec!["sound 001.wav".to_owned()], false));
    with(&mut panels, Modifiers::COMMAND, Key::Z);
    said(&panels, "undone: discarding sound 001.wav, now back from the trash");
    panels.until("it is back", |_| take.exists());
    assert_eq!((std::fs::read(&take).unwrap(), trash()), (before, vec![]));
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
