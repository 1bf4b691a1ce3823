//! The secrets that we write ourselves: `state_dir/secrets`, a file an account.
//!
//! A file takes the place of another in one step and is on the disk before anybody relies on it, so that a crash
//! leaves the old login or the new one. Nobody but us may look into the directory.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::mask::SECRET_KEYS;
use super::values::secret_line;
pub use crate::domain::Pair;
use crate::domain::{AccountName, Credentials, Wiped, taken};

/// The pairs of one account, as far as somebody has given them.
#[derive(Debug, Clone, Default)]
pub struct Pairs {
    /// The app's.
    pub consumer: Option<Pair>,
    /// The login's.
    pub token: Option<Pair>,
}

/// The directory.
#[derive(Debug, Clone)]
pub struct Vault {
    dir: PathBuf,
}

/// The most that is read of a file. Ours have a few hundred bytes.
const LARGEST: usize = 64 * 1024;

/// Why a file of secrets cannot be read or written. It never says what is in one.
#[derive(Debug, thiserror::Error)]
#[error("{} {what}: {why}", path.display())]
pub struct VaultError {
    path: PathBuf,
    what: &'static str,
    why: io::Error,
}

impl Vault {
    /// The one in a state directory.
    pub fn of(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("secrets") }
    }

    /// Where an account's pairs are.
    pub fn path(&self, account: &AccountName) -> PathBuf {
        self.dir.join(format!("{account}.toml"))
    }

    /// The pairs that we have written for an account. A file that a person has broken counts as none: it is replaced.
    pub fn pairs(&self, account: &AccountName) -> Result<Pairs, VaultError> {
        let text = self.read(&format!("{account}.toml"))?;
        Ok(text.and_then(|text| Pairs::from_toml(&text).ok()).unwrap_or_default())
    }

    /// Keeps the pairs of an account.
    pub fn keep(&self, account: &AccountName, pairs: &Pairs) -> Result<(), VaultError> {
        let mut values = Vec::new();
        for (pair, keys) in [(&pairs.consumer, &SECRET_KEYS[..2]), (&pairs.token, &SECRET_KEYS[2..])] {
            if let Some((first, second)) = pair {
                values.extend([(keys[0], first.expose_secret()), (keys[1], second.expose_secret())]);
            }
        }
        self.keep_values(&format!("{account}.toml"), &values)
    }

    /// Writes names and values as the lines of a file.
    pub fn keep_values(&self, file: &str, values: &[(&str, &str)]) -> Result<(), VaultError> {
        let mut text = Wiped::default();
        text.push(b"# Written by `sellerd auth`; `sellerd auth logout` takes it away.\n");
        for (name, value) in values {
            text.push(secret_line(name, value, "").as_bytes());
        }
        self.write(file, &text)
    }

    /// The values of such a file by their names; `None` when there is none, or a person has broken it.
    pub fn values(&self, file: &str) -> Result<Option<BTreeMap<String, SecretString>>, VaultError> {
        let text = self.read(file)?;
        Ok(text.and_then(|text| toml::from_str(&text).ok()))
    }

    /// Forgets the pairs of an account; `false` if there were none.
    pub fn forget(&self, account: &AccountName) -> Result<bool, VaultError> {
        self.remove(&format!("{account}.toml"))
    }

    fn read(&self, file: &str) -> Result<Option<Zeroizing<String>>, VaultError> {
        let read = || {
            let file = File::open(self.dir.join(file))?;
            let len = usize::try_from(file.metadata()?.len()).unwrap_or(LARGEST);
            Wiped::read(file, len, LARGEST)
        };
        match read() {
            // What is no text is broken like what is no TOML.
            Ok(bytes) => Ok(bytes.into_text().ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(why) => Err(self.error(file, "cannot be read", why)),
        }
    }

    /// Writes a file in the place of another that may be there.
    fn write(&self, file: &str, text: &[u8]) -> Result<(), VaultError> {
        let put = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
            fs::set_permissions(&self.dir, fs::Permissions::from_mode(0o700))?;
            // Made with mode 0600, under a name that is read by nobody.
            let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.dir)?;
            new.write_all(text)?;
            new.as_file().sync_all()?;
            new.persist(self.dir.join(file))?;
            File::open(&self.dir)?.sync_all()
        };
        put().map_err(|why| self.error(file, "cannot be written", why))
    }

    /// Takes a file away; `false` if there was none.
    pub fn remove(&self, file: &str) -> Result<bool, VaultError> {
        match fs::remove_file(self.dir.join(file)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(why) => Err(self.error(file, "cannot be taken away", why)),
        }
    }

    fn error(&self, file: &str, what: &'static str, why: io::Error) -> VaultError {
        VaultError { path: self.dir.join(file), what, why }
    }
}

impl Pairs {
    /// What a text says that somebody brings: a secrets file, or the bare values, one a line, all four or two. The error
    /// says what is wrong with it and nothing of what it says.
    pub fn from_text(text: &str, two_are_consumer: bool) -> Result<Self, String> {
        if SECRET_KEYS.iter().any(|key| text.lines().any(|line| names(line, key))) {
            return Self::from_toml(text);
        }
        let values: Vec<&str> = text.split_whitespace().collect();
        let pair = |at: usize| pair(values[at], values[at + 1]);
        match values.len() {
            4 => Ok(Self { consumer: Some(pair(0)), token: Some(pair(2)) }),
            2 if two_are_consumer => Ok(Self { consumer: Some(pair(0)), token: None }),
            2 => Ok(Self { consumer: None, token: Some(pair(0)) }),
            found => Err(format!(
                "there are {found} values; write all four or one pair, one value a line, or the lines of a secrets file"
            )),
        }
    }

