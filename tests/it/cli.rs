//! The command line's contract: JSON, exit status, one line an error.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use crossbeam_channel::{Receiver, bounded};
use serde_json::Value;

use crate::support::{error_line, folder_of_sounds, json, sound, soundkin, write_sound, write_wav};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn has_keys(value: &Value, wanted: &[&str]) {
    let keys = keys(value);
    assert!(wanted.iter().all(|key| keys.contains(key)), "{wanted:?} in {keys:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a run that was ended midway is made behind the program's back")]
fn similar_says_how_much_of_the_library_is_analysed() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 4);
    let library = root.path().join("library.db");
    json(&library, &["index", folder.to_str().unwrap()]);
    let query = folder.join("sound 001.wav");
    let similar = || soundkin(&library).args(["similar", query.to_str().unwrap(), "--json"]).output().unwrap();
    let told = similar();
    assert!(told.status.success() && told.stderr.is_empty(), "{}", String::from_utf8_lossy(&told.stderr));
    let forget =
        "DELETE FROM embedding WHERE hash = (SELECT hash FROM sample WHERE CAST(path AS TEXT) LIKE '%003.wav')";
    assert_eq!(rusqlite::Connection::open(&library).unwrap().execute(forget, []).unwrap(), 1);
    let told = similar();
    let answer: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&answer["among"], &answer["of"]), (&3.into(), &4.into()));
    let line = error_line(&told);
    assert!(line.starts_with("soundkin: searched 3 of 4 sounds; the others have not been analysed"), "{line}");
}

#[test]
fn index_list_similar_map_and_doctor_keep_the_contract() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 9);
    let library = root.path().join("library.db");
    let indexed = json(&library, &["index", folder.to_str().unwrap()]);
    has_keys(&indexed, &["folders", "files", "new", "changed", "unchanged", "missing", "failed", "audio_seconds"]);
    has_keys(&indexed, &["seconds", "model"]);
    assert_eq!((&indexed["files"], &indexed["new"], &indexed["model"]), (&9.into(), &9.into(), &"aisfx-int8".into()));

    let listed = json(&library, &["list", "--sort", "seconds:desc", "--filter", "SOUND 00"]);
    let samples = listed["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 9);
    has_keys(&samples[0], &["path", "seconds", "channels", "rate", "codec", "lufs", "peak_db", "brightness_hz"]);
    has_keys(&samples[0], &["tags", "rating", "missing"]);
    assert!(samples.windows(2).all(|w| w[0]["seconds"].as_f64() >= w[1]["seconds"].as_f64()));
    assert!(Path::new(samples[0]["path"].as_str().unwrap()).is_absolute());

    let query = folder.join("sound 004.wav");
    let similar = json(&library, &["similar", query.to_str().unwrap(), "-k", "3"]);
    has_keys(&similar, &["query", "model", "k", "exact", "among", "of", "seconds", "neighbours"]);
    let neighbours = similar["neighbours"].as_array().unwrap();
    assert_eq!((neighbours.len(), &similar["exact"]), (3, &true.into()));
    assert!(neighbours.iter().all(|n| n["path"] != query.to_str().unwrap()), "the query itself is not listed");
    assert!(neighbours.windows(2).all(|w| w[0]["similarity"].as_f64() >= w[1]["similarity"].as_f64()));
    assert!(neighbours.iter().all(|n| n["similarity"].as_f64().is_some_and(|s| (-1.0..=1.0001).contains(&s))));
    assert_eq!(neighbours[0]["rank"], 1);

    assert_eq!(keys(&neighbours[0]).iter().filter(|key| **key == "why").count(), 0);
    let why = json(&library, &["similar", query.to_str().unwrap(), "--why", "--head", "0", "--smooth", "0"]);
    assert_eq!(why["head"], 0.0);
    let parts = why["neighbours"][0]["why"].as_object().unwrap();
    let names = ["head", "network", "pitch", "envelope", "brightness", "loudness", "length"];
    assert!(names.iter().all(|name| parts[*name].as_f64().is_some_and(|c| (0.0..=1.0).contains(&c))), "{parts:?}");
    assert!(parts["neighbourhood"].is_null() && parts.len() == names.len() + 1, "{parts:?}");
    let difference = why["neighbours"][0]["similarity"].as_f64().unwrap() - parts["network"].as_f64().unwrap();
    assert!(difference.abs() < 1e-6, "at weight 0 the network alone ranks");
    assert!((similar["head"].as_f64().unwrap() - 0.7).abs() < 1e-6);

    let smoothed = json(&library, &["similar", query.to_str().unwrap(), "--why", "--smooth", "1"]);
    for neighbour in smoothed["neighbours"].as_array().unwrap() {
        let difference =
            neighbour["similarity"].as_f64().unwrap() - neighbour["why"]["neighbourhood"].as_f64().unwrap();
        assert!(difference.abs() < 1e-6, "with a share of 1 the neighbourhoods alone rank: {neighbour}");
    }
    let timbre = json(&library, &["similar", query.to_str().unwrap(), "--by", "timbre"]);
    assert_eq!((&timbre["head"], &timbre["smooth"]), (&0.0.into(), &0.5.into()));
    assert_ne!(timbre["neighbours"], why["neighbours"]);

    let map = json(&library, &["map"]);
    has_keys(&map, &["model", "method", "seed", "clusters", "groups", "points"]);
    assert_eq!(map["method"], "umap");
    let groups = map["clusters"].as_array().unwrap().len() as u64;
    assert!(
        map["points"].as_array().unwrap().iter().all(|p| p["cluster"].as_u64().is_some_and(|group| group < groups))
    );
    assert_eq!(map["points"].as_array().unwrap().len(), 9);
    let parts = map["groups"].as_array().unwrap();
    parts.iter().for_each(|part| has_keys(part, &["id", "name", "size", "cluster"]));
    assert_eq!(parts.iter().map(|part| part["size"].as_u64().unwrap()).sum::<u64>(), 9);
    assert!(map["points"].as_array().unwrap().iter().all(|p| parts.iter().any(|part| part["id"] == p["group"])));
    for name in ["map.png", "map.csv", "map.json"] {
        json(&library, &["map", "--out", name]);
        assert!(root.path().join(name).metadata().unwrap().len() > 300, "{name}");
    }

    let doctor = json(&library, &["doctor"]);
    has_keys(&doctor, &["version", "onnxruntime", "model", "outputs", "inputs", "gpu", "library"]);
    assert_eq!(doctor["library"]["samples"], 9);
    assert!(doctor["onnxruntime"]["version"].as_str().unwrap().starts_with("1."));

    let models = json(&library, &["models"]);
    let ids: Vec<&str> = models["models"].as_array().unwrap().iter().filter_map(|m| m["id"].as_str()).collect();
    assert!(ids.contains(&"aisfx-int8") && ids.contains(&"aisfx-f16"), "{ids:?}");
}

