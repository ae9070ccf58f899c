//! What `kubectl describe` tells the owner of a wrong object: for each kind what is wrong, where, and
//! what to do; and afterwards that it is over.

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;

use super::answers::{eventually, replica};
use super::apiserver::{Apiserver, DEFINITIONS};

/// One wrong object, and what its owner is told.
struct Wrong {
    kind: &'static str,
    name: &'static str,
    api: &'static str,
    spec: &'static str,
    /// The reason of the Event and the code.
    told: (&'static str, &'static str),
    /// Where, and what to do.
    words: [&'static str; 2],
    /// The spec that heals it, if one does.
    right: Option<&'static str>,
}

const NETWORKING: &str = "networking.istio.io/v1alpha3";

const WRONG: &[Wrong] = &[
    Wrong {
        kind: "VirtualService",
        name: "unquoted",
        api: NETWORKING,
        spec: "{hosts: [a.example.com], http: [{route: [{destination: {host: b}}], timeout: 5}]}",
        told: ("Refused", "PH0301"),
        words: ["spec.http[0].timeout", "such as \"5s\""],
        right: Some(
            "{hosts: [a.example.com], http: [{route: [{destination: {host: b}}], timeout: 5s}]}",
        ),
    },
    Wrong {
        kind: "DestinationRule",
        name: "misspelt",
        api: NETWORKING,
        spec: "{host: b, trafficPolicy: {loadBalancer: {simple: LEAST_CONNN}}}",
        told: ("Refused", "PH0350"),
        words: ["spec.trafficPolicy.loadBalancer.simple", "use ROUND_ROBIN"],
        right: Some("{host: b, trafficPolicy: {loadBalancer: {simple: RANDOM}}}"),
    },
    Wrong {
        kind: "Gateway",
        name: "without-tls",
        api: NETWORKING,
        spec: "{selector: {istio: edge}, servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: ['*']}]}",
        // That no server is left follows from this.
        told: ("Refused", "PH0382"),
        words: ["spec.servers[0].tls", "SIMPLE or PASSTHROUGH"],
        right: Some(
            "{selector: {istio: edge}, servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']}]}",
        ),
    },
    Wrong {
        kind: "ServiceEntry",
        name: "many-names",
        api: NETWORKING,
        spec: "{hosts: ['*.example.com'], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}",
        told: ("Refused", "PH0703"),
        words: ["spec.hosts[0]", "use the resolution NONE or DYNAMIC_DNS"],
        right: Some(
            "{hosts: ['*.example.com'], ports: [{number: 80, name: http, protocol: HTTP}], resolution: NONE}",
        ),
    },
    Wrong {
        kind: "Sidecar",
        name: "no-namespace",
        api: NETWORKING,
        spec: "{egress: [{hosts: [reviews]}]}",
        told: ("Refused", "PH0720"),
        words: ["spec.egress[0].hosts[0]", "write namespace/name"],
        right: Some("{egress: [{hosts: ['./*']}]}"),
    },
    Wrong {
        kind: "WorkloadEntry",
        name: "big-port",
        api: NETWORKING,
        spec: "{address: 10.1.1.1, ports: {http: 99999}}",
        told: ("Refused", "PH0301"),
        words: ["spec.ports.http", "ports end at 65535"],
        right: Some("{address: 10.1.1.1, ports: {http: 9999}}"),
    },
    Wrong {
        kind: "Policy",
        name: "sometimes",
        api: "authentication.istio.io/v1alpha1",
        spec: "{targets: [{name: b}], peers: [{mtls: {mode: SOMETIMES}}]}",
        told: ("Refused", "PH0604"),
        words: ["spec.peers[0].mtls.mode", "write STRICT or PERMISSIVE"],
        right: Some("{targets: [{name: b}], peers: [{mtls: {mode: STRICT}}]}"),
    },
    Wrong {
        kind: "PeerAuthentication",
        name: "named-port",
        api: "security.istio.io/v1beta1",
        spec: "{selector: {matchLabels: {istio: b}}, portLevelMtls: {http: {mode: DISABLE}}}",
        told: ("Refused", "PH0604"),
        words: ["spec.portLevelMtls[http]", "write the number"],
        right: Some("{selector: {matchLabels: {istio: b}}, mtls: {mode: STRICT}}"),
    },
    Wrong {
        kind: "Telemetry",
        name: "no-provider",
        api: "telemetry.istio.io/v1alpha1",
        spec: "{tracing: [{providers: [{name: nosuch}]}]}",
        told: ("Ignored", "PH0804"),
        words: [
            "spec.tracing[0].providers[0].name",
            "define it in extensionProviders",
        ],
        right: Some("{tracing: [{disableSpanReporting: true}]}"),
    },
    Wrong {
        kind: "EnvoyFilter",
        name: "switched-off",
        api: NETWORKING,
        spec: "{configPatches: [{applyTo: CLUSTER, patch: {operation: REMOVE}}]}",
        told: ("NotInForce", "PH0820"),
        words: ["EnvoyFilter are off", "--enableEnvoyFilter"],
        right: None,
    },
    Wrong {
        kind: "ProxyConfig",
        name: "too-late",
        api: "networking.istio.io/v1beta1",
        spec: "{concurrency: 2}",
        told: ("NotInForce", "PH0811"),
        words: ["what starts a proxy", "in its app or pod"],
        right: None,
    },
    Wrong {
        kind: "VirtualService",
        name: "to-nobody",
        api: NETWORKING,
        spec: "{hosts: [b], http: [{route: [{destination: {host: nosuch}}]}]}",
        told: ("Missing", "PH0334"),
        words: ["destination.host", "deploy a workload"],
        right: None,
    },
    // It is younger than the one before.
    Wrong {
        kind: "VirtualService",
        name: "too-many",
        api: NETWORKING,
        spec: "{hosts: [b], http: [{redirect: {uri: /}}]}",
        told: ("Conflict", "PH0333"),
        words: [
            "VirtualService default/to-nobody is older",
            "into one virtual service",
        ],
        right: Some("{hosts: [c.example.com], http: [{redirect: {uri: /}}]}"),
    },
];

impl Wrong {
    fn document(&self, spec: &str) -> String {
        let Wrong {
            api, kind, name, ..
        } = self;
        format!(
            "---\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}, namespace: default}}\nspec: {spec}\n"
        )
    }

