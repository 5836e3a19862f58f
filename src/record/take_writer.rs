//! The `recorder` thread: reads the input's ring, keeps the pre-roll, and makes takes: writes the file, measures as it goes,
//! and reports to the app. It never waits for the app: reports that cannot be sent yet are collected and sent later.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};
use dsp::analysis::StreamAnalysis;
use dsp::onset::Onsets;
use dsp::{Frames, Hz, Pcm, Seconds, Span};
use file::wav_writer::{Format, Spec, Writer};

use super::level::{Level, Peaks};
use super::settings::recordings;
use crate::actor::Outbox;
use crate::analyse::FinishedTake;
use crate::audio::{InputError, InputStream, Overruns};
use crate::library::{AudioInfo, ContentHash, FileStamp};

/// The ring is read this often.
const POLL: Duration = Duration::from_millis(10);
/// Nothing is due.
const LONG: Duration = Duration::from_hours(1);
/// Level and waveform are reported to the app this often.
const REPORT_EVERY: Duration = Duration::from_millis(33);
/// The file is brought up to date this often, so that a crash costs less than a second.
const SETTLE: Duration = Duration::from_millis(400);
/// A device that delivers nothing for this long counts as disconnected.
const MUTE: Duration = Duration::from_secs(5);
/// How much of the newest sound is embedded during a take, and how often.
const NEWEST: Seconds = Seconds(2.5);
const NEWEST_EVERY: Seconds = Seconds(0.4);
/// Samples of waveform kept for an app that is too busy to take them; beyond this they are read from the file instead.
const UNREPORTED: usize = 1 << 24;
/// Ends of a take below this level (-60 dBFS) are proposed for trimming; the margins left before and after, in seconds.
const QUIET: f32 = 1e-3;
const MARGIN: [f64; 2] = [0.01, 0.05];

/// What the plugin asks for.
pub(super) enum Job {
    /// Channels to record, counted from 1, none for all up to two; and the longest pre-roll.
    Setup { channels: Vec<u16>, pre_roll: Seconds },
    /// Begin a take, now or once the input is open or loud enough.
    Start(Box<Start>),
    /// End it.
    Stop,
    /// Forget that the input has clipped.
    Unclip,
    /// Let go of the input, because another one is about to be opened or none is needed.
    Leave,
}

/// How a take is made.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// Names it in replies.
    pub serial: u64,
    /// Where the file goes; none for a take that is not kept.
    pub place: Option<Place>,
    /// How much before the start belongs to it.
    pub pre_roll: Seconds,
    /// Level that starts it, in dBFS.
    pub threshold_db: Option<f32>,
    /// How long after its start it ends by itself.
    pub seconds: Option<Seconds>,
    /// How much the model wants.
    pub keep: Seconds,
    /// How samples are written.
    pub format: Format,
}

/// Where a file goes.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Into this folder, or that for recordings if it is empty, named by date and time.
    Recordings(PathBuf),
    /// Under this name.
    File(PathBuf),
}

/// What the plugin is told.
pub(super) enum Reply {
    /// The input is open: name, rate, channels that are recorded.
    InputOpened(String, Hz, usize),
    /// The input is closed: whether it was lost, and why, unless that has been reported in another way.
    InputClosed { lost: bool, error: Option<InputError> },
    /// The input's level, and what it has lost.
    Level(Level, Overruns),
    /// A take has begun.
    Started { serial: u64, path: Option<Arc<Path>>, info: AudioInfo },
    /// It has grown by these interleaved frames; `None` if too many were waiting to be sent.
    Grew { serial: u64, frames: Option<Vec<f32>>, info: AudioInfo },
    /// Its newest sound.
    Live(u64, Pcm),
    /// It has ended.
    Finished(u64, Box<Finished>),
    /// It could not begin, or there was nothing in it.
    Failed(u64, String),
    /// Something for the user.
    Notice(String),
}

/// A take that has ended.
pub(super) struct Finished {
    /// Its file as it is now.
    pub stamp: Option<FileStamp>,
    /// Its analysis without the vector; `None` if the file could not be finished as it should.
    pub take: Option<FinishedTake>,
    /// Where sounds begin in it.
    pub onsets: Vec<Seconds>,
    /// What is left of it without silence at its ends.
    pub loud: Option<Span>,
    /// What was lost during it.
    pub overruns: Overruns,
    /// Why it has ended, if nobody asked for it.
    pub reason: Option<String>,
}

