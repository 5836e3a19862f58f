//! `soundkin similar QUERY`

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use bevy::ecs::system::RunSystemOnce;
use bevy::prelude::*;
use clap::Args;
use serde_json::{Value, json};

use super::{Common, list, put_path, sample_or_guest};
use crate::embed::{ActiveModel, Analysis, Embedding};
use crate::project::SpaceIndex;
use crate::query::{SimilarSamples, SimilarTo, answer};
use crate::sample::{Failed, Sample, Tags};

#[derive(Args, Debug)]
pub(super) struct Similar {
    /// A sound file, in the library or not
    query: PathBuf,
    /// How many neighbours
    #[arg(short, default_value_t = 10)]
    k: usize,
    /// Search within samples whose path or tags contain TEXT, in any case
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

impl Similar {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let started = Instant::now();
        let mut app = common.restored_app()?;
        let subject = sample_or_guest(app.world_mut(), &self.query)?;
        common.wait(&mut app)?;
        let found = neighbours(app.world_mut(), subject, self.k, self.filter)?;
        let (value, seconds) = (&self.query, started.elapsed().as_secs_f64());
        let absolute = std::path::absolute(value)?;
        let world = app.world();
        let value = json!({
            "query": [absolute.to_string_lossy()],
            "model": world.resource::<ActiveModel>().0.manifest.id,
            "k": self.k,
            "exact": found.exact,
            "seconds": seconds,
            "neighbours": found.neighbours.iter().enumerate().map(|(i, neighbour)| {
                let mut object = json!({"rank": i + 1, "similarity": neighbour.similarity, "at": neighbour.at});
                put_path(&mut object, path_of(world, neighbour.entity));
                object
            }).collect::<Vec<Value>>(),
        });
        common.print(&value, || print(world, &found));
        Ok(())
    }
}

/// Prints neighbours for people, one a line.
pub(super) fn print(world: &World, found: &SimilarSamples) {
    for (i, neighbour) in found.neighbours.iter().enumerate() {
        let at = neighbour.at.map_or(String::new(), |[from, to]| format!("  at {from:.1}–{to:.1} s"));
        let path = path_of(world, neighbour.entity).display();
        println!("{:>3}  {:.3}  {path}{at}", i + 1, neighbour.similarity);
    }
}

/// Finds the exact neighbours of a sample that has been analysed.
pub(super) fn neighbours(
    world: &mut World,
    subject: Entity,
    k: usize,
    filter: Option<String>,
) -> Result<SimilarSamples> {
    let path = path_of(world, subject).to_owned();
    if let Some(failed) = world.get::<Failed>(subject) {
        bail!("{}: {}", failed.reason, path.display());
    }
    if world.get::<Embedding>(subject).is_none() {
        let why = world.resource::<Analysis>().blocked.clone();
        bail!(why.unwrap_or_else(|| format!("has not been analysed; index its folder: {}", path.display())));
    }
    if world.get_resource::<SpaceIndex>().is_none_or(|index| index.space.is_empty()) {
        bail!("library holds no analysed sounds for this model yet; run `soundkin index FOLDER`");
    }
    let query = SimilarTo { subject, k, exact: true };
    let search = move |index: Res<SpaceIndex>, vectors: Query<&Embedding>, samples: Query<(&Sample, Option<&Tags>)>| {
        answer(query, &index, &vectors, |entity| match (&filter, samples.get(entity)) {
            (None, _) => true,
            (Some(text), Ok((sample, tags))) => {
                list::matches(&sample.path, tags.map_or(&[], |tags| tags.0.as_slice()), text)
            }
            (Some(_), Err(_)) => false,
        })
    };
    let found = world.run_system_once(search).map_err(|error| anyhow!("search failed: {error}"))?;
    found.ok_or_else(|| anyhow!("has no vector: {}", path.display()))
}

fn path_of(world: &World, entity: Entity) -> &Path {
    world.get::<Sample>(entity).map_or(Path::new(""), |sample| &sample.path)
}
