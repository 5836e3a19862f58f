//! What runs in the device's output callback: mixes the voices into its buffer.
//!
//! Nothing in [`Renderer::fill`] allocates, frees, locks, logs or calls the system. Each voice takes its frames from a
//! ring that the `audio` actor fills. Commands come through a second ring, and spent voices go back through a third, so
//! that the actor frees their memory. Every cut is a fade, so that nothing clicks. Only the beginning and the end of
//! the sample itself are not faded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use cpal::{FromSample, Sample};
use dsp::Hz;
use rtrb::{Consumer, Producer, RingBuffer};

/// Voices at once: one plays and the others fade out.
const VOICES: usize = 8;
/// Length of a fade in seconds.
pub(super) const FADE: f64 = 0.005;
/// Frames mixed at a time.
const BLOCK: usize = 256;
/// Buffers of silence before the first sound: a sound server may drop the start of a stream.
const LEAD_IN: u32 = 2;
/// Commands that may wait for the next callback.
const COMMANDS: usize = 16;
/// Time constant of a change of volume in seconds.
const GLIDE: f32 = 0.005;

/// What the actor asks of the renderer.
pub(super) enum Command {
    /// Fade out what plays, and play this.
    Start(Voice),
    /// Fade out what plays.
    Stop,
}

/// A sound as the renderer is given it.
pub(super) struct Voice {
    /// Number that tells it from the voices before and after it; never 0.
    pub id: u16,
    /// Interleaved stereo at the device's rate. Once the producer is dropped, the sound ends with what is in the ring.
    pub frames: Consumer<f32>,
    /// Linear gain, as bits of an `f32`; may change at any time.
    pub gain: Arc<AtomicU32>,
    /// Whether it starts in the middle of a sound and is faded in.
    pub fade_in: bool,
    /// The voice that it continues, and how many frames of that voice had been rendered when this one was prepared.
    /// As many frames as have been rendered since are skipped.
    pub follows: Option<(u16, u64)>,
}

/// What the renderer shares with other threads: what it plays, and at what volume.
#[derive(Debug)]
pub(super) struct Monitor {
    /// The voice that plays and the frames it has given: `id << 48 | frames`.
    playing: AtomicU64,
    underruns: AtomicU64,
    buffers: AtomicU64,
    /// Frames that have been rendered but not heard yet, those of the newest buffer included.
    latency: AtomicU64,
    volume: AtomicU32,
}

impl Default for Monitor {
    fn default() -> Self {
        let [playing, underruns, buffers, latency] = [const { AtomicU64::new(0) }; 4];
        Self { playing, underruns, buffers, latency, volume: AtomicU32::new(1.0_f32.to_bits()) }
    }
}

impl Monitor {
    const FRAMES: u64 = (1 << 48) - 1;

    /// The voice that plays, and how many frames of it have been rendered.
    pub fn playing(&self) -> Option<(u16, u64)> {
        let packed = self.playing.load(Ordering::Acquire);
        u16::try_from(packed >> 48).ok().filter(|id| *id != 0).map(|id| (id, packed & Self::FRAMES))
    }

    /// Frames that have been rendered but not heard yet.
    pub fn latency(&self) -> u64 {
        self.latency.load(Ordering::Relaxed)
    }

    /// Times that a voice had no frames left before its sound ended, or that the device got a buffer too late.
    pub fn underruns(&self) -> u64 {
        self.underruns.load(Ordering::Relaxed)
    }

    /// Counts an underrun.
    pub fn count_underrun(&self) {
        self.underruns.fetch_add(1, Ordering::Relaxed);
    }

    /// Buffers that devices have taken.
    pub fn buffers(&self) -> u64 {
        self.buffers.load(Ordering::Relaxed)
    }

    /// Sets the linear gain of all voices together.
    pub fn set_volume(&self, gain: f32) {
        self.volume.store(gain.to_bits(), Ordering::Relaxed);
    }

    /// Forgets what the last renderer played, after it has been dropped.
    pub fn clear(&self) {
        self.playing.store(0, Ordering::Release);
        self.latency.store(0, Ordering::Relaxed);
    }
}

/// A value that approaches its goal exponentially, so that there is no audible step.
#[derive(Clone, Copy)]
struct Glide {
    now: f32,
    goal: f32,
    share: f32,
}

