//! What Trade Me charges and what it will not have, at the command line: asked before a plan is written down and again
//! before one is applied, so that what cannot be is held with a reason and never sent.

use chrono::TimeDelta;
use sellerd::sandbox::trademe::{By, Options, Prices, Selling, State, What};
use serde_json::Value;

use super::Till;
use crate::support::Ran;

/// A shop, a job of the account's that may write, and a list.
struct Counter(Till);

/// What most listings at Trade Me have in common.
const TEMPLATE: &str = "Duration = 7\nPickup = 1\nPaymentMethods = [1]\nHasAgreedWithLegalNotice = true\n\
    Description = \"Ships next working day.\"\n\n\
    [[ShippingOptions]]\nType = 4\nPrice = 6.1\nMethod = \"NZ courier\"\n";

/// Categories: one that takes anything, one that requires an attribute, and one that does not exist.
const HEATERS: &str = "6853";
const BEDS: &str = "6076";
const NONE: &str = "99999";

impl Counter {
    fn with(max_fees: &str, change: impl FnOnce(&mut Options)) -> Self {
        let set = |options: &mut Options| {
            options.listings = 20;
            change(options);
        };
        let till = Till::with(set, "visibility_lag = \"0s\"\ngrace = \"0s\"");
        till.0.write("templates/default.toml", TEMPLATE);
        let job = format!(
            "account = \"nz\"\nmode = \"apply\"\n\n[source]\ntype = \"csv\"\npath = \"nz.csv\"\n\n[guards]\n\
             max_fees = {max_fees}\nmax_changes_percent = 100\nmax_value_change_percent = 1000000\n"
        );
        till.0.write_job("nz-sync", "stock-sync", "0 0 1 1 *", &job);
        Self(till)
    }

    fn list(&self, rows: &[String]) {
        self.0.0.write("nz.csv", &format!("sku,quantity,price,title,category\n{}\n", rows.join("\n")));
    }

    /// The list wants so many new things, the cheapest there are to list.
    fn list_new(&self, count: usize) {
        self.list(&(1..=count).map(|n| new(&format!("N{n}"), HEATERS)).collect::<Vec<_>>());
    }

    fn run(&self, words: &str) -> Ran {
        self.0.0.run(words)
    }

    #[track_caller]
    fn plan(&self) -> Value {
        self.run("-o json plan nz-sync").exits(0).document("sellerd.plan/1")
    }

    fn sync(&self, code: i32) -> Value {
        self.0.job("sync", code)
    }

    fn pay_in(&self, cents: u64) {
        let now = self.0.0.sandbox.now();
        self.0.0.sandbox.with_trademe(|shop| shop.set_balance_cents(cents, now));
    }

    /// How often the shop was asked by POST for this.
    fn posted(&self, what: &str) -> usize {
        let end = format!("/{what}.json");
        self.0.seen().iter().filter(|seen| seen.method == "POST" && seen.path.ends_with(&end)).count()
    }

    /// What the agent did, by the shop's own book.
    fn done(&self) -> Vec<What> {
        let effects = self.0.0.sandbox.trademe_effects();
        effects.into_iter().filter(|effect| effect.by == By::Api).map(|effect| effect.what).collect()
    }

    /// A listing of ours for a fixed price, that is older than the hour in which withdrawing is free.
    fn standing(&self) -> (String, u32, u32) {
        let now = self.0.0.sandbox.now();
        self.0.0.sandbox.with_trademe(|shop| {
            let mut live = shop.listings().iter().filter(|row| {
                row.state(now, TimeDelta::zero()) == State::Active && row.start < now - TimeDelta::hours(2)
            });
            let found = live.find_map(|row| match row.selling {
                Selling::BuyNow { cents, quantity, .. } => Some((row.sku.clone()?, quantity, cents)),
                _ => None,
            });
            found.expect("there is one")
        })
    }

    /// The problem of the balance, if it is open.
    fn problem(&self) -> Option<Value> {
        let status = self.0.0.status();
        let problems = status["problems"].as_array().expect("a list");
        problems.iter().find(|problem| problem["code"] == "E530").cloned()
    }
}

fn new(sku: &str, category: &str) -> String {
    format!("{sku},2,20.00,Widget {sku},{category}")
}

fn to_zero((sku, _, cents): &(String, u32, u32)) -> String {
    format!("{sku},0,{}.{:02},,", cents / 100, cents % 100)
}

fn id(plan: &Value) -> &str {
    plan["plan_id"].as_str().expect("a number")
}

fn skus<'a>(plan: &'a Value, of: &str) -> Vec<&'a str> {
    let rows = plan[of].as_array().expect("a list").iter();
    rows.map(|row| row["sku"].as_str().expect("a SKU")).collect()
}