#[test]
fn a_query_from_outside_finds_its_copy_first_and_is_not_kept() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 8);
    let library = root.path().join("library.db");
    json(&library, &["index", folder.to_str().unwrap()]);
    // The same sound, softer and at another rate: found, and not by its bytes.
    let outside = root.path().join("outside.wav");
    let softer: Vec<f32> = sound(5).iter().map(|s| s * 0.3).collect();
    write_wav(&outside, 44_100, 2, &softer);
    let similar = json(&library, &["similar", outside.to_str().unwrap()]);
    let first = &similar["neighbours"][0];
    assert!(first["path"].as_str().unwrap().ends_with("sound 005.wav"), "{similar}");
    assert!(first["similarity"].as_f64().unwrap() > 0.97, "{first}");
    assert_eq!(json(&library, &["list"])["samples"].as_array().unwrap().len(), 8);
}

#[test]
fn a_passage_is_asked_about_alone() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 24);
    // Two of the sounds, one after the other: the whole is like neither.
    let both = folder.join("both.wav");
    let silence = vec![0.0; 44_100 - sound(4).len()];
    write_wav(&both, 44_100, 1, &[sound(4), silence, sound(13)].concat());
    let library = root.path().join("library.db");
    json(&library, &["index", folder.to_str().unwrap()]);
    for (region, expected) in [([0.0, 0.41], "sound 004.wav"), ([1.0, 9.0], "sound 013.wav")] {
        let region_text = format!("{}..{}", region[0], region[1]);
        let found = json(&library, &["similar", both.to_str().unwrap(), "--region", &region_text, "-k", "30"]);
        assert_eq!(found["region"], serde_json::json!(region));
        let neighbours = found["neighbours"].as_array().unwrap();
        assert!(neighbours[0]["path"].as_str().unwrap().ends_with(expected), "{region_text}: {}", neighbours[0]);
        assert!(neighbours[0]["similarity"].as_f64().unwrap() > 0.99, "{}", neighbours[0]);
        assert!(neighbours.iter().all(|n| n["path"] != both.to_str().unwrap()), "the sound it is from is not listed");
    }
    let late = soundkin(&library).args(["similar", "--region", "60..61"]).arg(&both).output().unwrap();
    assert_eq!(late.status.code(), Some(1));
    assert!(error_line(&late).contains("before the region begins"), "{}", error_line(&late));
}

