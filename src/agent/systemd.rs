//! What systemd is told (`Type=notify-reload`). Without `NOTIFY_SOCKET` in the environment each of these does nothing.
//!
//! A notification that cannot be sent never stops the agent; systemd notices by itself what matters.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::domain::clean;

/// The schedules are armed: the start, or a reload, is over.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload has begun; [`ready`] must follow. systemd wants to know since when, by its own monotonic clock.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(since) => tell(&[NotifyState::Reloading, since]),
        Err(error) => tracing::debug!(%error, "systemd cannot be told of the reload"),
    }
}

/// The drain has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The line that `systemctl status` shows, such as `5 jobs, next order-poll 14:55`.
pub fn status(text: &str) {
    // A line end would begin another assignment.
    tell(&[NotifyState::Status(&clean(text))]);
}

/// How often [`feed`] has to be called: a third of what the unit's `WatchdogSec=` allows. `None` without one.
pub fn feeding_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 3)
}

/// Tells the watchdog that all is well. Only whoever has just seen that it is may call this.
pub fn feed() {
    tell(&[NotifyState::Watchdog]);
}

/// Whether anybody listens, so that texts for nobody are not made.
pub fn listens() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    use super::*;

    /// Says everything once. By itself it shows that nothing fails without systemd; the next test listens.
    #[test]
    fn without_a_socket_nothing_is_told_and_nothing_fails() {
        reloading();
        ready();
        status("2 jobs\nREADY=1");
        if feeding_interval() == Some(Duration::from_secs(10)) {
            feed();
        }
        stopping();
    }

    #[test]
    fn systemd_hears_each_state_and_no_forged_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        // The environment of a process cannot be changed safely, so another one speaks.
        let told = Command::new(std::env::current_exe().unwrap())
            .args(["agent::systemd::tests::without_a_socket_nothing_is_told_and_nothing_fails", "--exact"])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "30000000")
            .env_remove("WATCHDOG_PID")
            .output()
            .unwrap();
        assert!(told.status.success());
        socket.set_nonblocking(true).unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 256];
        while let Ok(length) = socket.recv(&mut buffer) {
            heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        assert!(heard[0].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{heard:?}");
        assert_eq!(heard[1..], ["READY=1\n", "STATUS=2 jobs READY=1\n", "WATCHDOG=1\n", "STOPPING=1\n"]);
    }
}
