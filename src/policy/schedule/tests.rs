use chrono::{NaiveDateTime, TimeZone};
use chrono_tz::{America, Antarctica, Asia, Atlantic, Australia, Europe, Pacific};
use proptest::prelude::*;

use super::*;

fn schedule(text: &str, tz: Tz) -> Schedule {
    Schedule::parse(text, tz).unwrap()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc()
}

/// The runs of `text` between the midnights of two days, on the wall clock of the zone.
#[track_caller]
fn check(tz: Tz, text: &str, from: &str, until: &str, expected: &[&str]) {
    let midnight = |day: &str| {
        resolve(tz, day.parse::<NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap()).unwrap().first()
    };
    let schedule = schedule(text, tz);
    let found: Vec<String> = schedule
        .upcoming(midnight(from) - TimeDelta::seconds(1), 400)
        .into_iter()
        .take_while(|at| *at < midnight(until))
        .map(|at| at.with_timezone(&tz).format("%d %H:%M %z").to_string())
        .collect();
    assert_eq!(found, expected, "`{text}` in {tz}");
}

#[test]
fn times_left_out_in_spring_run_once_at_the_first_instant_after() {
    let (berlin, from, until) = (Europe::Berlin, "2026-03-28", "2026-03-30");
    check(berlin, "30 2 * * *", from, until, &["28 02:30 +0100", "29 03:00 +0200"]);
    check(berlin, "30 1 * * *", from, until, &["28 01:30 +0100", "29 01:30 +0100"]);
    check(
        berlin,
        "30 2,14 * * *",
        from,
        until,
        &["28 02:30 +0100", "28 14:30 +0100", "29 03:00 +0200", "29 14:30 +0200"],
    );
    check(berlin, "0,30 2 * * *", "2026-03-29", until, &["29 03:00 +0200"]);
    check(berlin, "0 2,3 * * *", "2026-03-29", until, &["29 03:00 +0200"]);
    check(berlin, "15 30 2 * * *", "2027-03-28", "2027-03-29", &["28 03:00 +0200"]);

    let auckland = Pacific::Auckland;
    check(auckland, "30 2 * * *", "2026-09-27", "2026-09-28", &["27 03:00 +1300"]);
    check(auckland, "0 9 * * *", "2026-09-26", "2026-09-28", &["26 09:00 +1200", "27 09:00 +1300"]);
    check(auckland, "0 1 * * *", "2026-09-27", "2026-09-28", &["27 01:00 +1200"]);

    let half_an_hour = Australia::Lord_Howe;
    check(half_an_hour, "15 2 * * *", "2026-10-04", "2026-10-05", &["04 02:30 +1100"]);
    check(half_an_hour, "30 2 * * *", "2026-10-04", "2026-10-05", &["04 02:30 +1100"]);
    check(Pacific::Chatham, "0 3 * * *", "2026-09-27", "2026-09-28", &["27 03:45 +1345"]);
    check(America::Santiago, "0 0 * * *", "2026-09-06", "2026-09-07", &["06 01:00 -0300"]);
    check(
        America::Santiago,
        "30 0,12 * * 7",
        "2027-09-05",
        "2027-09-06",
        &["05 01:00 -0300", "05 12:30 -0300"],
    );
}

#[test]
fn times_that_come_twice_in_autumn_run_once_at_the_first() {
    let (berlin, from, until) = (Europe::Berlin, "2026-10-25", "2026-10-26");
    check(berlin, "30 2 * * *", from, until, &["25 02:30 +0200"]);
    check(berlin, "30 2,14 * * *", from, until, &["25 02:30 +0200", "25 14:30 +0100"]);
    check(berlin, "0 3 * * *", from, until, &["25 03:00 +0100"]);
    check(berlin, "30 2 * * *", "2027-10-31", "2027-11-01", &["31 02:30 +0200"]);
    check(
        Pacific::Auckland,
        "0,30 2 * * *",
        "2026-04-05",
        "2026-04-06",
        &["05 02:00 +1300", "05 02:30 +1300"],
    );
    check(Australia::Lord_Howe, "45 1 * * *", "2026-04-05", "2026-04-06", &["05 01:45 +1100"]);
    check(Pacific::Chatham, "0 3 * * *", "2027-04-04", "2027-04-05", &["04 03:00 +1345"]);
    check(America::Santiago, "30 23 * * *", "2026-04-04", "2026-04-05", &["04 23:30 -0300"]);
}

