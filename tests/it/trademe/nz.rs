//! What an account at the pretend Trade Me looks like in a configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sellerd::sandbox::Keys;

use crate::support::Place;

/// Settings without an account.
pub const SETTINGS: &str = "config_version = 1\ntimezone = \"Pacific/Auckland\"\nstate_dir = \"state\"\n\n\
    [http]\nlisten = \"off\"\n";

/// An account, with further keys.
pub fn account(name: &str, base_url: &str, more: &str) -> String {
    format!(
        "\n[accounts.{name}]\nmarketplace = \"trademe\"\nbase_url = \"{base_url}\"\nmax_per_second = 50\n\
         request_timeout = \"10s\"\n{more}\n"
    )
}

/// Adds the account `nz` at the place's second shop, with a job of each kind.
pub fn join(place: &Place) {
    let settings = fs::read_to_string(place.dir().join("sellerd.toml")).expect("a file");
    let account = account("nz", &place.sandbox.trademe_base_url(), "");
    place.write("sellerd.toml", &(settings + &account));
    place.write_secrets("nz", place.sandbox.trademe_credentials());
    for kind in ["probe", "stock-pull", "order-poll"] {
        place.write_job(&format!("nz-{kind}"), kind, "0 0 1 1 *", "account = \"nz\"");
    }
}

/// A file of credentials.
pub fn secrets(keys: &Keys) -> String {
    format!(
        "consumer_key = \"{}\"\nconsumer_secret = \"{}\"\ntoken = \"{}\"\ntoken_secret = \"{}\"\n",
        keys.consumer_key, keys.consumer_secret, keys.token, keys.token_secret
    )
}

/// Writes a file that nobody else may read.
pub fn write(dir: &Path, file: &str, text: &str) {
    let path = dir.join(file);
    fs::create_dir_all(path.parent().expect("it is inside")).expect("a directory");
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
}
