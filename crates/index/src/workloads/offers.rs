//! What one instance offers to its services, port by port, and why it offers nothing.

use model::{Endpoint, InstanceId, InstancePort, PortStanding};

use super::facts::Candidate;
use super::ports::Declared;
use super::reach::Place;
use super::revision::{Revision, Sighting, Slot};

/// The ports on which connections arrive.
pub(super) fn ports(
    sighting: &Sighting<'_>,
    place: &Place,
    revision: &Revision,
) -> Vec<InstancePort> {
    let mut ports: Vec<InstancePort> = with_slots(sighting, revision)
        .filter(|(declared, _)| !declared.is_vip)
        .filter_map(|(declared, slot)| {
            Some(InstancePort {
                service_port: declared.port.number,
                target: place.target(declared, slot.host_port)?,
                name: declared.port.name.clone(),
                protocol: declared.port.protocol,
            })
        })
        .collect();
    ports.sort_by_key(|port| (port.target, port.service_port));
    ports.shrink_to_fit();
    ports
}

/// Its endpoints, of each of its hosts.
pub(super) fn candidates(
    id: &InstanceId,
    sighting: &Sighting<'_>,
    place: &Place,
    revision: &Revision,
) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = with_slots(sighting, revision)
        .filter_map(|(declared, slot)| {
            Some(Candidate {
                service_port: declared.port.number,
                endpoint: Endpoint {
                    instance: id.clone(),
                    labels: revision.labels.clone(),
                    locality: sighting.locality.clone(),
                    weight: revision.weight,
                    health: slot.verdict.health?,
                    reach: place.reach(declared, slot.host_port)?,
                },
            })
        })
        .collect();
    candidates.shrink_to_fit();
    candidates
}

/// Why each declared port is or is not an endpoint.
pub(super) fn standings(
    sighting: &Sighting<'_>,
    place: &Place,
    revision: &Revision,
) -> Vec<PortStanding> {
    let declared = revision.ports.iter();
    let ports = declared.map(|declared| {
        let slot = sighting.slots.get(declared.position);
        let (health, why) = match slot {
            None => (None, "Marathon does not tell of this port".into()),
            Some(slot) => match (slot.verdict.health, place.reach(declared, slot.host_port)) {
                (Some(_), None) => (None, place.why_unreachable(slot.host_port).into()),
                (health, _) => (health, slot.verdict.why.clone()),
            },
        };
        let port = declared.port.number;
        PortStanding { port, health, why }
    });
    ports.collect()
}

/// Declarations that the instance has something of.
fn with_slots<'a>(
    sighting: &'a Sighting<'_>,
    revision: &'a Revision,
) -> impl Iterator<Item = (&'a Declared, &'a Slot)> {
    let declared = revision.ports.iter();
    declared.filter_map(|declared| Some((declared, sighting.slots.get(declared.position)?)))
}
