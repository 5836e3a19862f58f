//! The engine as a whole, in one process: nothing is analysed twice, nothing is lost.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bevy::prelude::*;
use model::Model;
use soundkin::analyse::Analysis;
use soundkin::library::{AudioInfo, Descriptors, Embedding, Failed, Missing, Sample, Stage, Tags, UnsavedSides};
use soundkin::neighbours::query::{Answer, Answers, Ask, Purpose, Query, Subject, ask};
use soundkin::neighbours::{ActiveWeights, Demand, Projection, SpaceIndex};
use soundkin::store::Library;
use soundkin::{Assembly, facts, headless, is_idle, run_until};

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
    let mut read = facts(&library).unwrap();
    assert!(run_until(&mut read, Some(Duration::from_secs(20)), is_idle));
    let known = read.world_mut().query::<(&Sample, &AudioInfo)>().iter(read.world()).count();
    assert_eq!((known, vectors(&mut read).len()), (12, 0), "who only looks at facts waits for no vectors");
    drop(read);
    let mut second = app(&library);
    index(&mut second, &folder);
    assert_eq!(second.world().resource::<Analysis>().decoded, 0);
    assert_eq!(vectors(&mut second), before);
    assert_eq!(second.world().resource::<SpaceIndex>().space.len(), 12);
}

#[test]
fn vectors_that_are_only_kept_make_no_space_until_somebody_compares() {
    let root = tempfile::tempdir().unwrap();
    let mut engine = app(&root.path().join("library.db"));
    engine.world_mut().resource_mut::<Projection>().demand = Demand::Keeping;
    index(&mut engine, &folder_of_sounds(root.path(), 3));
    assert!(engine.world().get_resource::<SpaceIndex>().is_none());
    engine.world_mut().resource_mut::<Projection>().demand = Demand::Comparing;
    assert!(run_until(&mut engine, Some(Duration::from_mins(1)), is_idle));
    assert_eq!(engine.world().resource::<SpaceIndex>().rows.len(), 3);
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
    assert!(failures.iter().all(|(_, f)| !f.to_string().contains('\n') && f.to_string().len() > 10), "{failures:?}");
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

#[test]
fn files_that_are_away_while_they_are_analysed_are_missing_until_they_are_back() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 6);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    engine.world_mut().resource_mut::<Analysis>().paused = true;
    engine.world_mut().write_message(soundkin::watch::AddFolder { path: folder.clone(), follow: false });
    let listed = |world: &mut World| world.query::<&Sample>().iter(world).len() == 6;
    assert!(run_until(&mut engine, Some(Duration::from_mins(1)), listed));
    let away = folder.with_file_name("away");
    std::fs::rename(&folder, &away).unwrap();
    engine.world_mut().resource_mut::<Analysis>().paused = false;
    assert!(run_until(&mut engine, Some(Duration::from_mins(1)), is_idle));
    assert_eq!(failed(&mut engine), []);
    let world = engine.world_mut();
    assert_eq!(world.query_filtered::<(), With<Missing>>().iter(world).count(), 6);
    drop(engine);
    std::fs::rename(&away, &folder).unwrap();
    let mut engine = app(&library);
    index(&mut engine, &folder);
    assert_eq!(vectors(&mut engine).len(), 6);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "an older program's work can only be done behind this one's back")]
fn a_failure_to_read_that_an_older_library_kept_is_tried_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    std::fs::write(folder.join("page.mp3"), "<html><body>not found</body></html>".repeat(40)).unwrap();
    let library = root.path().join("library.db");
    index(&mut app(&library), &folder);
    rusqlite::Connection::open(&library)
        .unwrap()
        .execute_batch(
            "DELETE FROM embedding; DELETE FROM content; UPDATE sample SET hash = NULL, failed_stage = 'decode',
             failed_reason = 'cannot be read (Input/output error (os error 5)); check its permissions and the drive'
             WHERE failed_stage IS NULL; ALTER TABLE sample DROP COLUMN failed_kind;
             DROP TABLE head; DROP TABLE side_output;
             PRAGMA user_version = 3",
        )
        .unwrap();
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let analysis = engine.world().resource::<Analysis>().clone();
    assert_eq!((vectors(&mut engine).len(), analysis.decoded), (3, 3));
    assert_eq!(failed(&mut engine).len(), 1, "what cannot be decoded is not tried again");
}

