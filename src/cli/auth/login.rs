//! `sellerd auth login`: an address to open anywhere, and what comes back from there: typed, pasted, or brought by the
//! browser itself where a callback leads here.

use std::io::{self, IsTerminal};

use serde::Serialize;
use tokio::sync::mpsc;

use super::typed::Typed;
use super::{Row, account, ask, callback, is_meant, qr, row, welcome};
use crate::agent::ask::Desk;
use crate::agent::login::{Begun, Finished, LoggedIn, Proof};
use crate::cli::args::{LoginOptions, Qr};
use crate::cli::home::Home;
use crate::cli::output::{instant, note, when};
use crate::cli::{Exit, Failure, output};
use crate::clock::{Clock, SystemClock};
use crate::config::{Account, Config};
use crate::domain::AccountName;

/// How often something may be typed for one login.
const TRIES: usize = 3;

/// Begins, or goes on, and says who logged in.
pub async fn run(options: LoginOptions, home: &Home) -> Result<Exit, Failure> {
    let config = home.config_for_login()?;
    home.log(&config, false, &SystemClock::shared());
    let name = AccountName::from(options.account.as_str());
    let attempt = Attempt { config: &config, account: account(&config, &name)?, home, options: &options };
    let logged_in = match &options.pin {
        Some(pin) => attempt.finish_at_once(pin).await?,
        None => {
            let begun = attempt.begin().await?;
            match (begun.granted, home.no_input) {
                // The person was let in before, and something went wrong afterwards.
                (true, _) => attempt.finish_at_once("").await?,
                (false, true) => return attempt.leave_it(&begun).await,
                (false, false) => attempt.talk(&begun).await?,
            }
        }
    };
    welcome(home, &name, &logged_in).await
}

/// One login, as the command sees it.
struct Attempt<'a> {
    config: &'a Config,
    account: &'a Account,
    home: &'a Home,
    options: &'a LoginOptions,
}

/// The document of a login that waits for a person.
#[derive(Serialize)]
struct Waiting {
    schema: &'static str,
    url: String,
    until: String,
    finish: String,
    accounts: [Row; 1],
}

impl Attempt<'_> {
    async fn begin(&self) -> Result<Begun, Failure> {
        let (name, resume) = (&self.account.name, self.options.resume);
        let path = format!("/account/{name}/login/begin");
        ask(self.config, &path, &resume, async |desk: &Desk| desk.begin_login(name, resume).await).await
    }

    /// Hands in what was brought; the error within says why something else may be accepted.
    async fn finish(
        &self,
        said: &str,
        typed: Option<&mut Typed>,
    ) -> Result<Result<LoggedIn, String>, Failure> {
        let mut finished = self.hand_in(said, self.options.other_seller).await?;
        if let Finished::Unsure(unsure) = finished {
            is_meant(self.home, typed, unsure).await?;
            finished = self.hand_in("", true).await?;
        }
        match finished {
            Finished::LoggedIn(logged_in) => Ok(Ok(*logged_in)),
            Finished::TryAgain(why) => Ok(Err(why)),
            Finished::Unsure(unsure) => Err(unsure.declined.into()),
        }
    }

    async fn hand_in(&self, said: &str, other_seller: bool) -> Result<Finished, Failure> {
        let name = &self.account.name;
        let path = format!("/account/{name}/login/finish");
        let proof = Proof { said: said.to_owned().into(), other_seller };
        ask(self.config, &path, &proof, async |desk: &Desk| desk.finish_login(name, &proof).await).await
    }

    /// The same with one try.
    async fn finish_at_once(&self, said: &str) -> Result<LoggedIn, Failure> {
        self.finish(said, None).await?.map_err(|why| self.not_accepted(why))
    }

    /// Nobody may be asked: the address is the result, and another call finishes.
    async fn leave_it(&self, begun: &Begun) -> Result<Exit, Failure> {
        let finish = self.finish_command();
        let known = row(self.home, self.account, self.config).await?;
        let url = Some(begun.url.clone());
        output::json(&Waiting {
            schema: "sellerd.auth/1",
            url: begun.url.clone(),
            until: instant(begun.until),
            finish: finish.clone(),
            accounts: [Row { url, fix: Some(finish), ..known }],
        })?;
        Ok(Exit::Login)
    }

    async fn talk(&self, begun: &Begun) -> Result<LoggedIn, Failure> {
        let entrance = &self.account.marketplace.login;
        let mut browser = self.listener(begun).await;
        let mut typed = Typed::begin()?;
        self.show(begun);
        note(&format!("{}\n", entrance.instruction));
        for _ in 0..TRIES {
            note(&format!("{}: ", entrance.prompt));
            let said = self.said(&mut typed, &mut browser).await?;
            match self.finish(&said, Some(&mut typed)).await? {
                Ok(logged_in) => return Ok(logged_in),
                Err(why) => note(&format!("{why}.\n")),
            }
        }
        Err(self.not_accepted(format!("nothing of what was typed {TRIES} times was accepted")))
    }

    /// What is typed, or what the browser brings, whichever comes first.
    async fn said(
        &self,
        typed: &mut Typed,
        browser: &mut Option<mpsc::Receiver<String>>,
    ) -> Result<String, Failure> {
        let goes_on = |failure: Failure| Failure { fix: self.resume_command(), ..failure };
        let Some(browser) = browser else {
            return typed.line().await.map_err(goes_on)?.ok_or_else(|| self.nobody());
        };
        tokio::select! {
            Some(address) = browser.recv() => {
                note("the browser has brought it.\n");
                return Ok(address);
            }
            line = typed.line() => if let Some(line) = line.map_err(goes_on)? {
                return Ok(line);
            },
        }
        // Nobody types any more; the browser still may come.
        tokio::select! {
            Some(address) = browser.recv() => Ok(address),
            failure = typed.stopped() => Err(goes_on(failure)),
        }
    }

    /// The address alone on its line, so that a double click takes all of it; then the code.
    fn show(&self, begun: &Begun) {
        let tz = self.config.timezone;
        let until = when(begun.until, SystemClock::default().now(), tz);
        note(&format!("Open this address on any phone or computer, until {until}:\n\n{}\n\n", begun.url));
        if self.options.qr == Qr::Auto && io::stderr().is_terminal() {
            note(&qr::code(&begun.url).map_or(String::new(), |code| format!("{code}\n")));
        }
    }

    /// Listens where the callback leads. That it cannot is no reason not to log in.
    async fn listener(&self, begun: &Begun) -> Option<mpsc::Receiver<String>> {
        let at = begun.listen?;
        match callback::listen(at, self.account.marketplace.login.parameter).await {
            Ok(browser) => Some(browser),
            Err(error) => {
                note(&format!(
                    "The browser cannot be waited for at {at} ({error}); paste the address instead.\n"
                ));
                None
            }
        }
    }

    fn not_accepted(&self, why: String) -> Failure {
        let name = &self.account.name;
        let fix = format!("{}, or begin anew: sellerd auth login {name}", self.resume_command());
        Failure::new("E411", Exit::Login, why, fix)
    }

    fn nobody(&self) -> Failure {
        let message = "stdin ended before anything was typed; the login waits";
        Failure::new("E411", Exit::Login, message, self.finish_command())
    }

    fn resume_command(&self) -> String {
        format!("sellerd auth login {} --resume", self.account.name)
    }

    fn finish_command(&self) -> String {
        let what = self.account.marketplace.login.prompt.to_uppercase();
        format!("sellerd auth login {} --pin <{what}>", self.account.name)
    }
}
