//! Words for people: commands in, tables or JSON out. It decides nothing.

mod apply;
mod args;
mod auth;
mod believe;
mod check;
mod confirm;
mod copyable;
mod exit;
mod explain;
mod failure;
mod halt;
mod home;
mod init;
mod job;
mod list;
mod orders;
mod output;
mod plan;
mod private;
mod progress;
mod promote;
mod quota;
mod run;
mod runs;
mod sandbox;
mod schedule;
mod status;
mod stock;
mod tour;
mod undo;
mod unpark;
mod usage;

use std::process::ExitCode;

use clap::CommandFactory;

use args::{Args, Command, JobCommand, RunsCommand};
use copyable::Typed;
pub(crate) use exit::Exit;
pub(crate) use failure::Failure;
use home::Home;

/// Parses the command line, does what it says, and says how it went.
pub fn main() -> ExitCode {
    // Before anything else, for every command: a PIN may stand in its words already.
    private::keep();
    let args = match Args::of_words(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no mistakes; everything else is usage.
            if !error.use_stderr() {
                let _ = error.print();
                return Exit::Success.into();
            }
            match usage::wants_json(std::env::args(), std::env::var("SELLERD_OUTPUT").ok().as_deref()) {
                true => usage::failure(&error).print(true, &Typed::default()),
                false => drop(error.print()),
            }
            return Exit::Usage.into();
        }
    };
    let json = args.output.is_json();
    let typed = Typed::of(&args);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(dispatch(args));
            // A run that was told to stop at once is not waited for.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::internal(format!("no runtime: {error}"))),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(json, &typed);
            failure.exit.into()
        }
    }
}

async fn dispatch(args: Args) -> Result<Exit, Failure> {
    let home = Home::of(&args);
    match args.command {
        None => no_command(&home).await,
        Some(Command::Try(options)) => tour::run(options, &home).await,
        Some(Command::Init(options)) => init::run(options, &home),
        Some(Command::Run(options)) => run::run(options, &home).await,
        Some(Command::Job(JobCommand::Run { name })) => job::run(&name, &home).await,
        Some(Command::Job(JobCommand::List)) => status::jobs(&home).await,
        Some(Command::Job(JobCommand::Promote { name })) => promote::promote(&name, &home).await,
        Some(Command::Job(JobCommand::Demote { name })) => promote::demote(&name, &home).await,
        Some(Command::Job(JobCommand::Pause { name })) => promote::pause(&name, &home).await,
        Some(Command::Job(JobCommand::Resume { name })) => promote::resume(&name, &home).await,
        Some(Command::Plan(options)) => plan::run(options, &home).await,
        Some(Command::Apply(options)) => apply::run(options, &home).await,
        Some(Command::Undo(options)) => undo::run(options, &home).await,
        Some(Command::Halt) => halt::halt(&home).await,
        Some(Command::Unhalt) => halt::unhalt(&home).await,
        Some(Command::Unpark { account }) => unpark::run(&account, &home).await,
        Some(Command::Status) => status::run(&home).await,
        Some(Command::Quota) => quota::run(&home).await,
        Some(Command::Schedule(options)) => schedule::run(&options, &home).await,
        Some(Command::Runs(RunsCommand::List(options))) => runs::list(options, &home).await,
        Some(Command::Runs(RunsCommand::Show { id })) => runs::show(id, &home).await,
        Some(Command::Orders(args::OrdersCommand::List(options))) => orders::all(options, &home).await,
        Some(Command::Stock(args::StockCommand::List(options))) => stock::all(options, &home).await,
        Some(Command::Stock(args::StockCommand::Export { account })) => stock::export(&account, &home).await,
        Some(Command::Stock(args::StockCommand::Believe { account })) => believe::run(&account, &home).await,
        Some(Command::Config(args::ConfigCommand::Check)) => check::run(&home).await,
        Some(Command::Explain { code }) => explain::run(code.as_deref(), &home),
        Some(Command::Sandbox(command)) => sandbox::run(command, &home).await,
        Some(Command::Auth(command)) => auth::run(command, &home).await,
    }
}

/// `sellerd` alone: the status where there is a configuration, else how to begin.
async fn no_command(home: &Home) -> Result<Exit, Failure> {
    // A program is given the status, or the error that there is none.
    if home.dir.join("sellerd.toml").exists() || home.output != args::Format::Table {
        return status::run(home).await;
    }
    output::text(&format!(
        "There is no configuration in {} yet. Two ways to begin:\n\n\
         \u{20} sellerd try         a tour of a pretend shop; nothing is left behind\n\
         \u{20} sellerd init DIR    a configuration of your own, which only looks at first\n\n\
         More: sellerd --help\n",
        home.dir.display()
    ))?;
    Ok(Exit::Success)
}

/// The command line's own definition, for tests of the README.
pub fn command() -> clap::Command {
    Args::command()
}
