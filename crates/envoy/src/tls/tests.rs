//! The contexts that Istio's settings become, as Envoy's JSON.

use std::sync::Arc;

use model::tls::*;
use serde_json::{Value, json};

use super::secret::Secret;
use super::server::{ALPN_HTTP, Identity};
use super::*;
use crate::Kind;
use crate::render::to_json;

fn file(path: &str) -> FilePath {
    FilePath::parse(path).unwrap()
}

fn pair(name: &str) -> KeyPair {
    KeyPair {
        chain: file(&format!("/certs/{name}.pem")),
        key: file(&format!("/certs/{name}.key")),
    }
}

fn names(list: &[&str]) -> Vec<Arc<str>> {
    list.iter().map(|name| (*name).into()).collect()
}

/// The context inside of a transport socket, through a cluster, which can be rendered.
fn shown(socket: Option<pb::core::TransportSocket>) -> Value {
    let cluster = pb::cluster::Cluster {
        transport_socket: socket,
        ..Default::default()
    };
    let json = to_json(Kind::Cluster, &crate::canonical::encode(&cluster)).unwrap();
    let mut context = json["transport_socket"]["typed_config"].clone();
    if let Some(fields) = context.as_object_mut() {
        fields.remove("@type");
    }
    context
}

fn client_of(tls: &ClientTls, http2: bool) -> Value {
    let accounts = ["spiffe://cluster.local/ns/default/sa/default".to_owned()];
    shown(client(&ClientKey {
        tls,
        http2,
        server_name: "outbound_.80_._.a.b",
        accounts: &accounts,
    }))
}

fn server_of(tls: &ServerTls) -> Value {
    shown(Some(server(&ServerKey {
        tls,
        alpn: ALPN_HTTP,
        identity: Identity {
            pair: "default",
            root: "ROOTCA",
            trust_domains: &["cluster.local".to_owned()],
            min: TlsVersion::V1_2,
        },
    })))
}

fn sds(name: &str) -> Value {
    let config = json!({ "ads": {}, "initial_fetch_timeout": "5s", "resource_api_version": "V3" });
    json!({ "name": name, "sds_config": config })
}

fn simple() -> ServerTls {
    ServerTls {
        identity: ServerIdentity::Files(vec![pair("a")]),
        clients: VerifyClient::Skip,
        versions: Versions::default(),
        ciphers: Vec::new(),
    }
}

const MESH_PARAMS: [&str; 4] = [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
];

#[test]
fn plaintext_has_no_transport_socket() {
    assert_eq!(client_of(&ClientTls::Disable, false), Value::Null);
}

#[test]
fn a_client_of_the_mesh_shows_its_identity_and_checks_the_account() {
    let context = client_of(&ClientTls::Mesh(MeshTls::default()), false);
    let expected = json!({
        "sni": "outbound_.80_._.a.b",
        "common_tls_context": {
            "tls_params": {
                "tls_minimum_protocol_version": "TLSv1_2",
                "tls_maximum_protocol_version": "TLSv1_3",
                "cipher_suites": MESH_PARAMS,
            },
            "tls_certificate_sds_secret_configs": [sds("default")],
            "combined_validation_context": {
                "default_validation_context": { "match_typed_subject_alt_names": [{
                    "san_type": "URI",
                    "matcher": { "exact": "spiffe://cluster.local/ns/default/sa/default" },
                }]},
                "validation_context_sds_secret_config": sds("ROOTCA"),
            },
            "alpn_protocols": ["istio"],
        },
    });
    assert_eq!(context, expected);
    let http2 = client_of(&ClientTls::Mesh(MeshTls::default()), true);
    assert_eq!(
        http2["common_tls_context"]["alpn_protocols"],
        json!(["istio", "h2"])
    );
}

#[test]
fn names_in_the_settings_replace_those_of_the_mesh() {
    let context = client_of(
        &ClientTls::Mesh(MeshTls {
            subject_alt_names: names(&["spiffe://other/ns/a/sa/b", "b.example.com"]),
            server_name: ServerName::parse("b.example.com").ok(),
        }),
        false,
    );
    assert_eq!(context["sni"], "b.example.com");
    let matchers = &context["common_tls_context"]["combined_validation_context"]["default_validation_context"]
        ["match_typed_subject_alt_names"];
    assert_eq!(
        *matchers,
        json!([
            { "san_type": "URI", "matcher": { "exact": "spiffe://other/ns/a/sa/b" } },
            { "san_type": "DNS", "matcher": { "exact": "b.example.com" } },
        ])
    );
}

