//! Finds sounds that are there more than once.
//!
//! Files with the same bytes are known by their hash. Copies that merely sound the same are found by comparing every sound
//! with every other: a fingerprint leaves out nearly all pairs, and what is left is decoded and correlated. Threads do
//! that; the caller waits, and learns of each step.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use dsp::{Pcm, SILENCE, Seconds, Span};
use file::DecodeError;
use file::stream::Decoders;
use similarity::fingerprint::{self, Comparer, Duplicates, Fingerprint, HEARD, Spectrum, duplicates};

use crate::actor::{Actor, Stop, Wake, contained};
use crate::analyse::decode::decode_region;

/// Sounds less similar than this are never called copies, whatever threshold is given.
pub const LEAST: f64 = 0.95;
/// Copies longer than the part that is compared differ in length by at most this many seconds, or by [`PART`] of it.
const SECONDS: f64 = 0.1;
/// See [`SECONDS`].
const PART: f64 = 0.01;
/// Sounds that a worker compares with all others in one pass, so that each of the others is decoded once per pass.
const TILE: usize = 16;
/// Leading samples below this share of the loudest one count as silence before the sound.
const BEFORE: f32 = 1e-3;

/// Files with identical content and the length of their sound; `None` for what could not be decoded, which is
/// compared with nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The files, in order.
    pub paths: Vec<Arc<Path>>,
    /// The length of the sound.
    pub seconds: Option<Seconds>,
}

/// In which way the files of a group are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They hold the same bytes.
    Identical,
    /// They sound the same.
    Near,
}

/// Files that hold one sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// In which way they are the same.
    pub kind: Kind,
    /// Two or more, in order; each is a file of its own.
    pub paths: Vec<Arc<Path>>,
    /// How similar the waveforms are that differ most, 0..=1.
    pub similarity: f32,
}

/// What happens during a search.
#[derive(Debug)]
pub enum Step<'a> {
    /// So many steps of [`steps`] have been done.
    Done(usize),
    /// A sound could not be read again, so it is compared with nothing.
    Unreadable(&'a Path, DecodeError),
}

/// Groups the files whose bytes are the same.
pub fn identical(contents: &[Content]) -> Vec<Group> {
    let paths = contents.iter().map(|content| files(content.paths.clone())).filter(|paths| paths.len() > 1);
    paths.map(|paths| Group { kind: Kind::Identical, paths, similarity: 1.0 }).collect()
}

/// Why sounds were not compared to the end.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The caller no longer wants to know.
    #[error("the search was stopped before its end")]
    Stopped,
    /// The operating system refused a thread.
    #[error("cannot compare sounds: starting a thread failed ({0}); try again")]
    Thread(#[from] std::io::Error),
}

/// The number of steps that [`near`] takes.
pub fn steps(contents: &[Content]) -> usize {
    2 * contents.iter().filter(|content| content.seconds.is_some()).count()
}

/// Groups the sounds whose waveforms are at least as similar as `threshold`, and as [`LEAST`]; the most similar come first.
/// Each sound is decoded once for its fingerprint, then possible copies again, on `threads` threads, until `stop` is set.
///
/// # Errors
/// It was stopped, or the operating system refused a thread.
pub fn near(
    contents: &[Content],
    threshold: f64,
    threads: usize,
    stop: &Stop,
    mut report: impl FnMut(Step),
) -> Result<Vec<Group>, SearchError> {
    let heard = fingerprints(contents, threads, stop, &mut report)?;
    let links = links(&heard, threshold.max(LEAST), threads, stop, &mut report)?;
    let group = |duplicates: Duplicates| {
        let paths = files(duplicates.places.iter().flat_map(|place| heard[*place].paths.clone()).collect());
        Group { kind: Kind::Near, paths, similarity: duplicates.similarity }
    };
    let groups = duplicates(heard.len(), &links).into_iter().map(group);
    Ok(groups.filter(|group| group.paths.len() > 1).collect())
}

/// A sound that is compared.
struct Heard {
    paths: Vec<Arc<Path>>,
    seconds: Seconds,
    period: usize,
    fingerprint: Fingerprint,
}

