//! Sound devices of this machine, through cpal.

use cpal::traits::{DeviceTrait, HostTrait};

/// Names of the devices that can play and record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Devices that play.
    pub outputs: Vec<String>,
    /// Devices that record.
    pub inputs: Vec<String>,
}

/// Lists the devices of the system's default sound host; none where there is no sound.
pub fn devices() -> Devices {
    let host = cpal::default_host();
    let name = |device: cpal::Device| device.description().map(|d| d.name().to_owned()).ok();
    let outputs = host.output_devices().map(|devices| devices.filter_map(name).collect()).unwrap_or_default();
    let inputs = host.input_devices().map(|devices| devices.filter_map(name).collect()).unwrap_or_default();
    Devices { outputs, inputs }
}
