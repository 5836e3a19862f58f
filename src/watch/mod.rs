//! Folders → samples: lists every audio file at once, then follows changes.
//!
//! One thread walks folders and listens to the operating system. It only reports facts: this file is there with
//! this stamp, this path is gone, this folder has been walked to its end. What that means for the samples is decided in
//! [`identity`](crate::library::identity); analysis happens later and elsewhere.

mod debounce;
mod walk;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use notify::{RecursiveMode, Watcher};

use self::debounce::Debounce;
pub use self::walk::has_audio_ending;
use self::walk::{Found, is_absence};
use crate::actor::{Actor, Closed, Outbox, start};
pub use crate::library::identity::Tally;
use crate::library::identity::{Sighting, Sightings};
use crate::library::{FileStamp, Folders, Restored, Sample, SampleIndex, Transient};
use crate::notice::Notice;
use crate::schedule::{CollectSystems, DispatchSystems, RespondSystems};

/// Files handed over together, so that a large folder costs few messages.
const BATCH: usize = 512;
/// Changes kept while the thread walks; beyond this the folders are walked again instead.
const CHANGES: usize = 4096;
/// A folder that has vanished is looked for this often.
const RETURN_CHECK: Duration = Duration::from_secs(2);

/// Asks for a folder's sounds to be listed, and followed if wished.
#[derive(Message, Clone, Debug)]
pub struct AddFolder {
    /// Absolute path of the folder (a single file works too).
    pub path: PathBuf,
    /// Whether later changes are followed.
    pub follow: bool,
}

/// Takes a folder out of the library; its files stay where they are.
#[derive(Message, Clone, Debug)]
pub struct RemoveFolder(pub PathBuf);

/// A former sample whose folder was removed; it becomes a sample again, with all that is known of it, if the folder is
/// added again while the program runs.
#[derive(Component, Clone, Debug)]
struct Removed(Sample);

/// A folder has been listed to its end.
#[derive(Message, Clone, Debug)]
pub struct FolderListed {
    /// The folder.
    pub path: PathBuf,
    /// Its audio files and what became of each.
    pub tally: Tally,
}

/// Folders that are being listed or wait for it.
#[derive(Resource, Default, Debug)]
pub struct Listing {
    waiting: Vec<Waiting>,
    under_way: usize,
}

/// A folder that is to be listed.
#[derive(Debug)]
struct Waiting {
    folder: AddFolder,
    /// Whether an earlier run listed it: what was skipped in it has been told then.
    known: bool,
}

impl Listing {
    /// Tells whether every folder asked for has been listed.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way == 0
    }
}

enum Job {
    Add(Waiting),
    Remove(PathBuf),
}

enum Fact {
    Files { files: Vec<(PathBuf, FileStamp)>, in_walk: bool },
    Gone(PathBuf),
    Listed { path: PathBuf, asked: bool, unknown: Vec<PathBuf> },
    Notice(String),
}

#[derive(Resource)]
struct WatchActor(Actor<Job, Fact>);

/// Lists and follows folders.
pub struct WatchPlugin;

impl Plugin for WatchPlugin {
    fn build(&self, app: &mut App) {
        let body = |inbox: Receiver<Job>, outbox| Watching::new(outbox).run(&inbox);
        let Some(actor) = start(app, "list folders", |wake| Actor::spawn("watch", 16, wake, body)) else { return };
        app.insert_resource(WatchActor(actor))
            .init_resource::<Listing>()
            .add_message::<AddFolder>()
            // Folders of one frame may be added in any order.
            .allow_ambiguous_resource::<Messages<AddFolder>>()
            .add_message::<RemoveFolder>()
            .add_message::<FolderListed>()
            .add_systems(Update, collect_facts.in_set(CollectSystems::Files))
            .add_systems(
                Update,
                (announce_listed, remove_folders, queue_folders).chain().in_set(RespondSystems::Folders),
            )
            .add_systems(Update, dispatch_folders.in_set(DispatchSystems::Folders));
    }
}

