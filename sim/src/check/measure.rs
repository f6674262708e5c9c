//! One number of a report, to be compared with a bound.

use crate::report::{Report, Spread};

/// One number of a report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Seconds until every list is right: this percentile, as a share.
    Time(f64),
    /// The sum of wrong entries.
    WrongEntries,
    /// Bytes per server and second, on average.
    Bytes,
    /// Exchanges per server until every list is right, on average.
    Exchanges,
    /// The largest value of a measurement that only this scenario has.
    Max(&'static str),
    /// The average of one.
    Mean(&'static str),
}

impl Measure {
    /// Its value in a report. NaN if the report has none.
    pub fn of(self, report: &Report) -> f64 {
        let spread = self.spread(report);
        match self {
            Self::Time(share) => spread.map(|spread| spread.percentile(share)),
            Self::WrongEntries => spread.map(Spread::sum),
            Self::Max(_) => spread.map(Spread::max),
            Self::Bytes | Self::Exchanges | Self::Mean(_) => spread.map(Spread::mean),
        }
        .unwrap_or(f64::NAN)
    }

    /// The distribution that it is computed from.
    pub fn spread(self, report: &Report) -> Option<&Spread> {
        match self {
            Self::Time(_) => Some(&report.time),
            Self::WrongEntries => Some(&report.wrong_entries),
            Self::Bytes => Some(&report.bytes),
            Self::Exchanges => Some(&report.exchanges),
            Self::Max(name) | Self::Mean(name) => report.extra(name),
        }
    }

    /// Its name, as in reports.
    pub fn name(self) -> String {
        match self {
            Self::Time(1.0) => "max s".into(),
            Self::Time(share) => format!("p{:.0} s", share * 100.0),
            Self::WrongEntries => "wrong entries".into(),
            Self::Bytes => "bytes/server/s".into(),
            Self::Exchanges => "pushes/server".into(),
            Self::Max(name) => format!("{name} max"),
            Self::Mean(name) => format!("{name} mean"),
        }
    }
}
