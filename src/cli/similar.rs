//! `soundkin similar QUERY`

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use bevy::prelude::*;
use clap::Args;
use dsp::{Seconds, Span};
use serde_json::{Value, json};
use similarity::weights::By;

use super::common::{Common, put_path, region, subject};
use super::record;
use crate::analyse::ActiveModel;
use crate::library::Sample;
use crate::neighbours::ActiveWeights;
use crate::neighbours::query::{Answer, Coverage, Query, Subject, Unanswered, ask};
use crate::record::{Keep, TakeOptions};

#[derive(Args, Debug)]
pub(super) struct Similar {
    /// Sound files, in the library or not; several are blended into one query
    #[arg(required_unless_present = "mic")]
    query: Vec<PathBuf>,
    /// Use only this part of the first QUERY, in seconds
    #[arg(long, value_name = "FROM..TO", value_parser = region, requires = "query")]
    region: Option<Span>,
    /// Sound file, in the library or not, that results should be less similar to; may be repeated
    #[arg(long, value_name = "FILE")]
    minus: Vec<PathBuf>,
    /// Record this many seconds from the sound input and use them as the query; the recording is not kept
    #[arg(long, value_name = "SECONDS", value_parser = record::seconds)]
    mic: Option<Seconds>,
    /// Number of neighbours
    #[arg(short, default_value_t = 10, value_parser = count)]
    k: usize,
    /// Search only samples with these words in their path below a folder of the library or in their tags; `-word` excludes,
    /// `"two words"` are one
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    filter: Option<String>,
    /// Weight of the model's learned head, 0 to 1; 0 compares by the network alone [default: the model's own]
    #[arg(long, value_name = "A", value_parser = weight)]
    head: Option<f32>,
    /// Compare by what sounds of one kind have in common, or by timbre: without the learned head, with twice the descriptors
    #[arg(long, value_name = "KIND|TIMBRE", value_parser = by, conflicts_with = "head")]
    by: Option<By>,
    /// Share of the neighbourhoods, the sounds that each sound is like, 0 to 1; 0 compares two sounds by themselves
    /// [default: 0.5]
    #[arg(long, value_name = "S", value_parser = weight)]
    smooth: Option<f32>,
    /// Show how similar each neighbour is in each part, 0 to 1
    #[arg(long)]
    why: bool,
}

fn count(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|count| *count > 0).ok_or("number of neighbours must be a whole number from 1 up")
}

fn weight(text: &str) -> Result<f32, &'static str> {
    let weight = text.parse().ok().filter(|weight| (0.0..=1.0).contains(weight));
    weight.ok_or("weight must be a number from 0 to 1")
}

fn by(text: &str) -> Result<By, &'static str> {
    match text {
        "kind" => Ok(By::Kind),
        "timbre" => Ok(By::Timbre),
        _ => Err("sounds are compared by kind or timbre"),
    }
}

impl Similar {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let started = Instant::now();
        let mut app = common.prepared_app(|world| {
            let usual = world.resource::<ActiveModel>().0.statistics.usual_weight();
            let mut weights = world.resource_mut::<ActiveWeights>();
            weights.0 = self.by.unwrap_or(By::Kind).weigh(weights.0, usual);
            weights.head = self.head.unwrap_or(weights.head);
            weights.smooth = self.smooth.unwrap_or(weights.smooth);
        })?;
        let model = app.world().resource::<ActiveModel>().0.clone();
        if self.head.is_some() && model.statistics.head.is_none() {
            bail!("model {} has no learned head; leave out --head or choose another model", model.manifest.id);
        }
        if self.by == Some(By::Timbre) && model.statistics.head.is_none() {
            bail!("model {} compares by timbre alone; leave out --by", model.manifest.id);
        }
        let mut names = self.query.iter().map(|file| name(file)).collect::<Result<Vec<String>>>()?;
        let mut query = Query { k: self.k, weights: app.world().resource::<ActiveWeights>().0, ..Query::default() };
        for (i, file) in self.query.iter().enumerate() {
            let region = self.region.filter(|_| i == 0);
            query.like.push(subject(app.world(), file, region)?);
        }
        for file in &self.minus {
            query.unlike.push(subject(app.world(), file, None)?);
        }
        if self.mic.is_some() {
            record::prepare(&mut app);
            let options = TakeOptions { keep: Keep::Nothing, seconds: self.mic, ..TakeOptions::default() };
            let taken = record::take(&mut app, common, options)?;
            query.like.push(Subject::Take(taken.finished.entity));
            names.push(taken.input.map_or_else(|| "microphone".to_owned(), |input| input.name));
        }
        let within = self.filter.as_ref().map(|words| common.samples_with(app.world_mut(), words));
        query.within = within.as_ref().map(|found| Arc::new(found.samples()));
        let found = neighbours(&mut app, common, query)?;
        let seconds = started.elapsed().as_secs_f64();
        let world = app.world();
        let mut value = json!({
            "query": names,
            "model": model.manifest.id,
            "head": model.statistics.head.as_ref().map(|_| world.resource::<ActiveWeights>().head),
            "smooth": world.resource::<ActiveWeights>().smooth,
            "k": self.k,
            "exact": found.is_exact(),
            "among": found.coverage.among,
            "of": found.coverage.of,
            "seconds": seconds,
            "neighbours": found.neighbours.iter().enumerate().map(|(i, neighbour)| {
                let mut object = json!({"rank": i + 1, "similarity": neighbour.similarity, "at": neighbour.at});
                put_path(&mut object, path_of(world, neighbour.entity));
                if self.why {
                    object["why"] = neighbour.part_similarities.parts().map(|(name, close)| (name.to_owned(), json!(close))).collect();
                }
                object
            }).collect::<Vec<Value>>(),
        });
        if within.is_some_and(|found| found.only_similar && !found.fits.is_empty()) {
            value["only_similar"] = json!(true);
        }
        if let Some(region) = self.region {
            value["region"] = json!([region.start, region.end]);
        }
        if !self.minus.is_empty() {
            value["minus"] = json!(self.minus.iter().map(|file| name(file)).collect::<Result<Vec<String>>>()?);
        }
        if found.neighbours.is_empty() {
            common.say("nothing matches; widen --filter or index more folders");
        }
        let Coverage { among, of } = found.coverage;
        if !found.coverage.is_complete() {
            let id = &model.manifest.id;
            let rest = "the others have not been analysed";
            common.say(&format!("searched {among} of {of} sounds; {rest}, run `soundkin index FOLDER --model {id}`"));
        }
        common.print(&value, |out| write(out, world, &found, self.why))
    }
}

