//! The marketplaces that are pretended, by the names that people and configuration use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the pretend marketplaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Venue {
    /// Cards, in euros; what is meant when nobody says.
    #[default]
    Cardmarket,
    /// Everything else, in New Zealand dollars.
    Trademe,
}

impl Venue {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Cardmarket, Self::Trademe];

    /// The marketplace that a path belongs to. What belongs to none is Cardmarket's to refuse.
    pub fn of_path(path: &str) -> Self {
        let first = path.split('/').nth(1).unwrap_or_default();
        if ["v1", "oauth"].iter().any(|known| first.eq_ignore_ascii_case(known)) {
            Self::Trademe
        } else {
            Self::Cardmarket
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cardmarket => "cardmarket",
            Self::Trademe => "trademe",
        }
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Venue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|venue| venue.as_str() == text)
            .ok_or_else(|| format!("there is no shop '{text}'; there are cardmarket and trademe"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_marketplace_in_any_case() {
        for path in ["/v1/MyTradeMe/Summary.json", "/V1/x", "/Oauth/RequestToken", "/oauth/AccessToken"] {
            assert_eq!(Venue::of_path(path), Venue::Trademe, "{path}");
        }
        for path in ["/ws/v2.0/account", "/", "", "/v10/x", "/account"] {
            assert_eq!(Venue::of_path(path), Venue::Cardmarket, "{path}");
        }
    }
}
