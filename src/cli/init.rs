//! `sellerd init`: writes a configuration directory from flags, asking on a terminal for what is missing.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use serde::Serialize;

use super::args::{Format, InitOptions};
use super::home::Home;
use super::{Exit, Failure, output};
use crate::config::init::{self, Answers};
use crate::domain::{AccountName, nearest};
use crate::marketplace::{self, Descriptor, OptionKey, Options};

/// Writes it and says what comes next.
pub fn run(options: InitOptions, home: &Home) -> Result<Exit, Failure> {
    let mut asking =
        Asking { allowed: !home.no_input && io::stdin().is_terminal() && io::stderr().is_terminal() };
    let marketplace = marketplace(&options, &mut asking)?;
    let account = asking.text(
        "account",
        "What shall the account be called?",
        options.account,
        marketplace.first_account,
    )?;
    let own = own_keys(marketplace, options.app, &mut asking)?;
    let timezone = asking.text("timezone", "Time zone of your shop?", options.timezone, "Europe/Berlin")?;
    let dir = options.dir.unwrap_or_else(|| home.dir.clone());
    let answers = Answers {
        marketplace,
        account: account_name(account)?,
        timezone: zone(&timezone)?,
        base_url: options.base_url,
        state_dir: None,
        credentials: None,
    };
    let written = init::write(&dir, &init::files_with(&answers, &own)).map_err(|error| {
        Failure::new("E210", Exit::Usage, error.to_string(), "name another directory: sellerd init DIR")
    })?;
    match home.output {
        Format::Table => output::text(&said(&dir, &written, &answers, &own))?,
        format => {
            let next = next_steps(&dir, &answers, &own).into_iter().map(|(command, _)| command).collect();
            output::document(format, &Document { schema: "sellerd.init/1", written, next })?;
        }
    }
    Ok(Exit::Success)
}

/// What was written, and what is to be done next.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    written: Vec<PathBuf>,
    next: Vec<String>,
}

fn said(dir: &Path, written: &[PathBuf], answers: &Answers, own: &Options) -> String {
    let names: Vec<String> =
        written.iter().map(|path| path.strip_prefix(dir).unwrap_or(path).display().to_string()).collect();
    let mut text = format!(
        "Written to {}:  {}\nAll jobs start in observe mode: they look, they never write.\n\n",
        dir.display(),
        names.join("  "),
    );
    let steps = next_steps(dir, answers, own);
    let wide = steps.iter().map(|(command, _)| command.chars().count()).max().unwrap_or_default();
    for (at, (command, why)) in steps.iter().enumerate() {
        let head = if at == 0 { "Next:" } else { "" };
        text.push_str(&format!("{head:<5}  {}. {command:<wide$}   {why}\n", at + 1));
    }
    text
}

/// The commands that follow, and what each is for.
fn next_steps(dir: &Path, answers: &Answers, own: &Options) -> Vec<(String, String)> {
    let (account, marketplace) = (&answers.account, answers.marketplace);
    let command = |words: &str| format!("sellerd -c {} {words}", dir.display());
    let [key, secret, ..] = marketplace.credential_names;
    let login = (marketplace.login.import_only)(own).is_none();
    let mut steps = match login {
        true => vec![
            (command(&format!("auth import {account}")), format!("asks for the {key} and the {secret}")),
            (command(&format!("auth login {account}")), "logs in with any browser".to_owned()),
        ],
        false => vec![(
            command(&format!("auth import {account}")),
            format!("asks for the {}", marketplace.credential_names.join(", ")),
        )],
    };
    steps.push((command("config check"), "contacts nothing, names every mistake".to_owned()));
    steps.push((command("job run probe"), "one request: is the login right?".to_owned()));
    steps.push((command("run"), "the jobs by their schedules, until Ctrl-C".to_owned()));
    steps
}

