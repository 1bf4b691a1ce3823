//! What a run will take, said before it starts: pure, from what is known. `None` is not known, and then a run goes as
//! far as it goes.
//!
//! Only an uneventful run is foreseen. What a sync will have to write is the plan's to say, once there is one.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Errand;
use super::order_poll::POLL;
use crate::config::{self, Account, Work};
use crate::domain::{AccountName, Cadence, RequestClass};
use crate::marketplace::Descriptor;
use crate::planning::intake;
use crate::policy::deferral::Cost;
use crate::store::{StoreError, Tx, cursors, plans, snapshots};

/// What is known of an account before a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Listings that it had when its stock was last read; `None` while it never was.
    pub listings: Option<i64>,
    /// Lists of orders that a poll would read now.
    pub feeds_due: i64,
    /// Requests that the plan needs which is to be applied.
    pub plan_requests: Option<i64>,
}

/// What a run of this work takes at a marketplace.
pub fn of(work: &Work, errand: &Errand, marketplace: &Descriptor, known: Known) -> Option<Cost> {
    let (requests, class) = match (work, errand) {
        (Work::Housekeeping(_), _) => return None,
        (Work::Probe(_), _) => (1, RequestClass::Orders),
        (Work::OrderPoll(_), _) => (known.feeds_due, RequestClass::Orders),
        (Work::StockPull(settings), _) => {
            (reading(marketplace, settings.export_above, known)?, RequestClass::Stock)
        }
        (Work::StockSync(_), Errand::Apply { .. }) => {
            (known.plan_requests? + known.feeds_due, RequestClass::Stock)
        }
        // Orders are read on both sides of the stock.
        (Work::StockSync(settings), _) => {
            let after = every_poll(marketplace);
            let stock = reading(marketplace, settings.export_above, known)?;
            (known.feeds_due + stock + after, RequestClass::Stock)
        }
    };
    Some(Cost { requests, class })
}

/// What an ordinary run takes, for days to come.
pub fn ordinary(work: &Work, marketplace: &Descriptor, listings: Option<i64>) -> Option<Cost> {
    let class = class(work);
    config::requests_a_run(work, marketplace, listings).map(|requests| Cost { requests, class })
}

/// What most requests of a run of this work are for.
pub fn class(work: &Work) -> RequestClass {
    match work {
        Work::StockPull(_) | Work::StockSync(_) => RequestClass::Stock,
        Work::OrderPoll(_) | Work::Probe(_) | Work::Housekeeping(_) => RequestClass::Orders,
    }
}

/// What the store knows of an account.
pub fn known(
    tx: &Tx<'_>,
    account: &Account,
    errand: &Errand,
    now: DateTime<Utc>,
) -> Result<Known, StoreError> {
    let plan_requests = match errand {
        Errand::Apply { plan, .. } => {
            plans::get(tx, *plan)?.and_then(|plan| requests_needed(plan.summary.get()))
        }
        _ => None,
    };
    Ok(Known {
        listings: listings(tx, &account.name)?,
        feeds_due: feeds_due(tx, account, now)?,
        plan_requests,
    })
}

/// Listings that an account had when its stock was last read.
pub fn listings(tx: &Tx<'_>, account: &AccountName) -> Result<Option<i64>, StoreError> {
    Ok(snapshots::since_sound(tx, account)?.0.map(|snapshot| snapshot.rows))
}

fn reading(marketplace: &Descriptor, export_above: Option<i64>, known: Known) -> Option<i64> {
    let listings = known.listings?;
    let by_file = marketplace.reading.export.filter(|_| export_above.is_some_and(|above| listings > above));
    Some(by_file.unwrap_or_else(|| marketplace.reading.pages(listings)))
}

fn every_poll(marketplace: &Descriptor) -> i64 {
    let every = marketplace.order_feeds.iter().filter(|feed| feed.cadence == Cadence::EveryPoll);
    i64::try_from(every.count()).unwrap_or(i64::MAX)
}

