//! Who decides, level by level.

use super::*;
use crate::authentication::{PortSelector, Target};

fn host(name: &str) -> Hostname {
    Hostname::parse(&format!("{name}.marathon.slave.mesos")).unwrap()
}

fn object(family: Family, place: &str, scope: Scope, mode: Option<Mode>) -> Authentication {
    let (namespace, name) = place.split_once('/').unwrap();
    Authentication {
        object: ObjectRef {
            kind: "Policy",
            namespace: namespace.into(),
            name: name.into(),
        },
        family,
        scope,
        demand: mode.map(Demand::of),
        by_port: BTreeMap::new(),
        origins: None,
    }
}

fn older(place: &str, scope: Scope, mode: Mode) -> Authentication {
    object(Family::Policy, place, scope, Some(mode))
}

fn later(place: &str, scope: Scope, mode: Option<Mode>) -> Authentication {
    object(Family::PeerAuthentication, place, scope, mode)
}

fn services(name: &str, ports: &[PortSelector]) -> Scope {
    Scope::Services(vec![Target {
        host: host(name),
        ports: ports.to_vec(),
    }])
}

fn workloads(version: &str, everywhere: bool) -> Scope {
    Scope::Workloads {
        labels: Labels::from_iter([("version", version)]),
        everywhere,
    }
}

/// What httpbin's port 8000, which is 80 inside, demands, and the object that says so.
fn decided(objects: &[Authentication]) -> (Mode, String) {
    decided_on(objects, 8000, "http")
}

fn decided_on(objects: &[Authentication], number: u16, name: &str) -> (Mode, String) {
    let objects: Vec<_> = objects.iter().cloned().map(Arc::new).collect();
    let policies = Policies::new(&objects, &Mesh::default());
    let labels = Labels::from_iter([("version", "v1")]);
    let found = policies.find(&Asked {
        namespace: "default",
        labels: Some(&labels),
        hosts: &[host("httpbin"), host("web")],
        number,
        name,
        target: 80,
    });
    let name = found.policy.map(|object| object.name.to_string());
    (found.demand.mode, name.unwrap_or_default())
}

#[test]
fn without_an_object_the_mesh_decides() {
    assert_eq!(decided(&[]), (Mode::Disable, String::new()));
    let mesh = Mesh {
        auth_policy: AuthPolicy::MutualTls,
        ..Mesh::default()
    };
    let asked = Asked {
        namespace: "default",
        labels: None,
        hosts: &[],
        number: 80,
        name: "",
        target: 80,
    };
    let policies = Policies::new(&[], &mesh);
    assert_eq!(policies.find(&asked).demand, Demand::STRICT);
}

#[test]
fn the_narrowest_of_the_older_decides() {
    let mesh = older("/mesh", Scope::Mesh, Mode::Strict);
    let namespace = older("default/all", Scope::Namespace, Mode::Permissive);
    let service = older("default/httpbin", services("httpbin", &[]), Mode::Disable);
    let all = [mesh.clone(), namespace.clone(), service];
    assert_eq!(decided(&all[..1]), (Mode::Strict, "mesh".into()));
    assert_eq!(decided(&all[..2]), (Mode::Permissive, "all".into()));
    assert_eq!(decided(&all), (Mode::Disable, "httpbin".into()));
    let elsewhere = older("other/httpbin", services("httpbin", &[]), Mode::Disable);
    assert_eq!(
        decided(&[mesh.clone(), elsewhere]),
        (Mode::Strict, "mesh".into())
    );
    let other = older("other/all", Scope::Namespace, Mode::Disable);
    assert_eq!(decided(&[mesh, other]), (Mode::Strict, "mesh".into()));
}

#[test]
fn of_one_level_the_first_decides() {
    let first = older("default/a", services("httpbin", &[]), Mode::Strict);
    let second = older("default/b", services("httpbin", &[]), Mode::Disable);
    assert_eq!(decided(&[first, second]), (Mode::Strict, "a".into()));
}

#[test]
fn a_target_may_name_ports_by_number_or_by_name() {
    let mesh = older("/mesh", Scope::Mesh, Mode::Disable);
    for selector in [
        PortSelector::Number(8000),
        PortSelector::Name("http".into()),
    ] {
        let target = older("default/p", services("httpbin", &[selector]), Mode::Strict);
        let all = [mesh.clone(), target];
        assert_eq!(decided_on(&all, 8000, "http"), (Mode::Strict, "p".into()));
        assert_eq!(
            decided_on(&all, 9000, "admin"),
            (Mode::Disable, "mesh".into())
        );
    }
}

#[test]
fn every_service_of_a_workload_is_looked_at() {
    let target = older("default/web", services("web", &[]), Mode::Strict);
    assert_eq!(decided(&[target]), (Mode::Strict, "web".into()));
}

#[test]
fn the_later_hide_the_older_wherever_one_applies() {
    let target = older("default/httpbin", services("httpbin", &[]), Mode::Strict);
    let mesh = later("istio-system/mesh", Scope::Mesh, Some(Mode::Permissive));
    assert_eq!(
        decided(&[target.clone(), mesh]),
        (Mode::Permissive, "mesh".into())
    );
    let elsewhere = later("other/all", Scope::Namespace, Some(Mode::Disable));
    assert_eq!(
        decided(&[target, elsewhere]),
        (Mode::Strict, "httpbin".into())
    );
}

#[test]
fn what_says_nothing_inherits() {
    let workload = later("default/w", workloads("v1", false), None);
    let namespace = later("default/all", Scope::Namespace, None);
    let mesh = later("istio-system/mesh", Scope::Mesh, Some(Mode::Strict));
    let all = [workload.clone(), namespace, mesh];
    assert_eq!(decided(&all), (Mode::Strict, "mesh".into()));
    assert_eq!(decided(&all[..2]), (Mode::Permissive, "w".into()));
    assert_eq!(decided(&[workload]), (Mode::Permissive, "w".into()));
}

#[test]
fn a_selector_selects_in_its_namespace_unless_it_is_the_root() {
    let wrong = later("default/w", workloads("v2", false), Some(Mode::Strict));
    assert_eq!(decided(&[wrong]), (Mode::Disable, String::new()));
    let other = later("other/w", workloads("v1", false), Some(Mode::Strict));
    assert_eq!(decided(&[other]), (Mode::Disable, String::new()));
    let root = later("istio-system/w", workloads("v1", true), Some(Mode::Strict));
    assert_eq!(decided(&[root]), (Mode::Strict, "w".into()));
}

#[test]
fn a_port_of_the_workload_may_differ() {
    let mut workload = later("default/w", workloads("v1", false), Some(Mode::Strict));
    workload.by_port.insert(80, Demand::of(Mode::Disable));
    assert_eq!(
        decided(std::slice::from_ref(&workload)),
        (Mode::Disable, "w".into())
    );
    workload.by_port.insert(81, Demand::default());
    workload.by_port.remove(&80);
    assert_eq!(decided(&[workload]), (Mode::Strict, "w".into()));
}
