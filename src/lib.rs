//! `sellerd`: a scheduled seller automation agent. The rooms and what each may know stand in ARCHITECTURE.md.

pub mod clock;
pub mod domain;
pub mod http;
pub mod marketplace;
pub mod policy;
pub mod sandbox;
