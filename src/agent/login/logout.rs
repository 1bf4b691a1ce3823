//! Logging out: what was written here is forgotten, and what was put into place elsewhere is used again.

use serde::{Deserialize, Serialize};

use super::declined::{declined, exit_of, not_kept, not_stored};
use super::pending::Pending;
use crate::agent::ask::{Answered, Desk};
use crate::domain::AccountName;
use crate::store::logins;

/// What became of a logout.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoggedOut {
    /// Whether there was anything to forget.
    pub forgotten: bool,
    /// Whether the marketplace was told.
    pub told: bool,
    /// Where the credentials come from that are in use now, if there are any.
    pub still: Option<String>,
}

impl Desk {
    /// Forgets what was written here for an account, and tells the marketplace where it wants to know.
    pub async fn log_out(&self, name: &AccountName, local: bool) -> Answered<LoggedOut> {
        let (account, vault) = self.account(name)?;
        let has_token = account.credentials.as_ref().is_some_and(|credentials| credentials.token.is_some());
        let told = match account.credentials.clone().filter(|_| has_token && !local) {
            None => false,
            Some(credentials) => {
                let tried = self.try_out(&account, credentials).await?;
                tried.login().leave().await.map_err(|error| {
                    let message = format!(
                        "{} could not be told, so nothing was forgotten: {error}",
                        account.marketplace.title
                    );
                    declined(
                        exit_of(&error),
                        message,
                        format!("try again, or forget it here alone: sellerd auth logout {name} --local"),
                    )
                })?
            }
        };
        let pending = Pending::forget(&vault, name).map_err(not_kept)?;
        let forgotten = vault.forget(name).map_err(not_kept)? || pending;
        let owned = name.clone();
        self.shared.store.write(move |tx| logins::forget(tx, &owned)).await.map_err(not_stored)?;
        self.look_anew(name).await?;
        let (left, _) = self.account(name)?;
        let still = left.sources.token.as_ref().map(|origin| origin.place.to_string());
        Ok(LoggedOut { forgotten, told, still })
    }
}
