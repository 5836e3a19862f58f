//! A file's bytes → what the list shows of it, and the audio the model wants.
//!
//! One pass decodes the whole file in packets: length, outline, loudness, peak and brightness come from all of it,
//! while only the first seconds stay in memory for the model. The bytes are hashed on the way, so that content that
//! is known already is recognised before anything is decoded.

pub mod descriptors;
mod features;
mod peaks;
pub mod resample;
mod rf64;
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
use self::features::Meter;
use self::peaks::{Outline, Peaks};
use self::stream::{Block, Decoders, Stream};
use self::waveform::{Builder, Pyramid};
use crate::SoundkinSystems;
use crate::actor::{Actor, Wake};
use crate::sample::{ContentHash, FileStamp, Notice, Sample};

pub use self::peaks::COLUMNS;

/// Files up to this size are read into memory once, for hashing and decoding, in bytes.
const READ_WHOLE: u64 = 16 << 20;
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

/// The mono audio that is analysed: mean of all channels at the file's own rate.
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

/// Why a file could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Nothing in it.
    #[error("file is empty")]
    Empty,
    /// The operating system would not give its bytes.
    #[error("cannot be read ({0}); check its permissions and the drive")]
    Read(#[from] std::io::Error),
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
    /// The file is empty or cannot be read.
    pub fn open(path: &Path) -> Result<Self, DecodeError> {
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
            hasher.update_reader(&mut file)?;
            file.seek(SeekFrom::Start(0))?;
            Bytes::Large(file)
        };
        Ok(Self { bytes, hash: ContentHash(hasher.finalize().into()), stamp })
    }

    fn into_media(self) -> std::io::Result<Box<dyn MediaSource>> {
        Ok(match self.bytes {
            Bytes::Whole(bytes) => Box::new(rf64::as_riff(Cursor::new(bytes))?),
            Bytes::Large(file) => Box::new(rf64::as_riff(file)?),
        })
    }
}

/// Decodes a whole file and keeps its first `keep` seconds of sound for the model.
///
/// A file whose first `keep` seconds are silent is kept from a later multiple of `keep` seconds.
///
/// # Errors
/// See [`DecodeError`]; a panic of a decoder is one of them.
pub fn decode(source: Source, path: &Path, keep: f64, decoders: &mut Decoders) -> Result<Decoded, DecodeError> {
    let decode = || {
        let mut stream = Stream::open(source.into_media()?, path.extension(), decoders)?;
        let decoded = decode_stream(&mut stream, keep)?;
        stream.close(decoders);
        Ok(decoded)
    };
    crate::actor::contained(decode).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds times rate, both positive")]
fn decode_stream(stream: &mut Stream, keep: f64) -> Result<Decoded, DecodeError> {
    let mut meter = None;
    let mut peaks = Peaks::default();
    let mut mono = Vec::new();
    let mut head = Vec::new();
    let mut head_start = 0;
    let mut head_peak = 0.0_f32;
    let mut frames = 0;
    while let Some(Block { samples: block, rate, channels }) = stream.next_block()? {
        let meter = meter.get_or_insert_with(|| Meter::new(rate, channels));
        downmix(block, channels, &mut mono);
        meter.add(block, &mono);
        peaks.add(&mono);
        let room = (keep * f64::from(rate)) as usize;
        if head.len() >= room && head_peak < SILENCE {
            head.clear();
            head_start = frames;
        }
        let taken = &mono[..mono.len().min(room - head.len())];
        head_peak = head_peak.max(features::largest(taken));
        head.extend_from_slice(taken);
        frames += mono.len() as u64;
    }
    let (Some((rate, channels)), Some(meter)) = (stream.spec(), meter) else {
        return Err(DecodeError::NoAudio { skipped: stream.skipped() });
    };
    Ok(Decoded {
        info: AudioInfo {
            frames,
            rate,
            channels: u32::try_from(channels).unwrap_or(u32::MAX),
            codec: stream.codec().to_owned(),
        },
        thumbnail: Thumbnail(Box::new(peaks.outline())),
        features: meter.finish(),
        pcm: Pcm { rate, start: head_start as f64 / f64::from(rate), mono: head },
        skipped: stream.skipped(),
    })
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

/// Owns [`AudioInfo`], [`Thumbnail`], [`Features`], [`Descriptors`] and [`Waveform`], and drops them when the file
/// changes.
///
/// The first four are made by the workers of [`embed`](crate::embed), which need the decoded audio at once; the last
/// by a thread of its own, for one sample at a time.
pub struct DecodePlugin;

impl Plugin for DecodePlugin {
    fn build(&self, app: &mut App) {
        app.add_observer(forget_outdated).add_message::<ShowWaveform>();
        let wake = app.world().resource::<Wake>().clone();
        let newest = Arc::new(AtomicU64::new(0));
        let current = newest.clone();
        let make = move || {
            let (newest, mut decoders) = (current.clone(), Decoders::default());
            move |look: Look| trace(&look, &newest, &mut decoders)
        };
        match Actor::pool("waveform", 1, 1, &wake, make) {
            Ok(actor) => app.insert_resource(Tracer { actor, newest, waiting: None, shown: None }),
            Err(error) => {
                app.world_mut().write_message(Notice::new(format!("no waveform can be shown: no thread ({error})")));
                return;
            }
        };
        app.add_systems(Update, collect_waveform.in_set(SoundkinSystems::Collect))
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
    samples: Query<(&Sample, Option<&AudioInfo>)>,
    mut commands: Commands,
) {
    let Some(ShowWaveform(wanted)) = asks.read().last().copied() else { return };
    let before = std::mem::replace(&mut tracer.shown, wanted);
    if let Some(before) = before.filter(|before| Some(*before) != wanted)
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

/// Decodes a file for its waveform; `None` when it cannot be decoded or another one is wanted by now.
fn trace(look: &Look, newest: &AtomicU64, decoders: &mut Decoders) -> Option<Seen> {
    let trace = || {
        let file = rf64::as_riff(File::open(&look.path)?)?;
        let mut stream = Stream::open(Box::new(file), look.path.extension(), decoders)?;
        let mut builder = None;
        while let Some(block) = stream.next_block()? {
            builder.get_or_insert_with(|| Builder::new(block.channels, look.frames)).add(block.samples);
            if newest.load(Ordering::Relaxed) != look.serial {
                return Ok(None);
            }
        }
        Ok::<_, DecodeError>(builder.map(Builder::finish))
    };
    // A file that cannot be decoded has its reason from the analysis already.
    let wave = crate::actor::contained(trace).ok()?.ok()??;
    Some(Seen { entity: look.entity, serial: look.serial, wave })
}
