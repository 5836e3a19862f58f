//! Where in the library the user is, and the way back.
//!
//! A [`Location`] is everything that decides what the list shows. Asking for neighbours, or clearing them, goes from one
//! location to another; those before and after are kept, so that coming back is exact: order, selection and the point
//! scrolled to.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use bevy::prelude::*;

use crate::library::table::{Column, Filter, Sort};
use crate::neighbours::query::Query;

/// Locations to go back to.
const LOCATIONS: usize = 200;

/// What the list shows, and where in it the user is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Location {
    /// What the neighbours that are listed are like, and less like.
    pub query: Option<Arc<Query>>,
    /// Which samples.
    pub filter: Filter,
    /// The order asked for.
    pub sort: Sort,
    /// The selected sample.
    pub selected: Option<Entity>,
    /// Points scrolled from the top.
    pub scroll: f32,
}

/// The location, and those before and after it.
#[derive(Default)]
pub struct Navigation {
    /// Where the user is.
    pub location: Location,
    past: Vec<Location>,
    future: Vec<Location>,
    /// What is found is sorted by how well it fits until the user chooses a column.
    pub column_chosen: bool,
    /// Open branches of the folders.
    pub open: HashSet<PathBuf>,
}

impl Navigation {
    /// The order in effect: by similarity in a query and by fit in a search, unless the user chose a column.
    pub fn sort(&self) -> Sort {
        let scored = self.location.query.is_some() || self.location.filter.has_words();
        if scored && !self.column_chosen {
            return Sort { column: Column::Match, descending: false };
        }
        self.location.sort
    }

    /// Tells whether there is a location to go back to, and one to go forward to.
    pub fn ways(&self) -> [bool; 2] {
        [!self.past.is_empty(), !self.future.is_empty()]
    }

    /// Goes to a new location.
    pub fn go(&mut self, to: Location) {
        self.past.push(std::mem::replace(&mut self.location, to));
        if self.past.len() > LOCATIONS {
            self.past.remove(0);
        }
        self.future.clear();
        self.column_chosen = false;
    }

    /// Goes back, and tells whether there was a location before.
    pub fn back(&mut self) -> bool {
        let Some(to) = self.past.pop() else { return false };
        self.future.push(std::mem::replace(&mut self.location, to));
        self.column_chosen = false;
        true
    }

    /// Goes forward again, and tells whether there was a location after this.
    pub fn forward(&mut self) -> bool {
        let Some(to) = self.future.pop() else { return false };
        self.past.push(std::mem::replace(&mut self.location, to));
        self.column_chosen = false;
        true
    }

    /// The last location that was no query, or this one without its query.
    pub fn origin(&self) -> Location {
        let origin = self.past.iter().rev().find(|location| location.query.is_none()).cloned();
        origin.unwrap_or_else(|| Location { query: None, ..self.location.clone() })
    }
}
