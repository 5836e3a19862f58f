//! What people look at, for the analysis, which takes it first.

use bevy::prelude::*;

use super::rows::Rows;
use super::session::Session;
use super::theme::ROW;
use crate::analyse::priorities::Priorities;
use crate::library::table::SampleTable;

/// Rows of the list that are taken to be seen: those of a high window, and some to scroll to.
const SEEN: usize = 100;

/// Tells what is selected, what can be seen and what passes the filter.
pub(super) fn tell(
    session: Res<Session>,
    (table, rows): (Res<SampleTable>, Res<Rows>),
    mut priorities: ResMut<Priorities>,
) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row of the list, not negative")]
    let top = (session.navigation.location.scroll.max(0.0) / ROW) as usize;
    let seen = (top..(top + SEEN).min(rows.len())).filter_map(|place| rows.row(&table, place));
    *priorities = Priorities {
        selected: session.selected(),
        visible: seen.map(|row| row.entity).collect(),
        filtered: rows.passing().cloned(),
    };
}
