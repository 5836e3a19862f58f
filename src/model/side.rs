//! Side outputs as they are kept: one byte a number, so that another head needs no audio again.
//!
//! Of each vector its least number and a step, both little-endian f32, and then a byte for each number: `least + step ·
//! byte`. The step is 1/255 of the vector's range, so that no number is off by more than half of that. A head is computed
//! from these numbers from the first time on, so that it is the same whenever it is computed.

use std::sync::Arc;

/// Bytes before the numbers of a vector.
const BEFORE: usize = 8;

/// The side outputs of one sound, quantised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SideOutputs(Arc<[u8]>);

impl SideOutputs {
    /// Quantises vectors of finite numbers.
    pub fn quantised(vectors: &[Vec<f32>]) -> Self {
        let mut bytes = Vec::with_capacity(vectors.iter().map(|vector| BEFORE + vector.len()).sum());
        for vector in vectors {
            let least = vector.iter().copied().fold(f32::INFINITY, f32::min);
            let largest = vector.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let step = (largest - least) / 255.0;
            let step = if step > 0.0 && step.is_finite() { step } else { 0.0 };
            bytes.extend([least, step].into_iter().flat_map(f32::to_le_bytes));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=255, which a cast keeps")]
            bytes.extend(vector.iter().map(|v| if step > 0.0 { ((v - least) / step).round() as u8 } else { 0 }));
        }
        Self(bytes.into())
    }

    /// Reads what was kept; `None` if it is of other lengths.
    pub fn read(bytes: &[u8], dims: &[usize]) -> Option<Self> {
        let expected: usize = dims.iter().map(|dim| BEFORE + dim).sum();
        (bytes.len() == expected).then(|| Self(bytes.into()))
    }

    /// The vectors, of these lengths.
    pub fn vectors(&self, dims: &[usize]) -> Vec<Vec<f32>> {
        let mut rest = &*self.0;
        let vectors = dims.iter().map_while(|dim| {
            let (before, numbers) = rest.split_first_chunk::<BEFORE>()?;
            let (numbers, after) = numbers.split_at_checked(*dim)?;
            rest = after;
            let [least, step] = *before.as_chunks().0 else { return None };
            let [least, step] = [least, step].map(f32::from_le_bytes);
            Some(numbers.iter().map(|byte| least + step * f32::from(*byte)).collect())
        });
        vectors.collect()
    }

    /// As they are kept.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn they_take_a_byte_a_number_and_come_back_in_order() {
        let vectors = [vec![0.0, 1.0, 255.0], vec![-4.0; 5], vec![]];
        let kept = SideOutputs::quantised(&vectors);
        assert_eq!(kept.bytes().len(), 3 * BEFORE + 8);
        assert_eq!(kept.vectors(&[3, 5, 0]), vectors);
        assert_eq!(SideOutputs::read(kept.bytes(), &[3, 5, 0]), Some(kept.clone()));
        assert_eq!(SideOutputs::read(kept.bytes(), &[3, 4, 0]), None);
    }

    proptest! {
        #[test]
        fn no_number_is_off_by_more_than_half_a_step(vector in prop::collection::vec(-1e4_f32..1e4, 1..300)) {
            let kept = SideOutputs::quantised(std::slice::from_ref(&vector));
            let range = vector.iter().copied().fold(f32::MIN, f32::max) - vector.iter().copied().fold(f32::MAX, f32::min);
            // Beside it the rounding of numbers of this size.
            let bound = range / 510.0 * 1.001 + 4e-3;
            for (kept, number) in kept.vectors(&[vector.len()])[0].iter().zip(&vector) {
                prop_assert!((kept - number).abs() <= bound, "{kept} is not {number} within {bound}");
            }
        }
    }
}
