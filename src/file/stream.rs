//! A file's audio as a stream of interleaved blocks, through symphonia with every format and codec it has, and Opus.
//!
//! Corrupt packets are skipped and counted. Memory is one packet, whatever the length of the file.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use dsp::{Frames, Hz, downmix};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_VORBIS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{FORMAT_ID_MP1, FORMAT_ID_MP2, FORMAT_ID_MP3};
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::{MetadataOptions, RawValue};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, TimeBase, Timestamp};

use crate::edits::{self, Edit, Length};
use crate::{DecodeError, riff};

/// Sample rates that a sound file can sensibly state, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 100..=6_144_000;
/// No sound is louder than this (+120 dBFS): larger numbers are not samples.
const LOUDEST: f32 = 1e6;
/// A stream that has this many bad packets for each good one is not what its header says.
const BAD_PER_GOOD: usize = 8;
/// Bad packets in a row after which the rest of the file is given up.
const BAD_IN_A_ROW: usize = 1000;
/// Frames decoded ahead of the one sought, so that a codec with memory has forgotten the gap: Opus asks for 80 ms
/// (RFC 7845, 4.6), AAC for one or two packets.
const PRE_ROLL: i64 = 4096;

static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut registry = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut registry);
    registry.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
    registry
});

/// Most decoders that are kept for later files with the same code books.
const KEPT: usize = 16;

/// Keeps decoders from one file to the next; clones keep them together.
///
/// A Vorbis file carries its code books, and building them costs as much as decoding a second of sound. Files of one
/// collection mostly come from few encoders at few settings and carry the same, so that later files can use what was
/// built for earlier ones, by whichever worker.
#[derive(Clone, Default)]
pub struct Decoders(Arc<Mutex<Vec<Kept>>>);

type Kept = (Box<[u8]>, Box<dyn AudioDecoder>);

impl Decoders {
    fn make(&self, parameters: &AudioCodecParameters) -> Result<Box<dyn AudioDecoder>, Error> {
        if let Some(mut decoder) = books(parameters).and_then(|books| self.take(books)) {
            decoder.reset();
            return Ok(decoder);
        }
        CODECS.make_audio_decoder(parameters, &AudioDecoderOptions::default())
    }

    fn take(&self, books: &[u8]) -> Option<Box<dyn AudioDecoder>> {
        let mut kept = self.0.lock().ok()?;
        let place = kept.iter().rposition(|(known, _)| **known == *books)?;
        Some(kept.remove(place).1)
    }

    /// Keeps a decoder for later files; if there are too many, the one kept longest is dropped.
    fn keep(&self, decoder: Box<dyn AudioDecoder>) {
        if let (Some(books), Ok(mut kept)) = (books(decoder.codec_params()), self.0.lock()) {
            let full = kept.len().saturating_sub(KEPT - 1);
            kept.drain(..full);
            kept.push((books.into(), decoder));
        }
    }
}

/// The code books of a Vorbis stream, which are all that its decoder is made from.
fn books(parameters: &AudioCodecParameters) -> Option<&[u8]> {
    parameters.extra_data.as_deref().filter(|_| parameters.codec == CODEC_ID_VORBIS)
}

/// Decoded audio of one packet.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Interleaved samples, nominally in -1..=1, always finite.
    pub samples: &'a [f32],
    /// Sample rate, the same for all blocks of a stream.
    pub rate: Hz,
    /// Number of channels, the same for all blocks of a stream.
    pub channels: usize,
}

/// An opened file, ready to be decoded from its start.
pub struct Stream {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    good: usize,
    skipped: usize,
    skipped_in_a_row: usize,
    block: Vec<f32>,
    spec: Option<(Hz, usize)>,
    /// Where to open the file anew if its format cannot seek.
    path: Option<Box<Path>>,
    /// Times of the file's first packet and of its first frame, in the track's units.
    first: Option<i64>,
    origin: Option<i64>,
    /// The frame that the next block starts with; below zero where a codec gives more than the file's sound.
    position: i64,
    /// Frames before this one are decoded but not given.
    wanted: i64,
    /// The format has jumped: the next packet's own time says where.
    jumped: bool,
    /// In MPEG audio, where the sound ends according to its header, or to a guess from the first frames' bitrate.
    counted: Option<i64>,
    /// The part of an MP4 track that is heard.
    edit: Option<Edit>,
}

