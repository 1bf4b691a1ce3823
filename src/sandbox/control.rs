//! The control port: how a test or the command line makes things happen in a running shop. It is unsigned,
//! so it listens to callers from this machine only.
//!
//! What concerns one shop names it in its body, as `{"shop": "trademe"}`; without, Cardmarket is meant. Faults
//! without a name are for both.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::TimeDelta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::cardmarket::{ActError, ByHand, CartMove, Effect, OrderAction, Purchase};
use super::fault::Fault;
use super::house::House;
use super::line::Caller;
use super::trademe;
use super::venue::Venue;

/// The routes below `/sandbox`.
pub fn router() -> Router<Arc<House>> {
    Router::new()
        .route("/", get(state))
        .route("/requests", get(requests))
        .route("/fault", post(fault).delete(clear_faults))
        .route("/ledger", get(ledger))
        .route("/buy", post(buy))
        .route("/hand", post(by_hand))
        .route("/cart", post(move_cart))
        .route("/order/{id}/{action}", post(act))
        .route("/clock", post(set_clock))
        .fallback(async || refusal(StatusCode::NOT_FOUND, "there is no such control"))
        .layer(from_fn(only_from_here))
}

async fn only_from_here(ConnectInfo(caller): ConnectInfo<Caller>, request: Request, next: Next) -> Response {
    let is_here = match caller.peer.ip() {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.to_canonical().is_loopback(),
    };
    // A page in somebody's browser must not steer the shop: browsers name where a request comes from.
    if !is_here || request.headers().contains_key(header::ORIGIN) {
        return refusal(StatusCode::FORBIDDEN, "the control port serves programs on this machine only");
    }
    next.run(request).await
}

async fn state(State(house): State<Arc<House>>) -> Response {
    let now = house.now();
    let mut summary = house.shop().summary(now);
    summary["trademe"] = house.trademe().summary(now);
    summary["schema"] = json!("sellerd.sandbox.state/1");
    summary["pretend"] = json!(true);
    summary["now"] = json!(now);
    summary["offset_seconds"] = json!(house.offset().num_seconds());
    answer(&summary)
}

async fn requests(State(house): State<Arc<House>>) -> Response {
    let seen: Vec<_> = house.shop().ledger().seen().cloned().collect();
    let theirs: Vec<_> = house.trademe().ledger().seen().cloned().collect();
    answer(&json!({ "requests": seen, "trademe": { "requests": theirs } }))
}

async fn ledger(State(house): State<Arc<House>>) -> Response {
    let now = house.now();
    let mut books = {
        let mut shop = house.shop();
        shop.settle(now);
        let effects: Vec<Value> = shop.effects().all().map(Effect::json).collect();
        json!({
            "writes": shop.ledger().writes(),
            "effects_total": shop.effects().total(),
            "effects": effects,
        })
    };
    let mut shop = house.trademe();
    shop.settle(now);
    books["trademe"] = json!({ "writes": shop.ledger().writes(), "effects": shop.effects() });
    answer(&books)
}

async fn by_hand(State(house): State<Arc<House>>, body: Bytes) -> Response {
    let now = house.now();
    let done = addressed(&body).and_then(|(venue, deed)| {
        Ok(match venue {
            Venue::Cardmarket => {
                let done = house.shop().by_hand(&fit::<ByHand>(deed)?, now);
                done.map(|article| json!({ "article_id": article }))
            }
            Venue::Trademe => {
                let done = house.trademe().by_hand(&fit::<trademe::ByHand>(deed)?, now);
                done.map(|listing| json!({ "listing_id": listing }))
            }
        })
    });
    match done {
        Ok(Ok(done)) => answer(&done),
        Ok(Err(reason)) => refusal(StatusCode::CONFLICT, &reason),
        Err(reason) => refusal(StatusCode::BAD_REQUEST, &reason),
    }
}

async fn move_cart(State(house): State<Arc<House>>, body: Bytes) -> Response {
    let now = house.now();
    match read::<CartMove>(&body).map(|what| house.shop().move_cart(what, now)) {
        Ok(Ok(order)) => answer(&json!({ "order": order })),
        Ok(Err(reason)) => refusal(StatusCode::CONFLICT, &reason),
        Err(reason) => refusal(StatusCode::BAD_REQUEST, &reason),
    }
}

async fn fault(State(house): State<Arc<House>>, body: Bytes) -> Response {
    let fault: Fault = match read(&body) {
        Ok(fault) => fault,
        Err(reason) => return refusal(StatusCode::BAD_REQUEST, &reason),
    };
    if let Err(reason) = fault.check() {
        return refusal(StatusCode::BAD_REQUEST, &reason);
    }
    tracing::info!(target: "sandbox", fault = fault.kind.name(), "a fault is asked for");
    house.fault(&fault);
    answer(&json!({ "faults": house.faults() }))
}

