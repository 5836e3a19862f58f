//! The similarity map: every sound a dot, near those it sounds like.
//!
//! The `space` actor lays out; here the layout becomes dots that glide from where they were, get their colours, and are
//! looked for under the pointer. The panels set [`Map::area`] and [`MapLook`] and draw what lies over the dots.

pub mod colour;
#[cfg(feature = "desktop")]
mod dots;
mod pick;
pub mod picture;
mod shown;
pub mod view;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::ecs::entity::EntityHashSet;
use bevy::prelude::*;
use similarity::cluster::{CODES, MOST};
use similarity::layout::{Group, Layout};

use self::colour::{BRIGHTNESS, DURATION, LOUDNESS, Painted};
use self::shown::follow;
use crate::library::{AudioInfo, Features, Folders, Missing, Sample};
use crate::neighbours::newcomers::Newcomers;
use crate::neighbours::{Demand, Newcomer, Projection, SpaceIndex};
use crate::palette::Palette;
use crate::schedule::MapSystems;

pub use self::colour::{ColourBy, GroupKey, Legend, LegendEntry};
pub use self::shown::{Arrangement, Map, Name};
pub use self::view::{Area, View};

/// A group has its name on the map while one in so many of its dots is shown.
const MOSTLY: usize = 4;
/// While sounds keep coming, they appear together this often: each time, all dots are made anew.
const GATHERED: Duration = Duration::from_secs(4);

/// What the user wants to see; any change shows at once.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct MapLook {
    /// What the colours mean.
    pub colour_by: ColourBy,
    /// How the dots are arranged.
    pub arrangement: Arrangement,
    /// Groups of the legend whose dots are faint; emptied when the colours mean something else.
    pub hidden_groups: BTreeSet<GroupKey>,
    /// The sounds that pass the filter; the others are faint and cannot be picked. `None` for all.
    pub accepted: Option<Arc<EntityHashSet>>,
}

/// Where samples stand in cloud and grid that are not part of the layout.
type Places = Vec<(Entity, [[f32; 2]; 2])>;

/// Lays out, colours and draws the map.
pub struct MapPlugin;

impl Plugin for MapPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Map>()
            .init_resource::<MapLook>()
            .init_resource::<Palette>()
            .init_resource::<Legend>()
            .add_systems(PostUpdate, (arrange, paint, follow).chain().in_set(MapSystems));
        if let Some(mut projection) = app.world_mut().get_resource_mut::<Projection>() {
            projection.demand = Demand::Mapping;
        }
        #[cfg(feature = "desktop")]
        if app.is_plugin_added::<bevy::render::RenderPlugin>() {
            app.add_plugins(dots::DotsPlugin);
        }
    }
}

/// Sends the dots off when there is a new layout, another arrangement of it, or a newcomer that belongs elsewhere.
fn arrange(
    mut map: ResMut<Map>,
    look: Res<MapLook>,
    index: Option<Res<SpaceIndex>>,
    takes: Query<(Entity, &Newcomer)>,
    newcomers: Option<Res<Newcomers>>,
    mut last: Local<(Arrangement, Places)>,
    mut gathered: Local<Option<(u64, Instant)>>,
) {
    // Until the layout of a new space is there, the last one stays.
    let Some((index, layout)) = index.as_ref().and_then(|index| Some((index, index.layout.as_ref()?))) else { return };
    let known = map.layout.as_ref().is_some_and(|known| Arc::ptr_eq(known, layout));
    let takes = takes.iter().filter(|(entity, _)| !index.rows.contains_key(entity));
    let mut placed: Places = takes.filter_map(|(entity, take)| Some((entity, take.place?))).collect();
    placed.sort_by_key(|(entity, _)| *entity);
    let next = (look.arrangement, placed);
    let revision = newcomers.as_ref().map_or(0, |newcomers| newcomers.revision());
    let more = gathered.is_none_or(|(seen, at)| seen != revision && at.elapsed() >= GATHERED);
    if !known || *last != next || more {
        *gathered = Some((revision, Instant::now()));
        let mut others = newcomers.map(|newcomers| newcomers.places().clone()).unwrap_or_default();
        others.retain(|entity, _| !index.rows.contains_key(entity));
        others.extend(next.1.iter().copied());
        let mut all: Places = others.into_iter().collect();
        all.sort_by_key(|(entity, _)| *entity);
        map.set_off(index, layout, &all, look.arrangement);
        *last = next;
    }
}

