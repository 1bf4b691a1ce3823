//! `sellerd auth`: logging in and out, and where every account stands.
//!
//! The deeds are the agent's, in this process or in the one that runs; here are the words.

mod callback;
mod import;
mod login;
mod logout;
mod qr;
mod status;
mod test;
mod typed;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::{AuthCommand, Format};
use super::confirm::can_ask;
use super::home::Home;
use super::job::{ask_agent, here};
use super::output::{self, instant, span, thousands, when};
use super::{Exit, Failure};
use crate::agent::ask::{Answered, Desk};
use crate::agent::login::{LoggedIn, Unsure, is_of, terms, way_in};
use crate::clock::{Clock, SystemClock};
use crate::config::{Account, Config, Diagnostic};
use crate::domain::{AccountName, Wiped};
use crate::policy::access::{Access, AccessState};
use crate::store::accounts;
use crate::store::logins::{self, Login};
use typed::Typed;

/// Does what was asked.
pub async fn run(command: AuthCommand, home: &Home) -> Result<Exit, Failure> {
    match command {
        AuthCommand::Import(options) => import::run(options, home).await,
        AuthCommand::Login(options) => login::run(options, home).await,
        AuthCommand::Status => status::run(home).await,
        AuthCommand::Test { account } => test::run(&account, home).await,
        AuthCommand::Logout { account, local } => logout::run(&account, local, home).await,
    }
}

/// The document `sellerd.auth/1`.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    accounts: Vec<Row>,
}

/// What the contract names of an account's login, and what else there is to say; what is not known is null.
#[derive(Debug, Serialize)]
struct Row {
    account: AccountName,
    state: String,
    since: Option<String>,
    identity: Option<String>,
    scopes: Option<Vec<String>>,
    token_created_at: Option<String>,
    fix: Option<String>,
    identity_id: Option<i64>,
    expires_at: Option<String>,
    /// When the agent asks again by itself, while it leaves the account alone.
    next_probe_at: Option<String>,
    /// The first day on which access can be asked for again, where it was taken away.
    reapply_on: Option<String>,
    /// Where the app's pair and the login's come from.
    sources: Option<[Option<String>; 2]>,
    /// Places that hold other pairs, which are not used.
    unused: Vec<String>,
    /// Why the credentials cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    wrong: Option<Diagnostic>,
    /// The page of a login that was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// What is needed and was not granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_missing: Vec<String>,
}

impl Document {
    fn of(accounts: Vec<Row>) -> Self {
        Self { schema: "sellerd.auth/1", accounts }
    }
}

/// What is known of the login that an account has now.
struct Known {
    /// Its access; `None` without a login, and while nothing was asked: there is no moment since when, then.
    access: Option<Access>,
    /// The login. Of another one than that in use only who it was and when it ends.
    login: Login,
}

impl Known {
    /// The end is that of the configuration as it stands now, also where no agent has read it since. `with_agent`: the agent
    /// has pairs of it from a place that this process does not see.
    fn of(account: &Account, access: Option<Access>, login: Option<Login>, with_agent: bool, tz: Tz) -> Self {
        let login = terms::applied(login.unwrap_or_default(), account, tz);
        if with_agent {
            return Self { access: access.filter(|access| access.state != AccessState::Unknown), login };
        }
        let credentials = account.credentials.as_ref();
        let whole = credentials.is_some_and(|credentials| credentials.token.is_some());
        let login = match credentials.is_some_and(|credentials| is_of(&login, credentials)) {
            true => login,
            false => Login { identity: login.identity, expires_at: login.expires_at, ..Login::default() },
        };
        let access = access.filter(|access| whole && access.state != AccessState::Unknown);
        Self { access, login }
    }
}

impl Row {
    /// What the database and the configuration know of an account.
    fn known(account: &Account, known: &Known) -> Self {
        let Known { access, login } = known;
        let access = access.as_ref();
        let sources = [&account.sources.consumer, &account.sources.token];
        let unused = sources.into_iter().flatten().flat_map(|origin| &origin.others);
        Self {
            account: account.name.clone(),
            state: access.map_or("unknown", |access| access.state.as_str()).to_owned(),
            since: access.map(|access| instant(access.since)),
            identity: login.identity.as_ref().map(|member| member.name.clone()),
            identity_id: login.identity.as_ref().map(|member| member.id),
            scopes: (!login.scopes.is_empty()).then(|| login.scopes.clone()),
            token_created_at: login.token_created_at.map(instant),
            expires_at: login.expires_at.map(instant),
            next_probe_at: access.and_then(|access| access.next_probe_at).map(instant),
            reapply_on: access.and_then(|access| access.reapply_on).map(|day| day.to_string()),
            sources: Some(sources.map(|origin| origin.as_ref().map(|origin| origin.place.to_string()))),
            unused: unused.map(ToString::to_string).collect(),
            wrong: account.looked.spoilt().cloned(),
            fix: None,
            url: None,
            scopes_missing: Vec::new(),
        }
    }
}

/// Asks something of the running agent, or of this process in its place.
async fn ask<T: DeserializeOwned>(
    config: &Config,
    path: &str,
    body: &impl Serialize,
    question: impl AsyncFnOnce(&Desk) -> Answered<T>,
) -> Result<T, Failure> {
    let mut json = Wiped::default();
    serde_json::to_writer(&mut json, body).map_err(|error| Failure::internal(error.to_string()))?;
    match ask_agent(config, path, json.into_bytes()).await? {
        Some(answered) => Ok(answered?),
        None => Ok(here(config.clone(), question).await??),
    }
}

