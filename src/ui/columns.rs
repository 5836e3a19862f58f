//! The columns of the list: which are shown, in what order and how wide; and where each lies.
//!
//! The name takes what the others leave, and never less than [`NAME`]: where there is no room for all, those of least use
//! give way.

use bevy_egui::egui::{Rect, pos2, vec2};
use serde::{Deserialize, Serialize};

use super::theme::PADDING;
use crate::library::table::Column;

/// Space between columns in points.
pub const GAP: f32 = 14.0;
/// Width of a similarity bar in points, in a column of the usual width.
pub const BAR: f32 = 5.0;
/// The usual width of all bars, in points.
pub const BARS: f32 = 8.0 * (BAR + 2.0) - 2.0;
/// What a name has at least, in points, before any other column has anything.
pub const NAME: f32 = 165.0;
/// The narrowest and the widest column, in points.
const WIDTHS: std::ops::RangeInclusive<f32> = 24.0..=600.0;

/// What is usual for a column.
pub struct Usual {
    /// Which.
    pub column: Column,
    /// Its heading; empty where its content needs none.
    pub head: &'static str,
    /// What it is called in full.
    pub name: &'static str,
    /// Its width in points.
    pub width: f32,
    shown: bool,
    /// Those of the highest rank give way first.
    rank: u8,
}

impl Usual {
    /// Its heading, or what it is called where it has none.
    pub fn called(&self) -> &'static str {
        if self.head.is_empty() { self.name } else { self.head }
    }
}

const fn usual(column: Column, [head, name]: [&'static str; 2], width: f32, (shown, rank): (bool, u8)) -> Usual {
    Usual { column, head, name, width, shown, rank }
}

/// All columns in their usual order. One that is hidden at first was asked for where it is shown, so it stays longer than
/// some that were not.
pub const USUAL: [Usual; 14] = [
    usual(Column::Outline, ["", "Outline"], 84.0, (true, 2)),
    usual(Column::Name, ["Name", "Name"], NAME, (true, 0)),
    usual(Column::Folder, ["Folder", "Folder"], 110.0, (true, 9)),
    usual(Column::Format, ["Format", "Format"], 44.0, (true, 12)),
    usual(Column::Channels, ["Channels", "Channels"], 56.0, (false, 8)),
    usual(Column::Rate, ["Rate", "Sample rate"], 56.0, (false, 7)),
    usual(Column::Pitch, ["Median", "Median frequency"], 58.0, (false, 4)),
    usual(Column::Brightness, ["Bright", "Brightness"], 58.0, (true, 11)),
    usual(Column::Length, ["Length", "Length"], 54.0, (true, 1)),
    usual(Column::Peak, ["Peak", "Peak level (dBFS)"], 44.0, (false, 5)),
    usual(Column::Loudness, ["LUFS", "Loudness (LUFS)"], 42.0, (true, 10)),
    usual(Column::Modified, ["Modified", "Date modified"], 74.0, (false, 6)),
    usual(Column::Why, ["", "Similarity by part"], BARS, (true, 3)),
    usual(Column::Match, ["Similarity", "Similarity"], 58.0, (true, 0)),
];

/// Tells whether a column says something of neighbours only.
fn needs_query(column: Column) -> bool {
    matches!(column, Column::Why | Column::Match)
}

/// A column as the user has it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// Which.
    pub column: Column,
    /// Its width in points.
    pub width: f32,
    /// Whether it is there.
    pub shown: bool,
}

/// The columns in the user's order; none of them while everything is as usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Columns(Vec<Chosen>);

impl Columns {
    /// All columns in order, each once.
    pub fn all(&self) -> Vec<Chosen> {
        let mut all: Vec<Chosen> = Vec::with_capacity(USUAL.len());
        for chosen in &self.0 {
            if all.iter().all(|known| known.column != chosen.column) {
                let shown = chosen.shown || chosen.column == Column::Name;
                let width = if chosen.width.is_nan() { *WIDTHS.start() } else { chosen.width };
                all.push(Chosen { shown, width: width.clamp(*WIDTHS.start(), *WIDTHS.end()), ..*chosen });
            }
        }
        // What a file does not name stands where it usually does.
        for (place, Usual { column, width, shown, .. }) in USUAL.iter().enumerate() {
            if all.iter().all(|known| known.column != *column) {
                all.insert(place.min(all.len()), Chosen { column: *column, width: *width, shown: *shown });
            }
        }
        all
    }

