//! While a library is being analysed: what is known so far can be asked and seen, and what people look at comes first.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_egui::egui::{Key, Shape};
use egui_kittest::kittest::Queryable;
use soundkin::analyse::Analysis;
use soundkin::analyse::priorities::Priorities;
use soundkin::analyse::waveform::Waveform;
use soundkin::library::{Embedding, Restored, Sample};
use soundkin::map::Map;
use soundkin::neighbours::query::{Answer, Answers, Ask, Coverage, Purpose, Query, Subject, ask};
use soundkin::neighbours::{ActiveWeights, Demand, Projection, SpaceIndex};
use soundkin::{is_idle, run_until};

use crate::panels::Panels;
use crate::snapshots::text_of;
use crate::support::{app, folder_of_sounds};

const LIMIT: Option<Duration> = Some(Duration::from_mins(1));

fn analysed(world: &mut World) -> usize {
    world.query_filtered::<(), (With<Sample>, With<Embedding>)>().iter(world).count()
}

fn begin(app: &mut App, folder: &Path) {
    app.world_mut().write_message(soundkin::watch::AddFolder { path: folder.to_owned(), follow: false });
}

/// Whether the panels say a text somewhere.
fn says(panels: &Panels, text: &str) -> bool {
    fn within(shape: &Shape, text: &str) -> bool {
        match shape {
            Shape::Vec(shapes) => shapes.iter().any(|shape| within(shape, text)),
            shape => text_of(shape).is_some_and(|said| said.contains(text)),
        }
    }
    panels.harness.output().shapes.iter().any(|shape| within(&shape.shape, text))
}

#[test]
fn at_a_tenth_of_the_first_indexing_neighbours_answer_within_a_second_and_the_map_has_dots() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 1200);
    let mut panels = Panels::begin(root, &folder);
    panels.until("a tenth is analysed", |panels| analysed(panels.harness.state_mut().world_mut()) >= 120);
    panels.until("dots", |panels| panels.harness.state().world().resource::<Map>().len() >= 100);
    panels.click_row("sound 003.wav");
    let pressed = Instant::now();
    panels.press(Key::N);
    panels.until("neighbours", |panels| panels.rows().first().is_some_and(|row| row.contains(", 0.")));
    let took = pressed.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    let world = panels.harness.state_mut().world_mut();
    let known = analysed(world);
    assert!(known < 900 && world.resource::<Analysis>().in_flight > 0, "it was over at {known}");
    panels.until("it says so", |panels| says(panels, " of 1,200 so far"));
    // What comes in meanwhile appears on the map without another layout.
    panels.until("newcomers", |panels| {
        let world = panels.harness.state().world();
        world.resource::<Map>().len() > world.resource::<SpaceIndex>().rows.len()
    });
}

#[test]
fn an_answer_grows_with_what_is_known_and_ends_as_the_exact_one() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 400);
    let mut app = app(&root.path().join("library.db"));
    begin(&mut app, &folder);
    assert!(run_until(&mut app, LIMIT, |world| analysed(world) >= 20));
    let world = app.world_mut();
    let subject = world.query_filtered::<Entity, (With<Sample>, With<Embedding>)>().iter(world).next().unwrap();
    let weights = world.resource::<ActiveWeights>().0;
    let query = Arc::new(Query { like: vec![Subject::Sample(subject)], k: 10, weights, ..Query::default() });
    world.write_message(Ask { purpose: Purpose::List, query: Some(query.clone()) });
    let mut seen: Vec<Coverage> = Vec::new();
    let over = |world: &mut World| {
        let asked = world.resource::<Answers>().list.as_ref();
        if let Some(Ok(Answer { coverage, neighbours, .. })) = asked.map(|asked| &asked.answer)
            && seen.last() != Some(coverage)
        {
            assert_eq!(neighbours.len(), 10.min(coverage.among - 1));
            seen.push(*coverage);
        }
        is_idle(world)
    };
    assert!(run_until(&mut app, LIMIT, over));
    assert!(seen[0].among < 100 && seen[0].of > seen[0].among, "{seen:?}");
    assert!(seen.len() > 2 && seen.is_sorted_by(|a, b| a.among <= b.among), "{seen:?}");
    assert_eq!(seen.last(), Some(&Coverage { among: 400, of: 400 }));
    let listed = app.world().resource::<Answers>().list.clone().unwrap().answer.unwrap();
    assert_eq!(listed, ask(app.world_mut(), &query).unwrap());
}

