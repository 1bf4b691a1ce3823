use std::time::Duration;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::domain::RunId;
use crate::store::Lane;

/// A gate of the account `nz` with two requests an hour.
async fn gate(dir: &std::path::Path) -> StoreGate {
    let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
    let (_config_dir, config) = crate::agent::testing::config_dir();
    let (now, account) = (Clock::now(&*clock), AccountName::from("nz"));
    let store = Store::open(&dir.join("sellerd.db"), Lane::Inline, now).unwrap();
    let owned = account.clone();
    let epoch = store.write(move |tx| leases::take_over(tx, &owned, "me", now)).await.unwrap();
    StoreGate {
        store,
        clock,
        account,
        notices: Notices::about(&config.accounts[&AccountName::from("cm")]),
        epoch,
        credentials_mark: String::new(),
        window: WindowKind::Hour,
        limit: Some(2),
        public_rule: None,
        woken: Arc::default(),
    }
}

fn outgoing(counted: bool) -> Outgoing {
    Outgoing {
        method: "GET",
        template: "any",
        class: RequestClass::Orders,
        run: None,
        attempt: 1,
        asked: Asked::Work,
        writes: false,
        counted,
        intents: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_answer_could_not_be_written_down_is_given_up_when_the_next_request_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let gate = gate(dir.path()).await;
    let account = AccountName::from("other");
    let other = StoreGate { epoch: 1, account: account.clone(), ..gate.clone() };
    let now = gate.clock.now();
    gate.store.write(move |tx| leases::take_over(tx, &account, "me", now)).await.unwrap();
    let read = outgoing(false);
    let write = Outgoing { method: "PUT", writes: true, ..read.clone() };
    // None of them is settled: the disk is full.
    other.enter(&read).await.unwrap();
    for request in [&read, &write, &read] {
        gate.enter(request).await.unwrap();
    }
    let waiting = gate.store.read(requests::unanswered).await.unwrap();
    let waiting: Vec<_> =
        waiting.iter().map(|request| (request.account.as_str(), &*request.method)).collect();
    assert_eq!(
        waiting,
        [("other", "GET"), ("nz", "PUT"), ("nz", "GET")],
        "what is in flight, and what is in doubt"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_counted_goes_out_though_the_window_is_used_up_and_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let gate = gate(dir.path()).await;
    let mut passed = Vec::new();
    for counted in [false, true, true, false, true, false] {
        let outgoing = Outgoing { run: Some(RunId(1)), ..outgoing(counted) };
        passed.push(gate.enter(&outgoing).await.is_ok());
    }
    assert_eq!(passed, [true, true, true, true, false, true]);
    let recorded = gate.store.read(|tx| requests::count_for_run(tx, RunId(1))).await.unwrap();
    assert_eq!(recorded, 5);
}

#[tokio::test(start_paused = true)]
async fn an_hour_that_wrong_clocks_leave_and_come_back_to_is_counted_on_and_never_used_up_by_that() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
    let gate = StoreGate { clock: clock.clone(), limit: Some(20), ..gate(dir.path()).await };
    // Another process knows of the time what was written down, and after another boot of it only the least.
    let anew = || {
        clock.reboot(Duration::ZERO);
        gate.clone()
    };
    let ahead = |minutes| clock.jump(TimeDelta::minutes(minutes));
    let answer = |minutes: i64| Attempt {
        status: Some(200),
        clock_offset_ms: Some(-60_000 * minutes),
        ..Attempt::default()
    };
    let ask = async |gate: &StoreGate, minutes| {
        let pass = gate.enter(&outgoing(true)).await.unwrap();
        gate.settle(pass, &answer(minutes)).await.unwrap();
    };
    let used = async || {
        let account = gate.account.clone();
        let read = move |tx: &Tx<'_>| quotas::usage(tx, &account, "hour");
        gate.store.read(read).await.unwrap().map(|usage| (usage.window_start.to_rfc3339(), usage.used))
    };
    let hour = |used| Some(("2026-11-22T14:00:00+00:00".to_owned(), used));

    ahead(40);
    ask(&gate, 40).await;
    assert_eq!(used().await, hour(1), "a fresh directory has all that is left of the hour");
    ahead(-40);
    for _ in 0..4 {
        ask(&anew(), 0).await;
    }
    assert_eq!(used().await, hour(5));
    // Years ahead and killed, twice; then a process that is answered, and one that is answered by the right clock.
    for days in [500, 700] {
        clock.jump(TimeDelta::days(days));
        anew().enter(&outgoing(true)).await.unwrap();
    }
    clock.jump(TimeDelta::days(-1_200));
    ahead(40);
    ask(&anew(), 40).await;
    assert_eq!(used().await, hour(8));
    let running = anew();
    ask(&running, 40).await;
    ahead(-40);
    ask(&running, 0).await;
    assert_eq!(used().await, hour(10));
    // Nine more, up to what orders may use; then nothing, until the next hour has surely begun.
    let mut left = 0;
    while anew().enter(&outgoing(true)).await.is_ok() {
        left += 1;
    }
    assert_eq!(left, 9);
    clock.sleep_machine(Duration::from_secs(29 * 60));
    ask(&anew(), 0).await;
    // Each of the nine left after another boot and was not answered: nobody knows in which hour it arrived.
    assert_eq!(used().await, Some(("2026-11-22T15:00:00+00:00".to_owned(), 2 + 9)));
    clock.sleep_machine(Duration::from_secs(3_600));
    ask(&anew(), 0).await;
    assert_eq!(used().await, Some(("2026-11-22T16:00:00+00:00".to_owned(), 1)), "the answer has told");
}

/// An account with two requests in a window that began at `start`, both used up by the right clock at `now`.
async fn used_up(
    dir: &std::path::Path,
    window: WindowKind,
    now: &str,
) -> (StoreGate, std::sync::Arc<ManualClock>) {
    let clock = ManualClock::at(now.parse().unwrap());
    let gate = StoreGate { clock: clock.clone(), window, ..gate(dir).await };
    for _ in 0..2 {
        answered(&gate, 0).await.unwrap();
    }
    (gate, clock)
}

/// Asks, and is answered by a marketplace whose clock is `ahead` of ours.
async fn answered(gate: &StoreGate, ahead: i64) -> Result<(), Refusal> {
    let pass = gate.enter(&outgoing(true)).await?;
    let offset = Some(1_000 * ahead);
    let answer = Attempt { status: Some(200), clock_offset_ms: offset, ..Attempt::default() };
    gate.settle(pass, &answer).await.map(drop)
}

/// How long nothing leaves, by the refusal's own word.
async fn wait(gate: &StoreGate) -> Duration {
    match gate.enter(&outgoing(true)).await {
        Err(Refusal::Quota { until, .. }) => (until - gate.clock.now()).to_std().unwrap(),
        other => panic!("{other:?}"),
    }
}

const BERLIN: WindowKind = WindowKind::Day(chrono_tz::Europe::Berlin);

#[tokio::test(start_paused = true)]
async fn a_window_that_is_used_up_is_not_left_by_setting_the_clock() {
    for (window, left) in [(WindowKind::Hour, 15), (BERLIN, 9 * 60 + 15)] {
        for (ahead, back) in [(20, -400), (9_000, -90_000), (1_000_000, -30)] {
            let dir = tempfile::tempdir().unwrap();
            let (gate, clock) = used_up(dir.path(), window, "2026-11-22T13:45:00Z").await;
            let left = Duration::from_secs(60 * left);
            clock.jump(TimeDelta::minutes(ahead));
            assert_eq!(wait(&gate).await, left, "{ahead}");
            clock.jump(TimeDelta::minutes(back - ahead));
            assert_eq!(wait(&gate).await, left, "{back}");
            clock.sleep_machine(left - Duration::from_secs(4));
            assert_eq!(wait(&gate).await, Duration::from_secs(4), "a sleep is none");
            // Once it has begun, at the account's own second of its first minute.
            clock.sleep_machine(Duration::from_secs(5));
            let spread = wait(&gate).await;
            assert!(spread < Duration::from_secs(60), "{spread:?}");
            clock.sleep_machine(spread);
            answered(&gate, -back * 60).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_process_does_not_ask_whether_an_hour_is_over_that_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (gate, clock) = used_up(dir.path(), WindowKind::Hour, "2026-11-22T13:45:00Z").await;
    // Nothing but the database outlives the first.
    drop(gate);
    let gate = StoreGate { clock: clock.clone(), ..self::gate(dir.path()).await };
    clock.jump(TimeDelta::minutes(20));
    assert_eq!(wait(&gate).await, Duration::from_secs(15 * 60));
    clock.sleep_machine(Duration::from_secs(16 * 60));
    answered(&gate, -20 * 60).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_moved_to_a_machine_that_is_up_for_a_month_is_in_the_same_window() {
    for (window, left) in [(WindowKind::Hour, 15), (BERLIN, 9 * 60 + 15)] {
        for is_of_before in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (gate, old) = used_up(dir.path(), window, "2026-11-22T13:45:00Z").await;
            if is_of_before {
                // A version that did not keep the boot yet.
                let (account, now) = (gate.account.clone(), old.now());
                gate.store.write(move |tx| accounts::set_last_said(tx, &account, now, None)).await.unwrap();
            }
            let month = Duration::from_secs(30 * 86_400);
            let clock = ManualClock::at(old.now() - month);
            clock.sleep_machine(month);
            let gate = StoreGate { clock: clock.clone(), ..gate };
            assert_eq!(wait(&gate).await, Duration::from_secs(60 * left));
            clock.sleep_machine(Duration::from_secs(60 * left + 60));
            answered(&gate, 0).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_that_is_used_up_is_over_for_a_machine_that_is_on_for_ten_minutes_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let (gate, clock) = used_up(dir.path(), WindowKind::Hour, "2026-11-22T13:45:00Z").await;
    let mut days = 0;
    'on: loop {
        clock.reboot(Duration::from_secs(86_400));
        days += 1;
        for _ in 0..10 {
            clock.sleep_machine(Duration::from_secs(60));
            if answered(&gate, 0).await.is_ok() {
                break 'on;
            }
        }
        assert!(days < 3, "nine minutes of each are known to have passed, and fifteen were left");
    }
    assert_eq!(days, 2);
}

#[tokio::test(start_paused = true)]
async fn after_another_boot_a_window_that_is_used_up_and_may_be_over_is_waited_for() {
    for (window, left) in [(WindowKind::Hour, 15), (BERLIN, 9 * 60 + 15)] {
        let dir = tempfile::tempdir().unwrap();
        let (gate, clock) = used_up(dir.path(), window, "2026-11-22T13:45:00Z").await;
        clock.jump(TimeDelta::hours(40));
        clock.reboot(Duration::from_secs(30));
        let told = wait(&gate).await;
        let left = Duration::from_secs(60 * left);
        assert!(told > left && told < left + Duration::from_secs(60), "{told:?}");
        clock.sleep_machine(told - Duration::from_secs(5));
        assert_eq!(wait(&gate).await, Duration::from_secs(5));
        clock.sleep_machine(Duration::from_secs(5));
        answered(&gate, -40 * 3_600).await.unwrap();
        gate.enter(&outgoing(true))
            .await
            .expect_err("the answer has told that a new window has begun with one of two");
    }
}

#[tokio::test(start_paused = true)]
async fn after_another_boot_a_window_is_over_when_the_machine_says_that_its_clock_is_right() {
    for window in [WindowKind::Hour, BERLIN] {
        let dir = tempfile::tempdir().unwrap();
        let (gate, clock) = used_up(dir.path(), window, "2026-11-22T13:45:00Z").await;
        // After a night, and with a clock that is right.
        clock.reboot(Duration::from_secs(18 * 3_600));
        wait(&gate).await;
        assert!(!clock.ask_whether_kept().await, "nobody says so");
        wait(&gate).await;
        clock.asks_time(true);
        assert!(clock.ask_whether_kept().await);
        // Somebody sets it: that is not the clock that was spoken of.
        clock.jump(TimeDelta::hours(30));
        wait(&gate).await;
        clock.jump(TimeDelta::hours(-30));
        answered(&gate, 0).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn after_another_boot_what_is_left_of_a_window_is_there_to_ask_for_the_time() {
    for window in [WindowKind::Hour, BERLIN] {
        let dir = tempfile::tempdir().unwrap();
        let (gate, clock) = used_up(dir.path(), window, "2026-11-22T13:45:00Z").await;
        let gate = StoreGate { limit: Some(4), ..gate };
        clock.jump(TimeDelta::hours(40));
        // Killed over the first.
        for _ in 0..2 {
            clock.reboot(Duration::from_secs(30));
            gate.enter(&outgoing(true)).await.unwrap();
        }
        clock.reboot(Duration::from_secs(30));
        gate.enter(&outgoing(true)).await.unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_is_refused_for_its_time_leaves_once_more_and_then_waits() {
    use crate::policy::access::Cause;
    let dir = tempfile::tempdir().unwrap();
    let gate = gate(dir.path()).await;
    let canary = Outgoing { asked: Asked::Canary, ..outgoing(false) };
    for (cause, probes) in [(Cause::Undecided, 0), (Cause::Moved, 3), (Cause::EdgeBlock, 5)] {
        let blocked = Access {
            state: AccessState::Suspended,
            cause: Some(cause),
            probes,
            next_probe_at: Some(gate.clock.now()),
            ..Access::unknown(gate.clock.now())
        };
        let account = gate.account.clone();
        gate.store.write(move |tx| accounts::set_access(tx, &account, &blocked)).await.unwrap();
        let skewed = |clocks_disagree| Attempt {
            status: Some(401),
            error_type: Some(ErrorType::ClockSkew),
            clock_offset_ms: Some(-154_800_000),
            clocks_disagree,
            ..Attempt::default()
        };
        let pass = gate.enter(&canary).await.unwrap();
        gate.settle(pass, &skewed(false)).await.unwrap();
        let pass = gate.enter(&canary).await.unwrap();
        gate.settle(pass, &skewed(true)).await.unwrap();
        let refused = gate.enter(&canary).await;
        assert!(matches!(refused, Err(Refusal::Access { .. })), "{cause:?}: {refused:?}");
        let (account, now) = (gate.account.clone(), gate.clock.now());
        let access = gate.store.read(move |tx| accounts::access(tx, &account, now)).await.unwrap();
        assert_eq!(access.probes, probes + 1, "{cause:?}: it counts once");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_canaries_are_killed_waits_for_a_person_and_after_an_outage_it_does_not() {
    use crate::policy::access::{Evidence, Refused, Refusing};
    use crate::store::problems;
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
    let gate = StoreGate { clock: clock.clone(), ..gate(dir.path()).await };
    gate.store.write(|tx| accounts::set_credentials_mark(tx, &"nz".into(), "")).await.unwrap();
    let refused = AccessEvent::Refused(Refused {
        at: "GET any".into(),
        how: Refusing::Forbidden,
        evidence: Evidence { status: 403, digest: "d".into() },
    });
    let refused = Attempt { status: Some(403), access: Some(refused), ..Attempt::default() };
    let canary = Outgoing { asked: Asked::Canary, ..outgoing(false) };
    let title = async || gate.store.read(problems::list).await.unwrap()[0].title.clone();

    let pass = gate.enter(&outgoing(false)).await.unwrap();
    assert!(gate.settle(pass, &refused).await.unwrap().undecided);
    gate.enter(&canary).await.unwrap();
    assert!(title().await.contains("could not be asked yet"), "{}", title().await);
    clock.jump(TimeDelta::minutes(2));
    let last = gate.enter(&canary).await.unwrap();
    assert!(title().await.contains("asks no more by itself"), "{}", title().await);
    clock.jump(TimeDelta::days(40));
    gate.enter(&canary).await.unwrap_err();
    gate.settle(last, &Attempt { error_type: Some(ErrorType::Timeout), ..Attempt::default() }).await.unwrap();
    assert!(title().await.contains("could not be asked yet"), "{}", title().await);
    gate.enter(&canary).await.unwrap_err();
    clock.jump(TimeDelta::minutes(3));
    gate.enter(&canary).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_closed_resource_that_is_asked_again_does_not_turn_its_problem_over() {
    use crate::policy::access::{AccessEvent, Evidence, Refused, Refusing};
    use crate::store::problems;
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
    let gate = StoreGate { clock: clock.clone(), ..gate(dir.path()).await };
    gate.store.write(|tx| accounts::set_credentials_mark(tx, &"nz".into(), "")).await.unwrap();
    let attempt = |access| Attempt { status: Some(403), access: Some(access), ..Attempt::default() };
    let refused = || {
        let evidence = Evidence { status: 403, digest: "d".into() };
        attempt(AccessEvent::Refused(Refused { at: "GET any".into(), how: Refusing::Forbidden, evidence }))
    };
    let answered = || attempt(AccessEvent::Answered { at: "GET account".into(), success: true });
    // What follows from an attempt: whether the canary is to be asked, and the problem that is open then.
    let ask = async |asked, attempt: Attempt| {
        let pass = gate.enter(&Outgoing { asked, ..outgoing(false) }).await.unwrap();
        let undecided = gate.settle(pass, &attempt).await.unwrap().undecided;
        let open = gate.store.read(problems::list).await.unwrap();
        (undecided, open.into_iter().map(|problem| problem.code).collect::<Vec<_>>().join(" "))
    };
    let told = |undecided, codes: &str| (undecided, codes.to_owned());
    let minutes = |minutes| clock.jump(TimeDelta::minutes(minutes));

    assert_eq!(ask(Asked::Work, refused()).await, told(true, "E451"));
    assert!(!ask(Asked::Canary, answered()).await.0);
    assert_eq!(ask(Asked::Again, refused()).await, told(false, "E452"));
    minutes(30);
    assert_eq!(ask(Asked::Work, refused()).await, told(true, "E452"), "nothing was answered since");
    assert_eq!(ask(Asked::Canary, Attempt::default()).await, told(false, "E451"), "nor is the canary");
    minutes(2);
    assert_eq!(ask(Asked::Canary, answered()).await, told(false, "E452"));
    minutes(60);
    assert_eq!(ask(Asked::Work, refused()).await, told(false, "E452"), "one request is enough");
    minutes(180);
    assert_eq!(ask(Asked::Work, refused()).await, told(true, "E452"));
    assert_eq!(ask(Asked::Canary, refused()).await, told(false, "E450"), "it is more than that by now");
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_the_quota_keeps_back_does_not_count_as_asked() {
    use crate::policy::access::Cause;
    let dir = tempfile::tempdir().unwrap();
    let gate = gate(dir.path()).await;
    while gate.enter(&outgoing(true)).await.is_ok() {}
    let blocked = Access {
        state: AccessState::Suspended,
        cause: Some(Cause::EdgeBlock),
        probes: 1,
        next_probe_at: Some(gate.clock.now()),
        ..Access::unknown(gate.clock.now())
    };
    let (account, kept, now) = (gate.account.clone(), blocked.clone(), gate.clock.now());
    gate.store.write(move |tx| accounts::set_access(tx, &account, &kept)).await.unwrap();
    for _ in 0..9 {
        let refused = gate.enter(&Outgoing { asked: Asked::Canary, ..outgoing(true) }).await;
        assert!(matches!(refused, Err(Refusal::Quota { .. })), "{refused:?}");
    }
    let account = gate.account.clone();
    let access = gate.store.read(move |tx| accounts::access(tx, &account, now)).await.unwrap();
    assert_eq!((access.probes, access.next_probe_at.is_some()), (1, true), "it is asked when there is room");
}
