//! `sellerd stock believe`: a person confirms that a shop really is as empty as it was last read. Without that a shop
//! which was full is not taken for empty, however often it looks so.

use serde::Serialize;

use super::args::{AccountFilter, Format};
use super::confirm::confirm;
use super::home::Home;
use super::output::{self, counted, note, when};
use super::stock::known_account;
use super::{Exit, Failure};
use crate::clock::{Clock, SystemClock};
use crate::domain::AccountName;
use crate::store::snapshots::{self, Snapshot};

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    account: &'a AccountName,
    snapshot: i64,
    #[serde(serialize_with = "crate::agent::status::instant")]
    read_at: chrono::DateTime<chrono::Utc>,
    listings: i64,
    listings_before: Option<i64>,
}

/// Shows what was read, asks, and believes it.
pub async fn run(account: &str, home: &Home) -> Result<Exit, Failure> {
    let config = home.config()?;
    let filter = AccountFilter { account: Some(account.to_owned()) };
    let name = known_account(filter, &config)?.unwrap_or_else(|| account.into());
    let unread = || {
        let fix = "read it first: sellerd job run stock-pull";
        Failure::new("E522", Exit::Failed, format!("the stock of {name} was never read"), fix)
    };
    let store = home.store(&config)?.ok_or_else(unread)?;
    let asked = name.clone();
    let (newest, sound) = store
        .read(move |tx| {
            let newest = snapshots::recent(tx, &asked, 1)?.pop();
            Ok((newest, snapshots::since_sound(tx, &asked)?.0))
        })
        .await?;
    let newest = newest.ok_or_else(unread)?;
    believable(&newest, &name)?;
    let before = sound.filter(|sound| sound.id != newest.id).map(|sound| sound.rows);
    let now = SystemClock::default().now();
    let read_at = when(newest.started_at, now, config.timezone);
    let was = before.map_or(String::new(), |before| format!(", and {} before", output::thousands(before)));
    let what = format!("the reading of {name} at {read_at}, with {}{was}", counted(newest.rows, "listing"));
    if !newest.sound && newest.believed_at.is_none() {
        if !home.quiet && !home.output.is_json() {
            note(&format!("To be believed: {what}.\n"));
        }
        confirm(home, "Have you looked at the marketplace, and is it so?")?;
        let (name, seen) = (name.clone(), newest.id);
        let believed = store.write(move |tx| {
            // A newer one came in between: nobody has seen that.
            match snapshots::recent(tx, &name, 1)?.pop() {
                Some(newest) if newest.id == seen => snapshots::believe(tx, &name, now),
                _ => Ok(None),
            }
        });
        if believed.await?.is_none() {
            let fix = format!("look again: sellerd stock believe {account}");
            return Err(Failure::new("E522", Exit::Temporary, "the stock was read anew meanwhile", fix));
        }
    }
    match home.output {
        Format::Table => output::text(&format!(
            "Believed: {what}. A complete reading that shows the same, ten minutes or more \
             after it, is acted upon.\n"
        ))?,
        format => output::document(
            format,
            &Document {
                schema: "sellerd.believe/1",
                account: &name,
                snapshot: newest.id,
                read_at: newest.started_at,
                listings: newest.rows,
                listings_before: before,
            },
        )?,
    }
    Ok(Exit::Success)
}

/// A reading that was cut off shows nothing that could be confirmed.
fn believable(newest: &Snapshot, name: &AccountName) -> Result<(), Failure> {
    if newest.complete {
        return Ok(());
    }
    Err(Failure::new(
        "E522",
        Exit::Failed,
        format!("the last reading of {name} did not see all of its stock, so there is nothing to confirm"),
        "read it again: sellerd job run stock-pull",
    ))
}
