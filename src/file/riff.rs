//! Presents a WAV file as its format and its data alone, behind a newly written header.
//!
//! Nothing else in the file, and no wrong size, can then keep the sound from being read: the sizes
//! of RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088), those that a pipe or a crashed recorder leaves open, chunks that
//! are malformed, a format with more bytes than it needs. MPEG audio and Ogg in a WAV file are presented by themselves.
//!
//! A workaround: symphonia reads neither RF64 nor BW64 (its pull request #447), and gives up at the rest.

use std::io::{Read, Result, Seek, SeekFrom};
use std::ops::Range;

use symphonia::core::io::MediaSource;

/// Most bytes of a format chunk that are read.
const MOST_FORMAT: u64 = 1024;

/// A part of a source behind a header.
pub struct Tidied<R> {
    inner: R,
    header: Vec<u8>,
    /// The part of `inner` that follows the header.
    body: Range<u64>,
    /// Counted from the start of the header.
    position: u64,
}

/// Wraps `source` so that a WAV file is easily read; any other file reads as it is.
///
/// # Errors
/// The source cannot be read.
pub fn tidied<R: MediaSource>(mut source: R) -> Result<Tidied<R>> {
    let end = source.seek(SeekFrom::End(0))?;
    let (header, body) = wav(&mut source, end).unwrap_or((Vec::new(), 0..end));
    source.seek(SeekFrom::Start(body.start))?;
    Ok(Tidied { inner: source, header, body, position: 0 })
}

/// Returns the header to present and where the data lies; nothing for a file of another kind, or one that ends early.
fn wav(source: &mut impl MediaSource, end: u64) -> Option<(Vec<u8>, Range<u64>)> {
    let head: [u8; 12] = bytes(source, 0)?;
    if !matches!(&head[..4], b"RIFF" | b"RF64" | b"BW64") || &head[8..] != b"WAVE" {
        return None;
    }
    let (mut format, mut data, mut long) = (None, None, None);
    let mut at = 12;
    while format.is_none() || data.is_none() {
        let (name, size) = chunk(source, at)?;
        let start = at + 8;
        let mut size = u64::from(size);
        match &name {
            b"ds64" => long = bytes(source, start + 8).map(u64::from_le_bytes),
            b"fmt " => {
                let mut bytes = Vec::new();
                source.seek(SeekFrom::Start(start)).ok()?;
                source.take(size.min(MOST_FORMAT)).read_to_end(&mut bytes).ok()?;
                format = Some(bytes);
            }
            b"data" => {
                if let Some(long) = long {
                    size = long;
                } else if size == u64::from(u32::MAX) {
                    size = u64::MAX;
                }
                // A recorder that was interrupted has left the size at zero.
                if size == 0 && chunk(source, start).is_none() {
                    size = u64::MAX;
                }
                data = Some(start..start.saturating_add(size).min(end));
            }
            _ => {}
        }
        at = start.saturating_add(size);
        // Some leave out the byte that pads an odd size.
        if size % 2 == 1 && !matches!(chunk(source, at), Some((name, _)) if [*b"fmt ", *b"data"].contains(&name)) {
            at = at.saturating_add(1);
        }
    }
    let data = data?;
    Some((header(format?, data.end - data.start), data))
}

/// Reads the name and the size of the chunk that starts at `at`, if there is one.
fn chunk(source: &mut impl MediaSource, at: u64) -> Option<([u8; 4], u32)> {
    let [a, b, c, d, size @ ..] = bytes::<8>(source, at)?;
    let name = [a, b, c, d];
    name.iter().all(|byte| (b' '..=b'~').contains(byte)).then_some((name, u32::from_le_bytes(size)))
}

