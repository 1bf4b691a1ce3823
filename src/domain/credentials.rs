//! What signs requests. Printing it shows that it is there, never what it is.

use secrecy::{ExposeSecret, SecretString};

/// What names somebody and what signs for them.
pub type Pair = (SecretString, SecretString);

/// Whether two pairs are the same.
pub fn same_pair(one: &Pair, other: &Pair) -> bool {
    one.0.expose_secret() == other.0.expose_secret() && one.1.expose_secret() == other.1.expose_secret()
}

/// The consumer pair and, once there is a login, the token pair of one account.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Cardmarket: app token.
    pub consumer_key: SecretString,
    /// Cardmarket: app secret.
    pub consumer_secret: SecretString,
    /// Access token and its secret; absent before there is a login.
    pub token: Option<Pair>,
}

impl Credentials {
    /// Credentials from their texts, trimmed: stray blanks have cost people a day (cardmarket.md 2.1).
    pub fn new(consumer_key: &str, consumer_secret: &str, token: Option<(&str, &str)>) -> Self {
        let secret = |text: &str| SecretString::from(text.trim());
        Self {
            consumer_key: secret(consumer_key),
            consumer_secret: secret(consumer_secret),
            token: token.map(|(key, of)| (secret(key), secret(of))),
        }
    }

    /// Whether both are of one app, whatever its secret.
    pub fn are_of_the_app_of(&self, other: &Self) -> bool {
        self.consumer_key.expose_secret() == other.consumer_key.expose_secret()
    }

    /// All the secret texts, for the signer and for whoever must mask them.
    pub fn expose(&self) -> [&str; 4] {
        let (token, token_secret) = self
            .token
            .as_ref()
            .map_or(("", ""), |(key, secret)| (key.expose_secret(), secret.expose_secret()));
        [self.consumer_key.expose_secret(), self.consumer_secret.expose_secret(), token, token_secret]
    }
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}