/// Turns a library into one of the version before descriptors, and opens it; what the network gave is as it was.
#[expect(clippy::disallowed_methods, reason = "an older program's work can only be done behind this one's back")]
fn take_back_to_the_first_version(library: &Path) {
    let execute = |statements| rusqlite::Connection::open(library).unwrap().execute_batch(statements).unwrap();
    execute(
        "UPDATE sample SET failed_reason = 'is silent (peak below -80 dBFS), so it has no neighbours'
             WHERE failed_kind = 'silent';
         ALTER TABLE content DROP COLUMN descriptors; DROP TABLE layout; DROP TABLE head;
         ALTER TABLE side_output RENAME TO kept;
         ALTER TABLE sample DROP COLUMN failed_kind; PRAGMA user_version = 1",
    );
    drop(Library::open(library).unwrap());
    execute("INSERT INTO side_output SELECT * FROM kept; DROP TABLE kept");
}

fn like(app: &App, subject: Entity) -> Arc<Query> {
    let weights = app.world().resource::<ActiveWeights>().0;
    Arc::new(Query { like: vec![Subject::Sample(subject)], k: 5, weights, ..Query::default() })
}

fn similar(app: &mut App, subject: Entity) -> Answer {
    let query = like(app, subject);
    ask(app.world_mut(), &query).unwrap()
}

/// Compares two sounds by themselves, so that a third one that is missing changes nothing between them.
fn by_themselves(app: &mut App) {
    app.world_mut().resource_mut::<ActiveWeights>().smooth = 0.0;
}

fn described(app: &mut App) -> usize {
    let world = app.world_mut();
    world.query_filtered::<(), With<Descriptors>>().iter(world).count()
}

#[test]
fn a_library_from_before_descriptors_answers_at_once_and_is_upgraded_in_the_background() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 9);
    std::fs::copy(folder.join("sound 003.wav"), folder.join("copy.wav")).unwrap();
    write_wav(&folder.join("silent.wav"), 44_100, 1, &vec![0.0; 9000]);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    by_themselves(&mut engine);
    index(&mut engine, &folder);
    let world = engine.world_mut();
    let tagged = world.query::<(Entity, &Sample)>().iter(world).find(|(_, s)| s.path.ends_with("sound 002.wav"));
    let tagged = tagged.unwrap().0;
    world.entity_mut(tagged).insert(Tags(vec!["wet".into()]));
    index(&mut engine, &folder);
    let (before, failures) = (vectors(&mut engine), failed(&mut engine));
    assert_eq!((before.len(), described(&mut engine)), (10, 10));
    let after_all = similar(&mut engine, tagged);
    drop(engine);
    take_back_to_the_first_version(&library);
    std::fs::remove_file(folder.join("sound 008.wav")).unwrap();

    // Paused, so that the state in between lasts.
    let mut engine = app(&library);
    by_themselves(&mut engine);
    engine.world_mut().resource_mut::<Analysis>().paused = true;
    let ready = |world: &mut World| world.get_resource::<SpaceIndex>().is_some_and(|index| index.space.len() == 10);
    assert!(soundkin::run_until(&mut engine, Some(std::time::Duration::from_mins(1)), ready));
    assert_eq!((vectors(&mut engine), described(&mut engine)), (before.clone(), 0));
    let world = engine.world_mut();
    let tagged = world.query::<(Entity, &Tags)>().iter(world).next().unwrap().0;
    let found = similar(&mut engine, tagged);
    assert_eq!(found.neighbours.len(), 5, "old vectors answer");
    assert!(
        found.neighbours.iter().all(|n| n.part_similarities.head.is_some() && n.part_similarities.groups.is_none())
    );

    // The file that is gone has not been listed again, so that nobody knows yet that it is.
    engine.world_mut().resource_mut::<Analysis>().paused = false;
    assert!(soundkin::run_until(&mut engine, Some(std::time::Duration::from_mins(1)), soundkin::is_idle));
    assert_eq!((failed(&mut engine), vectors(&mut engine)), (failures.clone(), before.clone()));
    index(&mut engine, &folder);
    let analysis = engine.world().resource::<Analysis>().clone();
    assert_eq!((analysis.decoded, analysis.windows), (0, 0), "no vector is made again");
    assert_eq!((vectors(&mut engine), failed(&mut engine)), (before.clone(), failures));
    assert_eq!(described(&mut engine), 9, "all but the one that is gone");
    let similarities = |found: &Answer| found.neighbours.iter().map(|n| n.similarity).collect::<Vec<_>>();
    let kept = similarities(&after_all);
    let upgraded = similarities(&similar(&mut engine, tagged));
    assert!(kept.iter().filter(|s| upgraded.contains(s)).count() >= 4, "{kept:?} {upgraded:?}");
    drop(engine);

    let mut engine = app(&library);
    by_themselves(&mut engine);
    index(&mut engine, &folder);
    assert_eq!(engine.world().resource::<Analysis>().described, 0, "what was described is kept");
    assert_eq!((vectors(&mut engine), described(&mut engine)), (before, 9));
    let world = engine.world_mut();
    let tags: Vec<&Tags> = world.query::<&Tags>().iter(world).collect();
    assert_eq!(tags, [&Tags(vec!["wet".into()])]);
}

