//! Money: whole minor units (cents) and their currency. Never a float.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An amount in minor units of one currency: 250 EUR is 2.50 €.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Whole minor units. Both marketplaces use currencies of two decimals.
    pub minor: i64,
    /// The currency they are of.
    pub currency: Currency,
}

impl Money {
    /// Reads the literal text of an amount such as `2.5`, `0.30` or `1e2`.
    ///
    /// More than two decimals is an error, as is anything that does not fit 64 bits: a price that is not
    /// exact is worse than no price.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let wrong = |why| MoneyError { text: text.chars().take(40).collect(), why };
        let text = text.trim();
        let amount = Decimal::from_str_exact(text)
            .or_else(|_| Decimal::from_scientific(text))
            .map_err(|_| wrong("not a decimal number"))?
            .normalize();
        if amount.scale() > 2 {
            return Err(wrong("more than two decimals"));
        }
        let minor = amount.checked_mul(Decimal::ONE_HUNDRED).ok_or(wrong("too large"))?;
        let minor = i64::try_from(minor).map_err(|_| wrong("too large"))?;
        Ok(Self { minor, currency })
    }

    /// The amount as a decimal with two places, for example `2.50`, as people and marketplaces write it.
    pub fn decimal(&self) -> String {
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        format!("{sign}{}.{:02}", minor / 100, minor % 100)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", self.decimal(), self.currency))
    }
}

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an amount of money: {why}")]
pub struct MoneyError {
    text: String,
    why: &'static str,
}

/// An ISO 4217 code of three upper-case letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Euro, Cardmarket's default.
    pub const EUR: Self = Self(*b"EUR");
    /// Pound sterling, the other currency of Cardmarket accounts.
    pub const GBP: Self = Self(*b"GBP");
    /// New Zealand dollar.
    pub const NZD: Self = Self(*b"NZD");

    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| no_currency(text))?;
        if code.iter().all(u8::is_ascii_uppercase) { Ok(Self(code)) } else { Err(no_currency(text)) }
    }
}

fn no_currency(text: &str) -> String {
    format!("`{text}` is no currency; write three capital letters such as EUR")
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, minor: Option<i64>) {
        assert_eq!(Money::parse(text, Currency::EUR).ok().map(|m| m.minor), minor, "{text}");
    }

    #[test]
    fn amounts_are_read_from_their_literal_text() {
        check("2.5", Some(250));
        check("0.1", Some(10));
        check("1234", Some(123_400));
        check("-0.02", Some(-2));
        check("2.500", Some(250));
        check("1e2", Some(10_000));
        check("1.999", None);
        check("0.30000000000000004", None);
        check("", None);
        check("NaN", None);
        check("1,50", None);
        check("99999999999999999999", None);
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_own_text(minor in -1_000_000_000_000_i64..1_000_000_000_000) {
            let money = Money { minor, currency: Currency::EUR };
            prop_assert_eq!(Money::parse(&money.decimal(), Currency::EUR), Ok(money));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Money::parse(&text, Currency::EUR);
        }
    }
}
