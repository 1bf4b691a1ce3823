//! `sellerd status`: what ran, what is next, what is wrong.

use chrono_tz::Tz;
use serde::Serialize;

use super::args::Format;
use super::home::Home;
use super::output::{self, lines, span, table, thousands, when};
use super::{Exit, Failure};
use crate::agent::credentials;
use crate::agent::status::{AccountStatus, JobStatus, Status};
use crate::agent::timekeeping::clocks_beside;
use crate::clock::SystemClock;
use crate::domain::PlanState;

/// Shows everything. Exit 4 when a login is lost, so that a script notices.
pub async fn run(home: &Home) -> Result<Exit, Failure> {
    let (status, tz) = read(home).await?;
    match home.output {
        Format::Table => output::text(&home.typed.copyable(&draw(&status, tz)))?,
        format => output::document(format, &status)?,
    }
    Ok(if status.login_lost() { Exit::Login } else { Exit::Success })
}

#[derive(Serialize)]
struct Jobs<'a> {
    schema: &'static str,
    jobs: &'a [JobStatus],
}

/// Shows the jobs alone.
pub async fn jobs(home: &Home) -> Result<Exit, Failure> {
    let (status, tz) = read(home).await?;
    match home.output {
        Format::Table => output::text(&draw_jobs(&status, tz))?,
        format => output::document(format, &Jobs { schema: "sellerd.jobs/1", jobs: &status.jobs })?,
    }
    Ok(Exit::Success)
}

async fn read(home: &Home) -> Result<(Status, Tz), Failure> {
    let mut config = home.config()?;
    credentials::look_beside(&mut config).await;
    let store = home.store(&config)?;
    let clocks = clocks_beside(store.as_ref(), &SystemClock::default()).await?;
    let status = Status::read_beside(&config, store.as_ref(), clocks).await?;
    Ok((status, config.timezone))
}

fn draw(status: &Status, tz: Tz) -> String {
    let mut text = String::new();
    for problem in &status.problems {
        let since = when(problem.since, status.at, tz);
        text.push_str(&format!(
            "PROBLEM  {}  since {since} ({})\n",
            problem.title,
            span(status.at - problem.since)
        ));
        text.push_str(&format!("         Fix:  {}\n\n", problem.fix));
    }
    if let Some(since) = status.halted_since {
        let since = when(since, status.at, tz);
        text.push_str(&format!(
            "HALTED   Nothing is written to any marketplace since {since}.\n         Fix:  sellerd unhalt\n\n"
        ));
    }
    for account in status.accounts.iter().filter(|account| account.in_doubt > 0) {
        let writes = output::counted(account.in_doubt, "write");
        text.push_str(&format!(
            "DOUBT    The answer to {writes} of {} was lost; the next run reads what became of it.\n\n",
            account.account
        ));
    }
    if status.accounts.is_empty() {
        text.push_str("No accounts yet. Add one to sellerd.toml, or begin anew: sellerd init DIR\n");
    } else {
        let mut accounts = table(&["ACCOUNT", "MARKETPLACE", "LOGIN", "REQUESTS", "STOCK"], &[4]);
        for account in &status.accounts {
            accounts.add_row(account_cells(account, status, tz));
        }
        text.push_str(&lines(&accounts));
    }
    text.push('\n');
    text.push_str(&draw_jobs(status, tz));
    for plan in &status.plans {
        let changes = output::counted(plan.changes, "change");
        let held = if plan.state == PlanState::Pending { ", held by a guard" } else { "" };
        text.push_str(&format!(
            "\nPlan {} of {} waits: {changes}{held}.  sellerd plan show {}",
            plan.plan_id, plan.job, plan.plan_id
        ));
    }
    for plan in &status.broken_off {
        text.push_str(&format!("\nPlan {}.", super::halt::broken_off(plan, status.at, tz)));
    }
    if !status.plans.is_empty() || !status.broken_off.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("\nTimes: {tz} ({}).\n", status.at.with_timezone(&tz).format("%z")));
    text
}

fn account_cells(account: &AccountStatus, status: &Status, tz: Tz) -> Vec<String> {
    let access = &account.access;
    let login = match (access.kept_out.unwrap_or(access.state), access.since) {
        (kept_out, _) if access.kept_out.is_some() => kept_out.to_owned(),
        ("unknown", _) => "not asked yet".to_owned(),
        ("active", Some(since)) => format!("ok since {}", when(since, status.at, tz)),
        (state, Some(since)) => format!("{} since {}", state.to_uppercase(), when(since, status.at, tz)),
        (state, None) => state.to_owned(),
    };
    let quotas: Vec<String> = account
        .quotas
        .iter()
        .map(|quota| {
            let limit = quota.limit.map_or("no limit".to_owned(), |limit| format!("of {}", thousands(limit)));
            let window = if quota.window == "day" { "today" } else { "this hour" };
            format!("{} {limit} {window}", thousands(quota.used))
        })
        .collect();
    let login = if account.parked.is_some() { format!("{login}, PARKED") } else { login };
    vec![
        account.account.to_string(),
        account.marketplace.to_owned(),
        login,
        quotas.join(", "),
        thousands(account.listings),
    ]
}

fn draw_jobs(status: &Status, tz: Tz) -> String {
    if status.jobs.is_empty() {
        return "No jobs yet: put a file into jobs/, or begin anew: sellerd init DIR\n".to_owned();
    }
    let mut jobs = table(&["JOB", "ACCOUNT", "MODE", "LAST RUN", "RESULT", "NEXT"], &[]);
    for job in &status.jobs {
        jobs.add_row(job_cells(job, status, tz));
    }
    lines(&jobs)
}

fn job_cells(job: &JobStatus, status: &Status, tz: Tz) -> Vec<String> {
    let (last, result) = match &job.last_run {
        None => ("-".to_owned(), "has not run yet".to_owned()),
        Some(run) => (
            format!("{}  {}", when(run.started_at, status.at, tz), super::runs::duration(run)),
            match run.outcome {
                None => "running".to_owned(),
                Some(crate::domain::Outcome::Success) => "ok".to_owned(),
                Some(outcome) => match run.error_type {
                    Some(error_type) => format!("{} ({error_type})", outcome.as_str().to_uppercase()),
                    None => outcome.as_str().to_uppercase(),
                },
            },
        ),
    };
    let next = match job.next_run_at {
        None if job.paused_since.is_some() => "paused".to_owned(),
        None => "off".to_owned(),
        Some(at) => {
            let put_off = if job.put_off_since.is_some() { ", put off" } else { "" };
            format!("{} in {}{put_off}", when(at, status.at, tz), span(at - status.at))
        }
    };
    vec![
        job.job.to_string(),
        job.account.as_ref().map_or("-".to_owned(), |account| account.to_string()),
        match job.promoted_at {
            Some(_) => format!("{} (promoted)", job.mode),
            None => job.mode.to_string(),
        },
        last,
        result,
        next,
    ]
}
