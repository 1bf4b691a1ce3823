//! Who each account is, as its marketplace said at the last login that was accepted, and what is known of that login.
//!
//! No secret is in here: the two pairs live in files of mode 0600, so that a backup of the database gives away no shop.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{ms, time_opt};
use super::{StoreError, Tx};
use crate::domain::AccountName;

/// What is known of an account's login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// Who it is. It is kept beyond a logout, so that the next login can be compared with it.
    pub identity: Option<Member>,
    /// What was granted, in the marketplace's words; empty where it does not say.
    pub scopes: Vec<String>,
    /// The mark of the credentials that this is about. Others may have been put into place by hand since.
    pub credentials_mark: Option<String>,
    /// When the token was made, if we were there.
    pub token_created_at: Option<DateTime<Utc>>,
    /// When the login ends, where somebody said so.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the marketplace last confirmed who it is.
    pub checked_at: Option<DateTime<Utc>>,
}

/// A member of a marketplace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The number, which never changes.
    pub id: i64,
    /// The name, which may.
    pub name: String,
}

/// What is known of the account's login; `None` before the first.
pub fn get(tx: &Tx<'_>, account: &AccountName) -> Result<Option<Login>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select identity_id, identity, scopes, credentials_mark, token_created_at, expires_at, checked_at
         from logins where account = ?1",
    )?;
    Ok(statement.query_row([account.as_str()], login_of).optional()?)
}

/// Keeps a login in the place of the last one.
pub fn set(tx: &Tx<'_>, account: &AccountName, login: &Login) -> Result<(), StoreError> {
    let scopes = (!login.scopes.is_empty()).then(|| login.scopes.join(","));
    tx.0.prepare_cached("insert or replace into logins values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(
        params![
            account.as_str(),
            login.identity.as_ref().map(|member| member.id),
            login.identity.as_ref().map(|member| &member.name),
            scopes,
            login.credentials_mark,
            login.token_created_at.map(ms),
            login.expires_at.map(ms),
            login.checked_at.map(ms),
        ],
    )?;
    Ok(())
}

/// Notes who an account is, as its marketplace has just said. Who is known already stays: another one is a matter for
/// the next login, which a person sees.
pub fn meet(
    tx: &Tx<'_>,
    account: &AccountName,
    member: &Member,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let login = get(tx, account)?.unwrap_or_default();
    if login.identity.as_ref().is_none_or(|known| known.id == member.id) {
        set(tx, account, &Login { identity: Some(member.clone()), checked_at: Some(now), ..login })?;
    }
    Ok(())
}

/// Forgets the login and keeps who it was.
pub fn forget(tx: &Tx<'_>, account: &AccountName) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "update logins set scopes = null, credentials_mark = null, token_created_at = null, expires_at = null
         where account = ?1",
    )?
    .execute([account.as_str()])?;
    Ok(())
}

fn login_of(row: &Row<'_>) -> rusqlite::Result<Login> {
    let (id, name): (Option<i64>, Option<String>) = (row.get(0)?, row.get(1)?);
    let scopes: Option<String> = row.get(2)?;
    Ok(Login {
        identity: id.zip(name).map(|(id, name)| Member { id, name }),
        scopes: scopes.map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default(),
        credentials_mark: row.get(3)?,
        token_created_at: time_opt(row, 4)?,
        expires_at: time_opt(row, 5)?,
        checked_at: time_opt(row, 6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn a_login_comes_back_as_it_was_kept_and_who_it_was_outlives_it() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("nz");
        assert_eq!(get(&tx, &account).unwrap(), None);
        let login = Login {
            identity: Some(Member { id: 4_294_967_297, name: "kiwi-cards".to_owned() }),
            scopes: vec!["read".to_owned(), "write".to_owned()],
            credentials_mark: Some("m1".to_owned()),
            token_created_at: Some(now()),
            expires_at: Some(now()),
            checked_at: Some(now()),
        };
        for kept in [login.clone(), Login::default(), login.clone()] {
            set(&tx, &account, &kept).unwrap();
            assert_eq!(get(&tx, &account).unwrap(), Some(kept));
        }
        let other = Member { id: 7, name: "somebody-else".to_owned() };
        meet(&tx, &account, &other, now()).unwrap();
        assert_eq!(get(&tx, &account).unwrap(), Some(login.clone()));
        forget(&tx, &account).unwrap();
        let left = Login { identity: login.identity, checked_at: login.checked_at, ..Login::default() };
        assert_eq!(get(&tx, &account).unwrap(), Some(left));
        meet(&tx, &"cm".into(), &other, now()).unwrap();
        assert_eq!(get(&tx, &"cm".into()).unwrap().unwrap().identity, Some(other));
    }
}
