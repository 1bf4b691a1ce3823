//! Trade Me through the front door, and a month of it in a minute.

mod fees;
mod month;
pub mod nz;
mod writes;

use chrono::{DateTime, TimeDelta, Utc};
use sellerd::clock::{Clock, SystemClock};
use sellerd::sandbox::trademe::{
    Action, Bought, CartLine, Options, PayBy, Purchase, Selling, State, Status, Unauthorized, hour_of,
};
use sellerd::sandbox::{Seen, Verdict};
use sellerd::store::movements;
use serde_json::Value;

use crate::support::{Place, Ran, access, status_of};

/// The place of the other stories, with an account `nz` at the second shop and a job of each kind for it.
struct Till(Place);

impl Till {
    /// A shop without a past, in which a sale is shown at once, with what `change` makes of it.
    fn with(change: impl FnOnce(&mut Options), more: &str) -> Self {
        let place = Place::with(|options| {
            (options.articles, options.orders) = (40, 0);
            let (sold_lag, closing) = (TimeDelta::zero(), TimeDelta::zero());
            options.trademe =
                Options { listings: 60, sales: 0, unsold: 0, sold_lag, closing, ..Options::default() };
            change(&mut options.trademe);
        });
        let settings = std::fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
        let account = nz::account("nz", &place.sandbox.trademe_base_url(), more);
        place.write("sellerd.toml", &(settings + &account));
        place.write_secrets("nz", place.sandbox.trademe_credentials());
        for kind in ["probe", "stock-pull", "order-poll"] {
            place.write_job(&format!("nz-{kind}"), kind, "0 0 1 1 *", "account = \"nz\"");
        }
        Self(place)
    }

    fn open() -> Self {
        Self::with(|_| {}, "")
    }

    /// Runs a job of the account's, which must end with this exit code.
    #[track_caller]
    fn job(&self, kind: &str, code: i32) -> Value {
        self.0.job(&format!("nz-{kind}"), code)
    }

    fn orders(&self) -> Vec<Value> {
        self.0.list("orders list --account nz", "orders")
    }

    fn stock(&self) -> Vec<Value> {
        self.0.list("stock list --account nz", "listings")
    }

    fn seen(&self) -> Vec<Seen> {
        self.0.sandbox.trademe_requests()
    }

    #[track_caller]
    fn buy(&self, purchase: Purchase) -> Vec<Bought> {
        self.0.sandbox.buy_at_trademe(&purchase).expect("it is for sale")
    }

    #[track_caller]
    fn act(&self, purchase: i64, action: Action) {
        self.0.sandbox.act_at_trademe(purchase, action).expect("it is known");
    }

    /// Fixed-price listings with several copies.
    fn for_sale(&self) -> Vec<i64> {
        let now = self.0.sandbox.now();
        self.0.sandbox.with_trademe(|shop| {
            let several = shop.listings().iter().filter(|row| {
                row.state(now, TimeDelta::zero()) == State::Active
                    && matches!(row.selling, Selling::BuyNow { quantity: 5.., .. })
            });
            several.map(|row| row.id).collect()
        })
    }

    /// Purchase and copies of every movement of the account.
    fn moves(&self) -> Vec<(i64, i64)> {
        self.0.store(|tx| {
            let mut moves = Vec::new();
            movements::each(tx, Some(&"nz".into()), |row| {
                moves.push((row.movement.line_id.0, row.movement.delta));
                Ok(())
            })?;
            moves.sort_unstable();
            Ok(moves)
        })
    }
}

/// How far the shop's time has to be from ours to be ten minutes before the hour that ours is in.
fn before_the_hour() -> TimeDelta {
    let now = SystemClock::default().now();
    hour_of(now) - TimeDelta::minutes(10) - now
}