#[test]
fn a_time_left_out_before_midnight_runs_at_the_start_of_the_next_day() {
    let expected = ["27 23:30 -0200", "29 00:00 -0100", "29 23:30 -0100"];
    check(America::Nuuk, "30 23 * * *", "2026-03-27", "2026-03-30", &expected);
    check(America::Nuuk, "30 23 * * 6", "2026-03-23", "2026-03-30", &["29 00:00 -0100"]);
}

#[test]
fn intervals_follow_elapsed_time() {
    let berlin = Europe::Berlin;
    let hours = |tz, day: &str, next: &str| {
        let until = next.parse::<NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap();
        let until = resolve(tz, until).unwrap().first();
        let start = day.parse::<NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap();
        let runs = schedule("0 * * * *", tz).upcoming(resolve(tz, start).unwrap().first(), 40);
        assert!(runs.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::hours(1)));
        1 + runs.iter().filter(|at| **at < until).count()
    };
    assert_eq!(hours(berlin, "2026-03-29", "2026-03-30"), 23);
    assert_eq!(hours(berlin, "2026-10-25", "2026-10-26"), 25);
    assert_eq!(hours(Pacific::Auckland, "2026-09-27", "2026-09-28"), 23);
    assert_eq!(hours(America::Santiago, "2026-04-04", "2026-04-05"), 25);
    check(berlin, "0 1-3 * * *", "2026-03-29", "2026-03-30", &["29 01:00 +0100", "29 03:00 +0200"]);
    check(
        berlin,
        "*/30 2 * * *",
        "2026-10-25",
        "2026-10-26",
        &["25 02:00 +0200", "25 02:30 +0200", "25 02:00 +0100", "25 02:30 +0100"],
    );
}

#[test]
fn a_calendar_day_that_a_zone_left_out_has_no_runs_and_ends_nothing() {
    // Samoa went from 29 to 31 December 2011.
    let apia = Pacific::Apia;
    check(apia, "0 9 * * *", "2011-12-29", "2012-01-01", &["29 09:00 -1000", "31 09:00 +1400"]);
    check(
        apia,
        "0 */12 * * *",
        "2011-12-29",
        "2012-01-01",
        &["29 00:00 -1000", "29 12:00 -1000", "31 00:00 +1400", "31 12:00 +1400"],
    );
    let on_that_day = schedule("0 0 30 12 *", apia);
    assert_eq!(
        on_that_day.next_after(instant("2011-12-29T00:00:00-10:00")),
        Some(instant("2012-12-30T00:00:00+14:00"))
    );
}

#[test]
fn both_day_fields_mean_either() {
    let runs = ["01 09:00 +0000", "06 09:00 +0000", "13 09:00 +0000", "15 09:00 +0000", "20 09:00 +0000"];
    check(Tz::UTC, "0 9 1,15 * 1", "2026-07-01", "2026-07-21", &runs);
}

