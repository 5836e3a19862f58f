//! What is changed in the library, and how it is undone.

use std::path::{Path, PathBuf};

use bevy::prelude::*;

use super::action::{Edit, Go, Outside};
use super::controls;
use super::session::Session;
use crate::library::table::KEPT;
use crate::library::{SampleIndex, Tags};
use crate::notice::Notice;
use crate::record::SlicesSaved;
use crate::watch::{AddFolder, RemoveFolder};

/// Changes that can be undone.
const UNDOABLE: usize = 100;

/// What was changed, the newest last.
#[derive(Resource, Default)]
pub struct Edits(Vec<Done>);

/// A change that can be taken back.
#[derive(Clone, Debug)]
enum Done {
    /// These are kept now, or no longer.
    Kept(Vec<Entity>, bool),
    /// This folder was removed.
    Removed(PathBuf),
    /// These files were cut from a sound.
    Cut(Vec<PathBuf>),
    /// These files are in the trash.
    Discarded(Vec<PathBuf>),
}

impl Done {
    /// What was done.
    fn words(&self) -> String {
        match self {
            Self::Kept(samples, true) => format!("keeping {}", sounds(samples.len())),
            Self::Kept(samples, false) => format!("no longer keeping {}", sounds(samples.len())),
            Self::Removed(folder) => format!("removing the folder {}", folder.display()),
            Self::Cut(files) => format!("cutting {}, now in the trash", files_in_words(files)),
            Self::Discarded(files) => format!("discarding {}, now back from the trash", files_in_words(files)),
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn files_in_words(files: &[PathBuf]) -> String {
    if let [file] = files { name(file) } else { format!("{} files", controls::count(files.len())) }
}

fn sounds(count: usize) -> String {
    if count == 1 { "one sound".to_owned() } else { format!("{} sounds", controls::count(count)) }
}

impl Edits {
    fn remember(&mut self, done: Done) {
        self.0.push(done);
        if self.0.len() > UNDOABLE {
            self.0.remove(0);
        }
    }
}

/// Changes the library, and takes changes back.
pub(super) fn respond(
    mut asked: MessageReader<Edit>,
    session: Res<Session>,
    mut edits: ResMut<Edits>,
    tags: Query<Option<&Tags>>,
    mut removed: MessageWriter<RemoveFolder>,
    mut added: MessageWriter<AddFolder>,
    mut outside: MessageWriter<Outside>,
    mut notices: MessageWriter<Notice>,
    mut commands: Commands,
) {
    for action in asked.read() {
        match action {
            Edit::Keep => {
                let chosen = session.chosen();
                let is_kept = |sample: &Entity| {
                    tags.get(*sample).is_ok_and(|tags| tags.is_some_and(|tags| tags.0.iter().any(|tag| tag == KEPT)))
                };
                let keep = !chosen.iter().all(is_kept);
                let changed: Vec<Entity> = chosen.into_iter().filter(|sample| is_kept(sample) != keep).collect();
                for sample in &changed {
                    set_kept(*sample, keep, &tags, &mut commands);
                }
                if !changed.is_empty() {
                    edits.remember(Done::Kept(changed, keep));
                }
            }
            Edit::Remove(folder) => {
                edits.remember(Done::Removed(folder.clone()));
                removed.write(RemoveFolder(folder.clone()));
            }
            Edit::Discard(files) => {
                edits.remember(Done::Discarded(files.clone()));
                outside.write(Outside::Discard(files.clone()));
            }
            Edit::Undo => {
                let Some(done) = edits.0.pop() else {
                    notices.write(Notice::done("nothing to undo"));
                    continue;
                };
                notices.write(Notice::done(format!("undone: {}", done.words())));
                match done {
                    Done::Kept(changed, kept) => {
                        for sample in changed {
                            set_kept(sample, !kept, &tags, &mut commands);
                        }
                    }
                    Done::Removed(path) => {
                        added.write(AddFolder { path, follow: true });
                    }
                    Done::Cut(files) => {
                        outside.write(Outside::Discard(files));
                    }
                    Done::Discarded(files) => {
                        outside.write(Outside::Restore(files));
                    }
                }
            }
        }
    }
}

/// Remembers what was cut, says where it is, and selects it.
pub(super) fn follow(
    mut saved: MessageReader<SlicesSaved>,
    index: Res<SampleIndex>,
    mut edits: ResMut<Edits>,
    mut go: MessageWriter<Go>,
    mut notices: MessageWriter<Notice>,
) {
    for SlicesSaved { paths, .. } in saved.read() {
        let files: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
        let Some(first) = files.first() else { continue };
        let what = if files.len() == 1 { name(first) } else { format!("{} slices", files.len()) };
        notices.write(Notice::done(format!("wrote {what}: {}", first.parent().unwrap_or(first).display())));
        let samples: Vec<Entity> = paths.iter().filter_map(|path| index.at(path)).collect();
        if !samples.is_empty() {
            go.write(Go::Mark(samples));
        }
        edits.remember(Done::Cut(files));
    }
}

fn set_kept(sample: Entity, keep: bool, all: &Query<Option<&Tags>>, commands: &mut Commands) {
    let Ok(tags) = all.get(sample) else { return };
    let mut tags = tags.cloned().unwrap_or_default();
    tags.0.retain(|tag| tag != KEPT);
    if keep {
        tags.0.push(KEPT.to_owned());
    }
    commands.entity(sample).try_insert(tags);
}
