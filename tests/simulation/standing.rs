//! What is written down of an account's access, and what may leave by that: judged at the wire, so that a gate which
//! goes by something else is seen.
//!
//! What a refusal means is the agent's to find out and is not worked out here a second time. What is known here is
//! whether the shop meant it, and how many answers have said so.

use sellerd::policy::access::{Asked, MOST_PROBES_AT_AN_EDGE};

use crate::market::Name;
use crate::world::Inner;

/// What may leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// Anything.
    #[default]
    Open,
    /// The canary, and what a person asks: it is not known what was refused, or it may pass.
    Suspended,
    /// What a person asks.
    Blocked,
}

/// Requests that may be refused until it is known that the login is gone: one by the work, one or two by what follows.
const MOST_REFUSED: u32 = 3;

impl Inner {
    /// A request leaves: may it?
    pub fn judge_by_standing(&mut self, name: Name, who: u32) {
        let account = self.account(name);
        let asked = account.asked.get(&who).copied().unwrap_or_default();
        match (account.standing, asked) {
            (Standing::Open, _) | (_, Asked::Person) | (Standing::Suspended, Asked::Canary) => {}
            (Standing::Suspended, _) => {
                self.broken("6: work was sent while the account is suspended".to_owned());
            }
            (Standing::Blocked, _) => {
                self.broken("6: a request was sent after the refusal was written down".to_owned());
            }
        }
        let account = self.account(name);
        if !account.login_gone || asked == Asked::Person {
            return;
        }
        account.left += 1;
        let (left, most) = (account.left, MOST_REFUSED + account.most_probes());
        if left > most {
            self.broken(format!("6: the login is gone, and {left} requests left"));
        }
    }

    /// An answer was settled: `refused` says whether it was a refusal, `asked` of whom.
    pub fn note_standing(&mut self, name: Name, asked: Asked, refused: Option<u16>) {
        let before = self.account(name).standing;
        let account = self.account(name);
        if refused.is_some() && account.login_gone && asked != Asked::Person {
            account.refusals += 1;
        }
        let (refusals, most) = (account.refusals, MOST_REFUSED + account.most_probes());
        if refusals > most {
            self.broken(format!("6: the login is gone, and {refusals} requests were refused for it"));
        }
        if refused.is_some() || before != Standing::Open {
            self.read_standing(name);
        }
        let account = self.account(name);
        if account.standing == Standing::Blocked && before != Standing::Blocked && !account.meant {
            let status = refused.unwrap_or_default();
            self.broken(format!("6: a {status} was taken for a withdrawn login, and none was withdrawn"));
        }
    }

    /// What is written down now.
    pub fn read_standing(&mut self, name: Name) {
        let Some(state) = self.access_written(name) else { return };
        let standing = match state.as_str() {
            "suspended" => Standing::Suspended,
            "revoked" | "unauthorized" => Standing::Blocked,
            _ => Standing::Open,
        };
        let account = self.account(name);
        account.standing = standing;
        if standing == Standing::Open {
            account.meant = account.login_gone && account.meant;
        }
    }
}

impl crate::world::Account {
    /// From now on nothing has left, as far as the promise goes: somebody has acted, or the login is gone since now.
    pub fn count_anew(&mut self) {
        (self.refusals, self.left) = (0, 0);
    }

    /// The agent was told that its request got no answer, or was refused for its time alone.
    pub fn came_back_empty(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// What looks like a block in front of the shop is asked about a few times more.
    fn most_probes(&self) -> u32 {
        if self.gone_without_a_word { MOST_PROBES_AT_AN_EDGE } else { 0 }
    }
}
