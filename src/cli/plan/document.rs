//! A plan for programs and for spreadsheets, row by row from the database and never cut.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::super::list::harmless;
use crate::domain::{
    AccountName, Bounds, Change, Held, Intent, JobName, ListingId, Offer, Operation, PlanId,
};
use crate::domain::{IntentState, PlanState, RunId, Sku};
use crate::store::plans::{self, PlanRow};
use crate::store::{StoreError, Tx, intents};

/// In which shape a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The document `sellerd.plan/1`.
    Json,
    /// A row a change.
    Csv,
}

/// Writes a plan. The inner result is the writer's.
pub fn write(
    tx: &Tx<'_>,
    plan: &PlanRow,
    shape: Shape,
    out: &mut dyn Write,
) -> Result<io::Result<()>, StoreError> {
    match shape {
        Shape::Json => json(tx, plan, out),
        Shape::Csv => csv(tx, plan, out),
    }
}

/// Writes a plan's document into the directory of plans, for our user alone and whole or not at all.
pub fn keep(tx: &Tx<'_>, plan: &PlanRow, state_dir: &Path) -> Result<io::Result<()>, StoreError> {
    let dir = state_dir.join("plans");
    if let Err(error) = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir) {
        return Ok(Err(error));
    }
    into_file(tx, plan, Shape::Json, &dir.join(format!("{}.json", plan.plan_id)))
}

/// Writes a plan into a file, for our user alone and whole or not at all.
pub fn into_file(
    tx: &Tx<'_>,
    plan: &PlanRow,
    shape: Shape,
    path: &Path,
) -> Result<io::Result<()>, StoreError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.map_or_else(|| PathBuf::from("."), Path::to_owned);
    // Made with mode 0600.
    let file = match tempfile::NamedTempFile::new_in(dir) {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    let mut out = io::BufWriter::new(file);
    let written = write(tx, plan, shape, &mut out)?;
    Ok(written.and_then(|()| out.into_inner().map_err(io::IntoInnerError::into_error)).and_then(|file| {
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }))
}

/// What stands before the changes.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'a str,
    plan_id: PlanId,
    job: &'a JobName,
    account: &'a AccountName,
    state: PlanState,
    #[serde(serialize_with = "crate::agent::status::instant")]
    created_at: chrono::DateTime<chrono::Utc>,
    #[serde(serialize_with = "crate::agent::status::instant")]
    expires_at: chrono::DateTime<chrono::Utc>,
    base_snapshot: Option<i64>,
    made_by: RunId,
    undo_of: Option<RunId>,
    applied_by: Option<RunId>,
    accepted: &'a [String],
    source: &'a RawValue,
}

#[derive(Serialize)]
struct ChangeRow<'a> {
    op: Operation,
    sku: &'a Sku,
    listing_id: Option<ListingId>,
    title: &'a str,
    #[serde(serialize_with = "offer_or_empty")]
    before: Option<&'a Offer>,
    #[serde(serialize_with = "offer_or_empty")]
    after: Option<&'a Offer>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Bounds::are_open")]
    bounds: Bounds,
    state: IntentState,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// Where nothing stands, there is an object without members.
fn offer_or_empty<S: Serializer>(offer: &Option<&Offer>, serializer: S) -> Result<S::Ok, S::Error> {
    match offer {
        Some(offer) => offer.serialize(serializer),
        None => serializer.collect_map(std::iter::empty::<(&str, ())>()),
    }
}