#[test]
fn several_sounds_blend_and_one_can_be_less_wanted() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 40);
    let library = root.path().join("library.db");
    json(&library, &["index", folder.to_str().unwrap()]);
    let path = |n: u32| folder.join(format!("sound {n:03}.wav")).to_str().unwrap().to_owned();
    let ranked = |arguments: &[&str]| -> Vec<String> {
        let found = json(&library, &[&["similar", "-k", "40"], arguments].concat());
        found["neighbours"].as_array().unwrap().iter().map(|n| n["path"].as_str().unwrap().to_owned()).collect()
    };
    let (low, high) = (path(3), path(30));
    let blend = ranked(&[&low, &high]);
    assert_eq!(blend.len(), 38, "neither of them is listed");
    assert!(!blend.contains(&low) && !blend.contains(&high));
    assert_eq!(blend, ranked(&[&high, &low]), "in any order");
    assert_ne!(blend[..5], ranked(&[&low])[..5]);

    let near = ranked(&[&low]);
    let less = ranked(&[&low, "--minus", &near[0]]);
    assert!(!less.contains(&near[0]), "what is less wanted is not listed");
    let twin = ranked(&[&near[0]]).into_iter().find(|path| *path != low).unwrap();
    let rank = |list: &[String]| list.iter().position(|path| *path == twin).unwrap();
    assert!(rank(&less) > rank(&near), "what is like it comes later: {} and {}", rank(&less), rank(&near));

    let against = soundkin(&library).args(["similar", &low, "--minus", &low]).output().unwrap();
    assert!(error_line(&against).contains("cancels the query"), "{}", error_line(&against));
    let unknown = soundkin(&library).args(["similar", &low, "--minus", "nowhere.wav"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(error_line(&unknown).ends_with("nowhere.wav"), "{}", error_line(&unknown));
    let alone = soundkin(&library).args(["similar", "--minus", &low]).output().unwrap();
    assert_eq!(alone.status.code(), Some(2));
}

#[test]
fn embed_prints_unit_vectors_and_stores_nothing() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("a.wav");
    write_sound(&file, 3);
    let library = root.path().join("library.db");
    let embedded = json(&library, &["embed", file.to_str().unwrap(), "--model", "aisfx-f16"]);
    assert_eq!((&embedded["model"], &embedded["dim"]), (&"aisfx-f16".into(), &512.into()));
    let vector: Vec<f64> =
        embedded["embeddings"][0]["vector"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert_eq!(vector.len(), 512);
    assert!((vector.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-3);
    assert_eq!(embedded["embeddings"][0]["windows"], 1);
    let lengths = ["descriptors", "head", "raw"].map(|part| embedded["embeddings"][0][part].as_array().unwrap().len());
    assert_eq!(lengths, [47, 64, 559]);
    assert!(!library.exists());
}

#[test]
fn errors_are_one_line_with_the_right_status() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library.db");
    let fails = |arguments: &[&str], status: i32, wanted: &str| {
        let output = soundkin(&library).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let text = if status == 1 { error_line(&output) } else { String::from_utf8_lossy(&output.stderr).into_owned() };
        assert!(text.contains(wanted), "{arguments:?}: {text}");
    };
    fails(&["index", "no/such/folder"], 1, "cannot read folder");
    fails(&["list"], 1, "there is no library yet");
    fails(&["similar", "x.wav"], 1, "there is no library yet");
    fails(&["embed", "no-such.wav"], 1, "cannot read file");
    fails(&["embed", "x.wav", "--model", "nope"], 1, "no model is called \"nope\"");
    fails(&["index"], 2, "FOLDER");
    fails(&["list", "--sort", "colour"], 2, "sort by one of");
    fails(&["index", "--jobs", "0", "."], 2, "--jobs");
    fails(&["similar", "x.wav", "--head", "1.5"], 2, "from 0 to 1");
    std::fs::write(root.path().join("text.wav"), "this is not a sound at all, only words").unwrap();
    fails(&["embed", "text.wav"], 1, "text.wav");
    std::fs::write(root.path().join("other.db"), "this is not a database, only words, and quite a few").unwrap();
    fails(&["list", "--library", "other.db"], 1, "not a Soundkin library");
}

#[test]
fn small_things_of_the_contract_hold() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 4);
    let library = root.path().join("library.db");
    json(&library, &["index", folder.to_str().unwrap()]);
    let paths = |sort: &str| -> Vec<String> {
        let listed = json(&library, &["list", "--sort", sort]);
        listed["samples"].as_array().unwrap().iter().map(|sample| sample["path"].to_string()).collect()
    };
    assert!(paths("path").iter().eq(paths("path:desc").iter().rev()));
    let copy = root.path().join("copy.wav");
    std::fs::copy(folder.join("sound 002.wav"), &copy).unwrap();
    let similar = json(&library, &["similar", copy.to_str().unwrap()]);
    let most = similar["neighbours"][0]["similarity"].as_f64().unwrap();
    assert!((0.9999..=1.0).contains(&most), "{most}");
    let usage = [&["record", "take.mp3"][..], &["record", "--pre-roll", "61"], &["record", "--seconds", "0"]];
    for arguments in usage.into_iter().chain([&["similar"][..], &["list", "--soft", "name"], &["nowhere", "-Z"]]) {
        let output = soundkin(&library).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{arguments:?}: {said}");
        let verb = if arguments[0] == "nowhere" { "" } else { &format!("{} ", arguments[0]) };
        assert!(said.ends_with(&format!("; see `soundkin {verb}--help`\n")), "{said}");
    }
    let output = soundkin(&library).args(["embed", "nowhere.wav"]).output().unwrap();
    assert_eq!(error_line(&output).matches("nowhere.wav").count(), 1);
    // A map that cannot be written leaves what was there, and nothing beside it.
    std::fs::create_dir(root.path().join("map.csv")).unwrap();
    let output = soundkin(&library).args(["map", "--out", "map.csv"]).output().unwrap();
    assert!(error_line(&output).ends_with(": map.csv") && !root.path().join("map.csv.part").exists());
    // Named by nothing, the library is the usual one: `models` needs none.
    let mut models = soundkin(&library);
    assert!(models.env("SOUNDKIN_LIBRARY", "").arg("models").output().unwrap().status.success());
}

