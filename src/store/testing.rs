//! What the tests of this room share.

use chrono::{DateTime, TimeZone, Utc};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{Lane, Store, migrate};

/// A moment with milliseconds.
pub(super) fn now() -> DateTime<Utc> {
    Utc.timestamp_millis_opt(1_795_357_867_250).unwrap()
}

/// The schema in memory, for what is only about SQL.
pub(super) fn scratch() -> Connection {
    let mut conn = Connection::open_in_memory().unwrap();
    conn.pragma_update(None, "foreign_keys", true).unwrap();
    migrate::in_memory(&mut conn).unwrap();
    conn
}

/// A store in a directory of its own.
pub(super) fn store(lane: Lane) -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("sellerd.db"), lane, now()).unwrap();
    (dir, store)
}