#[test]
fn notes_tell_what_a_change_of_the_clocks_does() {
    let note = |text: &str, tz: Tz, at: &str| schedule(text, tz).note(instant(at));
    let some = |text: &str| Some(text.to_owned());
    let berlin = Europe::Berlin;
    assert_eq!(
        note("30 2 * * *", berlin, "2027-03-28T03:00:00+02:00"),
        some("02:30 does not exist that day (clocks go forward); runs once at 03:00")
    );
    assert_eq!(
        note("0,20,40 2,3 * * *", berlin, "2027-03-28T03:00:00+02:00"),
        some("02:00 to 02:40 do not exist that day (clocks go forward); runs once at 03:00")
    );
    assert_eq!(
        note("30 2 * * *", berlin, "2026-10-25T02:30:00+02:00"),
        some("02:30 comes twice that day (clocks go back); runs once, at the first")
    );
    assert_eq!(
        note("*/30 * * * *", berlin, "2026-10-25T02:30:00+01:00"),
        some("02:30 comes twice that day (clocks go back); runs both times")
    );
    assert_eq!(note("0 3 * * *", berlin, "2027-03-28T03:00:00+02:00"), None);
    assert_eq!(note("30 2 * * *", berlin, "2027-03-27T02:30:00+01:00"), None);
}

#[test]
fn an_error_names_the_field_and_what_would_do() {
    let message = |text: &str| match Schedule::parse(text, Tz::UTC) {
        Err(ScheduleError::Invalid(message)) => message,
        other => panic!("`{text}` gave {other:?}"),
    };
    let five =
        "; the five fields are: minute hour day-of-month month day-of-week (or six, with the seconds first)";
    let starts = |text: &str, with: &str| assert_eq!(message(text), format!("{with}{five}"));
    starts("", "this is empty");
    starts("@often", "this has only one field");
    starts("* * *", "this has 3 fields");
    starts("0 0 9 1 1 * 2027", "this has 7 fields");
    starts("61 * * * *", "minute `61`: number out of bounds (it goes from 0 to 59)");
    starts("* 1,,2 * * *", "hour `1,,2`: a value is missing beside a comma (it goes from 0 to 23)");
    starts("* */0 * * *", "hour `*/0`: step cannot be zero (it goes from 0 to 23)");
    starts("9 * 32 * *", "day-of-month `32`: number out of bounds (it goes from 1 to 31)");
    starts(
        "0 0 9 * FOO *",
        "month `FOO`: has a character that does not belong there (it goes from 1 to 12 or JAN to DEC)",
    );
    starts("* * * * 8", "day-of-week `8`: number out of bounds (it goes from 0 to 7 or SUN to SAT)");
}

#[test]
fn what_can_never_be_due_is_no_schedule() {
    let message = |text: &str| Schedule::parse(text, Tz::UTC).unwrap_err().to_string();
    assert!(
        message("0 8 31 2 *").starts_with("this never fires: 31 February does not exist; the five fields")
    );
    assert!(message("*/5 * 31 4,6 *").starts_with("this never fires: no calendar day fits `31 4,6 *`;"));
    assert!(Schedule::parse("0 8 29 2 *", Tz::UTC).is_ok());
    assert!(Schedule::parse("0 8 29 2 +1", Tz::UTC).is_ok());
}

#[test]
fn a_schedule_can_be_read_back_and_put_into_words() {
    let fortnightly = schedule(" 0 9 1,15 * 1 ", Tz::UTC);
    assert_eq!(fortnightly.text(), " 0 9 1,15 * 1 ");
    assert_eq!(fortnightly.describe(), "At 09:00, on day 1 and 15 or Monday.");
    assert_eq!(schedule("@daily", Tz::UTC).describe(), "At 00:00.");
}

#[test]
fn equal_expressions_share_their_memory() {
    let (one, other) = (schedule("7 7 * * 1", Tz::UTC), schedule("7 7 * * 1", Europe::Berlin));
    assert!(Arc::ptr_eq(&one.pattern, &other.pattern));
    assert_ne!(one, other);
}

