//! What a person has to know: open until what caused it is gone.

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::Serialize;

use super::columns::{ms, time, word};
use super::{StoreError, Tx};

/// Something a person has to know and can mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Its kind, for programs.
    pub code: String,
    /// What it is about: an account, a job, a file.
    pub subject: String,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in a line.
    pub title: String,
    /// Since when.
    #[serde(serialize_with = "super::columns::rfc3339")]
    pub since: DateTime<Utc>,
    /// The command or the edit that mends it.
    pub fix: String,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It should be looked at some time.
    Warning,
    /// Somebody should get up.
    Critical,
}

impl Severity {
    /// The word used in the database, in JSON and for people.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl std::str::FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "warning" => Ok(Self::Warning),
            "critical" => Ok(Self::Critical),
            other => Err(format!("`{other}` is no severity")),
        }
    }
}

/// Opens a problem. One that is open already keeps its `since` and takes the rest.
pub fn open(tx: &Tx<'_>, problem: &Problem) -> Result<(), StoreError> {
    tx.0.prepare_cached(
        "insert into problems (code, subject, severity, title, since, fix, closed_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, null)
         on conflict (code, subject) do update set severity = excluded.severity, title = excluded.title,
            fix = excluded.fix, closed_at = null,
            since = case when problems.closed_at is null then problems.since else excluded.since end",
    )?
    .execute(params![
        problem.code,
        problem.subject,
        problem.severity.as_str(),
        problem.title,
        ms(problem.since),
        problem.fix,
    ])?;
    Ok(())
}

/// Closes a problem; tells whether it was open.
pub fn close(tx: &Tx<'_>, code: &str, subject: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let closed =
        tx.0.prepare_cached(
            "update problems set closed_at = ?3 where code = ?1 and subject = ?2 and closed_at is null",
        )?
        .execute(params![code, subject, ms(now)])?;
    Ok(closed > 0)
}

/// Opens a problem again that was closed though it is not over, as it was. Nothing where there never was one.
pub fn reopen(tx: &Tx<'_>, code: &str, subject: &str) -> Result<(), StoreError> {
    tx.0.prepare_cached("update problems set closed_at = null where code = ?1 and subject = ?2")?
        .execute(params![code, subject])?;
    Ok(())
}

/// The open problems, the oldest first.
pub fn list(tx: &Tx<'_>) -> Result<Vec<Problem>, StoreError> {
    let mut statement = tx.0.prepare_cached(
        "select code, subject, severity, title, since, fix from problems where closed_at is null
         order by since, code, subject",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Problem {
            code: row.get(0)?,
            subject: row.get(1)?,
            severity: word(row, 2)?,
            title: row.get(3)?,
            since: time(row, 4)?,
            fix: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::testing::{now, scratch};

    #[test]
    fn a_problem_keeps_its_since_while_open_and_begins_anew_after_it_was_closed() {
        let conn = scratch();
        let tx = Tx(&conn);
        let first = Problem {
            code: "P101".into(),
            subject: "cm".into(),
            severity: Severity::Warning,
            title: "the login will run out".into(),
            since: now(),
            fix: "`sellerd auth login cm`".into(),
        };
        let later = now() + TimeDelta::hours(1);
        let worse = Problem { severity: Severity::Critical, since: later, ..first.clone() };
        open(&tx, &first).unwrap();
        open(&tx, &worse).unwrap();
        assert_eq!(list(&tx).unwrap(), [Problem { since: now(), ..worse.clone() }]);
        assert!(close(&tx, "P101", "cm", later).unwrap());
        assert!(!close(&tx, "P101", "cm", later).unwrap());
        assert_eq!(list(&tx).unwrap(), []);
        open(&tx, &worse).unwrap();
        let listed = serde_json::to_value(list(&tx).unwrap()).unwrap();
        assert_eq!(listed[0]["since"], "2026-11-22T15:31:07.250Z");
        assert_eq!(listed[0]["severity"], "critical");
    }
}
