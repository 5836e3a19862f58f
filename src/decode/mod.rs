//! A file's bytes → what the list shows of it, and the audio the model wants.
//!
//! One pass decodes the whole file in packets: length, outline, loudness, peak and brightness come from all of it,
//! while only the first seconds stay in memory for the model. The bytes are hashed on the way, so that content that
//! is known already is recognised before anything is decoded.

pub mod descriptors;
mod edits;
mod features;
mod loudness;
mod peaks;
pub mod resample;
mod riff;
pub mod stream;
pub mod waveform;

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bevy::prelude::*;
use symphonia::core::io::MediaSource;

use self::descriptors::Descriptors;
use self::features::{Meter, Spectrum};
use self::peaks::{Outline, Peaks};
use self::stream::{Block, Decoders, Stream};
use self::waveform::{Builder, Pyramid};
use crate::SoundkinSystems;
use crate::actor::{Actor, Stop, Wake};
use crate::sample::{ContentHash, FileStamp, Notice, Passage, Recording, Sample};

pub use self::peaks::COLUMNS;

/// Files up to this size are read into memory once, for hashing and decoding, in bytes.
const READ_WHOLE: u64 = 16 << 20;
/// A larger file is hashed in pieces of this size, in bytes.
const PIECE: u64 = 4 << 20;
/// Frames for which room is made because a file says that it has them.
const MOST_EXPECTED: usize = 1 << 19;
/// Largest absolute sample of a sound that is as good as silent: -80 dBFS.
pub const SILENCE: f32 = 1e-4;

/// What the file's format says, and its length as decoded.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct AudioInfo {
    /// Frames that could be decoded.
    pub frames: u64,
    /// Sample rate in Hz.
    pub rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// Short name of the codec, such as `flac` or `pcm_s16le`.
    pub codec: String,
}

impl AudioInfo {
    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.rate.max(1))
    }
}

/// The waveform's outline for a list row: minimum and maximum of each of [`COLUMNS`] columns.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail(pub Box<Outline>);

/// Measures that can be shown, sorted and coloured by.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Features {
    /// Integrated loudness in LUFS (ITU-R BS.1770-4, gated); a sound shorter than one 400 ms block is measured as if
    /// silence followed. `None` where nothing passes the gate.
    pub lufs: Option<f32>,
    /// Sample peak over all channels in dBFS, at least -120.
    pub peak_db: f32,
    /// Spectral centroid in Hz: mean frequency of 2048-sample Hann windows, weighted by magnitude.
    pub brightness_hz: f32,
}

/// The mono audio that is analysed: mean of all channels at the file's own rate, or the first channel alone where the
/// mean is silent.
#[derive(Clone, Debug)]
pub struct Pcm {
    /// Sample rate in Hz.
    pub rate: u32,
    /// Where it starts in the file, in seconds; not zero only if the file begins with silence.
    pub start: f64,
    /// The samples, nominally in -1..=1.
    pub mono: Vec<f32>,
}

/// Everything one pass over a file yields.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Format and length.
    pub info: AudioInfo,
    /// Outline.
    pub thumbnail: Thumbnail,
    /// Measures.
    pub features: Features,
    /// Audio for the model.
    pub pcm: Pcm,
    /// Packets that were corrupt and left out.
    pub skipped: usize,
}

/// The newest moments of a take, to be embedded while it goes on.
#[derive(Component, Clone, Debug)]
pub struct Newest(pub Pcm);

/// A finished take as a pass over its file would find it, to be embedded without one.
#[derive(Component, Debug)]
pub struct Taken {
    /// What was gathered while it was recorded.
    pub decoded: Box<Decoded>,
    /// Hash of the file's bytes; none where no file was kept.
    pub hash: Option<ContentHash>,
}

/// Seconds of a sound that the model wants to hear.
#[derive(Resource, Clone, Copy, Debug)]
pub struct Kept(pub f64);

/// Why a file could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Nothing in it.
    #[error("file is empty")]
    Empty,
    /// The operating system would not give its bytes.
    #[error("cannot be read ({0}); check its permissions and the drive")]
    Read(std::io::Error),
    /// Known to be something that is not supported.
    #[error("format is not supported ({0}); convert it to WAV or FLAC")]
    Unsupported(&'static str),
    /// Not recognised at all.
    #[error("is in no audio format that is known; convert it to WAV or FLAC, or remove it")]
    Unknown,
    /// No audio in it.
    #[error("holds no audio track with a known codec; convert it to WAV or FLAC")]
    NoTrack,
    /// Looked like audio, but no packet could be decoded.
    #[error("holds no audio that can be decoded ({skipped} corrupt packets); replace it with a good copy")]
    NoAudio {
        /// Packets tried.
        skipped: usize,
    },
    /// The header makes no sense.
    #[error("is damaged or no audio file ({0}); replace it with a good copy")]
    Damaged(String),
    /// The decoder itself failed.
    #[error("decoder failed ({0}); convert it to WAV or FLAC")]
    Panicked(String),
    /// It is shorter than the passage that was asked for.
    #[error("ends before that passage begins; choose an earlier one")]
    Shorter,
    /// Nobody waits for it any more, which says nothing of the file.
    #[error("was not read to its end")]
    Stopped,
}

