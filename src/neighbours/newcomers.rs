//! Samples whose vectors came, changed or went since the space was built: a question is answered from them too, and each
//! stands on the map among its nearest, until the next space has them.
//!
//! A space of all sounds costs seconds in a large library, a newcomer at most one millisecond: so spaces follow
//! at each doubling, and in between a newcomer is heard within a few frames.

use std::collections::VecDeque;
use std::sync::Arc;

use bevy::ecs::entity::EntityHashMap;
use bevy::prelude::*;
use similarity::space::QueryVector;

/// What is known of a sample that has changed since the space was built.
#[derive(Clone, Debug)]
pub struct Newer {
    /// The newest job that did not know of it.
    job: u64,
    /// Its vector; `None` while it waits to be heard, and when it has none any more.
    pub vector: Option<Arc<QueryVector>>,
}

/// Whatever of it is [`None`] is no answer, even if the space has a row of it.
pub type NewerSounds = EntityHashMap<Newer>;

/// All of them.
#[derive(Resource, Default, Debug)]
pub struct Newcomers {
    sounds: Arc<NewerSounds>,
    /// Where each stands in cloud and grid, in map units.
    places: EntityHashMap<[[f32; 2]; 2]>,
    /// Those to be heard or placed.
    waiting: VecDeque<Entity>,
    /// Jobs handed over so far.
    job: u64,
    revision: u64,
}

impl Newcomers {
    /// What changed since the space was built.
    pub fn sounds(&self) -> &Arc<NewerSounds> {
        &self.sounds
    }

    /// Where they stand on the map.
    pub fn places(&self) -> &EntityHashMap<[[f32; 2]; 2]> {
        &self.places
    }

    /// Counts up with each that is heard, placed or taken back.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Notes that a sample has another vector now, or none.
    pub(super) fn note(&mut self, sample: Entity) {
        Arc::make_mut(&mut self.sounds).insert(sample, Newer { job: self.job, vector: None });
        self.waiting.push_back(sample);
        self.revision += 1;
    }

    /// The number of the last job.
    pub(super) fn job(&self) -> u64 {
        self.job
    }

    /// Numbers a job that knows of all that was noted.
    pub(super) fn next_job(&mut self) -> u64 {
        self.job += 1;
        self.job
    }

    /// Forgets what the space of a job knows.
    pub(super) fn forget(&mut self, job: u64) {
        let Self { sounds, places, .. } = self;
        let known = Arc::make_mut(sounds);
        known.retain(|_, newer| newer.job >= job);
        places.retain(|sample, _| known.contains_key(sample));
        self.revision += 1;
    }

    /// Has all of them placed anew; meanwhile they stay where they stand.
    pub(super) fn place_anew(&mut self) {
        self.waiting = self.sounds.keys().copied().collect();
    }

    /// The next that is to be heard or placed.
    pub(super) fn next(&mut self) -> Option<(Entity, Newer)> {
        loop {
            let sample = self.waiting.pop_front()?;
            if let Some(newer) = self.sounds.get(&sample) {
                return Some((sample, newer.clone()));
            }
        }
    }

    /// Sets what is known of one now.
    pub(super) fn set(&mut self, sample: Entity, newer: Newer, place: Option<[[f32; 2]; 2]>) {
        match place {
            Some(place) => self.places.insert(sample, place),
            None => self.places.remove(&sample),
        };
        Arc::make_mut(&mut self.sounds).insert(sample, newer);
        self.revision += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_while_a_space_is_built_is_still_newer_than_it() {
        let mut world = World::new();
        let [before, during] = [(), ()].map(|()| world.spawn_empty().id());
        let mut newcomers = Newcomers::default();
        newcomers.note(before);
        let job = newcomers.next_job();
        newcomers.note(during);
        newcomers.forget(job);
        assert_eq!(newcomers.sounds().keys().collect::<Vec<_>>(), [&during]);
        assert_eq!(newcomers.next().map(|(sample, _)| sample), Some(during), "nobody asks for the other any more");
        // One that changed before and again.
        newcomers.note(before);
        let job = newcomers.next_job();
        newcomers.note(before);
        newcomers.forget(job);
        assert!(newcomers.sounds().contains_key(&before) && !newcomers.sounds().contains_key(&during));
    }
}
