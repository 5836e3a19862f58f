//! Why a model cannot be used.

use std::path::PathBuf;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file is not there or not readable.
    #[error("cannot read model file ({source}); put it there or choose another model with --model: {path}")]
    Read {
        /// What the system said.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// The sidecar makes no sense.
    #[error("invalid model manifest ({why}); compare it with those in the models folder: {path}")]
    Manifest {
        /// What is wrong.
        why: String,
        /// The sidecar.
        path: PathBuf,
    },
    /// The ONNX file is not the one that the sidecar describes.
    #[error("model file has SHA-256 {found}, but its manifest says {expected}; download both again: {path}")]
    Checksum {
        /// As computed.
        found: String,
        /// As stated.
        expected: String,
        /// The ONNX file.
        path: PathBuf,
    },
    /// Nobody knows this id.
    #[error("no model is called \"{id}\"; installed models: {installed}")]
    Unknown {
        /// As asked for.
        id: String,
        /// What there is.
        installed: String,
    },
}