impl From<std::io::Error> for DecodeError {
    /// Bits that make no sense come as errors of reading too, but without a word of the system.
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(_) => Self::Read(error),
            None => Self::Damaged(error.to_string()),
        }
    }
}

/// A file's bytes: all of them in memory, or the open file when it is large.
enum Bytes {
    Whole(Vec<u8>),
    Large(File),
}

/// An opened and hashed file.
pub struct Source {
    bytes: Bytes,
    /// Hash of all its bytes.
    pub hash: ContentHash,
    /// Size and time as they were when it was opened.
    pub stamp: FileStamp,
}

impl Source {
    /// Reads and hashes the file at `path`.
    ///
    /// # Errors
    /// The file is empty or cannot be read, or `stop` was set.
    pub fn open(path: &Path, stop: &Stop) -> Result<Self, DecodeError> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(DecodeError::Damaged("not a regular file".to_owned()));
        }
        let stamp = FileStamp::of(&metadata);
        if stamp.size == 0 {
            return Err(DecodeError::Empty);
        }
        let mut hasher = blake3::Hasher::new();
        let bytes = if stamp.size <= READ_WHOLE {
            let mut bytes = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or(0));
            file.take(READ_WHOLE).read_to_end(&mut bytes)?;
            hasher.update(&bytes);
            Bytes::Whole(bytes)
        } else {
            let mut hashed = u64::MAX;
            while hasher.count() != hashed {
                hashed = hasher.count();
                hasher.update_reader((&mut file).take(PIECE))?;
                if stop.is_set() {
                    return Err(DecodeError::Stopped);
                }
            }
            file.seek(SeekFrom::Start(0))?;
            Bytes::Large(file)
        };
        Ok(Self { bytes, hash: ContentHash(hasher.finalize().into()), stamp })
    }

    fn into_media(self) -> std::io::Result<Box<dyn MediaSource>> {
        Ok(match self.bytes {
            Bytes::Whole(bytes) => Box::new(riff::tidied(Cursor::new(bytes))?),
            Bytes::Large(file) => Box::new(riff::tidied(file)?),
        })
    }
}

/// Decodes a whole file and keeps its first `keep` seconds of sound for the model.
///
/// A file whose first `keep` seconds are silent is kept from a later multiple of `keep` seconds.
///
/// # Errors
/// See [`DecodeError`]; a panic of a decoder is one of them, and so is that `stop` was set.
pub fn decode(
    source: Source,
    path: &Path,
    keep: f64,
    stop: &Stop,
    decoders: &Decoders,
) -> Result<Decoded, DecodeError> {
    let decode = || {
        let mut stream = Stream::open(source.into_media()?, path.extension(), decoders)?;
        let decoded = decode_stream(&mut stream, keep, stop)?;
        stream.close(decoders);
        Ok(decoded)
    };
    crate::actor::contained(decode).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)))
}

fn decode_stream(stream: &mut Stream, keep: f64, stop: &Stop) -> Result<Decoded, DecodeError> {
    let (mut digest, stated) = (None, stream.stated().unwrap_or(0));
    while let Some(Block { samples, rate, channels }) = stream.next_block()? {
        digest.get_or_insert_with(|| Digest::new(rate, channels, keep).expecting(stated)).add(samples);
        if stop.is_set() {
            return Err(DecodeError::Stopped);
        }
    }
    let digest = digest.ok_or(DecodeError::NoAudio { skipped: stream.skipped() })?;
    Ok(Decoded { skipped: stream.skipped(), ..digest.finish(stream.codec()) })
}

