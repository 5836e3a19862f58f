//! Sound inputs: the engine finds and opens them, and whoever asked for one gets its [`InputStream`].

use std::sync::Arc;

use bevy::prelude::*;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, SampleFormat, StreamConfig, SupportedStreamConfig, SupportedStreamConfigRange};
use crossbeam_channel::{Receiver, Sender, bounded, never};
use dsp::Hz;
use tracing::debug;

use super::capture::{CaptureCallback, CaptureStatus, InputStream, input_stream};
use super::device::{Decision, DeviceName, ErrorStreak, InputError, Stage, StreamHandle, buffer_size, decide, host};

/// Frames that the device gives at a time, if it can: more than an output takes, since nobody hears the delay.
const BUFFER: u32 = 1024;

/// Asks for an input in place of the one that is open, or for none.
#[derive(Message, Clone, Debug)]
pub struct OpenInput(pub Option<InputRequest>);

/// Which input to open, and for whom.
#[derive(Clone, Debug)]
pub struct InputRequest {
    /// Name of the device; empty for the system's default.
    pub device: String,
    /// Channels that it should have at least; it is opened with fewer if it has no more.
    pub channels: usize,
    /// Gets the open input, or why there is none.
    pub to: Sender<Result<InputStream, InputError>>,
}

/// Opens inputs: those of the system, or those of a test.
pub(super) trait Inputs: Send + 'static {
    /// Opens an input and starts it. Should it end by itself, it says why to `lost`.
    ///
    /// # Errors
    /// The input is not there, or cannot be used.
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
                input_stream(name.clone(), Hz(config.sample_rate), usize::from(config.channels));
            let on_stream_error = on_stream_error(name.clone(), status, lost.clone());
            build(&device, config, supported.sample_format(), callback, on_stream_error).map(|stream| (stream, input))
        };
        let (stream, input) = build(large).or_else(|_| build(BufferSize::Default)).map_err(refused)?;
        stream.play().map_err(refused)?;
        debug!("listening to {name}: {}, {} channels", input.rate, input.channels);
        Ok((StreamHandle::new(stream), input))
    }
}

fn find(name: &str) -> Result<cpal::Device, InputError> {
    let host = host();
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
    Ok(widened(usual, device.supported_input_configs()?, channels))
}

/// The usual format with as few more channels as are enough; as it is if the device never has enough.
fn widened(
    usual: SupportedStreamConfig,
    supported: impl Iterator<Item = SupportedStreamConfigRange>,
    channels: usize,
) -> SupportedStreamConfig {
    supported
        .filter(|range| range.sample_format() == usual.sample_format() && usize::from(range.channels()) >= channels)
        .filter_map(|range| range.try_with_sample_rate(usual.sample_rate()))
        .min_by_key(SupportedStreamConfig::channels)
        .unwrap_or(usual)
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
            // A take goes on with what the stream gives, even if the system has moved it to another device.
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
        other => Err(cpal::Error::with_message(ErrorKind::UnsupportedConfig, format!("only delivers {other} samples"))),
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
    /// Says why the input that is open has ended by itself.
    pub lost: Receiver<InputError>,
}

impl InputDevice {
    /// Opens nothing yet.
    pub fn new(inputs: Box<dyn Inputs>) -> Self {
        Self { inputs, stream: None, lost: never() }
    }

    /// Closes the input that is open, and opens the one that is asked for.
    pub fn open(&mut self, request: Option<InputRequest>) {
        self.close();
        let Some(request) = request else { return };
        // Each input has a channel of its own, so that a late report of a closed one does not close the next.
        let (lost, heard) = bounded(1);
        let opened = self.inputs.open(&request, lost).map(|(stream, input)| {
            (self.stream, self.lost) = (Some(stream), heard);
            input
        });
        // Whoever asked may be gone by now.
        let _ = request.to.try_send(opened);
    }

