//! Asks what a plan costs before it is written down, and once more before it is applied later; what cannot be made leaves
//! the plan. The decisions are in [`planning::fees`](crate::planning::fees).

use chrono::{DateTime, Utc};

use super::super::{Context, JobError, Worked};
use super::record::Drafted;
use super::spool::{self, Spool};
use crate::domain::{AccountName, Change, Currency, ErrorType, JobName, Money, Operation};
use crate::planning::dispatch::Step;
use crate::planning::fees::{KeptBack, Quoted, Short, Weighed, depends_on_balance, weigh};
use crate::planning::summary::Sums;
use crate::store::{StoreError, Tx, problems};

/// The problem of an account whose balance is too low for new listings.
pub const BALANCE_TOO_LOW: &str = "E530";

/// So many changes are asked about at once.
const PART: usize = 512;

/// Of so many new listings the fees are asked in one run. It takes two requests for each, and what takes copies off sale
/// waits for the plan: a list with a thousand new items would use up every hour by its questions alone.
const MOST_NEW: usize = 100;

/// Takes out of a plan what the marketplace would not make or the balance does not reach for. Where nothing is charged
/// nobody is asked.
pub(super) async fn sort_out(
    context: &Context,
    mut drafted: Drafted,
) -> Result<(Drafted, Weighed), JobError> {
    let (_, market) = context.market()?;
    if !market.capabilities().writes.charged {
        return Ok((drafted, Weighed::default()));
    }
    let failed = |error: std::io::Error| spool::failed(&error);
    let (mut quoted, mut first, mut new, mut later) = (Vec::new(), 0, 0, Vec::new());
    let all_new = drafted.sums.briefs.iter().filter(|brief| brief.step == Step::Add).count();
    // Each run asks about others, so that those that are refused do not keep the rest waiting for ever.
    let begin = context.run.0.unsigned_abs() as usize % all_new.max(1) * MOST_NEW % all_new.max(1);
    drafted.spool.rewind().map_err(failed)?;
    while let Some(part) = drafted.spool.next_part().map_err(failed)? {
        let mut asked = Vec::with_capacity(part.changes.len());
        for (place, change) in (first..).zip(&part.changes) {
            let is_new = change.op == Operation::Add;
            match is_new && (new + all_new - begin) % all_new >= MOST_NEW {
                true => later.push(place),
                false => asked.push((place, change)),
            }
            new += usize::from(is_new);
        }
        ask(context, &asked, &mut quoted).await?;
        first += part.changes.len();
    }
    let mut weighed = settle(context, &quoted).await?;
    weighed.kept_back.extend(later.into_iter().map(|place| (place, KeptBack::for_a_later_run(MOST_NEW))));
    if weighed.kept_back.is_empty() {
        return Ok((drafted, weighed));
    }
    let (mut spool, mut sums) = (Spool::new(&context.state_dir), Sums::new(context.worked()?.currency));
    let mut first = 0;
    drafted.spool.rewind().map_err(failed)?;
    while let Some(part) = drafted.spool.next_part().map_err(failed)? {
        let changes = part.changes.len();
        let left = weighed.sort_out(part, first);
        first += changes;
        sums.add(&left);
        spool.add(&left).map_err(failed)?;
    }
    Ok((Drafted { spool, sums, tally: drafted.tally }, weighed))
}

/// What these changes cost now, given with their places in the plan, and which of them would not be made.
pub(super) async fn again(context: &Context, changes: &[(usize, &Change)]) -> Result<Weighed, JobError> {
    let mut quoted = Vec::new();
    for part in changes.chunks(PART) {
        ask(context, part, &mut quoted).await?;
    }
    settle(context, &quoted).await
}

/// Asks about some changes, given with their places in the plan.
async fn ask(
    context: &Context,
    asked: &[(usize, &Change)],
    quoted: &mut Vec<Quoted>,
) -> Result<(), JobError> {
    let (_, market) = context.market()?;
    let changes: Vec<Change> = asked.iter().map(|(_, change)| (*change).clone()).collect();
    for fee in market.fees(&changes).await? {
        charged_in(context, fee.amount)?;
        if let Some((place, change)) = asked.get(fee.change) {
            quoted.push(Quoted::of(fee, *place, change.op));
        }
    }
    Ok(())
}

async fn settle(context: &Context, quoted: &[Quoted]) -> Result<Weighed, JobError> {
    let (_, market) = context.market()?;
    let mut balance = None;
    if depends_on_balance(quoted) {
        balance = market.balance().await?;
        balance.map_or(Ok(()), |balance| charged_in(context, balance))?;
    }
    Ok(weigh(quoted, balance.map(|balance| balance.minor), context.worked()?.currency))
}

/// An error where an amount is not in the account's currency.
fn charged_in(context: &Context, amount: Money) -> Result<(), JobError> {
    let (account, _) = context.market()?;
    let currency = context.worked()?.currency;
    if amount.currency == currency {
        return Ok(());
    }
    let what = format!("{account} is charged in {}, not in {currency}", amount.currency);
    Err(JobError::File(what, ErrorType::BadResponse))
}

/// Whether an account's balance is too low, as it is written down with the plan that found it out.
pub(super) struct Balance {
    account: AccountName,
    currency: Currency,
    short: Option<Short>,
    all: bool,
}

impl Balance {
    /// What a plan found out. `all` says that it knows of every listing that is wanted, so that none can be forgotten
    /// that waits.
    pub fn of(worked: &Worked, weighed: &Weighed, all: bool) -> Self {
        Self { account: worked.name.clone(), currency: worked.currency, short: weighed.short, all }
    }

    /// What is too low, for people; `None` where nothing is.
    pub fn words(&self, job: &JobName) -> Option<String> {
        let Short { balance, wanted, listings } = self.short?;
        let money = |minor| Money { minor, currency: self.currency };
        let balance = balance.map_or("too low".to_owned(), |balance| money(balance).to_string());
        let wait = match listings {
            1 => "1 new listing waits".to_owned(),
            more => format!("{more} new listings wait"),
        };
        let (account, wanted) = (&self.account, money(wanted));
        Some(format!(
            "the balance of {account} is {balance} and the fees of what {job} wants are {wanted}: {wait}"
        ))
    }

    /// Opens the account's problem, or ends it.
    pub fn note(&self, tx: &Tx<'_>, job: &JobName, now: DateTime<Utc>) -> Result<(), StoreError> {
        let subject = self.account.as_str();
        let Some(title) = self.words(job) else {
            if self.all {
                problems::close(tx, BALANCE_TOO_LOW, subject, now)?;
            }
            return Ok(());
        };
        problems::open(
            tx,
            &problems::Problem {
                code: BALANCE_TOO_LOW.to_owned(),
                subject: subject.to_owned(),
                severity: problems::Severity::Warning,
                title,
                since: now,
                fix: format!(
                    "pay in at the marketplace; then the job's next run goes on, or: sellerd plan {job}"
                ),
            },
        )
    }
}
