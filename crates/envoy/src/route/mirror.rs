//! Copies of requests.

use model::Hostname;
use model::route::{Destination, Mirror, Share};
use pb::route::route_action::RequestMirrorPolicy;

use super::share::percentage;
use crate::{message, names, pb};

pub(super) fn build(
    mirrors: &[Mirror],
    resolve: impl Fn(&Destination) -> (Hostname, u16),
) -> Vec<RequestMirrorPolicy> {
    let policy = |mirror: &Mirror| {
        let (host, port) = resolve(&mirror.destination);
        let subset = mirror.destination.subset.as_deref();
        RequestMirrorPolicy {
            cluster: names::outbound_cluster(port, subset, &host),
            runtime_fraction: fraction(mirror.share),
            // A copy is part of no trace: its span would stand beside the real one.
            trace_sampled: message::no(),
            ..Default::default()
        }
    };
    mirrors.iter().map(policy).collect()
}

/// Absent where all requests are copied, which is Envoy's default.
fn fraction(share: Share) -> Option<pb::core::RuntimeFractionalPercent> {
    (share != Share::ALL).then(|| pb::core::RuntimeFractionalPercent {
        default_value: Some(percentage(share)),
        ..Default::default()
    })
}
