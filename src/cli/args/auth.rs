//! What can be typed about logins.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use secrecy::SecretString;

#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Brings credentials: asked for one by one, or from a file or stdin. They are never typed on the command line.
    Import(ImportOptions),
    /// Logs in: shows an address to open anywhere, and takes what comes back.
    Login(LoginOptions),
    /// Where every account stands, where its secrets come from, what will end, and what to do. Contacts nothing.
    Status,
    /// Asks the marketplace who we are, even if the account is blocked. Success makes it active.
    Test {
        /// The account.
        account: String,
    },
    /// Forgets what `import` and `login` have written for an account.
    Logout {
        /// The account.
        account: String,
        /// Only here; the marketplace is not told.
        #[arg(long)]
        local: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct ImportOptions {
    /// The account.
    pub account: String,
    /// A file with the lines of a secrets file or the bare values; `-` for stdin.
    #[arg(long, value_name = "FILE")]
    pub from_file: Option<PathBuf>,
    /// The account belongs to another seller from now on.
    #[arg(long)]
    pub other_seller: bool,
}

#[derive(Debug, clap::Args)]
pub struct LoginOptions {
    /// The account.
    pub account: String,
    /// Finishes a login that was begun, with what its page shows or the address it leads to.
    #[arg(long, value_name = "PIN", conflicts_with = "resume", value_parser = secret)]
    pub pin: Option<SecretString>,
    /// Goes on with a login that was begun, as after a lost shell.
    #[arg(long)]
    pub resume: bool,
    /// Whether the address is shown as a QR code, too.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub qr: Qr,
    /// The account belongs to another seller from now on.
    #[arg(long)]
    pub other_seller: bool,
}

/// So that it is not shown with the other words.
fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(text.into())
}

/// Whether an address is shown as a QR code, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Qr {
    /// At a terminal.
    #[default]
    Auto,
    /// Never.
    Off,
}
