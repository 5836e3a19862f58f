//! Why a file could not be decoded.

/// Why a file could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Nothing in it.
    #[error("file is empty")]
    Empty,
    /// The operating system would not give its bytes.
    #[error("cannot be read ({0}); check its permissions and the drive")]
    Read(std::io::Error),
    /// Known to be something that is not supported.
    #[error("format is not supported ({0}); convert it to WAV or FLAC")]
    Unsupported(&'static str),
    /// Not recognised at all.
    #[error("is in no audio format that is known; convert it to WAV or FLAC, or remove it")]
    Unknown,
    /// No audio in it.
    #[error("holds no audio track with a known codec; convert it to WAV or FLAC")]
    NoTrack,
    /// Looked like audio, but no packet could be decoded.
    #[error("holds no audio that can be decoded ({skipped} corrupt packets); replace it with a good copy")]
    NoAudio {
        /// Packets tried.
        skipped: usize,
    },
    /// The header makes no sense.
    #[error("is damaged or no audio file ({0}); replace it with a good copy")]
    Damaged(String),
    /// The decoder itself failed.
    #[error("decoder failed ({0}); convert it to WAV or FLAC")]
    Panicked(String),
    /// It is shorter than the passage that was asked for.
    #[error("ends before that passage begins; choose an earlier one")]
    Shorter,
    /// Nobody waits for it any more, which says nothing of the file.
    #[error("was not read to its end")]
    Stopped,
}

impl From<std::io::Error> for DecodeError {
    /// Bits that make no sense come as errors of reading too, but without a word of the system.
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(_) => Self::Read(error),
            None => Self::Damaged(error.to_string()),
        }
    }
}