/// Lists and follows the folders of earlier runs as soon as they are restored.
///
/// The window shows all of the library; the command line looks only at the folders that it is given.
pub struct FollowPlugin;

impl Plugin for FollowPlugin {
    fn build(&self, app: &mut App) {
        let follow = follow_restored.after(queue_folders).run_if(resource_exists::<Listing>);
        app.add_systems(Update, follow.in_set(RespondSystems::Folders));
    }
}

fn collect_facts(mut actor: ResMut<WatchActor>, mut sightings: ResMut<Sightings>, mut notices: MessageWriter<Notice>) {
    for fact in actor.0.replies() {
        match fact {
            Fact::Files { files, in_walk } => {
                files.into_iter().for_each(|(path, stamp)| sightings.report(Sighting::File { path, stamp, in_walk }));
            }
            Fact::Gone(path) => sightings.report(Sighting::Gone(path)),
            Fact::Listed { path, asked, unknown } => {
                sightings.report(Sighting::Walked { folder: path, asked, unknown });
            }
            Fact::Notice(text) => {
                notices.write(Notice::new(text));
            }
        }
    }
}

/// Says which of the folders asked for have been listed, once it is decided what became of their files.
fn announce_listed(
    mut sightings: ResMut<Sightings>,
    mut listing: ResMut<Listing>,
    mut listed: MessageWriter<FolderListed>,
) {
    for (path, tally) in sightings.take_walked() {
        if let Some(tally) = tally {
            listing.under_way = listing.under_way.saturating_sub(1);
            listed.write(FolderListed { path, tally });
        }
    }
}

/// Takes out the samples below a folder that are not below another one as well.
fn remove_folders(
    mut removed: MessageReader<RemoveFolder>,
    mut actor: ResMut<WatchActor>,
    mut listing: ResMut<Listing>,
    mut folders: ResMut<Folders>,
    index: Res<SampleIndex>,
    samples: Query<&Sample, Without<Transient>>,
    mut commands: Commands,
) {
    for RemoveFolder(path) in removed.read() {
        folders.0.retain(|folder| folder != path);
        listing.waiting.retain(|waiting| waiting.folder.path != *path);
        actor.0.queue(Job::Remove(path.clone()));
        for entity in index.below(path) {
            let Ok(sample) = samples.get(entity) else { continue };
            if !folders.contain(&sample.path) {
                commands.entity(entity).try_remove::<Sample>().try_insert(Removed(sample.clone()));
            }
        }
    }
}

fn queue_folders(
    mut added: MessageReader<AddFolder>,
    mut listing: ResMut<Listing>,
    mut folders: ResMut<Folders>,
    mut sightings: ResMut<Sightings>,
    removed: Query<(Entity, &Removed)>,
    mut commands: Commands,
) {
    for folder in added.read() {
        for (entity, Removed(sample)) in removed.iter().filter(|(_, r)| r.0.path.starts_with(&folder.path)) {
            commands.entity(entity).try_remove::<Removed>().try_insert(sample.clone());
        }
        if !folders.0.contains(&folder.path) {
            folders.0.push(folder.path.clone());
        }
        listing.waiting.push(Waiting { folder: folder.clone(), known: false });
    }
    sightings.listing = !listing.is_idle();
}

/// Asks for each restored folder once. The user did not add them just now, so there is no notice and nothing to undo.
fn follow_restored(
    restored: Res<Restored>,
    folders: Res<Folders>,
    mut listing: ResMut<Listing>,
    mut asked: Local<bool>,
) {
    if !restored.0 || std::mem::replace(&mut *asked, true) {
        return;
    }
    for path in &folders.0 {
        // One that was added since the start waits already.
        if !listing.waiting.iter().any(|waiting| waiting.folder.path == *path) {
            let folder = AddFolder { path: path.clone(), follow: true };
            listing.waiting.push(Waiting { folder, known: true });
        }
    }
}

fn dispatch_folders(mut actor: ResMut<WatchActor>, restored: Res<Restored>, mut listing: ResMut<Listing>) {
    while restored.0 && !listing.waiting.is_empty() && actor.0.has_room() {
        actor.0.queue(Job::Add(listing.waiting.remove(0)));
        listing.under_way += 1;
    }
}

