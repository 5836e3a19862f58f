//! A file's bytes → what the list shows of it, and the audio the model wants.
//!
//! One pass decodes the whole file in packets: length, thumbnail, loudness, peak and brightness come from all of it,
//! while only an excerpt stays in memory for the model.

use std::ops::Range;
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

/// Decodes a whole file, of which the first `keep` without the silence at its ends is kept for the model.
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
    let mut decoded = Decoded { skipped: stream.skipped(), ..analysis.finish(stream.codec()) };
    hear_again(stream, &mut decoded, Frames(0)..Frames(u64::MAX), stop)?;
    Ok(decoded)
}

/// Hears what the model hears of a part of a file again, if its start turned out to be silence beside the rest.
fn hear_again(stream: &mut Stream, decoded: &mut Decoded, part: Range<Frames>, stop: &Stop) -> Result<(), DecodeError> {
    let Some(mut again) = decoded.again.take() else { return Ok(()) };
    match stream.seek(Frames(part.start.0 + again.from().0)) {
        Err(DecodeError::Stopped) => return Err(DecodeError::Stopped),
        // What was heard is shorter than it could be, but it is heard.
        Err(_) => return Ok(()),
        Ok(()) => {}
    }
    read(stream, part.end, stop, |samples| {
        again.add(samples);
        !again.is_full()
    })?;
    decoded.pcm = again.finish();
    Ok(())
}

/// Reads on to the frame `end`, while `each` wants more.
fn read(
    stream: &mut Stream,
    end: Frames,
    stop: &Stop,
    mut each: impl FnMut(&[f32]) -> bool,
) -> Result<(), DecodeError> {
    let mut at = stream.position();
    while at < end
        && let Some(Block { samples, channels, .. }) = stream.next_block_unless(&|| stop.is_set())?
    {
        let room = usize::try_from(end.0 - at.0).unwrap_or(usize::MAX).saturating_mul(channels);
        let more = each(&samples[..samples.len().min(room)]);
        if stop.is_set() {
            return Err(DecodeError::Stopped);
        }
        if !more {
            break;
        }
        at = stream.position();
    }
    Ok(())
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
        read(&mut stream, part.end, stop, |samples| {
            analysis.add(samples);
            true
        })?;
        if analysis.frames() == Frames(0) {
            return Err(DecodeError::Shorter);
        }
        let mut decoded = analysis.finish(stream.codec());
        hear_again(&mut stream, &mut decoded, part, stop)?;
        decoded.pcm.start += Seconds(region.start);
        stream.close(decoders);
        Ok(decoded)
    };
    contained(decode).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, samples: &[f32]) -> std::path::PathBuf {
        let path = folder.join(name);
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
        path
    }

    fn decoded(path: &Path) -> Decoded {
        let source = Source::open(path, &|| false).unwrap();
        decode(source, path, Seconds(1.0), &Stop::default(), &Decoders::default()).unwrap()
    }

    #[test]
    fn what_surrounds_a_sound_is_not_heard_even_where_only_its_later_peak_tells() {
        let folder = tempfile::tempdir().unwrap();
        let tone: Vec<f32> = (0..20_000_u16).map(|n| (f32::from(n) * 0.3 + 1.0).sin() * 0.5).collect();
        let hum: Vec<f32> = (0..30_000_u16).map(|n| (f32::from(n) * 0.05).sin() * 0.000_3).collect();
        let alone = decoded(&write(folder.path(), "alone.wav", &tone));
        assert_eq!((alone.pcm.mono.len(), alone.pcm.start), (8000, Seconds(0.0)));
        for (name, around) in [("padded.wav", &vec![0.0; 30_000]), ("hum.wav", &hum)] {
            let path = write(folder.path(), name, &[&**around, &tone, around].concat());
            let found = decoded(&path);
            assert_eq!(found.pcm.mono, alone.pcm.mono, "{name}");
            assert_eq!((found.pcm.start, found.info.frames), (Seconds(3.75), Frames(80_000)), "{name}");
            let part = Span::new(1.0, 7.0);
            let part = decode_region(&path, part, Seconds(1.0), &Stop::default(), &Decoders::default()).unwrap();
            assert_eq!((part.pcm.mono, part.pcm.start), (found.pcm.mono, Seconds(3.75)), "{name}");
        }
    }
}
