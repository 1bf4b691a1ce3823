//! Faults as people type them: `revoke --shop trademe`, `slow 30s --path /stock --next 3`, `5xx --rate 0.1 --for 5m`.

use std::str::FromStr;
use std::time::Duration;

use super::fault::{Fault, FaultKind};
use crate::domain::nearest;

/// Every name that [`Fault::parse`] knows, with what may follow it.
const FORMS: [(&str, &str); 39] = [
    ("revoke", "[--empty-body]"),
    ("reject-token", ""),
    ("restore", ""),
    ("5xx", ""),
    ("500", ""),
    ("502", ""),
    ("503", ""),
    ("504", ""),
    ("unavailable", ""),
    ("html", ""),
    ("garbage", ""),
    ("truncate-body", ""),
    ("truncate-json", ""),
    ("drop-before", ""),
    ("drop-after", ""),
    ("late", "[SPAN]"),
    ("5xx-after", "[500|502|503|504]"),
    ("reject-items", "[ITEMS]"),
    ("shuffle-items", ""),
    ("failed-export", ""),
    ("stale-export", ""),
    ("slow", "[SPAN]"),
    ("never", ""),
    ("page-shift", "[sell|insert]"),
    ("duplicate-row", ""),
    ("bad-rows", "[ROWS]"),
    ("clock-skew", "[-]SPAN"),
    ("redirect", ""),
    ("redirect-away", "[URL]"),
    ("429", "[RETRY_AFTER]"),
    ("429-daily", ""),
    ("limit", "REQUESTS|none"),
    ("empty-stock", ""),
    ("error-in-200", "[short|long]"),
    ("huge", ""),
    ("maintenance", "[SPAN]"),
    ("unknown-field", ""),
    ("new-enum", ""),
    ("masked", ""),
];

impl Fault {
    /// Reads a fault from words of the command line. The error lists the known names, the nearest first.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let mut fault = Self::from(FaultKind::Restore);
        let mut empty_body = false;
        let mut plain = Vec::new();
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let (option, attached) = match word.split_once('=') {
                Some((option, value)) if option.starts_with("--") => (option, Some(value)),
                _ => (word, None),
            };
            let mut value = || {
                attached.or_else(|| words.next()).ok_or_else(|| format!("{option} needs a value after it"))
            };
            match option {
                "--shop" => fault.shop = Some(value()?.parse()?),
                "--path" => fault = fault.on(value()?),
                "--next" => fault.next = Some(read(option, value()?, "a number of requests")?),
                "--rate" => {
                    let rate: f64 = read(option, value()?, "a share between 0 and 1")?;
                    if !(0.0..=1.0).contains(&rate) {
                        return Err(format!("--rate {rate} is no share between 0 and 1"));
                    }
                    fault.rate = Some(rate);
                }
                "--for" => fault.for_seconds = Some(span(value()?)?.as_secs()),
                "--empty-body" => empty_body = true,
                "--writes" => fault.writes = true,
                _ if option.starts_with("--") => {
                    let known = ["--shop", "--path", "--next", "--rate", "--for", "--writes", "--empty-body"];
                    let hint = nearest(option, known).map(|near| format!("; did you mean {near}?"));
                    return Err(format!(
                        "unknown option {option}{}\nknown: {}",
                        hint.unwrap_or_default(),
                        known.join(" ")
                    ));
                }
                _ => plain.push(word),
            }
        }
        let (name, value) = match plain.as_slice() {
            [] => return Err(format!("which fault? {}", all_names())),
            [name] => (*name, None),
            [name, value] => (*name, Some(*value)),
            [_, _, extra, ..] => return Err(format!("'{extra}' is one word too many")),
        };
        fault.kind = kind(name, value, empty_body)?;
        if empty_body && !matches!(fault.kind, FaultKind::Revoke { .. }) {
            return Err(format!("--empty-body belongs to revoke, not to {name}"));
        }
        fault.check()?;
        Ok(fault)
    }
}

