//! Which rows of a list are asked for: its filter, and the page of what the filter leaves.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use super::account::Entry;
use super::route::Filter;
use super::signature::parameters;
use super::{Listing, Sale, Shop, State, Status};

/// Rows a page when nobody says how many.
const USUAL_ROWS: usize = 50;

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Which page, from 1.
    pub page: usize,
    /// Its first row.
    pub first: usize,
    /// The row after its last.
    pub end: usize,
    /// Rows of the whole list.
    pub total: usize,
}

impl Window {
    /// The page and the rows a page that a query asks for. What is no number is as if it were not there.
    pub fn asked(query: Option<&str>) -> (usize, usize) {
        let number = |name: &str| {
            let value = value(query, name)?;
            value.parse::<usize>().ok().filter(|number| *number >= 1)
        };
        (number("page").unwrap_or(1), number("rows").unwrap_or(USUAL_ROWS))
    }

    /// The part of a list of `total` that a query asks for, of at most `cap` rows.
    pub fn of(query: Option<&str>, cap: usize, total: usize) -> Self {
        let (page, rows) = Self::asked(query);
        let rows = rows.min(cap.max(1));
        let first = (page - 1).saturating_mul(rows).min(total);
        Self { page, first, end: first.saturating_add(rows).min(total), total }
    }
}

/// One value of a query. Names are found in any case.
pub fn value(query: Option<&str>, name: &str) -> Option<String> {
    parameters(query?).find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl Filter<'_> {
    fn is(self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }

    /// How far back a filter by time reaches.
    fn span(self) -> Option<TimeDelta> {
        Some(match self.0.to_ascii_lowercase().as_str() {
            "lasthour" => TimeDelta::hours(1),
            "last24hours" => TimeDelta::hours(24),
            "last3days" => TimeDelta::days(3),
            "last7days" => TimeDelta::days(7),
            "last30days" => TimeDelta::days(30),
            "last45days" => TimeDelta::days(45),
            _ => return None,
        })
    }
}

