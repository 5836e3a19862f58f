//! What a sample is before anything is known of its sound: a file at a path, with a stamp, maybe with content that
//! is known already. Also the index from paths and content to entities, and the notices that any part of the app
//! may raise.
//!
//! Identity has two levels. A *path with its stamp* says whether a file must be looked at again; the *content hash*
//! says whether its analysis is known, so that a moved, renamed or copied file costs one hash and no decoding.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use bevy::prelude::*;

/// A sound file; the anchor of everything else known about it.
#[derive(Component, Clone, Debug)]
#[component(immutable)]
pub struct Sample {
    /// Absolute path, as listed; not always UTF-8.
    pub path: Arc<Path>,
}

/// Size and modification time of the file as last listed; a new stamp makes everything derived from it stale.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[component(immutable)]
pub struct FileStamp {
    /// Length in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970-01-01 UTC.
    pub modified: i64,
}

impl FileStamp {
    /// Reads the stamp from a file's metadata; a platform without modification times gives zero.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        let since = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        let modified = since.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0);
        Self { size: metadata.len(), modified }
    }
}

/// BLAKE3 hash of the file's bytes.
#[derive(Component, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[component(immutable)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The file was there once and is not now; its analysis and tags are kept.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct Missing;

/// Looked at for one question only: never stored, never listed, no member of the space.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct Guest;

/// A guest that stands for a part of its file: from this second to that. It is not found by its path.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Passage(pub [f64; 2]);

/// It is being recorded: it has no [`FileStamp`] until it is finished, so that nobody takes the growing file for one that
/// has to be looked at.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct Recording;

/// Its content was known when it was first looked at: a copy of another sample, or that sample under a new name.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct Arrived;

/// The step at which a file failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading the file: says nothing of its content, so it is looked at again whenever it is listed.
    Read,
    /// Decoding its bytes.
    Decode,
    /// Turning its audio into a vector.
    Embed,
}

impl Stage {
    /// The name used in results and in the library file.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::Decode => "decode",
            Stage::Embed => "embed",
        }
    }

    /// Reads a name written by [`Stage::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Stage::Read, Stage::Decode, Stage::Embed].into_iter().find(|s| s.name() == name)
    }
}

/// The file could not be analysed; one that was read is looked at again when its stamp changes.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Where it failed.
    pub stage: Stage,
    /// Why, as shown to the user.
    pub reason: String,
}

impl Failed {
    /// Tells whether it lies in the bytes, so that every copy of them fails too.
    pub fn is_of_content(&self) -> bool {
        self.stage != Stage::Read
    }
}

/// The user's own words for a sample; they follow the content when the file moves.
#[derive(Component, Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<String>);

/// Something the user should know, raised once.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened, why, and what to do; the path last.
    pub text: String,
}

impl Notice {
    /// Makes a notice.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

/// The folders whose sounds make up the library, in the order they were added.
#[derive(Resource, Default, Debug)]
pub struct Folders(pub Vec<PathBuf>);

/// What is known from earlier runs has been restored, so newly listed files can be compared with it.
#[derive(Resource, Default, Debug)]
pub struct Restored(pub bool);

/// Finds the entity of a path, and those that hold given content.
#[derive(Resource, Default, Debug)]
pub struct SampleIndex {
    // Ordered, so that everything below a folder is one range.
    by_path: BTreeMap<Arc<Path>, Entity>,
    contents: Contents,
}

impl SampleIndex {
    /// Returns the sample at `path`.
    pub fn at(&self, path: &Path) -> Option<Entity> {
        self.by_path.get(path).copied()
    }

    /// Lists the samples at or below `folder`.
    pub fn below<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = Entity> + 'a {
        let from = (std::ops::Bound::Included(folder), std::ops::Bound::Unbounded);
        self.by_path.range::<Path, _>(from).take_while(move |(p, _)| p.starts_with(folder)).map(|(_, e)| *e)
    }

    /// Which samples have which content.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Counts all samples, guests included, but for passages.
    pub fn len(&self) -> usize {
        self.by_path.len()
    }

    /// Tells whether there are no samples at all.
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }
}

/// Which samples have which content, and where they are; guests are left out.
///
/// Clones show the same. A worker has one, because it is the first to learn a file's hash; nobody holds the lock for
/// longer than one look.
#[derive(Clone, Default, Debug)]
pub struct Contents(Arc<RwLock<HashMap<ContentHash, Vec<(Entity, Arc<Path>)>>>>);

impl Contents {
    /// Lists the samples with this content.
    pub fn samples(&self, hash: ContentHash) -> Vec<(Entity, Arc<Path>)> {
        let contents = self.0.read().unwrap_or_else(PoisonError::into_inner);
        contents.get(&hash).cloned().unwrap_or_default()
    }

    /// Finds a sample with this content that is `wanted`.
    pub fn find(&self, hash: ContentHash, mut wanted: impl FnMut(Entity) -> bool) -> Option<Entity> {
        let contents = self.0.read().unwrap_or_else(PoisonError::into_inner);
        contents.get(&hash)?.iter().map(|(entity, _)| *entity).find(|entity| wanted(*entity))
    }

    fn insert(&self, hash: ContentHash, entity: Entity, path: Arc<Path>) {
        let mut contents = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Most content is in one place only.
        contents.entry(hash).or_insert_with(|| Vec::with_capacity(1)).push((entity, path));
    }

    fn remove(&self, hash: ContentHash, entity: Entity) {
        let mut contents = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(samples) = contents.get_mut(&hash) {
            samples.retain(|(known, _)| *known != entity);
            if samples.is_empty() {
                contents.remove(&hash);
            }
        }
    }
}

/// Keeps [`SampleIndex`] in step with the entities.
pub struct SamplePlugin;

