//! Pods: a definition with instances that look as `/v2/pods/::status` shows them.

use api::marathon::{
    ContainerSpec, ContainerStatus, EndpointStatus, NetworkStatus, Pod, PodInstance, PodStatus,
    Workload,
};

use super::{Net, Placement, Slot, VERSION, pod_workload};

/// One that has its instances.
pub(super) fn running(status: PodStatus) -> Workload {
    pod_workload(status)
}

pub(super) fn placed(mut pod: Pod, instances: usize, placement: &mut Placement) -> Workload {
    pod.version.get_or_insert_with(|| VERSION.to_owned());
    let instances = (0..instances).map(|_| instance(&pod, placement.next()));
    pod_workload(PodStatus {
        id: pod.id.clone(),
        instances: instances.collect(),
        spec: pod,
    })
}

fn instance(pod: &Pod, slot: Slot) -> PodInstance {
    let network = pod.networks.first();
    let net = Net::of(network.and_then(|network| network.mode.as_deref()));
    let id = slot.id(&pod.id);
    let mut position = 0;
    let containers = pod.containers.iter();
    PodInstance {
        status: "STABLE".to_owned(),
        status_since: VERSION.parse().ok(),
        agent_hostname: Some(slot.agent().to_string()),
        networks: vec![NetworkStatus {
            name: network.and_then(|network| network.name.clone()),
            addresses: vec![slot.address(net).to_string()],
        }],
        containers: containers
            .map(|spec| container(spec, &id, slot, &mut position))
            .collect(),
        spec_reference: pod
            .version
            .as_ref()
            .map(|version| format!("/v2/pods{}::versions/{version}", pod.id)),
        id,
        ..PodInstance::default()
    }
}

fn container(
    spec: &ContainerSpec,
    instance: &str,
    slot: Slot,
    position: &mut usize,
) -> ContainerStatus {
    let mut endpoints = Vec::new();
    for endpoint in &spec.endpoints {
        let asked = endpoint.host_port;
        endpoints.push(EndpointStatus {
            name: endpoint.name.clone(),
            allocated_host_port: asked.map(|asked| slot.host_port(asked, *position)),
            healthy: None,
        });
        *position += 1;
    }
    ContainerStatus {
        name: spec.name.clone(),
        status: "TASK_RUNNING".to_owned(),
        container_id: Some(format!("{instance}.{}", spec.name)),
        endpoints,
        ..ContainerStatus::default()
    }
}