#[test]
fn files_that_fail_are_listed_and_do_not_change_the_status() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 2);
    std::fs::write(folder.join("broken.flac"), b"fLaC and nothing more").unwrap();
    let library = root.path().join("library.db");
    let indexed = json(&library, &["index", folder.to_str().unwrap()]);
    let failed = indexed["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 1);
    has_keys(&failed[0], &["path", "stage", "reason"]);
    assert_eq!(failed[0]["stage"], "decode");
}

#[test]
fn a_second_process_on_a_library_gets_a_clear_answer() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 1);
    let library = root.path().join("library.db");
    let held = soundkin::store::Library::open(&library).unwrap();
    let output = soundkin(&library).arg("index").arg(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error_line(&output).contains("in use by another Soundkin"));
    drop(held);
    json(&library, &["index", folder.to_str().unwrap()]);
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_utf8_is_printed_with_its_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("sounds");
    std::fs::create_dir(&folder).unwrap();
    write_sound(&folder.join(std::ffi::OsStr::from_bytes(b"caf\xe9 -\n'\".wav")), 1);
    let library = root.path().join("library.db");
    json(&library, &["index", folder.to_str().unwrap()]);
    let listed = json(&library, &["list"]);
    let sample = &listed["samples"][0];
    assert!(sample["seconds"].is_number(), "{sample}");
    let bytes = base64::engine::general_purpose::STANDARD.decode(sample["path_bytes"].as_str().unwrap()).unwrap();
    assert!(bytes.ends_with(b"/caf\xe9 -\n'\".wav"));
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_sent_to_the_network_or_kept_for_it() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    // Looked up before the home folder is another one.
    let runtime = soundkin::paths::onnxruntime_library().expect("`make test` installs ONNX Runtime");
    let home = root.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let trace = root.path().join("trace");
    let program = env!("CARGO_BIN_EXE_soundkin");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-e", "trace=connect,sendto,sendmsg", "-o"]).arg(&trace).arg(program);
    strace.arg("--library").arg(root.path().join("library.db")).arg("index").arg(&folder);
    // Where one of a dozen variables says that this is a test, ONNX Runtime keeps still by itself.
    strace.env_clear().env("HOME", &home).env("ORT_DYLIB_PATH", runtime);
    strace.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    assert!(strace.output().expect("`make test` installs strace").status.success());
    let trace = std::fs::read_to_string(trace).unwrap();
    assert!(trace.contains("exited with 0"), "strace saw the program");
    assert!(!trace.contains("AF_INET"), "{trace}");
    let kept: Vec<_> = std::fs::read_dir(&home).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn a_library_is_read_as_it_is_and_never_analysed_on_the_side() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    json(&library, &["index", folder.to_str().unwrap()]);
    // Under another model nothing has a vector yet; asking must not start hours of work that cannot be kept.
    let query = folder.join("sound 001.wav");
    let output = soundkin(&library).args(["similar", "--model", "aisfx-f16"]).arg(&query).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error_line(&output).contains("index"), "{}", error_line(&output));
    let map = json(&library, &["map", "--model", "aisfx-f16"]);
    assert_eq!(map["points"].as_array().unwrap().len(), 0);
}

