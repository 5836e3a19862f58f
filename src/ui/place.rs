//! Where the user was, from one run to the next: `[place]` in the settings.

use std::path::PathBuf;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use super::question::Question;
use super::session::Session;
use crate::library::Sample;
use crate::library::table::{Filter, Sort};
use crate::settings::Settings;

/// What is remembered of the location. Paths that are not text are not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<PathBuf>,
    open: Vec<PathBuf>,
    sort: Sort,
    /// Whether the order is the user's even where the list is one of similarity or of what fits a search.
    sort_chosen: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    selected: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<Question>,
}

impl Place {
    fn of(session: &Session, samples: &Query<&Sample>) -> Self {
        let text = |path: &PathBuf| path.to_str().is_some();
        let location = &session.navigation.location;
        let mut open: Vec<PathBuf> = session.navigation.open.iter().filter(|path| text(path)).cloned().collect();
        open.sort();
        let selected = location.selected.and_then(|selected| Some(samples.get(selected).ok()?.path.to_path_buf()));
        Self {
            text: location.filter.text.clone(),
            folder: location.filter.folder.clone().filter(text),
            open,
            sort: location.sort,
            sort_chosen: session.navigation.column_chosen,
            query: location.query.as_ref().and_then(|query| Question::of(query, samples)),
            selected: selected.filter(text),
        }
    }

    /// Goes there; the selected sample is selected once it is known, and what was asked is asked again.
    pub(super) fn restore(self, session: &mut Session) {
        let location = &mut session.navigation.location;
        location.filter = Filter { text: self.text, folder: self.folder, ..Filter::default() };
        location.sort = self.sort;
        session.navigation.open = self.open.into_iter().collect();
        session.navigation.column_chosen = self.sort_chosen;
        session.requests.select = self.selected;
        session.requests.question = self.query;
    }
}

/// Writes it into the settings when it has changed.
pub(super) fn remember(
    session: Res<Session>,
    samples: Query<&Sample>,
    mut settings: ResMut<Settings>,
    mut last: Local<Option<Place>>,
) {
    if session.requests.select.is_some() || session.requests.question.is_some() {
        return;
    }
    let now = Place::of(&session, &samples);
    if last.as_ref() != Some(&now) {
        if last.is_some() {
            settings.set("place", &now);
        }
        *last = Some(now);
    }
}
