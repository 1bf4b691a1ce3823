//! `sellerd auth import`: credentials that a person has from the marketplace's own page.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::typed::{self, Typed};
use super::{account, ask, is_meant, welcome};
use crate::agent::ask::Desk;
use crate::agent::login::{Accepted, Brought};
use crate::cli::args::ImportOptions;
use crate::cli::home::Home;
use crate::cli::output::note;
use crate::cli::{Exit, Failure};
use crate::clock::SystemClock;
use crate::config::Account;
use crate::domain::{AccountName, Wiped};

/// Takes them, has them tried, and says who they are.
pub async fn run(options: ImportOptions, home: &Home) -> Result<Exit, Failure> {
    let name = AccountName::from(options.account.as_str());
    let config = home.config_of(&name).await?;
    home.log(&config, false, &SystemClock::shared());
    let account = account(&config, &name)?;
    let other_seller = options.other_seller;
    let mut typed = None;
    let mut brought = match options.from_file {
        Some(path) if path != Path::new("-") => {
            let open = File::open(&path).and_then(read);
            let text = open.map_err(|error| {
                let message = format!("{} cannot be read: {error}", path.display());
                Failure::usage(message, "name a file that this user can read, or use - for stdin")
            })?;
            Brought { text, other_seller }
        }
        None if io::stdin().is_terminal() && !home.no_input => {
            prompts(account, other_seller, typed.insert(Typed::begin()?)).await?
        }
        None if io::stdin().is_terminal() => {
            let fix = format!("sellerd auth import {name} --from-file FILE");
            return Err(Failure::usage("nobody may be asked, and no file is named", fix));
        }
        _ => {
            let text = typed::stdin().and_then(read);
            let text = text.map_err(|error| Failure::usage(format!("stdin cannot be read: {error}"), ""))?;
            Brought { text, other_seller }
        }
    };
    let path = format!("/account/{name}/import");
    let mut accepted: Accepted =
        ask(&config, &path, &brought, async |desk: &Desk| desk.import(&name, &brought).await).await?;
    if let Accepted::Unsure(unsure) = accepted {
        is_meant(home, typed.as_mut(), unsure).await?;
        brought.other_seller = true;
        accepted =
            ask(&config, &path, &brought, async |desk: &Desk| desk.import(&name, &brought).await).await?;
    }
    match accepted {
        Accepted::LoggedIn(logged_in) => welcome(home, &name, &logged_in).await,
        Accepted::Unsure(unsure) => Err(unsure.declined.into()),
    }
}

/// Asks for the four values. Those of a pair may be left empty where another pair is in use, or comes with a login.
async fn prompts(account: &Account, other_seller: bool, typed: &mut Typed) -> Result<Brought, Failure> {
    let title = account.marketplace.title;
    note(&format!(
        "The four values of {title}, from its page. What you type is not shown; Enter leaves one as it is.\n"
    ));
    let mut values: [SecretString; 4] = Default::default();
    for (value, name) in values.iter_mut().zip(account.marketplace.credential_names) {
        *value = typed.hidden(&format!("  {name}: ")).await?;
    }
    if values.iter().all(|value| value.expose_secret().is_empty()) {
        return Err(Failure::usage("nothing was typed, so nothing was changed", ""));
    }
    Ok(Brought::of_values(&values, other_seller))
}

/// Four values have a few hundred bytes; more is another file than was meant.
const LARGEST: usize = 64 * 1024;

/// As much as there is, most often.
const EXPECTED: usize = 4 * 1024;

fn read(from: impl Read) -> io::Result<SecretString> {
    let text = Wiped::read(from, EXPECTED, LARGEST)?.into_text();
    let text =
        text.map_err(|_| io::Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8"))?;
    Ok(text.as_str().into())
}
