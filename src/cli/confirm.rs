//! Asking before a deed. It is asked only where a person sits: elsewhere the command as it was typed is the decision,
//! unless the command says that it is not.

use std::io::{self, BufRead, IsTerminal};

use super::home::Home;
use super::output::note;
use super::{Exit, Failure};

/// Whether somebody can be asked and has not answered already.
pub fn can_ask(home: &Home) -> bool {
    !home.no_input && !home.yes && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks where somebody can be asked. A no is the error: nothing was done.
pub fn confirm(home: &Home, question: &str) -> Result<(), Failure> {
    if !can_ask(home) {
        return Ok(());
    }
    note(&format!("{question}  [y/N]  > "));
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::internal(format!("the answer cannot be read: {error}")))?;
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::new("E201", Exit::Failed, "nothing was done: the answer was not yes", "")),
    }
}
