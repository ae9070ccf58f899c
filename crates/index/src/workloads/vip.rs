//! Virtual addresses of DC/OS: port labels `VIP_0: /reviews:9080` or `VIP_0: 10.1.2.3:80`.
//!
//! Outside the mesh the load balancer of each agent answers to them. Inside, they are further names
//! and ports of the service, so that callers need not change.

use model::{Hostname, Mesh};

use super::ports::Spec;
use crate::codes;
use crate::report::Report;

const PREFIX: &str = "VIP_";

/// A name, or an address that stands as one, and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vip {
    pub(super) host: Hostname,
    pub(super) port: u16,
}

/// The virtual addresses of a port.
pub(super) fn read(spec: &Spec<'_>, mesh: &Mesh, report: &mut Report) -> Vec<Vip> {
    let labels = spec.labels.iter();
    let vips = labels.filter(|(key, _)| {
        let number = key.strip_prefix(PREFIX).unwrap_or("");
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    });
    vips.filter_map(|(key, text)| {
        let vip = parse(text.trim(), &mesh.vip_domain);
        if vip.is_none() {
            report.warn(
                codes::LABEL_VALUE,
                format!("{}.labels.{key}", spec.field),
                format!("{text:?} is not a virtual address"),
                "the mesh does not know the port under that address",
                "write /name:port or address:port",
            );
        }
        vip
    })
    .collect()
}

/// DC/OS leaves the slashes of a name out: `/shop/db:80` is `shopdb.marathon.l4lb…`.
fn parse(text: &str, domain: &str) -> Option<Vip> {
    let (name, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = match name.strip_prefix('/') {
        Some(name) => format!("{}.{domain}", name.replace('/', "")),
        None => name.parse::<std::net::Ipv4Addr>().ok()?.to_string(),
    };
    let host = Hostname::parse(&host).ok()?;
    (!host.is_wildcard()).then_some(Vip { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_understood_and_nothing_else() {
        for (text, expected) in [
            ("/reviews:9080", Some(("reviews.l4lb", 9080))),
            ("/shop/db:80", Some(("shopdb.l4lb", 80))),
            ("10.1.2.3:80", Some(("10.1.2.3", 80))),
            ("/reviews", None),
            ("/reviews:0", None),
            ("/*:80", None),
            ("reviews:80", None),
            ("/:80", None),
        ] {
            let vip = parse(text, "l4lb");
            let told = vip.as_ref().map(|vip| (vip.host.as_str(), vip.port));
            assert_eq!(told, expected, "{text}");
        }
    }
}
