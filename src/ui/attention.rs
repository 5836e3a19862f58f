//! What people look at, for the analysis, which takes it first.

use bevy::prelude::*;

use super::session::Session;
use super::shown::Shown;
use super::theme::ROW;
use crate::analyse::priorities::Priorities;
use crate::map::MapLook;

/// Rows of the list that are taken to be seen: those of a high window, and some to scroll to.
const SEEN: usize = 100;

/// Tells what is selected, what can be seen and what passes the filter.
pub(super) fn tell(session: Res<Session>, shown: Res<Shown>, look: Res<MapLook>, mut priorities: ResMut<Priorities>) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row of the list, not negative")]
    let top = (session.place.scroll.max(0.0) / ROW) as usize;
    let rows = (top..(top + SEEN).min(shown.len())).filter_map(|place| shown.row(place));
    *priorities = Priorities {
        selected: session.place.selected,
        visible: rows.map(|row| row.entity).collect(),
        filtered: look.accepted.clone(),
    };
}
