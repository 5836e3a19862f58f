//! The map as it is on the screen: where each dot is, was and goes, which of them are shown, and what is seen of them.

use std::sync::Arc;
use std::time::Duration;

use bevy::ecs::entity::EntityHashMap;
use bevy::prelude::*;
use similarity::layout::Layout;

use super::pick;
use super::view::{Area, Bounds, View, between};
use crate::neighbours::SpaceIndex;

/// How long dots take to reach a new place.
const GLIDE: Duration = Duration::from_millis(600);
/// The longest step of an animation: for the first frame after a rest, the whole rest counts as one frame.
const STEP: Duration = Duration::from_millis(100);

/// A dot that is looked for can be told apart while its third neighbour is so far from it, in points; otherwise so many of
/// those around it are shown.
const APART: f32 = 12.0;
const BESIDE: usize = 2;
const AROUND: usize = 12;

/// How the dots are arranged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrangement {
    /// By similarity alone.
    #[default]
    Cloud,
    /// Each in a cell of its own.
    Grid,
}

/// One dot for each row of the layout.
#[derive(Clone, Debug, Default)]
pub struct Dots {
    /// The sample of each, `[n]`.
    pub entities: Arc<Vec<Entity>>,
    /// Where each comes from, in map units, `[n]`.
    pub from: Vec<[f32; 2]>,
    /// Where each goes, in map units, `[n]`.
    pub to: Vec<[f32; 2]>,
    /// Whether it was not there before and grows in, `[n]`.
    pub new: Vec<bool>,
    /// 8-bit sRGB, `[n]`.
    pub colours: Vec<[u8; 3]>,
    /// Whether it passes the filter and its group is shown, `[n]`.
    pub shown: Vec<bool>,
    pub(super) rows: Arc<EntityHashMap<usize>>,
}

impl Dots {
    /// Number of dots.
    pub fn len(&self) -> usize {
        self.to.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.to.is_empty()
    }
}

/// The name of a group of dots, or of a part of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// A few words.
    pub text: String,
    /// In the middle of most of the dots, in map units.
    pub at: [f32; 2],
    /// How many of the dots are shown.
    pub shown: usize,
    /// Whether it is a group of its own, not a part of one.
    pub whole: bool,
}

/// The map as it is on the screen.
#[derive(Resource, Debug)]
pub struct Map {
    /// What is in the middle, and how large.
    pub view: View,
    /// Where it is drawn; `None` while it is not.
    pub area: Option<Area>,
    pub(super) dots: Dots,
    pub(super) names: Vec<Name>,
    /// The group of each dot in the legend.
    pub(super) groups: Vec<usize>,
    pub(super) layout: Option<Arc<Layout>>,
    /// Whether the dots are in the layout's grid, not in its cloud.
    pub(super) in_grid: bool,
    /// Around nearly all dots where they come from and where they go.
    pub(super) bounds: [Bounds; 2],
    /// How long the dots have been on their way; `None` once they have arrived.
    pub(super) travelled: Option<Duration>,
    /// How far they have come, eased, 0..=1.
    pub(super) share: f32,
    /// The view shows everything until the user has moved it.
    pub(super) follows: bool,
    pub(super) revision: u64,
}

impl Default for Map {
    fn default() -> Self {
        Self {
            view: View::default(),
            area: None,
            dots: Dots::default(),
            names: Vec::new(),
            groups: Vec::new(),
            layout: None,
            in_grid: false,
            bounds: [Bounds::of(&[]); 2],
            travelled: None,
            share: 1.0,
            follows: true,
            revision: 0,
        }
    }
}

impl Map {
    /// Number of dots.
    pub fn len(&self) -> usize {
        self.dots.len()
    }

    /// Tells whether there is no dot.
    pub fn is_empty(&self) -> bool {
        self.dots.is_empty()
    }

    /// Where a sample's dot is drawn now, on its way too, in map units.
    pub fn position(&self, entity: Entity) -> Option<[f32; 2]> {
        self.dots.rows.get(&entity).map(|row| self.place(*row))
    }

    /// Where a sample's dot is drawn now, in points of the window; it may lie outside the area.
    pub fn on_screen(&self, entity: Entity) -> Option<[f32; 2]> {
        Some(self.view.to_screen(self.position(entity)?, &self.area?))
    }

    /// The colour of a sample's dot, 8-bit sRGB.
    pub fn colour(&self, entity: Entity) -> Option<[u8; 3]> {
        self.dots.rows.get(&entity).map(|row| self.dots.colours[*row])
    }

