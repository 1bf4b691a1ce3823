//! `[accounts.*]`: the settings every account has, and those of its marketplace.
//!
//! Which settings an account may have is data of the marketplace's descriptor. Those are taken out of the table
//! first; what is left is a plain struct like everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::{Host, Url};

use super::Account;
use super::diagnostic::{Code, Wrong, shown};
use super::login;
use super::looking::Looked;
use super::secrets::Sources;
use super::source::Source;
use super::toml_errors::{self, Place, type_error};
use super::values::{self, Text, Whole};
use crate::domain::{AccountName, Currency, nearest};
use crate::marketplace::{self, Descriptor, MINUTE_LIMIT, OptionKey, Options, PUBLIC_SHARE};
use crate::policy::meter::PublicRule;

/// The settings that every account may have.
#[cfg(test)]
pub(super) const COMMON_KEYS: [&str; 12] = [
    "marketplace",
    "base_url",
    "currency",
    "max_per_second",
    "request_timeout",
    "grace",
    "probe_after",
    "callback",
    "callback_listen",
    "token_expires",
    "token_lifetime",
    "credentials_command",
];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountFile {
    #[serde(rename = "marketplace")]
    _marketplace: Option<IgnoredAny>,
    base_url: Text,
    currency: Text,
    max_per_second: Whole,
    request_timeout: Text,
    grace: Text,
    probe_after: Text,
    callback: Text,
    callback_listen: Text,
    token_expires: Text,
    token_lifetime: Text,
    credentials_command: Option<Spanned<Vec<String>>>,
}

/// Reads all accounts. Their names are known even where they are wrong; `None` when not even that.
pub(super) fn read_all(
    source: &mut Source<'_>,
    accounts: Option<Spanned<DeValue<'_>>>,
) -> (BTreeMap<AccountName, Account>, Option<BTreeSet<String>>) {
    let mut found = BTreeMap::new();
    let mut names = BTreeSet::new();
    let Some(accounts) = accounts else { return (found, Some(names)) };
    let span = accounts.span();
    let DeValue::Table(table) = accounts.into_inner() else {
        let wrong =
            Wrong::new(Code::WrongType, "`accounts` must be tables", "write each as  [accounts.name]");
        source.wrong(span, wrong);
        return (found, None);
    };
    for (key, value) in table {
        let name = key.get_ref().to_string();
        names.insert(name.clone());
        if !values::is_name(&name) {
            source.wrong(key.span(), values::bad_name("an account", &name).0);
        }
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => {
                let account = read(source, &name, key.span(), Spanned::new(span, table));
                found.extend(account.map(|account| (AccountName(name), account)));
            }
            other => {
                let wrong = type_error(&format!("accounts.{name}"), other.type_str(), "a table");
                source.wrong(span, wrong);
            }
        }
    }
    (found, Some(names))
}

/// One account; `None` when its marketplace is not known, since then nothing else can be judged.
fn read(
    source: &mut Source<'_>,
    name: &str,
    heading: Range<usize>,
    mut table: Spanned<DeTable<'_>>,
) -> Option<Account> {
    let path = format!("accounts.{name}");
    let marketplace = marketplace(source, &path, heading, table.get_ref())?;
    let limit = table.get_mut().remove(marketplace.limit_key);
    let usual = marketplace.default_limit;
    let limit = limit.map_or(Some(usual), |limit| read_limit(source, marketplace.limit_key, &usual, &limit));
    let options = read_options(source, marketplace, table.get_mut());

    let mut also: Vec<&str> = marketplace.options.iter().map(|option| option.key).collect();
    also.push(marketplace.limit_key);
    let owner = format!("[{}]", shown(&path));
    let place = Place { path: &path, name: &owner, also: &also };
    let file: AccountFile = toml_errors::read(source, table, &place).unwrap_or_default();

    let login = login::read(
        source,
        marketplace,
        login::Texts {
            callback: &file.callback,
            callback_listen: &file.callback_listen,
            token_expires: &file.token_expires,
            token_lifetime: &file.token_lifetime,
            credentials_command: &file.credentials_command,
        },
    );
    let default = Url::parse(marketplace.base_url).ok();
    let base_url = source.checked(&file.base_url, |text| url("base_url", text)).or(default)?;
    let seconds = Duration::from_secs;
    Some(Account {
        name: name.into(),
        marketplace,
        base_url,
        currency: source.value(&file.currency, marketplace.currency, currency),
        limit,
        max_per_second: u32::try_from(source.whole("max_per_second", &file.max_per_second, 5, 1..=1_000))
            .unwrap_or(5),
        request_timeout: source.duration(
            "request_timeout",
            &file.request_timeout,
            seconds(30),
            seconds(1)..=seconds(600),
        ),
        grace: source.duration("grace", &file.grace, seconds(15), Duration::ZERO..=seconds(600)),
        probe_after: source.value(&file.probe_after, Some(seconds(900)), probe_after),
        options,
        login,
        looked: Looked::NotYet,
        sources: Sources::default(),
        credentials: None,
    })
}

