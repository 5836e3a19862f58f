//! A similarity query as a value, and its answer: which samples sound most like a given one, and where in them.

use bevy::prelude::*;

use crate::embed::{Embedding, Windows};
use crate::project::SpaceIndex;
use crate::project::space::centre_and_normalise;

/// Asks for the neighbours of one sample, in the library or a guest.
#[derive(Clone, Copy, Debug)]
pub struct SimilarTo {
    /// The sample.
    pub subject: Entity,
    /// How many neighbours.
    pub k: usize,
    /// Whether to wait for the exact answer, or take the tree's at once.
    pub exact: bool,
}

/// A neighbour of the subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimilarSample {
    /// The sample.
    pub entity: Entity,
    /// Cosine of the centred pooled vectors, in -1..=1.
    pub similarity: f32,
    /// Start and end in seconds of the window that is most like the subject, in a sound longer than one window.
    pub at: Option<[f32; 2]>,
}

/// The neighbours, nearest first, without the subject itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimilarSamples {
    /// At most as many as asked for.
    pub neighbours: Vec<SimilarSample>,
    /// Whether these are the true nearest.
    pub exact: bool,
}

/// Answers a query; `accept` restricts it. `None` when the subject has no vector.
pub fn answer(
    query: SimilarTo,
    index: &SpaceIndex,
    embeddings: &Query<&Embedding>,
    accept: impl Fn(Entity) -> bool,
) -> Option<SimilarSamples> {
    let subject = embeddings.get(query.subject).ok()?;
    let point = index.space.place(&subject.vector);
    let wanted = |row: usize| {
        let entity = index.entities[row];
        entity != query.subject && accept(entity)
    };
    let found = if query.exact {
        index.space.exact(&point, query.k, wanted)
    } else {
        index.space.quick(&point, query.k, wanted)
    };
    let neighbours = found.neighbours.into_iter().map(|neighbour| {
        let entity = index.entities[neighbour.row];
        let windows = embeddings.get(entity).ok().and_then(|e| e.windows.clone());
        let at = windows.and_then(|windows| nearest_window(&windows, &point, index.space.centre()));
        SimilarSample { entity, similarity: neighbour.similarity, at }
    });
    Some(SimilarSamples { neighbours: neighbours.collect(), exact: found.exact })
}

fn nearest_window(windows: &Windows, point: &[f32], centre: &[f32]) -> Option<[f32; 2]> {
    let likeness = |vector: &[half::f16]| {
        let mut vector: Vec<f32> = vector.iter().map(|v| v.to_f32()).collect();
        centre_and_normalise(&mut vector, &[]);
        centre_and_normalise(&mut vector, centre);
        vector.iter().zip(point).map(|(a, b)| a * b).sum::<f32>()
    };
    let scores = windows.vectors.chunks_exact(point.len().max(1)).map(likeness);
    let best = scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    windows.spans.get(best.0).copied()
}
