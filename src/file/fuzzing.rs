//! What must hold of the parsers whatever the bytes are, for property tests and for the targets in `fuzz/`.

use std::io::{Cursor, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

use crate::{edits, riff};

/// Presents bytes as a tidied file, reads all of it, and some of it again after seeking.
///
/// # Panics
/// What is read is not what was said.
#[expect(clippy::expect_used, reason = "memory can always be read")]
pub fn tidied(bytes: &[u8]) -> Vec<u8> {
    let mut tidied = riff::tidied(Cursor::new(bytes.to_vec())).expect("memory can be read");
    let mut whole = Vec::new();
    tidied.read_to_end(&mut whole).expect("memory can be read");
    assert_eq!(tidied.byte_len(), Some(whole.len() as u64), "as long as it says");
    assert!(whole.len() <= bytes.len() + 2048, "a header at most is added");
    for at in [whole.len() / 2, whole.len().min(20), 0, whole.len()] {
        assert_eq!(tidied.seek(SeekFrom::Start(at as u64)).ok(), Some(at as u64));
        let mut again = Vec::new();
        tidied.read_to_end(&mut again).expect("memory can be read");
        assert!(again == whole[at..], "the same after a seek to {at}");
    }
    whole
}

/// Looks for an edit list, and takes bytes for what iTunes writes.
///
/// # Panics
/// An edit makes no sense.
#[expect(clippy::expect_used, reason = "memory can always be read")]
pub fn edits(bytes: &[u8]) -> Option<edits::Edit> {
    let mut source = Cursor::new(bytes);
    let edit = edits::edit_list(&mut source).expect("memory can be read");
    assert_eq!(source.position(), 0, "back at the start");
    let text = std::str::from_utf8(bytes).ok().and_then(edits::itunes);
    for edit in edit.iter().chain(&text) {
        assert!(edit.start >= 0, "within the sound");
        match edit.length {
            Some(edits::Length::Ticks(length)) => assert!(length > 0),
            Some(edits::Length::Seconds(length)) => assert!(length > 0.0 && length.is_finite()),
            None => {}
        }
    }
    edit
}
