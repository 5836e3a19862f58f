//! `soundkin record [OUT.wav]`, and the recording that `similar --mic` asks with.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use bevy::ecs::message::MessageCursor;
use bevy::prelude::*;
use clap::Args;
use dsp::{Hz, Seconds};
use serde_json::json;

use super::common::{Common, Notices, interrupted, put_path, store_failure};
use crate::actor::Wake;
use crate::library::{AudioInfo, Embedding, Failed, Features, FileStamp, Sample, Transient};
use crate::notice::Notice;
use crate::paths::settings_file;
use crate::record::{
    Input, Keep, LONGEST, Level, Record, Recorder, RecordingFailed, RecordingFinished, RecordingSettings, TakeOptions,
};
use crate::settings::Settings;
use crate::store::{Library, StoreError, Stored};
use crate::{Assembly, add_recording, headless, run_until};

#[derive(Args, Debug)]
pub(super) struct Take {
    /// WAV file to record into; without one, a file named by date and time in the recordings folder, which joins the
    /// library
    #[arg(value_parser = wav)]
    out: Option<PathBuf>,
    /// Stop after this many seconds [default: at Ctrl+C]
    #[arg(long, value_name = "S", value_parser = seconds)]
    seconds: Option<Seconds>,
    /// Also keep the S seconds before the start, up to 60
    #[arg(long, value_name = "S", value_parser = pre_roll, default_value = "0")]
    pre_roll: Seconds,
    /// Start once the input reaches a level of DB (dBFS, such as -40)
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    threshold: Option<f32>,
}

impl Take {
    pub(super) fn run(self, common: &Common) -> Result<()> {
        let out = self.out.as_ref().map(std::path::absolute).transpose()?;
        let mut app = headless(Assembly::new(self.library(common)?, common.find_model()?));
        prepare(&mut app);
        let keep = out.map_or(Keep::Recordings, Keep::File);
        let options =
            TakeOptions { keep, pre_roll: self.pre_roll, threshold_db: self.threshold, seconds: self.seconds };
        let taken = take(&mut app, common, options)?;
        let world = app.world();
        let path = world.get::<Sample>(taken.finished.entity).map(|sample| sample.path.clone());
        let info = world.get::<AudioInfo>(taken.finished.entity);
        let (seconds, rate, channels) =
            info.map_or((Seconds(0.0), Hz(0), 0), |info| (info.seconds(), info.rate, info.channels));
        let overruns = taken.finished.overruns;
        let mut value = json!({
            "seconds": seconds,
            "rate": rate,
            "channels": channels,
            "device": taken.input.as_ref().map(|input| &input.name),
            "overruns": overruns.frames,
            "xruns": overruns.xruns,
            "peak_db": world.get::<Features>(taken.finished.entity).map(|features| features.peak_db),
            "clipped": taken.clipped,
            "ended": taken.finished.reason,
            "in_library": taken.stored,
        });
        if let Some(path) = &path {
            put_path(&mut value, path);
        }
        let lost = match overruns.frames {
            0 => String::new(),
            frames => format!(", {frames} frames lost"),
        };
        let gaps = match overruns.xruns {
            0 => String::new(),
            xruns => format!(", gaps reported by the system: {xruns}"),
        };
        let clipped = if taken.clipped { ", clipped" } else { "" };
        let path = path.map(|path| path.display().to_string()).unwrap_or_default();
        common.print(&value, |out| writeln!(out, "{seconds:.3}{lost}{gaps}{clipped}: {path}"))
    }

