//! A seller's day at the command line: a plan is made, read, held by a guard, accepted, applied, and taken back.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use chrono::TimeDelta;
use sellerd::domain::IntentState;
use sellerd::sandbox::Purchase;
use sellerd::store::{intents, parked, problems, snapshots};
use serde_json::Value;

use crate::support::{Place, eventually, finish};

/// A row of the seller's list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    sku: String,
    quantity: i64,
    price_minor: i64,
}

/// A shop without orders and carts, a `stock-sync` job, and a list that says what is there.
fn place(guards: &str) -> (Place, Vec<Line>) {
    let place = Place::with(|options| {
        options.orders = 0;
        options.carts = 0;
    });
    let source = "[source]\ntype = \"csv\"\npath = \"stock.csv\"\n";
    place.write_job("stock-sync", "stock-sync", "0 0 1 1 *", &format!("{source}{guards}"));
    place.job("stock-pull", 0);
    let lines = listed(&place);
    write_list(&place, &lines);
    (place, lines)
}

/// Sells so many copies of an item.
fn sell(place: &Place, sku: &str, copies: u32) {
    let listing = place.list("stock list", "listings").into_iter().find(|row| row["sku"] == sku);
    let purchase = Purchase {
        article_id: listing.unwrap()["listing_id"].as_u64(),
        quantity: Some(copies),
        pay: Some(true),
        ..Purchase::default()
    };
    place.sandbox.buy(&purchase).expect("it is for sale");
}

/// What the agent knows of the shop.
fn listed(place: &Place) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for row in place.list("stock list", "listings") {
        let (quantity, price_minor) =
            (row["quantity"].as_i64().unwrap(), row["price_minor"].as_i64().unwrap());
        let sku = row["sku"].as_str().unwrap().to_owned();
        lines.push(Line { sku, quantity, price_minor });
    }
    // Several listings of one SKU are one row of the list, if they are of one price; the others are left out.
    lines.sort_by(|a, b| a.sku.cmp(&b.sku));
    let twice: Vec<String> =
        lines.windows(2).filter(|pair| pair[0].sku == pair[1].sku).map(|pair| pair[0].sku.clone()).collect();
    lines.retain(|line| !twice.contains(&line.sku));
    lines
}

fn write_list(place: &Place, lines: &[Line]) {
    let mut text = "sku,quantity,price\n".to_owned();
    for Line { sku, quantity, price_minor } in lines {
        let (sku, whole, part) = (sku.replace('"', "\"\""), price_minor / 100, price_minor % 100);
        text.push_str(&format!("\"{sku}\",{quantity},{whole}.{part:02}\n"));
    }
    place.write("stock.csv", &text);
}

/// Three things change: one more, one dearer, one gone.
fn small_change(lines: &mut [Line]) {
    lines[0].quantity += 1;
    lines[1].price_minor += lines[1].price_minor / 10 + 1;
    lines[2].quantity = 0;
}

#[track_caller]
fn plan(place: &Place) -> Value {
    place.run("-o json plan stock-sync").exits(0).document("sellerd.plan/1")
}

fn id(plan: &Value) -> &str {
    plan["plan_id"].as_str().unwrap()
}

fn writes(place: &Place) -> usize {
    place.seen().iter().filter(|seen| seen.method != "GET").count()
}

fn guards_that_hold(plan: &Value) -> Vec<&str> {
    let guards = plan["guards"].as_array().unwrap();
    guards
        .iter()
        .filter(|guard| guard["tripped"] == true)
        .filter_map(|guard| guard["guard"].as_str())
        .collect()
}

#[test]
fn what_was_sold_after_the_list_is_not_put_up_again_whichever_clock_is_ahead() {
    for (ours_ahead, list_ahead) in [(10, 0), (0, 4), (10, 4), (-10, 0), (0, 0)] {
        let (place, lines) = place("");
        let several = lines.iter().find(|line| line.quantity > 2).expect("several copies of something");
        let list = fs::File::options().append(true).open(place.dir().join("stock.csv")).unwrap();
        let written = list.metadata().unwrap().modified().unwrap();
        list.set_modified(written + Duration::from_secs(list_ahead * 60)).unwrap();
        place.sandbox.set_offset(TimeDelta::minutes(-ours_ahead));
        sell(&place, &several.sku, 2);
        let made = plan(&place);
        assert_eq!(made["changes"].as_array().map(Vec::len), Some(0), "{ours_ahead}, {list_ahead}: {made}");
    }
}