/// Serves the mailbox until it closes; a take that is under way at that moment is finished properly.
pub(super) fn serve(inbox: &Receiver<Job>, outbox: Outbox<Reply>, inputs: &Receiver<Result<InputStream, InputError>>) {
    let mut take_writer = TakeWriter::new(outbox);
    loop {
        let wait = if take_writer.input.is_some() || take_writer.reports.is_waiting() { POLL } else { LONG };
        select! {
            recv(inbox) -> job => if let Ok(job) = job {
                take_writer.serve(job);
            } else {
                take_writer.read_input();
                take_writer.end(None);
                take_writer.sync();
                return;
            },
            recv(inputs) -> input => if let Ok(input) = input {
                // Jobs sent before the input was requested, such as a take, have to be handled first.
                inbox.try_iter().for_each(|job| take_writer.serve(job));
                take_writer.connect(input);
            },
            default(wait) => {}
        }
        take_writer.read_input();
        take_writer.reports.send();
        take_writer.sync();
    }
}

struct TakeWriter {
    reports: Reports,
    input: Option<InputStream>,
    /// When the input last gave something.
    last_read: Instant,
    wanted: Vec<u16>,
    /// The channels of the input that are recorded, counted from 0.
    channels: Vec<usize>,
    longest: Seconds,
    raw: Vec<f32>,
    block: Vec<f32>,
    peaks: Peaks,
    pre_roll: VecDeque<f32>,
    start: Option<Box<Start>>,
    take: Option<Take>,
    reported: Instant,
    /// A file that is complete but perhaps not on the disk yet.
    unsynced: Option<(File, Arc<Path>)>,
}

impl TakeWriter {
    fn new(outbox: Outbox<Reply>) -> Self {
        Self {
            reports: Reports::new(outbox),
            input: None,
            last_read: Instant::now(),
            wanted: Vec::new(),
            channels: Vec::new(),
            longest: Seconds(0.0),
            raw: Vec::new(),
            block: Vec::new(),
            peaks: Peaks::default(),
            pre_roll: VecDeque::new(),
            start: None,
            take: None,
            reported: Instant::now(),
            unsynced: None,
        }
    }

    fn serve(&mut self, job: Job) {
        // Sound that has come in so far belongs to the jobs handled so far.
        self.read_input();
        match job {
            Job::Setup { channels, pre_roll } => {
                (self.wanted, self.longest) = (channels, pre_roll);
                if self.take.is_none() {
                    self.choose_channels();
                    // A shorter pre-roll counts at once.
                    self.remember(&[]);
                }
            }
            Job::Start(start) => {
                self.end(None);
                self.start = Some(start);
                self.begin_if_due();
            }
            Job::Stop => {
                if let Some(start) = self.start.take() {
                    self.reports.add(Reply::Failed(start.serial, String::new()));
                }
                self.end(None);
            }
            Job::Unclip => self.peaks.unclip(),
            Job::Leave if self.input.is_some() => self.close_input(None),
            Job::Leave => {}
        }
    }

    fn connect(&mut self, input: Result<InputStream, InputError>) {
        match input {
            Ok(input) => {
                self.input = Some(input);
                self.last_read = Instant::now();
                self.channels.clear();
                self.choose_channels();
                self.begin_if_due();
            }
            Err(error) => self.close_input(Some(error)),
        }
    }

    /// Switches to the wanted channels of the input, unless they are in use already.
    fn choose_channels(&mut self) {
        let Some(input) = &self.input else { return };
        let wanted = self.wanted.iter().map(|channel| usize::from(*channel).wrapping_sub(1));
        let mut channels: Vec<usize> = wanted.filter(|channel| *channel < input.channels).collect();
        if channels.is_empty() {
            channels = (0..input.channels.min(2)).collect();
        }
        if channels == self.channels {
            return;
        }
        self.channels = channels;
        self.pre_roll.clear();
        self.peaks.restart(self.channels.len());
        self.reports.add(Reply::InputOpened(input.name.clone(), input.rate, self.channels.len()));
    }

