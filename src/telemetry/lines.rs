//! One event as a line of text. Whatever an event carries, it stays one line and cannot steer a terminal.

use std::fmt::Write;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use serde_json::Value;
use tracing::{Level, Metadata};

use super::fields::Fields;

/// How a line is drawn, once the surroundings are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `14:31:07 info  order-poll  2 new orders  requests=3`.
    Pretty {
        /// With ANSI colours.
        color: bool,
    },
    /// logfmt behind a priority such as `<6>`; journald has the time.
    Journal,
    /// logfmt with the time.
    Logfmt,
    /// One JSON object.
    Json,
}

/// An event with everything that is known about it.
pub(super) struct Line {
    at: DateTime<Utc>,
    level: Level,
    /// The event's name, or, for what a library says, the library's module.
    origin: (&'static str, Value),
    message: Value,
    fields: Fields,
}

/// The fields that come right after the service's own, in this order.
const FIRST: [&str; 3] = ["account", "job", "run.id"];

impl Line {
    pub(super) fn new(at: DateTime<Utc>, metadata: &Metadata<'_>, mut fields: Fields) -> Self {
        let message = fields.take("message").unwrap_or_default();
        let origin = match fields.take("event") {
            Some(event) => ("event", event),
            None => ("target", metadata.target().into()),
        };
        Self { at, level: *metadata.level(), origin, message, fields }
    }

    /// The line with its line end.
    pub(super) fn draw(&self, style: Style) -> String {
        match style {
            Style::Pretty { color } => self.pretty(color),
            Style::Journal => format!("<{}>{}", self.priority(), self.logfmt(None)),
            Style::Logfmt => self.logfmt(Some(self.timestamp())),
            Style::Json => self.json(),
        }
    }

    fn pretty(&self, color: bool) -> String {
        let paint = |code: &str, text: &str| match color {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let code = match self.level {
            Level::ERROR => "31",
            Level::WARN => "33",
            Level::INFO => "32",
            _ => "2",
        };
        let time = self.at.with_timezone(&Local).format("%H:%M:%S").to_string();
        let mut line = format!("{} {}", paint("2", &time), paint(code, &format!("{:<5}", self.level_word())));
        let job = self.fields.iter().find(|(name, _)| *name == "job");
        let words = [job.map(|(_, job)| plain(job)), Some(plain(&self.message))];
        for text in words.into_iter().flatten().filter(|text| !text.is_empty()) {
            // Writing to a string cannot fail.
            let _ = write!(line, "  {}", escaped(&text));
        }
        let rest = self.fields.iter().filter(|(name, _)| *name != "job");
        let mut shown: Vec<String> = rest.map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        if self.origin.0 == "target" || self.message.is_null() {
            shown.insert(0, format!("{}={}", self.origin.0, quoted(&self.origin.1)));
        }
        if !shown.is_empty() {
            let _ = write!(line, "  {}", paint("2", &shown.join(" ")));
        }
        line.push('\n');
        line
    }

    fn logfmt(&self, timestamp: Option<String>) -> String {
        let all = self.all(timestamp);
        let pairs: Vec<String> =
            all.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        pairs.join(" ") + "\n"
    }

    fn json(&self) -> String {
        let all = self.all(Some(self.timestamp()));
        let pairs: Vec<String> =
            all.iter().map(|(name, value)| format!("{}:{value}", Value::from(*name))).collect();
        // JSON lets DEL, the C1 controls and direction marks through as they are; a terminal might obey them.
        let mut line = String::new();
        for c in format!("{{{}}}", pairs.join(",")).chars() {
            match c {
                c if steers(c) => _ = write!(line, "\\u{:04x}", u32::from(c)),
                c => line.push(c),
            }
        }
        line.push('\n');
        line
    }

    /// Every field in the order of the contract: the base fields, then the event's own.
    fn all(&self, timestamp: Option<String>) -> Vec<(&'static str, Value)> {
        let mut all = Vec::new();
        all.extend(timestamp.map(|ts| ("ts", ts.into())));
        all.push(("level", self.level_word().into()));
        all.push(self.origin.clone());
        all.push(("msg", plain(&self.message).into()));
        all.push(("service.name", env!("CARGO_PKG_NAME").into()));
        all.push(("service.version", env!("CARGO_PKG_VERSION").into()));
        let own = |name: &'static str| self.fields.iter().find(move |(known, _)| *known == name);
        all.extend(FIRST.into_iter().filter_map(own).map(|(name, value)| (name, value.clone())));
        let taken: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let rest = self.fields.iter().filter(|(name, _)| !taken.contains(name));
        let rest: Vec<_> = rest.map(|(name, value)| (name, value.clone())).collect();
        all.extend(rest);
        all
    }

    fn timestamp(&self) -> String {
        self.at.to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    fn level_word(&self) -> &'static str {
        match self.level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        }
    }

    /// syslog's number, as `sd-daemon(3)` has it.
    fn priority(&self) -> u8 {
        match self.level {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        }
    }
}

/// A value's text, without quotation marks.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as logfmt has it: in quotation marks where a reader could not tell its end otherwise.
fn quoted(value: &Value) -> String {
    let text = plain(value);
    let bare = !text.is_empty() && !text.chars().any(|c| matches!(c, ' ' | '=' | '"' | '\\') || steers(c));
    if bare { text } else { format!("\"{}\"", escaped(&text.replace('\\', "\\\\").replace('"', "\\\""))) }
}

/// Text with every character escaped that could end the line or steer a terminal.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if steers(c) => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}

/// Control characters, line separators, and marks that turn the direction of text.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
