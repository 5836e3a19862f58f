//! Finds the part of an MP4 track that is meant to be heard: AAC begins with its encoder's delay and ends with padding, and
//! an editor may have hidden more at either end.
//!
//! The track's edit list says so (ISO/IEC 14496-12, 8.6.6), or Apple's `iTunSMPB`: hexadecimal numbers, of which the second
//! to fourth are delay, padding and length in frames.
//!
//! A workaround: symphonia takes no notice of edit lists (its issue #544).

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// Boxes looked at before a file is taken to be damaged.
const MOST_BOXES: usize = 4096;

/// The part of a track that is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Edit {
    /// Where it starts, in the track's units of time.
    pub start: i64,
    /// How long it is, if that is said.
    pub length: Option<Length>,
}

/// A length as it is stated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// In units of the track's time.
    Ticks(i64),
    /// In seconds, rounded by whoever wrote it.
    Seconds(f64),
}

/// Reads the edit list of the first audio track, if there is one with a single part, and goes back to the start.
///
/// # Errors
/// The source cannot be sought.
pub fn edit_list<R: Read + Seek + ?Sized>(source: &mut R) -> std::io::Result<Option<Edit>> {
    let mut boxes = Boxes { source, left: MOST_BOXES };
    let edit = boxes.edit();
    source.seek(SeekFrom::Start(0))?;
    Ok(edit)
}

/// Reads what iTunes wrote.
pub fn itunes(text: &str) -> Option<Edit> {
    let mut numbers = text.split_ascii_whitespace().skip(1).map(|number| i64::from_str_radix(number, 16).ok());
    let (start, _padding, length) = (numbers.next()??, numbers.next()??, numbers.next()??);
    (start >= 0 && length > 0).then_some(Edit { start, length: Some(Length::Ticks(length)) })
}

struct Boxes<'a, R: ?Sized> {
    source: &'a mut R,
    left: usize,
}

