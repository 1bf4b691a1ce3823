//! Jobs that a person has let write although their file says `observe`. The file stays the seller's.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::columns::{ms, time};
use super::{StoreError, Tx};
use crate::domain::JobName;

/// Since when a job may write, if a person has let it.
pub fn promoted(tx: &Tx<'_>, job: &JobName) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut statement = tx.0.prepare_cached("select promoted_at from promotions where job = ?1")?;
    Ok(statement.query_row([job.as_str()], |row| time(row, 0)).optional()?)
}

/// Lets a job write, or with `None` takes that back.
pub fn set(tx: &Tx<'_>, job: &JobName, at: Option<DateTime<Utc>>) -> Result<(), StoreError> {
    match at {
        Some(at) => {
            tx.0.prepare_cached("insert into promotions values (?1, ?2) on conflict (job) do nothing")?
                .execute(params![job.as_str(), ms(at)])?
        }
        None => tx.0.prepare_cached("delete from promotions where job = ?1")?.execute([job.as_str()])?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn a_promotion_holds_until_it_is_taken_back() {
        let conn = scratch();
        let tx = Tx(&conn);
        let job = JobName::from("sync");
        assert_eq!(promoted(&tx, &job).unwrap(), None);
        set(&tx, &job, Some(now())).unwrap();
        assert_eq!(promoted(&tx, &job).unwrap(), Some(now()));
        set(&tx, &job, None).unwrap();
        assert_eq!(promoted(&tx, &job).unwrap(), None);
    }
}
