//! Trade Me through the front door, and a month of it in a minute.

mod month;
mod nz;
