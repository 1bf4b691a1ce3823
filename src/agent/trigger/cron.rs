//! tokio-cron-scheduler as the trigger.
//!
//! The crate ticks every half second and asks its store what is due. The store is ours: it claims from the board,
//! puts what it got for each job into that job's pigeonhole and lists those jobs. The crate then activates their
//! bodies, which empty the pigeonholes into the runner's channel. Its own patterns, zones, repeats and next ticks
//! are not used, since they go wrong when clocks change; every job is registered with a dummy pattern.
//!
//! Why the list does not send the claims itself and spare the bodies: the crate would then be a timer with nothing
//! in it. What its broadcast channels drop, which they do under load, or a job that it failed to register, is
//! found in its pigeonhole at the next tick and sent from the list. So a slot may be half a second late and is
//! never lost, nor sent twice, since only what is taken out of the pigeonhole is sent.

mod post;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_cron_scheduler::{
    JobBuilder, JobScheduler, JobSchedulerError, SimpleJobCode, SimpleNotificationCode,
    SimpleNotificationStore,
};
use uuid::Uuid;

use super::{SharedBoard, Trigger, TriggerError, lock};
use crate::clock::SharedClock;
use crate::domain::JobName;
use crate::policy::due::Claimed;
use post::{Post, Store};

/// The daemon's trigger.
pub struct CronTrigger {
    clock: SharedClock,
    running: Option<Running>,
}

struct Running {
    scheduler: JobScheduler,
    post: Arc<Post>,
    registered: BTreeMap<JobName, Uuid>,
}

/// The crate answers additions and removals over channels that can lose the answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Never looked at: the store lists what the board says.
const DUMMY_PATTERN: &str = "* * * * * *";

impl CronTrigger {
    /// A trigger that tells the time by `clock`.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, running: None }
    }
}

#[async_trait]
impl Trigger for CronTrigger {
    async fn start(&mut self, board: SharedBoard, out: mpsc::Sender<Claimed>) -> Result<(), TriggerError> {
        self.stop().await;
        let not_started = |error: JobSchedulerError| TriggerError::NotStarted(error.to_string());
        // Each fire is announced three times; twice that, so that a full board passes without a loss.
        let jobs = lock(&board).jobs().count();
        let channel = (jobs * 6).next_power_of_two().clamp(256, 8192);
        let post = Arc::new(Post::new(board, out, self.clock.clone()));
        let scheduler = JobScheduler::new_with_storage_and_code(
            Box::new(Store::new(post.clone())),
            Box::new(SimpleNotificationStore::default()),
            Box::new(SimpleJobCode::default()),
            Box::new(SimpleNotificationCode::default()),
            channel,
        );
        let scheduler = scheduler.await.map_err(not_started)?;
        let mut running = Running { scheduler, post, registered: BTreeMap::new() };
        let registered = running.register().await;
        running.scheduler.start().await.map_err(not_started)?;
        self.running = Some(running);
        registered
    }

    async fn replace(&mut self) -> Result<(), TriggerError> {
        match &mut self.running {
            Some(running) => running.register().await,
            None => Ok(()),
        }
    }

    async fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            // The crate may tick once more after its shutdown; by then there is nobody to send to.
            running.post.close();
            match timeout(ANSWER, running.scheduler.shutdown()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the scheduler did not shut down in order"),
                Err(_) => tracing::debug!("the scheduler does not answer; it is left behind"),
            }
        }
    }
}

impl Running {
    /// Brings the crate's list of jobs in line with the board's, one job after the other: it loses answers when
    /// it is asked many things at once.
    async fn register(&mut self) -> Result<(), TriggerError> {
        let wanted: BTreeSet<JobName> = lock(self.post.board()).jobs().cloned().collect();
        let mut first_error = Ok(());
        let gone: Vec<_> = self.registered.keys().filter(|job| !wanted.contains(*job)).cloned().collect();
        for job in gone {
            if let Some(id) = self.registered.remove(&job) {
                let removed = answered(&job, self.scheduler.remove(&id)).await;
                first_error = first_error.and(removed);
                self.post.forget(id);
            }
        }
        for job in wanted {
            if !self.registered.contains_key(&job) {
                match self.add(&job).await {
                    Ok(id) => _ = self.registered.insert(job, id),
                    error => first_error = first_error.and(error.map(drop)),
                }
            }
        }
        first_error
    }

    async fn add(&self, job: &JobName) -> Result<Uuid, TriggerError> {
        let body_post = self.post.clone();
        let registration = JobBuilder::new()
            .with_job_id(job_id(job).into())
            .with_cron_job_type()
            .with_schedule(DUMMY_PATTERN)
            .map(|builder| {
                builder.with_run_async(Box::new(move |id, _| {
                    body_post.deliver(id);
                    Box::pin(std::future::ready(()))
                }))
            })
            .and_then(JobBuilder::build)
            .map_err(|error| TriggerError::NoAnswer { job: job.clone(), why: error.to_string() })?;
        answered(job, self.scheduler.add(registration)).await
    }
}

/// The crate's id of a job: the same for the same name, so that a reload replaces what is there.
fn job_id(job: &JobName) -> Uuid {
    const JOBS: Uuid = Uuid::from_u128(0x7365_6c6c_6572_4d64_8000_6a6f_6273_0001);
    Uuid::new_v5(&JOBS, job.as_str().as_bytes())
}

async fn answered<T>(
    job: &JobName,
    answer: impl Future<Output = Result<T, JobSchedulerError>>,
) -> Result<T, TriggerError> {
    let no_answer = |why| TriggerError::NoAnswer { job: job.clone(), why };
    match timeout(ANSWER, answer).await {
        Ok(answer) => answer.map_err(|error| no_answer(error.to_string())),
        Err(_) => Err(no_answer(format!("nothing within {} s", ANSWER.as_secs()))),
    }
}

#[cfg(test)]
mod tests;
