//! The sources: folders of the library as a tree, with the number of sounds in each.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use bevy::prelude::Resource;
use bevy_egui::egui::{
    self, Align2, CursorIcon, Key, Rect, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, WidgetType, pos2, vec2,
};

use super::action::{Action, Edit, FolderFor, Go, Outside};
use super::controls::{self, Strip, Tone};
use super::focus::{self, PRESSES, Section};
use super::menu::{self, Item};
use super::theme::{self, HEADING, PADDING, Theme, icon};
use crate::library::table::{Counts, Filter, StatusFilter};

/// Height of a line in points.
const LINE: f32 = 26.0;
/// Keys that walk through the lines.
const KEYS: [Key; 6] = [Key::ArrowUp, Key::ArrowDown, Key::ArrowLeft, Key::ArrowRight, Key::Enter, Key::Space];
/// Indentation of a branch relative to its parent, in points.
const INDENT: f32 = 14.0;

/// One line of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The folder.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// Folders above it within the library.
    pub depth: usize,
    /// Samples in it and below.
    pub samples: usize,
    /// Whether there are folders with sounds below.
    pub parent: bool,
    /// Whether those are shown.
    pub open: bool,
    /// Whether everything in it is gone, as on a drive that is not plugged in.
    pub offline: bool,
}

/// The lines of the tree that are shown.
#[derive(Resource, Default, Debug)]
pub struct Branches(pub Vec<Branch>);

/// Lays the tree out: the library's folders, and below each open one the folders within that hold sounds.
pub fn branches(roots: &[PathBuf], samples: &BTreeMap<PathBuf, [usize; 2]>, open: &HashSet<PathBuf>) -> Vec<Branch> {
    let mut lines = Vec::new();
    for root in roots {
        // A folder of the library inside another one is shown there.
        if !roots.iter().any(|other| other != root && root.starts_with(other)) {
            let first = lines.len();
            grow(root, 0, samples, open, &mut lines);
            // Two folders of the same name are told apart by their parent folders.
            let same = |other: &PathBuf| other != root && other.file_name() == root.file_name();
            if let Some(above) = root.parent().and_then(Path::file_name).filter(|_| roots.iter().any(same)) {
                lines[first].name = format!("{} in {}", lines[first].name, above.to_string_lossy());
            }
        }
    }
    lines
}

/// The folders within one that hold sounds or lead to some.
fn below<'a>(path: &Path, samples: &'a BTreeMap<PathBuf, [usize; 2]>) -> Vec<&'a Path> {
    let mut children: Vec<&Path> = Vec::new();
    for (folder, [there, _]) in within(path, samples) {
        let Some(child) = folder.ancestors().find(|above| above.parent() == Some(path)) else { continue };
        if *there > 0 && children.last() != Some(&child) {
            children.push(child);
        }
    }
    children
}

/// A folder and those below it, each with its samples.
fn within<'a>(
    path: &Path,
    samples: &'a BTreeMap<PathBuf, [usize; 2]>,
) -> impl Iterator<Item = (&'a PathBuf, &'a [usize; 2])> {
    let from = (std::ops::Bound::Included(path), std::ops::Bound::Unbounded);
    samples.range::<Path, _>(from).take_while(move |(folder, _)| folder.starts_with(path))
}

fn grow(
    path: &Path,
    depth: usize,
    samples: &BTreeMap<PathBuf, [usize; 2]>,
    open: &HashSet<PathBuf>,
    lines: &mut Vec<Branch>,
) {
    let (mut all, mut gone) = (0, 0);
    for (_, [there, missing]) in within(path, samples) {
        all += there;
        gone += missing;
    }
    let name = |path: &Path| {
        path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
    };
    let (mut path, mut joined) = (path, name(path));
    let mut children = below(path, samples);
    // Below a folder of the library, one that holds nothing but one other is one line with it.
    while let [only] = children[..]
        && depth > 0
        && !samples.contains_key(path)
    {
        joined = format!("{joined} › {}", name(only));
        path = only;
        children = below(path, samples);
    }
    let is_open = open.contains(path) != (depth == 0);
    lines.push(Branch {
        path: path.to_owned(),
        name: joined,
        depth,
        samples: all,
        parent: !children.is_empty(),
        open: is_open,
        offline: all > 0 && gone == all,
    });
    if is_open {
        children.sort_by_key(|child| child.file_name().map(|name| name.to_string_lossy().to_lowercase()));
        for child in children {
            grow(child, depth + 1, samples, open, lines);
        }
    }
}

