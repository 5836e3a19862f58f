//! What the window asks of the desktop around it: choosing a folder, showing a file, copying files.
//!
//! All of it may take seconds or wait for the user, so it happens on a thread of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bevy::prelude::*;
use bevy::window::FileDragAndDrop;
use crossbeam_channel::Receiver;
use dsp::Span;

use super::action::{FolderFor, Go, Outside, Take, Type};
use super::clipboard::{Clipboard, ClipboardError};
use super::controls;
use super::dropping::Hovering;
use super::rows::Rows;
use super::session::Session;
use super::{demo, services};
use crate::actor::{Actor, Outbox, Wake, drop_within, start};
use crate::analyse::Analysis;
use crate::export::{self, ExportError};
use crate::library::table::SampleTable;
use crate::library::{Sample, SampleIndex};
use crate::neighbours::vectors::Sound;
use crate::notice::Notice;
use crate::paths;
use crate::schedule::CollectSystems;
use crate::watch::AddFolder;

/// How long the window waits at its end for what the desktop is doing: a dialog stays open until somebody answers it.
const CLOSING: Duration = Duration::from_millis(300);
/// How long a region that was copied is kept as a file.
const KEPT: Duration = Duration::from_hours(7 * 24);

pub(super) enum Job {
    AskForFolder(FolderFor),
    /// Look whether there is a folder at a path that was typed.
    UseFolder(FolderFor, PathBuf),
    /// Write the demo sounds into this folder.
    WriteDemo(PathBuf),
    /// Find what has been dropped.
    Find(Vec<PathBuf>),
    Reveal(PathBuf),
    Copy(Vec<PathBuf>),
    /// Copies a part of a sound, as a file of its own.
    CopyPart(PathBuf, Span),
    Discard(Vec<PathBuf>),
    Restore(Vec<PathBuf>),
    ListInputs,
}

pub(super) enum Reply {
    /// Folders to use, by their real paths: sounds that are also reached through a link would be listed twice.
    Chosen(FolderFor, Vec<PathBuf>),
    /// Nothing on this machine opens a dialog.
    NoDialog(FolderFor),
    /// There is no folder at this path.
    NoFolder(PathBuf),
    /// Files that were dropped, which are asked about.
    Sounds(Vec<Sound>),
    /// These are in the trash.
    Discarded(Vec<PathBuf>),
    Notice(Notice),
    Inputs(Vec<String>),
}

/// Names of the inputs that were there when they were asked for.
#[derive(Resource, Default)]
pub(super) struct Inputs(pub Vec<String>);

#[derive(Resource)]
pub(super) struct Desktop {
    /// None only while it is being dropped.
    actor: Option<Actor<Job, Reply>>,
}

impl Drop for Desktop {
    fn drop(&mut self) {
        drop_within(CLOSING, self.actor.take());
    }
}

/// Connects the desktop.
pub(super) fn plugin(app: &mut App) {
    let body = |inbox: Receiver<Job>, outbox: Outbox<Reply>| serve(&inbox, &outbox);
    let spawn = |wake: &Wake| Actor::spawn("desktop", 4, wake, body);
    let Some(actor) = start(app, "open dialogs or copy files", spawn) else { return };
    app.init_resource::<Hovering>()
        .insert_resource(Desktop { actor: Some(actor) })
        .add_systems(Update, collect.in_set(CollectSystems::Requests));
}

