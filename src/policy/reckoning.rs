//! The marketplace's time, reckoned on from its last answer by a clock that nobody sets.
//!
//! The difference between our wall clock and the marketplace's is known from answers. When our clock is set, the
//! difference is another one, and while the window's requests are used up no answer comes to say so: one that was set
//! ahead would enter a new window in the midst of a full one, and one that had stood wrong by a year would keep the
//! account silent for a year. How long this boot of the machine lasts cannot be set, goes on while the machine sleeps,
//! and is the same for every process; so within a boot the marketplace's time is known whatever the wall clock shows.
//!
//! After another start of the machine, nobody knows how long it was off. What passes from when the account was first looked
//! at since is the least that has, and the wall clock is all there is to say how much more. That is doubt, which ends with
//! the first answer, or as soon as the machine says that a time server keeps its clock right. A boot that is not the one
//! of the last answer may still have begun before it: a database moves to another machine, a container gets a boot of its
//! own on a host that is up for weeks.
//!
//! A virtual machine that was paused knows nothing of the time: then what is reckoned lies behind, the next answer says
//! so, and where nothing is left to ask with and nobody keeps the clock right, the account waits for as much longer. Silence
//! is the cheaper mistake.
//!
//! What leaves while the time is not known, and is not answered, may have arrived in another window than the one that it is
//! counted in: it is counted in the next one as well, until an answer tells the time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::quota::WindowKind;
use crate::domain::{Clocks, Mark};

/// What the marketplace's last answer to an account said of the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSaid {
    /// The marketplace's time then.
    pub theirs: DateTime<Utc>,
    /// What our clock that nobody sets showed then: its life, and how long that had lasted.
    pub mark: Option<(String, Duration)>,
    /// Whether it was that time. Otherwise it was that at least: the answer came in another life.
    pub exact: bool,
}

/// The marketplace's time, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theirs {
    /// The least that it can be.
    pub least: DateTime<Utc>,
    /// What it is taken for: the same where it is sure.
    pub at: DateTime<Utc>,
    /// Whether it is known: the marketplace has told it in this life, or the machine says that its clock is right.
    pub known: bool,
    /// Requests that left while it was not, since the marketplace last told it: of those, the ones that may have arrived in
    /// the window that is entered next.
    pub doubted: i64,
}

/// A smaller lead is the answer's way and the whole seconds of its date.
const NOISE: TimeDelta = TimeDelta::seconds(2);

impl Theirs {
    /// It is known.
    pub fn sure(at: DateTime<Utc>) -> Self {
        Self { least: at, at, known: true, doubted: 0 }
    }

    /// It is taken for `at`, and is `least` or later.
    pub fn between(least: DateTime<Utc>, at: DateTime<Utc>) -> Self {
        Self { known: false, ..Self { least, ..Self::sure(at) } }
    }

    /// The marketplace's time at `clocks`, where our wall clock was last seen to be behind its by `offset`.
    pub fn reckon(said: Option<&LastSaid>, offset: TimeDelta, clocks: &Clocks) -> Self {
        let by_clock = clocks.now + offset;
        // Nobody has told it ever: there is nothing to count on.
        let Some(said) = said else { return Self::sure(by_clock) };
        let through_sleep = clocks.mark.as_ref().is_some_and(|mark| mark.through_sleep);
        let since = clocks.mark.as_ref().and_then(|mark| said.since(mark));
        let reckoned = later(said.theirs, since.unwrap_or_default());
        if since.is_some() && said.exact {
            return match reckoned - by_clock {
                lead if lead.abs() <= NOISE => Self::sure(by_clock),
                // A machine that was paused as a whole knows nothing of it but by who keeps its clock.
                lead if lead > TimeDelta::zero() || through_sleep && !clocks.kept => Self::sure(reckoned),
                // The machine has slept, or its clock was set.
                _ => Self::between(reckoned, by_clock).unless_kept(clocks),
            };
        }
        let least = reckoned;
        // Where even the least refutes the difference, our clock was set since. It is hoped that it was set right.
        let at = if by_clock + NOISE < least { clocks.now } else { by_clock }.max(least);
        // A life that is a process's own is too short to wait in.
        Self::between(if through_sleep { least } else { at }, at).unless_kept(clocks)
    }

