//! What a person types while something else may happen meanwhile: lines of stdin as they come, and secrets that the
//! terminal does not show.

use std::io::{self, BufRead, IsTerminal};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use tokio::sync::mpsc;

use crate::agent::daemon::Command;
use crate::agent::lifecycle;
use crate::cli::output::note;
use crate::cli::{Exit, Failure};
use crate::clock::SystemClock;

/// Lines of stdin, and the signal to stop.
pub struct Typed {
    lines: mpsc::Receiver<String>,
    signals: mpsc::Receiver<Command>,
}

/// Longer than any address that is pasted.
const LONGEST: usize = 8 * 1024;

impl Typed {
    /// Begins to read. The thread ends with stdin, or with the process.
    pub fn begin() -> Result<Self, Failure> {
        let signals = lifecycle::listen(SystemClock::shared(), None)
            .map_err(|error| Failure::internal(format!("no signals: {error}")))?;
        let (tell, lines) = mpsc::channel(4);
        std::thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                if tell.blocking_send(line.chars().take(LONGEST).collect()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { lines, signals })
    }

    /// Lines and signals that are played.
    #[cfg(test)]
    pub fn of(lines: mpsc::Receiver<String>, signals: mpsc::Receiver<Command>) -> Self {
        Self { lines, signals }
    }

    /// The next line; `None` at the end of stdin. Ctrl-C is an error.
    pub async fn line(&mut self) -> Result<Option<String>, Failure> {
        tokio::select! {
            line = self.lines.recv() => Ok(line),
            () = stopped(&mut self.signals) => Err(interrupted()),
        }
    }

    /// Asks something that is answered with yes or not.
    pub async fn says_yes(&mut self, question: &str) -> Result<bool, Failure> {
        note(&format!("{question}  [y/N]  > "));
        let line = self.line().await?.unwrap_or_default();
        Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Waits for Ctrl-C.
    pub async fn stopped(&mut self) -> Failure {
        stopped(&mut self.signals).await;
        interrupted()
    }

    /// A line that the terminal does not show.
    pub async fn hidden(&mut self, prompt: &str) -> Result<SecretString, Failure> {
        note(prompt);
        let hidden = Hidden::begin();
        let line = self.line().await;
        drop(hidden);
        note("\n");
        let end = || Failure::usage("stdin ended before everything was typed", "use --from-file FILE");
        Ok(line?.ok_or_else(end)?.trim().to_owned().into())
    }
}

async fn stopped(signals: &mut mpsc::Receiver<Command>) {
    while let Some(command) = signals.recv().await {
        if matches!(command, Command::Drain) {
            return;
        }
    }
    std::future::pending().await
}

fn interrupted() -> Failure {
    note("\n");
    Failure::new("E201", Exit::Interrupted, "interrupted; nothing was changed", "")
}

/// While it lives, the terminal does not show what is typed.
struct Hidden(Option<Termios>);

impl Hidden {
    fn begin() -> Self {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Self(None);
        }
        let before = tcgetattr(&stdin).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            // A terminal that refuses shows what is typed; that is its owner's to see.
            let _ = tcsetattr(&stdin, OptionalActions::Flush, &quiet);
        }
        Self(before)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_yes_is_a_yes() {
        for (said, yes) in [("y", true), (" Yes ", true), ("", false), ("n", false), ("yesterday", false)] {
            let ((say, lines), (_tell, signals)) = (mpsc::channel(1), mpsc::channel(1));
            say.send(said.to_owned()).await.unwrap();
            assert_eq!(Typed::of(lines, signals).says_yes("?").await.ok(), Some(yes), "{said}");
        }
        let ((say, lines), (_tell, signals)) = (mpsc::channel(1), mpsc::channel(1));
        drop(say);
        assert_eq!(Typed::of(lines, signals).says_yes("?").await.ok(), Some(false), "nobody is there");
    }
}
