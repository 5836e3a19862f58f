//! What the list shows: the rows of the table that pass a filter, or the answer of a query, in order.
//!
//! The order is kept in step with the table row by row, so that a library of any size costs a frame only what has
//! changed in it; everything is filtered and sorted anew only when the user asks for something else.

use std::cmp::Ordering;
use std::sync::Arc;

use bevy::ecs::entity::{EntityHashMap, EntityHashSet};
use bevy::platform::collections::HashMap;
use bevy::prelude::*;
use similarity::weights::PartSimilarities;

use crate::library::search::Search;
use crate::library::table::{Column, Filter, Row, SampleTable, Sort, compare};
use crate::neighbours::query::Neighbour;

/// The rows of the list.
#[derive(Resource, Default)]
pub struct Rows {
    /// Their numbers in the table, in order.
    order: Vec<u32>,
    /// How well a row fits the words, or how similar it is to the query; only while either is set.
    scores: HashMap<u32, f32>,
    part_similarities: EntityHashMap<PartSimilarities>,
    /// Counts up whenever what is shown changes.
    pub changed: u64,
    filter: Filter,
    words: Search,
    sort: Sort,
    answer: Option<Vec<Neighbour>>,
    /// What passes the filter, whatever is listed of it; none while everything does.
    passing: Option<Arc<EntityHashSet>>,
    /// Nothing holds the words.
    only_similar: bool,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Tells whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The row at a place of the list.
    pub fn row<'a>(&self, table: &'a SampleTable, place: usize) -> Option<&'a Row> {
        table.row(*self.order.get(place)?)
    }

    /// The place of a sample in the list.
    pub fn place(&self, table: &SampleTable, entity: Entity) -> Option<usize> {
        let row = table.number(entity)?;
        self.order.iter().position(|listed| *listed == row)
    }

    /// Similarity of the sample at a place to the query.
    pub fn similarity(&self, place: usize) -> Option<f32> {
        self.answer.as_ref()?;
        self.scores.get(self.order.get(place)?).copied()
    }

    /// Similarity of a sample to the query, part by part.
    pub fn part_similarities(&self, sample: Entity) -> Option<&PartSimilarities> {
        self.part_similarities.get(&sample)
    }

    /// What passes the filter, whatever is listed of it; none while everything does.
    pub fn passing(&self) -> Option<&Arc<EntityHashSet>> {
        self.passing.as_ref()
    }

    /// Tells whether nothing holds the words of the filter, so that what passes it is only similar to them.
    pub fn is_only_similar(&self) -> bool {
        self.only_similar && self.passing.as_ref().is_some_and(|passing| !passing.is_empty())
    }

    /// Follows the table, and filters anew if the filter is another one.
    pub fn follow(&mut self, table: &SampleTable, filter: &Filter) {
        if self.filter != *filter {
            self.filter = filter.clone();
            self.words = Search::new(&filter.text);
            self.filter_all(table);
        } else if !table.changed().is_empty() {
            self.take_in(table);
        }
    }

    /// Lists what passes the filter in the order of `sort`, or the answer of a query within it.
    pub fn show(&mut self, table: &SampleTable, sort: Sort, answer: Option<&[Neighbour]>) {
        let resort = self.sort != sort;
        self.sort = sort;
        if self.answer.as_deref() == answer {
            if resort {
                self.arrange(table);
            }
            return;
        }
        self.answer = answer.map(<[Neighbour]>::to_vec);
        self.list(table);
    }

    fn filter_all(&mut self, table: &SampleTable) {
        let found = table.find(&self.filter);
        self.only_similar = found.only_similar;
        self.changed += 1;
        let open = self.filter.is_open();
        self.passing = (!open).then(|| Arc::new(table.samples(found.fits.iter().map(|(row, _)| *row))));
        if self.answer.is_none() {
            self.order = found.fits.iter().map(|(row, _)| *row).collect();
            self.scores = if self.words.is_empty() { HashMap::new() } else { found.fits.into_iter().collect() };
            self.arrange(table);
        }
    }

    /// Lists the answer, or what passes.
    fn list(&mut self, table: &SampleTable) {
        self.part_similarities.clear();
        let Some(found) = &self.answer else {
            self.filter_all(table);
            return;
        };
        self.order.clear();
        self.scores.clear();
        for neighbour in found {
            let Some(row) = table.number(neighbour.entity) else { continue };
            self.order.push(row);
            self.scores.insert(row, neighbour.similarity);
            self.part_similarities.insert(neighbour.entity, neighbour.part_similarities);
        }
        self.arrange(table);
    }

    fn arrange(&mut self, table: &SampleTable) {
        let mut order = std::mem::take(&mut self.order);
        order.sort_by(|a, b| self.compare(table, *a, *b));
        self.order = order;
        self.changed += 1;
    }

    /// Compares two rows: by score in a query or a search unless the user chose a column, otherwise by that column.
    fn compare(&self, table: &SampleTable, a: u32, b: u32) -> Ordering {
        let (Some(x), Some(y)) = (table.row(a), table.row(b)) else { return a.cmp(&b) };
        if self.sort.column == Column::Match {
            let score = |row| self.scores.get(&row).copied().unwrap_or(0.0);
            let order = score(b).total_cmp(&score(a));
            let order = if self.sort.descending { order.reverse() } else { order };
            return order.then_with(|| compare(x, y, Sort::default()));
        }
        compare(x, y, self.sort)
    }

    /// Puts changed rows at their places without sorting the others.
    fn take_in(&mut self, table: &SampleTable) {
        self.changed += 1;
        let mut numbers = table.changed().to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        let mut changed = vec![false; table.numbers()];
        for row in &numbers {
            changed[*row as usize] = true;
        }
        let stays = |row: &u32| !changed[*row as usize];
        let fit = |similar| -> Vec<(u32, f32)> {
            let fit = |row: &u32| Some((*row, table.fit(*row, &self.filter, &self.words, similar)?));
            numbers.iter().filter_map(fit).collect()
        };
        let mut fits = fit(false);
        let last_is_gone = || fits.is_empty() && self.answer.is_none() && !self.order.iter().any(stays);
        if self.only_similar && fits.is_empty() {
            fits = fit(true);
        } else if self.only_similar || !self.words.is_empty() && last_is_gone() {
            // Similar names are listed only while nothing holds the words, and that has changed.
            self.filter_all(table);
            if self.answer.is_some() {
                self.list(table);
            }
            return;
        }
        if let Some(passing) = &mut self.passing {
            let passing = Arc::make_mut(passing);
            // A row's number may have gone to another sample.
            passing.retain(|sample| table.number(*sample).is_some_and(|row| stays(&row)));
            passing.extend(table.samples(fits.iter().map(|(row, _)| *row)));
        }
        if self.answer.is_some() {
            self.list(table);
            return;
        }
        self.order.retain(stays);
        if !self.words.is_empty() {
            self.scores.retain(|row, _| stays(row));
            self.scores.extend(fits.iter().copied());
        }
        let mut fresh: Vec<u32> = fits.into_iter().map(|(row, _)| row).collect();
        fresh.sort_by(|a, b| self.compare(table, *a, *b));
        let mut merged = Vec::with_capacity(self.order.len() + fresh.len());
        let mut from = 0;
        for row in fresh {
            let to = from + self.order[from..].partition_point(|other| self.compare(table, *other, row).is_lt());
            merged.extend_from_slice(&self.order[from..to]);
            merged.push(row);
            from = to;
        }
        merged.extend_from_slice(&self.order[from..]);
        self.order = merged;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use dsp::analysis::StreamInfo;

    use super::*;
    use crate::library::table::TablePlugin;
    use crate::library::{AudioInfo, FileStamp, Folders, LibraryPlugin, Sample};

    #[derive(Resource, Default)]
    struct Asked(Filter);

    fn follow(asked: Res<Asked>, table: Res<SampleTable>, mut rows: ResMut<Rows>) {
        rows.follow(&table, &asked.0);
    }

    fn app(names: &[&str]) -> (App, Vec<Entity>) {
        let mut app = App::new();
        app.add_plugins((LibraryPlugin, TablePlugin)).init_resource::<Rows>().init_resource::<Asked>();
        app.add_systems(PostUpdate, follow);
        app.world_mut().resource_mut::<Folders>().0.push("/lib".into());
        let entities = names.iter().map(|name| add(&mut app, name)).collect();
        app.update();
        (app, entities)
    }

    fn add(app: &mut App, name: &str) -> Entity {
        let path: PathBuf = ["/lib", name].iter().collect();
        app.world_mut().spawn((Sample { path: path.into() }, FileStamp { size: 1, modified: 1 })).id()
    }

    fn names(app: &App) -> Vec<String> {
        let (table, rows) = (app.world().resource::<SampleTable>(), app.world().resource::<Rows>());
        (0..rows.len()).map(|place| rows.row(table, place).unwrap().name.to_string()).collect()
    }

    fn show(app: &mut App, text: &str, sort: Sort, answer: Option<&[Neighbour]>) {
        app.world_mut().resource_mut::<Asked>().0.text = text.to_owned();
        app.update();
        app.world_mut().resource_scope(|world, mut rows: Mut<Rows>| {
            rows.show(world.resource::<SampleTable>(), sort, answer);
        });
    }

    const BEST: Sort = Sort { column: Column::Match, descending: false };

    #[test]
    fn a_new_sample_finds_its_place_and_a_removed_one_leaves_it() {
        let (mut app, entities) = app(&["a.wav", "c.wav", "e.wav"]);
        add(&mut app, "d.wav");
        add(&mut app, "b.wav");
        app.world_mut().despawn(entities[0]);
        app.update();
        assert_eq!(names(&app), ["b.wav", "c.wav", "d.wav", "e.wav"]);
    }

    #[test]
    fn many_changes_leave_the_same_order_as_sorting_everything() {
        for text in ["", "1"] {
            let (mut app, mut entities) = app(&[]);
            app.world_mut().resource_mut::<Asked>().0.text = text.to_owned();
            let mut state = 1_u32;
            for step in 0..300 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if state.is_multiple_of(4) && !entities.is_empty() {
                    let gone = entities.swap_remove(state as usize / 4 % entities.len());
                    app.world_mut().despawn(gone);
                } else {
                    entities.push(add(&mut app, &format!("s{} {step}.wav", state >> 20)));
                }
                if step % 7 == 0 {
                    app.update();
                }
            }
            app.update();
            let kept = names(&app);
            show(&mut app, text, Sort { column: Column::Name, descending: true }, None);
            let mut sorted = names(&app);
            sorted.reverse();
            assert!(kept.len() > 50 && (kept.len() == entities.len()) == text.is_empty());
            assert_eq!(kept, sorted);
            let passing = app.world().resource::<Rows>().passing().map(|passing| passing.len());
            assert_eq!(passing, (!text.is_empty()).then_some(kept.len()));
        }
    }

    #[test]
    fn similar_names_are_listed_only_while_nothing_holds_the_words() {
        let (mut app, entities) = app(&["snare.wav", "kick.wav"]);
        show(&mut app, "snaer", BEST, None);
        let similar = |app: &App| app.world().resource::<Rows>().is_only_similar();
        assert_eq!((names(&app), similar(&app)), (vec!["snare.wav".to_owned()], true));
        // Another similar name joins, until one holds the word; when that goes, they are back.
        add(&mut app, "snares.wav");
        app.update();
        assert_eq!((names(&app).len(), similar(&app)), (2, true));
        let exact = add(&mut app, "snaer.wav");
        app.update();
        assert_eq!((names(&app), similar(&app)), (vec!["snaer.wav".to_owned()], false));
        app.world_mut().despawn(exact);
        app.update();
        assert_eq!((names(&app).len(), similar(&app)), (2, true));
        app.world_mut().despawn(entities[0]);
        app.update();
        assert_eq!(names(&app), ["snares.wav"]);
        show(&mut app, "xyz", BEST, None);
        assert_eq!((names(&app), similar(&app)), (vec![], false));
        // A similar name may come where there was none.
        add(&mut app, "xyy.wav");
        app.update();
        assert_eq!((names(&app), similar(&app)), (vec!["xyy.wav".to_owned()], true));
    }

    #[test]
    fn what_is_unknown_comes_last_in_either_order() {
        let (mut app, entities) = app(&["a.wav", "b.wav", "c.wav"]);
        for (entity, frames) in [(entities[0], 100), (entities[2], 300)] {
            let info = AudioInfo(StreamInfo {
                frames: dsp::Frames(frames),
                rate: dsp::Hz(100),
                channels: 1,
                codec: "flac".to_owned(),
            });
            app.world_mut().entity_mut(entity).insert(info);
        }
        app.update();
        show(&mut app, "", Sort { column: Column::Length, descending: true }, None);
        assert_eq!(names(&app), ["c.wav", "a.wav", "b.wav"]);
        show(&mut app, "", Sort { column: Column::Length, descending: false }, None);
        assert_eq!(names(&app), ["a.wav", "c.wav", "b.wav"]);
    }

    #[test]
    fn a_query_shows_its_answer_in_the_order_of_similarity() {
        let (mut app, entities) = app(&["a.wav", "b.wav", "c.wav"]);
        let found = [(entities[2], 0.9), (entities[0], 0.5)];
        let found =
            found.map(|(entity, similarity)| Neighbour { entity, similarity, part_similarities: default(), at: None });
        show(&mut app, "", BEST, Some(&found));
        assert_eq!(names(&app), ["c.wav", "a.wav"]);
        assert_eq!(app.world().resource::<Rows>().similarity(0), Some(0.9));
        // Removing one row leaves the others as they are.
        let other = add(&mut app, "0.wav");
        let part_similarities = PartSimilarities { head: Some(0.25), network: 0.5, neighbourhood: None, groups: None };
        let found = [Neighbour { entity: other, similarity: 0.9, part_similarities, at: None }];
        show(&mut app, "", BEST, Some(&found));
        app.world_mut().despawn(entities[1]);
        app.update();
        let rows = app.world().resource::<Rows>();
        assert_eq!((rows.similarity(0), rows.part_similarities(other)), (Some(0.9), Some(&part_similarities)));
        show(&mut app, "", Sort::default(), None);
        assert_eq!(names(&app), ["0.wav", "a.wav", "c.wav"]);
    }
}
