//! Percentiles over all samples, in which what never arrived is infinitely late.

use std::fmt;

use serde_json::{Value, json};

/// Latencies in milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples(Vec<f64>);

/// A number of milliseconds as people read it.
pub struct Millis(pub f64);

// === impl Samples ===

impl Samples {
    pub fn add(&mut self, milliseconds: f64) {
        self.0.push(milliseconds);
    }

    /// Something that did not happen in the time that it had.
    pub fn add_lost(&mut self) {
        self.0.push(f64::INFINITY);
    }

    pub fn extend(&mut self, other: &Samples) {
        self.0.extend(&other.0);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn lost(&self) -> usize {
        self.0.iter().filter(|sample| sample.is_infinite()).count()
    }

    /// By nearest rank: a sample that occurred, not a mean of two. NaN without samples.
    pub fn percentile(&self, percent: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
    }

    pub fn median(&self) -> f64 {
        self.percentile(50.0)
    }

    pub fn max(&self) -> f64 {
        self.percentile(100.0)
    }

    pub fn to_json(&self) -> Value {
        json!({
            "p50": finite(self.median()), "p99": finite(self.percentile(99.0)), "max": finite(self.max()),
            "samples": self.len(), "lost": self.lost(),
        })
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] = [50.0, 99.0, 100.0].map(|p| Millis(self.percentile(p)));
        write!(f, "p50 {p50} p99 {p99} max {max}")?;
        match self.lost() {
            0 => Ok(()),
            lost => write!(f, " ({lost} of {} never)", self.len()),
        }
    }
}

// === impl Millis ===

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            ms if ms.is_nan() => "–".to_owned(),
            ms if ms.is_infinite() => "never".to_owned(),
            ms if ms >= 10_000.0 => format!("{:.1} s", ms / 1000.0),
            ms if ms >= 100.0 => format!("{ms:.0} ms"),
            ms if ms >= 1.0 => format!("{ms:.1} ms"),
            ms => format!("{ms:.3} ms"),
        };
        f.pad(&text)
    }
}

/// JSON has no infinity: null.
pub fn finite(number: f64) -> Value {
    if number.is_finite() {
        json!((number * 1e6).round() / 1e6)
    } else {
        Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: impl IntoIterator<Item = f64>) -> Samples {
        Samples(values.into_iter().collect())
    }

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let hundred = samples((1..=100).rev().map(f64::from));
        let found = [0.0, 1.0, 50.0, 99.0, 99.5, 100.0].map(|p| hundred.percentile(p));
        assert_eq!(found, [1.0, 1.0, 50.0, 99.0, 100.0, 100.0]);
        assert_eq!(samples([3.0, 1.0, 2.0]).median(), 2.0);
        assert!(samples([]).median().is_nan());
    }

    #[test]
    fn what_never_arrived_is_late_and_not_left_out() {
        let mut some = samples((1..=98).map(f64::from));
        some.add_lost();
        some.add_lost();
        assert_eq!((some.median(), some.lost(), some.len()), (50.0, 2, 100));
        assert!(some.percentile(99.0).is_infinite());
        assert_eq!(some.to_json()["p99"], Value::Null);
        assert_eq!(some.to_json()["p50"], 50.0);
        assert!(
            some.to_string().ends_with("never (2 of 100 never)"),
            "{some}"
        );
    }

    #[test]
    fn times_are_short_to_read() {
        let text = |ms| Millis(ms).to_string();
        assert_eq!(
            [0.0123, 1.26, 123.4, 12_345.0].map(text),
            ["0.012 ms", "1.3 ms", "123 ms", "12.3 s"]
        );
    }
}
