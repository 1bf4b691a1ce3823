//! The pipeline every request of an account goes through.
//!
//! One request is in flight per account at any time: a burst of parallel requests is answered with 429
//! (cardmarket.md 7) and gains nothing.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::classify::{LimitHeaders, Next, Sent, Verdict, classify};
use super::oauth1::{Signer, Target, Unsigned};
use super::pace::Pace;
use super::random::Random;
use super::transport::{Transport, WireError, WireRequest, WireResponse};
use super::{Attempt, CallError, Gate, Outgoing};
use crate::clock::SharedClock;
use crate::domain::{ErrorType, RequestClass, RunId};
use crate::policy::backoff;

/// An account's way to its marketplace, bound to the run that uses it. Clones share the connection and the pace.
#[derive(Clone)]
pub struct Client {
    line: Arc<Line>,
    run: Option<RunId>,
    insist: bool,
}

/// What a client is made of.
pub struct Parts {
    /// The wire.
    pub transport: Arc<dyn Transport>,
    /// What every request must pass.
    pub gate: Arc<dyn Gate>,
    /// What signs; `None` sends unsigned requests.
    pub signer: Option<Signer>,
    /// What the answers' headers say about the quota.
    pub headers: LimitHeaders,
    /// The clock.
    pub clock: SharedClock,
    /// Nonces and jitter.
    pub random: Arc<Random>,
    /// Requests a second.
    pub max_per_second: NonZeroU32,
    /// How long one request may take.
    pub request_timeout: Duration,
}

struct Line {
    parts: Parts,
    pace: Pace,
    in_flight: tokio::sync::Mutex<()>,
}

/// One thing to ask.
#[derive(Debug, Clone)]
pub struct Call {
    /// The HTTP method.
    pub method: &'static str,
    /// The path with its variable parts named.
    pub template: &'static str,
    /// What it is for.
    pub class: RequestClass,
    /// The exact URL.
    pub target: Target,
}

/// What the marketplace answered: a success, or a 4xx other than 401, 403 and 429.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and template of the call, for complaints about it.
    pub at: String,
    /// Status, headers and body.
    pub response: WireResponse,
}

/// How often a redirect is followed: Cardmarket sends one to an unpaginated list, and that once.
const MAX_REDIRECTS: u32 = 3;

/// A request that was let out this long ago and has not left is asked for again: the process was frozen, and what
/// the gate checked may be over. Both clocks are looked at: the monotonic one stands still while a machine sleeps.
const STALE_PASS: Duration = Duration::from_secs(5);

impl Client {
    /// A client of its own, with a connection and a pace of its own.
    pub fn new(parts: Parts) -> Self {
        let pace = Pace::new(parts.max_per_second, parts.clock.clone());
        Self {
            line: Arc::new(Line { parts, pace, in_flight: tokio::sync::Mutex::new(()) }),
            run: None,
            insist: false,
        }
    }

    /// The same line, used for `run`.
    pub fn for_run(&self, run: Option<RunId>) -> Self {
        Self { run, ..self.clone() }
    }

    /// The same line, used although the account may be blocked: a person asks whether it still is.
    pub fn insisting(&self) -> Self {
        Self { insist: true, ..self.clone() }
    }

