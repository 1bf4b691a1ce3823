//! The pipeline that every request of an account goes through: what it waits for before it leaves, and what follows
//! from what comes back.
//!
//! One request is in flight per account at any time: a burst of parallel requests is answered with 429
//! (cardmarket.md 7) and gains nothing.

use std::time::Duration;

use super::{Answer, Canary, Client, Line};
use crate::domain::{ErrorType, IntentId, RequestClass};
use crate::http::classify::{Next, Sent, Verdict, classify, moved};
use crate::http::oauth1::{Target, Unsigned};
use crate::http::transport::{Body, WireError, WireRequest, WireResponse};
use crate::http::{Attempt, CallError, Outgoing};
use crate::policy::access::Asked;
use crate::policy::backoff;
use crate::policy::restraint::Restraint;

/// A request with everything the pipeline has to know of it.
pub(in crate::http) struct Exchange<'a> {
    pub method: &'static str,
    pub template: &'static str,
    pub class: RequestClass,
    pub target: &'a Target,
    pub body: Option<&'a Body>,
    pub writes: bool,
    pub counted: bool,
    pub intents: &'a [IntentId],
}

/// A call that brought no answer, and what that says of its effect.
#[derive(Debug)]
pub(in crate::http) struct Failed {
    pub error: CallError,
    pub effect: Effect,
}

/// Whether a request that brought no answer can have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Effect {
    /// It never left, or was refused before anything was done.
    None,
    /// Nobody knows.
    Unknown,
}

/// How often a redirect is followed: Cardmarket sends one to an unpaginated list, and that once.
const MAX_REDIRECTS: u32 = 3;

/// A request that was let out this long ago and has not left is asked for again: the process was frozen, and what
/// the gate checked may be over. Both clocks are looked at: the monotonic one stands still while a machine sleeps.
const STALE_PASS: Duration = Duration::from_secs(5);

impl Client {
    /// The pipeline, with the account's one request in flight.
    pub(in crate::http) async fn exchange(&self, exchange: &Exchange<'_>) -> Result<Answer, Failed> {
        let mut restraint = self.line.in_flight.lock().await;
        restraint.call();
        match self.pass(exchange, self.asked, &mut restraint).await {
            // Whoever has work to do while the account is suspended finds out whether it still is, where that is due.
            Err(Failed { error: CallError::Refused(refusal), .. })
                if self.asked == Asked::Work && refusal.is_suspended() =>
            {
                if self.ask_canary(&mut restraint).await.is_ok() {
                    return self.pass(exchange, self.asked, &mut restraint).await;
                }
                Err(unsent(refusal.into()))
            }
            result => result,
        }
    }

    /// The canary, by the same pipeline.
    pub(super) async fn ask_canary(&self, restraint: &mut Restraint) -> Result<(), CallError> {
        let Canary { template, target } = &self.line.parts.canary;
        let exchange = Exchange {
            method: "GET",
            template,
            class: RequestClass::Orders,
            target,
            body: None,
            writes: false,
            counted: true,
            intents: &[],
        };
        // A future within itself has to be put on the heap.
        let answered = Box::pin(self.pass(&exchange, Asked::Canary, restraint)).await;
        answered.map(|_| ()).map_err(|failed| failed.error)
    }

