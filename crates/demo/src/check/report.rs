//! The outcome of a check, as data and as a table.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::client::Tally;

/// Everything that was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In order.
    pub rows: Vec<Row>,
    /// The time from each edit to the last Envoy's ACK.
    pub propagation: Vec<Duration>,
    /// What became of the load.
    pub load: Tally,
    /// All steps together.
    pub took: Duration,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which step.
    pub step: &'static str,
    /// What was promised.
    pub expectation: &'static str,
    /// What was seen.
    pub observed: String,
    /// How long it took; zero for what holds over all steps.
    pub took: Duration,
    /// Whether both agree.
    pub passed: bool,
}

impl Row {
    pub(super) fn new(
        step: &'static str,
        expectation: &'static str,
        looked: Result<String, String>,
        took: Duration,
    ) -> Self {
        let passed = looked.is_ok();
        let observed = looked.unwrap_or_else(|seen| seen);
        Self {
            step,
            expectation,
            observed,
            took,
            passed,
        }
    }
}

impl Report {
    /// True if every row has passed, and there are rows.
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.passed)
    }
}

/// The middle of the sorted times; zero without any.
pub(super) fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["step", "expected", "observed", "time", ""].map(str::to_owned);
        let rows = self.rows.iter().map(cells);
        let table: Vec<[String; 5]> = std::iter::once(header).chain(rows).collect();
        let width = |column: usize| {
            let cells = table
                .iter()
                .map(|row| row[column].lines().next().unwrap_or_default());
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        for row in &table {
            write_row(f, row, &widths)?;
        }
        let failed = self.rows.iter().filter(|row| !row.passed).count();
        let seconds = self.took.as_secs_f64();
        match failed {
            0 => write!(f, "all {} rows passed in {seconds:.1} s", self.rows.len()),
            n => write!(
                f,
                "{n} of {} rows FAILED, after {seconds:.1} s",
                self.rows.len()
            ),
        }
    }
}

fn cells(row: &Row) -> [String; 5] {
    let time = match row.took {
        Duration::ZERO => String::new(),
        took => format!("{:.1} s", took.as_secs_f64()),
    };
    let result = if row.passed { "PASS" } else { "FAIL" };
    [
        row.step.into(),
        row.expectation.into(),
        row.observed.clone(),
        time,
        result.into(),
    ]
}

/// What has more than one line (the failures of the load) goes on below the row.
fn write_row(f: &mut fmt::Formatter<'_>, row: &[String; 5], widths: &[usize; 5]) -> fmt::Result {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        let first = cell.lines().next().unwrap_or_default();
        write!(line, "{first:width$}  ")?;
    }
    writeln!(f, "{}", line.trim_end())?;
    let mut more = row.iter().flat_map(|cell| cell.lines().skip(1));
    more.try_for_each(|line| writeln!(f, "    {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(observed: Result<&str, &str>) -> Row {
        let looked = observed.map(str::to_owned).map_err(str::to_owned);
        Row::new("gateway", "200", looked, Duration::from_millis(1250))
    }

    #[test]
    fn a_table_lines_up_and_ends_in_a_verdict() {
        let mut report = Report {
            rows: vec![row(Ok("200 at the gateway"))],
            took: Duration::from_secs(2),
            ..Report::default()
        };
        assert!(report.passed());
        let expected = "step     expected  observed            time\n\
                        gateway  200       200 at the gateway  1.2 s  PASS\n\
                        all 1 rows passed in 2.0 s";
        assert_eq!(report.to_string(), expected);
        report.rows.push(row(Err("503\nfirst failure")));
        assert!(!report.passed());
        let text = report.to_string();
        assert!(
            text.contains("503                 1.2 s  FAIL\n    first failure\n"),
            "{text}"
        );
        assert!(text.ends_with("1 of 2 rows FAILED, after 2.0 s"), "{text}");
    }

    #[test]
    fn nothing_checked_is_not_passed() {
        assert!(!Report::default().passed());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let times = [9, 1, 5].map(Duration::from_millis);
        assert_eq!(median(&times), Duration::from_millis(5));
        assert_eq!(median(&[]), Duration::ZERO);
    }
}
