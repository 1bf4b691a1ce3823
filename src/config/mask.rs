//! What of a file may be shown in an excerpt.
//!
//! Works on the text and not on what was parsed from it, since the lines that need masking most are those of
//! files that cannot be parsed. It rather hides too much: a masked comment costs nothing.

use std::ops::Range;

/// The names a secrets file has, in the order of the contract.
pub(super) const SECRET_KEYS: [&str; 4] = ["consumer_key", "consumer_secret", "token", "token_secret"];

/// What a masked stretch looks like.
pub(super) const DOTS: &str = "••••••••";

/// What must not be shown of `sellerd.toml` or a job file: whatever follows a word that names a secret, and
/// passwords in URLs.
pub(super) fn ordinary(text: &str) -> Vec<Range<usize>> {
    let mut masks: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let mut next = end + 1;
        if let Some(value) = secret_value(text, start, end) {
            let stop = value_end(text, value, end);
            masks.extend((value < stop).then_some(value..stop));
            next = next.max(stop);
        } else {
            masks.extend(user_info(&text[start..end]).map(|found| start + found.start..start + found.end));
        }
        start = next;
    }
    masks
}

/// What must not be shown of a secrets file: everything but the four names themselves.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut masks = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        let end = start + line.len();
        let from = match line.split_once('=') {
            Some((key, value)) if SECRET_KEYS.contains(&key.trim()) => {
                let blanks = value.len() - value.trim_start().len();
                // An empty value hides nothing, and it is worth showing that it is empty.
                let empty =
                    value.trim_start().starts_with("\"\"") && !value.trim_start().starts_with("\"\"\"");
                start + key.len() + 1 + blanks + if empty { 2 } else { 0 }
            }
            _ => start,
        };
        if from < end {
            masks.push(from..end);
        }
        start = end + 1;
    }
    masks
}

/// Whether a word names a secret, or nearly does: a typing error must not show what it hides.
pub(super) fn names_a_secret(word: &str) -> bool {
    const PARTS: [&str; 8] =
        ["secret", "passw", "passphrase", "credential", "api_key", "apikey", "private_key", "bearer"];
    const NAMES: [&str; 8] = [
        "consumer_key",
        "consumer_secret",
        "token",
        "token_secret",
        "app_token",
        "app_secret",
        "access_token",
        "password",
    ];
    // Settings that are about secrets and hold none.
    const OURS: [&str; 3] = ["token_expires", "token_lifetime", "credentials_command"];
    let word = word.to_ascii_lowercase().replace('-', "_");
    !OURS.contains(&word.as_str())
        && word.len() >= 4
        && word.len() <= 40
        && (PARTS.iter().any(|part| word.contains(part))
            || word.ends_with("_token")
            || word.starts_with("token_")
            || NAMES.iter().any(|name| strsim::damerau_levenshtein(&word, name) <= 1 + name.len() / 12))
}

/// Where the value begins that follows a secret's name between `start` and `end`.
fn secret_value(text: &str, start: usize, end: usize) -> Option<usize> {
    let line = &text[start..end];
    let mut at = 0;
    for word in line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')) {
        let after = at + word.len();
        if names_a_secret(word) {
            let rest = &line[after..];
            let value =
                rest.trim_start_matches(['"', '\'']).trim_start().trim_start_matches(['=', ':']).trim_start();
            // Where a comment ends with such a word, nothing has to follow.
            let nothing = value.is_empty() && line.trim_start().starts_with('#');
            return (!nothing).then_some(start + after + (rest.len() - value.len()));
        }
        at = after + line[after..].chars().next().map_or(0, char::len_utf8);
    }
    None
}

/// Where a value ends that begins at `value`, in a line that ends at `end`. One that is not there or whose quotes
/// are open has slipped into the next line.
fn value_end(text: &str, value: usize, end: usize) -> usize {
    let rest = &text[value..];
    let closing = [("\"\"\"", "\"\"\""), ("'''", "'''"), ("[", "]"), ("{", "}")]
        .into_iter()
        .find(|(open, _)| rest.starts_with(open));
    match closing {
        None if slipped(&text[value..end]) => {
            let next = (end + 1).min(text.len());
            text[next..].find('\n').map_or(text.len(), |at| next + at)
        }
        None => end,
        Some((open, close)) => rest[open.len()..]
            .find(close)
            .map_or(text.len(), |at| (value + open.len() + at + close.len()).max(end)),
    }
}

/// Whether a value goes on in the next line, by mistake.
fn slipped(value: &str) -> bool {
    let value = value.trim();
    match value.chars().next() {
        None => true,
        Some(quote @ ('"' | '\'')) => !value[1..].contains(quote),
        Some(_) => false,
    }
}

/// The `user:password` of a URL.
fn user_info(line: &str) -> Option<Range<usize>> {
    let from = line.find("://")? + 3;
    let host = line[from..].find(['/', '"', '\'', ' ']).map_or(line.len(), |at| from + at);
    let at = line[from..host].rfind('@')?;
    (at > 0).then_some(from..from + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(text: &str, masks: Vec<Range<usize>>) -> String {
        let mut out = text.to_owned();
        for mask in masks.into_iter().rev() {
            out.replace_range(mask, "#");
        }
        out
    }

    #[test]
    fn whatever_follows_the_name_of_a_secret_is_hidden() {
        let check = |text: &str, wanted: &str| assert_eq!(masked(text, ordinary(text)), wanted, "{text}");
        check("app_secret = \"abc\"", "app_secret = #");
        check("\"token\": \"abc\"", "\"token\": #");
        check("consumer-secrt abc", "consumer-secrt #");
        check("x = { token_secret = \"abc\" }", "x = { token_secret = #");
        check("token = \"\"\"\nabc\ndef\"\"\"\nlevel = 1", "token = #\nlevel = 1");
        check("token = [\n\"abc\",\n]\nlevel = 1", "token = #\nlevel = 1");
        check("password = \"\"\"\nabc", "password = #");
        check("token = \nabc\nlevel = 1", "token = #\nlevel = 1");
        check("token = \"\nabc\"\nlevel = 1", "token = #\nlevel = 1");
        check("token\n= abc\nlevel = 1", "token#\nlevel = 1");
        check("# about the token\nlevel = 1", "# about the token\nlevel = 1");
        check("base_url = \"https://me:pw@host/x\"", "base_url = \"https://#@host/x\"");
        check("schedule = \"* * * * *\"", "schedule = \"* * * * *\"");
    }

    #[test]
    fn of_a_secrets_file_only_the_names_are_shown() {
        assert_eq!(masked("token = \"\"", secrets("token = \"\"")), "token = \"\"");
        let text = "# old abc\nconsumer_key = \"abc\"\nabc\ntoken\t=abc # abc\n= abc\nabc = \"x\"\n";
        assert!(!masked(text, secrets(text)).contains("abc"));
        assert!(masked(text, secrets(text)).contains("consumer_key = #"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn masks_fall_on_whole_characters(text in "([a-z =\"'\\[\n🦀é@:/]|token|secret){0,60}") {
            for mask in ordinary(&text).into_iter().chain(secrets(&text)) {
                prop_assert!(mask.end <= text.len() && text.get(mask).is_some());
            }
        }
    }
}
