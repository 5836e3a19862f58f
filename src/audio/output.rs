//! The default sound output: the engine opens it, and on its own thread it takes its sound from a [`Renderer`].

use std::sync::Arc;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, SampleFormat, StreamConfig};
use crossbeam_channel::Sender;
use dsp::Hz;

use super::device::{Decision, DeviceName, ErrorStreak, OutputError, Stage, StreamHandle, buffer_size, decide, host};
use super::player::SamplePlayer;
use super::render::{Monitor, Renderer};

/// Frames that the device takes at a time, if it can: 11 ms at 48 kHz.
const BUFFER: u32 = 512;

/// What an open output reports from its own thread.
#[derive(Debug)]
pub(super) enum StreamEvent {
    /// It plays no more, and has to be opened again.
    Lost(cpal::Error),
    /// The system has moved the sound to another device.
    Moved,
}

/// Opens outputs: those of the system, or those of a test.
pub(super) trait Outputs: Send + 'static {
    /// Opens the default output and starts it.
    ///
    /// # Errors
    /// There is no output, or it cannot be used.
    fn open(
        &mut self,
        player: &mut SamplePlayer,
        monitor: &Arc<Monitor>,
        events: Sender<StreamEvent>,
    ) -> Result<Output, OutputError>;

    /// Tells which output is the default.
    fn default_device(&mut self) -> Option<DeviceName>;
}

/// An open output; dropping it closes the device.
pub(super) struct Output {
    /// Its device.
    pub device: DeviceName,
    /// Rate in Hz.
    pub rate: Hz,
    /// The stream.
    pub stream: StreamHandle,
}

/// The outputs of this machine.
pub(super) struct SystemOutputs;

impl Outputs for SystemOutputs {
    fn open(
        &mut self,
        player: &mut SamplePlayer,
        monitor: &Arc<Monitor>,
        events: Sender<StreamEvent>,
    ) -> Result<Output, OutputError> {
        let device = host().default_output_device().ok_or(OutputError::Absent)?;
        let name = DeviceName::of(&device);
        let refused = |error: cpal::Error| OutputError::at_opening(&error, &name.name);
        let supported = device.default_output_config().map_err(refused)?;
        let small = buffer_size(*supported.buffer_size(), BUFFER);
        let mut build = |buffer_size| {
            let config = StreamConfig { buffer_size, ..supported.config() };
            let renderer = player.connect(Hz(config.sample_rate), usize::from(config.channels));
            build(&device, config, supported.sample_format(), renderer, monitor.clone(), events.clone())
        };
        let stream = build(small).or_else(|_| build(BufferSize::Default)).map_err(refused)?;
        stream.play().map_err(refused)?;
        Ok(Output { device: name, rate: Hz(supported.sample_rate()), stream: StreamHandle::new(stream) })
    }

    fn default_device(&mut self) -> Option<DeviceName> {
        host().default_output_device().map(|device| DeviceName::of(&device))
    }
}

/// Acts on what the system reports while the device runs.
fn on_stream_error(monitor: Arc<Monitor>, events: Sender<StreamEvent>) -> impl FnMut(cpal::Error) + Send + 'static {
    let mut streak = ErrorStreak::default();
    move |error| {
        let event = match decide(Stage::Running, error.kind()) {
            Decision::Ignore => None,
            Decision::CountXrun => {
                monitor.count_underrun();
                None
            }
            Decision::Follow => Some(StreamEvent::Moved),
            Decision::Tolerate => streak.is_too_long_after(monitor.buffers()).then_some(StreamEvent::Lost(error)),
            // Why the stream has ended makes no difference: the engine opens the default output again.
            Decision::Reopen | Decision::GiveUp | Decision::Refuse => Some(StreamEvent::Lost(error)),
        };
        if let Some(event) = event {
            let _ = events.try_send(event);
        }
    }
}

fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    renderer: Renderer,
    monitor: Arc<Monitor>,
    events: Sender<StreamEvent>,
) -> Result<cpal::Stream, cpal::Error> {
    let on_stream_error = on_stream_error(monitor, events);
    match format {
        SampleFormat::F32 => build_as::<f32>(device, config, renderer, on_stream_error),
        SampleFormat::F64 => build_as::<f64>(device, config, renderer, on_stream_error),
        SampleFormat::I8 => build_as::<i8>(device, config, renderer, on_stream_error),
        SampleFormat::I16 => build_as::<i16>(device, config, renderer, on_stream_error),
        SampleFormat::I24 => build_as::<cpal::I24>(device, config, renderer, on_stream_error),
        SampleFormat::I32 => build_as::<i32>(device, config, renderer, on_stream_error),
        SampleFormat::I64 => build_as::<i64>(device, config, renderer, on_stream_error),
        SampleFormat::U8 => build_as::<u8>(device, config, renderer, on_stream_error),
        SampleFormat::U16 => build_as::<u16>(device, config, renderer, on_stream_error),
        SampleFormat::U32 => build_as::<u32>(device, config, renderer, on_stream_error),
        other => Err(cpal::Error::with_message(ErrorKind::UnsupportedConfig, format!("only accepts {other} samples"))),
    }
}

fn build_as<T: cpal::SizedSample + cpal::FromSample<f32>>(
    device: &cpal::Device,
    config: StreamConfig,
    mut renderer: Renderer,
    on_stream_error: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<cpal::Stream, cpal::Error> {
    let render = move |out: &mut [T], info: &cpal::OutputCallbackInfo| {
        let time = info.timestamp();
        renderer.fill(out, time.playback.duration_since(time.callback));
    };
    device.build_output_stream(config, render, on_stream_error, None)
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, bounded};

    use super::*;

    /// What the system would report the errors of an output to, what they count, and what the engine is told.
    fn open() -> (impl FnMut(ErrorKind), Arc<Monitor>, Receiver<StreamEvent>) {
        let monitor = Arc::new(Monitor::default());
        let (events, heard) = bounded(1);
        let mut on_stream_error = on_stream_error(monitor.clone(), events);
        (move |kind: ErrorKind| on_stream_error(kind.into()), monitor, heard)
    }

    #[test]
    fn an_output_that_ends_or_is_moved_is_told_to_the_engine_with_its_error() {
        for kind in [ErrorKind::DeviceNotAvailable, ErrorKind::StreamInvalidated, ErrorKind::PermissionDenied] {
            let (mut report, _, events) = open();
            report(kind);
            let Ok(StreamEvent::Lost(error)) = events.try_recv() else { panic!("{kind:?} is not told") };
            assert_eq!(error.kind(), kind);
        }
        let (mut report, _, events) = open();
        report(ErrorKind::DeviceChanged);
        assert!(matches!(events.try_recv(), Ok(StreamEvent::Moved)));
    }

    #[test]
    fn a_late_buffer_is_an_underrun_and_the_output_goes_on() {
        let (mut report, monitor, events) = open();
        report(ErrorKind::Xrun);
        report(ErrorKind::RealtimeDenied);
        assert_eq!(monitor.underruns(), 1);
        assert!(events.is_empty());
    }

    #[test]
    fn unexplained_errors_end_an_output_only_while_it_takes_nothing() {
        let (mut report, monitor, events) = open();
        let mut renderer = Renderer::new(Hz(48_000), 2, monitor.clone()).0;
        for _ in 0..50 {
            report(ErrorKind::BackendError);
            renderer.fill(&mut [0.0_f32; 8], std::time::Duration::ZERO);
        }
        assert!(events.is_empty());
        (0..10).for_each(|_| report(ErrorKind::Other));
        assert!(matches!(events.try_recv(), Ok(StreamEvent::Lost(_))));
    }
}
