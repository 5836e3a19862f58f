//! The sound being auditioned: read from its file, brought to the device's rate and fed to the renderer.
//!
//! One sound plays at a time. If its loop or region changes, what is queued already is wrong. It is not taken back: a
//! new voice starts at the frame that is being rendered, and the renderer fades over to it.
//! The player knows neither devices nor the ECS, so that tests can call a [`Renderer`] by hand.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bevy::prelude::Resource;
use dsp::resample::Flow;
use dsp::{Frames, Hz, Seconds, Span};
use file::DecodeError;
use file::stream::Decoders;
use rtrb::{Consumer, Producer, RingBuffer};

use super::reader::Reader;
use super::render::{Command, Monitor, Renderer, Voice};
use crate::library::FileStamp;

/// Sound queued for the renderer.
const QUEUED: Seconds = Seconds(0.5);
/// Sound that must be queued before a voice starts: more than a device takes at once.
const FIRST: Seconds = Seconds(0.1);
/// Longest pause between two calls of [`SamplePlayer::feed`].
const FEED_EVERY: Duration = Duration::from_millis(100);
/// Frames read at a time.
const CHUNK: usize = 1024;
/// Files whose start is kept ready.
const READY: usize = 32;
/// Resampling filters kept, one for each sample rate of files.
const FLOWS: usize = 8;

/// Volumes that can be set, in dB; the lowest is silence.
pub const VOLUMES: RangeInclusive<f32> = -60.0..=6.0;

/// How samples are played; a change counts at once.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct AuditionSettings {
    /// Volume in dB, one of [`VOLUMES`]; 0 leaves samples as they are.
    pub volume_db: f32,
    /// Whether each sample is brought to the same loudness.
    pub equal_loudness: bool,
    /// Whether the sample, or its region, is played again and again.
    pub looping: bool,
}

impl Default for AuditionSettings {
    fn default() -> Self {
        Self { volume_db: -6.0, equal_loudness: false, looping: false }
    }
}

/// What to play.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cue {
    /// The file.
    pub path: Arc<Path>,
    /// The file's stamp when it was listed; with another stamp it is another sound.
    pub stamp: Option<FileStamp>,
    /// Gain that brings it to the common loudness, in dB.
    pub loudness_db: f32,
}

impl Cue {
    fn is_same_file(&self, other: &Cue) -> bool {
        self.path == other.path && self.stamp == other.stamp
    }
}

/// Where a voice is in its file: computes the frame of the file from the frames that have been played.
#[derive(Debug)]
pub(super) struct PlaybackPosition {
    /// The voice.
    id: u16,
    /// The frame of the file at which the voice started.
    from: u64,
    /// The frame at which a loop begins; none if it does not loop.
    wrap: Option<u64>,
    /// The frame at which it ends, or goes back to `wrap`; `u64::MAX` until that is known.
    end: AtomicU64,
    /// Rate of the file.
    rate: Hz,
    /// Rate of the device.
    device_rate: Hz,
}

impl PlaybackPosition {
    /// The frame of the file that is reached after `played` frames of the device.
    fn frame(&self, played: u64) -> f64 {
        let frame = self.from as f64 + played as f64 * f64::from(self.rate) / f64::from(self.device_rate);
        let end = self.end.load(Ordering::Relaxed) as f64;
        match self.wrap.map(|wrap| wrap as f64) {
            Some(wrap) if frame >= end => wrap + (frame - end) % (end - wrap),
            _ => frame.min(end),
        }
    }

    /// The position at which it started.
    pub fn start_seconds(&self) -> Seconds {
        Frames(self.from).at(self.rate)
    }

    /// The position that is heard now; none unless the renderer plays this voice.
    pub fn seconds(&self, monitor: &Monitor) -> Option<Seconds> {
        let (_, played) = monitor.playing().filter(|(id, _)| *id == self.id)?;
        Some(Seconds(self.frame(played.saturating_sub(monitor.latency())) / f64::from(self.rate)))
    }

