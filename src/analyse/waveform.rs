//! The whole waveform of the sample that is looked at, decoded by a thread of its own, for one sample at a time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bevy::prelude::*;
use dsp::crossings::Crossings;
use dsp::pyramid::Pyramid;
use dsp::{Frames, Hz, Seconds};
use file::DecodeError;
use file::stream::{Decoders, Stream};

use crate::actor::{Actor, Stop, Wake, start};
use crate::library::{AudioInfo, Descriptors, Features, FileStamp, Recording, Sample, Thumbnail};
use crate::schedule::SoundkinSystems;

/// The whole waveform of the sample that is looked at, at every zoom.
#[derive(Component, Clone, Debug)]
pub struct Waveform {
    /// Its extremes.
    pub pyramid: Arc<Pyramid>,
    /// Where it can be cut without a click.
    crossings: Arc<Crossings>,
    /// Its sample rate.
    pub rate: Hz,
}

impl Waveform {
    /// The waveform of a sound at a rate.
    pub fn new(pyramid: Pyramid, rate: Hz) -> Self {
        Self { pyramid: Arc::new(pyramid), crossings: Arc::default(), rate }
    }

    /// Adds interleaved frames at its end.
    pub fn add(&mut self, frames: &[f32]) {
        Arc::make_mut(&mut self.pyramid).add(frames);
        Arc::make_mut(&mut self.crossings).add(frames, self.pyramid.channels());
    }

    /// The zero crossing of the mean of all channels that is nearest to a place, if one lies so near; all in seconds.
    pub fn crossing(&self, seconds: f64, within: f64) -> Option<f64> {
        let rate = f64::from(self.rate.0.max(1));
        Some(self.crossings.nearest(seconds * rate, within * rate)? as f64 / rate)
    }

    /// The highest sample of all, without its sign.
    pub fn peak(&self) -> f32 {
        let [low, high] = self.pyramid.extremes(None, 0.0, self.pyramid.frames() as f64).unwrap_or_default();
        high.max(-low)
    }

    /// Its length.
    pub fn seconds(&self) -> Seconds {
        Frames(self.pyramid.frames() as u64).at(self.rate)
    }
}

/// Asks for a sample's [`Waveform`]; the previous sample loses its own.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShowWaveform(pub Option<Entity>);

struct Look {
    entity: Entity,
    path: Arc<Path>,
    serial: u64,
}

struct Seen {
    entity: Entity,
    serial: u64,
    wave: Waveform,
}

#[derive(Resource)]
struct Tracer {
    actor: Actor<Look, Option<Seen>>,
    /// The newest request; the thread abandons an older one.
    newest: Arc<AtomicU64>,
    shown: Option<Entity>,
}

/// A take that is no longer recorded keeps its waveform only while it is shown.
fn forget_unseen(ended: On<Remove, Recording>, tracer: Res<Tracer>, mut commands: Commands) {
    if tracer.shown != Some(ended.entity)
        && let Ok(mut sample) = commands.get_entity(ended.entity)
    {
        sample.try_remove::<Waveform>();
    }
}

/// Owns [`AudioInfo`], [`Thumbnail`], [`Features`], [`Descriptors`] and [`Waveform`], and drops them when the file
/// changes.
///
/// The first four are made by the workers of [`embed`](crate::analyse), which need the decoded audio at once; the last
/// by a thread of its own, for one sample at a time. All of a take is made while it is recorded.
pub struct WaveformPlugin;

impl Plugin for WaveformPlugin {
    fn build(&self, app: &mut App) {
        app.add_observer(forget_outdated).add_message::<ShowWaveform>();
        let newest = Arc::new(AtomicU64::new(0));
        let current = newest.clone();
        let make = move |stop: Stop| {
            let (newest, decoders) = (current.clone(), Decoders::default());
            move |look: Look| trace(&look, || stop.is_set() || newest.load(Ordering::Relaxed) != look.serial, &decoders)
        };
        let spawn = |wake: &Wake| Actor::pool("waveform", 1, 1, wake, make);
        let Some(actor) = start(app, "show waveforms", spawn) else { return };
        app.insert_resource(Tracer { actor, newest, shown: None })
            .add_observer(forget_unseen)
            .add_systems(Update, collect_waveform.in_set(SoundkinSystems::Collect))
            .add_systems(Update, ask_for_waveform.in_set(SoundkinSystems::Dispatch));
    }
}

fn forget_outdated(replaced: On<Discard, FileStamp>, mut commands: Commands) {
    if let Ok(mut sample) = commands.get_entity(replaced.entity) {
        sample.try_remove::<(AudioInfo, Thumbnail, Features, Descriptors, Waveform)>();
    }
}