#[test]
fn a_file_moved_before_its_library_was_upgraded_keeps_its_tags_and_vector() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let world = engine.world_mut();
    let tagged = world.query::<(Entity, &Sample)>().iter(world).find(|(_, s)| s.path.ends_with("sound 001.wav"));
    let tagged = tagged.unwrap().0;
    world.entity_mut(tagged).insert(Tags(vec!["wet".into()]));
    index(&mut engine, &folder);
    drop(engine);
    take_back_to_the_first_version(&library);
    std::fs::rename(folder.join("sound 001.wav"), folder.join("moved.wav")).unwrap();
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let analysis = engine.world().resource::<Analysis>().clone();
    assert_eq!((analysis.decoded, analysis.described), (0, 3));
    let world = engine.world_mut();
    let mut samples = world.query::<(&Sample, Option<&Tags>, Has<Failed>)>();
    let all: Vec<_> = samples.iter(world).collect();
    assert!(all.len() == 3 && all.iter().all(|(.., failed)| !failed));
    let moved = all.iter().find(|(_, tags, _)| tags.is_some()).unwrap();
    assert!(moved.0.path.ends_with("moved.wav"));
}

/// The built-in model with a head that sets out from elsewhere.
fn with_another_head(folder: &Path) -> Model {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let built_in = Model::built_in().unwrap();
    let stage = built_in.manifest.head.unwrap();
    let mut sidecar: serde_json::Value =
        serde_json::from_slice(&std::fs::read(models.join("aisfx-int8.json")).unwrap()).unwrap();
    sidecar["head"].as_object_mut().unwrap().remove("sha256");
    std::fs::write(folder.join("model.json"), sidecar.to_string()).unwrap();
    for file in [&built_in.manifest.file, &built_in.manifest.output.post.unwrap().file] {
        std::fs::copy(models.join(file), folder.join(file)).unwrap();
    }
    let mut head = std::fs::read(models.join(&stage.file)).unwrap();
    // The matrix and its offset follow the statistics, and then the basis.
    let taken: usize = stage.groups.iter().map(|group| group.dim).sum();
    let joined = stage.dim + built_in.statistics.lengths(built_in.manifest.output.dim)[1];
    let end = head.len() - 4 * stage.basis * joined;
    let from = end - 4 * stage.dim * (taken + 1);
    head[from..end]
        .as_chunks_mut::<4>()
        .0
        .iter_mut()
        .step_by(3)
        .for_each(|v| *v = (-f32::from_le_bytes(*v)).to_le_bytes());
    std::fs::write(folder.join(&stage.file), head).unwrap();
    Model::load(&folder.join("model.json")).unwrap()
}

type Halves = Vec<u16>;

fn heads(app: &mut App) -> BTreeMap<PathBuf, Halves> {
    let world = app.world_mut();
    let mut samples = world.query::<(&Sample, &Embedding)>();
    let bits = |e: &Embedding| e.head.iter().map(|v| v.to_bits()).collect();
    samples.iter(world).map(|(sample, e)| (sample.path.to_path_buf(), bits(e))).collect()
}

