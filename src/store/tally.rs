//! What an account's requests were for, window by window: of which job, and of which class.
//!
//! Counted in the gate's transaction beside the window itself. The requests have rows of their own, but those are
//! forgotten after a while and there is one for each; to add them up for every question would be dear.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{OptionalExtension, params};

use super::columns::{ms, word};
use super::{StoreError, Tx};
use crate::domain::{AccountName, JobName, RequestClass, RunId};
use crate::policy::meter::{self, Day, PublicRule};
use crate::policy::quota::Counted;

/// How long the windows of an account are remembered.
const KEPT: TimeDelta = TimeDelta::days(60);

/// So many windows are remembered however old they are: the newest one may be of a clock that stood years ahead.
const LEAST_KEPT: i64 = 50;

/// How many days back a row of days is followed.
const DAYS_BACK: usize = 31;

/// What was asked in some span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// By the job's name, which is empty for what a person asked by hand.
    pub by_job: BTreeMap<String, i64>,
    /// By class.
    pub by_class: BTreeMap<RequestClass, i64>,
}

impl Spent {
    /// What of it was public.
    pub fn day(&self) -> Day {
        let all: i64 = self.by_class.values().sum();
        let public = self.by_class.get(&RequestClass::Public).copied().unwrap_or_default();
        Day { own: all - public, public }
    }
}

/// Counts one request in the window that began at `window_start`.
pub fn add(
    tx: &Tx<'_>,
    account: &AccountName,
    window_start: DateTime<Utc>,
    run: Option<RunId>,
    class: RequestClass,
) -> Result<(), StoreError> {
    let mut job = tx.0.prepare_cached("select job from runs where run_id = ?1")?;
    let job: Option<String> = match run {
        Some(run) => job.query_row([run.0], |row| row.get(0)).optional()?,
        None => None,
    };
    let mut count = tx.0.prepare_cached(
        "insert into request_tally (account, window_start, job, class, requests) values (?1, ?2, ?3, ?4, 1)
         on conflict (account, window_start, job, class) do update set requests = requests + 1 returning requests",
    )?;
    let (job, start) = (job.unwrap_or_default(), ms(window_start));
    let now: i64 =
        count.query_row(params![account.as_str(), start, job, class.as_str()], |row| row.get(0))?;
    if now == 1 {
        tx.0.prepare_cached(
            "delete from request_tally where account = ?1 and window_start < ?2 and window_start < (
                select min(window_start) from (
                    select distinct window_start from request_tally where account = ?1
                    order by window_start desc limit ?3))",
        )?
        .execute(params![account.as_str(), ms(window_start - KEPT), LEAST_KEPT])?;
    }
    Ok(())
}

/// What was counted in the window that began at `window_start`.
pub fn of(tx: &Tx<'_>, account: &AccountName, window_start: DateTime<Utc>) -> Result<i64, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select coalesce(sum(requests), 0) from request_tally where account = ?1 and window_start = ?2",
    )?;
    Ok(statement.query_row(params![account.as_str(), ms(window_start)], |row| row.get(0))?)
}

/// What was counted, seen from the window that began at `window_start`, where the time of `doubted` requests is not known.
pub fn counted(
    tx: &Tx<'_>,
    account: &AccountName,
    window_start: DateTime<Utc>,
    doubted: i64,
) -> Result<Counted, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select coalesce(sum(requests) filter (where window_start >= ?2), 0),
            coalesce(sum(requests) filter (where window_start < ?2), 0) from request_tally where account = ?1",
    )?;
    let counted = statement.query_row(params![account.as_str(), ms(window_start)], |row| {
        Ok(Counted { since: row.get(0)?, before: row.get::<_, i64>(1)?.min(doubted.max(1)) })
    });
    Ok(counted?)
}

/// Counts what a wrong clock counted later than in the window that began at `window_start` as of that one: it is no
/// more than the next that the marketplace can have reached, and what lies years ahead would be counted for years.
pub fn bring_back(tx: &Tx<'_>, account: &AccountName, window_start: DateTime<Utc>) -> Result<(), StoreError> {
    let row = params![account.as_str(), ms(window_start)];
    let mut later =
        tx.0.prepare_cached("select 1 from request_tally where account = ?1 and window_start > ?2 limit 1")?;
    if !later.exists(row)? {
        return Ok(());
    }
    tx.0.prepare_cached(
        "insert into request_tally (account, window_start, job, class, requests)
         select account, ?2, job, class, sum(requests) from request_tally
         where account = ?1 and window_start > ?2 group by job, class
         on conflict (account, window_start, job, class) do update set requests = requests + excluded.requests",
    )?
    .execute(row)?;
    tx.0.prepare_cached("delete from request_tally where account = ?1 and window_start > ?2")?
        .execute(row)?;
    Ok(())
}

