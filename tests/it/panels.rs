//! The panels, by role and label, over the real engine: everything but the window, the graphics and a sound device.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_egui::egui::accesskit::Role;
use bevy_egui::egui::{self, Key, Modifiers, PointerButton, Pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use soundkin::analyse::Analysis;
use soundkin::audio::{Playback, SimulatedAudioPlugin};
use soundkin::library::{AudioInfo, Folders, Sample, Tags};
use soundkin::map::Map;
use soundkin::neighbours::query::{Answers, Query, Subject, ask};
use soundkin::neighbours::{ActiveWeights, SpaceIndex};
use soundkin::record::{RecordingSettings, Slices};
use soundkin::ui::draw_panels;
use soundkin::watch::AddFolder;
use soundkin::{add_panels, is_idle};

use crate::support::{app, folder_of_sounds, sound, write_sound, write_wav};

/// The window's inside, its library and the folder that holds its settings.
pub struct Panels {
    pub harness: Harness<'static, App>,
    pub root: tempfile::TempDir,
}

impl Panels {
    /// Opens a library with `n` sounds in it, analysed, laid out and shown.
    pub fn open(n: u32) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = folder_of_sounds(root.path(), n);
        std::fs::create_dir(folder.join("more")).unwrap();
        for i in 0..3 {
            write_sound(&folder.join(format!("more/extra {i}.wav")), 50 + i);
        }
        Self::over(root, &folder)
    }

    pub fn over(root: tempfile::TempDir, folder: &Path) -> Self {
        let mut panels = Self::begin(root, folder);
        panels.until("everything is analysed and on the map", |panels| {
            let world = panels.harness.state_mut().world_mut();
            let samples = world.query::<&Sample>().iter(world).count();
            let laid_out = world.get_resource::<SpaceIndex>().is_some_and(|index| index.layout.is_some());
            let map = world.resource::<Map>();
            samples > 0 && laid_out && map.len() == samples && !map.is_moving() && is_idle(world)
        });
        panels.settle();
        panels
    }

    /// Begins to list and to analyse a folder.
    pub fn begin(root: tempfile::TempDir, folder: &Path) -> Self {
        let mut panels = Self::of(root);
        let world = panels.harness.state_mut().world_mut();
        world.write_message(AddFolder { path: folder.to_owned(), follow: false });
        panels
    }

    /// Opens a library without a folder.
    pub fn empty() -> Self {
        let mut panels = Self::of(tempfile::tempdir().unwrap());
        panels.settle();
        panels
    }

    fn of(root: tempfile::TempDir) -> Self {
        let mut app = app(&root.path().join("library.db"));
        add_panels(&mut app, root.path().join("settings.toml"), SimulatedAudioPlugin(|_: &[f32]| {}));
        // No test writes among the takes of whoever runs it.
        app.world_mut().resource_mut::<RecordingSettings>().folder = root.path().join("takes");
        app.add_plugins(bevy::time::TimePlugin);
        let frame = |ui: &mut egui::Ui, app: &mut App| {
            app.update();
            draw_panels(app.world_mut(), ui.ctx()).unwrap();
        };
        let harness = Harness::builder().with_size([1200.0, 800.0]).build_ui_state(frame, app);
        Self { harness, root }
    }

    pub fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !done(self) {
            assert!(Instant::now() < deadline, "waited too long until {what}; the list shows {:?}", self.rows());
            self.harness.step();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// What was asked for has been acted on and drawn.
    pub fn settle(&mut self) {
        self.harness.run_steps(4);
    }

    /// Labels of the list's rows that can be seen, from the top.
    pub fn rows(&self) -> Vec<String> {
        let rows = self.harness.query_all_by_label_contains(".wav");
        let mut rows: Vec<(f32, String)> = rows
            .filter(|row| row.accesskit_node().role() == Role::Button && row.rect().height() < 40.0)
            .filter_map(|row| Some((row.rect().top(), row.accesskit_node().label()?)))
            .filter(|(_, label)| !label.starts_with("Neighbours of"))
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        rows.into_iter().map(|(_, label)| label).collect()
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.settle();
    }

    pub fn click_row(&mut self, name: &str) {
        self.harness.get_by(|node| node.label().is_some_and(|label| is_row(&label, name))).click();
        self.settle();
    }

    pub fn press(&mut self, key: Key) {
        self.harness.key_press(key);
        self.settle();
    }

    pub fn press_with(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    pub fn write(&mut self, text: &str) {
        self.harness.get_by_role(Role::TextInput).focus();
        self.settle();
        self.harness.get_by_role(Role::TextInput).type_text(text);
        self.settle();
    }

    /// The name of the selected row, if it can be seen.
    pub fn selected(&self) -> Option<String> {
        let rows = self.harness.query_all_by_label_contains(".wav");
        let mut rows = rows.filter(|row| row.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True));
        let label = rows.next()?.accesskit_node().label()?;
        label.split(',').next().map(str::to_owned)
    }

    pub fn sample(&mut self, name: &str) -> Entity {
        let world = self.harness.state_mut().world_mut();
        let mut samples = world.query::<(Entity, &Sample)>();
        samples.iter(world).find(|(_, sample)| sample.path.ends_with(name)).unwrap().0
    }

    pub fn playing(&self) -> Option<Entity> {
        self.harness.state().world().resource::<Playback>().sample
    }

    /// Drags from one point to another.
    pub fn drag(&mut self, from: Pos2, to: Pos2) {
        self.pointer(from, true);
        self.harness.hover_at(from + (to - from) / 2.0);
        self.harness.step();
        self.pointer(to, false);
        self.settle();
    }

    /// Closes the window and opens it again.
    pub fn reopen(self) -> Self {
        let Self { harness, root } = self;
        let folder = harness.state().world().resource::<Folders>().0[0].clone();
        drop(harness);
        Self::over(root, &folder)
    }

    /// Draws a region from one share of the waveform's width to another.
    pub fn draw_region(&mut self, from: f32, to: f32) {
        let wave = self.harness.get_by_label("Waveform").rect();
        let at = |share: f32| wave.left_center() + egui::vec2(wave.width() * share, 20.0);
        self.pointer(at(from), true);
        self.harness.hover_at(at(f32::midpoint(from, to)));
        self.harness.step();
        self.pointer(at(to), false);
    }

    pub fn pointer(&mut self, at: Pos2, pressed: bool) {
        self.harness.hover_at(at);
        let event =
            egui::Event::PointerButton { pos: at, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE };
        self.harness.event(event);
        // Time goes by from frame to frame, and a button held for long is no click.
        self.harness.step();
    }
}

fn is_row(label: &str, name: &str) -> bool {
    label == name || label.strip_prefix(name).is_some_and(|rest| rest.starts_with(','))
}

#[test]
fn every_part_of_the_window_can_be_found_by_role_and_label() {
    let panels = Panels::open(6);
    let by = |role: Role, label: &str| panels.harness.get_by_role_and_label(role, label).rect();
    let heads = ["Sort by name", "Sort by length", "Sort by lufs"].map(|label| by(Role::Button, label));
    assert!(heads.iter().all(|head| (head.top() - heads[0].top()).abs() < 0.01));
    for label in ["Back", "Forward", "Large map", "Show the whole map", "Play sounds under the pointer", "Colour by"] {
        by(Role::Button, label);
    }
    let map = panels.harness.get_by_label("Similarity map").rect();
    let divider = panels.harness.get_by_label("Divider between list and map").rect();
    assert!(divider.left() < map.left() && map.right() >= 1199.0, "{divider:?} {map:?}");
    assert!(panels.harness.get_by_role(Role::TextInput).rect().right() < map.left());
    let expected = (0..3).map(|i| format!("extra {i}.wav")).chain((0..6).map(|i| format!("sound {i:03}.wav")));
    assert_eq!(panels.rows(), expected.collect::<Vec<_>>());
    panels.harness.get_by_label("sounds, 9 sounds");
}

#[test]
fn drawing_twice_changes_nothing() {
    let mut panels = Panels::open(6);
    panels.click_row("sound 002.wav");
    panels.press(Key::N);
    panels
        .until("the answer is there", |panels| panels.rows()[0].contains(", 0.") || panels.rows()[0].contains(", 1."));
    panels.until("the sound has ended", |panels| panels.playing().is_none());
    panels.settle();
    // The same frame twice, without the systems between: the same shapes, and nothing asked for.
    let context = panels.harness.ctx.clone();
    let app = panels.harness.state_mut();
    let mut draw = |time: f64| {
        let screen = egui::Rect::from_min_size(Pos2::ZERO, egui::vec2(1200.0, 800.0));
        let input = egui::RawInput { screen_rect: Some(screen), time: Some(time), ..Default::default() };
        let output = context.run_ui(input, |ui| draw_panels(app.world_mut(), ui.ctx()).unwrap());
        output.shapes
    };
    let [_, first, second] = [1000.0, 1001.0, 1002.0].map(&mut draw);
    assert!(first.len() > 100);
    assert_eq!(first, second);
    let before = panels.rows();
    panels.settle();
    assert_eq!(panels.rows(), before);
}

#[test]
fn a_query_walks_plays_and_clears_to_exactly_where_it_began() {
    let mut panels = Panels::open(40);
    panels.click("Sort by length");
    panels.click_row("sound 008.wav");
    let target = panels.sample("sound 008.wav");
    panels.until("it plays", |panels| panels.playing() == Some(target));
    let before = (panels.rows(), panels.selected());
    panels.press(Key::N);
    panels.until("neighbours with their likeness", |panels| panels.rows().first().is_some_and(|r| r.contains(", 0.")));
    panels.harness.get_by_role_and_label(Role::Button, "Neighbours of sound 008.wav, clear");
    let likeness: Vec<f32> =
        panels.rows().iter().map(|row| row.rsplit(", ").next().unwrap().parse::<f32>().unwrap()).collect();
    assert!(likeness.is_sorted_by(|a, b| a >= b), "{likeness:?}");
    assert!(!panels.rows().iter().any(|row| is_row(row, "sound 008.wav")), "a sound is no neighbour of its own");
    let [first, second] = [0, 1].map(|i| panels.rows()[i].split(',').next().unwrap().to_owned());
    panels.press(Key::ArrowDown);
    assert_eq!(panels.selected().as_deref(), Some(first.as_str()));
    panels.press(Key::ArrowDown);
    assert_eq!(panels.selected().as_deref(), Some(second.as_str()));
    let walked = panels.sample(&second);
    panels.until("the neighbour plays", |panels| panels.playing() == Some(walked));
    // From neighbour to neighbour, back, forward, and out.
    panels.press(Key::N);
    panels.until("the next query", |panels| {
        panels.harness.query_by_label(&format!("Neighbours of {second}, clear")).is_some()
    });
    panels.press_with(Modifiers::ALT, Key::ArrowLeft);
    panels.harness.get_by_label("Neighbours of sound 008.wav, clear");
    panels.press_with(Modifiers::ALT, Key::ArrowRight);
    panels.harness.get_by_label(&format!("Neighbours of {second}, clear"));
    panels.click(&format!("Neighbours of {second}, clear"));
    assert_eq!((panels.rows(), panels.selected()), before);
}

#[test]
fn less_of_a_neighbour_moves_the_query_away_from_it_and_back_again() {
    let mut panels = Panels::open(40);
    panels.press(Key::X);
    assert!(panels.harness.query_by_label_contains("Neighbours of").is_none(), "there is no query to move away from");
    panels.click_row("sound 008.wav");
    panels.press(Key::N);
    panels.until("neighbours", |panels| panels.rows().first().is_some_and(|row| row.contains(", 0.")));
    let before = panels.rows();
    let other = before[0].split(',').next().unwrap().to_owned();
    panels.click_row(&other);
    panels.press(Key::X);
    let label = format!("Neighbours of sound 008.wav − {other}, clear");
    panels.harness.get_by_label(&label);
    panels.until("other neighbours", |panels| panels.rows() != before && !panels.rows().is_empty());
    assert!(!panels.rows().iter().any(|row| is_row(row, &other)), "what it moves away from is no answer");
    // What the window lists is what the command line answers.
    let (a, b) = (panels.sample("sound 008.wav"), panels.sample(&other));
    let world = panels.harness.state_mut().world_mut();
    let weights = world.resource::<ActiveWeights>().0;
    let query =
        Query { like: vec![Subject::Sample(a)], unlike: vec![Subject::Sample(b)], k: 200, weights, ..Query::default() };
    let answer = ask(world, &Arc::new(query)).unwrap();
    let listed = world.resource::<Answers>().list.clone().unwrap().answer.unwrap();
    assert_eq!(listed.neighbours, answer.neighbours);
    // The same key takes it back, and so does going back.
    panels.press(Key::X);
    panels.harness.get_by_label("Neighbours of sound 008.wav, clear");
    panels.press_with(Modifiers::ALT, Key::ArrowLeft);
    panels.harness.get_by_label(&label);
}

#[test]
fn a_region_belongs_to_the_sound_that_it_was_drawn_on() {
    let mut panels = Panels::open(20);
    panels.click_row("sound 004.wav");
    panels.press(Key::N);
    panels.until("neighbours", |panels| panels.rows().first().is_some_and(|row| row.contains(", 0.")));
    let neighbour = panels.rows()[0].split(',').next().unwrap().to_owned();
    panels.click_row(&neighbour);
    panels.draw_region(0.4, 0.7);
    panels.settle();
    panels.press_with(Modifiers::ALT, Key::ArrowLeft);
    assert_eq!(panels.selected().as_deref(), Some("sound 004.wav"));
    panels.press(Key::N);
    panels.harness.get_by_label("Neighbours of sound 004.wav, clear");
}

#[test]
fn a_marked_sound_can_be_unmarked_and_is_chosen_no_longer() {
    let mut panels = Panels::open(6);
    let toggle = |panels: &mut Panels, name: &str| {
        panels
            .harness
            .get_by(|node| node.label().is_some_and(|label| is_row(&label, name)))
            .click_modifiers(Modifiers::COMMAND);
        panels.settle();
    };
    panels.click_row("sound 001.wav");
    for name in ["sound 002.wav", "sound 003.wav", "sound 003.wav"] {
        toggle(&mut panels, name);
    }
    panels.press(Key::N);
    panels.harness.get_by_label("Neighbours of 2 sounds, clear");
    // Escape stops what plays first, and the device takes its time.
    panels.until("the sound has ended", |panels| panels.playing().is_none());
    for _ in 0..4 {
        panels.press(Key::Escape);
    }
    // The selected one too, for which another takes over, as long as there is one.
    panels.click_row("sound 001.wav");
    toggle(&mut panels, "sound 002.wav");
    toggle(&mut panels, "sound 002.wav");
    assert_eq!(panels.selected().as_deref(), Some("sound 001.wav"));
    toggle(&mut panels, "sound 001.wav");
    assert_eq!(panels.selected(), None);
}

#[test]
fn weights_rank_anew_at_once_and_are_remembered() {
    let mut panels = Panels::open(12);
    panels.click_row("sound 005.wav");
    assert!(panels.harness.query_by_label("Weight of learned").is_none(), "weights are for queries");
    panels.press(Key::N);
    panels.until("neighbours", |panels| panels.rows().first().is_some_and(|row| row.contains(", 0.")));
    let usual = panels.rows();
    let drag = |panels: &mut Panels, label: &str, share: f32| {
        let bar = panels.harness.get_by_label(label).rect();
        panels.pointer(bar.left_center() + egui::vec2(bar.width() * 0.5, 0.0), true);
        panels.pointer(bar.left_center() + egui::vec2(bar.width() * share, 0.0), false);
        panels.settle();
    };
    drag(&mut panels, "Weight of learned", 0.0);
    panels.until("scores of the network alone", |panels| panels.rows() != usual && !panels.rows().is_empty());
    assert!(panels.harness.state().world().resource::<ActiveWeights>().head < 0.01);
    let raw = panels.rows();
    drag(&mut panels, "Weight of length", 1.0);
    panels.until("scores with the length", |panels| panels.rows() != raw && !panels.rows().is_empty());
    let settings = panels.root.path().join("settings.toml");
    panels.until("the weights are in the settings", |_| {
        std::fs::read_to_string(&settings).is_ok_and(|text| text.contains("[similarity") && text.contains("length = "))
    });
}

#[test]
fn a_query_from_far_down_the_list_comes_back_to_that_place() {
    let mut panels = Panels::open(60);
    panels.press(Key::End);
    assert_eq!(panels.selected().as_deref(), Some("sound 059.wav"));
    let last = panels.sample("sound 059.wav");
    // Escape would stop a sound first, even one that begins late.
    panels.until("it plays", |panels| panels.playing() == Some(last));
    let before = panels.rows();
    assert!(!before.contains(&"extra 0.wav".to_owned()));
    panels.press(Key::N);
    panels.until("neighbours", |panels| panels.rows().first().is_some_and(|row| row.contains(", 0.")));
    panels.until("the sound has ended", |panels| panels.playing().is_none());
    panels.press(Key::Escape);
    panels.until("the list as it was", |panels| panels.rows() == before);
    assert_eq!(panels.selected().as_deref(), Some("sound 059.wav"));
}

#[test]
fn a_search_narrows_the_list_and_its_letters_are_no_shortcuts() {
    let mut panels = Panels::open(6);
    panels.click_row("sound 001.wav");
    panels.write("extra qn");
    panels.press(Key::N);
    assert_eq!(panels.rows(), Vec::<String>::new());
    assert!(panels.harness.query_by_label_contains("Neighbours of").is_none(), "n is a letter here");
    panels.press(Key::Backspace);
    panels.press(Key::Backspace);
    assert_eq!(panels.rows().len(), 3);
    panels.press(Key::Enter);
    assert_eq!(panels.selected().as_deref(), Some("extra 0.wav"), "Enter goes to the best match");
    panels.until("the sound has ended", |panels| panels.playing().is_none());
    panels.press(Key::Escape);
    assert_eq!(panels.rows().len(), 9);
    panels.click("more, 3 sounds");
    assert_eq!(panels.rows().len(), 3);
    panels.press(Key::Escape);
    assert_eq!(panels.rows().len(), 9);
}

#[test]
fn a_dot_that_is_clicked_is_selected_scrolled_to_and_played() {
    let mut panels = Panels::open(60);
    panels.press(Key::Home);
    // One that is far down the list and clear of the legend.
    let middle = panels.harness.get_by_label("Similarity map").rect().center().x;
    let name = (30..60).map(|i| format!("sound {i:03}.wav")).find(|name| {
        let sample = panels.sample(name);
        panels.harness.state().world().resource::<Map>().on_screen(sample).unwrap()[0] > middle
    });
    let name = name.unwrap();
    let target = panels.sample(&name);
    assert!(!panels.rows().contains(&name));
    let at = panels.harness.state().world().resource::<Map>().on_screen(target).unwrap();
    panels.pointer(at.into(), true);
    panels.pointer(at.into(), false);
    panels.settle();
    assert_eq!(panels.selected(), Some(name));
    panels.until("it plays", |panels| panels.playing() == Some(target));
    // A drag on empty ground moves the map, a double click brings all of it back.
    let place = |panels: &Panels| panels.harness.state().world().resource::<Map>().on_screen(target).unwrap();
    let corner = panels.harness.get_by_label("Similarity map").rect().left_top() + egui::vec2(20.0, 60.0);
    panels.pointer(corner, true);
    panels.harness.hover_at(corner + egui::vec2(20.0, 10.0));
    panels.settle();
    panels.pointer(corner + egui::vec2(40.0, 30.0), false);
    panels.settle();
    let moved = place(&panels);
    assert!((moved[0] - at[0] - 40.0).abs() < 1.0 && (moved[1] - at[1] - 30.0).abs() < 1.0, "{at:?} {moved:?}");
    panels.press(Key::F);
    let back = place(&panels);
    assert!((back[0] - at[0]).abs() < 0.5 && (back[1] - at[1]).abs() < 0.5, "{at:?} {back:?}");
}

#[test]
fn a_few_dots_have_their_names_beside_them_and_no_name_lies_over_another_or_over_the_legend() {
    let panels = Panels::open(30);
    let map = panels.harness.get_by_label("Similarity map").rect();
    let groups = panels.harness.query_all_by_label_contains("Group ");
    assert!(groups.map(|entry| entry.rect().top()).fold(f32::MAX, f32::min) >= map.bottom());
    let names: Vec<(String, egui::Rect)> = (panels.harness.output().shapes.iter())
        .filter(|shape| shape.clip_rect == map)
        .filter_map(|shape| match &shape.shape {
            // What is drawn in another colour is the rim of what is drawn in its own.
            egui::Shape::Text(text) if text.override_text_color.is_none() => {
                Some((text.galley.text().to_owned(), text.galley.rect.translate(text.pos.to_vec2())))
            }
            _ => None,
        })
        .collect();
    assert!(names.iter().filter(|(name, _)| name.starts_with("sound 0")).count() > 5, "{names:?}");
    assert!(names.iter().any(|(name, _)| !name.contains('.')), "groups too: {names:?}");
    for (i, (name, rect)) in names.iter().enumerate() {
        assert!(map.contains_rect(*rect), "{name}");
        assert!(names[..i].iter().all(|(_, other)| !other.intersects(*rect)), "{name} in {names:?}");
    }
}

#[test]
fn keeping_and_switches_are_seen_undone_and_remembered() {
    let mut panels = Panels::open(4);
    panels.click_row("sound 003.wav");
    panels.press(Key::Enter);
    assert!(panels.rows().contains(&"sound 003.wav, kept".to_owned()), "{:?}", panels.rows());
    panels.press_with(Modifiers::COMMAND, Key::Z);
    assert!(panels.rows().contains(&"sound 003.wav".to_owned()));
    let sample = panels.sample("sound 003.wav");
    assert!(panels.harness.state().world().get::<Tags>(sample).is_none_or(|tags| tags.0.is_empty()));
    panels.press(Key::M);
    assert!(panels.harness.query_by_label("All sounds").is_none());
    panels.press(Key::M);
    panels.press(Key::Questionmark);
    panels.harness.get_by_role_and_label(Role::Window, "Shortcuts");
    panels.press(Key::Escape);
    assert!(panels.harness.query_by_role_and_label(Role::Window, "Shortcuts").is_none());
    panels.press_with(Modifiers::COMMAND, Key::T);
    let settings = panels.root.path().join("settings.toml");
    panels.until("the theme is in the settings", |_| {
        std::fs::read_to_string(&settings).is_ok_and(|text| text.contains("theme = \"light\""))
    });
}

#[test]
fn what_is_unreadable_or_missing_can_be_listed_alone() {
    let mut panels = Panels::open(4);
    let folder = panels.root.path().join("sounds");
    assert!(panels.harness.query_by_label("Missing").is_none(), "nothing is wrong yet");
    std::fs::write(folder.join("broken.wav"), b"RIFF").unwrap();
    std::fs::remove_file(folder.join("sound 002.wav")).unwrap();
    panels.harness.state_mut().world_mut().write_message(AddFolder { path: folder, follow: false });
    panels.until("both are seen", |panels| panels.harness.query_by_label("1 unreadable").is_some());
    // Also from within a query and a search.
    panels.click_row("sound 003.wav");
    panels.press(Key::N);
    panels.until("its neighbours are listed", |panels| panels.rows().iter().any(|row| row.contains("0.")));
    panels.click("1 unreadable");
    assert_eq!(panels.rows(), ["broken.wav, unreadable"]);
    panels.click("1 missing");
    assert_eq!(panels.rows(), ["sound 002.wav, missing"]);
    panels.click("Unreadable");
    assert_eq!(panels.rows(), ["broken.wav, unreadable"]);
    panels.click("All sounds");
    assert_eq!(panels.rows().len(), 8);
}

#[test]
fn a_region_that_is_drawn_is_played_over_and_over() {
    let mut panels = Panels::open(5);
    panels.click_row("sound 004.wav");
    let sample = panels.sample("sound 004.wav");
    panels.until("it plays", |panels| panels.playing() == Some(sample));
    panels.until("the sound has ended", |panels| panels.playing().is_none());
    let seconds = panels.harness.state().world().get::<AudioInfo>(sample).unwrap().seconds().0;
    panels.draw_region(0.4, 0.7);
    panels.press(Key::L);
    panels.press(Key::Space);
    panels.until("it plays", |panels| panels.playing() == Some(sample));
    let (mut rounds, mut last) = (0, 0.0);
    panels.until("three rounds", |panels| {
        let playhead = panels.harness.state().world().resource::<Playback>().seconds.0;
        rounds += usize::from(playhead < last);
        last = playhead;
        assert!((0.4 * seconds - 0.02..0.7 * seconds + 0.02).contains(&playhead), "{playhead} of {seconds}");
        rounds == 3
    });
    panels.press(Key::Escape);
    panels.until("it stops", |panels| panels.playing().is_none());
}

#[test]
fn neighbours_of_a_region_and_of_all_that_is_marked_can_be_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 24);
    // Two of the sounds, one after the other.
    let pause = vec![0.0; 44_100 - sound(4).len()];
    write_wav(&folder.join("both.wav"), 44_100, 1, &[sound(4), pause, sound(13)].concat());
    let mut panels = Panels::over(root, &folder);
    panels.click_row("both.wav");
    let wave = panels.harness.get_by_label("Waveform").rect();
    let both = panels.sample("both.wav");
    let seconds = panels.harness.state().world().get::<AudioInfo>(both).unwrap().seconds().0;
    let at = |at: f64| wave.left_center() + egui::vec2(wave.width() * (at / seconds) as f32, 20.0);
    panels.pointer(at(0.99), true);
    panels.harness.hover_at(at(1.2));
    panels.harness.step();
    panels.pointer(at(seconds - 0.01), false);
    panels.press(Key::N);
    panels.until("the sound in the region comes first", |panels| {
        panels.rows().first().is_some_and(|row| is_row(row, "sound 013.wav"))
    });
    panels.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("Neighbours of both 0.9")));
    assert!(!panels.rows().iter().any(|row| is_row(row, "both.wav")), "a sound is no neighbour of its own region");
    panels.until("the sound has ended", |panels| panels.playing().is_none());
    for _ in 0..4 {
        panels.press(Key::Escape);
    }
    panels.until("the query is cleared", |panels| panels.rows().iter().any(|row| is_row(row, "both.wav")));

    panels.click_row("sound 003.wav");
    let other = panels.harness.get_by(|node| node.label().is_some_and(|label| is_row(&label, "sound 005.wav")));
    other.click_modifiers(Modifiers::COMMAND);
    panels.settle();
    panels.press(Key::N);
    panels.until("neighbours of both", |panels| {
        panels.harness.query_by_label("Neighbours of 2 sounds, clear").is_some()
            && panels.rows().first().is_some_and(|row| row.contains(", 0."))
    });
    let rows = panels.rows();
    assert!(!rows.iter().any(|row| is_row(row, "sound 003.wav") || is_row(row, "sound 005.wav")), "{rows:?}");
}