fn marketplace(
    source: &mut Source<'_>,
    path: &str,
    heading: Range<usize>,
    table: &DeTable<'_>,
) -> Option<&'static Descriptor> {
    let known: Vec<&str> = marketplace::ALL.iter().map(|descriptor| descriptor.name).collect();
    let list = known.join(", ");
    let Some(value) = table.get("marketplace") else {
        let message =
            format!("account `{}` names no marketplace", shown(path.trim_start_matches("accounts.")));
        let fix = format!("add  marketplace = \"{}\"", known.join("\" or \""));
        let path = format!("{path}.marketplace");
        toml_errors::missing_choice(source, table, &path, heading, Wrong::new(Code::Missing, message, fix));
        return None;
    };
    let Some(text) = value.get_ref().as_str() else {
        source.wrong(value.span(), type_error("marketplace", value.get_ref().type_str(), "text"));
        return None;
    };
    let found = marketplace::descriptor(text);
    if found.is_none() {
        let fix = match nearest(text, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("this version knows: {list}"),
        };
        let message = format!("unknown marketplace `{}`", shown(text));
        source.wrong(value.span(), Wrong::new(Code::UnknownMarketplace, message, fix));
    }
    found
}

fn read_limit(
    source: &mut Source<'_>,
    key: &str,
    usual: &dyn std::fmt::Display,
    limit: &Spanned<DeValue<'_>>,
) -> Option<i64> {
    let value = limit.get_ref();
    let number = value.as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
    match (value, number) {
        (_, Some(number)) if number > 0 => return Some(number),
        (DeValue::String(text), _) if text == "none" => return None,
        _ => {}
    }
    let code = if value.is_integer() || value.is_str() { Code::BadValue } else { Code::WrongType };
    let fix = format!("for example:  {key} = {usual}   or  {key} = \"none\"");
    source
        .wrong(limit.span(), Wrong::new(code, format!("`{key}` must be a number above 0, or \"none\""), fix));
    None
}

fn read_options(source: &mut Source<'_>, marketplace: &Descriptor, table: &mut DeTable<'_>) -> Options {
    let mut options = Options::new();
    for option in marketplace.options {
        if option.is_limit() {
            let limit = table.remove(option.key);
            let named = |limit: &Spanned<DeValue<'_>>| {
                let limit = read_limit(source, option.key, &option.default, limit);
                limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())
            };
            options.insert(option.key, limit.as_ref().map_or_else(|| option.default.to_owned(), named));
            continue;
        }
        let text = table.remove(option.key).and_then(|value| match value.get_ref().as_str() {
            Some(text) => Some(Spanned::new(value.span(), text.to_owned())),
            None => {
                source.wrong(value.span(), type_error(option.key, value.get_ref().type_str(), "text"));
                None
            }
        });
        let value = source.value(&text, option.default.to_owned(), |text| option_value(option, text));
        options.insert(option.key, value);
    }
    options
}

