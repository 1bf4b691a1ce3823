//! The five requests that change an account's stock (cardmarket.md 9.4).

use async_trait::async_trait;

use super::api::{Cardmarket, bad, rejected, what_it_is};
use super::outcome::Written;
use super::request::{self, Sent};
use crate::http::{Answer, CallError, Write, WriteError, WriteMethod, WritingClient};
use crate::marketplace::{Batch, ItemOutcome, Step, Writer};

#[async_trait]
impl Writer for Cardmarket<WritingClient> {
    async fn write(&self, batch: &Batch) -> Result<Vec<ItemOutcome>, WriteError> {
        let made: Vec<Result<Sent, String>> =
            batch.items.iter().map(|item| request::sent(batch.step, item, self.currency)).collect();
        let sent: Vec<Sent> = made.iter().flatten().cloned().collect();
        let mut answered = if sent.is_empty() {
            Vec::new().into_iter()
        } else {
            let intents = batch.items.iter().zip(&made).filter(|(_, made)| made.is_ok());
            let intents = intents.flat_map(|(item, _)| item.intents.iter().copied()).collect();
            let (method, template, segments) = resource(batch.step);
            let body = request::body(batch.step, &sent).map_err(|error| {
                let what = format!("the request cannot be written: {error}");
                WriteError::NoEffect(CallError::BadAnswer { at: template.to_owned(), what })
            })?;
            let target = self.url(segments);
            let answer = self
                .writes
                .write(&Write { method, template, class: batch.class(), target, body, intents })
                .await?;
            outcomes(&answer, batch.step, &sent, self.currency)?.into_iter()
        };
        let outcome = |made: Result<Sent, String>| match made {
            Ok(_) => answered.next().unwrap_or(ItemOutcome::Unclear),
            Err(why) => ItemOutcome::Refused(why),
        };
        Ok(made.into_iter().map(outcome).collect())
    }
}

fn resource(step: Step) -> (WriteMethod, &'static str, &'static [&'static str]) {
    match step {
        Step::Add => (WriteMethod::Post, "stock", &["stock"]),
        Step::Edit => (WriteMethod::Put, "stock", &["stock"]),
        Step::Remove => (WriteMethod::Delete, "stock", &["stock"]),
        Step::Lower => (WriteMethod::Put, "stock/decrease", &["stock", "decrease"]),
        Step::Raise => (WriteMethod::Put, "stock/increase", &["stock", "increase"]),
    }
}

/// What an answer says became of each item. A refusal of the whole request did nothing to any of them, if it says so
/// itself; an answer that cannot be read leaves all of them in doubt, whatever its status.
fn outcomes(
    answer: &Answer,
    step: Step,
    sent: &[Sent],
    currency: crate::domain::Currency,
) -> Result<Vec<ItemOutcome>, WriteError> {
    let response = &answer.response;
    let written: Written<'_> = serde_json::from_slice(&response.body)
        .map_err(|error| WriteError::InDoubt(bad(answer, &what_it_is(&response.body, &error))))?;
    match (response.status, written.error()) {
        (200..300, None) => written
            .outcomes(step, sent, currency)
            .map_err(|problem| WriteError::InDoubt(bad(answer, &problem))),
        (400.., Some(reason)) => {
            let reason: String = reason.chars().take(200).collect();
            let words = format!("the whole request was declined ({}): {reason}", response.status);
            Ok(vec![ItemOutcome::Refused(words); sent.len()])
        }
        (_, reason) => {
            let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
            Err(WriteError::InDoubt(rejected(answer, reason)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::tests::{EUR, article, item, offer};
    use super::*;
    use crate::http::WireResponse;

    fn read(status: u16, body: &str) -> Result<Vec<ItemOutcome>, WriteError> {
        let response = WireResponse { status, body: body.as_bytes().to_vec(), ..WireResponse::default() };
        let answer = Answer { at: "POST stock".to_owned(), response };
        let new = item(None, None, Some(offer(1, 250, &article("a"))));
        let sent = request::sent(Step::Add, &new, EUR).unwrap();
        outcomes(&answer, Step::Add, &[sent.clone(), sent], EUR)
    }

    #[test]
    fn a_request_that_was_declined_as_a_whole_did_nothing() {
        let body = r#"{"mkm_error_description":"Too many articles","http_status_code":400}"#;
        let refused =
            ItemOutcome::Refused("the whole request was declined (400): Too many articles".to_owned());
        assert_eq!(read(400, body), Ok(vec![refused.clone(), refused]));
        assert!(matches!(read(412, r#"{"error":"no"}"#), Ok(outcomes) if outcomes.len() == 2));
    }

    #[test]
    fn an_answer_that_cannot_be_read_leaves_everything_in_doubt() {
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, "{}"),
            (204, ""),
            (200, r#"{"inserted":[{"success":tr"#),
            (200, r#"{"inserted":7}"#),
            (200, r#"{"mkm_error_description":"Service currently not available"}"#),
            (400, "<html>maintenance</html>"),
            (400, "{}"),
        ] {
            assert!(matches!(read(status, body), Err(WriteError::InDoubt(_))), "{status} {body}");
        }
    }
}
