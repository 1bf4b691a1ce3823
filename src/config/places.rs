//! Where configuration, credentials and state are looked for (contract, section 1).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The directory the packages use.
const SYSTEM: &str = "/etc/sellerd";

/// Places outside the configuration directory. A value, so that tests need neither the environment nor `/run`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// `$CREDENTIALS_DIRECTORY`, where systemd puts credentials.
    pub credentials_directory: Option<PathBuf>,
    /// `/run/secrets`, where container runtimes put them.
    pub run_secrets: Option<PathBuf>,
    /// The home directory, for the default of `state_dir`.
    pub home: Option<PathBuf>,
}

impl Places {
    /// The places of this process.
    pub fn of_process(env: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            credentials_directory: path("CREDENTIALS_DIRECTORY"),
            run_secrets: Some(PathBuf::from("/run/secrets")),
            home: path("HOME"),
        }
    }

    /// Where state is kept when `sellerd.toml` does not say; `None` when there is no home to keep it in.
    pub(super) fn default_state_dir(&self, config: &Path) -> Option<PathBuf> {
        if config == Path::new(SYSTEM) {
            return Some(PathBuf::from("/var/lib/sellerd"));
        }
        self.home.as_ref().map(|home| home.join(".local/state/sellerd"))
    }
}

/// The configuration directory: the flag, else `SELLERD_CONFIG`, else `/etc/sellerd` if it exists, else
/// `~/.config/sellerd`. A path to a `sellerd.toml` stands for its directory.
pub fn find_dir(flag: Option<PathBuf>, env: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let named = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let dir = flag.or_else(|| named("SELLERD_CONFIG")).unwrap_or_else(|| match named("HOME") {
        Some(home) if !Path::new(SYSTEM).exists() => home.join(".config/sellerd"),
        _ => PathBuf::from(SYSTEM),
    });
    match dir.parent() {
        Some(parent) if dir.file_name().is_some_and(|name| name == "sellerd.toml") => {
            if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }
        }
        _ => dir,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_over_the_environment_and_that_over_the_default() {
        let env = |name: &str| Some(OsString::from(if name == "HOME" { "/home/me" } else { "/from/env" }));
        assert_eq!(find_dir(Some("/flag".into()), env), Path::new("/flag"));
        assert_eq!(find_dir(None, env), Path::new("/from/env"));
        assert_eq!(find_dir(Some("/x/sellerd.toml".into()), env), Path::new("/x"));
        assert_eq!(find_dir(Some("sellerd.toml".into()), env), Path::new("."));
        let home = |name: &str| (name == "HOME").then(|| OsString::from("/home/me"));
        let wanted = if Path::new(SYSTEM).exists() {
            SYSTEM.into()
        } else {
            PathBuf::from("/home/me/.config/sellerd")
        };
        assert_eq!(find_dir(None, home), wanted);
        assert_eq!(find_dir(None, |_| None), Path::new(SYSTEM));
    }

    #[test]
    fn state_is_kept_apart_from_a_system_wide_configuration() {
        let places = Places { home: Some("/home/me".into()), ..Places::default() };
        assert_eq!(places.default_state_dir(Path::new(SYSTEM)), Some("/var/lib/sellerd".into()));
        assert_eq!(
            places.default_state_dir(Path::new("/srv/x")),
            Some("/home/me/.local/state/sellerd".into())
        );
        assert_eq!(Places::default().default_state_dir(Path::new("/srv/x")), None);
    }
}