fn bytes<const N: usize>(source: &mut impl MediaSource, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    source.seek(SeekFrom::Start(at)).ok()?;
    source.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// Makes a header for `size` bytes of data; none if the data are a file by themselves.
///
/// Format tags are those of `mmreg.h` in Microsoft's Windows SDK.
fn header(mut format: Vec<u8>, size: u64) -> Vec<u8> {
    let word = |at: usize| format.get(at..at + 2).map_or(0, |word| u16::from_le_bytes([word[0], word[1]]));
    match word(0) {
        // MPEG audio, and Vorbis as an Ogg stream.
        0x50 | 0x55 | 0x674F | 0x676F => return Vec::new(),
        // Whole numbers and floating point.
        1 | 3 => format.resize(16, 0),
        // A-law and µ-law state that nothing more follows.
        6 | 7 => {
            format.resize(16, 0);
            format.resize(18, 0);
        }
        // Anything else states how much follows.
        _ => format.truncate(18 + usize::from(word(16))),
    }
    // A size that 32 bits cannot hold is left open, which reads as "to the end".
    let open = |size: u64| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    let padding = format.len() % 2;
    let before = 4 + 8 + format.len() + padding + 8;
    let mut header = [b"RIFF", &open(before as u64 + size)[..], b"WAVEfmt ", &open(format.len() as u64)].concat();
    header.extend(format);
    header.resize(header.len() + padding, 0);
    header.extend(*b"data");
    header.extend(open(size));
    header
}

impl<R: Read> Read for Tidied<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = self.header.len() as u64;
        let ahead = usize::try_from(self.position).ok().and_then(|from| self.header.get(from..));
        let count = if let Some(mut ahead) = ahead.filter(|ahead| !ahead.is_empty()) {
            ahead.read(buffer)?
        } else {
            let left = (length + self.body.end - self.body.start).saturating_sub(self.position);
            let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            self.inner.read(&mut buffer[..most])?
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl<R: MediaSource> Seek for Tidied<R> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let length = self.header.len() as u64;
        let end = length + self.body.end - self.body.start;
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => end.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(std::io::ErrorKind::InvalidInput)?;
        self.inner.seek(SeekFrom::Start(self.body.start.saturating_add(self.position.saturating_sub(length))))?;
        Ok(self.position)
    }
}

