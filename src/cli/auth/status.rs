//! `sellerd auth status`: where every account stands, told from what is known here. Nothing is contacted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{Document, Known, Row, ends, way_in};
use crate::agent::control::socket_path;
use crate::agent::credentials::mended_by;
use crate::agent::login::begun_at;
use crate::agent::notices::Notices;
use crate::cli::args::Format;
use crate::cli::home::Home;
use crate::cli::output::{self, when};
use crate::cli::{Exit, Failure};
use crate::clock::{Clock, SystemClock};
use crate::config::{Account, Config};
use crate::domain::AccountName;
use crate::http::local;
use crate::policy::access::{Access, AccessState};
use crate::policy::expiry::nearness;
use crate::store::logins::{self, Login};
use crate::store::{Tx, accounts};

/// Shows every account. Exit 4 when a login is missing or lost.
pub async fn run(home: &Home) -> Result<Exit, Failure> {
    let config = home.config_of_all_quietly().await?;
    let now = SystemClock::default().now();
    let held = held_by_agent(&config).await;
    let standings = match home.store(&config)? {
        None => {
            let of = |account| Standing::of(&config, account, None, None, &held, now);
            config.accounts.values().map(of).collect()
        }
        Some(store) => {
            let wanted = config.clone();
            store.read(move |tx| read(tx, &wanted, &held, now)).await?
        }
    };
    let lost = standings.iter().any(|standing| standing.fix.is_some() && standing.lost);
    match home.output {
        Format::Table => {
            let drawn: Vec<_> = standings.iter().map(|of| of.draw(now, config.timezone)).collect();
            output::text(&home.typed.copyable(&drawn.join("\n")))?;
        }
        format => {
            let rows = standings.into_iter().map(|of| Row { fix: of.fix, ..of.row }).collect();
            output::document(format, &Document::of(rows))?;
        }
    }
    Ok(if lost { Exit::Login } else { Exit::Success })
}

/// Where the running agent has pairs from, of accounts of which this process misses one: a service manager may have
/// handed them to the agent alone.
type Held = BTreeMap<AccountName, [Option<String>; 2]>;

async fn held_by_agent(config: &Config) -> Held {
    let is_whole = |account: &Account| account.credentials.as_ref().is_some_and(|held| held.token.is_some());
    if config.accounts.values().all(is_whole) {
        return Held::new();
    }
    let answer = local::look_at_agent(&socket_path(&config.state_dir), "/accounts/held").await;
    let held = answer.filter(|(status, _)| *status == 200);
    let mut held: Held = held.and_then(|(_, body)| serde_json::from_slice(&body).ok()).unwrap_or_default();
    held.retain(|name, places| {
        let here = config.accounts.get(name).is_some_and(is_whole);
        !here && places.iter().all(Option::is_some)
    });
    held
}

fn read(
    tx: &Tx<'_>,
    config: &Config,
    held: &Held,
    now: DateTime<Utc>,
) -> Result<Vec<Standing>, crate::store::StoreError> {
    let standing = |account: &Account| {
        let access = accounts::access(tx, &account.name, now)?;
        Ok(Standing::of(config, account, Some(access), logins::get(tx, &account.name)?, held, now))
    };
    config.accounts.values().map(standing).collect()
}

/// Where one account stands.
struct Standing {
    row: Row,
    title: &'static str,
    known: Known,
    /// When its login ends, if it has one.
    ends: Option<String>,
    /// A login that waits for a person.
    begun: Option<DateTime<Utc>>,
    /// Why there is something to do.
    why: Option<String>,
    fix: Option<String>,
    /// It cannot work as it is.
    lost: bool,
}

impl Standing {
    fn of(
        config: &Config,
        account: &Account,
        access: Option<Access>,
        login: Option<Login>,
        held: &Held,
        now: DateTime<Utc>,
    ) -> Self {
        let held = held.get(&account.name);
        let known = Known::of(account, access, login, held.is_some(), config.timezone);
        let has_token = held.is_some()
            || account.credentials.as_ref().is_some_and(|credentials| credentials.token.is_some());
        let ends = ends(known.login.expires_at, account, now, config.timezone);
        let judged = judge(account, &known, held.is_some(), now);
        let mut row = Row::known(account, &known);
        if let Some(places) = held {
            row.sources = Some(places.clone().map(|place| Some(format!("{}, by the running agent", place?))));
        }
        let begun = begun_at(&config.state_dir, &account.name);
        let fix = match begun {
            Some(_) if judged.wants_login => Some(format!("sellerd auth login {} --resume", account.name)),
            _ => judged.fix,
        };
        Self {
            row,
            title: account.marketplace.title,
            ends: ends.filter(|_| has_token || known.login.expires_at.is_some()),
            known,
            begun,
            why: judged.why,
            fix,
            lost: judged.lost,
        }
    }

