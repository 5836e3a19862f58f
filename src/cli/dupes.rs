//! `soundkin dupes`

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use bevy::prelude::*;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{Common, base64_of, keep_only};
use crate::actor::{Actor, Stop, Wake, contained};
use crate::decode::stream::Decoders;
use crate::decode::{AudioInfo, DecodeError, Pcm, SILENCE, decode_passage};
use crate::project::twins::{self, Comparer, HEARD, Print, Spectrum, twins};
use crate::sample::{ContentHash, Guest, Missing, Passage, Sample};

/// What is less alike is no copy, whatever threshold is asked for.
const LEAST: f64 = 0.95;
/// Sounds longer than what is heard of them differ in length by this many seconds at most, or by [`PART`] of it.
const SECONDS: f64 = 0.1;
/// See [`SECONDS`].
const PART: f64 = 0.01;
/// Seconds of spectra that a worker keeps: 80 kB for each.
const KEPT: usize = 512;

#[derive(Args, Debug)]
pub(super) struct Dupes {
    /// How alike the waveforms of near-identical sounds are at least, 0.95 to 1; 1 asks for identical files only
    #[arg(long, value_name = "S", default_value_t = 0.99, value_parser = threshold)]
    threshold: f64,
}

fn threshold(text: &str) -> Result<f64, &'static str> {
    let threshold = text.parse().ok().filter(|threshold| (0.0..=1.0).contains(threshold));
    threshold.ok_or("threshold must be a number from 0 to 1; below 0.95 it counts as 0.95")
}

/// Files with one content, and how long its sound is; none that could not be decoded.
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

/// What is there, by content, each with its paths in order.
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

