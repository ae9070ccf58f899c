//! Where those checks arrive that Marathon performs itself.
//!
//! It asks `agent:hostPort`, or the container's own address on a container network: either way as any
//! caller from outside, through what stands before the application.

use std::sync::Arc;

use api::marathon::{App, Probe, ProbedPort};

use super::{mappings, specs};
use crate::workloads::ports::Spec;
use crate::workloads::probes::{Arrival, Asked, Probed};
use crate::workloads::reach::Mode;
use crate::workloads::revision::Revision;

/// What is asked of the latest version; `None` for most apps. Older ones are on their way out, and
/// nobody can edit them.
pub(super) fn read(app: &App, latest: &Revision) -> Option<Arc<Probed>> {
    let hosts = latest.names.hosts.as_ref();
    let hosts = hosts.filter(|hosts| !hosts.is_empty())?;
    let mut probes = app.probes().peekable();
    probes.peek()?;
    let specs = specs(app, latest.mode);
    let asked: Vec<Asked> = probes
        .filter_map(|probe| {
            let arrival = arrival(app, latest, &specs, &probe)?;
            Some(Asked { probe, arrival })
        })
        .collect();
    (!asked.is_empty()).then(|| {
        Arc::new(Probed {
            namespace: latest.names.namespace.clone(),
            labels: latest.labels.clone(),
            hosts: hosts.as_slice().into(),
            asked,
        })
    })
}

/// `None` where that is behind no proxy, or cannot be told.
fn arrival(app: &App, latest: &Revision, specs: &[Spec<'_>], probe: &Probe) -> Option<Arrival> {
    let position = match &probe.port {
        ProbedPort::Index(index) => *index,
        ProbedPort::Name(name) => specs.iter().position(|spec| spec.name == *name)?,
        ProbedPort::Number(number) => match position(app, latest.mode, specs, *number) {
            Some(position) => position,
            // Interception takes whatever comes to a container's own address.
            None => {
                return (latest.mode == Mode::Container).then_some(Arrival::Undeclared(*number));
            }
        },
    };
    let spec = specs.get(position)?;
    if spec.is_excluded() {
        return None;
    }
    let mut declared = latest.ports.iter();
    let declared = declared.find(|declared| declared.position == position && !declared.is_vip);
    let target = target(app, latest.mode, spec, position);
    match declared {
        Some(declared) => Some(Arrival::Declared {
            number: declared.port.number,
            name: declared.port.name.clone(),
            target,
        }),
        // On the agent's own network a proxy listens on the ports that it knows, and no others.
        None => (latest.mode != Mode::Host).then_some(Arrival::Undeclared(target)),
    }
}

/// The declaration to which a number leads from outside.
fn position(app: &App, mode: Mode, specs: &[Spec<'_>], number: u16) -> Option<usize> {
    let leads = |position: usize, spec: &Spec<'_>| match mode {
        Mode::Container => spec.container_port == number,
        Mode::Host | Mode::Bridge(_) => host_port(app, mode, position) == Some(number),
    };
    let mut all = specs.iter().enumerate();
    all.find_map(|(position, spec)| leads(position, spec).then_some(position))
}

/// The port of the workload; 0 if Marathon chooses one for each task.
fn target(app: &App, mode: Mode, spec: &Spec<'_>, position: usize) -> u16 {
    match (mode, spec.container_port) {
        (Mode::Host, _) | (_, 0) => host_port(app, mode, position).unwrap_or(0),
        (_, port) => port,
    }
}

/// The host port that a definition asks for by number.
fn host_port(app: &App, mode: Mode, position: usize) -> Option<u16> {
    let fixed = match mode {
        Mode::Host if app.require_ports => app.port_definitions.get(position).map(|d| d.port),
        Mode::Host => None,
        _ => mappings(app).get(position).and_then(|m| m.host_port),
    };
    fixed.filter(|port| *port != 0)
}