    /// What a secrets file says.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let table = DeTable::parse(text)
            .map_err(|_| "it is no TOML: write  name = \"value\"  on each line".to_owned())?
            .into_inner();
        if let Some(other) = table.keys().find(|key| !SECRET_KEYS.contains(&key.get_ref().as_ref())) {
            let other = other.get_ref().as_ref();
            // A name that is long or odd may be a value in the wrong place.
            let harmless = other.len() <= 24 && other.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let other = if harmless { other } else { "…" };
            return Err(format!("it has `{other}`, which is none of {}", SECRET_KEYS.join(", ")));
        }
        let mut values: [Option<SecretString>; 4] = Default::default();
        for (key, value) in table {
            // None of another name is left.
            let Some(at) = SECRET_KEYS.iter().position(|known| *known == key.get_ref().as_ref()) else {
                continue;
            };
            values[at] = match value.into_inner() {
                DeValue::String(text) => taken(text),
                _ => return Err(format!("`{}` must be text in quotes", SECRET_KEYS[at])),
            };
        }
        let mut both = |at: usize| match (values[at].take(), values[at + 1].take()) {
            (Some(first), Some(second)) => Ok(Some((first, second))),
            (None, None) => Ok(None),
            (first, _) => {
                let (there, gone) = if first.is_some() { (at, at + 1) } else { (at + 1, at) };
                Err(format!("`{}` is there without its `{}`", SECRET_KEYS[there], SECRET_KEYS[gone]))
            }
        };
        Ok(Self { consumer: both(0)?, token: both(2)? })
    }

    /// Those of credentials in use.
    pub fn of(credentials: &Credentials) -> Self {
        let consumer = (credentials.consumer_key.clone(), credentials.consumer_secret.clone());
        Self { consumer: Some(consumer), token: credentials.token.clone() }
    }

    /// What these and, where they say nothing, `others` sign with; `None` without an app's pair.
    pub fn or(&self, others: &Self) -> Option<Credentials> {
        let (key, secret) = self.consumer.clone().or_else(|| others.consumer.clone())?;
        let token = self.token.clone().or_else(|| others.token.clone());
        Some(Credentials { consumer_key: key, consumer_secret: secret, token })
    }
}

fn pair(first: &str, second: &str) -> Pair {
    (first.trim().into(), second.trim().into())
}

fn names(line: &str, key: &str) -> bool {
    line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(pairs: &Pairs) -> [Option<(String, String)>; 2] {
        [&pairs.consumer, &pairs.token].map(|pair| {
            let (first, second) = pair.as_ref()?;
            Some((first.expose_secret().to_owned(), second.expose_secret().to_owned()))
        })
    }

    #[test]
    fn what_is_kept_is_ours_alone_and_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let (vault, account) = (Vault::of(&dir.path().join("state")), AccountName::from("nz"));
        assert_eq!(shown(&vault.pairs(&account).unwrap()), [None, None]);
        let pairs = Pairs { consumer: None, token: Some(pair("a\"b", "c\\d")) };
        vault.keep(&account, &Pairs::default()).unwrap();
        vault.keep(&account, &pairs).unwrap();
        assert_eq!(shown(&vault.pairs(&account).unwrap()), shown(&pairs));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&vault.path(&account)), 0o600);
        assert_eq!(mode(&dir.path().join("state/secrets")), 0o700);
        assert_eq!(
            fs::read_dir(dir.path().join("state/secrets")).unwrap().count(),
            1,
            "nothing is left over"
        );
        assert!(vault.forget(&account).unwrap());
        assert!(!vault.forget(&account).unwrap());
    }

    #[test]
    fn bare_values_and_a_secrets_file_say_the_same() {
        let four = Pairs::from_text(" a\n\tb \r\nc\nd\n\n", true).unwrap();
        let file =
            "consumer_key = \" a \"\nconsumer_secret=\"b\"\n# c\ntoken = \"c\"\ntoken_secret = \"d\"\n";
        assert_eq!(shown(&four), shown(&Pairs::from_text(file, true).unwrap()));
        let two = |consumer| shown(&Pairs::from_text("a b", consumer).unwrap());
        assert!(two(true)[0].is_some() && two(true)[1].is_none());
        assert!(two(false)[0].is_none() && two(false)[1].is_some());
    }

    #[test]
    fn what_cannot_be_used_is_not_repeated() {
        for text in [
            "canary",
            "canary canary canary",
            "token = canary\ntoken_secret = \"canary\"",
            "token = \"canary\"",
            "token = 7\ntoken_secret = \"canary\"",
            "token = \"canary\"\ncanary-Canary = \"x\"",
        ] {
            let why = Pairs::from_text(text, true).unwrap_err();
            assert!(!why.to_lowercase().contains("canary"), "{why}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_pair_comes_back(first in "\\S(\\PC{0,20}\\S)?", second in "\\S(\\PC{0,20}\\S)?") {
            let dir = tempfile::tempdir().unwrap();
            let (vault, account) = (Vault::of(dir.path()), AccountName::from("x"));
            let pairs = Pairs { consumer: Some(pair(&first, &second)), token: None };
            vault.keep(&account, &pairs).unwrap();
            prop_assert_eq!(shown(&vault.pairs(&account).unwrap()), shown(&pairs));
        }
    }
}
