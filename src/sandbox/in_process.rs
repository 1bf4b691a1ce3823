//! The shop without a socket: a simulation asks it in its own process and time.

use chrono::{DateTime, Utc};

use super::answer::Answer;
use super::cardmarket::Shop;
use super::request::Request;

/// Answers a signed GET of `url` that arrives at `now` while `in_flight` (with this one) are under way. Delay and
/// delivery are the caller's to play out.
pub fn ask(
    shop: &mut Shop,
    url: &str,
    authorization: Option<&str>,
    now: DateTime<Utc>,
    in_flight: usize,
) -> Answer {
    let path_at = url.find("://").map_or(0, |at| at + 3);
    let path_at = url[path_at..].find('/').map_or(url.len(), |at| path_at + at);
    let (origin, rest) = url.split_at(path_at);
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let request = Request {
        method: "GET",
        origin,
        path,
        query,
        authorization,
        expects: false,
        body_type: None,
        body: &[],
    };
    shop.answer(&request, now, in_flight)
}
