//! `soundkin dupes`

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use bevy::prelude::*;
use clap::Args;
use dsp::{Pcm, SILENCE, Span};
use file::DecodeError;
use file::stream::Decoders;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use similarity::fingerprint::{self, Comparer, HEARD, Print, Spectrum, twins};

use super::{Common, base64_of, keep_only};
use crate::actor::{Actor, Stop, Wake, contained};
use crate::analyse::decode::decode_region;
use crate::library::{AudioInfo, ContentHash, Guest, Missing, Sample};

/// Sounds less similar than this are never called copies, whatever threshold is given.
const LEAST: f64 = 0.95;
/// Copies longer than the part that is compared differ in length by at most this many seconds, or by [`PART`] of it.
const SECONDS: f64 = 0.1;
/// See [`SECONDS`].
const PART: f64 = 0.01;
/// Sounds that a worker compares with all others in one pass, so that each of the others is decoded once per pass.
const TILE: usize = 16;
/// Leading samples below this share of the loudest one count as silence before the sound.
const BEFORE: f32 = 1e-3;

#[derive(Args, Debug)]
pub(super) struct Dupes {
    /// Lowest similarity at which two waveforms count as near-identical, 0.95 to 1; 1 lists identical files only
    #[arg(long, value_name = "S", default_value_t = 0.99, value_parser = threshold)]
    threshold: f64,
}

fn threshold(text: &str) -> Result<f64, &'static str> {
    let threshold = text.parse().ok().filter(|threshold| (0.0..=1.0).contains(threshold));
    threshold.ok_or("threshold must be a number from 0 to 1 (below 0.95 is treated as 0.95)")
}

/// Files with identical content and the length of their sound; files that could not be decoded are left out.
struct Content {
    paths: Vec<Arc<Path>>,
    seconds: Option<f64>,
}

/// Files that hold one sound.
struct Group {
    kind: &'static str,
    paths: Vec<Arc<Path>>,
    similarity: f32,
}

impl Dupes {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let mut app = common.prepared_app(keep_only)?;
        let contents = contents(app.world_mut());
        drop(app);
        let identical = contents.iter().filter(|content| content.paths.len() > 1);
        let mut groups: Vec<Group> = identical
            .map(|content| Group { kind: "identical", paths: content.paths.clone(), similarity: 1.0 })
            .collect();
        if self.threshold < 1.0 {
            groups.extend(near(common, &contents, self.threshold.max(LEAST))?);
        }
        groups.iter_mut().for_each(|group| group.paths = files(std::mem::take(&mut group.paths)));
        groups.retain(|group| group.paths.len() > 1);
        let value =
            json!({"threshold": self.threshold, "groups": groups.iter().map(group_json).collect::<Vec<Value>>()});
        common.print(&value, |out| {
            for group in &groups {
                writeln!(out, "{} {:.3}", group.kind, group.similarity)?;
                group.paths.iter().try_for_each(|path| writeln!(out, "    {}", path.display()))?;
            }
            writeln!(out, "{} groups", groups.len())
        })
    }
}

/// Groups the files that are present by content, each with its paths in order.
fn contents(world: &mut World) -> Vec<Content> {
    let mut by_hash: BTreeMap<ContentHash, Content> = BTreeMap::new();
    let mut samples =
        world.query_filtered::<(&Sample, &ContentHash, Option<&AudioInfo>), (Without<Guest>, Without<Missing>)>();
    for (sample, hash, info) in samples.iter(world) {
        let content = by_hash.entry(*hash).or_insert(Content { paths: Vec::new(), seconds: None });
        content.paths.push(sample.path.clone());
        content.seconds = content.seconds.or(info.map(AudioInfo::seconds));
    }
    let mut contents: Vec<Content> = by_hash.into_values().collect();
    contents.iter_mut().for_each(|content| content.paths.sort());
    contents.sort_by(|a, b| a.paths.cmp(&b.paths));
    contents
}

/// A sound that is compared.
struct Heard {
    paths: Vec<Arc<Path>>,
    seconds: f64,
    period: usize,
    print: Print,
}

