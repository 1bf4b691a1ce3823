//! Figures, each beside what it must reach. What is under its bar is said, and makes the exit code 1.
//!
//! Bars are ratios of things measured in turns wherever that is possible: the machine is shared, and the same loop
//! differs by more than half from one minute to the next.

use std::ops::{Bound, RangeBounds};
use std::process::ExitCode;

/// A table of figures.
pub struct Bars {
    rows: Vec<[String; 4]>,
    missed: bool,
}

impl Bars {
    /// A table without rows, under its title.
    pub fn new(title: &str) -> Self {
        println!("\n{title}");
        Self { rows: Vec::new(), missed: false }
    }

    /// A figure that must lie within `bar`.
    pub fn bar(&mut self, what: &str, figure: f64, unit: &str, bar: impl RangeBounds<f64>) {
        let kept = bar.contains(&figure);
        self.missed |= !kept;
        let side = |word: &str, bound: Bound<&f64>| match bound {
            Bound::Included(bound) | Bound::Excluded(bound) => Some(format!("{word} {}", short(*bound))),
            Bound::Unbounded => None,
        };
        let sides = [side("at least", bar.start_bound()), side("at most", bar.end_bound())];
        let bar: Vec<String> = sides.into_iter().flatten().collect();
        let verdict = if kept { "ok" } else { "MISSED" };
        self.rows.push([what.to_owned(), with_unit(figure, unit), bar.join(", "), verdict.to_owned()]);
    }

    /// A figure that is only told.
    pub fn told(&mut self, what: &str, figure: f64, unit: &str) {
        self.rows.push([what.to_owned(), with_unit(figure, unit), String::new(), String::new()]);
    }

    /// Prints the table. The exit code says whether every bar was kept.
    pub fn end(self) -> ExitCode {
        let head = ["", "measured", "bar", ""].map(str::to_owned);
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&head]).map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        let widths = [width(0), width(1), width(2)];
        for [what, figure, bar, verdict] in [&head].into_iter().chain(&self.rows) {
            let [first, second, third] = widths;
            let line = format!("  {what:<first$}  {figure:>second$}  {bar:<third$}  {verdict}");
            println!("{}", line.trim_end());
        }
        if self.missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// The middle one.
pub fn median(mut figures: Vec<f64>) -> f64 {
    assert!(!figures.is_empty(), "there is nothing to take the median of");
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Whether this is `cargo bench`. Everything else builds without optimisation, where figures mean nothing.
pub fn is_bench() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

fn with_unit(figure: f64, unit: &str) -> String {
    format!("{} {unit}", short(figure)).trim_end().to_owned()
}

/// Four digits that count, and no more zeros than needed.
fn short(figure: f64) -> String {
    let digits = match figure.abs() {
        large if large >= 1_000.0 => 0,
        middle if middle >= 10.0 => 1,
        small if small >= 0.1 => 3,
        _ => 5,
    };
    let text = format!("{figure:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
