//! Which part of the map is seen, and where on the screen: map units, y upwards ↔ points, y downwards.

/// Smallest scale, as a share of the one at which everything fits.
const FARTHEST: f32 = 0.2;
/// Largest scale, likewise.
const NEAREST: f32 = 50.0;
/// Share of the section's width and height that the dots fill when they are fitted.
const FILL: f32 = 0.88;
/// One dot in so many may lie outside of what is fitted, on each side.
const ASIDE: usize = 100;
/// How far beyond the others dots may lie without being left outside, as a share of the others' extent.
const RIM: f32 = 0.1;

/// The rectangle in which the map is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left and top edge in points of the window.
    pub min: [f32; 2],
    /// Right and bottom edge in points of the window.
    pub max: [f32; 2],
    /// Physical pixels in a point.
    pub pixels_per_point: f32,
}

impl Area {
    /// Width and height in points, not negative.
    pub fn size(&self) -> [f32; 2] {
        [0, 1].map(|axis| (self.max[axis] - self.min[axis]).max(0.0))
    }

    /// The middle in points of the window.
    pub fn centre(&self) -> [f32; 2] {
        [0, 1].map(|axis| f32::midpoint(self.min[axis], self.max[axis]))
    }

    /// Left top corner and size in whole physical pixels, inside a window of that size; `None` if nothing is left.
    pub fn pixels(&self, window: [u32; 2]) -> Option<[[u32; 2]; 2]> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the window first")]
        let edge =
            |points: f32, axis: usize| (points * self.pixels_per_point).round().clamp(0.0, window[axis] as f32) as u32;
        let min = [0, 1].map(|axis| edge(self.min[axis], axis));
        let max = [0, 1].map(|axis| edge(self.max[axis], axis));
        let size = [0, 1].map(|axis| max[axis].saturating_sub(min[axis]));
        (size[0] > 0 && size[1] > 0).then_some([min, size])
    }
}

/// Smallest rectangle around some dots, in map units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Lowest x and y.
    pub min: [f32; 2],
    /// Highest x and y.
    pub max: [f32; 2],
}

impl Bounds {
    /// The rectangle around `positions`; around the unit square if there are none.
    pub fn of(positions: &[[f32; 2]]) -> Self {
        let around = |axis: usize| {
            let values = positions.iter().map(|p| p[axis]).filter(|v| v.is_finite());
            values.fold([f32::MAX, f32::MIN], |[low, high], v| [low.min(v), high.max(v)])
        };
        let [x, y] = [around(0), around(1)];
        if x[0] > x[1] || y[0] > y[1] {
            return Self { min: [-1.0; 2], max: [1.0; 2] };
        }
        Self { min: [x[0], y[0]], max: [x[1], y[1]] }
    }

    /// The rectangle around nearly all `positions`: a few that lie far from the others do not count.
    pub fn of_most(positions: &[[f32; 2]]) -> Self {
        let all = Self::of(positions);
        let mut bounds = all;
        for axis in 0..2 {
            let mut values: Vec<f32> = positions.iter().map(|p| p[axis]).filter(|v| v.is_finite()).collect();
            let aside = values.len() / ASIDE;
            if aside > 0 {
                let last = values.len() - 1 - aside;
                let low = *values.select_nth_unstable_by(aside, f32::total_cmp).1;
                let high = *values.select_nth_unstable_by(last, f32::total_cmp).1;
                let rim = (high - low) * RIM;
                bounds.min[axis] = (low - rim).max(all.min[axis]);
                bounds.max[axis] = (high + rim).min(all.max[axis]);
            }
        }
        bounds
    }

    /// The rectangle a share of the way to another.
    #[must_use]
    pub fn towards(&self, other: &Self, share: f32) -> Self {
        Self { min: between(self.min, other.min, share), max: between(self.max, other.max, share) }
    }
}

/// The point a share of the way from one to another; for each dot of a frame.
#[inline]
pub fn between(from: [f32; 2], to: [f32; 2], share: f32) -> [f32; 2] {
    // Written out: without LTO, `map` on an array is a call.
    [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share]
}

/// What is in the middle of the section, and how large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Map position in the middle.
    pub centre: [f32; 2],
    /// Points to a map unit.
    pub scale: f32,
}

impl Default for View {
    fn default() -> Self {
        Self { centre: [0.0; 2], scale: 200.0 }
    }
}

impl View {
    /// Shows all of `bounds` in the middle of the area.
    pub fn fit(bounds: &Bounds, area: &Area) -> Self {
        let size = area.size();
        // One sound, or many at one place, fill a tenth of a map.
        let extent = [0, 1].map(|axis| (bounds.max[axis] - bounds.min[axis]).max(0.1));
        let scale = (size[0] / extent[0]).min(size[1] / extent[1]) * FILL;
        Self { centre: between(bounds.min, bounds.max, 0.5), scale: scale.max(f32::MIN_POSITIVE) }
    }

    /// Where a map position is drawn, in points of the window.
    #[inline]
    pub fn to_screen(&self, point: [f32; 2], area: &Area) -> [f32; 2] {
        let middle = area.centre();
        [middle[0] + (point[0] - self.centre[0]) * self.scale, middle[1] - (point[1] - self.centre[1]) * self.scale]
    }