    /// The position at which it ended.
    fn end_seconds(&self) -> Seconds {
        Frames(self.end.load(Ordering::Relaxed)).at(self.rate)
    }
}

/// What plays after a call of [`SamplePlayer::feed`].
#[derive(Debug)]
pub(super) enum Fed {
    /// Nothing plays.
    Idle,
    /// The sound plays on; `feed` has to be called again after this time.
    Playing(Duration),
    /// The sound has come to its end, at this position.
    Ended(Seconds),
    /// The rest of its file could not be read.
    Failed(DecodeError),
}

/// The player's ends of the rings to and from the renderer.
struct RendererRings {
    rate: Hz,
    commands: Producer<Command>,
    spent: Consumer<Voice>,
}

/// What plays.
struct Sound {
    cue: Cue,
    reader: Reader,
    /// What it stays within, in frames of the file.
    region: Option<[u64; 2]>,
    /// The next frame to read.
    next: u64,
    /// Frames read since the loop last began.
    pass: u64,
    /// None once everything has been queued, which tells the renderer where the sound ends.
    queue: Option<Producer<f32>>,
    /// Frames queued so far.
    queued: u64,
    /// Resamples; none if file and device have the same rate.
    flow: Option<Flow>,
    gain: Arc<AtomicU32>,
    position: Arc<PlaybackPosition>,
}

/// Plays one sound at a time through a renderer.
pub(super) struct SamplePlayer {
    monitor: Arc<Monitor>,
    settings: AuditionSettings,
    rings: Option<RendererRings>,
    sound: Option<Sound>,
    /// A command for which the ring had no room yet.
    waiting: Option<Command>,
    /// Open files; the last one was used last.
    ready: Vec<(Cue, Reader)>,
    flows: Vec<(Hz, Flow)>,
    decoders: Decoders,
    last_id: u16,
}

impl SamplePlayer {
    /// Makes a player that is not connected.
    pub fn new(monitor: Arc<Monitor>) -> Self {
        let settings = AuditionSettings::default();
        monitor.set_volume(volume(settings.volume_db));
        Self {
            monitor,
            settings,
            rings: None,
            sound: None,
            waiting: None,
            ready: Vec::new(),
            flows: Vec::new(),
            decoders: Decoders::default(),
            last_id: 0,
        }
    }

    /// Makes the renderer for a device.
    pub fn connect(&mut self, rate: Hz, channels: usize) -> Renderer {
        self.disconnect();
        let (renderer, commands, spent) = Renderer::new(rate, channels, self.monitor.clone());
        self.rings = Some(RendererRings { rate, commands, spent });
        renderer
    }

    /// Forgets the device; returns what played, where its playhead was, and its region.
    pub fn disconnect(&mut self) -> Option<(Cue, Seconds, Option<Span>)> {
        let sound = self.sound.take();
        let stopped = sound.map(|sound| {
            let rate = sound.reader.rate();
            let from = sound.position.seconds(&self.monitor).unwrap_or(sound.position.start_seconds());
            let region = sound.region.map(|region| Span::from(region.map(|frame| Frames(frame).at(rate).0)));
            let cue = sound.cue.clone();
            self.put_away(sound);
            (cue, from, region)
        });
        self.rings = None;
        self.waiting = None;
        self.flows.clear();
        self.monitor.clear();
        stopped
    }

    /// Tells whether a sound plays.
    pub fn is_playing(&self) -> bool {
        self.sound.is_some()
    }

    /// Takes new settings; they count at once for what plays.
    ///
    /// # Errors
    /// What plays could not be read at its new place.
    pub fn set(&mut self, settings: AuditionSettings) -> Result<(), DecodeError> {
        let old = std::mem::replace(&mut self.settings, settings);
        self.monitor.set_volume(volume(settings.volume_db));
        if let Some(sound) = &self.sound {
            sound.gain.store(self.gain(&sound.cue).to_bits(), Ordering::Relaxed);
        }
        if old.looping == settings.looping { Ok(()) } else { self.restart_voice() }
    }