    /// Reads what has come in.
    fn read_input(&mut self) {
        let Some(input) = &mut self.input else { return };
        // Checked before reading, so that frames which arrive just before the end are still read.
        let over = input.is_over();
        self.raw.clear();
        input.read(&mut self.raw);
        let (rate, width) = (input.rate, input.channels);
        if !self.raw.is_empty() {
            self.last_read = Instant::now();
            let mut block = std::mem::take(&mut self.block);
            block.clear();
            if self.channels.len() == width && self.channels.is_sorted() {
                block.extend_from_slice(&self.raw);
            } else {
                let frames = self.raw.chunks_exact(width);
                block.extend(frames.flat_map(|frame| self.channels.iter().map(|channel| frame[*channel])));
            }
            self.peaks.add(&block, rate);
            self.add_block(&block);
            self.block = block;
        }
        let overruns = self.overruns();
        if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            self.reports.level = Some((self.peaks.take(), overruns));
            if let Some(take) = &mut self.take {
                self.reports.grew(take);
            }
        }
        if over || self.last_read.elapsed() > MUTE {
            let input = self.input.as_ref().inspect(|input| {
                if !over {
                    input.give_up();
                }
            });
            let reason = input.and_then(|input| input.reason().cloned());
            self.close_input(reason);
        }
    }

    /// What the input has lost since it was opened.
    fn overruns(&self) -> Overruns {
        self.input.as_ref().map(InputStream::overruns).unwrap_or_default()
    }

    /// Ends whatever depends on the input, because the input is gone.
    fn close_input(&mut self, error: Option<InputError>) {
        let started = self.take.is_some();
        if let (Some(error), true) = (&error, started) {
            self.end(Some(error.to_string()));
        } else {
            self.end(None);
        }
        let lost = error.is_some();
        // An input that is closed for another leaves the take waiting for that one.
        let error = match &error {
            Some(error) if let Some(start) = self.start.take() => {
                self.reports.add(Reply::Failed(start.serial, error.to_string()));
                None
            }
            _ => error.filter(|_| !started),
        };
        self.reports.add(Reply::InputClosed { lost, error });
        self.input = None;
        self.pre_roll = VecDeque::new();
        self.reports.level = Some((Level::default(), Overruns::default()));
    }

    /// Gives frames to the take, or keeps them in case one begins.
    fn add_block(&mut self, mut block: &[f32]) {
        let width = self.channels.len().max(1);
        if self.take.is_none()
            && let Some(threshold) = self.start.as_ref().and_then(|start| start.threshold_db)
        {
            let loud = 10_f32.powf(threshold / 20.0);
            let Some(first) = block.iter().position(|sample| sample.abs() >= loud) else {
                self.remember(block);
                return;
            };
            let (before, rest) = block.split_at(first - first % width);
            self.remember(before);
            self.begin();
            block = rest;
        }
        let Some(take) = &mut self.take else {
            self.remember(block);
            return;
        };
        let room = take.room().saturating_mul(width).min(block.len());
        let added = take.add(&block[..room]);
        if let Some(newest) = take.newest() {
            self.reports.newest = Some((take.serial, newest));
        }
        let is_full = take.room() == 0;
        match added {
            Err(error) => self.end(Some(error)),
            Ok(()) if is_full => {
                self.end(None);
                self.remember(&block[room..]);
            }
            Ok(()) => {}
        }
    }

    fn remember(&mut self, block: &[f32]) {
        let Some(input) = &self.input else { return };
        let longest = self.start.as_ref().map_or(self.longest, |start| self.longest.max(start.pre_roll));
        let most = frames(longest, input.rate) * self.channels.len();
        self.pre_roll.extend(&block[block.len().saturating_sub(most)..]);
        self.pre_roll.drain(..self.pre_roll.len().saturating_sub(most));
    }

    /// Begins the take that is wanted, unless it waits for something.
    fn begin_if_due(&mut self) {
        if self.input.is_some() && self.start.as_ref().is_some_and(|start| start.threshold_db.is_none()) {
            self.begin();
        }
    }

    fn begin(&mut self) {
        let (Some(start), Some(input)) = (self.start.take(), &self.input) else { return };
        let serial = start.serial;
        let before = frames(start.pre_roll, input.rate) * self.channels.len();
        self.pre_roll.drain(..self.pre_roll.len().saturating_sub(before));
        // May be less than was asked for.
        let there = self.pre_roll.len() / self.channels.len().max(1);
        let began = Take::begin(&start, input, self.channels.len(), there).and_then(|mut take| {
            let path = take.file.as_ref().map(|(_, path)| path.clone());
            self.reports.add(Reply::Started { serial, path, info: AudioInfo(take.analysis.info(take.codec)) });
            let added = take.add(self.pre_roll.make_contiguous());
            self.take = Some(take);
            added
        });
        self.pre_roll.clear();
        match (began, self.take.is_some()) {
            (Err(error), true) => self.end(Some(error)),
            (Err(error), false) => self.reports.add(Reply::Failed(serial, error)),
            (Ok(()), _) => {}
        }
    }

    /// Ends the take that is under way; `reason` says why if nobody asked.
    fn end(&mut self, reason: Option<String>) {
        let Some(mut take) = self.take.take() else { return };
        self.reports.grew(&mut take);
        let overruns = self.overruns().since(take.overruns);
        let serial = take.serial;
        let (finished, file) = take.finish(reason, overruns);
        self.reports.add(match finished {
            Ok(finished) => Reply::Finished(serial, Box::new(finished)),
            Err(reason) => Reply::Failed(serial, reason),
        });
        self.unsynced = file;
    }

    /// Brings a finished file to the disk, after the app has heard of it.
    fn sync(&mut self) {
        if let Some((file, path)) = self.unsynced.take()
            && let Err(error) = file.sync_all()
        {
            let text = format!("recording may not survive a power cut ({error}); check the drive: {}", path.display());
            self.reports.add(Reply::Notice(text));
        }
    }
}