#[test]
fn a_simple_client_checks_against_the_roots_of_its_system() {
    let tls = ClientTls::Origin(OriginTls::default());
    let context = client_of(&tls, false);
    assert_eq!(
        context,
        json!({ "common_tls_context": {
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
            "validation_context_sds_secret_config": sds("file-root:system"),
        }})
    );
    let follows = follows_host(&tls);
    assert!(follows.server_name && follows.subject_alt_name);
}

#[test]
fn a_mutual_client_names_its_files() {
    let tls = ClientTls::Origin(OriginTls {
        key_pair: Some(pair("client")),
        verify: VerifyServer::Check {
            ca: Some(file("/certs/ca.pem")),
            revoked: Some(file("/certs/crl.pem")),
            subject_alt_names: names(&["10.0.0.1", "a@b"]),
        },
        server_name: ServerName::parse("b.example.com").ok(),
    });
    let context = client_of(&tls, true);
    assert_eq!(
        context,
        json!({
            "sni": "b.example.com",
            "common_tls_context": {
                "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
                "tls_certificate_sds_secret_configs":
                    [sds("file-cert:/certs/client.pem~/certs/client.key")],
                "combined_validation_context": {
                    "default_validation_context": { "match_typed_subject_alt_names": [
                        { "san_type": "IP_ADDRESS", "matcher": { "exact": "10.0.0.1" } },
                        { "san_type": "EMAIL", "matcher": { "exact": "a@b" } },
                    ]},
                    "validation_context_sds_secret_config":
                        sds("file-root:/certs/ca.pem~/certs/crl.pem"),
                },
                "alpn_protocols": ["h2"],
            },
        })
    );
    assert_eq!(follows_host(&tls), Default::default());
}

#[test]
fn a_client_that_skips_the_check_validates_nothing() {
    let tls = ClientTls::Origin(OriginTls {
        verify: VerifyServer::Skip,
        ..OriginTls::default()
    });
    let context = client_of(&tls, false);
    assert_eq!(
        context,
        json!({ "common_tls_context": {
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
        }})
    );
    assert!(follows_host(&tls).server_name && !follows_host(&tls).subject_alt_name);
}

#[test]
fn a_simple_server_asks_for_no_certificate() {
    let context = server_of(&simple());
    assert_eq!(
        context,
        json!({
            "require_client_certificate": false,
            "common_tls_context": {
                "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
                "tls_certificate_sds_secret_configs": [sds("file-cert:/certs/a.pem~/certs/a.key")],
                "alpn_protocols": ["h2", "http/1.1"],
            },
        })
    );
}

#[test]
fn a_server_of_the_mesh_takes_clients_of_its_domain() {
    let context = server_of(&ServerTls {
        identity: ServerIdentity::Mesh,
        clients: VerifyClient::Require(ClientCheck::default()),
        ..simple()
    });
    assert_eq!(context["require_client_certificate"], true);
    let common = &context["common_tls_context"];
    assert_eq!(common["tls_params"]["cipher_suites"], json!(MESH_PARAMS));
    assert_eq!(
        common["tls_certificate_sds_secret_configs"],
        json!([sds("default")])
    );
    let combined = &common["combined_validation_context"];
    assert_eq!(
        combined["default_validation_context"],
        json!({ "match_typed_subject_alt_names": [
            { "san_type": "URI", "matcher": { "prefix": "spiffe://cluster.local/" } },
        ]})
    );
    assert_eq!(
        combined["validation_context_sds_secret_config"],
        sds("ROOTCA")
    );
}

