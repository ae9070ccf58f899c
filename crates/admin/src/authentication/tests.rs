//! The form to the byte, and the truth table of Istio 1.0.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::authentication::{Demand, Family, PortSelector, Scope, Target};
use model::tls::{ClientTls, MeshTls, OriginTls};
use model::traffic_policy::{Policies as TrafficPolicies, PortPolicy};
use model::{AuthPolicy, DestinationRule, ExportTo, Hostname, Mesh, Protocol};

use super::*;

#[test]
fn the_form_is_that_of_istio_1_0_to_the_byte() {
    let row = Authentication {
        host: "httpbin.marathon.slave.mesos".into(),
        port: 8000,
        authentication_policy_name: "default/".into(),
        destination_rule_name: "-".into(),
        server_protocol: "mTLS",
        client_protocol: "HTTP",
        tls_conflict_status: "CONFLICT",
    };
    let expected = r#"
[
{
    "host": "httpbin.marathon.slave.mesos",
    "port": 8000,
    "authentication_policy_name": "default/",
    "destination_rule_name": "-",
    "server_protocol": "mTLS",
    "client_protocol": "HTTP",
    "TLS_conflict_status": "CONFLICT"
  },

{}]"#;
    assert_eq!(print(&[row]), expected);
    assert_eq!(print(&[]), "\n[\n\n{}]");
}

const HTTPBIN: &str = "httpbin.marathon.slave.mesos";

fn object(kind: &'static str, place: &str) -> ObjectRef {
    let (namespace, name) = place.split_once('/').unwrap();
    ObjectRef {
        kind,
        namespace: namespace.into(),
        name: name.into(),
    }
}

fn policy(place: &str, scope: Scope, mode: Option<Mode>) -> Arc<model::Authentication> {
    Arc::new(model::Authentication {
        object: object("Policy", place),
        family: Family::Policy,
        scope,
        demand: Some(mode.map(Demand::of).unwrap_or_default()),
        by_port: BTreeMap::new(),
        origins: None,
    })
}

fn mesh_policy(mode: Option<Mode>) -> Arc<model::Authentication> {
    policy("/default", Scope::Mesh, mode)
}

fn for_httpbin(mode: Option<Mode>, ports: Vec<PortSelector>) -> Arc<model::Authentication> {
    let host = Hostname::parse(HTTPBIN).unwrap();
    let scope = Scope::Services(vec![Target { host, ports }]);
    policy("default/httpbin", scope, mode)
}

fn blocks(tls: Option<ClientTls>) -> PortPolicy {
    PortPolicy {
        tls: tls.map(Arc::new),
        ..PortPolicy::default()
    }
}

fn rule(name: &str, host: &str, tls: Option<ClientTls>) -> DestinationRule {
    let mut policies = TrafficPolicies::default();
    policies.all.port = blocks(tls);
    DestinationRule {
        object: object("DestinationRule", &format!("default/{name}")),
        host: Hostname::parse(host).unwrap(),
        policies,
        subsets: Vec::new(),
        export_to: ExportTo::All,
        workload_selector: None,
    }
}

fn mutual() -> Option<ClientTls> {
    Some(ClientTls::Mesh(MeshTls::default()))
}

fn wildcard() -> DestinationRule {
    rule("default", "*.marathon.slave.mesos", mutual())
}

fn world(policies: Vec<Arc<model::Authentication>>, rules: Vec<DestinationRule>) -> World {
    let host = Hostname::parse(HTTPBIN).unwrap();
    let port = |number, name: &str| Port {
        number,
        name: name.into(),
        protocol: Protocol::Http,
    };
    let service = Service {
        ports: vec![port(8000, "http"), port(9000, "http-admin")],
        ..Service::new(host.clone(), "default".into())
    };
    World {
        services: [(host, Arc::new(service))].into_iter().collect(),
        authentication: policies.into(),
        destination_rules: rules.into_iter().map(Arc::new).collect(),
        ..World::default()
    }
}

/// Policy, rule, server, client and status of a port.
fn told(world: &World, port: u16, exact: bool) -> [String; 5] {
    let rows = rows(world, Some(HTTPBIN), exact);
    let row = rows.into_iter().find(|row| row.port == port).unwrap();
    [
        row.authentication_policy_name,
        row.destination_rule_name,
        row.server_protocol.to_owned(),
        row.client_protocol.to_owned(),
        row.tls_conflict_status.to_owned(),
    ]
}

#[track_caller]
fn holds(policies: Vec<Arc<model::Authentication>>, rules: Vec<DestinationRule>, row: [&str; 5]) {
    let world = world(policies, rules);
    assert_eq!(told(&world, 8000, false), row);
    assert_eq!(told(&world, 8000, true), row, "in the words of 1.0");
}

const STRICT: Option<Mode> = Some(Mode::Strict);