fn name(file: &Path) -> Result<String> {
    Ok(std::path::absolute(file)?.to_string_lossy().into_owned())
}

/// Writes neighbours for people, one a line.
pub(super) fn write(out: &mut dyn Write, world: &World, found: &Answer, why: bool) -> io::Result<()> {
    for (i, neighbour) in found.neighbours.iter().enumerate() {
        let at = neighbour.at.map_or(String::new(), |[from, to]| format!("  at {from:.1}–{to:.1} s"));
        let path = path_of(world, neighbour.entity).display();
        writeln!(out, "{:>3}  {:.3}  {path}{at}", i + 1, neighbour.similarity)?;
        if why {
            let bars = neighbour.part_similarities.parts().map(|(name, close)| match close {
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

/// Finds the exact neighbours, once everything that is asked with has a vector.
pub(super) fn neighbours(app: &mut App, common: &Common, query: Query) -> Result<Answer> {
    let query = Arc::new(query);
    loop {
        match ask(app.world_mut(), &query) {
            Ok(answer) => return Ok(answer),
            Err(Unanswered::Waiting) => common.wait(app)?,
            Err(why) => return Err(explained(app.world(), why)),
        }
    }
}

/// Why there is no answer, and what to do.
fn explained(world: &World, why: Unanswered) -> anyhow::Error {
    let id = &world.resource::<ActiveModel>().0.manifest.id;
    let path = |entity: Entity| path_of(world, entity).display().to_string();
    match why {
        Unanswered::Nothing | Unanswered::Waiting => anyhow!("nothing to compare with; name a sound"),
        Unanswered::Cancelled(subject) => {
            let path = match subject {
                Subject::File(sound) => sound.path.display().to_string(),
                Subject::Sample(entity) | Subject::Region(entity, _) | Subject::Take(entity) => path(entity),
            };
            anyhow!("--minus cancels the query; name another sound for it: {path}")
        }
        Unanswered::NotAnalysed(entity) => {
            anyhow!("has not been analysed; index its folder with --model {id}: {}", path(entity))
        }
        Unanswered::Failed(entity, failed) => match path(entity) {
            take if take.is_empty() => anyhow!("{failed}"),
            path => anyhow!("{failed}: {path}"),
        },
        Unanswered::Sound(sound, error) => anyhow!("{error}: {}", sound.path.display()),
        Unanswered::Blocked(reason) => anyhow!(reason),
        Unanswered::Anew => anyhow!(
            "library was analysed by former files of this model, with which only its own sounds can be compared; run `soundkin index FOLDER --model {id}`"
        ),
        Unanswered::EmptySpace => {
            anyhow!("library holds no sounds analysed by this model yet; run `soundkin index FOLDER --model {id}`")
        }
    }
}

fn path_of(world: &World, entity: Entity) -> &Path {
    world.get::<Sample>(entity).map_or(Path::new(""), |sample| &sample.path)
}