impl Shop {
    /// The live listings of a filter, those that end first before the others; `None` for no such filter.
    pub(super) fn selling_rows(
        &self,
        filter: Filter<'_>,
        now: DateTime<Utc>,
    ) -> Option<Vec<Cow<'_, Listing>>> {
        let asked = |row: &Listing| self.questions.iter().any(|question| question.listing_id == row.id);
        let is_meant: Box<dyn Fn(&Listing) -> bool + '_> = match () {
            () if filter.is("All") => Box::new(|_| true),
            () if filter.is("ClosingToday") => Box::new(move |row| row.end <= now + TimeDelta::hours(24)),
            () if filter.is("ListingsWithBids") => Box::new(|row| !row.bids().is_empty()),
            () if filter.is("ReserveMet") => Box::new(|row| row.reserve_met() == Some(true)),
            () if filter.is("ReserveNotMet") => Box::new(|row| row.reserve_met() == Some(false)),
            () if filter.is("UnansweredQuestions") => Box::new(asked),
            () => return None,
        };
        let is_live = |row: &Listing| matches!(self.state(row, now), State::Active | State::Closing);
        let mut rows: Vec<_> = self.as_listed(now).filter(|row| is_live(row) && is_meant(row)).collect();
        rows.sort_by_key(|row| (row.closed_at(), row.id));
        Some(rows)
    }

    /// The sales of a filter, the newest first; `None` for no such filter. What is hidden is another list.
    pub(super) fn sold_rows(
        &self,
        filter: Filter<'_>,
        hidden: bool,
        now: DateTime<Utc>,
    ) -> Option<Vec<&Sale>> {
        let span = filter.span();
        let is_meant: Box<dyn Fn(&Sale) -> bool> = match span {
            Some(span) => Box::new(move |sale| sale.at > now - span),
            None if filter.is("PaymentInstructionsToSend") => Box::new(|sale| sale.status == Status::None),
            // Nobody can place feedback here yet, so all of it is to be placed.
            None if filter.is("FeedbackToPlace") => Box::new(|_| true),
            None if filter.is("EmailSent") => Box::new(|sale| sale.status == Status::EmailSent),
            None if filter.is("PaymentReceived") => Box::new(|sale| sale.status == Status::PaymentReceived),
            None if filter.is("GoodsShipped") => Box::new(|sale| sale.status == Status::GoodsShipped),
            None if filter.is("SaleCompleted") => Box::new(|sale| sale.status == Status::SaleCompleted),
            None => return None,
        };
        let lag = self.options.sold_lag;
        let mut rows: Vec<&Sale> = self
            .sales
            .iter()
            .filter(|sale| sale.hidden == hidden && sale.is_visible(now, lag) && is_meant(sale))
            .collect();
        rows.sort_by_key(|sale| std::cmp::Reverse((sale.at, sale.id)));
        Some(rows)
    }

    /// The lines of the account of a filter and a kind, the newest first; `None` for no such filter.
    pub(super) fn statement_rows(
        &self,
        filter: Filter<'_>,
        kind: &str,
        now: DateTime<Utc>,
    ) -> Option<Vec<&Entry>> {
        let days = match filter.0.to_ascii_lowercase().as_str() {
            "all" => 365,
            "last60days" => 60,
            "last45days" => 45,
            "last28days" => 28,
            "last14days" => 14,
            "last7days" => 7,
            "last24hours" => 1,
            _ => return None,
        };
        let is_meant = |entry: &&Entry| entry.at > now - TimeDelta::days(days) && entry.is_of(kind);
        Some(self.account.iter().rev().filter(is_meant).collect())
    }

    /// What closed unsold, the last first; `None` for no such filter.
    pub(super) fn unsold_rows(
        &self,
        filter: Filter<'_>,
        now: DateTime<Utc>,
    ) -> Option<Vec<Cow<'_, Listing>>> {
        let is_unsold = |row: &Listing| matches!(self.state(row, now), State::Unsold | State::Withdrawn);
        let is_meant: Box<dyn Fn(&Listing) -> bool + '_> = match filter.span() {
            Some(span) if !filter.is("Last3Days") && !filter.is("Last30Days") => {
                Box::new(move |row| row.closed_at() > now - span)
            }
            // Nobody can make offers here yet.
            None if filter.is("ItemsIHaveOffered") => Box::new(|_| false),
            None if filter.is("ItemsICanRelist") => {
                Box::new(move |row| row.withdrawn.is_none() && now - row.closed_at() <= TimeDelta::days(45))
            }
            _ => return None,
        };
        let mut rows: Vec<_> = self.as_listed(now).filter(|row| is_unsold(row) && is_meant(row)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.closed_at(), row.id)));
        Some(rows)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_query_says_which_page_and_nonsense_says_nothing() {
        assert_eq!(Window::asked(None), (1, 50));
        assert_eq!(Window::asked(Some("page=3&rows=20")), (3, 20));
        assert_eq!(Window::asked(Some("Page=2")), (2, 50));
        assert_eq!(Window::asked(Some("page=0&rows=-1")), (1, 50));
        let beyond = Window::of(Some("page=18446744073709551615&rows=500"), 500, 312);
        assert_eq!((beyond.first, beyond.end), (312, 312));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_pages_of_a_list_are_the_whole_list_whatever_the_cap(
            rows in 1_usize..60, cap in 1_usize..60, total in 0_usize..200,
        ) {
            let mut seen = Vec::new();
            for page in 1.. {
                let window = Window::of(Some(&format!("page={page}&rows={rows}")), cap, total);
                if window.first == window.end {
                    break;
                }
                prop_assert!(window.end - window.first <= rows.min(cap));
                seen.extend(window.first..window.end);
            }
            prop_assert_eq!(seen, (0..total).collect::<Vec<_>>());
        }
    }
}
