//! What Trade Me says of something we sent it: a write, a validation, or a question about fees (trademe.md 5 and 11.2).
//!
//! Apart from [`super::answer`], since a refusal is no error here but an outcome, and what is neither success nor refusal
//! must not be taken for either.

use serde::Deserialize;

use super::answer::complaints;
use super::detail;
use super::members::{amount, id, joined, message};
use crate::domain::{Currency, ListingId, Money, clean};
use crate::http::{Answer, CallError};
use crate::marketplace::ItemOutcome;
use crate::marketplace::json::{self, Raw};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said<'a> {
    #[serde(borrow)]
    success: Raw<'a>,
    #[serde(borrow)]
    error_description: Raw<'a>,
    #[serde(borrow)]
    error: Raw<'a>,
    #[serde(borrow)]
    description: Raw<'a>,
    #[serde(borrow)]
    validation_errors: Raw<'a>,
    #[serde(borrow)]
    listing_id: Raw<'a>,
    #[serde(borrow)]
    listing: Raw<'a>,
    #[serde(borrow)]
    total_cost: Raw<'a>,
    #[serde(borrow)]
    insufficient_balance: Raw<'a>,
}

/// An answer, judged.
pub(super) enum Verdict<T> {
    /// It is as was asked.
    Yes(T),
    /// It was refused and nothing was done, in these words.
    No(String),
    /// It says neither.
    Unclear,
}

/// What a fee call says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quote {
    pub cost: Money,
    /// The balance does not cover it.
    pub too_dear: bool,
}

/// The most words of a refusal that are passed on.
const WORDS: usize = 400;

/// What became of a listing that was made, edited or withdrawn.
pub(super) fn outcome(answer: &Answer, written: Written) -> ItemOutcome {
    match judge(answer, |said| Some(said.written(written))) {
        Verdict::Yes(outcome) => outcome,
        Verdict::No(words) if is_of_balance(&words) => ItemOutcome::TooDear(words),
        Verdict::No(words) => ItemOutcome::Refused(words),
        Verdict::Unclear => ItemOutcome::Unclear,
    }
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written {
    /// A new listing.
    Made,
    /// Another price or number of copies.
    Edited(ListingId),
    /// No listing any more.
    Withdrawn,
}

/// Whether a listing would be accepted.
pub(super) fn valid(answer: &Answer) -> Result<Option<String>, CallError> {
    match judge(answer, |_| Some(())) {
        Verdict::Yes(()) => Ok(None),
        Verdict::No(words) => Ok(Some(words)),
        Verdict::Unclear => Err(super::answer::bad(answer, "it says neither yes nor no")),
    }
}

/// What something costs, or why it cannot be done at all.
pub(super) fn quote(answer: &Answer, currency: Currency) -> Result<Result<Quote, String>, CallError> {
    let read = |said: &Said<'_>| {
        let cost = amount(said.total_cost, "TotalCost", currency).ok()?;
        Some(Quote { cost, too_dear: json::flag(said.insufficient_balance).unwrap_or_default() })
    };
    match judge(answer, read) {
        Verdict::Yes(quote) => Ok(Ok(quote)),
        Verdict::No(words) => Ok(Err(words)),
        Verdict::Unclear => Err(super::answer::bad(answer, "it does not say what it costs")),
    }
}

/// Yes only where `Success` says so; no where it says so, where the status does, or where it is left out, as what is
/// false may be, and there are words instead.
fn judge<T>(answer: &Answer, read: impl FnOnce(&Said<'_>) -> Option<T>) -> Verdict<T> {
    let status = answer.response.status;
    let said = serde_json::from_slice::<Said<'_>>(&answer.response.body).ok();
    let words = said.as_ref().and_then(Said::words);
    let success = said.as_ref().and_then(|said| json::flag(said.success));
    match (status, success) {
        // Somebody on the way gave up waiting; the request may have been passed on.
        (408, _) => Verdict::Unclear,
        (400.., _) => Verdict::No(words.unwrap_or_else(|| format!("{status}, with no reason given"))),
        (_, Some(true)) => said.as_ref().and_then(read).map_or(Verdict::Unclear, Verdict::Yes),
        (_, Some(false)) => Verdict::No(words.unwrap_or_else(|| "no reason given".to_owned())),
        (_, None) => words.map_or(Verdict::Unclear, Verdict::No),
    }
}

impl Said<'_> {
    /// All that it says against it, each once.
    fn words(&self) -> Option<String> {
        let each = complaints(self.validation_errors);
        let mut all: Vec<String> = Vec::new();
        for words in
            [self.error_description, self.error, self.description].into_iter().filter_map(message).chain(each)
        {
            if !all.iter().any(|known| known.contains(&words)) {
                all.push(words);
            }
        }
        joined(all.into_iter()).map(|words| in_full(&words))
    }

    /// A number is asked of what was made, since without it nobody knows what was.
    fn written(&self, written: Written) -> ItemOutcome {
        let said = id(self.listing_id, "ListingId").ok().map(ListingId);
        match written {
            Written::Made => match said {
                Some(id) => ItemOutcome::Done { listing_id: Some(id), listed: self.listed() },
                None => ItemOutcome::Unclear,
            },
            Written::Edited(id) => {
                ItemOutcome::Done { listing_id: Some(said.unwrap_or(id)), listed: self.listed() }
            }
            Written::Withdrawn => ItemOutcome::Done { listing_id: None, listed: Some(0) },
        }
    }

    /// How many copies can be bought, where the answer shows the listing as it is now.
    fn listed(&self) -> Option<i64> {
        self.listing.and_then(detail::copies_shown)
    }
}

