//! Words about a job's runs that every floor shares: trigger, outcome, kind of error, class of request.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The word used in the database, in JSON, in logs and for people.
            pub fn as_str(&self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    other => Err(format!("`{other}` is not one of {}", [$($text),*].join(", "))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use words;

words! {
    /// What a job may do to the marketplace.
    Mode {
        /// Look and plan, never write.
        Observe = "observe",
        /// Write what was planned.
        Apply = "apply",
    }
}

words! {
    /// Why a run began.
    Trigger {
        /// Its schedule was due.
        Schedule = "schedule",
        /// A person asked.
        Manual = "manual",
        /// It was due while the agent was not there.
        Catchup = "catchup",
        /// A failed run is tried again.
        Retry = "retry",
        /// Another job had news for it.
        Nudge = "nudge",
    }
}

words! {
    /// How a run ended.
    Outcome {
        /// All of it was done.
        Success = "success",
        /// Some of it was done, the rest is listed.
        Partial = "partial",
        /// It was not done.
        Failure = "failure",
        /// It took longer than its `timeout`.
        Timeout = "timeout",
        /// Access or quota did not allow it.
        Blocked = "blocked",
        /// A guard stopped it.
        Guarded = "guarded",
        /// It was not begun, for a reason that is recorded.
        Skipped = "skipped",
        /// The agent stopped while it ran.
        Interrupted = "interrupted",
    }
}

words! {
    /// The kind of error of a run, an event or a request: a closed list, so that it can be a label.
    ErrorType {
        /// The marketplace does not accept the login any more.
        AuthRevoked = "auth_revoked",
        /// The login has run out.
        AuthExpired = "auth_expired",
        /// Access is switched off; it is not a matter of the login.
        AuthForbidden = "auth_forbidden",
        /// Too many requests in too short a time.
        RateLimited = "rate_limited",
        /// The window's requests are used up.
        QuotaExhausted = "quota_exhausted",
        /// No answer in time.
        Timeout = "timeout",
        /// The host's name could not be resolved.
        Dns = "dns",
        /// No connection, or it broke.
        Connect = "connect",
        /// The certificate or the handshake.
        Tls = "tls",
        /// Another 4xx.
        Http4xx = "http_4xx",
        /// A 5xx.
        Http5xx = "http_5xx",
        /// An answer that is not what the marketplace documents.
        BadResponse = "bad_response",
        /// A guard holds a plan up.
        GuardTripped = "guard_tripped",
        /// What a plan rests on is not so any more.
        PlanStale = "plan_stale",
        /// A write came out as nobody expected.
        Conflict = "conflict",
        /// A person has halted every write.
        Halted = "halted",
        /// Writes of the account wait for a person, since one came out as nobody expected.
        Parked = "parked",
        /// The database is in use by another process.
        DbLocked = "db_locked",
        /// The database is damaged.
        DbCorrupt = "db_corrupt",
        /// There is no room on the disk.
        DiskFull = "disk_full",
        /// The seller's list is not there, or cannot be opened.
        SourceMissing = "source_missing",
        /// The seller's list is older than it may be.
        SourceStale = "source_stale",
        /// The seller's list is damaged or not what it should be.
        SourceInvalid = "source_invalid",
        /// The configuration is wrong.
        ConfigInvalid = "config_invalid",
        /// The clocks disagree.
        ClockSkew = "clock_skew",
        /// A bug of ours.
        Internal = "internal",
    }
}

impl ErrorType {
    /// Whether it is the account's access that kept from the work.
    pub fn is_of_access(self) -> bool {
        matches!(self, Self::AuthExpired | Self::AuthRevoked | Self::AuthForbidden)
    }
}

words! {
    /// What a request is for. When the quota gets short, the first ones still go.
    RequestClass {
        /// Reading again what a write may have done: until it is known, nothing of that listing may be written.
        ReadBack = "read-back",
        /// Orders, and who we are.
        Orders = "orders",
        /// Stock: reading it, and writing what is for sale.
        Stock = "stock",
        /// Prices alone, and what else of the account can wait.
        Prices = "prices",
        /// Data that anybody may see, which says nothing about the account.
        Public = "public",
    }
}