fn collect(
    mut desktop: ResMut<Desktop>,
    mut dropped: Option<ResMut<Messages<FileDragAndDrop>>>,
    mut added: MessageWriter<AddFolder>,
    mut notices: MessageWriter<Notice>,
    mut inputs: ResMut<Inputs>,
    mut hovering: ResMut<Hovering>,
    (mut go, mut take, mut typed): (MessageWriter<Go>, MessageWriter<Take>, MessageWriter<Type>),
    index: Res<SampleIndex>,
    mut commands: Commands,
) {
    let Some(actor) = &mut desktop.actor else { return };
    for reply in actor.replies() {
        match reply {
            Reply::Chosen(wanted, paths) => {
                typed.write(Type::Close);
                match wanted {
                    FolderFor::Sounds => {
                        added.write_batch(paths.into_iter().map(|path| AddFolder { path, follow: true }));
                    }
                    FolderFor::Takes => {
                        take.write_batch(paths.into_iter().map(|path| Take::Into(Some(path))));
                    }
                }
            }
            Reply::NoDialog(wanted) => {
                typed.write(Type::Open(wanted));
                notices.write(Notice::done(
                    "no dialog could be opened: neither a desktop portal nor zenity is installed; type the path instead",
                ));
            }
            Reply::NoFolder(path) => {
                typed.write(Type::NoFolder(path));
            }
            Reply::Sounds(sounds) => {
                go.write(Go::LikeFiles(sounds));
                notices.write(Notice::done("these sound like what was dropped; to add sounds, drop their folder"));
            }
            Reply::Discarded(paths) => {
                for sample in paths.iter().filter_map(|path| index.at(path)) {
                    commands.entity(sample).try_despawn();
                }
            }
            Reply::Notice(notice) => {
                notices.write(notice);
            }
            Reply::Inputs(names) => inputs.0 = names,
        }
    }
    let mut found = Vec::new();
    for drop in dropped.iter_mut().flat_map(|messages| messages.drain()) {
        hovering.follow(&drop);
        if let FileDragAndDrop::DroppedFile { path_buf, .. } = drop {
            found.push(path_buf);
        }
    }
    if !found.is_empty() {
        actor.queue(Job::Find(found));
    }
}

pub(super) fn respond(
    desktop: Res<Desktop>,
    mut asked: MessageReader<Outside>,
    session: Res<Session>,
    (table, rows): (Res<SampleTable>, Res<Rows>),
    samples: Query<&Sample>,
    mut analysis: ResMut<Analysis>,
    mut notices: MessageWriter<Notice>,
) {
    for action in asked.read() {
        let path = |entity| samples.get(entity).ok().map(|sample| sample.path.to_path_buf());
        let job = match action {
            Outside::AskForFolder(wanted) => Job::AskForFolder(*wanted),
            Outside::UseFolder(wanted, path) => Job::UseFolder(*wanted, path.clone()),
            Outside::AddDemo => Job::WriteDemo(paths::demo_folder()),
            Outside::Reveal(path) => Job::Reveal(path.clone()),
            Outside::RevealSelected => match session.selected().and_then(path) {
                Some(path) => Job::Reveal(path),
                None => continue,
            },
            Outside::CopyFiles => {
                let region = session.selection.within.region.filter(|_| session.selection.marked.is_empty());
                if let (Some(path), Some(region)) = (session.selected().and_then(path), region) {
                    Job::CopyPart(path, region)
                } else {
                    let mut chosen = session.chosen();
                    // In the order of the list, whatever order they were selected in.
                    chosen.sort_by_cached_key(|sample| rows.place(&table, *sample).unwrap_or(usize::MAX));
                    Job::Copy(chosen.into_iter().filter_map(path).collect())
                }
            }
            Outside::ListInputs => Job::ListInputs,
            Outside::Discard(files) => Job::Discard(files.clone()),
            Outside::Restore(files) => Job::Restore(files.clone()),
            Outside::TogglePause => {
                analysis.paused = !analysis.paused;
                continue;
            }
        };
        if desktop.actor.as_ref().is_none_or(|actor| actor.try_send(job).is_err()) {
            notices.write(Notice::new("another dialog is still open; close it and try again"));
        }
    }
}

