//! What the tour has to offer once everything was shown: addresses, what was read, the plan, and what can be typed now.
//! People are told in words, a program by one document.

use std::env;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::show::{Planned, Shown};
use crate::domain::PlanState;

/// Where everything is, and what was read.
#[derive(Debug, Serialize)]
pub struct Ready {
    /// The kind of document, `sellerd.try/1`.
    pub schema: &'static str,
    /// Always: nothing in it is real.
    pub pretend: bool,
    /// What made the shops.
    pub seed: u64,
    /// The configuration's directory.
    pub dir: PathBuf,
    /// Whether it stays after the tour.
    pub kept: bool,
    /// Where the shops can be made to go wrong.
    pub control_url: String,
    /// The agent's own answer to how it is.
    pub status_url: Option<String>,
    /// What was read of each shop.
    pub shops: Vec<Shown>,
    /// What the seller's list would change.
    pub plan: Option<Planned>,
    /// Commands that work while the tour lasts.
    pub next: Vec<String>,
}

/// A command, and what it is for.
pub type Step = (String, &'static str);

impl Ready {
    /// What can be typed in another terminal by whoever calls the program like this.
    pub fn steps(&self, program: &str) -> Vec<Step> {
        let here = format!("{program} -c {}", word(&self.dir.to_string_lossy()));
        let mut steps =
            vec![(format!("{here} status"), "how it goes; also: orders list, stock list, schedule")];
        if let Some(Planned { status: plan, .. }) = &self.plan {
            let id = plan.plan_id;
            steps.push((
                format!("{here} plan show {id}"),
                "what stock.csv, the seller's own list, would change in the shop at Cardmarket",
            ));
            if plan.state == PlanState::Planned && plan.changes > 0 {
                steps.push((format!("{here} apply {id}"), "do exactly that"));
            }
        }
        let fault = format!("{program} sandbox fault");
        let control = format!("--control {}", self.control_url);
        steps.push((
            format!("{fault} revoke {control}"),
            "take every login away: what does status say of it?",
        ));
        if let Some(shop) = self.shops.first() {
            let account = &shop.account;
            steps.push((format!("{fault} clear {control}"), "give them back"));
            steps.push((format!("{here} auth test {account}"), "and have one of the accounts let in again"));
        }
        steps
    }

    /// All that for people. What a command is for stands above it, as a remark that a shell lets be, since lines with a
    /// directory in them are long enough.
    pub fn words(&self, program: &str, steps: &[Step]) -> String {
        let mut text = "\n".to_owned();
        if let Some(url) = &self.status_url {
            text.push_str(&format!("Look at it:     {url}\n"));
        }
        text.push_str("Play:           in another terminal, as long as this one is open\n");
        for (command, why) in steps {
            text.push_str(&format!("  # {why}\n  {command}\n"));
        }
        let removed = if self.kept { "" } else { " and removes everything" };
        text.push_str(&format!("Your own shop:  {program} init DIR\nCtrl-C ends the tour{removed}.\n\n"));
        text
    }
}

/// How the program is called from any directory: by its name where a shell has found it by that, else by its place.
pub fn program() -> String {
    let called = env::args_os().next().unwrap_or_default();
    let by_name = Path::new(&called).components().count() == 1;
    match env::current_exe() {
        Ok(path) if !by_name => word(&path.to_string_lossy()),
        _ => word(&called.to_string_lossy()),
    }
}

/// A word as a shell takes it.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::agent::status::PlanStatus;
    use crate::domain::PlanId;

    fn ready(plan: Option<(PlanState, i64)>) -> Ready {
        let planned = plan.map(|(state, changes)| Planned {
            status: PlanStatus {
                plan_id: PlanId(1),
                job: "stock-sync".into(),
                account: "demo-shop".into(),
                state,
                changes,
                expires_at: "2026-03-01T10:00:00Z".parse().unwrap(),
            },
            counts: BTreeMap::new(),
        });
        Ready {
            schema: "sellerd.try/1",
            pretend: true,
            seed: 42,
            dir: "/tmp/a tour".into(),
            kept: false,
            control_url: "http://127.0.0.1:1/sandbox".to_owned(),
            status_url: Some("http://127.0.0.1:2/status.json".to_owned()),
            shops: vec![Shown {
                marketplace: "cardmarket",
                account: "demo-shop".into(),
                base_url: "http://127.0.0.1:1/ws/v2.0".to_owned(),
                login: "logged in as demo-shop".to_owned(),
                articles: 8_431,
                orders: 14,
                requests: 89,
            }],
            plan: planned,
            next: Vec::new(),
        }
    }

    fn commands(plan: Option<(PlanState, i64)>) -> Vec<String> {
        ready(plan).steps("sellerd").into_iter().map(|(command, _)| command).collect()
    }

    #[test]
    fn only_what_can_be_done_is_offered() {
        let all = commands(Some((PlanState::Planned, 17)));
        assert_eq!(
            all,
            [
                "sellerd -c '/tmp/a tour' status",
                "sellerd -c '/tmp/a tour' plan show p-1",
                "sellerd -c '/tmp/a tour' apply p-1",
                "sellerd sandbox fault revoke --control http://127.0.0.1:1/sandbox",
                "sellerd sandbox fault clear --control http://127.0.0.1:1/sandbox",
                "sellerd -c '/tmp/a tour' auth test demo-shop",
            ]
        );
        let offers = |plan, words: &str| commands(plan).iter().any(|command| command.contains(words));
        assert!(!offers(Some((PlanState::Planned, 0)), "apply"), "there is nothing to apply");
        assert!(!offers(Some((PlanState::Pending, 17)), "apply"), "a guard holds it");
        assert!(offers(Some((PlanState::Pending, 17)), "plan show") && !offers(None, "plan"));
    }

    #[test]
    fn each_command_has_a_line_of_its_own_and_what_is_kept_is_not_said_to_be_removed() {
        let ready = ready(Some((PlanState::Planned, 17)));
        let words = ready.words("sellerd", &ready.steps("sellerd"));
        let beginning = |with: &str| words.lines().filter(|line| line.starts_with(with)).count();
        assert_eq!((beginning("  sellerd "), beginning("  # ")), (6, 6), "{words}");
        assert!(words.contains("removes everything"));
        let kept = Ready { kept: true, status_url: None, ..ready };
        let words = kept.words("sellerd", &[]);
        assert!(!words.contains("removes everything") && !words.contains("Look at it"), "{words}");
    }

    #[test]
    fn a_word_reaches_the_program_as_it_was() {
        for plain in ["/tmp/sellerd-try-Nu1sUZ", "http://127.0.0.1:1/sandbox", "a,b=c@d"] {
            assert_eq!(word(plain), plain);
        }
        assert_eq!(word("it's here"), r"'it'\''s here'");
        assert_eq!(
            (word(""), word("~x"), word("a$b")),
            ("''".to_owned(), "'~x'".to_owned(), "'a$b'".to_owned())
        );
    }
}
