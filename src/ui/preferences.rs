//! What the window remembers from one run to the next, table by table of the settings file.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bevy::prelude::*;
use dsp::descriptors::Group;
use serde::{Deserialize, Serialize};
use similarity::weights::Weights;

use super::action::{Prefer, Sizes};
use super::columns::Columns;
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
    /// Size of text and controls in percent of the usual one.
    pub scale: u16,
    pub sizes: Sizes,
    pub columns: Columns,
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
            scale: 100,
            sizes: Sizes::default(),
            columns: Columns::default(),
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

/// Smallest and largest size of text and controls, in percent.
const SCALES: RangeInclusive<u16> = 50..=250;
/// A step from one size to the next, in percent.
const STEP: i16 = 10;

impl Preferences {
    /// The size of text and controls in percent, whatever the file says.
    pub fn scale(&self) -> u16 {
        self.scale.clamp(*SCALES.start(), *SCALES.end())
    }

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
    /// How often their usual share descriptors have in what was measured, and the share of the neighbourhoods; likewise.
    descriptors: Option<f32>,
    neighbourhoods: Option<f32>,
    /// Weights of descriptor groups by name, where they are not zero.
    groups: BTreeMap<String, f32>,
}

impl Comparing {
    pub fn of(weights: &Weights, usual: f32) -> Self {
        let groups = Group::ALL.into_iter().zip(weights.groups).filter(|(_, weight)| *weight > 0.0);
        let usual = Weights::usual(usual);
        let chosen = |weight: f32, usual: f32| ((weight - usual).abs() > f32::EPSILON).then_some(weight);
        Self {
            head: chosen(weights.head, usual.head),
            descriptors: chosen(weights.described, usual.described),
            neighbourhoods: chosen(weights.smooth, usual.smooth),
            groups: groups.map(|(group, weight)| (group.name().to_owned(), weight)).collect(),
        }
    }

    pub fn weights(&self, usual: f32) -> Weights {
        let group = |group: Group| self.groups.get(group.name()).map_or(0.0, |weight| weight.clamp(0.0, 1.0));
        let usual = Weights::usual(usual);
        Weights {
            head: self.head.unwrap_or(usual.head).clamp(0.0, 1.0),
            described: self.descriptors.unwrap_or(usual.described).clamp(0.0, 4.0),
            smooth: self.neighbourhoods.unwrap_or(usual.smooth).clamp(0.0, 1.0),
            groups: Group::ALL.map(group),
        }
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
            Prefer::Columns(columns) => preferences.columns.clone_from(columns),
            Prefer::ToggleLargeMap => preferences.large_map = !preferences.large_map,
            Prefer::Scale(0) => preferences.scale = 100,
            Prefer::Scale(steps) => {
                let next = preferences.scale().saturating_add_signed(STEP * i16::from(*steps));
                preferences.scale = next.clamp(*SCALES.start(), *SCALES.end());
            }
            Prefer::ToggleTheme => preferences.theme = preferences.theme.other(),
            Prefer::ToggleLegend => preferences.legend = !preferences.legend,
            Prefer::ToggleResults => preferences.results = !preferences.results,
        }
    }
}
