//! Signals and nothing else: the first SIGTERM or Ctrl-C drains, the second stops at once, SIGHUP reloads.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::daemon::Command;
use crate::clock::SharedClock;

/// Turns signals, and the end of `stop_after`, into commands for the agent.
#[expect(clippy::disallowed_methods, reason = "this is where signals are touched")]
pub fn listen(clock: SharedClock, stop_after: Option<Duration>) -> std::io::Result<mpsc::Receiver<Command>> {
    let (commands, received) = mpsc::channel(8);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        let mut time_is_up = std::pin::pin!(async {
            match stop_after {
                Some(span) => clock.sleep(span).await,
                None => std::future::pending().await,
            }
        });
        let mut over = false;
        loop {
            let command = tokio::select! {
                _ = terminate.recv() => Command::Drain,
                _ = interrupt.recv() => Command::Drain,
                _ = hangup.recv() => Command::Reload(None),
                () = &mut time_is_up, if !over => {
                    over = true;
                    Command::Drain
                }
            };
            if commands.send(command).await.is_err() {
                return;
            }
        }
    });
    Ok(received)
}
