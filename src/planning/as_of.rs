//! Up to when a list knows of every sale, by the marketplace's clock.
//!
//! A list bears the time of the clock beside which it was written, and a sale that of the marketplace. Where the two
//! disagree a sale may seem older than a list that knows nothing of it, and would be put up again. So in doubt a list is
//! taken for older than it is: what it knew of already is then taken off once more, until the next one is read.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::domain::LIST_AHEAD;

/// The last moment, by the marketplace's clock, of which a list of the time `as_of` knows every sale. The
/// marketplace's clock is `ahead` of ours, which may be less than nothing.
pub fn known_to(as_of: DateTime<Utc>, now: DateTime<Utc>, ahead: TimeDelta) -> DateTime<Utc> {
    // Who wrote a time to come has a clock of their own, and it may be as wrong as a list may be early.
    let by_ours = if as_of > now { as_of - LIST_AHEAD } else { as_of };
    // Whether it was written by our clock is not known. Where ours is behind, that is the safe guess.
    let by_theirs = by_ours + ahead.min(TimeDelta::zero());
    // Marketplaces tell the time of a sale in whole seconds, so that one that came after the list may bear an earlier
    // time; of that second the list is taken to know nothing.
    by_theirs.trunc_subsecs(0) - TimeDelta::milliseconds(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        format!("2026-11-22T{time}Z").parse().unwrap()
    }

    #[test]
    fn a_list_knows_what_came_before_its_second_by_whichever_clock_is_behind() {
        let known = |as_of: &str, ahead| known_to(at(as_of), at("12:00:00"), TimeDelta::seconds(ahead));
        for (as_of, ahead, last) in [
            ("11:59:07.300", 0, "11:59:06.999"),
            ("12:00:00", 0, "11:59:59.999"),
            ("11:59:07.300", -600, "11:49:06.999"),
            ("11:59:07.300", 600, "11:59:06.999"),
            ("12:00:00.001", 0, "11:54:59.999"),
            ("12:04:00", -60, "11:57:59.999"),
        ] {
            assert_eq!(known(as_of, ahead), at(last), "{as_of}, {ahead} s");
        }
    }
}
