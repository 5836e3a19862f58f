//! Components ↔ rows. Numbers are little-endian; paths are kept byte for byte.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dsp::analysis::StreamInfo;
use dsp::descriptors::COUNT;
use dsp::features::Measures;
use dsp::pyramid::COLUMNS;
use dsp::{Frames, Hz};
use half::f16;
use model::side::SideOutputs;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use similarity::layout::{LayoutKey, SavedPosition, SavedPositions};

use crate::library::{
    AudioInfo, ContentHash, Descriptors, Embedding, Failed, FailureKind, Features, FileStamp, Former, Stage, Tags,
    Thumbnail, Windows,
};

/// A sample's own row.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRow {
    /// Absolute path.
    pub path: Arc<Path>,
    /// Size and time.
    pub stamp: FileStamp,
    /// Content, once hashed.
    pub hash: Option<ContentHash>,
    /// Not there any more.
    pub missing: bool,
    /// Why it has no analysis.
    pub failed: Option<Failed>,
    /// The user's words.
    pub tags: Tags,
}

/// The analysis of some content.
#[derive(Clone, Debug, PartialEq)]
pub struct ContentRow {
    /// Format and length.
    pub info: AudioInfo,
    /// Thumbnail.
    pub thumbnail: Thumbnail,
    /// Measures.
    pub features: Features,
    /// Its descriptors; `None` until it has been described.
    pub descriptors: Option<Descriptors>,
}

/// A sample with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its own row.
    pub sample: SampleRow,
    /// Its content's row.
    pub content: Option<ContentRow>,
    /// Its vector under the model in use.
    pub embedding: Option<Embedding>,
    /// Its vector under former files of the model; only read.
    pub former: Option<Former>,
    /// Side outputs that came with it; none when it is restored.
    pub sides: Option<SideOutputs>,
}

impl Record {
    /// Tells whether all is known that a head takes, but not what it makes of it.
    pub fn lacks_head(&self) -> bool {
        let described = self.content.as_ref().is_some_and(|content| content.descriptors.is_some());
        described && self.embedding.as_ref().is_some_and(|embedding| embedding.head.is_empty())
    }
}

/// Returns the number of a model's key, adding it if it is new.
pub fn model_number(connection: &Connection, key: &str) -> rusqlite::Result<i64> {
    connection.execute("INSERT OR IGNORE INTO model (key) VALUES (?1)", [key])?;
    connection.query_row("SELECT id FROM model WHERE key = ?1", [key], |row| row.get(0))
}

/// Returns the number of a model's key, if any vector was ever made with it.
pub fn known_model_number(connection: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT id FROM model WHERE key = ?1", [key], |row| row.get(0)).optional()
}

