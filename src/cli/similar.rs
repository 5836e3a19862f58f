//! `soundkin similar QUERY`

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use bevy::ecs::system::RunSystemOnce;
use bevy::prelude::*;
use clap::Args;
use serde_json::{Value, json};

use super::{Common, list, passage, put_path, record, region, sample_or_guest};
use crate::analyse::{ActiveModel, Analysis};
use crate::library::{Embedding, Failed, Sample, SampleIndex, Tags};
use crate::neighbours::query::{Compared, SimilarSamples, SimilarTo, answer, asked_about};
use crate::neighbours::{ActiveWeights, SpaceIndex};
use crate::record::{Keep, TakeOptions};

#[derive(Args, Debug)]
pub(super) struct Similar {
    /// Sound files, in the library or not; several are blended into one query
    #[arg(required_unless_present = "mic")]
    query: Vec<PathBuf>,
    /// Use only this part of the first QUERY, in seconds
    #[arg(long, value_name = "FROM..TO", value_parser = region, requires = "query")]
    region: Option<[f64; 2]>,
    /// Sound file, in the library or not, that results should be less similar to; may be repeated
    #[arg(long, value_name = "FILE")]
    minus: Vec<PathBuf>,
    /// Record this many seconds from the sound input and use them as the query; the recording is not kept
    #[arg(long, value_name = "SECONDS", value_parser = record::seconds)]
    mic: Option<f64>,
    /// Number of neighbours
    #[arg(short, default_value_t = 10)]
    k: usize,
    /// Search only samples whose path or tags contain TEXT, ignoring case
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Weight of the model's learned head, 0 to 1; 0 compares by the network alone [default: the model's own]
    #[arg(long, value_name = "A", value_parser = weight)]
    head: Option<f32>,
    /// Show how similar each neighbour is in each part, 0 to 1
    #[arg(long)]
    why: bool,
}

fn weight(text: &str) -> Result<f32, &'static str> {
    let weight = text.parse().ok().filter(|weight| (0.0..=1.0).contains(weight));
    weight.ok_or("weight must be a number from 0 to 1")
}

impl Similar {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let started = Instant::now();
        let mut app = common.prepared_app(|world| {
            if let Some(head) = self.head {
                world.resource_mut::<ActiveWeights>().head = head;
            }
        })?;
        let model = app.world().resource::<ActiveModel>().0.clone();
        if self.head.is_some() && model.statistics.head.is_none() {
            bail!("model {} has no learned head; leave out --head or choose another model", model.manifest.id);
        }
        let mut names = self.query.iter().map(|file| name(file)).collect::<Result<Vec<String>>>()?;
        let mut query = SimilarTo { k: self.k, exact: true, ..default() };
        for (i, file) in self.query.iter().enumerate() {
            query.like.push(match self.region.filter(|_| i == 0) {
                Some(span) => passage(app.world_mut(), file, span)?,
                None => sample_or_guest(app.world_mut(), file)?,
            });
        }
        for file in &self.minus {
            query.unlike.push(sample_or_guest(app.world_mut(), file)?);
        }
        if let Some(both) = query.unlike.iter().find(|entity| query.like.contains(entity)) {
            let path = path_of(app.world(), *both).display();
            bail!("--minus cancels the query; name another sound for --minus: {path}");
        }
        common.wait(&mut app)?;
        if self.mic.is_some() {
            record::prepare(&mut app);
            let options = TakeOptions { keep: Keep::Nothing, seconds: self.mic, ..TakeOptions::default() };
            let taken = record::take(&mut app, common, options)?;
            query.like.push(taken.finished.entity);
            names.push(taken.input.map_or_else(|| "microphone".to_owned(), |input| input.name));
        }
        let found = neighbours(app.world_mut(), query, self.filter)?;
        let seconds = started.elapsed().as_secs_f64();
        let world = app.world();
        let mut value = json!({
            "query": names,
            "model": model.manifest.id,
            "head": model.statistics.head.as_ref().map(|_| world.resource::<ActiveWeights>().head),
            "k": self.k,
            "exact": found.exact,
            "seconds": seconds,
            "neighbours": found.neighbours.iter().enumerate().map(|(i, neighbour)| {
                let mut object = json!({"rank": i + 1, "similarity": neighbour.similarity, "at": neighbour.at});
                put_path(&mut object, path_of(world, neighbour.entity));
                if self.why {
                    object["why"] = neighbour.closeness.parts().map(|(name, close)| (name.to_owned(), json!(close))).collect();
                }
                object
            }).collect::<Vec<Value>>(),
        });
        if let Some(region) = self.region {
            value["region"] = json!(region);
        }
        if !self.minus.is_empty() {
            value["minus"] = json!(self.minus.iter().map(|file| name(file)).collect::<Result<Vec<String>>>()?);
        }
        if found.neighbours.is_empty() {
            common.say("nothing matches; widen --filter or index more folders");
        }
        common.print(&value, |out| write(out, world, &found, self.why))
    }
}

