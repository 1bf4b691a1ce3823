//! The text of a schedule, read into fields, with errors that name the field.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use chrono::{Datelike, NaiveDate, NaiveTime};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::Weekday;

use super::ScheduleError;

/// The fields of a schedule, without a zone.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    cron: Cron,
    /// Present where every time of day is written out.
    times: Option<Times>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Reads `text`, or finds what was read from the same text before: a parsed pattern takes 6 KB, and a
    /// directory of jobs has few different ones.
    pub(super) fn shared(text: &str) -> Result<Arc<Self>, ScheduleError> {
        static KNOWN: LazyLock<Mutex<HashMap<String, Weak<Pattern>>>> = LazyLock::new(Mutex::default);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pattern) = known.get(text).and_then(Weak::upgrade) {
            return Ok(pattern);
        }
        let pattern = Arc::new(Self::read(text)?);
        known.retain(|_, pattern| pattern.strong_count() > 0);
        known.insert(text.to_owned(), Arc::downgrade(&pattern));
        Ok(pattern)
    }

    fn read(text: &str) -> Result<Self, ScheduleError> {
        let expanded = nickname(text.trim()).unwrap_or(text.trim());
        let fields: Vec<&str> = expanded.split_whitespace().collect();
        let known = match fields.len() {
            5 => &FIELDS[1..],
            6 => &FIELDS[..],
            0 => return Err(invalid("this is empty")),
            1 => return Err(invalid("this has only one field")),
            n => return Err(invalid(&format!("this has {n} fields"))),
        };
        for (position, (text, field)) in fields.iter().zip(known).enumerate() {
            field.check(text, position, fields.len())?;
        }
        let cron = parse(expanded).map_err(|error| invalid(&plain(&error)))?;
        let (times_of_day, days) = fields.split_at(fields.len() - 3);
        let times = Times::written_out(times_of_day, &cron);
        let pattern = Self { text: text.to_owned(), cron, times };
        match NaiveDate::from_ymd_opt(2000, 1, 1).and_then(|day| pattern.day_from(day)) {
            Some(_) => Ok(pattern),
            None => Err(ScheduleError::NeverFires(pattern.why_never(&days.join(" ")))),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cron(&self) -> &Cron {
        &self.cron
    }

    pub(super) fn times(&self) -> Option<&Times> {
        self.times.as_ref()
    }

    /// Whether it is due on that calendar day.
    pub(super) fn falls_on(&self, day: NaiveDate) -> bool {
        let weekday = Weekday::from_days_from_sunday(day.weekday().num_days_from_sunday());
        let pattern = &self.cron.pattern;
        pattern.month_match(day.month()).unwrap_or(false)
            && pattern.day_match(day.year(), day.month(), day.day(), weekday).unwrap_or(false)
    }

    /// The first such day that is not before `day`, if there is one at all.
    pub(super) fn day_from(&self, day: NaiveDate) -> Option<NaiveDate> {
        // The longest wait is that for a 29 February on a given weekday across a year such as 2100: 40 years.
        day.iter_days().take(41 * 366).find(|day| self.falls_on(*day))
    }

    fn why_never(&self, days: &str) -> String {
        let pattern = &self.cron.pattern;
        match (pattern.days.values().as_slice(), pattern.months.values().as_slice()) {
            ([day], [month @ 1..=12]) if pattern.is_dow_wildcard() => {
                format!("{day} {} does not exist; {FIVE_FIELDS}", MONTHS[usize::from(*month) - 1])
            }
            _ => format!("no calendar day fits `{days}`; {FIVE_FIELDS}"),
        }
    }
}

/// The times of day of a schedule that writes all of them out, in order. Kept as the three lists, not multiplied.
#[derive(Debug)]
pub(super) struct Times {
    hours: Vec<u16>,
    minutes: Vec<u16>,
    seconds: Vec<u16>,
}

impl Times {
    fn written_out(fields: &[&str], cron: &Cron) -> Option<Self> {
        let numbers = |field: &&str| field.chars().all(|c| c.is_ascii_digit() || c == ',');
        let pattern = &cron.pattern;
        fields.iter().all(numbers).then(|| Self {
            hours: pattern.hours.values(),
            minutes: pattern.minutes.values(),
            seconds: pattern.seconds.values(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.hours.len() * self.minutes.len() * self.seconds.len()
    }

    /// The time of day at `index`, counted from the earliest.
    pub(super) fn nth(&self, index: usize) -> Option<NaiveTime> {
        let (index, second) = (index / self.seconds.len(), index % self.seconds.len());
        let (hour, minute) = (index / self.minutes.len(), index % self.minutes.len());
        let hour = *self.hours.get(hour)?;
        NaiveTime::from_hms_opt(hour.into(), self.minutes[minute].into(), self.seconds[second].into())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = NaiveTime> + '_ {
        (0..self.len()).filter_map(|index| self.nth(index))
    }
}

/// One of the fields, for telling what is wrong with it.
struct Field {
    name: &'static str,
    range: &'static str,
}

const FIELDS: [Field; 6] = [
    Field { name: "second", range: "0 to 59" },
    Field { name: "minute", range: "0 to 59" },
    Field { name: "hour", range: "0 to 23" },
    Field { name: "day-of-month", range: "1 to 31" },
    Field { name: "month", range: "1 to 12 or JAN to DEC" },
    Field { name: "day-of-week", range: "0 to 7 or SUN to SAT" },
];

impl Field {
    /// Reads `text` alone, all other fields being `*`, so that the error can name this one.
    fn check(&self, text: &str, position: usize, count: usize) -> Result<(), ScheduleError> {
        let Self { name, range } = self;
        let wrong = |what: &str| invalid(&format!("{name} `{text}`: {what} (it goes from {range})"));
        if text.split(',').any(str::is_empty) {
            return Err(wrong("a value is missing beside a comma"));
        }
        let mut alone = vec!["*"; count];
        alone[position] = text;
        parse(&alone.join(" ")).map(drop).map_err(|error| wrong(&plain(&error)))
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const FIVE_FIELDS: &str =
    "the five fields are: minute hour day-of-month month day-of-week (or six, with the seconds first)";

fn invalid(what: &str) -> ScheduleError {
    ScheduleError::Invalid(format!("{what}; {FIVE_FIELDS}"))
}

fn parse(text: &str) -> Result<Cron, CronError> {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build().parse(text)
}

/// croner's words as a fragment: without its heading, its full stop and its capital.
fn plain(error: &CronError) -> String {
    if matches!(error, CronError::IllegalCharacters(_)) {
        return "has a character that does not belong there".to_owned();
    }
    let text = error.to_string();
    let mut text = text.rsplit(": ").next().unwrap_or(&text).trim_end_matches('.').to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

/// crontab's short names, written out.
fn nickname(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return None,
    })
}