/// Lists what else was made by the model with this key when its files were others, the newest first.
pub fn former_models(connection: &Connection, key: &str) -> rusqlite::Result<Vec<i64>> {
    let id = |key: &str| key.rsplitn(3, ':').nth(2).map(str::to_owned);
    let mut statement = connection.prepare("SELECT id, key FROM model WHERE key <> ?1 ORDER BY id DESC")?;
    let others = statement.query_map([key], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let others = others.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(others.into_iter().filter(|(_, other)| id(other) == id(key)).map(|(number, _)| number).collect())
}

/// Chooses the former files to answer from: those that most samples have a vector of, the newest of equals. `None` where no
/// sample that is there waits for its successor, or more have one already: then `model` answers.
pub fn former_to_answer_from(
    connection: &Connection,
    formers: &[i64],
    model: Option<i64>,
    dim: usize,
) -> rusqlite::Result<Option<i64>> {
    if formers.is_empty() {
        return Ok(None);
    }
    let mut statement = connection.prepare(
        "SELECT count(*),
                coalesce(sum(s.missing = 0 AND s.failed_stage IS NULL AND NOT EXISTS
                    (SELECT 1 FROM embedding e WHERE e.hash = s.hash AND e.model = ?2)), 0)
         FROM sample s JOIN embedding f ON f.hash = s.hash AND f.model = ?1
         WHERE length(f.vector) = ?3",
    )?;
    let mut count = |of: Option<i64>| {
        statement.query_row(params![of, model, (2 * dim).cast_signed()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
    };
    let mut best = (None, count(model)?.0);
    for former in formers {
        let (have, waiting) = count(Some(*former))?;
        if waiting > 0 && (have > best.1 || have == best.1 && best.0.is_none()) {
            best = (Some(*former), have);
        }
    }
    Ok(best.0)
}

/// Drops what was made with former files wherever there is a successor, and what is left of nothing.
pub fn forget_former(connection: &Connection, former: i64, model: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM embedding WHERE model = ?1
             AND EXISTS (SELECT 1 FROM embedding e WHERE e.hash = embedding.hash AND e.model = ?2)",
        "DELETE FROM head WHERE model = ?1
             AND EXISTS (SELECT 1 FROM embedding e WHERE e.hash = head.hash AND e.model = ?2)",
        "DELETE FROM side_output WHERE model = ?1
             AND EXISTS (SELECT 1 FROM embedding e WHERE e.hash = side_output.hash AND e.model = ?2)",
        // The next layout starts from the last one.
        "DELETE FROM layout WHERE model = ?1 AND EXISTS (SELECT 1 FROM layout l WHERE l.model = ?2)",
    ] {
        connection.execute(statement, [former, model])?;
    }
    connection.execute(
        "DELETE FROM model WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM embedding WHERE model = ?1)
             AND NOT EXISTS (SELECT 1 FROM layout WHERE model = ?1)",
        [former],
    )?;
    Ok(())
}

/// Writes a sample and whatever is known of its content, under a model with this head.
pub fn save(connection: &Connection, record: &Record, model: i64, head: Option<&str>) -> rusqlite::Result<()> {
    let sample = &record.sample;
    let tags = serde_json::to_string(&sample.tags.0).unwrap_or_else(|_| "[]".to_owned());
    connection
        .prepare_cached(
            "INSERT INTO sample (path, size, modified, hash, missing, failed_stage, failed_kind, failed_reason, tags)
             VALUES (:path, :size, :modified, :hash, :missing, :stage, :kind, :detail, :tags)
             ON CONFLICT (path) DO UPDATE SET size = :size, modified = :modified, hash = :hash, missing = :missing,
             failed_stage = :stage, failed_kind = :kind, failed_reason = :detail, tags = :tags",
        )?
        .execute(named_params! {
            ":path": path_bytes(&sample.path),
            ":size": sample.stamp.size.cast_signed(),
            ":modified": sample.stamp.modified,
            ":hash": sample.hash.as_ref().map(|h| h.0.as_slice()),
            ":missing": sample.missing,
            ":stage": sample.failed.as_ref().map(|f| f.stage.name()),
            ":kind": sample.failed.as_ref().map(|f| f.kind.name()),
            ":detail": sample.failed.as_ref().map(|f| f.detail.as_str()),
            ":tags": tags,
        })?;
    let Some(hash) = sample.hash else { return Ok(()) };
    if let Some(content) = &record.content {
        save_content(connection, hash, content)?;
    }
    if let Some(embedding) = &record.embedding {
        save_embedding(connection, hash, model, embedding)?;
        save_head(connection, hash, model, head, &embedding.head)?;
        if let Some(sides) = record.sides.as_ref().filter(|sides| !sides.bytes().is_empty()) {
            connection
                .prepare_cached("INSERT OR REPLACE INTO side_output (hash, model, bytes) VALUES (?1, ?2, ?3)")?
                .execute(params![hash.0.as_slice(), model, sides.bytes()])?;
        }
    }
    Ok(())
}

fn save_content(connection: &Connection, hash: ContentHash, content: &ContentRow) -> rusqlite::Result<()> {
    let outline: Vec<u8> = content.thumbnail.0.iter().flatten().map(|v| v.cast_unsigned()).collect();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO content
             (hash, frames, rate, channels, codec, outline, lufs, peak_db, brightness_hz, descriptors)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
                     -- a copy that has not been described yet takes nothing away
                     coalesce(?10, (SELECT descriptors FROM content WHERE hash = ?1)))",
        )?
        .execute(params![
            hash.0.as_slice(),
            content.info.frames.0.cast_signed(),
            content.info.rate.0,
            content.info.channels,
            content.info.codec,
            outline,
            content.features.lufs,
            content.features.peak_db,
            content.features.brightness_hz,
            content.descriptors.as_ref().map(|d| d.0.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()),
        ])?;
    Ok(())
}

