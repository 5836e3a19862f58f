//! The stage after pooling that a model may ship: from a pooled vector and the descriptors of a sound to the two parts
//! that are compared.
//!
//! The *raw part* is what was measured: the pooled vector, of unit length, centred, and of unit length again, and beside it
//! the descriptors, standardised, limited and of unit length, each times the root of its share. The *head* is one matrix
//! on the raw part, of unit length. With a weight `a` two sounds are as similar as `a · head·head + (1 − a) · raw·raw`;
//! that is the scalar product of their *joined* vectors, head and raw part each times the root of its weight.
//!
//! Until the descriptors of a sound are known, they count as neither near nor far: their share of the raw part is zero.
//!
//! File: little-endian f32, one after the other: centre `[pooled]`, means and standard deviations of the descriptors
//! `[descriptors]`, offset `[head]`, matrix `[raw, head]`, and `basis` main directions of joined vectors at the usual
//! weight, `[head + raw]` each, best first.

use dsp::descriptors::Values;
use dsp::vector::normalise;
use ndarray::{Array2, ArrayView2, Axis, aview1};

use crate::manifest::{HeadStage, Post};

/// A learned head, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Its usual weight, 0..=1.
    pub weight: f32,
    /// Main directions of joined vectors at the usual weight, `[head + raw]` each.
    pub basis: Vec<Vec<f32>>,
    centre: Vec<f32>,
    means: Vec<f32>,
    deviations: Vec<f32>,
    offset: Vec<f32>,
    /// `[raw, head]`
    matrix: Array2<f32>,
    share: f32,
    limit: f32,
}

/// The two parts of a sound that are compared, each of unit length.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// The output of the head; empty for a model without one.
    pub head: Vec<f32>,
    /// What was measured.
    pub raw: Vec<f32>,
}

impl Head {
    /// Parses the file that a checked manifest names.
    ///
    /// # Errors
    /// It has another length than the manifest says.
    pub fn parse(stage: &HeadStage, bytes: &[u8]) -> Result<Self, String> {
        let (pooled, descriptors) = (stage.inputs.pooled, stage.inputs.descriptors);
        let (head, raw) = (stage.outputs.head, stage.outputs.raw);
        let expected = 4 * (pooled + 2 * descriptors + head + raw * head + stage.basis * (head + raw));
        if bytes.len() != expected {
            return Err(format!("{} has {} bytes, not {expected}", stage.file, bytes.len()));
        }
        let mut values = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        let mut take = |count: usize| values.by_ref().take(count).collect::<Vec<f32>>();
        let (centre, means, deviations) = (take(pooled), take(descriptors), take(descriptors));
        let offset = take(head);
        let matrix = Array2::from_shape_vec((raw, head), take(raw * head)).map_err(|error| error.to_string())?;
        let basis = (0..stage.basis).map(|_| take(head + raw)).collect();
        let (share, limit) = (stage.descriptor_share, stage.descriptor_limit);
        Ok(Self { weight: stage.weight, basis, centre, means, deviations, offset, matrix, share, limit })
    }

