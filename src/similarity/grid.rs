//! The grid: every sound in a cell of its own, near those that are near it in the cloud, so that none hides another.
//!
//! Cells and sounds are halved together, along the longer side of the cells, until one cell is left: `O(n log n)`.

use std::ops::Range;

/// Finds a cell `[column, row]` for each position in the smallest near-square lattice; no cell is used twice.
///
/// Columns run with x, rows with y.
pub fn cells(positions: &[[f32; 2]]) -> Vec<[usize; 2]> {
    let [columns, rows] = lattice(positions.len());
    let mut cells = vec![[0, 0]; positions.len()];
    let mut order: Vec<usize> = (0..positions.len()).collect();
    split(positions, &mut order, [0..columns, 0..rows], &mut cells);
    cells
}

/// Columns and rows of the lattice for `n` sounds.
pub fn lattice(n: usize) -> [usize; 2] {
    let columns = n.isqrt() + usize::from(n.isqrt().pow(2) < n);
    [columns, n.div_ceil(columns.max(1))]
}

fn split(positions: &[[f32; 2]], members: &mut [usize], [columns, rows]: [Range<usize>; 2], cells: &mut [[usize; 2]]) {
    if let [only] = members
        && columns.len() * rows.len() == 1
    {
        cells[*only] = [columns.start, rows.start];
        return;
    }
    if members.is_empty() {
        return;
    }
    let (axis, long, across) =
        if columns.len() >= rows.len() { (0, columns.clone(), rows.len()) } else { (1, rows.clone(), columns.len()) };
    let middle = long.start + long.len() / 2;
    let low = (middle - long.start) * across;
    // What is left over are cells of one corner, not holes all over.
    let share = members.len().min(low);
    if share > 0 && share < members.len() {
        let along = |i: &usize, j: &usize| positions[*i][axis].total_cmp(&positions[*j][axis]).then(i.cmp(j));
        members.select_nth_unstable_by(share, along);
    }
    let (lower, upper) = members.split_at_mut(share);
    let halves = [long.start..middle, middle..long.end];
    for (members, half) in [lower, upper].into_iter().zip(halves) {
        let part = if axis == 0 { [half, rows.clone()] } else { [columns.clone(), half] };
        split(positions, members, part, cells);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::random::Random;

    fn cloud(n: usize) -> Vec<[f32; 2]> {
        let mut random = Random(1);
        (0..n).map(|_| [random.share() * random.share(), random.share()]).collect()
    }

    #[test]
    fn no_cell_is_used_twice_and_the_lattice_is_nearly_square() {
        for n in [0, 1, 2, 3, 4, 5, 7, 75, 1000, 100_000] {
            let cells = cells(&cloud(n));
            let [columns, rows] = lattice(n);
            assert!(columns - rows <= 1 && columns * rows >= n && columns * rows < n + columns.max(1), "{n}");
            assert!(cells.iter().all(|[column, row]| *column < columns && *row < rows));
            assert_eq!(cells.iter().collect::<HashSet<_>>().len(), n);
        }
    }

    #[test]
    fn what_is_left_over_are_cells_of_one_corner() {
        let [columns, rows] = lattice(1000);
        let taken: HashSet<[usize; 2]> = cells(&cloud(1000)).into_iter().collect();
        let free = (0..columns).flat_map(|column| (0..rows).map(move |row| [column, row]));
        let free: Vec<[usize; 2]> = free.filter(|cell| !taken.contains(cell)).collect();
        assert_eq!(free.len(), columns * rows - 1000);
        assert!(free.iter().all(|[column, row]| 4 * column >= 3 * columns && 4 * row >= 3 * rows), "{free:?}");
    }

    #[test]
    fn sounds_at_one_place_get_cells_too() {
        assert_eq!(cells(&vec![[0.5, 0.5]; 5000]).iter().collect::<HashSet<_>>().len(), 5000);
        assert_eq!(cells(&[[f32::NAN, 0.0]; 10]).iter().collect::<HashSet<_>>().len(), 10);
    }

    #[test]
    fn neighbours_in_the_cloud_stay_near() {
        let cloud = cloud(2000);
        let cells = cells(&cloud);
        let distance = |i: usize, j: usize| {
            let [dx, dy] = [0, 1].map(|axis| cells[i][axis].abs_diff(cells[j][axis]) as f64);
            dx.hypot(dy)
        };
        let (mut near, mut random) = (0.0, 0.0);
        for i in 0..cloud.len() {
            let squared = |j: usize| (cloud[i][0] - cloud[j][0]).powi(2) + (cloud[i][1] - cloud[j][1]).powi(2);
            let others = (0..cloud.len()).filter(|j| *j != i);
            near += distance(i, others.min_by(|a, b| squared(*a).total_cmp(&squared(*b))).unwrap());
            random += distance(i, (i * 977 + 13) % cloud.len());
        }
        assert!(near * 8.0 < random, "{near} against {random}");
    }

    #[test]
    fn left_stays_left_and_up_stays_up() {
        assert_eq!(cells(&[[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), [[1, 0], [0, 0], [0, 1], [1, 1]]);
    }
}
