//! Sounds that are in the library more than once: identical files, and copies that merely sound the same.
//!
//! [`contents`] takes from the library what [`search`] needs, which knows no ECS and shows nothing.

pub mod search;

use std::collections::BTreeMap;

use bevy::prelude::*;

use self::search::Content;
use crate::library::{AudioInfo, ContentHash, Missing, Sample, Transient};

/// Groups the library's files that are present by content, each with its paths in order.
pub fn contents(world: &mut World) -> Vec<Content> {
    let mut by_hash: BTreeMap<ContentHash, Content> = BTreeMap::new();
    let mut samples =
        world.query_filtered::<(&Sample, &ContentHash, Option<&AudioInfo>), (Without<Transient>, Without<Missing>)>();
    for (sample, hash, info) in samples.iter(world) {
        let content = by_hash.entry(*hash).or_default();
        content.paths.push(sample.path.clone());
        content.seconds = content.seconds.or(info.map(AudioInfo::seconds));
    }
    let mut contents: Vec<Content> = by_hash.into_values().collect();
    contents.iter_mut().for_each(|content| content.paths.sort());
    contents.sort_by(|a, b| a.paths.cmp(&b.paths));
    contents
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn files_of_the_library_with_the_same_bytes_are_one_content() {
        let mut world = World::new();
        let mut spawn =
            |name: &str, hash| world.spawn((Sample { path: Path::new(name).into() }, ContentHash([hash; 32]))).id();
        let [_, transient, _, missing, _] =
            [("b", 1), ("a", 1), ("c", 2), ("d", 2), ("a2", 1)].map(|(name, hash)| spawn(name, hash));
        world.entity_mut(transient).insert(Transient);
        world.entity_mut(missing).insert(Missing);
        let contents = contents(&mut world);
        let names: Vec<Vec<&str>> =
            contents.iter().map(|content| content.paths.iter().map(|path| path.to_str().unwrap()).collect()).collect();
        assert_eq!(names, [vec!["a2", "b"], vec!["c"]]);
        assert!(contents.iter().all(|content| content.seconds.is_none()), "not decoded");
    }
}
