//! A file's bytes → what the list shows of it, and the audio the model wants.
//!
//! One pass decodes the whole file in packets: length, outline, loudness, peak and brightness come from all of it,
//! while only the first seconds stay in memory for the model.

use std::path::Path;

use dsp::Span;
use dsp::analysis::{Decoded, StreamAnalysis};
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
        let mut stream = source.into_stream(path.extension(), decoders)?;
        let decoded = decode_stream(&mut stream, keep, stop)?;
        stream.close(decoders);
        Ok(decoded)
    };
    contained(decode).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)))
}

fn decode_stream(stream: &mut Stream, keep: f64, stop: &Stop) -> Result<Decoded, DecodeError> {
    let (mut digest, stated) = (None, stream.stated().unwrap_or(0));
    while let Some(Block { samples, rate, channels }) = stream.next_block()? {
        digest.get_or_insert_with(|| StreamAnalysis::new(rate, channels, keep).expecting(stated)).add(samples);
        if stop.is_set() {
            return Err(DecodeError::Stopped);
        }
    }
    let digest = digest.ok_or(DecodeError::NoAudio { skipped: stream.skipped() })?;
    Ok(Decoded { skipped: stream.skipped(), ..digest.finish(stream.codec()) })
}

/// Decodes a region of a file and keeps its first `keep` seconds for the model; nothing else of the file is measured.
///
/// # Errors
/// As for [`decode`]; also if the region begins behind the end.
pub fn decode_region(
    path: &Path,
    region: Span,
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
        let [first, end] = [region.start, region.end].map(|seconds| (seconds * f64::from(rate)).round() as u64);
        // However short it is, it is one frame.
        let end = end.max(first.saturating_add(1));
        stream.seek(first)?;
        let mut digest = StreamAnalysis::new(rate, channels, keep);
        let mut at = stream.position();
        while at < end
            && let Some(block) = stream.next_block_unless(&|| stop.is_set())?
        {
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
        decoded.pcm.start += region.start;
        stream.close(decoders);
        Ok(decoded)
    };
    contained(decode).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)))
}
