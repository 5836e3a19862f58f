//! Slices of a sound, proposed and saved, and a take without the silence at its ends.
//!
//! The `slices` thread finds and cuts them; what is cut becomes a sample at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bevy::prelude::*;
use dsp::analysis::StreamAnalysis;
use dsp::onset::{Onsets, slices};
use dsp::{Seconds, Span};
use file::DecodeError;
use file::stream::{Decoders, Stream};

use super::settings::{RecordingSettings, recordings};
use crate::actor::{Actor, contained, start};
use crate::export::{self, ExportError};
use crate::library::{FileStamp, Folders, Recording, Sample, SampleIndex, Transient};
use crate::notice::Notice;
use crate::schedule::{CollectSystems, RespondSystems};
use crate::watch::AddFolder;

/// Jobs that may wait at the actor.
const MAILBOX: usize = 4;

/// Proposed slices of a sound, in order. A take has them when it ends.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Slices(pub Vec<Span>);

/// What would be left of a take without the silence at its ends. Nothing is cut until
/// [`AcceptTrim`].
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Trim(pub Span);

/// Asks for a sample's [`Slices`].
#[derive(Message, Clone, Copy, Debug)]
pub struct ProposeSlices(pub Entity);

/// Writes slices of a sample to files of their own, where the settings say; each becomes a sample at once.
#[derive(Message, Clone, Debug)]
pub struct SaveSlices {
    /// The sample.
    pub sample: Entity,
    /// The slices.
    pub slices: Vec<Span>,
}

/// Slices have been written.
#[derive(Message, Clone, Debug)]
pub struct SlicesSaved {
    /// The sample they were cut from.
    pub sample: Entity,
    /// Their files, in order.
    pub paths: Vec<Arc<Path>>,
}

/// Writes a take without the silence at its ends, as its [`Trim`] says, to a new file where slices go.
#[derive(Message, Clone, Copy, Debug)]
pub struct AcceptTrim(pub Entity);

enum Job {
    Propose(Entity, Arc<Path>),
    /// Into this folder.
    Slice(Entity, Arc<Path>, FileStamp, Vec<Span>, PathBuf),
}

enum Reply {
    Proposed(Entity, Vec<Span>),
    Sliced(Entity, Vec<(Arc<Path>, FileStamp)>, Option<String>),
    Failed(String),
}

#[derive(Resource)]
struct SliceWriter(Actor<Job, Reply>);

pub(super) fn build(app: &mut App) {
    app.add_message::<ProposeSlices>()
        .add_message::<SaveSlices>()
        .add_message::<SlicesSaved>()
        .add_message::<AcceptTrim>();
    let Some(actor) = start(app, "cut sounds", |wake| Actor::pool("slices", 1, MAILBOX, wake, |_| serve)) else {
        return;
    };
    app.insert_resource(SliceWriter(actor))
        .add_observer(forget_outdated)
        .add_systems(Update, collect_slices.in_set(CollectSystems::Requests))
        .add_systems(Update, respond.in_set(RespondSystems::Record));
}

fn forget_outdated(replaced: On<Discard, FileStamp>, mut commands: Commands) {
    if let Ok(mut sample) = commands.get_entity(replaced.entity) {
        sample.try_remove::<(Slices, Trim)>();
    }
}

fn respond(
    mut proposals: MessageReader<ProposeSlices>,
    mut saves: MessageReader<SaveSlices>,
    mut trims: MessageReader<AcceptTrim>,
    mut writer: ResMut<SliceWriter>,
    settings: Res<RecordingSettings>,
    samples: Query<(&Sample, &FileStamp, Option<&Trim>), Without<Recording>>,
    mut commands: Commands,
) {
    // A take that is only a query has no file.
    let file = |entity: Entity| {
        let (sample, stamp, _) = samples.get(entity).ok().filter(|(_, stamp, _)| stamp.size > 0)?;
        Some((sample.path.clone(), *stamp))
    };
    let proposals = proposals.read().filter_map(|ask| Some(Job::Propose(ask.0, file(ask.0)?.0)));
    let saves = saves.read().filter_map(|ask| {
        let (path, stamp) = file(ask.sample)?;
        let folder = destination(&path, &settings);
        Some(Job::Slice(ask.sample, path, stamp, ask.slices.clone(), folder))
    });
    let trims = trims.read().filter_map(|ask| {
        let (path, stamp) = file(ask.0)?;
        let Trim(loud) = *samples.get(ask.0).ok()?.2?;
        // Asked for twice, it is cut once.
        commands.entity(ask.0).try_remove::<Trim>();
        let folder = destination(&path, &settings);
        Some(Job::Slice(ask.0, path, stamp, vec![loud], folder))
    });
    proposals.chain(saves).chain(trims).for_each(|job| writer.0.queue(job));
}

/// Where what is cut from a sound goes.
fn destination(sound: &Path, settings: &RecordingSettings) -> PathBuf {
    if settings.slices.as_os_str().is_empty() {
        return recordings(&settings.folder);
    }
    // An absolute one takes the place of both.
    sound.parent().unwrap_or(sound).join(&settings.slices)
}

