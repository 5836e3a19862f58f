//! What inputs and outputs share: the handle of an open stream, the names of devices, and what their errors mean.
//!
//! Whatever cpal reports, while a device is being opened or while it runs, gets its decision in [`decide`] and nowhere
//! else. Inputs and outputs carry the decision out.

use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, SupportedBufferSize};

/// A device that still answers is closed within this time.
const CLOSING: Duration = Duration::from_millis(500);
/// Unexplained errors in a row that end a stream.
const TOLERATED: u32 = 10;
/// ALSA's plugins for converting, mixing and throwing away, which it lists as if they were devices.
const NO_DEVICES: [&str; 9] =
    ["null", "lavrate", "samplerate", "speexrate", "speex", "jack", "oss", "upmix", "vdownmix"];

/// Names of the devices that can play and record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Devices that play.
    pub outputs: Vec<String>,
    /// Devices that record.
    pub inputs: Vec<String>,
}

/// The system's sound, where all devices come from.
pub(super) fn host() -> cpal::Host {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks for it")]
    cpal::default_host()
}

/// Lists the devices of the system's default sound host; none where there is no sound.
pub fn devices() -> Devices {
    let host = host();
    let name = |device: cpal::Device| {
        let plugin = device.id().is_ok_and(|id| NO_DEVICES.contains(&id.id()));
        device.description().map(|d| d.name().to_owned()).ok().filter(|_| !plugin)
    };
    let outputs = host.output_devices().map(|devices| devices.filter_map(name).collect()).unwrap_or_default();
    let inputs = host.input_devices().map(|devices| devices.filter_map(name).collect()).unwrap_or_default();
    Devices { outputs, inputs }
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// No output is there.
    #[error("no sound output found; connect one and play again")]
    Absent,
    /// The output is there, but does not play.
    #[error("cannot use sound output ({reason}); choose another in the system settings: {name}")]
    Refused {
        /// The system's reason.
        reason: String,
        /// Name of the output.
        name: String,
    },
}

impl OutputError {
    /// Says why the output of this name could not be opened.
    pub fn at_opening(error: &cpal::Error, name: &str) -> Self {
        match decide(Stage::OpeningOutput, error.kind()) {
            Decision::Refuse => Self::Refused { reason: error.to_string(), name: name.to_owned() },
            _ => Self::Absent,
        }
    }
}

/// Why there is no input, or no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// No input is there.
    #[error("no sound input found; connect one and record again")]
    Absent,
    /// The input that was asked for is not there.
    #[error("sound input not found; connect it or choose another: {0}")]
    Unknown(String),
    /// The input is there, but does not record.
    #[error("cannot use sound input ({reason}); choose another: {name}")]
    Refused {
        /// The system's reason.
        reason: String,
        /// Name of the input.
        name: String,
    },
    /// The input went away while it was open.
    #[error("sound input was disconnected; connect it or another one and record again: {0}")]
    Gone(String),
    /// The input runs at another rate or in another format now.
    #[error("sound input changed its sample rate; record again: {0}")]
    Changed(String),
}

impl InputError {
    /// Says why the input of this name could not be opened.
    pub fn at_opening(error: &cpal::Error, name: &str) -> Self {
        match decide(Stage::OpeningInput, error.kind()) {
            Decision::Refuse => Self::Refused { reason: error.to_string(), name: name.to_owned() },
            _ => Self::Absent,
        }
    }
}

/// What was being done when cpal reported an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// An output was being opened.
    OpeningOutput,
    /// An input was being opened.
    OpeningInput,
    /// A stream was running, in either direction.
    Running,
}

/// What follows from an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The stream goes on as it was.
    Ignore,
    /// The stream goes on, and some sound was lost or late: count that.
    CountXrun,
    /// The stream goes on, and the system has moved it to another device: show that device's name.
    Follow,
    /// The stream may go on: it ends if [`ErrorStreak`] says that there have been too many such errors.
    Tolerate,
    /// The stream has ended and its device is still there: it has to be opened again.
    Reopen,
    /// There is no device, or no more: another has to be found.
    GiveUp,
    /// There is a device that cannot be used: the system's reason is shown.
    Refuse,
}

