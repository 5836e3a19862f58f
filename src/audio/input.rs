//! Sound inputs: found and opened on the `audio` actor, each one an [`InputStream`] to whoever asked for it.

use std::sync::Arc;

use bevy::prelude::*;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, SampleFormat, StreamConfig, SupportedStreamConfig};
use crossbeam_channel::{Receiver, Sender, bounded, never};
use tracing::debug;

use super::capture::{CaptureCallback, CaptureStatus, InputStream, input_stream};
use super::device::{Decision, DeviceName, ErrorStreak, InputError, Stage, StreamHandle, buffer_size, decide};

/// Frames that the device gives at a time, if it can: nothing waits for them, so there may be more than for playing.
const BUFFER: u32 = 1024;

/// Asks for an input, or that none is listened to any more.
#[derive(Message, Clone, Debug)]
pub struct OpenInput(pub Option<InputRequest>);

/// Which input, and where it should lead.
#[derive(Clone, Debug)]
pub struct InputRequest {
    /// Name of the device; empty for the system's default.
    pub device: String,
    /// Channels that it should have at least, if it can.
    pub channels: usize,
    /// Gets the open input, or why there is none.
    pub to: Sender<Result<InputStream, InputError>>,
}

/// Where inputs come from: the system, or a test.
pub(super) trait Inputs: Send + 'static {
    /// Opens an input and lets it run.
    ///
    /// # Errors
    /// There is none, or it refuses.
    fn open(
        &mut self,
        request: &InputRequest,
        lost: Sender<InputError>,
    ) -> Result<(StreamHandle, InputStream), InputError>;
}

/// The inputs of this machine.
pub(super) struct SystemInputs;

impl Inputs for SystemInputs {
    fn open(
        &mut self,
        request: &InputRequest,
        lost: Sender<InputError>,
    ) -> Result<(StreamHandle, InputStream), InputError> {
        let device = find(&request.device)?;
        let name = DeviceName::of(&device).name;
        let refused = |error: cpal::Error| InputError::at_opening(&error, &name);
        let supported = config(&device, request.channels).map_err(refused)?;
        let large = buffer_size(*supported.buffer_size(), BUFFER);
        let build = |buffer_size| {
            let config = StreamConfig { buffer_size, ..supported.config() };
            let (callback, input, status) =
                input_stream(name.clone(), config.sample_rate, usize::from(config.channels));
            let on_stream_error = on_stream_error(name.clone(), status, lost.clone());
            build(&device, config, supported.sample_format(), callback, on_stream_error).map(|stream| (stream, input))
        };
        let (stream, input) = build(large).or_else(|_| build(BufferSize::Default)).map_err(refused)?;
        stream.play().map_err(refused)?;
        debug!("listening to {name}: {} Hz, {} channels", input.rate, input.channels);
        Ok((StreamHandle::new(stream), input))
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
fn on_stream_error(
    name: String,
    status: Arc<CaptureStatus>,
    lost: Sender<InputError>,
) -> impl FnMut(cpal::Error) + Send + 'static {
    let mut streak = ErrorStreak::default();
    move |error| {
        let end = match decide(Stage::Running, error.kind()) {
            Decision::CountXrun => {
                status.count_xrun();
                None
            }
            // Wherever the system has moved the stream to, what it gives belongs to the take.
            Decision::Ignore | Decision::Follow => None,
            Decision::Tolerate => streak.is_too_long_after(status.buffers()).then(|| InputError::Gone(name.clone())),
            Decision::Reopen => Some(InputError::Changed(name.clone())),
            Decision::GiveUp | Decision::Refuse => Some(InputError::Gone(name.clone())),
        };
        if let Some(end) = end {
            status.end(end.clone());
            let _ = lost.try_send(end);
        }
    }
}

fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    callback: CaptureCallback,
    on_stream_error: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<cpal::Stream, cpal::Error> {
    match format {
        SampleFormat::F32 => build_as::<f32>(device, config, callback, on_stream_error),
        SampleFormat::F64 => build_as::<f64>(device, config, callback, on_stream_error),
        SampleFormat::I8 => build_as::<i8>(device, config, callback, on_stream_error),
        SampleFormat::I16 => build_as::<i16>(device, config, callback, on_stream_error),
        SampleFormat::I24 => build_as::<cpal::I24>(device, config, callback, on_stream_error),
        SampleFormat::I32 => build_as::<i32>(device, config, callback, on_stream_error),
        SampleFormat::I64 => build_as::<i64>(device, config, callback, on_stream_error),
        SampleFormat::U8 => build_as::<u8>(device, config, callback, on_stream_error),
        SampleFormat::U16 => build_as::<u16>(device, config, callback, on_stream_error),
        SampleFormat::U32 => build_as::<u32>(device, config, callback, on_stream_error),
        other => Err(cpal::Error::with_message(ErrorKind::UnsupportedConfig, format!("gives only {other} samples"))),
    }
}

fn build_as<T: cpal::SizedSample>(
    device: &cpal::Device,
    config: StreamConfig,
    mut callback: CaptureCallback,
    on_stream_error: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<cpal::Stream, cpal::Error>
where
    f32: cpal::FromSample<T>,
{
    device.build_input_stream(
        config,
        move |buffer: &[T], _: &cpal::InputCallbackInfo| callback.capture(buffer),
        on_stream_error,
        None,
    )
}

/// The input that is open, within the `audio` actor.
pub(super) struct InputDevice {
    inputs: Box<dyn Inputs>,
    stream: Option<StreamHandle>,
    /// Tells when the device that is open has gone.
    pub lost: Receiver<InputError>,
}

impl InputDevice {
    /// Makes one that listens to nothing.
    pub fn new(inputs: Box<dyn Inputs>) -> Self {
        Self { inputs, stream: None, lost: never() }
    }

    /// Opens another input, or none.
    pub fn open(&mut self, request: Option<InputRequest>) {
        self.close();
        let Some(request) = request else { return };
        // Each device reports on a channel of its own, so that the last word of one does not end the next.
        let (lost, heard) = bounded(1);
        let opened = self.inputs.open(&request, lost).map(|(stream, input)| {
            (self.stream, self.lost) = (Some(stream), heard);
            input
        });
        // Whoever asked may be gone by now.
        let _ = request.to.try_send(opened);
    }

    /// Lets go of the device, so that its stream ends.
    pub fn close(&mut self) {
        self.lost = never();
        self.stream = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::capture::Overruns;
    use super::*;

    /// An open input, what the system would report its errors to, and where the end of the stream is told.
    fn open() -> (InputStream, impl FnMut(ErrorKind), Receiver<InputError>) {
        let (_, stream, status) = input_stream("Mic".to_owned(), 48_000, 2);
        let (lost, heard) = bounded(1);
        let mut on_stream_error = on_stream_error("Mic".to_owned(), status, lost);
        (stream, move |kind: ErrorKind| on_stream_error(kind.into()), heard)
    }

    #[test]
    fn an_xrun_is_counted_as_one_xrun_and_not_as_a_frame() {
        let (stream, mut report, lost) = open();
        (0..3).for_each(|_| report(ErrorKind::Xrun));
        assert_eq!(stream.overruns(), Overruns { frames: 0, xruns: 3 });
        assert!(stream.reason().is_none() && lost.is_empty(), "the stream goes on");
    }
}
