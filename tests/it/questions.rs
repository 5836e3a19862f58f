//! Questions: what they leave behind, and that everybody who asks the same gets the same answer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bevy::ecs::entity::EntityHashSet;
use bevy::prelude::{App, Entity, World};
use dsp::Span;
use serde_json::Value;
use soundkin::library::Sample;
use soundkin::neighbours::query::{Answer, Answers, Ask, Purpose, Query, Subject, Unanswered, ask};
use soundkin::neighbours::vectors::{QueryVectors, Sound};
use soundkin::neighbours::{ActiveWeights, Projection};
use soundkin::{is_idle, run_until};

use crate::support::{app, folder_of_sounds, index, json, write_sound};

fn sample(app: &mut App, name: &str) -> Entity {
    let world = app.world_mut();
    let mut samples = world.query::<(Entity, &Sample)>();
    samples.iter(world).find(|(_, sample)| sample.path.ends_with(name)).unwrap().0
}

fn query(app: &App, like: Vec<Subject>, unlike: Vec<Subject>) -> Query {
    Query { like, unlike, k: 5, weights: app.world().resource::<ActiveWeights>().0, ..Query::default() }
}

/// Asks as the window does and runs until the answer is exact.
fn listed(app: &mut App, query: Query) -> Answer {
    app.world_mut().write_message(Ask { purpose: Purpose::List, query: Some(Arc::new(query)) });
    let exact = |world: &mut World| {
        let asked = world.resource::<Answers>().list.as_ref();
        asked.is_some_and(|asked| asked.answer.as_ref().is_ok_and(Answer::is_exact))
    };
    assert!(run_until(app, Some(Duration::from_mins(1)), exact), "{:?}", app.world().resource::<Answers>().list);
    app.world().resource::<Answers>().list.clone().unwrap().answer.unwrap()
}

fn told(app: &App, answer: &Answer) -> Vec<(String, f32)> {
    let path = |entity| app.world().get::<Sample>(entity).unwrap().path.to_string_lossy().into_owned();
    answer.neighbours.iter().map(|neighbour| (path(neighbour.entity), neighbour.similarity)).collect()
}

#[test]
fn a_thousand_questions_of_every_kind_leave_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 12);
    let outside = root.path().join("outside.wav");
    write_sound(&outside, 40);
    let mut app = app(&root.path().join("library.db"));
    index(&mut app, &folder);
    let [a, b, c] = ["sound 001.wav", "sound 002.wav", "sound 003.wav"].map(|name| sample(&mut app, name));
    let outside = Sound::of_file(&outside, None).unwrap();
    let region = |n: u32| Span { start: 0.0, end: 0.05 + f64::from(n % 200) * 0.001 };
    let everything: EntityHashSet = [a, b, c].into_iter().collect();
    let kinds: [&dyn Fn(u32) -> (Vec<Subject>, Vec<Subject>); 6] = [
        &|_| (vec![Subject::Sample(a)], vec![]),
        &|_| (vec![Subject::Sample(a), Subject::Sample(b)], vec![]),
        &|_| (vec![Subject::Sample(a)], vec![Subject::Sample(b), Subject::Sample(c)]),
        &|n| (vec![Subject::Region(a, region(n))], vec![Subject::File(outside.clone())]),
        &|_| (vec![Subject::File(outside.clone())], vec![]),
        &|n| (vec![Subject::File(Sound { region: Some(region(n)), ..outside.clone() })], vec![]),
    ];
    let count = |app: &mut App| app.world().entities().count_spawned();
    let before = count(&mut app);
    for kind in kinds {
        for n in 0..1000 {
            let (like, unlike) = kind(n);
            let within = n.is_multiple_of(3).then(|| Arc::new(everything.clone()));
            let purpose = if n.is_multiple_of(2) { Purpose::List } else { Purpose::Glance };
            let asked = Query { within, ..query(&app, like, unlike) };
            app.world_mut().write_message(Ask { purpose, query: Some(Arc::new(asked)) });
            app.update();
        }
    }
    assert!(run_until(&mut app, Some(Duration::from_mins(1)), is_idle));
    app.update();
    assert_eq!(count(&mut app), before, "entities that questions have left");
    assert!(app.world().resource::<QueryVectors>().len() <= 64, "{}", app.world().resource::<QueryVectors>().len());
    assert_eq!(told(&app, &app.world().resource::<Answers>().list.clone().unwrap().answer.unwrap()).len(), 5);
}

