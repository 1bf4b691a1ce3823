use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-22T14:31:07Z".parse().unwrap()
}

fn after(minutes: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(minutes)
}

const RULES: Rules<'_> = Rules { waits_to_reapply: true, seed: "cm", never_answered: 0 };

fn refused(how: Refusing, at: &str) -> AccessEvent {
    let status = match how {
        Refusing::Login => 401,
        Refusing::Forbidden | Refusing::Edge => 403,
        Refusing::Moved(_) => 410,
    };
    let evidence = Evidence { status, digest: "d".into() };
    AccessEvent::Refused(Refused { at: at.to_owned(), how, evidence })
}

fn answered(at: &str, success: bool) -> AccessEvent {
    AccessEvent::Answered { at: at.to_owned(), success }
}

/// The states one after another, each event a second after the one before.
fn told(events: &[(AccessEvent, Asked)]) -> Access {
    let mut access = Access::unknown(now());
    for (second, (event, asked)) in (1..).zip(events) {
        let at = now() + TimeDelta::seconds(second);
        access = access.after(event, *asked, RULES, at).unwrap_or(access);
    }
    access
}

fn decided(how: Refusing) -> Access {
    told(&[(refused(how.clone(), "GET stock"), Asked::Work), (refused(how, "GET account"), Asked::Canary)])
}

#[test]
fn the_day_to_ask_again_is_the_end_of_the_following_month() {
    let check = |on: &str, day: &str| {
        assert_eq!(earliest_reapply(on.parse().unwrap()).to_string(), day);
    };
    check("2019-02-11", "2019-03-31");
    check("2024-12-31", "2025-01-31");
    check("2024-01-30", "2024-02-29");
    check("2023-01-31", "2023-02-28");
    check("2026-10-31", "2026-11-30");
}

#[test]
fn one_refusal_suspends_and_the_canary_decides() {
    for how in [Refusing::Login, Refusing::Forbidden, Refusing::Edge, Refusing::Moved(None)] {
        let first = told(&[(refused(how.clone(), "GET stock"), Asked::Work)]);
        assert_eq!((first.state, first.cause), (AccessState::Suspended, Some(Cause::Undecided)));
        assert!(first.canary_may_leave(first.since), "it is asked at once");
    }
    let check = |how, state, reason: &str| {
        let access = decided(how);
        assert_eq!((access.state, access.reason.as_str()), (state, reason));
        assert!(!access.state.lets_through());
        access
    };
    let login =
        check(Refusing::Login, AccessState::Unauthorized, "401 on GET stock, then 401 on GET account");
    let gone = check(Refusing::Forbidden, AccessState::Revoked, "403 on GET stock, then 403 on GET account");
    assert_eq!(gone.reapply_on.unwrap().to_string(), "2026-12-31");
    for access in [login, gone] {
        assert_eq!(access.next_probe_at, None, "a person has to act");
        assert!(!access.canary_may_leave(after(60 * 24 * 365)));
    }
    let edge = check(
        Refusing::Edge,
        AccessState::Suspended,
        "403 without a word on GET stock, then 403 without a word on GET account",
    );
    assert!(edge.next_probe_at.unwrap() >= after(60), "an edge is left alone for an hour");
}

#[test]
fn the_canarys_answer_counts_and_not_what_was_refused_before_it() {
    let first = (refused(Refusing::Forbidden, "GET stock"), Asked::Work);
    let login = told(&[first.clone(), (refused(Refusing::Login, "GET account"), Asked::Canary)]);
    assert_eq!(login.state, AccessState::Unauthorized);
    let edge = told(&[first, (refused(Refusing::Edge, "GET account"), Asked::Canary)]);
    assert_eq!(edge.cause, Some(Cause::EdgeBlock), "a revocation says a word everywhere");
}

