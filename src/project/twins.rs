//! Which sounds are one and the same to the ear: the same recording at another level, rate or codec, or with another tail.
//!
//! Two sounds are twins if their joined similarity reaches a threshold and they are about as long as each other. Groups
//! are what twins join (single linkage), so a group's first and last may be a little further apart.

use super::space::Space;

/// Twins differ in length by this many seconds at most, or by [`PART`] of the longer one: codecs pad, and tails are cut.
const SECONDS: f64 = 0.1;
/// See [`SECONDS`].
const PART: f64 = 0.1;

/// Sounds that are the same to the ear.
#[derive(Clone, Debug, PartialEq)]
pub struct Twins {
    /// Their places in the rows asked about, in order.
    pub places: Vec<usize>,
    /// Similarity of the two that are least alike among those that joined the group, in -1..=1.
    pub similarity: f32,
}

/// Finds the twins among `rows` of a space, of which each is `seconds` long; groups come with the most alike first.
pub fn twins(space: &Space, rows: &[usize], seconds: &[f64], threshold: f64) -> Vec<Twins> {
    let links = space.pairs(rows, threshold).into_iter().filter(|(a, b, _)| {
        let [short, long] = [seconds[*a].min(seconds[*b]), seconds[*a].max(seconds[*b])];
        long - short <= SECONDS.max(PART * long)
    });
    let mut leaders: Vec<usize> = (0..rows.len()).collect();
    let mut least = vec![f32::INFINITY; rows.len()];
    for (a, b, similarity) in links {
        let (a, b) = (leader(&mut leaders, a), leader(&mut leaders, b));
        least[a] = least[a].min(least[b]).min(similarity);
        leaders[b] = a;
    }
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    for place in 0..rows.len() {
        groups[leader(&mut leaders, place)].push(place);
    }
    let groups = groups.into_iter().zip(least).filter(|(places, _)| places.len() > 1);
    let mut twins: Vec<Twins> = groups.map(|(places, similarity)| Twins { places, similarity }).collect();
    twins.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then_with(|| a.places.cmp(&b.places)));
    twins
}

/// The member that stands for a group (union-find with halved paths).
fn leader(leaders: &mut [usize], mut place: usize) -> usize {
    while leaders[place] != place {
        leaders[place] = leaders[leaders[place]];
        place = leaders[place];
    }
    place
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use half::f16;

    use super::*;
    use crate::project::space::Heard;

    /// A direction in the plane of two of eight axes, in degrees.
    fn direction(axis: usize, degrees: f32) -> Vec<f16> {
        let mut vector = vec![f16::ZERO; 8];
        vector[axis] = f16::from_f32(degrees.to_radians().cos());
        vector[axis + 1] = f16::from_f32(degrees.to_radians().sin());
        vector
    }

    #[test]
    fn what_is_alike_and_as_long_is_one_group_and_chains_join() {
        // 5 degrees apart is a cosine of 0.996, 10 is one of 0.985.
        let vectors =
            [(0, 0.0), (4, 0.0), (0, 5.0), (0, 10.0), (4, 2.0), (2, 40.0), (0, 5.0)].map(|(a, d)| direction(a, d));
        let heard: Vec<Heard> = vectors.iter().map(|pooled| Heard { pooled, descriptors: None }).collect();
        let space = Space::build(&heard, &Arc::default(), 0.0);
        let rows: Vec<usize> = (0..vectors.len()).collect();
        let found = |seconds: &[f64]| twins(&space, &rows, seconds, 0.99);
        let groups = found(&[2.0, 0.3, 2.1, 2.0, 0.35, 1.0, 9.0]);
        let places: Vec<&[usize]> = groups.iter().map(|twins| twins.places.as_slice()).collect();
        assert_eq!(places, [&[1, 4][..], &[0, 2, 3]], "the last sounds like the third, but is far longer");
        assert!((groups[0].similarity - 0.9994).abs() < 1e-3 && (groups[1].similarity - 0.9962).abs() < 1e-3);
        assert!(found(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]).is_empty());
        assert!(twins(&space, &[], &[], 0.99).is_empty());
    }
}
