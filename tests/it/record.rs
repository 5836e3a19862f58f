//! Recording over a real sound server whose output is its input.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use serde_json::Value;
use soundkin::analyse::Analysis;
use soundkin::audio::Overruns;
use soundkin::library::Sample;
use soundkin::record::{Keep, QuestionTake, Record, Recorder, RecordingSettings, Slices, TakeOptions, Trim};
use soundkin::{is_idle, run_until};

use crate::loopback::{INSIDE, Server, record_while_playing, studio, until};
use crate::support::{folder_of_sounds, json, soundkin};

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo").canonicalize().unwrap()
}

#[test]
fn a_take_s_nearest_neighbour_is_what_was_played() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(root.path());
    // The devices are found through the environment, which only a program of its own can have.
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "record::inside", "--ignored", "--nocapture"]);
    let output = server.run(&mut again).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "run by the test above, inside the environment of its sound server"]
fn inside() {
    let Some(root) = std::env::var_os(INSIDE).map(PathBuf::from) else { return };
    let mut app = studio(&root, &demo());
    let decoded = app.world().resource::<Analysis>().decoded;
    let sounds = ["kicks/kick_01.flac", "pads/pad_01.flac", "cymbals/crash_01.flac"];
    for sound in sounds.map(|sound| demo().join(sound)) {
        let outcome = record_while_playing(&mut app, &demo(), &sound);
        assert_eq!(outcome.nearest.as_deref(), Some(sound.as_path()));
        assert!(
            outcome.neighbours && outcome.frames > 4000 && outcome.overruns == Overruns::default(),
            "{}",
            sound.display()
        );
        println!("{}: live {:?}, final {:?}", sound.display(), outcome.live, outcome.placed);
    }
    // The folder of the takes is followed by now; what is known of them is not looked for again.
    run_until(&mut app, Some(Duration::from_secs(3)), |_| false);
    until(&mut app, "rest", is_idle);
    let analysis = app.world().resource::<Analysis>();
    assert_eq!((analysis.decoded, analysis.recorded), (decoded, sounds.len()), "nothing is decoded twice");
    choices_and_questions(&mut app);
    drop(app);
    // And so it is after a restart.
    let listed = json(&root.join("studio.db"), &["list"]);
    let takes = listed["samples"].as_array().unwrap().iter();
    let takes: Vec<&Value> = takes.filter(|s| s["path"].as_str().unwrap().contains("/takes/")).collect();
    assert_eq!(takes.len(), sounds.len());
    assert!(takes.iter().all(|take| take["seconds"].is_number() && take["codec"] == "pcm_f32le"), "{takes:?}");
    let again = json(&root.join("studio.db"), &["index", root.join("takes").to_str().unwrap()]);
    assert_eq!((&again["unchanged"], &again["decoded"]), (&sounds.len().into(), &0.into()));
}

/// A take that waits survives another choice of channels and can be called off; of questions only the last one stays.
fn choices_and_questions(app: &mut App) {
    let recorder = |world: &World| world.resource::<Recorder>().clone();
    let wait = TakeOptions { threshold_db: Some(-1.0), ..TakeOptions::default() };
    app.world_mut().write_message(Record::Start(wait));
    until(app, "waiting", |world| recorder(world).waiting);
    app.world_mut().resource_mut::<RecordingSettings>().channels = vec![2];
    let one = |world: &World| recorder(world).input.is_some_and(|input| input.channels == 1);
    until(app, "the input with one channel", |world| one(world));
    assert!(recorder(app.world()).waiting && recorder(app.world()).armed);
    app.world_mut().write_message(Record::Stop);
    until(app, "called off", |world| !recorder(world).waiting);
    let mut questions = Vec::new();
    for _ in 0..2 {
        let ask = TakeOptions { keep: Keep::Nothing, ..TakeOptions::default() };
        app.world_mut().write_message(Record::Start(ask));
        until(app, "a question", |world| recorder(world).take.is_some());
        questions.extend(recorder(app.world()).take);
        app.world_mut().write_message(Record::Stop);
        until(app, "its end", |world| recorder(world).take.is_none());
    }
    let there: Vec<bool> = questions.iter().map(|asked| app.world().get::<QuestionTake>(*asked).is_some()).collect();
    assert_eq!(there, [false, true]);
    assert!(app.world().get::<Sample>(questions[1]).is_none(), "what is only a question is no sample");
    // It has no file, so there is nothing to cut.
    assert!(app.world().get::<Slices>(questions[1]).is_none() && app.world().get::<Trim>(questions[1]).is_none());
    until(app, "rest", is_idle);
}

