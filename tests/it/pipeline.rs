//! The engine as a whole, in one process: nothing is analysed twice, nothing is lost.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bevy::prelude::*;
use soundkin::decode::AudioInfo;
use soundkin::embed::{Analysis, Embedding};
use soundkin::project::SpaceIndex;
use soundkin::sample::{Failed, Missing, Sample, Stage, Tags};

use crate::support::{app, folder_of_sounds, index, write_sound, write_wav};

fn vectors(app: &mut App) -> BTreeMap<PathBuf, Vec<u16>> {
    let world = app.world_mut();
    let mut samples = world.query::<(&Sample, &Embedding)>();
    let bits = |e: &Embedding| e.vector.iter().map(|v| v.to_bits()).collect();
    samples.iter(world).map(|(sample, e)| (sample.path.to_path_buf(), bits(e))).collect()
}

fn failed(app: &mut App) -> Vec<(String, Failed)> {
    let world = app.world_mut();
    let mut samples = world.query::<(&Sample, &Failed)>();
    let name = |s: &Sample| s.path.file_name().unwrap().to_string_lossy().into_owned();
    let mut all: Vec<_> = samples.iter(world).map(|(s, f)| (name(s), f.clone())).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn a_second_run_restores_everything_and_decodes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 12);
    let library = root.path().join("library.db");
    let mut first = app(&library);
    index(&mut first, &folder);
    let before = vectors(&mut first);
    assert_eq!(before.len(), 12);
    assert_eq!(first.world().resource::<Analysis>().decoded, 12);
    drop(first);
    let mut second = app(&library);
    index(&mut second, &folder);
    assert_eq!(second.world().resource::<Analysis>().decoded, 0);
    assert_eq!(vectors(&mut second), before);
    assert_eq!(second.world().resource::<SpaceIndex>().space.len(), 12);
}

#[test]
fn a_moved_file_keeps_its_analysis_and_tags_without_being_decoded() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 4);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let world = engine.world_mut();
    let mut samples = world.query::<(Entity, &Sample)>();
    let tagged = samples.iter(world).find(|(_, s)| s.path.ends_with("sound 002.wav")).unwrap().0;
    world.entity_mut(tagged).insert(Tags(vec!["wet".into()]));
    index(&mut engine, &folder);
    drop(engine);

    std::fs::create_dir(folder.join("new")).unwrap();
    std::fs::rename(folder.join("sound 002.wav"), folder.join("new/renamed.wav")).unwrap();
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let analysis = engine.world().resource::<Analysis>().clone();
    assert_eq!((analysis.decoded, analysis.recognised), (0, 1));
    drop(engine);

    let mut engine = app(&library);
    index(&mut engine, &folder);
    let world = engine.world_mut();
    let mut samples = world.query::<(&Sample, Option<&Tags>, Has<Embedding>, Has<AudioInfo>, Has<Missing>)>();
    let all: Vec<_> = samples.iter(world).collect();
    assert_eq!(all.len(), 4, "the old path is forgotten");
    let (_, tags, embedded, info, missing) =
        all.iter().find(|(s, ..)| s.path.ends_with("new/renamed.wav")).expect("the new path is there");
    assert_eq!(tags.map(|t| t.0.clone()), Some(vec!["wet".to_owned()]));
    assert!(*embedded && *info && !*missing);
}

#[test]
fn a_renamed_folder_takes_its_analysis_and_tags_along() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let world = engine.world_mut();
    let tagged = world.query_filtered::<Entity, With<Sample>>().iter(world).next().unwrap();
    world.entity_mut(tagged).insert(Tags(vec!["wet".into()]));
    index(&mut engine, &folder);
    let renamed = folder.with_file_name("renamed");
    std::fs::rename(&folder, &renamed).unwrap();
    // Only the new name is listed; nobody says that the old one is gone.
    index(&mut engine, &renamed);
    drop(engine);
    let mut engine = app(&library);
    index(&mut engine, &renamed);
    assert_eq!(engine.world().resource::<Analysis>().decoded, 0);
    let world = engine.world_mut();
    let mut samples = world.query::<(&Sample, Option<&Tags>, Has<Missing>)>();
    let all: Vec<_> = samples.iter(world).collect();
    assert_eq!(all.len(), 3, "the old paths are forgotten");
    assert!(all.iter().all(|(sample, _, missing)| sample.path.starts_with(&renamed) && !missing));
    assert_eq!(all.iter().filter(|(_, tags, _)| tags.is_some()).count(), 1);
}

#[test]
fn a_copy_is_recognised_and_both_stay() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 2);
    let mut engine = app(&root.path().join("library.db"));
    index(&mut engine, &folder);
    std::fs::copy(folder.join("sound 000.wav"), folder.join("copy.wav")).unwrap();
    index(&mut engine, &folder);
    assert_eq!(engine.world().resource::<Analysis>().decoded, 2);
    let all = vectors(&mut engine);
    assert_eq!(all.len(), 3);
    assert_eq!(all[&folder.join("copy.wav")], all[&folder.join("sound 000.wav")]);
}

#[test]
fn a_changed_file_is_analysed_again_and_a_removed_one_is_kept_as_missing() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let before = vectors(&mut engine);
    write_sound(&folder.join("sound 001.wav"), 33);
    std::fs::remove_file(folder.join("sound 002.wav")).unwrap();
    index(&mut engine, &folder);
    let after = vectors(&mut engine);
    assert_eq!(engine.world().resource::<Analysis>().decoded, 4);
    assert_ne!(before[&folder.join("sound 001.wav")], after[&folder.join("sound 001.wav")]);
    assert_eq!(before[&folder.join("sound 002.wav")], after[&folder.join("sound 002.wav")]);
    assert_eq!(engine.world().resource::<SpaceIndex>().space.len(), 2, "a missing sound is no neighbour");
    drop(engine);
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let world = engine.world_mut();
    assert_eq!(world.query_filtered::<(), With<Missing>>().iter(world).count(), 1);
    write_sound(&folder.join("sound 002.wav"), 2);
    index(&mut engine, &folder);
    let world = engine.world_mut();
    assert_eq!(world.query_filtered::<(), With<Missing>>().iter(world).count(), 0);
}

#[test]
fn bad_files_fail_with_a_reason_and_are_not_tried_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 1);
    std::fs::write(folder.join("empty.wav"), b"").unwrap();
    std::fs::write(folder.join("html.mp3"), "<html><body>not found</body></html>".repeat(40)).unwrap();
    std::fs::write(folder.join("header.wav"), b"RIFF\xff\xff\xff\xffWAVEfmt ").unwrap();
    write_wav(&folder.join("silent.wav"), 44_100, 2, &vec![0.0; 5000]);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let failures = failed(&mut engine);
    let names: Vec<(&str, Stage)> = failures.iter().map(|(name, f)| (name.as_str(), f.stage)).collect();
    let expected = [
        ("empty.wav", Stage::Decode),
        ("header.wav", Stage::Decode),
        ("html.mp3", Stage::Decode),
        ("silent.wav", Stage::Embed),
    ];
    assert_eq!(names, expected, "{failures:?}");
    assert!(failures.iter().all(|(_, f)| !f.reason.contains('\n') && f.reason.len() > 10), "{failures:?}");
    drop(engine);
    let mut engine = app(&library);
    index(&mut engine, &folder);
    assert_eq!(failed(&mut engine), failures);
    assert_eq!(engine.world().resource::<Analysis>().decoded, 0);
    // A repaired file is looked at again.
    write_sound(&folder.join("empty.wav"), 5);
    index(&mut engine, &folder);
    assert_eq!(failed(&mut engine).len(), 3);
}