impl Stream {
    /// Opens the file at `path` for listening: nothing is hashed and only what is needed is read.
    ///
    /// # Errors
    /// The file cannot be read, or as for [`Stream::open`].
    pub fn open_path(path: &Path, decoders: &Decoders) -> Result<Self, DecodeError> {
        // A named pipe must not even be opened.
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(DecodeError::Damaged("not a regular file".to_owned()));
        }
        if metadata.len() == 0 {
            return Err(DecodeError::Empty);
        }
        let source = Box::new(riff::tidied(File::open(path)?)?);
        let stream = Self::open(source, path.extension(), decoders)?;
        Ok(Self { path: Some(path.into()), ..stream })
    }

    /// Probes `source` by its bytes; the file name's ending is only a hint.
    ///
    /// # Errors
    /// The bytes are no format that can be read, or hold no audio track with a known codec.
    pub fn open(
        source: Box<dyn MediaSource>,
        ending: Option<&OsStr>,
        decoders: &Decoders,
    ) -> Result<Self, DecodeError> {
        let mut hint = Hint::new();
        if let Some(ending) = ending.and_then(OsStr::to_str) {
            hint.with_extension(ending);
        }
        let mut source = source;
        let edit = if source.is_seekable() { edits::edit_list(&mut *source)? } else { None };
        let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
        #[expect(clippy::disallowed_methods, reason = "this is the one place that opens sound files")]
        let mut format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(unreadable)?;
        let (track, decoder) = decoder_for(format.as_ref(), decoders)?;
        let counted = counted(format.as_ref());
        let edit = edit.filter(|edit| edit.start > 0).or_else(|| itunes(format.as_mut())).or(edit);
        // An edit that leaves nothing to hear is wrong.
        let whole = format.tracks().iter().find(|each| each.id == track).and_then(|each| each.duration);
        let edit = edit.filter(|edit| whole.is_none_or(|whole| edit.start < ticks(whole)));
        Ok(Self {
            format,
            decoder,
            track,
            good: 0,
            skipped: 0,
            skipped_in_a_row: 0,
            block: Vec::new(),
            spec: None,
            path: None,
            first: None,
            origin: None,
            position: 0,
            wanted: 0,
            jumped: false,
            counted,
            edit,
        })
    }

    /// Short name of the codec, such as `flac` or `pcm_s16le`.
    pub fn codec(&self) -> &'static str {
        self.decoder.codec_info().short_name
    }

    /// Rate and number of channels, once the first block has been decoded.
    pub fn spec(&self) -> Option<(Hz, usize)> {
        self.spec
    }

    /// Frames that the file says it has, right or wrong.
    pub fn stated(&self) -> Option<Frames> {
        self.format.tracks().iter().find(|track| track.id == self.track)?.num_frames.map(Frames)
    }

    /// Hands the decoder over for the next file.
    pub fn close(self, decoders: &Decoders) {
        decoders.keep(self.decoder);
    }

    /// The frame that the next block starts with, counted from the start of the file.
    pub fn position(&self) -> Frames {
        let position = if self.jumped { self.wanted } else { self.position.max(self.wanted) };
        Frames(u64::try_from(position).unwrap_or(0))
    }

    /// Makes the next block start with `frame`, or with the end of the file if it has fewer.
    ///
    /// The frame is exact where packets carry exact times, as in WAV, AIFF, FLAC and CAF, and otherwise as exact as the
    /// format is. Where it cannot seek at all, everything before is decoded and left out.
    ///
    /// # Errors
    /// As for [`Stream::next_block`]; also if the file would have to be opened anew and was not opened by its path.
    pub fn seek(&mut self, frame: Frames) -> Result<(), DecodeError> {
        if self.origin.is_none() && self.next_block()?.is_none() {
            return Ok(());
        }
        // Nearby frames are reached sooner by decoding on than by a search.
        let wanted = i64::try_from(frame.0).unwrap_or(i64::MAX);
        let near = (self.position..self.position.saturating_add(PRE_ROLL)).contains(&wanted);
        if (self.jumped || !near) && !self.jump((wanted - PRE_ROLL).max(0)) {
            let path = self.path.clone().ok_or(DecodeError::Unsupported("seeking"))?;
            *self = Self::open_path(&path, &Decoders::default())?;
        }
        self.wanted = wanted;
        Ok(())
    }

    /// Lets the format seek; if it returns false, the position is undefined.
    fn jump(&mut self, frame: i64) -> bool {
        let Some(((first, origin), ticks)) = self.first.zip(self.origin).zip(self.scale(frame, false)) else {
            return false;
        };
        // Packets before the first frame have nothing to hear, but the decoder needs them.
        let time = if frame == 0 { first } else { origin.saturating_add(ticks) };
        // Seeking works only up to the counted end; a position beyond it is reached by decoding.
        let time = self.counted.map_or(time, |end| time.min(end));
        let to = SeekTo::Timestamp { ts: Timestamp::new(time), track_id: self.track };
        self.decoder.reset();
        self.jumped = self.format.seek(SeekMode::Accurate, to).is_ok();
        self.jumped
    }

    /// Converts a number of frames to the track's units of time, or back.
    fn scale(&self, count: i64, to_frames: bool) -> Option<i64> {
        let (rate, _) = self.spec?;
        let track = self.format.tracks().iter().find(|track| track.id == self.track)?;
        let base = track.time_base.or_else(|| TimeBase::try_from_recip(rate.0))?;
        let ticks_per = i128::from(base.denom.get());
        let frames_per = i128::from(base.numer.get()) * i128::from(rate.0);
        let (times, by) = if to_frames { (frames_per, ticks_per) } else { (ticks_per, frames_per) };
        i64::try_from((i128::from(count) * times + by / 2).div_euclid(by)).ok()
    }

    /// Keeps count of frames; returns how many of the decoded block's `frames` come before the one sought.
    fn place(&mut self, packet: &Packet, frames: usize) -> usize {
        let length = i64::try_from(frames).ok().and_then(|frames| self.scale(frames, false)).unwrap_or(0);
        // Opus leaves out the start of its first packet without saying so.
        let lead = ticks(packet.trim_start).max(ticks(packet.dur) - ticks(packet.trim_end) - length);
        let time = packet.pts.get().saturating_add(lead);
        let origin = self.origin.unwrap_or_else(|| {
            let before = self.edit.map_or(0, |edit| edit.start);
            self.position = -self.scale(before, true).unwrap_or(0);
            time.saturating_add(before)
        });
        self.origin = Some(origin);
        if std::mem::take(&mut self.jumped)
            && let Some(frame) = self.scale(time.saturating_sub(origin), true)
        {
            self.position = frame;
        }
        let early = usize::try_from(self.wanted.saturating_sub(self.position).max(0)).unwrap_or(usize::MAX);
        self.position = self.position.saturating_add_unsigned(frames as u64);
        early.min(frames)
    }

    /// Of the `frames` of a packet that has been placed, those at its end that are padding.
    fn beyond(&self, packet: &Packet, frames: usize) -> usize {
        let Some(edit) = self.edit else { return 0 };
        let track = self.format.tracks().iter().find(|track| track.id == self.track);
        let end = packet.pts.get().saturating_add(ticks(packet.dur));
        let is_last = track.and_then(|track| track.duration).is_some_and(|whole| end >= ticks(whole));
        let said = self.scale(ticks(packet.dur), true).filter(|said| is_last && *said > 0);
        let in_packet = said.and_then(|said| frames.checked_sub(usize::try_from(said).ok()?)).unwrap_or(0);
        let end = match edit.length {
            Some(Length::Ticks(length)) => self.scale(length, true),
            #[expect(clippy::cast_possible_truncation, reason = "a number of frames")]
            Some(Length::Seconds(length)) => self.spec.map(|(rate, _)| (length * f64::from(rate)).ceil() as i64),
            None => None,
        };
        let in_edit = end.map_or(0, |end| usize::try_from(self.position.saturating_sub(end)).unwrap_or(0));
        in_packet.max(in_edit).min(frames)
    }

    /// Packets that could not be decoded so far.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Decodes the next block; `None` at the end.
    ///
    /// If the channels change (chained Ogg), all of the first ones get the mean of the new ones; a stream
    /// whose rate changes ends at the change.
    ///
    /// # Errors
    /// The file could not be read, or is damaged beyond use.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, DecodeError> {
        self.next_block_unless(&|| false)
    }

    /// Like [`Stream::next_block`], but leaves what lies before the frame sought when `unwanted` says so: a format that
    /// cannot seek may have hours of it.
    ///
    /// # Errors
    /// As for [`Stream::next_block`]; also [`DecodeError::Stopped`].
    pub fn next_block_unless(&mut self, unwanted: &dyn Fn() -> bool) -> Result<Option<Block<'_>>, DecodeError> {
        let (rate, channels, heard) = loop {
            let mut packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.end(),
                Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => return self.end(),
                Err(Error::IoError(error)) => return Err(error.into()),
                Err(Error::ResetRequired) => {
                    (self.track, self.decoder) = decoder_for(self.format.as_ref(), &Decoders::default())?;
                    continue;
                }
                Err(_) => {
                    if self.skip() {
                        return self.end();
                    }
                    continue;
                }
            };
            if packet.track_id != self.track {
                continue;
            }
            if self.counted.is_some_and(|end| packet.pts.get() >= end) {
                // The count is wrong: this packet would be cut off as padding although it holds sound.
                packet.trim_end = Duration::ZERO;
            }
            self.first.get_or_insert(packet.pts.get());
            match self.decoder.decode(&packet) {
                Ok(audio) => {
                    let spec = (Hz(audio.spec().rate()), audio.num_planes());
                    self.good += 1;
                    self.skipped_in_a_row = 0;
                    if audio.frames() == 0 {
                        continue;
                    }
                    if !RATES.contains(&spec.0.0) || spec.1 == 0 {
                        return Err(DecodeError::Damaged(format!("header states {}, {} channels", spec.0, spec.1)));
                    }
                    let (rate, channels) = *self.spec.get_or_insert(spec);
                    if spec.0 != rate {
                        return self.end();
                    }
                    audio.copy_to_vec_interleaved(&mut self.block);
                    let frames = audio.frames();
                    if spec.1 != channels {
                        let mut mean = Vec::new();
                        downmix(&self.block, spec.1, &mut mean);
                        self.block.clear();
                        self.block.extend(mean.iter().flat_map(|sample| std::iter::repeat_n(*sample, channels)));
                    }
                    let early = self.place(&packet, frames);
                    let late = self.beyond(&packet, frames);
                    if late == frames {
                        return self.end();
                    }
                    if early + late < frames {
                        break (rate, channels, early * channels..(frames - late) * channels);
                    }
                    if unwanted() {
                        return Err(DecodeError::Stopped);
                    }
                }
                Err(Error::DecodeError(_) | Error::IoError(_) | Error::ResetRequired) => {
                    if self.skip() {
                        return self.end();
                    }
                }
                Err(error) => return Err(unreadable(error)),
            }
        };
        self.wanted = 0;
        let samples = &mut self.block[heard];
        // Float files can hold anything; one NaN, or what overflows when squared, would spoil every sum it meets.
        for sample in &mut *samples {
            *sample = if (-LOUDEST..=LOUDEST).contains(sample) { *sample } else { 0.0 };
        }
        Ok(Some(Block { samples, rate, channels }))
    }

    /// Counts a bad packet; true when there have been too many to go on.
    fn skip(&mut self) -> bool {
        self.skipped += 1;
        self.skipped_in_a_row += 1;
        self.skipped_in_a_row >= BAD_IN_A_ROW
    }

    fn end(&self) -> Result<Option<Block<'_>>, DecodeError> {
        if self.spec.is_none() || self.skipped > BAD_PER_GOOD * self.good {
            return Err(DecodeError::NoAudio { skipped: self.skipped });
        }
        Ok(None)
    }
}

