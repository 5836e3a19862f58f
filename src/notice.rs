//! What the user should know, raised by any part of the app and shown by the window or on stderr.

use bevy::prelude::*;

/// Something the user should know, raised once.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened, why, and what to do; the path last.
    pub text: String,
}

impl Notice {
    /// Makes a notice.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

/// Lets every part of the app raise notices.
pub struct NoticePlugin;

impl Plugin for NoticePlugin {
    fn build(&self, app: &mut App) {
        // Notices of one frame may stand in any order.
        app.add_message::<Notice>().allow_ambiguous_resource::<Messages<Notice>>();
    }
}
