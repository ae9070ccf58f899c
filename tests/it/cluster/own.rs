//! An operator's own definitions: pods whose Envoys are launched by pilot-agent lines, as Istio 1.0
//! on Mesos has them, and apps. Images and commands say what runs, not names.

use demo::client::{Client, Votes};
use rig::Rig;
use serde_json::{Value, json};

use super::stage::*;
use super::started;

/// A pod of an application and its sidecar, whose container has a name of its own.
pub(super) fn pod(
    name: &str,
    version: &str,
    image: &str,
    port: u16,
    command: Option<&str>,
) -> Value {
    let id = match version {
        "" | "v1" => format!("/{name}"),
        version => format!("/{name}-{version}"),
    };
    let mut labels = json!({"istio": name});
    if !version.is_empty() {
        labels["version"] = version.into();
    }
    let cluster = [name, version].join("-");
    let cluster = cluster.trim_end_matches('-');
    let agent = format!(
        "/usr/local/bin/istio-iptables.sh -p 15001 -u 1337 -m REDIRECT -i '*' -b {port}; \
         su istio-proxy -c \"/usr/local/bin/pilot-agent proxy --discoveryAddress \
         pilot.marathon.slave.mesos:15010 --domain marathon.slave.mesos --serviceregistry Mesos \
         --serviceCluster {cluster} --configPath /var/lib/istio\""
    );
    let mut application = json!({
        "name": "main", "resources": {"cpus": 0.1, "mem": 256},
        "image": {"kind": "DOCKER", "id": image},
        "endpoints": [{"name": format!("http-{port}"), "containerPort": port, "hostPort": 0, "protocol": ["tcp"]}],
    });
    if let Some(line) = command {
        application["exec"] = json!({"command": {"shell": line}});
    }
    json!({
        "id": id, "labels": labels,
        "containers": [application, {
            "name": "mesh", "resources": {"cpus": 0.1, "mem": 256},
            "image": {"kind": "DOCKER", "id": "example/proxy_debug:1"},
            "exec": {"command": {"shell": agent}},
        }],
        "networks": [{"mode": "container/bridge"}],
        "scaling": {"kind": "fixed", "instances": 1},
    })
}

/// The gateway on its well-known port, beside others that nothing listens on.
fn gateway() -> Value {
    let endpoint = |name: &str, port: u16| json!({"name": name, "containerPort": port, "hostPort": 0, "protocol": ["tcp"]});
    json!({
        "id": "/edge", "labels": {"istio": "ingressgateway"},
        "containers": [{
            "name": "edge", "resources": {"cpus": 0.2, "mem": 256},
            "image": {"kind": "DOCKER", "id": "example/proxy_debug:1"},
            "exec": {"command": {"shell": "/usr/local/bin/pilot-agent proxy  router  -v  \"2\" --serviceCluster edge"}},
            "endpoints": [endpoint("http2", 80), endpoint("https", 443), endpoint("tcp", 31400)],
        }],
        "networks": [{"mode": "container/bridge"}],
        "scaling": {"kind": "fixed", "instances": 1},
    })
}

/// An app on the bridge: Docker's, if it has an image.
pub(super) fn app(id: &str, image: Option<&str>, command: Option<&str>, port: u16) -> Value {
    let mut app = json!({
        "id": id, "labels": {"istio": id.trim_start_matches('/')}, "instances": 1,
        "cpus": 0.1, "mem": 128, "networks": [{"mode": "container/bridge"}],
        "container": {"type": "MESOS", "portMappings": [
            {"name": "http", "containerPort": port, "hostPort": 0, "protocol": "tcp"}]},
    });
    if let Some(image) = image {
        app["container"]["docker"] = json!({"image": image});
        app["container"]["type"] = "DOCKER".into();
    }
    if let Some(line) = command {
        app["cmd"] = line.into();
    }
    app
}

/// As an operator does it: a file, and `dcos`.
pub(super) async fn add(rig: &Rig, kind: &str, definition: &Value) {
    let file = rig.layout().directory().join("definition.json");
    std::fs::write(&file, definition.to_string()).unwrap();
    type_in(rig, &format!("dcos marathon {kind} add {}", file.display())).await;
}

