//! A file's bytes, hashed on the way, so that content that is known already is recognised before anything is decoded.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use symphonia::core::io::MediaSource;

use crate::stream::{Decoders, Stream};
use crate::{DecodeError, riff};

/// Files up to this size are read into memory once, for hashing and decoding, in bytes.
const READ_WHOLE: u64 = 16 << 20;
/// A larger file is hashed in pieces of this size, in bytes.
const PIECE: u64 = 4 << 20;

/// A file's bytes: all of them in memory, or the open file when it is large.
enum Bytes {
    Whole(Vec<u8>),
    Large(File),
}

/// An opened and hashed file.
pub struct Source {
    bytes: Bytes,
    /// Hash of all its bytes.
    pub hash: [u8; 32],
    /// Size and time as they were when it was opened.
    pub metadata: Metadata,
}

impl Source {
    /// Reads and hashes the file at `path`.
    ///
    /// # Errors
    /// The file is empty or cannot be read, or `stop` was set.
    pub fn open(path: &Path, stop: &dyn Fn() -> bool) -> Result<Self, DecodeError> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(DecodeError::Damaged("not a regular file".to_owned()));
        }
        let size = metadata.len();
        if size == 0 {
            return Err(DecodeError::Empty);
        }
        let mut hasher = blake3::Hasher::new();
        let bytes = if size <= READ_WHOLE {
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            file.take(READ_WHOLE).read_to_end(&mut bytes)?;
            hasher.update(&bytes);
            Bytes::Whole(bytes)
        } else {
            let mut hashed = u64::MAX;
            while hasher.count() != hashed {
                hashed = hasher.count();
                hasher.update_reader((&mut file).take(PIECE))?;
                if stop() {
                    return Err(DecodeError::Stopped);
                }
            }
            file.seek(SeekFrom::Start(0))?;
            Bytes::Large(file)
        };
        Ok(Self { bytes, hash: hasher.finalize().into(), metadata })
    }

    /// Opens its audio, from the start; the file's ending helps to recognise its format.
    ///
    /// # Errors
    /// As for [`Stream::open`].
    pub fn into_stream(self, ending: Option<&OsStr>, decoders: &Decoders) -> Result<Stream, DecodeError> {
        Stream::open(self.into_media()?, ending, decoders)
    }

    fn into_media(self) -> std::io::Result<Box<dyn MediaSource>> {
        Ok(match self.bytes {
            Bytes::Whole(bytes) => Box::new(riff::tidied(Cursor::new(bytes))?),
            Bytes::Large(file) => Box::new(riff::tidied(file)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_hashed_in_pieces_as_at_once_and_left_when_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large.wav");
        File::create(&large).unwrap().set_len(READ_WHOLE + 1).unwrap();
        assert!(matches!(Source::open(&large, &|| true), Err(DecodeError::Stopped)));
        let hash = blake3::hash(&std::fs::read(&large).unwrap());
        assert_eq!(Source::open(&large, &|| false).unwrap().hash, *hash.as_bytes());
    }
}
