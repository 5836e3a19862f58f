//! Reads a sound file from any frame, in stereo: what a voice is fed from.
//!
//! The first moments of the file stay in memory, so that a sound starts, and starts again, without the disk. So do the
//! first moments of a loop: while they play, the file is sought to what follows them.

use std::path::Path;

use dsp::{Frames, Hz};
use file::DecodeError;
use file::stream::{Decoders, Stream};

use crate::actor::contained;

/// Sound kept in memory of the start of a file, and as much of the start of a loop, in seconds.
const KEPT: f64 = 0.25;

/// Consecutive frames of the file, in memory.
#[derive(Default)]
struct Span {
    start: u64,
    stereo: Vec<f32>,
}

impl Span {
    fn end(&self) -> u64 {
        self.start + self.stereo.len() as u64 / 2
    }

    fn from(&self, at: u64) -> Option<&[f32]> {
        let offset = usize::try_from(at.checked_sub(self.start)?).ok()?.checked_mul(2)?;
        self.stereo.get(offset..).filter(|rest| !rest.is_empty())
    }
}

/// An open sound file.
pub(super) struct Reader {
    stream: Stream,
    rate: Hz,
    block: Span,
    /// The start of the file, and the start of the loop.
    kept: [Span; 2],
    /// Most interleaved samples in each of `kept`.
    most: usize,
    /// Number of frames in the file, once its end has been reached.
    end: Option<u64>,
}

impl Reader {
    /// Opens a file and decodes its first block.
    ///
    /// # Errors
    /// It cannot be read or decoded.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a quarter of a second")]
    pub fn open(path: &Path, decoders: &Decoders) -> Result<Self, DecodeError> {
        let open = || {
            let mut stream = Stream::open_path(path, decoders)?;
            let mut block = Span::default();
            if let Some(first) = stream.next_block()? {
                to_stereo(first.samples, first.channels, &mut block.stereo);
            }
            let (rate, _) = stream.spec().ok_or(DecodeError::NoAudio { skipped: stream.skipped() })?;
            Ok((stream, rate, block))
        };
        let (stream, rate, block) = contained(open).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)))?;
        let most = 2 * (KEPT * f64::from(rate)) as usize;
        let mut reader = Self { stream, rate, block, kept: Default::default(), most, end: None };
        reader.keep();
        Ok(reader)
    }

    /// Closes the file, and leaves its decoder for another one.
    pub fn close(self, decoders: &Decoders) {
        self.stream.close(decoders);
    }

    /// Its sample rate.
    pub fn rate(&self) -> Hz {
        self.rate
    }

    /// Decodes as much of the start as is kept in memory.
    ///
    /// # Errors
    /// As for [`Reader::read`].
    pub fn warm(&mut self) -> Result<(), DecodeError> {
        while self.kept[0].stereo.len() < self.most && !self.read(self.kept[0].end())?.is_empty() {}
        Ok(())
    }

    /// Makes `frame` the start of the loop: what follows it is kept when it is next read.
    pub fn mark(&mut self, frame: u64) {
        if self.kept[1].start != frame {
            self.kept[1] = Span { start: frame, stereo: Vec::new() };
        }
    }

    /// Returns interleaved stereo frames from the frame `at` on, as many as are at hand; none only at the end.
    ///
    /// # Errors
    /// The file cannot be read any more, or is damaged beyond use.
    pub fn read(&mut self, at: u64) -> Result<&[f32], DecodeError> {
        if self.end.is_some_and(|end| at >= end) {
            return Ok(&[]);
        }
        if self.held(at).is_none() {
            self.decode(at)?;
        }
        Ok(self.held(at).unwrap_or(&[]))
    }

    fn held(&self, at: u64) -> Option<&[f32]> {
        self.kept.iter().rev().chain([&self.block]).find_map(|span| span.from(at))
    }

    fn decode(&mut self, at: u64) -> Result<(), DecodeError> {
        let Self { stream, block, .. } = self;
        block.stereo.clear();
        block.start = at;
        let decode = || {
            if stream.position() != Frames(at) {
                stream.seek(Frames(at))?;
            }
            if let Some(next) = stream.next_block()? {
                to_stereo(next.samples, next.channels, &mut block.stereo);
            }
            Ok(())
        };
        contained(decode).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)))?;
        if self.block.stereo.is_empty() {
            self.end = Some(self.end.map_or(at, |end| end.min(at)));
        }
        self.keep();
        Ok(())
    }

    fn keep(&mut self) {
        for kept in &mut self.kept {
            if let Some(new) = self.block.from(kept.end()) {
                let room = self.most.saturating_sub(kept.stereo.len());
                kept.stereo.extend_from_slice(&new[..new.len().min(room)]);
            }
        }
    }
}

/// Appends any number of channels as two. A single one goes to both sides. Those beyond the second go to both sides at
/// half their level, so that everything in the file is heard.
fn to_stereo(interleaved: &[f32], channels: usize, stereo: &mut Vec<f32>) {
    match channels {
        1 => stereo.extend(interleaved.iter().flat_map(|mono| [*mono, *mono])),
        2 => stereo.extend_from_slice(interleaved),
        n => stereo.extend(interleaved.chunks_exact(n).flat_map(|frame| {
            let rest = frame[2..].iter().sum::<f32>() * 0.5;
            [frame[0] + rest, frame[1] + rest]
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(path: &Path, frames: u32) {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        (0..frames).for_each(|n| writer.write_sample(n as f32 / 65_536.0).unwrap());
        writer.finalize().unwrap();
    }

    #[test]
    fn every_frame_is_found_from_wherever_one_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ramp.wav");
        wav(&path, 20_000);
        let mut reader = Reader::open(&path, &Decoders::default()).unwrap();
        reader.warm().unwrap();
        reader.mark(9000);
        for at in [0, 1999, 2000, 9000, 9001, 10_999, 11_000, 19_999, 5, 9000, 12_345] {
            let frames = reader.read(at).unwrap();
            assert_eq!(frames[..2], [at as f32 / 65_536.0; 2], "{at}");
        }
        assert!(reader.read(20_000).unwrap().is_empty() && reader.read(90_000).unwrap().is_empty());
    }

    #[test]
    fn the_start_and_a_loop_s_start_are_read_without_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ramp.wav");
        wav(&path, 20_000);
        let mut reader = Reader::open(&path, &Decoders::default()).unwrap();
        reader.mark(9000);
        for start in [0, 9000] {
            let mut at = start;
            while at < start + 2000 {
                at += reader.read(at).unwrap().len() as u64 / 2;
            }
        }
        reader.read(19_000).unwrap();
        let stands = reader.stream.position();
        assert!([0, 1500, 9000, 10_999].into_iter().all(|at| reader.read(at).is_ok_and(|frames| !frames.is_empty())));
        assert_eq!(reader.stream.position(), stands);
    }

    #[test]
    fn channels_beyond_two_are_heard_on_both_sides() {
        let mut stereo = Vec::new();
        to_stereo(&[0.1, 0.2, 0.4, 0.0, 0.0, 0.0], 6, &mut stereo);
        to_stereo(&[0.5], 1, &mut stereo);
        assert!(stereo.iter().zip([0.3, 0.4, 0.5, 0.5]).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
