//! The columns of the list: dragged, moved, hidden, and so at the next start.

use bevy_egui::egui::accesskit::Role;
use bevy_egui::egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, vec2};
use egui_kittest::kittest::{NodeT, Queryable};

use crate::panels::Panels;

/// The heads that sort, from the left.
fn heads(panels: &Panels) -> Vec<String> {
    let mut heads: Vec<(f32, String)> = panels
        .harness
        .query_all_by_label_contains("Sort by ")
        .filter_map(|head| Some((head.rect().left(), head.accesskit_node().label()?)))
        .collect();
    heads.sort_by(|a, b| a.0.total_cmp(&b.0));
    heads.into_iter().map(|(_, label)| label.trim_start_matches("Sort by ").to_owned()).collect()
}

fn of(panels: &Panels, label: &str) -> Rect {
    panels.harness.get_by_label(label).rect()
}

fn menu(panels: &mut Panels, choose: &str) {
    panels.harness.get_by_label("Sort by name").click_secondary();
    panels.settle();
    panels.click(choose);
    panels.press(Key::Escape);
}

fn wide(panels: &mut Panels) {
    panels.harness.set_size([2000.0, 800.0].into());
    panels.settle();
}

#[test]
fn columns_are_widened_moved_and_hidden_and_so_at_the_next_start() {
    let mut panels = Panels::open(4);
    wide(&mut panels);
    assert_eq!(heads(&panels), ["name", "folder", "format", "bright", "length", "lufs"]);
    // A border is dragged and stays under the pointer, the name gives.
    let (name, length) = (of(&panels, "Sort by name").width(), of(&panels, "Sort by length"));
    let border = of(&panels, "Width of length").center();
    panels.drag(border, border - vec2(30.0, 0.0));
    assert!((of(&panels, "Sort by length").width() - length.width() - 30.0).abs() < 1.5);
    assert!((of(&panels, "Sort by name").width() - name + 30.0).abs() < 1.5);
    assert!((of(&panels, "Sort by length").right() - length.right()).abs() < 0.1);
    // The outline lies before the name, and its border is the right one; nothing takes what a name needs.
    let border = of(&panels, "Width of outline").center();
    panels.drag(border, Pos2::new(1900.0, border.y));
    assert!((164.0..167.0).contains(&of(&panels, "Sort by name").width()), "{:?}", of(&panels, "Sort by name"));
    // A double click fits a column to what is in it.
    let fit = |panels: &mut Panels, label: &str| {
        let at = of(panels, label).center();
        panels.harness.ctx.options_mut(|options| options.input_options.max_double_click_delay = 0.6);
        panels.harness.hover_at(at);
        panels.harness.step();
        for pressed in [true, false, true, false] {
            let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
            panels.harness.event(Event::PointerButton { pos: at, button, pressed, modifiers });
        }
        panels.settle();
    };
    fit(&mut panels, "Width of outline");
    assert!((of(&panels, "Column outline").width() - 84.0).abs() < 0.5);
    fit(&mut panels, "Width of folder");
    assert!((30.0..70.0).contains(&of(&panels, "Sort by folder").width()), "{:?}", of(&panels, "Sort by folder"));
    // A head is dragged to the left of another, a click sorts as before.
    let (from, to) = (of(&panels, "Sort by lufs").center(), of(&panels, "Sort by folder").left_center());
    panels.drag(from, to + vec2(3.0, 0.0));
    assert_eq!(heads(&panels), ["name", "lufs", "folder", "format", "bright", "length"]);
    panels.click("Sort by length");
    let by_length = panels.rows();
    // The menu of the heads hides and shows; the name is not in it.
    panels.harness.get_by_label("Sort by folder").click_secondary();
    panels.settle();
    assert!(panels.harness.query_by_role_and_label(Role::RadioButton, "Name").is_none());
    panels.click("Folder");
    menu(&mut panels, "Peak level (dBFS)");
    let chosen = ["name", "lufs", "format", "bright", "length", "peak"];
    assert_eq!(heads(&panels), chosen);
    panels.click("Sort by peak");
    assert_ne!(panels.rows(), by_length);
    let settings = panels.root.path().join("settings.toml");
    panels.until("the columns are in the settings", |_| {
        std::fs::read_to_string(&settings)
            .is_ok_and(|text| text.contains("column = \"peak\"") && text.contains("sort = { column = \"peak\""))
    });
    let width = of(&panels, "Sort by length").width();
    let mut panels = panels.reopen();
    wide(&mut panels);
    assert_eq!((heads(&panels), of(&panels, "Sort by length").width()), (chosen.map(str::to_owned).to_vec(), width));
    menu(&mut panels, "Reset columns");
    assert_eq!(heads(&panels), ["name", "folder", "format", "bright", "length", "lufs"]);
}

#[test]
fn what_is_wrong_with_a_file_is_said_whatever_columns_there_are() {
    let root = tempfile::tempdir().unwrap();
    let folder = crate::support::folder_of_sounds(root.path(), 3);
    std::fs::write(folder.join("broken.wav"), b"RIFF").unwrap();
    let mut panels = Panels::begin(root, &folder);
    panels.until("it is seen", |panels| panels.harness.query_by_label("broken.wav, unreadable").is_some());
    wide(&mut panels);
    let shown = |panels: &Panels, text: &str| {
        let shapes = &panels.harness.output().shapes;
        shapes
            .iter()
            .any(|shape| matches!(&shape.shape, bevy_egui::egui::Shape::Text(said) if said.galley.text() == text))
    };
    assert!(shown(&panels, "broken.wav") && shown(&panels, "unreadable"));
    menu(&mut panels, "Outline");
    assert!(panels.harness.query_by_label("Column outline").is_none());
    assert!(shown(&panels, "broken.wav"));
}
