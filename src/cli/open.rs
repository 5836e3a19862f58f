//! `soundkin [FOLDER…]`: the window, or the same job without one where there is no display.

use std::path::PathBuf;

use anyhow::Result;
use bevy::prelude::*;
use serde_json::json;

use super::common::Common;
use super::{index, map, similar};
use crate::analyse::ActiveModel;
use crate::library::{AudioInfo, Embedding, Missing, Sample};
use crate::neighbours::ActiveWeights;
use crate::neighbours::query::{Query, Subject};
use crate::store::Library;
use crate::{Assembly, headless};

/// Where the map is drawn when there is no display.
const PICTURE: &str = "soundkin-map.png";

pub(super) fn run(common: &Common, folders: Vec<PathBuf>) -> Result<()> {
    let folders = if folders.is_empty() { folders } else { index::readable(common, &folders)? };
    let model = common.find_model()?;
    let assembly = Assembly::new(Some(Library::open(&common.library_path())?), model);
    #[cfg(feature = "desktop")]
    if crate::ui::has_display() {
        let mut app = crate::desktop(assembly);
        for path in folders {
            app.world_mut().write_message(crate::watch::AddFolder { path, follow: true });
        }
        app.run();
        return Ok(());
    }
    without_window(common, assembly, folders)
}

fn without_window(common: &Common, assembly: Assembly, folders: Vec<PathBuf>) -> Result<()> {
    common.say("no display found, so indexing the sounds and drawing the map without a window");
    let mut app = headless(assembly);
    map::lay_out(app.world_mut());
    let tally = index::index(&mut app, common, &folders)?;
    let world = app.world_mut();
    let model = world.resource::<ActiveModel>().0.manifest.id.clone();
    let example = middle_sample(world);
    let weights = world.resource::<ActiveWeights>().0;
    let like = |subject| Query { like: vec![Subject::Sample(subject)], k: 10, weights, ..Query::default() };
    let found =
        example.as_ref().map(|(subject, _)| similar::neighbours(&mut app, common, like(*subject))).transpose()?;
    let world = app.world_mut();
    let points = map::write(world, PICTURE.as_ref())?;
    let picture = std::path::absolute(PICTURE)?;
    let value = json!({
        "files": tally.files,
        "new": tally.new,
        "model": model,
        "map": {"file": picture.to_string_lossy(), "points": points},
    });
    common.print(&value, |out| {
        writeln!(out, "{} files, {} new, model {model}", tally.files, tally.new)?;
        if let Some(((_, path), found)) = example.zip(found) {
            writeln!(out, "sounds similar to {path}:")?;
            similar::write(out, world, &found, false)?;
        }
        writeln!(out, "map of {points} sounds: {}", picture.display())
    })
}

/// Picks one sample to show: the middle one by path of those that have a vector.
fn middle_sample(world: &mut World) -> Option<(Entity, String)> {
    type Shown = (With<Embedding>, With<AudioInfo>, Without<Missing>);
    let mut samples = world.query_filtered::<(Entity, &Sample), Shown>();
    let mut all: Vec<(Entity, &Sample)> = samples.iter(world).collect();
    all.sort_by(|a, b| a.1.path.cmp(&b.1.path));
    all.get(all.len() / 2).map(|(entity, sample)| (*entity, sample.path.display().to_string()))
}