/// What the sources are drawn from.
pub struct View<'a> {
    /// The tree.
    pub branches: &'a [Branch],
    /// What is shown in the list.
    pub filter: &'a Filter,
    /// How many samples there are of each state.
    pub counts: Counts,
    /// Whether a key has asked for the menu of what is chosen.
    pub menu: bool,
    /// Colours.
    pub theme: &'a Theme,
    /// The keys of an action as text.
    pub keys: &'a dyn Fn(&Action) -> String,
}

/// Draws the sources into `ui`'s rectangle.
pub fn show(ui: &mut Ui, view: &View, actions: &mut Vec<Action>) {
    let area = ui.max_rect();
    let theme = view.theme;
    let (heading, rest) = area.split_top_bottom_at_y(area.top() + HEADING);
    let mut strip = Strip::new(heading);
    let add = strip.right(20.0);
    controls::line(ui, strip.rest(), Align2::LEFT_CENTER, "Sources", theme::strong(12.0), theme.text);
    let tip = controls::hint("Add a folder", &(view.keys)(&Outside::AskForFolder(FolderFor::Sounds).into()));
    if controls::icon(ui, add, icon::PLUS, "Add folder", &tip, Tone::Plain, theme).clicked() {
        actions.push(Outside::AskForFolder(FolderFor::Sounds).into());
    }
    let id = ui.id().with("home");
    let home = ui.interact(rest, id, Sense::focusable_noninteractive());
    home.widget_info(|| WidgetInfo::labeled(WidgetType::Other, true, "Folders"));
    let focused = focus::home(ui.ctx(), Section::Sources, id, &KEYS, true);
    let lines = lines(view);
    let key = focused.then(|| focus::pressed(ui, &KEYS)).flatten();
    if let Some(key) = key {
        walk(&lines, key, actions);
        if PRESSES.contains(&key) {
            ui.memory_mut(|memory| memory.surrender_focus(id));
        }
        ui.data_mut(|data| data.insert_temp(id, true));
        ui.ctx().request_repaint();
    }
    let mut child = ui.new_child(UiBuilder::new().max_rect(rest).id_salt("tree"));
    child.set_clip_rect(rest.intersect(ui.clip_rect()));
    ScrollArea::vertical().auto_shrink(false).id_salt("sources").show(&mut child, |ui| {
        for (i, line) in lines.iter().enumerate() {
            if line.branch.is_some() && i > 0 && lines[i - 1].branch.is_none() {
                ui.add_space(6.0);
            }
            let rect = match line.branch {
                Some(branch) => self::branch(ui, branch, rest.width(), line.chosen, view, actions),
                None => state(ui, line, rest.width(), theme, actions),
            };
            if focused && line.chosen {
                focus::ring(ui, rect, theme);
                // What a key has gone to in the frame before can be seen.
                if key.is_none() && ui.data_mut(|data| data.remove_temp::<bool>(id)).is_some() {
                    ui.scroll_to_rect(rect, None);
                }
            }
        }
    });
}

/// A line of the sources.
struct Line<'a> {
    name: &'a str,
    samples: usize,
    /// What is listed when it is chosen.
    action: Go,
    chosen: bool,
    /// The folder that it is, if it is one.
    branch: Option<&'a Branch>,
}

/// All lines from the top: everything, the states, and the folders.
fn lines<'a>(view: &'a View) -> Vec<Line<'a>> {
    let Filter { folder, status, .. } = view.filter;
    let samples = view.counts.all();
    let chosen = folder.is_none() && status.is_none();
    let all = Line { name: "All sounds", samples, action: Go::Folder(None), chosen, branch: None };
    // Silent, unreadable and missing samples are offered as a source only if there are any.
    let offered =
        |only: &StatusFilter| *only == StatusFilter::Kept || *status == Some(*only) || view.counts.of(*only) > 0;
    let states = StatusFilter::ALL.into_iter().filter(offered).map(|only| Line {
        name: only.name(),
        samples: view.counts.of(only),
        action: Go::Status(only),
        chosen: *status == Some(only),
        branch: None,
    });
    let branches = view.branches.iter().map(|branch| Line {
        name: &branch.name,
        samples: branch.samples,
        action: Go::Folder(Some(branch.path.clone())),
        chosen: folder.as_deref() == Some(&*branch.path),
        branch: Some(branch),
    });
    std::iter::once(all).chain(states).chain(branches).collect()
}