#[test]
fn the_window_and_the_command_line_answer_the_same_question_alike() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 30);
    let outside = root.path().join("outside.wav");
    write_sound(&outside, 77);
    let library = root.path().join("library.db");
    let mut engine = app(&library);
    index(&mut engine, &folder);
    let [a, b, c] = ["sound 004.wav", "sound 011.wav", "sound 020.wav"].map(|name| sample(&mut engine, name));
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let outside_sound = Sound::of_file(&outside, None).unwrap();
    let region = Subject::Region(a, Span { start: 0.02, end: 0.1 });
    let questions = [
        (vec![Subject::Sample(a)], vec![], vec![file("sound 004.wav")]),
        (
            vec![Subject::Sample(a), Subject::Sample(b)],
            vec![Subject::Sample(c)],
            vec![file("sound 004.wav"), file("sound 011.wav"), "--minus".to_owned(), file("sound 020.wav")],
        ),
        (
            vec![region],
            vec![Subject::File(outside_sound.clone())],
            vec![
                file("sound 004.wav"),
                "--region".to_owned(),
                "0.02..0.1".to_owned(),
                "--minus".to_owned(),
                outside.to_str().unwrap().to_owned(),
            ],
        ),
        (vec![Subject::File(outside_sound)], vec![], vec![outside.to_str().unwrap().to_owned()]),
    ];
    let answers: Vec<Vec<(String, f32)>> = questions
        .iter()
        .map(|(like, unlike, _)| {
            let query = query(&engine, like.clone(), unlike.clone());
            let answer = listed(&mut engine, query.clone());
            assert_eq!(ask(engine.world_mut(), &Arc::new(query)).unwrap(), answer);
            told(&engine, &answer)
        })
        .collect();
    drop(engine);
    for ((.., arguments), expected) in questions.iter().zip(answers) {
        let arguments: Vec<&str> =
            ["similar", "-k", "5"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let told = json(&library, &arguments);
        let one = |n: &Value| (n["path"].as_str().unwrap().to_owned(), n["similarity"].as_f64().unwrap());
        let told: Vec<(String, f64)> = told["neighbours"].as_array().unwrap().iter().map(one).collect();
        assert_eq!(told.len(), expected.len());
        for ((path, similarity), (expected_path, expected)) in told.iter().zip(&expected) {
            assert_eq!(path, expected_path, "{arguments:?}");
            assert!((similarity - f64::from(*expected)).abs() < 1e-6, "{arguments:?}: {similarity} {expected}");
        }
    }
}

#[test]
fn the_tree_answers_in_the_frame_that_asks_and_the_thread_confirms_or_corrects_it() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 60);
    let mut app = app(&root.path().join("library.db"));
    app.world_mut().resource_mut::<Projection>().scan_at_once = 10;
    index(&mut app, &folder);
    let a = sample(&mut app, "sound 005.wav");
    let asked = query(&app, vec![Subject::Sample(a)], vec![]);
    app.world_mut().write_message(Ask { purpose: Purpose::List, query: Some(Arc::new(asked.clone())) });
    app.update();
    let first = app.world().resource::<Answers>().list.clone().unwrap().answer.unwrap();
    assert!(!first.is_exact() && first.neighbours.len() == 5, "{first:?}");
    let exact = listed(&mut app, asked.clone());
    assert_eq!(exact, ask(app.world_mut(), &Arc::new(asked.clone())).unwrap());
    // A question that was replaced before the thread had answered is not answered any more.
    for name in ["sound 006.wav", "sound 007.wav", "sound 008.wav"] {
        let other = sample(&mut app, name);
        let query = query(&app, vec![Subject::Sample(other)], vec![]);
        app.world_mut().write_message(Ask { purpose: Purpose::List, query: Some(Arc::new(query)) });
        app.update();
    }
    assert_eq!(listed(&mut app, asked), exact);
}

#[test]
fn a_question_without_an_answer_says_why() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 5);
    let mut app = app(&root.path().join("library.db"));
    index(&mut app, &folder);
    let a = sample(&mut app, "sound 001.wav");
    let mut why = |like: Vec<Subject>, unlike: Vec<Subject>| {
        let query = Arc::new(query(&app, like, unlike));
        loop {
            match ask(app.world_mut(), &query).unwrap_err() {
                Unanswered::Waiting => assert!(run_until(&mut app, Some(Duration::from_mins(1)), is_idle)),
                why => return why,
            }
        }
    };
    assert!(matches!(why(vec![], vec![]), Unanswered::Nothing));
    assert!(matches!(why(vec![], vec![Subject::Sample(a)]), Unanswered::Nothing));
    let cancelled = why(vec![Subject::Sample(a)], vec![Subject::Sample(a)]);
    assert!(matches!(cancelled, Unanswered::Cancelled(Subject::Sample(sample)) if sample == a));
    let late = Subject::Region(a, Span { start: 500.0, end: 501.0 });
    assert!(matches!(why(vec![late], vec![]), Unanswered::Sound(..)));
    assert!(matches!(why(vec![Subject::Sample(Entity::PLACEHOLDER)], vec![]), Unanswered::NotAnalysed(_)));
    assert!(Sound::of_file(Path::new("/nowhere.wav"), None).is_err() && Sound::of_file(root.path(), None).is_err());
}
