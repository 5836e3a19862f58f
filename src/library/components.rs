//! What is known of a sample, each fact a component.
//!
//! Each is inserted by one folder: where a file lies by `watch` and `record`, what its sound is by `analyse`, what the user
//! says of it by `ui`; `store` restores them all.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bevy::prelude::*;
use dsp::Seconds;
use dsp::analysis::StreamInfo;
use dsp::descriptors::Values;
use dsp::features::Measures;
use dsp::pyramid;
use half::f16;
use model::Model;
use model::session::Embedded;
use model::side::SideOutputs;

/// A sound file; the anchor of everything else known about it.
#[derive(Component, Clone, Debug)]
#[component(immutable)]
pub struct Sample {
    /// Absolute path, as listed; not always UTF-8.
    pub path: Arc<Path>,
}

/// Size and modification time of the file as last listed; a new stamp makes everything derived from it stale.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[component(immutable)]
pub struct FileStamp {
    /// Length in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970-01-01 UTC.
    pub modified: i64,
}

impl FileStamp {
    /// Reads the stamp from a file's metadata; a platform without modification times gives zero.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        let since = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        let modified = since.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0);
        Self { size: metadata.len(), modified }
    }
}

/// BLAKE3 hash of the file's bytes.
#[derive(Component, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[component(immutable)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The file was there once and is not now; its analysis and tags are kept.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct Missing;

/// Analysed for a single query only: never stored, never listed, not part of the space.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct Transient;

/// It is being recorded: it has no [`FileStamp`] until it is finished, so that the growing file is not taken for one that
/// has to be analysed.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct Recording;

/// Its content was known when it was first looked at: a copy of another sample, or that sample under a new name.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct MoveCandidate;

/// The user's own words for a sample; they follow the content when the file moves.
#[derive(Component, Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<String>);

/// What the file's format says, and its length as decoded.
#[derive(Component, Clone, Debug, PartialEq, Deref)]
pub struct AudioInfo(pub StreamInfo);

impl AudioInfo {
    /// Its length.
    pub fn seconds(&self) -> Seconds {
        self.0.seconds()
    }
}

/// The waveform in small, for a list row.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail(pub Box<pyramid::Thumbnail>);

/// Measures that can be shown, sorted and coloured by.
#[derive(Component, Clone, Copy, Debug, PartialEq, Deref)]
pub struct Features(pub Measures);

/// What can be said of the sound without a network, in the order of [`ABOUT`](dsp::descriptors::ABOUT).
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Descriptors(pub Arc<Values>);

/// The vector of a sample under the model in use.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Pooled vector of unit length, not centred: `[dim]`.
    pub vector: Arc<[f16]>,
    /// Vectors of its windows, for a sound longer than one.
    pub windows: Option<Arc<Windows>>,
    /// What the model's head makes of it, `[head]`; empty under a model without one, and while not all that it takes is
    /// known.
    pub head: Arc<[f16]>,
}

/// What a sample is compared by until all are analysed anew: its vector under a former version of the model's files, which
/// never mixes with those of this one.
#[derive(Component, Clone, Debug, PartialEq)]
#[component(immutable)]
pub struct Former {
    /// Its vector, without a head.
    pub embedding: Embedding,
    /// Its descriptors as they were.
    pub descriptors: Option<Descriptors>,
}

/// Side outputs of the network that are not on the disk yet; they are only kept, so that another head needs no audio again.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
#[component(immutable)]
pub struct UnsavedSides(pub SideOutputs);

/// Window vectors of a long sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windows {
    /// Start and end of each window in seconds.
    pub spans: Vec<[f32; 2]>,
    /// The vectors one after the other, as the network gave them: `[windows * dim]`.
    pub vectors: Vec<f16>,
}

/// All that a network and the descriptors say of a sound.
#[derive(Bundle, Clone, Debug)]
pub struct Vectors {
    /// What it is compared by.
    pub embedding: Embedding,
    /// Its descriptors.
    pub descriptors: Descriptors,
    /// What is only kept.
    pub sides: UnsavedSides,
}

impl Vectors {
    /// Takes what `model` made of a sound.
    #[expect(clippy::cast_possible_truncation, reason = "seconds within a file fit f32")]
    pub fn new(embedded: Embedded, model: &Model) -> Self {
        let windows = (embedded.windows.len() > 1).then(|| {
            let spans = embedded.windows.iter().map(|w| [w.span.start as f32, w.span.end as f32]).collect();
            let vectors = embedded.windows.iter().flat_map(|w| w.vector.iter().map(|v| f16::from_f32(*v))).collect();
            Arc::new(Windows { spans, vectors })
        });
        let vector: Arc<[f16]> = embedded.pooled.iter().map(|v| f16::from_f32(*v)).collect();
        let sides = SideOutputs::quantised(&embedded.sides);
        let head = head(model, &vector, Some(&embedded.descriptors), &sides);
        Self {
            embedding: Embedding { vector, windows, head },
            descriptors: Descriptors(Arc::new(embedded.descriptors)),
            sides: UnsavedSides(sides),
        }
    }
}

/// What a model's head makes of what is kept of a sound, now or later: the same to the last bit.
pub fn head(model: &Model, vector: &[f16], descriptors: Option<&Values>, sides: &SideOutputs) -> Arc<[f16]> {
    let pooled: Vec<f32> = vector.iter().map(|v| v.to_f32()).collect();
    let head = model.statistics.head(&pooled, descriptors, &sides.vectors(&model.manifest.side_dims()));
    head.unwrap_or_default().into_iter().map(f16::from_f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_from_what_is_kept_is_the_one_that_was_made_at_once() {
        let model = Model::built_in().unwrap();
        let numbers = |dim: usize| (0..dim).map(|i| (i as f32 * 0.7).sin().abs()).collect::<Vec<f32>>();
        let sides = model.manifest.side_dims().into_iter().map(numbers).collect();
        let descriptors = std::array::from_fn(|i| i as f32 / 20.0 - 1.0);
        let pooled = numbers(model.manifest.output.dim);
        let made = Vectors::new(Embedded { pooled, sides, windows: Vec::new(), descriptors }, &model);
        let dims = model.manifest.side_dims();
        let kept = SideOutputs::read(made.sides.0.bytes(), &dims).unwrap();
        let Embedding { vector, head: at_once, .. } = made.embedding;
        assert_eq!(at_once.len(), model.statistics.lengths(vector.len())[0]);
        assert_eq!(head(&model, &vector, Some(&made.descriptors.0), &kept), at_once);
        assert!(head(&model, &vector, None, &kept).is_empty());
    }
}