fn serve(inbox: &Receiver<Job>, outbox: &Outbox<Reply>) {
    // The content is served by the program that copied it, so this has to stay alive.
    let mut clipboard = Clipboard::default();
    for job in inbox {
        let notice = |text: String| Reply::Notice(Notice::new(text));
        let reply = match job {
            Job::AskForFolder(wanted) if !services::open_dialogs() => Some(Reply::NoDialog(wanted)),
            Job::AskForFolder(wanted) => {
                let title = match wanted {
                    FolderFor::Sounds => "Add a folder of sounds",
                    FolderFor::Takes => "Record into a folder",
                };
                #[expect(clippy::disallowed_methods, reason = "on the thread of the desktop")]
                let chosen = rfd::FileDialog::new().set_title(title).pick_folder();
                chosen.map(|path| Reply::Chosen(wanted, vec![real(path)]))
            }
            Job::UseFolder(_, path) if !path.is_dir() => Some(Reply::NoFolder(path)),
            Job::UseFolder(wanted, path) => Some(Reply::Chosen(wanted, vec![real(path)])),
            Job::WriteDemo(folder) => Some(match demo::write(&folder) {
                Ok(()) => Reply::Chosen(FolderFor::Sounds, vec![real(folder)]),
                Err(error) => notice(format!(
                    "cannot write the demo sounds ({error}); free disk space or check the permissions: {}",
                    folder.display()
                )),
            }),
            Job::Find(paths) => {
                let (files, folders): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| path.is_file());
                let sounds: Vec<Sound> = files.iter().filter_map(|file| Sound::of_file(file, None).ok()).collect();
                if !sounds.is_empty() && outbox.send(Reply::Sounds(sounds)).is_err() {
                    return;
                }
                let folders: Vec<PathBuf> = folders.into_iter().map(real).collect();
                (!folders.is_empty()).then_some(Reply::Chosen(FolderFor::Sounds, folders))
            }
            Job::Discard(paths) => Some(match trash::delete_all(&paths) {
                Ok(()) => Reply::Discarded(paths),
                Err(error) => {
                    notice(format!("cannot move files to the trash ({error}); remove them in a file manager"))
                }
            }),
            Job::Restore(paths) => restore(&paths).err().map(|reason| {
                notice(format!("cannot bring files back from the trash ({reason}); do it in a file manager"))
            }),
            Job::Reveal(path) if !services::show_folders() => Some(notice(format!(
                "no file manager was found to show it; install one, or open it yourself: {}",
                path.display()
            ))),
            Job::Reveal(path) => opener::reveal(&path).err().map(|error| {
                notice(format!(
                    "no file manager could show it ({error}); install one, or open it yourself: {}",
                    path.display()
                ))
            }),
            Job::ListInputs => Some(Reply::Inputs(crate::audio::devices().inputs)),
            Job::Copy(paths) if paths.is_empty() => None,
            Job::Copy(paths) => Some(match clipboard.offer(&paths) {
                Ok(()) if paths.len() == 1 => Reply::Notice(Notice::done(format!("copied {}", paths[0].display()))),
                Ok(()) => Reply::Notice(Notice::done(format!("copied {} files", controls::count(paths.len())))),
                Err(error) => notice(uncopied(&error)),
            }),
            Job::CopyPart(path, region) => {
                Some(match write_part(&path, region, &paths::cache_folder().join("copied")) {
                    Ok(part) => match clipboard.offer(std::slice::from_ref(&part)) {
                        Ok(()) => {
                            let name = part.file_name().unwrap_or_default().to_string_lossy().into_owned();
                            let seconds = region.seconds();
                            Reply::Notice(Notice::done(format!("copied the region ({seconds:.3} s) as {name}")))
                        }
                        Err(error) => notice(uncopied(&error)),
                    },
                    Err(error) => notice(format!("cannot copy the region: {error}: {}", path.display())),
                })
            }
        };
        if let Some(reply) = reply
            && outbox.send(reply).is_err()
        {
            return;
        }
    }
}

/// Brings files back from the trash, each as it was when it was last there.
#[cfg(not(target_os = "macos"))]
fn restore(paths: &[PathBuf]) -> Result<(), trash::Error> {
    let mut items = trash::os_limited::list()?;
    items.sort_by_key(|item| std::cmp::Reverse(item.time_deleted));
    let newest = paths.iter().filter_map(|path| items.iter().find(|item| item.original_path() == *path).cloned());
    let found: Vec<trash::TrashItem> = newest.collect();
    if found.len() < paths.len() {
        let description = "they are no longer there".to_owned();
        return Err(trash::Error::Unknown { description });
    }
    trash::os_limited::restore_all(found)
}

/// macOS lets no program look into the trash.
#[cfg(target_os = "macos")]
fn restore(_: &[PathBuf]) -> Result<(), &'static str> {
    Err("only Finder can on this system")
}