    /// The map position at a point of the window.
    #[inline]
    pub fn to_map(&self, at: [f32; 2], area: &Area) -> [f32; 2] {
        let middle = area.centre();
        [self.centre[0] + (at[0] - middle[0]) / self.scale, self.centre[1] - (at[1] - middle[1]) / self.scale]
    }

    /// Enlarges by `factor`, while the map position under the cursor stays there; `bounds` set the limits.
    pub fn zoom_at(&mut self, cursor: [f32; 2], factor: f32, bounds: &Bounds, area: &Area) {
        let fitted = Self::fit(bounds, area).scale;
        let held = self.to_map(cursor, area);
        self.scale = (self.scale * factor).clamp(fitted * FARTHEST, fitted * NEAREST);
        let now = self.to_map(cursor, area);
        self.centre = [0, 1].map(|axis| self.centre[axis] + held[axis] - now[axis]);
    }

    /// Moves the map along with a drag of so many points.
    pub fn pan(&mut self, [dx, dy]: [f32; 2]) {
        self.centre = [self.centre[0] - dx / self.scale, self.centre[1] + dy / self.scale];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Area = Area { min: [100.0, 50.0], max: [500.0, 350.0], pixels_per_point: 1.5 };
    const BOUNDS: Bounds = Bounds { min: [-1.0, -0.5], max: [1.0, 0.5] };

    fn near(a: [f32; 2], b: [f32; 2]) -> bool {
        (a[0] - b[0]).abs() < 1e-3 && (a[1] - b[1]).abs() < 1e-3
    }

    #[test]
    fn what_is_fitted_fills_the_area_and_no_more() {
        let view = View::fit(&BOUNDS, &AREA);
        let [left, top] = view.to_screen([-1.0, 0.5], &AREA);
        assert!(near([left, top], [300.0 - 200.0 * FILL, 200.0 - 100.0 * FILL]), "{left} {top}");
        let one = View::fit(&Bounds::of(&[[3.0, 4.0]]), &AREA);
        assert!(near(one.to_screen([3.0, 4.0], &AREA), [300.0, 200.0]) && one.scale.is_finite());
        assert!(View::fit(&Bounds::of(&[]), &Area { max: AREA.min, ..AREA }).scale > 0.0);
    }

    #[test]
    fn a_few_dots_far_away_do_not_make_all_others_small() {
        let mut dots: Vec<[f32; 2]> = (0..1000).map(|i| [(i % 40) as f32, (i / 40) as f32]).collect();
        let usual = Bounds::of(&dots);
        assert_eq!(Bounds::of_most(&dots), usual, "a rim that is near belongs to the others");
        dots[7] = [900.0, -400.0];
        dots[8] = [f32::NAN, 0.0];
        let most = Bounds::of_most(&dots);
        assert!(most.max[0] < 45.0 && most.min[1] > -5.0, "{most:?}");
        assert!(most.min[0] <= 1.0 && most.max[1] >= 23.0, "{most:?}");
        assert_eq!(Bounds::of_most(&dots[..20]), Bounds::of(&dots[..20]), "of a few sounds every one is seen");
    }

    #[test]
    fn up_on_the_map_is_up_on_the_screen_and_the_way_back_is_the_same() {
        let view = View { centre: [0.3, -0.2], scale: 170.0 };
        let [low, high] = [[0.0, 0.0], [0.0, 1.0]].map(|p| view.to_screen(p, &AREA));
        assert!(high[1] < low[1]);
        assert!(near(view.to_map(view.to_screen([0.7, 0.1], &AREA), &AREA), [0.7, 0.1]));
    }

    #[test]
    fn zooming_holds_what_is_under_the_cursor_within_limits() {
        let mut view = View::fit(&BOUNDS, &AREA);
        let fitted = view.scale;
        let cursor = [180.0, 300.0];
        let held = view.to_map(cursor, &AREA);
        for factor in [1.3, 2.0, 0.4, 1000.0] {
            view.zoom_at(cursor, factor, &BOUNDS, &AREA);
            assert!(near(view.to_map(cursor, &AREA), held));
        }
        assert!((view.scale / fitted - NEAREST).abs() < 0.01);
        view.zoom_at(cursor, 1e-6, &BOUNDS, &AREA);
        assert!((view.scale / fitted - FARTHEST).abs() < 0.01);
    }

    #[test]
    fn panning_takes_the_map_along() {
        let mut view = View { centre: [0.0, 0.0], scale: 100.0 };
        let before = view.to_screen([0.5, 0.5], &AREA);
        view.pan([10.0, -7.0]);
        assert!(near(view.to_screen([0.5, 0.5], &AREA), [before[0] + 10.0, before[1] - 7.0]));
    }

    #[test]
    fn the_area_in_pixels_never_leaves_the_window() {
        assert_eq!(AREA.pixels([1000, 1000]), Some([[150, 75], [600, 450]]));
        assert_eq!(AREA.pixels([400, 300]), Some([[150, 75], [250, 225]]));
        assert_eq!(AREA.pixels([150, 300]), None);
        assert_eq!(AREA.pixels([0, 0]), None);
        assert_eq!(Area { max: [0.0, 0.0], ..AREA }.pixels([1000, 1000]), None);
        assert_eq!(Area { max: [f32::NAN, 80.0], ..AREA }.pixels([1000, 1000]), None);
    }
}
