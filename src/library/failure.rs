//! Why a sample could not be analysed: a closed list, so that nothing has to read the words that people are shown.
//!
//! The words are made here and nowhere else. They are those of the error that the sample failed with, which another
//! part of the program may show of the same file.

use std::fmt;

use bevy::prelude::*;
use file::DecodeError;
use model::session::EmbedError;

/// The step at which a file failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading the file; this says nothing about its content, so it is tried again whenever the file is listed.
    Read,
    /// Decoding its bytes.
    Decode,
    /// Turning its audio into a vector.
    Embed,
}

impl Stage {
    /// The name used in results and in the library file.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::Decode => "decode",
            Stage::Embed => "embed",
        }
    }

    /// Reads a name written by [`Stage::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Stage::Read, Stage::Decode, Stage::Embed].into_iter().find(|s| s.name() == name)
    }
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The operating system would not give its bytes.
    Unreadable,
    /// Nothing in the file.
    Empty,
    /// A format that is known and not supported.
    UnsupportedFormat,
    /// A format that is not known.
    UnknownFormat,
    /// No audio in the file.
    NoTrack,
    /// No packet could be decoded.
    NoAudio,
    /// The header makes no sense.
    Damaged,
    /// The decoder itself failed.
    DecoderPanic,
    /// The sound ends before the region begins.
    TooShort,
    /// Nothing to hear.
    Silent,
    /// A sample rate that cannot be converted.
    SampleRate,
    /// The network returned infinity or NaN.
    Undefined,
    /// The analysis itself failed.
    AnalysisPanic,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Unreadable,
        Self::Empty,
        Self::UnsupportedFormat,
        Self::UnknownFormat,
        Self::NoTrack,
        Self::NoAudio,
        Self::Damaged,
        Self::DecoderPanic,
        Self::TooShort,
        Self::Silent,
        Self::SampleRate,
        Self::Undefined,
        Self::AnalysisPanic,
    ];

    /// The name used in the library file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Empty => "empty",
            Self::UnsupportedFormat => "unsupported_format",
            Self::UnknownFormat => "unknown_format",
            Self::NoTrack => "no_track",
            Self::NoAudio => "no_audio",
            Self::Damaged => "damaged",
            Self::DecoderPanic => "decoder_panic",
            Self::TooShort => "too_short",
            Self::Silent => "silent",
            Self::SampleRate => "sample_rate",
            Self::Undefined => "undefined",
            Self::AnalysisPanic => "analysis_panic",
        }
    }

    /// Reads a name written by [`FailureKind::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The file could not be analysed; if it could at least be read, it is tried again only when its stamp changes.
///
/// Its [`Display`](fmt::Display) is what people are shown.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Where it failed.
    pub stage: Stage,
    /// What was wrong.
    pub kind: FailureKind,
    /// What the system, the decoder or the header said, to be shown; empty where the kind says it all.
    pub detail: String,
}

impl Failed {
    /// The failure that a file was not decoded for; `None` if the error says nothing about the file.
    pub fn of_decoding(error: &DecodeError) -> Option<Self> {
        let (stage, kind, detail) = match error {
            DecodeError::Stopped => return None,
            DecodeError::Read(error) => (Stage::Read, FailureKind::Unreadable, error.to_string()),
            DecodeError::Empty => (Stage::Decode, FailureKind::Empty, String::new()),
            DecodeError::Unsupported(format) => (Stage::Decode, FailureKind::UnsupportedFormat, (*format).to_owned()),
            DecodeError::Unknown => (Stage::Decode, FailureKind::UnknownFormat, String::new()),
            DecodeError::NoTrack => (Stage::Decode, FailureKind::NoTrack, String::new()),
            DecodeError::NoAudio { skipped } => (Stage::Decode, FailureKind::NoAudio, skipped.to_string()),
            DecodeError::Damaged(why) => (Stage::Decode, FailureKind::Damaged, why.clone()),
            DecodeError::Panicked(why) => (Stage::Decode, FailureKind::DecoderPanic, why.clone()),
            DecodeError::Shorter => (Stage::Decode, FailureKind::TooShort, String::new()),
        };
        Some(Self { stage, kind, detail })
    }

