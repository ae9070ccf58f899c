//! Keys of issuers that no proxy can ask for.

use model::end_user::{Issuer, Keys};
use model::{Diagnostic, Hostname, World};

use crate::codes;
use crate::report::Report;
use crate::ruling::Ruling;

/// Of both kinds of objects that name issuers.
pub(super) fn of_issuers(ruling: &Ruling, world: &World) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for placed in ruling.request_authentications.iter() {
        let object = placed.value.object.clone();
        let mut report = Report::new(object, placed.location.clone(), "");
        for (at, issuer) in placed.value.issuers.iter().enumerate() {
            tell(issuer, format!("spec.jwtRules[{at}]"), world, &mut report);
        }
        found.extend(report.into_diagnostics());
    }
    for placed in ruling.authentication.iter() {
        let object = placed.value.object.clone();
        let mut report = Report::new(object, placed.location.clone(), "");
        let origins = placed.value.origins.iter().flat_map(|origins| &origins.all);
        for (at, origin) in origins.enumerate() {
            let field = format!("spec.origins[{at}].jwt");
            tell(&origin.issuer, field, world, &mut report);
        }
        found.extend(report.into_diagnostics());
    }
    found
}

fn tell(issuer: &Issuer, field: String, world: &World, report: &mut Report) {
    let Keys::Asked { host, port, .. } = &issuer.keys else {
        return;
    };
    if let Some(why) = nowhere(host, *port, world) {
        report.warn(
            codes::KEYS_NOWHERE,
            format!("{field}.jwksUri"),
            why,
            "tokens of the issuer are refused until there is",
            "write a ServiceEntry for the host, and for https a DestinationRule with tls.mode \
             SIMPLE; or give the keys themselves, as jwks",
        );
    }
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
