//! Sounds, apps and child processes that several tests need.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use bevy::prelude::*;
use model::Model;
use serde_json::Value;
use soundkin::store::Library;
use soundkin::watch::AddFolder;
use soundkin::{Assembly, headless, is_idle, run_until};

/// Writes a 16-bit WAV of a decaying tone whose pitch and length depend on `n`; no two are alike.
pub fn write_sound(path: &Path, n: u32) {
    write_wav(path, 44_100, 1, &sound(n));
}

/// A decaying tone with some noise, repeatable, in -1..=1.
pub fn sound(n: u32) -> Vec<f32> {
    let frames = 6000 + (n % 7) * 3000;
    let pitch = 80.0 * 1.12_f32.powi(i32::try_from(n % 40).unwrap());
    let mut state = n.wrapping_add(1);
    (0..frames)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = state as f32 / u32::MAX as f32 - 0.5;
            let t = i as f32 / 44_100.0;
            let decay = (-t * 12.0).exp();
            decay * (0.7 * (std::f32::consts::TAU * pitch * t).sin() + 0.2 * noise * (n % 3) as f32)
        })
        .collect()
}

/// Writes a 16-bit WAV; `mono` goes to every channel.
pub fn write_wav(path: &Path, rate: u32, channels: u16, mono: &[f32]) {
    let spec =
        hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for sample in mono {
        for _ in 0..channels {
            writer.write_sample((sample * 32767.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
}

/// A folder of `n` different sounds.
pub fn folder_of_sounds(root: &Path, n: u32) -> PathBuf {
    let folder = root.join("sounds");
    std::fs::create_dir_all(&folder).unwrap();
    for i in 0..n {
        write_sound(&folder.join(format!("sound {i:03}.wav")), i);
    }
    folder.canonicalize().unwrap()
}

/// The engine over a library file.
pub fn app(library: &Path) -> App {
    let model = Arc::new(Model::built_in().unwrap());
    headless(Assembly::new(Some(Library::open(library).unwrap()), model))
}

/// Lists and analyses a folder until nothing is left to do.
pub fn index(app: &mut App, folder: &Path) {
    app.world_mut().write_message(AddFolder { path: folder.to_owned(), follow: false });
    app.update();
    assert!(run_until(app, Some(Duration::from_mins(2)), is_idle), "indexing did not end");
}

/// The program with a library of its own.
pub fn soundkin(library: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soundkin"));
    command.env("SOUNDKIN_LIBRARY", library).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command.current_dir(library.parent().unwrap());
    command
}

/// Runs a verb with `--json` and parses its one object.
pub fn json(library: &Path, arguments: &[&str]) -> Value {
    let output = soundkin(library).args(arguments).arg("--json").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stdout)))
}

/// The one line of an error, checked to be one line.
pub fn error_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.lines().count(), 1, "an error is one line: {text}");
    text.trim().to_owned()
}