/// Zones with all kinds of offsets and changes.
const ZONES: [Tz; 40] = [
    Tz::UTC,
    Europe::Berlin,
    Europe::London,
    Europe::Dublin,
    Europe::Lisbon,
    Europe::Istanbul,
    Europe::Moscow,
    Europe::Chisinau,
    Europe::Kyiv,
    Atlantic::Azores,
    Atlantic::Bermuda,
    chrono_tz::Africa::Casablanca,
    chrono_tz::Africa::Cairo,
    chrono_tz::Africa::Windhoek,
    Asia::Amman,
    Asia::Beirut,
    Asia::Gaza,
    Asia::Jerusalem,
    Asia::Kathmandu,
    Asia::Kolkata,
    Asia::Pyongyang,
    Asia::Tehran,
    Asia::Tokyo,
    America::Asuncion,
    America::Caracas,
    America::Havana,
    America::Nuuk,
    America::New_York,
    America::Sao_Paulo,
    America::Santiago,
    America::Scoresbysund,
    America::St_Johns,
    Antarctica::Troll,
    Australia::Adelaide,
    Australia::Lord_Howe,
    Pacific::Apia,
    Pacific::Auckland,
    Pacific::Chatham,
    Pacific::Easter,
    Pacific::Fakaofo,
];

/// The first instant at which the wall clock shows `local` or more, found by walking minute by minute and then
/// second by second. Where the clocks do not change within a day it is plain arithmetic.
fn by_walking(tz: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let shows = |at: DateTime<Utc>| at.with_timezone(&tz).naive_local();
    let start = local.and_utc() - TimeDelta::hours(30);
    let ahead = |at: DateTime<Utc>| shows(at) - at.naive_utc();
    if ahead(start) == ahead(start + TimeDelta::hours(60)) {
        return (local - ahead(start)).and_utc();
    }
    let minute = (0..60 * 60)
        .map(|minutes| start + TimeDelta::minutes(minutes))
        .find(|at| shows(*at) >= local)
        .unwrap();
    (0..=60).rev().map(|seconds| minute - TimeDelta::seconds(seconds)).find(|at| shows(*at) >= local).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_daily_time_runs_exactly_once_for_every_day_that_exists(
        tz in proptest::sample::select(ZONES.to_vec()),
        year in 1995..2037i32,
        hour in 0..24u32,
        minute in 0..60u32,
    ) {
        let schedule = schedule(&format!("{minute} {hour} * * *"), tz);
        let first_day = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
        let start = first_day.and_hms_opt(hour, minute, 0).unwrap();
        let start = resolve(tz, start).unwrap().first() - TimeDelta::seconds(1);
        let mut runs = schedule.upcoming(start, 366).into_iter();
        let mut previous = start;
        for day in first_day.iter_days().take(366) {
            let local = day.and_hms_opt(hour, minute, 0).unwrap();
            if !schedule.exists(day) {
                continue;
            }
            let Some(run) = runs.next() else { break };
            prop_assert_eq!(run, by_walking(tz, local), "{} {}", tz, local);
            prop_assert!(run > previous, "{} {}: not after {}", tz, run, previous);
            previous = run;
        }
    }

    #[test]
    fn runs_only_ever_go_forward(
        tz in proptest::sample::select(ZONES.to_vec()),
        text in proptest::sample::select(vec![
            "*/7 * * * *", "0 */5 * * *", "*/20 1-3 * * *", "0,30 0,1,2,3,23 * * *", "30 2,14 * * *",
            "*/15 23,0,1 * * 6,0", "0 0 0,2 * * *", "15 3 L * *",
        ]),
        start in 800_000_000i64..2_100_000_000,
    ) {
        let schedule = schedule(text, tz);
        let start = Utc.timestamp_opt(start, 0).unwrap();
        let mut previous = start;
        for run in schedule.upcoming(start, 200) {
            prop_assert!(run > previous, "`{}` in {}: {} after {}", text, tz, run, previous);
            // Nothing lies between: asking from just before gives the same run.
            prop_assert_eq!(schedule.next_after(run - TimeDelta::milliseconds(1)), Some(run));
            previous = run;
        }
        prop_assert!(previous > start);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[0-9*/,#LW?+@A-Z -]{0,24}|\\PC{0,20}") {
        let _ = Schedule::parse(&text, Tz::UTC);
    }
}
