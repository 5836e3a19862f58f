//! A WAV file that is whole at any moment: its header is brought up to date while it grows, and it becomes RF64 (EBU
//! Tech 3306) when it outgrows the 32-bit sizes of RIFF. Its bytes are hashed on the way.
//!
//! Written by hand because `hound` writes no RF64.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use dsp::Hz;
use serde::{Deserialize, Serialize};

/// Bytes before the first sample.
const HEADER: usize = 116;
/// Bytes of one chunk of BLAKE3; the first one holds the header, which changes until the end.
const CHUNK: u64 = 1024;

/// How samples are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// 32-bit floating point: exactly what came in.
    #[default]
    Float32,
    /// 24-bit integers; what is beyond full scale is clipped.
    Int24,
}

impl Format {
    /// Name of the codec, as a decoder calls it.
    pub fn codec(self) -> &'static str {
        match self {
            Self::Float32 => "pcm_f32le",
            Self::Int24 => "pcm_s24le",
        }
    }

    fn bytes(self) -> u16 {
        match self {
            Self::Float32 => 4,
            Self::Int24 => 3,
        }
    }
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Sample rate.
    pub rate: Hz,
    /// Number of channels.
    pub channels: u16,
    /// How samples are written.
    pub format: Format,
}

/// Where a file is written: the disk, or a simulated one in tests.
pub trait Medium: Write + Seek {
    /// Returns once everything written is on the disk.
    ///
    /// # Errors
    /// The disk refuses.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts off what lies beyond `length` bytes.
    ///
    /// # Errors
    /// The disk refuses.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Medium for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Writes one file.
pub struct Writer<M> {
    medium: M,
    spec: Spec,
    /// Bytes of samples.
    data: u64,
    bytes: Vec<u8>,
    hash: GrowingHash,
}

impl<M: Medium> Writer<M> {
    /// Begins a file.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn new(mut medium: M, spec: Spec) -> io::Result<Self> {
        let head = header(spec, 0);
        medium.write_all(&head)?;
        let mut hash = GrowingHash::default();
        hash.add(&head);
        Ok(Self { medium, spec, data: 0, bytes: Vec::new(), hash })
    }

    /// Appends interleaved frames: all of them or, with an error, none.
    ///
    /// # Errors
    /// The disk refuses.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to 24 bits first")]
    pub fn write(&mut self, interleaved: &[f32]) -> io::Result<()> {
        self.bytes.clear();
        match self.spec.format {
            Format::Float32 => self.bytes.extend(interleaved.iter().flat_map(|sample| sample.to_le_bytes())),
            Format::Int24 => self.bytes.extend(interleaved.iter().flat_map(|sample| {
                let sample = (sample * 8_388_608.0).round().clamp(-8_388_608.0, 8_388_607.0) as i32;
                let [low, middle, high, _] = sample.to_le_bytes();
                [low, middle, high]
            })),
        }
        self.medium.write_all(&self.bytes)?;
        self.hash.add(&self.bytes);
        self.data += self.bytes.len() as u64;
        Ok(())
    }

    /// Brings the header up to date and everything to the disk: what has been written so far survives from here on.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn settle(&mut self) -> io::Result<()> {
        self.write_header()?;
        self.medium.sync()
    }

    /// Finishes the file; after a failed write it ends with the last complete one.
    ///
    /// # Errors
    /// The disk refuses even changes that need no space.
    pub fn finish(mut self) -> io::Result<([u8; 32], M)> {
        let end = HEADER as u64 + self.data;
        self.medium.cut(end)?;
        // A failed write may have written some of its bytes.
        self.medium.seek(SeekFrom::Start(end))?;
        let odd = self.data % 2 == 1;
        // A chunk of odd length is followed by one byte, which does not count.
        if odd && self.medium.write_all(&[0]).is_ok() {
            self.hash.add(&[0]);
        }
        let head = self.write_header()?;
        Ok((self.hash.finish(&head), self.medium))
    }

    fn write_header(&mut self) -> io::Result<[u8; HEADER]> {
        let head = header(self.spec, self.data);
        self.medium.seek(SeekFrom::Start(0))?;
        self.medium.write_all(&head)?;
        self.medium.seek(SeekFrom::Start(HEADER as u64 + self.data))?;
        Ok(head)
    }
}

