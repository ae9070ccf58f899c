//! Generated ids: UUIDs from a seed, instance and task ids from those.
//!
//! Since 1.8 an instance keeps its id for life and each launch has its own
//! task id: `<path_>.instance-<uuid>.<container>.<n>`, with `_app` in the place
//! of an app's only container. Before, tasks of apps were `<path_>.<uuid>`, with
//! `<path_>.marathon-<uuid>` for their instance, and those of pods
//! `<path_>.instance-<uuid>.<container>`.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::profile::Profile;
use crate::spec::Kind;

/// The generator of one simulator.
pub(crate) struct Ids(StdRng);

impl Ids {
    pub(crate) fn new(seed: u64) -> Ids {
        Ids(StdRng::seed_from_u64(seed))
    }

    /// A UUID of version 1 in form, as Marathon's generator makes them.
    pub(crate) fn uuid(&mut self) -> String {
        let bits: u128 = self.0.random();
        let time = (bits >> 96) as u32;
        let (mid, high) = ((bits >> 80) as u16, (bits >> 64) as u16 & 0x0fff);
        let sequence = (bits >> 48) as u16 & 0x3fff;
        let node = bits as u64 & 0xffff_ffff_ffff;
        format!(
            "{time:08x}-{mid:04x}-1{high:03x}-{:04x}-{node:012x}",
            0x8000 | sequence
        )
    }

    /// A new instance id for a run spec.
    pub(crate) fn instance(&mut self, profile: Profile, kind: Kind, run_spec: &str) -> String {
        let path = run_spec.trim_start_matches('/').replace('/', "_");
        let prefix = match kind {
            Kind::App if !profile.keeps_instances() => "marathon",
            _ => "instance",
        };
        format!("{path}.{prefix}-{}", self.uuid())
    }
}

/// The task id of one launch of an instance.
pub(crate) fn task(
    profile: Profile,
    instance: &str,
    kind: Kind,
    container: &str,
    incarnation: u32,
) -> String {
    if !profile.keeps_instances() {
        return match (kind, instance.rsplit_once(".marathon-")) {
            (Kind::App, Some((path, uuid))) => format!("{path}.{uuid}"),
            _ => format!("{instance}.{container}"),
        };
    }
    let container = match kind {
        Kind::App => "_app",
        Kind::Pod => container,
    };
    format!("{instance}.{container}.{incarnation}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_grammar_and_the_seed() {
        let mut ids = Ids::new(7);
        let now = Profile::of("1.8");
        let next = |ids: &mut Ids| ids.instance(now, Kind::Pod, "/shop/reviews-v1");
        let instance = next(&mut ids);
        let uuid = instance
            .strip_prefix("shop_reviews-v1.instance-")
            .expect("path with underscores");
        let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(next(&mut Ids::new(7)), instance);
        assert_ne!(next(&mut ids), instance);
        assert_eq!(task(now, "i", Kind::App, "", 1), "i._app.1");
        assert_eq!(task(now, "i", Kind::Pod, "proxy", 2), "i.proxy.2");
    }

    #[test]
    fn older_ids_have_no_incarnation() {
        let old = Profile::of("1.7");
        let app = Ids::new(7).instance(old, Kind::App, "/a/b");
        let uuid = app.strip_prefix("a_b.marathon-").expect("the older form");
        assert_eq!(task(old, &app, Kind::App, "", 1), format!("a_b.{uuid}"));
        let pod = Ids::new(7).instance(old, Kind::Pod, "/a/b");
        assert_eq!(task(old, &pod, Kind::Pod, "c", 1), format!("{pod}.c"));
        assert!(pod.starts_with("a_b.instance-"));
    }
}