fn save_embedding(
    connection: &Connection,
    hash: ContentHash,
    model: i64,
    embedding: &Embedding,
) -> rusqlite::Result<()> {
    let windows = embedding.windows.as_deref();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO embedding (hash, model, vector, spans, windows) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            hash.0.as_slice(),
            model,
            halves_to_bytes(&embedding.vector),
            windows.map(|w| w.spans.iter().flatten().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()),
            windows.map(|w| halves_to_bytes(&w.vectors)),
        ])?;
    Ok(())
}

/// Keeps what a head made of some content, unless it made nothing of it.
pub fn save_head(
    connection: &Connection,
    hash: ContentHash,
    model: i64,
    file: Option<&str>,
    head: &[f16],
) -> rusqlite::Result<()> {
    if !head.is_empty() {
        connection
            .prepare_cached("INSERT OR REPLACE INTO head (hash, model, file, vector) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![hash.0.as_slice(), model, file.unwrap_or_default(), halves_to_bytes(head)])?;
    }
    Ok(())
}

/// Removes a sample; the analysis of its content stays, for copies and for its return.
pub fn forget(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM sample WHERE path = ?1")?.execute([path_bytes(path)])?;
    Ok(())
}

/// Replaces the list of folders.
pub fn save_folders(connection: &Connection, folders: &[PathBuf]) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM folder", [])?;
    for (position, folder) in folders.iter().enumerate() {
        let values = params![path_bytes(folder), position.cast_signed()];
        connection.prepare_cached("INSERT OR REPLACE INTO folder (path, position) VALUES (?1, ?2)")?.execute(values)?;
    }
    Ok(())
}

/// Reads the list of folders.
pub fn load_folders(connection: &Connection) -> rusqlite::Result<Vec<PathBuf>> {
    let mut statement = connection.prepare("SELECT path FROM folder ORDER BY position")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|row| row.map(|bytes| path_from(&bytes))).collect()
}

/// Bytes of a spot: hash, whether it was described, weight, x, y, group.
const SPOT: usize = 32 + 1 + 3 * 4 + 1;

/// Replaces the map under a model.
pub fn save_spots(connection: &Connection, model: i64, spots: &SavedPositions) -> rusqlite::Result<()> {
    let mut bytes = Vec::with_capacity(spots.0.len() * SPOT);
    for SavedPosition { key, at: [x, y], group } in &spots.0 {
        bytes.extend_from_slice(&key.hash);
        bytes.push(key.described.into());
        bytes.extend([key.weight, *x, *y].into_iter().flat_map(f32::to_le_bytes));
        bytes.push(*group);
    }
    connection.execute("INSERT OR REPLACE INTO layout (model, spots) VALUES (?1, ?2)", params![model, bytes])?;
    Ok(())
}

/// Reads the map under a model, without entries that make no sense.
pub fn load_spots(connection: &Connection, model: Option<i64>) -> rusqlite::Result<SavedPositions> {
    let bytes = connection.query_row("SELECT spots FROM layout WHERE model = ?1", [model], |row| row.get(0));
    let bytes: Vec<u8> = bytes.optional()?.unwrap_or_default();
    let spot = |bytes: &[u8; SPOT]| {
        let (hash, rest) = bytes.split_first_chunk()?;
        let [described, numbers @ .., group] = rest else { return None };
        let [weight, x, y] = *numbers.as_chunks().0 else { return None };
        let [weight, x, y] = [weight, x, y].map(f32::from_le_bytes);
        let key = LayoutKey { hash: *hash, described: *described != 0, weight };
        (x.is_finite() && y.is_finite()).then_some(SavedPosition { key, at: [x, y], group: *group })
    };
    Ok(SavedPositions(bytes.as_chunks().0.iter().filter_map(spot).collect()))
}

/// Under which a library is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a> {
    /// The model's number.
    pub model: Option<i64>,
    /// What identifies its head.
    pub head: Option<&'a str>,
    /// Former files of the model.
    pub former: Option<i64>,
}

