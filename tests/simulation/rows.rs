//! The requests as written down, seen from another connection: only what is committed shows.

use std::path::Path;

use chrono::TimeDelta;
use rusqlite::{Connection, OpenFlags};
use sellerd::clock::Clock;

use crate::market::Name;
use crate::world::Inner;

impl Inner {
    /// Looks into this database from now on.
    pub fn watch_rows(&mut self, path: &Path) {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        self.side = Connection::open_with_flags(path, flags).ok();
        let names: Vec<Name> = self.accounts.keys().copied().collect();
        names.into_iter().for_each(|name| self.read_standing(name));
    }

    /// How many requests are written down.
    pub fn rows_written(&self) -> Option<u64> {
        self.number("select count(*) from requests")
    }

    /// How many of them nobody has settled. A write that was cut off stays open; what became of it stands in its intents.
    /// So does what no run waits for, where its answer could not be written down: the next start closes it.
    pub fn rows_left_open(&self) -> Option<u64> {
        // The agent asks how an account is whenever it is time, which may be now.
        let open = format!(
            "select count(*) from requests where state = 'sent' and writes = 0
             and (run_id is not null or sent_at < {})",
            (self.mine.now() - TimeDelta::minutes(1)).timestamp_millis()
        );
        if self.tally.disk == 0 {
            self.number(&open)
        } else {
            self.number(&format!("{open} and run_id is not null"))
        }
    }

    /// How many intents say that they left with the last write to this account.
    pub fn intents_recorded(&self, account: &str) -> Option<u64> {
        let mut statement = self
            .side
            .as_ref()?
            .prepare_cached(
                "select count(*) from intents where state = 'sent' and request_id =
                    (select max(request_id) from requests where account = ?1 and writes = 1)",
            )
            .ok()?;
        statement.query_row([account], |row| row.get::<_, i64>(0)).ok().map(i64::unsigned_abs)
    }

    /// The intents of this account that nobody could explain: number, key and the sum.
    pub fn parked(&self, account: &str) -> Vec<(i64, String, String)> {
        let read = || {
            let mut statement = self.side.as_ref()?.prepare_cached(
                "select intent_id, sku, coalesce(message, '') from intents where account = ?1 and state = 'parked'",
            );
            let statement = statement.as_mut().ok()?;
            let rows = statement.query_map([account], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            rows.ok()?.collect::<Result<Vec<_>, _>>().ok()
        };
        read().unwrap_or_default()
    }

    /// How many intents of this account are in doubt.
    pub fn in_doubt(&self, account: &str) -> Option<u64> {
        let sql = "select count(*) from intents where account = ?1 and state = 'sent'";
        let mut statement = self.side.as_ref()?.prepare_cached(sql).ok()?;
        statement.query_row([account], |row| row.get::<_, i64>(0)).ok().map(i64::unsigned_abs)
    }

    /// The state of this account's access.
    pub fn access_written(&self, account: &str) -> Option<String> {
        let sql = "select state from accounts_access where account = ?1";
        let mut statement = self.side.as_ref()?.prepare_cached(sql).ok()?;
        statement.query_row([account], |row| row.get(0)).ok()
    }

    /// For the controls: the access of an account in one state is in another.
    pub fn write_access(&self, account: &str, from: &str, to: &str) {
        let sql = "update accounts_access set state = ?3 where account = ?1 and state = ?2";
        // Where it cannot be written the control is not caught, and says so.
        let _ = self.side.as_ref().map(|side| side.execute(sql, [account, from, to]));
    }

    /// For a protection that is taken away: the account is asked again within a minute.
    pub fn write_probe_due(&self, account: &str) {
        let sql = "update accounts_access set probes = 0,
                next_probe_at = coalesce(next_probe_at, since) where account = ?1 and state = 'suspended'";
        let _ = self.side.as_ref().map(|side| side.execute(sql, [account]));
    }

    /// For a protection that is taken away: kills alone say nothing.
    pub fn forget_kills(&self, account: &str) {
        let sql = "update accounts_access set state = 'active'
                where account = ?1 and state = 'suspended' and evidence_status is null";
        let _ = self.side.as_ref().map(|side| side.execute(sql, [account]));
    }

    /// How many requests are left in this account's window by what is written down.
    pub fn rest_written(&self, account: &str, limit: Option<u32>) -> Option<i64> {
        let sql = "select coalesce(allowed, ?2) - used from quota_windows where account = ?1";
        let mut statement = self.side.as_ref()?.prepare_cached(sql).ok()?;
        statement.query_row((account, limit), |row| row.get(0)).ok()?
    }

    fn number(&self, sql: &str) -> Option<u64> {
        let mut statement = self.side.as_ref()?.prepare_cached(sql).ok()?;
        statement.query_row([], |row| row.get::<_, i64>(0)).ok().map(i64::unsigned_abs)
    }
}
