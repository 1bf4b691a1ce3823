//! The faults that are on, and what they do to one request.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::fault::{Fault, FaultKind};

/// Where exports of a stock are asked for.
const EXPORTS: &str = "/exports";

/// What is wrong at the moment.
#[derive(Debug, Default)]
pub struct Faults {
    active: Vec<Active>,
}

#[derive(Debug)]
struct Active {
    fault: Fault,
    left: Option<u32>,
    ends: Option<DateTime<Utc>>,
}

/// What a request is about, as far as faults care.
#[derive(Debug, Clone, Copy)]
pub struct Aim<'a> {
    /// The path after version and form.
    pub path: &'a str,
    /// A page of the stock.
    pub stock: bool,
    /// A page of the stock that is not the first.
    pub later_page: bool,
    /// Something that lists rows.
    pub list: bool,
    /// Something that would change something.
    pub write: bool,
}

/// What the faults do to one request.
#[derive(Debug, Default, PartialEq)]
pub struct Effects {
    /// How long the answer takes.
    pub delay: Duration,
    /// What is answered instead of asking the shop.
    pub instead: Option<FaultKind>,
    /// What becomes of the shop's answer on its way.
    pub afterwards: Option<FaultKind>,
    /// What the request changes, it changes so much later.
    pub late: Option<Duration>,
    /// Articles of a request that are refused.
    pub reject_items: usize,
    /// What became of a request's articles is told in another order.
    pub shuffle_items: bool,
    /// The export that is asked for fails.
    pub failed_export: bool,
    /// The export that is asked for is an old one.
    pub stale_export: bool,
    /// An article comes (`true`) or goes before the page is cut.
    pub shift: Option<bool>,
    /// The page begins with the last row of the page before.
    pub duplicate_row: bool,
    /// Rows that cannot be read.
    pub bad_rows: usize,
    /// There is nothing in stock.
    pub empty_stock: bool,
    /// Members that no documentation knows.
    pub unknown_field: bool,
    /// Numbers of enumerations that no documentation knows.
    pub new_enum: bool,
    /// All buyers are masked.
    pub masked: bool,
    /// The names of the faults that met this request.
    pub names: Vec<&'static str>,
}

impl Faults {
    /// Turns a fault on.
    pub fn add(&mut self, fault: Fault, now: DateTime<Utc>) {
        let ends = fault
            .for_seconds
            .and_then(|seconds| TimeDelta::try_seconds(i64::try_from(seconds).ok()?))
            .and_then(|span| now.checked_add_signed(span));
        self.active.push(Active { left: fault.next, ends, fault });
    }

    /// Turns all faults off.
    pub fn clear(&mut self) {
        self.active.clear();
    }

    /// Gives the login back; `false` if it was not lost.
    pub fn restore(&mut self) -> bool {
        let before = self.active.len();
        self.active.retain(|active| !is_about_login(&active.fault.kind));
        self.active.len() < before
    }

    /// The faults that are on at `now`.
    pub fn list(&mut self, now: DateTime<Utc>) -> Vec<Fault> {
        self.forget_spent(now);
        self.active.iter().map(|active| Fault { next: active.left, ..active.fault.clone() }).collect()
    }

    /// How far the shop's clock is off.
    pub fn skew(&mut self, now: DateTime<Utc>) -> TimeDelta {
        self.forget_spent(now);
        let seconds = self.active.iter().map(|active| match active.fault.kind {
            FaultKind::ClockSkew { seconds } => seconds,
            _ => 0,
        });
        TimeDelta::try_seconds(seconds.fold(0, i64::saturating_add)).unwrap_or_default()
    }

    /// The fault of the login that meets this request, if any.
    pub fn login(&mut self, aim: Aim<'_>, now: DateTime<Utc>, rng: &mut fastrand::Rng) -> Option<FaultKind> {
        self.forget_spent(now);
        self.active
            .iter_mut()
            .filter(|active| is_about_login(&active.fault.kind))
            .find_map(|active| active.meets(aim, rng).then(|| active.fault.kind.clone()))
    }

