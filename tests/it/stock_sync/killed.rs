//! The process taken away in the middle of an apply, again and again, with answers lost on the way: in the end all is as
//! if nothing had happened, and no change had its effect twice. Now it is a run of its own that is killed, now the agent
//! that was asked for one.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::time::Duration;

use sellerd::clock::{Clock, SystemClock};
use sellerd::sandbox::trademe::What;
use sellerd::store::{intents, parked};

use super::at_trademe::TEMPLATE;
use super::{OPEN, Shelf};
use crate::support::{Agent, PATIENCE, RUNTIME, finish};

/// How often it is killed unless `SELLERD_SYNC_KILLS` says otherwise: what CI has time for.
const KILLS: u32 = 20;
/// How many items the two lists have unless `SELLERD_SYNC_ITEMS` says otherwise: the same.
const ITEMS: usize = 340;

/// Copies of each key, or its price in cents.
type Counts = BTreeMap<String, u32>;

#[test]
fn killed_while_it_applies_it_loses_nothing_and_doubles_nothing() {
    let of_env = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let kills = of_env("SELLERD_SYNC_KILLS").map_or(KILLS, |kills: u64| kills as u32);
    let seed = of_env("SELLERD_SYNC_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let items = of_env("SELLERD_SYNC_ITEMS").map_or(ITEMS, |items| items as usize);
    // Trade Me takes a listing a request, so it has fewer of them.
    let at_trade_me = items / 8;
    let at_cardmarket = items - at_trade_me;
    println!("seed {seed}: SELLERD_SYNC_SEED={seed} SELLERD_SYNC_KILLS={kills} SELLERD_SYNC_ITEMS={items}");
    let mut rng = fastrand::Rng::with_seed(seed);
    // A run of many items is a long one where nothing is optimised.
    let patience = PATIENCE * (1 + items as u32 / 200);

    let keys =
        |letter: char, count: usize| (0..count).map(move |n| format!("{letter}{n:04}")).collect::<Vec<_>>();
    let mut known = [keys('S', at_cardmarket), keys('N', at_trade_me)];
    let shelf = Shelf::with(&five_of_each(&known[0], 100), &five_of_each(&known[1], 1_000), |options| {
        (options.daily_limit, options.trademe.hourly_limit) = (None, None);
        options.trademe.balance_cents = 10_000_000;
    });
    shelf.0.write("templates/default.json", TEMPLATE);
    for account in ["cm", "nz"] {
        shelf.job_file(account, "", &format!("{OPEN}max_fees = \"1000.00\"\n"));
    }
    let text = std::fs::read_to_string(shelf.0.dir().join("sellerd.toml")).expect("a file");
    let text = text.replace("max_per_second = 50", "max_per_second = 1000");
    let text = text.replace("[accounts.cm]\n", "[accounts.cm]\ndaily_limit = 1000000\n");
    shelf
        .0
        .write("sellerd.toml", &text.replace("[accounts.nz]\n", "[accounts.nz]\nhourly_limit = 1000000\n"));
    let product = shelf.0.sandbox.with_shop(|shop| shop.product_ids().nth(7).expect("one"));
    shelf.0.fault("drop-after --writes --rate 0.05");
    shelf.0.fault("drop-before --writes --rate 0.05");

    let mut stands: [Counts; 2] = [counts(shelf.cm()), counts(shelf.nz())];
    let (mut killed, mut agents, mut whole, mut changes, mut seen, mut seen_nz) = (0, 0, 0, 0, 0, 0);
    let mut wanted: [Counts; 2] = stands.clone();
    let (mut prices, mut withdrawn): ([Counts; 2], BTreeSet<String>) = Default::default();
    while killed < kills {
        let at = rng.usize(..2);
        let account = if at == 0 { "cm" } else { "nz" };
        let mut list = "sku,quantity,price,product_id,language,condition,title\n".to_owned();
        let round = killed + whole;
        if rng.u8(..3) == 0 {
            known[at].push(format!("{account}-new-{round}"));
        }
        // A listing at Trade Me that is at zero is gone for good, and so its key stays at zero: one a round.
        let least = at as u32;
        if at == 1
            && let Some(key) = rng.choice(known[1].iter()).filter(|key| wanted[1].contains_key(*key))
        {
            withdrawn.insert(key.clone());
        }
        for key in &known[at] {
            let copies = match wanted[at].get(key) {
                _ if withdrawn.contains(key) => 0,
                Some(copies) if rng.bool() => *copies,
                _ => rng.u32(least..9),
            };
            let price = prices[at].entry(key.clone()).or_insert(if at == 0 { 100 } else { 1_000 });
            *price += if rng.u8(..4) == 0 { rng.u32(1..20) } else { 0 };
            let (units, cents) = (*price / 100, *price % 100);
            list += &format!("{key},{copies},{units}.{cents:02},{product},English,NM,Card {key}\n");
            wanted[at].insert(key.clone(), copies);
        }
        shelf.list(account, &list);
        // The books of requests forget the oldest ones, and their totals do not.
        let asked = || shelf.0.asked() + shelf.0.sandbox.with_trademe(|shop| shop.ledger().total()) as usize;
        // From the first page to a little after the last write.
        let most = if at == 0 { 34 + known[0].len() / 20 } else { 30 + 2 * known[1].len() };
        let aim = asked() + rng.usize(1..most);
        // The run is a process of its own, or the agent's, which is asked for it.
        let agent = (rng.u8(..3) == 0).then(|| shelf.0.agent());
        let mut child = shelf.0.program().args(&format!("-o json -q job run {account}-sync")).start();
        drain(&mut child);
        let clock = SystemClock::default();
        let ended = loop {
            if child.try_wait().expect("it is ours").is_some() {
                break true;
            }
            if asked() >= aim {
                if agent.is_none() {
                    child.kill().expect("it is ours");
                }
                break false;
            }
            assert!(clock.elapsed() < patience, "it does not end");
            RUNTIME.block_on(clock.sleep(Duration::from_micros(300)));
        };
        // An agent goes down whether it is at work or idle.
        agents += u32::from(agent.is_some() && !ended);
        agent.map(Agent::kill);
        if ended {
            whole += 1;
        } else {
            child.wait().expect("it is ours");
            killed += 1;
        }
        // Nothing is ever outside of what stood and what was wanted: a change that came twice would be.
        let new = shelf.cm_effects().into_iter().filter(|effect| effect.serial > seen).collect::<Vec<_>>();
        for effect in new {
            (seen, changes) = (effect.serial, changes + 1);
            let article = effect.after.or(effect.before).expect("one of the two");
            let key = article.comment.sku().expect("each has a key");
            let now = effect.after.map_or(0, |after| after.count);
            check(&key, now, &stands[0], &wanted[0], seed);
        }
        for effect in shelf.nz_effects().split_off(seen_nz) {
            seen_nz += 1;
            let now = effect.after.and_then(|after| after.quantity).unwrap_or(0);
            check(&effect.sku.expect("each has a key"), now, &stands[1], &wanted[1], seed);
        }
        stands = [counts(shelf.cm()), counts(shelf.nz())];
        if !ended && killed.is_multiple_of(20) {
            println!("{killed} kills, {whole} whole runs so far");
        }
    }

    shelf.0.sandbox.clear_faults();
    for account in ["cm", "nz"] {
        let last = finish(
            shelf.0.program().args(&format!("-o json job run {account}-sync")).start(),
            "job run".to_owned(),
        );
        let run = shelf.sync(account, 0);
        println!("{account}: {}", last.stdout);
        assert_eq!(run["counts"]["applied"].as_i64().unwrap_or(0), 0, "nothing was left to do: {run}");
    }
    let without_none = |counts: &Counts| -> Counts {
        counts.iter().filter(|(_, copies)| **copies > 0).map(|(key, copies)| (key.clone(), *copies)).collect()
    };
    assert_eq!(counts(shelf.cm()), without_none(&wanted[0]), "seed {seed}");
    assert_eq!(counts(shelf.nz()), without_none(&wanted[1]), "seed {seed}");
    assert_eq!(shelf.cm().len(), without_none(&wanted[0]).len(), "no key is listed twice, seed {seed}");
    for (rows, prices) in [(shelf.cm(), &prices[0]), (shelf.nz(), &prices[1])] {
        for (key, _, cents) in rows {
            assert_eq!(Some(&cents), prices.get(&key), "the price of {key}, seed {seed}");
        }
    }
    let created = shelf.nz_effects().into_iter().filter(|effect| effect.what == What::Created);
    let mut created: Vec<_> = created.filter_map(|effect| effect.sku).collect();
    let all = created.len();
    created.sort();
    created.dedup();
    assert_eq!(created.len(), all, "seed {seed}: {created:?}");
    let (doubt, parked) = shelf.0.store(|tx| {
        Ok((
            intents::accounts_in_doubt(tx)?,
            [parked::get(tx, &"cm".into())?, parked::get(tx, &"nz".into())?],
        ))
    });
    assert!(doubt.is_empty() && parked == [None, None], "seed {seed}: {doubt:?} {parked:?}");
    shelf.0.assert_database_is_whole();
    assert!(kills < KILLS || agents > 0, "seed {seed}: no agent was killed at work");
    println!(
        "{killed} kills, {agents} of them of the agent, {whole} whole runs, {changes} changes at Cardmarket, {seen_nz} at Trade Me"
    );
}

/// Reads away what a child writes, so that it never waits for a reader.
fn drain(child: &mut Child) {
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let mut stderr = child.stderr.take().expect("stderr is piped");
    std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
}

fn five_of_each(keys: &[String], cents: u32) -> Vec<(&str, u32, u32)> {
    keys.iter().map(|key| (key.as_str(), 5, cents)).collect()
}

fn counts(rows: Vec<(String, u32, u32)>) -> Counts {
    let mut counts = Counts::new();
    for (key, copies, _) in rows {
        *counts.entry(key).or_default() += copies;
    }
    counts
}

#[track_caller]
fn check(key: &str, now: u32, stood: &Counts, wanted: &Counts, seed: u64) {
    let of = |counts: &Counts| counts.get(key).copied().unwrap_or(0);
    let (stood, wanted) = (of(stood), of(wanted));
    let within = stood.min(wanted)..=stood.max(wanted);
    assert!(
        within.contains(&now),
        "{key}: {now} copies, it had {stood} and was to have {wanted}; seed {seed}"
    );
}
