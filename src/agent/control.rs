//! The control socket: how the command line reaches the agent that runs on this machine. Only our user can open it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Path as UrlPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::ask::{Answered, Desk};
use super::login::{Brought, Proof};
use crate::config::Sources;
use crate::domain::{AccountName, JobName};
use crate::jobs::Errand;

/// Where the socket of a state directory is.
pub fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

/// Binds the socket. One that a crash left behind is taken away first: the instance lock says that it is nobody's.
pub fn bind(state_dir: &Path) -> std::io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let path = socket_path(state_dir);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until `stop` is cancelled.
pub async fn serve(listener: UnixListener, desk: Arc<Desk>, stop: CancellationToken) -> std::io::Result<()> {
    let router = Router::new()
        .route("/job/{name}/run", post(run_job))
        .route("/job/{name}/progress", get(progress))
        .route("/accounts/held", get(held))
        .route("/account/{name}/test", post(test_account))
        .route("/account/{name}/login/begin", post(begin_login))
        .route("/account/{name}/login/finish", post(finish_login))
        .route("/account/{name}/import", post(import))
        .route("/account/{name}/logout", post(log_out))
        .layer(middleware::from_fn(to_its_end))
        .with_state(desk);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// What was begun is done to its end also where whoever asked goes away: a login that is half forgotten would go on being
/// worked.
async fn to_its_end(request: Request, next: Next) -> Response {
    match whole(next.run(request)).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!("an answer on the control socket broke off: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Does `work` to its end, whoever waits for it.
async fn whole<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
    tokio::spawn(work.in_current_span()).await
}

/// Without a body it is the job's usual run.
async fn run_job(
    State(desk): State<Arc<Desk>>,
    UrlPath(name): UrlPath<String>,
    errand: Option<Json<Errand>>,
) -> (StatusCode, Json<Value>) {
    let errand = errand.map_or(Errand::Usual, |Json(errand)| errand);
    let name = JobName(name);
    let answer = async {
        let account = desk.config().jobs.get(&name).and_then(|job| job.account.clone());
        desk.look_again(account.as_ref()).await?;
        desk.run_job(&name, errand).await
    };
    reply(answer.await.map(|row| json!(row)))
}

/// `null` while the job does not run.
async fn progress(State(desk): State<Arc<Desk>>, UrlPath(name): UrlPath<String>) -> Json<Value> {
    Json(json!(desk.progress(&JobName(name)).await))
}

/// Where the agent has each account's pairs from, the app's and the login's: its surroundings may be others than those of
/// whoever asks.
async fn held(State(desk): State<Arc<Desk>>) -> Json<Value> {
    let config = desk.config();
    let places = config.accounts.values().map(|account| {
        let Sources { consumer, token } = &account.sources;
        (
            account.name.as_str(),
            [consumer, token].map(|of| of.as_ref().map(|origin| origin.place.to_string())),
        )
    });
    Json(json!(places.collect::<BTreeMap<_, _>>()))
}

async fn test_account(
    State(desk): State<Arc<Desk>>,
    UrlPath(name): UrlPath<String>,
) -> (StatusCode, Json<Value>) {
    let name = AccountName(name);
    let answer = async {
        desk.look_again(Some(&name)).await?;
        desk.test_account(&name).await
    };
    reply(answer.await.map(|tested| json!(tested)))
}

/// The body says whether one that was begun is gone on with.
async fn begin_login(
    State(desk): State<Arc<Desk>>,
    UrlPath(name): UrlPath<String>,
    Json(resume): Json<bool>,
) -> (StatusCode, Json<Value>) {
    let name = AccountName(name);
    let answer = async {
        desk.look_again(Some(&name)).await?;
        desk.begin_login(&name, resume).await
    };
    reply(answer.await.map(|begun| json!(begun)))
}

async fn finish_login(
    State(desk): State<Arc<Desk>>,
    UrlPath(name): UrlPath<String>,
    Json(proof): Json<Proof>,
) -> (StatusCode, Json<Value>) {
    reply(desk.finish_login(&AccountName(name), &proof).await.map(|finished| json!(finished)))
}

async fn import(
    State(desk): State<Arc<Desk>>,
    UrlPath(name): UrlPath<String>,
    Json(brought): Json<Brought>,
) -> (StatusCode, Json<Value>) {
    reply(desk.import(&AccountName(name), &brought).await.map(|logged_in| json!(logged_in)))
}

/// The body says whether the marketplace is left alone.
async fn log_out(
    State(desk): State<Arc<Desk>>,
    UrlPath(name): UrlPath<String>,
    Json(local): Json<bool>,
) -> (StatusCode, Json<Value>) {
    reply(desk.log_out(&AccountName(name), local).await.map(|logged_out| json!(logged_out)))
}

fn reply(answered: Answered<Value>) -> (StatusCode, Json<Value>) {
    match answered {
        Ok(value) => (StatusCode::OK, Json(value)),
        Err(why) => (StatusCode::CONFLICT, Json(json!(why))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_begun_is_done_although_nobody_waits_for_it_any_more() {
        let (goes_on, forgotten) = (Arc::new(tokio::sync::Notify::new()), CancellationToken::new());
        let work = {
            let (goes_on, forgotten) = (Arc::clone(&goes_on), forgotten.clone());
            async move {
                goes_on.notified().await;
                forgotten.cancel();
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(1), whole(work)).await;
        assert!(waited.is_err() && !forgotten.is_cancelled(), "whoever asked has gone away");
        goes_on.notify_one();
        forgotten.cancelled().await;
    }
}
