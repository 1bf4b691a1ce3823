//! The requests of a login: paced, recorded and counted like any other, and with a pipeline of their own.
//!
//! They are signed with pairs that are not the account's, so what is answered says nothing about the account's access:
//! a number that was typed wrongly must not block a shop. They are sent once, since the answer that was lost may have
//! used up what was exchanged; only a refusal by the clock is signed anew. And their answer is wanted whatever its
//! status is, since it tells a wrong number from an old one.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use zeroize::Zeroize;

use super::classify::{COUNTS, Next, too_many};
use super::client::{Client, Parts};
use super::oauth1::{Signer, Target, Unsigned};
use super::transport::{Body, WireError, WireRequest, WireResponse};
use super::{Answer, Attempt, CallError, Outgoing};
use crate::domain::{ErrorType, RequestClass};
use crate::policy::access::Asked;
use crate::policy::trouble::Trouble;

/// An account's way to its marketplace, for a login.
#[derive(Clone)]
pub struct Handshake(Client);

/// One request of a login.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The HTTP method.
    pub method: &'static str,
    /// The path with its variable parts named.
    pub template: &'static str,
    /// The exact URL.
    pub target: &'a Target,
    /// What is sent with it.
    pub body: Option<&'a Body>,
    /// Who signs.
    pub signer: &'a Signer,
    /// Where the person is sent afterwards, or `oob`.
    pub callback: Option<&'a str>,
    /// What the person brought back.
    pub verifier: Option<&'a SecretString>,
}

impl<'a> Exchange<'a> {
    /// One that carries nothing but its signature.
    pub fn new(method: &'static str, template: &'static str, target: &'a Target, signer: &'a Signer) -> Self {
        Self { method, template, target, body: None, signer, callback: None, verifier: None }
    }
}

/// What was answered, whatever its status but 429 and 5xx. Its body is wiped, since tokens come in it.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The answer.
    pub answer: Answer,
    /// When, by the marketplace's clock.
    pub at: DateTime<Utc>,
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.answer.response.body.zeroize();
    }
}

/// A 401 is a matter of the clock when what was signed is further off than this.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(60);

impl Handshake {
    /// A login over the account's line.
    pub fn new(client: Client) -> Self {
        Self(client.insisting())
    }

    /// The time, by our clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.0.parts().clock.now()
    }

    /// Asks once; a second time only where the first was refused for its timestamp.
    pub async fn ask(&self, exchange: &Exchange<'_>) -> Result<Heard, CallError> {
        let parts = self.0.parts();
        // Nothing else of the account is in flight meanwhile.
        let mut restraint = self.0.hold().await;
        let mut corrected = false;
        loop {
            let outgoing = outgoing(exchange);
            let pass = parts.gate.enter(&outgoing).await?;
            let sent = parts.clock.now();
            let signed_at = sent + TimeDelta::milliseconds(pass.clock_offset_ms);
            let nonce = parts.random.nonce();
            let Exchange { method, target, body, callback, verifier, .. } = *exchange;
            let unsigned = Unsigned {
                callback,
                verifier,
                ..Unsigned::new(method, target, &nonce, signed_at.timestamp())
            };
            let authorization = exchange.signer.header(&unsigned);
            let request = WireRequest {
                method,
                url: target.as_str(),
                authorization: Some(&authorization),
                body,
                timeout: parts.request_timeout,
            };
            let begun = parts.clock.elapsed();
            restraint.sent(begun, parts.headers.per_minute);
            let result = parts.transport.send(request).await;
            let took = parts.clock.elapsed().saturating_sub(begun);
            let theirs = result.as_ref().ok().and_then(date);
            let mut record = Attempt { duration: took, ..record(&result, theirs, sent, parts) };
            let at = outgoing.at();
            let limited = match &result {
                Ok(response) if response.status == 429 => {
                    let standing = restraint.standing(parts.clock.elapsed(), parts.headers.per_minute);
                    Some(too_many(response, &mut record, &at, sent, standing, parts.headers))
                }
                _ => None,
            };
            parts.gate.settle(pass, &record).await?;

            // It is as good as any other 429, whoever asked: the line is left alone for as long.
            if let Some(Next::Failed(error, failure)) = limited {
                if let Some(failure) = failure {
                    restraint.failed(failure, parts.clock.elapsed());
                }
                return Err(error);
            }
            let response = result.map_err(|error| unavailable(at.clone(), error))?;
            let far_off = theirs.is_some_and(|date| (date - signed_at).abs() > CLOCK_TOLERANCE);
            match response.status {
                401 if far_off && !corrected => corrected = true,
                status @ 500.. => {
                    let (what, error_type) = (status.to_string(), ErrorType::Http5xx);
                    return Err(CallError::Unavailable { at, what, error_type });
                }
                status @ 400.. if let Some(words) = (parts.maintenance)(&response) => {
                    let (what, error_type) = (format!("{status}: {words}"), ErrorType::Http4xx);
                    return Err(CallError::Unavailable { at, what, error_type });
                }
                _ => return Ok(Heard { at: theirs.unwrap_or(sent), answer: Answer { at, response } }),
            }
        }
    }
}