impl Plugin for SamplePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<SampleIndex>()
            .init_resource::<Folders>()
            .init_resource::<Restored>()
            .add_message::<Notice>()
            // Notices of one frame may stand in any order.
            .allow_ambiguous_resource::<Messages<Notice>>()
            .add_observer(index_path)
            .add_observer(forget_path)
            .add_observer(index_content::<Sample>)
            .add_observer(index_content::<ContentHash>)
            .add_observer(forget_content::<Sample>)
            .add_observer(forget_content::<ContentHash>)
            .add_observer(forget_outdated);
    }
}

fn index_path(inserted: On<Insert, Sample>, samples: Query<&Sample, Without<Passage>>, mut index: ResMut<SampleIndex>) {
    if let Ok(sample) = samples.get(inserted.entity) {
        index.by_path.insert(sample.path.clone(), inserted.entity);
    }
}

fn forget_path(discarded: On<Discard, Sample>, samples: Query<&Sample>, mut index: ResMut<SampleIndex>) {
    if let Ok(sample) = samples.get(discarded.entity)
        && index.by_path.get(&sample.path) == Some(&discarded.entity)
    {
        index.by_path.remove(&sample.path);
    }
}

fn index_content<C: Component>(
    inserted: On<Insert, C>,
    samples: Query<(&Sample, &ContentHash), Without<Guest>>,
    index: Res<SampleIndex>,
) {
    if let Ok((sample, hash)) = samples.get(inserted.entity) {
        // Whichever of the two came first, it is listed once.
        index.contents.remove(*hash, inserted.entity);
        index.contents.insert(*hash, inserted.entity, sample.path.clone());
    }
}

fn forget_content<C: Component>(discarded: On<Discard, C>, known: Query<&ContentHash>, index: Res<SampleIndex>) {
    if let Ok(hash) = known.get(discarded.entity) {
        index.contents.remove(*hash, discarded.entity);
    }
}

/// Drops what was known of the old bytes the moment a stamp is replaced.
fn forget_outdated(replaced: On<Discard, FileStamp>, mut commands: Commands) {
    if let Ok(mut sample) = commands.get_entity(replaced.entity) {
        sample.try_remove::<(ContentHash, Failed)>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> App {
        let mut app = App::new();
        app.add_plugins(SamplePlugin);
        app
    }

    fn spawn(app: &mut App, path: &str, size: u64) -> Entity {
        let sample = Sample { path: Path::new(path).into() };
        app.world_mut().spawn((sample, FileStamp { size, modified: 1 })).id()
    }

    #[test]
    fn samples_below_a_folder_leave_out_its_namesakes() {
        let mut app = app();
        let inside = spawn(&mut app, "/a/kick.wav", 1);
        spawn(&mut app, "/a b/kick.wav", 1);
        spawn(&mut app, "/ab/kick.wav", 1);
        let deep = spawn(&mut app, "/a/b/kick.wav", 1);
        let index = app.world().resource::<SampleIndex>();
        let mut below: Vec<_> = index.below(Path::new("/a")).collect();
        below.sort();
        let mut expected = vec![inside, deep];
        expected.sort();
        assert_eq!(below, expected);
    }

    #[test]
    fn a_new_stamp_forgets_the_old_content() {
        let mut app = app();
        let entity = spawn(&mut app, "/a.wav", 7);
        app.world_mut().entity_mut(entity).insert(ContentHash([1; 32]));
        assert_eq!(app.world().resource::<SampleIndex>().contents().samples(ContentHash([1; 32])).len(), 1);
        app.world_mut().entity_mut(entity).insert(FileStamp { size: 8, modified: 2 });
        app.world_mut().flush();
        assert!(app.world().resource::<SampleIndex>().contents().samples(ContentHash([1; 32])).is_empty());
        assert!(app.world().get::<ContentHash>(entity).is_none());
    }

    #[test]
    fn a_despawned_sample_is_no_longer_found() {
        let mut app = app();
        let entity = spawn(&mut app, "/a.wav", 7);
        app.world_mut().entity_mut(entity).insert(ContentHash([1; 32]));
        app.world_mut().despawn(entity);
        let index = app.world().resource::<SampleIndex>();
        assert_eq!(index.at(Path::new("/a.wav")), None);
        assert!(index.contents().samples(ContentHash([1; 32])).is_empty());
    }

    #[test]
    fn content_is_listed_once_under_the_path_of_each_sample_that_has_it() {
        let mut app = app();
        let (hash, [a, b]) = (ContentHash([1; 32]), ["/a.wav", "/b.wav"].map(|path| spawn(&mut app, path, 7)));
        for entity in [a, b, a] {
            app.world_mut().entity_mut(entity).insert(hash);
        }
        app.world_mut().spawn((Guest, Sample { path: Path::new("/c.wav").into() }, hash));
        let path_of = |app: &App, wanted: Entity| {
            let mut samples = app.world().resource::<SampleIndex>().contents().samples(hash);
            samples.retain(|(entity, _)| *entity == wanted);
            samples.into_iter().map(|(_, path)| path.to_path_buf()).collect::<Vec<_>>()
        };
        assert_eq!([path_of(&app, a), path_of(&app, b)], [[PathBuf::from("/a.wav")], [PathBuf::from("/b.wav")]]);
        app.world_mut().entity_mut(a).insert(Sample { path: Path::new("/d.wav").into() });
        assert_eq!(path_of(&app, a), [PathBuf::from("/d.wav")]);
        app.world_mut().entity_mut(a).remove::<Sample>();
        assert!(path_of(&app, a).is_empty(), "what is no sample is nobody's twin");
        assert_eq!(app.world().resource::<SampleIndex>().contents().samples(hash).len(), 1);
    }
}