/// Begins a take; its messages have to be kept open, or saying one would fail.
fn start(
    server: &Server,
    root: &Path,
    out: &Path,
) -> (Child, Instant, std::io::Lines<BufReader<std::process::ChildStderr>>) {
    let mut command = soundkin(&root.join("library.db"));
    let command = server.run(command.arg("record").arg(out)).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = lines.next().unwrap().unwrap();
    assert!(said.contains("recording from"), "{said}");
    // A sink that has never played takes up to two seconds to give its first block.
    let deadline = Instant::now() + Duration::from_mins(1);
    while out.metadata().is_ok_and(|file| file.len() < 1000) {
        assert!(Instant::now() < deadline, "the input gives nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
    (child, Instant::now(), lines)
}

fn seconds(path: &Path) -> f64 {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"])
        .arg(path)
        .output()
        // `make test` installs it.
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds: f64 = text.trim().parse().unwrap_or_else(|_| panic!("{} lasts {text:?} s", path.display()));
    // And every frame that the header states is there.
    let reader = hound::WavReader::open(path).unwrap();
    let rate = f64::from(reader.spec().sample_rate);
    let stated = f64::from(reader.duration()) / rate;
    let channels = f64::from(reader.spec().channels);
    let found = reader.into_samples::<f32>().map(Result::unwrap).count() as f64 / channels / rate;
    assert!((found - stated).abs() < 1e-6 && (found - seconds).abs() < 0.01, "{found} {stated} {seconds}");
    seconds
}

#[test]
fn a_kill_costs_less_than_the_last_second() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(root.path());
    let random = u64::from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos());
    for round in 0..3 {
        let out = root.path().join(format!("killed {round}.wav"));
        let (mut child, began, _lines) = start(&server, root.path(), &out);
        std::thread::sleep(Duration::from_millis(1200 + 600 * round + random / (round + 1) % 500));
        let recorded = began.elapsed().as_secs_f64();
        // SIGKILL: no handler runs, nothing is flushed.
        child.kill().unwrap();
        child.wait().unwrap();
        let kept = seconds(&out);
        assert!(kept > recorded - 1.0, "{kept} s of {recorded} s");
    }
}

#[test]
fn an_interrupt_ends_a_take_whole_and_nothing_is_lost_while_every_core_is_busy() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(root.path());
    let folder = folder_of_sounds(root.path(), 400);
    let out = root.path().join("out.wav");
    let (mut child, _, _lines) = start(&server, root.path(), &out);
    let busy = root.path().join("busy");
    std::fs::create_dir_all(&busy).unwrap();
    json(&busy.join("library.db"), &["index", folder.to_str().unwrap()]);
    std::thread::sleep(Duration::from_millis(300));
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success() && child.wait().unwrap().success());
    assert!(seconds(&out) > 0.3);

    // Its length is exact, it says so, and it is never written over.
    let timed = root.path().join("timed.wav");
    let record = |out: &Path| {
        let mut command = soundkin(&root.path().join("library.db"));
        server.run(command.args(["record", "--seconds", "0.5", "--pre-roll", "0.25", "--json"]).arg(out)).output()
    };
    let output = record(&timed).unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!((told["seconds"].as_f64().unwrap() - 0.75).abs() < 1e-6, "{told}");
    assert_eq!(
        [&told["overruns"], &told["xruns"], &told["ended"], &told["clipped"]],
        [&0.into(), &0.into(), &Value::Null, &false.into()]
    );
    assert_eq!(told["path"], timed.canonicalize().unwrap().to_str().unwrap());
    let output = record(&timed).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("already exists"));
}

#[test]
fn a_sound_server_that_dies_ends_the_take_with_what_was_recorded() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(root.path());
    let out = root.path().join("out.wav");
    let (mut child, _, _lines) = start(&server, root.path(), &out);
    std::thread::sleep(Duration::from_millis(700));
    drop(server);
    let deadline = Instant::now() + Duration::from_mins(1);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the take does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(seconds(&out) > 0.3);
}

#[test]
fn a_question_from_the_microphone_keeps_nothing() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(root.path());
    let library = root.path().join("library.db");
    json(&library, &["index", demo().to_str().unwrap()]);
    let sound = demo().join("pads/pad_01.flac");
    let mut player = soundkin(&library);
    let mut player = server.run(player.arg("play").arg(&sound)).stdout(Stdio::null()).spawn().unwrap();
    let output =
        server.run(soundkin(&library).args(["similar", "--mic", "1.5", "-k", "3", "--json"])).output().unwrap();
    player.wait().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(found["neighbours"].as_array().unwrap().len(), 3);
    assert_eq!(json(&library, &["list"])["samples"].as_array().unwrap().len(), 75);
}

#[test]
fn without_an_input_a_take_fails_in_one_line() {
    let root = tempfile::tempdir().unwrap();
    let nothing = root.path().join("nothing.conf");
    std::fs::write(&nothing, "").unwrap();
    let out = root.path().join("out.wav");
    let mut command = soundkin(&root.path().join("library.db"));
    let output = command.args(["record", "--seconds", "1"]).arg(&out).env("ALSA_CONFIG_PATH", &nothing).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    // The system's own library adds lines of its own.
    let ours: Vec<&str> = text.lines().filter(|line| !line.starts_with("ALSA lib")).collect();
    assert_eq!(ours, ["soundkin: no sound input found; connect one and record again"]);
    assert!(!out.exists());
}
