//! Whether the schedules ask for more requests than an account may send.
//!
//! Only runs whose requests are known beforehand are counted. How many listings there are is not known here but to those
//! who say so; without them a stock counts nothing: a warning that is guessed would be ignored when it is right.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::diagnostic::{Code, Diagnostic, Spot, Wrong};
use super::timing::reference;
use super::work::Work;
use super::{Account, Job};
use crate::domain::{AccountName, Cadence};
use crate::marketplace::Descriptor;
use crate::policy::quota::WindowKind;
use crate::policy::schedule::Schedule;

/// Fires of one schedule that are counted at most. Whoever has more is far over any limit.
const MOST: usize = 20_000;

/// Warns of accounts whose limit is not enough, at the schedule that needs most of it.
pub(super) fn check<'a>(
    accounts: &BTreeMap<AccountName, Account>,
    jobs: impl Iterator<Item = (&'a Job, &'a Spot)>,
    stock: &BTreeMap<AccountName, i64>,
) -> Vec<Diagnostic> {
    let mut needs: BTreeMap<&AccountName, Vec<(i64, usize, i64, &Spot)>> = BTreeMap::new();
    for (job, spot) in jobs.filter(|(job, _)| job.enabled) {
        let account = job.account.as_ref().and_then(|name| accounts.get(name));
        let listings = account.and_then(|account| stock.get(&account.name)).copied();
        let each = account.and_then(|account| requests_a_run(&job.work, account.marketplace, listings));
        if let (Some(account), Some(each)) = (account, each) {
            let runs = busiest(&job.schedule, account.marketplace.limit_headers.window);
            let all = i64::try_from(runs).unwrap_or(i64::MAX).saturating_mul(each);
            needs.entry(&account.name).or_default().push((all, runs, each, spot));
        }
    }
    needs.into_iter().filter_map(|(name, needs)| over(accounts.get(name)?, &needs)).collect()
}

fn over(account: &Account, needs: &[(i64, usize, i64, &Spot)]) -> Option<Diagnostic> {
    let limit = account.limit?;
    let total: i64 = needs.iter().map(|(all, ..)| *all).fold(0, i64::saturating_add);
    let (all, runs, each, spot) = needs.iter().max_by_key(|(all, ..)| *all)?;
    if total <= limit {
        return None;
    }
    let window = account.marketplace.limit_headers.window.per();
    let message = format!(
        "the schedules of {} need about {total} requests {window}, and its limit is {limit}",
        account.name
    );
    let label = format!("about {runs} runs {window} of {each} requests each: {all}");
    let wrong = Wrong::new(Code::OverBudget, message, "run this job less often, for example \"*/5 * * * *\"");
    Some(wrong.label(label).at((*spot).clone()))
}

/// Requests of one uneventful run at a marketplace, where that is known: the lists of orders that every poll reads and
/// one request for what is read more rarely, and the stock where somebody knows how large it is.
pub fn requests_a_run(work: &Work, marketplace: &Descriptor, listings: Option<i64>) -> Option<i64> {
    let every = marketplace.order_feeds.iter().filter(|feed| feed.cadence == Cadence::EveryPoll);
    let orders = i64::try_from(every.count()).unwrap_or(i64::MAX);
    let stock = |export_above: Option<i64>| {
        let listings = listings?;
        let by_file =
            marketplace.reading.export.filter(|_| export_above.is_some_and(|above| listings > above));
        Some(by_file.unwrap_or_else(|| marketplace.reading.pages(listings)))
    };
    match work {
        Work::OrderPoll(_) => Some(orders + 1),
        Work::Probe(_) => Some(1),
        Work::StockPull(settings) => stock(settings.export_above),
        // Orders are read on both sides of the stock.
        Work::StockSync(settings) => Some(stock(settings.export_above)? + 2 * orders),
        Work::Housekeeping(_) => None,
    }
}

/// How often a job starts after `from` and before `until`. A schedule that is due every second is not walked through for
/// a day: what follows its first starts is taken to be like them.
pub fn slots(job: &Job, from: DateTime<Utc>, until: DateTime<Utc>) -> i64 {
    let mut at = from;
    for counted in 0..WALKED {
        match job.next_after(at) {
            Some(next) if next < until => at = next,
            _ => return counted,
        }
    }
    let (seen, all) = ((at - from).num_milliseconds().max(1), (until - from).num_milliseconds());
    all / (seen / WALKED).max(1)
}

/// Whether a job starts more than `most` times after `from` and before `until`. Asked at every slot, so it is not walked
/// through where the span is too short for so many anyway.
pub fn starts_more_than(job: &Job, most: i64, from: DateTime<Utc>, until: DateTime<Utc>) -> bool {
    // Six fields begin with the seconds.
    let finest = if job.schedule.text().split_whitespace().count() > 5 { 1 } else { 60 };
    if (until - from).num_seconds() / finest < most {
        return false;
    }
    let starts = std::iter::successors(job.next_after(from), |at| job.next_after(*at));
    let starts = starts.take_while(|at| *at < until).take(usize::try_from(most).unwrap_or(0) + 1);
    i64::try_from(starts.count()).unwrap_or(i64::MAX) > most
}

/// Starts that are counted one by one: a day of a job that is due every minute.
const WALKED: i64 = 1_500;

/// How often it fires in the busiest hour, or in all, of an ordinary Monday.
fn busiest(schedule: &Schedule, window: WindowKind) -> usize {
    let start = reference();
    let end = start + TimeDelta::days(1);
    let mut hours = BTreeMap::<i64, usize>::new();
    let mut at = start - TimeDelta::seconds(1);
    for _ in 0..MOST {
        match schedule.next_after(at) {
            Some(next) if next < end => {
                *hours.entry((next - start).num_hours()).or_default() += 1;
                at = next;
            }
            _ => break,
        }
    }
    match window {
        WindowKind::Day(_) => hours.values().sum(),
        WindowKind::Hour => hours.values().copied().max().unwrap_or(0),
    }
}
