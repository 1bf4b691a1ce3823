//! The events there are. A name says what happened, never with values in it; what varies is in the fields.

use tracing::Level;

/// One kind of event.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// The value of its `event` field.
    pub name: &'static str,
    /// How loud it is. For `job.finished` the loudest; see there.
    pub level: Level,
    /// Its fields beside the base fields (`ts level event msg service.name service.version account job run.id`).
    pub fields: &'static [&'static str],
    /// When it is written.
    pub when: &'static str,
}

const fn event(
    name: &'static str,
    level: Level,
    fields: &'static [&'static str],
    when: &'static str,
) -> Event {
    Event { name, level, fields, when }
}

/// All of them.
#[rustfmt::skip]
pub const EVENTS: &[Event] = &[
    event("agent.started", Level::INFO, &["version", "config.hash", "accounts", "jobs", "timezone"], "once, at start"),
    event("agent.ready", Level::INFO, &["startup_ms"], "the first schedule is armed"),
    event("agent.stopping", Level::INFO, &["signal", "running_jobs"], "the drain begins"),
    event("agent.stopped", Level::INFO, &["signal", "running_jobs", "wait_ms"], "the drain is over"),
    event("agent.unclean_shutdown", Level::WARN, &["last_seen", "interrupted_runs"], "start after a crash or power loss"),
    event("config.reloaded", Level::INFO, &["changed_files", "added_jobs", "removed_jobs"], "a new configuration is in force"),
    event("config.reload_failed", Level::ERROR, &["file", "line", "code"], "the old configuration stays"),
    event("job.started", Level::DEBUG, &["trigger", "attempt", "requests_needed"], "a run begins"),
    event("job.finished", Level::ERROR, &["outcome", "duration_ms", "requests", "changes", "orders_new", "error.type"],
        "exactly once a run: info for success and skipped, warn for partial, else error"),
    event("job.missed", Level::WARN, &["due", "late_by_s", "action"], "slots passed while nobody was there"),
    event("job.overlapped", Level::WARN, &["running_since"], "a run is due while the one before still runs"),
    event("auth.revoked", Level::ERROR, &["http.response.status_code", "confirmed"], "the marketplace does not accept the login"),
    event("auth.forbidden", Level::ERROR, &["http.response.status_code"], "access is switched off, it is not the login"),
    event("auth.expiring", Level::WARN, &["expires", "in_s"], "a login ends in 30 days, in 7, in one, or has ended"),
    event("auth.suspended", Level::ERROR, &["http.response.status_code", "body", "next_probe_at"], "the account is left alone for a while"),
    event("auth.unusable", Level::ERROR, &["code"], "an account's credentials cannot be read, and it is not worked"),
    event("auth.doubtful", Level::WARN, &["code"], "an account's credentials may be others than are meant"),
    event("auth.unread", Level::WARN, &[], "it was killed over its last requests; the canary is asked before anything else"),
    event("auth.restricted", Level::WARN, &["http.response.status_code", "body"], "one resource is refused, the rest goes on"),
    event("auth.restored", Level::INFO, &["down_s"], "requests are answered again"),
    event("http.request.completed", Level::DEBUG,
        &["http.request.method", "url.template", "http.response.status_code", "duration_ms", "bytes", "attempt"],
        "an answer has come"),
    event("http.request.retried", Level::WARN, &["url.template", "http.response.status_code", "error.type", "wait_ms", "attempt", "suppressed"],
        "a read is tried again"),
    event("http.rate_limited", Level::WARN, &["limit", "used", "reset"], "429"),
    event("quota.exhausted", Level::ERROR, &["limit", "used", "reset"], "no request may leave before the window ends"),
    event("order.seen", Level::INFO, &["order.id", "state", "items", "total_minor", "currency", "delay_s"], "a new order; nothing about the buyer"),
    event("order.changed", Level::INFO, &["order.id", "from", "to"], "an order's state changed"),
    event("plan.created", Level::INFO, &["plan.id", "add", "change", "zero", "remove", "skipped", "requests_needed"], "a plan was made and written down"),
    event("plan.approved", Level::INFO, &["plan.id", "by"], "a person lets a plan be applied"),
    event("plan.expired", Level::INFO, &["plan.id"], "the time of a plan is over, and nobody has applied it"),
    event("guard.tripped", Level::ERROR, &["guard", "limit", "actual", "plan.id"], "a guard holds a plan"),
    event("stock.applied", Level::INFO, &["plan.id", "applied", "failed", "unchanged", "requests"], "a plan was applied, all of it or what could be"),
    event("stock.item_applied", Level::DEBUG, &["sku", "article.id", "field", "before", "after"], "one change was made"),
    event("stock.item_failed", Level::WARN, &["sku", "article.id", "field", "error.type"], "one change was not made"),
    event("backup.created", Level::INFO, &["path", "bytes", "verified"], "a copy of the database was made and checked"),
    event("backup.failed", Level::ERROR, &["path", "error.type"], "there is no new copy of the database"),
    event("db.migrated", Level::INFO, &["from", "to"], "the database has a newer shape"),
    event("clock.skewed", Level::WARN, &["skew_ms"], "our clock and the marketplace's disagree"),
    event("security.permissions", Level::WARN, &["path", "mode", "wanted"], "others can read a file with secrets"),
];
