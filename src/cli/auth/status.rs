//! `sellerd auth status`: where every account stands, told from what is known here. Nothing is contacted.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{Document, Row, ends, way_in};
use crate::agent::credentials::mended_by;
use crate::agent::login::{begun_at, is_of};
use crate::cli::args::Format;
use crate::cli::home::Home;
use crate::cli::output::{self, when};
use crate::cli::{Exit, Failure};
use crate::clock::{Clock, SystemClock};
use crate::config::{Account, Config};
use crate::policy::access::{Access, AccessState};
use crate::store::logins::{self, Login};
use crate::store::{Tx, accounts};

/// Shows every account. Exit 4 when a login is missing or lost.
pub async fn run(home: &Home) -> Result<Exit, Failure> {
    let config = home.config_of_all_quietly().await?;
    let now = SystemClock::default().now();
    let standings = match home.store(&config)? {
        None => {
            config.accounts.values().map(|account| Standing::of(&config, account, None, None, now)).collect()
        }
        Some(store) => {
            let wanted = config.clone();
            store.read(move |tx| read(tx, &wanted, now)).await?
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

fn read(tx: &Tx<'_>, config: &Config, now: DateTime<Utc>) -> Result<Vec<Standing>, crate::store::StoreError> {
    let standing = |account: &Account| {
        let access = accounts::access(tx, &account.name, now)?;
        Ok(Standing::of(config, account, Some(access), logins::get(tx, &account.name)?, now))
    };
    config.accounts.values().map(standing).collect()
}

/// Where one account stands.
struct Standing {
    row: Row,
    title: &'static str,
    since: Option<DateTime<Utc>>,
    made: Option<DateTime<Utc>>,
    ends: Option<DateTime<Utc>>,
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
        now: DateTime<Utc>,
    ) -> Self {
        let login = login.unwrap_or_default();
        // What is known of another login than the one in use is only who it was.
        let current = account.credentials.as_ref().is_some_and(|credentials| is_of(&login, credentials));
        let known = match current {
            true => login,
            false => Login { identity: login.identity, expires_at: login.expires_at, ..Login::default() },
        };
        let begun = begun_at(&config.state_dir, &account.name);
        let over = known.expires_at.is_some_and(|at| at <= now);
        let spoilt = account.looked.spoilt();
        let (lost, why) = match spoilt {
            Some(spoilt) => (true, Some(format!("{}: {}", spoilt.code, spoilt.placed()))),
            None => judge(account, access.as_ref(), over),
        };
        let soon = known.expires_at.is_some_and(|at| (at - now).num_days() < 30);
        let fix = match begun {
            Some(_) if lost => Some(format!("sellerd auth login {} --resume", account.name)),
            _ if spoilt.is_some() => spoilt.map(|spoilt| mended_by(account, spoilt)),
            _ => (lost || soon).then(|| way_in(account)),
        };
        // While nothing was asked there is no moment since when; and what a login was is not what none is.
        let complete = account.credentials.as_ref().is_some_and(|credentials| credentials.token.is_some());
        let access = access.filter(|access| complete && access.state != AccessState::Unknown);
        Self {
            row: Row::known(account, access.as_ref(), &known),
            title: account.marketplace.title,
            since: access.map(|access| access.since),
            made: known.token_created_at,
            ends: known.expires_at,
            begun,
            why,
            fix,
            lost,
        }
    }

    fn draw(&self, now: DateTime<Utc>, tz: Tz) -> String {
        let Row { account, state, identity, identity_id, scopes, sources, unused, .. } = &self.row;
        let since = self.since.map_or(String::new(), |at| format!(" since {}", when(at, now, tz)));
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
        let made = self.made.map_or(String::new(), |at| format!(", made {}", when(at, now, tz)));
        line("token pair", &token.map_or("missing".to_owned(), |place| format!("{place}{made}")));
        for place in unused {
            line("", &format!("another pair stands in {place}; it is not used"));
        }
        if let Some(scopes) = scopes {
            line("permissions", &scopes.join(", "));
        }
        if let Some(end) = self.ends {
            line("ends", &ends(end, now, tz));
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

/// Whether the account cannot work as it is, and why.
fn judge(account: &Account, access: Option<&Access>, over: bool) -> (bool, Option<String>) {
    let [key, _, token, _] = account.marketplace.credential_names;
    let missing = |what: &str| (true, Some(format!("there is no {what} yet")));
    match &account.credentials {
        None => return missing(key),
        Some(credentials) if credentials.token.is_none() => return missing(token),
        Some(_) => {}
    }
    let blocked = access.filter(|access| !access.state.lets_through());
    match blocked {
        Some(access) => (true, Some(access.reason.clone())),
        None if over => (true, Some("the login is over".to_owned())),
        None => (false, None),
    }
}
