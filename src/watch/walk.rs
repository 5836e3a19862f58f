//! Lists the audio files below a folder, each once, with a reason for everything that could not be looked at.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::library::FileStamp;

/// File-name endings of the formats that are decoded, and of audio formats that are only listed with their reason.
const AUDIO_ENDINGS: [&str; 32] = [
    "wav", "wave", "bwf", "rf64", "w64", "aif", "aiff", "aifc", "flac", "mp1", "mp2", "mp3", "mpga", "ogg", "oga",
    "opus", "m4a", "m4b", "m4r", "mp4", "aac", "adts", "alac", "caf", "mka", "mkv", "webm", "weba", "au", "snd", "wv",
    "ape",
];

/// One thing the walk came across.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// An audio file.
    File(PathBuf, FileStamp),
    /// Something that could not be listed; nothing is known about what is below it.
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why, as shown to the user.
        reason: String,
        /// There is nothing at this path.
        absent: bool,
    },
    /// A link to a folder that contains it; whatever is below that folder is listed anyway.
    Loop(PathBuf),
}

/// Walks `root`, following links, and hands over each audio file; stops early when it is not `wanted` any more, which is
/// asked at every entry.
///
/// A folder reached twice through links is listed once, and a link to one of its own parents is left out.
pub fn walk(root: &Path, wanted: &dyn Fn() -> bool, hand_over: &mut dyn FnMut(Found)) {
    let mut seen_folders = HashSet::new();
    #[expect(clippy::disallowed_methods, reason = "this is the one place that lists folders")]
    let mut entries = WalkDir::new(root).follow_links(true).into_iter();
    while wanted()
        && let Some(entry) = entries.next()
    {
        let found = match entry {
            Ok(entry) if entry.file_type().is_dir() => {
                if folder_identity(&entry).is_some_and(|id| !seen_folders.insert(id)) {
                    entries.skip_current_dir();
                }
                None
            }
            Ok(entry) => audio_file(&entry),
            Err(error) => Some(unreadable(root, &error)),
        };
        if let Some(found) = found {
            hand_over(found);
        }
    }
}

/// Describes one path that changed: an audio file, a folder to walk, or something to leave alone.
pub fn stamp_if_audio(path: &Path, metadata: &Metadata) -> Option<FileStamp> {
    (metadata.is_file() && is_audio(path)).then(|| FileStamp::of(metadata))
}

fn audio_file(entry: &DirEntry) -> Option<Found> {
    if !entry.file_type().is_file() || !is_audio(entry.path()) {
        return None;
    }
    let path = entry.path().to_owned();
    Some(match entry.metadata() {
        Ok(metadata) => Found::File(path, FileStamp::of(&metadata)),
        Err(error) => {
            Found::Unreadable { path, reason: error.to_string(), absent: error.io_error().is_some_and(is_absence) }
        }
    })
}

fn unreadable(root: &Path, error: &walkdir::Error) -> Found {
    let path = error.path().unwrap_or(root).to_owned();
    if error.loop_ancestor().is_some() {
        return Found::Loop(path);
    }
    let reason = if path.is_symlink() && !path.exists() {
        "broken link; skipped".to_owned()
    } else {
        match error.io_error() {
            Some(io) => format!("cannot read it ({io}); check the permissions"),
            None => "cannot read it".to_owned(),
        }
    };
    Found::Unreadable { path, reason, absent: error.io_error().is_some_and(is_absence) }
}

/// Tells whether an error means that there is nothing, rather than that it cannot be looked at.
pub fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Tells whether a name ends like that of an audio file.
pub fn has_audio_ending(path: &Path) -> bool {
    path.extension().is_some_and(|ending| AUDIO_ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Decides by name, and for a file without an ending by its first bytes.
fn is_audio(path: &Path) -> bool {
    // AppleDouble side files carry the ending of the file they belong to and hold no sound.
    if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"._")) {
        return false;
    }
    match path.extension() {
        Some(_) => has_audio_ending(path),
        None => starts_like_audio(path),
    }
}

fn starts_like_audio(path: &Path) -> bool {
    let mut head = [0_u8; 12];
    if File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_err() {
        return false;
    }
    let riff = matches!(&head[..4], b"RIFF" | b"RF64") && &head[8..] == b"WAVE";
    let aiff = &head[..4] == b"FORM" && matches!(&head[8..], b"AIFF" | b"AIFC");
    riff || aiff
        || matches!(&head[..4], b"fLaC" | b"OggS" | b"caff" | [0x1a, 0x45, 0xdf, 0xa3])
        || &head[..3] == b"ID3"
        || &head[4..8] == b"ftyp"
}

#[cfg(unix)]
fn folder_identity(entry: &DirEntry) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    entry.metadata().ok().map(|m| (m.dev(), m.ino()))
}

#[cfg(not(unix))]
fn folder_identity(entry: &DirEntry) -> Option<PathBuf> {
    entry.path().canonicalize().ok()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn listed(root: &Path) -> (Vec<String>, Vec<String>) {
        let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
        let (mut files, mut problems) = (Vec::new(), Vec::new());
        walk(root, &|| true, &mut |found| match found {
            Found::File(path, _) => files.push(below(&path)),
            Found::Unreadable { path, reason, .. } => problems.push(format!("{}: {reason}", below(&path))),
            Found::Loop(path) => problems.push(format!("{}: leads back", below(&path))),
        });
        files.sort();
        problems.sort();
        (files, problems)
    }

    #[test]
    fn loops_and_dangling_links_are_left_out_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("kick.wav")).unwrap();
        std::fs::write(root.join("kick.wav/a.WAV"), b"x").unwrap();
        symlink(root, root.join("kick.wav/up")).unwrap();
        symlink(root.join("nowhere"), root.join("gone.wav")).unwrap();
        let (files, problems) = listed(root);
        assert_eq!(files, ["kick.wav/a.WAV"]);
        assert_eq!(problems, ["gone.wav: broken link; skipped", "kick.wav/up: leads back"]);
    }

    #[test]
    fn a_walk_that_is_not_wanted_any_more_ends_also_where_there_is_no_audio() {
        let folder = tempfile::tempdir().unwrap();
        (0..50).for_each(|n| std::fs::write(folder.path().join(format!("{n}.txt")), b"x").unwrap());
        let asked = std::cell::Cell::new(0);
        let wanted = || asked.replace(asked.get() + 1) < 9;
        walk(folder.path(), &wanted, &mut |_| ());
        assert_eq!(asked.get(), 10);
    }

    #[test]
    fn a_folder_linked_twice_is_listed_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("drums")).unwrap();
        std::fs::write(root.join("drums/a.wav"), b"x").unwrap();
        symlink(root.join("drums"), root.join("same")).unwrap();
        assert_eq!(listed(root).0.len(), 1);
    }

    #[test]
    fn files_without_an_ending_are_known_by_their_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::write(root.join("snare"), b"RIFF\x10\0\0\0WAVEfmt ").unwrap();
        std::fs::write(root.join("notes"), b"kick, snare, hat, clap").unwrap();
        std::fs::write(root.join("._kick.wav"), b"x").unwrap();
        std::fs::write(root.join("cover.png"), b"x").unwrap();
        assert_eq!(listed(root).0, ["snare"]);
    }

    #[test]
    fn pipes_and_sockets_are_no_audio_files() {
        let folder = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("live.wav")).unwrap();
        assert_eq!(listed(folder.path()), (vec![], vec![]));
    }
}
