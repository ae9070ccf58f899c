//! Which Marathon is played: what changed between 1.4 and 1.11.
//!
//! Every difference that a client can see has one question here, so that the
//! rest of the crate never compares version numbers.

/// The behaviour of a release line, by its minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Profile(u32);

impl Profile {
    /// Reads `1.8`, `1.8.222` and the like; what is no version of Marathon 1
    /// behaves like the newest.
    pub(crate) fn of(version: &str) -> Profile {
        let minor = version.strip_prefix("1.").map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        Profile(minor.flatten().unwrap_or(11))
    }

    /// Instances live on over launches, and task ids count incarnations; before
    /// 1.8 every launch is a new instance.
    pub(crate) fn keeps_instances(self) -> bool {
        self.0 >= 8
    }

    /// Goals and the conditions `Scheduled` and `Provisioned` exist since 1.8.
    pub(crate) fn has_goals(self) -> bool {
        self.0 >= 8
    }

    /// Whether plans in events carry both group trees: until 1.6 unless the
    /// client asks for light ones, in 1.7 only if it asks for heavy ones.
    pub(crate) fn heavy_plans(self, asked: Option<&str>) -> bool {
        match self.0 {
            0..=6 => asked != Some("light"),
            7 => asked == Some("heavy"),
            _ => false,
        }
    }

    /// A standby sends event clients to the leader instead of passing the
    /// stream on.
    pub(crate) fn redirects_events(self) -> bool {
        self.0 >= 7
    }

    /// A client that lags too far behind loses its stream; before 1.8 it
    /// lost the events in excess.
    pub(crate) fn closes_slow_streams(self) -> bool {
        self.0 >= 8
    }

    /// Apps, pods and tasks have a Mesos role of their own.
    pub(crate) fn has_roles(self) -> bool {
        self.0 >= 9
    }

    /// `pod_created_event` and its siblings.
    pub(crate) fn has_pod_events(self) -> bool {
        self.0 >= 5
    }

    /// Apps are answered with `networks`; before 1.5 with `ipAddress` and
    /// `container.docker.network`.
    pub(crate) fn has_networks(self) -> bool {
        self.0 >= 5
    }

    /// Absent optional fields are written as `null`.
    pub(crate) fn writes_nulls(self) -> bool {
        self.0 <= 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_leniently() {
        assert_eq!(Profile::of("1.5"), Profile(5));
        assert_eq!(Profile::of("1.8.222"), Profile(8));
        assert_eq!(Profile::of("1.11.24-SNAPSHOT"), Profile(11));
        assert_eq!(Profile::of("master"), Profile(11));
    }

    #[test]
    fn plans_grow_light_by_and_by() {
        let heavy = |version: &str, asked| Profile::of(version).heavy_plans(asked);
        assert!(heavy("1.5", None) && !heavy("1.5", Some("light")));
        assert!(!heavy("1.7", None) && heavy("1.7", Some("heavy")));
        assert!(!heavy("1.8", Some("heavy")));
    }
}
