//! Each protection taken away, and the seeds within which the stories must go wrong for it.

use crate::life;
use crate::scenes;
use crate::story::Story;
use crate::watch::Removed;

/// A protection, the scene that needs it, and what is broken without it.
pub struct Control {
    /// Its name.
    pub name: &'static str,
    /// What is taken away.
    pub removed: Removed,
    /// The story of a seed.
    pub scene: fn(u64) -> Story,
    /// How the complaint begins.
    pub complaint: &'static str,
    /// It is noticed within so many seeds.
    pub within: u64,
}

/// All of them.
pub const CONTROLS: [Control; 16] = [
    Control {
        name: "suspension",
        removed: Removed::Suspension,
        scene: scenes::refused,
        complaint: "6:",
        within: 2,
    },
    Control {
        name: "second-question",
        removed: Removed::SecondQuestion,
        scene: scenes::refused,
        complaint: "6: a 401 was taken",
        within: 10,
    },
    Control {
        name: "count-of-questions",
        removed: Removed::Spent,
        scene: scenes::refused_and_killed_over_its_questions,
        complaint: "6: the login is gone",
        within: 8,
    },
    Control {
        name: "count-of-kills",
        removed: Removed::Unread,
        scene: scenes::refused_and_killed_unread,
        complaint: "6: the login is gone",
        within: 8,
    },
    Control { name: "epoch", removed: Removed::Epoch, scene: scenes::rivals, complaint: "4:", within: 5 },
    Control {
        name: "last-look",
        removed: Removed::LastLook,
        scene: scenes::rivals,
        complaint: "4:",
        within: 25,
    },
    Control {
        name: "quota-by-server",
        removed: Removed::ServerQuota,
        scene: scenes::edge_of_day,
        complaint: "5:",
        within: 8,
    },
    Control {
        name: "mark",
        removed: Removed::Mark,
        scene: scenes::set_over_the_edge,
        complaint: "5:",
        within: 6,
    },
    Control {
        name: "intent-before-send",
        removed: Removed::IntentFirst,
        scene: scenes::killed,
        complaint: "8:",
        within: 1,
    },
    Control {
        name: "unique-run",
        removed: Removed::UniqueRun,
        scene: scenes::set_back,
        complaint: "7:",
        within: 5,
    },
    Control {
        name: "coalescing",
        removed: Removed::Coalescing,
        scene: scenes::outages,
        complaint: "7:",
        within: 3,
    },
    Control {
        name: "intents",
        removed: Removed::Intents,
        scene: scenes::lossy,
        complaint: "8: write",
        within: 1,
    },
    Control { name: "doubt", removed: Removed::Doubt, scene: scenes::lossy, complaint: "1:", within: 4 },
    Control { name: "grace", removed: Removed::Grace, scene: scenes::lossy, complaint: "1:", within: 12 },
    Control {
        name: "netting",
        removed: Removed::Netting,
        scene: scenes::lossy,
        complaint: "1: what was sold is on sale again",
        within: 6,
    },
    Control {
        name: "halt",
        removed: Removed::Halt,
        scene: scenes::halted,
        complaint: "a write was let out while every write is halted",
        within: 4,
    },
];

impl Control {
    /// The first seed in which the harness notices, and what it says.
    pub fn caught(&self) -> Option<(u64, String)> {
        (0..self.within).find_map(|seed| {
            let told = life::tell(&scenes::without(self.removed, (self.scene)(seed)), false);
            let complaint = told.violations.into_iter().find(|what| what.starts_with(self.complaint))?;
            Some((seed, complaint))
        })
    }
}
