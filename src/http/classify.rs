//! What an answer means: pure, from status and headers alone. What its body says is the marketplace's to read.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use sha1::{Digest, Sha1};

use super::transport::{WireError, WireResponse};
use super::{Attempt, CallError};
use crate::domain::ErrorType;
use crate::policy::access::{AccessEvent, Evidence, Refused, Refusing};
use crate::policy::backoff::Failure;
use crate::policy::quota::WindowKind;
use crate::policy::restraint::Standing;
use crate::policy::trouble::Trouble;

/// What the client must know of a marketplace's headers.
#[derive(Debug, Clone, Copy)]
pub struct LimitHeaders {
    /// The header with the count of this window's requests, this one included.
    pub count: Option<&'static str>,
    /// The header with the limit.
    pub limit: Option<&'static str>,
    /// The window that it counts in.
    pub window: WindowKind,
    /// How many it takes in any 60 seconds, where it counts those too: the account says so.
    pub per_minute: Option<usize>,
}

/// What a marketplace says with an answer that is neither 503 nor a page, where it says that it is being worked on: its own
/// words, which are known ones. `None` for every other answer.
pub type Maintenance = fn(&WireResponse) -> Option<&'static str>;

/// What is to be done with what came back.
#[derive(Debug)]
pub struct Verdict {
    /// What is written down.
    pub attempt: Attempt,
    /// What follows.
    pub next: Next,
}

/// What follows from an attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// It is an answer: a success, or a 4xx whose body says why.
    Answer,
    /// The same again at another URL of the same host.
    Redirect(String),
    /// Our clock was off: signed anew by the marketplace's clock it may pass. The error is for the time after that.
    WrongClock(CallError),
    /// We are not let in here. What that means is `policy::access`'s to find out.
    Refused(CallError),
    /// It failed; a read may be tried again where there is a failure that allows it.
    Failed(CallError, Option<Failure>),
}

/// Where and when a request was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// Method and template.
    pub at: &'a str,
    /// When it left, by our clock.
    pub now: DateTime<Utc>,
    /// When its answer was in, by our clock.
    pub answered: DateTime<Utc>,
    /// How long that took, by the clock that nobody sets.
    pub took: TimeDelta,
    /// How far ahead the marketplace's clock was taken to be when it was signed, in milliseconds.
    pub offset_used_ms: i64,
    /// Whether this request follows a redirect: then a refusal is our mistake and says nothing about access.
    pub redirected: bool,
    /// Whether the one before was refused for its timestamp, and this one is signed by the date of that answer.
    pub clock_corrected: bool,
    /// What the line knows of its own doing.
    pub standing: Standing,
}

impl Sent<'_> {
    /// Whether the marketplace met a timestamp that was older than the request was under way: our clock was set
    /// meanwhile, and what it shows now says nothing about what was signed.
    fn was_stale(&self, date: DateTime<Utc>) -> bool {
        let signed = self.now + TimeDelta::milliseconds(self.offset_used_ms);
        date - signed - self.took > TimeDelta::milliseconds(CLOCK_TOLERANCE_MS)
    }
}

/// A 401 counts as a matter of the clock when the clock used was further off than this.
const CLOCK_TOLERANCE_MS: i64 = 60_000;

/// The years that a marketplace's clock may show, and the requests that it may count. What is outside was not meant
/// as what it stands for, and a time or a number is reckoned with.
const CLOCKS: Range<i32> = 2000..2200;
pub(super) const COUNTS: RangeInclusive<i64> = 0..=1_000_000_000;

