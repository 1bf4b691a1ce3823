//! `sellerd auth logout`: forgets what `auth` has written for an account.

use super::{Document, Row, account, ask, row};
use crate::agent::ask::Desk;
use crate::agent::login::LoggedOut;
use crate::cli::args::Format;
use crate::cli::confirm::confirm;
use crate::cli::home::Home;
use crate::cli::{Exit, Failure, output};
use crate::clock::SystemClock;
use crate::domain::AccountName;

/// Asks first at a terminal, then forgets.
pub async fn run(name: &str, local: bool, home: &Home) -> Result<Exit, Failure> {
    let name = AccountName::from(name);
    let config = home.config_of(&name).await?;
    home.log(&config, false, &SystemClock::shared());
    account(&config, &name)?;
    confirm(home, &format!("Forget the login of {name}? Its jobs stop until the next one."))?;
    let path = format!("/account/{name}/logout");
    let out: LoggedOut =
        ask(&config, &path, &local, async |desk: &Desk| desk.log_out(&name, local).await).await?;
    let config = home.config_of_quietly(&name).await?;
    let account = account(&config, &name)?;
    let title = account.marketplace.title;
    match home.output {
        Format::Table => {
            let mut text = match out.forgotten {
                true => format!("{name}: forgotten.\n"),
                false => format!("{name}: there was nothing that `auth` had written.\n"),
            };
            text.push_str(&match (out.told, local) {
                (true, _) => format!("  {title} was told: the token is worth nothing any more.\n"),
                (false, _) => {
                    format!("  {title} was not told; take the access back on its page if you want that.\n")
                }
            });
            if let Some(place) = &out.still {
                text.push_str(&format!(
                    "  In use now: {place}. Take the pair out there to log out altogether.\n"
                ));
            }
            output::text(&text)?;
        }
        format => {
            let row: Row = row(home, account, &config).await?;
            output::document(format, &Document::of(vec![row]))?;
        }
    }
    Ok(Exit::Success)
}
