//! Where things are on this machine: the library file, models and ONNX Runtime, in the platform's data folder.

use std::path::PathBuf;

use etcetera::{AppStrategy, AppStrategyArgs, choose_app_strategy};

/// Environment variable that names the library file.
pub const LIBRARY_VARIABLE: &str = "SOUNDKIN_LIBRARY";
/// Environment variable that names an extra folder of models.
pub const MODELS_VARIABLE: &str = "SOUNDKIN_MODELS";
/// Environment variable that names ONNX Runtime's shared library (shared with other programs that use it).
pub const ONNXRUNTIME_VARIABLE: &str = "ORT_DYLIB_PATH";

/// Returns the platform's folder for Soundkin's data, or the current folder where the platform names none.
///
/// Linux: `$XDG_DATA_HOME/soundkin` or `~/.local/share/soundkin`; macOS and Windows: their own conventions.
pub fn data_folder() -> PathBuf {
    let args = AppStrategyArgs {
        top_level_domain: "org".to_owned(),
        author: "Soundkin".to_owned(),
        app_name: "soundkin".to_owned(),
    };
    choose_app_strategy(args).map_or_else(|_| PathBuf::from("."), |strategy| strategy.data_dir())
}

/// Returns the library file used when none is named.
pub fn default_library() -> PathBuf {
    data_folder().join("library.db")
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
    if let Some(named) = std::env::var_os(ONNXRUNTIME_VARIABLE) {
        return Some(named.into());
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    let folders = beside.into_iter().chain([data_folder().join("onnxruntime")]);
    folders.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten()).flatten().map(|e| e.path()).find(|p| {
        let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("libonnxruntime.so") || name == "libonnxruntime.dylib" || name == "onnxruntime.dll"
    })
}
