//! The requests as written down, seen from another connection: only what is committed shows.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::world::Inner;

impl Inner {
    /// Looks into this database from now on.
    pub fn watch_rows(&mut self, path: &Path) {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        self.side = Connection::open_with_flags(path, flags).ok();
    }

    /// How many requests are written down.
    pub fn rows_written(&self) -> Option<u64> {
        self.number("select count(*) from requests")
    }

    /// How many of them nobody has settled.
    pub fn rows_left_open(&self) -> Option<u64> {
        self.number("select count(*) from requests where state = 'sent'")
    }

    fn number(&self, sql: &str) -> Option<u64> {
        let mut statement = self.side.as_ref()?.prepare_cached(sql).ok()?;
        statement.query_row([], |row| row.get::<_, i64>(0)).ok().map(i64::unsigned_abs)
    }
}