#[test]
fn the_truth_table_of_istio_1_0() {
    let aimed = |mode| for_httpbin(mode, Vec::new());
    // 1
    holds(vec![], vec![], ["-", "-", "HTTP", "HTTP", "OK"]);
    // 2
    let conflict = ["default/", "-", "mTLS", "HTTP", "CONFLICT"];
    holds(vec![mesh_policy(STRICT)], vec![], conflict);
    // 3
    let both = ["default/", "default/default", "mTLS", "mTLS", "OK"];
    holds(vec![mesh_policy(STRICT)], vec![wildcard()], both);
    // 4: nothing is inherited from the wider rule.
    let exact = rule("httpbin", HTTPBIN, None);
    let hidden = ["default/", "httpbin/default", "mTLS", "HTTP", "CONFLICT"];
    holds(vec![mesh_policy(STRICT)], vec![exact, wildcard()], hidden);
    // 5
    let client = rule("httpbin", HTTPBIN, mutual());
    let half = ["-", "httpbin/default", "HTTP", "mTLS", "CONFLICT"];
    holds(vec![], vec![client.clone()], half);
    // 6
    let own = ["httpbin/default", "httpbin/default", "mTLS", "mTLS", "OK"];
    holds(vec![aimed(STRICT)], vec![client], own);
    // 7
    let out = ["httpbin/default", "-", "HTTP", "HTTP", "OK"];
    holds(vec![mesh_policy(STRICT), aimed(None)], vec![], out);
    // 8
    let namespace = policy("default/default", Scope::Namespace, STRICT);
    let row = ["default/default", "-", "mTLS", "HTTP", "CONFLICT"];
    holds(vec![namespace], vec![], row);
    // 13
    let tokens = ["default/", "-", "HTTP", "HTTP", "OK"];
    holds(vec![mesh_policy(None)], vec![], tokens);
}

#[test]
fn row_9_a_policy_may_name_ports() {
    let one = for_httpbin(STRICT, vec![PortSelector::Number(8000)]);
    let world = world(vec![one], vec![]);
    assert_eq!(told(&world, 8000, false)[0], "httpbin/default");
    assert_eq!(told(&world, 9000, false)[0], "-");
}

#[test]
fn row_10_permissive_is_a_conflict_only_in_the_words_of_1_0() {
    let world = world(vec![mesh_policy(Some(Mode::Permissive))], vec![]);
    let now = ["default/", "-", "HTTP/mTLS", "HTTP", "OK"];
    assert_eq!(told(&world, 8000, false), now);
    let then = ["default/", "-", "mTLS", "HTTP", "CONFLICT"];
    assert_eq!(told(&world, 8000, true), then);
}

#[test]
fn row_11_the_settings_of_a_port_replace_all_others() {
    let mut rule = rule("x", HTTPBIN, mutual());
    rule.policies.by_port.insert(9000, blocks(None));
    let world = world(vec![mesh_policy(STRICT)], vec![rule]);
    assert_eq!(told(&world, 8000, false)[3..], ["mTLS", "OK"]);
    assert_eq!(told(&world, 9000, false)[3..], ["HTTP", "CONFLICT"]);
}

#[test]
fn row_12_tls_of_another_kind_counts_as_plain() {
    for tls in [ClientTls::Disable, ClientTls::Origin(OriginTls::default())] {
        let rule = rule("x", HTTPBIN, Some(tls));
        let row = ["default/", "x/default", "mTLS", "HTTP", "CONFLICT"];
        holds(vec![mesh_policy(STRICT)], vec![rule], row);
    }
}

#[test]
fn without_objects_the_mesh_config_speaks_for_both_sides() {
    let mesh = Mesh {
        auth_policy: AuthPolicy::MutualTls,
        ..Mesh::default()
    };
    let world = World {
        mesh: Arc::new(mesh),
        ..world(vec![], vec![])
    };
    assert_eq!(told(&world, 8000, false), ["-", "-", "mTLS", "mTLS", "OK"]);
}

#[test]
fn an_unknown_host_has_no_rows() {
    assert_eq!(rows(&world(vec![], vec![]), Some("nobody"), false), []);
}

#[test]
fn callers_that_follow_servers_never_conflict() {
    let mesh = Mesh {
        auto_mtls: true,
        ..Mesh::default()
    };
    let following = |policies, rules| {
        let mut world = World {
            mesh: Arc::new(mesh.clone()),
            ..world(policies, rules)
        };
        let host = Hostname::parse(HTTPBIN).unwrap();
        let mut service = Service::clone(&world.services[&host]);
        service.subject_alt_names = vec!["spiffe://cluster.local/ns/default/sa/default".into()];
        world.services.insert(host, Arc::new(service));
        [told(&world, 8000, false), told(&world, 8000, true)]
    };
    let strict = ["default/", "-", "mTLS", "mTLS", "OK"];
    assert_eq!(
        following(vec![mesh_policy(STRICT)], vec![]),
        [strict, strict]
    );
    let none = ["-", "-", "HTTP", "HTTP", "OK"];
    assert_eq!(following(vec![], vec![]), [none, none]);
    let both = mesh_policy(Some(Mode::Permissive));
    let [now, then] = following(vec![both], vec![]);
    assert_eq!(now, ["default/", "-", "HTTP/mTLS", "mTLS", "OK"]);
    assert_eq!(then, strict);
    // What a rule says has the last word.
    let plain = rule("x", HTTPBIN, Some(ClientTls::Disable));
    let conflict = ["default/", "x/default", "mTLS", "HTTP", "CONFLICT"];
    assert_eq!(
        following(vec![mesh_policy(STRICT)], vec![plain]),
        [conflict, conflict]
    );
}
