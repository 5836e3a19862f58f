//! The order of a frame, all of it in one place: the sets that plugins put their systems into, and how these follow each
//! other. A plugin never names another one's system.

use bevy::prelude::*;

/// The order of work in a frame.
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoundkinSystems {
    /// Replies of the actors become components.
    Collect,
    /// Messages are acted on.
    Respond,
    /// What follows from the components is brought up to date.
    Derive,
    /// Work is found and handed to the actors.
    Dispatch,
}

/// Whose replies are read, within [`SoundkinSystems::Collect`].
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CollectSystems {
    /// What the library file held: files that are listed are compared with it.
    Store,
    /// What the watcher found.
    Files,
    /// What the workers found.
    Analyses,
    /// What was seen of the files is decided on: nothing that was heard under an old stamp outlives a new one.
    Identity,
    /// Exact answers, and vectors of what is asked with.
    Answers,
    /// What the recorder says: a fact about a file that was still growing must not arrive after its stamp.
    Takes,
    /// What came of copies and slices, and of what the desktop was asked for.
    Requests,
}

/// Who acts on messages, within [`SoundkinSystems::Respond`].
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RespondSystems {
    /// The window turns what the user did into requests.
    Window,
    /// The recorder acts on requests.
    Record,
    /// Folders are added and removed.
    Folders,
}

/// What is brought up to date, within [`SoundkinSystems::Derive`].
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeriveSystems {
    /// The table of samples follows them.
    Table,
    /// Questions are asked.
    Ask,
    /// They are answered.
    Answer,
    /// The answers are shown.
    Show,
}

/// Who hands over work, within [`SoundkinSystems::Dispatch`].
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DispatchSystems {
    /// Folders to the watcher.
    Folders,
    /// Files to the workers.
    Analyses,
    /// Vectors to the builder of the space.
    Space,
    /// Everything that is new to the library file.
    Store,
}

/// The map is arranged and drawn, in `PostUpdate`.
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MapSystems;

/// Puts the sets in order.
pub fn configure(app: &mut App) {
    use SoundkinSystems::{Collect, Derive, Dispatch, Respond};
    app.configure_sets(Update, (Collect, Respond, Derive, Dispatch).chain());
    let collect = (
        CollectSystems::Store,
        CollectSystems::Files,
        CollectSystems::Analyses,
        CollectSystems::Identity,
        CollectSystems::Answers,
        CollectSystems::Takes,
        CollectSystems::Requests,
    );
    app.configure_sets(Update, collect.chain().in_set(Collect))
        .configure_sets(
            Update,
            (RespondSystems::Window, RespondSystems::Record, RespondSystems::Folders).chain().in_set(Respond),
        )
        .configure_sets(
            Update,
            (DeriveSystems::Table, DeriveSystems::Ask, DeriveSystems::Answer, DeriveSystems::Show)
                .chain()
                .in_set(Derive),
        );
    let dispatch =
        (DispatchSystems::Folders, DispatchSystems::Analyses, DispatchSystems::Space, DispatchSystems::Store);
    app.configure_sets(Update, dispatch.chain().in_set(Dispatch));
}
