//! `sellerd`: a scheduled seller automation agent. The rooms and what each may know stand in ARCHITECTURE.md.

pub mod agent;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod marketplace;
pub mod planning;
pub mod policy;
pub mod sandbox;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod web;
