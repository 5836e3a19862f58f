//! Is this the sound we knew? The one place that answers.
//!
//! `watch` and `analyse` report what they saw as [`Sighting`]s; three pure functions decide what it means: [`by_path`] for
//! a path and its stamp, [`by_content`] for a hash, and [`arrival`] for content that turned up in a second place. One
//! system applies the answers in the order of the sightings, each to what the one before has made of the samples.
//!
//! Workers look up in [`Contents`](crate::library::Contents) whether a hash is known, because the worker that has just read a file is
//! the first to learn its hash and holds the bytes. To ask back would cost a frame a file with its bytes in memory, or a
//! second reading; to send all candidates along cannot be done by size, because thousands of sounds may share one. They
//! only ask whether to decode: what the hash means is decided here, when it has arrived.

use std::path::{Path, PathBuf};

use bevy::ecs::entity::EntityHashSet;
use bevy::ecs::system::EntityCommands;
use bevy::prelude::*;

use super::components::{ContentHash, FileStamp, Missing, MoveCandidate, Recording, Sample, Tags, Transient};
use super::failure::Failed;
use super::folders::Folders;
use super::index::SampleIndex;
use crate::schedule::{CollectSystems, SoundkinSystems};

/// What somebody saw of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// An audio file lies at this path.
    File {
        /// Absolute path.
        path: PathBuf,
        /// As it is now.
        stamp: FileStamp,
        /// Whether it was met on a walk that [`Sighting::Walked`] ends.
        in_walk: bool,
    },
    /// There is nothing at this path, and so nothing below it.
    Gone(PathBuf),
    /// A folder has been walked to its end: what was not met is not there.
    Walked {
        /// The folder.
        folder: PathBuf,
        /// Whether somebody asked for this walk.
        asked: bool,
        /// Places that could not be looked at: nothing is known of what is there or below.
        unknown: Vec<PathBuf>,
    },
    /// The file of a sample that was known by one stamp has another, or is not there any more.
    Looked {
        /// The sample.
        sample: Entity,
        /// The stamp it was looked for with; if it has another by now, the news is old.
        known: FileStamp,
        /// As it is now.
        now: Option<FileStamp>,
    },
}

/// What has been seen and not been decided on yet.
#[derive(Resource, Default, Debug)]
pub struct Sightings {
    waiting: Vec<Sighting>,
    /// Samples met on the walk that is under way.
    met: EntityHashSet,
    tally: Tally,
    walked: Vec<(PathBuf, Option<Tally>)>,
    /// Whether folders are still being listed, so that a file that has moved may not have been seen yet.
    pub listing: bool,
}

impl Sightings {
    /// Reports what was seen.
    pub fn report(&mut self, sighting: Sighting) {
        self.waiting.push(sighting);
    }

    /// Takes the folders that have been walked since the last call, with what was found if somebody asked.
    pub fn take_walked(&mut self) -> Vec<(PathBuf, Option<Tally>)> {
        std::mem::take(&mut self.walked)
    }
}

/// What a complete listing found, in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All audio files there.
    pub files: usize,
    /// Never seen before.
    pub new: usize,
    /// Known, with another stamp.
    pub changed: usize,
    /// Known, with the same stamp.
    pub unchanged: usize,
    /// Known, and not there now.
    pub missing: usize,
}

/// What is known of a path before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its stamp when it was last listed.
    pub stamp: FileStamp,
    /// It was not there.
    pub missing: bool,
    /// It was there and could not be read.
    pub unreadable: bool,
}

/// What a look at a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByPath {
    /// Never seen before.
    New,
    /// A sample that is known.
    There {
        /// Its bytes may be others.
        changed: bool,
        /// It was missing.
        returned: bool,
        /// It could not be read before and is tried again.
        readable_again: bool,
    },
    /// It was there and is gone.
    Lost,
    /// Nothing new.
    StillAbsent,
}

/// Decides what a look at a path means: `now` is the stamp of the file that is there, if one is.
pub fn by_path(known: Option<Known>, now: Option<FileStamp>) -> ByPath {
    match (known, now) {
        (None, Some(_)) => ByPath::New,
        (Some(known), Some(now)) => {
            ByPath::There { changed: known.stamp != now, returned: known.missing, readable_again: known.unreadable }
        }
        (Some(Known { missing: false, .. }), None) => ByPath::Lost,
        (Some(_) | None, None) => ByPath::StillAbsent,
    }
}