/// Decides what an error means.
pub(super) fn decide(stage: Stage, kind: ErrorKind) -> Decision {
    match stage {
        // The engine goes on looking for an output by itself, so the user is given a reason only if it is one that
        // they can do something about.
        Stage::OpeningOutput => match kind {
            ErrorKind::DeviceBusy | ErrorKind::PermissionDenied | ErrorKind::UnsupportedConfig => Decision::Refuse,
            _ => Decision::GiveUp,
        },
        // Nobody looks for an input again, so the user is given every reason there is.
        Stage::OpeningInput => match kind {
            ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => Decision::GiveUp,
            _ => Decision::Refuse,
        },
        Stage::Running => match kind {
            ErrorKind::RealtimeDenied => Decision::Ignore,
            ErrorKind::Xrun => Decision::CountXrun,
            ErrorKind::DeviceChanged => Decision::Follow,
            ErrorKind::BackendError | ErrorKind::Other => Decision::Tolerate,
            ErrorKind::StreamInvalidated => Decision::Reopen,
            _ => Decision::GiveUp,
        },
    }
}

/// Unexplained errors of a stream in a row.
///
/// Sound servers fail now and then and go on. One that has died fails again before the device has taken or given
/// another buffer.
#[derive(Debug, Default)]
pub(super) struct ErrorStreak {
    errors: u32,
    buffers: u64,
}

impl ErrorStreak {
    /// Counts an error that came after so many buffers; tells whether the stream has to be given up.
    pub fn is_too_long_after(&mut self, buffers: u64) -> bool {
        self.errors = if self.buffers == buffers { self.errors + 1 } else { 1 };
        self.buffers = buffers;
        self.errors >= TOLERATED
    }
}

/// A device as people and as the system name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeviceName {
    /// Name for people.
    pub name: String,
    /// Name for the system, if it has one that lasts.
    pub id: Option<String>,
}

impl DeviceName {
    /// Asks a device for its names.
    pub fn of(device: &cpal::Device) -> Self {
        let name =
            device.description().map_or_else(|_| "default".to_owned(), |description| description.name().to_owned());
        Self { name, id: device.id().ok().map(|id| id.to_string()) }
    }
}

/// Chooses how many frames a device takes or gives at a time: `frames`, or what it can that is nearest.
pub(super) fn buffer_size(supported: SupportedBufferSize, frames: u32) -> BufferSize {
    match supported {
        SupportedBufferSize::Range { min, max } if min <= max => BufferSize::Fixed(frames.clamp(min, max)),
        _ => BufferSize::Default,
    }
}

/// A stream that can rest.
pub(super) trait RestingStream: Send {
    /// Runs or rests; false if it cannot.
    fn run(&self, on: bool) -> bool;
}

impl RestingStream for cpal::Stream {
    fn run(&self, on: bool) -> bool {
        if on { self.play() } else { self.pause() }.is_ok()
    }
}

/// An open stream.
///
/// Dropping it closes its device, which waits for the device's own thread. That thread may never return if its sound
/// server is dying, so the drop waits no longer than a device takes that still answers.
pub(super) struct StreamHandle(Option<Box<dyn RestingStream>>);

impl StreamHandle {
    /// Takes a stream over.
    pub fn new(stream: impl RestingStream + 'static) -> Self {
        Self(Some(Box::new(stream)))
    }

    /// Runs or rests; false if it cannot.
    pub fn run(&self, on: bool) -> bool {
        self.0.as_ref().is_some_and(|stream| stream.run(on))
    }
}