    /// Finds the nearest shown dot within `radius` of a point of the window, all in points.
    pub fn pick(&self, at: [f32; 2], radius: f32) -> Option<Entity> {
        let (at, radius) = (self.view.to_map(at, &self.area?), radius / self.view.scale);
        // The tree only knows where dots are at rest; while they move, every dot is checked.
        let resting = self.layout.as_ref().filter(|_| !self.is_moving());
        let near = resting.and_then(|layout| Some((layout.near(self.in_grid, at, radius)?, layout.cloud.len())));
        let row = match near {
            Some((near, known)) => {
                let shown = near.map(|(row, _)| row).filter(|row| self.dots.shown[*row]);
                // Newcomers come after the dots of the layout.
                let newcomers = (known..self.len()).filter(|row| self.dots.shown[*row]);
                pick::nearest(shown.chain(newcomers).map(|row| (row, self.place(row))), at, radius)
            }
            None => pick::nearest(self.shown(), at, radius),
        };
        row.map(|row| self.dots.entities[row])
    }

    /// Finds the shown dots inside an outline, in points of the window.
    pub fn inside(&self, outline: &[[f32; 2]]) -> Vec<Entity> {
        let Some(area) = self.area else { return Vec::new() };
        let outline: Vec<[f32; 2]> = outline.iter().map(|at| self.view.to_map(*at, &area)).collect();
        pick::inside(self.shown(), &outline).into_iter().map(|row| self.dots.entities[row]).collect()
    }

    /// The samples of a group of the legend.
    pub fn of_group(&self, group: usize) -> Vec<Entity> {
        let members = self.dots.entities.iter().zip(&self.groups).filter(|(_, of)| **of == group);
        members.map(|(entity, _)| *entity).collect()
    }

    /// Finds the nearest shown dot from a sample's in a direction, x to the right and y upwards.
    pub fn towards(&self, entity: Entity, direction: [f32; 2]) -> Option<Entity> {
        let found = pick::towards(self.shown(), self.position(entity)?, direction);
        found.map(|row| self.dots.entities[row])
    }

    /// The shown dots in the area, unless they are more than `most`.
    pub fn in_view(&self, most: usize) -> Option<Vec<Entity>> {
        let area = self.area?;
        let Bounds { min, max } = Bounds::of(&[area.min, area.max].map(|corner| self.view.to_map(corner, &area)));
        let inside = |p: &[f32; 2]| (0..2).all(|axis| (min[axis]..=max[axis]).contains(&p[axis]));
        let found: Vec<usize> =
            self.shown().filter(|(_, p)| inside(p)).map(|(row, _)| row).take(most.saturating_add(1)).collect();
        (found.len() <= most).then(|| found.into_iter().map(|row| self.dots.entities[row]).collect())
    }

    /// Names of the groups that have shown dots: whole groups first, then their parts, of each the largest first.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// Lines of equal density, closed, in map units: those of a cloud of many dots.
    #[cfg(feature = "desktop")]
    pub(super) fn contours(&self) -> &[similarity::density::Line] {
        self.layout.as_ref().filter(|_| !self.in_grid).map_or(&[], |layout| &layout.contours)
    }

    /// How much larger the map is than when nearly all of it is shown.
    pub fn zoom(&self) -> f32 {
        self.area.map_or(1.0, |area| self.view.scale / View::fit(&self.bounds[1], &area).scale)
    }

    /// Shows nearly everything, and keeps doing so until the user moves the view.
    pub fn fit(&mut self) {
        self.follows = true;
        self.show_all();
    }

    /// Enlarges by `factor`; what is under the cursor, in points of the window, stays there.
    pub fn zoom_at(&mut self, cursor: [f32; 2], factor: f32) {
        if let Some(area) = self.area {
            self.follows = false;
            self.view.zoom_at(cursor, factor, &self.bounds[1], &area);
        }
    }

    /// Moves the map along with a drag of so many points.
    pub fn pan(&mut self, delta: [f32; 2]) {
        self.follows = false;
        self.view.pan(delta);
    }