#[test]
fn a_mutual_server_checks_what_it_is_told() {
    let hash = format!("{}=", "A".repeat(43));
    let print = "ab".repeat(32);
    let check = ClientCheck {
        ca: Some(file("/certs/ca.pem")),
        revoked: None,
        subject_alt_names: names(&["c.example.com"]),
        key_hashes: vec![KeyHash::parse(&hash).unwrap()],
        fingerprints: vec![Fingerprint::parse(&print).unwrap()],
        accept_untrusted: true,
    };
    let tls = ServerTls {
        identity: ServerIdentity::Files(vec![pair("rsa"), pair("ecdsa")]),
        clients: VerifyClient::Require(check.clone()),
        versions: Versions {
            min: Some(TlsVersion::V1_0),
            max: Some(TlsVersion::V1_2),
        },
        ciphers: vec![Cipher::parse("AES128-SHA").unwrap()],
    };
    let context = server_of(&tls);
    let common = &context["common_tls_context"];
    assert_eq!(
        common["tls_params"],
        json!({
            "tls_minimum_protocol_version": "TLSv1_0",
            "tls_maximum_protocol_version": "TLSv1_2",
            "cipher_suites": ["AES128-SHA"],
        })
    );
    let pairs = common["tls_certificate_sds_secret_configs"].as_array();
    assert_eq!(pairs.map(Vec::len), Some(2));
    assert_eq!(
        common["combined_validation_context"]["default_validation_context"],
        json!({
            "match_typed_subject_alt_names":
                [{ "san_type": "DNS", "matcher": { "exact": "c.example.com" } }],
            "verify_certificate_spki": [hash],
            "verify_certificate_hash": [print],
            "trust_chain_verification": "ACCEPT_UNTRUSTED",
        })
    );
    let optional = server_of(&ServerTls {
        clients: VerifyClient::Optional(check),
        ..tls
    });
    assert_eq!(optional["require_client_certificate"], false);
    assert_eq!(optional["common_tls_context"], *common);
}

#[test]
fn a_secret_names_files_and_holds_none() {
    let shown = |secret: Secret| {
        let built = secret.build();
        to_json(Kind::Secret, &built.body.unwrap()).unwrap()
    };
    let [own, root] = Secret::of_identity(&IdentityFiles::default());
    assert_eq!(
        shown(own),
        json!({ "name": "default", "tls_certificate": {
            "certificate_chain": { "filename": "/etc/certs/cert-chain.pem" },
            "private_key": { "filename": "/etc/certs/key.pem" },
        }})
    );
    assert_eq!(
        shown(root),
        json!({ "name": "ROOTCA", "validation_context": {
            "trusted_ca": { "filename": "/etc/certs/root-cert.pem" },
        }})
    );
    let (ca, revoked) = (file("/certs/ca.pem"), file("/certs/crl.pem"));
    assert_eq!(
        shown(Secret::roots(Some(&ca), Some(&revoked))),
        json!({ "name": "file-root:/certs/ca.pem~/certs/crl.pem", "validation_context": {
            "trusted_ca": { "filename": "/certs/ca.pem" },
            "crl": { "filename": "/certs/crl.pem" },
        }})
    );
    assert_eq!(
        shown(Secret::roots(None, None)),
        json!({ "name": "file-root:system", "validation_context": {
            "trusted_ca": { "filename": "/etc/ssl/certs/ca-certificates.crt" },
        }})
    );
}

/// Whatever a context asks for is among the secrets that its settings lead to.
#[test]
fn every_name_that_a_context_asks_for_is_answered() {
    let client_tls = ClientTls::Origin(OriginTls {
        key_pair: Some(pair("client")),
        ..OriginTls::default()
    });
    let server_tls = ServerTls {
        clients: VerifyClient::Optional(ClientCheck {
            ca: Some(file("/certs/ca.pem")),
            revoked: Some(file("/certs/crl.pem")),
            ..ClientCheck::default()
        }),
        ..simple()
    };
    let mut secrets = Secrets::default();
    secrets.add_client(&client_tls);
    secrets.add_server(&server_tls);
    let answered: Vec<String> = secrets.0.iter().map(Secret::name).collect();
    let mut asked = Vec::new();
    collect(&client_of(&client_tls, false), &mut asked);
    collect(&server_of(&server_tls), &mut asked);
    assert_eq!(asked.len(), 4);
    for name in asked {
        assert!(answered.contains(&name), "{name}");
    }
}

/// The names of all secrets in a context.
fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("sds_config") {
                names.push(fields["name"].as_str().unwrap().to_owned());
            }
            fields.values().for_each(|value| collect(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}
