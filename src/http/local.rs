//! Asks something of a program on this machine: the running agent over its control socket, or a sandbox.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::transport::{install_tls_provider, wiped};

/// Status and body of an answer.
pub type LocalAnswer = (u16, Vec<u8>);

/// Why a running agent did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It has the socket and says nothing: it is stopped, or stuck.
    #[error("the running sellerd has not answered for {} seconds", STUCK.as_secs())]
    Stuck,
    /// The question or the answer broke off.
    #[error("the running sellerd did not answer: {0}")]
    BrokeOff(String),
}

/// An agent answers at once that it is there, however long its answer to a question may take.
const STUCK: Duration = Duration::from_secs(5);

/// Posts JSON, or nothing, to the agent's control socket. `None` when nobody listens there. What a person brings for a
/// login goes this way, so it is wiped.
pub async fn ask_agent(
    socket: &Path,
    path: &str,
    body: Zeroizing<Vec<u8>>,
) -> Result<Option<LocalAnswer>, AgentError> {
    if !socket.exists() {
        return Ok(None);
    }
    let client = client(|builder| builder.unix_socket(socket)).map_err(AgentError::BrokeOff)?;
    // Any answer will do, also that there is no such page.
    match client.head("http://sellerd/").timeout(STUCK).send().await {
        Err(error) if error.is_timeout() => return Err(AgentError::Stuck),
        _ => {}
    }
    let mut request = client.post(format!("http://sellerd{path}"));
    if !body.is_empty() {
        request = request.header("content-type", "application/json").body(wiped(body));
    }
    match request.send().await {
        Ok(answer) => read(answer).await.map(Some).map_err(AgentError::BrokeOff),
        // A socket that was left behind by a process that is gone.
        Err(error) if error.is_connect() => Ok(None),
        Err(error) => Err(AgentError::BrokeOff(error.to_string())),
    }
}

/// Gets something from the agent's control socket. `None` when nobody answers there, or is stuck: what is asked so is
/// there at once.
pub async fn look_at_agent(socket: &Path, path: &str) -> Option<LocalAnswer> {
    let client = client(|builder| builder.unix_socket(socket)).ok()?;
    let request = client.get(format!("http://sellerd{path}")).timeout(Duration::from_secs(2));
    read(request.send().await.ok()?).await.ok()
}

/// Posts JSON to a sandbox's control address.
pub async fn post_json(url: &str, body: &serde_json::Value) -> Result<LocalAnswer, String> {
    let request = client(|builder| builder)?.post(url).header("content-type", "application/json");
    read(request.body(body.to_string()).send().await.map_err(|error| error.to_string())?).await
}

/// Deletes at a sandbox's control address.
pub async fn delete(url: &str) -> Result<LocalAnswer, String> {
    read(client(|builder| builder)?.delete(url).send().await.map_err(|error| error.to_string())?).await
}

async fn read(answer: reqwest::Response) -> Result<LocalAnswer, String> {
    let status = answer.status().as_u16();
    let body = answer.bytes().await.map_err(|error| format!("the answer broke off: {error}"))?;
    Ok((status, body.to_vec()))
}

#[expect(clippy::disallowed_methods, reason = "this is where clients are built")]
fn client(
    set: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, String> {
    install_tls_provider();
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .tls_certs_only([]);
    set(builder).build().map_err(|error| error.to_string())
}