#[test]
fn another_head_is_made_of_what_is_kept_without_the_audio_and_is_the_one_that_the_audio_gives() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 6);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let usual = heads(&mut engine);
    assert!(usual.len() == 6 && usual.values().all(|head| head.len() == 64));
    let world = engine.world_mut();
    assert_eq!(world.query::<&UnsavedSides>().iter(world).count(), 0, "what is on the disk is not kept in memory");
    drop(engine);
    let models = root.path().join("models");
    std::fs::create_dir(&models).unwrap();
    let other = Arc::new(with_another_head(&models));
    assert_eq!(other.key, Model::built_in().unwrap().key, "the vectors are the same");
    let open = |model: &Arc<Model>, library: Library| headless(Assembly::new(Some(library), model.clone()));
    let limit = Some(Duration::from_mins(1));
    let mut fresh = open(&other, Library::open(&root.path().join("other.db")).unwrap());
    index(&mut fresh, &folder);
    let expected = heads(&mut fresh);
    drop(fresh);
    assert!(usual.iter().all(|(path, head)| *head != expected[path]));

    std::fs::remove_dir_all(&folder).unwrap();
    // One that may only be read is answered from all the same, again and again.
    for _ in 0..2 {
        let mut reader = open(&other, Library::read(&library).unwrap());
        assert!(run_until(&mut reader, limit, is_idle));
        assert_eq!(heads(&mut reader), expected);
    }
    let mut engine = open(&other, Library::open(&library).unwrap());
    assert!(run_until(&mut engine, limit, is_idle));
    assert_eq!(heads(&mut engine), expected);
    assert_eq!(engine.world().resource::<Analysis>().decoded, 0);
    drop(engine);
    // It is on the disk now, and the one before can be had again.
    assert_eq!(kept_heads(&library), [(other.head_id.clone().unwrap(), 6)]);
    let mut engine = app(&library);
    assert!(run_until(&mut engine, limit, is_idle));
    assert_eq!(heads(&mut engine), usual);
}

#[expect(clippy::disallowed_methods, reason = "only the library itself tells what is kept in it")]
fn kept_heads(library: &Path) -> Vec<(String, i64)> {
    let connection = rusqlite::Connection::open(library).unwrap();
    let mut statement = connection.prepare("SELECT file, count(*) FROM head GROUP BY file").unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "only behind the library's back can it lose what it keeps")]
fn a_sound_of_which_too_little_was_kept_for_a_head_is_heard_again() {
    if Model::built_in().unwrap().manifest.side_outputs.is_empty() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let usual = heads(&mut engine);
    drop(engine);
    let connection = rusqlite::Connection::open(&library).unwrap();
    connection.execute_batch("DELETE FROM head; DELETE FROM side_output").unwrap();
    drop(connection);
    let mut engine = app(&library);
    index(&mut engine, &folder);
    assert_eq!((heads(&mut engine), engine.world().resource::<Analysis>().decoded), (usual, 3));
}

#[test]
fn a_copy_of_an_unreadable_file_fails_with_the_same_reason() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 1);
    let page = "<html><body>not found</body></html>".repeat(40);
    std::fs::write(folder.join("page.mp3"), &page).unwrap();
    let mut engine = app(&root.path().join("library.db"));
    index(&mut engine, &folder);
    std::fs::write(folder.join("page again.mp3"), &page).unwrap();
    index(&mut engine, &folder);
    let failures = failed(&mut engine);
    assert_eq!(failures.len(), 2);
    assert_eq!(failures[0].1, failures[1].1);
}

#[test]
fn a_copy_from_elsewhere_is_compared_with_a_library_that_waits_to_be_upgraded() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    index(&mut engine, &folder);
    drop(engine);
    take_back_to_the_first_version(&library);
    let copy = root.path().join("copy.wav");
    std::fs::copy(folder.join("sound 001.wav"), &copy).unwrap();
    let found = crate::support::json(&library, &["similar", copy.to_str().unwrap(), "-k", "1"]);
    assert!(found["neighbours"][0]["path"].as_str().unwrap().ends_with("sound 001.wav"), "{found}");
}

