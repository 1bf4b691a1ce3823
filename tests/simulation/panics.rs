//! A task of the agent that panics is noticed, though nobody awaits it. A story is alone on its thread.

use std::cell::RefCell;

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes panics from now on and says them once.
pub fn note() {
    std::panic::set_hook(Box::new(|info| {
        let line = info.to_string().replace('\n', " ");
        eprintln!("{line}");
        PANICS.with_borrow_mut(|panics| panics.push(line));
    }));
}

/// Nothing has panicked on this thread yet.
pub fn forget() {
    PANICS.with_borrow_mut(Vec::clear);
}

/// What has panicked on this thread.
pub fn take() -> Vec<String> {
    PANICS.with_borrow_mut(std::mem::take)
}