    /// What the other faults do to this request.
    pub fn effects(&mut self, aim: Aim<'_>, now: DateTime<Utc>, rng: &mut fastrand::Rng) -> Effects {
        self.forget_spent(now);
        let mut effects = Effects::default();
        for active in &mut self.active {
            let kind = active.fault.kind.clone();
            let taken = match kind {
                _ if is_about_login(&kind) => continue,
                FaultKind::ClockSkew { .. } => continue,
                FaultKind::PageShift { .. } | FaultKind::DuplicateRow if !aim.later_page => continue,
                FaultKind::BadRows { .. } if !aim.list => continue,
                FaultKind::EmptyStock if !aim.stock => continue,
                FaultKind::Late { .. } | FaultKind::RejectItems { .. } | FaultKind::ShuffleItems
                    if !aim.write || aim.path.starts_with(EXPORTS) =>
                {
                    continue;
                }
                FaultKind::FailedExport | FaultKind::StaleExport
                    if !aim.write || !aim.path.starts_with(EXPORTS) =>
                {
                    continue;
                }
                FaultKind::Late { .. } => effects.late.is_some(),
                FaultKind::TruncateBody
                | FaultKind::TruncateJson
                | FaultKind::DropAfter
                | FaultKind::StatusAfter { .. } => effects.afterwards.is_some(),
                FaultKind::Slow { .. }
                | FaultKind::RejectItems { .. }
                | FaultKind::ShuffleItems
                | FaultKind::FailedExport
                | FaultKind::StaleExport
                | FaultKind::PageShift { .. }
                | FaultKind::DuplicateRow
                | FaultKind::BadRows { .. }
                | FaultKind::EmptyStock
                | FaultKind::UnknownField
                | FaultKind::NewEnum
                | FaultKind::Masked => false,
                _ => effects.instead.is_some(),
            };
            if taken || !active.meets(aim, rng) {
                continue;
            }
            effects.names.push(kind.name());
            match kind {
                FaultKind::Slow { millis } => {
                    effects.delay = effects.delay.saturating_add(Duration::from_millis(millis))
                }
                FaultKind::PageShift { insert } => effects.shift = Some(insert),
                FaultKind::DuplicateRow => effects.duplicate_row = true,
                FaultKind::BadRows { rows } => effects.bad_rows = effects.bad_rows.saturating_add(rows),
                FaultKind::EmptyStock => effects.empty_stock = true,
                FaultKind::UnknownField => effects.unknown_field = true,
                FaultKind::NewEnum => effects.new_enum = true,
                FaultKind::Masked => effects.masked = true,
                FaultKind::Late { seconds } => effects.late = Some(Duration::from_secs(seconds.into())),
                FaultKind::RejectItems { items } => {
                    effects.reject_items = effects.reject_items.saturating_add(items);
                }
                FaultKind::ShuffleItems => effects.shuffle_items = true,
                FaultKind::FailedExport => effects.failed_export = true,
                FaultKind::StaleExport => effects.stale_export = true,
                FaultKind::TruncateBody
                | FaultKind::TruncateJson
                | FaultKind::DropAfter
                | FaultKind::StatusAfter { .. } => effects.afterwards = Some(kind),
                _ => effects.instead = Some(kind),
            }
        }
        effects
    }

    fn forget_spent(&mut self, now: DateTime<Utc>) {
        self.active.retain(|active| active.left != Some(0) && active.ends.is_none_or(|ends| now < ends));
    }
}

impl Active {
    /// Whether the fault meets the request; if so, one of its requests is used up.
    fn meets(&mut self, aim: Aim<'_>, rng: &mut fastrand::Rng) -> bool {
        let on_path = self.fault.path.as_deref().is_none_or(|prefix| aim.path.starts_with(prefix));
        let is_meant = on_path && (aim.write || !self.fault.writes);
        let meets = is_meant && self.left != Some(0) && self.fault.rate.is_none_or(|rate| rng.f64() < rate);
        if let (true, Some(left)) = (meets, &mut self.left) {
            *left -= 1;
        }
        meets
    }
}