#[test]
fn without_onnx_runtime_sounds_are_listed_and_the_reason_is_given() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    let mut command = soundkin(&library);
    command.args(["index", "--json"]).arg(&folder).env("ORT_DYLIB_PATH", root.path().join("nowhere.so"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("ONNX Runtime does not load") && text.lines().count() == 2, "{text}");
    let listed = json(&library, &["list"]);
    assert!(listed["samples"].as_array().unwrap().iter().all(|s| s["seconds"].is_number()));
    // With it back, the vectors are made.
    let indexed = json(&library, &["index", folder.to_str().unwrap()]);
    assert_eq!((&indexed["unchanged"], &indexed["windows"]), (&3.into(), &3.into()));
}

#[test]
fn play_without_a_device_or_a_file_says_so_in_one_line() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library.db");
    let file = root.path().join("tone.wav");
    write_sound(&file, 3);
    // A configuration without any device; elsewhere than on Linux this machine's own would play.
    let nothing = root.path().join("asound.conf");
    std::fs::write(&nothing, "").unwrap();
    let run =
        |arguments: &[&str]| soundkin(&library).args(arguments).env("ALSA_CONFIG_PATH", &nothing).output().unwrap();
    if cfg!(target_os = "linux") {
        let output = run(&["play", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr);
        // The system's own library adds lines of its own.
        let ours: Vec<&str> = text.lines().filter(|line| !line.starts_with("ALSA lib")).collect();
        assert_eq!(ours, ["soundkin: no sound output found; connect one and play again"]);
    }
    let output = run(&["play", "/nowhere/gone.wav"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(error_line(&output).ends_with(": /nowhere/gone.wav"));
    assert_eq!(run(&["play", file.to_str().unwrap(), "--region", "2..1"]).status.code(), Some(2));
}

#[test]
fn whoever_reads_the_output_may_stop_or_be_unable_to_take_it() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    // Nobody reads what is said of each file, and all are done all the same.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (mut program, copy) = (soundkin(&library), writer.try_clone().unwrap());
    let indexed = program.args(["index", "-v"]).arg(&folder).stdout(copy).stderr(writer).status().unwrap();
    assert!(indexed.success());
    for arguments in [&["list"][..], &["list", "--json"], &["map"], &["models"], &["doctor"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = soundkin(&library).args(arguments).stdout(writer).output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{arguments:?}");
        assert!(output.status.success(), "{arguments:?}");
    }
    if cfg!(target_os = "linux") {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = soundkin(&library).arg("list").stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(error_line(&output).contains("cannot write the result"), "{output:?}");
    }
}

#[test]
fn sounds_are_exported_beside_what_is_there() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    let to = root.path().join("out");
    let sounds: Vec<String> =
        (0..3).map(|n| folder.join(format!("sound {n:03}.wav")).to_str().unwrap().to_owned()).collect();
    let target = to.to_str().unwrap();
    let first = json(&library, &["export", &sounds[0], &sounds[1], "nowhere.wav", "--to", target]);
    let exported = first["exported"].as_array().unwrap();
    assert_eq!(
        (exported.len(), &exported[0]["path"], &exported[0]["new"]),
        (2, &sounds[0].as_str().into(), &true.into())
    );
    assert!(first["failed"][0]["path"].as_str().unwrap().ends_with("nowhere.wav"), "{first}");
    assert_eq!(std::fs::read(exported[1]["to"].as_str().unwrap()).unwrap(), std::fs::read(&sounds[1]).unwrap());
    assert_eq!(json(&library, &["export", &sounds[0], "--to", target])["exported"][0]["new"], false);
    let part = json(&library, &["export", &sounds[2], "--to", target, "--region", "0.01..0.02"]);
    let part = hound::WavReader::open(part["exported"][0]["to"].as_str().unwrap()).unwrap();
    assert_eq!(part.duration(), 441);
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 3);
    assert!(!library.exists(), "no library is needed");

    let nothing = soundkin(&library).args(["export", &sounds[2], "--to", target, "--region", "7..8"]).output().unwrap();
    assert_eq!(nothing.status.code(), Some(1));
    assert!(error_line(&nothing).ends_with("sound 002.wav"), "{}", error_line(&nothing));
    assert_eq!(soundkin(&library).args(["export", &sounds[2]]).output().unwrap().status.code(), Some(2));
}

