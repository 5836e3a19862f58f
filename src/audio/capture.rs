//! What runs on the input device's own thread: copies its samples into a ring, and counts the frames for which the ring
//! has no room. [`CaptureCallback`] never allocates, frees, locks, logs or calls the system.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use cpal::{FromSample, Sample};
use dsp::Hz;
use rtrb::{Consumer, Producer, RingBuffer};

use super::device::InputError;

/// Sound that the ring holds, in seconds: a disk may be busy with something else for so long.
const RING: usize = 8;
/// Most samples in the ring (64 MiB); devices with very many channels get fewer seconds.
const MOST: usize = 1 << 24;

/// Sound that an input has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overruns {
    /// Frames that the device gave while the ring was full.
    pub frames: u64,
    /// Times that the system says it lost sound before this program was given it. No system says how much that was, and
    /// JACK says so whichever program was late, so they are not frames.
    pub xruns: u64,
}

impl Overruns {
    /// What has been lost since it was `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { frames: self.frames.saturating_sub(earlier.frames), xruns: self.xruns.saturating_sub(earlier.xruns) }
    }
}

/// What the two ends of a ring share besides the samples.
#[derive(Debug, Default)]
pub(super) struct CaptureStatus {
    lost_frames: AtomicU64,
    xruns: AtomicU64,
    buffers: AtomicU64,
    end: OnceLock<InputError>,
}

impl CaptureStatus {
    /// Counts a report of the system that it has lost sound.
    pub fn count_xrun(&self) {
        self.xruns.fetch_add(1, Ordering::Relaxed);
    }

    /// What has been lost so far.
    pub fn overruns(&self) -> Overruns {
        Overruns { frames: self.lost_frames.load(Ordering::Relaxed), xruns: self.xruns.load(Ordering::Relaxed) }
    }

    /// Buffers taken from the device so far.
    pub fn buffers(&self) -> u64 {
        self.buffers.load(Ordering::Relaxed)
    }

    /// States why the stream has ended; only the first reason is kept.
    pub fn end(&self, reason: InputError) {
        let _ = self.end.set(reason);
    }

    /// Tells whether a reason to end has been stated.
    pub fn is_over(&self) -> bool {
        self.end.get().is_some()
    }
}

/// The device's end of a ring: what the system calls with each buffer.
pub(super) struct CaptureCallback {
    channels: usize,
    ring: Producer<f32>,
    status: Arc<CaptureStatus>,
}

impl CaptureCallback {
    /// Copies a buffer of interleaved samples, of any format, into the ring.
    pub fn capture<T: Sample>(&mut self, buffer: &[T])
    where
        f32: FromSample<T>,
    {
        self.status.buffers.fetch_add(1, Ordering::Relaxed);
        let frames = buffer.len() / self.channels;
        // Only whole frames: after half a frame all channels would change places.
        let taken = frames.min(self.ring.slots() / self.channels);
        if let Ok(room) = self.ring.write_chunk_uninit(taken * self.channels) {
            room.fill_from_iter(buffer.iter().map(|sample| f32::from_sample(*sample)));
        }
        if taken < frames {
            self.status.lost_frames.fetch_add((frames - taken) as u64, Ordering::Relaxed);
        }
    }
}

/// An open input: the reader's end of a ring. It ends when its device goes away or is closed.
#[derive(Debug)]
pub struct InputStream {
    /// Name of the device.
    pub name: String,
    /// Rate of the device.
    pub rate: Hz,
    /// Number of its channels.
    pub channels: usize,
    ring: Consumer<f32>,
    pub(super) status: Arc<CaptureStatus>,
}

impl InputStream {
    /// Appends the interleaved frames that have come since the last call; what is no number becomes silence.
    pub fn read(&mut self, interleaved: &mut Vec<f32>) {
        // Whole frames, since the callback commits those of a buffer together.
        let ready = self.ring.slots();
        if let Ok(chunk) = self.ring.read_chunk(ready) {
            let (first, second) = chunk.as_slices();
            let finite = |sample: &f32| if sample.is_finite() { *sample } else { 0.0 };
            interleaved.extend(first.iter().chain(second).map(finite));
            chunk.commit_all();
        }
    }

    /// What has been lost so far.
    pub fn overruns(&self) -> Overruns {
        self.status.overruns()
    }

