//! Health checks: those of Marathon come from the master, those of Mesos from inside the container.

use std::net::SocketAddr;

use simulator::{Probe, ProbePort, Question, TaskView};

use crate::control::output;
use crate::place::{Place, User};

/// What is asked of one task.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) task: String,
    pub(crate) probe: Probe,
    /// Where; nowhere if a command is asked.
    address: Option<SocketAddr>,
}

// === impl Check ===

impl Check {
    /// `None` for a task without a check, or with one of a port that it does not have.
    pub(crate) fn of(task: &TaskView) -> Option<Check> {
        let probe = task.probe.clone()?;
        let address = match &probe.question {
            Question::Command(_) => None,
            Question::Http(port, _) | Question::Tcp(port) => Some(address(task, &probe, *port)?),
        };
        let task = task.id.clone();
        Some(Check {
            task,
            probe,
            address,
        })
    }

    /// Asks once. What cannot be asked is as bad as a bad answer.
    pub(crate) async fn ask(&self, master: &Place, own: &Place) -> bool {
        let place = if self.probe.by_marathon { master } else { own };
        let timeout = self.probe.timeout.as_secs().to_string();
        let at = self.address.map_or(String::new(), |at| at.to_string());
        let line = match &self.probe.question {
            Question::Http(_, path) => format!("curl -sf -o /dev/null 'http://{at}{path}'"),
            // Waits for nothing but the connection.
            Question::Tcp(_) => match self.address {
                Some(at) => format!("exec 3<>/dev/tcp/{}/{}", at.ip(), at.port()),
                None => return false,
            },
            Question::Command(line) => line.clone(),
        };
        let program = ["timeout", &timeout, "bash", "-c", &line];
        let answer = output(place, User::Root, &program).await;
        answer.is_ok_and(|(success, _)| success)
    }
}

/// From the master the agent's port, if there is one; inside the container its own.
fn address(task: &TaskView, probe: &Probe, port: ProbePort) -> Option<SocketAddr> {
    let (container, host) = match port {
        ProbePort::Number(number) => (Some(number), None),
        ProbePort::At(at) => {
            let port = task.ports.get(at)?;
            (port.container_port, port.host_port)
        }
    };
    match (probe.by_marathon, host, container) {
        (true, Some(host), _) => Some((task.agent_ip, host).into()),
        (true, None, Some(own)) => Some((task.container_ip.unwrap_or(task.agent_ip), own).into()),
        (false, host, container) => Some(([127, 0, 0, 1], container.or(host)?).into()),
        (true, None, None) => None,
    }
}
