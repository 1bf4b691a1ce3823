//! The window of requests each account is in. What may be taken from it is `policy::quota`'s to say.

use rusqlite::{OptionalExtension, params};

use super::columns::{ms, time};
use super::{StoreError, Tx};
use crate::domain::AccountName;
use crate::policy::deferral::Purse;
use crate::policy::quota::{Usage, WindowKind};

/// What is used of the window that was last counted in.
pub fn usage(tx: &Tx<'_>, account: &AccountName, kind: &str) -> Result<Option<Usage>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select window_start, used, allowed from quota_windows where account = ?1 and kind = ?2",
    )?;
    let usage = statement.query_row([account.as_str(), kind], |row| {
        Ok(Usage { window_start: time(row, 0)?, used: row.get(1)?, limit: row.get(2)? })
    });
    Ok(usage.optional()?)
}

/// The window of an account, whose limit the configuration may name. What its runs have set aside is not known here.
pub fn purse(
    tx: &Tx<'_>,
    account: &AccountName,
    kind: WindowKind,
    limit: Option<i64>,
) -> Result<Purse, StoreError> {
    Ok(Purse { kind, usage: usage(tx, account, kind.as_str())?, limit, earmarked: Default::default() })
}

/// Keeps what is used.
pub fn set_usage(tx: &Tx<'_>, account: &AccountName, kind: &str, usage: &Usage) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "insert into quota_windows (account, kind, window_start, used, allowed) values (?1, ?2, ?3, ?4, ?5)
         on conflict (account, kind) do update set window_start = excluded.window_start, used = excluded.used,
            allowed = excluded.allowed",
    )?
    .execute(params![account.as_str(), kind, ms(usage.window_start), usage.used, usage.limit])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn a_window_is_kept_by_account_and_kind() {
        let conn = scratch();
        let tx = Tx(&conn);
        let account = AccountName::from("cm");
        assert_eq!(usage(&tx, &account, "day").unwrap(), None);
        let kept = Usage { window_start: now(), used: 7, limit: Some(5_000) };
        set_usage(&tx, &account, "day", &kept).unwrap();
        set_usage(&tx, &account, "hour", &Usage { limit: None, ..kept }).unwrap();
        set_usage(&tx, &account, "day", &Usage { used: 8, ..kept }).unwrap();
        assert_eq!(usage(&tx, &account, "day").unwrap(), Some(Usage { used: 8, ..kept }));
        assert_eq!(usage(&tx, &account, "hour").unwrap().unwrap().limit, None);
        assert_eq!(usage(&tx, &"other".into(), "day").unwrap(), None);
    }
}