/// Reads every sample with what is known of it and hands it over; stops early when `hand_over` returns `false`.
pub fn load(
    connection: &Connection,
    Keys { model, head, former }: Keys,
    mut hand_over: impl FnMut(Record) -> bool,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT s.path, s.size, s.modified, s.hash, s.missing, s.failed_stage, s.failed_reason, s.tags,
                c.frames, c.rate, c.channels, c.codec, c.outline, c.lufs, c.peak_db, c.brightness_hz,
                e.vector, e.spans, e.windows, c.descriptors, s.failed_kind, h.vector, f.vector, f.spans, f.windows
         FROM sample s LEFT JOIN content c ON c.hash = s.hash
                       LEFT JOIN embedding e ON e.hash = s.hash AND e.model = ?1
                       LEFT JOIN head h ON h.hash = s.hash AND h.model = ?1 AND h.file = ?2
                       LEFT JOIN embedding f ON f.hash = s.hash AND f.model = ?3",
    )?;
    let mut rows = statement.query(params![model, head, former])?;
    while let Some(row) = rows.next()? {
        if !hand_over(record(row)?) {
            break;
        }
    }
    Ok(())
}

fn record(row: &Row) -> rusqlite::Result<Record> {
    let stage = row.get::<_, Option<String>>(5)?.and_then(|name| Stage::from_name(&name));
    let kind = row.get::<_, Option<String>>(20)?.and_then(|name| FailureKind::from_name(&name));
    let detail = row.get::<_, Option<String>>(6)?.unwrap_or_default();
    let tags: String = row.get(7)?;
    let hash = row.get::<_, Option<Vec<u8>>>(3)?.and_then(|bytes| bytes.try_into().ok()).map(ContentHash);
    let content = content(row)?;
    let descriptors = || content.as_ref().and_then(|content| content.descriptors.clone());
    let former = vectors(row, 22)?.map(|embedding| Former { embedding, descriptors: descriptors() });
    let head = row.get::<_, Option<Vec<u8>>>(21)?.unwrap_or_default();
    let head = |embedding| Embedding { head: bytes_to_halves(&head).collect(), ..embedding };
    Ok(Record {
        sample: SampleRow {
            path: path_from(&row.get::<_, Vec<u8>>(0)?).into(),
            stamp: FileStamp { size: row.get::<_, i64>(1)?.cast_unsigned(), modified: row.get(2)? },
            hash,
            missing: row.get(4)?,
            // What this version does not know is looked at again.
            failed: stage.zip(kind).map(|(stage, kind)| Failed { stage, kind, detail }),
            tags: Tags(serde_json::from_str(&tags).unwrap_or_default()),
        },
        content,
        embedding: vectors(row, 16)?.map(head),
        former,
        sides: None,
    })
}

fn content(row: &Row) -> rusqlite::Result<Option<ContentRow>> {
    let Some(frames) = row.get::<_, Option<i64>>(8)? else { return Ok(None) };
    let outline: Vec<u8> = row.get(12)?;
    let mut columns = Box::new([[0_i8; 2]; COLUMNS]);
    for (column, bytes) in columns.iter_mut().zip(outline.as_chunks::<2>().0) {
        *column = bytes.map(u8::cast_signed);
    }
    Ok(Some(ContentRow {
        info: AudioInfo(StreamInfo {
            frames: Frames(frames.cast_unsigned()),
            rate: Hz(row.get(9)?),
            channels: row.get(10)?,
            codec: row.get(11)?,
        }),
        thumbnail: Thumbnail(columns),
        features: Features(Measures { lufs: row.get(13)?, peak_db: row.get(14)?, brightness_hz: row.get(15)? }),
        descriptors: row.get::<_, Option<Vec<u8>>>(19)?.and_then(|bytes| descriptors(&bytes)),
    }))
}

