//! How long a click waits for its sound.
//!
//! `cargo bench --profile dev --bench audition` plays every sound of the demo library through the app and its `audio`
//! actor into a simulated device (512 frames at 48 kHz), and prints the time from the message to the buffer with the
//! first sample that is not zero. The wait for the device's next buffer, 0 to 10.7 ms, is part of it, as it is for a
//! listener; what a real device adds after that is its own two buffers.
//!
//! The 75 sounds of the demo library on four cores of an AMD EPYC virtual machine, 2026-11-23:
//!
//! ```text
//!                                     median     worst   (ms)
//! never opened before                    6.1      24.4
//! prepared, as a hovered sound is        5.7      13.3
//! ```

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod scale;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dsp::Seconds;
use soundkin::audio::{Audition, Playback, SimulatedAudioPlugin};
use soundkin::library::Sample;
use soundkin::{player, run_until};

fn main() {
    let mut files = Vec::new();
    find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo"), &mut files);
    files.sort();
    files.truncate(scale::or_few(usize::MAX, 3));
    println!("{} sounds", files.len());
    println!("                                    median     worst   (ms)");
    table("never opened before", &mut waits(&files, false));
    table("prepared, as a hovered sound is", &mut waits(&files, true));
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "flac") {
            files.push(path);
        }
    }
}

/// Plays each file once; returns the times to its first sound in milliseconds.
fn waits(files: &[PathBuf], prepare: bool) -> Vec<f64> {
    let started = Instant::now();
    let sounded = Arc::new(AtomicU64::new(0));
    let first = sounded.clone();
    let mut app = player(SimulatedAudioPlugin(move |buffer: &[f32]| {
        if buffer.iter().any(|sample| *sample != 0.0) {
            let now = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let _ = first.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }));
    let mut waits = Vec::new();
    for (i, path) in files.iter().enumerate() {
        let sample = app.world_mut().spawn(Sample { path: path.as_path().into() }).id();
        if prepare {
            app.world_mut().write_message(Audition::Prepare(sample));
            app.update();
        }
        // Not in step with the device's buffers.
        std::thread::sleep(Duration::from_micros(100_000 + 1371 * i as u64));
        sounded.store(0, Ordering::Relaxed);
        let asked = started.elapsed();
        app.world_mut().write_message(Audition::Play { sample, from: Seconds(0.0), region: None });
        app.update();
        while sounded.load(Ordering::Relaxed) == 0 {
            std::thread::sleep(Duration::from_micros(50));
        }
        let heard = Duration::from_nanos(sounded.load(Ordering::Relaxed));
        waits.push(heard.saturating_sub(asked).as_secs_f64() * 1000.0);
        run_until(&mut app, Some(Duration::from_secs(1)), |world| world.resource::<Playback>().sample.is_some());
        app.world_mut().write_message(Audition::Stop);
        run_until(&mut app, Some(Duration::from_secs(1)), |world| world.resource::<Playback>().sample.is_none());
    }
    waits
}

fn table(name: &str, waits: &mut [f64]) {
    waits.sort_by(f64::total_cmp);
    let (median, worst) = (waits.get(waits.len() / 2), waits.last());
    println!("{name:<32} {:>9.1} {:>9.1}", median.unwrap_or(&0.0), worst.unwrap_or(&0.0));
}
