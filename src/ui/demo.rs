//! The demo sounds, which the program carries along: somebody without a folder of sounds at hand can try it.

use std::path::Path;

use include_dir::{Dir, DirEntry, include_dir};

/// 75 sounds that `export/make_demo.py` makes, and their licence.
static SOUNDS: Dir = include_dir!("$CARGO_MANIFEST_DIR/assets/demo");

/// Writes what is not there yet into a folder.
pub(super) fn write(into: &Path) -> std::io::Result<()> {
    write_entries(&SOUNDS, into)
}

fn write_entries(folder: &Dir, into: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(into.join(folder.path()))?;
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(inner) => write_entries(inner, into)?,
            DirEntry::File(file) => {
                let path = into.join(file.path());
                let size = std::fs::metadata(&path).map_or(0, |known| known.len());
                // One that was cut short is written again.
                if size != file.contents().len() as u64 {
                    std::fs::write(path, file.contents())?;
                }
            }
        }
    }
    Ok(())
}
