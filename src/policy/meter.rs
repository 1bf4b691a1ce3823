//! How much of what an account asks is data that anybody may see.
//!
//! A marketplace may give a seller access for the seller's own business and take it away from apps that only look at
//! what others sell, above all on days in a row (cardmarket.md 2.2). So what is public waits until the day has seen
//! business of the account's own, stays under a share of it, and under what the marketplace allows in a day. To cap it
//! at the end of the day would be too late: a day that began with public data alone may end there.

use super::quota::WindowKind;

/// What a marketplace expects of an account's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicRule {
    /// The days that are counted.
    pub day: WindowKind,
    /// The most public requests of a hundred.
    pub share: u8,
    /// The most public requests of a day.
    pub per_day: i64,
}

/// What was asked on one day of the marketplace's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Day {
    /// Requests about the account's own business.
    pub own: i64,
    /// Requests for what anybody may see.
    pub public: i64,
}

impl Day {
    /// Whether nothing but public data was asked for.
    pub fn is_public_only(self) -> bool {
        self.public > 0 && self.own == 0
    }

    /// Public requests of a hundred, rounded up: none only where there were none.
    pub fn share(self) -> i64 {
        match self.own + self.public {
            0 => 0,
            all => (self.public * 100 + all - 1) / all,
        }
    }
}

/// Why a public request is not made, and what would allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// The account has done nothing of its own today.
    #[error(
        "public data is asked for only on days with business of the account's own, and today has none yet; a run of \
         order-poll or stock-pull allows it"
    )]
    NothingOwn,
    /// Nor did it on the days before, on which public data was asked for.
    #[error(
        "nothing but public data was asked for on {days} days in a row, and this request would make it one more; a run \
         of order-poll or stock-pull allows it"
    )]
    Streak {
        /// How many days.
        days: u32,
    },
    /// Public requests are as many as they may be beside the account's own.
    #[error(
        "{public} of today's {all} requests were for public data, and at most {share} % may be; {more} more of the \
         account's own allow the next one, or a higher `public_share` in sellerd.toml"
    )]
    Share {
        /// Public requests today.
        public: i64,
        /// All of today's.
        all: i64,
        /// The most of a hundred.
        share: u8,
        /// Own requests that are missing.
        more: i64,
    },
    /// The share is nothing.
    #[error("public data is not asked for, since `public_share` in sellerd.toml is 0%")]
    Never,
    /// The day's public requests are used up.
    #[error(
        "{public} requests for public data were made today, which is all the marketplace allows in a day"
    )]
    Full {
        /// Public requests today.
        public: i64,
    },
}

/// Whether one more public request may be made today, after `streak` days that were public only.
pub fn may_ask(today: Day, streak: u32, rule: PublicRule) -> Result<(), Declined> {
    let Day { own, public } = today;
    let share = i64::from(rule.share.min(100));
    if share == 0 {
        return Err(Declined::Never);
    }
    if public >= rule.per_day {
        return Err(Declined::Full { public });
    }
    if own == 0 {
        return Err(if streak > 0 { Declined::Streak { days: streak } } else { Declined::NothingOwn });
    }
    if (public + 1) * 100 > share * (own + public + 1) {
        let enough = ((public + 1) * (100 - share) + share - 1) / share;
        return Err(Declined::Share { public, all: own + public, share: rule.share, more: enough - own });
    }
    Ok(())
}

/// How many days in a row were public only, of days given backwards from yesterday. A day without any request ends the
/// row: there was nothing to see.
pub fn streak(before: impl IntoIterator<Item = Day>) -> u32 {
    let days = before.into_iter().take_while(|day| day.is_public_only()).count();
    u32::try_from(days).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: PublicRule =
        PublicRule { day: WindowKind::Day(chrono_tz::Europe::Berlin), share: 50, per_day: 30_000 };

    #[test]
    fn public_data_waits_for_business_of_the_accounts_own() {
        let day = |own, public| Day { own, public };
        assert_eq!(may_ask(day(0, 0), 0, RULE), Err(Declined::NothingOwn));
        assert_eq!(may_ask(day(0, 0), 3, RULE), Err(Declined::Streak { days: 3 }));
        assert_eq!(may_ask(day(1, 0), 3, RULE), Ok(()), "and then the row ends");
        let over = Declined::Share { public: 1, all: 2, share: 50, more: 1 };
        assert_eq!(may_ask(day(1, 1), 0, RULE), Err(over));
        assert_eq!(may_ask(day(2, 1), 0, RULE), Ok(()));
        assert_eq!(may_ask(day(90_000, 30_000), 0, RULE), Err(Declined::Full { public: 30_000 }));
        assert_eq!(may_ask(day(9, 0), 0, PublicRule { share: 0, ..RULE }), Err(Declined::Never));
    }

    #[test]
    fn a_day_of_ones_own_or_of_nothing_ends_the_row() {
        let (alone, mixed, nothing) = (Day { own: 0, public: 7 }, Day { own: 1, public: 7 }, Day::default());
        assert_eq!(streak([alone, alone, mixed, alone]), 2);
        assert_eq!(streak([nothing, alone]), 0);
        assert_eq!((mixed.share(), nothing.share(), alone.share()), (88, 0, 100));
    }

    proptest! {
        #[test]
        fn no_day_is_public_only_or_over_its_share_whatever_is_asked(
            asked in proptest::collection::vec(any::<bool>(), 0..300), share in 0_u8..=100, per_day in 0_i64..50,
        ) {
            let (mut today, rule) = (Day::default(), PublicRule { share, per_day, ..RULE });
            for public in asked {
                match public {
                    false => today.own += 1,
                    true if may_ask(today, 1, rule).is_ok() => today.public += 1,
                    true => {}
                }
                prop_assert!(!today.is_public_only() && today.public <= per_day);
                prop_assert!(today.public == 0 || today.share() <= i64::from(share), "{today:?}");
            }
        }

        #[test]
        fn what_is_said_to_be_missing_is_just_enough(own in 1_i64..500, public in 0_i64..500, share in 1_u8..=100) {
            let rule = PublicRule { share, ..RULE };
            if let Err(Declined::Share { more, .. }) = may_ask(Day { own, public }, 0, rule) {
                prop_assert!(more > 0);
                prop_assert_eq!(may_ask(Day { own: own + more, public }, 0, rule), Ok(()));
                let one_less = Day { own: own + more - 1, public };
                prop_assert!(more == 1 || may_ask(one_less, 0, rule).is_err());
            }
        }
    }
}
