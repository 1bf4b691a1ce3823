//! Cardmarket (EU trading cards), API 2.0.

use crate::domain::Currency;
use crate::marketplace::{Descriptor, OptionKey};
use crate::policy::quota::WindowKind;

/// What an account of it looks like in `sellerd.toml`.
pub const DESCRIPTOR: Descriptor = Descriptor {
    name: "cardmarket",
    title: "Cardmarket",
    base_url: "https://apiv2.cardmarket.com/ws/v2.0",
    currency: Currency::EUR,
    window: WindowKind::Day(chrono_tz::Europe::Berlin),
    limit_key: "daily_limit",
    default_limit: 5_000,
    options: &[OptionKey { key: "app", values: &["dedicated", "third-party"], default: "dedicated" }],
    first_account: "cm-main",
    credential_names: ["app token", "app secret", "access token", "access token secret"],
};
