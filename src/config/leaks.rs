//! Secrets that were written where they do not belong.

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Code, Wrong, shown};
use super::mask::{SECRET_KEYS, names_a_secret};
use super::source::Source;
use super::toml_errors::Tree;
use crate::marketplace;

/// Complains about every secret in the tree, hides it from all excerpts and takes it out.
pub(super) fn take_out(source: &mut Source<'_>, tree: &mut Tree<'_>) {
    visit(source, tree.get_mut(), &mut Vec::new());
}

fn visit(source: &mut Source<'_>, table: &mut DeTable<'_>, path: &mut Vec<String>) {
    let mut secrets = Vec::new();
    for (key, value) in table.iter_mut() {
        let name = key.get_ref().to_string();
        match value.get_mut() {
            DeValue::Table(inner) => {
                path.push(name);
                visit(source, inner, path);
                path.pop();
            }
            _ if names_a_secret(&name) => {
                source.hide(value.span());
                source.wrong(value.span(), leak(&name, path));
                secrets.push(name);
            }
            _ => {}
        }
    }
    for name in secrets {
        table.remove(name.as_str());
    }
}

fn leak(name: &str, path: &[String]) -> Wrong {
    let account = match path {
        [accounts, account] if accounts == "accounts" => shown(account),
        _ => "<account>".to_owned(),
    };
    let known = marketplace::ALL.iter().find_map(|descriptor| {
        let word = name.to_ascii_lowercase().replace(['-', '_'], " ");
        descriptor.credential_names.iter().position(|known| *known == word)
    });
    let key = known.map_or(shown(name), |at| SECRET_KEYS[at].to_owned());
    let key = if SECRET_KEYS.contains(&key.as_str()) { format!(" as `{key}`") } else { String::new() };
    Wrong::new(
        Code::SecretInConfig,
        "a secret is written in the config file",
        format!("move it to secrets/{account}.toml{key}, and run  chmod 600  on that file"),
    )
    .label("readable by everyone who can read this file")
}

#[cfg(test)]
mod tests {
    use super::super::job::COMMON_KEYS;
    use super::*;

    #[test]
    fn no_setting_of_ours_is_taken_for_a_secret() {
        let options =
            marketplace::ALL.iter().flat_map(|d| d.options.iter().map(|o| o.key).chain([d.limit_key]));
        for key in COMMON_KEYS.iter().copied().chain(options).chain(super::super::account::COMMON_KEYS) {
            assert!(!names_a_secret(key), "{key}");
        }
        for (_, text) in super::super::samples::SAMPLES {
            for key in text.parse::<toml::Table>().unwrap().keys() {
                assert!(!names_a_secret(key), "{key}");
            }
        }
    }

    #[test]
    fn the_fix_names_the_file_and_the_key() {
        let path = ["accounts".to_owned(), "cm-main".to_owned()];
        assert_eq!(
            leak("app_secret", &path).fix,
            "move it to secrets/cm-main.toml as `consumer_secret`, and run  chmod 600  on that file"
        );
        assert!(leak("password", &[]).fix.starts_with("move it to secrets/<account>.toml, and"));
    }
}
