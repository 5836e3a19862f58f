//! `soundkin dupes`

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::common::{Common, base64_of};
use crate::actor::Stop;
use crate::duplicates::contents;
use crate::duplicates::search::{Content, Group, Kind, LEAST, Step, identical, near, steps};

#[derive(Args, Debug)]
pub(super) struct Dupes {
    /// Lowest similarity at which two waveforms count as near-identical, 0.95 to 1; 1 lists identical files only
    #[arg(long, value_name = "S", default_value_t = 0.99, value_parser = threshold)]
    threshold: f64,
}

fn threshold(text: &str) -> Result<f64, &'static str> {
    let threshold = text.parse().ok().filter(|threshold| (0.0..=1.0).contains(threshold));
    threshold.ok_or("threshold must be a number from 0 to 1 (below 0.95 is treated as 0.95)")
}

impl Dupes {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let mut app = common.facts()?;
        let contents = contents(app.world_mut());
        drop(app);
        let threshold = self.threshold.max(LEAST);
        if threshold > self.threshold {
            common.say(&format!("threshold {} is treated as {LEAST}", self.threshold));
        }
        let mut groups = identical(&contents);
        if threshold < 1.0 {
            groups.extend(compare(common, &contents, threshold)?);
        }
        let value = json!({"threshold": threshold, "groups": groups.iter().map(group_json).collect::<Vec<Value>>()});
        common.print(&value, |out| {
            for group in &groups {
                writeln!(out, "{} {:.3}", name(group.kind), group.similarity)?;
                group.paths.iter().try_for_each(|path| writeln!(out, "    {}", path.display()))?;
            }
            writeln!(out, "{} groups", groups.len())
        })
    }
}

/// Compares all sounds with each other while a bar shows how far that is.
fn compare(common: &Common, contents: &[Content], threshold: f64) -> Result<Vec<Group>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let bar = common.bar(steps(contents));
    let groups = near(contents, threshold, cores, &Stop::default(), |step| match step {
        Step::Done(steps) => bar.inc(steps as u64),
        Step::Unreadable(path, error) => {
            bar.suspend(|| common.say(&format!("not compared: {error}: {}", path.display())));
        }
    })?;
    bar.finish_and_clear();
    Ok(groups)
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Identical => "identical",
        Kind::Near => "near",
    }
}

fn group_json(group: &Group) -> Value {
    let paths: Vec<_> = group.paths.iter().map(|path| path.to_string_lossy()).collect();
    let mut object = json!({"kind": name(group.kind), "paths": paths, "similarity": group.similarity});
    if group.paths.iter().any(|path| path.to_str().is_none()) {
        object["paths_bytes"] = group.paths.iter().map(|path| base64_of(path)).collect();
    }
    object
}
