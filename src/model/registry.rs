//! The models that are installed: the built-in one and those in a few folders.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Model, ModelError};

/// A model that was found, or the reason it cannot be used.
pub struct Installed {
    /// What it is called, as far as its sidecar can be read; else its file's name.
    pub id: String,
    /// The model.
    pub model: Result<Model, ModelError>,
}

/// Lists the built-in model and those in `folders`; of models with one id the first counts.
pub fn installed(folders: &[PathBuf]) -> Vec<Installed> {
    let built_in = Model::built_in();
    let id = built_in.as_ref().map_or_else(|_| "built-in".to_owned(), |model| model.manifest.id.clone());
    let mut models = vec![Installed { id, model: built_in }];
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let mut sidecars: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        sidecars.retain(|path| path.extension().is_some_and(|e| e == "json"));
        sidecars.sort();
        for sidecar in sidecars {
            let (id, model) = (id_of(&sidecar), Model::load(&sidecar));
            // A broken one does not hide another of its name.
            if model.is_err() || !models.iter().any(|known| known.id == id && known.model.is_ok()) {
                models.push(Installed { id, model });
            }
        }
    }
    models
}

/// What a sidecar calls its model, even if nothing else of it makes sense.
fn id_of(sidecar: &Path) -> String {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let named = std::fs::read(sidecar).ok().and_then(|bytes| serde_json::from_slice::<Named>(&bytes).ok());
    named.map_or_else(|| sidecar.file_stem().unwrap_or_default().to_string_lossy().into_owned(), |named| named.id)
}

/// Finds a model by its id; `None` asks for the built-in one.
///
/// ```
/// use std::path::PathBuf;
///
/// use model::{ModelError, registry};
///
/// let folders = [PathBuf::from("models")];
/// assert_eq!(registry::find(None, &folders)?.manifest.output.dim, 512);
/// assert!(matches!(registry::find(Some("nobody's"), &folders), Err(ModelError::Unknown { .. })));
/// # Ok::<(), ModelError>(())
/// ```
///
/// # Errors
/// There is no such model, or it cannot be used.
pub fn find(id: Option<&str>, folders: &[PathBuf]) -> Result<Model, ModelError> {
    let built_in = Model::built_in();
    match (id, &built_in) {
        (None, _) => return built_in,
        (Some(id), Ok(model)) if model.manifest.id == id => return built_in,
        _ => {}
    }
    let id = id.unwrap_or_default();
    let (mut names, mut broken) = (Vec::new(), None);
    for installed in installed(folders) {
        match installed.model {
            Ok(model) if installed.id == id => return Ok(model),
            Ok(_) => names.push(installed.id),
            // A broken model matters only if it is the one that was asked for.
            Err(error) if installed.id == id => broken = broken.or(Some(error)),
            Err(_) => {}
        }
    }
    Err(broken.unwrap_or_else(|| ModelError::Unknown { id: id.to_owned(), installed: names.join(", ") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_model_is_named_as_the_reason_only_to_who_asks_for_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.json"), r#"{"id": "mine", "schema": 1}"#).unwrap();
        std::fs::write(folder.path().join("theirs.json"), "no JSON, but mine").unwrap();
        let folders = [folder.path().to_owned()];
        for broken in ["mine", "theirs"] {
            assert!(matches!(find(Some(broken), &folders), Err(ModelError::Manifest { .. })), "{broken}");
        }
        assert!(matches!(find(Some("ours"), &folders), Err(ModelError::Unknown { .. })));
        assert_eq!(find(None, &folders).unwrap().manifest.id, Model::built_in().unwrap().manifest.id);
        let ids: Vec<String> = installed(&folders).into_iter().map(|installed| installed.id).collect();
        assert_eq!(ids[1..], ["mine", "theirs"]);
    }
}
