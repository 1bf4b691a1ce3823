//! `probe`: the cheapest authenticated read. It keeps a token alive and notices a withdrawn login, and once an hour it
//! looks for what waits for the seller.

use chrono::TimeDelta;

use super::{Context, JobError, Report};
use crate::domain::AccountName;
use crate::marketplace::Marketplace;
use crate::store::{cursors, logins};

/// How often it is looked for what waits. It costs requests, and questions can wait an hour.
const EVERY: TimeDelta = TimeDelta::hours(1);

/// The name under which it is kept when that was.
const CURSOR: &str = "attention";

/// Asks who we are, and now and then what waits.
pub(super) async fn run(context: &Context) -> Result<Report, JobError> {
    let (account, market) = context.market()?;
    let identity = market.identity().await?;
    let (owned, now) = (account.clone(), context.clock.now());
    let member = logins::Member { id: identity.id, name: identity.name.clone() };
    context.store.write(move |tx| logins::meet(tx, &owned, &member, now)).await?;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use async_trait::async_trait;

    use super::super::testing::{LikeMemory, Place};
    use super::*;
    use crate::domain::{ErrorType, Outcome};
    use crate::marketplace::memory::Memory;
    use crate::marketplace::{Attention, CallError};

    /// A shop at which so many questions wait, and how often it was asked. Below zero it does not say.
    struct Asked(Memory, i64, Arc<AtomicI64>);

    #[async_trait]
    impl LikeMemory for Asked {
        fn memory(&self) -> &Memory {
            &self.0
        }

        async fn attention(&self) -> Result<Vec<Attention>, CallError> {
            self.2.fetch_add(1, Ordering::SeqCst);
            let (at, what) = ("GET questions".to_owned(), "503".to_owned());
            match self.1 {
                ..0 => Err(CallError::Unavailable { at, what, error_type: ErrorType::Http5xx }),
                count => {
                    Ok(vec![Attention { name: "questions", count, words: format!("{count} questions") }])
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_asked_once_an_hour_and_what_cannot_be_read_is_no_failure() {
        let (place, asked) = (Place::new(), Arc::new(AtomicI64::new(0)));
        let probe = async |waiting: i64| {
            let market = Asked(Memory::default(), waiting, Arc::clone(&asked));
            place.work(Box::new(market), run).await.unwrap()
        };
        let said = |report: &Report| report.message.clone().unwrap();
        let report = probe(3).await;
        assert_eq!(said(&report), "logged in as memory; 3 questions");
        assert_eq!(report.counts["questions"], 3);
        // Each run of this place comes five minutes after the one before.
        for _ in 0..11 {
            let report = probe(4).await;
            assert_eq!((said(&report).as_str(), report.counts.len()), ("logged in as memory", 0));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let report = probe(-1).await;
        assert_eq!(report.outcome(), Outcome::Success);
        assert!(said(&report).contains("what waits for you could not be read"), "{}", said(&report));
        assert_eq!(said(&probe(3).await), "logged in as memory", "what failed is not tried again at once");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_that_waits_is_nothing_to_say() {
        let market = Asked(Memory::default(), 0, Arc::default());
        let report = Place::new().work(Box::new(market), run).await.unwrap();
        assert_eq!(report.message.as_deref(), Some("logged in as memory"));
        assert_eq!(report.counts["questions"], 0);
    }
}
