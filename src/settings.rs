//! What the user has set.
//!
//! The settings file is TOML in the platform's folder. Each part of the app owns one table in it; what the user wrote
//! there, comments included, is preserved except for the values that change. A file with a mistake in it is never
//! overwritten.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use crossbeam_channel::Receiver;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml_edit::{DocumentMut, Item, Table};
use tracing::warn;

use crate::actor::{Actor, Outbox, Wake, start};
use crate::atomic_file;
use crate::notice::Notice;

/// Changes are written this long after the last one.
const SAVE_AFTER: Duration = Duration::from_millis(400);
/// What follows from every problem with the file.
const UNSAVED: &str = "; settings are not saved until the file is fixed or removed";

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
        let (document, problem) = match std::fs::read_to_string(&path) {
            Ok(text) => match text.parse::<DocumentMut>() {
                Ok(document) => (document, None),
                Err(error) => {
                    let line = error.to_string().lines().next().unwrap_or_default().to_owned();
                    (
                        DocumentMut::new(),
                        Some(format!("settings are not valid TOML ({line}){UNSAVED}: {}", path.display())),
                    )
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (DocumentMut::new(), None),
            Err(error) => {
                (DocumentMut::new(), Some(format!("cannot read settings file ({error}){UNSAVED}: {}", path.display())))
            }
        };
        Self { path, document, problem, changed: None }
    }

    /// Where the file is, or will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says, once it is written.
    pub fn text(&self) -> String {
        self.document.to_string()
    }

    /// Reads a table; absent values and values of the wrong type get their defaults.
    pub fn get<T: DeserializeOwned + Serialize + Default>(&mut self, table: &str) -> T {
        let Some(found) = self.document.get(table) else { return T::default() };
        // As a section or in braces.
        let Ok(found) = found.clone().into_table() else { return self.invalid(table, "not a table") };
        match toml_edit::de::from_document(DocumentMut::from(found)) {
            Ok(value) => value,
            Err(error) => self.invalid(table, error.to_string().lines().next().unwrap_or_default()),
        }
    }

    /// Notes what is wrong with a table, and gives the defaults in its place.
    fn invalid<T: Default>(&mut self, table: &str, reason: &str) -> T {
        self.problem.get_or_insert_with(|| {
            let path = self.path.display();
            format!("settings under [{table}] are invalid ({reason}), so the defaults are used{UNSAVED}: {path}")
        });
        T::default()
    }

    /// Changes a table's values in place; they are written soon after.
    pub fn set<T: DeserializeOwned + Serialize + Default>(&mut self, table: &str, value: &T) {
        let Ok(new) = toml_edit::ser::to_document(value) else { return };
        let known = toml_edit::ser::to_document(&self.get::<T>(table)).unwrap_or_default();
        let old = self.document.entry(table).or_insert_with(|| Item::Table(Table::new()));
        let Some(old) = old.as_table_like_mut() else { return };
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

/// The thread that writes the file; none once the program ends.
#[derive(Resource)]
struct SettingsWriter(Option<Actor<(PathBuf, String), String>>);

impl SettingsWriter {
    fn new(wake: &Wake) -> std::io::Result<Self> {
        let body = |inbox: Receiver<(PathBuf, String)>, outbox: Outbox<String>| {
            // What still waits when the program ends is written too, although nobody reads any more how that went.
            for (path, text) in inbox {
                if let Err(error) = write(&path, &text) {
                    let _ = outbox.send(unsaved(&path, &error));
                }
            }
        };
        Actor::spawn("settings", 1, wake, body).map(|actor| Self(Some(actor)))
    }
}

/// Writes [`Settings`] when they change.
pub struct SettingsPlugin {
    /// The settings file.
    pub path: PathBuf,
}

impl Plugin for SettingsPlugin {
    fn build(&self, app: &mut App) {
        // Each part of the app writes a table of its own, in any order.
        app.insert_resource(Settings::read(self.path.clone())).allow_ambiguous_resource::<Settings>();
        app.add_systems(Last, tell_problem);
        if let Some(writer) = start(app, "save settings", SettingsWriter::new) {
            app.insert_resource(writer).add_systems(Last, save);
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
    mut writer: ResMut<SettingsWriter>,
    mut settings: ResMut<Settings>,
    mut exits: MessageReader<AppExit>,
    mut notices: MessageWriter<Notice>,
) {
    notices.write_batch(writer.0.iter_mut().flat_map(Actor::replies).map(Notice::new));
    let exiting = exits.read().next().is_some();
    if exiting {
        // Waits until what was handed over has been written, which is older.
        writer.0 = None;
    }
    let due = settings.changed.is_some_and(|at| exiting || at.elapsed() > SAVE_AFTER);
    if !due || settings.problem.is_some() {
        return;
    }
    let text = settings.text();
    let saved = match &writer.0 {
        Some(actor) => actor.try_send((settings.path.clone(), text)).is_ok(),
        None => write(&settings.path, &text).inspect_err(|error| warn!("{}", unsaved(&settings.path, error))).is_ok(),
    };
    if saved {
        settings.changed = None;
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
    fn a_value_of_the_wrong_kind_gives_a_reason_and_nothing_is_saved() {
        for text in ["[window]\nwidth = \"broad\"\n", "window = 3\n", "window = { width = true }\n"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("settings.toml");
            std::fs::write(&path, text).unwrap();
            let mut settings = Settings::read(path);
            assert_eq!(settings.get::<Window>("window"), Window::default());
            assert!(settings.problem.is_some_and(|problem| problem.contains("not saved")), "{text}");
        }
    }

    #[test]
    fn a_table_in_braces_is_read_and_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "window = { width = 3.0, odd = true } # mine\n").unwrap();
        let mut settings = Settings::read(path);
        assert_eq!(settings.get::<Window>("window"), Window { width: 3.0, ..Window::default() });
        settings.set("window", &Window { width: 4.5, theme: "light".to_owned(), scale: None });
        assert_eq!(settings.document["window"]["width"].as_float(), Some(4.5));
        let text = settings.document.to_string();
        assert!(text.starts_with("window = {") && text.contains("odd = true") && text.contains("# mine"), "{text}");
        assert_eq!(text.parse::<DocumentMut>().unwrap()["window"]["theme"].as_str(), Some("light"));
    }

    #[test]
    fn what_waits_to_be_written_is_written_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        let writer = SettingsWriter::new(&Wake::default()).unwrap();
        let actor = writer.0.as_ref().unwrap();
        for n in 0..20 {
            while actor.try_send((path.clone(), format!("n = {n}\n"))).is_err() {
                std::thread::yield_now();
            }
        }
        drop(writer);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "n = 19\n");
    }

    #[test]
    fn the_last_change_before_the_program_ends_is_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        let mut app = App::new();
        app.init_resource::<Wake>().add_message::<Notice>().add_plugins(SettingsPlugin { path: path.clone() });
        app.world_mut().resource_mut::<Settings>().set("window", &Window { width: 4.5, ..Window::default() });
        app.world_mut().write_message(AppExit::Success);
        app.update();
        assert!(std::fs::read_to_string(path).unwrap().contains("width = 4.5"));
    }
}