    /// A take in the recordings folder goes into the library, unless another program has it open, which then finds it.
    fn library(&self, common: &Common) -> Result<Option<Library>> {
        if self.out.is_some() {
            return Ok(None);
        }
        match Library::open(&common.library_path()) {
            Ok(library) => Ok(Some(library)),
            Err(StoreError::InUse(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What came of a take.
pub(super) struct Taken {
    pub finished: RecordingFinished,
    pub input: Option<Input>,
    pub clipped: bool,
    pub stored: bool,
}

/// Adds to an app what recording needs.
pub(super) fn prepare(app: &mut App) {
    let mut settings = Settings::read(settings_file());
    app.insert_resource(settings.get::<RecordingSettings>("recording"));
    if let Some(problem) = settings.problem {
        app.world_mut().write_message(Notice::new(problem));
    }
    add_recording(app);
}

/// Records until the time is over, Ctrl+C is pressed or the input is gone, and waits until the take is analysed and
/// stored.
pub(super) fn take(app: &mut App, common: &Common, options: TakeOptions) -> Result<Taken> {
    let interrupted = interrupted(app.world().resource::<Wake>())?;
    let keeps = options.keep != Keep::Nothing;
    // Without a threshold the take starts at once, so the pre-roll has to be collected first.
    let waits = options.threshold_db.is_none() && options.pre_roll > Seconds(0.0);
    let seconds = options.seconds;
    let start = Record::Start(TakeOptions {
        pre_roll: if waits { Seconds(0.0) } else { options.pre_roll },
        seconds: seconds.map(|seconds| if waits { seconds + options.pre_roll } else { seconds }),
        ..options
    });
    app.world_mut().write_message(start);
    let (mut ends, mut failures, mut stores) =
        (MessageCursor::<RecordingFinished>::default(), MessageCursor::<RecordingFailed>::default(), None);
    let mut notices = Notices::default();
    let (mut finished, mut failure, mut input, mut clipped, mut said) = (None, None, None, false, false);
    run_until(app, None, |world| {
        let texts: Vec<String> = notices.read(world).collect();
        if let Some(RecordingFailed(reason)) = failures.read(world.resource::<Messages<RecordingFailed>>()).last() {
            failure = Some(reason.clone());
            return true;
        }
        texts.iter().for_each(|text| common.say(text));
        let recorder = world.resource::<Recorder>().clone();
        clipped |= world.resource::<Level>().clipped;
        if recorder.input.is_some() {
            input = recorder.input;
        }
        if let (Some(input), false) = (input.as_ref().filter(|_| recorder.take.is_some()), said) {
            said = true;
            let until = if seconds.is_some() { "" } else { "; press Ctrl+C to stop" };
            common.say(&format!("recording from {}, {}, {} channels{until}", input.name, input.rate, input.channels));
        }
        if interrupted.swap(false, Ordering::Relaxed) {
            world.write_message(Record::Stop);
        }
        if let Some(messages) = world.get_resource::<Messages<Stored>>() {
            let stored = stores.get_or_insert_with(MessageCursor::<Stored>::default).read(messages);
            let entities: Vec<Entity> = stored.filter(|stored| stored.done).map(|stored| stored.entity).collect();
            if let Some((end, stored)) = &mut finished {
                let end: &RecordingFinished = end;
                *stored |= entities.contains(&end.entity);
            }
        }
        if finished.is_none() {
            let end = ends.read(world.resource::<Messages<RecordingFinished>>()).last().cloned();
            finished = end.map(|end| (end, false));
        }
        let Some((end, stored)) = &finished else { return false };
        let known = world.get::<FileStamp>(end.entity).is_some();
        let analysed = world.get::<Embedding>(end.entity).is_some() || world.get::<Failed>(end.entity).is_some();
        let blocked = world.resource::<crate::analyse::Analysis>().blocked.is_some();
        let is_member = world.get::<Sample>(end.entity).is_some() && world.get::<Transient>(end.entity).is_none();
        let mirrored = world.contains_resource::<crate::store::StoreState>() && is_member;
        // A take that is not stored in a library needs no vector.
        let wanted = mirrored || !keeps;
        let failing = store_failure(world).is_some();
        !known || !wanted || blocked || failing || (analysed && (!mirrored || *stored))
    });
    match (finished, failure) {
        (Some((finished, stored)), _) => Ok(Taken { finished, input, clipped, stored }),
        (None, Some(reason)) if !reason.is_empty() => bail!(reason),
        (None, _) => bail!("nothing was recorded; try again"),
    }
}

/// Reads a number of seconds.
pub(super) fn seconds(text: &str) -> Result<Seconds, &'static str> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    seconds.map(Seconds).ok_or("give a number of seconds, such as 2.5")
}

fn pre_roll(text: &str) -> Result<Seconds, &'static str> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=LONGEST.0).contains(seconds));
    seconds.map(Seconds).ok_or("give a number of seconds up to 60, such as 2.5")
}

fn wav(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    let is_wav = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("wav"));
    is_wav.then_some(path).ok_or("takes are WAV files; choose a name ending in .wav")
}
