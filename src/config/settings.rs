//! `sellerd.toml`: the settings of the agent, its accounts and channels.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use serde::Deserialize;
use toml::Spanned;

use super::account;
use super::diagnostic::{Code, Wrong, shown};
use super::leaks;
use super::places::Places;
use super::source::Source;
use super::toml_errors::{self, Place};
use super::values::{self, Text, Whole};
use super::{Account, Channel, HttpSettings, LogFormat, LogLevel, LogSettings};
use crate::domain::{AccountName, nearest};

/// What `sellerd.toml` says. Where it is wrong a default stands, so that the rest can be checked all the same.
#[derive(Debug)]
pub(super) struct Settings {
    /// `None` when it is not known.
    pub state_dir: Option<PathBuf>,
    pub timezone: Tz,
    pub http: HttpSettings,
    pub log: LogSettings,
    pub accounts: BTreeMap<AccountName, Account>,
    /// The names of all accounts, also of those that are wrong; `None` when they are not known.
    pub names: Option<BTreeSet<String>>,
    pub channels: BTreeMap<String, Channel>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    config_version: Whole,
    timezone: Text,
    state_dir: Text,
    http: Option<HttpFile>,
    log: Option<LogFile>,
    channels: Option<BTreeMap<Spanned<String>, Spanned<ChannelFile>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpFile {
    listen: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogFile {
    format: Text,
    level: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelFile {
    accounts: Option<Spanned<Vec<Spanned<String>>>>,
    buffer: Whole,
}

const FORMATS: &[(&str, LogFormat)] = &[
    ("auto", LogFormat::Auto),
    ("pretty", LogFormat::Pretty),
    ("logfmt", LogFormat::Logfmt),
    ("json", LogFormat::Json),
];

const LEVELS: &[(&str, LogLevel)] = &[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

impl Settings {
    /// What holds when there is no readable `sellerd.toml`.
    pub fn unknown() -> Self {
        Self {
            state_dir: None,
            timezone: Tz::UTC,
            http: HttpSettings { listen: Some(SocketAddr::from(([127, 0, 0, 1], 8787))) },
            log: LogSettings { format: LogFormat::Auto, level: LogLevel::Info },
            accounts: BTreeMap::new(),
            names: None,
            channels: BTreeMap::new(),
        }
    }
}

/// Reads `sellerd.toml`.
pub(super) fn read(source: &mut Source<'_>, dir: &Path, places: &Places) -> Settings {
    let mut settings = Settings::unknown();
    let Some(mut tree) = toml_errors::parse(source) else { return settings };
    leaks::take_out(source, &mut tree);

    let accounts = tree.get_mut().remove("accounts");
    let (accounts, mut names) = account::read_all(source, accounts);
    if source.is_broken() {
        // An account may stand in a line that could not be read.
        names = None;
    }
    let place = Place { path: "", name: "sellerd.toml", also: &["accounts"] };
    let file: SettingsFile = toml_errors::read(source, tree, &place).unwrap_or_default();

    version(source, &file.config_version);
    settings.timezone = source.value(&file.timezone, settings.timezone, values::zone);
    settings.state_dir = state_dir(source, &file.state_dir, dir, places);
    let http = file.http.unwrap_or_default();
    settings.http.listen = source.value(&http.listen, settings.http.listen, listen);
    warn_of_open_page(source, &http.listen, settings.http.listen);
    let log = file.log.unwrap_or_default();
    settings.log.format =
        source.value(&log.format, settings.log.format, |t| values::choice("format", t, FORMATS));
    settings.log.level = source.value(&log.level, settings.log.level, |t| values::choice("level", t, LEVELS));
    settings.channels = file
        .channels
        .unwrap_or_default()
        .into_iter()
        .map(|(name, channel)| (name.get_ref().clone(), read_channel(source, &name, channel, names.as_ref())))
        .collect();
    settings.accounts = accounts;
    settings.names = names;
    settings
}

fn version(source: &mut Source<'_>, version: &Whole) {
    let Some(version) = version else { return };
    let wrong = match *version.get_ref() {
        1 => return,
        2.. => Wrong::new(
            Code::NewerVersion,
            format!("this file was written for a newer sellerd: its format is {}", version.get_ref()),
            format!(
                "install a newer sellerd; this one ({}) reads config_version = 1",
                env!("CARGO_PKG_VERSION")
            ),
        ),
        _ => {
            Wrong::new(Code::BadValue, "there is no such version of the format", "write  config_version = 1")
        }
    };
    source.wrong(version.span(), wrong);
}

fn state_dir(source: &mut Source<'_>, text: &Text, dir: &Path, places: &Places) -> Option<PathBuf> {
    if text.is_some() {
        return source
            .checked(text, |text| values::path("state_dir", text, "state").map(|path| dir.join(path)));
    }
    let default = places.default_state_dir(dir);
    if default.is_none() {
        let fix = "write where the database goes: state_dir = \"/var/lib/sellerd\"";
        source.missing(
            0..0,
            "state_dir",
            Wrong::new(Code::Missing, "`state_dir` is not set, and there is no home directory", fix),
        );
    }
    default
}

fn listen(text: &str) -> Result<Option<SocketAddr>, Wrong> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).unwrap_or(8787);
        let message = format!("`listen` is no address to listen at: `{}`", shown(text));
        Wrong::new(Code::BadValue, message, format!("write \"127.0.0.1:{port}\" or \"off\""))
    })
}

