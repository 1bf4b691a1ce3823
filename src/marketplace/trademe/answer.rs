//! Trade Me's answers as a whole: whether one is a success, and which part of a list it is (trademe.md 5 and 7).
//!
//! The status alone does not tell: failures come with 200 too, and their words stand in one of four places.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::members::{count, joined, message, parts};
use crate::domain::PageCursor;
use crate::http::{Answer, CallError};
use crate::marketplace::json::{self, Raw};

/// Any answer: the members we read, and those that say that it is an error.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    total_count: Raw<'a>,
    #[serde(borrow)]
    page: Raw<'a>,
    #[serde(borrow)]
    page_size: Raw<'a>,
    #[serde(borrow)]
    list: Raw<'a>,
    #[serde(borrow)]
    pub member_id: Raw<'a>,
    #[serde(borrow)]
    pub nickname: Raw<'a>,
    #[serde(borrow)]
    pub balance: Raw<'a>,
    #[serde(borrow)]
    pub auto_billing_enabled: Raw<'a>,
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
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ValidationError<'a> {
    #[serde(borrow)]
    message: Raw<'a>,
}

/// What each of the `ValidationErrors` says, of those that say anything.
pub(super) fn complaints(errors: Raw<'_>) -> impl Iterator<Item = String> {
    parts::<ValidationError<'_>>(errors).filter_map(|error| message(error.message))
}

impl<'a> Body<'a> {
    /// The body of an answer that is a success.
    pub fn read(answer: &'a Answer) -> Result<Self, CallError> {
        let response = &answer.response;
        let success = (200..300).contains(&response.status);
        match serde_json::from_slice::<Self>(&response.body) {
            Ok(body) => match body.fault(success) {
                Some(reason) => Err(rejected(answer, &reason)),
                None if success => Ok(body),
                None => Err(unexplained(answer)),
            },
            Err(_) if !success => Err(unexplained(answer)),
            Err(error) => Err(bad(answer, &what_it_is(&response.body, &error))),
        }
    }

    /// Why the answer is no success. `Description` is also found in successes, so alone it proves nothing.
    fn fault(&self, success: bool) -> Option<String> {
        let failed = !success || json::flag(self.success) == Some(false);
        message(self.error_description)
            .or_else(|| message(self.error))
            .or_else(|| self.described().filter(|_| failed))
            .or_else(|| (failed && success).then(|| "no reason given".to_owned()))
    }

    fn described(&self) -> Option<String> {
        message(self.description).or_else(|| joined(complaints(self.validation_errors)))
    }

    /// The error of an answer that lacks what it was asked for. `Success` is left out where it is false.
    pub fn lacks(&self, answer: &Answer, what: &str) -> CallError {
        match self.described() {
            Some(reason) => rejected(answer, &reason),
            None => bad(answer, what),
        }
    }
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Its number, from 1.
    pub page: u64,
    /// How many rows the pages before it have shown.
    before: u64,
    /// The most rows that a page has shown: the size of a full one. It may be less than was asked for.
    full: u64,
}

impl Place {
    /// The place that a cursor names; the first page without one.
    pub fn of(cursor: Option<&PageCursor>) -> Self {
        let read = |text: &str| {
            let mut numbers = text.split(':').map(|number| number.parse().ok());
            let place = Self { page: numbers.next()??, before: numbers.next()??, full: numbers.next()?? };
            (place.page > 0).then_some(place)
        };
        cursor.and_then(|cursor| read(&cursor.0)).unwrap_or(Self { page: 1, before: 0, full: 0 })
    }

    fn cursor(self) -> PageCursor {
        PageCursor(format!("{}:{}:{}", self.page, self.before, self.full))
    }

    /// Whether nothing is left for this page of a list of `total` rows.
    fn is_beyond(self, total: u64) -> bool {
        self.before >= total || (self.page - 1).saturating_mul(self.full) >= total
    }

    fn after(self, rows: u64) -> Self {
        Self { page: self.page + 1, before: self.before.saturating_add(rows), full: self.full.max(rows) }
    }
}

/// One page of a list.
pub(super) struct Page<'a> {
    pub rows: Vec<&'a RawValue>,
    /// How many rows the list has.
    pub total: u64,
    pub next: Option<PageCursor>,
}