#[test]
fn another_weight_ranks_anew_without_decoding() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 12);
    let mut engine = app(&root.path().join("library.db"));
    index(&mut engine, &folder);
    let world = engine.world_mut();
    let subject = world.query_filtered::<Entity, With<Embedding>>().iter(world).next().unwrap();
    let usual = engine.world().resource::<ActiveWeights>().head;
    assert!((usual - 0.7).abs() < 1e-6, "the model's own");
    let learned = similar(&mut engine, subject);
    let query = Some(like(&engine, subject));
    engine.world_mut().write_message(Ask { purpose: Purpose::List, query });
    engine.update();
    let listed = |engine: &App| engine.world().resource::<Answers>().list.clone().unwrap().answer.unwrap();
    assert_eq!(listed(&engine), learned);
    engine.world_mut().resource_mut::<ActiveWeights>().head = 0.0;
    // The space under the old weight answers under the new one, and what was asked is answered anew in the same frame.
    let raw = similar(&mut engine, subject);
    assert_ne!(learned, raw);
    engine.update();
    assert_eq!(listed(&engine), raw);
    assert!(soundkin::run_until(&mut engine, Some(std::time::Duration::from_mins(1)), soundkin::is_idle));
    assert!(engine.world().resource::<SpaceIndex>().space.weights().head.abs() < 1e-6, "tree and map follow");
    // So do the neighbourhoods, which were those under the old weight until now.
    let settled = similar(&mut engine, subject);
    engine.update();
    assert_eq!(listed(&engine), settled);
    assert_ne!(settled.neighbours, learned.neighbours);
    // So much that nothing else decides, not even between lengths that are nearly the same.
    engine.world_mut().resource_mut::<ActiveWeights>().groups[4] = 1e6;
    engine.update();
    let lengths: Vec<f32> = listed(&engine).neighbours.iter().map(|n| n.part_similarities.groups.unwrap()[4]).collect();
    assert!(lengths.is_sorted_by(|a, b| a >= b), "the nearest in length come first: {lengths:?}");
    assert_eq!(engine.world().resource::<Analysis>().decoded, 12);
}

#[test]
fn the_map_is_the_next_time_as_it_was_left() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 30);
    let library = root.path().join("library.db");
    let positions = |app: &App| {
        let index = app.world().resource::<SpaceIndex>();
        let paths = index.entities.iter().map(|entity| app.world().get::<Sample>(*entity).unwrap().path.clone());
        paths.zip(index.layout.as_ref().unwrap().cloud.clone()).collect::<HashMap<_, _>>()
    };
    let open = || {
        let mut app = app(&library);
        app.world_mut().resource_mut::<Projection>().demand = Demand::Mapping;
        app
    };
    // A map that grew is not the one that the same sounds give at once.
    let mut first = open();
    index(&mut first, &folder);
    (30..40).for_each(|n| write_sound(&folder.join(format!("later {n}.wav")), n));
    index(&mut first, &folder);
    let left = positions(&first);
    drop(first);
    let mut second = open();
    assert!(run_until(&mut second, Some(Duration::from_mins(1)), is_idle));
    assert_eq!(left.len(), 40);
    assert_eq!(positions(&second), left);
}

#[test]
fn a_file_that_was_only_touched_keeps_its_analysis_without_being_decoded() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 6);
    let library = root.path().join("library.db");
    let mut first = app(&library);
    index(&mut first, &folder);
    let before = vectors(&mut first);
    let touch = |path: &std::path::Path| {
        let file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::now() + Duration::from_mins(5)).unwrap();
    };
    std::fs::read_dir(&folder).unwrap().for_each(|entry| touch(&entry.unwrap().path()));
    index(&mut first, &folder);
    let analysis = first.world().resource::<Analysis>();
    assert_eq!((analysis.decoded, analysis.recognised), (6, 6));
    assert_eq!(vectors(&mut first), before);
    // One that is another sound by then is heard anew.
    write_sound(&folder.join("sound 003.wav"), 33);
    touch(&folder.join("sound 003.wav"));
    index(&mut first, &folder);
    assert_eq!(first.world().resource::<Analysis>().decoded, 7);
    let after = vectors(&mut first);
    let other = |path: &PathBuf| after[path] != before[path];
    assert_eq!(before.keys().filter(|path| other(path)).count(), 1);
    drop(first);
    // And all of it is on the disk.
    let mut second = app(&library);
    index(&mut second, &folder);
    assert_eq!(second.world().resource::<Analysis>().decoded, 0);
    assert_eq!(vectors(&mut second), after);
}
