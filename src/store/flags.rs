//! Switches that a person throws and that outlive a restart.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::columns::{ms, time};
use super::{StoreError, Tx};
use crate::domain::JobName;

const HALTED: &str = "halted";

/// Since when every write to every marketplace is halted.
pub fn halted(tx: &Tx<'_>) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut statement = tx.0.prepare_cached("select set_at from flags where name = ?1")?;
    Ok(statement.query_row([HALTED], |row| time(row, 0)).optional()?)
}

/// Halts every write, or with `None` lets them go on. Halting twice keeps the first time.
pub fn set_halted(tx: &Tx<'_>, since: Option<DateTime<Utc>>) -> Result<(), StoreError> {
    match since {
        Some(at) => tx
            .0
            .prepare_cached("insert into flags (name, set_at) values (?1, ?2) on conflict (name) do nothing")?
            .execute(params![HALTED, ms(at)])?,
        None => tx.0.prepare_cached("delete from flags where name = ?1")?.execute([HALTED])?,
    };
    Ok(())
}

/// How the switch of a paused job is named: this and the job.
const PAUSED: &str = "paused:";

/// The jobs that a person has paused, and since when.
pub fn paused(tx: &Tx<'_>) -> Result<BTreeMap<JobName, DateTime<Utc>>, StoreError> {
    let mut statement = tx
        .0
        .prepare_cached("select substr(name, length(?1) + 1), set_at from flags where name glob ?1 || '*'")?;
    let rows = statement.query_map([PAUSED], |row| Ok((JobName(row.get(0)?), time(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Pauses a job, or with `None` lets it run again. Pausing twice keeps the first time.
pub fn set_paused(tx: &Tx<'_>, job: &JobName, since: Option<DateTime<Utc>>) -> Result<(), StoreError> {
    let name = format!("{PAUSED}{job}");
    match since {
        Some(at) => tx
            .0
            .prepare_cached("insert into flags (name, set_at) values (?1, ?2) on conflict (name) do nothing")?
            .execute(params![name, ms(at)])?,
        None => tx.0.prepare_cached("delete from flags where name = ?1")?.execute([name])?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn a_halt_holds_from_its_first_moment_until_it_is_taken_back() {
        let conn = scratch();
        let tx = Tx(&conn);
        assert_eq!(halted(&tx).unwrap(), None);
        set_halted(&tx, Some(now())).unwrap();
        set_halted(&tx, Some(now() + TimeDelta::hours(1))).unwrap();
        assert_eq!(halted(&tx).unwrap(), Some(now()));
        set_halted(&tx, None).unwrap();
        assert_eq!(halted(&tx).unwrap(), None);
    }

    #[test]
    fn a_job_is_paused_by_itself_and_from_its_first_moment() {
        let conn = scratch();
        let tx = Tx(&conn);
        set_halted(&tx, Some(now())).unwrap();
        let job = JobName::from("sync");
        set_paused(&tx, &job, Some(now())).unwrap();
        set_paused(&tx, &job, Some(now() + TimeDelta::hours(1))).unwrap();
        assert_eq!(paused(&tx).unwrap().into_iter().collect::<Vec<_>>(), [(job.clone(), now())]);
        set_paused(&tx, &job, None).unwrap();
        assert_eq!(paused(&tx).unwrap().len(), 0);
        assert_eq!(halted(&tx).unwrap(), Some(now()));
    }
}
