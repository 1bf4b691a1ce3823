//! The faults that look alike at every marketplace: what stands in for an answer, and what becomes of one on
//! its way.

use super::answer::{Answer, Delivery};
use super::fault::FaultKind;
use super::faults::Effects;

/// The type of JSON answers.
pub const JSON_TYPE: &str = "application/json; charset=utf-8";

/// What is answered instead of asking the shop; `None` for a fault that each marketplace shows in its own way.
pub fn instead(kind: &FaultKind, rng: &mut fastrand::Rng) -> Option<Answer> {
    let undelivered = |delivery| Answer { delivery, ..Answer::empty(200) };
    Some(match kind {
        FaultKind::Status { status } => html(*status),
        FaultKind::ServerError => {
            let status = [500, 502, 503, 504][rng.usize(0..4)];
            html(status)
        }
        FaultKind::Html => html(200),
        FaultKind::Garbage => Answer::new(200, JSON_TYPE, "\u{1}\u{2}not json: }{[\n"),
        FaultKind::DropBefore => undelivered(Delivery::HangUp),
        FaultKind::Never => undelivered(Delivery::Never),
        _ => return None,
    })
}

/// What becomes of the shop's answer on its way.
pub fn spoil(answer: &mut Answer, effects: &Effects) {
    answer.delay = effects.delay;
    match effects.afterwards {
        Some(FaultKind::TruncateBody) if answer.body.is_empty() => answer.delivery = Delivery::HangUp,
        Some(FaultKind::TruncateBody) => answer.delivery = Delivery::Half,
        Some(FaultKind::TruncateJson) => answer.body.truncate(answer.body.len() / 2),
        Some(FaultKind::StatusAfter { status }) => {
            let delay = answer.delay;
            *answer = Answer { delay, ..html(status) };
        }
        Some(FaultKind::DropAfter) => answer.delivery = Delivery::HangUp,
        _ => {}
    }
}

/// A page of HTML where JSON was hoped for.
pub fn html(status: u16) -> Answer {
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>Be right back</h1>\
         <p>We are doing some maintenance.</p></body></html>\n"
    );
    Answer::new(status, "text/html; charset=utf-8", body)
}
