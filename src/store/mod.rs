//! The only SQL. Elsewhere a transaction is an opaque [`Tx`] that is passed to the functions of this room, a file
//! a noun, so that another database can stand behind the same functions one day.
//!
//! Transactions are synchronous closures, `store.write(|tx| ...)`: an await inside one does not compile, so none
//! can be open while something remote is waited for. One connection writes and one reads, each owned by one thread;
//! a pool would only move SQLite's single-writer rule from our queue into its busy errors.
//!
//! A closure that was handed over runs to its end even if nobody awaits the answer any more.

pub mod accounts;
pub mod backup;
mod closed_resources;
mod columns;
mod connection;
pub mod cursors;
pub mod deferrals;
mod error;
pub mod flags;
pub mod integrity;
pub mod intents;
pub mod jobs;
mod lane;
pub mod leases;
pub mod listing_history;
pub mod listings;
pub mod logins;
mod migrate;
pub mod movements;
pub mod order_parts;
pub mod orders;
pub mod parked;
pub mod plans;
pub mod problems;
pub mod promotions;
pub mod quotas;
pub mod requests;
pub mod room;
pub mod runs;
pub mod session;
pub mod snapshots;
pub mod tally;
#[cfg(test)]
pub(crate) mod testing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior};

pub use error::StoreError;
pub use lane::Lane;
use lane::{Runner, Slot};

/// A handle on the database, cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    lane: Lane,
    writer: Runner,
    reader: Runner,
}

/// A transaction, to be passed to the functions of this room.
pub struct Tx<'c>(&'c Connection);

impl Store {
    /// Opens the database for the owner of the instance lock: makes it where there is none, copies it into
    /// `backups/` beside it before each pending migration, and migrates it.
    pub fn open(path: &Path, how: Lane, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let open = || {
            let mut conn = connection::create(path)?;
            migrate::run(&mut conn, path, now)?;
            Ok(conn)
        };
        let conn = open().map_err(|error: StoreError| error.at(path))?;
        Self::with(path, how, conn)
    }

    /// Opens another process's database, to read it and to write short rows. Nothing is migrated: a database that
    /// is missing, or made by another version's schema, is refused.
    pub fn open_beside(path: &Path) -> Result<Self, StoreError> {
        let open = || {
            let conn = connection::existing(path)?;
            migrate::expect_current(&conn, path)?;
            Ok(conn)
        };
        let conn = open().map_err(|error: StoreError| error.at(path))?;
        Self::with(path, Lane::Thread, conn)
    }

    /// Runs `f` in a transaction that may write. It begins as a write, commits when `f` returns `Ok`, and is rolled
    /// back when it returns an error or panics.
    pub async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.inner.writer.run(|conn| transact(conn, TransactionBehavior::Immediate, f)).await;
        done.map_err(|error| error.at(&self.inner.path))
    }

    /// Runs `f` in a transaction that sees one state of the database throughout and cannot write. It does not wait
    /// for writers, nor they for it.
    pub async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.inner.reader.run(|conn| transact(conn, TransactionBehavior::Deferred, f)).await;
        done.map_err(|error| error.at(&self.inner.path))
    }

    /// Does work that waits for the disk and needs no database, for example reading a long file. Under simulated time it
    /// is done in the caller like everything else, so that the order of things stays the same.
    pub async fn aside<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.lane.aside(name, work).await
    }

    /// Waits for what was handed over before, writes everything into the one file, and lets go of it. Every use
    /// of any handle after this is an error.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.inner.reader.close(|_| Ok(())).await?;
        let done = self.inner.writer.close(connection::checkpoint).await;
        done.map_err(|error| error.at(&self.inner.path))
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    fn with(path: &Path, lane: Lane, conn: Connection) -> Result<Self, StoreError> {
        let writer = Runner::start("store-write", lane, Slot::open(conn))?;
        let reader = Runner::start("store-read", lane, Slot::later(path.to_owned()))?;
        Ok(Self { inner: Arc::new(Inner { path: path.to_owned(), lane, writer, reader }) })
    }
}

