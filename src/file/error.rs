//! Why a file could not be decoded.

/// Why a file could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Nothing in it.
    #[error("file is empty")]
    Empty,
    /// The operating system would not give its bytes.
    #[error("cannot read file ({0}); check that it is there, and its permissions")]
    Read(std::io::Error),
    /// Known to be something that is not supported.
    #[error("unsupported audio format ({0}); convert the file to WAV or FLAC")]
    Unsupported(&'static str),
    /// Not recognised at all.
    #[error("unknown audio format; convert the file to WAV or FLAC, or remove it")]
    Unknown,
    /// No audio in it.
    #[error("no audio track with a known codec; convert the file to WAV or FLAC")]
    NoTrack,
    /// Looked like audio, but no packet could be decoded.
    #[error("no audio could be decoded ({skipped} corrupt packets); replace the file with a good copy")]
    NoAudio {
        /// Packets tried.
        skipped: usize,
    },
    /// The header makes no sense.
    #[error("damaged or not an audio file ({0}); replace it with a good copy")]
    Damaged(String),
    /// The decoder itself failed.
    #[error("decoder failed ({0}); convert the file to WAV or FLAC")]
    Panicked(String),
    /// It is shorter than the passage that was asked for.
    #[error("sound ends before the region begins; choose an earlier region")]
    Shorter,
    /// The work was cancelled, which says nothing about the file.
    #[error("reading was cancelled")]
    Stopped,
}

impl From<std::io::Error> for DecodeError {
    /// Invalid data is reported as a read error too, but without an error code from the operating system.
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(_) => Self::Read(error),
            None => Self::Damaged(error.to_string()),
        }
    }
}