/// The words of a refusal, with what a person can do about the one that stops every listing run (trademe.md 22).
fn in_full(words: &str) -> String {
    let short: String = clean(words).chars().take(WORDS).collect();
    if is_of_balance(&short) { format!("{short}: {TOO_DEAR}") } else { short }
}

/// Whether a refusal is for want of money.
fn is_of_balance(words: &str) -> bool {
    words.to_lowercase().contains("insufficient balance")
}

/// What is said where the prepaid balance is too low.
const TOO_DEAR: &str = "the balance of the Trade Me account does not cover the fee; pay some in at Trade Me, and the next plan goes on";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::WireResponse;

    fn answer(status: u16, body: &str) -> Answer {
        let response = WireResponse { status, body: body.as_bytes().to_vec(), ..WireResponse::default() };
        Answer { at: "POST Selling".to_owned(), response }
    }

    fn refused(status: u16, body: &str) -> String {
        match outcome(&answer(status, body), Written::Made) {
            ItemOutcome::Refused(words) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_success_says_what_was_made_and_how_many_stand_there_where_it_shows_them() {
        let done = |body: &str, written| outcome(&answer(200, body), written);
        let made = |listed| ItemOutcome::Done { listing_id: Some(ListingId(5_123_456_789)), listed };
        assert_eq!(done(r#"{"Success":true,"ListingId":5123456789}"#, Written::Made), made(None));
        let shown = r#"{"Success":true,"ListingId":5123456789,"Listing":{"Quantity":6,"Title":"x"}}"#;
        assert_eq!(done(shown, Written::Made), made(Some(6)));
        let edited = Written::Edited(ListingId(5_123_456_789));
        assert_eq!(done(r#"{"Success":true,"ListingId":0,"Listing":null}"#, edited), made(None));
        let gone = ItemOutcome::Done { listing_id: None, listed: Some(0) };
        assert_eq!(done(r#"{"Success":true,"ListingId":5123456789}"#, Written::Withdrawn), gone);
    }

    #[test]
    fn a_refusal_passes_on_all_its_words_wherever_they_stand() {
        let two = r#"{"Success":false,"Description":"Please enter a title.\r\nThe start price must be at least $0.50.","ListingId":0}"#;
        assert_eq!(refused(200, two), "Please enter a title.; The start price must be at least $0.50.");
        let each = r#"{"Success":false,"Description":"Not valid","ValidationErrors":[{"Message":"A title."},{"Message":"Not valid"}]}"#;
        assert_eq!(refused(200, each), "Not valid; A title.");
        assert_eq!(
            refused(400, r#"{"Request":"x","ErrorDescription":"No such listing"}"#),
            "No such listing"
        );
        assert_eq!(refused(200, r#"{"Description":"Not now"}"#), "Not now");
        assert_eq!(refused(200, r#"{"Success":false}"#), "no reason given");
        assert_eq!(refused(400, "<html>"), "400, with no reason given");
        let balance = r#"{"Success":false,"Description":"Insufficient balance","ListingId":0}"#;
        let ItemOutcome::TooDear(words) = outcome(&answer(200, balance), Written::Made) else { panic!() };
        assert!(words.starts_with("Insufficient balance: the balance of the Trade Me account"), "{words}");
    }

    #[test]
    fn what_says_neither_is_in_doubt() {
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, "{}"),
            (200, r#"{"Success":tr"#),
            (200, r#"{"Success":true}"#),
            (200, r#"{"Success":"perhaps","ListingId":7}"#),
            (408, r#"{"Success":false,"Description":"late"}"#),
        ] {
            assert_eq!(outcome(&answer(status, body), Written::Made), ItemOutcome::Unclear, "{body}");
        }
    }

    #[test]
    fn a_quote_is_an_amount_or_the_reason_why_there_is_none() {
        let quoted = |body: &str| quote(&answer(200, body), Currency::NZD);
        let cost =
            |minor, too_dear| Ok(Ok(Quote { cost: Money { minor, currency: Currency::NZD }, too_dear }));
        assert_eq!(quoted(r#"{"Success":true,"TotalCost":3.00,"FeeItems":{"List":[]}}"#), cost(300, false));
        assert_eq!(quoted(r#"{"Success":true,"TotalCost":0.55,"InsufficientBalance":true}"#), cost(55, true));
        assert_eq!(quoted(r#"{"Success":true}"#), cost(0, false));
        assert_eq!(quoted(r#"{"Success":false,"Description":"no"}"#), Ok(Err("no".to_owned())));
        assert!(quoted("{}").is_err() && quoted(r#"{"Success":true,"TotalCost":"free"}"#).is_err());
        assert_eq!(valid(&answer(200, r#"{"Success":true}"#)), Ok(None));
        assert!(valid(&answer(200, "{}")).is_err());
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic_or_a_success(status in 200_u16..600, text in "\\PC{0,30}") {
            let json = serde_json::to_string(&text).unwrap();
            for body in [text.clone(), format!(r#"{{"Success":{json},"Description":{json},"Listing":{json},"ListingId":{json}}}"#)] {
                let said = outcome(&answer(status, &body), Written::Withdrawn);
                let yes = status < 400 && ["true", "1"].contains(&text.trim());
                prop_assert!(yes || !matches!(said, ItemOutcome::Done { .. }), "{said:?}");
            }
        }
    }
}