fn name(file: &Path) -> Result<String> {
    Ok(std::path::absolute(file)?.to_string_lossy().into_owned())
}

/// Writes neighbours for people, one a line.
pub(super) fn write(out: &mut dyn Write, world: &World, found: &SimilarSamples, why: bool) -> io::Result<()> {
    for (i, neighbour) in found.neighbours.iter().enumerate() {
        let at = neighbour.at.map_or(String::new(), |[from, to]| format!("  at {from:.1}–{to:.1} s"));
        let path = path_of(world, neighbour.entity).display();
        writeln!(out, "{:>3}  {:.3}  {path}{at}", i + 1, neighbour.similarity)?;
        if why {
            let bars = neighbour.closeness.parts().map(|(name, close)| match close {
                Some(close) => format!("{name} {} {close:.2}", bar(close)),
                None => format!("{name} –"),
            });
            writeln!(out, "     {}", bars.collect::<Vec<_>>().join("  "))?;
        }
    }
    Ok(())
}

/// A bar of five cells.
fn bar(share: f32) -> String {
    const CELLS: u8 = 5;
    let cell = |i: u8| match share * f32::from(CELLS) - f32::from(i) {
        rest if rest >= 0.75 => '█',
        rest if rest >= 0.25 => '▌',
        _ => '·',
    };
    (0..CELLS).map(cell).collect()
}

/// Finds the exact neighbours of samples that have been analysed.
pub(super) fn neighbours(world: &mut World, query: SimilarTo, filter: Option<String>) -> Result<SimilarSamples> {
    for subject in query.like.iter().chain(&query.unlike) {
        let path = path_of(world, *subject).display();
        if let Some(failed) = world.get::<Failed>(*subject) {
            bail!("{failed}: {path}");
        }
        if world.get::<Embedding>(*subject).is_none() {
            let why = world.resource::<Analysis>().blocked.clone();
            let model = &world.resource::<ActiveModel>().0.manifest.id;
            bail!(why.unwrap_or_else(|| format!("not analysed yet; index its folder with --model {model}: {path}")));
        }
    }
    if world.get_resource::<SpaceIndex>().is_none_or(|index| index.space.is_empty()) {
        let model = &world.resource::<ActiveModel>().0.manifest.id;
        bail!("no sound has been analysed with this model yet; run `soundkin index FOLDER --model {model}`");
    }
    let search = move |index: Res<SpaceIndex>,
                       known: Res<SampleIndex>,
                       paths: Query<&Sample>,
                       weights: Res<ActiveWeights>,
                       compared: Query<Compared>,
                       samples: Query<(&Sample, Option<&Tags>)>| {
        let without = asked_about(&query, &paths, &known);
        answer(&query, &index, &weights, &compared, |entity| match (&filter, samples.get(entity)) {
            _ if without.contains(&entity) => false,
            (None, _) => true,
            (Some(text), Ok((sample, tags))) => {
                list::matches(&sample.path, tags.map_or(&[], |tags| tags.0.as_slice()), text)
            }
            (Some(_), Err(_)) => false,
        })
    };
    let found = world.run_system_once(search).map_err(|error| anyhow!("search failed: {error}"))?;
    found.ok_or_else(|| anyhow!("no sound to compare with; name one"))
}

fn path_of(world: &World, entity: Entity) -> &Path {
    world.get::<Sample>(entity).map_or(Path::new(""), |sample| &sample.path)
}
