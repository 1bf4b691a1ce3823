//! What others may see of a running agent, and the place where they come in to look.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::accounts::Shared;
use super::status::Status;
use super::trigger::{self, SharedBoard};
use crate::config::Config;

/// A way in for those who only look. The floors above the agent have one; the agent opens it when it is ready and
/// closes it when it stops.
#[async_trait]
pub trait Front: Send + Sync {
    /// Opens, and answers until `stop` is cancelled. `None` where there is none, an error in words for people.
    async fn open(&self, watch: Arc<Watch>, stop: CancellationToken) -> Result<Option<SocketAddr>, String>;
}

/// No way in.
pub struct NoFront;

#[async_trait]
impl Front for NoFront {
    async fn open(&self, _: Arc<Watch>, _: CancellationToken) -> Result<Option<SocketAddr>, String> {
        Ok(None)
    }
}

/// Reads what it shows when it is asked, and changes nothing.
pub struct Watch {
    pub(super) config: Arc<RwLock<Arc<Config>>>,
    pub(super) shared: Shared,
    pub(super) board: SharedBoard,
    pub(super) armed_at: DateTime<Utc>,
}

/// Ready means that the schedule was looked at within this span.
const TICK_LIMIT: Duration = Duration::from_secs(60);

impl Watch {
    /// The status, or why there is none.
    pub async fn status(&self) -> Result<Status, String> {
        let config = self.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let status = Status::read(&config, Some(&self.shared.store), self.shared.clock.both()).await;
        status.map_err(|error| error.to_string())
    }

    /// Why the agent is not ready, if it is not: nobody looks at the schedule, counted from when it was armed.
    pub fn not_ready(&self) -> Option<String> {
        let last = trigger::lock(&self.board).last_claim().unwrap_or(self.armed_at);
        let age = (self.shared.clock.now() - last).abs().to_std();
        let fresh = age.is_ok_and(|age| age <= TICK_LIMIT);
        (!fresh).then(|| "the schedule has not been looked at for a minute".to_owned())
    }
}