#[test]
fn a_clock_that_is_an_hours_edge_ahead_costs_a_login_one_refused_request_and_not_the_hour() {
    let till = Till::with(|options| options.hourly_limit = Some(30), "hourly_limit = 30");
    let place = &till.0;
    place.sandbox.set_offset(before_the_hour());
    std::fs::remove_file(place.dir().join("secrets/nz.toml")).expect("it was there");
    let four = place.home().join("four.toml");
    std::fs::write(&four, nz::secrets(place.sandbox.trademe_credentials())).expect("a file");
    place.run(&format!("auth import nz --from-file {}", four.display())).exits(0);
    let refused = |seen: &[Seen]| seen.iter().filter(|seen| seen.status == Some(401)).count();
    assert_eq!(refused(&till.seen()), 1, "{:?}", till.seen());
    // Each of these is a process of its own, and none of them knows the time better than the one before.
    for kind in ["probe", "order-poll", "stock-pull", "probe", "order-poll"] {
        till.job(kind, 0);
    }
    assert_eq!(refused(&till.seen()), 1, "{:?}", till.seen());
    // Then it is used up by what was sent, and not by one more.
    while till.seen().len() < 40 {
        let ran = place.run("-o json job run nz-probe").document("sellerd.run/1");
        if ran["outcome"] == "blocked" {
            break;
        }
    }
    let hour = hour_of(place.sandbox.now());
    let sent = place.sandbox.with_trademe(|shop| shop.ledger().by_window().get(&hour).copied());
    assert!(sent.is_some_and(|sent| (28..=30).contains(&sent)), "{sent:?}");
    assert!(!till.seen().iter().any(|seen| seen.status == Some(429)), "{:?}", till.seen());
}

fn cart(lines: &[(i64, u32)]) -> Purchase {
    let line =
        |(listing_id, quantity): &(i64, u32)| CartLine { listing_id: *listing_id, quantity: *quantity };
    Purchase { cart: lines.iter().map(line).collect(), pay: Some(false), ..Purchase::default() }
}

#[test]
fn every_kind_of_job_works_with_either_signature() {
    for signature in ["hmac-sha1", "plaintext"] {
        let till = Till::with(|options| options.sales = 8, &format!("signature = \"{signature}\""));
        let probe = till.job("probe", 0);
        assert_eq!((probe["account"].as_str(), probe["requests"].as_i64()), (Some("nz"), Some(3)), "{probe}");
        assert_eq!(probe["counts"]["relistable_listings"], 0, "{probe}");
        assert_eq!(till.job("probe", 0)["requests"], 1, "what waits is asked for once an hour");
        assert_eq!(till.job("stock-pull", 0)["counts"]["articles"], 60);
        let poll = till.job("order-poll", 0);
        assert_eq!(poll["requests"], 4, "every list once at the first poll: {poll}");
        assert_eq!(poll["counts"]["movements"], 8, "{poll}");
        assert_eq!(till.job("order-poll", 0)["requests"], 1, "only the last hour when nothing else is due");
        assert!(till.seen().iter().all(|seen| seen.verdict == Verdict::Served), "{:?}", till.seen());
        assert_eq!(till.0.asked(), 0, "nobody asked the other shop");
    }
}

#[test]
fn listings_have_long_numbers_dollars_and_a_key_of_their_own_if_the_seller_gave_them_none() {
    let till = Till::open();
    till.job("stock-pull", 0);
    let rows = till.stock();
    let expected = till.0.sandbox.with_trademe(|shop| {
        let expect = |row: &sellerd::sandbox::trademe::Listing| {
            let sku = row.sku.clone().unwrap_or_else(|| format!("tm:{}", row.id));
            (row.id, sku, row.quantity().map_or(1, i64::from), row.title.clone())
        };
        shop.listings().iter().map(expect).collect::<Vec<_>>()
    });
    let mut read: Vec<(i64, String, i64, String)> = rows
        .iter()
        .map(|row| {
            assert_eq!(row["currency"], "NZD", "{row}");
            assert!(row["price_minor"].as_i64().expect("a price") > 0, "{row}");
            let text = |key: &str| row[key].as_str().expect("a text").to_owned();
            (
                row["listing_id"].as_i64().expect("a number"),
                text("sku"),
                row["quantity"].as_i64().expect("a number"),
                text("title"),
            )
        })
        .collect();
    read.sort();
    assert_eq!(read, expected);
    assert!(read.iter().all(|row| row.0 > i64::from(u32::MAX)));
    assert!(
        read.iter().any(|row| row.1.starts_with("tm:")) && read.iter().any(|row| !row.1.starts_with("tm:"))
    );
}