fn kind(name: &str, value: Option<&str>, empty_body: bool) -> Result<FaultKind, String> {
    let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == name) else {
        let hint = nearest(name, FORMS.map(|(known, _)| known));
        let hint = hint.map(|near| format!("; did you mean {near}?"));
        return Err(format!("there is no fault '{name}'{}\n{}", hint.unwrap_or_default(), all_names()));
    };
    match value {
        Some(value) if form.is_empty() || form.starts_with("[--") => {
            return Err(format!("{name} takes no value, but '{value}' follows it"));
        }
        None if name == "clock-skew" || !(form.is_empty() || form.starts_with('[')) => {
            return Err(format!("{name} needs a value: {name} {form}"));
        }
        _ => {}
    }
    let unknown = |value: &str| format!("{name} {value}: expected {name} {form}");
    Ok(match (name, value) {
        ("revoke", _) => FaultKind::Revoke { empty_body },
        ("reject-token", _) => FaultKind::RejectToken,
        ("restore", _) => FaultKind::Restore,
        ("5xx", _) => FaultKind::ServerError,
        ("500" | "502" | "503" | "504", _) => {
            FaultKind::Status { status: read("the status", name, "a status")? }
        }
        ("unavailable", _) => FaultKind::Unavailable,
        ("html", _) => FaultKind::Html,
        ("garbage", _) => FaultKind::Garbage,
        ("truncate-body", _) => FaultKind::TruncateBody,
        ("truncate-json", _) => FaultKind::TruncateJson,
        ("drop-before", _) => FaultKind::DropBefore,
        ("drop-after", _) => FaultKind::DropAfter,
        ("late", value) => FaultKind::Late {
            seconds: u32::try_from(span(value.unwrap_or("30s"))?.as_secs())
                .map_err(|_| unknown(value.unwrap_or_default()))?,
        },
        ("5xx-after", None) => FaultKind::StatusAfter { status: 502 },
        ("5xx-after", Some(status @ ("500" | "502" | "503" | "504"))) => {
            FaultKind::StatusAfter { status: read(name, status, "a status")? }
        }
        ("reject-items", value) => {
            FaultKind::RejectItems { items: read(name, value.unwrap_or("1"), "a number of articles")? }
        }
        ("shuffle-items", _) => FaultKind::ShuffleItems,
        ("failed-export", _) => FaultKind::FailedExport,
        ("stale-export", _) => FaultKind::StaleExport,
        ("slow", value) => FaultKind::Slow {
            millis: u64::try_from(span(value.unwrap_or("30s"))?.as_millis())
                .map_err(|_| unknown(value.unwrap_or_default()))?,
        },
        ("never", _) => FaultKind::Never,
        ("page-shift", None | Some("sell")) => FaultKind::PageShift { insert: false },
        ("page-shift", Some("insert")) => FaultKind::PageShift { insert: true },
        ("duplicate-row", _) => FaultKind::DuplicateRow,
        ("bad-rows", value) => {
            FaultKind::BadRows { rows: read(name, value.unwrap_or("3"), "a number of rows")? }
        }
        ("clock-skew", Some(value)) => {
            let (sign, length) = value.strip_prefix('-').map_or((1, value), |length| (-1, length));
            let seconds = i64::try_from(span(length)?.as_secs()).map_err(|_| unknown(value))?;
            FaultKind::ClockSkew { seconds: sign * seconds }
        }
        ("redirect", _) => FaultKind::Redirect,
        ("redirect-away", to) => FaultKind::RedirectAway { to: to.map(str::to_owned) },
        ("429", value) => FaultKind::TooMany { retry_after: read(name, value.unwrap_or("1"), "seconds")? },
        ("429-daily", _) => FaultKind::Exhaust,
        ("limit", Some("none")) => FaultKind::Limit { max: None },
        ("limit", Some(max)) => FaultKind::Limit { max: Some(read(name, max, "a number of requests")?) },
        ("empty-stock", _) => FaultKind::EmptyStock,
        ("error-in-200", None | Some("short")) => FaultKind::ErrorIn200 { long: false },
        ("error-in-200", Some("long")) => FaultKind::ErrorIn200 { long: true },
        ("huge", _) => FaultKind::Huge,
        ("maintenance", value) => FaultKind::Maintenance {
            seconds: u32::try_from(span(value.unwrap_or("4h"))?.as_secs())
                .map_err(|_| unknown(value.unwrap_or_default()))?,
        },
        ("unknown-field", _) => FaultKind::UnknownField,
        ("new-enum", _) => FaultKind::NewEnum,
        ("masked", _) => FaultKind::Masked,
        (_, value) => return Err(unknown(value.unwrap_or_default())),
    })
}

