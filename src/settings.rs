//! What the user has set.
//!
//! The settings file is TOML in the platform's folder. Each part of the app owns one table in it; what the user wrote
//! there, comments included, is preserved except for the values that change. A file that cannot be parsed is never
//! overwritten.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml_edit::{DocumentMut, Item, Table};

use crate::actor::{Actor, Wake};
use crate::atomic_file;
use crate::notice::Notice;

/// Changes are written this long after the last one.
const SAVE_AFTER: Duration = Duration::from_millis(400);

/// What the user has set, by table.
#[derive(Resource, Debug)]
pub struct Settings {
    path: PathBuf,
    document: DocumentMut,
    /// What is wrong with the file, if anything; such a file is never overwritten.
    pub problem: Option<String>,
    changed: Option<Instant>,
}

impl Settings {
    /// Reads the file at `path`; a missing file counts as empty.
    pub fn read(path: PathBuf) -> Self {
        let keep = "; settings are not saved until the file is fixed or removed";
        let (document, problem) = match std::fs::read_to_string(&path) {
            Ok(text) => match text.parse::<DocumentMut>() {
                Ok(document) => (document, None),
                Err(error) => {
                    let line = error.to_string().lines().next().unwrap_or_default().to_owned();
                    (
                        DocumentMut::new(),
                        Some(format!("settings are not valid TOML ({line}){keep}: {}", path.display())),
                    )
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (DocumentMut::new(), None),
            Err(error) => {
                (DocumentMut::new(), Some(format!("cannot read settings file ({error}){keep}: {}", path.display())))
            }
        };
        Self { path, document, problem, changed: None }
    }

    /// Reads a table; absent values and values of the wrong type get their defaults.
    pub fn get<T: DeserializeOwned + Serialize + Default>(&mut self, table: &str) -> T {
        let Some(Item::Table(found)) = self.document.get(table) else { return T::default() };
        match toml_edit::de::from_document(DocumentMut::from(found.clone())) {
            Ok(value) => value,
            Err(error) => {
                let line = error.to_string().lines().next().unwrap_or_default().to_owned();
                self.problem.get_or_insert_with(|| {
                    format!(
                        "settings under [{table}] are invalid ({line}), so the defaults are used: {}",
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
        // Keys that only other versions know are kept.
        for (key, _) in known.iter().filter(|(key, _)| !new.contains_key(key)) {
            old.remove(key);
        }
        self.changed = Some(Instant::now());
    }
}

#[derive(Resource)]
struct SettingsWriter(Actor<(PathBuf, String), Option<String>>);

/// Writes [`Settings`] when they change.
pub struct SettingsPlugin {
    /// The settings file.
    pub path: PathBuf,
}

impl Plugin for SettingsPlugin {
    fn build(&self, app: &mut App) {
        let wake = app.world().resource::<Wake>().clone();
        let write = |_| |(path, text): (PathBuf, String)| write(&path, &text).err().map(|e| unsaved(&path, &e));
        // Each part of the app writes a table of its own, in any order.
        app.insert_resource(Settings::read(self.path.clone())).allow_ambiguous_resource::<Settings>();
        app.add_systems(Last, tell_problem);
        if let Ok(actor) = Actor::pool("settings", 1, 1, &wake, write) {
            app.insert_resource(SettingsWriter(actor)).add_systems(Last, save);
        }
    }
}

/// Says once what is wrong with the file, whichever part of the app was the first to find it.
fn tell_problem(settings: Res<Settings>, mut told: Local<bool>, mut notices: MessageWriter<Notice>) {
    if let Some(problem) = settings.problem.as_ref().filter(|_| !*told) {
        *told = true;
        notices.write(Notice::new(problem));
    }
}

fn save(
    writer: Res<SettingsWriter>,
    mut settings: ResMut<Settings>,
    mut exits: MessageReader<AppExit>,
    mut notices: MessageWriter<Notice>,
) {
    notices.write_batch(writer.0.replies().flatten().map(Notice::new));
    let exiting = exits.read().next().is_some();
    let due = settings.changed.is_some_and(|at| exiting || at.elapsed() > SAVE_AFTER);
    if due && settings.problem.is_none() {
        let job = (settings.path.clone(), settings.document.to_string());
        if writer.0.try_send(job).is_ok() {
            settings.changed = None;
        }
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    atomic_file::replace(path, |file| file.write_all(text.as_bytes())).map(drop)
}

fn unsaved(path: &Path, error: &std::io::Error) -> String {
    format!("cannot save settings ({error}); free disk space or check the permissions: {}", path.display())
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
