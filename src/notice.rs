//! What the user should know, raised by any part of the app and shown by the window or on stderr.

use bevy::prelude::*;

/// Something the user should know, raised once.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened, why, and what to do; the path last.
    pub text: String,
    /// Whether it has to be read.
    pub kind: Kind,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something did not work; it stays until it is read.
    Problem,
    /// What was asked for has been done; it is of interest until something else happens.
    Done,
}

impl Notice {
    /// Tells of a problem.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: Kind::Problem }
    }

    /// Confirms what was done.
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: Kind::Done }
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
