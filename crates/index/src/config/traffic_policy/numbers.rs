//! Counts and times of policies, in the ranges that Istio and Envoy allow.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::report::Report;

/// Where a value stands, and by which code it is refused.
pub(super) struct Field<'a> {
    pub(super) code: &'static str,
    pub(super) at: &'a str,
}

impl Field<'_> {
    /// A count, of which 0 is as good as none, as in Istio.
    pub(super) fn count(
        &self,
        name: &str,
        value: Option<i64>,
        report: &mut Report,
    ) -> Option<NonZeroU32> {
        let value = value?;
        match u32::try_from(value) {
            Ok(count) => NonZeroU32::new(count),
            Err(_) => {
                let why = format!("{value} is not a count");
                self.refuse(name, why, "use a whole number from 0 to 4294967295", report);
                None
            }
        }
    }

    pub(super) fn percent(
        &self,
        name: &str,
        value: Option<i64>,
        report: &mut Report,
    ) -> Option<u8> {
        let value = value?;
        let percent = u8::try_from(value).ok().filter(|percent| *percent <= 100);
        if percent.is_none() {
            let why = format!("{value} is not a percentage");
            self.refuse(name, why, "use a whole number from 0 to 100", report);
        }
        percent
    }

    /// A time of at least a millisecond, which is the smallest that Envoy tells from none.
    pub(super) fn time(
        &self,
        name: &str,
        value: Option<Duration>,
        report: &mut Report,
    ) -> Option<Duration> {
        let value = value?;
        if value < Duration::from_millis(1) {
            let why = "the time is shorter than a millisecond".to_owned();
            self.refuse(name, why, "use a time such as 500ms or 10s", report);
            return None;
        }
        Some(value)
    }

    pub(super) fn refuse(&self, name: &str, why: String, remedy: &str, report: &mut Report) {
        let field = match name.is_empty() {
            true => self.at.to_owned(),
            false => format!("{}.{name}", self.at),
        };
        report.refuse(self.code, field, why, remedy);
    }
}
