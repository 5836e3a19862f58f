//! How takes are made and where they go, as the user has set it.

use std::path::{Path, PathBuf};

use bevy::prelude::*;
use dsp::Seconds;
use file::wav_writer::Format;
use serde::{Deserialize, Serialize};

use crate::paths::music_folder;

/// How takes are made, as it stands in the settings under `[recording]`.
#[derive(Resource, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordingSettings {
    /// Name of the input; empty for the system's default.
    pub device: String,
    /// Channels to record, counted from 1; empty for all of an input with one or two, and the first two of another.
    pub channels: Vec<u16>,
    /// Where takes go; empty for `Soundkin Recordings` in the platform's folder for music.
    pub folder: PathBuf,
    /// Where slices and trimmed takes go; a relative folder lies beside the sound, so that `.` is its own. Empty for where
    /// takes go.
    pub slices: PathBuf,
    /// How samples are written: `float32` or `int24`.
    pub format: Format,
    /// What is kept in memory while armed, at most 60 seconds.
    pub pre_roll: Seconds,
}

impl Default for RecordingSettings {
    fn default() -> Self {
        Self {
            device: String::new(),
            channels: Vec::new(),
            folder: PathBuf::new(),
            slices: PathBuf::new(),
            format: Format::Float32,
            pre_roll: Seconds(10.0),
        }
    }
}

/// Where takes go: a folder of choice, or else the usual one.
pub(super) fn recordings(chosen: &Path) -> PathBuf {
    let usual = || music_folder().join("Soundkin Recordings");
    if chosen.as_os_str().is_empty() { usual() } else { chosen.to_owned() }
}