/// The header of a file with `data` bytes of samples.
fn header(spec: Spec, data: u64) -> [u8; HEADER] {
    let width = spec.format.bytes();
    let frame = width * spec.channels;
    let frames = data / u64::from(frame.max(1));
    let riff = HEADER as u64 - 8 + data + data % 2;
    let small = |size: u64| u32::try_from(size).unwrap_or(u32::MAX);
    let large = riff > u64::from(u32::MAX);
    let mut head = Vec::with_capacity(HEADER);
    let mut put = |bytes: &[u8]| head.extend_from_slice(bytes);
    put(if large { b"RF64" } else { b"RIFF" });
    put(&small(riff).to_le_bytes());
    put(b"WAVE");
    // Room for the 64-bit sizes, should they be needed.
    put(if large { b"ds64" } else { b"JUNK" });
    put(&28_u32.to_le_bytes());
    for size in [riff, data, frames] {
        put(&if large { size } else { 0 }.to_le_bytes());
    }
    put(&0_u32.to_le_bytes());
    // WAVE_FORMAT_EXTENSIBLE, which samples of more than 16 bits and more than two channels ask for.
    put(b"fmt ");
    put(&40_u32.to_le_bytes());
    put(&0xfffe_u16.to_le_bytes());
    put(&spec.channels.to_le_bytes());
    put(&spec.rate.0.to_le_bytes());
    put(&(spec.rate.0.wrapping_mul(u32::from(frame))).to_le_bytes());
    put(&frame.to_le_bytes());
    put(&(8 * width).to_le_bytes());
    put(&22_u16.to_le_bytes());
    put(&(8 * width).to_le_bytes());
    let speakers: u32 = match spec.channels {
        1 => 4,
        2 => 3,
        // The inputs of an audio interface have no speaker positions.
        _ => 0,
    };
    put(&speakers.to_le_bytes());
    let kind: u16 = if spec.format == Format::Float32 { 3 } else { 1 };
    put(&kind.to_le_bytes());
    put(b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71");
    put(b"fact");
    put(&4_u32.to_le_bytes());
    put(&small(frames).to_le_bytes());
    put(b"data");
    put(&if large { u32::MAX } else { small(data) }.to_le_bytes());
    let mut array = [0; HEADER];
    array.iter_mut().zip(&head).for_each(|(to, from)| *to = *from);
    array
}

/// The BLAKE3 hash of bytes that arrive in order, except for the first ones, which are known last.
///
/// BLAKE3 hashes a tree: its left edge is the first chunk, the chunk after it, the two after these, the four after
/// those, and so on. So each of these subtrees is hashed as it comes and they are joined from the left at the end.
#[derive(Default)]
struct GrowingHash {
    first: Vec<u8>,
    /// Subtrees that are full.
    full: Vec<ChainingValue>,
    open: Option<(blake3::Hasher, u64)>,
}

impl GrowingHash {
    fn add(&mut self, mut bytes: &[u8]) {
        let room = usize::try_from(CHUNK).unwrap_or(0) - self.first.len();
        let (now, rest) = bytes.split_at(bytes.len().min(room));
        self.first.extend_from_slice(now);
        bytes = rest;
        while !bytes.is_empty() {
            let size = CHUNK << self.full.len();
            let (hasher, filled) = self.open.get_or_insert_with(|| {
                let mut hasher = blake3::Hasher::new();
                hasher.set_input_offset(size);
                (hasher, 0)
            });
            let room = usize::try_from(size - *filled).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(bytes.len().min(room));
            hasher.update(now);
            *filled += now.len() as u64;
            if *filled == size {
                self.full.push(hasher.finalize_non_root());
                self.open = None;
            }
            bytes = rest;
        }
    }

    /// Finishes the hash with `head` in place of the first bytes.
    fn finish(mut self, head: &[u8]) -> [u8; 32] {
        self.first.iter_mut().zip(head).for_each(|(old, new)| *old = *new);
        self.full.extend(self.open.map(|(hasher, _)| hasher.finalize_non_root()));
        let Some(last) = self.full.pop() else { return blake3::hash(&self.first).into() };
        let left = blake3::Hasher::new().update(&self.first).finalize_non_root();
        let join = |left, right: ChainingValue| merge_subtrees_non_root(&left, &right, Mode::Hash);
        let left = self.full.into_iter().fold(left, join);
        merge_subtrees_root(&left, &last, Mode::Hash).into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// A disk with room for so many bytes; holes in a file take none.
    struct Disk(Cursor<Vec<u8>>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let at = usize::try_from(self.0.position()).unwrap();
            let held = self.0.get_ref().len();
            match bytes.len().min(self.1.saturating_sub(at.min(held))) {
                0 => Err(io::ErrorKind::StorageFull.into()),
                room => self.0.write(&bytes[..room]),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Disk {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    impl Medium for Disk {
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.0.get_mut().truncate(usize::try_from(length).unwrap());
            Ok(())
        }
    }

    fn disk(room: usize) -> Disk {
        Disk(Cursor::new(Vec::new()), room)
    }

    fn spec(channels: u16, format: Format) -> Spec {
        Spec { rate: Hz(48_000), channels, format }
    }

    fn read(bytes: &[u8]) -> (hound::WavSpec, Vec<f32>) {
        let mut reader = hound::WavReader::new(bytes).unwrap();
        let spec = reader.spec();
        let samples = match spec.sample_format {
            hound::SampleFormat::Float => reader.samples::<f32>().map(Result::unwrap).collect(),
            hound::SampleFormat::Int => reader.samples::<i32>().map(|s| s.unwrap() as f32 / 8_388_608.0).collect(),
        };
        (spec, samples)
    }

    #[test]
    fn what_was_written_is_read_and_hashed_whatever_its_length() {
        for format in [Format::Float32, Format::Int24] {
            for (channels, frames) in [(1, 0), (1, 1), (1, 227), (2, 1000), (3, 77_777), (1, 65_507), (2, 262_115)] {
                let samples: Vec<f32> =
                    (0..frames * u32::from(channels)).map(|i| (i * 7919 % 10_007) as f32 / 16_384.0 - 0.25).collect();
                let mut writer = Writer::new(disk(usize::MAX), spec(channels, format)).unwrap();
                for block in samples.chunks(usize::from(channels) * 480) {
                    writer.write(block).unwrap();
                }
                let (hash, disk) = writer.finish().unwrap();
                let bytes = disk.0.into_inner();
                assert_eq!(hash, *blake3::hash(&bytes).as_bytes(), "{channels} channels, {frames} frames");
                let (found, read) = read(&bytes);
                assert_eq!((found.channels, found.sample_rate), (channels, 48_000));
                assert_eq!(read, samples);
            }
        }
    }

    #[test]
    fn a_file_that_is_never_finished_holds_everything_up_to_its_last_settling() {
        let mut writer = Writer::new(disk(usize::MAX), spec(2, Format::Float32)).unwrap();
        writer.write(&[0.5; 2000]).unwrap();
        writer.settle().unwrap();
        writer.write(&[0.25; 600]).unwrap();
        assert_eq!(read(writer.medium.0.get_ref()).1, [0.5; 2000]);
    }

    #[test]
    fn a_full_disk_leaves_what_was_written_before() {
        let mut writer = Writer::new(disk(HEADER + 8000), spec(1, Format::Int24)).unwrap();
        writer.write(&[0.5; 1001]).unwrap();
        assert_eq!(writer.write(&[0.25; 2000]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        let (hash, disk) = writer.finish().unwrap();
        let bytes = disk.0.into_inner();
        assert_eq!(read(&bytes).1, [0.5; 1001]);
        assert_eq!(hash, *blake3::hash(&bytes).as_bytes());
    }

    #[test]
    fn beyond_four_gigabytes_the_sizes_have_64_bits() {
        let size = |head: &[u8], at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        let most = u64::from(u32::MAX) + 8 - HEADER as u64;
        let small = header(spec(2, Format::Float32), most - most % 8);
        assert_eq!((&small[..4], &small[12..16]), (b"RIFF".as_slice(), b"JUNK".as_slice()));
        let data = 6_000_000_000;
        let large = header(spec(2, Format::Float32), data);
        assert_eq!((&large[..8], &large[12..16]), (b"RF64\xff\xff\xff\xff".as_slice(), b"ds64".as_slice()));
        assert_eq!([20, 28, 36].map(|at| size(&large, at)), [data + HEADER as u64 - 8, data, data / 8]);
        assert_eq!(&large[108..], b"data\xff\xff\xff\xff");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn anything_written_in_any_pieces_is_read_by_others(
            channels in 1_u16..9,
            rate in 1000_u32..200_000,
            format in prop::sample::select(vec![Format::Float32, Format::Int24]),
            pieces in prop::collection::vec(prop::collection::vec(-8_388_608_i32..8_388_608, 0..300), 0..8),
            settled in 0_usize..8,
        ) {
            // Numbers of 24 bits are exact in either format.
            let channel_count = usize::from(channels);
            let whole = |piece: &Vec<i32>| {
                let kept = piece.len() - piece.len() % channel_count;
                piece[..kept].iter().map(|n| *n as f32 / 8_388_608.0).collect::<Vec<f32>>()
            };
            let pieces: Vec<Vec<f32>> = pieces.iter().map(whole).collect();
            let mut writer = Writer::new(disk(usize::MAX), Spec { rate: Hz(rate), channels, format }).unwrap();
            for (n, piece) in pieces.iter().enumerate() {
                writer.write(piece).unwrap();
                if n == settled {
                    writer.settle().unwrap();
                }
            }
            let (hash, disk) = writer.finish().unwrap();
            let bytes = disk.0.into_inner();
            prop_assert_eq!(hash, *blake3::hash(&bytes).as_bytes());
            let (found, samples) = read(&bytes);
            prop_assert_eq!((found.channels, found.sample_rate), (channels, rate));
            prop_assert_eq!(samples, pieces.concat());
        }
    }
}
