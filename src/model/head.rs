//! The stage after pooling that a model may ship: from what was measured of a sound to the two parts that are compared.
//!
//! What is measured comes in *groups*: the pooled vector, side outputs of the network, the descriptors. Each is scaled as
//! the manifest says (less a mean, of unit length) and times the root of its share. All of them one after the other,
//! through one matrix and of unit length, are the *head*. Some of them, with shares of their own, are the *raw part*. With a
//! weight `a` two sounds are as similar as `a · head·head + (1 − a) · raw·raw`; that is the scalar product of their *joined*
//! vectors, head and raw part each times the root of its weight.
//!
//! Until the descriptors of a sound are known, they count as neither near nor far: their share of the raw part is zero, and
//! there is no head.
//!
//! File: little-endian f32, one after the other: of each group its mean and, for `standard`, its standard deviations;
//! offset `[head]`, matrix `[groups, head]`, and `basis` main directions of joined vectors at the usual weight, `[head +
//! raw]` each, best first.

use dsp::descriptors::Values;
use dsp::vector::{dot, normalise};

use crate::manifest::{DESCRIPTORS, HeadStage, Manifest, Post, Scale};

/// A learned head, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Its usual weight, 0..=1.
    pub weight: f32,
    /// Main directions of joined vectors at the usual weight, `[head + raw]` each.
    pub basis: Vec<Vec<f32>>,
    groups: Vec<Group>,
    /// Places among the groups, and roots of the shares.
    raw: Vec<(usize, f32)>,
    /// `[head]`
    offset: Vec<f32>,
    /// The matrix turned, `[head, groups]`.
    rows: Vec<f32>,
}

#[derive(Clone, Debug, PartialEq)]
struct Group {
    of: Of,
    scale: Scale,
    mean: Vec<f32>,
    /// Empty where they are not needed.
    deviations: Vec<f32>,
    /// Root of its share.
    root: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Of {
    Pooled,
    Descriptors,
    Side(usize),
}

impl Group {
    /// Scales what was measured, to unit length.
    fn scale(&self, numbers: &mut [f32]) {
        match self.scale {
            Scale::Centre => {
                normalise(numbers);
                centre_and_normalise(numbers, &self.mean);
            }
            Scale::Standard { limit } => {
                for (number, (mean, deviation)) in numbers.iter_mut().zip(self.mean.iter().zip(&self.deviations)) {
                    *number = ((*number - mean) / deviation).clamp(-limit, limit);
                }
                normalise(numbers);
            }
        }
    }
}

impl Head {
    /// Parses the file that a checked manifest names.
    ///
    /// # Errors
    /// It has another length than the manifest says.
    pub fn parse(stage: &HeadStage, manifest: &Manifest, bytes: &[u8]) -> Result<Self, String> {
        let standard = |scale: Scale| usize::from(scale != Scale::Centre);
        let statistics: usize = stage.groups.iter().map(|group| group.dim * (1 + standard(group.scale))).sum();
        let taken: usize = stage.groups.iter().map(|group| group.dim).sum();
        let place = |name: &str| stage.groups.iter().position(|group| group.of == name);
        let raw: Vec<(usize, f32)> =
            stage.raw.iter().filter_map(|share| Some((place(&share.of)?, share.share.sqrt()))).collect();
        let joined = stage.dim + raw.iter().map(|(group, _)| stage.groups[*group].dim).sum::<usize>();
        let expected = 4 * (statistics + stage.dim + taken * stage.dim + stage.basis * joined);
        if bytes.len() != expected {
            return Err(format!("{} has {} bytes, not {expected}", stage.file, bytes.len()));
        }
        let mut values = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        let mut take = |count: usize| values.by_ref().take(count).collect::<Vec<f32>>();
        let side = |name: &str| manifest.side_outputs.iter().position(|side| side.name == name);
        let groups = stage.groups.iter().map(|group| Group {
            of: match side(&group.of) {
                Some(side) => Of::Side(side),
                None if group.of == DESCRIPTORS => Of::Descriptors,
                None => Of::Pooled,
            },
            scale: group.scale,
            mean: take(group.dim),
            deviations: take(group.dim * standard(group.scale)),
            root: group.share.sqrt(),
        });
        let groups: Vec<Group> = groups.collect();
        let offset = take(stage.dim);
        let matrix = take(taken * stage.dim);
        let rows = (0..stage.dim).flat_map(|row| matrix.iter().skip(row).step_by(stage.dim).copied()).collect();
        let basis = (0..stage.basis).map(|_| take(joined)).collect();
        Ok(Self { weight: stage.weight, basis, groups, raw, offset, rows })
    }