    /// `virtualservice.networking.istio.io/name`
    fn reference(&self) -> String {
        let group = self.api.split('/').next().unwrap();
        format!("{}.{group}/{}", self.kind, self.name)
    }
}

/// Reason and code of the Events about each object.
async fn events(server: &Apiserver) -> BTreeMap<String, Vec<(String, String)>> {
    let path = "/api/v1/namespaces/default/events";
    let list = server.send(Method::GET, path, None).await;
    let mut by_object: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for event in list["items"].as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let about = &event["involvedObject"];
        let name = format!("{}/{}", text(&about["kind"]), text(&about["name"]));
        let message = text(&event["message"]);
        let code = message[..6.min(message.len())].to_owned();
        by_object
            .entry(name)
            .or_default()
            .push((text(&event["reason"]), code));
    }
    by_object
}

/// Status and reason of our condition.
fn condition(object: &Value) -> Option<(String, String)> {
    let mut conditions = object["status"]["conditions"].as_array()?.iter();
    let ours = conditions.find(|condition| condition["type"] == "Accepted")?;
    let text = |field: &str| ours[field].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason")))
}

async fn read(server: &Apiserver, wrong: &Wrong) -> Value {
    let text = server
        .kubectl(&["get", &wrong.reference(), "-o", "json"], "")
        .await;
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn the_owner_of_a_wrong_object_of_any_kind_is_told_what_to_do() {
    let server = Apiserver::own().await;
    server.apply(DEFINITIONS).await;
    let wait = [
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "crd",
        "--all",
    ];
    server.kubectl(&wait, "").await;
    let mut replica = replica(&server).await;
    // The last one competes with another by age.
    let (last, others) = WRONG.split_last().unwrap();
    let documents = others.iter().map(|wrong| wrong.document(wrong.spec));
    server.apply(&documents.collect::<String>()).await;
    for wrong in others {
        told(&server, wrong).await;
    }
    server.apply(&last.document(last.spec)).await;
    told(&server, last).await;

    let healed = || WRONG.iter().filter_map(|wrong| Some((wrong, wrong.right?)));
    let documents = healed().map(|(wrong, spec)| wrong.document(spec));
    server.apply(&documents.collect::<String>()).await;
    for (wrong, _) in healed() {
        let what = format!("{} is healed", wrong.reference());
        eventually(&what, async || {
            let now = condition(&read(&server, wrong).await);
            now.is_some_and(|(status, reason)| status == "True" && reason != wrong.told.1)
        })
        .await;
    }
    replica.stop().await;
}

/// Waits for condition and Event, then looks as the owner would.
async fn told(server: &Apiserver, wrong: &Wrong) {
    let (reason, code) = wrong.told;
    let accepted = match reason {
        "Refused" | "NotInForce" => "False",
        _ => "True",
    };
    let what = format!("{} is told {reason} {code}", wrong.reference());
    let name = format!("{}/{}", wrong.kind, wrong.name);
    eventually(&what, async || {
        let event = (reason.to_owned(), code.to_owned());
        let all = events(server).await;
        let has_event = all.get(&name).is_some_and(|told| told.contains(&event));
        let condition = condition(&read(server, wrong).await);
        has_event && condition == Some((accepted.into(), code.into()))
    })
    .await;
    let text = server.kubectl(&["describe", &wrong.reference()], "").await;
    for words in wrong.words {
        assert!(text.contains(words), "{words:?} is missing in:\n{text}");
    }
}
