//! `soundkin doctor`

use anyhow::Result;
use model::session::{self, Embedder};
use serde_json::{Value, json};

use super::common::Common;
use crate::analyse::runtime;
use crate::store::{Library, StoreError};
use crate::{audio, paths};

pub(super) fn run(common: &Common) -> Result<()> {
    let model = common.find_model()?;
    let runtime = runtime();
    let loads = match &runtime {
        Ok(runtime) => Embedder::new(&model, runtime).map(|_| ()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let devices = audio::devices();
    let path = std::path::absolute(common.library_path())?;
    let library = Library::read(&path).and_then(|library| Ok((library.count()?, library.version()?)));
    let (samples, schema, problem) = match library {
        Ok((samples, schema)) => (samples, schema, None),
        Err(StoreError::Absent(_)) => (0, 0, None),
        Err(error) => (0, 0, Some(error.to_string())),
    };
    let value = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "onnxruntime": runtime.as_ref().ok().map(|runtime| json!({
            "version": session::runtime_version(runtime),
            "path": runtime.path.to_string_lossy(),
        })),
        "model": {
            "id": model.manifest.id,
            "sha256": model.sha256,
            "license": model.manifest.license.spdx,
            "loads": loads.is_ok(),
        },
        "outputs": devices.outputs,
        "inputs": devices.inputs,
        "gpu": gpu(),
        "library": {"path": path.to_string_lossy(), "samples": samples, "schema": schema, "problem": problem},
        "folders": {
            "data": paths::data_folder().to_string_lossy(),
            "settings": paths::settings_file().to_string_lossy(),
            "models": paths::model_folders().iter().map(|f| f.to_string_lossy().into_owned()).collect::<Vec<_>>(),
        },
    });
    common.print(&value, |out| {
        let mut line = |what: &str, text: String| writeln!(out, "{what:<13} {text}");
        line("Soundkin", env!("CARGO_PKG_VERSION").to_owned())?;
        match &runtime {
            Ok(runtime) => {
                line("ONNX Runtime", format!("{}, {}", session::runtime_version(runtime), runtime.path.display()))?;
            }
            Err(error) => line("ONNX Runtime", error.to_string())?,
        }
        line("model", loads.map_or_else(|why| why, |()| format!("{}, loads", model.manifest.id)))?;
        let names = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        line("outputs", names(&devices.outputs))?;
        line("inputs", names(&devices.inputs))?;
        line("GPU", gpu().as_str().unwrap_or("none, or built without a window").to_owned())?;
        let state = problem.unwrap_or_else(|| format!("{samples} samples, {}", path.display()));
        line("library", state)?;
        line("settings", paths::settings_file().display().to_string())
    })
}

#[cfg(feature = "desktop")]
fn gpu() -> Value {
    crate::ui::gpu().into()
}

#[cfg(not(feature = "desktop"))]
fn gpu() -> Value {
    Value::Null
}
