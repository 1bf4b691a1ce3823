//! `probe`: the cheapest authenticated read. It keeps a token alive and notices a withdrawn login.

use super::{Context, JobError, Report};

/// Asks who we are.
pub(super) async fn run(context: &Context) -> Result<Report, JobError> {
    let (_, market) = context.market()?;
    let identity = market.identity().await?;
    Ok(Report { message: Some(format!("logged in as {}", identity.name)), ..Report::default() })
}
