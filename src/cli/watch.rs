//! `soundkin watch`

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use bevy::ecs::message::MessageCursor;
use bevy::prelude::*;
use serde_json::json;

use super::{Common, Notices, interrupted, put_path, store_failure};
use crate::actor::Wake;
use crate::sample::{ContentHash, Failed, FileStamp, Folders, Guest, Missing, Restored, Sample};
use crate::store::{Library, Stored};
use crate::watch::{FollowPlugin, Listing};
use crate::{Assembly, headless};

/// Longest sleep between two looks; whatever happens wakes it sooner.
const SLEEP: Duration = Duration::from_millis(200);

/// What is known of a sample on the disk.
#[derive(Clone, PartialEq)]
struct State {
    stamp: FileStamp,
    missing: bool,
    failed: bool,
}

/// Samples that are no more: the old names of moved files.
#[derive(Resource, Default)]
struct Left(Vec<(Entity, Arc<Path>, Option<ContentHash>)>);

/// One change, once it is on the disk.
struct Change {
    event: &'static str,
    path: Arc<Path>,
    from: Option<Arc<Path>>,
    failed: Option<Failed>,
}

pub(super) fn run(common: &Common) -> Result<()> {
    let library = Library::open(&common.library_path())?;
    let mut app = headless(Assembly::new(Some(library), common.find_model()?));
    app.add_plugins(FollowPlugin).init_resource::<Left>().add_observer(leave);
    let wake = app.world().resource::<Wake>().clone();
    let interrupted = interrupted(&wake)?;
    let mut notices = Notices::default();
    let mut stored = MessageCursor::<Stored>::default();
    let mut known: Option<HashMap<Entity, State>> = None;
    let mut said = false;
    loop {
        app.update();
        let world = app.world_mut();
        let failure = store_failure(world);
        notices.read(world).filter(|text| Some(text) != failure.as_ref()).for_each(|text| common.say(&text));
        if let Some(reason) = failure {
            bail!(reason);
        }
        if world.resource::<Restored>().0 {
            let known = known.get_or_insert_with(|| states(world));
            if world.resource::<Folders>().0.is_empty() {
                bail!("library has no folders to follow; run `soundkin index FOLDER`");
            }
            for change in changes(world, &mut stored, known) {
                if print(common, &change)?.is_break() {
                    return Ok(());
                }
            }
            if !said && world.resource::<Listing>().is_idle() {
                said = true;
                let folders = world.resource::<Folders>().0.len();
                common.say(&format!("following {} sounds in {folders} folders; Ctrl+C ends it", known.len()));
            }
        }
        if interrupted.load(Ordering::Relaxed) {
            return Ok(());
        }
        wake.wait(SLEEP);
    }
}

fn leave(
    removed: On<Remove, Sample>,
    samples: Query<(&Sample, Option<&ContentHash>), Without<Guest>>,
    mut left: ResMut<Left>,
) {
    if let Ok((sample, hash)) = samples.get(removed.entity) {
        left.0.push((removed.entity, sample.path.clone(), hash.copied()));
    }
}

type Columns<'a> = (Entity, &'a FileStamp, Has<Missing>, Has<Failed>);

fn states(world: &mut World) -> HashMap<Entity, State> {
    let mut samples = world.query_filtered::<Columns, (With<Sample>, Without<Guest>)>();
    samples.iter(world).map(state).collect()
}

fn state((entity, stamp, missing, failed): (Entity, &FileStamp, bool, bool)) -> (Entity, State) {
    (entity, State { stamp: *stamp, missing, failed })
}

/// What has been committed since the last look and differs from what was known.
fn changes(world: &mut World, stored: &mut MessageCursor<Stored>, known: &mut HashMap<Entity, State>) -> Vec<Change> {
    let stored: Vec<Stored> = stored.read(world.resource::<Messages<Stored>>()).copied().collect();
    let mut samples =
        world.query_filtered::<(&Sample, Option<&ContentHash>, Option<&Failed>, Columns), Without<Guest>>();
    let mut found = Vec::new();
    let mut left = std::mem::take(&mut world.resource_mut::<Left>().0);
    for Stored { entity, done } in stored {
        let Ok((sample, hash, failed, columns)) = samples.get(world, entity) else { continue };
        let (entity, now) = state(columns);
        let before = known.get(&entity);
        // One that has only been listed is told of once it has been analysed.
        if !done && before.is_none_or(|before| before.missing == now.missing) {
            continue;
        }
        let before = known.insert(entity, now.clone());
        let old = left.iter().position(|(_, _, old)| old.is_some() && *old == hash.copied());
        let from = if before.is_none() { old.map(|old| left.swap_remove(old)) } else { None };
        let event = match &before {
            Some(before) if *before == now => continue,
            Some(before) if now.missing != before.missing => {
                if now.missing {
                    "missing"
                } else {
                    "back"
                }
            }
            _ if now.failed => "failed",
            Some(_) => "changed",
            None if from.is_some() => "moved",
            None => "added",
        };
        if let Some((old, ..)) = &from {
            known.remove(old);
        }
        let from = from.map(|(_, path, _)| path);
        found.push(Change { event, path: sample.path.clone(), from, failed: failed.cloned() });
    }
    // One whose new name is not on the disk yet waits for it.
    world.resource_mut::<Left>().0.append(&mut left);
    found
}

/// Prints one line; breaks off when nobody reads any more.
fn print(common: &Common, change: &Change) -> Result<std::ops::ControlFlow<()>> {
    let mut object = json!({"event": change.event});
    put_path(&mut object, &change.path);
    if let Some(from) = &change.from {
        object["from"] = from.to_string_lossy().into();
    }
    if let Some(failed) = &change.failed {
        object["stage"] = failed.stage.name().into();
        object["reason"] = failed.reason.clone().into();
    }
    let mut out = io::stdout().lock();
    let written = if common.json {
        writeln!(out, "{object}")
    } else {
        let from = change.from.as_ref().map_or(String::new(), |from| format!("{} → ", from.display()));
        let why = change.failed.as_ref().map_or(String::new(), |failed| format!("  ({})", failed.reason));
        writeln!(out, "{:8} {from}{}{why}", change.event, change.path.display())
    };
    match written.and_then(|()| out.flush()) {
        Ok(()) => Ok(std::ops::ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(std::ops::ControlFlow::Break(())),
        Err(error) => Err(anyhow!("changes cannot be written ({error}); check where they are sent to")),
    }
}
