//! The names of resources: the one place that formats them.
//!
//! They follow Istio's, character by character: dashboards, `config_dump` readers and operators
//! know them.

use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use model::{Cidr, Gateway, Hostname, Server};

/// Where connections go that must go nowhere.
pub(crate) const BLACK_HOLE: &str = "BlackHoleCluster";
/// The original destination of a connection that leaves the workload.
pub(crate) const PASSTHROUGH: &str = "PassthroughCluster";
/// The original destination of a connection that comes to the workload.
pub(crate) const INBOUND_PASSTHROUGH: &str = "InboundPassthroughCluster";
pub(crate) const VIRTUAL_OUTBOUND: &str = "virtualOutbound";
pub(crate) const VIRTUAL_OUTBOUND_BLACK_HOLE: &str = "virtualOutbound-blackhole";
pub(crate) const VIRTUAL_OUTBOUND_OWN: &str = "virtualOutbound-own-address";
pub(crate) const VIRTUAL_OUTBOUND_CATCH_ALL: &str = "virtualOutbound-catchall-tcp";
pub(crate) const VIRTUAL_INBOUND: &str = "virtualInbound";
pub(crate) const VIRTUAL_INBOUND_BLACK_HOLE: &str = "virtualInbound-blackhole";
pub(crate) const PASSTHROUGH_CHAIN: &str = "PassthroughFilterChain";
pub(crate) const ALLOW_ANY: &str = "allow_any";
pub(crate) const BLOCK_ALL: &str = "block_all";
pub(crate) const DEFAULT_ROUTE: &str = "default";

/// `outbound|9080|v1|reviews.marathon.slave.mesos`
pub(crate) fn outbound_cluster(port: u16, subset: Option<&str>, host: &Hostname) -> String {
    let subset = subset.unwrap_or_default();
    let mut name = String::with_capacity(17 + subset.len() + host.as_str().len());
    name.push_str("outbound|");
    push_number(&mut name, port);
    for part in ["|", subset, "|", host.as_str()] {
        name.push_str(part);
    }
    name
}

/// `outbound_.9080_.v1_.reviews.marathon.slave.mesos`: what workloads of the mesh ask each other
/// for, since a server name has no bars.
pub(crate) fn mesh_server_name(port: u16, subset: Option<&str>, host: &Hostname) -> String {
    format!("outbound_.{port}_.{}_.{host}", subset.unwrap_or_default())
}

/// The port, the subset and the host of such a name.
pub(crate) fn parse_outbound_cluster(name: &str) -> Option<(u16, &str, &str)> {
    let mut parts = name.strip_prefix("outbound|")?.splitn(2, '|');
    let port = parts.next()?.parse().ok()?;
    // A host has no bar; a subset may have one.
    let (subset, host) = parts.next()?.rsplit_once('|')?;
    Some((port, subset, host))
}

/// `inbound|9080||`, also the name of the route configuration in front of it.
pub(crate) fn inbound_cluster(port: u16) -> String {
    format!("inbound|{port}||")
}

/// `0.0.0.0_9080`: a listener, or a filter chain of that destination.
pub(crate) fn listener(address: IpAddr, port: u16) -> String {
    format!("{address}_{port}")
}

/// `db.marathon.slave.mesos_443`: the filter chain of a server name.
pub(crate) fn server_name_chain(name: &Hostname, port: u16) -> String {
    format!("{name}_{port}")
}

/// The same, for connections to one address or subnet.
pub(crate) fn server_name_chain_at(chain: &str, destination: Cidr) -> String {
    format!("{chain}_{destination}")
}

/// `10.0.1.91_6379` or `10.0.0.0/8_6379`: the filter chain of a destination.
pub(crate) fn destination_chain(destination: Cidr, port: u16) -> String {
    format!("{destination}_{port}")
}

/// `10.0.1.91_6379_http`: the filter chain of requests to an address that other protocols have, too.
pub(crate) fn http_chain_at(destination: Cidr, port: u16) -> String {
    format!("{destination}_{port}_http")
}

