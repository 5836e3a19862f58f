//! The library file: tables, versions, and who may open it.

#![expect(clippy::disallowed_methods, reason = "this is the one place that opens SQLite")]

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// Marks the file as a Soundkin library (`SKin` in ASCII), so that no other database is taken for one.
const APPLICATION_ID: i64 = 0x534b_696e;

/// Bytes of a page.
const PAGE: i64 = 8192;

/// Statements that take a library from version `i` to `i + 1`.
///
/// A sample is a path with a stamp; its analysis belongs to the hash of its content, so that copies share it
/// and moves keep it.
const MIGRATIONS: [&str; 7] = [
    "
    CREATE TABLE folder (
        path BLOB NOT NULL PRIMARY KEY,
        position INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE sample (
        path BLOB NOT NULL PRIMARY KEY,
        size INTEGER NOT NULL,
        modified INTEGER NOT NULL, -- ns since 1970 UTC
        hash BLOB,
        missing INTEGER NOT NULL DEFAULT 0,
        failed_stage TEXT,
        failed_reason TEXT,
        tags TEXT NOT NULL DEFAULT '[]' -- JSON array of strings
    ) STRICT;
    CREATE INDEX sample_by_hash ON sample (hash);
    CREATE TABLE content (
        hash BLOB NOT NULL PRIMARY KEY, -- BLAKE3 of the file's bytes
        frames INTEGER NOT NULL,
        rate INTEGER NOT NULL, -- Hz
        channels INTEGER NOT NULL,
        codec TEXT NOT NULL,
        outline BLOB NOT NULL, -- i8 minimum and maximum of each column
        lufs REAL,
        peak_db REAL NOT NULL,
        brightness_hz REAL NOT NULL
    ) STRICT;
    CREATE TABLE model (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE -- id, file hash and contract hash
    ) STRICT;
    CREATE TABLE embedding (
        hash BLOB NOT NULL,
        model INTEGER NOT NULL REFERENCES model (id),
        vector BLOB NOT NULL, -- f16 little endian, pooled, unit length
        spans BLOB, -- f32 little endian, start and end of each window in s
        windows BLOB, -- f16 little endian, one vector after the other
        PRIMARY KEY (hash, model)
    ) STRICT, WITHOUT ROWID;
",
    // Files whose content was stored without descriptors are analysed again.
    "ALTER TABLE content ADD COLUMN descriptors BLOB; -- f32 little endian",
    "
    CREATE TABLE layout (
        model INTEGER NOT NULL PRIMARY KEY REFERENCES model (id),
        spots BLOB NOT NULL -- of each sound: hash, whether described, weight, x and y in f32, group
    ) STRICT;
",
    // Older versions stored recordings that were only queries, under a name that is not a path; the second is UTF-16.
    "DELETE FROM sample WHERE size = 0 AND path IN (CAST('recording' AS BLOB), x'7200650063006f007200640069006e006700')",
    // Told failures to read apart by their words; the next step does so for all kinds.
    "",
    FAILURE_KINDS,
    "
    CREATE TABLE head (
        hash BLOB NOT NULL,
        model INTEGER NOT NULL REFERENCES model (id),
        file TEXT NOT NULL, -- first 16 digits of the SHA-256 of the head's file
        vector BLOB NOT NULL, -- f16 little endian, unit length
        PRIMARY KEY (hash, model)
    ) STRICT, WITHOUT ROWID;
    -- Read only when a model has another head than before: not WITHOUT ROWID, whose rows may not be so long.
    CREATE TABLE side_output (
        hash BLOB NOT NULL,
        model INTEGER NOT NULL REFERENCES model (id),
        bytes BLOB NOT NULL, -- of each vector its least number and a step in f32 little endian, then one byte a number
        PRIMARY KEY (hash, model)
    ) STRICT;
",
];

/// Reads from the words of earlier versions what was wrong, once and nowhere else: they kept only the text that people
/// were shown. What stands in the brackets is kept; a text of no known wording is forgotten, so that the file is looked
/// at again.
const FAILURE_KINDS: &str = "
    ALTER TABLE sample ADD COLUMN failed_kind TEXT; -- what failed_reason adds to: what the system or the header said
    UPDATE sample SET failed_kind = CASE
        WHEN failed_reason LIKE 'cannot be read (%' OR failed_reason LIKE 'cannot read file (%' THEN 'unreadable'
        WHEN failed_reason = 'file is empty' THEN 'empty'
        WHEN failed_reason LIKE 'unsupported audio format (%' OR failed_reason LIKE 'format is not supported (%'
            THEN 'unsupported_format'
        WHEN failed_reason LIKE 'unknown audio format;%' OR failed_reason LIKE 'is in no audio format that is known;%'
            THEN 'unknown_format'
        WHEN failed_reason LIKE 'no audio track with%' OR failed_reason LIKE 'holds no audio track with%' THEN 'no_track'
        WHEN failed_reason LIKE 'no audio could be decoded (%' OR failed_reason LIKE 'holds no audio that can be %'
            THEN 'no_audio'
        WHEN failed_reason LIKE 'damaged or not an audio file (%' OR failed_reason LIKE 'is damaged or no audio file (%'
            THEN 'damaged'
        WHEN failed_reason LIKE 'decoder failed (%' THEN 'decoder_panic'
        WHEN failed_reason LIKE 'sound is silent (%' OR failed_reason LIKE 'is silent (%' THEN 'silent'
        WHEN failed_reason LIKE 'unsupported sample rate of %' OR failed_reason LIKE 'sample rate of %' THEN 'sample_rate'
        WHEN failed_reason LIKE 'model returned infinite or%' OR failed_reason LIKE 'model gives no vector for it;%'
            THEN 'undefined'
        WHEN failed_reason LIKE 'analysis failed (%' THEN 'analysis_panic'
        END;
    UPDATE sample SET failed_stage = NULL WHERE failed_kind IS NULL;
    -- A drive that was unplugged once must not mark its samples as failed for ever.
    UPDATE sample SET failed_stage = 'read' WHERE failed_kind = 'unreadable';
    UPDATE sample SET failed_reason = CASE
        WHEN failed_kind IN ('unreadable', 'unsupported_format', 'damaged', 'decoder_panic', 'analysis_panic')
            THEN substr(failed_reason, instr(failed_reason, '(') + 1,
                        instr(failed_reason, '); ') - instr(failed_reason, '(') - 1)
        WHEN failed_kind = 'no_audio'
            THEN substr(failed_reason, instr(failed_reason, '(') + 1,
                        instr(failed_reason, ' corrupt') - instr(failed_reason, '(') - 1)
        WHEN failed_kind = 'sample_rate'
            THEN substr(failed_reason, instr(failed_reason, 'rate of ') + 8,
                        instr(failed_reason, ' Hz') - instr(failed_reason, 'rate of ') - 8)
        WHEN failed_kind IS NOT NULL THEN ''
        END;
";

/// Why a library cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process writes to it.
    #[error("library is in use by another Soundkin; close that one or choose another library with --library: {0}")]
    InUse(PathBuf),
    /// Nothing there to read.
    #[error("there is no library yet; create one with `soundkin index FOLDER`: {0}")]
    Absent(PathBuf),
    /// Its folder cannot be made or written.
    #[error("cannot create library ({source}); check the permissions or choose another with --library: {path}")]
    Folder {
        /// What the system said.
        source: std::io::Error,
        /// The library.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("not a Soundkin library; choose another with --library: {0}")]
    Foreign(PathBuf),
    /// Made by a later version.
    #[error("library has version {found}, but this Soundkin only knows up to {known}; update Soundkin: {path}")]
    Newer {
        /// Its version.
        found: usize,
        /// The newest known.
        known: usize,
        /// The library.
        path: PathBuf,
    },
    /// `SQLite`'s word.
    #[error("cannot use library ({source}); free disk space or restore a backup: {path}")]
    Sqlite {
        /// What `SQLite` said.
        source: rusqlite::Error,
        /// The library.
        path: PathBuf,
    },
}

/// An open library file.
pub struct Library {
    pub(super) connection: Connection,
    /// Held as long as the library is open for writing; the system frees it even if the process is killed.
    lock: Option<Lock>,
    /// Where it is.
    pub path: PathBuf,
}

impl Library {
    /// Opens a library for writing and makes it if there is none; only one process at a time may do so.
    ///
    /// # Errors
    /// It is in use, no library, newer than this program, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        refuse_folder(path)?;
        let folder = |source| StoreError::Folder { source, path: path.to_owned() };
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(folder)?;
        }
        let lock = lock(path)?;
        let mut connection = Connection::open(path).map_err(|e| sqlite(e, path))?;
        check_owner(&connection, path)?;
        let setup = || -> rusqlite::Result<()> {
            connection.busy_timeout(Duration::from_secs(5))?;
            // A new file takes it, an older one keeps its own: rows with a vector fill pages of SQLite's 4096 bytes badly.
            connection.pragma_update(None, "page_size", PAGE)?;
            // FULL: a commit is on the disk when it is reported, even if the power goes.
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "application_id", APPLICATION_ID)
        };
        setup().map_err(|e| sqlite(e, path))?;
        migrate(&mut connection, path)?;
        Ok(Self { connection, lock: Some(lock), path: path.to_owned() })
    }

    /// Opens a library for reading, also while another process writes to it.
    ///
    /// # Errors
    /// It is not there, no library, or of another version.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Absent(path.to_owned()));
        }
        refuse_folder(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| sqlite(e, path))?;
        check_owner(&connection, path)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(|e| sqlite(e, path))?;
        if version(&connection, path)? < MIGRATIONS.len() {
            // An older library has to be migrated first; only for that it is opened for writing.
            drop(connection);
            drop(Self::open(path)?);
            return Self::read(path);
        }
        Ok(Self { connection, lock: None, path: path.to_owned() })
    }

    /// Tells whether it was opened for writing.
    pub fn is_writable(&self) -> bool {
        self.lock.is_some()
    }

    /// Version of its tables.
    ///
    /// # Errors
    /// `SQLite` cannot read it.
    pub fn version(&self) -> Result<usize, StoreError> {
        version(&self.connection, &self.path)
    }

    /// Counts the samples it holds.
    ///
    /// # Errors
    /// `SQLite` cannot read it.
    pub fn count(&self) -> Result<u64, StoreError> {
        let count = self.connection.query_row("SELECT count(*) FROM sample", [], |row| row.get::<_, i64>(0));
        count.map(i64::unsigned_abs).map_err(|e| sqlite(e, &self.path))
    }
}