    fn write_raw(&self, pooled: &mut [f32], descriptors: Option<&Values>, mut raw: &mut [f32]) {
        for (group, root) in &self.raw {
            let group = &self.groups[*group];
            let (numbers, rest) = raw.split_at_mut(group.mean.len().min(raw.len()));
            raw = rest;
            match (group.of, descriptors) {
                (Of::Pooled, _) => numbers.copy_from_slice(pooled),
                (Of::Descriptors, Some(descriptors)) => numbers.copy_from_slice(descriptors),
                // A manifest that names a side output here is refused.
                (Of::Descriptors, None) | (Of::Side(_), _) => {
                    numbers.fill(0.0);
                    continue;
                }
            }
            group.scale(numbers);
            numbers.iter_mut().for_each(|v| *v *= root);
        }
    }

    /// Its value; `None` if anything that it takes is not known.
    fn of(&self, pooled: &[f32], descriptors: Option<&Values>, sides: &[Vec<f32>]) -> Option<Vec<f32>> {
        let mut taken = Vec::with_capacity(self.rows.len() / self.offset.len().max(1));
        for group in &self.groups {
            let numbers = match group.of {
                Of::Pooled => pooled,
                Of::Descriptors => descriptors?,
                Of::Side(side) => sides.get(side)?,
            };
            if numbers.len() != group.mean.len() {
                return None;
            }
            let from = taken.len();
            taken.extend_from_slice(numbers);
            group.scale(&mut taken[from..]);
            taken[from..].iter_mut().for_each(|v| *v *= group.root);
        }
        let rows = self.rows.chunks_exact(taken.len().max(1)).zip(&self.offset);
        let mut head: Vec<f32> = rows.map(|(row, offset)| dot(row, &taken) + offset).collect();
        normalise(&mut head);
        Some(head)
    }
}

/// The statistics named by [`Post`] and [`HeadStage`], parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Mean vector, `[dim]`; empty when none is shipped.
    pub centre: Vec<f32>,
    /// Orthonormal rows, each `[dim]`, best first.
    pub basis: Vec<Vec<f32>>,
    /// The learned head, if the model has one.
    pub head: Option<Head>,
}

impl Statistics {
    /// Parses the file that a checked manifest names.
    ///
    /// # Errors
    /// It has another length than the manifest says, or lacks a row that it names.
    pub fn parse(post: &Post, dim: usize, bytes: &[u8]) -> Result<Self, String> {
        let expected = post.rows.checked_mul(4 * dim);
        if expected != Some(bytes.len()) {
            let rows = post.rows;
            return Err(format!("{} has {} bytes, not {rows} rows of {dim} numbers", post.file, bytes.len()));
        }
        let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let rows: Vec<Vec<f32>> = values.chunks_exact(dim).map(<[f32]>::to_vec).collect();
        let centre = rows.get(post.centre_row).cloned().ok_or("centre_row is not in the file")?;
        let [first, last] = post.pca_rows;
        let basis = rows.get(first..=last).ok_or("pca_rows are not in the file")?.to_vec();
        Ok(Self { centre, basis, head: None })
    }

    /// The same for sounds that have no head yet: the raw part alone is compared.
    #[must_use]
    pub fn without_head(&self) -> Self {
        let mut statistics = self.clone();
        if let Some(head) = &mut statistics.head {
            (head.offset, head.rows, head.basis, head.weight) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
        }
        statistics
    }

