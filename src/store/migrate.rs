//! Brings a database to the schema of this binary: numbered SQL files, each applied once, in a transaction of its
//! own, after a copy was made.
//!
//! A file is never edited once released: its checksum is kept with every database it was applied to. A database that
//! knows more than we do is left alone.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sha1::{Digest, Sha1};

use super::columns::ms;
use super::{StoreError, backup};

/// One numbered SQL file; the number is its place in [`ALL`], counted from one.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($name:literal,)*) => {
        &[$(Migration { name: $name, sql: include_str!(concat!("../../migrations/", $name, ".sql")) },)*]
    };
}

const ALL: &[Migration] = migrations![
    "0001_runs",
    "0002_accounts",
    "0003_stock",
    "0004_orders",
    "0005_order_parts",
    "0006_plans",
    "0007_access",
    "0008_logins",
    "0009_budgets",
    "0010_vouched",
    "0011_reckoning",
    "0012_doubted",
];

const BOOK: &str = "create table schema_migrations (
    version         integer primary key,
    name            text    not null,
    checksum        text    not null,
    applied_at      integer not null,
    sellerd_version text    not null
) strict";

/// Applies what is pending to the database at `path`.
pub(super) fn run(conn: &mut Connection, path: &Path, now: DateTime<Utc>) -> Result<(), StoreError> {
    run_up_to(conn, Some(path), now, ALL.len())
}

/// Refuses a database whose schema is not this binary's.
pub(super) fn expect_current(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = applied(conn, path)?;
    if found < ALL.len() {
        return Err(StoreError::Older { path: path.into(), found: number(found), known: number(ALL.len()) });
    }
    Ok(())
}

/// Refuses what this binary could not take over, as it is or by migrating it.
pub(super) fn expect_known(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    if applied(conn, path)? == 0 { Err(StoreError::damaged("there is nothing in it")) } else { Ok(()) }
}

/// Applies the first `goal` migrations, as far as they are pending. A database in memory has no path and no copies.
fn run_up_to(
    conn: &mut Connection,
    path: Option<&Path>,
    now: DateTime<Utc>,
    goal: usize,
) -> Result<(), StoreError> {
    let found = applied(conn, path.unwrap_or(Path::new("")))?;
    for (index, migration) in ALL.iter().enumerate().take(goal).skip(found) {
        // A database that is only now being made has nothing to lose.
        if let Some(path) = path.filter(|_| found > 0) {
            backup::copy(conn, &copy_path(path, index, now))?;
        }
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if index == 0 {
            tx.execute_batch(BOOK)?;
        }
        tx.execute_batch(migration.sql)?;
        tx.execute(
            "insert into schema_migrations (version, name, checksum, applied_at, sellerd_version)
             values (?1, ?2, ?3, ?4, ?5)",
            params![
                number(index + 1),
                migration.name,
                checksum(migration.sql),
                ms(now),
                env!("CARGO_PKG_VERSION")
            ],
        )?;
        tx.commit()?;
    }
    Ok(())
}