impl Glide {
    fn next(&mut self) -> f32 {
        let rest = self.goal - self.now;
        // The rest is made up at once when it is too small to be heard, so that the goal is reached exactly.
        self.now = if rest.abs() < 1e-4 { self.goal } else { self.now + rest * self.share };
        self.now
    }
}

/// A voice, and how far it has got.
struct Slot {
    voice: Voice,
    /// Frames rendered or skipped.
    played: u64,
    /// Frames that are still to be skipped.
    skip: u64,
    /// From 0, silent, to 1, not faded.
    envelope: f32,
    gain: Glide,
    /// It fades out.
    stopping: bool,
    /// It had no frames left at the end of the last block.
    starved: bool,
}

impl Slot {
    /// Adds its next frames to `mix`; tells whether it is spent.
    fn mix(&mut self, mix: &mut [[f32; 2]], step: f32, monitor: &Monitor) -> bool {
        // This is read before the frames are counted: once the producer is gone, the count is final.
        let ending = self.voice.frames.is_abandoned();
        self.gain.goal = load(&self.voice.gain);
        self.skip_heard();
        let available = if self.skip > 0 { 0 } else { self.voice.frames.slots() / 2 };
        let count = available.min(mix.len());
        let starving = available < mix.len() && !ending;
        if starving && !self.starved && !self.stopping {
            monitor.count_underrun();
        }
        self.starved = starving;
        if let Ok(chunk) = self.voice.frames.read_chunk(2 * count) {
            let (first, second) = chunk.as_slices();
            let frames = first.as_chunks::<2>().0.iter().chain(second.as_chunks::<2>().0);
            let fading = if starving { frames_of_fade(step) } else { 0 };
            for (i, (out, [left, right])) in mix.iter_mut().zip(frames).enumerate() {
                // Before a gap there is a fade too, as long as the frames that are left allow.
                let down = self.stopping || count - i <= fading;
                self.envelope = (self.envelope + if down { -step } else { step }).clamp(0.0, 1.0);
                let gain = self.envelope * self.gain.next();
                out[0] += left * gain;
                out[1] += right * gain;
            }
            chunk.commit_all();
        }
        self.played += count as u64;
        if starving {
            self.envelope = 0.0;
        }
        (ending && available == count) || (self.stopping && self.envelope <= 0.0)
    }

    fn skip_heard(&mut self) {
        let ready = usize::try_from(self.skip).unwrap_or(usize::MAX).min(self.voice.frames.slots() / 2);
        if let Ok(chunk) = self.voice.frames.read_chunk(2 * ready) {
            chunk.commit_all();
            self.skip -= ready as u64;
            self.played += ready as u64;
        }
    }
}

/// Mixes voices into the buffers of one device.
pub(super) struct Renderer {
    rate: Hz,
    channels: usize,
    /// Buffers of silence to come.
    lead_in: u32,
    /// Change of an envelope in one frame.
    step: f32,
    glide: f32,
    commands: Consumer<Command>,
    spent: Producer<Voice>,
    slots: [Option<Slot>; VOICES],
    volume: Glide,
    monitor: Arc<Monitor>,
    /// For devices whose samples are not `f32`.
    scratch: Vec<f32>,
}

impl Renderer {
    /// Makes a renderer for a device, and the other ends of its rings: for commands, and for spent voices.
    #[expect(clippy::cast_possible_truncation, reason = "a share of one")]
    pub fn new(rate: Hz, channels: usize, monitor: Arc<Monitor>) -> (Self, Producer<Command>, Consumer<Voice>) {
        let (command_sender, commands) = RingBuffer::new(COMMANDS);
        let (spent, spent_receiver) = RingBuffer::new(2 * VOICES);
        let glide = 1.0 - (-1.0 / (GLIDE * rate.0 as f32)).exp();
        let volume = load(&monitor.volume);
        let renderer = Self {
            rate,
            lead_in: LEAD_IN,
            channels: channels.max(1),
            step: (1.0 / (FADE * f64::from(rate))) as f32,
            glide,
            commands,
            spent,
            slots: [const { None }; VOICES],
            volume: Glide { now: volume, goal: volume, share: glide },
            monitor,
            scratch: vec![0.0; BLOCK * channels.max(1)],
        };
        (renderer, command_sender, spent_receiver)
    }