/// `dynamic_dns_60000ms`: where proxies keep names that they resolve as they are asked for. Envoy
/// refuses a second cache of a name with other settings, so all that can differ is in the name.
pub(crate) fn dns_cache(refresh: Duration) -> String {
    format!("dynamic_dns_{}ms", refresh.as_millis())
}

/// `9080`
pub(crate) fn sidecar_routes(port: u16) -> String {
    port.to_string()
}

/// `http.80`, and `http.80.10.0.0.1` where servers bind to an address.
pub(crate) fn gateway_routes(port: u16, bound: Option<IpAddr>) -> String {
    match bound {
        None => format!("http.{port}"),
        Some(address) => format!("http.{port}.{address}"),
    }
}

/// `https.443.https-shop.gateway.default`: the port and its name, the gateway and its namespace.
pub(crate) fn gateway_tls_routes(gateway: &Gateway, server: &Server) -> String {
    let (port, name, object) = (server.port, &server.name, &gateway.object);
    format!("https.{port}.{name}.{}.{}", object.name, object.namespace)
}

/// The port of routes of gateways.
pub(crate) fn port_of_gateway_routes(name: &str) -> Option<u16> {
    let rest = name.strip_prefix("http.").or(name.strip_prefix("https."))?;
    let port = rest.split_once('.').map_or(rest, |(port, _)| port);
    port.parse().ok()
}

/// `reviews.marathon.slave.mesos:9080`
pub(crate) fn virtual_host(host: &Hostname, port: u16) -> String {
    let mut name = String::with_capacity(host.as_str().len() + 6);
    name.push_str(host.as_str());
    name.push(':');
    push_number(&mut name, port);
    name
}

/// `inbound|http|9080`
pub(crate) fn inbound_virtual_host(port: u16) -> String {
    format!("inbound|http|{port}")
}

/// `blackhole:80`
pub(crate) fn black_hole_virtual_host(port: u16) -> String {
    format!("blackhole:{port}")
}

/// `outbound_0.0.0.0_9080;`, where the semicolon ends what statistics take as the name.
pub(crate) fn stat_prefix(direction: &str, listener: &str) -> String {
    format!("{direction}_{listener};")
}

/// There are thousands of names with a port, and the general way to print costs more than all the rest.
fn push_number(text: &mut String, number: u16) {
    let mut divisor = 10_000;
    while divisor > 1 && number < divisor {
        divisor /= 10;
    }
    while divisor > 0 {
        text.push(char::from(b'0' + (number / divisor % 10) as u8));
        divisor /= 10;
    }
}

/// `reviews.marathon.slave.mesos:9080/*`, from the name of the virtual host.
pub(crate) fn default_operation(virtual_host: &str) -> String {
    [virtual_host, "/*"].concat()
}

/// `reviews.marathon.slave.mesos:9080/*`
pub(crate) fn operation(target: &dyn Display, port: u16, path: &str) -> String {
    format!("{target}:{port}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_in_full() {
        for number in [0, 1, 9, 10, 99, 100, 9_080, 10_000, u16::MAX] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }

    #[test]
    fn the_name_of_a_cluster_is_read_back() {
        let host = Hostname::parse("a.b").unwrap();
        for subset in ["", "v1", "a|b"] {
            let name = outbound_cluster(80, Some(subset), &host);
            assert_eq!(parse_outbound_cluster(&name), Some((80, subset, "a.b")));
        }
        assert_eq!(parse_outbound_cluster("inbound|80||"), None);
        assert_eq!(parse_outbound_cluster(PASSTHROUGH), None);
    }

    #[test]
    fn names_are_those_of_istio() {
        let host = Hostname::parse("reviews.marathon.slave.mesos").unwrap();
        assert_eq!(
            outbound_cluster(9080, Some("v1"), &host),
            "outbound|9080|v1|reviews.marathon.slave.mesos"
        );
        assert_eq!(
            outbound_cluster(9080, None, &host),
            "outbound|9080||reviews.marathon.slave.mesos"
        );
        assert_eq!(listener([0, 0, 0, 0].into(), 9080), "0.0.0.0_9080");
        assert_eq!(
            stat_prefix("inbound", "172.17.0.5_9080"),
            "inbound_172.17.0.5_9080;"
        );
    }
}