/// What was asked in the windows that began from `from` on and before `until`.
pub fn spent(
    tx: &Tx<'_>,
    account: &AccountName,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Spent, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select job, class, sum(requests) from request_tally
         where account = ?1 and window_start >= ?2 and window_start < ?3 group by job, class",
    )?;
    let rows = statement.query_map(params![account.as_str(), ms(from), ms(until)], |row| {
        Ok((row.get::<_, String>(0)?, word::<RequestClass>(row, 1)?, row.get::<_, i64>(2)?))
    })?;
    let mut spent = Spent::default();
    for row in rows {
        let (job, class, requests) = row?;
        *spent.by_job.entry(job).or_default() += requests;
        *spent.by_class.entry(class).or_default() += requests;
    }
    Ok(spent)
}

/// What was asked on the day of `now`, and how many days in a row before it were public only.
pub fn today_and_streak(
    tx: &Tx<'_>,
    account: &AccountName,
    rule: PublicRule,
    now: DateTime<Utc>,
) -> Result<(Day, u32), StoreError> {
    let start = rule.day.start(now);
    let today = spent(tx, account, start, rule.day.resets_at(now))?.day();
    let mut before = Vec::new();
    let mut end = start;
    for _ in 0..DAYS_BACK {
        let begin = rule.day.start(end - TimeDelta::seconds(1));
        let day = spent(tx, account, begin, end)?.day();
        before.push(day);
        if !day.is_public_only() {
            break;
        }
        end = begin;
    }
    Ok((today, meter::streak(before)))
}

/// What a job's runs usually take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// Requests of one run: the mean, rounded up, for sums.
    pub requests: i64,
    /// Requests of one run that is like most others.
    pub median: i64,
    /// How many runs that is known from.
    pub runs: i64,
    /// How long a run takes for each of its requests.
    pub each: TimeDelta,
}

/// Runs that are looked at for it.
const RUNS: i64 = 20;

