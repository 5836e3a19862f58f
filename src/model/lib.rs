//! Models: what their sidecars say, where they are found, and how they turn audio into vectors.
//!
//! ```text
//!  sidecar ─manifest─► Model ─► FrontEnd (log-mel bands) ─► Session (ONNX Runtime) ─► pooled vector, side outputs ─► head
//! ```
//!
//! Knows neither Bevy nor the app, so that it is compiled once, at full optimisation, whatever else changes.

mod error;
pub mod frontend;
pub mod head;
pub mod manifest;
pub mod registry;
pub mod session;
pub mod side;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use self::error::ModelError;
use self::head::{Head, Statistics};
use self::manifest::{Manifest, parse};

/// A model ready to be loaded: manifest, network bytes and statistics.
#[derive(Clone, Debug)]
pub struct Model {
    /// What the sidecar says.
    pub manifest: Manifest,
    /// The ONNX file.
    pub network: Bytes,
    /// Shipped centre, basis and head.
    pub statistics: Statistics,
    /// Identity of the vectors it makes: id, file hash and contract hash; vectors of different keys never mix. The head is
    /// not part of it: it follows from vectors that are kept.
    pub key: String,
    /// Identity of its head, if it has one: the first 16 digits of the SHA-256 of the head's file.
    pub head_id: Option<String>,
    /// SHA-256 of the ONNX file, in hexadecimal.
    pub sha256: String,
    /// Where it was read from; `None` for the built-in model.
    pub path: Option<PathBuf>,
}

impl Model {
    /// The model compiled into the program.
    ///
    /// # Errors
    /// Never in a build whose tests passed.
    pub fn built_in() -> Result<Self, ModelError> {
        let path = Path::new("built-in model");
        let sidecar = include_str!("../../models/aisfx-int8.json");
        let network: &[u8] = include_bytes!("../../models/aisfx-int8.onnx");
        let beside = Beside {
            post: Some(include_bytes!("../../models/aisfx_post.f32").into()),
            head: Some(include_bytes!("../../models/aisfx-head.f32").into()),
        };
        Self::assemble(parse(sidecar, path)?, sidecar, network.into(), &beside, path, None)
    }

    /// Loads a model by its sidecar.
    ///
    /// # Errors
    /// A file is missing, unreadable or does not fit the others.
    pub fn load(sidecar: &Path) -> Result<Self, ModelError> {
        let read = |path: PathBuf| std::fs::read(&path).map_err(|source| ModelError::Read { source, path });
        let text = String::from_utf8_lossy(&read(sidecar.to_owned())?).into_owned();
        let manifest = parse(&text, sidecar)?;
        let network_path = sidecar.with_file_name(&manifest.file);
        let network = read(network_path.clone())?;
        let beside = |file: Option<&String>| file.map(|file| read(sidecar.with_file_name(file))).transpose();
        let beside = Beside {
            post: beside(manifest.output.post.as_ref().map(|post| &post.file))?.map(Into::into),
            head: beside(manifest.head.as_ref().map(|head| &head.file))?.map(Into::into),
        };
        Self::assemble(manifest, &text, network.into(), &beside, sidecar, Some(network_path))
    }

    fn assemble(
        manifest: Manifest,
        text: &str,
        network: Bytes,
        beside: &Beside,
        sidecar: &Path,
        path: Option<PathBuf>,
    ) -> Result<Self, ModelError> {
        let sha256 = hex(&Sha256::digest(&network));
        if let Some(expected) = manifest.sha256.clone().filter(|expected| *expected != sha256) {
            let path = path.unwrap_or_else(|| sidecar.to_owned());
            return Err(ModelError::Checksum { found: sha256, expected, path });
        }
        let unusable = |why: &str| ModelError::Manifest { why: why.to_owned(), path: sidecar.to_owned() };
        let mut statistics = match (&manifest.output.post, &beside.post) {
            (Some(post), Some(bytes)) => {
                Statistics::parse(post, manifest.output.dim, bytes).map_err(|why| unusable(&why))?
            }
            _ => Statistics::default(),
        };
        let mut head_id = None;
        if let (Some(stage), Some(bytes)) = (&manifest.head, &beside.head) {
            let found = hex(&Sha256::digest(bytes));
            head_id = Some(found[..16].to_owned());
            if let Some(expected) = stage.sha256.clone().filter(|expected| *expected != found) {
                let path = sidecar.with_file_name(&stage.file);
                return Err(ModelError::Checksum { found, expected, path });
            }
            statistics.head = Some(Head::parse(stage, &manifest, bytes).map_err(|why| unusable(&why))?);
        }
        let key = format!("{}:{}:{}", manifest.id, &sha256[..16], &contract_hash(text)[..16]);
        Ok(Self { manifest, network, statistics, key, head_id, sha256, path })
    }
}

/// The files beside the network that a manifest names.
#[derive(Default)]
struct Beside {
    post: Option<Bytes>,
    head: Option<Bytes>,
}

type Bytes = std::borrow::Cow<'static, [u8]>;

/// What is done to a sound before any of a manifest's steps; counts up whenever that changes, so that vectors from before
/// never mix with those from after. 2: the silence at its ends is left out ([`dsp::excerpt`]).
const PREPARATION: u32 = 2;

/// Hashes everything that shapes a vector; white space, titles, licences and statistics do not.
fn contract_hash(text: &str) -> String {
    let mut whole: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let shaping = ["input", "audio", "stft", "mel", "log", "norm", "window", "output"];
    let mut parts: Vec<serde_json::Value> = shaping.iter().map(|part| whole[*part].take()).collect();
    if let Some(output) = parts.last_mut().and_then(serde_json::Value::as_object_mut) {
        output.remove("post");
    }
    // A model without any has the hash that it had before there were such outputs.
    parts.extend(whole["side_outputs"].take().as_array().filter(|sides| !sides.is_empty()).cloned().map(Into::into));
    parts.push(PREPARATION.into());
    hex(&Sha256::digest(serde_json::Value::from(parts).to_string()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{b:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_model_fits_its_manifest() {
        let model = Model::built_in().unwrap();
        assert!(model.manifest.sha256.is_some());
        assert_eq!(model.statistics.centre.len(), model.manifest.output.dim);
        assert_eq!(model.statistics.basis.len(), 64);
    }

    #[test]
    fn a_changed_contract_changes_the_key_and_title_and_head_do_not() {
        let text = include_str!("../../models/aisfx-int8.json");
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let network: &'static [u8] = include_bytes!("../../models/aisfx-int8.onnx");
        let key = |value: &serde_json::Value| {
            let (text, path) = (value.to_string(), Path::new("x"));
            let manifest = parse(&text, path).unwrap();
            Model::assemble(manifest, &text, network.into(), &Beside::default(), path, None).unwrap().key
        };
        let mut changed = value.clone();
        changed["window"]["hop_frames"] = 50.into();
        assert_ne!(key(&value), key(&changed));
        let mut sides = value.clone();
        sides["head"] = serde_json::Value::Null;
        sides["side_outputs"] = serde_json::json!([]);
        let without = key(&sides);
        sides["side_outputs"] = serde_json::json!([{"name": "far", "dim": 3, "pool": "max"}]);
        assert_ne!(without, key(&sides));
        sides.as_object_mut().unwrap().remove("side_outputs");
        assert_eq!(without, key(&sides), "the key from before there were side outputs");
        let mut retitled = value.clone();
        retitled["title"] = "another".into();
        retitled["head"] = serde_json::Value::Null;
        assert_eq!(key(&value), key(&retitled));
    }
}
