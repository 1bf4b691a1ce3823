//! The agent's own loop under seeded disasters.
//!
//! What runs is the real daemon with its runner, gate, client, jobs and store; what is not real is time, the way to
//! the shop and the shop itself, and those are made to fail. A seed is a story: the same seed is the same story, to
//! the byte.
//!
//! `cargo test --test simulation` tells many of them, `-- --seeds N` as many as one likes, and `-- --seed N` one, with
//! every line of what happens.

mod agent;
mod judge;
mod life;
mod many;
mod rows;
mod story;
mod tally;
mod tap;
mod watch;
mod wire;
mod world;

use story::Story;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    if let Some(seed) = value("--seed") {
        let told = life::tell(&Story::of(seed), true);
        for line in &told.log {
            println!("{line}");
        }
        println!("{:#?}\n{:016x}\n{:#?}", told.tally, told.digest, told.violations);
        return;
    }
    let seeds = value("--seeds").unwrap_or(20);
    let from = value("--from").unwrap_or(0);
    let begun = std::time::Instant::now();
    let told = many::tell(from..from + seeds, &Story::of);
    for (seed, violations) in &told.broken {
        println!("seed {seed}: {} {}", violations.len(), violations[0]);
    }
    println!("{:#?} {:?}", told.tally, begun.elapsed());
}
