//! `soundkin index FOLDER…`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use bevy::ecs::entity::EntityHashSet;
use bevy::ecs::message::MessageCursor;
use bevy::prelude::*;
use clap::Args;
use dsp::Seconds;
use indicatif::ProgressBar;
use serde_json::json;

use super::common::{Common, Notices, failed_json, keep_only, store_failure, tell};
use crate::analyse::{ActiveModel, Analysis};
use crate::library::{AudioInfo, Descriptors, Embedding, Failed, Missing, Sample, SampleIndex};
use crate::store::{Library, Stored};
use crate::watch::{AddFolder, FolderListed, Tally};
use crate::{Assembly, headless, is_idle, run_until};

#[derive(Args, Debug)]
pub(super) struct Index {
    /// Folders to index
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Number of worker threads [default: one per core]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
}

/// Follows an app that is indexing: progress, notices and what has been stored.
struct Following<'a> {
    common: &'a Common,
    bar: ProgressBar,
    notices: Notices,
    stored: MessageCursor<Stored>,
    listed: MessageCursor<FolderListed>,
    tally: Tally,
    failure: Option<String>,
}

impl Index {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let started = Instant::now();
        let folders = readable(common, &self.folders)?;
        let model = common.find_model()?;
        let mut assembly = Assembly::new(Some(Library::open(&common.library_path())?), model);
        if let Some(jobs) = self.jobs {
            assembly.workers = usize::from(jobs);
        }
        let mut app = headless(assembly);
        keep_only(app.world_mut());
        let tally = index(&mut app, common, &folders)?;
        report(app.world_mut(), common, &folders, tally, started.elapsed())?;
        if app.world().resource::<Analysis>().blocked.is_some() {
            bail!("sounds were measured but cannot be compared; fix the problem reported above and index again");
        }
        Ok(())
    }
}

/// Indexes folders with an assembled app until everything is done and stored.
pub(super) fn index(app: &mut App, common: &Common, folders: &[PathBuf]) -> Result<Tally> {
    for path in folders {
        app.world_mut().write_message(AddFolder { path: path.clone(), follow: false });
    }
    let mut following = Following::new(common);
    let mut first = true;
    run_until(app, None, |world| {
        following.look(world);
        // The folders are asked for during the first frame.
        !std::mem::take(&mut first) && (following.failure.is_some() || is_idle(world))
    });
    following.bar.finish_and_clear();
    following.failure.map_or(Ok(following.tally), |reason| Err(anyhow!(reason)))
}

impl<'a> Following<'a> {
    fn new(common: &'a Common) -> Self {
        Self {
            common,
            bar: common.bar(0),
            notices: Notices::default(),
            stored: MessageCursor::default(),
            listed: MessageCursor::default(),
            tally: Tally::default(),
            failure: None,
        }
    }

    fn look(&mut self, world: &mut World) {
        type Done = (With<Sample>, Or<((With<Embedding>, With<Descriptors>), With<Failed>)>);
        self.failure = store_failure(world);
        // A failure that ends the program is reported once, at its end.
        for text in self.notices.read(world).filter(|text| Some(text) != self.failure.as_ref()) {
            self.bar.suspend(|| self.common.say(&text));
        }
        for listed in self.listed.read(world.resource::<Messages<FolderListed>>()) {
            let (sum, part) = (&mut self.tally, listed.tally);
            sum.files += part.files;
            sum.new += part.new;
            sum.changed += part.changed;
            sum.unchanged += part.unchanged;
        }
        let stored = self.stored.read(world.resource::<Messages<Stored>>()).filter(|stored| stored.done);
        let stored: Vec<Entity> = stored.map(|stored| stored.entity).collect();
        for entity in stored {
            self.report_stored(world, entity);
        }
        if self.bar.is_hidden() {
            return;
        }
        let mut done = world.query_filtered::<(), Done>();
        self.bar.set_position(done.iter(world).len() as u64);
        self.bar.set_length(world.resource::<SampleIndex>().len() as u64);
        if let Some(model) = world.get_resource::<ActiveModel>() {
            self.bar.set_message(model.0.manifest.id.clone());
        }
    }

