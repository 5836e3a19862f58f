//! Where things are on this machine (library file, models, ONNX Runtime, settings), and what the user has set.
//!
//! The settings file is TOML in the platform's folder. Each part of the app owns one table in it; what the user wrote
//! there, comments included, stays as it is but for the values that change. A file that cannot be understood is never
//! written over.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use etcetera::{AppStrategy, AppStrategyArgs, choose_app_strategy};
use model::session::RUNTIME_VARIABLE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml_edit::{DocumentMut, Item, Table};

use crate::actor::{Actor, Wake};

/// Environment variable that names the library file.
pub const LIBRARY_VARIABLE: &str = "SOUNDKIN_LIBRARY";
/// Environment variable that names an extra folder of models.
pub const MODELS_VARIABLE: &str = "SOUNDKIN_MODELS";

/// Returns the platform's folder for Soundkin's data, or the current folder where the platform names none.
///
/// Linux: `$XDG_DATA_HOME/soundkin` or `~/.local/share/soundkin`; macOS and Windows: their own conventions.
pub fn data_folder() -> PathBuf {
    choose_app_strategy(names()).map_or_else(|_| PathBuf::from("."), |strategy| strategy.data_dir())
}

/// Returns the settings file: on Linux `$XDG_CONFIG_HOME/soundkin/settings.toml` or below `~/.config`.
pub fn settings_file() -> PathBuf {
    let folder = choose_app_strategy(names()).map_or_else(|_| PathBuf::from("."), |strategy| strategy.config_dir());
    folder.join("settings.toml")
}

fn names() -> AppStrategyArgs {
    AppStrategyArgs {
        top_level_domain: "org".to_owned(),
        author: "Soundkin".to_owned(),
        app_name: "soundkin".to_owned(),
    }
}

/// Returns the library file used when none is named: that of [`LIBRARY_VARIABLE`], or else the platform's.
pub fn default_library() -> PathBuf {
    let named = std::env::var_os(LIBRARY_VARIABLE).filter(|named| !named.is_empty());
    named.map_or_else(|| data_folder().join("library.db"), PathBuf::from)
}

/// Returns the platform's folder for music, or the home folder.
///
/// On Linux what `user-dirs.dirs` says (freedesktop.org, xdg-user-dirs), elsewhere `Music` in the home folder.
pub fn music_folder() -> PathBuf {
    let home = etcetera::home_dir().unwrap_or_else(|_| PathBuf::from("."));
    let config = std::env::var_os("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
    let named = std::fs::read_to_string(config.join("user-dirs.dirs")).unwrap_or_default();
    let named = named.lines().find_map(|line| line.trim().strip_prefix("XDG_MUSIC_DIR=").map(|v| v.trim_matches('"')));
    match named.map(|named| named.strip_prefix("$HOME/").map_or_else(|| PathBuf::from(named), |below| home.join(below)))
    {
        Some(folder) if folder.is_absolute() => folder,
        _ if cfg!(any(target_os = "macos", windows)) || home.join("Music").is_dir() => home.join("Music"),
        _ => home,
    }
}

/// Lists the folders that are searched for models, first match wins.
///
/// `$SOUNDKIN_MODELS`, the data folder's `models`, `models` beside the program, and the source tree's `models` for a
/// program that runs from its build folder.
pub fn model_folders() -> Vec<PathBuf> {
    let named = std::env::var_os(MODELS_VARIABLE).map(PathBuf::from);
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("models")));
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
    named.into_iter().chain([data_folder().join("models")]).chain(beside).chain([source]).collect()
}

/// Finds ONNX Runtime's shared library, or returns `None` when it is nowhere it could be.
///
/// `$ORT_DYLIB_PATH`, beside the program, then the data folder's `onnxruntime` (where `make` puts it).
pub fn onnxruntime_library() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(RUNTIME_VARIABLE) {
        return Some(named.into());
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    let folders = beside.into_iter().chain([data_folder().join("onnxruntime")]);
    folders.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten()).flatten().map(|e| e.path()).find(|p| {
        let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("libonnxruntime.so") || name == "libonnxruntime.dylib" || name == "onnxruntime.dll"
    })
}

/// Changes are written this long after the last one.
const SAVE_AFTER: Duration = Duration::from_millis(400);

/// What the user has set, by table.
#[derive(Resource, Debug)]
pub struct Settings {
    path: PathBuf,
    document: DocumentMut,
    /// What is wrong with the file, if anything; then it is left alone.
    pub problem: Option<String>,
    changed: Option<Instant>,
}