#[test]
fn a_resource_that_is_refused_while_the_canary_is_answered_is_closed_alone_and_opens_again() {
    let stock = || refused(Refusing::Forbidden, "GET stock");
    let answered_canary = (answered("GET account", true), Asked::Canary);
    let fine =
        told(&[(stock(), Asked::Work), answered_canary.clone(), (answered("GET stock", true), Asked::Again)]);
    assert_eq!((fine.state, fine.closed.len()), (AccessState::Active, 0), "it was not meant");

    let closed = told(&[(stock(), Asked::Work), answered_canary, (stock(), Asked::Again)]);
    assert_eq!(closed.state, AccessState::Restricted);
    assert_eq!(closed.reason, "403 on GET stock while the rest is answered");
    assert!(closed.closed_at("GET stock", after(14)).is_some());
    assert!(closed.closed_at("GET orders", after(14)).is_none());
    assert!(closed.closed_at("GET stock", after(30)).is_none(), "it may be asked again");
    let asks = closed.asks_closed("GET stock", RULES, after(30)).unwrap();
    assert!(asks.closed_at("GET stock", after(40)).is_some(), "once");
    let other = asks.after(&answered("GET orders", true), Asked::Work, RULES, after(31)).unwrap();
    assert!(other.closed_at("GET stock", after(40)).is_some(), "what is answered elsewhere opens nothing");
    let open = asks.after(&answered("GET stock", true), Asked::Work, RULES, after(31)).unwrap();
    assert_eq!((open.state, open.closed.len()), (AccessState::Active, 0));
}

#[test]
fn what_is_closed_is_named_until_it_opens_and_a_person_may_have_it_asked_again() {
    let shut = |at| (refused(Refusing::Forbidden, at), Asked::Again);
    let both = told(&[(answered("GET account", true), Asked::Work), shut("GET stock"), shut("GET orders")]);
    let one = both.after(&answered("GET stock", true), Asked::Work, RULES, after(1)).unwrap();
    assert_eq!(one.reason, "403 on GET orders while the rest is answered");
    assert!(one.closed_at("GET orders", after(2)).is_some());
    let told = one.after(&answered("GET account", true), Asked::Work, RULES, after(2));
    assert!(told.is_none_or(|told| told.closed_at("GET orders", after(2)).is_some()));
    let tried = one.after(&answered("GET account", true), Asked::Person, RULES, after(2)).unwrap();
    assert_eq!(tried.state, AccessState::Restricted, "nobody knows yet");
    assert!(tried.closed_at("GET orders", after(2)).is_none());
}

/// An account of which these two are closed.
fn restricted() -> Access {
    let shut = |at| (refused(Refusing::Forbidden, at), Asked::Again);
    told(&[(answered("GET account", true), Asked::Work), shut("GET stock"), shut("GET wants")])
}

fn asked_again(access: &Access, how: Refusing, at: &str) -> Access {
    access.after(&refused(how, at), Asked::Work, RULES, after(60)).unwrap()
}

#[test]
fn a_closed_resource_that_is_refused_again_needs_no_canary_where_something_else_was_answered_since() {
    let closed = restricted();
    assert_eq!(
        asked_again(&closed, Refusing::Forbidden, "GET stock").cause,
        Some(Cause::Undecided),
        "who knows"
    );
    let answered_else = closed.after(&answered("GET orders", true), Asked::Work, RULES, after(1)).unwrap();
    let more = answered_else.after(&answered("GET orders", true), Asked::Work, RULES, after(2));
    assert_eq!(more, None, "which is written down once");

    let again = asked_again(&answered_else, Refusing::Forbidden, "GET stock");
    assert_eq!(
        (again.state, again.since, &again.reason),
        (AccessState::Restricted, closed.since, &closed.reason)
    );
    let stock = again.closed_at("GET stock", after(60)).unwrap();
    assert_eq!((stock.times, stock.since), (2, closed.closed[0].since));

    let otherwise = asked_again(&answered_else, Refusing::Login, "GET stock");
    assert_eq!(otherwise.cause, Some(Cause::Undecided), "that is another refusal");
    let another = asked_again(&answered_else, Refusing::Forbidden, "GET prices");
    assert_eq!(another.cause, Some(Cause::Undecided), "that was open until now");
    let the_next = asked_again(&again, Refusing::Forbidden, "GET wants");
    assert_eq!(the_next.cause, Some(Cause::Undecided), "an answer vouches once, however many are closed");
}

#[test]
fn an_answer_that_is_no_success_does_not_say_that_we_are_let_in() {
    assert_eq!(told(&[(answered("GET account", false), Asked::Work)]).state, AccessState::Unknown);
}