impl<R: MediaSource> MediaSource for Tidied<R> {
    fn is_seekable(&self) -> bool {
        self.inner.is_seekable()
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.header.len() as u64 + self.body.end - self.body.start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::fuzzing;

    fn part(name: &str, size: u32, bytes: &[u8]) -> Vec<u8> {
        [name.as_bytes(), &size.to_le_bytes(), bytes].concat()
    }

    fn read(source: Vec<u8>) -> Vec<u8> {
        fuzzing::tidied(&source)
    }

    #[test]
    fn whatever_surrounds_them_format_and_data_are_found() {
        let format: Vec<u8> = [1, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x80, 0x3E, 0, 0, 2, 0, 16, 0].to_vec();
        let sound: Vec<u8> = (0..100).map(|n| n * 2 + 1).collect();
        let plain = |size: u32| [part("RIFF", size, b"WAVE"), part("fmt ", 16, &format), part("data", 100, &sound)];
        let plain_file = plain(136).concat();
        assert_eq!(read(plain_file.clone()), plain_file);
        let [_, fmt, data] = plain(0);
        let odd = part("LIST", 7, b"INFOabc");
        let long = part("ds64", 28, &[[0; 8], 100_u64.to_le_bytes(), [0; 8]].concat());
        let long = [long, vec![0; 4]].concat();
        let open = part("data", u32::MAX, &sound);
        let unfinished = part("data", 0, &sound);
        let wider = [&format[..], &[0; 9]].concat();
        for (name, parts) in [
            ("sizes left open", [fmt.clone(), open.clone(), vec![], vec![]]),
            ("sizes of zero", [fmt.clone(), unfinished.clone(), vec![], vec![]]),
            ("RF64", [long, fmt.clone(), open, b"LIST\x04\0\0\0INFO".to_vec()]),
            ("data first", [data.clone(), fmt.clone(), vec![], vec![]]),
            (
                "a list that says too much",
                [fmt.clone(), part("LIST", 12, b"INFOISFT\xF4\x01\0\0"), data.clone(), vec![]],
            ),
            ("an odd list", [fmt.clone(), [&odd[..], b"\0"].concat(), data.clone(), vec![]]),
            ("an odd list without padding", [fmt.clone(), odd, data.clone(), vec![]]),
            ("an odd and longer format", [part("fmt ", 25, &wider), vec![0], data.clone(), vec![]]),
            ("something behind", [fmt, data, b"LIST\x04\0\0\0INFO".to_vec(), b"more".to_vec()]),
        ] {
            let first = if name == "RF64" { "RF64" } else { "RIFF" };
            let riff = part(first, 0, b"WAVE");
            assert_eq!(read([vec![riff], parts.to_vec()].concat().concat()), plain_file, "{name}");
        }
        // No data are no data, if something else follows.
        let nothing = [&plain_file[..36], b"data\0\0\0\0LIST\x04\0\0\0INFO"].concat();
        assert_eq!(read(nothing).len(), 44);
        // Cut off.
        assert_eq!(read(plain_file[..90].to_vec()).len(), 90);
        assert_eq!(read(plain_file[..40].to_vec()), plain_file[..40]);
        assert_eq!(read(b"RIFF".to_vec()), b"RIFF");
        assert_eq!(read(Vec::new()), b"");
    }

    #[test]
    fn a_file_within_a_wav_file_is_read_by_itself() {
        let ogg = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/audio/vorbis.ogg")).unwrap();
        let size = u32::try_from(ogg.len()).unwrap();
        let format = part("fmt ", 18, &[b"Og\x01\0", &[0; 14][..]].concat());
        assert_eq!(read([part("RIFF", 0, b"WAVE"), format, part("data", size, &ogg)].concat()), ogg);
        assert_eq!(read(ogg.clone()), ogg);
    }

    /// A chunk with its padding.
    fn padded(name: &str, bytes: &[u8]) -> Vec<u8> {
        let mut chunk = part(name, u32::try_from(bytes.len()).unwrap(), bytes);
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    }

    fn others() -> impl Strategy<Value = Vec<u8>> {
        let other = ("[A-Z]{4}", prop::collection::vec(any::<u8>(), 0..40));
        let others = prop::collection::vec(other, 0..4);
        others.prop_map(|others| others.iter().flat_map(|(name, bytes)| padded(name, bytes)).collect())
    }

    proptest! {
        #[test]
        fn between_any_other_chunks_format_and_data_are_found(
            sound in prop::collection::vec(any::<u8>(), 1..200),
            others in [others(), others(), others()],
            format in prop::array::uniform14(any::<u8>()),
            data_first in any::<bool>(),
            stated in any::<u32>(),
        ) {
            let format = [&[1, 0], &format[..]].concat();
            let (format, data) = (padded("fmt ", &format), padded("data", &sound));
            let [first, second] = if data_first { [&data, &format] } else { [&format, &data] };
            let [before, between, after] = &others;
            let riff = part("RIFF", stated, b"WAVE");
            let file = [&riff, before, first, between, second, after].map(|part| &part[..]).concat();
            let data = part("data", u32::try_from(sound.len()).unwrap(), &sound);
            let expected = [part("RIFF", u32::try_from(36 + sound.len()).unwrap(), b"WAVE"), format, data].concat();
            prop_assert_eq!(read(file), expected);
        }

        #[test]
        fn whatever_the_bytes_are_they_are_read(
            others in [others(), others()],
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        ) {
            let [before, after] = others;
            let data = padded("data", &[7; 99]);
            let mut file = [part("RF64", 9, b"WAVE"), padded("ds64", &[0; 28]), before, padded("fmt ", &[1; 18])].concat();
            file.extend([data, after].concat());
            for (at, byte) in damage {
                let at = at.index(file.len());
                file[at] = byte;
            }
            read(file);
        }
    }
}