/// The lock file of a library's only writer.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child process that is just being started holds a copy of the open file.
        let _ = self.0.unlock();
    }
}

fn lock(path: &Path) -> Result<Lock, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |source| StoreError::Folder { source, path: path.to_owned() };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn refuse_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() { Err(StoreError::Foreign(path.to_owned())) } else { Ok(()) }
}

fn check_owner(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let read = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let ids = read("application_id").and_then(|id| Ok((id, read("schema_version")?)));
    match ids {
        Ok((APPLICATION_ID, _) | (0, 0)) => Ok(()),
        Ok(_) => Err(StoreError::Foreign(path.to_owned())),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(StoreError::Foreign(path.to_owned()))
        }
        Err(error) => Err(sqlite(error, path)),
    }
}

fn version(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0));
    let found = version.map_err(|e| sqlite(e, path))? as usize;
    if found > MIGRATIONS.len() {
        return Err(StoreError::Newer { found, known: MIGRATIONS.len(), path: path.to_owned() });
    }
    Ok(found)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let from = version(connection, path)?;
    let mut run = || -> rusqlite::Result<()> {
        for (i, statements) in MIGRATIONS.iter().enumerate().skip(from) {
            let step = connection.transaction()?;
            step.execute_batch(statements)?;
            step.pragma_update(None, "user_version", (i + 1).cast_signed())?;
            step.commit()?;
        }
        Ok(())
    };
    run().map_err(|e| sqlite(e, path))
}

