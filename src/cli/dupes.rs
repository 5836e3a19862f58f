//! `soundkin dupes`

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use bevy::prelude::*;
use clap::Args;
use serde_json::{Value, json};

use super::{Common, base64_of};
use crate::decode::AudioInfo;
use crate::project::SpaceIndex;
use crate::project::twins::twins;
use crate::sample::{ContentHash, Guest, Missing, Sample};

#[derive(Args, Debug)]
pub(super) struct Dupes {
    /// How alike near-identical sounds of about one length are at least, 0 to 1; 1 asks for identical files only
    #[arg(long, value_name = "S", default_value_t = 0.99, value_parser = threshold)]
    threshold: f64,
}

fn threshold(text: &str) -> Result<f64, &'static str> {
    let threshold = text.parse().ok().filter(|threshold| (0.0..=1.0).contains(threshold));
    threshold.ok_or("threshold must be a number from 0 to 1")
}

/// Files with one content, and where its sound is in the space.
struct Content {
    paths: Vec<Arc<Path>>,
    row: Option<usize>,
    seconds: f64,
}

/// Files that hold one sound.
struct Group {
    kind: &'static str,
    paths: Vec<Arc<Path>>,
    similarity: f32,
}

impl Dupes {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let mut app = common.prepared_app(|_| ())?;
        let contents = contents(app.world_mut());
        let groups = groups(&contents, app.world().get_resource::<SpaceIndex>(), self.threshold);
        let value =
            json!({"threshold": self.threshold, "groups": groups.iter().map(group_json).collect::<Vec<Value>>()});
        common.print(&value, |out| {
            for group in &groups {
                writeln!(out, "{} {:.3}", group.kind, group.similarity)?;
                group.paths.iter().try_for_each(|path| writeln!(out, "    {}", path.display()))?;
            }
            writeln!(out, "{} groups", groups.len())
        })
    }
}

/// What is there, by content, each with its paths in order.
fn contents(world: &mut World) -> Vec<Content> {
    let mut by_hash: BTreeMap<ContentHash, Content> = BTreeMap::new();
    let mut samples = world
        .query_filtered::<(Entity, &Sample, &ContentHash, Option<&AudioInfo>), (Without<Guest>, Without<Missing>)>();
    let index = world.get_resource::<SpaceIndex>();
    for (entity, sample, hash, info) in samples.iter(world) {
        let row = index.and_then(|index| index.rows.get(&entity).copied());
        let seconds = info.map_or(0.0, AudioInfo::seconds);
        let content = by_hash.entry(*hash).or_insert(Content { paths: Vec::new(), row: None, seconds });
        content.paths.push(sample.path.clone());
        content.row = content.row.or(row);
    }
    let mut contents: Vec<Content> = by_hash.into_values().collect();
    contents.iter_mut().for_each(|content| content.paths.sort());
    contents.sort_by(|a, b| a.paths.cmp(&b.paths));
    contents
}

/// Identical files first, then sounds that are near-identical, the most alike first.
fn groups(contents: &[Content], index: Option<&SpaceIndex>, threshold: f64) -> Vec<Group> {
    let identical = contents.iter().filter(|content| content.paths.len() > 1);
    let mut groups: Vec<Group> =
        identical.map(|content| Group { kind: "identical", paths: content.paths.clone(), similarity: 1.0 }).collect();
    let placed: Vec<&Content> = contents.iter().filter(|content| content.row.is_some()).collect();
    if let Some(index) = index.filter(|_| threshold < 1.0) {
        let rows: Vec<usize> = placed.iter().filter_map(|content| content.row).collect();
        let seconds: Vec<f64> = placed.iter().map(|content| content.seconds).collect();
        for twins in twins(&index.space, &rows, &seconds, threshold) {
            let mut paths: Vec<Arc<Path>> =
                twins.places.iter().flat_map(|place| placed[*place].paths.clone()).collect();
            paths.sort();
            groups.push(Group { kind: "near", paths, similarity: twins.similarity });
        }
    }
    groups.iter_mut().for_each(|group| group.paths = files(std::mem::take(&mut group.paths)));
    groups.retain(|group| group.paths.len() > 1);
    groups
}

/// Leaves out what is gone, and of a file with several names all but one: nobody wins anything by removing another.
fn files(mut paths: Vec<Arc<Path>>) -> Vec<Arc<Path>> {
    let mut files = HashSet::new();
    paths.sort_by_cached_key(|path| (path.is_symlink(), path.clone()));
    paths.retain(|path| same_file::Handle::from_path(path).is_ok_and(|file| files.insert(file)));
    paths.sort();
    paths
}

fn group_json(group: &Group) -> Value {
    let paths: Vec<_> = group.paths.iter().map(|path| path.to_string_lossy()).collect();
    let mut object = json!({"kind": group.kind, "paths": paths, "similarity": group.similarity});
    if group.paths.iter().any(|path| path.to_str().is_none()) {
        object["paths_bytes"] = group.paths.iter().map(|path| base64_of(path)).collect();
    }
    object
}
