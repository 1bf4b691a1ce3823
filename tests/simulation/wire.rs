//! The agent's wire: carries requests to the shop in process, in virtual time, and does to them what the weather says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sellerd::agent::accounts::Wires;
use sellerd::clock::Clock;
use sellerd::config::Account;
use sellerd::domain::ErrorType;
use sellerd::http::{Gate, Transport, WireError, WireRequest, WireResponse};
use sellerd::sandbox::{Answer, Delivery};

use crate::market::{CARDMARKET, Name, TRADEME};
use crate::watch::{Removed, Watch};
use crate::world::{Fate, Journey, Parcel, World};
use crate::writes::{self, Slip};

/// Opens wires into the world, and stands beside the gate.
pub struct Wired {
    /// The world.
    pub world: Arc<World>,
    /// Which agent this is, counted from 1.
    pub who: u32,
    /// The protection that is taken away, if any.
    pub removed: Option<Removed>,
}

impl Wires for Wired {
    fn open(&self, account: &Account) -> Result<Arc<dyn Transport>, WireError> {
        Ok(Arc::new(Wire { world: self.world.clone(), account: name_of(account), who: self.who }))
    }

    fn guard(&self, account: &Account, gate: Arc<dyn Gate>) -> Arc<dyn Gate> {
        Arc::new(Watch::over(gate, self.world.clone(), name_of(account), self.who, self.removed))
    }
}

fn name_of(account: &Account) -> Name {
    if account.name.as_str() == TRADEME { TRADEME } else { CARDMARKET }
}

struct Wire {
    world: Arc<World>,
    account: Name,
    who: u32,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: WireRequest<'_>) -> Result<WireResponse, WireError> {
        self.world.touch();
        self.judge_the_sender();
        let journey = self.world.journey();
        let serial = self.world.number();
        let slip = self.slip(&request, serial);
        if let Some(slip) = &slip {
            self.world.look().write_leaves(self.account, slip, journey.fate);
        }
        let writes = slip.is_some();
        let travel = self.travel(&request, journey, (serial, slip));
        let travelled = tokio::time::timeout(request.timeout, travel).await;
        self.world.touch();
        let answer = travelled.unwrap_or_else(|_| Err(error(ErrorType::Timeout, "no answer in time")));
        if writes && self.world.look().removed == Some(Removed::Doubt) {
            return answer.map_err(|error| WireError { unsent: true, ..error });
        }
        if writes {
            let status = answer.as_ref().ok().map(|answer| answer.status);
            self.world.look().write_ends(self.account, serial, journey.fate, status);
        }
        answer
    }
}

impl Wire {
    /// Only who owns the account sends, and only as long as nobody has refused the login.
    fn judge_the_sender(&self) {
        let mut world = self.world.look();
        world.tally.sent += 1;
        world.held.remove(&self.who);
        let (sent, written) = (world.tally.sent, world.rows_written());
        if written.is_some_and(|written| written < sent) {
            world.broken(format!("8: request {sent} left, and {written:?} are written down"));
        }
        let now = world.truth.now();
        world.sent_at.push(now);
        let account = world.account(self.account);
        account.sent_at.push(now);
        let (owner, since) = account.owner;
        let let_out = account.let_out.get(&self.who).copied().unwrap_or(now);
        let rest = account.wants_rest.filter(|(who, until)| *who == self.who && now < *until);
        world.judge_by_standing(self.account, self.who);
        if let Some((_, until)) = rest {
            world.broken(format!("13: a request was sent at {now}, and silence was asked for until {until}"));
        }
        // Between the gate and the wire nothing can be looked at any more; longer than that it may not take.
        let just_let_out = since >= let_out && now - let_out <= TimeDelta::seconds(5);
        if owner != self.who && !just_let_out {
            let who = self.who;
            world.broken(format!(
                "4: agent {who} sent a request, and the account is agent {owner}'s since {since}"
            ));
        }
    }

    /// What a request carries that the gate has let out as a write.
    fn slip(&self, request: &WireRequest<'_>, serial: u64) -> Option<Slip> {
        let mut world = self.world.look();
        let let_out = world.account(self.account).let_out_last.remove(&self.who);
        let intents = match let_out {
            Some(let_out) => let_out?,
            // Nobody has let it out.
            None if request.method == "GET" => return None,
            None => Vec::new(),
        };
        Some(Slip::new(serial, intents, writes::repeats(request.method, request.url)))
    }

    async fn travel(
        &self,
        request: &WireRequest<'_>,
        journey: Journey,
        (serial, slip): (u64, Option<Slip>),
    ) -> Result<WireResponse, WireError> {
        let clock = self.world.truth();
        match journey.fate {
            Fate::NoConnection => {
                clock.sleep(journey.there).await;
                return Err(error(ErrorType::Connect, "no connection (simulated)"));
            }
            Fate::Edge(status) => {
                clock.sleep(journey.there + journey.back).await;
                let body = format!("<html><body>{status}: not from the shop</body></html>");
                return Ok(WireResponse { status, headers: HeaderMap::new(), body: body.into_bytes() });
            }
            Fate::Fine | Fate::AnswerLost | Fate::Cut | Fate::Drip(_) => {}
        }
        let parcel = Parcel {
            account: self.account,
            method: request.method.to_owned(),
            url: request.url.to_owned(),
            authorization: request.authorization.map(str::to_owned),
            body: request.body.map_or(("", Vec::new()), |body| (body.content_type, body.bytes.to_vec())),
            slip,
        };
        self.world.depart(serial, parcel, journey.there);
        clock.sleep(journey.there).await;
        self.world.touch();
        let Some(answer) = self.world.arrive(serial) else {
            // Virtual time counts in milliseconds and the request stands at the end of one.
            return Err(error(ErrorType::Connect, "the connection broke (simulated)"));
        };
        clock.sleep(answer.delay + journey.back).await;
        match journey.fate {
            Fate::AnswerLost => return Err(error(ErrorType::Connect, "the connection broke (simulated)")),
            Fate::Drip(rate) => {
                clock.sleep(Duration::from_millis(answer.body.len() as u64 * 1_000 / rate)).await;
            }
            _ => {}
        }
        let mut response = deliver(answer).await?;
        if journey.fate == Fate::Cut {
            response.body.truncate(response.body.len() / 2);
        }
        self.note_wish(&response);
        Ok(response)
    }

    /// The shop says its limit, or asks for some silence. More than an hour of it is taken for a mistake.
    fn note_wish(&self, response: &WireResponse) {
        if response.status == 200 {
            self.world.look().account(self.account).limit_unknown = false;
        }
        let wish = response.headers.get("retry-after").and_then(|wish| wish.to_str().ok()?.parse().ok());
        if let Some(seconds) = wish.filter(|_| response.status == 429) {
            let mut world = self.world.look();
            let until = world.truth.now() + TimeDelta::seconds(i64::min(seconds, 3_600));
            world.account(self.account).wants_rest = Some((self.who, until));
        }
    }
}

async fn deliver(answer: Answer) -> Result<WireResponse, WireError> {
    match answer.delivery {
        Delivery::Whole => {}
        Delivery::Half | Delivery::HangUp => {
            return Err(error(ErrorType::Connect, "the connection broke (simulated)"));
        }
        Delivery::Never => std::future::pending().await,
        Delivery::Endless => {
            return Err(error(ErrorType::BadResponse, "the answer is too large (simulated)"));
        }
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    Ok(WireResponse { status: answer.status, headers, body: answer.body })
}

fn error(error_type: ErrorType, what: &str) -> WireError {
    WireError { error_type, what: what.to_owned(), unsent: false }
}