/// What a file's hash means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByContent {
    /// The same bytes under a new stamp, as after a backup or a `touch`.
    Same,
    /// Other samples have it too: a copy of them, or one of them under a new name.
    Known,
    /// Never heard.
    New,
}

/// Decides what the hash of a file means: `before` is that of its former bytes, `elsewhere` whether other samples have it.
pub fn by_content(hash: ContentHash, before: Option<ContentHash>, elsewhere: bool) -> ByContent {
    match elsewhere {
        _ if before == Some(hash) => ByContent::Same,
        true => ByContent::Known,
        false => ByContent::New,
    }
}

/// What a sample could give to another one with the same content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duplicate {
    /// It has its vector, or failed for a reason that lies in the content.
    pub analysed: bool,
    /// It has its descriptors.
    pub described: bool,
}

impl Duplicate {
    /// Tells whether another sample with the same content is spared its analysis; `described` if it has to be described.
    pub fn helps(self, described: bool) -> bool {
        self.analysed && (self.described || !described)
    }
}

/// Finds the duplicate that helps most.
pub fn best_duplicate(
    duplicates: impl Iterator<Item = (Entity, Duplicate)> + Clone,
    described: bool,
) -> Option<Entity> {
    let find =
        |described| duplicates.clone().find(|(_, duplicate)| duplicate.helps(described)).map(|(entity, _)| entity);
    find(true).or_else(|| find(described))
}

/// Where content that was known when it turned up came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// From this sample, whose file is not there any more.
    Moved(Entity),
    /// All other files with it are still there.
    Copied,
    /// Not all folders have been listed.
    Undecided,
}

/// Decides where a new file's content came from: `gone` are the missing samples with the same content.
pub fn arrival(path: &Path, gone: &[(Entity, &Path)], listing: bool) -> Arrival {
    // Of several, the one with the same file name has moved.
    let namesake = gone.iter().find(|(_, old)| old.file_name() == path.file_name());
    match namesake.or_else(|| gone.first()) {
        Some((old, _)) => Arrival::Moved(*old),
        None if listing => Arrival::Undecided,
        None => Arrival::Copied,
    }
}

/// Another file begins at the path of a sample: nothing that is known of the one before holds.
pub fn begin_anew(sample: &mut EntityCommands) {
    // Removing the stamp discards everything known about the previous bytes.
    sample.try_remove::<(FileStamp, Missing, MoveCandidate)>();
}

pub(super) fn plugin(app: &mut App) {
    app.init_resource::<Sightings>()
        .add_systems(Update, settle_sightings.in_set(CollectSystems::Identity))
        .add_systems(Update, settle_moves.in_set(SoundkinSystems::Derive));
}

/// Applies what was seen, in that order.
fn settle_sightings(mut sightings: ResMut<Sightings>, mut commands: Commands) {
    if sightings.waiting.is_empty() {
        return;
    }
    let waiting = std::mem::take(&mut sightings.waiting);
    // With the world at hand each is judged by what the one before has made of the samples.
    commands.queue(move |world: &mut World| {
        world.resource_scope(|world, mut sightings: Mut<Sightings>| {
            for sighting in waiting {
                settle(world, &mut sightings, sighting);
            }
        });
    });
}

