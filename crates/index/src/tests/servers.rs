//! Servers of gateways: what TLS becomes, and what is refused.

use model::gateway::Security;
use model::tls::{ServerIdentity, TlsVersion, VerifyClient};
use model::{Server, World};
use serde_json::{Value, json};

use super::fixtures::*;

fn world(server: Value) -> World {
    let plain =
        json!({"port": {"number": 80, "name": "plain", "protocol": "HTTP"}, "hosts": ["*"]});
    let spec = json!({"selector": {"istio": "reviews"}, "servers": [plain, server]});
    world_of(vec![reviews(1)], vec![object("Gateway", "g", spec)])
}

/// All that is said about the object alone: the workload has none of these ports.
fn said(world: &World) -> Vec<&'static str> {
    let codes = codes(world).into_iter();
    codes.filter(|code| *code != "PH0390").collect()
}

fn https(tls: Value) -> Value {
    json!({"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["*"], "tls": tls})
}

/// The server behind the plain one, which is in force without a word.
#[track_caller]
fn good(server: Value) -> Server {
    let world = world(server);
    assert_eq!(said(&world), [""; 0]);
    world.gateways[0].servers[1].clone()
}

#[track_caller]
fn terminated(tls: Value) -> model::tls::ServerTls {
    match good(https(tls)).security {
        Security::Terminate(tls) => (*tls).clone(),
        other => panic!("{other:?}"),
    }
}

fn files(identity: &ServerIdentity) -> Vec<(&str, &str)> {
    match identity {
        ServerIdentity::Mesh => Vec::new(),
        ServerIdentity::Files(pairs) => pairs
            .iter()
            .map(|pair| (pair.chain.as_str(), pair.key.as_str()))
            .collect(),
    }
}

#[test]
fn every_protocol_is_read() {
    for (protocol, tls, security) in [
        ("HTTP", json!(null), Security::Plaintext),
        ("grpc-web", json!({}), Security::Plaintext),
        (
            "HTTP2",
            json!({"httpsRedirect": false}),
            Security::Plaintext,
        ),
        ("HTTP", json!({"https_redirect": true}), Security::Redirect),
        ("TCP", json!(null), Security::Plaintext),
        ("MONGO", json!(null), Security::Plaintext),
        ("REDIS", json!(null), Security::Plaintext),
        ("MYSQL", json!(null), Security::Plaintext),
        ("TLS", json!({"mode": "PASSTHROUGH"}), Security::Passthrough),
        ("HTTPS", json!({"mode": 0}), Security::Passthrough),
    ] {
        let port = json!({"number": 81, "name": "x", "protocol": protocol});
        let server =
            good(json!({"port": port, "hosts": ["a.example.com"], "tls": tls, "name": "n"}));
        assert_eq!(server.security, security, "{protocol}");
    }
}

#[test]
fn a_server_may_bind_to_an_address() {
    let server = good(json!({
        "port": {"number": 81, "name": "x", "protocol": "HTTP"}, "hosts": ["*"], "bind": "10.0.0.7",
    }));
    assert_eq!(server.bind, Some("10.0.0.7".parse().unwrap()));
}

#[test]
fn certificates_are_files_or_credentials() {
    let named =
        json!({"mode": "SIMPLE", "serverCertificate": "/c/a.crt", "privateKey": "/c/a.key"});
    assert_eq!(
        files(&terminated(named).identity),
        [("/c/a.crt", "/c/a.key")]
    );
    let credential = json!({"mode": "SIMPLE", "credentialName": "shop"});
    let shop = (
        "/etc/istio/credentials/shop/tls.crt",
        "/etc/istio/credentials/shop/tls.key",
    );
    assert_eq!(files(&terminated(credential).identity), [shop]);
    let two = json!({"mode": "SIMPLE", "credentialNames": ["shop", "shop.ec"]});
    assert_eq!(files(&terminated(two).identity).len(), 2);
    let listed = json!({"mode": "SIMPLE", "tlsCertificates": [
        {"serverCertificate": "/c/a.crt", "privateKey": "/c/a.key"},
        {"server_certificate": "/c/b.crt", "private_key": "/c/b.key"}]});
    assert_eq!(
        files(&terminated(listed).identity),
        [("/c/a.crt", "/c/a.key"), ("/c/b.crt", "/c/b.key")]
    );
    let mesh = terminated(json!({"mode": "ISTIO_MUTUAL"}));
    assert_eq!(mesh.identity, ServerIdentity::Mesh);
    assert!(matches!(mesh.clients, VerifyClient::Require(check) if check.ca.is_none()));
}

#[test]
fn clients_are_checked_by_mode() {
    let with = |mode: &str| {
        json!({
            "mode": mode, "serverCertificate": "/c/a.crt", "privateKey": "/c/a.key",
            "caCertificates": "/c/ca.crt", "caCrl": "/c/crl.pem", "subjectAltNames": ["a.example.com"],
            "verifyCertificateHash": ["ab".repeat(32)],
            "verifyCertificateSpki": [format!("{}=", "A".repeat(43))],
            "insecureSkipVerify": true,
        })
    };
    let VerifyClient::Require(check) = terminated(with("MUTUAL")).clients else {
        panic!("a certificate is demanded");
    };
    assert_eq!(check.ca.as_ref().map(|ca| ca.as_str()), Some("/c/ca.crt"));
    assert_eq!(
        check.revoked.as_ref().map(|crl| crl.as_str()),
        Some("/c/crl.pem")
    );
    assert_eq!(check.subject_alt_names.len(), 1);
    assert_eq!((check.key_hashes.len(), check.fingerprints.len()), (1, 1));
    assert!(check.accept_untrusted);
    let optional = terminated(with("OPTIONAL_MUTUAL")).clients;
    assert_eq!(optional, VerifyClient::Optional(check));
    let by_name = json!({"mode": "MUTUAL", "credentialName": "shop"});
    let VerifyClient::Require(check) = terminated(by_name).clients else {
        panic!("a certificate is demanded");
    };
    let root = "/etc/istio/credentials/shop/ca.crt";
    assert_eq!(check.ca.as_ref().map(|ca| ca.as_str()), Some(root));
    let apart =
        json!({"mode": "MUTUAL", "credentialName": "shop", "caCertCredentialName": "roots"});
    let VerifyClient::Require(check) = terminated(apart).clients else {
        panic!("a certificate is demanded");
    };
    let root = "/etc/istio/credentials/roots/ca.crt";
    assert_eq!(check.ca.as_ref().map(|ca| ca.as_str()), Some(root));
}

#[test]
fn versions_and_suites_are_read() {
    let tls = terminated(json!({
        "mode": "SIMPLE", "credentialName": "a", "minProtocolVersion": "TLSV1_2",
        "max_protocol_version": "TLSV1_3", "cipherSuites": ["ECDHE-RSA-AES128-GCM-SHA256"],
    }));
    assert_eq!(tls.versions.min, Some(TlsVersion::V1_2));
    assert_eq!(tls.versions.max, Some(TlsVersion::V1_3));
    assert_eq!(tls.ciphers.len(), 1);
}

#[test]
fn what_cannot_be_served_is_left_out_alone() {
    let pair = json!({"mode": "SIMPLE", "serverCertificate": "/c/a.crt", "privateKey": "/c/a.key"});
    let and = |more: Value| {
        let mut tls = pair.clone();
        for (key, value) in more.as_object().unwrap() {
            tls[key] = value.clone();
        }
        https(tls)
    };
    let plain = |protocol: &str, tls: Value| json!({"port": {"number": 81, "name": "x", "protocol": protocol}, "hosts": ["*"], "tls": tls});
    for (server, code, field) in [
        (https(json!(null)), "PH0382", "tls"),
        (https(json!({})), "PH0382", "tls"),
        (plain("HTTP", pair.clone()), "PH0382", "tls"),
        (plain("TCP", pair.clone()), "PH0382", "tls"),
        (
            plain("TCP", json!({"httpsRedirect": true})),
            "PH0382",
            "tls.httpsRedirect",
        ),
        (https(json!({"mode": "SIMPLE"})), "PH0382", "tls"),
        (
            https(json!({"mode": "SIMPLE", "privateKey": "/k"})),
            "PH0382",
            "tls.serverCertificate",
        ),
        (and(json!({"credentialName": "a"})), "PH0382", "tls"),
        (and(json!({"caCrl": "/c/crl.pem"})), "PH0382", "tls.caCrl"),
        (
            and(json!({"mode": "MUTUAL"})),
            "PH0382",
            "tls.caCertificates",
        ),
        (and(json!({"mode": "ISTIO_MUTUAL"})), "PH0382", "tls"),
        (
            and(json!({"privateKey": "/proc/1/mem"})),
            "PH0382",
            "tls.privateKey",
        ),
        (
            https(json!({"mode": "SIMPLE", "credentialName": "../x"})),
            "PH0382",
            "tls.credentialName",
        ),
        (
            and(json!({"minProtocolVersion": "SSLV3"})),
            "PH0382",
            "tls.minProtocolVersion",
        ),
        (
            and(json!({"maxProtocolVersion": "TLSV1_1"})),
            "PH0382",
            "tls.maxProtocolVersion",
        ),
        (
            and(json!({"mode": "MUTUAL", "caCertificates": "/c", "verifyCertificateHash": ["x"]})),
            "PH0382",
            "tls.verifyCertificateHash[0]",
        ),
        (
            https(json!({"mode": "AUTO_PASSTHROUGH"})),
            "PH0383",
            "tls.mode",
        ),
        (
            json!({"port": {"number": 81, "name": "plain", "protocol": "HTTP"}, "hosts": ["*"]}),
            "PH0386",
            "port.name",
        ),
        (
            json!({"port": {"number": 81, "name": "x", "protocol": "UDP"}, "hosts": ["*"]}),
            "PH0319",
            "port.protocol",
        ),
        (
            json!({"port": {"number": 81, "name": "x", "protocol": "HTTP"}, "hosts": ["*"], "bind": "/run/x"}),
            "PH0319",
            "bind",
        ),
    ] {
        let world = world(server.clone());
        assert_eq!(world.gateways[0].servers.len(), 1, "{server}");
        assert_eq!(said(&world), [code], "{server} {:#?}", world.diagnostics);
        let field = format!("spec.servers[1].{field}");
        assert_eq!(world.diagnostics[0].field, field, "{server}");
    }
    let unknown = world(https(json!({"mode": "SOMETIMES"})));
    assert!(unknown.gateways.is_empty());
    assert_eq!(codes(&unknown), ["PH0301"]);
}

#[test]
fn what_has_no_effect_is_told() {
    let pair = json!({"mode": "SIMPLE", "serverCertificate": "/c/a.crt", "privateKey": "/c/a.key"});
    let and = |more: Value| {
        let mut tls = pair.clone();
        for (key, value) in more.as_object().unwrap() {
            tls[key] = value.clone();
        }
        https(tls)
    };
    for (server, code, field) in [
        (
            and(json!({"httpsRedirect": true})),
            "PH0384",
            "tls.httpsRedirect",
        ),
        (and(json!({"mode": "PASSTHROUGH"})), "PH0384", "tls"),
        (and(json!({"subjectAltNames": ["a"]})), "PH0384", "tls"),
        (
            and(json!({"cipherSuites": ["NULL"]})),
            "PH0384",
            "tls.cipherSuites[0]",
        ),
        (
            and(json!({"cipherSuites": ["AES128-SHA", "AES128-SHA"]})),
            "PH0384",
            "tls.cipherSuites[1]",
        ),
        (
            and(json!({"minProtocolVersion": "TLSV1_0"})),
            "PH0384",
            "tls.minProtocolVersion",
        ),
        (
            https(json!({"mode": "SIMPLE", "credentialNames": ["a", "b", "c"]})),
            "PH0384",
            "tls",
        ),
        (
            json!({"port": {"number": 81, "name": "x", "protocol": "HTTP", "targetPort": 8081},
                   "hosts": ["*"]}),
            "PH0385",
            "port.targetPort",
        ),
        (
            json!({"port": {"number": 81, "name": "x", "protocol": "HTTP"}, "hosts": ["*"],
                   "defaultEndpoint": "127.0.0.1:80"}),
            "PH0385",
            "defaultEndpoint",
        ),
    ] {
        let world = world(server.clone());
        assert_eq!(world.gateways[0].servers.len(), 2, "{server}");
        assert_eq!(said(&world), [code], "{server}");
        let field = format!("spec.servers[1].{field}");
        assert_eq!(world.diagnostics[0].field, field, "{server}");
    }
}