fn marketplace(options: &InitOptions, asking: &mut Asking) -> Result<&'static Descriptor, Failure> {
    let known = || marketplace::ALL.iter().map(|descriptor| descriptor.name);
    let titles: Vec<&str> = known().collect();
    let question = format!("Marketplace? ({})", titles.join(", "));
    let name = asking.text(
        "marketplace",
        &question,
        options.marketplace.clone(),
        titles.first().copied().unwrap_or(""),
    )?;
    marketplace::descriptor(&name.to_lowercase()).ok_or_else(|| {
        let near = nearest(&name, known()).map(|near| format!("did you mean {near}? "));
        Failure::usage(
            format!("`{name}` is no marketplace that this version knows"),
            format!("{}--marketplace is one of: {}", near.unwrap_or_default(), titles.join(", ")),
        )
    })
}

/// The marketplace's own keys that somebody has to decide: by flag, else by a question, else as they usually are.
fn own_keys(
    marketplace: &'static Descriptor,
    app: Option<String>,
    asking: &mut Asking,
) -> Result<Options, Failure> {
    let mut given = [("app", app)];
    let mut own = Options::new();
    for option in marketplace.options {
        let flag = given.iter_mut().find(|(key, _)| *key == option.key).and_then(|(_, value)| value.take());
        let value = match (flag, option.question) {
            (Some(value), _) => one_of(option, &value)?,
            (None, Some(question)) if asking.allowed => {
                let answer = asking.text(option.key, question, None, "y")?;
                yes_or_no(option, &answer)?
            }
            (None, _) => continue,
        };
        own.insert(option.key, value.to_owned());
    }
    match given.into_iter().find(|(_, value)| value.is_some()) {
        None => Ok(own),
        Some((key, _)) => Err(Failure::usage(
            format!("accounts at {} have no `{key}`", marketplace.title),
            format!("leave --{key} out"),
        )),
    }
}

fn one_of(option: &'static OptionKey, typed: &str) -> Result<&'static str, Failure> {
    let known = option.values.iter().copied();
    known.clone().find(|value| value.eq_ignore_ascii_case(typed.trim())).ok_or_else(|| {
        let near = nearest(typed, known).map(|near| format!("did you mean {near}? ")).unwrap_or_default();
        Failure::usage(
            format!("`{}` cannot be `{typed}`", option.key),
            format!("{near}--{} is one of: {}", option.key, option.values.join(", ")),
        )
    })
}

/// A question is answered with yes for the default and with no for the other value, or with a value.
fn yes_or_no(option: &'static OptionKey, answer: &str) -> Result<&'static str, Failure> {
    let other = option.values.iter().copied().find(|value| *value != option.default);
    match answer.to_lowercase().as_str() {
        "y" | "yes" => Ok(option.default),
        "n" | "no" => Ok(other.unwrap_or(option.default)),
        _ => one_of(option, answer),
    }
}

fn account_name(name: String) -> Result<AccountName, Failure> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.starts_with('-') || !name.chars().all(fits) {
        return Err(Failure::usage(
            format!("`{name}` cannot be an account's name"),
            "use small letters, digits and hyphens, for example --account cm-main",
        ));
    }
    Ok(AccountName(name))
}

fn zone(name: &str) -> Result<Tz, Failure> {
    name.parse().map_err(|_| {
        let near = nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name()));
        let fix = near
            .map_or_else(|| "write it like Europe/Berlin".to_owned(), |near| format!("did you mean {near}?"));
        Failure::usage(format!("`{name}` is no time zone"), fix)
    })
}

/// Asks where that is possible, takes the default where it is not needed, and names the flag where it is.
struct Asking {
    allowed: bool,
}

impl Asking {
    fn text(
        &mut self,
        flag: &str,
        question: &str,
        given: Option<String>,
        default: &str,
    ) -> Result<String, Failure> {
        if let Some(given) = given {
            return Ok(given);
        }
        if !self.allowed {
            return Err(Failure::usage(
                format!("--{flag} is missing and there is nobody to ask"),
                format!("add for example: --{flag} {default}"),
            ));
        }
        output::note(&format!("{question}  [{default}]  > "));
        let mut line = String::new();
        io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| Failure::internal(format!("the answer cannot be read: {error}")))?;
        let answer = line.trim();
        Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
    }
}
