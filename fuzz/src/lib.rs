//! What is done with bytes from outside, and what must hold whatever they are. The fuzz targets and the replay of
//! their corpora come in here, through the same doors as the agent: the port, the configuration directory, the values.

mod answers;
mod directory;
mod list;
mod values;

pub use answers::{cardmarket, trademe};
pub use directory::config;
pub use list::source;
pub use values::{money, schedule, target};

/// Does with the bytes what is done with bytes from outside, and panics where something does not hold.
pub type Entry = fn(&[u8]);

/// Every entry by the name of its target and corpus.
pub const ENTRIES: [(&str, Entry); 7] = [
    ("cardmarket", cardmarket),
    ("trademe", trademe),
    ("config", config),
    ("source", source),
    ("schedule", schedule),
    ("money", money),
    ("target", target),
];
