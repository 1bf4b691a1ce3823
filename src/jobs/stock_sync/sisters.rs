//! The other accounts that sell from the same shelf: what was sold there, and whether that is known.
//!
//! Their orders are read by their own jobs, and not by the sync of this account: it would need their logins, their
//! quotas and their turns, and would stand still with each of them that is refused. What they have not read holds
//! back what would put more on sale here, and nothing else.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::{Context, JobError, Sister};
use crate::domain::{AccountName, Sku};
use crate::policy::access::AccessState;
use crate::store::plans::PlanRow;
use crate::store::{StoreError, Tx, accounts, cursors, movements, snapshots};

/// What was read longer ago says too little of what was sold since, whatever the time of the list.
const LONGEST_UNREAD: TimeDelta = TimeDelta::hours(24);

/// Why nothing more may be offered, in words: the orders of one of them are not known up to then, or nobody reads them.
pub(super) fn unread(
    tx: &Tx<'_>,
    sisters: &[Sister],
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    let mut words = Vec::new();
    for sister in sisters {
        let state = accounts::access(tx, &sister.name, now)?.state;
        // Without a job for it they may be read all the same: by its own sync.
        let is_read = sister.way_in.is_none() && state.lets_through();
        let least = until.max(now - LONGEST_UNREAD);
        if !is_read || cursors::orders_known(tx, &sister.name, now)?.is_none_or(|known| known < least) {
            words.push(format!("{}: {}", sister.name, way_out(sister, state)));
        }
    }
    let what = "what sells the same copies may have sold them, and its orders are not known";
    Ok((!words.is_empty()).then(|| format!("{what} ({})", words.join("; "))))
}

/// What a person does so that the orders of a sister are read.
fn way_out(sister: &Sister, state: AccessState) -> String {
    let Sister { name, order_poll, way_in } = sister;
    let read = match order_poll {
        Some(job) => format!("sellerd job run {job}"),
        None => format!("it has no order-poll job; make one in jobs/, with account = \"{name}\""),
    };
    match (way_in, state) {
        (Some(way_in), _) => format!("it is not logged in; {way_in}, then {read}"),
        (None, AccessState::Suspended | AccessState::Unauthorized | AccessState::Revoked) => {
            format!("it is {}; see sellerd auth status, then {read}", state.as_str())
        }
        (None, _) => read,
    }
}

/// Asks the order polls of the others for what is not known, lists included that they read once in a while.
pub(super) async fn want(context: &Context, until: DateTime<Utc>) -> Result<(), JobError> {
    let sisters = context.worked()?.shelf.sisters.clone();
    let asked = context
        .store
        .write(move |tx| sisters.iter().try_for_each(|sister| cursors::want_orders(tx, &sister.name, until)));
    Ok(asked.await?)
}

/// Who has moved copies of a SKU since then, and how many: minus two where two were sold.
pub(super) fn moved(
    tx: &Tx<'_>,
    sisters: &[Sister],
    sku: &Sku,
    since: DateTime<Utc>,
) -> Result<Vec<(AccountName, i64)>, StoreError> {
    let mut moved = Vec::new();
    for sister in sisters {
        let net = movements::net_since(tx, &sister.name, sku, since)?;
        if net != 0 {
            moved.push((sister.name.clone(), net));
        }
    }
    Ok(moved)
}

/// From when on what the others recorded is news to a plan: from the end of the reading that it rests on. Some of it the
/// plan may have known already; then its item is looked at once more for nothing.
pub(super) fn news_to(tx: &Tx<'_>, plan: &PlanRow) -> Result<DateTime<Utc>, StoreError> {
    let snapshot = plan.base_snapshot.map_or(Ok(None), |id| snapshots::get(tx, id))?;
    let read = snapshot.and_then(|snapshot| snapshot.finished_at);
    Ok(read.map_or(plan.created_at, |read| read.min(plan.created_at)))
}