#[test]
fn purchases_of_one_cart_are_one_order_and_reading_again_records_nothing_twice() {
    let till = Till::open();
    let ids = till.for_sale();
    let in_cart = till.buy(cart(&[(ids[0], 2), (ids[1], 1)]));
    let alone = till.buy(Purchase { listing_id: Some(ids[2]), quantity: Some(3), ..Purchase::default() });
    till.job("order-poll", 0);
    let (orders, moves) = (till.orders(), till.moves());
    assert_eq!(orders.len(), 2);
    let order = |id: i64| orders.iter().find(|row| row["order_id"] == id).expect("it is recorded");
    let whole = order(in_cart[0].order_id.expect("a cart"));
    assert_eq!(whole["lines"].as_array().map(Vec::len), Some(2), "{whole}");
    let total: u64 = in_cart.iter().map(|line| line.total_cents).sum();
    assert_eq!((whole["total_minor"].as_u64(), whole["currency"].as_str()), (Some(total), Some("NZD")));
    assert_eq!(order(alone[0].purchase_id)["lines"][0]["quantity"], 3);
    let mut expected: Vec<(i64, i64)> =
        in_cart.iter().chain(&alone).map(|line| (line.purchase_id, -i64::from(line.quantity))).collect();
    expected.sort_unstable();
    assert_eq!(moves, expected);
    for _ in 0..2 {
        let again = till.job("order-poll", 0);
        assert_eq!(again["counts"]["movements"], 0, "{again}");
    }
    assert_eq!((till.orders(), till.moves()), (orders, moves));
}

#[test]
fn what_buyers_and_sellers_add_later_is_merged_and_moves_nothing() {
    let till = Till::open();
    let ids = till.for_sale();
    let mut purchase = cart(&[(ids[0], 1), (ids[1], 2)]);
    purchase.address = Some(false);
    let bought = till.buy(purchase);
    let state = || till.orders()[0]["state"].as_str().map(str::to_owned).expect("a state");
    till.job("order-poll", 0);
    let moves = till.moves();
    assert_eq!(state(), "bought");
    let first = bought[0].purchase_id;
    let steps = [
        (vec![(first, Action::Address)], "bought"),
        (vec![(first, Action::Pending)], "bought"),
        (vec![(first, Action::Pay(PayBy::Ping))], "paid"),
        (vec![(first, Action::Mark(Status::GoodsShipped))], "paid"),
        (vec![(bought[1].purchase_id, Action::Mark(Status::GoodsShipped))], "sent"),
        (
            bought.iter().map(|line| (line.purchase_id, Action::Mark(Status::SaleCompleted))).collect(),
            "received",
        ),
    ];
    for (deeds, expected) in steps {
        for (purchase, action) in deeds.clone() {
            till.act(purchase, action);
        }
        till.job("order-poll", 0);
        assert_eq!(state(), expected, "{deeds:?}");
    }
    till.act(first, Action::Hide);
    till.job("order-poll", 0);
    assert_eq!(
        till.orders()[0]["lines"].as_array().map(Vec::len),
        Some(2),
        "a row that is hidden is not undone"
    );
    assert_eq!(till.moves(), moves);
}

#[test]
fn masked_buyers_unknown_members_and_new_numbers_are_put_up_with() {
    let plain = Till::with(|options| options.sales = 6, "");
    plain.job("stock-pull", 0);
    plain.job("order-poll", 0);
    for fault in ["masked", "unknown-field"] {
        let till = Till::with(|options| options.sales = 6, "");
        till.0.fault(&format!("{fault} --shop trademe"));
        till.job("stock-pull", 0);
        till.job("order-poll", 0);
        let keys = |till: &Till| -> Vec<(Value, Value)> {
            till.orders().iter().map(|row| (row["order_id"].clone(), row["total_minor"].clone())).collect()
        };
        assert_eq!(keys(&till), keys(&plain), "{fault}");
        assert_eq!(till.stock().len(), plain.stock().len(), "{fault}");
    }
    let till = Till::with(|options| options.sales = 6, "");
    till.0.fault("new-enum --shop trademe");
    till.job("stock-pull", 0);
    till.job("order-poll", 0);
    assert_eq!(till.orders().len(), plain.orders().len());
}

