//! Tells many stories, one after the other on each core. Each is alone with itself on its thread.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};

use crate::life::{self, Told};
use crate::story::Story;
use crate::tally::Tally;

/// What came of many stories.
#[derive(Default)]
pub struct Many {
    /// What was counted in all of them.
    pub tally: Tally,
    /// The seeds in which a promise was broken, with what it was.
    pub broken: BTreeMap<u64, Vec<String>>,
    /// What happened in each, as a number.
    pub digests: BTreeMap<u64, u64>,
    /// Requests to the first shop of each, by the spans of its limit.
    pub by_window: BTreeMap<u64, BTreeMap<DateTime<Utc>, u64>>,
}

/// Tells the stories of all these seeds.
pub fn tell(seeds: Range<u64>, story_of: &(dyn Fn(u64) -> Story + Sync)) -> Many {
    let many = Mutex::new(Many::default());
    each(seeds, &|seed| {
        let told = life::tell(&story_of(seed), false);
        let mut many = many.lock().unwrap_or_else(PoisonError::into_inner);
        many.tally.add(&told.tally);
        many.digests.insert(seed, told.digest);
        many.by_window.insert(seed, told.by_window);
        if !told.violations.is_empty() {
            many.broken.insert(seed, told.violations);
        }
    });
    many.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Tells these stories, and what came of each in their order.
pub fn tell_all(stories: &[Story]) -> Vec<Told> {
    let told = Mutex::new(BTreeMap::new());
    each(0..stories.len() as u64, &|at| {
        let one = life::tell(&stories[at as usize], false);
        told.lock().unwrap_or_else(PoisonError::into_inner).insert(at, one);
    });
    told.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// Does the work for each of these numbers, each once, on all cores.
pub fn each(numbers: Range<u64>, work: &(dyn Fn(u64) + Sync)) {
    let next = AtomicU64::new(numbers.start);
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= numbers.end {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
}