    /// The failure that a sound has no vector for; `None` if the error is about this machine or model.
    pub fn of_embedding(error: &EmbedError) -> Option<Self> {
        let (kind, detail) = match error {
            EmbedError::NoRuntime | EmbedError::Runtime { .. } | EmbedError::Session(_) | EmbedError::Shape { .. } => {
                return None;
            }
            EmbedError::Undefined => (FailureKind::Undefined, String::new()),
            EmbedError::Silent => (FailureKind::Silent, String::new()),
            EmbedError::Rate(rate) => (FailureKind::SampleRate, rate.0.to_string()),
            EmbedError::Panicked(why) => (FailureKind::AnalysisPanic, why.clone()),
        };
        Some(Self { stage: Stage::Embed, kind, detail })
    }

    /// Tells whether the cause lies in the file's bytes, so that every copy of the file fails too.
    pub fn is_of_content(&self) -> bool {
        self.stage != Stage::Read
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = &self.detail;
        match self.kind {
            FailureKind::Unreadable => {
                write!(f, "cannot read file ({detail}); check that it is there, and its permissions")
            }
            FailureKind::Empty => f.write_str("file is empty"),
            FailureKind::UnsupportedFormat => {
                write!(f, "unsupported audio format ({detail}); convert the file to WAV or FLAC")
            }
            FailureKind::UnknownFormat => {
                f.write_str("unknown audio format; convert the file to WAV or FLAC, or remove it")
            }
            FailureKind::NoTrack => f.write_str("no audio track with a known codec; convert the file to WAV or FLAC"),
            FailureKind::NoAudio => {
                write!(f, "no audio could be decoded ({detail} corrupt packets); replace the file with a good copy")
            }
            FailureKind::Damaged => {
                write!(f, "damaged or not an audio file ({detail}); replace it with a good copy")
            }
            FailureKind::DecoderPanic => write!(f, "decoder failed ({detail}); convert the file to WAV or FLAC"),
            FailureKind::TooShort => f.write_str("sound ends before the region begins; choose an earlier region"),
            FailureKind::Silent => f.write_str("sound is silent (peak below -80 dBFS) and cannot be compared"),
            FailureKind::SampleRate => {
                write!(f, "unsupported sample rate of {detail} Hz; convert the file to 44100 Hz")
            }
            FailureKind::Undefined => f.write_str(
                "model returned infinite or undefined numbers; convert the file to WAV or choose another model",
            ),
            FailureKind::AnalysisPanic => write!(f, "analysis failed ({detail}); convert the file to WAV"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_failure_says_what_its_error_says_and_every_kind_has_one() {
        let decoding = [
            DecodeError::Read(std::io::Error::from_raw_os_error(5)),
            DecodeError::Empty,
            DecodeError::Unsupported("WavPack"),
            DecodeError::Unknown,
            DecodeError::NoTrack,
            DecodeError::NoAudio { skipped: 3 },
            DecodeError::Damaged("header states 0 Hz".to_owned()),
            DecodeError::Panicked("index out of bounds".to_owned()),
            DecodeError::Shorter,
        ];
        let embedding = [
            EmbedError::Undefined,
            EmbedError::Silent,
            EmbedError::Rate(dsp::Hz(2_000_000)),
            EmbedError::Panicked("bad packet".to_owned()),
        ];
        let mut kinds = HashSet::new();
        let decoding = decoding.iter().map(|error| (Failed::of_decoding(error), error.to_string()));
        let embedding = embedding.iter().map(|error| (Failed::of_embedding(error), error.to_string()));
        for (failed, text) in decoding.chain(embedding) {
            let failed = failed.unwrap();
            assert_eq!(failed.to_string(), text);
            assert_eq!(failed.is_of_content(), failed.kind != FailureKind::Unreadable);
            assert_eq!(FailureKind::from_name(failed.kind.name()), Some(failed.kind));
            kinds.insert(failed.kind);
        }
        assert_eq!(kinds.len(), FailureKind::ALL.len());
        assert_eq!(Failed::of_decoding(&DecodeError::Stopped), None, "nothing is known about the file");
        assert_eq!(Failed::of_embedding(&EmbedError::NoRuntime), None, "the sound is not to blame");
    }
}