    /// What is subtracted from a pooled vector before it is compared, `[dim]`; empty for nothing.
    pub fn centre(&self) -> &[f32] {
        let of_output = |head: &Head| head.raw.first().map(|(group, _)| *group);
        match &self.head {
            Some(head) => of_output(head).map_or(&[], |group| &head.groups[group].mean),
            None => &self.centre,
        }
    }

    /// Lengths of head and raw part for pooled vectors of length `dim`.
    pub fn lengths(&self, dim: usize) -> [usize; 2] {
        let raw = |head: &Head| head.raw.iter().map(|(group, _)| head.groups[*group].mean.len()).sum();
        self.head.as_ref().map_or([0, dim], |head| [head.offset.len(), raw(head)])
    }

    /// Weight of the head unless the user says otherwise; zero for a model without one.
    pub fn usual_weight(&self) -> f32 {
        self.head.as_ref().map_or(0.0, |head| head.weight)
    }

    /// Share of the descriptors in the raw part, at its end.
    pub fn descriptor_share(&self) -> f32 {
        let described = |head: &Head, group: usize| head.groups[group].of == Of::Descriptors;
        let share = |head: &Head| {
            let roots = head.raw.iter().filter(|(group, _)| described(head, *group)).map(|(_, root)| root * root);
            roots.sum::<f32>()
        };
        self.head.as_ref().map_or(0.0, share)
    }

    /// Writes the raw part; `pooled` is used up.
    pub fn write_raw(&self, pooled: &mut [f32], descriptors: Option<&Values>, raw: &mut [f32]) {
        if let Some(head) = &self.head {
            head.write_raw(pooled, descriptors, raw);
        } else {
            centre_and_normalise(pooled, &self.centre);
            raw.copy_from_slice(pooled);
        }
    }

    /// The raw part of one sound.
    pub fn raw(&self, pooled: &[f32], descriptors: Option<&Values>) -> Vec<f32> {
        let [_, length] = self.lengths(pooled.len());
        let mut raw = vec![0.0; length];
        self.write_raw(&mut pooled.to_vec(), descriptors, &mut raw);
        raw
    }

    /// The head of one sound, `[head]`; `None` under a model without one, or if anything that it takes is not known.
    pub fn head(&self, pooled: &[f32], descriptors: Option<&Values>, sides: &[Vec<f32>]) -> Option<Vec<f32>> {
        self.head.as_ref()?.of(pooled, descriptors, sides)
    }
}

