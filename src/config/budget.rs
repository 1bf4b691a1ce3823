//! Whether the schedules ask for more requests than an account may send.
//!
//! Only runs whose requests are known beforehand are counted. How many listings there are, and what limit a marketplace has
//! told, is not known here but to those who say so; without listings a stock counts nothing: a warning that is guessed
//! would be ignored when it is right.

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

/// Fires of one schedule that are walked through at most; those that follow are taken to be like them.
const MOST: i64 = 20_000;

/// What has been learnt of an account.
#[derive(Debug, Clone, Copy, Default)]
pub struct Learnt {
    /// How many listings it has.
    pub listings: Option<i64>,
    /// The limit that its marketplace has told. It wins over what is configured.
    pub limit: Option<i64>,
}

/// Warns of accounts whose limit is not enough, at the schedule that needs most of it.
pub(super) fn check<'a>(
    accounts: &BTreeMap<AccountName, Account>,
    jobs: impl Iterator<Item = (&'a Job, &'a Spot)>,
    learnt: &BTreeMap<AccountName, Learnt>,
) -> Vec<Diagnostic> {
    let of = |account: &Account| learnt.get(&account.name).copied().unwrap_or_default();
    let mut needs: BTreeMap<&AccountName, Vec<Need<'_>>> = BTreeMap::new();
    for (job, spot) in jobs.filter(|(job, _)| job.enabled) {
        let account = job.account.as_ref().and_then(|name| accounts.get(name));
        let listings = account.and_then(|account| of(account).listings);
        let each = account.and_then(|account| requests_a_run(&job.work, account.marketplace, listings));
        if let (Some(account), Some(each)) = (account, each) {
            let runs = busiest(&job.schedule, account.marketplace.limit_headers.window);
            needs.entry(&account.name).or_default().push(Need { runs, each, spot });
        }
    }
    let over = |(name, needs): (&AccountName, Vec<Need<'_>>)| {
        let account = accounts.get(name)?;
        over(account, of(account).limit.or(account.limit)?, &needs)
    };
    needs.into_iter().filter_map(over).collect()
}

/// What a job needs in a window: its runs, and requests of each.
struct Need<'a> {
    runs: i64,
    each: i64,
    spot: &'a Spot,
}

impl Need<'_> {
    fn all(&self) -> i64 {
        self.runs.saturating_mul(self.each)
    }
}

fn over(account: &Account, limit: i64, needs: &[Need<'_>]) -> Option<Diagnostic> {
    let total = needs.iter().map(Need::all).fold(0, i64::saturating_add);
    let most = needs.iter().max_by_key(|need| need.all())?;
    if total <= limit {
        return None;
    }
    let Need { runs, each, spot } = most;
    let kind = account.marketplace.limit_headers.window;
    let window = kind.per();
    let message = format!(
        "the schedules of {} need about {total} requests {window}, and its limit is {limit}",
        account.name
    );
    let label = format!("about {runs} runs {window} of {each} requests each: {}", most.all());
    let left = limit.saturating_sub(total - most.all());
    let fix = match paid_for(left / (*each).max(1), kind) {
        Some(schedule) => format!("run this job less often, for example \"{schedule}\""),
        None => "run this job and others of the account less often, or switch one off".to_owned(),
    };
    Some(Wrong::new(Code::OverBudget, message, fix).label(label).at((*spot).clone()))
}

/// The most frequent of the usual schedules that has no more runs in a window than this.
fn paid_for(runs: i64, window: WindowKind) -> Option<String> {
    let day = matches!(window, WindowKind::Day(_));
    let minutes = [1, 2, 3, 5, 10, 15, 20, 30].map(|every| (60 / every, format!("*/{every} * * * *")));
    let hours = [1, 2, 3, 4, 6, 8, 12].map(|every| (24 / every, format!("0 */{every} * * *")));
    let daily = [(1, "0 4 * * *".to_owned())];
    let by_hour = minutes.into_iter().map(|(runs, text)| (if day { 24 * runs } else { runs }, text));
    let by_day = hours.into_iter().chain(daily).map(|(runs, text)| (if day { runs } else { 1 }, text));
    by_hour.chain(by_day).find(|(needs, _)| *needs <= runs).map(|(_, text)| text)
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
fn busiest(schedule: &Schedule, window: WindowKind) -> i64 {
    let start = reference();
    let end = start + TimeDelta::days(1);
    let mut hours = BTreeMap::<i64, i64>::new();
    let mut at = start - TimeDelta::seconds(1);
    let mut is_cut = true;
    for _ in 0..MOST {
        match schedule.next_after(at) {
            Some(next) if next < end => {
                *hours.entry((next - start).num_hours()).or_default() += 1;
                at = next;
            }
            _ => {
                is_cut = false;
                break;
            }
        }
    }
    let walked: i64 = hours.values().sum();
    match window {
        WindowKind::Hour => hours.values().copied().max().unwrap_or(0),
        WindowKind::Day(_) if is_cut => {
            let seen = (at - start).num_seconds().max(1);
            walked.saturating_mul((end - start).num_seconds()) / seen
        }
        WindowKind::Day(_) => walked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);

    #[test]
    fn what_is_proposed_can_be_paid_for_and_is_not_rarer_than_it_must_be() {
        let of = |runs, window| paid_for(runs, window).unwrap_or_default();
        assert_eq!((of(288, BERLIN), of(287, BERLIN)), ("*/5 * * * *".to_owned(), "*/10 * * * *".to_owned()));
        assert_eq!((of(1, BERLIN), of(7, BERLIN)), ("0 4 * * *".to_owned(), "0 */4 * * *".to_owned()));
        assert_eq!(
            (of(6, WindowKind::Hour), of(1, WindowKind::Hour)),
            ("*/10 * * * *".to_owned(), "0 */1 * * *".to_owned())
        );
        assert_eq!(paid_for(0, BERLIN), None);
    }

    #[test]
    fn a_schedule_of_seconds_is_counted_for_the_whole_day() {
        let runs = |text: &str| busiest(&Schedule::parse(text, chrono_tz::UTC).unwrap(), BERLIN);
        assert_eq!((runs("* * * * *"), runs("*/5 * * * *")), (1_440, 288));
        for (text, all) in [("* * * * * *", 86_400), ("*/2 * * * * *", 43_200)] {
            assert!((runs(text) - all).abs() <= 6, "{text}: {}", runs(text));
        }
    }
}