async fn clear_faults(State(house): State<Arc<House>>) -> Response {
    house.clear_faults();
    tracing::info!(target: "sandbox", "all faults are cleared");
    answer(&json!({ "faults": [] }))
}

async fn buy(State(house): State<Arc<House>>, body: Bytes) -> Response {
    let now = house.now();
    let bought = match addressed(&body) {
        Ok((Venue::Cardmarket, purchase)) => fit::<Purchase>(purchase)
            .map(|purchase| house.shop().buy(&purchase, now).map(|orders| json!({ "orders": orders }))),
        Ok((Venue::Trademe, purchase)) => fit::<trademe::Purchase>(purchase)
            .map(|purchase| house.trademe().buy(&purchase, now).map(|sales| json!({ "purchases": sales }))),
        Err(reason) => Err(reason),
    };
    match bought {
        Ok(Ok(done)) => answer(&done),
        Ok(Err(reason)) => refusal(StatusCode::CONFLICT, &reason),
        Err(reason) => refusal(StatusCode::BAD_REQUEST, &reason),
    }
}

async fn act(
    State(house): State<Arc<House>>,
    Path((id, action)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let venue = match addressed(&body) {
        Ok((venue, _)) => venue,
        Err(reason) => return refusal(StatusCode::BAD_REQUEST, &reason),
    };
    let done = match venue {
        Venue::Cardmarket => act_at_cardmarket(&house, &id, &action),
        Venue::Trademe => act_at_trademe(&house, &id, &action),
    };
    match done {
        Ok(done) => answer(&done),
        Err((status, reason)) => refusal(status, &reason),
    }
}

fn act_at_cardmarket(house: &House, id: &str, action: &str) -> Result<Value, (StatusCode, String)> {
    let id = id.parse().map_err(|_| (StatusCode::NOT_FOUND, format!("'{id}' is no number of an order")))?;
    let action = OrderAction::parse(action).map_err(|reason| (StatusCode::NOT_FOUND, reason))?;
    let now = house.now();
    match house.shop().act(id, action, now) {
        Ok(state) => Ok(json!({ "order_id": id, "state": state.word() })),
        Err(error @ ActError::NoSuchOrder(_)) => Err((StatusCode::NOT_FOUND, error.to_string())),
        Err(error @ ActError::Refused(_)) => Err((StatusCode::CONFLICT, error.to_string())),
    }
}

fn act_at_trademe(house: &House, id: &str, action: &str) -> Result<Value, (StatusCode, String)> {
    let id = id.parse().map_err(|_| (StatusCode::NOT_FOUND, format!("'{id}' is no number of a purchase")))?;
    let action = trademe::Action::parse(action).map_err(|reason| (StatusCode::NOT_FOUND, reason))?;
    let now = house.now();
    match house.trademe().act(id, action, now) {
        Ok(standing) => Ok(json!(standing)),
        Err(error @ trademe::ActError::NoSuchPurchase(_)) => Err((StatusCode::NOT_FOUND, error.to_string())),
        Err(error @ trademe::ActError::Refused(_)) => Err((StatusCode::CONFLICT, error.to_string())),
    }
}

/// The shop that a body names, and the rest of the body.
fn addressed(body: &[u8]) -> Result<(Venue, Value), String> {
    let mut rest: Value = read(if body.is_empty() { b"{}" } else { body })?;
    let shop = rest.as_object_mut().and_then(|fields| fields.remove("shop"));
    Ok((shop.map(fit).transpose()?.unwrap_or_default(), rest))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offset {
    offset_seconds: i64,
}

async fn set_clock(State(house): State<Arc<House>>, body: Bytes) -> Response {
    let offset: Offset = match read(&body) {
        Ok(offset) => offset,
        Err(reason) => return refusal(StatusCode::BAD_REQUEST, &reason),
    };
    // A hundred years either way: beyond that, dates stop being dates.
    let Some(offset) =
        TimeDelta::try_seconds(offset.offset_seconds).filter(|span| span.num_days().abs() <= 36_525)
    else {
        return refusal(StatusCode::BAD_REQUEST, "offset_seconds is more than a hundred years");
    };
    house.set_offset(offset);
    answer(&json!({ "now": house.now(), "offset_seconds": offset.num_seconds() }))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body does not fit: {error}"))
}

fn fit<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("the body does not fit: {error}"))
}

fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}

fn refusal(status: StatusCode, reason: &str) -> Response {
    (status, answer(&json!({ "error": reason }))).into_response()
}