/// Colours the dots when they or their look have changed.
fn paint(
    mut map: ResMut<Map>,
    mut look: ResMut<MapLook>,
    mut legend: ResMut<Legend>,
    palette: Res<Palette>,
    folders: Res<Folders>,
    samples: Query<(&Sample, Option<&Features>, Option<&AudioInfo>)>,
    there: Query<(), (With<Sample>, Without<Missing>)>,
    mut last: Local<Option<(u64, MapLook)>>,
) {
    let changed = last.as_ref().is_none_or(|last| last.0 != map.revision || last.1 != *look)
        || palette.is_changed()
        || (folders.is_changed() && look.colour_by == ColourBy::Folder);
    let Some(layout) = map.layout.clone().filter(|_| changed) else { return };
    if last.as_ref().is_some_and(|last| last.1.colour_by != look.colour_by) {
        look.hidden_groups.clear();
    }
    let entities = map.dots.entities.clone();
    let features = || entities.iter().map(|entity| samples.get(*entity).ok().and_then(|sample| sample.1));
    let Painted { groups, colours, mut shown, legend: next } = match look.colour_by {
        ColourBy::Cluster => {
            let mut of = layout.clusters.of.clone();
            // A newcomer is in no group yet.
            of.resize(entities.len(), usize::MAX);
            let named = layout.groups.iter().enumerate();
            let labels: Vec<_> = named.map(|(number, group)| (GroupKey::Cluster(number), group.name.clone())).collect();
            colour::by_group(&of, &labels, &look.hidden_groups, &palette)
        }
        ColourBy::Folder => {
            let path = |entity: &Entity| samples.get(*entity).map_or(Path::new(""), |sample| sample.0.path.as_ref());
            let paths: Vec<&Path> = entities.iter().map(path).collect();
            let (of, labels) = colour::folders(&paths, &folders.0);
            colour::by_group(&of, &labels, &look.hidden_groups, &palette)
        }
        ColourBy::Brightness => {
            colour::by_measure(features().map(|features| Some(features?.brightness_hz)), &BRIGHTNESS, &palette)
        }
        ColourBy::Loudness => colour::by_measure(features().map(|features| features?.lufs), &LOUDNESS, &palette),
        ColourBy::Duration => {
            #[expect(clippy::cast_possible_truncation, reason = "seconds of a sound fit f32")]
            let seconds = |entity: &Entity| samples.get(*entity).ok()?.2.map(|info| info.seconds().0 as f32);
            colour::by_measure(entities.iter().map(seconds), &DURATION, &palette)
        }
    };
    // Until the next layout, what is gone keeps its dot.
    shown.iter_mut().zip(entities.iter()).take(layout.cloud.len()).for_each(|(shown, entity)| {
        *shown &= there.contains(*entity);
    });
    if let Some(accepted) = &look.accepted {
        shown.iter_mut().zip(entities.iter()).for_each(|(shown, entity)| *shown &= accepted.contains(entity));
    }
    map.names = names(&layout, &shown, map.in_grid);
    map.groups = groups;
    map.dots.colours = colours;
    map.dots.shown = shown;
    map.revision += 1;
    legend.set_if_neq(next);
    *last = Some((map.revision, look.clone()));
}

fn names(layout: &Layout, shown: &[bool], in_grid: bool) -> Vec<Name> {
    let (mut of_groups, mut of_parts) = ([0; MOST], [0; CODES]);
    let members = layout.clusters.of.iter().zip(&layout.clusters.parts).zip(shown);
    for ((group, part), _) in members.filter(|(_, shown)| **shown) {
        of_groups[*group] += 1;
        of_parts[usize::from(*part)] += 1;
    }
    let name = |whole: bool| {
        move |(group, shown): (&Group, usize)| {
            let Group { name, size, at } = group;
            // Of what is mostly filtered out, the rest may be something else, and somewhere else.
            let there = shown > 0 && shown * MOSTLY >= *size;
            there.then(|| Name { text: name.clone(), at: at[usize::from(in_grid)], shown, whole })
        }
    };
    let groups = layout.groups.iter().zip(of_groups).filter_map(name(true));
    let mut names: Vec<Name> = groups.chain(layout.parts.iter().zip(of_parts).filter_map(name(false))).collect();
    names.sort_by_key(|name| (!name.whole, Reverse(name.shown)));
    names
}

