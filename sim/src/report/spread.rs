//! The distribution of a measurement over many seeds.

use serde_json::{Value, json};

/// A measurement over many seeds. Infinite means that something never happened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    // Ascending, each with its seed.
    values: Vec<(f64, u64)>,
}

impl Spread {
    /// The distribution of values, each with its seed.
    pub fn new(values: impl IntoIterator<Item = (f64, u64)>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        Self { values }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The smallest value that this share of all values does not exceed. NaN if there are no values.
    pub fn percentile(&self, share: f64) -> f64 {
        let index = ((self.values.len() as f64 * share).ceil() as usize).saturating_sub(1);
        self.values.get(index).map_or(f64::NAN, |(value, _)| *value)
    }

    /// The largest value.
    pub fn max(&self) -> f64 {
        self.percentile(1.0)
    }

    /// The average.
    pub fn mean(&self) -> f64 {
        self.sum() / self.values.len() as f64
    }

    /// The sum.
    pub fn sum(&self) -> f64 {
        if self.values.is_empty() {
            return f64::NAN;
        }
        self.values.iter().map(|(value, _)| value).sum()
    }

    /// The seed of the largest value.
    pub fn worst_seed(&self) -> Option<u64> {
        self.values.last().map(|(_, seed)| *seed)
    }

    /// The seeds of infinite values.
    pub fn infinite_seeds(&self) -> Vec<u64> {
        self.values.iter().filter(|(value, _)| value.is_infinite()).map(|(_, seed)| *seed).collect()
    }

    /// The distribution as an object.
    pub fn json(&self) -> Value {
        json!({
            "mean": round(self.mean()),
            "p50": round(self.percentile(0.5)),
            "p95": round(self.percentile(0.95)),
            "p99": round(self.percentile(0.99)),
            "max": round(self.max()),
        })
    }
}

/// A value to three decimal places. Infinite and NaN become null.
pub fn round(value: f64) -> Value {
    json!((value * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_smallest_value_that_this_share_does_not_exceed() {
        let spread = Spread::new((1..=100).rev().map(|value| (f64::from(value), 0)));
        assert_eq!([0.5, 0.99, 1.0].map(|share| spread.percentile(share).to_string()), ["50", "99", "100"]);
        let infinite = Spread::new([(f64::INFINITY, 8), (1.0, 7)]);
        assert_eq!(infinite.json()["max"], Value::Null);
        assert_eq!(infinite.worst_seed(), Some(8));
    }
}