    /// Tells whether nothing more will come.
    pub fn is_over(&self) -> bool {
        self.ring.is_abandoned() || self.status.is_over()
    }

    /// Ends it as if the device had gone: for a device that has given nothing for too long.
    pub fn give_up(&self) {
        self.status.end(InputError::Gone(self.name.clone()));
    }

    /// Why it is over; none if it was closed on request, or goes on.
    pub fn reason(&self) -> Option<&InputError> {
        self.status.end.get()
    }
}

#[cfg(test)]
impl InputStream {
    /// Makes an open input, and a function that gives it interleaved frames as a device would.
    pub(crate) fn simulated(rate: Hz, channels: usize) -> (impl FnMut(&[f32]), Self) {
        let (mut callback, stream, _) = input_stream("test".to_owned(), rate, channels);
        (move |frames: &[f32]| callback.capture(frames), stream)
    }
}

/// Makes the two ends of a ring for a device, and what they share.
pub(super) fn input_stream(
    name: String,
    rate: Hz,
    channels: usize,
) -> (CaptureCallback, InputStream, Arc<CaptureStatus>) {
    let channels = channels.max(1);
    let frames = (RING * rate.0 as usize).min(MOST / channels);
    let (producer, ring) = RingBuffer::new(frames * channels);
    let status = Arc::new(CaptureStatus::default());
    let callback = CaptureCallback { channels, ring: producer, status: status.clone() };
    (callback, InputStream { name, rate, channels, ring, status: status.clone() }, status)
}

#[cfg(test)]
mod tests {
    use assert_no_alloc::{assert_no_alloc, violation_count};

    use super::*;

    #[test]
    fn the_callback_never_allocates_and_counts_what_it_has_no_room_for() {
        let (mut callback, mut stream, _) = input_stream("test".to_owned(), Hz(100), 2);
        let (floats, integers) = ([0.25_f32; 64], [i16::MAX; 64]);
        let before = violation_count();
        assert_no_alloc(|| {
            for _ in 0..30 {
                callback.capture(&floats);
                callback.capture(&integers);
            }
        });
        assert_eq!(violation_count(), before, "the callback allocated or freed");
        let mut heard = Vec::new();
        stream.read(&mut heard);
        assert_eq!((heard.len(), stream.overruns()), (1600, Overruns { frames: 30 * 64 - 800, xruns: 0 }));
        assert!((heard[0] - 0.25).abs() < f32::EPSILON && heard[64] > 0.99);
        callback.capture(&floats);
        stream.read(&mut heard);
        assert_eq!(heard.len(), 1664);
        assert!(!stream.is_over());
        drop(callback);
        assert!(stream.is_over() && stream.reason().is_none());
    }

    #[test]
    fn after_an_overrun_no_channel_has_changed_places() {
        // Five channels whose samples are their numbers, and a ring of 800 frames.
        let (mut callback, mut stream, _) = input_stream("test".to_owned(), Hz(100), 5);
        let buffer: Vec<f32> = (0..7 * 5).map(|sample| (sample % 5) as f32).collect();
        let mut heard = Vec::new();
        for _ in 0..3 {
            (0..120).for_each(|_| callback.capture(&buffer));
            stream.read(&mut heard);
        }
        assert_eq!(heard.len(), 3 * 800 * 5);
        assert!(heard.chunks_exact(5).all(|frame| *frame == [0.0, 1.0, 2.0, 3.0, 4.0]));
        assert_eq!(stream.overruns().frames, 3 * (120 * 7 - 800));
    }

    #[test]
    fn what_is_no_number_is_read_as_silence() {
        let (mut callback, mut stream, _) = input_stream("test".to_owned(), Hz(100), 1);
        callback.capture(&[0.5, f32::NAN, f32::INFINITY, -0.5]);
        let mut heard = Vec::new();
        stream.read(&mut heard);
        assert_eq!(heard, [0.5, 0.0, 0.0, -0.5]);
    }

    #[test]
    fn what_a_take_has_lost_is_counted_from_its_own_start() {
        let (before, after) = (Overruns { frames: 100, xruns: 2 }, Overruns { frames: 612, xruns: 3 });
        assert_eq!(after.since(before), Overruns { frames: 512, xruns: 1 });
        // An input that was closed meanwhile counts as having lost nothing, rather than less than nothing.
        assert_eq!(Overruns::default().since(before), Overruns::default());
    }
}
