//! Where transactions run: on a thread that owns the connection, or right where they are asked for.
//!
//! The thread keeps a slow disk from holding up everything else. Under paused time there may be none, since
//! tokio's clock would run on while it commits. A thread with nothing to do sleeps until work arrives.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{StoreError, connection};

/// Where a store's transactions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// On threads of their own.
    Thread,
    /// In the caller, while it waits: for simulated time.
    Inline,
}

impl Lane {
    /// Does work that waits for a disk but not for the database: beside the transactions, and holding up neither them
    /// nor the caller's thread. A panic in it is this call's error.
    pub(super) async fn aside<T: Send + 'static>(
        self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let broke_off = |why: &str| StoreError::Internal(format!("{name} broke off: {why}"));
        if self == Self::Inline {
            let done = catch_unwind(AssertUnwindSafe(work));
            tokio::task::yield_now().await;
            return done.map_err(|panic| broke_off(words_of(&*panic)));
        }
        let (answer, answered) = oneshot::channel();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || drop(answer.send(work())))
            .map_err(|error| broke_off(&format!("its thread could not be started: {error}")))?;
        answered.await.map_err(|_| broke_off("its thread has panicked"))
    }
}

/// Transactions that may wait in line. More callers than this wait before they are in it.
const QUEUE: usize = 64;

/// Runs work on one connection, one piece after the other.
pub(super) enum Runner {
    Thread(mpsc::Sender<Work>),
    Inline(Mutex<Slot>),
}

type Work = Box<dyn FnOnce(&mut Slot) + Send>;

impl Runner {
    /// A runner for the connection in `slot`.
    pub(super) fn start(name: &str, lane: Lane, mut slot: Slot) -> Result<Self, StoreError> {
        if lane == Lane::Inline {
            return Ok(Self::Inline(Mutex::new(slot)));
        }
        let (sender, mut queue) = mpsc::channel::<Work>(QUEUE);
        let body = move || {
            while let Some(work) = queue.blocking_recv() {
                work(&mut slot);
                if matches!(slot, Slot::Closed) {
                    break;
                }
            }
        };
        let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        spawned.map_err(|e| StoreError::Internal(format!("the thread {name} could not be started: {e}")))?;
        Ok(Self::Thread(sender))
    }

    /// Runs `f` on the connection. A panic in it is this call's error and nobody else's.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.with_slot(|slot| f(slot.connection()?)).await
    }

    /// Runs `last` on the connection if it was ever opened, and closes it.
    pub(super) async fn close(
        &self,
        last: impl FnOnce(&mut Connection) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let close = |slot: &mut Slot| match std::mem::replace(slot, Slot::Closed) {
            Slot::Open(mut conn) => {
                let done = last(&mut conn);
                conn.close().map_err(|(_, error)| error)?;
                done
            }
            Slot::Later(_) | Slot::Closed => Ok(()),
        };
        match self.with_slot(close).await {
            // Closing twice is harmless.
            Err(StoreError::Closed) => Ok(()),
            done => done,
        }
    }

    async fn with_slot<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Slot) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Inline(slot) => {
                let done = caught(&mut slot.lock().unwrap_or_else(PoisonError::into_inner), f);
                // With a thread the others get their turn here, and the process can die here.
                tokio::task::yield_now().await;
                done
            }
            Self::Thread(queue) => {
                let (answer, answered) = oneshot::channel();
                // Nobody listens when the caller was dropped; what was asked for is done all the same.
                let work: Work = Box::new(move |slot| drop(answer.send(caught(slot, f))));
                queue.send(work).await.map_err(|_| StoreError::Closed)?;
                answered.await.map_err(|_| StoreError::Closed)?
            }
        }
    }
}

/// A connection that is open, will be opened when it is first needed, or is closed for good.
pub(super) enum Slot {
    Open(Connection),
    Later(PathBuf),
    Closed,
}

impl Slot {
    /// A connection that is there.
    pub(super) fn open(conn: Connection) -> Self {
        Self::Open(conn)
    }

    /// A connection that can only read, opened when it is first needed.
    pub(super) fn later(path: PathBuf) -> Self {
        Self::Later(path)
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        if let Self::Later(path) = self {
            *self = Self::Open(connection::reading(path)?);
        }
        match self {
            Self::Open(conn) => Ok(conn),
            Self::Later(_) | Self::Closed => Err(StoreError::Closed),
        }
    }
}

/// Calls `f` and turns a panic into an error. The connection is sound after one: its transaction was rolled back.
fn caught<T>(slot: &mut Slot, f: impl FnOnce(&mut Slot) -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(|| f(slot))).unwrap_or_else(|panic| {
        Err(StoreError::Internal(format!("a transaction panicked and was undone: {}", words_of(&*panic))))
    })
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
