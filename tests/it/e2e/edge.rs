//! Gateways that do more than plaintext HTTP: real Envoys, certificates made for the test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use demo::mesh::{GATEWAY_POD, Options};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use reqwest::{Certificate, Identity, StatusCode};

use super::*;

/// An authority, and what it has signed.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = named("authority", Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// Certificate and key for a name.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = named(name, vec![name.to_owned()]);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn write(&self, folder: &Path, name: &str) {
        let (certificate, key) = self.sign(name);
        std::fs::write(folder.join(format!("{name}.crt")), certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
    }
}

/// A certificate whose issuer has the same name would count as signed by itself.
fn named(name: &str, hosts: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Every way into a gateway, on ports of its own.
fn gateway(folder: &Path) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    let pair = |name: &str| {
        let (chain, key) = (file(&format!("{name}.crt")), file(&format!("{name}.key")));
        format!("serverCertificate: {chain:?}, privateKey: {key:?}")
    };
    format!(
        r#"
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 8443, name: simple, protocol: HTTPS}}
    hosts: [simple.example.com]
    tls: {{mode: SIMPLE, {simple}}}
  - port: {{number: 8443, name: mutual, protocol: HTTPS}}
    hosts: [mutual.example.com]
    tls: {{mode: MUTUAL, {mutual}, caCertificates: {ca:?}}}
  - port: {{number: 8444, name: passed, protocol: TLS}}
    hosts: [simple.example.com]
    tls: {{mode: PASSTHROUGH}}
  - port: {{number: 8081, name: moved, protocol: HTTP}}
    hosts: [simple.example.com]
    tls: {{httpsRedirect: true}}
  - port: {{number: 9000, name: tcp, protocol: TCP}}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: edge}}
spec:
  hosts: ["*.example.com"]
  gateways: [edge]
  http:
  - route: [{{destination: {{host: details, port: {{number: 9080}}}}}}]
  tls:
  - match: [{{port: 8444, sniHosts: [simple.example.com]}}]
    route: [{{destination: {{host: ingressgateway, port: {{number: 8443}}}}}}]
  tcp:
  - match: [{{port: 9000}}]
    route:
    - {{destination: {{host: reviews, subset: v1, port: {{number: 9080}}}}, weight: 50}}
    - {{destination: {{host: reviews, subset: v3, port: {{number: 9080}}}}, weight: 50}}
"#,
        simple = pair("simple.example.com"),
        mutual = pair("mutual.example.com"),
        ca = file("ca.crt"),
    )
}

/// The pods, with a gateway that has a port for TLS.
fn pods() -> Vec<serde_json::Value> {
    let mut pods = demo::samples::pods();
    for pod in pods.iter_mut().filter(|pod| pod["id"] == GATEWAY_POD) {
        let endpoints = pod["containers"][0]["endpoints"].as_array_mut().unwrap();
        endpoints.push(serde_json::json!({
            "name": "tls-8443", "containerPort": 8443, "hostPort": 0, "protocol": ["tcp"],
        }));
    }
    pods
}

/// A client that trusts the authority and finds every host at this address.
fn at(address: SocketAddr, ca: &Authority, shown: Option<&(String, String)>) -> reqwest::Client {
    let root = Certificate::from_pem(ca.certificate.as_bytes()).unwrap();
    let mut builder = reqwest::Client::builder()
        .tls_certs_only([root])
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0);
    for host in ["simple.example.com", "mutual.example.com"] {
        builder = builder.resolve(host, address);
    }
    if let Some((certificate, key)) = shown {
        let pem = format!("{certificate}{key}");
        builder = builder.identity(Identity::from_pem(pem.as_bytes()).unwrap());
    }
    builder.build().unwrap()
}

async fn status(client: &reqwest::Client, url: &str) -> Option<StatusCode> {
    client
        .get(url)
        .send()
        .await
        .ok()
        .map(|answer| answer.status())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_decrypts_passes_on_redirects_and_shares_out() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, stranger) = (Authority::new(), Authority::new());
    std::fs::write(folder.path().join("ca.crt"), &ca.certificate).unwrap();
    ca.write(folder.path(), "simple.example.com");
    ca.write(folder.path(), "mutual.example.com");
    let mesh = started(Options {
        pods: pods(),
        ..Options::default()
    })
    .await;
    let text = gateway(folder.path());
    mesh.change(PATIENCE, |files| files.apply("edge.yaml", &text))
        .await
        .unwrap();
    let own = mesh.workloads_of(GATEWAY_POD).remove(0).addresses.container;
    let on = |port: u16| SocketAddr::from((own, port));
    let ok = Some(StatusCode::OK);

    let nobody = at(on(8443), &ca, None);
    let simple = "https://simple.example.com:8443/details/0";
    eventually("SIMPLE answers", async || {
        status(&nobody, simple).await == ok
    })
    .await;
    let mutual = "https://mutual.example.com:8443/details/0";
    assert_eq!(
        status(&nobody, mutual).await,
        None,
        "no certificate is shown"
    );
    let known = at(on(8443), &ca, Some(&ca.sign("client")));
    assert_eq!(status(&known, mutual).await, ok);
    let foreign = at(on(8443), &ca, Some(&stranger.sign("client")));
    assert_eq!(status(&foreign, mutual).await, None, "another authority's");

    let passed = at(on(8444), &ca, None);
    let url = "https://simple.example.com:8444/details/0";
    eventually("PASSTHROUGH answers", async || {
        status(&passed, url).await == ok
    })
    .await;
    let url = "https://mutual.example.com:8444/details/0";
    assert_eq!(
        status(&passed, url).await,
        None,
        "no route has this server name"
    );

    let moved = at(on(8081), &ca, None);
    let answer = moved
        .get("http://simple.example.com:8081/x")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::MOVED_PERMANENTLY);
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(
        location.starts_with("https://simple.example.com"),
        "{location}"
    );

    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    let url = format!("http://{}/reviews/0", on(9000));
    for _ in 0..60 {
        let answer = nobody.get(&url).send().await.unwrap();
        let body: serde_json::Value = answer.json().await.unwrap();
        let version = body["origin"]["version"].as_str().unwrap().to_owned();
        *versions.entry(version).or_default() += 1;
    }
    // Sixty throws of a coin: fewer than eight of one kind would be one in a billion.
    assert_eq!(versions.keys().collect::<Vec<_>>(), ["v1", "v3"]);
    assert!(versions.values().all(|count| *count >= 8), "{versions:?}");
    end(mesh).await;
}