/// Subtracts the centre, if there is one, and scales to unit length.
pub fn centre_and_normalise(vector: &mut [f32], centre: &[f32]) {
    vector.iter_mut().zip(centre).for_each(|(v, c)| *v -= c);
    normalise(vector);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use dsp::descriptors::COUNT;
    use serde_json::{Value, json};

    use super::*;
    use crate::Model;
    use crate::manifest::parse;

    fn length(vector: &[f32]) -> f32 {
        vector.iter().map(|v| v * v).sum::<f32>().sqrt()
    }

    fn pooled() -> Vec<f32> {
        (0..512_u16).map(|i| f32::from(i * 37 % 101) / 50.0).collect()
    }

    /// A manifest whose head takes two side outputs as well, before and after the pooled vector.
    fn with_sides() -> Manifest {
        let mut value: Value = serde_json::from_str(include_str!("../../models/aisfx-int8.json")).unwrap();
        let side = |name: &str, dim: usize| json!({"name": name, "dim": dim, "pool": "mean"});
        let group = |of: &str, dim: usize, share: f32| json!({"of": of, "dim": dim, "scale": "centre", "share": share});
        let described = json!({"of": DESCRIPTORS, "dim": COUNT, "scale": "standard", "limit": 2.0, "share": 0.2});
        value["side_outputs"] = json!([side("low", 3), side("high", 2)]);
        value["head"]["groups"] =
            json!([group("high", 2, 0.1), group("embedding", 512, 0.4), described, group("low", 3, 0.3)]);
        value["head"]["raw"] = json!([{"of": "embedding", "share": 0.64}, {"of": DESCRIPTORS, "share": 0.36}]);
        value["head"]["dim"] = 4.into();
        value["head"]["basis"] = 1.into();
        parse(&value.to_string(), Path::new("m.json")).unwrap()
    }

    #[test]
    fn both_parts_have_unit_length_and_unknown_descriptors_count_as_nothing() {
        let statistics = Model::built_in().unwrap().statistics;
        let described = std::array::from_fn(|i| i as f32 / 20.0 - 1.0);
        let known = statistics.raw(&pooled(), Some(&described));
        let [head, raw] = statistics.lengths(512);
        assert!(head > 0 && known.len() == raw && (length(&known) - 1.0).abs() < 1e-5);
        let unknown = statistics.raw(&pooled(), None);
        assert_eq!(unknown[..512], known[..512]);
        assert_eq!(unknown[512..], [0.0; COUNT]);
        assert_eq!(statistics.head(&pooled(), None, &[]), None);
        let alone = statistics.without_head();
        assert_eq!((alone.lengths(512), alone.raw(&pooled(), Some(&described))), ([0, raw], known));
    }

    #[test]
    fn a_head_takes_its_groups_in_order_each_with_its_scale_and_share() {
        let manifest = with_sides();
        let stage = manifest.head.clone().unwrap();
        // Statistics, then the matrix: each column takes the first number of one group.
        let mut file = vec![0.5_f32, 0.0];
        file.extend([0.0; 512]);
        file.extend([1.0; COUNT]);
        file.extend([2.0; COUNT]);
        file.extend([0.0; 3]);
        file.extend([0.0, 0.0, 0.0, 0.25]);
        let firsts = [0, 2, 514, 514 + COUNT];
        file.extend((0..514 + COUNT + 3).flat_map(|i| firsts.map(|first| f32::from(first == i))));
        file.extend([0.0; 4 + 512 + COUNT]);
        let bytes: Vec<u8> = file.iter().flat_map(|v| v.to_le_bytes()).collect();
        let head = Head::parse(&stage, &manifest, &bytes).unwrap();
        let statistics = Statistics { head: Some(head), ..Statistics::default() };
        let sides = [vec![0.0, 3.0, 4.0], vec![1.0, 0.0]];
        let mut described = [1.0; COUNT];
        described[0] = 99.0;
        let ours = statistics.head(&pooled(), Some(&described), &sides).unwrap();
        let mut unit = pooled();
        normalise(&mut unit);
        // 1 - 0.5 along its only axis is 1 again; 99 is limited to 2, and nothing else is beside it; 0 of 3 and 4.
        let mut expected = vec![0.1_f32.sqrt(), 0.4_f32.sqrt() * unit[0], 0.2_f32.sqrt(), 0.25];
        normalise(&mut expected);
        assert!(ours.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{ours:?} {expected:?}");
        assert_eq!(statistics.lengths(512), [4, 512 + COUNT]);
        let raw = statistics.raw(&pooled(), Some(&described));
        assert!((raw[0] - 0.8 * unit[0]).abs() < 1e-6 && (raw[512] - 0.6).abs() < 1e-6);
        // Without one of them there is none.
        assert_eq!(statistics.head(&pooled(), Some(&described), &sides[..1]), None);
        assert_eq!(statistics.head(&pooled(), Some(&described), &[vec![0.0; 3], vec![0.0; 3]]), None);
    }

    #[test]
    fn a_model_without_a_head_has_the_centred_vector_as_its_only_part() {
        let statistics = Statistics { centre: vec![1.0, 0.0, 0.0], ..Statistics::default() };
        assert_eq!(statistics.raw(&[1.0, 0.0, 2.0], None), [0.0, 0.0, 1.0]);
        assert_eq!(statistics.head(&[1.0, 0.0, 2.0], None, &[]), None);
        assert!(statistics.usual_weight().abs() < f32::EPSILON);
    }

    #[test]
    fn a_file_of_another_length_says_so() {
        let manifest = with_sides();
        let stage = manifest.head.clone().unwrap();
        assert!(Head::parse(&stage, &manifest, &[0; 100]).unwrap_err().contains("100 bytes"));
    }
}
