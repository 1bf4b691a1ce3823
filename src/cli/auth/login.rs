//! `sellerd auth login`: an address to open anywhere, and what comes back from there: typed, pasted, or brought by the
//! browser itself where a callback leads here.

use std::io::{self, IsTerminal};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
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
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::config::{Account, Config};
use crate::domain::AccountName;

/// How often something may be typed for one login.
const TRIES: usize = 3;

/// How often a browser may bring something for one login that the marketplace does not accept. Where a login has no
/// token to be named by anybody may have sent it, so that it never ends the login; but each costs a request.
const BROUGHT: usize = 10;

/// Begins, or goes on, and says who logged in.
pub async fn run(options: LoginOptions, home: &Home) -> Result<Exit, Failure> {
    let name = AccountName::from(options.account.as_str());
    let config = home.config_of(&name).await?;
    home.log(&config, false, &SystemClock::shared());
    let (account, clock) = (account(&config, &name)?, SystemClock::shared());
    let attempt = Attempt { config: &config, account, home, options: &options, clock };
    let logged_in = match &options.pin {
        Some(pin) => attempt.finish_at_once(pin).await?,
        None => {
            let begun = attempt.begin().await?;
            match (begun.granted, home.no_input) {
                // The person was let in before, and something went wrong afterwards.
                (true, _) => attempt.finish_at_once(&SecretString::default()).await?,
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
    clock: SharedClock,
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
        said: &SecretString,
        typed: Option<&mut Typed>,
    ) -> Result<Result<LoggedIn, String>, Failure> {
        let mut finished = self.hand_in(said, self.options.other_seller).await?;
        if let Finished::Unsure(unsure) = finished {
            is_meant(self.home, typed, unsure).await?;
            finished = self.hand_in(&SecretString::default(), true).await?;
        }
        match finished {
            Finished::LoggedIn(logged_in) => Ok(Ok(*logged_in)),
            Finished::TryAgain(why) => Ok(Err(why)),
            Finished::Unsure(unsure) => Err(unsure.declined.into()),
        }
    }

    async fn hand_in(&self, said: &SecretString, other_seller: bool) -> Result<Finished, Failure> {
        let name = &self.account.name;
        let path = format!("/account/{name}/login/finish");
        let proof = Proof { said: said.clone(), other_seller };
        ask(self.config, &path, &proof, async |desk: &Desk| desk.finish_login(name, &proof).await).await
    }

    /// The same with one try.
    async fn finish_at_once(&self, said: &SecretString) -> Result<LoggedIn, Failure> {
        self.finish(said, None).await?.map_err(|why| self.not_accepted(why))
    }

    /// Nobody may be asked: the address is the result, and another call finishes.
    async fn leave_it(&self, begun: &Begun) -> Result<Exit, Failure> {
        let finish = self.home.typed.copyable(&self.finish_command()).into_owned();
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
        let (mut tries, mut brought) = (0, 0);
        while tries < TRIES {
            note(&format!("{}: ", entrance.prompt));
            let (said, by_browser) = self.said(&mut typed, &mut browser, begun.until).await?;
            match self.finish(&said, Some(&mut typed)).await? {
                Ok(logged_in) => return Ok(logged_in),
                Err(why) => note(&format!("{why}.\n")),
            }
            match by_browser {
                false => tries += 1,
                true => brought += 1,
            }
            if brought == BROUGHT && browser.take().is_some() {
                note("Browsers are not waited for any more; paste the address instead.\n");
            }
        }
        Err(self.not_accepted(format!("nothing of what was typed {TRIES} times was accepted")))
    }

    /// What is handed in next, and whether a browser brought it.
    async fn said(
        &self,
        typed: &mut Typed,
        browser: &mut Option<mpsc::Receiver<SecretString>>,
        until: DateTime<Utc>,
    ) -> Result<(SecretString, bool), Failure> {
        let heard = hear(typed, browser, until, &*self.clock).await;
        match heard.map_err(|failure| Failure { fix: self.resume_command(), ..failure })? {
            Heard::Said(text) => Ok((text, false)),
            Heard::Brought(address) => Ok((address, true)),
            Heard::Nobody => Err(self.nobody()),
            Heard::TooLate => Err(self.too_late(until)),
        }
    }

    /// The address alone on its line, so that a double click takes all of it; then the code.
    fn show(&self, begun: &Begun) {
        let tz = self.config.timezone;
        let until = when(begun.until, self.clock.now(), tz);
        note(&format!("Open this address on any phone or computer, until {until}:\n\n{}\n\n", begun.url));
        if self.options.qr == Qr::Auto && io::stderr().is_terminal() {
            note(&qr::code(&begun.url).map_or(String::new(), |code| format!("{code}\n")));
        }
    }

    /// Listens where the callback leads. That it cannot is no reason not to log in.
    async fn listener(&self, begun: &Begun) -> Option<mpsc::Receiver<SecretString>> {
        let at = begun.listen?;
        let parameter = self.account.marketplace.login.parameter;
        match callback::listen(at, parameter, begun.token.clone()).await {
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
        Failure::new("E413", Exit::Login, why, fix)
    }

    fn nobody(&self) -> Failure {
        let message = "stdin ended before anything was typed; the login waits";
        Failure::new("E413", Exit::Login, message, self.finish_command())
    }

    fn too_late(&self, until: DateTime<Utc>) -> Failure {
        let until = when(until, self.clock.now(), self.config.timezone);
        let message =
            format!("nobody came back until {until}; what the page shows is worth nothing any more");
        let fix = format!("begin a new login: sellerd auth login {}", self.account.name);
        Failure::new("E413", Exit::Login, message, fix)
    }

    fn resume_command(&self) -> String {
        format!("sellerd auth login {} --resume", self.account.name)
    }

    fn finish_command(&self) -> String {
        let what = self.account.marketplace.login.prompt.to_uppercase();
        format!("sellerd auth login {} --pin <{what}>", self.account.name)
    }
}

/// What a login that waits for a person comes to hear.
#[derive(Debug)]
enum Heard {
    /// What was typed.
    Said(SecretString),
    /// The address that a browser asked for.
    Brought(SecretString),
    /// Nobody types, and no browser is waited for.
    Nobody,
    /// What the page shows can be exchanged no longer.
    TooLate,
}

/// What is typed, or what the browser brings, whichever comes first, as long as it is worth something.
async fn hear(
    typed: &mut Typed,
    browser: &mut Option<mpsc::Receiver<SecretString>>,
    until: DateTime<Utc>,
    clock: &dyn Clock,
) -> Result<Heard, Failure> {
    tokio::select! {
        Some(address) = brought(browser) => {
            note("the browser has brought it.\n");
            return Ok(Heard::Brought(address));
        }
        line = typed.line() => match line? {
            Some(line) => return Ok(Heard::Said(line)),
            None if browser.is_none() => return Ok(Heard::Nobody),
            None => {}
        },
        () = passed(until, clock) => return Ok(Heard::TooLate),
    }
    // Nobody types any more; the browser still may come.
    tokio::select! {
        Some(address) = brought(browser) => Ok(Heard::Brought(address)),
        failure = typed.stopped() => Err(failure),
        () = passed(until, clock) => Ok(Heard::TooLate),
    }
}

async fn brought(browser: &mut Option<mpsc::Receiver<SecretString>>) -> Option<SecretString> {
    browser.as_mut()?.recv().await
}

/// However long it is until then, the clock is looked at this often: the machine may have slept.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(30);

async fn passed(until: DateTime<Utc>, clock: &dyn Clock) {
    while let Ok(left) = (until - clock.now()).to_std()
        && left > Duration::ZERO
    {
        clock.sleep(left.min(LOOKED_AT_EVERY)).await;
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::agent::daemon::Command;
    use crate::clock::ManualClock;

    /// A terminal that nobody types at any more, and the signals that it would be told of.
    fn silent() -> (Typed, mpsc::Sender<Command>) {
        let ((say, lines), (tell, signals)) = (mpsc::channel(1), mpsc::channel(1));
        drop(say);
        (Typed::of(lines, signals), tell)
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_only_a_browser_could_finish_ends_when_it_is_worth_nothing_any_more() {
        let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let until = clock.now() + TimeDelta::hours(24);
        let (mut typed, _tell) = silent();
        let (_browser, heard) = mpsc::channel(1);
        assert!(matches!(hear(&mut typed, &mut Some(heard), until, &*clock).await, Ok(Heard::TooLate)));
        assert_eq!(clock.now(), until);
    }

    #[tokio::test(start_paused = true)]
    async fn until_then_the_browser_is_waited_for_also_by_a_clock_that_was_set() {
        let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let until = clock.now() + TimeDelta::hours(24);
        let (mut typed, _tell) = silent();
        let (browser, heard) = mpsc::channel(1);
        let (mut heard, shared) = (Some(heard), clock.clone());
        tokio::spawn(async move {
            shared.sleep(Duration::from_secs(3_600)).await;
            browser.send("/back".into()).await.unwrap();
            shared.sleep(Duration::from_secs(1)).await;
            shared.jump(TimeDelta::hours(30));
            shared.sleep(Duration::from_secs(3_600)).await;
            drop(browser);
        });
        let Ok(Heard::Brought(said)) = hear(&mut typed, &mut heard, until, &*clock).await else { panic!() };
        assert_eq!(said.expose_secret(), "/back");
        assert!(matches!(hear(&mut typed, &mut heard, until, &*clock).await, Ok(Heard::TooLate)));
        assert!(clock.elapsed() < Duration::from_secs(3_700), "the machine slept meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_browser_nobody_is_waited_for_where_stdin_has_ended() {
        let clock = ManualClock::at("2026-11-22T14:31:07Z".parse().unwrap());
        let until = clock.now() + TimeDelta::hours(24);
        let (mut typed, _tell) = silent();
        assert!(matches!(hear(&mut typed, &mut None, until, &*clock).await, Ok(Heard::Nobody)));
    }
}
