//! What is dragged over the window, and what a drop of it would do.

use std::path::{Path, PathBuf};

use bevy::prelude::*;
use bevy::window::FileDragAndDrop;
use bevy_egui::egui::{Align2, Rect, Stroke, StrokeKind, Ui, WidgetInfo, WidgetType, vec2};

use super::controls;
use super::theme::{self, ROW, Theme};
use crate::watch::has_audio_ending;

/// Width of the frame in points.
const FRAME: f32 = 3.0;

/// Files and folders that are held over the window, and have not been dropped.
#[derive(Resource, Default, Debug)]
pub(super) struct Hovering(Vec<PathBuf>);

impl Hovering {
    /// Takes in what the window system says.
    pub fn follow(&mut self, event: &FileDragAndDrop) {
        match event {
            FileDragAndDrop::HoveredFile { path_buf, .. } => self.0.push(path_buf.clone()),
            FileDragAndDrop::DroppedFile { .. } | FileDragAndDrop::HoveredFileCanceled { .. } => self.0.clear(),
        }
    }

    /// What a drop would do; nothing where nothing is held over the window. Names alone decide: a drive may be slow.
    fn promise(&self) -> Option<String> {
        let sounds = self.0.iter().filter(|path| has_audio_ending(path)).count();
        let folders = self.0.len() - sounds;
        let adds = match (folders, &self.0[..]) {
            (0, _) => None,
            (1, [only]) => Some(format!("add the folder {}", name(only))),
            (1, _) => Some("add the folder".to_owned()),
            (n, _) => Some(format!("add {n} folders")),
        };
        let finds = match (sounds, &self.0[..]) {
            (0, _) => None,
            (1, [only]) => Some(format!("find sounds like {}", name(only))),
            (1, _) => Some("find sounds like the one".to_owned()),
            (n, _) => Some(format!("find sounds like these {n}")),
        };
        let what: Vec<String> = adds.into_iter().chain(finds).collect();
        (!what.is_empty()).then(|| format!("Drop to {}", what.join(", and ")))
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Lights the whole window up while something is held over it.
pub(super) fn show(ui: &Ui, hovering: &Hovering, theme: &Theme) {
    let Some(promise) = hovering.promise() else { return };
    let area = ui.max_rect();
    let painter = ui.painter();
    painter.rect_filled(area, 0.0, theme.veil);
    painter.rect_stroke(area, 0.0, Stroke::new(FRAME, theme.similarity), StrokeKind::Inside);
    let line = Rect::from_center_size(area.center(), vec2(area.width() - 8.0 * FRAME, ROW));
    controls::line(ui, line, Align2::CENTER_CENTER, &promise, theme::strong(16.0), theme.text);
    let response = ui.interact(area, ui.id().with("drop"), bevy_egui::egui::Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Label, true, &promise));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_does_what_it_says() {
        let promise = |paths: &[&str]| Hovering(paths.iter().map(PathBuf::from).collect()).promise();
        assert_eq!(promise(&[]), None);
        assert_eq!(promise(&["/lib/Kits"]).as_deref(), Some("Drop to add the folder Kits"));
        assert_eq!(promise(&["/lib/a", "/lib/b"]).as_deref(), Some("Drop to add 2 folders"));
        assert_eq!(promise(&["/lib/Kick.WAV"]).as_deref(), Some("Drop to find sounds like Kick.WAV"));
        assert_eq!(
            promise(&["/lib/a", "/lib/a.wav", "/lib/b.flac"]).as_deref(),
            Some("Drop to add the folder, and find sounds like these 2")
        );
    }
}
