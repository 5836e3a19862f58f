//! What the verbs share: options, the app over the library, output, files that are named.

use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow};
use base64::Engine as _;
use bevy::prelude::*;
use clap::Args;
use dsp::Span;
use indicatif::{ProgressBar, ProgressStyle};
use model::{Model, registry};
use serde_json::{Value, json};

use crate::actor::Wake;
use crate::analyse::ActiveModel;
use crate::library::search::Found;
use crate::library::table::samples_with;
use crate::library::{Embedding, FileStamp, Former, Missing, Sample, SampleIndex, Stage, Transient};
use crate::neighbours::query::Subject;
use crate::neighbours::vectors::Sound;
use crate::neighbours::{Demand, Projection, SpaceIndex};
use crate::notice::Notice;
use crate::store::{Library, StoreState};
use crate::{Assembly, facts, headless, is_idle, paths, run_until};

#[derive(Args, Debug, Clone)]
pub(super) struct Common {
    /// Library file [default: `$SOUNDKIN_LIBRARY`, or library.db in the platform's data folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) library: Option<PathBuf>,
    /// Embedding model to use; `soundkin models` lists them
    #[arg(long, global = true, value_name = "ID")]
    pub(super) model: Option<String>,
    /// Print exactly one JSON object
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Show no progress and no notices
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Show more messages; give it twice for debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

impl Common {
    pub(super) fn library_path(&self) -> PathBuf {
        self.library.clone().unwrap_or_else(paths::default_library)
    }

    pub(super) fn find_model(&self) -> Result<Arc<Model>> {
        Ok(Arc::new(registry::find(self.model.as_deref(), &paths::model_folders())?))
    }

    /// Assembles the app over the library, for reading; `prepare` may request more before it is restored.
    pub(super) fn prepared_app(&self, prepare: impl FnOnce(&mut World)) -> Result<App> {
        let library = Library::read(&self.library_path())?;
        let mut app = headless(Assembly::new(Some(library), self.find_model()?));
        prepare(app.world_mut());
        self.wait(&mut app)?;
        if app.world().get_resource::<SpaceIndex>().is_some_and(|index| index.former) {
            let world = app.world_mut();
            let mut former = world.query_filtered::<Has<Embedding>, (With<Former>, Without<Missing>)>();
            let (all, anew) = (former.iter(world).len(), former.iter(world).filter(|anew| *anew).count());
            let id = &world.resource::<ActiveModel>().0.manifest.id;
            let what = "answers from the former analysis";
            self.say(&format!("{what}; {anew} of {all} analysed anew, run `soundkin index FOLDER --model {id}`"));
        }
        Ok(app)
    }

    /// Assembles what is known of the library's samples but their vectors, which takes no model.
    pub(super) fn facts(&self) -> Result<App> {
        let mut app = facts(&self.library_path())?;
        self.wait(&mut app)?;
        Ok(app)
    }

    /// Runs the app until it is idle and shows its notices.
    pub(super) fn wait(&self, app: &mut App) -> Result<()> {
        let mut notices = Notices::default();
        let mut failure = None;
        run_until(app, None, |world| {
            failure = store_failure(world);
            // A failure that ends the program is reported once, at its end.
            notices.read(world).filter(|text| Some(text) != failure.as_ref()).for_each(|text| self.say(&text));
            failure.is_some() || is_idle(world)
        });
        failure.map_or(Ok(()), |reason| Err(anyhow!(reason)))
    }

    /// The samples with these words in name, path or tags; where there are none, those with similar ones, and says so.
    pub(super) fn samples_with(&self, world: &mut World, words: &str) -> Found<Entity> {
        let found = samples_with(world, words);
        if found.only_similar && !found.fits.is_empty() {
            self.say(&format!("no sound matches --filter {words}; these have similar names"));
        }
        found
    }

    /// Tells the user something on stderr.
    pub(super) fn say(&self, text: &str) {
        if !self.quiet {
            tell(format_args!("soundkin: {text}"));
        }
    }

    /// A bar for so many steps, drawn only where stderr is a terminal.
    pub(super) fn bar(&self, steps: usize) -> ProgressBar {
        let bar = if self.quiet || self.json { ProgressBar::hidden() } else { ProgressBar::new(steps as u64) };
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos} of {len} · {per_sec} · {eta} left · {msg}") {
            bar.set_style(style.progress_chars("━━─"));
        }
        bar
    }

    /// Prints the result: one JSON object, or the readable text that `people` writes.
    pub(super) fn print(&self, value: &Value, people: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        print(|out| if self.json { writeln!(out, "{value}") } else { people(out) })
    }
}

/// Writes to stdout; a reader that closes the pipe early is not an error.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| anyhow!("cannot write the result ({error}); check where the output goes")),
    }
}

/// Writes one line to stderr and ignores failures; control characters in names are replaced, so it stays one line.
pub fn tell(line: impl Display) {
    let line = line.to_string().replace(char::is_control, "\u{fffd}");
    let _ = writeln!(io::stderr(), "{line}");
}

/// Reads each notice once.
#[derive(Default)]
pub(super) struct Notices(bevy::ecs::message::MessageCursor<Notice>);

