//! What is chosen: marked samples, and the part of the selected one.

use bevy::ecs::entity::EntityHashSet;
use bevy::prelude::*;
use dsp::Span;

/// Samples besides the selected one, and what is chosen within that.
#[derive(Default)]
pub struct Selection {
    /// Marked samples, which commands apply to together with the selected one.
    pub marked: EntityHashSet,
    /// The sample the pointer is on, on the map.
    pub pointed: Option<Entity>,
    /// What is chosen within the selected sample; forgotten when another one is selected.
    pub within: Within,
}

/// What is chosen within the selected sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Within {
    /// The part that is played and asked about.
    pub region: Option<Span>,
    /// The part of the waveform that is shown; none for all.
    pub visible: Option<Span>,
    /// Whether it is shown where it could be split.
    pub splits: bool,
}
