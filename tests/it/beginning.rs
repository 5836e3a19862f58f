//! The first five minutes, and what is set: an empty library, folders by path, things dragged over the window, the settings
//! page.

use bevy::prelude::*;
use bevy::window::FileDragAndDrop;
use bevy_egui::egui::accesskit::Role;
use bevy_egui::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use soundkin::library::Folders;
use soundkin::record::RecordingSettings;

use crate::panels::Panels;
use crate::support::{folder_of_sounds, write_wav};

fn chord(panels: &mut Panels, modifiers: Modifiers, key: Key) {
    panels.harness.key_press_modifiers(modifiers, key);
    panels.settle();
}

/// The words of the settings file.
fn settings(panels: &Panels) -> String {
    std::fs::read_to_string(panels.root.path().join("settings.toml")).unwrap_or_default()
}

fn is_there(panels: &Panels, label: &str) -> bool {
    panels.harness.query_by_label(label).is_some()
}

#[test]
fn an_empty_library_offers_what_to_do_first_and_a_path_can_be_typed() {
    let mut panels = Panels::empty();
    panels.harness.get_by_role_and_label(Role::Button, "Add a folder…");
    panels.harness.get_by_role_and_label(Role::Button, "Try the demo sounds");
    let folder = folder_of_sounds(panels.root.path(), 3);
    panels.click("Type the path of a folder");
    // The field has the keys at once; a path that is none is told, and can be mended.
    let typed = |panels: &mut Panels, text: &str| {
        panels.harness.event(bevy_egui::egui::Event::Text(text.to_owned()));
        panels.settle();
        panels.press(Key::Enter);
    };
    typed(&mut panels, &format!("{}x", folder.display()));
    panels.until("it is told", |panels| {
        let said = panels.harness.output().shapes.iter().filter_map(|shape| crate::snapshots::text_of(&shape.shape));
        said.into_iter().any(|text| text.starts_with("there is no such folder"))
    });
    panels.press(Key::Backspace);
    panels.press(Key::Enter);
    panels.until("its sounds", |panels| panels.rows().len() == 3);
    assert!(!is_there(&panels, "Path of a folder"));
    assert_eq!(panels.harness.state().world().resource::<Folders>().0, [folder]);
}

#[test]
fn the_path_field_closes_without_a_folder() {
    let mut panels = Panels::empty();
    chord(&mut panels, Modifiers::COMMAND | Modifiers::SHIFT, Key::O);
    assert!(is_there(&panels, "Path of a folder"));
    panels.press(Key::Escape);
    assert!(!is_there(&panels, "Path of a folder"));
}

#[test]
fn what_is_held_over_the_window_lights_it_up_until_it_leaves() {
    let mut panels = Panels::empty();
    let app = panels.harness.state_mut();
    app.add_message::<FileDragAndDrop>();
    let window = Entity::PLACEHOLDER;
    let label = "Drop to add the folder Kits";
    for leaves in [true, false] {
        let path_buf = panels.root.path().join("Kits");
        let world = panels.harness.state_mut().world_mut();
        world.write_message(FileDragAndDrop::HoveredFile { window, path_buf: path_buf.clone() });
        panels.settle();
        assert!(is_there(&panels, label));
        let end = if leaves {
            FileDragAndDrop::HoveredFileCanceled { window }
        } else {
            FileDragAndDrop::DroppedFile { window, path_buf }
        };
        panels.harness.state_mut().world_mut().write_message(end);
        panels.settle();
        assert!(!is_there(&panels, label));
    }
}

