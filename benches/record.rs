//! Recording, from sound to place on the map, over a sound server whose output is its input.
//!
//! `cargo bench --profile dev --bench record` (part of `make bench`) plays twenty sounds of the demo library through the
//! app while the app records them, and prints how many takes have what was played as their nearest neighbour, the time
//! from a sound to the take's first place on the map, and from the end of a take to its final place. Then it records for
//! 60 s while another process indexes with every core, again and again, and prints how many frames were lost.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "../tests/it/loopback.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod loopback;
mod scale;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use loopback::{INSIDE, Server, record_while_playing, studio};
use scale::or_few;

/// Sounds that are recorded, and takes under load in seconds.
const SOUNDS: usize = 20;
const LONG: usize = 60;

fn main() -> anyhow::Result<()> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo").canonicalize()?;
    if let Some(root) = std::env::var_os(INSIDE) {
        recognise(Path::new(&root), &demo);
        return Ok(());
    }
    let date = Command::new("date").arg("+%F %R").output()?;
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores, {}, {}", processor.unwrap_or("?"), String::from_utf8_lossy(&date.stdout).trim());
    let root = tempfile::tempdir()?;
    let server = Server::start(root.path());
    server.run(Command::new(std::env::current_exe()?).args(std::env::args().skip(1))).status()?;
    under_load(&server, root.path(), &demo)
}

fn recognise(root: &Path, demo: &Path) {
    let mut files = Vec::new();
    find(demo, &mut files);
    files.sort();
    let mut app = studio(root, demo);
    let (mut right, mut live, mut placed) = (0, Vec::new(), Vec::new());
    let sounds = or_few(SOUNDS, 1);
    for i in 0..sounds {
        let sound = &files[i * files.len() / sounds];
        let outcome = record_while_playing(&mut app, demo, sound);
        if outcome.nearest.as_ref() == Some(sound) {
            right += 1;
        } else {
            println!("{} sounds like {:?}", sound.display(), outcome.nearest);
        }
        live.extend(outcome.live);
        placed.push(outcome.placed);
    }
    println!("nearest neighbour is what was played   {right} of {sounds}   (aim 18)");
    table("from sound to live place", &mut live, 1000);
    table("from stop to final place", &mut placed, 300);
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

fn table(name: &str, times: &mut [Duration], aim: u32) {
    times.sort();
    let ms = |time: Option<&Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
    let (median, worst) = (ms(times.get(times.len() / 2)), ms(times.last()));
    println!("{name:<38} median {median:.0} ms, worst {worst:.0} ms   (aim {aim} ms)");
}

/// Records while every core indexes.
fn under_load(server: &Server, root: &Path, demo: &Path) -> anyhow::Result<()> {
    let (soundkin, long) = (env!("CARGO_BIN_EXE_soundkin"), or_few(LONG, 3) as u64);
    let mut record = Command::new(soundkin);
    record.args(["record", "--seconds", &long.to_string(), "--json", "-q"]).arg(root.join("long.wav"));
    let child = server.run(&mut record).stdout(Stdio::piped()).spawn()?;
    let (began, mut rounds) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(long) {
        let library = root.join(format!("load {rounds}.db"));
        let mut index = Command::new(soundkin);
        index.arg("index").arg(demo).arg("--library").arg(library).stdout(Stdio::null()).stderr(Stdio::null());
        index.status()?;
        rounds += 1;
    }
    let told: serde_json::Value = serde_json::from_slice(&child.wait_with_output()?.stdout)?;
    let (seconds, frames, xruns) = (&told["seconds"], &told["overruns"], &told["xruns"]);
    println!("{seconds} s recorded during {rounds} indexings: {frames} frames lost, {xruns} xruns   (aim 0)");
    Ok(())
}