/// Goes from the chosen line to another, opens or closes its branch, or goes on to the sounds in it.
fn walk(lines: &[Line], key: Key, actions: &mut Vec<Action>) {
    let at = lines.iter().position(|line| line.chosen).unwrap_or(0);
    let Some(line) = lines.get(at) else { return };
    let depth = |line: &Line| line.branch.map(|branch| branch.depth);
    let fold = line.branch.filter(|branch| branch.parent && branch.open == (key == Key::ArrowLeft));
    let to = match (key, fold) {
        (Key::ArrowLeft | Key::ArrowRight, Some(branch)) => {
            actions.push(Go::Branch(branch.path.clone()).into());
            return;
        }
        (Key::ArrowUp, _) => at.checked_sub(1),
        (Key::ArrowDown, _) => Some(at + 1),
        // To the folder that it lies in, and to the first of those that lie in it.
        (Key::ArrowLeft, None) => {
            lines[..at].iter().rposition(|above| depth(above).is_some() && depth(above) < depth(line))
        }
        (Key::ArrowRight, None) => {
            lines.get(at + 1).filter(|below| depth(line).is_some() && depth(below) > depth(line)).map(|_| at + 1)
        }
        _ => {
            actions.push(Go::LeaveSearch.into());
            return;
        }
    };
    actions.extend(to.and_then(|to| lines.get(to)).map(|line| line.action.clone().into()));
}

fn state(ui: &mut Ui, line: &Line, width: f32, theme: &Theme, actions: &mut Vec<Action>) -> Rect {
    // The tree is one stop for Tab, whatever is in it.
    let (rect, response) = ui.allocate_exact_size(vec2(width, LINE), Sense::CLICK);
    response.widget_info(|| WidgetInfo::selected(WidgetType::SelectableLabel, true, line.chosen, line.name));
    ground(ui, rect, line.chosen, &response, theme);
    text(ui, rect, PADDING, line.name, &controls::count(line.samples), [theme.text, theme.muted]);
    if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
        actions.push(line.action.clone().into());
    }
    rect
}

fn branch(ui: &mut Ui, branch: &Branch, width: f32, chosen: bool, view: &View, actions: &mut Vec<Action>) -> Rect {
    let theme = view.theme;
    let (line, response) = ui.allocate_exact_size(vec2(width, LINE), Sense::CLICK);
    let state = if branch.offline { ", offline" } else { "" };
    let label = format!("{}, {} sounds{state}", branch.name, branch.samples);
    response.widget_info(|| WidgetInfo::selected(WidgetType::SelectableLabel, true, chosen, &label));
    ground(ui, line, chosen, &response, theme);
    let indent = PADDING + branch.depth as f32 * INDENT;
    let caret = Rect::from_min_size(pos2(line.left() + indent - 2.0, line.top()), vec2(14.0, LINE));
    let count = if branch.offline { "offline".to_owned() } else { controls::count(branch.samples) };
    let colour = if branch.offline || branch.depth > 0 && !chosen { theme.muted } else { theme.text };
    text(ui, line, indent + 14.0, &branch.name, &count, [colour, theme.muted]);
    if branch.parent {
        let fold = ui.interact(caret, response.id.with("fold"), Sense::CLICK);
        let label = format!("{} {}", if branch.open { "Close" } else { "Open" }, branch.name);
        fold.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &label));
        let glyph = if branch.open { icon::DOWN } else { icon::RIGHT };
        let colour = if fold.hovered() { theme.text } else { theme.muted };
        ui.painter().text(caret.center(), Align2::CENTER_CENTER, glyph, theme::icons(10.0), colour);
        if fold.clicked() {
            actions.push(Go::Branch(branch.path.clone()).into());
        }
    }
    if response.double_clicked() && branch.parent {
        actions.push(Go::Branch(branch.path.clone()).into());
    } else if response.clicked() {
        actions.push(Go::Folder((!chosen).then(|| branch.path.clone())).into());
    }
    let response = response.on_hover_text(branch.path.display().to_string());
    let items = || {
        let mut items = vec![Item::new("Show in file manager", Outside::Reveal(branch.path.clone()))];
        if branch.depth == 0 {
            items.extend([Item::Line, Item::new("Remove from the library", Edit::Remove(branch.path.clone()))]);
        }
        items
    };
    let popup = focus::menu(&response, view.menu && chosen);
    menu::show(popup, menu::Look { theme, keys: view.keys }, items, actions);
    line
}