/// The end of the frames that MPEG audio is said to have, its padding included, in the track's units.
fn counted(format: &dyn FormatReader) -> Option<i64> {
    let mpeg = [FORMAT_ID_MP1, FORMAT_ID_MP2, FORMAT_ID_MP3].contains(&format.format_info().format);
    let track = format.default_track(TrackType::Audio).filter(|_| mpeg)?;
    i64::try_from(track.num_frames?.saturating_add(u64::from(track.padding.unwrap_or(0)))).ok()
}

/// What iTunes wrote about the part that is heard.
fn itunes(format: &mut dyn FormatReader) -> Option<Edit> {
    let mut metadata = format.metadata();
    let tags = &metadata.skip_to_latest()?.media.tags;
    let tag = tags.iter().find(|tag| tag.raw.key.ends_with("iTunSMPB"))?;
    let RawValue::String(text) = &tag.raw.value else { return None };
    edits::itunes(text)
}

fn ticks(duration: Duration) -> i64 {
    // More than 32 bits mean a damaged file, and sums of such durations must not overflow.
    u32::try_from(duration.get()).map_or(0, i64::from)
}

fn decoder_for(format: &dyn FormatReader, decoders: &Decoders) -> Result<(u32, Box<dyn AudioDecoder>), DecodeError> {
    let track = format.default_track(TrackType::Audio).ok_or(DecodeError::NoTrack)?;
    let Some(CodecParameters::Audio(parameters)) = &track.codec_params else {
        return Err(DecodeError::NoTrack);
    };
    let decoder = decoders.make(parameters).map_err(unreadable)?;
    Ok((track.id, decoder))
}