    /// Fills a device's buffer of any sample format, whose first frame is heard `latency` after this call began.
    pub fn fill<T: Sample + FromSample<f32>>(&mut self, out: &mut [T], latency: Duration) {
        self.monitor.buffers.fetch_add(1, Ordering::Relaxed);
        if self.lead_in > 0 {
            self.lead_in -= 1;
            out.fill(T::EQUILIBRIUM);
            return;
        }
        let buffer = (out.len() / self.channels) as u64;
        let ahead = latency.as_micros() * u128::from(self.rate.0) / 1_000_000;
        self.monitor.latency.store(buffer + u64::try_from(ahead).unwrap_or(0), Ordering::Relaxed);
        let mut scratch = std::mem::take(&mut self.scratch);
        for piece in out.chunks_mut(scratch.len()) {
            let rendered = &mut scratch[..piece.len()];
            self.render(rendered);
            for (to, from) in piece.iter_mut().zip(rendered) {
                *to = T::from_sample(from.clamp(-1.0, 1.0));
            }
        }
        self.scratch = scratch;
    }

    /// Fills a buffer of interleaved frames in the device's channels.
    ///
    /// A single channel gets the mean of both sides. Of more than two, the first two get sound.
    pub fn render(&mut self, out: &mut [f32]) {
        self.obey();
        self.volume.goal = load(&self.monitor.volume);
        let mut mix = [[0.0; 2]; BLOCK];
        for piece in out.chunks_mut(BLOCK * self.channels) {
            let mix = &mut mix[..piece.len() / self.channels];
            mix.fill([0.0; 2]);
            self.mix(mix);
            for (frame, [left, right]) in piece.chunks_exact_mut(self.channels).zip(mix) {
                let volume = self.volume.next();
                match frame {
                    [mono] => *mono = (*left + *right) * 0.5 * volume,
                    [to_left, to_right, rest @ ..] => {
                        *to_left = *left * volume;
                        *to_right = *right * volume;
                        rest.fill(0.0);
                    }
                    [] => {}
                }
            }
        }
        self.publish();
    }

    fn mix(&mut self, mix: &mut [[f32; 2]]) {
        for place in &mut self.slots {
            let Some(slot) = place else { continue };
            // If the ring for spent voices is full, the voice stays, silent, until the next block.
            if slot.mix(mix, self.step, &self.monitor)
                && !self.spent.is_full()
                && let Some(slot) = place.take()
            {
                let _ = self.spent.push(slot.voice);
            }
        }
    }

    fn obey(&mut self) {
        loop {
            // A new voice waits in the ring of commands for a few milliseconds, until another has faded out.
            let full = self.slots.iter().all(Option::is_some);
            if full && matches!(self.commands.peek(), Ok(Command::Start(_))) {
                return;
            }
            match self.commands.pop() {
                Ok(Command::Start(voice)) => self.start(voice),
                Ok(Command::Stop) => self.stop(),
                Err(_) => return,
            }
        }
    }

    fn start(&mut self, voice: Voice) {
        let followed = voice.follows.and_then(|(id, at)| {
            let slot = self.slots.iter().flatten().find(|slot| slot.voice.id == id)?;
            Some(slot.played.saturating_sub(at))
        });
        self.stop();
        let gain = load(&voice.gain);
        let slot = Slot {
            played: 0,
            skip: followed.unwrap_or(0),
            envelope: if voice.fade_in { 0.0 } else { 1.0 },
            gain: Glide { now: gain, goal: gain, share: self.glide },
            stopping: false,
            starved: false,
            voice,
        };
        if let Some(place) = self.slots.iter_mut().find(|place| place.is_none()) {
            *place = Some(slot);
        }
    }

    fn stop(&mut self) {
        self.slots.iter_mut().flatten().for_each(|slot| slot.stopping = true);
    }

    fn publish(&self) {
        let heard = self.slots.iter().flatten().find(|slot| !slot.stopping);
        let packed = heard.map_or(0, |slot| u64::from(slot.voice.id) << 48 | (slot.played & Monitor::FRAMES));
        self.monitor.playing.store(packed, Ordering::Release);
    }
}

