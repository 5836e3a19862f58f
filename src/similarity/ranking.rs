//! The most similar of many.

/// One neighbour: which row, and how similar, in -1..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Row in the space.
    pub row: usize,
    /// What it is ranked by, see [`weights`](crate::weights).
    pub similarity: f32,
}

/// Keeps the `k` most similar, the nearest first; equals come in the order of their rows.
pub(crate) fn best(found: impl Iterator<Item = Neighbour>, k: usize) -> Vec<Neighbour> {
    let closer = |a: &Neighbour, b: &Neighbour| b.similarity.total_cmp(&a.similarity).then(a.row.cmp(&b.row));
    let mut kept: Vec<Neighbour> = Vec::with_capacity(2 * k + 1);
    let mut bar = f32::NEG_INFINITY;
    for neighbour in found {
        if neighbour.similarity < bar {
            continue;
        }
        kept.push(neighbour);
        if kept.len() > 2 * k {
            kept.select_nth_unstable_by(k, closer);
            kept.truncate(k);
            bar = kept.iter().map(|n| n.similarity).fold(f32::INFINITY, f32::min);
        }
    }
    kept.sort_by(closer);
    kept.truncate(k);
    kept
}
