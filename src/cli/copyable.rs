//! Commands that a fix names, as they can be copied: whoever typed `-c DIR` needs it in the next command, too.
//!
//! It is put in here, where people read fixes, since what says how something is mended does not know what was typed. Only
//! a command of ours is touched: the word `sellerd` and then a command that has to do with the configuration.

use std::borrow::Cow;

use clap::CommandFactory;

use super::args::Args;
use crate::config::Diagnostic;

/// Commands that ask nothing of the configuration.
const WITHOUT: [&str; 4] = ["try", "init", "explain", "sandbox"];

/// What was typed and has to be typed again.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The directory after `-c`, as a shell takes it.
    dir: Option<String>,
}

impl Typed {
    /// What was typed on this command line.
    pub fn of(args: &Args) -> Self {
        let dir = args.config.as_ref().filter(|_| args.named_dir);
        Self { dir: dir.map(|dir| shell_word(&dir.to_string_lossy())) }
    }

    /// The text with every command in it as it can be copied.
    pub fn copyable<'t>(&self, text: &'t str) -> Cow<'t, str> {
        const US: &str = "sellerd ";
        let Some(dir) = &self.dir else { return text.into() };
        let commands = Args::command();
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(US) {
            let (before, after) = rest.split_at(at + US.len());
            out.push_str(before);
            let begins =
                !rest[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '/' | '.' | '_'));
            let word = after.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default();
            let known = commands.get_subcommands().any(|command| command.get_name() == word);
            if begins && known && !WITHOUT.contains(&word) {
                out.push_str(&format!("-c {dir} "));
            }
            rest = after;
        }
        out.push_str(rest);
        out.into()
    }

    /// The same for the fixes of mistakes in the configuration.
    pub fn mend(&self, diagnostics: &mut [Diagnostic]) {
        for fix in diagnostics.iter_mut().filter_map(|diagnostic| diagnostic.fix.as_mut()) {
            *fix = self.copyable(fix).into_owned();
        }
    }
}

/// A word as a shell takes it.
fn shell_word(word: &str) -> String {
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | ':' | '@' | '%' | ',');
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", crate::domain::clean(word).replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &str) -> Typed {
        Typed::of(&Args::of_words(words.split_whitespace()).unwrap())
    }

    #[track_caller]
    fn check(typed: &Typed, text: &str, expected: &str) {
        assert_eq!(typed.copyable(text), expected);
    }

    #[test]
    fn the_directory_that_was_typed_stands_in_every_command_that_needs_it() {
        for words in ["sellerd -c shop status", "sellerd status --config=shop", "sellerd auth -c shop status"]
        {
            let typed = typed(words);
            check(&typed, "sellerd auth login nz", "sellerd -c shop auth login nz");
            check(
                &typed,
                "as x: sellerd auth login nz; or `sellerd unhalt`, then (sellerd status)",
                "as x: sellerd -c shop auth login nz; or `sellerd -c shop unhalt`, then (sellerd -c shop status)",
            );
            check(
                &typed,
                "sudo -u sellerd sellerd config check",
                "sudo -u sellerd sellerd -c shop config check",
            );
            for same in [
                "sellerd init shop  writes one; sellerd try  shows a pretend shop",
                "the user of sellerd to write there; the running sellerd goes on",
                "sellerd explain E520",
                "install a newer sellerd; sellerd 0.4 cannot",
                "/usr/bin/my-sellerd status",
                "sellerd -c other status",
                "sellerd --help",
                "write  mode = \"observe\"",
            ] {
                check(&typed, same, same);
            }
        }
    }

    #[test]
    fn nothing_is_repeated_that_was_not_typed() {
        check(&typed("sellerd status"), "sellerd unhalt", "sellerd unhalt");
        check(&Typed::default(), "sellerd unhalt", "sellerd unhalt");
    }

    #[test]
    fn a_directory_is_one_word_of_a_shell() {
        assert_eq!(shell_word("/srv/shop-1.d"), "/srv/shop-1.d");
        assert_eq!(shell_word("my shop"), "'my shop'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word("$(x)"), "'$(x)'");
    }
}