/// Frames that lie in memory.
fn frames(seconds: Seconds, rate: Hz) -> usize {
    usize::try_from(seconds.frames(rate).0).unwrap_or(usize::MAX)
}

/// A take under way.
struct Take {
    serial: u64,
    file: Option<(Writer<File>, Arc<Path>)>,
    codec: &'static str,
    rate: Hz,
    channels: usize,
    analysis: StreamAnalysis,
    onsets: Onsets,
    /// First and last frame that is not quiet.
    loud: Option<[Frames; 2]>,
    newest: VecDeque<f32>,
    /// The frame at which the newest sound is next reported.
    report_at: Frames,
    /// Frames at which it ends by itself.
    limit: usize,
    settled: Instant,
    /// Frames that the app has not been told of.
    unreported: Option<Vec<f32>>,
    /// What the input had lost when it began.
    overruns: Overruns,
}

impl Take {
    /// Begins a take with this many frames of pre-roll, which do not count towards the length asked for.
    fn begin(start: &Start, input: &InputStream, channels: usize, before: usize) -> Result<Self, String> {
        let width = u16::try_from(channels).unwrap_or(u16::MAX);
        let spec = Spec { rate: input.rate, channels: width, format: start.format };
        let file = start.place.as_ref().map(|place| create(place, spec)).transpose()?;
        Ok(Self {
            serial: start.serial,
            file,
            codec: start.format.codec(),
            rate: input.rate,
            channels,
            analysis: StreamAnalysis::new(input.rate, channels, start.keep),
            onsets: Onsets::new(input.rate),
            loud: None,
            newest: VecDeque::new(),
            report_at: NEWEST_EVERY.frames(input.rate),
            limit: start.seconds.map_or(usize::MAX, |seconds| before + frames(seconds, input.rate)),
            settled: Instant::now(),
            unreported: Some(Vec::new()),
            overruns: input.overruns(),
        })
    }

    /// Frames until it ends by itself.
    fn room(&self) -> usize {
        self.limit.saturating_sub(usize::try_from(self.analysis.frames().0).unwrap_or(usize::MAX))
    }

    fn add(&mut self, block: &[f32]) -> Result<(), String> {
        if let Some((writer, path)) = &mut self.file {
            writer.write(block).map_err(|error| ended(&error, path))?;
            if self.settled.elapsed() >= SETTLE {
                writer.settle().map_err(|error| ended(&error, path))?;
                self.settled = Instant::now();
            }
        }
        let before = self.analysis.frames();
        let loud = |sample: &f32| sample.abs() > QUIET;
        if let (Some(first), Some(last)) = (block.iter().position(loud), block.iter().rposition(loud)) {
            let [first, last] = [first, last].map(|sample| Frames(before.0 + (sample / self.channels.max(1)) as u64));
            self.loud = Some([self.loud.map_or(first, |[first, _]| first), last]);
        }
        self.analysis.add(block);
        self.onsets.add(self.analysis.mono());
        self.newest.extend(self.analysis.mono());
        let most = frames(NEWEST, self.rate);
        self.newest.drain(..self.newest.len().saturating_sub(most));
        if let Some(unreported) =
            self.unreported.as_mut().filter(|unreported| unreported.len() + block.len() <= UNREPORTED)
        {
            unreported.extend_from_slice(block);
        } else {
            self.unreported = None;
        }
        Ok(())
    }