    /// Closes the device, which ends its [`InputStream`].
    pub fn close(&mut self) {
        self.lost = never();
        self.stream = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use cpal::SupportedBufferSize;

    use super::super::capture::Overruns;
    use super::super::device::RestingStream;
    use super::*;

    /// An open input, the callbacks that the system would call, and where it tells that the stream has ended.
    fn open() -> (CaptureCallback, impl FnMut(ErrorKind), InputStream, Receiver<InputError>) {
        let (callback, stream, status) = input_stream("Mic".to_owned(), Hz(48_000), 2);
        let (lost, heard) = bounded(1);
        let mut on_stream_error = on_stream_error("Mic".to_owned(), status, lost);
        (callback, move |kind: ErrorKind| on_stream_error(kind.into()), stream, heard)
    }

    #[test]
    fn an_xrun_is_counted_as_one_xrun_and_not_as_a_frame() {
        let (_callback, mut report, stream, lost) = open();
        (0..3).for_each(|_| report(ErrorKind::Xrun));
        assert_eq!(stream.overruns(), Overruns { frames: 0, xruns: 3 });
        assert!(!stream.is_over() && lost.is_empty(), "the stream goes on");
    }

    #[test]
    fn an_input_that_ends_says_why_to_its_reader_and_to_the_engine() {
        let gone = || InputError::Gone("Mic".to_owned());
        let ends = [
            (ErrorKind::DeviceNotAvailable, gone()),
            (ErrorKind::PermissionDenied, gone()),
            (ErrorKind::StreamInvalidated, InputError::Changed("Mic".to_owned())),
        ];
        for (kind, reason) in ends {
            let (_callback, mut report, stream, lost) = open();
            report(kind);
            assert!(stream.is_over());
            assert_eq!((stream.reason(), lost.try_recv()), (Some(&reason), Ok(reason.clone())), "{kind:?}");
            // What comes after the end changes nothing.
            report(ErrorKind::HostUnavailable);
            assert_eq!(stream.reason(), Some(&reason), "{kind:?}");
        }
    }

    #[test]
    fn an_input_that_is_moved_or_gets_no_priority_goes_on() {
        let (_callback, mut report, stream, lost) = open();
        report(ErrorKind::DeviceChanged);
        report(ErrorKind::RealtimeDenied);
        assert!(!stream.is_over() && lost.is_empty());
        assert_eq!(stream.overruns(), Overruns::default());
    }

    #[test]
    fn unexplained_errors_end_an_input_only_while_it_gives_nothing() {
        let (mut callback, mut report, stream, lost) = open();
        for _ in 0..50 {
            report(ErrorKind::BackendError);
            callback.capture(&[0.0_f32; 8]);
        }
        assert!(!stream.is_over() && lost.is_empty());
        (0..10).for_each(|_| report(ErrorKind::Other));
        assert_eq!(lost.try_recv(), Ok(InputError::Gone("Mic".to_owned())));
    }

    #[test]
    fn an_input_has_the_fewest_channels_that_are_enough_in_its_usual_format() {
        let format = |channels, format| {
            let buffer = SupportedBufferSize::Unknown;
            SupportedStreamConfig::new(channels, 48_000, buffer, format)
        };
        let range = |channels, [lowest, highest]: [u32; 2], format| {
            SupportedStreamConfigRange::new(channels, lowest, highest, SupportedBufferSize::Unknown, format)
        };
        let all = [8_000, 192_000];
        let supported = [
            range(18, all, SampleFormat::I32),
            range(8, all, SampleFormat::I32),
            range(6, all, SampleFormat::F32),
            range(5, [8_000, 44_100], SampleFormat::I32),
            range(2, all, SampleFormat::I32),
        ];
        for (wanted, found) in [(3, 8), (8, 8), (9, 18), (18, 18), (19, 2)] {
            let widened = widened(format(2, SampleFormat::I32), supported.into_iter(), wanted);
            assert_eq!(widened, format(found, SampleFormat::I32), "{wanted} channels are wanted");
        }
    }

    /// Inputs that are there only if they are called "Mic".
    #[derive(Clone, Default)]
    struct Studio {
        open: Arc<()>,
        reports: Arc<Mutex<Vec<Sender<InputError>>>>,
    }

    impl Inputs for Studio {
        fn open(
            &mut self,
            request: &InputRequest,
            lost: Sender<InputError>,
        ) -> Result<(StreamHandle, InputStream), InputError> {
            if request.device != "Mic" {
                return Err(InputError::Unknown(request.device.clone()));
            }
            self.reports.lock().unwrap().push(lost);
            let (callback, stream, _) = input_stream(request.device.clone(), Hz(48_000), request.channels);
            Ok((StreamHandle::new(Running { _open: self.open.clone(), _callback: callback }), stream))
        }
    }

    struct Running {
        _open: Arc<()>,
        _callback: CaptureCallback,
    }

    impl RestingStream for Running {
        fn run(&self, _on: bool) -> bool {
            true
        }
    }

    /// Opens a device and returns what whoever asked for it gets.
    fn ask(input: &mut InputDevice, device: &str) -> Result<InputStream, InputError> {
        let (to, opened) = bounded(1);
        input.open(Some(InputRequest { device: device.to_owned(), channels: 2, to }));
        opened.try_recv().unwrap()
    }

    #[test]
    fn an_input_is_closed_before_another_is_opened_and_its_reader_sees_it_end() {
        let studio = Studio::default();
        let mut input = InputDevice::new(Box::new(studio.clone()));
        let first = ask(&mut input, "Mic").unwrap();
        let second = ask(&mut input, "Mic").unwrap();
        assert!(first.is_over() && first.reason().is_none() && !second.is_over());
        assert_eq!(Arc::strong_count(&studio.open), 1 + 1 + 1, "this test, the device, and one open stream");
        assert_eq!(ask(&mut input, "Line in").unwrap_err(), InputError::Unknown("Line in".to_owned()));
        assert!(second.is_over());
        let third = ask(&mut input, "Mic").unwrap();
        input.open(None);
        assert!(third.is_over());
    }

    #[test]
    fn the_last_word_of_an_input_that_was_closed_does_not_end_the_next() {
        let studio = Studio::default();
        let mut input = InputDevice::new(Box::new(studio.clone()));
        let _first = ask(&mut input, "Mic").unwrap();
        let _second = ask(&mut input, "Mic").unwrap();
        let [first, second] = studio.reports.lock().unwrap().clone().try_into().unwrap();
        assert!(first.send(InputError::Absent).is_err() && input.lost.is_empty());
        second.send(InputError::Absent).unwrap();
        assert_eq!(input.lost.try_recv(), Ok(InputError::Absent));
    }
}