    /// Gets the start of a file ready. An error is left to [`play`](Self::play), which comes upon it again.
    pub fn prepare(&mut self, cue: &Cue) {
        if self.sound.as_ref().is_some_and(|sound| sound.cue.is_same_file(cue)) {
            return;
        }
        if let Ok(mut reader) = self.reader(cue)
            && reader.warm().is_ok()
        {
            self.keep(cue.clone(), reader);
        }
    }

    /// Plays a file from a position within a region; what played before is cut.
    ///
    /// # Errors
    /// The file cannot be read or decoded.
    pub fn play(&mut self, cue: Cue, from: Seconds, region: Option<Span>) -> Result<(), DecodeError> {
        if let Some(sound) = self.sound.take() {
            self.put_away(sound);
        }
        let started = self.reader(&cue).and_then(|reader| {
            let region = region.map(|region| frames_of(region, reader.rate()));
            let from = within(from.frames(reader.rate()).0, region);
            self.start_voice(cue, reader, from, region, None)
        });
        if started.is_err() {
            self.send(Command::Stop);
        }
        started
    }

    /// Changes the region of what plays; a position outside of it jumps to its start.
    ///
    /// # Errors
    /// The file could not be read at its new place.
    pub fn set_region(&mut self, region: Option<Span>) -> Result<(), DecodeError> {
        let Some(sound) = &mut self.sound else { return Ok(()) };
        let region = region.map(|region| frames_of(region, sound.reader.rate()));
        if std::mem::replace(&mut sound.region, region) == region { Ok(()) } else { self.restart_voice() }
    }

    /// Stops what plays; returns where it was.
    pub fn stop(&mut self) -> Option<Seconds> {
        let sound = self.sound.take()?;
        let seconds = sound.position.seconds(&self.monitor);
        self.put_away(sound);
        self.send(Command::Stop);
        Some(seconds.unwrap_or_default())
    }

    /// Closes the files that are kept ready, so that their drive can be unmounted.
    pub fn close_files(&mut self) {
        for (_, reader) in self.ready.drain(..) {
            reader.close(&self.decoders);
        }
    }

    /// What the playhead is computed from, while something plays.
    pub fn position(&self) -> Option<Arc<PlaybackPosition>> {
        self.sound.as_ref().map(|sound| sound.position.clone())
    }

    /// Queues as much sound as there is room for, and finds out whether it has ended.
    pub fn feed(&mut self) -> Fed {
        if let Some(command) = self.waiting.take() {
            self.send(command);
        }
        let id = self.sound.as_ref().map(|sound| sound.position.id);
        let mut ended = false;
        while let Some(Ok(voice)) = self.rings.as_mut().map(|rings| rings.spent.pop()) {
            ended |= Some(voice.id) == id;
        }
        let (Some(sound), Some(rings)) = (&mut self.sound, &self.rings) else { return Fed::Idle };
        if ended {
            let end = sound.position.end_seconds();
            if let Some(sound) = self.sound.take() {
                self.put_away(sound);
            }
            return Fed::Ended(end);
        }
        if let Err(error) = sound.fill(usize::MAX, self.settings.looping) {
            // What was queued before is still played.
            self.sound = None;
            return Fed::Failed(error);
        }
        if sound.queue.is_some() {
            return Fed::Playing(FEED_EVERY);
        }
        let played = self.monitor.playing().filter(|(id, _)| *id == sound.position.id).map_or(0, |(_, played)| played);
        let left = sound.queued.saturating_sub(played) as f64 / f64::from(rings.rate);
        Fed::Playing(Duration::from_secs_f64(left + 0.005).min(FEED_EVERY))
    }

