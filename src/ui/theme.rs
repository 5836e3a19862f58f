//! Every colour of the window.

#![expect(clippy::disallowed_methods, reason = "this is the one place that makes colours")]

use bevy_egui::egui::Color32;

/// Ground of every section; lines alone divide.
pub const GROUND: Color32 = Color32::from_rgb(0x11, 0x13, 0x15);
/// Text one reads.
pub const TEXT: Color32 = Color32::from_rgb(0xD5, 0xD9, 0xDE);
/// Text beside it.
pub const MUTED: Color32 = Color32::from_rgb(0x8B, 0x92, 0x9B);
/// The one line between two sections.
pub const BORDER: Color32 = Color32::from_rgb(0x2B, 0x30, 0x36);
