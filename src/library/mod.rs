//! What is known of the sounds: samples and their facts as components, the folders they come from, and the index from
//! paths and content to entities.
//!
//! Identity has two levels. A *path with its stamp* says whether a file must be looked at again; the *content hash*
//! says whether its analysis is known, so that a moved, renamed or copied file costs one hash and no decoding. Both are
//! decided on in [`identity`]. Whoever keeps something in step with the samples reads [`changes`].

pub mod changes;
mod components;
mod failure;
mod folders;
pub mod identity;
mod index;
pub mod search;
pub mod table;

use bevy::prelude::*;

pub use self::components::{
    AudioInfo, ContentHash, Descriptors, Embedding, Features, FileStamp, Former, Missing, MoveCandidate, Recording,
    Sample, Tags, Thumbnail, Transient, UnsavedSides, Vectors, Windows, head,
};
pub use self::failure::{Failed, FailureKind, Stage};
pub use self::folders::Folders;
pub use self::index::{Contents, SampleIndex};

/// What is known from earlier runs has been restored, so newly listed files can be compared with it.
#[derive(Resource, Default, Debug)]
pub struct Restored(pub bool);

/// Keeps [`SampleIndex`] in step with the entities, and decides what was seen of their files.
pub struct LibraryPlugin;

impl Plugin for LibraryPlugin {
    fn build(&self, app: &mut App) {
        index::plugin(app);
        changes::plugin(app);
        identity::plugin(app);
        app.init_resource::<Folders>().init_resource::<Restored>().add_observer(forget_outdated);
    }
}

/// Drops what was known of the old bytes the moment a stamp is replaced.
fn forget_outdated(replaced: On<Discard, FileStamp>, mut commands: Commands) {
    if let Ok(mut sample) = commands.get_entity(replaced.entity) {
        sample.try_remove::<(ContentHash, Failed)>();
    }
}