    /// Plays on with the new loop or region, in a new voice that begins at the frame that is being rendered.
    fn restart_voice(&mut self) -> Result<(), DecodeError> {
        let Some(sound) = self.sound.take() else { return Ok(()) };
        let id = sound.position.id;
        let played = self.monitor.playing().filter(|(playing, _)| *playing == id).map_or(0, |(_, played)| played);
        let heard = whole(sound.position.frame(played));
        let from = within(heard, sound.region);
        let follows = (from == heard).then_some((id, played));
        let Sound { cue, reader, region, flow, .. } = sound;
        self.keep_flow(reader.rate(), flow);
        let started = self.start_voice(cue, reader, from, region, follows);
        if started.is_err() {
            self.send(Command::Stop);
        }
        started
    }

    /// Starts a voice at the frame `from`; `follows` is the voice that it continues, and how far that had got.
    fn start_voice(
        &mut self,
        cue: Cue,
        mut reader: Reader,
        from: u64,
        region: Option<[u64; 2]>,
        follows: Option<(u16, u64)>,
    ) -> Result<(), DecodeError> {
        let Some(rings) = &self.rings else { return Ok(()) };
        let (rate, device_rate) = (reader.rate(), rings.rate);
        let looping = self.settings.looping;
        let start = region.map_or(0, |[start, _]| start);
        if looping {
            reader.mark(start);
        }
        let flow = if rate == device_rate { None } else { Some(self.flow(rate, device_rate)?) };
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let gain = Arc::new(AtomicU32::new(self.gain(&cue).to_bits()));
        let position = Arc::new(PlaybackPosition {
            id: self.last_id,
            from,
            wrap: looping.then_some(start),
            end: AtomicU64::new(region.map_or(u64::MAX, |[_, end]| end)),
            rate,
            device_rate,
        });
        let room = QUEUED.frames(device_rate).0 + burst(rate, device_rate);
        let (queue, frames) = RingBuffer::new(2 * usize::try_from(room).unwrap_or(0));
        let voice = Voice { id: self.last_id, frames, gain: gain.clone(), fade_in: from > 0, follows };
        let mut sound =
            Sound { cue, reader, region, next: from, pass: 0, queue: Some(queue), queued: 0, flow, gain, position };
        let first = usize::try_from(FIRST.frames(device_rate).0).unwrap_or(0);
        sound.fill(first, looping)?;
        self.send(Command::Start(voice));
        self.sound = Some(sound);
        Ok(())
    }

    /// Takes the file out of those that are ready, or opens it.
    fn reader(&mut self, cue: &Cue) -> Result<Reader, DecodeError> {
        match self.ready.iter().position(|(known, _)| known.is_same_file(cue)) {
            Some(i) => Ok(self.ready.remove(i).1),
            None => Reader::open(&cue.path, &self.decoders),
        }
    }

    fn put_away(&mut self, sound: Sound) {
        self.keep_flow(sound.reader.rate(), sound.flow);
        self.keep(sound.cue, sound.reader);
    }

    fn keep(&mut self, cue: Cue, reader: Reader) {
        if self.ready.len() >= READY {
            self.ready.remove(0).1.close(&self.decoders);
        }
        self.ready.push((cue, reader));
    }

    fn flow(&mut self, rate: Hz, device_rate: Hz) -> Result<Flow, DecodeError> {
        if let Some(i) = self.flows.iter().position(|(known, _)| *known == rate) {
            let (_, mut flow) = self.flows.remove(i);
            flow.restart();
            return Ok(flow);
        }
        Flow::new(rate, device_rate).ok_or_else(|| DecodeError::Damaged(format!("header states {rate}")))
    }

    fn keep_flow(&mut self, rate: Hz, flow: Option<Flow>) {
        if self.flows.len() >= FLOWS {
            self.flows.remove(0);
        }
        self.flows.extend(flow.map(|flow| (rate, flow)));
    }

    fn gain(&self, cue: &Cue) -> f32 {
        if self.settings.equal_loudness { linear(cue.loudness_db) } else { 1.0 }
    }

    /// Hands a command over to the renderer. While its ring is full, only the latest command waits.
    fn send(&mut self, command: Command) {
        let Some(rings) = &mut self.rings else { return };
        self.waiting = rings.commands.push(command).err().map(|rtrb::PushError::Full(command)| command);
    }
}

