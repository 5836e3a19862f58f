//! A file's audio as a stream of interleaved blocks, through symphonia with every format and codec it has, and Opus.
//!
//! Corrupt packets are skipped and counted. Memory is one packet, whatever the length of the file.

use std::ffi::OsStr;
use std::sync::LazyLock;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_VORBIS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::DecodeError;

/// Sample rates that a sound file can sensibly state, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 100..=6_144_000;
/// A stream that has this many bad packets for each good one is not what its header says.
const BAD_PER_GOOD: usize = 8;
/// Bad packets in a row after which the rest of the file is given up.
const BAD_IN_A_ROW: usize = 1000;

static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut registry = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut registry);
    registry.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
    registry
});

/// Keeps a decoder from one file to the next.
///
/// A Vorbis file carries its code books, and building them costs as much as decoding a second of sound. Files of one
/// collection mostly come from one encoder at one setting and carry the same, so the next file can use what was built
/// for the last.
#[derive(Default)]
pub struct Decoders {
    kept: Option<(Box<[u8]>, Box<dyn AudioDecoder>)>,
}

impl Decoders {
    fn make(&mut self, parameters: &AudioCodecParameters) -> Result<Box<dyn AudioDecoder>, Error> {
        if let (Some(books), Some((kept, _))) = (books(parameters), &self.kept)
            && books == &**kept
            && let Some((_, mut decoder)) = self.kept.take()
        {
            decoder.reset();
            return Ok(decoder);
        }
        CODECS.make_audio_decoder(parameters, &AudioDecoderOptions::default())
    }

    fn keep(&mut self, decoder: Box<dyn AudioDecoder>) {
        if let Some(books) = books(decoder.codec_params()) {
            self.kept = Some((books.into(), decoder));
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
    /// Sample rate in Hz, the same for all blocks of a stream.
    pub rate: u32,
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
    spec: Option<(u32, usize)>,
}

impl Stream {
    /// Probes `source` by its bytes; the file name's ending is only a hint.
    ///
    /// # Errors
    /// The bytes are no format that can be read, or hold no audio track with a known codec.
    pub fn open(
        source: Box<dyn MediaSource>,
        ending: Option<&OsStr>,
        decoders: &mut Decoders,
    ) -> Result<Self, DecodeError> {
        let mut hint = Hint::new();
        if let Some(ending) = ending.and_then(OsStr::to_str) {
            hint.with_extension(ending);
        }
        let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(unreadable)?;
        let (track, decoder) = decoder_for(format.as_ref(), decoders)?;
        Ok(Self { format, decoder, track, good: 0, skipped: 0, skipped_in_a_row: 0, block: Vec::new(), spec: None })
    }

    /// Short name of the codec, such as `flac` or `pcm_s16le`.
    pub fn codec(&self) -> &'static str {
        self.decoder.codec_info().short_name
    }

    /// Rate in Hz and number of channels, once the first block has been decoded.
    pub fn spec(&self) -> Option<(u32, usize)> {
        self.spec
    }

    /// Hands the decoder over for the next file.
    pub fn close(self, decoders: &mut Decoders) {
        decoders.keep(self.decoder);
    }

    /// Packets that could not be decoded so far.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Decodes the next block; `None` at the end.
    ///
    /// A stream whose rate or channels change (chained Ogg) ends at the change.
    ///
    /// # Errors
    /// The file could not be read, or is damaged beyond use.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, DecodeError> {
        let (rate, channels) = loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.end(),
                Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => return self.end(),
                Err(Error::IoError(error)) => return Err(DecodeError::Read(error)),
                Err(Error::ResetRequired) => {
                    (self.track, self.decoder) = decoder_for(self.format.as_ref(), &mut Decoders::default())?;
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
            match self.decoder.decode(&packet) {
                Ok(audio) => {
                    let spec = (audio.spec().rate(), audio.num_planes());
                    self.good += 1;
                    self.skipped_in_a_row = 0;
                    if audio.frames() == 0 {
                        continue;
                    }
                    if !RATES.contains(&spec.0) || spec.1 == 0 {
                        return Err(DecodeError::Damaged(format!("states {} Hz, {} channels", spec.0, spec.1)));
                    }
                    if *self.spec.get_or_insert(spec) != spec {
                        return self.end();
                    }
                    audio.copy_to_vec_interleaved(&mut self.block);
                    break spec;
                }
                Err(Error::DecodeError(_) | Error::IoError(_) | Error::ResetRequired) => {
                    if self.skip() {
                        return self.end();
                    }
                }
                Err(error) => return Err(unreadable(error)),
            }
        };
        // Float files can hold anything; one NaN would spoil every sum it meets.
        for sample in &mut self.block {
            if !sample.is_finite() {
                *sample = 0.0;
            }
        }
        Ok(Some(Block { samples: &self.block, rate, channels }))
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

fn decoder_for(
    format: &dyn FormatReader,
    decoders: &mut Decoders,
) -> Result<(u32, Box<dyn AudioDecoder>), DecodeError> {
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
            DecodeError::Damaged("ends within its header".to_owned())
        }
        Error::IoError(error) => DecodeError::Read(error),
        Error::Unsupported(what) if what.contains("no suitable format") => DecodeError::Unknown,
        Error::Unsupported(what) => DecodeError::Unsupported(what),
        other => DecodeError::Damaged(other.to_string()),
    }
}
