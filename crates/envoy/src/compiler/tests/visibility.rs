//! Random events of who sees what: namespaces, exportTo, selectors and sidecars.

use model::*;
use proptest::prelude::*;
use proptest::sample::select;

use super::events::{HOSTS, NAMES};
use super::history::Event;
use crate::fixtures::*;

/// Namespaces, exportTo, selectors and sidecars.
pub(super) fn visible() -> impl Strategy<Value = Event> {
    let place = select(&["default", "other", "istio-system"][..]);
    let selector = prop::option::weighted(0.3, select(&["v1", "v2"][..]).prop_map(version));
    let named = select(&["one", "two", "three"][..]);
    prop_oneof![
        2 => (select(HOSTS), place.clone(), export()).prop_map(|(h, p, e)| Event::Exported(h, p, e)),
        2 => (select(NAMES), place, export(), selector)
            .prop_map(|(h, p, e, s)| Event::RuleFor(h, p, e, s)),
        1 => (named, export()).prop_map(|(n, e)| Event::RoutesFor(n, e)),
        2 => (select(&["in-default", "in-other", "in-root", "for-v1"][..]), prop::option::weighted(0.7, sidecar_scope()))
            .prop_map(|(name, sidecar)| Event::Sidecar(name, sidecar.map(|s| named_sidecar(name, s)))),
    ]
}

fn export() -> impl Strategy<Value = ExportTo> {
    let of =
        |names: &[&str]| ExportTo::Namespaces(names.iter().map(|name| (*name).into()).collect());
    let all = ExportTo::All;
    let choices = [
        all.clone(),
        all.clone(),
        all,
        of(&["default"]),
        of(&["other"]),
        of(&[]),
    ];
    select(choices.to_vec())
}

fn named_sidecar(name: &str, sidecar: Sidecar) -> Sidecar {
    let namespace = match name {
        "in-other" => "other",
        "in-root" => "istio-system",
        _ => "default",
    };
    Sidecar {
        object: ObjectRef {
            namespace: namespace.into(),
            ..object("Sidecar", name)
        },
        selector: (name == "for-v1").then(|| version("v1")),
        ..sidecar
    }
}

/// A port, what is seen there, and where the listener stands.
type Listener = (
    Option<u16>,
    Vec<EgressHost>,
    Option<(Option<&'static str>, bool)>,
);

fn sidecar_scope() -> impl Strategy<Value = Sidecar> {
    use EgressNamespace::{Any, Named, Nowhere, Own};
    let namespace = select(vec![Any, Own, Nowhere, Named("other".into())]);
    let host = (namespace, select(NAMES)).prop_map(|(namespace, name)| EgressHost {
        namespace,
        host: host(name),
    });
    let hosts = prop::collection::vec(host, 1..3);
    let binding = (
        select(&[None, Some("127.0.0.5"), Some("10.0.0.7")][..]),
        any::<bool>(),
    );
    let binding = prop::option::weighted(0.3, binding);
    let egress = (select(&[None, Some(80u16), Some(9080)][..]), hosts, binding);
    let egress = prop::collection::vec(egress, 0..3).prop_map(|mut list| {
        list.sort_by_key(|(port, ..)| std::cmp::Reverse(*port));
        list.dedup_by_key(|(port, ..)| *port);
        let listener = |(number, hosts, binding): Listener| Egress {
            port: number.map(|number| EgressPort {
                number,
                protocol: Protocol::Http,
            }),
            binding: binding.map_or_else(Binding::default, |(address, bound)| Binding {
                address: address.map(ip),
                bound,
            }),
            hosts,
        };
        list.into_iter().map(listener).collect()
    });
    let (none, all) = (OutboundPolicy::RegistryOnly, OutboundPolicy::AllowAny);
    let policy = (select(vec![None, Some(none), Some(all)]), select(HOSTS));
    (egress, ingress(), policy).prop_map(move |(egress, ingress, (outbound, proxy))| Sidecar {
        egress_proxy: (outbound == Some(all)).then(|| EgressProxy {
            host: crate::fixtures::host(proxy),
            port: 80,
            subset: None,
        }),
        object: object("Sidecar", ""),
        selector: None,
        egress,
        ingress,
        outbound,
    })
}

/// Some of which lead back to themselves or hide outbound listeners.
fn ingress() -> impl Strategy<Value = Vec<Ingress>> {
    use IngressTarget::{Instance, Loopback, Pipe, Port};
    let target = select(vec![
        Port,
        Loopback(at("127.0.0.1:7070")),
        Instance(9080),
        Pipe("/run/app.sock".into()),
    ]);
    let address = select(&[None, Some("0.0.0.0"), Some("127.0.0.1"), Some("10.0.0.7")][..]);
    let port = select(&[(80u16, "http"), (9080, "grpc"), (6379, "tcp")][..]);
    let listener = (port, address, any::<bool>(), target);
    prop::collection::vec(listener, 0..3).prop_map(|mut list| {
        list.sort_by_key(|((port, _), ..)| *port);
        list.dedup_by_key(|((port, _), ..)| *port);
        let listener =
            |((port, name), address, bound, target): ((u16, &str), Option<&str>, _, _)| Ingress {
                port,
                name: name.into(),
                protocol: Protocol::from_port_name(name).expect("a protocol"),
                binding: Binding {
                    address: address.map(ip),
                    bound,
                },
                target,
            };
        list.into_iter().map(listener).collect()
    })
}
