//! A file's bytes → what the list shows of it, and the audio the model wants.
//!
//! One pass decodes the whole file in packets: length, thumbnail, loudness, peak and brightness come from all of it,
//! while only the first seconds stay in memory for the model.

use std::path::Path;

use dsp::analysis::{Decoded, StreamAnalysis};
use dsp::{Frames, Seconds, Span};
use file::DecodeError;
use file::source::Source;
use file::stream::{Block, Decoders, Stream};

use crate::actor::{Stop, contained};
use crate::library::{AudioInfo, Features, Thumbnail};

/// The components that show what one pass over a sound found.
pub fn measured(decoded: &Decoded) -> (AudioInfo, Thumbnail, Features) {
    let Decoded { info, thumbnail, features, .. } = decoded;
    (AudioInfo(info.clone()), Thumbnail(thumbnail.clone()), Features(*features))
}

/// Decodes a whole file, of which the first `keep` is kept for the model.
///
/// A file that begins with so much silence is kept from a later multiple of `keep`.
///
/// # Errors
/// See [`DecodeError`]; a panic of a decoder is one of them, and so is that `stop` was set.
pub fn decode(
    source: Source,
    path: &Path,
    keep: Seconds,
    stop: &Stop,
    decoders: &Decoders,
) -> Result<Decoded, DecodeError> {
    let decode = || {
        let mut stream = source.into_stream(path.extension(), decoders)?;
        let decoded = decode_stream(&mut stream, keep, stop)?;
        stream.close(decoders);
        Ok(decoded)
    };
    contained(decode).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)))
}

fn decode_stream(stream: &mut Stream, keep: Seconds, stop: &Stop) -> Result<Decoded, DecodeError> {
    let (mut analysis, stated) = (None, stream.stated().unwrap_or_default());
    while let Some(Block { samples, rate, channels }) = stream.next_block()? {
        analysis.get_or_insert_with(|| StreamAnalysis::new(rate, channels, keep).expecting(stated)).add(samples);
        if stop.is_set() {
            return Err(DecodeError::Stopped);
        }
    }
    let analysis = analysis.ok_or(DecodeError::NoAudio { skipped: stream.skipped() })?;
    Ok(Decoded { skipped: stream.skipped(), ..analysis.finish(stream.codec()) })
}

/// Decodes a region of a file, of which the first `keep` is kept for the model; nothing else of the file is measured.
///
/// # Errors
/// As for [`decode`]; also if the region begins behind the end.
pub fn decode_region(
    path: &Path,
    region: Span,
    keep: Seconds,
    stop: &Stop,
    decoders: &Decoders,
) -> Result<Decoded, DecodeError> {
    let decode = || {
        let mut stream = Stream::open_path(path, decoders)?;
        let Some(Block { rate, channels, .. }) = stream.next_block()? else {
            return Err(DecodeError::NoAudio { skipped: stream.skipped() });
        };
        let part = region.frames(rate);
        stream.seek(part.start)?;
        let mut analysis = StreamAnalysis::new(rate, channels, keep);
        let mut at = stream.position();
        while at < part.end
            && let Some(block) = stream.next_block_unless(&|| stop.is_set())?
        {
            let room = usize::try_from(part.end.0 - at.0).unwrap_or(usize::MAX).saturating_mul(channels);
            analysis.add(&block.samples[..block.samples.len().min(room)]);
            if stop.is_set() {
                return Err(DecodeError::Stopped);
            }
            at = stream.position();
        }
        if analysis.frames() == Frames(0) {
            return Err(DecodeError::Shorter);
        }
        let mut decoded = analysis.finish(stream.codec());
        decoded.pcm.start += Seconds(region.start);
        stream.close(decoders);
        Ok(decoded)
    };
    contained(decode).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)))
}
