//! Files that have their name only once they are whole, so that a crash or a full disk leaves the old file or the new
//! one, never half of it.
//!
//! A file is written beside its place under a new hidden name, which is no sound's, and brought to the disk before it is
//! renamed.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writes a file at `path`, in place of the one that is there, if any; a link stays, and what it leads to is replaced.
///
/// # Errors
/// The error of `write`, or the folder cannot be written; then everything is as it was.
pub fn replace<E: From<io::Error>>(path: &Path, write: impl FnOnce(&mut File) -> Result<(), E>) -> Result<Metadata, E> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut part = beside(path.parent().unwrap_or(&path))?;
    write(part.as_file_mut())?;
    if let Ok(old) = path.metadata() {
        // A drive that knows no permissions cannot keep them.
        let _ = part.as_file().set_permissions(old.permissions());
    }
    part.as_file().sync_all()?;
    let file = part.persist(&path).map_err(|error| error.error)?;
    Ok(file.metadata()?)
}

/// Writes a file under the first of `names` that is free; no file is ever overwritten. All names lie in `folder`.
///
/// # Errors
/// The error of `write`, no name is free, or the folder cannot be written; then there is no new file.
pub fn create<E: From<io::Error>>(
    folder: &Path,
    names: impl IntoIterator<Item = PathBuf>,
    write: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(PathBuf, Metadata), E> {
    let mut part = beside(folder)?;
    write(part.as_file_mut())?;
    part.as_file().sync_all()?;
    for name in names {
        // Whoever creates it owns the name, on any file system; a rename that refuses to overwrite is not known to all.
        match OpenOptions::new().write(true).create_new(true).open(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                let file = part.persist(&name).map_err(|error| {
                    // It is empty and our own.
                    let _ = std::fs::remove_file(&name);
                    error.error
                })?;
                return Ok((name, file.metadata()?));
            }
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists).into())
}

/// Makes a file of a new name, which goes away with it.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".soundkin ").suffix(".part");
    // Otherwise nobody but the user could read it; the process's mask is applied to this.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn text(text: &str) -> impl FnOnce(&mut File) -> io::Result<()> {
        move |file| file.write_all(text.as_bytes())
    }

    fn fails(file: &mut File) -> io::Result<()> {
        file.write_all(b"half")?;
        Err(io::ErrorKind::StorageFull.into())
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        replace(&path, text("first")).unwrap();
        assert!(replace(&path, fails).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(replace(&path, text("second one")).unwrap().len(), 10);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second one");
        assert_eq!(names(folder.path()), ["a.txt"], "nothing else is left behind");
    }

    #[test]
    fn somebody_else_s_part_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.txt.part", "a.part"] {
            std::fs::write(folder.path().join(name), "a download").unwrap();
        }
        replace(&folder.path().join("a.txt"), text("mine")).unwrap();
        create(folder.path(), [folder.path().join("b.txt")], text("mine")).unwrap();
        assert_eq!(names(folder.path()), ["a.part", "a.txt", "a.txt.part", "b.txt"]);
        for name in ["a.txt.part", "a.part"] {
            assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), "a download");
        }
    }

    #[test]
    fn a_new_file_gets_the_first_free_name() {
        let folder = tempfile::tempdir().unwrap();
        let names_of = || ["1", "2", "3"].map(|name| folder.path().join(name));
        std::fs::write(folder.path().join("1"), "mine").unwrap();
        let (path, metadata) = create(folder.path(), names_of(), text("new")).unwrap();
        assert_eq!((path, metadata.len()), (folder.path().join("2"), 3));
        assert!(create(folder.path(), names_of(), fails).is_err());
        create(folder.path(), names_of(), text("new")).unwrap();
        let error: io::Error = create(folder.path(), names_of(), text("new")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names(folder.path()), ["1", "2", "3"]);
        assert_eq!(std::fs::read_to_string(folder.path().join("1")).unwrap(), "mine");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_permissions_do_too() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, text("new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let (new, _) = create(folder.path(), [folder.path().join("new")], text("")).unwrap();
        assert_eq!(new.metadata().unwrap().permissions(), plain.metadata().unwrap().permissions());
    }
}