fn outgoing(exchange: &Exchange<'_>) -> Outgoing {
    Outgoing {
        method: exchange.method,
        template: exchange.template,
        class: RequestClass::Orders,
        run: None,
        attempt: 1,
        asked: Asked::Person,
        writes: false,
        counted: true,
        intents: Vec::new(),
    }
}

/// What is written down. That nothing is said of the access is the point.
fn record(
    result: &Result<WireResponse, WireError>,
    theirs: Option<DateTime<Utc>>,
    sent: DateTime<Utc>,
    parts: &Parts,
) -> Attempt {
    let headers = parts.headers;
    let response = match result {
        Ok(response) => response,
        Err(error) => {
            let trouble = Some(Trouble::Outage);
            return Attempt { error_type: Some(error.error_type), trouble, ..Attempt::default() };
        }
    };
    let trouble = match response.status {
        503 => Some(Trouble::Maintenance),
        500.. => Some(Trouble::Outage),
        400.. => (parts.maintenance)(response).map(|_| Trouble::Maintenance),
        _ => None,
    };
    let number =
        |name: Option<&str>| name.and_then(|name| response.number(name)).filter(|n| COUNTS.contains(n));
    let error_type = match response.status {
        ..400 => None,
        401 => Some(ErrorType::AuthRevoked),
        403 => Some(ErrorType::AuthForbidden),
        429 => Some(ErrorType::RateLimited),
        400..500 => Some(ErrorType::Http4xx),
        _ => Some(ErrorType::Http5xx),
    };
    Attempt {
        status: Some(response.status),
        error_type,
        trouble,
        bytes: response.body.len() as u64,
        quota_count: number(headers.count),
        quota_limit: number(headers.limit).filter(|limit| *limit > 0),
        clock_offset_ms: theirs.map(|date| (date - sent).num_milliseconds()),
        ..Attempt::default()
    }
}

fn date(response: &WireResponse) -> Option<DateTime<Utc>> {
    let date = DateTime::parse_from_rfc2822(response.header("date")?).ok()?.to_utc();
    // What is outside of these years was not meant as a time.
    let years = DateTime::from_timestamp(946_684_800, 0)?..DateTime::from_timestamp(7_258_118_400, 0)?;
    years.contains(&date).then_some(date)
}