#[test]
fn a_lasso_selects_what_lies_in_it() {
    let mut panels = Panels::open(6);
    let map = panels.harness.get_by_label("Similarity map").rect();
    let marked = |panels: &Panels| {
        let rows = panels.harness.query_all_by_label_contains(".wav");
        rows.filter(|row| row.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True)).count()
    };
    assert_eq!(marked(&panels), 0);
    let modifiers = Modifiers::SHIFT;
    let corners = [map.left_top(), map.right_top(), map.right_bottom(), map.left_bottom()];
    let inside = corners.map(|corner| corner + (map.center() - corner) * 0.02);
    let button = |pos: Pos2, pressed: bool| egui::Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers,
    };
    panels.harness.hover_at(inside[0]);
    panels.harness.event_modifiers(button(inside[0], true), modifiers);
    panels.harness.step();
    for at in inside.into_iter().cycle().skip(1).take(4) {
        panels.harness.event_modifiers(egui::Event::PointerMoved(at), modifiers);
        panels.harness.step();
    }
    panels.harness.event_modifiers(button(inside[0], false), modifiers);
    panels.settle();
    assert_eq!(marked(&panels), 9);
}

#[test]
fn a_removed_folder_comes_back_with_all_that_was_known_of_it() {
    let mut panels = Panels::open(4);
    panels.click_row("sound 003.wav");
    panels.press(Key::Enter);
    let before = panels.rows();
    let decoded = |panels: &Panels| panels.harness.state().world().resource::<Analysis>().decoded;
    let analysed = decoded(&panels);
    panels.harness.get_by_label("sounds, 7 sounds").click_secondary();
    panels.settle();
    panels.click("Remove from the library");
    panels.until("the map is empty", |panels| panels.harness.state().world().resource::<Map>().is_empty());
    assert_eq!(panels.rows(), Vec::<String>::new());
    panels.until("it is forgotten", |panels| is_idle(panels.harness.state_mut().world_mut()));
    panels.press_with(Modifiers::COMMAND, Key::Z);
    panels.until("the map is full", |panels| panels.harness.state().world().resource::<Map>().len() == 7);
    panels.until("it is stored", |panels| is_idle(panels.harness.state_mut().world_mut()));
    assert_eq!((panels.rows(), decoded(&panels)), (before, analysed));
    // The library holds it as before.
    let Panels { harness, root } = panels;
    drop(harness);
    let mut again = app(&root.path().join("library.db"));
    assert!(soundkin::run_until(&mut again, Some(Duration::from_mins(1)), is_idle));
    let world = again.world_mut();
    let kept: usize = world.query::<&Tags>().iter(world).filter(|tags| tags.0 == ["kept"]).count();
    assert_eq!((world.query::<&Sample>().iter(world).count(), kept), (7, 1));
    assert_eq!(world.resource::<Analysis>().decoded, 0);
}

