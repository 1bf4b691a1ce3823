//! Whether a reading of the stock is believed in what it does not show.
//!
//! A marketplace that has a bad day answers 200 and an empty list. Acting on that would list everything a second time.
//! So a stock that is suddenly less than half is doubted until two equal complete readings, some time apart, show the
//! same; and where nothing at all is left, a person has to say so, since no number of equal answers tells an outage from
//! an empty shop.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::ListingId;

/// How far a reading of the stock may be acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// It shows what there is.
    Sound,
    /// Something may be missing, for this reason: what it shows is there, what it does not show may be there.
    Partial(String),
    /// It is not believed, for this reason: nothing is done by it.
    Suspicious(String),
}

/// What is known of one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// Why something may be missing; `None` where it is complete.
    pub incomplete: Option<String>,
    /// Listings seen.
    pub rows: u64,
    /// Which listings they were, by [`digest`].
    pub digest: i64,
}

/// How far apart two readings have to be before the second one confirms the first.
const APART: TimeDelta = TimeDelta::minutes(10);

/// A stock of fewer listings may shrink by what is known to be sold: three sales empty a shop of three.
pub const SMALL: u64 = 5;

/// Judges the latest reading. `believed` is the last complete reading that was sound; `between` are the readings since
/// then but for the latest, oldest first; `confirmed` says that a person has looked and the stock is really empty, and
/// `sold` that every copy of a [`SMALL`] stock that it does not show was sold, or taken off sale by us.
pub fn judge(
    latest: &SnapshotFacts,
    believed: Option<&SnapshotFacts>,
    between: &[SnapshotFacts],
    confirmed: bool,
    sold: bool,
) -> Trust {
    if let Some(why) = &latest.incomplete {
        return Trust::Partial(why.clone());
    }
    let Some(believed) = believed else { return Trust::Sound };
    let as_sold = sold && believed.rows < SMALL;
    if as_sold || u128::from(latest.rows) * 2 >= u128::from(believed.rows) {
        return Trust::Sound;
    }
    let shrunk = format!("{} of {} listings are left", latest.rows, believed.rows);
    if !seen_before(latest, between) {
        return Trust::Suspicious(format!(
            "{shrunk}; this is believed once two equal complete readings, ten minutes apart, show it"
        ));
    }
    if latest.rows == 0 && !confirmed {
        return Trust::Suspicious(format!(
            "{shrunk}, and again ten minutes later; a person has to confirm that the stock is empty"
        ));
    }
    Trust::Sound
}

/// Whether an equal complete reading ended long enough before the latest began, and nothing else was seen since.
fn seen_before(latest: &SnapshotFacts, between: &[SnapshotFacts]) -> bool {
    between
        .iter()
        .rev()
        .filter(|reading| reading.incomplete.is_none())
        .take_while(|reading| reading.rows == latest.rows && reading.digest == latest.digest)
        .any(|reading| latest.started_at - reading.finished_at >= APART)
}

/// A number for a set of listings, the same in any order, that differs where one of them is another.
pub fn digest(ids: impl IntoIterator<Item = ListingId>) -> i64 {
    // Each number is scattered by itself (splitmix64), so that a sum of them does not cancel out.
    let sum = ids.into_iter().fold(0_u64, |sum, ListingId(id)| {
        let mut x = id.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        sum.wrapping_add(x ^ (x >> 31))
    });
    sum.cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(minute: i64, ids: std::ops::Range<i64>) -> SnapshotFacts {
        let start: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        SnapshotFacts {
            started_at: start + TimeDelta::minutes(minute),
            finished_at: start + TimeDelta::minutes(minute) + TimeDelta::seconds(20),
            incomplete: None,
            rows: ids.end.abs_diff(ids.start),
            digest: digest(ids.map(ListingId)),
        }
    }

    fn sound(trust: Trust) -> bool {
        trust == Trust::Sound
    }

    #[test]
    fn half_of_the_stock_is_believed_and_less_is_not() {
        let full = reading(0, 0..8_431);
        assert!(sound(judge(&reading(60, 0..4_216), Some(&full), &[], false, false)));
        assert!(matches!(
            judge(&reading(60, 0..4_215), Some(&full), &[], false, false),
            Trust::Suspicious(_)
        ));
        assert!(sound(judge(&full, None, &[], false, false)));
    }

    #[test]
    fn a_small_stock_is_believed_to_be_smaller_where_what_is_missing_was_sold() {
        let after = |rows, left, sold| {
            sound(judge(&reading(60, 0..left), Some(&reading(0, 0..rows)), &[], false, sold))
        };
        assert!(after(4, 0, true) && after(3, 1, true), "three sales empty a shop of three");
        assert!(!after(4, 0, false) && !after(1, 0, false) && !after(3, 1, false));
        assert!(after(4, 2, false));
        assert!(!after(5, 0, true) && !after(100, 0, true), "a larger one needs a second reading at least");
    }

    #[test]
    fn a_shrunken_stock_is_believed_when_it_is_seen_again_ten_minutes_later() {
        let full = reading(0, 0..100);
        let latest = reading(30, 0..10);
        let check = |between: &[SnapshotFacts], expected| {
            assert_eq!(sound(judge(&latest, Some(&full), between, false, false)), expected, "{between:?}");
        };
        check(&[reading(25, 0..10)], false);
        check(&[reading(19, 0..10)], true);
        check(&[reading(19, 1..11)], false);
        check(&[reading(15, 0..10), reading(25, 0..9)], false);
        check(&[reading(15, 0..10), reading(25, 0..10)], true);
        check(&[reading(90, 0..10)], false);
        let half_read = SnapshotFacts { incomplete: Some("cut off".to_owned()), ..reading(15, 0..10) };
        check(std::slice::from_ref(&half_read), false);
        check(&[reading(5, 0..10), half_read], true);
    }

    #[test]
    fn an_empty_stock_needs_a_person_as_well() {
        let (full, once, again) = (reading(0, 0..100), reading(10, 0..0), reading(30, 0..0));
        assert!(!sound(judge(&again, Some(&full), &[], true, false)), "a person alone is not enough");
        assert!(!sound(judge(&again, Some(&full), std::slice::from_ref(&once), false, false)));
        assert!(sound(judge(&again, Some(&full), &[once], true, false)));
        assert!(sound(judge(&again, Some(&reading(0, 0..0)), &[], false, false)), "it was empty before");
    }

    #[test]
    fn an_incomplete_reading_is_partial_whatever_it_shows() {
        let latest = SnapshotFacts { incomplete: Some("3 rows".to_owned()), ..reading(30, 0..0) };
        assert_eq!(
            judge(&latest, Some(&reading(0, 0..100)), &[], true, false),
            Trust::Partial("3 rows".to_owned())
        );
    }

    proptest! {
        #[test]
        fn the_digest_knows_which_listings_but_not_in_which_order(
            mut ids in proptest::collection::hash_set(any::<i64>(), 1..20).prop_map(Vec::from_iter),
            other: i64,
        ) {
            let of = |ids: &[i64]| digest(ids.iter().copied().map(ListingId));
            let before = of(&ids);
            ids.reverse();
            prop_assert_eq!(of(&ids), before);
            prop_assume!(!ids.contains(&other));
            ids[0] = other;
            prop_assert_ne!(of(&ids), before);
        }
    }
}
