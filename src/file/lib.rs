//! Sound files: their bytes, their audio as a stream of blocks, and the writer of WAV.
//!
//! Knows nothing of the app, so that it is compiled once, at full optimisation, whatever else changes.

mod edits;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod riff;
pub mod source;
pub mod stream;
pub mod wav_writer;

pub use self::error::DecodeError;
