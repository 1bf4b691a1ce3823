//! Stock sync through the front door: the seller's list, the real program, both pretend shops, whose own books of what
//! happened are believed.

mod at_cardmarket;
mod at_trademe;
mod channel;
mod first_list;
mod killed;
mod landmines;
mod sold;
mod sources;

use chrono::TimeDelta;
use sellerd::sandbox::trademe::{self, ByHand};
use sellerd::sandbox::{By, Effect, Options, Placed};
use serde_json::Value;

use crate::support::Place;
use crate::trademe::nz;

/// Guards that hold nothing, since each has a story of its own.
pub const OPEN: &str = "[guards]\nmax_changes_percent = 100\nmax_zeroed_items = 1000\nmax_removed_items = 1000\n\
    max_price_change_percent = 1000\nmax_value_change_percent = 1000000\n";

/// One seller's shelf, for sale at Cardmarket as `cm` and at Trade Me as `nz`, and a job for each that may write.
struct Shelf(Place);

impl Shelf {
    /// With these articles (key, copies, cents) at Cardmarket and these at Trade Me.
    fn of(cm: &[(&str, u32, u32)], nz: &[(&str, u32, u32)]) -> Self {
        Self::with(cm, nz, |_| {})
    }

    fn with(cm: &[(&str, u32, u32)], nz: &[(&str, u32, u32)], change: impl FnOnce(&mut Options)) -> Self {
        let place = Place::with(|options| {
            (options.articles, options.orders, options.carts) = (0, 0, 0);
            options.placed = cm.iter().map(|(sku, count, cents)| placed(sku, *count, *cents)).collect();
            let zero = TimeDelta::zero();
            options.trademe = trademe::Options {
                listings: 0,
                sales: 0,
                unsold: 0,
                sold_lag: zero,
                closing: zero,
                ..trademe::Options::default()
            };
            change(options);
        });
        for (sku, quantity, cents) in nz {
            let (title, sku) = (format!("Card {sku}"), Some((*sku).to_owned()));
            let deed = ByHand::Create { title, cents: *cents, quantity: *quantity, sku };
            place.sandbox.by_hand_at_trademe(&deed).expect("it can be listed");
        }
        let settings = std::fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
        let more = "visibility_lag = \"0s\"\ngrace = \"0s\"\n";
        let account = nz::account("nz", &place.sandbox.trademe_base_url(), more);
        let settings = settings.replace("[accounts.cm]\n", "[accounts.cm]\ngrace = \"0s\"\n");
        place.write("sellerd.toml", &(settings + &account));
        place.write_secrets("nz", place.sandbox.trademe_credentials());
        let shelf = Self(place);
        shelf.job_file("cm", "", OPEN);
        shelf.job_file("nz", "", OPEN);
        shelf
    }

    /// The file of the job that syncs this account.
    fn job_file(&self, account: &str, more: &str, guards: &str) {
        let text = format!(
            "account = \"{account}\"\nmode = \"apply\"\n\n[source]\ntype = \"csv\"\npath = \"{account}.csv\"\n{more}\n{guards}"
        );
        self.0.write_job(&format!("{account}-sync"), "stock-sync", "0 0 1 1 *", &text);
    }

    /// The seller writes the list for an account.
    fn list(&self, account: &str, text: &str) {
        self.0.write(&format!("{account}.csv"), text);
    }

    /// Runs an account's sync, which must end with this exit code.
    #[track_caller]
    fn sync(&self, account: &str, code: i32) -> Value {
        self.0.job(&format!("{account}-sync"), code)
    }

    /// What is for sale at Cardmarket: key, copies, cents.
    fn cm(&self) -> Vec<(String, u32, u32)> {
        let mut rows: Vec<_> = self.0.sandbox.with_shop(|shop| {
            let rows = shop.stock().rows().iter();
            rows.map(|row| (row.comment.sku().unwrap_or_default(), row.count, row.cents)).collect()
        });
        rows.sort();
        rows
    }

    /// What is for sale at Trade Me: key, copies, cents.
    fn nz(&self) -> Vec<(String, u32, u32)> {
        let now = self.0.sandbox.now();
        let mut rows: Vec<_> = self.0.sandbox.with_trademe(|shop| {
            let live = shop
                .listings()
                .iter()
                .filter(|row| row.state(now, TimeDelta::zero()) == trademe::State::Active);
            live.map(|row| {
                let stand = trademe::Stand::of(row);
                (row.sku.clone().unwrap_or_default(), stand.quantity.unwrap_or_default(), stand.cents)
            })
            .collect()
        });
        rows.sort();
        rows
    }

    /// The number of a listing at Trade Me.
    fn nz_id(&self, sku: &str) -> i64 {
        let found = self.0.sandbox.with_trademe(|shop| {
            shop.listings().iter().find(|row| row.sku.as_deref() == Some(sku)).map(|row| row.id)
        });
        found.expect("it is listed")
    }

    /// The requests that Cardmarket has seen and that write: method and path below the form.
    fn cm_writes(&self) -> Vec<String> {
        let seen = self.0.seen().into_iter().filter(|seen| seen.method != "GET");
        seen.map(|seen| {
            format!("{} {}", seen.method, seen.path.rsplit("output.json").next().unwrap_or_default())
        })
        .collect()
    }

    /// What requests have changed at Cardmarket.
    fn cm_effects(&self) -> Vec<Effect> {
        let all = self.0.sandbox.effects().into_iter();
        all.filter(|effect| matches!(effect.by, By::Request(_))).collect()
    }

    /// The requests that Trade Me has seen and that write: method and path below the version.
    fn nz_writes(&self) -> Vec<String> {
        let seen = self.0.sandbox.trademe_requests().into_iter().filter(|seen| seen.method != "GET");
        seen.map(|seen| format!("{} {}", seen.method, seen.path.trim_start_matches("/v1/"))).collect()
    }

    /// What requests have changed at Trade Me.
    fn nz_effects(&self) -> Vec<trademe::Effect> {
        let all = self.0.sandbox.trademe_effects().into_iter();
        all.filter(|effect| effect.by == trademe::By::Api).collect()
    }
}

/// An article that stands in the shop from the beginning.
pub fn placed(sku: &str, count: u32, cents: u32) -> Placed {
    Placed { cents, count, comment: format!("[sku:{sku}]"), ..Placed::default() }
}

fn rows(rows: &[(&str, u32, u32)]) -> Vec<(String, u32, u32)> {
    rows.iter().map(|(sku, copies, cents)| ((*sku).to_owned(), *copies, *cents)).collect()
}