    /// The newest sound, if it is time to tell it.
    fn newest(&mut self) -> Option<Pcm> {
        let now = self.analysis.frames();
        if now < self.report_at {
            return None;
        }
        self.report_at = Frames(now.0 + NEWEST_EVERY.frames(self.rate).0);
        let start = Frames(now.0 - self.newest.len() as u64).at(self.rate);
        Some(Pcm { rate: self.rate, start, mono: self.newest.iter().copied().collect() })
    }

    fn finish(
        self,
        reason: Option<String>,
        overruns: Overruns,
    ) -> (Result<Finished, String>, Option<(File, Arc<Path>)>) {
        let Seconds(length) = self.analysis.frames().at(self.rate);
        let (mut hash, mut stamp, mut whole, mut open) = (None, None, true, None);
        let mut reason = reason;
        if let Some((writer, path)) = self.file {
            if self.analysis.frames() == Frames(0) {
                let text = reason.unwrap_or_else(|| "nothing was recorded; check the input".to_owned());
                // If the empty file cannot be removed, that is not worth a message of its own.
                let _ = std::fs::remove_file(&path);
                return (Err(text), None);
            }
            match writer.finish().and_then(|(hash, file)| Ok((hash, FileStamp::of(&file.metadata()?), file))) {
                Ok((found, is, file)) => (hash, stamp, open) = (Some(found), Some(is), Some((file, path))),
                Err(error) => {
                    stamp = std::fs::metadata(&path).ok().map(|metadata| FileStamp::of(&metadata));
                    whole = false;
                    reason.get_or_insert_with(|| ended(&error, &path));
                }
            }
        }
        let loud = self.loud.map(|[first, last]| {
            let [Seconds(first), Seconds(end)] = [first, Frames(last.0 + 1)].map(|frame| frame.at(self.rate));
            Span::new((first - MARGIN[0]).max(0.0), (end + MARGIN[1]).min(length))
        });
        let decoded = Box::new(self.analysis.finish(self.codec));
        let finished = Finished {
            stamp,
            take: whole.then_some(FinishedTake { decoded, hash: hash.map(ContentHash) }),
            onsets: self.onsets.finish(),
            loud,
            overruns,
            reason,
        };
        (Ok(finished), open)
    }
}

/// Makes the file of a take; nothing is ever written over.
fn create(place: &Place, spec: Spec) -> Result<(Writer<File>, Arc<Path>), String> {
    let new = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    let (file, path) = match place {
        Place::File(path) => (new(path), path.clone()),
        Place::Recordings(chosen) => {
            let folder = recordings(chosen);
            let failed =
                |error| format!("cannot use recordings folder ({error}); choose another: {}", folder.display());
            std::fs::create_dir_all(&folder).map_err(failed)?;
            let folder = folder.canonicalize().map_err(failed)?;
            let name = jiff::Zoned::now().strftime("%Y-%m-%d %H.%M.%S").to_string();
            let names = (2..100).map(|n| format!("{name} {n}.wav"));
            let mut found = None;
            for name in std::iter::once(format!("{name}.wav")).chain(names) {
                let path = folder.join(name);
                let file = new(&path);
                let taken = file.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists);
                found = Some((file, path));
                if !taken {
                    break;
                }
            }
            found.unwrap_or_else(|| (Err(io::ErrorKind::AlreadyExists.into()), folder))
        }
    };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!("file already exists; choose another name: {}", path.display()),
        _ => format!("cannot create file ({error}); check the folder and its permissions: {}", path.display()),
    };
    let writer = file.and_then(|file| Writer::new(file, spec)).map_err(failed)?;
    let path = path.canonicalize().unwrap_or_else(|_| path.clone());
    Ok((writer, path.into()))
}

fn ended(error: &io::Error, path: &Path) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            format!("recording stopped because the disk is full; free some space and record again: {path}")
        }
        _ => format!("recording stopped ({error}); check the drive and record again: {path}"),
    }
}

/// Reports that have not been sent to the app yet.
struct Reports {
    outbox: Outbox<Reply>,
    /// In order, and never lost.
    replies: VecDeque<Reply>,
    level: Option<(Level, Overruns)>,
    newest: Option<(u64, Pcm)>,
}

impl Reports {
    fn new(outbox: Outbox<Reply>) -> Self {
        Self { outbox, replies: VecDeque::new(), level: None, newest: None }
    }

