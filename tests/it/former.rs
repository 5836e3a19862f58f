//! A library whose vectors were made with other files of the same model: it answers from them until all are made anew.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bevy::prelude::*;
use soundkin::analyse::Analysis;
use soundkin::library::{Embedding, Former, Sample};
use soundkin::neighbours::query::{Answer, Query as Question, Subject, Unanswered, ask};
use soundkin::neighbours::vectors::Sound;
use soundkin::neighbours::{ActiveWeights, Demand, Projection, SpaceIndex};
use soundkin::{is_idle, run_until};

use crate::support::{app, folder_of_sounds, index, json, soundkin, write_sound};

const LIMIT: Option<Duration> = Some(Duration::from_mins(2));

/// Makes a library one of former files of its model.
fn make_former(library: &Path) {
    execute(library, "UPDATE model SET key = substr(key, 1, instr(key, ':')) || 'former:former'");
}

#[expect(clippy::disallowed_methods, reason = "an older program's work can only be done behind this one's back")]
fn execute(library: &Path, statements: &str) {
    rusqlite::Connection::open(library).unwrap().execute_batch(statements).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "only the library itself tells what is kept in it")]
fn count(library: &Path, of: &str) -> i64 {
    let connection = rusqlite::Connection::open(library).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {of}"), [], |row| row.get(0)).unwrap()
}

fn embedded(app: &mut App) -> usize {
    let world = app.world_mut();
    world.query_filtered::<(), With<Embedding>>().iter(world).count()
}

fn formers(app: &mut App) -> usize {
    let world = app.world_mut();
    world.query_filtered::<(), With<Former>>().iter(world).count()
}

fn named(app: &mut App, name: &str) -> Entity {
    let world = app.world_mut();
    world.query::<(Entity, &Sample)>().iter(world).find(|(_, sample)| sample.path.ends_with(name)).unwrap().0
}

fn similar(app: &mut App, like: Subject) -> Result<Answer, Unanswered> {
    let weights = app.world().resource::<ActiveWeights>().0;
    ask(app.world_mut(), &Arc::new(Question { like: vec![like], k: 5, weights, ..Question::default() }))
}

fn paths(app: &App, answer: &Answer) -> Vec<PathBuf> {
    let path = |entity| app.world().get::<Sample>(entity).unwrap().path.to_path_buf();
    answer.neighbours.iter().map(|neighbour| path(neighbour.entity)).collect()
}

fn has_space(world: &mut World) -> bool {
    world.get_resource::<SpaceIndex>().is_some_and(|index| !index.space.is_empty())
}