/// What the newest runs of a job took which did all of their work; `None` while there is none.
pub fn usual(tx: &Tx<'_>, job: &JobName) -> Result<Option<Usual>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select requests, finished_at - started_at from runs
         where job = ?1 and outcome = 'success' and requests > 0 order by run_id desc limit ?2",
    )?;
    let rows = statement.query_map(params![job.as_str(), RUNS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
    let mut requests: Vec<i64> = rows.iter().map(|(requests, _)| *requests).collect();
    requests.sort_unstable();
    let Some(median) = requests.get(requests.len().saturating_sub(1) / 2) else { return Ok(None) };
    let all: i64 = requests.iter().sum();
    let took: i64 = rows.iter().map(|(_, ms)| (*ms).max(0)).sum();
    let runs = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    Ok(Some(Usual {
        requests: (all + runs - 1) / runs,
        median: *median,
        runs,
        each: TimeDelta::milliseconds(took / all.max(1)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Outcome, Trigger};
    use crate::policy::quota::WindowKind;
    use crate::store::runs;
    use crate::store::testing::{now, scratch};

    const BERLIN: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);
    const RULE: PublicRule = PublicRule { day: BERLIN, share: 50, per_day: 100 };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn requests_are_counted_by_job_and_class_and_windows_apart() {
        let conn = scratch();
        let tx = Tx(&conn);
        let cm = AccountName::from("cm");
        let run = runs::NewRun {
            job: JobName::from("orders"),
            kind: "order-poll".to_owned(),
            account: Some(cm.clone()),
            due_at: now(),
            trigger: Trigger::Schedule,
            started_at: now(),
        };
        let run = runs::open(&tx, &run).unwrap();
        let start = BERLIN.start(now());
        for (run, class) in
            [(run, RequestClass::Orders), (run, RequestClass::Orders), (None, RequestClass::Public)]
        {
            add(&tx, &cm, start, run, class).unwrap();
        }
        add(&tx, &cm, start - TimeDelta::days(1), None, RequestClass::Stock).unwrap();
        add(&tx, &"nz".into(), start, None, RequestClass::Stock).unwrap();
        let spent = spent(&tx, &cm, start, BERLIN.resets_at(now())).unwrap();
        assert_eq!(spent.by_job, [("orders".to_owned(), 2), (String::new(), 1)].into());
        assert_eq!(spent.by_class, [(RequestClass::Orders, 2), (RequestClass::Public, 1)].into());
        assert_eq!(spent.day(), Day { own: 2, public: 1 });
    }

    #[test]
    fn days_in_a_row_are_those_of_the_marketplace_also_where_the_clocks_change() {
        let conn = scratch();
        let tx = Tx(&conn);
        let cm = AccountName::from("cm");
        // Own on Friday, public alone on Saturday and on the Sunday of 23 hours; asked on Monday.
        for (day, class) in [
            ("2026-03-27T12:00:00Z", RequestClass::Stock),
            ("2026-03-28T12:00:00Z", RequestClass::Public),
            ("2026-03-29T12:00:00Z", RequestClass::Public),
        ] {
            add(&tx, &cm, BERLIN.start(at(day)), None, class).unwrap();
        }
        let asked = |at_: &str| today_and_streak(&tx, &cm, RULE, at(at_)).unwrap();
        assert_eq!(asked("2026-03-29T22:00:00Z"), (Day::default(), 2));
        assert_eq!(asked("2026-03-29T21:59:59Z"), (Day { own: 0, public: 1 }, 1));
        assert_eq!(
            asked("2026-03-30T22:00:00Z"),
            (Day::default(), 0),
            "a day without any request in between"
        );
    }

    #[test]
    fn what_a_job_usually_takes_is_the_mean_of_its_newest_runs_that_did_all_their_work() {
        let conn = scratch();
        let tx = Tx(&conn);
        let job = JobName::from("orders");
        assert_eq!(usual(&tx, &job).unwrap(), None);
        for (minute, requests, outcome) in [
            (1, 2, Outcome::Success),
            (2, 3, Outcome::Success),
            (3, 90, Outcome::Partial),
            (4, 0, Outcome::Success),
        ] {
            let at = now() + TimeDelta::minutes(minute);
            let new = runs::NewRun {
                job: job.clone(),
                kind: "order-poll".to_owned(),
                account: Some("cm".into()),
                due_at: at,
                trigger: Trigger::Schedule,
                started_at: at,
            };
            let run = runs::open(&tx, &new).unwrap().unwrap();
            let counts = Default::default();
            let end = runs::RunEnd { outcome, error_type: None, message: None, requests, counts };
            runs::finish(&tx, run, &end, at + TimeDelta::seconds(requests)).unwrap();
        }
        let found = usual(&tx, &job).unwrap();
        assert_eq!(found, Some(Usual { requests: 3, median: 2, runs: 2, each: TimeDelta::seconds(1) }));
    }

    #[test]
    fn what_is_months_old_is_forgotten_unless_a_clock_alone_says_so() {
        let conn = scratch();
        let tx = Tx(&conn);
        let cm = AccountName::from("cm");
        let count = |days: i64| {
            add(&tx, &cm, now() + TimeDelta::days(days), None, RequestClass::Stock).unwrap();
            conn.query_row("select count(*) from request_tally", [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!([0, 900, 2_000].map(count), [1, 2, 3]);
        assert_eq!(of(&tx, &cm, now()).unwrap(), 1);
        tx.0.execute("delete from request_tally", []).unwrap();
        let newest = (0..200).map(count).last();
        assert_eq!(newest, Some(61), "days by the dozen are no jumps");
    }

    #[test]
    fn what_a_wrong_clock_counted_is_counted_from_the_right_window_on_and_not_for_years() {
        let conn = scratch();
        let tx = Tx(&conn);
        let nz = AccountName::from("nz");
        let hour = |hours: i64| WindowKind::Hour.start(now()) + TimeDelta::hours(hours);
        let counted = |hours, doubted| counted(&tx, &nz, hour(hours), doubted).unwrap();
        assert_eq!(counted(0, 5), Counted::default());
        for (hours, class) in [
            (0, RequestClass::Orders),
            (0, RequestClass::Stock),
            (1, RequestClass::Orders),
            (9_000, RequestClass::Orders),
            (20_000, RequestClass::Orders),
            (20_000, RequestClass::Stock),
        ] {
            add(&tx, &nz, hour(hours), None, class).unwrap();
        }
        add(&tx, &"other".into(), hour(20_000), None, RequestClass::Stock).unwrap();
        assert_eq!(counted(0, 5), Counted { since: 6, before: 0 });
        for (doubted, before) in [(0, 1), (2, 2), (5, 2)] {
            assert_eq!(counted(1, doubted), Counted { since: 4, before });
        }
        for _ in 0..2 {
            bring_back(&tx, &nz, hour(1)).unwrap();
            assert_eq!([0, 1, 9_000, 20_000].map(|hours| of(&tx, &nz, hour(hours)).unwrap()), [2, 4, 0, 0]);
        }
        let spent = spent(&tx, &nz, hour(1), hour(2)).unwrap();
        assert_eq!(spent.by_class, [(RequestClass::Orders, 3), (RequestClass::Stock, 1)].into());
        assert_eq!(of(&tx, &"other".into(), hour(20_000)).unwrap(), 1);
    }
}