    /// Attempts until there is an answer or no hope of one. What writes is sent once: only what was refused before it
    /// could have an effect is signed anew, by the right clock, or once it is known that the refusal was not meant.
    async fn pass(
        &self,
        exchange: &Exchange<'_>,
        mut asked: Asked,
        restraint: &mut Restraint,
    ) -> Result<Answer, Failed> {
        let Line { parts, pace, .. } = &*self.line;
        let mut target = exchange.target.clone();
        let mut redirects = 0;
        let mut clock_corrected = false;
        let mut attempt = 1;
        loop {
            let rest = restraint.rest(parts.clock.elapsed());
            if rest > Duration::ZERO && asked != Asked::Person {
                self.rest(exchange, rest).await.map_err(unsent)?;
            }
            let minute = restraint.minute_rest(parts.clock.elapsed(), parts.headers.per_minute);
            if minute > Duration::ZERO {
                self.wait(minute).await.map_err(unsent)?;
            }
            pace.ready().await;
            if self.stop.is_cancelled() {
                return Err(unsent(CallError::Stopped));
            }
            let outgoing = Outgoing {
                method: exchange.method,
                template: exchange.template,
                class: exchange.class,
                run: self.run,
                attempt,
                asked,
                writes: exchange.writes,
                counted: exchange.counted,
                intents: exchange.intents.to_vec(),
            };
            let at = outgoing.at();
            let (let_out, let_out_at) = (parts.clock.elapsed(), parts.clock.now());
            let pass = parts.gate.enter(&outgoing).await.map_err(|refusal| unsent(refusal.into()))?;
            let signed_at = parts.clock.now() + chrono::TimeDelta::milliseconds(pass.clock_offset_ms);
            let authorization = parts.signer.as_ref().map(|signer| {
                let nonce = parts.random.nonce();
                signer.header(&Unsigned::new(exchange.method, &target, &nonce, signed_at.timestamp()))
            });
            let slept = (parts.clock.now() - let_out_at).to_std().unwrap_or_default();
            if slept.max(parts.clock.elapsed().saturating_sub(let_out)) > STALE_PASS {
                parts.gate.settle(pass, &not_sent()).await.map_err(|refusal| unsent(refusal.into()))?;
                continue;
            }

            let (started, now) = (parts.clock.elapsed(), parts.clock.now());
            restraint.sent(started, parts.headers.per_minute);
            let result = self.send(&target, exchange, authorization.as_deref()).await;
            let sent = Sent {
                at: &at,
                now,
                answered: parts.clock.now(),
                took: chrono::TimeDelta::from_std(parts.clock.elapsed().saturating_sub(started))
                    .unwrap_or_default(),
                offset_used_ms: pass.clock_offset_ms,
                redirected: redirects > 0,
                clock_corrected,
                standing: restraint.standing(parts.clock.elapsed(), parts.headers.per_minute),
            };
            let Verdict { attempt: mut record, mut next } =
                classify(&result, sent, parts.headers, parts.maintenance);
            let effect = effect_of(&result, &record);
            let failed = |error| Failed { error, effect };
            record.duration = parts.clock.elapsed().saturating_sub(started);
            if let (Next::Redirect(location), Ok(response)) = (&next, &result)
                && let Some(host) = target.elsewhere(location)
            {
                next = moved(response, &mut record, &at, Some(host));
            }
            if let Next::Failed(_, Some(failure)) = &next {
                restraint.failed(*failure, parts.clock.elapsed());
            }
            // An answer that cannot be written down is one that nobody knows: a write is read back later.
            let settled = parts.gate.settle(pass, &record).await;
            let settled =
                settled.map_err(|refusal| Failed { error: refusal.into(), effect: Effect::Unknown })?;
            log_attempt(&outgoing, &record);
            if let Next::Failed(CallError::RateLimited { until, .. }, _) = &next {
                tracing::warn!(
                    event = "http.rate_limited",
                    limit = record.quota_limit,
                    used = record.quota_count,
                    reset = %until,
                    "too many requests; the marketplace is left alone until then",
                );
            }

            match next {
                Next::Answer => {
                    restraint.answered();
                    let response = result.unwrap_or_default();
                    return Ok(Answer { at, response });
                }
                Next::Redirect(location) => {
                    redirects += 1;
                    let to =
                        follow(&target, &location).filter(|_| redirects <= MAX_REDIRECTS && !outgoing.writes);
                    target = to.ok_or_else(|| {
                        let what = "a redirect in a circle is not followed; check `base_url`";
                        failed(CallError::BadAnswer { at, what: what.to_owned() })
                    })?;
                }
                Next::WrongClock(error) if clock_corrected => return Err(failed(error)),
                Next::WrongClock(_) => {
                    clock_corrected = true;
                    tracing::warn!(
                        event = "clock.skewed",
                        skew_ms = record.clock_offset_ms.unwrap_or_default(),
                        "the clock differs from the marketplace's; asking again by its clock",
                    );
                }
                Next::Refused(error) => {
                    if !settled.undecided {
                        return Err(failed(error));
                    }
                    // What the canary brings is in the account's state, and the gate goes by that.
                    let _ = self.ask_canary(restraint).await;
                    if asked == Asked::Canary {
                        return Err(failed(error));
                    }
                    asked = Asked::Again;
                }
                Next::Failed(error, failure) => {
                    let wait = failure
                        .filter(|_| !outgoing.writes && asked != Asked::Canary)
                        .and_then(|failure| backoff::retry(attempt, failure, parts.random.roll()));
                    match wait.filter(|_| restraint.spend()) {
                        None => {
                            if failure.is_some() {
                                restraint.give_up();
                            }
                            return Err(failed(error));
                        }
                        Some(wait) => {
                            tracing::debug!(
                                event = "http.request.retried",
                                url.template = exchange.template,
                                attempt,
                                wait_ms = wait.as_millis() as u64,
                                "{error}; trying again",
                            );
                            tokio::select! {
                                () = parts.clock.sleep(wait) => {}
                                () = self.stop.cancelled() => return Err(unsent(CallError::Stopped)),
                            }
                            attempt += 1;
                        }
                    }
                }
            }
        }
    }

