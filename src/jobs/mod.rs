//! Use cases: one file a job kind. A job knows neither which marketplace it works nor when it runs.

mod context;
pub mod cost;
mod earmarks;
mod housekeeping;
mod order_poll;
mod probe;
mod progress;
mod put_off;
mod report;
mod stock;
mod stock_pull;
mod stock_sync;
#[cfg(test)]
mod testing;

pub use context::{Context, Errand, Shelf, Sister, Turn, Way, Worked};
pub use earmarks::Earmarks;
pub use progress::{Moment, Progress};
pub use report::{JobError, Report};
pub use stock_sync::{BALANCE_TOO_LOW, GUARD_TRIPPED, PARKED};

use crate::config::Work;

/// Does what a job of this kind does.
pub async fn work(work: &Work, context: &Context) -> Result<Report, JobError> {
    match work {
        Work::StockPull(settings) => stock_pull::run(settings, context).await,
        Work::StockSync(settings) => stock_sync::run(settings, context).await,
        Work::OrderPoll(_) => order_poll::run(context).await,
        Work::Probe(_) => probe::run(context).await,
        Work::Housekeeping(settings) => housekeeping::run(settings, context).await,
    }
}