/// Decodes a passage of a file and keeps its first `keep` seconds for the model; nothing else of the file is measured.
///
/// # Errors
/// As for [`decode`]; also if the passage begins behind the end.
pub fn decode_passage(
    path: &Path,
    Passage([from, to]): Passage,
    keep: f64,
    stop: &Stop,
    decoders: &Decoders,
) -> Result<Decoded, DecodeError> {
    let decode = || {
        let mut stream = Stream::open_path(path, decoders)?;
        let Some(Block { rate, channels, .. }) = stream.next_block()? else {
            return Err(DecodeError::NoAudio { skipped: stream.skipped() });
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds times rate, both positive"
        )]
        let [first, end] = [from, to].map(|seconds| (seconds * f64::from(rate)).round() as u64);
        // However short it is, it is one frame.
        let end = end.max(first.saturating_add(1));
        stream.seek(first)?;
        let mut digest = Digest::new(rate, channels, keep);
        let mut at = stream.position();
        while let Some(block) = stream.next_block()?.filter(|_| at < end) {
            let room = usize::try_from(end - at).unwrap_or(usize::MAX).saturating_mul(channels);
            digest.add(&block.samples[..block.samples.len().min(room)]);
            if stop.is_set() {
                return Err(DecodeError::Stopped);
            }
            at = stream.position();
        }
        if digest.frames() == 0 {
            return Err(DecodeError::Shorter);
        }
        let mut decoded = digest.finish(stream.codec());
        decoded.pcm.start += from;
        stream.close(decoders);
        Ok(decoded)
    };
    crate::actor::contained(decode).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)))
}

/// Gathers what one pass over a sound yields, block by block, from a file or while it is being recorded.
pub struct Digest {
    rate: u32,
    channels: usize,
    meter: Meter,
    mono: Vec<f32>,
    mean: Heard,
    /// The first channel, for as long as the mean is silent: channels of opposite phase cancel each other out.
    first: Option<Heard>,
    silent: bool,
    /// Frames that are kept for the model.
    room: usize,
    frames: u64,
}

/// What is gathered of one channel, or of the mean of all.
struct Heard {
    peaks: Peaks,
    spectrum: Spectrum,
    head: Vec<f32>,
    head_start: u64,
    /// Its largest sample, or one that is enough to be heard.
    head_peak: f32,
}

impl Heard {
    fn new() -> Self {
        Self { peaks: Peaks::default(), spectrum: Spectrum::new(), head: Vec::new(), head_start: 0, head_peak: 0.0 }
    }

    /// Adds the samples from frame `at` on, of which `room` are kept.
    fn add(&mut self, samples: &[f32], at: u64, room: usize) {
        self.spectrum.add(samples);
        self.peaks.add(samples);
        if self.head.len() >= room && self.head_peak < SILENCE {
            self.head.clear();
            self.head_start = at;
        }
        let taken = &samples[..samples.len().min(room - self.head.len())];
        if self.head_peak < SILENCE {
            self.head_peak = self.head_peak.max(features::largest(taken));
        }
        self.head.extend_from_slice(taken);
    }
}

impl Digest {
    /// Begins a sound of which `keep` seconds are kept for the model.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds times rate, both positive")]
    pub fn new(rate: u32, channels: usize, keep: f64) -> Self {
        Self {
            rate,
            channels,
            meter: Meter::new(rate, channels),
            mono: Vec::new(),
            mean: Heard::new(),
            first: None,
            silent: true,
            room: (keep * f64::from(rate)) as usize,
            frames: 0,
        }
    }

    /// Makes room at once for what is kept of so many frames.
    fn expecting(mut self, frames: u64) -> Self {
        let kept = usize::try_from(frames).unwrap_or(usize::MAX).min(self.room).min(MOST_EXPECTED);
        self.mean.head.reserve_exact(kept);
        self
    }

    /// Adds interleaved frames.
    pub fn add(&mut self, interleaved: &[f32]) {
        downmix(interleaved, self.channels, &mut self.mono);
        self.meter.add(interleaved);
        self.mean.add(&self.mono, self.frames, self.room);
        self.silent = self.silent && features::largest(&self.mono) < SILENCE;
        if !self.silent {
            self.first = None;
        } else if self.channels > 1 {
            let first: Vec<f32> = interleaved.iter().step_by(self.channels).copied().collect();
            self.first.get_or_insert_with(Heard::new).add(&first, self.frames, self.room);
        }
        self.frames += self.mono.len() as u64;
    }

    /// The block that was added last, as the mean over its channels.
    pub fn mono(&self) -> &[f32] {
        &self.mono
    }

    /// Frames added so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Format and length so far.
    pub fn info(&self, codec: &str) -> AudioInfo {
        let channels = u32::try_from(self.channels).unwrap_or(u32::MAX);
        AudioInfo { frames: self.frames, rate: self.rate, channels, codec: codec.to_owned() }
    }

