//! New files from sounds that are there: copies, and parts cut out of them.
//!
//! No file is ever overwritten but the one whose part is to take its place, in one step, once the part is whole. Knows
//! neither the ECS nor the library.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dsp::{Frames, Span};
use file::DecodeError;
use file::source::Source;
use file::stream::{Decoders, Stream};
use file::wav_writer::{Format, Spec, Writer};

use crate::atomic_file;

/// Names that are tried for one file.
const NAMES: u32 = 10_000;

/// Why a sound could not be copied or cut.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The new file cannot be written.
    #[error("cannot write the new file ({0}); free disk space or check the permissions")]
    Write(#[from] io::Error),
    /// Nothing of the sound lies in the region.
    #[error("region lies beyond the sound; choose another")]
    Beyond,
}

/// What became of a sound that was to be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It is in this new file.
    To(Arc<Path>),
    /// This file was there and has the same bytes.
    There(Arc<Path>),
}

/// Copies a sound into a folder, or `region` of it in seconds as a WAV file, under its own name or, if that is taken,
/// with a number added. The folder is created if necessary; no file is ever overwritten.
///
/// # Errors
/// The sound cannot be read, nothing of it lies in the region, or the folder cannot be written.
pub fn copy_to(path: &Path, region: Option<Span>, folder: &Path) -> Result<Copied, ExportError> {
    let metadata = std::fs::metadata(path).map_err(DecodeError::from)?;
    if !metadata.is_file() {
        return Err(DecodeError::Damaged("not a regular file".to_owned()).into());
    }
    std::fs::create_dir_all(folder)?;
    if let Some(region) = region {
        return write_region(path, region, folder).map(|(file, _)| Copied::To(file));
    }
    let ending = path.extension().unwrap_or_default();
    if let Some(there) = same_file(path, metadata.len(), numbered(folder, path, ending, 0)) {
        return Ok(Copied::There(there.into()));
    }
    let (copy, _) = atomic_file::create(folder, numbered(folder, path, ending, 0), |to| copy_bytes(path, to))?;
    Ok(Copied::To(copy.into()))
}

/// Writes `region` of a sound, in seconds, into `folder` as a WAV file under the sound's name and the first free number.
///
/// # Errors
/// The sound cannot be read, nothing of it lies in the region, or the folder cannot be written.
pub fn write_region(path: &Path, region: Span, folder: &Path) -> Result<(Arc<Path>, Metadata), ExportError> {
    let names = numbered(folder, path, "wav".as_ref(), 1);
    let (file, metadata) = atomic_file::create(folder, names, |to| cut(path, region, to))?;
    Ok((file.into(), metadata))
}

fn copy_bytes(path: &Path, to: &mut File) -> Result<(), ExportError> {
    let mut from = File::open(path).map_err(DecodeError::from)?;
    io::copy(&mut from, to)?;
    if let Ok(modified) = from.metadata().and_then(|metadata| metadata.modified()) {
        // The copy gets the original's modification time; a drive that cannot store it is not an error.
        let _ = to.set_modified(modified);
    }
    Ok(())
}

/// Finds a file with the same bytes among the names that are taken.
fn same_file(path: &Path, size: u64, names: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let hash = |path: &Path| Source::open(path, &|| false).ok().map(|source| source.hash);
    let of_size = |name: &Path| name.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == size);
    let mut wanted = None;
    names.take_while(|name| name.exists()).filter(|name| of_size(name)).find(|name| {
        // Read once, whatever the number of names.
        let wanted = *wanted.get_or_insert_with(|| hash(path));
        wanted.is_some() && wanted == hash(name)
    })
}

/// Names in `folder` like that of `path`, with another ending and a number from `first` on, none for zero.
fn numbered(folder: &Path, path: &Path, ending: &OsStr, first: u32) -> impl Iterator<Item = PathBuf> {
    (first..NAMES).map(move |number| {
        let mut name: OsString = path.file_stem().unwrap_or_default().to_os_string();
        if number > 0 {
            name.push(format!(" {number:02}"));
        }
        if !ending.is_empty() {
            name.push(".");
            name.push(ending);
        }
        folder.join(name)
    })
}

/// Writes `region` of a sound as WAV.
fn cut(path: &Path, region: Span, to: &File) -> Result<(), ExportError> {
    let mut stream = Stream::open_path(path, &Decoders::default())?;
    let format = if is_narrow(stream.codec()) { Format::Int24 } else { Format::Float32 };
    let first = stream.next_block()?.ok_or(ExportError::Beyond)?;
    let (rate, channels) = (first.rate, first.channels);
    let part = region.frames(rate);
    stream.seek(part.start)?;
    let Range { start: Frames(from), end: Frames(end) } = part;
    let mut at = from;
    let spec = Spec { rate, channels: u16::try_from(channels).unwrap_or(u16::MAX), format };
    let mut writer = Writer::new(to.try_clone()?, spec)?;
    while at < end
        && let Some(block) = stream.next_block()?
    {
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        let taken = (block.samples.len() / channels).min(left);
        writer.write(&block.samples[..taken * channels])?;
        at += taken as u64;
    }
    if at == from {
        return Err(ExportError::Beyond);
    }
    writer.finish()?;
    Ok(())
}

