//! What is analysed first: what people look at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::ecs::entity::EntityHashSet;
use bevy::prelude::*;

/// A filter that changes all the time, as while sounds are listed, is looked through this often.
const FOLLOWED: Duration = Duration::from_millis(250);
/// Samples chosen for a frame: more than the workers take in one.
const CHOSEN: usize = 64;

/// What people look at, the most important first; all else comes after it.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Priorities {
    /// The selected sample.
    pub selected: Option<Entity>,
    /// Samples that can be seen.
    pub visible: Vec<Entity>,
    /// Samples that pass the filter; `None` for all.
    pub filtered: Option<Arc<EntityHashSet>>,
}

/// Chooses them, so that a frame costs the same in a library of any size.
#[derive(Default)]
pub(super) struct First {
    /// The filter that is followed, and since when.
    filtered: Option<(Arc<EntityHashSet>, Instant)>,
    /// Those that pass it and have not been chosen yet.
    left: Vec<Entity>,
}

impl First {
    /// The next samples to be analysed, of those that `waits` says wait for it.
    pub(super) fn of(&mut self, priorities: &Priorities, waits: &dyn Fn(Entity) -> bool) -> Vec<Entity> {
        self.follow(priorities.filtered.as_ref(), waits);
        let mut first: Vec<Entity> = Vec::new();
        for sample in priorities.selected.iter().chain(&priorities.visible) {
            if waits(*sample) && !first.contains(sample) {
                first.push(*sample);
            }
        }
        // Whoever is not taken in this frame is chosen again in the next.
        let mut last = self.left.len();
        while first.len() < CHOSEN && last > 0 {
            last -= 1;
            let sample = self.left[last];
            if !waits(sample) {
                self.left.swap_remove(last);
            } else if !first.contains(&sample) {
                first.push(sample);
            }
        }
        first
    }

    fn follow(&mut self, wanted: Option<&Arc<EntityHashSet>>, waits: &dyn Fn(Entity) -> bool) {
        let Some(wanted) = wanted else {
            *self = Self::default();
            return;
        };
        let current = |(followed, since): &(Arc<EntityHashSet>, Instant)| {
            Arc::ptr_eq(followed, wanted) || since.elapsed() < FOLLOWED
        };
        if !self.filtered.as_ref().is_some_and(current) {
            self.left = wanted.iter().copied().filter(|sample| waits(*sample)).collect();
            self.filtered = Some((wanted.clone(), Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_come_first_then_the_visible_then_what_passes_the_filter() {
        let mut world = World::new();
        let samples: Vec<Entity> = (0..300).map(|_| world.spawn_empty().id()).collect();
        let filtered: EntityHashSet = samples[100..200].iter().copied().collect();
        let priorities = Priorities {
            selected: Some(samples[250]),
            visible: vec![samples[7], samples[250], samples[8], samples[150]],
            filtered: Some(Arc::new(filtered.clone())),
        };
        let (mut first, mut done) = (First::default(), EntityHashSet::from_iter([samples[8]]));
        let chosen = first.of(&priorities, &|sample| !done.contains(&sample));
        assert_eq!(chosen[..3], [samples[250], samples[7], samples[150]]);
        assert_eq!(chosen.len(), CHOSEN);
        // One after the other, all that pass are chosen once, and nothing else.
        let mut order = Vec::new();
        while let Some(next) = first.of(&priorities, &|sample| !done.contains(&sample)).first().copied() {
            assert!(done.insert(next), "twice");
            order.push(next);
        }
        assert_eq!(order.len(), 102);
        assert!(order[2..].iter().all(|sample| filtered.contains(sample)));
        // Without a filter nothing is left of it.
        assert!(first.of(&Priorities::default(), &|_| true).is_empty());
    }
}