impl<'a> Page<'a> {
    /// Reads the page at `place`. What came back decides where the next one begins, since the most that can be asked
    /// for is not documented. A list that is empty before its end is no empty list: to believe it would lose the rest.
    pub fn read(answer: &'a Answer, place: Place) -> Result<Self, CallError> {
        let body = Body::read(answer)?;
        if body.total_count.is_none() && body.list.is_none() && body.page.or(body.page_size).is_none() {
            return Err(body.lacks(answer, "the list is missing in it"));
        }
        let read = |problem: String| bad(answer, &problem);
        let number = |raw, name| count(raw, name).map(i64::unsigned_abs).map_err(read);
        let page = number(body.page, "Page")?;
        if page != 0 && page != place.page {
            return Err(bad(answer, &format!("page {page} instead of page {}", place.page)));
        }
        let total = number(body.total_count, "TotalCount")?;
        let rows = body.list.map_or(Ok(Vec::new()), json::rows).map_err(read)?;
        if rows.is_empty() && !place.is_beyond(total) {
            return Err(bad(answer, &format!("page {} shows nothing of {total} rows", place.page)));
        }
        if !rows.is_empty() && total == 0 {
            return Err(bad(answer, "it has rows and no `TotalCount`"));
        }
        let next = place.after(rows.len() as u64);
        let more = !rows.is_empty() && next.before < total;
        Ok(Self { rows, total, next: more.then(|| next.cursor()) })
    }
}

/// An error whose body says nothing. A 404 means that the URL is wrong: what does not exist is a 400 (trademe.md 5).
fn unexplained(answer: &Answer) -> CallError {
    match answer.response.status {
        404 => CallError::BadAnswer {
            at: answer.at.clone(),
            what: "404: Trade Me has no such method; check `base_url`".to_owned(),
        },
        _ => rejected(answer, "no reason given"),
    }
}

/// The text may change at any time, so it decides nothing but the words of the message.
fn rejected(answer: &Answer, reason: &str) -> CallError {
    let reason = reason.chars().take(200).collect();
    CallError::Rejected { at: answer.at.clone(), status: answer.response.status, reason }
}

/// An answer that cannot be what Trade Me meant.
pub(super) fn bad(answer: &Answer, what: &str) -> CallError {
    CallError::BadAnswer { at: answer.at.clone(), what: format!("an answer that makes no sense: {what}") }
}