#[test]
fn a_shop_of_three_that_looks_empty_is_not_filled_up_again_and_is_believed_when_it_sold_out() {
    let source = "mode = \"apply\"\n[source]\ntype = \"csv\"\npath = \"stock.csv\"\n";
    let place = Place::with(|options| {
        (options.articles, options.orders, options.carts) = (3, 0, 0);
    });
    place.write_job("stock-sync", "stock-sync", "0 0 1 1 *", source);
    place.job("stock-pull", 0);
    let lines = listed(&place);
    write_list(&place, &lines);
    place.fault("empty-stock");
    let run = place.job("stock-sync", 3);
    assert!(run["message"].as_str().unwrap().contains("0 of 3 listings are left"), "{run}");
    assert_eq!(writes(&place), 0);
    place.sandbox.clear_faults();
    place.job("stock-sync", 0);

    for row in place.list("stock list", "listings") {
        sell(&place, row["sku"].as_str().unwrap(), row["quantity"].as_u64().unwrap() as u32);
    }
    place.job("order-poll", 0);
    place.job("stock-sync", 0);
    assert_eq!(place.list("stock list", "listings").len(), 0);
    assert_eq!(writes(&place), 0);
}

#[test]
fn a_plan_reads_as_table_json_and_csv_is_kept_and_changes_nothing() {
    let (place, mut lines) = place("");
    let nothing = plan(&place);
    assert_eq!(nothing["changes"].as_array().map(Vec::len), Some(0), "{nothing}");
    place.run("plan stock-sync --exit-code").exits(0).says("Nothing to change.");
    small_change(&mut lines);
    write_list(&place, &lines);

    let made = plan(&place);
    for key in ["job", "account", "created_at", "expires_at"] {
        assert!(made[key].is_string(), "{key} in {made}");
    }
    assert!(made["base_snapshot"].is_i64() && made["requests_needed"].as_i64() > Some(0), "{made}");
    let changes = made["changes"].as_array().unwrap();
    let mut ops: Vec<&str> = changes.iter().filter_map(|change| change["op"].as_str()).collect();
    ops.sort_unstable();
    assert_eq!(ops, ["price", "quantity", "zero"]);
    for change in changes {
        assert!(change["before"]["quantity"].is_i64() && change["after"]["price_minor"].is_i64(), "{change}");
        assert!(change["sku"].is_string() && change["listing_id"].is_i64() && change["reason"].is_string());
    }
    assert!(made["guards"].as_array().unwrap().iter().all(|guard| guard["words"].is_string()), "{made}");
    let file = place.state().join(format!("plans/{}.json", id(&made)));
    let kept: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(kept, made);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let shown = place.run(&format!("-o json plan show {}", id(&made))).exits(0).document("sellerd.plan/1");
    assert_eq!(shown, made);
    let table = place.run("plan stock-sync --exit-code --out out.json").exits(10);
    for words in [
        "Source ",
        "3 changes: 0 add, 2 change, 1 to zero, 0 remove",
        "→",
        "Guards ok",
        "Apply exactly this:",
    ] {
        assert!(table.stdout.contains(words), "{words:?} in\n{}", table.stdout);
    }
    let out: Value =
        serde_json::from_str(&fs::read_to_string(place.home().join("out.json")).unwrap()).unwrap();
    assert_eq!(out["changes"].as_array().map(Vec::len), Some(3));
    place.run("plan stock-sync --out -").exits(0).document("sellerd.plan/1");
    let csv = place.run(&format!("-o csv plan show {}", id(&made))).exits(0).stdout;
    assert_eq!(csv.lines().count(), 4, "a head and a row a change:\n{csv}");
    assert!(csv.starts_with("op,sku,listing_id,"), "{csv}");

    let plans = place.list("plan list --job stock-sync", "plans");
    assert_eq!(plans.len(), 5);
    assert_eq!(plans[0]["state"], "planned");
    assert_eq!(place.list("plan list --pending", "plans").len(), 1, "the others were superseded");
    assert_eq!(writes(&place), 0);
}