impl Settings {
    /// Reads the file at `path`; one that is not there is empty.
    pub fn read(path: PathBuf) -> Self {
        let keep = "; settings are not saved until it is mended or removed";
        let (document, problem) = match std::fs::read_to_string(&path) {
            Ok(text) => match text.parse::<DocumentMut>() {
                Ok(document) => (document, None),
                Err(error) => {
                    let line = error.to_string().lines().next().unwrap_or_default().to_owned();
                    (DocumentMut::new(), Some(format!("settings are not TOML ({line}){keep}: {}", path.display())))
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (DocumentMut::new(), None),
            Err(error) => {
                (DocumentMut::new(), Some(format!("settings cannot be read ({error}){keep}: {}", path.display())))
            }
        };
        Self { path, document, problem, changed: None }
    }

    /// Reads a table; values that are absent or of the wrong kind are the usual ones.
    pub fn get<T: DeserializeOwned + Serialize + Default>(&mut self, table: &str) -> T {
        let Some(Item::Table(found)) = self.document.get(table) else { return T::default() };
        match toml_edit::de::from_document(DocumentMut::from(found.clone())) {
            Ok(value) => value,
            Err(error) => {
                let line = error.to_string().lines().next().unwrap_or_default().to_owned();
                self.problem.get_or_insert_with(|| {
                    format!(
                        "settings under [{table}] make no sense ({line}), so the usual ones hold: {}",
                        self.path.display()
                    )
                });
                T::default()
            }
        }
    }

    /// Changes a table's values in place; they are written soon after.
    pub fn set<T: DeserializeOwned + Serialize + Default>(&mut self, table: &str, value: &T) {
        let Ok(new) = toml_edit::ser::to_document(value) else { return };
        let known = toml_edit::ser::to_document(&self.get::<T>(table)).unwrap_or_default();
        let Item::Table(old) = self.document.entry(table).or_insert_with(|| Item::Table(Table::new())) else { return };
        for (key, item) in new.iter() {
            // An inner table would become a section of its own.
            let item = item.clone().into_value().map_or_else(|item| item, Item::Value);
            match old.get_mut(key) {
                Some(kept) if kept.to_string().trim() == item.to_string().trim() => {}
                Some(Item::Value(kept)) => {
                    if let Item::Value(mut value) = item {
                        *value.decor_mut() = kept.decor().clone();
                        *kept = value;
                    }
                }
                _ => {
                    old.insert(key, item);
                }
            }
        }
        // What only other versions know stays.
        for (key, _) in known.iter().filter(|(key, _)| !new.contains_key(key)) {
            old.remove(key);
        }
        self.changed = Some(Instant::now());
    }
}

#[derive(Resource)]
struct SettingsWriter(Actor<(PathBuf, String), Option<String>>);

/// Writes [`Settings`] when they change.
pub struct SettingsPlugin;

impl Plugin for SettingsPlugin {
    fn build(&self, app: &mut App) {
        let wake = app.world().resource::<Wake>().clone();
        let write = |_| |(path, text): (PathBuf, String)| write(&path, &text).err().map(|e| unsaved(&path, &e));
        // Each part of the app writes a table of its own, in any order.
        app.allow_ambiguous_resource::<Settings>();
        if let Ok(actor) = Actor::pool("settings", 1, 1, &wake, write) {
            app.insert_resource(SettingsWriter(actor)).add_systems(Last, save);
        }
    }
}

fn save(
    writer: Res<SettingsWriter>,
    mut settings: ResMut<Settings>,
    mut exits: MessageReader<AppExit>,
    mut notices: MessageWriter<crate::sample::Notice>,
) {
    notices.write_batch(writer.0.replies().flatten().map(crate::sample::Notice::new));
    let exiting = exits.read().next().is_some();
    let due = settings.changed.is_some_and(|at| exiting || at.elapsed() > SAVE_AFTER);
    if due && settings.problem.is_none() {
        let job = (settings.path.clone(), settings.document.to_string());
        if writer.0.try_send(job).is_ok() {
            settings.changed = None;
        }
    }
}

/// Writes under another name first, so that a crash leaves the old file or the new one.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_extension("part");
    std::fs::write(&part, text)?;
    std::fs::rename(&part, path)
}

fn unsaved(path: &Path, error: &std::io::Error) -> String {
    format!("settings cannot be saved ({error}); make room or check permissions: {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize, Default, Debug, PartialEq)]
    #[serde(default)]
    struct Window {
        width: f32,
        theme: String,
        scale: Option<f32>,
    }

    #[test]
    fn what_the_user_wrote_around_a_value_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "# mine\n[window]\nwidth = 3.0 # wide\nodd = true\n").unwrap();
        let mut settings = Settings::read(path);
        assert_eq!(settings.get::<Window>("window"), Window { width: 3.0, ..Window::default() });
        settings.set("window", &Window { width: 4.5, theme: "light".to_owned(), scale: None });
        let text = settings.document.to_string();
        assert_eq!(text, "# mine\n[window]\nwidth = 4.5 # wide\nodd = true\ntheme = \"light\"\n");
    }

    #[test]
    fn a_value_that_is_the_usual_one_again_is_no_longer_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "[window]\nscale = 2.0\nodd = true\n").unwrap();
        let mut settings = Settings::read(path);
        let usual = Window { scale: None, ..settings.get("window") };
        settings.set("window", &usual);
        assert_eq!(settings.get::<Window>("window"), usual);
        let text = settings.document.to_string();
        assert!(text.contains("odd = true") && !text.contains("scale"), "{text}");
    }

    #[test]
    fn a_file_that_is_not_toml_gives_a_reason_and_the_usual_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "window = [").unwrap();
        let mut settings = Settings::read(path.clone());
        assert_eq!(settings.get::<Window>("window"), Window::default());
        assert!(settings.problem.as_ref().is_some_and(|p| p.contains("settings.toml")), "{:?}", settings.problem);
        assert!(!settings.problem.unwrap().contains('\n'));
    }

    #[test]
    fn a_value_of_the_wrong_kind_gives_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "[window]\nwidth = \"broad\"\n").unwrap();
        let mut settings = Settings::read(path);
        assert_eq!(settings.get::<Window>("window"), Window::default());
        assert!(settings.problem.is_some());
    }
}