/// Says what a body is instead of JSON, never what it says.
fn what_it_is(body: &[u8], error: &serde_json::Error) -> String {
    let begin = body.trim_ascii_start();
    if begin.is_empty() {
        "it is empty".to_owned()
    } else if begin.starts_with(b"<") {
        format!("a page of HTML or XML ({} bytes) instead of JSON; check `base_url`", body.len())
    } else if error.is_eof() {
        format!("it breaks off after {} bytes", body.len())
    } else {
        format!("it is no JSON of the documented shape ({} bytes)", body.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::WireResponse;

    fn answer(status: u16, body: &[u8]) -> Answer {
        let response = WireResponse { status, body: body.to_vec(), ..WireResponse::default() };
        Answer { at: "GET MyTradeMe/SoldItems/{filter}".to_owned(), response }
    }

    fn page(body: &str, at: &str) -> Result<(usize, Option<String>), CallError> {
        let answer = answer(200, body.as_bytes());
        let place = Place::of(Some(&PageCursor(at.to_owned())));
        Page::read(&answer, place).map(|page| (page.rows.len(), page.next.map(|cursor| cursor.0)))
    }

    fn refusal(status: u16, body: &str) -> String {
        Body::read(&answer(status, body.as_bytes())).err().expect("a refusal").to_string()
    }

    #[test]
    fn the_next_page_begins_after_what_came_back() {
        let full = r#"{"TotalCount":5,"Page":1,"PageSize":2,"List":[{},{}]}"#;
        assert_eq!(page(full, ""), Ok((2, Some("2:2:2".to_owned()))));
        let second = r#"{"TotalCount":5,"Page":2,"PageSize":2,"List":[{},{}]}"#;
        assert_eq!(page(second, "2:2:2"), Ok((2, Some("3:4:2".to_owned()))));
        let last = r#"{"TotalCount":5,"Page":3,"PageSize":1,"List":[{}]}"#;
        assert_eq!(page(last, "3:4:2"), Ok((1, None)));
        // One row was left out of page two, so that the count is not reached; the page after the last says so.
        assert_eq!(page(last, "3:3:2"), Ok((1, Some("4:4:2".to_owned()))));
        assert_eq!(page(r#"{"TotalCount":5,"Page":4,"PageSize":0,"List":[]}"#, "4:4:2"), Ok((0, None)));
    }

    #[test]
    fn an_empty_page_is_one_only_where_nothing_is_left() {
        for body in [
            r#"{"TotalCount":0,"Page":1,"PageSize":0,"List":[]}"#,
            r#"{"TotalCount":0,"Page":1,"PageSize":0}"#,
            r#"{"TotalCount":0,"List":null}"#,
            r#"{"Page":1}"#,
        ] {
            assert_eq!(page(body, ""), Ok((0, None)), "{body}");
        }
        let what = |body: &str, at: &str| page(body, at).unwrap_err().to_string();
        assert!(what(r#"{"TotalCount":3,"Page":1}"#, "").contains("nothing of 3 rows"));
        assert!(what(r#"{"TotalCount":5,"Page":2,"List":[]}"#, "2:2:2").contains("nothing of 5 rows"));
        assert!(what(r#"{"Page":1,"List":[{}]}"#, "").contains("no `TotalCount`"));
        assert!(
            what(r#"{"TotalCount":5,"Page":1,"List":[{}]}"#, "2:2:2").contains("page 1 instead of page 2")
        );
        assert!(what("{}", "").contains("the list is missing"));
        assert!(what(r#"{"TotalCount":1,"List":7}"#, "").contains("no list"));
        assert!(what("<html>", "").contains("HTML"));
        assert!(what(r#"{"TotalCount":1,"List":[{"#, "").contains("breaks off"));
        assert!(what("", "").contains("empty"));
    }

    #[test]
    fn a_failure_is_one_whatever_its_status_and_wherever_its_words_stand() {
        let category =
            r#"{"Request":"https:\/\/x\/y.json","ErrorDescription":"Category 11111 was not found"}"#;
        for status in [200, 400] {
            assert!(refusal(status, category).contains("Category 11111 was not found"));
        }
        assert!(refusal(200, r#"{"Error":"no"}"#).ends_with("no"));
        let balance = r#"{"Success":false,"Description":"Insufficient balance","ListingId":0}"#;
        assert!(refusal(200, balance).ends_with("Insufficient balance"));
        let two = r#"{"Success":false,"Description":"A title.\r\nA price."}"#;
        assert!(refusal(200, two).ends_with("A title.; A price."));
        let each =
            r#"{"Success":false,"ValidationErrors":[{"Message":"A title."},{"Message":"A price."},{},7]}"#;
        assert!(refusal(200, each).ends_with("A title.; A price."));
        assert!(refusal(200, r#"{"Success":false}"#).ends_with("no reason given"));
        assert!(page(r#"{"Description":"Not now"}"#, "").unwrap_err().to_string().ends_with("Not now"));
        assert!(refusal(400, "").ends_with("no reason given"));
        assert!(refusal(400, r#"{"Description":"bad filter"}"#).ends_with("bad filter"));
        assert!(refusal(404, "<html>").contains("check `base_url`"));
    }

    #[test]
    fn a_success_may_have_a_description_and_unknown_members() {
        for body in [r#"{"Success":true,"Description":"fine","New":{"a":[1]}}"#, r#"{"Error":false}"#, "{}"] {
            assert!(Body::read(&answer(200, body.as_bytes())).is_ok(), "{body}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// However the server cuts a list, every row is read, and reading ends.
        #[test]
        fn a_list_is_read_to_its_end_however_it_is_cut(total in 0_usize..60, cap in 1_usize..20) {
            let (mut place, mut read, mut requests) = (Place::of(None), 0, 0);
            loop {
                let from = (place.page as usize - 1) * cap;
                let rows = vec!["{}"; cap.min(total.saturating_sub(from))];
                let body = format!(
                    r#"{{"TotalCount":{total},"Page":{},"PageSize":{},"List":[{}]}}"#,
                    place.page, rows.len(), rows.join(","),
                );
                let answer = answer(200, body.as_bytes());
                let page = Page::read(&answer, place).unwrap();
                read += page.rows.len();
                requests += 1;
                match page.next {
                    Some(cursor) => place = Place::of(Some(&cursor)),
                    None => break,
                }
            }
            prop_assert_eq!(read, total);
            prop_assert_eq!(requests, total.div_ceil(cap).max(1));
        }

        #[test]
        fn no_body_and_no_cursor_makes_it_panic(status in 200_u16..600, text in "\\PC{0,30}", cursor in "[0-9:x]{0,24}") {
            let place = Place::of(Some(&PageCursor(cursor)));
            let json = serde_json::to_string(&text).unwrap();
            for body in [
                text,
                format!(r#"{{"TotalCount":{json},"Page":{json},"List":{json},"Success":{json}}}"#),
                format!(r#"{{"TotalCount":2,"List":[{json}],"ErrorDescription":{json}}}"#),
            ] {
                let _ = Page::read(&answer(status, body.as_bytes()), place).map(|page| page.rows.len());
            }
        }
    }
}
