//! Whether one request may leave now: by its window, and by what is known of the time.
//!
//! Where nobody knows whether the window that was reached is over, only an answer can tell. Until there is one it is the
//! old window, and all that is left of it is there to ask with; what is counted so can be too much and never too little.

use chrono::{DateTime, TimeDelta, Utc};

use super::deferral::Purse;
use super::quota::{self, Usage};
use super::reckoning::Theirs;
use crate::domain::RequestClass;

/// No request may leave now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// For how long, by our own time.
    pub wait: TimeDelta,
    /// What was used.
    pub used: i64,
    /// The most that are allowed.
    pub limit: i64,
    /// The window to go on with, where a clock that stood wrong had gone too far.
    pub instead: Option<Usage>,
}

/// One request may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The window with it.
    pub usage: Usage,
    /// Requests from now on that may have arrived in any window, see [`Theirs::doubted`].
    pub doubted: i64,
}

/// Takes one request of `class` for the account of that `name`. `counted` tells what was counted in the window that begins
/// at a time.
pub fn take<E>(
    purse: &Purse,
    class: RequestClass,
    name: &str,
    theirs: Theirs,
    counted: impl Fn(DateTime<Utc>) -> Result<i64, E>,
) -> Result<Result<Taken, Held>, E> {
    let Purse { kind, usage, limit, .. } = *purse;
    if let Some(wait) = purse.held_back(name, theirs) {
        let (used, known) = usage.map_or((0, None), |usage| (usage.used, usage.limit));
        return Ok(Err(Held { wait, used, limit: known.or(limit).unwrap_or(used), instead: None }));
    }
    let in_doubt = theirs.in_doubt(kind);
    let by = if in_doubt { theirs.least } else { theirs.at };
    let start = kind.start(by);
    let entered = usage.is_some_and(|usage| usage.window_start < start);
    // Whatever the time is, windows and requests are as far apart as by our count of it: what was counted before the last
    // one did not arrive in this.
    let doubted = match entered && !theirs.known {
        true => theirs.doubted.min(counted(kind.start(start - TimeDelta::seconds(1)))?),
        false => theirs.doubted,
    };
    let again = if entered { counted(start)? + doubted } else { 0 };
    let taken = match in_doubt {
        true => quota::take_in_doubt(usage, kind, limit, by, again),
        false => quota::take(usage, kind, limit, class, by, again),
    };
    let doubted = match theirs.known {
        // They are counted in this one, and it is known when the next begins.
        true if entered => 0,
        true => doubted,
        false => doubted + 1,
    };
    Ok(taken.map(|usage| Taken { usage, doubted }).map_err(|full| Held {
        wait: full.until - by,
        used: full.used,
        limit: full.limit,
        instead: quota::stranded(usage, kind, limit, by),
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Clocks, Mark};
    use crate::policy::quota::{Counted, Said, WindowKind, ceiling, learn, settles};
    use crate::policy::reckoning::LastSaid;

    const HOUR: WindowKind = WindowKind::Hour;
    const DAY: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);

    /// An account at a shop that says nothing of how it counts, with what is written down. Its machine's clock may be set
    /// and the machine started anew, and any process may be killed over any request.
    struct Account {
        kind: WindowKind,
        limit: i64,
        now: DateTime<Utc>,
        /// How far our wall clock is ahead.
        off: TimeDelta,
        /// Whether a time server is asked, which says so only while the clock is right.
        asks_time: bool,
        boot: (u32, DateTime<Utc>),
        said: LastSaid,
        doubted: i64,
        /// How far the marketplace's clock was ahead of ours when it last answered.
        offset: TimeDelta,
        usage: Option<Usage>,
        tally: BTreeMap<DateTime<Utc>, i64>,
        /// By the shop's own count.
        sent: BTreeMap<DateTime<Utc>, i64>,
    }

    impl Account {
        /// It was logged in to a moment ago, which is not counted.
        fn new(kind: WindowKind, limit: i64) -> Self {
            let now = "2026-03-28T12:00:00Z".parse().unwrap();
            let said = LastSaid { theirs: now, mark: Some(("0".to_owned(), Duration::ZERO)), exact: true };
            let (off, offset) = (TimeDelta::zero(), TimeDelta::zero());
            let (tally, sent) = (BTreeMap::new(), BTreeMap::new());
            let boot = (0, now);
            Self {
                kind,
                limit,
                now,
                off,
                asks_time: false,
                boot,
                said,
                doubted: 0,
                offset,
                usage: None,
                tally,
                sent,
            }
        }

        /// What was sent in this window.
        fn sent(&self) -> i64 {
            self.sent.get(&self.kind.start(self.now)).copied().unwrap_or_default()
        }

        /// What was sent in the window before this one.
        fn sent_before(&self) -> i64 {
            let before = self.kind.start(self.kind.start(self.now) - TimeDelta::seconds(1));
            self.sent.get(&before).copied().unwrap_or_default()
        }

        fn pass(&mut self, seconds: i64) {
            self.now += TimeDelta::seconds(seconds);
        }

        /// What it runs on from here on is up for so long.
        fn start_anew(&mut self, up: i64) {
            self.boot = (self.boot.0 + 1, self.now - TimeDelta::seconds(up));
        }

        fn clocks(&self) -> Clocks {
            let up = (self.now - self.boot.1).to_std().unwrap();
            let mark = Mark { life: self.boot.0.to_string().into(), up, through_sleep: true };
            let kept = self.asks_time && self.off.is_zero();
            Clocks { now: self.now + self.off, mark: Some(mark), kept }
        }

        /// Asks, and is killed before the answer or not. Returns whether it left.
        fn ask(&mut self, killed: bool) -> bool {
            let clocks = self.clocks();
            let theirs = Theirs::reckon(Some(&self.said), self.offset, &clocks);
            let theirs = Theirs { doubted: self.doubted, ..theirs };
            if let Some(said) = self.said.carried_on(&theirs, clocks.mark.as_ref()) {
                self.said = said;
            }
            let purse = Purse {
                kind: self.kind,
                usage: self.usage,
                limit: Some(self.limit),
                earmarked: Default::default(),
            };
            let again = |start| Ok::<_, Infallible>(self.tally.get(&start).copied().unwrap_or_default());
            let Ok(taken) = take(&purse, RequestClass::Orders, "nz", theirs, again);
            match taken {
                Ok(taken) => (self.usage, self.doubted) = (Some(taken.usage), taken.doubted),
                Err(kept) => {
                    self.usage = kept.instead.or(self.usage);
                    return false;
                }
            }
            let counted_in = self.usage.unwrap().window_start;
            *self.tally.entry(counted_in).or_default() += 1;
            let this = self.kind.start(self.now);
            *self.sent.entry(this).or_default() += 1;
            if !killed {
                self.is_answered();
            }
            true
        }

        fn is_answered(&mut self) {
            let this = self.kind.start(self.now);
            let since = self.tally.range(this..).map(|(_, requests)| requests).sum();
            let before = self.tally.range(..this).map(|(_, requests)| requests).sum::<i64>();
            let counted = Counted { since, before: before.min(self.doubted.max(1)) };
            let said = Said { at: Some(self.now), ..Said::default() };
            if settles(self.kind, &said) {
                self.doubted = 0;
            }
            self.usage = Some(learn(self.usage.unwrap(), self.kind, Some(self.limit), said, counted));
            let next = self.kind.resets_at(this);
            let late = self.tally.split_off(&(next + TimeDelta::seconds(1)));
            if !late.is_empty() {
                *self.tally.entry(next).or_default() += late.values().sum::<i64>();
            }
            let mark = self.clocks().mark.map(|mark| (mark.life.to_string(), mark.up));
            (self.said, self.offset) = (LastSaid { theirs: self.now, mark, exact: true }, -self.off);
        }
    }

    proptest! {
        #[test]
        fn whatever_clocks_and_kills_and_boots_do_a_window_is_never_overfilled(
            (kind, pace) in prop_oneof![Just((HOUR, 1)), Just((DAY, 24))],
            steps in proptest::collection::vec(
                (
                    0_i64..60,
                    0..10_u8,
                    prop_oneof![-5_400_i64..5_400, -900_000_i64..900_000],
                    0..20_u8,
                    (0..6_u8, prop_oneof![Just(0_i64), 0_i64..5_400, 0_i64..3_000_000]),
                    0..4_u8,
                ),
                1..400,
            ),
            limit in 40_i64..70,
        ) {
            let mut account = Account::new(kind, limit);
            for (passed, jumps, off, killed, (boots, up), asks_time) in steps {
                account.pass(pace * passed);
                account.asks_time = asks_time == 0;
                match jumps {
                    0 => account.off = TimeDelta::seconds(pace * off),
                    1 => account.off = TimeDelta::zero(),
                    _ => {}
                }
                if boots == 0 {
                    account.start_anew(pace * up);
                }
                if account.ask(killed == 0) {
                    let sent = account.sent();
                    prop_assert!(sent <= limit, "{sent} of {limit} at {}", account.now);
                }
            }
        }

        #[test]
        fn within_a_boot_no_wrong_clock_costs_more_than_what_was_sent(
            steps in proptest::collection::vec((0_i64..90, 0..10_u8), 1..300),
            off in prop_oneof![-5_400_i64..5_400, -90_000_000_i64..90_000_000],
        ) {
            let mut account = Account::new(HOUR, 200);
            for (passed, set) in steps {
                account.pass(passed);
                if set < 2 {
                    account.off = TimeDelta::seconds(off * i64::from(set));
                }
                let went = account.ask(false);
                // In its first minute it is waited for who ran into the limit of the one before.
                let kept_back = 200 - ceiling(200, RequestClass::Orders) + 1;
                let begins = account.now - HOUR.start(account.now) < TimeDelta::seconds(61);
                let full = account.sent() + if begins { account.sent_before() } else { 0 };
                prop_assert!(went || full + kept_back >= 200, "after {full} at {}", account.now);
            }
        }

        #[test]
        fn an_hour_after_another_boot_no_wrong_clock_costs_more_than_what_was_sent(
            steps in proptest::collection::vec((0_i64..90, 0..300_u16), 1..300),
            off in prop_oneof![-5_400_i64..5_400, -90_000_000_i64..90_000_000],
        ) {
            let mut account = Account::new(HOUR, 200);
            for (passed, boots) in steps {
                account.pass(passed);
                if boots == 0 {
                    account.off = TimeDelta::seconds(off);
                    account.start_anew(0);
                    // It was off for so long.
                    account.pass(7_200);
                    account.boot.1 = account.now;
                }
                let went = account.ask(false);
                let up = account.now - account.boot.1;
                let kept_back = 200 - ceiling(200, RequestClass::Orders) + 1;
                let sent = account.sent() + account.sent_before();
                prop_assert!(
                    went || sent + kept_back >= 200 || up < TimeDelta::minutes(63),
                    "after {sent} at {}", account.now
                );
            }
        }
    }
}
