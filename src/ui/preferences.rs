//! What the window remembers from one run to the next, table by table of the settings file.

use std::collections::BTreeMap;

use bevy::prelude::*;
use dsp::descriptors::Group;
use serde::{Deserialize, Serialize};
use similarity::weights::Weights;

use super::action::{Prefer, Sizes};
use super::layout::Mode;
use super::theme::Appearance;
use crate::audio::AuditionSettings;
use crate::map::{Arrangement, ColourBy};

/// Where the window stood, as it is in the settings under `[window.frame]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Frame {
    /// Width and height of the inside, in points.
    pub size: [f32; 2],
    /// Left and top of the outside, in pixels; none where the window system does not tell.
    pub at: Option<[i32; 2]>,
    /// Whether it filled the screen.
    pub maximised: bool,
}

impl Default for Frame {
    fn default() -> Self {
        Self { size: [1440.0, 900.0], at: None, maximised: false }
    }
}

/// What the window remembers from one run to the next, as it stands in the settings under `[window]`.
#[derive(Resource, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct Preferences {
    pub theme: Appearance,
    pub sizes: Sizes,
    pub frame: Frame,
    pub large_map: bool,
    pub results: bool,
    pub legend: bool,
    pub autoplay: bool,
    pub hover_play: bool,
    pub mono: bool,
    pub auto_gain: bool,
    pub snap: bool,
    pub record_when_loud: bool,
    pub colour_by: ColourBy,
    pub arrangement: Arrangement,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            theme: Appearance::Dark,
            sizes: Sizes::default(),
            frame: Frame::default(),
            large_map: false,
            results: true,
            legend: true,
            autoplay: true,
            hover_play: false,
            mono: false,
            auto_gain: true,
            snap: true,
            record_when_loud: false,
            colour_by: ColourBy::default(),
            arrangement: Arrangement::default(),
        }
    }
}

impl Preferences {
    /// What the window is for now.
    pub fn mode(&self) -> Mode {
        if self.large_map { Mode::LargeMap { results: self.results } } else { Mode::Sides }
    }
}

/// How sounds are played, as it stands in the settings under `[audition]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Playing {
    pub volume_db: f32,
    pub equal_loudness: bool,
    pub looping: bool,
}

impl Default for Playing {
    fn default() -> Self {
        let AuditionSettings { volume_db, equal_loudness, looping } = AuditionSettings::default();
        Self { volume_db, equal_loudness, looping }
    }
}

/// How sounds are compared, as it stands in the settings under `[similarity]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Comparing {
    /// Weight of the learned head; the model's own where the user has not chosen.
    head: Option<f32>,
    /// Weights of descriptor groups by name, where they are not zero.
    groups: BTreeMap<String, f32>,
}

impl Comparing {
    pub fn of(weights: &Weights, usual: f32) -> Self {
        let groups = Group::ALL.into_iter().zip(weights.groups).filter(|(_, weight)| *weight > 0.0);
        let head = (weights.head - usual).abs() > f32::EPSILON;
        Self {
            head: head.then_some(weights.head),
            groups: groups.map(|(group, weight)| (group.name().to_owned(), weight)).collect(),
        }
    }

    pub fn weights(&self, usual: f32) -> Weights {
        let group = |group: Group| self.groups.get(group.name()).map_or(0.0, |weight| weight.clamp(0.0, 1.0));
        Weights { head: self.head.unwrap_or(usual).clamp(0.0, 1.0), groups: Group::ALL.map(group) }
    }
}

/// Changes how the window looks and behaves.
pub(super) fn respond(mut asked: MessageReader<Prefer>, mut preferences: ResMut<Preferences>) {
    for action in asked.read() {
        match action {
            Prefer::ToggleAutoplay => preferences.autoplay = !preferences.autoplay,
            Prefer::ToggleHoverPlay => preferences.hover_play = !preferences.hover_play,
            Prefer::ToggleAutoGain => preferences.auto_gain = !preferences.auto_gain,
            Prefer::ToggleSnap => preferences.snap = !preferences.snap,
            Prefer::ToggleMono => preferences.mono = !preferences.mono,
            Prefer::Resize(sizes) => preferences.sizes = *sizes,
            Prefer::ToggleLargeMap => preferences.large_map = !preferences.large_map,
            Prefer::ToggleTheme => preferences.theme = preferences.theme.other(),
            Prefer::ToggleLegend => preferences.legend = !preferences.legend,
            Prefer::ToggleResults => preferences.results = !preferences.results,
        }
    }
}