#[test]
fn a_closed_resource_is_asked_less_and_less_often() {
    let mut access = Access { state: AccessState::Active, ..Access::unknown(now()) };
    let (mut at, mut waits) = (now(), Vec::new());
    for _ in 0..9 {
        let refusal = refused(Refusing::Forbidden, "GET stock");
        access = access.after(&refusal, Asked::Again, RULES, at).unwrap();
        waits.push((access.closed[0].again_at - at).num_minutes());
        at = access.closed[0].again_at;
    }
    assert!((15..=18).contains(&waits[0]) && waits[8] >= 24 * 60 && waits[8] <= 24 * 72, "{waits:?}");
    assert!(waits.windows(2).all(|two| two[0] <= two[1] + two[1] / 5), "{waits:?}");
}

#[test]
fn while_the_canary_gets_no_answer_it_is_asked_at_growing_intervals_from_minutes_on() {
    let mut access = told(&[(refused(Refusing::Login, "GET stock"), Asked::Work)]);
    let mut waits = Vec::new();
    let mut at = access.since;
    for _ in 0..8 {
        assert!(access.canary_may_leave(at));
        access = access.canary_leaves(RULES, at);
        assert!(!access.canary_may_leave(at), "a kill now costs no second question");
        access = access.canary_was_not_answered(RULES, at);
        assert!(!access.canary_may_leave(at));
        let next = access.next_probe_at.unwrap();
        waits.push((next - at).num_seconds());
        at = next;
    }
    assert!((60..=72).contains(&waits[0]) && (1_800..=2_160).contains(&waits[7]), "{waits:?}");
}

#[test]
fn killed_over_two_canaries_it_asks_no_more_until_a_person_does_or_the_last_of_them_is_settled() {
    for never_answered in 0..=MOST_UNDECIDED {
        let rules = Rules { never_answered, ..RULES };
        let refusal = refused(Refusing::Forbidden, "GET stock");
        let mut access = Access::unknown(now()).after(&refusal, Asked::Work, rules, now()).unwrap();
        let (mut asked, mut at) = (never_answered + 1, now());
        while let Some(next) = access.next_probe_at {
            at = next;
            access = access.canary_leaves(RULES, at);
            asked += 1;
        }
        assert_eq!(asked, 3);
        assert!(access.is_spent() && !access.canary_may_leave(after(600_000)));
        let renewed = access.after(&answered("GET account", true), Asked::Person, RULES, at).unwrap();
        assert_eq!(renewed.state, AccessState::Active);
        let settled = access.canary_was_not_answered(RULES, at);
        assert!(settled.next_probe_at.is_some_and(|next| next > at), "nobody was killed: it is an outage");
        let of_no_use = access.after(&answered("GET account", false), Asked::Canary, RULES, at);
        assert_eq!(of_no_use, Some(settled), "nor here");
    }
}

#[test]
fn two_kills_without_an_answer_cost_one_cheap_question() {
    let welcome = Access { state: AccessState::Active, ..Access::unknown(now()) };
    assert_eq!(welcome.after_kill(1, now()), None, "that can happen to anybody");
    let doubted = welcome.after_kill(2, now()).unwrap();
    assert!(doubted.canary_may_leave(now()) && !doubted.is_spent());
    assert_eq!(doubted.after_kill(9, now()), None, "the state says it already");
    let asked = doubted.canary_leaves(RULES, now());
    let restored = asked.after(&answered("GET account", true), Asked::Canary, RULES, now()).unwrap();
    assert_eq!(restored.state, AccessState::Active);
    let refused = asked.after(&refused(Refusing::Forbidden, "GET account"), Asked::Canary, RULES, now());
    assert_eq!(refused.unwrap().state, AccessState::Revoked);
    let outage = asked.canary_was_not_answered(RULES, now());
    assert!(outage.next_probe_at.unwrap() - now() <= TimeDelta::seconds(6), "nobody was refused");
    assert!(asked.is_spent() && !asked.canary_may_leave(after(600_000)), "whoever is killed over that, too");
    assert_eq!(decided(Refusing::Login).after_kill(3, now()), None);
}

#[test]
fn an_edge_is_asked_a_few_times_and_then_a_person_has_to_look() {
    let mut access = decided(Refusing::Edge);
    let mut asked = 1;
    while let Some(at) = access.next_probe_at {
        access = access.canary_leaves(RULES, at);
        asked += 1;
        let refusal = refused(Refusing::Edge, "GET account");
        access = access.after(&refusal, Asked::Canary, RULES, at).unwrap_or(access);
        assert!(asked < 100);
    }
    assert_eq!((asked, access.state), (MOST_PROBES_AT_AN_EDGE, AccessState::Suspended));
    assert_eq!(access.since, decided(Refusing::Edge).since);
}

