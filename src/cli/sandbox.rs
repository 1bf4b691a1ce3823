//! `sellerd sandbox`: pretend marketplaces to try things out on, and the handles that break them.

use serde_json::{Value, json};

use super::args::{AppKind, SandboxCommand, ServeOptions};
use super::home::Home;
use super::{Exit, Failure, output};
use crate::agent::lifecycle;
use crate::clock::SystemClock;
use crate::http::local;
use crate::sandbox::{App, Fault, Options, Sandbox};

/// Serves, or reaches into one that is served.
pub async fn run(command: SandboxCommand, home: &Home) -> Result<Exit, Failure> {
    match command {
        SandboxCommand::Serve(options) => serve(options, home).await,
        SandboxCommand::Fault { control, words } => {
            let (control, words) = addressed(control, words)?;
            if words == ["clear"] {
                let cleared = local::delete(&format!("{control}/fault")).await;
                return say(&cleared.map_err(unreachable(&control))?);
            }
            let fault = Fault::parse(&words)
                .map_err(|why| Failure::usage(why, "for example: sellerd sandbox fault revoke"))?;
            let body = json!(fault);
            say(&local::post_json(&format!("{control}/fault"), &body).await.map_err(unreachable(&control))?)
        }
        SandboxCommand::Buy { control, count, shop, article, quantity, unpaid } => {
            let mut body = json!({ "shop": shop, "count": count, "pay": !unpaid });
            if let Some(article) = article {
                body["article_id"] = json!(article);
                body["quantity"] = json!(quantity);
            }
            say(&local::post_json(&format!("{control}/buy"), &body).await.map_err(unreachable(&control))?)
        }
    }
}

/// The control address and the words of the fault, of which the last may be `--control URL`: whatever follows the
/// fault's name is the fault's, unless it is looked at here.
fn addressed(control: String, words: Vec<String>) -> Result<(String, Vec<String>), Failure> {
    let (mut control, mut left) = (control, Vec::new());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.strip_prefix("--control") {
            Some("") => {
                let missing = || {
                    Failure::usage("--control needs an address after it", "sellerd sandbox serve prints it")
                };
                control = words.next().ok_or_else(missing)?;
            }
            Some(attached) if attached.starts_with('=') => control = attached[1..].to_owned(),
            _ => left.push(word),
        }
    }
    Ok((control, left))
}

async fn serve(options: ServeOptions, home: &Home) -> Result<Exit, Failure> {
    let clock = SystemClock::shared();
    home.log_plainly("info", &clock);
    let mut commands = lifecycle::listen(clock.clone(), None)
        .map_err(|error| Failure::internal(format!("no signals: {error}")))?;
    let sandbox = Sandbox::start(Options {
        listen: options.listen,
        seed: options.seed,
        articles: options.articles,
        buyers: options.buyers,
        app: match options.app {
            AppKind::Dedicated => App::Dedicated,
            AppKind::ThirdParty => App::ThirdParty,
        },
        callback: options.callback,
        token_lifetime: options.token_lifetime.and_then(|span| chrono::TimeDelta::from_std(span).ok()),
        daily_limit: u32::try_from(options.daily_limit).ok().filter(|limit| *limit > 0),
        ..Options::new(clock)
    })
    .await
    .map_err(|error| Failure::new("E482", Exit::Failed, error.to_string(), ""))?;
    output::json(&sandbox.announcement())?;
    // Whatever the signal is: it stops.
    commands.recv().await;
    sandbox.stop().await;
    Ok(Exit::Success)
}

fn say((status, body): &local::LocalAnswer) -> Result<Exit, Failure> {
    let answer: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    if *status >= 400 {
        let why = answer["error"].as_str().unwrap_or("the sandbox declined").to_owned();
        return Err(Failure::new("E483", Exit::Failed, why, ""));
    }
    output::json(&answer)?;
    Ok(Exit::Success)
}

fn unreachable(control: &str) -> impl FnOnce(String) -> Failure {
    let fix =
        format!("start one: sellerd sandbox serve; its `control_url` is what --control takes, not {control}");
    move |why| Failure::new("E484", Exit::Temporary, format!("no sandbox answers: {why}"), fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, expected: &str, left: &str) {
        let words = words.split_whitespace().map(str::to_owned).collect();
        let (control, words) = addressed("default".to_owned(), words).unwrap();
        assert_eq!((control.as_str(), words.join(" ").as_str()), (expected, left));
    }

    #[test]
    fn the_address_may_stand_before_the_fault_or_after_it() {
        check("revoke", "default", "revoke");
        check("revoke --control http://a", "http://a", "revoke");
        check("slow 2s --control=http://a --writes", "http://a", "slow 2s --writes");
        check("revoke --controls x", "default", "revoke --controls x");
        assert!(addressed(String::new(), vec!["revoke".into(), "--control".into()]).is_err());
    }
}