fn ground(ui: &Ui, line: Rect, chosen: bool, response: &egui::Response, theme: &Theme) {
    if chosen {
        ui.painter().rect_filled(line, 0.0, theme.selected);
    } else if response.hovered() {
        ui.painter().rect_filled(line, 0.0, theme.raised);
    }
}

fn text(ui: &Ui, line: Rect, indent: f32, name: &str, count: &str, colours: [egui::Color32; 2]) {
    let inner = Rect::from_min_max(pos2(line.left() + indent, line.top()), pos2(line.right() - PADDING, line.bottom()));
    let width = controls::line(ui, inner, Align2::RIGHT_CENTER, count, theme::regular(12.0), colours[1]);
    let name_rect = inner.with_max_x(inner.right() - width - 8.0);
    controls::line(ui, name_rect, Align2::LEFT_CENTER, name, theme::regular(13.0), colours[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_counts_what_lies_below_and_opens_branch_by_branch() {
        let samples: BTreeMap<PathBuf, [usize; 2]> = [
            ("/lib", [1, 0]),
            ("/lib/drums/kicks", [4, 0]),
            ("/lib/drums/snares", [3, 3]),
            ("/lib2", [9, 9]),
            ("/elsewhere", [5, 0]),
        ]
        .map(|(path, n)| (path.into(), n))
        .into();
        let roots: Vec<PathBuf> = ["/lib", "/lib2"].map(Into::into).into();
        let lines = |open: &[&str]| -> Vec<(String, usize, usize)> {
            let open = open.iter().map(PathBuf::from).collect();
            branches(&roots, &samples, &open).into_iter().map(|b| (b.name, b.depth, b.samples)).collect()
        };
        let line = |name: &str, depth, samples| (name.to_owned(), depth, samples);
        assert_eq!(lines(&[]), [line("lib", 0, 8), line("drums", 1, 7), line("lib2", 0, 9)]);
        assert_eq!(
            lines(&["/lib/drums"]),
            [line("lib", 0, 8), line("drums", 1, 7), line("kicks", 2, 4), line("snares", 2, 3), line("lib2", 0, 9)]
        );
        assert_eq!(lines(&["/lib"]), [line("lib", 0, 8), line("lib2", 0, 9)]);
        let deep: BTreeMap<PathBuf, [usize; 2]> =
            [("/lib/usr/share/kits/a", [1, 0]), ("/lib/usr/share/kits/b", [2, 0])]
                .map(|(path, n)| (path.into(), n))
                .into();
        let names = |open: &[&str]| -> Vec<String> {
            let open = open.iter().map(PathBuf::from).collect();
            branches(&roots[..1], &deep, &open).into_iter().map(|branch| branch.name).collect()
        };
        assert_eq!(names(&[]), ["lib", "usr › share › kits"]);
        assert_eq!(names(&["/lib/usr/share/kits"]), ["lib", "usr › share › kits", "a", "b"]);
        let tree = branches(&roots, &samples, &HashSet::new());
        assert!(tree[2].offline && !tree[0].offline);
        let same = ["/usr/one/samples", "/usr/two/samples"].map(PathBuf::from);
        let names: Vec<String> = branches(&same, &samples, &HashSet::new()).into_iter().map(|b| b.name).collect();
        assert_eq!(names, ["samples in one", "samples in two"]);
    }
}
