//! New files from sounds that are there: slices, and a take without the silence at its ends.
//!
//! A file is written under a temporary name first and never overwrites another; only a take whose trim is accepted is
//! replaced, in one step, once the shorter file is complete.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bevy::prelude::*;
use dsp::analysis::StreamAnalysis;
use dsp::onset::{Onsets, slices};
use file::DecodeError;
use file::source::Source;
use file::stream::{Decoders, Stream};
use file::wav_writer::{Format, Spec, Writer};

use crate::actor::{Actor, Wake, contained};
use crate::library::{FileStamp, Folders, Guest, Recording, Sample, SampleIndex};
use crate::notice::Notice;
use crate::schedule::{CollectSystems, RespondSystems};

/// Jobs that may wait at the actor.
const MAILBOX: usize = 4;

/// Proposed slices of a sound: start and end of each in seconds, in order. A take has them when it ends.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Slices(pub Vec<[f64; 2]>);

/// What would be left of a take without the silence at its ends, in seconds. The file stays as it is until
/// [`AcceptTrim`].
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Trim {
    /// Where sound begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
}

/// Asks for a sample's [`Slices`].
#[derive(Message, Clone, Copy, Debug)]
pub struct ProposeSlices(pub Entity);

/// Writes slices of a sample to files next to it; each becomes a sample at once.
#[derive(Message, Clone, Debug)]
pub struct SaveSlices {
    /// The sample.
    pub sample: Entity,
    /// Start and end of each slice in seconds.
    pub slices: Vec<[f64; 2]>,
}

/// Slices have been written.
#[derive(Message, Clone, Debug)]
pub struct SlicesSaved {
    /// The sample they were cut from.
    pub sample: Entity,
    /// Their files, in order.
    pub paths: Vec<Arc<Path>>,
}

/// Cuts a take to its [`Trim`].
#[derive(Message, Clone, Copy, Debug)]
pub struct AcceptTrim(pub Entity);

enum Job {
    Propose(Entity, Arc<Path>),
    Slice(Entity, Arc<Path>, FileStamp, Vec<[f64; 2]>),
    Trim(Entity, Arc<Path>, FileStamp, [f64; 2]),
}

enum Reply {
    Proposed(Entity, Vec<[f64; 2]>),
    Sliced(Entity, Vec<(Arc<Path>, FileStamp)>, Option<String>),
    Trimmed(Entity, FileStamp),
    Failed(String),
}

#[derive(Resource)]
struct Cutter {
    actor: Actor<Job, Reply>,
    waiting: Vec<Job>,
}

pub(super) fn build(app: &mut App) {
    app.add_message::<ProposeSlices>()
        .add_message::<SaveSlices>()
        .add_message::<SlicesSaved>()
        .add_message::<AcceptTrim>();
    let wake = app.world().resource::<Wake>().clone();
    match Actor::pool("cut", 1, MAILBOX, &wake, |_| serve) {
        Ok(actor) => app.insert_resource(Cutter { actor, waiting: Vec::new() }),
        Err(error) => {
            app.world_mut().write_message(Notice::new(format!(
                "cannot cut sounds: starting a thread failed ({error}); restart Soundkin"
            )));
            return;
        }
    };
    app.add_observer(forget_outdated)
        .add_systems(Update, collect_cuts.in_set(CollectSystems::Requests))
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
    mut cutter: ResMut<Cutter>,
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
        Some(Job::Slice(ask.sample, path, stamp, ask.slices.clone()))
    });
    let trims = trims.read().filter_map(|ask| {
        let (path, stamp) = file(ask.0)?;
        let Trim { from, to } = *samples.get(ask.0).ok()?.2?;
        // Asked for twice, it is cut once.
        commands.entity(ask.0).try_remove::<Trim>();
        Some(Job::Trim(ask.0, path, stamp, [from, to]))
    });
    let jobs: Vec<Job> = proposals.chain(saves).chain(trims).collect();
    cutter.waiting.extend(jobs);
    while !cutter.waiting.is_empty() {
        let job = cutter.waiting.remove(0);
        if let Err(job) = cutter.actor.try_send(job) {
            cutter.waiting.insert(0, job);
            return;
        }
    }
}