    /// With `-v`, says of each file that it is done, once that is on the disk.
    fn report_stored(&self, world: &World, entity: Entity) {
        if self.common.verbose == 0 {
            return;
        }
        let Some(sample) = world.get::<Sample>(entity) else { return };
        let path = sample.path.display();
        if let Some(failed) = world.get::<Failed>(entity) {
            self.bar.suspend(|| tell(format_args!("failed: {failed} ({}): {path}", failed.stage.name())));
        } else if world.get::<Embedding>(entity).is_some() {
            self.bar.suspend(|| tell(format_args!("done: {path}")));
        }
    }
}

/// Resolves the folders that can be read and says which cannot.
pub(super) fn readable(common: &Common, folders: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut problem = String::new();
    for folder in folders {
        match folder.canonicalize() {
            Ok(path) if !found.contains(&path) => found.push(path),
            Ok(_) => {}
            Err(error) => {
                problem = format!(
                    "cannot read folder ({error}); check the name, or see `soundkin --help`: {}",
                    folder.display()
                );
                if folders.len() > 1 {
                    common.say(&problem);
                }
            }
        }
    }
    if found.is_empty() {
        bail!(problem);
    }
    Ok(found)
}

fn report(world: &mut World, common: &Common, folders: &[PathBuf], tally: Tally, took: Duration) -> Result<()> {
    let members: EntityHashSet =
        folders.iter().flat_map(|folder| world.resource::<SampleIndex>().below(folder).collect::<Vec<_>>()).collect();
    // Those that went while they were analysed are missing too.
    let mut gone = world.query_filtered::<Entity, With<Missing>>();
    let missing = gone.iter(world).filter(|entity| members.contains(entity)).count();
    let mut samples =
        world.query_filtered::<(Entity, &Sample, Option<&AudioInfo>, Option<&Failed>), Without<Missing>>();
    let (mut audio, mut failed) = (Seconds(0.0), Vec::new());
    for (_, sample, info, failure) in samples.iter(world).filter(|(entity, ..)| members.contains(entity)) {
        audio += info.map(AudioInfo::seconds).unwrap_or_default();
        failed.extend(failure.map(|failure| (sample.path.clone(), failure.clone())));
    }
    failed.sort_by(|a, b| a.0.cmp(&b.0));
    let seconds = took.as_secs_f64();
    let analysis = world.resource::<Analysis>().clone();
    let value = json!({
        "folders": folders.iter().map(|f| f.to_string_lossy()).collect::<Vec<_>>(),
        "files": tally.files,
        "new": tally.new,
        "changed": tally.changed,
        "unchanged": tally.unchanged,
        "missing": missing,
        "failed": failed.iter().map(|(path, failure)| failed_json(path, failure.stage, &failure.to_string())).collect::<Vec<_>>(),
        "audio_seconds": audio,
        "seconds": seconds,
        "model": world.resource::<ActiveModel>().0.manifest.id,
        "decoded": analysis.decoded,
        "recognised": analysis.recognised,
        "described": analysis.described,
        "windows": analysis.windows,
        "onnxruntime_seconds": analysis.session_time.as_secs_f64(),
    });
    common.print(&value, |out| {
        for (path, failure) in &failed {
            writeln!(out, "failed: {failure} ({}): {}", failure.stage.name(), path.display())?;
        }
        writeln!(
            out,
            "{} files ({} new, {} changed, {} unchanged, {} missing), {} failed, {:.0} s of audio, in {seconds:.1} s",
            tally.files,
            tally.new,
            tally.changed,
            tally.unchanged,
            missing,
            failed.len(),
            audio.0,
        )
    })
}