/// Reads vector, spans and windows, which begin in this column.
fn vectors(row: &Row, from: usize) -> rusqlite::Result<Option<Embedding>> {
    let Some(vector) = row.get::<_, Option<Vec<u8>>>(from)? else { return Ok(None) };
    let spans = row.get::<_, Option<Vec<u8>>>(from + 1)?;
    let windows = spans.zip(row.get::<_, Option<Vec<u8>>>(from + 2)?).map(|(spans, windows)| {
        let seconds = |b: &[u8; 8]| {
            let (from, to) = ([b[0], b[1], b[2], b[3]], [b[4], b[5], b[6], b[7]]);
            [f32::from_le_bytes(from), f32::from_le_bytes(to)]
        };
        let spans = spans.as_chunks::<8>().0.iter().map(seconds).collect();
        Arc::new(Windows { spans, vectors: bytes_to_halves(&windows).collect() })
    });
    Ok(Some(Embedding { vector: bytes_to_halves(&vector).collect(), windows, head: Arc::default() }))
}

/// Reads descriptors; bytes of another length are from a version that described sounds differently.
pub fn descriptors(bytes: &[u8]) -> Option<Descriptors> {
    let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    Some(Descriptors(Arc::new(<[f32; COUNT]>::try_from(values).ok()?)))
}

fn halves_to_bytes(halves: &[f16]) -> Vec<u8> {
    halves.iter().flat_map(|v| v.to_le_bytes()).collect()
}

pub fn bytes_to_halves(bytes: &[u8]) -> impl Iterator<Item = f16> {
    bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b))
}

#[cfg(unix)]
fn path_bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(unix)]
fn path_from(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(windows)]
fn path_bytes(path: &Path) -> Vec<u8> {
    use std::os::windows::ffi::OsStrExt;
    path.as_os_str().encode_wide().flat_map(u16::to_le_bytes).collect()
}