fn reasons(plan: &Value) -> Vec<&str> {
    let held = plan["held"].as_array().expect("a list").iter();
    held.map(|row| row["reason"].as_str().expect("a reason")).collect()
}

#[test]
fn what_trade_me_would_refuse_is_held_in_its_words_and_never_posted() {
    let counter = Counter::with("10.00", |_| {});
    counter.list(&[new("A", BEDS), new("B", HEATERS), new("C", NONE)]);
    let plan = counter.plan();
    assert_eq!((skus(&plan, "changes"), skus(&plan, "held")), (vec!["B"], vec!["A", "C"]), "{plan}");
    assert_eq!(reasons(&plan), ["marketplace-refuses"; 2]);
    let detail = |at: usize| plan["held"][at]["detail"].as_str().expect("words");
    assert!(detail(0).contains("BedSize"), "{plan}");
    assert!(detail(1).contains("Category 99999 was not found"), "{plan}");
    assert_eq!((&plan["summary"]["counts"]["add"], &plan["summary"]["fees_minor"]), (&1.into(), &25.into()));
    assert_eq!(plan["summary"]["held"]["marketplace-refuses"], 2);
    let worth = &plan["summary"];
    let more = worth["value_after_minor"].as_i64().zip(worth["value_before_minor"].as_i64());
    assert_eq!(more.map(|(after, before)| after - before), Some(2 * 2_000), "that of B alone");
    counter.run("plan nz-sync").exits(0).says("1 change: 1 add").says("held: 2 marketplace-refuses");

    let again = counter.plan();
    assert_eq!((&again["changes"], &again["held"]), (&plan["changes"], &plan["held"]));
    let done = counter.run(&format!("-o json apply {}", id(&again))).exits(0).document("sellerd.apply/1");
    assert_eq!((&done["applied"], &done["failed"], &done["skipped"]), (&1.into(), &0.into(), &0.into()));
    assert_eq!((counter.posted("Selling"), counter.done()), (1, vec![What::Created]));
    let after = counter.plan();
    assert_eq!((skus(&after, "changes").len(), skus(&after, "held")), (0, vec!["A", "C"]), "{after}");
}

#[test]
fn a_balance_that_is_too_low_holds_the_listings_beyond_it_and_is_a_problem_until_it_is_paid_in() {
    let counter = Counter::with("10.00", |options| options.balance_cents = 60);
    counter.list_new(5);
    let plan = counter.plan();
    let (made, wait) = (vec!["N1", "N2"], vec!["N3", "N4", "N5"]);
    assert_eq!((skus(&plan, "changes"), skus(&plan, "held")), (made, wait.clone()), "{plan}");
    assert_eq!(reasons(&plan), ["balance-too-low"; 3]);
    assert_eq!(plan["summary"]["fees_minor"], 50);
    let problem = counter.problem().expect("it is open");
    assert_eq!(problem["subject"], "nz", "{problem}");
    let says = |key: &str, words: &str| {
        assert!(problem[key].as_str().is_some_and(|text| text.contains(words)), "{words}: {problem}");
    };
    ["0.60 NZD", "1.25 NZD", "3 new listings wait"].iter().for_each(|words| says("title", words));
    ["pay in", "next run", "sellerd plan nz-sync"].iter().for_each(|words| says("fix", words));
    counter.pay_in(1_000);
    assert_eq!(skus(&counter.plan(), "changes").len(), 5);
    assert_eq!(counter.problem(), None);

    // The job by itself.
    counter.run("job promote nz-sync").exits(0);
    counter.pay_in(60);
    let run = counter.sync(0);
    assert_eq!((&run["counts"]["applied"], &run["counts"]["held"]), (&2.into(), &3.into()), "{run}");
    assert!(counter.problem().is_some());
    assert_eq!(counter.sync(0)["counts"]["held"], 3, "nothing is left that it could do");
    assert_eq!((counter.posted("Selling"), counter.done().len()), (2, 2));
    let problem = counter.problem().expect("it stays open");
    assert!(problem["title"].as_str().is_some_and(|title| title.contains("0.10 NZD")), "{problem}");
    counter.pay_in(1_000);
    assert_eq!(counter.sync(0)["counts"]["applied"], 3);
    assert_eq!((counter.problem(), counter.done().len()), (None, 5));
    counter.run("explain E530").exits(0).says("balance-too-low");
}

