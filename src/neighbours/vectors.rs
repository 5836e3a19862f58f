//! The vectors of sounds that are asked with and are no samples: regions of samples, and files outside of the library.
//!
//! A question names such a sound by its file, the file's stamp and the region; its vector is made on a thread of its own,
//! so that it does not wait behind the files that are being analysed, and is kept for the next question. Nothing becomes
//! an entity, and the sounds that were not asked with for longest make room.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bevy::prelude::*;
use dsp::Span;
use dsp::analysis::Decoded;
use file::DecodeError;
use file::source::Source;
use file::stream::Decoders;
use model::Model;
use model::session::{EmbedError, Embedder};

use crate::actor::{Actor, Stop, Wake, contained, start};
use crate::analyse::decode::{decode, decode_region};
use crate::analyse::{ActiveModel, runtime};
use crate::library::{Descriptors, Embedding, FileStamp, Former, Vectors};

/// Sounds whose vectors are kept.
const KEPT: usize = 64;

/// A sound that is no sample, by what makes it that sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// Absolute path of its file.
    pub path: Arc<Path>,
    /// The file as it was when it was named.
    pub stamp: FileStamp,
    /// A part of it; `None` for all.
    pub region: Option<Span>,
}

impl Sound {
    /// Names a file by its path and its stamp of now.
    ///
    /// # Errors
    /// The file is not there, or is not a file.
    pub fn of_file(path: &Path, region: Option<Span>) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let path = path.canonicalize()?;
        Ok(Self { path: path.as_path().into(), stamp: FileStamp::of(&metadata), region })
    }

    fn key(&self) -> Key {
        let region = self.region.map(|region| [region.start.to_bits(), region.end.to_bits()]);
        Key { path: self.path.clone(), stamp: self.stamp, region }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    path: Arc<Path>,
    stamp: FileStamp,
    region: Option<[u64; 2]>,
}

/// Why such a sound has no vector.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// It cannot be read or decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It has no vector.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

/// What is known of such a sound.
pub type Known = Result<(Embedding, Descriptors), Arc<SoundError>>;

struct Entry {
    /// `None` while the thread works on it.
    known: Option<Known>,
    used: u64,
}

struct Job {
    key: Key,
    sound: Sound,
}

struct Reply {
    key: Key,
    known: Known,
}

/// The vectors that are known, and those that are being made.
#[derive(Resource)]
pub struct QueryVectors {
    actor: Actor<Job, Reply>,
    entries: HashMap<Key, Entry>,
    clock: u64,
}

impl QueryVectors {
    /// Gives what is known of a sound, and has it looked at if that is nothing yet.
    pub fn get(&mut self, sound: &Sound) -> Option<Known> {
        self.clock += 1;
        let key = sound.key();
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.used = self.clock;
            return entry.known.clone();
        }
        if self.entries.len() >= KEPT
            && let Some((oldest, _)) = self.entries.iter().min_by_key(|(_, entry)| entry.used)
        {
            // What is still waited for is asked for again; what the thread says of the others is not listened to.
            let oldest = oldest.clone();
            self.actor.retain_waiting(|job| job.key != oldest);
            self.entries.remove(&oldest);
        }
        self.entries.insert(key.clone(), Entry { known: None, used: self.clock });
        self.actor.queue(Job { key, sound: sound.clone() });
        None
    }

    /// Tells whether every sound that was asked for is known.
    pub fn is_idle(&self) -> bool {
        self.entries.values().all(|entry| entry.known.is_some())
    }

    /// Number of sounds known or being looked at.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Starts the thread.
pub(super) fn build(app: &mut App) {
    let model = app.world().resource::<ActiveModel>().0.clone();
    let make = move |stop: Stop| {
        let mut listener = Listener { model: model.clone(), embedder: None, decoders: Decoders::default(), stop };
        move |Job { key, sound }: Job| Reply { key, known: listener.listen(&sound).map_err(Arc::new) }
    };
    let spawn = |wake: &Wake| Actor::pool("question", 1, 4, wake, make);
    if let Some(actor) = start(app, "search with regions or other files", spawn) {
        app.insert_resource(QueryVectors { actor, entries: HashMap::new(), clock: 0 });
    }
}

/// Takes in what the thread has found.
pub(super) fn collect(mut vectors: ResMut<QueryVectors>) {
    let vectors = vectors.bypass_change_detection();
    for Reply { key, known } in vectors.actor.replies() {
        if let Some(entry) = vectors.entries.get_mut(&key) {
            entry.known = Some(known);
        }
    }
}

/// What the thread owns.
struct Listener {
    model: Arc<Model>,
    /// Made with the first question, so that an app nobody asks loads no model for it.
    embedder: Option<Embedder>,
    decoders: Decoders,
    stop: Stop,
}

impl Listener {
    fn listen(&mut self, sound: &Sound) -> Result<(Embedding, Descriptors), SoundError> {
        let keep = self.model.manifest.audio.max_seconds;
        let decoded = if let Some(region) = sound.region {
            decode_region(&sound.path, region, keep, &self.stop, &self.decoders)?
        } else {
            let source = Source::open(&sound.path, &|| self.stop.is_set())?;
            decode(source, &sound.path, keep, &self.stop, &self.decoders)?
        };
        Ok(contained(|| self.embed(&decoded)).unwrap_or_else(|panic| {
            self.embedder = None;
            Err(EmbedError::Panicked(panic))
        })?)
    }

    fn embed(&mut self, decoded: &Decoded) -> Result<(Embedding, Descriptors), EmbedError> {
        let embedder = match &mut self.embedder {
            Some(embedder) => embedder,
            None => self.embedder.insert(Embedder::new(&self.model, runtime()?)?),
        };
        let Vectors { embedding, descriptors, .. } = Vectors::new(embedder.embed(&decoded.pcm)?, &self.model);
        Ok((embedding, descriptors))
    }
}

/// What a sample may be compared by.
pub type Compared<'a> = (Option<&'a Embedding>, Option<&'a Descriptors>, Option<&'a Former>);

/// What it is compared by in a space of vectors of this kind.
pub(super) fn compared(former: bool, sample: Compared<'_>) -> Option<(&Embedding, Option<&Descriptors>)> {
    match sample {
        (_, _, Some(sample)) if former => Some((&sample.embedding, sample.descriptors.as_ref())),
        (Some(embedding), descriptors, _) if !former => Some((embedding, descriptors)),
        _ => None,
    }
}

/// What is compared of a sound.
pub(super) fn heard<'a>(
    embedding: &'a Embedding,
    descriptors: Option<&'a Descriptors>,
) -> similarity::space::Heard<'a> {
    let descriptors = descriptors.map(|descriptors| &*descriptors.0);
    similarity::space::Heard { pooled: &embedding.vector, descriptors, head: &embedding.head }
}