impl Sound {
    /// Queues sound until `enough` frames have been queued, the queue is full, or the sound ends.
    fn fill(&mut self, enough: usize, looping: bool) -> Result<(), DecodeError> {
        let Self { reader, region, next, pass, queue: place, queued, flow, position, .. } = self;
        let Some(queue) = place else { return Ok(()) };
        let burst = 2 * usize::try_from(burst(position.rate, position.device_rate)).unwrap_or(usize::MAX);
        let start = region.map_or(0, |[start, _]| start);
        let end = region.map_or(u64::MAX, |[_, end]| end);
        while *queued < enough as u64 && queue.slots() >= burst {
            let mut push = |frames: &[f32]| {
                *queued += frames.len() as u64 / 2;
                // This cannot fail: a burst is the most that is pushed between two looks at the room.
                let _ = queue.push_entire_slice(frames);
            };
            let frames = if *next < end { reader.read(*next)? } else { &[] };
            let left = usize::try_from(end - (*next).min(end)).unwrap_or(usize::MAX).min(CHUNK);
            let frames = &frames[..frames.len().min(left.saturating_mul(2))];
            if !frames.is_empty() {
                match flow {
                    Some(flow) => flow.push(frames, &mut push).ok_or(DecodeError::Unsupported("sample rate"))?,
                    None => push(frames),
                }
                *next += frames.len() as u64 / 2;
                *pass += frames.len() as u64 / 2;
                continue;
            }
            position.end.store(*next, Ordering::Relaxed);
            // A loop whose region lies beyond the end of the file gives no frames; it would be tried for ever.
            if looping && *next > start && std::mem::take(pass) > 0 {
                *next = start;
                continue;
            }
            if let Some(flow) = flow {
                flow.finish(&mut push).ok_or(DecodeError::Unsupported("sample rate"))?;
            }
            *place = None;
            return Ok(());
        }
        Ok(())
    }
}

/// Most frames that reading one chunk can give at the device's rate.
fn burst(rate: Hz, device_rate: Hz) -> u64 {
    (2 * CHUNK as u64 * u64::from(device_rate.0)).div_ceil(u64::from(rate.0.max(1))) + CHUNK as u64
}

/// The first frame of a region, and the one behind its last.
fn frames_of(region: Span, rate: Hz) -> [u64; 2] {
    let part = region.frames(rate);
    [part.start.0, part.end.0]
}