#[test]
fn a_person_may_ask_and_success_alone_lets_a_blocked_account_out() {
    for how in [Refusing::Login, Refusing::Forbidden, Refusing::Edge, Refusing::Moved(None)] {
        let blocked = decided(how.clone());
        let ask = |event: &AccessEvent| blocked.after(event, Asked::Person, RULES, after(9));
        assert_eq!(ask(&answered("GET account", false)), None, "a 404 is no success");
        assert_eq!(ask(&answered("GET account", true)).unwrap().state, AccessState::Active);
        let again = ask(&refused(how, "GET account")).unwrap_or_else(|| blocked.clone());
        assert_eq!(
            (again.state, again.since, again.reapply_on),
            (blocked.state, blocked.since, blocked.reapply_on)
        );
        let renewed = blocked.after(&AccessEvent::NewCredentials, Asked::Person, RULES, after(9)).unwrap();
        assert_eq!(renewed, Access::unknown(after(9)));
    }
}

#[test]
fn a_probe_that_a_wrong_clock_put_years_away_is_due() {
    let edge = decided(Refusing::Edge);
    let far = Access { next_probe_at: Some(after(60 * 24 * 400)), ..edge };
    assert!(far.canary_may_leave(now()));
}

#[test]
fn every_state_has_its_word() {
    for (state, name) in AccessState::ALL {
        assert_eq!(state.as_str(), *name);
        assert_eq!(name.parse::<AccessState>(), Ok(*state));
    }
    for (cause, name) in Cause::ALL {
        assert_eq!(name.parse::<Cause>(), Ok(*cause));
    }
    assert!("x".parse::<Cause>().is_err());
}

/// Twice as long each time.
fn grown(first: TimeDelta, times: usize, most: TimeDelta) -> TimeDelta {
    (0..times).fold(first, |span, _| (span * 2).min(most))
}

/// What comes of a canary.
#[derive(Debug, Clone)]
enum Fate {
    /// The process is killed while it waits.
    Killed,
    /// The way there is broken.
    NoAnswer,
    Refused(Refusing),
}

/// What a process that polls does next: it waits so many seconds and asks, where it may.
fn lives() -> impl Strategy<Value = Vec<(i64, Fate)>> {
    let wait = prop_oneof![3 => 1_i64..90, 2 => 90_i64..4_000, 1 => 4_000_i64..100_000];
    let fate = prop_oneof![
        2 => Just(Fate::Killed),
        4 => Just(Fate::NoAnswer),
        2 => Just(Fate::Refused(Refusing::Edge)),
        2 => Just(Fate::Refused(Refusing::Moved(None))),
        1 => Just(Fate::Refused(Refusing::Login)),
        1 => Just(Fate::Refused(Refusing::Forbidden)),
    ];
    prop::collection::vec((wait, fate), 1..80)
}

fn events() -> impl Strategy<Value = (AccessEvent, Asked)> {
    let at = prop::sample::select(vec!["GET stock", "GET account", "PUT stock"]);
    let how = prop::sample::select(vec![
        Refusing::Login,
        Refusing::Forbidden,
        Refusing::Edge,
        Refusing::Moved(None),
    ]);
    let asked = prop::sample::select(vec![Asked::Work, Asked::Again, Asked::Canary, Asked::Person]);
    (at, how, any::<bool>(), any::<bool>(), asked).prop_map(|(at, how, is_answer, success, asked)| {
        (if is_answer { answered(at, success) } else { refused(how, at) }, asked)
    })
}