#[test]
fn dividers_are_dragged_however_quickly_and_their_places_are_kept() {
    let mut panels = Panels::open(3);
    let place = |panels: &Panels, label: &str| panels.harness.get_by_label(label).rect().center();
    for (label, by) in [
        ("Divider between list and map", egui::vec2(-60.0, 0.0)),
        ("Divider right of the sources", egui::vec2(40.0, 0.0)),
        ("Divider under the waveform", egui::vec2(0.0, 50.0)),
    ] {
        let before = place(&panels, label);
        panels.pointer(before, true);
        panels.pointer(before + by, false);
        panels.settle();
        let moved = place(&panels, label) - before;
        // A line that is moved also shares what lies beside it in another way, so only its own direction counts.
        let along = if by.x == 0.0 { moved.y - by.y } else { moved.x - by.x };
        assert!(along.abs() < 1.5, "{label} by {moved:?}, not {by:?}");
    }
    let settings = panels.root.path().join("settings.toml");
    panels.until("the places are in the settings", |_| {
        std::fs::read_to_string(&settings).is_ok_and(|text| text.contains("waveform = 240"))
    });
}

#[test]
fn no_size_is_too_small_to_draw() {
    let mut panels = Panels::open(3);
    for size in [[640.0, 400.0], [300.0, 150.0], [40.0, 30.0], [3840.0, 2160.0]] {
        panels.harness.set_size(size.into());
        panels.settle();
    }
    assert_eq!(panels.rows().len(), 6);
}

