//! The settings' guards in the words of planning.

use crate::config::{Guards, StockSync};
use crate::planning::guards::Limits;

/// What a plan may come to. An undo has no source to be judged.
pub(super) fn limits(settings: &StockSync, most_rejected: Option<u64>) -> Limits {
    let Guards {
        min_source_rows,
        max_changes_percent,
        max_zeroed_items,
        max_removed_items,
        max_price_change_percent,
        max_value_change_percent,
        min_price,
        max_price,
        never_touch: _,
        max_fees,
        max_items_per_day,
    } = &settings.guards;
    Limits {
        min_source_rows: count(*min_source_rows),
        max_rejected_rows: most_rejected,
        max_changes_percent: percent(*max_changes_percent),
        max_zeroed_items: count(*max_zeroed_items),
        max_removed_items: count(*max_removed_items),
        max_price_change_percent: percent(*max_price_change_percent),
        max_value_change_percent: percent(*max_value_change_percent),
        min_price: *min_price,
        max_price: *max_price,
        max_fees: Some(*max_fees),
        max_items_per_day: max_items_per_day.map(count),
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn percent(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(if number < 0 { 0 } else { u32::MAX })
}
