//! Sound inputs: found and opened on the `audio` actor, each one a [`Line`] to whoever asked for it.

use std::sync::Arc;

use bevy::prelude::*;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, SampleFormat, StreamConfig, SupportedStreamConfig};
use crossbeam_channel::{Receiver, Sender, bounded, never};
use tracing::debug;

use super::capture::{Feed, Line, Tap, line};
use super::device::{Decision, DeviceName, ErrorStreak, InputError, Stage, StreamHandle, buffer_size, decide};

/// Frames that the device gives at a time, if it can: nothing waits for them, so there may be more than for playing.
const BUFFER: u32 = 1024;

/// Asks for an input, or that none is listened to any more.
#[derive(Message, Clone, Debug)]
pub struct Listen(pub Option<Wish>);

/// Which input, and where it should lead.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Name of the device; empty for the system's default.
    pub device: String,
    /// Channels that it should have at least, if it can.
    pub channels: usize,
    /// Gets the open input, or why there is none.
    pub to: Sender<Result<Line, InputError>>,
}

/// Where inputs come from: the system, or a test.
pub(super) trait Inputs: Send + 'static {
    /// Opens an input and lets it run.
    ///
    /// # Errors
    /// There is none, or it refuses.
    fn open(&mut self, wish: &Wish, lost: Sender<InputError>) -> Result<(StreamHandle, Line), InputError>;
}

/// The inputs of this machine.
pub(super) struct SystemInputs;

impl Inputs for SystemInputs {
    fn open(&mut self, wish: &Wish, lost: Sender<InputError>) -> Result<(StreamHandle, Line), InputError> {
        let device = find(&wish.device)?;
        let name = DeviceName::of(&device).name;
        let refused = |error: cpal::Error| InputError::at_opening(&error, &name);
        let supported = config(&device, wish.channels).map_err(refused)?;
        let large = buffer_size(*supported.buffer_size(), BUFFER);
        let build = |buffer_size| {
            let config = StreamConfig { buffer_size, ..supported.config() };
            let (tap, line, feed) = line(name.clone(), config.sample_rate, usize::from(config.channels));
            let told = told(name.clone(), feed, lost.clone());
            build(&device, config, supported.sample_format(), tap, told).map(|stream| (stream, line))
        };
        let (stream, line) = build(large).or_else(|_| build(BufferSize::Default)).map_err(refused)?;
        stream.play().map_err(refused)?;
        debug!("listening to {name}: {} Hz, {} channels", line.rate, line.channels);
        Ok((StreamHandle::new(stream), line))
    }
}

fn find(name: &str) -> Result<cpal::Device, InputError> {
    let host = cpal::default_host();
    if name.is_empty() {
        return host.default_input_device().ok_or(InputError::Absent);
    }
    let devices = host.input_devices().map_err(|_| InputError::Absent)?;
    let mut named = devices.filter(|device| DeviceName::of(device).name == name);
    named.next().ok_or_else(|| InputError::Unknown(name.to_owned()))
}

/// The device's usual format, or one with more channels if that has too few.
fn config(device: &cpal::Device, channels: usize) -> Result<SupportedStreamConfig, cpal::Error> {
    let usual = device.default_input_config()?;
    if usize::from(usual.channels()) >= channels {
        return Ok(usual);
    }
    let rate = usual.sample_rate();
    let wider = device
        .supported_input_configs()?
        .filter(|range| range.sample_format() == usual.sample_format() && usize::from(range.channels()) >= channels)
        .filter_map(|range| range.try_with_sample_rate(rate))
        .min_by_key(SupportedStreamConfig::channels);
    Ok(wider.unwrap_or(usual))
}

/// Acts on what the system reports while the device runs.
fn told(name: String, feed: Arc<Feed>, lost: Sender<InputError>) -> impl FnMut(cpal::Error) + Send + 'static {
    let mut streak = ErrorStreak::default();
    move |error| {
        let end = match decide(Stage::Running, error.kind()) {
            Decision::CountXrun => {
                feed.count_overruns(1);
                None
            }
            // Wherever the system has moved the stream to, what it gives belongs to the take.
            Decision::Ignore | Decision::Follow => None,
            Decision::Tolerate => streak.is_too_long_after(feed.buffers()).then(|| InputError::Gone(name.clone())),
            Decision::Reopen => Some(InputError::Changed(name.clone())),
            Decision::GiveUp | Decision::Refuse => Some(InputError::Gone(name.clone())),
        };
        if let Some(end) = end {
            feed.end(end.clone());
            let _ = lost.try_send(end);
        }
    }
}

fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    tap: Tap,
    told: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<cpal::Stream, cpal::Error> {
    match format {
        SampleFormat::F32 => build_as::<f32>(device, config, tap, told),
        SampleFormat::F64 => build_as::<f64>(device, config, tap, told),
        SampleFormat::I8 => build_as::<i8>(device, config, tap, told),
        SampleFormat::I16 => build_as::<i16>(device, config, tap, told),
        SampleFormat::I24 => build_as::<cpal::I24>(device, config, tap, told),
        SampleFormat::I32 => build_as::<i32>(device, config, tap, told),
        SampleFormat::I64 => build_as::<i64>(device, config, tap, told),
        SampleFormat::U8 => build_as::<u8>(device, config, tap, told),
        SampleFormat::U16 => build_as::<u16>(device, config, tap, told),
        SampleFormat::U32 => build_as::<u32>(device, config, tap, told),
        other => Err(cpal::Error::with_message(ErrorKind::UnsupportedConfig, format!("gives only {other} samples"))),
    }
}

fn build_as<T: cpal::SizedSample>(
    device: &cpal::Device,
    config: StreamConfig,
    mut tap: Tap,
    told: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<cpal::Stream, cpal::Error>
where
    f32: cpal::FromSample<T>,
{
    device.build_input_stream(config, move |buffer: &[T], _: &cpal::InputCallbackInfo| tap.take(buffer), told, None)
}

/// The input that is open, within the `audio` actor.
pub(super) struct Ear {
    inputs: Box<dyn Inputs>,
    open: Option<StreamHandle>,
    /// Tells when the device that is open has gone.
    pub lost: Receiver<InputError>,
}

impl Ear {
    /// Makes an ear that listens to nothing.
    pub fn new(inputs: Box<dyn Inputs>) -> Self {
        Self { inputs, open: None, lost: never() }
    }

    /// Opens another input, or none.
    pub fn listen(&mut self, wish: Option<Wish>) {
        self.close();
        let Some(wish) = wish else { return };
        // Each device reports on a channel of its own, so that the last word of one does not end the next.
        let (lost, heard) = bounded(1);
        let opened = self.inputs.open(&wish, lost).map(|(stream, line)| {
            (self.open, self.lost) = (Some(stream), heard);
            line
        });
        // Whoever asked may be gone by now.
        let _ = wish.to.try_send(opened);
    }

    /// Lets go of the device, so that its line ends.
    pub fn close(&mut self) {
        self.lost = never();
        self.open = None;
    }
}