#[test]
fn a_followed_library_tells_of_each_change_on_a_line() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 3);
    let library = root.path().join("library.db");
    let empty = soundkin(&library).arg("watch").output().unwrap();
    assert!(empty.status.code() == Some(1) && error_line(&empty).contains("no library yet"), "{}", error_line(&empty));
    json(&library, &["index", folder.to_str().unwrap()]);
    let mut command = soundkin(&library);
    command.args(["watch", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watching = Ended(command.spawn().unwrap());
    let said = lines_of(watching.0.stderr.take().unwrap());
    let lines = lines_of(watching.0.stdout.take().unwrap());
    let patience = Duration::from_mins(1);
    assert!(said.recv_timeout(patience).unwrap().contains("following 3 sounds"));
    let next = || -> Value { serde_json::from_str(&lines.recv_timeout(patience).unwrap()).unwrap() };
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();

    write_sound(Path::new(&path("new.wav")), 17);
    assert_eq!(next(), serde_json::json!({"event": "added", "path": path("new.wav")}));
    std::fs::rename(path("new.wav"), path("moved.wav")).unwrap();
    let moved = serde_json::json!({"event": "moved", "path": path("moved.wav"), "from": path("new.wav")});
    assert_eq!(next(), moved);
    write_sound(Path::new(&path("moved.wav")), 18);
    assert_eq!(next(), serde_json::json!({"event": "changed", "path": path("moved.wav")}));
    std::fs::remove_file(path("moved.wav")).unwrap();
    assert_eq!(next(), serde_json::json!({"event": "missing", "path": path("moved.wav")}));
    std::fs::write(path("text.wav"), "no sound").unwrap();
    let failed = next();
    assert_eq!((&failed["event"], &failed["stage"]), (&"failed".into(), &"decode".into()), "{failed}");

    // A name that was taken changes its sound; a new stamp on the same bytes is no change.
    write_sound(Path::new(&path("text.wav")), 21);
    assert_eq!(next(), serde_json::json!({"event": "changed", "path": path("text.wav")}));
    std::fs::rename(path("sound 000.wav"), path("sound 001.wav")).unwrap();
    let over = serde_json::json!({"event": "moved", "path": path("sound 001.wav"), "from": path("sound 000.wav")});
    assert_eq!(next(), over);
    // A link back to the folder shows nothing new.
    std::os::unix::fs::symlink(&folder, folder.join("again")).unwrap();
    assert!(said.recv_timeout(patience).unwrap().contains("link points back"));
    std::fs::File::open(path("sound 002.wav")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    std::fs::copy(path("sound 001.wav"), path("copy.wav")).unwrap();
    assert_eq!(next(), serde_json::json!({"event": "added", "path": path("copy.wav")}));

    let interrupted = Command::new("kill").args(["-INT", &watching.0.id().to_string()]).status().unwrap();
    assert!(interrupted.success() && watching.0.wait().unwrap().success());
}

/// A process that ends with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// What a process says, as it says it.
#[expect(clippy::disallowed_methods, reason = "a test may not wait for ever for a line")]
fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = bounded(64);
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    lines
}

#[test]
fn long_sounds_with_one_beginning_are_no_copies_unless_they_end_alike() {
    let root = tempfile::tempdir().unwrap();
    let (folder, library) = (root.path().join("songs"), root.path().join("library.db"));
    std::fs::create_dir(&folder).unwrap();
    let song = |last: u32| -> Vec<f32> { (0..15).flat_map(|n| sound(if n < 11 { n } else { n + last })).collect() };
    let write = |name: &str, level: f32, song: Vec<f32>| {
        let song: Vec<f32> = song.into_iter().cycle().take(45 * 8000).map(|s| s * level).collect();
        write_wav(&folder.join(name), 8000, 1, &song);
    };
    write("sung.wav", 1.0, song(0));
    write("played.wav", 1.0, song(20));
    write("soft.wav", 0.5, song(0));
    json(&library, &["index", folder.to_str().unwrap()]);
    let found = json(&library, &["dupes"]);
    let names = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    assert_eq!(found["groups"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["groups"][0]["paths"], Value::from(vec![names("soft.wav"), names("sung.wav")]));
}

#[test]
fn one_sound_in_every_format_is_one_group() {
    let root = tempfile::tempdir().unwrap();
    let library = root.path().join("library.db");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio");
    json(&library, &["index", folder.to_str().unwrap()]);
    let found = json(&library, &["dupes"]);
    let paths = |group: &Value| -> Vec<String> {
        let name = |path: &Value| Path::new(path.as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned();
        group["paths"].as_array().unwrap().iter().map(name).collect()
    };
    let groups: Vec<Vec<String>> = found["groups"].as_array().unwrap().iter().map(paths).collect();
    // Twice over is another sound, and what cannot be decoded is none.
    let mut once: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("unsupported") && !name.starts_with("chained"))
        .collect();
    once.sort();
    assert_eq!(groups, [vec!["chained.ogg".to_owned(), "chained_stereo.ogg".to_owned()], once]);
}

#[test]
fn identical_and_near_identical_sounds_are_grouped() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder_of_sounds(root.path(), 12);
    let library = root.path().join("library.db");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    std::fs::copy(path("sound 002.wav"), path("copy.wav")).unwrap();
    // The same sound softer and in two channels.
    let softer: Vec<f32> = sound(7).iter().map(|s| s * 0.3).collect();
    write_wav(Path::new(&path("softer.wav")), 44_100, 2, &softer);
    // And three times over, or half a semitone lower, which is another sound.
    write_wav(Path::new(&path("thrice.wav")), 44_100, 1, &sound(7).repeat(3));
    write_wav(Path::new(&path("lower.wav")), 42_845, 1, &sound(7));
    json(&library, &["index", folder.to_str().unwrap()]);
    let found = json(&library, &["dupes"]);
    let groups = found["groups"].as_array().unwrap();
    let paths = |group: &Value| -> Vec<String> {
        group["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(groups.len(), 2, "{found}");
    assert_eq!((&groups[0]["kind"], &groups[0]["similarity"]), (&"identical".into(), &1.0.into()));
    assert_eq!(paths(&groups[0]), [path("copy.wav"), path("sound 002.wav")]);
    assert_eq!(
        (&groups[1]["kind"], paths(&groups[1])),
        (&"near".into(), vec![path("softer.wav"), path("sound 007.wav")])
    );
    assert!(groups[1]["similarity"].as_f64().unwrap() >= 0.99);
    // Of identical files one may be gone before anybody has looked.
    std::fs::copy(path("softer.wav"), path("aside.wav")).unwrap();
    json(&library, &["index", folder.to_str().unwrap()]);
    std::fs::remove_file(path("aside.wav")).unwrap();
    let again = json(&library, &["dupes"]);
    assert_eq!(again["groups"].as_array().unwrap().len(), 2, "{again}");
    assert_eq!(json(&library, &["dupes", "--threshold", "1"])["groups"].as_array().unwrap().len(), 1);
    std::fs::hard_link(path("sound 003.wav"), path("link.wav")).unwrap();
    std::os::unix::fs::symlink(path("sound 004.wav"), path("other link.wav")).unwrap();
    json(&library, &["index", folder.to_str().unwrap()]);
    assert_eq!(json(&library, &["dupes"])["groups"].as_array().unwrap().len(), 2, "one file with two names is no copy");
    std::fs::remove_file(path("copy.wav")).unwrap();
    assert_eq!(json(&library, &["dupes"])["groups"].as_array().unwrap().len(), 1, "what is gone is no copy");
    assert_eq!(soundkin(&library).args(["dupes", "--threshold", "2"]).output().unwrap().status.code(), Some(2));
}