/// Decodes every sound once for its fingerprint, then possible copies again; the most similar groups come first.
fn near(common: &Common, contents: &[Content], threshold: f64) -> Result<Vec<Group>> {
    let (wake, cores) = (Wake::default(), std::thread::available_parallelism().map_or(1, usize::from));
    let heard: Vec<&Content> = contents.iter().filter(|content| content.seconds.is_some()).collect();
    let bar = common.bar(2 * heard.len());
    let printing = Actor::pool("print", cores, cores, &wake, |stop| {
        let mut listener = Listener::new(stop);
        move |(place, paths): (usize, Vec<Arc<Path>>)| {
            let mut print = || {
                let Some(pcm) = listener.listen(&paths, 0.0)? else { return Ok(None) };
                Ok(listener.comparer.print(&pcm).map(|print| (fingerprint::period(&pcm), print)))
            };
            (place, contained(&mut print).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic))))
        }
    })?;
    let mut prints: Vec<Option<(usize, Print)>> = vec![None; heard.len()];
    let jobs = heard.iter().enumerate().map(|(place, content)| (place, content.paths.clone()));
    printing.work_off(&wake, jobs, |(place, sound)| {
        match sound {
            Ok(print) => prints[place] = print,
            Err(error) => {
                let path = heard[place].paths.first().map(|path| path.display().to_string()).unwrap_or_default();
                bar.suspend(|| common.say(&format!("not compared: {error}: {path}")));
            }
        }
        bar.inc(1);
    });
    drop(printing);
    let heard = heard.into_iter().zip(prints).filter_map(|(content, print)| {
        let (period, print) = print?;
        Some(Heard { paths: content.paths.clone(), seconds: content.seconds?, period, print })
    });
    let heard: Arc<[Heard]> = heard.collect();
    let links = links(&heard, threshold, &wake, cores, &bar)?;
    bar.finish_and_clear();
    let group = |twins: fingerprint::Twins| {
        let mut paths: Vec<Arc<Path>> = twins.places.iter().flat_map(|place| heard[*place].paths.clone()).collect();
        paths.sort();
        Group { kind: "near", paths, similarity: twins.similarity }
    };
    Ok(twins(heard.len(), &links).into_iter().map(group).collect())
}

/// Finds the pairs of sounds that are copies, and how similar they are.
fn links(
    heard: &Arc<[Heard]>,
    threshold: f64,
    wake: &Wake,
    cores: usize,
    bar: &ProgressBar,
) -> Result<Vec<(usize, usize, f32)>> {
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
    let least = fingerprint::correlation(threshold) as f32;
    let (sounds, tile) = (heard.clone(), (heard.len() / (4 * cores)).clamp(1, TILE));
    let comparing = Actor::pool("compare", cores, cores, wake, move |stop| {
        let (sounds, mut listener) = (sounds.clone(), Listener::new(stop));
        move |firsts: Range<usize>| {
            // If a comparison panics, its sounds count as having no copies.
            let links = contained(|| compare(&sounds, firsts.clone(), least, &mut listener)).unwrap_or_default();
            (firsts.len(), links)
        }
    })?;
    let mut links = Vec::new();
    let jobs = (0..heard.len()).step_by(tile).map(|first| first..(first + tile).min(heard.len()));
    comparing.work_off(wake, jobs, |(compared, found)| {
        links.extend(found);
        bar.inc(compared as u64);
    });
    links.sort_by_key(|(a, b, _)| (*a, *b));
    Ok(links)
}

/// Compares some of the sounds with all behind each.
fn compare(sounds: &[Heard], firsts: Range<usize>, least: f32, listener: &mut Listener) -> Vec<(usize, usize, f32)> {
    let mut links = Vec::new();
    let mut kept = HashMap::new();
    for (second, b) in sounds.iter().enumerate().skip(firsts.start + 1) {
        let may = |first: &usize| {
            let a = &sounds[*first];
            *first < second && as_long(a.seconds, b.seconds) && a.print.may_reach(&b.print, least)
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
fn as_long(a: f64, b: f64) -> bool {
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

    /// Decodes a sound from the given second on, without leading silence; `None` if it is silent.
    fn listen(&self, paths: &[Arc<Path>], from: f64) -> Result<Option<Pcm>, DecodeError> {
        let region = Span { start: from, end: from + HEARD };
        let mut sounds = paths.iter().map(|path| decode_region(path, region, HEARD, &self.stop, &self.decoders));
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
        let pcm = self.listen(&sound.paths, 0.0).ok()??;
        // It may have been written to in between.
        (fingerprint::period(&pcm) <= period).then(|| self.comparer.spectrum(&pcm, period))?
    }

    /// Tells whether the ends of long sounds match too: different songs may begin in the same way.
    fn end_alike(&mut self, a: &Heard, b: &Heard, least: f32) -> bool {
        if a.seconds.max(b.seconds) <= HEARD {
            return true;
        }
        let from = a.seconds.min(b.seconds) - HEARD;
        let ends = [a, b].map(|sound| self.listen(&sound.paths, from.max(0.0)).ok().flatten());
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

fn group_json(group: &Group) -> Value {
    let paths: Vec<_> = group.paths.iter().map(|path| path.to_string_lossy()).collect();
    let mut object = json!({"kind": group.kind, "paths": paths, "similarity": group.similarity});
    if group.paths.iter().any(|path| path.to_str().is_none()) {
        object["paths_bytes"] = group.paths.iter().map(|path| base64_of(path)).collect();
    }
    object
}