fn settle(world: &mut World, sightings: &mut Sightings, sighting: Sighting) {
    match sighting {
        Sighting::File { path, stamp, in_walk } => {
            // A late report about a folder that has been removed in the meantime.
            if !world.resource::<Folders>().contain(&path) {
                return;
            }
            let at = world.resource::<SampleIndex>().at(&path);
            // A transient sample that existed before its folder was added is replaced by a sample.
            let is_transient =
                |entity| world.get::<Transient>(entity).is_some() && world.get::<Recording>(entity).is_none();
            let at = at.filter(|entity| !is_transient(*entity));
            let mut tally = Tally { files: 1, ..default() };
            let entity = if let Some(entity) = at {
                // Of a take that is being recorded there is nothing to say yet.
                if let Some(known) = member(world, entity) {
                    let verdict = by_path(Some(known), Some(stamp));
                    let changed = matches!(verdict, ByPath::There { changed: true, .. });
                    *(if changed { &mut tally.changed } else { &mut tally.unchanged }) += 1;
                    apply(world, entity, verdict, Some(stamp));
                }
                entity
            } else {
                tally.new += 1;
                world.spawn((Sample { path: path.into() }, stamp)).id()
            };
            if in_walk {
                sightings.met.insert(entity);
                sightings.tally.files += tally.files;
                sightings.tally.new += tally.new;
                sightings.tally.changed += tally.changed;
                sightings.tally.unchanged += tally.unchanged;
            }
        }
        Sighting::Gone(path) => {
            for (entity, known) in members_below(world, &path) {
                apply(world, entity, by_path(Some(known), None), None);
            }
        }
        Sighting::Walked { folder, asked, unknown } => {
            let index = world.resource::<SampleIndex>();
            let unknown: EntityHashSet = unknown.iter().flat_map(|path| index.below(path)).collect();
            for (entity, known) in members_below(world, &folder) {
                if !sightings.met.contains(&entity) && !unknown.contains(&entity) {
                    sightings.tally.missing += 1;
                    apply(world, entity, by_path(Some(known), None), None);
                }
            }
            sightings.met.clear();
            let tally = std::mem::take(&mut sightings.tally);
            sightings.walked.push((folder, asked.then_some(tally)));
        }
        Sighting::Looked { sample, known, now } => {
            if let Some(before) = of(world, sample).filter(|before| before.stamp == known) {
                apply(world, sample, by_path(Some(before), now), now);
            }
        }
    }
}

/// Makes the decision true. Nothing else says of a sample that it is missing, but for the library file, which remembers.
fn apply(world: &mut World, entity: Entity, verdict: ByPath, now: Option<FileStamp>) {
    let Ok(mut sample) = world.get_entity_mut(entity) else { return };
    match verdict {
        ByPath::There { changed, returned, readable_again } => {
            if returned {
                sample.remove::<Missing>();
            }
            if readable_again {
                sample.remove::<Failed>();
            }
            if let Some(stamp) = now.filter(|_| changed) {
                sample.insert(stamp);
            }
        }
        ByPath::Lost => {
            sample.insert(Missing);
        }
        ByPath::New | ByPath::StillAbsent => {}
    }
}

fn of(world: &World, entity: Entity) -> Option<Known> {
    let sample = world.get_entity(entity).ok().filter(EntityRef::contains::<Sample>)?;
    Some(Known {
        stamp: *sample.get::<FileStamp>()?,
        missing: sample.contains::<Missing>(),
        unreadable: sample.get::<Failed>().is_some_and(|failed| !failed.is_of_content()),
    })
}

/// As [`of`], for samples of the library only.
fn member(world: &World, entity: Entity) -> Option<Known> {
    of(world, entity).filter(|_| world.get::<Transient>(entity).is_none())
}

fn members_below(world: &World, path: &Path) -> Vec<(Entity, Known)> {
    let below = world.resource::<SampleIndex>().below(path);
    below.filter_map(|entity| Some((entity, member(world, entity)?))).collect()
}