/// Judges what came back.
pub fn classify(
    result: &Result<WireResponse, WireError>,
    sent: Sent<'_>,
    headers: LimitHeaders,
    maintenance: Maintenance,
) -> Verdict {
    let response = match result {
        Ok(response) => response,
        Err(error) => return no_answer(error, sent.at),
    };
    let date = response
        .header("date")
        .and_then(|text| DateTime::parse_from_rfc2822(text).ok())
        .filter(|date| CLOCKS.contains(&date.year()))
        .map(|date| date.with_timezone(&Utc));
    let clock_offset_ms = date.map(|date| ahead(date, sent).num_milliseconds());
    let mut attempt = Attempt {
        status: Some(response.status),
        bytes: response.body.len() as u64,
        quota_count: headers.count.and_then(|name| response.number(name)).filter(|n| COUNTS.contains(n)),
        quota_limit: headers
            .limit
            .and_then(|name| response.number(name))
            .filter(|n| *n > 0 && COUNTS.contains(n)),
        clock_offset_ms,
        ..Attempt::default()
    };
    let at = || sent.at.to_owned();
    let next = match response.status {
        401 | 403 if sent.redirected => {
            attempt.error_type = Some(ErrorType::BadResponse);
            Next::Failed(
                CallError::BadAnswer { at: at(), what: format!("{} after a redirect", response.status) },
                None,
            )
        }
        401 if clock_offset_ms.is_some_and(|now| (now - sent.offset_used_ms).abs() > CLOCK_TOLERANCE_MS)
            || date.is_some_and(|date| sent.was_stale(date)) =>
        {
            attempt.error_type = Some(ErrorType::ClockSkew);
            attempt.clocks_disagree = sent.clock_corrected;
            Next::WrongClock(CallError::ClocksDisagree { at: at() })
        }
        401 => {
            attempt.error_type = Some(ErrorType::AuthRevoked);
            attempt.access = Some(refused(response, sent.at, Refusing::Login));
            Next::Refused(CallError::Unauthorized { at: at() })
        }
        403 => {
            attempt.error_type = Some(ErrorType::AuthForbidden);
            // What stands in front of a marketplace says nothing, or shows a page; an API says why.
            let by_api = !response.body.trim_ascii().is_empty() && !is_page(&response.body);
            let how = if by_api { Refusing::Forbidden } else { Refusing::Edge };
            attempt.access = Some(refused(response, sent.at, how));
            Next::Refused(CallError::Forbidden { at: at() })
        }
        410 => moved(response, &mut attempt, sent.at, None),
        429 => too_many(response, &mut attempt, sent.at, sent.now, sent.standing, headers),
        301 | 302 | 307 | 308 => match response.header("location") {
            Some(location) => Next::Redirect(location.to_owned()),
            None => bad(&mut attempt, sent.at, "a redirect that leads nowhere"),
        },
        200..=299 if is_page(&response.body) => {
            attempt.error_type = Some(ErrorType::BadResponse);
            attempt.trouble = Some(Trouble::Maintenance);
            let what = "a page of HTML instead of an answer; check `base_url`, or the marketplace is being worked on";
            let error_type = ErrorType::BadResponse;
            Next::Failed(CallError::Unavailable { at: at(), what: what.to_owned(), error_type }, None)
        }
        status @ 400..=499 if let Some(words) = maintenance(response) => {
            attempt.error_type = Some(ErrorType::Http4xx);
            attempt.trouble = Some(Trouble::Maintenance);
            let (what, error_type) = (format!("{status}: {words}"), ErrorType::Http4xx);
            // It passes as a 503 does.
            Next::Failed(CallError::Unavailable { at: at(), what, error_type }, Some(Failure::Server(503)))
        }
        status @ (200..=299 | 400..=499) => {
            attempt.access = Some(AccessEvent::Answered { at: at(), success: status < 300 });
            attempt.error_type = (status >= 400).then_some(ErrorType::Http4xx);
            Next::Answer
        }
        status @ 500..=599 => {
            attempt.error_type = Some(ErrorType::Http5xx);
            attempt.trouble = Some(if status == 503 { Trouble::Maintenance } else { Trouble::Outage });
            let error = CallError::Unavailable {
                at: at(),
                what: format!("{status}"),
                error_type: ErrorType::Http5xx,
            };
            Next::Failed(error, matches!(status, 502..=504).then_some(Failure::Server(status)))
        }
        status => bad(&mut attempt, sent.at, &format!("an answer with status {status}; check `base_url`")),
    };
    Verdict { attempt, next }
}

/// How far the marketplace's clock is ahead, as far as that is certain: its date is of some moment between question and
/// answer, and an answer that took long says nothing about the clock.
fn ahead(date: DateTime<Utc>, sent: Sent<'_>) -> TimeDelta {
    if date < sent.now {
        date - sent.now
    } else {
        (date - sent.answered.max(sent.now)).max(TimeDelta::zero())
    }
}