    /// Where our wall clock is kept right, the time is sure. Whether the difference was ours or the marketplace's own,
    /// nobody knows: the earlier one of both is taken.
    fn unless_kept(self, clocks: &Clocks) -> Self {
        if clocks.kept { Self::sure(self.at.min(clocks.now).max(self.least)) } else { self }
    }

    /// Whether it is not known in which window it lies.
    pub fn in_doubt(&self, kind: WindowKind) -> bool {
        kind.start(self.least) < kind.start(self.at)
    }
}

impl LastSaid {
    /// What is to be kept in its place where it is not exact in this life: how much has passed at least, so that what
    /// passes from now on is known, and what has passed so far is not lost with another boot.
    pub fn carried_on(&self, theirs: &Theirs, mark: Option<&Mark>) -> Option<Self> {
        let mark = mark.filter(|mark| mark.through_sleep && !(self.exact && self.since(mark).is_some()))?;
        let theirs = theirs.least.max(self.theirs);
        Some(Self { theirs, mark: Some((mark.life.to_string(), mark.up)), exact: false })
    }

    /// How long ago that was by a clock that nobody sets, if it is the same one.
    fn since(&self, mark: &Mark) -> Option<Duration> {
        let (_, then) = self.mark.as_ref().filter(|(life, _)| **life == *mark.life)?;
        mark.up.checked_sub(*then)
    }
}

