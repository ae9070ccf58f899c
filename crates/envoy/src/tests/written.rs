//! What is written by hand is what `prost` would write, and passes every rule.

use bytes::Bytes;
use model::{Health, Locality};

use crate::canonical::{self, Canonical};
use crate::fixtures::rich::{proxies, rich};
use crate::fixtures::*;
use crate::{Kind, Resource, compile, lint, pb};

/// Decoded, after a check that encoding leads back to the same bytes.
#[track_caller]
fn decoded<M: Canonical + Default>(resource: &Resource) -> M {
    let message = M::decode(resource.body.clone()).unwrap();
    let again = Bytes::from(canonical::encode(&message));
    assert_eq!(again, resource.body, "{} {}", resource.kind, resource.name);
    message
}

fn check(resource: &Resource) {
    let refused = match resource.kind {
        Kind::Cluster => lint::cluster(&decoded(resource)).err(),
        Kind::Endpoint => lint::assignment(&decoded(resource)).err(),
        Kind::Listener => lint::listener(&decoded(resource)).err(),
        Kind::Route => routes(decoded(resource)),
        Kind::Secret => lint::secret(&decoded(resource)).err(),
    };
    assert_eq!(refused, None, "{} {}", resource.kind, resource.name);
}

fn routes(mut routes: pb::route::RouteConfiguration) -> Option<crate::finding::Refusal> {
    let hosts = lint::virtual_hosts(&mut routes).into_iter().next();
    let mut all = routes.virtual_hosts.iter().flat_map(|host| &host.routes);
    hosts.or_else(|| all.find_map(|route| lint::route(route).err()))
}

#[test]
fn everything_that_is_compiled_is_canonical_and_passes_the_lint() {
    let mut draft = rich();
    for (n, weight) in [(1, 0), (2, 1), (3, u32::MAX), (4, u32::MAX)] {
        let reach = bridge(AGENT_B, 32_000 + n, &format!("172.17.9.{n}:80"));
        draft = draft.endpoint_with("web", 80, version("v1"), reach, |endpoint| {
            endpoint.weight = weight;
            endpoint.health =
                [Health::Healthy, Health::Degraded, Health::Unhealthy][n as usize % 3];
            endpoint.locality = Locality {
                region: ["", "east", "west"][n as usize % 3].into(),
                zone: ["a", ""][n as usize % 2].into(),
                subzone: ["", "", "r7"][n as usize % 3].into(),
            };
        });
    }
    draft = draft.endpoint(
        "ui",
        5001,
        version("v1"),
        model::Reach::everywhere(at("[fd00::9]:0")),
    );
    draft.mesh.outbound = model::OutboundPolicy::RegistryOnly;
    let world = draft.world();
    for (_, proxy) in proxies() {
        let compiled = compile(&world, &proxy);
        assert!(compiled.resources.len() > 20);
        compiled.resources.iter().for_each(check);
    }
}