    fn draw(&self, now: DateTime<Utc>, tz: Tz) -> String {
        let Row { account, state, identity, identity_id, scopes, sources, unused, .. } = &self.row;
        let access = self.known.access.as_ref();
        let since = access.map_or(String::new(), |access| format!(" since {}", when(access.since, now, tz)));
        let mut text = format!("{account} ({})   {state}{since}\n", self.title);
        let mut line = |what: &str, words: &str| text.push_str(&format!("  {what:<13} {words}\n"));
        if let (Some(name), Some(id)) = (identity, identity_id) {
            let is = if self.row.sources.as_ref().is_some_and(|[_, token]| token.is_some()) {
                "logged in as"
            } else {
                "was"
            };
            line(is, &format!("{name} (member {id})"));
        }
        let [consumer, token] = sources.clone().unwrap_or_default();
        line("app pair", consumer.as_deref().unwrap_or("missing"));
        let made = self
            .known
            .login
            .token_created_at
            .map_or(String::new(), |at| format!(", made {}", when(at, now, tz)));
        line("token pair", &token.map_or("missing".to_owned(), |place| format!("{place}{made}")));
        for place in unused {
            line("", &format!("another pair stands in {place}; it is not used"));
        }
        if let Some(scopes) = scopes {
            line("permissions", &scopes.join(", "));
        }
        if let Some(words) = &self.ends {
            line("ends", words);
        }
        if let Some(at) = access.and_then(|access| access.next_probe_at) {
            line("asked again", &when(at, now, tz));
        }
        if let Some(day) = access.and_then(|access| access.reapply_on) {
            line("ask for it", &format!("again on {day} or later"));
        }
        if let Some(begun) = self.begun {
            line("begun", &format!("a login waits since {}", when(begun, now, tz)));
        }
        if let Some(why) = &self.why {
            line("why", why);
        }
        if let Some(fix) = &self.fix {
            line("fix", fix);
        }
        text
    }
}

/// What there is to say of an account, and to do.
#[derive(Debug, Default)]
struct Judged {
    /// It cannot work as it is.
    lost: bool,
    /// A new login is all that it wants.
    wants_login: bool,
    why: Option<String>,
    fix: Option<String>,
}

fn judge(account: &Account, Known { access, login }: &Known, with_agent: bool, now: DateTime<Utc>) -> Judged {
    let [key, _, token, _] = account.marketplace.credential_names;
    let renew =
        |why: String| Judged { lost: true, wants_login: true, why: Some(why), fix: Some(way_in(account)) };
    if let Some(spoilt) = account.looked.spoilt() {
        let why = format!("{}: {}", spoilt.code, spoilt.placed());
        return Judged { fix: Some(mended_by(account, spoilt)), ..renew(why) };
    }
    match &account.credentials {
        _ if with_agent => {}
        None => return renew(format!("there is no {key} yet")),
        Some(credentials) if credentials.token.is_none() => return renew(format!("there is no {token} yet")),
        Some(_) => {}
    }
    // What its problem says in `status`.
    let way_out = |access| Some((access, Notices::about(account).way_out(&account.name, access)?));
    match (access.as_ref().and_then(way_out), login.expires_at) {
        (Some((access, fix)), _) if !access.state.lets_through() => Judged {
            lost: true,
            wants_login: access.state == AccessState::Unauthorized,
            why: Some(access.reason.clone()),
            fix: Some(fix),
        },
        (_, Some(ends)) if ends <= now => renew(match account.login.token_expires {
            None => "the login is over".to_owned(),
            Some(_) => {
                "the login is over by `token_expires` in sellerd.toml; a new one needs its own day there"
                    .to_owned()
            }
        }),
        (_, Some(ends)) if nearness(login.token_created_at, ends, now).is_some() => {
            Judged { fix: Some(way_in(account)), ..Judged::default() }
        }
        (Some((access, fix)), _) => {
            Judged { why: Some(access.reason.clone()), fix: Some(fix), ..Judged::default() }
        }
        (None, _) => Judged::default(),
    }
}
