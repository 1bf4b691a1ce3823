//! Bringing credentials that were made elsewhere: at the marketplace's page, or on another machine.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::declined::declined;
use super::{Accepted, expose};
use crate::agent::ask::{Answered, Desk};
use crate::config::{Pairs, secret_line};
use crate::domain::{AccountName, Wiped};

/// Credentials that a person brings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Brought {
    /// A secrets file, or bare values.
    #[serde(serialize_with = "expose")]
    pub text: SecretString,
    /// Another seller than before is meant.
    pub other_seller: bool,
}

impl Desk {
    /// Puts credentials into use that a person brings.
    pub async fn import(&self, name: &AccountName, brought: &Brought) -> Answered<Accepted> {
        let (account, vault) = self.account(name)?;
        let again = format!("sellerd auth import {name}");
        // Some editors begin a file with a mark of its byte order, which is no part of the first value.
        let text = brought.text.expose_secret().trim_start_matches('\u{feff}');
        let pairs = Pairs::from_text(text, account.credentials.is_none())
            .map_err(|why| declined(2, why, again.clone()))?;
        if pairs.consumer.is_none() && pairs.token.is_none() {
            return Err(declined(2, "there are no credentials in it", again));
        }
        self.accept(&account, &vault, pairs, brought.other_seller, false, &again).await
    }
}

impl Brought {
    /// Four values, of which those of a pair may both be empty, as the text of a secrets file.
    pub fn of_values(values: &[SecretString; 4], other_seller: bool) -> Self {
        const KEYS: [&str; 4] = ["consumer_key", "consumer_secret", "token", "token_secret"];
        let mut text = Wiped::default();
        for (key, value) in KEYS.iter().zip(values) {
            text.push(secret_line(key, value.expose_secret().trim(), "").as_bytes());
        }
        // Texts alone were put into it.
        let text = text.into_text().map_or_else(|_| SecretString::default(), |text| text.as_str().into());
        Self { text, other_seller }
    }
}