#[test]
fn a_failure_in_a_200_and_a_page_that_is_not_there_are_clear_errors() {
    let till = Till::open();
    for (fault, says) in [
        ("error-in-200 short", "Something went wrong.; Please try again later."),
        ("error-in-200 long", "Something went wrong."),
        ("html", "check `base_url`"),
        ("garbage", "makes no sense"),
        ("truncate-json", "makes no sense"),
    ] {
        for kind in ["probe", "stock-pull", "order-poll"] {
            till.0.sandbox.clear_faults();
            till.0.fault(&format!("{fault} --shop trademe"));
            let run = till.job(kind, 1);
            assert_eq!(run["outcome"], "failure", "{fault}: {run}");
            assert!(run["message"].as_str().expect("a reason").contains(says), "{fault}: {run}");
        }
    }
    till.0.sandbox.clear_faults();
    let base = till.0.sandbox.trademe_base_url();
    till.0.edit("sellerd.toml", &base, &format!("{base}/v9"));
    let run = till.job("probe", 1);
    assert!(
        run["message"]
            .as_str()
            .expect("a reason")
            .contains("404: Trade Me has no such method; check `base_url`"),
        "{run}"
    );
    assert!(till.orders().is_empty() && till.stock().is_empty());
}

#[test]
fn a_401_of_any_shape_silences_this_account_and_no_other() {
    for shape in
        [Unauthorized::ErrorResult, Unauthorized::Empty, Unauthorized::Html, Unauthorized::OauthProblem]
    {
        let till = Till::with(|options| options.unauthorized = shape, "");
        till.job("probe", 0);
        till.0.fault("revoke --shop trademe");
        let run = till.job("order-poll", 4);
        assert_eq!(
            (run["outcome"].as_str(), run["requests"].as_i64()),
            (Some("blocked"), Some(2)),
            "{shape:?}: {run}"
        );
        let status = till.0.status();
        assert_eq!(access(&status, "nz")["state"], "unauthorized", "{shape:?}");
        for kind in ["probe", "stock-pull", "order-poll"] {
            assert_eq!(till.job(kind, 4)["requests"], 0, "{shape:?}");
        }
        assert_eq!(till.seen().len(), 5, "{shape:?}: nobody asks again");
        till.0.job("probe", 0);
        assert_eq!(access(&till.0.status(), "cm")["state"], "active");
    }
}

#[test]
fn the_hour_is_kept_by_the_shops_own_count_and_another_account_does_not_notice() {
    let till = Till::with(|options| options.hourly_limit = Some(8), "hourly_limit = 8");
    let (clock, hour) = (SystemClock::default(), |at: DateTime<Utc>| hour_of(at) + TimeDelta::hours(1));
    let resets = hour(clock.now());
    let ran: Vec<Ran> = (0..7).map(|_| till.0.run("-o json job run nz-probe")).collect();
    let status = till.0.status();
    if hour(clock.now()) != resets {
        // The hour ended meanwhile: once more, with the whole of one to go.
        return the_hour_is_kept_by_the_shops_own_count_and_another_account_does_not_notice();
    }
    assert_eq!(ran.iter().map(|ran| ran.code).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 0, 5]);
    let run = ran[6].document("sellerd.run/1");
    let said = (run["error_type"].as_str(), run["requests"].as_i64());
    assert_eq!(said, (Some("quota_exhausted"), Some(0)), "{run}");
    let quota = &status_of(&status, "nz")["quotas"][0];
    let said = (quota["window"].as_str(), quota["used"].as_i64(), quota["limit"].as_i64());
    assert_eq!(said, (Some("hour"), Some(8), Some(8)));
    assert_eq!(quota["resets_at"].as_str().and_then(|at| at.parse().ok()), Some(resets));
    assert_eq!(till.0.sandbox.trademe_requests_by_hour().into_values().collect::<Vec<_>>(), [8]);
    assert!(till.seen().iter().all(|seen| seen.verdict == Verdict::Served), "no request was one too many");
    till.0.job("probe", 0);
}