/// Tells whether 24-bit integers hold a codec's samples unchanged; all else is written as floats, as it was decoded.
fn is_narrow(codec: &str) -> bool {
    ["pcm_s8", "pcm_s16", "pcm_s24"].iter().any(|narrow| codec.starts_with(narrow))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A take of two seconds in two channels, at 1000 Hz.
    pub(crate) fn take(folder: &Path) -> PathBuf {
        let path = folder.join("take.wav");
        let spec = Spec { rate: dsp::Hz(1000), channels: 2, format: Format::Float32 };
        let mut writer = Writer::new(File::create(&path).unwrap(), spec).unwrap();
        writer.write(&(0..4000).map(|n| (n / 2) as f32 / 4000.0).collect::<Vec<f32>>()).unwrap();
        writer.finish().unwrap();
        path
    }

    pub(crate) fn samples(path: &Path) -> Vec<f32> {
        hound::WavReader::open(path).unwrap().into_samples::<f32>().map(Result::unwrap).collect()
    }

    #[test]
    fn regions_get_names_of_their_own_and_hold_exactly_their_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = take(folder.path());
        std::fs::write(folder.path().join("take 01.wav"), b"mine").unwrap();
        let (slice, metadata) = write_region(&path, Span::new(0.5, 0.75), folder.path()).unwrap();
        assert_eq!(&*slice, folder.path().join("take 02.wav"));
        assert_eq!(samples(&slice), samples(&path)[1000..1500]);
        assert_eq!(metadata.len(), slice.metadata().unwrap().len());
        assert!(matches!(write_region(&path, Span::new(5.0, 6.0), folder.path()), Err(ExportError::Beyond)));
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
        let modified = |path: &Path| path.metadata().unwrap().modified().unwrap();
        assert_eq!(modified(&to.join("take.wav")), modified(&path));
        assert_eq!(copy_to(&path, None, &to).unwrap(), Copied::There(to.join("take.wav").as_path().into()));
        std::fs::write(to.join("take.wav"), b"mine").unwrap();
        assert_eq!(copy_to(&path, None, &to).unwrap(), Copied::To(to.join("take 01.wav").as_path().into()));
        assert_eq!(copy_to(&path, None, &to).unwrap(), Copied::There(to.join("take 01.wav").as_path().into()));
        assert_eq!(std::fs::read(to.join("take 01.wav")).unwrap(), std::fs::read(&path).unwrap());
        assert_eq!(std::fs::read(to.join("take.wav")).unwrap(), b"mine");
        let Copied::To(part) = copy_to(&path, Some(Span::new(0.5, 0.75)), &to).unwrap() else { panic!() };
        assert_eq!(samples(&part), samples(&path)[1000..1500]);
        assert!(matches!(copy_to(&path, Some(Span::new(7.0, 8.0)), &to), Err(ExportError::Beyond)));
        assert!(copy_to(&folder.path().join("none.wav"), None, &to).is_err());
        assert!(copy_to(&to, None, &to).is_err());
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 3, "nothing else is left behind");
    }

    #[test]
    fn a_quiet_sound_of_32_bit_integers_keeps_what_24_bits_would_lose() {
        let folder = tempfile::tempdir().unwrap();
        for (bits, format) in [(32, hound::SampleFormat::Float), (24, hound::SampleFormat::Int)] {
            let path = folder.path().join(format!("{bits}.wav"));
            let int = hound::SampleFormat::Int;
            let spec = hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: bits, sample_format: int };
            let mut writer = hound::WavWriter::create(&path, spec).unwrap();
            (0..800).for_each(|n| writer.write_sample(n % 100 - 50).unwrap());
            writer.finalize().unwrap();
            let (part, _) = write_region(&path, Span::new(0.0, 0.05), folder.path()).unwrap();
            let mut reader = hound::WavReader::open(part).unwrap();
            assert_eq!((reader.spec().bits_per_sample, reader.spec().sample_format), (bits, format));
            let full = f64::from(1_u32 << (bits - 1));
            let cut: Vec<f64> = match format {
                hound::SampleFormat::Float => reader.samples::<f32>().map(|s| f64::from(s.unwrap()) * full).collect(),
                hound::SampleFormat::Int => reader.samples::<i32>().map(|s| f64::from(s.unwrap())).collect(),
            };
            assert!(cut.iter().zip(0..).all(|(sample, n)| (sample - f64::from(n % 100 - 50)).abs() < 1e-6));
            assert_eq!(cut.len(), 400);
        }
    }
}
