//! Apps: a definition with tasks that look as `/v2/apps?embed=apps.tasks` shows them.

use api::marathon::{App, IpAddress, Task, Workload};

use super::{Net, Placement, Slot, VERSION, app_workload};

/// Tasks that are there stay; else they are made up.
pub(super) fn placed(mut app: App, instances: usize, placement: &mut Placement) -> Workload {
    if app.version.is_none() {
        app.version = VERSION.parse().ok();
    }
    if app.tasks.is_empty() {
        app.tasks = (0..instances)
            .map(|_| task(&app, placement.next()))
            .collect();
    }
    app_workload(app)
}

fn task(app: &App, slot: Slot) -> Task {
    let net = net(app);
    let asked = asked(app, net).into_iter().enumerate();
    Task {
        id: format!("{}._app.1", slot.id(&app.id)),
        host: slot.agent().to_string(),
        state: "TASK_RUNNING".to_owned(),
        ports: asked
            .filter_map(|(i, asked)| Some(slot.host_port(asked?, i)))
            .collect(),
        ip_addresses: vec![IpAddress {
            ip_address: slot.address(net).to_string(),
        }],
        started_at: VERSION.parse().ok(),
        version: app.version,
        ..Task::default()
    }
}

fn net(app: &App) -> Net {
    if let Some(network) = app.networks.first() {
        return Net::of(network.mode.as_deref());
    }
    let docker = app.container.as_ref().and_then(|c| c.docker.as_ref());
    match docker.and_then(|docker| docker.network.as_deref()) {
        None if app.ip_address.is_some() => Net::Own,
        network => Net::of(network),
    }
}

/// The host port that each port asks for; 0 takes any, nothing needs none.
fn asked(app: &App, net: Net) -> Vec<Option<u16>> {
    if net == Net::Host {
        return app.port_definitions.iter().map(|d| Some(d.port)).collect();
    }
    let Some(container) = &app.container else {
        return Vec::new();
    };
    let mappings = match (&container.docker, container.port_mappings.as_slice()) {
        (Some(docker), []) => &docker.port_mappings,
        (_, mappings) => mappings,
    };
    mappings.iter().map(|mapping| mapping.host_port).collect()
}
