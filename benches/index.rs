//! Indexing against its two yardsticks, on the same files in one run: ONNX Runtime alone, and a Python pool.
//!
//! `make bench` or `SOUNDKIN_PYTHON=python cargo bench --profile dev --bench index -- FOLDER…` (the Python needs
//! `export/requirements.txt`). For each model it prints
//!
//! * `ONNX Runtime alone`: all windows of the files in memory, whole, one session a core, nothing else; then the same with
//!   each row of a repeated sound given once, for a network that repeats it itself (`window.network_repeats`);
//! * `soundkin index`: the real program with a new library, start to end, and how its wall time compares;
//! * `Python pool`: `export/python_pool.py`, without its start-up and model loading, decoding at most what the model
//!   hears, measuring nothing else and keeping nothing; with whole windows, then with each row once.
//!
//! Both yardsticks are timed once their sessions are loaded, so each comparison is printed twice: start to end, and
//! without our own start-up, which is what indexing a single file takes but for its time in the session.
//!
//! With `SOUNDKIN_BEFORE` (`make bench BEFORE=…`), another build of the program, such as one from before a change, indexes the
//! same files in every round too, and the share of its files per second that is kept is printed.
//!
//! Rounds alternate, the median counts, so a noisy neighbour hits all sides.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a yardstick lists files and starts threads by itself")]

mod folders;
mod scale;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use file::source::Source;
use file::stream::Decoders;
use model::session::Embedder;
use model::{Model, registry};
use serde_json::Value;
use soundkin::actor::Stop;
use soundkin::analyse::decode::decode;
use soundkin::analyse::runtime;
use soundkin::paths;

use scale::or_few;

const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    let folders = folders::named();
    if folders.is_empty() {
        println!("name one or more folders of sounds: cargo bench --bench index -- FOLDER…");
        return Ok(());
    }
    let cores = std::thread::available_parallelism()?.get();
    println!("{} cores, {}, {} rounds", cores, date(), or_few(ROUNDS, 1));
    for id in ["aisfx-int8", "aisfx-f16"] {
        let model = registry::find(Some(id), &paths::model_folders())?;
        compare(&model, &folders, cores)?;
    }
    Ok(())
}

fn compare(model: &Model, folders: &[PathBuf], cores: usize) -> anyhow::Result<()> {
    let id = &model.manifest.id;
    let (mut ours, mut earlier, mut session, mut start) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let before = std::env::var_os("SOUNDKIN_BEFORE").filter(|program| !program.is_empty());
    let mut files = 0.0;
    let single = single(folders)?;
    let mut ways: Vec<Way> = WAYS.into_iter().map(Way::new).collect();
    if !model.manifest.window.network_repeats {
        ways.truncate(1);
    }
    for way in &mut ways {
        way.inputs = windows(model, folders, way.once)?;
    }
    for _ in 0..or_few(ROUNDS, 1) {
        for way in &mut ways {
            way.alone.push(sessions_alone(model, &way.inputs, cores));
        }
        let first = index(env!("CARGO_BIN_EXE_soundkin").as_ref(), id, &[single.path().to_owned()])?;
        start.push(number(&first, "seconds") - number(&first, "onnxruntime_seconds"));
        let indexed = index(env!("CARGO_BIN_EXE_soundkin").as_ref(), id, folders)?;
        files = number(&indexed, "decoded");
        ours.push(number(&indexed, "seconds"));
        session.push(number(&indexed, "onnxruntime_seconds"));
        if let Some(program) = &before {
            earlier.push(number(&index(program, id, folders)?, "seconds"));
        }
        for way in &mut ways {
            let pool = python(model, folders, way.once);
            way.pool.extend(pool.map(|pool| number(&pool, "seconds") / number(&pool, "files")));
        }
    }
    let (ours, session, start) = (median(ours), median(session), median(start));
    let run = ours - start;
    println!("\n{id}: {files} files, {} windows", ways[0].inputs.len());
    println!("  soundkin index      {ours:6.2} s  {:7.1} files/s, of which {start:.2} s to start", files / ours);
    let both = |what: &str, ratio: &dyn Fn(f64) -> f64| {
        println!("    {what:42} {:.3}, without start-up {:.3}", ratio(ours), ratio(run));
    };
    both("time in its sessions over cores × wall", &|wall| session / (cores as f64 * wall));
    if !earlier.is_empty() {
        let earlier = median(earlier);
        println!("  previous build      {earlier:6.2} s  {:7.1} files/s", files / earlier);
        println!("    share of its files/s that is kept          {:.3}", earlier / ours);
    }
    for way in ways {
        println!("  {}", way.name);
        let alone = median(way.alone);
        println!("    ONNX Runtime alone{alone:6.2} s  {:7.1} files/s", files / alone);
        both("  soundkin over it, files/s", &|wall| alone / wall);
        if way.pool.is_empty() {
            println!("    Python pool       not run: set SOUNDKIN_PYTHON (make bench does)");
            continue;
        }
        let pool = files * median(way.pool);
        println!("    Python pool       {pool:6.2} s  {:7.1} files/s", files / pool);
        both("  soundkin over it, files/s", &|wall| pool / wall);
    }
    Ok(())
}

