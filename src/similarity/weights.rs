//! How much each part counts when two sounds are compared, and how close two sounds are in each part.
//!
//! Every part has a similarity in 0..=1: 1 for the same, and 0 for no more similar than two sounds unrelated to
//! each other: for *head* and *network* their cosine, at least 0; for a *group* of descriptors
//! `1 − ½ · mean(((x − y) / s)²)`, at least 0, over its descriptors `x` and `y` with their spreads `s`, because two independent
//! values are on average two squared spreads apart. Descriptors that are not known yet are taken for unrelated.
//!
//! The *plain* similarity of two sounds is `p = a · head·head + (1 − a) · raw·raw` with the head's weight `a`, where the
//! raw part's descriptors may have another share than the shipped one; that of their
//! [neighbourhoods](crate::smoothing) is `n`, the scalar product of their vectors, found under the same weights. A list is
//! ranked by `((1 − s) · p + s · n + Σ wᵍ · similarityᵍ) / (1 + Σ wᵍ)` with the smoothing's share `s`, usually [half](SMOOTH),
//! and the groups' weights `wᵍ`, which are zero unless the user says otherwise. Tree, map and groups of sounds follow
//! `p` alone.

use std::sync::LazyLock;

use dsp::descriptors::{ABOUT, COUNT, Group, Values};

/// Number of descriptor groups.
pub const GROUPS: usize = Group::ALL.len();

/// Usual share of the neighbourhoods.
pub const SMOOTH: f32 = 0.5;

/// How much each part counts; any change ranks anew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Share of the head, 0..=1: 0 compares by the raw part alone. Without effect under a model that has no head.
    pub head: f32,
    /// How often their usual share the descriptors have in the raw part, as far as that holds it.
    pub described: f32,
    /// Share of the neighbourhoods, 0..=1: 0 compares two sounds by themselves.
    pub smooth: f32,
    /// Weights of the descriptor groups in the order of [`Group::ALL`], each at least 0.
    pub groups: [f32; GROUPS],
}

/// Two ways to compare, each of them right for another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// What sounds of one kind have in common: the model with its learned head, as it is shipped.
    Kind,
    /// What listeners call timbre: without what was learned, and with twice the descriptors. With the judgements of 21 published listening
    /// tests the raw part agrees best.
    Timbre,
}

impl By {
    /// What the weights compare by, with a head whose usual weight this is; `None` for anything in between.
    pub fn of(weights: &Weights, usual: f32) -> Option<Self> {
        [Self::Kind, Self::Timbre].into_iter().find(|by| by.weigh(*weights, usual) == *weights)
    }

    /// Compares by this, and leaves smoothing and groups as they are.
    #[must_use]
    pub fn weigh(self, weights: Weights, usual: f32) -> Weights {
        match self {
            Self::Kind => Weights { head: usual, described: 1.0, ..weights },
            Self::Timbre => Weights { head: 0.0, described: 2.0, ..weights },
        }
    }

    /// The other.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Kind => Self::Timbre,
            Self::Timbre => Self::Kind,
        }
    }
}

/// Every part as it is shipped, and no neighbourhoods.
impl Default for Weights {
    fn default() -> Self {
        Self { head: 0.0, described: 1.0, smooth: 0.0, groups: [0.0; GROUPS] }
    }
}

impl Weights {
    /// The weights that a model with this weight of its head is shipped with.
    pub fn usual(head: f32) -> Self {
        Self { head, smooth: SMOOTH, ..Self::default() }
    }

    /// A number that tells weights apart that give other maps: the head's, less what descriptors have beyond their usual
    /// share.
    pub fn key(&self) -> f32 {
        self.head - (self.described - 1.0)
    }

    /// Tells whether a space for the one serves the other: tree, map and neighbourhoods follow from what is compared here.
    pub fn share_space(&self, other: &Self) -> bool {
        let same = |a: f32, b: f32| (a - b).abs() <= f32::EPSILON;
        let smoothed = (self.smooth > 0.0) == (other.smooth > 0.0);
        same(self.head, other.head) && same(self.described, other.described) && smoothed
    }
}

/// How close two sounds are in each part, 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PartSimilarities {
    /// Under the learned head; `None` under a model without one.
    pub head: Option<f32>,
    /// In the raw part, which is the network's vector and, where a head ships with it, a share of descriptors.
    pub network: f32,
    /// Of their neighbourhoods; `None` where those were not found.
    pub neighbourhood: Option<f32>,
    /// In each descriptor group, in the order of [`Group::ALL`]; `None` until both sounds have been described.
    pub groups: Option<[f32; GROUPS]>,
}

impl PartSimilarities {
    /// The parts by name; without a value where there is no head or a sound has not been described.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, Option<f32>)> + use<> {
        let groups = self.groups;
        let groups = Group::ALL.into_iter().enumerate().map(move |(i, group)| (group.name(), groups.map(|g| g[i])));
        let whole = [("head", self.head), ("network", Some(self.network)), ("neighbourhood", self.neighbourhood)];
        whole.into_iter().chain(groups)
    }
}

/// Descriptors in units of their spreads; not a number where they are not known.
pub(crate) fn standardised(descriptors: Option<&Values>) -> [f32; COUNT] {
    let value = |i: usize| descriptors.map_or(f32::NAN, |d| d[i] / ABOUT[i].spread);
    std::array::from_fn(value)
}

/// The similarity in each group; `None` if either is not known.
pub(crate) fn in_groups(a: &[f32; COUNT], b: &[f32; COUNT]) -> Option<[f32; GROUPS]> {
    let mut sums = [0.0; GROUPS];
    for ((x, y), group) in a.iter().zip(b).zip(PLACES.iter()) {
        sums[*group] += (x - y) * (x - y);
    }
    let known = sums.iter().all(|sum| !sum.is_nan());
    known.then(|| std::array::from_fn(|group| (1.0 - 0.5 * sums[group] / SIZES[group]).max(0.0)))
}

/// Which group each descriptor is in.
static PLACES: LazyLock<[usize; COUNT]> = LazyLock::new(|| ABOUT.map(|about| about.group as usize));

/// Number of descriptors in each group.
static SIZES: LazyLock<[f32; GROUPS]> =
    LazyLock::new(|| Group::ALL.map(|group| ABOUT.iter().filter(|about| about.group == group).count() as f32));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_close_in_every_group_and_what_differs_only_in_the_others() {
        let values = [0.5; COUNT];
        let mut longer = values;
        longer[35] += 2.0 * ABOUT[35].spread;
        longer[34] += 0.1 * ABOUT[34].spread;
        let [a, b] = [values, longer].map(|values| standardised(Some(&values)));
        assert_eq!(in_groups(&a, &a), Some([1.0; GROUPS]));
        let close = in_groups(&a, &b).unwrap();
        for (group, close) in Group::ALL.iter().zip(close) {
            match group {
                Group::Length => assert!(close.abs() < 1e-6),
                Group::Envelope => assert!((0.98..1.0).contains(&close)),
                _ => assert!((close - 1.0).abs() < 1e-6),
            }
        }
        assert_eq!(in_groups(&a, &standardised(None)), None);
    }

    #[test]
    fn groups_are_numbered_as_they_are_listed() {
        assert!(Group::ALL.iter().enumerate().all(|(i, group)| *group as usize == i));
        assert!(SIZES.iter().all(|size| *size >= 1.0));
    }
}