/// What a line shows, once it succeeds.
async fn shows(rig: &Rig, line: &str, text: &str) {
    let what = format!("{line}: {text}");
    eventually(rig, &what, async || {
        let (success, shown) = rig.shell(line).await.unwrap();
        success && shown.contains(text)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_and_apps_run_by_image_and_command() {
    let rig = started().await;
    for (service, version) in [
        ("productpage", "v1"),
        ("details", "v1"),
        ("ratings", "v1"),
        ("reviews", "v1"),
        ("reviews", "v2"),
        ("reviews", "v3"),
    ] {
        let image = format!("istio/examples-bookinfo-{service}-{version}:1.8.0");
        add(&rig, "pod", &pod(service, version, &image, 9080, None)).await;
    }
    add(&rig, "pod", &gateway()).await;
    let sleep = pod("sleep", "", "example/curl", 80, Some("sleep 3650d"));
    add(&rig, "pod", &sleep).await;
    let mut httpbin = app("/httpbin", Some("example/httpbin"), None, 8000);
    // On the agent that calls it, and on another bridge there.
    eventually(&rig, "sleep has a place", async || {
        !rig.marathon().tasks_of("/sleep").is_empty()
    })
    .await;
    let caller = rig.marathon().tasks_of("/sleep")[0].agent_hostname.clone();
    httpbin["constraints"] = json!([["hostname", "CLUSTER", caller]]);
    add(&rig, "app", &httpbin).await;
    let line = "cd /etc/certs && exec python3 -m http.server 7000";
    let mut files = app("/files", None, Some(line), 7000);
    files["healthChecks"] =
        json!([{"protocol": "MESOS_TCP", "portIndex": 0, "intervalSeconds": 1}]);
    add(&rig, "app", &files).await;
    let mut unknown = app(
        "/unknown",
        Some("example/unknown:1"),
        Some("/opt/unknown --serve"),
        7001,
    );
    unknown["healthChecks"] = json!([{"protocol": "TCP", "portIndex": 0, "intervalSeconds": 1}]);
    add(&rig, "app", &unknown).await;
    // On the agent's own network, at the port that Marathon gives it.
    let listen = "exec python3 -m http.server $PORT0";
    let ports = json!([{"port": 0, "name": "http", "labels": {"istio.io/service-port": "7002"}}]);
    let host = json!({"id": "/hosted", "labels": {"istio": "hosted"}, "instances": 2, "cmd": listen,
        "cpus": 0.1, "mem": 64, "networks": [{"mode": "host"}], "portDefinitions": ports,
        "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "intervalSeconds": 1}]});
    add(&rig, "app", &host).await;
    for file in ["gateway", "destination-rules", "reviews-v3"] {
        let line = format!("kubectl apply -f config/samples/bookinfo/networking/{file}.yaml");
        type_in(&rig, &line).await;
    }
    eventually(&rig, "everything runs", async || {
        let tasks = rig.marathon().tasks();
        tasks.len() == 20 && tasks.iter().all(|task| task.state == "TASK_RUNNING")
    })
    .await;

    let at = rig.outside("/edge", 80).unwrap().expect("the gateway runs");
    let client = Client::new(at).unwrap();
    eventually(&rig, "everybody gets reviews v3", async || {
        Votes::cast(&client, None, 5).await.only("v3", "red")
    })
    .await;
    let node = page(&rig, "/debug/syncz").await.unwrap().1;
    assert_eq!(node.matches("sidecar~").count(), 7, "{node}");
    assert_eq!(node.matches("router~").count(), 1, "{node}");
    let ask = |url: &str| format!("dcos task exec sleep curl -s http://{url}");
    let headers = ask("httpbin.marathon.slave.mesos:8000/headers");
    shows(&rig, &headers, "X-B3-Traceid").await;
    let list = ask("files.marathon.slave.mesos:7000/");
    shows(&rig, &list, "cert-chain.pem").await;
    let hosted = ask("hosted.marathon.slave.mesos:7002/");
    shows(&rig, &hosted, "Directory listing").await;
    let healthy = |app: &str, expected: bool| {
        let tasks = rig.marathon().tasks_of(app);
        tasks.iter().all(|task| task.healthy == Some(expected))
    };
    eventually(&rig, "checks of the agents' ports", async || {
        healthy("/hosted", true)
    })
    .await;
    eventually(&rig, "checks inside a container", async || {
        healthy("/files", true)
    })
    .await;
    eventually(&rig, "a check of what does nothing", async || {
        healthy("/unknown", false)
    })
    .await;
    shows(&rig, "dcos task exec unknown hostname", "").await;
    rig.stop().await.unwrap();
}
