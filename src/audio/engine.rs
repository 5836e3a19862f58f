//! The `audio` actor: owns the devices and the player, feeds what plays, and looks for an output while there is none.
//!
//! That an output is missing, refuses or goes away is shown to the user once, until that changes. What played goes on
//! from where it was if an output is found within a few seconds. While nothing plays the thread sleeps until a job
//! comes. After a few seconds of silence the device is paused as well; it runs again when a sound may soon be played.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::prelude::Entity;
use crossbeam_channel::{Receiver, bounded, never, select};
use dsp::{Hz, Seconds, Span};
use file::DecodeError;
use tracing::debug;

use super::device::OutputError;
use super::input::{InputDevice, InputRequest, Inputs};
use super::output::{Output, Outputs, StreamEvent};
use super::player::{AuditionSettings, Cue, Fed, PlaybackPosition, SamplePlayer};
use super::render::Monitor;
use crate::actor::{Closed, Outbox};

/// Pause between two attempts to open an output.
const RETRY: Duration = Duration::from_secs(1);
/// Attempts that may fail before the pause between them becomes longer.
const ATTEMPTS_SOON: u32 = 30;
/// The longer pause.
const RETRY_LATER: Duration = Duration::from_secs(5);
/// How long a sound that is to be played waits for an output.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the system is asked which output is the default, while something plays.
const LOOK: Duration = Duration::from_secs(2);
/// Silence after which the device is paused.
const REST: Duration = Duration::from_secs(5);
/// How long the thread sleeps if it has nothing to wait for but a job.
const LONG: Duration = Duration::from_hours(1);
/// Files that may wait to be made ready; of more, the oldest are forgotten.
const MOST_TO_PREPARE: usize = 8;

/// What the plugin asks for.
#[derive(Debug)]
pub(super) enum Job {
    /// Get the start of a file ready.
    Prepare(Cue),
    /// Play a sound.
    Play(Wanted),
    /// Change the region of what plays.
    Region(Option<Span>),
    /// Stop what plays.
    Stop,
    /// Play with these settings from now on.
    Settings(AuditionSettings),
    /// Open an input in place of the one that is open, or none.
    OpenInput(Option<InputRequest>),
}

/// A sound that is to be played.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The sample it belongs to.
    pub sample: Entity,
    /// The file.
    pub cue: Cue,
    /// Where to start.
    pub from: Seconds,
    /// What to stay within, if not the whole sample.
    pub region: Option<Span>,
}

/// What the actor tells the plugin.
#[derive(Debug)]
pub(super) enum Reply {
    /// The output in use, and its rate; none if there is none.
    Device(Option<(String, Hz)>),
    /// A sample plays, and this tells where its playhead is; sent again when the playhead jumps.
    Playing(Entity, Arc<PlaybackPosition>),
    /// Nothing plays any more; the playhead stopped here.
    Stopped(Seconds),
    /// Something that the user should read.
    Notice(String),
}

/// Serves the mailbox until it closes.
pub(super) fn serve(
    inbox: &Receiver<Job>,
    outbox: Outbox<Reply>,
    monitor: Arc<Monitor>,
    outputs: impl Outputs,
    inputs: Box<dyn Inputs>,
) {
    let mut engine = Engine {
        player: SamplePlayer::new(monitor.clone()),
        input: InputDevice::new(inputs),
        monitor,
        outputs,
        outbox,
        events: never(),
        output: None,
        resting: false,
        absent: false,
        lost: false,
        failures: 0,
        attempted: None,
        looked: Instant::now(),
        sounded: Instant::now(),
        wanted: None,
        shown: None,
        ending: None,
        to_prepare: Vec::new(),
    };
    let mut wait = LONG;
    loop {
        let served = select! {
            recv(inbox) -> job => match job {
                Ok(first) => engine.take(std::iter::once(first).chain(inbox.try_iter()).collect()),
                Err(_) => return,
            },
            recv(engine.events) -> event => if let Ok(event) = event {
                engine.on_stream_event(&event)
            } else {
                engine.events = never();
                Ok(())
            },
            recv(engine.input.lost) -> _ => {
                engine.input.close();
                Ok(())
            },
            default(wait) => Ok(()),
        };
        match served.and_then(|()| engine.tick()) {
            Ok(next) => wait = next,
            Err(Closed) => return,
        }
    }
}

