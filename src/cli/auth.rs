//! `sellerd auth test`: does the marketplace accept the login?

use serde::Serialize;

use super::args::Format;
use super::home::Home;
use super::job::{ask_agent, here};
use super::{Exit, Failure, output};
use crate::agent::ask::{Desk, Tested};
use crate::clock::SystemClock;
use crate::domain::AccountName;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    accounts: [Row<'a>; 1],
}

/// What the contract names of an account's login; what this version does not know is null.
#[derive(Serialize)]
struct Row<'a> {
    account: &'a AccountName,
    state: &'a str,
    since: &'a str,
    identity: Option<&'a str>,
    scopes: Option<&'a str>,
    token_created_at: Option<&'a str>,
    fix: Option<String>,
}

/// Asks, and shows the answer. Exit 4 when the login is not accepted.
pub async fn test(account: &str, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    home.log(&config, false, &SystemClock::shared());
    let name = AccountName::from(account);
    let tested: Tested = match ask_agent(&config, &format!("/account/{name}/test"), Vec::new()).await? {
        Some(answered) => answered?,
        None => here(config, async |desk: &Desk| desk.test_account(&name).await).await??,
    };
    let lost = ["unauthorized", "revoked", "suspended"].contains(&tested.state.as_str());
    let fix = tested.error.as_ref().map(|_| match lost {
        true => format!("put the right credentials into secrets/{name}.toml, then: sellerd auth test {name}"),
        false => format!("try again: sellerd auth test {name}"),
    });
    match home.output {
        Format::Table => match (&tested.identity, &tested.error) {
            (Some(identity), _) => output::text(&format!("{name}: logged in as {identity}\n"))?,
            (None, error) => {
                let why = error.as_deref().unwrap_or("no answer");
                output::text(&format!("{name}: {why}\n  fix:  {}\n", fix.unwrap_or_default()))?;
            }
        },
        _ => output::json(&Document {
            schema: "sellerd.auth/1",
            accounts: [Row {
                account: &tested.account,
                state: &tested.state,
                since: &tested.since,
                identity: tested.identity.as_deref(),
                scopes: None,
                token_created_at: None,
                fix,
            }],
        })?,
    }
    Ok(match (tested.identity.is_some(), lost) {
        (true, _) => Exit::Success,
        (false, true) => Exit::Login,
        (false, false) => Exit::Temporary,
    })
}