fn transact<T>(
    conn: &mut Connection,
    behavior: TransactionBehavior,
    f: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // Dropped without a commit, it rolls back: also while a panic of `f` unwinds through here.
    let tx = conn.transaction_with_behavior(behavior)?;
    let value = f(&Tx(&tx))?;
    tx.commit()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::domain::{AccountName, ErrorType};
    use testing::{now, store};

    fn file(dir: &tempfile::TempDir, name: &str) -> PathBuf {
        dir.path().join(name)
    }

    async fn cursor(store: &Store) -> Option<DateTime<Utc>> {
        store.read(|tx| cursors::feed_read_at(tx, &AccountName::from("cm"), "paid")).await.unwrap()
    }

    fn set_cursor(tx: &Tx<'_>) -> Result<(), StoreError> {
        cursors::set_feed_read_at(tx, &"cm".into(), "paid", now())
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_a_restart() {
        for lane in [Lane::Thread, Lane::Inline] {
            let (dir, store) = store(lane);
            assert_eq!(cursor(&store).await, None);
            store.write(set_cursor).await.unwrap();
            assert_eq!(cursor(&store).await, Some(now()));
            store.close().await.unwrap();
            assert!(!file(&dir, "sellerd.db-wal").exists(), "one file is all there is");
            let mode = std::fs::metadata(store.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "it is nobody else's to read");
            let again = Store::open(store.path(), lane, now()).unwrap();
            assert_eq!(cursor(&again).await, Some(now()));
        }
    }

    #[tokio::test]
    async fn an_error_or_a_panic_undoes_its_transaction_and_nothing_else() {
        for lane in [Lane::Thread, Lane::Inline] {
            let (_dir, store) = store(lane);
            let failed = store.write(|tx| set_cursor(tx).and(Err::<(), _>(StoreError::Closed))).await;
            assert_eq!(failed, Err(StoreError::Closed));
            let panicked: Result<(), _> = store
                .write(|tx| {
                    set_cursor(tx)?;
                    panic!("on purpose")
                })
                .await;
            assert!(panicked.unwrap_err().to_string().contains("on purpose"));
            assert_eq!(cursor(&store).await, None);
            store.write(set_cursor).await.unwrap();
            assert_eq!(cursor(&store).await, Some(now()));
        }
    }

    #[tokio::test]
    async fn a_read_cannot_write() {
        let (_dir, store) = store(Lane::Inline);
        assert!(store.read(set_cursor).await.is_err());
        assert_eq!(cursor(&store).await, None);
    }

    #[tokio::test]
    async fn a_closed_store_says_so_and_closing_twice_is_harmless() {
        for lane in [Lane::Thread, Lane::Inline] {
            let (_dir, store) = store(lane);
            let handle = store.clone();
            store.close().await.unwrap();
            handle.close().await.unwrap();
            assert_eq!(handle.write(set_cursor).await, Err(StoreError::Closed));
            assert_eq!(handle.read(flags::halted).await, Err(StoreError::Closed));
        }
    }

    #[tokio::test]
    async fn a_write_whose_caller_went_away_is_still_made() {
        let (_dir, store) = store(Lane::Thread);
        let (started, go) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let mut write = Box::pin(store.write(move |tx| {
            started.0.send(()).unwrap();
            go.1.recv().unwrap();
            set_cursor(tx)
        }));
        assert!(tokio::time::timeout(Duration::ZERO, &mut write).await.is_err());
        started.1.recv().unwrap();
        drop(write);
        go.0.send(()).unwrap();
        // Writes are made in the order in which they were handed over.
        store.write(|_| Ok(())).await.unwrap();
        assert_eq!(cursor(&store).await, Some(now()));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_writers_all_get_their_turn() {
        let (_dir, store) = store(Lane::Thread);
        let writers = (0..100).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                store.write(|tx| leases::take_over(tx, &"cm".into(), "x", now())).await.unwrap()
            })
        });
        let writers: Vec<_> = writers.collect();
        let mut epochs = Vec::new();
        for writer in writers {
            epochs.push(writer.await.unwrap());
        }
        epochs.sort_unstable();
        assert!(epochs.into_iter().eq(1..=100));
    }

    #[tokio::test]
    async fn another_process_reads_and_writes_short_rows_beside_the_owner() {
        let (dir, owner) = store(Lane::Thread);
        let beside = Store::open_beside(owner.path()).unwrap();
        beside.write(|tx| flags::set_halted(tx, Some(now()))).await.unwrap();
        assert_eq!(owner.read(flags::halted).await.unwrap(), Some(now()));
        owner.write(|tx| flags::set_halted(tx, None)).await.unwrap();
        assert_eq!(beside.read(flags::halted).await.unwrap(), None);

        let missing = Store::open_beside(&file(&dir, "other.db")).err().unwrap();
        assert!(matches!(missing, StoreError::NoDatabase { .. }), "{missing}");
        assert!(!file(&dir, "other.db").exists());
    }

    #[test]
    fn a_database_that_stays_in_use_is_locked_and_not_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(&dir, "sellerd.db");
        let mut holder = connection::create(&path).unwrap();
        let mut other = connection::existing(&path).unwrap();
        other.busy_timeout(Duration::ZERO).unwrap();
        let held = holder.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let refused = transact(&mut other, TransactionBehavior::Immediate, |_| Ok(())).unwrap_err();
        assert_eq!(refused.error_type(), ErrorType::DbLocked, "{refused}");
        drop(held);
        transact(&mut other, TransactionBehavior::Immediate, |_| Ok(())).unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_undoes_the_transaction_and_the_store_goes_on_when_there_is_room() {
        let (_dir, store) = store(Lane::Inline);
        let pages = |tx: &Tx<'_>, most: i64| -> Result<(), StoreError> {
            Ok(tx.0.pragma_update_and_check(None, "max_page_count", most, |_| Ok(()))?)
        };
        let fill = |tx: &Tx<'_>| {
            set_cursor(tx)?;
            let mark = "x".repeat(1_000_000);
            accounts::set_credentials_mark(tx, &"cm".into(), &mark)
        };
        store.write(move |tx| pages(tx, 1)).await.unwrap();
        let full = store.write(fill).await.unwrap_err();
        assert_eq!(full.error_type(), ErrorType::DiskFull, "{full}");
        assert_eq!(cursor(&store).await, None);
        store.write(move |tx| pages(tx, 1_000_000)).await.unwrap();
        store.write(fill).await.unwrap();
        assert_eq!(cursor(&store).await, Some(now()));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(file(&dir, "state"), b"a file").unwrap();
        for place in ["state/sellerd.db", "missing/sellerd.db"] {
            let error = Store::open(&file(&dir, place), Lane::Inline, now()).err().unwrap();
            assert!(matches!(error, StoreError::NotWritable { .. }), "{error}");
            assert!(error.to_string().contains(place), "{error}");
        }
    }
}