/// A sample that the plugin shows as playing.
struct Shown {
    sample: Entity,
    path: Arc<Path>,
    position: Option<Arc<PlaybackPosition>>,
}

/// The actor's state.
struct Engine<O> {
    player: SamplePlayer,
    input: InputDevice,
    monitor: Arc<Monitor>,
    outputs: O,
    outbox: Outbox<Reply>,
    /// Reports of the open output.
    events: Receiver<StreamEvent>,
    output: Option<Output>,
    resting: bool,
    /// The user has been shown that there is no output.
    absent: bool,
    /// There was an output, and it went away by itself.
    lost: bool,
    /// Attempts to open an output that have failed since one succeeded.
    failures: u32,
    /// When the last attempt was made.
    attempted: Option<Instant>,
    /// When the system was last asked which output is the default.
    looked: Instant,
    /// When something last played or was made ready.
    sounded: Instant,
    /// A sound that waits for an output, and until when.
    wanted: Option<(Wanted, Instant)>,
    /// What plays, as the plugin knows it.
    shown: Option<Shown>,
    /// Everything has been rendered: when the last frame will have been heard, and where the playhead is then.
    ending: Option<(Instant, Seconds)>,
    /// Files to make ready; the last is the newest.
    to_prepare: Vec<Cue>,
}

impl<O: Outputs> Engine<O> {
    /// Acts on jobs; of several of one kind only the last counts.
    fn take(&mut self, jobs: Vec<Job>) -> Result<(), Closed> {
        let kinds: Vec<_> = jobs.iter().map(std::mem::discriminant).collect();
        for (i, job) in jobs.into_iter().enumerate() {
            let last = !kinds[i + 1..].contains(&kinds[i]);
            match job {
                Job::Prepare(cue) => put_last(&mut self.to_prepare, cue),
                _ if !last => {}
                Job::Play(wanted) => {
                    self.wanted = Some((wanted, Instant::now() + PATIENCE));
                    self.play()?;
                }
                Job::Region(region) => {
                    if let Some((wanted, _)) = &mut self.wanted {
                        wanted.region = region;
                    }
                    let moved = self.player.set_region(region);
                    self.show_position(moved)?;
                }
                Job::Stop => {
                    let waited = self.wanted.take().map(|(wanted, _)| wanted.from);
                    let ended = self.ending.map(|(_, seconds)| seconds);
                    if let Some(seconds) = self.player.stop().or(ended).or(waited) {
                        self.stopped(seconds)?;
                    }
                }
                Job::OpenInput(request) => self.input.open(request),
                Job::Settings(settings) => {
                    let moved = self.player.set(settings);
                    self.show_position(moved)?;
                }
            }
        }
        Ok(())
    }

    /// Acts on what the device reports.
    fn on_stream_event(&mut self, event: &StreamEvent) -> Result<(), Closed> {
        let Some(output) = &mut self.output else { return Ok(()) };
        match event {
            StreamEvent::Lost(error) => {
                debug!("lost {}: {:?}, {error}", output.device.name, error.kind());
                let text = format!(
                    "sound output was disconnected; connect it or another to go on playing: {}",
                    output.device.name
                );
                let known = output.device.id.clone();
                self.close();
                // Sound servers sometimes end a stream although the same device can be opened again at once.
                let found = self.open();
                if let (Ok(()), Some(output)) = (&found, &self.output) {
                    if output.device.id != known {
                        self.outbox.send(Reply::Notice(format!("now playing on {}", output.device.name)))?;
                    }
                } else {
                    (self.absent, self.lost) = (true, true);
                    self.outbox.send(Reply::Notice(text))?;
                    self.outbox.send(Reply::Device(None))?;
                }
                self.show_output(found)?;
                self.start()
            }
            StreamEvent::Moved => {
                if let Some(device) = self.outputs.default_device() {
                    output.device = device;
                }
                let (name, rate) = (output.device.name.clone(), output.rate);
                self.outbox.send(Reply::Notice(format!("now playing on {name}")))?;
                self.outbox.send(Reply::Device(Some((name, rate))))
            }
        }
    }

