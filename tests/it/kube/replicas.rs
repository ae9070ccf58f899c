//! All state is in the apiserver and in Marathon: replicas need no word with each other.

use std::net::SocketAddr;
use std::process::Stdio;

use demo::Block;
use demo::bootstrap::Role;
use tokio::process::{Child, Command};

use super::apiserver::Apiserver;
use super::source::virtual_service;
use crate::e2e::engine::replica::{bookinfo, everything, node};
use crate::e2e::{eventually, pilothouse};

/// The launch line of an old installation.
async fn launch(block: &Block, number: u16, marathon: &str, config: &str) -> (Child, SocketAddr) {
    let at = |port: u16| SocketAddr::from((block.master(), port + 100 * number));
    let process = Command::new(pilothouse())
        .args(["discovery", "--httpAddr", &at(15007).to_string()])
        .args(["--grpcAddr", &at(15010).to_string()])
        .args(["--monitoringAddr", &at(9093).to_string()])
        .args(["--registries", "Mesos", "--domain", "marathon.slave.mesos"])
        .args(["--mesosVIPDomain", "marathon.slave.mesos"])
        .args(["--mesosMaster", marathon, "--kubeconfig", config])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/ready", at(15007));
    eventually(&format!("{url} is 200"), async || {
        let answer = client.get(&url).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    (process, at(15010))
}

#[tokio::test]
async fn replicas_on_one_apiserver_serve_equal_versions() {
    let server = Apiserver::shared().await;
    let block = Block::claim().unwrap();
    let marathon = bookinfo(&block).await;
    for service in ["details", "ratings"] {
        server.apply(&virtual_service(service, "4s")).await;
    }
    let config = server.kubeconfig("pilothouse").display().to_string();
    let (_first, one) = launch(&block, 0, &marathon.url(), &config).await;
    let (_second, two) = launch(&block, 1, &marathon.url(), &config).await;
    let task = marathon.tasks_of("/details").remove(0);
    let node = node(Role::Sidecar, &task, &block);
    // Others use the apiserver, too: what they do may reach one replica first.
    eventually("both serve the same", async || {
        let versions = everything(one, node.clone()).await;
        !versions.is_empty() && versions == everything(two, node.clone()).await
    })
    .await;
    server
        .kubectl(&["delete", "virtualservice", "details", "ratings"], "")
        .await;
    marathon.shutdown().await;
}