/// Returns the frame if it lies within the region, else the region's first frame.
fn within(frame: u64, region: Option<[u64; 2]>) -> u64 {
    region.filter(|[start, end]| !(*start..*end).contains(&frame)).map_or(frame, |[start, _]| start)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` maps what is no position to zero")]
fn whole(frames: f64) -> u64 {
    frames.round() as u64
}

/// Converts a volume to a linear gain.
fn volume(db: f32) -> f32 {
    if db > *VOLUMES.start() { linear(db) } else { 0.0 }
}

/// Converts decibels to a linear gain.
fn linear(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    /// A tone with a little noise, which differs between channels, so that no two frames are equal.
    fn sound(frames: usize, rate: u32, pitch: f32) -> Vec<f32> {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 * 0.01
        };
        let tone = |n: usize| (n as f32 * std::f32::consts::TAU * pitch / rate as f32).sin() * 0.5;
        (0..frames).flat_map(|n| [tone(n) + next(), tone(n) * 0.5 + next()]).collect()
    }

    fn write(path: &Path, rate: u32, stereo: &[f32]) {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: rate,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        stereo.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
    }

    struct Bench {
        folder: tempfile::TempDir,
        player: SamplePlayer,
        renderer: Renderer,
        monitor: Arc<Monitor>,
        ended: Option<f64>,
    }

    impl Bench {
        fn new(settings: AuditionSettings) -> Self {
            let monitor = Arc::new(Monitor::default());
            let mut player = SamplePlayer::new(monitor.clone());
            player.set(settings).unwrap();
            let renderer = player.connect(Hz(RATE), 2);
            Self { folder: tempfile::tempdir().unwrap(), player, renderer, monitor, ended: None }
        }

        fn cue(&self, name: &str) -> Cue {
            Cue { path: self.folder.path().join(name).into(), stamp: None, loudness_db: 0.0 }
        }

        fn sound(&self, name: &str, rate: u32, stereo: &[f32]) -> Cue {
            let cue = self.cue(name);
            write(&cue.path, rate, stereo);
            cue
        }

        /// What a device is given that takes 512 frames at a time.
        fn hear(&mut self, frames: usize) -> Vec<f32> {
            let mut heard = Vec::new();
            while heard.len() < 2 * frames {
                let mut buffer = vec![0.0; 2 * 512.min(frames - heard.len() / 2)];
                if let Fed::Ended(at) = self.player.feed() {
                    self.ended = Some(at.0);
                }
                self.renderer.render(&mut buffer);
                heard.extend(buffer);
            }
            heard
        }

        fn seconds(&self) -> f64 {
            self.player.position().unwrap().seconds(&self.monitor).unwrap().0
        }
    }

    const PLAIN: AuditionSettings = AuditionSettings { volume_db: 0.0, equal_loudness: false, looping: false };
    const LOOP: AuditionSettings = AuditionSettings { looping: true, ..PLAIN };

    fn largest_step(stereo: &[f32]) -> f32 {
        stereo.windows(3).map(|w| (w[2] - w[0]).abs()).fold(0.0, f32::max)
    }

    fn correlation(a: &[f32], b: &[f32]) -> f64 {
        let dot = |x: &[f32], y: &[f32]| -> f64 { x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum() };
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    #[test]
    fn at_the_device_s_rate_a_sound_comes_out_exactly_and_ends() {
        let mut bench = Bench::new(PLAIN);
        let stereo = sound(60_000, RATE, 440.0);
        let cue = bench.sound("a.wav", RATE, &stereo);
        bench.player.play(cue, Seconds(0.0), None).unwrap();
        let heard = bench.hear(61_000);
        assert!(heard[..120_000] == stereo, "not the same samples");
        assert!(heard[120_000..].iter().all(|s| *s == 0.0));
        assert_eq!((bench.ended, bench.player.is_playing(), bench.monitor.underruns()), (Some(1.25), false, 0));
    }

    #[test]
    fn at_another_rate_it_is_the_same_sound() {
        for rate in [44_100, 96_000, 8000] {
            let mut bench = Bench::new(PLAIN);
            let cue = bench.sound("a.wav", rate, &sound(rate as usize, rate, 440.0));
            bench.player.play(cue, Seconds(0.0), None).unwrap();
            let heard = bench.hear(RATE as usize);
            let wanted = sound(RATE as usize, RATE, 440.0);
            let alike = correlation(&heard, &wanted);
            assert!(alike > 0.999, "{rate}: {alike}");
            assert!(bench.hear(500).iter().all(|s| *s == 0.0));
        }
    }

    #[test]
    fn a_prepared_sound_is_in_the_first_buffer_after_play() {
        let mut bench = Bench::new(PLAIN);
        let cue = bench.sound("a.wav", 44_100, &sound(90_000, 44_100, 440.0));
        bench.player.prepare(&cue);
        // With the file gone from the disk, all that can be heard is what was made ready.
        std::fs::remove_file(&cue.path).unwrap();
        bench.player.play(cue, Seconds(0.0), None).unwrap();
        let mut first = vec![0.0; 1024];
        bench.renderer.render(&mut first);
        assert!(first[..20].iter().any(|s| s.abs() > 1e-4) && first[1000..].iter().any(|s| s.abs() > 0.01));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn no_file_stays_open_once_files_are_closed() {
        let mut bench = Bench::new(PLAIN);
        let cues = ["a.wav", "b.wav"].map(|name| bench.sound(name, RATE, &sound(96_000, RATE, 440.0)));
        let folder = bench.folder.path().canonicalize().unwrap();
        let open = || {
            let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
            files.filter(|file| file.path().read_link().is_ok_and(|path| path.starts_with(&folder))).count()
        };
        cues.iter().for_each(|cue| bench.player.prepare(cue));
        assert_eq!(open(), 2);
        bench.player.close_files();
        assert_eq!(open(), 0);
        let [cue, _] = cues;
        bench.player.play(cue, Seconds(0.0), None).unwrap();
        assert!(bench.hear(1000).iter().any(|s| s.abs() > 0.1), "it can be opened again");
    }

    #[test]
    fn one_sound_cuts_another_without_a_click_and_so_does_stop() {
        let mut bench = Bench::new(PLAIN);
        let low = bench.sound("low.wav", RATE, &sound(90_000, RATE, 50.0));
        let high = bench.sound("high.wav", RATE, &sound(90_000, RATE, 60.0));
        bench.player.play(low.clone(), Seconds(0.0), None).unwrap();
        let mut heard = bench.hear(10_000);
        bench.player.play(high.clone(), Seconds(0.3), None).unwrap();
        heard.extend(bench.hear(10_000));
        bench.player.play(low, Seconds(0.0), None).unwrap();
        heard.extend(bench.hear(10_000));
        assert!(bench.player.stop().is_some_and(|at| (at.0 - 10_000.0 / 48_000.0).abs() < 1e-3));
        heard.extend(bench.hear(1000));
        // The tones and their noise step by 0.015; a fade of 240 frames from full level by 0.003 more.
        assert!(largest_step(&heard) < 0.02, "{}", largest_step(&heard));
        assert!(heard[2 * 30_240..].iter().all(|s| *s == 0.0));
    }

    #[test]
    fn a_region_loops_without_a_gap_and_the_playhead_wraps() {
        let mut bench = Bench::new(LOOP);
        let stereo = sound(90_000, RATE, 440.0);
        let cue = bench.sound("a.wav", RATE, &stereo);
        // Half a second from one second on, started in its middle.
        bench.player.play(cue, Seconds(1.25), Some(Span::new(1.0, 1.5))).unwrap();
        let heard = bench.hear(100_000);
        let expected = |n: usize| 48_000 + (12_000 + n) % 24_000;
        let wrong = (300..100_000).find(|n| heard[2 * n..2 * n + 2] != stereo[2 * expected(*n)..2 * expected(*n) + 2]);
        assert_eq!(wrong, None);
        assert!((bench.seconds() - expected(100_000) as f64 / 48_000.0).abs() < 1e-6);
        assert_eq!(bench.monitor.underruns(), 0);
    }

    #[test]
    fn a_whole_sample_loops_at_another_rate() {
        let mut bench = Bench::new(LOOP);
        // A whole number of periods, so that the wrap is smooth.
        let cue = bench.sound("a.wav", 44_100, &sound(4410, 44_100, 440.0));
        bench.player.play(cue, Seconds(0.0), None).unwrap();
        let heard = bench.hear(47_000);
        assert!(correlation(&heard, &sound(47_000, RATE, 440.0)) > 0.998);
        assert!((bench.seconds() - (47_000.0 / 48_000.0) % 0.1).abs() < 1e-6, "{}", bench.seconds());
    }

    #[test]
    fn looping_and_the_region_change_while_it_plays_without_a_gap() {
        let mut bench = Bench::new(PLAIN);
        let stereo = sound(48_000, RATE, 440.0);
        let cue = bench.sound("a.wav", RATE, &stereo);
        bench.player.play(cue, Seconds(0.0), None).unwrap();
        let mut heard = bench.hear(40_000);
        bench.player.set(LOOP).unwrap();
        heard.extend(bench.hear(20_000));
        let at = |n: usize| 2 * (n % 48_000)..2 * (n % 48_000) + 2;
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!((0..60_000).all(|n| near(&heard[2 * n..2 * n + 2], &stereo[at(n)])));
        bench.player.set_region(Some(Span::new(0.2, 0.3))).unwrap();
        bench.hear(500);
        // It stood at 0.25 s and goes on.
        assert!((bench.seconds() - 0.25 - 500.0 / 48_000.0).abs() < 1e-4, "{}", bench.seconds());
        bench.player.set_region(Some(Span::new(0.5, 0.6))).unwrap();
        bench.hear(480);
        assert!((bench.seconds() - 0.51).abs() < 1e-4, "{}", bench.seconds());
        bench.player.set(PLAIN).unwrap();
        bench.hear(48_000);
        assert!(!bench.player.is_playing());
    }

    #[test]
    fn a_region_beyond_the_end_or_of_no_length_ends_or_buzzes_but_never_hangs() {
        let mut bench = Bench::new(LOOP);
        let cue = bench.sound("a.wav", RATE, &sound(4800, RATE, 440.0));
        for region in [[5.0, 6.0], [0.1, 0.1], [0.05, 0.05], [0.09, 0.02], [-3.0, -2.0], [f64::NAN, f64::NAN]] {
            bench.player.play(cue.clone(), Seconds(0.0), Some(region.into())).unwrap();
            bench.hear(5000);
        }
    }

    #[test]
    fn a_missing_file_is_an_error_and_stops_what_played() {
        let mut bench = Bench::new(PLAIN);
        let cue = bench.sound("a.wav", RATE, &sound(48_000, RATE, 440.0));
        bench.player.play(cue, Seconds(0.0), None).unwrap();
        bench.hear(1000);
        let gone = bench.cue("gone.wav");
        bench.player.prepare(&gone);
        assert!(bench.player.play(gone, Seconds(0.0), None).is_err());
        bench.hear(500);
        assert!(bench.hear(500).iter().all(|s| *s == 0.0));
    }

    #[test]
    fn what_a_lost_device_played_can_be_played_on() {
        let mut bench = Bench::new(PLAIN);
        let cue = bench.sound("a.wav", RATE, &sound(96_000, RATE, 440.0));
        bench.player.play(cue.clone(), Seconds(0.0), Some(Span::new(0.0, 1.5))).unwrap();
        bench.hear(24_000);
        let (lost, from, region) = bench.player.disconnect().unwrap();
        assert_eq!((&lost, region), (&cue, Some(Span::new(0.0, 1.5))));
        assert!((from.0 - 0.5).abs() < 1e-6);
        bench.renderer = bench.player.connect(Hz(44_100), 2);
        bench.player.play(lost, from, region).unwrap();
        assert!(bench.hear(1000)[1000..].iter().any(|s| s.abs() > 0.1));
        assert!((bench.seconds() - from.0 - 1000.0 / 44_100.0).abs() < 1e-6);
    }

    #[test]
    fn the_lowest_volume_is_silence() {
        let mut bench = Bench::new(AuditionSettings { volume_db: *VOLUMES.start(), ..PLAIN });
        let cue = bench.sound("a.wav", RATE, &vec![1.0; 40_000]);
        bench.player.play(cue, Seconds(0.0), None).unwrap();
        assert!(bench.hear(5000).iter().all(|s| *s == 0.0));
        bench.player.set(AuditionSettings { volume_db: *VOLUMES.start() + 1.0, ..PLAIN }).unwrap();
        assert!(bench.hear(10_000).last().is_some_and(|s| *s > 1e-3));
    }

    #[test]
    fn equal_loudness_is_a_gain_of_the_voice() {
        let mut bench = Bench::new(AuditionSettings { equal_loudness: true, ..PLAIN });
        let mut cue = bench.sound("a.wav", RATE, &vec![0.25; 20_000]);
        cue.loudness_db = 6.0206;
        bench.player.play(cue, Seconds(0.0), None).unwrap();
        assert!(bench.hear(500).iter().all(|s| (s - 0.5).abs() < 1e-4));
        bench.player.set(PLAIN).unwrap();
        assert_eq!(bench.hear(4000).last(), Some(&0.25));
    }
}
