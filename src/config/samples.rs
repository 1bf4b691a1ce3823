//! One commented sample of each kind of job, from `jobs/` at the top of the repository.
//!
//! They are what `sellerd init` and `sellerd try` write, so what is documented is what runs.

/// The samples: the job's name and the text of its file.
pub const SAMPLES: &[(&str, &str)] = &[
    ("stock-pull", include_str!("../../jobs/stock-pull.toml")),
    ("stock-sync", include_str!("../../jobs/stock-sync.toml")),
    ("order-poll", include_str!("../../jobs/order-poll.toml")),
    ("probe", include_str!("../../jobs/probe.toml")),
    ("housekeeping", include_str!("../../jobs/housekeeping.toml")),
];

/// The account the samples name.
pub(super) const ACCOUNT: &str = "cm-main";

/// The zone the samples name, in a line that is commented out.
pub(super) const ZONE: &str = "Europe/Berlin";

#[cfg(test)]
mod tests {
    use super::super::work::KINDS;
    use super::*;

    #[test]
    fn each_kind_has_one_sample_in_observe_mode() {
        let mut kinds = Vec::new();
        for (name, text) in SAMPLES {
            let table: toml::Table = text.parse().unwrap();
            assert_eq!(table["mode"].as_str(), Some("observe"), "{name}");
            kinds.push(table["kind"].as_str().unwrap().to_owned());
        }
        assert_eq!(kinds, KINDS);
    }
}