impl<R: Read + Seek + ?Sized> Boxes<'_, R> {
    fn edit(&mut self) -> Option<Edit> {
        let end = self.source.seek(SeekFrom::End(0)).ok()?;
        let first: [u8; 8] = self.bytes(0)?;
        if first[4..] != *b"ftyp" {
            return None;
        }
        let movie = self.find(0..end, *b"moov")?;
        let header = self.find(movie.clone(), *b"mvhd")?;
        // Version 1 has times of eight bytes.
        let [version]: [u8; 1] = self.bytes(header.start)?;
        let scale = u32::from_be_bytes(self.bytes(header.start + if version == 1 { 20 } else { 12 })?);
        let mut rest = movie;
        loop {
            let track = self.find(rest.clone(), *b"trak")?;
            rest.start = track.end;
            let media = self.find(track.clone(), *b"mdia")?;
            let handler = self.find(media, *b"hdlr")?;
            if self.bytes(handler.start + 8) == Some(*b"soun") {
                let edits = self.find(track, *b"edts")?;
                let list = self.find(edits, *b"elst")?;
                return self.single(&list, scale);
            }
        }
    }

    /// The only part of the list that is not silence.
    fn single(&mut self, list: &Range<u64>, scale: u32) -> Option<Edit> {
        let [version, ..]: [u8; 4] = self.bytes(list.start)?;
        let count = u32::from_be_bytes(self.bytes(list.start + 4)?);
        let mut found = None;
        for entry in 0..u64::from(count.min(16)) {
            let (length, start) = if version == 1 {
                let at = list.start + 8 + entry * 20;
                (u64::from_be_bytes(self.bytes(at)?), i64::from_be_bytes(self.bytes(at + 8)?))
            } else {
                let at = list.start + 8 + entry * 12;
                (u32::from_be_bytes(self.bytes(at)?).into(), i32::from_be_bytes(self.bytes(at + 4)?).into())
            };
            if start >= 0 {
                let seconds = length as f64 / f64::from(scale.max(1));
                let length = (length > 0).then_some(Length::Seconds(seconds));
                if found.replace(Edit { start, length }).is_some() {
                    return None;
                }
            }
        }
        found
    }

    /// The content of the first box of a kind.
    fn find(&mut self, within: Range<u64>, kind: [u8; 4]) -> Option<Range<u64>> {
        let mut at = within.start;
        while at.checked_add(8)? <= within.end {
            self.left = self.left.checked_sub(1)?;
            let size = u64::from(u32::from_be_bytes(self.bytes(at)?));
            let (size, header) = match size {
                0 => (within.end - at, 8),
                1 => (u64::from_be_bytes(self.bytes(at + 8)?), 16),
                size => (size, 8),
            };
            let end = at.checked_add(size).filter(|end| size >= header && *end <= within.end)?;
            if self.bytes(at + 4) == Some(kind) {
                return Some(at + header..end);
            }
            at = end;
        }
        None
    }

    fn bytes<const N: usize>(&mut self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.source.seek(SeekFrom::Start(at)).ok()?;
        self.source.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing;

    fn atom(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
        [&u32::try_from(content.len() + 8).unwrap().to_be_bytes(), &kind[..], content].concat()
    }

    /// A film whose second track is sound with these edits: length and start, in thousandths and in ticks.
    fn film(edits: &[(u32, i32)]) -> Vec<u8> {
        let mut header = vec![0; 100];
        header[12..16].copy_from_slice(&1000_u32.to_be_bytes());
        let handler = |kind: &[u8; 4]| atom(*b"mdia", &atom(*b"hdlr", &[&[0; 8], &kind[..], &[0; 12]].concat()));
        let entries = edits
            .iter()
            .flat_map(|(length, start)| [length.to_be_bytes(), start.to_be_bytes(), 65_536_u32.to_be_bytes()].concat());
        let count = u32::try_from(edits.len()).unwrap().to_be_bytes();
        let list = [&[0; 4], &count[..], &entries.collect::<Vec<u8>>()].concat();
        let picture = atom(*b"trak", &handler(b"vide"));
        let sound = atom(*b"trak", &[atom(*b"edts", &atom(*b"elst", &list)), handler(b"soun")].concat());
        let movie = atom(*b"moov", &[atom(*b"mvhd", &header), picture, sound].concat());
        [atom(*b"ftyp", b"M4A "), atom(*b"mdat", &[7; 99]), movie].concat()
    }

    fn read(bytes: Vec<u8>) -> Option<Edit> {
        let mut source = Cursor::new(bytes);
        let edit = edit_list(&mut source).unwrap();
        assert_eq!(source.position(), 0);
        edit
    }

    #[test]
    fn the_only_part_that_is_heard_is_found() {
        let edit = Edit { start: 1024, length: Some(Length::Seconds(0.454)) };
        assert_eq!(read(film(&[(454, 1024)])), Some(edit));
        assert_eq!(read(film(&[(20, -1), (454, 1024)])), Some(edit), "after silence");
        assert_eq!(read(film(&[(0, 1024)])), Some(Edit { length: None, ..edit }));
        assert_eq!(read(film(&[(454, 0), (454, 1024)])), None, "two parts are left as they are");
        assert_eq!(read(film(&[])), None);
        assert_eq!(read(b"RIFF....WAVE".to_vec()), None);
    }

    #[test]
    fn a_damaged_file_has_no_edits_and_is_not_searched_for_ever() {
        let whole = film(&[(454, 1024)]);
        for length in 0..whole.len() {
            assert_eq!(read(whole[..length].to_vec()), None, "{length}");
        }
        let endless = [atom(*b"ftyp", b"M4A "), atom(*b"free", b"").repeat(1 << 20)].concat();
        assert_eq!(read(endless), None);
        let mut huge = whole;
        huge[12..16].copy_from_slice(&[0, 0, 0, 1]);
        assert_eq!(read(huge), None);
    }

    #[test]
    fn what_itunes_wrote_is_read() {
        let text = " 00000000 00000840 000001CA 00000000003F31F6 00000000 00000000";
        assert_eq!(itunes(text), Some(Edit { start: 2112, length: Some(Length::Ticks(4_141_558)) }));
        assert_eq!(itunes("00000000 xyz"), None);
        assert_eq!(itunes(""), None);
    }

    proptest! {
        #[test]
        fn of_any_list_the_only_part_that_is_not_silence_counts(
            edits in prop::collection::vec((0_u32..5000, prop_oneof![Just(-1), 0_i32..100_000]), 0..16),
        ) {
            let heard: Vec<_> = edits.iter().filter(|(_, start)| *start >= 0).collect();
            let expected = match heard[..] {
                [(length, start)] => {
                    let length = (*length > 0).then(|| Length::Seconds(f64::from(*length) / 1000.0));
                    Some(Edit { start: (*start).into(), length })
                }
                _ => None,
            };
            prop_assert_eq!(read(film(&edits)), expected);
        }

        #[test]
        fn whatever_the_bytes_are_there_is_an_answer(
            edits in prop::collection::vec(any::<(u32, i32)>(), 0..4),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            text in "[ 0-9A-Fx+-]{0,60}",
        ) {
            let mut bytes = film(&edits);
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            fuzzing::edits(&bytes);
            fuzzing::edits(text.as_bytes());
        }
    }
}
