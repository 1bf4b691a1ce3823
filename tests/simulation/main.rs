//! The agent's own loop under seeded disasters.
//!
//! What runs is the real daemon with its runner, gate, client, jobs and store; what is not real is time, the way to
//! the shop and the shop itself, and those are made to fail. A seed is a story: the same seed is the same story, to
//! the byte.
//!
//! `cargo test --test simulation` tells [`SEEDS`] of them, `SELLERD_SIM_SEEDS=N` or `-- --seeds N` another number,
//! and `-- --seed N` one, with every line of what happens. Each protection is also taken away once, and the stories
//! must then go wrong: a harness that cannot fail shows nothing.

mod agent;
mod books;
mod controls;
mod judge;
mod life;
mod many;
mod market;
mod panics;
mod promises;
mod rows;
mod scenes;
mod seller;
mod shelf;
mod standing;
mod story;
mod sweep;
mod tally;
mod tap;
mod trials;
mod watch;
mod wire;
mod world;
mod writes;

use std::process::ExitCode;

use trials::{Ask, TRIALS};

/// As many as two busy cores tell in less than a minute without optimisation. CI tells 500, `just simulate` 10,000.
const SEEDS: u64 = 150;

fn main() -> ExitCode {
    panics::note();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let number = |name: &str| after(name).and_then(|text| text.parse::<u64>().ok());
    if args.iter().any(|arg| arg == "--list") {
        let ignored = args.iter().any(|arg| arg == "--ignored");
        TRIALS.iter().filter(|_| !ignored).for_each(|trial| println!("{}: test", trial.name));
        return ExitCode::SUCCESS;
    }
    if let Some(seed) = number("--seed") {
        return trials::replay(after("--scene").map_or("stories", String::as_str), seed, after("--without"));
    }
    let from_environment = std::env::var("SELLERD_SIM_SEEDS").ok().and_then(|text| text.parse().ok());
    let ask = Ask {
        from: number("--from").unwrap_or(0),
        seeds: number("--seeds").or(from_environment).unwrap_or(SEEDS),
    };
    let exact = args.iter().any(|arg| arg == "--exact");
    let names: Vec<&String> = words(&args);
    let wanted = |name: &str| {
        names.is_empty()
            || names.iter().any(|word| if exact { *word == name } else { name.contains(word.as_str()) })
    };
    trials::run(&ask, &wanted)
}

/// The arguments that are neither options nor their values.
fn words(args: &[String]) -> Vec<&String> {
    const WITH_VALUE: [&str; 9] = [
        "--seed",
        "--seeds",
        "--from",
        "--scene",
        "--without",
        "--format",
        "--test-threads",
        "--color",
        "--skip",
    ];
    let is_value = |at: usize| at > 0 && WITH_VALUE.contains(&args[at - 1].as_str());
    let word = |(at, arg): &(usize, &String)| !arg.starts_with('-') && !is_value(*at);
    args.iter().enumerate().filter(word).map(|(_, arg)| arg).collect()
}
