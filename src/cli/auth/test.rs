//! `sellerd auth test`: does the marketplace accept the login?

use super::{Document, Row, account, row};
use crate::agent::ask::{Desk, Tested};
use crate::cli::args::Format;
use crate::cli::home::Home;
use crate::cli::job::{ask_agent, here};
use crate::cli::{Exit, Failure, output};
use crate::clock::SystemClock;
use crate::domain::AccountName;

/// Asks, and shows the answer. Exit 4 when the login is not accepted.
pub async fn run(name: &str, home: &Home) -> Result<Exit, Failure> {
    let name = AccountName::from(name);
    let config = home.config_of(&name).await?;
    home.log(&config, false, &SystemClock::shared());
    let tested: Tested = match ask_agent(&config, &format!("/account/{name}/test"), Vec::new()).await? {
        Some(answered) => answered?,
        None => here(config.clone(), async |desk: &Desk| desk.test_account(&name).await).await??,
    };
    let account = account(&config, &name)?;
    let lost = ["unauthorized", "revoked", "suspended"].contains(&tested.state.as_str());
    let way_out = tested.fix.clone().unwrap_or_else(|| format!("try again: sellerd auth test {name}"));
    let fix = tested.error.as_ref().map(|_| way_out);
    match home.output {
        Format::Table => match (&tested.identity, &tested.error) {
            (Some(identity), _) => output::text(&format!("{name}: logged in as {identity}\n"))?,
            (None, error) => {
                let why = error.as_deref().unwrap_or("no answer");
                output::text(&format!(
                    "{name}: {why}\n  fix:  {}\n",
                    home.typed.copyable(&fix.unwrap_or_default())
                ))?;
            }
        },
        _ => {
            let known = row(home, account, &config).await?;
            let (state, since) = (tested.state, Some(tested.since));
            // Who it was at the last login says nothing about now.
            let identity_id = known.identity_id.filter(|_| known.identity == tested.identity);
            let row = Row { state, since, identity: tested.identity.clone(), identity_id, fix, ..known };
            output::json(&Document::of(vec![row]))?;
        }
    }
    Ok(match (tested.identity.is_some(), lost) {
        (true, _) => Exit::Success,
        (false, true) => Exit::Login,
        (false, false) => Exit::Temporary,
    })
}
