//! The pipeline every request of an account goes through.
//!
//! One request is in flight per account at any time: a burst of parallel requests is answered with 429
//! (cardmarket.md 7) and gains nothing.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::classify::{LimitHeaders, Next, Sent, Verdict, classify};
use super::oauth1::{Signer, Target, Unsigned};
use super::pace::Pace;
use super::random::Random;
use super::transport::{Transport, WireError, WireRequest, WireResponse};
use super::{Attempt, CallError, Gate, Outgoing};
use crate::clock::SharedClock;
use crate::domain::{ErrorType, RequestClass, RunId};
use crate::policy::backoff;
use crate::policy::restraint::Restraint;

/// An account's way to its marketplace, bound to the run that uses it. Clones share the connection and the pace.
#[derive(Clone)]
pub struct Client {
    line: Arc<Line>,
    run: Option<RunId>,
    insist: bool,
    stop: CancellationToken,
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
    /// Who holds it has the account's one request in flight, and knows how much restraint is called for.
    in_flight: Arc<tokio::sync::Mutex<Restraint>>,
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
        Self::on(Arc::default(), parts)
    }

    /// A client that takes the place of this one, which may still be in use: the two together have one request in
    /// flight.
    pub fn succeeded_by(&self, parts: Parts) -> Self {
        Self::on(self.line.in_flight.clone(), parts)
    }

    fn on(in_flight: Arc<tokio::sync::Mutex<Restraint>>, parts: Parts) -> Self {
        let pace = Pace::new(parts.max_per_second, parts.clock.clone());
        let line = Arc::new(Line { parts, pace, in_flight });
        Self { line, run: None, insist: false, stop: CancellationToken::new() }
    }

    /// The same line, used for `run`.
    pub fn for_run(&self, run: Option<RunId>) -> Self {
        Self { run, ..self.clone() }
    }

    /// The same line, for somebody who wants no further request once `stop` is cancelled. What is in flight is waited
    /// for, so a stop takes as long as one request at most.
    pub fn until(&self, stop: CancellationToken) -> Self {
        Self { stop, ..self.clone() }
    }

    /// The same line, used although the account may be blocked: a person asks whether it still is.
    pub fn insisting(&self) -> Self {
        Self { insist: true, ..self.clone() }
    }

    /// Asks once, and again only where [`backoff::retry`] allows: a read, after 429 with a short `Retry-After`, 502,
    /// 503, 504 or a broken connection, and as far as [`Restraint`] has retries left. Each attempt is paced, passes the
    /// gate, has a nonce of its own and is settled before anything follows from it.
    pub async fn call(&self, call: &Call) -> Result<Answer, CallError> {
        let Line { parts, pace, in_flight } = &*self.line;
        let mut restraint = in_flight.lock().await;
        restraint.call();
        let mut target = call.target.clone();
        let mut redirects = 0;
        let mut clock_corrected = false;
        let mut attempt = 1;
        loop {
            let rest = restraint.rest(parts.clock.elapsed());
            if rest > Duration::ZERO && !self.insist {
                self.rest(call, rest).await?;
            }
            pace.ready().await;
            if self.stop.is_cancelled() {
                return Err(CallError::Stopped);
            }
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
            if slept.max(parts.clock.elapsed().saturating_sub(let_out)) > STALE_PASS {
                parts.gate.settle(pass, &not_sent()).await?;
                continue;
            }

            let (started, now) = (parts.clock.elapsed(), parts.clock.now());
            let result = self.send(&target, call.method, authorization.as_deref()).await;
            let sent = Sent {
                at: &at,
                now,
                answered: parts.clock.now(),
                took: chrono::TimeDelta::from_std(parts.clock.elapsed().saturating_sub(started))
                    .unwrap_or_default(),
                offset_used_ms: pass.clock_offset_ms,
                redirected: redirects > 0,
            };
            let Verdict { attempt: mut record, next } = classify(&result, sent, parts.headers);
            record.duration = parts.clock.elapsed().saturating_sub(started);
            if let Next::Failed(_, Some(failure)) = &next {
                restraint.failed(*failure, parts.clock.elapsed());
            }
            parts.gate.settle(pass, &record).await?;
            log_attempt(&outgoing, &record);

            match next {
                Next::Answer => {
                    restraint.answered();
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
                    let wait = failure
                        .filter(|_| !outgoing.writes())
                        .and_then(|failure| backoff::retry(attempt, failure, parts.random.roll()));
                    match wait.filter(|_| restraint.spend()) {
                        None => {
                            if failure.is_some() {
                                restraint.give_up();
                            }
                            return Err(error);
                        }
                        Some(wait) => {
                            tracing::debug!(
                                event = "http.request.retried",
                                url.template = call.template,
                                attempt,
                                wait_ms = wait.as_millis() as u64,
                                "{error}; trying again",
                            );
                            tokio::select! {
                                () = parts.clock.sleep(wait) => {}
                                () = self.stop.cancelled() => return Err(CallError::Stopped),
                            }
                            attempt += 1;
                        }
                    }
                }
            }
        }
    }

    /// The marketplace has asked for some silence. A little of it is waited for.
    async fn rest(&self, call: &Call, rest: Duration) -> Result<(), CallError> {
        let clock = &self.line.parts.clock;
        if rest > backoff::LONGEST_RETRY_AFTER {
            let at = format!("{} {}", call.method, call.template);
            let until = clock.now() + chrono::TimeDelta::from_std(rest).unwrap_or_default();
            return Err(CallError::RateLimited { at, until });
        }
        tokio::select! {
            () = clock.sleep(rest) => Ok(()),
            () = self.stop.cancelled() => Err(CallError::Stopped),
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use async_trait::async_trait;

    use super::super::{Pass, Refusal};
    use super::*;
    use crate::clock::ManualClock;
    use crate::policy::quota::WindowKind;

    /// Lets everything out, and counts what was let out and what was settled.
    #[derive(Default)]
    struct Open {
        out: AtomicI64,
        settled: AtomicI64,
    }

    #[async_trait]
    impl Gate for Open {
        async fn enter(&self, _: &Outgoing) -> Result<Pass, Refusal> {
            Ok(Pass { request_id: self.out.fetch_add(1, Ordering::SeqCst), clock_offset_ms: 0 })
        }

        async fn settle(&self, _: Pass, _: &Attempt) -> Result<(), Refusal> {
            self.settled.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    /// Breaks every connection after ten seconds.
    struct Broken(SharedClock);

    #[async_trait]
    impl Transport for Broken {
        async fn send(&self, _: WireRequest<'_>) -> Result<WireResponse, WireError> {
            self.0.sleep(Duration::from_secs(10)).await;
            Err(WireError { error_type: ErrorType::Connect, what: "the connection broke".to_owned() })
        }
    }

    /// Asks for two minutes of silence.
    struct Busy;

    #[async_trait]
    impl Transport for Busy {
        async fn send(&self, _: WireRequest<'_>) -> Result<WireResponse, WireError> {
            let headers = [("retry-after".parse().unwrap(), "120".parse().unwrap())].into_iter().collect();
            Ok(WireResponse { status: 429, headers, body: Vec::new() })
        }
    }

    fn client() -> (Client, Arc<Open>, SharedClock) {
        client_over(|clock| Arc::new(Broken(clock)))
    }

    fn client_over(
        transport: impl FnOnce(SharedClock) -> Arc<dyn Transport>,
    ) -> (Client, Arc<Open>, SharedClock) {
        let clock: SharedClock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let gate = Arc::new(Open::default());
        let parts = Parts {
            transport: transport(clock.clone()),
            gate: gate.clone(),
            signer: None,
            headers: LimitHeaders { count: None, limit: None, window: WindowKind::Hour },
            clock: clock.clone(),
            random: Arc::new(Random::seeded(1)),
            max_per_second: NonZeroU32::MAX,
            request_timeout: Duration::from_secs(30),
        };
        (Client::new(parts), gate, clock)
    }

    fn call() -> Call {
        let target = Target::new("http://127.0.0.1:1/account").unwrap();
        Call { method: "GET", template: "account", class: RequestClass::Orders, target }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_takes_one_request_and_not_its_retries_nor_those_that_wait() {
        let (client, gate, clock) = client();
        let stop = CancellationToken::new();
        let ours = client.until(stop.clone());
        let calls = (0..3).map(|_| {
            let ours = ours.clone();
            tokio::spawn(async move { ours.call(&call()).await })
        });
        let calls: Vec<_> = calls.collect();
        clock.sleep(Duration::from_secs(1)).await;
        stop.cancel();
        for call in calls {
            assert!(matches!(call.await.unwrap(), Err(CallError::Stopped)));
        }
        assert!(clock.elapsed() < Duration::from_secs(11));
        assert_eq!((gate.out.load(Ordering::SeqCst), gate.settled.load(Ordering::SeqCst)), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_retry_after_is_kept_by_the_calls_that_follow_unless_a_person_insists() {
        let (client, gate, clock) = client_over(|_| Arc::new(Busy));
        let begun = clock.now();
        let limited = |result| match result {
            Err(CallError::RateLimited { until, .. }) => (until - begun).num_seconds(),
            other => panic!("{other:?}"),
        };
        assert_eq!(limited(client.call(&call()).await), 120);
        clock.sleep(Duration::from_secs(80)).await;
        assert_eq!(limited(client.call(&call()).await), 120, "the same moment");
        assert_eq!(gate.out.load(Ordering::SeqCst), 1, "and nothing was sent for it");
        clock.sleep(Duration::from_secs(20)).await;
        assert_eq!(limited(client.call(&call()).await), 240, "a little is waited for, then it is asked");
        assert_eq!(limited(client.insisting().call(&call()).await), 240);
        assert_eq!(gate.out.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_is_broken_off_within_a_request_does_not_hold_up_the_next() {
        let (client, gate, clock) = client();
        let begun = tokio::time::timeout(Duration::from_secs(1), client.call(&call())).await;
        assert!(begun.is_err());
        let next = tokio::time::timeout(Duration::from_secs(1), client.call(&call())).await;
        assert!(next.is_err());
        assert_eq!(gate.out.load(Ordering::SeqCst), 2, "the next was let out at once");
        assert!(clock.elapsed() < Duration::from_secs(3));
    }
}