    fn write_raw(&self, pooled: &mut [f32], descriptors: Option<&Values>, raw: &mut [f32]) {
        normalise(pooled);
        centre_and_normalise(pooled, &self.centre);
        let (network, described) = raw.split_at_mut(self.centre.len());
        let scale = (1.0 - self.share).sqrt();
        network.iter_mut().zip(pooled).for_each(|(out, v)| *out = *v * scale);
        described.fill(0.0);
        let Some(descriptors) = descriptors else { return };
        let standards = self.means.iter().zip(&self.deviations);
        for (out, (value, (mean, deviation))) in described.iter_mut().zip(descriptors.iter().zip(standards)) {
            *out = ((value - mean) / deviation).clamp(-self.limit, self.limit);
        }
        normalise(described);
        described.iter_mut().for_each(|v| *v *= self.share.sqrt());
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

    /// What is subtracted from a pooled vector before it is compared, `[dim]`; empty for nothing.
    pub fn centre(&self) -> &[f32] {
        self.head.as_ref().map_or(&self.centre, |head| &head.centre)
    }

    /// Lengths of head and raw part for pooled vectors of length `dim`.
    pub fn lengths(&self, dim: usize) -> [usize; 2] {
        self.head.as_ref().map_or([0, dim], |head| [head.matrix.ncols(), head.matrix.nrows()])
    }

    /// Weight of the head unless the user says otherwise; zero for a model without one.
    pub fn usual_weight(&self) -> f32 {
        self.head.as_ref().map_or(0.0, |head| head.weight)
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

    /// What the head makes of raw parts, `[n, raw]` → `[n, head]`; `[n, 0]` without a head.
    pub fn heads(&self, raw: ArrayView2<f32>) -> Array2<f32> {
        let Some(head) = &self.head else { return Array2::zeros((raw.nrows(), 0)) };
        let mut heads = raw.dot(&head.matrix);
        for mut row in heads.axis_iter_mut(Axis(0)) {
            row.iter_mut().zip(&head.offset).for_each(|(v, offset)| *v += offset);
            if let Some(row) = row.as_slice_mut() {
                normalise(row);
            }
        }
        heads
    }

    /// Both parts of one sound.
    pub fn parts(&self, pooled: &[f32], descriptors: Option<&Values>) -> Parts {
        let [_, length] = self.lengths(pooled.len());
        let mut raw = vec![0.0; length];
        self.write_raw(&mut pooled.to_vec(), descriptors, &mut raw);
        let heads = self.heads(aview1(&raw).insert_axis(Axis(0)));
        Parts { head: heads.into_iter().collect(), raw }
    }
}

/// Subtracts the centre, if there is one, and scales to unit length.
pub fn centre_and_normalise(vector: &mut [f32], centre: &[f32]) {
    vector.iter_mut().zip(centre).for_each(|(v, c)| *v -= c);
    normalise(vector);
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::Model;
    use dsp::descriptors::COUNT;

    fn length(vector: &[f32]) -> f32 {
        vector.iter().map(|v| v * v).sum::<f32>().sqrt()
    }

    #[test]
    fn both_parts_have_unit_length_and_unknown_descriptors_count_as_nothing() {
        let statistics = Model::built_in().unwrap().statistics;
        let pooled: Vec<f32> = (0..512_u16).map(|i| f32::from(i * 37 % 101) / 50.0).collect();
        let described = std::array::from_fn(|i| i as f32 / 20.0 - 1.0);
        let known = statistics.parts(&pooled, Some(&described));
        assert_eq!([known.head.len(), known.raw.len()], statistics.lengths(512));
        assert!((length(&known.head) - 1.0).abs() < 1e-5 && (length(&known.raw) - 1.0).abs() < 1e-5);
        let unknown = statistics.parts(&pooled, None);
        assert!((length(&unknown.head) - 1.0).abs() < 1e-5);
        assert_eq!(unknown.raw[..512], known.raw[..512]);
        assert_eq!(unknown.raw[512..], [0.0; COUNT]);
    }

    #[test]
    fn a_model_without_a_head_has_the_centred_vector_as_its_only_part() {
        let statistics = Statistics { centre: vec![1.0, 0.0, 0.0], ..Statistics::default() };
        let parts = statistics.parts(&[1.0, 0.0, 2.0], None);
        assert_eq!((parts.head, parts.raw), (vec![], vec![0.0, 0.0, 1.0]));
        assert!(statistics.usual_weight().abs() < f32::EPSILON);
    }

    #[test]
    fn a_file_of_another_length_says_so() {
        let model = Model::built_in().unwrap();
        let stage = model.manifest.head.unwrap();
        assert!(Head::parse(&stage, &[0; 100]).unwrap_err().contains("100 bytes"));
    }
}
