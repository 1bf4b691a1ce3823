//! An account's way to its marketplace: what it is made of and what can be asked with it.
//!
//! What every request goes through on its way is [`pipeline`], which has no way around it.

mod pipeline;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub(super) use self::pipeline::{Effect, Exchange, Failed};
use super::classify::{LimitHeaders, Maintenance};
use super::download::{Download, may_be_fetched, refused, unavailable};
use super::oauth1::{Signer, Target};
use super::pace::Pace;
use super::random::Random;
use super::transport::{Body, Transport, WireResponse};
use super::{CallError, Gate};
use crate::clock::SharedClock;
use crate::domain::{RequestClass, RunId};
use crate::policy::access::Asked;
use crate::policy::restraint::Restraint;

/// An account's way to its marketplace, bound to the run that uses it. Clones share the connection and the pace.
#[derive(Clone)]
pub struct Client {
    line: Arc<Line>,
    run: Option<RunId>,
    asked: Asked,
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
    /// What the marketplace says when it is being worked on.
    pub maintenance: Maintenance,
    /// What is asked when it is not known what a refusal means.
    pub canary: Canary,
    /// The clock.
    pub clock: SharedClock,
    /// Nonces and jitter.
    pub random: Arc<Random>,
    /// Requests a second.
    pub max_per_second: NonZeroU32,
    /// How long one request may take.
    pub request_timeout: Duration,
}

/// The cheapest read for which the marketplace must know us.
#[derive(Debug, Clone)]
pub struct Canary {
    /// The path as it is recorded.
    pub template: &'static str,
    /// The exact URL.
    pub target: Target,
}

struct Line {
    parts: Parts,
    pace: Pace,
    /// Who holds it has the account's one request in flight, and knows how much restraint is called for.
    in_flight: Arc<tokio::sync::Mutex<Restraint>>,
}

/// One thing to ask. It changes nothing at the marketplace; what does is a [`super::Write`].
#[derive(Debug, Clone)]
pub struct Call {
    /// How it is asked.
    pub how: Asking,
    /// The path with its variable parts named.
    pub template: &'static str,
    /// What it is for.
    pub class: RequestClass,
    /// The exact URL.
    pub target: Target,
}

/// How something is asked.
#[derive(Debug, Clone)]
pub enum Asking {
    /// A GET.
    Get,
    /// A POST that the marketplace documents as one that changes nothing: it only says what something would cost or
    /// makes a file of what there is.
    Query(Option<Body>),
    /// A GET of public data that the marketplace does not count (trademe.md 6). It is recorded like any other and
    /// takes nothing from the quota.
    Catalogue,
}

/// What the marketplace answered: a success, or a 4xx other than 401, 403 and 429.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and template of the call, for complaints about it.
    pub at: String,
    /// Status, headers and body.
    pub response: WireResponse,
}

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
        Self { line, run: None, asked: Asked::Work, stop: CancellationToken::new() }
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
        Self { asked: Asked::Person, ..self.clone() }
    }

    /// Asks the canary, if it may leave. Returns whether it was answered.
    pub async fn probe(&self) -> Result<(), CallError> {
        let mut restraint = self.line.in_flight.lock().await;
        self.ask_canary(&mut restraint).await
    }

    /// What the line is made of, for the requests of a login.
    pub(super) fn parts(&self) -> &Parts {
        &self.line.parts
    }

    /// Waits for the account's turn and its pace. Nothing else of the account leaves while this is held.
    pub(super) async fn hold(&self) -> tokio::sync::MutexGuard<'_, Restraint> {
        let turn = self.line.in_flight.lock().await;
        self.line.pace.ready().await;
        turn
    }

    /// Asks once, and again only where [`retry`](crate::policy::backoff::retry) allows: a read, after 429 with a short
    /// `Retry-After`, 502, 503, 504 or a broken connection, and as far as [`Restraint`] has retries left. Each attempt is
    /// paced, passes the gate, has a nonce of its own and is settled before anything follows from it.
    pub async fn call(&self, call: &Call) -> Result<Answer, CallError> {
        let (method, body) = match &call.how {
            Asking::Get | Asking::Catalogue => ("GET", None),
            Asking::Query(body) => ("POST", body.as_ref()),
        };
        let exchange = Exchange {
            method,
            template: call.template,
            class: call.class,
            target: &call.target,
            body,
            writes: false,
            counted: !matches!(call.how, Asking::Catalogue),
            intents: &[],
        };
        self.exchange(&exchange).await.map_err(|failed| failed.error)
    }

    /// Fetches a file that the marketplace has put elsewhere. No request to the marketplace: neither signed nor
    /// counted, and no redirect is followed.
    pub async fn download(&self, url: &str) -> Result<Download, CallError> {
        may_be_fetched(url)?;
        let Parts { transport, request_timeout, .. } = &self.line.parts;
        let opened = tokio::select! {
            opened = transport.open(url, *request_timeout) => opened.map_err(unavailable)?,
            () = self.stop.cancelled() => return Err(CallError::Stopped),
        };
        match opened.status {
            200 => Ok(Download::new(opened.chunks, self.stop.clone())),
            status => Err(refused(status)),
        }
    }
}