    /// Moves a sample's dot to the middle, and where dots lie too close together to tell it apart, comes nearer until those
    /// around it fill the map; returns whether it has one.
    pub fn find(&mut self, entity: Entity) -> bool {
        let Some(&row) = self.dots.rows.get(&entity) else { return false };
        let centre = self.dots.to[row];
        self.follows = false;
        self.view.centre = centre;
        let others = self.dots.to.iter().zip(&self.dots.shown).enumerate();
        let others = others.filter(|(other, (_, shown))| **shown && *other != row);
        let mut distances: Vec<f32> =
            others.map(|(_, (at, _))| (at[0] - centre[0]).hypot(at[1] - centre[1])).filter(|d| d.is_finite()).collect();
        let Some(area) = self.area.filter(|_| !distances.is_empty()) else { return true };
        let last = distances.len() - 1;
        let mut nearest = |n: usize| *distances.select_nth_unstable_by(n.min(last), f32::total_cmp).1;
        let (around, beside) = (nearest(AROUND), nearest(BESIDE));
        if beside * self.view.scale < APART {
            let [width, height] = area.size();
            let wanted = 0.5 * width.min(height) / around.max(f32::MIN_POSITIVE);
            let factor = (wanted / self.view.scale).max(1.0);
            self.view.zoom_at(area.centre(), factor, &self.bounds[1], &area);
        }
        true
    }

    /// Tells whether dots are on their way.
    pub fn is_moving(&self) -> bool {
        self.travelled.is_some()
    }

    /// How far dots have come from where they were to where they go, eased, 0..=1.
    pub fn share(&self) -> f32 {
        self.share
    }

    /// The dots as they are drawn.
    pub fn dots(&self) -> &Dots {
        &self.dots
    }

    /// Changes whenever a dot has a new goal or look.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    #[inline]
    fn place(&self, row: usize) -> [f32; 2] {
        between(self.dots.from[row], self.dots.to[row], self.share)
    }

    fn shown(&self) -> impl Iterator<Item = (usize, [f32; 2])> {
        (0..self.len()).filter(|row| self.dots.shown[*row]).map(|row| (row, self.place(row)))
    }

    /// Sends every dot to its place in `layout`, and newcomers to theirs; new ones grow there.
    pub(super) fn set_off(
        &mut self,
        index: &SpaceIndex,
        layout: &Arc<Layout>,
        newcomers: &[(Entity, [[f32; 2]; 2])],
        arrangement: Arrangement,
    ) {
        let (mut to, axis) = match arrangement {
            Arrangement::Cloud => (layout.cloud.clone(), 0),
            Arrangement::Grid => (layout.grid.clone(), 1),
        };
        let (mut entities, mut rows) = (index.entities.clone(), index.rows.clone());
        if !newcomers.is_empty() {
            let (entities, rows) = (Arc::make_mut(&mut entities), Arc::make_mut(&mut rows));
            for (entity, place) in newcomers {
                rows.insert(*entity, to.len());
                entities.push(*entity);
                to.push(place[axis]);
            }
        }
        let before: Vec<Option<[f32; 2]>> = entities.iter().map(|entity| self.position(*entity)).collect();
        let goal = Bounds::of_most(&to);
        let from = self.bounds[0].towards(&self.bounds[1], self.share);
        self.bounds = [if self.is_empty() { goal } else { from }, goal];
        let colour = |entity: &Entity| self.colour(*entity).unwrap_or_default();
        self.dots = Dots {
            colours: entities.iter().map(colour).collect(),
            shown: vec![true; to.len()],
            from: before.iter().zip(&to).map(|(before, to)| before.unwrap_or(*to)).collect(),
            new: before.iter().map(Option::is_none).collect(),
            entities,
            rows,
            to,
        };
        self.layout = Some(layout.clone());
        self.in_grid = arrangement == Arrangement::Grid;
        self.travelled = Some(Duration::ZERO);
        self.share = 0.0;
        self.revision += 1;
    }

    fn show_all(&mut self) {
        if let Some(area) = self.area {
            self.view = View::fit(&self.bounds[0].towards(&self.bounds[1], self.share), &area);
        }
    }
}

/// Moves the dots on, and the view with them while it shows everything.
pub(super) fn follow(mut map: ResMut<Map>, time: Res<Time>) {
    if let Some(travelled) = map.travelled {
        let way = (travelled.as_secs_f32() / GLIDE.as_secs_f32()).min(1.0);
        // Quick at first, gentle at the end.
        map.share = 1.0 - (1.0 - way).powi(3);
        map.travelled = (way < 1.0).then_some(travelled + time.delta().min(STEP));
    }
    if map.follows {
        map.show_all();
    }
}
