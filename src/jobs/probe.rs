//! `probe`: the cheapest authenticated read. It keeps a token alive and notices a withdrawn login, and once an hour it
//! looks for what waits for the seller.

use chrono::TimeDelta;

use super::{Context, JobError, Report};
use crate::domain::AccountName;
use crate::marketplace::Marketplace;
use crate::store::cursors;

/// How often it is looked for what waits. It costs requests, and questions can wait an hour.
const EVERY: TimeDelta = TimeDelta::hours(1);

/// The name under which it is kept when that was.
const CURSOR: &str = "attention";

/// Asks who we are, and now and then what waits.
pub(super) async fn run(context: &Context) -> Result<Report, JobError> {
    let (account, market) = context.market()?;
    let identity = market.identity().await?;
    let mut report = Report::default();
    let mut words = vec![format!("logged in as {}", identity.name)];
    words.extend(look_for_what_waits(context, account, market, &mut report).await?);
    report.message = Some(words.join("; "));
    Ok(report)
}

/// Counts what waits and returns the words for it, at most once an hour. What cannot be read is said and is no
/// failure: the login works.
async fn look_for_what_waits(
    context: &Context,
    account: &AccountName,
    market: &dyn Marketplace,
    report: &mut Report,
) -> Result<Vec<String>, JobError> {
    let (account, now) = (account.clone(), context.clock.now());
    let due = context.store.write(move |tx| {
        let last = cursors::feed_read_at(tx, &account, CURSOR)?;
        let due = last.is_none_or(|last| now - last >= EVERY || last > now);
        if due {
            // Noted before it is done, so that what fails is not tried again at each probe.
            cursors::set_feed_read_at(tx, &account, CURSOR, now)?;
        }
        Ok(due)
    });
    if !due.await? {
        return Ok(Vec::new());
    }
    match market.attention().await {
        Ok(waiting) => {
            for what in &waiting {
                report.count(what.name, what.count);
            }
            let some = waiting.into_iter().filter(|what| what.count > 0);
            Ok(some.map(|what| what.words).collect())
        }
        Err(error) => Ok(vec![format!("what waits for you could not be read ({error})")]),
    }
}
