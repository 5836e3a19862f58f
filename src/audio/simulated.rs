//! An output without a device: for tests and measurements on machines without sound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use dsp::Hz;

use super::device::{DeviceName, OutputError, RestingStream, StreamHandle};
use super::output::{Output, Outputs, StreamEvent};
use super::player::SamplePlayer;
use super::render::{Monitor, Renderer};
use crate::actor::{Actor, Outbox, Wake};

/// Rate of the simulated device.
const RATE: Hz = Hz(48_000);
/// Frames that the simulated device takes at a time.
const BUFFER: usize = 512;

/// An output that calls a function with each of its buffers.
pub(super) struct Simulated<F>(pub F);

impl<F: Fn(&[f32]) + Clone + Send + 'static> Outputs for Simulated<F> {
    fn open(
        &mut self,
        player: &mut SamplePlayer,
        _: &Arc<Monitor>,
        _: Sender<StreamEvent>,
    ) -> Result<Output, OutputError> {
        let (renderer, heard) = (player.connect(RATE, 2), self.0.clone());
        let body = move |inbox: Receiver<()>, _: Outbox<()>| pull(renderer, &inbox, heard);
        let actor = Actor::spawn("simulated", 1, &Wake::default(), body).map_err(|_| OutputError::Absent)?;
        let device = DeviceName { name: "simulated".to_owned(), id: None };
        Ok(Output { device, rate: RATE, stream: StreamHandle::new(Device { _actor: actor }) })
    }

    fn default_device(&mut self) -> Option<DeviceName> {
        None
    }
}

struct Device {
    _actor: Actor<(), ()>,
}

impl RestingStream for Device {
    fn run(&self, _on: bool) -> bool {
        true
    }
}

/// Takes a buffer whenever one is due, until the actor is dropped.
fn pull(mut renderer: Renderer, inbox: &Receiver<()>, heard: impl Fn(&[f32])) {
    let mut buffer = [0.0; 2 * BUFFER];
    let mut due = Instant::now();
    while inbox.recv_deadline(due) != Err(RecvTimeoutError::Disconnected) {
        renderer.fill(&mut buffer, Duration::ZERO);
        heard(&buffer);
        due += Duration::from_secs_f64(BUFFER as f64 / f64::from(RATE));
    }
}