    /// Tells whether everything is as usual.
    pub fn are_usual(&self) -> bool {
        self.all() == Self::default().all()
    }

    /// These with one shown that was hidden, or hidden that was shown.
    pub fn with_toggled(&self, column: Column) -> Self {
        self.with(column, |chosen| chosen.shown = !chosen.shown)
    }

    /// These with one of another width.
    pub fn with_width(&self, column: Column, width: f32) -> Self {
        self.with(column, |chosen| chosen.width = width.clamp(*WIDTHS.start(), *WIDTHS.end()).floor())
    }

    /// These with one moved to the left of another, or to the right end.
    pub fn with_moved(&self, column: Column, before: Option<Column>) -> Self {
        let mut all = self.all();
        let Some(from) = all.iter().position(|chosen| chosen.column == column) else { return self.clone() };
        if before != Some(column) {
            let moved = all.remove(from);
            let to = all.iter().position(|chosen| Some(chosen.column) == before);
            all.insert(to.unwrap_or(all.len()), moved);
        }
        Self(all)
    }

    fn with(&self, column: Column, change: impl FnOnce(&mut Chosen)) -> Self {
        let mut all = self.all();
        if let Some(chosen) = all.iter_mut().find(|chosen| chosen.column == column) {
            change(chosen);
        }
        Self(all)
    }
}

/// Where each column lies, from left to right.
pub struct Places(pub Vec<(Column, Rect)>);

impl Places {
    /// Shares `rect` among the columns that are shown and have room; `scored` is whether there is a query.
    pub fn new(rect: Rect, columns: &Columns, scored: bool) -> Self {
        let inner = rect.shrink2(vec2(PADDING, 0.0));
        let all = columns.all();
        let mut wanted: Vec<(u8, usize)> = all
            .iter()
            .enumerate()
            .filter(|(_, chosen)| {
                chosen.shown && chosen.column != Column::Name && (scored || !needs_query(chosen.column))
            })
            .map(|(place, chosen)| (rank(chosen.column), place))
            .collect();
        wanted.sort_unstable();
        let mut left = inner.width();
        let mut widths = vec![0.0_f32; all.len()];
        for (_, place) in wanted {
            let Chosen { column, width, .. } = all[place];
            // An outline says something at half its width too.
            let narrow = (column == Column::Outline).then_some(width / 2.0);
            if let Some(width) = std::iter::once(width).chain(narrow).find(|width| left - width - GAP >= NAME) {
                widths[place] = width;
                left -= width + GAP;
            }
        }
        let mut at = inner.left();
        let mut places = Vec::new();
        for (chosen, width) in all.iter().zip(widths) {
            let width = if chosen.column == Column::Name { left.max(0.0) } else { width };
            if width > 0.0 || chosen.column == Column::Name {
                places.push((chosen.column, Rect::from_min_size(pos2(at, inner.top()), vec2(width, inner.height()))));
                at += width + GAP;
            }
        }
        Self(places)
    }

    /// Where a column lies, if it is there.
    pub fn of(&self, column: Column) -> Option<Rect> {
        self.0.iter().find(|(known, _)| *known == column).map(|(_, rect)| *rect)
    }

    /// Where the name lies.
    pub fn name(&self) -> Rect {
        self.of(Column::Name).unwrap_or(Rect::ZERO)
    }

    /// Before which column something is put that is let go at `x`; none for the right end.
    pub fn before(&self, x: f32) -> Option<Column> {
        self.0.iter().find(|(_, rect)| x < rect.center().x).map(|(column, _)| *column)
    }

    /// The border by which a column is made wider, which lies on its side away from the name; and whether that is its right.
    pub fn border(&self, column: Column) -> Option<(f32, bool)> {
        let rect = self.of(column).filter(|_| column != Column::Name)?;
        let right = rect.left() < self.name().left();
        Some((if right { rect.right() + GAP / 2.0 } else { rect.left() - GAP / 2.0 }, right))
    }