fn warn_of_open_page(source: &mut Source<'_>, text: &Text, listen: Option<SocketAddr>) {
    if let (Some(text), Some(listen)) = (text, listen)
        && !listen.ip().is_loopback()
    {
        let wrong = Wrong::new(
            Code::OpenPage,
            "the status page can be reached from other machines",
            format!(
                "write \"127.0.0.1:{}\" unless a firewall or a proxy with a password stands before it",
                listen.port()
            ),
        )
        .label("whoever reaches it can read the status of the shop");
        source.wrong(text.span(), wrong);
    }
}

fn read_channel(
    source: &mut Source<'_>,
    name: &Spanned<String>,
    channel: Spanned<ChannelFile>,
    known: Option<&BTreeSet<String>>,
) -> Channel {
    if !values::is_name(name.get_ref()) {
        source.wrong(name.span(), values::bad_name("a channel", name.get_ref()).0);
    }
    let channel = channel.into_inner();
    let buffer = source.whole("buffer", &channel.buffer, 0, 0..=1_000_000);
    let path = format!("channels.{}.accounts", name.get_ref());
    let Some(accounts) = channel.accounts else {
        let message = format!("channel `{}` has no accounts", shown(name.get_ref()));
        source.missing(name.span(), &path, Wrong::new(Code::Missing, message, "add  accounts = [\"...\"]"));
        return Channel { accounts: Vec::new(), buffer };
    };
    if accounts.get_ref().is_empty() {
        let wrong = Wrong::new(
            Code::BadValue,
            "a channel needs an account",
            "name at least one: accounts = [\"...\"]",
        );
        source.missing(accounts.span(), &path, wrong);
    }
    let mut names: Vec<AccountName> = Vec::new();
    for account in accounts.get_ref() {
        let name = AccountName(account.get_ref().clone());
        if let Some(wrong) = known.and_then(|known| unknown_account(account.get_ref(), known)) {
            source.wrong(account.span(), wrong);
        } else if names.contains(&name) {
            let message = format!("account `{}` is in this channel twice", shown(name.as_str()));
            source.wrong(account.span(), Wrong::new(Code::BadValue, message, "keep one of the two"));
        } else {
            names.push(name);
        }
    }
    Channel { accounts: names, buffer }
}

/// The words for an account that is not there, unless it is.
pub(super) fn unknown_account(name: &str, known: &BTreeSet<String>) -> Option<Wrong> {
    if known.contains(name) {
        return None;
    }
    let list: Vec<&str> = known.iter().map(String::as_str).collect();
    let fix = match nearest(name, list.iter().copied()) {
        Some(meant) => format!("did you mean `{}`?", shown(meant)),
        None if list.is_empty() => format!("add  [accounts.{}]  to sellerd.toml", shown(name)),
        None => format!("sellerd.toml has these accounts: {}", shown(&list.join(", "))),
    };
    Some(Wrong::new(Code::UnknownAccount, format!("unknown account `{}`", shown(name)), fix))
}