/// A refusal, with what will be kept of it.
fn refused(response: &WireResponse, at: &str, how: Refusing) -> AccessEvent {
    let evidence = Evidence { status: response.status, digest: digest(&response.body) };
    AccessEvent::Refused(Refused { at: at.to_owned(), how, evidence })
}

/// The API is not here any more, or this part of it is not.
pub(super) fn moved(response: &WireResponse, attempt: &mut Attempt, at: &str, to: Option<String>) -> Next {
    attempt.error_type = Some(ErrorType::BadResponse);
    let what = match &to {
        Some(host) => format!("a redirect to another host, {host}, is not followed; check `base_url`"),
        None => format!("{}: it is not there any more", response.status),
    };
    attempt.access = Some(refused(response, at, Refusing::Moved(to)));
    Next::Refused(CallError::BadAnswer { at: at.to_owned(), what })
}

/// Tells two bodies apart without keeping them.
fn digest(body: &[u8]) -> String {
    Sha1::digest(body).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a body is a page for people, which no answer of an API is.
fn is_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let start = &start[..start.len().min(14)].to_ascii_lowercase();
    start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
}

fn no_answer(error: &WireError, at: &str) -> Verdict {
    let trouble = Some(Trouble::Outage);
    let attempt = Attempt { error_type: Some(error.error_type), trouble, ..Attempt::default() };
    let at = at.to_owned();
    let next = match error.error_type {
        ErrorType::BadResponse => Next::Failed(CallError::BadAnswer { at, what: error.what.clone() }, None),
        error_type => Next::Failed(
            CallError::Unavailable { at, what: error.what.clone(), error_type },
            Some(Failure::Connection),
        ),
    };
    Verdict { attempt, next }
}

/// Tells the kinds of 429 apart (cardmarket.md 7, trademe.md 6): the window is used up, as the marketplace's own count
/// says or where it never counts for us; so many at once, with a time to wait; our own requests fill its minute; or
/// nobody knows, which is waited for longer each time and then taken for the end of the window.
pub(super) fn too_many(
    response: &WireResponse,
    attempt: &mut Attempt,
    at: &str,
    now: DateTime<Utc>,
    standing: Standing,
    headers: LimitHeaders,
) -> Next {
    attempt.error_type = Some(ErrorType::RateLimited);
    let retry_after = response.number("retry-after").filter(|s| (0..=86_400).contains(s));
    let retry_after = retry_after.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let counted = attempt.quota_count.zip(attempt.quota_limit);
    let too_many = |wait| Some(Failure::TooMany { retry_after: Some(wait) });
    let failure = match (counted, retry_after, standing.minute_full) {
        (Some((count, limit)), ..) if count >= limit => None,
        (_, Some(wait), _) => too_many(wait),
        (_, None, Some(rest)) => too_many(rest),
        (..) if headers.count.is_none() => None,
        (..) => standing.unexplained_wait().map(|wait| Failure::Unexplained { wait }),
    };
    attempt.window_full = failure.is_none();
    let until = match failure {
        Some(Failure::TooMany { retry_after: Some(wait) } | Failure::Unexplained { wait }) => {
            now + TimeDelta::from_std(wait).unwrap_or_default()
        }
        _ => headers.window.resets_at(now),
    };
    Next::Failed(CallError::RateLimited { at: at.to_owned(), until }, failure)
}

