//! Principal components of unit vectors, exact and repeatable.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array2, ArrayView2};

/// A fit uses at most this many vectors, evenly spread; more would change the basis too little to matter.
pub(super) const FIT_ROWS: usize = 5_000;

/// Fits the `k` directions of largest second moment of `rows`, which are centred already: `[n, dim]` → `[k, dim]`.
///
/// Rows are orthonormal, the best first; each has its largest component positive, so that the same sounds always give
/// the same map. With fewer vectors than `k` the last rows are arbitrary directions, still orthonormal.
pub fn fit(rows: ArrayView2<f32>, k: usize) -> Array2<f32> {
    let (n, dim) = rows.dim();
    if n == 0 || dim == 0 {
        return Array2::zeros((0, dim));
    }
    let step = n.div_ceil(FIT_ROWS).max(1);
    let used = rows.slice(ndarray::s![..;step, ..]).mapv(f64::from);
    let moments = used.t().dot(&used);
    let moments = DMatrix::from_fn(dim, dim, |i, j| moments[[i, j]]);
    let eigen = SymmetricEigen::new(moments);
    let mut order: Vec<usize> = (0..dim).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    let mut basis = Array2::zeros((k.min(dim), dim));
    for (mut row, &column) in basis.outer_iter_mut().zip(&order) {
        let direction = eigen.eigenvectors.column(column);
        let largest = direction.iter().copied().fold(0.0_f64, |m, x| if x.abs() > m.abs() { x } else { m });
        #[expect(clippy::cast_possible_truncation, reason = "components of a unit vector")]
        row.iter_mut().zip(direction.iter()).for_each(|(out, x)| *out = (x * largest.signum()) as f32);
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_directions_are_found_in_order_and_orthonormal() {
        // Spread 3, 2 and 1 along three known axes of an eight-dimensional space.
        let rows = Array2::from_shape_fn((600, 8), |(i, j)| {
            let phase = i as f32 * [0.7, 1.3, 2.1][j % 3];
            match j {
                5 => 3.0 * phase.sin(),
                0 => -2.0 * phase.cos(),
                2 => (phase * 1.7).sin(),
                _ => 0.0,
            }
        });
        let basis = fit(rows.view(), 3);
        for (row, axis) in basis.outer_iter().zip([5, 0, 2]) {
            assert!((row[axis] - 1.0).abs() < 0.02, "{row}");
        }
        let gram = basis.dot(&basis.t());
        assert!(gram.indexed_iter().all(|((i, j), v)| (v - f32::from(u8::from(i == j))).abs() < 1e-5));
    }

    #[test]
    fn fewer_vectors_than_directions_still_give_a_basis() {
        let rows = Array2::from_shape_vec((2, 5), vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]).unwrap();
        let basis = fit(rows.view(), 4);
        let gram = basis.dot(&basis.t());
        assert!(gram.indexed_iter().all(|((i, j), v)| (v - f32::from(u8::from(i == j))).abs() < 1e-5));
    }
}
