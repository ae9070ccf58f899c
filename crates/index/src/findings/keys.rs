//! Keys of issuers that no proxy can ask for.

use model::end_user::Keys;
use model::{Diagnostic, Hostname, RequestAuthentication, World};

use crate::codes;
use crate::report::Report;
use crate::ruling::Ordered;

pub(super) fn of_issuers(all: &Ordered<RequestAuthentication>, world: &World) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for placed in all.iter() {
        let object = placed.value.object.clone();
        let mut report = Report::new(object, placed.location.clone(), "");
        for (at, issuer) in placed.value.issuers.iter().enumerate() {
            if let Keys::Asked { host, port, .. } = &issuer.keys
                && let Some(why) = nowhere(host, *port, world)
            {
                report.warn(
                    codes::KEYS_NOWHERE,
                    format!("spec.jwtRules[{at}].jwksUri"),
                    why,
                    "tokens of the issuer are refused until there is",
                    "write a ServiceEntry for the host, and for https a DestinationRule with \
                     tls.mode SIMPLE; or give the keys themselves, as jwks",
                );
            }
        }
        found.extend(report.into_diagnostics());
    }
    found
}

fn nowhere(host: &Hostname, port: u16, world: &World) -> Option<String> {
    match world.services.get(host) {
        None => Some(format!("there is no service {host} that proxies could ask")),
        Some(service) if service.port(port).is_none() => {
            Some(format!("the service {host} has no port {port}"))
        }
        Some(_) => None,
    }
}
