//! What can be typed about the pretend marketplaces.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use super::duration;
use crate::sandbox::Venue;

#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Serves the pretend marketplaces until it is stopped. Prints one line of JSON when they are ready.
    Serve(ServeOptions),
    /// Breaks something in a running sandbox, or mends it with `restore`.
    Fault {
        /// The sandbox's control address, as `serve` printed it.
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8790/sandbox")]
        control: String,
        /// What to break, for example: revoke, 5xx --rate 0.1, clock-skew 10m, restore.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Lets a buyer buy in a running sandbox.
    Buy {
        /// The sandbox's control address, as `serve` printed it.
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8790/sandbox")]
        control: String,
        /// How many orders.
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// The marketplace where the buyer buys.
        #[arg(long, value_name = "NAME", default_value_t)]
        shop: Venue,
        /// The article or listing to buy; any if left out.
        #[arg(long, value_name = "ID")]
        article: Option<i64>,
        /// How many copies of it.
        #[arg(long, default_value_t = 1)]
        quantity: u32,
        /// The buyer does not pay yet.
        #[arg(long)]
        unpaid: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct ServeOptions {
    /// Where to listen; port 0 picks one.
    #[arg(long, default_value = "127.0.0.1:8790", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// The same seed makes the same shop.
    #[arg(long, default_value_t = 42, value_name = "N")]
    pub seed: u64,
    /// Articles in the shop.
    #[arg(long, default_value_t = 8_431, value_name = "N")]
    pub articles: usize,
    /// Buyers buy by themselves, once in this time on average, for example 20s.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub buyers: Option<Duration>,
    /// The daily limit of requests; 0 for none.
    #[arg(long, default_value_t = 5_000, value_name = "N")]
    pub daily_limit: i64,
    /// The kind of app at Cardmarket.
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub app: AppKind,
    /// Where users of a third-party app are sent with their request token, which is appended to it.
    #[arg(long, default_value = "http://127.0.0.1:8788/?request_token=", value_name = "URL")]
    pub callback: String,
    /// How long Cardmarket's access tokens are good for, for example 24h; for ever if left out.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub token_lifetime: Option<Duration>,
}

/// The kinds of apps at Cardmarket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AppKind {
    /// Its owner's own.
    #[default]
    Dedicated,
    /// One that users log in to.
    ThirdParty,
}
