//! Where things are on this machine: the library file, models, ONNX Runtime, settings, recordings.

use std::path::PathBuf;

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

/// Finds ONNX Runtime's shared library; `None` if it is in none of the places searched.
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