fn collect_cuts(
    cutter: Res<Cutter>,
    folders: Res<Folders>,
    index: Res<SampleIndex>,
    mut saved: MessageWriter<SlicesSaved>,
    mut notices: MessageWriter<Notice>,
    mut commands: Commands,
) {
    for reply in cutter.actor.replies() {
        match reply {
            Reply::Proposed(entity, slices) => {
                if let Ok(mut sample) = commands.get_entity(entity) {
                    sample.try_insert(Slices(slices));
                }
            }
            Reply::Sliced(sample, files, problem) => {
                for (path, stamp) in &files {
                    // The watcher may have been quicker.
                    if index.at(path).is_none() {
                        let slice = (Sample { path: path.clone() }, *stamp);
                        if folders.0.iter().any(|folder| path.starts_with(folder)) {
                            commands.spawn(slice);
                        } else {
                            commands.spawn((slice, Guest));
                        }
                    }
                }
                notices.write_batch(problem.map(Notice::new));
                saved.write(SlicesSaved { sample, paths: files.into_iter().map(|(path, _)| path).collect() });
            }
            // Replacing the stamp discards everything known about the longer file.
            Reply::Trimmed(entity, stamp) => {
                if let Ok(mut sample) = commands.get_entity(entity) {
                    sample.try_insert(stamp);
                }
            }
            Reply::Failed(reason) => {
                notices.write(Notice::new(reason));
            }
        }
    }
}

/// Why a sound could not be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// It cannot be read.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// The new file cannot be written.
    #[error("cannot write the new file ({0}); free disk space or check the permissions")]
    Write(#[from] io::Error),
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
        Job::Propose(_, path) | Job::Slice(_, path, ..) | Job::Trim(_, path, ..) => path.clone(),
    };
    let failed = |error: CutError| Reply::Failed(format!("{error}: {}", path.display()));
    let work = || match job {
        Job::Propose(entity, path) => propose(&path).map_or_else(failed, |found| Reply::Proposed(entity, found)),
        Job::Slice(entity, path, stamp, slices) => {
            if let Err(error) = unchanged(&path, stamp) {
                return failed(error);
            }
            let mut files = Vec::new();
            let mut problem = None;
            for slice in slices {
                match slice_next_to(&path, slice) {
                    Ok(Some(file)) => files.push(file),
                    Ok(None) => {}
                    Err(error) => {
                        problem = Some(format!("{error}: {}", path.display()));
                        break;
                    }
                }
            }
            Reply::Sliced(entity, files, problem)
        }
        Job::Trim(entity, path, stamp, span) => unchanged(&path, stamp)
            .and_then(|()| trim(&path, span))
            .map_or_else(failed, |stamp| Reply::Trimmed(entity, stamp)),
    };
    contained(work).unwrap_or_else(|panic| {
        Reply::Failed(format!("cutting failed ({panic}); choose another part: {}", path.display()))
    })
}

fn propose(path: &Path) -> Result<Vec<[f64; 2]>, CutError> {
    let mut stream = Stream::open_path(path, &Decoders::default())?;
    let mut heard = None;
    while let Some(block) = stream.next_block()? {
        let (analysis, onsets) = heard
            .get_or_insert_with(|| (StreamAnalysis::new(block.rate, block.channels, 0.0), Onsets::new(block.rate)));
        analysis.add(block.samples);
        onsets.add(analysis.mono());
    }
    Ok(heard.map_or_else(Vec::new, |(analysis, onsets)| slices(&onsets.finish(), analysis.info("").seconds())))
}

/// Writes a slice under the sound's name and a number; `None` if nothing of the sound lies in it.
fn slice_next_to(path: &Path, span: [f64; 2]) -> Result<Option<(Arc<Path>, FileStamp)>, CutError> {
    under_new_name(path.parent().unwrap_or(path), path, "wav".as_ref(), 1, |part| write_part(path, span, part))
}

/// What became of a sound that was to be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It is in this new file.
    To(Arc<Path>),
    /// This file was there and has the same bytes.
    There(Arc<Path>),
    /// Nothing of the sound lies in the span.
    Nothing,
}

/// Copies a sound into a folder, or `span` of it in seconds as a WAV file, under its own name or, if that is taken,
/// with a number added. The folder is created if necessary; no file is ever overwritten.
///
/// # Errors
/// The sound cannot be read, or the folder cannot be written.
pub fn copy_to(path: &Path, span: Option<[f64; 2]>, folder: &Path) -> Result<Copied, CutError> {
    let metadata = std::fs::metadata(path).map_err(DecodeError::from)?;
    if !metadata.is_file() {
        return Err(DecodeError::Damaged("not a regular file".to_owned()).into());
    }
    std::fs::create_dir_all(folder)?;
    let Some(span) = span else {
        let ending = path.extension().unwrap_or_default();
        let names = (0..).map(|number| folder.join(numbered(path, ending, number)));
        if let Some(there) = names.take_while(|name| name.exists()).find(|name| same_bytes(path, name)) {
            return Ok(Copied::There(there.as_path().into()));
        }
        let copied = under_new_name(folder, path, ending, 0, |part| copy(path, part).map(Some))?;
        return Ok(copied.map_or(Copied::Nothing, |(file, _)| Copied::To(file)));
    };
    let written = under_new_name(folder, path, "wav".as_ref(), 1, |part| write_part(path, span, part))?;
    Ok(written.map_or(Copied::Nothing, |(file, _)| Copied::To(file)))
}

