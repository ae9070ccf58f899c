//! Mesos-DNS: every task under its own name, at the address of its agent.

use std::fs;
use std::io;
use std::path::PathBuf;

use simulator::TaskView;
use tokio::process::Child;

use crate::command::run;
use crate::layout::{DOMAIN, Layout, MASTER};
use crate::place::{Place, User};

/// dnsmasq with a hosts file that follows the tasks.
pub(crate) struct Dns {
    server: Child,
    hosts: PathBuf,
    fixed: String,
    written: String,
}

impl Dns {
    pub(crate) async fn start(master: &Place, layout: Layout) -> io::Result<Dns> {
        let hosts = master.directory().join("dns.hosts");
        let marathon = layout.outside();
        let fixed = format!(
            "{marathon} master.mesos leader.mesos marathon.mesos\n\
             {MASTER} pilot.{DOMAIN} apiserver.{DOMAIN} etcd.{DOMAIN}\n"
        );
        fs::write(&hosts, &fixed)?;
        let (file, listen) = (
            format!("--addn-hosts={}", hosts.display()),
            format!("--listen-address={MASTER},127.0.0.1"),
        );
        let program = [
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--pid-file=",
            "--user=root",
            "--no-resolv",
            "--no-hosts",
            "--bind-interfaces",
            &listen,
            &file,
        ];
        let server = master.start("dnsmasq", User::Root, &program).await?;
        let written = fixed.clone();
        Ok(Dns {
            server,
            hosts,
            fixed,
            written,
        })
    }

    /// Names follow the tasks that run. Nothing happens if they are the same as before.
    pub(crate) fn update(&mut self, tasks: &[TaskView]) -> io::Result<()> {
        let hosts = format!("{}{}", self.fixed, records(tasks));
        if hosts == self.written {
            return Ok(());
        }
        fs::write(&self.hosts, &hosts)?;
        self.written = hosts;
        if let Some(pid) = self.server.id() {
            // It reads the file again.
            run(&format!("kill -HUP {pid}")).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// A line for each task that runs, sorted, each once.
fn records(tasks: &[TaskView]) -> String {
    let running = tasks.iter().filter(|task| task.state == "TASK_RUNNING");
    let mut lines: Vec<String> = running
        .map(|task| format!("{} {}\n", task.agent_ip, name(&task.run_spec_id)))
        .collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

/// `/shop/reviews` is `reviews-shop.marathon.slave.mesos`: Mesos-DNS turns the path round.
fn name(id: &str) -> String {
    let mut parts: Vec<&str> = id.split('/').filter(|part| !part.is_empty()).collect();
    parts.reverse();
    format!("{}.{DOMAIN}", parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_turned_round() {
        assert_eq!(name("/reviews"), "reviews.marathon.slave.mesos");
        assert_eq!(name("/shop/db"), "db-shop.marathon.slave.mesos");
    }
}
