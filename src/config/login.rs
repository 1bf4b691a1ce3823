//! How a person logs in to an account, and how long a login is good for: the settings that every account may have.
//!
//! None of it is a secret. They stand with the account, since the marketplace gave them to the same app.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use toml::Spanned;
use url::Url;

use super::diagnostic::{Code, Wrong, shown};
use super::source::Source;
use super::values::{self, Text};
use crate::marketplace::Descriptor;

/// How a person logs in to an account, and how long that lasts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoginSettings {
    /// Where the marketplace sends the person back to, as it is registered there.
    pub callback: Option<String>,
    /// Where a login waits for that; without it the callback's own address, if that is this machine.
    pub callback_listen: Option<SocketAddr>,
    /// The last day of the token, where somebody knows it.
    pub token_expires: Option<NaiveDate>,
    /// How long a token is good for.
    pub token_lifetime: Option<Duration>,
    /// What prints the credentials, and its arguments.
    pub credentials_command: Option<Vec<String>>,
}

impl LoginSettings {
    /// When a token that was made at `made` ends, as far as somebody said so.
    pub fn ends(&self, made: Option<DateTime<Utc>>, tz: Tz) -> Option<DateTime<Utc>> {
        let last_day = self.token_expires.and_then(|day| day.checked_add_days(Days::new(1)));
        let midnight = last_day.and_then(|day| day.and_hms_opt(0, 0, 0)?.and_local_timezone(tz).earliest());
        let lifetime = self.token_lifetime.and_then(|span| TimeDelta::from_std(span).ok());
        let over = made.zip(lifetime).and_then(|(made, span)| made.checked_add_signed(span));
        [midnight.map(|at| at.to_utc()), over].into_iter().flatten().min()
    }

    /// Where to wait for the person who comes back.
    pub fn listens(&self) -> Option<SocketAddr> {
        self.callback_listen.or_else(|| own_address(self.callback.as_deref()?))
    }
}

/// The settings as they stand in the file.
pub(super) struct Texts<'a> {
    pub callback: &'a Text,
    pub callback_listen: &'a Text,
    pub token_expires: &'a Text,
    pub token_lifetime: &'a Text,
    pub credentials_command: &'a Option<Spanned<Vec<String>>>,
}

/// Reads them.
pub(super) fn read(source: &mut Source<'_>, marketplace: &Descriptor, texts: Texts<'_>) -> LoginSettings {
    let settings = LoginSettings {
        callback: source.checked(texts.callback, |text| callback(marketplace, text)),
        callback_listen: source.checked(texts.callback_listen, listen),
        token_expires: source.checked(texts.token_expires, day),
        token_lifetime: source.checked(texts.token_lifetime, |text| {
            let years = Duration::from_secs(10 * 365 * 86_400);
            values::duration("token_lifetime", text, Duration::from_secs(60)..=years)
        }),
        credentials_command: texts.credentials_command.as_ref().and_then(|words| {
            let program = words.get_ref().first().filter(|word| !word.trim().is_empty());
            if program.is_none() {
                let fix = "write the program and its arguments: credentials_command = [\"pass\", \"show\", \"shop\"]";
                source.wrong(
                    words.span(),
                    Wrong::new(Code::BadValue, "`credentials_command` names no program", fix),
                );
            }
            program.map(|_| words.get_ref().clone())
        }),
    };
    if let (Some(text), Some(_), None) = (texts.callback, &settings.callback, settings.listens()) {
        let fix = "add where this machine waits for it: callback_listen = \"127.0.0.1:8788\"";
        let message = "`callback` is elsewhere, and nothing says where this machine waits for it";
        source.wrong(text.span(), Wrong::new(Code::BadValue, message, fix));
    }
    settings
}

fn callback(marketplace: &Descriptor, text: &str) -> Result<String, Wrong> {
    let wrong = |why: &str, fix: &str| Err(Wrong::new(Code::BadValue, format!("`callback` {why}"), fix));
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    match url {
        None => {
            wrong("is no web address", "write it as it is registered, for example \"http://127.0.0.1:8788/\"")
        }
        Some(url) if marketplace.login.https_only && url.scheme() != "https" => wrong(
            &format!("must begin with https:// at {}", marketplace.title),
            "write a public https:// address that leads to `callback_listen`, or leave it out and type a number",
        ),
        Some(_) => Ok(text.to_owned()),
    }
}

fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        let message = format!("`callback_listen` is no address: `{}`", shown(text));
        Wrong::new(Code::BadValue, message, "write an IP address and a port, for example \"127.0.0.1:8788\"")
    })
}

fn day(text: &str) -> Result<NaiveDate, Wrong> {
    text.parse().map_err(|_| {
        let message = format!("`token_expires` is no day: `{}`", shown(text));
        Wrong::new(
            Code::BadValue,
            message,
            "write the last day on which it works, for example \"2026-12-31\"",
        )
    })
}

/// The address of this machine that a URL in the clear names.
fn own_address(callback: &str) -> Option<SocketAddr> {
    let url = Url::parse(callback).ok().filter(|url| url.scheme() == "http")?;
    let ip = match url.host()? {
        url::Host::Domain("localhost") => std::net::Ipv4Addr::LOCALHOST.into(),
        url::Host::Domain(_) => return None,
        url::Host::Ipv4(ip) => ip.into(),
        url::Host::Ipv6(ip) => std::net::IpAddr::from(ip),
    };
    ip.is_loopback().then_some(SocketAddr::new(ip, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_ends_with_its_day_or_its_time_whichever_comes_first() {
        let made: DateTime<Utc> = "2026-12-30T10:00:00Z".parse().unwrap();
        let ends = |expires: Option<&str>, lifetime: Option<u64>, made| {
            let settings = LoginSettings {
                token_expires: expires.map(|day| day.parse().unwrap()),
                token_lifetime: lifetime.map(|hours| Duration::from_secs(hours * 3_600)),
                ..LoginSettings::default()
            };
            settings.ends(made, chrono_tz::Europe::Berlin).map(|at| at.to_rfc3339())
        };
        assert_eq!(ends(None, None, Some(made)), None);
        assert_eq!(ends(Some("2026-12-31"), None, None).as_deref(), Some("2026-12-31T23:00:00+00:00"));
        assert_eq!(ends(None, Some(24), Some(made)).as_deref(), Some("2026-12-31T10:00:00+00:00"));
        assert_eq!(ends(None, Some(24), None), None, "nobody knows when it began");
        assert_eq!(
            ends(Some("2026-12-31"), Some(24), Some(made)).as_deref(),
            Some("2026-12-31T10:00:00+00:00")
        );
    }

    #[test]
    fn only_a_callback_on_this_machine_tells_where_to_wait() {
        let listens = |callback: &str| {
            let callback = Some(callback.to_owned());
            LoginSettings { callback, ..LoginSettings::default() }.listens().map(|at| at.to_string())
        };
        assert_eq!(listens("http://127.0.0.1:8788/?request_token=").as_deref(), Some("127.0.0.1:8788"));
        assert_eq!(listens("http://localhost/").as_deref(), Some("127.0.0.1:80"));
        assert_eq!(listens("http://[::1]:9/x").as_deref(), Some("[::1]:9"));
        for elsewhere in ["https://shop.example/back", "http://shop.example:8788/", "http://10.0.0.1:8788/"] {
            assert_eq!(listens(elsewhere), None, "{elsewhere}");
        }
    }
}