fn option_value(option: &OptionKey, text: &str) -> Result<String, Wrong> {
    if option.is_url() {
        return url(option.key, text).map(String::from);
    }
    if option.is_share() {
        return share(option.key, text).map(|_| text.to_owned());
    }
    if option.values.is_empty() {
        return values::duration(option.key, text, Duration::ZERO..=Duration::from_secs(3_600))
            .map(|_| text.to_owned());
    }
    let known: Vec<(&str, &str)> = option.values.iter().map(|value| (*value, *value)).collect();
    values::choice(option.key, text, &known).map(str::to_owned)
}

/// How long a silence may last before the account is asked; at most so often that the answers stay few.
fn probe_after(text: &str) -> Result<Option<Duration>, Wrong> {
    match text {
        "off" => Ok(None),
        text => {
            let bounds = Duration::from_secs(60)..=Duration::from_secs(20 * 86_400);
            values::duration("probe_after", text, bounds).map(Some)
        }
    }
}

/// A share in whole percent.
fn share(key: &str, text: &str) -> Result<u8, Wrong> {
    let percent = text.strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
    percent.filter(|percent| *percent <= 100).ok_or_else(|| {
        let message = format!("`{key}` cannot be `{}`", shown(text));
        let fix = format!("write a share from 0% to 100%, for example:  {key} = \"50%\"");
        Wrong::new(Code::BadValue, message, fix)
    })
}

impl Account {
    /// How many requests it may make in any 60 seconds, where its marketplace counts those.
    pub fn minute_limit(&self) -> Option<usize> {
        self.options.get(MINUTE_LIMIT).and_then(|text| text.parse().ok())
    }

    /// What its marketplace expects of how much is public data, with the share that its settings name.
    pub fn public_rule(&self) -> Option<PublicRule> {
        let rule = self.marketplace.public_rule?;
        let named = self.options.get(PUBLIC_SHARE).and_then(|text| share(PUBLIC_SHARE, text).ok());
        Some(PublicRule { share: named.unwrap_or(rule.share), ..rule })
    }
}

/// A currency by its code.
pub(super) fn currency(text: &str) -> Result<Currency, Wrong> {
    text.parse().map_err(|_| {
        let message = format!("`{}` is no currency", shown(text));
        Wrong::new(Code::BadValue, message, "write three capital letters, for example \"EUR\"")
    })
}

/// An address that requests may go to. In the clear only to this very machine: a signed request shows everything
/// but the secrets, and a login shows those too.
fn url(key: &str, text: &str) -> Result<Url, Wrong> {
    let wrong = |why: &str, fix: &str| Err(Wrong::new(Code::BadValue, format!("`{key}` {why}"), fix));
    let Ok(mut url) = Url::parse(text) else {
        return wrong("is not a URL", "write the whole address, for example \"https://api.example.com/v1\"");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return wrong(
            "must begin with https://",
            "write the whole address, for example \"https://api.example.com/v1\"",
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("must not hold a name or password", "take out everything between // and @");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("must not hold `?` or `#`", "cut it off before that sign");
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !loopback {
        return wrong(
            "is not encrypted",
            "write https:// ; http:// is for this machine only, such as http://127.0.0.1:8790",
        );
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_whole_number_of_percent() {
        assert_eq!(["0%", "50 %", "100%"].map(|text| share("k", text).ok()), [Some(0), Some(50), Some(100)]);
        for bad in ["", "%", "50", "101%", "-1%", "0.5%", "half"] {
            assert_eq!(share("k", bad).unwrap_err().code, Code::BadValue, "{bad}");
        }
    }

    #[test]
    fn in_the_clear_only_to_this_machine() {
        for good in [
            "https://x.example/ws/v2.0",
            "http://127.0.0.1:1/x",
            "http://[::1]:80",
            "http://localhost:8790/a/",
        ] {
            assert!(url("base_url", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "x.example",
            "ftp://x.example",
            "http://x.example",
            "http://127.0.0.1.example",
            "https://me:pw@x.example",
            "https://x.example/?a=b",
            "https://x.example/#a",
            "https://",
        ] {
            assert_eq!(url("base_url", bad).unwrap_err().code, Code::BadValue, "{bad}");
        }
        assert_eq!(url("base_url", "https://x.example/v1/").unwrap().as_str(), "https://x.example/v1");
    }
}
