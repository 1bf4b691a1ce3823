//! How far each job's schedule is dealt with.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::columns::{ms, time};
use super::{StoreError, Tx};
use crate::domain::JobName;

/// Everything that was due up to then has run or was skipped on purpose. `None` for a job never planned.
pub fn planned_from(tx: &Tx<'_>, job: &JobName) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut statement = tx.0.prepare_cached("select planned_from from jobs_state where job = ?1")?;
    Ok(statement.query_row([job.as_str()], |row| time(row, 0)).optional()?)
}

/// Notes that everything due up to `at` is dealt with.
pub fn set_planned_from(tx: &Tx<'_>, job: &JobName, at: DateTime<Utc>) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "insert into jobs_state (job, planned_from) values (?1, ?2)
         on conflict (job) do update set planned_from = excluded.planned_from",
    )?
    .execute(params![job.as_str(), ms(at)])?;
    Ok(())
}

/// Forgets a job, so that it is planned as a new one. Its runs stay.
pub fn forget(tx: &Tx<'_>, job: &JobName) -> Result<(), StoreError> {
    tx.0.prepare_cached("delete from jobs_state where job = ?1")?.execute([job.as_str()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn a_forgotten_job_is_a_new_one() {
        let conn = scratch();
        let tx = Tx(&conn);
        let job = JobName::from("pull");
        assert_eq!(planned_from(&tx, &job).unwrap(), None);
        set_planned_from(&tx, &job, DateTime::UNIX_EPOCH).unwrap();
        set_planned_from(&tx, &job, now()).unwrap();
        assert_eq!(planned_from(&tx, &job).unwrap(), Some(now()));
        forget(&tx, &job).unwrap();
        assert_eq!(planned_from(&tx, &job).unwrap(), None);
    }
}