proptest! {
    #[test]
    fn however_often_it_is_killed_a_refused_account_is_asked_less_and_less(
        lives in lives(),
        never_answered in 0..=MOST_UNDECIDED,
    ) {
        let refusal = refused(Refusing::Forbidden, "GET stock");
        let rules = Rules { never_answered, ..RULES };
        let mut access = Access::unknown(now()).after(&refusal, Asked::Work, rules, now()).unwrap();
        let (refused_at, mut at) = (access.since, access.since);
        let (mut canaries, mut understood_at) = (Vec::new(), None);
        // Requests that reached the marketplace or may have, of which nobody was told that nothing came back.
        let mut unsure = never_answered + 1;
        for (wait, fate) in lives {
            if access.canary_may_leave(at) {
                // This is kept before it leaves, and what comes back is not where the process is gone by then.
                access = access.canary_leaves(RULES, at);
                canaries.push(at);
                match fate {
                    Fate::Killed if understood_at.is_none() => unsure += 1,
                    Fate::Killed => {}
                    Fate::NoAnswer => access = access.canary_was_not_answered(RULES, at),
                    Fate::Refused(how) => {
                        let refusal = refused(how, "GET account");
                        access = access.after(&refusal, Asked::Canary, RULES, at).unwrap_or(access);
                        understood_at.get_or_insert(canaries.len() - 1);
                    }
                }
                prop_assert!(!access.canary_may_leave(at), "{access:?}");
            }
            prop_assert!(unsure <= 3, "{unsure} requests of which nobody knows, and no person asked");
            prop_assert!(!access.state.lets_through(), "nothing was answered");
            at += TimeDelta::seconds(wait);
        }
        let soon = canaries.iter().filter(|left| **left - refused_at < TimeDelta::seconds(60)).count();
        prop_assert!(soon <= 1, "two requests in the first minute, of the three that may be");
        for (index, pair) in canaries.windows(2).enumerate() {
            let least = match understood_at.filter(|understood| index >= *understood) {
                Some(understood) => grown(TimeDelta::hours(1), index - understood, TimeDelta::hours(24)),
                None => grown(TimeDelta::minutes(1), index + never_answered as usize, TimeDelta::minutes(30)),
            };
            prop_assert!(pair[1] - pair[0] >= least, "{} after number {index} of {canaries:?}", pair[1] - pair[0]);
        }
    }

    /// As above, but nobody has read a refusal yet. What each life leaves behind is counted when the next one begins.
    #[test]
    fn killed_before_it_reads_an_answer_it_asks_three_times_at_most(lives in lives()) {
        let (mut access, mut at) = (Access::unknown(now()), now());
        let (mut never_answered, mut unsure, mut stopped) = (0, 0, false);
        for (wait, fate) in lives {
            let asked = if access.state.lets_through() { Asked::Work } else { Asked::Canary };
            if asked == Asked::Work || access.canary_may_leave(at) {
                prop_assert!(!stopped, "it was for a person to ask");
                access = access.canary_leaves(RULES, at);
                match fate {
                    Fate::Killed => {
                        (never_answered, unsure) = (never_answered + 1, unsure + 1);
                        access = access.after_kill(never_answered, at).unwrap_or(access);
                    }
                    Fate::NoAnswer if asked == Asked::Canary => access = access.canary_was_not_answered(RULES, at),
                    Fate::NoAnswer => {}
                    Fate::Refused(_) => break,
                }
                stopped = unsure == 3;
            }
            prop_assert!(unsure <= 3);
            prop_assert_eq!(access.state.lets_through(), unsure < 2);
            at += TimeDelta::seconds(wait);
        }
    }

    /// Nothing but a 403 that says something, given to the canary or to a person's question, takes access away.
    #[test]
    fn only_a_revocation_is_one(events in prop::collection::vec(events(), 0..30)) {
        let mut access = Access::unknown(now());
        for (minute, (event, asked)) in (1..).zip(&events) {
            let next = access.after(event, *asked, RULES, after(minute)).unwrap_or(access.clone());
            if next.state == AccessState::Revoked && access.state != AccessState::Revoked {
                let is_revocation = matches!(event, AccessEvent::Refused(refused) if refused.how == Refusing::Forbidden);
                prop_assert!(is_revocation && matches!(asked, Asked::Canary | Asked::Person));
                prop_assert!(!access.state.lets_through(), "it was the second refusal");
            }
            let blocked = matches!(next.state, AccessState::Revoked | AccessState::Unauthorized);
            prop_assert!(!blocked || next.next_probe_at.is_none());
            prop_assert_eq!(next.reapply_on.is_some(), next.state == AccessState::Revoked);
            prop_assert_eq!(next.state == AccessState::Restricted, next.state.lets_through() && !next.closed.is_empty());
            access = next;
        }
    }
}
