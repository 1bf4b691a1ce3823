//! The strings that open a pretend shop.

use serde::Serialize;

/// The four strings of an app that one account uses. They open nothing but this shop, so they may be printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// Names the app.
    pub consumer_key: String,
    /// Signs for the app.
    pub consumer_secret: String,
    /// Names the account.
    pub token: String,
    /// Signs for the account.
    pub token_secret: String,
}
