//! Where things are on this machine: the library file, models, ONNX Runtime, settings, recordings.

use std::path::{Path, PathBuf};

use etcetera::{AppStrategy, AppStrategyArgs, choose_app_strategy};
use model::session::RUNTIME_VARIABLE;

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

/// Returns the folder for what can be made again: on Linux `$XDG_CACHE_HOME/soundkin` or below `~/.cache`.
pub fn cache_folder() -> PathBuf {
    choose_app_strategy(names()).map_or_else(|_| std::env::temp_dir(), |strategy| strategy.cache_dir())
}

/// Returns the folder that the demo sounds are written into when somebody wants to try them.
pub fn demo_folder() -> PathBuf {
    data_folder().join("demo")
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
/// On Linux what `user-dirs.dirs` says (freedesktop.org, xdg-user-dirs), elsewhere the system's own.
pub fn music_folder() -> PathBuf {
    let home = || etcetera::home_dir().unwrap_or_else(|_| PathBuf::from("."));
    dirs::audio_dir().unwrap_or_else(|| {
        let usual = home().join("Music");
        if usual.is_dir() { usual } else { home() }
    })
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

/// Finds ONNX Runtime's shared library; `None` if it is in none of the places searched.
///
/// `$ORT_DYLIB_PATH`, beside the program, then the data folder's `onnxruntime` (where `make` puts it); the newest version
/// in the first of these that has any.
pub fn onnxruntime_library() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(RUNTIME_VARIABLE).filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    beside.into_iter().chain([data_folder().join("onnxruntime")]).find_map(|folder| newest_library(&folder))
}

fn newest_library(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let versions = files.filter_map(|file| Some((library_version(file.file_name().to_str()?)?, file.path())));
    versions.max().map(|(_, path)| path)
}

/// The version in the name of ONNX Runtime's shared library, empty where there is none; `None` for another file.
fn library_version(name: &str) -> Option<Vec<u32>> {
    if matches!(name, "libonnxruntime.dylib" | "onnxruntime.dll") {
        return Some(Vec::new());
    }
    let version = name.strip_prefix("libonnxruntime.so")?;
    if version.is_empty() {
        return Some(Vec::new());
    }
    version.strip_prefix('.')?.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_versions_of_onnx_runtime_the_newest_is_used() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest_library(folder.path()), None);
        let names = ["so.1.9.0", "so.1.32.0", "so.1.4.1", "so", "so.1.40.0.part", "a"];
        for name in names.map(|name| format!("libonnxruntime.{name}")) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(newest_library(folder.path()), Some(folder.path().join("libonnxruntime.so.1.32.0")));
        assert_eq!(newest_library(&folder.path().join("none")), None);
    }
}