#[test]
fn after_one_listing_that_the_balance_does_not_cover_no_further_one_of_the_plan_is_sent() {
    let counter = Counter::with("10.00", |options| options.balance_cents = 100);
    // Each alone costs 0.25. With the first the shop has as many as are cheap, which no question about one of them shows.
    let now = counter.0.0.sandbox.now();
    counter.0.0.sandbox.with_trademe(|shop| {
        let live =
            shop.listings().iter().filter(|row| row.state(now, TimeDelta::zero()) == State::Active).count();
        let high_volume = Prices { high_volume_cents: 500, ..Prices::default() };
        shop.set_prices(Prices { high_volume_threshold: live + 1, ..high_volume });
    });
    let (sku, quantity, cents) = counter.standing();
    let dearer = format!("{sku},{quantity},{}.{:02},,", (cents + 100) / 100, cents % 100);
    counter.list(&[new("N1", HEATERS), new("N2", HEATERS), new("N3", HEATERS), new("N4", HEATERS), dearer]);
    let plan = counter.plan();
    assert_eq!(skus(&plan, "changes").len(), 5, "{plan}");
    let done = counter.run(&format!("-o json apply {}", id(&plan))).exits(3).document("sellerd.apply/1");
    let counts = ["applied", "failed", "skipped", "in_doubt", "not_sent"].map(|name| done[name].as_i64());
    assert_eq!(counts, [2, 1, 2, 0, 0].map(Some), "{done}");
    let message = |sku: &str| {
        let items = done["items"].as_array().expect("a list");
        let item = items.iter().find(|item| item["sku"] == sku).expect("it is there");
        (item["state"].as_str().expect("a state"), item["message"].as_str().unwrap_or_default())
    };
    assert_eq!(message("N1").0, "done");
    assert!(message("N2").0 == "refused" && message("N2").1.starts_with("Insufficient balance"), "{done}");
    for sku in ["N3", "N4"] {
        assert!(message(sku).0 == "skipped" && message(sku).1.starts_with("not sent, since N2"), "{done}");
    }
    assert_eq!((counter.posted("Selling"), counter.done()), (2, vec![What::Edited, What::Created]));
}

#[test]
fn a_plan_that_costs_more_when_it_is_applied_than_when_it_was_made_is_held_by_the_guard() {
    let counter = Counter::with("1.00", |options| options.prices.withdrawal_cents = 0);
    let standing = counter.standing();
    counter.list(&[to_zero(&standing)]);
    let plan = counter.plan();
    assert_eq!((&plan["state"], &plan["summary"]["fees_minor"]), (&"planned".into(), &0.into()), "{plan}");
    let says = "a listing that is withdrawn cannot be relisted";
    let table = counter.run("plan nz-sync").exits(0).says(&format!("1 of them is final: {says}")).stdout;
    let row = table.lines().find(|line| line.starts_with("0 ")).expect("a row");
    assert!(row.trim_end().ends_with("final"), "{table}");

    counter.0.0.sandbox.with_trademe(|shop| shop.set_prices(Prices::default()));
    let plan = &id(&counter.0.0.list("plan list --pending", "plans")[0]).to_owned();
    let held = counter.run(&format!("-o json apply {plan}")).exits(6);
    let error = held.error();
    assert_eq!(error["code"], "E520", "{error}");
    let words = "max_fees: the marketplace charges 3.00 NZD, limit 1.00 NZD";
    assert!(error["message"].as_str().is_some_and(|message| message.contains(words)), "{error}");
    let accept = format!("sellerd apply {plan} --accept-guard max_fees");
    assert!(error["fix"].as_str().is_some_and(|fix| fix.contains(&accept)), "{error}");
    assert_eq!((counter.posted("Withdraw"), counter.done()), (0, vec![]));
    let shown = counter.run(&format!("-o json plan show {plan}")).exits(0).document("sellerd.plan/1");
    assert_eq!((&shown["state"], &shown["summary"]["fees_minor"]), (&"pending".into(), &300.into()));
    counter.run(&format!("plan show {plan}")).exits(0).says(words).says(&accept);
    counter.run(&format!("apply {plan}")).exits(6);
    let problem = || counter.0.0.status()["problems"][0]["code"].clone();
    assert_eq!(problem(), "E520", "whoever looks later sees it, too");

    let done = counter.run(&format!("apply {plan} --accept-guard max_fees")).exits(0).says(says);
    assert!(!done.stdout.contains("sellerd undo"), "{}", done.stdout);
    assert_eq!((counter.done(), problem()), (vec![What::Withdrawn], serde_json::Value::Null));
}

#[test]
fn what_cannot_be_any_more_when_a_plan_is_applied_is_skipped_by_name() {
    let counter = Counter::with("10.00", |options| options.balance_cents = 60);
    counter.list_new(2);
    let plan = counter.plan();
    assert_eq!(skus(&plan, "changes").len(), 2, "{plan}");
    counter.pay_in(30);
    let done = counter.run(&format!("apply {}", id(&plan))).exits(3).stdout;
    let row = done.lines().find(|line| line.starts_with("N2")).expect("it is named");
    assert!(row.contains("skipped") && row.contains("balance"), "{done}");
    assert!(done.contains("Take it back:   sellerd undo"), "{done}");
    assert_eq!((counter.posted("Selling"), counter.done()), (1, vec![What::Created]));
    assert!(counter.problem().is_some());
}