#[test]
fn slices_are_proposed_moved_and_saved_where_takes_go() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("sounds");
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.canonicalize().unwrap();
    // Three strokes with silence between them.
    let pause = vec![0.0; 12_000];
    let strokes: Vec<f32> = [4, 20, 33].into_iter().flat_map(|n| [sound(n), pause.clone()].concat()).collect();
    write_wav(&folder.join("strokes.wav"), 44_100, 1, &strokes);
    write_sound(&folder.join("other.wav"), 2);
    let mut panels = Panels::over(root, &folder);
    panels.click_row("strokes.wav");
    panels.press(Key::S);
    panels.until("slices", |panels| panels.harness.query_by_label("Save 3 slices").is_some());
    let target = panels.sample("strokes.wav");
    let slices = |panels: &Panels| panels.harness.state().world().get::<Slices>(target).unwrap().0.clone();
    let before = slices(&panels);
    assert!(before[0].start < 0.02, "{before:?}");
    let handle = panels.harness.get_by_label("Start of slice 2").rect().center();
    panels.pointer(handle, true);
    panels.harness.hover_at(handle + egui::vec2(20.0, 0.0));
    panels.harness.step();
    panels.pointer(handle + egui::vec2(30.0, 0.0), false);
    panels.settle();
    let after = slices(&panels);
    let moved = after.iter().zip(&before).map(|(after, before)| after.start - before.start > 0.01);
    assert_eq!(moved.collect::<Vec<_>>(), [false, true, false], "{before:?} {after:?}");
    panels.click("Save 3 slices");
    panels.until("the slices are samples", |panels| {
        panels.rows().len() == 5 && is_idle(panels.harness.state_mut().world_mut())
    });
    let files = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    assert_eq!((files(&folder), files(&panels.root.path().join("takes"))), (2, 3));
}