    /// Does what is due; returns how long there is nothing to do.
    fn tick(&mut self) -> Result<Duration, Closed> {
        let now = Instant::now();
        let mut wait = LONG;
        // Where there never was an output, one is looked for only while a sound waits for it.
        if self.output.is_none() && (self.wanted.is_some() || self.lost) {
            let pause = if self.failures < ATTEMPTS_SOON { RETRY } else { RETRY_LATER };
            if self.attempted.is_none_or(|at| now >= at + pause) {
                let found = self.open();
                self.show_output(found)?;
                self.start()?;
            }
            if self.output.is_none() {
                wait = wait.min(pause);
            }
        }
        if self.wanted.as_ref().is_some_and(|(_, until)| now >= *until) {
            let seconds = self.wanted.take().map_or(Seconds(0.0), |(wanted, _)| wanted.from);
            self.stopped(seconds)?;
        }
        match self.player.feed() {
            Fed::Idle => {}
            Fed::Playing(next) => {
                self.sounded = now;
                wait = wait.min(next);
            }
            Fed::Ended(seconds) => {
                let rate = self.output.as_ref().map_or(Hz(1), |output| output.rate);
                let late = Duration::from_secs_f64(self.monitor.latency() as f64 / f64::from(rate)).min(REST);
                debug!("rendered to {seconds}, heard in {late:?}; {} underruns", self.monitor.underruns());
                self.ending = Some((now + late, seconds));
            }
            Fed::Failed(error) => self.failed(&error)?,
        }
        if let Some((at, seconds)) = self.ending {
            if now >= at {
                self.stopped(seconds)?;
            } else {
                wait = wait.min(at - now);
            }
        }
        wait = wait.min(self.follow_default(now)?).min(self.rest(now));
        if let Some(cue) = self.to_prepare.pop() {
            // Only one file between two looks at the mailbox, so that a sound to be played need not wait for them all.
            self.sounded = now;
            // With the device open already, the sound will start at once. That there is none is shown only when
            // something is played.
            let due = !self.absent && self.attempted.is_none_or(|at| now >= at + RETRY);
            if !self.wake() && due && self.open().is_ok() {
                self.show_output(Ok(()))?;
            }
            self.player.prepare(&cue);
            wait = Duration::ZERO;
        }
        Ok(wait)
    }

    /// Plays the sound that waits, opening the output if need be.
    fn play(&mut self) -> Result<(), Closed> {
        self.sounded = Instant::now();
        // While the user is shown that there is no output, `tick` tries to open one.
        if !self.wake() && !self.absent {
            let found = self.open();
            self.show_output(found)?;
        }
        self.start()
    }

    fn start(&mut self) -> Result<(), Closed> {
        if self.output.is_none() {
            return Ok(());
        }
        let Some((Wanted { sample, cue, from, region }, _)) = self.wanted.take() else { return Ok(()) };
        self.ending = None;
        let asked = Instant::now();
        let started = self.player.play(cue.clone(), from, region);
        debug!("queued in {:?}: {}", asked.elapsed(), cue.path.display());
        self.shown = Some(Shown { sample, path: cue.path, position: None });
        self.show_position(started)
    }

    /// Tells the plugin where the playhead is if a new voice has started, or that the sound failed.
    fn show_position(&mut self, moved: Result<(), DecodeError>) -> Result<(), Closed> {
        if let Err(error) = moved {
            return self.failed(&error);
        }
        if let (Some(shown), Some(position)) = (&mut self.shown, self.player.position())
            && !shown.position.as_ref().is_some_and(|known| Arc::ptr_eq(known, &position))
        {
            shown.position = Some(position.clone());
            return self.outbox.send(Reply::Playing(shown.sample, position));
        }
        Ok(())
    }

    fn failed(&mut self, error: &DecodeError) -> Result<(), Closed> {
        if let Some(shown) = &self.shown {
            self.outbox.send(Reply::Notice(format!("{error}: {}", shown.path.display())))?;
        }
        self.stopped(Seconds(0.0))
    }

    fn stopped(&mut self, seconds: Seconds) -> Result<(), Closed> {
        (self.shown, self.ending) = (None, None);
        self.outbox.send(Reply::Stopped(seconds))
    }