fn collect_slices(
    mut writer: ResMut<SliceWriter>,
    folders: Res<Folders>,
    index: Res<SampleIndex>,
    samples: Query<&Sample>,
    mut added: MessageWriter<AddFolder>,
    mut saved: MessageWriter<SlicesSaved>,
    mut notices: MessageWriter<Notice>,
    mut commands: Commands,
) {
    for reply in writer.0.replies() {
        match reply {
            Reply::Proposed(entity, slices) => {
                if let Ok(mut sample) = commands.get_entity(entity) {
                    sample.try_insert(Slices(slices));
                }
            }
            Reply::Sliced(sample, files, problem) => {
                // A folder that was made for recordings and slices belongs to the library, as for takes; that of a sound
                // outside does not.
                let folder = files.first().and_then(|(path, _)| path.parent());
                let own = samples.get(sample).is_ok_and(|sample| sample.path.parent() == folder);
                let new = folder.filter(|folder| !own && !folders.contain(folder));
                added.write_batch(new.map(|folder| AddFolder { path: folder.to_owned(), follow: true }));
                for (path, stamp) in &files {
                    // The watcher may have been quicker.
                    if index.at(path).is_none() {
                        let slice = (Sample { path: path.clone() }, *stamp);
                        if new.is_some() || folders.contain(path) {
                            commands.spawn(slice);
                        } else {
                            commands.spawn((slice, Transient));
                        }
                    }
                }
                notices.write_batch(problem.map(Notice::new));
                saved.write(SlicesSaved { sample, paths: files.into_iter().map(|(path, _)| path).collect() });
            }
            Reply::Failed(reason) => {
                notices.write(Notice::new(reason));
            }
        }
    }
}

/// Why a sound could not be cut.
#[derive(Debug, thiserror::Error)]
enum CutError {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The file has changed since the times to cut at were found.
    #[error("file has changed since it was read; select it again before cutting it")]
    Changed,
}

/// Refuses a file that has changed since the times to cut at were found.
fn unchanged(path: &Path, stamp: FileStamp) -> Result<(), CutError> {
    let now = std::fs::metadata(path).map_err(DecodeError::Read)?;
    if FileStamp::of(&now) == stamp { Ok(()) } else { Err(CutError::Changed) }
}

fn serve(job: Job) -> Reply {
    let path = match &job {
        Job::Propose(_, path) | Job::Slice(_, path, ..) => path.clone(),
    };
    let failed = |error: CutError| Reply::Failed(format!("{error}: {}", path.display()));
    let work = || match job {
        Job::Propose(entity, path) => propose(&path).map_or_else(failed, |found| Reply::Proposed(entity, found)),
        Job::Slice(entity, path, stamp, slices, folder) => {
            if let Err(error) = unchanged(&path, stamp) {
                return failed(error);
            }
            // Samples are known by their real paths.
            let folder = match std::fs::create_dir_all(&folder).and_then(|()| folder.canonicalize()) {
                Ok(folder) => folder,
                Err(error) => {
                    let folder = folder.display();
                    return Reply::Failed(format!(
                        "cannot use the folder for slices ({error}); choose another: {folder}"
                    ));
                }
            };
            let mut files = Vec::new();
            let mut problem = None;
            for slice in slices {
                match export::write_region(&path, slice, &folder) {
                    Ok((file, metadata)) => files.push((file, FileStamp::of(&metadata))),
                    // Of a slice behind the end there is nothing to write.
                    Err(ExportError::Beyond) => {}
                    Err(error) => {
                        problem = Some(format!("{error}: {}", path.display()));
                        break;
                    }
                }
            }
            Reply::Sliced(entity, files, problem)
        }
    };
    contained(work).unwrap_or_else(|panic| {
        Reply::Failed(format!("cutting failed ({panic}); choose another part: {}", path.display()))
    })
}

fn propose(path: &Path) -> Result<Vec<Span>, CutError> {
    let mut stream = Stream::open_path(path, &Decoders::default())?;
    let mut heard = None;
    while let Some(block) = stream.next_block()? {
        let (analysis, onsets) = heard.get_or_insert_with(|| {
            (StreamAnalysis::new(block.rate, block.channels, Seconds(0.0)), Onsets::new(block.rate))
        });
        analysis.add(block.samples);
        onsets.add(analysis.mono());
    }
    Ok(heard.map_or_else(Vec::new, |(analysis, onsets)| slices(&onsets.finish(), analysis.info("").seconds())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::{samples, take};

    #[test]
    fn slices_go_where_takes_go_or_to_a_folder_of_choice_or_beside_the_sound() {
        let goes = |slices: &str| {
            let settings = RecordingSettings { folder: "/takes".into(), slices: slices.into(), ..Default::default() };
            destination(Path::new("/pack/kick.wav"), &settings)
        };
        let wanted = [("", "/takes"), ("/cuts", "/cuts"), (".", "/pack"), ("cuts", "/pack/cuts")];
        for (slices, folder) in wanted {
            assert_eq!(goes(slices), Path::new(folder), "{slices}");
        }
    }

    #[test]
    fn what_is_cut_is_a_new_file_and_of_the_file_that_it_was_meant_for_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = take(folder.path());
        let stamp = FileStamp::of(&path.metadata().unwrap());
        let whole = samples(&path);
        let into = folder.path().join("slices");
        let part = vec![Span::new(0.25, 9.0)];
        let cut = || Job::Slice(Entity::PLACEHOLDER, path.as_path().into(), stamp, part.clone(), into.clone());
        let Reply::Sliced(_, files, None) = serve(cut()) else { panic!() };
        assert_eq!(samples(&files[0].0), whole[500..]);
        assert_eq!(*files[0].0, into.canonicalize().unwrap().join("take 01.wav"));
        assert_eq!(samples(&path), whole, "the only copy is never changed");
        std::fs::write(&path, b"another").unwrap();
        assert!(matches!(serve(cut()), Reply::Failed(_)));
    }
}