/// Resolves links; an unreadable path is returned as it is, so that the watcher reports it.
fn real(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

fn uncopied(error: &ClipboardError) -> String {
    match error {
        #[cfg(target_os = "linux")]
        ClipboardError::TooLong => format!("cannot copy: {error}; select fewer"),
        ClipboardError::Absent(_) | ClipboardError::Taken => {
            format!("cannot copy files to the clipboard ({error}); try again")
        }
    }
}

/// Writes a part of a sound into `folder`, and removes what has been there for too long to be pasted.
fn write_part(path: &Path, region: Span, folder: &Path) -> Result<PathBuf, ExportError> {
    std::fs::create_dir_all(folder)?;
    let now = SystemTime::now();
    for old in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let modified = old.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > KEPT)) {
            // It is our own, and is tried again the next time.
            let _ = std::fs::remove_file(old.path());
        }
    }
    Ok(export::write_region(path, region, folder)?.0.to_path_buf())
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;

    #[test]
    fn the_window_closes_while_a_dialog_is_open() {
        let (answer, answered) = bounded::<()>(0);
        let dialog = move |_: Receiver<Job>, _: Outbox<Reply>| {
            let _ = answered.recv();
        };
        // This would wait for ever for somebody to answer.
        drop(Desktop { actor: Some(Actor::spawn("test", 1, &Wake::default(), dialog).unwrap()) });
        drop(answer);
    }

    #[test]
    fn a_part_that_is_copied_is_a_file_of_its_own_and_those_of_last_week_go() {
        let root = tempfile::tempdir().unwrap();
        let sound = crate::export::tests::take(root.path());
        let folder = root.path().join("cache/copied");
        let first = write_part(&sound, Span::new(0.5, 0.75), &folder).unwrap();
        assert_eq!(first, folder.join("take 01.wav"));
        assert_eq!(crate::export::tests::samples(&first), crate::export::tests::samples(&sound)[1000..1500]);
        let second = write_part(&sound, Span::new(0.0, 0.1), &folder).unwrap();
        let old = SystemTime::now() - KEPT - Duration::from_mins(1);
        std::fs::File::options().append(true).open(&first).unwrap().set_modified(old).unwrap();
        let third = write_part(&sound, Span::new(0.0, 0.2), &folder).unwrap();
        assert_eq!(third, first, "its name is free again");
        assert!(second.exists() && std::fs::read_dir(&folder).unwrap().count() == 2);
    }

    fn desktop() -> App {
        let mut app = App::new();
        app.init_resource::<Wake>()
            .init_resource::<Inputs>()
            .add_message::<FileDragAndDrop>()
            .add_message::<AddFolder>()
            .add_message::<Notice>()
            .add_message::<Go>()
            .add_message::<Take>()
            .add_message::<Type>()
            .init_resource::<SampleIndex>()
            .add_plugins(plugin);
        app
    }

    #[test]
    fn the_demo_sounds_are_written_once_and_their_folder_is_added() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().canonicalize().unwrap().join("data/demo");
        let mut app = desktop();
        let mut add = || {
            app.world_mut().resource_mut::<Desktop>().actor.as_mut().unwrap().queue(Job::WriteDemo(folder.clone()));
            assert_eq!(added(&mut app, 1), std::slice::from_ref(&folder));
            std::fs::metadata(folder.join("kicks/kick_01.flac")).unwrap().modified().unwrap()
        };
        let written = add();
        // What is there already stays as it is, and with it what is known of it.
        assert_eq!(add(), written);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_dropped_through_a_link_is_added_by_its_real_name() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().canonicalize().unwrap().join("sounds");
        let link = root.path().join("link");
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        let gone = root.path().join("gone");
        let mut app = desktop();
        for path_buf in [link, gone.clone()] {
            let window = Entity::PLACEHOLDER;
            app.world_mut().write_message(FileDragAndDrop::DroppedFile { window, path_buf });
        }
        assert_eq!(added(&mut app, 2), [folder, gone]);
    }

    /// The first folders that are added from now on.
    fn added(app: &mut App, n: usize) -> Vec<PathBuf> {
        let mut cursor = app.world().resource::<Messages<AddFolder>>().get_cursor_current();
        let mut added = Vec::new();
        crate::run_until(app, Some(Duration::from_secs(10)), |world| {
            added.extend(cursor.read(world.resource::<Messages<AddFolder>>()).map(|added| added.path.clone()));
            added.len() == n
        });
        added
    }
}