fn copy(path: &Path, part: &Path) -> Result<FileStamp, CutError> {
    let mut from = std::fs::File::open(path).map_err(DecodeError::from)?;
    let mut to = std::fs::File::create(part)?;
    io::copy(&mut from, &mut to)?;
    if let Ok(modified) = from.metadata().and_then(|metadata| metadata.modified()) {
        // The copy gets the original's modification time; a drive that cannot store it is not an error.
        let _ = to.set_modified(modified);
    }
    to.sync_all()?;
    Ok(FileStamp::of(&to.metadata()?))
}

fn same_bytes(a: &Path, b: &Path) -> bool {
    let size = |path: &Path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
    let hash = |path: &Path| Source::open(path, &|| false).ok().map(|source| source.hash);
    size(a).is_some() && size(a) == size(b) && hash(a).is_some() && hash(a) == hash(b)
}

/// Writes a file into `folder` under the name of `path` and the first free number from `first` on, none for zero; `None` if
/// there is nothing to write.
fn under_new_name(
    folder: &Path,
    path: &Path,
    ending: &OsStr,
    first: u32,
    write: impl Fn(&Path) -> Result<Option<FileStamp>, CutError>,
) -> Result<Option<(Arc<Path>, FileStamp)>, CutError> {
    let new = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    let taken = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
    // The file gets its final name only once it is complete, so that nobody finds half of it.
    let part = (0..).map(|number: u32| folder.join(format!(".soundkin {} {number}.part", std::process::id())));
    let part = part.map(|part| (new(&part), part)).find(|(made, _)| !made.as_ref().is_err_and(taken));
    let Some((made, part)) = part else { return Ok(None) };
    made?;
    let name = || {
        let Some(stamp) = write(&part)? else { return Ok(None) };
        for number in first..10_000 {
            let file = folder.join(numbered(path, ending, number));
            match new(&file) {
                Err(error) if taken(&error) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    return match std::fs::rename(&part, &file) {
                        Ok(()) => Ok(Some((file.as_path().into(), stamp))),
                        Err(error) => {
                            let _ = std::fs::remove_file(&file);
                            Err(error.into())
                        }
                    };
                }
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists).into())
    };
    let named = name();
    if !matches!(named, Ok(Some(_))) {
        // It holds nothing that anybody would miss.
        let _ = std::fs::remove_file(&part);
    }
    named
}

/// The name of `path` with another ending and a number, none for zero.
fn numbered(path: &Path, ending: &OsStr, number: u32) -> OsString {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    if number > 0 {
        name.push(format!(" {number:02}"));
    }
    if !ending.is_empty() {
        name.push(".");
        name.push(ending);
    }
    name
}

fn trim(path: &Path, span: [f64; 2]) -> Result<FileStamp, CutError> {
    let part = part(path);
    let written = write_part(path, span, &part);
    let stamp = match written {
        Ok(Some(stamp)) => stamp,
        other => {
            let _ = std::fs::remove_file(&part);
            return other?.ok_or(CutError::Decode(DecodeError::Empty));
        }
    };
    std::fs::rename(&part, path)?;
    Ok(stamp)
}