#[cfg(test)]
mod tests {
    use bevy::time::{TimePlugin, TimeUpdateStrategy};
    use half::f16;
    use similarity::cluster::{Clusters, code};
    use similarity::layout::Before;
    use similarity::space::{Heard, Space};
    use similarity::weights::Weights;

    use super::*;

    const AREA: Area = Area { min: [0.0, 0.0], max: [400.0, 400.0], pixels_per_point: 1.0 };

    fn app(n: usize) -> (App, Vec<Entity>) {
        let mut app = App::new();
        app.add_plugins((TimePlugin, MapPlugin)).init_resource::<Folders>();
        app.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_millis(100)));
        app.world_mut().resource_mut::<Map>().area = Some(AREA);
        let entities = (0..n).map(|i| {
            let path = Path::new(if i % 2 == 0 { "/lib/even/a.wav" } else { "/lib/odd/b.wav" }).into();
            app.world_mut().spawn(Sample { path }).id()
        });
        let entities = entities.collect();
        (app, entities)
    }

    fn lay_out(app: &mut App, entities: &[Entity], cloud: &[[f32; 2]]) {
        let n = entities.len();
        let mut layout = Layout::default();
        layout.cloud = cloud.to_vec();
        layout.grid = (0..n).map(|i| [i as f32, 0.0]).collect();
        layout.clusters =
            Clusters { of: (0..n).map(|i| i % 2).collect(), parts: (0..n).map(|i| code(i % 2, i / 2 % 2)).collect() };
        let named = |(name, x): (&str, f32)| Group { name: name.into(), size: 1, at: [[x, 0.0]; 2] };
        layout.groups = [("kick", -1.0), ("snare", 1.0)].map(named).to_vec();
        layout.parts = vec![Group::default(); CODES];
        layout.parts[usize::from(code(0, 1))] = named(("long kick", -2.0));
        app.insert_resource(SpaceIndex {
            space: Arc::new(Space::build(&[], &Arc::default(), &Weights::default())),
            entities: Arc::new(entities.to_vec()),
            rows: Arc::new(entities.iter().enumerate().map(|(row, entity)| (*entity, row)).collect()),
            layout: Some(Arc::new(layout)),
            former: false,
        });
    }

    fn map(app: &App) -> &Map {
        app.world().resource::<Map>()
    }

    fn updates(app: &mut App, n: usize) {
        (0..n).for_each(|_| app.update());
    }

    #[test]
    fn the_first_layout_fits_itself_into_the_area_and_then_rests() {
        let (mut app, entities) = app(2);
        lay_out(&mut app, &entities, &[[-1.0, 0.0], [1.0, 0.0]]);
        app.update();
        assert!(map(&app).is_moving());
        updates(&mut app, 10);
        assert!(!map(&app).is_moving());
        let [left, right] = [0, 1].map(|i| map(&app).on_screen(entities[i]).unwrap());
        assert!((left[0] + right[0] - 400.0).abs() < 1e-3 && right[0] - left[0] > 300.0, "{left:?} {right:?}");
        let revision = map(&app).revision();
        updates(&mut app, 3);
        assert_eq!(map(&app).revision(), revision, "nothing is uploaded without a reason");
    }

    #[test]
    fn known_dots_glide_from_where_they_are_and_new_ones_grow_at_their_place() {
        let (mut app, entities) = app(3);
        lay_out(&mut app, &entities[..2], &[[-1.0, 0.0], [1.0, 0.0]]);
        updates(&mut app, 10);
        lay_out(&mut app, &entities, &[[-1.0, 1.0], [1.0, 1.0], [0.0, -1.0]]);
        updates(&mut app, 3);
        let [_, y] = map(&app).position(entities[0]).unwrap();
        assert!(y > 0.0 && y < 1.0, "{y}");
        assert_eq!(map(&app).position(entities[2]), Some([0.0, -1.0]));
        assert_eq!(map(&app).dots().new, [false, false, true]);
        // A third layout starts from the middle of the way.
        lay_out(&mut app, &entities, &[[0.0, 0.0]; 3]);
        app.update();
        let now = map(&app).dots().from[0];
        assert!(now[1] >= y && now[1] < 1.0, "{now:?}");
        updates(&mut app, 10);
        assert_eq!(map(&app).position(entities[1]), Some([0.0, 0.0]));
    }

    #[test]
    fn a_view_that_the_user_moved_stays_when_the_layout_changes() {
        let (mut app, entities) = app(2);
        lay_out(&mut app, &entities, &[[-1.0, 0.0], [1.0, 0.0]]);
        updates(&mut app, 10);
        app.world_mut().resource_mut::<Map>().zoom_at([200.0, 200.0], 2.0);
        let view = map(&app).view;
        lay_out(&mut app, &entities, &[[-5.0, 0.0], [5.0, 0.0]]);
        updates(&mut app, 10);
        assert_eq!(map(&app).view, view);
        app.world_mut().resource_mut::<Map>().fit();
        assert!(map(&app).view.scale < view.scale);
    }

    #[test]
    fn dots_that_are_filtered_out_or_hidden_cannot_be_picked() {
        let (mut app, entities) = app(2);
        lay_out(&mut app, &entities, &[[-1.0, 0.0], [1.0, 0.0]]);
        updates(&mut app, 10);
        let at = [0, 1].map(|i| map(&app).on_screen(entities[i]).unwrap());
        assert_eq!(map(&app).pick([at[1][0] + 3.0, at[1][1]], 5.0), Some(entities[1]));
        assert_eq!(map(&app).pick([at[1][0] + 6.0, at[1][1]], 5.0), None);
        let all = [[0.0, 0.0], [400.0, 0.0], [400.0, 400.0], [0.0, 400.0]];
        assert_eq!(map(&app).inside(&all).len(), 2);
        app.world_mut().resource_mut::<MapLook>().accepted = Some(Arc::new(EntityHashSet::from_iter([entities[0]])));
        app.update();
        assert_eq!((map(&app).pick(at[1], 5.0), map(&app).pick(at[0], 5.0)), (None, Some(entities[0])));
        app.world_mut().resource_mut::<MapLook>().hidden_groups.insert(GroupKey::Cluster(0));
        app.update();
        assert!(map(&app).inside(&all).is_empty());
    }

    #[test]
    fn the_legend_says_what_the_colours_mean_and_another_meaning_shows_every_group() {
        let (mut app, entities) = app(3);
        lay_out(&mut app, &entities, &[[0.0, 0.0]; 3]);
        app.world_mut().resource_mut::<MapLook>().hidden_groups.insert(GroupKey::Cluster(1));
        app.update();
        let labels = |app: &App| match app.world().resource::<Legend>() {
            Legend::Groups(entries) => entries.iter().map(|e| (e.label.clone(), e.count)).collect(),
            _ => Vec::new(),
        };
        assert_eq!(labels(&app), [("kick".to_owned(), 2), ("snare".to_owned(), 1)]);
        assert_eq!(map(&app).dots().shown, [true, false, true]);
        app.world_mut().resource_mut::<Folders>().0.push("/lib".into());
        app.world_mut().resource_mut::<MapLook>().colour_by = ColourBy::Folder;
        app.update();
        assert_eq!(labels(&app), [("even".to_owned(), 2), ("odd".to_owned(), 1)]);
        assert_eq!(map(&app).dots().shown, [true; 3]);
        app.world_mut().resource_mut::<MapLook>().colour_by = ColourBy::Loudness;
        app.update();
        assert!(matches!(app.world().resource::<Legend>(), Legend::Ramp { .. }));
        assert_eq!(map(&app).colour(entities[0]), Some(Palette::DARK.other));
    }

    #[test]
    fn a_hidden_folder_stays_hidden_while_the_library_grows() {
        let (mut app, mut entities) = app(3);
        app.world_mut().resource_mut::<Folders>().0.push("/lib".into());
        app.world_mut().resource_mut::<MapLook>().colour_by = ColourBy::Folder;
        lay_out(&mut app, &entities, &[[0.0, 0.0]; 3]);
        app.update();
        app.world_mut().resource_mut::<MapLook>().hidden_groups.insert(GroupKey::Folder(Path::new("/lib/odd").into()));
        app.update();
        assert_eq!(map(&app).dots().shown, [true, false, true]);
        // A folder whose name comes first takes the first place in the legend.
        let path = Path::new("/lib/bass/c.wav").into();
        entities.push(app.world_mut().spawn(Sample { path }).id());
        lay_out(&mut app, &entities, &[[0.0, 0.0]; 4]);
        app.update();
        assert_eq!(map(&app).dots().shown, [true, false, true, true]);
    }

    #[test]
    fn a_newcomer_glides_to_wherever_it_belongs_and_moves_nothing_else() {
        let (mut app, entities) = app(3);
        lay_out(&mut app, &entities[..2], &[[-1.0, 0.0], [1.0, 0.0]]);
        updates(&mut app, 10);
        let place = |app: &mut App, x: f32| {
            app.world_mut().entity_mut(entities[2]).insert(Newcomer { place: Some([[x, 0.5], [x, 0.0]]) });
            updates(app, 2);
        };
        place(&mut app, 0.0);
        assert_eq!((map(&app).len(), map(&app).position(entities[2])), (3, Some([0.0, 0.5])));
        place(&mut app, 1.0);
        let [x, _] = map(&app).position(entities[2]).unwrap();
        assert!(x > 0.0 && x < 1.0, "{x}");
        assert_eq!(map(&app).position(entities[0]), Some([-1.0, 0.0]));
        let at = map(&app).on_screen(entities[2]).unwrap();
        assert_eq!(map(&app).pick(at, 5.0), Some(entities[2]), "on its way");
        updates(&mut app, 10);
        assert_eq!(map(&app).position(entities[2]), Some([1.0, 0.5]));
        assert!(!map(&app).is_moving());
        let [known, newcomer] = [1, 2].map(|i| map(&app).on_screen(entities[i]).unwrap());
        assert_eq!(map(&app).pick(newcomer, 5.0), Some(entities[2]), "at rest");
        assert_eq!(map(&app).pick(known, 1000.0), Some(entities[1]), "the nearest of all");
        app.world_mut().despawn(entities[2]);
        updates(&mut app, 2);
        assert_eq!(map(&app).len(), 2);
    }

    #[test]
    fn a_newcomer_can_be_picked_while_the_layout_s_tree_answers_for_the_others() {
        let (mut app, entities) = app(5);
        let vectors: Vec<Vec<f16>> = (0..4)
            .map(|sound| (0..48).map(|axis| f16::from_f32(f32::from(u8::from(axis == sound)))).collect())
            .collect();
        let heard: Vec<Heard> = vectors.iter().map(|v| Heard { pooled: v, descriptors: None, head: &[] }).collect();
        let space = Space::build(&heard, &Arc::default(), &Weights::default());
        let layout = Layout::build(&space, &[Path::new("/a.wav"); 4], &Before::default(), &|| false).unwrap();
        assert!(layout.near(false, [0.0, 0.0], 9.0).is_some(), "it has a tree");
        let entity = entities[0];
        app.insert_resource(SpaceIndex {
            space: Arc::new(space),
            entities: Arc::new(entities[..4].to_vec()),
            rows: Arc::new(entities[..4].iter().enumerate().map(|(row, entity)| (*entity, row)).collect()),
            layout: Some(Arc::new(layout)),
            former: false,
        });
        app.world_mut().entity_mut(entities[4]).insert(Newcomer { place: Some([[3.0, 3.0]; 2]) });
        updates(&mut app, 12);
        assert!(!map(&app).is_moving());
        let [known, newcomer] = [entity, entities[4]].map(|entity| map(&app).on_screen(entity).unwrap());
        assert_eq!(map(&app).pick(newcomer, 5.0), Some(entities[4]));
        assert_eq!(map(&app).pick(known, 1000.0), Some(entity), "the nearest of all");
        app.world_mut().resource_mut::<MapLook>().accepted = Some(Arc::new(EntityHashSet::from_iter([entity])));
        app.update();
        assert_eq!(map(&app).pick(newcomer, 5.0), None);
    }

    #[test]
    fn names_are_those_of_groups_with_shown_dots_and_sounds_in_view_are_told_unless_they_are_many() {
        let (mut app, entities) = app(6);
        lay_out(&mut app, &entities, &[[-1.0, 0.0], [1.0, 0.0], [-2.0, 0.0], [1.0, 0.5], [0.0, 0.0], [0.0, 1.0]]);
        updates(&mut app, 10);
        let names = |app: &App| -> Vec<(String, usize, bool)> {
            map(app).names().iter().map(|name| (name.text.clone(), name.shown, name.whole)).collect()
        };
        let all = [("kick", 3, true), ("snare", 3, true)].map(|(name, shown, whole)| (name.to_owned(), shown, whole));
        assert_eq!(names(&app)[..2], all);
        assert!(names(&app).contains(&("long kick".to_owned(), 1, false)));
        assert_eq!((map(&app).in_view(5), map(&app).in_view(6).map(|seen| seen.len())), (None, Some(6)));
        app.world_mut().resource_mut::<MapLook>().accepted =
            Some(Arc::new(EntityHashSet::from_iter([entities[0], entities[1]])));
        app.update();
        assert!(names(&app).iter().all(|(name, shown, _)| name != "long kick" && *shown == 1));
        assert_eq!(map(&app).in_view(5).map(|seen| seen.len()), Some(2));
        assert_eq!(map(&app).towards(entities[0], [1.0, 0.0]), Some(entities[1]), "others are not stepped on");
        assert!((map(&app).zoom() - 1.0).abs() < 1e-3);
        app.world_mut().resource_mut::<Map>().zoom_at([200.0, 200.0], 4.0);
        assert!((map(&app).zoom() - 4.0).abs() < 1e-3);
        assert_eq!(map(&app).in_view(5).map(|seen| seen.len()), Some(0));
    }

    #[test]
    fn a_dot_that_is_looked_for_is_brought_to_the_middle_and_so_near_that_it_can_be_told_apart() {
        let (mut app, entities) = app(400);
        let cloud: Vec<[f32; 2]> = (0..400).map(|i| [(i % 20) as f32 * 0.01, (i / 20) as f32 * 0.01]).collect();
        lay_out(&mut app, &entities, &cloud);
        updates(&mut app, 10);
        let far = |app: &App| {
            let [a, b] = [210, 211].map(|i| map(app).on_screen(entities[i]).unwrap());
            (a[0] - b[0]).hypot(a[1] - b[1])
        };
        // They lie far enough apart already.
        assert!(far(&app) > 12.0 && app.world_mut().resource_mut::<Map>().find(entities[210]));
        assert!((map(&app).zoom() - 1.0).abs() < 1e-3);
        app.world_mut().resource_mut::<Map>().zoom_at([200.0, 200.0], 0.25);
        assert!(far(&app) < 12.0);
        app.world_mut().resource_mut::<Map>().find(entities[210]);
        let at = map(&app).on_screen(entities[210]).unwrap();
        assert!((at[0] - 200.0).abs() < 1e-2 && (at[1] - 200.0).abs() < 1e-2, "{at:?}");
        assert!(far(&app) > 30.0, "{}", far(&app));
        // What is nearer already stays so, and so does the map where there is no dot.
        app.world_mut().resource_mut::<Map>().zoom_at([200.0, 200.0], 2.0);
        let scale = map(&app).view.scale;
        assert!(app.world_mut().resource_mut::<Map>().find(entities[30]));
        assert!((map(&app).view.scale / scale - 1.0).abs() < 1e-6);
        assert!(!app.world_mut().resource_mut::<Map>().find(Entity::PLACEHOLDER));
    }

    #[test]
    fn another_arrangement_sends_the_dots_there() {
        let (mut app, entities) = app(2);
        lay_out(&mut app, &entities, &[[0.0, 1.0]; 2]);
        updates(&mut app, 10);
        app.world_mut().resource_mut::<MapLook>().arrangement = Arrangement::Grid;
        app.update();
        assert!(map(&app).is_moving());
        updates(&mut app, 10);
        assert_eq!(map(&app).position(entities[1]), Some([1.0, 0.0]));
    }
}