fn json(tx: &Tx<'_>, plan: &PlanRow, out: &mut dyn Write) -> Result<io::Result<()>, StoreError> {
    let mut sink = Sink { out, broken: None };
    let head = Head {
        schema: "sellerd.plan/1",
        plan_id: plan.plan_id,
        job: &plan.job,
        account: &plan.account,
        state: plan.state,
        created_at: plan.created_at,
        expires_at: plan.expires_at,
        base_snapshot: plan.base_snapshot,
        made_by: plan.made_by,
        undo_of: plan.undo_of,
        applied_by: plan.applied_by,
        accepted: &plan.accepted,
        source: &plan.source,
    };
    sink.put(|out| {
        let head = serde_json::to_string(&head)?;
        // The object goes on.
        out.write_all(head.strip_suffix('}').unwrap_or(&head).as_bytes())?;
        out.write_all(b",\"changes\":[")
    });
    let mut first = true;
    intents::of_plan(tx, plan.plan_id, |intent| {
        sink.put(|out| row(out, &mut first, &change_row(&intent)));
        Ok(())
    })?;
    sink.put(|out| out.write_all(b"],\"held\":["));
    let mut first = true;
    plans::held(tx, plan.plan_id, |held: Held| {
        sink.put(|out| row(out, &mut first, &held));
        Ok(())
    })?;
    let summary: super::Summary = serde_json::from_str(plan.summary.get()).unwrap_or_default();
    sink.put(|out| {
        writeln!(
            out,
            "],\"guards\":{},\"requests_needed\":{},\"summary\":{}}}",
            plan.guards.get(),
            summary.requests_needed,
            plan.summary.get()
        )
    });
    Ok(sink.end())
}

fn change_row(intent: &Intent) -> ChangeRow<'_> {
    let Change { op, sku, listing_id, title, before, after, reason, bounds } = &intent.change;
    ChangeRow {
        op: *op,
        sku,
        listing_id: *listing_id,
        title,
        before: before.as_ref(),
        after: after.as_ref(),
        reason,
        bounds: *bounds,
        state: intent.state,
        message: intent.message.as_deref(),
    }
}

fn row(out: &mut dyn Write, first: &mut bool, row: &impl Serialize) -> io::Result<()> {
    if !std::mem::take(first) {
        out.write_all(b",")?;
    }
    Ok(serde_json::to_writer(out, row)?)
}

/// The columns of the spreadsheet. Prices are as people write them: somebody may type them in by hand.
const COLUMNS: [&str; 12] = [
    "op",
    "sku",
    "listing_id",
    "title",
    "quantity_before",
    "quantity_after",
    "price_before",
    "price_after",
    "currency",
    "attributes_after",
    "reason",
    "state",
];

fn csv(tx: &Tx<'_>, plan: &PlanRow, out: &mut dyn Write) -> Result<io::Result<()>, StoreError> {
    let mut writer = csv::Writer::from_writer(Sink { out, broken: None });
    // The sink keeps what breaks, so that nothing here fails.
    let _ = writer.write_record(COLUMNS);
    intents::of_plan(tx, plan.plan_id, |intent| {
        let change = &intent.change;
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        let quantity = |offer: Option<&Offer>| offer.map_or(String::new(), |o| o.quantity.to_string());
        let price = |offer: Option<&Offer>| offer.map_or(String::new(), |o| o.price.decimal());
        let cells = [
            change.op.to_string(),
            change.sku.to_string(),
            change.listing_id.map_or(String::new(), |id| id.to_string()),
            change.title.clone(),
            quantity(before),
            quantity(after),
            price(before),
            price(after),
            after.or(before).map_or(String::new(), |offer| offer.price.currency.to_string()),
            after.map_or(String::new(), |offer| offer.attributes.clone()),
            change.reason.clone(),
            intent.state.to_string(),
        ];
        let _ = writer.write_record(cells.iter().map(|cell| harmless(cell)));
        Ok(())
    })?;
    let sink = writer.into_inner().map_err(|error| StoreError::Internal(error.to_string()))?;
    Ok(sink.end())
}

/// A writer that stays broken: after its first error nothing more is written, and the error is kept.
struct Sink<'a> {
    out: &'a mut dyn Write,
    broken: Option<io::Error>,
}

impl Sink<'_> {
    fn put(&mut self, f: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.broken.is_none() {
            self.broken = f(self.out).err();
        }
    }

    fn end(mut self) -> io::Result<()> {
        self.put(|out| out.flush());
        self.broken.map_or(Ok(()), Err)
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(|out| out.write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.put(|out| out.flush());
        Ok(())
    }
}
