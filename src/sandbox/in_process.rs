//! The shop without a socket: a simulation asks it in its own process and time.

use chrono::{DateTime, Utc};

use super::answer::Answer;
use super::request::Request;
use super::{cardmarket, trademe};

/// Answers a signed GET of `url` that arrives at Cardmarket at `now` while `in_flight` (with this one) are under way.
/// Delay and delivery are the caller's to play out.
pub fn ask(
    shop: &mut cardmarket::Shop,
    url: &str,
    authorization: Option<&str>,
    now: DateTime<Utc>,
    in_flight: usize,
) -> Answer {
    shop.answer(&get(url, authorization), now, in_flight)
}

/// A request of any method, for [`ask_with`] and [`ask_trademe_with`].
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The URL, with its query.
    pub url: &'a str,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The type of the body.
    pub body_type: &'a str,
    /// The body; empty for none.
    pub body: &'a [u8],
}

/// Answers a request that arrives at Cardmarket at `now` while `in_flight` (with this one) are under way. A file of
/// an export is fetched through this, too. Delay and delivery are the caller's to play out.
pub fn ask_with(
    shop: &mut cardmarket::Shop,
    call: &Call<'_>,
    now: DateTime<Utc>,
    in_flight: usize,
) -> Answer {
    let body_type = Some(call.body_type).filter(|_| !call.body.is_empty());
    let request = get(call.url, call.authorization);
    shop.answer(&Request { method: call.method, body_type, body: call.body, ..request }, now, in_flight)
}

/// Answers a signed GET of `url` that arrives at Trade Me at `now`, which does not care how many are under way.
pub fn ask_trademe(
    shop: &mut trademe::Shop,
    url: &str,
    authorization: Option<&str>,
    now: DateTime<Utc>,
) -> Answer {
    shop.answer(&get(url, authorization), now)
}

/// Answers a request that arrives at Trade Me at `now`.
pub fn ask_trademe_with(shop: &mut trademe::Shop, call: &Call<'_>, now: DateTime<Utc>) -> Answer {
    let body_type = Some(call.body_type).filter(|_| !call.body.is_empty());
    let request = get(call.url, call.authorization);
    shop.answer(&Request { method: call.method, body_type, body: call.body, ..request }, now)
}

fn get<'a>(url: &'a str, authorization: Option<&'a str>) -> Request<'a> {
    let path_at = url.find("://").map_or(0, |at| at + 3);
    let path_at = url[path_at..].find('/').map_or(url.len(), |at| path_at + at);
    let (origin, rest) = url.split_at(path_at);
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    Request { method: "GET", origin, path, query, authorization, expects: false, body_type: None, body: &[] }
}
