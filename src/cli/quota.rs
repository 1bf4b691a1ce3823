//! `sellerd quota`: where the requests went, what the rest of the window will take, and what was put off. It contacts
//! nobody.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::args::Format;
use super::home::Home;
use super::output::{self, lines, span, table, thousands, when};
use super::{Exit, Failure};
use crate::agent::spending::{AccountSpending, Spending};
use crate::agent::timekeeping::clocks_beside;
use crate::clock::SystemClock;

/// Shows it.
pub async fn run(home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let store = home.store(&config)?;
    let clocks = clocks_beside(store.as_ref(), &SystemClock::default()).await?;
    let spending = Spending::read(&config, store.as_ref(), clocks).await?;
    match home.output {
        Format::Table => output::text(&draw(&spending, config.timezone))?,
        format => output::document(format, &spending)?,
    }
    Ok(Exit::Success)
}

fn draw(spending: &Spending, tz: Tz) -> String {
    if spending.accounts.is_empty() {
        return "No accounts yet. Add one to sellerd.toml, or begin anew: sellerd init DIR\n".to_owned();
    }
    let mut windows =
        table(&["ACCOUNT", "WINDOW", "USED", "LIMIT", "PROJECTED", "RESET", "PUBLIC"], &[2, 3, 4]);
    for account in &spending.accounts {
        for cells in window_cells(account, spending.at, tz) {
            windows.add_row(cells);
        }
    }
    let mut text = lines(&windows);
    let mut spent = table(&["ACCOUNT", "JOB", "REQUESTS", "SHARE"], &[2, 3]);
    for account in &spending.accounts {
        let all: i64 = account.by_job.values().sum();
        for (job, requests) in &account.by_job {
            let share = format!("{} %", requests * 100 / all.max(1));
            spent.add_row(vec![account.account.to_string(), job.clone(), thousands(*requests), share]);
        }
    }
    if spending.accounts.iter().any(|account| !account.by_job.is_empty()) {
        text.push('\n');
        text.push_str(&lines(&spent));
    }
    for account in &spending.accounts {
        for note in notes(account, spending.at, tz) {
            text.push_str(&format!("\n{note}"));
        }
    }
    text.push_str(&format!("\nTimes: {tz} ({}).\n", spending.at.with_timezone(&tz).format("%z")));
    text
}

fn window_cells(account: &AccountSpending, now: DateTime<Utc>, tz: Tz) -> Vec<Vec<String>> {
    let public = account.public.as_ref().map_or("-".to_owned(), |public| {
        format!("{} of {} % ({} today)", public.share, public.limit, thousands(public.today))
    });
    let cells = |window: &crate::agent::spending::Projected| {
        let quota = &window.quota;
        vec![
            account.account.to_string(),
            quota.window.to_owned(),
            thousands(quota.used),
            quota.limit.map_or("none".to_owned(), thousands),
            thousands(window.projected),
            format!("{} in {}", when(quota.resets_at, now, tz), span(quota.resets_at - now)),
            public.clone(),
        ]
    };
    account.quotas.iter().map(cells).collect()
}

/// What people should know beside the numbers.
fn notes(account: &AccountSpending, now: DateTime<Utc>, tz: Tz) -> Vec<String> {
    let mut notes = Vec::new();
    for window in &account.quotas {
        if let Some(limit) = window.quota.limit.filter(|limit| window.projected > *limit) {
            notes.push(format!(
                "{} will want {} requests more than it has this {}: run jobs less often, see sellerd config check\n",
                account.account,
                thousands(window.projected - limit),
                window.quota.window
            ));
        }
        let unknown: Vec<&str> = window.not_projected.iter().map(|job| job.as_str()).collect();
        if !unknown.is_empty() {
            notes.push(format!(
                "Not in the projection, since nobody knows yet what they take: {}\n",
                unknown.join(", ")
            ));
        }
    }
    for run in &account.deferred {
        notes.push(format!(
            "{} waits: about {}, from {} to about {}\n",
            run.job,
            output::counted(run.cost, "request"),
            when(run.starts_at, now, tz),
            when(run.finishes_at, now, tz)
        ));
    }
    if let Some(public) = account.public.as_ref().filter(|public| public.streak_days > 0) {
        notes.push(format!(
            "{} has asked for nothing but public data for {}\n",
            account.account,
            output::counted(i64::from(public.streak_days), "day")
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::TimeDelta;

    use super::*;
    use crate::agent::spending::{DeferredRun, Projected};
    use crate::agent::status::{PublicStatus, QuotaStatus};

    #[test]
    fn the_table_says_what_is_used_what_it_will_come_to_and_what_waits() {
        let at: DateTime<Utc> = "2026-11-22T20:00:00Z".parse().unwrap();
        let account = AccountSpending {
            account: "cm".into(),
            marketplace: "cardmarket",
            quotas: vec![Projected {
                quota: QuotaStatus {
                    window: "day",
                    used: 4_000,
                    limit: Some(5_000),
                    resets_at: at + TimeDelta::hours(3),
                },
                projected: 5_100,
                not_projected: vec!["sync".into()],
            }],
            by_job: BTreeMap::from([("orders".to_owned(), 3_000), ("pull".to_owned(), 1_000)]),
            by_class: BTreeMap::from([("orders", 3_000), ("stock", 1_000)]),
            public: Some(PublicStatus {
                share: 0,
                today: 0,
                streak_days: 0,
                limit: 50,
                limit_per_day: 30_000,
                allowed: true,
            }),
            deferred: vec![DeferredRun {
                job: "pull".into(),
                cost: 900,
                starts_at: at + TimeDelta::hours(3) + TimeDelta::seconds(30),
                finishes_at: at + TimeDelta::hours(3) + TimeDelta::minutes(4),
            }],
        };
        let spending = Spending { schema: "sellerd.quota/1", at, accounts: vec![account] };
        let text = draw(&spending, chrono_tz::Europe::Berlin);
        for words in [
            "cm       day     4 000  5 000      5 100  tomorrow 00:00 in 3 h  0 of 50 % (0 today)",
            "cm       orders     3 000   75 %",
            "cm will want 100 requests more than it has this day",
            "Not in the projection, since nobody knows yet what they take: sync",
            "pull waits: about 900 requests, from tomorrow 00:00 to about tomorrow 00:04",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
    }
}
