//! What a person types while something else may happen meanwhile: lines of stdin as they come, and secrets that the
//! terminal does not show.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;

use crate::agent::daemon::Command;
use crate::agent::lifecycle;
use crate::cli::output::note;
use crate::cli::{Exit, Failure};
use crate::clock::SystemClock;
use crate::domain::Wiped;

/// Lines of stdin, and the signal to stop.
pub struct Typed {
    lines: mpsc::Receiver<SecretString>,
    signals: mpsc::Receiver<Command>,
}

/// Longer than any address that is pasted.
const LONGEST: usize = 8 * 1024;

impl Typed {
    /// Begins to read. The thread ends with stdin, or with the process.
    pub fn begin() -> Result<Self, Failure> {
        let signals = lifecycle::listen(SystemClock::shared(), None)
            .map_err(|error| Failure::internal(format!("no signals: {error}")))?;
        let from = stdin().map_err(|error| {
            Failure::usage(format!("stdin cannot be read: {error}"), "use --from-file FILE")
        })?;
        let (tell, lines) = mpsc::channel(4);
        std::thread::spawn(move || {
            for line in (Lines { from, held: Wiped::default(), looked: 0 }) {
                if tell.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { lines, signals })
    }

    /// Lines and signals that are played.
    #[cfg(test)]
    pub fn of(lines: mpsc::Receiver<SecretString>, signals: mpsc::Receiver<Command>) -> Self {
        Self { lines, signals }
    }

    /// The next line; `None` at the end of stdin. Ctrl-C is an error.
    pub async fn line(&mut self) -> Result<Option<SecretString>, Failure> {
        tokio::select! {
            line = self.lines.recv() => Ok(line),
            () = stopped(&mut self.signals) => Err(interrupted()),
        }
    }

    /// Asks something that is answered with yes or not.
    pub async fn says_yes(&mut self, question: &str) -> Result<bool, Failure> {
        note(&format!("{question}  [y/N]  > "));
        let line = self.line().await?.unwrap_or_default();
        let said = line.expose_secret().trim();
        Ok(["y", "yes"].iter().any(|yes| said.eq_ignore_ascii_case(yes)))
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
        Ok(line?.ok_or_else(end)?.expose_secret().trim().into())
    }
}

/// What is typed, without the buffer of the standard library, which would keep it.
pub fn stdin() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// Lines as they come. They end with what they come from, and where that is no text.
struct Lines<R> {
    from: R,
    held: Wiped,
    /// So many of what is held are known to hold no end of a line.
    looked: usize,
}

impl<R: Read> Iterator for Lines<R> {
    type Item = SecretString;

    fn next(&mut self) -> Option<SecretString> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.held[self.looked..]) {
                let end = self.looked + end;
                let line = line(&self.held[..end]);
                self.held.skip(end + 1);
                self.looked = 0;
                return line;
            }
            self.looked = self.held.len();
            if self.held.read_some(&mut self.from).ok()? == 0 {
                let held = std::mem::take(&mut self.held);
                self.looked = 0;
                return line(&held).filter(|_| !held.is_empty());
            }
        }
    }
}

fn line(bytes: &[u8]) -> Option<SecretString> {
    let text = str::from_utf8(bytes.strip_suffix(b"\r").unwrap_or(bytes)).ok()?;
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    Some(text[..end].into())
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
            say.send(said.into()).await.unwrap();
            assert_eq!(Typed::of(lines, signals).says_yes("?").await.ok(), Some(yes), "{said}");
        }
        let ((say, lines), (_tell, signals)) = (mpsc::channel(1), mpsc::channel(1));
        drop(say);
        assert_eq!(Typed::of(lines, signals).says_yes("?").await.ok(), Some(false), "nobody is there");
    }
}