fn unavailable(at: String, error: WireError) -> CallError {
    match error.error_type {
        ErrorType::BadResponse => CallError::BadAnswer { at, what: error.what },
        error_type => CallError::Unavailable { at, what: error.what, error_type },
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use async_trait::async_trait;

    use super::*;
    use crate::clock::{Clock, ManualClock, SharedClock};
    use crate::domain::Credentials;
    use crate::http::oauth1::vectors;
    use crate::http::{Canary, Gate, LimitHeaders, Pass, Random, Refusal, Settled, Transport};
    use crate::policy::quota::WindowKind;

    /// Lets everything out, remembers the clock and all that was settled.
    #[derive(Default)]
    struct Book {
        offset: AtomicI64,
        settled: Mutex<Vec<Attempt>>,
    }

    #[async_trait]
    impl Gate for Book {
        async fn enter(&self, outgoing: &Outgoing) -> Result<Pass, Refusal> {
            assert!(outgoing.asked == Asked::Person && outgoing.counted && !outgoing.writes);
            Ok(Pass {
                request_id: 1,
                asked: outgoing.asked,
                clock_offset_ms: self.offset.load(Ordering::SeqCst),
            })
        }

        async fn settle(&self, _: Pass, attempt: &Attempt) -> Result<Settled, Refusal> {
            self.offset.store(attempt.clock_offset_ms.unwrap_or_default(), Ordering::SeqCst);
            self.settled.lock().unwrap().push(attempt.clone());
            Ok(Settled::default())
        }
    }

    /// Refuses whoever signs by another clock than its own, which is some minutes ahead, and answers others with a
    /// status.
    struct Shop {
        clock: SharedClock,
        ahead: TimeDelta,
        status: u16,
        seen: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Transport for Shop {
        async fn send(&self, request: WireRequest<'_>) -> Result<WireResponse, WireError> {
            let now = self.clock.now() + self.ahead;
            let header = request.authorization.unwrap_or_default().to_owned();
            let fresh = header.contains(&format!("oauth_timestamp=\"{}\"", now.timestamp()));
            self.seen.lock().unwrap().push(header);
            let mut response =
                WireResponse { status: if fresh { self.status } else { 401 }, ..WireResponse::default() };
            let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
            response.headers.insert("date", date.parse().unwrap());
            Ok(response)
        }
    }

    async fn ask(minutes: i64, status: u16) -> (Result<Heard, CallError>, Arc<Shop>, Arc<Book>) {
        let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let ahead = TimeDelta::minutes(minutes);
        let shop = Arc::new(Shop { clock: clock.clone(), ahead, status, seen: Mutex::default() });
        let book = Arc::new(Book::default());
        let client = Client::new(Parts {
            transport: shop.clone(),
            gate: book.clone(),
            signer: None,
            headers: LimitHeaders { count: None, limit: None, window: WindowKind::Hour, per_minute: None },
            maintenance: |_| None,
            canary: Canary {
                template: "account",
                target: Target::new("http://127.0.0.1:1/account").unwrap(),
            },
            clock: clock.clone() as Arc<dyn Clock>,
            random: Arc::new(Random::seeded(1)),
            max_per_second: NonZeroU32::MAX,
            request_timeout: Duration::from_secs(30),
        });
        let signer = Signer::new(vectors::RFC, &Credentials::new("key", "secret", None));
        let target = Target::new("http://127.0.0.1:1/AccessToken").unwrap();
        let proof = SecretString::from("4821077");
        let exchange =
            Exchange { verifier: Some(&proof), ..Exchange::new("POST", "AccessToken", &target, &signer) };
        let heard = Handshake::new(client).ask(&exchange).await;
        (heard, shop, book)
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_by_the_clock_is_signed_anew_once_and_says_nothing_about_access() {
        let (heard, shop, book) = ask(20, 200).await;
        assert_eq!(heard.unwrap().answer.response.status, 200);
        let seen = shop.seen.lock().unwrap();
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|header| header.contains("oauth_verifier=\"4821077\"")), "{seen:?}");
        let nonce = |header: &str| header.split("oauth_nonce=\"").nth(1).unwrap()[..8].to_owned();
        assert_ne!(nonce(&seen[0]), nonce(&seen[1]));
        assert!(book.settled.lock().unwrap().iter().all(|attempt| attempt.access.is_none()));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_else_is_sent_twice_and_a_refusal_is_an_answer() {
        for (minutes, status, sent) in [(0, 401, 1), (0, 403, 1), (20, 401, 2)] {
            let (heard, shop, book) = ask(minutes, status).await;
            let heard = heard.unwrap();
            assert_eq!(heard.answer.response.status, status);
            assert_eq!(heard.at, shop.clock.now() + shop.ahead, "by their clock");
            assert_eq!(shop.seen.lock().unwrap().len(), sent);
            assert!(book.settled.lock().unwrap().iter().all(|attempt| attempt.access.is_none()));
        }
        for (status, window_full, trouble) in
            [(429, true, None), (500, false, Some(Trouble::Outage)), (503, false, Some(Trouble::Maintenance))]
        {
            let (heard, shop, book) = ask(0, status).await;
            assert!(heard.is_err());
            assert_eq!(shop.seen.lock().unwrap().len(), 1);
            let settled = book.settled.lock().unwrap();
            assert_eq!((settled[0].window_full, settled[0].trouble), (window_full, trouble), "{status}");
        }
    }
}
