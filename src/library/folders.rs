//! The folders of the library.

use std::path::PathBuf;

use bevy::prelude::*;

/// The folders whose sounds make up the library, in the order they were added.
#[derive(Resource, Default, Debug)]
pub struct Folders(pub Vec<PathBuf>);
