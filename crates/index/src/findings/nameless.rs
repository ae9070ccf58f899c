//! Routes to names that proxies resolve as they are asked for, of what asks for no name of theirs.

use model::Resolution;
use model::route::VirtualService;

use super::Known;
use crate::codes;
use crate::report::Report;

impl Known<'_> {
    /// Raw TCP says no name, and a copy of a request has another one: `-shadow` stands behind it.
    pub(super) fn check_nameless(&self, service: &VirtualService, report: &mut Report) {
        let dynamic = |host| {
            let service = self.service(host);
            service.is_some_and(|service| service.resolution == Resolution::Dynamic)
        };
        for route in &service.tcp {
            for to in route.to.iter().map(|to| &to.destination.host) {
                if dynamic(to) {
                    report.warn(
                        codes::NAMELESS,
                        format!("spec.tcp[{}].route.destination.host", route.position),
                        format!(
                            "of {to} the names are resolved that callers ask for, and TCP says none"
                        ),
                        "connections that do not begin with TLS are closed",
                        "use a tls route, or a service entry with the resolution DNS",
                    );
                }
            }
        }
        for route in &service.http {
            for to in route.mirrors.iter().map(|mirror| &mirror.destination.host) {
                if dynamic(to) {
                    report.warn(
                        codes::NAMELESS,
                        format!("spec.http[{}].mirror.host", route.position),
                        format!(
                            "the names of {to} are resolved as requests ask for them, and copies \
                             ask for others"
                        ),
                        "copies do not arrive",
                        "mirror to a service entry with the resolution DNS",
                    );
                }
            }
        }
    }
}