    fn add(&mut self, reply: Reply) {
        if matches!(reply, Reply::Finished(..)) {
            self.newest = None;
        }
        self.replies.push_back(reply);
    }

    /// Reports how a take has grown, or goes on collecting while earlier reports are waiting.
    fn grew(&mut self, take: &mut Take) {
        let waits = matches!(self.replies.back(), Some(Reply::Grew { .. }));
        if !waits {
            let frames = take.unreported.replace(Vec::new());
            let info = take.analysis.info(take.codec);
            self.add(Reply::Grew { serial: take.serial, frames, info: AudioInfo(info) });
        }
    }

    fn is_waiting(&self) -> bool {
        !self.replies.is_empty() || self.newest.is_some()
    }

    /// Tells what there is room for.
    fn send(&mut self) {
        while let Some(add) = self.replies.pop_front() {
            if let Err(add) = self.outbox.try_send(add) {
                self.replies.push_front(add);
                return;
            }
        }
        if let Some((serial, pcm)) = self.newest.take()
            && let Err(Reply::Live(serial, pcm)) = self.outbox.try_send(Reply::Live(serial, pcm))
        {
            self.newest = Some((serial, pcm));
        }
        if let Some((level, overruns)) = self.level.take() {
            // If it does not fit, the next level replaces it.
            let _ = self.outbox.try_send(Reply::Level(level, overruns));
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;
    use crate::actor::{Actor, Wake};

    const RATE: Hz = Hz(48_000);

    /// A writer whose replies stay with it, listening to two channels, and what these are given.
    fn take_writer() -> (TakeWriter, impl FnMut(f32, f64)) {
        let (give, given) = bounded(1);
        let body = move |_: Receiver<()>, outbox| drop(give.send(outbox));
        let _actor = Actor::spawn("test", 1, &Wake::default(), body).unwrap();
        let mut take_writer = TakeWriter::new(given.recv().unwrap());
        let (mut feed, input) = InputStream::simulated(RATE, 2);
        take_writer.serve(Job::Setup { channels: Vec::new(), pre_roll: Seconds(10.0) });
        take_writer.connect(Ok(input));
        (take_writer, move |level, seconds| feed(&vec![level; 2 * frames(Seconds(seconds), RATE)]))
    }

    fn start(pre_roll: f64, threshold_db: Option<f32>, seconds: Option<f64>) -> Job {
        let (place, format, keep) = (None, Format::Float32, Seconds(60.0));
        let (pre_roll, seconds) = (Seconds(pre_roll), seconds.map(Seconds));
        Job::Start(Box::new(Start { serial: 1, place, pre_roll, threshold_db, seconds, keep, format }))
    }

    /// The length of the take that has just ended.
    fn length(take_writer: &TakeWriter) -> f64 {
        let Some(Reply::Finished(_, end)) = take_writer.reports.replies.back() else { panic!("no take has ended") };
        end.take.as_ref().unwrap().decoded.info.seconds().0
    }

    #[test]
    fn a_timed_take_that_waits_for_a_level_lasts_as_long_as_asked_after_it() {
        for (before, all) in [(2.5, 3.5), (0.0, 1.0), (5.5, 6.0)] {
            let (mut take_writer, mut feed) = take_writer();
            take_writer.serve(start(5.0, Some(-40.0), Some(1.0)));
            feed(0.001, before);
            take_writer.read_input();
            feed(0.5, 2.0);
            take_writer.read_input();
            assert!((length(&take_writer) - all).abs() < 1e-9, "{} s after {before} s", length(&take_writer));
        }
    }

    #[test]
    fn what_was_heard_before_stays_whatever_is_chosen_but_other_channels() {
        let cases = [
            (vec![], 10.0, 2.0),
            (vec![1, 2], 10.0, 2.0),
            (vec![], 20.0, 2.0),
            (vec![], 0.5, 0.5),
            (vec![2], 10.0, 0.0),
        ];
        for (channels, pre_roll, kept) in cases {
            let (mut take_writer, mut feed) = take_writer();
            feed(0.5, 2.0);
            take_writer.serve(Job::Setup { channels: channels.clone(), pre_roll: Seconds(pre_roll) });
            take_writer.serve(start(60.0, None, None));
            take_writer.serve(Job::Stop);
            assert!(
                (length(&take_writer) - kept).abs() < 1e-9,
                "{} s with {channels:?}, {pre_roll} s",
                length(&take_writer)
            );
        }
    }
}