fn collect_waveform(mut tracer: ResMut<Tracer>, mut commands: Commands) {
    let newest = tracer.newest.load(Ordering::Relaxed);
    for seen in tracer.actor.replies().into_iter().flatten().filter(|seen| seen.serial == newest) {
        if let Ok(mut sample) = commands.get_entity(seen.entity) {
            sample.try_insert(seen.wave);
        }
    }
}

fn ask_for_waveform(
    mut asks: MessageReader<ShowWaveform>,
    mut tracer: ResMut<Tracer>,
    samples: Query<&Sample, Without<Recording>>,
    growing: Query<(), With<Recording>>,
    mut commands: Commands,
) {
    let Some(ShowWaveform(wanted)) = asks.read().last().copied() else { return };
    let before = std::mem::replace(&mut tracer.shown, wanted);
    if let Some(before) = before.filter(|before| Some(*before) != wanted && !growing.contains(*before))
        && let Ok(mut sample) = commands.get_entity(before)
    {
        sample.try_remove::<Waveform>();
    }
    let serial = tracer.newest.fetch_add(1, Ordering::Relaxed) + 1;
    tracer.actor.retain_waiting(|_| false);
    if let Some(entity) = wanted
        && let Ok(sample) = samples.get(entity)
    {
        tracer.actor.queue(Look { entity, path: sample.path.clone(), serial });
    }
}

/// Decodes a file for its waveform; `None` when it cannot be decoded or is not wanted any more.
fn trace(look: &Look, unwanted: impl Fn() -> bool, decoders: &Decoders) -> Option<Seen> {
    let trace = || {
        let mut stream = Stream::open_path(&look.path, decoders)?;
        let mut wave = None;
        while let Some(block) = stream.next_block()? {
            let (channels, rate) = (block.channels, block.rate);
            wave.get_or_insert_with(|| Waveform::new(Pyramid::new(channels), rate)).add(block.samples);
            if unwanted() {
                return Ok(None);
            }
        }
        stream.close(decoders);
        Ok::<_, DecodeError>(wave)
    };
    // A file that cannot be decoded has its reason from the analysis already.
    let wave = crate::actor::contained(trace).ok()?.ok()??;
    Some(Seen { entity: look.entity, serial: look.serial, wave })
}

#[cfg(test)]
mod tests {
    use file::source::Source;

    use super::*;
    use crate::analyse::decode::decode;

    #[test]
    fn a_place_in_a_file_is_moved_to_where_its_decoded_sound_crosses_zero() {
        let sound = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/pads/pad_01.flac");
        let mut stream = Stream::open_path(&sound, &Decoders::default()).unwrap();
        let (mut mean, mut block_mean, mut rate) = (Vec::new(), Vec::new(), Hz(0));
        while let Some(block) = stream.next_block().unwrap() {
            dsp::downmix(block.samples, block.channels, &mut block_mean);
            mean.extend_from_slice(&block_mean);
            rate = block.rate;
        }
        let look = Look { entity: Entity::PLACEHOLDER, path: sound.as_path().into(), serial: 1 };
        let wave = trace(&look, || false, &Decoders::default()).unwrap().wave;
        let mut moved = 0;
        for seconds in [0.1, 0.25, 0.5, 0.777, 1.0] {
            let Some(at) = wave.crossing(seconds, 0.01) else { continue };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a frame of the file")]
            let frame = (at * f64::from(rate)).round() as usize;
            assert!((at - seconds).abs() <= 0.01);
            assert!(
                mean[frame] * mean[frame - 1] == 0.0 || (mean[frame] > 0.0) != (mean[frame - 1] > 0.0),
                "{seconds}"
            );
            moved += 1;
        }
        assert!(moved >= 3);
    }

    #[test]
    fn work_that_nobody_waits_for_is_left_and_is_no_failure_of_the_file() {
        let (go, stop) = (Stop::default(), Stop::default());
        stop.set();
        let sound = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio/wav_stereo.wav");
        let decoded = |stop: &Stop| {
            let source = Source::open(&sound, &|| false).unwrap();
            decode(source, &sound, Seconds(10.0), stop, &Decoders::default())
        };
        assert!(matches!(decoded(&stop), Err(DecodeError::Stopped)));
        decoded(&go).unwrap();
        let entity = Entity::PLACEHOLDER;
        let look = Look { entity, path: sound.as_path().into(), serial: 1 };
        assert!(trace(&look, || true, &Decoders::default()).is_none());
        assert!(trace(&look, || false, &Decoders::default()).is_some());
    }
}
