//! What has changed of which samples: one journal, read by everybody who keeps something in step with them.
//!
//! Each reader has a place of its own in it. Changes of one sample come together, so that the journal never holds more
//! entries than there are samples, and what every reader has read is dropped.

use std::collections::BTreeMap;

use bevy::ecs::entity::EntityHashMap;
use bevy::ecs::event::EntityEvent;
use bevy::prelude::*;

use super::components::{
    AudioInfo, ContentHash, Descriptors, Embedding, FileStamp, Missing, Recording, Sample, Tags, Transient,
};
use super::failure::Failed;

/// Facts that are followed.
const FACTS: usize = 10;

/// A component that came, was replaced or went; what it is now, the sample itself says.
#[expect(missing_docs, reason = "each is the component of that name")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    Sample,
    FileStamp,
    ContentHash,
    AudioInfo,
    Embedding,
    Descriptors,
    Failed,
    Missing,
    Tags,
    Recording,
}

/// Several of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts(u16);

impl Facts {
    /// Tells whether one of these is among them.
    pub fn has(self, any: &[Fact]) -> bool {
        any.iter().any(|fact| self.0 & (1 << *fact as u16) != 0)
    }
}

/// What has changed of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The sample; it may be gone by now.
    pub sample: Entity,
    /// All that has changed.
    pub facts: Facts,
    /// What of it is not on the disk: all but what was restored from there.
    pub unsaved: Facts,
}

/// One reader's place.
#[derive(Clone, Copy, Debug)]
pub struct Reader(usize);

/// The journal.
#[derive(Resource, Default, Debug)]
pub struct Changes {
    /// Number of the newest change.
    newest: u64,
    restoring: bool,
    /// The last change that each reader knows.
    read: Vec<u64>,
    samples: EntityHashMap<Entry>,
    /// Samples by their newest change.
    order: BTreeMap<u64, Entity>,
}

#[derive(Default, Debug)]
struct Entry {
    newest: u64,
    facts: [u64; FACTS],
    /// Up to here it was restored.
    restored: u64,
}

impl Changes {
    /// Adds a reader; it reads what changes from now on.
    pub fn reader(&mut self) -> Reader {
        self.read.push(self.newest);
        Reader(self.read.len() - 1)
    }

    /// Says that what follows comes from the library file, or no longer does.
    pub fn set_restoring(&mut self, restoring: bool) {
        self.restoring = restoring;
    }

    /// Hands over what has changed since the reader's last call, longest ago first.
    pub fn read(&mut self, reader: Reader) -> Vec<Change> {
        let Some(place) = self.read.get_mut(reader.0) else { return Vec::new() };
        let since = std::mem::replace(place, self.newest);
        let change = |sample: &Entity| {
            let entry = self.samples.get(sample)?;
            let after = |number: u64| {
                let bits = (0..FACTS).filter(|fact| entry.facts[*fact] > number).map(|fact| 1 << fact);
                Facts(bits.sum())
            };
            Some(Change { sample: *sample, facts: after(since), unsaved: after(since.max(entry.restored)) })
        };
        let changes = self.order.range(since + 1..).filter_map(|(_, sample)| change(sample)).collect();
        let read_by_all = self.read.iter().min().copied().unwrap_or(self.newest);
        let left = self.order.split_off(&(read_by_all + 1));
        for sample in std::mem::replace(&mut self.order, left).values() {
            self.samples.remove(sample);
        }
        changes
    }

    /// Tells whether every reader has read everything.
    pub fn is_read(&self) -> bool {
        self.order.is_empty()
    }

    fn note(&mut self, sample: Entity, fact: Fact) {
        // Without readers nothing is kept.
        if self.read.is_empty() {
            return;
        }
        let entry = self.samples.entry(sample).or_default();
        // Facts that come together are one change, if nobody has read half of it.
        let joins = self.newest > 0 && entry.newest == self.newest && !self.read.contains(&self.newest);
        if !joins || (entry.restored == self.newest) != self.restoring {
            self.newest += 1;
            self.order.remove(&entry.newest);
            entry.newest = self.newest;
            self.order.insert(self.newest, sample);
        }
        entry.facts[fact as usize] = entry.newest;
        if self.restoring {
            entry.restored = entry.newest;
        }
    }
}

/// A component whose changes are followed.
trait Followed: Component {
    const FACT: Fact;
}

macro_rules! followed {
    ($($fact:ident),*) => { $(impl Followed for $fact { const FACT: Fact = Fact::$fact; })* };
}

followed!(Sample, FileStamp, ContentHash, AudioInfo, Embedding, Descriptors, Failed, Missing, Tags, Recording);

pub(super) fn plugin(app: &mut App) {
    app.init_resource::<Changes>()
        .add_observer(note::<Insert, Sample>)
        .add_observer(note::<Remove, Sample>)
        .add_observer(note::<Insert, FileStamp>)
        .add_observer(note::<Insert, ContentHash>)
        .add_observer(note::<Insert, AudioInfo>)
        .add_observer(note::<Insert, Embedding>)
        .add_observer(note::<Remove, Embedding>)
        .add_observer(note::<Insert, Descriptors>)
        .add_observer(note::<Insert, Failed>)
        .add_observer(note::<Remove, Failed>)
        .add_observer(note::<Insert, Missing>)
        .add_observer(note::<Remove, Missing>)
        .add_observer(note::<Insert, Tags>)
        .add_observer(note::<Remove, Recording>);
}

