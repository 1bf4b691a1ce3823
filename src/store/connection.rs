//! How a connection is set up: durable, small, strict.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::{StoreError, backup};

/// How long a statement waits for another process's short write.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Page cache of one connection, in KiB. Everything that is read often fits.
const CACHE_KIB: i64 = 2_048;

/// What is left of the write-ahead log after it was merged, in bytes.
const LOG_KEPT: i64 = 4 * 1024 * 1024;

/// The longest text or row, in bytes. Nothing of ours comes near; a damaged length must not ask for a gigabyte.
const LONGEST: i32 = 64 * 1024 * 1024;

/// The writing connection of the instance lock's owner. Makes the file, for its user alone, where there is none.
pub(super) fn create(path: &Path) -> Result<Connection, StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => refuse_emptied(path)?,
        Err(error) => return Err(StoreError::from_io(path, &error)),
    }
    writing(path)
}

/// A writing connection to a database that is there.
pub(super) fn existing(path: &Path) -> Result<Connection, StoreError> {
    match std::fs::metadata(path) {
        Ok(_) => writing(path),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(StoreError::NoDatabase { path: path.into() })
        }
        Err(error) => Err(StoreError::from_io(path, &error)),
    }
}

/// A connection that cannot write, to a database that is there.
pub(super) fn reading(path: &Path) -> Result<Connection, StoreError> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// A connection to a copy that nobody else has open. The file cannot be changed by it.
pub(super) fn reading_copy(path: &Path) -> Result<Connection, StoreError> {
    match std::fs::metadata(path) {
        Ok(_) => open(path, OpenFlags::SQLITE_OPEN_READ_ONLY),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(StoreError::NoDatabase { path: path.into() })
        }
        Err(error) => Err(StoreError::from_io(path, &error)),
    }
}

/// Merges the write-ahead log into the database, so that the one file is all there is. When another process is
/// reading, what it still needs stays in the log, which is as durable.
pub(super) fn checkpoint(conn: &mut Connection) -> Result<(), StoreError> {
    Ok(conn.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?)
}

/// A file of no length is how a database begins, and what is left of one that was cut off. Where there are copies,
/// there was something in it.
fn refuse_emptied(path: &Path) -> Result<(), StoreError> {
    let empty = std::fs::metadata(path).is_ok_and(|file| file.len() == 0);
    match backup::newest(&backup::folder(path)).filter(|_| empty) {
        Some(_) => Err(StoreError::damaged("there is nothing in it, but there are copies of it")),
        None => Ok(()),
    }
}

fn writing(path: &Path) -> Result<Connection, StoreError> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mode = conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    if mode != "wal" {
        let why = format!("the file system cannot hold a write-ahead log (journal mode is {mode})");
        return Err(StoreError::NotWritable { path: path.into(), why });
    }
    // FULL: what was committed survives a power cut. A request that was counted may not be forgotten.
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "journal_size_limit", LOG_KEPT)?;
    Ok(conn)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    // No URI: a path is a path, whatever characters it has. No mutex: each connection has one owner.
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST)?;
    // The file may be damaged or not ours: its schema may not call functions, nor may its pages be rewritten raw.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(conn)
}