    /// Asks once, and again only where [`backoff::retry`] allows: a read, after 429 with a short `Retry-After`, 502,
    /// 503, 504 or a broken connection. Each attempt is paced, passes the gate, has a nonce of its own and is settled
    /// before anything follows from it.
    pub async fn call(&self, call: &Call) -> Result<Answer, CallError> {
        let Line { parts, pace, in_flight } = &*self.line;
        let _one_in_flight = in_flight.lock().await;
        let mut target = call.target.clone();
        let mut redirects = 0;
        let mut clock_corrected = false;
        let mut attempt = 1;
        loop {
            pace.ready().await;
            let outgoing = Outgoing {
                method: call.method,
                template: call.template,
                class: call.class,
                run: self.run,
                attempt,
                insist: self.insist,
            };
            let at = outgoing.at();
            let (let_out, let_out_at) = (parts.clock.elapsed(), parts.clock.now());
            let pass = parts.gate.enter(&outgoing).await?;
            let signed_at = parts.clock.now() + chrono::TimeDelta::milliseconds(pass.clock_offset_ms);
            let authorization = parts.signer.as_ref().map(|signer| {
                let nonce = parts.random.nonce();
                signer.header(&Unsigned::new(call.method, &target, &nonce, signed_at.timestamp()))
            });
            let slept = (parts.clock.now() - let_out_at).to_std().unwrap_or_default();
            if slept.max(parts.clock.elapsed() - let_out) > STALE_PASS {
                parts.gate.settle(pass, &not_sent()).await?;
                continue;
            }

            let sent = Sent {
                at: &at,
                now: parts.clock.now(),
                offset_used_ms: pass.clock_offset_ms,
                redirected: redirects > 0,
            };
            let started = parts.clock.elapsed();
            let result = self.send(&target, call.method, authorization.as_deref()).await;
            let Verdict { attempt: mut record, next } = classify(&result, sent, parts.headers);
            record.duration = parts.clock.elapsed() - started;
            parts.gate.settle(pass, &record).await?;
            log_attempt(&outgoing, &record);

            match next {
                Next::Answer => {
                    let response = result.unwrap_or_default();
                    return Ok(Answer { at, response });
                }
                Next::Redirect(location) => {
                    redirects += 1;
                    target = follow(&target, &location).filter(|_| redirects <= MAX_REDIRECTS).ok_or_else(|| {
                        let what = "a redirect to another host, or in a circle, is not followed; check `base_url`";
                        CallError::BadAnswer { at, what: what.to_owned() }
                    })?;
                }
                Next::WrongClock(error) if clock_corrected => return Err(error),
                Next::WrongClock(_) => {
                    clock_corrected = true;
                    tracing::warn!(
                        event = "clock.skewed",
                        skew_ms = record.clock_offset_ms.unwrap_or_default(),
                        "the clock differs from the marketplace's; asking again by its clock",
                    );
                }
                Next::Failed(error, failure) => {
                    let failure = failure.filter(|_| !outgoing.writes());
                    match failure.and_then(|failure| backoff::retry(attempt, failure, parts.random.roll())) {
                        None => return Err(error),
                        Some(wait) => {
                            tracing::debug!(
                                event = "http.request.retried",
                                url.template = call.template,
                                attempt,
                                wait_ms = wait.as_millis() as u64,
                                "{error}; trying again",
                            );
                            parts.clock.sleep(wait).await;
                            attempt += 1;
                        }
                    }
                }
            }
        }
    }

    async fn send(
        &self,
        target: &Target,
        method: &str,
        authorization: Option<&str>,
    ) -> Result<WireResponse, WireError> {
        let timeout = self.line.parts.request_timeout;
        let request = WireRequest { method, url: target.as_str(), authorization, timeout };
        self.line.parts.transport.send(request).await
    }
}

/// The target of a redirect, where it stays on the same scheme, host and port.
fn follow(from: &Target, location: &str) -> Option<Target> {
    from.redirected(location).ok().filter(|to| to.same_origin(from))
}

fn not_sent() -> Attempt {
    Attempt { error_type: Some(ErrorType::Internal), ..Attempt::default() }
}

fn log_attempt(outgoing: &Outgoing, record: &Attempt) {
    tracing::debug!(
        event = "http.request.completed",
        http.request.method = outgoing.method,
        url.template = outgoing.template,
        http.response.status_code = record.status.unwrap_or_default(),
        error.r#type = record.error_type.map_or("", |t| t.as_str()),
        duration_ms = record.duration.as_millis() as u64,
        bytes = record.bytes,
        attempt = outgoing.attempt,
        "request completed",
    );
}