/// Decodes every sound for its fingerprint.
fn fingerprints(
    contents: &[Content],
    threads: usize,
    stop: &Stop,
    report: &mut impl FnMut(Step),
) -> Result<Arc<[Heard]>, SearchError> {
    let wake = Wake::default();
    let known: Vec<(&Content, Seconds)> =
        contents.iter().filter_map(|content| Some((content, content.seconds?))).collect();
    let mut printing = Actor::pool("fingerprint", threads, threads, &wake, |stop| {
        let mut listener = Listener::new(stop);
        move |(place, paths): (usize, Vec<Arc<Path>>)| {
            let mut listen = || {
                let Some(pcm) = listener.listen(&paths, Seconds(0.0))? else { return Ok(None) };
                Ok(listener.comparer.fingerprint(&pcm).map(|fingerprint| (fingerprint::period(&pcm), fingerprint)))
            };
            (place, contained(&mut listen).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic))))
        }
    })?;
    let mut fingerprints: Vec<Option<(usize, Fingerprint)>> = vec![None; known.len()];
    let jobs = known.iter().enumerate().map(|(place, (content, _))| (place, content.paths.clone()));
    printing.work_off(&wake, stop, jobs, |(place, sound)| {
        match sound {
            Ok(fingerprint) => fingerprints[place] = fingerprint,
            Err(error) => {
                let path = known[place].0.paths.first().map_or(Path::new(""), |path| path);
                report(Step::Unreadable(path, error));
            }
        }
        report(Step::Done(1));
    });
    if stop.is_set() {
        return Err(SearchError::Stopped);
    }
    let heard = known.into_iter().zip(fingerprints).filter_map(|((content, seconds), fingerprint)| {
        let (period, fingerprint) = fingerprint?;
        Some(Heard { paths: content.paths.clone(), seconds, period, fingerprint })
    });
    Ok(heard.collect())
}

/// Finds the pairs of sounds that are copies, and how similar they are.
fn links(
    heard: &Arc<[Heard]>,
    threshold: f64,
    threads: usize,
    stop: &Stop,
    report: &mut impl FnMut(Step),
) -> Result<Vec<(usize, usize, f32)>, SearchError> {
    let wake = Wake::default();
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
    let least = fingerprint::correlation(threshold) as f32;
    let (sounds, tile) = (heard.clone(), (heard.len() / (4 * threads.max(1))).clamp(1, TILE));
    let mut comparing = Actor::pool("correlate", threads, threads, &wake, move |stop| {
        let (sounds, mut listener) = (sounds.clone(), Listener::new(stop));
        move |firsts: Range<usize>| {
            // If a comparison panics, its sounds count as having no copies.
            let links = contained(|| compare(&sounds, firsts.clone(), least, &mut listener)).unwrap_or_default();
            (firsts.len(), links)
        }
    })?;
    let mut links = Vec::new();
    let jobs = (0..heard.len()).step_by(tile).map(|first| first..(first + tile).min(heard.len()));
    comparing.work_off(&wake, stop, jobs, |(compared, found)| {
        links.extend(found);
        report(Step::Done(compared));
    });
    if stop.is_set() {
        return Err(SearchError::Stopped);
    }
    links.sort_by_key(|(a, b, _)| (*a, *b));
    Ok(links)
}

/// Compares some of the sounds with all behind each, until nobody waits for it.
fn compare(sounds: &[Heard], firsts: Range<usize>, least: f32, listener: &mut Listener) -> Vec<(usize, usize, f32)> {
    let mut links = Vec::new();
    let mut kept = HashMap::new();
    for (second, b) in sounds.iter().enumerate().skip(firsts.start + 1) {
        if listener.stop.is_set() {
            break;
        }
        let may = |first: &usize| {
            let a = &sounds[*first];
            *first < second && as_long(a.seconds, b.seconds) && a.fingerprint.may_reach(&b.fingerprint, least)
        };
        let mut own = HashMap::new();
        for first in firsts.clone().filter(may) {
            let a = &sounds[first];
            let period = a.period.max(b.period);
            let x = kept.entry((first, period)).or_insert_with(|| listener.spectrum(a, period));
            let y = own.entry(period).or_insert_with(|| listener.spectrum(b, period));
            // A file that can no longer be read is not a copy.
            let (Some(x), Some(y)) = (x, y) else { continue };
            let Some(correlation) = listener.comparer.correlation(x, y, least) else { continue };
            if listener.end_alike(a, b, least) {
                links.push((first, second, fingerprint::similarity(correlation)));
            }
        }
    }
    links
}

/// Sounds longer than the part that is compared are copies only if their lengths match.
fn as_long(Seconds(a): Seconds, Seconds(b): Seconds) -> bool {
    a.max(b) <= HEARD || (a - b).abs() <= SECONDS.max(PART * a.max(b))
}

/// Decodes and compares, on one thread.
struct Listener {
    comparer: Comparer,
    decoders: Decoders,
    stop: Stop,
}

impl Listener {
    fn new(stop: Stop) -> Self {
        Self { comparer: Comparer::default(), decoders: Decoders::default(), stop }
    }

    /// Decodes a sound from the given place on, without leading silence; `None` if it is silent.
    fn listen(&self, paths: &[Arc<Path>], Seconds(from): Seconds) -> Result<Option<Pcm>, DecodeError> {
        let region = Span { start: from, end: from + HEARD };
        let mut sounds =
            paths.iter().map(|path| decode_region(path, region, Seconds(HEARD), &self.stop, &self.decoders));
        // Some of the identical files may be gone; any that is left will do.
        let (Some(first), mut others) = (sounds.next(), sounds) else { return Ok(None) };
        let mut pcm = first.or_else(|error| others.find_map(Result::ok).ok_or(error))?.pcm;
        let loudest = pcm.mono.iter().fold(0.0_f32, |loudest, s| loudest.max(s.abs()));
        let begins = pcm.mono.iter().position(|s| s.abs() >= SILENCE.max(loudest * BEFORE));
        Ok(begins.map(|begins| {
            pcm.mono.drain(..begins);
            pcm
        }))
    }

