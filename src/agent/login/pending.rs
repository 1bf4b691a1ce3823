//! A login that was begun and is not finished: what `--resume` and `--pin` go on from, in another process or after the
//! shell was lost.
//!
//! The temporary token signs, so it lies with the secrets and never in the database.

use chrono::{DateTime, SecondsFormat, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Pair, Vault, VaultError};
use crate::domain::AccountName;
use crate::marketplace::Invitation;

/// What is kept of it.
pub(super) struct Pending {
    /// What the person was asked.
    pub invitation: Invitation,
    /// When it was begun, by our clock.
    pub begun: DateTime<Utc>,
    /// What was granted already: the exchange is done, and only what follows from it was not.
    pub granted: Option<Pair>,
}

impl Pending {
    /// The login of this account that waits, if one does.
    pub fn read(vault: &Vault, account: &AccountName) -> Result<Option<Self>, VaultError> {
        let Some(mut values) = vault.values(&file(account))? else { return Ok(None) };
        let time = |text: Option<&SecretString>| text?.expose_secret().parse::<DateTime<Utc>>().ok();
        let (made, begun) = (time(values.get("made")), time(values.get("begun")));
        let mut pair = |first, second| Some((values.remove(first)?, values.remove(second)?));
        let (temporary, granted) = (pair("token", "token_secret"), pair("granted", "granted_secret"));
        let url = values.get("url").map(|url| url.expose_secret().to_owned());
        Ok(url.zip(made).zip(begun).map(|((url, made), begun)| {
            let invitation = Invitation { url, temporary, made };
            Self { invitation, begun, granted }
        }))
    }

    /// Keeps it.
    pub fn keep(&self, vault: &Vault, account: &AccountName) -> Result<(), VaultError> {
        let Invitation { url, temporary, made } = &self.invitation;
        let [made, begun] = [made, &self.begun].map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
        let mut values = vec![("url", url.as_str()), ("made", &made), ("begun", &begun)];
        for (pair, names) in
            [(temporary, ["token", "token_secret"]), (&self.granted, ["granted", "granted_secret"])]
        {
            if let Some((first, second)) = pair {
                values.extend([(names[0], first.expose_secret()), (names[1], second.expose_secret())]);
            }
        }
        vault.keep_values(&file(account), &values)
    }

    /// Forgets it; `false` if there was none.
    pub fn forget(vault: &Vault, account: &AccountName) -> Result<bool, VaultError> {
        vault.remove(&file(account))
    }
}

/// Names of accounts have no point in them, so that this is no account's own file.
fn file(account: &AccountName) -> String {
    format!("{account}.login.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_goes_on_where_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let (vault, account) = (Vault::of(dir.path()), AccountName::from("nz"));
        assert!(Pending::read(&vault, &account).unwrap().is_none());
        let made: DateTime<Utc> = "2026-11-22T14:31:07.250Z".parse().unwrap();
        let secret = |text: &str| SecretString::from(text.to_owned());
        let url = "https://shop.example/Authorize?oauth_token=T1".to_owned();
        for granted in [None, Some((secret("G1"), secret("G2")))] {
            let temporary = Some((secret("T1"), secret("T2")));
            let invitation = Invitation { url: url.clone(), temporary, made };
            Pending { invitation, begun: made, granted: granted.clone() }.keep(&vault, &account).unwrap();
            let read = Pending::read(&vault, &account).unwrap().unwrap();
            assert_eq!((read.invitation.url, read.invitation.made, read.begun), (url.clone(), made, made));
            assert_eq!(read.invitation.temporary.unwrap().1.expose_secret(), "T2");
            assert_eq!(
                read.granted.map(|pair| pair.1.expose_secret().to_owned()),
                granted.map(|_| "G2".to_owned())
            );
        }
        assert!(Pending::forget(&vault, &account).unwrap());
        assert!(Pending::read(&vault, &account).unwrap().is_none());
    }
}