fn bad(attempt: &mut Attempt, at: &str, what: &str) -> Next {
    attempt.error_type = Some(ErrorType::BadResponse);
    Next::Failed(CallError::BadAnswer { at: at.to_owned(), what: what.to_owned() }, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: LimitHeaders = LimitHeaders {
        count: Some("x-request-limit-count"),
        limit: Some("x-request-limit-max"),
        window: WindowKind::Hour,
        per_minute: None,
    };

    fn judge(status: u16, headers: &[(&'static str, &str)]) -> Verdict {
        let mut response = WireResponse { status, ..WireResponse::default() };
        for (name, value) in headers {
            response.headers.insert(*name, value.parse().unwrap());
        }
        judge_after(TimeDelta::seconds(20), response)
    }

    /// The answer came after twenty seconds, and by our clock after `seeming`.
    fn judge_after(seeming: TimeDelta, response: WireResponse) -> Verdict {
        judge_of(seeming, response, Standing::default(), HEADERS)
    }

    fn judge_of(
        seeming: TimeDelta,
        response: WireResponse,
        standing: Standing,
        headers: LimitHeaders,
    ) -> Verdict {
        let now = "2026-11-22T14:31:07Z".parse().unwrap();
        let (answered, took) = (now + seeming, TimeDelta::seconds(20));
        let sent = Sent {
            at: "GET x",
            now,
            answered,
            took,
            offset_used_ms: 0,
            redirected: false,
            clock_corrected: false,
            standing,
        };
        classify(&Ok(response), sent, headers, |response| {
            (response.body == b"closed" && response.status == 400).then_some("closed for today")
        })
    }

    fn failure(verdict: Verdict) -> Option<Failure> {
        match verdict.next {
            Next::Failed(_, failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_429_of_the_concurrency_limiter_is_tried_again_after_its_time() {
        let verdict = judge(
            429,
            &[("retry-after", "1"), ("x-request-limit-count", "7"), ("x-request-limit-max", "50")],
        );
        assert!(!verdict.attempt.window_full);
        assert_eq!(failure(verdict), Some(Failure::TooMany { retry_after: Some(Duration::from_secs(1)) }));
    }

    #[test]
    fn a_429_at_the_limit_closes_the_window() {
        let verdict = judge(429, &[("x-request-limit-count", "50"), ("x-request-limit-max", "50")]);
        assert!(verdict.attempt.window_full);
        let Next::Failed(CallError::RateLimited { until, .. }, None) = verdict.next else { panic!() };
        assert_eq!(until, "2026-11-22T15:00:00Z".parse::<DateTime<Utc>>().unwrap());
    }

    /// A 429 without a header, as a line with this standing meets it.
    fn unexplained(standing: Standing, headers: LimitHeaders) -> Verdict {
        let response = WireResponse { status: 429, ..WireResponse::default() };
        judge_of(TimeDelta::seconds(20), response, standing, headers)
    }

    #[test]
    fn a_429_that_says_nothing_closes_the_window_of_a_marketplace_that_never_says_anything() {
        let silent = LimitHeaders { count: None, limit: None, ..HEADERS };
        let verdict = unexplained(Standing::default(), silent);
        assert!(verdict.attempt.window_full);
        assert_eq!(failure(verdict), None);
    }

    #[test]
    fn elsewhere_it_is_waited_for_and_closes_the_window_when_that_was_in_vain() {
        let wait = |unexplained_before| {
            let standing = Standing { unexplained: unexplained_before, minute_full: None };
            let verdict = unexplained(standing, HEADERS);
            (verdict.attempt.window_full, failure(verdict))
        };
        let waits = |seconds| Some(Failure::Unexplained { wait: Duration::from_secs(seconds) });
        assert_eq!([wait(0), wait(5), wait(6)], [(false, waits(2)), (false, waits(60)), (true, None)]);
    }

    #[test]
    fn a_429_while_our_own_requests_fill_the_minute_is_waited_for_until_it_has_room() {
        let rest = Duration::from_secs(41);
        let standing = Standing { unexplained: 0, minute_full: Some(rest) };
        let verdict = unexplained(standing, HEADERS);
        assert!(!verdict.attempt.window_full);
        let Next::Failed(CallError::RateLimited { until, .. }, failure) = verdict.next else { panic!() };
        assert_eq!(failure, Some(Failure::TooMany { retry_after: Some(rest) }));
        assert_eq!(until, "2026-11-22T14:31:48Z".parse::<DateTime<Utc>>().unwrap());
    }

    #[test]
    fn a_401_with_a_clock_far_off_is_no_refusal_of_the_login() {
        let far = judge(401, &[("date", "Sun, 22 Nov 2026 14:45:07 +0000")]);
        assert!(matches!(far.next, Next::WrongClock(_)));
        assert_eq!(far.attempt.access, None);
        let near = judge(401, &[("date", "Sun, 22 Nov 2026 14:31:09 +0000")]);
        assert!(matches!(
            near.attempt.access,
            Some(AccessEvent::Refused(Refused { how: Refusing::Login, .. }))
        ));
    }

    #[test]
    fn nor_is_one_during_which_our_clock_was_set_right() {
        let date = ("date".parse().unwrap(), "Mon, 23 Nov 2026 14:31:10 +0000".parse().unwrap());
        let headers = [date].into_iter().collect();
        let refused = WireResponse { status: 401, headers, ..WireResponse::default() };
        let verdict = judge_after(TimeDelta::days(1) + TimeDelta::seconds(20), refused);
        assert_eq!((verdict.attempt.access, verdict.attempt.clock_offset_ms), (None, Some(0)));
        assert!(matches!(verdict.next, Next::WrongClock(_)));
    }

    #[test]
    fn an_answer_that_took_long_is_no_clock_that_is_ahead() {
        let offset = |date| judge(200, &[("date", date)]).attempt.clock_offset_ms.unwrap();
        assert_eq!(offset("Sun, 22 Nov 2026 14:31:27 +0000"), 0);
        assert_eq!(offset("Sun, 22 Nov 2026 14:31:30 +0000"), 3_000);
        assert_eq!(offset("Sun, 22 Nov 2026 14:31:00 +0000"), -7_000);
    }

    #[test]
    fn a_clock_and_counts_that_no_marketplace_has_are_not_there() {
        let offset = |date| judge(200, &[("date", date)]).attempt.clock_offset_ms;
        assert!(offset("Fri, 22 Nov 2199 14:31:07 +0000").is_some());
        assert_eq!(offset("22 Nov 262142 14:31:07 +0000"), None);
        let header = i64::MAX.to_string();
        let attempt =
            judge(200, &[("x-request-limit-count", &header), ("x-request-limit-max", &header)]).attempt;
        assert_eq!((attempt.quota_count, attempt.quota_limit), (None, None));
    }

    #[test]
    fn a_500_is_not_tried_again_and_a_503_is() {
        assert_eq!(failure(judge(500, &[])), None);
        assert_eq!(failure(judge(503, &[])), Some(Failure::Server(503)));
    }

    #[test]
    fn refusals_are_told_apart_by_status_and_by_whether_they_say_a_word() {
        let how = |status, body: &str| {
            let response = WireResponse { status, body: body.into(), ..WireResponse::default() };
            let verdict = judge_after(TimeDelta::seconds(20), response);
            assert!(matches!(verdict.next, Next::Refused(_)), "{status}");
            match verdict.attempt.access {
                Some(AccessEvent::Refused(refused)) => (refused.how, refused.evidence.digest),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(how(401, "").0, Refusing::Login);
        assert_eq!(how(403, "{}").0, Refusing::Forbidden);
        assert_eq!(how(403, " \n").0, Refusing::Edge);
        assert_eq!(how(403, "<html>blocked</html>").0, Refusing::Edge);
        assert_eq!(how(410, "").0, Refusing::Moved(None));
        assert_ne!(how(403, "{}").1, how(403, "{ }").1);
    }

    #[test]
    fn a_page_for_people_is_maintenance_and_lets_no_blocked_account_out() {
        let page =
            WireResponse { status: 200, body: b" <!DOCTYPE html><p>".to_vec(), ..WireResponse::default() };
        let verdict = judge_after(TimeDelta::seconds(20), page);
        assert_eq!((verdict.attempt.trouble, verdict.attempt.access), (Some(Trouble::Maintenance), None));
        assert_eq!(judge(503, &[]).attempt.trouble, Some(Trouble::Maintenance));
        assert_eq!(judge(500, &[]).attempt.trouble, Some(Trouble::Outage));
        assert_eq!(judge(200, &[]).attempt.trouble, None);
    }

    #[test]
    fn a_400_that_the_marketplace_means_as_maintenance_is_taken_like_a_503() {
        let of = |status, body: &[u8]| {
            let response = WireResponse { status, body: body.to_vec(), ..WireResponse::default() };
            judge_after(TimeDelta::seconds(20), response)
        };
        let closed = of(400, b"closed");
        assert_eq!((closed.attempt.trouble, &closed.attempt.access), (Some(Trouble::Maintenance), &None));
        let Next::Failed(error, failure) = closed.next else { panic!() };
        assert_eq!(error.to_string(), "GET x: 400: closed for today");
        assert_eq!(failure, failure_of_503());
        for (status, body) in [(400, &b"no such article"[..]), (404, b"closed")] {
            let other = of(status, body);
            assert_eq!((other.next, other.attempt.trouble), (Next::Answer, None));
        }
    }

    fn failure_of_503() -> Option<Failure> {
        failure(judge(503, &[]))
    }
}