fn is_about_login(kind: &FaultKind) -> bool {
    matches!(kind, FaultKind::Revoke { .. } | FaultKind::RejectToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Aim<'_> =
        Aim { path: "/account", stock: false, later_page: false, list: false, write: false };
    const PAGE_2: Aim<'_> =
        Aim { path: "/stock/101", stock: true, later_page: true, list: true, write: false };
    const PUT: Aim<'_> = Aim { path: "/stock", stock: false, later_page: false, list: false, write: true };

    fn names(faults: &mut Faults, aim: Aim<'_>) -> Vec<&'static str> {
        faults.effects(aim, DateTime::UNIX_EPOCH, &mut fastrand::Rng::with_seed(1)).names
    }

    #[test]
    fn a_fault_for_two_requests_meets_two_of_its_kind() {
        let mut faults = Faults::default();
        faults.add(Fault::from(FaultKind::DuplicateRow).next(2), DateTime::UNIX_EPOCH);
        assert!(names(&mut faults, ACCOUNT).is_empty());
        assert_eq!(names(&mut faults, PAGE_2), ["duplicate-row"]);
        assert_eq!(names(&mut faults, PAGE_2), ["duplicate-row"]);
        assert!(names(&mut faults, PAGE_2).is_empty());
        assert!(faults.list(DateTime::UNIX_EPOCH).is_empty());
    }

    #[test]
    fn a_fault_on_a_path_leaves_other_paths_alone() {
        let mut faults = Faults::default();
        faults.add(Fault::from(FaultKind::Html).on("stock"), DateTime::UNIX_EPOCH);
        assert!(names(&mut faults, ACCOUNT).is_empty());
        assert_eq!(names(&mut faults, PAGE_2), ["html"]);
    }

    #[test]
    fn a_fault_for_writes_leaves_reads_alone_and_exports_have_their_own() {
        let mut faults = Faults::default();
        faults.add(Fault::from(FaultKind::DropAfter).on_writes(), DateTime::UNIX_EPOCH);
        faults.add(FaultKind::Late { seconds: 3 }.into(), DateTime::UNIX_EPOCH);
        faults.add(FaultKind::FailedExport.into(), DateTime::UNIX_EPOCH);
        assert!(names(&mut faults, PAGE_2).is_empty());
        assert_eq!(names(&mut faults, PUT), ["drop-after", "late"]);
        let export = Aim { path: "/exports/stock", ..PUT };
        assert_eq!(names(&mut faults, export), ["drop-after", "failed-export"]);
    }

    #[test]
    fn a_fault_ends_with_its_time() {
        let mut faults = Faults::default();
        faults.add(Fault::from(FaultKind::Html).for_seconds(60), DateTime::UNIX_EPOCH);
        assert_eq!(faults.list(DateTime::UNIX_EPOCH + TimeDelta::seconds(59)).len(), 1);
        assert_eq!(faults.list(DateTime::UNIX_EPOCH + TimeDelta::seconds(60)).len(), 0);
    }

    #[test]
    fn a_rate_meets_its_share() {
        let mut faults = Faults::default();
        faults.add(Fault::from(FaultKind::ServerError).rate(0.1), DateTime::UNIX_EPOCH);
        let mut rng = fastrand::Rng::with_seed(7);
        let met = (0..1_000)
            .filter(|_| faults.effects(ACCOUNT, DateTime::UNIX_EPOCH, &mut rng).instead.is_some())
            .count();
        assert!((60..140).contains(&met), "{met}");
    }

    #[test]
    fn restore_gives_the_login_back_and_leaves_the_rest() {
        let mut faults = Faults::default();
        faults.add(FaultKind::Revoke { empty_body: false }.into(), DateTime::UNIX_EPOCH);
        faults.add(FaultKind::Html.into(), DateTime::UNIX_EPOCH);
        assert!(faults.restore() && !faults.restore());
        let mut rng = fastrand::Rng::with_seed(1);
        assert_eq!(faults.login(ACCOUNT, DateTime::UNIX_EPOCH, &mut rng), None);
        assert_eq!(names(&mut faults, ACCOUNT), ["html"]);
    }

    #[test]
    fn several_faults_meet_one_request_but_only_one_answers() {
        let mut faults = Faults::default();
        faults.add(FaultKind::Slow { millis: 20 }.into(), DateTime::UNIX_EPOCH);
        faults.add(Fault::from(FaultKind::Html).next(1), DateTime::UNIX_EPOCH);
        faults.add(Fault::from(FaultKind::Garbage).next(1), DateTime::UNIX_EPOCH);
        assert_eq!(names(&mut faults, ACCOUNT), ["slow", "html"]);
        assert_eq!(names(&mut faults, ACCOUNT), ["slow", "garbage"]);
    }
}
