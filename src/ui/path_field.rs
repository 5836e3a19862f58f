//! A field to type the path of a folder in: for those who would rather type, and where no dialog can be opened.

use std::path::{Path, PathBuf};

use bevy::prelude::*;
use bevy_egui::egui::{self, Align2, Id, Key, Rect, Ui, WidgetInfo, WidgetType};

use super::action::{Action, FolderFor, Outside, Type};
use super::controls::{self, Strip, Tone};
use super::theme::{self, HEADING, PADDING, STATUS, Theme, icon};

/// Height of the line under the field in points.
const LINE: f32 = 24.0;

/// The path that is typed.
#[derive(Resource, Default, Debug)]
pub(super) struct TypedPath {
    /// What the folder is wanted for; none while the field is closed.
    wanted: Option<FolderFor>,
    text: String,
    /// What was wrong with what was entered.
    problem: Option<String>,
    /// Counts how often the field was opened: each time it wants the keys.
    opened: u64,
}

impl TypedPath {
    /// Whether the field is shown.
    pub fn is_open(&self) -> bool {
        self.wanted.is_some()
    }
}

/// Opens the field, and uses what is entered.
pub(super) fn respond(
    mut asked: MessageReader<Type>,
    mut typed: ResMut<TypedPath>,
    mut outside: MessageWriter<Outside>,
) {
    for action in asked.read() {
        match action {
            Type::Open(wanted) => {
                *typed = TypedPath { wanted: Some(*wanted), opened: typed.opened + 1, ..default() };
            }
            Type::Text(text) => {
                typed.text.clone_from(text);
                typed.problem = None;
            }
            Type::Enter => {
                if let Some(wanted) = typed.wanted.filter(|_| !typed.text.trim().is_empty()) {
                    outside.write(Outside::UseFolder(wanted, meant(typed.text.trim(), std::env::home_dir())));
                }
            }
            Type::NoFolder(path) => {
                typed.problem = Some(format!("there is no such folder; check the path: {}", path.display()));
            }
            Type::Close => typed.wanted = None,
        }
    }
}

/// The path that somebody means by what they type: `~` is their home.
fn meant(text: &str, home: Option<PathBuf>) -> PathBuf {
    match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => Path::new(text).to_owned(),
    }
}

/// Draws the field at the foot of the window, over the status line, while it is open.
pub(super) fn show(ui: &mut Ui, typed: &TypedPath, theme: &Theme, actions: &mut Vec<Action>) {
    let Some(wanted) = typed.wanted else { return };
    let pixel = 1.0 / ui.ctx().pixels_per_point();
    let bottom = ui.max_rect().bottom() - STATUS - pixel;
    let area = ui.max_rect().with_max_y(bottom).with_min_y(bottom - HEADING - LINE);
    // What lies under it is not to be hit through it.
    let response = ui.interact(area, ui.id().with("path"), egui::Sense::click());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Panel, true, "Path of a folder"));
    ui.painter().rect_filled(area, 0.0, theme.ground);
    ui.painter().rect_filled(area.with_max_y(area.top() + pixel), 0.0, theme.border);
    let (line, below) = area.split_top_bottom_at_y(area.top() + HEADING);
    let mut strip = Strip::new(line);
    let (title, button) = match wanted {
        FolderFor::Sounds => ("Add the folder", "Add"),
        FolderFor::Takes => ("Record into the folder", "Use"),
    };
    if controls::icon(ui, strip.right(20.0), icon::CROSS, "Close", "Close  (Esc)", Tone::Plain, theme).clicked() {
        actions.push(Type::Close.into());
    }
    let tone = if typed.text.trim().is_empty() { Tone::Idle } else { Tone::Plain };
    strip.right(8.0);
    if controls::word(ui, strip.right(controls::word_width(ui, button)), button, button, "Enter", tone, theme).clicked()
    {
        actions.push(Type::Enter.into());
    }
    let width = controls::word_width(ui, title);
    controls::line(ui, strip.left(width), Align2::LEFT_CENTER, title, theme::regular(12.0), theme.text);
    let rect = strip.rest().shrink2(egui::vec2(0.0, 4.0));
    let id = Id::new("path of a folder");
    let mut text = typed.text.clone();
    let response = controls::field(ui, rect, id, &mut text, "~/Samples", theme);
    if response.changed() {
        actions.push(Type::Text(text).into());
    }
    if response.lost_focus() {
        if ui.input(|input| input.key_pressed(Key::Enter)) {
            actions.push(Type::Enter.into());
            response.request_focus();
        } else if ui.input(|input| input.key_pressed(Key::Escape)) {
            actions.push(Type::Close.into());
        }
    }
    let seen = id.with("opened");
    if ui.data(|data| data.get_temp(seen)) != Some(typed.opened) {
        ui.data_mut(|data| data.insert_temp(seen, typed.opened));
        response.request_focus();
    }
    let (said, colour) = match &typed.problem {
        Some(problem) => (problem.as_str(), theme.warning),
        None => ("Type or paste the path of the folder and press Enter; ~ is your home folder.", theme.muted),
    };
    let below: Rect = below.shrink2(egui::vec2(PADDING, 0.0));
    controls::line(ui, below, Align2::LEFT_CENTER, said, theme::regular(11.0), colour);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_folder_is_understood() {
        let home = || Some(PathBuf::from("/users/me"));
        for (text, path) in [
            ("/lib/kicks", "/lib/kicks"),
            ("~", "/users/me"),
            ("~/kicks", "/users/me/kicks"),
            ("~me/kicks", "~me/kicks"),
        ] {
            assert_eq!(meant(text, home()), Path::new(path), "{text}");
        }
        assert_eq!(meant("~/kicks", None), Path::new("~/kicks"));
    }
}