fn later(at: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(span).ok().and_then(|span| at.checked_add_signed(span)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-22T{text}Z").parse().unwrap()
    }

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    /// An answer at 14:00, when this boot had lasted ten minutes and our clock was right.
    fn said() -> LastSaid {
        LastSaid { theirs: at("14:00:00"), mark: Some(("this".to_owned(), minutes(10))), exact: true }
    }

    fn reckon(now: &str, offset: TimeDelta, life: &str, up: u64, through_sleep: bool) -> Theirs {
        let mark = Some(Mark { life: life.into(), up: minutes(up), through_sleep });
        Theirs::reckon(Some(&said()), offset, &Clocks { now: at(now), mark, kept: false })
    }

    #[test]
    fn within_a_boot_no_clock_that_was_set_sets_the_marketplace() {
        for now in ["09:00:00", "14:02:03", "20:00:00"] {
            assert_eq!(
                reckon(now, TimeDelta::zero(), "this", 12, true),
                Theirs::sure(at("14:02:00")),
                "{now}"
            );
        }
        let noise = reckon("14:01:59", TimeDelta::zero(), "this", 12, true);
        assert_eq!(noise, Theirs::sure(at("14:01:59")), "that is noise");
        let slept = reckon("22:00:00", TimeDelta::zero(), "this", 10 + 8 * 60, true);
        assert_eq!(slept, Theirs::sure(at("22:00:00")));
    }

    #[test]
    fn after_another_boot_what_has_passed_since_it_was_looked_at_is_the_least() {
        let day = reckon("20:00:00", TimeDelta::zero(), "next", 3, true);
        assert_eq!(day, Theirs::between(at("14:00:00"), at("20:00:00")));
        // A machine without a battery begins where it left off, or long before.
        let asleep = reckon("13:30:00", TimeDelta::zero(), "next", 3, true);
        assert_eq!(asleep, Theirs::between(at("14:00:00"), at("14:00:00")));
        // It was ahead by eight hours then, and has been set right since.
        let set_right = reckon("20:00:00", TimeDelta::hours(-8), "next", 3, true);
        assert_eq!(set_right, day);
        // A mark that this boot has not reached yet is of another, whatever it is called.
        assert_eq!(reckon("20:00:00", TimeDelta::zero(), "this", 3, true), day);
        // The database was moved to a machine that is up for a month.
        let moved = reckon("14:20:00", TimeDelta::zero(), "next", 43_200, true);
        assert_eq!((moved.least, moved.at), (at("14:00:00"), at("14:20:00")));
    }

    #[test]
    fn a_clock_that_a_time_server_keeps_ends_the_doubt() {
        let kept = |now, offset, life, through_sleep| {
            let mark = Some(Mark { life: "next".into(), up: minutes(3), through_sleep });
            let said = LastSaid { mark: Some((life, Duration::ZERO)), ..said() };
            Theirs::reckon(Some(&said), offset, &Clocks { now: at(now), mark, kept: true })
        };
        for (offset, taken) in [
            (0, "20:00:00"),
            // Ours was behind by five hours, and is not any more.
            (5, "20:00:00"),
            // Ours was ahead by two hours, or theirs is behind: then this is their time.
            (-2, "18:00:00"),
            // That cannot be theirs, so it was ours.
            (-8, "20:00:00"),
        ] {
            let theirs = kept("20:00:00", TimeDelta::hours(offset), "this".to_owned(), true);
            assert_eq!(theirs, Theirs::sure(at(taken)), "{offset}");
        }
        let behind = kept("13:30:00", TimeDelta::zero(), "this".to_owned(), true);
        assert_eq!(behind, Theirs::sure(at("14:00:00")), "what was said is no later than now");
        let slept = kept("20:00:00", TimeDelta::zero(), "next".to_owned(), false);
        assert_eq!(slept, Theirs::sure(at("20:00:00")));
        // Within a boot the marketplace has said it itself, and the machine was paused since, or its clock is set right.
        let paused = kept("20:00:00", TimeDelta::zero(), "next".to_owned(), true);
        assert_eq!(paused, Theirs::sure(at("20:00:00")));
        let set_right = kept("14:03:00", TimeDelta::hours(-5), "next".to_owned(), true);
        assert_eq!(set_right, Theirs::sure(at("14:03:00")));
    }

    #[test]
    fn what_has_passed_at_least_is_carried_on_through_boots() {
        let mut kept = said();
        for (boot, least) in [("second", "14:20:00"), ("third", "14:40:00")] {
            let look = |kept: &LastSaid, up| {
                let mark = Mark { life: boot.into(), up: minutes(up), through_sleep: true };
                let clocks = Clocks { now: at("20:00:00"), mark: Some(mark), kept: false };
                let theirs = Theirs::reckon(Some(kept), TimeDelta::zero(), &clocks);
                (theirs, kept.carried_on(&theirs, clocks.mark.as_ref()).unwrap())
            };
            for up in [5, 6, 25] {
                let (theirs, next) = look(&kept, up);
                assert_eq!(theirs.at, at("20:00:00"));
                kept = next;
            }
            assert_eq!((kept.theirs, kept.exact), (at(least), false));
        }
        let mark = |life: &str, through_sleep| Mark { life: life.into(), up: minutes(11), through_sleep };
        let theirs = Theirs::sure(at("14:01:00"));
        assert_eq!(said().carried_on(&theirs, Some(&mark("this", true))), None, "it is exact");
        assert_eq!(
            said().carried_on(&theirs, Some(&mark("other", false))),
            None,
            "nobody else can go by that"
        );
    }

    #[test]
    fn a_clock_that_stands_still_in_sleep_says_the_least_and_only_to_its_own_process() {
        let slept = reckon("20:00:00", TimeDelta::zero(), "this", 12, false);
        assert_eq!(slept, Theirs::between(at("14:02:00"), at("20:00:00")));
        let set_back = reckon("09:00:00", TimeDelta::zero(), "this", 12, false);
        assert_eq!(set_back, Theirs::sure(at("14:02:00")));
        let other = reckon("20:00:00", TimeDelta::zero(), "other", 3, false);
        assert_eq!(other, Theirs::between(at("20:00:00"), at("20:00:00")));
    }

    #[test]
    fn while_nothing_was_said_the_wall_clock_is_believed() {
        let clocks = Clocks::from(at("14:00:00"));
        let ahead = TimeDelta::minutes(5);
        assert_eq!(Theirs::reckon(None, ahead, &clocks), Theirs::sure(at("14:05:00")));
        let unmarked = LastSaid { mark: None, ..said() };
        let mark = Some(Mark { life: "this".into(), up: minutes(10), through_sleep: true });
        let clocks = Clocks { now: at("15:30:00"), mark, kept: false };
        let theirs = Theirs::reckon(Some(&unmarked), TimeDelta::zero(), &clocks);
        assert_eq!((theirs.least, theirs.at), (at("14:00:00"), at("15:30:00")));
    }
}
