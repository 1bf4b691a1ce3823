//! What the tests of this room share.

use chrono::{DateTime, TimeZone, Utc};
use rusqlite::Connection;
use serde_json::value::RawValue;
use tempfile::TempDir;

use super::plans::NewPlan;
use super::{Lane, Store, migrate};
use crate::domain::{PlanState, RunId};

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

/// A plan of job `sync` for account `cm`, made by its first run and good until it is made.
pub(crate) fn planned(now: DateTime<Utc>) -> NewPlan {
    NewPlan {
        job: "sync".into(),
        account: "cm".into(),
        made_by: RunId(1),
        created_at: now,
        expires_at: now,
        base_snapshot: None,
        undo_of: None,
        source: raw("{}"),
        guards: raw("[]"),
        summary: raw("{}"),
        state: PlanState::Planned,
    }
}

/// JSON, to the letter.
pub(crate) fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}