#[test]
fn former_vectors_answer_until_all_are_made_anew_and_none_is_lost_on_the_way() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 12);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    index(&mut engine, &folder);
    engine.world_mut().resource_mut::<ActiveWeights>().head = 0.0;
    assert!(run_until(&mut engine, LIMIT, is_idle), "neighbourhoods under this weight");
    let asked = named(&mut engine, "sound 004.wav");
    let by_raw_part = similar(&mut engine, Subject::Sample(asked)).unwrap();
    let by_raw_part = (paths(&engine, &by_raw_part), by_raw_part.neighbours[0].similarity);
    drop(engine);
    make_former(&library);

    // Paused, so that the state in between lasts.
    let mut engine = app(&library);
    engine.world_mut().resource_mut::<Analysis>().paused = true;
    assert!(run_until(&mut engine, LIMIT, has_space));
    assert!(engine.world().resource::<SpaceIndex>().former);
    assert_eq!((embedded(&mut engine), formers(&mut engine)), (0, 12));
    let asked = named(&mut engine, "sound 004.wav");
    let former = similar(&mut engine, Subject::Sample(asked)).unwrap();
    assert_eq!(paths(&engine, &former), by_raw_part.0);
    assert!((former.neighbours[0].similarity - by_raw_part.1).abs() < 1e-4, "{former:?} {by_raw_part:?}");
    assert!(former.neighbours.iter().all(|near| near.part_similarities.head.is_none()));
    // What was never heard with the former files is not compared with them.
    let outside = Sound::of_file(&folder.join("sound 001.wav"), None).unwrap();
    assert!(matches!(similar(&mut engine, Subject::File(outside)), Err(Unanswered::Anew)));
    write_sound(&folder.join("new.wav"), 77);
    engine.world_mut().resource_mut::<Analysis>().paused = false;
    engine.world_mut().write_message(soundkin::watch::AddFolder { path: folder.clone(), follow: false });
    // It was closed in the middle.
    let some = |world: &mut World| world.query_filtered::<(), With<Embedding>>().iter(world).count() >= 4;
    assert!(run_until(&mut engine, LIMIT, some));
    engine.world_mut().resource_mut::<Analysis>().paused = true;
    assert!(run_until(&mut engine, LIMIT, |world| world.resource::<Analysis>().in_flight == 0));
    let some = embedded(&mut engine);
    if some < 12 {
        let found = similar(&mut engine, Subject::Sample(asked)).unwrap();
        assert_eq!(paths(&engine, &found), by_raw_part.0);
    }
    run_until(&mut engine, Some(Duration::from_secs(1)), |_| false);
    drop(engine);
    assert!(count(&library, "embedding") >= 12 + 4, "what answers is kept until all have a successor");

    let mut engine = app(&library);
    engine.world_mut().resource_mut::<Analysis>().paused = true;
    assert!(run_until(&mut engine, LIMIT, has_space));
    if some < 12 {
        assert!(engine.world().resource::<SpaceIndex>().former);
        assert_eq!(formers(&mut engine), 12, "all of them, so that the two kinds never mix");
        let asked = named(&mut engine, "sound 004.wav");
        let found = similar(&mut engine, Subject::Sample(asked)).unwrap();
        assert_eq!(paths(&engine, &found), by_raw_part.0);
    }
    engine.world_mut().resource_mut::<Analysis>().paused = false;
    assert!(run_until(&mut engine, LIMIT, is_idle));
    assert!(!engine.world().resource::<SpaceIndex>().former);
    assert_eq!((embedded(&mut engine), formers(&mut engine)), (13, 0));
    let asked = named(&mut engine, "sound 004.wav");
    let anew = similar(&mut engine, Subject::Sample(asked)).unwrap();
    assert!(anew.neighbours.iter().all(|near| near.part_similarities.head.is_some()), "{anew:?}");
    drop(engine);
    assert_eq!((count(&library, "embedding"), count(&library, "model")), (13, 1), "nothing is left of the former");
}

#[test]
fn vectors_of_sounds_that_are_away_are_kept_and_do_not_hold_up_the_others() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 5);
    let library = root.path().join("library.db");
    index(&mut app(&library), &folder);
    make_former(&library);
    std::fs::rename(folder.join("sound 002.wav"), root.path().join("away.wav")).unwrap();
    let mut engine = app(&library);
    index(&mut engine, &folder);
    assert!(!engine.world().resource::<SpaceIndex>().former);
    assert_eq!((embedded(&mut engine), formers(&mut engine)), (4, 0));
    drop(engine);
    assert_eq!((count(&library, "embedding"), count(&library, "model")), (5, 2));
    // When it is back, the others are not compared by vectors that they have no more.
    std::fs::rename(root.path().join("away.wav"), folder.join("sound 002.wav")).unwrap();
    let mut engine = app(&library);
    index(&mut engine, &folder);
    assert_eq!(embedded(&mut engine), 5);
    assert_eq!(engine.world().resource::<Analysis>().decoded, 1);
}

fn places(app: &App) -> BTreeMap<PathBuf, [f32; 2]> {
    let index = app.world().resource::<SpaceIndex>();
    let path = |entity: &Entity| app.world().get::<Sample>(*entity).unwrap().path.to_path_buf();
    index.entities.iter().map(path).zip(index.layout.as_ref().unwrap().cloud.iter().copied()).collect()
}