    /// The width of a column whose border is dragged to `x`: the name gives and takes.
    pub fn width_at(&self, column: Column, x: f32) -> Option<f32> {
        let rect = self.of(column)?;
        let (_, right) = self.border(column)?;
        let asked = if right { x - GAP / 2.0 - rect.left() } else { rect.right() - x - GAP / 2.0 };
        let most = rect.width() + (self.name().width() - NAME).max(0.0);
        Some(asked.min(most).max(*WIDTHS.start()))
    }
}

fn rank(column: Column) -> u8 {
    USUAL.iter().find(|usual| usual.column == column).map_or(u8::MAX, |usual| usual.rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(width: f32, columns: &Columns, scored: bool) -> Places {
        Places::new(Rect::from_min_size(pos2(0.0, 0.0), vec2(width, 24.0)), columns, scored)
    }

    fn shown(places: &Places) -> Vec<Column> {
        places.0.iter().map(|(column, _)| *column).collect()
    }

    #[test]
    fn the_name_has_its_width_whatever_is_shown_and_nothing_overlaps() {
        let mut many = Columns::default();
        for Usual { column, shown, .. } in USUAL {
            many = if shown { many } else { many.with_toggled(column) };
            many = many.with_width(column, 140.0);
        }
        for columns in [Columns::default(), many] {
            for scored in [false, true] {
                for width in (189..1800).step_by(7) {
                    let width = width as f32;
                    let places = places(width, &columns, scored);
                    assert!(places.name().width() >= NAME.min(width - 2.0 * PADDING), "{width}: {:?}", places.name());
                    assert!(places.0.windows(2).all(|two| two[1].1.left() - two[0].1.right() >= GAP - 0.01));
                    let last = places.0.last().unwrap().1.right();
                    assert!((last - (width - PADDING)).abs() < 0.01, "{last} of {width}");
                }
            }
        }
        // A neighbour at 1280 × 720 says how similar it is.
        assert_eq!(shown(&places(484.0, &Columns::default(), true))[..2], [Column::Outline, Column::Name]);
        assert!(places(484.0, &Columns::default(), true).of(Column::Match).is_some());
    }

    #[test]
    fn a_column_is_moved_hidden_and_made_wider_and_the_name_cannot_be_hidden() {
        let usual = Columns::default();
        assert!(usual.are_usual());
        let moved = usual.with_moved(Column::Length, Some(Column::Outline));
        assert_eq!(shown(&places(900.0, &moved, false))[..3], [Column::Length, Column::Outline, Column::Name]);
        let last = moved.with_moved(Column::Name, None);
        assert_eq!(shown(&places(900.0, &last, false)).last(), Some(&Column::Name));
        assert!(!last.are_usual());
        let hidden = usual.with_toggled(Column::Folder).with_toggled(Column::Name);
        assert!(places(900.0, &hidden, false).of(Column::Folder).is_none());
        assert!(places(900.0, &hidden, false).of(Column::Name).is_some());
        assert!(usual.with_toggled(Column::Folder).with_toggled(Column::Folder).are_usual());
        // The border follows the pointer, on either side of the name, until the name has no more to give.
        for column in [Column::Outline, Column::Length] {
            let before = places(900.0, &usual, false);
            let (at, right) = before.border(column).unwrap();
            let to = if right { at + 20.0 } else { at - 20.0 };
            let after = places(900.0, &usual.with_width(column, before.width_at(column, to).unwrap()), false);
            assert_eq!(after.border(column), Some((to, right)));
            let far = before.width_at(column, if right { 5000.0 } else { -5000.0 }).unwrap();
            let after = places(900.0, &usual.with_width(column, far), false);
            assert!((after.name().width() - NAME).abs() <= 1.0 && shown(&after) == shown(&before));
        }
    }

    #[test]
    fn whatever_the_settings_say_each_column_is_there_once() {
        let odd = |column, width| Chosen { column, width, shown: false };
        let columns = Columns(vec![odd(Column::Why, f32::NAN), odd(Column::Why, 9.0), odd(Column::Length, -1e9)]);
        let all = columns.all();
        assert_eq!(all.len(), USUAL.len());
        assert!(USUAL.iter().all(|usual| all.iter().any(|chosen| chosen.column == usual.column)));
        assert!(all.iter().all(|chosen| WIDTHS.contains(&chosen.width)));
    }
}
