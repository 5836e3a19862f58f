//! What the window asks of the desktop around it: choosing a folder, showing a file, copying files.
//!
//! All of it may take seconds or wait for the user, so it happens on a thread of its own.

use std::path::PathBuf;

use bevy::prelude::*;
use bevy::window::FileDragAndDrop;
use crossbeam_channel::Receiver;

use super::Inputs;
use super::action::Action;
use super::session::Session;
use crate::SoundkinSystems;
use crate::actor::{Actor, Outbox, Wake};
use crate::embed::Analysis;
use crate::record::CollectTakes;
use crate::sample::{Notice, Sample};
use crate::watch::AddFolder;

pub(super) enum Job {
    AskForFolder,
    Reveal(PathBuf),
    Copy(Vec<PathBuf>),
    ListInputs,
}

pub(super) enum Reply {
    Chosen(PathBuf),
    Notice(String),
    Inputs(Vec<String>),
}

#[derive(Resource)]
pub(super) struct Desk(Actor<Job, Reply>);

/// Connects the desktop.
pub(super) fn plugin(app: &mut App) {
    let wake = app.world().resource::<Wake>().clone();
    match Actor::spawn("desk", 4, &wake, |inbox, outbox| serve(&inbox, &outbox)) {
        Ok(actor) => app.insert_resource(Desk(actor)),
        Err(error) => {
            app.world_mut().write_message(Notice::new(format!("the desktop cannot be reached: no thread ({error})")));
            return;
        }
    };
    app.add_systems(Update, collect.after(CollectTakes).in_set(SoundkinSystems::Collect));
}

fn collect(
    desk: Res<Desk>,
    mut dropped: Option<ResMut<Messages<FileDragAndDrop>>>,
    mut added: MessageWriter<AddFolder>,
    mut notices: MessageWriter<Notice>,
    mut inputs: ResMut<Inputs>,
) {
    for reply in desk.0.replies() {
        match reply {
            Reply::Chosen(path) => {
                added.write(AddFolder { path, follow: true });
            }
            Reply::Notice(text) => {
                notices.write(Notice::new(text));
            }
            Reply::Inputs(names) => inputs.0 = names,
        }
    }
    for drop in dropped.iter_mut().flat_map(|messages| messages.drain()) {
        if let FileDragAndDrop::DroppedFile { path_buf, .. } = drop {
            added.write(AddFolder { path: path_buf, follow: true });
        }
    }
}

pub(super) fn respond(
    desk: Res<Desk>,
    mut asked: MessageReader<Action>,
    session: Res<Session>,
    samples: Query<&Sample>,
    mut analysis: ResMut<Analysis>,
    mut notices: MessageWriter<Notice>,
) {
    for action in asked.read() {
        let path = |entity| samples.get(entity).ok().map(|sample| sample.path.to_path_buf());
        let job = match action {
            Action::AskForFolder => Job::AskForFolder,
            Action::Reveal(path) => Job::Reveal(path.clone()),
            Action::RevealSelected => match session.place.selected.and_then(path) {
                Some(path) => Job::Reveal(path),
                None => continue,
            },
            Action::CopyFiles => Job::Copy(session.chosen().into_iter().filter_map(path).collect()),
            Action::ListInputs => Job::ListInputs,
            Action::TogglePause => {
                analysis.paused = !analysis.paused;
                continue;
            }
            _ => continue,
        };
        if desk.0.try_send(job).is_err() {
            notices.write(Notice::new("the desktop is still busy with the last wish; close its dialog and try again"));
        }
    }
}

fn serve(inbox: &Receiver<Job>, outbox: &Outbox<Reply>) {
    // On X11 and Wayland the program that copied answers for the clipboard as long as it lasts.
    let mut clipboard: Option<arboard::Clipboard> = None;
    for job in inbox {
        let reply = match job {
            Job::AskForFolder => {
                rfd::FileDialog::new().set_title("Add a folder of sounds").pick_folder().map(Reply::Chosen)
            }
            Job::Reveal(path) => opener::reveal(&path).err().map(|error| {
                Reply::Notice(format!(
                    "no file manager could show it ({error}); install one, or open it by hand: {}",
                    path.display()
                ))
            }),
            Job::ListInputs => Some(Reply::Inputs(crate::audio::devices().inputs)),
            Job::Copy(paths) if paths.is_empty() => None,
            Job::Copy(paths) => copy(&mut clipboard, &paths)
                .err()
                .map(|error| Reply::Notice(format!("files could not be copied to the clipboard ({error}); try again"))),
        };
        if let Some(reply) = reply
            && outbox.send(reply).is_err()
        {
            return;
        }
    }
}

fn copy(clipboard: &mut Option<arboard::Clipboard>, paths: &[PathBuf]) -> Result<(), arboard::Error> {
    let clipboard = match clipboard {
        Some(clipboard) => clipboard,
        None => clipboard.insert(arboard::Clipboard::new()?),
    };
    clipboard.set().file_list(paths)
}