    fn open(&mut self) -> Result<(), OutputError> {
        let started = Instant::now();
        self.attempted = Some(started);
        self.failures += 1;
        // Each output has a channel of its own, so that a late report of a closed one is not taken for one of the new
        // one. It holds a single report: that is dealt with before another one matters.
        let (events, heard) = bounded(1);
        let output = self.outputs.open(&mut self.player, &self.monitor, events)?;
        self.events = heard;
        debug!("opened {} at {} in {:?}", output.device.name, output.rate, started.elapsed());
        self.output = Some(output);
        (self.failures, self.resting, self.lost) = (0, false, false);
        Ok(())
    }

    /// Tells the plugin what came of an attempt to open an output; a failure only once.
    fn show_output(&mut self, found: Result<(), OutputError>) -> Result<(), Closed> {
        match (found, &self.output) {
            (Ok(()), Some(output)) => {
                let (name, rate) = (output.device.name.clone(), output.rate);
                if std::mem::take(&mut self.absent) {
                    self.outbox.send(Reply::Notice(format!("sound output is back: {name}")))?;
                }
                self.outbox.send(Reply::Device(Some((name, rate))))
            }
            (Err(error), _) if !self.absent => {
                self.absent = true;
                self.outbox.send(Reply::Notice(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Closes the output; what played waits for the next output.
    fn close(&mut self) {
        let stopped = self.player.disconnect();
        if let (Some((cue, from, region)), Some(shown)) = (stopped, self.shown.take()) {
            let wanted = Wanted { sample: shown.sample, cue, from, region };
            self.wanted = Some((wanted, Instant::now() + PATIENCE));
        }
        self.output = None;
        self.events = never();
        self.attempted = None;
    }

    /// Makes sure that an open output is not paused; false if there is no open output.
    fn wake(&mut self) -> bool {
        if let Some(output) = &self.output
            && self.resting
            && !output.stream.run(true)
        {
            self.close();
        }
        self.resting = false;
        self.output.is_some()
    }

    /// Moves to another output if the user has made that the default while something plays; returns when to ask again.
    fn follow_default(&mut self, now: Instant) -> Result<Duration, Closed> {
        if !self.player.is_playing() {
            return Ok(LONG);
        }
        if now >= self.looked + LOOK {
            self.looked = now;
            let default = self.outputs.default_device().and_then(|device| device.id);
            if default.is_some() && self.output.as_ref().is_some_and(|output| output.device.id != default) {
                self.close();
                self.lost = true;
                let found = self.open();
                if let (Ok(()), Some(output)) = (&found, &self.output) {
                    self.outbox.send(Reply::Notice(format!("now playing on {}", output.device.name)))?;
                }
                self.show_output(found)?;
                self.start()?;
            }
        }
        Ok(LOOK)
    }

    /// After a while of silence, pauses the device and closes all files; returns how long until that is due.
    fn rest(&mut self, now: Instant) -> Duration {
        if self.resting || self.player.is_playing() {
            return LONG;
        }
        if now < self.sounded + REST {
            return self.sounded + REST - now;
        }
        self.player.close_files();
        let Some(output) = &self.output else { return LONG };
        self.resting = output.stream.run(false);
        debug!("resting: {}", self.resting);
        if !self.resting {
            // A stream that cannot be paused is closed instead: opening it again takes about as long as one buffer.
            self.close();
        }
        LONG
    }
}

fn put_last(to_prepare: &mut Vec<Cue>, cue: Cue) {
    to_prepare.retain(|other| *other != cue);
    to_prepare.push(cue);
    let old = to_prepare.len().saturating_sub(MOST_TO_PREPARE);
    to_prepare.drain(..old);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_files_to_make_ready_only_the_newest_are_kept() {
        let cue = |n: usize| Cue { path: Path::new(&format!("{n}.wav")).into(), stamp: None, loudness_db: 0.0 };
        let mut to_prepare = Vec::new();
        for n in 0..20 {
            put_last(&mut to_prepare, cue(n % 10));
        }
        assert_eq!(to_prepare, (2..10).map(cue).collect::<Vec<_>>());
    }
}