    /// The marketplace has asked for some silence. A little of it is waited for.
    async fn rest(&self, exchange: &Exchange<'_>, rest: Duration) -> Result<(), CallError> {
        let clock = &self.line.parts.clock;
        if rest > backoff::LONGEST_RETRY_AFTER {
            let at = format!("{} {}", exchange.method, exchange.template);
            let until = clock.now() + chrono::TimeDelta::from_std(rest).unwrap_or_default();
            return Err(CallError::RateLimited { at, until });
        }
        self.wait(rest).await
    }

    /// Waits, unless nothing more is wanted.
    async fn wait(&self, span: Duration) -> Result<(), CallError> {
        tokio::select! {
            () = self.line.parts.clock.sleep(span) => Ok(()),
            () = self.stop.cancelled() => Err(CallError::Stopped),
        }
    }

    async fn send(
        &self,
        target: &Target,
        exchange: &Exchange<'_>,
        authorization: Option<&str>,
    ) -> Result<WireResponse, WireError> {
        let timeout = self.line.parts.request_timeout;
        let Exchange { method, body, .. } = *exchange;
        let request = WireRequest { method, url: target.as_str(), authorization, body, timeout };
        self.line.parts.transport.send(request).await
    }
}

/// It never left.
fn unsent(error: CallError) -> Failed {
    Failed { error, effect: Effect::None }
}

/// What is known of a request's effect when it brings no answer that can be used. A refusal of the login, of the pace
/// or of the address comes before anything is done, and so does one with a word about maintenance.
fn effect_of(result: &Result<WireResponse, WireError>, record: &Attempt) -> Effect {
    match result {
        Ok(response) if matches!(response.status, 400..=499) && record.trouble.is_some() => Effect::None,
        Ok(response) if matches!(response.status, 301 | 307 | 308 | 401 | 403 | 410 | 429) => Effect::None,
        Err(error) if error.unsent => Effect::None,
        _ => Effect::Unknown,
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
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use async_trait::async_trait;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::clock::{ManualClock, SharedClock};
    use crate::http::client::{Asking, Call, Parts};
    use crate::http::{Gate, LimitHeaders, Pass, Random, Refusal, Settled, Transport};
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
            let request_id = self.out.fetch_add(1, Ordering::SeqCst);
            Ok(Pass { request_id, asked: Asked::Work, clock_offset_ms: 0 })
        }

        async fn settle(&self, _: Pass, _: &Attempt) -> Result<Settled, Refusal> {
            self.settled.fetch_add(1, Ordering::SeqCst);
            Ok(Settled::default())
        }
    }

    /// Breaks every connection after ten seconds.
    struct Broken(SharedClock);

    #[async_trait]
    impl Transport for Broken {
        async fn send(&self, _: WireRequest<'_>) -> Result<WireResponse, WireError> {
            self.0.sleep(Duration::from_secs(10)).await;
            Err(WireError {
                error_type: ErrorType::Connect,
                what: "the connection broke".to_owned(),
                unsent: false,
            })
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
            headers: LimitHeaders { count: None, limit: None, window: WindowKind::Hour, per_minute: None },
            maintenance: |_| None,
            canary: Canary {
                template: "account",
                target: Target::new("http://127.0.0.1:1/account").unwrap(),
            },
            clock: clock.clone(),
            random: Arc::new(Random::seeded(1)),
            max_per_second: NonZeroU32::MAX,
            request_timeout: Duration::from_secs(30),
        };
        (Client::new(parts), gate, clock)
    }

    fn call() -> Call {
        let target = Target::new("http://127.0.0.1:1/account").unwrap();
        Call { how: Asking::Get, template: "account", class: RequestClass::Orders, target }
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