/// Decides which known content has moved: the sample at the old path hands its tags to the new one and is forgotten.
/// Where the old file is still there, the new one is a copy and both stay.
fn settle_moves(
    sightings: Res<Sightings>,
    index: Res<SampleIndex>,
    arrived: Query<(Entity, &ContentHash, &Sample), With<MoveCandidate>>,
    gone: Query<(Option<&Tags>, &Sample), (With<Missing>, Without<Transient>)>,
    mut commands: Commands,
) {
    let mut claimed = EntityHashSet::default();
    for (entity, hash, new) in &arrived {
        let duplicates = index.contents().samples(*hash);
        let free = duplicates.iter().map(|(old, _)| *old).filter(|old| !claimed.contains(old));
        let free: Vec<(Entity, &Path)> =
            free.filter_map(|old| Some((old, gone.get(old).ok()?.1.path.as_ref()))).collect();
        match arrival(&new.path, &free, sightings.listing) {
            Arrival::Moved(old) => {
                claimed.insert(old);
                if let Ok((Some(tags), _)) = gone.get(old) {
                    commands.entity(entity).try_insert(tags.clone());
                }
                commands.entity(old).try_despawn();
                commands.entity(entity).try_remove::<MoveCandidate>();
            }
            Arrival::Copied => {
                commands.entity(entity).try_remove::<MoveCandidate>();
            }
            Arrival::Undecided => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::{FailureKind, LibraryPlugin, Stage};

    const A: FileStamp = FileStamp { size: 1, modified: 1 };
    const B: FileStamp = FileStamp { size: 2, modified: 2 };

    #[test]
    fn a_path_and_its_stamp_are_new_known_changed_back_or_gone() {
        let known = |missing, unreadable| Some(Known { stamp: A, missing, unreadable });
        let there = |changed, returned, readable_again| ByPath::There { changed, returned, readable_again };
        for (before, now, meaning) in [
            (None, Some(A), ByPath::New),
            (None, None, ByPath::StillAbsent),
            (known(false, false), Some(A), there(false, false, false)),
            (known(false, false), Some(B), there(true, false, false)),
            (known(false, false), None, ByPath::Lost),
            (known(false, true), Some(A), there(false, false, true)),
            (known(false, true), Some(B), there(true, false, true)),
            (known(false, true), None, ByPath::Lost),
            (known(true, false), Some(A), there(false, true, false)),
            (known(true, false), Some(B), there(true, true, false)),
            (known(true, false), None, ByPath::StillAbsent),
            (known(true, true), Some(A), there(false, true, true)),
            (known(true, true), Some(B), there(true, true, true)),
            (known(true, true), None, ByPath::StillAbsent),
        ] {
            assert_eq!(by_path(before, now), meaning, "{before:?} {now:?}");
        }
    }

    #[test]
    fn a_hash_is_that_of_before_known_elsewhere_or_new() {
        let [a, b] = [1, 2].map(|seed| ContentHash([seed; 32]));
        for (before, elsewhere, meaning) in [
            (None, false, ByContent::New),
            (None, true, ByContent::Known),
            (Some(a), false, ByContent::Same),
            (Some(a), true, ByContent::Same),
            (Some(b), false, ByContent::New),
            (Some(b), true, ByContent::Known),
        ] {
            assert_eq!(by_content(a, before, elsewhere), meaning, "{before:?} {elsewhere}");
        }
    }

    #[test]
    fn the_twin_that_is_described_helps_first_and_one_that_was_never_analysed_does_not() {
        let mut world = World::new();
        let [a, b] = [(); 2].map(|()| world.spawn_empty().id());
        let [nothing, vector, all] = [(false, false), (true, false), (true, true)]
            .map(|(analysed, described)| Duplicate { analysed, described });
        for (duplicates, described, best) in [
            (vec![], false, None),
            (vec![(a, nothing)], false, None),
            (vec![(a, vector)], false, Some(a)),
            (vec![(a, vector)], true, None),
            (vec![(a, vector), (b, all)], false, Some(b)),
            (vec![(a, vector), (b, all)], true, Some(b)),
            (vec![(a, nothing), (b, vector)], false, Some(b)),
        ] {
            assert_eq!(best_duplicate(duplicates.iter().copied(), described), best, "{duplicates:?} {described}");
        }
    }

    #[test]
    fn content_has_moved_from_a_missing_namesake_first_and_is_a_copy_only_when_all_is_listed() {
        let mut world = World::new();
        let [a, b] = [(); 2].map(|()| world.spawn_empty().id());
        let [kick, snare] = ["/old/kick.wav", "/old/snare.wav"].map(Path::new);
        for (gone, listing, meaning) in [
            (vec![], true, Arrival::Undecided),
            (vec![], false, Arrival::Copied),
            (vec![(a, snare)], true, Arrival::Moved(a)),
            (vec![(a, snare)], false, Arrival::Moved(a)),
            (vec![(a, snare), (b, kick)], false, Arrival::Moved(b)),
            (vec![(a, kick), (b, snare)], true, Arrival::Moved(a)),
        ] {
            assert_eq!(arrival(Path::new("/new/kick.wav"), &gone, listing), meaning, "{gone:?} {listing}");
        }
    }

    fn app() -> App {
        let mut app = App::new();
        crate::schedule::configure(&mut app);
        app.add_plugins(LibraryPlugin);
        app.world_mut().resource_mut::<Folders>().0.push("/lib".into());
        app
    }

    fn see(app: &mut App, sightings: impl IntoIterator<Item = Sighting>) {
        sightings.into_iter().for_each(|seen| app.world_mut().resource_mut::<Sightings>().report(seen));
        app.update();
    }

    fn file(path: &str, stamp: FileStamp, in_walk: bool) -> Sighting {
        Sighting::File { path: path.into(), stamp, in_walk }
    }

    fn at(app: &App, path: &str) -> Option<(Entity, Known)> {
        let entity = app.world().resource::<SampleIndex>().at(Path::new(path))?;
        Some((entity, of(app.world(), entity)?))
    }

    #[test]
    fn sightings_of_one_frame_are_judged_one_after_the_other() {
        let gone = || Sighting::Gone("/lib/a.wav".into());
        let there = || file("/lib/a.wav", A, false);
        for (sightings, missing) in [
            (vec![there()], false),
            (vec![there(), there()], false),
            (vec![there(), gone()], true),
            (vec![there(), gone(), there()], false),
            (vec![there(), gone(), there(), gone()], true),
        ] {
            // All at once, and one a frame.
            for at_once in [true, false] {
                let mut app = app();
                if at_once {
                    see(&mut app, sightings.clone());
                } else {
                    sightings.iter().for_each(|seen| see(&mut app, [seen.clone()]));
                }
                let (_, known) = at(&app, "/lib/a.wav").unwrap();
                assert_eq!(known.missing, missing, "{sightings:?} {at_once}");
                assert_eq!(app.world().resource::<SampleIndex>().len(), 1);
            }
        }
        let mut app = app();
        see(&mut app, [file("/elsewhere/a.wav", A, false)]);
        assert_eq!(at(&app, "/elsewhere/a.wav"), None, "its folder has been removed");
    }

    #[test]
    fn what_a_walk_does_not_meet_is_missing_but_for_what_it_could_not_look_at() {
        let mut app = app();
        let paths = ["/lib/a.wav", "/lib/b.wav", "/lib/locked/c.wav"];
        see(&mut app, paths.map(|path| file(path, A, false)));
        let walked = |unknown: &[&str]| Sighting::Walked {
            folder: "/lib".into(),
            asked: true,
            unknown: unknown.iter().map(PathBuf::from).collect(),
        };
        let missing = |app: &App| paths.map(|path| at(app, path).unwrap().1.missing);
        see(&mut app, [walked(&["/lib"])]);
        assert_eq!(missing(&app), [false; 3], "a folder that cannot be listed says nothing of its sounds");
        see(&mut app, [file("/lib/a.wav", B, true), file("/lib/d.wav", A, true), walked(&["/lib/locked"])]);
        assert_eq!(missing(&app), [false, true, false]);
        let tally = Tally { files: 2, new: 1, changed: 1, unchanged: 0, missing: 1 };
        let walked = app.world_mut().resource_mut::<Sightings>().take_walked();
        assert_eq!(walked, [Tally::default(), tally].map(|tally| (PathBuf::from("/lib"), Some(tally))));
    }

    #[test]
    fn what_was_seen_under_an_older_stamp_is_old_news() {
        let mut app = app();
        see(&mut app, [file("/lib/a.wav", A, false)]);
        let (sample, _) = at(&app, "/lib/a.wav").unwrap();
        see(&mut app, [file("/lib/a.wav", B, false), Sighting::Looked { sample, known: A, now: None }]);
        assert_eq!(at(&app, "/lib/a.wav").unwrap().1, Known { stamp: B, missing: false, unreadable: false });
        see(&mut app, [Sighting::Looked { sample, known: B, now: None }]);
        assert!(at(&app, "/lib/a.wav").unwrap().1.missing);
        let failed = Failed { stage: Stage::Read, kind: FailureKind::Unreadable, detail: String::new() };
        app.world_mut().entity_mut(sample).insert(failed);
        see(&mut app, [file("/lib/a.wav", B, false)]);
        assert_eq!(at(&app, "/lib/a.wav").unwrap().1, Known { stamp: B, missing: false, unreadable: false });
    }
}