fn unreadable(error: Error) -> DecodeError {
    match error {
        Error::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Damaged("file ends within its header".to_owned())
        }
        Error::IoError(error) => error.into(),
        Error::Unsupported(what) if what.contains("no suitable format") => DecodeError::Unknown,
        Error::Unsupported(what) => DecodeError::Unsupported(what),
        other => DecodeError::Damaged(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
    }

    /// Everything from where the stream stands, and the number of channels.
    fn rest(stream: &mut Stream) -> (Vec<f32>, usize) {
        let mut all = Vec::new();
        let mut width = 1;
        while let Some(block) = stream.next_block().unwrap() {
            all.extend_from_slice(block.samples);
            width = block.channels;
        }
        (all, width)
    }

    fn open(path: &Path) -> Stream {
        Stream::open_path(path, &Decoders::default()).unwrap()
    }

    #[test]
    fn clones_share_the_decoders_they_keep_and_those_that_waited_longest_make_room() {
        let (one, other) = (Decoders::default(), Decoders::default());
        let again = one.clone();
        let open = |decoders: &Decoders| Stream::open_path(&file("tests/audio/vorbis.ogg"), decoders).unwrap();
        let kept = |decoders: &Decoders| decoders.0.lock().unwrap().len();
        open(&one).close(&one);
        assert_eq!((kept(&one), kept(&again), kept(&other)), (1, 1, 0));
        let taken = open(&again);
        assert_eq!(kept(&one), 0);
        taken.close(&again);
        // As if it were another encoder's.
        one.0.lock().unwrap()[0].0 = b"the first".as_slice().into();
        let more: Vec<Stream> = (0..KEPT).map(|_| open(&again)).collect();
        more.into_iter().for_each(|stream| stream.close(&again));
        assert_eq!(kept(&one), KEPT);
        assert!(one.take(b"the first").is_none());
    }

    #[test]
    fn after_a_seek_lossless_files_give_exactly_the_frames_of_a_straight_decode() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("long.wav");
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 44_100,
            bits_per_sample: 24,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&long, spec).unwrap();
        (0..200_000).for_each(|n| writer.write_sample((n * 7919) % 8_000_000 - 4_000_000).unwrap());
        writer.finalize().unwrap();
        let mut paths = vec![long, file("assets/demo/cymbals/crash_01.flac"), file("assets/demo/pads/pad_01.flac")];
        let names = ["flac_24.flac", "wav_s24le.wav", "wav_rf64.wav", "wav_stereo.wav", "aiff_s24.aiff", "caf_s16.caf"];
        paths.extend(names.map(|name| file("tests/audio").join(name)));
        for path in paths {
            let (all, width) = rest(&mut open(&path));
            let frames = (all.len() / width) as u64;
            let mut stream = open(&path);
            // Forward, back, to the end, and to the very start.
            for frame in [frames / 3, frames / 2 + 1, 7, frames - 1, frames / 5, 0] {
                stream.seek(Frames(frame)).unwrap();
                assert_eq!(stream.position(), Frames(frame), "{}", path.display());
                let from = usize::try_from(frame).unwrap() * width;
                assert!(rest(&mut stream).0 == all[from..], "{} from {frame}", path.display());
            }
            stream.seek(Frames(frames + 10)).unwrap();
            assert!(rest(&mut stream).0.is_empty(), "{}", path.display());
        }
    }

    #[test]
    fn an_mp3_that_states_no_length_is_read_and_sought_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vbr.mp3");
        let sound = std::fs::read(file("tests/audio/mp3_no_xing.mp3")).unwrap();
        let (tag, frames) = sound.split_at(20);
        // Loud frames first, so that a guess from their size is too short; then silent ones at 32 kbit/s, then loud ones.
        let mut silent = [0; 104];
        silent[..4].copy_from_slice(&[frames[0], frames[1], 0x10, frames[3]]);
        std::fs::write(&path, [tag, frames, frames, &silent.repeat(60), frames].concat()).unwrap();
        let (all, _) = rest(&mut open(&path));
        assert_eq!(all.len(), (3 * 13 + 60) * 1152);
        let end = &all[(2 * 13 + 60) * 1152..];
        assert!(end.iter().any(|s| s.abs() > 0.1));
        let mut stream = open(&path);
        for frame in [90 * 1152, 20 * 1152, 97 * 1152 + 5, 0] {
            stream.seek(Frames(frame as u64)).unwrap();
            let (found, _) = rest(&mut stream);
            assert_eq!(found.len(), all.len() - frame);
            let error: f32 = all[frame..].iter().zip(&found).map(|(a, b)| (a - b).powi(2)).sum();
            assert!(error < 1e-3, "{frame}: {error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_opened_anew_says_so_at_every_seek_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let mut opened_anew = Vec::new();
        for entry in std::fs::read_dir(file("tests/audio")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let (path, away) = (folder.path().join(&name), folder.path().join("away"));
            std::fs::copy(file("tests/audio").join(&name), &path).unwrap();
            let Ok(mut stream) = Stream::open_path(&path, &Decoders::default()) else { continue };
            let (all, _) = rest(&mut stream);
            std::fs::rename(&path, &away).unwrap();
            if let Err(first) = stream.seek(Frames(0)) {
                let again = stream.seek(Frames(0)).unwrap_err();
                assert!(matches!((first, again), (DecodeError::Read(_), DecodeError::Read(_))), "{name}");
                std::fs::rename(&away, &path).unwrap();
                stream.seek(Frames(0)).unwrap();
                assert!(rest(&mut stream).0 == all, "{name}");
                opened_anew.push(name);
            }
        }
        assert!(!opened_anew.is_empty());
    }

    #[test]
    fn what_lies_before_the_frame_sought_is_left_once_nobody_wants_it() {
        // A format that cannot go back: the file is opened anew, and everything before is decoded.
        let mut stream = open(&file("tests/audio/caf_alac.caf"));
        let (all, width) = rest(&mut stream);
        let frame = all.len() / width - 10;
        stream.seek(Frames(frame as u64)).unwrap();
        let asked = std::cell::Cell::new(0);
        let after_one = || asked.replace(asked.get() + 1) >= 1;
        assert!(matches!(stream.next_block_unless(&after_one), Err(DecodeError::Stopped)));
        assert_eq!(asked.get(), 2);
        stream.seek(Frames(frame as u64)).unwrap();
        assert!(rest(&mut stream).0 == all[frame * width..]);
    }

    #[test]
    fn more_channels_than_there_are_speaker_positions_are_explained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("many.wav");
        let opened = |channels: u16| {
            let (sample_format, sample_rate) = (hound::SampleFormat::Int, 48_000);
            let spec = hound::WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format };
            let mut writer = hound::WavWriter::create(&path, spec).unwrap();
            (0..20 * i32::from(channels)).for_each(|n| writer.write_sample(n).unwrap());
            writer.finalize().unwrap();
            Stream::open_path(&path, &Decoders::default())
        };
        let (samples, channels) = rest(&mut opened(18).unwrap());
        assert_eq!((samples.len(), channels), (20 * 18, 18));
        assert!(matches!(opened(720), Err(DecodeError::Unsupported(what)) if what.contains("too many channels")));
    }

    #[test]
    fn a_chained_file_whose_channels_change_is_read_to_its_end() {
        let (first, width) = rest(&mut open(&file("tests/audio/vorbis.ogg")));
        let (all, _) = rest(&mut open(&file("tests/audio/chained_stereo.ogg")));
        assert_eq!((width, all.len()), (1, 2 * first.len()));
        assert_eq!(all[..first.len()], first);
        // The second link has the same sound on two channels.
        let error: f32 = all[first.len()..].iter().zip(&first).map(|(a, b)| (a - b).powi(2)).sum();
        let power: f32 = first.iter().map(|a| a * a).sum();
        assert!(error < 0.05 * power, "{error} of {power}");
    }

    #[test]
    fn after_a_seek_every_other_format_gives_nearly_the_same_sound() {
        let folder = std::fs::read_dir(file("tests/audio")).unwrap();
        for path in folder.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("unsupported") || name.starts_with("chained") {
                continue;
            }
            let (all, width) = rest(&mut open(&path));
            let frames = all.len() / width;
            let mut stream = open(&path);
            for frame in [frames / 2, frames / 3, 0] {
                stream.seek(Frames(frame as u64)).unwrap();
                let (found, _) = rest(&mut stream);
                // Matroska tells time in milliseconds, and leaves out how much of Opus' first packet is heard.
                let near = if [".mkv", ".mka", ".webm"].iter().any(|m| name.ends_with(m)) { 480 } else { 2 };
                let error = |shift: usize, back: bool| {
                    let from = if back { frame.saturating_sub(shift) } else { frame + shift } * width;
                    let pairs = all[from.min(all.len())..].iter().zip(&found);
                    pairs.map(|(a, b)| (a - b).powi(2)).sum::<f32>()
                };
                let power: f32 = all[frame * width..].iter().map(|a| a * a).sum();
                let best = (0..=near).flat_map(|n| [error(n, false), error(n, true)]).fold(f32::MAX, f32::min);
                assert!(best < 0.01 * power, "{name} from {frame}: {best} of {power}");
            }
        }
    }
}
