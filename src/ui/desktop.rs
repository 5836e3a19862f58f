//! What the window asks of the desktop around it: choosing a folder, showing a file, copying files.
//!
//! All of it may take seconds or wait for the user, so it happens on a thread of its own.

use std::path::PathBuf;
use std::time::Duration;

use bevy::prelude::*;
use bevy::window::FileDragAndDrop;
use crossbeam_channel::Receiver;

use super::action::{Go, Outside};
use super::rows::Rows;
use super::session::Session;
use crate::actor::{Actor, Outbox, Wake, drop_within, start};
use crate::analyse::Analysis;
use crate::library::table::SampleTable;
use crate::library::{Sample, SampleIndex};
use crate::neighbours::vectors::Sound;
use crate::notice::Notice;
use crate::schedule::CollectSystems;
use crate::watch::AddFolder;

/// How long the window waits at its end for what the desktop is doing: a dialog stays open until somebody answers it.
const CLOSING: Duration = Duration::from_millis(300);

pub(super) enum Job {
    AskForFolder,
    /// Find what has been dropped.
    Find(Vec<PathBuf>),
    Reveal(PathBuf),
    Copy(Vec<PathBuf>),
    Discard(Vec<PathBuf>),
    ListInputs,
}

pub(super) enum Reply {
    /// Folders to add, by their real paths: sounds that are also reached through a link would be listed twice.
    Chosen(Vec<PathBuf>),
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
    app.insert_resource(Desktop { actor: Some(actor) }).add_systems(Update, collect.in_set(CollectSystems::Requests));
}

fn collect(
    mut desktop: ResMut<Desktop>,
    mut dropped: Option<ResMut<Messages<FileDragAndDrop>>>,
    mut added: MessageWriter<AddFolder>,
    mut notices: MessageWriter<Notice>,
    mut inputs: ResMut<Inputs>,
    mut go: MessageWriter<Go>,
    index: Res<SampleIndex>,
    mut commands: Commands,
) {
    let Some(actor) = &mut desktop.actor else { return };
    for reply in actor.replies() {
        match reply {
            Reply::Chosen(paths) => {
                added.write_batch(paths.into_iter().map(|path| AddFolder { path, follow: true }));
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
    let dropped = dropped.iter_mut().flat_map(|messages| messages.drain()).filter_map(|drop| match drop {
        FileDragAndDrop::DroppedFile { path_buf, .. } => Some(path_buf),
        _ => None,
    });
    let dropped: Vec<PathBuf> = dropped.collect();
    if !dropped.is_empty() {
        actor.queue(Job::Find(dropped));
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
            Outside::AskForFolder => Job::AskForFolder,
            Outside::Reveal(path) => Job::Reveal(path.clone()),
            Outside::RevealSelected => match session.selected().and_then(path) {
                Some(path) => Job::Reveal(path),
                None => continue,
            },
            Outside::CopyFiles => {
                let mut chosen = session.chosen();
                // In the order of the list, whatever order they were selected in.
                chosen.sort_by_cached_key(|sample| rows.place(&table, *sample).unwrap_or(usize::MAX));
                Job::Copy(chosen.into_iter().filter_map(path).collect())
            }
            Outside::ListInputs => Job::ListInputs,
            Outside::Discard(files) => Job::Discard(files.clone()),
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
    // On X11 and Wayland the clipboard's content is served by the program that copied it, so this has to stay alive.
    let mut clipboard: Option<arboard::Clipboard> = None;
    for job in inbox {
        let notice = |text: String| Reply::Notice(Notice::new(text));
        let reply = match job {
            Job::AskForFolder => {
                #[expect(clippy::disallowed_methods, reason = "on the thread of the desktop")]
                let chosen = rfd::FileDialog::new().set_title("Add a folder of sounds").pick_folder();
                chosen.map(|path| Reply::Chosen(vec![real(path)]))
            }
            Job::Find(paths) => {
                let (files, folders): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| path.is_file());
                let sounds: Vec<Sound> = files.iter().filter_map(|file| Sound::of_file(file, None).ok()).collect();
                if !sounds.is_empty() && outbox.send(Reply::Sounds(sounds)).is_err() {
                    return;
                }
                let folders: Vec<PathBuf> = folders.into_iter().map(real).collect();
                (!folders.is_empty()).then_some(Reply::Chosen(folders))
            }
            Job::Discard(paths) => Some(match trash::delete_all(&paths) {
                Ok(()) => Reply::Discarded(paths),
                Err(error) => {
                    notice(format!("cannot move files to the trash ({error}); remove them in a file manager"))
                }
            }),
            Job::Reveal(path) => opener::reveal(&path).err().map(|error| {
                notice(format!(
                    "no file manager could show it ({error}); install one, or open it yourself: {}",
                    path.display()
                ))
            }),
            Job::ListInputs => Some(Reply::Inputs(crate::audio::devices().inputs)),
            Job::Copy(paths) if paths.is_empty() => None,
            Job::Copy(paths) => Some(match copy(&mut clipboard, &paths) {
                Ok(()) if paths.len() == 1 => Reply::Notice(Notice::done(format!("copied {}", paths[0].display()))),
                Ok(()) => Reply::Notice(Notice::done(format!("copied {} files", paths.len()))),
                Err(error) => notice(format!("cannot copy files to the clipboard ({error}); try again")),
            }),
        };
        if let Some(reply) = reply
            && outbox.send(reply).is_err()
        {
            return;
        }
    }
}

/// Resolves links; an unreadable path is returned as it is, so that the watcher reports it.
fn real(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

fn copy(clipboard: &mut Option<arboard::Clipboard>, paths: &[PathBuf]) -> Result<(), arboard::Error> {
    let clipboard = match clipboard {
        Some(clipboard) => clipboard,
        #[expect(clippy::disallowed_methods, reason = "on the thread of the desktop")]
        None => clipboard.insert(arboard::Clipboard::new()?),
    };
    clipboard.set().file_list(paths)
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

    #[cfg(unix)]
    #[test]
    fn a_folder_dropped_through_a_link_is_added_by_its_real_name() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().canonicalize().unwrap().join("sounds");
        let link = root.path().join("link");
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        let gone = root.path().join("gone");
        let mut app = App::new();
        app.init_resource::<Wake>()
            .init_resource::<Inputs>()
            .add_message::<FileDragAndDrop>()
            .add_message::<AddFolder>()
            .add_message::<Notice>()
            .add_message::<Go>()
            .init_resource::<SampleIndex>()
            .add_plugins(plugin);
        for path_buf in [link, gone.clone()] {
            let window = Entity::PLACEHOLDER;
            app.world_mut().write_message(FileDragAndDrop::DroppedFile { window, path_buf });
        }
        let mut cursor = bevy::ecs::message::MessageCursor::<AddFolder>::default();
        let mut added = Vec::new();
        crate::run_until(&mut app, Some(Duration::from_secs(10)), |world| {
            added.extend(cursor.read(world.resource::<Messages<AddFolder>>()).map(|added| added.path.clone()));
            added.len() == 2
        });
        assert_eq!(added, [folder, gone]);
    }
}
