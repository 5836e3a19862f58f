//! The folders of the library.

use std::path::{Path, PathBuf};

use bevy::prelude::*;

/// The folders whose sounds make up the library, in the order they were added.
#[derive(Resource, Clone, Default, Debug)]
pub struct Folders(pub Vec<PathBuf>);

impl Folders {
    /// Tells whether a path is one of the folders or lies in one.
    pub fn contain(&self, path: &Path) -> bool {
        self.0.iter().any(|folder| path.starts_with(folder))
    }

    /// A path below the folder that it lies in, the outermost of several; the whole path if it lies in none.
    pub fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        let below = self.0.iter().filter_map(|folder| path.strip_prefix(folder).ok());
        below.max_by_key(|path| path.as_os_str().len()).unwrap_or(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_folder_is_told_by_whole_names() {
        let folders = Folders(vec![PathBuf::from("/kits")]);
        assert!(["/kits", "/kits/a/b.wav"].iter().all(|path| folders.contain(Path::new(path))));
        assert!(["/", "/kits 2/a.wav", "kits/a.wav"].iter().all(|path| !folders.contain(Path::new(path))));
    }

    #[test]
    fn a_path_is_told_from_the_outermost_folder_on() {
        let folders = Folders(["/usr/share/kits", "/usr/share"].map(PathBuf::from).to_vec());
        for (path, below) in
            [("/usr/share/kits/a/b.wav", "kits/a/b.wav"), ("/usr/share/c.wav", "c.wav"), ("/d.wav", "/d.wav")]
        {
            assert_eq!(folders.relative(Path::new(path)), Path::new(below));
        }
    }
}
