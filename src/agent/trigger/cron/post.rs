//! The crate's store of jobs, and the pigeonholes between its ticks and its bodies.

use std::collections::{BTreeMap, HashMap};
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio_cron_scheduler::job::job_data::{JobAndNextTick, JobStoredData, JobType};
use tokio_cron_scheduler::store::{DataStore, InitStore};
use tokio_cron_scheduler::{JobSchedulerError, MetaDataStorage};
use uuid::Uuid;

use super::{SharedBoard, job_id, lock};
use crate::clock::SharedClock;
use crate::policy::due::Claimed;

/// What was claimed and is not yet with the runner.
pub(super) struct Post {
    board: SharedBoard,
    clock: SharedClock,
    desk: Mutex<Desk>,
}

struct Desk {
    /// `None` once closed.
    out: Option<mpsc::Sender<Claimed>>,
    pigeonholes: BTreeMap<Uuid, Claimed>,
}

impl Post {
    pub(super) fn new(board: SharedBoard, out: mpsc::Sender<Claimed>, clock: SharedClock) -> Self {
        Self { board, clock, desk: Mutex::new(Desk { out: Some(out), pigeonholes: BTreeMap::new() }) }
    }

    pub(super) fn board(&self) -> &Mutex<crate::policy::due::Board> {
        &self.board
    }

    /// Sends what is in the job's pigeonhole, if there is anything and room for it.
    pub(super) fn deliver(&self, id: Uuid) {
        self.desk().deliver(id);
    }

    /// Drops what waits for a job that is gone.
    pub(super) fn forget(&self, id: Uuid) {
        self.desk().pigeonholes.remove(&id);
    }

    /// Sends nothing more.
    pub(super) fn close(&self) {
        let mut desk = self.desk();
        desk.out = None;
        desk.pigeonholes.clear();
    }

    /// Claims what is due and returns whose pigeonholes have something in them now. Nothing is claimed while
    /// something is left over from the tick before and cannot be sent.
    fn collect(&self) -> Vec<Uuid> {
        let mut desk = self.desk();
        let left_over: Vec<Uuid> = desk.pigeonholes.keys().copied().collect();
        left_over.into_iter().for_each(|id| desk.deliver(id));
        if !desk.pigeonholes.is_empty() || !desk.has_room() {
            return Vec::new();
        }
        let claimed = lock(&self.board).claim(self.clock.now());
        for fire in claimed.fires {
            desk.pigeonholes.entry(job_id(&fire.job)).or_default().fires.push(fire);
        }
        for missed in claimed.skipped {
            desk.pigeonholes.entry(job_id(&missed.job)).or_default().skipped.push(missed);
        }
        desk.pigeonholes.keys().copied().collect()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn deliver(&mut self, id: Uuid) {
        let Some(place) = self.out.as_ref().and_then(|out| out.try_reserve().ok()) else { return };
        if let Some(claimed) = self.pigeonholes.remove(&id) {
            place.send(claimed);
        }
    }

    fn has_room(&self) -> bool {
        self.out.as_ref().is_some_and(|out| out.capacity() > 0 && !out.is_closed())
    }
}

/// What the crate keeps of its jobs. It is handed each job's data and asked for it again; what is due it gets from
/// the post, and the next ticks that it works out itself are ignored.
pub(super) struct Store {
    post: Arc<Post>,
    jobs: HashMap<Uuid, JobStoredData>,
    inited: bool,
}

impl Store {
    pub(super) fn new(post: Arc<Post>) -> Self {
        Self { post, jobs: HashMap::new(), inited: false }
    }
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, JobSchedulerError>> + Send>>;

fn answer<T: Send + 'static>(value: T) -> Answer<T> {
    let ready: Ready<Result<T, JobSchedulerError>> = ready(Ok(value));
    Box::pin(ready)
}

impl MetaDataStorage for Store {
    fn list_next_ticks(&mut self) -> Answer<Vec<JobAndNextTick>> {
        // The crate runs what it is given with a tick in its past and deletes jobs with tick 0. The board has
        // decided already, hence the first second there is.
        let due = self.post.collect().into_iter().filter(|id| self.jobs.contains_key(id)).map(|id| {
            JobAndNextTick {
                id: Some(id.into()),
                job_type: JobType::Cron.into(),
                next_tick: 1,
                last_tick: None,
            }
        });
        answer(due.collect())
    }

    fn set_next_and_last_tick(
        &mut self,
        _: Uuid,
        _: Option<DateTime<Utc>>,
        _: Option<DateTime<Utc>>,
    ) -> Answer<()> {
        answer(())
    }

    fn time_till_next_job(&mut self) -> Answer<Option<std::time::Duration>> {
        answer(None)
    }
}

impl DataStore<JobStoredData> for Store {
    fn get(&mut self, id: Uuid) -> Answer<Option<JobStoredData>> {
        answer(self.jobs.get(&id).cloned())
    }

    fn add_or_update(&mut self, data: JobStoredData) -> Answer<()> {
        if let Some(id) = &data.id {
            self.jobs.insert(id.into(), data);
        }
        answer(())
    }

    fn delete(&mut self, id: Uuid) -> Answer<()> {
        self.jobs.remove(&id);
        answer(())
    }
}

impl InitStore for Store {
    fn init(&mut self) -> Answer<()> {
        self.inited = true;
        answer(())
    }

    fn inited(&mut self) -> Answer<bool> {
        answer(self.inited)
    }
}