/// A name that is not listed as a sound.
fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Copies `span` of a sound into a new file; `None` if there is nothing in it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds times rate, clamped to be positive"
)]
fn write_part(path: &Path, span: [f64; 2], to: &Path) -> Result<Option<FileStamp>, CutError> {
    let mut stream = Stream::open_path(path, &Decoders::default())?;
    // Integers of up to 24 bits survive unchanged as 24 bits; everything else is written as floats, as it was decoded.
    let format = if stream.codec().starts_with("pcm_s") { Format::Int24 } else { Format::Float32 };
    let Some(first) = stream.next_block()? else { return Ok(None) };
    let (rate, channels) = (first.rate, first.channels);
    let [from, end] = span.map(|seconds| (seconds.max(0.0) * f64::from(rate)).round() as u64);
    stream.seek(from)?;
    let mut at = from;
    let spec = Spec { rate, channels: u16::try_from(channels).unwrap_or(u16::MAX), format };
    let file = std::fs::File::create(to)?;
    let mut writer = Writer::new(file, spec)?;
    while at < end
        && let Some(block) = stream.next_block()?
    {
        let frames = (block.samples.len() / channels) as u64;
        let taken = frames.min(end - at);
        writer.write(&block.samples[..taken as usize * channels])?;
        at += taken;
    }
    if at == from {
        return Ok(None);
    }
    let (_, file) = writer.finish()?;
    file.sync_all()?;
    Ok(Some(FileStamp::of(&file.metadata()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(folder: &Path) -> PathBuf {
        let path = folder.join("take.wav");
        let spec = Spec { rate: 1000, channels: 2, format: Format::Float32 };
        let mut writer = Writer::new(std::fs::File::create(&path).unwrap(), spec).unwrap();
        writer.write(&(0..4000).map(|n| (n / 2) as f32 / 4000.0).collect::<Vec<f32>>()).unwrap();
        writer.finish().unwrap();
        path
    }

    fn samples(path: &Path) -> Vec<f32> {
        hound::WavReader::open(path).unwrap().into_samples::<f32>().map(Result::unwrap).collect()
    }

    #[test]
    fn slices_get_names_of_their_own_and_hold_exactly_their_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = take(folder.path());
        std::fs::write(folder.path().join("take 01.wav"), b"mine").unwrap();
        let (slice, stamp) = slice_next_to(&path, [0.5, 0.75]).unwrap().unwrap();
        assert_eq!(&*slice, folder.path().join("take 02.wav"));
        assert_eq!(samples(&slice), samples(&path)[1000..1500]);
        assert_eq!(stamp, FileStamp::of(&slice.metadata().unwrap()));
        assert!(slice_next_to(&path, [5.0, 6.0]).unwrap().is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing else is left behind");
        assert_eq!(std::fs::read(folder.path().join("take 01.wav")).unwrap(), b"mine");
    }

    #[test]
    fn a_sound_is_copied_once_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = take(folder.path());
        let to = folder.path().join("a/b");
        let copied = copy_to(&path, None, &to).unwrap();
        assert_eq!(copied, Copied::To(to.join("take.wav").as_path().into()));
        let metadata = |path: &Path| path.metadata().unwrap().modified().unwrap();
        assert_eq!(metadata(&to.join("take.wav")), metadata(&path));
        assert_eq!(copy_to(&path, None, &to).unwrap(), Copied::There(to.join("take.wav").as_path().into()));
        std::fs::write(to.join("take.wav"), b"mine").unwrap();
        assert_eq!(copy_to(&path, None, &to).unwrap(), Copied::To(to.join("take 01.wav").as_path().into()));
        assert_eq!(copy_to(&path, None, &to).unwrap(), Copied::There(to.join("take 01.wav").as_path().into()));
        assert_eq!(std::fs::read(to.join("take 01.wav")).unwrap(), std::fs::read(&path).unwrap());
        assert_eq!(std::fs::read(to.join("take.wav")).unwrap(), b"mine");
        let Copied::To(part) = copy_to(&path, Some([0.5, 0.75]), &to).unwrap() else { panic!() };
        assert_eq!(samples(&part), samples(&path)[1000..1500]);
        assert_eq!(copy_to(&path, Some([7.0, 8.0]), &to).unwrap(), Copied::Nothing);
        assert!(copy_to(&folder.path().join("none.wav"), None, &to).is_err());
        assert!(copy_to(&to, None, &to).is_err());
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 3, "nothing else is left behind");
    }

    #[test]
    fn a_trim_or_slices_asked_for_twice_are_cut_from_the_file_they_were_meant_for_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = take(folder.path());
        let stamp = FileStamp::of(&path.metadata().unwrap());
        let trim = || Job::Trim(Entity::PLACEHOLDER, path.as_path().into(), stamp, [0.25, 9.0]);
        assert!(matches!(serve(trim()), Reply::Trimmed(..)));
        let once = samples(&path);
        assert!(matches!(serve(trim()), Reply::Failed(reason) if reason.contains("has changed")));
        let slices = Job::Slice(Entity::PLACEHOLDER, path.as_path().into(), stamp, vec![[0.0, 0.1]]);
        assert!(matches!(serve(slices), Reply::Failed(_)));
        assert_eq!(samples(&path), once);
    }

    #[test]
    fn a_trimmed_take_takes_the_place_of_the_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = take(folder.path());
        let whole = samples(&path);
        let stamp = trim(&path, [0.25, 9.0]).unwrap();
        assert_eq!(samples(&path), whole[500..]);
        assert_eq!(stamp, FileStamp::of(&path.metadata().unwrap()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