/// How many migrations the database has, once it is sure that they are ours.
fn applied(conn: &Connection, path: &Path) -> Result<usize, StoreError> {
    let tables: i64 = conn.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(0);
    }
    let book = "select 1 from sqlite_schema where type = 'table' and name = 'schema_migrations'";
    if conn.query_row(book, [], |_| Ok(())).optional()?.is_none() {
        return Err(StoreError::Foreign { path: path.into() });
    }
    let mut rows = conn
        .prepare("select version, name, checksum, sellerd_version from schema_migrations order by version")?;
    let rows = rows.query_map([], |row| {
        Ok(Applied { version: row.get(0)?, name: row.get(1)?, checksum: row.get(2)?, wrote_by: row.get(3)? })
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    if let Some(last) = rows.last().filter(|last| last.version > number(ALL.len())) {
        return Err(newer(path, last));
    }
    for (index, row) in rows.iter().enumerate() {
        if row.version != number(index + 1) {
            return Err(StoreError::damaged(format!("it has no record of migration {}", index + 1)));
        }
        if row.checksum != checksum(ALL[index].sql) {
            let (migration, wrote_by) = (row.name.clone(), row.wrote_by.clone());
            return Err(StoreError::Altered { path: path.into(), migration, wrote_by });
        }
    }
    Ok(rows.len())
}

struct Applied {
    version: u32,
    name: String,
    checksum: String,
    wrote_by: String,
}

fn newer(path: &Path, last: &Applied) -> StoreError {
    // The copy made before the first migration that we do not know is one that we can work with.
    let older_copy = backup::newest_before(&backup::folder(path), number(ALL.len() + 1));
    StoreError::Newer {
        path: path.into(),
        found: last.version,
        known: number(ALL.len()),
        wrote_by: last.wrote_by.clone(),
        older_copy,
    }
}

fn copy_path(db: &Path, index: usize, now: DateTime<Utc>) -> PathBuf {
    backup::folder(db).join(backup::name_before(number(index + 1), now))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn checksum(sql: &str) -> String {
    Sha1::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The schema in a connection of a test's own.
#[cfg(test)]
pub(super) fn in_memory(conn: &mut Connection) -> Result<(), StoreError> {
    run_up_to(conn, None, DateTime::UNIX_EPOCH, ALL.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::now;
    use crate::store::{Lane, Store, connection};

    /// A row or more for each table a migration makes, put in before the next one is applied.
    const ROWS: [&str; 12] = [
        "insert into session values (1, '0.1.0', 1, 2, null);
         insert into flags values ('halted', 5);
         insert into jobs_state values ('pull', 7);
         insert into runs (job, kind, due_at, started_at, trigger) values ('pull', 'stock-pull', 1, 2, 'schedule');
         insert into problems values ('P1', 'cm', 'warning', 't', 1, 'f', null);",
        "insert into leases values ('cm', 'host', 3, 1);
         insert into accounts_access (account) values ('cm');
         insert into quota_windows values ('cm', 'day', 1, 2, 3);
         insert into requests (account, epoch, run_id, method, template, class, attempt, sent_at)
         values ('cm', 3, 1, 'GET', 'stock/{start}', 'stock', 1, 4);",
        "insert into snapshots (account, started_at) values ('cm', 1);
         insert into listings values ('cm', 1, 's', 't', 1, 0, 5, 'EUR', '{}', 1, 1, 1);
         insert into listing_history (account, listing_id, at, snapshot_id, op) values ('cm', 1, 1, 1, 'add');",
        "insert into orders values ('cm', 1, 'paid', 1, 2, 'EUR', 5, null, 1, 1, null);
         insert into order_lines values ('cm', 1, 1, 's', 1, 't', 1, 5);
         insert into stock_movements values (1, 'cm', 1, 1, 0, 's', -1, 'sale', 1, 1);
         insert into poll_cursors values ('cm', 'paid', 1);",
        "insert into order_parts values ('cm', 1, 1, 'paid', 1, 2, 'EUR', 5, null);",
        "insert into plans (job, account, made_by, created_at, expires_at, source, guards, summary)
         values ('sync', 'cm', 1, 1, 2, '{}', '[]', '{}');
         insert into intents (plan_id, seq, account, op, sku, title, reason) values (1, 0, 'cm', 'add', 's', 't', 'r');
         insert into plan_held values (1, 0, 's', null, 'r', 'd');
         insert into parked values ('cm', 1, '1 - 1 = 1');
         insert into promotions values ('sync', 1);",
        "insert into closed_resources values ('cm', 'GET x', 403, 'd', 1, 1, 1);",
        "insert into logins values ('cm', 1, 'shop', 'read,write', 'm', 1, 2, 1);",
        "insert into request_tally values ('cm', 1, 'pull', 'stock', 2);
         insert into deferrals values ('pull', 'cm', 7, 1, 2);",
        "update closed_resources set vouched = 1;",
        "update accounts_access set said_theirs = 1, said_life = 'boot', said_up_ms = 2;",
        "update accounts_access set said_doubted = 3;",
    ];

    fn contents(conn: &Connection) -> Vec<(String, i64)> {
        let tables = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'
                      and name <> 'schema_migrations' order by name";
        let mut names = conn.prepare(tables).unwrap();
        let names: Vec<String> = names.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
        let count = |name: &String| {
            conn.query_row(&format!("select count(*) from {name}"), [], |r| r.get(0)).unwrap()
        };
        names.iter().map(|name| (name.clone(), count(name))).collect()
    }

    #[test]
    fn rows_put_in_between_two_migrations_are_there_after_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sellerd.db");
        assert_eq!(ROWS.len(), ALL.len(), "a new migration needs its rows here");
        for (step, rows) in ROWS.iter().enumerate() {
            // Each step opens the file anew, as after a kill between two of them.
            let mut conn = connection::create(&path).unwrap();
            run_up_to(&mut conn, Some(&path), now(), step + 1).unwrap();
            run_up_to(&mut conn, Some(&path), now(), step + 1).unwrap();
            conn.execute_batch(rows).unwrap();
        }
        let conn = connection::existing(&path).unwrap();
        expect_current(&conn, &path).unwrap();
        let counts = contents(&conn);
        assert!(counts.len() >= 17 && counts.iter().all(|(_, rows)| *rows == 1), "{counts:?}");
    }

    #[test]
    fn a_copy_from_before_each_migration_is_there_and_opens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sellerd.db");
        let mut conn = connection::create(&path).unwrap();
        run_up_to(&mut conn, Some(&path), now(), 1).unwrap();
        conn.execute_batch(ROWS[0]).unwrap();
        run(&mut conn, &path, now()).unwrap();
        for version in 2..=ALL.len() {
            let copy = connection::reading_copy(&copy_path(&path, version - 1, now())).unwrap();
            assert_eq!(applied(&copy, &path).unwrap(), version - 1);
            assert!(contents(&copy).contains(&("runs".to_owned(), 1)));
        }
        assert!(!copy_path(&path, 0, now()).exists(), "there is nothing to copy before the first");
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_of_itself() {
        let mut conn = Connection::open_in_memory().unwrap();
        run_up_to(&mut conn, None, now(), 2).unwrap();
        // The third makes an index of this name after it made its first table.
        conn.execute_batch("create table listings (x)").unwrap();
        assert!(run_up_to(&mut conn, None, now(), 3).is_err());
        assert_eq!(applied(&conn, Path::new("")).unwrap(), 2);
        assert!(!contents(&conn).iter().any(|(name, _)| name == "snapshots"));
        conn.execute_batch("drop table listings").unwrap();
        run_up_to(&mut conn, None, now(), 4).unwrap();
    }

    fn tampered(sql: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sellerd.db");
        let mut conn = connection::create(&path).unwrap();
        run(&mut conn, &path, now()).unwrap();
        conn.execute_batch(sql).unwrap();
        (dir, path)
    }

    #[test]
    fn a_newer_database_is_refused_with_the_version_that_wrote_it() {
        let (dir, path) = tampered("insert into schema_migrations values (13, '0013_x', 'x', 1, '9.8.7')");
        std::fs::create_dir_all(dir.path().join("backups")).unwrap();
        let copy = dir.path().join("backups/before-0013-20270101T000000Z.db");
        std::fs::write(&copy, b"").unwrap();
        for opened in [Store::open(&path, Lane::Inline, now()), Store::open_beside(&path)] {
            let error = opened.err().unwrap();
            assert!(matches!(&error, StoreError::Newer { found: 13, known: 12, .. }), "{error}");
            let words = error.to_string();
            assert!(words.contains("9.8.7") && words.contains(copy.to_str().unwrap()), "{words}");
        }
    }

    #[test]
    fn an_applied_migration_that_was_edited_is_refused_by_name() {
        let (_dir, path) = tampered("update schema_migrations set checksum = 'x' where version = 2");
        let error = Store::open(&path, Lane::Inline, now()).err().unwrap();
        assert!(
            matches!(&error, StoreError::Altered { migration, .. } if migration == "0002_accounts"),
            "{error}"
        );
    }

    #[test]
    fn an_unfinished_schema_is_refused_beside_a_daemon_and_finished_by_the_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sellerd.db");
        run_up_to(&mut connection::create(&path).unwrap(), Some(&path), now(), 3).unwrap();
        let error = Store::open_beside(&path).err().unwrap();
        assert!(matches!(error, StoreError::Older { found: 3, known: 12, .. }), "{error}");
        Store::open(&path, Lane::Inline, now()).unwrap();
        assert!(Store::open_beside(&path).is_ok());
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sellerd.db");
        connection::create(&path).unwrap().execute_batch("create table cookies (x)").unwrap();
        let error = Store::open(&path, Lane::Inline, now()).err().unwrap();
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    }
}