    fn spectrum(&mut self, sound: &Heard, period: usize) -> Option<Spectrum> {
        let pcm = self.listen(&sound.paths, Seconds(0.0)).ok()??;
        // It may have been written to in between.
        (fingerprint::period(&pcm) <= period).then(|| self.comparer.spectrum(&pcm, period))?
    }

    /// Tells whether the ends of long sounds match too: different songs may begin in the same way.
    fn end_alike(&mut self, a: &Heard, b: &Heard, least: f32) -> bool {
        if a.seconds.max(b.seconds) <= Seconds(HEARD) {
            return true;
        }
        let from = a.seconds.min(b.seconds) - Seconds(HEARD);
        let ends = [a, b].map(|sound| self.listen(&sound.paths, from.max(Seconds(0.0))).ok().flatten());
        let [Some(x), Some(y)] = &ends else { return ends.iter().all(Option::is_none) };
        let period = fingerprint::period(x).max(fingerprint::period(y));
        let spectra = [x, y].map(|pcm| self.comparer.spectrum(pcm, period));
        let [Some(x), Some(y)] = &spectra else { return spectra.iter().all(Option::is_none) };
        self.comparer.correlation(x, y, least).is_some()
    }
}

/// Leaves out files that are gone, and all but one name of the same file: removing another name frees no space.
fn files(mut paths: Vec<Arc<Path>>) -> Vec<Arc<Path>> {
    let mut files = HashSet::new();
    paths.sort_by_cached_key(|path| (path.is_symlink(), path.clone()));
    paths.retain(|path| identity(path).is_ok_and(|file| files.insert(file)));
    paths.sort();
    paths
}

/// What two names of one file have in common.
#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<[u64; 2]> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).map(|file| [file.dev(), file.ino()])
}

/// What two names of one file have in common, but for hard links.
#[cfg(not(unix))]
fn identity(path: &Path) -> std::io::Result<std::path::PathBuf> {
    path.canonicalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, pitch: f32, gain: f32, bits: u16) {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: bits,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        let full = gain * (1_u32 << (bits - 1)) as f32;
        for n in 0..16_000 {
            let seconds = n as f32 / 16_000.0;
            let tone = (seconds * pitch * std::f32::consts::TAU * (1.0 + seconds)).sin() * (-3.0 * seconds).exp();
            #[expect(clippy::cast_possible_truncation, reason = "a sample")]
            writer.write_sample((tone * full) as i32).unwrap();
        }
        writer.finalize().unwrap();
    }

    #[test]
    fn copies_are_found_and_what_cannot_be_read_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write(&path("a.wav"), 440.0, 0.5, 16);
        write(&path("a loud.wav"), 440.0, 0.7, 24);
        write(&path("b.wav"), 170.0, 0.5, 16);
        std::fs::copy(path("b.wav"), path("b2.wav")).unwrap();
        std::fs::hard_link(path("b.wav"), path("b3.wav")).unwrap();
        let content = |names: &[&str]| Content {
            paths: names.iter().map(|name| path(name).into()).collect(),
            seconds: Some(Seconds(1.0)),
        };
        let undecoded = Content { seconds: None, ..content(&["never.wav"]) };
        let contents = [
            content(&["a.wav"]),
            content(&["a loud.wav"]),
            content(&["b.wav", "b2.wav", "b3.wav"]),
            content(&["gone.wav"]),
            undecoded,
        ];
        let paths = |names: [&str; 2]| names.map(|name| Arc::<Path>::from(path(name))).to_vec();
        let same = identical(&contents);
        assert_eq!(same, [Group { kind: Kind::Identical, paths: paths(["b.wav", "b2.wav"]), similarity: 1.0 }]);
        let (mut done, mut unreadable) = (0, Vec::new());
        let near = near(&contents, 0.5, 2, &Stop::default(), |step| match step {
            Step::Done(n) => done += n,
            Step::Unreadable(path, _) => unreadable.push(path.to_owned()),
        })
        .unwrap();
        assert_eq!(near.len(), 1, "{near:?}");
        assert_eq!((near[0].kind, &near[0].paths), (Kind::Near, &paths(["a loud.wav", "a.wav"])));
        assert!(near[0].similarity > 0.99);
        assert_eq!(unreadable, [path("gone.wav")]);
        // The one that could not be read is not compared.
        assert_eq!((steps(&contents), done), (8, 7));
        // Stopped while sounds are read, and while they are compared.
        for stopped_at in [1, 5] {
            let (stop, mut done) = (Stop::default(), 0);
            let stopped = super::near(&contents, 0.5, 1, &stop, |step| {
                done += usize::from(matches!(step, Step::Done(_)));
                if done == stopped_at {
                    stop.set();
                }
            });
            assert!(matches!(stopped, Err(SearchError::Stopped)) && done < 7, "{stopped:?} after {done} steps");
        }
    }
}
