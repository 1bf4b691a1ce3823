//! The product through its front door: the real program as a child process, a pretend shop in this process, HTTP
//! between them. One crate, so that it is linked once; a file a story.

mod access;
mod architecture;
mod bad_input;
mod cardmarket;
mod conformance;
mod corpora;
mod daemon;
mod day;
mod deferral;
mod expiry;
mod faults;
mod init;
mod jobs;
mod leaks;
mod login;
mod plan;
mod quota;
mod readme;
mod refused;
mod samples;
mod stock_sync;
mod support;
mod tour;
mod trademe;