fn feeds_due(tx: &Tx<'_>, account: &Account, now: DateTime<Utc>) -> Result<i64, StoreError> {
    let feeds = account.marketplace.order_feeds;
    let mut read_at = Vec::with_capacity(feeds.len());
    for feed in feeds {
        read_at.push((feed.name, cursors::feed_read_at(tx, &account.name, feed.name)?));
    }
    let polled_at = cursors::feed_read_at(tx, &account.name, POLL)?;
    let at = |feed: &_| feed_time(&read_at, feed);
    let due = intake::feeds_due(feeds, at, polled_at, now).len();
    Ok(i64::try_from(due).unwrap_or(i64::MAX))
}

fn feed_time(
    read_at: &[(&str, Option<DateTime<Utc>>)],
    feed: &crate::domain::OrderFeed,
) -> Option<DateTime<Utc>> {
    read_at.iter().find(|(name, _)| *name == feed.name).and_then(|(_, at)| *at)
}

/// Requests that a stored plan says it needs.
pub(super) fn requests_needed(summary: &str) -> Option<i64> {
    /// As far as it matters here.
    #[derive(Deserialize)]
    struct Summary {
        requests_needed: i64,
    }
    serde_json::from_str::<Summary>(summary).ok().map(|summary| summary.requests_needed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Absent, Guards, Housekeeping, OrderPoll, Probe, StockPull, StockSync};
    use crate::domain::PlanId;
    use crate::marketplace::descriptor;

    fn requests(work: &Work, marketplace: &str, known: Known) -> Option<i64> {
        of(work, &Errand::Usual, descriptor(marketplace)?, known).map(|cost| cost.requests)
    }

    #[test]
    fn a_stock_takes_its_pages_or_a_file() {
        let pull = |export_above| Work::StockPull(StockPull { export_above });
        let known = |listings| Known { listings: Some(listings), ..Known::default() };
        let cards = |listings| requests(&pull(None), "cardmarket", known(listings));
        assert_eq!([0, 100, 101, 50_000].map(cards), [Some(2), Some(2), Some(3), Some(501)]);
        assert_eq!(requests(&pull(Some(5_000)), "cardmarket", known(50_000)), Some(6));
        assert_eq!(requests(&pull(Some(5_000)), "cardmarket", known(5_000)), Some(51));
        assert_eq!(requests(&pull(Some(5_000)), "trademe", known(50_000)), Some(100), "it makes no file");
        assert_eq!(requests(&pull(None), "cardmarket", Known::default()), None, "it was never read");
    }

    #[test]
    fn other_kinds_take_what_they_are_known_to_take() {
        let known = Known { listings: Some(1_000), feeds_due: 3, plan_requests: None };
        assert_eq!(requests(&Work::Probe(Probe {}), "cardmarket", known), Some(1));
        assert_eq!(requests(&Work::OrderPoll(OrderPoll {}), "cardmarket", known), Some(3));
        assert_eq!(requests(&Work::Housekeeping(Housekeeping::default()), "cardmarket", known), None);
        let ordinary = |marketplace| {
            ordinary(&Work::OrderPoll(OrderPoll {}), descriptor(marketplace).unwrap(), None).unwrap().requests
        };
        assert_eq!((ordinary("cardmarket"), ordinary("trademe")), (3, 2));
    }

    #[test]
    fn a_plan_says_itself_what_it_takes() {
        let sync = Work::StockSync(Box::new(StockSync {
            source: crate::source::testing::settings(std::path::Path::new("stock.csv")),
            guards: Guards::default(),
            absent: Absent::LeaveAlone,
            plan_expires: std::time::Duration::from_secs(1_800),
            export_above: None,
        }));
        let apply = Errand::Apply { plan: PlanId(1), accepted: Vec::new() };
        let cards = descriptor("cardmarket").unwrap();
        let known = Known { listings: Some(1_000), feeds_due: 3, plan_requests: Some(40) };
        assert_eq!(of(&sync, &apply, cards, known).map(|cost| cost.requests), Some(43));
        assert_eq!(of(&sync, &apply, cards, Known { plan_requests: None, ..known }), None);
        assert_eq!(of(&sync, &Errand::Usual, cards, known).map(|cost| cost.requests), Some(3 + 11 + 2));
        assert_eq!(requests_needed(r#"{"requests_needed":7,"counts":{}}"#), Some(7));
        assert_eq!(requests_needed("{}"), None);
    }
}