impl Drop for StreamHandle {
    fn drop(&mut self) {
        crate::actor::drop_within(CLOSING, self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind that cpal 0.18 has, with what follows at opening an output, at opening an input, and while running.
    const DECISIONS: [(ErrorKind, [Decision; 3]); 14] = {
        use Decision::{CountXrun, Follow, GiveUp, Ignore, Refuse, Reopen, Tolerate};
        [
            (ErrorKind::DeviceBusy, [Refuse, Refuse, GiveUp]),
            (ErrorKind::DeviceChanged, [GiveUp, Refuse, Follow]),
            (ErrorKind::DeviceNotAvailable, [GiveUp, GiveUp, GiveUp]),
            (ErrorKind::HostUnavailable, [GiveUp, GiveUp, GiveUp]),
            (ErrorKind::InvalidInput, [GiveUp, Refuse, GiveUp]),
            (ErrorKind::PermissionDenied, [Refuse, Refuse, GiveUp]),
            (ErrorKind::RealtimeDenied, [GiveUp, Refuse, Ignore]),
            (ErrorKind::ResourceExhausted, [GiveUp, Refuse, GiveUp]),
            (ErrorKind::StreamInvalidated, [GiveUp, Refuse, Reopen]),
            (ErrorKind::UnsupportedConfig, [Refuse, Refuse, GiveUp]),
            (ErrorKind::UnsupportedOperation, [GiveUp, Refuse, GiveUp]),
            (ErrorKind::Xrun, [GiveUp, Refuse, CountXrun]),
            (ErrorKind::BackendError, [GiveUp, Refuse, Tolerate]),
            (ErrorKind::Other, [GiveUp, Refuse, Tolerate]),
        ]
    };

    #[test]
    fn every_error_of_a_device_has_its_decision() {
        for (kind, decisions) in DECISIONS {
            let stages = [Stage::OpeningOutput, Stage::OpeningInput, Stage::Running];
            assert_eq!(stages.map(|stage| decide(stage, kind)), decisions, "{kind:?}");
        }
    }

    #[test]
    fn what_the_user_can_mend_is_told_with_the_system_s_reason_and_the_device_s_name() {
        let busy = cpal::Error::with_message(ErrorKind::DeviceBusy, "held by another program");
        let gone = cpal::Error::new(ErrorKind::DeviceNotAvailable);
        assert_eq!(
            OutputError::at_opening(&busy, "Speakers").to_string(),
            "cannot use sound output (held by another program); choose another in the system settings: Speakers"
        );
        assert!(matches!(OutputError::at_opening(&gone, "Speakers"), OutputError::Absent));
        let refused = InputError::Refused { reason: "held by another program".to_owned(), name: "Mic".to_owned() };
        assert_eq!(InputError::at_opening(&busy, "Mic"), refused);
        assert_eq!(InputError::at_opening(&gone, "Mic"), InputError::Absent);
    }

    #[test]
    fn a_stream_is_given_up_after_ten_errors_without_a_buffer_between_them() {
        let mut streak = ErrorStreak::default();
        assert!((0..100).all(|buffers| !streak.is_too_long_after(buffers)), "a device that goes on is kept");
        assert!((2..10).all(|_| !streak.is_too_long_after(99)));
        assert!(streak.is_too_long_after(99), "the tenth in a row");
    }

    #[test]
    fn a_device_is_asked_for_the_buffer_that_is_nearest_to_the_wanted_one() {
        let range = |min, max| SupportedBufferSize::Range { min, max };
        assert_eq!(buffer_size(range(64, 4096), 512), BufferSize::Fixed(512));
        assert_eq!(buffer_size(range(1024, 4096), 512), BufferSize::Fixed(1024));
        assert_eq!(buffer_size(range(16, 128), 512), BufferSize::Fixed(128));
        assert_eq!(buffer_size(range(2, 1), 512), BufferSize::Default, "some drivers state nonsense");
        assert_eq!(buffer_size(SupportedBufferSize::Unknown, 512), BufferSize::Default);
    }
}
