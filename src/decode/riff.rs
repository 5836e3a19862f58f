//! Lets a reader of RIFF files read RF64 and BW64 files (EBU Tech 3306, ITU-R BS.2088), whose 32-bit sizes are void
//! and stand in a `ds64` chunk instead: the few bytes that differ are replaced as they are read.

use std::io::{Read, Result, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// A source with some bytes replaced.
pub struct Patched<R> {
    inner: R,
    position: u64,
    patches: Vec<(u64, [u8; 4])>,
}

/// Wraps `source` so that an RF64 file reads as RIFF; any other file reads as it is.
///
/// # Errors
/// The source cannot be read.
pub fn as_riff<R: MediaSource>(mut source: R) -> Result<Patched<R>> {
    source.seek(SeekFrom::Start(0))?;
    let patches = patches(&mut source).unwrap_or_default();
    source.seek(SeekFrom::Start(0))?;
    Ok(Patched { inner: source, position: 0, patches })
}

/// Returns what has to be replaced, or nothing for a file of another kind or one that ends early.
fn patches(source: &mut impl MediaSource) -> Option<Vec<(u64, [u8; 4])>> {
    let mut head = [0; 12];
    source.read_exact(&mut head).ok()?;
    if !matches!(&head[..4], b"RF64" | b"BW64") || &head[8..] != b"WAVE" {
        return None;
    }
    let mut patches = vec![(0, *b"RIFF")];
    let mut data_size = None;
    let mut at = 12;
    loop {
        source.seek(SeekFrom::Start(at)).ok()?;
        let mut chunk = [0; 8];
        source.read_exact(&mut chunk).ok()?;
        let (name, size) = chunk.split_at(4);
        let size = u32::from_le_bytes(size.try_into().ok()?);
        match name {
            b"ds64" => {
                let mut sizes = [0; 16];
                source.read_exact(&mut sizes).ok()?;
                data_size = Some(u64::from_le_bytes(sizes[8..].try_into().ok()?));
            }
            b"data" => {
                // A size beyond 32 bits stays void, which reads as "to the end".
                let size = data_size.and_then(|size| u32::try_from(size).ok()).unwrap_or(u32::MAX);
                patches.push((at + 4, size.to_le_bytes()));
                return Some(patches);
            }
            _ => {}
        }
        at += 8 + u64::from(size) + u64::from(size % 2);
    }
}

impl<R: Read> Read for Patched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.inner.read(buffer)?;
        for (start, bytes) in &self.patches {
            for (at, byte) in (*start..).zip(bytes) {
                let offset = at.checked_sub(self.position).and_then(|offset| usize::try_from(offset).ok());
                if let Some(out) = offset.and_then(|offset| buffer[..count].get_mut(offset)) {
                    *out = *byte;
                }
            }
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl<R: Seek> Seek for Patched<R> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.position = self.inner.seek(to)?;
        Ok(self.position)
    }
}

impl<R: MediaSource> MediaSource for Patched<R> {
    fn is_seekable(&self) -> bool {
        self.inner.is_seekable()
    }

    fn byte_len(&self) -> Option<u64> {
        self.inner.byte_len()
    }
}