    /// Ends the sound.
    pub fn finish(self, codec: &str) -> Decoded {
        let info = self.info(codec);
        let first = self.first.filter(|first| first.head_peak >= SILENCE);
        let mut heard = first.unwrap_or(self.mean);
        Decoded {
            info,
            thumbnail: Thumbnail(Box::new(heard.peaks.outline())),
            features: self.meter.finish(heard.spectrum.centroid(self.rate)),
            pcm: Pcm { rate: self.rate, start: heard.head_start as f64 / f64::from(self.rate), mono: heard.head },
            skipped: 0,
        }
    }
}

/// Writes the mean over channels of interleaved frames.
fn downmix(interleaved: &[f32], channels: usize, mono: &mut Vec<f32>) {
    mono.clear();
    match channels {
        1 => mono.extend_from_slice(interleaved),
        2 => mono.extend(interleaved.as_chunks::<2>().0.iter().map(|[l, r]| (l + r) * 0.5)),
        n => mono.extend(interleaved.chunks_exact(n).map(|frame| frame.iter().sum::<f32>() / n as f32)),
    }
}

/// The whole waveform of the sample that is looked at, at every zoom.
#[derive(Component, Clone, Debug)]
pub struct Waveform(pub Arc<Pyramid>);

/// Asks for a sample's [`Waveform`]; the one before loses its own.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShowWaveform(pub Option<Entity>);

struct Look {
    entity: Entity,
    path: Arc<Path>,
    frames: u64,
    serial: u64,
}

struct Seen {
    entity: Entity,
    serial: u64,
    wave: Pyramid,
}

#[derive(Resource)]
struct Tracer {
    actor: Actor<Look, Option<Seen>>,
    /// The newest question; the thread leaves an older one.
    newest: Arc<AtomicU64>,
    waiting: Option<Look>,
    shown: Option<Entity>,
}

/// A take that is no longer recorded keeps its waveform only while it is looked at.
fn forget_unseen(ended: On<Remove, Recording>, tracer: Res<Tracer>, mut commands: Commands) {
    if tracer.shown != Some(ended.entity)
        && let Ok(mut sample) = commands.get_entity(ended.entity)
    {
        sample.try_remove::<Waveform>();
    }
}

/// Owns [`AudioInfo`], [`Thumbnail`], [`Features`], [`Descriptors`] and [`Waveform`], and drops them when the file
/// changes.
///
/// The first four are made by the workers of [`embed`](crate::embed), which need the decoded audio at once; the last
/// by a thread of its own, for one sample at a time. All of a take is made while it is recorded.
pub struct DecodePlugin;

impl Plugin for DecodePlugin {
    fn build(&self, app: &mut App) {
        app.add_observer(forget_outdated).add_message::<ShowWaveform>();
        let wake = app.world().resource::<Wake>().clone();
        let newest = Arc::new(AtomicU64::new(0));
        let current = newest.clone();
        let make = move |stop: Stop| {
            let (newest, decoders) = (current.clone(), Decoders::default());
            move |look: Look| trace(&look, || stop.is_set() || newest.load(Ordering::Relaxed) != look.serial, &decoders)
        };
        match Actor::pool("waveform", 1, 1, &wake, make) {
            Ok(actor) => app.insert_resource(Tracer { actor, newest, waiting: None, shown: None }),
            Err(error) => {
                app.world_mut().write_message(Notice::new(format!("no waveform can be shown: no thread ({error})")));
                return;
            }
        };
        app.add_observer(forget_unseen)
            .add_systems(Update, collect_waveform.in_set(SoundkinSystems::Collect))
            .add_systems(Update, ask_for_waveform.in_set(SoundkinSystems::Dispatch));
    }
}

fn forget_outdated(replaced: On<Discard, FileStamp>, mut commands: Commands) {
    if let Ok(mut sample) = commands.get_entity(replaced.entity) {
        sample.try_remove::<(AudioInfo, Thumbnail, Features, Descriptors, Waveform)>();
    }
}

fn collect_waveform(mut tracer: ResMut<Tracer>, mut commands: Commands) {
    let newest = tracer.newest.load(Ordering::Relaxed);
    for seen in tracer.actor.replies().flatten().filter(|seen| seen.serial == newest) {
        if let Ok(mut sample) = commands.get_entity(seen.entity) {
            sample.try_insert(Waveform(Arc::new(seen.wave)));
        }
    }
    if let Some(look) = tracer.waiting.take()
        && let Err(look) = tracer.actor.try_send(look)
    {
        tracer.waiting = Some(look);
    }
}