fn load(bits: &AtomicU32) -> f32 {
    f32::from_bits(bits.load(Ordering::Relaxed))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred frames")]
fn frames_of_fade(step: f32) -> usize {
    (1.0 / step).ceil() as usize
}

#[cfg(test)]
mod tests {
    use assert_no_alloc::{AllocDisabler, assert_no_alloc, violation_count};

    use super::*;

    #[global_allocator]
    static ALLOCATOR: AllocDisabler = AllocDisabler;

    const RATE: Hz = Hz(48_000);
    const FADE_FRAMES: usize = 240;

    /// A voice of constant level, and its producer: the sound ends when that is dropped.
    fn voice(id: u16, level: f32, frames: usize) -> (Voice, Producer<f32>) {
        let (mut producer, consumer) = RingBuffer::new(2 * frames.max(1));
        producer.push_entire_slice(&vec![level; 2 * frames]).unwrap();
        let gain = Arc::new(AtomicU32::new(1.0_f32.to_bits()));
        (Voice { id, frames: consumer, gain, fade_in: false, follows: None }, producer)
    }

    fn renderer(channels: usize) -> (Renderer, Producer<Command>, Consumer<Voice>, Arc<Monitor>) {
        let monitor = Arc::new(Monitor::default());
        let (renderer, commands, spent) = Renderer::new(RATE, channels, monitor.clone());
        (renderer, commands, spent, monitor)
    }

    fn rendered(renderer: &mut Renderer, frames: usize) -> Vec<f32> {
        let mut out = vec![9.0; frames * renderer.channels];
        without_allocating(|| renderer.render(&mut out));
        out
    }

    fn without_allocating(work: impl FnOnce()) {
        let before = violation_count();
        assert_no_alloc(work);
        assert_eq!(violation_count(), before, "the callback allocated or freed");
    }

    fn largest_step(mono: &[f32]) -> f32 {
        mono.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn the_callback_never_allocates_or_frees_whatever_happens_to_voices() {
        let (mut renderer, mut commands, mut spent, monitor) = renderer(2);
        let mut producers = Vec::new();
        for id in 1..40 {
            let (voice, producer) = voice(id, 0.5, 100 * usize::from(id));
            voice.gain.store(0.3_f32.to_bits(), Ordering::Relaxed);
            // Some end, some starve, some are replaced, some are stopped.
            if id % 3 == 0 {
                producers.push(producer);
            }
            assert!(commands.push(Command::Start(voice)).is_ok());
            if id % 5 == 0 {
                assert!(commands.push(Command::Stop).is_ok());
            }
            monitor.set_volume(f32::from(id) / 40.0);
            let mut bytes = [0_i16; 512];
            without_allocating(|| renderer.fill(&mut bytes, Duration::from_millis(3)));
            rendered(&mut renderer, 333);
            while spent.pop().is_ok() {}
        }
    }

    #[test]
    #[should_panic(expected = "allocated or freed")]
    fn an_allocation_in_the_callback_would_be_noticed() {
        without_allocating(|| drop(std::hint::black_box(vec![1, 2, 3])));
    }

    #[test]
    fn a_sound_from_its_beginning_to_its_end_is_untouched() {
        let (mut renderer, mut commands, mut spent, _) = renderer(2);
        let (voice, _) = voice(1, 0.7, 1000);
        assert!(commands.push(Command::Start(voice)).is_ok());
        let out = rendered(&mut renderer, 1200);
        assert_eq!(out[..2000], [0.7; 2000]);
        assert_eq!(out[2000..], [0.0; 400]);
        assert_eq!(spent.pop().unwrap().id, 1);
    }

    #[test]
    fn replacing_and_stopping_fade_and_then_there_is_exact_silence() {
        let (mut renderer, mut commands, mut spent, monitor) = renderer(1);
        let (first, _first) = voice(1, 0.8, 5000);
        let (mut second, _second) = voice(2, -0.8, 5000);
        second.fade_in = true;
        assert!(commands.push(Command::Start(first)).is_ok());
        let mut out = rendered(&mut renderer, 500);
        assert!(commands.push(Command::Start(second)).is_ok());
        out.extend(rendered(&mut renderer, 500));
        assert_eq!(monitor.playing(), Some((2, 500)));
        assert!(commands.push(Command::Stop).is_ok());
        out.extend(rendered(&mut renderer, 500));
        assert!(largest_step(&out) <= 1.7 / FADE_FRAMES as f32, "{}", largest_step(&out));
        assert!(out[1000 + FADE_FRAMES..].iter().all(|s| *s == 0.0));
        assert_eq!((spent.pop().unwrap().id, spent.pop().unwrap().id), (1, 2));
        assert_eq!((monitor.playing(), monitor.underruns()), (None, 0));
    }

    #[test]
    fn more_sounds_at_once_than_voices_wait_for_a_fade_to_end() {
        let (mut renderer, mut commands, _spent, monitor) = renderer(1);
        let mut producers = Vec::new();
        let mut out = Vec::new();
        for id in 1..=12 {
            let (mut voice, producer) = voice(id, if id % 2 == 0 { 0.5 } else { -0.5 }, 5000);
            voice.fade_in = true;
            producers.push(producer);
            assert!(commands.push(Command::Start(voice)).is_ok());
        }
        for _ in 0..20 {
            out.extend(rendered(&mut renderer, 100));
        }
        assert_eq!(monitor.playing().map(|(id, _)| id), Some(12));
        assert!(largest_step(&out) <= 8.0 * 0.51 / FADE_FRAMES as f32);
    }

    #[test]
    fn a_gap_in_the_feed_is_counted_once_and_does_not_click() {
        let (mut renderer, mut commands, _spent, monitor) = renderer(1);
        let (voice, mut producer) = voice(1, 0.9, 1000);
        assert!(commands.push(Command::Start(voice)).is_ok());
        let mut out = rendered(&mut renderer, 900);
        out.extend(rendered(&mut renderer, 512));
        out.extend(rendered(&mut renderer, 512));
        producer.push_entire_slice(&[0.9; 1600]).unwrap();
        out.extend(rendered(&mut renderer, 512));
        assert_eq!(monitor.underruns(), 1);
        // Only a hundred frames were left for the fade, so its steps are larger than usual.
        assert!(largest_step(&out) < 0.55, "{}", largest_step(&out));
        assert_eq!(out.last(), Some(&0.9));
    }

    #[test]
    fn a_voice_that_follows_another_skips_what_was_heard_meanwhile() {
        let (mut renderer, mut commands, _spent, monitor) = renderer(1);
        let (first, _first) = voice(1, 0.5, 5000);
        assert!(commands.push(Command::Start(first)).is_ok());
        rendered(&mut renderer, 600);
        let (mut second, _second) = voice(2, 0.5, 5000);
        (second.fade_in, second.follows) = (true, Some((1, 400)));
        assert!(commands.push(Command::Start(second)).is_ok());
        // Two voices with the same sound: while one fades to the other nothing changes.
        assert!(rendered(&mut renderer, 500).iter().all(|s| (s - 0.5).abs() < 1e-4));
        assert_eq!(monitor.playing(), Some((2, 700)));
    }

    #[test]
    fn volume_and_gain_change_without_steps_and_arrive() {
        let (mut renderer, mut commands, _spent, monitor) = renderer(1);
        let (voice, _producer) = voice(1, 1.0, 20_000);
        let gain = voice.gain.clone();
        assert!(commands.push(Command::Start(voice)).is_ok());
        let mut out = rendered(&mut renderer, 100);
        monitor.set_volume(0.5);
        out.extend(rendered(&mut renderer, 5000));
        gain.store(0.5_f32.to_bits(), Ordering::Relaxed);
        out.extend(rendered(&mut renderer, 5000));
        assert!(largest_step(&out) < 0.003);
        assert_eq!(out.last(), Some(&0.25));
    }

    #[test]
    fn every_number_of_channels_gets_its_share() {
        for channels in [1, 2, 6] {
            let (mut renderer, mut commands, _spent, _) = renderer(channels);
            let (mut voice, _) = voice(1, 0.0, 0);
            let (mut producer, consumer) = RingBuffer::new(8);
            producer.push_entire_slice(&[0.2, 0.6]).unwrap();
            drop(producer);
            voice.frames = consumer;
            assert!(commands.push(Command::Start(voice)).is_ok());
            let out = rendered(&mut renderer, 2);
            match channels {
                1 => assert_eq!(out, [0.4, 0.0]),
                _ => assert_eq!((&out[..2], out[2..].iter().all(|s| *s == 0.0)), (&[0.2, 0.6][..], true)),
            }
        }
    }
}