/// What the watch thread owns.
struct Watching {
    outbox: Outbox<Fact>,
    watcher: Option<notify::RecommendedWatcher>,
    changes: Receiver<PathBuf>,
    overflow: Receiver<()>,
    /// Kept because a channel without senders is always ready to receive, and there may be no watcher.
    _senders: (Sender<PathBuf>, Sender<()>),
    followed: Vec<PathBuf>,
    /// Folders to follow that are missing, such as those on an unplugged drive, and folders without
    /// sounds, such as the mount point of a drive that is not mounted yet, with the device that they are on.
    away: Vec<(PathBuf, Option<u64>)>,
    debounce: Debounce,
    reported: HashSet<PathBuf>,
    /// Whether links that lead nowhere or back are told.
    tells_links: bool,
}

impl Watching {
    fn new(outbox: Outbox<Fact>) -> Self {
        let (change_sender, changes) = bounded(CHANGES);
        let (overflow_sender, overflow) = bounded(1);
        let senders = (change_sender.clone(), overflow_sender.clone());
        #[expect(clippy::disallowed_methods, reason = "this is the one place that follows files")]
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let (paths, lost) = match event {
                Ok(event) if event.kind.is_access() => return,
                Ok(event) => (event.paths.clone(), event.need_rescan()),
                Err(_) => (Vec::new(), true),
            };
            if lost || paths.into_iter().any(|path| change_sender.try_send(path).is_err()) {
                let _ = overflow_sender.try_send(());
            }
        });
        Self {
            outbox,
            watcher: watcher.ok(),
            changes,
            overflow,
            _senders: senders,
            followed: Vec::new(),
            away: Vec::new(),
            debounce: Debounce::default(),
            reported: HashSet::new(),
            tells_links: true,
        }
    }

    fn run(mut self, inbox: &Receiver<Job>) {
        while self.turn(inbox).is_ok() {}
    }

    fn turn(&mut self, inbox: &Receiver<Job>) -> Result<(), Closed> {
        let now = Instant::now();
        let idle = if self.away.is_empty() { Duration::from_hours(1) } else { RETURN_CHECK };
        let nap = self.debounce.deadline().map_or(idle, |d| d.saturating_duration_since(now));
        select! {
            recv(inbox) -> job => match job {
                Ok(Job::Add(folder)) => self.add(folder),
                Ok(Job::Remove(folder)) => self.leave(&folder),
                Err(_) => Err(Closed),
            },
            recv(self.changes) -> path => {
                if let Ok(path) = path {
                    self.debounce.push(path, Instant::now());
                }
                Ok(())
            },
            recv(self.overflow) -> _ => {
                for folder in self.followed.clone() {
                    self.debounce.push(folder, Instant::now());
                }
                Ok(())
            },
            default(nap) => {
                for path in self.debounce.take_due(Instant::now()) {
                    self.look_again(path)?;
                }
                self.welcome_back()
            },
        }
    }

    fn leave(&mut self, folder: &Path) -> Result<(), Closed> {
        self.away.retain(|(away, _)| away != folder);
        self.reported.remove(folder);
        if self.followed.iter().any(|followed| followed == folder) {
            self.followed.retain(|followed| followed != folder);
            let within: Vec<PathBuf> = self.followed.iter().filter(|f| f.starts_with(folder)).cloned().collect();
            if let Some(watcher) = &mut self.watcher {
                // A folder that is gone is no longer followed anyway.
                let _ = watcher.unwatch(folder);
                // Some systems stop following what lies below as well.
                for inner in &within {
                    let _ = watcher.watch(inner, RecursiveMode::Recursive);
                }
            }
            // Changes between the two calls would be missed.
            for inner in within {
                self.list(inner, false)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, Waiting { folder, known }: Waiting) -> Result<(), Closed> {
        if let Err(error) = std::fs::metadata(&folder.path) {
            self.report(&folder.path, &format!("cannot read folder ({error}); reconnect its drive or remove it"))?;
            if folder.follow {
                self.miss(folder.path.clone(), None);
            }
        } else if folder.follow && !self.followed.contains(&folder.path) {
            // Follow first, so that a change during the walk is not missed.
            self.follow(&folder.path)?;
        }
        self.tells_links = !known;
        let listed = self.list(folder.path, true);
        self.tells_links = true;
        listed
    }

    /// Lists and follows again the folders that have come back.
    fn welcome_back(&mut self) -> Result<(), Closed> {
        let away = std::mem::take(&mut self.away);
        let is_back =
            |(path, lay_on): &(PathBuf, Option<u64>)| path.exists() && (lay_on.is_none() || device(path) != *lay_on);
        let (back, away): (Vec<_>, _) = away.into_iter().partition(is_back);
        self.away = away;
        for (path, _) in back {
            self.reported.remove(&path);
            self.followed.retain(|followed| *followed != path);
            self.follow(&path)?;
            self.list(path, false)?;
        }
        Ok(())
    }

    /// Notes that a folder is missing, or, given a device, that it is empty as long as it is on that device.
    fn miss(&mut self, path: PathBuf, lies_on: Option<u64>) {
        if !self.away.iter().any(|(away, _)| *away == path) {
            self.away.push((path, lies_on));
        }
    }

    fn follow(&mut self, path: &Path) -> Result<(), Closed> {
        let watched = match &mut self.watcher {
            Some(watcher) => watcher.watch(path, RecursiveMode::Recursive).map_err(|e| e.to_string()),
            None => Err("the system offers no file notifications".to_owned()),
        };
        match watched {
            Ok(()) => {
                self.followed.push(path.to_owned());
                Ok(())
            }
            Err(reason) => self.report(path, &format!("cannot follow changes ({reason}); index it again by hand")),
        }
    }

    fn look_again(&mut self, path: PathBuf) -> Result<(), Closed> {
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                // Only a walk from the top can tell whether a link points to a folder that is listed already.
                let top = self.followed.iter().find(|followed| path.starts_with(followed) && path.is_symlink());
                self.list(top.cloned().unwrap_or(path), false)
            }
            Ok(metadata) => match walk::stamp_if_audio(&path, &metadata) {
                Some(stamp) => self.outbox.send(Fact::Files { files: vec![(path, stamp)], in_walk: false }),
                None => Ok(()),
            },
            Err(error) if !is_absence(&error) => {
                self.report(&path, &format!("cannot read it ({error}); check the permissions and the drive"))
            }
            Err(_) => {
                if let Some(at) = self.followed.iter().position(|followed| *followed == path) {
                    let folder = self.followed.swap_remove(at);
                    self.miss(folder, None);
                    self.report(&path, "folder has vanished; its sounds are listed as missing until it is back")?;
                }
                self.outbox.send(Fact::Gone(path))
            }
        }
    }

    fn list(&mut self, path: PathBuf, asked: bool) -> Result<(), Closed> {
        let mut batch = Vec::with_capacity(BATCH);
        let (mut problems, mut loops): (Vec<Problem>, _) = (Vec::new(), Vec::new());
        let mut is_empty = true;
        let outbox = self.outbox.clone();
        walk::walk(&path, &|| !outbox.is_closed(), &mut |found| {
            match found {
                Found::File(path, stamp) => {
                    is_empty = false;
                    batch.push((path, stamp));
                }
                Found::Unreadable { path, reason, absent } => problems.push((path, reason, absent)),
                Found::Loop(path) => loops.push(path),
            }
            if batch.len() >= BATCH {
                // It fails only once the outbox is closed, which ends the walk.
                let _ = outbox.send(Fact::Files { files: std::mem::take(&mut batch), in_walk: true });
            }
        });
        if outbox.is_closed() {
            return Err(Closed);
        }
        // Mounting a drive on a followed folder causes no notification, so empty folders are checked for a new device.
        if is_empty
            && self.followed.contains(&path)
            && let Some(lies_on) = device(&path)
        {
            self.miss(path.clone(), Some(lies_on));
        }
        outbox.send(Fact::Files { files: batch, in_walk: true })?;
        for link in loops {
            self.report_link(&link, "link points back to a folder that contains it; skipped")?;
        }
        let unknown = self.unknown(&path, problems)?;
        self.outbox.send(Fact::Listed { path, asked, unknown })
    }

    /// Reports what a walk of `root` could not look at; nothing is known of what is there or below.
    fn unknown(&mut self, root: &Path, problems: Vec<Problem>) -> Result<Vec<PathBuf>, Closed> {
        let mut unknown = Vec::new();
        for (path, reason, absent) in problems {
            // A root that is not there has been reported by the caller already, and its sounds count as missing.
            if path != root || !absent {
                if absent {
                    self.report_link(&path, &reason)?;
                } else {
                    self.report(&path, &reason)?;
                }
                unknown.push(path);
            }
        }
        Ok(unknown)
    }

    /// Tells of a link that leads nowhere or back, unless an earlier run has.
    fn report_link(&mut self, path: &Path, what: &str) -> Result<(), Closed> {
        if self.tells_links {
            return self.report(path, what);
        }
        self.reported.insert(path.to_owned());
        Ok(())
    }

    /// Tells the user, once for each path.
    fn report(&mut self, path: &Path, what: &str) -> Result<(), Closed> {
        if self.reported.insert(path.to_owned()) {
            self.outbox.send(Fact::Notice(format!("{what}: {}", path.display())))?;
        }
        Ok(())
    }
}