impl Notices {
    pub(super) fn read(&mut self, world: &World) -> std::vec::IntoIter<String> {
        let Some(messages) = world.get_resource::<Messages<Notice>>() else { return Vec::new().into_iter() };
        self.0.read(messages).map(|notice| notice.text.clone()).collect::<Vec<_>>().into_iter()
    }
}

/// Tells the app that nothing will be compared; must be called before the app runs.
pub(super) fn keep_only(world: &mut World) {
    if let Some(mut projection) = world.get_resource_mut::<Projection>() {
        projection.demand = Demand::Keeping;
    }
}

pub(super) fn store_failure(world: &World) -> Option<String> {
    world.get_resource::<StoreState>().and_then(|state| state.failure.clone())
}

/// Returns a flag that Ctrl+C sets instead of ending the program.
pub(super) fn interrupted(wake: &Wake) -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let (flag, wake) = (interrupted.clone(), wake.clone());
    let handler = move || {
        flag.store(true, Ordering::Relaxed);
        wake.ring();
    };
    ctrlc::set_handler(handler).map_err(|error| anyhow!("cannot handle Ctrl+C ({error})"))?;
    Ok(interrupted)
}

/// Finds the sample of a file in the library, or adds the file as a transient sample.
pub(super) fn sample_or_transient(world: &mut World, file: &Path) -> Result<Entity, Unusable> {
    if let Some(entity) = known(world, file) {
        return Ok(entity);
    }
    let (sample, stamp) = file_at(file)?;
    Ok(world.spawn((Transient, sample, stamp)).id())
}

/// What to ask with for a file: its sample if it is in the library, or the file; a part of it, if one is given.
pub(super) fn subject(world: &World, file: &Path, region: Option<Span>) -> Result<Subject> {
    match (known(world, file), region) {
        (Some(sample), None) => Ok(Subject::Sample(sample)),
        (Some(sample), Some(region)) => Ok(Subject::Region(sample, region)),
        (None, _) => {
            // Says in its own words what is wrong with a file.
            file_at(file)?;
            Ok(Subject::File(Sound::of_file(&std::path::absolute(file)?, region)?))
        }
    }
}

/// The sample at a path, or where that leads.
pub(super) fn known(world: &World, file: &Path) -> Option<Entity> {
    let absolute = std::path::absolute(file).ok()?;
    let index = world.resource::<SampleIndex>();
    index.at(&absolute).or_else(|| index.at(&absolute.canonicalize().ok()?))
}

/// A file that was named and cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{why}: {}", path.display())]
pub(super) struct Unusable {
    pub(super) why: WhyUnusable,
    /// As it was named.
    pub(super) path: PathBuf,
}

/// Why a file cannot be used, for output that shows its path separately.
#[derive(Debug, thiserror::Error)]
pub(super) enum WhyUnusable {
    #[error("not a file; name a sound file")]
    NotAFile,
    #[error("cannot read file ({0}); check the name")]
    Unreadable(io::Error),
}

/// Describes a file as a sample.
pub(super) fn file_at(file: &Path) -> Result<(Sample, FileStamp), Unusable> {
    let unusable = |why| Unusable { why, path: file.to_owned() };
    let unreadable = |error| unusable(WhyUnusable::Unreadable(error));
    let absolute = std::path::absolute(file).map_err(unreadable)?;
    let metadata = std::fs::metadata(&absolute).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unusable(WhyUnusable::NotAFile));
    }
    let path = absolute.canonicalize().unwrap_or(absolute).as_path().into();
    Ok((Sample { path }, FileStamp::of(&metadata)))
}

/// Reads `FROM..TO` in seconds.
pub(super) fn region(text: &str) -> Result<Span, &'static str> {
    let read = |part: &str| part.trim().parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    match text.split_once("..").map(|(from, to)| (read(from), read(to))) {
        Some((Some(from), Some(to))) if from < to => Ok(Span::new(from, to)),
        _ => Err("give a start and a later end in seconds, such as 0.5..2"),
    }
}

/// Writes a path into a JSON object: as text, and also as bytes in base64 if the name is not UTF-8.
pub(super) fn put_path(object: &mut Value, path: &Path) {
    put_path_as("path", object, path);
}

/// The same under another name.
pub(super) fn put_path_as(name: &str, object: &mut Value, path: &Path) {
    object[name] = path.to_string_lossy().into();
    if path.to_str().is_none() {
        object[format!("{name}_bytes")] = base64_of(path).into();
    }
}

pub(super) fn base64_of(path: &Path) -> String {
    base64::engine::general_purpose::STANDARD.encode(path.as_os_str().as_encoded_bytes())
}

pub(super) fn failed_json(path: &Path, stage: Stage, reason: &str) -> Value {
    let mut object = json!({"stage": stage.name(), "reason": reason});
    put_path(&mut object, path);
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_two_numbers_in_order() {
        assert_eq!(region("0.5..2"), Ok(Span::new(0.5, 2.0)));
        assert!(["", "1", "2..1", "1..1", "a..b", "-1..2", "0..inf"].iter().all(|text| region(text).is_err()));
    }
}