pub(super) fn sqlite(source: rusqlite::Error, path: &Path) -> StoreError {
    StoreError::Sqlite { source, path: path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::{FailureKind, Stage};

    #[test]
    fn a_second_writer_gets_a_clear_answer_and_a_reader_gets_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library.db");
        let first = Library::open(&path).unwrap();
        assert!(matches!(Library::open(&path), Err(StoreError::InUse(_))));
        assert_eq!(Library::read(&path).unwrap().count().unwrap(), 0);
        drop(first);
        Library::open(&path).unwrap();
    }

    #[test]
    fn a_closed_library_is_free_even_while_a_copy_of_its_lock_file_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library.db");
        let library = Library::open(&path).unwrap();
        let inherited = library.lock.as_ref().unwrap().0.try_clone().unwrap();
        drop(library);
        Library::open(&path).unwrap();
        drop(inherited);
    }

    #[test]
    fn another_database_and_another_file_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        assert!(matches!(Library::open(&path), Err(StoreError::Foreign(_))));
        let text = folder.path().join("notes.txt");
        std::fs::write(&text, "kick, snare, hat, clap, and more words than a header has").unwrap();
        assert!(matches!(Library::open(&text), Err(StoreError::Foreign(_))));
        assert_eq!(std::fs::read_to_string(&text).unwrap().len(), 56);
        let inner = folder.path().join("inner.db");
        std::fs::create_dir(&inner).unwrap();
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        let before = files();
        for opened in [Library::open(&inner), Library::read(&inner)] {
            assert!(matches!(opened, Err(StoreError::Foreign(_))));
        }
        assert_eq!(files(), before, "nothing is made beside a folder");
    }

    #[test]
    fn questions_that_were_once_stored_are_forgotten_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library.db");
        let library = Library::open(&path).unwrap();
        take_back(&library, 3);
        let insert = "INSERT INTO sample (path, size, modified) VALUES (?1, ?2, 0)";
        let wide: Vec<u8> = "recording".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for name in [b"recording".as_slice(), &wide, b"/a/recording"] {
            library.connection.execute(insert, rusqlite::params![name, 0]).unwrap();
        }
        drop(library);
        let library = Library::open(&path).unwrap();
        let mut left = library.connection.prepare("SELECT path FROM sample").unwrap();
        let left: Vec<Vec<u8>> = left.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(left, [b"/a/recording"]);
    }

    /// Makes it a library of a version that knew no kinds of failure, and no heads.
    fn take_back(library: &Library, version: i64) {
        let later = "ALTER TABLE sample DROP COLUMN failed_kind; DROP TABLE head; DROP TABLE side_output";
        library.connection.execute_batch(later).unwrap();
        library.connection.pragma_update(None, "user_version", version).unwrap();
    }

    /// What earlier versions kept, step and words, and what becomes of it.
    const KEPT: [(&str, &str, Option<(&str, &str, &str)>); 28] = [
        (
            "decode",
            "cannot be read (Input/output error (os error 5)); check its permissions and the drive",
            Some(("read", "unreadable", "Input/output error (os error 5)")),
        ),
        (
            "read",
            "cannot read file (Permission denied (os error 13)); check its permissions and the drive",
            Some(("read", "unreadable", "Permission denied (os error 13)")),
        ),
        ("decode", "file is empty", Some(("decode", "empty", ""))),
        (
            "decode",
            "format is not supported (WavPack); convert it to WAV or FLAC",
            Some(("decode", "unsupported_format", "WavPack")),
        ),
        (
            "decode",
            "unsupported audio format (WavPack); convert the file to WAV or FLAC",
            Some(("decode", "unsupported_format", "WavPack")),
        ),
        (
            "decode",
            "is in no audio format that is known; convert it to WAV or FLAC, or remove it",
            Some(("decode", "unknown_format", "")),
        ),
        (
            "decode",
            "unknown audio format; convert the file to WAV or FLAC, or remove it",
            Some(("decode", "unknown_format", "")),
        ),
        (
            "decode",
            "holds no audio track with a known codec; convert it to WAV or FLAC",
            Some(("decode", "no_track", "")),
        ),
        (
            "decode",
            "no audio track with a known codec; convert the file to WAV or FLAC",
            Some(("decode", "no_track", "")),
        ),
        (
            "decode",
            "holds no audio that can be decoded (3 corrupt packets); replace it with a good copy",
            Some(("decode", "no_audio", "3")),
        ),
        (
            "decode",
            "no audio could be decoded (0 corrupt packets); replace the file with a good copy",
            Some(("decode", "no_audio", "0")),
        ),
        (
            "decode",
            "is damaged or no audio file (not a regular file); replace it with a good copy",
            Some(("decode", "damaged", "not a regular file")),
        ),
        (
            "decode",
            "damaged or not an audio file (header states 0 Hz, 2 channels); replace it with a good copy",
            Some(("decode", "damaged", "header states 0 Hz, 2 channels")),
        ),
        (
            "decode",
            "decoder failed (attempt to add); convert it to WAV or FLAC",
            Some(("decode", "decoder_panic", "attempt to add")),
        ),
        ("embed", "is silent (peak below -80 dBFS), so it has no neighbours", Some(("embed", "silent", ""))),
        ("embed", "sound is silent (peak below -80 dBFS) and cannot be compared", Some(("embed", "silent", ""))),
        (
            "embed",
            "sample rate of 2000000 Hz cannot be converted; convert the file to 44100 Hz",
            Some(("embed", "sample_rate", "2000000")),
        ),
        (
            "embed",
            "unsupported sample rate of 77 Hz; convert the file to 44100 Hz",
            Some(("embed", "sample_rate", "77")),
        ),
        (
            "embed",
            "model gives no vector for it; convert the file to WAV or choose another model",
            Some(("embed", "undefined", "")),
        ),
        (
            "embed",
            "model returned infinite or undefined numbers; convert the file to WAV or choose another model",
            Some(("embed", "undefined", "")),
        ),
        ("embed", "analysis failed (oh); convert the file to WAV", Some(("embed", "analysis_panic", "oh"))),
        ("decode", "words of another time", None),
        ("embed", "", None),
        ("decode", "the file is empty", None),
        ("decode", "decoder failed", None),
        ("embed", "not silent", None),
        ("embed", "sample rate", None),
        ("embed", "model", None),
    ];

    #[test]
    fn the_words_of_earlier_versions_become_kinds_and_others_are_looked_at_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library.db");
        let library = Library::open(&path).unwrap();
        take_back(&library, 4);
        let insert = "INSERT INTO sample (path, size, modified, failed_stage, failed_reason) VALUES (?1, 1, 0, ?2, ?3)";
        for (i, (stage, reason, _)) in KEPT.iter().enumerate() {
            library.connection.execute(insert, rusqlite::params![[u8::try_from(i).unwrap()], stage, reason]).unwrap();
        }
        drop(library);
        let library = Library::open(&path).unwrap();
        let select = "SELECT failed_stage, failed_kind, failed_reason FROM sample WHERE path = ?1";
        for (i, (_, reason, expected)) in KEPT.iter().enumerate() {
            let found: [Option<String>; 3] = library
                .connection
                .query_row(select, [[u8::try_from(i).unwrap()]], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))
                .unwrap();
            let found = found.each_ref().map(Option::as_deref);
            assert_eq!(found, expected.map_or([None; 3], |(a, b, c)| [a, b, c].map(Some)), "{reason}");
            if let [Some(stage), Some(kind), _] = found {
                assert!(Stage::from_name(stage).is_some() && FailureKind::from_name(kind).is_some(), "{kind}");
            }
        }
    }

    #[test]
    fn a_library_of_a_later_version_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library.db");
        let library = Library::open(&path).unwrap();
        library.connection.pragma_update(None, "user_version", 99).unwrap();
        drop(library);
        assert!(matches!(Library::open(&path), Err(StoreError::Newer { found: 99, .. })));
    }
}
