//! How densely a map is populated, as lines around its thick places.
//!
//! Points are counted on a lattice, smoothed, and lines of equal density are followed through its cells (marching squares,
//! Lorensen and Cline 1987, in the plane). The levels are those above which given shares of the points lie, so that a
//! library of any size has lines of the same meaning.

use std::collections::HashMap;

/// Fewer points than this are seen one by one.
const FEWEST: usize = 3000;
/// Shares of the points that lie within a line of each level.
const WITHIN: [f32; 3] = [0.85, 0.55, 0.25];
/// Cells along the longer side, of which this many around the points are empty.
const CELLS: usize = 160;
const RIM: usize = 8;
/// Radius and number of the running means that smooth the counts: together nearly a Gaussian of two cells.
const RADIUS: usize = 2;
const PASSES: usize = 2;
/// A line around less than this has fewer steps than one would follow with the eye.
const SHORTEST: usize = 14;
/// One point in so many may lie outside of the lattice, on each side.
const ASIDE: usize = 200;

/// A closed line, in the unit of the points; its first point is also its last.
pub type Line = Vec<[f32; 2]>;

/// The lines of equal density around the thick places of some points; none for a few.
pub fn lines(points: &[[f32; 2]]) -> Vec<Line> {
    if points.len() < FEWEST {
        return Vec::new();
    }
    let lattice = Lattice::over(points);
    let mut at: Vec<f32> = points.iter().filter_map(|point| Some(lattice.counts[lattice.cell(*point)?])).collect();
    at.sort_unstable_by(f32::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a number of points")]
    let level = |share: f32| at.get(((1.0 - share) * at.len() as f32) as usize).copied();
    WITHIN.into_iter().filter_map(level).flat_map(|level| lattice.lines(level)).collect()
}

/// Smoothed counts of points in square cells.
struct Lattice {
    counts: Vec<f32>,
    /// Cells across and down.
    size: [usize; 2],
    /// The middle of the first cell, and the length of a side of one.
    origin: [f32; 2],
    side: f32,
}

impl Lattice {
    fn over(points: &[[f32; 2]]) -> Self {
        let around = |axis: usize| {
            let mut values: Vec<f32> = points.iter().map(|p| p[axis]).filter(|v| v.is_finite()).collect();
            values.sort_unstable_by(f32::total_cmp);
            let aside = values.len() / ASIDE;
            let low = values.get(aside).copied().unwrap_or_default();
            [low, values.iter().rev().nth(aside).copied().unwrap_or(low)]
        };
        let [x, y] = [around(0), around(1)];
        let side = (x[1] - x[0]).max(y[1] - y[0]).max(f32::MIN_POSITIVE) / (CELLS - 2 * RIM) as f32;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the cells of a side")]
        let size = [x, y].map(|[low, high]| ((high - low) / side).ceil() as usize + 2 * RIM);
        let origin = [x, y].map(|[low, _]| low - RIM as f32 * side);
        let mut lattice = Self { counts: vec![0.0; size[0] * size[1]], size, origin, side };
        for point in points {
            if let Some(cell) = lattice.cell(*point) {
                lattice.counts[cell] += 1.0;
            }
        }
        for _ in 0..PASSES {
            lattice.smooth();
        }
        lattice
    }

    /// The cell of a point that does not lie in the rim.
    fn cell(&self, point: [f32; 2]) -> Option<usize> {
        let [x, y] = [0, 1].map(|axis| {
            let place = (point[axis] - self.origin[axis]) / self.side;
            let last = (self.size[axis] - RIM) as f32;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between the rims")]
            ((RIM as f32 - 0.5)..last).contains(&place).then_some(place.round() as usize)
        });
        Some(y? * self.size[0] + x?)
    }

    /// Gives each cell the mean of those around it.
    fn smooth(&mut self) {
        let [columns, rows] = self.size;
        for (lanes, length, lane, step) in [(rows, columns, columns, 1), (columns, rows, 1, columns)] {
            for first in (0..lanes).map(|number| number * lane) {
                let values: Vec<f32> = (0..length).map(|i| self.counts[first + i * step]).collect();
                for i in 0..length {
                    let [from, to] = [i.saturating_sub(RADIUS), (i + RADIUS + 1).min(length)];
                    self.counts[first + i * step] = values[from..to].iter().sum::<f32>() / (2 * RADIUS + 1) as f32;
                }
            }
        }
    }

    /// The closed lines at a level.
    fn lines(&self, level: f32) -> Vec<Line> {
        let mut next = self.steps(level);
        let mut starts: Vec<Crossing> = next.keys().copied().collect();
        starts.sort_unstable();
        let mut lines = Vec::new();
        for start in starts {
            let mut line = Vec::new();
            let mut at = start;
            while let Some(to) = next.remove(&at) {
                line.push(self.place(at, level));
                at = to;
            }
            if at == start && line.len() >= SHORTEST {
                line.push(line[0]);
                lines.push(line);
            }
        }
        lines
    }

    /// From where to where the line goes through each square of four cells, the higher side at its left.
    fn steps(&self, level: f32) -> HashMap<Crossing, Crossing> {
        let [columns, rows] = self.size;
        let mut steps = HashMap::new();
        for corner in (0..rows - 1).flat_map(|y| (0..columns - 1).map(move |x| y * columns + x)) {
            // Round the square, each side with the cell before it; counted from below, against the clock.
            let cells = [corner, corner + 1, corner + columns + 1, corner + columns];
            let sides = [(corner, false), (corner + 1, true), (corner + columns, false), (corner, true)];
            let high = cells.map(|cell| self.counts[cell] >= level);
            let leaves: Vec<usize> = (0..4).filter(|side| high[*side] && !high[(side + 1) % 4]).collect();
            let enters: Vec<usize> = (0..4).filter(|side| !high[*side] && high[(side + 1) % 4]).collect();
            for leave in &leaves {
                // Of two ways through a saddle, the one that keeps its high corners apart.
                let enter = enters.iter().max_by_key(|enter| (**enter + 4 - leave) % 4);
                steps.extend(enter.map(|enter| (sides[*leave], sides[*enter])));
            }
        }
        steps
    }

    /// Where between two cells the density is as high as the level.
    fn place(&self, (cell, upwards): Crossing, level: f32) -> [f32; 2] {
        let [columns, _] = self.size;
        let [a, b] = [cell, cell + if upwards { columns } else { 1 }].map(|cell| self.counts[cell]);
        // One of them is below the level, and the other is not.
        let share = (level - a) / (b - a);
        let [x, y] = [(cell % columns) as f32, (cell / columns) as f32];
        let [x, y] = if upwards { [x, y + share] } else { [x + share, y] };
        [self.origin[0] + x * self.side, self.origin[1] + y * self.side]
    }
}

/// Between a cell and the one right of it, or above.
type Crossing = (usize, bool);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Two heaps of points, the first twice as large, and a few far away.
    fn heaps(n: usize) -> Vec<[f32; 2]> {
        let mut random = Random(7);
        let mut share = || (0..6).map(|_| random.share() - 0.5).sum::<f32>() * 0.2;
        (0..n)
            .map(|i| {
                let [x, y] = [share(), share()];
                if i % 1000 == 0 { [x + 40.0, y] } else { [x + if i % 3 == 0 { 2.0 } else { 0.0 }, y] }
            })
            .collect()
    }

    fn is_around(line: &Line, [x, y]: [f32; 2]) -> bool {
        let crossed = line.windows(2).filter(|ends| {
            let [[ax, ay], [bx, by]] = [ends[0], ends[1]];
            (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax)
        });
        crossed.count() % 2 == 1
    }

    #[test]
    fn lines_are_closed_and_lie_around_what_is_dense() {
        let points = heaps(9000);
        let lines = lines(&points);
        assert!((4..40).contains(&lines.len()), "{}", lines.len());
        assert!(lines.iter().all(|line| line.first() == line.last()));
        for middle in [[0.0, 0.0], [2.0, 0.0]] {
            let around = lines.iter().filter(|line| is_around(line, middle)).count();
            assert!((1..=3).contains(&around), "{around} around {middle:?}");
        }
        assert!(!lines.iter().any(|line| is_around(line, [1.0, 0.0]) || is_around(line, [40.0, 0.0])));
        let outermost = lines.iter().max_by_key(|line| line.len()).unwrap();
        let inside = points.iter().filter(|point| is_around(outermost, **point)).count();
        assert!((4000..6000).contains(&inside), "of the 6000 of the larger heap {inside}");
    }

    #[test]
    fn few_points_and_points_at_one_place_have_none() {
        assert!(lines(&heaps(2000)).is_empty());
        assert!(lines(&vec![[0.5, f32::NAN]; 4000]).is_empty());
        assert!(lines(&vec![[0.5, 0.5]; 4000]).iter().flatten().flatten().all(|v| v.is_finite()));
    }
}