#[test]
fn a_long_plan_is_cut_for_people_and_whole_for_programs() {
    let (place, mut lines) = place("[guards]\nmax_changes_percent = 100\n");
    lines.iter_mut().take(30).for_each(|line| line.quantity += 1);
    write_list(&place, &lines);
    let table = place.run("plan stock-sync").exits(0).says("... 10 more; all: sellerd plan show p-1");
    assert_eq!(table.stdout.lines().filter(|line| line.starts_with('~')).count(), 20, "{}", table.stdout);
    let all = place.run("plan show p-1").exits(0).stdout;
    assert_eq!(all.lines().filter(|line| line.starts_with('~')).count(), 30, "{all}");
    let json = place.run("-o json plan show p-1").exits(0).document("sellerd.plan/1");
    assert_eq!(json["changes"].as_array().map(Vec::len), Some(30));
}

#[test]
fn a_plan_is_applied_as_it_says_and_taken_back() {
    let (place, mut lines) = place("");
    let before = lines.clone();
    small_change(&mut lines);
    write_list(&place, &lines);
    let made = plan(&place);
    let done = place.run(&format!("-o json apply {}", id(&made))).exits(0).document("sellerd.apply/1");
    assert_eq!((done["applied"].as_i64(), done["failed"].as_i64()), (Some(3), Some(0)), "{done}");
    let items = done["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert!(items.iter().all(|item| item["state"] == "done" && item["listing_id"].is_i64()), "{done}");
    assert!(writes(&place) >= 3, "each operation is a request of its own");
    place.job("stock-pull", 0);
    let expected: Vec<Line> = lines.iter().filter(|line| line.quantity > 0).cloned().collect();
    assert_eq!(listed(&place), expected);

    // Twice is once.
    place.run(&format!("apply {}", id(&made))).exits(7).says("E521").says("is applied");
    let run = done["run_id"].as_str().unwrap();
    let written = writes(&place);
    place.run(&format!("undo {run}")).exits(0).says("Undoes").says("Apply exactly this");
    let only = place.run(&format!("--no-input -o json undo {run}")).exits(0).document("sellerd.plan/1");
    assert_eq!(only["undo_of"].as_str(), Some(run));
    assert_eq!(writes(&place), written, "a plan is all that is made");
    let undone = place.run(&format!("--yes -o json undo {run}")).exits(0).document("sellerd.apply/1");
    assert_eq!(undone["applied"], 3, "{undone}");
    place.job("stock-pull", 0);
    assert_eq!(listed(&place), before);
    place.run("undo r-99").exits(2).says("there is no run r-99");
    place.run("apply p-99").exits(2).says("there is no plan p-99");
}

#[test]
fn what_a_guard_holds_is_applied_only_by_the_guards_name() {
    let (place, mut lines) = place("[guards]\nmax_zeroed_items = 1\n");
    lines.iter_mut().take(3).for_each(|line| line.quantity = 0);
    write_list(&place, &lines);
    let made = plan(&place);
    assert_eq!(guards_that_hold(&made), ["max_zeroed_items"]);
    assert_eq!(made["state"], "pending");
    let problem = &place.status()["problems"][0];
    assert_eq!(problem["code"], "E520");
    assert!(problem["title"].as_str().unwrap().starts_with("a guard holds p-1 of stock-sync"), "{problem}");
    let shown = place.run("plan show p-1").exits(0);
    let shown = shown.says("GUARD    max_zeroed_items: 3 listings go to zero, limit 1");
    shown.says("sellerd apply p-1 --accept-guard max_zeroed_items");

    let held = place.run("-o json apply p-1").exits(6);
    assert_eq!(held.document("sellerd.apply/1")["items"].as_array().map(Vec::len), Some(0));
    assert_eq!((held.error()["code"].as_str(), held.error()["exit"].as_i64()), (Some("E520"), Some(6)));
    let wrong = place.run("apply p-1 --accept-guard max_zeroed_item").exits(2);
    wrong.says("`max_zeroed_item` is no guard").says("max_zeroed_items");
    assert_eq!(writes(&place), 0);
    place.run("apply p-1 --accept-guard max_zeroed_items").exits(0).says("3 changes made");
    assert!(writes(&place) > 0);
    assert_eq!(place.status()["problems"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_promoted_job_writes_by_itself_and_a_demoted_one_does_not() {
    let (place, mut lines) = place("");
    small_change(&mut lines);
    write_list(&place, &lines);
    place.job("stock-sync", 0);
    assert_eq!(writes(&place), 0, "it observes");
    let waiting = place.status()["plans"].clone();
    assert_eq!((waiting[0]["plan_id"].as_str(), waiting[0]["changes"].as_i64()), (Some("p-1"), Some(3)));
    place.run("status").exits(0).says("Plan p-1 of stock-sync waits: 3 changes.");

    let job = |place: &Place| {
        let status = place.status();
        let jobs = status["jobs"].as_array().unwrap().clone();
        jobs.into_iter().find(|job| job["job"] == "stock-sync").unwrap()
    };
    assert_eq!((&job(&place)["mode"], &job(&place)["promoted_at"]), (&"observe".into(), &Value::Null));
    let said = place.run("job promote stock-sync").exits(0);
    said.says("1 run, 1 plan, largest 3 changes, 0 guard trips").says("carries out the plans");
    assert_eq!(job(&place)["mode"], "apply");
    assert!(job(&place)["promoted_at"].is_string());
    place.run("status").exits(0).says("apply (promoted)");
    place.job("stock-sync", 0);
    let written = writes(&place);
    assert!(written > 0);

    place.run("job demote stock-sync").exits(0).says("writes nothing");
    assert_eq!(job(&place)["mode"], "observe");
    lines[3].quantity += 1;
    write_list(&place, &lines);
    place.job("stock-sync", 0);
    assert_eq!(writes(&place), written);
    place.run("job promote probe").exits(2).says("never write");
    place.run("job promote stock-snyc").exits(2).says("did you mean stock-sync?");
}

#[test]
fn a_halt_stops_an_apply_in_words_and_outlives_its_process() {
    let (place, mut lines) = place("");
    let nowhere = Place::of(0);
    nowhere.run("halt").exits(1).says("nothing can be halted");
    assert!(!nowhere.state().exists(), "and nothing is made");

    small_change(&mut lines);
    write_list(&place, &lines);
    plan(&place);
    let first = place.run("-o json halt").exits(0).document("sellerd.halt/1");
    let again = place.run("-o json halt").exits(0).document("sellerd.halt/1");
    assert_eq!(
        (first["halted"].as_bool(), &first["since"]),
        (Some(true), &again["since"]),
        "its first moment"
    );
    let asked = place.asked();
    let stopped = place.run("-o json apply p-1").exits(5);
    let message = stopped.document("sellerd.apply/1")["message"].to_string();
    assert!(message.contains("sellerd unhalt"), "{message}");
    assert_eq!(stopped.error()["fix"], "sellerd unhalt");
    assert_eq!((writes(&place), place.asked()), (0, asked), "what cannot be sent is not read for either");
    place.job("stock-pull", 0);
    let status = place.status();
    assert_eq!((&status["halted"], &status["halted_since"]), (&true.into(), &first["since"]));
    place.run("status").exits(0).says("HALTED   Nothing is written to any marketplace since");

    place.run("unhalt").exits(0).says("p-1 of stock-sync for cm waits: 3 changes").says("Writes go on.");
    place.run("unhalt").exits(0).says("Nothing is halted.");
    place.run("apply p-1").exits(0).says("3 changes made");
}

#[test]
fn a_halt_reaches_an_apply_that_is_under_way() {
    let (place, mut lines) = place("");
    small_change(&mut lines);
    write_list(&place, &lines);
    plan(&place);
    place.fault("slow 2s --writes");
    let applying = place.program().args("-o json apply p-1").start();
    eventually("the first write", || {
        let sent = place.store(|tx| intents::states(tx, sellerd::domain::PlanId(1)));
        sent.contains_key(&IntentState::Sent).then_some(())
    });
    place.run("halt").exits(0);
    let stopped = finish(applying, "apply p-1".to_owned()).exits(3);
    let document = stopped.document("sellerd.apply/1");
    assert_eq!(
        (document["applied"].as_i64(), document["not_sent"].as_i64()),
        (Some(1), Some(2)),
        "{document}"
    );
    assert!(document["message"].as_str().unwrap().contains("sellerd unhalt"), "{document}");
    assert_eq!(writes(&place), 1, "what was on its way came to its end, and nothing left after it");

    let words = "p-1 of stock-sync for cm was broken off: 2 changes were not sent";
    place.run("status").exits(0).says(&format!("Plan {words}; plan anew: sellerd plan stock-sync."));
    place.run("job promote stock-sync").exits(0);
    place.run("status").exits(0).says(&format!("{words}; stock-sync plans anew at 20"));
    place.run("job demote stock-sync").exits(0);
    let open = place.run("-o json unhalt").exits(0).document("sellerd.halt/1")["broken_off"].clone();
    assert_eq!(
        (open[0]["plan_id"].as_str(), open[0]["not_sent"].as_i64(), &open[0]["next_run_at"]),
        (Some("p-1"), Some(2), &Value::Null),
        "{open}"
    );
    place.run("halt").exits(0);
    place.run("unhalt").exits(0).says(&format!("{words}; plan anew: sellerd plan stock-sync"));
    plan(&place);
    assert_eq!(place.status()["broken_off"], serde_json::json!([]), "a newer plan takes its place");
}

#[test]
fn an_apply_that_was_killed_is_shown_as_broken_off_before_anything_repairs_it() {
    let (place, mut lines) = place("");
    small_change(&mut lines);
    write_list(&place, &lines);
    plan(&place);
    place.fault("slow 60s --writes");
    let mut applying = place.program().args("apply p-1").start();
    eventually("the first write", || {
        let sent = place.store(|tx| intents::states(tx, sellerd::domain::PlanId(1)));
        sent.contains_key(&IntentState::Sent).then_some(())
    });
    let last = || place.list("runs list --job stock-sync", "runs")[0]["outcome"].clone();
    assert_eq!((last(), &place.status()["broken_off"]), (Value::Null, &serde_json::json!([])), "it runs");
    applying.kill().unwrap();
    applying.wait().unwrap();
    assert_eq!((last(), &place.status()["broken_off"][0]["not_sent"]), ("interrupted".into(), &2.into()));
    assert_eq!(place.list("plan list", "plans")[0]["state"], "interrupted");
    assert_eq!(
        place.run("-o json plan show p-1").exits(0).document("sellerd.plan/1")["state"],
        "interrupted"
    );
    place.run("halt").exits(0);
    let shown = place.run("unhalt").exits(0).says("p-1 of stock-sync for cm was broken off: 2 changes");
    shown.says("what became of 1 write is read before anything is sent");
}

#[test]
fn a_run_that_changed_nothing_is_not_undone_and_no_request_is_spent_on_it() {
    let (place, mut lines) = place("");
    small_change(&mut lines);
    write_list(&place, &lines);
    plan(&place);
    let asked = place.asked();
    // A run that reads, and one that plans.
    for run in ["r-1", "r-2"] {
        let refused = place.run(&format!("-o json undo {run} --yes")).exits(2).error();
        assert!(refused["message"].as_str().unwrap().contains("changed nothing"), "{refused}");
    }
    assert_eq!(place.asked(), asked);
}

#[test]
fn the_schedule_leaves_out_what_a_person_has_paused_and_says_so() {
    let (place, _) = place("");
    place.write_job("ticks", "probe", "* * * * *", "");
    let fires =
        || place.run("-o json schedule --next 3").exits(0).document("sellerd.schedule/1")["fires"].clone();
    assert!(fires().as_array().unwrap().iter().all(|fire| fire["job"] == "ticks"), "{}", fires());
    place.run("job pause ticks").exits(0);
    assert!(fires().as_array().unwrap().iter().all(|fire| fire["job"] != "ticks"), "{}", fires());
    place.run("schedule").exits(0).says("Paused, until `sellerd job resume NAME`: ticks");
    place.run("schedule --job ticks").exits(0).says("paused: sellerd job resume ticks");
    place.run("job resume ticks").exits(0);
    assert!(fires().as_array().unwrap().iter().all(|fire| fire["job"] == "ticks"), "{}", fires());
}

#[test]
fn a_plan_is_stale_once_its_source_or_what_it_saw_is_another() {
    let (place, mut lines) = place("");
    small_change(&mut lines);
    write_list(&place, &lines);
    plan(&place);
    lines[5].quantity += 1;
    write_list(&place, &lines);
    let stale = place.run("-o json apply p-1").exits(7);
    assert_eq!(stale.error()["error_type"], "plan_stale");
    assert!(stale.error()["fix"].as_str().unwrap().contains("sellerd plan stock-sync"));
    plan(&place);
    place.run("apply p-1").exits(7).says("is superseded");
    assert_eq!(writes(&place), 0);
}

#[test]
fn a_source_that_is_refused_makes_no_plan_and_says_why() {
    let (place, mut lines) = place("");
    lines[1].sku = lines[0].sku.clone();
    write_list(&place, &lines);
    let refused = place.run("-o json plan stock-sync").exits(1);
    assert_eq!(
        (refused.stdout.as_str(), refused.error()["error_type"].as_str()),
        ("", Some("source_invalid"))
    );
    assert!(refused.error()["message"].as_str().unwrap().contains(&lines[0].sku));
    place.run("plan").exits(2);
    place.run("plan probe").exits(2).says("only stock-sync jobs make plans");
    place.run("plan stock-snyc").exits(2).says("did you mean stock-sync?");
}

#[test]
fn the_running_agent_plans_applies_and_heeds_a_pause() {
    let (place, mut lines) = place("");
    small_change(&mut lines);
    write_list(&place, &lines);
    place.write_job("paused", "probe", "* * * * * *", "");
    place.write_job("ticks", "probe", "* * * * * *", "");
    place.run("job pause paused").exits(0).says("paused since");
    let mut agent = place.agent();
    for _ in 0..2 {
        agent.event_where("job.finished", |line| line["job"] == "ticks");
    }
    let made = plan(&place);
    let done = place.run(&format!("-o json apply {}", id(&made))).exits(0).document("sellerd.apply/1");
    assert_eq!(done["applied"], 3, "{done}");
    let paused = place.status();
    let paused = paused["jobs"].as_array().unwrap().iter().find(|job| job["job"] == "paused").unwrap();
    assert!(paused["paused_since"].is_string() && paused["next_run_at"].is_null(), "{paused}");
    assert_eq!(place.list("runs list --job paused", "runs").len(), 0);
    place.run("job resume paused").exits(0).says("by its schedule");
    agent.event_where("job.finished", |line| line["job"] == "paused");
    agent.stop();
}

#[test]
fn who_stops_waiting_for_the_running_agent_is_told_that_it_goes_on() {
    let (place, mut lines) = place("");
    small_change(&mut lines);
    write_list(&place, &lines);
    let _agent = place.agent();
    plan(&place);
    place.fault("slow 2s --writes");
    let waiting = place.program().args("-o json apply p-1").start();
    eventually("the first write", || {
        let sent = place.store(|tx| intents::states(tx, sellerd::domain::PlanId(1)));
        sent.contains_key(&IntentState::Sent).then_some(())
    });
    let interrupt = std::process::Command::new("kill").args(["-INT", &waiting.id().to_string()]).status();
    assert!(interrupt.is_ok_and(|status| status.success()));
    let error = finish(waiting, "apply p-1".to_owned()).exits(130).error();
    assert!(error["message"].as_str().unwrap().contains("goes on with it"), "{error}");
    assert!(error["fix"].as_str().unwrap().contains("sellerd halt"), "{error}");
    eventually("the end of the run", || (writes(&place) == 3).then_some(()));
}

#[test]
fn the_running_agent_tells_how_far_a_run_is() {
    let (place, _) = place("");
    let _agent = place.agent();
    let socket = place.state().join("control.sock");
    let look = || -> Value {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream
            .write_all(b"GET /job/stock-sync/progress HTTP/1.1\r\nHost: sellerd\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    assert_eq!(look(), Value::Null, "it does not run");
    place.fault("slow 700ms");
    let waiting = place.program().args("plan stock-sync").start();
    let going = eventually("a run that is under way", || Some(look()).filter(|going| !going.is_null()));
    assert!(going["phase"].as_str().unwrap().starts_with("reading"), "{going}");
    assert!(going["requests_left"].as_i64() > Some(0) && going["done"].is_u64(), "{going}");
    place.sandbox.clear_faults();
    finish(waiting, "plan stock-sync".to_owned()).exits(0);
    assert_eq!(look(), Value::Null);
}

#[test]
fn a_parked_account_is_shown_with_its_sum_and_released_by_a_person() {
    let (place, mut lines) = place("");
    small_change(&mut lines);
    write_list(&place, &lines);
    plan(&place);
    place.run("unpark cm").exits(0).says("cm is not parked");
    let now = "2026-11-22T10:00:00Z".parse().unwrap();
    place.store(move |tx| {
        parked::park(tx, &"cm".into(), "5 - 1 is not 7", now)?;
        problems::open(
            tx,
            &problems::Problem {
                code: sellerd::jobs::PARKED.to_owned(),
                subject: "cm".to_owned(),
                severity: problems::Severity::Critical,
                title: "a sum".to_owned(),
                since: now,
                fix: "sellerd unpark cm".to_owned(),
            },
        )
    });
    place.run("apply p-1").exits(5).says("5 - 1 is not 7");
    let status = place.status();
    assert_eq!(status["accounts"][0]["parked"]["arithmetic"], "5 - 1 is not 7");
    assert_eq!(status["problems"][0]["code"], "E540");
    place.run("unpark cn").exits(2).says("did you mean cm?");
    let released = place.run("-o json unpark cm").exits(0).document("sellerd.unpark/1");
    assert_eq!(
        (&released["released"], &released["was"]["arithmetic"]),
        (&true.into(), &"5 - 1 is not 7".into())
    );
    let status = place.status();
    assert_eq!(
        (&status["accounts"][0]["parked"], &status["problems"]),
        (&Value::Null, &Value::Array(Vec::new()))
    );
    place.run("apply p-1").exits(0);
    place.store(|tx| {
        intents::of_run(tx, sellerd::domain::RunId(4), |intent| {
            assert_eq!(intent.state, IntentState::Done);
            Ok(())
        })
    });
}

#[test]
fn an_empty_shop_is_believed_when_a_person_says_so() {
    let (place, _) = place("");
    let full = place.list("stock list", "listings").len();
    place.fault("empty-stock");
    place.job("stock-pull", 3);
    assert_eq!(place.list("stock list", "listings").len(), full, "nobody believes it");
    let believed = place.run("-o json stock believe cm").exits(0).document("sellerd.believe/1");
    assert_eq!(
        (believed["listings"].as_i64(), believed["listings_before"].as_u64()),
        (Some(0), Some(full as u64))
    );
    place.run("stock believe cm").exits(0).says("Believed: the reading of cm");
    let newest = place.store(|tx| snapshots::recent(tx, &"cm".into(), 1));
    assert!(newest[0].believed_at.is_some());
}
