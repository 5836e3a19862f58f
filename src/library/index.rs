//! From paths and content to entities.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use bevy::prelude::*;

use super::components::{ContentHash, Sample, Transient};

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

    /// Counts all samples, transient samples included.
    pub fn len(&self) -> usize {
        self.by_path.len()
    }

    /// Tells whether there are no samples at all.
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }
}

/// Which samples have which content, and where they are; transient samples are left out.
///
/// Clones share the same data. Each worker has one because it is the first to learn a file's hash; the lock is only
/// held for a single lookup.
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

/// Keeps the index in step with the entities.
pub(super) fn plugin(app: &mut App) {
    app.init_resource::<SampleIndex>()
        .add_observer(index_path)
        .add_observer(forget_path)
        .add_observer(index_content::<Sample>)
        .add_observer(index_content::<ContentHash>)
        .add_observer(forget_content::<Sample>)
        .add_observer(forget_content::<ContentHash>);
}

fn index_path(inserted: On<Insert, Sample>, samples: Query<&Sample>, mut index: ResMut<SampleIndex>) {
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
    samples: Query<(&Sample, &ContentHash), Without<Transient>>,
    index: Res<SampleIndex>,
) {
    if let Ok((sample, hash)) = samples.get(inserted.entity) {
        // Path and hash may arrive in either order; the sample must be listed only once.
        index.contents.remove(*hash, inserted.entity);
        index.contents.insert(*hash, inserted.entity, sample.path.clone());
    }
}

fn forget_content<C: Component>(discarded: On<Discard, C>, known: Query<&ContentHash>, index: Res<SampleIndex>) {
    if let Ok(hash) = known.get(discarded.entity) {
        index.contents.remove(*hash, discarded.entity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::{FileStamp, LibraryPlugin};

    fn app() -> App {
        let mut app = App::new();
        app.add_plugins(LibraryPlugin);
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
        app.world_mut().spawn((Transient, Sample { path: Path::new("/c.wav").into() }, hash));
        let path_of = |app: &App, wanted: Entity| {
            let mut samples = app.world().resource::<SampleIndex>().contents().samples(hash);
            samples.retain(|(entity, _)| *entity == wanted);
            samples.into_iter().map(|(_, path)| path.to_path_buf()).collect::<Vec<_>>()
        };
        assert_eq!(
            [path_of(&app, a), path_of(&app, b)],
            [[std::path::PathBuf::from("/a.wav")], [std::path::PathBuf::from("/b.wav")]]
        );
        app.world_mut().entity_mut(a).insert(Sample { path: Path::new("/d.wav").into() });
        assert_eq!(path_of(&app, a), [std::path::PathBuf::from("/d.wav")]);
        app.world_mut().entity_mut(a).remove::<Sample>();
        assert!(path_of(&app, a).is_empty(), "an entity that is not a sample has no duplicates");
        assert_eq!(app.world().resource::<SampleIndex>().contents().samples(hash).len(), 1);
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
}