/// Has a person say whether new credentials are the right seller's. Where nobody can be asked, or the answer is no, it is
/// the error. What was typed before is `typed`'s, if anything was.
async fn is_meant(home: &Home, typed: Option<&mut Typed>, unsure: Unsure) -> Result<(), Failure> {
    if home.yes {
        return Ok(());
    }
    let Unsure { question, declined } = unsure;
    if !can_ask(home) {
        return Err(declined.into());
    }
    let mut begun;
    let typed = match typed {
        Some(typed) => typed,
        None => {
            begun = Typed::begin()?;
            &mut begun
        }
    };
    match typed.says_yes(&question).await? {
        true => Ok(()),
        false => Err(declined.into()),
    }
}

/// What is known of an account's login now.
async fn row(home: &Home, account: &Account, config: &Config) -> Result<Row, Failure> {
    let now = SystemClock::default().now();
    let Some(store) = home.store(config)? else {
        return Ok(Row::known(account, &Known::of(account, None, None, false, config.timezone)));
    };
    let name = account.name.clone();
    let read =
        move |tx: &crate::store::Tx<'_>| Ok((accounts::access(tx, &name, now)?, logins::get(tx, &name)?));
    let (access, login) = store.read(read).await?;
    Ok(Row::known(account, &Known::of(account, Some(access), login, false, config.timezone)))
}

/// Says that new credentials are in use.
async fn welcome(home: &Home, name: &AccountName, welcome: &LoggedIn) -> Result<Exit, Failure> {
    let config = home.config_of_quietly(name).await?;
    let account = config.accounts.get(name).ok_or_else(|| Failure::internal(format!("{name} is gone")))?;
    match home.output {
        Format::Table => output::text(&home.typed.copyable(&words(
            &config,
            account,
            welcome,
            SystemClock::default().now(),
        )))?,
        format => {
            let row = Row {
                scopes_missing: welcome.scopes_missing.clone(),
                fix: welcome.identity.is_none().then(|| way_in(account)),
                ..row(home, account, &config).await?
            };
            output::document(format, &Document::of(vec![row]))?;
        }
    }
    Ok(if welcome.identity.is_some() { Exit::Success } else { Exit::Login })
}

fn words(config: &Config, account: &Account, welcome: &LoggedIn, now: DateTime<Utc>) -> String {
    let name = &account.name;
    let Some((id, member)) = &welcome.identity else {
        return format!(
            "Kept in {}. {name} is not logged in yet.\n  next:  {}\n",
            welcome.kept_in,
            way_in(account)
        );
    };
    let mut text = format!("{name}: logged in as {member} (member {id})\n");
    let mut line = |what: &str, words: String| text.push_str(&format!("  {what:<13} {words}\n"));
    match (&welcome.scopes[..], &welcome.scopes_missing[..]) {
        ([], _) => {}
        (granted, []) => line("permissions", format!("{}   as needed", granted.join(", "))),
        (granted, missing) => line(
            "permissions",
            format!(
                "{}   NOT {}: jobs that write will be refused; allow it at the next login",
                granted.join(", "),
                missing.join(", ")
            ),
        ),
    }
    line(
        "clock",
        match welcome.clock_offset_ms {
            -2_000..=2_000 => "as the marketplace's".to_owned(),
            offset => format!(
                "{} s {}; requests are signed by the marketplace's time, but set it: timedatectl set-ntp true",
                offset.abs() / 1_000,
                if offset > 0 { "behind" } else { "ahead" }
            ),
        },
    );
    let window = account.marketplace.limit_headers.window;
    line(
        "limit",
        match welcome.limit {
            Some(limit) => {
                format!("{} requests {}, {} used", thousands(limit), window.per(), thousands(welcome.used))
            }
            None => format!("none, {} requests used this {}", thousands(welcome.used), window.as_str()),
        },
    );
    if let Some(words) = ends(welcome.expires_at, account, now, config.timezone) {
        line("ends", words);
    }
    text.push_str(&format!("Kept in {}.{}\n", welcome.kept_in, next(config, account, now)));
    text
}

/// When a login ends, for people; `None` where nobody said so.
fn ends(end: Option<DateTime<Utc>>, account: &Account, now: DateTime<Utc>, tz: Tz) -> Option<String> {
    let Some(end) = end else {
        let words = "not known: `token_lifetime` counts from an `auth login`, and nobody knows when this token was \
                     made; its last day can be set as `token_expires`";
        return account.login.token_lifetime.map(|_| words.to_owned());
    };
    let at = when(end, now, tz);
    Some(match account.login.token_expires {
        _ if end > now => format!("{at}, in {}", span(end - now)),
        None => format!("{at}: it is over"),
        Some(_) => {
            format!(
                "{at}: it is over by `token_expires` in sellerd.toml; set that to the last day of this one"
            )
        }
    })
}

/// What the account does next by its schedules.
fn next(config: &Config, account: &Account, now: DateTime<Utc>) -> String {
    let of_account =
        config.jobs.values().filter(|job| job.enabled && job.account.as_ref() == Some(&account.name));
    let soonest = of_account.filter_map(|job| Some((job.next_after(now)?, &job.name))).min();
    soonest.map_or(String::new(), |(at, job)| {
        format!("  Next by its schedule: {job}, {}.", when(at, now, config.timezone))
    })
}

/// The account of that name.
fn account<'c>(config: &'c Config, name: &AccountName) -> Result<&'c Account, Failure> {
    config.accounts.get(name).ok_or_else(|| {
        let known = config.accounts.keys().map(AccountName::as_str).collect::<Vec<_>>().join(", ");
        Failure::usage(format!("there is no account {name}"), format!("the accounts are: {known}"))
    })
}
