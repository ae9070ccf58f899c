//! Generated ids: UUIDs from a seed, instance and task ids from those.
//!
//! Since 1.8 an instance keeps its id for life and each launch has its own
//! task id: `<path_>.instance-<uuid>.<container>.<n>`, with `_app` in the place
//! of an app's only container.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

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
    pub(crate) fn instance(&mut self, run_spec: &str) -> String {
        let path = run_spec.trim_start_matches('/').replace('/', "_");
        format!("{path}.instance-{}", self.uuid())
    }
}

/// The task id of one launch of an instance.
pub(crate) fn task(instance: &str, kind: Kind, container: &str, incarnation: u32) -> String {
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
        let instance = ids.instance("/shop/reviews-v1");
        let uuid = instance
            .strip_prefix("shop_reviews-v1.instance-")
            .expect("path with underscores");
        let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(Ids::new(7).instance("/shop/reviews-v1"), instance);
        assert_ne!(ids.instance("/shop/reviews-v1"), instance);
        assert_eq!(task("i", Kind::App, "", 1), "i._app.1");
        assert_eq!(task("i", Kind::Pod, "proxy", 2), "i.proxy.2");
    }
}
