//! Reads `NumPy`'s `.npz`, a ZIP of deflated arrays, as far as the golden vectors need it.
//!
//! The crates for it turn on features of `flate2` and `libc` that the program does without, so that the tests compiled
//! the image decoder and Bevy's renderer again; nothing here may change what the program itself is built with.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::DeflateDecoder;
use ndarray::{Array, Dimension, IxDyn};

/// Signature of an entry in the directory at the end of a ZIP (APPNOTE.TXT 4.3.12).
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
/// Length of what ends a ZIP without a comment (APPNOTE.TXT 4.3.16).
const END: usize = 22;
/// What a `.npy` of version 1.0 starts with; two bytes with the length of its header follow.
const NPY: &[u8] = b"\x93NUMPY\x01\x00";

/// The arrays of a file, each a whole `.npy`, by name.
pub struct Npz(BTreeMap<String, Vec<u8>>);

/// A number as `.npy` stores it.
pub trait Element: Sized {
    /// The `descr` of the header.
    const DESCR: &str;
    /// Reads all of them.
    fn read(bytes: &[u8]) -> Vec<Self>;
}

impl Element for f32 {
    const DESCR: &str = "'<f4'";
    fn read(bytes: &[u8]) -> Vec<Self> {
        bytes.as_chunks().0.iter().map(|bytes| Self::from_le_bytes(*bytes)).collect()
    }
}

impl Element for i16 {
    const DESCR: &str = "'<i2'";
    fn read(bytes: &[u8]) -> Vec<Self> {
        bytes.as_chunks().0.iter().map(|bytes| Self::from_le_bytes(*bytes)).collect()
    }
}

impl Npz {
    pub fn open(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let end = &bytes[bytes.len() - END..];
        let (count, mut at) = (u16_at(end, 10), u32_at(end, 16));
        let mut arrays = BTreeMap::new();
        for _ in 0..count {
            let entry = &bytes[at..];
            assert!(entry.starts_with(DIRECTORY_ENTRY) && u16_at(entry, 10) == 8, "a deflated entry");
            let [name, extra, comment] = [28, 30, 32].map(|field| u16_at(entry, field));
            let text = std::str::from_utf8(&entry[46..46 + name]).unwrap().trim_end_matches(".npy");
            let (packed, local) = (u32_at(entry, 20), &bytes[u32_at(entry, 42)..]);
            let start = 30 + u16_at(local, 26) + u16_at(local, 28);
            let mut array = Vec::with_capacity(u32_at(entry, 24));
            DeflateDecoder::new(&local[start..start + packed]).read_to_end(&mut array).unwrap();
            arrays.insert(text.to_owned(), array);
            at += 46 + name + extra + comment;
        }
        Self(arrays)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The array of that name, if there is one; its type and number of dimensions must be what is asked for.
    pub fn get<T: Element, D: Dimension>(&self, name: &str) -> Option<Array<T, D>> {
        let bytes = self.0.get(name)?.strip_prefix(NPY).unwrap();
        let (header, values) = bytes[2..].split_at(u16_at(bytes, 0));
        let header = std::str::from_utf8(header).unwrap();
        let is = |key: &str, value: &str| header.contains(&format!("'{key}': {value}"));
        assert!(is("descr", T::DESCR) && is("fortran_order", "False"), "{name}: {header}");
        let (_, shape) = header.split_once("'shape': (").unwrap();
        let (shape, _) = shape.split_once(')').unwrap();
        let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape: Vec<usize> = sizes.map(|size| size.parse().unwrap()).collect();
        let array = Array::from_shape_vec(IxDyn(&shape), T::read(values)).unwrap();
        Some(array.into_dimensionality().unwrap())
    }
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u16_at(bytes, at) | u16_at(bytes, at + 2) << 16
}