fn all_names() -> String {
    format!("known: {}", FORMS.map(|(name, _)| name).join(" "))
}

fn read<T: FromStr>(name: &str, value: &str, what: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} {value} is not {what}"))
}

fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("'{text}' is no length of time, such as 30s or 10m"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::venue::Venue;
    use super::*;

    fn parse(line: &str) -> Result<Fault, String> {
        Fault::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn faults_are_read_as_people_type_them() {
        let kinds = |kind: FaultKind| Ok(Fault::from(kind));
        assert_eq!(parse("revoke"), kinds(FaultKind::Revoke { empty_body: false }));
        assert_eq!(parse("revoke --empty-body"), kinds(FaultKind::Revoke { empty_body: true }));
        assert_eq!(parse("clock-skew -10m"), kinds(FaultKind::ClockSkew { seconds: -600 }));
        assert_eq!(parse("slow 30s"), kinds(FaultKind::Slow { millis: 30_000 }));
        assert_eq!(parse("limit none"), kinds(FaultKind::Limit { max: None }));
        assert_eq!(
            parse("late 40s --writes --next 1"),
            Ok(Fault::from(FaultKind::Late { seconds: 40 }).on_writes().next(1))
        );
        assert_eq!(parse("5xx-after 504"), kinds(FaultKind::StatusAfter { status: 504 }));
        assert_eq!(parse("reject-items"), kinds(FaultKind::RejectItems { items: 1 }));
        assert_eq!(parse("maintenance"), kinds(FaultKind::Maintenance { seconds: 14_400 }));
        assert_eq!(parse("html --shop trademe"), Ok(Fault::from(FaultKind::Html).at(Venue::Trademe)));
        assert_eq!(parse("page-shift insert"), kinds(FaultKind::PageShift { insert: true }));
        assert_eq!(
            parse("5xx --rate 0.1 --path stock --next=3 --for 5m"),
            Ok(Fault::from(FaultKind::ServerError).rate(0.1).on("/stock").next(3).for_seconds(300))
        );
    }

    #[test]
    fn every_listed_name_is_understood_and_goes_through_json() {
        for (name, form) in FORMS {
            let value = match form {
                "[-]SPAN" => "10m",
                "REQUESTS|none" => "10",
                _ => "",
            };
            let fault = parse(&format!("{name} {value}")).expect(name);
            let json = serde_json::to_string(&fault).expect("plain data");
            assert_eq!(serde_json::from_str::<Fault>(&json).expect("our own JSON"), fault, "{json}");
        }
    }

    #[test]
    fn a_typing_error_names_the_nearest_fault_and_all_others() {
        let error = parse("revok").expect_err("no such fault");
        assert!(error.starts_with("there is no fault 'revok'; did you mean revoke?"), "{error}");
        assert!(error.contains("truncate-body"));
        for line in [
            "",
            "html now",
            "slow soon",
            "clock-skew",
            "limit",
            "limit few",
            "html --rate 2",
            "html --nxt 2",
            "html --shop ebay",
            "masked --shop cardmarket",
            "html --next",
            "html --empty-body",
            "page-shift sideways",
            "bad-rows 1 2",
            "5xx-after 200",
            "reject-items --shop trademe",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_words_are_read_or_refused(words in proptest::collection::vec("\\PC{0,12}", 0..5)) {
            let _ = Fault::parse(&words);
        }
    }
}