/// Something that a walk could not look at, why, and whether there is nothing at all.
type Problem = (PathBuf, String, bool);

/// The device that a folder lies on, where the system tells.
#[cfg(unix)]
fn device(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|metadata| metadata.dev())
}

#[cfg(not(unix))]
fn device(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Wake;
    use crate::library::{Failed, FailureKind, LibraryPlugin, Missing, Stage};
    use crate::notice::NoticePlugin;

    fn app() -> App {
        let mut app = App::new();
        crate::schedule::configure(&mut app);
        app.init_resource::<Wake>().add_plugins((NoticePlugin, LibraryPlugin, WatchPlugin));
        app.world_mut().resource_mut::<Restored>().0 = true;
        app
    }

    fn until(app: &mut App, what: &str, done: impl Fn(&mut World) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            app.update();
            if done(app.world_mut()) {
                return;
            }
            assert!(Instant::now() < deadline, "waited too long: {what}");
            let wake = app.world().resource::<Wake>().clone();
            wake.wait(Duration::from_millis(20));
        }
    }

    fn add(app: &mut App, path: &Path, follow: bool) {
        app.world_mut().write_message(AddFolder { path: path.to_owned(), follow });
        app.update();
        until(app, "listing", |world| world.resource::<Listing>().is_idle());
    }

    fn count<F: bevy::ecs::query::QueryFilter>(world: &mut World) -> usize {
        world.query_filtered::<(), (With<Sample>, F)>().iter(world).count()
    }

    #[test]
    fn files_are_listed_and_a_second_listing_tells_what_changed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.wav", "b.wav", "c.wav"] {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        let mut app = app();
        add(&mut app, folder.path(), false);
        assert_eq!(count::<Without<Missing>>(app.world_mut()), 3);
        std::fs::write(folder.path().join("a.wav"), b"longer").unwrap();
        std::fs::remove_file(folder.path().join("b.wav")).unwrap();
        std::fs::write(folder.path().join("d.wav"), b"x").unwrap();
        app.world_mut().write_message(AddFolder { path: folder.path().to_owned(), follow: false });
        let mut cursor = app.world().resource::<Messages<FolderListed>>().get_cursor_current();
        let mut tally = None;
        let deadline = Instant::now() + Duration::from_secs(10);
        while tally.is_none() && Instant::now() < deadline {
            app.update();
            let listed = app.world().resource::<Messages<FolderListed>>();
            tally = cursor.read(listed).last().map(|l| l.tally);
        }
        assert_eq!(tally, Some(Tally { files: 3, new: 1, changed: 1, unchanged: 1, missing: 1 }));
        assert_eq!(count::<With<Missing>>(app.world_mut()), 1);
    }

    #[test]
    fn a_file_that_could_not_be_read_is_tried_again_when_it_is_listed_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut app = app();
        for (name, stage) in [("away.wav", Stage::Read), ("damaged.wav", Stage::Decode)] {
            let path = folder.path().join(name);
            std::fs::write(&path, b"x").unwrap();
            let stamp = FileStamp::of(&path.metadata().unwrap());
            let failed = Failed { stage, kind: FailureKind::Damaged, detail: String::new() };
            app.world_mut().spawn((Sample { path: path.as_path().into() }, stamp, failed));
        }
        add(&mut app, folder.path(), false);
        let world = app.world_mut();
        let failed: Vec<Stage> = world.query::<&Failed>().iter(world).map(|failed| failed.stage).collect();
        assert_eq!(failed, [Stage::Decode]);
    }

    #[test]
    fn a_removed_folder_takes_its_samples_along_but_not_those_of_a_folder_within() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(folder.path().join("a.wav"), b"x").unwrap();
        std::fs::write(inner.join("b.wav"), b"x").unwrap();
        let mut app = app();
        add(&mut app, folder.path(), true);
        add(&mut app, &inner, true);
        assert_eq!(count::<()>(app.world_mut()), 2);
        app.world_mut().write_message(RemoveFolder(folder.path().to_owned()));
        app.update();
        assert_eq!(count::<()>(app.world_mut()), 1);
        std::fs::write(folder.path().join("c.wav"), b"x").unwrap();
        std::fs::write(inner.join("d.wav"), b"x").unwrap();
        until(&mut app, "the file in the folder that stays", |world| count::<()>(world) == 2);
    }

    #[test]
    fn a_followed_folder_shows_new_and_removed_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut app = app();
        add(&mut app, folder.path(), true);
        std::fs::create_dir(folder.path().join("new")).unwrap();
        std::fs::write(folder.path().join("new/a.wav"), b"x").unwrap();
        until(&mut app, "the new file", |world| count::<Without<Missing>>(world) == 1);
        std::fs::remove_dir_all(folder.path().join("new")).unwrap();
        until(&mut app, "its removal", |world| count::<With<Missing>>(world) == 1);
    }

    #[test]
    fn a_folder_that_vanishes_is_reported_once_and_comes_back() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("drive");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("a.wav"), b"x").unwrap();
        let mut app = app();
        add(&mut app, &folder, true);
        let mut cursor = app.world().resource::<Messages<Notice>>().get_cursor_current();
        std::fs::remove_dir_all(&folder).unwrap();
        let mut notices = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(3);
        while Instant::now() < deadline {
            app.update();
            notices.extend(cursor.read(app.world().resource::<Messages<Notice>>()).cloned());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert!(notices[0].text.contains("vanished"), "{notices:?}");
        assert_eq!(count::<With<Missing>>(app.world_mut()), 1);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("a.wav"), b"x").unwrap();
        until(&mut app, "the file's return", |world| count::<With<Missing>>(world) == 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_drive_that_is_mounted_later_where_an_empty_folder_was_is_listed() {
        // A link that leads to another device stands for the mount, of which nobody is notified either.
        let (parent, drive) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
        let (empty, place) = (parent.path().join("empty"), parent.path().join("place"));
        std::fs::create_dir(&empty).unwrap();
        std::os::unix::fs::symlink(&empty, &place).unwrap();
        assert_ne!(device(&empty), device(drive.path()));
        let mut app = app();
        add(&mut app, &place, true);
        std::fs::write(drive.path().join("a.wav"), b"x").unwrap();
        std::fs::remove_file(&place).unwrap();
        std::os::unix::fs::symlink(drive.path(), &place).unwrap();
        until(&mut app, "the file on the drive", |world| count::<Without<Missing>>(world) == 1);
        std::fs::write(drive.path().join("b.wav"), b"x").unwrap();
        until(&mut app, "another one", |world| count::<Without<Missing>>(world) == 2);
    }

    #[test]
    fn restored_folders_are_listed_and_followed_without_a_word() {
        let parent = tempfile::tempdir().unwrap();
        let [here, away] = ["here", "away"].map(|name| parent.path().join(name));
        std::fs::create_dir(&here).unwrap();
        std::fs::write(here.join("new.wav"), b"x").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(parent.path().join("nowhere"), here.join("broken.wav")).unwrap();
        let mut app = app();
        app.add_plugins(FollowPlugin);
        app.world_mut().resource_mut::<Restored>().0 = false;
        app.update();
        // What a library would restore: a file that has gone since, and one on a drive that is not there.
        app.world_mut().resource_mut::<Folders>().0 = vec![here.clone(), away.clone()];
        for path in [here.join("gone.wav"), away.join("a.wav")] {
            app.world_mut().spawn((Sample { path: path.as_path().into() }, FileStamp { size: 1, modified: 1 }));
        }
        app.world_mut().resource_mut::<Restored>().0 = true;
        app.update();
        assert!(app.world().resource::<Messages<AddFolder>>().is_empty(), "nobody has added a folder");
        until(&mut app, "listing", |world| {
            let mut said = world.resource::<Messages<Notice>>().iter_current_update_messages();
            assert!(!said.any(|notice| notice.text.contains("broken")), "an earlier run has told of the link");
            world.resource::<Listing>().is_idle()
        });
        let world = app.world_mut();
        assert_eq!((count::<Without<Missing>>(world), count::<With<Missing>>(world)), (1, 2));
        std::fs::create_dir(&away).unwrap();
        std::fs::write(away.join("a.wav"), b"x").unwrap();
        std::fs::write(here.join("newer.wav"), b"x").unwrap();
        until(&mut app, "the drive and the new file", |world| count::<Without<Missing>>(world) == 3);
        assert_eq!(app.world().resource::<Folders>().0, [here, away]);
    }

    #[test]
    fn without_file_notifications_the_thread_still_sleeps_and_looks_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let body = move |inbox: Receiver<Job>, outbox| {
            let mut watching = Watching { watcher: None, ..Watching::new(outbox) };
            watching.debounce.push(path, Instant::now());
            // One turn, which has nothing to do until the folder is due.
            let _ = watching.turn(&inbox);
        };
        let mut actor = Actor::spawn("test", 1, &Wake::default(), body).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut listed = || actor.replies().iter().any(|fact| matches!(fact, Fact::Listed { .. }));
        while !listed() {
            assert!(Instant::now() < deadline, "the turn ended without looking");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_root_that_is_there_and_cannot_be_listed_is_reported_and_its_sounds_are_not_missing() {
        let body = |_: Receiver<Job>, outbox| {
            let mut watching = Watching::new(outbox);
            let root = Path::new("/lib");
            let problem = |path: &str, absent| (PathBuf::from(path), "cannot read it".to_owned(), absent);
            for (problems, expected) in [
                (vec![problem("/lib", true)], vec![]),
                (vec![problem("/lib", false)], vec![PathBuf::from("/lib")]),
                (vec![problem("/lib/inner", true)], vec![PathBuf::from("/lib/inner")]),
            ] {
                assert_eq!(watching.unknown(root, problems).ok(), Some(expected));
            }
        };
        let mut actor = Actor::spawn("test", 1, &Wake::default(), body).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut notices = Vec::new();
        while notices.len() < 2 && Instant::now() < deadline {
            notices.extend(actor.replies().into_iter().filter_map(|fact| match fact {
                Fact::Notice(text) => Some(text),
                _ => None,
            }));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(notices, ["cannot read it: /lib", "cannot read it: /lib/inner"]);
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_are_kept_byte_for_byte() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"kick\xff\xfe.wav");
        std::fs::write(folder.path().join(name), b"x").unwrap();
        let mut app = app();
        add(&mut app, folder.path(), false);
        let world = app.world_mut();
        let sample = world.query::<&Sample>().single(world).unwrap();
        assert_eq!(sample.path.file_name(), Some(name));
    }
}