fn note<E: EntityEvent, C: Followed>(
    event: On<E, C>,
    samples: Query<Has<Recording>, (With<Sample>, Without<Transient>)>,
    mut changes: ResMut<Changes>,
) {
    let sample = event.event_target();
    // A take grows many times a second; its length is news when it ends.
    if let Ok(growing) = samples.get(sample)
        && !(growing && C::FACT == Fact::AudioInfo)
    {
        changes.note(sample, C::FACT);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::library::LibraryPlugin;

    const STAMP: FileStamp = FileStamp { size: 1, modified: 1 };

    fn app() -> App {
        let mut app = App::new();
        app.add_plugins(LibraryPlugin);
        app
    }

    fn reader(app: &mut App) -> Reader {
        app.world_mut().resource_mut::<Changes>().reader()
    }

    fn read(app: &mut App, reader: Reader) -> Vec<Change> {
        app.world_mut().resource_mut::<Changes>().read(reader)
    }

    fn facts(facts: &[Fact]) -> Facts {
        Facts(facts.iter().map(|fact| 1 << *fact as u16).sum())
    }

    fn sample(name: &str) -> (Sample, FileStamp) {
        (Sample { path: Path::new(name).into() }, STAMP)
    }

    #[test]
    fn each_reader_gets_what_changed_since_it_last_read_one_change_a_sample() {
        let mut app = app();
        let [first, second] = [reader(&mut app), reader(&mut app)];
        let [a, b] = ["/a.wav", "/b.wav"].map(|name| app.world_mut().spawn(sample(name)).id());
        let born = facts(&[Fact::Sample, Fact::FileStamp]);
        let samples =
            |changes: &[Change]| changes.iter().map(|change| (change.sample, change.facts)).collect::<Vec<_>>();
        assert_eq!(samples(&read(&mut app, first)), [(a, born), (b, born)]);
        app.world_mut().entity_mut(a).insert(Missing);
        app.world_mut().entity_mut(a).remove::<Missing>();
        app.world_mut().entity_mut(a).insert(Tags::default());
        let later = facts(&[Fact::Missing, Fact::Tags]);
        assert_eq!(samples(&read(&mut app, first)), [(a, later)]);
        assert!(read(&mut app, first).is_empty());
        let all = facts(&[Fact::Sample, Fact::FileStamp, Fact::Missing, Fact::Tags]);
        assert_eq!(samples(&read(&mut app, second)), [(b, born), (a, all)]);
        app.world_mut().despawn(b);
        let gone = read(&mut app, second);
        assert!(gone.len() == 1 && gone[0].sample == b && gone[0].facts.has(&[Fact::Sample]), "{gone:?}");
    }

    #[test]
    fn the_journal_does_not_grow_while_nobody_reads_and_is_empty_once_all_have_read() {
        let mut app = app();
        let a = app.world_mut().spawn(sample("/a.wav")).id();
        assert!(app.world().resource::<Changes>().samples.is_empty(), "nobody wants to know");
        let [first, second] = [reader(&mut app), reader(&mut app)];
        for _ in 0..1000 {
            app.world_mut().entity_mut(a).insert((Missing, Tags::default()));
            read(&mut app, first);
        }
        let changes = app.world().resource::<Changes>();
        assert_eq!((changes.samples.len(), changes.order.len(), changes.is_read()), (1, 1, false));
        assert_eq!(read(&mut app, second).len(), 1);
        let changes = app.world().resource::<Changes>();
        assert_eq!((changes.samples.len(), changes.order.len(), changes.is_read()), (0, 0, true));
    }

    #[test]
    fn what_is_restored_has_changed_but_is_on_the_disk_until_it_changes_again() {
        let mut app = app();
        let reader = reader(&mut app);
        app.world_mut().resource_mut::<Changes>().set_restoring(true);
        let [a, b] = ["/a.wav", "/b.wav"].map(|name| app.world_mut().spawn(sample(name)).id());
        app.world_mut().resource_mut::<Changes>().set_restoring(false);
        app.world_mut().entity_mut(b).insert(Missing);
        let born = facts(&[Fact::Sample, Fact::FileStamp]);
        let lost = Facts(born.0 | facts(&[Fact::Missing]).0);
        assert_eq!(
            read(&mut app, reader),
            [
                Change { sample: a, facts: born, unsaved: Facts::default() },
                Change { sample: b, facts: lost, unsaved: facts(&[Fact::Missing]) },
            ]
        );
        app.world_mut().entity_mut(a).insert(STAMP);
        let stamped = facts(&[Fact::FileStamp]);
        assert_eq!(read(&mut app, reader), [Change { sample: a, facts: stamped, unsaved: stamped }]);
    }

    #[test]
    fn transient_samples_are_nobodys_news_and_a_take_is_none_while_it_grows() {
        let mut app = app();
        let reader = reader(&mut app);
        app.world_mut().spawn((sample("/transient.wav"), Transient));
        assert!(read(&mut app, reader).is_empty());
        let take = app.world_mut().spawn((Sample { path: Path::new("/take.wav").into() }, Recording)).id();
        read(&mut app, reader);
        let info = dsp::analysis::StreamInfo {
            frames: dsp::Frames(1),
            rate: dsp::Hz(44_100),
            channels: 1,
            codec: String::new(),
        };
        app.world_mut().entity_mut(take).insert(AudioInfo(info.clone()));
        assert!(read(&mut app, reader).is_empty());
        app.world_mut().entity_mut(take).remove::<Recording>().insert(AudioInfo(info));
        assert_eq!(read(&mut app, reader)[0].facts, facts(&[Fact::Recording, Fact::AudioInfo]));
    }
}
