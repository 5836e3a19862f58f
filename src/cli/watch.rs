//! `soundkin watch`

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use bevy::ecs::entity::EntityHashMap;
use bevy::ecs::message::MessageCursor;
use bevy::prelude::*;
use serde_json::json;

use super::common::{Common, Notices, interrupted, keep_only, put_path, put_path_as, store_failure};
use crate::actor::Wake;
use crate::analyse::is_idle;
use crate::library::{ContentHash, Failed, Folders, Missing, Restored, Sample, Transient};
use crate::store::{Library, StoreState, Stored};
use crate::watch::Listing;
use crate::{Assembly, add_following, headless};

/// Longest sleep between two looks; whatever happens wakes it sooner.
const SLEEP: Duration = Duration::from_millis(200);

/// What is known of a sample on the disk.
#[derive(Clone, PartialEq)]
struct State {
    content: Option<ContentHash>,
    missing: bool,
    failed: bool,
}

/// Samples that are no more: the old names of moved files.
#[derive(Resource, Default)]
struct Left(Vec<(Entity, Arc<Path>, Option<ContentHash>)>);

/// What has been told so far.
struct Following {
    stored: MessageCursor<Stored>,
    known: EntityHashMap<State>,
    /// Samples that have gone and may still turn up under another name.
    away: Vec<Entity>,
}

/// One change, once it is on the disk.
struct Change {
    event: &'static str,
    path: Arc<Path>,
    from: Option<Arc<Path>>,
    failed: Option<Failed>,
}

pub(super) fn run(common: &Common) -> Result<()> {
    let path = common.library_path();
    // Fails at once if there is no library to follow.
    drop(Library::read(&path)?);
    let library = Library::open(&path)?;
    let mut app = headless(Assembly::new(Some(library), common.find_model()?));
    keep_only(app.world_mut());
    add_following(&mut app);
    app.init_resource::<Left>().add_observer(leave);
    let wake = app.world().resource::<Wake>().clone();
    let interrupted = interrupted(&wake)?;
    let mut notices = Notices::default();
    let mut following: Option<Following> = None;
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
            let following = following.get_or_insert_with(|| Following {
                stored: MessageCursor::default(),
                known: states(world),
                away: Vec::new(),
            });
            if world.resource::<Folders>().0.is_empty() {
                bail!("library has no folders to follow; run `soundkin index FOLDER`");
            }
            for change in following.changes(world) {
                if print(common, &change)?.is_break() {
                    return Ok(());
                }
            }
            if !said && world.resource::<Listing>().is_idle() {
                said = true;
                let folders = world.resource::<Folders>().0.len();
                common.say(&format!(
                    "following {} sounds in the library's {folders} folders; press Ctrl+C to stop",
                    following.known.len()
                ));
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
    samples: Query<(&Sample, Option<&ContentHash>), Without<Transient>>,
    mut left: ResMut<Left>,
) {
    if let Ok((sample, hash)) = samples.get(removed.entity) {
        left.0.push((removed.entity, sample.path.clone(), hash.copied()));
    }
}

type Columns<'a> = (Entity, Option<&'a ContentHash>, Has<Missing>, Has<Failed>);

fn states(world: &mut World) -> EntityHashMap<State> {
    let mut samples = world.query_filtered::<Columns, (With<Sample>, Without<Transient>)>();
    samples.iter(world).map(state).collect()
}

fn state((entity, content, missing, failed): (Entity, Option<&ContentHash>, bool, bool)) -> (Entity, State) {
    (entity, State { content: content.copied(), missing, failed })
}

impl Following {
    /// What has been committed since the last look and differs from what was known.
    fn changes(&mut self, world: &mut World) -> Vec<Change> {
        let stored = self.stored.read(world.resource::<Messages<Stored>>());
        let mut asked: Vec<(Entity, bool)> = stored.map(|stored| (stored.entity, stored.done)).collect();
        let at_rest =
            world.resource::<StoreState>().is_idle() && world.resource::<Listing>().is_idle() && is_idle(world);
        if at_rest {
            asked.extend(self.away.drain(..).map(|entity| (entity, true)));
        }
        let mut samples = world.query_filtered::<(&Sample, Option<&Failed>, Columns), Without<Transient>>();
        let mut found = Vec::new();
        let mut left = std::mem::take(&mut world.resource_mut::<Left>().0);
        for (entity, done) in asked {
            let Ok((sample, failed, columns)) = samples.get(world, entity) else { continue };
            let (entity, now) = state(columns);
            let before = self.known.get(&entity);
            let goes = now.missing && before.is_none_or(|before| !before.missing);
            let comes = !now.missing && before.is_some_and(|before| before.missing);
            // A new sample is reported once it has been analysed, and one that has gone once it is certain
            // that it has not been moved.
            if goes && !at_rest {
                self.away.push(entity);
            }
            if before == Some(&now) || (goes && !at_rest) || !(done || goes || comes) {
                continue;
            }
            let old = left.iter().position(|(_, _, old)| old.is_some() && *old == now.content && !now.missing);
            let from = old.map(|old| left.swap_remove(old));
            let event = match before {
                _ if from.is_some() => "moved",
                _ if goes => "missing",
                _ if comes => "back",
                _ if now.failed => "failed",
                Some(_) => "changed",
                None => "added",
            };
            self.known.insert(entity, now);
            let from = from.map(|(old, path, _)| {
                self.known.remove(&old);
                path
            });
            found.push(Change { event, path: sample.path.clone(), from, failed: failed.cloned() });
        }
        // A moved sample is reported once its new name has been stored.
        if !at_rest {
            world.resource_mut::<Left>().0.append(&mut left);
        }
        found
    }
}

/// Prints one line; stops when the reader has closed the pipe.
fn print(common: &Common, change: &Change) -> Result<std::ops::ControlFlow<()>> {
    let mut object = json!({"event": change.event});
    put_path(&mut object, &change.path);
    if let Some(from) = &change.from {
        put_path_as("from", &mut object, from);
    }
    if let Some(failed) = change.failed.as_ref().filter(|_| change.event == "failed") {
        object["stage"] = failed.stage.name().into();
        object["reason"] = failed.to_string().into();
    }
    let mut out = io::stdout().lock();
    let written = if common.json {
        writeln!(out, "{object}")
    } else {
        let from = change.from.as_ref().map_or(String::new(), |from| format!("{} → ", from.display()));
        let why = change
            .failed
            .as_ref()
            .filter(|_| change.event == "failed")
            .map_or(String::new(), |failed| format!("  ({failed})"));
        writeln!(out, "{:8} {from}{}{why}", change.event, change.path.display())
    };
    match written.and_then(|()| out.flush()) {
        Ok(()) => Ok(std::ops::ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(std::ops::ControlFlow::Break(())),
        Err(error) => Err(anyhow!("cannot write the changes ({error}); check where the output goes")),
    }
}