fn ask_for_waveform(
    mut asks: MessageReader<ShowWaveform>,
    mut tracer: ResMut<Tracer>,
    samples: Query<(&Sample, Option<&AudioInfo>), Without<Recording>>,
    growing: Query<(), With<Recording>>,
    mut commands: Commands,
) {
    let Some(ShowWaveform(wanted)) = asks.read().last().copied() else { return };
    let before = std::mem::replace(&mut tracer.shown, wanted);
    if let Some(before) = before.filter(|before| Some(*before) != wanted && !growing.contains(*before))
        && let Ok(mut sample) = commands.get_entity(before)
    {
        sample.try_remove::<Waveform>();
    }
    let serial = tracer.newest.fetch_add(1, Ordering::Relaxed) + 1;
    tracer.waiting = None;
    if let Some(entity) = wanted
        && let Ok((sample, info)) = samples.get(entity)
    {
        let look = Look { entity, path: sample.path.clone(), frames: info.map_or(0, |info| info.frames), serial };
        tracer.waiting = tracer.actor.try_send(look).err();
    }
}

/// Decodes a file for its waveform; `None` when it cannot be decoded or is not wanted any more.
fn trace(look: &Look, unwanted: impl Fn() -> bool, decoders: &Decoders) -> Option<Seen> {
    let trace = || {
        let file = riff::tidied(File::open(&look.path)?)?;
        let mut stream = Stream::open(Box::new(file), look.path.extension(), decoders)?;
        let mut builder = None;
        while let Some(block) = stream.next_block()? {
            builder.get_or_insert_with(|| Builder::new(block.channels, look.frames)).add(block.samples);
            if unwanted() {
                return Ok(None);
            }
        }
        stream.close(decoders);
        Ok::<_, DecodeError>(builder.map(Builder::finish))
    };
    // A file that cannot be decoded has its reason from the analysis already.
    let wave = crate::actor::contained(trace).ok()?.ok()??;
    Some(Seen { entity: look.entity, serial: look.serial, wave })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digested(channels: usize, interleaved: &[f32]) -> Decoded {
        let mut digest = Digest::new(8000, channels, 0.5);
        interleaved.chunks(channels * 1000).for_each(|block| digest.add(block));
        digest.finish("")
    }

    #[test]
    fn channels_that_cancel_each_other_out_are_heard_by_the_first() {
        let silence = std::iter::repeat_n(0.0, 5000);
        let tone: Vec<f32> = silence.chain((0..9000).map(|n| (n as f32 * 0.3).sin() * 0.5)).collect();
        let alone = digested(1, &tone);
        let stereo: Vec<f32> = tone.iter().flat_map(|s| [*s, -s]).collect();
        let opposite = digested(2, &stereo);
        assert_eq!(opposite.pcm.mono, alone.pcm.mono);
        assert_eq!((opposite.pcm.start, opposite.info.frames), (0.5, 14_000));
        assert_eq!(opposite.thumbnail, alone.thumbnail);
        assert!((opposite.features.brightness_hz - alone.features.brightness_hz).abs() < f32::EPSILON);
        // What is heard in the mean is the mean from the start, even if it begins with channels of opposite phase.
        let then = [&stereo[..], &[0.4; 2000]].concat();
        let mean: Vec<f32> = then.as_chunks::<2>().0.iter().map(|[l, r]| (l + r) * 0.5).collect();
        assert_eq!(digested(2, &then).pcm.mono, digested(1, &mean).pcm.mono);
        assert_eq!(digested(2, &then).thumbnail, digested(1, &mean).thumbnail);
        assert!(digested(2, &vec![0.0; 9000]).pcm.mono.iter().all(|s| *s == 0.0));
    }

    #[test]
    fn work_that_nobody_waits_for_is_left_and_is_no_failure_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (go, stop) = (Stop::default(), Stop::default());
        stop.set();
        let large = folder.path().join("large.wav");
        File::create(&large).unwrap().set_len(READ_WHOLE + 1).unwrap();
        assert!(matches!(Source::open(&large, &stop), Err(DecodeError::Stopped)));
        let hash = blake3::hash(&std::fs::read(&large).unwrap());
        assert_eq!(Source::open(&large, &go).unwrap().hash, ContentHash(hash.into()), "in pieces as at once");
        let sound = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio/wav_stereo.wav");
        let decoded = |stop: &Stop| {
            let source = Source::open(&sound, &go).unwrap();
            decode(source, &sound, 10.0, stop, &Decoders::default())
        };
        assert!(matches!(decoded(&stop), Err(DecodeError::Stopped)));
        decoded(&go).unwrap();
        let entity = Entity::PLACEHOLDER;
        let look = Look { entity, path: sound.as_path().into(), frames: 0, serial: 1 };
        assert!(trace(&look, || true, &Decoders::default()).is_none());
        assert!(trace(&look, || false, &Decoders::default()).is_some());
    }
}
