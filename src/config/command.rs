//! Credentials that a program prints, such as a password store. It is run without a shell, for a short time, and
//! nothing that it prints is ever shown: not on success, and not as the reason of a failure.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::domain::Wiped;

/// It may ask an agent of its own, but nobody waits for a person here.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most that is read. Ours have a few hundred bytes.
const LARGEST: usize = 64 * 1024;

/// As much as it prints, most often.
const EXPECTED: usize = 4 * 1024;

/// What a program prints, or why that is nothing, in words without its output.
pub(super) fn output(words: &[String]) -> Result<Zeroizing<String>, String> {
    output_within(words, PATIENCE)
}

fn output_within(words: &[String], patience: Duration) -> Result<Zeroizing<String>, String> {
    let [program, arguments @ ..] = words else { return Err("it names no program".to_owned()) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A group of its own, so that what it has started ends with it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let pipe = child.stdout.take();
        let read = pipe.map_or_else(|| Ok(Wiped::default()), |pipe| Wiped::read(pipe, EXPECTED, LARGEST));
        let ended = read.and_then(|bytes| Ok((child.wait()?, bytes)));
        // Whoever waited may have given up.
        let _ = tell.send(ended);
    });
    match told.recv_timeout(patience) {
        Err(_) => {
            // What has ended meanwhile need not be ended.
            let _ =
                group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
            Err(format!("it did not end within {} seconds", patience.as_secs()))
        }
        Ok(Err(error)) => Err(format!("it cannot be read: {error}")),
        Ok(Ok((status, _))) if !status.success() => Err(match status.code() {
            Some(code) => format!("it ended with code {code}; run it by hand to see why"),
            None => "it was ended by a signal".to_owned(),
        }),
        Ok(Ok((_, bytes))) => bytes.into_text().map_err(|_| "it does not print text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_it_prints_is_taken_and_never_repeated_in_an_error() {
        assert_eq!(
            output(&words(&["echo", "token = \"x\""])),
            Ok(Zeroizing::new("token = \"x\"\n".to_owned()))
        );
        let why = output(&words(&["sh", "-c", "echo canary; echo canary >&2; exit 3"])).unwrap_err();
        assert!(why.contains("code 3") && !why.contains("canary"), "{why}");
        assert!(output(&words(&["/no/such/program"])).unwrap_err().contains("cannot be started"));
        assert!(output(&words(&["printf", "\\377"])).unwrap_err().contains("text"));
    }

    #[test]
    fn one_that_does_not_end_is_ended_with_what_it_started() {
        let stuck = words(&["sh", "-c", "tail -f /dev/null | cat"]);
        let why = output_within(&stuck, Duration::from_millis(100)).unwrap_err();
        assert!(why.contains("did not end"), "{why}");
    }
}