#[test]
fn a_key_is_given_another_by_pressing_it() {
    let mut panels = Panels::open(3);
    panels.click_row("sound 001.wav");
    chord(&mut panels, Modifiers::COMMAND, Key::Comma);
    panels.harness.get_by_role_and_label(Role::Window, "Settings");
    assert_eq!(panels.rows(), Vec::<String>::new(), "nothing shows through");
    panels.write("keep");
    let keep = "Key for: Keep this sound, or stop keeping it";
    assert!(!is_there(&panels, "Key for: Loop"), "only what was looked for");
    // One that another has is told, and is not taken unasked.
    panels.click(keep);
    panels.press(Key::Q);
    panels.harness.get_by_label("Take it from “Record only to find similar sounds”");
    panels.click("Cancel");
    panels.click(keep);
    chord(&mut panels, Modifiers::COMMAND, Key::K);
    panels.until("it is stored", |panels| settings(panels).contains("keep = \"Ctrl+K\""));
    panels.press(Key::Escape);
    assert!(!is_there(&panels, "Close settings"));
    chord(&mut panels, Modifiers::COMMAND, Key::K);
    assert!(panels.rows().contains(&"sound 001.wav, kept".to_owned()), "{:?}", panels.rows());
    chord(&mut panels, Modifiers::COMMAND, Key::Comma);
    panels.write("keep");
    panels.click("Reset the key for: Keep this sound, or stop keeping it");
    panels.until("it is the usual one", |panels| !settings(panels).contains("keep"));
}

#[test]
fn what_is_set_on_the_page_acts_at_once_and_is_stored() {
    let mut panels = Panels::open(3);
    panels.click("Settings");
    let before = panels.harness.ctx.zoom_factor();
    panels.click("Larger");
    panels.click("Theme: Light");
    panels.click("Format: 24-bit integer");
    panels.click("Channels: Left");
    panels.click("Loop");
    panels.until("it is stored", |panels| {
        let text = settings(panels);
        let all = ["scale = 110", "theme = \"light\"", "format = \"int24\"", "channels = [1]", "looping = true"];
        all.into_iter().all(|one| text.contains(one))
    });
    assert!((panels.harness.ctx.zoom_factor() - before - 0.1).abs() < 0.01);
    assert_eq!(panels.harness.state().world().resource::<RecordingSettings>().channels, [1]);
    // Keys belong to the page while it is open.
    panels.press(Key::M);
    chord(&mut panels, Modifiers::COMMAND, Key::Num0);
    assert!((panels.harness.ctx.zoom_factor() - before).abs() < 0.01);
    panels.click("Close settings");
    assert!(is_there(&panels, "Results"), "the large map");
}

#[test]
fn sources_list_and_status_count_the_same_and_silent_sounds_can_be_listed() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 4);
    write_wav(&folder.join("still.wav"), 44_100, 1, &vec![0.0; 20_000]);
    std::fs::write(folder.join("broken.wav"), b"RIFF").unwrap();
    let mut panels = Panels::begin(root, &folder);
    panels.until("both are counted", |panels| is_there(panels, "1 silent") && is_there(panels, "1 unreadable"));
    std::fs::remove_file(folder.join("sound 002.wav")).unwrap();
    panels.harness.state_mut().world_mut().write_message(soundkin::watch::AddFolder { path: folder, follow: false });
    panels.until("it is missing", |panels| is_there(panels, "1 missing"));
    let said: Vec<String> = panels
        .harness
        .output()
        .shapes
        .iter()
        .filter_map(|shape| {
            crate::snapshots::text_of(&shape.shape)
                .filter(|text| text.ends_with("6 sounds") || *text == "6")
                .map(str::to_owned)
        })
        .collect();
    // Status line, strip over the list; all sounds, their folder.
    assert_eq!(said.iter().filter(|text| *text == "6 sounds").count(), 2, "{said:?}");
    assert_eq!(said.iter().filter(|text| *text == "6").count(), 2, "{said:?}");
    panels.click("1 silent");
    assert_eq!(panels.rows(), ["still.wav, silent"]);
    let silent = panels.harness.get_by_label("Silent");
    assert_eq!(silent.accesskit_node().toggled(), Some(bevy_egui::egui::accesskit::Toggled::True));
}