#[cfg(windows)]
fn path_from(bytes: &[u8]) -> PathBuf {
    use std::os::windows::ffi::OsStringExt;
    let wide: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b)).collect();
    PathBuf::from(std::ffi::OsString::from_wide(&wide))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn full_record(path: &str, seed: u8) -> Record {
        let vector: Arc<[f16]> = (0..8).map(|i| f16::from_f32(f32::from(i * seed) * 0.01)).collect();
        let windows = Windows { spans: vec![[0.0, 2.5], [1.0, 3.5]], vectors: vec![f16::ONE; 16] };
        Record {
            sample: SampleRow {
                path: Path::new(path).into(),
                stamp: FileStamp { size: 100, modified: -5 },
                hash: Some(ContentHash([seed; 32])),
                missing: seed.is_multiple_of(2),
                failed: seed.is_multiple_of(3).then(|| Failed {
                    stage: Stage::Embed,
                    kind: FailureKind::SampleRate,
                    detail: "7".to_owned(),
                }),
                tags: Tags(vec!["dark, wet".into(), "naïve \"quoted\"".into()]),
            },
            content: Some(ContentRow {
                info: AudioInfo(StreamInfo { frames: Frames(7), rate: Hz(44_100), channels: 2, codec: "flac".into() }),
                thumbnail: Thumbnail(Box::new([[-7, 9]; COLUMNS])),
                features: Features(Measures { lufs: None, peak_db: -3.5, brightness_hz: 812.25 }),
                descriptors: (seed != 1).then(|| Descriptors(Arc::new([f32::from(seed); COUNT]))),
            }),
            embedding: Some(Embedding { vector, windows: Some(Arc::new(windows)), head: [f16::ONE; 4].into() }),
            former: None,
            sides: None,
        }
    }

    #[test]
    fn what_is_saved_comes_back_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let library = crate::store::Library::open(&folder.path().join("library.db")).unwrap();
        let connection = &library.connection;
        let model = model_number(connection, "m").unwrap();
        let records: Vec<Record> = (1..5).map(|n| full_record(&format!("/a/{n}.wav"), n)).collect();
        for record in records.iter().chain(&records) {
            save(connection, record, model, Some("h")).unwrap();
        }
        let mut loaded = Vec::new();
        let keys = Keys { model: Some(model), head: Some("h"), former: None };
        load(connection, keys, |record| {
            loaded.push(record);
            true
        })
        .unwrap();
        loaded.sort_by(|a, b| a.sample.path.cmp(&b.sample.path));
        assert_eq!(loaded, records);
        for head in [Some("another"), None] {
            load(connection, Keys { head, ..keys }, |record| {
                assert!(record.embedding.unwrap().head.is_empty(), "heads of different files never mix");
                true
            })
            .unwrap();
        }
        let other = model_number(connection, "another").unwrap();
        load(connection, Keys { model: Some(other), ..keys }, |record| {
            assert_eq!(record.embedding, None, "vectors of different models never mix");
            true
        })
        .unwrap();
        forget(connection, Path::new("/a/1.wav")).unwrap();
        assert_eq!(library.count().unwrap(), 3);
    }

    #[test]
    fn former_files_answer_while_a_sound_waits_and_go_where_there_is_a_successor() {
        let folder = tempfile::tempdir().unwrap();
        let library = crate::store::Library::open(&folder.path().join("library.db")).unwrap();
        let connection = &library.connection;
        let [old, _, newer, now] =
            ["a:b:1:1", "a:1:1", "a:b:2:2", "a:b:3:3"].map(|key| model_number(connection, key).unwrap());
        assert_eq!(former_models(connection, "a:b:3:3").unwrap(), [newer, old]);
        let answering = || former_to_answer_from(connection, &[newer, old], Some(now), 8).unwrap();
        let keep = |model: i64, seed: u8| {
            let mut record = full_record(&format!("/a/{seed}.wav"), seed);
            record.sample.missing = seed == 8;
            record.sample.failed = None;
            save(connection, &record, model, Some("h")).unwrap();
        };
        [1, 2, 4].into_iter().for_each(|seed| keep(old, seed));
        assert_eq!(answering(), Some(old));
        // The newer files were in use for too short a time.
        keep(newer, 1);
        assert_eq!(answering(), Some(old));
        [2, 4].into_iter().for_each(|seed| keep(newer, seed));
        assert_eq!(answering(), Some(newer));
        assert_eq!(former_to_answer_from(connection, &[newer, old], Some(now), 9).unwrap(), None, "of another length");
        let mut loaded = 0;
        load(connection, Keys { model: Some(now), head: Some("h"), former: Some(newer) }, |record| {
            let former = record.former.unwrap();
            assert!(record.embedding.is_none() && former.embedding.head.is_empty());
            assert_eq!(
                former.embedding.vector,
                full_record("", record.sample.hash.unwrap().0[0]).embedding.unwrap().vector
            );
            loaded += 1;
            true
        })
        .unwrap();
        assert_eq!(loaded, 3);
        // What is away holds up nobody.
        keep(newer, 8);
        [1, 2].into_iter().for_each(|seed| keep(now, seed));
        assert_eq!(answering(), Some(newer));
        let kept = |model: i64| -> i64 {
            let count = "SELECT count(*) FROM embedding JOIN head USING (hash, model) WHERE model = ?1";
            connection.query_row(count, [model], |row| row.get(0)).unwrap()
        };
        [newer, old].into_iter().for_each(|former| forget_former(connection, former, now).unwrap());
        assert_eq!([old, newer, now].map(kept), [1, 2, 2]);
        keep(now, 4);
        assert_eq!(answering(), None);
        [newer, old].into_iter().for_each(|former| forget_former(connection, former, now).unwrap());
        assert_eq!([old, newer, now].map(kept), [0, 1, 3]);
        assert_eq!(former_models(connection, "a:b:3:3").unwrap(), [newer]);
    }

    #[test]
    fn a_map_that_is_saved_comes_back_unchanged_and_only_under_its_model() {
        let folder = tempfile::tempdir().unwrap();
        let library = crate::store::Library::open(&folder.path().join("library.db")).unwrap();
        let connection = &library.connection;
        let [model, other] = ["m", "another"].map(|key| model_number(connection, key).unwrap());
        let spot = |seed: u8| SavedPosition {
            key: LayoutKey { hash: [seed; 32], described: seed > 1, weight: 0.7 },
            at: [f32::from(seed) * 0.1, -4.25],
            group: seed,
        };
        assert_eq!(load_spots(connection, Some(model)).unwrap(), SavedPositions::default());
        for count in [9, 5] {
            let spots = SavedPositions((0..count).map(spot).collect());
            save_spots(connection, model, &spots).unwrap();
            assert_eq!(load_spots(connection, Some(model)).unwrap(), spots);
        }
        assert_eq!(load_spots(connection, Some(other)).unwrap(), SavedPositions::default());
        assert_eq!(load_spots(connection, None).unwrap(), SavedPositions::default());
    }
}