/// What the yardsticks give the network of a sound shorter than a window: a whole window, as any network takes it, or each
/// row once, for one that repeats them itself.
const WAYS: [(&str, bool); 2] = [("short sounds repeated to whole windows", false), ("short sounds as they are", true)];

struct Way {
    name: &'static str,
    once: bool,
    inputs: Vec<ndarray::Array2<f32>>,
    alone: Vec<f64>,
    pool: Vec<f64>,
}

impl Way {
    fn new((name, once): (&'static str, bool)) -> Self {
        Self { name, once, inputs: Vec::new(), alone: Vec::new(), pool: Vec::new() }
    }
}

/// Decodes every file once and returns what the network would see.
fn windows(model: &Model, folders: &[PathBuf], once: bool) -> anyhow::Result<Vec<ndarray::Array2<f32>>> {
    let mut model = model.clone();
    model.manifest.window.network_repeats = once;
    let mut embedder = Embedder::new(&model, runtime()?)?;
    let decoders = Decoders::default();
    let mut inputs = Vec::new();
    let files = folders.iter().flat_map(|f| walkdir::WalkDir::new(f).follow_links(true).into_iter().flatten());
    for file in files.filter(|f| f.file_type().is_file()) {
        let keep = model.manifest.audio.max_seconds;
        let stop = Stop::default();
        let source = Source::open(file.path(), &|| false);
        let sound = source.and_then(|source| decode(source, file.path(), keep, &stop, &decoders));
        let Ok(sound) = sound else { continue };
        if sound.pcm.mono.iter().any(|s| s.abs() > 1e-4) {
            inputs.extend(embedder.inputs(&sound.pcm).unwrap_or_default());
        }
    }
    Ok(inputs)
}

/// Wall seconds of one session a core over all windows.
fn sessions_alone(model: &Model, inputs: &[ndarray::Array2<f32>], cores: usize) -> f64 {
    let mut sessions: Vec<Embedder> = (0..cores).filter_map(|_| Embedder::new(model, runtime().ok()?).ok()).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for session in &mut sessions {
            scope.spawn(|| {
                while let Some(input) = inputs.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    if let Err(error) = session.run(input.view()) {
                        println!("{error}");
                    }
                }
            });
        }
    });
    started.elapsed().as_secs_f64()
}

/// A folder with one of the files, to see what starting takes.
fn single(folders: &[PathBuf]) -> anyhow::Result<tempfile::TempDir> {
    let mut files = folders.iter().flat_map(|f| walkdir::WalkDir::new(f).follow_links(true).into_iter().flatten());
    let sound =
        |file: &walkdir::DirEntry| file.path().extension().is_some_and(|e| e == "wav" || e == "flac" || e == "ogg");
    let file = files.find(sound).ok_or_else(|| anyhow::anyhow!("no sounds in {folders:?}"))?;
    let folder = tempfile::tempdir()?;
    std::fs::copy(file.path(), folder.path().join(file.file_name()))?;
    Ok(folder)
}

fn index(program: &OsStr, id: &str, folders: &[PathBuf]) -> anyhow::Result<Value> {
    let library = tempfile::tempdir()?;
    let mut command = Command::new(program);
    command.arg("index").args(folders).args(["--json", "--quiet", "--model", id]);
    command.arg("--library").arg(library.path().join("library.db"));
    Ok(serde_json::from_slice(&command.output()?.stdout)?)
}

fn python(model: &Model, folders: &[PathBuf], once: bool) -> Option<Value> {
    let python = std::env::var_os("SOUNDKIN_PYTHON")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sidecar = root.join("models").join(format!("{}.json", model.manifest.id));
    let output = Command::new(python)
        .arg(root.join("export/python_pool.py"))
        .arg("--model")
        .arg(sidecar)
        .args(once.then_some("--once"))
        .args(folders)
        // Some machines pin an old OpenBLAS kernel, which would slow the rival down.
        .env_remove("OPENBLAS_CORETYPE")
        .env_remove("OPENBLAS_L2_SIZE")
        .output()
        .ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(f64::NAN)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn date() -> String {
    let output = Command::new("date").arg("+%F %R").output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}