/// The median of how far sounds have moved, in widths of the map.
fn moved(before: &BTreeMap<PathBuf, [f32; 2]>, after: &BTreeMap<PathBuf, [f32; 2]>) -> f32 {
    let xs = || after.values().map(|[x, _]| *x);
    let width = xs().fold(f32::MIN, f32::max) - xs().fold(f32::MAX, f32::min);
    let far = |(path, [x, y]): (&PathBuf, &[f32; 2])| {
        after.get(path).map(|[now_x, now_y]| (x - now_x).hypot(y - now_y) / width)
    };
    let mut far: Vec<f32> = before.iter().filter_map(far).collect();
    far.sort_by(f32::total_cmp);
    far[far.len() / 2]
}

#[test]
fn the_map_is_as_it_was_left_until_the_switch_and_sounds_keep_their_places_after_it() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 300);
    let library = root.path().join("library.db");
    let open = || {
        let mut app = app(&library);
        app.world_mut().resource_mut::<Projection>().demand = Demand::Mapping;
        app
    };
    // Laid out once, when all are there: how far a map that grew still has to settle depends on when they came.
    let mut engine = app(&library);
    index(&mut engine, &folder);
    engine.world_mut().resource_mut::<Projection>().demand = Demand::Mapping;
    assert!(run_until(&mut engine, LIMIT, is_idle));
    drop(engine);
    let mut engine = open();
    assert!(run_until(&mut engine, LIMIT, is_idle));
    let left = places(&engine);
    drop(engine);
    make_former(&library);
    let mut engine = open();
    engine.world_mut().resource_mut::<Analysis>().paused = true;
    let laid_out = |world: &mut World| world.get_resource::<SpaceIndex>().is_some_and(|index| index.layout.is_some());
    assert!(run_until(&mut engine, LIMIT, laid_out));
    assert!(engine.world().resource::<SpaceIndex>().former);
    assert_eq!(places(&engine), left);
    engine.world_mut().resource_mut::<Analysis>().paused = false;
    assert!(run_until(&mut engine, LIMIT, is_idle));
    assert!(!engine.world().resource::<SpaceIndex>().former);
    let anew = places(&engine);
    let median = moved(&left, &anew);
    println!("median displacement {median:.4} of the map's width");
    assert!(anew.len() == 300 && median > 0.0 && median < 0.05, "{median}");
    drop(engine);
    // And from now on it is the new one that was left.
    let mut engine = open();
    assert!(run_until(&mut engine, LIMIT, is_idle));
    assert_eq!(places(&engine), anew);
}

#[test]
fn verbs_that_only_read_answer_from_the_former_analysis_and_say_so() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 6);
    let library = root.path().join("library.db");
    index(&mut app(&library), &folder);
    make_former(&library);
    let sound = folder.join("sound 003.wav");
    let sound = sound.to_str().unwrap();
    let said = "soundkin: answers from the former analysis; 0 of 6 analysed anew, \
                run `soundkin index FOLDER --model aisfx-int8`\n";
    for arguments in [&["similar", sound, "-k", "3"][..], &["map"]] {
        let output = soundkin(&library).args(arguments).arg("--json").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stderr), said, "{arguments:?}");
    }
    let found = json(&library, &["similar", sound, "-k", "3"]);
    assert_eq!(found["neighbours"].as_array().unwrap().len(), 3);
    let outside = root.path().join("outside.wav");
    write_sound(&outside, 50);
    let refused = soundkin(&library).args(["similar", outside.to_str().unwrap(), "-q"]).output().unwrap();
    let error = crate::support::error_line(&refused);
    assert!(!refused.status.success() && error.contains("run `soundkin index FOLDER"), "{error}");
    let list = soundkin(&library).arg("list").output().unwrap();
    assert!(list.status.success() && list.stderr.is_empty(), "it reads no vectors");
    json(&library, &["index", folder.to_str().unwrap()]);
    let output = soundkin(&library).args(["similar", sound, "--json"]).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let kept: HashMap<&str, i64> =
        ["embedding", "model", "head", "side_output"].map(|of| (of, count(&library, of))).into();
    assert!(kept["embedding"] == 6 && kept["head"] == 6 && kept["side_output"] == 6, "{kept:?}");
}