/// Listens to every sound once for its print, then again to those that may be copies of another; the most alike come first.
fn near(common: &Common, contents: &[Content], threshold: f64) -> Result<Vec<Group>> {
    let (wake, cores) = (Wake::default(), std::thread::available_parallelism().map_or(1, usize::from));
    let heard: Vec<&Content> = contents.iter().filter(|content| content.seconds.is_some()).collect();
    let bar = common.bar(2 * heard.len());
    let printing = Actor::pool("print", cores, cores, &wake, |stop| {
        let mut listener = Listener::new(stop);
        move |(place, path): (usize, Arc<Path>)| {
            let mut listen = || Ok(listener.listen(&path)?.and_then(|pcm| listener.print(&pcm)));
            let sound = contained(&mut listen).unwrap_or_else(|panic| Err(DecodeError::Panicked(panic)));
            (place, path, sound)
        }
    })?;
    let mut prints: Vec<Option<(usize, Print)>> = vec![None; heard.len()];
    let jobs = heard.iter().enumerate().filter_map(|(place, content)| Some((place, content.paths.first()?.clone())));
    printing.work_off(&wake, jobs, |(place, path, sound)| {
        match sound {
            Ok(print) => prints[place] = print,
            Err(error) => bar.suspend(|| common.say(&format!("not compared: {error}: {}", path.display()))),
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
    let group = |twins: twins::Twins| {
        let mut paths: Vec<Arc<Path>> = twins.places.iter().flat_map(|place| heard[*place].paths.clone()).collect();
        paths.sort();
        Group { kind: "near", paths, similarity: twins.similarity }
    };
    Ok(twins(heard.len(), &links).into_iter().map(group).collect())
}

/// Which two of the sounds are copies, and how alike they are.
fn links(
    heard: &Arc<[Heard]>,
    threshold: f64,
    wake: &Wake,
    cores: usize,
    bar: &ProgressBar,
) -> Result<Vec<(usize, usize, f32)>> {
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
    let least = twins::correlation(threshold) as f32;
    let sounds = heard.clone();
    let comparing = Actor::pool("compare", cores, cores, wake, move |stop| {
        let (sounds, mut listener) = (sounds.clone(), Listener::new(stop));
        // A sound that breaks the comparison has no copies.
        move |first: usize| contained(|| compare(&sounds, first, least, &mut listener)).unwrap_or_default()
    })?;
    let mut links = Vec::new();
    comparing.work_off(wake, 0..heard.len(), |found| {
        links.extend(found);
        bar.inc(1);
    });
    links.sort_by_key(|(a, b, _)| (*a, *b));
    Ok(links)
}

/// Compares one of the sounds with all behind it.
fn compare(sounds: &[Heard], first: usize, least: f32, listener: &mut Listener) -> Vec<(usize, usize, f32)> {
    let a = &sounds[first];
    let mut links = Vec::new();
    for (second, b) in sounds.iter().enumerate().skip(first + 1) {
        if !as_long(a.seconds, b.seconds) || !a.print.may_reach(&b.print, least) {
            continue;
        }
        let period = a.period.max(b.period);
        // What can be read no more is no copy.
        let spectra = [(first, a), (second, b)].map(|(place, sound)| listener.spectrum(place, sound, period));
        let [Some(x), Some(y)] = spectra else { continue };
        let correlation = listener.comparer.correlation(&x, &y);
        if correlation >= least {
            links.push((first, second, twins::similarity(correlation)));
        }
    }
    links
}

/// Of sounds that are longer than what is heard of them, the rest may differ unless they are as long.
fn as_long(a: f64, b: f64) -> bool {
    a.max(b) <= HEARD || (a - b).abs() <= SECONDS.max(PART * a.max(b))
}

/// Decodes and compares, on one thread.
struct Listener {
    comparer: Comparer,
    decoders: Decoders,
    stop: Stop,
    kept: HashMap<(usize, usize), Arc<Spectrum>>,
    seconds: usize,
}

impl Listener {
    fn new(stop: Stop) -> Self {
        Self { comparer: Comparer::default(), decoders: Decoders::default(), stop, kept: HashMap::new(), seconds: 0 }
    }

    /// The start of a sound; none if it is silent.
    fn listen(&self, path: &Path) -> Result<Option<Pcm>, DecodeError> {
        let pcm = decode_passage(path, Passage([0.0, HEARD]), HEARD, &self.stop, &self.decoders)?.pcm;
        Ok(pcm.mono.iter().any(|s| s.abs() >= SILENCE).then_some(pcm))
    }

    /// A sound's period and print.
    fn print(&mut self, pcm: &Pcm) -> Option<(usize, Print)> {
        let period = twins::period(pcm);
        let spectrum = self.comparer.spectrum(pcm, period)?;
        Some((period, self.comparer.print(&spectrum)))
    }

    fn spectrum(&mut self, place: usize, sound: &Heard, period: usize) -> Option<Arc<Spectrum>> {
        if let Some(spectrum) = self.kept.get(&(place, period)) {
            return Some(spectrum.clone());
        }
        let pcm = self.listen(sound.paths.first()?).ok()??;
        // It may have been written to in between.
        let spectrum = (twins::period(&pcm) <= period).then(|| self.comparer.spectrum(&pcm, period))??;
        if self.seconds + period > KEPT {
            (self.kept, self.seconds) = (HashMap::new(), 0);
        }
        self.seconds += period;
        let spectrum = Arc::new(spectrum);
        self.kept.insert((place, period), spectrum.clone());
        Some(spectrum)
    }
}

/// Leaves out what is gone, and of a file with several names all but one: nobody wins anything by removing another.
fn files(mut paths: Vec<Arc<Path>>) -> Vec<Arc<Path>> {
    let mut files = HashSet::new();
    paths.sort_by_cached_key(|path| (path.is_symlink(), path.clone()));
    paths.retain(|path| same_file::Handle::from_path(path).is_ok_and(|file| files.insert(file)));
    paths.sort();
    paths
}

fn group_json(group: &Group) -> Value {
    let paths: Vec<_> = group.paths.iter().map(|path| path.to_string_lossy()).collect();
    let mut object = json!({"kind": group.kind, "paths": paths, "similarity": group.similarity});
    if group.paths.iter().any(|path| path.to_str().is_none()) {
        object["paths_bytes"] = group.paths.iter().map(|path| base64_of(path)).collect();
    }
    object
}