#[test]
fn a_library_that_is_half_analysed_has_its_map_and_neighbours_at_once_when_it_is_opened_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 600);
    let library = root.path().join("library.db");
    let mut first = app(&library);
    begin(&mut first, &folder);
    assert!(run_until(&mut first, LIMIT, |world| analysed(world) >= 300));
    drop(first);
    let mut second = app(&library);
    second.world_mut().resource_mut::<Projection>().demand = Demand::Mapping;
    begin(&mut second, &folder);
    assert!(run_until(&mut second, LIMIT, |world| world.resource::<Restored>().0));
    let listed = Instant::now();
    let laid_out = |world: &mut World| world.get_resource::<SpaceIndex>().is_some_and(|index| index.layout.is_some());
    assert!(run_until(&mut second, LIMIT, laid_out));
    assert!(listed.elapsed() < Duration::from_secs(2), "{:?}", listed.elapsed());
    let world = second.world_mut();
    assert!(world.resource::<SpaceIndex>().rows.len() >= 200);
    assert!(world.resource::<Analysis>().in_flight > 0, "the rest is being analysed");
    let subject = world.resource::<SpaceIndex>().entities[0];
    let weights = world.resource::<ActiveWeights>().0;
    let query = Arc::new(Query { like: vec![Subject::Sample(subject)], k: 10, weights, ..Query::default() });
    let answer = ask(world, &query).unwrap();
    assert!(answer.neighbours.len() == 10 && !answer.coverage.is_complete(), "{:?}", answer.coverage);
}

#[test]
fn what_is_selected_seen_or_searched_for_is_analysed_before_the_rest() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 900);
    let mut panels = Panels::begin(root, &folder);
    panels.harness.state_mut().world_mut().resource_mut::<Analysis>().paused = true;
    panels.until("all are listed", |panels| {
        let world = panels.harness.state_mut().world_mut();
        world.query::<&Sample>().iter(world).count() == 900
    });
    panels.press(Key::End);
    let [last, seen] = ["sound 899.wav", "sound 890.wav"].map(|name| panels.sample(name));
    panels.until("they are known to be seen", |panels| {
        let priorities = panels.harness.state().world().resource::<Priorities>();
        priorities.selected == Some(last) && priorities.visible.contains(&seen)
    });
    let world = panels.harness.state_mut().world_mut();
    world.resource_mut::<Analysis>().paused = false;
    panels.until("the last is analysed", |panels| panels.harness.state().world().get::<Embedding>(last).is_some());
    assert!(analysed(panels.harness.state_mut().world_mut()) < 20, "the selected one is the first");
    panels.until("what is seen", |panels| panels.harness.state().world().get::<Embedding>(seen).is_some());
    assert!(analysed(panels.harness.state_mut().world_mut()) < 150, "what is seen follows");
    // Then what is searched for, all of it, however much else there is.
    panels.write("sound 4");
    let wanted: Vec<Entity> = (400..500).map(|n| panels.sample(&format!("sound {n}.wav"))).collect();
    panels.until("what is searched for", |panels| {
        wanted.iter().all(|sample| panels.harness.state().world().get::<Embedding>(*sample).is_some())
    });
    assert!(analysed(panels.harness.state_mut().world_mut()) < 800, "all else comes later");
}

#[test]
fn a_selected_sound_shows_its_waveform_before_it_is_analysed() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let mut panels = Panels::begin(root, &folder);
    panels.harness.state_mut().world_mut().resource_mut::<Analysis>().paused = true;
    panels.until("they are listed", |panels| panels.rows().len() == 3);
    panels.click_row("sound 002.wav");
    let sample = panels.sample("sound 002.wav");
    panels.until("it is read", |panels| panels.harness.state().world().get::<Waveform>(sample).is_some());
    panels.settle();
    assert!(panels.harness.query_by_label("Waveform").is_some());
    assert!(!says(&panels, "Not read yet."));
    assert!(panels.harness.state().world().get::<Embedding>(sample).is_none());
}

#[test]
fn while_a_library_is_loaded_nothing_is_said_of_indexing() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let mut panels = Panels::begin(root, &folder);
    panels.harness.state_mut().world_mut().resource_mut::<Analysis>().paused = true;
    panels.until("they are listed", |panels| says(panels, "Paused at 0 of 3"));
    panels.harness.state_mut().world_mut().resource_mut::<Restored>().0 = false;
    panels.until("it says so", |panels| says(panels, "Loading library"));
    assert!(!says(&panels, " of 3"));
}
